/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Against servers of others: nbdkit, qemu-nbd. They are killed, come back, and return errors. */
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "images.h"

#define URL "nbd+unix:///?socket=s.sock"

static pid_t server; /* 0: none */

/* The cross build's libraries are those it is built with, and no others. */
static void need_libnbd(void)
{
	void *lib = dlopen("libnbd.so.0", RTLD_LAZY);

	if (!lib) {
		print_message("# SKIP no libnbd.so.0: tests/setup deps\n");
		skip();
	}
	dlclose(lib);
}

static void end_server(void)
{
	if (!server)
		return;
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	server = 0;
	unlink("s.sock");
}

/* Returns when it listens: then there is the pid file, or for qemu-nbd the socket. */
static void start_server(const char *ready, const char *fmt, ...)
{
	char command[512] = "exec ";
	va_list ap;

	need_libnbd();
	end_server();
	unlink(ready);
	va_start(ap, fmt);
	vsnprintf(command + 5, sizeof(command) - 5, fmt, ap);
	va_end(ap);
	server = fork();
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!freopen("server.log", "w", stderr))
			_exit(1);
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(1);
	}
	for (unsigned i = 0; access(ready, F_OK); i++) {
		assert_true(i < 6000 && waitpid(server, NULL, WNOHANG) == 0);
		usleep(10000);
	}
}

#define start_nbdkit(fmt, ...) start_server("pid", "nbdkit -f -P pid -U s.sock " fmt, ##__VA_ARGS__)

static int setup(void **state) { return images_setup(state); }

static int teardown(void **state)
{
	end_server();
	return images_teardown(state);
}

static void random_requests_to_nbdkit_give_what_a_plain_disk_gives(void **state)
{
	struct disk_layer *l;
	struct model m;

	(void)state;
	images_need("nbdkit");
	assert_int_equal(images_sh("truncate -s 9M d.raw"), 0);
	start_nbdkit("file d.raw");
	l = images_open(URL, NULL, false);
	assert_int_equal(l->info.bytes, 9 * MIB);
	m = model_of(l, 1);
	model_run(&m, l, 2000);
	model_compare(&m, l);
	disk_layer_close(l);
	end_server();
	model_save(&m, "model.raw");
	assert_int_equal(images_sh("cmp model.raw d.raw"), 0);
	model_free(&m);
}

static void an_export_of_qemu_nbd_is_found_by_its_name(void **state)
{
	struct disk_layer *l;
	struct model m;

	(void)state;
	images_need("qemu-nbd");
	assert_int_equal(images_sh("rm -f e.qcow2; qemu-img create -f qcow2 e.qcow2 5M"), 0);
	start_server("pid", "qemu-nbd -t -f qcow2 -x one/two -k $PWD/s.sock --pid-file=pid e.qcow2");
	l = images_open("nbd+unix:///one/two?socket=s.sock", NULL, false);
	m = model_of(l, 2);
	model_run(&m, l, 300);
	/* What qemu-nbd has not flushed dies with it. */
	assert_int_equal(l->type->flush(l), 0);
	disk_layer_close(l);
	assert_int_equal(images_try("nbd+unix:///three?socket=s.sock", NULL, false), -ECONNREFUSED);
	end_server();
	model_save(&m, "model.raw");
	assert_int_equal(images_sh("qemu-img compare -f raw model.raw -F qcow2 e.qcow2"), 0);
	model_free(&m);
}

static unsigned free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(a);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static void a_server_of_tcp_is_found(void **state)
{
	unsigned port = free_port();
	struct disk_layer *l;
	char url[64], b[6];

	(void)state;
	images_need("nbdkit");
	start_server("pid", "nbdkit -f -P pid -i 127.0.0.1 -p %u data data=' 0x48 0x65 0x6c 0x6c 0x6f ' size=1M",
		     port);
	snprintf(url, sizeof(url), "nbd://127.0.0.1:%u/any", port);
	l = images_open(url, NULL, true);
	{
		char sector[512];

		assert_int_equal(images_read(l, 0, sector, 512), 0);
		memcpy(b, sector, 6);
	}
	assert_string_equal(b, "Hello");
	disk_layer_close(l);
	end_server();
}

