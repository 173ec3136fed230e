/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests of a device to the layers of its disk.
 *
 *   disk_submit() -> at once, if nothing has to be waited for
 *                 -> the topmost layer's engine, or a worker -> finished list -> r->done
 *
 * Who finishes a request and finds the list empty takes the owner's lock and delivers the
 * list; who comes meanwhile only adds to it. So completions come in bursts when there are
 * many, without a thread between when there is one.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vmm/disk.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>

#define THREADS_DEFAULT  16
#define AT_ONCE_BYTES    (4 * MIB) /* more keeps a vCPU for milliseconds */
#define LOCK_PATIENCE_NS 1000000
#define ZEROES_BYTES     (64 * KIB)
#define LOOK_NS          NSEC_PER_SEC /* how often the size is looked at */
#define SAY_AGAIN_NS     (60 * NSEC_PER_SEC)
/* How long a reset or the end waits without anything being done. Flushes may take as long as a disk is slow. */
#define DRAIN_NS       (10 * NSEC_PER_SEC)
#define DRAIN_FLUSH_NS (60 * NSEC_PER_SEC)

struct queue {
	struct disk_req *first, **last;
};

struct disk {
	struct disk_layer *top;
	struct disk_owner owner;
	const char *said;
	struct disk_info info;
	struct loop_timer look;
	/* With the owner's lock. */
	unsigned flying;  /* submitted, and not delivered */
	unsigned flushes; /* of them */
	bool dirty;       /* there is something to flush */
	bool closing;     /* the guest is no more */
	struct {
		int err; /* that was said last */
		uint64_t ns;
	} said_of[DISK_WRITE_ZEROES + 1];
	/* With @mutex, the innermost lock. */
	pthread_mutex_t mutex;
	pthread_cond_t work, done;
	struct queue todo, finished;
	unsigned threads, idle, threads_max;
	unsigned waiting; /* of todo: who is idle may not have noticed yet */
	bool stop;
	atomic_bool draining; /* the owner waits, with his lock */
	pthread_t thread[DISK_THREADS_MAX];
};

static void queue_init(struct queue *q) { *q = (struct queue){ .last = &q->first }; }

static void queue_add(struct queue *q, struct disk_req *r)
{
	r->next = NULL;
	*q->last = r;
	q->last = &r->next;
}

static struct disk_req *queue_take_all(struct queue *q)
{
	struct disk_req *r = q->first;

	queue_init(q);
	return r;
}

static struct disk_req *queue_take(struct queue *q)
{
	struct disk_req *r = q->first;

	q->first = r->next;
	if (!q->first)
		queue_init(q);
	return r;
}

/* ---- One request, waiting ---- */

static int zeroes_by_hand(struct disk *d, uint64_t offset, uint64_t bytes)
{
	static uint8_t zeroes[ZEROES_BYTES];
	int err = 0;

	for (uint64_t n; bytes && !err; offset += n, bytes -= n) {
		struct iovec iov = { zeroes, bytes < sizeof(zeroes) ? bytes : sizeof(zeroes) };

		n = iov.iov_len;
		err = d->top->type->write(d->top, offset, &iov, 1, 0);
	}
	return err;
}

static int perform(struct disk *d, const struct disk_req *r)
{
	const struct disk_layer_type *t = d->top->type;
	int err;

	switch (r->op) {
	case DISK_READ: return t->read(d->top, r->offset, r->iov, r->iov_count, 0);
	case DISK_WRITE: return t->write(d->top, r->offset, r->iov, r->iov_count, 0);
	case DISK_FLUSH: return t->flush ? t->flush(d->top) : 0;
	case DISK_DISCARD:
		err = t->discard ? t->discard(d->top, r->offset, r->bytes) : 0;
		return err == -EOPNOTSUPP ? 0 : err;
	case DISK_WRITE_ZEROES:
		err = t->write_zeroes ? t->write_zeroes(d->top, r->offset, r->bytes, r->unmap) : -EOPNOTSUPP;
		return err == -EOPNOTSUPP ? zeroes_by_hand(d, r->offset, r->bytes) : err;
	}
	return -EINVAL;
}

/* ---- Workers ---- */

static void *worker(void *opaque)
{
	struct disk *d = opaque;

	pthread_mutex_lock(&d->mutex);
	for (;;) {
		struct disk_req *r;
		int err;

		while (!d->todo.first && !d->stop) {
			d->idle++;
			pthread_cond_wait(&d->work, &d->mutex);
			d->idle--;
		}
		if (!d->todo.first)
			break;
		r = queue_take(&d->todo);
		d->waiting--;
		pthread_mutex_unlock(&d->mutex);
		err = perform(d, r);
		disk_done(r, err == -EAGAIN ? -EIO : err);
		pthread_mutex_lock(&d->mutex);
	}
	pthread_mutex_unlock(&d->mutex);
	return NULL;
}

