/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <vmm/bus.h>
#include <vmm/err.h>

struct seen {
	uint64_t offset, value;
	unsigned size, count;
	bool write, locked;
	pthread_mutex_t lock;
};

static enum bus_result remember(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	struct seen *s = opaque;

	s->offset = offset;
	s->size = size;
	s->write = write;
	s->count++;
	s->locked = pthread_mutex_trylock(&s->lock) == EBUSY;
	if (!s->locked)
		pthread_mutex_unlock(&s->lock);
	if (write)
		s->value = *value;
	else
		*value = UINT64_C(0x1122334455667788);
	return BUS_OK;
}

static struct seen low = { .lock = PTHREAD_MUTEX_INITIALIZER }, high = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct bus *bus_of_two(void)
{
	struct bus *b = bus_new();
	struct bus_range h = { "high", gpa(0x9001000), 0x1000, remember, &high, NULL };
	struct bus_range l = { "low", gpa(0x9000000), 0x18, remember, &low, &low.lock };

	assert_int_equal(bus_add(b, &h), 0);
	assert_int_equal(bus_add(b, &l), 0);
	return b;
}

static void an_access_reaches_the_range_with_its_offset_and_lock(void **state)
{
	struct bus *b = bus_of_two();
	uint64_t v = UINT64_MAX;

	(void)state;
	assert_int_equal(bus_access(b, gpa(0x9000010), 4, &v, true), BUS_OK);
	assert_int_equal(low.offset, 0x10);
	assert_int_equal(low.size, 4);
	assert_true(low.locked);
	assert_true(low.value == UINT32_MAX);
	assert_int_equal(bus_access(b, gpa(0x9001003), 2, &v, false), BUS_OK);
	assert_int_equal(high.offset, 3);
	assert_false(high.locked);
	assert_true(v == 0x7788);
	v = 0;
	assert_int_equal(bus_access(b, gpa(0x9001ff8), 8, &v, false), BUS_OK);
	assert_true(v == UINT64_C(0x1122334455667788));
	bus_free(b);
}

static void nobody_and_refused_are_different_answers(void **state)
{
	struct bus *b = bus_of_two(), *empty = bus_new();
	uint64_t v = 0;
	unsigned calls = low.count + high.count;

	(void)state;
	assert_int_equal(bus_access(empty, gpa(0), 1, &v, false), BUS_NOBODY);
	assert_int_equal(bus_access(b, gpa(0x8ffffff), 1, &v, false), BUS_NOBODY);
	assert_int_equal(bus_access(b, gpa(0x9000018), 4, &v, false), BUS_NOBODY);
	assert_int_equal(bus_access(b, gpa(0x9002000), 4, &v, false), BUS_NOBODY);
	assert_int_equal(bus_access(b, gpa(UINT64_MAX), 1, &v, true), BUS_NOBODY);
	/* Runs over the end: there, but not all of it. */
	assert_int_equal(bus_access(b, gpa(0x9000014), 8, &v, false), BUS_REFUSED);
	assert_int_equal(bus_access(b, gpa(0x9001fff), 2, &v, true), BUS_REFUSED);
	assert_int_equal(low.count + high.count, calls);
	bus_free(b);
	bus_free(empty);
}

static void ranges_are_listed_in_address_order_and_never_overlap(void **state)
{
	struct bus *b = bus_of_two();
	struct bus_range r = { "x", gpa(0x9000017), 1, remember, &low, NULL };

	(void)state;
	assert_string_equal(bus_range_at(b, 0)->name, "low");
	assert_string_equal(bus_range_at(b, 1)->name, "high");
	assert_null(bus_range_at(b, 2));
	assert_int_equal(bus_add(b, &r), -EEXIST);
	r.base = gpa(0x8ff0000);
	r.bytes = 0x20000;
	assert_int_equal(bus_add(b, &r), -EEXIST);
	r.base = gpa(0x9000018);
	r.bytes = 0x9001000 - 0x9000018;
	assert_int_equal(bus_add(b, &r), 0);
	r.base = gpa(UINT64_MAX);
	r.bytes = 1;
	assert_int_equal(bus_add(b, &r), 0);
	assert_string_equal(bus_range_at(b, 1)->name, "x");
	bus_free(b);
}

static void ranges_can_be_taken_out_by_their_owner(void **state)
{
	struct bus *b = bus_of_two();
	uint64_t v = 0;

	(void)state;
	bus_del(b, &low);
	assert_int_equal(bus_access(b, gpa(0x9000010), 4, &v, true), BUS_NOBODY);
	assert_int_equal(bus_access(b, gpa(0x9001000), 4, &v, true), BUS_OK);
	assert_null(bus_range_at(b, 1));
	bus_del(b, &low);
	assert_string_equal(bus_range_at(b, 0)->name, "high");
	bus_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_access_reaches_the_range_with_its_offset_and_lock),
		cmocka_unit_test(nobody_and_refused_are_different_answers),
		cmocka_unit_test(ranges_are_listed_in_address_order_and_never_overlap),
		cmocka_unit_test(ranges_can_be_taken_out_by_their_owner),
	};

	return cmocka_run_group_tests_name("src/bus", tests, NULL, NULL);
}
