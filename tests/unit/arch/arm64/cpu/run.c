/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dispatcher from end to end: small guest programs as words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "machine.h"

#define SYSTEM_OFF 0x52800100, 0x72b08000, 0xd4000002 /* mov w0, #PSCI SYSTEM_OFF; hvc #0 */

static void a_loop_runs_and_counts_its_instructions(void **state)
{
	static const uint32_t code[] = {
		0x8b0600a5, /* 1: add x5, x5, x6 */
		0xca0500e7, /* eor x7, x7, x5 */
		0xf10004c6, /* subs x6, x6, #1 */
		0x54ffffa1, /* b.ne 1b */
		SYSTEM_OFF,
	};
	struct machine m = machine_new(1);
	uint64_t x5 = 0, x7 = 0;

	(void)state;
	machine_code(&m, RAM_BASE, code, ARRAY_SIZE(code));
	m.cpu->x[6] = 1000;
	for (uint64_t k = 1000; k; k--) {
		x5 += k;
		x7 ^= x5;
	}
	assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(m.cpu->x[5], x5);
	assert_int_equal(m.cpu->x[7], x7);
	assert_int_equal(cpu_insn_count(m.cpu), 4003);
	machine_free(&m);
}

#define VBAR (RAM_BASE + 0x10000)

/* Interrupt 0 is pending at the cpu, and only PSTATE.I keeps it out. */
static struct machine with_a_pending_interrupt(void)
{
	static const uint32_t off[] = { SYSTEM_OFF };
	struct machine m = machine_new(1);

	machine_code(&m, VBAR + 0x280, off, ARRAY_SIZE(off));
	m.cpu->sys[SYS_VBAR_EL1] = VBAR;
	cpu_set_irq_lines(m.cpu, 1);
	return m;
}

static void an_interrupt_comes_right_after_it_is_unmasked(void **state)
{
	static const struct {
		uint32_t code[2];
		uint64_t elr;
	} rows[] = {
		{ { 0xd50342ff, 0xd28000a5 }, RAM_BASE + 4 },     /* msr daifclr, #2; mov x5, #5 */
		{ { 0xd51b4229, 0xd28000a5 }, RAM_BASE + 4 },     /* msr daif, x9 (0) */
		{ { 0xd69f03e0, 0xd28000a5 }, RAM_BASE + 0x100 }, /* eret */
	};

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		struct machine m = with_a_pending_interrupt();

		machine_code(&m, RAM_BASE, rows[k].code, 2);
		m.cpu->sys[SYS_ELR_EL1] = RAM_BASE + 0x100;
		m.cpu->sys[SYS_SPSR_EL1] = 5;
		assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
		assert_int_equal(m.cpu->sys[SYS_ELR_EL1], rows[k].elr);
		assert_int_equal(m.cpu->x[5], 0);
		machine_free(&m);
	}
}

static void wfi_goes_on_for_an_interrupt_that_is_masked(void **state)
{
	static const uint32_t code[] = { 0xd503207f, 0xd28000a5, SYSTEM_OFF }; /* wfi; mov x5, #5 */
	struct machine m = with_a_pending_interrupt();

	(void)state;
	machine_code(&m, RAM_BASE, code, ARRAY_SIZE(code));
	assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(m.cpu->x[5], 5);
	machine_free(&m);
}

/* A kick that comes before the run ends it at once, exactly once, and loses nothing. */
static void a_kick_waits_for_the_run(void **state)
{
	static const uint32_t code[] = { 0xd503207f, SYSTEM_OFF }; /* wfi */
	struct machine m = machine_new(2);
	struct hv_exit e;

	(void)state;
	machine_code(&m, RAM_BASE, code, ARRAY_SIZE(code));
	cpu_kick(m.cpu);
	cpu_kick(m.cpu);
	assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_KICKED);
	assert_int_equal(m.cpu->pc, RAM_BASE);
	cpu_set_irq_lines(m.cpu, 1);
	assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
	cpu_kick(soc_cpu(m.soc, 1)); /* powered off */
	assert_int_equal(cpu_run(soc_cpu(m.soc, 1), &e), 0);
	assert_int_equal(e.reason, HV_EXIT_KICKED);
	assert_int_equal(atomic_load(&soc_cpu(m.soc, 1)->power), POWER_OFF);
	machine_free(&m);
}

/*
 * Address 1 leads to entry 0 of the jump cache, which is empty here. More than once, because code
 * is translated when it comes back.
 */
static void a_branch_to_an_odd_address_is_a_fault_there(void **state)
{
	static const uint32_t code[] = { 0xd61f0020 /* br x1 */ }, off[] = { SYSTEM_OFF };
	struct machine m = machine_new(1);

	(void)state;
	machine_code(&m, RAM_BASE + 4, code, ARRAY_SIZE(code));
	machine_code(&m, VBAR + 0x200, off, ARRAY_SIZE(off));
	m.cpu->sys[SYS_VBAR_EL1] = VBAR;
	for (uint64_t to = 0; to < 12; to++) {
		m.cpu->x[1] = to % 4;
		assert_int_equal(machine_run(&m, RAM_BASE + 4).reason, HV_EXIT_SHUTDOWN);
		assert_int_equal(m.cpu->sys[SYS_ELR_EL1], to % 4);
		assert_int_equal(m.cpu->sys[SYS_ESR_EL1] >> 26, to % 4 ? EC_PC_ALIGNMENT : EC_FETCH_SAME);
	}
	machine_free(&m);
}

/* A guest asks for the version of the entropy service, with its feature bit cleared and set. */
static void E9_a_guest_does_not_see_a_call_whose_bit_is_cleared(void **state)
{
	static const uint32_t code[] = {
		0x52800a00, 0x72b08000, /* mov w0, #TRNG_VERSION */
		0xd4000002, 0xaa0003f4, /* hvc #0; mov x20, x0 */
		SYSTEM_OFF,
	};

	(void)state;
	for (uint64_t on = 0; on < 2; on++) {
		struct machine m = machine_new(1);

		assert_int_equal(cpu_reg_set(m.soc, NULL, REG_ID_BMAP(0), &on), 0);
		machine_code(&m, RAM_BASE, code, ARRAY_SIZE(code));
		assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
		if (on)
			assert_int_equal(m.cpu->x[20], 0x10000);
		else
			assert_int_equal((int64_t)m.cpu->x[20], -1);
		machine_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_runs_and_counts_its_instructions),
		cmocka_unit_test(an_interrupt_comes_right_after_it_is_unmasked),
		cmocka_unit_test(wfi_goes_on_for_an_interrupt_that_is_masked),
		cmocka_unit_test(a_kick_waits_for_the_run),
		cmocka_unit_test(a_branch_to_an_odd_address_is_a_fault_there),
		cmocka_unit_test(E9_a_guest_does_not_see_a_call_whose_bit_is_cleared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
