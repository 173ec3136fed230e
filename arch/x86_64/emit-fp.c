/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scalar floating point, and the lane by lane operations of vectors that are the
 * same functions: see exec-fp.c. NaNs take no part here: the host prefers other
 * ones and has a negative default NaN, so a result that is one is exec_'s.
 */
#include "emit-fp.h"

bool fp_host(const struct jit *j, const struct insn *i)
{
	return fp_native(j) && !(i->a == FP_H && (fp_fpcr(j) & FPCR_FZ16));
}

/* ---- Instructions by format ---- */

/* Eight halves are eight singles: 256 bits. */
static unsigned width_l(const struct insn *i) { return i->a == FP_H && i->b == 8; }

static uint32_t packed(const struct insn *i, unsigned op) { return VEX(i->a == FP_D, 1, 0, op); }
static uint32_t by_lanes(const struct insn *i, unsigned op)
{
	return VEX((fp_is_scalar(i) ? 2 : 0) + (i->a == FP_D), 1, 0, op);
}

void fp_v(struct jit *j, const struct insn *i, unsigned op, int dst, int x, struct x86_rm m)
{
	x86_vex_l(&j->a, width_l(i), by_lanes(i, op), dst, x, m);
}

void fp_cmp(struct jit *j, const struct insn *i, unsigned predicate, int dst, int x, struct x86_rm m)
{
	fp_v(j, i, 0xc2, dst, x, m);
	x86_b(&j->a, predicate);
}

void fp_fma(struct jit *j, const struct insn *i, unsigned op, int dst, int x, struct x86_rm m)
{
	x86_vex(&j->a, VEX(1, 2, i->a == FP_D, op + fp_is_scalar(i)), dst, x, m);
}

void fp_to_int(struct jit *j, const struct insn *i, unsigned mode, int dst, int x)
{
	uint32_t op = VEX(1, 3, 0, 0x08 + (fp_is_scalar(i) ? 2 : 0) + (i->a == FP_D));

	x86_vex_l(&j->a, width_l(i), op, dst, fp_is_scalar(i) ? x : 0, x86_r(x));
	x86_b(&j->a, mode);
}

/* ---- Operands ---- */

static void half_to_gpr(struct jit *j, unsigned n, int gpr)
{
	struct x86_rm v = vec_rm(n);

	if (v.is_reg)
		x86_vex2_imm(&j->a, V_PEXTRW, gpr, v, 0);
	else
		x86_movzx16(&j->a, gpr, v);
}

static void lane_to_gpr(struct jit *j, unsigned f, unsigned n, int gpr)
{
	struct x86_rm v = vec_rm(n);

	if (f == FP_H)
		half_to_gpr(j, n, gpr);
	else if (!v.is_reg)
		x86_mov(&j->a, f == FP_D, gpr, v);
	else if (f == FP_D)
		x86_vmovq_store(&j->a, x86_r(gpr), v.base);
	else
		x86_vmovd_store(&j->a, x86_r(gpr), v.base);
}

int fp_use(struct jit *j, const struct insn *i, unsigned n, int tmp)
{
	if (i->a == FP_H && fp_is_scalar(i)) {
		half_to_gpr(j, n, RCX);
		x86_vmovd(&j->a, tmp, x86_r(RCX));
		x86_vex2(&j->a, V_CVTPH2PS, tmp, x86_r(tmp));
	} else if (i->a == FP_H) {
		x86_vex_l(&j->a, width_l(i), V_CVTPH2PS, tmp, 0, vec_rm(n));
	} else if (fp_is_scalar(i) || fp_is_whole(i)) {
		return vec_use(j, n, tmp);
	} else {
		x86_vex2(&j->a, V_MOVDDUP, tmp, vec_rm(n));
	}
	return tmp;
}

struct x86_rm fp_rm(struct jit *j, const struct insn *i, unsigned n, int tmp)
{
	if (i->a != FP_H && (fp_is_scalar(i) || fp_is_whole(i)))
		return vec_rm(n);
	return x86_r(fp_use(j, i, n, tmp));
}

