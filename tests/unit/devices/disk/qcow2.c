/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qemu-img makes images and judges ours; random requests are compared with a plain copy. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <endian.h>
#include <cmocka.h>
#include <spec/qcow2.h>
#include <vmm/err.h>
#include "images.h"

/* As qemu-img sees it: sound, nothing leaked, and the same as the model. */
static void judge(const struct model *m, const char *file)
{
	assert_int_equal(images_sh("qemu-img check %s", file), 0);
	model_save(m, "model.raw");
	assert_int_equal(images_sh("qemu-img compare -f raw -F qcow2 model.raw %s", file), 0);
}

/* Random requests, a look by qemu-img, and the same again with what is there now. */
static void exercise(const char *file, unsigned count, uint64_t seed)
{
	struct disk_layer *l = images_open(file, NULL, false);
	struct model m = model_of(l, seed);

	for (unsigned i = 0; i < 3; i++) {
		model_run(&m, l, count);
		model_compare(&m, l);
		disk_layer_close(l);
		judge(&m, file);
		l = images_open(file, NULL, false);
		model_compare(&m, l);
	}
	disk_layer_close(l);
	model_free(&m);
}

static void random_requests_give_what_a_plain_disk_gives(void **state)
{
	static const char *const options[] = {
		"compat=1.1,cluster_size=512",
		"compat=1.1,cluster_size=4096,refcount_bits=1",
		"compat=1.1,cluster_size=1024,refcount_bits=2",
		"compat=1.1,cluster_size=512,refcount_bits=64",
		"compat=1.1,cluster_size=65536,refcount_bits=8",
		"compat=1.1,cluster_size=65536,lazy_refcounts=on",
		"compat=1.1,cluster_size=2M",
		"compat=0.10,cluster_size=65536",
		"compat=0.10,cluster_size=512",
		"compat=1.1,preallocation=metadata",
	};

	(void)state;
	images_need("qemu-img");
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		unlink("a.qcow2");
		assert_int_equal(
			images_sh("qemu-img create -f qcow2 -o %s a.qcow2 %u", options[i], 9 * 1024 * 1024 + 1536),
			0);
		exercise("a.qcow2", 400, i);
	}
}

static void a_file_grows_beyond_its_first_refcount_table(void **state)
{
	struct disk_layer *l;
	struct model m;

	(void)state;
	images_need("qemu-img");
	/* 512-byte clusters and counters of 64 bits: a cluster of the table counts 2 MiB. */
	assert_int_equal(images_sh("qemu-img create -f qcow2 -o cluster_size=512,refcount_bits=64 grow.qcow2 24M"),
			 0);
	l = images_open("grow.qcow2", NULL, false);
	m = model_of(l, 1);
	for (uint64_t i = 0; i < m.bytes; i += 8)
		memcpy(m.data + i, &i, 8);
	for (uint64_t at = 0; at < m.bytes; at += MIB)
		assert_int_equal(images_write(l, at, m.data + at, MIB), 0);
	disk_layer_close(l);
	judge(&m, "grow.qcow2");
	model_free(&m);
}

static void make_raw(const char *file, uint64_t bytes, uint64_t seed)
{
	FILE *f = fopen(file, "we");

	assert_non_null(f);
	for (uint64_t i = 0; i < bytes; i += 512) {
		char sector[512] = "";

		/* Some sectors are zeroes, most can be compressed. */
		if (images_random(&seed, 4))
			for (unsigned k = 0; k < 512; k += 16)
				snprintf(sector + k, 16, "%llx", (unsigned long long)images_random(&seed, 1 << 16));
		assert_int_equal(fwrite(sector, 1, 512, f), 512);
	}
	fclose(f);
}

static void backing_files_show_through_until_written(void **state)
{
	static const char *const options[] = { "compat=1.1", "compat=0.10", "compat=1.1,cluster_size=4k",
					       "cluster_size=2M" };

	(void)state;
	images_need("qemu-img");
	make_raw("base.raw", 3 * MIB + 512, 77);
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		assert_int_equal(images_sh("rm -rf mid.qcow2 sub && mkdir sub && cp base.raw copy.raw && "
					   "qemu-img create -f qcow2 -b base.raw -F raw mid.qcow2 4M && "
					   "qemu-io -c 'write -P 7 100k 300k' mid.qcow2 && "
					   "qemu-img create -f qcow2 -o %s -b ../mid.qcow2 -F qcow2 sub/top.qcow2 5M",
					   options[i]),
				 0);
		exercise("sub/top.qcow2", 300, i);
		assert_int_equal(images_sh("cmp base.raw copy.raw"), 0);
	}
}

