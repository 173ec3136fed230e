/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <spec/virtio-pmem.h>
#include "driver.h"

struct fixture {
	char path[32], options[100];
	int fd;
	struct driver *d;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/vmm-pmem-XXXXXX");
	f->fd = mkstemp(f->path);
	assert_true(f->fd >= 0);
	assert_int_equal(ftruncate(f->fd, 4 * MIB), 0);
	assert_int_equal(pwrite(f->fd, "first", 5, 0), 5);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->d)
		driver_free(f->d);
	close(f->fd);
	unlink(f->path);
	free(f);
	return 0;
}

static struct driver *open_device(struct fixture *f, const char *more)
{
	snprintf(f->options, sizeof(f->options), "virtio-pmem,%s%s", f->path, more);
	return driver_new(f->options);
}

static void refused(struct fixture *f, const char *more, const char *why)
{
	char *said;

	stderr_begin();
	assert_null(open_device(f, more));
	said = stderr_end();
	if (!strstr(said, why))
		fail_msg("wanted \"%s\", said \"%s\"", why, said);
	free(said);
}

static uint64_t config(struct driver *d, unsigned offset)
{
	return driver_reg(d, VIRTIO_MMIO_CONFIG + offset) | (uint64_t)driver_reg(d, VIRTIO_MMIO_CONFIG + offset + 4)
								    << 32;
}

static void the_file_is_memory_above_ram(void **state)
{
	struct fixture *f = *state;
	const struct mem_region *r;
	char got[8] = "";
	uint64_t at;

	f->d = open_device(f, "");
	at = config(f->d, 0);
	assert_true(at >= DRIVER_RAM + DRIVER_RAM_BYTES);
	assert_int_equal(at % (512 * MIB), 0);
	assert_int_equal(config(f->d, 8), 4 * MIB);
	r = mem_region_at(f->d->mem, gpa(at));
	assert_false(r->ram || r->readonly);
	assert_string_equal(driver_ptr(f->d, at), "first");
	memcpy(driver_ptr(f->d, at), "other", 5);
	assert_int_equal(pread(f->fd, got, 5, 0), 5);
	assert_string_equal(got, "other");
	assert_int_equal(mem_reset(f->d->mem), 0);
	assert_string_equal(driver_ptr(f->d, at), "other");
	assert_int_equal(mem_discard(f->d->mem, gpa(at), 4096), -EINVAL);
}

static void read_only_it_is_shared_and_stays_as_it_is(void **state)
{
	struct fixture *f = *state;
	struct driver *other;
	uint64_t at;

	assert_int_equal(ftruncate(f->fd, 4 * MIB + 5), 0);
	chmod(f->path, 0444);
	f->d = open_device(f, ",readonly=on");
	other = open_device(f, ",readonly");
	assert_non_null(other);
	at = config(f->d, 0);
	assert_int_equal(config(f->d, 8), 6 * MIB);
	assert_true(mem_region_at(f->d->mem, gpa(at))->readonly);
	assert_int_equal(mem_write(f->d->mem, gpa(at), "x", 1), -EFAULT);
	assert_string_equal(driver_ptr(other, at), "first");
	assert_int_equal(*(uint64_t *)driver_ptr(f->d, at + 6 * MIB - 8), 0);
	driver_free(other);
}

static void one_writer_and_nobody_else(void **state)
{
	struct fixture *f = *state;

	f->d = open_device(f, "");
	assert_non_null(f->d);
	refused(f, "", "is in use already");
	refused(f, ",readonly=on", "somebody writes it");
}

static void wrong_files_are_refused(void **state)
{
	struct fixture *f = *state;

	refused(f, "x", "No such file");
	assert_int_equal(ftruncate(f->fd, 4 * MIB + 1), 0);
	refused(f, "", "truncate -s 6M");
	assert_int_equal(ftruncate(f->fd, 0), 0);
	refused(f, "", "is empty");
	assert_int_equal(ftruncate(f->fd, INT64_C(1) << 41), 0);
	refused(f, ",readonly=on", "no room for 2 TiB");
	stderr_begin();
	assert_null(driver_new("virtio-pmem"));
	assert_null(driver_new("virtio-pmem,/dev/null"));
	assert_null(driver_new("virtio-pmem,/tmp,readonly"));
	free(stderr_end());
}

static void request(struct driver *d, uint32_t type, uint32_t out, uint32_t *ret_at)
{
	uint64_t at = driver_alloc(d, 8);

	*(uint32_t *)driver_ptr(d, at) = type;
	*(uint32_t *)driver_ptr(d, at + 4) = 77;
	driver_add(d, 0, at, out, at + 4, 4);
	driver_notify(d, 0);
	*ret_at = (uint32_t)(at + 4);
}

