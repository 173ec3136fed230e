/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <spec/board.h>
#include <spec/cfi.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmm/firmware.h>
#include <vmm/mem.h>
#include "vm.h"

#define BLOCK   (256 * KIB)
#define READY   (CFI_STATUS_READY * 0x10001u)
#define BOTH(x) ((x)*0x10001u)

/* A VM with firmware whose variables are in a memory file; the file outlives the VM. */
struct board {
	struct vm *vm;
	struct mem *mem;
	struct firmware firmware;
};

static void power_on(struct board *b)
{
	static const char text[] = "firmware in flash";
	int fd = memfd_create("firmware", 0);

	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	b->mem = mem_new();
	assert_int_equal(mem_add_rom(b->mem, "flash0", gpa(BOARD_FLASH0_BASE), BOARD_FLASH_SIZE), 0);
	assert_int_equal(mem_load_file(b->mem, gpa(BOARD_FLASH0_BASE), fd, 0, sizeof(text)), 0);
	b->vm = fake_vm_with(b->mem, &b->firmware);
	close(fd);
}

static void power_off(struct board *b)
{
	fake_vm_free(b->vm);
	mem_free(b->mem);
}

static int setup(void **state)
{
	struct board *b = calloc(1, sizeof(*b));

	b->firmware.vars = memfd_create("vars", MFD_ALLOW_SEALING);
	assert_true(b->firmware.vars >= 0);
	power_on(b);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct board *b = *state;

	power_off(b);
	close(b->firmware.vars);
	free(b);
	return 0;
}

static uint32_t vars_read(struct board *b, uint64_t at) { return fake_read(b->vm, BOARD_FLASH1_BASE + at); }

static void vars_write(struct board *b, uint64_t at, uint32_t v) { fake_write(b->vm, BOARD_FLASH1_BASE + at, v); }

static uint32_t status(struct board *b)
{
	vars_write(b, 0, BOTH(CFI_READ_STATUS));
	return vars_read(b, 0);
}

static void program(struct board *b, uint64_t at, uint32_t value)
{
	vars_write(b, at, BOTH(CFI_PROGRAM));
	vars_write(b, at, value);
}

static void erase(struct board *b, uint64_t at)
{
	vars_write(b, at, BOTH(CFI_ERASE));
	vars_write(b, at, BOTH(CFI_CONFIRM));
}

static uint32_t array(struct board *b, uint64_t at)
{
	vars_write(b, 0, BOTH(CFI_READ_ARRAY));
	return vars_read(b, at);
}

/* As EDK2 does it: status of the block, count, words, confirmation. */
static void buffer(struct board *b, uint64_t at, unsigned words, uint32_t first)
{
	vars_write(b, at, BOTH(CFI_BUFFER));
	assert_int_equal(vars_read(b, at) & READY, READY);
	vars_write(b, at, BOTH(words - 1));
	for (unsigned i = 0; i < words; i++)
		vars_write(b, at + 4 * i, first + i);
	vars_write(b, at & ~(BLOCK - 1), BOTH(CFI_CONFIRM));
}

static void what_was_never_written_is_erased(void **state)
{
	struct board *b = *state;
	uint64_t value = 0;

	assert_int_equal(vars_read(b, 0), UINT32_MAX);
	assert_int_equal(vars_read(b, BOARD_FLASH_SIZE - 4), UINT32_MAX);
	assert_int_equal(bus_access(b->vm->bus, gpa(BOARD_FLASH1_BASE + 3), 8, &value, false), BUS_OK);
	assert_int_equal(value, UINT64_MAX);
	assert_int_equal(lseek(b->firmware.vars, 0, SEEK_END), 0);
}

static unsigned query(struct board *b, unsigned word)
{
	uint32_t both = vars_read(b, 4 * word);

	assert_int_equal(both >> 16, both & 0xffff);
	return both & 0xffff;
}

