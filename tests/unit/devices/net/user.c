/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network that libslirp makes, as a guest sees it that writes its packets by hand.
 * Answers must be there when the notification returns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "net.h"

#define MAC      "\x52\x54\x00\x12\x34\x56"
#define GUEST    "\x0a\x00\x02\x0f"
#define HOST     "\x0a\x00\x02\x02"
#define OFFLOADS (NET_BIT(CSUM) | NET_BIT(GUEST_CSUM) | NET_BIT(GUEST_TSO4) | NET_BIT(HOST_TSO4) | NET_BIT(MRG_RXBUF))
#define SYN      2
#define RST      4
#define PSH      8
#define ACK      16
#define URG      32
#define HEADERS  54 /* Ethernet, IPv4, TCP */

static int setup(void **state)
{
	struct driver *d = driver_new("virtio-net");

	*state = d;
	return !d;
}

static int teardown(void **state)
{
	driver_free(*state);
	return 0;
}

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }

/* Who has the host's address? Afterwards libslirp knows ours. */
static void ask_for_host(struct driver *d)
{
	uint8_t arp[42] = "\xff\xff\xff\xff\xff\xff" MAC "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01" MAC GUEST;
	const uint8_t *got = net_offer(d, 2048);

	memcpy(arp + 38, HOST, 4);
	net_transmit(d, NULL, arp, sizeof(arp));
	assert_true(net_received(d) >= 12 + 42);
	assert_int_equal(get16(got + 12 + 20), 2);
	assert_memory_equal(got + 12 + 28, HOST, 4);
}

static void the_host_answers_at_once(void **state)
{
	driver_start(*state, 0);
	ask_for_host(*state);
}

/* ---- TCP ---- */

struct tcp {
	struct driver *d;
	unsigned port;
	uint32_t seq, ack;
	uint8_t *got; /* the buffer that is next */
};

/* With TCP's checksum left to do, as a guest with offloads does. @segment: 0, or the size to be cut into. */
static void tcp_send(struct tcp *t, unsigned flags, const uint8_t *data, uint32_t bytes, unsigned segment)
{
	unsigned options = flags & SYN ? 4 : 0, length = 20 + options + bytes;
	uint8_t *f = calloc(1, HEADERS + options + bytes), *ip = f + 14, *tcp = f + 34;
	const struct virtio_net_hdr hdr = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = segment ? VIRTIO_NET_HDR_GSO_TCPV4 : 0,
		.hdr_len = HEADERS,
		.gso_size = (uint16_t)segment,
		.csum_start = 34,
		.csum_offset = 16,
	};

	memcpy(f, "\x52\x55\x0a\x00\x02\x02" MAC "\x08\x00", 14);
	memcpy(ip, "\x45\x00\x00\x00\x00\x00\x40\x00\x40\x06\x00\x00" GUEST HOST, 20);
	net_put16(ip + 2, 20 + length);
	net_put16(ip + 10, (uint16_t)~net_sum(ip, 20, 0));
	net_put16(tcp, 4000);
	net_put16(tcp + 2, t->port);
	net_put32(tcp + 4, t->seq);
	net_put32(tcp + 8, t->ack);
	tcp[12] = (uint8_t)((20 + options) / 4 << 4);
	tcp[13] = (uint8_t)flags;
	net_put16(tcp + 14, 65535);
	net_put16(tcp + 18, flags & URG ? bytes : 0);
	net_put16(tcp + 16, net_sum(ip + 12, 8, IPPROTO_TCP + length));
	if (options)
		memcpy(tcp + 20, "\x02\x04\x05\xb4", 4); /* segments of 1460 bytes */
	if (bytes)
		memcpy(tcp + 20 + options, data, bytes);
	net_transmit(t->d, &hdr, f, HEADERS + options + bytes);
	t->seq += bytes + (flags & SYN ? 1 : 0);
	free(f);
}

