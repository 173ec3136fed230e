/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * F4: a model is what its golden dump says, for ever. tests/golden/model-NAME.txt is
 * never written again; a build that wants more makes another model.
 */
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

/* The soft hypervisor as a later build may be: more in ID_AA64ISAR2_EL1, another bitmap bit, a new ID register. */
#define ISAR2    REG_ID_SYS(REG_ENC(3, 0, 0, 6, 2))
#define NEW_ID   REG_ID_SYS(REG_ENC(3, 0, 0, 7, 4))
#define STD_BMAP REG_ID_BMAP(0)
#define NEW_BITS UINT64_C(0x30)

static const struct hv_ops *soft;
static uint64_t new_isar2, new_bmap, new_id;
static bool stuck; /* the new register cannot be turned off */

static uint64_t *added(uint64_t id)
{
	return id == ISAR2 ? &new_isar2 : id == STD_BMAP ? &new_bmap : id == NEW_ID ? &new_id : NULL;
}

static int newer_list(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg *regs, unsigned *count)
{
	unsigned room = *count;
	int err = soft->reg_list(vm, vcpu, regs, count);

	if (!err && *count < room)
		regs[*count] = (struct hv_reg){ .id = NEW_ID, .scope = HV_SCOPE_VM, .kind = HV_REG_LEVEL };
	++*count;
	return *count > room ? -E2BIG : err;
}

static int newer_get(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, void *value)
{
	uint64_t v = 0, *more = added(id);
	int err = id == NEW_ID ? 0 : soft->reg_get(vm, vcpu, id, more ? &v : value);

	if (!more || err)
		return err;
	v |= *more;
	memcpy(value, &v, sizeof(v));
	return 0;
}

static int newer_set(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value)
{
	uint64_t v, *more = added(id);

	if (!more)
		return soft->reg_set(vm, vcpu, id, value);
	memcpy(&v, value, sizeof(v));
	if (id == NEW_ID && stuck)
		return -EINVAL;
	*more = v & (id == NEW_ID ? UINT64_MAX : NEW_BITS);
	v &= ~NEW_BITS;
	return id == NEW_ID ? 0 : soft->reg_set(vm, vcpu, id, &v);
}

static struct hv_ops newer_build(void)
{
	struct hv_ops ops;

	soft = backend(0);
	ops = *soft;
	ops.reg_list = newer_list;
	ops.reg_get = newer_get;
	ops.reg_set = newer_set;
	new_isar2 = new_bmap = NEW_BITS;
	new_id = 1;
	stuck = false;
	return ops;
}

static const struct hv_model *model(const char *name)
{
	const struct hv_model *m = NULL;

	for (unsigned i = 0; (m = hv_model_at(i)) && strcmp(m->name, name); i++)
		;
	assert_non_null(m);
	return m;
}

static struct hv_block_buf of_model(const char *name) { return block_of(HV_ATTR_MODEL, model(name)->id); }

/* The features of @vm as the golden file has them: name or id, value, a line each. */
static void dump(struct hv_vm *vm, char *text, size_t bytes)
{
	struct hv_reg *regs;
	unsigned count;

	text[0] = 0;
	assert_int_equal(hv_reg_list_new(vm, NULL, &regs, &count), 0);
	for (unsigned i = 0; i < count; i++) {
		size_t at = strlen(text);
		const char *name = hv_reg_name(regs[i].id);

		if (regs[i].kind != HV_REG_PLAIN)
			snprintf(text + at, bytes - at, "%-24s0x%016llx\n", name ? name : "?",
				 (unsigned long long)reg1(vm, regs[i].id));
	}
	free(regs);
}

static void read_golden(const char *name, char *text, size_t bytes)
{
	char path[128], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "tests/golden/model-%s.txt", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s is missing: every named model has one", path);
	text[0] = 0;
	while (fgets(line, sizeof(line), f))
		if (line[0] != '#')
			snprintf(text + strlen(text), bytes - strlen(text), "%s", line);
	fclose(f);
}

