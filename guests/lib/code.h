/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For programs that write instructions: the few they need, and how written ones become executable ones. */
#ifndef GUEST_CODE_H
#define GUEST_CODE_H

#include "lib.h"

#define A64_NOP 0xd503201fu
#define A64_RET 0xd65f03c0u
enum { COND_EQ, COND_NE, COND_HS, COND_LO };

static inline u32 a64_movz(unsigned rd, u32 v) { return 0xd2800000 | v << 5 | rd; }
static inline u32 a64_mov(unsigned rd, unsigned rm) { return 0xaa0003e0 | rm << 16 | rd; }
static inline u32 a64_add(unsigned rd, unsigned rn, u32 v) { return 0x91000000 | v << 10 | rn << 5 | rd; }
static inline u32 a64_cmp(unsigned rn, u32 v) { return 0xf100001f | v << 10 | rn << 5; }
static inline u32 a64_cset(unsigned rd, unsigned cond) { return 0x9a9f07e0 | (cond ^ 1) << 12 | rd; }
/* X registers, @slot-th word of the base. */
static inline u32 a64_ldr(unsigned rt, unsigned rn, u32 slot) { return 0xf9400000 | slot << 10 | rn << 5 | rt; }
static inline u32 a64_str(unsigned rt, unsigned rn, u32 slot) { return 0xf9000000 | slot << 10 | rn << 5 | rt; }
/* Branches over @words instructions, their own included. */
static inline u32 a64_b(int words) { return 0x14000000 | ((u32)words & 0x3ffffff); }
static inline u32 a64_bl(int words) { return 0x94000000 | ((u32)words & 0x3ffffff); }
static inline u32 a64_bcond(unsigned cond, int words) { return 0x54000000 | ((u32)words & 0x7ffff) << 5 | cond; }
static inline u32 a64_cbz(unsigned rt, int words) { return 0xb4000000 | ((u32)words & 0x7ffff) << 5 | rt; }
static inline u32 a64_cbnz(unsigned rt, int words) { return 0xb5000000 | ((u32)words & 0x7ffff) << 5 | rt; }
static inline u32 a64_tbz(unsigned rt, unsigned bit, int words)
{
	return 0x36000000 | bit << 19 | ((u32)words & 0x3fff) << 5 | rt;
}
static inline u32 a64_br(unsigned rn) { return 0xd61f0000 | rn << 5; }
static inline u32 a64_ret(unsigned rn) { return 0xd65f0000 | rn << 5; }

/* The line of @va, for all CPUs; another one needs an ISB of its own. */
static inline void code_sync(u64 va)
{
	asm volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(va) : "memory");
}

static inline void code_put(u32 *at, u32 word)
{
	*(volatile u32 *)at = word;
	code_sync((u64)at);
}

static inline u64 code_call(const void *fn, u64 x0) { return ((u64(*)(u64))fn)(x0); }

#endif
