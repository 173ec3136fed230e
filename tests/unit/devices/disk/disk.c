/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests between a device and the layers, with a layer of the test's that does what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include <vmm/disk.h>
#include <vmm/err.h>
#include "vm.h"

#define BYTES 65536

/* What the layer does, and what it has been asked. */
static struct {
	pthread_mutex_t lock; /* held by a test that wants the workers to stand still */
	bool at_once;
	int read_err, write_err, flush_err;
	bool helps; /* with discards and zeroes */
	bool engine;
	uint64_t grown;
	_Atomic unsigned begun, reads, writes, flushes, discards, zeroes, kicks; /* by many workers */
	const void *last_base;
	struct disk_req *queued;
	uint8_t bytes[BYTES];
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER };

static int copy(uint64_t offset, const struct iovec *iov, unsigned count, bool write)
{
	for (unsigned i = 0; i < count; offset += iov[i++].iov_len) {
		if (write)
			memcpy(fake.bytes + offset, iov[i].iov_base, iov[i].iov_len);
		else
			memcpy(iov[i].iov_base, fake.bytes + offset, iov[i].iov_len);
	}
	return 0;
}

static int fake_rw(uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags, bool write)
{
	int err;

	if (flags & DISK_NOWAIT && !fake.at_once)
		return -EAGAIN;
	fake.begun++;
	pthread_mutex_lock(&fake.lock);
	*(write ? &fake.writes : &fake.reads) += 1;
	fake.last_base = iov[0].iov_base;
	err = write ? fake.write_err : fake.read_err;
	if (!err)
		err = copy(offset, iov, count, write);
	pthread_mutex_unlock(&fake.lock);
	return err;
}

static int fake_read_layer(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count,
			   unsigned flags)
{
	(void)l;
	return fake_rw(offset, iov, count, flags, false);
}

static int fake_write_layer(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count,
			    unsigned flags)
{
	(void)l;
	return fake_rw(offset, iov, count, flags, true);
}

static int fake_flush(struct disk_layer *l)
{
	(void)l;
	fake.flushes++;
	return fake.flush_err;
}

static int fake_discard(struct disk_layer *l, uint64_t offset, uint64_t bytes)
{
	(void)l, (void)offset, (void)bytes;
	fake.discards++;
	return fake.helps ? 0 : -EOPNOTSUPP;
}

static int fake_zeroes(struct disk_layer *l, uint64_t offset, uint64_t bytes, bool unmap)
{
	(void)l, (void)unmap;
	fake.zeroes++;
	if (!fake.helps)
		return -EOPNOTSUPP;
	memset(fake.bytes + offset, 0, bytes);
	return 0;
}

static bool fake_resized(struct disk_layer *l)
{
	if (!fake.grown)
		return false;
	l->info.bytes = fake.grown;
	fake.grown = 0;
	return true;
}

static int fake_submit(struct disk_layer *l, struct disk_req *r)
{
	(void)l;
	if (!fake.engine)
		return -EAGAIN;
	r->next = fake.queued;
	fake.queued = r;
	return 0;
}

static void fake_kick(struct disk_layer *l)
{
	(void)l;
	fake.kicks++;
}

static int fake_open(struct disk_layer *l, const char *name, const struct disk_config *cfg)
{
	(void)name;
	l->info = (struct disk_info){
		.bytes = BYTES, .logical_bytes = 512, .physical_bytes = 512, .readonly = cfg->readonly
	};
	return 0;
}

static bool fake_probe(const uint8_t *head, size_t bytes) { return bytes >= 4 && !memcmp(head, "FAKE", 4); }

static const struct disk_layer_type fake_type = {
	.name = "fake",
	.help = "of a test",
	.probe = fake_probe,
	.open = fake_open,
	.read = fake_read_layer,
	.write = fake_write_layer,
	.flush = fake_flush,
	.discard = fake_discard,
	.write_zeroes = fake_zeroes,
	.resized = fake_resized,
	.submit = fake_submit,
	.kick = fake_kick,
};
DISK_LAYER(fake, &fake_type);

/* ---- The owner ---- */

struct owner {
	pthread_mutex_t lock;
	struct disk *disk;
	unsigned done, finished, resized;
	uint8_t data[BYTES];
};

struct req {
	struct disk_req disk;
	struct owner *o;
	struct iovec iov;
	bool done;
};

static void finished(void *opaque)
{
	struct owner *o = opaque;

	assert_int_equal(pthread_mutex_trylock(&o->lock), EBUSY);
	o->finished++;
}

static void resized(void *opaque) { ((struct owner *)opaque)->resized++; }

