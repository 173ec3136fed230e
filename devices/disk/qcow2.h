/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2, the parts and what they share. See qcow2.c for the order in which things reach the file.
 *
 *   qcow2.c          reads, writes, discards: data
 *   qcow2-map.c      where a guest's cluster is (L1, L2), and flushes
 *   qcow2-ref.c      which clusters of the file are in use
 *   qcow2-cache.c    pieces of L2 tables and refcount blocks in memory
 *   qcow2-header.c   opening and creating; all that is checked once
 *   qcow2-unpack.c   compressed clusters
 *   qcow2-check.c    counts the references and compares
 */
#ifndef QCOW2_H
#define QCOW2_H

#include <endian.h>
#include <pthread.h>
#include <spec/qcow2.h>
#include <vmm/disk.h>

/* A piece of a table as it is in the file. */
struct qcow2_slice {
	uint64_t offset;
	uint8_t *data;
	bool dirty;
	bool pinned;            /* a flush is writing a copy of it: not to be forgotten */
	struct qcow2_slice *chain, *older, *newer;
};

struct qcow2_cache {
	struct disk_layer *file;
	uint32_t unit;          /* bytes of a slice; a power of two */
	bool ordered;           /* L2: dirty slices wait for a flush; else they may be written at any time */
	unsigned limit, count, dirty, bucket_bits;
	struct qcow2_slice **buckets, *oldest, *newest;
};

/* Clusters of the file that nothing refers to once the L2 tables are in the file. */
struct qcow2_frees {
	struct qcow2_run {
		uint64_t first, count;
	} *run;
	size_t count, room;
};

/* What somebody reads or writes just now, in bytes of the guest. */
struct qcow2_range {
	uint64_t first, last;
	bool exclusive;
	struct qcow2_range *next;
};

#define QCOW2_UNPACKED 8

struct qcow2_unpacked {
	pthread_mutex_t lock;
	struct {
		uint64_t entry; /* 0: nothing */
		uint8_t *data;
	} slot[QCOW2_UNPACKED];
	unsigned next;
};

struct qcow2 {
	struct disk_layer *l, *file, *backing; /* backing NULL: zeroes */
	const struct disk_layer *above;        /* who opened it, or NULL */
	struct qcow2_header header;            /* in the host's order; as in the file */
	char *backing_name, *backing_format;   /* as the header has them, or NULL */
	bool transient;                        /* nobody will read it after us: no order is needed */
	bool has_bitmaps, metadata_only;
	unsigned cluster_bits, l2_bits, block_bits; /* entries of an L2 table and of a refcount block */
	uint64_t cluster_bytes;

	/* The state of metadata; held while metadata are read, never while data are, nor during a flush. */
	pthread_mutex_t lock;
	uint64_t *l1;
	uint32_t l1_count, l1_dirty_first, l1_dirty_end;
	uint64_t *reftable;
	uint32_t reftable_count;
	struct qcow2_cache l2, ref;
	struct qcow2_frees frees;
	uint64_t free_hint;     /* no cluster below it is free */
	uint64_t file_end;      /* nothing was ever written from there on */
	_Atomic bool corrupt;   /* found out while running: no more writes */
	bool batch_out;         /* a flush is writing what is not dirty any more */

	pthread_mutex_t flushing; /* one at a time; taken before lock */

	/* First come, first served. Held for moments only. */
	pthread_mutex_t ranges_lock;
	pthread_cond_t ranges_left;
	struct qcow2_range *ranges, **ranges_end;

	struct qcow2_unpacked unpacked;
};

static inline uint64_t qcow2_get64(const uint8_t *p) { uint64_t v; __builtin_memcpy(&v, p, 8); return be64toh(v); }
static inline void qcow2_put64(uint8_t *p, uint64_t v) { v = htobe64(v); __builtin_memcpy(p, &v, 8); }

/* ---- qcow2-cache.c; with q->lock held ---- */

int qcow2_cache_init(struct qcow2_cache *c, struct disk_layer *file, uint64_t cluster_bytes, uint64_t bytes, bool ordered);
void qcow2_cache_free(struct qcow2_cache *c);
/* Valid until the next call for the same cache. @offset is a multiple of the unit. */
int qcow2_cache_get(struct qcow2_cache *c, uint64_t offset, unsigned flags, struct qcow2_slice **s);
void qcow2_cache_dirty(struct qcow2_cache *c, struct qcow2_slice *s);
void qcow2_cache_clean(struct qcow2_cache *c, struct qcow2_slice *s);
int qcow2_cache_write(struct qcow2_cache *c, struct qcow2_slice *s);
int qcow2_cache_write_all(struct qcow2_cache *c);
/* The file has other bytes there now. */
void qcow2_cache_drop(struct qcow2_cache *c, uint64_t offset, uint64_t bytes);

