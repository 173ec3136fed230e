/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a user wants of the hypercalls, and its way into feature registers old, known and new. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/hypercall.h>
#include <vmm/log.h>

#include "fake-hv.h"

#define TRNG       UINT64_C(1) /* of FAKE_BITMAP */
#define ALL_OF_ONE UINT64_C(0xf)
#define ALL_OF_TWO UINT64_C(0x3)

static struct hypercalls wish(const char *text)
{
	struct hypercalls h;

	assert_int_equal(hypercalls_parse(text, &h), 0);
	return h;
}

/* A VM of two vCPUs on the fake as it is now. */
static struct hv_vm *two_vcpus(const struct hv_ops *ops, struct hv_env *env)
{
	struct hv_block_buf b = block_of(HV_ATTR_VCPU_COUNT, 2);
	struct hv_vm *vm = finished(ops, env, &b.block);

	new_vcpu(vm, 0);
	new_vcpu(vm, 1);
	return vm;
}

static int apply(struct hv_vm *vm, const char *text, bool say)
{
	struct hypercalls h = wish(text);

	return hypercalls_apply(vm, &h, say);
}

static void names_are_those_of_the_table(void **state)
{
	const struct hypercall *c;
	struct hypercalls h;
	char text[64];

	(void)state;
	h = wish("all");
	assert_true(!h.restricted);
	h = wish("none");
	assert_true(h.restricted && !h.rows);
	for (unsigned i = 0; (c = hypercall_at(i)); i++) {
		h = wish(c->name);
		assert_true(h.restricted && h.rows == UINT64_C(1) << i);
		assert_string_equal(hypercall_bits_text(c->reg, UINT64_C(1) << c->bit, text, sizeof(text)), c->name);
	}
	h = wish("trng,ptp,trng");
	assert_int_equal(h.rows, 1 << 0 | 1 << 3);
	assert_string_equal(hypercall_bits_text(FAKE_BITMAP, TRNG | 1 << 5, text, sizeof(text)), "trng, bit 5");
	assert_string_equal(hypercall_bits_text(FAKE_BITMAP, 0, text, sizeof(text)), "none");
}

static void other_names_are_refused_with_the_nearest(void **state)
{
	static const char *const wrong[] = {
		"",      ",",        "trng,",
		",trng", "all,trng", "none,trng",
		"TRNG",  " trng",    "a-name-that-is-longer-than-any-name-of-a-hypercall"
	};
	struct hypercalls h;
	struct said s;
	int err;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		said_begin(&s);
		err = hypercalls_parse(wrong[i], &h);
		assert_says(&s, "there are all, none, trng, pv-time");
		assert_int_equal(err, -EINVAL);
	}
	said_begin(&s);
	hypercalls_parse("trng,pvtime", &h);
	assert_says(&s, "--hypercalls=trng,pvtime: no hypercall is named \"pvtime\"; did you mean pv-time?");
}

static void E5_all_is_everything_also_what_is_newer_than_the_table(void **state)
{
	const struct hv_ops *ops = backend(1);
	struct hv_env env = new_env();
	struct hv_vm *vm;

	(void)state;
	fake.extra_bitmap_bits = 0x40;
	fake.has_new_bitmap = true;
	vm = two_vcpus(ops, &env);
	assert_int_equal(apply(vm, "all", true), 0);
	assert_int_equal(reg1(vm, FAKE_BITMAP), ALL_OF_ONE | 0x40);
	assert_int_equal(reg1(vm, FAKE_BITMAP2), ALL_OF_TWO);
	assert_int_equal(reg1(vm, FAKE_BITMAP_NEW), 5);
	hv_destroy(vm);
	free_env(&env);
}

static void a_list_is_exactly_that_whatever_else_there_is(void **state)
{
	const struct hv_ops *ops = backend(1);
	struct hv_env env = new_env();
	struct hv_vm *vm;

	(void)state;
	fake.extra_bitmap_bits = 0x40;
	fake.has_new_bitmap = true;
	vm = two_vcpus(ops, &env);
	assert_int_equal(apply(vm, "trng", false), 0);
	assert_int_equal(reg1(vm, FAKE_BITMAP), TRNG);
	assert_int_equal(reg1(vm, FAKE_BITMAP2), 0);
	assert_int_equal(reg1(vm, FAKE_BITMAP_NEW), 0);
	hv_destroy(vm);
	free_env(&env);
}

