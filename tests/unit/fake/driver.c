/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <spec/board.h>
#include <vmm/err.h>
#include "driver.h"

struct driver *driver_new(const char *options)
{
	struct opt_devices wanted = { .item = { { NULL, options } }, .count = 1 };
	struct driver *d = calloc(1, sizeof(*d));

	CHECK(d);
	d->vm.loop = loop_new();
	d->vm.bus = bus_new();
	d->mem = mem_new();
	CHECK(d->vm.loop && d->vm.bus && d->mem && !mem_add_ram(d->mem, "ram", gpa(DRIVER_RAM), DRIVER_RAM_BYTES));
	CHECK(!console_create("null", d->vm.loop, &d->vm, &d->vm.console));
	d->base = BOARD_VIRTIO_BASE;
	d->unused = DRIVER_RAM + MIB;
	if (devices_create(&d->vm.devices,
			   &(struct device_env){ .vm = &d->vm,
						 .mem = d->mem,
						 .bus = d->vm.bus,
						 .loop = d->vm.loop,
						 .console = d->vm.console },
			   &wanted)) {
		driver_free(d);
		return NULL;
	}
	d->dev = d->vm.devices.first;
	d->v = d->dev->state;
	return d;
}

void driver_refused(const char *options, const char *why)
{
	struct driver *d;
	char *said;

	stderr_begin();
	d = driver_new(options);
	said = stderr_end();
	assert_null(d);
	if (!strstr(said, why))
		fail_msg("%s: wanted \"%s\", said \"%s\"", options, why, said);
	free(said);
}

void driver_free(struct driver *d)
{
	devices_destroy(&d->vm.devices);
	console_destroy(d->vm.console);
	bus_free(d->vm.bus);
	loop_free(d->vm.loop);
	mem_free(d->mem);
	free(d);
}

uint32_t driver_reg(struct driver *d, unsigned reg) { return fake_read(&d->vm, d->base + reg); }
void driver_set_reg(struct driver *d, unsigned reg, uint32_t value) { fake_write(&d->vm, d->base + reg, value); }

bool driver_broken(struct driver *d) { return driver_reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET; }

uint64_t driver_offered(struct driver *d)
{
	uint64_t low;

	driver_set_reg(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = driver_reg(d, VIRTIO_MMIO_DEVICE_FEATURES);
	driver_set_reg(d, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return low | (uint64_t)driver_reg(d, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

uint64_t driver_alloc(struct driver *d, uint64_t bytes)
{
	uint64_t at = d->unused;

	d->unused += align_up(bytes, 4096);
	memset(driver_ptr(d, at), 0, bytes);
	return at;
}

void *driver_ptr(struct driver *d, uint64_t a)
{
	void *p = mem_ptr(d->mem, gpa(a), 1);

	CHECK(p);
	return p;
}

static void set_address(struct driver *d, unsigned reg, uint64_t a)
{
	driver_set_reg(d, reg, (uint32_t)a);
	driver_set_reg(d, reg + 4, (uint32_t)(a >> 32));
}

static void start_queue(struct driver *d, unsigned i)
{
	uint64_t desc = driver_alloc(d, 16 * DRIVER_ENTRIES), avail = driver_alloc(d, 6 + 2 * DRIVER_ENTRIES),
		 used = driver_alloc(d, 6 + 8 * DRIVER_ENTRIES);

	driver_set_reg(d, VIRTIO_MMIO_QUEUE_SEL, i);
	driver_set_reg(d, VIRTIO_MMIO_QUEUE_SIZE, DRIVER_ENTRIES);
	set_address(d, VIRTIO_MMIO_QUEUE_DESC_LOW, desc);
	set_address(d, VIRTIO_MMIO_QUEUE_DRIVER_LOW, avail);
	set_address(d, VIRTIO_MMIO_QUEUE_DEVICE_LOW, used);
	driver_set_reg(d, VIRTIO_MMIO_QUEUE_READY, 1);
	d->queue[i] = (struct driver_queue){ .desc = driver_ptr(d, desc),
					     .avail = driver_ptr(d, avail),
					     .used = driver_ptr(d, used) };
}

void driver_start(struct driver *d, uint64_t wanted)
{
	uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	driver_set_reg(d, VIRTIO_MMIO_STATUS, 0);
	driver_set_reg(d, VIRTIO_MMIO_STATUS, status);
	d->features = driver_offered(d) & (wanted | UINT64_C(1) << VIRTIO_F_VERSION_1);
	driver_set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	driver_set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)d->features);
	driver_set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	driver_set_reg(d, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(d->features >> 32));
	driver_set_reg(d, VIRTIO_MMIO_STATUS, status |= VIRTIO_STATUS_FEATURES_OK);
	CHECK(driver_reg(d, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK);
	for (unsigned i = 0; i < d->v->queue_count; i++)
		start_queue(d, i);
	driver_set_reg(d, VIRTIO_MMIO_STATUS, status | VIRTIO_STATUS_DRIVER_OK);
}

/* Descriptors in turn: a test that has more than the ring's in flight reaches into the ring itself. */
static unsigned add_desc(struct driver_queue *q, uint64_t at, uint32_t bytes, unsigned flags)
{
	unsigned i = q->next++ % DRIVER_ENTRIES;

	q->desc[i] = (struct virtq_desc){ at, bytes, (uint16_t)flags, q->next % DRIVER_ENTRIES };
	return i;
}

unsigned driver_add(struct driver *d, unsigned queue, uint64_t out_at, uint32_t out, uint64_t in_at, uint32_t in)
{
	struct driver_queue *q = &d->queue[queue];
	unsigned id = q->next % DRIVER_ENTRIES;

	if (out)
		add_desc(q, out_at, out, in ? VIRTQ_DESC_F_NEXT : 0);
	if (in)
		add_desc(q, in_at, in, VIRTQ_DESC_F_WRITE);
	q->avail->ring[q->avail->idx % DRIVER_ENTRIES] = (uint16_t)id;
	q->avail->idx++;
	return id;
}

void driver_notify(struct driver *d, unsigned queue) { driver_set_reg(d, VIRTIO_MMIO_QUEUE_NOTIFY, queue); }

bool driver_done(struct driver *d, unsigned queue, unsigned *id, uint32_t *written)
{
	struct driver_queue *q = &d->queue[queue];
	const struct virtq_used_elem *e = &q->used->ring[q->seen % DRIVER_ENTRIES];

	if (q->seen == q->used->idx)
		return false;
	q->seen++;
	if (id)
		*id = e->id;
	if (written)
		*written = e->len;
	return true;
}
