/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: opening, where all is checked that can be checked once, and creating.
 *
 * The file is anybody's. What is read from it becomes a size of memory only after a limit, and an offset only after
 * a look at its alignment; what lies beyond the end of the file reads as zeroes.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "qcow2.h"

#define HEAD_BYTES      4096
#define L1_BYTES_MAX    (32 * MIB)
#define TABLE_BYTES_MAX (8 * MIB)
#define L2_CACHE_MAX    (32 * MIB)
#define REF_CACHE_BYTES MIB
#define DEPTH_MAX       64
#define SNAPSHOTS_MAX   65536

#define CLUSTER_DEFAULT (64 * KIB)

/* ---- Numbers of the header ---- */

static void swap32(uint32_t *v) { *v = be32toh(*v); }
static void swap64(uint64_t *v) { *v = be64toh(*v); }

/* To the host's order and back. */
static void header_swap(struct qcow2_header *h)
{
	swap32(&h->magic);
	swap32(&h->version);
	swap64(&h->backing_offset);
	swap32(&h->backing_bytes);
	swap32(&h->cluster_bits);
	swap64(&h->size);
	swap32(&h->crypt_method);
	swap32(&h->l1_count);
	swap64(&h->l1_offset);
	swap64(&h->reftable_offset);
	swap32(&h->reftable_clusters);
	swap32(&h->snapshot_count);
	swap64(&h->snapshots_offset);
	swap64(&h->incompatible);
	swap64(&h->compatible);
	swap64(&h->autoclear);
	swap32(&h->refcount_order);
	swap32(&h->header_bytes);
}

/* @err, said if it is one. */
static int say_failed(struct qcow2 *q, const char *what, int err)
{
	return err ? log_err(err, "disk %s: %s: %s", q->l->name, what, strerror(-err)) : 0;
}

static int refuse(struct qcow2 *q, const char *what, uint64_t value, const char *limit)
{
	return log_err(-EINVAL, "disk %s: qcow2 with %s %" PRIu64 "; %s", q->l->name, what, value, limit);
}

static const char *const incompatible[] = {
	[QCOW2_INCOMPAT_DATA_FILE] = "an external data file",
	[QCOW2_INCOMPAT_EXTENDED_L2] = "extended L2 entries",
};

static int check_features(struct qcow2 *q)
{
	const struct qcow2_header *h = &q->header;
	uint64_t known = 1u << QCOW2_INCOMPAT_DIRTY | 1u << QCOW2_INCOMPAT_CORRUPT | 1u << QCOW2_INCOMPAT_COMPRESSION;

	/* First: of another one all else would be misread. */
	if (h->version < 2 || h->version > 3)
		return refuse(q, "version", h->version, "there are 2 and 3");
	for (unsigned i = 0; i < 64; i++) {
		if (!bit(h->incompatible & ~known, i))
			continue;
		return log_err(
			-ENOTSUP,
			"disk %s: qcow2 with %s (incompatible feature %u) is not supported; qemu-img convert makes one without",
			q->l->name,
			i < ARRAY_SIZE(incompatible) && incompatible[i] ? incompatible[i] : "something unknown", i);
	}
	if (h->crypt_method)
		return log_err(
			-ENOTSUP,
			"disk %s: qcow2 with encryption (method %u) is not supported; qemu-img convert makes one without",
			q->l->name, h->crypt_method);
	if (h->compression > QCOW2_COMPRESSION_ZSTD)
		return refuse(q, "compression type", h->compression, "there are 0 (zlib) and 1 (zstd)");
	if ((h->compression != QCOW2_COMPRESSION_ZLIB) != bit(h->incompatible, QCOW2_INCOMPAT_COMPRESSION))
		return refuse(q, "compression type", h->compression,
			      "incompatible feature 3 says that it is another");
	if (bit(h->incompatible, QCOW2_INCOMPAT_CORRUPT) && !q->l->info.readonly && !q->metadata_only)
		return log_err(
			-EUCLEAN,
			"disk %s: the image is marked as corrupt; vmm disk check --repair %s, or open it readonly",
			q->l->name, q->l->name);
	return 0;
}

static int check_table(struct qcow2 *q, const char *what, uint64_t offset)
{
	if (offset && !(offset & (q->cluster_bytes - 1)) && offset < UINT64_C(1) << 55)
		return 0;
	return refuse(q, what, offset, "it must be the offset of a cluster");
}

