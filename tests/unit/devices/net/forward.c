/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <vmm/types.h>
#include "devices/net/forward.h"

static void what_is_said_is_what_is_meant(void **state)
{
	static const struct {
		const char *text, *host, *guest;
		bool udp;
	} rows[] = {
		{ "tcp:127.0.0.1:2222-:22", "127.0.0.1:2222", "0.0.0.0:22", false },
		{ "udp:127.0.0.1:53-10.0.2.15:5353", "127.0.0.1:53", "10.0.2.15:5353", true },
		{ "tcp::80-:8080", "127.0.0.1:80", "0.0.0.0:8080", false },
		{ "tcp:0.0.0.0:0-:1", "0.0.0.0:0", "0.0.0.0:1", false },
		{ "tcp:[::1]:2222-:22", "[::1]:2222", "[::]:22", false },
		{ "tcp:[::]:65535-[fec0::15]:65535", "[::]:65535", "[fec0::15]:65535", false },
		{ "tcp::2222-[fec0::15]:22", "[::1]:2222", "[fec0::15]:22", false },
	};
	char text[NET_ADDRESS_TEXT];
	struct forward f;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *wrong = forward_parse(rows[i].text, &f);

		if (wrong)
			fail_msg("%s: %s", rows[i].text, wrong);
		assert_string_equal(net_address_text(&f.host, text), rows[i].host);
		assert_string_equal(net_address_text(&f.guest, text), rows[i].guest);
		assert_int_equal(f.udp, rows[i].udp);
	}
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"tcp",
		"tcp:",
		"sctp::1-:1",
		"tcp:1-:1",
		"tcp::1",
		"tcp::1-",
		"tcp::1-1",
		"tcp::1-:",
		"tcp::1-:0",
		"tcp::-:1",
		"tcp::65536-:1",
		"tcp::1-:65536",
		"tcp::+1-:1",
		"tcp:: 1-:1",
		"tcp::1x-:1",
		"tcp::99999999999999999999-:1",
		"tcp:localhost:1-:1",
		"tcp:1.2.3:1-:1",
		"tcp:[::1:1-:1",
		"tcp:[::1]1-:1",
		"tcp:[]:1-:1",
		"tcp:::1:1-:1",
		"tcp:127.0.0.1:1-[::1]:1",
		"tcp:[::1]:1-127.0.0.1:1",
		"tcp::1-:1:1",
		"tcp:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx:1-:1",
	};
	struct forward f;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (!forward_parse(rows[i], &f))
			fail_msg("\"%s\" was accepted", rows[i]);
}

static void a_port_is_found_and_one_that_is_taken_is_not(void **state)
{
	static const char *const rows[] = { "tcp::0-:1", "udp::0-:1" };
	struct forward f;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = socket(AF_INET, (i ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

		assert_null(forward_parse(rows[i], &f));
		assert_int_equal(forward_reserve(&f), 0);
		assert_int_not_equal(f.host.v4.sin_port, 0);
		/* It is free again: we can have it ourselves, and then nobody else. */
		assert_int_equal(bind(fd, &f.host.any, net_address_bytes(&f.host)), 0);
		if (!i)
			assert_int_equal(listen(fd, 1), 0);
		assert_int_equal(forward_reserve(&f), -EADDRINUSE);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_what_is_meant),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(a_port_is_found_and_one_that_is_taken_is_not),
	};

	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