/* False: there is no thread that could ever do it. */
static bool hand_over(struct disk *d, struct disk_req *r)
{
	bool ok = true;

	pthread_mutex_lock(&d->mutex);
	if (d->waiting >= d->idle && d->threads < d->threads_max &&
	    !pthread_create(&d->thread[d->threads], NULL, worker, d))
		d->threads++;
	ok = d->threads;
	if (ok) {
		queue_add(&d->todo, r);
		d->waiting++;
		pthread_cond_signal(&d->work);
	}
	pthread_mutex_unlock(&d->mutex);
	return ok;
}

static void stop_workers(struct disk *d)
{
	pthread_mutex_lock(&d->mutex);
	d->stop = true;
	pthread_cond_broadcast(&d->work);
	pthread_mutex_unlock(&d->mutex);
	for (unsigned i = 0; i < d->threads; i++)
		pthread_join(d->thread[i], NULL);
}

/* ---- Completion ---- */

static const char *op_text(enum disk_op op)
{
	static const char *const texts[] = { "read", "write", "flush", "discard", "write of zeroes" };

	return texts[op];
}

/* Of errors that go on and on the first of each kind is said, and then one a minute. */
static void say_error(struct disk *d, const struct disk_req *r)
{
	uint64_t now = loop_now_ns();
	char where[80] = "";

	if (!d->closing && d->said_of[r->op].err == r->result && now - d->said_of[r->op].ns < SAY_AGAIN_NS)
		return;
	d->said_of[r->op].err = r->result;
	d->said_of[r->op].ns = now;
	if (r->op != DISK_FLUSH)
		snprintf(where, sizeof(where), " of %" PRIu64 " bytes at %" PRIu64, r->bytes, r->offset);
	log_err(0, "%s: %s: %s%s: %s; %s%s", d->said, d->top->name, op_text(r->op), where, strerror(-r->result),
		d->closing ? "what was written last may be lost" : "the guest sees an I/O error",
		r->result == -ENOSPC ? "; make room where the file is" : "");
}

/* With the owner's lock. */
static void settle(struct disk *d, struct disk_req *r)
{
	if (r->op != DISK_READ && (r->op != DISK_FLUSH || r->result))
		d->dirty = true;
	if (r->result)
		say_error(d, r);
	free(r->bounce);
	r->bounce = NULL;
}

/* With the owner's lock. False: there was nothing. */
static bool deliver(struct disk *d)
{
	struct disk_req *r, *next;
	bool any;

	pthread_mutex_lock(&d->mutex);
	r = queue_take_all(&d->finished);
	pthread_mutex_unlock(&d->mutex);
	any = r;
	for (; r; r = next) {
		next = r->next;
		d->flying--;
		d->flushes -= r->op == DISK_FLUSH;
		settle(d, r);
		r->done(r);
	}
	return any;
}

/* Those that only waiting can do go to the workers. Returns the others. */
static struct disk_req *without_again(struct disk *d, struct disk_req *list)
{
	struct queue rest;
	struct disk_req *next;

	queue_init(&rest);
	for (struct disk_req *r = list; r; r = next) {
		next = r->next;
		if (r->result == -EAGAIN && hand_over(d, r))
			continue;
		if (r->result == -EAGAIN)
			r->result = perform(d, r);
		queue_add(&rest, r);
	}
	return rest.first;
}

/*
 * The owner's lock, unless he drains: then he takes the list himself, and waits for what only the thread that is
 * here may still do.
 */
static bool lock_owner(struct disk *d)
{
	for (;;) {
		struct timespec t;

		/* Not pthread_mutex_clocklock(), which thread sanitizers do not know. */
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += LOCK_PATIENCE_NS;
		if (t.tv_nsec >= (long)NSEC_PER_SEC) {
			t.tv_nsec -= (long)NSEC_PER_SEC;
			t.tv_sec++;
		}
		if (!pthread_mutex_timedlock(d->owner.lock, &t))
			return true;
		if (atomic_load(&d->draining))
			return false;
	}
}

