/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MRS and MSR: who may, what traps, what sticks; and the host's view of the same rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <vmm/err.h>

#include "machine.h"

#define MRS(enc) (0xd5300000u | ((uint32_t)(enc)&0x7fff) << 5 | 9) /* x9 */
#define MSR(enc) (0xd5100000u | ((uint32_t)(enc)&0x7fff) << 5 | 9)

static int step_el0(struct cpu *c, uint32_t word)
{
	cpu_set_pstate(c, 0);
	return machine_step(c, word);
}

static int step_el1(struct cpu *c, uint32_t word)
{
	cpu_set_pstate(c, 5);
	return machine_step(c, word);
}

static void el1_registers_are_undefined_at_el0(void **state)
{
	struct machine m = machine_new(1);

	(void)state;
	m.cpu->sys[SYS_CPACR_EL1] = 3 << 20;
	for (unsigned k = 0; k < SYS_COUNT; k++) {
		const struct reg_row *row = &reg_rows[k];

		if (!row->enc || !(m.soc->features >> row->feat & 1))
			continue;
		if (!(row->access & REG_R0))
			assert_int_equal(step_el0(m.cpu, MRS(row->enc)), 0);
		if (!(row->access & REG_W0))
			assert_int_equal(step_el0(m.cpu, MSR(row->enc)), 0);
		if (!(row->access & REG_R1))
			assert_int_equal(step_el1(m.cpu, MRS(row->enc)), 0);
		else
			assert_int_equal(step_el1(m.cpu, MRS(row->enc)), STEP_OK);
		if (!(row->access & REG_W1))
			assert_int_equal(step_el1(m.cpu, MSR(row->enc)), 0);
	}
	machine_free(&m);
}

static void control_bits_let_el0_in(void **state)
{
	static const struct {
		unsigned enc, reg;
		uint64_t bit;
	} rows[] = {
		{ REG_ENC(3, 3, 0, 0, 1), SYS_SCTLR_EL1, 1 << 15 }, /* CTR_EL0, UCT */
		{ REG_ENC(3, 3, 4, 2, 1), SYS_SCTLR_EL1, 1 << 9 },  /* DAIF, UMA */
		{ REG_ENC(3, 3, 14, 0, 2), SYS_CNTKCTL_EL1, 2 },    /* CNTVCT_EL0 */
		{ REG_ENC(3, 3, 14, 0, 1), SYS_CNTKCTL_EL1, 1 },
		{ REG_ENC(3, 3, 14, 3, 1), SYS_CNTKCTL_EL1, 0x100 },
		{ REG_ENC(3, 3, 14, 2, 2), SYS_CNTKCTL_EL1, 0x200 },
	};
	struct machine m = machine_new(1);

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		m.cpu->sys[rows[k].reg] &= ~rows[k].bit;
		assert_int_equal(step_el0(m.cpu, MRS(rows[k].enc)), 0x18);
		/* ISS: Op0 21:20, Op2 19:17, Op1 16:14, CRn 13:10, Rt 9:5, CRm 4:1, read 0 */
		assert_int_equal(m.cpu->sys[SYS_ESR_EL1] & 0x1ffffff,
				 (rows[k].enc >> 14) << 20 | (rows[k].enc & 7) << 17 | (rows[k].enc >> 11 & 7) << 14 |
					 (rows[k].enc >> 7 & 15) << 10 | 9 << 5 | (rows[k].enc >> 3 & 15) << 1 | 1);
		m.cpu->sys[rows[k].reg] |= rows[k].bit;
		assert_int_equal(step_el0(m.cpu, MRS(rows[k].enc)), STEP_OK);
	}
	machine_free(&m);
}

