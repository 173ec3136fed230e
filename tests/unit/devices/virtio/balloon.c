/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <spec/virtio-balloon.h>
#include "driver.h"

#define FEATURE(name) (UINT64_C(1) << VIRTIO_BALLOON_F_##name)
#define PAGE          VIRTIO_BALLOON_PAGE_BYTES
#define CONFIG(field) (VIRTIO_MMIO_CONFIG + offsetof(struct virtio_balloon_config, field))

static int setup(void **state)
{
	*state = driver_new("virtio-balloon,target=48M");
	return !*state;
}

static int teardown(void **state)
{
	driver_free(*state);
	return 0;
}

/* Does the host have something there? */
static bool resident(struct driver *d, uint64_t at)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char there;
	uintptr_t p = (uintptr_t)driver_ptr(d, at);

	assert_int_equal(mincore((void *)(p & ~((uintptr_t)page - 1)), 1, &there), 0);
	return there & 1;
}

/* Sixteen pages, filled: with any page size of a host, some whole ones. */
static uint64_t used_pages(struct driver *d, unsigned count)
{
	uint64_t at;

	d->unused = align_up(d->unused, 64 * KIB);
	at = driver_alloc(d, (uint64_t)count * PAGE);
	memset(driver_ptr(d, at), 0xaa, (size_t)count * PAGE);
	return at;
}

static void balloon(struct driver *d, unsigned queue, const uint32_t *pfn, unsigned count)
{
	uint64_t at = driver_alloc(d, 4 * count + 4);

	memcpy(driver_ptr(d, at), pfn, 4 * count);
	driver_add(d, queue, at, 4 * count, 0, 0);
	driver_notify(d, queue);
}

static void the_target_is_what_the_balloon_leaves(void **state)
{
	struct driver *d = *state;
	char *said;

	assert_int_equal(driver_reg(d, CONFIG(num_pages)), 16 * MIB / PAGE);
	driver_set_reg(d, CONFIG(num_pages), 7);
	driver_set_reg(d, CONFIG(actual), 5);
	assert_int_equal(driver_reg(d, CONFIG(num_pages)), 16 * MIB / PAGE);
	assert_int_equal(driver_reg(d, CONFIG(actual)), 5);
	stderr_begin();
	assert_null(driver_new("virtio-balloon,target=65M"));
	assert_null(driver_new("virtio-balloon,target=100"));
	said = stderr_end();
	assert_non_null(strstr(said, "target=65 MiB: the guest has 64 MiB"));
	free(said);
}

static void features_are_as_the_options_say(void **state)
{
	struct driver *d = driver_new("virtio-balloon,deflate-on-oom=off,free-page-reporting=off");

	assert_true(driver_offered(*state) & FEATURE(DEFLATE_ON_OOM));
	assert_true(driver_offered(*state) & FEATURE(PAGE_REPORTING));
	assert_false(driver_offered(d) & (FEATURE(DEFLATE_ON_OOM) | FEATURE(PAGE_REPORTING)));
	assert_int_equal(driver_reg(d, CONFIG(num_pages)), 0);
	driver_free(d);
}

static void pages_in_the_balloon_are_the_hosts_again(void **state)
{
	struct driver *d = *state;
	uint64_t at = used_pages(d, 48);
	uint32_t pfn[16];

	driver_start(d, ~UINT64_C(0) & ~(UINT64_C(1) << VIRTIO_F_RING_PACKED));
	for (unsigned i = 0; i < 16; i++) /* the middle third, backwards */
		pfn[i] = (uint32_t)(at / PAGE) + 31 - i;
	assert_true(resident(d, at + 16 * PAGE));
	balloon(d, VIRTIO_BALLOON_INFLATE, pfn, 16);
	assert_true(driver_done(d, VIRTIO_BALLOON_INFLATE, NULL, NULL));
	assert_false(resident(d, at + 16 * PAGE));
	assert_false(resident(d, at + 31 * PAGE));
	for (unsigned i = 0; i < 48 * PAGE; i++)
		assert_int_equal(((uint8_t *)driver_ptr(d, at))[i], i / (16 * PAGE) == 1 ? 0 : 0xaa);
	balloon(d, VIRTIO_BALLOON_DEFLATE, pfn, 16);
	assert_true(driver_done(d, VIRTIO_BALLOON_DEFLATE, NULL, NULL));
}

/* Named twice it is no two, and what stands between others is not among them. */
static void pages_that_are_named_twice_are_no_more(void **state)
{
	struct driver *d = *state;
	uint64_t at = used_pages(d, 64), page = (uint64_t)sysconf(_SC_PAGESIZE) / PAGE;
	uint32_t pfn[5 * 16], count = 0;

	driver_start(d, 0);
	/* The first of four pages of the host's, three times, and the third. */
	for (unsigned i = 0; i < page; i++)
		for (unsigned n = 0; n < 4; n++)
			pfn[count++] = (uint32_t)(at / PAGE + i + (n == 3 ? 2 * page : 0));
	balloon(d, VIRTIO_BALLOON_INFLATE, pfn, count);
	assert_true(driver_done(d, VIRTIO_BALLOON_INFLATE, NULL, NULL));
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(resident(d, at + i * page * PAGE), i & 1);
}

