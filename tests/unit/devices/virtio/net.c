/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device whose host end is one of a pair of sockets: the other is the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <spec/board.h>
#include "net.h"

#define MAC "\x52\x54\x00\x00\x00\x01"
#define FILTERS \
	(NET_BIT(CTRL_VQ) | NET_BIT(CTRL_RX) | NET_BIT(CTRL_RX_EXTRA) | NET_BIT(CTRL_VLAN) | NET_BIT(CTRL_MAC_ADDR))
#define GUEST_CSUM  NET_BIT(GUEST_CSUM)
#define FRAME_BYTES 60
#define EVERYTHING  UINT64_C(0xffffff) /* that a network device has */

struct fixture {
	struct driver *d;
	int wire;
	uint8_t seen[1 << 20];
	size_t seen_bytes;
};

static struct fixture *with(const char *options)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char text[160];
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	snprintf(text, sizeof(text), "virtio-net,socket,fd=%d,mac=52:54:00:00:00:01%s", fd[0], options);
	f->wire = fd[1];
	f->d = driver_new(text);
	assert_non_null(f->d);
	return f;
}

static int setup(void **state)
{
	*state = with("");
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_free(f->d);
	close(f->wire);
	free(f);
	return 0;
}

/* What comes out at the wire: bytes of the frame, -1: none that is whole yet. */
static int wire_read(struct fixture *f, uint8_t *frame)
{
	ssize_t n;
	uint32_t length;

	while ((n = recv(f->wire, f->seen + f->seen_bytes, sizeof(f->seen) - f->seen_bytes, MSG_DONTWAIT)) > 0)
		f->seen_bytes += (size_t)n;
	memcpy(&length, f->seen, 4);
	length = ntohl(length);
	if (f->seen_bytes < 4 || f->seen_bytes < 4 + length)
		return -1;
	assert_in_range(length, 14, 65600);
	memcpy(frame, f->seen + 4, length);
	f->seen_bytes -= 4 + length;
	memmove(f->seen, f->seen + 4 + length, f->seen_bytes);
	return (int)length;
}

static void wire_write(struct fixture *f, const void *frame, uint32_t bytes)
{
	uint32_t length = htonl(bytes);

	assert_int_equal(send(f->wire, &length, 4, 0), 4);
	assert_int_equal(send(f->wire, frame, bytes, 0), bytes);
}

static void fill(uint8_t *frame, const char *to, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		frame[i] = (uint8_t)(i * 7);
	memcpy(frame, to, 6);
}

/* Does a frame for @to reach the guest? */
static bool passes(struct fixture *f, const char *to)
{
	uint8_t frame[FRAME_BYTES];
	const uint8_t *got = net_offer(f->d, 2048);
	uint32_t bytes;

	fill(frame, to, sizeof(frame));
	frame[12] = frame[13] = 0;
	wire_write(f, frame, sizeof(frame));
	/* Behind it one that always passes, so that nothing has to be waited for in vain. */
	fill(frame, "\xff\xff\xff\xff\xff\xff", sizeof(frame));
	wire_write(f, frame, sizeof(frame));
	bytes = net_wait(f->d);
	assert_int_equal(bytes, 12 + FRAME_BYTES);
	if (!memcmp(got + 12, "\xff\xff\xff\xff\xff\xff", 6))
		return false;
	net_offer(f->d, 2048);
	assert_int_equal(net_wait(f->d), 12 + FRAME_BYTES);
	return true;
}

static void a_frame_goes_out_as_it_is(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[FRAME_BYTES], got[FRAME_BYTES];

	driver_start(f->d, EVERYTHING);
	fill(frame, MAC, sizeof(frame));
	net_transmit(f->d, NULL, frame, sizeof(frame));
	assert_int_equal(wire_read(f, got), FRAME_BYTES);
	assert_memory_equal(got, frame, FRAME_BYTES);
}

