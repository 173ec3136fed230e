/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring: who submits (a vCPU, with its device's lock) enters the kernel once for a burst;
 * a thread of ours sleeps in it until something is done. Linux cancels what a thread has in
 * flight that ends, and gives short counts: both are done again by a worker.
 */
#include <liburing.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <vmm/err.h>
#include "uring.h"

#define URING_ENTRIES 128

struct uring {
	struct io_uring ring;
	pthread_t reaper;
	atomic_uint flying; /* bounded, so that no completion overflows; orders submitter and reaper, too */
};

static int result_of(const struct disk_req *r, int res)
{
	if (res >= 0)
		return (uint64_t)res == r->bytes ? 0 : -EAGAIN;
	switch (res) {
	case -ECANCELED:
	case -EINTR:
	case -EINVAL:
	case -EOPNOTSUPP: return -EAGAIN;
	}
	return res;
}

/* False: somebody wants the thread to end. */
static bool reap(struct uring *u)
{
	struct disk_req *first = NULL, **last = &first;
	struct io_uring_cqe *cqes[URING_ENTRIES];
	unsigned count;
	bool go_on = true;

	if (io_uring_wait_cqe(&u->ring, &cqes[0]))
		return true; /* interrupted */
	/* What comes from here on is for the next time: those that are counted are those that are taken. */
	count = io_uring_peek_batch_cqe(&u->ring, cqes, ARRAY_SIZE(cqes));
	atomic_fetch_sub_explicit(&u->flying, count, memory_order_acq_rel);
	for (unsigned i = 0; i < count; i++) {
		struct disk_req *r = io_uring_cqe_get_data(cqes[i]);

		if (!r) {
			go_on = false;
			continue;
		}
		r->result = result_of(r, cqes[i]->res);
		r->next = NULL;
		*last = r;
		last = &r->next;
	}
	io_uring_cq_advance(&u->ring, count);
	if (first)
		disk_done_all(first);
	return go_on;
}

static void *reaper(void *opaque)
{
	while (reap(opaque))
		;
	return NULL;
}

struct uring *uring_new(void)
{
	struct uring *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	if (io_uring_queue_init(URING_ENTRIES, &u->ring, 0)) {
		free(u);
		return NULL;
	}
	/* A child would share the ring: it is none of its business. */
	io_uring_ring_dontfork(&u->ring);
	if (pthread_create(&u->reaper, NULL, reaper, u)) {
		io_uring_queue_exit(&u->ring);
		free(u);
		return NULL;
	}
	return u;
}

static struct io_uring_sqe *get_sqe(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (sqe)
		return sqe;
	uring_kick(u);
	return io_uring_get_sqe(&u->ring);
}

int uring_queue(struct uring *u, int fd, struct disk_req *r)
{
	struct io_uring_sqe *sqe;

	if (r->iov_count > IOV_MAX || atomic_load_explicit(&u->flying, memory_order_relaxed) >= URING_ENTRIES)
		return -EAGAIN;
	sqe = get_sqe(u);
	if (!sqe)
		return -EAGAIN;
	if (r->op == DISK_READ)
		io_uring_prep_readv(sqe, fd, r->iov, r->iov_count, r->offset);
	else
		io_uring_prep_writev(sqe, fd, r->iov, r->iov_count, r->offset);
	io_uring_sqe_set_data(sqe, r);
	atomic_fetch_add_explicit(&u->flying, 1, memory_order_acq_rel);
	return 0;
}

void uring_kick(struct uring *u)
{
	const struct timespec pause = { 0, 100000 };

	while (io_uring_sq_ready(&u->ring)) {
		int n = io_uring_submit(&u->ring);

		/* The kernel is short of memory, or behind: nothing else can happen to a ring that is set up. */
		CHECK(n >= 0 || n == -EAGAIN || n == -EBUSY || n == -EINTR || n == -ENOMEM);
		if (n <= 0)
			nanosleep(&pause, NULL);
	}
}

void uring_free(struct uring *u)
{
	struct io_uring_sqe *sqe;

	if (!u)
		return;
	sqe = get_sqe(u);
	CHECK(sqe);
	io_uring_prep_nop(sqe);
	io_uring_sqe_set_data(sqe, NULL);
	atomic_fetch_add_explicit(&u->flying, 1, memory_order_acq_rel);
	uring_kick(u);
	pthread_join(u->reaper, NULL);
	io_uring_queue_exit(&u->ring);
	free(u);
}