static uint32_t answer(struct driver *d, uint32_t ret_at)
{
	uint32_t len = 0;

	for (unsigned i = 0; i < 500; i++) {
		if (driver_done(d, 0, NULL, &len)) {
			assert_int_equal(len, 4);
			return *(uint32_t *)driver_ptr(d, ret_at);
		}
		fake_loop_ms(d->vm.loop, 10);
	}
	fail_msg("no answer");
	return 0;
}

static void flushes_are_answered_together_or_one_by_one(void **state)
{
	struct fixture *f = *state;
	uint32_t at[5];

	f->d = open_device(f, "");
	driver_start(f->d, 0);
	request(f->d, VIRTIO_PMEM_REQ_TYPE_FLUSH, 4, &at[0]);
	assert_int_equal(answer(f->d, at[0]), VIRTIO_PMEM_RESP_TYPE_OK);
	for (unsigned i = 0; i < 5; i++)
		request(f->d, VIRTIO_PMEM_REQ_TYPE_FLUSH, 4, &at[i]);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(answer(f->d, at[i]), VIRTIO_PMEM_RESP_TYPE_OK);
	assert_false(driver_done(f->d, 0, NULL, NULL));
}

/* The host's disk, which fails or not. The linker puts this in the way of the real one. */
static atomic_bool disk_fails;
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int __wrap_fdatasync(int fd)
{
	if (!atomic_load(&disk_fails))
		return __real_fdatasync(fd);
	errno = EIO;
	return -1;
}

static void flush(struct driver *d, uint32_t wanted)
{
	uint32_t at;

	request(d, VIRTIO_PMEM_REQ_TYPE_FLUSH, 4, &at);
	assert_int_equal(answer(d, at), wanted);
}

/* To the guest each time, to the user when it begins. */
static void a_flush_that_fails_is_told(void **state)
{
	struct fixture *f = *state;
	unsigned times = 0;
	char *said;

	f->d = open_device(f, "");
	driver_start(f->d, 0);
	stderr_begin();
	for (unsigned round = 0; round < 2; round++) {
		atomic_store(&disk_fails, true);
		for (unsigned i = 0; i < 3; i++)
			flush(f->d, VIRTIO_PMEM_RESP_TYPE_EIO);
		atomic_store(&disk_fails, false);
		flush(f->d, VIRTIO_PMEM_RESP_TYPE_OK);
	}
	said = stderr_end();
	for (const char *p = said; (p = strstr(p, "may be lost: Input/output error")); p++)
		times++;
	assert_int_equal(times, 2);
	free(said);
}

static void what_is_no_flush_is_an_error(void **state)
{
	struct fixture *f = *state;
	uint32_t at;

	f->d = open_device(f, ",readonly=on");
	driver_start(f->d, 0);
	request(f->d, VIRTIO_PMEM_REQ_TYPE_FLUSH, 4, &at);
	assert_int_equal(answer(f->d, at), VIRTIO_PMEM_RESP_TYPE_OK);
	stderr_begin();
	request(f->d, 1, 4, &at);
	assert_int_equal(answer(f->d, at), VIRTIO_PMEM_RESP_TYPE_EIO);
	request(f->d, VIRTIO_PMEM_REQ_TYPE_FLUSH, 3, &at);
	free(stderr_end());
	assert_int_equal(answer(f->d, at), VIRTIO_PMEM_RESP_TYPE_EIO);
	assert_false(driver_broken(f->d));
}

/* The answer to a flush from before a reset must not be one to a later one. */
static void a_reset_forgets_who_asked(void **state)
{
	struct fixture *f = *state;
	uint32_t at;

	f->d = open_device(f, "");
	for (unsigned i = 0; i < 20; i++) {
		driver_start(f->d, 0);
		request(f->d, VIRTIO_PMEM_REQ_TYPE_FLUSH, 4, &at);
		request(f->d, VIRTIO_PMEM_REQ_TYPE_FLUSH, 4, &at);
	}
	driver_start(f->d, 0);
	request(f->d, VIRTIO_PMEM_REQ_TYPE_FLUSH, 4, &at);
	assert_int_equal(answer(f->d, at), VIRTIO_PMEM_RESP_TYPE_OK);
	fake_loop_ms(f->d->vm.loop, 20);
	assert_false(driver_done(f->d, 0, NULL, NULL));
}

static void any_access_is_survived(void **state)
{
	struct fixture *f = *state;

	f->d = open_device(f, "");
	stderr_begin();
	fake_hammer(&f->d->vm, f->d->base, 0x200);
	free(stderr_end());
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_file_is_memory_above_ram),
		T(read_only_it_is_shared_and_stays_as_it_is),
		T(one_writer_and_nobody_else),
		T(wrong_files_are_refused),
		T(flushes_are_answered_together_or_one_by_one),
		T(a_flush_that_fails_is_told),
		T(what_is_no_flush_is_an_error),
		T(a_reset_forgets_who_asked),
		T(any_access_is_survived),
	};

	return cmocka_run_group_tests_name("virtio-pmem", tests, NULL, NULL);
}
