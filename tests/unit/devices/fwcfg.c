/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <endian.h>
#include <spec/board.h>
#include <spec/fwcfg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vmm/firmware.h>
#include <vmm/log.h>
#include <vmm/mem.h>
#include "vm.h"

#define RAM_BYTES (2 * MIB)
#define RAM_END   (BOARD_RAM_BASE + RAM_BYTES)
#define AT        (BOARD_RAM_BASE + 0x1000) /* access structures */
#define TO        (BOARD_RAM_BASE + 0x2000)
#define ABSENT    0x7777

struct board {
	struct vm *vm;
	struct mem *mem;
	struct firmware firmware;
	int kernel;
	char kernel_path[40];
};

static const char kernel[] = "not much of a kernel";

static int setup(void **state)
{
	struct board *b = calloc(1, sizeof(*b));

	b->kernel = memfd_create("kernel", 0);
	assert_int_equal(write(b->kernel, kernel, sizeof(kernel)), sizeof(kernel));
	snprintf(b->kernel_path, sizeof(b->kernel_path), "/proc/self/fd/%d", b->kernel);
	b->firmware = (struct firmware){ .vars = -1, .kernel = b->kernel_path, .cmdline = "quiet" };
	b->mem = mem_new();
	assert_int_equal(mem_add_ram(b->mem, "ram", gpa(BOARD_RAM_BASE), RAM_BYTES), 0);
	assert_int_equal(mem_add_rom(b->mem, "rom", gpa(0), 64 * KIB), 0);
	b->vm = fake_vm_with(b->mem, &b->firmware);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = *state;

	fake_vm_free(b->vm);
	mem_free(b->mem);
	close(b->kernel);
	free(b);
	return 0;
}

static enum bus_result poke(struct board *b, unsigned reg, unsigned size, uint64_t value)
{
	return bus_access(b->vm->bus, gpa(BOARD_FWCFG_BASE + reg), size, &value, true);
}

static uint64_t peek(struct board *b, unsigned reg, unsigned size)
{
	uint64_t value = 0;

	assert_int_equal(bus_access(b->vm->bus, gpa(BOARD_FWCFG_BASE + reg), size, &value, false), BUS_OK);
	return value;
}

static void choose(struct board *b, uint16_t item)
{
	assert_int_equal(poke(b, FWCFG_SELECTOR, 2, htobe16(item)), BUS_OK);
}

struct access {
	uint32_t control, length;
	uint64_t address;
};

/* What the device makes of the access structure's control, which was at AT. */
static uint32_t dma(struct board *b, uint32_t control, uint32_t length, uint64_t address)
{
	struct access a = { htobe32(control), htobe32(length), htobe64(address) };

	assert_int_equal(mem_write(b->mem, gpa(AT), &a, sizeof(a)), 0);
	assert_int_equal(poke(b, FWCFG_DMA, 8, htobe64(AT)), BUS_OK);
	assert_int_equal(mem_read(b->mem, gpa(AT), &a, sizeof(a)), 0);
	return be32toh(a.control);
}

static const char *at_to(struct board *b) { return mem_ptr(b->mem, gpa(TO), 64); }

static void bytes_come_in_their_order_at_any_width(void **state)
{
	struct board *b = *state;
	uint64_t v;

	choose(b, FWCFG_SIGNATURE);
	v = peek(b, FWCFG_DATA, 4);
	assert_memory_equal(&v, "QEMU", 4);
	choose(b, FWCFG_KERNEL);
	v = peek(b, FWCFG_DATA, 1);
	assert_memory_equal(&v, "n", 1);
	v = peek(b, FWCFG_DATA, 2);
	assert_memory_equal(&v, "ot", 2);
	v = peek(b, FWCFG_DATA, 8);
	assert_memory_equal(&v, " much of", 8);
	v = peek(b, FWCFG_DATA, 4);
	assert_memory_equal(&v, " a k", 4);
}

static void beyond_the_end_and_in_what_is_absent_are_zeroes(void **state)
{
	struct board *b = *state;

	choose(b, FWCFG_SIGNATURE);
	peek(b, FWCFG_DATA, 2);
	assert_int_equal(peek(b, FWCFG_DATA, 4), 'M' | 'U' << 8);
	assert_int_equal(peek(b, FWCFG_DATA, 8), 0);
	choose(b, ABSENT);
	assert_int_equal(peek(b, FWCFG_DATA, 4), 0);
	choose(b, FWCFG_DIRECTORY);
	assert_int_equal(peek(b, FWCFG_DATA, 4), 0); /* no files */
}

