/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Offsets, scales and structure shapes of loads and stores (column opnd of a64.def). */
#include <vmm/types.h>

#include "insn.h"

/* log2 of the bytes of one register access: size<1:0>, and for SIMD&FP opc<1> makes it 16 bytes. */
static unsigned ldst_scale(uint32_t w) { return bit(w, 26) && bit(w, 23) ? 4 : (unsigned)bits(w, 31, 30); }

/* imm: byte offset. */
bool opnd_ldst_uimm(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)(bits(w, 21, 10) << ldst_scale(w));
	return true;
}

/* imm: byte offset, -256..255. */
bool opnd_ldst_simm9(uint32_t w, struct insn *i)
{
	i->imm = sext(bits(w, 20, 12), 9);
	return true;
}

/* a: left shift of the index; b: a 32-bit index is signed (SXTW). Option<1> is in the rows' bits. */
bool opnd_ldst_reg(uint32_t w, struct insn *i)
{
	i->a = (uint8_t)(bit(w, 12) ? ldst_scale(w) : 0);
	i->b = (uint8_t)bit(w, 15);
	return true;
}

/* imm: byte offset from the instruction. */
bool opnd_ldst_lit(uint32_t w, struct insn *i)
{
	i->imm = sext(bits(w, 23, 5), 19) * 4;
	return true;
}

/* imm: byte offset. opc is 4, (LDPSW) 4, 8 bytes for general registers, 4, 8, 16 for SIMD&FP. */
bool opnd_ldst_pair(uint32_t w, struct insn *i)
{
	unsigned opc = (unsigned)bits(w, 31, 30);
	unsigned scale = 2 + (bit(w, 26) ? opc : opc >> 1);

	i->imm = sext(bits(w, 21, 15), 7) * (INT64_C(1) << scale);
	return true;
}

/* imm: byte offset; a: pauth key, 2 DA or 3 DB. */
bool opnd_ldra(uint32_t w, struct insn *i)
{
	i->imm = sext(bit(w, 22) << 9 | bits(w, 20, 12), 10) * 8;
	i->a = (uint8_t)(2 + bit(w, 23));
	return true;
}

static uint8_t source(unsigned n) { return n == 31 ? SLOT_ZERO : (uint8_t)n; }

/* CASP names even registers; a: slot of Rs + 1, b: slot of Rt + 1 (as sources). */
bool opnd_casp(uint32_t w, struct insn *i)
{
	unsigned rs = (unsigned)bits(w, 20, 16), rt = (unsigned)bits(w, 4, 0);

	i->a = source(rs + 1);
	i->b = source(rt + 1);
	return !(rs & 1) && !(rt & 1);
}

/* ---- Structures: a: registers; b: log2 of the bytes of an element ---- */

/* Opcodes of multiple structures: registers, and elements of one structure. */
static const struct {
	uint8_t regs, selem;
} v_multi[16] = {
	[0x0] = { 4, 4 }, [0x2] = { 4, 1 }, [0x4] = { 3, 3 }, [0x6] = { 3, 1 },
	[0x7] = { 1, 1 }, [0x8] = { 2, 2 }, [0xa] = { 2, 1 },
};

bool opnd_v_multi(uint32_t w, struct insn *i)
{
	unsigned op = (unsigned)bits(w, 15, 12);

	i->a = v_multi[op].regs;
	i->b = (uint8_t)bits(w, 11, 10);
	/* Interleaving needs more than one element a register: no .1D. */
	return v_multi[op].selem == 1 || i->b != 3 || bit(w, 30);
}

/* imm: what the base advances by besides Rm, which is ZR when the immediate form is meant. */
static int64_t post_index(uint32_t w, unsigned bytes) { return bits(w, 20, 16) == 31 ? (int64_t)bytes : 0; }

bool opnd_v_multi_post(uint32_t w, struct insn *i)
{
	bool ok = opnd_v_multi(w, i);

	i->imm = post_index(w, i->a * (bit(w, 30) ? 16u : 8u));
	return ok;
}

/* ra: the lane. opcode<2:1> is the size; what it leaves of Q:S:size is the lane's number. */
bool opnd_v_lane(uint32_t w, struct insn *i)
{
	unsigned scale = (unsigned)bits(w, 15, 14), size = (unsigned)bits(w, 11, 10);
	unsigned lane = (unsigned)(bit(w, 30) << 3 | bit(w, 12) << 2 | size);

	if (scale == 3)
		return false;
	if (scale == 2 && size == 1) {
		scale = 3;
		if (bit(w, 12))
			return false;
	} else if (size & ((1u << scale) - 1)) {
		return false;
	}
	i->a = (uint8_t)(1 + (bit(w, 13) << 1 | bit(w, 21)));
	i->b = (uint8_t)scale;
	i->ra = (uint8_t)(lane >> scale);
	return true;
}

bool opnd_v_lane_post(uint32_t w, struct insn *i)
{
	bool ok = opnd_v_lane(w, i);

	i->imm = post_index(w, i->a * (1u << i->b));
	return ok;
}

bool opnd_v_rep(uint32_t w, struct insn *i)
{
	i->a = (uint8_t)(1 + (bit(w, 13) << 1 | bit(w, 21)));
	i->b = (uint8_t)bits(w, 11, 10);
	return true;
}

bool opnd_v_rep_post(uint32_t w, struct insn *i)
{
	i->imm = post_index(w, (1 + (unsigned)(bit(w, 13) << 1 | bit(w, 21))) << bits(w, 11, 10));
	return opnd_v_rep(w, i);
}
