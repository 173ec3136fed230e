/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <vmm/types.h>
#include "devices/net/segment.h"
#include "net.h"

#define BYTES_MAX 70000

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

/* A frame with @bytes of TCP's payload, flags FIN, PSH, ACK, and @options bytes of options. */
static size_t make_tcp(uint8_t *f, bool v6, unsigned options, unsigned bytes)
{
	unsigned header = v6 ? 40 : 20, tcp = 14 + header, length = 20 + options + bytes;

	memset(f, 0, BYTES_MAX);
	memcpy(f + 12, v6 ? "\x86\xdd" : "\x08\x00", 2);
	f[14] = v6 ? 0x60 : 0x45;
	net_put16(f + (v6 ? 18 : 16), v6 ? length : header + length);
	f[v6 ? 20 : 23] = IPPROTO_TCP;
	net_put16(f + 18, v6 ? length : 0x1234);
	for (unsigned i = v6 ? 22 : 26; i < tcp; i++)
		f[i] = (uint8_t)(i * 37);
	f[tcp + 12] = (uint8_t)((20 + options) / 4 << 4);
	f[tcp + 13] = 0x19;
	for (unsigned i = 0; i < bytes; i++)
		f[tcp + 20 + options + i] = (uint8_t)(i * 2654435761u >> 9);
	return tcp + length;
}

static uint32_t pseudo(const uint8_t *f, bool v6, unsigned length)
{
	return net_sum(f + (v6 ? 22 : 26), v6 ? 32 : 8, IPPROTO_TCP + length);
}

static void pieces_add_up_to_the_whole(void **state)
{
	static const unsigned sizes[][2] = {
		{ 1, 1 }, { 1461, 1460 }, { 32768, 1460 }, { 2920, 1460 }, { 65000, 536 }
	};
	uint8_t *f = malloc(BYTES_MAX), *out = malloc(BYTES_MAX);

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
			size_t bytes = make_tcp(f, v6, 12, sizes[s][0]), n;
			struct tcp_place p = tcp_find(f, bytes);
			unsigned done = 0, seen = 0, count = 0;

			assert_int_equal(p.end - p.payload, sizes[s][0]);
			while ((n = tcp_cut(f, &p, sizes[s][1], &done, out))) {
				unsigned length = (unsigned)n - p.tcp, payload = (unsigned)n - p.payload;
				bool last = seen + payload == sizes[s][0];

				assert_in_range(payload, 1, sizes[s][1]);
				assert_memory_equal(out + p.payload, f + p.payload + seen, payload);
				assert_int_equal(get16(out + p.tcp + 4) << 16 | get16(out + p.tcp + 6), seen);
				assert_int_equal(out[p.tcp + 13], last ? 0x19 : 0x10);
				assert_int_equal(net_sum(out + p.tcp, length, pseudo(out, v6, length)), 0xffff);
				if (v6) {
					assert_int_equal(get16(out + 18), length);
				} else {
					assert_int_equal(get16(out + 16), n - 14);
					assert_int_equal(get16(out + 18), 0x1234 + count);
					assert_int_equal(net_sum(out + 14, 20, 0), 0xffff);
				}
				seen += payload;
				count++;
			}
			assert_int_equal(seen, sizes[s][0]);
		}
	free(f);
	free(out);
}

static void fragments_add_up_to_the_packet(void **state)
{
	uint8_t *f = malloc(BYTES_MAX), *out = malloc(BYTES_MAX);
	size_t bytes = make_tcp(f, false, 0, 9000), n;
	unsigned done = 0, seen = 0;
	bool more = true;

	(void)state;
	assert_true(ipv4_too_large(f, bytes, 1500));
	assert_false(ipv4_too_large(f, bytes, 9040));
	while ((n = ipv4_cut(f, bytes, 1500, &done, out))) {
		unsigned length = (unsigned)n - 34, flags = get16(out + 20);

		assert_true(more);
		assert_in_range(n, 35, 1514);
		assert_int_equal(get16(out + 16), n - 14);
		assert_int_equal((flags & 0x1fff) * 8, seen);
		assert_int_equal(net_sum(out + 14, 20, 0), 0xffff);
		assert_memory_equal(out + 34, f + 34 + seen, length);
		more = flags & 0x2000;
		seen += length;
	}
	assert_false(more);
	assert_int_equal(seen, 9020);
	net_put16(f + 20, 0x4000);
	assert_false(ipv4_too_large(f, bytes, 1500));
	free(f);
	free(out);
}

static void a_syn_says_more_and_its_checksum_is_right(void **state)
{
	uint8_t *f = malloc(BYTES_MAX);

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		size_t bytes = make_tcp(f, v6, 8, 0);
		struct tcp_place p = tcp_find(f, bytes);

		memcpy(f + p.tcp + 20, "\1\1\2\4\x05\xb4\1\0", 8);
		assert_int_equal(tcp_raise_segment(f, &p, 32768), 0); /* it is no SYN */
		f[p.tcp + 13] = 0x02;
		assert_int_equal(tcp_raise_segment(f, &p, 32768), 1460);
		assert_int_equal(get16(f + p.tcp + 24), 32768);
		assert_int_equal(net_sum(f + p.tcp, 28, pseudo(f, v6, 28)), 0xffff);
	}
	free(f);
}

static void options_that_lie_change_nothing(void **state)
{
	static const char rows[][9] = {
		"\2\4\0",                                 /* cut off by the payload */
		"\3\0\2\4\5\xb4",                         /* of no length */
		"\3\1\2\4\5\xb4",   "\0\0\2\4\5\xb4\0\0", /* behind the end */
		"\3\xff\2\4\5\xb4", "\2\3\5\xb4",
	};
	uint8_t *f = malloc(BYTES_MAX), *was = malloc(BYTES_MAX);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t bytes = make_tcp(f, false, i ? 8 : 4, 0);
		struct tcp_place p = tcp_find(f, bytes);

		memcpy(f + p.tcp + 20, rows[i], i ? 6 : 3);
		if (!i) {
			memmove(f + p.tcp + 21, f + p.tcp + 20, 3);
			f[p.tcp + 20] = 1;
		}
		f[p.tcp + 13] = 2;
		memcpy(was, f, BYTES_MAX);
		assert_int_equal(tcp_raise_segment(f, &p, 32768), 0);
		assert_memory_equal(f, was, BYTES_MAX);
	}
	free(f);
	free(was);
}

/* Everything it says is inside the frame. */
static void places_are_inside_whatever_the_headers_say(void **state)
{
	uint32_t seed = 7;
	uint8_t f[100];

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		size_t bytes = 14 + i % 87;
		struct tcp_place p;

		for (unsigned k = 0; k < sizeof(f); k++)
			f[k] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
		memcpy(f + 12, i & 1 ? "\x86\xdd" : "\x08\x00", 2);
		f[i & 1 ? 20 : 23] = IPPROTO_TCP;
		f[i & 1 ? 18 : 16] = 0;
		f[20] = i & 1 ? f[20] : 0;
		f[21] = i & 1 ? f[21] : 0;
		p = tcp_find(f, bytes);
		if (!p.payload)
			continue;
		assert_true(p.tcp >= 34 && p.payload >= p.tcp + 20 && p.end >= p.payload && p.end <= bytes);
		tcp_raise_segment(f, &p, 32768);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_add_up_to_the_whole),
		cmocka_unit_test(fragments_add_up_to_the_packet),
		cmocka_unit_test(a_syn_says_more_and_its_checksum_is_right),
		cmocka_unit_test(options_that_lie_change_nothing),
		cmocka_unit_test(places_are_inside_whatever_the_headers_say),
	};

	return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
