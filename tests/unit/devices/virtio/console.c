/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>
#include <spec/virtio-console.h>
#include "driver.h"

#define MULTIPORT (UINT64_C(1) << VIRTIO_CONSOLE_F_MULTIPORT)
#define SIZE      (UINT64_C(1) << VIRTIO_CONSOLE_F_SIZE)

/* A device whose console is a file and whose port is a socket, both in a folder. */
struct fixture {
	char folder[32], log[64], sock[64], options[256];
	struct driver *d;
	int client;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/vmm-vconsole-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->log, sizeof(f->log), "%s/log", f->folder);
	snprintf(f->sock, sizeof(f->sock), "%s/sock", f->folder);
	snprintf(f->options, sizeof(f->options), "virtio-console,console=file:%s,port=agent:socket:%s", f->log,
		 f->sock);
	f->d = driver_new(f->options);
	f->client = -1;
	*state = f;
	return !f->d;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (f->client >= 0)
		close(f->client);
	driver_free(f->d);
	unlink(f->log);
	assert_int_equal(rmdir(f->folder), 0); /* the socket is gone, too */
	free(f);
	return 0;
}

static int new_client(struct fixture *f)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", f->sock);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void connect_client(struct fixture *f)
{
	f->client = new_client(f);
	fake_loop_ms(f->d->vm.loop, 10);
}

static unsigned send_text(struct driver *d, unsigned queue, const char *text)
{
	uint64_t at = driver_alloc(d, strlen(text));
	unsigned id;

	memcpy(driver_ptr(d, at), text, strlen(text));
	id = driver_add(d, queue, at, (uint32_t)strlen(text), 0, 0);
	driver_notify(d, queue);
	return id;
}

static void control(struct driver *d, uint32_t id, uint16_t event, uint16_t value)
{
	const struct virtio_console_control m = { id, event, value };
	uint64_t at = driver_alloc(d, sizeof(m));

	memcpy(driver_ptr(d, at), &m, sizeof(m));
	driver_add(d, VIRTIO_CONSOLE_CONTROL_TX, at, sizeof(m), 0, 0);
	driver_notify(d, VIRTIO_CONSOLE_CONTROL_TX);
	assert_true(driver_done(d, VIRTIO_CONSOLE_CONTROL_TX, NULL, NULL));
}

/* Gives a buffer for a control message. */
static void *offer(struct driver *d, uint32_t bytes)
{
	uint64_t at = driver_alloc(d, bytes);

	driver_add(d, VIRTIO_CONSOLE_CONTROL_RX, 0, 0, at, bytes);
	driver_notify(d, VIRTIO_CONSOLE_CONTROL_RX);
	return driver_ptr(d, at);
}

static void expect_control(struct driver *d, uint32_t id, uint16_t event, uint16_t value, const char *tail)
{
	const struct virtio_console_control *m = offer(d, 64);
	uint32_t len = 0;

	assert_true(driver_done(d, VIRTIO_CONSOLE_CONTROL_RX, NULL, &len));
	assert_int_equal(m->id, id);
	assert_int_equal(m->event, event);
	assert_int_equal(m->value, value);
	assert_int_equal(len, sizeof(*m) + strlen(tail));
	assert_memory_equal(m + 1, tail, strlen(tail));
}

static void expect_file(const char *path, const char *text)
{
	char got[200] = "";
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0 && read(fd, got, sizeof(got) - 1) >= 0);
	assert_string_equal(got, text);
	close(fd);
}

/* ---- Options ---- */

static void wrong_options_are_refused(void **state)
{
	(void)state;
	driver_refused("virtio-console", "nobody is at the other end");
	driver_refused("virtio-console,console=vga", "console vga: no such console");
	driver_refused("virtio-console,port=log", "NAME:WHERE");
	driver_refused("virtio-console,port=:null", "NAME:WHERE");
	driver_refused("virtio-console,port=a b:null", "neither blanks nor slashes");
	driver_refused("virtio-console,port=../x:null", "neither blanks nor slashes");
	driver_refused("virtio-console,port=x:null,port=x:null", "given twice");
	driver_refused("virtio-console,port=x:file:/nonexistent/y", "port=x: file:/nonexistent/y");
}

static void the_terminal_can_be_had_once(void **state)
{
	struct opt_devices wanted = {
		.item = { { NULL, "virtio-console,console=stdio,slot=1" },
			  { NULL, "virtio-console,port=x:stdio,slot=2" } },
		.count = 2,
	};
	struct fixture *f = *state;
	struct devices devices;
	char *said;

	stderr_begin();
	assert_true(devices_create(&devices, f->d->dev->env, &wanted) < 0);
	said = stderr_end();
	assert_non_null(strstr(said, "port=x: stdio: is taken by --device virtio-console: console"));
	free(said);
}