static void the_query_tells_both_chips_alike_what_they_are(void **state)
{
	struct board *b = *state;

	vars_write(b, 0x55 * 4, BOTH(CFI_QUERY));
	assert_int_equal(query(b, CFI_QRY), 'Q');
	assert_int_equal(query(b, CFI_QRY + 1), 'R');
	assert_int_equal(query(b, CFI_QRY + 2), 'Y');
	assert_int_equal(query(b, CFI_COMMAND_SET), CFI_COMMAND_SET_INTEL);
	assert_int_equal(query(b, query(b, CFI_EXTENDED)), 'P');
	assert_int_equal(UINT64_C(2) << query(b, CFI_SIZE), BOARD_FLASH_SIZE);
	assert_int_equal(query(b, CFI_REGIONS), 1);
	assert_int_equal((query(b, CFI_BLOCKS) + 1) * BLOCK, BOARD_FLASH_SIZE);
	assert_int_equal((query(b, CFI_BLOCK_BYTES) | query(b, CFI_BLOCK_BYTES + 1) << 8) * 256 * 2, BLOCK);
	assert_int_equal(2 << query(b, CFI_BUFFER_BYTES), 32 * 4);
	vars_write(b, 0, BOTH(CFI_READ_ID));
	assert_int_equal(vars_read(b, 4 * CFI_ID_MAKER), BOTH(CFI_MAKER_INTEL));
	assert_int_equal(vars_read(b, BLOCK + 4 * CFI_ID_LOCK), 0);
	assert_int_equal(fake_read(b->vm, BOARD_FLASH1_BASE), BOTH(CFI_MAKER_INTEL));
}

static void programming_clears_bits_and_sets_none(void **state)
{
	struct board *b = *state;

	program(b, 0x1000, 0x12345678);
	assert_int_equal(status(b), READY);
	assert_int_equal(array(b, 0x1000), 0x12345678);
	program(b, 0x1000, 0xff00ff00);
	assert_int_equal(status(b), READY);
	assert_int_equal(array(b, 0x1000), 0x12005600);
	assert_int_equal(array(b, 0xffc), UINT32_MAX);
	assert_int_equal(array(b, 0x1004), UINT32_MAX);
}

/* U-Boot's width. */
static void half_words_are_programmed_where_they_are(void **state)
{
	struct board *b = *state;
	uint64_t value = CFI_PROGRAM;

	assert_int_equal(bus_access(b->vm->bus, gpa(BOARD_FLASH1_BASE + 6), 2, &value, true), BUS_OK);
	value = 0xabcd;
	assert_int_equal(bus_access(b->vm->bus, gpa(BOARD_FLASH1_BASE + 6), 2, &value, true), BUS_OK);
	assert_int_equal(array(b, 4), 0xabcdffff);
}

static void a_buffer_is_programmed_when_it_is_confirmed(void **state)
{
	struct board *b = *state;

	buffer(b, BLOCK + 128, 32, 0x40000000);
	assert_int_equal(status(b), READY);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(array(b, BLOCK + 128 + 4 * i), 0x40000000 + i);
	assert_int_equal(array(b, BLOCK + 124), UINT32_MAX);
	assert_int_equal(array(b, BLOCK + 256), UINT32_MAX);

	vars_write(b, 0, BOTH(CFI_BUFFER));
	vars_write(b, 0, BOTH(0));
	vars_write(b, 0, 0);
	vars_write(b, 0, BOTH(CFI_READ_ARRAY)); /* instead */
	assert_int_equal(status(b), READY | BOTH(CFI_STATUS_SEQUENCE));
	assert_int_equal(array(b, 0), UINT32_MAX);
}

static void a_buffer_holds_32_words_of_one_block(void **state)
{
	struct board *b = *state;

	vars_write(b, 0, BOTH(CFI_BUFFER));
	vars_write(b, 0, BOTH(32));
	assert_int_equal(status(b), READY | BOTH(CFI_STATUS_SEQUENCE));
	vars_write(b, 0, BOTH(CFI_CLEAR_STATUS));
	assert_int_equal(status(b), READY);

	vars_write(b, BLOCK, BOTH(CFI_BUFFER));
	vars_write(b, BLOCK, BOTH(1));
	vars_write(b, BLOCK, 0);
	vars_write(b, 2 * BLOCK, 0);
	assert_int_equal(status(b), READY | BOTH(CFI_STATUS_SEQUENCE));
	assert_int_equal(array(b, BLOCK), UINT32_MAX);
	assert_int_equal(array(b, 2 * BLOCK), UINT32_MAX);
}

static void a_word_does_not_reach_into_the_next_block(void **state)
{
	struct board *b = *state;
	uint64_t value = 0;

	vars_write(b, 0, BOTH(CFI_PROGRAM));
	assert_int_equal(bus_access(b->vm->bus, gpa(BOARD_FLASH1_BASE + BLOCK - 4), 8, &value, true), BUS_OK);
	assert_int_equal(status(b), READY | BOTH(CFI_STATUS_SEQUENCE));
	assert_int_equal(array(b, BLOCK), UINT32_MAX);
}

