/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front end of vhost-user. The back end gets the guest's RAM, the places of rings and the transport's
 * eventfds; after that nothing passes through vmm.
 *
 * Nothing is believed that it says but features and that it has stopped; it may say nothing at all, so
 * every answer has a deadline. Protocol features are not agreed on: what they add is not needed, and without
 * them rings are enabled when they are started.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include <spec/vhost-user.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#include "queue.h"
#include "vhost-user.h"

#define ANSWER_S 5

struct vhost_user {
	struct virtio_device *v;
	struct device *d;
	const char *path;
	int fd; /* -1: not connected */
	struct loop_fd *watch;
	uint64_t features;
	uint64_t running; /* rings */
};

static void disconnect(struct vhost_user *h)
{
	if (h->watch)
		loop_del_fd(h->watch);
	h->watch = NULL;
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

/* What was said cannot be trusted to have been understood any more. */
static int failed(struct vhost_user *h, const char *what, int err)
{
	disconnect(h);
	return log_err(err, "%s: socket=%s: %s: %s; is it a back end for this device, and still there?", h->d->said,
		       h->path, what, strerror(-err));
}

/* ---- Messages ---- */

static int send_fds(struct vhost_user *h, uint32_t request, const void *payload, uint32_t bytes, const int *fds,
		    unsigned fd_count)
{
	struct vhost_user_header header = { request, VHOST_USER_VERSION, bytes };
	struct iovec iov[2] = { { &header, sizeof(header) }, { (void *)(uintptr_t)payload, bytes } };
	union {
		char bytes[CMSG_SPACE(VHOST_USER_REGIONS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (h->fd < 0)
		return -ENOTCONN;
	if (fd_count) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, fd_count * sizeof(int));
	}
	do
		n = sendmsg(h->fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == (ssize_t)(sizeof(header) + bytes) ? 0 : -EIO;
}

static int send_message(struct vhost_user *h, uint32_t request, const void *payload, uint32_t bytes)
{
	return send_fds(h, request, payload, bytes, NULL, 0);
}

static int receive_all(int fd, void *to, size_t bytes)
{
	ssize_t n;

	do
		n = recv(fd, to, bytes, MSG_WAITALL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return n == (ssize_t)bytes ? 0 : -EPIPE;
}

/* Asks, and waits for an answer of that many bytes. */
static int ask(struct vhost_user *h, uint32_t request, const void *payload, uint32_t bytes, void *answer,
	       uint32_t answer_bytes)
{
	struct vhost_user_header header;
	int err = send_message(h, request, payload, bytes);

	if (!err)
		err = receive_all(h->fd, &header, sizeof(header));
	if (err)
		return err;
	if (header.request != request || (header.flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION ||
	    !(header.flags & VHOST_USER_REPLY) || header.size != answer_bytes)
		return -EPROTO;
	return receive_all(h->fd, answer, answer_bytes);
}

/* ---- Connecting ---- */

/* It says nothing by itself: what can be read is its end, or nonsense. */
static void on_readable(void *opaque, uint32_t events)
{
	struct vhost_user *h = opaque;
	char byte;
	ssize_t n = recv(h->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	failed(h, n > 0 ? "the back end says what nobody has asked" : "the back end has gone",
	       n > 0 ? -EPROTO : -EPIPE);
	h->running = 0;
	if (h->v->running)
		virtio_broken(h->v, "it has no back end any more");
}

static int open_socket(struct vhost_user *h)
{
	const struct timeval wait = { .tv_sec = ANSWER_S };
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(h->path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	strcpy(a.sun_path, h->path);
	h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (h->fd < 0)
		return -errno;
	/* Sending, too: it may read nothing. And for connect(), if it accepts nobody. */
	setsockopt(h->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(h->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	return connect(h->fd, (const struct sockaddr *)&a, sizeof(a)) ? -errno : 0;
}

static int begin(struct vhost_user *h)
{
	int err = open_socket(h);

	if (err)
		return failed(h, "cannot connect", err);
	err = send_message(h, VHOST_USER_SET_OWNER, NULL, 0);
	if (!err)
		err = ask(h, VHOST_USER_GET_FEATURES, NULL, 0, &h->features, sizeof(h->features));
	if (!err && !(h->features >> VIRTIO_F_VERSION_1 & 1))
		err = -EPROTO;
	if (err)
		return failed(h, "no features", err);
	if (!h->d->env->loop)
		return 0;
	h->watch = loop_add_fd(h->d->env->loop, h->fd, EPOLLIN, &h->d->lock, on_readable, h);
	return h->watch ? 0 : failed(h, "the host refuses to wait for a socket", -EIO);
}

int vhost_user_open(struct virtio_device *v, struct device *d, const char *path, struct vhost_user **out)
{
	struct vhost_user *h = calloc(1, sizeof(*h));
	int err;

	*out = NULL;
	if (!h)
		return -ENOMEM;
	*h = (struct vhost_user){ .v = v, .d = d, .path = path, .fd = -1 };
	err = begin(h);
	if (err)
		free(h);
	else
		*out = h;
	return err;
}

void vhost_user_close(struct vhost_user *h)
{
	if (!h)
		return;
	disconnect(h);
	free(h);
}

void vhost_user_offer(const struct vhost_user *h) { h->v->offered &= h->features; }

/* ---- Rings ---- */

static int set_memory(struct vhost_user *h)
{
	unsigned count;
	const struct mem_region *r = mem_regions(h->d->env->mem, &count);
	struct vhost_user_memory m = { 0 };
	int fds[VHOST_USER_REGIONS_MAX];

	for (unsigned i = 0; i < count; i++) {
		if (!r[i].shared)
			continue;
		if (m.count == VHOST_USER_REGIONS_MAX)
			return -E2BIG;
		fds[m.count] = r[i].fd;
		m.region[m.count++] = (struct vhost_user_region){ .guest_addr = r[i].base.v,
								  .bytes = r[i].bytes,
								  .front_end_addr = (uintptr_t)r[i].host };
	}
	return send_fds(h, VHOST_USER_SET_MEM_TABLE, &m,
			(uint32_t)(offsetof(struct vhost_user_memory, region) + m.count * sizeof(m.region[0])), fds,
			m.count);
}

static int set_ring(struct vhost_user *h, unsigned i, const struct virtq_loan *l)
{
	const struct vhost_user_vring_state size = { i, l->size }, base = { i, l->base };
	const struct vhost_user_vring_addr at = {
		.index = i,
		.desc = (uintptr_t)l->desc,
		.avail = (uintptr_t)l->driver,
		.used = (uintptr_t)l->device,
	};
	const uint64_t index = i;
	int err = send_message(h, VHOST_USER_SET_VRING_NUM, &size, sizeof(size));

	if (!err)
		err = send_message(h, VHOST_USER_SET_VRING_BASE, &base, sizeof(base));
	if (!err)
		err = send_message(h, VHOST_USER_SET_VRING_ADDR, &at, sizeof(at));
	if (!err)
		err = send_fds(h, VHOST_USER_SET_VRING_CALL, &index, sizeof(index), &l->call, 1);
	if (!err)
		err = send_fds(h, VHOST_USER_SET_VRING_KICK, &index, sizeof(index), &l->kick, 1);
	return err;
}

static int set_rings(struct vhost_user *h)
{
	int err = 0;

	for (unsigned i = 0; i < h->v->queue_count && !err; i++) {
		struct virtq *q = virtio_queue(h->v, i);
		struct virtq_loan loan;

		if (!virtq_ready(q))
			continue;
		err = virtq_lend(q, &loan);
		if (!err)
			err = set_ring(h, i, &loan);
		if (!err)
			h->running |= UINT64_C(1) << i;
	}
	return err;
}

int vhost_user_start(struct vhost_user *h)
{
	uint64_t features;
	int err = h->fd < 0 ? begin(h) : 0;

	if (err)
		return err;
	features = h->v->features & h->features;
	if (features != h->v->features)
		return failed(h, "it has not the features any more that it had", -EPROTO);
	err = send_message(h, VHOST_USER_SET_FEATURES, &features, sizeof(features));
	if (!err)
		err = set_memory(h);
	if (!err)
		err = set_rings(h);
	/* An answer to anything says that all of it has arrived. */
	if (!err)
		err = ask(h, VHOST_USER_GET_FEATURES, NULL, 0, &h->features, sizeof(h->features));
	if (!err)
		return 0;
	h->running = 0;
	return failed(h, "the back end does not start", err);
}

void vhost_user_stop(struct vhost_user *h)
{
	for (unsigned i = 0; i < h->v->queue_count && h->fd >= 0; i++) {
		struct vhost_user_vring_state state = { .index = i };
		int err = 0;

		if (h->running >> i & 1)
			err = ask(h, VHOST_USER_GET_VRING_BASE, &state, sizeof(state), &state, sizeof(state));
		if (err)
			failed(h, "the back end does not stop", err);
	}
	h->running = 0;
}
