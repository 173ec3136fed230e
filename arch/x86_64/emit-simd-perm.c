/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer Advanced SIMD: copy, permute, extract, table lookup (emit-simd.h). */
#include "emit-simd.h"

/* vpextrb, w, d, q to a general register or memory; vpinsrb, w, d, q from one. */
static const uint32_t vpextr[4] = { VEX(1, 3, 0, 0x14), VEX(1, 3, 0, 0x15), VEX(1, 3, 0, 0x16), VEX(1, 3, 1, 0x16) };
static const uint32_t vpinsr[4] = { VEX(1, 3, 0, 0x20), VEX(1, 1, 0, 0xc4), VEX(1, 3, 0, 0x22), VEX(1, 3, 1, 0x22) };
static const uint32_t vpbroadcast[4] = { VPBROADCASTB, VPBROADCASTW, VPBROADCASTD, VPBROADCASTQ };

/* Lane @index of Vn, which is not pinned, in struct cpu. */
static struct x86_rm lane_m(const struct insn *i, unsigned index)
{
	struct x86_rm m = vec_rm(i->rn);

	m.disp += (int32_t)(index << i->a);
	return m;
}

/* ---- Copy ---- */

/* Every lane of @d = lane 0 of @s. */
static void broadcast(struct jit *j, const struct insn *i, int d, int s) { vop1(j, vpbroadcast[i->a], d, s); }

bool emit_dup_elem(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0), n = vec_pinned(i->rn);

	if (n == X86_NONE) {
		x86_vex2(&j->a, vpbroadcast[i->a], d, lane_m(i, (unsigned)i->imm));
	} else {
		if (i->imm)
			vshr_bytes(j, XMM0, n, (unsigned)i->imm << i->a);
		broadcast(j, i, d, i->imm ? XMM0 : n);
	}
	simd_put(j, i->rd, d, i->b);
	return true;
}

bool emit_dup_gen(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	if (i->rn == SLOT_ZERO) {
		vzero(j, d);
		vec_done(j, i->rd, d);
		return true;
	}
	x86_vex2(&j->a, VEX(1, 1, i->a == 3, 0x6e), XMM0, reg_rm(i->rn)); /* vmovd, vmovq */
	broadcast(j, i, d, XMM0);
	simd_put(j, i->rd, d, i->b);
	return true;
}

/* One 64-bit lane of Vd, the other kept: every combination is one instruction. */
static void insert_doubleword(struct jit *j, const struct insn *i, int x, int d, int n)
{
	if (i->imm == i->ra)
		vop_imm(j, VPBLENDD, x, d, n, i->imm ? 0xc : 0x3);
	else if (i->imm)
		vop(j, VPUNPCKLQDQ, x, d, n);
	else
		vop(j, VPUNPCKHQDQ, x, n, d);
}

bool emit_ins_elem(struct jit *j, const struct insn *i)
{
	int x = vec_def(i->rd, XMM0), d = vec_use(j, i->rd, XMM0), n = vec_pinned(i->rn);
	unsigned to = (unsigned)i->imm;

	if (n == X86_NONE) {
		x86_vex_imm(&j->a, vpinsr[i->a], x, d, lane_m(i, i->ra), to);
	} else if (i->a == 3) {
		insert_doubleword(j, i, x, d, n);
	} else if (i->a == 2) {
		vop_imm(j, VINSERTPS, x, d, n, (unsigned)i->ra << 6 | to << 4);
	} else {
		x86_vex2_imm(&j->a, vpextr[i->a], n, x86_r(RAX), i->ra);
		x86_vex_imm(&j->a, vpinsr[i->a], x, d, x86_r(RAX), to);
	}
	vec_done(j, i->rd, x);
	return true;
}

bool emit_ins_gen(struct jit *j, const struct insn *i)
{
	int x = vec_def(i->rd, XMM0), d = vec_use(j, i->rd, XMM0);

	x86_vex_imm(&j->a, vpinsr[i->a], x, d, reg_rm(i->rn), (unsigned)i->imm);
	vec_done(j, i->rd, x);
	return true;
}

/* @x = a lane of Vn, extended to 32 bits and with zeroes to 64, or with the sign to 32 or 64 (@w). */
static void load_lane(struct jit *j, const struct insn *i, bool is_signed, bool w, int x)
{
	struct x86_rm m = lane_m(i, (unsigned)i->imm);

	if (i->a == 0 && is_signed)
		x86_movsx8(&j->a, w, x, m);
	else if (i->a == 0)
		x86_movzx8(&j->a, x, m);
	else if (i->a == 1 && is_signed)
		x86_movsx16(&j->a, w, x, m);
	else if (i->a == 1)
		x86_movzx16(&j->a, x, m);
	else if (i->a == 2 && is_signed)
		x86_movsxd(&j->a, x, m);
	else
		x86_mov(&j->a, i->a == 3, x, m);
}