void disk_done_all(struct disk_req *list)
{
	struct disk *d = list->disk;
	struct disk_req *next;
	bool first;

	list = without_again(d, list);
	if (!list)
		return;
	pthread_mutex_lock(&d->mutex);
	first = !d->finished.first;
	for (; list; list = next) {
		next = list->next;
		queue_add(&d->finished, list);
	}
	pthread_cond_signal(&d->done);
	pthread_mutex_unlock(&d->mutex);
	/* Whose was first delivers these, too. */
	if (!first || atomic_load(&d->draining) || !lock_owner(d))
		return;
	if (deliver(d) && d->owner.finished)
		d->owner.finished(d->owner.opaque);
	pthread_mutex_unlock(d->owner.lock);
}

void disk_done(struct disk_req *r, int result)
{
	r->result = result;
	r->next = NULL;
	disk_done_all(r);
}

/* ---- Submission ---- */

static bool inside(const struct disk *d, const struct disk_req *r)
{
	return r->offset <= d->info.bytes && r->bytes <= d->info.bytes - r->offset &&
	       !(r->offset % d->info.logical_bytes) && !(r->bytes % d->info.logical_bytes);
}

/*
 * Nobody said that this is no qcow2, and a guest that makes it one could have any file of the host read at the next
 * start. The first sector is written from a copy, which the guest cannot change after it has been looked at.
 */
static int guard(struct disk *d, struct disk_req *r)
{
	struct {
		uint8_t head[DISK_SECTOR_BYTES];
		struct iovec iov[];
	} *copy = malloc(sizeof(*copy) + (r->iov_count + 1) * sizeof(copy->iov[0]));
	size_t have = 0;
	unsigned i = 0;

	if (!copy)
		return -ENOMEM;
	memcpy(copy->iov + 1, r->iov, r->iov_count * sizeof(copy->iov[0]));
	copy->iov[0] = (struct iovec){ copy->head, sizeof(copy->head) };
	while (have < sizeof(copy->head)) {
		struct iovec *v = &copy->iov[++i];
		size_t n = v->iov_len < sizeof(copy->head) - have ? v->iov_len : sizeof(copy->head) - have;

		memcpy(copy->head + have, v->iov_base, n);
		v->iov_base = (char *)v->iov_base + n;
		v->iov_len -= n;
		have += n;
	}
	r->bounce = copy;
	r->iov = copy->iov;
	r->iov_count++;
	for (unsigned t = 0; disk_layer_type_at(t); t++)
		if (disk_layer_type_at(t)->probe && disk_layer_type_at(t)->probe(copy->head, sizeof(copy->head))) {
			log_guest("%s: %s: the guest makes it look like %s, which is refused as nobody named its "
				  "format; say format=raw",
				  d->said, d->top->name, disk_layer_type_at(t)->name);
			return -EPERM;
		}
	return 0;
}

static int check(struct disk *d, struct disk_req *r)
{
	if (r->op == DISK_FLUSH)
		return 0;
	if (!inside(d, r))
		return -EINVAL;
	if (r->op != DISK_READ && d->info.readonly)
		return -EROFS;
	return r->op == DISK_WRITE && !r->offset && r->bytes && d->top->guessed && !strcmp(d->top->type->name, "raw")
		       ? guard(d, r)
		       : 0;
}

/* -EAGAIN: that has to wait. */
static int at_once(struct disk *d, struct disk_req *r)
{
	const struct disk_layer_type *t = d->top->type;

	if (!r->bytes && r->op != DISK_FLUSH)
		return 0; /* not every server would agree */
	switch (r->op) {
	case DISK_FLUSH: return d->dirty || d->flushes ? -EAGAIN : 0;
	case DISK_READ:
		return r->bytes > AT_ONCE_BYTES ? -EAGAIN
						: t->read(d->top, r->offset, r->iov, r->iov_count, DISK_NOWAIT);
	case DISK_WRITE:
		return r->bytes > AT_ONCE_BYTES ? -EAGAIN
						: t->write(d->top, r->offset, r->iov, r->iov_count, DISK_NOWAIT);
	default: return -EAGAIN;
	}
}

/* False: it is done already, for want of a thread. */
static bool start(struct disk *d, struct disk_req *r)
{
	const struct disk_layer_type *t = d->top->type;

	if (r->op == DISK_FLUSH)
		d->dirty = false;
	if ((r->op == DISK_READ || r->op == DISK_WRITE) && t->submit && !t->submit(d->top, r))
		goto flying;
	if (!hand_over(d, r)) {
		r->result = perform(d, r);
		return false;
	}
flying:
	d->flying++;
	d->flushes += r->op == DISK_FLUSH;
	return true;
}

