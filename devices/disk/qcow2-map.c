/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a guest's cluster is: L1, then L2. And flushes, which know in which order all of it goes to the file:
 *
 *   counters (up), new L2 tables, data | sync | L1, L2 | sync | counters (down)
 *
 * so that whatever of it a crash leaves out, what is referred to is there and is counted. Everything before the
 * first sync was written by somebody already, or is by the flush; entries of L1 and L2 change in memory only, and
 * only when what they refer to is written. The lock is not held during a sync: the flush writes copies.
 */
#include <stdlib.h>
#include <string.h>
#include <vmm/err.h>
#include "qcow2.h"

#define FREES_MAX 4096

enum qcow2_kind qcow2_kind_of(const struct qcow2 *q, uint64_t entry)
{
	uint64_t host = entry & QCOW2_ENTRY_OFFSET;

	if (entry & QCOW2_ENTRY_COMPRESSED)
		return QCOW2_PACKED;
	if (q->header.version >= 3 && entry & QCOW2_ENTRY_ZERO)
		return host ? QCOW2_ZERO_KEPT : QCOW2_ZERO;
	return host ? QCOW2_DATA : QCOW2_NOTHING;
}

void qcow2_packed_place(const struct qcow2 *q, uint64_t entry, uint64_t *host, uint64_t *bytes)
{
	unsigned offset_bits = 62 - (q->cluster_bits - 8);
	uint64_t sectors = bits(entry, 61, offset_bits) + 1;

	*host = bits(entry, offset_bits - 1, 0);
	*bytes = sectors * QCOW2_SECTOR_BYTES - *host % QCOW2_SECTOR_BYTES;
}

/* The slice of L2 with the entry of guest cluster @cluster, its @index there; *s NULL: there is no table. */
static int find(struct qcow2 *q, uint64_t cluster, unsigned flags, struct qcow2_slice **s, uint32_t *index)
{
	uint64_t table = q->l1[cluster >> q->l2_bits] & QCOW2_ENTRY_OFFSET;
	uint32_t in_table = (uint32_t)(cluster & ((1u << q->l2_bits) - 1)), per_slice = q->l2.unit / 8;

	*s = NULL;
	*index = in_table % per_slice;
	if (!table)
		return 0;
	if (table & (q->cluster_bytes - 1))
		return qcow2_corrupt(q, "an L2 table lies at", table);
	return qcow2_cache_get(&q->l2, table + in_table / per_slice * q->l2.unit, flags, s);
}

/* What one entry says. */
static void map_one(const struct qcow2 *q, uint64_t entry, struct qcow2_map *m)
{
	m->kind = qcow2_kind_of(q, entry);
	m->host = entry & QCOW2_ENTRY_OFFSET;
	m->entry = entry;
	m->ours = entry & QCOW2_ENTRY_COPIED && (m->kind == QCOW2_DATA || m->kind == QCOW2_ZERO_KEPT);
}

/* Does @entry, @bytes after the one that @m says, go on with it? */
static bool goes_on(const struct qcow2 *q, const struct qcow2_map *m, uint64_t entry, uint64_t bytes)
{
	struct qcow2_map next;

	map_one(q, entry, &next);
	if (next.kind != m->kind || next.ours != m->ours || next.kind == QCOW2_PACKED)
		return false;
	return next.kind == QCOW2_NOTHING || next.kind == QCOW2_ZERO || next.host == m->host + bytes;
}

int qcow2_map(struct qcow2 *q, uint64_t offset, uint64_t bytes, unsigned flags, struct qcow2_map *m)
{
	uint64_t cluster = offset >> q->cluster_bits, in = offset & (q->cluster_bytes - 1), run = 0;
	struct qcow2_slice *s;
	uint32_t index;
	int err;

	do {
		err = find(q, cluster, flags, &s, &index);
		if (err && run) /* what there is so far, then */
			break;
		if (err)
			return err;
		if (!run)
			map_one(q, s ? qcow2_get64(s->data + index * 8) : 0, m);
		else if (!goes_on(q, m, s ? qcow2_get64(s->data + index * 8) : 0, run))
			break;
		if (!s) { /* a table's worth of nothing */
			uint64_t left = (UINT64_C(1) << q->l2_bits) - (cluster & ((UINT64_C(1) << q->l2_bits) - 1));

			run += left << q->cluster_bits;
			cluster += left;
			continue;
		}
		do {
			run += q->cluster_bytes;
			cluster++;
			index++;
		} while (run < in + bytes && index < q->l2.unit / 8 &&
			 goes_on(q, m, qcow2_get64(s->data + index * 8), run));
	} while (run < in + bytes && (!s || index == q->l2.unit / 8));
	if ((m->kind == QCOW2_DATA || m->kind == QCOW2_ZERO_KEPT) && m->host & (q->cluster_bytes - 1))
		return qcow2_corrupt(q, "a cluster of data lies at", m->host);
	m->bytes = run - in < bytes ? run - in : bytes;
	m->amiss = m->ours && qcow2_is_metadata(q, m->host, run);
	if (m->kind == QCOW2_DATA)
		m->host += in;
	return 0;
}

