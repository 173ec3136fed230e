/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer Advanced SIMD: three same, three different, by element (emit-simd.h). */
#include "emit-simd.h"

#define SAME(name, op) \
	bool name(struct jit *j, const struct insn *i) { return simd_same(j, i, (op)[i->a]); }

static const uint32_t vpavg[4] = { VEX(1, 1, 0, 0xe0), VEX(1, 1, 0, 0xe3), 0, 0 };

SAME(emit_add_vec, vpadd)
SAME(emit_sub_vec, vpsub)
SAME(emit_cmeq_vec, vpcmpeq)
SAME(emit_cmgt_vec, vpcmpgt)
SAME(emit_smax_vec, vpmaxs)
SAME(emit_umax_vec, vpmaxu)
SAME(emit_smin_vec, vpmins)
SAME(emit_umin_vec, vpminu)

/* ---- Logical ---- */

bool emit_and_vec(struct jit *j, const struct insn *i) { return simd_same(j, i, VPAND); }

bool emit_eor_vec(struct jit *j, const struct insn *i) { return simd_same(j, i, VPXOR); }

/* MOV is ORR of a register with itself. */
bool emit_orr_vec(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	if (i->rn != i->rm)
		return simd_same(j, i, VPOR);
	if (i->b == 3)
		x86_vex2(&j->a, VMOVQ, d, vec_rm(i->rn));
	else if (d != XMM0)
		x86_vmovdqa(&j->a, d, vec_rm(i->rn));
	else
		d = vec_use(j, i->rn, XMM0);
	vec_done(j, i->rd, d);
	return true;
}

bool emit_bic_vec(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	x86_vex(&j->a, VPANDN, d, vec_use(j, i->rm, XMM0), vec_rm(i->rn));
	simd_put(j, i->rd, d, i->b);
	return true;
}

bool emit_orn_vec(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	vones(j, XMM0);
	x86_vex(&j->a, VPXOR, XMM0, XMM0, vec_rm(i->rm));
	x86_vex(&j->a, VPOR, d, XMM0, vec_rm(i->rn));
	simd_put(j, i->rd, d, i->b);
	return true;
}

/* Vd = bits of @ones where @mask has ones, of @zeroes elsewhere. */
static bool bit_select(struct jit *j, const struct insn *i, unsigned mask, unsigned ones, unsigned zeroes)
{
	int d = vec_def(i->rd, XMM0), m = vec_use(j, mask, XMM2);

	x86_vex(&j->a, VPAND, XMM0, m, vec_rm(ones));
	x86_vex(&j->a, VPANDN, XMM1, m, vec_rm(zeroes));
	vop(j, VPOR, d, XMM0, XMM1);
	simd_put(j, i->rd, d, i->b);
	return true;
}

bool emit_bsl_vec(struct jit *j, const struct insn *i) { return bit_select(j, i, i->rd, i->rn, i->rm); }
bool emit_bit_vec(struct jit *j, const struct insn *i) { return bit_select(j, i, i->rm, i->rn, i->rd); }
bool emit_bif_vec(struct jit *j, const struct insn *i) { return bit_select(j, i, i->rm, i->rd, i->rn); }

/* ---- Recipes: what becomes of the result ---- */

typedef void recipe_fn(struct jit *j, const struct insn *i, int d, int n, int m);

#define ACC_NONE(lane) 0u
#define ACC_ADD(lane)  vpadd[lane]
#define ACC_SUB(lane)  vpsub[lane]

static bool by_recipe(struct jit *j, const struct insn *i, recipe_fn *recipe, bool elem, uint32_t acc)
{
	int d = vec_def(i->rd, XMM0), n = vec_use(j, i->rn, XMM1);

	recipe(j, i, acc ? XMM0 : d, n, elem ? simd_elem(j, i, XMM2) : vec_use(j, i->rm, XMM2));
	if (acc)
		vop(j, acc, d, vec_use(j, i->rd, XMM1), XMM0);
	simd_put(j, i->rd, d, i->b);
	return true;
}

/* Vd = recipe(Vn, Vm), or Vd +- that in lanes of 1 << @lane bytes. */
#define RECIPE(name, recipe, acc, lane) \
	bool name(struct jit *j, const struct insn *i) { return by_recipe(j, i, recipe, false, acc(lane)); }
#define RECIPE_ELEM(name, recipe, acc, lane) \
	bool name(struct jit *j, const struct insn *i) { return by_recipe(j, i, recipe, true, acc(lane)); }

/* ---- Comparisons ---- */

/* Unsigned comparison is signed comparison of what is flipped in the sign bit. */
static void flip_signs(struct jit *j, int n, int m)
{
	vsplat(j, XMM0, UINT64_C(1) << 63);
	vop(j, VPXOR, XMM1, n, XMM0);
	vop(j, VPXOR, XMM2, m, XMM0);
}

static void cmge(struct jit *j, const struct insn *i, int d, int n, int m)
{
	if (i->a < 3) {
		vop(j, vpmaxs[i->a], XMM0, n, m);
		vop(j, vpcmpeq[i->a], d, XMM0, n);
	} else {
		vop(j, vpcmpgt[3], XMM0, m, n);
		vnot(j, d, XMM0, XMM1);
	}
}

