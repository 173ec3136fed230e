/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A disk and its driver, first a well-behaved one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <spec/virtio-blk.h>
#include <vmm/disk.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "driver.h"

#define BYTES      (1 * MIB)
#define SECTORS    (BYTES / 512)
#define FEATURE(n) (UINT64_C(1) << (n))
#define ALL        (~(FEATURE(VIRTIO_F_RING_PACKED)))

/* A disk in memory that counts, and waits if it is told to. */
static struct {
	_Atomic unsigned writes, flushes, discards, zeroes, unmaps; /* by many workers */
	unsigned pause_us; /* every request has to wait, and takes that long */
	uint8_t bytes[BYTES];
} slow;

static int slow_rw(uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags, bool write)
{
	if (slow.pause_us && flags & DISK_NOWAIT)
		return -EAGAIN;
	usleep(slow.pause_us);
	for (unsigned i = 0; i < count; offset += iov[i++].iov_len)
		memcpy(write ? slow.bytes + offset : iov[i].iov_base, write ? iov[i].iov_base : slow.bytes + offset,
		       iov[i].iov_len);
	return 0;
}

static int slow_read(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags)
{
	(void)l;
	return slow_rw(offset, iov, count, flags, false);
}

static int slow_write(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags)
{
	(void)l;
	slow.writes += !slow.pause_us || !(flags & DISK_NOWAIT);
	return slow_rw(offset, iov, count, flags, true);
}

static int slow_flush(struct disk_layer *l)
{
	(void)l;
	slow.flushes++;
	return 0;
}

static int slow_discard(struct disk_layer *l, uint64_t offset, uint64_t bytes)
{
	(void)l;
	slow.discards++;
	memset(slow.bytes + offset, 0xdd, bytes);
	return 0;
}

static int slow_zeroes(struct disk_layer *l, uint64_t offset, uint64_t bytes, bool unmap)
{
	(void)l;
	slow.zeroes++;
	slow.unmaps += unmap;
	usleep(slow.pause_us);
	memset(slow.bytes + offset, 0, bytes);
	return 0;
}

static int slow_open(struct disk_layer *l, const char *name, const struct disk_config *cfg)
{
	(void)name;
	l->info = (struct disk_info){ .bytes = BYTES,
				      .logical_bytes = 512,
				      .physical_bytes = 4096,
				      .discard_bytes = 4096,
				      .readonly = cfg->readonly };
	return 0;
}

static const struct disk_layer_type slow_type = {
	.name = "slow",
	.help = "of a test",
	.open = slow_open,
	.read = slow_read,
	.write = slow_write,
	.flush = slow_flush,
	.discard = slow_discard,
	.write_zeroes = slow_zeroes,
};
DISK_LAYER(slow, &slow_type);

/* ---- The driver ---- */

struct blk {
	struct driver *d;
	uint64_t out, in; /* buffers of 64 KiB */
};

static struct blk blk_new(const char *options, uint64_t features)
{
	char text[160];
	struct blk b;

	memset(&slow, 0, sizeof(slow));
	snprintf(text, sizeof(text), "virtio-blk,%s", options);
	b.d = driver_new(text);
	assert_non_null(b.d);
	driver_start(b.d, features);
	b.out = driver_alloc(b.d, 64 * KIB);
	b.in = driver_alloc(b.d, 64 * KIB);
	return b;
}

static bool done(struct blk *b, unsigned queue, uint32_t *written)
{
	bool any;

	pthread_mutex_lock(&b->d->dev->lock);
	any = driver_done(b->d, queue, NULL, written);
	pthread_mutex_unlock(&b->d->dev->lock);
	return any;
}

static void wait_done(struct blk *b, unsigned queue, uint32_t *written)
{
	for (unsigned i = 0; i < 20000; i++) {
		if (done(b, queue, written))
			return;
		usleep(500);
	}
	fail_msg("no answer");
}

static uint8_t *out(struct blk *b) { return driver_ptr(b->d, b->out); }
static uint8_t *in(struct blk *b) { return driver_ptr(b->d, b->in); }

static void header(struct blk *b, uint32_t type, uint64_t sector)
{
	struct virtio_blk_header h = { .type = type, .sector = sector };

	memcpy(out(b), &h, sizeof(h));
}

