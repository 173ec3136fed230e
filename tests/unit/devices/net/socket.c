/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer of a socket is a stranger: what it may say, and that it may come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include "net.h"

#define BUFFER_BYTES (256 * 1024) /* of the device, either way */

ssize_t __real_send(int fd, const void *bytes, size_t count, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t count, int flags);

/* For the device's calls: so many find the peer slow, and those behind them find that it has read everything. */
static bool wrapped;
static unsigned refusals;

ssize_t __wrap_send(int fd, const void *bytes, size_t count, int flags)
{
	if (!wrapped)
		return __real_send(fd, bytes, count, flags);
	if (!refusals)
		return (ssize_t)count;
	refusals--;
	errno = EAGAIN;
	return -1;
}

struct fixture {
	char path[64], options[128];
	struct driver *d;
	int peer;
};

static int join(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->path, sizeof(f->path), "/tmp/vmm-net-%d.sock", (int)getpid());
	snprintf(f->options, sizeof(f->options), "virtio-net,socket,path=%s,listen=on", f->path);
	f->d = driver_new(f->options);
	assert_non_null(f->d);
	f->peer = join(f->path);
	driver_start(f->d, NET_BIT(STATUS) | NET_BIT(MRG_RXBUF));
	fake_loop_ms(f->d->vm.loop, 20);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	close(f->peer);
	driver_free(f->d);
	assert_int_equal(stat(f->path, &st), -1);
	free(f);
	return 0;
}

static uint32_t link_status(struct driver *d) { return driver_reg(d, VIRTIO_MMIO_CONFIG + 4) >> 16; }

static void put(int fd, const void *bytes, size_t count)
{
	assert_int_equal(__real_send(fd, bytes, count, MSG_NOSIGNAL), count);
}

static void put_frame(int fd, uint32_t bytes, uint8_t mark)
{
	uint8_t *frame = calloc(1, bytes + 1);
	uint32_t length = htonl(bytes);

	memset(frame, mark, bytes);
	put(fd, &length, 4);
	put(fd, frame, bytes);
	free(frame);
}

static bool hung_up(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void the_link_is_up_when_a_peer_is_there(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(link_status(f->d), VIRTIO_NET_S_LINK_UP);
	close(f->peer);
	fake_loop_ms(f->d->vm.loop, 20);
	assert_int_equal(link_status(f->d), 0);
	f->peer = join(f->path);
	fake_loop_ms(f->d->vm.loop, 20);
	assert_int_equal(link_status(f->d), VIRTIO_NET_S_LINK_UP);
}

static void a_second_peer_is_sent_away(void **state)
{
	struct fixture *f = *state;
	int other = join(f->path);

	fake_loop_ms(f->d->vm.loop, 20);
	assert_true(hung_up(other));
	assert_false(hung_up(f->peer));
	close(other);
}

static void frames_may_come_in_any_pieces(void **state)
{
	struct fixture *f = *state;
	uint8_t stream[2 * (4 + 60)] = { 0 };
	const uint8_t *first = net_offer(f->d, 2048), *second = net_offer(f->d, 2048);

	stream[3] = stream[64 + 3] = 60;
	memset(stream + 4, 1, 60);
	memset(stream + 68, 2, 60);
	for (unsigned i = 0; i < sizeof(stream); i++) {
		put(f->peer, stream + i, 1);
		fake_loop_ms(f->d->vm.loop, 1);
	}
	assert_int_equal(net_wait(f->d), 72);
	assert_int_equal(net_wait(f->d), 72);
	assert_int_equal(first[12], 1);
	assert_int_equal(second[71], 2);
}

static void many_frames_at_once_all_arrive(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 100; i++)
		put_frame(f->peer, 60 + i, (uint8_t)i);
	for (unsigned i = 0; i < 100; i++) {
		const uint8_t *got = net_offer(f->d, 2048);

		assert_int_equal(net_wait(f->d), 72 + i);
		assert_int_equal(got[71], i);
	}
}

static void the_largest_frame_arrives(void **state)
{
	struct fixture *f = *state;
	const uint8_t *got = net_offer(f->d, 70000);

	put_frame(f->peer, 65553, 9);
	assert_int_equal(net_wait(f->d), 12 + 65553);
	assert_int_equal(got[12 + 65552], 9);
}

static void frames_too_short_to_be_one_are_passed_over(void **state)
{
	struct fixture *f = *state;
	const uint8_t *got = net_offer(f->d, 2048);

	for (unsigned i = 0; i < 14; i++)
		put_frame(f->peer, i, 1);
	put_frame(f->peer, 14, 2);
	assert_int_equal(net_wait(f->d), 26);
	assert_int_equal(got[12], 2);
}

static void a_length_that_cannot_be_ends_the_connection(void **state)
{
	static const uint32_t lengths[] = { 65554, 0x00ffffff, 0x7fffffff, 0x80000000, 0xffffffff };
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
		uint32_t length = htonl(lengths[i]);

		put(f->peer, &length, 4);
		fake_loop_ms(f->d->vm.loop, 20);
		assert_true(hung_up(f->peer));
		assert_int_equal(link_status(f->d), 0);
		close(f->peer);
		f->peer = join(f->path);
		fake_loop_ms(f->d->vm.loop, 20);
	}
	net_offer(f->d, 2048);
	put_frame(f->peer, 60, 1);
	assert_int_equal(net_wait(f->d), 72);
}

static void a_peer_that_leaves_in_the_middle_of_a_frame_is_forgotten(void **state)
{
	struct fixture *f = *state;

	put(f->peer, "\0\0\0\x3cxxxxxxxxxx", 14);
	fake_loop_ms(f->d->vm.loop, 20);
	close(f->peer);
	fake_loop_ms(f->d->vm.loop, 20);
	f->peer = join(f->path);
	net_offer(f->d, 2048);
	put_frame(f->peer, 60, 5);
	assert_int_equal(net_wait(f->d), 72);
}

