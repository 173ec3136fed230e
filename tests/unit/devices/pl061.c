/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <spec/board.h>
#include <spec/pl061.h>
#include "vm.h"

#define R(reg)     (BOARD_GPIO_BASE + (reg))
#define DATA(mask) R(PL061_DATA + ((mask) << 2))
#define POWER      8 /* line 3 */

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

static void the_address_masks_data_accesses(void **state)
{
	struct vm *vm = *state;

	fake_write(vm, R(PL061_DIR), 0xff);
	fake_write(vm, DATA(0xff), 0xa5);
	fake_write(vm, DATA(0x0f), 0x3c);
	assert_int_equal(fake_read(vm, DATA(0xff)), 0xac);
	assert_int_equal(fake_read(vm, DATA(0xf0)), 0xa0);
	fake_write(vm, R(PL061_DIR), 0);
	assert_int_equal(fake_read(vm, DATA(0xff)), 0);
}

static void the_power_button_is_pressed_and_released_on_line_3(void **state)
{
	struct vm *vm = *state;

	fake_write(vm, R(PL061_IBE), POWER);
	fake_write(vm, R(PL061_IE), POWER);
	assert_int_equal(devices_power_button(&vm->devices), 0);
	assert_true(vm->line[BOARD_GPIO_SPI]);
	assert_int_equal(fake_read(vm, R(PL061_MIS)), POWER);
	assert_int_equal(fake_read(vm, DATA(0xff)), POWER);
	fake_write(vm, R(PL061_IC), POWER);
	assert_false(vm->line[BOARD_GPIO_SPI]);
	fake_loop_ms(vm->loop, 150);
	assert_true(vm->line[BOARD_GPIO_SPI]);
	assert_int_equal(fake_read(vm, DATA(0xff)), 0);
	assert_int_equal(vm->raised[BOARD_GPIO_SPI], 2);
}

static void a_rising_edge_interrupt_ignores_the_release(void **state)
{
	struct vm *vm = *state;

	fake_write(vm, R(PL061_IEV), POWER);
	fake_write(vm, R(PL061_IE), POWER);
	devices_power_button(&vm->devices);
	fake_write(vm, R(PL061_IC), POWER);
	fake_loop_ms(vm->loop, 150);
	assert_int_equal(vm->raised[BOARD_GPIO_SPI], 1);
}

static void a_level_interrupt_lasts_as_long_as_the_level(void **state)
{
	struct vm *vm = *state;

	fake_write(vm, R(PL061_IS), POWER);
	fake_write(vm, R(PL061_IEV), 0xff);
	fake_write(vm, R(PL061_IE), POWER);
	assert_false(vm->line[BOARD_GPIO_SPI]);
	devices_power_button(&vm->devices);
	fake_write(vm, R(PL061_IC), POWER);
	assert_true(vm->line[BOARD_GPIO_SPI]);
	fake_loop_ms(vm->loop, 150);
	assert_false(vm->line[BOARD_GPIO_SPI]);
}

static void any_access_is_survived(void **state)
{
	struct vm *vm = *state;

	devices_power_button(&vm->devices);
	fake_hammer(vm, BOARD_GPIO_BASE, BOARD_GPIO_SIZE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_address_masks_data_accesses),
		T(the_power_button_is_pressed_and_released_on_line_3),
		T(a_rising_edge_interrupt_ignores_the_release),
		T(a_level_interrupt_lasts_as_long_as_the_level),
		T(any_access_is_survived),
	};

	return cmocka_run_group_tests_name("pl061", tests, NULL, NULL);
}
