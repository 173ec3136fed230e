/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator's parts and what they know of each other.
 *
 *   jit.c     life; the operations that arch/arm64/cpu/run.c calls (struct translator, cpu.h)
 *   cache.c   code memory, blocks by physical address, links, invalidation
 *   thunks.c  the way in and out of generated code, and the slow path
 *   block.c   from words to a block: decode, passes, emission
 *   emit.c    what emitters share;  emit-*.c  emitters, files named as the exec files
 *
 * Every vCPU has a translator of its own and nothing of it is shared: no locks, and
 * code is reclaimed when its only user is known to be outside. What other vCPUs want
 * invalidated reaches it through the rings of tlbi.c.
 *
 * MXCSR holds the guest's rounding mode and flush-to-zero while the vCPU's thread is in
 * cpu_run() and not on the bus, and collects FP exceptions that are not in cpu->fpsr yet.
 */
#ifndef X86_64_JIT_H
#define X86_64_JIT_H

#include "emit.h"

/*
 * What a translation depends on besides the words; part of a block's identity. FPCR<26:19>
 * (AHP DN FZ RMode, FZ16) is in place at bit 8.
 */
enum jit_key {
	KEY_EL1     = 1 << 0,
	KEY_SPSEL   = 1 << 1,
	KEY_FP_TRAP = 1 << 2,
	KEY_BTI     = 1 << 3,   /* some page is guarded: indirect branches store BTYPE, blocks look at it */
	KEY_GUARDED = 1 << 4,   /* this page is */
	KEY_FPCR_SHIFT = 8,
};

uint64_t jit_key(const struct cpu *c, bool guarded);

/* ---- Code cache (cache.c) ---- */

/* A translated block. Index 0 is none. */
struct jit_block {
	uint64_t pa;                    /* of its first instruction */
	uint32_t key;
	uint32_t code;                  /* offset in the cache; 16-byte aligned */
	uint32_t next, next_in_page;    /* in hash and page lists */
	uint16_t insns;
	bool dead;
};

struct jit_cache {
	uint8_t *rw, *rx;               /* the same memory twice */
	size_t bytes;
	unsigned segments, segment;
	size_t segment_bytes;
	uint8_t *hot, *cold;            /* free: [hot, cold) of the current segment, in rw */
	uint8_t *thunks_end;
	/* Thunks, addresses in rx. */
	uint8_t *enter, *slow, *leave[4], *link, *dead;
	struct jit_block *blocks;
	uint32_t block_count, block_max;
	uint32_t *hash, *pages;
};

#endif
