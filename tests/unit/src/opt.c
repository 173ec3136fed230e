/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/opt.h>

struct dest {
	uint64_t size, time;
	const char *text, *maybe;
	struct opt_list list, args;
	bool flag;
	unsigned choice, number, maybe_number;
	struct hv_block_buf attr;
};

#define AT(f) offsetof(struct dest, f)

static const struct opt rows[] = {
	{ .help = "Heading", .kind = OPT_GROUP },
	{ .name = "mem",
	  .arg = "SIZE",
	  .help = "h",
	  .kind = OPT_SIZE,
	  .offset = AT(size),
	  .min = 2 * MIB,
	  .max = 64 * GIB },
	{ .name = "timeout", .arg = "TIME", .help = "h", .kind = OPT_TIME, .offset = AT(time), .min = 1000000 },
	{ .name = "kernel", .arg = "FILE", .help = "h", .kind = OPT_STRING, .offset = AT(text) },
	{ .name = "cmdline", .arg = "TEXT", .help = "h", .kind = OPT_TEXT, .offset = AT(maybe) },
	{ .name = "device", .arg = "NAME", .help = "h", .kind = OPT_LIST, .offset = AT(list) },
	{ .name = "json", .help = "h", .kind = OPT_FLAG, .offset = AT(flag) },
	{ .name = "on-reset", .arg = "restart|exit", .help = "h", .kind = OPT_CHOICE, .offset = AT(choice) },
	{ .name = "n", .arg = "N", .help = "h", .kind = OPT_NUMBER, .offset = AT(number), .min = 1, .max = 1000000 },
	{ .name = "check",
	  .arg = "N",
	  .help = "h",
	  .kind = OPT_NUMBER,
	  .offset = AT(maybe_number),
	  .min = 1,
	  .max = 99,
	  .unsaid = 16 },
	{ .name = "cpus", .kind = OPT_ATTR, .offset = AT(attr) },
	{ .name = "ipa-bits", .kind = OPT_ATTR, .offset = AT(attr) },
	{ .name = "sve-vl", .kind = OPT_ATTR, .offset = AT(attr) },
	{ .kind = OPT_ATTRS, .offset = AT(attr) },
};

static const struct opt_set set = {
	.rows = rows,
	.count = ARRAY_SIZE(rows),
	.args = "[KERNEL]",
	.doc = "d",
	.args_offset = AT(args),
	.args_max = 1,
};

static char said[1024];

/* @line is split at blanks; what goes to stderr is left in said. */
static int parse(struct dest *d, const char *line)
{
	static char copy[512];
	char *argv[64] = { (char[]){ "vmm test" } };
	FILE *f = tmpfile();
	int argc = 1, old = dup(2), err;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	memset(d, 0, sizeof(*d));
	hv_block_init(&d->attr);
	dup2(fileno(f), 2);
	err = opt_parse(&set, argc, argv, d);
	dup2(old, 2);
	close(old);
	rewind(f);
	said[fread(said, 1, sizeof(said) - 1, f)] = 0;
	fclose(f);
	return err;
}

static void good_options_fill_the_struct(void **state)
{
	struct dest d;
	struct hv_attr *a;

	(void)state;
	assert_int_equal(parse(&d, "--mem 1G Image --timeout=500ms --json --on-reset exit --device a,b=1 --device c "
				   "--cpus 4 --ipa-bits max --sve-vl 128,256,512 --pauth on --cmdline="),
			 0);
	assert_string_equal(said, "");
	assert_int_equal(d.size, GIB);
	assert_int_equal(d.time, 500000000);
	assert_true(d.flag);
	assert_int_equal(d.choice, 1);
	assert_int_equal(d.list.count, 2);
	assert_string_equal(d.list.value[1], "c");
	assert_int_equal(d.args.count, 1);
	assert_string_equal(d.args.value[0], "Image");
	assert_string_equal(d.maybe, "");
	a = hv_block_next(&d.attr.block, NULL);
	assert_int_equal(a->type, HV_ATTR_VCPU_COUNT);
	assert_int_equal(a->payload[0], 4);
	a = hv_block_next(&d.attr.block, a);
	assert_true(a->payload[0] == HV_ATTR_MAX);
	a = hv_block_next(&d.attr.block, a);
	assert_int_equal(a->payload[0], 0xb);
	a = hv_block_next(&d.attr.block, a);
	assert_int_equal(a->payload[0], 1);
	assert_null(hv_block_next(&d.attr.block, a));
}