static void F4_a_named_model_is_what_its_golden_dump_says(void **state)
{
	const struct hv_model *m;
	unsigned named = 0;

	(void)state;
	for (unsigned i = 0; (m = hv_model_at(i)); i++) {
		char want[8192], got[8192];
		struct hv_block_buf b = block_of(HV_ATTR_MODEL, m->id);
		struct hv_env env;
		struct hv_vm *vm;

		if (!strcmp(m->name, "max"))
			continue;
		named++;
		env = new_env();
		vm = finished(backend(0), &env, &b.block);
		dump(vm, got, sizeof(got));
		read_golden(m->name, want, sizeof(want));
		assert_string_equal(got, want);
		hv_destroy(vm);
		free_env(&env);
	}
	assert_true(named > 0);
}

static void F4_ids_and_names_of_models_are_never_reused(void **state)
{
	static const struct {
		uint32_t id;
		const char *name;
	} golden[] = { { 63, "max" }, { 1, "v1" } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(golden); i++)
		assert_int_equal(model(golden[i].name)->id, golden[i].id);
	/* Whoever appends a model adds it above. */
	assert_null(hv_model_at(ARRAY_SIZE(golden)));
}

static void F4_a_later_build_does_not_change_a_named_model(void **state)
{
	struct hv_ops newer = newer_build();
	struct hv_block_buf b = of_model("v1");
	struct hv_env env = new_env();
	struct hv_vm *vm = finished(&newer, &env, &b.block);
	uint64_t more = 1 | NEW_BITS;

	(void)state;
	assert_int_equal(reg1(vm, ISAR2), 0);
	assert_int_equal(reg1(vm, STD_BMAP), 1);
	assert_int_equal(reg1(vm, NEW_ID), 0);
	/* And nobody can turn on later what the model does not have. */
	new_vcpu(vm, 0);
	assert_int_equal(hv_reg_set(vm, NULL, STD_BMAP, &more), -EINVAL);
	hv_destroy(vm);
	free_env(&env);
}

static void F4_E5_max_is_the_default_and_has_everything_a_later_build_has(void **state)
{
	struct hv_ops newer = newer_build();
	struct hv_env env = new_env();
	struct hv_vm *vm = finished(&newer, &env, NULL);

	(void)state;
	assert_int_equal(get1(vm, HV_ATTR_MODEL), model("max")->id);
	assert_int_equal(reg1(vm, ISAR2), NEW_BITS);
	assert_int_equal(reg1(vm, STD_BMAP), 1 | NEW_BITS);
	assert_int_equal(reg1(vm, NEW_ID), 1);
	hv_destroy(vm);
	free_env(&env);
}

static void F4_C6_a_model_that_is_refused_names_what_is_missing_and_another_may_be_chosen(void **state)
{
	struct hv_ops newer = newer_build();
	struct hv_block_buf b = of_model("v1");
	struct hv_env env = new_env();
	struct hv_vm *vm;
	struct said s;
	int err;

	(void)state;
	stuck = true;
	vm = create(&newer, &env, &b.block);
	said_begin(&s);
	err = hv_finish(vm);
	said_end(&s);
	assert_int_equal(err, -ENOTSUP);
	assert_non_null(strstr(s.text, "--model=v1"));
	assert_non_null(
		strstr(s.text,
		       "here: not in the model, so to be read as zero: ID_AA64MMFR4_EL1.PoPS is 1 and cannot be 0;"));
	assert_non_null(strstr(s.text, "use --model=max"));
	/* Half-created as before: nothing but configuration, then a finish that works. */
	assert_int_equal(hv_mem_unmap(vm, 0), -EPERM);
	assert_int_equal(set1(vm, HV_ATTR_MODEL, HV_ATTR_MAX), 0);
	assert_int_equal(hv_finish(vm), 0);
	new_vcpu(vm, 0);
	hv_destroy(vm);
	free_env(&env);
}

