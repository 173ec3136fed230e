/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requirements F, rollback, and those of G and I that are about saved state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/mem.h>
#include <vmm/regs.h>

#include "fake-hv.h"

/* Restores into a VM made for it, which must end with @err and a message that has @what in it. */
static void assert_refused(const struct hv_ops *ops, struct hv_env *env, const struct hv_saved *s, int err,
			   const char *what)
{
	struct hv_vm *vm = target(ops, env, s);
	struct said said;
	int got;

	said_begin(&said);
	got = hv_restore(vm, s);
	assert_says(&said, what);
	assert_int_equal(got, err);
	hv_destroy(vm);
}

static void F1_an_unknown_register_or_bit_is_refused_by_name(void **state)
{
	struct hv_env env = new_env();
	const struct hv_ops *ops = backend(1);
	struct hv_saved s;

	(void)state;
	fake.extra_bitmap_bits = 0x40;
	save_some(ops, &env, &s);
	/* An older build: without the new bit ... */
	fake.extra_bitmap_bits = 0;
	assert_refused(ops, &env, &s, -EINVAL, "SMCCC_STD_BMAP[6] is 0 and cannot be 1");
	/* ... or without a register. */
	fake.extra_bitmap_bits = 0x40;
	fake.no_dummy = true;
	assert_refused(ops, &env, &s, -ENOENT, "0x60300000001f7777");
	hv_saved_free(&s);
	free_env(&env);
}

static void F2_the_saved_feature_set_is_what_the_guest_gets_on_a_newer_build(void **state)
{
	struct hv_env env = new_env();
	const struct hv_ops *ops = backend(1);
	struct hv_saved s;
	struct hv_vm *vm;
	uint64_t v;

	(void)state;
	save_some(ops, &env, &s);
	fake.extra_bitmap_bits = 0x40;
	vm = target(ops, &env, &s);
	assert_int_equal(hv_restore(vm, &s), 0);
	assert_int_equal(hv_reg_get(vm, NULL, FAKE_BITMAP, &v), 0);
	assert_int_equal(v, 0xf);
	/* Applied before anything else: it is first in the stream. */
	assert_true(s.regs[0].id == FAKE_BITMAP || s.regs[0].id == FAKE_BITMAP2 || s.regs[0].id == FAKE_VERSION);
	hv_destroy(vm);
	hv_saved_free(&s);
	free_env(&env);
}

/* What a build has; the register list and the bits of the first bitmap stand for any feature. */
static void be_build(bool newer)
{
	fake.extra_bitmap_bits = newer ? 0x40 : 0;
	fake.no_bitmap2 = !newer;
}

static void F2_two_builds_in_every_direction(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 4; way++) {
		bool from_new = way & 1, to_new = way & 2;
		const struct hv_ops *ops = backend(1);
		struct hv_env env = new_env();
		struct hv_saved s;
		struct hv_vm *vm;
		struct said said;
		int err;

		be_build(from_new);
		save_some(ops, &env, &s);
		be_build(to_new);
		vm = target(ops, &env, &s);
		said_begin(&said);
		err = hv_restore(vm, &s);
		said_end(&said);
		if (from_new && !to_new) {
			/* Newer to older: refused, and the reason is a register. */
			assert_int_equal(err, -EINVAL);
			assert_non_null(strstr(said.text, "SMCCC_STD_BMAP[6] is 0 and cannot be 1"));
		} else {
			/* Otherwise the guest has what it had: no bit more, and no service of a register it never
			 * had. */
			assert_int_equal(err, 0);
			assert_int_equal(reg1(vm, FAKE_BITMAP), from_new ? 0x4f : 0xf);
			if (to_new)
				assert_int_equal(reg1(vm, FAKE_BITMAP2), from_new ? 0x3 : 0);
		}
		hv_destroy(vm);
		hv_saved_free(&s);
		free_env(&env);
	}
}

