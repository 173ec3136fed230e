/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <spec/board.h>
#include <spec/pvpanic.h>
#include "vm.h"

static int setup(void **state)
{
	*state = fake_vm_new();
	return 0;
}

static int teardown(void **state)
{
	fake_vm_free(*state);
	return 0;
}

static void event(struct vm *vm, uint64_t bits)
{
	assert_int_equal(bus_access(vm->bus, gpa(BOARD_PVPANIC_BASE), 1, &bits, true), BUS_OK);
}

static void offers_both_events(void **state)
{
	struct vm *vm = *state;
	uint64_t v = 0;

	assert_int_equal(bus_access(vm->bus, gpa(BOARD_PVPANIC_BASE), 1, &v, false), BUS_OK);
	assert_int_equal(v & 0xff, PVPANIC_PANICKED | PVPANIC_CRASHLOADED);
}

static void a_panic_is_told_a_crash_kernel_and_nonsense_are_not(void **state)
{
	struct vm *vm = *state;

	event(vm, 0);
	event(vm, 0xf0);
	event(vm, PVPANIC_CRASHLOADED);
	assert_int_equal(vm->panics, 0);
	event(vm, PVPANIC_PANICKED);
	assert_int_equal(vm->panics, 1);
}

static void any_access_is_survived(void **state) { fake_hammer(*state, BOARD_PVPANIC_BASE, BOARD_PVPANIC_SIZE); }

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(offers_both_events),
		T(a_panic_is_told_a_crash_kernel_and_nonsense_are_not),
		T(any_access_is_survived),
	};

	return cmocka_run_group_tests_name("pvpanic", tests, NULL, NULL);
}