/* The same, but a scalar is always in @tmp and has zeroes above. */
static int use_alone(struct jit *j, const struct insn *i, unsigned n, int tmp)
{
	struct x86_rm v = vec_rm(n);

	if (!fp_is_scalar(i) || i->a == FP_H)
		return fp_use(j, i, n, tmp);
	if (i->a == FP_D)
		x86_vex2(&j->a, V_MOVQ, tmp, v);
	else if (v.is_reg)
		x86_vex_imm(&j->a, V_INSERTPS, tmp, v.base, v, 0x0e);
	else
		x86_vmovd(&j->a, tmp, v);
	return tmp;
}

void fp_splat(struct jit *j, const struct insn *i, int dst, double v)
{
	float s = (float)v;
	uint64_t bits = 0;

	if (i->a == FP_D)
		memcpy(&bits, &v, sizeof(v));
	else
		memcpy(&bits, &s, sizeof(s));
	x86_mov_imm(&j->a, RCX, bits);
	x86_vmovq(&j->a, dst, x86_r(RCX));
	if (!fp_is_scalar(i))
		x86_vex_l(&j->a, width_l(i), i->a == FP_D ? V_BROADCASTQ : V_BROADCASTD, dst, 0, x86_r(dst));
}

/* By a constant. Groups 71, 72 and 73 are for 16, 32 and 64 bits; /6 is left, /2 right. */
static void shift_lanes(struct jit *j, unsigned l, unsigned bits, bool left, int dst, unsigned n)
{
	x86_vex_l(&j->a, l, VEX(1, 1, 0, 0x71 + (bits >> 5)), left ? 6 : 2, dst, x86_r(dst));
	x86_b(&j->a, n);
}

static void signs(struct jit *j, unsigned l, unsigned bits, bool others, int dst)
{
	x86_vex_l(&j->a, l, V_PCMPEQD, dst, dst, x86_r(dst));
	shift_lanes(j, l, bits, !others, dst, others ? 1 : bits - 1);
}

void vec_signs(struct jit *j, unsigned bits, int dst) { signs(j, 0, bits, false, dst); }
void vec_not_signs(struct jit *j, unsigned bits, int dst) { signs(j, 0, bits, true, dst); }

/* ---- Results ---- */

void vec_end(struct jit *j, unsigned n, unsigned bytes)
{
	int dst = vec_def(n, XMM0);

	if (bytes == 4)
		x86_vex_imm(&j->a, V_INSERTPS, dst, XMM0, x86_r(XMM0), 0x0e);
	else if (bytes == 8)
		x86_vex2(&j->a, V_MOVQ, dst, x86_r(XMM0));
	else if (dst != XMM0)
		x86_vmovdqa(&j->a, dst, x86_r(XMM0));
	vec_done(j, n, dst);
}

/* Narrowed halves have zeroes above them. */
static void store_lanes(struct jit *j, const struct insn *i)
{
	vec_end(j, i->rd, i->a == FP_H ? 16 : (unsigned)i->b << i->a);
}

static void narrow_halves(struct jit *j, const struct insn *i)
{
	if (i->a != FP_H)
		return;
	x86_vex_l(&j->a, width_l(i), V_CVTPS2PH, XMM0, 0, x86_r(XMM0));
	x86_b(&j->a, TO_MXCSR);
	if (width_l(i))
		x86_vzeroupper(&j->a);
}

void fp_end(struct jit *j, const struct insn *i)
{
	narrow_halves(j, i);
	store_lanes(j, i);
}

/* The condition that holds when some lane of @x and @y is a NaN. */
static enum x86_cond unordered(struct jit *j, const struct insn *i, int x, int y, int tmp)
{
	if (fp_is_scalar(i)) {
		x86_vex2(&j->a, packed(i, FP_UCOMI), x, x86_r(y));
		return CC_P;
	}
	fp_cmp(j, i, CMP_UNORD, tmp, x, x86_r(y));
	x86_vex_l(&j->a, width_l(i), V_PTEST, tmp, 0, x86_r(tmp));
	return CC_NE;
}

void fp_check_ordered(struct jit *j, const struct insn *i, int x, int y, int tmp)
{
	slow_if(j, unordered(j, i, x, y, tmp));
}

/* @clean: zero above a scalar already. */
static void end_checked(struct jit *j, const struct insn *i, bool clean)
{
	enum x86_cond nan = unordered(j, i, XMM0, XMM0, XMM1);

	narrow_halves(j, i);
	slow_if(j, nan);
	if (clean && fp_is_scalar(i))
		vec_end(j, i->rd, 16);
	else
		store_lanes(j, i);
}