static void the_space_of_id_registers_reads_as_zero(void **state)
{
	struct machine m = machine_new(1);

	(void)state;
	for (unsigned crm = 1; crm < 8; crm++)
		for (unsigned op2 = 0; op2 < 8; op2++) {
			assert_int_equal(step_el1(m.cpu, MRS(REG_ENC(3, 0, 0, crm, op2))), STEP_OK);
			assert_int_equal(step_el0(m.cpu, MRS(REG_ENC(3, 0, 0, crm, op2))), 0);
			assert_int_equal(step_el1(m.cpu, MSR(REG_ENC(3, 0, 0, crm, op2))), 0);
		}
	m.cpu->x[9] = 1;
	assert_int_equal(step_el1(m.cpu, MRS(REG_ENC(3, 0, 0, 3, 7))), STEP_OK);
	assert_int_equal(m.cpu->x[9], 0);
	assert_int_equal(step_el1(m.cpu, MRS(REG_ENC(3, 0, 0, 8, 0))), 0);
	assert_int_equal(step_el1(m.cpu, MRS(REG_ENC(3, 3, 9, 13, 0))), 0); /* PMCCNTR_EL0: there is no PMU */
	machine_free(&m);
}

static void reserved_bits_do_not_stick(void **state)
{
	static const struct {
		unsigned reg, enc;
		uint64_t ones, zeroes;
	} rows[] = {
		{ SYS_VBAR_EL1, REG_ENC(3, 0, 12, 0, 0), ~UINT64_C(0x7ff), 0 },
		{ SYS_SCTLR_EL1, REG_ENC(3, 0, 1, 0, 0), UINT64_C(0x0000101834dddb9f), UINT64_C(0x30400980) },
		{ SYS_CPACR_EL1, REG_ENC(3, 0, 1, 0, 2), 0x300000, 0 },
		{ SYS_ACTLR_EL1, REG_ENC(3, 0, 1, 0, 1), 0, 0 },
	};
	struct machine m = machine_new(1);

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		m.cpu->x[9] = UINT64_MAX;
		assert_int_equal(step_el1(m.cpu, MSR(rows[k].enc)), STEP_OK);
		assert_int_equal(m.cpu->sys[rows[k].reg], rows[k].ones);
		m.cpu->x[9] = 0;
		assert_int_equal(step_el1(m.cpu, MSR(rows[k].enc)), STEP_OK);
		assert_int_equal(m.cpu->sys[rows[k].reg], rows[k].zeroes);
	}
	machine_free(&m);
}

static void sp_el0_is_undefined_while_it_is_sp(void **state)
{
	struct machine m = machine_new(1);

	(void)state;
	m.cpu->sp_el[0] = 77;
	assert_int_equal(step_el1(m.cpu, MRS(REG_ENC(3, 0, 4, 1, 0))), STEP_OK);
	assert_int_equal(m.cpu->x[9], 77);
	cpu_set_pstate(m.cpu, 4);
	assert_int_equal(machine_step(m.cpu, MRS(REG_ENC(3, 0, 4, 1, 0))), 0);
	machine_free(&m);
}

static void the_register_list_round_trips(void **state)
{
	struct machine m = machine_new(2);
	unsigned n = 0, vcpu_seen = 0;
	struct hv_reg *regs;

	(void)state;
	assert_int_equal(cpu_reg_list(m.soc, NULL, &n), -E2BIG);
	assert_true(n > 100);
	regs = calloc(n, sizeof(*regs));
	assert_int_equal(cpu_reg_list(m.soc, regs, &n), 0);
	for (unsigned k = 0; k < n; k++) {
		struct cpu *c = regs[k].scope == HV_SCOPE_VM ? NULL : m.cpu;
		uint64_t v[2] = { 0, 0 };

		vcpu_seen |= regs[k].scope == HV_SCOPE_VCPU;
		assert_false(vcpu_seen && regs[k].scope == HV_SCOPE_VM); /* G7: VM scope first */
		for (unsigned j = 0; j < k; j++)
			assert_true(regs[j].id != regs[k].id);
		assert_int_equal(cpu_reg_get(m.soc, c, regs[k].id, v), 0);
		assert_int_equal(cpu_reg_set(m.soc, c, regs[k].id, v), 0);
	}
	free(regs);
	machine_free(&m);
}

static int set(struct machine *m, unsigned reg, uint64_t v)
{
	return cpu_reg_set(m->soc, m->cpu, reg_rows[reg].id, &v);
}

