/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoll, an eventfd to wake it, and a heap of timers.
 *
 * A callback runs with its owner's lock held. The loop takes that lock with
 * trylock while it holds its own, and comes back a moment later if it is
 * busy: so there is no instant at which the loop waits for a lock whose owner
 * may just be deleting the callback, and the order of locks is device, loop.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>

#define EVENTS_PER_WAIT 16
#define BUSY_PAUSE_NS   20000

struct loop_fd {
	struct loop *loop;
	struct loop_fd *next; /* in loop->fds or loop->dead */
	pthread_mutex_t *lock;
	void (*fn)(void *opaque, uint32_t events);
	void *opaque;
	int fd;
	uint32_t events;
	bool always_ready; /* epoll refuses regular files: they never block */
	bool dead;
};

struct loop {
	pthread_mutex_t lock;
	pthread_cond_t idle; /* running became NULL */
	int epoll_fd, wake_fd;
	struct loop_fd *fds, *dead;
	struct loop_fd *running; /* its callback is running */
	pthread_t thread;        /* of loop_run */
	bool in_run, stop;
	int stop_value;
	unsigned always_ready_count;

	struct loop_timer **heap;
	unsigned heap_count, heap_room;
	uint64_t sleeps_until_ns; /* 0: awake, will look at the heap by itself */
};

uint64_t loop_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));
	struct epoll_event e = { .events = EPOLLIN };

	if (!l)
		return NULL;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epoll_fd < 0 || l->wake_fd < 0 || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->wake_fd, &e)) {
		log_err(0, "event loop: the host refuses epoll or eventfd (too many open files?)");
		close(l->epoll_fd);
		close(l->wake_fd);
		free(l);
		return NULL;
	}
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->idle, NULL);
	return l;
}

static void free_list(struct loop_fd **list)
{
	while (*list) {
		struct loop_fd *f = *list;

		*list = f->next;
		free(f);
	}
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	free_list(&l->fds);
	free_list(&l->dead);
	free(l->heap);
	close(l->epoll_fd);
	close(l->wake_fd);
	pthread_cond_destroy(&l->idle);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static bool on_loop_thread(const struct loop *l) { return l->in_run && pthread_equal(l->thread, pthread_self()); }

static void wake(struct loop *l)
{
	uint64_t one = 1;
	ssize_t n = write(l->wake_fd, &one, sizeof(one));

	(void)n; /* EAGAIN: it is awake already */
}

/* ---- File descriptors ---- */

struct loop_fd *loop_add_fd(struct loop *l, int fd, uint32_t events, pthread_mutex_t *lock,
			    void (*fn)(void *opaque, uint32_t events), void *opaque)
{
	struct loop_fd *f = calloc(1, sizeof(*f));
	struct epoll_event e = { .events = events, .data.ptr = f };

	if (!f)
		return NULL;
	*f = (struct loop_fd){ .loop = l, .lock = lock, .fn = fn, .opaque = opaque, .fd = fd, .events = events };
	pthread_mutex_lock(&l->lock);
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &e)) {
		if (errno != EPERM) {
			pthread_mutex_unlock(&l->lock);
			free(f);
			return NULL;
		}
		f->always_ready = true;
		l->always_ready_count++;
		wake(l);
	}
	f->next = l->fds;
	l->fds = f;
	pthread_mutex_unlock(&l->lock);
	return f;
}

void loop_mod_fd(struct loop_fd *f, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = f };
	struct loop *l = f->loop;

	pthread_mutex_lock(&l->lock);
	f->events = events;
	if (!f->always_ready)
		epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, f->fd, &e);
	else if (events)
		wake(l);
	pthread_mutex_unlock(&l->lock);
}

void loop_del_fd(struct loop_fd *f)
{
	struct loop *l;
	struct loop_fd **p;

	if (!f)
		return;
	l = f->loop;
	pthread_mutex_lock(&l->lock);
	if (f->always_ready)
		l->always_ready_count--;
	else
		epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, f->fd, NULL);
	f->dead = true;
	/* Freed by the loop: the batch of events it is working on may still name it. */
	for (p = &l->fds; *p != f; p = &(*p)->next)
		;
	*p = f->next;
	f->next = l->dead;
	l->dead = f;
	while (l->running == f && !on_loop_thread(l))
		pthread_cond_wait(&l->idle, &l->lock);
	pthread_mutex_unlock(&l->lock);
}

