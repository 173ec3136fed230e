/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pseudo terminal: prints its path, anybody may open it and come back later.
 *
 * We must not hold the slave side open ourselves, or nobody being there would
 * look like somebody who does not read. The master then reports a hang-up until
 * the slave is opened, which it cannot announce; inotify does.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <termios.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "fdio.h"

struct pty {
	struct duplex io; /* first */
	int master, inotify;
	struct loop_fd *opened;
};

static void pty_check(struct chardev *c)
{
	struct pty *p = c->state;
	struct pollfd poll_fd = { .fd = p->master };

	if (atomic_load(&p->io.connected) || poll(&poll_fd, 1, 0) < 0 || poll_fd.revents & POLLHUP)
		return;
	atomic_store(&p->io.connected, true);
	reader_open(&p->io.in, p->master);
	c->user->writable(c->opaque);
	if (c->user->resized)
		c->user->resized(c->opaque);
}

static void pty_opened(void *opaque, uint32_t events)
{
	struct chardev *c = opaque;
	char buffer[1024] __attribute__((aligned(__alignof__(struct inotify_event))));

	(void)events;
	while (read(((struct pty *)c->state)->inotify, buffer, sizeof(buffer)) > 0)
		;
	pty_check(c);
}

static void pty_left(struct reader *r)
{
	struct pty *p = r->c->state;

	atomic_store(&p->io.connected, false);
	r->c->user->writable(r->c->opaque);
	pty_check(r->c); /* somebody new may have come between hang-up and now */
}

/* Nothing in between: the guest's own terminal settings are those that count. */
static int pty_raw(const char *path)
{
	int slave = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios t;
	int err = 0;

	if (slave < 0 || tcgetattr(slave, &t))
		err = -errno;
	if (!err) {
		cfmakeraw(&t);
		if (tcsetattr(slave, TCSANOW, &t))
			err = -errno;
	}
	if (slave >= 0)
		close(slave);
	return err;
}

static void pty_close(struct chardev *c)
{
	struct pty *p = c->state;

	if (p->opened)
		loop_del_fd(p->opened);
	duplex_close(c);
	if (p->inotify >= 0)
		close(p->inotify);
	if (p->master >= 0)
		close(p->master);
}

static int pty_open(struct chardev *c, const char *arg)
{
	struct pty *p = c->state;
	char path[64];
	int err, out;

	(void)arg;
	p->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	p->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	p->io.in.eof = pty_left;
	duplex_init(c, false);
	if (p->master < 0 || p->inotify < 0 || grantpt(p->master) || unlockpt(p->master) ||
	    ptsname_r(p->master, path, sizeof(path))) {
		err = log_err(-errno, "%s pty: the host gives no pseudo terminal: %s", c->said, strerror(errno));
		goto close;
	}
	err = pty_raw(path);
	if (!err && inotify_add_watch(p->inotify, path, IN_OPEN) < 0)
		err = -errno;
	if (err) {
		log_err(err, "%s pty: %s: %s", c->said, path, strerror(-err));
		goto close;
	}
	out = fcntl(p->master, F_DUPFD_CLOEXEC, 0);
	if (out >= 0)
		writer_open(&p->io.out, out);
	p->opened = out < 0 ? NULL : loop_add_fd(c->loop, p->inotify, EPOLLIN, NULL, pty_opened, c);
	if (!p->opened) {
		err = log_err(-EMFILE, "%s pty: cannot watch %s", c->said, path);
		goto close;
	}
	log_info("%s: %s", c->said + strspn(c->said, "-"), path);
	return 0;
close:
	pty_close(c);
	return err;
}

/* As whoever has opened it has set it: screen and the like tell the terminal that they are on, not this one. */
static bool pty_size(struct chardev *c, uint16_t *cols, uint16_t *rows)
{
	return window_size(((struct pty *)c->state)->master, cols, rows);
}

static const struct chardev_type pty_type = {
	.name = "pty",
	.help = "a pseudo terminal; its path is printed",
	.state_bytes = sizeof(struct pty),
	.open = pty_open,
	.close = pty_close,
	.write = duplex_write,
	.want = duplex_want,
	.connected = duplex_connected,
	.size = pty_size,
};
CHARDEV(pty, &pty_type);
