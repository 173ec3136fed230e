/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Maintenance: TLBI, DC, IC, AT and what other cpus have to do with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "arch/arm64/cpu/mmu.h"
#include "machine.h"

#define VBAR UINT64_C(0x40010000)

/* SYS #op1, C<crn>, C<crm>, #op2, x9 */
#define SYS(op1, crn, crm, op2) (0xd5080009u | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
#define TLBI_VAE1IS             SYS(0, 8, 3, 1)

static void a_reset_between_tlbi_and_dsb_leaves_nothing_to_wait_for(void **state)
{
	struct machine m = machine_new(2);
	struct cpu *other = soc_cpu(m.soc, 1);

	(void)state;
	assert_int_equal(machine_step(other, TLBI_VAE1IS), STEP_OK);
	soc_reset(m.soc);
	mmu_enter_guest(m.cpu);
	alarm(10);
	mmu_dsb(other);
	alarm(0);
	machine_free(&m);
}

/* Tables with 4 KiB pages, T0SZ=25: one page of VA with attributes @d, ASID @asid. */
#define TABLES (RAM_BASE + 1 * MIB)
#define DATA   (RAM_BASE + 8 * MIB)
#define VA     UINT64_C(0x40201000)

static uint64_t *map(struct machine *m, uint64_t asid, uint64_t d)
{
	uint64_t *leaf = machine_u64(m, TABLES + 8192) + (VA >> 12 & 511);

	machine_u64(m, TABLES)[VA >> 30] = (TABLES + 4096) | 3;
	machine_u64(m, TABLES + 4096)[VA >> 21 & 511] = (TABLES + 8192) | 3;
	*leaf = d | 3;
	m->cpu->sys[SYS_TCR_EL1] = 25 | UINT64_C(1) << 23 | UINT64_C(2) << 32 | TCR_AS;
	m->cpu->sys[SYS_MAIR_EL1] = 0x4400ff; /* 0 Normal, 1 Device, 2 Normal non-cacheable */
	m->cpu->sys[SYS_TTBR0_EL1] = TABLES | asid << 48;
	m->cpu->sys[SYS_SCTLR_EL1] |= SCTLR_M;
	m->cpu->sys[SYS_VBAR_EL1] = VBAR;
	mmu_regime_changed(m->cpu);
	return leaf;
}

enum { D_AF = 1 << 10, D_USER = 1 << 6, D_RO = 1 << 7 };

/* Whether a fetch of VA still finds a decoded block without translation. */
static bool has_block(struct cpu *c) { return c->ctx->jc[VA >> 2 & (JC_ENTRIES - 1)].va == VA; }

static void global_code_is_dropped_whatever_the_asid(void **state)
{
	static const uint32_t svc = 0xd4000001, off[] = { 0x52800100, 0x72b08000, 0xd4000002 };
	struct machine m = machine_new(1);

	(void)state;
	map(&m, 1, DATA | D_AF | D_USER);
	/* VBAR's page in the same tables */
	machine_u64(&m, TABLES + 8192)[VBAR >> 12 & 511] = VBAR | D_AF | 3;
	machine_u64(&m, TABLES + 4096)[VBAR >> 21 & 511] = (TABLES + 8192) | 3;
	machine_code(&m, DATA, &svc, 1);
	machine_code(&m, VBAR + 0x400, off, 3);
	/* A translator takes up what is run again. */
	for (unsigned n = 0; n < 2; n++) {
		cpu_set_pstate(m.cpu, 0);
		assert_int_equal(machine_run(&m, VA).reason, HV_EXIT_SHUTDOWN);
		assert_int_equal(m.cpu->sys[SYS_ESR_EL1] >> 26, 0x15);
	}
	cpu_set_pstate(m.cpu, 0);
	assert_true(has_block(m.cpu));
	mmu_inv_range(m.cpu, VA, 4096, 2, false); /* TLBI VAE1 with another ASID */
	assert_false(has_block(m.cpu));
	machine_free(&m);
}

#define AT_S1E1R SYS(0, 7, 8, 0)
#define AT_S1E1W SYS(0, 7, 8, 1)
#define AT_S1E0R SYS(0, 7, 8, 2)
#define AT_S1E0W SYS(0, 7, 8, 3)

