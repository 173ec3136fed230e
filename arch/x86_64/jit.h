/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator's parts and what they know of each other.
 *
 *   jit.c     life; the operations that arch/arm64/cpu/run.c calls (struct translator, cpu.h)
 *   cache.c   code memory, blocks by physical address, links, invalidation
 *   thunks.c  the way in and out of generated code, and the slow path
 *   block.c   from words to a block: decode, passes, emission
 *   emit.c    what emitters share;  emit-*.c  emitters, files named as the exec files
 *   check.c   blocks executed by the interpreter, too (--jit-check)
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

#include <stdio.h>

#include "emit.h"

/*
 * What a translation depends on besides the words; part of a block's identity. FPCR<26:19>
 * (AHP DN FZ RMode, FZ16) is in place at bit 8.
 */
enum jit_key {
	KEY_EL1     = 1 << 0,
	KEY_FP_TRAP = 1 << 1,
	KEY_BTI     = 1 << 2,   /* some page is guarded: indirect branches store BTYPE, blocks look at it */
	KEY_GUARDED = 1 << 3,   /* this page is */
	KEY_FPCR_SHIFT = 8,
};

uint32_t jit_key(const struct cpu *c, bool guarded);

/* ---- Code cache (cache.c) ---- */

/* A translated block. Number 0 is none. */
struct jit_block {
	uint64_t pa;                    /* of its first instruction */
	uint32_t key;
	uint32_t code;                  /* offset in the cache; 16-byte aligned */
	uint32_t next, next_in_page;    /* in hash and page lists */
	uint16_t insns, linked;         /* linked: so many jumps to it have gone by way of the translator; counted for the check */
	bool live;
};

#define JIT_SEGMENTS 4
#define JIT_DECODED 1024
#define JIT_ENTRY_BYTES 10              /* what takes the place of a dead block's first instructions */
#define JIT_HOT_ROOM (16 * 1024)        /* no block is larger */
#define JIT_COLD_ROOM (24 * 1024)

/*
 * Segments fill one after the other, hot code from the front and cold code from the middle; when all are full the oldest is
 * emptied. Code of a page links only to code of that page, so emptying a segment kills all blocks of the pages it has
 * blocks of, and no jump into it is left but those of jump caches, which are purged.
 */
struct jit_cache {
	uint8_t *rw, *rx;               /* the same memory twice */
	size_t bytes, segment_bytes;
	unsigned segment;               /* being filled */
	unsigned emptied;               /* so many times was one emptied */
	uint8_t *thunks_end;
	uint8_t *hot, *hot_end, *cold, *cold_end;       /* free room of it, in rw */
	uint32_t block, block_end;      /* its free block numbers */
	uint32_t segment_blocks;
	/* Thunks, addresses in rx. */
	const uint8_t *enter, *slow, *read, *svc, *eret, *leave[4], *leave_at, *link, *dead;
	struct jit_block *blocks;
	uint32_t *hash, *pages;
	struct jit_heat *heat;
	struct insn *decoded;           /* for jit_slow(), by word */
	FILE *perf;                     /* perf map, or NULL */
};

/* 0 or -errno. */
int jit_cache_create(struct jit_cache *t, const struct jit_config *cfg);
void jit_cache_destroy(struct jit_cache *t);

/* The live block of these, or NULL. */
struct jit_block *jit_find(struct jit_cache *t, uint64_t pa, uint32_t key);

/* Has the instruction at @pa been asked about before, since its page was invalidated? From now on it has. */
bool jit_is_warm(struct jit_cache *t, uint64_t pa);

/* Sees to room for the largest block. Only while the vCPU is outside generated code. */
void jit_make_room(struct cpu *c, struct jit_cache *t);

/* Block number t->block, whose code began at t->hot and t->cold and ends at @hot and @cold, can be found from now on. */
struct jit_block *jit_publish(struct jit_cache *t, const struct jit_block *b, uint8_t *hot, uint8_t *cold);

void jit_kill_page(struct jit_cache *t, uint64_t pa);
void jit_kill_all(struct jit_cache *t);

/* ---- Thunks (thunks.c) ---- */

/* Why generated code was left; pc is set. */
enum jit_left {
	LEFT_JUMP,      /* ask the dispatcher */
	LEFT_EXIT,      /* exec_ returned EXEC_LEAVE */
	LEFT_LINK,      /* a jump has no target yet: jit_link */
	LEFT_DEAD,      /* the block at pc was invalidated, the jump cache still has it */
};

/* enum jit_left (*)(struct cpu *, const void *code) is t->enter. */
typedef unsigned jit_enter_fn(struct cpu *c, const void *code);

/* Writes them at the start of the cache; returns the end. */
uint8_t *jit_write_thunks(struct jit_cache *t);

/* Jumps to the address in rax if the jump cache has it, else to @miss. Uses rcx. */
void x86_jump_cache(struct x86 *a, const uint8_t *miss);

/* Called by the thunk for an instruction that exec_ does. @where: page offset 11:0, and SLOW_RAW_. Returns LEFT_, or: */
enum {
	SLOW_DONE = 4,  /* go on behind it */
	SLOW_JUMP,      /* pc is somewhere else, and nothing but the jump cache need be asked */
};
unsigned jit_slow(struct cpu *c, uint32_t word, uint32_t where);
enum { SLOW_RAW_SUB = 1 << 12, SLOW_RAW_ADD = 1 << 13 };

/* ---- Blocks (block.c) ---- */

/* Once, before the first translation. */
void jit_set_traits(struct jit *j);

/* Translates from @words at @pa; at most to the end of the page. */
struct jit_block *jit_translate(struct cpu *c, uint64_t pa, const uint32_t *words, uint32_t key);

/*
 * The same in two steps and not published, for a check: instructions into @j; code for the first j->n of them that leaves
 * for the dispatcher wherever it ends, in the free room: hot code from cache->hot to what is returned, cold code from
 * cache->cold to j->a.p.
 */
void jit_decode(struct jit *j, uint64_t pa, const uint32_t *words, uint32_t key);
uint8_t *jit_emit_alone(struct jit *j, const uint32_t *words);

/* ---- The check (check.c) ---- */

/* One in @every entries; NULL: no memory. */
struct check *check_create(unsigned every);
void check_destroy(struct check *k);

/*
 * The vCPU is about to execute translated code at pc. EXEC_NEXT: so it shall; whatever has been executed here was on
 * copies. EXEC_JUMP: ask the dispatcher, the code may be gone. EXEC_LEAVE: the engines differ, which has been said.
 */
enum exec check_entry(struct cpu *c);

/* Another jump to the block is looking for it. Have there been so many that they may become links, which no check sees? */
bool check_has_seen(struct jit_block *b);

#endif
