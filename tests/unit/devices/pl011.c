/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <spec/board.h>
#include <spec/pl011.h>
#include "vm.h"

#define R(reg)  (BOARD_UART_BASE + (reg))
#define FIFO_ON PL011_LCR_FEN

static void type(struct vm *vm, const char *text) { console_type(vm->console, (const uint8_t *)text, strlen(text)); }

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

static void ids_are_a_primecell_of_revision_1_at_any_width(void **state)
{
	static const uint8_t id[8] = { 0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
	struct vm *vm = *state;
	uint64_t byte;

	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(fake_read(vm, R(PL011_ID) + 4 * i), id[i]);
		assert_int_equal(bus_access(vm->bus, gpa(R(PL011_ID) + 4 * i), 1, &byte, false), BUS_OK);
		assert_int_equal(byte & 0xff, id[i]);
	}
}

static void what_the_guest_sends_reaches_the_console_before_anything_is_enabled(void **state)
{
	struct vm *vm = *state;
	uint8_t kept[8];
	uint64_t c = '!';

	assert_false(fake_read(vm, R(PL011_FR)) & (PL011_FR_TXFF | PL011_FR_BUSY));
	fake_write(vm, R(PL011_DR), 'h');
	fake_write(vm, R(PL011_DR), 'i');
	bus_access(vm->bus, gpa(R(PL011_DR)), 1, &c, true);
	assert_int_equal(console_kept(vm->console, kept, sizeof(kept), NULL), 3);
	assert_memory_equal(kept, "hi!", 3);
}

static void input_waits_in_the_console_when_the_fifo_is_full(void **state)
{
	struct vm *vm = *state;
	char text[101] = "", got[101] = "";

	for (unsigned i = 0; i < 100; i++)
		text[i] = (char)('!' + i % 90);
	fake_write(vm, R(PL011_LCR_H), FIFO_ON);
	type(vm, text);
	assert_true(fake_read(vm, R(PL011_FR)) & PL011_FR_RXFF);
	for (unsigned i = 0; i < 100; i++) {
		assert_false(fake_read(vm, R(PL011_FR)) & PL011_FR_RXFE);
		got[i] = (char)fake_read(vm, R(PL011_DR));
	}
	assert_string_equal(got, text);
	assert_true(fake_read(vm, R(PL011_FR)) & PL011_FR_RXFE);
}

static void without_fifo_one_byte_is_full(void **state)
{
	struct vm *vm = *state;

	type(vm, "ab");
	assert_true(fake_read(vm, R(PL011_FR)) & PL011_FR_RXFF);
	assert_true(fake_read(vm, R(PL011_RIS)) & PL011_INT_RX);
	assert_int_equal(fake_read(vm, R(PL011_DR)), 'a');
	assert_int_equal(fake_read(vm, R(PL011_DR)), 'b');
}

static void receive_interrupt_comes_at_the_trigger_level_timeout_at_one_byte(void **state)
{
	static const unsigned levels[] = { 2, 4, 8, 12, 14 };
	struct vm *vm = *state;

	fake_write(vm, R(PL011_LCR_H), FIFO_ON);
	for (unsigned i = 0; i < 5; i++) {
		fake_write(vm, R(PL011_IFLS), i << 3);
		for (unsigned n = 1; n <= 16; n++) {
			type(vm, "x");
			assert_int_equal(!!(fake_read(vm, R(PL011_RIS)) & PL011_INT_RX), n >= levels[i]);
			assert_true(fake_read(vm, R(PL011_RIS)) & PL011_INT_RT);
		}
		while (!(fake_read(vm, R(PL011_FR)) & PL011_FR_RXFE))
			fake_read(vm, R(PL011_DR));
		assert_false(fake_read(vm, R(PL011_RIS)) & (PL011_INT_RX | PL011_INT_RT));
	}
}

