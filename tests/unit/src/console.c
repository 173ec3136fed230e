/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console over each of its host ends, in both directions, with peers that are slow, late or gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>
#include <vmm/console.h>
#include <vmm/err.h>
#include "vm.h"

struct fixture {
	struct vm vm;
	struct loop *loop;
	struct console *c;
	unsigned writable;
};

static struct fixture *open_console(const char *spec)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->loop = loop_new();
	assert_int_equal(console_create(spec, f->loop, &f->vm, &f->c), 0);
	return f;
}

static void close_console(struct fixture *f)
{
	console_destroy(f->c);
	loop_free(f->loop);
	free(f);
}

/* Time for the host ends. */
static void turn(struct fixture *f) { fake_loop_ms(f->loop, 30); }

static size_t say(struct fixture *f, const char *text)
{
	return console_write(f->c, (const uint8_t *)text, strlen(text));
}

/* ---- The guest's words ---- */

static unsigned panics_of(const char *text)
{
	struct fixture *f = open_console("null");
	unsigned count;

	for (const char *p = text; *p; p++) /* as a UART does */
		console_write(f->c, (const uint8_t *)p, 1);
	count = f->vm.panics;
	if (count)
		assert_true(!strncmp(f->vm.panic_text, "Kernel panic", 12) ||
			    !strncmp(f->vm.panic_text, "---[ end", 8));
	close_console(f);
	return count;
}

static void panics_are_recognised_with_and_without_prefix(void **state)
{
	(void)state;
	assert_int_equal(panics_of("Kernel panic - not syncing: Attempted to kill init!\r\n"), 1);
	assert_int_equal(panics_of("[    1.234567] Kernel panic - not syncing: VFS: Unable\r\n"), 1);
	assert_int_equal(panics_of("ok\r\n[12345.678901][    T1] Kernel panic - not syncing: x\n"), 1);
	assert_int_equal(panics_of("[    1.234567] [   C0] Kernel panic - not syncing: x\n"), 1);
	assert_int_equal(panics_of("/ # [ 1.0] oops\r\n[    2.0] ---[ end Kernel panic - not syncing: x ]---\n"), 1);
}

static void talking_about_panics_is_no_panic(void **state)
{
	(void)state;
	assert_int_equal(panics_of("/ # echo Kernel panic - not syncing: x\r\n"), 0);
	assert_int_equal(panics_of("[    1.0] reboot: Power down\r\n"), 0);
	assert_int_equal(panics_of("[    1.0] Command line: panic=5 Kernel panic - not syncing\r\n"), 0);
	assert_int_equal(panics_of("[note] Kernel panic - not syncing\n"), 0);
	assert_int_equal(panics_of("Kernel panic - not syncing: not ended"), 0);
	assert_int_equal(panics_of("Kernel panic\n"), 0);
}

/* The guest's words go into messages and JSON. */
static void what_a_panic_says_is_plain_text(void **state)
{
	struct fixture *f = open_console("null");

	(void)state;
	say(f, "Kernel panic - not syncing: \x1b[2J\xff\r\n");
	assert_string_equal(f->vm.panic_text, "Kernel panic - not syncing: ?[2J?");
	close_console(f);
}

/* ---- Kept output ---- */

static void the_last_64_kib_are_kept(void **state)
{
	struct fixture *f = open_console("null");
	static uint8_t kept[CONSOLE_KEPT_BYTES + 10];
	uint64_t total;
	char line[16];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(line, sizeof(line), "%07u\n", i);
		assert_int_equal(say(f, line), 8);
	}
	assert_int_equal(console_kept(f->c, kept, sizeof(kept), &total), CONSOLE_KEPT_BYTES);
	assert_int_equal(total, 160000);
	assert_memory_equal(kept + CONSOLE_KEPT_BYTES - 8, "0019999\n", 8);
	assert_int_equal(console_kept(f->c, kept, 4, NULL), 4);
	assert_memory_equal(kept, "999\n", 4);
	close_console(f);
}

/* ---- Host ends ---- */

static void wrong_specs_are_refused(void **state)
{
	static const char *const specs[] = {
		"nothing",
		"",
		"file",
		"file:",
		"socket",
		"null:x",
		"stdio:x",
		"file:/nonexistent/x",
		"socket:/nonexistent/x",
		"file:/",
	};
	struct loop *l = loop_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct console *c = (void *)1;
		char *said;

		stderr_begin();
		assert_true(console_create(specs[i], l, NULL, &c) < 0);
		said = stderr_end();
		assert_null(c);
		assert_non_null(strstr(said, "--console"));
		free(said);
	}
	loop_free(l);
}

