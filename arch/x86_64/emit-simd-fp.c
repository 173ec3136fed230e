/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Advanced SIMD floating point that no scalar instruction does: see exec-simd-fp.c.
 * Halves are left to exec_ where they would be rounded twice or put together anew.
 */
#include "emit-fp.h"

static bool host(const struct jit *j, const struct insn *i) { return fp_host(j, i) && i->a != FP_H; }

/* ---- Three operands ---- */

/* Vm's element imm in all lanes of @dst. */
static struct x86_rm element(struct jit *j, const struct insn *i, int dst)
{
	unsigned pattern = i->a == FP_S ? 0x55 * (unsigned)i->imm : i->imm ? 0xee : 0x44;

	x86_vex2_imm(&j->a, V_PERMILPS, dst, vec_rm(i->rm), pattern);
	return x86_r(dst);
}

static bool multiply_add(struct jit *j, const struct insn *i, unsigned op, bool by_element)
{
	int n, d;

	if (!host(j, i))
		return false;
	flags_clobber(j);
	d = fp_use(j, i, i->rd, XMM0);
	if (d != XMM0)
		x86_vmovdqa(&j->a, XMM0, x86_r(d));
	n = fp_use(j, i, i->rn, XMM1);
	fp_fma(j, i, op, XMM0, n, by_element ? element(j, i, XMM2) : fp_rm(j, i, i->rm, XMM2));
	fp_end_checked(j, i);
	return true;
}

bool emit_fmla(struct jit *j, const struct insn *i) { return multiply_add(j, i, FMA_ADD, false); }
bool emit_fmls(struct jit *j, const struct insn *i) { return multiply_add(j, i, FMA_NEG_ADD, false); }
bool emit_fmla_elem(struct jit *j, const struct insn *i) { return multiply_add(j, i, FMA_ADD, true); }
bool emit_fmls_elem(struct jit *j, const struct insn *i) { return multiply_add(j, i, FMA_NEG_ADD, true); }

bool emit_fmul_elem(struct jit *j, const struct insn *i)
{
	int n;

	if (!host(j, i))
		return false;
	flags_clobber(j);
	n = fp_use(j, i, i->rn, XMM0);
	fp_v(j, i, FP_MUL, XMM0, n, element(j, i, XMM1));
	fp_end_checked(j, i);
	return true;
}

bool emit_fabd(struct jit *j, const struct insn *i)
{
	int n;

	if (!host(j, i))
		return false;
	flags_clobber(j);
	n = fp_use(j, i, i->rn, XMM0);
	fp_v(j, i, FP_SUB, XMM0, n, fp_rm(j, i, i->rm, XMM1));
	vec_not_signs(j, 8u << i->a, XMM1);
	x86_vex(&j->a, V_AND, XMM0, XMM0, x86_r(XMM1));
	fp_end_checked(j, i);
	return true;
}

/*
 * The steps count infinity times zero as zero and halve before they round. Numbers
 * whose product is far from overflow do not show it; all others go to exec_.
 */
static void check_small(struct jit *j, const struct insn *i, int n, int tmp, int limit)
{
	vec_not_signs(j, 8u << i->a, tmp);
	x86_vex(&j->a, V_AND, tmp, tmp, x86_r(n));
	fp_cmp(j, i, CMP_NLT, tmp, tmp, x86_r(limit));
	if (fp_is_scalar(i)) {
		x86_vmovd_store(&j->a, x86_r(RCX), tmp);
		x86_test(&j->a, false, x86_r(RCX), RCX);
	} else {
		x86_vex2(&j->a, V_PTEST, tmp, x86_r(tmp));
	}
	slow_if(j, CC_NE);
}

static bool newton_step(struct jit *j, const struct insn *i, double start, bool halve)
{
	double limit = i->a == FP_D ? 0x1p511 : 0x1p63;
	int n, m;

	if (!host(j, i))
		return false;
	flags_clobber(j);
	for (unsigned k = 0; k < 2; k++) {
		fp_splat(j, i, XMM2, limit);
		check_small(j, i, fp_use(j, i, k ? i->rm : i->rn, XMM0), XMM1, XMM2);
	}
	fp_splat(j, i, XMM0, start);
	n = fp_use(j, i, i->rn, XMM1);
	m = fp_use(j, i, i->rm, XMM2);
	fp_fma(j, i, FMA_NEG_ADD, XMM0, n, x86_r(m));
	if (halve) {
		fp_splat(j, i, XMM1, 0.5);
		fp_v(j, i, FP_MUL, XMM0, XMM0, x86_r(XMM1));
	}
	fp_end(j, i);
	return true;
}

