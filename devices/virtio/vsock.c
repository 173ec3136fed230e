/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-vsock: connections between programs of the guest and of the host. (virtio 1.2, 5.10)
 *
 *   guest -> tx queue -> receive() -> struct conn -> unix socket
 *   unix socket -> ready list -> pump() -> rx queue -> guest
 *
 * Nobody sends what the other has no room for: each packet says how much its sender can take (buf_alloc) and
 * has got rid of so far (fwd_cnt). What the guest says is believed only as far as it hurts nobody but itself.
 *
 * Answers need buffers of the guest. Those to packets of no connection are few and counted; when there is no more
 * room for one, the guest's packets wait until it gives us buffers (5.10.6.1.1).
 */
#include <fcntl.h>
#include <spec/virtio-vsock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/files.h>
#include <vmm/log.h>
#include <vmm/unix.h>
#include <vmm/virtio.h>

#include "vsock.h"

#define CONNS_MAX     1023
#define BUCKETS       256
#define STRAYS_MAX    64
#define SPANS_MAX     64
#define PACKET_BYTES  (64 * KIB)
#define HOST_PORTS    (1u << 30) /* where ours begin, for those who connect to the guest */
#define COMMAND_BYTES 32
/* In a row: who never stops, guest or host, shall not keep others from the device and from the loop. */
#define PACKETS_MAX 256

enum conn_state {
	CONN_COMMAND,   /* from the host; has not said where to */
	CONN_REQUESTED, /* the guest has not answered */
	CONN_OPEN,
	CONN_DEAD, /* but for a last RST */
	CONN_LEFT, /* the guest knows it no more; the host has not taken all that it had said */
};

enum {
	SEND_RST = 1 << 0,
	SEND_REQUEST = 1 << 1,
	SEND_RESPONSE = 1 << 2,
	SEND_SHUTDOWN = 1 << 3,
	SEND_CREDIT = 1 << 4,
	SEND_CREDIT_REQUEST = 1 << 5,
};

struct conn {
	struct vsock *v;
	struct conn *next; /* in its bucket, or of those that the guest does not know */
	struct conn *next_ready, *next_freed;
	uint32_t guest_port, host_port;
	enum conn_state state;
	bool ready; /* is in the list */
	bool asked; /* for credit, since there was some */
	unsigned to_send;
	unsigned shutdown;                          /* flags the guest has sent */
	unsigned our_shutdown;                      /* those for it */
	uint32_t sent, peer_buffer, peer_forwarded; /* towards the guest */
	uint32_t received, forwarded, told;         /* from the guest; told: `forwarded' in the last packet */
	struct vsock_stream stream;
	char line[COMMAND_BYTES];
	unsigned line_bytes;
};

struct vsock {
	struct virtio_device virtio;
	uint64_t cid;
	const char *path;
	struct loop *loop;
	pthread_mutex_t *lock;
	int listener;
	struct unix_acceptor acceptor;
	struct conn *bucket[BUCKETS], *unknown, *freed;
	struct conn *ready, **last_ready;
	unsigned conn_count, conns_max;
	uint32_t next_port;
	struct virtio_vsock_hdr stray[STRAYS_MAX]; /* answers to packets of no connection */
	unsigned stray_count;
	bool tell_reset;         /* there were connections that the driver may still believe in */
	struct loop_timer go_on; /* there are more packets than fit in a row */
	struct {
		uint64_t guest_cid;
	} config;
};

/* ---- Connections ---- */

static struct conn **bucket_of(struct vsock *v, uint32_t guest_port, uint32_t host_port)
{
	return &v->bucket[(guest_port * 31 + host_port) % BUCKETS];
}

static struct conn *find(struct vsock *v, uint32_t guest_port, uint32_t host_port)
{
	struct conn *c = *bucket_of(v, guest_port, host_port);

	while (c && (c->guest_port != guest_port || c->host_port != host_port))
		c = c->next;
	return c;
}

static void insert(struct conn *c, struct conn **list)
{
	c->next = *list;
	*list = c;
}

