/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree as a kernel finds it (read back with libfdt, and by dtc if it is here), and blobs from users. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <spec/board.h>
#include <vmm/arch.h>
#include <vmm/device.h>
#include <vmm/fdt.h>
#include <vmm/mem.h>
#include "vm.h"

static const struct arch_fdt_config arch = { .vcpu_count = 2 };

/* Every registered device without a VM around it: only its description is asked for. */
static void describe(struct devices *d, struct device *each, unsigned *count)
{
	const struct device_type *t;
	uint64_t slot = 0;

	*d = (struct devices){ 0 };
	d->last = &d->first;
	for (*count = 0; (t = device_type_at(*count)); ++*count) {
		struct device *one = &each[*count];

		*one = (struct device){ .type = t, .env = &d->env, .ranges = t->ranges, .spi = t->spi };
		if (t->slot) {
			one->slot_range.base = BOARD_VIRTIO_BASE + slot * BOARD_VIRTIO_STRIDE;
			one->slot_range.bytes = BOARD_VIRTIO_STRIDE;
			one->ranges = &one->slot_range;
			one->spi = BOARD_VIRTIO_SPI + (unsigned)slot++;
		}
		*d->last = one;
		d->last = &one->next;
	}
}

static void *tree(const struct fdt_config *more, size_t *bytes)
{
	struct device each[32];
	struct devices d;
	unsigned count;
	struct mem *m = mem_new();
	struct fdt_config cfg = *more;
	void *blob;

	describe(&d, each, &count);
	assert_int_equal(mem_add_ram(m, "ram", gpa(BOARD_RAM_BASE), 64 * MIB), 0);
	assert_int_equal(mem_add_shared(m, "records", gpa(BOARD_PVTIME_BASE), 1), 0);
	cfg.mem = m;
	cfg.arch = &arch;
	cfg.devices = &d;
	assert_int_equal(fdt_build(&cfg, &blob, bytes), 0);
	mem_free(m);
	return blob;
}

static const char *string_at(const void *blob, const char *path, const char *name)
{
	return fdt_getprop(blob, fdt_path_offset(blob, path), name, NULL);
}

static uint32_t cell_at(const void *blob, const char *path, const char *name, unsigned i)
{
	int len;
	const fdt32_t *p = fdt_getprop(blob, fdt_path_offset(blob, path), name, &len);

	assert_non_null(p);
	assert_true(len >= (int)(4 * (i + 1)));
	return fdt32_to_cpu(p[i]);
}

static void board_devices_are_where_the_map_says(void **state)
{
	static const struct {
		const char *path, *compatible;
		uint32_t base;
		int spi;
	} rows[] = {
		{ "/pl011@9000000", "arm,pl011", BOARD_UART_BASE, BOARD_UART_SPI },
		{ "/pl031@9010000", "arm,pl031", BOARD_RTC_BASE, BOARD_RTC_SPI },
		{ "/pl061@9030000", "arm,pl061", BOARD_GPIO_BASE, BOARD_GPIO_SPI },
		{ "/pvpanic@9040000", "qemu,pvpanic-mmio", BOARD_PVPANIC_BASE, -1 },
		{ "/memory@40000000", NULL, BOARD_RAM_BASE, -1 },
		{ "/virtio_mmio@a000200", "virtio,mmio", BOARD_VIRTIO_BASE + BOARD_VIRTIO_STRIDE, -1 },
	};
	size_t bytes;
	void *blob = tree(&(struct fdt_config){ 0 }, &bytes);

	(void)state;
	assert_true(bytes <= DT_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].compatible)
			assert_string_equal(string_at(blob, rows[i].path, "compatible"), rows[i].compatible);
		assert_int_equal(cell_at(blob, rows[i].path, "reg", 0), 0);
		assert_int_equal(cell_at(blob, rows[i].path, "reg", 1), rows[i].base);
		if (rows[i].spi < 0)
			continue;
		assert_int_equal(cell_at(blob, rows[i].path, "interrupts", 0), DT_GIC_SPI);
		assert_int_equal(cell_at(blob, rows[i].path, "interrupts", 1), rows[i].spi);
		assert_int_equal(cell_at(blob, rows[i].path, "interrupts", 2), DT_LEVEL_HIGH);
	}
	assert_int_equal(cell_at(blob, "/memory@40000000", "reg", 3), 64 * MIB);
	assert_int_equal(fdt_path_offset(blob, "/memory@90a0000"), -FDT_ERR_NOTFOUND); /* memory, but not RAM */
	free(blob);
}