static void F4_a_backend_that_lacks_registers_is_told_which(void **state)
{
	struct hv_block_buf b = of_model("v1");
	const struct hv_ops *ops = backend(1);
	struct hv_env env = new_env();
	struct hv_vm *vm = create(ops, &env, &b.block);
	struct said s;
	int err;

	(void)state;
	said_begin(&s);
	err = hv_finish(vm);
	assert_says(&s, "ID_AA64PFR0_EL1 is not there");
	assert_int_equal(err, -ENOTSUP);
	hv_destroy(vm);
	free_env(&env);
	/* One that cannot write features has only max to choose. */
	fake.caps &= ~(UINT64_C(1) << HV_CAP_MODEL);
	said_begin(&s);
	err = try_create(ops, &b.block);
	assert_says(&s, "--model=v1: hypervisor fake has model max");
	assert_int_equal(err, -EINVAL);
}

static void F4_attributes_decide_their_own_fields_in_every_model(void **state)
{
	struct hv_block_buf b = of_model("v1");
	struct hv_env env = new_env();
	struct hv_vm *vm;

	(void)state;
	add(&b, HV_ATTR_PAUTH, 1);
	add(&b, HV_ATTR_IPA_BITS, 48);
	vm = finished(backend(0), &env, &b.block);
	assert_int_equal(reg1(vm, REG_ID_SYS(REG_ENC(3, 0, 0, 7, 0))) & 0xf, 5);      /* PARange: 48 bits */
	assert_int_equal(reg1(vm, REG_ID_SYS(REG_ENC(3, 0, 0, 6, 1))) >> 8 & 0xf, 1); /* API */
	hv_destroy(vm);
	free_env(&env);
}

static void E7_every_feature_register_is_negotiable_by_the_same_rules(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = finished(backend(0), &env, NULL);
	unsigned count, seen = 0;
	struct hv_reg *regs;

	(void)state;
	new_vcpu(vm, 0);
	assert_int_equal(hv_reg_list_new(vm, NULL, &regs, &count), 0);
	for (unsigned i = 0; i < count; i++) {
		uint64_t full, v;

		if (regs[i].kind == HV_REG_PLAIN)
			continue;
		seen++;
		full = reg1(vm, regs[i].id);
		assert_int_equal(hv_reg_set(vm, NULL, regs[i].id, &full), 0);
		/* More of any field or bit is refused and changes nothing; what is accepted is read back. */
		for (unsigned bit = 0; bit < 64; bit++) {
			int err;

			v = full ^ UINT64_C(1) << bit;
			err = hv_reg_set(vm, NULL, regs[i].id, &v);
			assert_true(!err || err == -EINVAL);
			assert_true(reg1(vm, regs[i].id) == (err ? full : v) || hv_reg_bytes(regs[i].id) < 8);
			if (!err)
				assert_int_equal(hv_reg_set(vm, NULL, regs[i].id, &full), 0);
		}
	}
	assert_true(seen >= 20);
	free(regs);
	hv_destroy(vm);
	free_env(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(F4_a_named_model_is_what_its_golden_dump_says),
		cmocka_unit_test(F4_ids_and_names_of_models_are_never_reused),
		cmocka_unit_test(F4_a_later_build_does_not_change_a_named_model),
		cmocka_unit_test(F4_E5_max_is_the_default_and_has_everything_a_later_build_has),
		cmocka_unit_test(F4_C6_a_model_that_is_refused_names_what_is_missing_and_another_may_be_chosen),
		cmocka_unit_test(F4_a_backend_that_lacks_registers_is_told_which),
		cmocka_unit_test(F4_attributes_decide_their_own_fields_in_every_model),
		cmocka_unit_test(E7_every_feature_register_is_negotiable_by_the_same_rules),
	};

	return cmocka_run_group_tests_name("src/hv/model", tests, NULL, NULL);
}
