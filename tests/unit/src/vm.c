/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life of a VM with a guest of four instructions, on the software hypervisor
 * and on the same without vm_reset, so that a restart builds everything again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <signal.h>
#include <cmocka.h>

#include <vmm/err.h>
#include <vmm/loop.h>
#include <vmm/vm.h>

#include "fake-hv.h"

#define SYSTEM_OFF   8
#define SYSTEM_RESET 9
#define SPIN         0

static struct hv_ops no_reset_ops = { .name = "soft-without-reset" };

static int never(char *why, size_t bytes)
{
	snprintf(why, bytes, "not set up");
	return -ENODEV;
}

__attribute__((constructor)) static void copy_ops(void)
{
	const struct hv_ops *soft;

	no_reset_ops.available = never;
	if (hv_backend_find("soft", &soft))
		return;
	no_reset_ops = *soft;
	no_reset_ops.name = "soft-without-reset";
	no_reset_ops.rank = 0;
	no_reset_ops.vm_reset = NULL;
}

HV_BACKEND(no_reset, &no_reset_ops);

/* An Image whose code calls PSCI function @fn, or spins. */
static void write_image(char *path, unsigned fn)
{
	uint32_t image[1024] = {
		0x14000010, /* b #64 */
		[4] = sizeof(image),
		[6] = 0xa,                                     /* image_size; little-endian, 4K, anywhere */
		[14] = 0x644d5241,                             /* "ARM\x64" */
		[16] = fn ? 0x52800000 | fn << 5 : 0x14000000, /* movz w0, #fn; or b . */
		[17] = 0x72b08000,                             /* movk w0, #0x8400, lsl #16 */
		[18] = 0xd4000002,                             /* hvc #0 */
		[19] = 0x14000000,
	};
	int fd;

	strcpy(path, "/tmp/vmm-unit-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, image, sizeof(image)), sizeof(image));
	close(fd);
}

typedef void *(*thread_fn)(void *vm);

struct guest {
	unsigned fn, cpus;
	bool reset_ends;
	uint64_t timeout_ns;
	thread_fn meanwhile; /* runs beside the guest */
	bool lose_kernel;    /* the file goes away before the guest runs */
};

static const char *const backends[] = { "soft", "soft-without-reset" };

static struct vm_result run_on(const char *hv, const struct guest *g)
{
	struct vm_config cfg = {
		.hv = hv,
		.ram_bytes = 64 * MIB,
		.cmdline = "",
		.console = "null",
		.jit = { .count = true },
		.reset_ends = g->reset_ends,
		.timeout_ns = g->timeout_ns ? g->timeout_ns : 20 * NSEC_PER_SEC,
		.start_ns = loop_now_ns(),
	};
	uint64_t cpus = g->cpus ? g->cpus : 1;
	struct vm_result r;
	enum proc_exit status;
	pthread_t thread;
	char path[64];
	struct vm *vm;

	write_image(path, g->fn);
	cfg.kernel = path;
	hv_block_init(&cfg.attr);
	hv_block_add(&cfg.attr, HV_ATTR_VCPU_COUNT, &cpus, 1);
	assert_int_equal(vm_build(&cfg, &vm, &status), 0);
	if (g->lose_kernel)
		unlink(path);
	if (g->meanwhile)
		pthread_create(&thread, NULL, g->meanwhile, vm);
	vm_run(vm, &r);
	if (g->meanwhile)
		pthread_join(thread, NULL);
	vm_destroy(vm);
	unlink(path);
	return r;
}

static void assert_status(const struct guest *g, enum proc_exit status, const char *reason)
{
	for (unsigned i = 0; i < 2; i++) {
		struct vm_result r = run_on(backends[i], g);

		assert_int_equal(r.status, status);
		assert_string_equal(r.reason, reason);
		assert_string_equal(r.backend, backends[i]);
		assert_true(r.first_insn_ns > 0 && r.wall_ns >= r.first_insn_ns);
		assert_true(r.insn_count > 0);
	}
}

static void a_power_off_is_the_end(void **state)
{
	(void)state;
	assert_status(&(struct guest){ .fn = SYSTEM_OFF }, PROC_POWEROFF, "poweroff");
	assert_status(&(struct guest){ .fn = SYSTEM_OFF, .cpus = 4 }, PROC_POWEROFF, "poweroff");
}

static void a_reset_is_the_end_if_the_user_says_so(void **state)
{
	(void)state;
	assert_status(&(struct guest){ .fn = SYSTEM_RESET, .reset_ends = true }, PROC_RESET, "reset");
}

static void a_reset_starts_the_guest_again_and_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct guest g = { .fn = SYSTEM_RESET, .cpus = 2, .timeout_ns = NSEC_PER_SEC };
		struct vm_result r = run_on(backends[i], &g);

		assert_int_equal(r.status, PROC_TIMEOUT);
		assert_true(r.resets > 2);
	}
}

