/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm ARM, "Exception generating, hints, barriers, PSTATE": everything of the
 * system class that is neither a register (sysreg.c) nor maintenance (mmu.c).
 */
#include "cpu.h"

/* ---- Exceptions ---- */

enum exec exec_svc(struct cpu *c, const struct insn *i) { return exc_sync_ret(c, EC_SVC64, (uint32_t)i->imm); }
enum exec exec_brk(struct cpu *c, const struct insn *i) { return exc_sync(c, EC_BRK64, (uint32_t)i->imm); }

/*
 * There is neither EL2 nor EL3, so HVC and SMC are UNDEFINED; of EL1 they are nevertheless the way to
 * PSCI, as on KVM, which answers any HVC and SMC #0, and of another SMC says that it does not know it.
 */
enum exec exec_hvc(struct cpu *c, const struct insn *i)
{
	(void)i;
	return c->el == 0 ? exc_undefined(c) : smccc_call(c);
}

enum exec exec_smc(struct cpu *c, const struct insn *i)
{
	if (c->el == 0)
		return exc_undefined(c);
	if (i->imm == 0)
		return smccc_call(c);
	c->x[0] = ~0ull;
	return EXEC_NEXT;
}

/* ---- Hints ---- */

enum exec exec_nop(struct cpu *c, const struct insn *i)
{
	(void)c;
	(void)i;
	return EXEC_NEXT;
}

/* Stops the cpu behind this instruction; run.c decides how long. */
static enum exec wait(struct cpu *c, enum cpu_wait kind)
{
	c->pc += 4;
	c->waiting = kind;
	return EXEC_LEAVE;
}

/* Bit 0 of the ISS tells which. */
static enum exec trap_wfx(struct cpu *c, bool wfe) { return exc_sync(c, EC_WFX, ISS_COND_ALWAYS | wfe); }

enum exec exec_wfi(struct cpu *c, const struct insn *i)
{
	(void)i;
	if (c->el == 0 && !(c->sys[SYS_SCTLR_EL1] & SCTLR_NTWI))
		return trap_wfx(c, false);
	return wait(c, WAIT_WFI);
}

enum exec exec_wfe(struct cpu *c, const struct insn *i)
{
	(void)i;
	if (atomic_exchange(&c->event, false))
		return EXEC_NEXT;
	if (c->el == 0 && !(c->sys[SYS_SCTLR_EL1] & SCTLR_NTWE))
		return trap_wfx(c, true);
	return wait(c, WAIT_WFE);
}

enum exec exec_sev(struct cpu *c, const struct insn *i)
{
	(void)i;
	cpu_send_event(c->soc);
	return EXEC_NEXT;
}

enum exec exec_sevl(struct cpu *c, const struct insn *i)
{
	(void)i;
	atomic_store(&c->event, true);
	return EXEC_NEXT;
}

/* ---- Barriers ---- */

enum exec exec_clrex(struct cpu *c, const struct insn *i)
{
	(void)i;
	c->excl.size = 0;
	return EXEC_NEXT;
}

enum exec exec_dmb(struct cpu *c, const struct insn *i)
{
	(void)c;
	(void)i;
	atomic_thread_fence(memory_order_seq_cst);
	return EXEC_NEXT;
}

enum exec exec_dsb(struct cpu *c, const struct insn *i)
{
	(void)i;
	atomic_thread_fence(memory_order_seq_cst);
	mmu_dsb(c);
	return EXEC_NEXT;
}

/* Ends the block: what follows is looked up again, with everything that changed before. */
enum exec exec_isb(struct cpu *c, const struct insn *i)
{
	(void)i;
	c->pc += 4;
	return EXEC_JUMP;
}

/* ---- MSR (immediate) ---- */

enum exec exec_msr_pan(struct cpu *c, const struct insn *i)
{
	if (c->el == 0)
		return exc_undefined(c);
	cpu_set_pan(c, i->imm & 1);
	return EXEC_NEXT;
}

enum exec exec_msr_spsel(struct cpu *c, const struct insn *i)
{
	if (c->el == 0)
		return exc_undefined(c);
	cpu_set_el(c, c->el, i->imm & 1);
	return EXEC_NEXT;
}

enum exec exec_msr_ssbs(struct cpu *c, const struct insn *i)
{
	c->ssbs = i->imm & 1;
	return EXEC_NEXT;
}

enum exec exec_msr_dit(struct cpu *c, const struct insn *i)
{
	c->dit = i->imm & 1;
	return EXEC_NEXT;
}

/* EL0 may change DAIF only with SCTLR_EL1.UMA; otherwise it traps as the access to a system register with op0 0. */
static bool daif_allowed(const struct cpu *c) { return c->el != 0 || (c->sys[SYS_SCTLR_EL1] & SCTLR_UMA); }

enum exec exec_msr_daifset(struct cpu *c, const struct insn *i)
{
	if (!daif_allowed(c))
		return sysreg_trap(c, i->word);
	cpu_set_daif(c, c->daif | (uint32_t)i->imm << 6);
	return EXEC_NEXT;
}

/* Ends the block, so that an interrupt that was waiting for this is taken now. */
enum exec exec_msr_daifclr(struct cpu *c, const struct insn *i)
{
	if (!daif_allowed(c))
		return sysreg_trap(c, i->word);
	cpu_set_daif(c, c->daif & ~((uint32_t)i->imm << 6));
	c->pc += 4;
	return EXEC_JUMP;
}