static void done(struct disk_req *disk)
{
	struct req *r = (struct req *)disk;

	assert_int_equal(pthread_mutex_trylock(&r->o->lock), EBUSY);
	r->done = true;
	r->o->done++;
}

static struct owner *open_disk(bool readonly)
{
	struct owner *o = calloc(1, sizeof(*o));
	const struct disk_config cfg = { .said = "--disk", .file = "x", .format = "fake", .readonly = readonly };
	const struct disk_owner owner = { .lock = &o->lock, .finished = finished, .resized = resized, .opaque = o };

	pthread_mutex_init(&o->lock, NULL);
	assert_int_equal(disk_open(&cfg, NULL, &owner, &o->disk), 0);
	pthread_mutex_lock(&o->lock);
	return o;
}

static void close_disk(struct owner *o)
{
	pthread_mutex_unlock(&o->lock);
	disk_close(o->disk);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static int setup(void **state)
{
	memset(&fake.at_once, 0, sizeof(fake) - offsetof(__typeof__(fake), at_once));
	fake.at_once = true;
	*state = open_disk(false);
	return 0;
}

static int teardown(void **state)
{
	fake.at_once = true;
	close_disk(*state);
	return 0;
}

static bool submit(struct owner *o, struct req *r, enum disk_op op, uint64_t offset, uint64_t bytes)
{
	*r = (struct req){ .o = o, .iov = { o->data + offset % BYTES, bytes } };
	r->disk.op = op;
	r->disk.offset = offset;
	r->disk.bytes = bytes;
	r->disk.done = done;
	if (op == DISK_READ || op == DISK_WRITE) {
		r->disk.iov = &r->iov;
		r->disk.iov_count = 1;
	}
	return disk_submit(o->disk, &r->disk);
}

/* Result of one that may have to wait. */
static int run(struct owner *o, enum disk_op op, uint64_t offset, uint64_t bytes)
{
	struct req r;

	if (!submit(o, &r, op, offset, bytes))
		disk_drain(o->disk);
	return r.disk.result;
}

static void wait_for(struct owner *o, const unsigned *count, unsigned want)
{
	for (unsigned i = 0; *count < want && i < 20000; i++) {
		pthread_mutex_unlock(&o->lock);
		usleep(500);
		pthread_mutex_lock(&o->lock);
	}
	assert_true(*count >= want);
}

/* ---- Tests ---- */

static void what_need_not_wait_is_done_at_once(void **state)
{
	struct owner *o = *state;
	struct req r;

	memset(o->data, 7, 512);
	assert_true(submit(o, &r, DISK_WRITE, 0, 512));
	assert_int_equal(r.disk.result, 0);
	assert_int_equal(fake.bytes[511], 7);
	memset(o->data, 0, 512);
	assert_true(submit(o, &r, DISK_READ, 0, 512));
	assert_int_equal(o->data[511], 7);
	assert_int_equal(o->done, 0);
}

static void what_has_to_wait_comes_later(void **state)
{
	struct owner *o = *state;
	struct req r[40];

	fake.at_once = false;
	for (unsigned i = 0; i < 40; i++)
		assert_false(submit(o, &r[i], DISK_WRITE, 512 * i, 512));
	disk_kick(o->disk);
	assert_int_equal(o->done, 0); /* we have the lock */
	wait_for(o, &o->done, 40);
	wait_for(o, &o->finished, 1);
	assert_true(o->finished <= 40);
	assert_int_equal(fake.writes, 40);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(r[i].disk.result, 0);
}

/* One worker is there, and cannot know yet how much there is to do. */
static void who_is_idle_is_not_counted_on_twice(void **state)
{
	struct owner *o = *state;
	struct req r[8];
	unsigned begun;

	fake.at_once = false;
	assert_int_equal(run(o, DISK_READ, 0, 512), 0);
	usleep(20000);
	pthread_mutex_lock(&fake.lock);
	fake.begun = 0;
	for (unsigned i = 0; i < 8; i++)
		assert_false(submit(o, &r[i], DISK_READ, 512 * i, 512));
	for (unsigned i = 0; fake.begun < 8 && i < 4000; i++)
		usleep(500);
	begun = fake.begun;
	pthread_mutex_unlock(&fake.lock);
	disk_drain(o->disk);
	assert_int_equal(begun, 8);
}

static void a_drain_delivers_what_is_in_flight(void **state)
{
	struct owner *o = *state;
	struct req r[8];

	fake.at_once = false;
	for (unsigned i = 0; i < 8; i++)
		assert_false(submit(o, &r[i], DISK_READ, 0, 4096));
	disk_drain(o->disk);
	assert_int_equal(o->done, 8);
	assert_int_equal(o->finished, 0);
	disk_drain(o->disk);
	assert_int_equal(o->done, 8);
}

static void what_is_not_inside_is_refused(void **state)
{
	static const struct {
		uint64_t offset, bytes;
		int err;
	} rows[] = {
		{ 0, BYTES, 0 },
		{ BYTES - 512, 512, 0 },
		{ BYTES, 0, 0 },
		{ BYTES - 512, 1024, -EINVAL },
		{ BYTES, 512, -EINVAL },
		{ BYTES + 512, 0, -EINVAL },
		{ UINT64_MAX - 511, 512, -EINVAL },
		{ 512, UINT64_MAX - 511, -EINVAL },
		{ 1, 512, -EINVAL },
		{ 0, 511, -EINVAL },
	};
	static const enum disk_op ops[] = { DISK_READ, DISK_WRITE, DISK_DISCARD, DISK_WRITE_ZEROES };

	for (unsigned op = 0; op < ARRAY_SIZE(ops); op++)
		for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
			assert_int_equal(run(*state, ops[op], rows[i].offset, rows[i].bytes), rows[i].err);
	assert_int_equal(fake.reads, 2);
}

static void who_may_only_read_does_not_write(void **state)
{
	struct owner *o = open_disk(true);

	(void)state;
	assert_int_equal(run(o, DISK_READ, 0, 512), 0);
	assert_int_equal(run(o, DISK_WRITE, 0, 512), -EROFS);
	assert_int_equal(run(o, DISK_DISCARD, 0, 512), -EROFS);
	assert_int_equal(run(o, DISK_WRITE_ZEROES, 0, 512), -EROFS);
	close_disk(o);
	assert_int_equal(fake.writes + fake.discards + fake.zeroes + fake.flushes, 0);
}

static void a_flush_is_for_what_was_written(void **state)
{
	assert_int_equal(run(*state, DISK_FLUSH, 0, 0), 0);
	assert_int_equal(fake.flushes, 1); /* who wrote the file before us may not have flushed */
	assert_int_equal(run(*state, DISK_FLUSH, 0, 0), 0);
	assert_int_equal(fake.flushes, 1);
	assert_int_equal(run(*state, DISK_WRITE, 0, 512), 0);
	assert_int_equal(run(*state, DISK_FLUSH, 0, 0), 0);
	assert_int_equal(fake.flushes, 2);
	assert_int_equal(run(*state, DISK_READ, 0, 512), 0);
	assert_int_equal(run(*state, DISK_FLUSH, 0, 0), 0);
	assert_int_equal(fake.flushes, 2);
	assert_int_equal(run(*state, DISK_WRITE_ZEROES, 0, 512), 0);
	assert_int_equal(run(*state, DISK_FLUSH, 0, 0), 0);
	assert_int_equal(fake.flushes, 3);
}

static void a_flush_that_fails_is_not_forgotten(void **state)
{
	fake.flush_err = -EIO;
	assert_int_equal(run(*state, DISK_FLUSH, 0, 0), -EIO);
	assert_int_equal(run(*state, DISK_FLUSH, 0, 0), -EIO);
	fake.flush_err = 0;
	assert_int_equal(run(*state, DISK_FLUSH, 0, 0), 0);
}

/* The first has taken the mark that there is something to flush, and has not done it yet. */
static void a_flush_waits_for_one_that_runs(void **state)
{
	struct owner *o = *state;
	struct req a, b;

	assert_false(submit(o, &a, DISK_FLUSH, 0, 0));
	assert_false(submit(o, &b, DISK_FLUSH, 0, 0));
	disk_drain(o->disk);
	assert_true(a.done && b.done);
}

static void a_closed_disk_is_flushed(void **state)
{
	struct owner *o = open_disk(false);

	(void)state;
	assert_int_equal(run(o, DISK_WRITE, 0, 512), 0);
	assert_int_equal(fake.flushes, 0);
	close_disk(o);
	assert_int_equal(fake.flushes, 1);
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void a_flush_that_fails_at_the_end_is_said(void **state)
{
	struct owner *o = open_disk(false);
	char *text;

	(void)state;
	assert_int_equal(run(o, DISK_WRITE, 0, 512), 0);
	fake.flush_err = -EIO;
	stderr_begin();
	assert_int_equal(run(o, DISK_FLUSH, 0, 0), -EIO);
	close_disk(o);
	text = stderr_end();
	assert_int_equal(lines(text), 2);
	assert_non_null(strstr(text, "flush: Input/output error; the guest sees"));
	assert_non_null(strstr(text, "flush: Input/output error; what was written last may be lost"));
	free(text);
}

static void layers_that_cannot_help_need_not(void **state)
{
	memset(fake.bytes, 5, BYTES);
	assert_int_equal(run(*state, DISK_DISCARD, 0, BYTES), 0);
	assert_int_equal(fake.bytes[0], 5);
	assert_int_equal(run(*state, DISK_WRITE_ZEROES, 512, BYTES - 1024), 0);
	assert_int_equal(fake.bytes[511], 5);
	assert_int_equal(fake.bytes[512], 0);
	assert_int_equal(fake.bytes[BYTES - 513], 0);
	assert_int_equal(fake.bytes[BYTES - 512], 5);
	fake.helps = true;
	fake.writes = 0;
	assert_int_equal(run(*state, DISK_WRITE_ZEROES, 0, BYTES), 0);
	assert_int_equal(fake.bytes[0], 0);
	assert_int_equal(fake.writes, 0);
}

static void an_error_is_said_once(void **state)
{
	char *text;

	stderr_begin();
	fake.write_err = -ENOSPC;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(run(*state, DISK_WRITE, 1024, 512), -ENOSPC);
	text = stderr_end();
	assert_int_equal(lines(text), 1);
	assert_non_null(strstr(text, "--disk: x: write of 512 bytes at 1024: No space left on device"));
	free(text);
	stderr_begin();
	fake.read_err = -EIO;
	fake.at_once = false;
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(run(*state, DISK_READ, 0, 512), -EIO);
	text = stderr_end();
	assert_int_equal(lines(text), 1);
	free(text);
	stderr_begin();
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(run(*state, DISK_WRITE, 0, 512), -ENOSPC);
		assert_int_equal(run(*state, DISK_READ, 0, 512), -EIO);
	}
	text = stderr_end();
	assert_int_equal(lines(text), 0);
	free(text);
}

static void what_the_guest_does_wrong_is_no_error_of_the_disk(void **state)
{
	char *text;

	stderr_begin();
	assert_int_equal(run(*state, DISK_WRITE, BYTES, 512), -EINVAL);
	text = stderr_end();
	assert_string_equal(text, "");
	free(text);
}

static void an_engine_gets_what_has_to_wait(void **state)
{
	struct owner *o = *state;
	struct req r[3];

	fake.at_once = false;
	fake.engine = true;
	for (unsigned i = 0; i < 3; i++)
		assert_false(submit(o, &r[i], DISK_READ, 512 * i, 512));
	assert_int_equal(fake.kicks, 0);
	disk_kick(o->disk);
	assert_int_equal(fake.kicks, 1);
	assert_int_equal(fake.reads, 0);
	/* One fails, one it cannot do after all, one is done. */
	r[0].disk.result = -EIO;
	r[1].disk.result = -EAGAIN;
	r[2].disk.result = 0;
	pthread_mutex_unlock(&o->lock);
	disk_done_all(fake.queued);
	pthread_mutex_lock(&o->lock);
	wait_for(o, &o->done, 3);
	assert_int_equal(r[0].disk.result, -EIO);
	assert_int_equal(r[1].disk.result, 0);
	assert_int_equal(r[2].disk.result, 0);
	assert_int_equal(fake.reads, 1);
	/* Flushes are for workers. */
	fake.queued = NULL;
	assert_int_equal(run(o, DISK_FLUSH, 0, 0), 0);
	assert_null(fake.queued);
}

static void a_new_size_is_passed_on(void **state)
{
	struct owner *o = *state;
	struct disk_info info;

	disk_look(o->disk);
	assert_int_equal(o->resized, 0);
	assert_int_equal(run(o, DISK_READ, BYTES, 0), 0);
	fake.grown = BYTES - 4096;
	disk_look(o->disk);
	assert_int_equal(o->resized, 1);
	disk_info(o->disk, &info);
	assert_int_equal(info.bytes, BYTES - 4096);
	assert_int_equal(run(o, DISK_READ, BYTES - 4096, 512), -EINVAL);
}

/* ---- Which layer ---- */

static char *temporary(const char *head, uint64_t bytes)
{
	char *path = strdup("/tmp/vmm-disk.XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, head, strlen(head), 0), strlen(head));
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	close(fd);
	return path;
}

static void drop(char *path)
{
	unlink(path);
	free(path);
}

static void a_format_is_guessed_by_the_first_bytes(void **state)
{
	const struct disk_config cfg = { .said = "--disk" };
	char *fake_file = temporary("FAKE", 4096), *other = temporary("something", 4096);
	struct disk_layer *l;

	(void)state;
	assert_int_equal(disk_layer_open(fake_file, NULL, &cfg, &l), 0);
	assert_string_equal(l->type->name, "fake");
	disk_layer_close(l);
	assert_int_equal(disk_layer_open(other, NULL, &cfg, &l), 0);
	assert_string_equal(l->type->name, "raw");
	assert_true(l->guessed);
	disk_layer_close(l);
	assert_int_equal(disk_layer_open(fake_file, "raw", &cfg, &l), 0);
	assert_string_equal(l->type->name, "raw");
	assert_false(l->guessed);
	disk_layer_close(l);
	drop(fake_file);
	drop(other);
}

static char *refusal(const struct disk_config *cfg)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	const struct disk_owner owner = { .lock = &lock };
	struct disk *d;

	stderr_begin();
	assert_int_equal(disk_open(cfg, NULL, &owner, &d), -EINVAL);
	assert_null(d);
	return stderr_end();
}

static void what_is_unknown_is_refused_with_what_there_is(void **state)
{
	static const struct {
		struct disk_config cfg;
		const char *words[2];
	} rows[] = {
		{ { .file = "x", .format = "qcow3" }, { "no format \"qcow3\"", "raw" } },
		{ { .file = "gopher://x/y" }, { "gopher", "name" } },
		{ { .file = "x", .snapshot = true, .overlay = "y" }, { "snapshot", "overlay=y" } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct disk_config cfg = rows[i].cfg;
		char *text;

		cfg.said = "--disk";
		text = refusal(&cfg);
		assert_int_equal(lines(text), 1);
		for (unsigned w = 0; w < 2; w++)
			if (strcmp(rows[i].words[w], "name"))
				assert_non_null(strstr(text, rows[i].words[w]));
		free(text);
	}
}

/* Written from a copy: the guest's bytes may change after they have been looked at. */
static void a_guest_cannot_choose_the_format(void **state)
{
	char *path = temporary("", 65536), head[8] = "", *text;
	struct owner o = { .lock = PTHREAD_MUTEX_INITIALIZER };
	struct disk_config cfg = { .said = "--disk", .file = path };
	const struct disk_owner owner = { .lock = &o.lock, .opaque = &o };
	FILE *f;

	(void)state;
	assert_int_equal(disk_open(&cfg, NULL, &owner, &o.disk), 0);
	pthread_mutex_lock(&o.lock);
	memcpy(o.data, "FAKE", 4);
	stderr_begin();
	assert_int_equal(run(&o, DISK_WRITE, 0, 4096), -EPERM);
	text = stderr_end();
	assert_non_null(strstr(text, "format=raw"));
	free(text);
	assert_int_equal(run(&o, DISK_WRITE, 512, 512), 0);
	memcpy(o.data, "DATA", 4);
	assert_int_equal(run(&o, DISK_WRITE, 0, 4096), 0);
	pthread_mutex_unlock(&o.lock);
	disk_close(o.disk);
	f = fopen(path, "r");
	assert_int_equal(fread(head, 1, 4, f), 4);
	fclose(f);
	assert_string_equal(head, "DATA");
	/* Who says so may have anything there. */
	cfg.format = "raw";
	assert_int_equal(disk_open(&cfg, NULL, &owner, &o.disk), 0);
	pthread_mutex_lock(&o.lock);
	memcpy(o.data, "FAKE", 4);
	assert_int_equal(run(&o, DISK_WRITE, 0, 4096), 0);
	pthread_mutex_unlock(&o.lock);
	disk_close(o.disk);
	drop(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_need_not_wait_is_done_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_has_to_wait_comes_later, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_idle_is_not_counted_on_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(a_drain_delivers_what_is_in_flight, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_inside_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(who_may_only_read_does_not_write, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flush_is_for_what_was_written, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flush_that_fails_is_not_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flush_waits_for_one_that_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(a_closed_disk_is_flushed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flush_that_fails_at_the_end_is_said, setup, teardown),
		cmocka_unit_test_setup_teardown(layers_that_cannot_help_need_not, setup, teardown),
		cmocka_unit_test_setup_teardown(an_error_is_said_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_guest_does_wrong_is_no_error_of_the_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(an_engine_gets_what_has_to_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(a_new_size_is_passed_on, setup, teardown),
		cmocka_unit_test(a_format_is_guessed_by_the_first_bytes),
		cmocka_unit_test(what_is_unknown_is_refused_with_what_there_is),
		cmocka_unit_test(a_guest_cannot_choose_the_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
