/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <spec/board.h>
#include <stdlib.h>
#include <vmm/err.h>
#include "virtio.h"

static struct fake_virtio *of(struct virtio_device *v) { return container_of(v, struct fake_virtio, state.v); }

static bool fv_accept(struct virtio_device *v, uint64_t features)
{
	(void)features;
	return !of(v)->veto;
}

static int fv_started(struct virtio_device *v)
{
	of(v)->starts++;
	return of(v)->start_error;
}

static void fv_reset(struct virtio_device *v) { of(v)->resets++; }

static void fv_notify(struct virtio_device *v, unsigned queue)
{
	(void)queue;
	of(v)->notified++;
	if (of(v)->on_notify)
		of(v)->on_notify(of(v));
}

static void fv_config_written(struct virtio_device *v, unsigned offset, unsigned bytes)
{
	(void)offset, (void)bytes;
	of(v)->config_writes++;
}

static void fv_queue_reset(struct virtio_device *v, unsigned queue)
{
	(void)queue;
	of(v)->queue_resets++;
}

static const char *const names[] = { [FV_FEATURE] = "fake-five" };

static const struct virtio_type fv_virtio = {
	.id = 42,
	.queue_size = FV_QUEUE_MAX,
	.feature_names = names,
	.feature_name_count = ARRAY_SIZE(names),
	.accept = fv_accept,
	.start = fv_started,
	.reset = fv_reset,
	.notify = fv_notify,
	.config_written = fv_config_written,
	.queue_reset = fv_queue_reset,
};

static const struct device_type fv_type = { .name = "fake-virtio", VIRTIO_DEVICE };

struct fake_virtio *fv_new(void)
{
	struct fake_virtio *f = calloc(1, sizeof(*f));

	CHECK(f);
	f->vm.loop = loop_new();
	f->mem = mem_new();
	CHECK(f->vm.loop && f->mem && !mem_add_ram(f->mem, "ram", gpa(BOARD_RAM_BASE), FV_RAM_BYTES));
	f->ram = mem_ptr(f->mem, gpa(BOARD_RAM_BASE), 1);
	f->env = (struct device_env){ .vm = &f->vm, .mem = f->mem, .loop = f->vm.loop };
	f->range = (struct device_range){ "fake", BOARD_VIRTIO_BASE, BOARD_VIRTIO_STRIDE };
	f->dev = (struct device){ .type = &fv_type,
				  .env = &f->env,
				  .name = "fake-virtio.0",
				  .state = &f->state,
				  .spi = BOARD_VIRTIO_SPI,
				  .ranges = &f->range,
				  .range_count = 1 };
	pthread_mutex_init(&f->dev.lock, NULL);
	CHECK(!virtio_init(&f->dev, &fv_virtio, FV_BIT(FV_FEATURE), FV_QUEUES, f->state.config,
			   sizeof(f->state.config)));
	virtio_reset(&f->dev);
	return f;
}

void fv_free(struct fake_virtio *f)
{
	virtio_fini(&f->state.v);
	pthread_mutex_destroy(&f->dev.lock);
	mem_free(f->mem);
	loop_free(f->vm.loop);
	free(f);
}

uint32_t fv_rd(struct fake_virtio *f, unsigned reg)
{
	uint64_t value = 0;

	CHECK(virtio_access(&f->dev, 0, reg, 4, &value, false) == BUS_OK);
	return (uint32_t)value;
}

void fv_wr(struct fake_virtio *f, unsigned reg, uint32_t value)
{
	uint64_t v = value;

	CHECK(virtio_access(&f->dev, 0, reg, 4, &v, true) == BUS_OK);
}

static void write_features(struct fake_virtio *f, uint64_t features)
{
	for (unsigned i = 0; i < 2; i++) {
		fv_wr(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		fv_wr(f, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * i));
	}
}