static void a_connection_may_be_encrypted(void **state)
{
	static const char url[] = "nbds+unix://me@/?socket=s.sock&tls-psk-file=keys.psk";
	struct disk_layer *l;
	struct model m;

	(void)state;
	images_need("nbdkit");
	if (system("nbdkit --dump-config | grep -q tls=yes")) {
		print_message("# SKIP nbdkit has no TLS\n");
		skip();
	}
	assert_int_equal(images_sh("printf 'me:%%064d\\n' 7 > keys.psk && printf 'me:%%064d\\n' 8 > wrong.psk"), 0);
	start_nbdkit("--tls=require --tls-psk=keys.psk memory 2M");
	l = images_open(url, NULL, false);
	m = model_of(l, 5);
	model_run(&m, l, 200);
	model_compare(&m, l);
	disk_layer_close(l);
	model_free(&m);
	assert_int_equal(images_try("nbds+unix://me@/?socket=s.sock&tls-psk-file=wrong.psk", NULL, false),
			 -ECONNREFUSED);
	assert_int_equal(images_try(URL, NULL, false), -ECONNREFUSED);
}

static void read_only_exports_and_odd_sizes(void **state)
{
	struct disk_layer *l;
	uint8_t b[512] = { 0 };

	(void)state;
	images_need("nbdkit");
	start_nbdkit("-r memory 1049000");
	l = images_open(URL, NULL, false);
	assert_true(l->info.readonly);
	assert_int_equal(l->info.bytes, 1049000 / 512 * 512);
	assert_int_equal(images_write(l, 0, b, 512), -EROFS);
	assert_int_equal(images_read(l, 0, b, 512), 0);
	disk_layer_close(l);
	start_nbdkit("--filter=blocksize-policy memory 1M blocksize-minimum=4096 blocksize-maximum=64k");
	l = images_open(URL, NULL, false);
	assert_int_equal(l->info.logical_bytes, 4096);
	{
		struct model m = model_of(l, 3);

		m.step = 4096;
		model_run(&m, l, 300);
		model_compare(&m, l);
		model_free(&m);
	}
	disk_layer_close(l);
	start_nbdkit("null size=0");
	assert_int_equal(images_try(URL, NULL, false), -EINVAL);
	end_server();
	assert_int_equal(images_try(URL, NULL, false), -ECONNREFUSED);
	assert_int_equal(images_try("nbd://", NULL, false), -ECONNREFUSED);
	assert_int_equal(images_try("nbd+foo://x", NULL, false), -ECONNREFUSED);
}

static void errors_of_the_server_are_errors_and_pass(void **state)
{
	struct disk_layer *l;
	uint8_t b[4096] = { 0 };

	(void)state;
	images_need("nbdkit");
	unlink("trouble");
	start_nbdkit(
		"--filter=error memory 1M error-pread=EIO error-pwrite=ENOSPC error-rate=100%% error-file=$PWD/trouble");
	l = images_open(URL, NULL, false);
	assert_int_equal(images_write(l, 0, b, 4096), 0);
	assert_int_equal(images_sh("touch trouble"), 0);
	assert_int_equal(images_write(l, 0, b, 4096), -ENOSPC);
	assert_int_equal(images_read(l, 0, b, 4096), -EIO);
	unlink("trouble");
	assert_int_equal(images_write(l, 0, b, 4096), 0);
	assert_int_equal(images_read(l, 0, b, 4096), 0);
	disk_layer_close(l);
}

static long peak_kib(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_maxrss;
}

/* A guest may ask for 4 GiB at a time, into the same page. */
static void a_request_of_any_length_takes_little_memory(void **state)
{
	static uint8_t b[MIB];
	static struct iovec v[512];
	struct disk_layer *l;
	long before;

	(void)state;
	images_need("nbdkit");
	start_nbdkit("pattern 1G");
	l = images_open(URL, NULL, true);
	before = peak_kib();
	for (unsigned i = 0; i < ARRAY_SIZE(v); i++)
		v[i] = (struct iovec){ b, sizeof(b) };
	/* The last piece is of the end: its bytes say where they are from. */
	assert_int_equal(l->type->read(l, 512 * MIB, v, ARRAY_SIZE(v), 0), 0);
	assert_int_equal(b[6] << 8 | b[7], 0);
	assert_int_equal((unsigned)b[4] << 24 | b[5] << 16, 1023 * MIB);
	assert_int_equal(b[8 + 7], 8);
	assert_true(peak_kib() < before + 128 * 1024);
	disk_layer_close(l);
}