static void F2_a_feature_that_cannot_be_turned_off_is_refused(void **state)
{
	struct hv_env env = new_env();
	const struct hv_ops *ops = backend(1);
	struct hv_saved s;
	unsigned kept = 0;

	(void)state;
	save_some(ops, &env, &s);
	/* As if written by a build that did not know the version register, which has no value for "none". */
	for (unsigned i = 0; i < s.count; i++)
		if (s.regs[i].id != FAKE_VERSION)
			s.regs[kept++] = s.regs[i];
	s.count = kept;
	assert_refused(ops, &env, &s, -EINVAL, "PSCI_VERSION");
	hv_saved_free(&s);
	free_env(&env);
}

/* A VM of backend 1 that relies on DIRTY_LOG, saved into *s; then the backend loses the capability. */
static struct hv_vm *save_then_lose_dirty_log(const struct hv_ops *ops, const struct hv_env *env, struct hv_saved *s)
{
	struct hv_block_buf b = block_of(HV_ATTR_CAPS, UINT64_C(1) << HV_CAP_DIRTY_LOG);
	struct hv_vm *vm = finished(ops, env, &b.block);

	new_vcpu(vm, 0);
	assert_int_equal(hv_save(vm, s), 0);
	fake.caps &= ~(UINT64_C(1) << HV_CAP_DIRTY_LOG);
	return vm;
}

static void F3_a_reader_must_have_the_capabilities_the_vm_relied_on(void **state)
{
	struct hv_env env = new_env();
	const struct hv_ops *ops = backend(1);
	struct hv_saved s;
	struct said said;
	int err;

	(void)state;
	hv_destroy(save_then_lose_dirty_log(ops, &env, &s));
	said_begin(&said);
	err = try_create(ops, &s.attr.block);
	assert_says(&said, "dirty-log");
	assert_int_equal(err, -EINVAL);
	hv_saved_free(&s);
	free_env(&env);
}

static void F3_what_a_reader_must_have_is_said_by_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		const struct hv_ops *ops = backend(i);
		struct hv_env env = new_env();
		struct hv_saved s;

		save_some(ops, &env, &s);
		assert_string_equal(s.needs, "reg-list saved-needs");
		/* A name from the future. */
		strcat(s.needs, " time-travel");
		assert_refused(ops, &env, &s, -ENOTSUP, "time-travel");
		/* The longest list there can be fits. */
		assert_true(sizeof(s.needs) > 12 * 24);
		hv_saved_free(&s);
		free_env(&env);
	}
}

static void F3_a_reader_without_a_named_capability_refuses(void **state)
{
	struct hv_env env = new_env();
	struct hv_saved s;
	struct hv_vm *vm;
	struct said said;
	int err;

	(void)state;
	vm = save_then_lose_dirty_log(backend(1), &env, &s);
	assert_string_equal(s.needs, "reg-list dirty-log saved-needs");
	said_begin(&said);
	err = hv_restore(vm, &s);
	assert_says(&said, "capability dirty-log");
	assert_int_equal(err, -ENOTSUP);
	hv_destroy(vm);
	hv_saved_free(&s);
	free_env(&env);
}

static void F5_F6_every_older_version_can_be_set(void **state)
{
	static const uint64_t versions[] = { 0x10001, 0x10000, 0x2 };

	(void)state;
	/* FAKE_VERSION is PSCI_VERSION of regs.def, which the software hypervisor has as well. */
	for (unsigned i = 0; i < BACKENDS; i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(versions); k++) {
			struct hv_env env = new_env();
			struct hv_vm *vm = finished(backend(i), &env, NULL);
			struct hv_exit e;
			uint64_t v;

			new_vcpu(vm, 0);
			assert_int_equal(hv_reg_set(vm, NULL, FAKE_VERSION, &versions[k]), 0);
			hv_vcpu_kick(vm->vcpus[0]);
			hv_vcpu_run(vm->vcpus[0], &e);
			assert_int_equal(hv_reg_get(vm, NULL, FAKE_VERSION, &v), 0);
			assert_int_equal(v, versions[k]);
			hv_destroy(vm);
			free_env(&env);
		}
	}
}

