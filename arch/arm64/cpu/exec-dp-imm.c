/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arm ARM, "Data Processing -- Immediate": add/subtract, logical, move wide, bitfield, extract, PC-relative. */
#include "flags.h"

/*
 * One body for both widths: a is Rn, imm the immediate of that width. The names
 * are spelled out so that a search for them ends here.
 */
#define IMMEDIATE(name_w, name_x, expr_w, expr_x)                           \
	enum exec name_w(struct cpu *c, const struct insn *i)               \
	{                                                                   \
		uint32_t a = (uint32_t)c->x[i->rn], imm = (uint32_t)i->imm; \
		c->x[i->rd] = (uint32_t)(expr_w);                           \
		return EXEC_NEXT;                                           \
	}                                                                   \
	enum exec name_x(struct cpu *c, const struct insn *i)               \
	{                                                                   \
		uint64_t a = c->x[i->rn], imm = (uint64_t)i->imm;           \
		c->x[i->rd] = (expr_x);                                     \
		return EXEC_NEXT;                                           \
	}

IMMEDIATE(exec_add_imm_w, exec_add_imm_x, a + imm, a + imm)
IMMEDIATE(exec_sub_imm_w, exec_sub_imm_x, a - imm, a - imm)
IMMEDIATE(exec_adds_imm_w, exec_adds_imm_x, add_flags_w(c, a, imm), add_flags_x(c, a, imm))
IMMEDIATE(exec_subs_imm_w, exec_subs_imm_x, sub_flags_w(c, a, imm), sub_flags_x(c, a, imm))
IMMEDIATE(exec_and_imm_w, exec_and_imm_x, a &imm, a &imm)
IMMEDIATE(exec_orr_imm_w, exec_orr_imm_x, a | imm, a | imm)
IMMEDIATE(exec_eor_imm_w, exec_eor_imm_x, a ^ imm, a ^ imm)
IMMEDIATE(exec_ands_imm_w, exec_ands_imm_x, logic_flags_w(c, a &imm), logic_flags_x(c, a &imm))

/* ---- Move wide ---- */

enum exec exec_mov_imm(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint64_t)i->imm;
	return EXEC_NEXT;
}

/* With Rd = 31 this reads and writes the sink, which nobody reads. The same goes for BFM. */
enum exec exec_movk_x(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (c->x[i->rd] & ~(UINT64_C(0xffff) << i->a)) | (uint64_t)i->imm;
	return EXEC_NEXT;
}

enum exec exec_movk_w(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint32_t)((c->x[i->rd] & ~(UINT64_C(0xffff) << i->a)) | (uint64_t)i->imm);
	return EXEC_NEXT;
}

/* ---- Bitfield: see opnd_bitfield_x() ---- */

enum exec exec_ubfm_x(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = c->x[i->rn] << i->a >> i->b;
	return EXEC_NEXT;
}

enum exec exec_ubfm_w(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint32_t)c->x[i->rn] << i->a >> i->b;
	return EXEC_NEXT;
}

enum exec exec_sbfm_x(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint64_t)((int64_t)(c->x[i->rn] << i->a) >> i->b);
	return EXEC_NEXT;
}

enum exec exec_sbfm_w(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint32_t)((int32_t)((uint32_t)c->x[i->rn] << i->a) >> i->b);
	return EXEC_NEXT;
}

enum exec exec_bfm_x(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (c->x[i->rd] & ~(uint64_t)i->imm) | c->x[i->rn] << i->a >> i->b;
	return EXEC_NEXT;
}

enum exec exec_bfm_w(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = ((uint32_t)c->x[i->rd] & ~(uint32_t)i->imm) | (uint32_t)c->x[i->rn] << i->a >> i->b;
	return EXEC_NEXT;
}

enum exec exec_extr_x(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint64_t)(((unsigned __int128)c->x[i->rn] << 64 | c->x[i->rm]) >> i->a);
	return EXEC_NEXT;
}

enum exec exec_extr_w(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint32_t)((c->x[i->rn] << 32 | (uint32_t)c->x[i->rm]) >> i->a);
	return EXEC_NEXT;
}

/* ---- PC-relative ---- */

enum exec exec_adr(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = c->pc + (uint64_t)i->imm;
	return EXEC_NEXT;
}

enum exec exec_adrp(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (c->pc & ~UINT64_C(0xfff)) + (uint64_t)i->imm;
	return EXEC_NEXT;
}
