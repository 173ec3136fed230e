/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hints, barriers, and what goes first when an instruction has several reasons to trap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <spec/smccc.h>

#include "machine.h"

static struct insn decoded(struct cpu *c, uint32_t word)
{
	struct insn i;

	a64_decode(word, c->soc->features, c->fp_trapped, &i);
	c->pc = 0x40000000;
	c->sys[SYS_ESR_EL1] = 0;
	return i;
}

static void every_hint_but_the_waiting_ones_does_nothing(void **state)
{
	struct machine m = machine_new(1);
	struct cpu *c = m.cpu;

	(void)state;
	for (unsigned el = 0; el < 2; el++)
		for (uint32_t hint = 0; hint < 128; hint++) {
			struct insn i = decoded(c, 0xd503201f | hint << 5);

			if (hint == 2 || hint == 3) /* WFE, WFI */
				continue;
			cpu_set_pstate(c, el ? 5 : 0);
			for (unsigned k = 0; k <= 30; k++)
				c->x[k] = k;
			assert_int_equal(i.exec(c, &i), EXEC_NEXT);
			assert_int_equal(c->sys[SYS_ESR_EL1], 0);
			assert_int_equal(cpu_pstate(c), el ? 5 : 0);
			for (unsigned k = 0; k <= 30; k++)
				assert_int_equal(c->x[k], k);
		}
	machine_free(&m);
}

static void undefined_goes_before_the_fp_trap(void **state)
{
	static const struct {
		uint32_t word;
		unsigned ec;
	} rows[] = {
		{ 0x1e222820, 0x07 }, /* fadd s0, s1, s2 */
		{ 0x3dc00000, 0x07 }, /* ldr q0, [x0] */
		{ 0xd53b4409, 0x07 }, /* mrs x9, fpcr */
		{ 0x0ee0d420, 0x00 }, /* fadd v0.1d: reserved */
		{ 0x1ea22820, 0x00 }, /* fadd, type 10: unallocated */
		{ 0x04220000, 0x00 }, /* SVE: absent, so not trapped */
	};
	struct machine m = machine_new(1);
	struct cpu *c = m.cpu;

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		struct insn i;

		cpu_set_pstate(c, 0);
		assert_true(c->fp_trapped);
		i = decoded(c, rows[k].word);
		assert_int_equal(i.exec(c, &i), EXEC_JUMP);
		assert_int_equal(c->sys[SYS_ESR_EL1] >> 26, rows[k].ec);
		assert_int_equal(c->sys[SYS_ESR_EL1] & 0x1ffffff, rows[k].ec ? 0x1e00000 : 0);
	}
	machine_free(&m);
}

static void hvc_and_smc_of_el1_are_hypercalls(void **state)
{
	static const struct {
		uint32_t word;
		int64_t answer;
	} rows[] = {
		{ 0xd4000002, SMCCC_VERSION_1_1 },   /* hvc #0 */
		{ 0xd4000022, SMCCC_VERSION_1_1 },   /* hvc #1: KVM does not look */
		{ 0xd4000003, SMCCC_VERSION_1_1 },   /* smc #0 */
		{ 0xd4000023, SMCCC_NOT_SUPPORTED }, /* smc #1 */
	};
	struct machine m = machine_new(1);
	struct cpu *c = m.cpu;

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		struct insn i = decoded(c, rows[k].word);

		cpu_set_pstate(c, 5);
		c->x[0] = SMCCC_VERSION;
		assert_int_equal(i.exec(c, &i), EXEC_NEXT);
		assert_int_equal((int64_t)c->x[0], rows[k].answer);
		cpu_set_pstate(c, 0);
		assert_int_equal(i.exec(c, &i), EXEC_JUMP);
		assert_int_equal(c->sys[SYS_ESR_EL1], 1u << 25);
	}
	machine_free(&m);
}

static void a_prefetch_never_faults(void **state)
{
	static const uint32_t words[] = {
		0xf9800120, 0xf8a06920, 0xf8a04920, /* prfm pldl1keep, [x9]; [x9, x0]; [x9, w0, uxtw] */
		0xf8800120, 0xd8000000, 0xf98003e0, /* prfum [x9]; prfm literal; prfm [sp] */
		0xf980013f,                         /* prfm #31, [x9] */
	};
	struct machine m = machine_new(1);
	struct cpu *c = m.cpu;

	(void)state;
	c->x[9] = UINT64_C(0x00ff000000000003);
	c->x[SLOT_SP] = 3;
	c->sys[SYS_SCTLR_EL1] |= 1 << 3 | 1 << 1; /* SA, A */
	for (unsigned k = 0; k < ARRAY_SIZE(words); k++) {
		struct insn i = decoded(c, words[k]);

		assert_int_equal(i.exec(c, &i), EXEC_NEXT);
	}
	machine_free(&m);
}

static void a_fault_leaves_the_base_of_a_writeback_alone(void **state)
{
	static const uint32_t words[] = {
		0xf8408529, 0xf8408d2a, 0xf800852a, 0xf8008d2a, /* ldr x9, x10 post, pre; str x10 post, pre */
		0xa8c12d2a, 0xa9812d2a, 0x3cc10520, 0x0cdf7120, /* ldp post; stp pre; ldr q0 post; ld1 post */
		0x4c9f2120,                                     /* st1 of four, post */
	};
	struct machine m = machine_new(1);
	struct cpu *c = m.cpu;

	(void)state;
	c->sys[SYS_CPACR_EL1] = 3 << 20;
	cpu_update_fp_trap(c);
	for (unsigned k = 0; k < ARRAY_SIZE(words); k++) {
		struct insn i = decoded(c, words[k]);

		c->x[9] = 0x1000000; /* nobody is there */
		c->x[10] = 10;
		c->x[11] = 11;
		cpu_v(c, 0)->d[0] = 99;
		assert_int_equal(i.exec(c, &i), EXEC_JUMP);
		assert_int_equal(c->sys[SYS_ESR_EL1] >> 26, 0x25);
		assert_int_equal(c->x[9], 0x1000000);
		assert_int_equal(c->x[10] + c->x[11], 21);
		assert_int_equal(cpu_v(c, 0)->d[0], 99);
	}
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_hint_but_the_waiting_ones_does_nothing),
		cmocka_unit_test(undefined_goes_before_the_fp_trap),
		cmocka_unit_test(hvc_and_smc_of_el1_are_hypercalls),
		cmocka_unit_test(a_prefetch_never_faults),
		cmocka_unit_test(a_fault_leaves_the_base_of_a_writeback_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
