/* SPDX-License-Identifier: GPL-2.0-or-later */
/* virtio-vsock between a driver and unix sockets: who says what when, and how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <spec/virtio-vsock.h>
#include <vmm/log.h>
#include "devices/virtio/vsock.h"
#include "driver.h"

#define CID       7
#define SERVICE   1000 /* somebody on the host listens there */
#define RX_BYTES  4140
#define RX_COUNT  8
#define TX_BYTES  (64 * KIB + 64)
#define MANY      2000
#define OK_STRING "OK 1073741825\n"

struct fixture {
	char folder[32], path[64], service_path[80], options[128];
	struct driver *d;
	int service;
	uint64_t rx, tx;
	uint64_t rx_of[DRIVER_ENTRIES]; /* where the buffer of an id is */
	struct virtio_vsock_hdr h;      /* the packet received last */
	uint8_t data[RX_BYTES];
	uint32_t buffer, forwarded; /* what the guest says of itself */
};

static int unix_socket(const char *path, bool listening)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(a.sun_path, path);
	if (listening)
		assert_true(!bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, MANY));
	else
		assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void give_buffer(struct fixture *f, uint64_t at, uint32_t bytes)
{
	f->rx_of[driver_add(f->d, VIRTIO_VSOCK_QUEUE_RX, 0, 0, at, bytes)] = at;
	driver_notify(f->d, VIRTIO_VSOCK_QUEUE_RX);
}

static void give_buffers(struct fixture *f)
{
	for (unsigned i = 0; i < RX_COUNT; i++)
		give_buffer(f, f->rx + i * 8192, RX_BYTES);
}