static void cmhs(struct jit *j, const struct insn *i, int d, int n, int m)
{
	if (i->a < 3) {
		vop(j, vpmaxu[i->a], XMM0, n, m);
		vop(j, vpcmpeq[i->a], d, XMM0, n);
	} else {
		flip_signs(j, n, m);
		vop(j, vpcmpgt[3], XMM0, XMM2, XMM1);
		vnot(j, d, XMM0, XMM1);
	}
}

static void cmhi(struct jit *j, const struct insn *i, int d, int n, int m)
{
	if (i->a < 3) {
		vop(j, vpminu[i->a], XMM0, n, m);
		vop(j, vpcmpeq[i->a], XMM0, XMM0, n);
		vnot(j, d, XMM0, XMM1);
	} else {
		flip_signs(j, n, m);
		vop(j, vpcmpgt[3], d, XMM1, XMM2);
	}
}

static void cmtst(struct jit *j, const struct insn *i, int d, int n, int m)
{
	vop(j, VPAND, XMM0, n, m);
	vzero(j, XMM1);
	vop(j, vpcmpeq[i->a], XMM0, XMM0, XMM1);
	vnot(j, d, XMM0, XMM1);
}

RECIPE(emit_cmge_vec, cmge, ACC_NONE, i->a)
RECIPE(emit_cmhs_vec, cmhs, ACC_NONE, i->a)
RECIPE(emit_cmhi_vec, cmhi, ACC_NONE, i->a)
RECIPE(emit_cmtst_vec, cmtst, ACC_NONE, i->a)

/* ---- Arithmetic, lanes of one size ---- */

/* Bytes: products of the odd ones in place, and of the even ones. */
static void mul(struct jit *j, const struct insn *i, int d, int n, int m)
{
	if (i->a) {
		vop(j, i->a == 1 ? VPMULLW : VPMULLD, d, n, m);
		return;
	}
	vop(j, VPMULLW, XMM0, n, m);
	veven(j, 0, XMM0, XMM0);
	vodd(j, 0, XMM1, n);
	vodd(j, 0, XMM2, m);
	vop(j, VPMULLW, XMM1, XMM1, XMM2);
	vshl(j, 1, XMM1, XMM1, 8, X86_NONE);
	vop(j, VPOR, d, XMM0, XMM1);
}

RECIPE(emit_mul_vec, mul, ACC_NONE, i->a)
RECIPE(emit_mla_vec, mul, ACC_ADD, i->a)
RECIPE(emit_mls_vec, mul, ACC_SUB, i->a)
RECIPE_ELEM(emit_mul_elem, mul, ACC_NONE, i->a)
RECIPE_ELEM(emit_mla_elem, mul, ACC_ADD, i->a)
RECIPE_ELEM(emit_mls_elem, mul, ACC_SUB, i->a)

static void difference(struct jit *j, const struct insn *i, const uint32_t *max, const uint32_t *min, int d, int n,
		       int m)
{
	vop(j, max[i->a], XMM0, n, m);
	vop(j, min[i->a], XMM1, n, m);
	vop(j, vpsub[i->a], d, XMM0, XMM1);
}

static void sabd(struct jit *j, const struct insn *i, int d, int n, int m)
{
	difference(j, i, vpmaxs, vpmins, d, n, m);
}

static void uabd(struct jit *j, const struct insn *i, int d, int n, int m)
{
	difference(j, i, vpmaxu, vpminu, d, n, m);
}

RECIPE(emit_sabd_vec, sabd, ACC_NONE, i->a)
RECIPE(emit_uabd_vec, uabd, ACC_NONE, i->a)
RECIPE(emit_saba_vec, sabd, ACC_ADD, i->a)
RECIPE(emit_uaba_vec, uabd, ACC_ADD, i->a)

/* The half of what differs, and the other term: common bits (HADD), all bits (RHADD), what is only in m (HSUB). */
static void halving(struct jit *j, const struct insn *i, bool is_signed, uint32_t other, int d, int n, int m)
{
	vop(j, VPXOR, XMM0, n, m);
	vop(j, other, XMM1, n, m);
	vshr(j, is_signed, i->a, XMM0, XMM0, 1, XMM2);
	if (other == VPAND)
		vop(j, vpadd[i->a], d, XMM0, XMM1);
	else if (other == VPOR)
		vop(j, vpsub[i->a], d, XMM1, XMM0);
	else
		vop(j, vpsub[i->a], d, XMM0, XMM1);
}

static void shadd(struct jit *j, const struct insn *i, int d, int n, int m) { halving(j, i, true, VPAND, d, n, m); }
static void uhadd(struct jit *j, const struct insn *i, int d, int n, int m) { halving(j, i, false, VPAND, d, n, m); }
static void srhadd(struct jit *j, const struct insn *i, int d, int n, int m) { halving(j, i, true, VPOR, d, n, m); }
static void urhadd(struct jit *j, const struct insn *i, int d, int n, int m) { halving(j, i, false, VPOR, d, n, m); }
static void shsub(struct jit *j, const struct insn *i, int d, int n, int m) { halving(j, i, true, VPANDN, d, n, m); }
static void uhsub(struct jit *j, const struct insn *i, int d, int n, int m) { halving(j, i, false, VPANDN, d, n, m); }