/* @out_bytes of data behind the header; @in_bytes before the status. Returns the status. */
static int ask(struct blk *b, uint32_t type, uint64_t sector, uint32_t out_bytes, uint32_t in_bytes)
{
	uint32_t written = 0;

	header(b, type, sector);
	in(b)[in_bytes] = 0xee;
	driver_add(b->d, 0, b->out, sizeof(struct virtio_blk_header) + out_bytes, b->in, in_bytes + 1);
	driver_notify(b->d, 0);
	wait_done(b, 0, &written);
	assert_int_equal(written, in_bytes + 1);
	return in(b)[in_bytes];
}

static uint8_t *data(struct blk *b) { return out(b) + sizeof(struct virtio_blk_header); }

static struct virtio_blk_config config(struct blk *b)
{
	struct virtio_blk_config c;

	for (unsigned i = 0; i < sizeof(c) / 4; i++) {
		uint32_t word = driver_reg(b->d, VIRTIO_MMIO_CONFIG + 4 * i);

		memcpy((char *)&c + 4 * i, &word, 4);
	}
	return c;
}

static void set_writeback(struct blk *b, uint64_t value)
{
	assert_int_equal(
		bus_access(b->d->vm.bus,
			   gpa(b->d->base + VIRTIO_MMIO_CONFIG + offsetof(struct virtio_blk_config, writeback)), 1,
			   &value, true),
		BUS_OK);
}

/* ---- Tests ---- */

static void sectors_are_written_and_read(void **state)
{
	(void)state;
	for (unsigned pause = 0; pause < 2; pause++) {
		struct blk b = blk_new("x,format=slow", ALL);

		slow.pause_us = pause;
		memset(data(&b), 0x5a, 8192);
		assert_int_equal(ask(&b, VIRTIO_BLK_T_OUT, 3, 8192, 0), VIRTIO_BLK_S_OK);
		assert_int_equal(slow.bytes[3 * 512 - 1], 0);
		assert_int_equal(slow.bytes[3 * 512], 0x5a);
		assert_int_equal(slow.bytes[3 * 512 + 8191], 0x5a);
		assert_int_equal(slow.bytes[3 * 512 + 8192], 0);
		memset(in(&b), 0, 1024);
		assert_int_equal(ask(&b, VIRTIO_BLK_T_IN, 2, 0, 1024), VIRTIO_BLK_S_OK);
		assert_int_equal(in(&b)[511], 0);
		assert_int_equal(in(&b)[512], 0x5a);
		assert_int_equal(ask(&b, VIRTIO_BLK_T_IN, SECTORS - 1, 0, 512), VIRTIO_BLK_S_OK);
		driver_free(b.d);
	}
}

static void the_configuration_says_what_the_disk_is(void **state)
{
	struct blk b = blk_new("x,format=slow,queues=3,serial=12345678901234567890", ALL);
	struct virtio_blk_config c = config(&b);

	(void)state;
	assert_int_equal(c.capacity, SECTORS);
	assert_int_equal(c.blk_size, 512);
	assert_int_equal(c.topology.physical_block_exp, 3);
	assert_int_equal(c.num_queues, 3);
	assert_int_equal(b.d->v->queue_count, 3);
	assert_int_equal(c.writeback, 1);
	assert_true(c.seg_max >= 254 && c.max_discard_seg && c.max_discard_sectors && c.max_write_zeroes_sectors);
	assert_int_equal(c.discard_sector_alignment, 8);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_GET_ID, 0, 0, 20), VIRTIO_BLK_S_OK);
	assert_memory_equal(in(&b), "12345678901234567890", 20);
	/* Shorter buffers get less. */
	assert_int_equal(ask(&b, VIRTIO_BLK_T_GET_ID, 0, 0, 3), VIRTIO_BLK_S_OK);
	driver_free(b.d);
	b = blk_new("x,format=slow,logical-block-size=4096,physical-block-size=16384", ALL);
	c = config(&b);
	assert_int_equal(c.blk_size, 4096);
	assert_int_equal(c.topology.physical_block_exp, 2);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_IN, 8, 0, 4096), VIRTIO_BLK_S_OK);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_IN, 1, 0, 4096), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_IN, 8, 0, 512), VIRTIO_BLK_S_IOERR);
	driver_free(b.d);
}