/* With l->lock held, which is dropped for the callback. False: the owner's lock is busy. */
static bool dispatch_fd(struct loop *l, struct loop_fd *f, uint32_t events)
{
	if (f->dead || !(events & (f->events | EPOLLERR | EPOLLHUP)))
		return true;
	if (f->lock && pthread_mutex_trylock(f->lock))
		return false;
	l->running = f;
	pthread_mutex_unlock(&l->lock);
	f->fn(f->opaque, events);
	if (f->lock)
		pthread_mutex_unlock(f->lock);
	pthread_mutex_lock(&l->lock);
	l->running = NULL;
	pthread_cond_broadcast(&l->idle);
	return true;
}

/* The list may change under a callback; who is added meanwhile comes in the next turn. */
static bool dispatch_always_ready(struct loop *l)
{
	struct loop_fd *f = l->fds, *next;
	bool ok = true;

	for (; f && l->always_ready_count; f = next) {
		if (f->always_ready && f->events)
			ok &= dispatch_fd(l, f, f->events);
		/* A callback that deleted f moved it to the dead list: start over next turn. */
		next = f->dead ? NULL : f->next;
	}
	return ok;
}

/* ---- Timers: a binary heap by deadline ---- */

static void heap_put(struct loop *l, unsigned i, struct loop_timer *t)
{
	l->heap[i] = t;
	t->heap_index = (int)i;
}

static void sift(struct loop *l, unsigned i)
{
	struct loop_timer *t = l->heap[i];

	for (unsigned up; i && l->heap[up = (i - 1) / 2]->deadline_ns > t->deadline_ns; i = up)
		heap_put(l, i, l->heap[up]);
	for (unsigned down; (down = 2 * i + 1) < l->heap_count; i = down) {
		if (down + 1 < l->heap_count && l->heap[down + 1]->deadline_ns < l->heap[down]->deadline_ns)
			down++;
		if (l->heap[down]->deadline_ns >= t->deadline_ns)
			break;
		heap_put(l, i, l->heap[down]);
	}
	heap_put(l, i, t);
}

static void heap_remove(struct loop *l, struct loop_timer *t)
{
	unsigned i = (unsigned)t->heap_index;
	struct loop_timer *last = l->heap[--l->heap_count];

	t->heap_index = -1;
	if (last == t)
		return;
	heap_put(l, i, last);
	sift(l, i);
}

static void heap_insert(struct loop *l, struct loop_timer *t)
{
	if (l->heap_count == l->heap_room) {
		unsigned room = l->heap_room ? 2 * l->heap_room : 64;
		struct loop_timer **grown = realloc(l->heap, room * sizeof(*grown));

		CHECK(grown); /* a few hundred timers at most */
		l->heap = grown;
		l->heap_room = room;
	}
	heap_put(l, l->heap_count++, t);
	sift(l, l->heap_count - 1);
}

void loop_timer_init(struct loop_timer *t, struct loop *l, pthread_mutex_t *lock, void (*fn)(void *opaque),
		     void *opaque)
{
	*t = (struct loop_timer){
		.loop = l,
		.lock = lock,
		.fn = fn,
		.opaque = opaque,
		.deadline_ns = UINT64_MAX,
		.heap_index = -1,
	};
}

void loop_timer_arm(struct loop_timer *t, uint64_t deadline_ns)
{
	struct loop *l = t->loop;
	bool earlier;

	pthread_mutex_lock(&l->lock);
	t->deadline_ns = deadline_ns;
	if (deadline_ns == UINT64_MAX) {
		if (t->heap_index >= 0)
			heap_remove(l, t);
	} else if (t->heap_index >= 0) {
		sift(l, (unsigned)t->heap_index);
	} else {
		heap_insert(l, t);
	}
	earlier = deadline_ns < l->sleeps_until_ns;
	if (earlier)
		l->sleeps_until_ns = deadline_ns;
	pthread_mutex_unlock(&l->lock);
	if (earlier)
		wake(l);
}

