/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk that a server has: NBD, by libnbd.
 *
 *   submit(), read() ... -> waiting -> one thread: libnbd, many requests under way -> done
 *
 * Only that thread touches the connection. When the server goes away, what was under way waits again, and the
 * server is looked for each second. Requests wait HOLD_NS for it; then they fail, and all that come fail at
 * once, until it is back: the guest gets I/O errors, as from a disk that was pulled out, and may go on later.
 *
 * What comes back may be another process than what went, and nothing in the protocol tells: writes that were answered
 * and not flushed may be gone. The next flush fails then, though the server would be glad to do it.
 *
 * libnbd is loaded by the first who needs it, with what it brings along (GnuTLS, libxml2).
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <libnbd.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vmm/disk.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>

#define HOLD_NS     (3 * NSEC_PER_SEC)
#define AGAIN_NS    NSEC_PER_SEC
#define SENT_MAX    3 /* times a request is sent to servers that go away */
#define CONNECT_NS  (10 * NSEC_PER_SEC)
#define REQUEST_MAX (32 * MIB) /* what servers take that do not say */
#define RANGE_MAX   GIB        /* of a trim: a length has 32 bits */
#define PIECE_BYTES (4 * MIB)  /* of a request that is copied, and waited for */
#define COPIED_MAX  (64 * MIB) /* in flight and not waited for: a guest can ask for any sum it likes */

/* ---- The library ---- */

static struct {
	__typeof__(nbd_create) *create;
	__typeof__(nbd_close) *close;
	__typeof__(nbd_get_error) *get_error;
	__typeof__(nbd_get_errno) *get_errno;
	__typeof__(nbd_set_uri_allow_local_file) *set_uri_allow_local_file;
	__typeof__(nbd_aio_connect_uri) *aio_connect_uri;
	__typeof__(nbd_aio_get_fd) *aio_get_fd;
	__typeof__(nbd_aio_get_direction) *aio_get_direction;
	__typeof__(nbd_aio_notify_read) *aio_notify_read;
	__typeof__(nbd_aio_notify_write) *aio_notify_write;
	__typeof__(nbd_aio_is_ready) *aio_is_ready;
	__typeof__(nbd_aio_is_dead) *aio_is_dead;
	__typeof__(nbd_aio_is_closed) *aio_is_closed;
	__typeof__(nbd_get_size) *get_size;
	__typeof__(nbd_get_block_size) *get_block_size;
	__typeof__(nbd_is_read_only) *is_read_only;
	__typeof__(nbd_can_flush) *can_flush;
	__typeof__(nbd_can_trim) *can_trim;
	__typeof__(nbd_can_zero) *can_zero;
	__typeof__(nbd_aio_pread) *aio_pread;
	__typeof__(nbd_aio_pwrite) *aio_pwrite;
	__typeof__(nbd_aio_flush) *aio_flush;
	__typeof__(nbd_aio_trim) *aio_trim;
	__typeof__(nbd_aio_zero) *aio_zero;
	const char *error; /* NULL: all of it is there */
} lib;

static const struct {
	void *function; /* a pointer to one */
	const char *name;
} functions[] = {
	{ &lib.create, "nbd_create" },
	{ &lib.close, "nbd_close" },
	{ &lib.get_error, "nbd_get_error" },
	{ &lib.get_errno, "nbd_get_errno" },
	{ &lib.set_uri_allow_local_file, "nbd_set_uri_allow_local_file" },
	{ &lib.aio_connect_uri, "nbd_aio_connect_uri" },
	{ &lib.aio_get_fd, "nbd_aio_get_fd" },
	{ &lib.aio_get_direction, "nbd_aio_get_direction" },
	{ &lib.aio_notify_read, "nbd_aio_notify_read" },
	{ &lib.aio_notify_write, "nbd_aio_notify_write" },
	{ &lib.aio_is_ready, "nbd_aio_is_ready" },
	{ &lib.aio_is_dead, "nbd_aio_is_dead" },
	{ &lib.aio_is_closed, "nbd_aio_is_closed" },
	{ &lib.get_size, "nbd_get_size" },
	{ &lib.get_block_size, "nbd_get_block_size" },
	{ &lib.is_read_only, "nbd_is_read_only" },
	{ &lib.can_flush, "nbd_can_flush" },
	{ &lib.can_trim, "nbd_can_trim" },
	{ &lib.can_zero, "nbd_can_zero" },
	{ &lib.aio_pread, "nbd_aio_pread" },
	{ &lib.aio_pwrite, "nbd_aio_pwrite" },
	{ &lib.aio_flush, "nbd_aio_flush" },
	{ &lib.aio_trim, "nbd_aio_trim" },
	{ &lib.aio_zero, "nbd_aio_zero" },
};

