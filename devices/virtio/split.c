/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Split rings: descriptors in a table, one ring for each direction. (virtio 1.2, 2.7) */
#include <vmm/types.h>

#include "queue.h"

static uint16_t load16(const uint16_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static void store16(uint16_t *p, uint16_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }

/* 2.7.6, 2.7.8: where the event indices are, behind the rings. */
static uint16_t *used_event(const struct virtq *q) { return &q->split.avail->ring[q->size]; }
static uint16_t *avail_event(const struct virtq *q) { return (uint16_t *)&q->split.used->ring[q->size]; }

static bool split_place(struct virtq *q)
{
	uint64_t size = q->size;

	if (size & (size - 1)) {
		virtio_broken(q->v, "queue %u: %u entries, which is not a power of two", q->index, q->size);
		return false;
	}
	q->split.desc = virtq_place(q, "descriptors", q->desc_addr, 16 * size, 16, false);
	if (q->split.desc)
		q->split.avail = virtq_place(q, "available ring", q->driver_addr, 6 + 2 * size, 2, false);
	if (q->split.desc && q->split.avail)
		q->split.used = virtq_place(q, "used ring", q->device_addr, 6 + 8 * size, 4, true);
	q->split.seen_avail = q->next_avail = q->next_used = 0;
	return q->split.desc && q->split.avail && q->split.used;
}

static bool split_look(struct virtq *q)
{
	uint16_t idx, ahead;

	if (q->next_avail != q->split.seen_avail)
		return true;
	idx = __atomic_load_n(&q->split.avail->idx, __ATOMIC_ACQUIRE);
	ahead = (uint16_t)(idx - q->next_avail);
	if (ahead + q->in_flight > q->size) {
		virtio_broken(q->v, "queue %u: %u requests and %u unfinished ones in a ring of %u", q->index, ahead,
			      q->in_flight, q->size);
		return false;
	}
	q->split.seen_avail = idx;
	return ahead;
}

/*
 * Follows the chain from @at. All its descriptors together are at most as many as the ring
 * has entries, which also ends a chain that bites its tail.
 */
static bool walk(struct virtq *q, struct virtq_chain *c, uint32_t at)
{
	const void *table = q->split.desc;
	uint32_t count = q->size, seen = 0;
	bool nested = false;

	while (at < count) {
		struct virtq_loose_desc d = virtq_copy_desc((const struct virtq_loose_desc *)table + at);

		if (d.a & VIRTQ_DESC_F_INDIRECT) {
			table = virtq_table(q, d.addr, d.len, !nested && !(d.a & VIRTQ_DESC_F_NEXT));
			if (!table)
				return false;
			nested = true;
			count = d.len / sizeof(d);
			at = 0;
			continue;
		}
		if (++seen > q->size) {
			virtio_broken(q->v, "queue %u: a chain of more than %u descriptors", q->index, q->size);
			return false;
		}
		if (!virtq_add_span(q, c, d.addr, d.len, d.a & VIRTQ_DESC_F_WRITE))
			return false;
		if (!(d.a & VIRTQ_DESC_F_NEXT))
			return true;
		at = d.b;
	}
	virtio_broken(q->v, "queue %u: descriptor %u, where there are %u", q->index, at, count);
	return false;
}

static bool split_get(struct virtq *q, struct virtq_chain *c)
{
	c->id = load16(&q->split.avail->ring[q->next_avail & (q->size - 1)]);
	c->desc_count = 1;
	return walk(q, c, c->id);
}

static void split_move(struct virtq *q, int by) { q->next_avail = (uint16_t)(q->next_avail + by); }

static void split_put(struct virtq *q, const struct virtq_chain *c, uint32_t written)
{
	struct virtq_used_elem *e = &q->split.used->ring[q->next_used & (q->size - 1)];

	__atomic_store_n(&e->id, (uint32_t)c->id, __ATOMIC_RELAXED);
	__atomic_store_n(&e->len, written, __ATOMIC_RELAXED);
	q->next_used++;
}

static void split_publish(struct virtq *q) { __atomic_store_n(&q->split.used->idx, q->next_used, __ATOMIC_RELEASE); }

/* With EVENT_IDX there is nothing to say for no: an index that has passed comes again after 65536 requests. */
static void split_wish(struct virtq *q, bool on)
{
	if (!q->event_idx)
		store16(&q->split.used->flags, on ? 0 : VIRTQ_USED_F_NO_NOTIFY);
	else if (on)
		store16(avail_event(q), q->next_avail);
}

/* 2.7.7.2, 2.7.10: has the used index passed what the driver waits for? */
static bool split_wants_interrupt(const struct virtq *q, uint32_t fresh)
{
	if (!q->event_idx)
		return !(load16(&q->split.avail->flags) & VIRTQ_AVAIL_F_NO_INTERRUPT);
	return fresh > UINT16_MAX || (uint16_t)(q->next_used - load16(used_event(q)) - 1) < fresh;
}

const struct virtq_ring virtq_split = {
	.place = split_place,
	.look = split_look,
	.get = split_get,
	.move = split_move,
	.put = split_put,
	.publish = split_publish,
	.wish = split_wish,
	.wants_interrupt = split_wants_interrupt,
};
