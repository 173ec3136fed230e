/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exceptions into EL1 and back, and PSTATE as one word.
 *
 * PSTATE lives in pieces (nzcv, daif, el, ...) because that is how instructions
 * use it. Whoever changes EL, SPSel, PAN or DAIF comes through here, since other
 * things hang on them: the banked SP, which translations apply, whether FP traps,
 * whether a waiting interrupt may now be taken. (Arm ARM, D1 "The AArch64 System
 * Level Programmers' Model")
 */
#include "cpu.h"

enum vector { VECTOR_SYNC = 0x000, VECTOR_IRQ = 0x080, VECTOR_FIQ = 0x100 };

uint64_t cpu_pstate(const struct cpu *c)
{
	return c->nzcv | c->daif | (uint64_t)c->dit << 24 | (uint64_t)c->pan << 22 | (uint64_t)c->ss << 21 |
	       (uint64_t)c->il << 20 | (uint64_t)c->ssbs << 12 | (uint64_t)c->btype << PSTATE_BTYPE_SHIFT |
	       (uint64_t)c->el << 2 | c->spsel;
}

/* EL0 has no choice of stack pointer: SPSel is what it was, but SP_EL0 is used. */
static unsigned sp_index(unsigned el, unsigned spsel) { return el && spsel; }

void cpu_set_el(struct cpu *c, unsigned el, unsigned spsel)
{
	unsigned was = sp_index(c->el, c->spsel), is = sp_index(el, spsel);

	if (was != is) {
		c->sp_el[was] = c->x[SLOT_SP];
		c->x[SLOT_SP] = c->sp_el[is];
	}
	c->spsel = (uint8_t)spsel;
	if (c->el == el)
		return;
	c->el = (uint8_t)el;
	mmu_el_changed(c);
	cpu_update_fp_trap(c);
}

void cpu_set_pan(struct cpu *c, bool pan)
{
	if (c->pan == pan)
		return;
	c->pan = pan;
	if (pan)
		mmu_purge_user(c);
}

bool cpu_irq_deliverable(struct cpu *c)
{
	uint32_t lines = atomic_load_explicit(&c->irq_lines, memory_order_acquire);

	return ((lines & 1) && !(c->daif & PSTATE_I)) || ((lines & 2) && !(c->daif & PSTATE_F));
}

void cpu_set_daif(struct cpu *c, uint32_t daif)
{
	c->daif = daif & PSTATE_DAIF;
	if (c->sys[SYS_MDSCR_EL1] & (MDSCR_SS | MDSCR_MDE))
		cpu_check_step(c);
	if (cpu_irq_deliverable(c))
		atomic_fetch_or_explicit(&c->exit_req, REQ_IRQ, memory_order_relaxed);
}

/* CPACR_EL1.FPEN: 0b01 traps EL0 only, 0b11 nobody, the other two everybody. */
void cpu_update_fp_trap(struct cpu *c)
{
	uint64_t fpen = bits(c->sys[SYS_CPACR_EL1], 21, 20);

	c->fp_trapped = fpen != 3 && !(fpen == 1 && c->el);
}

/* Fields of features that this VM does not have are RES0, in SPSR_EL1 too. */
static uint64_t pstate_res0(const struct soc *s)
{
	return (soc_has(s, FEAT_PAN) ? 0 : PSTATE_PAN) | (soc_has(s, FEAT_DIT) ? 0 : PSTATE_DIT) |
	       (soc_has(s, FEAT_BTI) ? 0 : UINT64_C(3) << PSTATE_BTYPE_SHIFT);
}

void cpu_set_pstate(struct cpu *c, uint64_t p)
{
	p &= ~pstate_res0(c->soc);
	c->nzcv = (uint32_t)(p & PSTATE_NZCV);
	c->dit = bit(p, 24);
	c->ss = bit(p, 21);
	c->il = bit(p, 20);
	c->ssbs = bit(p, 12);
	c->btype = bits(p, 11, 10);
	cpu_set_el(c, bits(p, 3, 2), bit(p, 0));
	cpu_set_pan(c, bit(p, 22));
	cpu_set_daif(c, p & PSTATE_DAIF);
	cpu_check_step(c);
}

/* Arm ARM, AArch64.TakeException, to EL1. */
static enum exec enter(struct cpu *c, enum vector vector, uint64_t elr)
{
	uint64_t sctlr = c->sys[SYS_SCTLR_EL1];
	unsigned from = c->el ? (c->spsel ? 0x200 : 0x000) : 0x400;

	c->sys[SYS_SPSR_EL1] = cpu_pstate(c);
	c->sys[SYS_ELR_EL1] = elr;
	cpu_set_el(c, 1, 1);
	if (!(sctlr & SCTLR_SPAN))
		cpu_set_pan(c, true);
	c->ssbs = (sctlr & SCTLR_DSSBS) != 0;
	c->daif = PSTATE_DAIF;
	c->btype = 0;
	c->il = 0;
	c->ss = 0;
	c->stepped = STEPPED_NOT;
	c->excl.size = 0;
	c->pc = c->sys[SYS_VBAR_EL1] + from + vector;
	cpu_check_step(c);
	return EXEC_JUMP;
}

static enum exec enter_sync(struct cpu *c, unsigned ec, uint32_t iss, uint64_t elr)
{
	enum exec r = enter(c, VECTOR_SYNC, elr);

	c->sys[SYS_ESR_EL1] = (uint64_t)ec << 26 | ESR_IL | iss;
	return r;
}

enum exec exc_undefined(struct cpu *c) { return enter_sync(c, EC_UNKNOWN, 0, c->pc); }

enum exec exc_sync(struct cpu *c, unsigned ec, uint32_t iss) { return enter_sync(c, ec, iss, c->pc); }

enum exec exc_sync_ret(struct cpu *c, unsigned ec, uint32_t iss)
{
	c->ss = 0; /* the instruction counts as stepped */
	return enter_sync(c, ec, iss, c->pc + 4);
}

enum exec exc_sync_far(struct cpu *c, unsigned ec, uint32_t iss, uint64_t far)
{
	enter_sync(c, ec, iss, c->pc);
	c->sys[SYS_FAR_EL1] = far;
	return EXEC_JUMP;
}

enum exec exc_irq(struct cpu *c, bool fiq) { return enter(c, fiq ? VECTOR_FIQ : VECTOR_IRQ, c->pc); }

bool cpu_sp_misaligned(struct cpu *c)
{
	if (!(c->sys[SYS_SCTLR_EL1] & (c->el ? SCTLR_SA : SCTLR_SA0)))
		return false;
	exc_sync(c, EC_SP_ALIGNMENT, 0);
	return true;
}

bool cpu_mode_exists(uint64_t pstate)
{
	unsigned m = pstate & 0x1f;

	return m == 0 || m == 4 || m == 5;
}

/*
 * Arm ARM, "Illegal return events": everything but EL, SPSel and register width
 * comes from SPSR; PSTATE.IL makes the next instruction trap.
 */
enum exec exc_return(struct cpu *c)
{
	uint64_t spsr = c->sys[SYS_SPSR_EL1];
	bool ss;

	if (c->el == 0)
		return exc_undefined(c);
	c->excl.size = 0;
	atomic_store_explicit(&c->event, true, memory_order_relaxed);
	c->pc = cpu_branch_address(c, c->sys[SYS_ELR_EL1]);
	if (!cpu_mode_exists(spsr))
		spsr = (spsr & ~UINT64_C(0x1f)) | PSTATE_IL | (uint64_t)c->el << 2 | c->spsel;
	ss = debug_return_ss(c, spsr);
	cpu_set_pstate(c, (spsr & ~PSTATE_SS) | (ss ? PSTATE_SS : 0));
	return EXEC_JUMP;
}

/* ---- Stand-ins chosen while decoding ---- */

enum exec exec_undefined(struct cpu *c, const struct insn *i)
{
	(void)i;
	return exc_undefined(c);
}

/* CPACR_EL1.FPEN */
enum exec exec_fp_trapped(struct cpu *c, const struct insn *i)
{
	(void)i;
	return exc_sync(c, EC_FP, ISS_COND_ALWAYS);
}
