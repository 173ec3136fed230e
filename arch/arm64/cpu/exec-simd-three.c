/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm ARM, "Advanced SIMD three same", "three same extra", "three different" and
 * "vector x indexed element", integer, vector and scalar. See lanes.h.
 */
#include "lanes.h"

/* ---- Three same ---- */

/* Halving without a wider type: what is common to both, plus half of what differs. */
#define EL_HADD(T, d, a, b, qc)  (((a) >> 1) + ((b) >> 1) + ((a) & (b)&1))
#define EL_RHADD(T, d, a, b, qc) (((a) >> 1) + ((b) >> 1) + (((a) | (b)) & 1))
#define EL_HSUB(T, d, a, b, qc)  (((a) >> 1) - ((b) >> 1) - (~(a) & (b)&1))

LANES_SAME(exec_shadd_vec, s, EL_HADD)
LANES_SAME(exec_uhadd_vec, u, EL_HADD)
LANES_SAME(exec_srhadd_vec, s, EL_RHADD)
LANES_SAME(exec_urhadd_vec, u, EL_RHADD)
LANES_SAME(exec_shsub_vec, s, EL_HSUB)
LANES_SAME(exec_uhsub_vec, u, EL_HSUB)

static inline uint64_t sat_uqadd(uint64_t a, uint64_t b, int bits, bool *qc)
{
	uint64_t r;

	if (__builtin_add_overflow(a, b, &r)) {
		*qc = true;
		return UINT64_MAX;
	}
	return sat_unsigned(r, bits, qc);
}

static inline uint64_t sat_uqsub(uint64_t a, uint64_t b, bool *qc)
{
	if (a < b) {
		*qc = true;
		return 0;
	}
	return a - b;
}

#define EL_SQADD(T, d, a, b, qc) sat_sqadd(a, b, BITS_OF(T), qc)
#define EL_UQADD(T, d, a, b, qc) sat_uqadd(a, b, BITS_OF(T), qc)
#define EL_SQSUB(T, d, a, b, qc) sat_sqsub(a, b, BITS_OF(T), qc)
#define EL_UQSUB(T, d, a, b, qc) sat_uqsub(a, b, qc)

LANES_SAME_QC(exec_sqadd_vec, s, EL_SQADD)
LANES_SAME_QC(exec_uqadd_vec, u, EL_UQADD)
LANES_SAME_QC(exec_sqsub_vec, s, EL_SQSUB)
LANES_SAME_QC(exec_uqsub_vec, u, EL_UQSUB)

#define EL_CMGT(T, d, a, b, qc)  (-(T)((a) > (b)))
#define EL_CMGE(T, d, a, b, qc)  (-(T)((a) >= (b)))
#define EL_CMEQ(T, d, a, b, qc)  (-(T)((a) == (b)))
#define EL_CMTST(T, d, a, b, qc) (-(T)(((a) & (b)) != 0))

LANES_SAME(exec_cmgt_vec, s, EL_CMGT)
LANES_SAME(exec_cmhi_vec, u, EL_CMGT)
LANES_SAME(exec_cmge_vec, s, EL_CMGE)
LANES_SAME(exec_cmhs_vec, u, EL_CMGE)
LANES_SAME(exec_cmeq_vec, u, EL_CMEQ)
LANES_SAME(exec_cmtst_vec, u, EL_CMTST)

/* The count is the low byte of Rm's lane, signed. */
#define EL_SSHL(T, d, a, b, qc)   shift_signed(a, (int8_t)(b), false)
#define EL_USHL(T, d, a, b, qc)   shift_unsigned(a, (int8_t)(b), false)
#define EL_SRSHL(T, d, a, b, qc)  shift_signed(a, (int8_t)(b), true)
#define EL_URSHL(T, d, a, b, qc)  shift_unsigned(a, (int8_t)(b), true)
#define EL_SQSHL(T, d, a, b, qc)  sat_shift_signed(a, (int8_t)(b), false, BITS_OF(T), qc)
#define EL_UQSHL(T, d, a, b, qc)  sat_shift_unsigned(a, (int8_t)(b), false, BITS_OF(T), qc)
#define EL_SQRSHL(T, d, a, b, qc) sat_shift_signed(a, (int8_t)(b), true, BITS_OF(T), qc)
#define EL_UQRSHL(T, d, a, b, qc) sat_shift_unsigned(a, (int8_t)(b), true, BITS_OF(T), qc)

