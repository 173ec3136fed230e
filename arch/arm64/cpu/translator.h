/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a translator offers (arch/x86_64 has one). At most one is linked in: the one that writes the host's instructions. */
#ifndef ARM64_CPU_TRANSLATOR_H
#define ARM64_CPU_TRANSLATOR_H

#include <vmm/registry.h>

#include "cpu.h"

struct translator_cost {
	uint64_t insns, ns, bytes; /* of the guest; of host time; of host code */
};

struct translator {
	const char *host;                               /* "x86-64" */
	bool (*available)(char *why, size_t bytes);     /* on this CPU; otherwise @why not: "this CPU lacks AVX2" */
	/* 0, or -errno without a message; sets cpu->jit. destroy() also after a failure or without create(). */
	int (*create)(struct cpu *c, const struct jit_config *cfg);
	void (*destroy)(struct cpu *c);
	/*
	 * The code for the instructions at physical address @pa, host address @words, as PSTATE is now;
	 * it goes into jump caches. NULL: executed too seldom so far, interpret them.
	 */
	void *(*code)(struct cpu *c, uint64_t pa, const uint32_t *words, bool guarded);
	/* Executes from pc, whose code is @code, until a request or something that is the dispatcher's. */
	enum exec (*run)(struct cpu *c, const void *code);
	/* As run_invalidate_*; also from within run(). */
	void (*invalidate_page)(struct cpu *c, uint64_t pa);
	void (*invalidate_all)(struct cpu *c);
	/* What translation has cost so far, when that is counted. */
	struct translator_cost (*cost)(const struct cpu *c);
	/* How often each row (the last: undefined) went through exec_ from translated code, when that is counted. */
	const uint64_t *(*exec_counts)(const struct cpu *c);
	/* The thread's FP state becomes the guest's, and the host's again; exceptions so far go to cpu->fpsr. */
	void (*fp_enter)(struct cpu *c);
	void (*fp_leave)(struct cpu *c);
	void (*fp_sync)(struct cpu *c);
};

#define TRANSLATOR(name, t) REGISTER(translator, const struct translator, name, t)

/* NULL: none is linked in. */
const struct translator *translator(void);

#endif
