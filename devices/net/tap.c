/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --net tap: a network interface of the host (Linux, Documentation/networking/tuntap). Bridging it, or giving
 * it an address, is its administrator's.
 *
 * Before each frame stands virtio's own header, so checksums and segmentation stay undone
 * from guest to guest. With vhost the host's kernel serves the guest's queues itself, and
 * this file only keeps the descriptors.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>

#include "frame.h"

#define FRAMES_AT_ONCE 64
#define SPANS_MAX      64

struct tap_queue {
	struct net_end *n;
	int fd;
	struct loop_fd *ready;
	bool open, attached;
	size_t kept; /* bytes of a frame that the guest had no room for, in @frame with its header; 0: none */
	uint8_t frame[sizeof(struct virtio_net_hdr) + NET_FRAME_MAX];
};

struct tap {
	struct net_end net; /* first */
	const char *ifname, *vhost;
	struct opt_list fds;
	char name[IFNAMSIZ];
	unsigned offloads, active; /* of the guest */
	struct tap_queue *queue;   /* [net.pairs] */
};

/* ---- To the guest ---- */

/* false: there is no room. */
static bool deliver(struct tap *t, unsigned pair, size_t bytes)
{
	struct tap_queue *q = &t->queue[pair];
	struct iovec v = { q->frame + sizeof(struct virtio_net_hdr), bytes - sizeof(struct virtio_net_hdr) };
	struct net_frame f = { .iov = &v, .iov_count = 1, .bytes = v.iov_len };

	memcpy(&f.hdr, q->frame, sizeof(f.hdr));
	/* Queued when the guest still took them so. */
	if (!frame_gso_taken(f.hdr.gso_type, t->offloads))
		return true;
	if (!(t->offloads & NET_CSUM)) {
		frame_checksum(&f, v.iov_base);
		f.hdr = (struct virtio_net_hdr){ 0 };
	}
	return t->net.user->receive(&t->net, pair, &f);
}

/* Bytes with the header; 0: none now. */
static size_t read_frame(struct tap_queue *q)
{
	ssize_t n = read(q->fd, q->frame, sizeof(q->frame));

	return n < (ssize_t)(sizeof(struct virtio_net_hdr) + NET_FRAME_MIN) ? 0 : (size_t)n;
}

static void receive(struct tap *t, unsigned pair)
{
	struct tap_queue *q = &t->queue[pair];
	bool some = false;

	for (unsigned i = 0; i < FRAMES_AT_ONCE; i++) {
		size_t bytes = q->kept ? q->kept : read_frame(q);

		if (!bytes)
			break;
		q->kept = deliver(t, pair, bytes) ? 0 : bytes;
		if (q->kept)
			break;
		some = true;
	}
	if (some)
		t->net.user->received(&t->net, pair);
}

static void listen_to_host(struct tap *t, unsigned pair)
{
	struct tap_queue *q = &t->queue[pair];
	bool wanted = pair < t->active && !q->kept && !t->net.vhost_runs;

	if (q->ready)
		loop_mod_fd(q->ready, wanted ? EPOLLIN : 0);
}

/* Its administrator has removed it, and it does not come back: a cable pulled out. */
static void lose_interface(struct tap *t)
{
	log_warn("%s: the interface %s is gone", t->net.dev->name, t->name);
	for (unsigned i = 0; i < t->net.pairs; i++) {
		loop_del_fd(t->queue[i].ready);
		t->queue[i].ready = NULL;
	}
	t->net.user->link(&t->net, false);
}

static void on_ready(void *opaque, uint32_t events)
{
	struct tap_queue *q = opaque;
	struct tap *t = container_of(q->n, struct tap, net);
	unsigned pair = (unsigned)(q - t->queue);
	struct ifreq r;

	if (events & EPOLLERR && ioctl(q->fd, TUNGETIFF, &r))
		return lose_interface(t);
	if (pair >= t->active || t->net.vhost_runs || q->kept)
		return listen_to_host(t, pair);
	receive(t, pair);
	if (q->kept)
		listen_to_host(t, pair);
}

static void tap_room(struct net_end *n, unsigned pair)
{
	struct tap *t = container_of(n, struct tap, net);

	if (!t->queue[pair].kept)
		return;
	receive(t, pair);
	if (!t->queue[pair].kept)
		listen_to_host(t, pair);
}

/* ---- From the guest ---- */