static void requests_that_cannot_be_are_errors(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t out, in;
		uint8_t status;
	} rows[] = {
		{ VIRTIO_BLK_T_IN, 0, 0, 100, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, 0, 0, 513, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, 0, 511, 0, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, SECTORS, 0, 512, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, SECTORS - 1, 0, 1024, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, SECTORS - 1, 1024, 0, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, UINT64_MAX, 512, 0, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_OUT, UINT64_C(1) << 55, 512, 0, VIRTIO_BLK_S_IOERR }, /* times 512 is 0 */
		{ VIRTIO_BLK_T_OUT, (UINT64_C(1) << 55) + 1, 512, 0, VIRTIO_BLK_S_IOERR },
		{ VIRTIO_BLK_T_IN, UINT64_MAX / 512, 0, 512, VIRTIO_BLK_S_IOERR },
		{ 2, 0, 512, 0, VIRTIO_BLK_S_UNSUPP },
		{ VIRTIO_BLK_T_SECURE_ERASE, 0, 16, 0, VIRTIO_BLK_S_UNSUPP },
		{ VIRTIO_BLK_T_GET_LIFETIME, 0, 0, 20, VIRTIO_BLK_S_UNSUPP },
		{ 0x80000000, 0, 512, 512, VIRTIO_BLK_S_UNSUPP },
		{ UINT32_MAX, 0, 0, 0, VIRTIO_BLK_S_UNSUPP },
		{ VIRTIO_BLK_T_IN, 0, 0, 0, VIRTIO_BLK_S_OK }, /* nothing, and that is there */
		{ VIRTIO_BLK_T_OUT, 0, 0, 0, VIRTIO_BLK_S_OK },
		{ VIRTIO_BLK_T_FLUSH, UINT64_MAX, 512, 512, VIRTIO_BLK_S_OK },
	};
	struct blk b = blk_new("x,format=slow", ALL);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		int got = ask(&b, rows[i].type, rows[i].sector, rows[i].out, rows[i].in);

		if (got != rows[i].status)
			fail_msg("row %u: status %d", i, got);
	}
	assert_int_equal(slow.writes, 0);
	assert_false(driver_broken(b.d));
	driver_free(b.d);
}

static void requests_without_a_header_or_a_status_break_the_device(void **state)
{
	static const struct {
		uint32_t out, in;
	} rows[] = { { 15, 513 }, { 0, 513 }, { 16, 0 }, { 528, 0 }, { 1, 0 } };

	(void)state;
	log_set_level(LOG_ERR);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct blk b = blk_new("x,format=slow", ALL);

		header(&b, rows[i].in ? VIRTIO_BLK_T_IN : VIRTIO_BLK_T_OUT, 0);
		driver_add(b.d, 0, b.out, rows[i].out, b.in, rows[i].in);
		driver_notify(b.d, 0);
		assert_true(driver_broken(b.d));
		assert_int_equal(slow.writes, 0);
		/* A reset mends it. */
		driver_start(b.d, ALL);
		assert_int_equal(ask(&b, VIRTIO_BLK_T_IN, 0, 0, 512), VIRTIO_BLK_S_OK);
		driver_free(b.d);
	}
}

static void who_may_only_read_does_not_write(void **state)
{
	struct blk b = blk_new("x,format=slow,readonly", ALL);

	(void)state;
	assert_true(driver_offered(b.d) & FEATURE(VIRTIO_BLK_F_RO));
	assert_false(driver_offered(b.d) & (FEATURE(VIRTIO_BLK_F_DISCARD) | FEATURE(VIRTIO_BLK_F_WRITE_ZEROES)));
	assert_int_equal(ask(&b, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_DISCARD, 0, 16, 0), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_IN, 0, 0, 512), VIRTIO_BLK_S_OK);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.writes + slow.flushes + slow.discards, 0);
	driver_free(b.d);
}

static int ask_segments(struct blk *b, uint32_t type, const struct virtio_blk_segment *s, unsigned count)
{
	memcpy(data(b), s, count * sizeof(*s));
	return ask(b, type, 0, count * (uint32_t)sizeof(*s), 0);
}

