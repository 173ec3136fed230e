/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sched.h>
#include <spec/board.h>
#include <spec/psci.h>
#include <spec/pvtime.h>
#include <spec/smccc.h>
#include <sys/mman.h>
#include <vmm/arch.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#include "fake-hv.h"
#include "machine.h"

#define HVC_0 0xd4000002

static int64_t call(struct cpu *c, uint64_t id, uint64_t arg)
{
	c->x[0] = id;
	c->x[1] = arg;
	assert_int_equal(smccc_call(c), EXEC_NEXT);
	return (int64_t)c->x[0];
}

static void records_for(struct soc *s)
{
	assert_int_equal(mem_add_shared(s->env.mem, "records", gpa(BOARD_PVTIME_BASE),
					s->cfg.vcpu_count * BOARD_PVTIME_STRIDE),
			 0);
	if (!pvtime_supported())
		skip(); /* a kernel without schedstat */
}

/* vCPU @id's, as 64-bit words: revision and attributes, stolen time. */
static uint64_t *record(const struct soc *s, unsigned id)
{
	return mem_ptr(s->env.mem, gpa(BOARD_PVTIME_BASE + id * BOARD_PVTIME_STRIDE), PVTIME_BYTES);
}

/* For 50 ms this thread shares a CPU with another one that wants all of it, too. */
static void *compete(void *stop)
{
	while (!atomic_load((_Atomic bool *)stop))
		;
	return NULL;
}

static void be_held_back(void)
{
	uint64_t end = loop_now_ns() + NSEC_PER_SEC / 20;
	cpu_set_t before, one;
	_Atomic bool stop = false;
	pthread_t other;

	CPU_ZERO(&one);
	CPU_SET((unsigned)sched_getcpu(), &one);
	if (sched_getaffinity(0, sizeof(before), &before) || sched_setaffinity(0, sizeof(one), &one))
		skip(); /* a host that does not let us choose */
	assert_int_equal(pthread_create(&other, NULL, compete, &stop), 0);
	while (loop_now_ns() < end)
		;
	atomic_store(&stop, true);
	pthread_join(other, NULL);
	sched_setaffinity(0, sizeof(before), &before);
}

static void a_vm_without_the_memory_has_no_stolen_time(void **state)
{
	struct soc *s = fake_soc(1);

	(void)state;
	assert_int_equal(call(s->cpus[0], PV_TIME_FEATURES, PV_TIME_ST), SMCCC_NOT_SUPPORTED);
	assert_int_equal(call(s->cpus[0], PV_TIME_ST, 0), SMCCC_NOT_SUPPORTED);
	fake_soc_free(s);
}

static void it_is_discovered_as_linux_does(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	records_for(s);
	assert_int_equal(call(c, SMCCC_ARCH_FEATURES, PV_TIME_FEATURES), SMCCC_SUCCESS);
	assert_int_equal(call(c, PV_TIME_FEATURES, PV_TIME_FEATURES), SMCCC_SUCCESS);
	assert_int_equal(call(c, PV_TIME_FEATURES, PV_TIME_ST), SMCCC_SUCCESS);
	assert_int_equal(call(c, PV_TIME_FEATURES, PV_TIME_ST + 1), SMCCC_NOT_SUPPORTED);
	assert_int_equal(call(c, PV_TIME_FEATURES, PSCI_VERSION), SMCCC_NOT_SUPPORTED);
	assert_int_equal(call(c, SMCCC_ARCH_FEATURES, PV_TIME_ST), SMCCC_NOT_SUPPORTED);
	fake_soc_free(s);
}

static void each_vcpu_has_a_record_that_begins_at_zero(void **state)
{
	struct soc *s = fake_soc(3);
	unsigned char in_core;

	(void)state;
	records_for(s);
	assert_int_equal(mincore(record(s, 0), 1, &in_core), 0);
	assert_int_equal(in_core & 1, 0); /* nobody has asked */
	for (unsigned id = 0; id < 3; id++) {
		record(s, id)[0] = record(s, id)[1] = UINT64_MAX;
		assert_int_equal(call(s->cpus[id], PV_TIME_ST, 0), BOARD_PVTIME_BASE + id * BOARD_PVTIME_STRIDE);
		assert_int_equal(record(s, id)[0] | record(s, id)[1], 0);
	}
	fake_soc_free(s);
}

