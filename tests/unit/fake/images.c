/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "images.h"

static char folder[] = "/tmp/vmm-images-XXXXXX";

int images_setup(void **state)
{
	(void)state;
	return mkdtemp(folder) && !chdir(folder) ? 0 : -1;
}

int images_teardown(void **state)
{
	(void)state;
	return chdir("/") ?: images_sh("rm -rf %s", folder);
}

int images_sh(const char *fmt, ...)
{
	char command[1024], all[1100];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	snprintf(all, sizeof(all), "{ %s; } >out.log 2>&1", command);
	status = system(all);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (status)
		fprintf(stderr, "# status %d: %s\n", status, command);
	if (status && system("sed 's/^/# /' out.log >&2"))
		return -1;
	return status;
}

void images_need(const char *program)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", program);
	if (!system(command))
		return;
	print_message("# SKIP no %s: tests/setup deps\n", program);
	skip();
}

static int open_as(const char *name, const char *format, bool readonly, struct disk_layer **l)
{
	struct disk_config cfg = { .said = "test", .file = name, .format = format, .readonly = readonly };

	return disk_layer_open(name, format, &cfg, l);
}

struct disk_layer *images_open(const char *name, const char *format, bool readonly)
{
	struct disk_layer *l;

	assert_int_equal(open_as(name, format, readonly, &l), 0);
	return l;
}

int images_try(const char *name, const char *format, bool readonly)
{
	struct disk_layer *l;
	int err;

	log_set_level((enum log_level) - 1);
	err = open_as(name, format, readonly, &l);
	if (!err)
		disk_layer_close(l);
	log_set_level(LOG_INFO);
	return err;
}

int images_read(struct disk_layer *l, uint64_t offset, void *data, uint64_t bytes)
{
	struct iovec iov = { data, bytes };

	return l->type->read(l, offset, &iov, 1, 0);
}

int images_write(struct disk_layer *l, uint64_t offset, const void *data, uint64_t bytes)
{
	struct iovec iov = { (void *)(uintptr_t)data, bytes };

	return l->type->write(l, offset, &iov, 1, 0);
}

uint64_t images_random(uint64_t *s, uint64_t below)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s % below;
}

/* ---- A model ---- */

struct model model_of(struct disk_layer *l, uint64_t seed)
{
	struct model m = { .bytes = l->info.bytes,
			   .seed = seed * 0x9e3779b97f4a7c15 + 1,
			   .step = 512,
			   .most = 300 * KIB,
			   .can_write = true,
			   .can_zero = l->type->write_zeroes,
			   .can_discard = l->type->discard };

	m.data = malloc(m.bytes);
	assert_non_null(m.data);
	assert_int_equal(images_read(l, 0, m.data, m.bytes), 0);
	return m;
}

/* Some requests are small, some large; many at the same places. */
static void any_place(struct model *m, uint64_t *offset, uint64_t *bytes)
{
	uint64_t most = images_random(&m->seed, 4) ? 8 * m->step : m->most;

	*offset = images_random(&m->seed, m->bytes / m->step) * m->step;
	if (images_random(&m->seed, 3))
		*offset = *offset / 8 / m->step * m->step;
	*bytes = (1 + images_random(&m->seed, most / m->step)) * m->step;
	if (*bytes > m->bytes - *offset)
		*bytes = m->bytes - *offset;
}

/* @data in pieces, as a guest has it. */
static unsigned pieces(struct model *m, uint8_t *data, uint64_t bytes, struct iovec *iov, unsigned max)
{
	unsigned n = 0;

	while (bytes) {
		uint64_t now =
			n + 1 == max ? bytes : 1 + images_random(&m->seed, images_random(&m->seed, 2) ? 700 : bytes);

		now = now < bytes ? now : bytes;
		iov[n++] = (struct iovec){ data, now };
		data += now;
		bytes -= now;
	}
	return n;
}

static void one(struct model *m, struct disk_layer *l, uint8_t *b)
{
	uint64_t offset, bytes, what = images_random(&m->seed, 20);
	struct iovec iov[300];
	unsigned n;
	int err;

	any_place(m, &offset, &bytes);
	n = pieces(m, b, bytes, iov, ARRAY_SIZE(iov));
	if (what < 8 && m->can_write) {
		for (uint64_t i = 0; i < bytes; i += 8)
			memcpy(b + i, &(uint64_t){ m->seed + i }, 8);
		err = l->type->write(l, offset, iov, n, what < 3 ? DISK_NOWAIT : 0);
		if (err == -EAGAIN && what < 3)
			err = l->type->write(l, offset, iov, n, 0);
		assert_int_equal(err, 0);
		memcpy(m->data + offset, b, bytes);
	} else if (what == 8 && m->can_zero) {
		err = l->type->write_zeroes(l, offset, bytes, images_random(&m->seed, 2));
		assert_true(!err || err == -EOPNOTSUPP);
		if (!err)
			memset(m->data + offset, 0, bytes);
	} else if (what == 9 && m->can_discard) {
		err = l->type->discard(l, offset, bytes);
		assert_true(!err || err == -EOPNOTSUPP);
		assert_int_equal(images_read(l, offset, m->data + offset, bytes), 0);
	} else if (what == 10) {
		assert_int_equal(l->type->flush(l), 0);
	} else {
		memset(b, 0xa5, bytes);
		err = l->type->read(l, offset, iov, n, what & 1 ? DISK_NOWAIT : 0);
		if (err == -EAGAIN && what & 1)
			err = l->type->read(l, offset, iov, n, 0);
		assert_int_equal(err, 0);
		assert_memory_equal(b, m->data + offset, bytes);
	}
}

void model_run(struct model *m, struct disk_layer *l, unsigned count)
{
	uint8_t *b = malloc(m->most + m->step);

	assert_non_null(b);
	while (count--)
		one(m, l, b);
	free(b);
}

void model_compare(const struct model *m, struct disk_layer *l)
{
	uint8_t *b = malloc(m->bytes);

	assert_non_null(b);
	assert_int_equal(l->info.bytes, m->bytes);
	assert_int_equal(images_read(l, 0, b, m->bytes), 0);
	assert_memory_equal(b, m->data, m->bytes);
	free(b);
}

void model_save(const struct model *m, const char *file)
{
	FILE *f = fopen(file, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(m->data, 1, m->bytes, f), m->bytes);
	fclose(f);
}

void model_free(struct model *m) { free(m->data); }
