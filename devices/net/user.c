/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --net user: a network of its own for the guest, made by libslirp out of the host's ordinary
 * sockets. Nobody needs to be root. The library is loaded by the first who wants it.
 *
 * libslirp is a TCP at both ends of the guest's connections, so segments on this wire need not
 * be of a size that any real one has. It takes 64 KiB at a time, which is what the guest's
 * segmentation offload makes. It sends segments of up to 32 KiB, whatever the guest takes: what
 * a guest's SYN says is forgotten while the host's side connects, and the SYN of a guest that
 * was connected to is rewritten here. Guests with the offload get such segments whole, marked as
 * many of the size that they said; for the others they are cut.
 *
 * The descriptors that libslirp waits for are in an epoll of ours, and that is in the loop: it
 * can ask for all that are ready at once, and no other thread or lock has to be asked to add one.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/library.h>
#include <vmm/log.h>
#include <vmm/loop.h>

#include "forward.h"
#include "frame.h"
#include "guard.h"
#include "segment.h"

#include <slirp/libslirp.h>

#define IP_MTU_MAX     65521 /* libslirp's own limit */
#define SEGMENT_MAX    32768 /* the same, for what it sends */
#define SEGMENT_MIN    64    /* who says less does not mean it */
#define MTU_USUAL      1500
#define EVENTS_AT_ONCE 64
/* What libslirp sends while the guest has no buffers. Its windows end at 64 KiB a connection. */
#define KEPT_BYTES_MAX (4 * MIB)
/* Its clock stands still while nothing happens: it is set before a frame when it is older than this. */
#define CLOCK_OLD_NS UINT64_C(100000000)
#define TIMEOUT_IDLE 1000 /* ms; what it asks for when it waits for nothing */

/* glib's, which comes with libslirp; its own header would be one more package. */
typedef void glib_log(const char *domain, int level, const char *text, void *opaque);
unsigned g_log_set_handler(const char *domain, int levels, glib_log *fn, void *opaque);

#define GLIB_LOG_SHOWN 0x3c /* error to message; no more than that is shown without us */

#define FUNCTIONS(X)     \
	X(slirp_new)     \
	X(slirp_cleanup) \
	X(slirp_input) X(slirp_pollfds_fill) X(slirp_pollfds_poll) X(slirp_add_hostxfwd) X(g_log_set_handler)

static struct {
	FUNCTIONS(LIBRARY_POINTER)
} lib;

/* libslirp has variables of its own, such as its clock, that all its networks share. */
static pthread_mutex_t lib_lock = PTHREAD_MUTEX_INITIALIZER;

/* By number of the descriptor: what libslirp waits for, what epoll knows, and what has come. */
struct polled {
	uint32_t wanted, turn;
	uint32_t known;
	uint32_t came;
};

struct kept {
	struct kept *next;
	struct virtio_net_hdr hdr;
	size_t bytes;
	uint8_t data[];
};

struct user {
	struct net_end net; /* first */
	/* Options. */
	const char *net4, *net6, *dns, *hostname, *domain, *tftp, *bootfile;
	bool no_ipv4, no_ipv6, no_loopback, restricted;
	struct opt_list search, forwards;

	Slirp *slirp;

	int epoll_fd;
	struct loop_fd *ready;
	struct loop_timer timer;
	struct polled *polled; /* [polled_count] */
	unsigned polled_count;
	uint32_t turn;
	bool look;         /* something it waits for may be ready at once */
	bool changed;      /* libslirp may wait for something else now */
	uint64_t clock_ns; /* when it was told the time last */

	unsigned offloads, pairs; /* of the guest */
	unsigned segment4, segment6;
	struct guard guard;
	bool sent_up; /* frames for the guest since it was told */
	struct kept *kept, **kept_last;
	size_t kept_bytes;
	uint8_t frame[NET_FRAME_MAX]; /* of the guest */
	uint8_t piece[NET_FRAME_MAX]; /* for it */
};

/* ---- Frames for the guest ---- */

static void keep(struct user *u, const struct net_frame *f, const uint8_t *data)
{
	struct kept *k = u->kept_bytes > KEPT_BYTES_MAX ? NULL : malloc(sizeof(*k) + f->bytes);

	if (!k)
		return; /* lost, as on any wire */
	k->next = NULL;
	k->hdr = f->hdr;
	k->bytes = f->bytes;
	memcpy(k->data, data, f->bytes);
	*u->kept_last = k;
	u->kept_last = &k->next;
	u->kept_bytes += f->bytes;
}

