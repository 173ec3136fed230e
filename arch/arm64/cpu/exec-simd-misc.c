/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm ARM, "Advanced SIMD two-register miscellaneous", "across lanes" and
 * "scalar pairwise", integer, vector and scalar. See lanes.h.
 */
#include "lanes.h"

#define EL_ABS(T, d, a, b, qc)   ((a) < 0 ? -WRAP(a) : WRAP(a))
#define EL_NEG(T, d, a, b, qc)   (-WRAP(a))
#define EL_CMGT0(T, d, a, b, qc) (-(T)((a) > 0))
#define EL_CMGE0(T, d, a, b, qc) (-(T)((a) >= 0))
#define EL_CMEQ0(T, d, a, b, qc) (-(T)((a) == 0))
#define EL_CMLE0(T, d, a, b, qc) (-(T)((a) <= 0))
#define EL_CMLT0(T, d, a, b, qc) (-(T)((a) < 0))

LANES_IMM(exec_abs_vec, s, EL_ABS)
LANES_IMM(exec_neg_vec, s, EL_NEG)
LANES_IMM(exec_cmgt0_vec, s, EL_CMGT0)
LANES_IMM(exec_cmge0_vec, s, EL_CMGE0)
LANES_IMM(exec_cmeq0_vec, s, EL_CMEQ0)
LANES_IMM(exec_cmle0_vec, s, EL_CMLE0)
LANES_IMM(exec_cmlt0_vec, s, EL_CMLT0)

/* Leading zeroes, and leading copies of the sign bit, of a lane widened to 64 bits. */
#define EL_CLZ(T, d, a, b, qc) ((a) ? __builtin_clzll(a) - (64 - BITS_OF(T)) : BITS_OF(T))
#define EL_CLS(T, d, a, b, qc) (__builtin_clrsbll(a) - (64 - BITS_OF(T)))

LANES_IMM(exec_clz_vec, u, EL_CLZ)
LANES_IMM(exec_cls_vec, s, EL_CLS)

#define EL_SQABS(T, d, a, b, qc) ((a) < 0 ? sat_sqsub(0, a, BITS_OF(T), qc) : (a))
#define EL_SQNEG(T, d, a, b, qc) sat_sqsub(0, a, BITS_OF(T), qc)

LANES_IMM_QC(exec_sqabs_vec, s, EL_SQABS)
LANES_IMM_QC(exec_sqneg_vec, s, EL_SQNEG)

/* d + a with d signed, a unsigned; and the other way round. The builtins think in infinite precision. */
static inline int64_t sat_suqadd(int64_t d, uint64_t a, int bits, bool *qc)
{
	int64_t r;

	if (__builtin_add_overflow(d, a, &r)) {
		*qc = true;
		return INT64_MAX;
	}
	return sat_signed(r, bits, qc);
}

static inline uint64_t sat_usqadd(uint64_t d, int64_t a, int bits, bool *qc)
{
	uint64_t r;

	if (__builtin_add_overflow(d, a, &r)) {
		*qc = true;
		return a < 0 ? 0 : UINT64_MAX;
	}
	return sat_unsigned(r, bits, qc);
}

#define EL_SUQADD(T, d, a, b, qc) sat_suqadd(d, (uint64_t)(a)&UINT64_MAX >> (64 - BITS_OF(T)), BITS_OF(T), qc)
#define EL_USQADD(T, d, a, b, qc) sat_usqadd(d, sext(a, BITS_OF(T)), BITS_OF(T), qc)

LANES_IMM_QC(exec_suqadd_vec, s, EL_SUQADD)
LANES_IMM_QC(exec_usqadd_vec, u, EL_USQADD)

enum exec exec_not_vec(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn);

	return lanes_done(c, i, (union vreg){ .d = { ~n->d[0], ~n->d[1] } }, false);
}

/* Swaps neighbouring groups of @width bits; @low has the lower group of each pair. */
static inline uint64_t swap_groups(uint64_t v, unsigned width, uint64_t low)
{
	return (v >> width & low) | (v & low) << width;
}