static void start(struct fixture *f)
{
	driver_start(f->d, UINT64_C(1) << VIRTIO_VSOCK_F_STREAM);
	f->rx = driver_alloc(f->d, RX_COUNT * 8192);
	f->tx = driver_alloc(f->d, DRIVER_ENTRIES * align_up(TX_BYTES, 4096));
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/vmm-vsock-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/s", f->folder);
	snprintf(f->service_path, sizeof(f->service_path), "%s_%d", f->path, SERVICE);
	snprintf(f->options, sizeof(f->options), "virtio-vsock,cid=%d,uds=%s", CID, f->path);
	f->service = unix_socket(f->service_path, true);
	f->d = driver_new(f->options);
	assert_non_null(f->d);
	f->buffer = 1 << 20;
	start(f);
	give_buffers(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_free(f->d);
	assert_int_equal(access(f->path, F_OK), -1); /* nobody is there any more */
	close(f->service);
	unlink(f->service_path);
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

/* ---- Packets ---- */

static void send_raw(struct fixture *f, const struct virtio_vsock_hdr *h, const void *data, uint32_t bytes)
{
	uint64_t at = f->tx + f->d->queue[1].next % DRIVER_ENTRIES * align_up(TX_BYTES, 4096);

	memcpy(driver_ptr(f->d, at), h, sizeof(*h));
	if (bytes)
		memcpy(driver_ptr(f->d, at + sizeof(*h)), data, bytes);
	driver_add(f->d, VIRTIO_VSOCK_QUEUE_TX, at, (uint32_t)sizeof(*h) + bytes, 0, 0);
	driver_notify(f->d, VIRTIO_VSOCK_QUEUE_TX);
}

static struct virtio_vsock_hdr header(struct fixture *f, unsigned op, uint32_t from, uint32_t to)
{
	return (struct virtio_vsock_hdr){ .src_cid = CID,
					  .dst_cid = VIRTIO_VSOCK_CID_HOST,
					  .src_port = from,
					  .dst_port = to,
					  .type = VIRTIO_VSOCK_TYPE_STREAM,
					  .op = (uint16_t)op,
					  .buf_alloc = f->buffer,
					  .fwd_cnt = f->forwarded };
}

static void send_op(struct fixture *f, unsigned op, uint32_t from, uint32_t to)
{
	struct virtio_vsock_hdr h = header(f, op, from, to);

	send_raw(f, &h, NULL, 0);
}

static void send_data(struct fixture *f, uint32_t from, uint32_t to, const void *data, uint32_t bytes)
{
	struct virtio_vsock_hdr h = header(f, VIRTIO_VSOCK_OP_RW, from, to);

	h.len = bytes;
	send_raw(f, &h, data, bytes);
}

static void send_shutdown(struct fixture *f, uint32_t from, uint32_t to, uint32_t flags)
{
	struct virtio_vsock_hdr h = header(f, VIRTIO_VSOCK_OP_SHUTDOWN, from, to);

	h.flags = flags;
	send_raw(f, &h, NULL, 0);
}

/* The next packet for the guest, whose buffer it gets back at once. False: none. */
static bool receive(struct fixture *f)
{
	uint32_t written;
	unsigned id;

	for (unsigned i = 0; !driver_done(f->d, VIRTIO_VSOCK_QUEUE_RX, &id, &written); i++) {
		if (i == 20)
			return false;
		fake_loop_ms(f->d->vm.loop, 1);
	}
	memcpy(&f->h, driver_ptr(f->d, f->rx_of[id]), sizeof(f->h));
	assert_int_equal(written, sizeof(f->h) + f->h.len);
	assert_true(written <= RX_BYTES);
	memcpy(f->data, (uint8_t *)driver_ptr(f->d, f->rx_of[id]) + sizeof(f->h), f->h.len);
	assert_int_equal(f->h.src_cid, VIRTIO_VSOCK_CID_HOST);
	assert_int_equal(f->h.dst_cid, CID);
	give_buffer(f, f->rx_of[id], RX_BYTES);
	return true;
}

static void receive_op(struct fixture *f, unsigned op)
{
	assert_true(receive(f));
	assert_int_equal(f->h.op, op);
}

/* Whatever has come by now. */
static void drop_packets(struct fixture *f)
{
	unsigned id;

	while (driver_done(f->d, VIRTIO_VSOCK_QUEUE_TX, NULL, NULL))
		;
	while (driver_done(f->d, VIRTIO_VSOCK_QUEUE_RX, &id, NULL))
		give_buffer(f, f->rx_of[id], RX_BYTES);
}

static void nothing_comes(struct fixture *f) { assert_false(receive(f)); }

/* ---- Connections ---- */

/* The guest's port @port to the service; the host's end of it. */
static int to_service(struct fixture *f, uint32_t port)
{
	int fd;

	send_op(f, VIRTIO_VSOCK_OP_REQUEST, port, SERVICE);
	receive_op(f, VIRTIO_VSOCK_OP_RESPONSE);
	assert_int_equal(f->h.src_port, SERVICE);
	assert_int_equal(f->h.dst_port, port);
	assert_int_equal(f->h.buf_alloc, VSOCK_BUFFER_BYTES);
	fd = accept4(f->service, NULL, NULL, SOCK_NONBLOCK);
	assert_true(fd >= 0);
	return fd;
}

static void say(int fd, const char *text) { assert_int_equal(write(fd, text, strlen(text)), strlen(text)); }

/* What has come, after giving it a while. */
static void hears(struct fixture *f, int fd, const char *text)
{
	char got[256] = "";

	fake_loop_ms(f->d->vm.loop, 5);
	assert_int_equal(read(fd, got, sizeof(got) - 1), strlen(text));
	assert_string_equal(got, text);
}

static bool at_end(struct fixture *f, int fd)
{
	char c;

	fake_loop_ms(f->d->vm.loop, 5);
	return !read(fd, &c, 1);
}

static void the_guest_talks_to_a_service(void **state)
{
	struct fixture *f = *state;
	int fd = to_service(f, 5000);

	send_data(f, 5000, SERVICE, "hello", 5);
	hears(f, fd, "hello");
	say(fd, "welcome");
	receive_op(f, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(f->h.len, 7);
	assert_memory_equal(f->data, "welcome", 7);
	assert_int_equal(f->h.fwd_cnt, 5);
	nothing_comes(f);
	close(fd);
}

static void the_host_talks_to_the_guest(void **state)
{
	struct fixture *f = *state;
	int fd = unix_socket(f->path, false);
	uint32_t port;

	say(fd, "CONN");
	nothing_comes(f);
	say(fd, "ECT 22\nat once");
	receive_op(f, VIRTIO_VSOCK_OP_REQUEST);
	assert_int_equal(f->h.dst_port, 22);
	port = f->h.src_port;
	nothing_comes(f);
	send_op(f, VIRTIO_VSOCK_OP_RESPONSE, 22, port);
	hears(f, fd, OK_STRING);
	receive_op(f, VIRTIO_VSOCK_OP_RW);
	assert_memory_equal(f->data, "at once", 7);
	send_data(f, 22, port, "SSH-2.0", 7);
	hears(f, fd, "SSH-2.0");
	close(fd);
}

static void a_command_that_is_none_ends_it(void **state)
{
	static const char *const commands[] = { "CONNECT\n",
						"CONNECT x\n",
						"CONNECT 1 2\n",
						"HELLO 22\n",
						"\n",
						"CONNECT 4294967295\n",
						"CONNECT -1\n",
						"CONNECT 0000000000000000000000000000000000000000\n" };
	struct fixture *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		int fd = unix_socket(f->path, false);
		char c;

		say(fd, commands[i]);
		fake_loop_ms(f->d->vm.loop, 5);
		assert_true(read(fd, &c, 1) <= 0 && errno != EAGAIN);
		close(fd);
	}
	nothing_comes(f);
}

static void where_nobody_listens_there_is_a_reset(void **state)
{
	struct fixture *f = *state;
	int fd = unix_socket(f->path, false);

	send_op(f, VIRTIO_VSOCK_OP_REQUEST, 5000, 1001);
	receive_op(f, VIRTIO_VSOCK_OP_RST);
	assert_int_equal(f->h.src_port, 1001);
	assert_int_equal(f->h.dst_port, 5000);
	say(fd, "CONNECT 23\n");
	receive_op(f, VIRTIO_VSOCK_OP_REQUEST);
	send_op(f, VIRTIO_VSOCK_OP_RST, 23, f->h.src_port);
	assert_true(at_end(f, fd));
	nothing_comes(f);
	close(fd);
}

static void a_host_that_does_not_wait_is_forgotten(void **state)
{
	struct fixture *f = *state;
	int fd = unix_socket(f->path, false);
	uint32_t port;

	say(fd, "CONNECT 22\n");
	receive_op(f, VIRTIO_VSOCK_OP_REQUEST);
	port = f->h.src_port;
	close(fd);
	receive_op(f, VIRTIO_VSOCK_OP_RST);
	assert_int_equal(f->h.src_port, port);
	assert_int_equal(f->h.dst_port, 22);
	send_op(f, VIRTIO_VSOCK_OP_RESPONSE, 22, port);
	receive_op(f, VIRTIO_VSOCK_OP_RST);
	/* What it has said is another matter. */
	fd = unix_socket(f->path, false);
	say(fd, "CONNECT 22\nlog this");
	close(fd);
	receive_op(f, VIRTIO_VSOCK_OP_REQUEST);
	nothing_comes(f);
	port = f->h.src_port;
	send_op(f, VIRTIO_VSOCK_OP_RESPONSE, 22, port);
	receive_op(f, VIRTIO_VSOCK_OP_RW);
	assert_memory_equal(f->data, "log this", 8);
	receive_op(f, VIRTIO_VSOCK_OP_SHUTDOWN);
	send_op(f, VIRTIO_VSOCK_OP_RST, 22, port);
	/* More often than there are connections, and the guest has no buffer to be asked with. */
	start(f);
	for (unsigned i = 0; i < 1500; i++) {
		fd = unix_socket(f->path, false);
		fake_loop_ms(f->d->vm.loop, 0);
		say(fd, "CONNECT 22\n");
		fake_loop_ms(f->d->vm.loop, 0);
		close(fd);
		fake_loop_ms(f->d->vm.loop, 0);
	}
	give_buffers(f);
	nothing_comes(f);
	close(to_service(f, 5000));
}

/* ---- The end ---- */

static void each_direction_ends_by_itself(void **state)
{
	struct fixture *f = *state;
	int fd = to_service(f, 5000);

	say(fd, "last");
	shutdown(fd, SHUT_WR);
	receive_op(f, VIRTIO_VSOCK_OP_RW);
	receive_op(f, VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(f->h.flags, VIRTIO_VSOCK_SHUTDOWN_SEND);
	send_data(f, 5000, SERVICE, "still", 5);
	hears(f, fd, "still");
	send_shutdown(f, 5000, SERVICE, VIRTIO_VSOCK_SHUTDOWN_SEND);
	assert_true(at_end(f, fd));
	nothing_comes(f);
	send_shutdown(f, 5000, SERVICE, VIRTIO_VSOCK_SHUTDOWN_RECEIVE);
	receive_op(f, VIRTIO_VSOCK_OP_RST);
	/* Forgotten. */
	send_op(f, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, SERVICE);
	receive_op(f, VIRTIO_VSOCK_OP_RST);
	close(fd);
}

static void the_guest_ends_it_and_what_it_said_arrives(void **state)
{
	static uint8_t data[64 * KIB];
	struct fixture *f = *state;
	int fd = to_service(f, 5000), n;
	size_t got = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 4096 }, sizeof(int));
	for (unsigned i = 0; i < 4; i++)
		send_data(f, 5000, SERVICE, data, sizeof(data));
	send_shutdown(f, 5000, SERVICE, VIRTIO_VSOCK_SHUTDOWN_BOTH);
	while ((n = (int)read(fd, data, sizeof(data))) != 0) {
		if (n < 0)
			fake_loop_ms(f->d->vm.loop, 1);
		else
			got += (size_t)n;
	}
	assert_int_equal(got, 4 * sizeof(data));
	while (receive(f) && f->h.op == VIRTIO_VSOCK_OP_CREDIT_UPDATE)
		;
	assert_int_equal(f->h.op, VIRTIO_VSOCK_OP_RST);
	close(fd);
}

/* As Linux after eight seconds: whoever takes longer to read has not less to read. */
static void what_it_said_arrives_when_it_waits_no_more(void **state)
{
	static uint8_t data[64 * KIB];
	struct fixture *f = *state;
	int fd = to_service(f, 5000), again, n;
	size_t got = 0;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){ 4096 }, sizeof(int));
	for (unsigned i = 0; i < 4; i++)
		send_data(f, 5000, SERVICE, data, sizeof(data));
	send_shutdown(f, 5000, SERVICE, VIRTIO_VSOCK_SHUTDOWN_BOTH);
	send_op(f, VIRTIO_VSOCK_OP_RST, 5000, SERVICE);
	while (receive(f))
		assert_int_equal(f->h.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	again = to_service(f, 5000); /* its port is free */
	while ((n = (int)read(fd, data, sizeof(data))) != 0) {
		if (n < 0)
			fake_loop_ms(f->d->vm.loop, 1);
		else
			got += (size_t)n;
	}
	assert_int_equal(got, 4 * sizeof(data));
	nothing_comes(f);
	/* Who has said no end is cut off. */
	for (unsigned i = 0; i < 4; i++)
		send_data(f, 5000, SERVICE, data, sizeof(data));
	send_op(f, VIRTIO_VSOCK_OP_RST, 5000, SERVICE);
	for (got = 0; (n = (int)read(again, data, sizeof(data))) > 0; got += (size_t)n)
		;
	assert_int_equal(n, 0);
	assert_true(got < 4 * sizeof(data));
	close(again);
	close(fd);
}

