/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtqueues: the only code that reads or writes a ring in guest memory.
 *
 *   guest ring -> virtq_pop() -> chain of checked spans -> device -> virtq_push()
 *
 * The guest may change the ring while we read it. Every index, length and address is
 * therefore copied once, checked, and only the copy is used. What breaks a rule ends in
 * virtio_broken(): the driver has to reset. (virtio 1.2, 2.7)
 *
 * Nothing is allocated for a request once the queue has seen as many at a time: chains are
 * used again, and each keeps the room for spans it has grown to.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/err.h>

#include "queue.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rings are little-endian and read as they are");

#define CHAIN_BYTES_MAX (4 * GIB) /* 2.7.5: the driver must not make a longer one */
#define SPANS_FIRST     8

/* A descriptor of an indirect table: that may begin anywhere. */
struct loose_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
} __attribute__((packed));

static uint16_t load16(const uint16_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static void store16(uint16_t *p, uint16_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); }

/* 2.7.6, 2.7.8: where the event indices are, behind the rings. */
static uint16_t *used_event(const struct virtq *q) { return &q->avail->ring[q->size]; }
static uint16_t *avail_event(const struct virtq *q) { return (uint16_t *)&q->used->ring[q->size]; }

struct virtq *virtio_queue(struct virtio_device *v, unsigned i) { return &v->queue[i]; }
bool virtq_ready(const struct virtq *q) { return q->ready; }
unsigned virtq_index(const struct virtq *q) { return q->index; }
unsigned virtq_size(const struct virtq *q) { return q->size; }

/* ---- Guest addresses ---- */

/* Nearly all are in the same region, and the look-up is for the others. */
static void *span_at(struct virtq *q, uint64_t a, uint64_t len, bool write)
{
	const struct mem_region *r = &q->region;

	if (a - r->base.v >= r->bytes) {
		r = mem_region_at(q->v->dev->env->mem, gpa(a));
		if (!r)
			return NULL;
		q->region = *r;
	}
	return len <= r->bytes - (a - r->base.v) && !(write && r->readonly) ? r->host + (a - r->base.v) : NULL;
}

static bool place_ring(struct virtq *q, const char *what, uint64_t a, uint64_t bytes, unsigned align, bool write,
		       void *ptr)
{
	void *p = a % align ? NULL : span_at(q, a, bytes, write);

	if (!p) {
		virtio_broken(q->v, "queue %u: %s at 0x%llx, %llu bytes: not in memory at a multiple of %u", q->index,
			      what, (unsigned long long)a, (unsigned long long)bytes, align);
		return false;
	}
	memcpy(ptr, &p, sizeof(p));
	return true;
}

/* ---- Chains, used again ---- */

static struct virtq_chain *take_chain(struct virtq *q)
{
	struct virtq_chain *c = q->unused;

	if (c) {
		q->unused = c->next;
		return c;
	}
	CHECK(q->chain_count < q->chain_room);
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->queue = q;
	q->chains[q->chain_count++] = c;
	return c;
}

static void drop_chain(struct virtq *q, struct virtq_chain *c)
{
	c->epoch = 0;
	c->next = q->unused;
	q->unused = c;
}

static void drop_all_chains(struct virtq *q)
{
	q->unused = NULL;
	for (unsigned i = 0; i < q->chain_count; i++)
		drop_chain(q, q->chains[i]);
}

static void free_chains(struct virtq *q)
{
	for (unsigned i = 0; i < q->chain_count; i++) {
		free(q->chains[i]->spans);
		free(q->chains[i]);
	}
	free(q->chains);
	q->chains = NULL;
	q->unused = NULL;
	q->chain_count = q->chain_room = 0;
}

/* Room for as many chains as the ring can bring at a time. */
static bool chains_for(struct virtq *q)
{
	if (q->chain_room >= q->size)
		return true;
	free_chains(q);
	q->chains = calloc(q->size, sizeof(*q->chains));
	if (q->chains)
		q->chain_room = q->size;
	return q->chains;
}