static void E8_all_that_is_missing_is_named_and_nothing_is_written(void **state)
{
	const struct hv_ops *ops = backend(1);
	struct hv_env env = new_env();
	struct hv_vm *vm;
	struct said s;
	int err;

	(void)state;
	vm = two_vcpus(ops, &env);
	fake.vm_reg_sets = 0;
	/* The fake has no third and no fourth register: what that means is a column of the table. */
	said_begin(&s);
	err = apply(vm, "ptp,discover-impl-ver,trng,discover-impl-cpus", true);
	assert_says(
		&s,
		"--hypercalls: hypervisor fake has no discover-impl-ver, discover-impl-cpus here; leave that out");
	assert_int_equal(err, -ENOTSUP);
	assert_int_equal(fake.vm_reg_sets, 0);
	assert_int_equal(reg1(vm, FAKE_BITMAP), ALL_OF_ONE);
	hv_destroy(vm);
	free_env(&env);
}

static void a_call_without_a_register_cannot_be_restricted_which_is_said(void **state)
{
	const struct hv_ops *ops = backend(1);
	struct hv_env env = new_env();
	struct hv_vm *vm;
	const char *text;
	struct said s;

	(void)state;
	fake.no_bitmap = fake.no_bitmap2 = true;
	vm = two_vcpus(ops, &env);
	said_begin(&s);
	assert_int_equal(apply(vm, "trng", true), 0);
	text = said_end(&s);
	assert_non_null(strstr(text, "--hypercalls: pv-time, kvm-features, ptp cannot be restricted on this kernel"));
	assert_null(strstr(text, "trng"));
	/* Who asks for no restriction is not bothered, and neither is anybody at each restart. */
	said_begin(&s);
	assert_int_equal(apply(vm, "all", true), 0);
	assert_int_equal(apply(vm, "none", false), 0);
	assert_string_equal(said_end(&s), "");
	hv_destroy(vm);
	free_env(&env);
}

static void psci_must_be_new_enough_to_start_a_cpu(void **state)
{
	static const uint64_t enough[] = { 0x2, 0x10000, 0x10003 };
	const struct hv_ops *ops = backend(1);
	struct hv_env env = new_env();
	struct hv_vm *vm;
	struct said s;
	int err;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(enough); i++) {
		fake.psci_version = enough[i];
		vm = two_vcpus(ops, &env);
		assert_int_equal(apply(vm, "all", true), 0);
		hv_destroy(vm);
	}
	fake.psci_version = 1;
	vm = two_vcpus(ops, &env);
	said_begin(&s);
	err = apply(vm, "all", true);
	assert_says(&s, "hypervisor fake has PSCI 0.1 here, guests need 0.2");
	assert_int_equal(err, -ENOTSUP);
	hv_destroy(vm);
	free_env(&env);
}

static void E6_after_the_first_run_it_is_too_late(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = two_vcpus(backend(i), &env);
		struct hv_exit e;
		struct said s;

		hv_vcpu_kick(vm->vcpus[0]);
		assert_int_equal(hv_vcpu_run(vm->vcpus[0], &e), 0);
		said_begin(&s);
		assert_int_equal(apply(vm, "none", false), -EBUSY);
		assert_says(&s, "feature register SMCCC_STD_BMAP: hypervisor");
		assert_int_equal(apply(vm, "all", false), 0);
		hv_destroy(vm);
		free_env(&env);
	}
}

static void E9_what_is_taken_away_stays_away_over_a_reset(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = two_vcpus(backend(0), &env);

	(void)state;
	assert_int_equal(apply(vm, "none", true), 0);
	assert_int_equal(hv_vm_reset(vm), 0);
	assert_int_equal(reg1(vm, FAKE_BITMAP), 0);
	hv_destroy(vm);
	free_env(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_the_table),
		cmocka_unit_test(other_names_are_refused_with_the_nearest),
		cmocka_unit_test(E5_all_is_everything_also_what_is_newer_than_the_table),
		cmocka_unit_test(a_list_is_exactly_that_whatever_else_there_is),
		cmocka_unit_test(E8_all_that_is_missing_is_named_and_nothing_is_written),
		cmocka_unit_test(a_call_without_a_register_cannot_be_restricted_which_is_said),
		cmocka_unit_test(psci_must_be_new_enough_to_start_a_cpu),
		cmocka_unit_test(E6_after_the_first_run_it_is_too_late),
		cmocka_unit_test(E9_what_is_taken_away_stays_away_over_a_reset),
	};

	return cmocka_run_group_tests_name("src/hv/hypercall", tests, NULL, NULL);
}
