/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer Advanced SIMD: opcodes by lane size and the steps that many recipes have in common (emit-simd.h). */
#include "emit-simd.h"

#include "../arm64/cpu/lanes.h"

#define M1(op) VEX(1, 1, 0, op)
#define M2(op) VEX(1, 2, 0, op)

const uint32_t vpadd[4] = { M1(0xfc), M1(0xfd), M1(0xfe), M1(0xd4) };
const uint32_t vpsub[4] = { M1(0xf8), M1(0xf9), M1(0xfa), M1(0xfb) };
const uint32_t vpcmpeq[4] = { M1(0x74), M1(0x75), M1(0x76), M2(0x29) };
const uint32_t vpcmpgt[4] = { M1(0x64), M1(0x65), M1(0x66), M2(0x37) };
const uint32_t vpabs[4] = { M2(0x1c), M2(0x1d), M2(0x1e), 0 };
const uint32_t vpmaxs[4] = { M2(0x3c), M1(0xee), M2(0x3d), 0 };
const uint32_t vpmaxu[4] = { M1(0xde), M2(0x3e), M2(0x3f), 0 };
const uint32_t vpmins[4] = { M2(0x38), M1(0xea), M2(0x39), 0 };
const uint32_t vpminu[4] = { M1(0xda), M2(0x3a), M2(0x3b), 0 };
const uint32_t vpadds[4] = { M1(0xec), M1(0xed), 0, 0 };
const uint32_t vpaddus[4] = { M1(0xdc), M1(0xdd), 0, 0 };
const uint32_t vpsubs[4] = { M1(0xe8), M1(0xe9), 0, 0 };
const uint32_t vpsubus[4] = { M1(0xd8), M1(0xd9), 0, 0 };
const uint32_t vpunpckl[4] = { VPUNPCKLBW, VPUNPCKLWD, VPUNPCKLDQ, VPUNPCKLQDQ };
const uint32_t vpunpckh[4] = { VPUNPCKHBW, VPUNPCKHWD, VPUNPCKHDQ, VPUNPCKHQDQ };

/* ---- Constants ---- */

void vconst(struct jit *j, int d, uint64_t low, uint64_t high)
{
	if (low == high && low == 0) {
		vzero(j, d);
		return;
	}
	if (low == high && low == UINT64_MAX) {
		vones(j, d);
		return;
	}
	if (low == high && low >> 32 == (uint32_t)low) {
		x86_mov_imm(&j->a, RAX, (uint32_t)low);
		x86_vmovd(&j->a, d, x86_r(RAX));
		vop1(j, VPBROADCASTD, d, d);
		return;
	}
	x86_mov_imm(&j->a, RAX, low);
	x86_vmovq(&j->a, d, x86_r(RAX));
	if (low == high) {
		vop(j, VPUNPCKLQDQ, d, d, d);
	} else {
		x86_mov_imm(&j->a, RAX, high);
		x86_vex_imm(&j->a, VEX(1, 3, 1, 0x22), d, d, x86_r(RAX), 1); /* vpinsrq */
	}
}

uint64_t lane_copies(unsigned lane, uint64_t v)
{
	for (unsigned width = 8u << lane; width < 64; width *= 2)
		v |= v << width;
	return v;
}

/* ---- Shifts by constants ---- */

/* The host's immediate shifts: a group for each lane size, the operation in the register field. */
enum { GROUP_SRL = 2, GROUP_SRA = 4, GROUP_SLL = 6 };

static void shift_group(struct jit *j, unsigned lane, int how, int d, int s, unsigned count)
{
	x86_vex_imm(&j->a, VEX(1, 1, 0, 0x70 + (lane ? lane : 1)), how, d, x86_r(s), count);
}

/* Bytes are shifted as halves, and what came from the neighbour is masked off. */
static void mask_bytes(struct jit *j, int d, uint8_t mask, int tmp)
{
	if (mask == 0xff)
		return;
	vsplat(j, tmp, lane_copies(0, mask));
	vop(j, VPAND, d, d, tmp);
}

void vshl(struct jit *j, unsigned lane, int d, int s, unsigned count, int tmp)
{
	shift_group(j, lane, GROUP_SLL, d, s, count);
	if (lane == 0)
		mask_bytes(j, d, (uint8_t)(0xff << count), tmp);
}

/* Bytes: with the sign bit where a logical shift has left it, (x ^ sign) - sign extends it. */
static void sshr_bytes(struct jit *j, int d, unsigned count, int tmp)
{
	vsplat(j, tmp, lane_copies(0, 0x80u >> count));
	vop(j, VPXOR, d, d, tmp);
	vop(j, vpsub[0], d, d, tmp);
}

/* 64 bits: a logical shift and the sign's copies. */
static void sshr_doublewords(struct jit *j, int d, int s, unsigned count, int tmp)
{
	vsigns(j, 3, tmp, s);
	shift_group(j, 3, GROUP_SRL, d, s, count);
	shift_group(j, 3, GROUP_SLL, tmp, tmp, 64 - count);
	vop(j, VPOR, d, d, tmp);
}