void fp_end_checked(struct jit *j, const struct insn *i) { end_checked(j, i, false); }

void fp_end_operand_nan(struct jit *j, const struct insn *i)
{
	if (fp_fpcr(j) & FPCR_DN)
		fp_end_checked(j, i);
	else
		fp_end(j, i);
}

/* ---- Arithmetic ---- */

/*
 * What is above a scalar result comes from the first operand, so it is that which
 * is cleaned, and not the one of a sum or product that the last one was made of:
 * chains of them stay as short as the host's.
 */
static bool two_operands(struct jit *j, const struct insn *i, unsigned op)
{
	bool swap = (op == FP_ADD || op == FP_MUL) && i->rn == i->rd;
	int x;

	if (!fp_host(j, i))
		return false;
	flags_clobber(j);
	x = use_alone(j, i, swap ? i->rm : i->rn, XMM0);
	fp_v(j, i, op, XMM0, x, fp_rm(j, i, swap ? i->rn : i->rm, XMM1));
	end_checked(j, i, true);
	return true;
}

bool emit_fadd(struct jit *j, const struct insn *i) { return two_operands(j, i, FP_ADD); }
bool emit_fsub(struct jit *j, const struct insn *i) { return two_operands(j, i, FP_SUB); }
bool emit_fmul(struct jit *j, const struct insn *i) { return two_operands(j, i, FP_MUL); }
bool emit_fdiv(struct jit *j, const struct insn *i) { return two_operands(j, i, FP_DIV); }

/* The sign changes after rounding, so halves cannot be negated before they are narrowed. */
bool emit_fnmul(struct jit *j, const struct insn *i)
{
	int n;

	if (!fp_host(j, i) || i->a == FP_H)
		return false;
	flags_clobber(j);
	n = fp_use(j, i, i->rn, XMM0);
	fp_v(j, i, FP_MUL, XMM0, n, fp_rm(j, i, i->rm, XMM1));
	vec_signs(j, 8u << i->a, XMM1);
	x86_vex(&j->a, V_XOR, XMM0, XMM0, x86_r(XMM1));
	fp_end_checked(j, i);
	return true;
}

bool emit_fsqrt(struct jit *j, const struct insn *i)
{
	struct x86_rm n;

	if (!fp_host(j, i))
		return false;
	flags_clobber(j);
	n = fp_rm(j, i, i->rn, XMM1);
	if (fp_is_scalar(i))
		x86_vex(&j->a, V_XOR, XMM0, XMM0, x86_r(XMM0));
	fp_v(j, i, FP_SQRT, XMM0, 0, n); /* above a scalar: what is in xmm0, number 0 */
	end_checked(j, i, true);
	return true;
}

/*
 * The host answers with its second operand when the two are equal or not ordered,
 * and calls any NaN an invalid operation. So NaNs leave first; then both orders are
 * tried, and only zeroes of different signs make a difference. With DAZ a denormal is
 * a zero in the answer as well: operands are converted first.
 */
void fp_extreme(struct jit *j, const struct insn *i, unsigned op, int dst, int x, int y, int tmp)
{
	fp_v(j, i, op, tmp, x, x86_r(y));
	fp_v(j, i, op, dst, y, x86_r(x));
	x86_vex(&j->a, op == FP_MAX ? V_AND : V_OR, dst, dst, x86_r(tmp));
}

static bool extreme(struct jit *j, const struct insn *i, unsigned op)
{
	int n, m;

	if (!fp_host(j, i) || width_l(i))
		return false;
	flags_clobber(j);
	n = fp_use(j, i, i->rn, XMM0);
	m = fp_use(j, i, i->rm, XMM1);
	fp_check_ordered(j, i, n, m, XMM2);
	fp_extreme(j, i, op, XMM0, n, m, XMM2);
	fp_end(j, i);
	return true;
}

bool emit_fmax(struct jit *j, const struct insn *i) { return extreme(j, i, FP_MAX); }
bool emit_fmin(struct jit *j, const struct insn *i) { return extreme(j, i, FP_MIN); }

