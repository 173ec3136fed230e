/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advanced SIMD floating point: what is not in exec-fp.c because no scalar
 * instruction does it, and the modified immediates.
 *
 * A result is computed as a whole before Vd is written: Vd may be a source.
 */
#include "exec-fp.h"

/* Vd as a third operand. */
#define D_LANE lane_get(cpu_v(c, i->rd), f, k)

/* ---- Three operands ---- */

LANES2(exec_fmla, fp_muladd(&e, f, D_LANE, x, y))
LANES2(exec_fmls, fp_muladd(&e, f, D_LANE, fp_neg(f, x), y))
LANES2(exec_fmulx, fp_mulx(&e, f, x, y))
LANES2(exec_fabd, fp_abs(f, fp_sub(&e, f, x, y)))
LANES2(exec_frecps, fp_recip_step(&e, f, x, y))
LANES2(exec_frsqrts, fp_rsqrt_step(&e, f, x, y))
LANES2(exec_fcmeq, fp_cmeq(&e, f, x, y))
LANES2(exec_fcmge, fp_cmge(&e, f, x, y))
LANES2(exec_fcmgt, fp_cmgt(&e, f, x, y))
LANES2(exec_facge, fp_acge(&e, f, x, y))
LANES2(exec_facgt, fp_acgt(&e, f, x, y))

/* By element: the second operand is the same for all lanes. */
#define ELEMENT lane_get(cpu_v(c, i->rm), f, (unsigned)i->imm)

LANES1(exec_fmla_elem, fp_muladd(&e, f, D_LANE, x, ELEMENT))
LANES1(exec_fmls_elem, fp_muladd(&e, f, D_LANE, fp_neg(f, x), ELEMENT))
LANES1(exec_fmul_elem, fp_mul(&e, f, x, ELEMENT))
LANES1(exec_fmulx_elem, fp_mulx(&e, f, x, ELEMENT))

/* ---- One operand ---- */

LANES1(exec_fcmeq_zero, fp_cmeq(&e, f, x, 0))
LANES1(exec_fcmge_zero, fp_cmge(&e, f, x, 0))
LANES1(exec_fcmgt_zero, fp_cmgt(&e, f, x, 0))
LANES1(exec_fcmle_zero, fp_cmge(&e, f, 0, x))
LANES1(exec_fcmlt_zero, fp_cmgt(&e, f, 0, x))

LANES1(exec_frecpe, fp_recip_estimate(&e, f, x))
LANES1(exec_frsqrte, fp_rsqrt_estimate(&e, f, x))
LANES1(exec_frecpx, fp_recip_exponent(&e, f, x))
LANES1(exec_urecpe, fp_recip_estimate_u32((uint32_t)x))
LANES1(exec_ursqrte, fp_rsqrt_estimate_u32((uint32_t)x))

/* imm is the number of fraction bits, 0 for integers. */
#define TO_FIXED(rm, is_signed) fp_to_fixed(&e, f, x, (unsigned)i->imm, rm, is_signed, fp_bits(f))

LANES1(exec_fcvtns, TO_FIXED(FP_RN, true))
LANES1(exec_fcvtnu, TO_FIXED(FP_RN, false))
LANES1(exec_fcvtps, TO_FIXED(FP_RP, true))
LANES1(exec_fcvtpu, TO_FIXED(FP_RP, false))
LANES1(exec_fcvtms, TO_FIXED(FP_RM, true))
LANES1(exec_fcvtmu, TO_FIXED(FP_RM, false))
LANES1(exec_fcvtzs, TO_FIXED(FP_RZ, true))
LANES1(exec_fcvtzu, TO_FIXED(FP_RZ, false))
LANES1(exec_fcvtas, TO_FIXED(FP_RA, true))
LANES1(exec_fcvtau, TO_FIXED(FP_RA, false))
LANES1(exec_scvtf, fp_from_fixed(&e, f, (uint64_t)sext(x, fp_bits(f)), (unsigned)i->imm, true))
LANES1(exec_ucvtf, fp_from_fixed(&e, f, x, (unsigned)i->imm, false))

/* ---- Narrower and wider ---- */

