/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which clusters of the file are in use: a table of blocks of counters. A cluster is taken in memory first; the
 * counters reach the file before what refers to the cluster does, and go down after that. What a crash leaves behind
 * is a cluster that nobody uses, never one that is used and counts as free.
 *
 * A block of counters that is missing is put at the first cluster it counts, which is free as nothing there is
 * counted; so growing needs no allocation to allocate.
 */
#include <stdlib.h>
#include <string.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "qcow2.h"

#define REFTABLE_BYTES_MAX (8 * MIB)
#define HOST_END           (UINT64_C(1) << 55)

static uint64_t counter_get(const uint8_t *p, uint64_t index, unsigned order)
{
	uint64_t v = 0;

	if (order < 3)
		return p[index >> (3 - order)] >> ((index << order) & 7) & ((1u << (1u << order)) - 1);
	for (unsigned i = 0; i < 1u << (order - 3); i++)
		v = v << 8 | p[(index << (order - 3)) + i];
	return v;
}

static void counter_set(uint8_t *p, uint64_t index, unsigned order, uint64_t v)
{
	unsigned shift = (index << order) & 7, mask = (1u << (1u << (order < 3 ? order : 0))) - 1;

	if (order < 3) {
		p += index >> (3 - order);
		*p = (uint8_t)((*p & ~(mask << shift)) | (unsigned)v << shift);
		return;
	}
	for (unsigned i = 1u << (order - 3); i--; v >>= 8)
		p[(index << (order - 3)) + i] = (uint8_t)v;
}

static uint64_t counter_max(unsigned order) { return order == 6 ? UINT64_MAX : (UINT64_C(1) << (1u << order)) - 1; }

bool qcow2_is_metadata(const struct qcow2 *q, uint64_t host, uint64_t bytes)
{
	const struct qcow2_header *h = &q->header;
	uint64_t l1_bytes = align_up((uint64_t)h->l1_count * 8, q->cluster_bytes);
	uint64_t table_bytes = (uint64_t)q->reftable_count * 8;

	return host < q->cluster_bytes || (host < h->l1_offset + l1_bytes && host + bytes > h->l1_offset) ||
	       (host < h->reftable_offset + table_bytes && host + bytes > h->reftable_offset);
}

/* The slice with the counter of @cluster, its @index there. -ENOENT: no block counts it. */
static int counter_find(struct qcow2 *q, uint64_t cluster, struct qcow2_slice **s, uint64_t *index)
{
	unsigned order = q->header.refcount_order;
	uint64_t block = cluster >> q->block_bits, at = cluster & ((UINT64_C(1) << q->block_bits) - 1);
	uint64_t per_slice = (uint64_t)q->ref.unit * 8 >> order;
	uint64_t host = block < q->reftable_count ? q->reftable[block] & QCOW2_REFTABLE_OFFSET : 0;

	if (!host)
		return -ENOENT;
	if (host & (q->cluster_bytes - 1) || host >= HOST_END)
		return qcow2_corrupt(q, "a refcount block lies at", host);
	*index = at % per_slice;
	return qcow2_cache_get(&q->ref, host + at / per_slice * q->ref.unit, 0, s);
}

int qcow2_ref_get(struct qcow2 *q, uint64_t cluster, uint64_t *count)
{
	struct qcow2_slice *s;
	uint64_t index;
	int err = counter_find(q, cluster, &s, &index);

	*count = err ? 0 : counter_get(s->data, index, q->header.refcount_order);
	return err == -ENOENT ? 0 : err;
}

/* Writes the reftable around entry @index; whole sectors, for O_DIRECT. */
static int reftable_write(struct qcow2 *q, uint32_t index)
{
	uint32_t count = (q->cluster_bytes < 4096 ? (uint32_t)q->cluster_bytes : 4096) / 8,
		 first = index / count * count;
	uint8_t *b = qcow2_buffer((uint64_t)count * 8);
	int err;

	if (!b)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		qcow2_put64(b + i * 8, q->reftable[first + i]);
	err = qcow2_pwrite(q, b, (uint64_t)count * 8, q->header.reftable_offset + (uint64_t)first * 8);
	free(b);
	return err;
}