void vshr(struct jit *j, bool is_signed, unsigned lane, int d, int s, unsigned count, int tmp)
{
	if (is_signed && lane == 0 && count == 8)
		count = 7;
	if (is_signed && lane == 3) {
		sshr_doublewords(j, d, s, count, tmp);
		return;
	}
	shift_group(j, lane, is_signed && lane ? GROUP_SRA : GROUP_SRL, d, s, count);
	if (lane)
		return;
	mask_bytes(j, d, (uint8_t)(0xff >> count), tmp);
	if (is_signed)
		sshr_bytes(j, d, count, tmp);
}

/* ---- Between lane sizes ---- */

/* Bytes are zero-extended for vpackuswb, halves sign-extended for vpackssdw: then neither saturates. */
static int pack_fill(unsigned lane) { return lane ? GROUP_SRA : GROUP_SRL; }

void veven(struct jit *j, unsigned lane, int d, int s)
{
	shift_group(j, lane + 1, GROUP_SLL, d, s, 8u << lane);
	vodd(j, lane, d, d);
}

void vodd(struct jit *j, unsigned lane, int d, int s) { shift_group(j, lane + 1, pack_fill(lane), d, s, 8u << lane); }

void vpack(struct jit *j, unsigned lane, int d, int n, int m) { vop(j, lane ? VPACKSSDW : VPACKUSWB, d, n, m); }

void vnarrow(struct jit *j, unsigned lane, int s, unsigned from)
{
	unsigned bits = 8u << lane;

	if (lane == 2) {
		if (from) {
			shift_group(j, 3, GROUP_SRL, XMM0, s, from);
			s = XMM0;
		}
		vop1_imm(j, VPSHUFD, XMM0, s, 0x08);
		return;
	}
	if (from < bits) {
		shift_group(j, lane + 1, GROUP_SLL, XMM0, s, bits - from);
		s = XMM0;
	}
	vodd(j, lane, XMM0, s);
	vpack(j, lane, XMM0, XMM0, XMM0);
}

void vwiden(struct jit *j, bool is_signed, unsigned lane, int d, int s, bool upper)
{
	static const uint8_t step[3] = { 0, 3, 5 }; /* of the opcodes: bw, wd, dq */

	if (upper) {
		vop(j, VPUNPCKHQDQ, d, s, s);
		s = d;
	}
	vop1(j, VEX(1, 2, 0, (is_signed ? 0x20 : 0x30) + step[lane]), d, s);
}

void vadd_pairs(struct jit *j, bool is_signed, unsigned lane, int d, int s)
{
	if (lane == 0) {
		/* One operand of vpmaddubsw is unsigned, the other signed: |-1| fits both. */
		vones(j, XMM2);
		vop1(j, vpabs[0], XMM2, XMM2);
		vop(j, VPMADDUBSW, d, is_signed ? XMM2 : s, is_signed ? s : XMM2);
	} else if (lane == 1 && is_signed) {
		vones(j, XMM2);
		vop1(j, vpabs[1], XMM2, XMM2);
		vop(j, VPMADDWD, d, s, XMM2);
	} else if (is_signed) {
		vop1_imm(j, VPSHUFD, XMM0, s, 0x08);
		vop1_imm(j, VPSHUFD, XMM1, s, 0x0d);
		vwiden(j, true, lane, XMM0, XMM0, false);
		vwiden(j, true, lane, XMM1, XMM1, false);
		vop(j, vpadd[lane + 1], d, XMM0, XMM1);
	} else {
		shift_group(j, lane + 1, GROUP_SRL, XMM0, s, 8u << lane);
		vzero(j, XMM2);
		vop_imm(j, VPBLENDW, XMM1, s, XMM2, lane == 1 ? 0xaa : 0xcc);
		vop(j, vpadd[lane + 1], d, XMM0, XMM1);
	}
}

/* ---- Operands and results ---- */

int simd_elem(struct jit *j, const struct insn *i, int tmp)
{
	int xmm = vec_pinned(i->rm);
	unsigned index = (unsigned)i->imm;
	struct x86_rm m = vec_rm(i->rm);

	if (xmm == X86_NONE) {
		m.disp += (int32_t)(index << i->a);
		x86_vex2(&j->a, i->a == 1 ? VPBROADCASTW : VPBROADCASTD, tmp, m);
	} else if (i->a == 2) {
		vop1_imm(j, VPSHUFD, tmp, xmm, index * 0x55);
	} else {
		vop1_imm(j, index < 4 ? VPSHUFLW : VPSHUFHW, tmp, xmm, (index & 3) * 0x55);
		vop(j, index < 4 ? VPUNPCKLQDQ : VPUNPCKHQDQ, tmp, tmp, tmp);
	}
	return tmp;
}