/* ---- qcow2-ref.c; with q->lock held ---- */

int qcow2_ref_get(struct qcow2 *q, uint64_t cluster, uint64_t *count);     /* of what no block counts: 0 */
int qcow2_ref_set(struct qcow2 *q, uint64_t cluster, uint64_t count);
/* Up to @want clusters one after another; at least one. @fresh: reads there give zeroes. */
int qcow2_alloc(struct qcow2 *q, uint64_t want, uint64_t *host, uint64_t *got, bool *fresh);
/* At once: for what nothing in the file refers to. */
void qcow2_unalloc(struct qcow2 *q, uint64_t host, uint64_t count);
/* With the next flush but no earlier than the L2 tables that do not refer to them any more. */
void qcow2_free_later(struct qcow2 *q, uint64_t host, uint64_t count);
/* Counters @block, all of them zero, lie in cluster @cluster of the file, or with 0 nowhere any more. */
int qcow2_block_place(struct qcow2 *q, uint32_t block, uint64_t cluster);
/* Would a write there hit the header, L1 or the refcount table? */
bool qcow2_is_metadata(const struct qcow2 *q, uint64_t host, uint64_t bytes);

/* ---- qcow2-map.c ---- */

enum qcow2_kind { QCOW2_NOTHING, QCOW2_ZERO, QCOW2_ZERO_KEPT, QCOW2_DATA, QCOW2_PACKED };

struct qcow2_map {
	enum qcow2_kind kind;
	uint64_t bytes;         /* for so many it is so */
	uint64_t host;          /* DATA: of the byte asked for; ZERO_KEPT: of the cluster */
	uint64_t entry;         /* as in L2: PACKED */
	bool ours;              /* nobody else refers to it: may be written in place */
	bool amiss;             /* so it says, but there lie metadata */
};

/* With q->lock held. At most @bytes from @offset on. */
int qcow2_map(struct qcow2 *q, uint64_t offset, uint64_t bytes, unsigned flags, struct qcow2_map *m);
enum qcow2_kind qcow2_kind_of(const struct qcow2 *q, uint64_t entry);
/* With q->lock held: guest cluster @cluster gets the L2 entry @entry; what the old one referred to is freed later. */
int qcow2_map_set(struct qcow2 *q, uint64_t cluster, uint64_t entry);
/* Where the compressed data of @entry are. */
void qcow2_packed_place(const struct qcow2 *q, uint64_t entry, uint64_t *host, uint64_t *bytes);
/* Without locks. */
int qcow2_flush(struct qcow2 *q);
/* So much is waiting that a flush should come first. With q->lock held. */
bool qcow2_wants_flush(const struct qcow2 *q);

/* ---- qcow2-header.c ---- */

int qcow2_header_open(struct qcow2 *q, const char *name, const struct disk_config *cfg);
int qcow2_header_write(struct qcow2 *q);
/* Says so once, and has no more writes. Returns -EIO. */
int qcow2_corrupt(struct qcow2 *q, const char *what, uint64_t value);
int qcow2_create(const struct disk_create *c);
void qcow2_describe(struct disk_layer *l, struct json_object *o);
/* The same into an open, empty file. */
int qcow2_create_fd(int fd, const struct disk_create *c);

/* Opens @name, written by qcow2_create_fd() and not kept. */
extern const struct disk_layer_type qcow2_type;
void qcow2_set_transient(struct disk_layer *l);

/* ---- qcow2-unpack.c ---- */

/* @data has a cluster's size. */
int qcow2_unpack(struct qcow2 *q, uint64_t entry, uint64_t from, uint64_t bytes, uint8_t *data);
void qcow2_unpacked_free(struct qcow2 *q);

/* ---- qcow2-check.c ---- */

int qcow2_check(struct disk_layer *l, bool repair, struct disk_check *found);

/* ---- Reading and writing the file; 0 or -errno ---- */

int qcow2_pread(struct qcow2 *q, void *data, uint64_t bytes, uint64_t offset);
int qcow2_pwrite(struct qcow2 *q, const void *data, uint64_t bytes, uint64_t offset);
/* Memory that O_DIRECT takes; free(). */
void *qcow2_buffer(uint64_t bytes);

#endif