/* Vd = (-)Va + (-)Vn * Vm, rounded once; here a factor gives what is above. */
static bool fused(struct jit *j, const struct insn *i, unsigned op)
{
	bool swap = i->rn == i->rd;
	int m;

	if (!fp_host(j, i) || i->a == FP_H)
		return false;
	flags_clobber(j);
	use_alone(j, i, swap ? i->rm : i->rn, XMM0);
	m = fp_use(j, i, swap ? i->rn : i->rm, XMM1);
	fp_fma(j, i, op + FMA_213, XMM0, m, vec_rm(i->ra));
	end_checked(j, i, true);
	return true;
}

bool emit_fmadd(struct jit *j, const struct insn *i) { return fused(j, i, FMA_ADD); }
bool emit_fmsub(struct jit *j, const struct insn *i) { return fused(j, i, FMA_NEG_ADD); }
bool emit_fnmadd(struct jit *j, const struct insn *i) { return fused(j, i, FMA_NEG_SUB); }
bool emit_fnmsub(struct jit *j, const struct insn *i) { return fused(j, i, FMA_SUB); }

/* ---- Signs: bits, not numbers ---- */

static bool change_sign(struct jit *j, const struct insn *i, bool absolute)
{
	bool lone_half = i->a == FP_H && fp_is_scalar(i);
	struct x86_rm n = vec_rm(i->rn);

	if (lone_half) { /* the only lane that cannot be cut out afterwards */
		lane_to_gpr(j, FP_H, i->rn, RCX);
		x86_vmovd(&j->a, XMM1, x86_r(RCX));
		n = x86_r(XMM1);
		x86_mov_imm(&j->a, RCX, absolute ? 0x7fff : 0x8000);
		x86_vmovd(&j->a, XMM0, x86_r(RCX));
	} else {
		signs(j, 0, 8u << i->a, absolute, XMM0);
	}
	x86_vex(&j->a, absolute ? V_AND : V_XOR, XMM0, XMM0, n);
	vec_end(j, i->rd, lone_half ? 16 : (unsigned)i->b << i->a);
	return true;
}

bool emit_fabs(struct jit *j, const struct insn *i) { return change_sign(j, i, true); }
bool emit_fneg(struct jit *j, const struct insn *i) { return change_sign(j, i, false); }

/* ---- To integers in floating point format ---- */

static bool to_int(struct jit *j, const struct insn *i, unsigned mode)
{
	if (!fp_host(j, i))
		return false;
	flags_clobber(j);
	fp_to_int(j, i, mode, XMM0, fp_use(j, i, i->rn, XMM0));
	fp_end_operand_nan(j, i);
	return true;
}

bool emit_frintn(struct jit *j, const struct insn *i) { return to_int(j, i, TO_NEAREST | QUIETLY); }
bool emit_frintp(struct jit *j, const struct insn *i) { return to_int(j, i, TO_ABOVE | QUIETLY); }
bool emit_frintm(struct jit *j, const struct insn *i) { return to_int(j, i, TO_BELOW | QUIETLY); }
bool emit_frintz(struct jit *j, const struct insn *i) { return to_int(j, i, TO_ZERO | QUIETLY); }
bool emit_frinti(struct jit *j, const struct insn *i) { return to_int(j, i, TO_MXCSR | QUIETLY); }
bool emit_frintx(struct jit *j, const struct insn *i) { return to_int(j, i, TO_MXCSR); }

/*
 * The host has no such mode. With t = trunc(|x|) and d = |x| - t, t + trunc(2d) is
 * it, and every step is exact; then the sign comes back (also to 0, which d may have
 * as -0 when rounding goes down). What has no fraction for its size, infinities and
 * NaNs go to exec_: they would raise something here.
 */
void fp_to_int_away(struct jit *j, const struct insn *i, int x)
{
	unsigned bits = i->a == FP_D ? 64 : 32;

	vec_not_signs(j, bits, XMM1);
	x86_vex(&j->a, V_AND, XMM1, XMM1, x86_r(x));
	fp_splat(j, i, XMM2, i->a == FP_D ? 0x1p52 : 0x1p23);
	if (fp_is_scalar(i)) {
		x86_vex2(&j->a, packed(i, FP_UCOMI), XMM2, x86_r(XMM1));
		slow_if(j, CC_BE);
	} else {
		fp_cmp(j, i, CMP_NLT, XMM2, XMM1, x86_r(XMM2));
		x86_vex2(&j->a, V_PTEST, XMM2, x86_r(XMM2));
		slow_if(j, CC_NE);
	}
	fp_to_int(j, i, TO_ZERO | QUIETLY, XMM2, XMM1);
	fp_v(j, i, FP_SUB, XMM1, XMM1, x86_r(XMM2));
	fp_v(j, i, FP_ADD, XMM1, XMM1, x86_r(XMM1));
	fp_to_int(j, i, TO_ZERO | QUIETLY, XMM1, XMM1);
	fp_v(j, i, FP_ADD, XMM2, XMM2, x86_r(XMM1));
	vec_signs(j, bits, XMM1);
	x86_vex(&j->a, V_ANDN, XMM2, XMM1, x86_r(XMM2));
	x86_vex(&j->a, V_AND, XMM1, XMM1, x86_r(x));
	x86_vex(&j->a, V_OR, XMM0, XMM2, x86_r(XMM1));
}