static void compressed_clusters_are_read_and_written_over(void **state)
{
	static const char *const options[] = { "compression_type=zlib", "compression_type=zstd",
					       "compression_type=zstd,cluster_size=2M", "compat=0.10",
					       "compression_type=zlib,cluster_size=512" };

	(void)state;
	images_need("qemu-img");
	make_raw("plain.raw", 5 * MIB, 5);
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		struct disk_layer *l;
		struct model m;

		assert_int_equal(images_sh("qemu-img convert -c -O qcow2 -o %s plain.raw c.qcow2", options[i]), 0);
		l = images_open("c.qcow2", NULL, true);
		m = model_of(l, i);
		m.can_write = m.can_zero = m.can_discard = false;
		model_run(&m, l, 300);
		disk_layer_close(l);
		judge(&m, "c.qcow2");
		model_save(&m, "model.raw");
		assert_int_equal(images_sh("cmp model.raw plain.raw"), 0);
		model_free(&m);
		exercise("c.qcow2", 200, i);
	}
}

static void internal_snapshots_keep_what_they_had(void **state)
{
	static const char *const options[] = { "compat=1.1", "compat=0.10", "cluster_size=512" };

	(void)state;
	images_need("qemu-img");
	make_raw("plain.raw", 3 * MIB, 9);
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		assert_int_equal(
			images_sh(
				"qemu-img convert -O qcow2 -o %s plain.raw s.qcow2 && qemu-img snapshot -c one s.qcow2 && "
				"qemu-io -c 'write -P 9 1M 64k' s.qcow2 && qemu-img snapshot -c two s.qcow2",
				options[i]),
			0);
		exercise("s.qcow2", 200, i);
		assert_int_equal(
			images_sh("qemu-img snapshot -a one s.qcow2 && qemu-img compare plain.raw s.qcow2 && "
				  "qemu-img check s.qcow2"),
			0);
	}
}

/* ---- Many at once ---- */

#define THREADS 4

struct worker {
	struct disk_layer *l;
	unsigned number;
	pthread_t thread;
};

/* Each has every fourth sector, so that all share clusters. */
static void *scribble(void *opaque)
{
	struct worker *w = opaque;
	uint64_t seed = w->number + 100, sectors = w->l->info.bytes / 512;
	uint8_t b[512], got[512];

	for (unsigned i = 0; i < 3000; i++) {
		uint64_t s = images_random(&seed, sectors / THREADS) * THREADS + w->number;

		if (i % 500 == 499 && w->l->type->flush(w->l))
			abort();
		memset(b, (int)(i + w->number) | 1, sizeof(b));
		if (images_write(w->l, s * 512, b, 512) || images_read(w->l, s * 512, got, 512) ||
		    memcmp(b, got, 512))
			abort();
	}
	return NULL;
}

/* Beside them one that takes places away from where nobody writes. */
static void *churn(void *opaque)
{
	struct worker *w = opaque;
	uint64_t half = w->l->info.bytes;
	uint8_t *b = calloc(1, 128 * KIB);

	for (unsigned i = 0; i < 300; i++) {
		memset(b, (int)i, 128 * KIB);
		if (images_write(w->l, half - MIB, b, 128 * KIB) || w->l->type->discard(w->l, half - MIB, MIB))
			abort();
	}
	free(b);
	return NULL;
}

static void many_threads_share_clusters(void **state)
{
	struct disk_layer *l, view;
	struct worker w[THREADS + 1];
	struct model m;

	(void)state;
	images_need("qemu-img");
	assert_int_equal(images_sh("qemu-img create -f qcow2 t.qcow2 9M"), 0);
	l = images_open("t.qcow2", NULL, false);
	view = *l;
	view.info.bytes -= MIB;
	for (unsigned i = 0; i <= THREADS; i++) {
		w[i] = (struct worker){ .l = i < THREADS ? &view : l, .number = i };
		pthread_create(&w[i].thread, NULL, i < THREADS ? scribble : churn, &w[i]);
	}
	for (unsigned i = 0; i <= THREADS; i++)
		pthread_join(w[i].thread, NULL);
	m = model_of(l, 1);
	disk_layer_close(l);
	judge(&m, "t.qcow2");
	model_free(&m);
}

/* ---- Ends that nobody planned ---- */

#define BLOCKS 1024u

/* What is on stable storage, as the guest may believe. */
struct promise {
	_Atomic uint32_t written[BLOCKS], flushed[BLOCKS];
};

static void block_fill(uint8_t *b, uint32_t block, uint32_t version)
{
	for (unsigned i = 0; i < 4096; i += 8)
		memcpy(b + i, (uint32_t[]){ block + i, version }, 8);
}

/* Clusters come and go behind the blocks, so that their places are used again. */
static void churn_behind(struct disk_layer *l, uint64_t *seed)
{
	static const uint8_t noise[64 * 1024] = { 1, 2, 3 };
	uint64_t at = BLOCKS * 8192ull + images_random(seed, 60) * 64 * KIB;

	if (images_random(seed, 2))
		images_write(l, at, noise, sizeof(noise));
	else
		l->type->discard(l, at, 4 * 64 * KIB);
}

static void promise_run(struct promise *p, struct disk_layer *l, uint64_t seed, unsigned count)
{
	uint32_t copy[BLOCKS];
	uint8_t b[4096];

	for (unsigned n = 0; n < count; n++) {
		if (!images_random(&seed, 4))
			churn_behind(l, &seed);
		uint32_t block = (uint32_t)images_random(&seed, BLOCKS), version = p->written[block] + 1;

		block_fill(b, block, version);
		if (images_write(l, block * 8192ull, b, 4096))
			return;
		p->written[block] = version;
		if (images_random(&seed, 12))
			continue;
		memcpy(copy, p->written, sizeof(copy));
		if (l->type->flush(l))
			return;
		for (unsigned i = 0; i < BLOCKS; i++)
			p->flushed[i] = copy[i];
	}
}

