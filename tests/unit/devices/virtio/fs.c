/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-fs before a back end that the test plays: what it is told, and what becomes of one that errs or goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <spec/vhost-user.h>
#include <spec/virtio-fs.h>
#include "driver.h"

#define FEATURES (UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_F_INDIRECT_DESC)

enum fault {
	NONE,
	NO_VERSION_1,
	WRONG_SIZE,
	WRONG_REQUEST,
	NO_REPLY_FLAG,
	SHORT_ANSWER,
	ENDS_AT_STOP,
	HANGS_AT_STOP,
	SPEAKS
};

struct fixture {
	char folder[32], path[64], options[128];
	int listener;
	atomic_int fd;
	pthread_t thread;
	atomic_uint fault;     /* enum fault */
	atomic_uint asked[32]; /* how often each request has come */
	atomic_uint kicks;     /* eventfds taken: the last thing that a ring needs */
	uint64_t features;     /* those accepted */
	unsigned size[2];
	int kick[2], call[2];
	struct driver *d;
};

static void answer(struct fixture *f, const struct vhost_user_header *to, const void *payload, uint32_t bytes)
{
	/* Looked at once: the test goes on, and may want another, when it has the answer. */
	const unsigned fault = f->fault;
	struct vhost_user_header h = { to->request, VHOST_USER_VERSION | VHOST_USER_REPLY, bytes };
	uint8_t message[64];

	h.size += fault == WRONG_SIZE ? 8 : 0;
	h.request += fault == WRONG_REQUEST;
	h.flags &= fault == NO_REPLY_FLAG ? ~(uint32_t)VHOST_USER_REPLY : UINT32_MAX;
	memcpy(message, &h, sizeof(h));
	memcpy(message + sizeof(h), payload, bytes);
	send(f->fd, message, sizeof(h) + bytes - (fault == SHORT_ANSWER ? 3 : 0), MSG_NOSIGNAL);
	if (fault == SPEAKS)
		send(f->fd, "hello", 5, MSG_NOSIGNAL);
	if (fault == SHORT_ANSWER)
		shutdown(f->fd, SHUT_RDWR);
}