static bool deliver(struct user *u, const struct net_frame *f)
{
	if (!u->net.user->receive(&u->net, 0, f))
		return false;
	u->sent_up = true;
	return true;
}

static void tell_guest(struct user *u)
{
	if (u->sent_up)
		u->net.user->received(&u->net, 0);
	u->sent_up = false;
}

static void forget_kept(struct user *u)
{
	struct kept *next;

	for (struct kept *k = u->kept; k; k = next) {
		next = k->next;
		free(k);
	}
	u->kept = NULL;
	u->kept_last = &u->kept;
	u->kept_bytes = 0;
}

static void deliver_kept(struct user *u)
{
	while (u->kept) {
		struct kept *k = u->kept;
		struct iovec v = { k->data, k->bytes };

		if (!deliver(u, &(struct net_frame){ .hdr = k->hdr, .iov = &v, .iov_count = 1, .bytes = k->bytes }))
			return;
		u->kept = k->next;
		u->kept_last = u->kept ? u->kept_last : &u->kept;
		u->kept_bytes -= k->bytes;
		free(k);
	}
}

/* ---- What libslirp calls ---- */

/* To the guest, or behind what waits for it already. */
static void hand_over(struct user *u, const struct virtio_net_hdr *hdr, uint8_t *data, size_t bytes)
{
	struct iovec v = { data, bytes };
	struct net_frame f = { .hdr = *hdr, .iov = &v, .iov_count = 1, .bytes = bytes };

	if (u->kept || !deliver(u, &f))
		keep(u, &f, data);
}

/* A segment that is larger than the guest's is many of that size, which a network stack has put together. */
static void hand_over_large(struct user *u, const struct tcp_place *p, unsigned segment, uint8_t *data, size_t bytes)
{
	uint16_t sum = tcp_pseudo_sum(data, p);
	const struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = p->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = (uint16_t)p->payload,
		.gso_size = (uint16_t)segment,
		.csum_start = (uint16_t)p->tcp,
		.csum_offset = 16,
	};

	memcpy(data + p->tcp + 16, &sum, sizeof(sum));
	hand_over(u, &hdr, data, bytes);
}

static ssize_t on_packet(const void *bytes, size_t count, void *opaque)
{
	struct user *u = opaque;
	/* libslirp's buffer, on its stack, and of no use to it afterwards. */
	uint8_t *data = (uint8_t *)(uintptr_t)bytes;
	const struct virtio_net_hdr hdr = { .flags = u->offloads & NET_CSUM ? VIRTIO_NET_HDR_F_DATA_VALID : 0 };
	unsigned mtu = u->net.mtu ? u->net.mtu : MTU_USUAL, segment, done = 0;
	struct tcp_place p;
	size_t n;

	if (!u->pairs || count < NET_FRAME_MIN || count > NET_FRAME_MAX)
		return (ssize_t)count;
	p = tcp_find(data, count);
	guard_answer(&u->guard, data, &p);
	segment = p.v6 ? u->segment6 : u->segment4;
	if (p.payload && p.end - p.payload > segment) {
		if (u->offloads & (p.v6 ? NET_TSO6 : NET_TSO4))
			hand_over_large(u, &p, segment, data, count);
		else
			while ((n = tcp_cut(data, &p, segment, &done, u->piece)))
				hand_over(u, &hdr, u->piece, n);
	} else if (ipv4_too_large(data, count, mtu)) {
		while ((n = ipv4_cut(data, count, mtu, &done, u->piece)))
			hand_over(u, &hdr, u->piece, n);
	} else {
		hand_over(u, &hdr, data, count);
	}
	return (ssize_t)count;
}

static void on_guest_error(const char *text, void *opaque)
{
	const struct user *u = opaque;

	log_guest("%s: %s", u->net.dev->name, text);
}

/* What libslirp says by itself is about packets of the guest, who could fill the terminal with it. */
static void on_log(const char *domain, int level, const char *text, void *opaque)
{
	(void)domain, (void)level, (void)opaque;
	log_guest("libslirp: %s", text);
}

