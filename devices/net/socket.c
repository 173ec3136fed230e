/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --net socket: frames over a unix stream socket, each behind its length in four bytes, big
 * end first. That is what passt and other switches in user space speak, and two of us with
 * each other.
 *
 * A peer that leaves is a cable pulled out. Who listens waits for the next one, who
 * connected tries again every second. What the peer sends is checked as a stranger's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/unix.h>

#include "frame.h"

#define LENGTH_BYTES 4
/* Room for many frames, so that there are fewer calls than frames. */
#define BUFFER_BYTES (256 * KIB)
#define RETRY_NS     NSEC_PER_SEC

struct sock {
	struct net_end net; /* first */
	const char *path, *given;
	bool listens;

	int fd, listener; /* -1: none */
	struct loop_fd *ready;
	struct unix_acceptor acceptor;
	struct loop_timer retry;
	bool stuck;      /* the guest has no room for the frame that is next */
	bool waits;      /* a frame of the guest was refused */
	unsigned active; /* pairs of the guest, 0 or 1 */
	size_t in_at, in_end;
	size_t out_at, out_end;
	uint8_t *in, *out;
};

static void listen_to_peer(struct sock *s)
{
	if (s->ready)
		loop_mod_fd(s->ready, (s->stuck ? 0 : EPOLLIN) | (s->waits || s->out_at < s->out_end ? EPOLLOUT : 0));
}

/* ---- Coming and going ---- */

static void hang_up(struct sock *s)
{
	loop_del_fd(s->ready);
	s->ready = NULL;
	close(s->fd);
	s->fd = -1;
	s->in_at = s->in_end = s->out_at = s->out_end = 0;
	s->stuck = false;
	s->net.user->link(&s->net, false);
	if (s->listener < 0 && s->path)
		loop_timer_arm(&s->retry, loop_now_ns() + RETRY_NS);
	/* What the guest sends now is lost. */
	if (s->waits) {
		s->waits = false;
		s->net.user->writable(&s->net, 0);
	}
}

static void on_ready(void *opaque, uint32_t events);

static bool take_peer(struct sock *s, int fd)
{
	s->ready = loop_add_fd(s->net.dev->env->loop, fd, EPOLLIN, &s->net.dev->lock, on_ready, s);
	if (!s->ready) {
		close(fd);
		return false;
	}
	s->fd = fd;
	s->net.user->link(&s->net, true);
	return true;
}

static int try_connect(struct sock *s)
{
	int fd = unix_connect(s->path);

	if (fd < 0)
		return fd;
	return take_peer(s, fd) ? 0 : -EIO;
}

static void on_retry(void *opaque)
{
	struct sock *s = opaque;

	if (s->fd < 0 && try_connect(s))
		loop_timer_arm(&s->retry, loop_now_ns() + RETRY_NS);
}

static void on_accept(void *opaque, int fd)
{
	struct sock *s = opaque;

	if (s->fd >= 0)
		close(fd); /* there is one already: it sees the end at once */
	else
		take_peer(s, fd);
}

/* ---- To the guest ---- */

static size_t next_length(const struct sock *s) { return net_get32(s->in + s->in_at); }

/* Gives the guest what frames there are. false: the peer does not speak our language. */
static bool deliver(struct sock *s)
{
	bool some = false, sane = true;

	s->stuck = false;
	while (s->in_end - s->in_at >= LENGTH_BYTES) {
		size_t bytes = next_length(s);
		struct iovec v = { s->in + s->in_at + LENGTH_BYTES, bytes };

		sane = bytes <= NET_FRAME_MAX;
		if (!sane || s->in_end - s->in_at - LENGTH_BYTES < bytes)
			break;
		if (bytes >= NET_FRAME_MIN && s->active) {
			s->stuck = !s->net.user->receive(
				&s->net, 0, &(struct net_frame){ .iov = &v, .iov_count = 1, .bytes = bytes });
			if (s->stuck)
				break;
			some = true;
		}
		s->in_at += LENGTH_BYTES + bytes;
	}
	if (some)
		s->net.user->received(&s->net, 0);
	return sane;
}