static void frames_go_out_in_order_and_none_is_lost_when_the_peer_is_slow(void **state)
{
	struct fixture *f = *state;
	uint8_t *frame = calloc(1, 60000), *got = calloc(1, 65600);
	uint32_t sent = 0, seen = 0;
	const uint64_t none = 0;

	driver_start(f->d, GUEST_CSUM | NET_BIT(CTRL_VQ) | NET_BIT(CTRL_GUEST_OFFLOADS));
	fill(frame, MAC, 60000);
	/* Until the device holds one back: neither the socket nor the device has room then. */
	for (bool done = true; done && sent < 100;) {
		uint64_t at = driver_alloc(f->d, 60012);

		memcpy(frame + 20, &sent, 4);
		memcpy((char *)driver_ptr(f->d, at) + 12, frame, 60000);
		driver_add(f->d, NET_TX, at, 60012, 0, 0);
		driver_notify(f->d, NET_TX);
		sent++;
		done = driver_done(f->d, NET_TX, NULL, NULL);
	}
	assert_in_range(sent, 2, 99);
	/* What the guest says about frames for it has nothing to do with that one. */
	assert_int_equal(
		net_control(f->d, VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, &none, 8),
		VIRTIO_NET_OK);
	for (unsigned i = 0; i < 1000 && seen < sent; i++) {
		while (wire_read(f, got) == 60000) {
			assert_memory_equal(got + 20, &seen, 4);
			seen++;
		}
		fake_loop_ms(f->d->vm.loop, 1);
	}
	assert_int_equal(seen, sent);
	assert_true(driver_done(f->d, NET_TX, NULL, NULL));
	free(frame);
	free(got);
}

static void a_checksum_left_to_do_is_done(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[61], got[61];
	const struct virtio_net_hdr hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					    .csum_start = 34,
					    .csum_offset = 16 };

	driver_start(f->d, NET_BIT(CSUM));
	fill(frame, MAC, sizeof(frame));
	net_transmit(f->d, &hdr, frame, sizeof(frame));
	assert_int_equal(wire_read(f, got), sizeof(frame));
	/* The field held a sum already; with the result in its place, all of it adds up. */
	assert_int_equal(net_sum(got + 34, sizeof(got) - 34, net_sum(frame + 50, 2, 0)), 0xffff);
	memcpy(got + 50, frame + 50, 2);
	assert_memory_equal(got, frame, sizeof(frame));
}

static void headers_that_lie_cost_the_frame_and_no_more(void **state)
{
	static const struct {
		const char *said;
		struct virtio_net_hdr hdr;
		uint32_t bytes;
	} rows[] = {
		{ "less than an Ethernet header", { 0 }, 0 },
		{ "less than an Ethernet header", { 0 }, 13 },
		{ "more bytes than", { 0 }, 65554 },
		{ "checksum outside", { .flags = 1, .csum_start = 34, .csum_offset = 25 }, 60 },
		{ "checksum outside", { .flags = 1, .csum_start = 60, .csum_offset = 0 }, 60 },
		{ "checksum outside", { .flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff }, 60 },
		{ "checksum outside", { .flags = 1, .csum_start = 13, .csum_offset = 2 }, 60 },
		{ "not negotiated", { .flags = 1, .gso_type = 1, .gso_size = 1, .csum_start = 34 }, 60 },
		{ "not negotiated", { .gso_type = 4, .gso_size = 1 }, 60 },
		{ "not negotiated", { .gso_type = 3, .gso_size = 8 }, 60 },
		{ "not negotiated", { .gso_type = 0x7f, .gso_size = 8 }, 60 },
	};
	struct fixture *f = *state;
	uint8_t *frame = calloc(1, 70000), got[FRAME_BYTES];

	driver_start(f->d, NET_BIT(CSUM));
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		char *said;

		stderr_begin();
		net_transmit(f->d, &rows[i].hdr, frame, rows[i].bytes);
		said = stderr_end();
		if (!strstr(said, rows[i].said))
			fail_msg("row %u: wanted \"%s\", said \"%s\"", i, rows[i].said, said);
		free(said);
		assert_int_equal(wire_read(f, got), -1);
	}
	assert_false(driver_broken(f->d));
	net_transmit(f->d, NULL, frame, FRAME_BYTES);
	assert_int_equal(wire_read(f, got), FRAME_BYTES);
	free(frame);
}