static void erasing_takes_a_whole_block_and_no_other(void **state)
{
	struct board *b = *state;

	for (unsigned n = 0; n < 3; n++)
		program(b, n * BLOCK + 8, n);
	erase(b, BLOCK + 0x1234);
	assert_int_equal(status(b), READY);
	assert_int_equal(array(b, 8), 0);
	assert_int_equal(array(b, BLOCK + 8), UINT32_MAX);
	assert_int_equal(array(b, 2 * BLOCK + 8), 2);

	vars_write(b, 0, BOTH(CFI_ERASE));
	vars_write(b, 0, BOTH(CFI_READ_ARRAY)); /* instead of the confirmation */
	assert_int_equal(status(b), READY | BOTH(CFI_STATUS_SEQUENCE));
	assert_int_equal(array(b, 8), 0);
}

static void blocks_are_unlocked_as_often_as_one_likes(void **state)
{
	struct board *b = *state;

	vars_write(b, BLOCK, BOTH(CFI_LOCK));
	vars_write(b, BLOCK, BOTH(CFI_LOCK_CLEAR));
	assert_int_equal(status(b), READY);
	vars_write(b, BLOCK, BOTH(CFI_LOCK));
	vars_write(b, BLOCK, BOTH(0x77));
	assert_int_equal(status(b), READY | BOTH(CFI_STATUS_SEQUENCE));
}

static void the_firmwares_own_bank_stays_as_it_is(void **state)
{
	struct board *b = *state;
	uint32_t before = fake_read(b->vm, BOARD_FLASH0_BASE);

	assert_memory_equal(&before, "firm", 4);
	fake_write(b->vm, BOARD_FLASH0_BASE, BOTH(CFI_PROGRAM));
	fake_write(b->vm, BOARD_FLASH0_BASE, 0);
	assert_int_equal(fake_read(b->vm, BOARD_FLASH0_BASE),
			 READY | BOTH(CFI_STATUS_PROGRAM_ERROR | CFI_STATUS_LOCKED));
	fake_write(b->vm, BOARD_FLASH0_BASE, BOTH(CFI_CLEAR_STATUS));
	fake_write(b->vm, BOARD_FLASH0_BASE, BOTH(CFI_ERASE));
	fake_write(b->vm, BOARD_FLASH0_BASE, BOTH(CFI_CONFIRM));
	assert_int_equal(fake_read(b->vm, BOARD_FLASH0_BASE),
			 READY | BOTH(CFI_STATUS_ERASE_ERROR | CFI_STATUS_LOCKED));
	fake_write(b->vm, BOARD_FLASH0_BASE, BOTH(CFI_READ_ID));
	assert_int_equal(fake_read(b->vm, BOARD_FLASH0_BASE + 4 * CFI_ID_LOCK), BOTH(1));
	fake_write(b->vm, BOARD_FLASH0_BASE, BOTH(CFI_READ_ARRAY));
	assert_int_equal(fake_read(b->vm, BOARD_FLASH0_BASE), before);
	assert_int_equal(lseek(b->firmware.vars, 0, SEEK_END), 0);
}

static uint32_t seen(struct board *b, uint64_t at)
{
	uint32_t v = 0;

	assert_int_equal(mem_read(b->mem, gpa(BOARD_FLASH0_BASE + at), &v, sizeof(v)), 0);
	return v;
}

/* A guest whose memory it is reads there, and nobody hears of it. */
static void the_firmwares_own_bank_answers_where_it_is_memory(void **state)
{
	struct board *b = *state;
	uint32_t before = seen(b, 0);

	fake_write(b->vm, BOARD_FLASH0_BASE + 0x55 * 4, BOTH(CFI_QUERY));
	assert_int_equal(seen(b, 4 * CFI_QRY), BOTH('Q'));
	assert_int_equal(seen(b, 4 * CFI_SIZE), BOTH(25));
	assert_int_equal(seen(b, 0x10000), 0); /* the array */
	fake_write(b->vm, BOARD_FLASH0_BASE, BOTH(CFI_READ_ARRAY));
	assert_int_equal(seen(b, 0), before);
	assert_int_equal(seen(b, 4 * CFI_QRY), 0);
	/* One command after the other, of several blocks. */
	fake_write(b->vm, BOARD_FLASH0_BASE, BOTH(CFI_READ_ID));
	assert_int_equal(seen(b, 0), BOTH(CFI_MAKER_INTEL));
	fake_write(b->vm, BOARD_FLASH0_BASE + 3 * BLOCK, BOTH(CFI_READ_ID));
	assert_int_equal(seen(b, 3 * BLOCK + 4 * CFI_ID_LOCK), BOTH(1));
	/* The first half of a block is as locked as the other to who takes them for two. */
	fake_write(b->vm, BOARD_FLASH0_BASE + BLOCK / 2, BOTH(CFI_READ_ID));
	assert_int_equal(seen(b, BLOCK / 2 + 4 * CFI_ID_LOCK), BOTH(1));
	fake_write(b->vm, BOARD_FLASH0_BASE + BOARD_FLASH_SIZE - 4, BOTH(CFI_ERASE));
	fake_write(b->vm, BOARD_FLASH0_BASE + BOARD_FLASH_SIZE - 4, BOTH(CFI_CONFIRM));
	assert_int_equal(seen(b, BOARD_FLASH_SIZE - 4), READY | BOTH(CFI_STATUS_ERASE_ERROR | CFI_STATUS_LOCKED));
	fake_write(b->vm, BOARD_FLASH0_BASE + BLOCK, BOTH(CFI_READ_ARRAY));
	assert_int_equal(seen(b, 0), before);
	assert_int_equal(seen(b, 3 * BLOCK + 4 * CFI_ID_LOCK), 0);
	assert_int_equal(seen(b, BOARD_FLASH_SIZE - 4), 0);
	fake_write(b->vm, BOARD_FLASH0_BASE, BOTH(CFI_READ_STATUS));
	assert_int_equal(seen(b, 0), READY | BOTH(CFI_STATUS_ERASE_ERROR | CFI_STATUS_LOCKED));
	devices_reset(&b->vm->devices);
	assert_int_equal(seen(b, 0), before);
}

