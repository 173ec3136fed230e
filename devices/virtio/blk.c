/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk: a disk. (virtio 1.2, 5.2)
 *
 *   chain -> header, copied and checked -> disk_submit() with the chain's own spans
 *         -> status, virtq_push(), one interrupt a burst
 *
 * What the host has in its memory is answered inside the driver's notification, on the
 * vCPU's thread; everything else comes by blk_finished() later.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <spec/virtio-blk.h>
#include <vmm/disk.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/text.h>
#include <vmm/virtio.h>

#define QUEUE_SIZE      512 /* a request of 1 MiB in pages, its header and its status, fit */
#define QUEUES_DEFAULT  4   /* at most, and one a vCPU */
#define QUEUES_MAX      VIRTIO_QUEUES_MAX
#define SEGMENTS_MAX    32                  /* of one discard or write of zeroes */
#define DISCARD_SECTORS (UINT32_C(1) << 22) /* of a segment: 2 GiB */
#define ZEROES_SECTORS  (UINT32_C(1) << 16) /* 32 MiB: the host may have to write them */
#define FEATURE(n)      (UINT64_C(1) << (n))

struct blk {
	struct virtio_device virtio;
	struct virtio_blk_config config;
	struct disk *disk;
	struct disk_info info;
	uint32_t block_bytes;   /* logical; nothing smaller is read or written */
	struct blk_req *unused; /* done with, used again */
	int dying_queue;        /* whose requests nobody wants any more: an index, ALL or NONE */
	bool cached;            /* what the driver has chosen, if it may */
	bool writethrough;      /* a write is done when it is flushed */
	uint64_t finished[(VIRTIO_QUEUES_MAX + 63) / 64]; /* queues that may want an interrupt */
	/* Options. */
	const char *file, *format, *overlay, *serial, *aio;
	bool readonly, snapshot, direct, no_discard, no_cache;
	uint64_t queues, threads, logical_bytes, physical_bytes;
};

enum { QUEUES_NONE = -1, QUEUES_ALL = -2 };

struct blk_req {
	struct disk_req disk; /* first */
	struct blk *blk;
	struct virtq_chain *chain;
	uint8_t *status;
	uint32_t written;           /* bytes the driver gets, with the status */
	bool flushing;              /* the flush behind a write */
	unsigned segment, segments; /* at and of those below */
	struct virtio_blk_segment *list;
	struct blk_req *next;
};

static const char *const feature_names[] = {
	[VIRTIO_BLK_F_SEG_MAX] = "seg-max",
	[VIRTIO_BLK_F_RO] = "ro",
	[VIRTIO_BLK_F_BLK_SIZE] = "blk-size",
	[VIRTIO_BLK_F_FLUSH] = "flush",
	[VIRTIO_BLK_F_TOPOLOGY] = "topology",
	[VIRTIO_BLK_F_CONFIG_WCE] = "config-wce",
	[VIRTIO_BLK_F_MQ] = "mq",
	[VIRTIO_BLK_F_DISCARD] = "discard",
	[VIRTIO_BLK_F_WRITE_ZEROES] = "write-zeroes",
};

/* ---- Requests ---- */

static struct blk_req *req_new(struct blk *b, struct virtq_chain *c)
{
	struct blk_req *r = b->unused;

	if (r)
		b->unused = r->next;
	else
		r = malloc(sizeof(*r));
	if (r)
		*r = (struct blk_req){ .blk = b, .chain = c };
	return r;
}

static void req_free(struct blk_req *r)
{
	free(r->list);
	r->next = r->blk->unused;
	r->blk->unused = r;
}

static bool is_wanted(const struct blk_req *r)
{
	int dying = r->blk->dying_queue;

	return dying != QUEUES_ALL && dying != (int)virtq_index(r->chain->queue);
}

static void req_end(struct blk_req *r, uint8_t status)
{
	struct blk *b = r->blk;
	unsigned queue = virtq_index(r->chain->queue);

	if (is_wanted(r)) {
		*r->status = status;
		virtq_push(r->chain, r->written);
		b->finished[queue / 64] |= UINT64_C(1) << queue % 64;
	}
	req_free(r);
}