/* ---- A server that goes ---- */

struct writer {
	struct disk_layer *l;
	pthread_t thread;
	unsigned number, done;
	_Atomic bool stop;
};

static void *write_on(void *opaque)
{
	struct writer *w = opaque;
	uint8_t b[4096], got[4096];

	while (!w->stop) {
		uint64_t at = (w->done % 64 * 4 + w->number) * 4096;

		memset(b, (int)++w->done, sizeof(b));
		if (images_write(w->l, at, b, 4096) || images_read(w->l, at, got, 4096) || memcmp(b, got, 4096))
			abort();
	}
	return NULL;
}

static void a_server_that_is_soon_back_is_not_missed(void **state)
{
	struct writer w[4] = { 0 };
	struct disk_layer *l;

	(void)state;
	images_need("nbdkit");
	assert_int_equal(images_sh("truncate -s 4M d.raw"), 0);
	start_nbdkit("file d.raw");
	log_set_level(LOG_ERR);
	l = images_open(URL, NULL, false);
	for (unsigned i = 0; i < 4; i++) {
		w[i].l = l;
		w[i].number = i;
		pthread_create(&w[i].thread, NULL, write_on, &w[i]);
	}
	for (unsigned i = 0; i < 5; i++) {
		usleep(50000);
		start_nbdkit("file d.raw"); /* kills the one before */
	}
	for (unsigned i = 0; i < 4; i++)
		w[i].stop = true;
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(w[i].thread, NULL);
		assert_true(w[i].done > 0);
	}
	disk_layer_close(l);
	log_set_level(LOG_INFO);
}

/* Until it is answered as wanted: the server is looked for now and then. */
static void until(struct disk_layer *l, int want)
{
	uint8_t b[4096];

	for (unsigned i = 0; images_read(l, 0, b, l->info.logical_bytes) != want; i++) {
		assert_true(i < 6000);
		usleep(10000);
	}
}

static void a_server_that_stays_away_gives_errors_until_it_is_back(void **state)
{
	struct disk_layer *l;
	uint8_t b[512] = { 0 };

	(void)state;
	images_need("nbdkit");
	start_nbdkit("memory 2M");
	l = images_open(URL, NULL, false);
	assert_int_equal(images_write(l, 0, b, 512), 0);
	end_server();
	assert_int_equal(images_read(l, 0, b, 512), -EIO);
	assert_int_equal(images_write(l, 0, b, 512), -EIO);
	assert_int_equal(l->type->flush(l), -EIO);
	/* Another disk is not ours. */
	start_nbdkit("memory 1M");
	usleep(2500000);
	assert_int_equal(images_read(l, 0, b, 512), -EIO);
	start_nbdkit("-r memory 2M");
	usleep(2500000);
	assert_int_equal(images_read(l, 0, b, 512), -EIO);
	start_nbdkit("memory 2M");
	until(l, 0);
	assert_int_equal(images_write(l, 0, b, 512), 0);
	/* And it is closed while there is none. */
	end_server();
	disk_layer_close(l);
}

/* kill -9, and another process in its place. */
static void server_crashes(struct disk_layer *l, const char *plugin)
{
	start_nbdkit("%s", plugin);
	until(l, 0);
}