/* Nobody will take the rest. */
static void a_reader_that_goes_ends_what_was_left_for_it(void **state)
{
	static uint8_t data[64 * KIB];
	struct fixture *f = *state;

	for (unsigned round = 0; round < 1100; round++) {
		int fd = to_service(f, 5000);

		for (unsigned i = 0; i < 4; i++)
			send_data(f, 5000, SERVICE, data, sizeof(data));
		send_shutdown(f, 5000, SERVICE, VIRTIO_VSOCK_SHUTDOWN_BOTH);
		send_op(f, VIRTIO_VSOCK_OP_RST, 5000, SERVICE);
		close(fd);
		fake_loop_ms(f->d->vm.loop, 0);
		drop_packets(f);
	}
}

static void a_host_that_goes_is_missed_after_its_last_word(void **state)
{
	struct fixture *f = *state;
	int fd = to_service(f, 5000);

	say(fd, "bye");
	close(fd);
	receive_op(f, VIRTIO_VSOCK_OP_RW);
	assert_memory_equal(f->data, "bye", 3);
	receive_op(f, VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(f->h.flags, VIRTIO_VSOCK_SHUTDOWN_BOTH);
	nothing_comes(f);
	/* What the guest says meanwhile goes nowhere, and does not matter. */
	send_data(f, 5000, SERVICE, "hello?", 6);
	nothing_comes(f);
	send_shutdown(f, 5000, SERVICE, VIRTIO_VSOCK_SHUTDOWN_BOTH);
	receive_op(f, VIRTIO_VSOCK_OP_RST);
}

static void what_nobody_will_read_is_room_again(void **state)
{
	static uint8_t data[64 * KIB];
	struct fixture *f = *state;
	int fd;

	f->buffer = 0;
	fd = to_service(f, 5000);
	say(fd, "x");
	receive_op(f, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	for (unsigned i = 0; i < 4; i++)
		send_data(f, 5000, SERVICE, data, sizeof(data));
	shutdown(fd, SHUT_RDWR);
	f->buffer = 1000;
	send_op(f, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, SERVICE);
	do
		assert_true(receive(f));
	while (f->h.op == VIRTIO_VSOCK_OP_CREDIT_UPDATE || f->h.op == VIRTIO_VSOCK_OP_RW);
	assert_int_equal(f->h.op, VIRTIO_VSOCK_OP_SHUTDOWN);
	assert_int_equal(f->h.flags, VIRTIO_VSOCK_SHUTDOWN_BOTH);
	assert_int_equal(f->h.fwd_cnt, 4 * sizeof(data));
	close(fd);
}

/* ---- Credit ---- */

static void no_more_is_sent_than_the_guest_has_room_for(void **state)
{
	static char text[20000];
	struct fixture *f = *state;
	uint32_t got = 0;
	int fd;

	f->buffer = 10000;
	fd = to_service(f, 5000);
	memset(text, 'x', sizeof(text));
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	while (receive(f) && f->h.op == VIRTIO_VSOCK_OP_RW)
		got += f->h.len;
	assert_int_equal(got, 10000);
	assert_int_equal(f->h.op, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	nothing_comes(f);
	f->forwarded = 1;
	send_op(f, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, SERVICE);
	receive_op(f, VIRTIO_VSOCK_OP_RW);
	assert_int_equal(f->h.len, 1);
	/* It lies: has taken what was never sent, has a buffer that is smaller than what is in it. */
	f->forwarded = 1u << 31;
	send_op(f, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, SERVICE);
	f->forwarded = 1;
	f->buffer = 5;
	send_op(f, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, SERVICE);
	while (receive(f))
		assert_int_equal(f->h.op, VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	f->forwarded = 10001;
	f->buffer = UINT32_MAX;
	send_op(f, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, SERVICE);
	got = 0;
	while (receive(f))
		got += f->h.len;
	assert_int_equal(got, 9999);
	close(fd);
}

static void the_guest_is_told_when_there_is_room_again(void **state)
{
	static uint8_t data[64 * KIB];
	struct fixture *f = *state;
	int fd = to_service(f, 5000);
	size_t n, left = 4 * sizeof(data);

	/* The whole of our buffer, while nobody reads. */
	for (unsigned i = 0; i < 4; i++)
		send_data(f, 5000, SERVICE, data, sizeof(data));
	while (left) {
		ssize_t got = read(fd, data, sizeof(data));

		if (got > 0)
			left -= (size_t)got;
		else
			fake_loop_ms(f->d->vm.loop, 1);
	}
	for (n = 0; receive(f); n++)
		assert_int_equal(f->h.op, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	assert_in_range(n, 1, 8);
	assert_in_range(f->h.fwd_cnt, 2 * sizeof(data), 4 * sizeof(data));
	send_op(f, VIRTIO_VSOCK_OP_CREDIT_REQUEST, 5000, SERVICE);
	receive_op(f, VIRTIO_VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(f->h.fwd_cnt, 4 * sizeof(data));
	close(fd);
}

static void who_sends_more_than_there_is_room_for_is_cut_off(void **state)
{
	static uint8_t data[64 * KIB];
	struct fixture *f = *state;
	int fd = to_service(f, 5000);
	char *said;

	stderr_begin();
	for (unsigned i = 0; i < 40; i++)
		send_data(f, 5000, SERVICE, data, sizeof(data));
	said = stderr_end();
	assert_non_null(strstr(said, "no right to"));
	free(said);
	while (receive(f) && f->h.op == VIRTIO_VSOCK_OP_CREDIT_UPDATE)
		;
	assert_int_equal(f->h.op, VIRTIO_VSOCK_OP_RST);
	close(fd);
}

/* ---- Those who never stop ---- */

/* A guest that gives each buffer of @queue back at once. The linker puts this in the way of the real one. */
static struct {
	struct fixture *f;
	unsigned queue, count;
} untiring;
#define UNTIRING_MAX 100000 /* or the test would not end */

void __real_virtq_push(struct virtq_chain *c, uint32_t written);
void __wrap_virtq_push(struct virtq_chain *c, uint32_t written);

void __wrap_virtq_push(struct virtq_chain *c, uint32_t written)
{
	unsigned queue = virtq_index(c->queue);
	uint16_t id = c->id;
	struct driver_queue *q;

	__real_virtq_push(c, written);
	if (!untiring.f || queue != untiring.queue || ++untiring.count >= UNTIRING_MAX)
		return;
	q = &untiring.f->d->queue[queue];
	q->avail->ring[q->avail->idx % DRIVER_ENTRIES] = id;
	q->avail->idx++;
}

static void a_guest_that_never_stops_has_turns(void **state)
{
	struct fixture *f = *state;
	int fd = to_service(f, 5000);
	unsigned before;

	untiring.f = f;
	untiring.queue = VIRTIO_VSOCK_QUEUE_TX;
	untiring.count = 0;
	send_op(f, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 5000, SERVICE);
	before = untiring.count;
	assert_in_range(before, 1, 1000);
	fake_loop_ms(f->d->vm.loop, 1); /* others have theirs in between: this one's end */
	untiring.f = NULL;
	assert_true(untiring.count > before);
	close(fd);
}

static void a_host_that_never_stops_has_turns(void **state)
{
	static const char text[5000];
	struct fixture *f = *state;
	int fd;

	start(f); /* without buffers, but for one byte each */
	give_buffer(f, f->rx, sizeof(f->h) + 1);
	send_op(f, VIRTIO_VSOCK_OP_REQUEST, 5000, SERVICE);
	assert_true(driver_done(f->d, VIRTIO_VSOCK_QUEUE_RX, NULL, NULL));
	fd = accept(f->service, NULL, NULL);
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	fake_loop_ms(f->d->vm.loop, 2);
	untiring.f = f;
	untiring.queue = VIRTIO_VSOCK_QUEUE_RX;
	untiring.count = 0;
	give_buffer(f, f->rx, sizeof(f->h) + 1);
	assert_in_range(untiring.count, 1, 1000);
	for (unsigned i = 0; i < 1000 && untiring.count < sizeof(text); i++)
		fake_loop_ms(f->d->vm.loop, 1);
	untiring.f = NULL;
	assert_int_equal(untiring.count, sizeof(text));
	close(fd);
}

/* The process has no more descriptors. The linker puts this in the way, too. */
static struct {
	bool none;
	unsigned asked;
} descriptors;

int __real_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags);

int __wrap_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
	if (!descriptors.none)
		return __real_accept4(fd, a, len, flags);
	descriptors.asked++;
	errno = EMFILE;
	return -1;
}

static void without_descriptors_who_connects_waits(void **state)
{
	struct fixture *f = *state;
	int fd = unix_socket(f->path, false);

	descriptors.none = true;
	for (unsigned i = 0; i < 10; i++)
		fake_loop_ms(f->d->vm.loop, 0);
	descriptors.none = false;
	assert_in_range(descriptors.asked, 1, 5);
	say(fd, "CONNECT 22\n");
	for (unsigned i = 0; i < 100 && !receive(f); i++)
		;
	assert_int_equal(f->h.op, VIRTIO_VSOCK_OP_REQUEST);
	close(fd);
}

/* ---- No buffers, resets, other rules ---- */

static void without_buffers_the_guest_waits_and_nothing_is_lost(void **state)
{
	struct fixture *f = *state;
	unsigned answers = 0;
	int fd = to_service(f, 5000);

	start(f); /* again, and gives none */
	assert_true(at_end(f, fd));
	for (unsigned i = 0; i < 100; i++) {
		send_op(f, VIRTIO_VSOCK_OP_REQUEST, i, 1);
		while (driver_done(f->d, VIRTIO_VSOCK_QUEUE_TX, NULL, NULL))
			;
		if (f->d->queue[1].avail->idx - f->d->queue[1].used->idx == DRIVER_ENTRIES - 1)
			break;
	}
	assert_true(f->d->queue[1].avail->idx > f->d->queue[1].used->idx);
	give_buffers(f);
	while (receive(f)) {
		assert_int_equal(f->h.op, VIRTIO_VSOCK_OP_RST);
		answers++;
	}
	assert_int_equal(answers, f->d->queue[1].avail->idx);
	close(fd);
}

static void a_reset_ends_all_and_the_driver_hears_of_it(void **state)
{
	struct fixture *f = *state;
	int fd = to_service(f, 5000), other = unix_socket(f->path, false);
	uint64_t at;
	uint32_t written;

	fake_loop_ms(f->d->vm.loop, 2);
	say(fd, "unheard");
	start(f);
	assert_true(read(fd, &(char){ 0 }, 1) <= 0);
	assert_true(at_end(f, other));
	at = driver_alloc(f->d, 64);
	memset(driver_ptr(f->d, at), 0xff, 8);
	driver_add(f->d, VIRTIO_VSOCK_QUEUE_EVENT, 0, 0, at, 8);
	driver_notify(f->d, VIRTIO_VSOCK_QUEUE_EVENT);
	assert_true(driver_done(f->d, VIRTIO_VSOCK_QUEUE_EVENT, NULL, &written));
	assert_int_equal(written, 4);
	assert_int_equal(*(uint32_t *)driver_ptr(f->d, at), VIRTIO_VSOCK_EVENT_TRANSPORT_RESET);
	give_buffers(f);
	nothing_comes(f);
	close(fd);
	close(other);
	fd = to_service(f, 5000);
	close(fd);
}

static void who_comes_before_the_driver_is_not_kept_waiting(void **state)
{
	struct fixture *f = *state;
	int fd;

	driver_set_reg(f->d, VIRTIO_MMIO_STATUS, 0);
	fd = unix_socket(f->path, false);
	assert_true(at_end(f, fd));
	close(fd);
}

static void packets_that_make_no_sense_are_answered_with_a_reset(void **state)
{
	struct fixture *f = *state;
	int fd = to_service(f, 5000);
	struct virtio_vsock_hdr h = header(f, VIRTIO_VSOCK_OP_REQUEST, 5001, SERVICE);
	char *said;

	/* Another type of socket. */
	h.type = 2;
	send_raw(f, &h, NULL, 0);
	receive_op(f, VIRTIO_VSOCK_OP_RST);
	assert_int_equal(f->h.type, 2);
	/* Somebody else's. */
	stderr_begin();
	h.type = VIRTIO_VSOCK_TYPE_STREAM;
	h.src_cid = CID + 1;
	send_raw(f, &h, NULL, 0);
	h.src_cid = CID;
	h.dst_cid = 3;
	send_raw(f, &h, NULL, 0);
	said = stderr_end();
	assert_non_null(strstr(said, "goes nowhere"));
	free(said);
	nothing_comes(f);
	/* Of no connection; a reset is not answered. */
	for (unsigned op = 0; op < 10; op++) {
		if (op == VIRTIO_VSOCK_OP_REQUEST)
			continue;
		send_op(f, op, 6000, SERVICE);
		if (op != VIRTIO_VSOCK_OP_RST)
			receive_op(f, VIRTIO_VSOCK_OP_RST);
	}
	nothing_comes(f);
	/* More than is there. */
	h = header(f, VIRTIO_VSOCK_OP_RW, 5000, SERVICE);
	h.len = 100;
	send_raw(f, &h, "abc", 3);
	receive_op(f, VIRTIO_VSOCK_OP_RST);
	assert_true(at_end(f, fd));
	close(fd);
	/* A second request for what is connected. */
	fd = to_service(f, 5000);
	send_op(f, VIRTIO_VSOCK_OP_REQUEST, 5000, SERVICE);
	receive_op(f, VIRTIO_VSOCK_OP_RST);
	close(fd);
}

static void short_buffers_break_the_device(void **state)
{
	struct fixture *f = *state;
	char *said;

	stderr_begin();
	driver_add(f->d, VIRTIO_VSOCK_QUEUE_TX, f->tx, 43, 0, 0);
	driver_notify(f->d, VIRTIO_VSOCK_QUEUE_TX);
	assert_true(driver_broken(f->d));
	start(f);
	give_buffer(f, f->rx, 43);
	send_op(f, VIRTIO_VSOCK_OP_REQUEST, 1, 1);
	assert_true(driver_broken(f->d));
	said = stderr_end();
	assert_non_null(strstr(said, "without a header"));
	assert_non_null(strstr(said, "no room for a header"));
	free(said);
}

/* Until one is refused; the service does not accept them as yet. How many. */
static unsigned connect_many(struct fixture *f)
{
	for (unsigned n = 0; n < MANY; n++) {
		send_op(f, VIRTIO_VSOCK_OP_REQUEST, 10000 + n, SERVICE);
		assert_true(receive(f));
		while (driver_done(f->d, VIRTIO_VSOCK_QUEUE_TX, NULL, NULL))
			;
		if (f->h.op == VIRTIO_VSOCK_OP_RST)
			return n;
		assert_int_equal(f->h.op, VIRTIO_VSOCK_OP_RESPONSE);
	}
	return MANY;
}

static void there_are_as_many_connections_as_there_are(void **state)
{
	struct fixture *f = *state;
	unsigned n = connect_many(f);
	int fds[MANY];

	assert_int_equal(n, 1023);
	for (unsigned i = 0; i < n; i++)
		assert_true((fds[i] = accept(f->service, NULL, NULL)) >= 0);
	/* All of them talk. */
	for (unsigned i = 0; i < n; i++)
		say(fds[i], "x");
	for (unsigned i = 0; i < n; i++)
		receive_op(f, VIRTIO_VSOCK_OP_RW);
	for (unsigned i = 0; i < n; i++)
		close(fds[i]);
}

/* For good: the last test. */
static void half_of_the_hosts_files_are_not_the_guests(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 400, 400 }), 0);
	driver_free(f->d);
	f->d = driver_new(f->options);
	assert_non_null(f->d);
	start(f);
	give_buffers(f);
	assert_int_equal(connect_many(f), 200);
}

static void any_packet_is_survived(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 0x9e3779b97f4a7c15;

	log_set_level(LOG_ERR);
	for (unsigned i = 0; i < 20000; i++) {
		struct virtio_vsock_hdr h = header(f, (unsigned)(seed >> 3) % 9, (unsigned)(seed >> 7) % 5,
						   seed & 1 ? SERVICE : (1u << 30) + (unsigned)(seed >> 20) % 5);
		uint8_t data[256] = { 0 };
		int fd;

		h.len = (uint32_t)(seed >> 30) % 256;
		h.flags = (uint32_t)(seed >> 40) & 3;
		h.buf_alloc = (uint32_t)(seed >> 44);
		h.fwd_cnt = (uint32_t)(seed >> 12) % 300;
		send_raw(f, &h, data, (uint32_t)(seed >> 50) % 256);
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		if (i % 16 == 0) {
			fd = accept4(f->service, NULL, NULL, SOCK_NONBLOCK);
			if (fd >= 0) {
				send(fd, data, h.len, MSG_NOSIGNAL);
				close(fd);
			}
			fd = unix_socket(f->path, false);
			send(fd, "CONNECT 3\nabc", 13, MSG_NOSIGNAL);
			fake_loop_ms(f->d->vm.loop, 0);
			close(fd);
		}
		drop_packets(f);
	}
	log_set_level(LOG_INFO);
	assert_false(driver_broken(f->d));
}

static void options_that_cannot_be_are_refused(void **state)
{
	struct fixture *f = *state;

	driver_refused("virtio-vsock,uds=/tmp/x", "Say cid=3");
	driver_refused("virtio-vsock,cid=2,uds=/tmp/x", "cid=2: guests have 3 to");
	driver_refused("virtio-vsock,cid=4294967295,uds=/tmp/x", "guests have 3 to");
	driver_refused("virtio-vsock,cid=3", "Say uds=PATH");
	driver_refused("virtio-vsock,cid=3,uds=/no/such/folder/s", "cannot listen there");
	driver_refused(f->options, "cannot listen there"); /* somebody is there */
	driver_refused(
		"virtio-vsock,cid=3,uds=/tmp/0123456789012345678901234567890123456789012345678901234567890123456789"
		"01234567890123456789012345",
		"bytes; 1 to 96");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_guest_talks_to_a_service),
		T(the_host_talks_to_the_guest),
		T(a_command_that_is_none_ends_it),
		T(where_nobody_listens_there_is_a_reset),
		T(a_host_that_does_not_wait_is_forgotten),
		T(each_direction_ends_by_itself),
		T(the_guest_ends_it_and_what_it_said_arrives),
		T(what_it_said_arrives_when_it_waits_no_more),
		T(a_reader_that_goes_ends_what_was_left_for_it),
		T(a_host_that_goes_is_missed_after_its_last_word),
		T(what_nobody_will_read_is_room_again),
		T(no_more_is_sent_than_the_guest_has_room_for),
		T(the_guest_is_told_when_there_is_room_again),
		T(who_sends_more_than_there_is_room_for_is_cut_off),
		T(a_guest_that_never_stops_has_turns),
		T(a_host_that_never_stops_has_turns),
		T(without_descriptors_who_connects_waits),
		T(without_buffers_the_guest_waits_and_nothing_is_lost),
		T(a_reset_ends_all_and_the_driver_hears_of_it),
		T(who_comes_before_the_driver_is_not_kept_waiting),
		T(packets_that_make_no_sense_are_answered_with_a_reset),
		T(short_buffers_break_the_device),
		T(there_are_as_many_connections_as_there_are),
		T(any_packet_is_survived),
		T(options_that_cannot_be_are_refused),
		T(half_of_the_hosts_files_are_not_the_guests),
	};

	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 4096, 4096 });
	return cmocka_run_group_tests_name("vsock", tests, NULL, NULL);
}
