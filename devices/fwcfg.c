/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg: where firmware for QEMU's virt machine asks its host for things. There is
 * little here that it must have: the newest EDK2 wants to find the device itself, and
 * with --kernel beside --firmware the kernel is handed over here.
 *
 * An item that does not exist, and what is beyond the end of one, reads as zeroes.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <spec/board.h>
#include <spec/fwcfg.h>
#include <vmm/device.h>
#include <vmm/err.h>
#include <vmm/fdt.h>
#include <vmm/firmware.h>
#include <vmm/log.h>
#include <vmm/mem.h>

#define ITEMS_MAX 16

struct item {
	uint16_t key;
	uint32_t bytes;
	const void *data; /* NULL: in the file */
	int fd;
};

struct fwcfg {
	struct item item[ITEMS_MAX];
	unsigned item_count;
	uint32_t kernel_bytes, initrd_bytes, cmdline_bytes; /* as items */
	uint32_t key, at;                                   /* what is selected, and how far it has been read */
	uint32_t dma_high;
};

static const uint8_t directory[4]; /* no files */
static const uint8_t id[4] = { FWCFG_ID_TRADITIONAL | FWCFG_ID_DMA };

/* ---- Items ---- */

static const struct item *selected(const struct fwcfg *f)
{
	for (unsigned i = 0; i < f->item_count; i++)
		if (f->item[i].key == f->key)
			return &f->item[i];
	return NULL;
}

static void select_item(struct fwcfg *f, uint16_t key)
{
	f->key = key;
	f->at = 0;
}

static void skip(struct fwcfg *f, uint32_t len) { f->at = len > UINT32_MAX - f->at ? UINT32_MAX : f->at + len; }

static size_t file_bytes(int fd, uint8_t *to, size_t len, uint32_t at)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, to + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* The next @len bytes of what is selected. */
static void take(struct fwcfg *f, uint8_t *to, uint32_t len)
{
	const struct item *i = selected(f);
	uint32_t left = i && f->at < i->bytes ? i->bytes - f->at : 0;
	size_t n = len < left ? len : left;

	if (n && i->data)
		memcpy(to, (const uint8_t *)i->data + f->at, n);
	else if (n)
		n = file_bytes(i->fd, to, n, f->at);
	memset(to + n, 0, len - n);
	skip(f, len);
}

/* ---- DMA ---- */

struct dma {
	uint32_t control, length;
	uint64_t address;
};
_Static_assert(sizeof(struct dma) == FWCFG_DMA_BYTES, "fw_cfg.rst: the guest lays this out");

static bool dma_read(struct device *d, gpa_t to, uint32_t len)
{
	const struct mem_region *r = mem_region_at(d->env->mem, to);
	uint8_t *p = mem_ptr(d->env->mem, to, len);

	if (!len)
		return true;
	if (!p || r->readonly)
		return false;
	take(d->state, p, len);
	return true;
}

static bool dma_do(struct device *d, const struct dma *dma)
{
	uint32_t control = be32toh(dma->control), len = be32toh(dma->length);
	struct fwcfg *f = d->state;

	if (control & FWCFG_DMA_SELECT)
		select_item(f, (uint16_t)(control >> 16));
	if (control & FWCFG_DMA_READ)
		return dma_read(d, gpa(be64toh(dma->address)), len);
	if (control & FWCFG_DMA_WRITE)
		return false;
	if (control & FWCFG_DMA_SKIP)
		skip(f, len);
	return true;
}

static void dma_run(struct device *d, gpa_t at)
{
	struct dma dma;
	uint32_t control;

	/* Copied once: the guest may change it while we read. */
	if (!d->env->mem || mem_read(d->env->mem, at, &dma, sizeof(dma))) {
		log_guest("fw_cfg: the DMA structure at 0x%llx is not in memory", (unsigned long long)at.v);
		return;
	}
	control = dma_do(d, &dma) ? 0 : htobe32(FWCFG_DMA_ERROR);
	if (mem_write(d->env->mem, at, &control, sizeof(control)))
		log_guest("fw_cfg: the DMA structure at 0x%llx is in read-only memory", (unsigned long long)at.v);
}

/* ---- Registers ---- */

static enum bus_result data_access(struct fwcfg *f, unsigned size, uint64_t *value, bool write)
{
	uint64_t le = 0;

	/* What a guest writes here is for nobody. */
	if (!write) {
		take(f, (uint8_t *)&le, size);
		*value = le64toh(le);
	}
	return BUS_OK;
}

static enum bus_result dma_access(struct device *d, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	struct fwcfg *f = d->state;

	if (!write) {
		*value = htobe64(FWCFG_DMA_SIGNATURE) >> 8 * offset;
		return BUS_OK;
	}
	if (size == 8)
		dma_run(d, gpa(be64toh(*value)));
	else if (size == 4 && offset == 4)
		dma_run(d, gpa((uint64_t)f->dma_high << 32 | be32toh((uint32_t)*value)));
	else if (size != 4 || offset)
		return BUS_REFUSED;
	f->dma_high = size == 4 && !offset ? be32toh((uint32_t)*value) : 0;
	return BUS_OK;
}