static void a_flush_does_not_hide_what_went_with_a_server(void **state)
{
	uint8_t b[512] = { 1 };
	struct disk_layer *l;

	(void)state;
	images_need("nbdkit");
	assert_int_equal(images_sh("truncate -s 2M d.raw"), 0);
	start_nbdkit("file d.raw");
	log_set_level(LOG_ERR);
	l = images_open(URL, NULL, false);
	/* Nothing written, or nothing since it was flushed: nothing is lost. */
	server_crashes(l, "file d.raw");
	assert_int_equal(l->type->flush(l), 0);
	assert_int_equal(images_write(l, 0, b, 512), 0);
	assert_int_equal(l->type->flush(l), 0);
	server_crashes(l, "file d.raw");
	assert_int_equal(l->type->flush(l), 0);
	/* One that need not be there any more, whatever is written to the next server. */
	assert_int_equal(images_write(l, 0, b, 512), 0);
	server_crashes(l, "file d.raw");
	assert_int_equal(images_write(l, 512, b, 512), 0);
	assert_int_equal(l->type->flush(l), -EIO);
	assert_int_equal(l->type->flush(l), 0);
	assert_int_equal(l->type->write_zeroes(l, 0, 4096, true), 0);
	server_crashes(l, "file d.raw");
	assert_int_equal(l->type->flush(l), -EIO);
	assert_int_equal(l->type->flush(l), 0);
	/* Who has seen a flush fail while there was no server knows. */
	assert_int_equal(images_write(l, 0, b, 512), 0);
	end_server();
	assert_int_equal(l->type->flush(l), -EIO);
	server_crashes(l, "file d.raw");
	assert_int_equal(l->type->flush(l), 0);
	disk_layer_close(l);
	log_set_level(LOG_INFO);
}

/* What it has in memory of its tables is not what they are now. */
static void an_image_is_not_flushed_any_more_when_writes_were_lost(void **state)
{
	uint8_t b[512] = { 1 };
	struct disk_layer *l;

	(void)state;
	images_need("nbdkit");
	images_need("qemu-img");
	assert_int_equal(images_sh("rm -f q.qcow2; qemu-img create -f qcow2 q.qcow2 4M && truncate -s 16M q.qcow2"),
			 0);
	start_nbdkit("file q.qcow2");
	log_set_level(LOG_ERR);
	l = images_open(URL, "qcow2", false);
	assert_int_equal(images_write(l, 0, b, 512), 0);
	start_nbdkit("file q.qcow2");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(l->type->flush(l), -EIO);
	disk_layer_close(l);
	l = images_open(URL, "qcow2", false);
	assert_int_equal(images_write(l, 0, b, 512), 0);
	assert_int_equal(l->type->flush(l), 0);
	disk_layer_close(l);
	log_set_level(LOG_INFO);
}

static void *read_some(void *opaque)
{
	uint8_t b[512];

	return (void *)(intptr_t)images_read(opaque, 0, b, 512);
}

/* Wherever it is: a read of @name comes back when it is given up. */
static void is_given_up(const char *name, const char *format)
{
	struct disk_layer *l;
	pthread_t reader;
	void *result;

	start_nbdkit("file d.raw");
	l = images_open(name, format, true);
	assert_int_equal(kill(server, SIGSTOP), 0);
	assert_int_equal(pthread_create(&reader, NULL, read_some, l), 0);
	usleep(100000);
	disk_layer_give_up(l);
	assert_int_equal(pthread_join(reader, &result), 0);
	assert_int_equal((intptr_t)result, -EIO);
	disk_layer_close(l);
	end_server();
}

static void a_server_that_hangs_is_given_up(void **state)
{
	(void)state;
	images_need("nbdkit");
	images_need("qemu-img");
	assert_int_equal(images_sh("rm -f q.qcow2; truncate -s 4M d.raw; "
				   "qemu-img create -f qcow2 -u -F raw -b '" URL "' q.qcow2 4M"),
			 0);
	log_set_level(LOG_ERR);
	is_given_up(URL, NULL);
	is_given_up("q.qcow2", "qcow2");
	log_set_level(LOG_INFO);
}

static void what_is_left_of_its_last_block_is_no_other_disk(void **state)
{
	struct disk_layer *l;

	(void)state;
	images_need("nbdkit");
	start_nbdkit("--filter=blocksize-policy memory 1049088 blocksize-minimum=4096");
	l = images_open(URL, NULL, false);
	assert_int_equal(l->info.bytes, MIB);
	log_set_level(LOG_ERR);
	server_crashes(l, "--filter=blocksize-policy memory 1049088 blocksize-minimum=4096");
	log_set_level(LOG_INFO);
	disk_layer_close(l);
}