static void segments_are_discarded_and_zeroed(void **state)
{
	struct blk b = blk_new("x,format=slow", ALL);
	const struct virtio_blk_segment two[] = { { 8, 8, 0 }, { 32, 1, 0 } };
	const struct virtio_blk_segment zero = { 8, 2, VIRTIO_BLK_ZEROES_UNMAP };

	(void)state;
	memset(slow.bytes, 1, BYTES);
	assert_int_equal(ask_segments(&b, VIRTIO_BLK_T_DISCARD, two, 2), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.discards, 2);
	assert_int_equal(slow.bytes[8 * 512 - 1], 1);
	assert_int_equal(slow.bytes[8 * 512], 0xdd);
	assert_int_equal(slow.bytes[16 * 512 - 1], 0xdd);
	assert_int_equal(slow.bytes[16 * 512], 1);
	assert_int_equal(slow.bytes[32 * 512], 0xdd);
	assert_int_equal(ask_segments(&b, VIRTIO_BLK_T_WRITE_ZEROES, &zero, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.zeroes, 1);
	assert_int_equal(slow.unmaps, 1);
	assert_int_equal(slow.bytes[10 * 512 - 1], 0);
	assert_int_equal(slow.bytes[10 * 512], 0xdd);
	driver_free(b.d);
}

/* Zeroes must be there, too, in a file that the user wants to keep its size. */
static void without_discards_nothing_is_unmapped(void **state)
{
	struct blk b = blk_new("x,format=slow,discard=off", ALL);
	const struct virtio_blk_segment zero = { 8, 2, VIRTIO_BLK_ZEROES_UNMAP };

	(void)state;
	assert_false(b.d->features & FEATURE(VIRTIO_BLK_F_DISCARD));
	assert_int_equal(config(&b).write_zeroes_may_unmap, 0);
	assert_int_equal(ask_segments(&b, VIRTIO_BLK_T_WRITE_ZEROES, &zero, 1), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.zeroes, 1);
	assert_int_equal(slow.unmaps, 0);
	driver_free(b.d);
}

static void hostile_segments_do_nothing(void **state)
{
	static const struct {
		struct virtio_blk_segment s;
		uint8_t discard, zeroes;
	} rows[] = {
		{ { 0, 8, 2 }, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_S_UNSUPP },
		{ { 0, 8, UINT32_MAX }, VIRTIO_BLK_S_UNSUPP, VIRTIO_BLK_S_UNSUPP },
		{ { SECTORS, 1, 0 }, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR },
		{ { SECTORS - 1, 2, 0 }, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR },
		{ { UINT64_MAX, 1, 0 }, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR },
		{ { UINT64_C(1) << 55, 1, 0 }, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR },
		{ { 0, UINT32_MAX, 0 }, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR },
		{ { UINT64_MAX - 7, 8, 0 }, VIRTIO_BLK_S_IOERR, VIRTIO_BLK_S_IOERR },
	};
	struct blk b = blk_new("x,format=slow", ALL);
	struct virtio_blk_segment many[33] = { { 0, 1, 0 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		/* Behind one that would do. */
		const struct virtio_blk_segment two[] = { { 0, 1, 0 }, rows[i].s };

		assert_int_equal(ask_segments(&b, VIRTIO_BLK_T_DISCARD, two, 2), rows[i].discard);
		assert_int_equal(ask_segments(&b, VIRTIO_BLK_T_WRITE_ZEROES, two, 2), rows[i].zeroes);
	}
	many[0].flags = VIRTIO_BLK_ZEROES_UNMAP;
	assert_int_equal(ask_segments(&b, VIRTIO_BLK_T_DISCARD, many, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ask_segments(&b, VIRTIO_BLK_T_DISCARD, many, 33), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_DISCARD, 0, 0, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_DISCARD, 0, 15, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_DISCARD, 0, 17, 0), VIRTIO_BLK_S_IOERR);
	assert_int_equal(slow.discards + slow.zeroes, 0);
	assert_false(driver_broken(b.d));
	driver_free(b.d);
	b = blk_new("x,format=slow", ALL & ~(FEATURE(VIRTIO_BLK_F_DISCARD) | FEATURE(VIRTIO_BLK_F_WRITE_ZEROES)));
	assert_int_equal(ask_segments(&b, VIRTIO_BLK_T_DISCARD, &rows[0].s, 1), VIRTIO_BLK_S_UNSUPP);
	assert_int_equal(ask_segments(&b, VIRTIO_BLK_T_WRITE_ZEROES, &rows[0].s, 1), VIRTIO_BLK_S_UNSUPP);
	driver_free(b.d);
}

/* 5.2.6.2: the cache is the driver's choice, and one that cannot flush has none. */
static void a_write_is_flushed_unless_the_driver_does_so(void **state)
{
	const uint64_t wce = FEATURE(VIRTIO_BLK_F_CONFIG_WCE), flush = FEATURE(VIRTIO_BLK_F_FLUSH);
	struct blk b = blk_new("x,format=slow", ALL);

	(void)state;
	assert_int_equal(ask(&b, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.flushes, 0);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.flushes, 1);
	set_writeback(&b, 0);
	assert_int_equal(config(&b).writeback, 0);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.flushes, 2);
	set_writeback(&b, 1);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.flushes, 2);
	/* A reset puts back what the user has said. */
	set_writeback(&b, 0);
	driver_start(b.d, ALL);
	assert_int_equal(config(&b).writeback, 1);
	driver_start(b.d, ALL & ~wce);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.flushes, 2);
	driver_start(b.d, ALL & ~(wce | flush));
	assert_int_equal(ask(&b, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.flushes, 3);
	driver_start(b.d, ALL & ~flush);
	assert_int_equal(config(&b).writeback, 0);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.flushes, 4);
	driver_start(b.d, ALL);
	assert_int_equal(config(&b).writeback, 1);
	driver_free(b.d);
	b = blk_new("x,format=slow,writeback=off", ALL);
	assert_int_equal(config(&b).writeback, 0);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_OK);
	assert_int_equal(slow.flushes, 1);
	driver_free(b.d);
}