/* The guest calls PSCI_VERSION and powers off; its answer is left in x19. */
static uint64_t ask_psci_version(struct hv_vm *vm, struct hv_env *env)
{
	static const uint32_t code[] = {
		0x52b08000, /* movz w0, #0x8400, lsl #16 */
		0xd4000002, /* hvc #0 */
		0xaa0003f3, /* mov x19, x0 */
		0x52b08000, /* movz w0, #0x8400, lsl #16 */
		0x72800100, /* movk w0, #8: SYSTEM_OFF */
		0xd4000002, /* hvc #0 */
	};
	uint64_t pc = 0x40000000, v = 0;
	struct hv_exit e;

	assert_int_equal(mem_write(env->mem, gpa(pc), code, sizeof(code)), 0);
	assert_int_equal(hv_reg_set(vm, vm->vcpus[0], REG_ID_CORE(0x40), &pc), 0);
	assert_int_equal(hv_vcpu_run(vm->vcpus[0], &e), 0);
	assert_int_equal(e.reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(hv_reg_get(vm, vm->vcpus[0], REG_ID_CORE(2 * 19), &v), 0);
	return v;
}

static void F5_a_restored_guest_reads_the_version_it_was_saved_with(void **state)
{
	static const uint64_t versions[] = { 0x10001, 0x10000, 0x2 };

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(versions); k++) {
		const struct hv_ops *ops = backend(0);
		struct hv_env env = new_env();
		struct hv_vm *vm = finished(ops, &env, NULL);
		struct hv_saved s;

		new_vcpu(vm, 0);
		assert_int_equal(hv_reg_set(vm, NULL, FAKE_VERSION, &versions[k]), 0);
		assert_int_equal(hv_save(vm, &s), 0);
		hv_destroy(vm);
		vm = target(ops, &env, &s);
		assert_int_equal(hv_restore(vm, &s), 0);
		assert_int_equal(ask_psci_version(vm, &env), versions[k]);
		hv_destroy(vm);
		hv_saved_free(&s);
		free_env(&env);
	}
}

static void G2_vm_registers_are_saved_and_restored_once_whatever_the_number_of_vcpus(void **state)
{
	(void)state;
	for (unsigned vcpus = 1; vcpus <= 4; vcpus++) {
		struct hv_block_buf b = block_of(HV_ATTR_VCPU_COUNT, vcpus);
		struct hv_env env = new_env();
		struct hv_vm *vm = finished(backend(1), &env, &b.block);
		unsigned of_vm = 0, count = 0, gets;
		struct hv_saved s;

		for (unsigned i = 0; i < vcpus; i++)
			new_vcpu(vm, i);
		hv_reg_list(vm, NULL, NULL, &count);
		gets = fake.vm_reg_gets;
		assert_int_equal(hv_save(vm, &s), 0);
		assert_int_equal(fake.vm_reg_gets - gets, count);
		for (unsigned i = 0; i < s.count; i++)
			of_vm += s.regs[i].vcpu < 0;
		assert_int_equal(of_vm, count);
		hv_destroy(vm);
		hv_saved_free(&s);
		free_env(&env);
	}
}

