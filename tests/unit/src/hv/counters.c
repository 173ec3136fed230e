/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every hypervisor owes with its counters, tried on each that this host has: both
 * can be read and set before the guest runs, there is one offset for both, and what was
 * set is what the guest goes on from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/mem.h>
#include <vmm/regs.h>

#include "fake-hv.h"

#define CNTPCT REG_ID_SYS(REG_ENC(3, 3, 14, 0, 1))
#define CNTVCT REG_ID_SYS(REG_ENC(3, 3, 14, 3, 2)) /* the id is that of another encoding: regs.def */
#define CODE   UINT64_C(0x40000000)

enum { PCT, VCT, PCT_AGAIN, FREQUENCY, SEEN };

/* The guest reads its counters one after another into x19 to x22 and powers off. */
static void run_guest(struct hv_vm *vm, struct hv_env *env, uint64_t seen[SEEN])
{
	static const uint32_t code[] = {
		0xd5033fdf, /* isb */
		0xd53be033, /* mrs x19, cntpct_el0 */
		0xd5033fdf, /* isb */
		0xd53be054, /* mrs x20, cntvct_el0 */
		0xd5033fdf, /* isb */
		0xd53be035, /* mrs x21, cntpct_el0 */
		0xd53be016, /* mrs x22, cntfrq_el0 */
		0x52b08000, /* movz w0, #0x8400, lsl #16 */
		0x72800100, /* movk w0, #8: SYSTEM_OFF */
		0xd4000002, /* hvc #0 */
	};
	struct hv_vcpu *c = vm->vcpus[0];
	uint64_t pc = CODE;
	struct hv_exit e;

	assert_int_equal(mem_write(env->mem, gpa(pc), code, sizeof(code)), 0);
	assert_int_equal(hv_reg_set(vm, c, REG_ID_CORE(0x40), &pc), 0);
	assert_int_equal(hv_vcpu_run(c, &e), 0);
	assert_int_equal(e.reason, HV_EXIT_SHUTDOWN);
	for (unsigned i = 0; i < SEEN; i++)
		assert_int_equal(hv_reg_get(vm, c, REG_ID_CORE(2 * (19 + i)), &seen[i]), 0);
}

static struct hv_vm *with_memory(const struct hv_ops *ops, struct hv_env *env)
{
	struct hv_vm *vm = finished(ops, env, NULL);
	struct hv_mem m = { .base = gpa(CODE), .host = mem_ptr(env->mem, gpa(CODE), 1), .bytes = 4 * MIB };

	assert_int_equal(hv_mem_map(vm, &m), 0);
	new_vcpu(vm, 0);
	return vm;
}

/* KVM before Linux 6.4 has the virtual counter only, and an offset for it alone. */
static bool has_both(const struct hv_ops *ops)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = finished(ops, &env, NULL);
	uint64_t v;
	bool yes = hv_reg_get(vm, NULL, CNTPCT, &v) != -ENOENT;

	if (!yes)
		print_message("SKIP: hypervisor %s has no offset for both counters here\n", ops->name);
	hv_destroy(vm);
	free_env(&env);
	return yes;
}

/* The @i-th that can be tried here; NULL past the last. */
static const struct hv_ops *usable(unsigned *i)
{
	const struct hv_ops *ops;
	char why[160];

	while ((ops = hv_backend_at((*i)++)))
		if (!ops->available(why, sizeof(why)) && has_both(ops))
			return ops;
	return NULL;
}

/* Longer than from one line of a test to the next on any host. */
#define MINUTE(frequency) (60 * (frequency))

static void what_is_set_is_what_the_guest_then_reads_on_both_counters(void **state)
{
	static const struct {
		uint64_t reg, value;
	} rows[] = {
		{ CNTVCT, 0 },
		{ CNTVCT, UINT64_C(0x123456789abc) },
		{ CNTPCT, 0 },
		{ CNTPCT, UINT64_C(0x123456789abc) },
		{ CNTPCT, UINT64_C(0x7fffffff00000000) },
	};
	const struct hv_ops *ops;

	(void)state;
	for (unsigned i = 0; (ops = usable(&i));) {
		for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
			const uint64_t set = rows[k].value;
			struct hv_env env = new_env();
			struct hv_vm *vm = with_memory(ops, &env);
			uint64_t seen[SEEN];

			assert_int_equal(hv_reg_set(vm, NULL, rows[k].reg, &set), 0);
			run_guest(vm, &env, seen);
			assert_in_range(seen[PCT], set, set + MINUTE(seen[FREQUENCY]));
			assert_in_range(seen[VCT], seen[PCT], seen[PCT_AGAIN]);
			assert_in_range(seen[PCT_AGAIN], set, set + MINUTE(seen[FREQUENCY]));
			hv_destroy(vm);
			free_env(&env);
		}
	}
}

static void what_is_read_is_what_the_guest_goes_on_from(void **state)
{
	const struct hv_ops *ops;

	(void)state;
	for (unsigned i = 0; (ops = usable(&i));) {
		struct hv_env env = new_env();
		struct hv_vm *vm = with_memory(ops, &env);
		uint64_t before[3], seen[SEEN];

		before[0] = reg1(vm, CNTPCT);
		before[1] = reg1(vm, CNTVCT);
		before[2] = reg1(vm, CNTPCT);
		run_guest(vm, &env, seen);
		assert_in_range(before[0], 0, MINUTE(seen[FREQUENCY])); /* a new machine */
		assert_in_range(before[1], before[0], before[2]);
		assert_in_range(seen[PCT], before[2], before[2] + MINUTE(seen[FREQUENCY]));
		assert_in_range(reg1(vm, CNTVCT), seen[PCT_AGAIN], seen[PCT_AGAIN] + MINUTE(seen[FREQUENCY]));
		hv_destroy(vm);
		free_env(&env);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_is_what_the_guest_then_reads_on_both_counters),
		cmocka_unit_test(what_is_read_is_what_the_guest_goes_on_from),
	};

	return cmocka_run_group_tests_name("src/hv/counters", tests, NULL, NULL);
}
