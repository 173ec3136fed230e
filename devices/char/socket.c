/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A listening unix socket: one client at a time, which may leave and come back.
 * What the guest wrote meanwhile is kept by the console and comes first.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "fdio.h"

struct sock {
	struct duplex io; /* first */
	struct sockaddr_un addr;
	int listener, client;
	struct loop_fd *accepting;
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

static void sock_accept(void *opaque, uint32_t events)
{
	struct chardev *c = opaque;
	struct sock *s = c->state;
	int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int out;

	(void)events;
	if (fd < 0)
		return;
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

/* A socket file nobody listens on any more is left over from a process that died. */
static void sock_remove_stale(const struct sockaddr_un *addr)
{
	/* Non-blocking: a listener that is busy would let us wait. */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return;
	if (!lstat(addr->sun_path, &st) && S_ISSOCK(st.st_mode) &&
	    connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 && errno == ECONNREFUSED)
		unlink(addr->sun_path);
	close(fd);
}

static void sock_close(struct chardev *c)
{
	struct sock *s = c->state;

	if (s->accepting)
		loop_del_fd(s->accepting);
	duplex_close(c);
	if (s->client >= 0)
		close(s->client);
	close(s->listener);
	unlink(s->addr.sun_path);
}

static int sock_open(struct chardev *c, const char *arg)
{
	struct sock *s = c->state;
	int err;

	s->client = -1;
	s->io.in.eof = sock_left;
	duplex_init(c, false);
	s->addr.sun_family = AF_UNIX;
	if (strlen(arg) >= sizeof(s->addr.sun_path))
		return log_err(-ENAMETOOLONG, "%s socket:%s: a socket's path has at most %zu bytes", c->said, arg,
			       sizeof(s->addr.sun_path) - 1);
	strcpy(s->addr.sun_path, arg);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->listener < 0)
		return log_err(-errno, "%s socket:%s: %s", c->said, arg, strerror(errno));
	sock_remove_stale(&s->addr);
	if (bind(s->listener, (struct sockaddr *)&s->addr, sizeof(s->addr))) {
		err = log_err(-errno, "%s socket:%s: cannot listen there: %s", c->said, arg, strerror(errno));
		close(s->listener);
		return err;
	}
	s->accepting =
		listen(s->listener, 4) ? NULL : loop_add_fd(c->loop, s->listener, EPOLLIN, NULL, sock_accept, c);
	if (!s->accepting) {
		err = log_err(-EIO, "%s socket:%s: the host does not let us listen", c->said, arg);
		sock_close(c);
		return err;
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