static void extract_lane(struct jit *j, const struct insn *i, bool is_signed, bool w, int x)
{
	int n = vec_pinned(i->rn);

	if (i->a >= 2 && i->imm == 0)
		x86_vex2(&j->a, VEX(1, 1, i->a == 3, 0x7e), n, x86_r(x)); /* vmovd, vmovq */
	else
		x86_vex2_imm(&j->a, vpextr[i->a], n, x86_r(x), (unsigned)i->imm);
	if (!is_signed)
		return;
	if (i->a == 0)
		x86_movsx8(&j->a, w, x, x86_r(x));
	else if (i->a == 1)
		x86_movsx16(&j->a, w, x, x86_r(x));
	else
		x86_movsxd(&j->a, x, x86_r(x));
}

static bool to_general(struct jit *j, const struct insn *i, bool is_signed, bool w)
{
	int x = reg_def(i->rd, RAX);

	if (vec_pinned(i->rn) == X86_NONE)
		load_lane(j, i, is_signed, w, x);
	else
		extract_lane(j, i, is_signed, w, x);
	reg_done(j, i->rd, x);
	return true;
}

bool emit_umov(struct jit *j, const struct insn *i) { return to_general(j, i, false, false); }
bool emit_smov_w(struct jit *j, const struct insn *i) { return to_general(j, i, true, false); }
bool emit_smov_x(struct jit *j, const struct insn *i) { return to_general(j, i, true, true); }

/* ---- Permute ---- */

bool emit_zip1(struct jit *j, const struct insn *i) { return simd_same(j, i, vpunpckl[i->a]); }

/* The upper halves of 64 bits are the upper half of what the lower ones make. */
bool emit_zip2(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	if (i->b == 4)
		return simd_same(j, i, vpunpckh[i->a]);
	x86_vex(&j->a, vpunpckl[i->a], XMM0, vec_use(j, i->rn, XMM0), vec_rm(i->rm));
	vshr_bytes(j, d, XMM0, 8);
	vec_done(j, i->rd, d);
	return true;
}

/* xmm0 = Vn:Vm of 64 bits, as one register. */
static void join_halves(struct jit *j, const struct insn *i)
{
	x86_vex(&j->a, VPUNPCKLQDQ, XMM0, vec_use(j, i->rn, XMM0), vec_rm(i->rm));
}

typedef void pick_fn(struct jit *j, unsigned lane, int d, int s);

/* Bytes and halves: the wanted lanes of each register widened in place, and packed. */
static bool unzip_small(struct jit *j, const struct insn *i, pick_fn *pick)
{
	int d = vec_def(i->rd, XMM0), m = XMM0;

	if (i->b == 3) {
		join_halves(j, i);
		pick(j, i->a, XMM0, XMM0);
	} else {
		pick(j, i->a, XMM0, vec_use(j, i->rn, XMM0));
		if (i->rm != i->rn) {
			m = XMM1;
			pick(j, i->a, XMM1, vec_use(j, i->rm, XMM1));
		}
	}
	vpack(j, i->a, d, XMM0, m);
	simd_put(j, i->rd, d, i->b);
	return true;
}

static bool unzip_words(struct jit *j, const struct insn *i, unsigned order)
{
	int d = vec_def(i->rd, XMM0);

	x86_vex_imm(&j->a, VSHUFPS, d, vec_use(j, i->rn, XMM0), vec_rm(i->rm), order);
	vec_done(j, i->rd, d);
	return true;
}

/* Two lanes in each operand: ZIP, UZP and TRN are the same. */
bool emit_uzp1(struct jit *j, const struct insn *i)
{
	if (i->a < 2)
		return unzip_small(j, i, veven);
	return i->b == 4 && i->a == 2 ? unzip_words(j, i, 0x88) : emit_zip1(j, i);
}

bool emit_uzp2(struct jit *j, const struct insn *i)
{
	if (i->a < 2)
		return unzip_small(j, i, vodd);
	return i->b == 4 && i->a == 2 ? unzip_words(j, i, 0xdd) : emit_zip2(j, i);
}

/* xmm0 has been shifted to its places; the others, bit k of @words for 16 bits, are those of @v. */
static bool transpose_end(struct jit *j, const struct insn *i, unsigned v, unsigned words)
{
	int d = vec_def(i->rd, XMM0);

	x86_vex_imm(&j->a, VPBLENDW, d, XMM0, vec_rm(v), words);
	simd_put(j, i->rd, d, i->b);
	return true;
}