/* Each sector is as it was when it was flushed, or newer, and whole. */
static void promise_check(const struct promise *p, struct disk_layer *l)
{
	uint8_t b[4096], want[4096];

	for (uint32_t i = 0; i < BLOCKS; i++) {
		assert_int_equal(images_read(l, i * 8192ull, b, 4096), 0);
		for (unsigned at = 0; at < 4096; at += 512) {
			uint32_t version, flushed = p->flushed[i];

			memcpy(&version, b + at + 4, 4);
			if (!version && !flushed)
				continue;
			assert_in_range(version, flushed, p->written[i] + 1);
			block_fill(want, i, version);
			assert_memory_equal(b + at, want + at, 512);
		}
	}
}

/* What a dead process has left is what the next one finds. */
static void promise_renew(struct promise *p, const char *file)
{
	struct disk_layer *l = images_open(file, NULL, true);
	uint32_t b[1024];

	for (unsigned i = 0; i < BLOCKS; i++) {
		assert_int_equal(images_read(l, i * 8192ull, b, 4096), 0);
		p->written[i] = p->flushed[i] = b[1];
	}
	disk_layer_close(l);
}

static void a_killed_process_loses_nothing_that_was_flushed(void **state)
{
	struct promise *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = 3;

	(void)state;
	images_need("qemu-img");
	assert_int_equal(images_sh("qemu-img create -f qcow2 -o cluster_size=16k k.qcow2 12M"), 0);
	for (unsigned i = 0; i < 25; i++) {
		struct disk_layer *l;
		pid_t child = fork();
		int status;

		if (!child) {
			promise_run(p, images_open("k.qcow2", NULL, false), i + 1, 1u << 30);
			_exit(1);
		}
		usleep((useconds_t)(1000 + images_random(&seed, 20000)));
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		assert_true(WIFSIGNALED(status));
		status = images_sh("qemu-img check k.qcow2 || test $? = 3"); /* 3: leaks and nothing else */
		assert_int_equal(status, 0);
		l = images_open("k.qcow2", NULL, true);
		promise_check(p, l);
		disk_layer_close(l);
		/* What was written and not flushed may be there or not. */
		promise_renew(p, "k.qcow2");
	}
	munmap(p, sizeof(*p));
}

/*
 * A file with a cache that power fails: of what was written since the last flush, any part may be there.
 * "cut:///path"
 */
struct cut {
	struct disk_layer *file;
	struct kept {
		uint64_t offset, bytes;
		uint8_t *old;
	} * kept;
	unsigned count, room;
	uint64_t limit; /* the host has no room behind it; 0: it has */
	bool sick;      /* flushes fail */
	pthread_mutex_t lock;
};

static struct cut *cut_now; /* the one that is open */

static int cut_open(struct disk_layer *l, const char *name, const struct disk_config *cfg)
{
	struct cut *c = l->state;
	int err = disk_layer_open(name + strlen("cut://"), "raw", cfg, &l->below);

	if (err)
		return err;
	pthread_mutex_init(&c->lock, NULL);
	c->file = l->below;
	l->info = c->file->info;
	cut_now = c;
	return 0;
}

static void cut_forget(struct cut *c)
{
	while (c->count)
		free(c->kept[--c->count].old);
}

static void cut_close(struct disk_layer *l)
{
	cut_forget(l->state);
	free(((struct cut *)l->state)->kept);
}

static int cut_read(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags)
{
	return l->below->type->read(l->below, offset, iov, count, flags);
}

static int cut_write(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags)
{
	struct cut *c = l->state;
	struct kept k = { .offset = offset };
	int err;

	for (unsigned i = 0; i < count; i++)
		k.bytes += iov[i].iov_len;
	if (c->limit && offset + k.bytes > c->limit)
		return -ENOSPC;
	k.old = malloc(k.bytes);
	pthread_mutex_lock(&c->lock);
	images_read(c->file, offset, k.old, k.bytes);
	if (c->count == c->room) {
		c->room = c->room * 2 + 16;
		c->kept = realloc(c->kept, c->room * sizeof(k));
	}
	c->kept[c->count++] = k;
	err = c->file->type->write(c->file, offset, iov, count, flags);
	pthread_mutex_unlock(&c->lock);
	return err;
}

static int cut_flush(struct disk_layer *l)
{
	if (((struct cut *)l->state)->sick)
		return -EIO;
	cut_forget(l->state);
	return 0;
}

