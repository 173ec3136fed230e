/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device tree: our own, written in one pass, or the user's, checked.
 *
 * /aliases and /chosen come last, when the devices have said what they want there.
 */
#include <fcntl.h>
#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <spec/image.h>
#include <vmm/arch.h>
#include <vmm/device.h>
#include <vmm/err.h>
#include <vmm/fdt.h>
#include <vmm/log.h>
#include <vmm/mem.h>

#define ALIASES_MAX    8
#define RNG_SEED_BYTES 32
#define APB_PCLK_HZ    24000000
#define DT_VERSION_MIN 17 /* of 2007; no arm64 tree is older */

struct dt {
	void *blob;
	int err; /* libfdt's; the first one stays */
	unsigned alias_count;
	struct {
		char name[16], path[48];
	} alias[ALIASES_MAX];
	char stdout_path[48];
};

static void note(struct dt *t, int err)
{
	if (err && !t->err)
		t->err = err;
}

/* ---- What devices call ---- */

void dt_begin(struct dt *t, const char *fmt, ...)
{
	char name[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	if (!t->err)
		note(t, fdt_begin_node(t->blob, name));
}

void dt_end(struct dt *t)
{
	if (!t->err)
		note(t, fdt_end_node(t->blob));
}

void dt_bytes(struct dt *t, const char *name, const void *bytes, size_t len)
{
	if (!t->err)
		note(t, len > DT_BYTES_MAX ? -FDT_ERR_NOSPACE : fdt_property(t->blob, name, bytes, (int)len));
}

void dt_flag(struct dt *t, const char *name) { dt_bytes(t, name, NULL, 0); }

void dt_string(struct dt *t, const char *name, const char *value) { dt_bytes(t, name, value, strlen(value) + 1); }

void dt_cells(struct dt *t, const char *name, const uint32_t *cells, unsigned count)
{
	uint32_t big_endian[32];

	CHECK(count <= ARRAY_SIZE(big_endian));
	for (unsigned i = 0; i < count; i++)
		big_endian[i] = cpu_to_fdt32(cells[i]);
	dt_bytes(t, name, big_endian, count * sizeof(*cells));
}

void dt_u32(struct dt *t, const char *name, uint32_t value) { dt_cells(t, name, &value, 1); }

void dt_u64(struct dt *t, const char *name, uint64_t value)
{
	dt_cells(t, name, (const uint32_t[]){ (uint32_t)(value >> 32), (uint32_t)value }, 2);
}

void dt_strings(struct dt *t, const char *name, ...)
{
	char list[256];
	size_t len = 0;
	const char *s;
	va_list args;

	va_start(args, name);
	while ((s = va_arg(args, const char *))) {
		size_t bytes = strlen(s) + 1;

		CHECK(len + bytes <= sizeof(list));
		memcpy(list + len, s, bytes);
		len += bytes;
	}
	va_end(args);
	dt_bytes(t, name, list, len);
}

void dt_reg_list(struct dt *t, const uint64_t (*base_bytes)[2], unsigned count)
{
	uint32_t cells[32];

	CHECK(count <= ARRAY_SIZE(cells) / 4);
	for (unsigned i = 0; i < 2 * count; i++) {
		uint64_t v = base_bytes[i / 2][i % 2];

		cells[2 * i] = (uint32_t)(v >> 32);
		cells[2 * i + 1] = (uint32_t)v;
	}
	dt_cells(t, "reg", cells, 4 * count);
}

void dt_reg(struct dt *t, gpa_t base, uint64_t bytes) { dt_reg_list(t, &(const uint64_t[2]){ base.v, bytes }, 1); }

void dt_spi(struct dt *t, unsigned spi, unsigned flags)
{
	dt_cells(t, "interrupts", (const uint32_t[]){ DT_GIC_SPI, spi, flags }, 3);
}

void dt_alias(struct dt *t, const char *name, const char *path)
{
	CHECK(t->alias_count < ALIASES_MAX);
	snprintf(t->alias[t->alias_count].name, sizeof(t->alias[0].name), "%s", name);
	snprintf(t->alias[t->alias_count].path, sizeof(t->alias[0].path), "%s", path);
	t->alias_count++;
}

void dt_stdout_path(struct dt *t, const char *path) { snprintf(t->stdout_path, sizeof(t->stdout_path), "%s", path); }

/* ---- The board's own nodes ---- */

static void write_memory(struct dt *t, const struct mem *m)
{
	unsigned count = 0;
	const struct mem_region *regions = m ? mem_regions(m, &count) : NULL;

	for (unsigned i = 0; i < count; i++) {
		if (!regions[i].ram)
			continue;
		dt_begin(t, "memory@%llx", (unsigned long long)regions[i].base.v);
		dt_string(t, "device_type", "memory");
		dt_reg(t, regions[i].base, regions[i].bytes);
		dt_end(t);
	}
}

static void write_clock(struct dt *t)
{
	dt_begin(t, "apb-pclk");
	dt_string(t, "compatible", "fixed-clock");
	dt_u32(t, "#clock-cells", 0);
	dt_u32(t, "clock-frequency", APB_PCLK_HZ);
	dt_string(t, "clock-output-names", "clk24mhz");
	dt_u32(t, "phandle", DT_PHANDLE_APB_PCLK);
	dt_end(t);
}

static void write_aliases(struct dt *t)
{
	if (!t->alias_count)
		return;
	dt_begin(t, "aliases");
	for (unsigned i = 0; i < t->alias_count; i++)
		dt_string(t, t->alias[i].name, t->alias[i].path);
	dt_end(t);
}

/* Without the host's random source the guest is better off with no seed than with a bad one. */
static void write_seeds(struct dt *t)
{
	uint8_t seed[RNG_SEED_BYTES + sizeof(uint64_t)];

	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		return;
	dt_bytes(t, "rng-seed", seed, RNG_SEED_BYTES);
	dt_bytes(t, "kaslr-seed", seed + RNG_SEED_BYTES, sizeof(uint64_t));
}

static void write_chosen(struct dt *t, const struct fdt_config *cfg)
{
	dt_begin(t, "chosen");
	if (cfg->cmdline)
		dt_string(t, "bootargs", cfg->cmdline);
	if (t->stdout_path[0])
		dt_string(t, "stdout-path", t->stdout_path);
	if (cfg->initrd_bytes) {
		dt_u64(t, "linux,initrd-start", cfg->initrd.v);
		dt_u64(t, "linux,initrd-end", cfg->initrd.v + cfg->initrd_bytes);
	}
	write_seeds(t);
	dt_end(t);
}

static void write_root(struct dt *t, const struct fdt_config *cfg)
{
	dt_begin(t, "%s", "");
	dt_strings(t, "compatible", "linux,dummy-virt", NULL);
	dt_string(t, "model", "linux,dummy-virt");
	dt_u32(t, "#address-cells", 2);
	dt_u32(t, "#size-cells", 2);
	dt_u32(t, "interrupt-parent", ARCH_FDT_GIC_PHANDLE);
	dt_flag(t, "dma-coherent");
	write_memory(t, cfg->mem);
	if (cfg->arch)
		arch_fdt(t, cfg->arch);
	write_clock(t);
	if (cfg->devices)
		devices_fdt(cfg->devices, t);
	write_aliases(t);
	write_chosen(t, cfg);
	dt_end(t);
}

/* libfdt clears all of the room first, and touching 2 MiB takes longer than the rest of a start. */
#define DT_BYTES_USUAL (64 * KIB)

int fdt_build_into(const struct fdt_config *cfg, void *blob, size_t room)
{
	struct dt t = { .blob = blob };

	note(&t, fdt_create(blob, (int)room));
	if (!t.err)
		note(&t, fdt_finish_reservemap(blob));
	write_root(&t, cfg);
	if (!t.err)
		note(&t, fdt_finish(blob));
	return t.err;
}

int fdt_build(const struct fdt_config *cfg, void **blob, size_t *bytes)
{
	void *p = malloc(DT_BYTES_USUAL);
	int err = p ? fdt_build_into(cfg, p, DT_BYTES_USUAL) : 0;

	*blob = NULL;
	if (err == -FDT_ERR_NOSPACE) {
		free(p);
		p = malloc(DT_BYTES_MAX);
		err = p ? fdt_build_into(cfg, p, DT_BYTES_MAX) : 0;
	}
	if (!p)
		return -ENOMEM;
	if (err) {
		free(p);
		return log_err(-E2BIG, "device tree: %s (at most %u KiB; is the command line too long?)",
			       fdt_strerror(err), (unsigned)(DT_BYTES_MAX / KIB));
	}
	*bytes = fdt_totalsize(p);
	CHECK(!fdt_check_full(p, *bytes));
	*blob = p;
	return 0;
}

/* ---- The user's own ---- */

static int read_whole(const char *path, uint8_t *buffer, size_t room, size_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int err = 0;

	*bytes = 0;
	if (fd < 0)
		return log_err(-errno, "--dtb %s: cannot read it: %s", path, strerror(errno));
	if (!fstat(fd, &st) && S_ISDIR(st.st_mode))
		err = log_err(-EISDIR, "--dtb %s: is a directory; give a device tree blob", path);
	while (!err && *bytes < room) {
		ssize_t n = read(fd, buffer + *bytes, room - *bytes);

		if (n == 0)
			break;
		if (n > 0)
			*bytes += (size_t)n;
		else if (errno != EINTR)
			err = log_err(-errno, "--dtb %s: cannot read it: %s", path, strerror(errno));
	}
	close(fd);
	return err;
}

/* What a file that is not a blob looks like, in the user's words. */
static const char *not_a_blob(const uint8_t *p, size_t len)
{
	if (!len)
		return "is empty";
	if (len >= 9 && !memcmp(p, "/dts-v1/;", 9))
		return "is device tree source; compile it with dtc -O dtb";
	if (len >= 4 && !memcmp(p, "\177ELF", 4))
		return "is an ELF file, not a device tree blob";
	if (len >= sizeof(struct image_header) && !memcmp(p + IMAGE_MAGIC_OFFSET, IMAGE_MAGIC, 4))
		return "is a kernel, not a device tree blob; give it with --kernel";
	if (len >= 2 && p[0] == 0x1f && p[1] == 0x8b)
		return "is gzip-compressed; unpack it";
	return "is not a device tree blob";
}

static int check_blob(const char *path, const uint8_t *p, size_t len)
{
	size_t total;
	int err;

	if (len < sizeof(struct fdt_header) || fdt_magic(p) != FDT_MAGIC) {
		if (len >= 4 && fdt_magic(p) == FDT_MAGIC)
			return log_err(-EINVAL, "--dtb %s: is truncated", path);
		return log_err(-EINVAL, "--dtb %s: %s", path, not_a_blob(p, len));
	}
	total = fdt_totalsize(p);
	if (total > DT_BYTES_MAX)
		return log_err(-EFBIG, "--dtb %s: is %zu bytes; arm64 kernels take at most %u", path, total,
			       (unsigned)DT_BYTES_MAX);
	if (total > len)
		return log_err(-EINVAL, "--dtb %s: is truncated: %zu of %zu bytes", path, len, total);
	/*
	 * libfdt takes older ones, but its check crashes below 16 (names of nodes are paths; one without
	 * a slash is NULL) and lets pass what it damages itself below 17 (no size of the structure).
	 */
	if (fdt_version(p) < DT_VERSION_MIN)
		return log_err(-EINVAL,
			       "--dtb %s: is of version %u, but at least %d is needed; write it anew with dtc", path,
			       fdt_version(p), DT_VERSION_MIN);
	err = fdt_check_full(p, total);
	if (err)
		return log_err(-EINVAL, "--dtb %s: is damaged: %s", path, fdt_strerror(err));
	return 0;
}

static int set_chosen(void *blob, const struct fdt_config *cfg)
{
	int node = fdt_path_offset(blob, "/chosen"), err = 0;

	if (node == -FDT_ERR_NOTFOUND)
		node = fdt_add_subnode(blob, 0, "chosen");
	if (node < 0)
		return node;
	if (cfg->cmdline)
		err = fdt_setprop_string(blob, node, "bootargs", cfg->cmdline);
	if (!err && cfg->initrd_bytes)
		err = fdt_setprop_u64(blob, node, "linux,initrd-start", cfg->initrd.v);
	if (!err && cfg->initrd_bytes)
		err = fdt_setprop_u64(blob, node, "linux,initrd-end", cfg->initrd.v + cfg->initrd_bytes);
	return err;
}

int fdt_read(const char *path, const struct fdt_config *cfg, void **blob, size_t *bytes)
{
	uint8_t *p = malloc(DT_BYTES_MAX);
	void *out = malloc(DT_BYTES_MAX);
	int err = p && out ? read_whole(path, p, DT_BYTES_MAX, bytes) : -ENOMEM;

	*blob = NULL;
	if (!err)
		err = check_blob(path, p, *bytes);
	if (!err) {
		int fdt_err = fdt_open_into(p, out, DT_BYTES_MAX);

		if (!fdt_err)
			fdt_err = set_chosen(out, cfg);
		if (!fdt_err)
			fdt_err = fdt_pack(out);
		if (fdt_err)
			err = log_err(-EINVAL, "--dtb %s: cannot add /chosen: %s", path, fdt_strerror(fdt_err));
	}
	free(p);
	if (err) {
		free(out);
		return err;
	}
	*bytes = fdt_totalsize(out);
	*blob = out;
	return 0;
}

int fdt_dump(const char *path, const void *blob, size_t bytes)
{
	const uint8_t *p = blob;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	int err = 0;

	if (fd < 0)
		return log_err(-errno, "--dump-dtb %s: cannot write there: %s", path, strerror(errno));
	while (bytes && !err) {
		ssize_t n = write(fd, p, bytes);

		if (n > 0) {
			p += n;
			bytes -= (size_t)n;
		} else if (n < 0 && errno != EINTR) {
			err = -errno;
		}
	}
	if (close(fd) && !err)
		err = -errno;
	return err ? log_err(err, "--dump-dtb %s: cannot write there: %s", path, strerror(-err)) : 0;
}