/* ---- One console ---- */

static void a_console_alone_needs_no_control_messages(void **state)
{
	struct driver *d = driver_new("virtio-console,console=null");

	(void)state;
	assert_false(driver_offered(d) & MULTIPORT);
	assert_int_equal(d->v->queue_count, 2);
	driver_start(d, ~UINT64_C(0) & ~(UINT64_C(1) << VIRTIO_F_RING_PACKED));
	send_text(d, VIRTIO_CONSOLE_TX0, "hello\n");
	assert_true(driver_done(d, VIRTIO_CONSOLE_TX0, NULL, NULL));
	assert_true(console_used(d->vm.console));
	driver_free(d);
}

static void emergency_characters_need_no_driver(void **state)
{
	struct fixture *f = *state;

	for (const char *p = "oops"; *p; p++)
		driver_set_reg(f->d, VIRTIO_MMIO_CONFIG + 8, (uint32_t)*p);
	fake_loop_ms(f->d->vm.loop, 10);
	expect_file(f->log, "oops");
}

static void the_rest_of_the_configuration_is_not_the_drivers(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 12; i += 4)
		driver_set_reg(f->d, VIRTIO_MMIO_CONFIG + i, 'x');
	assert_int_equal(driver_reg(f->d, VIRTIO_MMIO_CONFIG), 0);
	assert_int_equal(driver_reg(f->d, VIRTIO_MMIO_CONFIG + 4), 2);
	assert_int_equal(driver_reg(f->d, VIRTIO_MMIO_CONFIG + 8), 0);
	fake_loop_ms(f->d->vm.loop, 10);
	expect_file(f->log, "x");
}

static void without_multiport_port_0_works_and_the_others_are_not_there(void **state)
{
	struct fixture *f = *state;

	driver_start(f->d, 0);
	send_text(f->d, VIRTIO_CONSOLE_TX0, "plain");
	assert_true(driver_done(f->d, VIRTIO_CONSOLE_TX0, NULL, NULL));
	fake_loop_ms(f->d->vm.loop, 10);
	expect_file(f->log, "plain");
	assert_int_equal(driver_reg(f->d, VIRTIO_MMIO_CONFIG + 4), 2);
}

/* ---- Named ports ---- */

