/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads and stores of structures. One check covers the whole access, then elements
 * move between memory and the registers; where there is no short way they are
 * inserted or extracted one by one, and the longest of those (three registers of
 * 16 bytes each) are left to exec_.
 *
 * No element is split: vector moves keep aligned parts of 8 bytes whole.
 */
#include "emit.h"

enum { XMM0, XMM1, XMM2 };

enum { ELEMENTS_MAX = 24 }; /* that are moved one by one */

/* op dst, left, right; the element's size makes the opcode */
#define VXOR          VEX(1, 1, 0, 0xef)
#define VMOVDQU       VEX(2, 1, 0, 0x6f)
#define VSHUFFLE_S    VEX(0, 1, 0, 0xc6) /* vshufps: two words of left, then two of right */
#define VSHUFFLE_B    VEX(1, 2, 0, 0x00)
#define VSHUFFLE_W    VEX(1, 1, 0, 0x70)
#define VPERMUTE_D    VEX(1, 3, 1, 0x00) /* vpermq */
#define VEXTRACT_HALF VEX(1, 3, 0, 0x39) /* vextracti128; the source is the register operand */

/* The even and the odd words of left and right. */
enum { EVEN = 0x88, ODD = 0xdd };

/* Orders of four. */
enum { LOWER_TWICE = 0x44, MIDDLE_SWAPPED = 0xd8 };

static unsigned reg_bytes(const struct insn *i) { return i->word >> 30 & 1 ? 16 : 8; }
static unsigned struct_reg(const struct insn *i, unsigned k) { return (i->rd + k) & 31; }

static struct x86_rm at(struct x86_rm m, unsigned off)
{
	m.disp += (int32_t)off;
	return m;
}

/* Interleaves the lower or upper halves of @left and @right by elements of 1 << scale bytes. */
static void unpack(struct jit *j, unsigned l, unsigned scale, bool upper, int dst, int left, struct x86_rm right)
{
	unsigned op = scale == 3 ? 0x6c : 0x60 + scale;

	x86_vex_l(&j->a, l, VEX(1, 1, 0, op + (upper ? scale == 3 ? 1 : 8 : 0)), dst, left, right);
}

/* ---- Addresses ---- */

static struct x86_rm check(struct jit *j, const struct insn *i, unsigned bytes, bool write)
{
	return mem_check(j, i->rn, 0, bytes, write);
}

/* Rm is ZR when imm is what counts. */
static void post_index(struct jit *j, const struct insn *i)
{
	int base = reg_use(j, i->rn, RAX), d = reg_def(i->rn, RAX);

	if (i->imm)
		x86_lea(&j->a, true, d, x86_m(base, (int32_t)i->imm));
	else
		x86_lea(&j->a, true, d, x86_mi(base, reg_use(j, i->rm, RDX), 0, 0));
	reg_done(j, i->rn, d);
	if (i->rn == SLOT_SP && (i->rm != SLOT_ZERO || i->imm % 16))
		emit_check_sp(j);
}

/* ---- Whole registers from and to memory as it is ---- */

static void load_part(struct jit *j, int d, struct x86_rm m, unsigned bytes)
{
	if (bytes == 16)
		x86_vmovdqu(&j->a, d, m);
	else
		x86_vmovq(&j->a, d, m);
}

static void store_part(struct jit *j, struct x86_rm m, int s, unsigned bytes)
{
	if (bytes == 16)
		x86_vmovdqu_store(&j->a, m, s);
	else
		x86_vmovq_store(&j->a, m, s);
}

bool emit_ld1_multi(struct jit *j, const struct insn *i)
{
	unsigned n = reg_bytes(i);
	struct x86_rm m = check(j, i, n * i->a, false);

	for (unsigned k = 0; k < i->a; k++) {
		int d = vec_def(struct_reg(i, k), XMM0);

		load_part(j, d, at(m, k * n), n);
		vec_done(j, struct_reg(i, k), d);
	}
	return true;
}

bool emit_st1_multi(struct jit *j, const struct insn *i)
{
	unsigned n = reg_bytes(i);
	struct x86_rm m = check(j, i, n * i->a, true);

	for (unsigned k = 0; k < i->a; k++)
		store_part(j, at(m, k * n), vec_use(j, struct_reg(i, k), XMM0), n);
	return true;
}

/* ---- Single elements ---- */

/* Lane @lane of @xmm from memory. */
static void insert(struct jit *j, int xmm, struct x86_rm m, unsigned scale, unsigned lane)
{
	static const uint32_t op[] = { VEX(1, 3, 0, 0x20), VEX(1, 1, 0, 0xc4), VEX(1, 3, 0, 0x22),
				       VEX(1, 3, 1, 0x22) };

	x86_vex_imm(&j->a, op[scale], xmm, xmm, m, lane);
}