bool emit_frecps(struct jit *j, const struct insn *i) { return newton_step(j, i, 2, false); }
bool emit_frsqrts(struct jit *j, const struct insn *i) { return newton_step(j, i, 3, true); }

/* ---- Comparison to a mask ---- */

static bool compare(struct jit *j, const struct insn *i, unsigned predicate, bool zero)
{
	int n;

	if (!host(j, i))
		return false;
	n = fp_use(j, i, i->rn, XMM0);
	if (zero)
		x86_vex(&j->a, V_XOR, XMM1, XMM1, x86_r(XMM1));
	fp_cmp(j, i, predicate, XMM0, n, zero ? x86_r(XMM1) : fp_rm(j, i, i->rm, XMM1));
	fp_end(j, i);
	return true;
}

bool emit_fcmeq(struct jit *j, const struct insn *i) { return compare(j, i, CMP_EQ, false); }
bool emit_fcmge(struct jit *j, const struct insn *i) { return compare(j, i, CMP_GE_S, false); }
bool emit_fcmgt(struct jit *j, const struct insn *i) { return compare(j, i, CMP_GT_S, false); }
bool emit_fcmeq_zero(struct jit *j, const struct insn *i) { return compare(j, i, CMP_EQ, true); }
bool emit_fcmge_zero(struct jit *j, const struct insn *i) { return compare(j, i, CMP_GE_S, true); }
bool emit_fcmgt_zero(struct jit *j, const struct insn *i) { return compare(j, i, CMP_GT_S, true); }
bool emit_fcmle_zero(struct jit *j, const struct insn *i) { return compare(j, i, CMP_LE_S, true); }
bool emit_fcmlt_zero(struct jit *j, const struct insn *i) { return compare(j, i, CMP_LT_S, true); }

static bool compare_magnitudes(struct jit *j, const struct insn *i, unsigned predicate)
{
	int n, m;

	if (!host(j, i))
		return false;
	vec_not_signs(j, 8u << i->a, XMM2);
	n = fp_use(j, i, i->rn, XMM0);
	m = fp_use(j, i, i->rm, XMM1);
	x86_vex(&j->a, V_AND, XMM0, XMM2, x86_r(n));
	x86_vex(&j->a, V_AND, XMM1, XMM2, x86_r(m));
	fp_cmp(j, i, predicate, XMM0, XMM0, x86_r(XMM1));
	fp_end(j, i);
	return true;
}

bool emit_facge(struct jit *j, const struct insn *i) { return compare_magnitudes(j, i, CMP_GE_S); }
bool emit_facgt(struct jit *j, const struct insn *i) { return compare_magnitudes(j, i, CMP_GT_S); }

/* ---- From integers ---- */

/* rcx = 64-bit lane @k of Vn. */
static void lane_to_rcx(struct jit *j, const struct insn *i, unsigned k)
{
	struct x86_rm n = vec_rm(i->rn);

	n.disp += n.is_reg ? 0 : 8 * (int)k;
	if (n.is_reg)
		x86_vex2_imm(&j->a, V_PEXTRQ, n.base, x86_r(RCX), k);
	else
		x86_mov(&j->a, true, RCX, n);
}

/* The host takes 64-bit integers one at a time, and only as signed ones. */
static void from_int_d(struct jit *j, const struct insn *i, bool is_signed)
{
	for (unsigned k = 0; k < i->b; k++) {
		lane_to_rcx(j, i, k);
		if (!is_signed) {
			x86_test(&j->a, true, x86_r(RCX), RCX);
			slow_if(j, CC_S);
		}
		fp_from_gpr(j, i, true, k ? XMM1 : XMM0, x86_r(RCX));
	}
	if (!fp_is_scalar(i))
		x86_vex(&j->a, V_UNPCKLPD, XMM0, XMM0, x86_r(XMM1));
}

