/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One instruction for a vCPU that another hypervisor runs.
 *
 *   its registers -> fetch, decode and execute on a cpu of our own -> what has changed
 *
 * The cpu has the guest's memory and bus and nothing else of the machine. It keeps
 * nothing from one instruction to the next: the guest's tables may be others by
 * then, so TLBs start empty, which makes ASIDs pointless: all are 0 here.
 *
 * Only accesses to memory are executed. Nothing else can be what the other one
 * stopped at, and the rest acts on timers, caches, TLBs or other vCPUs, which here
 * would be those of a machine that does not exist. LDRAA would authenticate with
 * another algorithm than the one that signed, so this cpu has no pointer
 * authentication at all.
 *
 * An exclusive or an atomic that does not reach memory is aborted with DFSC 0x35,
 * as on the software hypervisor: the Arm ARM leaves it to the implementation
 * which memory other than Normal Write-Back has a monitor, and a store-exclusive that
 * always fails would let the guest try for ever. One that does reach memory may
 * fail as it may anywhere: the monitor does not outlive the instruction.
 *
 * Hardware translated the address before it gave up, so a fault found here is
 * that of a second page or of a table that has just been changed. Left out, as
 * it is asked before an access gets this far: watchpoints, tags of MTE. Hardware
 * updates of access flag and dirty state are not done: the guest gets the fault
 * that it would get without them. PSTATE.SS is cleared by the instruction, so the
 * other one takes the step exception that is then due.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/log.h>
#include <vmm/mem.h>
#include <vmm/text.h>

#include "mmu.h"

enum { AT_PSTATE, AT_PC, AT_SCTLR, AT_TCR, AT_SPSR, AT_ESR, AT_REST };

/* What a load or a store depends on, X0 to X30 aside. PSTATE first: it says which SP is the current one. */
static const uint16_t others[] = {
	[AT_PSTATE] = SYS_PSTATE,
	[AT_PC] = SYS_PC,
	[AT_SCTLR] = SYS_SCTLR_EL1,
	[AT_TCR] = SYS_TCR_EL1,
	[AT_SPSR] = SYS_SPSR_EL1,
	[AT_ESR] = SYS_ESR_EL1,
	[AT_REST] = SYS_SP_EL0,
	SYS_SP_EL1,
	SYS_TTBR0_EL1,
	SYS_TTBR1_EL1,
	SYS_MAIR_EL1,
	SYS_CPACR_EL1,
	SYS_VBAR_EL1,
	SYS_ELR_EL1,
	SYS_FAR_EL1,
};

enum { X_COUNT = 31, LOANED = ARRAY_SIZE(others) + X_COUNT, V_COUNT = 32, V_BYTES = 16 };

struct loaned {
	bool there;      /* the other one has it */
	uint64_t keep;   /* its bits that this cpu does not know */
	uint64_t before; /* all of it, as this cpu understood it */
};

struct cpu_loan {
	struct soc *soc;
	struct cpu *cpu;
	struct loaned reg[LOANED];
	bool in_z; /* its SIMD&FP registers are the low parts of Z registers */
	uint32_t v_there;
	uint8_t v[V_COUNT][Z_STRIDE];
};

static unsigned reg_at(unsigned k) { return k < ARRAY_SIZE(others) ? others[k] : SYS_X0 + (k - ARRAY_SIZE(others)); }

/* The bits of a register that this cpu takes over. */
static uint64_t known(unsigned reg)
{
	if (reg == SYS_TTBR0_EL1 || reg == SYS_TTBR1_EL1)
		return bits(reg_rows[reg].mask, 47, 0); /* no ASID */
	return reg_rows[reg == SYS_PSTATE ? SYS_SPSR_EL1 : reg].mask;
}

/* ---- There and back ---- */

static int take_one(struct cpu_loan *l, const struct cpu_loan_regs *regs, unsigned k)
{
	unsigned reg = reg_at(k);
	struct loaned *r = &l->reg[k];
	uint64_t v = 0, own = 0;
	int err;

	r->there = !regs->get(regs->opaque, reg_rows[reg].id, &v);
	if (!r->there)
		v = reg_rows[reg].reset;
	r->keep = v & ~known(reg);
	if (reg != SYS_PSTATE)
		cpu_row_get(l->cpu, reg, &own);
	v = (v & known(reg)) | (own & ~known(reg));
	err = cpu_row_set(l->cpu, reg, &v);
	cpu_row_get(l->cpu, reg, &v);
	r->before = (v & known(reg)) | r->keep;
	return err;
}

