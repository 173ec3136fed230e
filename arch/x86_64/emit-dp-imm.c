/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Emitters of "Data Processing -- Immediate"; the meaning is in arch/arm64/cpu/exec-dp-imm.c. */
#include <vmm/types.h>

#include "emit.h"

bool emit_nop(struct jit *j, const struct insn *i)
{
	(void)j;
	(void)i;
	return true;
}

/* ---- Add, subtract ---- */

bool emit_add_imm(struct jit *j, const struct insn *i)
{
	int32_t imm = (int32_t)(bit(i->word, 30) ? -i->imm : i->imm);
	bool to_sp = i->rd == SLOT_SP, keeps_16 = i->rn == SLOT_SP && imm % 16 == 0;
	int d = reg_def(i->rd, RAX), n;

	if (to_sp && !is_x(i))
		return false;
	if (to_sp && !keeps_16)
		flags_clobber(j);
	if (!imm) {
		reg_get(j, is_x(i), d, i->rn);
	} else {
		n = reg_use(j, i->rn, RAX);
		x86_lea(&j->a, is_x(i), d, x86_m(n, imm));
	}
	reg_done(j, i->rd, d);
	if (to_sp && !keeps_16)
		emit_check_sp(j);
	return true;
}

bool emit_adds_imm(struct jit *j, const struct insn *i)
{
	bool sub = bit(i->word, 30);
	int d = reg_def(i->rd, RAX);

	flags_clobber(j);
	if (sub && i->rd == SLOT_SINK) {
		x86_alu_imm(&j->a, X86_CMP, is_x(i), reg_rm(i->rn), (int32_t)i->imm);
	} else {
		if (d != reg_pinned(i->rn))
			reg_get(j, is_x(i), d, i->rn);
		x86_alu_imm(&j->a, sub ? X86_SUB : X86_ADD, is_x(i), x86_r(d), (int32_t)i->imm);
		reg_done(j, i->rd, d);
	}
	flags_set(j, sub ? FL_SUB : FL_ADD);
	return true;
}

/* ---- Logical ---- */

/* As a sign-extended 32-bit immediate of an instruction of that width. */
static bool fits(bool w, int64_t imm) { return !w || imm == (int32_t)imm; }

/* d = n op imm; EFLAGS change. */
static void logic(struct jit *j, const struct insn *i, enum x86_alu op, int d)
{
	bool w = is_x(i);

	if (fits(w, i->imm)) {
		if (d != reg_pinned(i->rn))
			reg_get(j, w, d, i->rn);
		x86_alu_imm(&j->a, op, w, x86_r(d), (int32_t)i->imm);
	} else {
		x86_mov_imm(&j->a, RDX, (uint64_t)i->imm);
		if (d != reg_pinned(i->rn))
			reg_get(j, w, d, i->rn);
		x86_alu(&j->a, op, w, d, x86_r(RDX));
	}
}

/* AND with a mask of the low 8, 16 or 32 bits is a move. */
static bool and_is_move(struct jit *j, const struct insn *i, int d)
{
	uint64_t mask = (uint64_t)i->imm;
	struct x86_rm n = reg_rm(i->rn);

	if (bits(i->word, 30, 29) != 0)
		return false;
	if (mask == 0xff)
		x86_movzx8(&j->a, d, n);
	else if (mask == 0xffff)
		x86_movzx16(&j->a, d, n);
	else if (mask == 0xffffffff)
		x86_mov(&j->a, false, d, n);
	else
		return false;
	return true;
}

/* opc: AND, ORR, EOR. ORR of the zero register is MOV. */
bool emit_logic_imm(struct jit *j, const struct insn *i)
{
	static const uint8_t ops[3] = { X86_AND, X86_OR, X86_XOR };
	unsigned opc = (unsigned)bits(i->word, 30, 29);
	int d = reg_def(i->rd, RAX);

	if (i->rd == SLOT_SP)
		return false;
	if (opc == 1 && i->rn == SLOT_ZERO) {
		x86_mov_imm(&j->a, d, (uint64_t)i->imm);
	} else if (!and_is_move(j, i, d)) {
		flags_clobber(j);
		logic(j, i, ops[opc], d);
	}
	reg_done(j, i->rd, d);
	return true;
}

bool emit_ands_imm(struct jit *j, const struct insn *i)
{
	int d = reg_def(i->rd, RAX);

	flags_clobber(j);
	if (i->rd == SLOT_SINK && fits(is_x(i), i->imm)) {
		x86_test_imm(&j->a, is_x(i), reg_rm(i->rn), (int32_t)i->imm);
	} else {
		logic(j, i, X86_AND, d);
		reg_done(j, i->rd, d);
	}
	flags_set(j, FL_ADD);
	return true;
}

/* ---- Move wide ---- */

bool emit_mov_imm(struct jit *j, const struct insn *i)
{
	int d = reg_def(i->rd, RAX);

	x86_mov_imm(&j->a, d, (uint64_t)i->imm);
	reg_done(j, i->rd, d);
	return true;
}

/* The constant that instruction k and those before it put into their Rd, if it is one. */
static bool constant_of(const struct jit *j, unsigned k, uint64_t *v)
{
	const struct insn *i = &j->insn[k];
	emit_fn *e = emit_of(i);

	if (e == emit_mov_imm) {
		*v = (uint64_t)i->imm;
		return true;
	}
	if (e != emit_movk || k == 0 || i[-1].rd != i->rd || !constant_of(j, k - 1, v))
		return false;
	*v = (*v & ~(UINT64_C(0xffff) << i->a)) | (uint64_t)i->imm;
	if (!is_x(i))
		*v = (uint32_t)*v;
	return true;
}