/* Takes back, from the last on, what did not get there. A write that stays covers those before it. */
static void cut_power(struct cut *c, uint64_t seed)
{
	uint8_t *gone = calloc(1, 64 * MIB / 512);
	unsigned keep = (unsigned)images_random(&seed, 4);

	/* Sectors get there or not, each by itself; each write of a sector may be the last that did. */
	for (unsigned i = c->count; i--;) {
		struct kept *k = &c->kept[i];

		for (uint64_t at = 0; at < k->bytes; at += 512) {
			uint8_t *done = &gone[(k->offset + at) / 512];

			if (*done || images_random(&seed, 4) < keep) {
				*done = 1;
				continue;
			}
			images_write(c->file, k->offset + at, k->old + at, 512);
		}
	}
	free(gone);
	cut_forget(c);
}

static const struct disk_layer_type cut_type = {
	.name = "cut",
	.help = "a test's",
	.scheme = "cut",
	.state_bytes = sizeof(struct cut),
	.open = cut_open,
	.close = cut_close,
	.read = cut_read,
	.write = cut_write,
	.flush = cut_flush,
};
DISK_LAYER(cut, &cut_type);

static void power_that_fails_leaves_an_image_that_is_sound(void **state)
{
	static const char *const options[] = { "cluster_size=16k", "cluster_size=512,refcount_bits=64",
					       "cluster_size=64k -b base.raw -F raw" };
	char name[300], here[256];

	(void)state;
	images_need("qemu-img");
	make_raw("base.raw", 4 * MIB, 3);
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(name, sizeof(name), "cut://%s/cut.qcow2", here);
	for (unsigned i = 0; i < 30; i++) {
		struct promise *p = calloc(1, sizeof(*p));
		struct disk_layer *l;

		assert_int_equal(
			images_sh("rm -f cut.qcow2; qemu-img create -f qcow2 -o %s cut.qcow2 12M", options[i % 3]),
			0);
		/* Every block has a version, so that nothing of the backing file looks like one. */
		l = images_open("cut.qcow2", NULL, false);
		promise_run(p, l, 1000 + i, 200);
		for (uint32_t k = 0; k < BLOCKS; k++) {
			uint8_t b[4096];

			block_fill(b, k, ++p->written[k]);
			if (i % 3 == 2 || !(k % 4))
				assert_int_equal(images_write(l, k * 8192ull, b, 4096), 0);
			else
				p->written[k]--;
		}
		disk_layer_close(l);
		memcpy(p->flushed, p->written, sizeof(p->written));
		l = images_open(name, "qcow2", false);
		promise_run(p, l, i + 1, 150 + i * 7);
		/* The process ends, and so does the power; what it still wants to write is not written. */
		cut_power(cut_now, i + 1);
		assert_int_equal(images_sh("cp cut.qcow2 after.qcow2; qemu-img check after.qcow2 || test $? = 3"), 0);
		disk_layer_close(l);
		l = images_open("after.qcow2", NULL, false);
		promise_check(p, l);
		disk_layer_close(l);
		free(p);
	}
}

static void a_host_disk_that_is_full_gives_errors_and_no_damage(void **state)
{
	uint8_t *b = malloc(64 * KIB);
	char name[300], here[256];
	struct disk_layer *l;
	unsigned failed = 0;
	struct model m;

	(void)state;
	images_need("qemu-img");
	assert_non_null(getcwd(here, sizeof(here)));
	snprintf(name, sizeof(name), "cut://%s/full.qcow2", here);
	assert_int_equal(images_sh("rm -f full.qcow2; qemu-img create -f qcow2 -o cluster_size=4k full.qcow2 16M"),
			 0);
	l = images_open(name, "qcow2", false);
	m = model_of(l, 4);
	cut_now->limit = 3 * MIB;
	for (unsigned i = 0; i < 400; i++) {
		uint64_t at = images_random(&m.seed, 16 * MIB / 512 - 128) * 512,
			 bytes = 512 + images_random(&m.seed, 127) * 512;
		int err;

		memset(b, (int)i | 1, bytes);
		cut_now->sick = i % 16 == 3;
		err = images_write(l, at, b, bytes);
		if (!err)
			memcpy(m.data + at, b, bytes);
		else /* a part of it may be there */
			assert_int_equal(images_read(l, at, m.data + at, bytes), 0);
		failed += err != 0;
		if (cut_now->sick)
			assert_int_equal(l->type->flush(l), -EIO);
		else if (i % 16 == 9)
			l->type->flush(l);
	}
	assert_true(failed > 10);
	model_compare(&m, l);
	/* There is room again. */
	cut_now->limit = 0;
	cut_now->sick = false;
	model_run(&m, l, 200);
	disk_layer_close(l);
	judge(&m, "full.qcow2");
	model_free(&m);
	free(b);
}

/* ---- What is refused ---- */

/* Writes bytes over a place of the header. */
static void poke(const char *file, uint64_t offset, const void *bytes, size_t count)
{
	int fd = open(file, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, count, (off_t)offset), count);
	close(fd);
}