static void it_says_that_it_has_dma(void **state)
{
	struct board *b = *state;
	uint64_t v = peek(b, FWCFG_DMA, 8);

	assert_memory_equal(&v, "QEMU CFG", 8);
	v = peek(b, FWCFG_DMA + 4, 4);
	assert_memory_equal(&v, " CFG", 4);
	choose(b, FWCFG_ID);
	assert_int_equal(peek(b, FWCFG_DATA, 4), FWCFG_ID_TRADITIONAL | FWCFG_ID_DMA);
}

static void dma_selects_skips_and_reads(void **state)
{
	struct board *b = *state;

	assert_int_equal(dma(b, (uint32_t)FWCFG_KERNEL << 16 | FWCFG_DMA_SELECT | FWCFG_DMA_SKIP, 4, 0), 0);
	memset(mem_ptr(b->mem, gpa(TO), 64), 0x55, 64);
	assert_int_equal(dma(b, FWCFG_DMA_READ, 4, TO), 0);
	assert_memory_equal(at_to(b), "muchUUUU", 8);
	assert_int_equal(dma(b, FWCFG_DMA_READ, 40, TO), 0);
	assert_memory_equal(at_to(b), " of a kernel\0\0\0\0", 16);
	assert_int_equal(at_to(b)[39], 0);
	assert_int_equal(at_to(b)[40], 0x55);
	assert_int_equal(dma(b, FWCFG_DMA_READ, 0, 0), 0);
	assert_int_equal(dma(b, FWCFG_DMA_SELECT, 0, 0), 0);
}

static void the_lower_half_of_the_address_starts_it(void **state)
{
	struct board *b = *state;
	struct access a = { htobe32(FWCFG_DMA_SELECT | FWCFG_DMA_READ), htobe32(4), htobe64(TO) };

	assert_int_equal(mem_write(b->mem, gpa(AT), &a, sizeof(a)), 0);
	assert_int_equal(poke(b, FWCFG_DMA, 4, 0), BUS_OK);
	assert_int_equal(poke(b, FWCFG_DMA + 4, 4, htobe32(AT)), BUS_OK);
	assert_memory_equal(at_to(b), "QEMU", 4);
	memset(mem_ptr(b->mem, gpa(TO), 4), 0, 4);
	/* The upper half counts, once. */
	assert_int_equal(poke(b, FWCFG_DMA, 4, htobe32(1)), BUS_OK);
	assert_int_equal(poke(b, FWCFG_DMA + 4, 4, htobe32(AT)), BUS_OK);
	assert_int_equal(at_to(b)[0], 0);
	assert_int_equal(poke(b, FWCFG_DMA + 4, 4, htobe32(AT)), BUS_OK);
	assert_int_equal(mem_write(b->mem, gpa(AT), &a, sizeof(a)), 0);
	assert_int_equal(poke(b, FWCFG_DMA + 4, 4, htobe32(AT)), BUS_OK);
	assert_memory_equal(at_to(b), "QEMU", 4);
}

static void writing_is_refused(void **state)
{
	struct board *b = *state;

	assert_int_equal(dma(b, FWCFG_DMA_SELECT | FWCFG_DMA_WRITE, 4, TO), FWCFG_DMA_ERROR);
	assert_int_equal(poke(b, FWCFG_DATA, 4, 0), BUS_OK);
	choose(b, FWCFG_SIGNATURE);
	assert_int_equal(peek(b, FWCFG_DATA, 1), 'Q');
}

static void what_is_not_memory_is_an_error_and_nothing_moves(void **state)
{
	static const struct {
		uint64_t to;
		uint32_t length;
	} wrong[] = {
		{ BOARD_RAM_BASE - 1, 2 }, { RAM_END - 1, 2 }, { RAM_END, 1 },      { TO, UINT32_MAX },
		{ TO, RAM_BYTES },         { UINT64_MAX, 1 },  { UINT64_MAX, 2 },   { UINT64_MAX - 2, UINT32_MAX },
		{ BOARD_FWCFG_BASE, 4 },   { 0, 4 } /* ROM */, { 64 * KIB - 1, 2 }, { UINT64_C(1) << 63, 4 },
	};
	struct board *b = *state;
	uint8_t *ram = mem_ptr(b->mem, gpa(BOARD_RAM_BASE), RAM_BYTES);

	memset(ram, 0x55, RAM_BYTES);
	choose(b, FWCFG_SIGNATURE);
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(dma(b, FWCFG_DMA_READ, wrong[i].length, wrong[i].to), FWCFG_DMA_ERROR);
	memset(ram + (AT - BOARD_RAM_BASE), 0x55, sizeof(struct access));
	for (uint64_t i = 0; i < RAM_BYTES; i++)
		assert_int_equal(ram[i], 0x55);
	assert_int_equal(peek(b, FWCFG_DATA, 1), 'Q');
}

