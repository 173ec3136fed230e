/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry, with a device of this file's own: options, fixed places, order, failures half-way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <spec/board.h>
#include <vmm/err.h>
#include "vm.h"

struct probe {
	const char *path;
	uint64_t size;
	bool on;
	unsigned resets;
};

static unsigned alive;

static int probe_create(struct device *d)
{
	if (((struct probe *)d->state)->size == 13)
		return -EIO;
	alive++;
	return 0;
}

static void probe_destroy(struct device *d)
{
	(void)d;
	alive--;
}

static void probe_reset(struct device *d) { ((struct probe *)d->state)->resets++; }

static enum bus_result probe_access(struct device *d, unsigned range, uint64_t offset, unsigned size, uint64_t *value,
				    bool write)
{
	(void)d, (void)size, (void)write;
	*value = range << 8 | offset;
	return BUS_OK;
}

static const struct device_range probe_ranges[] = { { "probe a", 0x1000, 0x10 }, { "probe b", 0x2000, 0x10 } };

static const struct device_option probe_options[] = {
	{ "path", "PATH", "a path", DEVICE_STRING, offsetof(struct probe, path) },
	{ "size", "BYTES", "a size", DEVICE_U64, offsetof(struct probe, size) },
	{ "on", "on|off", "a switch", DEVICE_BOOL, offsetof(struct probe, on) },
};

static const struct device_type probe_type = {
	.name = "a-probe",
	.help = "this test's",
	.state_bytes = sizeof(struct probe),
	.ranges = probe_ranges,
	.range_count = 2,
	.options = probe_options,
	.option_count = 3,
	.create = probe_create,
	.destroy = probe_destroy,
	.reset = probe_reset,
	.access = probe_access,
};
DEVICE(a_probe, &probe_type);

/* One with a place in a slot, a value that may stand first, and two host ends. */
struct slotted {
	const char *file;
	struct opt_list many;
};

static const struct device_option slotted_options[] = {
	{ "file", "FILE", "a file", DEVICE_STRING, offsetof(struct slotted, file) },
	{ "many", "X", "some", DEVICE_LIST, offsetof(struct slotted, many) },
};

static const struct device_type slotted_type = {
	.name = "b-slotted",
	.help = "this test's",
	.state_bytes = sizeof(struct slotted),
	.slot = true,
	.option = "slotted",
	.arg = "FILE[,KEY=VALUE...]",
	.first = "file",
	DEVICE_OPTIONS(slotted_options),
	.access = probe_access,
};
DEVICE(b_slotted, &slotted_type);

struct tube {
	const char *colour;
};

static const struct device_option tube_options[] = {
	{ "colour", "NAME", "a colour", DEVICE_STRING, offsetof(struct tube, colour) },
};

static const struct device_end ends[] = {
	{ .name = "pipe", .help = "plain", .state_bytes = 1 },
	{ .name = "tube", .help = "coloured", .state_bytes = sizeof(struct tube), DEVICE_OPTIONS(tube_options) },
};

static const struct device_end *end_at(unsigned i) { return i < ARRAY_SIZE(ends) ? &ends[i] : NULL; }

static const struct device_option ended_options[] = {
	{ "end", "NAME", "where it ends", DEVICE_END, 0 },
};

static const struct device_type ended_type = {
	.name = "c-ended",
	.help = "this test's",
	.slot = true,
	.first = "end",
	.end_at = end_at,
	.end_default = "tube",
	DEVICE_OPTIONS(ended_options),
	.access = probe_access,
};
DEVICE(c_ended, &ended_type);

static int create(struct devices *d, struct bus **bus, const char *const *specs, unsigned count)
{
	struct opt_devices wanted = { .count = count };
	static struct vm vm;

	for (unsigned i = 0; i < count; i++)
		wanted.item[i].text = specs[i];
	*bus = bus_new();
	return devices_create(d, &(struct device_env){ .vm = &vm, .bus = *bus }, &wanted);
}

static void done(struct devices *d, struct bus *bus)
{
	devices_destroy(d);
	bus_free(bus);
	assert_int_equal(alive, 0);
}