static bool add_span(struct virtq *q, struct virtq_chain *c, void *p, uint32_t len, bool in)
{
	unsigned n = c->out_count + c->in_count;

	if (n == c->room) {
		unsigned room = c->room ? 2 * c->room : SPANS_FIRST;
		struct iovec *grown = realloc(c->spans, room * sizeof(*grown));

		if (!grown) {
			virtio_broken(q->v, "queue %u: the host has no memory for a request of %u pieces", q->index,
				      n);
			return false;
		}
		c->spans = grown;
		c->room = room;
	}
	c->spans[n] = (struct iovec){ p, len };
	if (in) {
		c->in_count++;
		c->in_bytes += len;
	} else {
		c->out_count++;
		c->out_bytes += len;
	}
	return true;
}

/* ---- One descriptor, a copy ---- */

static bool add_desc(struct virtq *q, struct virtq_chain *c, uint64_t a, uint32_t len, bool in)
{
	void *p;

	if (!in && c->in_bytes) {
		virtio_broken(q->v, "queue %u: a buffer to be read stands behind one to be written", q->index);
		return false;
	}
	if (!len)
		return true; /* no rule forbids it, and there is nothing to look at */
	if (c->out_bytes + c->in_bytes + len > CHAIN_BYTES_MAX) {
		virtio_broken(q->v, "queue %u: a request of more than 4 GiB", q->index);
		return false;
	}
	p = span_at(q, a, len, in);
	if (!p) {
		virtio_broken(q->v, "queue %u: a buffer at 0x%llx, %u bytes: not in memory", q->index,
			      (unsigned long long)a, len);
		return false;
	}
	return add_span(q, c, p, len, in);
}

/* The chain's iovecs, once spans does not move any more. */
static void close_chain(struct virtq *q, struct virtq_chain *c)
{
	c->out = c->spans;
	c->in = c->spans + c->out_count;
	c->epoch = q->epoch;
}

static void open_chain(struct virtq_chain *c)
{
	c->out_count = c->in_count = 0;
	c->out_bytes = c->in_bytes = 0;
	c->opaque = NULL;
}

/* A table that a descriptor points to; NULL: it breaks a rule. */
static const struct loose_desc *indirect_table(struct virtq *q, uint64_t a, uint32_t len)
{
	const struct loose_desc *table;

	if (!q->indirect) {
		virtio_broken(q->v, "queue %u: an indirect descriptor, a feature that was not accepted", q->index);
		return NULL;
	}
	if (!len || len % sizeof(*table) || len / sizeof(*table) > q->size) {
		virtio_broken(q->v, "queue %u: an indirect table of %u bytes: wants 16 times 1 to %u", q->index, len,
			      q->size);
		return NULL;
	}
	table = span_at(q, a, len, false);
	if (!table)
		virtio_broken(q->v, "queue %u: an indirect table at 0x%llx, %u bytes: not in memory", q->index,
			      (unsigned long long)a, len);
	return table;
}

/* ---- Split rings ---- */

static struct loose_desc copy_desc(const volatile struct loose_desc *d)
{
	return (struct loose_desc){ .addr = d->addr, .len = d->len, .flags = d->flags, .next = d->next };
}

/*
 * Follows the chain from @at. All its descriptors together are at most as many as the ring
 * has entries, which also ends a chain that bites its tail.
 */
static bool split_walk(struct virtq *q, struct virtq_chain *c, uint32_t at)
{
	const struct loose_desc *table = (const struct loose_desc *)q->desc;
	uint32_t count = q->size;
	bool nested = false;

	for (uint32_t seen = 0; seen < q->size;) {
		struct loose_desc d;

		if (at >= count) {
			virtio_broken(q->v, "queue %u: descriptor %u of %u", q->index, at, count);
			return false;
		}
		d = copy_desc(&table[at]);
		if (d.flags & VIRTQ_DESC_F_INDIRECT) {
			if (nested || d.flags & VIRTQ_DESC_F_NEXT) {
				virtio_broken(q->v, "queue %u: an indirect descriptor %s", q->index,
					      nested ? "in an indirect table" : "that is not the last one");
				return false;
			}
			nested = true;
			table = indirect_table(q, d.addr, d.len);
			if (!table)
				return false;
			count = d.len / sizeof(d);
			at = 0;
			continue;
		}
		if (!add_desc(q, c, d.addr, d.len, d.flags & VIRTQ_DESC_F_WRITE))
			return false;
		if (!(d.flags & VIRTQ_DESC_F_NEXT))
			return true;
		at = d.next;
		seen++;
	}
	virtio_broken(q->v, "queue %u: a chain of more than %u descriptors", q->index, q->size);
	return false;
}