static int check_numbers(struct qcow2 *q)
{
	struct qcow2_header *h = &q->header;
	uint64_t clusters, l1_needed;
	int err;

	if (h->cluster_bits < QCOW2_CLUSTER_BITS_MIN || h->cluster_bits > QCOW2_CLUSTER_BITS_MAX)
		return refuse(q, "cluster bits", h->cluster_bits, "there are 9 to 21");
	if (h->refcount_order > QCOW2_REFCOUNT_ORDER_MAX)
		return refuse(q, "refcount order", h->refcount_order, "there are 0 to 6");
	q->cluster_bits = h->cluster_bits;
	q->cluster_bytes = UINT64_C(1) << q->cluster_bits;
	q->l2_bits = q->cluster_bits - 3;
	q->block_bits = q->cluster_bits + 3 - h->refcount_order;
	if (q->cluster_bytes < q->file->info.logical_bytes)
		return refuse(q, "clusters of bytes", q->cluster_bytes,
			      "the host's blocks here are larger: leave out direct=on");
	if (h->header_bytes < QCOW2_HEADER_BYTES_V3 || h->header_bytes > q->cluster_bytes || h->header_bytes % 8)
		return refuse(q, "a header of bytes", h->header_bytes,
			      "it must be 104 or more, and fit into a cluster");
	if (h->size > INT64_MAX)
		return refuse(q, "size", h->size, "that is no size of a disk");
	clusters = (h->size >> q->cluster_bits) + ((h->size & (q->cluster_bytes - 1)) != 0);
	l1_needed = (clusters >> q->l2_bits) + ((clusters & ((UINT64_C(1) << q->l2_bits) - 1)) != 0);
	if (h->l1_count > L1_BYTES_MAX / 8 || l1_needed > h->l1_count)
		return refuse(q, "L1 entries", h->l1_count,
			      "the size needs another number, or more than 32 MiB of them");
	if (h->reftable_clusters > TABLE_BYTES_MAX >> q->cluster_bits || !h->reftable_clusters)
		return refuse(q, "refcount table clusters", h->reftable_clusters, "at least one, and 8 MiB at most");
	if (h->snapshot_count > SNAPSHOTS_MAX)
		return refuse(q, "snapshots", h->snapshot_count, "65536 at most");
	err = h->l1_count ? check_table(q, "an L1 table at", h->l1_offset) : 0;
	if (!err && h->snapshot_count)
		err = check_table(q, "a snapshot table at", h->snapshots_offset);
	return err ? err : check_table(q, "a refcount table at", h->reftable_offset);
}

/* ---- Extensions, and the name of the backing file ---- */

/* People see it in messages, and their terminals obey some characters. */
static int read_text(struct qcow2 *q, const char *what, const uint8_t *p, size_t bytes, char **text)
{
	for (size_t i = 0; i < bytes && p[i]; i++)
		if (p[i] < ' ' || p[i] == 0x7f)
			return refuse(q, what, i, "is a control character; qemu-img rebase -u names another file");
	*text = strndup((const char *)p, bytes);
	return *text ? 0 : -ENOMEM;
}

static int read_extensions(struct qcow2 *q, const uint8_t *head, uint64_t head_bytes)
{
	uint64_t at = q->header.version == 2 ? QCOW2_HEADER_BYTES_V2 : q->header.header_bytes;
	uint64_t end = q->header.backing_offset && q->header.backing_offset < head_bytes ? q->header.backing_offset
											 : head_bytes;

	while (at + 8 <= end) {
		uint32_t type, bytes;

		memcpy(&type, head + at, 4);
		memcpy(&bytes, head + at + 4, 4);
		swap32(&type);
		swap32(&bytes);
		at += 8;
		if (type == QCOW2_EXT_END)
			return 0;
		if (bytes > end - at)
			return refuse(q, "a header extension of bytes", bytes,
				      "it does not fit into the header's cluster");
		if (type == QCOW2_EXT_BACKING_FORMAT && !q->backing_format) {
			int err = read_text(q, "a backing format whose byte", head + at, bytes, &q->backing_format);

			if (err)
				return err;
		}
		q->has_bitmaps |= type == QCOW2_EXT_BITMAPS && bit(q->header.autoclear, QCOW2_AUTOCLEAR_BITMAPS);
		at = align_up(at + bytes, 8);
	}
	return 0;
}