/* Unsigned words: the halves of each are exact, and their sum is rounded once. */
static void from_uint_4s(struct jit *j, const struct insn *i, int n)
{
	x86_vex(&j->a, V_XOR, XMM1, XMM1, x86_r(XMM1));
	x86_vex_imm(&j->a, V_PBLENDW, XMM1, XMM1, x86_r(n), 0x55);
	x86_vex2(&j->a, V_CVTDQ2PS, XMM1, x86_r(XMM1));
	x86_vex_imm(&j->a, V_SHIFT_D, 2, XMM0, x86_r(n), 16);
	x86_vex2(&j->a, V_CVTDQ2PS, XMM2, x86_r(XMM0));
	fp_splat(j, i, XMM0, 65536);
	fp_fma(j, i, FMA_ADD, XMM1, XMM2, x86_r(XMM0));
	x86_vmovdqa(&j->a, XMM0, x86_r(XMM1));
}

static void from_int_s(struct jit *j, const struct insn *i, bool is_signed)
{
	int n;

	if (fp_is_scalar(i)) {
		lane_to_rcx(j, i, 0);
		x86_movr(&j->a, false, RCX, RCX);
		fp_from_gpr(j, i, !is_signed, XMM0, x86_r(RCX));
		return;
	}
	n = fp_use(j, i, i->rn, XMM0);
	if (is_signed)
		x86_vex2(&j->a, V_CVTDQ2PS, XMM0, x86_r(n));
	else
		from_uint_4s(j, i, n);
}

static bool from_int(struct jit *j, const struct insn *i, bool is_signed)
{
	if (!host(j, i))
		return false;
	if (i->a == FP_D) {
		flags_clobber(j);
		from_int_d(j, i, is_signed);
	} else {
		from_int_s(j, i, is_signed);
	}
	if (i->imm)
		fp_scale_down(j, i, (unsigned)i->imm);
	fp_end(j, i);
	return true;
}

bool emit_scvtf(struct jit *j, const struct insn *i) { return from_int(j, i, true); }
bool emit_ucvtf(struct jit *j, const struct insn *i) { return from_int(j, i, false); }

/* ---- To integers ---- */

/* Sends lanes of @r to exec_ that are negative, or do not fit as signed integers. */
static void check_unsigned_4s(struct jit *j, const struct insn *i, int r)
{
	fp_splat(j, i, XMM2, 0x1.fffffep30);
	x86_vex(&j->a, V_PMINUD, XMM2, XMM2, x86_r(r));
	x86_vex(&j->a, V_XOR, XMM2, XMM2, x86_r(r));
	x86_vex2(&j->a, V_PTEST, XMM2, x86_r(XMM2));
	slow_if(j, CC_NE);
}

/* The least integer is also what the host makes of what does not fit. */
static void check_least_4s(struct jit *j, int r)
{
	vec_signs(j, 32, XMM2);
	x86_vex(&j->a, V_PCMPEQD, XMM2, XMM2, x86_r(r));
	x86_vex2(&j->a, V_PTEST, XMM2, x86_r(XMM2));
	slow_if(j, CC_NE);
}

/* xmm0 = four singles @x as integers. */
static void to_int_4s(struct jit *j, const struct insn *i, int x, enum fp_round rm, bool is_signed)
{
	if (rm == FP_RA)
		fp_to_int_away(j, i, x);
	else if (rm != FP_RZ)
		fp_to_int(j, i, fp_mode(rm) | QUIETLY, XMM0, x);
	x = rm == FP_RZ ? x : XMM0;
	if (!is_signed)
		check_unsigned_4s(j, i, x);
	x86_vex2(&j->a, V_CVTTPS2DQ, XMM0, x86_r(x));
	if (is_signed)
		check_least_4s(j, XMM0);
	if (rm != FP_RZ) /* only now is "inexact" all there is to raise */
		fp_to_int(j, i, TO_ZERO, XMM1, fp_use(j, i, i->rn, XMM1));
}

