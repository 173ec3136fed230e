/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/unix.h>

#define BACKLOG 64

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
