/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts what refers to each cluster, from the header on, and compares with what the image says; then perhaps makes
 * it say so. That is `vmm disk check', and what happens before an image is written that nobody closed (its dirty
 * bit).
 *
 * The counters are an array over the whole file that is mapped and touched only where something lies, so that
 * a small file which claims to be large costs little. One that has something everywhere is given up.
 *
 * A repair must not take what is in use for free. So what it adds to the file, blocks of counters, gets a place by
 * what was counted here, and not by what the file says.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "qcow2.h"

#define CLUSTERS_MAX       (UINT64_C(1) << 32)
#define GROUP              4096u /* clusters */
#define GROUPS_MAX         65536 /* touched: a GiB of counters, which count 16 TiB of 64 KiB clusters */
#define SAID_MAX           20
#define SNAPSHOT_BYTES_MAX (64 * KIB)

struct check {
	struct qcow2 *q;
	struct disk_check *found;
	bool repair;
	uint32_t *refs;
	uint64_t clusters, room; /* of the file, and what @refs and @touched have room for */
	uint8_t *touched;        /* for each GROUP of them: something refers to one */
	unsigned groups;         /* that are touched */
	unsigned said;
};

/* Nobody has kept them right, and they are put right: nothing to worry anybody with. */
static bool counts_are_stale(const struct check *c)
{
	return c->repair && bit(c->q->header.incompatible, QCOW2_INCOMPAT_DIRTY);
}

static void __attribute__((format(printf, 2, 3))) say(struct check *c, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (c->said++ >= SAID_MAX) {
		if (c->said == SAID_MAX + 1)
			log_warn("disk %s: and more like these", c->q->l->name);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warn("disk %s: %s", c->q->l->name, text);
}

/* ---- Counting ---- */

static bool in_file(const struct check *c, uint64_t host, uint64_t bytes)
{
	uint64_t end = c->clusters << c->q->cluster_bits;

	return host <= end && bytes <= end - host;
}

/* False: there is no such place, or it is one too many to be counted. */
static bool refer(struct check *c, const char *what, uint64_t host, uint64_t bytes)
{
	uint64_t first = host >> c->q->cluster_bits;

	if (!in_file(c, host, bytes)) {
		c->found->errors++;
		say(c, "%s at 0x%" PRIx64 " lies behind the end of the file", what, host);
		return false;
	}
	for (uint64_t i = first; i << c->q->cluster_bits < host + bytes; i++) {
		c->groups += !c->touched[i / GROUP];
		if (c->groups > GROUPS_MAX)
			return false;
		c->touched[i / GROUP] = 1;
		c->refs[i] += c->refs[i] != UINT32_MAX;
	}
	return true;
}

/* Bitmaps are not looked at: what nothing else refers to may be theirs. */
static bool can_free(const struct check *c) { return !c->q->has_bitmaps; }

/* Is it the offset of a cluster? */
static bool whole(struct check *c, const char *what, uint64_t host)
{
	if (!(host & (c->q->cluster_bytes - 1)))
		return true;
	c->found->errors++;
	say(c, "%s at 0x%" PRIx64 " does not begin where a cluster does", what, host);
	return false;
}

static void count_entry(struct check *c, uint64_t entry, bool active)
{
	struct qcow2 *q = c->q;
	uint64_t host = entry & QCOW2_ENTRY_OFFSET, bytes = q->cluster_bytes;

	switch (qcow2_kind_of(q, entry)) {
	case QCOW2_NOTHING:
	case QCOW2_ZERO: return;
	case QCOW2_PACKED: {
		qcow2_packed_place(q, entry, &host, &bytes);
		/* The last sector may be cut off by the end of the file. */
		if (host < c->clusters << q->cluster_bits && bytes > (c->clusters << q->cluster_bits) - host)
			bytes = (c->clusters << q->cluster_bits) - host;
		uint64_t in = host & (q->cluster_bytes - 1);

		refer(c, "a compressed cluster", host - in, bytes + in);
		c->found->data_bytes += active ? bytes : 0;
		return;
	}
	case QCOW2_DATA:
	case QCOW2_ZERO_KEPT: break;
	}
	if (whole(c, "a cluster of data", host))
		refer(c, "a cluster of data", host, bytes);
	c->found->data_bytes += active ? bytes : 0;
}

static int count_table(struct check *c, uint64_t host, uint8_t *table, bool active)
{
	int err;

	if (!whole(c, "an L2 table", host) || !refer(c, "an L2 table", host, c->q->cluster_bytes))
		return 0;
	err = qcow2_pread(c->q, table, c->q->cluster_bytes, host);
	for (uint64_t i = 0; !err && i < UINT64_C(1) << c->q->l2_bits; i++)
		count_entry(c, qcow2_get64(table + i * 8), active);
	return err || c->groups <= GROUPS_MAX ? err : -ENOMEM;
}

static int count_l1(struct check *c, const uint64_t *l1, uint32_t count, bool active)
{
	uint8_t *table = qcow2_buffer(c->q->cluster_bytes);
	int err = table ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < count && !err; i++)
		if (l1[i] & QCOW2_ENTRY_OFFSET)
			err = count_table(c, l1[i] & QCOW2_ENTRY_OFFSET, table, active);
	free(table);
	return err;
}

static int count_snapshot_l1(struct check *c, uint64_t host, uint32_t count)
{
	uint64_t bytes = (uint64_t)count * 8, sector = c->q->file->info.logical_bytes;
	uint64_t *l1;
	int err;

	if (bytes > 32 * MIB) {
		c->found->errors++;
		say(c, "a snapshot's L1 table has %" PRIu32 " entries, too many", count);
		return 0;
	}
	if (!count || !whole(c, "a snapshot's L1 table", host) || !refer(c, "a snapshot's L1 table", host, bytes))
		return 0;
	l1 = qcow2_buffer(align_up(bytes, sector));
	err = l1 ? qcow2_pread(c->q, l1, align_up(bytes, sector), host) : -ENOMEM;
	for (uint32_t i = 0; i < count && !err; i++)
		l1[i] = be64toh(l1[i]);
	if (!err)
		err = count_l1(c, l1, count, false);
	free(l1);
	return err;
}

/* Bytes from anywhere in the file. */
static int read_bytes(struct qcow2 *q, uint64_t offset, void *data, uint64_t bytes)
{
	uint64_t sector = q->file->info.logical_bytes, first = align_down(offset, sector);
	uint64_t end = align_up(offset + bytes, sector);
	uint8_t *b = qcow2_buffer(end - first);
	int err = b ? qcow2_pread(q, b, end - first, first) : -ENOMEM;

	if (!err)
		memcpy(data, b + (offset - first), bytes);
	free(b);
	return err;
}

static int count_snapshots(struct check *c)
{
	const struct qcow2_header *h = &c->q->header;
	uint64_t at = h->snapshots_offset;
	int err = 0;

	for (uint32_t i = 0; i < h->snapshot_count && !err; i++) {
		struct qcow2_snapshot_header s;
		uint64_t bytes;

		err = read_bytes(c->q, at, &s, sizeof(s));
		if (err)
			return err;
		bytes = sizeof(s) + be32toh(s.extra_bytes) + (uint64_t)be16toh(s.id_bytes) + be16toh(s.name_bytes);
		if (be32toh(s.extra_bytes) > SNAPSHOT_BYTES_MAX || at - h->snapshots_offset > 64 * MIB) {
			c->found->errors++;
			say(c, "the table of snapshots is larger than it can be");
			return 0;
		}
		err = count_snapshot_l1(c, be64toh(s.l1_offset), be32toh(s.l1_count));
		at = align_up(at + bytes, 8);
	}
	if (h->snapshot_count && !err)
		refer(c, "the table of snapshots", h->snapshots_offset, at - h->snapshots_offset);
	return err;
}

static void count_reftable(struct check *c)
{
	struct qcow2 *q = c->q;

	refer(c, "the refcount table", q->header.reftable_offset, (uint64_t)q->reftable_count * 8);
	for (uint32_t i = 0; i < q->reftable_count; i++) {
		uint64_t host = q->reftable[i] & QCOW2_REFTABLE_OFFSET;

		if (host && whole(c, "a refcount block", host))
			refer(c, "a refcount block", host, q->cluster_bytes);
	}
}

static int count_all(struct check *c)
{
	struct qcow2 *q = c->q;
	int err;

	refer(c, "the header", 0, q->cluster_bytes);
	if (q->l1_count)
		refer(c, "the L1 table", q->header.l1_offset, (uint64_t)q->l1_count * 8);
	count_reftable(c);
	err = count_l1(c, q->l1, q->l1_count, true);
	if (!err)
		err = count_snapshots(c);
	/* What was left out would look like leaks. */
	return err || c->groups <= GROUPS_MAX ? err : -ENOMEM;
}

/* ---- Blocks of counters ---- */

/* Its place can be one's. */
static bool block_lies(const struct check *c, uint64_t block)
{
	const struct qcow2 *q = c->q;
	uint64_t host = block < q->reftable_count ? q->reftable[block] & QCOW2_REFTABLE_OFFSET : 0;

	return host && !(host & (q->cluster_bytes - 1)) && in_file(c, host, q->cluster_bytes);
}

/*
 * A block with an impossible place, which counting has found wrong already, or whose place is something else's as
 * well: to write counters there would destroy that. It is given up, and made anew with the first counter for it.
 */
static int give_up_blocks(struct check *c)
{
	struct qcow2 *q = c->q;
	int err = 0;

	for (uint32_t i = 0; i < q->reftable_count && !err; i++) {
		uint64_t host = q->reftable[i] & QCOW2_REFTABLE_OFFSET, cluster = host >> q->cluster_bits;

		if (!host || (block_lies(c, i) && c->refs[cluster] == 1))
			continue;
		if (block_lies(c, i)) {
			c->found->errors++;
			say(c, "the refcount block at 0x%" PRIx64 " is something else as well", host);
			c->refs[cluster] -= c->repair;
		}
		if (c->repair)
			err = qcow2_block_place(q, i, 0);
		c->found->repaired += c->repair && !err;
	}
	return err;
}

/* The first cluster of [first, end) that is free, also behind the end of the file; @end: there is none. */
static uint64_t find_unused(const struct check *c, uint64_t first, uint64_t end)
{
	/* What was not counted is not free. */
	if (!can_free(c) && first < c->clusters)
		first = c->clusters;
	while (first < end && first < c->clusters && c->refs[first])
		first++;
	return first < end ? first : end;
}

/* A place for @block, if it has none. -ERANGE: there is none. */
static int need_block(struct check *c, uint64_t block)
{
	struct qcow2 *q = c->q;
	uint64_t end = (block + 1) << q->block_bits, place;
	int err = 0;

	if (block >= q->reftable_count)
		return -ERANGE;
	if (q->reftable[block] & QCOW2_REFTABLE_OFFSET)
		return 0;
	place = find_unused(c, block << q->block_bits, end);
	/* Behind the end of the file there is room, also for what counts it, which may move the end. */
	if (place == end)
		do {
			place = c->clusters;
			err = need_block(c, place >> q->block_bits);
		} while (!err && place != c->clusters);
	if (err)
		return err;
	if (place >= c->room)
		return -ERANGE;
	err = qcow2_block_place(q, (uint32_t)block, place);
	if (err)
		return err;
	c->refs[place] = 1;
	c->touched[place / GROUP] = 1;
	if (c->clusters <= place)
		c->clusters = place + 1;
	return qcow2_ref_set(q, place, 1);
}

/* ---- Comparing ---- */

static int compare_one(struct check *c, uint64_t cluster, uint64_t stored)
{
	uint64_t host = cluster << c->q->cluster_bits, refs = c->refs[cluster];
	int err;

	if (stored == refs)
		return 0;
	if (stored > refs && !can_free(c))
		return 0;
	*(stored < refs ? &c->found->errors : &c->found->leaks) += 1;
	if (!counts_are_stale(c))
		say(c, "the cluster at 0x%" PRIx64 " is used %" PRIu64 " times and counted %" PRIu64, host, refs,
		    stored);
	if (!c->repair)
		return 0;
	err = need_block(c, cluster >> c->q->block_bits);
	if (!err)
		err = qcow2_ref_set(c->q, cluster, refs);
	c->found->repaired += !err;
	/* No refcount can say it: it stays as it is. */
	return err == -ERANGE ? 0 : err;
}

/* Nothing refers to clusters of the group that begins with @first, and nothing counts them. */
static bool empty(const struct check *c, uint64_t first)
{
	const struct qcow2 *q = c->q;

	if (c->touched[first / GROUP])
		return false;
	for (uint64_t b = first >> q->block_bits; b <= (first + GROUP - 1) >> q->block_bits && b < q->reftable_count;
	     b++)
		if (q->reftable[b])
			return false;
	return true;
}

static int compare(struct check *c)
{
	uint64_t stored;
	int err = 0;

	for (uint64_t i = 0; i < c->clusters && !err; i++) {
		if (!(i % GROUP) && empty(c, i)) {
			i += GROUP - 1;
			continue;
		}
		stored = 0;
		if (block_lies(c, i >> c->q->block_bits))
			err = qcow2_ref_get(c->q, i, &stored);
		if (!err)
			err = compare_one(c, i, stored);
	}
	return err;
}

/* ---- Who may write in place ---- */

/* The refcount of a cluster that an entry of the active tables refers to decides its COPIED bit. */
static bool copied_wrong(const struct check *c, uint64_t entry)
{
	uint64_t cluster = (entry & QCOW2_ENTRY_OFFSET) >> c->q->cluster_bits;

	return cluster && cluster < c->clusters && (c->refs[cluster] == 1) != !!(entry & QCOW2_ENTRY_COPIED);
}

static int fix_table(struct check *c, uint64_t host, uint8_t *table)
{
	struct qcow2 *q = c->q;
	bool changed = false;
	int err = qcow2_pread(q, table, q->cluster_bytes, host);

	for (uint64_t i = 0; !err && i < UINT64_C(1) << q->l2_bits; i++) {
		uint64_t entry = qcow2_get64(table + i * 8);
		enum qcow2_kind kind = qcow2_kind_of(q, entry);

		if ((kind != QCOW2_DATA && kind != QCOW2_ZERO_KEPT) || !copied_wrong(c, entry))
			continue;
		c->found->errors++;
		say(c, "the entry of the cluster at 0x%llx is wrong about whether only it refers to it",
		    (unsigned long long)(entry & QCOW2_ENTRY_OFFSET));
		qcow2_put64(table + i * 8, entry ^ QCOW2_ENTRY_COPIED);
		changed = true;
		c->found->repaired += c->repair;
	}
	if (!err && changed && c->repair) {
		qcow2_cache_drop(&q->l2, host, q->cluster_bytes);
		err = qcow2_pwrite(q, table, q->cluster_bytes, host);
	}
	return err;
}

static int check_copied(struct check *c)
{
	struct qcow2 *q = c->q;
	uint8_t *table = qcow2_buffer(q->cluster_bytes);
	int err = table ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < q->l1_count && !err; i++) {
		uint64_t host = q->l1[i] & QCOW2_ENTRY_OFFSET;

		if (!host || host & (q->cluster_bytes - 1) || host >> q->cluster_bits >= c->clusters)
			continue;
		if (copied_wrong(c, q->l1[i])) {
			c->found->errors++;
			say(c,
			    "the entry of the L2 table at 0x%" PRIx64 " is wrong about whether only it refers to it",
			    host);
			if (c->repair) {
				q->l1[i] ^= QCOW2_ENTRY_COPIED;
				q->l1_dirty_first = 0;
				q->l1_dirty_end = q->l1_count;
				c->found->repaired++;
			}
		}
		err = fix_table(c, host, table);
	}
	free(table);
	return err;
}

/* ---- All of it ---- */

/* Repaired: in the file, and then the header says so. */
static int finish_repair(struct check *c)
{
	struct qcow2 *q = c->q;
	uint64_t marks = 1u << QCOW2_INCOMPAT_DIRTY | 1u << QCOW2_INCOMPAT_CORRUPT;
	int err;

	q->free_hint = 0;
	err = qcow2_flush(q);
	if (err || c->found->errors + c->found->leaks > c->found->repaired || !(q->header.incompatible & marks))
		return err;
	q->header.incompatible &= ~marks;
	return qcow2_header_write(q);
}

static int check_locked(struct check *c)
{
	int err = count_all(c);

	if (!err)
		err = give_up_blocks(c);
	if (!err)
		err = compare(c);
	return err ? err : check_copied(c);
}

int qcow2_check(struct disk_layer *l, bool repair, struct disk_check *found)
{
	struct qcow2 *q = l->state;
	struct check c = { .q = q, .found = found, .repair = repair };
	uint64_t bytes;
	int err;

	*found = (struct disk_check){ 0 };
	/* What is in memory only would be missed. */
	err = qcow2_flush(q);
	if (err)
		return err;
	/* The last cluster of data may be longer than the file. */
	c.clusters = align_up(q->file_end, q->cluster_bytes) >> q->cluster_bits;
	if (c.clusters > CLUSTERS_MAX)
		return log_err(-EFBIG, "disk %s: the file has %" PRIu64 " clusters, too many to count", l->name,
			       c.clusters);
	c.room = c.clusters + q->reftable_count;
	bytes = c.room * sizeof(*c.refs) + 1;
	c.touched = calloc(c.room / GROUP + 1, 1);
	c.refs = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c.refs == MAP_FAILED || !c.touched) {
		if (c.refs != MAP_FAILED)
			munmap(c.refs, bytes);
		free(c.touched);
		return log_err(-ENOMEM, "disk %s: no memory to count %" PRIu64 " clusters", l->name, c.clusters);
	}
	pthread_mutex_lock(&q->lock);
	err = check_locked(&c);
	pthread_mutex_unlock(&q->lock);
	munmap(c.refs, bytes);
	free(c.touched);
	if (!err && repair)
		err = finish_repair(&c);
	if (err)
		log_err(0, "disk %s: the check did not come to its end: %s", l->name, strerror(-err));
	return err;
}