static void interrupt_line_is_the_masked_level(void **state)
{
	struct vm *vm = *state;

	type(vm, "x");
	assert_false(vm->line[BOARD_UART_SPI]);
	fake_write(vm, R(PL011_IMSC), PL011_INT_RX);
	assert_true(vm->line[BOARD_UART_SPI]);
	assert_int_equal(fake_read(vm, R(PL011_MIS)), PL011_INT_RX);
	fake_read(vm, R(PL011_DR));
	assert_false(vm->line[BOARD_UART_SPI]);
	type(vm, "y");
	assert_true(vm->line[BOARD_UART_SPI]);
	fake_write(vm, R(PL011_IMSC), 0);
	assert_false(vm->line[BOARD_UART_SPI]);
}

static void transmit_interrupt_comes_after_sending_not_after_enabling(void **state)
{
	struct vm *vm = *state;

	fake_write(vm, R(PL011_IMSC), PL011_INT_TX);
	assert_false(vm->line[BOARD_UART_SPI]);
	fake_write(vm, R(PL011_DR), 'x');
	assert_true(vm->line[BOARD_UART_SPI]);
	fake_write(vm, R(PL011_ICR), PL011_INT_TX);
	assert_false(vm->line[BOARD_UART_SPI]);
}

/* The accesses of Linux' pl011_hwinit() and pl011_startup(), in order. */
static void linux_opens_the_port(struct vm *vm, char *drained)
{
	fake_write(vm, R(PL011_ICR), 0x7d0);
	fake_write(vm, R(PL011_IMSC), PL011_INT_RX | PL011_INT_RT);
	fake_write(vm, R(PL011_IFLS), PL011_IFLS_RESET);
	fake_write(vm, R(PL011_LCR_H), 0x70);
	fake_write(vm, R(PL011_CR), PL011_CR_UARTEN | PL011_CR_RXE | PL011_CR_TXE);
	fake_write(vm, R(PL011_ICR), PL011_INT_RX | PL011_INT_RT);
	for (unsigned i = 0; i < 32 && !(fake_read(vm, R(PL011_FR)) & PL011_FR_RXFE); i++)
		*drained++ = (char)fake_read(vm, R(PL011_DR));
	*drained = 0;
	fake_write(vm, R(PL011_IMSC), PL011_INT_RX | PL011_INT_RT);
}

static void what_was_typed_before_linux_was_up_is_not_drained_away(void **state)
{
	struct vm *vm = *state;
	char drained[40], got[40] = "";

	type(vm, "early bytes, more than fit");
	linux_opens_the_port(vm, drained);
	assert_string_equal(drained, "");
	assert_true(vm->line[BOARD_UART_SPI]);
	for (unsigned i = 0; !(fake_read(vm, R(PL011_FR)) & PL011_FR_RXFE); i++)
		got[i] = (char)fake_read(vm, R(PL011_DR));
	assert_string_equal(got, "early bytes, more than fit");
}

static void a_guest_that_polls_raw_interrupts_sees_what_was_typed(void **state)
{
	struct vm *vm = *state;
	unsigned looks = 0;

	type(vm, "x");
	fake_write(vm, R(PL011_CR), PL011_CR_UARTEN | PL011_CR_RXE | PL011_CR_TXE);
	fake_write(vm, R(PL011_ICR), PL011_INT_ALL);
	while (!(fake_read(vm, R(PL011_RIS)) & PL011_INT_RX))
		assert_true(++looks < 10);
	assert_int_equal(fake_read(vm, R(PL011_DR)), 'x');
}

static void a_driver_that_clears_before_it_reads_gets_every_byte(void **state)
{
	struct vm *vm = *state;
	unsigned got = 0;

	fake_write(vm, R(PL011_IMSC), PL011_INT_RX);
	fake_write(vm, R(PL011_CR), PL011_CR_UARTEN | PL011_CR_RXE | PL011_CR_TXE);
	type(vm, "12345678");
	for (unsigned i = 0; i < 100 && vm->line[BOARD_UART_SPI]; i++) {
		fake_write(vm, R(PL011_ICR), PL011_INT_ALL);
		while (!(fake_read(vm, R(PL011_FR)) & PL011_FR_RXFE))
			got += fake_read(vm, R(PL011_DR)) == '1' + got;
		type(vm, "");
	}
	for (unsigned i = 0; i < 4; i++) /* as one that polls */
		while (!(fake_read(vm, R(PL011_FR)) & PL011_FR_RXFE))
			got += fake_read(vm, R(PL011_DR)) == '1' + got;
	assert_int_equal(got, 8);
}