static int give_back_one(struct cpu_loan *l, const struct cpu_loan_regs *regs, unsigned k)
{
	unsigned reg = reg_at(k);
	const struct loaned *r = &l->reg[k];
	uint64_t v;

	if (!r->there)
		return 0;
	cpu_row_get(l->cpu, reg, &v);
	v = (v & known(reg)) | r->keep;
	return v == r->before ? 0 : regs->set(regs->opaque, reg_rows[reg].id, &v);
}

static uint64_t v_id(const struct cpu_loan *l, unsigned n) { return l->in_z ? REG_ID_SVE_Z(n) : REG_ID_V(n); }

static void take_v(struct cpu_loan *l, const struct cpu_loan_regs *regs)
{
	l->v_there = 0;
	memset(l->v, 0, sizeof(l->v));
	for (unsigned n = 0; n < V_COUNT; n++) {
		int err = regs->get(regs->opaque, v_id(l, n), l->v[n]);

		if (err && !n) {
			l->in_z = !l->in_z;
			err = regs->get(regs->opaque, v_id(l, n), l->v[n]);
		}
		l->v_there |= (uint32_t)!err << n;
		memcpy(cpu_v(l->cpu, n), l->v[n], V_BYTES);
	}
}

/* The SIMD&FP registers that a load writes, with the same value or another. */
static uint32_t v_written(const struct insn *i)
{
	const struct a64_row *row = &a64_rows[i->op];
	bool structure = (i->word & 0xbe000000) == 0x0c000000; /* LD1 .. LD4 */
	uint32_t set = 0;

	if (!(row->regs & D_VW))
		return 0;
	for (unsigned k = 0; k < (structure ? i->a : 1); k++)
		set |= UINT32_C(1) << ((i->rd + k) & 31);
	return row->regs & A_VW ? set | UINT32_C(1) << i->ra : set;
}

/* A write to V zeroes what is above it in Z, so that is compared too. */
static int give_back_v(struct cpu_loan *l, const struct cpu_loan_regs *regs, uint32_t written)
{
	int err = 0;

	for (unsigned n = 0; !err && n < V_COUNT; n++) {
		uint8_t v[Z_STRIDE] = { 0 };

		if (!(written & l->v_there & UINT32_C(1) << n))
			continue;
		memcpy(v, cpu_v(l->cpu, n), V_BYTES);
		if (memcmp(v, l->v[n], sizeof(v)))
			err = regs->set(regs->opaque, v_id(l, n), v);
	}
	return err;
}

/*
 * An exception also saves the bits of PSTATE that this cpu does not know and
 * changes some of them (Arm ARM, AArch64.TakeException): no UAO, and TCO where there is MTE.
 */
static void exception_taken(struct cpu_loan *l, const struct cpu_loan_regs *regs)
{
	uint64_t pfr1 = 0;

	l->reg[AT_ESR].keep = 0;
	l->reg[AT_SPSR].keep = l->reg[AT_PSTATE].keep;
	l->reg[AT_PSTATE].keep &= ~PSTATE_UAO;
	if (!regs->get(regs->opaque, reg_rows[SYS_ID_AA64PFR1_EL1].id, &pfr1) && bits(pfr1, 11, 8))
		l->reg[AT_PSTATE].keep |= PSTATE_TCO;
}

/* ---- What this cpu would get wrong ---- */

static uint64_t theirs(const struct cpu_loan_regs *regs, uint64_t id)
{
	uint64_t v = 0;

	return regs->get(regs->opaque, id, &v) ? 0 : v;
}

/* Addresses of more than 48 bits (FEAT_LVA, FEAT_LPA2) or of less than 25 (FEAT_TTST). */
static bool odd_range(uint64_t tcr)
{
	unsigned t0sz = (unsigned)bits(tcr, 5, 0), t1sz = (unsigned)bits(tcr, 21, 16);

	return (tcr & TCR_DS) || (!(tcr & TCR_EPD0) && (t0sz < 16 || t0sz > 39)) ||
	       (!(tcr & TCR_EPD1) && (t1sz < 16 || t1sz > 39));
}

/* Why not, or NULL: what the guest has set up and this cpu does not have. */
static const char *unsupported_state(const struct cpu_loan *l, const struct cpu_loan_regs *regs)
{
	const struct cpu *c = l->cpu;
	uint64_t sctlr = l->reg[AT_SCTLR].before;

	if (sctlr & (c->el ? SCTLR_EE : SCTLR_EE | SCTLR_E0E))
		return "the guest is big-endian";
	if (!(sctlr & SCTLR_M))
		return NULL;
	if (odd_range(l->reg[AT_TCR].before))
		return "virtual addresses of more than 48 or less than 25 bits";
	if (theirs(regs, REG_ID_SYS(REG_ENC(3, 0, 2, 0, 3))) & (TCR2_PIE | TCR2_D128))
		return "permission indirection or 128-bit descriptors";
	return NULL;
}