static void interrupt_finished(struct blk *b)
{
	for (unsigned i = 0; i < ARRAY_SIZE(b->finished); i++)
		for (; b->finished[i]; b->finished[i] &= b->finished[i] - 1)
			virtq_interrupt(virtio_queue(&b->virtio, 64 * i + (unsigned)__builtin_ctzll(b->finished[i])));
}

static void blk_finished(void *opaque) { interrupt_finished(opaque); }

static bool next_segment(struct blk_req *r);

/* What follows the part of @r that is done; false: nothing. */
static bool next_part(struct blk_req *r)
{
	if (r->segment < r->segments)
		return next_segment(r);
	if (!r->blk->writethrough || r->flushing || r->disk.op == DISK_READ || r->disk.op == DISK_FLUSH)
		return false;
	r->flushing = true;
	r->disk.op = DISK_FLUSH;
	r->disk.offset = r->disk.bytes = 0;
	return true;
}

/* Submits part after part as long as they are done at once. */
static void req_go(struct blk_req *r)
{
	do {
		if (!disk_submit(r->blk->disk, &r->disk))
			return;
	} while (!r->disk.result && next_part(r));
	req_end(r, r->disk.result ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
}

static void req_done(struct disk_req *disk)
{
	struct blk_req *r = (struct blk_req *)disk;

	if (!disk->result && is_wanted(r) && next_part(r)) {
		req_go(r);
		disk_kick(r->blk->disk);
		return;
	}
	req_end(r, disk->result ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
}

static void start(struct blk_req *r, enum disk_op op, uint64_t sector, uint64_t bytes)
{
	/* Sectors beyond 2^55 are beyond any disk; so is this, and does not wrap. */
	r->disk.offset = sector > UINT64_MAX / VIRTIO_BLK_SECTOR_BYTES ? align_down(UINT64_MAX, MIB)
								       : sector * VIRTIO_BLK_SECTOR_BYTES;
	r->disk.op = op;
	r->disk.bytes = bytes;
	r->disk.done = req_done;
}

/* ---- By type ---- */

static bool whole_blocks(const struct blk *b, uint64_t sector, uint64_t bytes)
{
	return !(bytes % b->block_bytes) && !(sector % (b->block_bytes / VIRTIO_BLK_SECTOR_BYTES));
}

static void do_read(struct blk_req *r, uint64_t sector)
{
	const struct virtq_chain *c = r->chain;

	if (!whole_blocks(r->blk, sector, c->in_bytes))
		return req_end(r, VIRTIO_BLK_S_IOERR);
	start(r, DISK_READ, sector, c->in_bytes);
	r->disk.iov = c->in;
	r->disk.iov_count = c->in_count;
	req_go(r);
}

static void do_write(struct blk_req *r, uint64_t sector)
{
	const struct virtq_chain *c = r->chain;

	if (!whole_blocks(r->blk, sector, c->out_bytes))
		return req_end(r, VIRTIO_BLK_S_IOERR);
	start(r, DISK_WRITE, sector, c->out_bytes);
	r->disk.iov = c->out;
	r->disk.iov_count = c->out_count;
	req_go(r);
}

static void do_flush(struct blk_req *r, uint64_t sector)
{
	(void)sector;
	start(r, DISK_FLUSH, 0, 0);
	req_go(r);
}

static void do_get_id(struct blk_req *r, uint64_t sector)
{
	char id[VIRTIO_BLK_ID_BYTES] = "";

	(void)sector;
	if (r->blk->serial)
		memcpy(id, r->blk->serial, strlen(r->blk->serial));
	virtq_write(r->chain, id, sizeof(id));
	req_end(r, VIRTIO_BLK_S_OK);
}

/* Takes one segment of the list; all have been checked. */
static bool next_segment(struct blk_req *r)
{
	const struct virtio_blk_segment *s = &r->list[r->segment++];

	start(r, r->disk.op, s->sector, (uint64_t)s->sectors * VIRTIO_BLK_SECTOR_BYTES);
	/* Linux asks for it whatever the configuration says. */
	r->disk.unmap = s->flags & VIRTIO_BLK_ZEROES_UNMAP && !r->blk->no_discard;
	return true;
}

/* 5.2.6.2: what is too much is an error, what is unknown unsupported. */
static uint8_t check_segment(const struct blk *b, enum disk_op op, const struct virtio_blk_segment *s)
{
	uint32_t known = op == DISK_WRITE_ZEROES ? VIRTIO_BLK_ZEROES_UNMAP : 0;
	uint32_t most = op == DISK_DISCARD ? DISCARD_SECTORS : ZEROES_SECTORS;

	if (s->flags & ~known)
		return VIRTIO_BLK_S_UNSUPP;
	if (s->sectors > most || !whole_blocks(b, s->sector, (uint64_t)s->sectors * VIRTIO_BLK_SECTOR_BYTES) ||
	    s->sector > b->config.capacity || s->sectors > b->config.capacity - s->sector)
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static void do_segments(struct blk_req *r, enum disk_op op)
{
	const uint64_t bytes = r->chain->out_bytes;
	uint8_t status = VIRTIO_BLK_S_OK;

	if (!bytes || bytes % sizeof(*r->list) || bytes > SEGMENTS_MAX * sizeof(*r->list) || r->blk->info.readonly)
		return req_end(r, VIRTIO_BLK_S_IOERR);
	r->list = malloc(bytes);
	if (!r->list)
		return req_end(r, VIRTIO_BLK_S_IOERR);
	virtq_read(r->chain, r->list, bytes);
	r->segments = (unsigned)(bytes / sizeof(*r->list));
	for (unsigned i = 0; i < r->segments && !status; i++)
		status = check_segment(r->blk, op, &r->list[i]);
	if (status)
		return req_end(r, status);
	r->disk.op = op;
	next_segment(r);
	req_go(r);
}

static void do_discard(struct blk_req *r, uint64_t sector)
{
	(void)sector;
	do_segments(r, DISK_DISCARD);
}

static void do_write_zeroes(struct blk_req *r, uint64_t sector)
{
	(void)sector;
	do_segments(r, DISK_WRITE_ZEROES);
}

static const struct {
	void (*fn)(struct blk_req *r, uint64_t sector);
	int feature; /* that it takes; -1: none */
} types[] = {
	[VIRTIO_BLK_T_IN] = { do_read, -1 },
	[VIRTIO_BLK_T_OUT] = { do_write, -1 },
	[VIRTIO_BLK_T_FLUSH] = { do_flush, -1 },
	[VIRTIO_BLK_T_GET_ID] = { do_get_id, -1 },
	[VIRTIO_BLK_T_DISCARD] = { do_discard, VIRTIO_BLK_F_DISCARD },
	[VIRTIO_BLK_T_WRITE_ZEROES] = { do_write_zeroes, VIRTIO_BLK_F_WRITE_ZEROES },
};

/* The last byte that the device may write, taken off the chain. */
static uint8_t *take_status(struct virtq_chain *c)
{
	struct iovec *last = &c->in[c->in_count - 1];

	last->iov_len--;
	c->in_bytes--;
	c->in_count -= !last->iov_len;
	return (uint8_t *)last->iov_base + last->iov_len;
}

static void handle(struct blk *b, struct virtq_chain *c)
{
	struct virtio_blk_header h;
	struct blk_req *r;
	uint32_t written = (uint32_t)c->in_bytes;

	if (virtq_read(c, &h, sizeof(h)) != sizeof(h) || !c->in_bytes) {
		virtio_broken(&b->virtio, "queue %u: a request without %s", virtq_index(c->queue),
			      c->in_bytes ? "a whole header" : "room for its status");
		return virtq_push(c, 0);
	}
	r = req_new(b, c);
	if (!r) {
		*take_status(c) = VIRTIO_BLK_S_IOERR;
		return virtq_push(c, written);
	}
	r->status = take_status(c);
	r->written = written;
	if (h.type >= ARRAY_SIZE(types) || !types[h.type].fn ||
	    (types[h.type].feature >= 0 && !virtio_has(&b->virtio, (unsigned)types[h.type].feature)))
		return req_end(r, VIRTIO_BLK_S_UNSUPP);
	types[h.type].fn(r, h.sector);
}

static void blk_notify(struct virtio_device *v, unsigned queue)
{
	struct blk *b = (struct blk *)v;
	struct virtq_chain *c;

	while ((c = virtq_pop(virtio_queue(v, queue))))
		handle(b, c);
	disk_kick(b->disk);
	interrupt_finished(b);
}

/* ---- Configuration space ---- */

static void fill_capacity(struct blk *b)
{
	disk_info(b->disk, &b->info);
	/* Of a file that grows the last block may not be whole yet. */
	b->config.capacity = align_down(b->info.bytes, b->block_bytes) / VIRTIO_BLK_SECTOR_BYTES;
}

static void fill_config(struct blk *b)
{
	const uint32_t logical = b->block_bytes;
	const uint32_t physical = b->physical_bytes ? (uint32_t)b->physical_bytes : b->info.physical_bytes;

	b->config = (struct virtio_blk_config){ .blk_size = logical };
	fill_capacity(b);
	b->config.seg_max = QUEUE_SIZE - 2;
	if (physical > logical)
		b->config.topology.physical_block_exp = (uint8_t)__builtin_ctz(physical / logical);
	b->config.topology.min_io_size = (uint16_t)(physical > logical ? physical / logical : 1);
	b->config.topology.opt_io_size = b->info.optimal_bytes / logical;
	b->config.num_queues = (uint16_t)b->queues;
	b->config.max_discard_sectors = DISCARD_SECTORS;
	b->config.max_discard_seg = SEGMENTS_MAX;
	b->config.discard_sector_alignment =
		(b->info.discard_bytes > logical ? b->info.discard_bytes : logical) / VIRTIO_BLK_SECTOR_BYTES;
	b->config.max_write_zeroes_sectors = ZEROES_SECTORS;
	b->config.max_write_zeroes_seg = 1;
	b->config.write_zeroes_may_unmap = !b->no_discard;
	b->config.writeback = b->cached;
}

static void blk_resized(void *opaque)
{
	struct blk *b = opaque;

	fill_capacity(b);
	log_info("%s: %s has %" PRIu64 " bytes now", b->virtio.dev->name, b->file, b->info.bytes);
	virtio_config_changed(&b->virtio);
}

/* Without a feature that tells them apart, a driver that cannot flush gets a cache it need not. */
static void choose_cache(struct blk *b)
{
	if (virtio_has(&b->virtio, VIRTIO_BLK_F_CONFIG_WCE))
		b->writethrough = !b->cached;
	else
		b->writethrough = !virtio_has(&b->virtio, VIRTIO_BLK_F_FLUSH) || b->no_cache;
}

/* 5.2.5.2: a driver that chooses, and cannot flush, begins with a cache it need not. */
static bool blk_accept(struct virtio_device *v, uint64_t features)
{
	struct blk *b = (struct blk *)v;

	if (features & FEATURE(VIRTIO_BLK_F_CONFIG_WCE) && !(features & FEATURE(VIRTIO_BLK_F_FLUSH))) {
		b->cached = false;
		fill_config(b);
	}
	return true;
}

static int blk_start(struct virtio_device *v)
{
	choose_cache((struct blk *)v);
	return 0;
}

/* Only the cache's mode is the driver's to write; the rest is as it was. */
static void blk_config_written(struct virtio_device *v, unsigned offset, unsigned bytes)
{
	struct blk *b = (struct blk *)v;

	(void)bytes;
	if (offset == offsetof(struct virtio_blk_config, writeback) && virtio_has(v, VIRTIO_BLK_F_CONFIG_WCE))
		b->cached = b->config.writeback;
	fill_config(b);
	choose_cache(b);
}

static void blk_reset(struct virtio_device *v)
{
	struct blk *b = (struct blk *)v;

	b->dying_queue = QUEUES_ALL;
	disk_drain(b->disk);
	b->dying_queue = QUEUES_NONE;
	memset(b->finished, 0, sizeof(b->finished));
	b->cached = !b->no_cache;
	fill_config(b);
}

static void blk_queue_reset(struct virtio_device *v, unsigned queue)
{
	struct blk *b = (struct blk *)v;

	b->dying_queue = (int)queue;
	disk_drain(b->disk);
	b->dying_queue = QUEUES_NONE;
	interrupt_finished(b);
}

static const struct virtio_type blk_virtio = {
	.id = VIRTIO_ID_BLOCK,
	.queue_size = QUEUE_SIZE,
	.feature_names = feature_names,
	.feature_name_count = ARRAY_SIZE(feature_names),
	.accept = blk_accept,
	.start = blk_start,
	.reset = blk_reset,
	.notify = blk_notify,
	.config_written = blk_config_written,
	.queue_reset = blk_queue_reset,
};

/* ---- Options ---- */

static int check_aio(const struct device *d, const char *aio)
{
	if (!aio || !strcmp(aio, "io_uring") || !strcmp(aio, "threads"))
		return 0;
	return log_err(-EINVAL, "%s: aio=%s is neither io_uring nor threads", d->said, aio);
}

static int check_number(const struct device *d, const char *name, uint64_t value, uint64_t most)
{
	if (value <= most)
		return 0;
	return log_err(-EINVAL, "%s: %s=%" PRIu64 " is more than %" PRIu64, d->said, name, value, most);
}

static int check_block(const struct device *d, const char *name, uint64_t bytes, uint64_t least, uint64_t most)
{
	if (!bytes || (bytes >= least && bytes <= most && !(bytes & (bytes - 1))))
		return 0;
	return log_err(-EINVAL, "%s: %s=%" PRIu64 " is not a power of two from %" PRIu64 " to %" PRIu64, d->said,
		       name, bytes, least, most);
}

static int check_serial(const struct device *d, const char *serial)
{
	if (!serial || strlen(serial) <= VIRTIO_BLK_ID_BYTES)
		return 0;
	return log_err(-EINVAL, "%s: serial=%s is longer than %d characters", d->said, serial, VIRTIO_BLK_ID_BYTES);
}

static int check_options(const struct device *d, const struct blk *b)
{
	int err;

	if (!b->file)
		return log_err(-EINVAL, "%s: file is missing: which one is the disk?", d->said);
	err = check_aio(d, b->aio);
	if (!err)
		err = check_serial(d, b->serial);
	if (!err)
		err = check_number(d, "queues", b->queues, QUEUES_MAX);
	if (!err)
		err = check_number(d, "threads", b->threads, DISK_THREADS_MAX);
	if (!err)
		err = check_block(d, "logical-block-size", b->logical_bytes, 512, 4096);
	if (!err)
		err = check_block(d, "physical-block-size", b->physical_bytes, 512, 64 * KIB);
	return err;
}

/* What the user wants the guest to see instead of what the file has. */
static int choose_blocks(const struct device *d, struct blk *b)
{
	b->block_bytes = b->info.logical_bytes;
	if (b->logical_bytes && b->logical_bytes < b->info.logical_bytes)
		return log_err(-EINVAL, "%s: logical-block-size=%" PRIu64 ": the file's is %u; use that or more",
			       d->said, b->logical_bytes, b->info.logical_bytes);
	if (b->logical_bytes)
		b->block_bytes = (uint32_t)b->logical_bytes;
	if (b->info.bytes % b->block_bytes)
		return log_err(-EINVAL,
			       "%s: %s: its size of %" PRIu64 " bytes is not a multiple of %u; "
			       "leave logical-block-size out",
			       d->said, b->file, b->info.bytes, b->block_bytes);
	return 0;
}

static uint64_t queues_by_vcpus(const struct device *d)
{
	unsigned vcpus = d->env->vcpu_count ? d->env->vcpu_count : 1;

	return vcpus < QUEUES_DEFAULT ? vcpus : QUEUES_DEFAULT;
}

static uint64_t features_of(const struct blk *b)
{
	uint64_t f = FEATURE(VIRTIO_BLK_F_SEG_MAX) | FEATURE(VIRTIO_BLK_F_BLK_SIZE) | FEATURE(VIRTIO_BLK_F_TOPOLOGY) |
		     FEATURE(VIRTIO_BLK_F_FLUSH) | FEATURE(VIRTIO_BLK_F_MQ);

	if (b->info.readonly)
		return f | FEATURE(VIRTIO_BLK_F_RO);
	f |= FEATURE(VIRTIO_BLK_F_CONFIG_WCE) | FEATURE(VIRTIO_BLK_F_WRITE_ZEROES);
	return !b->no_discard && b->info.discard_bytes ? f | FEATURE(VIRTIO_BLK_F_DISCARD) : f;
}

static int open_disk(struct device *d, struct blk *b)
{
	const struct disk_config cfg = {
		.said = d->said,
		.file = b->file,
		.format = b->format,
		.readonly = b->readonly,
		.snapshot = b->snapshot,
		.overlay = b->overlay,
		.direct = b->direct,
		.no_uring = b->aio && !strcmp(b->aio, "threads"),
		.threads = (unsigned)b->threads,
	};
	const struct disk_owner owner = {
		.lock = &d->lock, .finished = blk_finished, .resized = blk_resized, .opaque = b
	};

	return disk_open(&cfg, d->env->loop, &owner, &b->disk);
}

static int blk_create(struct device *d)
{
	struct blk *b = d->state;
	int err = check_options(d, b);

	if (!err)
		err = open_disk(d, b);
	if (err)
		return err;
	disk_info(b->disk, &b->info);
	if (!b->queues)
		b->queues = queues_by_vcpus(d);
	b->dying_queue = QUEUES_NONE;
	err = choose_blocks(d, b);
	if (!err) {
		fill_config(b);
		err = virtio_init(d, &blk_virtio, features_of(b), (unsigned)b->queues, &b->config, sizeof(b->config));
	}
	if (err)
		disk_close(b->disk);
	return err;
}

static void blk_destroy(struct device *d)
{
	struct blk *b = d->state;
	struct blk_req *next;

	disk_close(b->disk);
	for (struct blk_req *r = b->unused; r; r = next) {
		next = r->next;
		free(r);
	}
	virtio_fini(&b->virtio);
}

#define OPTION(name, arg, help, kind, field)                                \
	{                                                                   \
		name, arg, help, DEVICE_##kind, offsetof(struct blk, field) \
	}

static const struct device_option options[] = {
	OPTION("file", "FILE", "file, block device or URL (nbd://HOST/EXPORT)", STRING, file),
	OPTION("format", "NAME", "raw, qcow2 (by what the file begins with)", STRING, format),
	OPTION("readonly", "on|off", "the guest cannot write (off)", BOOL, readonly),
	OPTION("snapshot", "on|off", "writes go to a temporary file, FILE stays as it is (off)", BOOL, snapshot),
	OPTION("overlay", "FILE", "writes go to this file, which is created", STRING, overlay),
	OPTION("serial", "TEXT", "up to 20 characters, /dev/disk/by-id/virtio-TEXT in the guest", STRING, serial),
	OPTION("direct", "on|off", "past the host's page cache, by O_DIRECT (off)", BOOL, direct),
	OPTION("discard", "on|off", "what the guest discards makes the file smaller (on)", NOT, no_discard),
	OPTION("writeback", "on|off", "off: a write is done when it is on stable storage (on)", NOT, no_cache),
	OPTION("queues", "N", "queues, up to 64 (one a vCPU, up to 4)", COUNT, queues),
	OPTION("aio", "io_uring|threads", "who does what has to wait (io_uring where the host has it)", STRING, aio),
	OPTION("threads", "N", "workers at most, up to 64 (16)", COUNT, threads),
	OPTION("logical-block-size", "N", "smallest unit the guest can write, 512 to 4096 (512)", COUNT,
	       logical_bytes),
	OPTION("physical-block-size", "N", "unit the guest should write (the file's)", COUNT, physical_bytes),
};

static const struct device_type blk_type = {
	.name = "virtio-blk",
	.help = "disk",
	.state_bytes = sizeof(struct blk),
	.trial = "file=FILE",
	.option = "disk",
	.arg = "FILE[,KEY=VALUE...]",
	.first = "file",
	DEVICE_OPTIONS(options),
	VIRTIO_DEVICE,
	.create = blk_create,
	.destroy = blk_destroy,
};
DEVICE(virtio_blk, &blk_type);
