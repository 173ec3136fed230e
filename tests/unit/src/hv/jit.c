/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wishes about the translator: what they are called, who refuses them, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <vmm/cpu.h>
#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/jit.h>

#include "fake-hv.h"

static const struct {
	struct jit_config jit;
	const char *option;
	bool wants_translator;
} wishes[] = {
	{ { .use = JIT_ON }, "--jit=on", true },
	{ { .use = JIT_OFF }, "--jit=off", false },
	{ { .cache_bytes = MIB }, "--jit-cache-size", true },
	{ { .check = 1 }, "--jit-check", true },
	{ { .perf_map = true }, "--jit-perf", true },
	{ { .fp_strict = true }, "--fp=strict", false },
	{ { .smc_track = true }, "--smc=track", false },
	{ { .count = true }, "--count-insns", false },
};

static void a_wish_is_called_by_its_option(void **state)
{
	(void)state;
	assert_null(jit_wish(&(struct jit_config){ 0 }));
	assert_null(jit_wish_to_translate(&(struct jit_config){ 0 }));
	for (unsigned i = 0; i < ARRAY_SIZE(wishes); i++) {
		const char *wish = jit_wish_to_translate(&wishes[i].jit);

		assert_string_equal(jit_wish(&wishes[i].jit), wishes[i].option);
		assert_int_equal(wish != NULL, wishes[i].wants_translator);
		if (wish)
			assert_string_equal(wish, wishes[i].option);
	}
}

/* 0 and the VM, or an error and one line that has @what. */
static int create_with(const struct hv_ops *ops, const struct jit_config *jit, struct hv_env *env, struct hv_vm **vm,
		       const char *what)
{
	struct said said;
	int err;

	*env = new_env();
	env->jit = jit;
	said_begin(&said);
	err = hv_create_vm2(ops, env, NULL, vm);
	if (err) {
		assert_null(*vm);
		assert_says(&said, what);
	} else {
		assert_string_equal(said_end(&said), "");
	}
	return err;
}

static void who_translates_nothing_refuses_every_wish(void **state)
{
	struct hv_env env;
	struct hv_vm *vm;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(wishes); i++) {
		fake_reset();
		fake.caps &= ~(UINT64_C(1) << HV_CAP_JIT);
		assert_int_equal(create_with(&fake_ops, &wishes[i].jit, &env, &vm, wishes[i].option), -ENOTSUP);
		assert_int_equal(fake.creates, 0);
		free_env(&env);
	}
	assert_int_equal(create_with(&fake_ops, &(struct jit_config){ 0 }, &env, &vm, ""), 0);
	hv_destroy(vm);
	free_env(&env);
}

/* What the software hypervisor does depends on this host; that it says what it does not. */
static void soft_does_what_is_wished_or_refuses_it(void **state)
{
	const struct hv_ops *soft = backend(0);
	char text[80];
	bool can = cpu_translator(text, sizeof(text));
	struct hv_env env;
	struct hv_vm *vm;

	(void)state;
	assert_true(text[0]);
	assert_int_equal(hv_cap(soft, NULL, HV_CAP_JIT), 1);
	assert_int_equal(hv_cap(soft, NULL, HV_CAP_TRANSLATOR), can);
	assert_int_equal(hv_cap(soft, NULL, HV_CAP_INSN_COUNT), 1);
	for (unsigned i = 0; i < ARRAY_SIZE(wishes); i++) {
		const struct jit_config *jit = &wishes[i].jit;
		bool refused = wishes[i].wants_translator && !can;

		assert_int_equal(create_with(soft, jit, &env, &vm, wishes[i].option), refused ? -ENOTSUP : 0);
		if (!refused) {
			bool translates = can && jit->use != JIT_OFF;

			assert_int_equal(hv_cap(soft, vm, HV_CAP_TRANSLATOR), translates);
			assert_int_equal(hv_cap(soft, vm, HV_CAP_INSN_COUNT), !translates || jit->count);
		}
		hv_destroy(vm);
		free_env(&env);
	}
}

static void a_cache_for_no_translator_is_refused(void **state)
{
	const struct jit_config jit = { .use = JIT_OFF, .cache_bytes = MIB };
	struct hv_env env;
	struct hv_vm *vm;

	(void)state;
	assert_int_equal(
		create_with(backend(0), &jit, &env, &vm, "--jit-cache-size: nothing is translated with --jit=off"),
		-EINVAL);
	free_env(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wish_is_called_by_its_option),
		cmocka_unit_test(who_translates_nothing_refuses_every_wish),
		cmocka_unit_test(soft_does_what_is_wished_or_refuses_it),
		cmocka_unit_test(a_cache_for_no_translator_is_refused),
	};

	return cmocka_run_group_tests_name("src/hv/jit", tests, NULL, NULL);
}
