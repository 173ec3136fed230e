/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses as types: a guest physical address is a struct, so handing one to a
 * function that wants a guest virtual one does not compile. hva is simply a
 * host pointer.
 */
#ifndef VMM_TYPES_H
#define VMM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { uint64_t v; } gpa_t;   /* guest physical (IPA of the Arm ARM) */
typedef struct { uint64_t v; } gva_t;   /* guest virtual */

static inline gpa_t gpa(uint64_t v) { return (gpa_t){ v }; }
static inline gva_t gva(uint64_t v) { return (gva_t){ v }; }

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

#define NSEC_PER_SEC UINT64_C(1000000000)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* @a must be a power of two. */
static inline uint64_t align_up(uint64_t v, uint64_t a) { return (v + a - 1) & ~(a - 1); }
static inline uint64_t align_down(uint64_t v, uint64_t a) { return v & ~(a - 1); }

/* Bits [hi:lo] of @v, as the Arm ARM writes v<hi:lo>. */
static inline uint64_t bits(uint64_t v, unsigned hi, unsigned lo)
{
	return (v >> lo) & (~UINT64_C(0) >> (63 - (hi - lo)));
}

static inline uint64_t bit(uint64_t v, unsigned n) { return (v >> n) & 1; }

/* Is bit @n of a set in words there? */
static inline bool bit_of(const uint64_t *words, unsigned n) { return bit(words[n / 64], n % 64); }

/* The low @n bits of @v (1..64) as a signed number. */
static inline int64_t sext(uint64_t v, unsigned n)
{
	return (int64_t)(v << (64 - n)) >> (64 - n);
}

#endif