/* Looks at the driver's index again. */
static bool split_look(struct virtq *q)
{
	uint16_t idx = __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE), ahead = (uint16_t)(idx - q->next_avail);

	if (ahead + q->in_flight > q->size) {
		virtio_broken(q->v, "queue %u: %u requests and %u unfinished ones in a ring of %u", q->index, ahead,
			      q->in_flight, q->size);
		return false;
	}
	q->seen_avail = idx;
	return ahead;
}

static void split_arm(struct virtq *q)
{
	store16(avail_event(q), q->next_avail);
	q->armed = true;
	/* Our wish before our look at its index; the driver: its index before its look at our wish (2.7.10). */
	atomic_thread_fence(memory_order_seq_cst);
}

/*
 * With EVENT_IDX the driver is told where to notify only when there is nothing left: as long
 * as the device finds requests by itself, the driver's notifications would be for nothing.
 */
static bool split_pending(struct virtq *q)
{
	if (q->next_avail != q->seen_avail || split_look(q))
		return true;
	if (!q->event_idx || !q->notifications || q->armed || !q->v->running)
		return false;
	split_arm(q);
	return split_look(q);
}

static bool split_pop(struct virtq *q, struct virtq_chain *c)
{
	c->id = load16(&q->avail->ring[q->next_avail & (q->size - 1)]);
	c->desc_count = 1;
	return split_walk(q, c, c->id);
}

static void split_push(struct virtq *q, const struct virtq_chain *c, uint32_t written)
{
	struct virtq_used_elem *e = &q->used->ring[q->next_used & (q->size - 1)];

	__atomic_store_n(&e->id, (uint32_t)c->id, __ATOMIC_RELAXED);
	__atomic_store_n(&e->len, written, __ATOMIC_RELAXED);
	__atomic_store_n(&q->used->idx, ++q->next_used, __ATOMIC_RELEASE);
}

/* 2.7.7.2, 2.7.10: has the used index passed what the driver waits for? */
static bool split_wants_interrupt(const struct virtq *q, uint32_t fresh)
{
	if (!q->event_idx)
		return !(load16(&q->avail->flags) & VIRTQ_AVAIL_F_NO_INTERRUPT);
	return fresh > UINT16_MAX || (uint16_t)(q->next_used - load16(used_event(q)) - 1) < fresh;
}

/* ---- Ready or not ---- */

bool virtq_enable(struct virtq *q)
{
	uint64_t size = q->size;

	CHECK(!q->ready);
	if (!size || size > q->v->type->queue_size || size & (size - 1)) {
		virtio_broken(q->v, "queue %u: %u entries: wants a power of two up to %u", q->index, q->size,
			      q->v->type->queue_size);
		return false;
	}
	q->region = (struct mem_region){ 0 };
	if (!place_ring(q, "descriptors", q->desc_addr, 16 * size, 16, false, &q->desc) ||
	    !place_ring(q, "available ring", q->driver_addr, 6 + 2 * size, 2, false, &q->avail) ||
	    !place_ring(q, "used ring", q->device_addr, 6 + 8 * size, 4, true, &q->used))
		return false;
	if (!chains_for(q)) {
		virtio_broken(q->v, "queue %u: the host has no memory for %u requests", q->index, q->size);
		return false;
	}
	q->event_idx = virtio_has(q->v, VIRTIO_F_EVENT_IDX);
	q->indirect = virtio_has(q->v, VIRTIO_F_INDIRECT_DESC);
	q->notifications = true;
	q->armed = false;
	q->next_avail = q->seen_avail = q->next_used = 0;
	q->fresh = q->in_flight = 0;
	q->ready = true;
	return true;
}

