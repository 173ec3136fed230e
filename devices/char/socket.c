/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A listening unix socket: one client at a time, which may leave and come back.
 * What the guest wrote meanwhile is kept by the console and comes first.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/unix.h>
#include "fdio.h"

struct sock {
	struct duplex io; /* first */
	char *path;
	int listener, client;
	struct unix_acceptor acceptor;
};

static void sock_left(struct reader *r)
{
	struct sock *s = r->c->state;

	atomic_store(&s->io.connected, false);
	writer_close(&s->io.out);
	close(s->client);
	s->client = -1;
	r->c->user->writable(r->c->opaque);
}

/* Its end has not been read: it has left only just now, or more than the guest takes. */
static bool left_unnoticed(const struct sock *s)
{
	struct pollfd p = { .fd = s->client };

	return s->client >= 0 && poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

static void sock_accept(void *opaque, int fd)
{
	struct chardev *c = opaque;
	struct sock *s = c->state;
	int out;

	if (left_unnoticed(s))
		reader_end(&s->io.in);
	out = s->client < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (out < 0) {
		close(fd); /* taken, or no descriptors left: the client sees the end at once */
		return;
	}
	s->client = fd;
	writer_open(&s->io.out, out);
	atomic_store(&s->io.connected, true);
	reader_open(&s->io.in, fd);
	c->user->writable(c->opaque);
}

static void sock_close(struct chardev *c)
{
	struct sock *s = c->state;

	unix_acceptor_stop(&s->acceptor);
	duplex_close(c);
	if (s->client >= 0)
		close(s->client);
	unix_unlisten(s->listener, s->path);
	free(s->path);
}

static int sock_open(struct chardev *c, const char *arg)
{
	struct sock *s = c->state;
	char said[200];

	s->client = -1;
	s->io.in.eof = sock_left;
	duplex_init(c, false);
	s->io.out.keeps = true;
	s->path = strdup(arg);
	if (!s->path)
		return -ENOMEM;
	snprintf(said, sizeof(said), "%s socket:%s", c->said, arg);
	s->listener = unix_listen(said, arg);
	if (s->listener < 0) {
		free(s->path);
		return s->listener;
	}
	if (!unix_acceptor_start(&s->acceptor, s->listener, c->loop, NULL, sock_accept, c)) {
		sock_close(c);
		return log_err(-EIO, "%s: the host does not let us wait for clients", said);
	}
	return 0;
}

static const struct chardev_type socket_type = {
	.name = "socket",
	.arg = "PATH",
	.help = "a listening unix socket; one client at a time",
	.state_bytes = sizeof(struct sock),
	.open = sock_open,
	.close = sock_close,
	.write = duplex_write,
	.want = duplex_want,
	.connected = duplex_connected,
};
CHARDEV(socket, &socket_type);
