/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <vmm/hv.h>
#include <vmm/regs.h>

#include "fake-hv.h"

#define ISAR0  REG_ID_SYS(REG_ENC(3, 0, 0, 6, 0))
#define REVIDR REG_ID_SYS(REG_ENC(3, 0, 0, 0, 6))
#define PFR0   REG_ID_SYS(REG_ENC(3, 0, 0, 1, 0)) /* of AArch32 */

static const struct field {
	const char *reg, *name;
	unsigned msb, lsb;
} fields[] = {
#define REG_FIELD(reg, field, msb, lsb) { #reg, #field, msb, lsb },
#include <vmm/reg-field.def>
};

static const char *const names[] = {
#define REG(NAME, ...) #NAME,
#include <vmm/regs.def>
#define REG_KVM(NAME, ...) #NAME,
#include <vmm/regs-kvm.def>
};

static bool has_register(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static void the_fields_of_a_register_are_its_64_bits_once_each(void **state)
{
	uint64_t seen = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		const struct field *f = &fields[i];
		uint64_t mask = ~UINT64_C(0) >> (63 - f->msb) & ~UINT64_C(0) << f->lsb;

		assert_true(f->lsb <= f->msb && f->msb < 64);
		if (seen & mask)
			fail_msg("%s.%s overlaps", f->reg, f->name);
		seen |= mask;
		if (i + 1 < ARRAY_SIZE(fields) && !strcmp(fields[i + 1].reg, f->reg))
			continue;
		if (~seen)
			fail_msg("%s: bits %#llx are in no field", f->reg, (unsigned long long)~seen);
		seen = 0;
	}
}

static void a_register_with_fields_exists_and_is_there_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
		bool first = !i || strcmp(fields[i - 1].reg, fields[i].reg);

		assert_true(has_register(fields[i].reg));
		for (unsigned k = 0; k < i; k++)
			assert_false(!strcmp(fields[k].reg, fields[i].reg) &&
				     (first || (!strcmp(fields[k].name, fields[i].name) &&
						strncmp(fields[i].name, "RES", 3))));
	}
}

/* All ID registers of AArch64 that have a name, on any host. */
static void every_aarch64_id_register_has_fields(void **state)
{
	unsigned with = 0;

	(void)state;
	for (unsigned crm = 4; crm < 8; crm++) {
		for (unsigned op2 = 0; op2 < 8; op2++) {
			const char *name = hv_reg_name(REG_ID_SYS((uint64_t)REG_ENC(3, 0, 0, crm, op2)));
			bool found = false;

			for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
				found |= !strcmp(fields[i].reg, name);
			assert_int_equal(found, !strncmp(name, "ID_AA64", 7));
			with += found;
		}
	}
	assert_int_equal(with, 20);
}

static struct hv_vm *soft_vm(struct hv_env *env)
{
	struct hv_vm *vm = finished(backend(0), env, NULL);

	new_vcpu(vm, 0);
	return vm;
}

/* What stands against writing @want. */
static int set(struct hv_vm *vm, uint64_t id, uint64_t want, struct hv_why *why)
{
	*why = (struct hv_why){ 0 };
	return hv_reg_set_why(vm, NULL, id, &want, why);
}

static void a_refusal_names_the_field_that_is_refused_and_no_other(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = soft_vm(&env);
	uint64_t is = reg1(vm, ISAR0);
	struct hv_why why;

	(void)state;
	/* Without RNDR, which can be done, but with SM4, which cannot. */
	assert_int_equal(set(vm, ISAR0, (is & ~(UINT64_C(0xf) << 60)) | UINT64_C(1) << 40, &why), -EINVAL);
	assert_string_equal(hv_why_end(&why), "ID_AA64ISAR0_EL1.SM4 is 0 and cannot be 1");
	assert_int_equal(reg1(vm, ISAR0) >> 60, 0);
	/* Bits without a name are told by number. */
	assert_int_equal(set(vm, ISAR0, reg1(vm, ISAR0) | 0x6000002, &why), -EINVAL);
	assert_string_equal(hv_why_end(&why), "ID_AA64ISAR0_EL1[26:25] is 0 and cannot be 3, "
					      "ID_AA64ISAR0_EL1[1] is 0 and cannot be 1");
	/* A register without fields is one, and one that is not there is said to be that. */
	assert_int_equal(set(vm, REVIDR, 5, &why), -EINVAL);
	assert_string_equal(hv_why_end(&why), "REVIDR_EL1 is 0x0 and cannot be 0x5");
	assert_int_equal(set(vm, PFR0, 5, &why), -ENOENT);
	assert_string_equal(hv_why_end(&why), "ID_PFR0_EL1 is not there");
	hv_destroy(vm);
	free_env(&env);
}

static void a_value_that_is_taken_needs_no_reason(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = soft_vm(&env);
	struct hv_why why;

	(void)state;
	assert_int_equal(set(vm, ISAR0, reg1(vm, ISAR0) & 0xffff, &why), 0);
	assert_int_equal(why.count, 0);
	assert_string_equal(hv_why_end(&why), "");
	hv_destroy(vm);
	free_env(&env);
}

static void the_first_few_reasons_are_named_and_the_others_counted(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = soft_vm(&env);
	struct hv_why why;

	(void)state;
	assert_int_equal(set(vm, ISAR0, UINT64_C(0xffffffffffffffff), &why), -EINVAL);
	assert_int_equal(why.count, 16);
	assert_string_equal(
		hv_why_end(&why),
		"ID_AA64ISAR0_EL1.RNDR is 1 and cannot be 0xf, ID_AA64ISAR0_EL1.TLB is 2 and cannot be 0xf, "
		"ID_AA64ISAR0_EL1.TS is 2 and cannot be 0xf, ID_AA64ISAR0_EL1.FHM is 1 and cannot be 0xf "
		"and 12 more");
	hv_destroy(vm);
	free_env(&env);
}

static void a_name_is_the_id_where_there_is_none(void **state)
{
	char text[HV_REG_TEXT_BYTES];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		assert_true(strlen(names[i]) < sizeof(text));
	assert_string_equal(hv_reg_text(ISAR0, text, sizeof(text)), "ID_AA64ISAR0_EL1");
	assert_string_equal(hv_reg_text(FAKE_STRANGE, text, sizeof(text)), "0x60300000001e0001");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fields_of_a_register_are_its_64_bits_once_each),
		cmocka_unit_test(a_register_with_fields_exists_and_is_there_once),
		cmocka_unit_test(every_aarch64_id_register_has_fields),
		cmocka_unit_test(a_refusal_names_the_field_that_is_refused_and_no_other),
		cmocka_unit_test(a_value_that_is_taken_needs_no_reason),
		cmocka_unit_test(the_first_few_reasons_are_named_and_the_others_counted),
		cmocka_unit_test(a_name_is_the_id_where_there_is_none),
	};

	return cmocka_run_group_tests_name("src/hv/field", tests, NULL, NULL);
}
