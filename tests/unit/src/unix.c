/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who listens at a path, who connects, and what a process that died leaves there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include <vmm/err.h>
#include <vmm/unix.h>
#include "vm.h"

static char folder[] = "/tmp/vmm-unix-XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	snprintf(path, sizeof(path), "%s/s", mkdtemp(folder) ? folder : "");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static void refused(const char *at, const char *words)
{
	char *said;

	stderr_begin();
	assert_true(unix_listen("--x", at) < 0);
	said = stderr_end();
	if (!strstr(said, words))
		fail_msg("%s: wanted \"%s\", got \"%s\"", at, words, said);
	free(said);
}

static void who_listens_is_found_and_leaves_nothing(void **state)
{
	int fd = unix_listen("--x", path), client;

	(void)state;
	assert_true(fd >= 0);
	client = unix_connect(path);
	assert_true(client >= 0);
	close(client);
	unix_unlisten(fd, path);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(unix_connect(path), -ENOENT);
	unix_unlisten(-1, path);
}

static void a_file_left_over_is_taken_away(void **state)
{
	int fd = unix_listen("--x", path);

	(void)state;
	close(fd);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unix_connect(path), -ECONNREFUSED);
	fd = unix_listen("--x", path);
	assert_true(fd >= 0);
	unix_unlisten(fd, path);
}

static void a_place_that_is_taken_stays_so(void **state)
{
	int fd = unix_listen("--x", path);

	(void)state;
	refused(path, "cannot listen there: Address already in use");
	assert_int_equal(access(path, F_OK), 0);
	unix_unlisten(fd, path);
	fd = creat(path, 0600);
	close(fd);
	refused(path, "cannot listen there");
	assert_int_equal(access(path, F_OK), 0); /* it is not ours */
}

static void paths_that_cannot_be_are_refused(void **state)
{
	char path_108[109];

	(void)state;
	memset(path_108, 'x', 108);
	path_108[108] = 0;
	refused(path_108, "--x: a socket's path has 1 to 107 bytes");
	refused("", "--x: a socket's path has 1 to 107 bytes");
	refused("/no/such/folder/s", "cannot listen there: No such file");
	assert_int_equal(unix_connect(path_108), -ENAMETOOLONG);
}

static void came(void *opaque, int client)
{
	(*(unsigned *)opaque)++;
	close(client);
}

static void who_connects_is_taken_when_there_are_descriptors(void **state)
{
	struct loop *l = loop_new();
	int fd = unix_listen("--x", path), client, next;
	struct unix_acceptor a = { 0 };
	unsigned count = 0;
	struct rlimit all, none;

	(void)state;
	unix_acceptor_stop(&a);
	assert_true(unix_acceptor_start(&a, fd, l, NULL, came, &count));
	client = unix_connect(path);
	fake_loop_ms(l, 10);
	assert_int_equal(count, 1);
	close(client);
	client = unix_connect(path);
	next = dup(fd);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	none = (struct rlimit){ (rlim_t)next, all.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	fake_loop_ms(l, 10);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
	assert_int_equal(count, 1);
	for (unsigned i = 0; i < 100 && count == 1; i++)
		fake_loop_ms(l, 10);
	assert_int_equal(count, 2);
	close(client);
	unix_acceptor_stop(&a);
	unix_unlisten(fd, path);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_listens_is_found_and_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_file_left_over_is_taken_away, setup, teardown),
		cmocka_unit_test_setup_teardown(a_place_that_is_taken_stays_so, setup, teardown),
		cmocka_unit_test_setup_teardown(paths_that_cannot_be_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(who_connects_is_taken_when_there_are_descriptors, setup, teardown),
	};

	return cmocka_run_group_tests_name("unix", tests, NULL, NULL);
}
