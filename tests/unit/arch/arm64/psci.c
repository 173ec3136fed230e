/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <spec/board.h>
#include <spec/gic.h>
#include <spec/psci.h>
#include <spec/smccc.h>
#include <stdlib.h>
#include <vmm/hv.h>

#include "machine.h"

#define PC 0x40080000

static enum exec call(struct cpu *c, uint64_t id, uint64_t a, uint64_t b, uint64_t d)
{
	c->pc = PC;
	c->x[0] = id;
	c->x[1] = a;
	c->x[2] = b;
	c->x[3] = d;
	return smccc_call(c);
}

/* A call that returns to its caller; its result. */
static int64_t result(struct cpu *c, uint64_t id, uint64_t a, uint64_t b, uint64_t d)
{
	assert_int_equal(call(c, id, a, b, d), EXEC_NEXT);
	assert_int_equal(c->pc, PC);
	return (int64_t)c->x[0];
}

static void the_version_is_what_the_firmware_register_says(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	assert_int_equal(result(c, PSCI_VERSION, 0, 0, 0), PSCI_VERSION_1_1);
	s->sys[SYS_PSCI_VERSION] = PSCI_VERSION_1_0;
	assert_int_equal(result(c, PSCI_VERSION, 0, 0, 0), PSCI_VERSION_1_0);
	assert_int_equal(result(c, PSCI_FEATURES, PSCI_SYSTEM_RESET2, 0, 0), PSCI_NOT_SUPPORTED);
	assert_int_equal(result(c, PSCI_SYSTEM_RESET2_64, 0, 0, 0), PSCI_NOT_SUPPORTED);
	s->sys[SYS_PSCI_VERSION] = PSCI_VERSION_0_2;
	assert_int_equal(result(c, PSCI_VERSION, 0, 0, 0), PSCI_VERSION_0_2);
	assert_int_equal(result(c, PSCI_FEATURES, PSCI_CPU_ON, 0, 0), PSCI_NOT_SUPPORTED);
	assert_int_equal(result(c, PSCI_MIGRATE_INFO_TYPE, 0, 0, 0), PSCI_MIGRATE_NOT_NEEDED);
	fake_soc_free(s);
}

static void features_lists_exactly_what_is_there(void **state)
{
	static const uint32_t there[] = {
		PSCI_VERSION,      PSCI_CPU_SUSPEND,   PSCI_CPU_SUSPEND_64,   PSCI_CPU_OFF,           PSCI_CPU_ON,
		PSCI_CPU_ON_64,    PSCI_AFFINITY_INFO, PSCI_AFFINITY_INFO_64, PSCI_MIGRATE_INFO_TYPE, PSCI_SYSTEM_OFF,
		PSCI_SYSTEM_RESET, PSCI_FEATURES,      PSCI_SYSTEM_RESET2,    PSCI_SYSTEM_RESET2_64,  SMCCC_VERSION,
	};
	struct soc *s = fake_soc(1);
	unsigned found = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(there); i++)
		assert_int_equal(result(s->cpus[0], PSCI_FEATURES, there[i], 0, 0), PSCI_SUCCESS);
	for (unsigned n = 0; n < 0x20; n++) {
		found += result(s->cpus[0], PSCI_FEATURES, 0x84000000 + n, 0, 0) == 0;
		found += result(s->cpus[0], PSCI_FEATURES, 0xc4000000 + n, 0, 0) == 0;
	}
	assert_int_equal(found, ARRAY_SIZE(there) - 1);
	assert_int_equal(result(s->cpus[0], PSCI_FEATURES, TRNG_VERSION, 0, 0), PSCI_NOT_SUPPORTED);
	fake_soc_free(s);
}

static void cpu_on_succeeds_once_then_pending_then_already_on(void **state)
{
	struct soc *s = fake_soc(2);
	struct cpu *c = s->cpus[0];

	(void)state;
	assert_int_equal(result(c, PSCI_AFFINITY_INFO_64, 1, 0, 0), PSCI_AFFINITY_OFF);
	assert_int_equal(result(c, PSCI_CPU_ON_64, 1, 0x40000000, 7), PSCI_SUCCESS);
	assert_int_equal(atomic_load(&s->cpus[1]->power), POWER_ON_PENDING);
	assert_int_equal(result(c, PSCI_AFFINITY_INFO_64, 1, 0, 0), PSCI_AFFINITY_ON_PENDING);
	assert_int_equal(result(c, PSCI_CPU_ON_64, 1, 0x40000000, 7), PSCI_ON_PENDING);
	atomic_store(&s->cpus[1]->power, POWER_ON);
	assert_int_equal(result(c, PSCI_CPU_ON_64, 1, 0x40000000, 7), PSCI_ALREADY_ON);
	assert_int_equal(result(c, PSCI_AFFINITY_INFO_64, 1, 0, 0), PSCI_AFFINITY_ON);
	assert_int_equal(result(c, PSCI_CPU_ON_64, 0, 0x40000000, 7), PSCI_ALREADY_ON);
	fake_soc_free(s);
}

