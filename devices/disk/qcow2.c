/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2: an image that grows as it is written, on a file, perhaps with a backing file below.
 *
 *   request -> range (who else is there?) -> L2 (under the lock) -> data (without it) -> L2, for new clusters
 *
 * A request first says which range of the guest it reads or writes, and waits for those before it that do not go with
 * it: a cluster gets its place, moves or goes away for one writer alone, while reads and writes in place share it.
 * So data are read and written without a lock, and a place that was given up is nobody's any more.
 *
 * Metadata change in memory and go to the file with the guest's flush (qcow2-map.c). A killed process loses what was
 * not flushed, as a disk with a cache does, and leaves an image that is consistent.
 */
#include <stdlib.h>
#include <string.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "qcow2.h"

#define IOV_AT_ONCE 128u
#define ALLOC_MAX   (4 * MIB)
/* A discard of all of a large disk lets others through, and flushes, after so many clusters. */
#define CLUSTERS_STEP 16384u

void *qcow2_buffer(uint64_t bytes) { return aligned_alloc(4096, align_up(bytes ? bytes : 1, 4096)); }

int qcow2_pread(struct qcow2 *q, void *data, uint64_t bytes, uint64_t offset)
{
	struct iovec iov = { data, bytes };

	return q->file->type->read(q->file, offset, &iov, 1, 0);
}

int qcow2_pwrite(struct qcow2 *q, const void *data, uint64_t bytes, uint64_t offset)
{
	struct iovec iov = { (void *)(uintptr_t)data, bytes };

	return q->file->type->write(q->file, offset, &iov, 1, 0);
}

/* ---- Buffers in pieces ---- */

struct span {
	const struct iovec *iov;
	unsigned count;
};

static uint64_t iov_bytes(const struct iovec *iov, unsigned count)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

