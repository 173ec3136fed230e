/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm ARM, "Data Processing -- Scalar Floating-Point", and the lane by lane
 * operations that Advanced SIMD has as well: a scalar is a vector of one lane
 * (exec-fp.h), so FADD Sd and FADD Vd.4S are the same function.
 */
#include "exec-fp.h"

/* ---- Arithmetic ---- */

LANES2(exec_fadd, fp_add(&e, f, x, y))
LANES2(exec_fsub, fp_sub(&e, f, x, y))
LANES2(exec_fmul, fp_mul(&e, f, x, y))
LANES2(exec_fnmul, fp_neg(f, fp_mul(&e, f, x, y)))
LANES2(exec_fdiv, fp_div(&e, f, x, y))
LANES2(exec_fmax, fp_max(&e, f, x, y))
LANES2(exec_fmin, fp_min(&e, f, x, y))
LANES2(exec_fmaxnm, fp_maxnm(&e, f, x, y))
LANES2(exec_fminnm, fp_minnm(&e, f, x, y))

LANES1(exec_fabs, fp_abs(f, x))
LANES1(exec_fneg, fp_neg(f, x))
LANES1(exec_fsqrt, fp_sqrt(&e, f, x))

LANES1(exec_frintn, fp_round_int(&e, f, x, FP_RN, false))
LANES1(exec_frintp, fp_round_int(&e, f, x, FP_RP, false))
LANES1(exec_frintm, fp_round_int(&e, f, x, FP_RM, false))
LANES1(exec_frintz, fp_round_int(&e, f, x, FP_RZ, false))
LANES1(exec_frinta, fp_round_int(&e, f, x, FP_RA, false))
LANES1(exec_frinti, fp_round_int(&e, f, x, RMODE, false))
LANES1(exec_frintx, fp_round_int(&e, f, x, RMODE, true))
LANES1(exec_frint32z, fp_round_int_n(&e, f, x, FP_RZ, 32))
LANES1(exec_frint32x, fp_round_int_n(&e, f, x, RMODE, 32))
LANES1(exec_frint64z, fp_round_int_n(&e, f, x, FP_RZ, 64))
LANES1(exec_frint64x, fp_round_int_n(&e, f, x, RMODE, 64))

/* Vd = (-)Va + (-)Vn * Vm; the signs change before NaNs are looked at. */
static enum exec fused(struct cpu *c, const struct insn *i, bool negate_a, bool negate_n)
{
	uint64_t a = lane_get(cpu_v(c, i->ra), i->a, 0), n = lane_get(cpu_v(c, i->rn), i->a, 0);
	struct fp_env e = fp_begin(c);
	union vreg r = { .q = 0 };

	a = negate_a ? fp_neg(i->a, a) : a;
	n = negate_n ? fp_neg(i->a, n) : n;
	lane_set(&r, i->a, 0, fp_muladd(&e, i->a, a, n, lane_get(cpu_v(c, i->rm), i->a, 0)));
	return fp_end(c, i, &e, r);
}

enum exec exec_fmadd(struct cpu *c, const struct insn *i) { return fused(c, i, false, false); }
enum exec exec_fmsub(struct cpu *c, const struct insn *i) { return fused(c, i, false, true); }
enum exec exec_fnmadd(struct cpu *c, const struct insn *i) { return fused(c, i, true, true); }
enum exec exec_fnmsub(struct cpu *c, const struct insn *i) { return fused(c, i, true, false); }

/* ---- Comparison and selection ---- */

static enum exec compare(struct cpu *c, const struct insn *i, uint64_t m, bool signal)
{
	struct fp_env e = fp_begin(c);

	c->nzcv = fp_compare(&e, i->a, lane_get(cpu_v(c, i->rn), i->a, 0), m, signal);
	c->fpsr = e.sr;
	return EXEC_NEXT;
}

static uint64_t scalar_m(struct cpu *c, const struct insn *i) { return lane_get(cpu_v(c, i->rm), i->a, 0); }

enum exec exec_fcmp(struct cpu *c, const struct insn *i) { return compare(c, i, scalar_m(c, i), false); }
enum exec exec_fcmpe(struct cpu *c, const struct insn *i) { return compare(c, i, scalar_m(c, i), true); }
enum exec exec_fcmp_zero(struct cpu *c, const struct insn *i) { return compare(c, i, 0, false); }
enum exec exec_fcmpe_zero(struct cpu *c, const struct insn *i) { return compare(c, i, 0, true); }

enum exec exec_fccmp(struct cpu *c, const struct insn *i)
{
	if (cond_holds(c, i->b))
		return compare(c, i, scalar_m(c, i), false);
	c->nzcv = (uint32_t)i->imm;
	return EXEC_NEXT;
}

enum exec exec_fccmpe(struct cpu *c, const struct insn *i)
{
	if (cond_holds(c, i->b))
		return compare(c, i, scalar_m(c, i), true);
	c->nzcv = (uint32_t)i->imm;
	return EXEC_NEXT;
}

enum exec exec_fcsel(struct cpu *c, const struct insn *i)
{
	union vreg r = { .q = 0 };