RECIPE(emit_shadd_vec, shadd, ACC_NONE, i->a)
RECIPE(emit_uhadd_vec, uhadd, ACC_NONE, i->a)
RECIPE(emit_srhadd_vec, srhadd, ACC_NONE, i->a)
RECIPE(emit_shsub_vec, shsub, ACC_NONE, i->a)
RECIPE(emit_uhsub_vec, uhsub, ACC_NONE, i->a)

bool emit_urhadd_vec(struct jit *j, const struct insn *i)
{
	return simd_same(j, i, vpavg[i->a]) || by_recipe(j, i, urhadd, false, 0);
}

/* ---- Shifts by register ---- */

/* Odd bytes as halves, signed or not; even ones. */
static void odd_bytes(struct jit *j, bool is_signed, int d, int s) { vshr(j, is_signed, 1, d, s, 8, X86_NONE); }
static void even_bytes(struct jit *j, bool is_signed, int d, int s)
{
	vshl(j, 1, d, s, 8, X86_NONE);
	odd_bytes(j, is_signed, d, d);
}

/* xmm@d = the low byte of each lane of @m. */
static void low_bytes(struct jit *j, unsigned lane, int d, int m)
{
	unsigned top = (8u << lane) - 8;

	vshl(j, lane, d, m, top, X86_NONE);
	vshr(j, false, lane, d, d, top, X86_NONE);
}

/* Rounded halves of xmm0. */
static void halve_rounding(struct jit *j, bool is_signed, unsigned lane, int tmp1, int tmp2)
{
	vshr(j, is_signed, lane, tmp1, XMM0, 1, tmp2);
	vop(j, vpsub[lane], XMM0, XMM0, tmp1);
}

/*
 * As counts the host takes unsigned numbers, and shifts everything out when they are
 * too large. The low byte of a lane, as one, is too large when it is negative, and so
 * is the byte of its opposite when it is positive: one of the two shifts gives 0, or
 * both give Vn. Rounding shifts by one less, which is the inverse, and halves.
 */
static void shift_unsigned(struct jit *j, unsigned lane, bool rounding, int n, int m)
{
	if (rounding) {
		vnot(j, XMM0, m, XMM0);
	} else {
		vzero(j, XMM0);
		vop(j, vpsub[lane], XMM0, XMM0, m);
	}
	low_bytes(j, lane, XMM0, XMM0);
	low_bytes(j, lane, XMM2, m);
	vop(j, lane == 2 ? VPSLLVD : VPSLLVQ, XMM2, n, XMM2);
	vop(j, lane == 2 ? VPSRLVD : VPSRLVQ, XMM0, n, XMM0);
	if (rounding)
		halve_rounding(j, false, lane, XMM1, X86_NONE);
	vop(j, VPOR, XMM0, XMM0, XMM2);
}

/* A count shifted to the right must not leave the sign when it goes to the left: those lanes become 0 before. */
static void shift_signed_words(struct jit *j, bool rounding, int n, int m)
{
	vshl(j, 2, XMM2, m, 24, X86_NONE);
	vshr(j, true, 2, XMM0, XMM2, 31, X86_NONE);
	vop(j, VPAND, XMM0, XMM0, n);
	vshr(j, true, 2, XMM2, XMM2, 24, X86_NONE);
	vop(j, VPSLLVD, XMM1, n, XMM2);
	if (!rounding) {
		vop1(j, vpabs[2], XMM2, XMM2);
		vop(j, VPSRAVD, XMM0, XMM0, XMM2);
		vop(j, VPOR, XMM0, XMM0, XMM1);
		return;
	}
	x86_vmovdqu_store(&j->a, simd_spill(1), XMM1);
	vnot(j, XMM2, XMM2, XMM1);
	vop(j, VPSRAVD, XMM0, XMM0, XMM2);
	halve_rounding(j, true, 2, XMM1, X86_NONE);
	x86_vex(&j->a, VPOR, XMM0, XMM0, simd_spill(1));
}

/* Signed lanes: of 32 bits. */
static void shift_lanes(struct jit *j, unsigned lane, bool is_signed, bool rounding, int n, int m)
{
	if (is_signed)
		shift_signed_words(j, rounding, n, m);
	else
		shift_unsigned(j, lane, rounding, n, m);
}

/* There is no arithmetic shift of 64 bits: negative numbers go through a logical one inverted. */
static void shift_signed_doublewords(struct jit *j, const struct insn *i, bool rounding)
{
	vshl(j, 3, XMM2, vec_use(j, i->rm, XMM2), 56, X86_NONE);
	if (rounding) {
		vnot(j, XMM0, XMM2, XMM0);
	} else {
		vzero(j, XMM0);
		vop(j, vpsub[3], XMM0, XMM0, XMM2);
	}
	vshr(j, false, 3, XMM0, XMM0, 56, X86_NONE);
	vsigns(j, 3, XMM1, XMM2);
	x86_vex(&j->a, VPAND, XMM1, XMM1, vec_rm(i->rn)); /* what goes to the right */
	vsigns(j, 3, XMM2, XMM1);
	vop(j, VPXOR, XMM1, XMM1, XMM2);
	vop(j, VPSRLVQ, XMM1, XMM1, XMM0);
	vop(j, VPXOR, XMM0, XMM1, XMM2);
	if (rounding)
		halve_rounding(j, true, 3, XMM1, XMM2);
	low_bytes(j, 3, XMM2, vec_use(j, i->rm, XMM2));
	vop(j, VPSLLVQ, XMM1, vec_use(j, i->rn, XMM1), XMM2);
	vop(j, VPOR, XMM0, XMM0, XMM1);
}