bool disk_submit(struct disk *d, struct disk_req *r)
{
	r->disk = d;
	r->bounce = NULL;
	r->result = check(d, r);
	if (r->result) { /* the guest's mistake: none of the disk's, and not said as one */
		free(r->bounce);
		return true;
	}
	r->result = at_once(d, r);
	if (r->result == -EAGAIN && start(d, r))
		return false;
	settle(d, r);
	return true;
}

void disk_kick(struct disk *d)
{
	if (d->flying && d->top->type->kick)
		d->top->type->kick(d->top);
}

/* False: nothing was, for too long. */
static bool wait_finished(struct disk *d)
{
	const uint64_t ns = d->flushes ? DRAIN_FLUSH_NS : DRAIN_NS;
	struct timespec end;
	int err = 0;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += (time_t)(ns / NSEC_PER_SEC);
	pthread_mutex_lock(&d->mutex);
	while (!d->finished.first && !err)
		err = pthread_cond_timedwait(&d->done, &d->mutex, &end);
	pthread_mutex_unlock(&d->mutex);
	return !err;
}

void disk_drain(struct disk *d)
{
	disk_kick(d);
	atomic_store(&d->draining, true);
	while (d->flying) {
		if (!wait_finished(d))
			disk_layer_give_up(d->top);
		deliver(d);
		disk_kick(d);
	}
	atomic_store(&d->draining, false);
}

/* ---- Its size ---- */

void disk_look(struct disk *d)
{
	if (!d->top->type->resized || !d->top->type->resized(d->top))
		return;
	d->info.bytes = d->top->info.bytes;
	if (d->owner.resized)
		d->owner.resized(d->owner.opaque);
}

static void look_now_and_then(void *opaque)
{
	struct disk *d = opaque;

	disk_look(d);
	loop_timer_arm(&d->look, loop_now_ns() + LOOK_NS);
}

void disk_info(const struct disk *d, struct disk_info *info) { *info = d->info; }

/* ---- Opening ---- */

static int open_layers(const struct disk_config *cfg, struct disk_layer **top)
{
	if (cfg->snapshot && cfg->overlay)
		return log_err(-EINVAL,
			       "%s: snapshot=on and overlay=%s: writes can go to one place only; leave one out",
			       cfg->said, cfg->overlay);
	if (!cfg->snapshot && !cfg->overlay)
		return disk_layer_open(cfg->file, cfg->format, cfg, top);
	if (!disk_layer_type_find("overlay"))
		return log_err(-EINVAL, "%s: this vmm was built without overlays; leave out %s", cfg->said,
			       cfg->snapshot ? "snapshot" : "overlay");
	return disk_layer_open(cfg->file, "overlay", cfg, top);
}

int disk_open(const struct disk_config *cfg, struct loop *l, const struct disk_owner *owner, struct disk **disk)
{
	struct disk *d = calloc(1, sizeof(*d));
	int err;

	*disk = NULL;
	if (!d)
		return -ENOMEM;
	err = open_layers(cfg, &d->top);
	if (err) {
		free(d);
		return err;
	}
	d->owner = *owner;
	d->said = cfg->said;
	d->info = d->top->info;
	d->dirty =
		!d->info.readonly; /* who wrote it before may not have flushed it, and the guest reads it as stable */
	d->threads_max =
		cfg->threads ? cfg->threads < DISK_THREADS_MAX ? cfg->threads : DISK_THREADS_MAX : THREADS_DEFAULT;
	pthread_mutex_init(&d->mutex, NULL);
	pthread_cond_init(&d->work, NULL);
	pthread_cond_init(&d->done, NULL);
	queue_init(&d->todo);
	queue_init(&d->finished);
	if (l && d->top->type->resized) {
		loop_timer_init(&d->look, l, owner->lock, look_now_and_then, d);
		loop_timer_arm(&d->look, loop_now_ns() + LOOK_NS);
	}
	*disk = d;
	return 0;
}

static void closed(struct disk_req *r) { (void)r; }

void disk_close(struct disk *d)
{
	struct disk_req last = { .op = DISK_FLUSH, .done = closed };

	if (!d)
		return;
	pthread_mutex_lock(d->owner.lock);
	disk_drain(d);
	d->closing = true;
	if (!disk_submit(d, &last))
		disk_drain(d);
	if (d->look.loop)
		loop_timer_arm(&d->look, UINT64_MAX);
	pthread_mutex_unlock(d->owner.lock);
	stop_workers(d);
	disk_layer_close(d->top);
	pthread_cond_destroy(&d->done);
	pthread_cond_destroy(&d->work);
	pthread_mutex_destroy(&d->mutex);
	free(d);
}
