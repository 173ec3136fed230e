/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtqueues. This, with the two formats in split.c and packed.c, is the only code that
 * reads or writes a ring in guest memory.
 *
 *   guest ring -> virtq_pop() -> chain of checked spans -> device -> virtq_push()
 *
 * The guest may change the ring while we read it. Every index, length and address is
 * therefore copied once, checked, and only the copy is used. What breaks a rule ends in
 * virtio_broken(): the driver has to reset. (virtio 1.2, 2.6 to 2.8)
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
	c->spans = calloc(SPANS_FIRST, sizeof(*c->spans));
	if (!c->spans) {
		free(c);
		return NULL;
	}
	c->room = SPANS_FIRST;
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
		unsigned room = 2 * c->room;
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

/* ---- For the formats ---- */

void *virtq_place(struct virtq *q, const char *what, uint64_t a, uint64_t bytes, unsigned align, bool write)
{
	void *p = a % align ? NULL : span_at(q, a, bytes, write);

	if (!p)
		virtio_broken(q->v, "queue %u: %s at 0x%llx, %llu bytes: not in memory at a multiple of %u", q->index,
			      what, (unsigned long long)a, (unsigned long long)bytes, align);
	return p;
}

bool virtq_add_span(struct virtq *q, struct virtq_chain *c, uint64_t a, uint32_t len, bool in)
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

const struct virtq_loose_desc *virtq_table(struct virtq *q, uint64_t a, uint32_t len, bool last)
{
	const struct virtq_loose_desc *table;

	if (!q->indirect || !last) {
		virtio_broken(q->v, "queue %u: an indirect descriptor %s", q->index,
			      last ? "that was not agreed on" : "before others, or in an indirect table");
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

/* ---- Ready or not ---- */

bool virtq_enable(struct virtq *q)
{
	CHECK(!q->ready);
	if (!q->size || q->size > q->v->type->queue_size) {
		virtio_broken(q->v, "queue %u: %u entries: wants 1 to %u", q->index, q->size, q->v->type->queue_size);
		return false;
	}
	q->ring = virtio_has(q->v, VIRTIO_F_RING_PACKED) ? &virtq_packed : &virtq_split;
	q->region = (struct mem_region){ 0 };
	if (!q->ring->place(q))
		return false;
	if (!chains_for(q)) {
		virtio_broken(q->v, "queue %u: the host has no memory for %u requests", q->index, q->size);
		return false;
	}
	q->event_idx = virtio_has(q->v, VIRTIO_F_EVENT_IDX);
	q->indirect = virtio_has(q->v, VIRTIO_F_INDIRECT_DESC);
	q->notifications = true;
	q->armed = false;
	q->fresh = q->in_flight = 0;
	q->ready = true;
	return true;
}

void virtq_disable(struct virtq *q)
{
	q->ready = q->lent = false;
	q->in_flight = q->fresh = 0;
	if (!++q->epoch)
		q->epoch = 1;
	drop_all_chains(q);
}

void virtq_free(struct virtq *q) { free_chains(q); }

int virtq_lend(struct virtq *q, struct virtq_loan *loan)
{
	bool packed = q->ring == &virtq_packed;
	int err;

	CHECK(q->ready && !q->in_flight);
	*loan = (struct virtq_loan){
		.desc = packed ? (void *)q->packed.desc : q->split.desc,
		.driver = packed ? (void *)q->packed.driver_event : q->split.avail,
		.device = packed ? (void *)q->packed.device_event : q->split.used,
		.desc_addr = q->desc_addr,
		.driver_addr = q->driver_addr,
		.device_addr = q->device_addr,
		.size = q->size,
		.base = q->next_avail,
	};
	if (packed)
		loan->base |= (uint32_t)q->packed.avail_wrap << 15 | (uint32_t)q->next_used << 16 |
			      (uint32_t)q->packed.used_wrap << 31;
	err = virtio_wires_lend(q->v, q->index, &loan->kick, &loan->call);
	q->lent = !err;
	return err;
}

/* ---- What devices call ---- */

/* After a broken rule nothing is taken from the rings any more. */
static bool usable(const struct virtq *q) { return q->ready && q->v->running && !q->lent; }

/* What we write before our look at what the driver writes; it does the same the other way round (2.7.10, 2.8.10). */
static void full_fence(void) { atomic_thread_fence(memory_order_seq_cst); }

/*
 * With EVENT_IDX the driver is told where to notify only when there is nothing left: as long
 * as the device finds requests by itself, notifications would be for nothing.
 */
static bool pending(struct virtq *q)
{
	if (q->ring->look(q))
		return true;
	if (!q->event_idx || !q->notifications || q->armed || !q->v->running)
		return false;
	q->ring->wish(q, true);
	q->armed = true;
	full_fence();
	return q->ring->look(q);
}

bool virtq_empty(struct virtq *q) { return !usable(q) || (q->turn && !q->ration) || !pending(q); }

bool virtq_turn(struct virtq *q)
{
	q->turn = true;
	q->ration = q->size;
	q->v->type->notify(q->v, q->index);
	q->turn = false;
	return !q->ration && !virtq_empty(q);
}

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
	c->out_count = c->in_count = 0;
	c->out_bytes = c->in_bytes = 0;
	c->opaque = NULL;
	if (!q->ring->get(q, c)) {
		drop_chain(q, c);
		return NULL;
	}
	c->out = c->spans;
	c->in = c->spans + c->out_count;
	c->epoch = q->epoch;
	q->ring->move(q, c->desc_count);
	q->armed = false;
	q->in_flight += c->desc_count;
	q->ration -= q->turn;
	return c;
}

/* It has been pushed, or a reset has made it void. */
static bool stale(const struct virtq_chain *c) { return c->epoch != c->queue->epoch; }

void virtq_push_all(struct virtq_chain *const *c, const uint32_t *written, unsigned count)
{
	struct virtq *q = c[0]->queue;
	bool use = usable(q), some = false;

	for (unsigned i = 0; i < count; i++) {
		if (stale(c[i]))
			continue;
		if (use) {
			q->ring->put(q, c[i], written[i]);
			q->fresh += c[i]->desc_count;
			some = true;
		}
		q->in_flight -= c[i]->desc_count;
		drop_chain(q, c[i]);
	}
	if (some)
		q->ring->publish(q);
}

void virtq_push(struct virtq_chain *c, uint32_t written) { virtq_push_all(&c, &written, 1); }

void virtq_unpop(struct virtq_chain *c)
{
	struct virtq *q = c->queue;

	if (stale(c))
		return;
	q->ring->move(q, -(int)c->desc_count);
	q->armed = false;
	q->in_flight -= c->desc_count;
	drop_chain(q, c);
}

void virtq_interrupt(struct virtq *q)
{
	uint32_t fresh = q->fresh;

	if (!fresh || !usable(q))
		return;
	q->fresh = 0;
	full_fence();
	if (q->ring->wants_interrupt(q, fresh))
		virtio_interrupt_used(q->v);
}

void virtq_notifications(struct virtq *q, bool on)
{
	if (!usable(q) || q->notifications == on)
		return;
	q->notifications = q->armed = on;
	q->ring->wish(q, on);
	full_fence();
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