/* @lanes of format i->a to @to; Q (i->b) writes the upper half and keeps the lower one. */
static enum exec narrow(struct cpu *c, const struct insn *i, enum fp_format to, unsigned lanes, enum fp_round rm)
{
	const union vreg *n = cpu_v(c, i->rn);
	struct fp_env e = fp_begin(c);
	union vreg r = { .d = { i->b ? cpu_v(c, i->rd)->d[0] : 0 } };

	for (unsigned k = 0; k < lanes; k++)
		lane_set(&r, to, k + (i->b ? lanes : 0), fp_convert(&e, i->a, to, lane_get(n, i->a, k), rm));
	return fp_end(c, i, &e, r);
}

enum exec exec_fcvtn(struct cpu *c, const struct insn *i)
{
	return narrow(c, i, i->a - 1, 16u >> i->a, FPCR_RMODE(c->fpcr));
}

enum exec exec_bfcvtn(struct cpu *c, const struct insn *i) { return narrow(c, i, FP_B, 4, FPCR_RMODE(c->fpcr)); }

enum exec exec_fcvtxn(struct cpu *c, const struct insn *i) { return narrow(c, i, FP_S, 2, FP_ODD); }
enum exec exec_fcvtxn_scalar(struct cpu *c, const struct insn *i) { return narrow(c, i, FP_S, 1, FP_ODD); }

enum exec exec_fcvtl(struct cpu *c, const struct insn *i)
{
	const unsigned lanes = 16u >> i->a;
	const union vreg *n = cpu_v(c, i->rn);
	struct fp_env e = fp_begin(c);
	union vreg r = { .q = 0 };

	for (unsigned k = 0; k < lanes; k++) {
		uint64_t x = lane_get(n, i->a - 1u, k + (i->b ? lanes : 0));

		lane_set(&r, i->a, k, fp_convert(&e, i->a - 1, i->a, x, RMODE));
	}
	return fp_end(c, i, &e, r);
}

/* ---- Pairs and whole vectors ---- */

/* Neighbours of Vm:Vn; a scalar has its pair in Vn. */
static enum exec pairwise(struct cpu *c, const struct insn *i, fp_op2 *op)
{
	union vreg n = *cpu_v(c, i->rn), m = *cpu_v(c, i->rm), r = { .q = 0 };
	struct fp_env e = fp_begin(c);

	for (unsigned k = 0; k < i->b; k++) {
		const union vreg *v = i->b == 1 || k < i->b / 2u ? &n : &m;
		unsigned at = i->b == 1 ? 0 : 2 * k % i->b;

		lane_set(&r, i->a, k, op(&e, i->a, lane_get(v, i->a, at), lane_get(v, i->a, at + 1)));
	}
	return fp_end(c, i, &e, r);
}

enum exec exec_faddp(struct cpu *c, const struct insn *i) { return pairwise(c, i, fp_add); }
enum exec exec_fmaxp(struct cpu *c, const struct insn *i) { return pairwise(c, i, fp_max); }
enum exec exec_fminp(struct cpu *c, const struct insn *i) { return pairwise(c, i, fp_min); }
enum exec exec_fmaxnmp(struct cpu *c, const struct insn *i) { return pairwise(c, i, fp_maxnm); }
enum exec exec_fminnmp(struct cpu *c, const struct insn *i) { return pairwise(c, i, fp_minnm); }

/* Arm ARM, Reduce: halves against halves, which decides the NaN that survives. */
static enum exec reduce(struct cpu *c, const struct insn *i, fp_op2 *op)
{
	struct fp_env e = fp_begin(c);
	union vreg v = *cpu_v(c, i->rn), r = { .q = 0 };

	for (unsigned lanes = i->b; lanes > 1; lanes /= 2)
		for (unsigned k = 0; k < lanes / 2; k++)
			lane_set(&v, i->a, k, op(&e, i->a, lane_get(&v, i->a, 2 * k), lane_get(&v, i->a, 2 * k + 1)));
	lane_set(&r, i->a, 0, lane_get(&v, i->a, 0));
	return fp_end(c, i, &e, r);
}