static bool to_int_vector_s(struct jit *j, const struct insn *i, enum fp_round rm, bool is_signed)
{
	int x;

	flags_clobber(j);
	x = fp_use(j, i, i->rn, XMM0);
	if (i->imm) {
		fp_splat(j, i, XMM2, 0x1p64); /* times 2^imm it must not overflow */
		check_small(j, i, x, XMM1, XMM2);
		fp_splat(j, i, XMM1, (double)(UINT64_C(1) << i->imm));
		fp_v(j, i, FP_MUL, XMM0, x, x86_r(XMM1));
		x = XMM0;
	}
	to_int_4s(j, i, x, rm, is_signed);
	fp_end(j, i);
	return true;
}

/* One after the other; the first waits in rdx, which ties away from zero need. */
static bool to_int_2d(struct jit *j, const struct insn *i, enum fp_round rm, bool is_signed)
{
	struct insn scalar = *i;

	if (rm == FP_RA || i->imm)
		return false;
	scalar.b = 1;
	flags_clobber(j);
	fp_scalar_to_gpr(j, &scalar, vec_use(j, i->rn, XMM0), rm, is_signed, 64);
	x86_movr(&j->a, true, RDX, RCX);
	x86_vex2_imm(&j->a, V_PERMILPS, XMM0, vec_rm(i->rn), 0xee);
	fp_scalar_to_gpr(j, &scalar, XMM0, rm, is_signed, 64);
	x86_vmovq(&j->a, XMM0, x86_r(RDX));
	x86_vex_imm(&j->a, V_PINSRQ, XMM0, XMM0, x86_r(RCX), 1);
	fp_end(j, i);
	return true;
}

static bool to_int(struct jit *j, const struct insn *i, enum fp_round rm, bool is_signed)
{
	if (!host(j, i))
		return false;
	if (!fp_is_scalar(i))
		return i->a == FP_D ? to_int_2d(j, i, rm, is_signed) : to_int_vector_s(j, i, rm, is_signed);
	flags_clobber(j);
	fp_scalar_to_gpr(j, i, fp_use(j, i, i->rn, XMM0), rm, is_signed, 8u << i->a);
	x86_vmovq(&j->a, XMM0, x86_r(RCX));
	vec_end(j, i->rd, 16);
	return true;
}

bool emit_fcvtns(struct jit *j, const struct insn *i) { return to_int(j, i, FP_RN, true); }
bool emit_fcvtnu(struct jit *j, const struct insn *i) { return to_int(j, i, FP_RN, false); }
bool emit_fcvtps(struct jit *j, const struct insn *i) { return to_int(j, i, FP_RP, true); }
bool emit_fcvtpu(struct jit *j, const struct insn *i) { return to_int(j, i, FP_RP, false); }
bool emit_fcvtms(struct jit *j, const struct insn *i) { return to_int(j, i, FP_RM, true); }
bool emit_fcvtmu(struct jit *j, const struct insn *i) { return to_int(j, i, FP_RM, false); }
bool emit_fcvtzs(struct jit *j, const struct insn *i) { return to_int(j, i, FP_RZ, true); }
bool emit_fcvtzu(struct jit *j, const struct insn *i) { return to_int(j, i, FP_RZ, false); }
bool emit_fcvtas(struct jit *j, const struct insn *i) { return to_int(j, i, FP_RA, true); }
bool emit_fcvtau(struct jit *j, const struct insn *i) { return to_int(j, i, FP_RA, false); }

/* ---- Narrower and wider ---- */

/* Of the wide format, which is a. */
static struct insn all_lanes(const struct insn *i)
{
	struct insn wide = *i;

	wide.b = (uint8_t)(16u >> i->a);
	return wide;
}

/* b: the upper half of Vn. */
bool emit_fcvtl(struct jit *j, const struct insn *i)
{
	struct insn wide = all_lanes(i);
	struct x86_rm n = vec_rm(i->rn);

	if (!fp_native(j))
		return false;
	flags_clobber(j);
	if (i->b && n.is_reg) {
		x86_vex(&j->a, V_UNPCKHPD, XMM0, n.base, n);
		n = x86_r(XMM0);
	} else if (i->b) {
		n.disp += 8;
	}
	x86_vex2(&j->a, i->a == FP_D ? V_CVTPS2PD : V_CVTPH2PS, XMM0, n);
	fp_end_operand_nan(j, &wide);
	return true;
}

