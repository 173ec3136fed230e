/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unix stream sockets at paths of the host. What begins with @said ("--console socket:PATH") in
 * messages is the option that the user gave.
 */
#ifndef VMM_UNIX_H
#define VMM_UNIX_H

/*
 * A socket that listens at @path, non-blocking. A file there that nobody listens on any more is left over
 * from a process that died, and is taken away. The descriptor, or -errno with a message.
 */
int unix_listen(const char *said, const char *path);
/* Closes it and takes the file away; -1 is fine. */
void unix_unlisten(int fd, const char *path);

/* Connects, non-blocking; that succeeds or fails at once. The descriptor, or -errno without a message. */
int unix_connect(const char *path);

#endif