static void hostile_headers_are_refused(void **state)
{
	static const struct {
		const char *what;
		uint64_t offset;
		uint8_t bytes[8];
		size_t count;
	} bad[] = {
		{ "version", 4, { 0, 0, 0, 9 }, 4 },
		{ "version 0", 4, { 0, 0, 0, 0 }, 4 },
		{ "a name beyond the cluster", 8, { 0, 0, 1, 0, 0, 0, 0, 0 }, 8 },
		{ "clusters too small", 20, { 0, 0, 0, 8 }, 4 },
		{ "clusters too large", 20, { 0, 0, 0, 22 }, 4 },
		{ "clusters far too large", 20, { 0xff, 0xff, 0xff, 0xff }, 4 },
		{ "size that L1 cannot have", 24, { 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 8 },
		{ "negative size", 24, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 8 },
		{ "encryption", 32, { 0, 0, 0, 1 }, 4 },
		{ "no L1", 36, { 0, 0, 0, 0 }, 4 },
		{ "large L1", 36, { 0x7f, 0xff, 0xff, 0xff }, 4 },
		{ "L1 not at a cluster", 40, { 0, 0, 0, 0, 0, 3, 0, 1 }, 8 },
		{ "L1 far away", 40, { 0x80, 0, 0, 0, 0, 3, 0, 0 }, 8 },
		{ "refcount table not at a cluster", 48, { 0, 0, 0, 0, 0, 1, 2, 0 }, 8 },
		{ "no refcount table", 56, { 0, 0, 0, 0 }, 4 },
		{ "large refcount table", 56, { 0, 1, 0, 0 }, 4 },
		{ "many snapshots", 60, { 0, 2, 0, 0 }, 4 },
		{ "an external data file", 72, { 0, 0, 0, 0, 0, 0, 0, 4 }, 8 },
		{ "extended L2", 72, { 0, 0, 0, 0, 0, 0, 0, 16 }, 8 },
		{ "what nobody knows", 72, { 0x80, 0, 0, 0, 0, 0, 0, 0 }, 8 },
		{ "refcounts too wide", 96, { 0, 0, 0, 7 }, 4 },
		{ "short header", 100, { 0, 0, 0, 72 }, 4 },
		{ "long header", 100, { 0, 1, 0, 8 }, 4 },
		{ "a compression nobody knows", 104, { 2 }, 1 },
		{ "a compression without its bit", 104, { 1 }, 1 },
		{ "a bit without its compression", 72, { 0, 0, 0, 0, 0, 0, 0, 8 }, 8 },
		{ "a long extension", 116, { 0x7f, 0xff, 0xff, 0xff }, 4 },
	};

	(void)state;
	images_need("qemu-img");
	assert_int_equal(images_sh("qemu-img create -f qcow2 good.qcow2 64M"), 0);
	assert_int_equal(images_try("good.qcow2", NULL, false), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(images_sh("cp good.qcow2 bad.qcow2"), 0);
		poke("bad.qcow2", bad[i].offset, bad[i].bytes, bad[i].count);
		if (!images_try("bad.qcow2", "qcow2", true))
			fail_msg("opened with %s", bad[i].what);
	}
	assert_int_equal(images_sh("truncate -s 0 empty.qcow2"), 0);
	assert_int_equal(images_try("empty.qcow2", "qcow2", true), -EINVAL);
}

/* What is in a file beside data reaches somebody's terminal. */
static void names_that_a_terminal_would_obey_are_refused(void **state)
{
	uint8_t at[8];
	int fd;

	(void)state;
	images_need("qemu-img");
	assert_int_equal(
		images_sh("truncate -s 1M plain.raw && qemu-img create -f qcow2 -b plain.raw -F raw p.qcow2"), 0);
	assert_int_equal(images_try("p.qcow2", NULL, true), 0);
	fd = open("p.qcow2", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, at, 8, 8), 8);
	close(fd);
	poke("p.qcow2", (uint64_t)at[6] << 8 | at[7], "\033[2J", 4);
	assert_int_equal(images_try("p.qcow2", NULL, true), -EINVAL);
}

static void features_that_are_not_there_are_refused_by_name(void **state)
{
	(void)state;
	images_need("qemu-img");
	assert_int_equal(images_sh("qemu-img create -f qcow2 -o extended_l2=on e.qcow2 1M && "
				   "qemu-img create -f qcow2 -o data_file=d.raw d.qcow2 1M && "
				   "qemu-img create -f qcow2 l.qcow2 1M"),
			 0);
	poke("l.qcow2", 32, "\0\0\0\2", 4); /* LUKS; qemu-img itself fails at times, by what its clock says */
	assert_int_equal(images_try("e.qcow2", NULL, true), -ENOTSUP);
	assert_int_equal(images_try("d.qcow2", NULL, true), -ENOTSUP);
	assert_int_equal(images_try("l.qcow2", NULL, true), -ENOTSUP);
	/* Version 1 has other things where the features stand: it is the version that is wrong with it. */
	assert_int_equal(images_sh("qemu-img create -f qcow v1.qcow 1M"), 0);
	assert_int_equal(images_try("v1.qcow", "qcow2", true), -EINVAL);
}

