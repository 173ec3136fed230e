/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <vmm/loop.h>

#define MS UINT64_C(1000000)

struct order {
	struct loop *loop;
	unsigned fired[16], count, stop_after;
};

struct named_timer {
	struct loop_timer t;
	struct order *order;
	unsigned name;
};

static void fire(void *opaque)
{
	struct named_timer *n = opaque;

	n->order->fired[n->order->count++] = n->name;
	if (n->order->count == n->order->stop_after)
		loop_stop(n->order->loop, 42);
}

static void timers_fire_in_order_of_deadline_and_not_early(void **state)
{
	struct order o = { .loop = loop_new(), .stop_after = 4 };
	struct named_timer n[6];
	uint64_t now = loop_now_ns();

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		n[i].order = &o;
		n[i].name = i;
		loop_timer_init(&n[i].t, o.loop, NULL, fire, &n[i]);
		loop_timer_arm(&n[i].t, now + (20 - 3 * i) * MS);
	}
	loop_timer_arm(&n[5].t, UINT64_MAX);    /* disarmed */
	loop_timer_arm(&n[4].t, now + 30 * MS); /* later */
	loop_timer_arm(&n[0].t, now + 1 * MS);  /* earlier */
	assert_int_equal(loop_run(o.loop), 42);
	assert_true(loop_now_ns() >= now + 17 * MS);
	assert_int_equal(o.fired[0], 0);
	assert_int_equal(o.fired[1], 3);
	assert_int_equal(o.fired[2], 2);
	assert_int_equal(o.fired[3], 1);
	assert_int_equal(n[1].t.heap_index, -1);
	loop_timer_arm(&n[4].t, UINT64_MAX);
	loop_free(o.loop);
}

struct threads {
	struct loop *loop;
	struct loop_timer t;
	pthread_mutex_t lock;
	unsigned fired; /* under lock: TSan watches */
	_Atomic bool stop;
};

static void count_locked(void *opaque) { ((struct threads *)opaque)->fired++; }

static void *arm_earlier(void *opaque)
{
	struct threads *t = opaque;

	nanosleep(&(struct timespec){ 0, 20 * MS }, NULL);
	loop_timer_arm(&t->t, loop_now_ns() + 5 * MS);
	return NULL;
}

static void stop_in_a_second(void *opaque) { loop_stop(((struct threads *)opaque)->loop, 1); }

static void an_earlier_deadline_from_another_thread_wakes_the_loop(void **state)
{
	struct threads t = { .loop = loop_new() };
	uint64_t start = loop_now_ns();
	pthread_t thread;

	(void)state;
	loop_timer_init(&t.t, t.loop, NULL, stop_in_a_second, &t);
	loop_timer_arm(&t.t, start + 60 * NSEC_PER_SEC);
	pthread_create(&thread, NULL, arm_earlier, &t);
	assert_int_equal(loop_run(t.loop), 1);
	assert_true(loop_now_ns() - start < 30 * NSEC_PER_SEC);
	pthread_join(thread, NULL);
	loop_free(t.loop);
}

static void *hammer(void *opaque)
{
	struct threads *t = opaque;

	while (!atomic_load(&t->stop)) {
		pthread_mutex_lock(&t->lock);
		loop_timer_arm(&t->t, loop_now_ns() + 10000);
		t->fired++;
		pthread_mutex_unlock(&t->lock);
		pthread_mutex_lock(&t->lock);
		loop_timer_arm(&t->t, UINT64_MAX);
		pthread_mutex_unlock(&t->lock);
	}
	return NULL;
}

static void timers_may_be_armed_from_many_threads_with_the_lock_held(void **state)
{
	struct threads t = { .loop = loop_new(), .lock = PTHREAD_MUTEX_INITIALIZER };
	struct loop_timer end;
	pthread_t thread[3];

	(void)state;
	loop_timer_init(&t.t, t.loop, &t.lock, count_locked, &t);
	loop_timer_init(&end, t.loop, NULL, stop_in_a_second, &t);
	loop_timer_arm(&end, loop_now_ns() + 100 * MS);
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, hammer, &t);
	assert_int_equal(loop_run(t.loop), 1);
	atomic_store(&t.stop, true);
	for (unsigned i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	loop_timer_arm(&t.t, UINT64_MAX);
	assert_true(t.fired > 0);
	loop_free(t.loop);
}

struct reader {
	struct loop *loop;
	struct loop_fd *f;
	int fd;
	unsigned calls, stop_after;
	char got[64];
	size_t got_bytes;
};

