/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <vmm/err.h>
#include <vmm/mem.h>

static struct mem *two_regions(void)
{
	struct mem *m = mem_new();

	assert_int_equal(mem_add_ram(m, "high", gpa(0x40400000), 4 * MIB), 0);
	assert_int_equal(mem_add_ram(m, "low", gpa(0x40000000), 4 * MIB), 0);
	return m;
}

static void regions_are_sorted_and_never_overlap(void **state)
{
	struct mem *m = two_regions();
	unsigned count;
	const struct mem_region *r = mem_regions(m, &count);

	(void)state;
	assert_int_equal(count, 2);
	assert_string_equal(r[0].name, "low");
	assert_string_equal(r[1].name, "high");
	assert_int_equal((uintptr_t)r[0].host % (2 * MIB), 0);
	assert_int_equal(mem_add_ram(m, "x", gpa(0x40200000), 2 * MIB), -EEXIST);
	assert_int_equal(mem_add_ram(m, "x", gpa(0x3fe00000), 4 * MIB), -EEXIST);
	assert_int_equal(mem_add_ram(m, "x", gpa(0x50000000), MIB), -EINVAL);
	assert_int_equal(mem_add_ram(m, "x", gpa(0x50100000), 2 * MIB), -EINVAL);
	assert_int_equal(mem_add_ram(m, "x", gpa(0x50000000), 0), -EINVAL);
	assert_int_equal(mem_add_ram(m, "x", gpa(UINT64_MAX - 2 * MIB + 1), 4 * MIB), -EINVAL);
	assert_int_equal(mem_add_ram(m, "x", gpa(0x40800000), 2 * MIB), 0);
	mem_free(m);
}

static void read_only_memory_is_loaded_but_not_written(void **state)
{
	static const char text[] = "firmware";
	int fd = memfd_create("rom", 0);
	struct mem *m = two_regions();
	char back[sizeof(text)];

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	assert_int_equal(mem_add_rom(m, "rom", gpa(0), 64 * KIB), 0);
	assert_true(mem_region_at(m, gpa(0))->readonly);
	assert_false(mem_region_at(m, gpa(0))->ram);
	assert_int_equal(mem_load_file(m, gpa(0), fd, 0, sizeof(text)), 0);
	assert_int_equal(mem_write(m, gpa(4), "x", 1), -EFAULT);
	assert_int_equal(mem_read(m, gpa(0), back, sizeof(back)), 0);
	assert_string_equal(back, text);
	close(fd);
	mem_free(m);
}

static void shared_memory_is_whole_pages_of_the_host_and_not_ram(void **state)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	struct mem *m = two_regions();
	const struct mem_region *r;

	(void)state;
	assert_int_equal(mem_add_shared(m, "records", gpa(0x90a0000), 65), 0);
	r = mem_region_at(m, gpa(0x90a0000));
	assert_non_null(r);
	assert_false(r->ram);
	assert_int_equal(r->bytes, page);
	assert_non_null(mem_ptr(m, gpa(0x90a0000), page));
	assert_null(mem_ptr(m, gpa(0x90a0000), page + 1));
	assert_true(mem_region_at(m, gpa(0x40000000))->ram);
	assert_int_equal(mem_add_shared(m, "x", gpa(0x90a0000 - page), page + 1), -EEXIST);
	assert_int_equal(mem_add_shared(m, "x", gpa(0x403f0000), page), -EEXIST);
	assert_int_equal(mem_add_shared(m, "x", gpa(0x9000800), page), -EINVAL);
	assert_int_equal(mem_add_shared(m, "x", gpa(0x9000000), 0), -EINVAL);
	assert_int_equal(mem_add_shared(m, "x", gpa(0x9000000), UINT64_MAX), -EINVAL);
	mem_free(m);
}

static void a_pointer_is_given_only_if_every_byte_is_memory(void **state)
{
	struct mem *m = two_regions();
	const struct mem_region *r;
	unsigned count;

	(void)state;
	r = mem_regions(m, &count);
	assert_ptr_equal(mem_ptr(m, gpa(0x40000000), 1), r[0].host);
	assert_ptr_equal(mem_ptr(m, gpa(0x407fffff), 1), r[1].host + 4 * MIB - 1);
	assert_null(mem_ptr(m, gpa(0x407fffff), 2));
	assert_null(mem_ptr(m, gpa(0x3fffffff), 2));
	assert_null(mem_ptr(m, gpa(0x40000000), 0));
	assert_null(mem_ptr(m, gpa(0x40000010), UINT64_MAX));
	assert_null(mem_ptr(m, gpa(UINT64_MAX), 2));
	/* Neighbours in the guest are not neighbours in the host. */
	assert_null(mem_ptr(m, gpa(0x403ffffc), 8));
	mem_free(m);
}