static void targets_are_named_by_affinity_and_others_are_invalid(void **state)
{
	struct soc *s = fake_soc(18);
	struct cpu *c = s->cpus[0];
	static const uint64_t nobody[] = {
		2 | 1 << 8, 0x80000001, 0x40000001, UINT64_C(1) << 32, UINT64_MAX, 16, 1 << 16,
	};

	(void)state;
	assert_int_equal(result(c, PSCI_CPU_ON_64, 0x101, 0, 0), PSCI_SUCCESS);
	assert_int_equal(atomic_load(&s->cpus[17]->power), POWER_ON_PENDING);
	for (unsigned i = 0; i < ARRAY_SIZE(nobody); i++) {
		assert_int_equal(result(c, PSCI_CPU_ON_64, nobody[i], 0, 0), PSCI_INVALID_PARAMETERS);
		assert_int_equal(result(c, PSCI_AFFINITY_INFO_64, nobody[i], 0, 0), PSCI_INVALID_PARAMETERS);
	}
	fake_soc_free(s);
}

static void affinity_info_of_a_cluster_is_on_if_any_of_it_is(void **state)
{
	struct soc *s = fake_soc(18);
	struct cpu *c = s->cpus[0];

	(void)state;
	assert_int_equal(result(c, PSCI_AFFINITY_INFO_64, 3, 1, 0), PSCI_AFFINITY_ON);
	assert_int_equal(result(c, PSCI_AFFINITY_INFO_64, 0x100, 1, 0), PSCI_AFFINITY_OFF);
	assert_int_equal(result(c, PSCI_CPU_ON_64, 0x101, 0, 0), PSCI_SUCCESS);
	assert_int_equal(result(c, PSCI_AFFINITY_INFO_64, 0x100, 1, 0), PSCI_AFFINITY_ON_PENDING);
	assert_int_equal(result(c, PSCI_AFFINITY_INFO_64, 0x100, 3, 0), PSCI_AFFINITY_ON);
	assert_int_equal(result(c, PSCI_AFFINITY_INFO_64, 0, 4, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(result(c, PSCI_AFFINITY_INFO_64, 0x200, 1, 0), PSCI_INVALID_PARAMETERS);
	fake_soc_free(s);
}

static void smc32_calls_ignore_the_upper_halves(void **state)
{
	struct soc *s = fake_soc(2);
	struct cpu *c = s->cpus[0];
	const uint64_t junk = UINT64_C(0xdead) << 32;

	(void)state;
	assert_int_equal(result(c, PSCI_AFFINITY_INFO | junk, 1 | junk, junk, 0), PSCI_AFFINITY_OFF);
	assert_int_equal(result(c, PSCI_CPU_ON, 1 | junk, 0x40000000 | junk, 7 | junk), PSCI_SUCCESS);
	assert_int_equal(result(c, PSCI_CPU_ON_64, 1 | junk, 0, 0), PSCI_INVALID_PARAMETERS);
	fake_soc_free(s);
}

struct race {
	struct cpu *cpu;
	pthread_barrier_t *start;
	int64_t got;
};

static void *race_on(void *opaque)
{
	struct race *r = opaque;

	pthread_barrier_wait(r->start);
	call(r->cpu, PSCI_CPU_ON_64, 3, 0x40000000, r->cpu->id);
	r->got = (int64_t)r->cpu->x[0];
	return NULL;
}

static void of_concurrent_cpu_ons_exactly_one_succeeds(void **state)
{
	struct soc *s = fake_soc(4);

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		pthread_barrier_t start;
		pthread_t thread[3];
		struct race race[3];
		unsigned won = 0;

		atomic_store(&s->cpus[3]->power, POWER_OFF);
		pthread_barrier_init(&start, NULL, 3);
		for (unsigned i = 0; i < 3; i++) {
			race[i] = (struct race){ s->cpus[i], &start, 0 };
			assert_int_equal(pthread_create(&thread[i], NULL, race_on, &race[i]), 0);
		}
		for (unsigned i = 0; i < 3; i++) {
			pthread_join(thread[i], NULL);
			won += race[i].got == PSCI_SUCCESS;
			assert_true(race[i].got == PSCI_SUCCESS || race[i].got == PSCI_ON_PENDING);
		}
		assert_int_equal(won, 1);
		pthread_barrier_destroy(&start);
	}
	fake_soc_free(s);
}

static void cpu_off_leaves_and_the_cpu_can_be_had_again(void **state)
{
	struct soc *s = fake_soc(2);

	(void)state;
	atomic_store(&s->cpus[1]->power, POWER_ON);
	assert_int_equal(call(s->cpus[1], PSCI_CPU_OFF, 0, 0, 0), EXEC_LEAVE);
	assert_int_equal(atomic_load(&s->cpus[1]->power), POWER_OFF);
	assert_int_equal(result(s->cpus[0], PSCI_CPU_ON_64, 1, 0, 0), PSCI_SUCCESS);
	fake_soc_free(s);
}

static void interrupts_do_not_choose_a_cpu_that_is_off(void **state)
{
	struct soc *s = fake_soc(2);
	struct cpu *c = s->cpus[1];

	(void)state;
	atomic_store(&c->power, POWER_ON);
	ICC_WRITE(c, pmr, 0xf0);
	ICC_WRITE(c, igrpen1, 1);
	soc_mmio_write(s, GICD(GICD_CTLR), 4, GICD_CTLR_GRP1);
	soc_mmio_write(s, GICR(1, GICR_WAKER), 4, 0);
	soc_mmio_write(s, GICD(GICD_IGROUPR + 4), 4, UINT32_MAX);
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, 1);
	soc_mmio_write(s, GICD(GICD_IROUTER + 32 * 8), 8, GICD_IROUTER_IRM); /* 1 of N: cpu 1 is all there is */
	soc_set_spi(s, 0, true);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	assert_int_equal(call(c, PSCI_CPU_OFF, 0, 0, 0), EXEC_LEAVE);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	soc_mmio_write(s, GICR(0, GICR_WAKER), 4, 0);
	ICC_WRITE(s->cpus[0], pmr, 0xf0);
	ICC_WRITE(s->cpus[0], igrpen1, 1);
	assert_int_equal(signal_of(s->cpus[0]), SIGNAL_IRQ);
	fake_soc_free(s);
}