/* Fires what is due. With l->lock held. False: a lock was busy. */
static bool dispatch_timers(struct loop *l)
{
	uint64_t now = loop_now_ns();

	while (l->heap_count && l->heap[0]->deadline_ns <= now) {
		struct loop_timer *t = l->heap[0];
		pthread_mutex_t *lock = t->lock;

		if (lock && pthread_mutex_trylock(lock))
			return false;
		heap_remove(l, t);
		t->deadline_ns = UINT64_MAX;
		pthread_mutex_unlock(&l->lock);
		t->fn(t->opaque); /* may free t if it has no lock */
		if (lock)
			pthread_mutex_unlock(lock);
		pthread_mutex_lock(&l->lock);
	}
	return true;
}

/* ---- The loop ---- */

void loop_stop(struct loop *l, int value)
{
	pthread_mutex_lock(&l->lock);
	if (!l->stop) {
		l->stop = true;
		l->stop_value = value;
	}
	pthread_mutex_unlock(&l->lock);
	wake(l);
}

static int wait_until(struct loop *l, struct epoll_event *events, uint64_t until_ns)
{
	uint64_t now = loop_now_ns(), left = until_ns > now ? until_ns - now : 0;
	struct timespec t = { (time_t)(left / NSEC_PER_SEC), (long)(left % NSEC_PER_SEC) };
	int n = epoll_pwait2(l->epoll_fd, events, EVENTS_PER_WAIT, until_ns == UINT64_MAX ? NULL : &t, NULL);

	/* Before Linux 5.11, or refused by a filter that does not know it: milliseconds, rounded up. */
	if (n < 0 && (errno == ENOSYS || errno == EPERM)) {
		uint64_t ms = left / 1000000 + 1;

		n = epoll_wait(l->epoll_fd, events, EVENTS_PER_WAIT,
			       until_ns == UINT64_MAX ? -1
			       : ms > 1000000         ? 1000000
						      : (int)ms);
	}
	return n < 0 ? 0 : n;
}

static uint64_t sleep_until(struct loop *l)
{
	for (struct loop_fd *f = l->always_ready_count ? l->fds : NULL; f; f = f->next)
		if (f->always_ready && f->events)
			return 1;
	return l->heap_count ? l->heap[0]->deadline_ns : UINT64_MAX;
}

static void drain_wake(struct loop *l)
{
	uint64_t count;
	ssize_t n = read(l->wake_fd, &count, sizeof(count));

	(void)n;
}

/* Waits, then calls who has something to do. With l->lock held. False: an owner's lock was busy. */
static bool turn(struct loop *l)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	uint64_t until = sleep_until(l);
	bool ok = true;
	int n;

	/* Deleted before this wait, so no batch can name them any more. */
	free_list(&l->dead);
	l->sleeps_until_ns = until;
	pthread_mutex_unlock(&l->lock);
	n = wait_until(l, events, until);
	pthread_mutex_lock(&l->lock);
	l->sleeps_until_ns = 0;
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr)
			ok &= dispatch_fd(l, events[i].data.ptr, events[i].events);
		else
			drain_wake(l);
	}
	ok &= dispatch_always_ready(l);
	ok &= dispatch_timers(l);
	return ok;
}

int loop_run(struct loop *l)
{
	const struct timespec pause = { 0, BUSY_PAUSE_NS };
	int value;

	/* Linux lets a sleep be 50 us longer than asked, which is more than a guest waits for a packet. */
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	pthread_mutex_lock(&l->lock);
	l->thread = pthread_self();
	l->in_run = true;
	/* One turn even if told to stop already: who is always stopped must not starve timers and signals. */
	do {
		if (turn(l))
			continue;
		pthread_mutex_unlock(&l->lock);
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&l->lock);
	} while (!l->stop);
	l->in_run = l->stop = false;
	value = l->stop_value;
	pthread_mutex_unlock(&l->lock);
	return value;
}