/* In each byte the number of ones of that byte. */
static inline uint64_t count_ones(uint64_t v)
{
	v -= v >> 1 & 0x5555555555555555;
	v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
	return (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0f;
}

static inline uint64_t reverse_bits_in_bytes(uint64_t v)
{
	v = swap_groups(v, 1, 0x5555555555555555);
	v = swap_groups(v, 2, 0x3333333333333333);
	return swap_groups(v, 4, 0x0f0f0f0f0f0f0f0f);
}

/* @swaps: bit k set means that neighbours of 1 << k bytes change places. */
static inline uint64_t reverse_lanes(uint64_t v, unsigned swaps)
{
	if (swaps == 7)
		return __builtin_bswap64(v);
	if (swaps & 1)
		v = swap_groups(v, 8, 0x00ff00ff00ff00ff);
	if (swaps & 2)
		v = swap_groups(v, 16, 0x0000ffff0000ffff);
	if (swaps & 4)
		v = swap_groups(v, 32, 0x00000000ffffffff);
	return v;
}

enum exec exec_cnt_vec(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn);

	return lanes_done(c, i, (union vreg){ .d = { count_ones(n->d[0]), count_ones(n->d[1]) } }, false);
}

enum exec exec_rbit_vec(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn);
	union vreg r = { .d = { reverse_bits_in_bytes(n->d[0]), reverse_bits_in_bytes(n->d[1]) } };

	return lanes_done(c, i, r, false);
}

/* REV16, REV32, REV64: containers of 2 to 8 bytes, lanes of half that or less. imm: reverse_lanes() swaps. */
enum exec exec_rev_vec(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn);
	unsigned swaps = (unsigned)i->imm;
	union vreg r = { .d = { reverse_lanes(n->d[0], swaps), reverse_lanes(n->d[1], swaps) } };

	return lanes_done(c, i, r, false);
}

/* ---- Pairs to long, narrow, long ---- */

#define EL_ADD_PAIR_ACC(T, d, a, b, qc) (WRAP(d) + WRAP(a) + WRAP(b))

LANES_PAIR_LONG(exec_saddlp_vec, s, EL_ADD)
LANES_PAIR_LONG(exec_uaddlp_vec, u, EL_ADD)
LANES_PAIR_LONG(exec_sadalp_vec, s, EL_ADD_PAIR_ACC)
LANES_PAIR_LONG(exec_uadalp_vec, u, EL_ADD_PAIR_ACC)

#define EL_XTN(T, d, a, b, qc)    (a)
#define EL_SQXTN(T, d, a, b, qc)  sat_signed(a, BITS_OF(T), qc)
#define EL_UQXTN(T, d, a, b, qc)  sat_unsigned(a, BITS_OF(T), qc)
#define EL_SQXTUN(T, d, a, b, qc) sat_signed_to_unsigned(a, BITS_OF(T), qc)

LANES_NARROW_IMM(exec_xtn_vec, u, EL_XTN)
LANES_NARROW_IMM(exec_sqxtn_vec, s, EL_SQXTN)
LANES_NARROW_IMM(exec_uqxtn_vec, u, EL_UQXTN)
LANES_NARROW_IMM(exec_sqxtun_vec, s, EL_SQXTUN)

/* T is the wide type. */
#define EL_SHLL(T, d, a, b, qc) (WRAP(a) << BITS_OF(T) / 2)

LANES_LONG_IMM(exec_shll_vec, u, EL_SHLL)

/* ---- Across lanes ---- */

LANES_ACROSS(exec_addv, u, EL_ADD, 0u)
LANES_ACROSS(exec_smaxv, s, EL_MAX, 0u)
LANES_ACROSS(exec_umaxv, u, EL_MAX, 0u)
LANES_ACROSS(exec_sminv, s, EL_MIN, 0u)
LANES_ACROSS(exec_uminv, u, EL_MIN, 0u)
LANES_ACROSS(exec_saddlv, s, EL_ADD, 1u)
LANES_ACROSS(exec_uaddlv, u, EL_ADD, 1u)

/* ---- Scalar pairwise ---- */

enum exec exec_addp_sca(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn);

	cpu_set_v(c, i->rd, (union vreg){ .d = { n->d[0] + n->d[1], 0 } });
	return EXEC_NEXT;
}