static void types_are_listed_by_name_and_found(void **state)
{
	(void)state;
	for (unsigned i = 0; device_type_at(i + 1); i++)
		assert_true(strcmp(device_type_at(i)->name, device_type_at(i + 1)->name) < 0);
	assert_ptr_equal(device_type_find("a-probe"), &probe_type);
	assert_null(device_type_find("a-prob"));
}

static void only_board_devices_come_by_themselves(void **state)
{
	struct devices d;
	struct bus *bus;

	(void)state;
	assert_int_equal(create(&d, &bus, NULL, 0), 0);
	assert_int_equal(alive, 0);
	for (const struct device *i = d.first; i; i = i->next)
		assert_true(i->type->on_board);
	assert_non_null(d.first);
	done(&d, bus);
}

static void options_reach_the_state_and_ranges_the_bus(void **state)
{
	const char *const specs[] = { "a-probe,path=/x/y,size=0x10K,on" };
	struct devices d;
	struct probe *p;
	struct bus *bus;
	uint64_t v;

	(void)state;
	assert_int_equal(create(&d, &bus, specs, 1), 0);
	p = d.first->state;
	assert_string_equal(p->path, "/x/y");
	assert_int_equal(p->size, 16 * KIB);
	assert_true(p->on);
	assert_int_equal(p->resets, 1);
	assert_int_equal(bus_access(bus, gpa(0x2004), 4, &v, false), BUS_OK);
	assert_int_equal(v, 0x104);
	devices_reset(&d);
	assert_int_equal(p->resets, 2);
	done(&d, bus);
}

static void a_number_with_a_leading_zero_is_decimal(void **state)
{
	const char *const specs[] = { "a-probe,path=/x,size=010" };
	struct devices d;
	struct bus *bus;

	(void)state;
	assert_int_equal(create(&d, &bus, specs, 1), 0);
	assert_int_equal(((struct probe *)d.first->state)->size, 10);
	done(&d, bus);
}