static void extract(struct jit *j, struct x86_rm m, int xmm, unsigned scale, unsigned lane)
{
	static const uint32_t op[] = { VEX(1, 3, 0, 0x14), VEX(1, 3, 0, 0x15), VEX(1, 3, 0, 0x16),
				       VEX(1, 3, 1, 0x16) };

	x86_vex2_imm(&j->a, op[scale], xmm, m, lane);
}

/* insn.ra: the lane. */
bool emit_ld_lane(struct jit *j, const struct insn *i)
{
	struct x86_rm m = check(j, i, (unsigned)i->a << i->b, false);

	for (unsigned k = 0; k < i->a; k++) {
		int d = vec_use(j, struct_reg(i, k), XMM0);

		insert(j, d, at(m, k << i->b), i->b, i->ra);
		vec_done(j, struct_reg(i, k), d);
	}
	return true;
}

bool emit_st_lane(struct jit *j, const struct insn *i)
{
	struct x86_rm m = check(j, i, (unsigned)i->a << i->b, true);

	for (unsigned k = 0; k < i->a; k++)
		extract(j, at(m, k << i->b), vec_use(j, struct_reg(i, k), XMM0), i->b, i->ra);
	return true;
}

bool emit_ld_rep(struct jit *j, const struct insn *i)
{
	static const uint32_t broadcast[] = { VEX(1, 2, 0, 0x78), VEX(1, 2, 0, 0x79), VEX(1, 2, 0, 0x58),
					      VEX(1, 2, 0, 0x59) };
	struct x86_rm m = check(j, i, (unsigned)i->a << i->b, false);

	for (unsigned k = 0; k < i->a; k++) {
		int d = vec_def(struct_reg(i, k), XMM0);

		x86_vex2(&j->a, broadcast[i->b], d, at(m, k << i->b));
		if (reg_bytes(i) == 8)
			x86_vmovq_xmm(&j->a, d, d);
		vec_done(j, struct_reg(i, k), d);
	}
	return true;
}

/* ---- Two registers ---- */

/* dst = the elements @k of 8 structures or less at @m; bytes and halves: their two lie in one lane twice as wide. */
static void pick_of_two(struct jit *j, const struct insn *i, int dst, struct x86_rm m, unsigned k)
{
	unsigned op = i->b ? 0x72 : 0x71, n = 8u << i->b;

	x86_vmovdqu(&j->a, dst, m);
	if (!k)
		x86_vex_imm(&j->a, VEX(1, 1, 0, op), 6, dst, x86_r(dst), n); /* shift left */
	x86_vex_imm(&j->a, VEX(1, 1, 0, op), 2, dst, x86_r(dst), n);         /* right */
}

static void load_of_two(struct jit *j, const struct insn *i, int d, struct x86_rm m, unsigned k)
{
	static const uint32_t pack[] = { VEX(1, 1, 0, 0x67), VEX(1, 2, 0, 0x2b) };
	bool whole = reg_bytes(i) == 16;

	if (!whole)
		x86_vex(&j->a, VXOR, XMM1, XMM1, x86_r(XMM1));
	if (i->b < 2) {
		pick_of_two(j, i, XMM0, m, k);
		if (whole)
			pick_of_two(j, i, XMM1, at(m, 16), k);
		x86_vex(&j->a, pack[i->b], d, XMM0, x86_r(XMM1));
	} else {
		x86_vmovdqu(&j->a, XMM0, m);
		if (whole)
			x86_vmovdqu(&j->a, XMM1, at(m, 16));
		if (i->b == 2)
			x86_vex_imm(&j->a, VSHUFFLE_S, d, XMM0, x86_r(XMM1), k ? ODD : EVEN);
		else
			unpack(j, 0, 3, k, d, XMM0, x86_r(XMM1));
	}
}

static void load_two(struct jit *j, const struct insn *i, struct x86_rm m)
{
	for (unsigned k = 0; k < 2; k++) {
		int d = vec_def(struct_reg(i, k), XMM0);

		load_of_two(j, i, d, m, k);
		vec_done(j, struct_reg(i, k), d);
	}
}

static void store_two(struct jit *j, const struct insn *i, struct x86_rm m)
{
	int s = vec_use(j, struct_reg(i, 0), XMM0);

	for (unsigned half = 0; half < reg_bytes(i) / 8; half++) {
		unpack(j, 0, i->b, half, XMM1, s, vec_rm(struct_reg(i, 1)));
		x86_vmovdqu_store(&j->a, at(m, 16 * half), XMM1);
	}
}