static void read_some(void *opaque, uint32_t events)
{
	struct reader *r = opaque;
	ssize_t n = read(r->fd, r->got + r->got_bytes, 4);

	assert_true(events & EPOLLIN);
	if (n > 0)
		r->got_bytes += (size_t)n;
	if (++r->calls == r->stop_after)
		loop_stop(r->loop, 0);
}

static void a_readable_fd_is_called_until_it_is_read_empty(void **state)
{
	struct reader r = { .loop = loop_new(), .stop_after = 3 };
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	r.fd = p[0];
	r.f = loop_add_fd(r.loop, p[0], EPOLLIN, NULL, read_some, &r);
	assert_int_equal(write(p[1], "hello world", 11), 11);
	loop_run(r.loop);
	assert_int_equal(r.got_bytes, 11);
	loop_del_fd(r.f);
	loop_free(r.loop);
	close(p[0]);
	close(p[1]);
}

static void a_regular_file_is_always_ready(void **state)
{
	struct reader r = { .loop = loop_new(), .stop_after = 5 };

	(void)state;
	r.fd = open("/dev/null", O_RDONLY);
	r.f = loop_add_fd(r.loop, r.fd, EPOLLIN, NULL, read_some, &r);
	assert_non_null(r.f);
	loop_run(r.loop);
	assert_int_equal(r.calls, 5);
	/* Not wanted: not called, and the loop sleeps. */
	loop_mod_fd(r.f, 0);
	struct order o = { .loop = r.loop, .stop_after = 1 };
	struct named_timer n = { .order = &o };
	loop_timer_init(&n.t, r.loop, NULL, fire, &n);
	loop_timer_arm(&n.t, loop_now_ns() + 20 * MS);
	assert_int_equal(loop_run(r.loop), 42);
	assert_int_equal(r.calls, 5);
	loop_del_fd(r.f);
	loop_free(r.loop);
	close(r.fd);
}

static void delete_itself(void *opaque, uint32_t events)
{
	struct reader *r = opaque;

	(void)events;
	r->calls++;
	loop_del_fd(r->f);
	loop_stop(r->loop, 7);
}

static void a_callback_may_delete_itself(void **state)
{
	struct reader r = { .loop = loop_new() };

	(void)state;
	r.fd = eventfd(1, 0);
	r.f = loop_add_fd(r.loop, r.fd, EPOLLIN, NULL, delete_itself, &r);
	assert_int_equal(loop_run(r.loop), 7);
	loop_stop(r.loop, 8);
	assert_int_equal(loop_run(r.loop), 8);
	assert_int_equal(r.calls, 1);
	loop_free(r.loop);
	close(r.fd);
}

struct churn {
	struct loop *loop;
	pthread_mutex_t lock;
	_Atomic bool inside, stop;
	bool alive; /* under lock */
	int fd;
};

static void must_be_alive(void *opaque, uint32_t events)
{
	struct churn *c = opaque;

	(void)events;
	assert_true(c->alive);
}

static void *add_and_delete(void *opaque)
{
	struct churn *c = opaque;

	for (unsigned i = 0; i < 2000; i++) {
		struct loop_fd *f;

		pthread_mutex_lock(&c->lock);
		c->alive = true;
		f = loop_add_fd(c->loop, c->fd, EPOLLIN, &c->lock, must_be_alive, c);
		pthread_mutex_unlock(&c->lock);
		if (i % 2)
			sched_yield();
		/* Both ways are allowed: with the lock held, and without. */
		if (i % 3 == 0) {
			loop_del_fd(f);
			c->alive = false;
		} else {
			pthread_mutex_lock(&c->lock);
			loop_del_fd(f);
			c->alive = false;
			pthread_mutex_unlock(&c->lock);
		}
	}
	loop_stop(c->loop, 0);
	return NULL;
}

static void after_deletion_from_another_thread_no_callback_runs(void **state)
{
	struct churn c = { .loop = loop_new(), .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t thread;

	(void)state;
	c.fd = eventfd(1, 0);
	pthread_create(&thread, NULL, add_and_delete, &c);
	loop_run(c.loop);
	pthread_join(thread, NULL);
	loop_free(c.loop);
	close(c.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_of_deadline_and_not_early),
		cmocka_unit_test(an_earlier_deadline_from_another_thread_wakes_the_loop),
		cmocka_unit_test(timers_may_be_armed_from_many_threads_with_the_lock_held),
		cmocka_unit_test(a_readable_fd_is_called_until_it_is_read_empty),
		cmocka_unit_test(a_regular_file_is_always_ready),
		cmocka_unit_test(a_callback_may_delete_itself),
		cmocka_unit_test(after_deletion_from_another_thread_no_callback_runs),
	};

	return cmocka_run_group_tests_name("src/loop", tests, NULL, NULL);
}
