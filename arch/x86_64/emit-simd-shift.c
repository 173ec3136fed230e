/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer Advanced SIMD: shifts by immediate, modified immediate (emit-simd.h). */
#include "emit-simd.h"

/* ---- Lanes of one size ---- */

/* Vd += xmm0 */
static bool accumulate(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	x86_vex(&j->a, vpadd[i->a], d, XMM0, vec_rm(i->rd));
	simd_put(j, i->rd, d, i->b);
	return true;
}

static bool shr(struct jit *j, const struct insn *i, bool is_signed)
{
	int d = vec_def(i->rd, XMM0);

	vshr(j, is_signed, i->a, d, vec_use(j, i->rn, XMM0), (unsigned)i->imm, XMM2);
	simd_put(j, i->rd, d, i->b);
	return true;
}

static bool sra(struct jit *j, const struct insn *i, bool is_signed)
{
	vshr(j, is_signed, i->a, XMM0, vec_use(j, i->rn, XMM0), (unsigned)i->imm, XMM2);
	return accumulate(j, i);
}

/* @d = half of t = @n >> count - 1, rounded up: t - (t >> 1). Uses all three; @n may be xmm0. */
static void shr_rounding(struct jit *j, bool is_signed, unsigned lane, int d, int n, unsigned count)
{
	if (count > 1) {
		vshr(j, is_signed, lane, XMM0, n, count - 1, XMM2);
		n = XMM0;
	}
	vshr(j, is_signed, lane, XMM1, n, 1, XMM2);
	vop(j, vpsub[lane], d, n, XMM1);
}

static bool rshr(struct jit *j, const struct insn *i, bool is_signed)
{
	int d = vec_def(i->rd, XMM0);

	shr_rounding(j, is_signed, i->a, d, vec_use(j, i->rn, XMM0), (unsigned)i->imm);
	simd_put(j, i->rd, d, i->b);
	return true;
}

static bool rsra(struct jit *j, const struct insn *i, bool is_signed)
{
	shr_rounding(j, is_signed, i->a, XMM0, vec_use(j, i->rn, XMM0), (unsigned)i->imm);
	return accumulate(j, i);
}

bool emit_sshr_vec(struct jit *j, const struct insn *i) { return shr(j, i, true); }
bool emit_ushr_vec(struct jit *j, const struct insn *i) { return shr(j, i, false); }
bool emit_ssra_vec(struct jit *j, const struct insn *i) { return sra(j, i, true); }
bool emit_usra_vec(struct jit *j, const struct insn *i) { return sra(j, i, false); }
bool emit_srshr_vec(struct jit *j, const struct insn *i) { return rshr(j, i, true); }
bool emit_urshr_vec(struct jit *j, const struct insn *i) { return rshr(j, i, false); }
bool emit_srsra_vec(struct jit *j, const struct insn *i) { return rsra(j, i, true); }
bool emit_ursra_vec(struct jit *j, const struct insn *i) { return rsra(j, i, false); }

bool emit_shl_vec(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	vshl(j, i->a, d, vec_use(j, i->rn, XMM0), (unsigned)i->imm, XMM2);
	simd_put(j, i->rd, d, i->b);
	return true;
}

/* xmm0 has shifted bits where @mask (of one lane) has ones; the others are Vd's. */
static bool insert(struct jit *j, const struct insn *i, uint64_t mask)
{
	int d = vec_def(i->rd, XMM0);

	vsplat(j, XMM2, lane_copies(i->a, mask));
	x86_vex(&j->a, VPANDN, XMM2, XMM2, vec_rm(i->rd));
	vop(j, VPOR, d, XMM0, XMM2);
	simd_put(j, i->rd, d, i->b);
	return true;
}

static uint64_t lane_ones(const struct insn *i) { return UINT64_MAX >> (64 - (8u << i->a)); }

bool emit_sli_vec(struct jit *j, const struct insn *i)
{
	vshl(j, i->a, XMM0, vec_use(j, i->rn, XMM1), (unsigned)i->imm, XMM2);
	return insert(j, i, lane_ones(i) << i->imm & lane_ones(i));
}

/* The count may be all of the lane's bits: Vd stays. */
bool emit_sri_vec(struct jit *j, const struct insn *i)
{
	vshr(j, false, i->a, XMM0, vec_use(j, i->rn, XMM1), (unsigned)i->imm, XMM2);
	return insert(j, i, lane_ones(i) >> (i->imm - 1) >> 1);
}

/* ---- Left, saturating: what comes back from there as another number has not fitted ---- */

/* xmm0 = Vn shifted; xmm2 = ones where Vn was lost, if lanes are signed or not. Uses all three. */
static void shl_checked(struct jit *j, const struct insn *i, bool is_signed)
{
	unsigned count = (unsigned)i->imm;

	vshl(j, i->a, XMM0, vec_use(j, i->rn, XMM0), count, XMM2);
	vshr(j, is_signed, i->a, XMM2, XMM0, count, XMM1);
	x86_vex(&j->a, vpcmpeq[i->a], XMM2, XMM2, vec_rm(i->rn));
	vnot(j, XMM2, XMM2, XMM1);
}

/* xmm1 = ones where Vn is negative. */
static void signs_of_n(struct jit *j, const struct insn *i)
{
	vzero(j, XMM1);
	x86_vex(&j->a, vpcmpgt[i->a], XMM1, XMM1, vec_rm(i->rn));
}