/* Halves as words, even ones and odd ones, with the upper half of the results dropped. */
static void shift_halves(struct jit *j, const struct insn *i, bool is_signed, bool rounding)
{
	vshl(j, 2, XMM1, vec_use(j, i->rn, XMM1), 16, X86_NONE);
	vshr(j, is_signed, 2, XMM1, XMM1, 16, X86_NONE);
	shift_lanes(j, 2, is_signed, rounding, XMM1, vec_use(j, i->rm, XMM2));
	x86_vmovdqu_store(&j->a, simd_spill(0), XMM0);
	vshr(j, is_signed, 2, XMM1, vec_use(j, i->rn, XMM1), 16, X86_NONE);
	vshr(j, false, 2, XMM2, vec_use(j, i->rm, XMM2), 16, X86_NONE);
	shift_lanes(j, 2, is_signed, rounding, XMM1, XMM2);
	vshl(j, 2, XMM0, XMM0, 16, X86_NONE);
	x86_vex_imm(&j->a, VPBLENDW, XMM0, XMM0, simd_spill(0), 0x55);
}

/*
 * Bytes, not rounded: x << c is bits 15:8 of x * (1 << c + 8), for c from -8 to 7. The
 * factors are looked up, their low bytes and their high bytes; other counts find 0, but
 * that below -8 signed bytes are shifted as by -8.
 */
static void shift_bytes(struct jit *j, const struct insn *i, bool is_signed)
{
	vsplat(j, XMM0, lane_copies(0, 8));
	x86_vex(&j->a, vpadds[0], XMM2, XMM0, vec_rm(i->rm));
	if (is_signed) {
		vzero(j, XMM0);
		vop(j, vpmaxs[0], XMM2, XMM2, XMM0);
	}
	vsplat(j, XMM0, lane_copies(0, 0x70)); /* bit 7 of what is above 15 */
	vop(j, vpaddus[0], XMM2, XMM2, XMM0);
	vconst(j, XMM0, 0x8040201008040201, 0);
	vconst(j, XMM1, 0, 0x8040201008040201);
	vop(j, VPSHUFB, XMM0, XMM0, XMM2);
	vop(j, VPSHUFB, XMM1, XMM1, XMM2);

	/* xmm2, xmm0: factors of odd bytes and of even ones */
	vodd(j, 0, XMM2, XMM1);
	vshl(j, 1, XMM2, XMM2, 8, X86_NONE);
	vshl(j, 1, XMM1, XMM1, 8, X86_NONE);
	x86_vmovdqu_store(&j->a, simd_spill(0), XMM1);
	vodd(j, 0, XMM1, XMM0);
	vop(j, VPOR, XMM2, XMM2, XMM1);
	veven(j, 0, XMM0, XMM0);
	x86_vex(&j->a, VPOR, XMM0, XMM0, simd_spill(0));

	odd_bytes(j, is_signed, XMM1, vec_use(j, i->rn, XMM1));
	vop(j, VPMULLW, XMM2, XMM2, XMM1);
	even_bytes(j, is_signed, XMM1, vec_use(j, i->rn, XMM1));
	vop(j, VPMULLW, XMM0, XMM0, XMM1);
	vodd(j, 0, XMM0, XMM0);
	vodd(j, 0, XMM2, XMM2);
	vshl(j, 1, XMM2, XMM2, 8, X86_NONE);
	vop(j, VPOR, XMM0, XMM0, XMM2);
}

static bool shift_by_register(struct jit *j, const struct insn *i, bool is_signed, bool rounding)
{
	int n;

	if (i->a == 0 && rounding)
		return false;
	if (i->a == 0) {
		shift_bytes(j, i, is_signed);
	} else if (i->a == 1) {
		shift_halves(j, i, is_signed, rounding);
	} else if (i->a == 3 && is_signed) {
		shift_signed_doublewords(j, i, rounding);
	} else {
		n = vec_use(j, i->rn, XMM1);
		shift_lanes(j, i->a, is_signed, rounding, n, vec_use(j, i->rm, XMM2));
	}
	simd_put(j, i->rd, XMM0, i->b);
	return true;
}

bool emit_sshl_vec(struct jit *j, const struct insn *i) { return shift_by_register(j, i, true, false); }
bool emit_ushl_vec(struct jit *j, const struct insn *i) { return shift_by_register(j, i, false, false); }
bool emit_srshl_vec(struct jit *j, const struct insn *i) { return shift_by_register(j, i, true, true); }
bool emit_urshl_vec(struct jit *j, const struct insn *i) { return shift_by_register(j, i, false, true); }

/* ---- Pairwise ---- */

/* In the even lanes of @d: each even lane of @s with its odd neighbour; then only these, for vpack(). */
static void fold_pairs(struct jit *j, const struct insn *i, uint32_t op, int d, int s)
{
	vshr(j, false, i->a + 1u, d, s, 8u << i->a, X86_NONE);
	vop(j, op, d, d, s);
	veven(j, i->a, d, d);
}

