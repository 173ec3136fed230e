/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lane sizes, shift counts and indices of integer Advanced SIMD and cryptography
 * (column opnd of a64.def), and which combinations are reserved. What they leave
 * in struct insn is described in lanes.h.
 */
#include <vmm/types.h>

#include "insn.h"

/* Lanes of 1 << @log2_lane bytes, 1 << @log2_bytes bytes of result. */
static bool lanes(struct insn *i, unsigned log2_lane, unsigned log2_bytes)
{
	i->a = (uint8_t)log2_lane;
	i->b = (uint8_t)log2_bytes;
	i->ra = 0;
	return true;
}

static unsigned size_of(uint32_t w) { return (unsigned)bits(w, 23, 22); }
static unsigned q_of(uint32_t w) { return (unsigned)bit(w, 30); }

/* ---- Lanes of one size ---- */

/* Any size; a single 64-bit lane is written as a scalar, so 1D is reserved. */
bool opnd_vec(uint32_t w, struct insn *i)
{
	return (size_of(w) != 3 || q_of(w)) && lanes(i, size_of(w), 3 + q_of(w));
}

bool opnd_vec_bhs(uint32_t w, struct insn *i) { return size_of(w) != 3 && lanes(i, size_of(w), 3 + q_of(w)); }

bool opnd_vec_hs(uint32_t w, struct insn *i)
{
	return size_of(w) != 0 && size_of(w) != 3 && lanes(i, size_of(w), 3 + q_of(w));
}

/* Bytes, whatever the size field (part of the opcode) says. */
bool opnd_vec_b(uint32_t w, struct insn *i) { return lanes(i, 0, 3 + q_of(w)); }

bool opnd_sca(uint32_t w, struct insn *i) { return lanes(i, size_of(w), size_of(w)); }

bool opnd_sca_hs(uint32_t w, struct insn *i) { return size_of(w) != 0 && size_of(w) != 3 && opnd_sca(w, i); }

bool opnd_sca_d(uint32_t w, struct insn *i)
{
	(void)w;
	return lanes(i, 3, 3);
}

/* REVn: containers of 8 >> o0:U bytes (bits 12 and 29), lanes smaller than that. */
bool opnd_rev(uint32_t w, struct insn *i)
{
	unsigned container = 3 - (unsigned)(bit(w, 12) << 1 | bit(w, 29)), lane = size_of(w);

	i->imm = (1 << container) - (1 << lane);
	return lane < container && lanes(i, lane, 3 + q_of(w));
}

/* ---- Two lane sizes: a is the narrow one, size 3 is reserved ---- */

static bool half(uint32_t w, struct insn *i)
{
	i->ra = (uint8_t)q_of(w);
	return true;
}

bool opnd_half(uint32_t w, struct insn *i) { return half(w, i); }

bool opnd_long(uint32_t w, struct insn *i) { return size_of(w) != 3 && lanes(i, size_of(w), 4) && half(w, i); }

bool opnd_long_hs(uint32_t w, struct insn *i) { return size_of(w) != 0 && opnd_long(w, i); }

bool opnd_long_sca(uint32_t w, struct insn *i)
{
	return size_of(w) != 0 && size_of(w) != 3 && lanes(i, size_of(w), size_of(w) + 1);
}

bool opnd_narrow(uint32_t w, struct insn *i) { return size_of(w) != 3 && lanes(i, size_of(w), 3) && half(w, i); }

bool opnd_narrow_sca(uint32_t w, struct insn *i) { return size_of(w) != 3 && opnd_sca(w, i); }

bool opnd_pair_long(uint32_t w, struct insn *i) { return opnd_vec_bhs(w, i); }

/* Needs at least four lanes. */
bool opnd_across(uint32_t w, struct insn *i) { return (size_of(w) != 2 || q_of(w)) && opnd_vec_bhs(w, i); }

/* ---- By element: 16-bit lanes are Vm<3:0>[H:L:M], 32-bit ones Vm[H:L] ---- */

static bool index_of(uint32_t w, struct insn *i)
{
	if (size_of(w) == 1) {
		i->rm = (uint8_t)bits(w, 19, 16);
		i->imm = (int64_t)(bit(w, 11) << 2 | bit(w, 21) << 1 | bit(w, 20));
		return true;
	}
	i->imm = (int64_t)(bit(w, 11) << 1 | bit(w, 21));
	return size_of(w) == 2;
}

bool opnd_elem(uint32_t w, struct insn *i) { return index_of(w, i) && opnd_vec(w, i); }