static int64_t on_clock(void *opaque)
{
	(void)opaque;
	return (int64_t)loop_now_ns();
}

struct slirp_timer {
	struct loop_timer timer;
	struct user *user;
	SlirpTimerCb fn;
	void *opaque;
};

static void on_timer(void *opaque)
{
	struct slirp_timer *t = opaque;

	pthread_mutex_lock(&lib_lock);
	t->fn(t->opaque);
	pthread_mutex_unlock(&lib_lock);
	tell_guest(t->user);
}

static void *on_timer_new(SlirpTimerCb fn, void *fn_opaque, void *opaque)
{
	struct user *u = opaque;
	struct slirp_timer *t = calloc(1, sizeof(*t));

	CHECK(t);
	t->user = u;
	t->fn = fn;
	t->opaque = fn_opaque;
	loop_timer_init(&t->timer, u->net.dev->env->loop, &u->net.dev->lock, on_timer, t);
	return t;
}

static void on_timer_free(void *timer, void *opaque)
{
	struct slirp_timer *t = timer;

	(void)opaque;
	loop_timer_arm(&t->timer, UINT64_MAX);
	free(t);
}

static void on_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	struct slirp_timer *t = timer;

	(void)opaque;
	loop_timer_arm(&t->timer, (uint64_t)expire_ms * 1000000);
}

/* Room for descriptor @fd in the table. */
static struct polled *polled_at(struct user *u, int fd)
{
	if ((unsigned)fd >= u->polled_count) {
		unsigned count = (unsigned)fd + 64;
		struct polled *grown = realloc(u->polled, count * sizeof(*grown));

		CHECK(grown); /* 16 bytes for each descriptor the process may have */
		memset(grown + u->polled_count, 0, (count - u->polled_count) * sizeof(*grown));
		u->polled = grown;
		u->polled_count = count;
	}
	return &u->polled[fd];
}