static void pairs(struct jit *j, const struct insn *i, uint32_t op, int d, int n, int m)
{
	if (i->a == 3) {
		vop(j, VPUNPCKLQDQ, XMM0, n, m);
		vop(j, VPUNPCKHQDQ, XMM1, n, m);
		vop(j, op, d, XMM0, XMM1);
	} else if (i->a == 2) {
		vop_imm(j, VSHUFPS, XMM0, n, m, 0x88);
		vop_imm(j, VSHUFPS, XMM1, n, m, 0xdd);
		vop(j, op, d, XMM0, XMM1);
	} else {
		fold_pairs(j, i, op, XMM0, n);
		if (n != m) {
			fold_pairs(j, i, op, XMM1, m);
			m = XMM1;
		} else {
			m = XMM0;
		}
		vpack(j, i->a, d, XMM0, m);
	}
}

/* @horizontal: the instruction for the pairs of two registers, if there is one. */
static bool pairwise(struct jit *j, const struct insn *i, uint32_t op, uint32_t horizontal)
{
	int d = vec_def(i->rd, XMM0), n = vec_use(j, i->rn, XMM1), m = n;

	if (i->b == 3) {
		x86_vex(&j->a, VPUNPCKLQDQ, XMM1, n, vec_rm(i->rm));
		n = m = XMM1;
	} else if (i->rm != i->rn) {
		m = vec_use(j, i->rm, XMM2);
	}
	if (horizontal)
		vop(j, horizontal, d, n, m);
	else
		pairs(j, i, op, d, n, m);
	simd_put(j, i->rd, d, i->b);
	return true;
}

#define PAIRWISE(name, op) \
	bool name(struct jit *j, const struct insn *i) { return pairwise(j, i, (op)[i->a], 0); }

PAIRWISE(emit_smaxp_vec, vpmaxs)
PAIRWISE(emit_umaxp_vec, vpmaxu)
PAIRWISE(emit_sminp_vec, vpmins)
PAIRWISE(emit_uminp_vec, vpminu)

bool emit_addp_vec(struct jit *j, const struct insn *i)
{
	static const uint32_t horizontal[4] = { 0, VPHADDW, VPHADDD, 0 };

	return pairwise(j, i, vpadd[i->a], horizontal[i->a]);
}

/* ---- Saturating ---- */

/* As a recipe; returns the register that is zero where nothing saturated. */
typedef int saturating_fn(struct jit *j, const struct insn *i, int n, int m);

static bool saturating(struct jit *j, const struct insn *i, saturating_fn *recipe, bool elem)
{
	int n, diff;

	flags_clobber(j);
	n = vec_use(j, i->rn, XMM1);
	diff = recipe(j, i, n, elem ? simd_elem(j, i, XMM2) : vec_use(j, i->rm, XMM2));
	simd_qc(j, diff, i->b);
	simd_put(j, i->rd, XMM0, i->b);
	return true;
}

/* Bytes and halves: what the two instructions make of the operands differs where one saturates. */
static int both_ways(struct jit *j, const struct insn *i, const uint32_t *sat, const uint32_t *plain, int n, int m)
{
	vop(j, sat[i->a], XMM0, n, m);
	vop(j, plain[i->a], XMM1, n, m);
	vop(j, VPXOR, XMM1, XMM1, XMM0);
	return XMM1;
}

/*
 * Words and doublewords: the host only wraps. The sign bits of xmm1 say where xmm0
 * overflowed; its sign is the wrong one there, and the result is the number that is
 * furthest on the other side.
 */
static int saturate_overflow(struct jit *j, unsigned lane)
{
	vsigns(j, lane, XMM2, XMM1);
	vsigns(j, lane, XMM1, XMM0);
	vop(j, VPAND, XMM1, XMM1, XMM2);
	vop(j, VPANDN, XMM0, XMM2, XMM0);
	vop(j, VPOR, XMM0, XMM0, XMM1);
	vshl(j, lane, XMM1, XMM2, (8u << lane) - 1, X86_NONE);
	vop(j, VPXOR, XMM0, XMM0, XMM1);
	return XMM2;
}

/* A sum overflows when its sign is neither operand's. */
static int add_words(struct jit *j, unsigned lane, int n, int m)
{
	vop(j, vpadd[lane], XMM0, n, m);
	vop(j, VPXOR, XMM1, XMM0, n);
	vop(j, VPXOR, XMM2, XMM0, m);
	vop(j, VPAND, XMM1, XMM1, XMM2);
	return saturate_overflow(j, lane);
}

/* A difference does when the operands' signs differ and its own is not the first one's. */
static int sub_words(struct jit *j, unsigned lane, int n, int m)
{
	vop(j, vpsub[lane], XMM0, n, m);
	vop(j, VPXOR, XMM2, n, m);
	vop(j, VPXOR, XMM1, XMM0, n);
	vop(j, VPAND, XMM1, XMM1, XMM2);
	return saturate_overflow(j, lane);
}

static int sqadd(struct jit *j, const struct insn *i, int n, int m)
{
	return i->a < 2 ? both_ways(j, i, vpadds, vpadd, n, m) : add_words(j, i->a, n, m);
}

static int sqsub(struct jit *j, const struct insn *i, int n, int m)
{
	return i->a < 2 ? both_ways(j, i, vpsubs, vpsub, n, m) : sub_words(j, i->a, n, m);
}