static void loopback_returns_what_is_sent_and_overruns(void **state)
{
	struct vm *vm = *state;
	uint8_t kept[4];

	fake_write(vm, R(PL011_CR), PL011_CR_LBE | PL011_CR_RTS);
	assert_int_equal(fake_read(vm, R(PL011_FR)) & (PL011_FR_CTS | PL011_FR_DSR), PL011_FR_CTS);
	fake_write(vm, R(PL011_DR), 'a');
	fake_write(vm, R(PL011_DR), 'b');
	assert_true(fake_read(vm, R(PL011_RIS)) & PL011_INT_OE);
	assert_int_equal(fake_read(vm, R(PL011_DR)) & 0xff, 'a');
	assert_true(fake_read(vm, R(PL011_FR)) & PL011_FR_RXFE);
	assert_int_equal(console_kept(vm->console, kept, sizeof(kept), NULL), 0);
}

static void reset_restores_registers_and_keeps_typed_bytes(void **state)
{
	struct vm *vm = *state;

	fake_write(vm, R(PL011_IMSC), PL011_INT_RX);
	type(vm, "k");
	assert_true(vm->line[BOARD_UART_SPI]);
	devices_reset(&vm->devices);
	assert_false(vm->line[BOARD_UART_SPI]);
	assert_int_equal(fake_read(vm, R(PL011_CR)), PL011_CR_RESET);
	assert_int_equal(fake_read(vm, R(PL011_IFLS)), PL011_IFLS_RESET);
	assert_int_equal(fake_read(vm, R(PL011_IMSC)), 0);
	assert_int_equal(fake_read(vm, R(PL011_DR)), 'k');
}

static void accesses_across_words_and_of_8_bytes_are_refused(void **state)
{
	struct vm *vm = *state;
	uint64_t v = 0;

	assert_int_equal(bus_access(vm->bus, gpa(R(0)), 8, &v, false), BUS_REFUSED);
	assert_int_equal(bus_access(vm->bus, gpa(R(3)), 2, &v, false), BUS_REFUSED);
	assert_int_equal(bus_access(vm->bus, gpa(R(PL011_IMSC + 2)), 2, &v, true), BUS_OK);
}

static void any_access_is_survived(void **state)
{
	struct vm *vm = *state;

	type(vm, "some input that is there to be read");
	fake_hammer(vm, BOARD_UART_BASE, BOARD_UART_SIZE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(ids_are_a_primecell_of_revision_1_at_any_width),
		T(what_the_guest_sends_reaches_the_console_before_anything_is_enabled),
		T(input_waits_in_the_console_when_the_fifo_is_full),
		T(without_fifo_one_byte_is_full),
		T(receive_interrupt_comes_at_the_trigger_level_timeout_at_one_byte),
		T(interrupt_line_is_the_masked_level),
		T(transmit_interrupt_comes_after_sending_not_after_enabling),
		T(what_was_typed_before_linux_was_up_is_not_drained_away),
		T(a_guest_that_polls_raw_interrupts_sees_what_was_typed),
		T(a_driver_that_clears_before_it_reads_gets_every_byte),
		T(loopback_returns_what_is_sent_and_overruns),
		T(reset_restores_registers_and_keeps_typed_bytes),
		T(accesses_across_words_and_of_8_bytes_are_refused),
		T(any_access_is_survived),
	};

	return cmocka_run_group_tests_name("pl011", tests, NULL, NULL);
}
