/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <spec/board.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmm/firmware.h>
#include <vmm/load.h>
#include <vmm/mem.h>
#include "vm.h"

static char folder[] = "/tmp/vmm-firmware-XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/file", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void make_file(const void *bytes, size_t len, off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

/* It is refused, in a line with these words. */
static void refused(int err, const char *words)
{
	struct mem *m = mem_new();
	struct load l;
	char *said;
	int got;

	stderr_begin();
	got = firmware_load(m, path, &l);
	said = stderr_end();
	assert_int_equal(got, err);
	assert_non_null(strstr(said, "--firmware "));
	if (!strstr(said, words))
		fail_msg("%s", said);
	free(said);
	mem_free(m);
}

static void a_file_is_in_bank_0_and_entered_there(void **state)
{
	struct mem *m = mem_new();
	struct load l;
	char back[9];

	(void)state;
	make_file("firmware", 9, 100000);
	/* Again as after a reset. */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(firmware_load(m, path, &l), 0);
		assert_int_equal(l.entry.v, BOARD_FLASH0_BASE);
		assert_int_equal(l.dtb.v, BOARD_RAM_BASE);
		assert_int_equal(mem_read(m, gpa(BOARD_FLASH0_BASE), back, sizeof(back)), 0);
		assert_string_equal(back, "firmware");
		assert_true(mem_region_at(m, gpa(BOARD_FLASH0_BASE))->readonly);
		assert_int_equal(mem_reset(m), 0);
	}
	mem_free(m);
}

static void what_is_no_firmware_is_named(void **state)
{
	(void)state;
	refused(-ENOENT, "cannot read it");
	make_file("", 0, 0);
	refused(-EINVAL, "is empty");
	make_file("\177ELF", 4, 4096);
	refused(-EINVAL, "ELF");
	make_file("MZ", 2, 4096);
	refused(-EINVAL, "--kernel");
	make_file("QFI\xfb", 4, 4096);
	refused(-EINVAL, "qemu-img convert");
	make_file("\x1f\x8b\x08", 3, 4096);
	refused(-EINVAL, "gzip");
	make_file("x", 1, BOARD_FLASH_SIZE + 1);
	refused(-E2BIG, "64 MiB");
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused(-EINVAL, "not a regular file");
}

static void a_whole_bank_of_firmware_fits(void **state)
{
	struct mem *m = mem_new();
	struct load l;

	(void)state;
	make_file("x", 1, BOARD_FLASH_SIZE);
	assert_int_equal(firmware_load(m, path, &l), 0);
	mem_free(m);
}

static void variables_are_in_a_file_that_is_made(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(firmware_vars_open(path, &fd), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 0);
	close(fd);
}

static int vars_refused(const char *words)
{
	int fd = 0, err;
	char *said;

	stderr_begin();
	err = firmware_vars_open(path, &fd);
	said = stderr_end();
	assert_int_equal(fd, -1);
	if (!strstr(said, words))
		fail_msg("%s", said);
	free(said);
	return err;
}

static void one_vm_has_the_file_at_a_time(void **state)
{
	int first, second;

	(void)state;
	assert_int_equal(firmware_vars_open(path, &first), 0);
	assert_int_equal(vars_refused("another VM uses it"), -EBUSY);
	close(first);
	assert_int_equal(firmware_vars_open(path, &second), 0);
	close(second);
}

static void a_file_that_is_no_bank_is_refused_and_stays(void **state)
{
	struct stat st;

	(void)state;
	make_file("x", 1, BOARD_FLASH_SIZE + 1);
	assert_int_equal(vars_refused("64 MiB"), -E2BIG);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, BOARD_FLASH_SIZE + 1);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(vars_refused("not a regular file"), -EINVAL);
}

static void without_a_name_it_is_memory(void **state)
{
	int a, b;

	(void)state;
	assert_int_equal(firmware_vars_open(NULL, &a), 0);
	assert_int_equal(firmware_vars_open(NULL, &b), 0);
	assert_int_equal(pwrite(a, "x", 1, 0), 1);
	assert_int_equal(lseek(b, 0, SEEK_END), 0);
	close(a);
	close(b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_file_is_in_bank_0_and_entered_there),
		T(what_is_no_firmware_is_named),
		T(a_whole_bank_of_firmware_fits),
		T(variables_are_in_a_file_that_is_made),
		T(one_vm_has_the_file_at_a_time),
		T(a_file_that_is_no_bank_is_refused_and_stays),
		cmocka_unit_test(without_a_name_it_is_memory),
	};

	return cmocka_run_group_tests_name("firmware", tests, NULL, NULL);
}
