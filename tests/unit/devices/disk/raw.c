/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files and what is none; locks; what need not wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <vmm/disk.h>
#include <vmm/err.h>
#include "vm.h"

#define BYTES (4 * MIB)

/* A folder that goes with its files; not in /tmp, which may have neither O_DIRECT nor page cache. */
static char folder[] = "out/raw.XXXXXX";
static char path[64];

static int setup(void **state)
{
	int fd;

	(void)state;
	strcpy(folder, "out/raw.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/disk", folder);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BYTES), 0);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	rmdir(folder);
	return 0;
}

static struct disk_config config(void) { return (struct disk_config){ .said = "--disk", .no_uring = true }; }

static struct disk_layer *open_raw(const struct disk_config *cfg)
{
	struct disk_layer *l;

	assert_int_equal(disk_layer_open(path, "raw", cfg, &l), 0);
	return l;
}

static char *refusal(const char *name, const struct disk_config *cfg, int want)
{
	struct disk_layer *l;
	int err;
	char *text;

	stderr_begin();
	err = disk_layer_open(name, "raw", cfg, &l);
	text = stderr_end();
	assert_int_equal(err, want);
	assert_null(l);
	assert_non_null(strstr(text, name));
	return text;
}

static void refused(const char *name, int err, const char *word)
{
	struct disk_config cfg = config();
	char *text = refusal(name, &cfg, err);

	assert_non_null(strstr(text, word));
	free(text);
}

static void what_is_no_disk_is_refused_with_a_way_out(void **state)
{
	char name[80];

	(void)state;
	refused(folder, -EINVAL, "a folder");
	refused("/dev/null", -EINVAL, "a character device");
	refused("out/raw.nothing", -ENOENT, "truncate -s");
	snprintf(name, sizeof(name), "%s/fifo", folder);
	assert_int_equal(mkfifo(name, 0600), 0);
	refused(name, -EINVAL, "a FIFO");
	unlink(name);
	assert_int_equal(truncate(path, 0), 0);
	refused(path, -EINVAL, "is empty");
	assert_int_equal(truncate(path, 1000), 0);
	refused(path, -EINVAL, "truncate -s 1024");
	if (!geteuid())
		return;
	assert_int_equal(chmod(path, 0400), 0);
	refused(path, -EACCES, "readonly=on");
}

static void fill(uint8_t *bytes, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
}

/* More pieces than Linux takes, of odd lengths, at odd addresses. */
static void pieces_of_any_kind_are_written_and_read(void **state)
{
	struct disk_config cfg = config();
	static uint8_t out[3000 * 300], in[sizeof(out)];
	static struct iovec wv[3000], rv[3000];
	uint64_t bytes = 0;

	(void)state;
	fill(out, sizeof(out), 1);
	for (unsigned i = 0; i < 3000; i++) {
		size_t len = i % 7 ? i % 300 : 0;

		wv[i] = (struct iovec){ out + bytes, len };
		rv[i] = (struct iovec){ in + bytes, len };
		bytes += len;
	}
	for (unsigned direct = 0; direct < 2; direct++) {
		struct disk_layer *l;

		cfg.direct = direct;
		l = open_raw(&cfg);
		memset(in, 0, sizeof(in));
		assert_int_equal(l->type->write(l, 512, wv, 3000, 0), 0);
		assert_int_equal(l->type->read(l, 512, rv, 3000, 0), 0);
		assert_memory_equal(in, out, bytes);
		disk_layer_close(l);
	}
}

static void the_page_cache_answers_at_once(void **state)
{
	struct disk_config cfg = config();
	struct disk_layer *l = open_raw(&cfg);
	static uint8_t out[8192], in[8192];
	struct iovec wv = { out, sizeof(out) }, rv = { in, sizeof(in) };

	(void)state;
	fill(out, sizeof(out), 2);
	assert_int_equal(l->type->write(l, 4096, &wv, 1, DISK_NOWAIT), 0);
	assert_int_equal(l->type->read(l, 4096, &rv, 1, DISK_NOWAIT), 0);
	assert_memory_equal(in, out, sizeof(in));
	/* Beyond the end is for somebody who can say what is the matter. */
	assert_int_equal(l->type->read(l, BYTES - 4096, &rv, 1, DISK_NOWAIT), -EAGAIN);
	assert_int_equal(l->type->read(l, BYTES - 4096, &rv, 1, 0), -EIO);
	disk_layer_close(l);
}

