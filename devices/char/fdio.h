/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host file descriptors for the host ends: reading with flow control, writing
 * without blocking.
 *
 * Both register with the loop only while they have something to wait for:
 * EPOLLHUP and EPOLLERR cannot be masked, and a peer that is gone would
 * otherwise keep the main thread spinning while the guest is not interested.
 */
#ifndef DEVICES_CHAR_FDIO_H
#define DEVICES_CHAR_FDIO_H

#include <pthread.h>
#include <stdatomic.h>
#include <vmm/char.h>
#include <vmm/loop.h>

struct reader {
	struct chardev *c;
	int fd;                         /* the caller's; -1: closed */
	/* Main thread; NULL: straight to c->user->input. @room is what the user wants now. */
	void (*data)(struct reader *r, const uint8_t *bytes, size_t len, size_t room);
	void (*eof)(struct reader *r);  /* main thread; end or error; the reader is closed already. May be NULL */
	bool always;                    /* read even when the user wants nothing (data then gets room 0) */
	pthread_mutex_t lock;           /* room, event: want comes from any thread */
	size_t room;
	struct loop_fd *event;
};

/* Of the terminal @fd; false: it is none, or its window has no size. */
bool window_size(int fd, uint16_t *cols, uint16_t *rows);

/* Once, before everything else; data, eof and always are the caller's to set. */
void reader_init(struct reader *r, struct chardev *c);
/* @fd: something that read() does not block on after EPOLLIN. Main thread; again after close is fine. */
void reader_open(struct reader *r, int fd);
/* Main thread. Twice is fine. */
void reader_close(struct reader *r);
/* Main thread; the peer has gone. What it has left behind, as far as the user takes it; then eof. */
void reader_end(struct reader *r);
/* Any thread. */
void reader_want(struct reader *r, size_t room);

struct writer {
	struct chardev *c;
	int fd;                         /* our own duplicate */
	bool is_socket;
	bool dead;                      /* the peer is gone */
	bool keeps;                     /* others may come after it; otherwise it is gone for good: swallow */
	pthread_mutex_t lock;
	struct loop_fd *event;
};

void writer_init(struct writer *w, struct chardev *c);
/* Owns @fd from here on: non-blocking, or something that cannot block, or a socket. Again after close is fine. */
void writer_open(struct writer *w, int fd);
void writer_close(struct writer *w);
/* Any thread. As chardev_type.write. */
size_t writer_write(struct writer *w, const uint8_t *bytes, size_t len);
/* Any thread: one call of user->writable once there is room. */
void writer_want(struct writer *w);

/*
 * Both, for a host end whose state begins with it: open calls duplex_init(), then
 * reader_open() and writer_open() when somebody is there; the other functions are
 * those of chardev_type.
 */
struct duplex {
	struct reader in;
	struct writer out;
	atomic_bool connected;          /* somebody is there; the end's to change */
};

void duplex_init(struct chardev *c, bool connected);
void duplex_close(struct chardev *c);
size_t duplex_write(struct chardev *c, const uint8_t *bytes, size_t len);
void duplex_want(struct chardev *c, size_t input, bool output);
bool duplex_connected(struct chardev *c);

#endif