/* ---- Changing ---- */

/* The first @bytes of an L2 table that gets a place of its own: zeroes, or as the one at @old. */
static int table_copy(struct qcow2 *q, uint64_t old, uint64_t host)
{
	uint8_t *b = qcow2_buffer(q->cluster_bytes);
	int err = b ? 0 : -ENOMEM;

	if (!err && old)
		err = qcow2_pread(q, b, q->cluster_bytes, old);
	else if (!err)
		memset(b, 0, q->cluster_bytes);
	if (!err)
		err = qcow2_pwrite(q, b, q->cluster_bytes, host);
	free(b);
	return err;
}

/* Makes sure that the L2 table of L1 entry @i exists and is ours. */
static int own_table(struct qcow2 *q, uint32_t i)
{
	uint64_t old = q->l1[i] & QCOW2_ENTRY_OFFSET, host, got;
	bool fresh;
	int err;

	if (old & (q->cluster_bytes - 1))
		return qcow2_corrupt(q, "an L2 table lies at", old);
	if (old && q->l1[i] & QCOW2_ENTRY_COPIED)
		return qcow2_is_metadata(q, old, q->cluster_bytes) ? qcow2_corrupt(q, "an L2 table lies at", old) : 0;
	err = qcow2_alloc(q, 1, &host, &got, &fresh);
	if (err)
		return err;
	err = table_copy(q, old, host);
	if (err) {
		qcow2_unalloc(q, host, 1);
		return err;
	}
	qcow2_cache_drop(&q->l2, host, q->cluster_bytes);
	q->l1[i] = host | QCOW2_ENTRY_COPIED;
	if (q->l1_dirty_first >= q->l1_dirty_end)
		q->l1_dirty_first = i, q->l1_dirty_end = i + 1;
	if (q->l1_dirty_first > i)
		q->l1_dirty_first = i;
	if (q->l1_dirty_end <= i)
		q->l1_dirty_end = i + 1;
	if (old)
		qcow2_free_later(q, old, 1);
	return 0;
}

/* @entry was replaced by @by. */
static void release(struct qcow2 *q, uint64_t entry, uint64_t by)
{
	uint64_t host = entry & QCOW2_ENTRY_OFFSET, bytes = q->cluster_bytes;
	enum qcow2_kind kind = qcow2_kind_of(q, entry), now = qcow2_kind_of(q, by);

	if (kind == QCOW2_NOTHING || kind == QCOW2_ZERO)
		return;
	if (kind == QCOW2_PACKED)
		qcow2_packed_place(q, entry, &host, &bytes);
	else if ((now == QCOW2_DATA || now == QCOW2_ZERO_KEPT) && (by & QCOW2_ENTRY_OFFSET) == host)
		return;
	bytes += host & (q->cluster_bytes - 1);
	host = align_down(host, q->cluster_bytes);
	qcow2_free_later(q, host, align_up(bytes, q->cluster_bytes) >> q->cluster_bits);
}

int qcow2_map_set(struct qcow2 *q, uint64_t cluster, uint64_t entry)
{
	struct qcow2_slice *s;
	uint32_t index;
	uint64_t old;
	int err = q->corrupt ? -EIO : own_table(q, (uint32_t)(cluster >> q->l2_bits));

	if (!err)
		err = find(q, cluster, 0, &s, &index);
	if (err)
		return err;
	old = qcow2_get64(s->data + index * 8);
	qcow2_put64(s->data + index * 8, entry);
	qcow2_cache_dirty(&q->l2, s);
	release(q, old, entry);
	return 0;
}

/* ---- Flush ---- */

/* What one flush writes: copies, as the originals go on changing. */
struct batch {
	struct qcow2_slice **slice;
	uint8_t *data;
	unsigned count;
	uint8_t *l1;
	uint32_t l1_first, l1_end;
	struct qcow2_frees frees;
};

bool qcow2_wants_flush(const struct qcow2 *q) { return q->l2.dirty > q->l2.limit / 2 || q->frees.count > FREES_MAX; }

static bool anything(const struct qcow2 *q)
{
	return q->l2.dirty || q->ref.dirty || q->frees.count || q->l1_dirty_end > q->l1_dirty_first;
}

/* Whole sectors, for O_DIRECT: the table has a cluster to its end. */
static int batch_l1(struct qcow2 *q, struct batch *b)
{
	uint32_t count = (q->cluster_bytes < 4096 ? (uint32_t)q->cluster_bytes : 4096) / 8;

	b->l1_first = q->l1_dirty_first / count * count;
	b->l1_end = (uint32_t)align_up(q->l1_dirty_end, count);
	b->l1 = qcow2_buffer((uint64_t)(b->l1_end - b->l1_first) * 8);
	if (!b->l1)
		return -ENOMEM;
	for (uint32_t i = b->l1_first; i < b->l1_end; i++)
		qcow2_put64(b->l1 + (i - b->l1_first) * 8, q->l1[i]);
	return 0;
}