static int narrow_limit(uint16_t type, struct hv_limit *limit)
{
	const struct hv_ops *soft;
	int err = hv_backend_find("soft", &soft);

	if (!err)
		err = soft->attr_limit(type, limit);
	if (!err && type == HV_ATTR_IPA_BITS)
		limit->max = 36;
	return err;
}

static unsigned count_of(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void a_default_the_host_lacks_is_replaced_and_said_once(void **state)
{
	struct guest g = { .fn = SYSTEM_RESET, .timeout_ns = NSEC_PER_SEC / 2 };
	int (*wide)(uint16_t type, struct hv_limit * limit) = no_reset_ops.attr_limit;
	struct vm_result r;
	struct said s;

	(void)state;
	no_reset_ops.attr_limit = narrow_limit;
	said_begin(&s);
	r = run_on("soft-without-reset", &g);
	no_reset_ops.attr_limit = wide;
	assert_int_equal(count_of(said_end(&s), "--ipa-bits=36 is taken"), 1);
	assert_true(r.resets > 1);
}

static void a_restart_that_fails_is_the_end_and_the_hosts_fault(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct guest g = { .fn = SYSTEM_RESET, .cpus = 2, .lose_kernel = true };
		struct vm_result r = run_on(backends[i], &g);

		assert_int_equal(r.status, PROC_HOST);
		assert_non_null(strstr(r.text, "failed"));
	}
}

static void a_guest_that_spins_is_stopped_by_the_timeout(void **state)
{
	(void)state;
	assert_status(&(struct guest){ .fn = SPIN, .cpus = 2, .timeout_ns = 200000000 }, PROC_TIMEOUT, "timeout");
}

static void nap(void) { nanosleep(&(struct timespec){ 0, 100000000 }, NULL); }

static void *quit(void *vm)
{
	nap();
	vm_quit(vm);
	vm_quit(vm);
	return NULL;
}

static void *terminate(void *vm)
{
	(void)vm;
	nap();
	kill(getpid(), SIGTERM);
	return NULL;
}

static void *panic(void *vm)
{
	nap();
	vm_guest_panicked(vm, "Kernel panic - not syncing: first");
	vm_guest_panicked(vm, "second");
	return NULL;
}

/* Before the guest can end by itself. */
static void *panic_at_once(void *vm)
{
	vm_guest_panicked(vm, "Kernel panic");
	return NULL;
}

/* As under nohup. */
static void a_signal_that_was_ignored_stays_ignored(void **state)
{
	struct guest g = { .fn = SPIN, .meanwhile = terminate, .timeout_ns = 400000000 };
	struct vm_result r;

	(void)state;
	signal(SIGTERM, SIG_IGN);
	r = run_on("soft", &g);
	signal(SIGTERM, SIG_IGN); /* forgets the one that waits behind the mask */
	signal(SIGTERM, SIG_DFL);
	assert_int_equal(r.status, PROC_TIMEOUT);
}