/* n + min(m, ~n) */
static int uqadd(struct jit *j, const struct insn *i, int n, int m)
{
	vones(j, XMM0);
	vop(j, VPXOR, XMM0, XMM0, n);
	vop(j, vpminu[i->a], XMM0, XMM0, m);
	vop(j, VPXOR, XMM2, XMM0, m);
	vop(j, vpadd[i->a], XMM0, XMM0, n);
	return XMM2;
}

/* max(n, m) - m */
static int uqsub(struct jit *j, const struct insn *i, int n, int m)
{
	vop(j, vpmaxu[i->a], XMM0, n, m);
	vop(j, VPXOR, XMM1, XMM0, n);
	vop(j, vpsub[i->a], XMM0, XMM0, m);
	return XMM1;
}

bool emit_sqadd_vec(struct jit *j, const struct insn *i) { return saturating(j, i, sqadd, false); }
bool emit_sqsub_vec(struct jit *j, const struct insn *i) { return saturating(j, i, sqsub, false); }
bool emit_uqadd_vec(struct jit *j, const struct insn *i) { return i->a < 3 && saturating(j, i, uqadd, false); }
bool emit_uqsub_vec(struct jit *j, const struct insn *i) { return i->a < 3 && saturating(j, i, uqsub, false); }

/* The most negative number times itself is the only doubled product that does not fit, and it wraps to that number.
 */
static int saturate_product(struct jit *j, unsigned lane)
{
	vsplat(j, XMM1, lane_signs(lane));
	vop(j, vpcmpeq[lane], XMM1, XMM1, XMM0);
	vop(j, VPXOR, XMM0, XMM0, XMM1);
	return XMM1;
}

/* xmm0 = bits 62:31 of the products of words, those of even and of odd lanes computed apart. */
static void double_high_words(struct jit *j, bool rounding, int n, int m)
{
	vop(j, VPMULDQ, XMM0, n, m);
	vop1_imm(j, VPSHUFD, XMM1, n, 0xf5);
	vop1_imm(j, VPSHUFD, XMM2, m, 0xf5);
	vop(j, VPMULDQ, XMM1, XMM1, XMM2);
	if (rounding) {
		vsplat(j, XMM2, UINT64_C(1) << 30);
		vop(j, vpadd[3], XMM0, XMM0, XMM2);
		vop(j, vpadd[3], XMM1, XMM1, XMM2);
	}
	vshr(j, false, 3, XMM0, XMM0, 31, X86_NONE);
	vshl(j, 3, XMM1, XMM1, 1, X86_NONE);
	vop_imm(j, VPBLENDD, XMM0, XMM0, XMM1, 0xa);
}

/* xmm0 = bits 30:15 of the products of halves. */
static void double_high_halves(struct jit *j, int n, int m)
{
	vop(j, VPMULHW, XMM0, n, m);
	vop(j, VPMULLW, XMM1, n, m);
	vshl(j, 1, XMM0, XMM0, 1, X86_NONE);
	vshr(j, false, 1, XMM1, XMM1, 15, X86_NONE);
	vop(j, VPOR, XMM0, XMM0, XMM1);
}

static int sqdmulh(struct jit *j, const struct insn *i, int n, int m)
{
	if (i->a == 2)
		double_high_words(j, false, n, m);
	else
		double_high_halves(j, n, m);
	return saturate_product(j, i->a);
}

static int sqrdmulh(struct jit *j, const struct insn *i, int n, int m)
{
	if (i->a == 2)
		double_high_words(j, true, n, m);
	else
		vop(j, VPMULHRSW, XMM0, n, m);
	return saturate_product(j, i->a);
}

bool emit_sqdmulh_vec(struct jit *j, const struct insn *i) { return saturating(j, i, sqdmulh, false); }
bool emit_sqdmulh_elem(struct jit *j, const struct insn *i) { return saturating(j, i, sqdmulh, true); }
bool emit_sqrdmulh_vec(struct jit *j, const struct insn *i) { return saturating(j, i, sqrdmulh, false); }
bool emit_sqrdmulh_elem(struct jit *j, const struct insn *i) { return saturating(j, i, sqrdmulh, true); }

/* ---- Dot products ---- */

/* Products of even bytes and of odd bytes, each pair of them added by vpmaddwd. */
static void dot(struct jit *j, const struct insn *i, bool n_signed, bool m_signed, int d, int n, int m)
{
	even_bytes(j, n_signed, XMM0, n);
	even_bytes(j, m_signed, XMM1, m);
	vop(j, VPMADDWD, XMM0, XMM0, XMM1);
	odd_bytes(j, n_signed, XMM1, vec_use(j, i->rn, XMM1));
	odd_bytes(j, m_signed, XMM2, m);
	vop(j, VPMADDWD, XMM1, XMM1, XMM2);
	vop(j, vpadd[2], d, XMM0, XMM1);
}

static void sdot(struct jit *j, const struct insn *i, int d, int n, int m) { dot(j, i, true, true, d, n, m); }
static void udot(struct jit *j, const struct insn *i, int d, int n, int m) { dot(j, i, false, false, d, n, m); }
static void usdot(struct jit *j, const struct insn *i, int d, int n, int m) { dot(j, i, false, true, d, n, m); }
static void sudot(struct jit *j, const struct insn *i, int d, int n, int m) { dot(j, i, true, false, d, n, m); }

