/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fields of the floating point instructions (column opnd of a64.def).
 *
 * Unless said otherwise a is the format (enum fp_format) and b the number of
 * lanes, 1 for scalars.
 */
#include <vmm/types.h>

#include "insn.h"
#include "softfp.h"

static bool one_lane(struct insn *i, unsigned f)
{
	i->a = (uint8_t)f;
	i->b = 1;
	return true;
}

/* There is no vector of one double: Q:sz = 0:1 is reserved. */
static bool vector(uint32_t w, struct insn *i, unsigned f)
{
	i->a = (uint8_t)f;
	i->b = (uint8_t)((bit(w, 30) ? 16u : 8u) >> f);
	return i->b > 1;
}

/* Field ftype, 23:22; also the opc of FCVT. */
static bool ftype(unsigned v, uint8_t *f)
{
	static const uint8_t formats[] = { FP_S, FP_D, FP_B, FP_H };

	*f = formats[v];
	return v != 2;
}

/* ---- Scalar floating point ---- */

bool opnd_fp(uint32_t w, struct insn *i)
{
	i->b = 1;
	return ftype(bits(w, 23, 22), &i->a);
}

/* imm: the expanded number. */
bool opnd_fp_imm(uint32_t w, struct insn *i)
{
	if (!opnd_fp(w, i))
		return false;
	i->imm = (int64_t)fp_expand_imm(i->a, (uint8_t)bits(w, 20, 13));
	return true;
}

/* a: from, b: to. */
bool opnd_fcvt(uint32_t w, struct insn *i)
{
	return ftype(bits(w, 23, 22), &i->a) && ftype(bits(w, 16, 15), &i->b) && i->a != i->b;
}

/* From single, though ftype is that of a double. */
bool opnd_bfcvt(uint32_t w, struct insn *i)
{
	(void)w;
	return one_lane(i, FP_S);
}

/* b: condition; imm: NZCV in place when it fails. */
bool opnd_fccmp(uint32_t w, struct insn *i)
{
	i->b = (uint8_t)bits(w, 15, 12);
	i->imm = (int64_t)(bits(w, 3, 0) << 28);
	return ftype(bits(w, 23, 22), &i->a);
}

/* b: width of the general register; imm: number of fraction bits. */
bool opnd_fp_int(uint32_t w, struct insn *i)
{
	i->b = bit(w, 31) ? 64 : 32;
	return ftype(bits(w, 23, 22), &i->a);
}

bool opnd_fp_fixed(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)(64 - bits(w, 15, 10));
	return opnd_fp_int(w, i) && i->imm <= i->b;
}

/* ---- Advanced SIMD ---- */

/* Bit 28 tells scalar from vector, bit 22 single from double. */
bool opnd_vfp(uint32_t w, struct insn *i)
{
	unsigned f = FP_S + (unsigned)bit(w, 22);

	return bit(w, 28) ? one_lane(i, f) : vector(w, i, f);
}

bool opnd_vfp_h(uint32_t w, struct insn *i) { return bit(w, 28) ? one_lane(i, FP_H) : vector(w, i, FP_H); }

/* Scalar pairwise: two lanes in, so bit 28 does not matter. */
bool opnd_fp_pair(uint32_t w, struct insn *i) { return one_lane(i, bit(w, 29) ? FP_S + (unsigned)bit(w, 22) : FP_H); }

/* Size in 23:22; imm: the element's index. rm is narrower where the index needs its bit. */
bool opnd_vfp_elem(uint32_t w, struct insn *i)
{
	unsigned l = (unsigned)bit(w, 21), m = (unsigned)bit(w, 20), h = (unsigned)bit(w, 11), f;

	switch (bits(w, 23, 22)) {
	case 0:
		f = FP_H;
		i->rm &= 15;
		i->imm = h << 2 | l << 1 | m;
		break;
	case 2:
		f = FP_S;
		i->imm = h << 1 | l;
		break;
	case 3:
		f = FP_D;
		i->imm = h;
		if (l)
			return false;
		break;
	default: return false;
	}
	return bit(w, 28) ? one_lane(i, f) : vector(w, i, f);
}

/* Format by the leading one of immh; imm: number of fraction bits, 2 * esize - immh:immb. */
bool opnd_vfp_fixed(uint32_t w, struct insn *i)
{
	unsigned immh = (unsigned)bits(w, 22, 19), f = immh & 8 ? FP_D : immh & 4 ? FP_S : FP_H;

	if (immh < 2)
		return false;
	i->imm = (int64_t)((16u << f) - bits(w, 22, 16));
	return bit(w, 28) ? one_lane(i, f) : vector(w, i, f);
}