static void a_file_gets_every_byte(void **state)
{
	char path[] = "/tmp/vmm-console-XXXXXX", spec[64], got[64] = "";
	int fd = mkstemp(path);
	struct fixture *f;

	(void)state;
	snprintf(spec, sizeof(spec), "file:%s", path);
	f = open_console(spec);
	say(f, "first\n");
	say(f, "second\n");
	close_console(f);
	assert_int_equal(read(fd, got, sizeof(got)), 13);
	assert_string_equal(got, "first\nsecond\n");
	close(fd);
	unlink(path);
}

static void wait_for(int fd, const char *text)
{
	char got[20000] = "";
	size_t len = 0;

	for (unsigned i = 0; i < 400 && !strstr(got, text); i++) {
		ssize_t n = read(fd, got + len, sizeof(got) - 1 - len);

		if (n > 0)
			len += (size_t)n;
		else
			usleep(10000);
	}
	if (!strstr(got, text))
		fail_msg("wanted \"%s\", got \"%s\"", text, got);
}

static int client(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static void expect(int fd, const char *text)
{
	char got[200] = "";
	ssize_t n = read(fd, got, sizeof(got) - 1);

	(void)n;
	assert_string_equal(got, text);
}

static void a_socket_keeps_early_bytes_and_takes_clients_again(void **state)
{
	char path[] = "/tmp/vmm-sock-XXXXXX", spec[64];
	uint8_t in[16] = { 0 };
	struct fixture *f;
	int a, b;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(spec, sizeof(spec), "socket:%s/s", path);
	f = open_console(spec);
	say(f, "early ");
	a = client(spec + 7);
	turn(f);
	say(f, "now");
	expect(a, "early now");
	b = client(spec + 7); /* a second one is sent away */
	turn(f);
	assert_int_equal(read(b, in, 1), 0);
	close(b);
	assert_int_equal(write(a, "typed", 5), 5);
	turn(f);
	assert_int_equal(console_read(f->c, in, sizeof(in)), 5);
	assert_memory_equal(in, "typed", 5);
	close(a);
	turn(f);
	say(f, "meanwhile");
	a = client(spec + 7);
	turn(f);
	expect(a, "meanwhile");
	close(a);
	close_console(f);
	assert_int_equal(access(spec + 7, F_OK), -1);
	rmdir(path);
}

static void a_pty_is_found_by_its_path_and_can_be_left(void **state)
{
	struct fixture *f;
	char *said, *path;
	struct termios t;
	uint8_t in[8] = { 0 };

	(void)state;
	stderr_begin();
	f = open_console("pty");
	said = stderr_end();
	path = strstr(said, "/dev/pts/");
	assert_non_null(path);
	path[strcspn(path, "\n")] = 0;
	say(f, "early ");
	for (unsigned i = 0; i < 2; i++) {
		int fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);

		assert_true(fd >= 0);
		turn(f);
		say(f, "now\n");
		wait_for(fd, i ? "gone now\n" : "early now\n");
		assert_int_equal(tcgetattr(fd, &t), 0);
		assert_false(t.c_lflag & (ECHO | ICANON));
		assert_int_equal(write(fd, "k\n", 2), 2);
		turn(f);
		assert_int_equal(console_read(f->c, in, sizeof(in)), 2);
		assert_memory_equal(in, "k\n", 2);
		close(fd);
		turn(f);
		say(f, i ? "" : "gone ");
	}
	free(said);
	close_console(f);
}

/* ---- Standard input and output: in a child, whose fds they are ---- */

struct child {
	pid_t pid;
	int in, out; /* our ends */
};

/* Echoes what the console reads until the user leaves, or input says "die" (SIGABRT). */
static void child_body(void)
{
	struct loop *l = loop_new();
	struct vm vm = { 0 };
	struct console *c;
	uint8_t in[8192];

	if (console_create(NULL, l, &vm, &c))
		_exit(10);
	console_write(c, (const uint8_t *)"ready\n", 6);
	for (unsigned i = 0; i < 1000 && !vm.quits; i++) {
		size_t n;

		fake_loop_ms(l, 5);
		n = console_read(c, in, sizeof(in));
		console_write(c, in, n);
		for (; vm.presses; vm.presses--)
			console_write(c, (const uint8_t *)"pressed\n", 8);
		if (n == 3 && !memcmp(in, "die", 3))
			abort();
	}
	console_destroy(c);
	_exit(vm.quits ? 8 : 0);
}