static uint64_t at(struct machine *m, uint32_t word)
{
	m->cpu->x[9] = VA + 0x123;
	assert_int_equal(machine_step(m->cpu, word), STEP_OK);
	return m->cpu->sys[SYS_PAR_EL1];
}

static void at_says_address_attributes_or_fault(void **state)
{
	struct machine m = machine_new(1);
	uint64_t *leaf = map(&m, 1, DATA | D_AF | D_RO | 3 << 8);

	(void)state;
	assert_int_equal(at(&m, AT_S1E1R), UINT64_C(0xff) << 56 | DATA | 0x800 | 3 << 7);
	assert_int_equal(at(&m, AT_S1E1W), 0x800 | 0x0f << 1 | 1);
	assert_int_equal(at(&m, AT_S1E0R), 0x800 | 0x0f << 1 | 1);
	*leaf = DATA | D_AF | D_USER | 3 << 8 | 1 << 2 | 3; /* Device */
	mmu_inv_all(m.cpu);
	cpu_set_pan(m.cpu, true);
	assert_int_equal(at(&m, AT_S1E1R), DATA | 0x800 | 2 << 7);
	assert_int_equal(at(&m, AT_S1E0W), DATA | 0x800 | 2 << 7);
	*leaf = DATA | D_AF | 0 << 8 | 2 << 2 | 3; /* non-cacheable */
	mmu_inv_all(m.cpu);
	assert_int_equal(at(&m, AT_S1E1W), UINT64_C(0x44) << 56 | DATA | 0x800 | 2 << 7);
	*leaf = DATA | 3;
	mmu_inv_all(m.cpu);
	assert_int_equal(at(&m, AT_S1E1R), 0x800 | 0x0b << 1 | 1);
	*leaf = 0;
	assert_int_equal(at(&m, AT_S1E1R), 0x800 | 0x07 << 1 | 1);
	assert_int_equal(machine_step(m.cpu, SYS(0, 7, 9, 0)), 0); /* S1E1RP belongs to FEAT_PAN2 */
	machine_free(&m);
}

static void at_takes_an_external_abort_on_the_walk(void **state)
{
	struct machine m = machine_new(1);

	(void)state;
	map(&m, 1, DATA | D_AF);
	machine_u64(&m, TABLES + 4096)[VA >> 21 & 511] = 0x1000000 | 3; /* nobody is there */
	m.cpu->x[9] = VA;
	m.cpu->sys[SYS_PAR_EL1] = 77;
	assert_int_equal(machine_step(m.cpu, AT_S1E1R), 0x25);
	assert_int_equal(m.cpu->sys[SYS_ESR_EL1] & 0x1ffffff, 1 << 8 | 1 << 6 | 0x17); /* CM, WnR */
	assert_int_equal(m.cpu->sys[SYS_FAR_EL1], VA);
	assert_int_equal(m.cpu->sys[SYS_PAR_EL1], 77);
	machine_free(&m);
}

static void maintenance_by_va_faults_as_a_write_that_is_maintenance(void **state)
{
	static const uint32_t ops[] = {
		SYS(3, 7, 10, 1), SYS(3, 7, 11, 1), SYS(3, 7, 14, 1), /* CVAC, CVAU, CIVAC */
		SYS(3, 7, 12, 1), SYS(3, 7, 13, 1), SYS(3, 7, 5, 1),  /* CVAP, CVADP, IC IVAU */
	};
	struct machine m = machine_new(1);
	struct cpu *c = m.cpu;
	uint64_t *leaf = map(&m, 1, DATA | D_AF | D_RO);

	(void)state;
	c->x[9] = VA + 5;
	for (unsigned k = 0; k < ARRAY_SIZE(ops); k++) {
		cpu_set_pstate(c, 5);
		assert_int_equal(machine_step(c, ops[k]), STEP_OK);
		cpu_set_pstate(c, 0); /* SCTLR_EL1.UCI is clear */
		assert_int_equal(machine_step(c, ops[k]), 0x18);
		c->sys[SYS_SCTLR_EL1] |= 1 << 26;
		cpu_set_pstate(c, 0); /* EL0 cannot read the page */
		assert_int_equal(machine_step(c, ops[k]), 0x24);
		assert_int_equal(c->sys[SYS_ESR_EL1] & 0x1ffffff, 1 << 8 | 1 << 6 | 0x0f);
		assert_int_equal(c->sys[SYS_FAR_EL1], VA + 5);
		c->sys[SYS_SCTLR_EL1] &= ~(UINT64_C(1) << 26);
	}
	cpu_set_pstate(c, 5);
	assert_int_equal(machine_step(c, SYS(0, 7, 6, 1)),
			 0x25); /* IVAC may lose data: needs to be allowed to write */
	assert_int_equal(c->sys[SYS_ESR_EL1] & 0x1ffffff, 1 << 8 | 1 << 6 | 0x0f);
	*leaf = DATA | D_AF | D_USER | 3;
	mmu_inv_all(c);
	cpu_set_pstate(c, 5);
	assert_int_equal(machine_step(c, SYS(0, 7, 6, 1)), STEP_OK);
	cpu_set_pstate(c, 0);
	assert_int_equal(machine_step(c, SYS(0, 7, 6, 1)), 0);
	*leaf = 0;
	mmu_inv_all(c);
	cpu_set_pstate(c, 5);
	assert_int_equal(machine_step(c, SYS(3, 7, 14, 1)), 0x25);
	assert_int_equal(c->sys[SYS_ESR_EL1] & 0x1ffffff, 1 << 8 | 1 << 6 | 0x07);
	machine_free(&m);
}