static int read_backing_name(struct qcow2 *q, const uint8_t *head, uint64_t head_bytes)
{
	const struct qcow2_header *h = &q->header;

	if (!h->backing_offset)
		return 0;
	if (h->backing_bytes > QCOW2_BACKING_NAME_MAX || h->backing_offset > head_bytes ||
	    h->backing_bytes > head_bytes - h->backing_offset)
		return refuse(q, "a backing file's name of bytes", h->backing_bytes,
			      "1023 at most, within the first cluster");
	return read_text(q, "a backing file's name whose byte", head + h->backing_offset, h->backing_bytes,
			 &q->backing_name);
}

static int read_header(struct qcow2 *q)
{
	static const char header_unread[] = "its header cannot be read";
	struct qcow2_header *h = &q->header;
	uint8_t *head = qcow2_buffer(HEAD_BYTES);
	uint64_t bytes;
	int err = say_failed(q, header_unread, head ? qcow2_pread(q, head, HEAD_BYTES, 0) : -ENOMEM);

	if (!err) {
		memcpy(h, head, sizeof(*h));
		header_swap(h);
		if (h->magic != QCOW2_MAGIC)
			err = log_err(-EINVAL, "disk %s: not a qcow2 image; leave out format=qcow2", q->l->name);
	}
	if (!err && h->version == 2) {
		h->incompatible = h->compatible = h->autoclear = 0;
		h->refcount_order = QCOW2_REFCOUNT_ORDER_V2;
		h->header_bytes = QCOW2_HEADER_BYTES_V3;
	}
	if (!err && (h->version == 2 || h->header_bytes <= QCOW2_HEADER_BYTES_V3))
		h->compression = QCOW2_COMPRESSION_ZLIB;
	if (!err)
		err = check_features(q);
	if (!err)
		err = check_numbers(q);
	/* Names stand in the first cluster, which may be larger than what was read. */
	bytes = err ? 0 : q->cluster_bytes;
	free(head);
	if (err)
		return err;
	head = qcow2_buffer(bytes);
	err = say_failed(q, header_unread, head ? qcow2_pread(q, head, bytes, 0) : -ENOMEM);
	if (!err)
		err = read_extensions(q, head, bytes);
	if (!err)
		err = read_backing_name(q, head, bytes);
	free(head);
	return err;
}

/* The fixed part; extensions and names stay. */
int qcow2_header_write(struct qcow2 *q)
{
	uint64_t bytes = q->cluster_bytes < HEAD_BYTES ? q->cluster_bytes : HEAD_BYTES;
	uint8_t *head = qcow2_buffer(bytes);
	struct qcow2_header h = q->header;
	int err = head ? qcow2_pread(q, head, bytes, 0) : -ENOMEM;

	header_swap(&h);
	if (!err) {
		memcpy(head, &h, q->header.version == 2 ? QCOW2_HEADER_BYTES_V2 : QCOW2_HEADER_BYTES_V3);
		err = qcow2_pwrite(q, head, bytes, 0);
	}
	if (!err && !q->transient)
		err = q->file->type->flush(q->file);
	free(head);
	return err;
}

int qcow2_corrupt(struct qcow2 *q, const char *what, uint64_t value)
{
	if (q->corrupt)
		return -EIO;
	q->corrupt = true;
	log_err(0,
		"disk %s: the image is corrupt: %s 0x%" PRIx64
		"; what is there stays readable, and nothing is written any more: vmm disk check %s",
		q->l->name, what, value, q->l->name);
	if (!q->l->info.readonly && q->header.version >= 3) {
		q->header.incompatible |= 1u << QCOW2_INCOMPAT_CORRUPT;
		qcow2_header_write(q);
	}
	return -EIO;
}

/* ---- Tables ---- */

/* @count entries that memory has room for up to a multiple of 512, so that whole sectors can be written. */
static int read_table(struct qcow2 *q, uint64_t offset, uint32_t count, uint64_t **entries)
{
	uint64_t bytes = align_up((uint64_t)count * 8, HEAD_BYTES);
	uint8_t *b;
	int err;

	*entries = calloc(1, bytes ? bytes : HEAD_BYTES);
	if (!*entries || !count)
		return *entries ? 0 : -ENOMEM;
	bytes = align_up((uint64_t)count * 8, q->cluster_bytes < HEAD_BYTES ? q->cluster_bytes : HEAD_BYTES);
	b = qcow2_buffer(bytes);
	err = b ? qcow2_pread(q, b, bytes, offset) : -ENOMEM;
	for (uint32_t i = 0; i < count && !err; i++)
		(*entries)[i] = qcow2_get64(b + (size_t)i * 8);
	free(b);
	return err;
}