/* ---- Three registers, one element after the other ---- */

static void load_three(struct jit *j, const struct insn *i, struct x86_rm m)
{
	for (unsigned k = 0; k < 3; k++) {
		int d = vec_def(struct_reg(i, k), XMM0);

		x86_vex(&j->a, VXOR, d, d, x86_r(d));
		for (unsigned e = 0; e < reg_bytes(i) >> i->b; e++)
			insert(j, d, at(m, (3 * e + k) << i->b), i->b, e);
		vec_done(j, struct_reg(i, k), d);
	}
}

static void store_three(struct jit *j, const struct insn *i, struct x86_rm m)
{
	for (unsigned k = 0; k < 3; k++) {
		int s = vec_use(j, struct_reg(i, k), XMM0);

		for (unsigned e = 0; e < reg_bytes(i) >> i->b; e++)
			extract(j, at(m, (3 * e + k) << i->b), s, i->b, e);
	}
}

/* ---- Four registers: a transposition of words, before or after one inside of them ---- */

static void vex256_imm(struct jit *j, uint32_t op, int dst, struct x86_rm src, unsigned imm)
{
	x86_vex_l(&j->a, 1, op, dst, 0, src);
	x86_b(&j->a, imm);
}

/*
 * XMM0 and XMM1 (@l: YMM0 and YMM1, both halves) hold structures of four bytes or halves: puts
 * the elements 0 of 16 bytes into the first word, the elements 1 into the second one and so on.
 */
static void gather_words(struct jit *j, unsigned l, unsigned scale)
{
	static const uint64_t order[2][2] = { { 0x0d0905010c080400, 0x0f0b07030e0a0602 },
					      { 0x0b0a030209080100, 0x0f0e07060d0c0504 } };
	struct x86 *a = &j->a;

	x86_mov_imm(a, RAX, order[scale][0]);
	x86_vmovq(a, XMM2, x86_r(RAX));
	x86_mov_imm(a, RAX, order[scale][1]);
	insert(j, XMM2, x86_r(RAX), 3, 1);
	if (l)
		vex256_imm(j, VPERMUTE_D, XMM2, x86_r(XMM2), LOWER_TWICE);
	x86_vex_l(a, l, VSHUFFLE_B, XMM0, XMM0, x86_r(XMM2));
	x86_vex_l(a, l, VSHUFFLE_B, XMM1, XMM1, x86_r(XMM2));
}

/* Two registers of 8 bytes from the halves of @xmm. */
static void split_halves(struct jit *j, const struct insn *i, unsigned k, int xmm)
{
	int d = vec_def(struct_reg(i, k), XMM1);

	x86_vmovq_xmm(&j->a, d, xmm);
	vec_done(j, struct_reg(i, k), d);
	d = vec_def(struct_reg(i, k + 1), XMM1);
	x86_vex_imm(&j->a, VEX(1, 1, 0, 0x73), 3, d, x86_r(xmm), 8); /* vpsrldq */
	vec_done(j, struct_reg(i, k + 1), d);
}

static void load_four_short(struct jit *j, const struct insn *i, struct x86_rm m)
{
	x86_vmovdqu(&j->a, XMM0, m);
	x86_vmovdqu(&j->a, XMM1, at(m, 16));
	if (i->b < 2)
		gather_words(j, 0, i->b);
	unpack(j, 0, 2, false, XMM2, XMM0, x86_r(XMM1));
	unpack(j, 0, 2, true, XMM0, XMM0, x86_r(XMM1));
	split_halves(j, i, 0, XMM2);
	split_halves(j, i, 2, XMM0);
}

/* Two registers from ymm {a0 c0 a1 c1 b0 d0 b1 d1}: {a0 b0 c0 d0} and {a1 b1 c1 d1}. */
static void split_long(struct jit *j, const struct insn *i, unsigned k, int ymm)
{
	int d = vec_def(struct_reg(i, k), ymm);

	vex256_imm(j, VPERMUTE_D, ymm, x86_r(ymm), MIDDLE_SWAPPED);
	vex256_imm(j, VSHUFFLE_W, ymm, x86_r(ymm), MIDDLE_SWAPPED);
	if (d != ymm)
		x86_vmovdqa(&j->a, d, x86_r(ymm));
	vec_done(j, struct_reg(i, k), d);
	d = vec_def(struct_reg(i, k + 1), XMM1);
	vex256_imm(j, VEXTRACT_HALF, ymm, x86_r(d), 1);
	vec_done(j, struct_reg(i, k + 1), d);
}

