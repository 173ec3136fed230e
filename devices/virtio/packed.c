/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packed rings: one ring of descriptors that both sides write. Whose turn it is with one
 * say two of its flags against a wrap counter that changes with each round. (virtio 1.2, 2.8)
 *
 * The flags come last when a descriptor is made available or used, so they are what the
 * fences stand at.
 */
#include <vmm/types.h>

#include "queue.h"

#define AVAIL_USED  (VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED)
#define OFF_WRAP    0x8000u
#define FLAGS_SHIFT 16 /* of struct virtq_packed_event, in one piece */

static bool packed_place(struct virtq *q)
{
	q->packed.desc = virtq_place(q, "descriptors", q->desc_addr, UINT64_C(16) * q->size, 16, true);
	if (q->packed.desc)
		q->packed.driver_event = virtq_place(q, "driver area", q->driver_addr, 4, 4, false);
	if (q->packed.desc && q->packed.driver_event)
		q->packed.device_event = virtq_place(q, "device area", q->device_addr, 4, 4, true);
	q->next_avail = q->next_used = 0;
	q->packed.avail_wrap = q->packed.used_wrap = true;
	q->packed.held = NULL;
	return q->packed.desc && q->packed.driver_event && q->packed.device_event;
}

static bool packed_look(struct virtq *q)
{
	uint16_t flags = __atomic_load_n(&q->packed.desc[q->next_avail].flags, __ATOMIC_ACQUIRE);

	if ((flags & AVAIL_USED) != (q->packed.avail_wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED))
		return false;
	if (q->in_flight < q->size)
		return true;
	virtio_broken(q->v, "queue %u: more than %u descriptors at a time", q->index, q->size);
	return false;
}

/* 2.8.8: a table's descriptors are all used, in order, and their only flag is WRITE. */
static bool add_table(struct virtq *q, struct virtq_chain *c, const struct virtq_loose_desc *table, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct virtq_loose_desc d = virtq_copy_desc(&table[i]);

		if (!virtq_add_span(q, c, d.addr, d.len, d.b & VIRTQ_DESC_F_WRITE))
			return false;
	}
	return true;
}

static bool add_indirect(struct virtq *q, struct virtq_chain *c, const struct virtq_loose_desc *d)
{
	const struct virtq_loose_desc *table = virtq_table(q, d->addr, d->len, !(d->b & VIRTQ_DESC_F_NEXT));
	uint32_t count = d->len / sizeof(*d);

	if (table && c->desc_count - 1u + count > q->size) {
		virtio_broken(q->v, "queue %u: a chain of more than %u descriptors", q->index, q->size);
		return false;
	}
	return table && add_table(q, c, table, count);
}

/* The driver wrote the flags of the first descriptor last, so those behind it are there. The last one has the id. */
static bool packed_get(struct virtq *q, struct virtq_chain *c)
{
	uint32_t at = q->next_avail;

	for (c->desc_count = 1;; c->desc_count++) {
		struct virtq_loose_desc d = virtq_copy_desc(&q->packed.desc[at]);

		if (c->desc_count + q->in_flight > q->size) {
			virtio_broken(q->v, "queue %u: more than %u descriptors at a time", q->index, q->size);
			return false;
		}
		c->id = d.a;
		if (d.b & VIRTQ_DESC_F_INDIRECT)
			return add_indirect(q, c, &d);
		if (!virtq_add_span(q, c, d.addr, d.len, d.b & VIRTQ_DESC_F_WRITE))
			return false;
		if (!(d.b & VIRTQ_DESC_F_NEXT))
			return true;
		at = at + 1 == q->size ? 0 : at + 1;
	}
}

/* @by is at most a round. */
static uint16_t moved(const struct virtq *q, uint16_t at, int by, bool *wrap)
{
	int to = at + by, size = (int)q->size;

	if (to < 0 || to >= size) {
		*wrap = !*wrap;
		to += to < 0 ? size : -size;
	}
	return (uint16_t)to;
}

static void packed_move(struct virtq *q, int by)
{
	q->next_avail = moved(q, q->next_avail, by, &q->packed.avail_wrap);
}

static void packed_put(struct virtq *q, const struct virtq_chain *c, uint32_t written)
{
	struct virtq_packed_desc *d = &q->packed.desc[q->next_used];
	uint16_t flags = (q->packed.used_wrap ? AVAIL_USED : 0) | (written ? VIRTQ_DESC_F_WRITE : 0);

	__atomic_store_n(&d->id, c->id, __ATOMIC_RELAXED);
	__atomic_store_n(&d->len, written, __ATOMIC_RELAXED);
	if (q->packed.held) {
		__atomic_store_n(&d->flags, flags, __ATOMIC_RELAXED);
	} else {
		q->packed.held = d;
		q->packed.held_flags = flags;
	}
	q->next_used = moved(q, q->next_used, c->desc_count, &q->packed.used_wrap);
}

/* The driver goes from one to the next, and does not get past the first before. */
static void packed_publish(struct virtq *q)
{
	__atomic_store_n(&q->packed.held->flags, q->packed.held_flags, __ATOMIC_RELEASE);
	q->packed.held = NULL;
}

static void packed_wish(struct virtq *q, bool on)
{
	uint32_t off = q->next_avail | (q->packed.avail_wrap ? OFF_WRAP : 0),
		 flags = on ? q->event_idx ? VIRTQ_EVENT_DESC : VIRTQ_EVENT_ENABLE : VIRTQ_EVENT_DISABLE;

	__atomic_store_n(q->packed.device_event, flags << FLAGS_SHIFT | off, __ATOMIC_RELAXED);
}

/* 2.8.10: @fresh descriptors before next_used have been used: is the one the driver waits for among them? */
static bool packed_wants_interrupt(const struct virtq *q, uint32_t fresh)
{
	uint32_t event = __atomic_load_n(q->packed.driver_event, __ATOMIC_RELAXED), off = event & (OFF_WRAP - 1);
	uint32_t passed = q->next_used - off + (!(event & OFF_WRAP) == q->packed.used_wrap ? q->size : 0);

	switch (event >> FLAGS_SHIFT & 3) {
	case VIRTQ_EVENT_DISABLE: return false;
	case VIRTQ_EVENT_DESC: return !q->event_idx || fresh >= q->size || passed - 1 < fresh;
	}
	return true;
}

const struct virtq_ring virtq_packed = {
	.place = packed_place,
	.look = packed_look,
	.get = packed_get,
	.move = packed_move,
	.put = packed_put,
	.publish = packed_publish,
	.wish = packed_wish,
	.wants_interrupt = packed_wants_interrupt,
};