static void a_request_shorter_than_a_header_is_dropped(void **state)
{
	struct fixture *f = *state;
	uint8_t got[FRAME_BYTES];

	driver_start(f->d, 0);
	for (uint32_t bytes = 1; bytes < 12; bytes++) {
		driver_add(f->d, NET_TX, driver_alloc(f->d, 12), bytes, 0, 0);
		driver_notify(f->d, NET_TX);
		assert_true(driver_done(f->d, NET_TX, NULL, NULL));
	}
	/* And one that has nothing to read at all. */
	driver_add(f->d, NET_TX, 0, 0, driver_alloc(f->d, 100), 100);
	driver_notify(f->d, NET_TX);
	assert_true(driver_done(f->d, NET_TX, NULL, NULL));
	assert_int_equal(wire_read(f, got), -1);
	assert_false(driver_broken(f->d));
}

static void a_frame_comes_in_behind_an_empty_header(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[FRAME_BYTES];
	const struct virtio_net_hdr empty = { .num_buffers = 1 };
	const uint8_t *got;

	driver_start(f->d, EVERYTHING);
	got = net_offer(f->d, 2048);
	fill(frame, MAC, sizeof(frame));
	wire_write(f, frame, sizeof(frame));
	assert_int_equal(net_wait(f->d), 12 + FRAME_BYTES);
	assert_memory_equal(got, &empty, 12);
	assert_memory_equal(got + 12, frame, FRAME_BYTES);
	assert_int_equal(f->d->vm.raised[BOARD_VIRTIO_SPI], 1);
}

static void a_frame_is_spread_over_mergeable_buffers(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[1000], whole[12 + 1000];
	const uint8_t *got[4];
	static const uint32_t room[4] = { 5, 300, 300, 1000 };

	driver_start(f->d, NET_BIT(MRG_RXBUF));
	for (unsigned i = 0; i < 4; i++)
		got[i] = net_offer(f->d, room[i]);
	fill(frame, MAC, sizeof(frame));
	wire_write(f, frame, sizeof(frame));
	assert_int_equal(net_wait(f->d), 5);
	assert_int_equal(net_received(f->d), 300);
	assert_int_equal(net_received(f->d), 300);
	assert_int_equal(net_received(f->d), 1012 - 605);
	memcpy(whole, got[0], 5);
	memcpy(whole + 5, got[1], 300);
	memcpy(whole + 305, got[2], 300);
	memcpy(whole + 605, got[3], 407);
	assert_int_equal(whole[10] | whole[11] << 8, 4); /* num_buffers */
	assert_memory_equal(whole + 12, frame, sizeof(frame));
}

static void a_frame_waits_for_buffers(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[1000];

	driver_start(f->d, NET_BIT(MRG_RXBUF));
	fill(frame, MAC, sizeof(frame));
	wire_write(f, frame, sizeof(frame));
	wire_write(f, frame, sizeof(frame));
	fake_loop_ms(f->d->vm.loop, 20);
	assert_int_equal(net_received(f->d), 0);
	/* Half of what it takes is not taken. */
	net_offer(f->d, 600);
	assert_int_equal(net_received(f->d), 0);
	net_offer(f->d, 600);
	assert_int_equal(net_received(f->d), 600);
	assert_int_equal(net_received(f->d), 412);
	net_offer(f->d, 1012);
	assert_int_equal(net_received(f->d), 1012);
}

static void without_mergeable_buffers_what_does_not_fit_one_is_lost(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[3000];

	driver_start(f->d, 0);
	net_offer(f->d, 1526);
	net_offer(f->d, 1526);
	fill(frame, MAC, sizeof(frame));
	wire_write(f, frame, sizeof(frame));
	wire_write(f, frame, 1514);
	assert_int_equal(net_wait(f->d), 1526);
	assert_int_equal(net_received(f->d), 0);
	assert_false(driver_broken(f->d));
}