static void a_growing_file_has_zeroes_behind_its_end(void **state)
{
	struct disk_config cfg = config();
	uint8_t b[1024];
	struct iovec v = { b, sizeof(b) };
	struct disk_layer *l;
	struct stat st;

	(void)state;
	assert_int_equal(truncate(path, 700), 0);
	cfg.growing = true;
	l = open_raw(&cfg);
	assert_int_equal(l->info.bytes, 1024);
	memset(b, 1, sizeof(b));
	assert_int_equal(l->type->read(l, 512, &v, 1, 0), 0);
	assert_int_equal(b[1023], 0);
	memset(b, 1, sizeof(b));
	assert_int_equal(l->type->read(l, 8192, &v, 1, 0), 0);
	assert_int_equal(b[0], 0);
	memset(b, 3, sizeof(b));
	assert_int_equal(l->type->write(l, 4096, &v, 1, 0), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 4096 + 1024);
	disk_layer_close(l);
}

static blkcnt_t blocks(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_blocks;
}

static void discards_and_zeroes_give_room_back(void **state)
{
	struct disk_config cfg = config();
	struct disk_layer *l = open_raw(&cfg);
	static uint8_t b[MIB];
	struct iovec v = { b, sizeof(b) };
	blkcnt_t full;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		int err;

		fill(b, sizeof(b), 3);
		assert_int_equal(l->type->write(l, 0, &v, 1, 0), 0);
		assert_int_equal(l->type->flush(l), 0);
		full = blocks();
		err = round ? l->type->write_zeroes(l, 0, MIB, true) : l->type->discard(l, 0, MIB);
		if (err == -EOPNOTSUPP)
			skip();
		assert_int_equal(err, 0);
		assert_true(blocks() < full);
		assert_int_equal(l->type->read(l, 0, &v, 1, 0), 0);
		assert_int_equal(b[0], 0);
		assert_int_equal(b[MIB - 1], 0);
	}
	fill(b, sizeof(b), 4);
	assert_int_equal(l->type->write(l, 0, &v, 1, 0), 0);
	if (!l->type->write_zeroes(l, 512, 1024, false)) {
		assert_int_equal(l->type->read(l, 0, &v, 1, 0), 0);
		assert_int_equal(b[512], 0);
		assert_int_equal(b[1535], 0);
		assert_int_not_equal(b[511] | b[510] | b[509], 0);
		assert_int_not_equal(b[1536] | b[1537] | b[1538], 0);
	}
	disk_layer_close(l);
}

static char *loop_device(void)
{
	char command[160], *name = calloc(1, 80);
	FILE *p;

	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin losetup -b 4096 -f --show %s 2>&1", path);
	p = popen(command, "re");
	assert_non_null(p);
	if (!fgets(name, 80, p) || pclose(p)) {
		print_message("# SKIP no loop device: %s\n", name);
		free(name);
		skip();
	}
	name[strcspn(name, "\n")] = 0;
	return name;
}

/* A device of the host may have larger blocks than the guest: what it cannot do of less is written, or left. */
static void less_than_a_block_of_a_device_is_no_error(void **state)
{
	char *device = loop_device(), command[120];
	struct disk_config cfg = config();
	struct disk_layer *l;
	int discard, keep, unmap;

	(void)state;
	assert_int_equal(disk_layer_open(device, "raw", &cfg, &l), 0);
	discard = l->type->discard(l, 512, 512);
	keep = l->type->write_zeroes(l, 512, 512, false);
	unmap = l->type->write_zeroes(l, 512, 512, true);
	disk_layer_close(l);
	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin losetup -d %s", device);
	assert_int_equal(system(command), 0);
	free(device);
	assert_true(discard == 0 || discard == -EOPNOTSUPP);
	assert_int_equal(keep, -EOPNOTSUPP);
	assert_int_equal(unmap, -EOPNOTSUPP);
}