static void forget_fd(struct user *u, int fd)
{
	struct polled *p = polled_at(u, fd);

	if (p->known)
		epoll_ctl(u->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	*p = (struct polled){ 0 };
}

/* A connection begins: one to this host is there already when libslirp has sent for it. */
static void on_register(int fd, void *opaque)
{
	forget_fd(opaque, fd);
	((struct user *)opaque)->look = true;
}

static void on_unregister(int fd, void *opaque) { forget_fd(opaque, fd); }

/* The guest has taken half of a buffer: there is room for more of the host's. */
static void on_notify(void *opaque) { ((struct user *)opaque)->look = true; }

static const SlirpCb callbacks = {
	.send_packet = on_packet,
	.guest_error = on_guest_error,
	.clock_get_ns = on_clock,
	.timer_new = on_timer_new,
	.timer_free = on_timer_free,
	.timer_mod = on_timer_mod,
	.register_poll_fd = on_register,
	.unregister_poll_fd = on_unregister,
	.notify = on_notify,
};

/* ---- What it waits for ---- */

static const struct {
	int slirp;
	uint32_t epoll;
} event_names[] = {
	{ SLIRP_POLL_IN, EPOLLIN },   { SLIRP_POLL_OUT, EPOLLOUT }, { SLIRP_POLL_PRI, EPOLLPRI },
	{ SLIRP_POLL_ERR, EPOLLERR }, { SLIRP_POLL_HUP, EPOLLHUP },
};

static int on_wait(int fd, int events, void *opaque)
{
	struct user *u = opaque;
	struct polled *p = polled_at(u, fd);
	struct epoll_event e = { .data.fd = fd };

	for (unsigned i = 0; i < ARRAY_SIZE(event_names); i++)
		e.events |= events & event_names[i].slirp ? event_names[i].epoll : 0;
	p->wanted = e.events;
	p->turn = u->turn;
	p->came = 0;
	if (p->known != e.events) {
		if (epoll_ctl(u->epoll_fd, p->known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e))
			epoll_ctl(u->epoll_fd, p->known ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e);
		p->known = e.events;
	}
	return fd;
}

/*
 * Epoll says that a connection is over to who only waits for room to write, too. libslirp would take that for
 * something to read, and its buffer for it may be full, which ends the process: it is to find out by writing.
 */
static int on_came(int fd, void *opaque)
{
	const struct polled *p = &((const struct user *)opaque)->polled[fd];
	int events = 0;

	if (!(p->wanted & EPOLLIN))
		return p->came ? SLIRP_POLL_OUT : 0;
	for (unsigned i = 0; i < ARRAY_SIZE(event_names); i++)
		events |= p->came & event_names[i].epoll ? event_names[i].slirp : 0;
	return events;
}

/* With lib_lock. What it does not want any more stays in the epoll until it comes (take_events): often it is wanted
 * again. */
static void update_polled(struct user *u)
{
	uint32_t timeout = TIMEOUT_IDLE;

	u->turn++;
	lib.slirp_pollfds_fill(u->slirp, &timeout, on_wait, u);
	loop_timer_arm(&u->timer, timeout < TIMEOUT_IDLE ? loop_now_ns() + timeout * UINT64_C(1000000) : UINT64_MAX);
}

/* Events that are ready now, at most so many; how many are of interest. */
static unsigned take_events(struct user *u)
{
	struct epoll_event e[EVENTS_AT_ONCE];
	int n = epoll_wait(u->epoll_fd, e, EVENTS_AT_ONCE, 0);
	unsigned count = 0;

	for (int i = 0; i < n; i++) {
		struct polled *p = &u->polled[e[i].data.fd];

		if (p->turn == u->turn && e[i].events & (p->wanted | EPOLLERR | EPOLLHUP)) {
			p->came = e[i].events;
			count++;
			continue;
		}
		epoll_ctl(u->epoll_fd, EPOLL_CTL_DEL, e[i].data.fd, NULL);
		p->known = 0;
	}
	return count;
}

/* While the guest has no buffers nothing more is read for it. */
static void listen_to_host(struct user *u) { loop_mod_fd(u->ready, u->kept ? 0 : EPOLLIN); }

static void poll_slirp(struct user *u)
{
	pthread_mutex_lock(&lib_lock);
	take_events(u);
	u->clock_ns = loop_now_ns();
	lib.slirp_pollfds_poll(u->slirp, 0, on_came, u);
	update_polled(u);
	pthread_mutex_unlock(&lib_lock);
	tell_guest(u);
	if (u->kept)
		listen_to_host(u);
}

static void on_ready(void *opaque, uint32_t events)
{
	(void)events;
	poll_slirp(opaque);
}

static void on_timeout(void *opaque) { poll_slirp(opaque); }

/* ---- Frames of the guest ---- */

/* To libslirp every guest takes segments that suit us; what the guest takes is remembered. */
static void raise_segment(struct user *u, const struct tcp_place *p)
{
	unsigned segment = tcp_raise_segment(u->frame, p, SEGMENT_MAX);

	if (segment >= SEGMENT_MIN)
		*(p->v6 ? &u->segment6 : &u->segment4) = segment;
}

/* With lib_lock. Timers run, and frames that waited, but no descriptor is looked at. */
static void set_clock(struct user *u)
{
	u->clock_ns = loop_now_ns();
	lib.slirp_pollfds_poll(u->slirp, 1, on_came, u);
}

static bool user_send(struct net_end *n, unsigned pair, const struct net_frame *f)
{
	struct user *u = container_of(n, struct user, net);
	struct tcp_place p;
	size_t bytes;

	(void)pair;
	frame_copy(f, u->frame);
	frame_checksum(f, u->frame);
	p = tcp_find(u->frame, f->bytes);
	bytes = guard_frame(&u->guard, u->frame, f->bytes, &p);
	if (!bytes)
		return true;
	raise_segment(u, &p);
	pthread_mutex_lock(&lib_lock);
	if (!u->changed && loop_now_ns() - u->clock_ns > CLOCK_OLD_NS)
		set_clock(u);
	u->changed = true;
	lib.slirp_input(u->slirp, u->frame, (int)bytes);
	pthread_mutex_unlock(&lib_lock);
	return true;
}

static void user_sent(struct net_end *n, unsigned pair)
{
	struct user *u = container_of(n, struct user, net);

	(void)pair;
	if (!u->changed)
		return;
	u->changed = false;
	pthread_mutex_lock(&lib_lock);
	/* What waited for the guest's address goes out only now. */
	set_clock(u);
	update_polled(u);
	pthread_mutex_unlock(&lib_lock);
	tell_guest(u);
	if (u->kept)
		listen_to_host(u);
	else if (u->look)
		poll_slirp(u); /* rather than have the guest wait for the main thread */
	u->look = false;
}

static void user_room(struct net_end *n, unsigned pair)
{
	struct user *u = container_of(n, struct user, net);

	(void)pair;
	if (!u->kept)
		return;
	deliver_kept(u);
	tell_guest(u);
	if (!u->kept)
		listen_to_host(u);
}

static void user_accept(struct net_end *n, unsigned offloads, unsigned pairs)
{
	struct user *u = container_of(n, struct user, net);

	/* What is kept may be such that the guest does not take it any more. */
	bool less = !pairs || u->offloads & ~offloads;

	u->offloads = offloads;
	u->pairs = pairs;
	if (less) {
		forget_kept(u);
		listen_to_host(u);
	}
}

/* ---- Options ---- */

/* ADDRESS/BITS */
static bool parse_prefix(const char *text, int family, void *address, unsigned least, unsigned most, unsigned *bits)
{
	const char *slash = strchr(text, '/');
	char copy[INET6_ADDRSTRLEN];
	char *end;

	if (!slash || slash - text >= (ptrdiff_t)sizeof(copy) || slash[1] < '0' || slash[1] > '9')
		return false;
	memcpy(copy, text, (size_t)(slash - text));
	copy[slash - text] = 0;
	*bits = (unsigned)strtoul(slash + 1, &end, 10);
	return !*end && *bits >= least && *bits <= most && inet_pton(family, copy, address) == 1;
}

/* The addresses in it are those that QEMU's guests know: .2 the host, .3 the name server, .15 the first guest. */
static int choose_net4(const struct user *u, SlirpConfig *c)
{
	const char *text = u->net4 ? u->net4 : "10.0.2.0/24";
	struct in_addr net;
	unsigned bits = 0;
	uint32_t mask;

	if (!parse_prefix(text, AF_INET, &net, 4, 27, &bits))
		return log_err(-EINVAL, "%s: net=%s: use one like 10.0.2.0/24; it has 4 to 27 bits", u->net.dev->said,
			       text);
	mask = ~0u << (32 - bits);
	c->vnetmask.s_addr = htonl(mask);
	c->vnetwork.s_addr = net.s_addr & c->vnetmask.s_addr;
	c->vhost.s_addr = c->vnetwork.s_addr | htonl(2);
	c->vnameserver.s_addr = c->vnetwork.s_addr | htonl(3);
	c->vdhcp_start.s_addr = c->vnetwork.s_addr | htonl(15);
	if (!u->dns)
		return 0;
	if (inet_pton(AF_INET, u->dns, &c->vnameserver) != 1 ||
	    (c->vnameserver.s_addr & c->vnetmask.s_addr) != c->vnetwork.s_addr ||
	    c->vnameserver.s_addr == c->vhost.s_addr)
		return log_err(
			-EINVAL,
			"%s: dns=%s: the address where the guest finds its name server is one of %s and not its "
			"second; leave it out for the third",
			u->net.dev->said, u->dns, text);
	return 0;
}

static int choose_net6(const struct user *u, SlirpConfig *c)
{
	const char *text = u->net6 ? u->net6 : "fec0::/64";
	unsigned bits = 0;

	if (!parse_prefix(text, AF_INET6, &c->vprefix_addr6, 8, 64, &bits))
		return log_err(-EINVAL, "%s: net6=%s: use one like fec0::/64; it has 8 to 64 bits", u->net.dev->said,
			       text);
	for (unsigned i = bits; i < 128; i++)
		c->vprefix_addr6.s6_addr[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	c->vprefix_len = (uint8_t)bits;
	c->vhost6 = c->vnameserver6 = c->vprefix_addr6;
	c->vhost6.s6_addr[15] = 2;
	c->vnameserver6.s6_addr[15] = 3;
	return 0;
}

static int check_names(const struct user *u)
{
	if (u->hostname && strlen(u->hostname) > 32)
		return log_err(-EINVAL, "%s: hostname=%s has more than 32 bytes", u->net.dev->said, u->hostname);
	if (u->bootfile && strlen(u->bootfile) > 127)
		return log_err(-EINVAL, "%s: bootfile=%s has more than 127 bytes", u->net.dev->said, u->bootfile);
	if (u->tftp && access(u->tftp, R_OK | X_OK))
		return log_err(-errno, "%s: tftp=%s: %s", u->net.dev->said, u->tftp, strerror(errno));
	return 0;
}

static int configure(const struct user *u, SlirpConfig *c, const char **search)
{
	int err = choose_net4(u, c);

	if (!err)
		err = choose_net6(u, c);
	if (!err)
		err = check_names(u);
	if (err)
		return err;
	for (unsigned i = 0; i < u->search.count; i++)
		search[i] = u->search.value[i];
	c->version = 3;
	c->in_enabled = !u->no_ipv4;
	c->in6_enabled = !u->no_ipv6;
	c->restricted = u->restricted;
	c->disable_host_loopback = u->no_loopback;
	c->vhostname = u->hostname;
	c->vdomainname = u->domain;
	c->vdnssearch = u->search.count ? search : NULL;
	c->tftp_path = u->tftp;
	c->bootfile = u->bootfile;
	c->if_mtu = c->if_mru = IP_MTU_MAX;
	return 0;
}

/* ---- Forwards ---- */

static int add_forward(struct user *u, const char *text)
{
	char host[NET_ADDRESS_TEXT], guest[NET_ADDRESS_TEXT];
	struct forward f;
	const char *wrong = forward_parse(text, &f);
	bool chosen;
	int err;

	if (wrong)
		return log_err(-EINVAL, "%s: hostfwd=%s: %s; use one like tcp:127.0.0.1:2222-:22", u->net.dev->said,
			       text, wrong);
	if (f.udp && f.guest.any.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&f.guest.v6.sin6_addr))
		return log_err(
			-EINVAL,
			"%s: hostfwd=%s: a guest has several IPv6 addresses, and the one that datagrams go to "
			"has to be the one it answers from; name it: udp:[::1]:53-[fec0::5054:ff:fe12:3456]:53",
			u->net.dev->said, text);
	chosen = f.host.any.sa_family == AF_INET6 ? !f.host.v6.sin6_port : !f.host.v4.sin_port;
	err = forward_reserve(&f);
	if (!err && lib.slirp_add_hostxfwd(u->slirp, &f.host.any, net_address_bytes(&f.host), &f.guest.any,
					   net_address_bytes(&f.guest),
					   (f.udp ? SLIRP_HOSTFWD_UDP : 0) |
						   (f.host.any.sa_family == AF_INET6 ? SLIRP_HOSTFWD_V6ONLY : 0)))
		err = -errno;
	net_address_text(&f.host, host);
	if (err == -EADDRINUSE)
		return log_err(err, "%s: hostfwd=%s: %s is in use on this host; use another port, or 0 for any",
			       u->net.dev->said, text, host);
	if (err == -EACCES)
		return log_err(err, "%s: hostfwd=%s: %s needs root on this host; use a port from 1024 up",
			       u->net.dev->said, text, host);
	if (err)
		return log_err(err, "%s: hostfwd=%s: cannot listen at %s: %s", u->net.dev->said, text, host,
			       strerror(-err));
	if (chosen)
		log_info("%s: %s %s goes to %s of the guest", u->net.dev->said, f.udp ? "udp" : "tcp", host,
			 net_address_text(&f.guest, guest));
	return 0;
}

static int add_forwards(struct user *u)
{
	int err = 0;

	for (unsigned i = 0; i < u->forwards.count && !err; i++)
		err = add_forward(u, u->forwards.value[i]);
	return err;
}

/* ---- Life ---- */

static void user_close(struct net_end *n)
{
	struct user *u = container_of(n, struct user, net);

	loop_del_fd(u->ready);
	loop_timer_arm(&u->timer, UINT64_MAX);
	if (u->slirp) {
		pthread_mutex_lock(&lib_lock);
		lib.slirp_cleanup(u->slirp);
		pthread_mutex_unlock(&lib_lock);
	}
	close(u->epoll_fd);
	forget_kept(u);
	free(u->polled);
}

static int start(struct user *u, const SlirpConfig *c)
{
	int err;

	pthread_mutex_lock(&lib_lock);
	u->slirp = lib.slirp_new(c, &callbacks, u);
	err = u->slirp ? add_forwards(u)
		       : log_err(-EINVAL, "%s: libslirp refuses the network; its own words are above",
				 u->net.dev->said);
	if (!err) {
		set_clock(u);
		update_polled(u);
	}
	pthread_mutex_unlock(&lib_lock);
	return err;
}

static int user_open(struct net_end *n)
{
	struct user *u = container_of(n, struct user, net);
	const char *search[OPT_LIST_MAX + 1] = { NULL };
	SlirpConfig c = { 0 };
	int err;

	if (n->pairs > 1)
		return log_err(-EINVAL, "%s: queues=%u: user has one pair; leave queues out, or use tap",
			       n->dev->said, n->pairs);
	err = configure(u, &c, search);
	if (!err)
		err = LIBRARY_LOAD("--net user", "libslirp.so.0", "libslirp0", FUNCTIONS, lib);
	if (err)
		return err;
	lib.g_log_set_handler("Slirp", GLIB_LOG_SHOWN, on_log, NULL);
	n->offloads = NET_CSUM | NET_TSO4 | NET_TSO6 | NET_TSO_ECN;
	u->segment4 = (n->mtu ? n->mtu : MTU_USUAL) - 40;
	u->segment6 = u->segment4 - 20;
	u->kept_last = &u->kept;
	loop_timer_init(&u->timer, n->dev->env->loop, &n->dev->lock, on_timeout, u);
	u->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (u->epoll_fd >= 0)
		u->ready = loop_add_fd(n->dev->env->loop, u->epoll_fd, EPOLLIN, &n->dev->lock, on_ready, u);
	err = u->ready ? start(u, &c)
		       : log_err(-EMFILE, "%s: the host refuses epoll (too many open files?)", n->dev->said);
	if (err)
		user_close(n);
	return err;
}

static const struct device_option user_options[] = {
	{ "hostfwd", "tcp|udp:[HOST]:PORT-[GUEST]:PORT",
	  "connections to the host's port go to the guest's; host address 127.0.0.1, guest the one with the first address, "
	  "if not said (udp over IPv6 wants it said); host port 0: any, which is printed; may be given many times",
	  DEVICE_LIST, offsetof(struct user, forwards) },
	{ "net", "ADDRESS/BITS",
	  "the guest's network (10.0.2.0/24): .2 is the host, .3 the name server, .15 the guest", DEVICE_STRING,
	  offsetof(struct user, net4) },
	{ "net6", "PREFIX/BITS", "the same for IPv6 (fec0::/64): ::2 is the host, ::3 the name server", DEVICE_STRING,
	  offsetof(struct user, net6) },
	{ "ipv4", "on|off", "whether there is IPv4 (on)", DEVICE_NOT, offsetof(struct user, no_ipv4) },
	{ "ipv6", "on|off", "whether there is IPv6 (on)", DEVICE_NOT, offsetof(struct user, no_ipv6) },
	{ "dns", "ADDRESS", "where the guest finds the host's name server", DEVICE_STRING,
	  offsetof(struct user, dns) },
	{ "hostname", "NAME", "the name that DHCP gives the guest", DEVICE_STRING, offsetof(struct user, hostname) },
	{ "domain", "NAME", "the domain that DHCP gives the guest", DEVICE_STRING, offsetof(struct user, domain) },
	{ "search", "DOMAIN", "where the guest looks for short names; may be given many times", DEVICE_LIST,
	  offsetof(struct user, search) },
	{ "restrict", "on|off", "the guest reaches nothing outside, only forwards reach it (off)", DEVICE_BOOL,
	  offsetof(struct user, restricted) },
	{ "loopback", "on|off", "the guest reaches the host's own services at .2 (on)", DEVICE_NOT,
	  offsetof(struct user, no_loopback) },
	{ "tftp", "FOLDER", "what the guest can read by TFTP from .2", DEVICE_STRING, offsetof(struct user, tftp) },
	{ "bootfile", "FILE", "the file there that DHCP names for booting", DEVICE_STRING,
	  offsetof(struct user, bootfile) },
};

static const struct net_end_type user_type = {
	.end = {
		.name = "user",
		.help = "a network of its own that reaches the world through the host's sockets; needs no root",
		.state_bytes = sizeof(struct user),
		DEVICE_OPTIONS(user_options),
	},
	.alone = true,
	.open = user_open,
	.close = user_close,
	.send = user_send,
	.sent = user_sent,
	.room = user_room,
	.accept = user_accept,
};
NET_END(user, &user_type);
