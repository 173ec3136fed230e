/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MRS and MSR of the rows of regs.def, and the registers that do something.
 *
 * An encoding is an index into a constant table, so an access costs two loads
 * and a call. What has no row is UNDEFINED, except the space reserved for ID
 * registers, which reads as zero: Linux looks at new ones with every release.
 */
#include <sys/random.h>

#include "cpu.h"

#define SCTLR_PAUTH (SCTLR_ENIA | SCTLR_ENIB | SCTLR_ENDA | SCTLR_ENDB)

const struct reg_row reg_rows[SYS_COUNT] = {
#define VM   HV_SCOPE_VM
#define VCPU HV_SCOPE_VCPU
#define REG(NAME, enc, id, scope, gdb, access, el0, feat, reset, mask, read, write, flags) \
	[SYS_##NAME] = { #NAME, id, reset, mask, read, write, enc, gdb, scope, access, el0, feat, flags },
#include <vmm/regs.def>
#undef VM
#undef VCPU
};

/* Row number + 1 by encoding without the top bit of op0, which is always 1; the rest of the table is waste for
 * REG_NO_ENC. */
#define ENC_BITS           15
#define ENC_SLOT(enc, row) ((enc) ? (enc) & ((1 << ENC_BITS) - 1) : (1 << ENC_BITS) + (row))

static const uint16_t by_enc[(1 << ENC_BITS) + SYS_COUNT] = {
#define REG(NAME, enc, ...) [ENC_SLOT(enc, SYS_##NAME)] = SYS_##NAME + 1,
#include <vmm/regs.def>
};

/* EL0's access is allowed when (register & mask) != 0, or == 0 for inverted ones. */
static const struct el0_control {
	uint16_t reg;
	bool inverted;
	uint64_t mask;
} el0_controls[EL0_COUNT] = {
	[EL0_UCT] = { SYS_SCTLR_EL1, false, SCTLR_UCT },    [EL0_UMA] = { SYS_SCTLR_EL1, false, SCTLR_UMA },
	[EL0_TSCXT] = { SYS_SCTLR_EL1, true, SCTLR_TSCXT }, [EL0_TDCC] = { SYS_MDSCR_EL1, true, MDSCR_TDCC },
	[EL0_CNTFRQ] = { SYS_CNTKCTL_EL1, false, 0x3 },     [EL0_CNTPCT] = { SYS_CNTKCTL_EL1, false, 0x1 },
	[EL0_CNTVCT] = { SYS_CNTKCTL_EL1, false, 0x2 },     [EL0_CNTV] = { SYS_CNTKCTL_EL1, false, 0x100 },
	[EL0_CNTP] = { SYS_CNTKCTL_EL1, false, 0x200 },
};

static bool el0_allowed(const struct cpu *c, const struct reg_row *row)
{
	const struct el0_control *e = &el0_controls[row->el0];

	return row->el0 == EL0_FREE || ((c->sys[e->reg] & e->mask) != 0) != e->inverted;
}

enum exec sysreg_trap(struct cpu *c, uint32_t word)
{
	/* ISS: Op0 21:20, Op2 19:17, Op1 16:14, CRn 13:10, Rt 9:5, CRm 4:1, read 0. */
	uint32_t iss =
		(uint32_t)(bits(word, 20, 19) << 20 | bits(word, 7, 5) << 17 | bits(word, 18, 16) << 14 |
			   bits(word, 15, 12) << 10 | bits(word, 4, 0) << 5 | bits(word, 11, 8) << 1 | bit(word, 21));

	return exc_sync(c, EC_SYSREG, iss);
}

const struct reg_row *sysreg_find(uint32_t word, unsigned *reg)
{
	unsigned n = by_enc[word >> 5 & ((1 << ENC_BITS) - 1)];

	*reg = n - 1;
	return n ? &reg_rows[n - 1] : NULL;
}

/* True: the access may go on. False: *r is what the instruction returns. */
static inline bool check(struct cpu *c, const struct insn *i, const struct reg_row *row, unsigned right, enum exec *r)
{
	if (!(row->access & right) || !soc_has(c->soc, row->feat) || ((row->flags & REG_SP0) && !c->spsel)) {
		*r = exc_undefined(c);
		return false;
	}
	if (c->el == 0 && !el0_allowed(c, row)) {
		*r = sysreg_trap(c, i->word);
		return false;
	}
	if ((row->flags & REG_FP) && c->fp_trapped) {
		*r = exec_fp_trapped(c, i);
		return false;
	}
	return true;
}

static bool reserved_id_space(uint32_t word) { return bits(word, 20, 12) == 0x180 && bits(word, 11, 8) <= 7; }

enum exec sysreg_mrs(struct cpu *c, const struct insn *i)
{
	unsigned reg;
	const struct reg_row *row = sysreg_find(i->word, &reg);
	enum exec r;

	if (!row) {
		if (c->el == 0 || !reserved_id_space(i->word))
			return exc_undefined(c);
		c->x[i->rd] = 0;
		return EXEC_NEXT;
	}
	if (!check(c, i, row, REG_R0 << c->el, &r))
		return r;
	c->x[i->rd] = row->read(c, reg);
	return EXEC_NEXT;
}

enum exec sysreg_msr(struct cpu *c, const struct insn *i)
{
	unsigned reg;
	const struct reg_row *row = sysreg_find(i->word, &reg);
	enum exec r;

	if (!row)
		return exc_undefined(c);
	if (!check(c, i, row, REG_W0 << c->el, &r))
		return r;
	row->write(c, reg, c->x[i->rd] & row->mask);
	if (!(row->flags & REG_ENDS))
		return EXEC_NEXT;
	c->pc += 4;
	return EXEC_JUMP;
}

/* ---- Plain storage ---- */

static uint64_t *storage(struct cpu *c, unsigned reg)
{
	return reg_rows[reg].scope == HV_SCOPE_VM ? &c->soc->sys[reg] : &c->sys[reg];
}

uint64_t sys_read(struct cpu *c, unsigned reg) { return *storage(c, reg); }

void sys_write(struct cpu *c, unsigned reg, uint64_t v)
{
	*storage(c, reg) = v | (reg_rows[reg].reset & ~reg_rows[reg].mask);
}

/* ---- PSTATE, stack pointers ---- */

uint64_t sys_read_sp_el0(struct cpu *c, unsigned reg)
{
	(void)reg;
	return c->el && c->spsel ? c->sp_el[0] : c->x[SLOT_SP];
}

void sys_write_sp_el0(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	*(c->el && c->spsel ? &c->sp_el[0] : &c->x[SLOT_SP]) = v;
}

uint64_t sys_read_sp_el1(struct cpu *c, unsigned reg)
{
	(void)reg;
	return c->el && c->spsel ? c->x[SLOT_SP] : c->sp_el[1];
}

void sys_write_sp_el1(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	*(c->el && c->spsel ? &c->x[SLOT_SP] : &c->sp_el[1]) = v;
}

static void set_fpcr(struct cpu *c, uint32_t v)
{
	if (v == c->fpcr)
		return;
	c->fpcr = v;
	run_fpcr_changed(c);
}

static uint32_t get_fpsr(struct cpu *c)
{
	run_fp_sync(c);
	return c->fpsr;
}

static void set_fpsr(struct cpu *c, uint32_t v)
{
	run_fp_sync(c); /* what was collected before goes */
	c->fpsr = v;
}

#define PSTATE_FIELD(name, get, set)                                   \
	uint64_t sys_read_##name(struct cpu *c, unsigned reg)          \
	{                                                              \
		(void)reg;                                             \
		return get;                                            \
	}                                                              \
	void sys_write_##name(struct cpu *c, unsigned reg, uint64_t v) \
	{                                                              \
		(void)reg;                                             \
		set;                                                   \
	}
PSTATE_FIELD(nzcv, c->nzcv, c->nzcv = (uint32_t)v)
PSTATE_FIELD(daif, c->daif, cpu_set_daif(c, (uint32_t)v))
PSTATE_FIELD(spsel, c->spsel, cpu_set_el(c, c->el, (unsigned)v))
PSTATE_FIELD(pan, (uint64_t)c->pan << 22, cpu_set_pan(c, bit(v, 22)))
PSTATE_FIELD(dit, (uint64_t)c->dit << 24, c->dit = bit(v, 24))
PSTATE_FIELD(ssbs, (uint64_t)c->ssbs << 12, c->ssbs = bit(v, 12))
PSTATE_FIELD(fpcr, c->fpcr, set_fpcr(c, (uint32_t)v))
PSTATE_FIELD(fpsr, get_fpsr(c), set_fpsr(c, (uint32_t)v))
#undef PSTATE_FIELD

uint64_t sys_read_currentel(struct cpu *c, unsigned reg)
{
	(void)reg;
	return (uint64_t)c->el << 2;
}

/* ---- Identification ---- */

uint64_t sys_read_ccsidr(struct cpu *c, unsigned reg)
{
	static const uint16_t by_csselr[] = { SYS_CCSIDR_L1D, SYS_CCSIDR_L1I, SYS_CCSIDR_L2 };
	uint64_t n = c->sys[SYS_CSSELR_EL1];

	(void)reg;
	return n < ARRAY_SIZE(by_csselr) ? c->soc->sys[by_csselr[n]] : 0;
}

/* BS=4: DC ZVA zeroes 64 bytes. DZP says whether EL0 may not; at EL1 it always may. */
uint64_t sys_read_dczid(struct cpu *c, unsigned reg)
{
	(void)reg;
	return 4 | (c->el == 0 && !(c->sys[SYS_SCTLR_EL1] & SCTLR_DZE) ? 0x10 : 0);
}

/* Arm ARM, RNDR: NZCV=0000 and a number, or 0100 and zero. */
uint64_t sys_read_rndr(struct cpu *c, unsigned reg)
{
	uint64_t v;

	(void)reg;
	if (getrandom(&v, sizeof(v), GRND_NONBLOCK) != sizeof(v)) {
		c->nzcv = PSTATE_Z;
		return 0;
	}
	c->nzcv = 0;
	return v;
}

/* ---- Control ---- */

void sys_write_sctlr(struct cpu *c, unsigned reg, uint64_t v)
{
	if (!c->soc->cfg.pauth)
		v &= ~SCTLR_PAUTH;
	if (!soc_has(c->soc, FEAT_BTI))
		v &= ~(SCTLR_BT0 | SCTLR_BT1);
	if (!soc_has(c->soc, FEAT_PAN))
		v |= SCTLR_SPAN;
	sys_write(c, reg, v);
	mmu_regime_changed(c);
}

void sys_write_cpacr(struct cpu *c, unsigned reg, uint64_t v)
{
	sys_write(c, reg, v);
	cpu_update_fp_trap(c);
	mmu_flush_jump_caches(c); /* blocks were decoded for the other answer */
}

/* TBID0 and TBID1 (the tag is ignored for data only) came with pointer authentication. */
void sys_write_tcr(struct cpu *c, unsigned reg, uint64_t v)
{
	if (!soc_has(c->soc, FEAT_PAUTH))
		v &= ~(TCR_TBID0 | TCR_TBID1);
	sys_write_translation(c, reg, v);
}

void sys_write_translation(struct cpu *c, unsigned reg, uint64_t v)
{
	sys_write(c, reg, v);
	mmu_regime_changed(c);
}

uint64_t sys_read_isr(struct cpu *c, unsigned reg)
{
	uint32_t lines = atomic_load_explicit(&c->irq_lines, memory_order_relaxed);

	(void)reg;
	return (lines & 1 ? PSTATE_I : 0) | (lines & 2 ? PSTATE_F : 0);
}