static void a_chain_that_comes_back_to_itself_is_refused(void **state)
{
	(void)state;
	images_need("qemu-img");
	assert_int_equal(
		images_sh(
			"qemu-img create -f qcow2 x.qcow2 1M; qemu-img create -f qcow2 -b x.qcow2 -F qcow2 y.qcow2; "
			"qemu-img create -f qcow2 -b y.qcow2 -F qcow2 z.qcow2; qemu-img rebase -u -b z.qcow2 -F qcow2 x.qcow2"),
		0);
	assert_int_equal(images_try("x.qcow2", NULL, true), -ELOOP);
	assert_int_equal(images_try("y.qcow2", NULL, false), -ELOOP);
	assert_int_equal(images_sh("qemu-img rebase -u -b ./x.qcow2 -F qcow2 x.qcow2"), 0);
	assert_int_equal(images_try("x.qcow2", NULL, true), -ELOOP);
	/* A long one that does not. */
	assert_int_equal(
		images_sh("qemu-img create -f qcow2 0.qcow2 1M; for i in $(seq 100); do cp 0.qcow2 $i.qcow2; "
			  "qemu-img rebase -u -b $((i - 1)).qcow2 -F qcow2 $i.qcow2; done"),
		0);
	assert_int_equal(images_try("40.qcow2", NULL, true), 0);
	assert_int_equal(images_try("100.qcow2", NULL, true), -ELOOP);
	assert_int_equal(images_sh("qemu-img rebase -u -b gone.qcow2 -F qcow2 x.qcow2"), 0);
	assert_int_equal(images_try("x.qcow2", NULL, true), -ENOENT);
}

static void marks_in_the_header_are_honoured(void **state)
{
	struct disk_layer *l;
	struct disk_check found;
	uint8_t b[512];

	(void)state;
	images_need("qemu-img");
	/* Corrupt: to be read, not to be written. */
	assert_int_equal(images_sh("qemu-img create -f qcow2 m.qcow2 1M && qemu-io -c 'write -P 5 0 1M' m.qcow2"), 0);
	poke("m.qcow2", 79, "\2", 1);
	assert_int_equal(images_try("m.qcow2", NULL, false), -EUCLEAN);
	l = images_open("m.qcow2", NULL, true);
	assert_int_equal(images_read(l, 0, b, 512), 0);
	assert_int_equal(b[0], 5);
	assert_int_equal(images_write(l, 0, b, 512), -EROFS);
	disk_layer_close(l);
	/* Dirty: the counters are anything; here they are all zero. */
	assert_int_equal(
		images_sh(
			"qemu-img create -f qcow2 -o lazy_refcounts=on n.qcow2 1M && qemu-io -c 'write -P 5 0 1M' n.qcow2"),
		0);
	poke("n.qcow2", 79, "\1", 1);
	poke("n.qcow2", 2 * 65536, (uint8_t[64]){ 0 }, 64);
	l = images_open("n.qcow2", NULL, false);
	disk_layer_close(l);
	assert_int_equal(images_sh("qemu-img check n.qcow2 && ! qemu-img info n.qcow2 | grep -i 'corrupt: true'"), 0);
	l = images_open("n.qcow2", NULL, false);
	assert_int_equal(l->type->check(l, false, &found), 0);
	assert_int_equal(found.errors + found.leaks, 0);
	assert_int_equal(found.data_bytes, MIB);
	disk_layer_close(l);
	/* Dirty, with leaks that can be repaired and one error that cannot: data behind the end of the file. */
	poke("n.qcow2", 79, "\1", 1);
	poke("n.qcow2", 2 * 65536 + 2 * 100, "\0\1\0\1\0\1", 6);
	poke("n.qcow2", 4 * 65536 + 8, (uint8_t[8]){ 0x80, 0, 0x10 }, 8);
	assert_int_equal(images_try("n.qcow2", NULL, false), -EUCLEAN);
	assert_int_equal(images_try("n.qcow2", NULL, true), 0);
}

static uint64_t peek(const char *file, uint64_t offset)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	uint64_t v;

	assert_int_equal(pread(fd, &v, 8, (off_t)offset), 8);
	close(fd);
	return be64toh(v);
}