static void report(struct driver *d, unsigned queue, uint64_t at, uint32_t bytes)
{
	driver_add(d, queue, 0, 0, at, bytes);
	driver_notify(d, queue);
	assert_true(driver_done(d, queue, NULL, NULL));
}

/* In the document's queue, and in that of Linux, which leaves no gaps. */
static void free_pages_are_given_back(void **state)
{
	struct driver *d = *state;

	driver_start(d, FEATURE(STATS_VQ) | FEATURE(PAGE_REPORTING));
	for (unsigned queue = VIRTIO_BALLOON_FREE_PAGE; queue <= VIRTIO_BALLOON_REPORTING; queue++) {
		uint64_t at = used_pages(d, 32);

		report(d, queue, at, 16 * PAGE);
		assert_false(resident(d, at));
		assert_true(resident(d, at + 16 * PAGE));
	}
}

static void poisoned_pages_stay_as_they_are(void **state)
{
	struct driver *d = *state;
	uint64_t at = used_pages(d, 16);

	driver_start(d, FEATURE(STATS_VQ) | FEATURE(PAGE_REPORTING) | FEATURE(PAGE_POISON));
	driver_set_reg(d, CONFIG(poison_val), 0xaaaaaaaa);
	report(d, VIRTIO_BALLOON_FREE_PAGE, at, 16 * PAGE);
	assert_true(resident(d, at));
	driver_set_reg(d, CONFIG(poison_val), 0);
	report(d, VIRTIO_BALLOON_FREE_PAGE, at, 16 * PAGE);
	assert_false(resident(d, at));
}

static char *info(struct driver *d)
{
	stderr_begin();
	assert_true(devices_info(&d->vm.devices));
	return stderr_end();
}

static void statistics_are_fresh_when_asked_for(void **state)
{
	struct driver *d = *state;
	struct virtio_balloon_stat *s;
	uint64_t at = driver_alloc(d, 100);
	char *said = info(d);

	assert_non_null(strstr(said, "wanted 16 MiB"));
	free(said);
	driver_start(d, FEATURE(STATS_VQ));
	s = driver_ptr(d, at);
	s[0] = (struct virtio_balloon_stat){ VIRTIO_BALLOON_S_MEMFREE, 11 * MIB };
	s[1] = (struct virtio_balloon_stat){ 999, 1 };
	driver_add(d, VIRTIO_BALLOON_STATS, at, 2 * sizeof(*s), 0, 0);
	driver_notify(d, VIRTIO_BALLOON_STATS);
	assert_false(driver_done(d, VIRTIO_BALLOON_STATS, NULL, NULL));
	said = info(d);
	assert_string_equal(said, "");
	free(said);
	assert_true(driver_done(d, VIRTIO_BALLOON_STATS, NULL, NULL));
	stderr_begin();
	driver_notify(d, VIRTIO_BALLOON_STATS); /* without any */
	said = stderr_end();
	assert_string_equal(said, "");
	free(said);
	s[0].val = 22 * MIB;
	driver_add(d, VIRTIO_BALLOON_STATS, at, 2 * sizeof(*s), 0, 0);
	stderr_begin();
	driver_notify(d, VIRTIO_BALLOON_STATS);
	said = stderr_end();
	assert_non_null(strstr(said, "free 22 MiB"));
	free(said);
	/* A driver that has broken a rule gives none. */
	stderr_begin();
	driver_add(d, VIRTIO_BALLOON_INFLATE, 0, 0, 1, 64);
	driver_notify(d, VIRTIO_BALLOON_INFLATE);
	free(stderr_end());
	assert_true(driver_broken(d));
	said = info(d);
	assert_non_null(strstr(said, "free 22 MiB"));
	free(said);
}

/* ---- A host that refuses ---- */

static bool host_refuses;
int __real_mem_discard(struct mem *m, gpa_t a, uint64_t len);
int __wrap_mem_discard(struct mem *m, gpa_t a, uint64_t len);

int __wrap_mem_discard(struct mem *m, gpa_t a, uint64_t len)
{
	return host_refuses ? -ENOMEM : __real_mem_discard(m, a, len);
}

static void a_host_that_does_not_take_memory_is_told_of_once(void **state)
{
	struct driver *d = *state;
	char *said, *first;
	uint32_t pfn = (uint32_t)(used_pages(d, 16) / PAGE);

	driver_start(d, 0);
	host_refuses = true;
	stderr_begin();
	for (unsigned i = 0; i < 10; i++) {
		balloon(d, VIRTIO_BALLOON_INFLATE, &pfn, 1);
		assert_true(driver_done(d, VIRTIO_BALLOON_INFLATE, NULL, NULL));
	}
	said = stderr_end();
	host_refuses = false;
	first = strstr(said, "does not take memory back: Cannot allocate");
	assert_non_null(first);
	assert_null(strstr(first + 1, "does not take"));
	free(said);
}

