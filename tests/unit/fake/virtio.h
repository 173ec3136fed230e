/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtio device of no kind, in 4 MiB of RAM, and its driver: for tests of the transport
 * and the rings. What the device is told is counted; it does nothing by itself.
 */
#ifndef UNIT_FAKE_VIRTIO_H
#define UNIT_FAKE_VIRTIO_H

#include <vmm/mem.h>
#include <vmm/virtio.h>
#include "vm.h"

#define FV_QUEUES      2
#define FV_QUEUE_MAX   4096
#define FV_RAM_BYTES   (4 * MIB)
#define FV_FEATURE     5                /* of the device type */
#define FV_BIT(n)      (UINT64_C(1) << (n))
#define FV_ALWAYS      FV_BIT(VIRTIO_F_VERSION_1)

/* Where the driver has its rings (of queue 0), from the beginning of RAM; buffers from FV_DATA up. */
#define FV_DESC        0x10000
#define FV_DRIVER      0x20000
#define FV_DEVICE      0x30000
#define FV_TABLE       0x50000
#define FV_DATA        0x100000

struct fake_virtio {
	struct {
		struct virtio_device v;
		struct fake_virtio *f;
		uint8_t config[12];
	} state;
	struct vm vm;
	struct device_env env;
	struct device_range range;
	struct device dev;
	struct mem *mem;
	uint8_t *ram;
	/* What the device has been told; what it answers. */
	void (*on_notify)(struct fake_virtio *f);       /* what it does then; NULL: nothing */
	unsigned notified, starts, resets, queue_resets, config_writes;
	bool veto;
	int start_error;
	/* The driver's. */
	uint64_t features;
	unsigned size;
	uint16_t at;                    /* packed: where the next descriptor goes */
	bool wrap;
};

struct fake_virtio *fv_new(void);
void fv_free(struct fake_virtio *f);

uint32_t fv_rd(struct fake_virtio *f, unsigned reg);
void fv_wr(struct fake_virtio *f, unsigned reg, uint32_t value);

/* Up to FEATURES_OK; what the status is then. */
uint32_t fv_agree(struct fake_virtio *f, uint64_t features);
/* Size and places of queue 0, and ready; the first without that. */
void fv_place(struct fake_virtio *f, unsigned size);
void fv_queue(struct fake_virtio *f, unsigned size);
/* All of it, from a reset to DRIVER_OK; VERSION_1 is always in. The queue. */
struct virtq *fv_start(struct fake_virtio *f, uint64_t features, unsigned size);
bool fv_broken(struct fake_virtio *f);

/* ---- The driver's side of the rings ---- */

static inline uint64_t fv_gpa(uint64_t offset) { return UINT64_C(0x40000000) + offset; }

struct virtq_desc *fv_desc(struct fake_virtio *f);
struct virtq_avail *fv_avail(struct fake_virtio *f);
struct virtq_used *fv_used(struct fake_virtio *f);
struct virtq_packed_desc *fv_packed(struct fake_virtio *f);
uint16_t *fv_used_event(struct fake_virtio *f);
uint16_t *fv_avail_event(struct fake_virtio *f);
struct virtq_packed_event *fv_driver_event(struct fake_virtio *f);
struct virtq_packed_event *fv_device_event(struct fake_virtio *f);

/* Split: the descriptor @i; then its head in the available ring. */
void fv_put(struct fake_virtio *f, unsigned i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next);
void fv_offer(struct fake_virtio *f, uint16_t head);
/* Packed: the next descriptor of the ring, available at once; @flags without those two. */
void fv_add(struct fake_virtio *f, uint64_t addr, uint32_t len, uint16_t flags, uint16_t id);
/* Either: one buffer of @len bytes at FV_DATA, that the device writes, or reads. */
void fv_simple(struct fake_virtio *f, uint32_t len, bool in);

#endif