bool emit_frinta(struct jit *j, const struct insn *i)
{
	if (!fp_host(j, i) || width_l(i))
		return false;
	flags_clobber(j);
	fp_to_int_away(j, i, fp_use(j, i, i->rn, XMM0));
	fp_end(j, i);
	return true;
}

/* ---- Comparison and selection ---- */

/*
 * UCOMI answers as if it compared unsigned numbers: CF less, ZF equal, both and PF
 * when not ordered. al - CF has Arm's answer in the form of a subtraction when al is
 * 1 for greater, 0 for less or equal, and 0x80, from which 1 overflows, for not ordered.
 */
static void compare(struct jit *j, const struct insn *i, bool zero, bool signal)
{
	int n = fp_use(j, i, i->rn, XMM0);
	struct x86_rm m = x86_r(XMM1);

	if (zero)
		x86_vex(&j->a, V_XOR, XMM1, XMM1, m);
	else
		m = fp_rm(j, i, i->rm, XMM1);
	x86_vex2(&j->a, packed(i, signal ? FP_COMI : FP_UCOMI), n, m);
	x86_setcc(&j->a, CC_A, x86_r(RAX));
	x86_mov_imm(&j->a, RCX, 0x80);
	x86_cmov(&j->a, false, CC_P, RAX, x86_r(RCX));
	x86_op8(&j->a, 0x80, X86_SBB, x86_r(RAX));
	x86_b(&j->a, 0);
}

static bool compare_sets(struct jit *j, const struct insn *i, bool zero, bool signal)
{
	if (!fp_host(j, i))
		return false;
	compare(j, i, zero, signal);
	flags_set(j, FL_SUB);
	return true;
}

static struct insn one_lane(const struct insn *i)
{
	struct insn scalar = *i;

	scalar.b = 1;
	return scalar;
}

bool emit_fcmp(struct jit *j, const struct insn *i) { return compare_sets(j, i, false, false); }
bool emit_fcmpe(struct jit *j, const struct insn *i) { return compare_sets(j, i, false, true); }
bool emit_fcmp_zero(struct jit *j, const struct insn *i) { return compare_sets(j, i, true, false); }
bool emit_fcmpe_zero(struct jit *j, const struct insn *i) { return compare_sets(j, i, true, true); }

static bool compare_if(struct jit *j, const struct insn *i, bool signal)
{
	const struct insn scalar = one_lane(i);
	uint8_t *fails, *done;

	if (!fp_host(j, i))
		return false;
	if (i->b >= 14) /* AL */
		return compare_sets(j, &scalar, false, signal);
	fails = x86_jcc8(&j->a, x86_not(flags_cond(j, i->b)));
	compare(j, &scalar, false, signal);
	done = x86_jmp8(&j->a);
	x86_aim8(fails, j->a.p);
	flags_load_imm(j, (uint32_t)i->imm);
	x86_aim8(done, j->a.p);
	flags_set(j, FL_SUB);
	return true;
}

bool emit_fccmp(struct jit *j, const struct insn *i) { return compare_if(j, i, false); }
bool emit_fccmpe(struct jit *j, const struct insn *i) { return compare_if(j, i, true); }

/* ---- Moves ---- */

/* Vd = the whole of 64 bits, zero above. */
static void gpr_to_vec(struct jit *j, unsigned n, struct x86_rm src)
{
	int dst = vec_def(n, XMM0);

	x86_vmovq(&j->a, dst, src);
	vec_done(j, n, dst);
}