static void G3_G4_a_register_nobody_has_heard_of_survives(void **state)
{
	uint64_t dummy = UINT64_C(0xfeedface12345678), v;
	uint8_t big[HV_REG_BYTES_MAX], out[HV_REG_BYTES_MAX];
	struct hv_block_buf b = block_of(HV_ATTR_VCPU_COUNT, 2);
	struct hv_env env = new_env();
	const struct hv_ops *ops = backend(1);
	struct hv_vm *vm = finished(ops, &env, &b.block);
	struct hv_saved s;

	(void)state;
	for (unsigned i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 + 1);
	new_vcpu(vm, 0);
	new_vcpu(vm, 1);
	assert_int_equal(hv_reg_set(vm, NULL, FAKE_VM_DUMMY, &dummy), 0);
	assert_int_equal(hv_reg_set(vm, vm->vcpus[1], FAKE_BIG, big), 0);
	assert_int_equal(hv_save(vm, &s), 0);
	hv_destroy(vm);
	vm = target(ops, &env, &s);
	assert_int_equal(hv_restore(vm, &s), 0);
	assert_int_equal(hv_reg_get(vm, NULL, FAKE_VM_DUMMY, &v), 0);
	assert_true(v == dummy);
	assert_int_equal(hv_reg_get(vm, vm->vcpus[1], FAKE_BIG, out), 0);
	assert_memory_equal(out, big, sizeof(big));
	assert_int_equal(hv_reg_get(vm, vm->vcpus[0], FAKE_BIG, out), 0);
	assert_int_equal(out[0], 0);
	hv_destroy(vm);
	hv_saved_free(&s);
	free_env(&env);
}

static void G3_G7_everything_the_software_hypervisor_lists_can_be_saved_and_restored(void **state)
{
	struct hv_env env = new_env();
	const struct hv_ops *ops = backend(0);
	struct hv_saved s, again;
	struct hv_vm *vm;

	(void)state;
	save_some(ops, &env, &s);
	assert_true(s.count > 100);
	free_env(&env);
	env = new_env();
	vm = target(ops, &env, &s);
	assert_int_equal(hv_restore(vm, &s), 0);
	assert_int_equal(hv_save(vm, &again), 0);
	assert_int_equal(again.count, s.count);
	for (unsigned i = 0; i < s.count; i++) {
		assert_true(again.regs[i].id == s.regs[i].id && again.regs[i].vcpu == s.regs[i].vcpu);
		/* Counters go on counting. */
		if (memcmp(again.regs[i].value, s.regs[i].value, s.regs[i].bytes))
			assert_int_equal(s.regs[i].id >> 16 & 0xfff, 0x13);
	}
	hv_destroy(vm);
	hv_saved_free(&s);
	hv_saved_free(&again);
	free_env(&env);
}

static void I9_state_of_another_hypervisor_is_refused(void **state)
{
	struct hv_env env = new_env();
	struct hv_saved s;

	(void)state;
	save_some(backend(0), &env, &s);
	free_env(&env);
	env = new_env();
	assert_refused(&fake_ops, &env, &s, -ENOTSUP, "soft");
	hv_saved_free(&s);
	free_env(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(F1_an_unknown_register_or_bit_is_refused_by_name),
		cmocka_unit_test(F2_the_saved_feature_set_is_what_the_guest_gets_on_a_newer_build),
		cmocka_unit_test(F2_two_builds_in_every_direction),
		cmocka_unit_test(F2_a_feature_that_cannot_be_turned_off_is_refused),
		cmocka_unit_test(F3_a_reader_must_have_the_capabilities_the_vm_relied_on),
		cmocka_unit_test(F3_what_a_reader_must_have_is_said_by_name),
		cmocka_unit_test(F3_a_reader_without_a_named_capability_refuses),
		cmocka_unit_test(F5_F6_every_older_version_can_be_set),
		cmocka_unit_test(F5_a_restored_guest_reads_the_version_it_was_saved_with),
		cmocka_unit_test(G2_vm_registers_are_saved_and_restored_once_whatever_the_number_of_vcpus),
		cmocka_unit_test(G3_G4_a_register_nobody_has_heard_of_survives),
		cmocka_unit_test(G3_G7_everything_the_software_hypervisor_lists_can_be_saved_and_restored),
		cmocka_unit_test(I9_state_of_another_hypervisor_is_refused),
	};

	return cmocka_run_group_tests_name("src/hv/save", tests, NULL, NULL);
}