/* FCVTN, FCVTXN: a: the wide format, b: Q, the half of Vd; scalar FCVTXN: b = 0. FCVTL: b: the half of Vn. */
bool opnd_vfp_resize(uint32_t w, struct insn *i)
{
	i->a = bit(w, 22) ? FP_D : FP_S;
	i->b = bit(w, 30) && !bit(w, 28);
	return true;
}

/* imm: which half (FMLAL, FMLAL2) or the index of an element; b: results. */
bool opnd_fmlal(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)bit(w, 29);
	return vector(w, i, FP_S);
}

bool opnd_fmlal_elem(uint32_t w, struct insn *i)
{
	i->rm &= 15;
	i->imm = (int64_t)(bit(w, 11) << 2 | bits(w, 21, 20));
	return vector(w, i, FP_S);
}

/* BFMLALB, BFMLALT: Q chooses the bottom or top of each pair, not the width. */
bool opnd_bfmlal_elem(uint32_t w, struct insn *i)
{
	i->rm &= 15;
	i->imm = (int64_t)(bit(w, 11) << 2 | bits(w, 21, 20));
	return true;
}

bool opnd_bfdot(uint32_t w, struct insn *i) { return vector(w, i, FP_S); }

bool opnd_bfdot_elem(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)(bit(w, 11) << 1 | bit(w, 21));
	return vector(w, i, FP_S);
}

/* imm: rotation in quarter turns. */
bool opnd_fcadd(uint32_t w, struct insn *i)
{
	i->imm = bit(w, 12) ? 3 : 1;
	return bits(w, 23, 22) && vector(w, i, (unsigned)bits(w, 23, 22));
}

bool opnd_fcmla(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)bits(w, 12, 11);
	return bits(w, 23, 22) && vector(w, i, (unsigned)bits(w, 23, 22));
}

/* imm: rotation, and the index of the complex element from bit 2 up. */
bool opnd_fcmla_elem(uint32_t w, struct insn *i)
{
	unsigned size = (unsigned)bits(w, 23, 22), h = (unsigned)bit(w, 11), l = (unsigned)bit(w, 21);

	if (size == 1) {
		if (h && !bit(w, 30))
			return false;
		i->imm = (int64_t)(bits(w, 14, 13) | (h << 1 | l) << 2);
		return vector(w, i, FP_H);
	}
	if (size != 2 || l || !bit(w, 30))
		return false;
	i->imm = (int64_t)(bits(w, 14, 13) | h << 2);
	return vector(w, i, FP_S);
}

/* ---- Modified immediate ---- */

static uint64_t copies(uint64_t v, unsigned width)
{
	for (; width < 64; width *= 2)
		v |= v << width;
	return v;
}

/* Arm ARM, AdvSIMDExpandImm, already inverted for MVNI and BIC. imm: 64 bits; b: Q. */
bool opnd_modimm(uint32_t w, struct insn *i)
{
	unsigned cmode = (unsigned)bits(w, 15, 12);
	uint64_t imm8 = bits(w, 18, 16) << 5 | bits(w, 9, 5), v;
	bool op = bit(w, 29);

	if (cmode < 8) { /* 32-bit lanes, byte cmode<2:1> */
		v = copies(imm8 << (cmode >> 1) * 8, 32);
	} else if (cmode < 12) { /* 16-bit lanes */
		v = copies(imm8 << (cmode >> 1 & 1) * 8, 16);
	} else if (cmode < 14) { /* 32-bit lanes, ones shifted in */
		v = copies(cmode & 1 ? imm8 << 16 | 0xffff : imm8 << 8 | 0xff, 32);
	} else if (cmode == 14 && !op) {
		v = copies(imm8, 8);
	} else if (cmode == 14) { /* each bit a byte */
		v = 0;
		for (unsigned k = 0; k < 8; k++)
			v |= (imm8 >> k & 1) * (UINT64_C(0xff) << 8 * k);
		op = false;
	} else if (bit(w, 11)) {
		v = copies(fp_expand_imm(FP_H, (uint8_t)imm8), 16);
	} else {
		v = op ? fp_expand_imm(FP_D, (uint8_t)imm8) : copies(fp_expand_imm(FP_S, (uint8_t)imm8), 32);
		if (op && !bit(w, 30))
			return false;
		op = false;
	}
	i->imm = (int64_t)(op ? ~v : v);
	i->b = (uint8_t)bit(w, 30);
	return true;
}