LANES_SAME(exec_sshl_vec, s, EL_SSHL)
LANES_SAME(exec_ushl_vec, u, EL_USHL)
LANES_SAME(exec_srshl_vec, s, EL_SRSHL)
LANES_SAME(exec_urshl_vec, u, EL_URSHL)
LANES_SAME_QC(exec_sqshl_vec, s, EL_SQSHL)
LANES_SAME_QC(exec_uqshl_vec, u, EL_UQSHL)
LANES_SAME_QC(exec_sqrshl_vec, s, EL_SQRSHL)
LANES_SAME_QC(exec_uqrshl_vec, u, EL_UQRSHL)

LANES_SAME(exec_smax_vec, s, EL_MAX)
LANES_SAME(exec_umax_vec, u, EL_MAX)
LANES_SAME(exec_smin_vec, s, EL_MIN)
LANES_SAME(exec_umin_vec, u, EL_MIN)
LANES_SAME(exec_sabd_vec, s, EL_ABD)
LANES_SAME(exec_uabd_vec, u, EL_ABD)
LANES_SAME(exec_saba_vec, s, EL_ABA)
LANES_SAME(exec_uaba_vec, u, EL_ABA)
LANES_SAME(exec_add_vec, u, EL_ADD)
LANES_SAME(exec_sub_vec, u, EL_SUB)
LANES_SAME(exec_mul_vec, u, EL_MUL)
LANES_SAME(exec_mla_vec, u, EL_MLA)
LANES_SAME(exec_mls_vec, u, EL_MLS)
LANES_SAME(exec_pmul_vec, u, EL_PMUL)
LANES_SAME_QC(exec_sqdmulh_vec, s, EL_SQDMULH)
LANES_SAME_QC(exec_sqrdmulh_vec, s, EL_SQRDMULH)
LANES_SAME_QC(exec_sqrdmlah_vec, s, EL_SQRDMLAH)
LANES_SAME_QC(exec_sqrdmlsh_vec, s, EL_SQRDMLSH)

LANES_PAIR(exec_addp_vec, u, EL_ADD)
LANES_PAIR(exec_smaxp_vec, s, EL_MAX)
LANES_PAIR(exec_umaxp_vec, u, EL_MAX)
LANES_PAIR(exec_sminp_vec, s, EL_MIN)
LANES_PAIR(exec_uminp_vec, u, EL_MIN)

/* Logical: lanes do not matter. */
#define LOGICAL(name, expr)                                                                        \
	enum exec name(struct cpu *c, const struct insn *i)                                        \
	{                                                                                          \
		const union vreg *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm), *d = cpu_v(c, i->rd); \
		union vreg r;                                                                      \
		(void)d;                                                                           \
		for (unsigned k = 0; k < 2; k++)                                                   \
			r.d[k] = (expr);                                                           \
		return lanes_done(c, i, r, false);                                                 \
	}

LOGICAL(exec_and_vec, n->d[k] & m->d[k])
LOGICAL(exec_bic_vec, n->d[k] & ~m->d[k])
LOGICAL(exec_orr_vec, n->d[k] | m->d[k])
LOGICAL(exec_orn_vec, n->d[k] | ~m->d[k])
LOGICAL(exec_eor_vec, n->d[k] ^ m->d[k])
LOGICAL(exec_bsl_vec, m->d[k] ^ ((m->d[k] ^ n->d[k]) & d->d[k]))
LOGICAL(exec_bit_vec, d->d[k] ^ ((d->d[k] ^ n->d[k]) & m->d[k]))
LOGICAL(exec_bif_vec, d->d[k] ^ ((d->d[k] ^ n->d[k]) & ~m->d[k]))