static int read_tables(struct qcow2 *q)
{
	uint64_t l2_bytes = align_up(q->header.size >> (q->cluster_bits - 3), 4096);
	int err;

	q->l1_count = q->header.l1_count;
	q->reftable_count = (uint32_t)(((uint64_t)q->header.reftable_clusters << q->cluster_bits) / 8);
	err = read_table(q, q->header.l1_offset, q->l1_count, &q->l1);
	if (!err)
		err = read_table(q, q->header.reftable_offset, q->reftable_count, &q->reftable);
	/* All of a disk's L2 tables, up to a limit; memory is taken as it is used. */
	if (!err)
		err = qcow2_cache_init(&q->l2, q->file, q->cluster_bytes,
				       l2_bytes < L2_CACHE_MAX ? l2_bytes + 256 * KIB : L2_CACHE_MAX, true);
	if (!err)
		err = qcow2_cache_init(&q->ref, q->file, q->cluster_bytes, REF_CACHE_BYTES, false);
	return err;
}

/* ---- Backing file ---- */

/* The format of the layer that has the bytes of @name as they are. */
static const char *bytes_of(const char *name) { return disk_is_url(name) ? NULL : "raw"; }

/* QEMU's words for it: there may be none, and some say only how to get at the bytes. */
static const char *format_of(const char *name, const char *format)
{
	static const char *const plain[] = { "raw", "file", "host_device", "nbd" };

	if (!format || !format[0])
		return NULL;
	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++)
		if (!strcmp(format, plain[i]))
			return bytes_of(name);
	return format;
}

static char *resolve(const struct qcow2 *q, const char *name)
{
	const char *backing = q->backing_name;

	return disk_name_beside(name, strncmp(backing, "file:", 5) ? backing : backing + 5);
}

static const struct disk_layer *opener_of(const struct disk_layer *l)
{
	return l->type == &qcow2_type ? ((struct qcow2 *)l->state)->above : NULL;
}