static void a_copy_crosses_regions_and_does_all_or_nothing(void **state)
{
	struct mem *m = two_regions();
	uint64_t out = UINT64_C(0x1122334455667788), in = 0;
	uint32_t last = 0;

	(void)state;
	assert_int_equal(mem_write(m, gpa(0x403ffffc), &out, 8), 0);
	assert_int_equal(mem_read(m, gpa(0x403ffffc), &in, 8), 0);
	assert_true(in == out);
	assert_int_equal(mem_write(m, gpa(0x407ffffc), &out, 8), -EFAULT);
	assert_int_equal(mem_read(m, gpa(0x407ffffc), &last, 4), 0);
	assert_int_equal(last, 0);
	assert_int_equal(mem_read(m, gpa(0x407ffffc), &in, 8), -EFAULT);
	assert_int_equal(mem_read(m, gpa(0), &in, 0), 0);
	mem_free(m);
}

/* A file whose byte at offset o is a hash of o. */
static uint8_t file_byte(uint64_t o) { return (uint8_t)(o * 2654435761u >> 13); }

static int make_file(size_t bytes)
{
	int fd = memfd_create("image", MFD_CLOEXEC);
	uint8_t *p = malloc(bytes);

	for (size_t i = 0; i < bytes; i++)
		p[i] = file_byte(i);
	assert_int_equal(write(fd, p, bytes), (ssize_t)bytes);
	free(p);
	return fd;
}

static void a_file_is_the_same_bytes_mapped_or_read(void **state)
{
	static const struct {
		uint64_t addr, offset, len;
	} row[] = {
		{ 0x40000000, 0, 100000 },     /* pages agree */
		{ 0x40000123, 0x123, 100000 }, /* agree, with a head */
		{ 0x40000123, 0x124, 100000 }, /* do not agree */
		{ 0x40000fff, 0xfff, 2 },      { 0x40001000, 0x2000, 0x3000 },
		{ 0x40000800, 0x800, 0x1000 }, /* no whole page */
		{ 0x40000000, 0, 1 },
	};
	int fd = make_file(200000);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		struct mem *m = two_regions();
		uint8_t *p;

		assert_int_equal(mem_load_file(m, gpa(row[i].addr), fd, row[i].offset, row[i].len), 0);
		p = mem_ptr(m, gpa(row[i].addr), row[i].len + 1);
		for (uint64_t k = 0; k < row[i].len; k++)
			assert_int_equal(p[k], file_byte(row[i].offset + k));
		assert_int_equal(p[row[i].len], 0);
		/* Private: the guest's writes stay out of the file. */
		p[0] ^= 0xff;
		p[row[i].len - 1] ^= 0xff;
		mem_free(m);
	}
	for (uint64_t k = 0; k < 200000; k += 997) {
		uint8_t b;

		assert_int_equal(pread(fd, &b, 1, (off_t)k), 1);
		assert_int_equal(b, file_byte(k));
	}
	close(fd);
}

static void a_file_outside_memory_or_shorter_than_told_is_refused(void **state)
{
	struct mem *m = two_regions();
	int fd = make_file(5000), dir[2];

	(void)state;
	assert_int_equal(mem_load_file(m, gpa(0x3ffff000), fd, 0, 5000), -EFAULT);
	assert_int_equal(mem_load_file(m, gpa(0x407ff000), fd, 0, 5000), -EFAULT);
	assert_int_equal(mem_load_file(m, gpa(0x40000001), fd, 0, 5001), -EIO);
	assert_int_equal(pipe(dir), 0);
	assert_true(mem_load_file(m, gpa(0x40000000), dir[0], 0, 8192) < 0);
	close(dir[0]);
	close(dir[1]);
	close(fd);
	mem_free(m);
}

static void a_reset_gives_zeroes_at_the_same_host_address(void **state)
{
	struct mem *m = two_regions();
	int fd = make_file(8192);
	uint8_t *p = mem_ptr(m, gpa(0x40000000), 8192), *shared;

	(void)state;
	assert_int_equal(mem_add_shared(m, "records", gpa(0x90a0000), 1), 0);
	shared = mem_ptr(m, gpa(0x90a0000), 1);
	*shared = 1;
	assert_int_equal(mem_load_file(m, gpa(0x40000000), fd, 0, 8192), 0);
	p[1] = 1;
	assert_int_equal(mem_reset(m), 0);
	assert_ptr_equal(mem_ptr(m, gpa(0x40000000), 8192), p);
	assert_ptr_equal(mem_ptr(m, gpa(0x90a0000), 1), shared);
	assert_int_equal(*shared, 0);
	for (unsigned i = 0; i < 8192; i++)
		assert_int_equal(p[i], 0);
	close(fd);
	mem_free(m);
}