/* Takes what is to be written; all or nothing. */
static int batch_take(struct qcow2 *q, struct batch *b)
{
	int err = 0;

	*b = (struct batch){ 0 };
	b->slice = calloc(q->l2.dirty + 1, sizeof(struct qcow2_slice *));
	b->data = qcow2_buffer((uint64_t)q->l2.dirty * q->l2.unit + 1);
	if (!b->slice || !b->data)
		err = -ENOMEM;
	if (!err && q->l1_dirty_end > q->l1_dirty_first)
		err = batch_l1(q, b);
	if (err)
		return err;
	for (struct qcow2_slice *s = q->l2.newest; s && q->l2.dirty; s = s->older) {
		if (!s->dirty)
			continue;
		memcpy(b->data + (size_t)b->count * q->l2.unit, s->data, q->l2.unit);
		qcow2_cache_clean(&q->l2, s);
		s->pinned = true;
		b->slice[b->count++] = s;
	}
	q->l1_dirty_first = q->l1_dirty_end = 0;
	b->frees = q->frees;
	q->frees = (struct qcow2_frees){ 0 };
	return 0;
}

static int batch_write(struct qcow2 *q, struct batch *b)
{
	int err = 0;

	for (unsigned i = 0; i < b->count && !err; i++)
		err = qcow2_pwrite(q, b->data + (size_t)i * q->l2.unit, q->l2.unit, b->slice[i]->offset);
	if (!err && b->l1)
		err = qcow2_pwrite(q, b->l1, (uint64_t)(b->l1_end - b->l1_first) * 8,
				   q->header.l1_offset + (uint64_t)b->l1_first * 8);
	return err;
}

/* It did not get to the file: all is as dirty as before. */
static void batch_undo(struct qcow2 *q, struct batch *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		b->slice[i]->pinned = false;
		qcow2_cache_dirty(&q->l2, b->slice[i]);
	}
	if (b->l1 && q->l1_dirty_first >= q->l1_dirty_end)
		q->l1_dirty_first = b->l1_first, q->l1_dirty_end = b->l1_end < q->l1_count ? b->l1_end : q->l1_count;
	else if (b->l1)
		q->l1_dirty_first = 0, q->l1_dirty_end = q->l1_count;
	for (size_t i = 0; i < b->frees.count; i++)
		qcow2_free_later(q, b->frees.run[i].first << q->cluster_bits, b->frees.run[i].count);
}

static void run_discard(struct qcow2 *q, uint64_t first, uint64_t count)
{
	if (count)
		q->file->type->discard(q->file, first << q->cluster_bits, count << q->cluster_bits);
}

/* Gives the room of clusters that only we refer to back to the host, while nobody else can take them. */
static void give_back(struct qcow2 *q, const struct qcow2_frees *f)
{
	for (size_t i = 0; q->file->type->discard && i < f->count; i++) {
		uint64_t begin = f->run[i].first;

		for (uint64_t c = begin; c < f->run[i].first + f->run[i].count; c++) {
			uint64_t refs;
			int err;

			pthread_mutex_lock(&q->lock);
			err = qcow2_ref_get(q, c, &refs);
			pthread_mutex_unlock(&q->lock);
			if (!err && refs == 1)
				continue;
			run_discard(q, begin, c - begin);
			begin = c + 1;
		}
		run_discard(q, begin, f->run[i].first + f->run[i].count - begin);
	}
}

static void batch_done(struct qcow2 *q, struct batch *b)
{
	for (unsigned i = 0; i < b->count; i++)
		b->slice[i]->pinned = false;
	for (size_t i = 0; i < b->frees.count; i++)
		qcow2_unalloc(q, b->frees.run[i].first << q->cluster_bits, b->frees.run[i].count);
}

static int file_sync(struct qcow2 *q) { return q->transient ? 0 : q->file->type->flush(q->file); }

/* With q->flushing held. */
static int flush_metadata(struct qcow2 *q)
{
	struct batch b = { 0 };
	int err;

	pthread_mutex_lock(&q->lock);
	err = q->corrupt ? -EIO : qcow2_cache_write_all(&q->ref);
	if (!err)
		err = batch_take(q, &b);
	q->batch_out = !err;
	pthread_mutex_unlock(&q->lock);
	if (!err) {
		err = file_sync(q);
		if (!err && (b.count || b.l1)) {
			err = batch_write(q, &b);
			if (!err)
				err = file_sync(q);
		}
		if (!err)
			give_back(q, &b.frees);
		pthread_mutex_lock(&q->lock);
		if (err)
			batch_undo(q, &b);
		else
			batch_done(q, &b);
		q->batch_out = false;
		pthread_mutex_unlock(&q->lock);
	}
	free(b.slice);
	free(b.data);
	free(b.l1);
	free(b.frees.run);
	return err;
}

int qcow2_flush(struct qcow2 *q)
{
	bool metadata;
	int err;

	if (q->l->info.readonly)
		return 0;
	pthread_mutex_lock(&q->lock);
	metadata = anything(q) || q->batch_out;
	pthread_mutex_unlock(&q->lock);
	if (!metadata)
		return file_sync(q);
	pthread_mutex_lock(&q->flushing);
	err = flush_metadata(q);
	pthread_mutex_unlock(&q->flushing);
	return err;
}