uint32_t fv_agree(struct fake_virtio *f, uint64_t features)
{
	const uint32_t begun = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	fv_wr(f, VIRTIO_MMIO_STATUS, 0);
	fv_wr(f, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE);
	fv_wr(f, VIRTIO_MMIO_STATUS, begun);
	write_features(f, features);
	fv_wr(f, VIRTIO_MMIO_STATUS, begun | VIRTIO_STATUS_FEATURES_OK);
	f->features = features;
	return fv_rd(f, VIRTIO_MMIO_STATUS);
}

void fv_place(struct fake_virtio *f, unsigned size)
{
	memset(f->ram + FV_DESC, 0, FV_TABLE - FV_DESC);
	f->size = size;
	f->at = 0;
	f->wrap = true;
	fv_wr(f, VIRTIO_MMIO_QUEUE_SEL, 0);
	fv_wr(f, VIRTIO_MMIO_QUEUE_SIZE, size);
	fv_wr(f, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)fv_gpa(FV_DESC));
	fv_wr(f, VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint32_t)fv_gpa(FV_DRIVER));
	fv_wr(f, VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint32_t)fv_gpa(FV_DEVICE));
}

void fv_queue(struct fake_virtio *f, unsigned size)
{
	fv_place(f, size);
	fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 1);
}

struct virtq *fv_start(struct fake_virtio *f, uint64_t features, unsigned size)
{
	CHECK(fv_agree(f, features | FV_ALWAYS) & VIRTIO_STATUS_FEATURES_OK);
	fv_queue(f, size);
	fv_wr(f, VIRTIO_MMIO_STATUS, fv_rd(f, VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
	return virtio_queue(&f->state.v, 0);
}

bool fv_broken(struct fake_virtio *f) { return fv_rd(f, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET; }

/* ---- Rings ---- */

#define AT(type, offset) ((type *)(void *)(f->ram + (offset)))

struct virtq_desc *fv_desc(struct fake_virtio *f) { return AT(struct virtq_desc, FV_DESC); }
struct virtq_avail *fv_avail(struct fake_virtio *f) { return AT(struct virtq_avail, FV_DRIVER); }
struct virtq_used *fv_used(struct fake_virtio *f) { return AT(struct virtq_used, FV_DEVICE); }
struct virtq_packed_desc *fv_packed(struct fake_virtio *f) { return AT(struct virtq_packed_desc, FV_DESC); }
uint16_t *fv_used_event(struct fake_virtio *f) { return AT(uint16_t, FV_DRIVER + 4 + 2 * f->size); }
uint16_t *fv_avail_event(struct fake_virtio *f) { return AT(uint16_t, FV_DEVICE + 4 + 8 * f->size); }
struct virtq_packed_event *fv_driver_event(struct fake_virtio *f) { return AT(struct virtq_packed_event, FV_DRIVER); }
struct virtq_packed_event *fv_device_event(struct fake_virtio *f) { return AT(struct virtq_packed_event, FV_DEVICE); }

void fv_put(struct fake_virtio *f, unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	fv_desc(f)[i] = (struct virtq_desc){ addr, len, flags, next };
}

void fv_offer(struct fake_virtio *f, uint16_t head)
{
	struct virtq_avail *a = fv_avail(f);

	a->ring[a->idx % f->size] = head;
	a->idx++;
}

void fv_add(struct fake_virtio *f, uint64_t addr, uint32_t len, uint16_t flags, uint16_t id)
{
	uint16_t turn = f->wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;

	fv_packed(f)[f->at] = (struct virtq_packed_desc){ addr, len, id, flags | turn };
	if (++f->at == f->size) {
		f->at = 0;
		f->wrap = !f->wrap;
	}
}

void fv_simple(struct fake_virtio *f, uint32_t len, bool in)
{
	uint16_t flags = in ? VIRTQ_DESC_F_WRITE : 0;

	if (f->features & FV_BIT(VIRTIO_F_RING_PACKED))
		return fv_add(f, fv_gpa(FV_DATA), len, flags, 7);
	fv_put(f, 0, fv_gpa(FV_DATA), len, flags, 0);
	fv_offer(f, 0);
}
