/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's end of a guest's connection: a unix stream socket that never blocks. Who wants to talk to a
 * port of the guest connects to PATH and says which ("CONNECT 1234\n"); the answer is "OK " and the port
 * it has at the host's side. Who waits for the guest listens on PATH_1234. (Firecracker does the same.)
 */
#include <ctype.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/unix.h>

#include "vsock.h"

#define PORT_BYTES 11 /* "_4294967295" */

/* ---- Streams ---- */

static void on_events(void *opaque, uint32_t events);

/*
 * A watch that waits for nothing would still be told of a peer that has gone, again and again, while there is
 * no room for what it has left behind. So there is none then, unless that is what somebody waits for.
 */
static void watch(struct vsock_stream *s)
{
	uint32_t events =
		(s->readable || s->ended ? 0 : EPOLLIN) | (s->used ? EPOLLOUT : 0) | (s->held ? EPOLLERR : 0);

	if (events == s->watching)
		return;
	if (!events) {
		loop_del_fd(s->watch);
		s->watch = NULL;
	} else if (s->watch) {
		loop_mod_fd(s->watch, events);
	} else {
		s->watch = loop_add_fd(s->loop, s->fd, events, s->lock, on_events, s);
	}
	s->watching = s->watch ? events : 0;
}

void vsock_stream_init(struct vsock_stream *s, int fd, struct loop *l, pthread_mutex_t *lock,
		       const struct vsock_user *user, void *opaque)
{
	*s = (struct vsock_stream){ .fd = fd, .loop = l, .lock = lock, .user = user, .opaque = opaque };
	watch(s);
}

void vsock_stream_close(struct vsock_stream *s)
{
	if (s->watch)
		loop_del_fd(s->watch);
	if (s->fd >= 0)
		close(s->fd);
	free(s->buffer);
	*s = (struct vsock_stream){ .fd = -1 };
}

ssize_t vsock_stream_read(struct vsock_stream *s, const struct iovec *iov, unsigned count)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = count };
	ssize_t n;

	do
		n = s->ended ? 0 : recvmsg(s->fd, &m, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		s->readable = true;
		return n;
	}
	s->readable = false;
	s->ended = s->ended || !n || errno != EAGAIN;
	n = n ? -errno : 0;
	watch(s);
	return n;
}

bool vsock_stream_gone(const struct vsock_stream *s)
{
	struct pollfd p = { .fd = s->fd };

	return s->fd < 0 || (poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR));
}

bool vsock_stream_deserted(const struct vsock_stream *s)
{
	char c;

	return vsock_stream_gone(s) && recv(s->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) != 1;
}

void vsock_stream_hold(struct vsock_stream *s, bool on)
{
	s->held = on;
	s->readable = true;
	watch(s);
}

static void keep(struct vsock_stream *s, const uint8_t *p, size_t len)
{
	for (size_t n; len; p += n, len -= n) {
		uint32_t at = (s->head + s->used) & (VSOCK_BUFFER_BYTES - 1);

		n = VSOCK_BUFFER_BYTES - at < len ? VSOCK_BUFFER_BYTES - at : len;
		memcpy(s->buffer + at, p, n);
		s->used += (uint32_t)n;
	}
}

static ssize_t send_some(struct vsock_stream *s, struct iovec *iov, unsigned count)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = count };
	ssize_t n = sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

	return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

ssize_t vsock_stream_write(struct vsock_stream *s, struct iovec *iov, unsigned count)
{
	ssize_t sent = s->used ? 0 : send_some(s, iov, count), left = sent;

	if (sent < 0)
		return sent;
	for (unsigned i = 0; i < count; i++) {
		size_t skip = (size_t)left < iov[i].iov_len ? (size_t)left : iov[i].iov_len,
		       rest = iov[i].iov_len - skip;

		left -= (ssize_t)skip;
		if (!rest)
			continue;
		if (!s->buffer)
			s->buffer = malloc(VSOCK_BUFFER_BYTES);
		if (!s->buffer)
			return -ENOMEM;
		CHECK(rest <= VSOCK_BUFFER_BYTES - s->used);
		keep(s, (const uint8_t *)iov[i].iov_base + skip, rest);
	}
	watch(s);
	return sent;
}

/* What the buffer holds, as far as it goes now. Returns the bytes; -errno. */
static ssize_t drain(struct vsock_stream *s)
{
	uint32_t first = VSOCK_BUFFER_BYTES - s->head < s->used ? (uint32_t)VSOCK_BUFFER_BYTES - s->head : s->used;
	struct iovec iov[2] = { { s->buffer + s->head, first }, { s->buffer, s->used - first } };
	ssize_t n = send_some(s, iov, 2);

	if (n < 0) {
		n = s->used; /* nobody will read it */
		s->used = 0;
		return n;
	}
	s->head = (s->head + (uint32_t)n) & (VSOCK_BUFFER_BYTES - 1);
	s->used -= (uint32_t)n;
	return n;
}

static void end_writing(struct vsock_stream *s)
{
	if (s->closing && !s->used)
		shutdown(s->fd, SHUT_WR);
}

void vsock_stream_finish(struct vsock_stream *s)
{
	s->closing = true;
	end_writing(s);
}

void vsock_stream_stop_reading(struct vsock_stream *s)
{
	s->ended = true;
	s->readable = false;
	shutdown(s->fd, SHUT_RD);
	watch(s);
}

/* The user may close the stream in either call, but keeps its memory until he is called again. */
static void on_events(void *opaque, uint32_t events)
{
	struct vsock_stream *s = opaque;
	ssize_t taken = s->used && events & (EPOLLOUT | EPOLLHUP | EPOLLERR) ? drain(s) : 0;

	end_writing(s);
	s->readable = s->readable || (!s->ended && events & (EPOLLIN | EPOLLHUP | EPOLLERR));
	if (taken > 0)
		s->user->taken(s->opaque, (uint32_t)taken);
	if (s->fd >= 0 && s->readable)
		s->user->readable(s->opaque);
	if (s->fd >= 0)
		watch(s);
}

void vsock_stream_say(struct vsock_stream *s, const char *text)
{
	send_some(s, &(struct iovec){ (void *)(uintptr_t)text, strlen(text) }, 1);
}

/* ---- Names ---- */

int vsock_connect(const char *path, uint32_t port)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)];

	return snprintf(name, sizeof(name), "%s_%u", path, port) < (int)sizeof(name) ? unix_connect(name)
										     : -ENAMETOOLONG;
}

/* Room for the ports behind it, too. */
int vsock_listen(const char *said, const char *path)
{
	const size_t room = sizeof(((struct sockaddr_un *)0)->sun_path) - PORT_BYTES - 1;
	char what[200];

	snprintf(what, sizeof(what), "%s: uds=%s", said, path);
	if (!*path || strlen(path) > room)
		return log_err(-ENAMETOOLONG, "%s: the path has %zu bytes; 1 to %zu are possible", what, strlen(path),
			       room);
	return unix_listen(what, path);
}

bool vsock_parse_command(const char *line, uint32_t *port)
{
	unsigned long long v;
	char *end;

	if (strncmp(line, "CONNECT ", 8) || !isdigit((unsigned char)line[8]))
		return false;
	v = strtoull(line + 8, &end, 10);
	*port = (uint32_t)v;
	return v < UINT32_MAX && (!*end || !strcmp(end, "\r"));
}