bool opnd_elem_sca(uint32_t w, struct insn *i) { return index_of(w, i) && opnd_sca(w, i); }

bool opnd_elem_long(uint32_t w, struct insn *i) { return index_of(w, i) && opnd_long(w, i); }

bool opnd_elem_long_sca(uint32_t w, struct insn *i) { return index_of(w, i) && opnd_long_sca(w, i); }

/* Groups of four bytes; the size field is part of the opcode. */
bool opnd_elem_dot(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)(bit(w, 11) << 1 | bit(w, 21));
	return lanes(i, 2, 3 + q_of(w));
}

/* ---- Shift by immediate: the highest one of immh (never 0 here) is the lane size, the rest counts ---- */

static unsigned shift_lane(uint32_t w) { return 31u - (unsigned)__builtin_clz((uint32_t)bits(w, 22, 19) | 1); }

static bool right(uint32_t w, struct insn *i)
{
	i->imm = (16 << shift_lane(w)) - (int64_t)bits(w, 22, 16);
	return true;
}

static bool left(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)bits(w, 22, 16) - (8 << shift_lane(w));
	return true;
}

static bool shift_vec(uint32_t w, struct insn *i)
{
	return (shift_lane(w) != 3 || q_of(w)) && lanes(i, shift_lane(w), 3 + q_of(w));
}

bool opnd_shr(uint32_t w, struct insn *i) { return right(w, i) && shift_vec(w, i); }

bool opnd_shl(uint32_t w, struct insn *i) { return left(w, i) && shift_vec(w, i); }

bool opnd_shr_sca(uint32_t w, struct insn *i) { return shift_lane(w) == 3 && right(w, i) && lanes(i, 3, 3); }

bool opnd_shl_sca_d(uint32_t w, struct insn *i) { return shift_lane(w) == 3 && left(w, i) && lanes(i, 3, 3); }

bool opnd_shl_sca(uint32_t w, struct insn *i) { return left(w, i) && lanes(i, shift_lane(w), shift_lane(w)); }

bool opnd_shrn(uint32_t w, struct insn *i)
{
	return shift_lane(w) != 3 && right(w, i) && lanes(i, shift_lane(w), 3) && half(w, i);
}

bool opnd_shrn_sca(uint32_t w, struct insn *i)
{
	return shift_lane(w) != 3 && right(w, i) && lanes(i, shift_lane(w), shift_lane(w));
}

bool opnd_shll(uint32_t w, struct insn *i)
{
	return shift_lane(w) != 3 && left(w, i) && lanes(i, shift_lane(w), 4) && half(w, i);
}

/* ---- Copy: the lowest one of imm5 is the lane size, what is above it the index ---- */

static bool copy(uint32_t w, struct insn *i)
{
	unsigned imm5 = (unsigned)bits(w, 20, 16), lane;

	if (!(imm5 & 15))
		return false;
	lane = (unsigned)__builtin_ctz(imm5);
	i->imm = imm5 >> (lane + 1);
	return lanes(i, lane, 3 + q_of(w));
}

bool opnd_copy(uint32_t w, struct insn *i) { return copy(w, i) && (i->a != 3 || q_of(w)); }

bool opnd_copy_sca(uint32_t w, struct insn *i) { return copy(w, i) && lanes(i, i->a, i->a); }

/* imm: index in Rd; ra: in Rn. */
bool opnd_ins(uint32_t w, struct insn *i)
{
	if (!copy(w, i))
		return false;
	i->ra = (uint8_t)(bits(w, 14, 11) >> i->a);
	return true;
}

/* To W: bytes and halves; to X: words too. */
bool opnd_smov(uint32_t w, struct insn *i) { return copy(w, i) && i->a < 2 + q_of(w); }

/* To W: what fits; to X: only a whole one. */
bool opnd_umov(uint32_t w, struct insn *i) { return copy(w, i) && (i->a == 3) == q_of(w); }

/* ---- Extract, table lookup, XAR ---- */

/* imm: first byte; a byte of the operands' 8 or 16. */
bool opnd_ext(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)bits(w, 14, 11);
	return (i->imm < 8 || q_of(w)) && opnd_vec_b(w, i);
}

/* imm: registers in the table. */
bool opnd_tbl(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)bits(w, 14, 13) + 1;
	return opnd_vec_b(w, i);
}

/* imm: rotation to the right. */
bool opnd_xar(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)bits(w, 15, 10);
	return true;
}