static void features_may_be_taken_away_before_the_first_run(void **state)
{
	struct machine m = machine_new(1);
	uint64_t isar0 = m.soc->sys[SYS_ID_AA64ISAR0_EL1], mmfr0 = m.soc->sys[SYS_ID_AA64MMFR0_EL1];
	uint64_t no_atomics = isar0 & ~UINT64_C(0xf00000);

	(void)state;
	assert_true(m.soc->features >> FEAT_LSE & 1);
	assert_int_equal(set(&m, SYS_ID_AA64ISAR0_EL1, isar0 | UINT64_C(0xf00000)), -EINVAL);
	assert_int_equal(set(&m, SYS_ID_AA64ISAR0_EL1, no_atomics), 0);
	assert_false(m.soc->features >> FEAT_LSE & 1);
	assert_int_equal(set(&m, SYS_ID_AA64MMFR0_EL1, mmfr0 | UINT64_C(0xf0000000)), 0); /* TGran4 absent */
	assert_int_equal(set(&m, SYS_ID_AA64MMFR0_EL1, mmfr0 + 1), -EINVAL);
	assert_int_equal(set(&m, SYS_PSCI_VERSION, 0x10000), 0);
	assert_int_equal(set(&m, SYS_PSCI_VERSION, 0x10002), -EINVAL);
	assert_int_equal(set(&m, SYS_SMCCC_STD_BMAP, 0), 0);
	assert_int_equal(set(&m, SYS_SMCCC_STD_BMAP, 2), -EINVAL);
	atomic_store(&m.soc->ran, true);
	assert_int_equal(set(&m, SYS_ID_AA64ISAR0_EL1, isar0), -EBUSY);
	assert_int_equal(set(&m, SYS_ID_AA64ISAR0_EL1, no_atomics), 0);
	assert_int_equal(set(&m, SYS_SMCCC_STD_BMAP, 1), -EBUSY);
	machine_free(&m);
}

/* Sets the 4-bit field at @shift of @reg. */
static void lower(struct machine *m, unsigned reg, unsigned shift, uint64_t level)
{
	uint64_t v = m->soc->sys[reg];

	assert_int_equal(set(m, reg, (v & ~(UINT64_C(0xf) << shift)) | level << shift), 0);
}

static void what_the_id_registers_deny_does_not_act(void **state)
{
	struct machine m = machine_new(1);
	struct cpu *c = m.cpu;

	(void)state;
	assert_int_equal(step_el1(c, MRS(REG_ENC(3, 0, 13, 0, 7))), STEP_OK); /* SCXTNUM_EL1 */
	lower(&m, SYS_ID_AA64MMFR1_EL1, 20, 0);                               /* PAN */
	lower(&m, SYS_ID_AA64PFR1_EL1, 0, 0);                                 /* BT */
	lower(&m, SYS_ID_AA64PFR0_EL1, 48, 0);                                /* DIT */
	lower(&m, SYS_ID_AA64PFR0_EL1, 56, 1);                                /* CSV2 */
	assert_int_equal(step_el1(c, MRS(REG_ENC(3, 0, 13, 0, 7))), 0);
	assert_int_equal(step_el1(c, MRS(REG_ENC(3, 0, 4, 2, 3))), 0); /* PAN */
	c->x[9] = 0;
	assert_int_equal(step_el1(c, MSR(REG_ENC(3, 0, 1, 0, 0))), STEP_OK);
	assert_true(c->sys[SYS_SCTLR_EL1] >> 23 & 1); /* SPAN is RES1 */
	c->sys[SYS_SPSR_EL1] = 5 | PSTATE_PAN | PSTATE_DIT | 3 << PSTATE_BTYPE_SHIFT;
	exc_return(c);
	assert_int_equal(cpu_pstate(c), 5);
	exc_undefined(c);
	assert_false(c->pan);
	machine_free(&m);
}

