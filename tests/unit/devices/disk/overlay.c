/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disk below stays as it is, whatever is written; a named overlay is what qemu-img takes for one. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "images.h"

static void make_base(void)
{
	FILE *f = fopen("base.raw", "we");
	uint64_t seed = 5;

	assert_non_null(f);
	for (unsigned i = 0; i < 3 * MIB / 8; i++)
		assert_int_equal(fwrite(&(uint64_t){ images_random(&seed, UINT64_MAX) }, 8, 1, f), 1);
	fclose(f);
	assert_int_equal(images_sh("cp base.raw copy.raw"), 0);
}

static int open_on(const char *base, const char *format, bool snapshot, const char *file, struct disk_layer **l)
{
	struct disk_config cfg = {
		.said = "test", .file = base, .format = format, .snapshot = snapshot, .overlay = file
	};

	return disk_layer_open(base, "overlay", &cfg, l);
}

static struct disk_layer *overlay(const char *base, bool snapshot, const char *file)
{
	struct disk_layer *l;

	assert_int_equal(open_on(base, NULL, snapshot, file, &l), 0);
	return l;
}

static unsigned files_here(void)
{
	DIR *d = opendir(".");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void a_snapshot_is_written_and_leaves_nothing(void **state)
{
	struct disk_layer *l;
	struct model m;
	unsigned before;

	(void)state;
	make_base();
	setenv("TMPDIR", ".", 1);
	before = files_here();
	l = overlay("base.raw", true, NULL);
	assert_int_equal(files_here(), before);
	assert_int_equal(l->info.bytes, 3 * MIB);
	assert_false(l->info.readonly);
	m = model_of(l, 1);
	model_run(&m, l, 1500);
	model_compare(&m, l);
	disk_layer_close(l);
	model_free(&m);
	assert_int_equal(files_here(), before);
	assert_int_equal(images_sh("cmp base.raw copy.raw"), 0);
	l = overlay("base.raw", true, NULL);
	m = model_of(l, 1);
	model_save(&m, "seen.raw");
	disk_layer_close(l);
	model_free(&m);
	assert_int_equal(images_sh("cmp seen.raw copy.raw"), 0);
	unsetenv("TMPDIR");
}

/* A clean state of memory is small: the disk is much larger than what may wait to be written. */
static void a_snapshot_takes_more_than_its_cache(void **state)
{
	struct disk_layer *l;
	uint8_t *b = malloc(MIB), *got = malloc(MIB);

	(void)state;
	assert_int_equal(images_sh("rm -f large.raw && truncate -s 96M large.raw"), 0);
	l = overlay("large.raw", true, NULL);
	for (unsigned i = 0; i < 96; i++) {
		memset(b, (int)i + 1, MIB);
		assert_int_equal(images_write(l, i * MIB, b, MIB), 0);
		assert_int_equal(l->type->flush(l), 0);
	}
	for (unsigned i = 0; i < 96; i++) {
		memset(b, (int)i + 1, MIB);
		assert_int_equal(images_read(l, i * MIB, got, MIB), 0);
		assert_memory_equal(b, got, MIB);
	}
	assert_int_equal(l->type->discard(l, 0, 96 * MIB), 0);
	disk_layer_close(l);
	free(b);
	free(got);
}

static void a_named_one_is_made_and_continued(void **state)
{
	struct disk_layer *l;
	struct model m;

	(void)state;
	images_need("qemu-img");
	make_base();
	assert_int_equal(images_sh("mkdir -p sub"), 0);
	unlink("sub/over.qcow2");
	l = overlay("base.raw", false, "sub/over.qcow2");
	m = model_of(l, 2);
	for (unsigned i = 0; i < 3; i++) {
		model_run(&m, l, 300);
		disk_layer_close(l);
		model_save(&m, "model.raw");
		assert_int_equal(
			images_sh(
				"qemu-img check sub/over.qcow2 && "
				"qemu-img compare -f raw -F qcow2 model.raw sub/over.qcow2 && cmp base.raw copy.raw"),
			0);
		l = overlay("base.raw", false, "sub/over.qcow2");
		model_compare(&m, l);
	}
	disk_layer_close(l);
	model_free(&m);
}

/* What there was no room for is made at the next start. */
static void one_that_cannot_be_made_leaves_nothing(void **state)
{
	struct rlimit all, little;
	struct disk_layer *l;

	(void)state;
	images_need("qemu-img");
	make_base();
	unlink("full.qcow2");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
	little = (struct rlimit){ 65536 + 4096, all.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	log_set_level((enum log_level) - 1);
	assert_int_equal(open_on("base.raw", NULL, false, "full.qcow2", &l), -EFBIG);
	log_set_level(LOG_INFO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
	disk_layer_close(overlay("base.raw", false, "full.qcow2"));
	assert_int_equal(images_sh("qemu-img check full.qcow2"), 0);
}

static void one_on_a_qcow2_image_shows_that(void **state)
{
	struct disk_layer *l;
	struct model m;

	(void)state;
	images_need("qemu-img");
	make_base();
	assert_int_equal(
		images_sh(
			"rm -f o.qcow2; qemu-img convert -c -O qcow2 base.raw base.qcow2 && cp base.qcow2 copy.qcow2"),
		0);
	l = overlay("base.qcow2", false, "o.qcow2");
	m = model_of(l, 3);
	model_save(&m, "seen.raw");
	assert_int_equal(images_sh("cmp seen.raw base.raw"), 0);
	model_run(&m, l, 300);
	disk_layer_close(l);
	model_save(&m, "model.raw");
	assert_int_equal(
		images_sh(
			"qemu-img compare model.raw o.qcow2 && qemu-img check o.qcow2 && cmp base.qcow2 copy.qcow2"),
		0);
	model_free(&m);
}

static void one_of_another_disk_is_refused(void **state)
{
	struct disk_layer *l;

	(void)state;
	make_base();
	unlink("mine.qcow2");
	disk_layer_close(overlay("base.raw", false, "mine.qcow2"));
	log_set_level((enum log_level) - 1);
	assert_int_equal(open_on("copy.raw", NULL, false, "mine.qcow2", &l), -EINVAL);
	assert_int_equal(open_on("base.raw", NULL, false, "base.raw", &l), -EINVAL);
	assert_int_equal(open_on("base.raw", NULL, false, "copy.raw", &l), -EINVAL);
	assert_int_equal(open_on("base.raw", NULL, false, "no/where.qcow2", &l), -ENOENT);
	assert_int_equal(open_on("base.raw", NULL, false, NULL, &l), -EINVAL);
	log_set_level(LOG_INFO);
	assert_int_equal(images_sh("cmp base.raw copy.raw"), 0);
	/* By another name it is the same disk. */
	assert_int_equal(images_sh("ln -sf base.raw link.raw"), 0);
	disk_layer_close(overlay("./link.raw", false, "mine.qcow2"));
}

static void two_may_lie_on_one_disk(void **state)
{
	struct disk_layer *a, *b;
	uint8_t x[512] = { 1 }, y[512] = { 2 }, got[512];

	(void)state;
	make_base();
	a = overlay("base.raw", true, NULL);
	b = overlay("base.raw", true, NULL);
	assert_int_equal(images_write(a, 0, x, 512), 0);
	assert_int_equal(images_write(b, 0, y, 512), 0);
	assert_int_equal(images_read(a, 0, got, 512), 0);
	assert_memory_equal(got, x, 512);
	disk_layer_close(a);
	disk_layer_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_snapshot_is_written_and_leaves_nothing),
		cmocka_unit_test(a_snapshot_takes_more_than_its_cache),
		cmocka_unit_test(a_named_one_is_made_and_continued),
		cmocka_unit_test(one_that_cannot_be_made_leaves_nothing),
		cmocka_unit_test(one_on_a_qcow2_image_shows_that),
		cmocka_unit_test(one_of_another_disk_is_refused),
		cmocka_unit_test(two_may_lie_on_one_disk),
	};

	return cmocka_run_group_tests(tests, images_setup, images_teardown);
}