/* A choice of numbers by compared numbers is what branch prediction is worst at. */
bool emit_fcsel(struct jit *j, const struct insn *i)
{
	enum x86_cond cc;

	if (i->b < 14) {
		cc = flags_cond(j, i->b);
		lane_to_gpr(j, i->a, i->rm, RCX);
		lane_to_gpr(j, i->a, i->rn, RDX);
		x86_cmov(&j->a, true, cc, RCX, x86_r(RDX));
	} else {
		lane_to_gpr(j, i->a, i->rn, RCX);
	}
	gpr_to_vec(j, i->rd, x86_r(RCX));
	return true;
}

bool emit_fmov(struct jit *j, const struct insn *i)
{
	struct x86_rm n = vec_rm(i->rn);
	int dst;

	if (i->a == FP_D) {
		dst = vec_def(i->rd, XMM0);
		x86_vex2(&j->a, V_MOVQ, dst, n);
		vec_done(j, i->rd, dst);
	} else if (i->a == FP_S && n.is_reg) {
		dst = vec_def(i->rd, XMM0);
		x86_vex_imm(&j->a, V_INSERTPS, dst, n.base, n, 0x0e);
		vec_done(j, i->rd, dst);
	} else {
		lane_to_gpr(j, i->a, i->rn, RCX);
		gpr_to_vec(j, i->rd, x86_r(RCX));
	}
	return true;
}

bool emit_fmov_imm(struct jit *j, const struct insn *i)
{
	x86_mov_imm(&j->a, RCX, (uint64_t)i->imm);
	gpr_to_vec(j, i->rd, x86_r(RCX));
	return true;
}

bool emit_fmov_to_general(struct jit *j, const struct insn *i)
{
	int dst = reg_def(i->rd, RCX);

	lane_to_gpr(j, i->a, i->rn, dst);
	reg_done(j, i->rd, dst);
	return true;
}

bool emit_fmov_from_general(struct jit *j, const struct insn *i)
{
	struct x86_rm n = reg_rm(i->rn);

	if (i->rn == SLOT_ZERO) {
		x86_vex(&j->a, V_XOR, XMM0, XMM0, x86_r(XMM0));
		vec_end(j, i->rd, 16);
		return true;
	}
	if (i->a == FP_S)
		x86_mov(&j->a, false, RCX, n);
	else if (i->a == FP_H)
		x86_movzx16(&j->a, RCX, n);
	gpr_to_vec(j, i->rd, i->a == FP_D ? n : x86_r(RCX));
	return true;
}

bool emit_fmov_top_to_general(struct jit *j, const struct insn *i)
{
	struct x86_rm n = vec_rm(i->rn);
	int dst = reg_def(i->rd, RCX);

	if (n.is_reg) {
		x86_vex2_imm(&j->a, V_PEXTRQ, n.base, x86_r(dst), 1);
	} else {
		n.disp += 8;
		x86_mov(&j->a, true, dst, n);
	}
	reg_done(j, i->rd, dst);
	return true;
}

bool emit_fmov_top_from_general(struct jit *j, const struct insn *i)
{
	int old = vec_use(j, i->rd, XMM0), dst = vec_def(i->rd, XMM0);

	x86_vex_imm(&j->a, V_PINSRQ, dst, old, reg_rm(i->rn), 1);
	vec_done(j, i->rd, dst);
	return true;
}

/* ---- Conversions ---- */

/* a: from, b: to. From double to half there is no way that rounds once. */
bool emit_fcvt(struct jit *j, const struct insn *i)
{
	struct insn from = one_lane(i), to = from;
	int n;

	to.a = i->b;
	if (!fp_native(j) || (i->a == FP_D && i->b == FP_H))
		return false;
	flags_clobber(j);
	n = fp_use(j, &from, i->rn, XMM0);
	if (i->a == FP_S && i->b == FP_D)
		x86_vex(&j->a, VEX(2, 1, 0, 0x5a), XMM0, n, x86_r(n));
	else if (i->a == FP_D)
		x86_vex(&j->a, VEX(3, 1, 0, 0x5a), XMM0, n, x86_r(n));
	else if (i->a == FP_H && i->b == FP_D)
		x86_vex(&j->a, VEX(2, 1, 0, 0x5a), XMM0, XMM0, x86_r(XMM0));
	else if (i->a == FP_S)
		x86_vex_imm(&j->a, V_INSERTPS, XMM0, n, x86_r(n), 0x0e);
	fp_end_operand_nan(j, &to);
	return true;
}

