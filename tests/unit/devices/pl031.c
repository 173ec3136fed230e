/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>
#include <spec/board.h>
#include <spec/pl031.h>
#include "vm.h"

#define R(reg) (BOARD_RTC_BASE + (reg))

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

static void reads_the_hosts_time_of_day(void **state)
{
	uint32_t t = fake_read(*state, R(PL031_DR));

	assert_in_range((uint32_t)time(NULL) - t, 0, 1);
	assert_int_equal(fake_read(*state, R(PL031_CR)), 1);
}

static void time_can_be_set_and_survives_a_reset(void **state)
{
	struct vm *vm = *state;

	fake_write(vm, R(PL031_LR), 1000);
	assert_in_range(fake_read(vm, R(PL031_DR)), 1000, 1001);
	assert_int_equal(fake_read(vm, R(PL031_LR)), 1000);
	devices_reset(&vm->devices);
	assert_in_range(fake_read(vm, R(PL031_DR)), 1000, 1001);
	assert_int_equal(fake_read(vm, R(PL031_LR)), 0);
}

static void ids_can_be_read_by_bytes(void **state)
{
	static const uint8_t id[8] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
	struct vm *vm = *state;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t byte = 0;

		assert_int_equal(bus_access(vm->bus, gpa(R(PL031_ID) + 4 * i), 1, &byte, false), BUS_OK);
		assert_int_equal(byte & 0xff, id[i]);
	}
}

static void alarm_raises_the_line_when_the_second_comes(void **state)
{
	struct vm *vm = *state;

	fake_write(vm, R(PL031_IMSC), 1);
	fake_write(vm, R(PL031_MR), fake_read(vm, R(PL031_DR)) + 1);
	assert_false(vm->line[BOARD_RTC_SPI]);
	fake_loop_ms(vm->loop, 1100);
	assert_true(vm->line[BOARD_RTC_SPI]);
	assert_int_equal(fake_read(vm, R(PL031_MIS)), 1);
	fake_write(vm, R(PL031_ICR), 1);
	assert_false(vm->line[BOARD_RTC_SPI]);
}

static void alarm_for_now_comes_now_and_one_for_later_does_not(void **state)
{
	struct vm *vm = *state;

	fake_write(vm, R(PL031_LR), 5000);
	fake_write(vm, R(PL031_MR), 5000 + 100);
	assert_int_equal(fake_read(vm, R(PL031_RIS)), 0);
	fake_write(vm, R(PL031_LR), 6000);
	fake_write(vm, R(PL031_MR), 6000);
	assert_int_equal(fake_read(vm, R(PL031_RIS)), 1);
	assert_false(vm->line[BOARD_RTC_SPI]); /* masked */
}

/* The host's clock, and how much it has been set by: the linker puts this in the way of the real one. */
static int64_t set_by;
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	int err = __real_clock_gettime(clock, t);

	if (clock == CLOCK_REALTIME)
		t->tv_sec += set_by;
	return err;
}

static void the_hosts_clock_may_be_set(void **state)
{
	struct vm *vm = *state;
	uint32_t before = fake_read(vm, R(PL031_DR));

	fake_write(vm, R(PL031_IMSC), 1);
	fake_write(vm, R(PL031_MR), before + 1000);
	set_by = -500;
	assert_in_range(fake_read(vm, R(PL031_DR)), before - 500, before - 498);
	fake_loop_ms(vm->loop, 1100);
	assert_false(vm->line[BOARD_RTC_SPI]);
	set_by = 2000; /* or it has slept so long: the alarm is overdue */
	fake_loop_ms(vm->loop, 1100);
	assert_true(vm->line[BOARD_RTC_SPI]);
	set_by = 0;
	/* One for what has been comes round after 136 years, however often somebody looks. */
	fake_write(vm, R(PL031_ICR), 1);
	fake_write(vm, R(PL031_MR), before - 1000);
	fake_loop_ms(vm->loop, 2200);
	assert_false(vm->line[BOARD_RTC_SPI]);
}

static void any_access_is_survived(void **state) { fake_hammer(*state, BOARD_RTC_BASE, BOARD_RTC_SIZE); }

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_the_hosts_time_of_day),
		T(time_can_be_set_and_survives_a_reset),
		T(ids_can_be_read_by_bytes),
		T(alarm_raises_the_line_when_the_second_comes),
		T(alarm_for_now_comes_now_and_one_for_later_does_not),
		T(the_hosts_clock_may_be_set),
		T(any_access_is_survived),
	};

	return cmocka_run_group_tests_name("pl031", tests, NULL, NULL);
}