static void holes_are_known(void **state)
{
	struct disk_config cfg = config();
	struct disk_layer *l = open_raw(&cfg);
	static uint8_t b[64 * KIB];
	struct iovec v = { b, sizeof(b) };
	uint64_t bytes = BYTES;

	(void)state;
	memset(b, 1, sizeof(b));
	assert_int_equal(l->type->write(l, MIB, &v, 1, 0), 0);
	assert_int_equal(l->type->extent(l, 0, &bytes), DISK_ZERO);
	assert_int_equal(bytes, MIB);
	bytes = BYTES;
	assert_int_equal(l->type->extent(l, MIB, &bytes), DISK_DATA);
	assert_int_equal(bytes, 64 * KIB);
	bytes = 4096;
	assert_int_equal(l->type->extent(l, 2 * MIB, &bytes), DISK_ZERO);
	assert_int_equal(bytes, 4096);
	disk_layer_close(l);
}

static void one_writes_or_many_read(void **state)
{
	struct disk_config w = config(), r = config();
	struct disk_layer *a, *b;
	char *text;

	(void)state;
	r.readonly = true;
	a = open_raw(&w);
	text = refusal(path, &w, -EBUSY);
	assert_non_null(strstr(text, "snapshot=on"));
	free(text);
	free(refusal(path, &r, -EBUSY));
	disk_layer_close(a);
	a = open_raw(&r);
	b = open_raw(&r);
	text = refusal(path, &w, -EBUSY);
	assert_non_null(strstr(text, "readonly=on"));
	free(text);
	disk_layer_close(a);
	disk_layer_close(b);
	disk_layer_close(open_raw(&w));
}

static void locked(off_t from, off_t bytes, short type, int *fd)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = bytes };

	*fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(fcntl(*fd, F_OFD_SETLK, &lock), 0);
}

/* QEMU has shared locks on bytes 100 and up for what it does, 200 and up for what others must not. */
static void qemu_is_respected(void **state)
{
	struct disk_config w = config(), r = config();
	int fd;

	(void)state;
	r.readonly = true;
	locked(101, 1, F_RDLCK, &fd);
	free(refusal(path, &w, -EBUSY));
	free(refusal(path, &r, -EBUSY));
	close(fd);
	locked(201, 1, F_RDLCK, &fd);
	free(refusal(path, &w, -EBUSY));
	disk_layer_close(open_raw(&r));
	close(fd);
}

static void a_new_size_is_seen(void **state)
{
	struct disk_config cfg = config();
	struct disk_layer *l = open_raw(&cfg);

	(void)state;
	assert_false(l->type->resized(l));
	assert_int_equal(truncate(path, 2 * BYTES + 100), 0);
	assert_true(l->type->resized(l));
	assert_int_equal(l->info.bytes, 2 * BYTES);
	assert_false(l->type->resized(l));
	/* Somebody replaces the content: no size to tell a guest of. */
	assert_int_equal(truncate(path, 0), 0);
	assert_false(l->type->resized(l));
	disk_layer_close(l);
}

/* ---- The engine ---- */

#define REQUESTS      300
#define REQUEST_BYTES 8192
#define RING          128 /* what the engine takes at a time */

struct req {
	struct disk_req disk;
	struct iovec iov[2];
};

static unsigned count_done;

static void done(struct disk_req *r)
{
	(void)r;
	count_done++;
}

static void submit_all(struct disk *d, struct req *all, uint8_t *bytes, enum disk_op op)
{
	unsigned later = 0;

	count_done = 0;
	for (unsigned i = 0; i < REQUESTS; i++) {
		struct req *r = &all[i];

		*r = (struct req){ .iov = { { bytes + i * REQUEST_BYTES, 4096 },
					    { bytes + i * REQUEST_BYTES + 4096, 4096 } } };
		r->disk.op = op;
		r->disk.offset = (uint64_t)i * REQUEST_BYTES;
		r->disk.bytes = REQUEST_BYTES;
		r->disk.iov = r->iov;
		r->disk.iov_count = 2;
		r->disk.done = done;
		later += !disk_submit(d, &r->disk);
	}
	disk_kick(d);
	disk_drain(d);
	assert_int_equal(count_done, later);
	for (unsigned i = 0; i < REQUESTS; i++)
		assert_int_equal(all[i].disk.result, 0);
}