static void wrong_specs_are_refused_with_the_name_of_what_is_wrong(void **state)
{
	static const struct {
		const char *spec, *words;
	} rows[] = {
		{ "nosuch", "no such device" },
		{ "", "which one?" },
		{ "a-prob,size=1", "did you mean a-probe?" },
		{ "a-probe,colour=red", "no option \"colour\"; it has path, size, on" },
		{ "pvpanic,x=1", "it has none" },
		{ "a-probe,size=big", "not a number" },
		{ "a-probe,size=-1", "not a number" },
		{ "a-probe,size=99999999999999999999", "not a number" },
		{ "a-probe,size=99999999999T", "not a number" },
		{ "a-probe,size=1KK", "not a number" },
		{ "a-probe,size=0x", "not a number" },
		{ "a-probe,size", "needs a value" },
		{ "a-probe,on=maybe", "neither on nor off" },
		{ "a-probe,on,on", "given twice" },
		{ "a-probe,", "an option is empty" },
		{ "a-probe,=x", "an option is empty" },
		{ "a-probe,path=", "path= is empty" },
		{ "a-probe,pat=/x", "did you mean path?" },
		{ "b-slotted,x,slot=32", "the board has 0 to 31" },
		{ "b-slotted,x,slot=none", "not a number" },
		{ "b-slotted,x,file=y", "file is given twice: \"x\" and \"y\"" },
		{ "b-slotted,fiel=y", "no option \"fiel\"; did you mean file?" },
		{ "b-slotted,", "file= is empty" },
		{ "c-ended,hose", "there is no \"hose\"; there are pipe, tube" },
		{ "c-ended,colour=red,end=pipe", "options of tube stand before pipe" },
		{ "c-ended,colour=red,pipe", "\"pipe\" stands behind other options" },
		{ "c-ended,pipe,colour=red", "\"colour\" is an option of tube, and this is pipe" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct devices d;
		struct bus *bus;
		char *said;

		stderr_begin();
		assert_int_equal(create(&d, &bus, &rows[i].spec, 1), -EINVAL);
		said = stderr_end();
		if (!strstr(said, rows[i].words))
			fail_msg("%s: wanted \"%s\", got \"%s\"", rows[i].spec, rows[i].words, said);
		assert_null(d.first);
		free(said);
		done(&d, bus);
	}
}

static void a_value_may_stand_first_and_have_commas_and_equal_signs(void **state)
{
	static const struct {
		const char *spec, *file;
		unsigned many;
	} rows[] = {
		{ "b-slotted,a.img", "a.img", 0 },
		{ "b-slotted,file=a.img,many=1,many=2", "a.img", 2 },
		{ "b-slotted,a=b.img,many=1", "a=b.img", 1 },
		{ "b-slotted,a,,b.img,many=x,,y", "a,b.img", 1 },
		{ "b-slotted,many=1,file=,,", ",", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct devices d;
		const struct slotted *s;
		struct bus *bus;

		assert_int_equal(create(&d, &bus, &rows[i].spec, 1), 0);
		s = d.first->state;
		assert_string_equal(s->file, rows[i].file);
		assert_int_equal(s->many.count, rows[i].many);
		done(&d, bus);
	}
}

static void slots_are_the_users_or_the_lowest_free_ones(void **state)
{
	const char *const specs[] = { "b-slotted,x", "b-slotted,x,slot=1", "b-slotted,x", "b-slotted,x,slot=31" };
	static const unsigned want[] = { 0, 1, 2, 31 };
	struct devices d;
	struct bus *bus;
	unsigned i = 0;

	(void)state;
	assert_int_equal(create(&d, &bus, specs, 4), 0);
	for (const struct device *at = d.first; i < 4; at = at->next, i++) {
		assert_int_equal(at->spi, BOARD_VIRTIO_SPI + want[i]);
		assert_int_equal(at->ranges[0].base, BOARD_VIRTIO_BASE + BOARD_VIRTIO_STRIDE * want[i]);
		assert_non_null(bus_find(bus, gpa(at->ranges[0].base)));
	}
	done(&d, bus);
}

static void a_host_end_brings_its_options(void **state)
{
	static const struct {
		const char *spec, *end, *colour;
	} rows[] = {
		{ "c-ended", "tube", NULL },
		{ "c-ended,pipe", "pipe", NULL },
		{ "c-ended,end=pipe,slot=3", "pipe", NULL },
		{ "c-ended,tube,colour=red", "tube", "red" },
		{ "c-ended,colour=blue", "tube", "blue" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct devices d;
		struct bus *bus;

		assert_int_equal(create(&d, &bus, &rows[i].spec, 1), 0);
		assert_string_equal(d.first->end->name, rows[i].end);
		if (rows[i].colour)
			assert_string_equal(((struct tube *)d.first->end_state)->colour, rows[i].colour);
		done(&d, bus);
	}
}

static void a_fixed_device_comes_once_and_failures_leave_nothing(void **state)
{
	const char *const twice[] = { "a-probe", "a-probe" }, *const fails[] = { "pvpanic", "a-probe,size=13" };
	struct devices d;
	struct bus *bus;

	(void)state;
	stderr_begin();
	assert_int_equal(create(&d, &bus, twice, 2), -EINVAL);
	done(&d, bus);
	assert_int_equal(create(&d, &bus, fails, 2), -EIO);
	assert_null(d.first);
	done(&d, bus);
	free(stderr_end());
}

static void without_a_power_key_the_button_says_so(void **state)
{
	struct devices d = { 0 };

	(void)state;
	assert_int_equal(devices_power_button(&d), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_listed_by_name_and_found),
		cmocka_unit_test(only_board_devices_come_by_themselves),
		cmocka_unit_test(options_reach_the_state_and_ranges_the_bus),
		cmocka_unit_test(a_number_with_a_leading_zero_is_decimal),
		cmocka_unit_test(wrong_specs_are_refused_with_the_name_of_what_is_wrong),
		cmocka_unit_test(a_value_may_stand_first_and_have_commas_and_equal_signs),
		cmocka_unit_test(slots_are_the_users_or_the_lowest_free_ones),
		cmocka_unit_test(a_host_end_brings_its_options),
		cmocka_unit_test(a_fixed_device_comes_once_and_failures_leave_nothing),
		cmocka_unit_test(without_a_power_key_the_button_says_so),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