/* What the interface does not take, because it is down or the frame makes no sense, is lost, as on a wire. */
static bool tap_send(struct net_end *n, unsigned pair, const struct net_frame *f)
{
	struct tap *t = container_of(n, struct tap, net);
	struct iovec v[1 + SPANS_MAX] = { { (void *)(uintptr_t)&f->hdr, sizeof(f->hdr) } };
	uint8_t copy[NET_FRAME_MAX];
	unsigned count = f->iov_count;
	ssize_t done;

	if (count <= SPANS_MAX) {
		memcpy(v + 1, f->iov, count * sizeof(*v));
	} else {
		frame_copy(f, copy);
		v[1] = (struct iovec){ copy, f->bytes };
		count = 1;
	}
	done = writev(t->queue[pair].fd, v, (int)(1 + count));
	(void)done;
	return true;
}

/* ---- The interface ---- */

static void attach(struct tap *t, unsigned pair, bool on)
{
	struct tap_queue *q = &t->queue[pair];
	struct ifreq r = { .ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	/* One that cannot be detached goes on taking its share of frames, which are then lost. */
	if (t->net.pairs > 1 && q->attached != on && !ioctl(q->fd, TUNSETQUEUE, &r))
		q->attached = on;
}

/* What is queued there was for a driver that is gone. */
static void drop_old(struct tap_queue *q)
{
	for (unsigned i = 0; i < 4096 && read_frame(q); i++)
		;
}

static void tap_accept(struct net_end *n, unsigned offloads, unsigned pairs)
{
	struct tap *t = container_of(n, struct tap, net);
	unsigned long flags = (offloads & NET_CSUM ? TUN_F_CSUM : 0) | (offloads & NET_TSO4 ? TUN_F_TSO4 : 0) |
			      (offloads & NET_TSO6 ? TUN_F_TSO6 : 0) | (offloads & NET_TSO_ECN ? TUN_F_TSO_ECN : 0);

	for (unsigned i = 0; i < n->pairs; i++) {
		/* The guest may add buffers there without telling us, so that nothing would come to fetch it. */
		if (i >= pairs)
			t->queue[i].kept = 0;
		else if (!t->active && !n->vhost_runs)
			drop_old(&t->queue[i]);
		attach(t, i, i < pairs || (!pairs && !i));
	}
	t->offloads = offloads;
	t->active = pairs;
	/* It cannot refuse what virtio_net has as well. */
	(void)ioctl(t->queue[0].fd, TUNSETOFFLOAD, flags);
	for (unsigned i = 0; i < n->pairs; i++)
		listen_to_host(t, i);
}

static int refused(const struct tap *t, const char *what)
{
	int err = -errno;

	return log_err(err, "%s: tap %s: %s: %s", t->net.dev->said, t->name[0] ? t->name : "interface", what,
		       strerror(-err));
}

static int check_given(const struct tap *t, int fd, short flags)
{
	const short need = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

	if ((flags & need) == need)
		return 0;
	return log_err(-EINVAL, "%s: fd=%d was not opened with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR; give ifname=",
		       t->net.dev->said, fd);
}

static int take_fd(struct tap *t, unsigned pair)
{
	const char *text = t->fds.value[pair];
	struct tap_queue *q = &t->queue[pair];
	struct ifreq r = { .ifr_flags = 0 };
	char *end;
	long fd = strtol(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || fd > 0xfffff || ioctl((int)fd, TUNGETIFF, &r))
		return log_err(-EINVAL, "%s: fd=%s is not the descriptor of a tap interface", t->net.dev->said, text);
	memcpy(t->name, r.ifr_name, sizeof(t->name));
	q->fd = (int)fd;
	q->open = true;
	return check_given(t, q->fd, r.ifr_flags);
}

static int open_queue(struct tap *t, unsigned pair)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	struct tap_queue *q = &t->queue[pair];
	int err;

	if (t->net.pairs > 1)
		r.ifr_flags |= IFF_MULTI_QUEUE;
	q->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (q->fd < 0) {
		err = -errno;
		return log_err(err, "%s: /dev/net/tun: %s; load the module tun, or use --net user", t->net.dev->said,
			       strerror(-err));
	}
	q->open = true;
	/* The first one's name may be the kernel's choice. */
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", t->name[0] ? t->name : "tap%d");
	if (!ioctl(q->fd, TUNSETIFF, &r)) {
		memcpy(t->name, r.ifr_name, sizeof(t->name));
		return 0;
	}
	err = -errno;
	if (err == -EPERM)
		return log_err(
			err,
			"%s: tap %s: not allowed; as root: ip tuntap add mode tap user %u%s vnet_hdr name %s, or "
			"use --net user",
			t->net.dev->said, t->name, (unsigned)getuid(), t->net.pairs > 1 ? " multi_queue" : "",
			t->name[0] ? t->name : "tap0");
	if (err == -EBUSY)
		return log_err(err, "%s: tap %s: somebody has it already", t->net.dev->said, t->name);
	if (err == -EINVAL)
		return log_err(err, "%s: tap %s: is there, and is another kind of interface or has %s queue",
			       t->net.dev->said, t->name, t->net.pairs > 1 ? "only one" : "more than one");
	return log_err(err, "%s: tap %s: %s", t->net.dev->said, t->name, strerror(-err));
}