RECIPE(emit_sdot_vec, sdot, ACC_ADD, 2)
RECIPE(emit_udot_vec, udot, ACC_ADD, 2)
RECIPE(emit_usdot_vec, usdot, ACC_ADD, 2)
RECIPE_ELEM(emit_sdot_elem, sdot, ACC_ADD, 2)
RECIPE_ELEM(emit_udot_elem, udot, ACC_ADD, 2)
RECIPE_ELEM(emit_usdot_elem, usdot, ACC_ADD, 2)
RECIPE_ELEM(emit_sudot_elem, sudot, ACC_ADD, 2)

/* xmm1 = a row of Vn (2x8 bytes) times both rows of Vm, each product in two words. Uses all three. */
static void row_products(struct jit *j, const struct insn *i, bool n_signed, bool m_signed, bool row)
{
	vwiden(j, n_signed, 0, XMM0, vec_use(j, i->rn, XMM0), row);
	vwiden(j, m_signed, 0, XMM1, vec_use(j, i->rm, XMM1), false);
	vwiden(j, m_signed, 0, XMM2, vec_use(j, i->rm, XMM2), true);
	vop(j, VPMADDWD, XMM1, XMM0, XMM1);
	vop(j, VPMADDWD, XMM2, XMM0, XMM2);
	vop(j, VPHADDD, XMM1, XMM1, XMM2);
}

static bool multiply_matrices(struct jit *j, const struct insn *i, bool n_signed, bool m_signed)
{
	int d = vec_def(i->rd, XMM0);

	row_products(j, i, n_signed, m_signed, false);
	x86_vmovdqu_store(&j->a, simd_spill(0), XMM1);
	row_products(j, i, n_signed, m_signed, true);
	x86_vmovdqu(&j->a, XMM0, simd_spill(0));
	vop(j, VPHADDD, XMM0, XMM0, XMM1);
	x86_vex(&j->a, vpadd[2], d, XMM0, vec_rm(i->rd));
	vec_done(j, i->rd, d);
	return true;
}

bool emit_smmla_vec(struct jit *j, const struct insn *i) { return multiply_matrices(j, i, true, true); }
bool emit_ummla_vec(struct jit *j, const struct insn *i) { return multiply_matrices(j, i, false, false); }
bool emit_usmmla_vec(struct jit *j, const struct insn *i) { return multiply_matrices(j, i, false, true); }

/* ---- Three different: ra is which half, a the narrow lane ---- */

static void widen_m(struct jit *j, const struct insn *i, bool is_signed, int m)
{
	vwiden(j, is_signed, i->a, XMM2, m, i->ra);
}

static void widen_both(struct jit *j, const struct insn *i, bool is_signed, int n, int m)
{
	vwiden(j, is_signed, i->a, XMM1, n, i->ra);
	widen_m(j, i, is_signed, m);
}

#define LONG(name, is_signed, op)                                                  \
	static void name(struct jit *j, const struct insn *i, int d, int n, int m) \
	{                                                                          \
		widen_both(j, i, is_signed, n, m);                                 \
		vop(j, (op)[i->a + 1], d, XMM1, XMM2);                             \
	}
#define WIDE(name, is_signed, op)                                                  \
	static void name(struct jit *j, const struct insn *i, int d, int n, int m) \
	{                                                                          \
		widen_m(j, i, is_signed, m);                                       \
		vop(j, (op)[i->a + 1], d, n, XMM2);                                \
	}

LONG(saddl, true, vpadd)
LONG(uaddl, false, vpadd)
LONG(ssubl, true, vpsub)
LONG(usubl, false, vpsub)
WIDE(saddw, true, vpadd)
WIDE(uaddw, false, vpadd)
WIDE(ssubw, true, vpsub)
WIDE(usubw, false, vpsub)

RECIPE(emit_saddl_vec, saddl, ACC_NONE, i->a)
RECIPE(emit_uaddl_vec, uaddl, ACC_NONE, i->a)
RECIPE(emit_ssubl_vec, ssubl, ACC_NONE, i->a)
RECIPE(emit_usubl_vec, usubl, ACC_NONE, i->a)
RECIPE(emit_saddw_vec, saddw, ACC_NONE, i->a)
RECIPE(emit_uaddw_vec, uaddw, ACC_NONE, i->a)
RECIPE(emit_ssubw_vec, ssubw, ACC_NONE, i->a)
RECIPE(emit_usubw_vec, usubw, ACC_NONE, i->a)

/* A difference, signed or not, is an unsigned number of the narrow size. */
static void sabdl(struct jit *j, const struct insn *i, int d, int n, int m)
{
	sabd(j, i, XMM0, n, m);
	vwiden(j, false, i->a, d, XMM0, i->ra);
}

static void uabdl(struct jit *j, const struct insn *i, int d, int n, int m)
{
	uabd(j, i, XMM0, n, m);
	vwiden(j, false, i->a, d, XMM0, i->ra);
}

RECIPE(emit_sabdl_vec, sabdl, ACC_NONE, i->a)
RECIPE(emit_uabdl_vec, uabdl, ACC_NONE, i->a)
RECIPE(emit_sabal_vec, sabdl, ACC_ADD, i->a + 1)
RECIPE(emit_uabal_vec, uabdl, ACC_ADD, i->a + 1)

