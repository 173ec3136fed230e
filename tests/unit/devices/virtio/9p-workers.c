/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-9p behind its ring: what takes long is done by others, and is over before a reset is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spec/9p.h>
#include "driver.h"

int __real_fsync(int fd);
int __wrap_fsync(int fd);
ssize_t __real_pwritev(int fd, const struct iovec *iov, int count, off_t offset);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int count, off_t offset);

/* A disk that takes its time: syncs and writes that are synchronous begin and do not end as long as it is stuck. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t goes_on;
	bool stuck;
	pthread_t ring; /* is not kept, which would be for ever: its answers come too soon instead */
	unsigned begun;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER, .goes_on = PTHREAD_COND_INITIALIZER };

static void wait_for_disk(void)
{
	pthread_mutex_lock(&disk.lock);
	disk.begun++;
	while (disk.stuck && !pthread_equal(disk.ring, pthread_self()))
		pthread_cond_wait(&disk.goes_on, &disk.lock);
	pthread_mutex_unlock(&disk.lock);
}

int __wrap_fsync(int fd)
{
	wait_for_disk();
	return __real_fsync(fd);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	if (fcntl(fd, F_GETFL) & O_DSYNC)
		wait_for_disk();
	return __real_pwritev(fd, iov, count, offset);
}

static void set_disk_stuck(bool stuck)
{
	pthread_mutex_lock(&disk.lock);
	disk.stuck = stuck;
	disk.ring = pthread_self();
	disk.begun = 0;
	pthread_cond_broadcast(&disk.goes_on);
	pthread_mutex_unlock(&disk.lock);
}

static unsigned syncs_begun(void)
{
	unsigned n;

	pthread_mutex_lock(&disk.lock);
	n = disk.begun;
	pthread_mutex_unlock(&disk.lock);
	return n;
}

#define FILE_BYTES (1 * MIB)
#define IN_BYTES   (128 * KIB)

struct fixture {
	char dir[32], file[48], options[80];
	struct driver *d;
	uint64_t out, in;
	struct {
		uint64_t in;
		uint16_t tag;
	} sent[DRIVER_ENTRIES];
	uint16_t next_tag;
};

/* A message of @words behind the header. Returns its tag. */
static uint16_t send_words(struct fixture *f, uint8_t type, const void *body, uint32_t bytes)
{
	unsigned slot = f->next_tag % 8, id;
	uint64_t out = f->out + slot * 4096, in = f->in + slot * IN_BYTES;
	uint8_t *p = driver_ptr(f->d, out);
	uint32_t size = P9_HEADER_BYTES + bytes;
	uint16_t tag = f->next_tag++;

	memcpy(p, &size, 4);
	p[4] = type;
	memcpy(p + 5, &tag, 2);
	memcpy(p + 7, body, bytes);
	id = driver_add(f->d, 0, out, size, in, IN_BYTES);
	f->sent[id].in = in;
	f->sent[id].tag = tag;
	driver_notify(f->d, 0);
	return tag;
}

/* The next answer; its tag is checked against the request's. NULL: none within @ms. */
static const uint8_t *receive(struct fixture *f, uint8_t type, uint16_t *tag, unsigned ms)
{
	uint32_t written;
	unsigned id;
	const uint8_t *p;

	while (!driver_done(f->d, 0, &id, &written)) {
		if (!ms--)
			return NULL;
		fake_loop_ms(f->d->vm.loop, 1);
	}
	p = driver_ptr(f->d, f->sent[id].in);
	assert_memory_equal(p, &written, 4);
	assert_memory_equal(p + 5, &f->sent[id].tag, 2);
	assert_int_equal(p[4], type);
	if (tag)
		*tag = f->sent[id].tag;
	return p + P9_HEADER_BYTES;
}