/* What is left of a frame goes to the front, where the rest of it has room. */
static void make_room(struct sock *s)
{
	memmove(s->in, s->in + s->in_at, s->in_end - s->in_at);
	s->in_end -= s->in_at;
	s->in_at = 0;
}

static void receive(struct sock *s)
{
	ssize_t n;

	make_room(s);
	n = read(s->fd, s->in + s->in_end, BUFFER_BYTES - s->in_end);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		log_info("%s: the peer at %s has left%s", s->net.dev->name, s->path ? s->path : "the socket",
			 s->path ? "; waiting for it" : "");
		return hang_up(s);
	}
	s->in_end += (size_t)n;
	if (!deliver(s)) {
		log_warn("%s: the peer at %s sends a frame of %zu bytes, of at most %d; hanging up", s->net.dev->name,
			 s->path ? s->path : "the socket", next_length(s), NET_FRAME_MAX);
		hang_up(s);
	}
}

static void sock_room(struct net_end *n, unsigned pair)
{
	struct sock *s = container_of(n, struct sock, net);

	(void)pair;
	if (!s->stuck)
		return;
	if (!deliver(s))
		hang_up(s);
	listen_to_peer(s);
}

/* ---- From the guest ---- */

/* What a peer that does not read any more would have got is lost. Whether it has left shows when we read. */
static void flush(struct sock *s)
{
	ssize_t n = 1;

	while (s->fd >= 0 && s->out_at < s->out_end && n > 0) {
		n = send(s->fd, s->out + s->out_at, s->out_end - s->out_at, MSG_NOSIGNAL);
		s->out_at += n > 0 ? (size_t)n : 0;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		s->out_at = s->out_end;
	if (s->out_at == s->out_end)
		s->out_at = s->out_end = 0;
}

static bool sock_send(struct net_end *n, unsigned pair, const struct net_frame *f)
{
	struct sock *s = container_of(n, struct sock, net);
	uint8_t *to;

	(void)pair;
	if (s->fd < 0)
		return true;
	if (BUFFER_BYTES - s->out_end < LENGTH_BYTES + f->bytes)
		flush(s);
	s->waits = BUFFER_BYTES - s->out_end < LENGTH_BYTES + f->bytes;
	if (s->waits)
		return false;
	to = s->out + s->out_end;
	for (unsigned i = 0; i < LENGTH_BYTES; i++)
		to[i] = (uint8_t)(f->bytes >> 8 * (LENGTH_BYTES - 1 - i));
	frame_copy(f, to + LENGTH_BYTES);
	frame_checksum(f, to + LENGTH_BYTES);
	s->out_end += LENGTH_BYTES + f->bytes;
	return true;
}

static void sock_sent(struct net_end *n, unsigned pair)
{
	struct sock *s = container_of(n, struct sock, net);

	(void)pair;
	flush(s);
	/* The peer may have made room since a frame was refused: then there is only that left to wait for. */
	if (s->out_end || s->waits)
		listen_to_peer(s);
}

static void sock_accept(struct net_end *n, unsigned offloads, unsigned pairs)
{
	struct sock *s = container_of(n, struct sock, net);

	(void)offloads;
	s->active = pairs;
	if (pairs)
		return;
	s->waits = false;
	/* Passes over what was kept for a guest that is gone, so that there is room to read. */
	if (!deliver(s))
		hang_up(s);
	listen_to_peer(s);
}

static void on_ready(void *opaque, uint32_t events)
{
	struct sock *s = opaque;

	if (events & EPOLLOUT) {
		flush(s);
		if (!s->out_end && s->waits) {
			s->waits = false;
			s->net.user->writable(&s->net, 0);
		}
	}
	if (!s->stuck && s->fd >= 0)
		receive(s);
	else if (events & (EPOLLHUP | EPOLLERR) && s->fd >= 0)
		hang_up(s); /* it would come again and again */
	listen_to_peer(s);
}

/* ---- Life ---- */

static int start_listening(struct sock *s)
{
	char said[200];

	snprintf(said, sizeof(said), "%s: path=%s", s->net.dev->said, s->path);
	s->listener = unix_listen(said, s->path);
	if (s->listener < 0)
		return s->listener;
	if (!unix_acceptor_start(&s->acceptor, s->listener, s->net.dev->env->loop, &s->net.dev->lock, on_accept, s))
		return log_err(-EIO, "%s: the host does not let us wait for a peer", said);
	s->net.user->link(&s->net, false);
	return 0;
}

static int take_given(struct sock *s)
{
	struct sockaddr_un addr = { 0 };
	socklen_t len = sizeof(addr), type_len = sizeof(int);
	int type = 0;
	char *end;
	long fd = strtol(s->given, &end, 10);

	if (*s->given < '0' || *s->given > '9' || *end || fd > 0xfffff ||
	    getpeername((int)fd, (struct sockaddr *)&addr, &len) ||
	    getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &type_len) || type != SOCK_STREAM ||
	    fcntl((int)fd, F_SETFL, O_RDWR | O_NONBLOCK))
		return log_err(-EINVAL, "%s: fd=%s is not the descriptor of a connected stream socket",
			       s->net.dev->said, s->given);
	return take_peer(s, (int)fd) ? 0 : -EIO;
}