static struct child start(int in, int out, int our_in, int our_out)
{
	struct child c = { .in = our_in, .out = our_out };

	c.pid = fork();
	assert_true(c.pid >= 0);
	if (!c.pid) {
		const struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGSEGV, SIG_DFL); /* cmocka's, or a sanitizer's */
		dup2(in, 0);
		dup2(out, 1);
		close(our_in);
		if (our_out != our_in)
			close(our_out);
		child_body();
	}
	return c;
}

static int status_of(pid_t pid)
{
	int status = 0;

	for (unsigned i = 0; i < 800; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(10000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fail_msg("the child did not end");
	return -1;
}

static struct child start_on_terminal(struct termios *before, int *slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);

	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	*slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_int_equal(tcgetattr(*slave, before), 0);
	return start(*slave, *slave, master, master);
}

static void expect_terminal(int slave, const struct termios *before, bool raw)
{
	struct termios now;

	assert_int_equal(tcgetattr(slave, &now), 0);
	if (raw)
		assert_false(now.c_lflag & (ECHO | ICANON | ISIG) || now.c_oflag & OPOST);
	else
		assert_true(now.c_iflag == before->c_iflag && now.c_oflag == before->c_oflag &&
			    now.c_lflag == before->c_lflag && now.c_cflag == before->c_cflag &&
			    !memcmp(now.c_cc, before->c_cc, sizeof(now.c_cc)));
}

static void the_terminal_is_raw_and_ctrl_a_x_leaves(void **state)
{
	struct termios before;
	int slave, status;
	struct child c = start_on_terminal(&before, &slave);

	(void)state;
	wait_for(c.in, "ready");
	expect_terminal(slave, &before, true);
	assert_int_equal(write(c.in, "\x01p", 2), 2);
	wait_for(c.in, "pressed");
	assert_int_equal(write(c.in, "a\x03\x01\x01z", 5), 5);
	wait_for(c.in, "a\x03\x01z");
	assert_int_equal(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(write(c.in, "\x01x", 2), 2);
	status = status_of(c.pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 8);
	expect_terminal(slave, &before, false);
	close(c.in);
	close(slave);
}

static void the_terminal_is_restored_on_signals_and_crashes(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGSEGV, SIGABRT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct termios before;
		int slave, status;
		struct child c = start_on_terminal(&before, &slave);

		wait_for(c.in, "ready");
		expect_terminal(slave, &before, true);
		if (signals[i] == SIGABRT)
			assert_int_equal(write(c.in, "die", 3), 3);
		else
			kill(c.pid, signals[i]);
		status = status_of(c.pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), signals[i]);
		expect_terminal(slave, &before, false);
		close(c.in);
		close(slave);
	}
}

static void piped_input_arrives_and_its_end_is_not_the_end(void **state)
{
	int in[2], out[2], status;
	struct child c;

	(void)state;
	assert_true(!pipe(in) && !pipe2(out, O_NONBLOCK));
	c = start(in[0], out[1], in[1], out[0]);
	close(in[0]);
	close(out[1]);
	wait_for(c.out, "ready");
	assert_int_equal(write(c.in, "from a pipe\x01x", 13), 13); /* no escape without a terminal */
	close(c.in);
	wait_for(c.out, "from a pipe\x01x");
	usleep(50000);
	assert_int_equal(waitpid(c.pid, &status, WNOHANG), 0);
	kill(c.pid, SIGTERM);
	status_of(c.pid);
	close(c.out);
}

static void input_from_a_file_is_delivered(void **state)
{
	char path[] = "/tmp/vmm-in-XXXXXX";
	int fd = mkstemp(path), out[2];
	struct child c;

	(void)state;
	unlink(path);
	assert_int_equal(write(fd, "from a file", 11), 11);
	lseek(fd, 0, SEEK_SET);
	assert_false(pipe2(out, O_NONBLOCK));
	c = start(fd, out[1], out[0], out[0]);
	wait_for(c.out, "from a file");
	kill(c.pid, SIGTERM);
	status_of(c.pid);
	close(fd);
	close(out[0]);
	close(out[1]);
}