static void the_user_may_leave_at_any_time(void **state)
{
	(void)state;
	assert_status(&(struct guest){ .fn = SPIN, .meanwhile = quit }, PROC_QUIT, "quit");
	assert_status(&(struct guest){ .fn = SPIN, .meanwhile = quit, .timeout_ns = UINT64_MAX - 1 }, PROC_QUIT,
		      "quit");
	assert_status(&(struct guest){ .fn = SPIN, .meanwhile = terminate }, PROC_QUIT, "quit");
}

static void a_panic_ends_the_vm_after_a_moment_and_the_first_text_counts(void **state)
{
	struct guest g = { .fn = SPIN, .meanwhile = panic };
	struct vm_result r = run_on("soft", &g);

	(void)state;
	assert_int_equal(r.status, PROC_PANIC);
	assert_string_equal(r.text, "Kernel panic - not syncing: first");
	assert_true(r.wall_ns > VM_PANIC_GRACE_MS * UINT64_C(1000000));
}

static void a_panic_wins_over_the_reset_that_follows(void **state)
{
	struct guest g = { .fn = SYSTEM_RESET, .meanwhile = panic_at_once };
	struct vm_result r = run_on("soft", &g);

	(void)state;
	assert_int_equal(r.status, PROC_PANIC);
}

static void what_cannot_be_built_says_usage(void **state)
{
	struct vm_config cfg = { .ram_bytes = 64 * MIB, .cmdline = "", .console = "null", .kernel = "/nonexistent" };
	enum proc_exit status;
	struct vm *vm;

	(void)state;
	hv_block_init(&cfg.attr);
	assert_true(vm_build(&cfg, &vm, &status) < 0);
	assert_int_equal(status, PROC_USAGE);
	assert_null(vm);
	cfg.hv = "nothing";
	assert_true(vm_build(&cfg, &vm, &status) < 0);
	assert_int_equal(status, PROC_USAGE);
	cfg.hv = NULL;
	cfg.ram_bytes = 1024 * GIB;
	assert_true(vm_build(&cfg, &vm, &status) < 0);
	assert_int_equal(status, PROC_USAGE);
	cfg.ram_bytes = 3 * MIB;
	assert_true(vm_build(&cfg, &vm, &status) < 0);
	assert_int_equal(status, PROC_USAGE);
}

/* The second region of redistributors is at 256 GiB. */
static void many_vcpus_need_39_bits_of_addresses(void **state)
{
	struct vm_config cfg = { .ram_bytes = 64 * MIB, .cmdline = "", .console = "null", .kernel = "/nonexistent" };
	uint64_t cpus = 124, bits = 38;
	enum proc_exit status;
	struct vm *vm;

	(void)state;
	hv_block_init(&cfg.attr);
	hv_block_add(&cfg.attr, HV_ATTR_VCPU_COUNT, &cpus, 1);
	hv_block_add(&cfg.attr, HV_ATTR_IPA_BITS, &bits, 1);
	assert_int_equal(vm_build(&cfg, &vm, &status), -EINVAL); /* not -ENOENT: the kernel comes later */
	assert_int_equal(status, PROC_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_power_off_is_the_end),
		cmocka_unit_test(a_reset_is_the_end_if_the_user_says_so),
		cmocka_unit_test(a_reset_starts_the_guest_again_and_again),
		cmocka_unit_test(a_default_the_host_lacks_is_replaced_and_said_once),
		cmocka_unit_test(a_restart_that_fails_is_the_end_and_the_hosts_fault),
		cmocka_unit_test(a_signal_that_was_ignored_stays_ignored),
		cmocka_unit_test(a_guest_that_spins_is_stopped_by_the_timeout),
		cmocka_unit_test(the_user_may_leave_at_any_time),
		cmocka_unit_test(a_panic_ends_the_vm_after_a_moment_and_the_first_text_counts),
		cmocka_unit_test(a_panic_wins_over_the_reset_that_follows),
		cmocka_unit_test(what_cannot_be_built_says_usage),
		cmocka_unit_test(many_vcpus_need_39_bits_of_addresses),
	};

	return cmocka_run_group_tests_name("src/vm", tests, NULL, NULL);
}