static void sizes_and_times_have_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} size[] = {
		{ "512M", 512 * MIB }, { "512", 512 * MIB }, { "1g", GIB }, { "2048K", 2 * MIB }, { "4GiB", 4 * GIB },
	};
	static const struct {
		const char *text;
		uint64_t value;
	} time[] = {
		{ "30", 30 * NSEC_PER_SEC }, { "30s", 30 * NSEC_PER_SEC },  { "5m", 300 * NSEC_PER_SEC },
		{ "1ms", 1000000 },          { "1h", 3600 * NSEC_PER_SEC },
	};
	uint64_t v;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(size); i++) {
		assert_int_equal(opt_size("x", size[i].text, 0, 0, &v), 0);
		assert_true(v == size[i].value);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(time); i++) {
		assert_int_equal(opt_time("x", time[i].text, 0, 0, &v), 0);
		assert_true(v == time[i].value);
	}
}

static void a_number_may_go_without_saying(void **state)
{
	struct dest d;

	(void)state;
	assert_int_equal(parse(&d, "--n 1 --check=99"), 0);
	assert_int_equal(d.number, 1);
	assert_int_equal(d.maybe_number, 99);
	/* Then what follows is not its value. */
	assert_int_equal(parse(&d, "--n=1000000 --check 7"), 0);
	assert_int_equal(d.number, 1000000);
	assert_int_equal(d.maybe_number, 16);
	assert_string_equal(d.args.value[0], "7");
	assert_int_equal(parse(&d, "--check --json"), 0);
	assert_int_equal(d.maybe_number, 16);
	assert_true(d.flag);
}