static void stdout_path_leads_to_the_uart(void **state)
{
	size_t bytes;
	void *blob = tree(&(struct fdt_config){ 0 }, &bytes);

	(void)state;
	assert_string_equal(string_at(blob, string_at(blob, "/chosen", "stdout-path"), "compatible"), "arm,pl011");
	assert_string_equal(string_at(blob, "/aliases", "serial0"), string_at(blob, "/chosen", "stdout-path"));
	free(blob);
}

static void every_phandle_that_is_named_exists_once(void **state)
{
	static const struct {
		const char *path, *name;
		unsigned cell;
		const char *flag;
	} refs[] = {
		{ "/", "interrupt-parent", 0, "interrupt-controller" },
		{ "/pl011@9000000", "clocks", 0, "#clock-cells" },
		{ "/pl011@9000000", "clocks", 1, "#clock-cells" },
		{ "/pl031@9010000", "clocks", 0, "#clock-cells" },
		{ "/pl061@9030000", "clocks", 0, "#clock-cells" },
		{ "/gpio-keys/poweroff", "gpios", 0, "gpio-controller" },
	};
	size_t bytes;
	void *blob = tree(&(struct fdt_config){ 0 }, &bytes);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refs); i++) {
		int node = fdt_node_offset_by_phandle(blob, cell_at(blob, refs[i].path, refs[i].name, refs[i].cell));

		assert_true(node > 0);
		assert_non_null(fdt_getprop(blob, node, refs[i].flag, NULL));
	}
	free(blob);
}

static void chosen_has_cmdline_initrd_and_fresh_seeds(void **state)
{
	const struct fdt_config cfg = { .cmdline = "console=ttyAMA0 quiet",
					.initrd = gpa(0x48000000),
					.initrd_bytes = 0x1234 };
	size_t bytes;
	void *a = tree(&cfg, &bytes), *b = tree(&cfg, &bytes);
	int len;

	(void)state;
	assert_string_equal(string_at(a, "/chosen", "bootargs"), cfg.cmdline);
	assert_int_equal(cell_at(a, "/chosen", "linux,initrd-start", 1), 0x48000000);
	assert_int_equal(cell_at(a, "/chosen", "linux,initrd-end", 1), 0x48001234);
	assert_non_null(fdt_getprop(a, fdt_path_offset(a, "/chosen"), "rng-seed", &len));
	assert_int_equal(len, 32);
	assert_memory_not_equal(string_at(a, "/chosen", "rng-seed"), string_at(b, "/chosen", "rng-seed"), 32);
	assert_memory_not_equal(string_at(a, "/chosen", "kaslr-seed"), string_at(b, "/chosen", "kaslr-seed"), 8);
	free(a);
	free(b);
}

static void dtc_has_nothing_to_complain_about(void **state)
{
	char path[] = "/tmp/vmm-dtb-XXXXXX", line[200], out[4096];
	size_t bytes, len;
	void *blob = tree(&(struct fdt_config){ .cmdline = "x" }, &bytes);
	int fd = mkstemp(path);
	FILE *p;

	(void)state;
	if (system("command -v dtc >/dev/null"))
		skip();
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(fdt_dump(path, blob, bytes), 0);
	snprintf(line, sizeof(line), "dtc -I dtb -O dts -o /dev/null %s 2>&1", path);
	p = popen(line, "r");
	len = fread(out, 1, sizeof(out) - 1, p);
	out[len] = 0;
	pclose(p);
	unlink(path);
	free(blob);
	assert_string_equal(out, "");
}

static void a_command_line_that_is_too_long_is_refused(void **state)
{
	char *cmdline = malloc(3 * MIB), *said;
	struct fdt_config cfg = { .cmdline = cmdline };
	size_t bytes;
	void *blob;

	(void)state;
	memset(cmdline, 'x', 3 * MIB - 1);
	cmdline[3 * MIB - 1] = 0;
	stderr_begin();
	assert_true(fdt_build(&cfg, &blob, &bytes) < 0);
	said = stderr_end();
	assert_non_null(strstr(said, "command line"));
	free(said);
	free(cmdline);
}

/* ---- --dtb ---- */

static int read_back(const void *file, size_t len, const struct fdt_config *cfg, void **blob, size_t *bytes,
		     char **said)
{
	char path[] = "/tmp/vmm-dtb-XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, file, len), len);
	close(fd);
	stderr_begin();
	err = fdt_read(path, cfg, blob, bytes);
	*said = stderr_end();
	unlink(path);
	return err;
}