enum exec exec_fmaxv(struct cpu *c, const struct insn *i) { return reduce(c, i, fp_max); }
enum exec exec_fminv(struct cpu *c, const struct insn *i) { return reduce(c, i, fp_min); }
enum exec exec_fmaxnmv(struct cpu *c, const struct insn *i) { return reduce(c, i, fp_maxnm); }
enum exec exec_fminnmv(struct cpu *c, const struct insn *i) { return reduce(c, i, fp_minnm); }

/* ---- Half to single (FEAT_FHM) ---- */

/* @upper: FMLAL2, the upper half of the operands. @element: of Vm, or -1 for the one beside Vn's. */
static enum exec fmlal(struct cpu *c, const struct insn *i, bool upper, int element, uint64_t negate)
{
	const union vreg *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm), *d = cpu_v(c, i->rd);
	struct fp_env e = fp_begin(c);
	union vreg r = { .q = 0 };

	for (unsigned k = 0; k < i->b; k++) {
		unsigned at = k + (upper ? i->b : 0);

		r.s[k] = (uint32_t)fp_muladd_h(&e, d->s[k], n->h[at] ^ negate,
					       m->h[element < 0 ? at : (unsigned)element]);
	}
	return fp_end(c, i, &e, r);
}

enum exec exec_fmlal(struct cpu *c, const struct insn *i) { return fmlal(c, i, i->imm, -1, 0); }
enum exec exec_fmlsl(struct cpu *c, const struct insn *i) { return fmlal(c, i, i->imm, -1, 0x8000); }
enum exec exec_fmlal_elem(struct cpu *c, const struct insn *i) { return fmlal(c, i, false, (int)i->imm, 0); }
enum exec exec_fmlsl_elem(struct cpu *c, const struct insn *i) { return fmlal(c, i, false, (int)i->imm, 0x8000); }
enum exec exec_fmlal2_elem(struct cpu *c, const struct insn *i) { return fmlal(c, i, true, (int)i->imm, 0); }
enum exec exec_fmlsl2_elem(struct cpu *c, const struct insn *i) { return fmlal(c, i, true, (int)i->imm, 0x8000); }

/* ---- Complex numbers (FEAT_FCMA): real parts in even lanes, imaginary parts in odd ones ---- */

/* Vn plus Vm turned by one or three quarters. */
enum exec exec_fcadd(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm);
	const enum fp_format f = i->a;
	struct fp_env e = fp_begin(c);
	union vreg r = { .q = 0 };

	for (unsigned k = 0; k < i->b; k += 2) {
		uint64_t re = lane_get(m, f, k + 1), im = lane_get(m, f, k);

		if (i->imm == 1)
			re = fp_neg(f, re);
		else
			im = fp_neg(f, im);
		lane_set(&r, f, k, fp_add(&e, f, lane_get(n, f, k), re));
		lane_set(&r, f, k + 1, fp_add(&e, f, lane_get(n, f, k + 1), im));
	}
	return fp_end(c, i, &e, r);
}

/*
 * Half a complex product, turned by @rot quarters: the real or the imaginary
 * part of Vn times both parts of Vm. @pair is the complex element of Vm, or -1
 * for the one beside Vn's.
 */
static enum exec fcmla(struct cpu *c, const struct insn *i, unsigned rot, int pair)
{
	const union vreg *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm), *d = cpu_v(c, i->rd);
	const enum fp_format f = i->a;
	struct fp_env e = fp_begin(c);
	union vreg r = { .q = 0 };

	for (unsigned k = 0; k < i->b; k += 2) {
		unsigned at = pair < 0 ? k : 2u * (unsigned)pair;
		uint64_t x = lane_get(n, f, k + (rot & 1));
		uint64_t re = lane_get(m, f, at + (rot & 1)), im = lane_get(m, f, at + !(rot & 1));

		if (rot == 1 || rot == 2)
			re = fp_neg(f, re);
		if (rot >= 2)
			im = fp_neg(f, im);
		lane_set(&r, f, k, fp_muladd(&e, f, lane_get(d, f, k), x, re));
		lane_set(&r, f, k + 1, fp_muladd(&e, f, lane_get(d, f, k + 1), x, im));
	}
	return fp_end(c, i, &e, r);
}