/* A server of the host that listens on any port. */
static int listen_on_host(unsigned *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* The server's side of a connection that the guest has made. @seq: its first sequence number. */
static int connect_guest_from(struct tcp *t, struct driver *d, uint64_t features, uint32_t seq)
{
	int listener, server;

	driver_start(d, features);
	ask_for_host(d);
	*t = (struct tcp){ .d = d, .seq = seq, .got = net_offer(d, 70000) };
	listener = listen_on_host(&t->port);
	tcp_send(t, SYN, NULL, 0, 0);
	assert_true(net_wait(d) >= 12 + HEADERS);
	assert_int_equal(t->got[12 + 47] & (SYN | ACK), SYN | ACK);
	t->ack = get32(t->got + 12 + 38) + 1;
	t->got = net_offer(d, 70000);
	tcp_send(t, ACK, NULL, 0, 0);
	server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	close(listener);
	return server;
}

static int connect_guest(struct tcp *t, struct driver *d, uint64_t features)
{
	return connect_guest_from(t, d, features, 1000);
}

static uint8_t *pattern(size_t bytes)
{
	uint8_t *p = malloc(bytes);

	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(i * 2654435761u >> 11);
	return p;
}

/* What comes out at the server; the loop runs until all is there, at most for a second. */
static void read_up(struct tcp *t, int server, uint8_t *seen, size_t bytes)
{
	size_t have = 0;

	for (unsigned i = 0; i < 1000 && have < bytes; i++) {
		ssize_t n = recv(server, seen + have, bytes - have, MSG_DONTWAIT);

		if (n > 0)
			have += (size_t)n;
		else
			fake_loop_ms(t->d->vm.loop, 1);
	}
	assert_int_equal(have, bytes);
}

static void sixty_four_kilobytes_go_up_in_one_piece(void **state)
{
	const unsigned bytes = 65535 - 40;
	uint8_t *data = pattern(bytes), *seen = malloc(bytes);
	struct tcp t;
	int server = connect_guest(&t, *state, OFFLOADS);

	tcp_send(&t, ACK | PSH, data, bytes, 1460);
	/* It is acknowledged when the notification returns. */
	assert_int_equal(net_received(t.d), 12 + HEADERS);
	assert_int_equal(get32(t.got + 12 + 42), t.seq);
	read_up(&t, server, seen, bytes);
	assert_memory_equal(seen, data, bytes);
	close(server);
	free(data);
	free(seen);
}

/* Reads @bytes off the wire into @seen; the largest frame. */
static uint32_t read_down(struct tcp *t, uint8_t *seen, uint32_t bytes, bool marked)
{
	uint32_t start = t->ack, most = 0;

	while (t->ack - start < bytes) {
		uint32_t n = net_wait(t->d), length;
		const struct virtio_net_hdr *hdr = (void *)t->got;
		const uint8_t *ip = t->got + 12 + 14, *tcp = ip + 20;
		uint16_t pseudo;

		assert_in_range(n, 12 + HEADERS, 12 + 65550);
		length = get16(ip + 2) - 40;
		pseudo = net_sum(ip + 12, 8, IPPROTO_TCP + 20 + length);
		most = length > most ? length : most;
		assert_int_equal(get32(tcp + 4), t->ack);
		if (length > 1460) {
			assert_true(marked);
			assert_int_equal(hdr->flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
			assert_int_equal(hdr->gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
			assert_int_equal(hdr->gso_size, 1460);
			assert_int_equal(hdr->csum_start, 34);
			assert_int_equal(hdr->csum_offset, 16);
			assert_int_equal(get16(tcp + 16), pseudo);
		} else {
			assert_int_equal(hdr->gso_type, 0);
			assert_int_equal(net_sum(tcp, 20 + length, pseudo), 0xffff);
		}
		memcpy(seen + (t->ack - start), tcp + 20, length);
		t->ack += length;
		t->got = net_offer(t->d, 70000);
		tcp_send(t, ACK, NULL, 0, 0);
	}
	return most;
}

static void large_segments_come_down_marked_as_many(void **state)
{
	const uint32_t bytes = 100000;
	uint8_t *data = pattern(bytes), *seen = malloc(bytes);
	struct tcp t;
	int server = connect_guest(&t, *state, OFFLOADS);

	assert_int_equal(send(server, data, bytes, MSG_DONTWAIT), bytes);
	assert_in_range(read_down(&t, seen, bytes, true), 16384, 65535);
	assert_memory_equal(seen, data, bytes);
	close(server);
	free(data);
	free(seen);
}

static void a_guest_without_offloads_gets_segments_of_its_size(void **state)
{
	const uint32_t bytes = 20000;
	uint8_t *data = pattern(bytes), *seen = malloc(bytes);
	struct tcp t;
	int server = connect_guest(&t, *state, NET_BIT(CSUM));

	assert_int_equal(send(server, data, bytes, MSG_DONTWAIT), bytes);
	assert_in_range(read_down(&t, seen, bytes, false), 1, 1460);
	assert_memory_equal(seen, data, bytes);
	close(server);
	free(data);
	free(seen);
}

static void what_waits_is_not_what_the_guest_has_refused_since(void **state)
{
	const uint64_t less = NET_BIT(GUEST_CSUM);
	const struct virtio_net_hdr *hdr;
	uint8_t *data = pattern(100000);
	struct tcp t;
	int server = connect_guest(&t, *state, OFFLOADS | NET_BIT(CTRL_VQ) | NET_BIT(CTRL_GUEST_OFFLOADS));

	/* One has a buffer, the others wait for one. */
	assert_int_equal(send(server, data, 100000, MSG_DONTWAIT), 100000);
	assert_true(net_wait(t.d) > 12 + HEADERS + 1460);
	fake_loop_ms(t.d->vm.loop, 20);
	assert_int_equal(
		net_control(t.d, VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, &less, 8),
		VIRTIO_NET_OK);
	hdr = (void *)net_offer(t.d, 70000);
	net_received(t.d);
	assert_int_equal(hdr->gso_type, VIRTIO_NET_HDR_GSO_NONE);
	close(server);
	free(data);
}

/* ---- What ends libslirp, or did ---- */

static void urgent_data_is_like_any(void **state)
{
	uint8_t *data = pattern(3000), seen[3000];
	struct tcp t;
	int server = connect_guest(&t, *state, OFFLOADS);

	for (unsigned at = 0; at < 3000; at += 1000)
		tcp_send(&t, ACK | URG, data + at, 1000, 0);
	read_up(&t, server, seen, sizeof(seen));
	assert_memory_equal(seen, data, sizeof(seen));
	close(server);
	free(data);
}

/* libslirp 4.7 takes its own state for a segment when the next sequence number is 0. */
static void what_is_out_of_order_may_not_end_at_a_zero(void **state)
{
	uint8_t *data = pattern(300), seen[300];
	struct tcp t;
	int server = connect_guest_from(&t, *state, OFFLOADS, (uint32_t)-201);

	t.seq = (uint32_t)-100;
	tcp_send(&t, ACK, data + 100, 100, 0);
	t.seq = (uint32_t)-200;
	tcp_send(&t, ACK, data, 100, 0);
	/* Again, in another size: nothing is lost by that. */
	tcp_send(&t, ACK, data + 100, 200, 0);
	read_up(&t, server, seen, sizeof(seen));
	assert_memory_equal(seen, data, sizeof(seen));
	close(server);
	free(data);
}

/* As a guest that looks at nothing. */
static void run_and_forget(struct driver *d)
{
	fake_loop_ms(d->vm.loop, 20);
	while (net_received(d))
		net_offer(d, 70000);
}

/* libslirp knows no echoes outside, and says so each time. */
static void what_libslirp_says_does_not_fill_the_terminal(void **state)
{
	uint8_t f[62] = "\x33\x33\x00\x00\x00\x01" MAC "\x86\xdd\x60\x00\x00\x00\x00\x08\x3a\x40\xfe\xc0";
	char *said;

	driver_start(*state, OFFLOADS);
	f[37] = 0x15;
	memcpy(f + 38, "\x20\x01\x0d\xb8", 4);
	f[54] = 128;
	net_put16(f + 56, (uint16_t)~net_sum(f + 54, 8, net_sum(f + 22, 32, 58 + 8)));
	stderr_begin();
	for (unsigned i = 0; i < 1000; i++)
		net_transmit(*state, NULL, f, sizeof(f));
	said = stderr_end();
	assert_non_null(strstr(said, "guest: libslirp: "));
	assert_null(strstr(said, "CRITICAL"));
	assert_in_range(strlen(said), 1, 5000);
	free(said);
}

/* Debian's libslirp 4.7 takes it for the whole, and its bytes for pointers. */
static void a_last_fragment_that_comes_first_is_no_end_of_us(void **state)
{
	uint8_t f[200] = "\x52\x55\x0a\x00\x02\x02" MAC "\x08\x00\x45\x00\x00\xba\x00\x01\x00\x4b\x40\x11";
	struct tcp t;

	driver_start(*state, OFFLOADS);
	ask_for_host(*state);
	memcpy(f + 26, GUEST HOST, 8);
	net_put16(f + 24, (uint16_t)~net_sum(f + 14, 20, 0));
	memset(f + 34, 0x11, sizeof(f) - 34);
	net_transmit(*state, NULL, f, sizeof(f));
	net_transmit(*state, NULL, f, sizeof(f));
	close(connect_guest(&t, *state, OFFLOADS));
}

/* Nothing more can be read for the guest, and there is something to be written when the server goes. */
static void a_server_that_goes_while_all_is_full_is_no_end_of_us(void **state)
{
	const uint32_t bytes = 1 << 20;
	uint8_t *data = pattern(bytes), *seen = malloc(bytes);
	struct tcp t;
	int server = connect_guest(&t, *state, OFFLOADS), small = 4096;

	/* By this the host's windows have grown. */
	for (unsigned i = 0; i < 4; i++) {
		for (uint32_t at = 0; at < bytes;) {
			ssize_t n = send(server, data + at, bytes - at, MSG_DONTWAIT);

			assert_true(n > 0);
			read_down(&t, seen, (uint32_t)n, true);
			at += (uint32_t)n;
		}
	}
	setsockopt(server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (unsigned i = 0; i < 8; i++)
		net_offer(t.d, 70000);
	/* It reads whole segments: 3 of 32768 bytes are what is left of libslirp 4.7's buffer. */
	assert_int_equal(send(server, data, 98139, MSG_DONTWAIT), 98139);
	run_and_forget(t.d);
	assert_true(send(server, data, bytes, MSG_DONTWAIT) > 0);
	run_and_forget(t.d);
	for (unsigned i = 0; i < 150; i++) {
		tcp_send(&t, ACK, data, 60000, 1460);
		if (i % 4 == 0)
			run_and_forget(t.d);
	}
	close(server);
	run_and_forget(t.d);
	free(data);
	free(seen);
	/* We live. */
	close(connect_guest(&t, *state, OFFLOADS));
}

/* The host has no room for one more connection at first, and then nobody listens any more. */
static void a_connection_that_is_refused_late_is_refused(void **state)
{
	struct driver *d = *state;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct tcp t = { .d = d, .seq = 1000 };
	int listener, waiting[3];

	driver_start(d, OFFLOADS);
	ask_for_host(d);
	listener = listen_on_host(&t.port);
	listen(listener, 0);
	a.sin_port = htons((uint16_t)t.port);
	for (unsigned i = 0; i < ARRAY_SIZE(waiting); i++) {
		waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(waiting[i], (struct sockaddr *)&a, sizeof(a));
	}
	t.got = net_offer(d, 2048);
	tcp_send(&t, SYN, NULL, 0, 0);
	fake_loop_ms(d->vm.loop, 20);
	assert_int_equal(net_received(d), 0);
	close(listener);
	for (unsigned i = 0; i < 4 && !net_received(d); i++)
		fake_loop_ms(d->vm.loop, 1000);
	assert_true(t.got[12 + 47] & RST);
	for (unsigned i = 0; i < ARRAY_SIZE(waiting); i++)
		close(waiting[i]);
}

/* What may come of it libslirp decides; we look that we live, and that the next connection does. */
static void packets_that_lie_are_taken(void **state)
{
	struct driver *d = *state;
	uint8_t f[200];
	uint32_t seed = 1;
	struct tcp t;

	driver_start(d, OFFLOADS);
	ask_for_host(d);
	for (unsigned i = 0; i < 3000; i++) {
		struct virtio_net_hdr hdr = { .flags = i & 1, .csum_start = 34, .csum_offset = 16 };
		uint32_t bytes = 60 + i % 140;

		for (unsigned k = 0; k < sizeof(f); k++)
			f[k] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		memcpy(f, "\x52\x55\x0a\x00\x02\x02" MAC, 12);
		memcpy(f + 12, i & 2 ? "\x86\xdd" : "\x08\x00", 2);
		f[14] = i & 2 ? 0x60 : (uint8_t)(0x40 | (i / 4 % 16));
		f[i & 2 ? 20 : 23] = i & 4 ? 6 : 17;
		f[46] = (uint8_t)(i << 4);
		f[47] |= SYN;
		if (!(i & 2)) {
			net_put16(f + 24, 0);
			net_put16(f + 16, i & 8 ? bytes - 14 : i);
			f[20] = f[21] = 0;
			net_put16(f + 24, (uint16_t)~net_sum(f + 14, (f[14] & 15) * 4u, 0));
		}
		net_transmit(d, &hdr, f, bytes);
	}
	assert_false(driver_broken(d));
	close(connect_guest(&t, d, OFFLOADS));
}

static void forwards_are_there_before_the_guest_and_after_its_reset(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct driver *d;
	char *said, *port;

	(void)state;
	stderr_begin();
	d = driver_new("virtio-net,user,hostfwd=tcp::0-:22");
	said = stderr_end();
	assert_non_null(d);
	port = strstr(said, "127.0.0.1:");
	assert_non_null(port);
	a.sin_port = htons((uint16_t)atoi(port + 10));
	free(said);
	for (unsigned i = 0; i < 2; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		const uint8_t *got;

		assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
		driver_start(d, 0);
		ask_for_host(d);
		got = net_offer(d, 2048);
		/* The first it says is that it looks for the guest, or a SYN for port 22 of it. */
		assert_true(net_wait(d) > 12 + 40);
		assert_true(get16(got + 12 + 12) == 0x0806 || (got[12 + 47] & SYN && get16(got + 12 + 36) == 22));
		close(fd);
		devices_reset(&d->vm.devices);
	}
	driver_free(d);
}

static void options_that_make_no_sense_are_refused(void **state)
{
	static const char *const rows[][2] = {
		{ "virtio-net,user,net=10.0.2.0", "4 to 27 bits" },
		{ "virtio-net,user,net=10.0.2.0/28", "4 to 27 bits" },
		{ "virtio-net,user,net=x/24", "10.0.2.0/24" },
		{ "virtio-net,user,net6=fec0::/65", "8 to 64 bits" },
		{ "virtio-net,user,dns=1.2.3.4", "one of 10.0.2.0/24" },
		{ "virtio-net,user,dns=10.0.2.2", "not its second" },
		{ "virtio-net,user,ipv4=perhaps", "neither on nor off" },
		{ "virtio-net,user,queues=2", "one pair" },
		{ "virtio-net,user,tftp=/nonexistent", "No such file" },
		{ "virtio-net,user,hostfwd=tcp:1-:2", "use one like" },
		{ "virtio-net,user,hostfwd=udp:[::1]:0-:53", "has to be the one it answers from" },
		{ "virtio-net,user,mtu=67", "68 to 65535" },
		{ "virtio-net,user,mac=1:2:3", "52:54:00:12:34:56" },
		{ "virtio-net,user,mac=52:54:00:12:34:567", "52:54:00:12:34:56" },
		{ "virtio-net,user,mac=52: 4:00:12:34:56", "52:54:00:12:34:56" },
		{ "virtio-net,user,mac=53:54:00:12:34:56", "must be even" },
		{ "virtio-net,users", "there are socket, tap, user" },
		{ "virtio-net,user,path=x", "\"path\" is an option of socket" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		driver_refused(rows[i][0], rows[i][1]);
}

static void a_port_that_is_taken_is_named(void **state)
{
	unsigned port;
	int fd = listen_on_host(&port);
	char options[96], *said;

	(void)state;
	snprintf(options, sizeof(options), "virtio-net,user,hostfwd=tcp:127.0.0.1:%u-:22", port);
	stderr_begin();
	assert_null(driver_new(options));
	said = stderr_end();
	assert_non_null(strstr(said, "is in use on this host"));
	free(said);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_host_answers_at_once),
		TEST(sixty_four_kilobytes_go_up_in_one_piece),
		TEST(large_segments_come_down_marked_as_many),
		TEST(a_guest_without_offloads_gets_segments_of_its_size),
		TEST(what_waits_is_not_what_the_guest_has_refused_since),
		TEST(urgent_data_is_like_any),
		TEST(what_is_out_of_order_may_not_end_at_a_zero),
		TEST(what_libslirp_says_does_not_fill_the_terminal),
		TEST(a_last_fragment_that_comes_first_is_no_end_of_us),
		TEST(a_server_that_goes_while_all_is_full_is_no_end_of_us),
		TEST(a_connection_that_is_refused_late_is_refused),
		TEST(packets_that_lie_are_taken),
		cmocka_unit_test(forwards_are_there_before_the_guest_and_after_its_reset),
		cmocka_unit_test(options_that_make_no_sense_are_refused),
		cmocka_unit_test(a_port_that_is_taken_is_named),
	};

	return cmocka_run_group_tests_name("user", tests, NULL, NULL);
}