void virtq_disable(struct virtq *q)
{
	q->ready = false;
	q->in_flight = q->fresh = 0;
	if (!++q->epoch)
		q->epoch = 1;
	drop_all_chains(q);
}

void virtq_free(struct virtq *q) { free_chains(q); }

/* ---- What devices call ---- */

/* After a broken rule nothing is taken from the rings any more. */
static bool usable(const struct virtq *q) { return q->ready && q->v->running; }

bool virtq_empty(struct virtq *q) { return !usable(q) || !split_pending(q); }

struct virtq_chain *virtq_pop(struct virtq *q)
{
	struct virtq_chain *c;

	if (virtq_empty(q))
		return NULL;
	c = take_chain(q);
	if (!c) {
		virtio_broken(q->v, "queue %u: the host has no memory for a request", q->index);
		return NULL;
	}
	open_chain(c);
	if (!split_pop(q, c)) {
		drop_chain(q, c);
		return NULL;
	}
	close_chain(q, c);
	q->next_avail++;
	q->armed = false;
	q->in_flight++;
	return c;
}

void virtq_push(struct virtq_chain *c, uint32_t written)
{
	struct virtq *q = c->queue;

	if (c->epoch != q->epoch)
		return; /* from before a reset */
	if (usable(q)) {
		split_push(q, c, written);
		q->fresh++;
	}
	q->in_flight--;
	drop_chain(q, c);
}

void virtq_unpop(struct virtq_chain *c)
{
	struct virtq *q = c->queue;

	if (c->epoch != q->epoch)
		return;
	q->next_avail--;
	q->armed = false;
	q->in_flight--;
	drop_chain(q, c);
}

void virtq_interrupt(struct virtq *q)
{
	uint32_t fresh = q->fresh;

	if (!fresh || !usable(q))
		return;
	q->fresh = 0;
	/* Our index before our look at its wish; the driver: its wish before its look at our index. */
	atomic_thread_fence(memory_order_seq_cst);
	if (split_wants_interrupt(q, fresh))
		virtio_interrupt_used(q->v);
}

void virtq_notifications(struct virtq *q, bool on)
{
	if (!usable(q) || q->notifications == on)
		return;
	q->notifications = on;
	if (q->event_idx) {
		if (on)
			split_arm(q);
		return;
	}
	store16(&q->used->flags, on ? 0 : VIRTQ_USED_F_NO_NOTIFY);
	atomic_thread_fence(memory_order_seq_cst);
}

/* ---- Bytes ---- */

/* One step over the first span: how many bytes, and where they are. */
static size_t step(struct iovec **v, unsigned *count, uint64_t *bytes, size_t len, char **at)
{
	size_t n = (*v)->iov_len < len ? (*v)->iov_len : len;

	*at = (*v)->iov_base;
	(*v)->iov_base = *at + n;
	(*v)->iov_len -= n;
	*bytes -= n;
	if (!(*v)->iov_len) {
		++*v;
		--*count;
	}
	return n;
}

size_t virtq_read(struct virtq_chain *c, void *dst, size_t len)
{
	size_t done = 0;
	char *from;

	while (done < len && c->out_count) {
		size_t n = step(&c->out, &c->out_count, &c->out_bytes, len - done, &from);

		memcpy((char *)dst + done, from, n);
		done += n;
	}
	return done;
}

size_t virtq_write(struct virtq_chain *c, const void *src, size_t len)
{
	size_t done = 0;
	char *to;

	while (done < len && c->in_count) {
		size_t n = step(&c->in, &c->in_count, &c->in_bytes, len - done, &to);

		memcpy(to, (const char *)src + done, n);
		done += n;
	}
	return done;
}

size_t virtq_skip_out(struct virtq_chain *c, size_t len)
{
	size_t done = 0;
	char *at;

	while (done < len && c->out_count)
		done += step(&c->out, &c->out_count, &c->out_bytes, len - done, &at);
	return done;
}

size_t virtq_skip_in(struct virtq_chain *c, size_t len)
{
	size_t done = 0;
	char *at;

	while (done < len && c->in_count)
		done += step(&c->in, &c->in_count, &c->in_bytes, len - done, &at);
	return done;
}