/* ---- Three same extra: dot products and matrix multiplication ---- */

/* Each 32-bit lane gains four byte products; Rm, or the group Rm.4B[index] for every lane. */
#define DOT(name, nb, mb, m_of)                                                                                      \
	enum exec name(struct cpu *c, const struct insn *i)                                                          \
	{                                                                                                            \
		const union vreg n = *cpu_v(c, i->rn), m = m_of(c, i);                                               \
		union vreg r = *cpu_v(c, i->rd);                                                                     \
		for (unsigned k = 0; k < 4; k++)                                                                     \
			r.s[k] += (uint32_t)(n.nb[4 * k] * m.mb[4 * k] + n.nb[4 * k + 1] * m.mb[4 * k + 1] +         \
					     n.nb[4 * k + 2] * m.mb[4 * k + 2] + n.nb[4 * k + 3] * m.mb[4 * k + 3]); \
		return lanes_done(c, i, r, false);                                                                   \
	}

DOT(exec_sdot_vec, sb, sb, lanes_m)
DOT(exec_udot_vec, b, b, lanes_m)
DOT(exec_usdot_vec, b, sb, lanes_m)
DOT(exec_sdot_elem, sb, sb, lanes_m_elem)
DOT(exec_udot_elem, b, b, lanes_m_elem)
DOT(exec_usdot_elem, b, sb, lanes_m_elem)
DOT(exec_sudot_elem, sb, b, lanes_m_elem)

/* Rd (2x2 of 32 bits) += Rn (2x8 bytes) times the transpose of Rm (2x8 bytes). */
#define MATRIX(name, nb, mb)                                                               \
	enum exec name(struct cpu *c, const struct insn *i)                                \
	{                                                                                  \
		const union vreg n = *cpu_v(c, i->rn), m = *cpu_v(c, i->rm);               \
		union vreg r = *cpu_v(c, i->rd);                                           \
		for (unsigned k = 0; k < 32; k++)                                          \
			r.s[k / 8] += (uint32_t)(n.nb[k / 16 * 8 + k % 8] * m.mb[k % 16]); \
		return lanes_done(c, i, r, false);                                         \
	}

MATRIX(exec_smmla_vec, sb, sb)
MATRIX(exec_ummla_vec, b, b)
MATRIX(exec_usmmla_vec, b, sb)

/* ---- Three different ---- */

LANES_LONG(exec_saddl_vec, s, EL_ADD)
LANES_LONG(exec_uaddl_vec, u, EL_ADD)
LANES_LONG(exec_ssubl_vec, s, EL_SUB)
LANES_LONG(exec_usubl_vec, u, EL_SUB)
LANES_WIDE(exec_saddw_vec, s, EL_ADD)
LANES_WIDE(exec_uaddw_vec, u, EL_ADD)
LANES_WIDE(exec_ssubw_vec, s, EL_SUB)
LANES_WIDE(exec_usubw_vec, u, EL_SUB)
LANES_LONG(exec_sabal_vec, s, EL_ABA)
LANES_LONG(exec_uabal_vec, u, EL_ABA)
LANES_LONG(exec_sabdl_vec, s, EL_ABD)
LANES_LONG(exec_uabdl_vec, u, EL_ABD)
LANES_LONG(exec_smull_vec, s, EL_MUL)
LANES_LONG(exec_umull_vec, u, EL_MUL)
LANES_LONG(exec_smlal_vec, s, EL_MLA)
LANES_LONG(exec_umlal_vec, u, EL_MLA)
LANES_LONG(exec_smlsl_vec, s, EL_MLS)
LANES_LONG(exec_umlsl_vec, u, EL_MLS)
LANES_LONG(exec_sqdmull_vec, s, EL_SQDMULL)
LANES_LONG(exec_sqdmlal_vec, s, EL_SQDMLAL)
LANES_LONG(exec_sqdmlsl_vec, s, EL_SQDMLSL)
LANES_LONG(exec_pmull_vec, u, EL_PMUL)