static int set_up_queue(struct tap *t, unsigned pair)
{
	struct tap_queue *q = &t->queue[pair];
	int bytes = sizeof(struct virtio_net_hdr), little = 1;

	q->n = &t->net;
	q->attached = true;
	if (fcntl(q->fd, F_SETFL, O_RDWR | O_NONBLOCK) || ioctl(q->fd, TUNSETVNETHDRSZ, &bytes) ||
	    ioctl(q->fd, TUNSETVNETLE, &little))
		return refused(t, "the host refuses virtio's header");
	q->ready = loop_add_fd(t->net.dev->env->loop, q->fd, 0, &t->net.dev->lock, on_ready, q);
	return q->ready ? 0 : log_err(-EIO, "%s: the host does not let us wait for a tap", t->net.dev->said);
}

static int check_options(struct tap *t)
{
	const struct net_end *n = &t->net;

	if (t->fds.count && t->ifname)
		return log_err(-EINVAL, "%s: fd= and ifname= both say which tap; leave one out", n->dev->said);
	if (t->fds.count && t->fds.count != n->pairs)
		return log_err(-EINVAL, "%s: %u times fd= for queues=%u; give one for each", n->dev->said,
			       t->fds.count, n->pairs);
	if (t->ifname && strlen(t->ifname) >= sizeof(t->name))
		return log_err(-EINVAL, "%s: ifname=%s: a name has at most %zu bytes", n->dev->said, t->ifname,
			       sizeof(t->name) - 1);
	if (t->vhost && strcmp(t->vhost, "on") && strcmp(t->vhost, "off") && strcmp(t->vhost, "auto"))
		return log_err(-EINVAL, "%s: vhost=%s: use on, off or auto", n->dev->said, t->vhost);
	if (t->ifname)
		strcpy(t->name, t->ifname);
	return 0;
}

static void tap_close(struct net_end *n)
{
	struct tap *t = container_of(n, struct tap, net);

	for (unsigned i = 0; t->queue && i < n->pairs; i++) {
		loop_del_fd(t->queue[i].ready);
		if (t->queue[i].open)
			close(t->queue[i].fd);
	}
	free(t->queue);
}

static int tap_open(struct net_end *n)
{
	struct tap *t = container_of(n, struct tap, net);
	int err = check_options(t);

	if (err)
		return err;
	t->queue = calloc(n->pairs, sizeof(*t->queue));
	if (!t->queue)
		return -ENOMEM;
	for (unsigned i = 0; i < n->pairs && !err; i++) {
		err = t->fds.count ? take_fd(t, i) : open_queue(t, i);
		if (!err)
			err = set_up_queue(t, i);
		if (!err)
			n->vhost_fd[i] = t->queue[i].fd;
	}
	if (err) {
		tap_close(n);
		return err;
	}
	n->offloads = NET_CSUM | NET_TSO4 | NET_TSO6 | NET_TSO_ECN;
	n->vhost_must = t->vhost && !strcmp(t->vhost, "on");
	n->vhost_wanted = !t->vhost || strcmp(t->vhost, "off");
	if (!t->ifname && !t->fds.count)
		log_info("%s: the tap interface is %s", n->dev->said, t->name);
	return 0;
}

static const struct device_option tap_options[] = {
	{ "ifname", "NAME", "the interface, made if it is not there (the next tapN)", DEVICE_STRING,
	  offsetof(struct tap, ifname) },
	{ "fd", "N", "an open descriptor of one instead; with queues=N one for each", DEVICE_LIST,
	  offsetof(struct tap, fds) },
	{ "vhost", "on|off|auto", "let the host's kernel move the frames (auto: where it can)", DEVICE_STRING,
	  offsetof(struct tap, vhost) },
};

static const struct net_end_type tap_type = {
	.end = {
		.name = "tap",
		.help = "an interface of the host, for its bridges and firewalls",
		.state_bytes = sizeof(struct tap),
		DEVICE_OPTIONS(tap_options),
	},
	.open = tap_open,
	.close = tap_close,
	.send = tap_send,
	.room = tap_room,
	.accept = tap_accept,
};
NET_END(tap, &tap_type);
