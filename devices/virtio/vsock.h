/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sockets between guest and host in two pieces:
 *
 *   vsock.c       packets: rings, connections as the guest sees them, credit
 *   vsock-unix.c  streams: unix sockets that stand for them at the host's side
 *
 * All with the device's lock held.
 */
#ifndef VIRTIO_VSOCK_H
#define VIRTIO_VSOCK_H

#include <sys/uio.h>
#include <sys/un.h>
#include <vmm/loop.h>
#include <vmm/types.h>

#define VSOCK_BUFFER_BYTES (256 * KIB)  /* of what the guest has sent and its reader not taken; power of two */

struct vsock;
struct vsock_stream;

/*
 * What a stream tells whoever has it; not from within the functions below. He may close the stream then, but its
 * memory must stay until he is called the next time.
 */
struct vsock_user {
	/* There is something to read, or its end; until vsock_stream_read() finds nothing. */
	void (*readable)(void *opaque);
	/* The buffer has become smaller by @bytes. */
	void (*taken)(void *opaque, uint32_t bytes);
};

struct vsock_stream {
	int fd;
	struct loop *loop;
	pthread_mutex_t *lock;
	struct loop_fd *watch;
	uint32_t watching;              /* events */
	const struct vsock_user *user;
	void *opaque;
	bool readable, ended;           /* ended: nothing will be read any more */
	bool held;                      /* not to be read for now */
	bool closing;                   /* for writing, once the buffer is empty */
	uint8_t *buffer;                /* VSOCK_BUFFER_BYTES, when it is needed first */
	uint32_t head, used;
};

/* Takes over @fd, non-blocking. */
void vsock_stream_init(struct vsock_stream *s, int fd, struct loop *l, pthread_mutex_t *lock,
		       const struct vsock_user *user, void *opaque);
void vsock_stream_close(struct vsock_stream *s);

/* Bytes read; 0: the end; -EAGAIN: nothing now; -errno. */
ssize_t vsock_stream_read(struct vsock_stream *s, const struct iovec *iov, unsigned count);
/* After 0 was read: is the other side gone altogether, or does it only send no more? */
bool vsock_stream_gone(const struct vsock_stream *s);
/* Gone altogether, and it has left nothing to be read. */
bool vsock_stream_deserted(const struct vsock_stream *s);
/* While it is on `readable' is called only when the other side has gone. Afterwards there may be something to read. */
void vsock_stream_hold(struct vsock_stream *s, bool on);
/*
 * Takes all, which must fit beside what is in the buffer. Returns the bytes that went through at once, which
 * `taken' is not called for; -errno.
 */
ssize_t vsock_stream_write(struct vsock_stream *s, struct iovec *iov, unsigned count);
/* Nothing more will be written: its reader sees the end behind the last byte. */
void vsock_stream_finish(struct vsock_stream *s);
/* Outside of the stream, as long as nothing was written: a few bytes that always fit. */
void vsock_stream_say(struct vsock_stream *s, const char *text);
void vsock_stream_stop_reading(struct vsock_stream *s);

/* The file @path, or with @port the one for that: PATH_PORT. */
int vsock_connect(const char *path, uint32_t port);
int vsock_listen(const char *said, const char *path);
/* "CONNECT port", without the end of the line. */
bool vsock_parse_command(const char *line, uint32_t *port);

/* Can a guest have this address? 0, or -EINVAL with a message that begins with @said. */
int vsock_check_cid(const char *said, uint64_t cid);

#endif