/* d = the low bytes of x, up to 4, the rest zero. */
static void put_small(struct jit *j, int d, int x, unsigned log2_bytes)
{
	unsigned up = 16 - (1u << log2_bytes);

	if (log2_bytes == 2) {
		vop_imm(j, VINSERTPS, d, x, x, 0x0e);
		return;
	}
	x86_vex_imm(&j->a, VEX(1, 1, 0, 0x73), 7, d, x86_r(x), up);
	vshr_bytes(j, d, d, up);
}

void simd_put(struct jit *j, unsigned n, int x, unsigned log2_bytes)
{
	int d = vec_def(n, x);

	if (log2_bytes == 4) {
		vec_done(j, n, x);
		return;
	}
	if (log2_bytes == 3)
		x86_vmovq_xmm(&j->a, d, x);
	else
		put_small(j, d, x, log2_bytes);
	vec_done(j, n, d);
}

void simd_put_narrow(struct jit *j, const struct insn *i)
{
	if (i->ra) {
		vop(j, VPUNPCKLQDQ, XMM0, vec_use(j, i->rd, XMM1), XMM0);
		vec_done(j, i->rd, XMM0);
	} else {
		simd_put(j, i->rd, XMM0, i->b);
	}
}

void simd_qc(struct jit *j, int diff, unsigned log2_bytes)
{
	uint8_t *end;

	if (log2_bytes == 3)
		x86_vmovq_xmm(&j->a, diff, diff);
	else if (log2_bytes < 3)
		put_small(j, diff, diff, log2_bytes);
	vop1(j, VPTEST, diff, diff);
	end = x86_jcc8(&j->a, CC_E);
	x86_alu_imm(&j->a, X86_OR, false, CPU_M(fpsr), FPSR_QC);
	x86_aim8(end, j->a.p);
}

/* Words: what the host does not pack. xmm0 = the low half of @s's lanes, xmm1 = ones where they do not say it all. */
static void saturate_words(struct jit *j, int s, bool from_signed, bool to_signed)
{
	vop1_imm(j, VPSHUFD, XMM2, s, 0x08);
	vop1_imm(j, VPSHUFD, XMM1, s, 0x0d);
	if (to_signed) {
		vshr(j, true, 2, XMM0, XMM2, 31, X86_NONE);
		vop(j, vpcmpeq[2], XMM0, XMM0, XMM1); /* fits */
		vshr(j, true, 2, XMM1, XMM1, 31, X86_NONE);
		vop(j, VPAND, XMM2, XMM2, XMM0);
		vop(j, VPANDN, XMM1, XMM0, XMM1);
		vop(j, VPOR, XMM2, XMM2, XMM1); /* the sign where it does not */
		vnot(j, XMM1, XMM0, XMM1);
		vshr(j, false, 2, XMM0, XMM1, 1, X86_NONE);
		vop(j, VPXOR, XMM0, XMM0, XMM2);
		return;
	}
	vzero(j, XMM0);
	vop(j, vpcmpeq[2], XMM0, XMM0, XMM1);
	if (!from_signed) {
		vnot(j, XMM1, XMM0, XMM1);
		vop(j, VPOR, XMM0, XMM1, XMM2);
		return;
	}
	/* Ones where it does not fit and is not negative either, found inverted. */
	vshr(j, true, 2, XMM1, XMM1, 31, X86_NONE);
	vop(j, VPAND, XMM2, XMM2, XMM0);
	vop(j, VPOR, XMM1, XMM1, XMM0);
	vop(j, VPANDN, XMM2, XMM2, XMM1);
	vnot(j, XMM1, XMM0, XMM1);
	vnot(j, XMM0, XMM2, XMM0);
}

void simd_put_saturated(struct jit *j, const struct insn *i, int s, bool from_signed, bool to_signed)
{
	static const uint32_t packs[2] = { VPACKSSWB, VPACKSSDW }, packu[2] = { VPACKUSWB, VPACKUSDW };
	int x = s;

	if (i->a == 2) {
		saturate_words(j, s, from_signed, to_signed);
		simd_qc(j, XMM1, i->b);
		simd_put_narrow(j, i);
		return;
	}
	if (!from_signed) { /* the host packs signed lanes */
		vsplat(j, XMM0, lane_copies(i->a + 1u, (1u << (8u << i->a)) - 1));
		vop(j, vpminu[i->a + 1], XMM0, XMM0, s);
		x = XMM0;
	}
	vop(j, to_signed ? packs[i->a] : packu[i->a], XMM0, x, x);
	vwiden(j, to_signed, i->a, XMM2, XMM0, false);
	vop(j, VPXOR, XMM2, XMM2, s); /* what widens to another number than it was has saturated */
	simd_qc(j, XMM2, i->b + 1u);
	simd_put_narrow(j, i);
}

bool simd_same(struct jit *j, const struct insn *i, uint32_t op)
{
	int d = vec_def(i->rd, XMM0);

	if (!op)
		return false;
	x86_vex(&j->a, op, d, vec_use(j, i->rn, XMM0), vec_rm(i->rm));
	simd_put(j, i->rd, d, i->b);
	return true;
}
