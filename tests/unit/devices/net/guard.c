/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames that must not reach libslirp; how it takes those that do is tests/unit/devices/net/user.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <string.h>
#include <cmocka.h>
#include <vmm/types.h>
#include "devices/net/guard.h"
#include "net.h"

#define SYN 2
#define ACK 16
#define URG 32

static struct guard guard;

static int setup(void **state)
{
	(void)state;
	memset(&guard, 0, sizeof(guard));
	return 0;
}

/* A segment of the guest, from address x:5 port 1 to x:6 port 2, or one for it. */
static size_t make(uint8_t *f, bool v6, bool answer, uint32_t number, unsigned flags, unsigned bytes)
{
	unsigned tcp = v6 ? 54 : 34, last = v6 ? 37 : 29, size = v6 ? 16 : 4;

	memset(f, 0, 200);
	memcpy(f + 12, v6 ? "\x86\xdd" : "\x08\x00", 2);
	f[14] = v6 ? 0x60 : 0x45;
	net_put16(f + (v6 ? 18 : 16), v6 ? 20 + bytes : 40 + bytes);
	f[v6 ? 20 : 23] = IPPROTO_TCP;
	f[last] = answer ? 6 : 5;
	f[last + size] = answer ? 5 : 6;
	if (v6)
		net_put32(f + (answer ? 42 : 26), 0x10203040); /* bytes 4 to 7 of the guest's address */
	f[tcp + 1] = answer ? 2 : 1;
	f[tcp + 3] = answer ? 1 : 2;
	net_put32(f + tcp + (answer ? 8 : 4), number);
	f[tcp + 12] = 0x50;
	f[tcp + 13] = (uint8_t)flags;
	return tcp + 20 + bytes;
}

static bool passes(bool v6, uint32_t seq, unsigned flags, unsigned bytes)
{
	uint8_t f[200];
	size_t size = make(f, v6, false, seq, flags, bytes);
	struct tcp_place p = tcp_find(f, size);

	assert_true(p.payload);
	return guard_frame(&guard, f, size, &p) == size;
}

static void answer(bool v6, uint32_t ack, unsigned window)
{
	uint8_t f[200];
	size_t size = make(f, v6, true, ack, ACK, 0);
	struct tcp_place p;

	net_put16(f + (v6 ? 54 : 34) + 14, window);
	p = tcp_find(f, size);
	guard_answer(&guard, f, &p);
}

static void only_arp_and_ip_pass(void **state)
{
	static const struct {
		const char *type;
		bool fine;
	} rows[] = { { "\x08\x06", true },  { "\x08\x00", true },  { "\x86\xdd", true },
		     { "\x88\xf8", false }, { "\x81\x00", false }, { "\x00\x2e", false } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t f[60] = { 0 };
		struct tcp_place p;

		memcpy(f + 12, rows[i].type, 2);
		p = tcp_find(f, sizeof(f));
		assert_int_equal(guard_frame(&guard, f, sizeof(f), &p), rows[i].fine ? sizeof(f) : 0);
	}
}

/* A fragment with bytes @from to @to of a datagram of 3000, with number @id; what comes of it. */
static size_t fragment(uint8_t *f, unsigned id, unsigned from, unsigned to)
{
	struct tcp_place p;

	memset(f, 0, 34);
	memcpy(f + 12, "\x08\x00\x45", 3);
	net_put16(f + 16, 20 + to - from);
	net_put16(f + 18, id);
	net_put16(f + 20, from / 8 | (to != 3000 ? 0x2000 : 0));
	f[23] = IPPROTO_UDP;
	net_put16(f + 24, (uint16_t)~net_sum(f + 14, 20, 0));
	for (unsigned i = from; i < to; i++)
		f[34 + i - from] = (uint8_t)(i * 7 + id);
	p = tcp_find(f, 34 + to - from);
	return guard_frame(&guard, f, 34 + to - from, &p);
}

static void assert_whole(const uint8_t *f, size_t bytes, unsigned id)
{
	assert_int_equal(bytes, 34 + 3000);
	assert_int_equal(f[16] << 8 | f[17], 3020);
	assert_int_equal(f[20] | f[21], 0);
	assert_int_equal(net_sum(f + 14, 20, 0), 0xffff);
	for (unsigned i = 0; i < 3000; i++)
		assert_int_equal(f[34 + i], (uint8_t)(i * 7 + id));
}

