/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a user may wish of a hypervisor that translates the guest's instructions.
 * No guest sees any of it, so it is no attribute of the VM and is not saved with it.
 */
#ifndef VMM_JIT_H
#define VMM_JIT_H

#include <vmm/types.h>

#define JIT_CACHE_BYTES_DEFAULT (32 * MIB)
#define JIT_CACHE_BYTES_MIN (256 * KIB)
#define JIT_CACHE_BYTES_MAX (1 * GIB)
#define JIT_CHECK_DEFAULT 16
#define JIT_CHECK_MAX 1000000

enum jit_use {
	JIT_AUTO,               /* where this host can */
	JIT_ON,                 /* or not at all */
	JIT_OFF,
};

/* All zero: nothing is wished. */
struct jit_config {
	enum jit_use use;
	uint64_t cache_bytes;   /* of code for each vCPU; 0: JIT_CACHE_BYTES_DEFAULT */
	unsigned check;         /* one in so many blocks that are entered is executed by both engines; 0: none */
	bool fp_strict;         /* no deviation from the architecture for speed: FP flags, and what is tiny when flushing */
	bool smc_track;         /* stores into code are noticed, for guests without IC */
	bool count;             /* translated code counts instructions, too */
	bool perf_map;          /* /tmp/perf-PID.map, for perf */
};

/* An option that asks for something, as the user would write it; NULL: nothing does. */
const char *jit_wish(const struct jit_config *j);
/* The same, of those that want a translator at work. */
const char *jit_wish_to_translate(const struct jit_config *j);

#endif
