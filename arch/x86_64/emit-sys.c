/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Emitters of barriers and system registers; the meaning is in arch/arm64/cpu/exec-sys.c and sysreg.c. */
#include <vmm/types.h>

#include "jit.h"

/* A locked operation orders everything, like MFENCE, but in a tenth of its time. The word is our own, in the red
 * zone. */
static void full_barrier(struct jit *j)
{
	flags_clobber(j);
	x86_lock(&j->a);
	x86_alu_imm(&j->a, X86_OR, false, x86_m(RSP, -64), 0);
}

/* CRm<1:0>: 1 loads, 2 stores, 3 all. x86 reorders only a load with an earlier store. */
bool emit_dmb(struct jit *j, const struct insn *i)
{
	if (bits(i->word, 9, 8) == 3 || bits(i->word, 9, 8) == 0)
		full_barrier(j);
	return true;
}

/* What follows is another block: whoever changed its words or its mapping has made a request by now. */
bool emit_isb(struct jit *j, const struct insn *i)
{
	int64_t next = j->note[j->k].off + 4;

	(void)i;
	if (next > 4095)
		return false;
	if (j->note[j->k].fl_out)
		flags_to_mem(j);
	j->fl = FL_MEM;
	emit_exit_test(j, (unsigned)next);
	emit_goto(j, next);
	return true;
}

/* Without FEAT_PAuth they are NOPs. */
bool emit_pauth_hint(struct jit *j, const struct insn *i)
{
	(void)i;
	return !soc_has(j->c->soc, FEAT_PAUTH);
}

bool emit_clrex(struct jit *j, const struct insn *i)
{
	(void)i;
	x86_store_imm8(&j->a, CPU_M(excl.size), 0);
	return true;
}

/* ---- Registers that are plain storage ---- */

#define ENC_SP_EL0 REG_ENC(3, 0, 4, 1, 0)

static unsigned enc_of(const struct insn *i) { return (unsigned)bits(i->word, 20, 5); }

/* Where the register is and whether the block's EL may (in this direction) without a question. */
static bool plain(const struct jit *j, const struct insn *i, bool write, struct x86_rm *m)
{
	bool el1 = j->key & KEY_EL1;

	switch (enc_of(i)) {
	case REG_ENC(3, 3, 13, 0, 2): *m = CPU_SYS(SYS_TPIDR_EL0); return true;
	case REG_ENC(3, 3, 13, 0, 3): *m = CPU_SYS(SYS_TPIDRRO_EL0); return el1 || !write;
	case REG_ENC(3, 0, 13, 0, 4): *m = CPU_SYS(SYS_TPIDR_EL1); return el1;
	case ENC_SP_EL0: *m = CPU_M(sp_el[0]); return el1;
	case REG_ENC(3, 0, 4, 0, 1): *m = CPU_SYS(SYS_ELR_EL1); return el1;
	case REG_ENC(3, 0, 4, 0, 0): *m = CPU_SYS(SYS_SPSR_EL1); return el1 && !write;
	case REG_ENC(3, 0, 5, 2, 0): *m = CPU_SYS(SYS_ESR_EL1); return el1 && !write;
	case REG_ENC(3, 0, 6, 0, 0): *m = CPU_SYS(SYS_FAR_EL1); return el1 && !write;
	}
	return false;
}

/* With SPSel 0 SP_EL0 is SP, and not accessible by this name. */
static void check_handler_mode(struct jit *j, const struct insn *i)
{
	if (enc_of(i) != ENC_SP_EL0)
		return;
	flags_clobber(j);
	x86_cmp8_imm(&j->a, CPU_M(spsel), 0);
	slow_if(j, CC_E);
}

bool emit_mrs(struct jit *j, const struct insn *i)
{
	int d = reg_def(i->rd, RAX);
	struct x86_rm m;

	if (!plain(j, i, false, &m))
		return false;
	check_handler_mode(j, i);
	x86_mov(&j->a, true, d, m);
	reg_done(j, i->rd, d);
	return true;
}

bool emit_msr(struct jit *j, const struct insn *i)
{
	struct x86_rm m;

	if (!plain(j, i, true, &m))
		return false;
	check_handler_mode(j, i);
	x86_store(&j->a, true, m, reg_use(j, i->rd, RAX));
	return true;
}