static void the_users_tree_stays_but_for_chosen(void **state)
{
	const struct fdt_config cfg = { .cmdline = "new", .initrd = gpa(0x50000000), .initrd_bytes = 1 };
	size_t bytes, bytes2;
	void *blob = tree(&(struct fdt_config){ .cmdline = "old" }, &bytes), *again;
	char *said;

	(void)state;
	assert_int_equal(read_back(blob, bytes, &cfg, &again, &bytes2, &said), 0);
	assert_string_equal(string_at(again, "/chosen", "bootargs"), "new");
	assert_int_equal(cell_at(again, "/chosen", "linux,initrd-end", 1), 0x50000001);
	assert_string_equal(string_at(again, "/pl011@9000000", "compatible"), "arm,pl011");
	free(again);
	free(said);
	assert_int_equal(read_back(blob, bytes, &(struct fdt_config){ 0 }, &again, &bytes2, &said), 0);
	assert_string_equal(string_at(again, "/chosen", "bootargs"), "old");
	free(again);
	free(said);
	free(blob);
}

static void files_that_are_no_tree_are_named(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *words;
	} rows[] = {
		{ "", 0, "is empty" },
		{ "/dts-v1/;\n/ {};", 15, "compile it with dtc" },
		{ "\177ELF\2\1\1", 7, "ELF" },
		{ "\x1f\x8b\x08", 3, "gzip" },
		{ "\xd0\x0d\xfe\xed", 4, "truncated" },
		{ "hello, world; this is nothing at all ...", 40, "not a device tree blob" },
	};
	void *again;
	size_t bytes;
	char *said;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(read_back(rows[i].bytes, rows[i].len, &(struct fdt_config){ 0 }, &again, &bytes, &said) <
			    0);
		if (!strstr(said, rows[i].words))
			fail_msg("wanted \"%s\", got \"%s\"", rows[i].words, said);
		assert_null(again);
		free(said);
	}
}

static void truncated_oversized_and_damaged_trees_are_refused(void **state)
{
	size_t bytes, bytes2;
	uint8_t *blob = tree(&(struct fdt_config){ 0 }, &bytes);
	void *again;
	char *said;

	(void)state;
	assert_true(read_back(blob, bytes / 2, &(struct fdt_config){ 0 }, &again, &bytes2, &said) < 0);
	assert_non_null(strstr(said, "truncated"));
	free(said);
	fdt_set_totalsize(blob, 3 * MIB);
	assert_true(read_back(blob, bytes, &(struct fdt_config){ 0 }, &again, &bytes2, &said) < 0);
	assert_non_null(strstr(said, "at most"));
	free(said);
	fdt_set_totalsize(blob, (uint32_t)bytes);
	/* Each word in turn: refused or taken, never a crash. */
	for (size_t i = 0; i < bytes; i += bytes / 400 & ~(size_t)3) {
		uint8_t saved[4];

		memcpy(saved, blob + i, 4);
		memset(blob + i, 0xff, 4);
		if (!read_back(blob, bytes, &(struct fdt_config){ .cmdline = "x" }, &again, &bytes2, &said))
			free(again);
		free(said);
		memcpy(blob + i, saved, 4);
	}
	free(blob);
}

/* A root whose name, in versions before 16 a path, has no slash: libfdt's check reads through NULL. */
static void a_tree_of_an_old_version_is_refused_before_libfdt_looks(void **state)
{
	static const uint32_t words[] = {
		FDT_MAGIC,      96, 56,           88,      40, 3, 1, 0, 0, 0, 0, 0, 0, 0, /* no reserved memory */
		FDT_BEGIN_NODE, 0,  FDT_END_NODE, FDT_END, 0,  0, 0, 0, 0, 0,
	};
	fdt32_t blob[ARRAY_SIZE(words)];
	void *again;
	size_t bytes;
	char *said;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		blob[i] = cpu_to_fdt32(words[i]);
	assert_true(read_back(blob, sizeof(blob), &(struct fdt_config){ 0 }, &again, &bytes, &said) < 0);
	assert_non_null(strstr(said, "version 3"));
	assert_null(again);
	free(said);
	blob[5] = cpu_to_fdt32(16);
	assert_true(read_back(blob, sizeof(blob), &(struct fdt_config){ 0 }, &again, &bytes, &said) < 0);
	assert_non_null(strstr(said, "version 16"));
	free(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(board_devices_are_where_the_map_says),
		cmocka_unit_test(stdout_path_leads_to_the_uart),
		cmocka_unit_test(every_phandle_that_is_named_exists_once),
		cmocka_unit_test(chosen_has_cmdline_initrd_and_fresh_seeds),
		cmocka_unit_test(dtc_has_nothing_to_complain_about),
		cmocka_unit_test(a_command_line_that_is_too_long_is_refused),
		cmocka_unit_test(the_users_tree_stays_but_for_chosen),
		cmocka_unit_test(files_that_are_no_tree_are_named),
		cmocka_unit_test(truncated_oversized_and_damaged_trees_are_refused),
		cmocka_unit_test(a_tree_of_an_old_version_is_refused_before_libfdt_looks),
	};

	return cmocka_run_group_tests_name("fdt", tests, NULL, NULL);
}