/* rcx = the exponent field of a scalar, and the sign above it unless @magnitude. */
static void exponent_to_gpr(struct jit *j, const struct insn *i, int x, bool magnitude)
{
	bool w = i->a == FP_D;

	if (w)
		x86_vmovq_store(&j->a, x86_r(RCX), x);
	else
		x86_vmovd_store(&j->a, x86_r(RCX), x);
	if (magnitude)
		x86_alu(&j->a, X86_ADD, w, RCX, x86_r(RCX));
	x86_shift_imm(&j->a, X86_SHR, w, x86_r(RCX), (w ? 52u : 23u) + magnitude);
}

static int exponent_of_2_to(const struct insn *i, unsigned n) { return (i->a == FP_D ? 1023 : 127) + (int)n; }

static void cvtt_to_gpr(struct jit *j, const struct insn *i, bool w, int x)
{
	x86_vex2(&j->a, VEX(i->a == FP_D ? 3 : 2, 1, w, 0x2c), RCX, x86_r(x));
}

/*
 * The host has signed conversions, whose result is the least number, and an invalid
 * operation, when the value does not fit. Unsigned ones must not be tried when they
 * may not fit: "inexact" or "invalid" would be raised of another conversion. Below 0
 * and from 2^63 up exec_ does them.
 */
static void convert_to_gpr(struct jit *j, const struct insn *i, int x, bool is_signed, unsigned width)
{
	if (is_signed) {
		cvtt_to_gpr(j, i, width == 64, x);
		x86_alu_imm(&j->a, X86_CMP, width == 64, x86_r(RCX), 1);
		slow_if(j, CC_O);
		return;
	}
	exponent_to_gpr(j, i, x, false);
	x86_alu_imm(&j->a, X86_CMP, false, x86_r(RCX), exponent_of_2_to(i, width == 64 ? 63 : 32));
	slow_if(j, CC_AE);
	cvtt_to_gpr(j, i, true, x);
}

unsigned fp_mode(enum fp_round rm)
{
	static const uint8_t modes[] = {
		[FP_RN] = TO_NEAREST, [FP_RP] = TO_ABOVE, [FP_RM] = TO_BELOW, [FP_RZ] = TO_ZERO
	};

	return modes[rm];
}

/* xmm0 = @x * 2^n, when that cannot overflow. */
static void scale_up(struct jit *j, const struct insn *i, int x, unsigned n)
{
	exponent_to_gpr(j, i, x, true);
	x86_alu_imm(&j->a, X86_CMP, false, x86_r(RCX), exponent_of_2_to(i, 64));
	slow_if(j, CC_AE);
	fp_splat(j, i, XMM1, (double)(1ull << (n - 1)) * 2);
	fp_v(j, i, FP_MUL, XMM0, x, x86_r(XMM1));
}

/* What rounds itself raises "inexact" at the end, when it is known that there is nothing else to raise. */
void fp_scalar_to_gpr(struct jit *j, const struct insn *i, int x, enum fp_round rm, bool is_signed, unsigned width)
{
	if (i->imm) {
		scale_up(j, i, x, (unsigned)i->imm);
		x = XMM0;
	}
	if (rm == FP_RZ) {
		convert_to_gpr(j, i, x, is_signed, width);
		return;
	}
	if (rm == FP_RA) {
		x86_vmovq_store(&j->a, x86_r(RDX), x);
		fp_to_int_away(j, i, x);
		convert_to_gpr(j, i, XMM0, is_signed, width);
		x86_vmovq(&j->a, XMM1, x86_r(RDX));
		fp_to_int(j, i, TO_ZERO, XMM1, XMM1);
		return;
	}
	fp_to_int(j, i, fp_mode(rm) | QUIETLY, XMM1, x);
	convert_to_gpr(j, i, XMM1, is_signed, width);
	fp_to_int(j, i, fp_mode(rm), XMM1, x);
}

static bool to_general(struct jit *j, const struct insn *i, enum fp_round rm, bool is_signed)
{
	struct insn scalar = one_lane(i);

	if (!fp_host(j, i))
		return false;
	flags_clobber(j);
	fp_scalar_to_gpr(j, &scalar, fp_use(j, &scalar, i->rn, XMM0), rm, is_signed, i->b);
	reg_done(j, i->rd, RCX);
	return true;
}