static void a_gicv2_has_no_system_registers(void **state)
{
	struct soc *s = fake_soc_gicv2(1);
	struct hv_reg regs[SYS_COUNT];
	unsigned count = SYS_COUNT;
	uint64_t pfr0, with;

	(void)state;
	assert_int_equal(cpu_reg_get(s, NULL, reg_rows[SYS_ID_AA64PFR0_EL1].id, &pfr0), 0);
	assert_int_equal(pfr0 >> 24 & 0xf, 0);
	with = pfr0 | 1 << 24;
	assert_int_equal(cpu_reg_set(s, NULL, reg_rows[SYS_ID_AA64PFR0_EL1].id, &with), -EINVAL);
	for (unsigned k = SYS_ICC_PMR_EL1; k <= SYS_ICC_IGRPEN1_EL1; k++) {
		assert_int_equal(step_el1(s->cpus[0], MRS(reg_rows[k].enc)), 0);
		assert_int_equal(step_el1(s->cpus[0], MSR(reg_rows[k].enc)), 0);
	}
	/* Nor has a saved state. */
	assert_int_equal(cpu_reg_list(s, regs, &count), 0);
	for (unsigned i = 0; i < count; i++)
		for (unsigned k = SYS_ICC_PMR_EL1; k <= SYS_ICC_IGRPEN1_EL1; k++)
			assert_true(regs[i].id != reg_rows[k].id || regs[i].id == REG_NO_ID);
	fake_soc_free(s);
}

/* Arm ARM field by field: what is promised, and that nothing else is. */
static void id_registers_promise_what_is_there(void **state)
{
	static const struct {
		unsigned reg, shift, value;
	} fields[] = {
		{ SYS_ID_AA64PFR0_EL1, 0, 1 },   { SYS_ID_AA64PFR0_EL1, 4, 1 },   /* EL0, EL1: AArch64 only */
		{ SYS_ID_AA64PFR0_EL1, 16, 1 },  { SYS_ID_AA64PFR0_EL1, 20, 1 },  /* FP, AdvSIMD with FP16 */
		{ SYS_ID_AA64PFR0_EL1, 24, 1 },  { SYS_ID_AA64PFR0_EL1, 48, 1 },  /* GIC, DIT */
		{ SYS_ID_AA64PFR0_EL1, 56, 3 },  { SYS_ID_AA64PFR0_EL1, 60, 1 },  /* CSV2, CSV3 */
		{ SYS_ID_AA64PFR1_EL1, 0, 1 },   { SYS_ID_AA64PFR1_EL1, 4, 2 },   /* BT, SSBS */
		{ SYS_ID_AA64DFR0_EL1, 0, 6 },   { SYS_ID_AA64DFR0_EL1, 12, 1 },  /* DebugVer, BRPs */
		{ SYS_ID_AA64DFR0_EL1, 20, 1 },  { SYS_ID_AA64DFR0_EL1, 36, 15 }, /* WRPs, DoubleLock absent */
		{ SYS_ID_AA64ISAR0_EL1, 4, 2 },  { SYS_ID_AA64ISAR0_EL1, 8, 1 },  /* AES and PMULL, SHA1 */
		{ SYS_ID_AA64ISAR0_EL1, 12, 2 }, { SYS_ID_AA64ISAR0_EL1, 16, 1 }, /* SHA2 and SHA512, CRC32 */
		{ SYS_ID_AA64ISAR0_EL1, 20, 2 }, { SYS_ID_AA64ISAR0_EL1, 28, 1 }, /* Atomic, RDM */
		{ SYS_ID_AA64ISAR0_EL1, 32, 1 }, { SYS_ID_AA64ISAR0_EL1, 44, 1 }, /* SHA3, DP */
		{ SYS_ID_AA64ISAR0_EL1, 48, 1 }, { SYS_ID_AA64ISAR0_EL1, 52, 2 }, /* FHM, TS */
		{ SYS_ID_AA64ISAR0_EL1, 56, 2 }, { SYS_ID_AA64ISAR0_EL1, 60, 1 }, /* TLB, RNDR */
		{ SYS_ID_AA64ISAR1_EL1, 0, 2 },  { SYS_ID_AA64ISAR1_EL1, 12, 1 }, /* DPB, JSCVT */
		{ SYS_ID_AA64ISAR1_EL1, 16, 1 }, { SYS_ID_AA64ISAR1_EL1, 20, 2 }, /* FCMA, LRCPC */
		{ SYS_ID_AA64ISAR1_EL1, 32, 1 }, { SYS_ID_AA64ISAR1_EL1, 36, 1 }, /* FRINTTS, SB */
		{ SYS_ID_AA64ISAR1_EL1, 44, 1 }, { SYS_ID_AA64ISAR1_EL1, 52, 1 }, /* BF16, I8MM */
		{ SYS_ID_AA64MMFR0_EL1, 0, 2 },  { SYS_ID_AA64MMFR0_EL1, 4, 2 },  /* PARange 40 bits, ASIDBits 16 */
		{ SYS_ID_AA64MMFR0_EL1, 20, 1 },                                  /* TGran16; the others are 0 */
		{ SYS_ID_AA64MMFR1_EL1, 12, 1 }, { SYS_ID_AA64MMFR1_EL1, 20, 1 }, /* HPDS, PAN */
		{ SYS_ID_AA64MMFR2_EL1, 60, 1 },                                  /* E0PD */
	};
	uint64_t left[SYS_COUNT];
	struct machine m = machine_new(1); /* 40 bits of physical addresses, no pointer authentication */

	(void)state;
	for (unsigned k = 0; k < SYS_COUNT; k++)
		left[k] = m.soc->sys[k];
	for (unsigned k = 0; k < ARRAY_SIZE(fields); k++) {
		assert_int_equal(left[fields[k].reg] >> fields[k].shift & 15, fields[k].value);
		left[fields[k].reg] &= ~(UINT64_C(15) << fields[k].shift);
	}
	for (unsigned k = SYS_ID_AA64PFR0_EL1; k <= SYS_ID_AA64MMFR3_EL1; k++)
		assert_int_equal(left[k], 0);
	machine_free(&m);
}