/* One line each, which names option, value and what to do. */
static void bad_options_give_one_line(void **state)
{
	static const struct {
		const char *line, *names[3];
	} row[] = {
		{ "--mem 0", { "--mem=0", "2 MiB", "use more" } },
		{ "--mem 1", { "--mem=1", "2 MiB", "use more" } },
		{ "--mem 1T", { "--mem=1T", "64 GiB", "use less" } },
		{ "--mem 1X", { "--mem=1X", "512M", "number" } },
		{ "--mem -1", { "--mem=-1", "512M", "number" } },
		{ "--mem 99999999999999999999", { "--mem=", "size", "number" } },
		{ "--mem 16777216T", { "--mem=", "size", "number" } },
		{ "--mem", { "--mem", "missing", "--help" } },
		{ "--mem 1G --mem 2G", { "--mem", "twice", "keep one" } },
		{ "--cpus 2 --cpus=2", { "--cpus", "twice", "keep one" } },
		{ "--json --json", { "--json", "twice", "keep one" } },
		{ "--mme 1G", { "--mme", "did you mean --mem?", "--help" } },
		{ "--nothing-like-it", { "--nothing-like-it", "no such option", "--help" } },
		{ "-x", { "-x", "no such option", "--help" } },
		{ "--json=1", { "--json", "no value", "leave it out" } },
		{ "--timeout 3x", { "--timeout=3x", "not a time", "30s" } },
		{ "--timeout 0", { "--timeout=0", "out of range", "1 ms" } },
		{ "--on-reset maybe", { "--on-reset=maybe", "not a choice", "restart|exit" } },
		{ "--on-reset=", { "--on-reset=", "not a choice", "restart|exit" } },
		{ "--on-reset rest", { "--on-reset=rest", "not a choice", "restart|exit" } },
		{ "--n 0", { "--n=0", "1 to 1000000", "use" } },
		{ "--n 1000001", { "--n=1000001", "1 to 1000000", "use" } },
		{ "--n 99999999999999999999", { "--n=9", "1 to 1000000", "use" } },
		{ "--n 4K", { "--n=4K", "1 to 1000000", "use" } },
		{ "--n=", { "--n=", "not a number", "use" } },
		{ "--n", { "--n", "missing", "--help" } },
		{ "--check=0", { "--check=0", "1 to 99", "use" } },
		{ "--check=", { "--check=", "1 to 99", "use" } },
		{ "--kernel=", { "--kernel", "empty", "leave" } },
		{ "--cpus many", { "--cpus=many", "number of vCPUs", "use" } },
		{ "--cpus max", { "--cpus=max", "number of vCPUs", "use" } },
		{ "--cpus 18446744073709551615", { "--cpus=", "number of vCPUs", "use" } },
		{ "--sve-vl 100", { "--sve-vl=100", "not a vector length", "128" } },
		{ "--sve-vl 128,128x", { "--sve-vl", "128x", "128" } },
		{ "--sve-vl=", { "--sve-vl", "not a vector length", "128" } },
		{ "--model v7", { "--model=v7", "not a choice", "v1|max" } },
		{ "--pauth yes", { "--pauth=yes", "not a choice", "on or off" } },
		{ "a b", { "b", "one argument too many", "--help" } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		struct dest d;

		assert_int_equal(parse(&d, row[i].line), -EINVAL);
		for (unsigned k = 0; k < 3; k++)
			if (!strstr(said, row[i].names[k]))
				fail_msg("%s: \"%s\" is not in: %s", row[i].line, row[i].names[k], said);
		assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	}
}

static void a_list_that_is_too_long_is_refused(void **state)
{
	char line[512] = "";
	struct dest d;

	(void)state;
	for (unsigned i = 0; i < OPT_LIST_MAX; i++)
		strcat(line, "--device=x ");
	assert_int_equal(parse(&d, line), 0);
	assert_int_equal(d.list.count, OPT_LIST_MAX);
	strcat(line, "--device=x ");
	assert_int_equal(parse(&d, line), -EINVAL);
	assert_non_null(strstr(said, "more than 32"));
}

static void suggestions_are_near_or_none(void **state)
{
	static const char *const names[] = { "run", "caps", "help", "version" };

	(void)state;
	assert_string_equal(opt_nearest("rnu", names, 4), "run");
	assert_string_equal(opt_nearest("hlep", names, 4), "help");
	assert_string_equal(opt_nearest("verison", names, 4), "version");
	assert_null(opt_nearest("snapshot", names, 4));
	assert_null(opt_nearest("", names, 4));
	assert_null(opt_nearest("a-very-long-name-that-nobody-would-ever-type-in", names, 4));
}

static void sizes_are_said_in_the_largest_whole_unit(void **state)
{
	char t[32];

	(void)state;
	assert_string_equal(opt_size_text(512 * MIB, t, sizeof(t)), "512 MiB");
	assert_string_equal(opt_size_text(1536 * MIB, t, sizeof(t)), "1536 MiB");
	assert_string_equal(opt_size_text(2 * GIB, t, sizeof(t)), "2 GiB");
	assert_string_equal(opt_size_text(1, t, sizeof(t)), "1 bytes");
	assert_string_equal(opt_size_text(0, t, sizeof(t)), "0 bytes");
}

static void every_attribute_with_an_option_is_one(void **state)
{
	const struct hv_attr_info *a;
	struct dest d;
	char line[64];

	(void)state;
	for (unsigned i = 0; (a = hv_attr_at(i)); i++) {
		if (!a->option)
			continue;
		snprintf(line, sizeof(line), "--%s %s", a->option,
			 a->kind == HV_SWITCH          ? "on"
			 : a->type == HV_ATTR_MODEL    ? "v1"
			 : a->type == HV_ATTR_FEATURES ? "mte"
						       : "128");
		assert_int_equal(parse(&d, line), 0);
		assert_int_equal(hv_block_next(&d.attr.block, NULL)->type, a->type);
		assert_int_equal(hv_block_next(&d.attr.block, NULL)->payload[0],
				 a->kind == HV_SWITCH || a->kind == HV_SET || a->type == HV_ATTR_MODEL ? 1 : 128);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_options_fill_the_struct),
		cmocka_unit_test(every_attribute_with_an_option_is_one),
		cmocka_unit_test(sizes_and_times_have_units),
		cmocka_unit_test(a_number_may_go_without_saying),
		cmocka_unit_test(bad_options_give_one_line),
		cmocka_unit_test(a_list_that_is_too_long_is_refused),
		cmocka_unit_test(suggestions_are_near_or_none),
		cmocka_unit_test(sizes_are_said_in_the_largest_whole_unit),
	};

	return cmocka_run_group_tests_name("src/opt", tests, NULL, NULL);
}