static void an_access_structure_that_is_not_in_memory_is_said(void **state)
{
	static const uint64_t wrong[] = { BOARD_RAM_BASE - 1, RAM_END - 15,    RAM_END,
					  UINT64_MAX,         UINT64_MAX - 15, 64 * KIB - 8 };
	struct board *b = *state;
	char *said;

	stderr_begin();
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(poke(b, FWCFG_DMA, 8, htobe64(wrong[i])), BUS_OK);
	said = stderr_end();
	assert_non_null(strstr(said, "not in memory"));
	free(said);
}

/* It can be read there, and then the answer has no place. */
static void an_access_structure_in_read_only_memory_stays(void **state)
{
	struct board *b = *state;
	struct access *a = mem_ptr(b->mem, gpa(0x100), sizeof(*a)), before;
	char *said;

	*a = before = (struct access){ htobe32(FWCFG_DMA_SELECT | FWCFG_DMA_READ), htobe32(4), htobe64(TO) };
	stderr_begin();
	assert_int_equal(poke(b, FWCFG_DMA, 8, htobe64(0x100)), BUS_OK);
	said = stderr_end();
	assert_non_null(strstr(said, "read-only"));
	free(said);
	assert_memory_equal(a, &before, sizeof(before));
	assert_memory_equal(at_to(b), "QEMU", 4);
}

static void skipping_has_an_end(void **state)
{
	struct board *b = *state;

	choose(b, FWCFG_SIGNATURE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(dma(b, FWCFG_DMA_SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(peek(b, FWCFG_DATA, 8), 0);
}

static uint64_t number(struct board *b, uint16_t item)
{
	choose(b, item);
	return peek(b, FWCFG_DATA, 8);
}

static void the_kernel_is_handed_over(void **state)
{
	struct board *b = *state;
	uint64_t v;

	assert_int_equal(number(b, FWCFG_KERNEL_BYTES), sizeof(kernel));
	assert_int_equal(number(b, FWCFG_INITRD_BYTES), 0);
	assert_int_equal(number(b, FWCFG_CMDLINE_BYTES), 6);
	v = number(b, FWCFG_CMDLINE);
	assert_string_equal((char *)&v, "quiet");
	/* A file that has become shorter has zeroes where it was. */
	assert_int_equal(ftruncate(b->kernel, 3), 0);
	v = number(b, FWCFG_KERNEL);
	assert_memory_equal(&v, "not\0\0\0\0\0", 8);
}

static void other_accesses_are_refused(void **state)
{
	struct board *b = *state;
	uint64_t v = 0;

	assert_int_equal(poke(b, FWCFG_SELECTOR, 1, 0), BUS_REFUSED);
	assert_int_equal(poke(b, FWCFG_SELECTOR, 4, 0), BUS_REFUSED);
	assert_int_equal(poke(b, FWCFG_SELECTOR + 2, 2, 0), BUS_REFUSED);
	assert_int_equal(poke(b, FWCFG_DMA, 2, 0), BUS_REFUSED);
	assert_int_equal(poke(b, FWCFG_DMA + 2, 4, 0), BUS_REFUSED);
	assert_int_equal(bus_access(b->vm->bus, gpa(BOARD_FWCFG_BASE + FWCFG_SELECTOR), 2, &v, false), BUS_REFUSED);
	assert_int_equal(bus_access(b->vm->bus, gpa(BOARD_FWCFG_BASE + 4), 8, &v, false), BUS_REFUSED);
}

static void any_access_is_survived(void **state)
{
	struct board *b = *state;

	log_set_level(LOG_ERR);
	fake_hammer(b->vm, BOARD_FWCFG_BASE, BOARD_FWCFG_SIZE);
	log_set_level(LOG_INFO);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(bytes_come_in_their_order_at_any_width),
		T(beyond_the_end_and_in_what_is_absent_are_zeroes),
		T(it_says_that_it_has_dma),
		T(dma_selects_skips_and_reads),
		T(the_lower_half_of_the_address_starts_it),
		T(writing_is_refused),
		T(what_is_not_memory_is_an_error_and_nothing_moves),
		T(an_access_structure_that_is_not_in_memory_is_said),
		T(an_access_structure_in_read_only_memory_stays),
		T(skipping_has_an_end),
		T(the_kernel_is_handed_over),
		T(other_accesses_are_refused),
		T(any_access_is_survived),
	};

	return cmocka_run_group_tests_name("fwcfg", tests, NULL, NULL);
}