enum exec exec_fcmla(struct cpu *c, const struct insn *i) { return fcmla(c, i, (unsigned)i->imm, -1); }

enum exec exec_fcmla_elem(struct cpu *c, const struct insn *i) { return fcmla(c, i, i->imm & 3, (int)(i->imm >> 2)); }

/* ---- BFloat16 ---- */

/* @element: of Vm, or -1 for the one beside Vn's. */
static enum exec bfdot(struct cpu *c, const struct insn *i, int element)
{
	const union vreg *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm), *d = cpu_v(c, i->rd);
	union vreg r = { .q = 0 };

	for (unsigned k = 0; k < i->b; k++)
		r.s[k] = fp_bfdot(d->s[k], n->s[k], m->s[element < 0 ? k : (unsigned)element]);
	cpu_set_v(c, i->rd, r);
	return EXEC_NEXT;
}

enum exec exec_bfdot(struct cpu *c, const struct insn *i) { return bfdot(c, i, -1); }
enum exec exec_bfdot_elem(struct cpu *c, const struct insn *i) { return bfdot(c, i, (int)i->imm); }

/* 2x4 times 4x2 (Vm holds the second matrix by columns), added to 2x2. */
enum exec exec_bfmmla(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm), *d = cpu_v(c, i->rd);
	union vreg r;

	for (unsigned row = 0; row < 2; row++)
		for (unsigned col = 0; col < 2; col++) {
			uint32_t sum = d->s[2 * row + col];

			sum = fp_bfdot(sum, n->s[2 * row], m->s[2 * col]);
			r.s[2 * row + col] = fp_bfdot(sum, n->s[2 * row + 1], m->s[2 * col + 1]);
		}
	cpu_set_v(c, i->rd, r);
	return EXEC_NEXT;
}

/* The bottom or top of each pair, as singles. @element: of Vm, or -1 for the one beside Vn's. */
static enum exec bfmlal(struct cpu *c, const struct insn *i, unsigned top, int element)
{
	const union vreg *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm), *d = cpu_v(c, i->rd);
	struct fp_env e = fp_begin(c);
	union vreg r;

	for (unsigned k = 0; k < 4; k++) {
		uint32_t x = n->h[2 * k + top], y = m->h[element < 0 ? 2 * k + top : (unsigned)element];

		r.s[k] = (uint32_t)fp_muladd(&e, FP_S, d->s[k], x << 16, y << 16);
	}
	return fp_end(c, i, &e, r);
}

enum exec exec_bfmlalb(struct cpu *c, const struct insn *i) { return bfmlal(c, i, 0, -1); }
enum exec exec_bfmlalt(struct cpu *c, const struct insn *i) { return bfmlal(c, i, 1, -1); }
enum exec exec_bfmlalb_elem(struct cpu *c, const struct insn *i) { return bfmlal(c, i, 0, (int)i->imm); }
enum exec exec_bfmlalt_elem(struct cpu *c, const struct insn *i) { return bfmlal(c, i, 1, (int)i->imm); }

/* ---- Modified immediate ---- */

static void set_by_q(struct cpu *c, const struct insn *i, uint64_t low, uint64_t high)
{
	cpu_set_v(c, i->rd, (union vreg){ .d = { low, i->b ? high : 0 } });
}

enum exec exec_movi(struct cpu *c, const struct insn *i)
{
	set_by_q(c, i, (uint64_t)i->imm, (uint64_t)i->imm);
	return EXEC_NEXT;
}

enum exec exec_orr_modimm(struct cpu *c, const struct insn *i)
{
	const union vreg *d = cpu_v(c, i->rd);

	set_by_q(c, i, d->d[0] | (uint64_t)i->imm, d->d[1] | (uint64_t)i->imm);
	return EXEC_NEXT;
}

/* imm is already inverted. */
enum exec exec_bic_modimm(struct cpu *c, const struct insn *i)
{
	const union vreg *d = cpu_v(c, i->rd);

	set_by_q(c, i, d->d[0] & (uint64_t)i->imm, d->d[1] & (uint64_t)i->imm);
	return EXEC_NEXT;
}