/* Reserved is not touched: 64 GiB cost nothing on any machine that runs this. */
static void memory_costs_nothing_until_touched(void **state)
{
	struct mem *m = mem_new();
	unsigned char in_core[16];
	long page = sysconf(_SC_PAGESIZE);

	(void)state;
	assert_int_equal(mem_add_ram(m, "big", gpa(0x40000000), 64 * GIB), 0);
	assert_int_equal(mem_add_shared(m, "records", gpa(0x90a0000), 1), 0);
	assert_int_equal(mincore(mem_ptr(m, gpa(0x90a0000), 1), 1, in_core), 0);
	assert_int_equal(in_core[0] & 1, 0);
	assert_int_equal(mincore(mem_ptr(m, gpa(0x40000000), 1), (size_t)(16 * page), in_core), 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(in_core[i] & 1, 0);
	mem_free(m);
}

/* In a child, whose answer is its exit status: @bytes at @host are not there. */
static bool is_gone_in_a_child(uint8_t *host, size_t bytes)
{
	unsigned char in_core[1];
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	for (size_t at = 0; !pid && at < bytes; at += (size_t)sysconf(_SC_PAGESIZE))
		if (!mincore(host + at, 1, in_core) || errno != ENOMEM)
			_exit(1);
	if (!pid)
		_exit(0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* qemu-aarch64 takes the advice and does nothing. */
static bool host_heeds_dontfork(void)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool gone;

	assert_ptr_not_equal(p, MAP_FAILED);
	*p = 1;
	assert_int_equal(madvise(p, bytes, MADV_DONTFORK), 0);
	gone = is_gone_in_a_child(p, bytes);
	munmap(p, bytes);
	return gone;
}

static void a_child_has_none_of_it_files_included(void **state)
{
	struct mem *m = two_regions();
	uint8_t *p = mem_ptr(m, gpa(0x40000000), 4 * MIB);
	static _Alignas(65536) uint8_t common[1]; /* at the start of a page, however large */
	int fd = make_file(200000);

	(void)state;
	if (!host_heeds_dontfork()) {
		close(fd);
		mem_free(m);
		skip();
	}
	assert_false(is_gone_in_a_child(common, 1));
	assert_true(is_gone_in_a_child(p, 4 * MIB));
	assert_int_equal(mem_load_file(m, gpa(0x40000000), fd, 0, 200000), 0);
	assert_true(is_gone_in_a_child(p, 4 * MIB));
	assert_int_equal(mem_reset(m), 0);
	assert_true(is_gone_in_a_child(p, 4 * MIB));
	close(fd);
	mem_free(m);
}

static void expect_bytes(const uint8_t *p, int value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (p[i] != value)
			fail_msg("0x%x at %zu, not 0x%x", p[i], i, value);
}

/* Dropping the pages of a file that is mapped would bring the file back. */
static void what_is_discarded_reads_as_zero_and_the_rest_is_as_it_was(void **state)
{
	struct mem *m = two_regions();
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint8_t *p = mem_ptr(m, gpa(0x40000000), 4 * MIB);
	int fd = make_file(8 * 65536);

	(void)state;
	assert_int_equal(mem_load_file(m, gpa(0x40010000), fd, 0, 4 * 65536), 0);
	assert_int_equal(mem_load_file(m, gpa(0x40100000), fd, 0, 4 * 65536), 0);
	for (unsigned i = 0; i < 2; i++) {
		memset(p, 0x55, 4 * MIB);
		/* From before the first file into the second one. */
		assert_int_equal(mem_discard(m, gpa(0x40000000 + page - 1), 0x110000 + 2), 0);
		expect_bytes(p, 0x55, page);
		expect_bytes(p + page, 0, 0x110000);
		expect_bytes(p + page + 0x110000, 0x55, 4 * MIB - 0x110000 - page);
	}
	assert_int_equal(mem_discard(m, gpa(0x40000001), page), 0); /* no whole page is in it */
	expect_bytes(p, 0x55, page);
	assert_int_equal(mem_discard(m, gpa(0x40000000), 0), 0);
	assert_int_equal(mem_discard(m, gpa(0x40000000), 4 * MIB + 1), -EINVAL);
	assert_int_equal(mem_discard(m, gpa(0x3ffff000), 8192), -EINVAL);
	assert_int_equal(mem_discard(m, gpa(0x40000000), UINT64_MAX), -EINVAL);
	close(fd);
	mem_free(m);
}

static void a_file_is_memory_above_all_other_and_below_the_limit(void **state)
{
	struct mem *m = two_regions();
	int fd = make_file(3 * MIB);
	gpa_t a, b;

	(void)state;
	mem_limit(m, 0x60000000 + 4 * MIB);
	assert_int_equal(mem_add_file(m, "too much", fd, 5 * MIB, false, &a), -ENOSPC);
	assert_int_equal(mem_add_file(m, "one", fd, 3 * MIB, true, &a), 0);
	assert_int_equal(a.v, 0x60000000);
	assert_int_equal(mem_add_file(m, "two", fd, 3 * MIB, true, &b), -ENOSPC);
	mem_limit(m, UINT64_MAX);
	assert_int_equal(mem_add_file(m, "endless", fd, UINT64_MAX, true, &b), -ENOSPC);
	assert_int_equal(mem_add_file(m, "no file", -1, 2 * MIB, true, &b), -EBADF);
	assert_int_equal(mem_add_file(m, "two", fd, 2 * MIB, true, &b), 0);
	assert_int_equal(b.v, 0x80000000);
	assert_memory_equal(mem_ptr(m, a, 2 * MIB), mem_ptr(m, b, 2 * MIB), 2 * MIB);
	expect_bytes(mem_ptr(m, gpa(a.v + 3 * MIB), MIB), 0, MIB);
	mem_keep_anonymous(m);
	assert_int_equal(mem_add_file(m, "tagged", fd, 2 * MIB, true, &b), -ENOTSUP);
	close(fd);
	mem_free(m);
}

static void memory_that_another_process_has_stays_ours(void **state)
{
	struct mem *m = mem_new();
	const struct mem_region *r;
	char *theirs;
	uint64_t v = 5;

	(void)state;
	mem_share(m);
	assert_int_equal(mem_add_ram(m, "ram", gpa(0x40000000), 4 * MIB), 0);
	r = mem_region_at(m, gpa(0x40000000));
	assert_true(r->shared);
	theirs = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	assert_true(theirs != MAP_FAILED);
	assert_int_equal(mem_write(m, gpa(0x40001000), &v, sizeof(v)), 0);
	assert_memory_equal(theirs + 0x1000, &v, sizeof(v));
	theirs[0x2000] = 7;
	assert_int_equal(*(char *)mem_ptr(m, gpa(0x40002000), 1), 7);
	assert_int_equal(ftruncate(r->fd, 0), -1);
	assert_int_equal(ftruncate(r->fd, 8 * MIB), -1);
	assert_int_equal(fcntl(r->fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(mem_discard(m, gpa(0x40000000), 2 * MIB), 0);
	expect_bytes((uint8_t *)theirs, 0, 2 * MIB);
	theirs[3 * MIB] = 9;
	assert_int_equal(mem_reset(m), 0);
	expect_bytes((uint8_t *)theirs, 0, 4 * MIB);
	munmap(theirs, 4 * MIB);
	mem_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(regions_are_sorted_and_never_overlap),
		cmocka_unit_test(read_only_memory_is_loaded_but_not_written),
		cmocka_unit_test(shared_memory_is_whole_pages_of_the_host_and_not_ram),
		cmocka_unit_test(a_pointer_is_given_only_if_every_byte_is_memory),
		cmocka_unit_test(a_copy_crosses_regions_and_does_all_or_nothing),
		cmocka_unit_test(a_file_is_the_same_bytes_mapped_or_read),
		cmocka_unit_test(a_file_outside_memory_or_shorter_than_told_is_refused),
		cmocka_unit_test(a_reset_gives_zeroes_at_the_same_host_address),
		cmocka_unit_test(memory_costs_nothing_until_touched),
		cmocka_unit_test(a_child_has_none_of_it_files_included),
		cmocka_unit_test(what_is_discarded_reads_as_zero_and_the_rest_is_as_it_was),
		cmocka_unit_test(a_file_is_memory_above_all_other_and_below_the_limit),
		cmocka_unit_test(memory_that_another_process_has_stays_ours),
	};

	return cmocka_run_group_tests_name("src/mem", tests, NULL, NULL);
}