bool emit_movk(struct jit *j, const struct insn *i)
{
	int d = reg_def(i->rd, RAX);
	uint64_t v;

	if (constant_of(j, j->k, &v)) {
		x86_mov_imm(&j->a, d, v);
	} else {
		flags_clobber(j);
		if (reg_pinned(i->rd) == X86_NONE)
			reg_get(j, true, d, i->rd);
		x86_mov_imm(&j->a, RDX, ~(UINT64_C(0xffff) << i->a));
		x86_alu(&j->a, X86_AND, is_x(i), d, x86_r(RDX));
		x86_mov_imm(&j->a, RDX, (uint64_t)i->imm);
		x86_alu(&j->a, X86_OR, is_x(i), d, x86_r(RDX));
	}
	reg_done(j, i->rd, d);
	return true;
}

/* ---- Bitfields: Rn << a >> b, see opnd_bitfield_x() ---- */

/* d = s shifted; without EFLAGS when they are busy, which takes rcx. */
static void shift(struct jit *j, enum x86_shift op, bool w, int d, int s, unsigned n)
{
	if (!n) {
		x86_movr(&j->a, w, d, s);
	} else if (flags_busy(j)) {
		x86_mov_imm(&j->a, RCX, n);
		if (op == X86_SHL)
			x86_shlx(&j->a, w, d, x86_r(s), RCX);
		else if (op == X86_SHR)
			x86_shrx(&j->a, w, d, x86_r(s), RCX);
		else
			x86_sarx(&j->a, w, d, x86_r(s), RCX);
	} else {
		x86_movr(&j->a, w, d, s);
		x86_shift_imm(&j->a, op, w, x86_r(d), n);
	}
}

/* The extensions UXTB, UXTH, SXTB, SXTH, SXTW (and UXTW, as UBFM of 32 bits). */
static bool extension(struct jit *j, const struct insn *i, bool is_signed, int d)
{
	unsigned width = (is_x(i) ? 64u : 32u) - i->a;
	struct x86_rm n = reg_rm(i->rn);

	if (i->a != i->b)
		return false;
	if (width == 8 && is_signed)
		x86_movsx8(&j->a, is_x(i), d, n);
	else if (width == 8)
		x86_movzx8(&j->a, d, n);
	else if (width == 16 && is_signed)
		x86_movsx16(&j->a, is_x(i), d, n);
	else if (width == 16)
		x86_movzx16(&j->a, d, n);
	else if (width == 32 && is_x(i) && is_signed)
		x86_movsxd(&j->a, d, n);
	else if (width == 32 && is_x(i))
		x86_mov(&j->a, false, d, n);
	else
		return false;
	return true;
}

bool emit_bitfield(struct jit *j, const struct insn *i)
{
	bool is_signed = bits(i->word, 30, 29) == 0, w = is_x(i);
	int d = reg_def(i->rd, RAX);

	if (!extension(j, i, is_signed, d)) {
		int s = reg_use(j, i->rn, RAX);

		if (i->a || !i->b) {
			shift(j, X86_SHL, w, d, s, i->a);
			s = d;
		}
		if (i->b)
			shift(j, is_signed ? X86_SAR : X86_SHR, w, d, s, i->b);
	}
	if (!flags_busy(j))
		flags_clobber(j);
	reg_done(j, i->rd, d);
	return true;
}

/* Rd = (Rd & ~mask) | (Rn << a >> b & mask), and the shifts leave nothing outside of the mask. */
bool emit_bfm(struct jit *j, const struct insn *i)
{
	bool w = is_x(i);
	int d = reg_def(i->rd, RAX);

	if (i->rd == SLOT_SINK)
		return true;
	flags_clobber(j);
	reg_get(j, w, RDX, i->rn);
	if (i->a)
		x86_shift_imm(&j->a, X86_SHL, w, x86_r(RDX), i->a);
	if (i->b)
		x86_shift_imm(&j->a, X86_SHR, w, x86_r(RDX), i->b);
	if (d != reg_pinned(i->rd))
		reg_get(j, w, d, i->rd);
	if (fits(w, ~i->imm)) {
		x86_alu_imm(&j->a, X86_AND, w, x86_r(d), (int32_t)~i->imm);
	} else {
		x86_mov_imm(&j->a, RCX, ~(uint64_t)i->imm);
		x86_alu(&j->a, X86_AND, w, d, x86_r(RCX));
	}
	x86_alu(&j->a, X86_OR, w, d, x86_r(RDX));
	reg_done(j, i->rd, d);
	return true;
}

/* ROR when both are one register. */
bool emit_extr(struct jit *j, const struct insn *i)
{
	bool w = is_x(i);
	int d = reg_def(i->rd, RAX);

	if (i->rn == i->rm) {
		x86_rorx(&j->a, w, d, reg_rm(i->rn), i->a);
	} else {
		int n = reg_use(j, i->rn, RDX);

		flags_clobber(j);
		reg_get(j, w, RAX, i->rm);
		if (i->a)
			x86_shrd_imm(&j->a, w, x86_r(RAX), n, i->a);
		d = RAX;
	}
	reg_done(j, i->rd, d);
	return true;
}

/* ---- PC-relative ---- */

static bool address(struct jit *j, const struct insn *i, int64_t off)
{
	int d = reg_def(i->rd, RAX);

	if (i->rd == SLOT_SINK)
		return true;
	emit_pc(j, d, off);
	if (!flags_busy(j))
		flags_clobber(j);
	reg_done(j, i->rd, d);
	return true;
}

bool emit_adr(struct jit *j, const struct insn *i) { return address(j, i, j->note[j->k].off + i->imm); }
bool emit_adrp(struct jit *j, const struct insn *i) { return address(j, i, i->imm); }
