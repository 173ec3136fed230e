/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an instruction word to its row and its operands.
 *
 * gendec made the index at build time; a lookup is one table read and a scan of
 * a handful of candidates, the most specific first.
 */
#include "insn.h"
#include "a64-tables.h"

const struct a64_row a64_rows[OP_COUNT] = {
#define A64(name, bits, regs, opnd, flags, feat, exec, emit) \
	[OP_##name] = { #name, bits, regs, flags, feat, opnd, exec },
#include "a64.def"
};

const struct a64_row *a64_find(uint32_t word)
{
	for (const uint16_t *p = &a64_pool[a64_first[A64_INDEX(word)]]; *p != 0xffff; p++)
		if ((word & a64_bits[*p][0]) == a64_bits[*p][1] && (!a64_nonzero[*p] || (word & a64_nonzero[*p])))
			return &a64_rows[*p];
	return NULL;
}

static uint8_t slot(uint32_t n, uint32_t regs, uint32_t x, uint32_t xw, uint32_t sp)
{
	if (n != 31 || (regs & sp))
		return (uint8_t)n;
	if (regs & x)
		return SLOT_ZERO; /* also for fields read and written: exec writes through wx_rw() */
	return regs & xw ? SLOT_SINK : (uint8_t)n;
}

void a64_decode(uint32_t word, uint64_t features, bool fp_trapped, struct insn *i)
{
	const struct a64_row *row = a64_find(word);

	*i = (struct insn){ .exec = exec_undefined, .word = word, .op = OP_COUNT };
	if (!row || !(features >> row->feat & 1))
		return;
	i->rd = slot(word & 31, row->regs, D_X, D_XW, D_SPW);
	i->rn = slot(word >> 5 & 31, row->regs, N_X, 0, N_SP | N_SPW);
	i->rm = slot(word >> 16 & 31, row->regs, M_X, M_XW, 0);
	i->ra = slot(word >> 10 & 31, row->regs, A_X, A_XW, 0);
	if (!row->opnd(word, i))
		return;
	i->op = (uint16_t)(row - a64_rows);
	i->exec = (row->flags & F_FP) && fp_trapped ? exec_fp_trapped : row->exec;
}

bool opnd_none(uint32_t word, struct insn *i)
{
	(void)word;
	(void)i;
	return true;
}
