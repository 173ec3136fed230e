/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host events: one main thread waits for file descriptors and timers.
 *
 * Everything here but loop_run may be called from any thread. Callbacks run on
 * the main thread; with @lock given, it is held around the callback (a device's
 * own lock, so that device code contains none).
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <pthread.h>
#include <vmm/types.h>

struct loop;
struct loop_fd;

struct loop *loop_new(void);
void loop_free(struct loop *l);

/* Runs until loop_stop() (also one before it); returns the value given there, of several the first. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int value);

/* CLOCK_MONOTONIC, ns. */
uint64_t loop_now_ns(void);

/*
 * @events as for epoll (EPOLLIN, EPOLLOUT). The fd stays the caller's. NULL if the host
 * refuses. What cannot be waited for (regular files, /dev/null) counts as always ready.
 */
struct loop_fd *loop_add_fd(struct loop *l, int fd, uint32_t events, pthread_mutex_t *lock,
			    void (*fn)(void *opaque, uint32_t events), void *opaque);
void loop_mod_fd(struct loop_fd *f, uint32_t events);
/* After it returns no callback of @f runs or will run, unless called from that callback itself. */
void loop_del_fd(struct loop_fd *f);

/* One-shot timers, owned by the caller; a timer must be cancelled before its memory goes. */
struct loop_timer {
	struct loop *loop;
	pthread_mutex_t *lock;
	void (*fn)(void *opaque);
	void *opaque;
	uint64_t deadline_ns;   /* CLOCK_MONOTONIC; UINT64_MAX: not armed */
	int heap_index;         /* private to loop.c; -1: not armed */
};

void loop_timer_init(struct loop_timer *t, struct loop *l, pthread_mutex_t *lock,
		     void (*fn)(void *opaque), void *opaque);
/*
 * (Re)arms for @deadline_ns; UINT64_MAX disarms. Cheap when the deadline moves later: no
 * wake-up. After disarming with @lock held or on the main thread, fn does not run any
 * more; otherwise it may just be running.
 */
void loop_timer_arm(struct loop_timer *t, uint64_t deadline_ns);

#endif