/* b: Vd keeps its lower half. */
bool emit_fcvtn(struct jit *j, const struct insn *i)
{
	struct insn wide = all_lanes(i);
	int n;

	if (!fp_native(j))
		return false;
	flags_clobber(j);
	n = vec_use(j, i->rn, XMM0);
	if (fp_fpcr(j) & FPCR_DN)
		fp_check_ordered(j, &wide, n, n, XMM1);
	if (i->a == FP_D)
		x86_vex2(&j->a, V_CVTPD2PS, XMM0, x86_r(n));
	else
		x86_vex2_imm(&j->a, V_CVTPS2PH, n, x86_r(XMM0), TO_MXCSR);
	if (i->b)
		x86_vex(&j->a, V_UNPCKLPD, XMM0, vec_use(j, i->rd, XMM1), x86_r(XMM0));
	vec_end(j, i->rd, 16);
	return true;
}

/* ---- Pairs and whole vectors ---- */

/* xmm0 and xmm1: the first and the second numbers of the pairs. */
static void split_pairs(struct jit *j, const struct insn *i)
{
	int n = vec_use(j, i->rn, XMM2);
	struct x86_rm m = vec_rm(i->rm);

	if (fp_is_scalar(i)) {
		x86_vmovdqa(&j->a, XMM0, x86_r(n));
		x86_vex2_imm(&j->a, V_PERMILPS, XMM1, x86_r(n), i->a == FP_D ? 0xee : 0x55);
	} else if (i->a == FP_D) {
		x86_vex(&j->a, V_UNPCKLPD, XMM0, n, m);
		x86_vex(&j->a, V_UNPCKHPD, XMM1, n, m);
	} else {
		if (!fp_is_whole(i)) {
			x86_vex(&j->a, V_UNPCKLPD, XMM2, n, m);
			n = XMM2;
			m = x86_r(XMM2);
		}
		x86_vex_imm(&j->a, V_SHUFPS, XMM0, n, m, 0x88);
		x86_vex_imm(&j->a, V_SHUFPS, XMM1, n, m, 0xdd);
	}
}

bool emit_faddp(struct jit *j, const struct insn *i)
{
	if (!host(j, i))
		return false;
	flags_clobber(j);
	split_pairs(j, i);
	fp_v(j, i, FP_ADD, XMM0, XMM0, x86_r(XMM1));
	fp_end_checked(j, i);
	return true;
}

static bool extreme_of_pairs(struct jit *j, const struct insn *i, unsigned op)
{
	if (!host(j, i))
		return false;
	flags_clobber(j);
	split_pairs(j, i);
	fp_check_ordered(j, i, XMM0, XMM1, XMM2);
	fp_extreme(j, i, op, XMM0, XMM0, XMM1, XMM2);
	fp_end(j, i);
	return true;
}

bool emit_fmaxp(struct jit *j, const struct insn *i) { return extreme_of_pairs(j, i, FP_MAX); }
bool emit_fminp(struct jit *j, const struct insn *i) { return extreme_of_pairs(j, i, FP_MIN); }

/* Four singles; the order matters only to NaNs. */
static bool extreme_of_all(struct jit *j, const struct insn *i, unsigned op)
{
	int n;

	if (!host(j, i))
		return false;
	flags_clobber(j);
	n = vec_use(j, i->rn, XMM0);
	x86_vex2_imm(&j->a, V_PERMILPS, XMM1, x86_r(n), 0x4e);
	fp_check_ordered(j, i, n, XMM1, XMM2);
	fp_extreme(j, i, op, XMM0, n, XMM1, XMM2);
	x86_vex2_imm(&j->a, V_PERMILPS, XMM1, x86_r(XMM0), 0xb1);
	fp_extreme(j, i, op, XMM0, XMM0, XMM1, XMM2);
	vec_end(j, i->rd, 4);
	return true;
}

bool emit_fmaxv(struct jit *j, const struct insn *i) { return extreme_of_all(j, i, FP_MAX); }
bool emit_fminv(struct jit *j, const struct insn *i) { return extreme_of_all(j, i, FP_MIN); }