static void load_lib(void)
{
	void *handle = dlopen("libnbd.so.0", RTLD_LAZY | RTLD_LOCAL), *found;

	if (!handle)
		lib.error = "there is no libnbd.so.0";
	for (unsigned i = 0; handle && i < ARRAY_SIZE(functions); i++) {
		found = dlsym(handle, functions[i].name);
		memcpy(functions[i].function, &found, sizeof(found));
		if (!found)
			lib.error = "libnbd.so.0 is too old";
	}
}

static int need_lib(const char *name, const struct disk_config *cfg)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load_lib);
	return lib.error ? log_err(-ENOSYS, "%s: %s: %s; apt install libnbd0", cfg->said, name, lib.error) : 0;
}

/* ---- Requests ---- */

enum call_op { CALL_READ, CALL_WRITE, CALL_FLUSH, CALL_TRIM, CALL_ZERO };

struct nbd;

struct call {
	struct nbd *n;
	enum call_op op;
	uint64_t offset, bytes;
	bool no_hole;
	const struct iovec *iov;
	unsigned iov_count;
	uint8_t *data; /* of iov, or a copy */
	bool copied;
	struct disk_req *r; /* NULL: somebody waits for @done */
	bool done;
	int result;
	bool replied;    /* with @error */
	int error;       /* an errno */
	unsigned sent;   /* times */
	uint64_t before; /* FLUSH: writes that were answered before it was asked for */
	struct call *next;
};

struct calls {
	struct call *first, **last;
};

enum state { UP, CONNECTING, DOWN };

struct nbd {
	struct disk_layer *l;
	struct nbd_handle *h;
	pthread_t thread;
	int wake;
	uint64_t request_max;
	bool can_flush, can_trim, can_zero, server_readonly;
	bool below_format; /* what is lost may be an image's own tables */
	/* Writes that were answered; not counted where there is no flush, and nothing better can be had. */
	_Atomic uint64_t answered;
	atomic_bool given_up;          /* somebody cannot wait for what is under way */
	_Atomic uint64_t copied_bytes; /* bytes, of calls that nobody waits for */
	/* The thread's: */
	uint64_t stable;   /* of them: flushed, */
	uint64_t doubtful; /* had a server that went, though not all of them were stable, */
	uint64_t told;     /* are known not to be stable: a flush behind them has failed */
	enum state state;
	bool lost, said;
	const struct call *sending; /* what libnbd is just given: it may be gone when that returns */
	uint64_t up_ns;             /* since when there is a connection */
	uint64_t lost_ns, next_ns;  /* since when; when to try again, or to give an attempt up */
	struct disk_req *finished, **finished_last;
	/* With @lock: */
	pthread_mutex_t lock;
	pthread_cond_t some_done;
	struct calls waiting;
	bool stop;
};

static void calls_add(struct calls *q, struct call *c)
{
	c->next = NULL;
	*q->last = c;
	q->last = &c->next;
}