static void *write_soon(void *opaque)
{
	uint8_t b[512] = { 0 };

	usleep(200000);
	assert_int_equal(images_write(opaque, 0, b, 512), -EIO);
	return NULL;
}

/* It says that it shuts down, and still has a connection with a request that it has not answered. */
static void what_a_server_leaves_undone_is_not_forgotten(void **state)
{
	struct disk_layer *l;
	pthread_t writer;
	uint8_t b[512];
	int err;

	(void)state;
	images_need("nbdkit");
	start_nbdkit(
		"--filter=error --filter=delay memory 1M error-pwrite=ESHUTDOWN error-pwrite-rate=100%% rdelay=2");
	log_set_level(LOG_ERR);
	l = images_open(URL, NULL, false);
	alarm(120);
	pthread_create(&writer, NULL, write_soon, l);
	err = images_read(l, 0, b, 512);
	pthread_join(writer, NULL);
	alarm(0);
	assert_true(err == 0 || err == -EIO);
	disk_layer_close(l);
	log_set_level(LOG_INFO);
}

static void a_server_that_dies_of_a_request_gives_an_error(void **state)
{
	static const char script[] =
		"while :; do rm -f s.sock; nbdkit --exit-with-parent -f -P pid -U s.sock eval "
		"get_size='echo 1M' pread='kill -9 $(cat $PIDFILE)' can_write='exit 0' pwrite='cat >/dev/null'; "
		"done\n";
	struct disk_layer *l;
	uint8_t b[512] = { 0 };
	FILE *f;

	(void)state;
	images_need("nbdkit");
	f = fopen("loop.sh", "we");
	assert_non_null(f);
	fputs(script, f);
	fclose(f);
	start_server("pid", "env PIDFILE=$PWD/pid sh loop.sh");
	l = images_open(URL, NULL, false);
	log_set_level(LOG_ERR);
	assert_int_equal(images_read(l, 0, b, 512), -EIO);
	/* Others are answered. */
	for (unsigned i = 0; images_write(l, 0, b, 512); i++)
		assert_true(i < 100);
	log_set_level(LOG_INFO);
	end_server();
	disk_layer_close(l);
}

/* ---- Many at once, as a device has them ---- */

#define FLIGHT 32

struct flight {
	pthread_mutex_t lock;
	struct disk *d;
	struct flying {
		struct disk_req r;
		struct iovec iov[2];
		uint8_t data[8192];
		struct flight *f;
	} * req;
	unsigned left, wrong;
};

static void landed(struct disk_req *r);

static void take_off(struct flight *f, struct flying *y, unsigned n)
{
	y->f = f;
	y->iov[0] = (struct iovec){ y->data, 512 };
	y->iov[1] = (struct iovec){ y->data + 512, 8192 - 512 };
	y->r = (struct disk_req){ .op = DISK_READ,
				  .offset = n % 128 * 8192ull,
				  .bytes = 8192,
				  .iov = y->iov,
				  .iov_count = 2,
				  .done = landed };
	if (disk_submit(f->d, &y->r))
		landed(&y->r);
}

static void landed(struct disk_req *r)
{
	struct flying *y = container_of(r, struct flying, r);
	uint64_t first;

	memcpy(&first, y->data + 512, 8);
	y->f->wrong += r->result || first != r->offset + 512;
	y->f->left--;
	if (y->f->left >= FLIGHT)
		take_off(y->f, y, y->f->left * 7);
}

static void done(struct disk_req *r) { (void)r; }
static void finished(void *opaque) { disk_kick(((struct flight *)opaque)->d); }