static void buffers_of_one_byte_are_no_reason_to_fall_over(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[FRAME_BYTES];

	driver_start(f->d, NET_BIT(MRG_RXBUF));
	for (unsigned i = 0; i < DRIVER_ENTRIES; i++)
		net_offer(f->d, 1);
	fill(frame, MAC, sizeof(frame));
	wire_write(f, frame, sizeof(frame));
	fake_loop_ms(f->d->vm.loop, 20);
	assert_int_equal(net_received(f->d), 0);
	assert_false(driver_broken(f->d));
}

static void filters_pass_what_the_driver_wants(void **state)
{
	static const uint8_t off = 0, on = 1;
	static const uint8_t tables[] = "\1\0\0\0"
					"\x52\x54\0\0\0\7"
					"\1\0\0\0"
					"\x01\0\x5e\0\0\1";
	struct fixture *f = *state;

	driver_start(f->d, FILTERS);
	assert_true(passes(f, "\x52\x54\0\0\0\7"));
	assert_int_equal(net_control(f->d, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1), VIRTIO_NET_OK);
	assert_true(passes(f, MAC));
	assert_false(passes(f, "\x52\x54\0\0\0\7"));
	assert_false(passes(f, "\x01\0\x5e\0\0\1"));
	assert_int_equal(net_control(f->d, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, tables, 20),
			 VIRTIO_NET_OK);
	assert_true(passes(f, "\x52\x54\0\0\0\7"));
	assert_true(passes(f, "\x01\0\x5e\0\0\1"));
	assert_false(passes(f, "\x01\0\x5e\0\0\2"));
	assert_int_equal(net_control(f->d, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, &on, 1), VIRTIO_NET_OK);
	assert_true(passes(f, "\x01\0\x5e\0\0\2"));
	assert_int_equal(net_control(f->d, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOUNI, &on, 1), VIRTIO_NET_OK);
	assert_false(passes(f, MAC));
	/* A reset forgets it all. */
	driver_start(f->d, FILTERS);
	assert_true(passes(f, "\x52\x54\0\0\0\x8"));
}