	lane_set(&r, i->a, 0, lane_get(cpu_v(c, cond_holds(c, i->b) ? i->rn : i->rm), i->a, 0));
	cpu_set_v(c, i->rd, r);
	return EXEC_NEXT;
}

/* ---- Moves ---- */

LANES1(exec_fmov, x)

enum exec exec_fmov_imm(struct cpu *c, const struct insn *i)
{
	cpu_set_v(c, i->rd, (union vreg){ .d = { (uint64_t)i->imm } });
	return EXEC_NEXT;
}

enum exec exec_fmov_to_general(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = lane_get(cpu_v(c, i->rn), i->a, 0);
	return EXEC_NEXT;
}

enum exec exec_fmov_from_general(struct cpu *c, const struct insn *i)
{
	union vreg r = { .q = 0 };

	lane_set(&r, i->a, 0, c->x[i->rn]);
	cpu_set_v(c, i->rd, r);
	return EXEC_NEXT;
}

enum exec exec_fmov_top_to_general(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = cpu_v(c, i->rn)->d[1];
	return EXEC_NEXT;
}

/* The low half stays; what lies above 128 bits goes, as with every SIMD&FP write. */
enum exec exec_fmov_top_from_general(struct cpu *c, const struct insn *i)
{
	cpu_set_v(c, i->rd, (union vreg){ .d = { cpu_v(c, i->rd)->d[0], c->x[i->rn] } });
	return EXEC_NEXT;
}

/* ---- Conversions ---- */

static enum exec convert(struct cpu *c, const struct insn *i, enum fp_format to)
{
	struct fp_env e = fp_begin(c);
	union vreg r = { .q = 0 };

	lane_set(&r, to, 0, fp_convert(&e, i->a, to, lane_get(cpu_v(c, i->rn), i->a, 0), RMODE));
	return fp_end(c, i, &e, r);
}

enum exec exec_fcvt(struct cpu *c, const struct insn *i) { return convert(c, i, i->b); }
enum exec exec_bfcvt(struct cpu *c, const struct insn *i) { return convert(c, i, FP_B); }

static enum exec to_general(struct cpu *c, const struct insn *i, enum fp_round rm, bool is_signed)
{
	struct fp_env e = fp_begin(c);

	c->x[i->rd] =
		fp_to_fixed(&e, i->a, lane_get(cpu_v(c, i->rn), i->a, 0), (unsigned)i->imm, rm, is_signed, i->b);
	c->fpsr = e.sr;
	return EXEC_NEXT;
}

enum exec exec_fcvtns_general(struct cpu *c, const struct insn *i) { return to_general(c, i, FP_RN, true); }
enum exec exec_fcvtnu_general(struct cpu *c, const struct insn *i) { return to_general(c, i, FP_RN, false); }
enum exec exec_fcvtps_general(struct cpu *c, const struct insn *i) { return to_general(c, i, FP_RP, true); }
enum exec exec_fcvtpu_general(struct cpu *c, const struct insn *i) { return to_general(c, i, FP_RP, false); }
enum exec exec_fcvtms_general(struct cpu *c, const struct insn *i) { return to_general(c, i, FP_RM, true); }
enum exec exec_fcvtmu_general(struct cpu *c, const struct insn *i) { return to_general(c, i, FP_RM, false); }
enum exec exec_fcvtzs_general(struct cpu *c, const struct insn *i) { return to_general(c, i, FP_RZ, true); }
enum exec exec_fcvtzu_general(struct cpu *c, const struct insn *i) { return to_general(c, i, FP_RZ, false); }
enum exec exec_fcvtas_general(struct cpu *c, const struct insn *i) { return to_general(c, i, FP_RA, true); }
enum exec exec_fcvtau_general(struct cpu *c, const struct insn *i) { return to_general(c, i, FP_RA, false); }

static enum exec from_general(struct cpu *c, const struct insn *i, uint64_t v, bool is_signed)
{
	struct fp_env e = fp_begin(c);
	union vreg r = { .q = 0 };

	lane_set(&r, i->a, 0, fp_from_fixed(&e, i->a, v, (unsigned)i->imm, is_signed));
	return fp_end(c, i, &e, r);
}

enum exec exec_scvtf_general(struct cpu *c, const struct insn *i)
{
	return from_general(c, i, i->b == 64 ? c->x[i->rn] : (uint64_t)(int32_t)c->x[i->rn], true);
}

enum exec exec_ucvtf_general(struct cpu *c, const struct insn *i)
{
	return from_general(c, i, i->b == 64 ? c->x[i->rn] : (uint32_t)c->x[i->rn], false);
}

enum exec exec_fjcvtzs(struct cpu *c, const struct insn *i)
{
	struct fp_env e = fp_begin(c);
	bool exact;

	c->x[i->rd] = fp_to_int32_js(&e, cpu_v(c, i->rn)->d[0], &exact);
	c->nzcv = make_nzcv(false, exact, false, false);
	c->fpsr = e.sr;
	return EXEC_NEXT;
}