bool emit_fcvtns_general(struct jit *j, const struct insn *i) { return to_general(j, i, FP_RN, true); }
bool emit_fcvtnu_general(struct jit *j, const struct insn *i) { return to_general(j, i, FP_RN, false); }
bool emit_fcvtps_general(struct jit *j, const struct insn *i) { return to_general(j, i, FP_RP, true); }
bool emit_fcvtpu_general(struct jit *j, const struct insn *i) { return to_general(j, i, FP_RP, false); }
bool emit_fcvtms_general(struct jit *j, const struct insn *i) { return to_general(j, i, FP_RM, true); }
bool emit_fcvtmu_general(struct jit *j, const struct insn *i) { return to_general(j, i, FP_RM, false); }
bool emit_fcvtzs_general(struct jit *j, const struct insn *i) { return to_general(j, i, FP_RZ, true); }
bool emit_fcvtzu_general(struct jit *j, const struct insn *i) { return to_general(j, i, FP_RZ, false); }
bool emit_fcvtas_general(struct jit *j, const struct insn *i) { return to_general(j, i, FP_RA, true); }
bool emit_fcvtau_general(struct jit *j, const struct insn *i) { return to_general(j, i, FP_RA, false); }

/* dst = a general register or memory as a number, zero above; @w: 64 bits. */
void fp_from_gpr(struct jit *j, const struct insn *i, bool w, int dst, struct x86_rm src)
{
	x86_vex(&j->a, V_XOR, dst, dst, x86_r(dst)); /* nothing old to wait for */
	x86_vex(&j->a, VEX(i->a == FP_D ? 3 : 2, 1, w, 0x2a), dst, dst, src);
}

/* xmm0 *= 2^-n: exact, the least numbers are far away. */
void fp_scale_down(struct jit *j, const struct insn *i, unsigned n)
{
	fp_splat(j, i, XMM1, 0.5 / (double)(1ull << (n - 1)));
	fp_v(j, i, FP_MUL, XMM0, XMM0, x86_r(XMM1));
}

static bool from_general(struct jit *j, const struct insn *i, bool is_signed)
{
	struct insn scalar = one_lane(i);
	struct x86_rm src = reg_rm(i->rn);

	if (!fp_host(j, i) || i->a == FP_H)
		return false;
	if (!is_signed && i->b == 64) { /* as long as it is not negative as a signed number */
		flags_clobber(j);
		src = x86_r(reg_use(j, i->rn, RCX));
		x86_test(&j->a, true, src, src.base);
		slow_if(j, CC_S);
	} else if (!is_signed) {
		x86_mov(&j->a, false, RCX, src);
		src = x86_r(RCX);
	}
	fp_from_gpr(j, i, i->b == 64 || !is_signed, XMM0, src);
	if (i->imm)
		fp_scale_down(j, &scalar, (unsigned)i->imm);
	vec_end(j, i->rd, 16);
	return true;
}

bool emit_scvtf_general(struct jit *j, const struct insn *i) { return from_general(j, i, true); }
bool emit_ucvtf_general(struct jit *j, const struct insn *i) { return from_general(j, i, false); }

/* Exact when the way back leads to the same bits, which it does not to -0. What does not fit wraps: exec_. */
bool emit_fjcvtzs(struct jit *j, const struct insn *i)
{
	struct insn scalar = *i;
	int x;

	if (!fp_native(j))
		return false;
	scalar.a = FP_D;
	scalar.b = 1;
	x = vec_use(j, i->rn, XMM0);
	convert_to_gpr(j, &scalar, x, true, 32);
	fp_from_gpr(j, &scalar, false, XMM1, x86_r(RCX));
	x86_vmovq_store(&j->a, x86_r(RDX), x);
	x86_vmovq_store(&j->a, x86_r(RAX), XMM1);
	reg_done(j, i->rd, RCX);
	x86_alu(&j->a, X86_CMP, true, RDX, x86_r(RAX));
	x86_setcc(&j->a, CC_NE, x86_r(RAX));
	x86_op8(&j->a, 0x84, RAX, x86_r(RAX)); /* test al, al: N, C and V are 0 */
	flags_set(j, FL_ADD);
	return true;
}