static void vlans_pass_by_their_number(void **state)
{
	static const uint8_t off = 0;
	struct fixture *f = *state;
	uint8_t frame[FRAME_BYTES];
	const uint16_t id = 0x123;

	driver_start(f->d, FILTERS);
	net_control(f->d, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
	fill(frame, MAC, sizeof(frame));
	memcpy(frame + 12, "\x81\x00\x61\x23", 4);
	net_offer(f->d, 2048);
	wire_write(f, frame, sizeof(frame));
	fake_loop_ms(f->d->vm.loop, 20);
	assert_int_equal(net_received(f->d), 0);
	assert_int_equal(net_control(f->d, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &id, 2), VIRTIO_NET_OK);
	wire_write(f, frame, sizeof(frame));
	assert_int_equal(net_wait(f->d), 12 + FRAME_BYTES);
	assert_int_equal(net_control(f->d, VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, &id, 2), VIRTIO_NET_OK);
	net_offer(f->d, 2048);
	wire_write(f, frame, sizeof(frame));
	fake_loop_ms(f->d->vm.loop, 20);
	assert_int_equal(net_received(f->d), 0);
}

static void control_commands_that_make_no_sense_are_answered_so(void **state)
{
	static const uint8_t many[] = "\xff\xff\xff\xff"
				      "\0\0\0\0",
			     cut[] = "\2\0\0\0"
				     "\x52\x54\0\0\0\7"
				     "\0\0\0\0";
	static const uint16_t vlan = 4096, pairs = 2, none = 0;
	static const uint64_t offloads = UINT64_C(1) << 60, no_csum = NET_BIT(GUEST_TSO4),
			      no_tso = GUEST_CSUM | NET_BIT(GUEST_ECN);
	static const struct {
		uint8_t class, command;
		const void *data;
		uint32_t bytes;
	} rows[] = {
		{ 0xff, 0, "\1", 1 },
		{ VIRTIO_NET_CTRL_RX, 6, "\1", 1 },
		{ VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, NULL, 0 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, NULL, 0 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, many, 8 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, cut, 14 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, cut, 3 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, MAC, 5 },
		{ VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, MAC "\0", 7 },
		{ VIRTIO_NET_CTRL_MAC, 2, MAC, 6 },
		{ VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &vlan, 2 },
		{ VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, &vlan, 1 },
		{ VIRTIO_NET_CTRL_VLAN, 2, &vlan, 2 },
		{ VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0 },
		{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs, 2 },
		{ VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &none, 2 },
		{ VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, &offloads, 8 },
		{ VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, &offloads, 7 },
		{ VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, &no_csum, 8 },
		{ VIRTIO_NET_CTRL_GUEST_OFFLOADS, VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET, &no_tso, 8 },
	};
	struct fixture *f = *state;

	driver_start(f->d, EVERYTHING);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (net_control(f->d, rows[i].class, rows[i].command, rows[i].data, rows[i].bytes) != VIRTIO_NET_ERR)
			fail_msg("row %u was accepted", i);
	/* Without even a command; with no room for the answer. */
	driver_add(f->d, NET_CTRL, driver_alloc(f->d, 1), 1, driver_alloc(f->d, 1), 1);
	driver_add(f->d, NET_CTRL, driver_alloc(f->d, 2), 2, 0, 0);
	driver_notify(f->d, NET_CTRL);
	assert_true(driver_done(f->d, NET_CTRL, NULL, NULL));
	assert_true(driver_done(f->d, NET_CTRL, NULL, NULL));
	assert_false(driver_broken(f->d));
	assert_true(passes(f, MAC));
}

static void a_table_with_more_addresses_than_we_know_passes_all(void **state)
{
	static const uint8_t off = 0;
	struct fixture *f = *state;
	uint8_t tables[4 + 100 * 6 + 4] = { 100 };

	driver_start(f->d, FILTERS);
	net_control(f->d, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
	assert_false(passes(f, "\x52\x54\0\0\0\7"));
	assert_int_equal(
		net_control(f->d, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, tables, sizeof(tables)),
		VIRTIO_NET_OK);
	assert_true(passes(f, "\x52\x54\0\0\0\7"));
	assert_false(passes(f, "\x01\0\x5e\0\0\1"));
}

static uint32_t config(struct driver *d, unsigned offset) { return driver_reg(d, VIRTIO_MMIO_CONFIG + offset); }

static void a_mac_that_was_set_lasts_until_reset(void **state)
{
	static const uint8_t off = 0;
	struct fixture *f = *state;

	driver_start(f->d, FILTERS);
	net_control(f->d, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
	assert_int_equal(net_control(f->d, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, "\x52\x54\0\0\0\x9", 6),
			 VIRTIO_NET_OK);
	assert_int_equal(config(f->d, 4) & 0xffff, 0x0900);
	assert_true(passes(f, "\x52\x54\0\0\0\x9"));
	assert_false(passes(f, MAC));
	driver_start(f->d, FILTERS);
	assert_int_equal(config(f->d, 4) & 0xffff, 0x0100);
}

static void a_peer_that_leaves_is_a_link_that_is_down(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[FRAME_BYTES] = { 0 };

	driver_start(f->d, EVERYTHING);
	assert_int_equal(config(f->d, 4) >> 16, VIRTIO_NET_S_LINK_UP);
	close(f->wire);
	f->wire = -1;
	fake_loop_ms(f->d->vm.loop, 20);
	assert_int_equal(config(f->d, 4) >> 16, 0);
	assert_true(driver_reg(f->d, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	net_transmit(f->d, NULL, frame, sizeof(frame));
	assert_false(driver_broken(f->d));
}

/* Do these features come back with FEATURES_OK? */
static bool agrees(struct driver *d, uint64_t features)
{
	const uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK;

	driver_set_reg(d, VIRTIO_MMIO_STATUS, 0);
	driver_set_reg(d, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	driver_set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	driver_set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
	driver_set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	driver_set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES, 1);
	driver_set_reg(d, VIRTIO_MMIO_STATUS, status);
	return driver_reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK;
}

static void features_that_need_others_are_refused_without(void **state)
{
	struct fixture *f = *state;

	assert_true(agrees(f->d, NET_BIT(MAC)));
	assert_false(agrees(f->d, NET_BIT(GUEST_TSO4)));
	assert_true(agrees(f->d, NET_BIT(GUEST_TSO4) | GUEST_CSUM));
	assert_false(agrees(f->d, NET_BIT(GUEST_ECN) | GUEST_CSUM));
	assert_true(agrees(f->d, NET_BIT(GUEST_ECN) | NET_BIT(GUEST_TSO6) | GUEST_CSUM));
	assert_false(agrees(f->d, NET_BIT(CTRL_RX)));
	assert_true(agrees(f->d, NET_BIT(CTRL_RX) | NET_BIT(CTRL_VQ)));
}

static void mtu_and_mac_are_in_the_configuration_space(void **state)
{
	struct fixture *f = with(",mtu=9000");

	(void)state;
	assert_true(driver_offered(f->d) & NET_BIT(MTU));
	assert_int_equal(config(f->d, 0), 0x00005452);
	assert_int_equal(config(f->d, 8) >> 16, 9000);
	assert_int_equal(config(f->d, 8) & 0xffff, 1);
	teardown((void **)&f);
}

static void what_is_larger_than_the_mtu_is_not_passed(void **state)
{
	struct fixture *f = with(",mtu=1000");
	uint8_t frame[1019];

	(void)state;
	driver_start(f->d, NET_BIT(MTU) | NET_BIT(MRG_RXBUF));
	fill(frame, MAC, sizeof(frame));
	net_offer(f->d, 2048);
	wire_write(f, frame, 1019);
	wire_write(f, frame, 1018);
	assert_int_equal(net_wait(f->d), 12 + 1018);
	/* Who does not know of it takes what has room. */
	driver_start(f->d, NET_BIT(MRG_RXBUF));
	net_offer(f->d, 2048);
	wire_write(f, frame, 1019);
	assert_int_equal(net_wait(f->d), 12 + 1019);
	teardown((void **)&f);
}

static void a_frame_for_a_driver_that_has_reset_is_gone(void **state)
{
	struct fixture *f = *state;
	uint8_t frame[FRAME_BYTES];

	driver_start(f->d, 0);
	fill(frame, MAC, sizeof(frame));
	wire_write(f, frame, sizeof(frame));
	fake_loop_ms(f->d->vm.loop, 20); /* it waits for a buffer now */
	driver_set_reg(f->d, VIRTIO_MMIO_STATUS, 0);
	devices_reset(&f->d->vm.devices);
	driver_start(f->d, 0);
	assert_true(passes(f, MAC));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frame_goes_out_as_it_is),
		TEST(frames_go_out_in_order_and_none_is_lost_when_the_peer_is_slow),
		TEST(a_checksum_left_to_do_is_done),
		TEST(headers_that_lie_cost_the_frame_and_no_more),
		TEST(a_request_shorter_than_a_header_is_dropped),
		TEST(a_frame_comes_in_behind_an_empty_header),
		TEST(a_frame_is_spread_over_mergeable_buffers),
		TEST(a_frame_waits_for_buffers),
		TEST(without_mergeable_buffers_what_does_not_fit_one_is_lost),
		TEST(buffers_of_one_byte_are_no_reason_to_fall_over),
		TEST(filters_pass_what_the_driver_wants),
		TEST(vlans_pass_by_their_number),
		TEST(control_commands_that_make_no_sense_are_answered_so),
		TEST(a_table_with_more_addresses_than_we_know_passes_all),
		TEST(a_mac_that_was_set_lasts_until_reset),
		TEST(a_peer_that_leaves_is_a_link_that_is_down),
		TEST(features_that_need_others_are_refused_without),
		cmocka_unit_test(mtu_and_mac_are_in_the_configuration_space),
		cmocka_unit_test(what_is_larger_than_the_mtu_is_not_passed),
		TEST(a_frame_for_a_driver_that_has_reset_is_gone),
	};

	return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