static void begin(struct fixture *f)
{
	static const uint8_t version[] = "\0\0\2\0\x08\0" P9_VERSION;
	static const uint8_t attach[] = "\1\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0";
	static const uint8_t walk[] = "\1\0\0\0\2\0\0\0\1\0\4\0file";
	static const uint8_t open_it[] = "\2\0\0\0\2\0\0";

	driver_start(f->d, UINT64_C(1) << VIRTIO_9P_MOUNT_TAG);
	f->out = driver_alloc(f->d, 8 * 4096);
	f->in = driver_alloc(f->d, 8 * IN_BYTES);
	send_words(f, P9_TVERSION, version, sizeof(version) - 1);
	assert_non_null(receive(f, P9_TVERSION + 1, NULL, 0));
	send_words(f, P9_TATTACH, attach, sizeof(attach));
	assert_non_null(receive(f, P9_TATTACH + 1, NULL, 0));
	send_words(f, P9_TWALK, walk, sizeof(walk) - 1);
	assert_non_null(receive(f, P9_TWALK + 1, NULL, 0));
	send_words(f, P9_TLOPEN, open_it, sizeof(open_it));
	assert_non_null(receive(f, P9_TLOPEN + 1, NULL, 0));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	uint8_t *bytes = malloc(FILE_BYTES);
	int fd;

	/* Not in memory, so that there is something to wait for. */
	strcpy(f->dir, "/var/tmp/vmm-9p-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->file, sizeof(f->file), "%s/file", f->dir);
	for (unsigned i = 0; i < FILE_BYTES; i++)
		bytes[i] = (uint8_t)(i >> 8 ^ i);
	fd = open(f->file, O_CREAT | O_WRONLY, 0644);
	assert_int_equal(write(fd, bytes, FILE_BYTES), FILE_BYTES);
	close(fd);
	free(bytes);
	snprintf(f->options, sizeof(f->options), "virtio-9p,dir=%s", f->dir);
	f->d = driver_new(f->options);
	assert_non_null(f->d);
	begin(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	set_disk_stuck(false);
	driver_free(f->d);
	unlink(f->file);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static uint16_t send_fsync(struct fixture *f) { return send_words(f, P9_TFSYNC, "\2\0\0\0\0\0\0", 8); }

static uint16_t send_read(struct fixture *f, uint64_t offset, uint32_t count)
{
	struct {
		uint32_t fid;
		uint64_t offset;
		uint32_t count;
	} __attribute__((packed)) body = { 2, offset, count };

	return send_words(f, P9_TREAD, &body, sizeof(body));
}

static void reads_back(const uint8_t *p, uint64_t offset, uint32_t least)
{
	uint32_t count;

	assert_non_null(p);
	memcpy(&count, p, 4);
	assert_in_range(count, least, 65536);
	for (uint32_t i = 0; i < count; i++)
		if (p[4 + i] != (uint8_t)((offset + i) >> 8 ^ (offset + i)))
			fail_msg("byte %u", i);
}

static void what_the_host_has_in_memory_is_answered_at_once(void **state)
{
	struct fixture *f = *state;

	send_read(f, 4096, 65536);
	reads_back(receive(f, P9_TREAD + 1, NULL, 0), 4096, 65536);
}

static void what_it_has_not_comes_later(void **state)
{
	struct fixture *f = *state;
	int fd = open(f->file, O_RDONLY);

	fsync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
	for (unsigned i = 0; i < 4; i++)
		send_read(f, i * 65536, 65536);
	for (unsigned i = 0; i < 4; i++) {
		uint16_t tag, first = (uint16_t)(f->next_tag - 4);

		const uint8_t *p = receive(f, P9_TREAD + 1, &tag, 5000);

		reads_back(p, (uint64_t)(tag - first) * 65536, 1);
	}
}

static void a_sync_keeps_nobody_else_waiting(void **state)
{
	struct fixture *f = *state;
	uint16_t sync = send_fsync(f), tag;

	/* The ring's thread does not wait for it, so this is there before the loop has run. */
	send_read(f, 0, 100);
	reads_back(receive(f, P9_TREAD + 1, NULL, 0), 0, 100);
	assert_non_null(receive(f, P9_TFSYNC + 1, &tag, 5000));
	assert_int_equal(tag, sync);
}

static void a_synchronous_write_keeps_nobody_else_waiting(void **state)
{
	static const uint8_t walk[] = "\1\0\0\0\3\0\0\0\1\0\4\0file";
	static const uint8_t open_it[] = "\3\0\0\0\2\x10\0";
	static const uint8_t write_it[] = "\3\0\0\0\0\0\0\0\0\0\0\0\4\0\0\0data";
	struct fixture *f = *state;
	const uint8_t *p;

	_Static_assert(P9_L_DSYNC == 0x1000, "as in open_it");
	send_words(f, P9_TWALK, walk, sizeof(walk) - 1);
	assert_non_null(receive(f, P9_TWALK + 1, NULL, 0));
	send_words(f, P9_TLOPEN, open_it, sizeof(open_it));
	assert_non_null(receive(f, P9_TLOPEN + 1, NULL, 0));
	set_disk_stuck(true);
	send_words(f, P9_TWRITE, write_it, sizeof(write_it) - 1);
	send_read(f, 4096, 100);
	reads_back(receive(f, P9_TREAD + 1, NULL, 0), 4096, 100);
	set_disk_stuck(false);
	p = receive(f, P9_TWRITE + 1, NULL, 5000);
	assert_non_null(p);
	assert_memory_equal(p, "\4\0\0\0", 4);
	send_read(f, 0, 4);
	p = receive(f, P9_TREAD + 1, NULL, 5000);
	assert_non_null(p);
	assert_memory_equal(p, "\4\0\0\0data", 8);
}

/* However soon the second comes behind the first: one worker is there by then, and has not looked yet. */
static void two_syncs_are_under_way_together(void **state)
{
	struct fixture *f = *state;

	send_fsync(f);
	assert_non_null(receive(f, P9_TFSYNC + 1, NULL, 5000));
	set_disk_stuck(true);
	send_fsync(f);
	send_fsync(f);
	for (unsigned i = 0; syncs_begun() < 2; i++) {
		assert_true(i < 5000);
		usleep(1000);
	}
	set_disk_stuck(false);
	for (unsigned i = 0; i < 2; i++)
		assert_non_null(receive(f, P9_TFSYNC + 1, NULL, 5000));
}

static void a_flush_is_answered_after_what_it_flushes(void **state)
{
	struct fixture *f = *state;
	uint16_t sync = send_fsync(f), tag;

	send_words(f, P9_TFLUSH, &sync, 2);
	assert_non_null(receive(f, P9_TFSYNC + 1, &tag, 5000));
	assert_int_equal(tag, sync);
	assert_non_null(receive(f, P9_TFLUSH + 1, NULL, 0));
	/* Of what is over, at once. */
	send_words(f, P9_TFLUSH, &sync, 2);
	assert_non_null(receive(f, P9_TFLUSH + 1, NULL, 0));
}

/* The answer to a later one stands for the earlier ones, too: none may come behind it. (Plan 9, flush(5)) */
static void flushes_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	uint16_t sync = send_fsync(f), flush[3], tag;

	for (unsigned i = 0; i < ARRAY_SIZE(flush); i++)
		flush[i] = send_words(f, P9_TFLUSH, &sync, 2);
	assert_non_null(receive(f, P9_TFSYNC + 1, NULL, 5000));
	for (unsigned i = 0; i < ARRAY_SIZE(flush); i++) {
		assert_non_null(receive(f, P9_TFLUSH + 1, &tag, 0));
		assert_int_equal(tag, flush[i]);
	}
}

static void after_a_reset_nothing_is_under_way(void **state)
{
	struct fixture *f = *state;

	for (unsigned round = 0; round < 20; round++) {
		uint64_t in = f->in;

		for (unsigned i = 0; i < 6; i++)
			send_fsync(f);
		driver_set_reg(f->d, VIRTIO_MMIO_STATUS, 0);
		memset(driver_ptr(f->d, in), 0xee, 8 * IN_BYTES);
		fake_loop_ms(f->d->vm.loop, 2);
		for (unsigned i = 0; i < 8 * IN_BYTES; i++)
			assert_int_equal(((uint8_t *)driver_ptr(f->d, in))[i], 0xee);
		begin(f);
	}
	send_fsync(f);
	assert_non_null(receive(f, P9_TFSYNC + 1, NULL, 5000));
	/* And the device may go with some under way. */
	send_fsync(f);
}

static void a_chain_without_room_breaks_the_device(void **state)
{
	struct fixture *f = *state;
	char *said;

	stderr_begin();
	driver_add(f->d, 0, f->out, 7, f->in, 10);
	driver_notify(f->d, 0);
	said = stderr_end();
	assert_non_null(strstr(said, "9P request"));
	free(said);
	assert_true(driver_broken(f->d));
	begin(f);
}

static void options_that_cannot_be_are_refused(void **state)
{
	(void)state;
	driver_refused("virtio-9p", "Say dir=PATH");
	driver_refused("virtio-9p,dir=/no/such/folder", "/no/such/folder: No such file");
	driver_refused("virtio-9p,dir=/tmp,tag=", "tag= is empty");
	driver_refused("virtio-9p,dir=/tmp,map=all", "map=all: there are user and xattr");
	driver_refused("virtio-9p,dir=/tmp,uid=4294967295", "less than");
	driver_refused("virtio-9p,dir=/proc", "processes are not shared");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_the_host_has_in_memory_is_answered_at_once),
		T(what_it_has_not_comes_later),
		T(a_sync_keeps_nobody_else_waiting),
		T(a_synchronous_write_keeps_nobody_else_waiting),
		T(two_syncs_are_under_way_together),
		T(a_flush_is_answered_after_what_it_flushes),
		T(flushes_are_answered_in_order),
		T(after_a_reset_nothing_is_under_way),
		T(a_chain_without_room_breaks_the_device),
		T(options_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests_name("9p-workers", tests, NULL, NULL);
}