static void a_reader_that_leaves_does_not_end_the_guest(void **state)
{
	int in[2], out[2], status;
	struct child c;

	(void)state;
	assert_true(!pipe(in) && !pipe2(out, O_NONBLOCK));
	c = start(in[0], out[1], in[1], out[0]);
	close(out[1]);
	wait_for(c.out, "ready");
	close(c.out);
	assert_int_equal(write(c.in, "anybody?", 8), 8);
	usleep(100000);
	assert_int_equal(write(c.in, "really?", 7), 7);
	usleep(100000);
	assert_int_equal(waitpid(c.pid, &status, WNOHANG), 0);
	kill(c.pid, SIGTERM);
	status = status_of(c.pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	close(c.in);
	close(in[0]);
}

/* ---- Slow peers ---- */

static void note_writable(void *opaque) { ((struct fixture *)opaque)->writable++; }
static void note_readable(void *opaque) { (void)opaque; }

static void a_full_peer_makes_the_guest_wait_and_loses_nothing(void **state)
{
	static const struct console_uart uart = { .readable = note_readable, .writable = note_writable };
	char path[] = "/tmp/vmm-sock-XXXXXX", spec[64];
	static char got[4 * MIB];
	size_t sent = 0, received = 0;
	struct fixture *f;
	int a;

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(spec, sizeof(spec), "socket:%s/s", path);
	f = open_console(spec);
	console_attach(f->c, &uart, f, NULL);
	a = client(spec + 7);
	turn(f);
	for (size_t wrote = 8; wrote == 8; sent += wrote) {
		char line[16];

		snprintf(line, sizeof(line), "%07u\n", (unsigned)(sent / 8) % 10000000);
		wrote = say(f, line);
		assert_true(sent < 4 * MIB);
	}
	assert_int_equal(console_room(f->c), 0);
	assert_int_equal(f->writable, 0);
	for (unsigned i = 0; i < 50 && received < sent; i++) {
		ssize_t n;

		while ((n = read(a, got + received, sizeof(got) - received)) > 0)
			received += (size_t)n;
		turn(f);
	}
	assert_int_equal(received, sent);
	assert_true(f->writable > 0);
	for (size_t i = 0; i + 8 <= sent; i += 8)
		assert_int_equal(strtoul(got + i, NULL, 10), i / 8);
	close(a);
	close_console(f);
	unlink(spec + 7);
	rmdir(path);
}

/* As ssh's, which is a socket that somebody else may use, too, and which blocks. */
static void a_socket_as_standard_output_never_blocks(void **state)
{
	int ends[2], saved = dup(STDOUT_FILENO);
	struct fixture *f;
	size_t sent = 0;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	fflush(stdout);
	dup2(ends[0], STDOUT_FILENO);
	f = open_console("stdio");
	alarm(20); /* if it blocks, for ever */
	while (say(f, "0123456789\n") == 11)
		sent += 11;
	alarm(0);
	close(ends[1]);
	close_console(f);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(ends[0]);
	assert_true(sent >= CONSOLE_KEPT_BYTES - 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(panics_are_recognised_with_and_without_prefix),
		cmocka_unit_test(talking_about_panics_is_no_panic),
		cmocka_unit_test(what_a_panic_says_is_plain_text),
		cmocka_unit_test(the_last_64_kib_are_kept),
		cmocka_unit_test(wrong_specs_are_refused),
		cmocka_unit_test(a_file_gets_every_byte),
		cmocka_unit_test(a_socket_keeps_early_bytes_and_takes_clients_again),
		cmocka_unit_test(a_pty_is_found_by_its_path_and_can_be_left),
		cmocka_unit_test(the_terminal_is_raw_and_ctrl_a_x_leaves),
		cmocka_unit_test(the_terminal_is_restored_on_signals_and_crashes),
		cmocka_unit_test(piped_input_arrives_and_its_end_is_not_the_end),
		cmocka_unit_test(input_from_a_file_is_delivered),
		cmocka_unit_test(a_reader_that_leaves_does_not_end_the_guest),
		cmocka_unit_test(a_full_peer_makes_the_guest_wait_and_loses_nothing),
		cmocka_unit_test(a_socket_as_standard_output_never_blocks),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("console", tests, NULL, NULL);
}