/* T is the narrow type: the upper half of the wide sum, rounded or not. */
#define EL_ADDHN(T, d, a, b, qc)  ((WRAP(a) + WRAP(b)) >> BITS_OF(T))
#define EL_SUBHN(T, d, a, b, qc)  ((WRAP(a) - WRAP(b)) >> BITS_OF(T))
#define EL_RADDHN(T, d, a, b, qc) ((WRAP(a) + WRAP(b) + (UINT64_C(1) << (BITS_OF(T) - 1))) >> BITS_OF(T))
#define EL_RSUBHN(T, d, a, b, qc) ((WRAP(a) - WRAP(b) + (UINT64_C(1) << (BITS_OF(T) - 1))) >> BITS_OF(T))

LANES_NARROW(exec_addhn_vec, u, EL_ADDHN)
LANES_NARROW(exec_subhn_vec, u, EL_SUBHN)
LANES_NARROW(exec_raddhn_vec, u, EL_RADDHN)
LANES_NARROW(exec_rsubhn_vec, u, EL_RSUBHN)

/*
 * Carry-less 64 x 64 -> 128; GHASH lives on it. Ordinary multiplication does it when
 * only every fifth bit of a factor is kept: at most 13 ones meet in one place, so
 * the carries stay in the four bits between, and are masked off.
 */
static unsigned __int128 poly_mul64(uint64_t a, uint64_t b)
{
	const uint64_t fifth = 0x1084210842108421;
	const unsigned __int128 fifth128 = (unsigned __int128)(fifth << 1) << 64 | fifth;
	unsigned __int128 r = 0;

#pragma GCC unroll 5
	for (unsigned k = 0; k < 5; k++) {
		unsigned __int128 sum = 0;

#pragma GCC unroll 5
		for (unsigned j = 0; j < 5; j++)
			sum ^= (unsigned __int128)(a & fifth << j) * (b & fifth << (k + 5 - j) % 5);
		r |= sum & fifth128 << k;
	}
	return r;
}

enum exec exec_pmull_d(struct cpu *c, const struct insn *i)
{
	uint64_t n = cpu_v(c, i->rn)->d[i->ra & 1], m = cpu_v(c, i->rm)->d[i->ra & 1];

	cpu_set_v(c, i->rd, (union vreg){ .q = poly_mul64(n, m) });
	return EXEC_NEXT;
}

/* ---- By element ---- */

LANES_ELEM(exec_mul_elem, u, EL_MUL)
LANES_ELEM(exec_mla_elem, u, EL_MLA)
LANES_ELEM(exec_mls_elem, u, EL_MLS)
LANES_ELEM_QC(exec_sqdmulh_elem, s, EL_SQDMULH)
LANES_ELEM_QC(exec_sqrdmulh_elem, s, EL_SQRDMULH)
LANES_ELEM_QC(exec_sqrdmlah_elem, s, EL_SQRDMLAH)
LANES_ELEM_QC(exec_sqrdmlsh_elem, s, EL_SQRDMLSH)
LANES_LONG_ELEM(exec_smull_elem, s, EL_MUL)
LANES_LONG_ELEM(exec_umull_elem, u, EL_MUL)
LANES_LONG_ELEM(exec_smlal_elem, s, EL_MLA)
LANES_LONG_ELEM(exec_umlal_elem, u, EL_MLA)
LANES_LONG_ELEM(exec_smlsl_elem, s, EL_MLS)
LANES_LONG_ELEM(exec_umlsl_elem, u, EL_MLS)
LANES_LONG_ELEM(exec_sqdmull_elem, s, EL_SQDMULL)
LANES_LONG_ELEM(exec_sqdmlal_elem, s, EL_SQDMLAL)
LANES_LONG_ELEM(exec_sqdmlsl_elem, s, EL_SQDMLSL)