/* Bytes: there is no blend with a constant for them. */
static bool transpose_bytes(struct jit *j, const struct insn *i, bool odd)
{
	int d = vec_def(i->rd, XMM0), n = vec_use(j, i->rn, XMM0), m = vec_use(j, i->rm, XMM1);

	if (odd) {
		vodd(j, 0, XMM0, n);
		vodd(j, 0, XMM1, m);
		m = XMM1;
	} else {
		veven(j, 0, XMM0, n);
	}
	vshl(j, 1, XMM1, m, 8, X86_NONE);
	vop(j, VPOR, d, XMM0, XMM1);
	simd_put(j, i->rd, d, i->b);
	return true;
}

bool emit_trn1(struct jit *j, const struct insn *i)
{
	if (i->a == 0)
		return transpose_bytes(j, i, false);
	if (i->a == 3)
		return emit_zip1(j, i);
	vshl(j, i->a + 1u, XMM0, vec_use(j, i->rm, XMM0), 8u << i->a, X86_NONE);
	return transpose_end(j, i, i->rn, i->a == 1 ? 0x55 : 0x33);
}

bool emit_trn2(struct jit *j, const struct insn *i)
{
	if (i->a == 0)
		return transpose_bytes(j, i, true);
	if (i->a == 3)
		return emit_zip2(j, i);
	vshr(j, false, i->a + 1u, XMM0, vec_use(j, i->rn, XMM0), 8u << i->a, X86_NONE);
	return transpose_end(j, i, i->rm, i->a == 1 ? 0xaa : 0xcc);
}

/* ---- Extract ---- */

bool emit_ext(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	if (i->b == 4) {
		x86_vex_imm(&j->a, VPALIGNR, d, vec_use(j, i->rm, XMM0), vec_rm(i->rn), (unsigned)i->imm);
	} else {
		join_halves(j, i);
		vshr_bytes(j, d, XMM0, (unsigned)i->imm);
	}
	simd_put(j, i->rd, d, i->b);
	return true;
}

/* ---- Table lookup ---- */

/*
 * vpshufb looks at bits 3:0 of an index and gives 0 when bit 7 is set. Adding what is
 * left to 128, with saturation, sets bit 7 of every index behind the table and leaves
 * bits 3:0 of the others alone. Which register it is, is then in bits 5:4: 3 for the
 * last one, and so on down.
 */

static void look_up(struct jit *j, const struct insn *i, unsigned k, int d)
{
	x86_vex(&j->a, VPSHUFB, d, vec_use(j, (i->rn + k) & 31, d), simd_spill(0));
}

/* Bytes of xmm0, or of xmm2 where bit 7 of xmm1 is set. */
static void choose(struct jit *j) { x86_vex_imm(&j->a, VPBLENDVB, XMM0, XMM0, x86_r(XMM2), XMM1 << 4); }

/* xmm0 = what the table has, or 0, for the indices in xmm1. Uses all three. */
static void table(struct jit *j, const struct insn *i)
{
	unsigned regs = (unsigned)i->imm;

	x86_vmovdqu_store(&j->a, simd_spill(0), XMM1);
	vshl(j, 1, XMM1, XMM1, 3, X86_NONE); /* bit 4 goes to bit 7; the others do not matter */
	look_up(j, i, regs - 2, XMM0);
	look_up(j, i, regs - 1, XMM2);
	choose(j);
	if (regs == 2)
		return;
	x86_vmovdqu_store(&j->a, simd_spill(1), XMM0);
	if (regs == 4) {
		look_up(j, i, 0, XMM0);
		look_up(j, i, 1, XMM2);
		choose(j);
	} else {
		look_up(j, i, 0, XMM0);
	}
	x86_vmovdqu(&j->a, XMM1, simd_spill(0));
	vshl(j, 1, XMM1, XMM1, 2, X86_NONE); /* bit 5 */
	x86_vmovdqu(&j->a, XMM2, simd_spill(1));
	choose(j);
}

static bool table_lookup(struct jit *j, const struct insn *i, bool keep)
{
	unsigned regs = (unsigned)i->imm;

	vsplat(j, XMM1, lane_copies(0, 128 - 16 * regs));
	x86_vex(&j->a, vpaddus[0], XMM1, XMM1, vec_rm(i->rm));
	if (regs == 1)
		vop(j, VPSHUFB, XMM0, vec_use(j, i->rn, XMM0), XMM1);
	else
		table(j, i);
	if (keep) {
		if (regs > 1)
			x86_vmovdqu(&j->a, XMM1, simd_spill(0));
		x86_vex_imm(&j->a, VPBLENDVB, XMM0, XMM0, vec_rm(i->rd), XMM1 << 4);
	}
	simd_put(j, i->rd, XMM0, i->b);
	return true;
}

bool emit_tbl(struct jit *j, const struct insn *i) { return table_lookup(j, i, false); }
bool emit_tbx(struct jit *j, const struct insn *i) { return table_lookup(j, i, true); }