/* Is the file @name one that lies on us already? */
static int check_chain(struct qcow2 *q, const char *name)
{
	unsigned depth = 0;
	struct stat a, b;

	for (const struct disk_layer *l = q->l; l; l = opener_of(l), depth++)
		if (!stat(name, &a) && !stat(l->name, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
			return log_err(
				-ELOOP,
				"disk %s: its backing file %s lies on it again; qemu-img rebase -u names another",
				q->l->name, name);
	if (depth >= DEPTH_MAX)
		return log_err(
			-ELOOP,
			"disk %s: more than %d backing files below each other; qemu-img commit makes fewer of them",
			q->l->name, DEPTH_MAX);
	return 0;
}

static int open_backing(struct qcow2 *q, const char *name, const struct disk_config *cfg)
{
	struct disk_config c = *cfg;
	char *path;
	int err;

	if (!q->backing_name || !q->backing_name[0] || q->metadata_only)
		return 0;
	if (!strncmp(q->backing_name, "json:", 5))
		return log_err(
			-ENOTSUP,
			"disk %s: a backing file named by json: is not supported; qemu-img rebase -u gives it a path",
			q->l->name);
	path = resolve(q, name);
	if (!path)
		return -ENOMEM;
	c.file = path;
	c.format = format_of(path, q->backing_format);
	c.readonly = true;
	c.snapshot = c.growing = false;
	c.overlay = NULL;
	c.above = q->l;
	err = check_chain(q, path);
	if (!err)
		err = disk_layer_open(path, c.format, &c, &q->backing);
	if (err)
		log_err(0, "disk %s: its backing file %s cannot be opened", q->l->name, path);
	else if (q->backing->info.logical_bytes > q->file->info.logical_bytes)
		q->l->info.logical_bytes = q->backing->info.logical_bytes;
	free(path);
	return err;
}

/* ---- Opening ---- */

/*
 * What is not kept up to date here says so by its bit; and so does what is unknown, before a repair takes its
 * clusters for free. A repair changes no data, so to it bitmaps stay true.
 */
static int clear_autoclear(struct qcow2 *q)
{
	uint64_t keep = q->metadata_only ? UINT64_C(1) << QCOW2_AUTOCLEAR_BITMAPS : 0;

	if (!(q->header.autoclear & ~keep))
		return 0;
	if (q->has_bitmaps && !keep)
		log_warn("disk %s: its persistent bitmaps are not kept up to date here, and are marked as void: a "
			 "backup that goes by them has to be a whole one again",
			 q->l->name);
	q->header.autoclear &= keep;
	return say_failed(q, "its header cannot be written", qcow2_header_write(q));
}

static int count_again(struct qcow2 *q)
{
	struct disk_check found = { 0 };
	int err;

	log_warn("disk %s: the image was not closed; its refcounts are counted again", q->l->name);
	err = qcow2_check(q->l, true, &found);
	if (!err && found.errors + found.leaks > found.repaired)
		err = log_err(-EUCLEAN,
			      "disk %s: %" PRIu64
			      " errors could not be repaired; open it readonly, or try qemu-img check -r all",
			      q->l->name, found.errors + found.leaks - found.repaired);
	return err;
}

static int begin_writing(struct qcow2 *q)
{
	int err = q->l->info.readonly ? 0 : clear_autoclear(q);

	if (err || q->l->info.readonly || q->metadata_only || !bit(q->header.incompatible, QCOW2_INCOMPAT_DIRTY))
		return err;
	return count_again(q);
}

int qcow2_header_open(struct qcow2 *q, const char *name, const struct disk_config *cfg)
{
	struct disk_config below = *cfg;
	struct disk_layer *l = q->l;
	int err;

	below.growing = true;
	below.above = l;
	below.snapshot = false;
	below.overlay = NULL;
	err = disk_layer_open(name, bytes_of(name), &below, &l->below);
	if (err)
		return err;
	q->file = l->below;
	q->above = cfg->above;
	q->metadata_only = cfg->metadata_only;
	q->file_end = align_up(q->file->info.bytes, 4096);
	l->info = (struct disk_info){
		.logical_bytes = q->file->info.logical_bytes,
		.physical_bytes = 4096,
		.readonly = cfg->readonly || q->file->info.readonly,
	};
	err = read_header(q);
	if (!err)
		err = say_failed(q, "its tables cannot be read", read_tables(q));
	if (!err)
		err = open_backing(q, name, cfg);
	if (err)
		return err;
	l->info.bytes = align_down(q->header.size, l->info.logical_bytes);
	l->info.optimal_bytes = (uint32_t)q->cluster_bytes;
	l->info.discard_bytes = l->info.readonly ? 0 : (uint32_t)q->cluster_bytes;
	return begin_writing(q);
}

/* ---- Creating ---- */

struct plan {
	uint64_t table, blocks, l1, clusters; /* clusters of each, and of all with the header */
	uint32_t l1_count;
};

static uint64_t div_up(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }

static int make_plan(const struct disk_create *c, uint32_t cluster, struct plan *p)
{
	uint64_t per_block = cluster / 2, coverage = (uint64_t)cluster * (cluster / 8);

	p->l1_count = (uint32_t)div_up(c->bytes, coverage);
	if (div_up(c->bytes, coverage) > L1_BYTES_MAX / 8)
		return log_err(-EFBIG,
			       "%s: %" PRIu64
			       " bytes are too many for clusters of %u; larger clusters, up to 2M, can have more",
			       c->file, c->bytes, cluster);
	p->l1 = div_up((uint64_t)p->l1_count * 8, cluster);
	p->table = p->blocks = 1;
	do {
		p->clusters = 1 + p->table + p->blocks + p->l1;
		p->blocks = div_up(p->clusters, per_block);
		p->table = div_up(p->blocks * 8, cluster);
	} while (p->clusters < 1 + p->table + p->blocks + p->l1);
	p->clusters = 1 + p->table + p->blocks + p->l1;
	return 0;
}

static void put32(uint8_t **p, uint32_t v)
{
	v = htobe32(v);
	memcpy(*p, &v, 4);
	*p += 4;
}

/* The first cluster: header, the backing file's format, its name. */
static int fill_head(uint8_t *b, const struct disk_create *c, uint32_t cluster, const struct plan *p)
{
	size_t name = c->backing ? strlen(c->backing) : 0, format = c->backing_format ? strlen(c->backing_format) : 0;
	struct qcow2_header h = {
		.magic = QCOW2_MAGIC,
		.version = 3,
		.cluster_bits = (uint32_t)__builtin_ctz(cluster),
		.size = c->bytes,
		.l1_count = p->l1_count,
		.l1_offset = (1 + p->table + p->blocks) * cluster,
		.reftable_offset = cluster,
		.reftable_clusters = (uint32_t)p->table,
		.refcount_order = QCOW2_REFCOUNT_ORDER_V2,
		.header_bytes = QCOW2_HEADER_BYTES_V3,
	};
	size_t at = QCOW2_HEADER_BYTES_V3 + (name ? 8 + align_up(format, 8) : 0) + 8;
	uint8_t *ext = b + QCOW2_HEADER_BYTES_V3;

	if (name > QCOW2_BACKING_NAME_MAX || at + name > cluster)
		return log_err(
			-ENAMETOOLONG,
			"%s: the name of the backing file has %zu bytes, and %zu have room; use a relative one",
			c->file, name, cluster - at < QCOW2_BACKING_NAME_MAX ? cluster - at : QCOW2_BACKING_NAME_MAX);
	if (name) {
		h.backing_offset = at;
		h.backing_bytes = (uint32_t)name;
		put32(&ext, QCOW2_EXT_BACKING_FORMAT);
		put32(&ext, (uint32_t)format);
		memcpy(ext, c->backing_format, format);
		memcpy(b + at, c->backing, name);
	}
	header_swap(&h);
	memcpy(b, &h, QCOW2_HEADER_BYTES_V3);
	return 0;
}

static int write_at(int fd, const uint8_t *b, size_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t n = pwrite(fd, b, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENOSPC;
		b += n;
		bytes -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int qcow2_create_fd(int fd, const struct disk_create *c)
{
	uint32_t cluster = c->cluster_bytes ? c->cluster_bytes : CLUSTER_DEFAULT;
	struct plan p = { 0 };
	uint64_t head;
	uint8_t *b;
	int err;

	if (cluster & (cluster - 1) || cluster < 1u << QCOW2_CLUSTER_BITS_MIN ||
	    cluster > 1u << QCOW2_CLUSTER_BITS_MAX)
		return log_err(-EINVAL, "%s: clusters of %u bytes; there are powers of two from 512 to 2M", c->file,
			       cluster);
	err = make_plan(c, cluster, &p);
	if (err)
		return err;
	/* L1 is zeroes: a hole. */
	head = (1 + p.table + p.blocks) * cluster;
	b = calloc(1, head);
	if (!b)
		return -ENOMEM;
	err = fill_head(b, c, cluster, &p);
	for (uint64_t i = 0; i < p.blocks; i++)
		qcow2_put64(b + cluster + i * 8, (1 + p.table + i) * cluster);
	for (uint64_t i = 0; i < p.clusters; i++)
		b[(1 + p.table) * cluster + i * 2 + 1] = 1;
	if (!err && (err = write_at(fd, b, head, 0) ?: ftruncate(fd, (off_t)(p.clusters * cluster)) ? -errno : 0))
		log_err(0, "%s: cannot be written: %s", c->file, strerror(-err));
	free(b);
	return err;
}

int qcow2_create(const struct disk_create *c)
{
	int fd = open(c->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666), err;

	if (fd < 0)
		return log_err(-errno, "%s: cannot be created: %s", c->file, strerror(errno));
	err = qcow2_create_fd(fd, c);
	if (!err && fsync(fd))
		err = log_err(-errno, "%s: cannot be written: %s", c->file, strerror(errno));
	close(fd);
	if (err)
		unlink(c->file);
	return err;
}

/* ---- For `vmm disk info' ---- */

void qcow2_describe(struct disk_layer *l, struct json_object *o)
{
	const struct qcow2 *q = l->state;
	const struct qcow2_header *h = &q->header;

	json_object_object_add(o, "version", json_object_new_int((int)h->version));
	json_object_object_add(o, "cluster-bytes", json_object_new_uint64(q->cluster_bytes));
	json_object_object_add(o, "refcount-bits", json_object_new_int(1 << h->refcount_order));
	json_object_object_add(o, "compression",
			       json_object_new_string(h->compression == QCOW2_COMPRESSION_ZSTD ? "zstd" : "zlib"));
	json_object_object_add(o, "snapshots", json_object_new_int((int)h->snapshot_count));
	json_object_object_add(o, "lazy-refcounts",
			       json_object_new_boolean((int)bit(h->compatible, QCOW2_COMPAT_LAZY_REFCOUNTS)));
	json_object_object_add(o, "dirty", json_object_new_boolean((int)bit(h->incompatible, QCOW2_INCOMPAT_DIRTY)));
	json_object_object_add(o, "corrupt",
			       json_object_new_boolean((int)bit(h->incompatible, QCOW2_INCOMPAT_CORRUPT)));
	if (q->backing_name)
		json_object_object_add(o, "backing", json_object_new_string(q->backing_name));
	if (q->backing_format)
		json_object_object_add(o, "backing-format", json_object_new_string(q->backing_format));
}