/* The first pieces of [skip, skip + *bytes) of @s, at most @max; *bytes is what they hold. */
static unsigned span_cut(const struct span *s, uint64_t skip, uint64_t *bytes, struct iovec *out, unsigned max)
{
	uint64_t left = *bytes;
	unsigned n = 0;

	for (unsigned i = 0; i < s->count && left && n < max; i++) {
		uint64_t len = s->iov[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len = len - skip < left ? len - skip : left;
		out[n++] = (struct iovec){ (uint8_t *)s->iov[i].iov_base + skip, len };
		left -= len;
		skip = 0;
	}
	*bytes -= left;
	return n;
}

static void span_zero(const struct span *s, uint64_t skip, uint64_t bytes)
{
	struct iovec v[IOV_AT_ONCE];

	while (bytes) {
		uint64_t now = bytes;
		unsigned n = span_cut(s, skip, &now, v, IOV_AT_ONCE);

		for (unsigned i = 0; i < n; i++)
			memset(v[i].iov_base, 0, v[i].iov_len);
		skip += now;
		bytes -= now;
	}
}

/* From @data, or to it. */
static void span_copy(const struct span *s, uint64_t skip, uint8_t *data, uint64_t bytes, bool to_data)
{
	struct iovec v[IOV_AT_ONCE];

	while (bytes) {
		uint64_t now = bytes;
		unsigned n = span_cut(s, skip, &now, v, IOV_AT_ONCE);

		for (unsigned i = 0; i < n; data += v[i++].iov_len)
			memcpy(to_data ? data : v[i].iov_base, to_data ? v[i].iov_base : data, v[i].iov_len);
		skip += now;
		bytes -= now;
	}
}

/* One sector, whose pieces are too many to be given on. */
static int span_io_sector(struct disk_layer *to, bool write, uint64_t offset, const struct span *s, uint64_t skip,
			  uint64_t bytes, unsigned flags)
{
	struct iovec v = { qcow2_buffer(bytes), bytes };
	int err;

	if (!v.iov_base)
		return -ENOMEM;
	if (write)
		span_copy(s, skip, v.iov_base, bytes, true);
	err = (write ? to->type->write : to->type->read)(to, offset, &v, 1, flags);
	if (!err && !write)
		span_copy(s, skip, v.iov_base, bytes, false);
	free(v.iov_base);
	return err;
}

/* @bytes of @s from @skip on, from or to @offset of a layer. */
static int span_io(struct disk_layer *to, bool write, uint64_t offset, const struct span *s, uint64_t skip,
		   uint64_t bytes, unsigned flags)
{
	uint64_t sector = to->info.logical_bytes;
	struct iovec v[IOV_AT_ONCE];
	int err = 0;

	while (bytes && !err) {
		uint64_t now = bytes, odd;
		unsigned n = span_cut(s, skip, &now, v, IOV_AT_ONCE);

		/* Only whole sectors; pieces may be of any length. */
		odd = now < bytes ? now % sector : 0;
		now -= odd;
		while (odd && n && v[n - 1].iov_len <= odd)
			odd -= v[--n].iov_len;
		if (odd && n)
			v[n - 1].iov_len -= odd;
		if (now) {
			err = (write ? to->type->write : to->type->read)(to, offset, v, n, flags);
		} else {
			now = bytes < sector ? bytes : sector;
			err = span_io_sector(to, write, offset, s, skip, now, flags);
		}
		skip += now;
		offset += now;
		bytes -= now;
	}
	return err;
}

/* ---- Ranges ---- */

static bool range_blocked(const struct qcow2 *q, const struct qcow2_range *r)
{
	for (const struct qcow2_range *o = q->ranges; o != r; o = o->next)
		if ((o->exclusive || r->exclusive) && o->first <= r->last && r->first <= o->last)
			return true;
	return false;
}

static void range_unlink(struct qcow2 *q, struct qcow2_range *r)
{
	struct qcow2_range **at = &q->ranges;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	if (!r->next)
		q->ranges_end = at;
}

/* Clusters are taken whole: what moves is a cluster. */
static int range_enter(struct qcow2 *q, struct qcow2_range *r, uint64_t offset, uint64_t bytes, bool exclusive,
		       unsigned flags)
{
	int err = 0;

	*r = (struct qcow2_range){
		.first = align_down(offset, q->cluster_bytes),
		.last = align_up(offset + bytes, q->cluster_bytes) - 1,
		.exclusive = exclusive,
	};
	pthread_mutex_lock(&q->ranges_lock);
	*q->ranges_end = r;
	q->ranges_end = &r->next;
	while (!err && range_blocked(q, r)) {
		if (flags & DISK_NOWAIT)
			err = -EAGAIN;
		else
			pthread_cond_wait(&q->ranges_left, &q->ranges_lock);
	}
	if (err)
		range_unlink(q, r);
	pthread_mutex_unlock(&q->ranges_lock);
	return err;
}

static void range_leave(struct qcow2 *q, struct qcow2_range *r)
{
	pthread_mutex_lock(&q->ranges_lock);
	range_unlink(q, r);
	if (q->ranges)
		pthread_cond_broadcast(&q->ranges_left);
	pthread_mutex_unlock(&q->ranges_lock);
}

/* qcow2_map() with the lock, which NOWAIT does not wait for. */
static int look(struct qcow2 *q, uint64_t offset, uint64_t bytes, unsigned flags, struct qcow2_map *m)
{
	int err;

	if (flags & DISK_NOWAIT) {
		if (pthread_mutex_trylock(&q->lock))
			return -EAGAIN;
	} else {
		pthread_mutex_lock(&q->lock);
	}
	err = qcow2_map(q, offset, bytes, flags, m);
	pthread_mutex_unlock(&q->lock);
	return err;
}

/* ---- Reading ---- */

static int read_backing(struct qcow2 *q, uint64_t offset, const struct span *s, uint64_t skip, uint64_t bytes,
			unsigned flags)
{
	uint64_t there = 0;
	int err = 0;

	if (q->backing && offset < q->backing->info.bytes)
		there = q->backing->info.bytes - offset < bytes ? q->backing->info.bytes - offset : bytes;
	if (there)
		err = span_io(q->backing, false, offset, s, skip, there, flags);
	if (!err)
		span_zero(s, skip + there, bytes - there);
	return err;
}

static int read_packed(struct qcow2 *q, uint64_t offset, uint64_t entry, const struct span *s, uint64_t skip,
		       uint64_t bytes)
{
	uint8_t *b = qcow2_buffer(bytes);
	int err = b ? qcow2_unpack(q, entry, offset & (q->cluster_bytes - 1), bytes, b) : -ENOMEM;

	if (!err)
		span_copy(s, skip, b, bytes, false);
	free(b);
	return err;
}

static int read_mapped(struct qcow2 *q, uint64_t offset, const struct qcow2_map *m, const struct span *s,
		       uint64_t skip, unsigned flags)
{
	switch (m->kind) {
	case QCOW2_DATA: return span_io(q->file, false, m->host, s, skip, m->bytes, flags);
	case QCOW2_PACKED: return flags & DISK_NOWAIT ? -EAGAIN : read_packed(q, offset, m->entry, s, skip, m->bytes);
	case QCOW2_NOTHING: return read_backing(q, offset, s, skip, m->bytes, flags);
	case QCOW2_ZERO:
	case QCOW2_ZERO_KEPT: break;
	}
	span_zero(s, skip, m->bytes);
	return 0;
}

/* Inside a range. May go on to the end of the last cluster. */
static int read_range(struct qcow2 *q, uint64_t offset, uint64_t bytes, const struct span *s, unsigned flags)
{
	struct qcow2_map m;
	int err = 0;

	for (uint64_t done = 0; done < bytes && !err; done += m.bytes) {
		err = look(q, offset + done, bytes - done, flags, &m);
		if (!err)
			err = read_mapped(q, offset + done, &m, s, done, flags);
		if (err)
			break;
	}
	return err;
}

static bool inside(const struct disk_layer *l, uint64_t offset, uint64_t bytes)
{
	return bytes && bytes <= l->info.bytes && offset <= l->info.bytes - bytes;
}

static int qcow2_read(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags)
{
	struct qcow2 *q = l->state;
	uint64_t bytes = iov_bytes(iov, count);
	struct qcow2_range r;
	int err;

	if (!inside(l, offset, bytes))
		return bytes ? -EINVAL : 0;
	err = range_enter(q, &r, offset, bytes, false, flags);
	if (err)
		return err;
	err = read_range(q, offset, bytes, &(struct span){ iov, count }, flags);
	range_leave(q, &r);
	return err;
}

/* ---- Writing ---- */

/* New clusters for one piece of a write, and what of them the guest does not write. */
struct place {
	uint64_t host, clusters;        /* clusters: of the guest, and of the file */
	bool allocated;                 /* else it is where zeroes were kept */
	bool fresh;                     /* it reads as zeroes already */
	uint64_t head, tail;            /* bytes of the first and of the last cluster */
	uint8_t *head_data, *tail_data; /* NULL: zeroes that are there */
};

static bool reads_zero(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
	struct qcow2_map m;

	return !look(q, offset, bytes, 0, &m) && m.bytes == bytes &&
	       (m.kind == QCOW2_ZERO || m.kind == QCOW2_ZERO_KEPT ||
		(m.kind == QCOW2_NOTHING && (!q->backing || offset >= q->backing->info.bytes)));
}

/* What the guest reads at [offset, offset + bytes), or NULL if that is zeroes and @place_ has them. */
static int old_data(struct qcow2 *q, uint64_t offset, uint64_t bytes, bool fresh, uint8_t **data)
{
	struct iovec iov = { NULL, bytes };

	*data = NULL;
	if (!bytes || (fresh && reads_zero(q, offset, bytes)))
		return 0;
	iov.iov_base = *data = qcow2_buffer(bytes);
	return *data ? read_range(q, offset, bytes, &(struct span){ &iov, 1 }, 0) : -ENOMEM;
}

/* Head, the guest's data and tail in as few writes as it takes. */
static int write_place(struct qcow2 *q, const struct place *p, const struct span *s, uint64_t skip, uint64_t bytes)
{
	uint64_t host = p->host + p->head, end = host + bytes, now = bytes;
	struct iovec v[IOV_AT_ONCE + 2];
	unsigned n;
	int err;

	n = span_cut(s, skip, &now, v + 1, IOV_AT_ONCE);
	if (now == bytes) {
		bool head = p->head_data, tail = p->tail_data;

		v[0] = (struct iovec){ p->head_data, p->head };
		v[n + 1] = (struct iovec){ p->tail_data, p->tail };
		return q->file->type->write(q->file, head ? p->host : host, head ? v : v + 1, n + head + tail, 0);
	}
	err = span_io(q->file, true, host, s, skip, bytes, 0);
	if (!err && p->head_data)
		err = qcow2_pwrite(q, p->head_data, p->head, p->host);
	if (!err && p->tail_data)
		err = qcow2_pwrite(q, p->tail_data, p->tail, end);
	return err;
}

static int place_take(struct qcow2 *q, uint64_t want, const struct qcow2_map *m, struct place *p)
{
	if (m->kind == QCOW2_ZERO_KEPT && m->ours) {
		*p = (struct place){ .host = m->host, .clusters = want };
		return m->amiss ? qcow2_corrupt(q, "a cluster of data lies at", m->host) : 0;
	}
	*p = (struct place){ .allocated = true };
	return qcow2_alloc(q, want, &p->host, &p->clusters, &p->fresh);
}

static int place_link(struct qcow2 *q, uint64_t cluster, const struct place *p)
{
	for (uint64_t i = 0; i < p->clusters; i++) {
		int err = qcow2_map_set(q, cluster + i, (p->host + (i << q->cluster_bits)) | QCOW2_ENTRY_COPIED);

		if (!err)
			continue;
		if (p->allocated)
			qcow2_unalloc(q, p->host + (i << q->cluster_bits), p->clusters - i);
		return err;
	}
	return 0;
}

/* Inside an exclusive range. Writes the first *bytes, perhaps fewer, to clusters that get a new place. */
static int write_new(struct qcow2 *q, uint64_t offset, uint64_t *bytes, const struct qcow2_map *m,
		     const struct span *s, uint64_t skip)
{
	uint64_t first = align_down(offset, q->cluster_bytes), end = align_up(offset + *bytes, q->cluster_bytes);
	struct place p;
	int err;

	pthread_mutex_lock(&q->lock);
	err = place_take(q, (end - first) >> q->cluster_bits, m, &p);
	pthread_mutex_unlock(&q->lock);
	if (err)
		return err;
	if (end > first + (p.clusters << q->cluster_bits)) {
		end = first + (p.clusters << q->cluster_bits);
		*bytes = end - offset;
	}
	p.head = offset - first;
	p.tail = end - (offset + *bytes);
	err = old_data(q, first, p.head, p.fresh, &p.head_data);
	if (!err)
		err = old_data(q, offset + *bytes, p.tail, p.fresh, &p.tail_data);
	if (!err)
		err = write_place(q, &p, s, skip, *bytes);
	free(p.head_data);
	free(p.tail_data);
	pthread_mutex_lock(&q->lock);
	if (!err)
		err = place_link(q, first >> q->cluster_bits, &p);
	else if (p.allocated)
		qcow2_unalloc(q, p.host, p.clusters);
	pthread_mutex_unlock(&q->lock);
	return err;
}

static bool in_place(const struct qcow2_map *m) { return m->kind == QCOW2_DATA && m->ours; }

static int write_old(struct qcow2 *q, const struct qcow2_map *m, const struct span *s, uint64_t skip, unsigned flags)
{
	if (m->amiss) {
		pthread_mutex_lock(&q->lock);
		qcow2_corrupt(q, "a cluster of data lies at", m->host);
		pthread_mutex_unlock(&q->lock);
		return -EIO;
	}
	return span_io(q->file, true, m->host, s, skip, m->bytes, flags);
}

/* How many of the next bytes are of clusters that want a new place, all of them alike. */
static int measure_new(struct qcow2 *q, uint64_t offset, uint64_t bytes, struct qcow2_map *m)
{
	struct qcow2_map next;
	int err = 0;

	if (m->kind == QCOW2_ZERO_KEPT && m->ours)
		return 0;
	while (m->bytes < bytes && m->bytes < ALLOC_MAX) {
		err = look(q, offset + m->bytes, bytes - m->bytes, 0, &next);
		if (err || in_place(&next) || (next.kind == QCOW2_ZERO_KEPT && next.ours))
			break;
		m->bytes += next.bytes;
	}
	if (m->bytes > ALLOC_MAX)
		m->bytes = align_down(offset + ALLOC_MAX, q->cluster_bytes) - offset;
	return err;
}

/* The first *bytes or fewer of a write. -EXDEV: it takes an exclusive range. */
static int write_some(struct qcow2 *q, uint64_t offset, uint64_t *bytes, const struct span *s, uint64_t skip,
		      bool exclusive, unsigned flags)
{
	struct qcow2_map m;
	int err = look(q, offset, *bytes, flags, &m);

	if (err)
		return err;
	if (in_place(&m)) {
		/* All or nothing. */
		if (flags & DISK_NOWAIT && m.bytes < *bytes)
			return -EAGAIN;
		*bytes = m.bytes;
		return write_old(q, &m, s, skip, flags);
	}
	if (!exclusive)
		return flags & DISK_NOWAIT ? -EAGAIN : -EXDEV;
	err = measure_new(q, offset, *bytes, &m);
	if (err)
		return err;
	*bytes = m.bytes;
	return write_new(q, offset, bytes, &m, s, skip);
}

/* Before a range is taken: a flush may take long. */
static int make_room(struct qcow2 *q)
{
	bool full;

	pthread_mutex_lock(&q->lock);
	full = qcow2_wants_flush(q);
	pthread_mutex_unlock(&q->lock);
	return full ? qcow2_flush(q) : 0;
}

static int write_all(struct qcow2 *q, uint64_t offset, uint64_t bytes, const struct span *s, bool exclusive,
		     unsigned flags)
{
	struct qcow2_range r;
	uint64_t done = 0, now;
	int err = exclusive ? make_room(q) : 0;

	if (!err)
		err = range_enter(q, &r, offset, bytes, exclusive, flags);
	if (err)
		return err;
	for (; done < bytes && !err; done += now) {
		now = bytes - done;
		err = write_some(q, offset + done, &now, s, done, exclusive, flags);
	}
	range_leave(q, &r);
	return err;
}

static int qcow2_write(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags)
{
	struct qcow2 *q = l->state;
	uint64_t bytes = iov_bytes(iov, count);
	const struct span s = { iov, count };
	int err;

	if (l->info.readonly || q->corrupt)
		return l->info.readonly ? -EROFS : -EIO;
	if (!inside(l, offset, bytes))
		return bytes ? -EINVAL : 0;
	err = write_all(q, offset, bytes, &s, false, flags);
	return err == -EXDEV ? write_all(q, offset, bytes, &s, true, flags) : err;
}

/* ---- Discards and zeroes ---- */

/* What L2 says of a cluster after it, or -EOPNOTSUPP: this version of the format cannot say that. */
static int entry_after(const struct qcow2 *q, uint64_t entry, bool zeroes, bool unmap, uint64_t *after)
{
	enum qcow2_kind kind = qcow2_kind_of(q, entry);
	bool kept = (kind == QCOW2_DATA || kind == QCOW2_ZERO_KEPT) && entry & QCOW2_ENTRY_COPIED;

	*after = entry;
	if (kind == QCOW2_ZERO || (kind == QCOW2_NOTHING && !q->backing))
		return 0;
	if (q->header.version >= 3) {
		if (kind == QCOW2_NOTHING && !zeroes)
			return 0;
		*after = QCOW2_ENTRY_ZERO | (zeroes && !unmap && kept ? entry & ~QCOW2_ENTRY_ZERO : 0);
		return 0;
	}
	if (q->backing)
		return zeroes ? -EOPNOTSUPP : 0; /* without its own data it would show the backing file's */
	*after = 0;
	return 0;
}

static int change_cluster(struct qcow2 *q, uint64_t cluster, bool zeroes, bool unmap)
{
	struct qcow2_map m;
	uint64_t after;
	int err = qcow2_map(q, cluster << q->cluster_bits, 1, 0, &m);

	if (!err)
		err = entry_after(q, m.entry, zeroes, unmap, &after);
	return err || after == m.entry ? err : qcow2_map_set(q, cluster, after);
}

/* Up to CLUSTERS_STEP of [cluster, end), skipping at once what has no tables and needs none. */
static int change_some(struct qcow2 *q, uint64_t *cluster, uint64_t end, bool zeroes, bool unmap)
{
	uint64_t last = end - *cluster < CLUSTERS_STEP ? end : *cluster + CLUSTERS_STEP;
	struct qcow2_range r;
	int err = make_room(q);

	if (!err)
		err = range_enter(q, &r, *cluster << q->cluster_bits, (last - *cluster) << q->cluster_bits, true, 0);
	if (err)
		return err;
	pthread_mutex_lock(&q->lock);
	while (*cluster < last && !err) {
		if (!(q->l1[*cluster >> q->l2_bits] & QCOW2_ENTRY_OFFSET) && (!q->backing || !zeroes)) {
			*cluster = ((*cluster >> q->l2_bits) + 1) << q->l2_bits;
			continue;
		}
		err = change_cluster(q, *cluster, zeroes, unmap);
		*cluster += 1;
	}
	pthread_mutex_unlock(&q->lock);
	range_leave(q, &r);
	return err;
}

static int change_clusters(struct qcow2 *q, uint64_t cluster, uint64_t end, bool zeroes, bool unmap)
{
	int err = 0;

	while (cluster < end && !err)
		err = change_some(q, &cluster, end, zeroes, unmap);
	return err;
}

static int qcow2_discard(struct disk_layer *l, uint64_t offset, uint64_t bytes)
{
	struct qcow2 *q = l->state;
	uint64_t end = offset + bytes;

	if (l->info.readonly || q->corrupt)
		return l->info.readonly ? -EROFS : -EIO;
	if (!inside(l, offset, bytes))
		return bytes ? -EINVAL : 0;
	/* The last cluster may be cut off by the end of the disk. */
	if (end == l->info.bytes)
		end = align_up(end, q->cluster_bytes);
	return change_clusters(q, align_up(offset, q->cluster_bytes) >> q->cluster_bits, end >> q->cluster_bits,
			       false, true);
}

/* A part of a cluster. */
static int zero_part(struct qcow2 *q, uint64_t offset, uint64_t bytes)
{
	struct iovec iov = { NULL, bytes };
	int err;

	if (!bytes || reads_zero(q, offset, bytes))
		return 0;
	iov.iov_base = qcow2_buffer(bytes);
	if (!iov.iov_base)
		return -ENOMEM;
	memset(iov.iov_base, 0, bytes);
	err = qcow2_write(q->l, offset, &iov, 1, 0);
	free(iov.iov_base);
	return err;
}

static int qcow2_write_zeroes(struct disk_layer *l, uint64_t offset, uint64_t bytes, bool unmap)
{
	struct qcow2 *q = l->state;
	uint64_t first = align_up(offset, q->cluster_bytes), end = offset + bytes, last;
	int err;

	if (l->info.readonly || q->corrupt)
		return l->info.readonly ? -EROFS : -EIO;
	if (!inside(l, offset, bytes))
		return bytes ? -EINVAL : 0;
	if (q->header.version < 3 && q->backing)
		return -EOPNOTSUPP;
	last = end == l->info.bytes ? align_up(end, q->cluster_bytes) : align_down(end, q->cluster_bytes);
	if (first >= last)
		return zero_part(q, offset, bytes);
	err = zero_part(q, offset, first - offset);
	if (!err)
		err = change_clusters(q, first >> q->cluster_bits, last >> q->cluster_bits, true, unmap);
	if (!err && end > last)
		err = zero_part(q, last, end - last);
	return err;
}

static enum disk_extent qcow2_extent(struct disk_layer *l, uint64_t offset, uint64_t *bytes)
{
	struct qcow2 *q = l->state;
	struct qcow2_map m;

	if (!inside(l, offset, *bytes) || look(q, offset, *bytes, 0, &m))
		return DISK_DATA;
	*bytes = m.bytes;
	if (m.kind == QCOW2_NOTHING)
		return DISK_UNALLOCATED;
	return m.kind == QCOW2_ZERO || m.kind == QCOW2_ZERO_KEPT ? DISK_ZERO : DISK_DATA;
}

static int qcow2_layer_flush(struct disk_layer *l) { return qcow2_flush(l->state); }

void qcow2_set_transient(struct disk_layer *l) { ((struct qcow2 *)l->state)->transient = true; }

/* ---- Life ---- */

static bool qcow2_probe(const uint8_t *head, size_t bytes)
{
	return bytes >= 4 && head[0] == 'Q' && head[1] == 'F' && head[2] == 'I' && head[3] == 0xfb;
}

static void qcow2_free(struct qcow2 *q)
{
	qcow2_cache_free(&q->l2);
	qcow2_cache_free(&q->ref);
	qcow2_unpacked_free(q);
	free(q->frees.run);
	free(q->l1);
	free(q->reftable);
	free(q->backing_name);
	free(q->backing_format);
	disk_layer_close(q->backing);
	pthread_mutex_destroy(&q->lock);
	pthread_mutex_destroy(&q->flushing);
	pthread_mutex_destroy(&q->ranges_lock);
	pthread_mutex_destroy(&q->unpacked.lock);
	pthread_cond_destroy(&q->ranges_left);
}

static int qcow2_open(struct disk_layer *l, const char *name, const struct disk_config *cfg)
{
	struct qcow2 *q = l->state;
	int err;

	q->l = l;
	q->ranges_end = &q->ranges;
	pthread_mutex_init(&q->lock, NULL);
	pthread_mutex_init(&q->flushing, NULL);
	pthread_mutex_init(&q->ranges_lock, NULL);
	pthread_mutex_init(&q->unpacked.lock, NULL);
	pthread_cond_init(&q->ranges_left, NULL);
	err = qcow2_header_open(q, name, cfg);
	if (err) {
		qcow2_free(q);
		disk_layer_close(l->below);
		l->below = NULL;
	}
	return err;
}

static void qcow2_close(struct disk_layer *l)
{
	struct qcow2 *q = l->state;
	int err = q->transient ? 0 : qcow2_flush(q);

	/* Once more: what became free counts as free with the second. */
	if (!err && !q->transient)
		err = qcow2_flush(q);
	if (err)
		log_err(0, "disk %s: what was written since the last flush may be lost: %s", l->name, strerror(-err));
	qcow2_free(q);
}

static void qcow2_give_up(struct disk_layer *l)
{
	const struct qcow2 *q = l->state;

	disk_layer_give_up(q->file);
	disk_layer_give_up(q->backing);
}

const struct disk_layer_type qcow2_type = {
	.name = "qcow2",
	.help = "an image that grows as it is written; backing files, compressed clusters (read), versions 2 and 3",
	.probe = qcow2_probe,
	.state_bytes = sizeof(struct qcow2),
	.open = qcow2_open,
	.close = qcow2_close,
	.read = qcow2_read,
	.write = qcow2_write,
	.flush = qcow2_layer_flush,
	.discard = qcow2_discard,
	.write_zeroes = qcow2_write_zeroes,
	.extent = qcow2_extent,
	.give_up = qcow2_give_up,
	.create = qcow2_create,
	.check = qcow2_check,
	.describe = qcow2_describe,
};
DISK_LAYER(qcow2, &qcow2_type);