static void wake(struct nbd *n)
{
	uint64_t one = 1;

	while (write(n->wake, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static uint64_t iov_bytes(const struct iovec *iov, unsigned count)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

/* Between @data and @iov, which has as many bytes from its byte @at on. */
static void copy(const struct iovec *iov, uint64_t at, uint8_t *data, uint64_t bytes, bool from_iov)
{
	for (; bytes && at >= iov->iov_len; iov++)
		at -= iov->iov_len;
	for (uint64_t n; bytes; iov++, data += n, bytes -= n, at = 0) {
		uint8_t *base = (uint8_t *)iov->iov_base + at;

		n = iov->iov_len - at < bytes ? iov->iov_len - at : bytes;
		memcpy(from_iov ? data : base, from_iov ? base : data, n);
	}
}

/* libnbd wants its bytes in one piece. */
static int call_data(struct call *c)
{
	struct nbd *n = c->n;

	if (c->iov_count == 1) {
		c->data = c->iov[0].iov_base;
		return 0;
	}
	if (n->copied_bytes + c->bytes > COPIED_MAX)
		return -EAGAIN;
	c->data = malloc(c->bytes);
	if (!c->data)
		return -ENOMEM;
	c->copied = true;
	n->copied_bytes += c->bytes;
	if (c->op == CALL_WRITE)
		copy(c->iov, 0, c->data, c->bytes, true);
	return 0;
}

static void call_end_data(struct call *c)
{
	if (!c->copied)
		return;
	if (c->op == CALL_READ && !c->result)
		copy(c->iov, 0, c->data, c->bytes, false);
	free(c->data);
	c->n->copied_bytes -= c->bytes;
}

/* The thread's; before anybody knows of the answer. */
static void note_answer(struct nbd *n, const struct call *c)
{
	uint64_t *known = c->result ? &n->told : &n->stable;

	if (c->op == CALL_FLUSH && c->before > *known)
		*known = c->before;
	if ((c->op == CALL_WRITE || c->op == CALL_ZERO) && !c->result && n->can_flush)
		n->answered++;
}

/* The thread's. */
static void call_done(struct call *c, int result)
{
	struct nbd *n = c->n;

	c->result = result;
	note_answer(n, c);
	call_end_data(c);
	if (c->r) {
		c->r->result = result;
		c->r->next = NULL;
		*n->finished_last = c->r;
		n->finished_last = &c->r->next;
		free(c);
		return;
	}
	pthread_mutex_lock(&n->lock);
	c->done = true;
	pthread_cond_broadcast(&n->some_done);
	pthread_mutex_unlock(&n->lock);
}

static void deliver(struct nbd *n)
{
	struct disk_req *list = n->finished;

	n->finished = NULL;
	n->finished_last = &n->finished;
	if (list)
		disk_done_all(list);
}

/* ---- The connection; the thread's ---- */

static int replied(void *opaque, int *error)
{
	struct call *c = opaque;

	c->replied = true;
	c->error = *error;
	return 1;
}

/*
 * libnbd has done with it: behind replied(); without, when a connection is closed that had it under way; or it has
 * not taken it.
 */
static void retired(void *opaque)
{
	struct call *c = opaque;
	struct nbd *n = c->n;

	if (!c->replied && n->sending == c)
		return;
	/* No server says ENOTCONN, libnbd does; ESHUTDOWN is a server's last word. */
	if (c->replied && c->error != ENOTCONN && c->error != ESHUTDOWN)
		return call_done(c, -c->error);
	n->lost = true;
	/* It may be what the server dies of. */
	if (++c->sent >= SENT_MAX)
		return call_done(c, -EIO);
	pthread_mutex_lock(&n->lock);
	calls_add(&n->waiting, c);
	pthread_mutex_unlock(&n->lock);
}

static int64_t hand_to_lib(struct nbd *n, struct call *c)
{
	nbd_completion_callback then = { .callback = replied, .user_data = c, .free = retired };

	switch (c->op) {
	case CALL_READ: return lib.aio_pread(n->h, c->data, c->bytes, c->offset, then, 0);
	case CALL_WRITE: return lib.aio_pwrite(n->h, c->data, c->bytes, c->offset, then, 0);
	case CALL_FLUSH: return lib.aio_flush(n->h, then, 0);
	case CALL_TRIM: return lib.aio_trim(n->h, c->bytes, c->offset, then, 0);
	case CALL_ZERO:
		return lib.aio_zero(n->h, c->bytes, c->offset, then, c->no_hole ? LIBNBD_CMD_FLAG_NO_HOLE : 0);
	}
	return -1;
}

static bool send_call(struct nbd *n, struct call *c)
{
	bool sent;

	c->replied = false;
	n->sending = c;
	sent = hand_to_lib(n, c) >= 0;
	n->sending = NULL;
	return sent;
}

static bool is_gone(const struct nbd *n) { return lib.aio_is_dead(n->h) != 0 || lib.aio_is_closed(n->h) != 0; }

static struct call *take_waiting(struct nbd *n)
{
	struct call *list;

	pthread_mutex_lock(&n->lock);
	list = n->waiting.first;
	n->waiting.first = NULL;
	n->waiting.last = &n->waiting.first;
	pthread_mutex_unlock(&n->lock);
	return list;
}

/* A format goes on with what it has in memory of its tables: it has to read them again. */
static bool flushes_fail(const struct nbd *n) { return n->doubtful > n->told || (n->doubtful && n->below_format); }

static void send_waiting(struct nbd *n)
{
	/* All who wait have to know, not only the first. */
	const bool doubt = flushes_fail(n);
	struct call *next;

	for (struct call *c = take_waiting(n); c; c = next) {
		next = c->next;
		if (doubt && c->op == CALL_FLUSH) {
			call_done(c, -EIO);
			continue;
		}
		if (!n->lost && send_call(n, c))
			continue;
		if (!n->lost && !is_gone(n)) {
			call_done(c, lib.get_errno() ? -lib.get_errno() : -EIO);
			continue;
		}
		n->lost = true;
		pthread_mutex_lock(&n->lock);
		calls_add(&n->waiting, c);
		pthread_mutex_unlock(&n->lock);
	}
}

static void fail_waiting(struct nbd *n)
{
	struct call *next;

	for (struct call *c = take_waiting(n); c; c = next) {
		next = c->next;
		call_done(c, -EIO);
	}
}

/* A handle that is connecting, or NULL. */
static struct nbd_handle *begin_connect(const char *uri)
{
	struct nbd_handle *h = lib.create();

	if (!h)
		return NULL;
	/* The keys of TLS are files: the user names them in the URI, as the rest. */
	lib.set_uri_allow_local_file(h, true);
	if (!lib.aio_connect_uri(h, uri))
		return h;
	lib.close(h);
	return NULL;
}

/* Waits for the connection, @wake (-1: not) or @ms. */
static void wait_for(struct nbd_handle *h, int wake_fd, int ms)
{
	struct pollfd p[2] = { { .fd = -1 }, { .fd = wake_fd, .events = POLLIN } };
	unsigned direction = h ? lib.aio_get_direction(h) : 0;
	uint64_t count;

	p[0].fd = direction ? lib.aio_get_fd(h) : -1;
	if (direction & LIBNBD_AIO_DIRECTION_READ)
		p[0].events |= POLLIN;
	if (direction & LIBNBD_AIO_DIRECTION_WRITE)
		p[0].events |= POLLOUT;
	if (poll(p, 2, ms) <= 0)
		return;
	/* A connection that is reset is told by reading it. */
	if (p[0].revents & (POLLIN | POLLHUP | POLLERR) && direction & LIBNBD_AIO_DIRECTION_READ)
		lib.aio_notify_read(h);
	else if (p[0].revents & (POLLOUT | POLLHUP | POLLERR) && direction & LIBNBD_AIO_DIRECTION_WRITE)
		lib.aio_notify_write(h);
	if (p[1].revents && read(wake_fd, &count, sizeof(count)) < 0)
		return;
}

static void go_down(struct nbd *n)
{
	if (n->h)
		lib.close(n->h); /* gives back what was under way */
	n->h = NULL;
	n->state = DOWN;
	n->lost = false;
}

static void connection_lost(struct nbd *n, uint64_t now)
{
	log_warn("disk %s: the server %s; requests wait %u s for it and then fail, and it is looked for each second",
		 n->l->name, n->lost || is_gone(n) ? "is gone" : "does not answer",
		 (unsigned)(HOLD_NS / NSEC_PER_SEC));
	go_down(n);
	if (n->answered > n->stable)
		n->doubtful = n->answered;
	n->lost_ns = now;
	/* At once, but for a server that goes whenever it has come. */
	n->next_ns = n->up_ns + AGAIN_NS > now ? n->up_ns + AGAIN_NS : now;
	n->said = false;
}

/* Is it the disk that we had? */
static bool same_disk(struct nbd *n)
{
	int64_t bytes = lib.get_size(n->h);
	bool ok = bytes >= 0 && align_down((uint64_t)bytes, n->l->info.logical_bytes) == n->l->info.bytes &&
		  (n->l->info.readonly || lib.is_read_only(n->h) == 0);

	if (!ok && !n->said)
		log_err(0, "disk %s: the server is back with another disk (%" PRId64 " bytes%s): it is not used",
			n->l->name, bytes, lib.is_read_only(n->h) ? ", read-only" : "");
	n->said |= !ok;
	return ok;
}

static const char *what_is_lost(const struct nbd *n)
{
	if (!flushes_fail(n))
		return "";
	return n->below_format
		       ? "; writes that it had answered and not flushed may be lost: no flush succeeds until the "
			 "image is opened again"
		       : "; writes that it had answered and not flushed may be lost: the next flush fails, so that "
			 "the guest knows";
}

static void connected(struct nbd *n, uint64_t now)
{
	if (!same_disk(n)) {
		go_down(n);
		n->next_ns = now + AGAIN_NS;
		return;
	}
	log_warn("disk %s: the server is back%s", n->l->name, what_is_lost(n));
	n->state = UP;
	n->up_ns = now;
}

static void try_again(struct nbd *n, uint64_t now)
{
	n->h = begin_connect(n->l->name);
	n->state = n->h ? CONNECTING : DOWN;
	n->next_ns = now + (n->h ? CONNECT_NS : AGAIN_NS);
}

static void step(struct nbd *n)
{
	uint64_t now = loop_now_ns();
	bool given_up = atomic_exchange(&n->given_up, false);

	if (n->state == UP && (given_up || n->lost || is_gone(n)))
		connection_lost(n, now);
	if (n->state == DOWN && now >= n->next_ns)
		try_again(n, now);
	if (n->state == CONNECTING && lib.aio_is_ready(n->h) > 0) {
		connected(n, now);
	} else if (n->state == CONNECTING && (is_gone(n) || now >= n->next_ns)) {
		go_down(n);
		n->next_ns = now + AGAIN_NS;
	}
	if (n->state == UP)
		send_waiting(n);
	else if (now - n->lost_ns >= HOLD_NS)
		fail_waiting(n);
}

/* When there is something to do though nothing happens; ms, -1: never. */
static int patience(const struct nbd *n)
{
	uint64_t now = loop_now_ns(), next = n->next_ns;

	if (n->state == UP)
		return n->lost ? 0 : -1;
	if (now < n->lost_ns + HOLD_NS && n->lost_ns + HOLD_NS < next)
		next = n->lost_ns + HOLD_NS;
	return now < next ? (int)((next - now) / 1000000) + 1 : 0;
}

static bool stopping(struct nbd *n)
{
	bool stop;

	pthread_mutex_lock(&n->lock);
	stop = n->stop;
	pthread_mutex_unlock(&n->lock);
	return stop;
}

static void *nbd_thread(void *opaque)
{
	struct nbd *n = opaque;

	while (!stopping(n)) {
		step(n);
		deliver(n);
		wait_for(n->h, n->wake, patience(n));
		deliver(n);
	}
	return NULL;
}

/* ---- Operations ---- */

static int call_and_wait(struct nbd *n, struct call *c)
{
	c->n = n;
	c->before = n->answered;
	pthread_mutex_lock(&n->lock);
	calls_add(&n->waiting, c);
	wake(n);
	while (!c->done)
		pthread_cond_wait(&n->some_done, &n->lock);
	pthread_mutex_unlock(&n->lock);
	return c->result;
}

/* One that may be longer than a server takes at once, or than what is to be copied. */
static int transfer(struct nbd *n, enum call_op op, uint64_t offset, const struct iovec *iov, unsigned count)
{
	const uint64_t bytes = iov_bytes(iov, count);
	const uint64_t most = count == 1 || n->request_max < PIECE_BYTES ? n->request_max : PIECE_BYTES;
	uint8_t *piece = count == 1 ? NULL : malloc(bytes < most ? bytes : most);
	int err = count == 1 || piece ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < bytes && !err; at += most) {
		struct call c = { .op = op, .offset = offset + at, .bytes = bytes - at < most ? bytes - at : most };

		c.data = piece ? piece : (uint8_t *)iov->iov_base + at;
		if (piece && op == CALL_WRITE)
			copy(iov, at, piece, c.bytes, true);
		err = call_and_wait(n, &c);
		if (piece && op == CALL_READ && !err)
			copy(iov, at, piece, c.bytes, false);
	}
	free(piece);
	return err;
}

static int nbd_layer_read(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count,
			  unsigned flags)
{
	return flags & DISK_NOWAIT ? -EAGAIN : transfer(l->state, CALL_READ, offset, iov, count);
}

static int nbd_layer_write(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count,
			   unsigned flags)
{
	if (l->info.readonly)
		return -EROFS;
	return flags & DISK_NOWAIT ? -EAGAIN : transfer(l->state, CALL_WRITE, offset, iov, count);
}

static int nbd_layer_flush(struct disk_layer *l)
{
	struct nbd *n = l->state;
	struct call c = { .op = CALL_FLUSH };

	return n->can_flush && !l->info.readonly ? call_and_wait(n, &c) : 0;
}

static int for_range(struct nbd *n, enum call_op op, uint64_t offset, uint64_t bytes, bool no_hole)
{
	int err = 0;

	while (bytes && !err) {
		struct call c = {
			.op = op, .offset = offset, .bytes = bytes < RANGE_MAX ? bytes : RANGE_MAX, .no_hole = no_hole
		};

		err = call_and_wait(n, &c);
		offset += c.bytes;
		bytes -= c.bytes;
	}
	return err == -ENOTSUP ? -EOPNOTSUPP : err;
}

static int nbd_layer_discard(struct disk_layer *l, uint64_t offset, uint64_t bytes)
{
	struct nbd *n = l->state;

	return n->can_trim ? for_range(n, CALL_TRIM, offset, bytes, false) : -EOPNOTSUPP;
}

static int nbd_layer_write_zeroes(struct disk_layer *l, uint64_t offset, uint64_t bytes, bool unmap)
{
	struct nbd *n = l->state;

	return n->can_zero ? for_range(n, CALL_ZERO, offset, bytes, !unmap) : -EOPNOTSUPP;
}

static int nbd_layer_submit(struct disk_layer *l, struct disk_req *r)
{
	struct nbd *n = l->state;
	struct call *c;

	if (r->bytes > n->request_max || (r->op == DISK_WRITE && l->info.readonly))
		return -EAGAIN;
	c = malloc(sizeof(*c));
	if (!c)
		return -EAGAIN;
	*c = (struct call){ .n = n,
			    .op = r->op == DISK_WRITE ? CALL_WRITE : CALL_READ,
			    .offset = r->offset,
			    .bytes = r->bytes,
			    .iov = r->iov,
			    .iov_count = r->iov_count,
			    .r = r };
	if (call_data(c)) {
		free(c);
		return -EAGAIN;
	}
	pthread_mutex_lock(&n->lock);
	calls_add(&n->waiting, c);
	pthread_mutex_unlock(&n->lock);
	return 0;
}

static void nbd_layer_kick(struct disk_layer *l) { wake(l->state); }

static void nbd_layer_give_up(struct disk_layer *l)
{
	struct nbd *n = l->state;

	atomic_store(&n->given_up, true);
	wake(n);
}

/* ---- Life ---- */

static int connect_first(struct nbd *n, const char *name, const struct disk_config *cfg)
{
	uint64_t end = loop_now_ns() + CONNECT_NS, now;

	n->h = begin_connect(name);
	if (!n->h)
		return log_err(-ECONNREFUSED, "%s: %s: %s", cfg->said, name, lib.get_error());
	while (!lib.aio_is_ready(n->h) && !is_gone(n) && (now = loop_now_ns()) < end)
		wait_for(n->h, -1, (int)((end - now) / 1000000) + 1);
	if (lib.aio_is_ready(n->h) > 0)
		return 0;
	return log_err(-ECONNREFUSED, "%s: %s: no connection%s%s; is there a server, and has it this export?",
		       cfg->said, name, is_gone(n) ? ": " : " within 10 s",
		       is_gone(n) && lib.get_error() ? lib.get_error() : "");
}

static int64_t block_size(struct nbd *n, int type)
{
	int64_t v = lib.get_block_size(n->h, type);

	return v > 0 ? v : 0;
}

static uint32_t power_of_two(int64_t v, uint32_t least)
{
	return v > least && v <= 1 << 20 && !(v & (v - 1)) ? (uint32_t)v : least;
}

static int fill_info(struct nbd *n, const struct disk_config *cfg)
{
	int64_t bytes = lib.get_size(n->h), least = block_size(n, LIBNBD_SIZE_MINIMUM);
	int64_t most = block_size(n, LIBNBD_SIZE_MAXIMUM);
	struct disk_layer *l = n->l;

	n->can_flush = lib.can_flush(n->h) > 0;
	n->can_trim = lib.can_trim(n->h) > 0;
	n->can_zero = lib.can_zero(n->h) > 0;
	n->server_readonly = lib.is_read_only(n->h) != 0;
	n->request_max = most >= 4096 && most < (int64_t)REQUEST_MAX ? align_down((uint64_t)most, 4096) : REQUEST_MAX;
	if (least > 4096)
		return log_err(-EINVAL,
			       "%s: %s: the server wants blocks of %" PRId64 " bytes; 4096 at most are possible",
			       cfg->said, l->name, least);
	l->info = (struct disk_info){
		.logical_bytes = power_of_two(least, DISK_SECTOR_BYTES),
		.physical_bytes = power_of_two(block_size(n, LIBNBD_SIZE_PREFERRED), 4096),
		.readonly = cfg->readonly || n->server_readonly,
	};
	l->info.bytes = bytes > 0 ? align_down((uint64_t)bytes, l->info.logical_bytes) : 0;
	l->info.discard_bytes = n->can_trim && !l->info.readonly ? l->info.physical_bytes : 0;
	if (!l->info.bytes)
		return log_err(-EINVAL, "%s: %s: the export has %" PRId64 " bytes: that is no disk", cfg->said,
			       l->name, bytes);
	if (n->server_readonly && !cfg->readonly)
		log_warn("%s: %s: the export is read-only, and so is the disk; snapshot=on takes writes", cfg->said,
			 l->name);
	return 0;
}

static int start_thread(struct nbd *n)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&n->thread, NULL, nbd_thread, n);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

static void nbd_free(struct nbd *n)
{
	if (n->h)
		lib.close(n->h);
	if (n->wake >= 0)
		close(n->wake);
	pthread_mutex_destroy(&n->lock);
	pthread_cond_destroy(&n->some_done);
}

static int nbd_layer_open(struct disk_layer *l, const char *name, const struct disk_config *cfg)
{
	struct nbd *n = l->state;
	int err = need_lib(name, cfg);

	if (err)
		return err;
	n->l = l;
	n->below_format = cfg->above;
	n->waiting.last = &n->waiting.first;
	n->finished_last = &n->finished;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->some_done, NULL);
	n->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = n->wake < 0 ? -errno : connect_first(n, name, cfg);
	if (!err)
		err = fill_info(n, cfg);
	if (!err)
		err = start_thread(n);
	if (err)
		nbd_free(n);
	return err;
}

static void nbd_layer_close(struct disk_layer *l)
{
	struct nbd *n = l->state;

	pthread_mutex_lock(&n->lock);
	n->stop = true;
	wake(n);
	pthread_mutex_unlock(&n->lock);
	pthread_join(n->thread, NULL);
	nbd_free(n);
}

static const struct disk_layer_type nbd_type = {
	.name = "nbd",
	.help = "what an NBD server has: nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=PATH, nbds: with TLS; when the "
		"server goes, requests wait 3 s and then fail until it is back",
	.scheme = "nbd nbds",
	.state_bytes = sizeof(struct nbd),
	.open = nbd_layer_open,
	.close = nbd_layer_close,
	.read = nbd_layer_read,
	.write = nbd_layer_write,
	.flush = nbd_layer_flush,
	.discard = nbd_layer_discard,
	.write_zeroes = nbd_layer_write_zeroes,
	.submit = nbd_layer_submit,
	.kick = nbd_layer_kick,
	.give_up = nbd_layer_give_up,
};
DISK_LAYER(nbd, &nbd_type);