static void a_reset_ends_commands_and_keeps_contents(void **state)
{
	struct board *b = *state;

	program(b, 64, 0x600d);
	vars_write(b, 0, BOTH(CFI_ERASE));
	devices_reset(&b->vm->devices);
	assert_int_equal(vars_read(b, 64), 0x600d);
	vars_write(b, 0, BOTH(CFI_CONFIRM));
	assert_int_equal(vars_read(b, 64), 0x600d);
}

static uint32_t in_file(struct board *b, uint64_t at)
{
	uint32_t v = 0x0bad;

	assert_int_equal(pread(b->firmware.vars, &v, sizeof(v), (off_t)at), sizeof(v));
	return v;
}

static void every_change_is_in_the_file_at_once(void **state)
{
	struct board *b = *state;

	program(b, BLOCK + 8, 0x11223344);
	assert_int_equal(lseek(b->firmware.vars, 0, SEEK_END), 2 * BLOCK);
	assert_int_equal(in_file(b, BLOCK + 8), 0x11223344);
	assert_int_equal(in_file(b, 8), UINT32_MAX);
	buffer(b, 256, 4, 7);
	assert_int_equal(in_file(b, 256 + 12), 10);
	erase(b, BLOCK);
	assert_int_equal(in_file(b, BLOCK + 8), UINT32_MAX);
	assert_int_equal(in_file(b, 256), 7);
}

static void the_file_is_what_the_next_run_has(void **state)
{
	struct board *b = *state;

	program(b, 3 * BLOCK, 0xcafe);
	program(b, 3 * BLOCK + 4, 0x11112222);
	power_off(b);
	/* Not a whole number of blocks: what is missing is erased. */
	assert_int_equal(ftruncate(b->firmware.vars, 3 * BLOCK + 6), 0);
	power_on(b);
	assert_int_equal(vars_read(b, 3 * BLOCK), 0xcafe);
	assert_int_equal(vars_read(b, 3 * BLOCK + 4), 0xffff2222);
	program(b, 3 * BLOCK + 16, 5);
	assert_int_equal(lseek(b->firmware.vars, 0, SEEK_END), 4 * BLOCK);
	assert_int_equal(in_file(b, 3 * BLOCK + 4), 0xffff2222);
	assert_int_equal(in_file(b, 3 * BLOCK + 16), 5);
}

static void a_file_that_takes_no_more_is_the_firmwares_to_know(void **state)
{
	struct board *b = *state;
	char *said;

	program(b, 0, 1);
	assert_int_equal(fcntl(b->firmware.vars, F_ADD_SEALS, F_SEAL_GROW), 0);
	stderr_begin();
	program(b, BLOCK, 2);
	said = stderr_end();
	assert_non_null(strstr(said, "--firmware-vars: cannot write it"));
	free(said);
	assert_int_equal(status(b), READY | BOTH(CFI_STATUS_PROGRAM_ERROR));
	assert_int_equal(array(b, BLOCK), UINT32_MAX);
	vars_write(b, 0, BOTH(CFI_CLEAR_STATUS));
	program(b, 4, 3);
	assert_int_equal(status(b), READY);
	assert_int_equal(in_file(b, 4), 3);
}

