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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_runs_and_counts_its_instructions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