static bool is_dc_zva(const struct insn *i) { return (i->word & ~UINT32_C(31)) == 0xd50b7420; }
static bool is_unprivileged(const struct insn *i) { return (i->word & 0x3f200c00) == 0x38000800; } /* LDTR, STTR */

static const char *unsupported_insn(const struct cpu_loan *l, const struct cpu_loan_regs *regs, const struct insn *i)
{
	if (i->op == OP_COUNT)
		return "unknown to the software CPU";
	if (is_dc_zva(i)) {
		uint64_t dczid = theirs(regs, REG_ID_SYS(REG_ENC(3, 3, 0, 0, 7)));

		return !dczid || bits(dczid, 3, 0) == 4 ? NULL : "DC ZVA of another size than 64 bytes";
	}
	if (!(a64_rows[i->op].flags & (F_LOAD | F_STORE)))
		return "not an access to memory";
	if (is_unprivileged(i) && (l->reg[AT_PSTATE].keep & PSTATE_UAO))
		return "PSTATE.UAO is set";
	return NULL;
}

/* ---- The instruction ---- */

static int fetch(struct cpu *c, uint32_t *word)
{
	struct xlat x;

	if ((c->pc & 3) || mmu_translate(c, c->pc, c->el, false, ACCESS_ANY, &x))
		return -EFAULT;
	return mem_read(c->soc->env.mem, gpa(xlat_pa(&x, mmu_untag(c, c->pc))), word, sizeof(*word));
}

static int execute(struct cpu_loan *l, const struct cpu_loan_regs *regs, const struct insn *i)
{
	struct cpu *c = l->cpu;
	bool fp = a64_rows[i->op].flags & F_FP;
	int err = 0;

	if (fp)
		take_v(l, regs);
	if (i->exec(c, i) == EXEC_NEXT) {
		c->pc += 4;
		c->btype = 0;
		c->ss = 0;
		if (fp)
			err = give_back_v(l, regs, v_written(i));
	} else {
		exception_taken(l, regs);
	}
	for (unsigned k = 0; !err && k < LOANED; k++)
		err = give_back_one(l, regs, k);
	return err;
}

static int refuse(char *text, size_t bytes, const char *why)
{
	if (text)
		text_add(text, bytes, ": %s", why);
	return -ENOTSUP;
}

int cpu_loan_step(struct cpu_loan *l, const struct cpu_loan_regs *regs, char *text, size_t bytes)
{
	struct cpu *c = l->cpu;
	const char *why = NULL;
	struct insn i;
	uint32_t word;

	if (text)
		text[0] = '\0';
	for (unsigned k = 0; k < LOANED; k++)
		if (take_one(l, regs, k))
			why = "the vCPU is in AArch32 state or at EL2"; /* nothing but PSTATE is refused */
	if (!why)
		why = unsupported_state(l, regs);
	mmu_inv_all(c);
	c->excl.size = 0;
	if (why || fetch(c, &word)) {
		if (text)
			text_add(text, bytes, "the instruction at 0x%llx", (unsigned long long)c->pc);
		return why ? refuse(text, bytes, why) : -EFAULT;
	}
	if (text)
		cpu_disas(word, gva(c->pc), text, bytes);
	a64_decode(word, c->soc->features, c->fp_trapped, &i);
	why = unsupported_insn(l, regs, &i);
	return why ? refuse(text, bytes, why) : execute(l, regs, &i);
}

/* ---- Life ---- */

int cpu_loan_create(const struct hv_env *env, const struct soc_config *cfg, unsigned id, struct cpu_loan **loan)
{
	struct soc_config own = *cfg;
	struct cpu_loan *l = calloc(1, sizeof(*l));
	int err;

	*loan = NULL;
	if (!l)
		return log_err(-ENOMEM, "vcpu %u: no host memory to execute an instruction for it", id);
	own.pauth = false;
	err = soc_create_bare(&own, env, id, &l->soc);
	if (err) {
		free(l);
		return err;
	}
	l->cpu = l->soc->cpus[0];
	*loan = l;
	return 0;
}

void cpu_loan_destroy(struct cpu_loan *l)
{
	if (!l)
		return;
	soc_destroy(l->soc);
	free(l);
}