static int find_peer(struct sock *s)
{
	int err;

	if (!s->path == !s->given)
		return log_err(-EINVAL, "%s: socket needs path= or fd=, and not both", s->net.dev->said);
	if (s->given)
		return take_given(s);
	if (s->listens)
		return start_listening(s);
	err = try_connect(s);
	if (err)
		log_err(err, "%s: path=%s: %s; start who listens there first, such as passt, or say listen=on",
			s->net.dev->said, s->path, strerror(-err));
	return err;
}

static void sock_close(struct net_end *n)
{
	struct sock *s = container_of(n, struct sock, net);

	unix_acceptor_stop(&s->acceptor);
	loop_del_fd(s->ready);
	loop_timer_arm(&s->retry, UINT64_MAX);
	if (s->fd >= 0)
		close(s->fd);
	unix_unlisten(s->listener, s->path);
	free(s->in);
	free(s->out);
}

static int sock_open(struct net_end *n)
{
	struct sock *s = container_of(n, struct sock, net);
	int err;

	if (n->pairs > 1)
		return log_err(-EINVAL, "%s: queues=%u: socket has one pair; leave queues out, or use tap",
			       n->dev->said, n->pairs);
	s->fd = s->listener = -1;
	loop_timer_init(&s->retry, n->dev->env->loop, &n->dev->lock, on_retry, s);
	s->in = malloc(BUFFER_BYTES);
	s->out = malloc(BUFFER_BYTES);
	err = s->in && s->out ? find_peer(s) : -ENOMEM;
	if (err)
		sock_close(n);
	n->offloads = NET_CSUM;
	return err;
}

static const struct device_option sock_options[] = {
	{ "path", "PATH", "the unix socket to connect to", DEVICE_STRING, offsetof(struct sock, path) },
	{ "listen", "on|off", "make it and wait for the other side (off)", DEVICE_BOOL,
	  offsetof(struct sock, listens) },
	{ "fd", "N", "an open descriptor of a connected one instead", DEVICE_STRING, offsetof(struct sock, given) },
};

static const struct net_end_type sock_type = {
	.end = {
		.name = "socket",
		.help = "frames over a unix stream socket, to passt or to another vmm",
		.state_bytes = sizeof(struct sock),
		DEVICE_OPTIONS(sock_options),
	},
	.open = sock_open,
	.close = sock_close,
	.send = sock_send,
	.sent = sock_sent,
	.room = sock_room,
	.accept = sock_accept,
};
NET_END(socket, &sock_type);
