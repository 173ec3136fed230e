/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/unix.h>

#define BACKLOG  64
#define PAUSE_NS (NSEC_PER_SEC / 10) /* until there may be descriptors again */

static int set_address(struct sockaddr_un *a, const char *path)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!*path || strlen(path) >= sizeof(a->sun_path))
		return -ENAMETOOLONG;
	strcpy(a->sun_path, path);
	return 0;
}

/* Non-blocking for connect(), too: a listener that is busy would let us wait. */
static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

int unix_connect(const char *path)
{
	struct sockaddr_un a;
	int err = set_address(&a, path), fd;

	if (err)
		return err;
	fd = new_socket();
	if (fd < 0 || !connect(fd, (const struct sockaddr *)&a, sizeof(a)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void remove_stale(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return;
	fd = unix_connect(path);
	if (fd == -ECONNREFUSED)
		unlink(path);
	if (fd >= 0)
		close(fd);
}

int unix_listen(const char *said, const char *path)
{
	struct sockaddr_un a;
	int err, fd;

	if (set_address(&a, path))
		return log_err(-ENAMETOOLONG, "%s: a socket's path has 1 to %zu bytes", said, sizeof(a.sun_path) - 1);
	remove_stale(path);
	fd = new_socket();
	if (fd < 0)
		return log_err(fd, "%s: %s", said, strerror(-fd));
	if (!bind(fd, (const struct sockaddr *)&a, sizeof(a))) {
		if (!listen(fd, BACKLOG))
			return fd;
		err = -errno;
		unlink(path);
	} else {
		err = -errno;
	}
	close(fd);
	return log_err(err, "%s: cannot listen there: %s", said, strerror(-err));
}

void unix_unlisten(int fd, const char *path)
{
	if (fd < 0)
		return;
	close(fd);
	unlink(path);
}

/* ---- Who connects ---- */

/* Whoever waits does so for a while, and we do not look all the time. */
static void pause_accepting(struct unix_acceptor *a)
{
	loop_mod_fd(a->watch, 0);
	loop_timer_arm(&a->pause, loop_now_ns() + PAUSE_NS);
}

static void pause_over(void *opaque)
{
	struct unix_acceptor *a = opaque;

	loop_mod_fd(a->watch, EPOLLIN);
}

static void on_accept(void *opaque, uint32_t events)
{
	struct unix_acceptor *a = opaque;
	int client = accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (client >= 0)
		a->came(a->opaque, client);
	else if (errno == EMFILE || errno == ENFILE)
		pause_accepting(a);
}

bool unix_acceptor_start(struct unix_acceptor *a, int fd, struct loop *l, pthread_mutex_t *lock,
			 void (*came)(void *opaque, int client), void *opaque)
{
	*a = (struct unix_acceptor){ .fd = fd, .came = came, .opaque = opaque };
	loop_timer_init(&a->pause, l, lock, pause_over, a);
	a->watch = loop_add_fd(l, fd, EPOLLIN, lock, on_accept, a);
	return a->watch;
}

void unix_acceptor_stop(struct unix_acceptor *a)
{
	if (!a->watch)
		return;
	loop_del_fd(a->watch);
	loop_timer_arm(&a->pause, UINT64_MAX);
	*a = (struct unix_acceptor){ 0 };
}