static void set_isar0_tlb(struct machine *m, uint64_t level)
{
	uint64_t id = reg_rows[SYS_ID_AA64ISAR0_EL1].id, v = 0;

	assert_int_equal(cpu_reg_get(m->soc, NULL, id, &v), 0);
	v = (v & ~(UINT64_C(0xf) << 56)) | level << 56;
	assert_int_equal(cpu_reg_set(m->soc, NULL, id, &v), 0);
}

static void tlbi_forms_exist_as_isar0_says(void **state)
{
	/* CRm of TLBI and the least ISAR0.TLB it needs; 0xff: never. FEAT_XS's are CRn 9. */
	static const uint8_t needs[16] = { 0xff, 1,    2,    0,    0xff, 2,    2,    0,
					   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	(void)state;
	for (unsigned level = 0; level < 3; level++) {
		struct machine m = machine_new(1);

		set_isar0_tlb(&m, level);
		for (unsigned crm = 0; crm < 16; crm++)
			for (unsigned op2 = 0; op2 < 8; op2++) {
				bool range = crm == 2 || crm == 5 || crm == 6;
				bool exists = needs[crm] <= level && op2 != 4 && op2 != 6 && (!range || op2 & 1);

				cpu_set_pstate(m.cpu, 5);
				assert_int_equal(machine_step(m.cpu, SYS(0, 8, crm, op2)), exists ? STEP_OK : 0);
				assert_int_equal(machine_step(m.cpu, SYS(0, 9, crm, op2)), 0);
				cpu_set_pstate(m.cpu, 0);
				assert_int_equal(machine_step(m.cpu, SYS(0, 8, crm, op2)), 0);
			}
		machine_free(&m);
	}
}

static void more_broadcasts_than_a_ring_holds_drop_everything(void **state)
{
	struct machine m = machine_new(2);
	struct cpu *other = soc_cpu(m.soc, 1);
	uint64_t *leaf = map(&m, 1, DATA | D_AF), v;

	(void)state;
	assert_true(mem_ld64(m.cpu, VA, &v, 0));
	*leaf = 0;
	other->x[9] = 0; /* another page */
	for (unsigned k = 0; k < 70; k++)
		assert_int_equal(machine_step(other, TLBI_VAE1IS), STEP_OK);
	assert_true(atomic_load(&m.cpu->exit_req) & REQ_RING);
	mmu_drain_ring(m.cpu);
	assert_false(atomic_load(&m.cpu->exit_req) & REQ_RING);
	assert_false(mem_ld64(m.cpu, VA, &v, 0));
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reset_between_tlbi_and_dsb_leaves_nothing_to_wait_for),
		cmocka_unit_test(global_code_is_dropped_whatever_the_asid),
		cmocka_unit_test(at_says_address_attributes_or_fault),
		cmocka_unit_test(at_takes_an_external_abort_on_the_walk),
		cmocka_unit_test(maintenance_by_va_faults_as_a_write_that_is_maintenance),
		cmocka_unit_test(tlbi_forms_exist_as_isar0_says),
		cmocka_unit_test(more_broadcasts_than_a_ring_holds_drop_everything),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
