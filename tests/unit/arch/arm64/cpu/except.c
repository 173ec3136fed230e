/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exception entry and return: what is saved, where it goes, what changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "machine.h"

#define VBAR UINT64_C(0x40010000)

enum { EL0T = 0, EL1T = 4, EL1H = 5 };

static struct machine at(uint64_t pstate)
{
	struct machine m = machine_new(1);

	m.cpu->sys[SYS_VBAR_EL1] = VBAR;
	m.cpu->sp_el[0] = 0x1000;
	m.cpu->x[SLOT_SP] = 0x2000; /* SP_EL1: reset state is EL1h */
	cpu_set_pstate(m.cpu, pstate);
	m.cpu->pc = 0x40000100;
	return m;
}

static void the_vector_depends_on_where_from(void **state)
{
	static const struct {
		uint64_t pstate, offset, sp;
	} rows[] = {
		{ EL1T, 0x000, 0x1000 },
		{ EL1H, 0x200, 0x2000 },
		{ EL0T, 0x400, 0x1000 },
	};

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		struct machine m = at(rows[k].pstate | PSTATE_C | PSTATE_A);
		struct cpu *c = m.cpu;

		assert_int_equal(c->x[SLOT_SP], rows[k].sp);
		assert_int_equal(exc_sync(c, 0x3c, 0x55), EXEC_JUMP);
		assert_int_equal(c->pc, VBAR + rows[k].offset);
		assert_int_equal(c->x[SLOT_SP], 0x2000);
		assert_int_equal(c->sys[SYS_ELR_EL1], 0x40000100);
		assert_int_equal(c->sys[SYS_SPSR_EL1], rows[k].pstate | PSTATE_C | PSTATE_A);
		assert_int_equal(c->sys[SYS_ESR_EL1], UINT64_C(0x3c) << 26 | 1 << 25 | 0x55);
		assert_int_equal(cpu_pstate(c) & ~PSTATE_NZCV & ~PSTATE_SSBS, EL1H | PSTATE_DAIF);
		exc_return(c);
		assert_int_equal(cpu_pstate(c), rows[k].pstate | PSTATE_C | PSTATE_A);
		assert_int_equal(c->pc, 0x40000100);
		assert_int_equal(c->x[SLOT_SP], rows[k].sp);
		exc_irq(c, false);
		assert_int_equal(c->pc, VBAR + rows[k].offset + 0x80);
		exc_return(c);
		exc_irq(c, true);
		assert_int_equal(c->pc, VBAR + rows[k].offset + 0x100);
		machine_free(&m);
	}
}

static void svc_returns_behind_itself_and_undefined_to_itself(void **state)
{
	struct machine m = at(EL0T);

	(void)state;
	exc_sync_ret(m.cpu, 0x15, 7);
	assert_int_equal(m.cpu->sys[SYS_ELR_EL1], 0x40000104);
	exc_return(m.cpu);
	exc_undefined(m.cpu);
	assert_int_equal(m.cpu->sys[SYS_ELR_EL1], 0x40000104);
	assert_int_equal(m.cpu->sys[SYS_ESR_EL1], 1 << 25);
	machine_free(&m);
}

static void entry_sets_pan_ssbs_and_clears_il_ss_btype(void **state)
{
	struct machine m = at(EL0T | PSTATE_IL | PSTATE_SS | PSTATE_DIT | 2 << PSTATE_BTYPE_SHIFT);
	struct cpu *c = m.cpu;

	(void)state;
	exc_undefined(c);
	assert_false(c->pan); /* SPAN is set at reset */
	assert_false(c->ssbs);
	assert_int_equal(c->il | c->ss | c->btype, 0);
	assert_true(c->dit);
	assert_int_equal(c->sys[SYS_SPSR_EL1], EL0T | PSTATE_IL | PSTATE_SS | PSTATE_DIT | 2 << PSTATE_BTYPE_SHIFT);
	c->sys[SYS_SCTLR_EL1] = (c->sys[SYS_SCTLR_EL1] & ~SCTLR_SPAN) | SCTLR_DSSBS;
	exc_undefined(c);
	assert_true(c->pan);
	assert_true(c->ssbs);
	machine_free(&m);
}

static void an_illegal_return_stays_and_sets_il(void **state)
{
	static const unsigned modes[] = { 1, 6, 7, 8, 9, 0xc, 0xd, 0x10, 0x13, 0x1f };

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(modes); k++) {
		struct machine m = at(EL1H | PSTATE_DAIF);

		m.cpu->sys[SYS_ELR_EL1] = 0x40000200;
		m.cpu->sys[SYS_SPSR_EL1] = modes[k] | PSTATE_Z | PSTATE_F;
		exc_return(m.cpu);
		assert_int_equal(cpu_pstate(m.cpu), EL1H | PSTATE_Z | PSTATE_F | PSTATE_IL);
		assert_int_equal(m.cpu->pc, 0x40000200);
		machine_free(&m);
	}
}

static void the_instruction_after_an_illegal_return_traps(void **state)
{
	static const uint32_t code[] = { 0xd69f03e0 };                           /* eret */
	static const uint32_t vector[] = { 0x52800100, 0x72b08000, 0xd4000002 }; /* SYSTEM_OFF */
	struct machine m = at(EL1H | PSTATE_DAIF);

	(void)state;
	machine_code(&m, RAM_BASE, code, 1);
	machine_code(&m, VBAR + 0x200, vector, 3);
	m.cpu->sys[SYS_ELR_EL1] = RAM_BASE + 0x800;
	m.cpu->sys[SYS_SPSR_EL1] = 0x10;
	assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(m.cpu->sys[SYS_ESR_EL1], UINT64_C(0x0e) << 26 | 1 << 25);
	assert_int_equal(m.cpu->sys[SYS_ELR_EL1], RAM_BASE + 0x800);
	assert_true(m.cpu->sys[SYS_SPSR_EL1] & PSTATE_IL);
	machine_free(&m);
}

