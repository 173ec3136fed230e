/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arm ARM, "Data Processing -- Immediate": add/subtract, logical, move wide, bitfield, extract, PC-relative. */
#include "cpu.h"

enum exec exec_add_imm_x(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = c->x[i->rn] + (uint64_t)i->imm;
	return EXEC_NEXT;
}

enum exec exec_add_imm_w(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint32_t)(c->x[i->rn] + (uint64_t)i->imm);
	return EXEC_NEXT;
}
