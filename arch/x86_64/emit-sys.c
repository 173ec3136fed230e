/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Emitters of barriers and system registers; the meaning is in arch/arm64/cpu/exec-sys.c and sysreg.c. */
#include <spec/timer.h>
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

/* Only after a broadcast is there anything more to wait for. */
bool emit_dsb(struct jit *j, const struct insn *i)
{
	flags_clobber(j);
	x86_cmp8_imm(&j->a, CPU_M(dsb_pending), 0);
	slow_if(j, CC_NE);
	return emit_dmb(j, i);
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

/* ---- DC ZVA ---- */

#define KEY_ZVA (3 << 7 | 4 << 3 | 1) /* op1, CRm, op2 */

/* 64 bytes of zeroes. EL0 must be allowed to. */
bool emit_dc(struct jit *j, const struct insn *i)
{
	struct x86_rm m;

	if ((bits(i->word, 18, 16) << 7 | bits(i->word, 11, 8) << 3 | bits(i->word, 7, 5)) != KEY_ZVA)
		return false;
	flags_clobber(j);
	if (!(j->key & KEY_EL1)) {
		x86_test_imm(&j->a, false, CPU_SYS(SYS_SCTLR_EL1), SCTLR_DZE);
		slow_if(j, CC_E);
	}
	reg_get(j, true, RAX, i->rd);
	x86_alu_imm(&j->a, X86_AND, true, x86_r(RAX), -64);
	m = mem_check_reg(j, RAX, 64, true);
	x86_vex(&j->a, VEX(1, 1, 0, 0xef), 0, 0, x86_r(0)); /* vpxor xmm0: all of ymm0 */
	x86_vex_l(&j->a, 1, VEX(2, 1, 0, 0x7f), 0, 0, m);   /* vmovdqu ymm */
	m.disp += 32;
	x86_vex_l(&j->a, 1, VEX(2, 1, 0, 0x7f), 0, 0, m);
	return true;
}

/* ---- System registers ---- */

/* May MRS (or MSR) be done without a question at the block's exception level? */
static bool allowed(const struct jit *j, const struct reg_row *row, bool write)
{
	unsigned el1 = (j->key & KEY_EL1) != 0, right = (write ? REG_W0 : REG_R0) << el1;

	return (row->access & right) && soc_has(j->c->soc, row->feat) && (el1 || row->el0 == EL0_FREE) &&
	       !((row->flags & REG_FP) && (j->key & KEY_FP_TRAP));
}

/* With SPSel 0 SP_EL0 is SP, and not accessible by this name. */
static void check_handler_mode(struct jit *j)
{
	flags_clobber(j);
	x86_cmp8_imm(&j->a, CPU_M(spsel), 0);
	slow_if(j, CC_E);
}

/* Where a register is that needs no work to be read, of @bytes; false: nowhere. */
static bool place(const struct jit *j, unsigned reg, struct x86_rm *m, bool *w)
{
	*w = true;
	switch (reg) {
	case SYS_SP_EL0: *m = CPU_M(sp_el[0]); return j->key & KEY_EL1;
	case SYS_DAIF: *m = CPU_M(daif); break;
	case SYS_NZCV: *m = CPU_M(nzcv); break;
	case SYS_FPCR: *m = CPU_M(fpcr); break;
	default: *m = CPU_SYS(reg); return reg_rows[reg].read == sys_read && reg_rows[reg].scope == HV_SCOPE_VCPU;
	}
	*w = false;
	return true;
}

/* VM-scoped registers that say what the guest has do not change once it runs. */
static bool is_constant(const struct reg_row *row)
{
	return row->scope == HV_SCOPE_VM && (row->flags & REG_FEATURE) && row->read == sys_read;
}

/* The counters: without a look at the row each time. EL0 must be allowed to. */
static bool mrs_counter(struct jit *j, const struct insn *i, unsigned reg)
{
	if (!(j->key & KEY_EL1)) {
		flags_clobber(j);
		x86_test_imm(&j->a, false, CPU_SYS(SYS_CNTKCTL_EL1),
			     reg == SYS_CNTVCT_EL0 ? CNTKCTL_EL0VCTEN : CNTKCTL_EL0PCTEN);
		slow_if(j, CC_E);
	}
	emit_read(j, reg);
	reg_done(j, i->rd, RAX);
	return true;
}

bool emit_mrs(struct jit *j, const struct insn *i)
{
	int d = reg_def(i->rd, RAX);
	struct x86_rm m;
	unsigned reg;
	const struct reg_row *row = sysreg_find(i->word, &reg);
	bool w;

	if (row && (reg == SYS_CNTVCT_EL0 || reg == SYS_CNTPCT_EL0))
		return mrs_counter(j, i, reg);
	if (!row || !allowed(j, row, false))
		return false;
	if (is_constant(row)) {
		x86_mov_imm(&j->a, d, j->c->soc->sys[reg]);
	} else if (reg == SYS_CurrentEL) {
		x86_mov_imm(&j->a, d, j->key & KEY_EL1 ? 4 : 0);
	} else {
		if (!place(j, reg, &m, &w))
			return false;
		if (reg == SYS_NZCV)
			flags_to_mem(j);
		if (row->flags & REG_SP0)
			check_handler_mode(j);
		x86_mov(&j->a, w, d, m);
	}
	reg_done(j, i->rd, d);
	return true;
}

/* Leaves it to exec_ when a new DAIF lets a waiting interrupt in or matters to self-hosted debug. */
static void check_daif(struct jit *j)
{
	x86_test_imm(&j->a, false, CPU_SYS(SYS_MDSCR_EL1), MDSCR_SS | MDSCR_MDE);
	slow_if(j, CC_NE);
	x86_alu_imm(&j->a, X86_CMP, false, CPU_M(irq_lines), 0);
	slow_if(j, CC_NE);
}

static bool msr_daif(struct jit *j, const struct insn *i)
{
	flags_clobber(j);
	check_daif(j);
	reg_get(j, false, RAX, i->rd);
	x86_alu_imm(&j->a, X86_AND, false, x86_r(RAX), (int32_t)PSTATE_DAIF);
	x86_store(&j->a, false, CPU_M(daif), RAX);
	return true;
}

bool emit_msr(struct jit *j, const struct insn *i)
{
	struct x86_rm m;
	unsigned reg;
	const struct reg_row *row = sysreg_find(i->word, &reg);
	bool w;

	if (!row || !allowed(j, row, true))
		return false;
	if (reg == SYS_DAIF)
		return msr_daif(j, i);
	if (reg != SYS_SP_EL0 && (row->write != sys_write || (row->flags & REG_ENDS)))
		return false;
	if (!place(j, reg, &m, &w) || !(row->mask == UINT64_MAX || row->mask >> 32 == 0) || (row->reset & ~row->mask))
		return false;
	if (row->flags & REG_SP0)
		check_handler_mode(j);
	if (row->mask == UINT64_MAX) {
		x86_store(&j->a, w, m, reg_use(j, i->rd, RAX));
		return true;
	}
	flags_clobber(j);
	reg_get(j, false, RAX, i->rd);
	x86_alu_imm(&j->a, X86_AND, false, x86_r(RAX), (int32_t)row->mask);
	x86_store(&j->a, w, m, RAX);
	return true;
}

bool emit_daifset(struct jit *j, const struct insn *i)
{
	if (!(j->key & KEY_EL1))
		return false;
	flags_clobber(j);
	check_daif(j);
	x86_alu_imm(&j->a, X86_OR, false, CPU_M(daif), (int32_t)i->imm << 6);
	return true;
}

bool emit_daifclr(struct jit *j, const struct insn *i)
{
	if (!(j->key & KEY_EL1))
		return false;
	flags_clobber(j);
	check_daif(j);
	x86_alu_imm(&j->a, X86_AND, false, CPU_M(daif), ~((int32_t)i->imm << 6));
	return true;
}

/* ---- Exceptions: between the levels of an operating system ---- */

bool emit_svc(struct jit *j, const struct insn *i)
{
	(void)i;
	if (j->key & KEY_EL1)
		return false;
	emit_exception(j, j->cache->svc);
	return true;
}

bool emit_eret(struct jit *j, const struct insn *i)
{
	(void)i;
	if (!(j->key & KEY_EL1))
		return false;
	emit_exception(j, j->cache->eret);
	return true;
}