static void meet(struct driver *d)
{
	driver_start(d, MULTIPORT);
	assert_true(d->features & MULTIPORT);
	control(d, UINT32_MAX, VIRTIO_CONSOLE_DEVICE_READY, 1);
	expect_control(d, 0, VIRTIO_CONSOLE_DEVICE_ADD, 1, "");
	expect_control(d, 1, VIRTIO_CONSOLE_DEVICE_ADD, 1, "");
	control(d, 0, VIRTIO_CONSOLE_PORT_READY, 1);
	expect_control(d, 0, VIRTIO_CONSOLE_CONSOLE_PORT, 1, "");
	expect_control(d, 0, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	control(d, 1, VIRTIO_CONSOLE_PORT_READY, 1);
	expect_control(d, 1, VIRTIO_CONSOLE_PORT_NAME, 1, "agent");
}

static void ports_are_announced_named_and_opened(void **state)
{
	struct fixture *f = *state;
	struct driver *d = f->d;

	meet(d);
	expect_control(d, 1, VIRTIO_CONSOLE_PORT_OPEN, 0, "");
	connect_client(f);
	expect_control(d, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	close(f->client);
	fake_loop_ms(d->vm.loop, 10);
	connect_client(f); /* away and back, and only now a buffer */
	expect_control(d, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	offer(d, 64);
	assert_false(driver_done(d, VIRTIO_CONSOLE_CONTROL_RX, NULL, NULL));
}

static void bytes_go_both_ways_once_the_port_is_open(void **state)
{
	struct fixture *f = *state;
	struct driver *d = f->d;
	char got[16] = "";
	uint32_t len;
	uint64_t in;

	meet(d);
	connect_client(f);
	send_text(d, VIRTIO_CONSOLE_RX(1) + 1, "to you");
	assert_true(driver_done(d, VIRTIO_CONSOLE_RX(1) + 1, NULL, NULL));
	fake_loop_ms(d->vm.loop, 10);
	assert_int_equal(read(f->client, got, sizeof(got)), 6);
	assert_string_equal(got, "to you");
	in = driver_alloc(d, 4);
	driver_add(d, VIRTIO_CONSOLE_RX(1), 0, 0, in, 4);
	driver_notify(d, VIRTIO_CONSOLE_RX(1));
	assert_int_equal(write(f->client, "to me", 5), 5);
	fake_loop_ms(d->vm.loop, 10);
	assert_false(driver_done(d, VIRTIO_CONSOLE_RX(1), NULL, NULL)); /* closed in the guest */
	control(d, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_true(driver_done(d, VIRTIO_CONSOLE_RX(1), NULL, &len));
	assert_int_equal(len, 4);
	assert_memory_equal(driver_ptr(d, in), "to m", 4);
	in = driver_alloc(d, 4);
	driver_add(d, VIRTIO_CONSOLE_RX(1), 0, 0, in, 4);
	driver_notify(d, VIRTIO_CONSOLE_RX(1));
	assert_true(driver_done(d, VIRTIO_CONSOLE_RX(1), NULL, &len));
	assert_int_equal(len, 1);
	assert_memory_equal(driver_ptr(d, in), "e", 1);
}

/* The guest waits for its buffer, not for the device, and every byte arrives in the end. */
static void who_does_not_read_makes_the_guest_wait(void **state)
{
	struct fixture *f = *state;
	struct driver *d = f->d;
	unsigned queue = VIRTIO_CONSOLE_RX(1) + 1, sent = 0, done = 0;
	static uint8_t got[16 * MIB];
	uint64_t at;
	size_t len = 0;

	meet(d);
	connect_client(f);
	at = driver_alloc(d, MIB);
	for (uint32_t i = 0; i < MIB / 4; i++)
		((uint32_t *)driver_ptr(d, at))[i] = i;
	for (; sent < 8; sent++) {
		driver_add(d, queue, at, MIB, 0, 0);
		driver_notify(d, queue);
	}
	fake_loop_ms(d->vm.loop, 10);
	while (driver_done(d, queue, NULL, NULL))
		done++;
	assert_true(done < sent);
	for (unsigned i = 0; i < 2000 && len < sent * MIB; i++) {
		ssize_t n;

		while ((n = read(f->client, got + len, sizeof(got) - len)) > 0)
			len += (size_t)n;
		fake_loop_ms(d->vm.loop, 1);
	}
	while (driver_done(d, queue, NULL, NULL))
		done++;
	assert_int_equal(done, sent);
	assert_int_equal(len, sent * MIB);
	for (unsigned i = 0; i < sent; i++)
		assert_memory_equal(got + i * MIB, driver_ptr(d, at), MIB);
}

/* Nobody is there: a program's bytes wait for it. */
static void what_a_port_sends_to_nobody_is_kept(void **state)
{
	struct fixture *f = *state;
	char got[16] = "";

	meet(f->d);
	send_text(f->d, VIRTIO_CONSOLE_RX(1) + 1, "early");
	connect_client(f);
	assert_int_equal(read(f->client, got, sizeof(got)), 5);
	assert_string_equal(got, "early");
}

/* What it has not taken is for the next one. */
static void a_slow_reader_that_leaves_has_a_successor(void **state)
{
	struct fixture *f = *state;
	struct driver *d = f->d;
	static uint8_t got[2 * MIB];
	uint64_t at;
	size_t len = 0;
	int taken;

	meet(d);
	connect_client(f);
	at = driver_alloc(d, MIB);
	for (uint32_t i = 0; i < MIB / 4; i++)
		((uint32_t *)driver_ptr(d, at))[i] = i;
	driver_add(d, VIRTIO_CONSOLE_RX(1) + 1, at, MIB, 0, 0);
	driver_notify(d, VIRTIO_CONSOLE_RX(1) + 1);
	fake_loop_ms(d->vm.loop, 10);
	assert_int_equal(ioctl(f->client, FIONREAD, &taken), 0);
	assert_in_range(taken, 1, MIB / 2);
	close(f->client);
	fake_loop_ms(d->vm.loop, 10);
	connect_client(f);
	for (unsigned i = 0; i < 2000 && len < MIB - (size_t)taken; i++) {
		ssize_t n;

		while ((n = read(f->client, got + len, sizeof(got) - len)) > 0)
			len += (size_t)n;
		fake_loop_ms(d->vm.loop, 1);
	}
	assert_int_equal(len, MIB - (size_t)taken);
	assert_memory_equal(got, (uint8_t *)driver_ptr(d, at) + taken, len);
}

/* A guest that does not read has the port's room full, which is no reason to let nobody else in. */
static void whoever_left_too_much_is_not_there_any_more(void **state)
{
	static const char much[4096];
	struct fixture *f = *state;
	char got[16] = "";

	meet(f->d);
	connect_client(f);
	for (unsigned quiet = 0; quiet < 3; quiet++) {
		while (write(f->client, much, sizeof(much)) > 0)
			quiet = 0;
		fake_loop_ms(f->d->vm.loop, 5);
	}
	close(f->client);
	fake_loop_ms(f->d->vm.loop, 5);
	connect_client(f);
	send_text(f->d, VIRTIO_CONSOLE_RX(1) + 1, "next");
	fake_loop_ms(f->d->vm.loop, 10);
	assert_int_equal(read(f->client, got, sizeof(got)), 4);
	assert_string_equal(got, "next");
}

/* And what the one before has said at last is heard. */
static void who_comes_as_another_leaves_is_let_in(void **state)
{
	struct fixture *f = *state;
	struct driver *d = f->d;
	uint64_t in = driver_alloc(d, 4096);
	char got[16] = "";
	uint32_t len;
	int leaves;

	meet(d);
	control(d, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	driver_add(d, VIRTIO_CONSOLE_RX(1), 0, 0, in, 64);
	driver_notify(d, VIRTIO_CONSOLE_RX(1));
	connect_client(f);
	leaves = f->client;
	f->client = new_client(f);
	assert_int_equal(write(leaves, "last word", 9), 9);
	close(leaves);
	fake_loop_ms(d->vm.loop, 10);
	assert_true(driver_done(d, VIRTIO_CONSOLE_RX(1), NULL, &len));
	assert_int_equal(len, 9);
	send_text(d, VIRTIO_CONSOLE_RX(1) + 1, "hello");
	fake_loop_ms(d->vm.loop, 10);
	assert_int_equal(read(f->client, got, sizeof(got)), 5);
}

/* A machine that is made again: the same ends, with who is at them and what was under way. */
static void ends_survive_the_device(void **state)
{
	struct fixture *f = *state;
	struct driver *d = f->d;
	struct opt_devices wanted = { .item = { { NULL, f->options } }, .count = 1 };
	struct device_env env = *d->dev->env;
	uint32_t len;
	uint64_t in;

	meet(d);
	connect_client(f);
	assert_int_equal(write(f->client, "typed", 5), 5);
	fake_loop_ms(d->vm.loop, 10);
	send_text(d, VIRTIO_CONSOLE_TX0, "before ");
	devices_destroy(&d->vm.devices);
	bus_free(d->vm.bus);
	d->vm.bus = env.bus = bus_new();
	assert_int_equal(devices_create(&d->vm.devices, &env, &wanted), 0);
	d->dev = d->vm.devices.first;
	d->v = d->dev->state;
	meet(d);
	expect_control(d, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	send_text(d, VIRTIO_CONSOLE_TX0, "after");
	in = driver_alloc(d, 16);
	driver_add(d, VIRTIO_CONSOLE_RX(1), 0, 0, in, 16);
	control(d, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_true(driver_done(d, VIRTIO_CONSOLE_RX(1), NULL, &len));
	assert_int_equal(len, 5);
	fake_loop_ms(d->vm.loop, 10);
	expect_file(f->log, "before after");
}

/* ---- The window ---- */

static void window_that_changes(const char *options, uint64_t features)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), saved = dup(STDIN_FILENO), slave;
	struct winsize size = { .ws_col = 100, .ws_row = 30 };
	uint32_t generation;
	struct driver *d;

	assert_true(master >= 0 && !grantpt(master) && !unlockpt(master));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
	dup2(slave, STDIN_FILENO);
	d = driver_new(options);
	assert_non_null(d);
	driver_start(d, features);
	assert_int_equal(driver_reg(d, VIRTIO_MMIO_CONFIG), 30 << 16 | 100);
	generation = driver_reg(d, VIRTIO_MMIO_CONFIG_GENERATION);
	size.ws_col = 80;
	assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
	kill(getpid(), SIGWINCH); /* the host's, to who is in the foreground of it */
	fake_loop_ms(d->vm.loop, 10);
	assert_int_equal(driver_reg(d, VIRTIO_MMIO_CONFIG), 30 << 16 | 80);
	assert_int_not_equal(driver_reg(d, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	assert_true(driver_reg(d, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG);
	driver_free(d);
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(slave);
	close(master);
}

static void a_window_that_changes_is_told(void **state)
{
	(void)state;
	window_that_changes("virtio-console,console=stdio", SIZE);
	window_that_changes("virtio-console,console=stdio,port=a:null", SIZE | MULTIPORT);
}

/* ---- Hostile ---- */

static void control_messages_of_all_kinds_are_survived(void **state)
{
	struct fixture *f = *state;
	struct driver *d = f->d;
	char *said;

	meet(d);
	stderr_begin();
	for (unsigned event = 0; event < 10; event++)
		for (unsigned value = 0; value < 2; value++) {
			control(d, UINT32_MAX, (uint16_t)event, (uint16_t)value);
			control(d, 2, (uint16_t)event, (uint16_t)value);
			control(d, 1, (uint16_t)event, (uint16_t)value);
		}
	send_text(d, VIRTIO_CONSOLE_CONTROL_TX, "short");
	said = stderr_end();
	assert_non_null(strstr(said, "port 2, which there is not"));
	free(said);
	assert_false(driver_broken(d));
	offer(d, 3); /* too small for a message: as much as fits */
	assert_true(driver_done(d, VIRTIO_CONSOLE_CONTROL_RX, NULL, NULL));
}

static void buffers_of_the_wrong_kind_are_given_back(void **state)
{
	struct fixture *f = *state;
	struct driver *d = f->d;
	uint64_t at;

	meet(d);
	connect_client(f);
	control(d, 1, VIRTIO_CONSOLE_PORT_OPEN, 1);
	assert_int_equal(write(f->client, "x", 1), 1);
	fake_loop_ms(d->vm.loop, 10);
	at = driver_alloc(d, 64);
	driver_add(d, VIRTIO_CONSOLE_TX0, 0, 0, at, 64);
	driver_notify(d, VIRTIO_CONSOLE_TX0);
	assert_true(driver_done(d, VIRTIO_CONSOLE_TX0, NULL, NULL));
	driver_add(d, VIRTIO_CONSOLE_RX(1), at, 64, 0, 0);
	driver_add(d, VIRTIO_CONSOLE_RX(1), 0, 0, at, 64);
	driver_notify(d, VIRTIO_CONSOLE_RX(1));
	assert_true(driver_done(d, VIRTIO_CONSOLE_RX(1), NULL, NULL));
	assert_true(driver_done(d, VIRTIO_CONSOLE_RX(1), NULL, NULL));
	assert_false(driver_broken(d));
}

/* With output waiting for room, that of a queue which is not there any more. */
static void a_reset_with_output_under_way_forgets_it(void **state)
{
	struct fixture *f = *state;
	struct driver *d = f->d;
	uint64_t at;

	meet(d);
	at = driver_alloc(d, MIB);
	driver_add(d, VIRTIO_CONSOLE_RX(1) + 1, at, MIB, 0, 0);
	driver_notify(d, VIRTIO_CONSOLE_RX(1) + 1);
	assert_false(driver_done(d, VIRTIO_CONSOLE_RX(1) + 1, NULL, NULL));
	driver_set_reg(d, VIRTIO_MMIO_STATUS, 0);
	connect_client(f);
	fake_loop_ms(d->vm.loop, 20);
	meet(d);
	expect_control(d, 1, VIRTIO_CONSOLE_PORT_OPEN, 1, "");
	assert_false(driver_done(d, VIRTIO_CONSOLE_RX(1) + 1, NULL, NULL));
}

static void any_access_is_survived(void **state)
{
	struct fixture *f = *state;

	stderr_begin();
	fake_hammer(&f->d->vm, f->d->base, 0x200);
	free(stderr_end());
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_options_are_refused),
		T(the_terminal_can_be_had_once),
		cmocka_unit_test(a_console_alone_needs_no_control_messages),
		T(emergency_characters_need_no_driver),
		T(the_rest_of_the_configuration_is_not_the_drivers),
		T(without_multiport_port_0_works_and_the_others_are_not_there),
		T(ports_are_announced_named_and_opened),
		T(bytes_go_both_ways_once_the_port_is_open),
		T(who_does_not_read_makes_the_guest_wait),
		T(what_a_port_sends_to_nobody_is_kept),
		T(a_slow_reader_that_leaves_has_a_successor),
		T(whoever_left_too_much_is_not_there_any_more),
		T(who_comes_as_another_leaves_is_let_in),
		T(ends_survive_the_device),
		cmocka_unit_test(a_window_that_changes_is_told),
		T(control_messages_of_all_kinds_are_survived),
		T(buffers_of_the_wrong_kind_are_given_back),
		T(a_reset_with_output_under_way_forgets_it),
		T(any_access_is_survived),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("virtio-console", tests, NULL, NULL);
}