/* @blocks that count clusters [first, end) as used once, at @host and after it in the file. @first begins a block. */
static int blocks_write(struct qcow2 *q, uint64_t first, uint64_t end, uint64_t blocks, uint64_t host)
{
	uint8_t *b = qcow2_buffer(q->cluster_bytes);
	uint64_t per_block = UINT64_C(1) << q->block_bits;
	int err = b ? 0 : -ENOMEM;

	for (; !err && blocks--; first += per_block, host += q->cluster_bytes) {
		memset(b, 0, q->cluster_bytes);
		for (uint64_t i = 0; i < per_block && first + i < end; i++)
			counter_set(b, i, q->header.refcount_order, 1);
		qcow2_cache_drop(&q->ref, host, q->cluster_bytes);
		err = qcow2_pwrite(q, b, q->cluster_bytes, host);
	}
	free(b);
	return err;
}

static uint64_t div_up(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

/*
 * A larger table, behind all that the old one can count: there lie first the blocks that count the place, then the
 * table. The header changes when both are in the file.
 */
static int reftable_grow(struct qcow2 *q)
{
	struct qcow2_header old = q->header;
	uint64_t per_block = UINT64_C(1) << q->block_bits, first = (uint64_t)q->reftable_count << q->block_bits;
	uint64_t table = 1, blocks = 1, count, old_count = q->reftable_count, *entries;
	uint64_t host = first << q->cluster_bits;
	uint8_t *b;
	int err;

	do {
		count = old_count + old_count / 2 + blocks;
		table = div_up(count * 8, q->cluster_bytes);
		blocks = div_up(table + blocks, per_block);
	} while (table + blocks > blocks * per_block || count < old_count + blocks);
	count = table * q->cluster_bytes / 8;
	if (count * 8 > REFTABLE_BYTES_MAX || host >= HOST_END)
		return log_err(
			-EFBIG,
			"disk %s: the file cannot grow any more: its table of refcounts has the size of %llu MiB",
			q->l->name, (unsigned long long)(REFTABLE_BYTES_MAX / MIB));
	entries = calloc(count, 8);
	b = qcow2_buffer(count * 8);
	err = entries && b ? blocks_write(q, first, first + blocks + table, blocks, host) : -ENOMEM;
	if (!err) {
		memcpy(entries, q->reftable, old_count * 8);
		for (uint64_t i = 0; i < blocks; i++)
			entries[old_count + i] = host + i * q->cluster_bytes;
		for (uint64_t i = 0; i < count; i++)
			qcow2_put64(b + i * 8, entries[i]);
		err = qcow2_pwrite(q, b, count * 8, host + blocks * q->cluster_bytes);
	}
	if (!err && !q->transient)
		err = q->file->type->flush(q->file);
	if (!err) {
		q->header.reftable_offset = host + blocks * q->cluster_bytes;
		q->header.reftable_clusters = (uint32_t)table;
		err = qcow2_header_write(q);
	}
	free(b);
	if (err) {
		q->header = old;
		free(entries);
		return err;
	}
	free(q->reftable);
	q->reftable = entries;
	q->reftable_count = (uint32_t)count;
	if (q->file_end < host + (blocks + table) * q->cluster_bytes)
		q->file_end = host + (blocks + table) * q->cluster_bytes;
	qcow2_free_later(q, old.reftable_offset, old.reftable_clusters);
	return 0;
}

int qcow2_block_place(struct qcow2 *q, uint32_t block, uint64_t cluster)
{
	uint64_t host = cluster << q->cluster_bits, first = (uint64_t)block << q->block_bits;
	int err = 0;

	if (host) {
		err = blocks_write(q, first, first, 1, host);
		if (q->file_end < host + q->cluster_bytes)
			q->file_end = host + q->cluster_bytes;
	}
	if (!err)
		err = q->file->type->flush(q->file);
	if (err)
		return err;
	q->reftable[block] = host;
	return reftable_write(q, block);
}

static int block_new(struct qcow2 *q, uint64_t block)
{
	uint64_t first = block << q->block_bits, host = first << q->cluster_bits;
	int err;

	if (block >= q->reftable_count)
		return reftable_grow(q);
	if (qcow2_is_metadata(q, host, q->cluster_bytes) || host >= HOST_END)
		return qcow2_corrupt(q, "nothing counts the use of what lies at", host);
	err = blocks_write(q, first, first + 1, 1, host);
	/* The table must not refer to a block that is not there yet. */
	if (!err && !q->transient)
		err = q->file->type->flush(q->file);
	if (err)
		return err;
	q->reftable[block] = host;
	if (q->file_end < host + q->cluster_bytes)
		q->file_end = host + q->cluster_bytes;
	return reftable_write(q, (uint32_t)block);
}

int qcow2_ref_set(struct qcow2 *q, uint64_t cluster, uint64_t count)
{
	struct qcow2_slice *s;
	uint64_t index;
	int err;

	while ((err = counter_find(q, cluster, &s, &index)) == -ENOENT) {
		err = block_new(q, cluster >> q->block_bits);
		if (err)
			return err;
	}
	if (err)
		return err;
	if (count > counter_max(q->header.refcount_order))
		return log_err(-ERANGE,
			       "disk %s: a cluster is used %llu times, more than a refcount of %u bits can say",
			       q->l->name, (unsigned long long)count, 1u << q->header.refcount_order);
	counter_set(s->data, index, q->header.refcount_order, count);
	qcow2_cache_dirty(&q->ref, s);
	return 0;
}

/* The first free cluster from q->free_hint on. */
static int find_free(struct qcow2 *q, uint64_t *cluster)
{
	struct qcow2_slice *s;
	uint64_t index;

	for (uint64_t c = q->free_hint; c < HOST_END >> q->cluster_bits; c++) {
		int err = counter_find(q, c, &s, &index);

		if (err == -ENOENT) {
			err = block_new(q, c >> q->block_bits);
			if (!err)
				err = counter_find(q, c, &s, &index);
		}
		if (err)
			return err;
		if (counter_get(s->data, index, q->header.refcount_order))
			continue;
		*cluster = q->free_hint = c;
		return 0;
	}
	return -ENOSPC;
}

static int take(struct qcow2 *q, uint64_t cluster)
{
	struct qcow2_slice *s;
	uint64_t index;
	int err = counter_find(q, cluster, &s, &index);

	if (err)
		return err;
	if (counter_get(s->data, index, q->header.refcount_order))
		return -EBUSY;
	if (qcow2_is_metadata(q, cluster << q->cluster_bits, q->cluster_bytes))
		return qcow2_corrupt(q, "in use, but counted as free is what lies at", cluster << q->cluster_bits);
	counter_set(s->data, index, q->header.refcount_order, 1);
	qcow2_cache_dirty(&q->ref, s);
	return 0;
}

int qcow2_alloc(struct qcow2 *q, uint64_t want, uint64_t *host, uint64_t *got, bool *fresh)
{
	uint64_t first = 0, n, end;
	int err = q->corrupt ? -EIO : find_free(q, &first);

	if (!err)
		err = take(q, first);
	if (err)
		return err;
	for (n = 1; n < want && !take(q, first + n); n++)
		;
	*host = first << q->cluster_bits;
	*got = n;
	*fresh = *host >= q->file_end && !q->file->info.readonly;
	end = (first + n) << q->cluster_bits;
	q->free_hint = first + n;
	if (q->file_end < end)
		q->file_end = end;
	return 0;
}

static int drop_ref(struct qcow2 *q, uint64_t cluster)
{
	uint64_t count;
	int err = qcow2_ref_get(q, cluster, &count);

	if (!err && !count)
		err = qcow2_corrupt(q, "freed, but not counted as used is what lies at", cluster << q->cluster_bits);
	if (!err)
		err = qcow2_ref_set(q, cluster, count - 1);
	if (!err && count == 1 && cluster < q->free_hint)
		q->free_hint = cluster;
	return err;
}

void qcow2_unalloc(struct qcow2 *q, uint64_t host, uint64_t count)
{
	/* What cannot be counted down is lost room and nothing worse. */
	for (uint64_t i = 0; i < count; i++)
		if (drop_ref(q, (host >> q->cluster_bits) + i))
			return;
}

void qcow2_free_later(struct qcow2 *q, uint64_t host, uint64_t count)
{
	struct qcow2_frees *f = &q->frees;
	struct qcow2_run *last = f->count ? &f->run[f->count - 1] : NULL;
	uint64_t first = host >> q->cluster_bits;

	if (last && last->first + last->count == first) {
		last->count += count;
		return;
	}
	if (f->count == f->room) {
		size_t room = f->room ? f->room * 2 : 64;
		struct qcow2_run *run = realloc(f->run, room * sizeof(*run));

		if (!run)
			return; /* lost room */
		f->run = run;
		f->room = room;
	}
	f->run[f->count++] = (struct qcow2_run){ first, count };
}