/* No LORegions (MMFR1.LO), no memory tagging, no ordering of XS: their encodings stay UNDEFINED. */
static void encodings_of_absent_features_are_undefined(void **state)
{
	static const uint32_t words[] = {
		0x089f7d29, 0x489f7d29, 0x889f7d29, 0xc89f7d29, /* stllr */
		0x08df7d29, 0x48df7d29, 0x88df7d29, 0xc8df7d29, /* ldlar */
		0xd53ca409, 0xd538a4e9,                         /* mrs x9, lorid_el1 and its neighbour */
		0xd9200129, 0xd503409f,                         /* stg x9, [x9]; msr tco, #0 */
		0xd503323f, 0xd503407f,                         /* dsb nxs; msr uao, #0 */
		0xd4400000,                                     /* hlt #0: no halting debug */
	};
	struct machine m = machine_new(1);

	(void)state;
	m.cpu->x[9] = RAM_BASE;
	for (unsigned k = 0; k < ARRAY_SIZE(words); k++)
		assert_int_equal(step_el1(m.cpu, words[k]), 0);
	machine_free(&m);
}

static void values_a_register_cannot_have_are_refused(void **state)
{
	struct machine m = machine_new(1);
	uint64_t v = 0;

	(void)state;
	assert_int_equal(set(&m, SYS_PSTATE, 0x3c5), 0);
	assert_int_equal(set(&m, SYS_PSTATE, 0x3c9), -EINVAL);
	assert_int_equal(set(&m, SYS_PSTATE, 0x1d3), -EINVAL);
	assert_int_equal(set(&m, SYS_VBAR_EL1, 0x801), -EINVAL);
	assert_int_equal(set(&m, SYS_VBAR_EL1, 0x800), 0);
	assert_int_equal(set(&m, SYS_MPIDR_EL1, 5), -EINVAL);
	assert_int_equal(cpu_reg_get(m.soc, m.cpu, UINT64_C(0x6030000000139999), &v), -ENOENT);
	assert_int_equal(cpu_reg_get(m.soc, NULL, reg_rows[SYS_X0].id, &v), -EINVAL);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(el1_registers_are_undefined_at_el0),
		cmocka_unit_test(control_bits_let_el0_in),
		cmocka_unit_test(the_space_of_id_registers_reads_as_zero),
		cmocka_unit_test(reserved_bits_do_not_stick),
		cmocka_unit_test(sp_el0_is_undefined_while_it_is_sp),
		cmocka_unit_test(the_register_list_round_trips),
		cmocka_unit_test(features_may_be_taken_away_before_the_first_run),
		cmocka_unit_test(a_gicv2_has_no_system_registers),
		cmocka_unit_test(id_registers_promise_what_is_there),
		cmocka_unit_test(what_the_id_registers_deny_does_not_act),
		cmocka_unit_test(encodings_of_absent_features_are_undefined),
		cmocka_unit_test(values_a_register_cannot_have_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
