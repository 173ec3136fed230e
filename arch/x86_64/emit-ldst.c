/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emitters of loads and stores of one register or a pair, general and SIMD&FP;
 * the meaning is in arch/arm64/cpu/exec-ldst.c and exec-ldst-simd.c.
 *
 * size, opc and V of the word say what moves (how_of()); the row's opnd_ function
 * has made the offset. The address is checked first, then data move, then the
 * base changes.
 */
#include <vmm/types.h>

#include "emit.h"

/* What one register of the access is. */
struct how {
	bool load, vector, sign;
	bool w; /* a sign extends to 64 bits */
	uint8_t bytes;
};

static struct how how_of(const struct insn *i)
{
	uint32_t w = i->word;
	unsigned size = (unsigned)bits(w, 31, 30), opc = (unsigned)bits(w, 23, 22);

	if (bit(w, 26))
		return (struct how){ .load = opc & 1, .vector = true, .bytes = (uint8_t)(opc & 2 ? 16 : 1 << size) };
	return (struct how){ .load = opc, .sign = opc & 2, .w = opc == 2, .bytes = (uint8_t)(1 << size) };
}

static struct how how_of_pair(const struct insn *i)
{
	uint32_t w = i->word;
	unsigned opc = (unsigned)bits(w, 31, 30);

	if (bit(w, 26))
		return (struct how){ .load = bit(w, 22), .vector = true, .bytes = (uint8_t)(4 << opc) };
	return (struct how){ .load = bit(w, 22), .sign = opc & 1, .w = true, .bytes = opc & 2 ? 8 : 4 };
}

static struct how how_of_literal(const struct insn *i)
{
	unsigned opc = (unsigned)bits(i->word, 31, 30);

	if (bit(i->word, 26))
		return (struct how){ .load = true, .vector = true, .bytes = (uint8_t)(4 << opc) };
	return (struct how){ .load = true, .sign = opc == 2, .w = true, .bytes = opc == 1 ? 8 : 4 };
}

/* ---- Data ---- */

static void load_general(struct jit *j, const struct how *h, unsigned slot, struct x86_rm m)
{
	int d = reg_def(slot, RDX);

	switch (h->bytes) {
	case 1:
		if (h->sign)
			x86_movsx8(&j->a, h->w, d, m);
		else
			x86_movzx8(&j->a, d, m);
		break;
	case 2:
		if (h->sign)
			x86_movsx16(&j->a, h->w, d, m);
		else
			x86_movzx16(&j->a, d, m);
		break;
	case 4:
		if (h->sign)
			x86_movsxd(&j->a, d, m);
		else
			x86_mov(&j->a, false, d, m);
		break;
	default: x86_mov(&j->a, true, d, m); break;
	}
	reg_done(j, slot, d);
}

/* Also writes the zero register. */
static void store_general(struct jit *j, const struct how *h, unsigned slot, struct x86_rm m)
{
	int s;

	if (slot == SLOT_ZERO && h->bytes >= 4) {
		x86_store_imm(&j->a, h->bytes == 8, m, 0);
		return;
	}
	s = reg_use(j, slot, RDX);
	switch (h->bytes) {
	case 1: x86_store8(&j->a, m, s); break;
	case 2: x86_store16(&j->a, m, s); break;
	default: x86_store(&j->a, h->bytes == 8, m, s); break;
	}
}

static void load_vector(struct jit *j, const struct how *h, unsigned n, struct x86_rm m)
{
	int d = vec_def(n, 0);

	switch (h->bytes) {
	case 1:
		x86_movzx8(&j->a, RDX, m);
		x86_vmovd(&j->a, d, x86_r(RDX));
		break;
	case 2:
		x86_movzx16(&j->a, RDX, m);
		x86_vmovd(&j->a, d, x86_r(RDX));
		break;
	case 4: x86_vmovd(&j->a, d, m); break;
	case 8: x86_vmovq(&j->a, d, m); break;
	default: x86_vmovdqu(&j->a, d, m); break;
	}
	vec_done(j, n, d);
}

static void store_vector(struct jit *j, const struct how *h, unsigned n, struct x86_rm m)
{
	int s = vec_use(j, n, 0);

	switch (h->bytes) {
	case 1: x86_vex2_imm(&j->a, VEX(1, 3, 0, 0x14), s, m, 0); break; /* vpextrb */
	case 2: x86_vex2_imm(&j->a, VEX(1, 3, 0, 0x15), s, m, 0); break; /* vpextrw */
	case 4: x86_vmovd_store(&j->a, m, s); break;
	case 8: x86_vmovq_store(&j->a, m, s); break;
	default: x86_vmovdqu_store(&j->a, m, s); break;
	}
}

