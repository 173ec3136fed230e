/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random words of a row and random operands for them, the same for the same seed. */
#ifndef A64_DRAW_H
#define A64_DRAW_H

#include <stdint.h>

#include "case.h"

/* xorshift64*; not 0. */
struct rng {
	uint64_t s;
};

uint64_t rnd(struct rng *r);
unsigned below(struct rng *r, unsigned n);      /* 0..n-1 */

uint64_t any_int(struct rng *r);

/*
 * A floating point number of @width bits with @fbits of fraction: special or a
 * few steps beside one, of everyday size (so that sums round and cancel), a
 * half-way case of rounding to an integer, at the root of the exponent range (so that
 * products overflow or underflow), or anything.
 */
uint64_t any_fp(struct rng *r, unsigned width, unsigned fbits);

/* 64 bits of a vector: whole, or lanes that mean something in one of the sizes. */
uint64_t any_lanes(struct rng *r);

struct field {
	char name[12];
	unsigned lo, width;
};

struct row_fields {
	struct field field[16];
	unsigned count;
};

/* The fields in column bits of a row. */
void fields_of(const char *bits, struct row_fields *r);

/* Random bits in them, with corners (all zero, all one, one bit, equal registers) more often than chance gives. */
uint32_t any_word(struct rng *r, unsigned row, const struct row_fields *fields);

/*
 * A word that @w means more with before it, or 0: a store-exclusive wants the load of its
 * size and address; without it, it must fail.
 */
uint32_t word_before(uint32_t w);

#define FPSR_MASK UINT32_C(0x0800009f) /* QC and the cumulative exception bits */

/* Registers; no pc. */
void any_state(struct rng *r, struct a64_state *s);

#endif
