/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the transport (mmio.c) and the rings (queue.c): what a queue is. Devices see
 * only vmm/virtio.h.
 *
 * Indices are free-running copies of ours; those in guest memory are only ever compared
 * with them. The pointers are into guest memory and valid while the queue is ready.
 */
#ifndef DEVICES_VIRTIO_QUEUE_H
#define DEVICES_VIRTIO_QUEUE_H

#include <vmm/mem.h>
#include <vmm/virtio.h>

struct virtq {
	struct virtio_device *v;
	unsigned index;
	bool ready;
	uint32_t size;                          /* as the driver has written it; checked when it becomes ready */
	uint64_t desc_addr, driver_addr, device_addr;

	/* From here on: while ready. */
	bool event_idx, indirect;
	bool notifications;                     /* the device wants them */
	bool armed;                             /* with EVENT_IDX: the driver knows that, at next_avail */
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	uint16_t next_avail;                    /* the entry popped next */
	uint16_t seen_avail;                    /* the driver's index when we last looked */
	uint16_t next_used;
	uint32_t fresh;                         /* pushed since the driver's wish for an interrupt was looked at */
	unsigned in_flight;                     /* popped and not pushed */
	uint32_t epoch;                         /* not 0; another one after each reset */

	/* Every chain ever made for this queue: at most as many as the ring has entries. */
	struct virtq_chain **chains, *unused;
	unsigned chain_count, chain_room;

	/* The memory that addresses of descriptors were in last. */
	struct mem_region region;
};

/* The driver has written size and addresses. false: they break a rule, and virtio_broken() has been called. */
bool virtq_enable(struct virtq *q);
/* Chains popped are void from now on. The next enable begins with indices of 0. */
void virtq_disable(struct virtq *q);
void virtq_free(struct virtq *q);

/* In mmio.c: a used buffer notification that the driver wants. */
void virtio_interrupt_used(struct virtio_device *v);

#endif
