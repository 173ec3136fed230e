/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "fdio.h"

#define CHUNK_BYTES 4096

bool window_size(int fd, uint16_t *cols, uint16_t *rows)
{
	struct winsize w;

	if (ioctl(fd, TIOCGWINSZ, &w) || !w.ws_col || !w.ws_row)
		return false;
	*cols = w.ws_col;
	*rows = w.ws_row;
	return true;
}

/* ---- Reading ---- */

static void reader_finish(struct reader *r)
{
	reader_close(r);
	if (r->eof)
		r->eof(r);
}

static size_t reader_room(struct reader *r)
{
	size_t room;

	pthread_mutex_lock(&r->lock);
	room = r->room;
	pthread_mutex_unlock(&r->lock);
	return room;
}

/* One read; false when it ended the reader. */
static bool reader_step(struct reader *r)
{
	uint8_t chunk[CHUNK_BYTES];
	size_t room = reader_room(r), len = sizeof(chunk);
	ssize_t n;

	if (!r->always) {
		if (!room)
			return true;
		len = room < len ? room : len;
	}
	n = read(r->fd, chunk, len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		reader_finish(r);
		return false;
	}
	if (r->data)
		r->data(r, chunk, (size_t)n, room);
	else
		r->c->user->input(r->c->opaque, chunk, (size_t)n);
	return true;
}

void reader_end(struct reader *r)
{
	while (reader_room(r) && reader_step(r))
		;
	if (r->fd >= 0)
		reader_finish(r);
}

static void reader_event(void *opaque, uint32_t events)
{
	struct reader *r = opaque;

	(void)events;
	if (!reader_step(r))
		return;
	pthread_mutex_lock(&r->lock);
	if (!r->always && !r->room && r->event) {
		loop_del_fd(r->event);
		r->event = NULL;
	}
	pthread_mutex_unlock(&r->lock);
}

/* Under the lock: registers if input is wanted; the opposite is done by the callback itself. */
static void reader_watch(struct reader *r)
{
	if (r->fd >= 0 && !r->event && (r->always || r->room))
		r->event = loop_add_fd(r->c->loop, r->fd, EPOLLIN, NULL, reader_event, r);
}

void reader_init(struct reader *r, struct chardev *c)
{
	pthread_mutex_init(&r->lock, NULL);
	r->c = c;
	r->fd = -1;
}

void reader_open(struct reader *r, int fd)
{
	pthread_mutex_lock(&r->lock);
	r->fd = fd;
	reader_watch(r);
	pthread_mutex_unlock(&r->lock);
}

void reader_close(struct reader *r)
{
	struct loop_fd *event;

	if (r->fd < 0)
		return;
	pthread_mutex_lock(&r->lock);
	event = r->event;
	r->event = NULL;
	r->fd = -1;
	pthread_mutex_unlock(&r->lock);
	/* Not under the lock: it may wait for a callback, which takes it. */
	if (event)
		loop_del_fd(event);
}

void reader_want(struct reader *r, size_t room)
{
	pthread_mutex_lock(&r->lock);
	r->room = room;
	reader_watch(r);
	pthread_mutex_unlock(&r->lock);
}

/* ---- Writing ---- */

void writer_init(struct writer *w, struct chardev *c)
{
	pthread_mutex_init(&w->lock, NULL);
	w->c = c;
	w->fd = -1;
}

void writer_open(struct writer *w, int fd)
{
	struct stat st;

	pthread_mutex_lock(&w->lock);
	w->fd = fd;
	w->is_socket = !fstat(fd, &st) && S_ISSOCK(st.st_mode);
	w->dead = false;
	pthread_mutex_unlock(&w->lock);
}

void writer_close(struct writer *w)
{
	struct loop_fd *event;

	if (w->fd < 0)
		return;
	pthread_mutex_lock(&w->lock);
	event = w->event;
	w->event = NULL;
	pthread_mutex_unlock(&w->lock);
	if (event)
		loop_del_fd(event);
	pthread_mutex_lock(&w->lock);
	close(w->fd);
	w->fd = -1;
	pthread_mutex_unlock(&w->lock);
}

/* O_NONBLOCK of a socket that we share (ssh's stdout) is not ours to set. */
static ssize_t write_now(const struct writer *w, const uint8_t *bytes, size_t len)
{
	return w->is_socket ? send(w->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) : write(w->fd, bytes, len);
}

size_t writer_write(struct writer *w, const uint8_t *bytes, size_t len)
{
	size_t done = 0;

	pthread_mutex_lock(&w->lock);
	while (done < len && !w->dead && w->fd >= 0) {
		ssize_t n = write_now(w, bytes + done, len - done);

		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0 || errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			w->dead = true;
			if (errno != EPIPE && errno != EIO && errno != ECONNRESET)
				log_warn("%s: output is lost from here on: %s", w->c->said + strspn(w->c->said, "-"),
					 strerror(errno));
		}
	}
	if (w->dead && !w->keeps)
		done = len;
	pthread_mutex_unlock(&w->lock);
	return done;
}

static bool writer_dead(struct writer *w)
{
	bool dead;

	pthread_mutex_lock(&w->lock);
	dead = w->dead;
	pthread_mutex_unlock(&w->lock);
	return dead;
}

/* One-shot: whoever still waits asks again. */
static void writer_event(void *opaque, uint32_t events)
{
	struct writer *w = opaque;

	(void)events;
	pthread_mutex_lock(&w->lock);
	if (w->event)
		loop_del_fd(w->event);
	w->event = NULL;
	pthread_mutex_unlock(&w->lock);
	w->c->user->writable(w->c->opaque);
}

void writer_want(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	if (w->fd >= 0 && !w->dead && !w->event)
		w->event = loop_add_fd(w->c->loop, w->fd, EPOLLOUT, NULL, writer_event, w);
	pthread_mutex_unlock(&w->lock);
}

/* ---- Both ---- */

void duplex_init(struct chardev *c, bool connected)
{
	struct duplex *x = c->state;

	reader_init(&x->in, c);
	writer_init(&x->out, c);
	atomic_store(&x->connected, connected);
}

void duplex_close(struct chardev *c)
{
	struct duplex *x = c->state;

	reader_close(&x->in);
	writer_close(&x->out);
}

size_t duplex_write(struct chardev *c, const uint8_t *bytes, size_t len)
{
	struct duplex *x = c->state;
	size_t n;

	if (!atomic_load(&x->connected))
		return 0;
	n = writer_write(&x->out, bytes, len);
	/*
	 * Its end may not have been read as yet. Nobody else can be there already: the end calls the user before
	 * it lets the next one in, and the user is here.
	 */
	if (n < len && writer_dead(&x->out))
		atomic_store(&x->connected, false);
	return n;
}

void duplex_want(struct chardev *c, size_t input, bool output)
{
	struct duplex *x = c->state;

	reader_want(&x->in, input);
	if (output && atomic_load(&x->connected))
		writer_want(&x->out);
}

bool duplex_connected(struct chardev *c) { return atomic_load(&((struct duplex *)c->state)->connected); }