static enum bus_result fwcfg_access(struct device *d, unsigned range, uint64_t offset, unsigned size, uint64_t *value,
				    bool write)
{
	struct fwcfg *f = d->state;

	(void)range;
	if (offset + size <= FWCFG_SELECTOR)
		return data_access(f, size, value, write);
	if (offset >= FWCFG_DMA)
		return dma_access(d, offset - FWCFG_DMA, size, value, write);
	if (offset != FWCFG_SELECTOR || size != 2 || !write)
		return BUS_REFUSED;
	select_item(f, be16toh((uint16_t)*value));
	return BUS_OK;
}

/* ---- Life ---- */

static void add_data(struct fwcfg *f, uint16_t key, const void *data, size_t bytes)
{
	CHECK(f->item_count < ITEMS_MAX);
	f->item[f->item_count++] = (struct item){ .key = key, .bytes = (uint32_t)bytes, .data = data, .fd = -1 };
}

/* The file as item @key, its size, to be kept in *bytes, as item @bytes_key. */
static int add_file(struct fwcfg *f, const char *option, const char *path, uint16_t key, uint16_t bytes_key,
		    uint32_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		log_err(0, "%s %s: cannot read it: %s", option, path, strerror(errno));
		goto close;
	}
	if (!S_ISREG(st.st_mode)) {
		log_err(0, "%s %s: is not a regular file", option, path);
		goto close;
	}
	if (st.st_size > UINT32_MAX) {
		log_err(0, "%s %s: is %jd bytes; firmware can be given less than 4 GiB", option, path,
			(intmax_t)st.st_size);
		goto close;
	}
	CHECK(f->item_count < ITEMS_MAX);
	f->item[f->item_count++] = (struct item){ .key = key, .bytes = (uint32_t)st.st_size, .fd = fd };
	*bytes = htole32((uint32_t)st.st_size);
	add_data(f, bytes_key, bytes, sizeof(*bytes));
	return 0;
close:
	if (fd >= 0)
		close(fd);
	return -EINVAL;
}

static int add_kernel(struct fwcfg *f, const struct firmware *w)
{
	int err = add_file(f, "--kernel", w->kernel, FWCFG_KERNEL, FWCFG_KERNEL_BYTES, &f->kernel_bytes);

	if (!err && w->initrd)
		err = add_file(f, "--initrd", w->initrd, FWCFG_INITRD, FWCFG_INITRD_BYTES, &f->initrd_bytes);
	if (err || !w->cmdline)
		return err;
	f->cmdline_bytes = htole32((uint32_t)strlen(w->cmdline) + 1);
	add_data(f, FWCFG_CMDLINE, w->cmdline, strlen(w->cmdline) + 1);
	add_data(f, FWCFG_CMDLINE_BYTES, &f->cmdline_bytes, sizeof(f->cmdline_bytes));
	return 0;
}

static void fwcfg_destroy(struct device *d)
{
	struct fwcfg *f = d->state;

	for (unsigned i = 0; i < f->item_count; i++)
		if (!f->item[i].data)
			close(f->item[i].fd);
}

static int fwcfg_create(struct device *d)
{
	const struct firmware *w = d->env->firmware;
	struct fwcfg *f = d->state;
	int err;

	add_data(f, FWCFG_SIGNATURE, "QEMU", 4);
	add_data(f, FWCFG_ID, id, sizeof(id));
	add_data(f, FWCFG_DIRECTORY, directory, sizeof(directory));
	err = w && w->kernel ? add_kernel(f, w) : 0;
	if (err)
		fwcfg_destroy(d);
	return err;
}

static void fwcfg_reset(struct device *d)
{
	struct fwcfg *f = d->state;

	select_item(f, 0);
	f->dma_high = 0;
}

static void fwcfg_fdt(struct device *d, struct dt *t)
{
	const struct device_range *r = &d->type->ranges[0];

	dt_begin(t, "fw-cfg@%llx", (unsigned long long)r->base);
	dt_string(t, "compatible", "qemu,fw-cfg-mmio");
	dt_reg(t, gpa(r->base), r->bytes);
	dt_flag(t, "dma-coherent");
	dt_end(t);
}

static const struct device_range fwcfg_ranges[] = { { "fwcfg", BOARD_FWCFG_BASE, BOARD_FWCFG_SIZE } };

static const struct device_state fwcfg_state[] = {
	STATE(struct fwcfg, key),
	STATE(struct fwcfg, at),
	STATE(struct fwcfg, dma_high),
};

static const struct device_type fwcfg_type = {
	.name = "fwcfg",
	.help = "what firmware asks its host for",
	.with_firmware = true,
	.state_bytes = sizeof(struct fwcfg),
	.ranges = fwcfg_ranges,
	.range_count = ARRAY_SIZE(fwcfg_ranges),
	.state = fwcfg_state,
	.state_count = ARRAY_SIZE(fwcfg_state),
	.create = fwcfg_create,
	.destroy = fwcfg_destroy,
	.reset = fwcfg_reset,
	.access = fwcfg_access,
	.fdt = fwcfg_fdt,
};
DEVICE(fwcfg, &fwcfg_type);
