/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of L2 tables and refcount blocks in memory, as they are in the file. Pieces and not whole tables, so that
 * a change writes 4 KiB and a disk read at random keeps more of what it needs.
 *
 * The limit is one that is kept when it can be: dirty pieces of L2 tables must not be written before what they
 * refer to, so they stay until a flush; writers flush first when too many wait (qcow2_wants_flush()).
 */
#include <stdlib.h>
#include <string.h>
#include <vmm/err.h>
#include "qcow2.h"

#define UNIT_MAX 4096u

int qcow2_cache_init(struct qcow2_cache *c, struct disk_layer *file, uint64_t cluster_bytes, uint64_t bytes,
		     bool ordered)
{
	c->file = file;
	c->ordered = ordered;
	c->unit = cluster_bytes < UNIT_MAX ? (uint32_t)cluster_bytes : UNIT_MAX;
	c->limit = (unsigned)(bytes / c->unit);
	if (c->limit < 16)
		c->limit = 16;
	for (c->bucket_bits = 4; c->bucket_bits < 16 && 1u << c->bucket_bits < c->limit; c->bucket_bits++)
		;
	c->buckets = calloc((size_t)1 << c->bucket_bits, sizeof(struct qcow2_slice *));
	return c->buckets ? 0 : -ENOMEM;
}

static struct qcow2_slice **bucket_of(struct qcow2_cache *c, uint64_t offset)
{
	return &c->buckets[(offset / c->unit * 0x9e3779b97f4a7c15ull) >> (64 - c->bucket_bits)];
}

static void lru_remove(struct qcow2_cache *c, struct qcow2_slice *s)
{
	*(s->newer ? &s->newer->older : &c->newest) = s->older;
	*(s->older ? &s->older->newer : &c->oldest) = s->newer;
}

static void lru_add(struct qcow2_cache *c, struct qcow2_slice *s)
{
	s->newer = NULL;
	s->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = s;
	c->newest = s;
}

static void slice_free(struct qcow2_slice *s)
{
	free(s->data);
	free(s);
}

static void forget(struct qcow2_cache *c, struct qcow2_slice *s)
{
	struct qcow2_slice **at = bucket_of(c, s->offset);

	while (*at != s)
		at = &(*at)->chain;
	*at = s->chain;
	lru_remove(c, s);
	qcow2_cache_clean(c, s);
	c->count--;
}

void qcow2_cache_free(struct qcow2_cache *c)
{
	struct qcow2_slice *s;

	while ((s = c->newest)) {
		forget(c, s);
		slice_free(s);
	}
	free(c->buckets);
	c->buckets = NULL;
}

void qcow2_cache_dirty(struct qcow2_cache *c, struct qcow2_slice *s)
{
	c->dirty += !s->dirty;
	s->dirty = true;
}

void qcow2_cache_clean(struct qcow2_cache *c, struct qcow2_slice *s)
{
	c->dirty -= s->dirty;
	s->dirty = false;
}

int qcow2_cache_write(struct qcow2_cache *c, struct qcow2_slice *s)
{
	struct iovec iov = { s->data, c->unit };
	int err = c->file->type->write(c->file, s->offset, &iov, 1, 0);

	if (!err)
		qcow2_cache_clean(c, s);
	return err;
}

int qcow2_cache_write_all(struct qcow2_cache *c)
{
	int err = 0;

	for (struct qcow2_slice *s = c->newest; s && c->dirty && !err; s = s->older)
		if (s->dirty)
			err = qcow2_cache_write(c, s);
	return err;
}

static int read_slice(struct qcow2_cache *c, struct qcow2_slice *s)
{
	struct iovec iov = { s->data, c->unit };

	return c->file->type->read(c->file, s->offset, &iov, 1, 0);
}

void qcow2_cache_drop(struct qcow2_cache *c, uint64_t offset, uint64_t bytes)
{
	for (uint64_t at = offset; at < offset + bytes; at += c->unit) {
		struct qcow2_slice *s = *bucket_of(c, at);

		while (s && s->offset != at)
			s = s->chain;
		if (s && s->pinned) { /* somebody has a pointer to it */
			read_slice(c, s);
		} else if (s) {
			forget(c, s);
			slice_free(s);
		}
	}
}

static bool can_go(struct qcow2_cache *c, struct qcow2_slice *s)
{
	return !s->pinned && (!s->dirty || (!c->ordered && !qcow2_cache_write(c, s)));
}

/*
 * The slice that was not used for longest, of those that can go. The others move to the end of the queue: were they
 * found first again and again, nothing would ever go while many wait for a flush that does not come.
 */
static struct qcow2_slice *take_old(struct qcow2_cache *c)
{
	struct qcow2_slice *s = c->oldest, *next;

	for (unsigned tries = 64; s && tries--; s = next) {
		next = s->newer;
		if (can_go(c, s)) {
			forget(c, s);
			return s;
		}
		lru_remove(c, s);
		lru_add(c, s);
	}
	return NULL;
}

static struct qcow2_slice *slice_new(struct qcow2_cache *c)
{
	struct qcow2_slice *s;

	/* There were more for a while. */
	while (c->count > c->limit && (s = take_old(c)))
		slice_free(s);
	s = c->count >= c->limit ? take_old(c) : NULL;
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (s && !(s->data = qcow2_buffer(c->unit))) {
		free(s);
		return NULL;
	}
	return s;
}

static int load(struct qcow2_cache *c, uint64_t offset, struct qcow2_slice **slice)
{
	struct qcow2_slice *s = slice_new(c);
	int err;

	if (!s)
		return -ENOMEM;
	s->offset = offset;
	err = read_slice(c, s);
	if (err) {
		slice_free(s);
		return err;
	}
	s->chain = *bucket_of(c, offset);
	*bucket_of(c, offset) = s;
	lru_add(c, s);
	c->count++;
	*slice = s;
	return 0;
}

int qcow2_cache_get(struct qcow2_cache *c, uint64_t offset, unsigned flags, struct qcow2_slice **slice)
{
	struct qcow2_slice *s = c->newest;

	if (s && s->offset == offset) {
		*slice = s;
		return 0;
	}
	for (s = *bucket_of(c, offset); s && s->offset != offset; s = s->chain)
		;
	if (!s)
		return flags & DISK_NOWAIT ? -EAGAIN : load(c, offset, slice);
	lru_remove(c, s);
	lru_add(c, s);
	*slice = s;
	return 0;
}