/* Halves: low and high halves of the products, interleaved. Words: the host multiplies even ones. */
static void mull(struct jit *j, const struct insn *i, bool is_signed, int d, int n, int m)
{
	unsigned twice = i->ra ? 0xfa : 0x50;

	if (i->a == 0) {
		widen_both(j, i, is_signed, n, m);
		vop(j, VPMULLW, d, XMM1, XMM2);
	} else if (i->a == 1) {
		vop(j, VPMULLW, XMM0, n, m);
		vop(j, is_signed ? VPMULHW : VPMULHUW, XMM1, n, m);
		vop(j, i->ra ? VPUNPCKHWD : VPUNPCKLWD, d, XMM0, XMM1);
	} else {
		vop1_imm(j, VPSHUFD, XMM1, n, twice);
		vop1_imm(j, VPSHUFD, XMM2, m, twice);
		vop(j, is_signed ? VPMULDQ : VPMULUDQ, d, XMM1, XMM2);
	}
}

static void smull(struct jit *j, const struct insn *i, int d, int n, int m) { mull(j, i, true, d, n, m); }
static void umull(struct jit *j, const struct insn *i, int d, int n, int m) { mull(j, i, false, d, n, m); }

RECIPE(emit_smull_vec, smull, ACC_NONE, i->a)
RECIPE(emit_umull_vec, umull, ACC_NONE, i->a)
RECIPE(emit_smlal_vec, smull, ACC_ADD, i->a + 1)
RECIPE(emit_umlal_vec, umull, ACC_ADD, i->a + 1)
RECIPE(emit_smlsl_vec, smull, ACC_SUB, i->a + 1)
RECIPE(emit_umlsl_vec, umull, ACC_SUB, i->a + 1)
RECIPE_ELEM(emit_smull_elem, smull, ACC_NONE, i->a)
RECIPE_ELEM(emit_umull_elem, umull, ACC_NONE, i->a)
RECIPE_ELEM(emit_smlal_elem, smull, ACC_ADD, i->a + 1)
RECIPE_ELEM(emit_umlal_elem, umull, ACC_ADD, i->a + 1)
RECIPE_ELEM(emit_smlsl_elem, smull, ACC_SUB, i->a + 1)
RECIPE_ELEM(emit_umlsl_elem, umull, ACC_SUB, i->a + 1)

static int sqdmull(struct jit *j, const struct insn *i, int n, int m)
{
	mull(j, i, true, XMM0, n, m);
	vop(j, vpadd[i->a + 1], XMM0, XMM0, XMM0);
	return saturate_product(j, i->a + 1u);
}

/* The product saturates, then what it is added to. */
static int sqdmlal(struct jit *j, const struct insn *i, int n, int m)
{
	simd_qc(j, sqdmull(j, i, n, m), i->b);
	x86_vmovdqa(&j->a, XMM2, x86_r(XMM0));
	return add_words(j, i->a + 1u, vec_use(j, i->rd, XMM1), XMM2);
}

static int sqdmlsl(struct jit *j, const struct insn *i, int n, int m)
{
	simd_qc(j, sqdmull(j, i, n, m), i->b);
	x86_vmovdqa(&j->a, XMM2, x86_r(XMM0));
	return sub_words(j, i->a + 1u, vec_use(j, i->rd, XMM1), XMM2);
}

bool emit_sqdmull_vec(struct jit *j, const struct insn *i) { return saturating(j, i, sqdmull, false); }
bool emit_sqdmlal_vec(struct jit *j, const struct insn *i) { return saturating(j, i, sqdmlal, false); }
bool emit_sqdmlsl_vec(struct jit *j, const struct insn *i) { return saturating(j, i, sqdmlsl, false); }
bool emit_sqdmull_elem(struct jit *j, const struct insn *i) { return saturating(j, i, sqdmull, true); }
bool emit_sqdmlal_elem(struct jit *j, const struct insn *i) { return saturating(j, i, sqdmlal, true); }
bool emit_sqdmlsl_elem(struct jit *j, const struct insn *i) { return saturating(j, i, sqdmlsl, true); }

/* The upper halves of wide sums or differences, rounded or not. */
static bool add_narrow(struct jit *j, const struct insn *i, const uint32_t *op, bool rounding)
{
	unsigned bits = 8u << i->a;

	x86_vex(&j->a, op[i->a + 1], XMM0, vec_use(j, i->rn, XMM0), vec_rm(i->rm));
	if (rounding) {
		vsplat(j, XMM1, lane_copies(i->a + 1u, UINT64_C(1) << (bits - 1)));
		vop(j, vpadd[i->a + 1], XMM0, XMM0, XMM1);
	}
	vnarrow(j, i->a, XMM0, bits);
	simd_put_narrow(j, i);
	return true;
}

bool emit_addhn_vec(struct jit *j, const struct insn *i) { return add_narrow(j, i, vpadd, false); }
bool emit_subhn_vec(struct jit *j, const struct insn *i) { return add_narrow(j, i, vpsub, false); }
bool emit_raddhn_vec(struct jit *j, const struct insn *i) { return add_narrow(j, i, vpadd, true); }
bool emit_rsubhn_vec(struct jit *j, const struct insn *i) { return add_narrow(j, i, vpsub, true); }
