/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Immediates and small fields of the general-register instructions (column opnd of a64.def). */
#include <vmm/types.h>

#include "cpu.h"

/* ---- Data processing, immediate ---- */

/* imm: the 12-bit value, shifted left by 12 when sh. */
bool opnd_addsub_imm(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)(bits(w, 21, 10) << (bit(w, 22) ? 12 : 0));
	return true;
}

/*
 * Arm ARM, DecodeBitMasks: an element of 2..64 bits with imms + 1 ones, rotated
 * right by immr, repeated. Reserved: N = 0 with imms 11111x, and all ones.
 */
static bool bit_mask(uint32_t w, int64_t *mask)
{
	unsigned imms = (unsigned)bits(w, 15, 10), immr = (unsigned)bits(w, 21, 16), size, ones;
	uint32_t len = (uint32_t)bit(w, 22) << 6 | (~imms & 0x3f);
	uint64_t m;

	if (len < 2)
		return false;
	size = UINT32_C(1) << (31 - __builtin_clz(len));
	ones = (imms & (size - 1)) + 1;
	immr &= size - 1;
	if (ones == size)
		return false;
	m = ~UINT64_C(0) >> (64 - ones);
	if (immr)
		m = (m >> immr | m << (size - immr)) & (~UINT64_C(0) >> (64 - size));
	for (; size < 64; size *= 2)
		m |= m << size;
	*mask = (int64_t)m;
	return true;
}

bool opnd_logical_imm_x(uint32_t w, struct insn *i) { return bit_mask(w, &i->imm); }

bool opnd_logical_imm_w(uint32_t w, struct insn *i)
{
	bool ok = bit_mask(w, &i->imm);

	i->imm = (uint32_t)i->imm;
	return ok;
}

static uint64_t wide(uint32_t w) { return bits(w, 20, 5) << 16 * bits(w, 22, 21); }

/* imm: the value that goes into Rd. */
bool opnd_movz(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)wide(w);
	return true;
}
bool opnd_movn_w(uint32_t w, struct insn *i)
{
	i->imm = (uint32_t)~wide(w);
	return true;
}
bool opnd_movn_x(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)~wide(w);
	return true;
}

/* imm: the 16 bits in place; a: their position. */
bool opnd_movk(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)wide(w);
	i->a = (uint8_t)(16 * bits(w, 22, 21));
	return true;
}

/*
 * A bitfield move is Rn << a >> b: a drops what is above imms, b brings the rest
 * into place, and modulo the width that covers both the extracting and the
 * inserting forms. imm: the bits of Rd it writes (for BFM).
 */
bool opnd_bitfield_x(uint32_t w, struct insn *i)
{
	unsigned immr = (unsigned)bits(w, 21, 16), imms = (unsigned)bits(w, 15, 10);

	i->a = (uint8_t)(63 - imms);
	i->b = (immr - imms - 1) & 63;
	i->imm = (int64_t)(~UINT64_C(0) << i->a >> i->b);
	return true;
}

bool opnd_bitfield_w(uint32_t w, struct insn *i)
{
	unsigned immr = (unsigned)bits(w, 20, 16), imms = (unsigned)bits(w, 14, 10);

	i->a = (uint8_t)(31 - imms);
	i->b = (immr - imms - 1) & 31;
	i->imm = ~UINT32_C(0) << i->a >> i->b;
	return true;
}

/* a: position of the lowest bit taken. */
bool opnd_imms(uint32_t w, struct insn *i)
{
	i->a = (uint8_t)bits(w, 15, 10);
	return true;
}

bool opnd_adr(uint32_t w, struct insn *i)
{
	i->imm = sext(bits(w, 23, 5) << 2 | bits(w, 30, 29), 21);
	return true;
}

bool opnd_adrp(uint32_t w, struct insn *i)
{
	opnd_adr(w, i);
	i->imm *= 4096;
	return true;
}

/* ---- Branches and system: imm is the offset in bytes from the branch itself ---- */

bool opnd_imm26(uint32_t w, struct insn *i)
{
	i->imm = 4 * sext(bits(w, 25, 0), 26);
	return true;
}
bool opnd_imm19(uint32_t w, struct insn *i)
{
	i->imm = 4 * sext(bits(w, 23, 5), 19);
	return true;
}

/* a: the condition. */
bool opnd_bcond(uint32_t w, struct insn *i)
{
	i->a = w & 15;
	return opnd_imm19(w, i);
}

/* a: the bit tested. */
bool opnd_tbz(uint32_t w, struct insn *i)
{
	i->imm = 4 * sext(bits(w, 18, 5), 14);
	i->a = (uint8_t)(bit(w, 31) << 5 | bits(w, 23, 19));
	return true;
}

bool opnd_imm16(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)bits(w, 20, 5);
	return true;
}

/* imm: the 4 bits an MSR (immediate) gives. */
bool opnd_pstate_imm(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)bits(w, 11, 8);
	return true;
}

/* rm: the modifier, where 31 is SP: of BRAA and friends in the Rd field, of PACGA in Rm. */
bool opnd_pauth_modifier(uint32_t w, struct insn *i)
{
	i->rm = w & 31;
	return true;
}
bool opnd_pacga(uint32_t w, struct insn *i)
{
	i->rm = (uint8_t)bits(w, 20, 16);
	return true;
}

/* ---- Data processing, register ---- */

/* a: amount; b: LSL, LSR, ASR, ROR. */
bool opnd_shifted(uint32_t w, struct insn *i)
{
	i->a = (uint8_t)bits(w, 15, 10);
	i->b = (uint8_t)bits(w, 23, 22);
	return true;
}

bool opnd_shifted_no_ror(uint32_t w, struct insn *i) { return opnd_shifted(w, i) && i->b != 3; }

/* imm: mask of the bits taken from Rm; b: 1 when the topmost of them is a sign; a: left shift after that. */
bool opnd_extended(uint32_t w, struct insn *i)
{
	unsigned option = (unsigned)bits(w, 15, 13);

	i->a = (uint8_t)bits(w, 12, 10);
	i->b = option >> 2;
	i->imm = (int64_t)(~UINT64_C(0) >> (64 - (8 << (option & 3))));
	return i->a <= 4;
}

/* a: rotation; b: which flags. */
bool opnd_rmif(uint32_t w, struct insn *i)
{
	i->a = (uint8_t)bits(w, 20, 15);
	i->b = w & 15;
	return true;
}

/* imm: 5-bit immediate, and from bit 16 up the condition's truth table; b: flags when it does not hold. */
bool opnd_ccmp(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)cond_truth((unsigned)bits(w, 15, 12)) << 16 | (int64_t)bits(w, 20, 16);
	i->b = w & 15;
	return true;
}

/* imm: the condition's truth table. */
bool opnd_csel(uint32_t w, struct insn *i)
{
	i->imm = cond_truth((unsigned)bits(w, 15, 12));
	return true;
}
