/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "devices/net/frame.h"
#include "net.h"

#define ALL (NET_CSUM | NET_TSO4 | NET_TSO6 | NET_TSO_ECN)

/* Whatever the alignment, the length and what there was before: as by the book. */
static void sums_are_right(void **state)
{
	uint8_t *bytes = malloc(66000);

	(void)state;
	for (unsigned i = 0; i < 66000; i++)
		bytes[i] = (uint8_t)(i < 33000 ? 0xff : i * 2654435761u >> 13);
	for (unsigned n = 0; n < 200; n++)
		for (unsigned at = 0; at < 9; at++) {
			uint16_t sum = frame_sum(bytes + 32900 + at, n, 0x1234);

			assert_int_equal((uint16_t)(sum << 8 | sum >> 8), net_sum(bytes + 32900 + at, n, 0x3412));
		}
	for (unsigned n = 65000; n < 65536; n += 67) {
		uint16_t sum = frame_sum(bytes + 1, n, 0);

		assert_int_equal((uint16_t)(sum << 8 | sum >> 8), net_sum(bytes + 1, n, 0));
	}
	free(bytes);
}

static void a_checksum_of_zero_is_written_as_its_complement(void **state)
{
	uint8_t bytes[64] = { [40] = 0xff, [41] = 0xff };
	const struct net_frame f = {
		.hdr = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 6 },
		.bytes = sizeof(bytes),
	};

	(void)state;
	frame_checksum(&f, bytes);
	assert_int_equal(bytes[40], 0xff);
	assert_int_equal(bytes[41], 0xff);
}

static void only_what_was_agreed_and_makes_sense_is_accepted(void **state)
{
	static const struct {
		struct virtio_net_hdr hdr;
		size_t bytes;
		unsigned offloads;
		bool fine;
	} rows[] = {
		{ { 0 }, 14, 0, true },
		{ { 0 }, 13, ALL, false },
		{ { 0 }, NET_FRAME_MAX, 0, true },
		{ { 0 }, NET_FRAME_MAX + 1, ALL, false },
		{ { .flags = 1, .csum_start = 34, .csum_offset = 16 }, 54, NET_CSUM, true },
		{ { .flags = 1, .csum_start = 34, .csum_offset = 16 }, 51, NET_CSUM, false },
		{ { .flags = 1, .csum_start = 34, .csum_offset = 16 }, 54, 0, false },
		{ { .flags = 1, .csum_start = 0xffff, .csum_offset = 1 }, 0xffff, NET_CSUM, false },
		{ { .flags = 1, .csum_start = 0, .csum_offset = 0 }, 60, NET_CSUM, false },
		{ { .flags = 0xfe, .csum_start = 0xffff, .csum_offset = 0xffff }, 60, 0, true },
		{ { .flags = 1, .gso_type = 1, .gso_size = 1460, .csum_start = 34, .csum_offset = 16 },
		  9000,
		  ALL,
		  true },
		{ { .flags = 1, .gso_type = 4, .gso_size = 1, .csum_start = 54, .csum_offset = 16 },
		  9000,
		  ALL,
		  true },
		{ { .flags = 1, .gso_type = 1, .gso_size = 0, .csum_start = 34, .csum_offset = 16 },
		  9000,
		  ALL,
		  false },
		{ { .flags = 0, .gso_type = 1, .gso_size = 1460 }, 9000, ALL, false },
		{ { .flags = 1, .gso_type = 1, .gso_size = 9, .csum_start = 34 }, 9000, NET_CSUM | NET_TSO6, false },
		{ { .flags = 1, .gso_type = 4, .gso_size = 9, .csum_start = 34 }, 9000, NET_CSUM | NET_TSO4, false },
		{ { .flags = 1, .gso_type = 0x81, .gso_size = 9, .csum_start = 34 }, 9000, ALL, true },
		{ { .flags = 1, .gso_type = 0x81, .gso_size = 9, .csum_start = 34 },
		  9000,
		  ALL & ~NET_TSO_ECN,
		  false },
		{ { .flags = 1, .gso_type = 3, .gso_size = 9, .csum_start = 34 }, 9000, ALL, false },
		{ { .flags = 1, .gso_type = 5, .gso_size = 9, .csum_start = 34 }, 9000, ALL, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_frame f = { .hdr = rows[i].hdr, .bytes = rows[i].bytes };
		const char *wrong = net_frame_check(&f, rows[i].offloads);

		if (!wrong != rows[i].fine)
			fail_msg("row %u: %s", i, wrong ? wrong : "accepted");
	}
}

static void what_means_nothing_is_cleared(void **state)
{
	struct net_frame f = { .hdr = { 0xfe, 0x80, 1, 2, 3, 4, 5 }, .bytes = 60 };

	(void)state;
	assert_null(net_frame_check(&f, ALL));
	assert_int_equal(f.hdr.flags | f.hdr.gso_type | f.hdr.hdr_len | f.hdr.gso_size, 0);
	assert_int_equal(f.hdr.csum_start | f.hdr.csum_offset, 0);
	f.hdr = (struct virtio_net_hdr){
		.flags = 1, .gso_type = 1, .hdr_len = 0xffff, .gso_size = 1, .csum_start = 34
	};
	assert_null(net_frame_check(&f, ALL));
	assert_int_equal(f.hdr.hdr_len, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_right),
		cmocka_unit_test(a_checksum_of_zero_is_written_as_its_complement),
		cmocka_unit_test(only_what_was_agreed_and_makes_sense_is_accepted),
		cmocka_unit_test(what_means_nothing_is_cleared),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