static void without_a_file_it_is_a_flash_all_the_same(void **state)
{
	const struct firmware none = { .vars = -1 };
	struct board b = { .vm = fake_vm_with(NULL, &none) };

	(void)state;
	program(&b, 4, 0x1234);
	assert_int_equal(array(&b, 4), 0x1234);
	erase(&b, 4);
	assert_int_equal(array(&b, 4), UINT32_MAX);
	assert_int_equal(fake_read(b.vm, BOARD_FLASH0_BASE), UINT32_MAX);
	fake_vm_free(b.vm);
}

static void read_often(struct board *b, uint64_t at)
{
	for (unsigned i = 0; i < 16; i++)
		vars_read(b, at);
}

static void what_is_only_read_becomes_memory(void **state)
{
	struct board *b = *state;
	const uint8_t *host;

	b->vm->has_read_from = true;
	vars_read(b, 0);
	assert_int_equal(b->vm->read_from.bytes, 0);
	read_often(b, 0);
	assert_int_equal(b->vm->read_from.addr, BOARD_FLASH1_BASE);
	assert_int_equal(b->vm->read_from.bytes, 4 * BLOCK);
	host = b->vm->read_from.host;
	assert_int_equal(host[0], 0xff);
	assert_int_equal(host[4 * BLOCK - 1], 0xff);
	/* Any command ends it before it has an effect. */
	vars_write(b, 0, BOTH(CFI_READ_STATUS));
	assert_int_equal(b->vm->read_from.bytes, 0);
	read_often(b, 0);
	assert_int_equal(b->vm->read_from.bytes, 0);
	program(b, 5 * BLOCK + 1, 0x12);
	vars_write(b, 0, BOTH(CFI_READ_ARRAY));
	read_often(b, 0);
	assert_int_equal(b->vm->read_from.bytes, 6 * BLOCK);
	host = b->vm->read_from.host;
	assert_int_equal(host[5 * BLOCK + 1], 0x12);
	assert_int_equal(host[6 * BLOCK - 1], 0xff);
	power_off(b);
	power_on(b);
	assert_int_equal(vars_read(b, 5 * BLOCK) >> 8 & 0xff, 0x12);
}

static void a_hypervisor_that_cannot_is_asked_once(void **state)
{
	struct board *b = *state;

	read_often(b, 0);
	read_often(b, 0);
	assert_int_equal(b->vm->read_from.calls, 1);
	assert_int_equal(vars_read(b, 0), UINT32_MAX);
}

static void only_boards_with_firmware_have_one(void **state)
{
	struct vm *vm = fake_vm_new();

	(void)state;
	assert_null(bus_find(vm->bus, gpa(BOARD_FLASH0_BASE)));
	assert_null(bus_find(vm->bus, gpa(BOARD_FLASH1_BASE)));
	assert_null(bus_find(vm->bus, gpa(BOARD_FWCFG_BASE)));
	fake_vm_free(vm);
}

static void any_access_is_survived(void **state)
{
	struct board *b = *state;

	fake_hammer(b->vm, BOARD_FLASH0_BASE, BOARD_FLASH_SIZE);
	fake_hammer(b->vm, BOARD_FLASH1_BASE, 4 * BLOCK);
	fake_hammer(b->vm, BOARD_FLASH1_BASE + BOARD_FLASH_SIZE - 64, 64);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_was_never_written_is_erased),
		T(the_query_tells_both_chips_alike_what_they_are),
		T(programming_clears_bits_and_sets_none),
		T(half_words_are_programmed_where_they_are),
		T(a_buffer_is_programmed_when_it_is_confirmed),
		T(a_buffer_holds_32_words_of_one_block),
		T(a_word_does_not_reach_into_the_next_block),
		T(erasing_takes_a_whole_block_and_no_other),
		T(blocks_are_unlocked_as_often_as_one_likes),
		T(the_firmwares_own_bank_stays_as_it_is),
		T(the_firmwares_own_bank_answers_where_it_is_memory),
		T(a_reset_ends_commands_and_keeps_contents),
		T(every_change_is_in_the_file_at_once),
		T(the_file_is_what_the_next_run_has),
		T(a_file_that_takes_no_more_is_the_firmwares_to_know),
		T(what_is_only_read_becomes_memory),
		T(a_hypervisor_that_cannot_is_asked_once),
		cmocka_unit_test(without_a_file_it_is_a_flash_all_the_same),
		cmocka_unit_test(only_boards_with_firmware_have_one),
		T(any_access_is_survived),
	};

	return cmocka_run_group_tests_name("flash", tests, NULL, NULL);
}