static void cpu_on_starts_with_timers_off_and_the_cpu_interface_closed(void **state)
{
	struct soc *s = fake_soc(2);
	struct cpu *c = s->cpus[1];

	(void)state;
	timer_write_cntv_ctl(c, 0, 1);
	ICC_WRITE(c, pmr, 0xf0);
	ICC_WRITE(c, igrpen1, 1);
	assert_int_equal(result(s->cpus[0], PSCI_CPU_ON_64, 1, 0, 0), PSCI_SUCCESS);
	assert_int_equal(timer_read_cntv_ctl(c, 0), 0);
	assert_int_equal(ICC_READ(c, igrpen1), 0);
	assert_int_equal(ICC_READ(c, pmr), 0);
	fake_soc_free(s);
}

static void cpu_suspend_waits_like_wfi_and_returns_success(void **state)
{
	static const uint64_t states[] = { 0, 0x10000, 0x01010001, 0xffff };
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
		c->waiting = WAIT_NONE;
		assert_int_equal(call(c, PSCI_CPU_SUSPEND_64, states[i], 0x1234, 5), EXEC_LEAVE);
		assert_int_equal(c->waiting, WAIT_WFI);
		assert_int_equal(c->x[0], PSCI_SUCCESS);
		assert_int_equal(c->pc, PC + 4);
	}
	assert_int_equal(result(c, PSCI_CPU_SUSPEND, 0x40000000, 0, 0), PSCI_INVALID_PARAMETERS);
	assert_int_equal(result(c, PSCI_CPU_SUSPEND, 0x20000, 0, 0), PSCI_INVALID_PARAMETERS);
	fake_soc_free(s);
}

static void system_calls_leave_with_the_reason(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	assert_int_equal(call(c, PSCI_SYSTEM_OFF, 0, 0, 0), EXEC_LEAVE);
	assert_int_equal(c->exit->reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(c->pc, PC + 4);
	assert_int_equal((int64_t)c->x[0], PSCI_INTERNAL_FAILURE);
	assert_int_equal(call(c, PSCI_SYSTEM_RESET, 0, 0, 0), EXEC_LEAVE);
	assert_int_equal(c->exit->reason, HV_EXIT_RESET);
	assert_int_equal(call(c, PSCI_SYSTEM_RESET2_64, 0x80000001, 0x123456789a, 0), EXEC_LEAVE);
	assert_int_equal(c->exit->reason, HV_EXIT_RESET);
	assert_int_equal(c->exit->system.type, 0x80000001);
	assert_int_equal(c->exit->system.arg, 0x123456789a);
	assert_int_equal(result(c, PSCI_SYSTEM_RESET2, 1, 0, 0), PSCI_INVALID_PARAMETERS);
	fake_soc_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_version_is_what_the_firmware_register_says),
		cmocka_unit_test(features_lists_exactly_what_is_there),
		cmocka_unit_test(cpu_on_succeeds_once_then_pending_then_already_on),
		cmocka_unit_test(targets_are_named_by_affinity_and_others_are_invalid),
		cmocka_unit_test(affinity_info_of_a_cluster_is_on_if_any_of_it_is),
		cmocka_unit_test(smc32_calls_ignore_the_upper_halves),
		cmocka_unit_test(of_concurrent_cpu_ons_exactly_one_succeeds),
		cmocka_unit_test(cpu_off_leaves_and_the_cpu_can_be_had_again),
		cmocka_unit_test(interrupts_do_not_choose_a_cpu_that_is_off),
		cmocka_unit_test(cpu_on_starts_with_timers_off_and_the_cpu_interface_closed),
		cmocka_unit_test(cpu_suspend_waits_like_wfi_and_returns_success),
		cmocka_unit_test(system_calls_leave_with_the_reason),
	};

	return cmocka_run_group_tests_name("arch/arm64/psci", tests, NULL, NULL);
}