#define LARGE 60000u

/* So many frames of that size at once; how many are sent, and not held back. */
static unsigned transmit(struct driver *d, unsigned count)
{
	unsigned sent = 0;

	for (unsigned i = 0; i < count; i++)
		driver_add(d, NET_TX, driver_alloc(d, 12 + LARGE), 12 + LARGE, 0, 0);
	driver_notify(d, NET_TX);
	while (driver_done(d, NET_TX, NULL, NULL))
		sent++;
	return sent;
}

static void a_frame_held_back_goes_when_there_is_nothing_else_to_wait_for(void **state)
{
	const unsigned fit = BUFFER_BYTES / (4 + LARGE);
	struct fixture *f = *state;

	wrapped = true;
	refusals = 1;
	assert_int_equal(transmit(f->d, fit + 1), fit);
	assert_int_equal(refusals, 0);
	fake_loop_ms(f->d->vm.loop, 20);
	wrapped = false;
	assert_true(driver_done(f->d, NET_TX, NULL, NULL));
}

static void what_a_peer_does_not_read_any_more_is_lost(void **state)
{
	struct fixture *f = *state;

	shutdown(f->peer, SHUT_RD);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(transmit(f->d, 1), 1);
	net_offer(f->d, 2048);
	put_frame(f->peer, 60, 1);
	assert_int_equal(net_wait(f->d), 72);
}

/* A frame that the guest has no room for, and as many behind it as the device reads at once. */
static void a_full_buffer_is_no_end_of_the_connection(void **state)
{
	const unsigned first = 4 + 1514, bytes = first + (BUFFER_BYTES - first + 63) / 64 * 64;
	struct fixture *f = *state;
	uint8_t *stream = calloc(1, bytes);
	int room = 1 << 20;
	const uint8_t *got;

	memcpy(stream, "\0\0\x05\xea", 4);
	for (unsigned at = first; at < bytes; at += 64)
		stream[at + 3] = 60;
	assert_int_equal(setsockopt(f->peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
	put(f->peer, stream, first - 1);
	fake_loop_ms(f->d->vm.loop, 20);
	put(f->peer, stream + first - 1, BUFFER_BYTES - (first - 1));
	fake_loop_ms(f->d->vm.loop, 20);
	/* The guest goes, and another comes. */
	driver_set_reg(f->d, VIRTIO_MMIO_STATUS, 0);
	put(f->peer, stream + BUFFER_BYTES, bytes - BUFFER_BYTES);
	fake_loop_ms(f->d->vm.loop, 20);
	assert_false(hung_up(f->peer));
	driver_start(f->d, NET_BIT(STATUS) | NET_BIT(MRG_RXBUF));
	got = net_offer(f->d, 2048);
	put_frame(f->peer, 60, 7);
	assert_int_equal(net_wait(f->d), 72);
	assert_int_equal(got[12], 7);
	free(stream);
}

static void who_connects_tries_again(void **state)
{
	struct fixture *f = *state;
	char options[128];
	struct driver *d;

	close(f->peer);
	fake_loop_ms(f->d->vm.loop, 20);
	snprintf(options, sizeof(options), "virtio-net,socket,path=%s", f->path);
	d = driver_new(options);
	assert_non_null(d);
	driver_start(d, NET_BIT(STATUS));
	fake_loop_ms(f->d->vm.loop, 20);
	assert_int_equal(link_status(d), VIRTIO_NET_S_LINK_UP);
	/* The listening side goes, and comes back. */
	driver_free(f->d);
	fake_loop_ms(d->vm.loop, 20);
	assert_int_equal(link_status(d), 0);
	f->d = driver_new(f->options);
	assert_non_null(f->d);
	for (unsigned i = 0; i < 300 && !link_status(d); i++)
		fake_loop_ms(d->vm.loop, 10);
	assert_int_equal(link_status(d), VIRTIO_NET_S_LINK_UP);
	driver_free(d);
	f->peer = -1;
}

static void options_that_say_nothing_or_too_much_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "virtio-net,socket", "needs path= or fd=" },
		{ "virtio-net,socket,path=/tmp/a,fd=3", "needs path= or fd=" },
		{ "virtio-net,socket,fd=x", "not the descriptor" },
		{ "virtio-net,socket,fd=999", "not the descriptor" },
		{ "virtio-net,socket,path=/nonexistent/x", "No such file" },
		{ "virtio-net,socket,path=/nonexistent/x,listen=on", "cannot listen" },
		{ "virtio-net,socket,path=/tmp/x,queues=2", "one pair" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		driver_refused(rows[i][0], rows[i][1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_link_is_up_when_a_peer_is_there),
		TEST(a_second_peer_is_sent_away),
		TEST(frames_may_come_in_any_pieces),
		TEST(many_frames_at_once_all_arrive),
		TEST(the_largest_frame_arrives),
		TEST(frames_too_short_to_be_one_are_passed_over),
		TEST(a_length_that_cannot_be_ends_the_connection),
		TEST(a_peer_that_leaves_in_the_middle_of_a_frame_is_forgotten),
		TEST(a_frame_held_back_goes_when_there_is_nothing_else_to_wait_for),
		TEST(what_a_peer_does_not_read_any_more_is_lost),
		TEST(a_full_buffer_is_no_end_of_the_connection),
		TEST(who_connects_tries_again),
		cmocka_unit_test(options_that_say_nothing_or_too_much_are_refused),
	};

	return cmocka_run_group_tests_name("socket", tests, NULL, NULL);
}
