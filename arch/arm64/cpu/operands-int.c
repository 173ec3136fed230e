/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Immediates and small fields of the general-register instructions (column opnd of a64.def). */
#include <vmm/types.h>

#include "insn.h"

/* imm: the 12-bit value, shifted left by 12 when sh. */
bool opnd_addsub_imm(uint32_t w, struct insn *i)
{
	i->imm = (int64_t)(bits(w, 21, 10) << (bit(w, 22) ? 12 : 0));
	return true;
}