static void keep_fd(int *slot, int fd)
{
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

static void on_message(struct fixture *f, const struct vhost_user_header *h, const union vhost_user_payload *p,
		       int fd)
{
	uint64_t features = f->fault == NO_VERSION_1 ? 0 : FEATURES;

	f->asked[h->request % 32]++;
	switch (h->request) {
	case VHOST_USER_GET_FEATURES: answer(f, h, &features, sizeof(features)); break;
	case VHOST_USER_SET_FEATURES: f->features = p->u64; break;
	case VHOST_USER_SET_VRING_NUM: f->size[p->state.index & 1] = p->state.num; break;
	case VHOST_USER_SET_VRING_KICK:
		keep_fd(&f->kick[p->u64 & 1], fd);
		f->kicks++;
		return;
	case VHOST_USER_SET_VRING_CALL: keep_fd(&f->call[p->u64 & 1], fd); return;
	case VHOST_USER_GET_VRING_BASE:
		if (f->fault == ENDS_AT_STOP)
			shutdown(f->fd, SHUT_RDWR);
		else if (f->fault != HANGS_AT_STOP)
			answer(f, h, &p->state, sizeof(p->state));
		break;
	default: break;
	}
	if (fd >= 0)
		close(fd);
}

/* One front end after another, until the listener is shut. */
static void *back_end(void *opaque)
{
	struct fixture *f = opaque;

	while ((f->fd = accept(f->listener, NULL, NULL)) >= 0) {
		struct vhost_user_header h;
		union vhost_user_payload p;
		union {
			char bytes[CMSG_SPACE(sizeof(int))];
			struct cmsghdr align;
		} control;

		for (;;) {
			struct iovec iov = { &h, sizeof(h) };
			struct msghdr m = { .msg_iov = &iov,
					    .msg_iovlen = 1,
					    .msg_control = control.bytes,
					    .msg_controllen = sizeof(control.bytes) };
			int fd = -1;

			if (recvmsg(f->fd, &m, MSG_WAITALL) != sizeof(h) || h.size > sizeof(p) ||
			    (h.size && recv(f->fd, &p, h.size, MSG_WAITALL) != (ssize_t)h.size))
				break;
			if (m.msg_controllen && CMSG_FIRSTHDR(&m))
				memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
			on_message(f, &h, &p, fd);
		}
		close(f->fd);
	}
	return NULL;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(f->folder, "/tmp/vmm-fs-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/s", f->folder);
	snprintf(f->options, sizeof(f->options), "virtio-fs,socket=%s,tag=shared", f->path);
	f->kick[0] = f->kick[1] = f->call[0] = f->call[1] = -1;
	strcpy(a.sun_path, f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(!bind(f->listener, (struct sockaddr *)&a, sizeof(a)) && !listen(f->listener, 4));
	assert_int_equal(pthread_create(&f->thread, NULL, back_end, f), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->d)
		driver_free(f->d);
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->listener);
	for (unsigned i = 0; i < 2; i++) {
		keep_fd(&f->kick[i], -1);
		keep_fd(&f->call[i], -1);
	}
	unlink(f->path);
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

/* Nothing answers what a start says last: returns when the back end has taken it. */
static void start(struct fixture *f)
{
	unsigned rings = f->kicks + 2;

	if (!f->d)
		f->d = driver_new(f->options);
	assert_non_null(f->d);
	driver_start(f->d, FEATURES);
	for (unsigned i = 0; f->kicks < rings && !driver_broken(f->d); i++) {
		assert_true(i < 30000);
		usleep(1000);
	}
}

static void a_back_end_is_told_all_it_needs(void **state)
{
	struct fixture *f = *state;
	eventfd_t n;

	start(f);
	assert_false(driver_broken(f->d));
	assert_int_equal(driver_offered(f->d) & ~FEATURES, 0);
	assert_int_equal(f->features, FEATURES);
	assert_int_equal(f->asked[VHOST_USER_SET_OWNER], 1);
	assert_int_equal(f->asked[VHOST_USER_SET_MEM_TABLE], 1);
	assert_int_equal(f->asked[VHOST_USER_SET_VRING_ADDR], 2);
	assert_int_equal(f->asked[VHOST_USER_SET_VRING_BASE], 2);
	assert_int_equal(f->size[0], DRIVER_ENTRIES);
	assert_int_equal(f->size[1], DRIVER_ENTRIES);
	assert_memory_equal(f->d->v->config, "shared\0", 7);
	driver_notify(f->d, VIRTIO_FS_QUEUE_REQUEST);
	assert_int_equal(read(f->kick[1], &n, sizeof(n)), sizeof(n));
	assert_int_equal(read(f->kick[0], &n, sizeof(n)), -1);
	assert_int_equal(eventfd_write(f->call[1], 1), 0);
	fake_loop_ms(f->d->vm.loop, 5);
	assert_true(driver_reg(f->d, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_VRING);
}

static void its_rings_are_taken_back_at_a_reset(void **state)
{
	struct fixture *f = *state;

	start(f);
	driver_set_reg(f->d, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(f->asked[VHOST_USER_GET_VRING_BASE], 2);
	start(f);
	assert_int_equal(f->asked[VHOST_USER_SET_VRING_KICK], 4);
	assert_int_equal(f->asked[VHOST_USER_SET_OWNER], 1);
	assert_false(driver_broken(f->d));
}

static void who_answers_anything_else_is_no_back_end(void **state)
{
	struct fixture *f = *state;

	for (f->fault = NO_VERSION_1; f->fault <= SHORT_ANSWER; f->fault++)
		driver_refused(f->options, "is it a back end for this device");
	f->fault = NONE;
	driver_refused("virtio-fs,socket=/no/such/socket,tag=x", "cannot connect: No such file");
	driver_refused("virtio-fs,tag=x", "Say socket=PATH");
	driver_refused("virtio-fs,socket=/tmp/x", "Say tag=NAME");
	driver_refused("virtio-fs,socket=/tmp/x,tag=0123456789012345678901234567890123456", "1 to 36");
}

static void a_back_end_that_goes_leaves_a_device_that_needs_a_reset(void **state)
{
	struct fixture *f = *state;
	char *said;

	start(f);
	stderr_begin();
	shutdown(f->fd, SHUT_RDWR);
	fake_loop_ms(f->d->vm.loop, 20);
	said = stderr_end();
	assert_non_null(strstr(said, "the back end has gone"));
	free(said);
	assert_true(driver_broken(f->d));
	/* There is another one by then. */
	start(f);
	assert_false(driver_broken(f->d));
	assert_int_equal(f->asked[VHOST_USER_SET_OWNER], 2);
	/* One that goes when it is to stop. */
	f->fault = ENDS_AT_STOP;
	stderr_begin();
	driver_set_reg(f->d, VIRTIO_MMIO_STATUS, 0);
	said = stderr_end();
	assert_non_null(strstr(said, "does not stop"));
	free(said);
	f->fault = NONE;
	start(f);
	assert_false(driver_broken(f->d));
}

static void a_reset_does_not_wait_for_ever_for_a_back_end_that_hangs(void **state)
{
	struct fixture *f = *state;
	char *said;

	start(f);
	f->fault = HANGS_AT_STOP;
	stderr_begin();
	driver_set_reg(f->d, VIRTIO_MMIO_STATUS, 0);
	said = stderr_end();
	assert_non_null(strstr(said, "does not stop: Connection timed out"));
	free(said);
	assert_int_equal(f->asked[VHOST_USER_GET_VRING_BASE], 1);
	assert_int_equal(driver_reg(f->d, VIRTIO_MMIO_STATUS), 0);
	f->fault = NONE;
	start(f);
	assert_false(driver_broken(f->d));
	assert_int_equal(f->asked[VHOST_USER_SET_OWNER], 2);
}

static void a_back_end_that_speaks_unasked_is_not_listened_to(void **state)
{
	struct fixture *f = *state;
	char *said;

	f->d = driver_new(f->options);
	assert_non_null(f->d);
	f->fault = SPEAKS;
	stderr_begin();
	driver_start(f->d, FEATURES);
	/* It speaks on a thread of its own. */
	for (unsigned i = 0; i < 1000 && !driver_broken(f->d); i++)
		fake_loop_ms(f->d->vm.loop, 10);
	said = stderr_end();
	assert_non_null(strstr(said, "nobody has asked"));
	free(said);
	assert_true(driver_broken(f->d));
}

static void a_back_end_that_cannot_do_any_more_what_it_could_is_refused_at_start(void **state)
{
	struct fixture *f = *state;
	char *said;

	start(f);
	stderr_begin();
	shutdown(f->fd, SHUT_RDWR);
	fake_loop_ms(f->d->vm.loop, 20);
	f->fault = NO_VERSION_1;
	driver_start(f->d, FEATURES);
	said = stderr_end();
	assert_non_null(strstr(said, "no features"));
	free(said);
	assert_true(driver_broken(f->d));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_back_end_is_told_all_it_needs),
		T(its_rings_are_taken_back_at_a_reset),
		T(who_answers_anything_else_is_no_back_end),
		T(a_back_end_that_goes_leaves_a_device_that_needs_a_reset),
		T(a_reset_does_not_wait_for_ever_for_a_back_end_that_hangs),
		T(a_back_end_that_speaks_unasked_is_not_listened_to),
		T(a_back_end_that_cannot_do_any_more_what_it_could_is_refused_at_start),
	};

	return cmocka_run_group_tests_name("virtio-fs", tests, NULL, NULL);
}