static void eret_clears_the_monitor_and_sets_the_event(void **state)
{
	struct machine m = at(EL1H);

	(void)state;
	m.cpu->excl.size = 8;
	m.cpu->sys[SYS_SPSR_EL1] = EL0T;
	exc_return(m.cpu);
	assert_int_equal(m.cpu->excl.size, 0);
	assert_true(m.cpu->event);
	machine_free(&m);
}

static void fp_traps_as_fpen_says(void **state)
{
	static const struct {
		unsigned fpen;
		bool el0, el1;
	} rows[] = {
		{ 0, true, true },
		{ 1, true, false },
		{ 2, true, true },
		{ 3, false, false },
	};

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		struct machine m = at(EL1H);

		m.cpu->sys[SYS_CPACR_EL1] = rows[k].fpen << 20;
		cpu_update_fp_trap(m.cpu);
		assert_int_equal(m.cpu->fp_trapped, rows[k].el1);
		cpu_set_el(m.cpu, 0, 0);
		assert_int_equal(m.cpu->fp_trapped, rows[k].el0);
		machine_free(&m);
	}
}

static void a_misaligned_pc_faults_at_its_target(void **state)
{
	static const uint32_t code[] = { 0xd61f0140 }; /* br x10 */
	static const uint32_t vector[] = { 0x52800100, 0x72b08000, 0xd4000002 };
	struct machine m = at(EL1H);

	(void)state;
	machine_code(&m, RAM_BASE, code, 1);
	machine_code(&m, VBAR + 0x200, vector, 3);
	m.cpu->x[10] = RAM_BASE + 0x102;
	assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(m.cpu->sys[SYS_ESR_EL1] >> 26, 0x22);
	assert_int_equal(m.cpu->sys[SYS_ELR_EL1], RAM_BASE + 0x102);
	assert_int_equal(m.cpu->sys[SYS_FAR_EL1], RAM_BASE + 0x102);
	machine_free(&m);
}

static void a_return_drops_the_tag_before_an_interrupt_sees_it(void **state)
{
	struct machine m = at(EL1H | PSTATE_DAIF);
	struct cpu *c = m.cpu;

	(void)state;
	c->sys[SYS_TCR_EL1] = TCR_TBI0;
	c->sys[SYS_ELR_EL1] = UINT64_C(0xab) << 56 | 0x40000200;
	c->sys[SYS_SPSR_EL1] = EL0T;
	exc_return(c);
	exc_irq(c, false); /* the one that was waiting for PSTATE.I */
	assert_int_equal(c->sys[SYS_ELR_EL1], 0x40000200);
	machine_free(&m);
}

static void with_tbid_a_tagged_target_faults(void **state)
{
	static const uint32_t code[] = { 0xd61f0140 }; /* br x10 */
	static const uint32_t off[] = { 0x52800100, 0x72b08000, 0xd4000002 };
	uint64_t tagged = UINT64_C(0xab) << 56 | (RAM_BASE + 0x100);

	(void)state;
	for (unsigned tbid = 0; tbid < 2; tbid++) {
		struct machine m = at(EL1H | PSTATE_DAIF);
		struct cpu *c = m.cpu;

		m.soc->features |= UINT64_C(1) << FEAT_PAUTH;
		machine_code(&m, RAM_BASE, code, 1);
		machine_code(&m, RAM_BASE + 0x100, off, 3);
		machine_code(&m, VBAR + 0x200, off, 3);
		c->x[10] = tagged;
		sys_write_tcr(c, SYS_TCR_EL1, TCR_TBI0 | (tbid ? TCR_TBID0 : 0));
		assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
		assert_int_equal(c->sys[SYS_ESR_EL1] >> 26, tbid ? 0x21 : 0);
		assert_int_equal(c->sys[SYS_FAR_EL1], tbid ? tagged : 0);
		machine_free(&m);
	}
}

static void tbid_is_res0_without_pointer_authentication(void **state)
{
	struct machine m = at(EL1H);

	(void)state;
	sys_write_tcr(m.cpu, SYS_TCR_EL1, UINT64_C(3) << 51);
	assert_int_equal(m.cpu->sys[SYS_TCR_EL1], 0);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vector_depends_on_where_from),
		cmocka_unit_test(svc_returns_behind_itself_and_undefined_to_itself),
		cmocka_unit_test(entry_sets_pan_ssbs_and_clears_il_ss_btype),
		cmocka_unit_test(an_illegal_return_stays_and_sets_il),
		cmocka_unit_test(the_instruction_after_an_illegal_return_traps),
		cmocka_unit_test(eret_clears_the_monitor_and_sets_the_event),
		cmocka_unit_test(fp_traps_as_fpen_says),
		cmocka_unit_test(a_misaligned_pc_faults_at_its_target),
		cmocka_unit_test(a_return_drops_the_tag_before_an_interrupt_sees_it),
		cmocka_unit_test(with_tbid_a_tagged_target_faults),
		cmocka_unit_test(tbid_is_res0_without_pointer_authentication),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