static bool shl_end(struct jit *j, const struct insn *i)
{
	simd_qc(j, XMM2, i->b);
	simd_put(j, i->rd, XMM0, i->b);
	return true;
}

bool emit_uqshl_imm(struct jit *j, const struct insn *i)
{
	flags_clobber(j);
	shl_checked(j, i, false);
	vop(j, VPOR, XMM0, XMM0, XMM2);
	return shl_end(j, i);
}

/* Where it did not fit: the largest number, all bits inverted when Vn was negative. */
bool emit_sqshl_imm(struct jit *j, const struct insn *i)
{
	flags_clobber(j);
	shl_checked(j, i, true);
	vop(j, VPANDN, XMM0, XMM2, XMM0);
	vsplat(j, XMM1, ~lane_signs(i->a));
	vop(j, VPAND, XMM1, XMM1, XMM2);
	vop(j, VPOR, XMM0, XMM0, XMM1);
	signs_of_n(j, i);
	vop(j, VPAND, XMM1, XMM1, XMM2);
	vop(j, VPXOR, XMM0, XMM0, XMM1);
	return shl_end(j, i);
}

/* Negative lanes become 0. */
bool emit_sqshlu_imm(struct jit *j, const struct insn *i)
{
	flags_clobber(j);
	shl_checked(j, i, false);
	vop(j, VPOR, XMM0, XMM0, XMM2);
	signs_of_n(j, i);
	vop(j, VPANDN, XMM0, XMM1, XMM0);
	vop(j, VPOR, XMM2, XMM2, XMM1);
	return shl_end(j, i);
}

/* ---- Narrow ---- */

bool emit_shrn_vec(struct jit *j, const struct insn *i)
{
	vnarrow(j, i->a, vec_use(j, i->rn, XMM0), (unsigned)i->imm);
	simd_put_narrow(j, i);
	return true;
}

bool emit_rshrn_vec(struct jit *j, const struct insn *i)
{
	shr_rounding(j, false, i->a + 1u, XMM0, vec_use(j, i->rn, XMM0), (unsigned)i->imm);
	vnarrow(j, i->a, XMM0, 0);
	simd_put_narrow(j, i);
	return true;
}

static bool narrow_saturating(struct jit *j, const struct insn *i, bool from_signed, bool to_signed, bool rounding)
{
	unsigned wide = i->a + 1u, count = (unsigned)i->imm;

	flags_clobber(j);
	if (rounding)
		shr_rounding(j, from_signed, wide, XMM1, vec_use(j, i->rn, XMM0), count);
	else
		vshr(j, from_signed, wide, XMM1, vec_use(j, i->rn, XMM1), count, XMM2);
	simd_put_saturated(j, i, XMM1, from_signed, to_signed);
	return true;
}

bool emit_sqshrn_vec(struct jit *j, const struct insn *i) { return narrow_saturating(j, i, true, true, false); }
bool emit_uqshrn_vec(struct jit *j, const struct insn *i) { return narrow_saturating(j, i, false, false, false); }
bool emit_sqshrun_vec(struct jit *j, const struct insn *i) { return narrow_saturating(j, i, true, false, false); }
bool emit_sqrshrn_vec(struct jit *j, const struct insn *i) { return narrow_saturating(j, i, true, true, true); }
bool emit_uqrshrn_vec(struct jit *j, const struct insn *i) { return narrow_saturating(j, i, false, false, true); }
bool emit_sqrshrun_vec(struct jit *j, const struct insn *i) { return narrow_saturating(j, i, true, false, true); }

/* ---- Long; by 0 it is SXTL and UXTL ---- */

static bool shll(struct jit *j, const struct insn *i, bool is_signed)
{
	int d = vec_def(i->rd, XMM0);

	vwiden(j, is_signed, i->a, d, vec_use(j, i->rn, XMM0), i->ra);
	if (i->imm)
		vshl(j, i->a + 1u, d, d, (unsigned)i->imm, X86_NONE);
	simd_put(j, i->rd, d, i->b);
	return true;
}

bool emit_sshll_vec(struct jit *j, const struct insn *i) { return shll(j, i, true); }
bool emit_ushll_vec(struct jit *j, const struct insn *i) { return shll(j, i, false); }

/* ---- Modified immediate: imm is the pattern of 64 bits; b: both halves ---- */

bool emit_movi(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);
	uint64_t imm = (uint64_t)i->imm;

	if (imm == 0 || i->b) {
		vsplat(j, d, imm);
	} else {
		x86_mov_imm(&j->a, RAX, imm);
		x86_vmovq(&j->a, d, x86_r(RAX));
	}
	vec_done(j, i->rd, d);
	return true;
}

static bool logical_imm(struct jit *j, const struct insn *i, uint32_t op)
{
	int d = vec_def(i->rd, XMM0);

	vsplat(j, XMM0, (uint64_t)i->imm);
	x86_vex(&j->a, op, d, XMM0, vec_rm(i->rd));
	simd_put(j, i->rd, d, i->b ? 4 : 3);
	return true;
}

bool emit_orr_modimm(struct jit *j, const struct insn *i) { return logical_imm(j, i, VPOR); }

/* The decoder has inverted imm. */
bool emit_bic_modimm(struct jit *j, const struct insn *i) { return logical_imm(j, i, VPAND); }