/* Where the counters of clusters in use are missing, or lie where they cannot, there is no room to put them. */
static void a_repair_of_counters_takes_nothing_that_is_in_use(void **state)
{
	enum { NOWHERE, ALL_NOWHERE, ASKEW, BEHIND_THE_END, ON_L1, ON_DATA, ON_EACH_OTHER, CASES };
	static const char *const options[] = { "cluster_size=1k", "cluster_size=512,refcount_bits=64",
					       "cluster_size=64k" };

	(void)state;
	images_need("qemu-img");
	make_raw("plain.raw", 3 * MIB, 21);
	for (unsigned i = 0; i < CASES * ARRAY_SIZE(options); i++) {
		uint8_t nothing[512] = "", entry[8];
		uint64_t table, old, l2;
		struct disk_check found;
		struct disk_layer *l;

		assert_int_equal(images_sh("qemu-img convert -O qcow2 -o %s plain.raw v.qcow2", options[i / CASES]),
				 0);
		/* The second block, where there are so many. */
		table = peek("v.qcow2", 48) + (i / CASES == 2 ? 0 : 8);
		old = peek("v.qcow2", table);
		l2 = peek("v.qcow2", peek("v.qcow2", 40)) & QCOW2_ENTRY_OFFSET;
		for (unsigned k = 0; k < 8; k++) {
			const uint64_t entries[CASES] = {
				[ASKEW] = old + 512,
				[BEHIND_THE_END] = GIB,
				[ON_L1] = peek("v.qcow2", 40),
				[ON_DATA] = peek("v.qcow2", l2 + 24) & QCOW2_ENTRY_OFFSET,
				[ON_EACH_OTHER] = peek("v.qcow2", peek("v.qcow2", 48)),
			};

			entry[k] = (uint8_t)(entries[i % CASES] >> (56 - 8 * k));
		}
		if (i % CASES == ALL_NOWHERE)
			poke("v.qcow2", peek("v.qcow2", 48), nothing, 512);
		else
			poke("v.qcow2", table, entry, 8);
		l = images_open("v.qcow2", NULL, false);
		assert_int_equal(l->type->check(l, false, &found), 0);
		assert_true(found.errors || (i % CASES == ON_EACH_OTHER && i / CASES == 2));
		assert_int_equal(l->type->check(l, true, &found), 0);
		assert_int_equal(found.errors + found.leaks, found.repaired);
		disk_layer_close(l);
		assert_int_equal(images_sh("qemu-img check v.qcow2 && qemu-img compare plain.raw v.qcow2"), 0);
		exercise("v.qcow2", 50, i);
	}
}

/* Nothing that a file says keeps a check from its end. */
static void a_check_says_what_is_wrong_with_snapshots(void **state)
{
	static const uint8_t bad[][8] = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0 },
					  { 0x40, 0, 0, 0, 0, 0, 0, 0 },
					  { 0, 0, 0, 0, 0, 1, 0, 1 } };
	struct disk_check found;
	struct disk_layer *l;

	(void)state;
	images_need("qemu-img");
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(images_sh("qemu-img create -f qcow2 s.qcow2 1M && qemu-img snapshot -c a s.qcow2"),
				 0);
		poke("s.qcow2", peek("s.qcow2", 64), bad[i], 8);
		l = images_open("s.qcow2", NULL, true);
		assert_int_equal(l->type->check(l, false, &found), 0);
		assert_int_equal(found.errors, 1);
		disk_layer_close(l);
	}
}

/* A small file with holes whose few tables name places all over it. */
static void a_check_does_not_take_all_memory(void **state)
{
	enum { TABLES = 1100, ENTRIES = 64 };
	uint8_t *tables = calloc(TABLES, ENTRIES * 8), *l1 = calloc(TABLES, 8);
	uint64_t apart = 4096 * 512, at = 32 * MIB, place = 64 * MIB;
	struct disk_check found;
	struct disk_layer *l;

	(void)state;
	images_need("qemu-img");
	assert_int_equal(images_sh("qemu-img create -f qcow2 -o cluster_size=512 wide.qcow2 1G && "
				   "truncate -s 160G wide.qcow2"),
			 0);
	for (unsigned i = 0; i < TABLES; i++) {
		uint64_t entry = htobe64((at + i * 512) | QCOW2_ENTRY_COPIED);

		memcpy(l1 + i * 8, &entry, 8);
		for (unsigned k = 0; k < ENTRIES; k++, place += apart) {
			entry = htobe64(place | QCOW2_ENTRY_COPIED);
			memcpy(tables + (i * ENTRIES + k) * 8, &entry, 8);
		}
	}
	poke("wide.qcow2", at, tables, (size_t)TABLES * ENTRIES * 8);
	poke("wide.qcow2", peek("wide.qcow2", 40), l1, (size_t)TABLES * 8);
	l = images_open("wide.qcow2", NULL, true);
	assert_int_equal(l->type->check(l, false, &found), -ENOMEM);
	disk_layer_close(l);
	assert_int_equal(unlink("wide.qcow2"), 0);
	free(tables);
	free(l1);
}

/* A guest may have a sector in pieces of a byte. */
static void requests_in_crumbs_are_done(void **state)
{
	uint8_t b[2048], got[2048];
	struct iovec iov[2048];
	struct disk_layer *l;

	(void)state;
	images_need("qemu-img");
	assert_int_equal(
		images_sh("truncate -s 1M plain.raw && qemu-img create -f qcow2 -b plain.raw -F raw c.qcow2"), 0);
	l = images_open("c.qcow2", NULL, false);
	/* To a new cluster, then in place. */
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 2048; i++) {
			b[i] = (uint8_t)(i * 7 + round);
			iov[i] = (struct iovec){ b + i, 1 };
		}
		assert_int_equal(l->type->write(l, 512, iov, 2048, 0), 0);
		assert_int_equal(images_read(l, 512, got, 2048), 0);
		assert_memory_equal(got, b, 2048);
	}
	for (unsigned at = 512; at < 65536 * 3; at += 65536) {
		assert_int_equal(images_read(l, at, got, 2048), 0);
		assert_int_equal(l->type->read(l, at, iov, 2048, 0), 0);
		assert_memory_equal(got, b, 2048);
	}
	disk_layer_close(l);
}