static void many_requests_fly_at_once(void **state)
{
	struct flight f = { .lock = PTHREAD_MUTEX_INITIALIZER, .left = 3000 };
	struct disk_owner owner = { .lock = &f.lock, .finished = finished, .opaque = &f };
	struct disk_config cfg = { .said = "test", .file = URL };
	struct disk_req none;
	FILE *out;

	(void)state;
	images_need("nbdkit");
	out = fopen("n.raw", "we");
	for (uint64_t i = 0; i < MIB; i += 8)
		assert_int_equal(fwrite(&i, 8, 1, out), 1);
	fclose(out);
	start_nbdkit("--filter=delay file n.raw rdelay=1ms");
	assert_int_equal(disk_open(&cfg, NULL, &owner, &f.d), 0);
	f.req = calloc(FLIGHT, sizeof(*f.req));
	pthread_mutex_lock(&f.lock);
	for (unsigned i = 0; i < FLIGHT; i++)
		take_off(&f, &f.req[i], i);
	disk_kick(f.d);
	while (f.left) {
		pthread_mutex_unlock(&f.lock);
		usleep(1000);
		pthread_mutex_lock(&f.lock);
	}
	disk_drain(f.d);
	/* Nothing is nothing that a server is asked for. */
	none = (struct disk_req){ .op = DISK_READ, .done = done };
	if (!disk_submit(f.d, &none))
		disk_drain(f.d);
	pthread_mutex_unlock(&f.lock);
	assert_int_equal(none.result, 0);
	assert_int_equal(f.wrong, 0);
	disk_close(f.d);
	free(f.req);
}

static void writes_to_a_snapshot_of_it_do_not_reach_it(void **state)
{
	struct disk_config cfg = { .said = "test", .file = URL, .snapshot = true };
	struct disk_layer *l;
	struct model m;

	(void)state;
	images_need("nbdkit");
	assert_int_equal(images_sh("head -c 4M /dev/urandom > d.raw && cp d.raw copy.raw"), 0);
	start_nbdkit("-r file d.raw");
	assert_int_equal(disk_layer_open(URL, "overlay", &cfg, &l), 0);
	assert_false(l->info.readonly);
	m = model_of(l, 8);
	model_run(&m, l, 500);
	model_compare(&m, l);
	disk_layer_close(l);
	model_free(&m);
	assert_int_equal(images_sh("cmp d.raw copy.raw"), 0);
}

static void an_image_on_a_server_is_an_image(void **state)
{
	struct disk_layer *l;
	struct model m;

	(void)state;
	images_need("nbdkit");
	images_need("qemu-img");
	assert_int_equal(images_sh("rm -f q.qcow2; qemu-img create -f qcow2 q.qcow2 4M && truncate -s 16M q.qcow2"),
			 0);
	start_nbdkit("file q.qcow2");
	l = images_open(URL, "qcow2", false);
	assert_int_equal(l->info.bytes, 4 * MIB);
	m = model_of(l, 9);
	model_run(&m, l, 500);
	model_compare(&m, l);
	disk_layer_close(l);
	end_server();
	model_save(&m, "model.raw");
	assert_int_equal(images_sh("qemu-img check q.qcow2 && qemu-img compare -f raw -F qcow2 model.raw q.qcow2"),
			 0);
	model_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_requests_to_nbdkit_give_what_a_plain_disk_gives),
		cmocka_unit_test(an_export_of_qemu_nbd_is_found_by_its_name),
		cmocka_unit_test(a_server_of_tcp_is_found),
		cmocka_unit_test(a_connection_may_be_encrypted),
		cmocka_unit_test(read_only_exports_and_odd_sizes),
		cmocka_unit_test(errors_of_the_server_are_errors_and_pass),
		cmocka_unit_test(a_request_of_any_length_takes_little_memory),
		cmocka_unit_test(a_server_that_is_soon_back_is_not_missed),
		cmocka_unit_test(a_server_that_stays_away_gives_errors_until_it_is_back),
		cmocka_unit_test(a_flush_does_not_hide_what_went_with_a_server),
		cmocka_unit_test(an_image_is_not_flushed_any_more_when_writes_were_lost),
		cmocka_unit_test(a_server_that_hangs_is_given_up),
		cmocka_unit_test(what_is_left_of_its_last_block_is_no_other_disk),
		cmocka_unit_test(what_a_server_leaves_undone_is_not_forgotten),
		cmocka_unit_test(a_server_that_dies_of_a_request_gives_an_error),
		cmocka_unit_test(many_requests_fly_at_once),
		cmocka_unit_test(writes_to_a_snapshot_of_it_do_not_reach_it),
		cmocka_unit_test(an_image_on_a_server_is_an_image),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