/* ---- Hostile ---- */

static void pages_that_are_no_memory_change_nothing(void **state)
{
	static const uint32_t pfn[] = {
		0, 1, UINT32_MAX, UINT32_MAX - 1, (DRIVER_RAM + DRIVER_RAM_BYTES) / PAGE, DRIVER_RAM / PAGE - 1,
		7, 7, 7
	};
	struct driver *d = *state;
	uint64_t at;
	char *said;

	driver_start(d, 0);
	stderr_begin();
	balloon(d, VIRTIO_BALLOON_INFLATE, pfn, ARRAY_SIZE(pfn));
	said = stderr_end();
	assert_non_null(strstr(said, "not memory"));
	free(said);
	assert_true(driver_done(d, VIRTIO_BALLOON_INFLATE, NULL, NULL));
	at = driver_alloc(d, 64);
	driver_add(d, VIRTIO_BALLOON_INFLATE, at, 3, 0, 0); /* not even one */
	driver_add(d, VIRTIO_BALLOON_INFLATE, 0, 0, at, 64);
	driver_notify(d, VIRTIO_BALLOON_INFLATE);
	assert_true(driver_done(d, VIRTIO_BALLOON_INFLATE, NULL, NULL));
	assert_true(driver_done(d, VIRTIO_BALLOON_INFLATE, NULL, NULL));
	assert_false(driver_broken(d));
}

/* A ring that is suddenly all zeroes. */
static void the_rings_own_pages_in_the_balloon_are_survived(void **state)
{
	struct driver *d = *state;
	uint32_t pfn[DRIVER_RAM_BYTES / PAGE / 64];

	driver_start(d, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(pfn); i++)
		pfn[i] = (uint32_t)(DRIVER_RAM / PAGE) + MIB / PAGE + i;
	stderr_begin();
	balloon(d, VIRTIO_BALLOON_INFLATE, pfn, ARRAY_SIZE(pfn));
	free(stderr_end());
	assert_true(driver_broken(d));
	driver_start(d, 0);
	assert_false(driver_broken(d));
}

static void a_request_without_end_is_refused(void **state)
{
	struct driver *d = *state;
	char *said;

	driver_start(d, 0);
	driver_add(d, VIRTIO_BALLOON_INFLATE, DRIVER_RAM, 32 * MIB, 0, 0);
	stderr_begin();
	driver_notify(d, VIRTIO_BALLOON_INFLATE);
	said = stderr_end();
	assert_non_null(strstr(said, "more than 65536 pages"));
	free(said);
	assert_true(driver_broken(d));
}

/* The buffer that the device keeps is of a queue that is not there any more. */
static void a_reset_forgets_the_statistics(void **state)
{
	struct driver *d = *state;
	uint64_t at = driver_alloc(d, 100);
	char *said;

	for (unsigned i = 0; i < 2; i++) {
		driver_start(d, FEATURE(STATS_VQ));
		driver_add(d, VIRTIO_BALLOON_STATS, at, 20, 0, 0);
		driver_add(d, VIRTIO_BALLOON_STATS, at, 20, 0, 0); /* it must have one; the first comes back */
		driver_notify(d, VIRTIO_BALLOON_STATS);
		assert_true(driver_done(d, VIRTIO_BALLOON_STATS, NULL, NULL));
		assert_false(driver_done(d, VIRTIO_BALLOON_STATS, NULL, NULL));
	}
	driver_set_reg(d, VIRTIO_MMIO_STATUS, 0);
	said = info(d);
	assert_non_null(strstr(said, "balloon of 0 MiB"));
	free(said);
}

static void any_access_is_survived(void **state)
{
	struct driver *d = *state;

	stderr_begin();
	fake_hammer(&d->vm, d->base, 0x200);
	free(stderr_end());
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_target_is_what_the_balloon_leaves),
		T(features_are_as_the_options_say),
		T(pages_in_the_balloon_are_the_hosts_again),
		T(pages_that_are_named_twice_are_no_more),
		T(free_pages_are_given_back),
		T(poisoned_pages_stay_as_they_are),
		T(statistics_are_fresh_when_asked_for),
		T(a_host_that_does_not_take_memory_is_told_of_once),
		T(pages_that_are_no_memory_change_nothing),
		T(the_rings_own_pages_in_the_balloon_are_survived),
		T(a_request_without_end_is_refused),
		T(a_reset_forgets_the_statistics),
		T(any_access_is_survived),
	};

	return cmocka_run_group_tests_name("virtio-balloon", tests, NULL, NULL);
}