static struct conn **list_of(struct conn *c)
{
	bool unknown = c->state == CONN_COMMAND || c->state == CONN_LEFT;

	return unknown ? &c->v->unknown : bucket_of(c->v, c->guest_port, c->host_port);
}

static void take_out(struct conn *c)
{
	struct conn **at = list_of(c);

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
}

static void make_ready(struct conn *c)
{
	struct vsock *v = c->v;

	if (c->ready)
		return;
	c->ready = true;
	c->next_ready = NULL;
	*v->last_ready = c;
	v->last_ready = &c->next_ready;
}

static struct conn *take_ready(struct vsock *v)
{
	struct conn *c = v->ready;

	if (!c)
		return NULL;
	v->ready = c->next_ready;
	if (!v->ready)
		v->last_ready = &v->ready;
	c->ready = false;
	return c;
}

static void unready(struct conn *c)
{
	struct conn **at = &c->v->ready;

	if (!c->ready)
		return;
	while (*at != c)
		at = &(*at)->next_ready;
	*at = c->next_ready;
	if (!*at)
		c->v->last_ready = at;
	c->ready = false;
}

/* Its memory goes later: its stream may just be calling us. */
static void free_conn(struct conn *c)
{
	struct vsock *v = c->v;

	unready(c);
	take_out(c);
	vsock_stream_close(&c->stream);
	c->next_freed = v->freed;
	v->freed = c;
	v->conn_count--;
}

static void reap(struct vsock *v)
{
	while (v->freed) {
		struct conn *c = v->freed;

		v->freed = c->next_freed;
		free(c);
	}
}

/* The guest is told that it is over. */
static void kill_conn(struct conn *c)
{
	vsock_stream_close(&c->stream);
	c->state = CONN_DEAD;
	c->to_send = SEND_RST;
	make_ready(c);
}

static const struct vsock_user conn_user;

/* Takes over @fd, on failure too. In no list yet. */
static struct conn *new_conn(struct vsock *v, int fd, enum conn_state state)
{
	struct conn *c = v->conn_count < v->conns_max ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		close(fd);
		return NULL;
	}
	c->v = v;
	c->state = state;
	vsock_stream_init(&c->stream, fd, v->loop, v->lock, &conn_user, c);
	v->conn_count++;
	return c;
}

/* ---- Towards the guest ---- */

static uint32_t credit(const struct conn *c)
{
	uint32_t under_way = c->sent - c->peer_forwarded;

	return under_way < c->peer_buffer ? c->peer_buffer - under_way : 0;
}

static bool has_data(const struct conn *c) { return c->state == CONN_OPEN && c->stream.readable; }

static bool has_something(const struct conn *c) { return c->to_send || (has_data(c) && (credit(c) || !c->asked)); }

static void put_header(struct virtq_chain *chain, const struct virtio_vsock_hdr *h)
{
	virtq_write(chain, h, sizeof(*h));
}