static void what_lies_where_metadata_lie_is_not_written(void **state)
{
	struct disk_layer *l;
	uint8_t b[512] = { 1 }, entry[8] = { 0x80, 0, 0, 0, 0, 1, 0, 0 }; /* the refcount table */

	(void)state;
	images_need("qemu-img");
	assert_int_equal(images_sh("qemu-img create -f qcow2 o.qcow2 1M && qemu-io -c 'write -P 5 0 64k' o.qcow2"),
			 0);
	poke("o.qcow2", 4 * 65536, entry, 8);
	l = images_open("o.qcow2", NULL, false);
	assert_int_equal(images_write(l, 0, b, 512), -EIO);
	assert_int_equal(images_write(l, 128 * KIB, b, 512), -EIO);
	assert_int_equal(images_read(l, 128 * KIB, b, 512), 0);
	disk_layer_close(l);
	assert_int_equal(images_try("o.qcow2", NULL, false), -EUCLEAN);
}

static void what_is_created_is_what_qemu_img_takes(void **state)
{
	static const uint32_t clusters[] = { 0, 512, 4096, 2 * 1024 * 1024 };
	const struct disk_layer_type *t = disk_layer_type_find("qcow2");

	(void)state;
	images_need("qemu-img");
	make_raw("base.raw", 3 * MIB, 11);
	for (unsigned i = 0; i < ARRAY_SIZE(clusters); i++) {
		unlink("new.qcow2");
		assert_int_equal(t->create(&(struct disk_create){
					 .file = "new.qcow2", .bytes = GIB, .cluster_bytes = clusters[i] }),
				 0);
		assert_int_equal(images_sh("qemu-img check new.qcow2"), 0);
		unlink("new.qcow2");
		assert_int_equal(t->create(&(struct disk_create){ .file = "new.qcow2",
								  .bytes = 3 * MIB,
								  .cluster_bytes = clusters[i],
								  .backing = "base.raw",
								  .backing_format = "raw" }),
				 0);
		assert_int_equal(images_sh("qemu-img compare base.raw new.qcow2"), 0);
		exercise("new.qcow2", 100, i);
	}
	assert_int_equal(t->create(&(struct disk_create){ .file = "new.qcow2", .bytes = MIB }), -EEXIST);
}

static void room_is_given_back(void **state)
{
	struct disk_layer *l;
	uint8_t *b = malloc(8 * MIB);
	struct stat before, after;

	(void)state;
	images_need("qemu-img");
	memset(b, 1, 8 * MIB);
	assert_int_equal(images_sh("qemu-img create -f qcow2 r.qcow2 8M"), 0);
	l = images_open("r.qcow2", NULL, false);
	assert_int_equal(images_write(l, 0, b, 8 * MIB), 0);
	assert_int_equal(l->type->flush(l), 0);
	assert_int_equal(stat("r.qcow2", &before), 0);
	assert_int_equal(l->type->discard(l, 0, 8 * MIB), 0);
	assert_int_equal(l->type->flush(l), 0);
	assert_int_equal(stat("r.qcow2", &after), 0);
	assert_true(before.st_blocks * 512 >= 8 * (off_t)MIB);
	assert_true(after.st_blocks * 512 < (off_t)MIB);
	/* And it is used again. */
	assert_int_equal(images_write(l, 0, b, 8 * MIB), 0);
	disk_layer_close(l);
	assert_int_equal(stat("r.qcow2", &after), 0);
	assert_true(after.st_size <= before.st_size + 65536 * 2);
	assert_int_equal(images_sh("qemu-img check r.qcow2"), 0);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_requests_give_what_a_plain_disk_gives),
		cmocka_unit_test(a_file_grows_beyond_its_first_refcount_table),
		cmocka_unit_test(backing_files_show_through_until_written),
		cmocka_unit_test(compressed_clusters_are_read_and_written_over),
		cmocka_unit_test(internal_snapshots_keep_what_they_had),
		cmocka_unit_test(many_threads_share_clusters),
		cmocka_unit_test(a_killed_process_loses_nothing_that_was_flushed),
		cmocka_unit_test(power_that_fails_leaves_an_image_that_is_sound),
		cmocka_unit_test(a_host_disk_that_is_full_gives_errors_and_no_damage),
		cmocka_unit_test(hostile_headers_are_refused),
		cmocka_unit_test(names_that_a_terminal_would_obey_are_refused),
		cmocka_unit_test(features_that_are_not_there_are_refused_by_name),
		cmocka_unit_test(a_chain_that_comes_back_to_itself_is_refused),
		cmocka_unit_test(marks_in_the_header_are_honoured),
		cmocka_unit_test(a_repair_of_counters_takes_nothing_that_is_in_use),
		cmocka_unit_test(a_check_says_what_is_wrong_with_snapshots),
		cmocka_unit_test(a_check_does_not_take_all_memory),
		cmocka_unit_test(requests_in_crumbs_are_done),
		cmocka_unit_test(what_lies_where_metadata_lie_is_not_written),
		cmocka_unit_test(what_is_created_is_what_qemu_img_takes),
		cmocka_unit_test(room_is_given_back),
	};

	return cmocka_run_group_tests(tests, images_setup, images_teardown);
}
