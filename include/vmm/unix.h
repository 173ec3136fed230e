/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unix stream sockets at paths of the host. What begins with @said ("--console socket:PATH") in
 * messages is the option that the user gave.
 */
#ifndef VMM_UNIX_H
#define VMM_UNIX_H

#include <vmm/loop.h>

/*
 * A socket that listens at @path, non-blocking. A file there that nobody listens on any more is left over
 * from a process that died, and is taken away. The descriptor, or -errno with a message.
 */
int unix_listen(const char *said, const char *path);
/* Closes it and takes the file away; -1 is fine. */
void unix_unlisten(int fd, const char *path);

/* Takes who connects to a socket of unix_listen(). Zeroed it is one that was not started. */
struct unix_acceptor {
	int fd;
	struct loop_fd *watch;
	struct loop_timer pause;
	void (*came)(void *opaque, int client);
	void *opaque;
};

/*
 * From now on @came is called on the main thread, with @lock (NULL: none) held, for each who connects;
 * @client is non-blocking, and its to close. When the process has no descriptors left, who connects waits,
 * and is looked for every tenth of a second. @fd stays the caller's. False: the host refuses to wait for it.
 */
bool unix_acceptor_start(struct unix_acceptor *a, int fd, struct loop *l, pthread_mutex_t *lock,
			 void (*came)(void *opaque, int client), void *opaque);
/* Main thread. It is zeroed again. */
void unix_acceptor_stop(struct unix_acceptor *a);

/* Connects, non-blocking; that succeeds or fails at once. The descriptor, or -errno without a message. */
int unix_connect(const char *path);

#endif
