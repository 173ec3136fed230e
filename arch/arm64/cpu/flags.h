/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Additions and subtractions that set NZCV (Arm ARM, AddWithCarry), for the exec files of data processing. */
#ifndef CPU_FLAGS_H
#define CPU_FLAGS_H

#include "cpu.h"

static inline uint64_t add_flags_x(struct cpu *c, uint64_t a, uint64_t b)
{
	uint64_t r = a + b;

	c->nzcv = make_nzcv(r >> 63, r == 0, r < a, ((a ^ r) & (b ^ r)) >> 63);
	return r;
}

static inline uint64_t sub_flags_x(struct cpu *c, uint64_t a, uint64_t b)
{
	uint64_t r = a - b;

	c->nzcv = make_nzcv(r >> 63, r == 0, a >= b, ((a ^ b) & (a ^ r)) >> 63);
	return r;
}

static inline uint32_t add_flags_w(struct cpu *c, uint32_t a, uint32_t b)
{
	uint32_t r = a + b;

	c->nzcv = make_nzcv(r >> 31, r == 0, r < a, ((a ^ r) & (b ^ r)) >> 31);
	return r;
}

static inline uint32_t sub_flags_w(struct cpu *c, uint32_t a, uint32_t b)
{
	uint32_t r = a - b;

	c->nzcv = make_nzcv(r >> 31, r == 0, a >= b, ((a ^ b) & (a ^ r)) >> 31);
	return r;
}

/* ANDS, BICS: C and V are cleared. */
static inline uint64_t logic_flags_x(struct cpu *c, uint64_t r)
{
	c->nzcv = make_nzcv(r >> 63, r == 0, 0, 0);
	return r;
}

static inline uint32_t logic_flags_w(struct cpu *c, uint32_t r)
{
	c->nzcv = make_nzcv(r >> 31, r == 0, 0, 0);
	return r;
}

#endif