static void datagrams_are_put_together(void **state)
{
	static uint8_t f[NET_FRAME_MAX];

	(void)state;
	assert_int_equal(fragment(f, 1, 0, 1480), 0);
	assert_int_equal(fragment(f, 2, 0, 1480), 0);
	assert_int_equal(fragment(f, 1, 1480, 2960), 0);
	assert_whole(f, fragment(f, 1, 2960, 3000), 1);
	assert_whole(f, fragment(f, 2, 1480, 3000), 2);
	/* Not a second time. */
	assert_int_equal(fragment(f, 2, 1480, 3000), 0);
}

static void what_does_not_come_in_order_is_dropped(void **state)
{
	static uint8_t f[NET_FRAME_MAX];
	struct tcp_place p;

	(void)state;
	assert_int_equal(fragment(f, 1, 1480, 3000), 0);
	assert_int_equal(fragment(f, 1, 0, 1480), 0);
	assert_int_equal(fragment(f, 1, 1488, 3000), 0);
	assert_int_equal(fragment(f, 1, 1472, 3000), 0);
	assert_whole(f, fragment(f, 1, 1480, 3000), 1);
	/* More than there can be. */
	fragment(f, 3, 0, 1480);
	for (unsigned i = 1; i < 60; i++)
		assert_int_equal(fragment(f, 3, 1480 * i, 1480 * i + 1480), 0);
	/* Lengths that lie. */
	fragment(f, 4, 0, 1480);
	net_put16(f + 16, 1501);
	p = tcp_find(f, 1514);
	assert_int_equal(guard_frame(&guard, f, 1514, &p), 0);
	assert_int_equal(fragment(f, 5, 0, 1479), 0);
	assert_int_equal(fragment(f, 5, 1472, 3000), 0);
}

static void tcp_does_not_pass_in_fragments(void **state)
{
	uint8_t f[200];
	size_t size = make(f, false, false, 1, ACK, 50);
	struct tcp_place p;

	(void)state;
	net_put16(f + 24, (uint16_t)~net_sum(f + 14, 20, 0));
	for (unsigned flags = 1; flags <= 0x2000; flags <<= 1) {
		net_put16(f + 20, flags);
		p = tcp_find(f, size);
		assert_int_equal(guard_frame(&guard, f, size, &p), 0);
	}
}

static void urgent_is_cleared_and_the_checksum_right(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		unsigned tcp = v6 ? 54 : 34;
		uint8_t f[200];
		size_t size = make(f, v6, false, 1, ACK | URG, 7);
		struct tcp_place p = tcp_find(f, size);

		net_put16(f + tcp + 18, 5);
		assert_int_equal(guard_frame(&guard, f, size, &p), size);
		assert_int_equal(f[tcp + 13], ACK);
		assert_int_equal(f[tcp + 18] | f[tcp + 19], 0);
		assert_int_equal(net_sum(f + tcp, 27, net_sum(f + (v6 ? 22 : 26), v6 ? 32 : 8, IPPROTO_TCP + 27)),
				 0xffff);
	}
}

static void nothing_ends_where_libslirp_stumbles(void **state)
{
	uint32_t end[2] = { 0 };
	uint8_t address[4] = { 0x10, 0x20, 0x30, 0x40 };

	(void)state;
	memcpy(&end[1], address, 4);
	for (unsigned v6 = 0; v6 < 2; v6++) {
		uint32_t e = end[v6];

		assert_true(passes(v6, e - 1000, ACK, 100));
		assert_false(passes(v6, e - 100, ACK, 100));
		assert_true(passes(v6, e, ACK, 100));
		assert_true(passes(v6, e, ACK, 0));
		assert_false(passes(v6, e - 1, SYN, 0));
		assert_true(passes(v6, e - 2, SYN, 0));
		assert_false(passes(v6, e - 1000, SYN, 1));
		/* Past it, only within the window that has been said. */
		assert_false(passes(v6, e - 50, ACK, 100));
		answer(v6, e - 50, 99);
		assert_false(passes(v6, e - 50, ACK, 100));
		answer(v6, e - 50, 100);
		assert_true(passes(v6, e - 50, ACK, 100));
		answer(v6, e - 50, 50);
		assert_false(passes(v6, e - 50, ACK, 100));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_arp_and_ip_pass, setup),
		cmocka_unit_test_setup(datagrams_are_put_together, setup),
		cmocka_unit_test_setup(what_does_not_come_in_order_is_dropped, setup),
		cmocka_unit_test_setup(tcp_does_not_pass_in_fragments, setup),
		cmocka_unit_test_setup(urgent_is_cleared_and_the_checksum_right, setup),
		cmocka_unit_test_setup(nothing_ends_where_libslirp_stumbles, setup),
	};

	return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