static void only_the_cache_mode_can_be_written(void **state)
{
	struct blk b = blk_new("x,format=slow", ALL);
	struct virtio_blk_config before = config(&b), after;

	(void)state;
	for (unsigned i = 0; i < sizeof(before); i += 4)
		driver_set_reg(b.d, VIRTIO_MMIO_CONFIG + i, UINT32_MAX);
	after = config(&b);
	after.writeback = before.writeback;
	assert_memory_equal(&before, &after, sizeof(before));
	driver_free(b.d);
}

static void a_burst_is_one_interrupt(void **state)
{
	struct blk b = blk_new("x,format=slow,queues=2", ALL & ~FEATURE(VIRTIO_F_EVENT_IDX));
	unsigned before;

	(void)state;
	header(&b, VIRTIO_BLK_T_IN, 0);
	before = b.d->vm.raised[b.d->dev->spi];
	for (unsigned i = 0; i < 7; i++)
		driver_add(b.d, 1, b.out, 16, b.in, 513);
	driver_notify(b.d, 1);
	assert_int_equal(b.d->vm.raised[b.d->dev->spi], before + 1);
	for (unsigned i = 0; i < 7; i++)
		assert_true(done(&b, 1, NULL));
	assert_false(done(&b, 1, NULL));
	driver_free(b.d);
}

/* How many of them are done before is a matter of luck; none is afterwards. */
static void what_is_in_flight_at_a_reset_is_forgotten(void **state)
{
	struct blk b = blk_new("x,format=slow", ALL);
	const struct virtq_used *used = b.d->queue[0].used;
	uint16_t idx;

	(void)state;
	slow.pause_us = 3000;
	header(&b, VIRTIO_BLK_T_IN, 0);
	for (unsigned i = 0; i < 7; i++)
		driver_add(b.d, 0, b.out, 16, b.in + 1024 * i, 513);
	driver_notify(b.d, 0);
	driver_set_reg(b.d, VIRTIO_MMIO_STATUS, 0);
	idx = used->idx;
	memset(in(&b), 0x77, 8 * 1024);
	usleep(30000);
	for (unsigned i = 0; i < 8 * 1024; i++)
		assert_int_equal(in(&b)[i], 0x77);
	assert_int_equal(used->idx, idx);
	slow.pause_us = 0;
	driver_start(b.d, ALL);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_IN, 0, 0, 512), VIRTIO_BLK_S_OK);
	driver_free(b.d);
}

/* What is in flight on another queue is done whole: all of its segments, and the flush of a write. */
static void a_reset_of_a_queue_leaves_the_others_alone(void **state)
{
	const struct virtio_blk_segment two[] = { { 8, 8, 0 }, { 32, 8, 0 } };
	struct blk b = blk_new("x,format=slow,queues=2,writeback=off", ALL);
	uint32_t written;

	(void)state;
	slow.pause_us = 20000;
	memset(slow.bytes, 1, BYTES);
	header(&b, VIRTIO_BLK_T_WRITE_ZEROES, 0);
	memcpy(data(&b), two, sizeof(two));
	driver_add(b.d, 1, b.out, sizeof(struct virtio_blk_header) + sizeof(two), b.in, 1);
	driver_notify(b.d, 1);
	driver_set_reg(b.d, VIRTIO_MMIO_QUEUE_SEL, 0);
	driver_set_reg(b.d, VIRTIO_MMIO_QUEUE_RESET, 1);
	wait_done(&b, 1, &written);
	assert_int_equal(in(&b)[0], VIRTIO_BLK_S_OK);
	assert_int_equal(slow.zeroes, 2);
	assert_int_equal(slow.bytes[40 * 512 - 1], 0);
	assert_int_equal(slow.flushes, 1);
	driver_free(b.d);
}