/* The upper halves are left zero: else the compiler's SSE code would have to keep them. */
static void load_four_long(struct jit *j, const struct insn *i, struct x86_rm m)
{
	x86_vex_l(&j->a, 1, VMOVDQU, XMM0, 0, m);
	x86_vex_l(&j->a, 1, VMOVDQU, XMM1, 0, at(m, 32));
	if (i->b < 2)
		gather_words(j, 1, i->b);
	unpack(j, 1, 2, false, XMM2, XMM0, x86_r(XMM1));
	unpack(j, 1, 2, true, XMM0, XMM0, x86_r(XMM1));
	split_long(j, i, 0, XMM2);
	split_long(j, i, 2, XMM0);
	x86_b(&j->a, 0xc5);
	x86_b(&j->a, 0xf8);
	x86_b(&j->a, 0x77); /* vzeroupper */
}

/* Of double words; they need not be moved inside a register. */
static void load_four_d(struct jit *j, const struct insn *i, struct x86_rm m)
{
	for (unsigned k = 0; k < 4; k++) {
		int d = vec_def(struct_reg(i, k), XMM0);

		x86_vmovq(&j->a, d, at(m, 8 * k));
		insert(j, d, at(m, 32 + 8 * k), 3, 1);
		vec_done(j, struct_reg(i, k), d);
	}
}

static void load_four(struct jit *j, const struct insn *i, struct x86_rm m)
{
	if (i->b == 3)
		load_four_d(j, i, m);
	else if (reg_bytes(i) == 16)
		load_four_long(j, i, m);
	else
		load_four_short(j, i, m);
}

static void store_four(struct jit *j, const struct insn *i, struct x86_rm m)
{
	for (unsigned half = 0; half < reg_bytes(i) / 8; half++, m = at(m, 32)) {
		unpack(j, 0, i->b, half, XMM0, vec_use(j, struct_reg(i, 0), XMM0), vec_rm(struct_reg(i, 1)));
		unpack(j, 0, i->b, half, XMM1, vec_use(j, struct_reg(i, 2), XMM1), vec_rm(struct_reg(i, 3)));
		if (i->b < 3) {
			unpack(j, 0, i->b + 1u, true, XMM2, XMM0, x86_r(XMM1));
			unpack(j, 0, i->b + 1u, false, XMM0, XMM0, x86_r(XMM1));
		}
		x86_vmovdqu_store(&j->a, m, XMM0);
		x86_vmovdqu_store(&j->a, at(m, 16), i->b < 3 ? XMM2 : XMM1);
	}
}

/* ---- Rows ---- */

/* Too many elements that would be moved one by one? */
static bool too_long(const struct insn *i) { return i->a == 3 && 3 * reg_bytes(i) >> i->b > ELEMENTS_MAX; }

typedef void move_fn(struct jit *j, const struct insn *i, struct x86_rm m);

/* @move: by two, three, or four registers. */
static bool interleaved(struct jit *j, const struct insn *i, move_fn *const move[3], bool write)
{
	if (too_long(i))
		return false;
	move[i->a - 2](j, i, check(j, i, reg_bytes(i) * i->a, write));
	return true;
}

bool emit_ldn_multi(struct jit *j, const struct insn *i)
{
	static move_fn *const load[3] = { load_two, load_three, load_four };

	return interleaved(j, i, load, false);
}

bool emit_stn_multi(struct jit *j, const struct insn *i)
{
	static move_fn *const store[3] = { store_two, store_three, store_four };

	return interleaved(j, i, store, true);
}

/* Behind the access, which has had the checks. Not @emitted: nothing is to be done. */
static bool with_post_index(struct jit *j, const struct insn *i, bool emitted)
{
	if (emitted)
		post_index(j, i);
	return emitted;
}

#define STRUCT_POST(name, access) \
	bool name(struct jit *j, const struct insn *i) { return with_post_index(j, i, access(j, i)); }
STRUCT_POST(emit_ld1_multi_post, emit_ld1_multi)
STRUCT_POST(emit_st1_multi_post, emit_st1_multi)
STRUCT_POST(emit_ldn_multi_post, emit_ldn_multi)
STRUCT_POST(emit_stn_multi_post, emit_stn_multi)
STRUCT_POST(emit_ld_lane_post, emit_ld_lane)
STRUCT_POST(emit_st_lane_post, emit_st_lane)
STRUCT_POST(emit_ld_rep_post, emit_ld_rep)
