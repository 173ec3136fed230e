/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The cache of metadata keeps to its limit, and what must not be written yet stays in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <vmm/err.h>
#include "devices/disk/qcow2.h"
#include "images.h"

#define UNIT   4096u
#define SLICES 256u /* the limit */
#define TABLES 2048u

struct fixture {
	struct disk_layer *file;
	struct qcow2_cache c;
};

static void fixture_open(struct fixture *f, bool ordered)
{
	*f = (struct fixture){ 0 };
	assert_int_equal(images_sh("rm -f tables; truncate -s %u tables", TABLES * UNIT), 0);
	f->file = images_open("tables", "raw", false);
	assert_int_equal(qcow2_cache_init(&f->c, f->file, 65536, (uint64_t)SLICES * UNIT, ordered), 0);
}

static void fixture_close(struct fixture *f)
{
	qcow2_cache_free(&f->c);
	disk_layer_close(f->file);
}

static void change(struct fixture *f, unsigned i)
{
	struct qcow2_slice *s;

	assert_int_equal(qcow2_cache_get(&f->c, (uint64_t)i * UNIT, 0, &s), 0);
	memset(s->data, (int)i | 1, UNIT);
	qcow2_cache_dirty(&f->c, s);
}

static bool in_file(struct fixture *f, unsigned i)
{
	uint8_t b[512];

	assert_int_equal(images_read(f->file, (uint64_t)i * UNIT, b, sizeof(b)), 0);
	return b[0] == (uint8_t)(i | 1);
}

/* A guest that writes, never flushes, and reads all over its disk. */
static void what_waits_for_a_flush_does_not_make_the_rest_stay(void **state)
{
	struct fixture f;
	struct qcow2_slice *s;

	(void)state;
	fixture_open(&f, true);
	for (unsigned i = 0; i < SLICES / 2; i++)
		change(&f, i);
	for (unsigned i = SLICES / 2; i < TABLES; i++) {
		assert_int_equal(qcow2_cache_get(&f.c, (uint64_t)i * UNIT, 0, &s), 0);
		/* It looks at a part of them at a time. */
		assert_in_range(f.c.count, 1, f.c.limit + 4);
	}
	assert_in_range(f.c.count, 1, f.c.limit);
	assert_int_equal(f.c.dirty, SLICES / 2);
	for (unsigned i = 0; i < SLICES / 2; i++) {
		assert_false(in_file(&f, i));
		assert_int_equal(qcow2_cache_get(&f.c, (uint64_t)i * UNIT, DISK_NOWAIT, &s), 0);
		assert_int_equal(s->data[0], (uint8_t)(i | 1));
	}
	fixture_close(&f);
}

/* More than the limit wait at once; then they are written, and the memory is given back. */
static void what_was_too_much_for_a_while_goes(void **state)
{
	struct fixture f;
	struct qcow2_slice *s;

	(void)state;
	fixture_open(&f, true);
	for (unsigned i = 0; i < SLICES * 2; i++)
		change(&f, i);
	assert_int_equal(f.c.count, SLICES * 2);
	assert_int_equal(qcow2_cache_write_all(&f.c), 0);
	assert_int_equal(f.c.dirty, 0);
	for (unsigned i = 0; i < SLICES * 2; i++)
		assert_true(in_file(&f, i));
	assert_int_equal(qcow2_cache_get(&f.c, (uint64_t)(TABLES - 1) * UNIT, 0, &s), 0);
	assert_in_range(f.c.count, 1, f.c.limit);
	fixture_close(&f);
}

/* Counters may be written at any time: they are, when their place is wanted. */
static void what_need_not_wait_is_written_when_it_has_to_go(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, false);
	for (unsigned i = 0; i < TABLES; i++) {
		change(&f, i);
		assert_in_range(f.c.count, 1, f.c.limit);
	}
	assert_true(in_file(&f, 0) && in_file(&f, TABLES - SLICES - 1));
	assert_int_equal(qcow2_cache_write_all(&f.c), 0);
	assert_true(in_file(&f, TABLES - 1));
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_waits_for_a_flush_does_not_make_the_rest_stay),
		cmocka_unit_test(what_was_too_much_for_a_while_goes),
		cmocka_unit_test(what_need_not_wait_is_written_when_it_has_to_go),
	};

	return cmocka_run_group_tests(tests, images_setup, images_teardown);
}