static void a_file_that_grows_is_a_larger_disk(void **state)
{
	char path[] = "/tmp/vmm-blk.XXXXXX", options[64];
	int fd = mkstemp(path);
	unsigned before;
	struct blk b;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BYTES), 0);
	snprintf(options, sizeof(options), "%s,format=raw", path);
	b = blk_new(options, ALL);
	assert_int_equal(config(&b).capacity, SECTORS);
	before = driver_reg(b.d, VIRTIO_MMIO_CONFIG_GENERATION);
	assert_int_equal(ftruncate(fd, 2 * BYTES), 0);
	for (unsigned i = 0; i < 100 && config(&b).capacity == SECTORS; i++)
		fake_loop_ms(b.d->vm.loop, 100);
	assert_int_equal(config(&b).capacity, 2 * SECTORS);
	assert_int_not_equal(driver_reg(b.d, VIRTIO_MMIO_CONFIG_GENERATION), before);
	assert_true(driver_reg(b.d, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(ask(&b, VIRTIO_BLK_T_IN, 2 * SECTORS - 1, 0, 512), VIRTIO_BLK_S_OK);
	driver_free(b.d);
	close(fd);
	unlink(path);
}

static void only_whole_blocks_are_added(void **state)
{
	char path[] = "/tmp/vmm-blk.XXXXXX", options[80];
	int fd = mkstemp(path);
	struct blk b;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BYTES), 0);
	snprintf(options, sizeof(options), "%s,format=raw,logical-block-size=4096", path);
	b = blk_new(options, ALL);
	assert_int_equal(ftruncate(fd, BYTES + 8192 + 512), 0);
	for (unsigned i = 0; i < 100 && config(&b).capacity == SECTORS; i++)
		fake_loop_ms(b.d->vm.loop, 100);
	assert_int_equal(config(&b).capacity, SECTORS + 16);
	driver_free(b.d);
	close(fd);
	unlink(path);
}

static void options_are_checked(void **state)
{
	static const char *const rows[][2] = {
		{ "readonly=on", "file is missing" },
		{ "x,format=slow,serial=123456789012345678901", "serial=123456789012345678901 is longer than 20" },
		{ "x,format=slow,queues=65", "queues=65 is more than 64" },
		{ "x,format=slow,threads=65", "threads=65 is more than 64" },
		{ "x,format=slow,aio=native", "aio=native is neither io_uring nor threads" },
		{ "x,format=slow,discard=unmap", "discard=unmap is neither on nor off" },
		{ "x,format=slow,writeback=no", "writeback=no is neither on nor off" },
		{ "x,format=slow,logical-block-size=1000", "a power of two from 512 to 4096" },
		{ "x,format=slow,logical-block-size=8192", "a power of two from 512 to 4096" },
		{ "x,format=slow,physical-block-size=1", "a power of two from 512 to 65536" },
		{ "x,format=slow,cache=none", "no option \"cache\"" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		char options[100], *text;

		snprintf(options, sizeof(options), "virtio-blk,%s", rows[i][0]);
		stderr_begin();
		assert_null(driver_new(options));
		text = stderr_end();
		if (!strstr(text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sectors_are_written_and_read),
		cmocka_unit_test(the_configuration_says_what_the_disk_is),
		cmocka_unit_test(requests_that_cannot_be_are_errors),
		cmocka_unit_test(requests_without_a_header_or_a_status_break_the_device),
		cmocka_unit_test(who_may_only_read_does_not_write),
		cmocka_unit_test(segments_are_discarded_and_zeroed),
		cmocka_unit_test(without_discards_nothing_is_unmapped),
		cmocka_unit_test(hostile_segments_do_nothing),
		cmocka_unit_test(a_write_is_flushed_unless_the_driver_does_so),
		cmocka_unit_test(only_the_cache_mode_can_be_written),
		cmocka_unit_test(a_burst_is_one_interrupt),
		cmocka_unit_test(what_is_in_flight_at_a_reset_is_forgotten),
		cmocka_unit_test(a_reset_of_a_queue_leaves_the_others_alone),
		cmocka_unit_test(a_file_that_grows_is_a_larger_disk),
		cmocka_unit_test(only_whole_blocks_are_added),
		cmocka_unit_test(options_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