static void it_grows_by_what_the_host_has_withheld(void **state)
{
	struct soc *s = fake_soc(2);
	struct cpu *c = s->cpus[0];
	uint64_t first;

	(void)state;
	records_for(s);
	be_held_back(); /* before the guest has asked: not counted */
	pvtime_update(c);
	assert_int_equal(record(s, 0)[1], 0);
	call(c, PV_TIME_ST, 0);
	be_held_back();
	pvtime_update(c);
	first = record(s, 0)[1];
	assert_in_range(first, 1, NSEC_PER_SEC);
	assert_int_equal(record(s, 0)[0], 0);
	assert_int_equal(record(s, 1)[1], 0);
	/* The host is not asked at every interrupt. */
	c->pvtime.next_ns = UINT64_MAX;
	be_held_back();
	pvtime_update(c);
	assert_int_equal(record(s, 0)[1], first);
	c->pvtime.next_ns = 0;
	pvtime_update(c);
	assert_true(record(s, 0)[1] > first);
	assert_true(c->pvtime.next_ns > 0);
	fake_soc_free(s);
}

static void an_interrupt_brings_it_up_to_date(void **state)
{
	static const uint32_t code[] = { HVC_0 };
	struct machine m = machine_new(1);
	struct cpu *c = m.cpu;

	(void)state;
	records_for(m.soc);
	machine_code(&m, RAM_BASE + 0x280, code, ARRAY_SIZE(code)); /* IRQ from EL1h */
	call(c, PV_TIME_ST, 0);
	be_held_back();
	assert_int_equal(record(m.soc, 0)[1], 0);
	c->sys[SYS_VBAR_EL1] = RAM_BASE;
	c->daif = 0;
	c->x[0] = PSCI_SYSTEM_OFF;
	cpu_set_irq_lines(c, SIGNAL_IRQ);
	assert_int_equal(machine_run(&m, RAM_BASE + 0x1000).reason, HV_EXIT_SHUTDOWN);
	assert_true(record(m.soc, 0)[1] > 0);
	machine_free(&m);
}

static void after_a_reset_a_guest_asks_anew(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	records_for(s);
	call(c, PV_TIME_ST, 0);
	assert_int_equal(mem_reset(s->env.mem), 0);
	soc_reset(s);
	be_held_back();
	pvtime_update(c);
	assert_int_equal(record(s, 0)[1], 0);
	assert_int_equal(call(c, PV_TIME_ST, 0), BOARD_PVTIME_BASE);
	c->pvtime.next_ns = 0;
	be_held_back();
	pvtime_update(c);
	assert_true(record(s, 0)[1] > 0);
	fake_soc_free(s);
}

/* A model without the calls has no memory for them either. */
static void the_memory_is_there_when_the_calls_are(void **state)
{
	static const struct {
		uint64_t model;
		bool calls;
	} rows[] = { { 1, false }, { 63, true } };

	(void)state;
	if (!pvtime_supported())
		skip();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const uint64_t vcpus = 65, model = rows[i].model;
		struct hv_env env = new_env();
		struct hv_block_buf b;
		struct hv_vm *vm;

		hv_block_init(&b);
		assert_int_equal(hv_block_add(&b, HV_ATTR_VCPU_COUNT, &vcpus, 1), 0);
		assert_int_equal(hv_block_add(&b, HV_ATTR_MODEL, &model, 1), 0);
		vm = create(backend(0), &env, &b.block);
		assert_int_equal(hv_finish(vm), 0);
		assert_int_equal(arch_add_memory(vm, env.mem), 0);
		assert_int_equal(!!mem_ptr(env.mem, gpa(BOARD_PVTIME_BASE), vcpus * BOARD_PVTIME_STRIDE),
				 rows[i].calls);
		hv_destroy(vm);
		free_env(&env);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_without_the_memory_has_no_stolen_time),
		cmocka_unit_test(it_is_discovered_as_linux_does),
		cmocka_unit_test(each_vcpu_has_a_record_that_begins_at_zero),
		cmocka_unit_test(it_grows_by_what_the_host_has_withheld),
		cmocka_unit_test(an_interrupt_brings_it_up_to_date),
		cmocka_unit_test(after_a_reset_a_guest_asks_anew),
		cmocka_unit_test(the_memory_is_there_when_the_calls_are),
	};

	return cmocka_run_group_tests_name("arch/arm64/pvtime", tests, NULL, NULL);
}