static void move(struct jit *j, const struct how *h, unsigned reg, struct x86_rm m)
{
	if (h->vector && h->load)
		load_vector(j, h, reg, m);
	else if (h->vector)
		store_vector(j, h, reg, m);
	else if (h->load)
		load_general(j, h, reg, m);
	else
		store_general(j, h, reg, m);
}

/* ---- Base register and immediate ---- */

enum mode { MODE_OFFSET, MODE_POST, MODE_UNPRIVILEGED, MODE_PRE };

/* The base moves. rax still has it, if it is not pinned. */
static void write_back(struct jit *j, const struct insn *i)
{
	int d = reg_def(i->rn, RAX), n = reg_pinned(i->rn) == X86_NONE ? RAX : d;

	x86_lea(&j->a, true, d, x86_m(n, (int32_t)i->imm));
	reg_done(j, i->rn, d);
	if (i->rn == SLOT_SP && i->imm % 16)
		emit_check_sp(j);
}

static bool writes_base(enum mode mode) { return mode == MODE_POST || mode == MODE_PRE; }

bool emit_ldst_imm(struct jit *j, const struct insn *i)
{
	struct how h = how_of(i);
	enum mode mode = bit(i->word, 24) ? MODE_OFFSET : (enum mode)bits(i->word, 11, 10);
	struct x86_rm m;

	if (h.load && !h.vector && writes_base(mode) && i->rd == i->rn)
		return false;
	m = mem_check(j, i->rn, mode == MODE_POST ? 0 : i->imm, h.bytes, !h.load);
	move(j, &h, i->rd, m);
	if (writes_base(mode))
		write_back(j, i);
	return true;
}

bool emit_ldst_pair(struct jit *j, const struct insn *i)
{
	struct how h = how_of_pair(i);
	enum mode mode = (enum mode)bits(i->word, 24, 23);
	bool wb = writes_base(mode), general_load = h.load && !h.vector;
	struct x86_rm m, second;

	if (general_load && wb && (i->rd == i->rn || i->ra == i->rn))
		return false;
	m = mem_check(j, i->rn, mode == MODE_POST ? 0 : i->imm, 2u * h.bytes, !h.load);
	if (general_load && i->rd == i->rn && m.index != RAX) {
		x86_movr(&j->a, true, RAX, m.index); /* the second access needs it */
		m.index = RAX;
	}
	second = m;
	second.disp += h.bytes;
	move(j, &h, i->rd, m);
	move(j, &h, i->ra, second);
	if (wb)
		write_back(j, i);
	return true;
}

/* ---- Other addresses ---- */

/* rax = Rn + (Rm extended << a) */
static void register_offset(struct jit *j, const struct insn *i)
{
	int n = reg_use(j, i->rn, RDX), m = RAX;

	if (bit(i->word, 13)) /* 64-bit index */
		m = reg_use(j, i->rm, RAX);
	else if (i->b)
		x86_movsxd(&j->a, RAX, reg_rm(i->rm));
	else
		x86_mov(&j->a, false, RAX, reg_rm(i->rm));
	if (i->a <= 3) {
		x86_lea(&j->a, true, RAX, x86_mi(n, m, i->a, 0));
	} else {
		x86_movr(&j->a, true, RAX, m);
		x86_shift_imm(&j->a, X86_SHL, true, x86_r(RAX), i->a);
		x86_alu(&j->a, X86_ADD, true, RAX, x86_r(n));
	}
}

bool emit_ldst_reg(struct jit *j, const struct insn *i)
{
	struct how h = how_of(i);

	flags_clobber(j);
	register_offset(j, i);
	move(j, &h, i->rd, mem_check_reg(j, RAX, h.bytes, !h.load));
	return true;
}

bool emit_ldst_lit(struct jit *j, const struct insn *i)
{
	struct how h = how_of_literal(i);

	flags_clobber(j);
	emit_pc(j, RAX, j->note[j->k].off + i->imm);
	move(j, &h, i->rd, mem_check_reg(j, RAX, h.bytes, false));
	return true;
}

/* LDTR, STTR: through EL0's context. */
bool emit_ldst_unprivileged(struct jit *j, const struct insn *i)
{
	struct how h = how_of(i);

	move(j, &h, i->rd, mem_check_unprivileged(j, i->rn, i->imm, h.bytes, !h.load));
	return true;
}