static void many_at_a_time(bool direct, bool no_uring)
{
	struct disk_config cfg = config();
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	const struct disk_owner owner = { .lock = &lock };
	uint8_t *out = aligned_alloc(4096, REQUESTS * REQUEST_BYTES),
		*in = aligned_alloc(4096, REQUESTS * REQUEST_BYTES);
	struct req *all = calloc(REQUESTS, sizeof(*all));
	struct disk *d;

	cfg.file = path;
	cfg.format = "raw";
	cfg.direct = direct;
	cfg.no_uring = no_uring;
	assert_true(out && in && all);
	assert_int_equal(disk_open(&cfg, NULL, &owner, &d), 0);
	fill(out, REQUESTS * REQUEST_BYTES, direct + 2u * no_uring);
	pthread_mutex_lock(&lock);
	submit_all(d, all, out, DISK_WRITE);
	memset(in, 0, REQUESTS * REQUEST_BYTES);
	submit_all(d, all, in, DISK_READ);
	pthread_mutex_unlock(&lock);
	assert_memory_equal(in, out, REQUESTS * REQUEST_BYTES);
	disk_close(d);
	free(all);
	free(in);
	free(out);
}

static void many_requests_are_in_flight(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		many_at_a_time(i & 1, i & 2);
}

/* Of ours: the kernel has some for io_uring, in the same list. */
static unsigned threads(void)
{
	DIR *list = opendir("/proc/self/task");
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(list);
	while ((e = readdir(list))) {
		char name[300], comm[5] = "";
		FILE *f;

		snprintf(name, sizeof(name), "/proc/self/task/%s/comm", e->d_name);
		f = fopen(name, "re");
		if (!f)
			continue;
		n += fread(comm, 1, 4, f) == 4 && strcmp(comm, "iou-") != 0;
		fclose(f);
	}
	closedir(list);
	return n;
}

/* It counts what it has in flight, and has as much room after a while as in the beginning: nothing goes to workers.
 */
static void the_engine_does_not_tire(void **state)
{
	struct disk_config cfg = config();
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	const struct disk_owner owner = { .lock = &lock };
	uint8_t *b = aligned_alloc(4096, RING * 4096);
	static struct req all[RING];
	unsigned before;
	struct disk *d;

	(void)state;
	cfg.file = path;
	cfg.format = "raw";
	cfg.direct = true;
	cfg.no_uring = false;
	assert_int_equal(disk_open(&cfg, NULL, &owner, &d), 0);
	before = threads();
	pthread_mutex_lock(&lock);
	memset(b, 1, RING * 4096);
	all[0] = (struct req){ .iov = { { b, 4096 } } };
	all[0].disk =
		(struct disk_req){ .op = DISK_READ, .bytes = 4096, .iov = all[0].iov, .iov_count = 1, .done = done };
	disk_submit(d, &all[0].disk);
	disk_drain(d);
	if (threads() != before) {
		pthread_mutex_unlock(&lock);
		disk_close(d);
		free(b);
		print_message("# SKIP the host has no io_uring\n");
		skip();
	}
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < RING; i++) {
			struct req *r = &all[i];

			*r = (struct req){ .iov = { { b + i * 4096, 4096 } } };
			r->disk = (struct disk_req){ .op = round ? DISK_READ : DISK_WRITE,
						     .offset = i * 4096,
						     .bytes = 4096,
						     .iov = r->iov,
						     .iov_count = 1,
						     .done = done };
			disk_submit(d, &r->disk);
			if (i % 4 == 3)
				disk_kick(d); /* some come while others are looked at */
		}
		disk_drain(d);
		assert_int_equal(threads(), before);
	}
	pthread_mutex_unlock(&lock);
	disk_close(d);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_no_disk_is_refused_with_a_way_out, setup, teardown),
		cmocka_unit_test_setup_teardown(pieces_of_any_kind_are_written_and_read, setup, teardown),
		cmocka_unit_test_setup_teardown(the_page_cache_answers_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_growing_file_has_zeroes_behind_its_end, setup, teardown),
		cmocka_unit_test_setup_teardown(discards_and_zeroes_give_room_back, setup, teardown),
		cmocka_unit_test_setup_teardown(less_than_a_block_of_a_device_is_no_error, setup, teardown),
		cmocka_unit_test_setup_teardown(holes_are_known, setup, teardown),
		cmocka_unit_test_setup_teardown(one_writes_or_many_read, setup, teardown),
		cmocka_unit_test_setup_teardown(qemu_is_respected, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_size_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(many_requests_are_in_flight, setup, teardown),
		cmocka_unit_test_setup_teardown(the_engine_does_not_tire, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