/* Into @chain, behind room for a header: as much as there is, and credit for. */
static ssize_t read_data(struct conn *c, const struct virtq_chain *chain)
{
	struct iovec iov[SPANS_MAX];
	size_t left = credit(c) < PACKET_BYTES ? credit(c) : PACKET_BYTES, skip = sizeof(struct virtio_vsock_hdr);
	unsigned n = 0;

	for (unsigned i = 0; i < chain->in_count && n < SPANS_MAX && left; i++) {
		size_t len = chain->in[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		len = len - skip < left ? len - skip : left;
		iov[n++] = (struct iovec){ (uint8_t *)chain->in[i].iov_base + skip, len };
		left -= len;
		skip = 0;
	}
	return n ? vsock_stream_read(&c->stream, iov, n) : -ENOSPC;
}

/* The op of what comes next; 0: nothing. Data is in @chain already then. */
static uint16_t next_packet(struct conn *c, const struct virtq_chain *chain, struct virtio_vsock_hdr *h)
{
	static const struct {
		unsigned bit;
		uint16_t op;
	} controls[] = {
		{ SEND_RST, VIRTIO_VSOCK_OP_RST },
		{ SEND_REQUEST, VIRTIO_VSOCK_OP_REQUEST },
		{ SEND_RESPONSE, VIRTIO_VSOCK_OP_RESPONSE },
		{ SEND_CREDIT_REQUEST, VIRTIO_VSOCK_OP_CREDIT_REQUEST },
	};
	ssize_t n;

	for (unsigned i = 0; i < ARRAY_SIZE(controls); i++)
		if (c->to_send & controls[i].bit) {
			c->to_send &= ~controls[i].bit;
			return controls[i].op;
		}
	if (has_data(c) && credit(c)) {
		n = read_data(c, chain);
		if (n > 0) {
			h->len = (uint32_t)n;
			return VIRTIO_VSOCK_OP_RW;
		}
		if (!n) {
			bool gone = vsock_stream_gone(&c->stream);

			c->our_shutdown = gone ? VIRTIO_VSOCK_SHUTDOWN_BOTH : VIRTIO_VSOCK_SHUTDOWN_SEND;
			c->to_send |= SEND_SHUTDOWN;
			if (gone) {
				vsock_stream_close(&c->stream);
				c->forwarded = c->received;
			}
		} else if (n != -EAGAIN) {
			kill_conn(c);
			c->to_send = 0;
			return VIRTIO_VSOCK_OP_RST;
		}
	} else if (has_data(c) && !c->asked) {
		c->asked = true;
		return VIRTIO_VSOCK_OP_CREDIT_REQUEST;
	}
	if (c->to_send & SEND_SHUTDOWN) {
		c->to_send &= ~SEND_SHUTDOWN;
		h->flags = c->our_shutdown;
		return VIRTIO_VSOCK_OP_SHUTDOWN;
	}
	return c->to_send & SEND_CREDIT ? VIRTIO_VSOCK_OP_CREDIT_UPDATE : 0;
}

/* False: there was nothing to say after all. */
static bool send_packet(struct conn *c, struct virtq_chain *chain)
{
	struct virtio_vsock_hdr h = { .src_cid = VIRTIO_VSOCK_CID_HOST,
				      .dst_cid = c->v->cid,
				      .src_port = c->host_port,
				      .dst_port = c->guest_port,
				      .type = VIRTIO_VSOCK_TYPE_STREAM,
				      .buf_alloc = VSOCK_BUFFER_BYTES };

	h.op = next_packet(c, chain, &h);
	if (!h.op)
		return false;
	/* Every packet tells it. */
	h.fwd_cnt = c->told = c->forwarded;
	c->to_send &= ~(unsigned)SEND_CREDIT;
	c->sent += h.len;
	put_header(chain, &h);
	virtq_push(chain, (uint32_t)sizeof(h) + h.len);
	if (h.op == VIRTIO_VSOCK_OP_RST)
		free_conn(c);
	else if (has_something(c))
		make_ready(c);
	return true;
}

static bool send_next(struct vsock *v, struct virtq_chain *chain)
{
	struct conn *c;

	if (v->stray_count) {
		put_header(chain, &v->stray[--v->stray_count]);
		virtq_push(chain, sizeof(struct virtio_vsock_hdr));
		return true;
	}
	while ((c = take_ready(v)))
		if (send_packet(c, chain))
			return true;
	return false;
}

static void count_packet(struct vsock *v, unsigned *count)
{
	if (++*count == PACKETS_MAX)
		loop_timer_arm(&v->go_on, loop_now_ns());
}

/* As much as the guest has buffers for. */
static void pump(struct vsock *v)
{
	struct virtq *q = virtio_queue(&v->virtio, VIRTIO_VSOCK_QUEUE_RX);
	struct virtq_chain *chain;
	unsigned count = 0;

	while ((v->ready || v->stray_count) && count < PACKETS_MAX && (chain = virtq_pop(q))) {
		if (chain->in_bytes < sizeof(struct virtio_vsock_hdr)) {
			virtio_broken(&v->virtio, "a receive buffer of %llu bytes has no room for a header",
				      (unsigned long long)chain->in_bytes);
			return;
		}
		if (!send_next(v, chain))
			virtq_unpop(chain);
		count_packet(v, &count);
	}
	virtq_interrupt(q);
}

static void answer_stray(struct vsock *v, const struct virtio_vsock_hdr *to)
{
	v->stray[v->stray_count++] = (struct virtio_vsock_hdr){
		.src_cid = VIRTIO_VSOCK_CID_HOST,
		.dst_cid = v->cid,
		.src_port = to->dst_port,
		.dst_port = to->src_port,
		.type = to->type,
		.op = VIRTIO_VSOCK_OP_RST,
	};
}

/* ---- From the guest ---- */

/* When it believes that half of the buffer is full, and more than that is free. */
static void credit_if_needed(struct conn *c)
{
	if (c->received - c->told < VSOCK_BUFFER_BYTES / 2 || c->told == c->forwarded)
		return;
	c->to_send |= SEND_CREDIT;
	make_ready(c);
}

static void on_request(struct vsock *v, const struct virtio_vsock_hdr *h)
{
	int fd = vsock_connect(v->path, h->dst_port);
	struct conn *c = fd < 0 ? NULL : new_conn(v, fd, CONN_OPEN);

	if (!c) {
		log_debug("%s: the guest's port %u to the host's %u: nobody listens", v->virtio.dev->name,
			  h->src_port, h->dst_port);
		answer_stray(v, h);
		return;
	}
	c->guest_port = h->src_port;
	c->host_port = h->dst_port;
	c->peer_buffer = h->buf_alloc;
	c->peer_forwarded = h->fwd_cnt;
	insert(c, list_of(c));
	c->to_send = SEND_RESPONSE;
	make_ready(c);
}

static void on_response(struct conn *c)
{
	char text[32];

	if (c->state != CONN_REQUESTED) {
		kill_conn(c);
		return;
	}
	c->state = CONN_OPEN;
	vsock_stream_hold(&c->stream, false);
	snprintf(text, sizeof(text), "OK %u\n", c->host_port);
	vsock_stream_say(&c->stream, text);
}

static void on_data(struct conn *c, uint32_t len, struct virtq_chain *chain)
{
	struct iovec iov[SPANS_MAX];
	size_t left = len;
	unsigned n = 0;
	ssize_t sent;

	if (len > VSOCK_BUFFER_BYTES - (c->received - c->forwarded) || c->shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND) {
		log_guest("%s: port %u sends %u bytes that it has no right to", c->v->virtio.dev->name, c->guest_port,
			  len);
		kill_conn(c);
		return;
	}
	for (unsigned i = 0; i < chain->out_count && n < SPANS_MAX && left; i++, n++) {
		iov[n] = chain->out[i];
		if (iov[n].iov_len > left)
			iov[n].iov_len = left;
		left -= iov[n].iov_len;
	}
	c->received += len;
	sent = left ? -EMSGSIZE : c->stream.fd < 0 ? len : vsock_stream_write(&c->stream, iov, n);
	if (sent < 0) {
		kill_conn(c);
		return;
	}
	c->forwarded += (uint32_t)sent;
	credit_if_needed(c);
}

/* Both sides have said all, and what the guest has said is on its way. */
static void end_if_all_is_said(struct conn *c)
{
	if (c->state == CONN_OPEN && c->shutdown == VIRTIO_VSOCK_SHUTDOWN_BOTH && !c->stream.used)
		kill_conn(c);
}

static void on_shutdown(struct conn *c, uint32_t flags)
{
	c->shutdown |= flags & VIRTIO_VSOCK_SHUTDOWN_BOTH;
	if (c->state != CONN_OPEN) {
		kill_conn(c);
		return;
	}
	if (c->stream.fd >= 0 && c->shutdown & VIRTIO_VSOCK_SHUTDOWN_RECEIVE)
		vsock_stream_stop_reading(&c->stream);
	if (c->stream.fd >= 0 && c->shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND)
		vsock_stream_finish(&c->stream);
	end_if_all_is_said(c);
}

/*
 * Linux says after eight seconds of waiting for ours that it is over. What it had said until it was at an end
 * is not lost because its reader takes longer.
 */
static void on_reset(struct conn *c)
{
	if (!c->stream.used || !(c->shutdown & VIRTIO_VSOCK_SHUTDOWN_SEND)) {
		free_conn(c);
		return;
	}
	vsock_stream_stop_reading(&c->stream);
	unready(c);
	take_out(c);
	c->state = CONN_LEFT;
	insert(c, list_of(c));
}

static void on_packet(struct conn *c, const struct virtio_vsock_hdr *h, struct virtq_chain *chain)
{
	if (h->op == VIRTIO_VSOCK_OP_RST) {
		on_reset(c);
		return;
	}
	if (c->state == CONN_DEAD)
		return;
	c->peer_buffer = h->buf_alloc;
	c->peer_forwarded = h->fwd_cnt;
	if (credit(c))
		c->asked = false;
	switch (h->op) {
	case VIRTIO_VSOCK_OP_RESPONSE: on_response(c); break;
	case VIRTIO_VSOCK_OP_SHUTDOWN: on_shutdown(c, h->flags); break;
	case VIRTIO_VSOCK_OP_CREDIT_UPDATE: break;
	case VIRTIO_VSOCK_OP_CREDIT_REQUEST: c->to_send |= SEND_CREDIT; break;
	case VIRTIO_VSOCK_OP_RW:
		if (c->state == CONN_OPEN)
			on_data(c, h->len, chain);
		else
			kill_conn(c);
		break;
	default: kill_conn(c); break;
	}
	if (has_something(c))
		make_ready(c);
}

static void receive(struct vsock *v, struct virtq_chain *chain)
{
	struct virtio_vsock_hdr h;
	struct conn *c;

	if (virtq_read(chain, &h, sizeof(h)) < sizeof(h)) {
		virtio_broken(&v->virtio, "a packet without a header");
		return;
	}
	if (h.src_cid != v->cid || h.dst_cid != VIRTIO_VSOCK_CID_HOST) {
		log_guest("%s: a packet from %#llx to %#llx goes nowhere", v->virtio.dev->name,
			  (unsigned long long)h.src_cid, (unsigned long long)h.dst_cid);
		return;
	}
	c = h.type == VIRTIO_VSOCK_TYPE_STREAM ? find(v, h.src_port, h.dst_port) : NULL;
	if (c && h.op == VIRTIO_VSOCK_OP_RW && h.len > chain->out_bytes)
		kill_conn(c);
	else if (c)
		on_packet(c, &h, chain);
	else if (h.op == VIRTIO_VSOCK_OP_REQUEST && h.type == VIRTIO_VSOCK_TYPE_STREAM)
		on_request(v, &h);
	else if (h.op != VIRTIO_VSOCK_OP_RST)
		answer_stray(v, &h);
}

/* One packet leads to one answer of no connection at most. */
static void receive_all(struct vsock *v)
{
	struct virtq *q = virtio_queue(&v->virtio, VIRTIO_VSOCK_QUEUE_TX);
	struct virtq_chain *chain;
	unsigned count = 0;

	while (v->stray_count < STRAYS_MAX && count < PACKETS_MAX && (chain = virtq_pop(q))) {
		receive(v, chain);
		virtq_push(chain, 0);
		count_packet(v, &count);
		if (v->stray_count == STRAYS_MAX)
			pump(v);
	}
	virtq_interrupt(q);
}

/* ---- From the host ---- */

/* A port of the host's side that the guest's port has no connection with. */
static uint32_t free_port(struct vsock *v, uint32_t guest_port)
{
	do
		v->next_port = v->next_port == UINT32_MAX - 1 ? HOST_PORTS : v->next_port + 1;
	while (find(v, guest_port, v->next_port));
	return v->next_port;
}

static void request(struct conn *c, uint32_t port)
{
	take_out(c);
	c->guest_port = port;
	c->host_port = free_port(c->v, port);
	c->state = CONN_REQUESTED;
	insert(c, list_of(c));
	vsock_stream_hold(&c->stream, true);
	c->to_send = SEND_REQUEST;
	make_ready(c);
}

/* Byte by byte: what is behind the line is for the guest. */
static void read_command(struct conn *c)
{
	uint32_t port;

	while (c->line_bytes < COMMAND_BYTES) {
		char *at = &c->line[c->line_bytes];
		ssize_t n = vsock_stream_read(&c->stream, &(struct iovec){ at, 1 }, 1);

		if (n == -EAGAIN)
			return;
		if (n <= 0)
			break;
		if (*at != '\n') {
			c->line_bytes++;
			continue;
		}
		*at = 0;
		if (!vsock_parse_command(c->line, &port))
			break;
		request(c, port);
		return;
	}
	free_conn(c);
}

/*
 * Whoever connected has left before the guest has answered. A guest that never does shall not have the table
 * full of those; but what they have said without waiting for an answer is kept for it.
 */
static void caller_left(struct conn *c)
{
	vsock_stream_hold(&c->stream, false);
	if (!vsock_stream_deserted(&c->stream))
		return;
	if (c->to_send & SEND_REQUEST)
		free_conn(c); /* it has not even been asked */
	else
		kill_conn(c);
}

static void conn_readable(void *opaque)
{
	struct conn *c = opaque;

	reap(c->v);
	if (c->state == CONN_COMMAND)
		read_command(c);
	else if (c->state == CONN_REQUESTED)
		caller_left(c);
	else if (has_something(c))
		make_ready(c);
	pump(c->v);
}

static void conn_taken(void *opaque, uint32_t bytes)
{
	struct conn *c = opaque;

	if (c->state == CONN_LEFT) {
		if (!c->stream.used)
			free_conn(c);
		return;
	}
	c->forwarded += bytes;
	credit_if_needed(c);
	end_if_all_is_said(c);
	pump(c->v);
}

static const struct vsock_user conn_user = { .readable = conn_readable, .taken = conn_taken };

static void on_accept(void *opaque, int fd)
{
	struct vsock *v = opaque;
	struct conn *c;

	reap(v);
	if (!v->virtio.running) { /* no driver, nobody there */
		close(fd);
		return;
	}
	c = new_conn(v, fd, CONN_COMMAND);
	if (c)
		insert(c, list_of(c));
}

/* ---- The device ---- */

/* 5.10.6.7: the driver forgets its connections. It may have given its buffers before or give them later. */
static void tell_reset(struct vsock *v)
{
	struct virtq *q = virtio_queue(&v->virtio, VIRTIO_VSOCK_QUEUE_EVENT);
	const uint32_t id = VIRTIO_VSOCK_EVENT_TRANSPORT_RESET;
	struct virtq_chain *chain = v->tell_reset ? virtq_pop(q) : NULL;

	if (!chain)
		return;
	virtq_push(chain, (uint32_t)virtq_write(chain, &id, sizeof(id)));
	virtq_interrupt(q);
	v->tell_reset = false;
}

static void serve(struct vsock *v)
{
	reap(v);
	tell_reset(v);
	pump(v);
	receive_all(v);
	pump(v);
}

static void vsock_notify(struct virtio_device *d, unsigned queue)
{
	(void)queue; /* whatever it is, there may be room for an answer now */
	serve(container_of(d, struct vsock, virtio));
}

static void go_on(void *opaque)
{
	struct vsock *v = opaque;

	if (v->virtio.running)
		serve(v);
}

static void free_all(struct vsock *v)
{
	while (v->unknown)
		free_conn(v->unknown);
	for (unsigned i = 0; i < BUCKETS; i++)
		while (v->bucket[i])
			free_conn(v->bucket[i]);
}

static void vsock_reset(struct virtio_device *d)
{
	struct vsock *v = container_of(d, struct vsock, virtio);

	v->tell_reset |= v->conn_count > 0;
	free_all(v);
	v->stray_count = 0;
	loop_timer_arm(&v->go_on, UINT64_MAX);
}

static const char *const feature_names[] = { [VIRTIO_VSOCK_F_STREAM] = "stream" };

static const struct virtio_type vsock_virtio = {
	.id = VIRTIO_ID_VSOCK,
	.queue_size = 256,
	.feature_names = feature_names,
	.feature_name_count = ARRAY_SIZE(feature_names),
	.reset = vsock_reset,
	.notify = vsock_notify,
};

int vsock_check_cid(const char *said, uint64_t cid)
{
	if (!cid)
		return log_err(-EINVAL, "%s: which address has the guest? Say cid=%d or more", said,
			       VIRTIO_VSOCK_CID_GUEST_MIN);
	if (cid < VIRTIO_VSOCK_CID_GUEST_MIN || cid >= VIRTIO_VSOCK_CID_ANY)
		return log_err(-EINVAL, "%s: cid=%llu: guests have %d to %u", said, (unsigned long long)cid,
			       VIRTIO_VSOCK_CID_GUEST_MIN, VIRTIO_VSOCK_CID_ANY - 1);
	return 0;
}

static int check_options(const struct device *d, const struct vsock *v)
{
	int err = vsock_check_cid(d->said, v->cid);

	if (err)
		return err;
	if (!v->path)
		return log_err(-EINVAL, "%s: where do programs of the host find the guest? Say uds=PATH", d->said);
	return 0;
}

static void stop(struct vsock *v)
{
	unix_acceptor_stop(&v->acceptor);
	unix_unlisten(v->listener, v->path);
	loop_timer_arm(&v->go_on, UINT64_MAX);
	free_all(v);
	reap(v);
}

/* Each has a file of the process, of which a guest is not to have all. */
static unsigned conns_max(void)
{
	unsigned half = files_limit() / 2;

	return half < CONNS_MAX ? half : CONNS_MAX;
}

static int vsock_create(struct device *d)
{
	struct vsock *v = d->state;
	int err = check_options(d, v);

	if (err)
		return err;
	v->loop = d->env->loop;
	v->lock = &d->lock;
	v->last_ready = &v->ready;
	v->next_port = HOST_PORTS;
	v->conns_max = conns_max();
	v->config.guest_cid = v->cid;
	loop_timer_init(&v->go_on, v->loop, v->lock, go_on, v);
	v->listener = vsock_listen(d->said, v->path);
	if (v->listener < 0)
		return v->listener;
	err = unix_acceptor_start(&v->acceptor, v->listener, v->loop, v->lock, on_accept, v)
		      ? virtio_init(d, &vsock_virtio, UINT64_C(1) << VIRTIO_VSOCK_F_STREAM, VIRTIO_VSOCK_QUEUE_COUNT,
				    &v->config, sizeof(v->config))
		      : log_err(-EIO, "%s: the host refuses to wait for a socket", d->said);
	if (err)
		stop(v);
	return err;
}

static void vsock_destroy(struct device *d)
{
	struct vsock *v = d->state;

	stop(v);
	virtio_fini(&v->virtio);
}

static const struct device_option vsock_options[] = {
	{ "cid", "N", "the guest's address, 3 or more", DEVICE_U64, offsetof(struct vsock, cid) },
	{ "uds", "PATH",
	  "unix socket: who connects there and says \"CONNECT port\" is connected to that port of the guest; the guest "
	  "reaches port N of the host where somebody listens on PATH_N",
	  DEVICE_STRING, offsetof(struct vsock, path) },
};

static const struct device_type vsock_type = {
	.name = "virtio-vsock",
	.help = "sockets between guest and host",
	.state_bytes = sizeof(struct vsock),
	.trial = "cid=3,uds=FOLDER/vsock",
	DEVICE_OPTIONS(vsock_options),
	VIRTIO_DEVICE,
	.create = vsock_create,
	.destroy = vsock_destroy,
};
DEVICE(virtio_vsock, &vsock_type);
