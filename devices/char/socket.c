/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A listening unix socket: one client at a time, which may leave and come back.
 * What the guest wrote meanwhile is kept by the console and comes first.
 */
#include <fcntl.h>
#include <stdatomic.h>
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
	struct sockaddr_un addr;
	int listener, client;
	struct loop_fd *accepting;
	atomic_bool connected;
	struct reader in;
	struct writer out;
};

static void sock_left(struct reader *r)
{
	struct sock *s = r->c->state;

	atomic_store(&s->connected, false);
	writer_close(&s->out);
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
	writer_open(&s->out, out);
	atomic_store(&s->connected, true);
	reader_open(&s->in, fd);
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
	reader_close(&s->in);
	writer_close(&s->out);
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
	s->in.eof = sock_left;
	reader_init(&s->in, c);
	writer_init(&s->out, c);
	s->addr.sun_family = AF_UNIX;
	if (strlen(arg) >= sizeof(s->addr.sun_path))
		return log_err(-ENAMETOOLONG, "--console socket:%s: a socket's path has at most %zu bytes", arg,
			       sizeof(s->addr.sun_path) - 1);
	strcpy(s->addr.sun_path, arg);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->listener < 0)
		return log_err(-errno, "--console socket:%s: %s", arg, strerror(errno));
	sock_remove_stale(&s->addr);
	if (bind(s->listener, (struct sockaddr *)&s->addr, sizeof(s->addr))) {
		err = log_err(-errno, "--console socket:%s: cannot listen there: %s", arg, strerror(errno));
		close(s->listener);
		return err;
	}
	s->accepting =
		listen(s->listener, 4) ? NULL : loop_add_fd(c->loop, s->listener, EPOLLIN, NULL, sock_accept, c);
	if (!s->accepting) {
		err = log_err(-EIO, "--console socket:%s: the host does not let us listen", arg);
		sock_close(c);
		return err;
	}
	return 0;
}

static size_t sock_write(struct chardev *c, const uint8_t *bytes, size_t len)
{
	struct sock *s = c->state;

	return atomic_load(&s->connected) ? writer_write(&s->out, bytes, len) : 0;
}

static void sock_want(struct chardev *c, size_t input, bool output)
{
	struct sock *s = c->state;

	reader_want(&s->in, input);
	if (output && atomic_load(&s->connected))
		writer_want(&s->out);
}

static bool sock_connected(struct chardev *c) { return atomic_load(&((struct sock *)c->state)->connected); }

static const struct chardev_type socket_type = {
	.name = "socket",
	.arg = "PATH",
	.help = "a listening unix socket; one client at a time",
	.state_bytes = sizeof(struct sock),
	.open = sock_open,
	.close = sock_close,
	.write = sock_write,
	.want = sock_want,
	.connected = sock_connected,
};
CHARDEV(socket, &socket_type);
