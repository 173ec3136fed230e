/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver of virtio-mmio devices: registers, and rings of both formats whose parts a
 * program may spoil. Interrupts are the program's to take.
 */
#ifndef GUEST_VIRTIO_H
#define GUEST_VIRTIO_H

#include <spec/virtio.h>
#include "lib.h"

#define VIRTIO_FEATURE(n) (1ul << (n))
#define VRING_BUFS_MAX    4             /* of one request */

struct vring {
	u64 regs;
	unsigned queue, size;           /* size: a multiple of VRING_BUFS_MAX; requests have ids below a quarter of it */
	u64 features;
	bool packed;
	u8 *desc, *driver, *device;     /* of a page each, as is: */
	u8 *tables;                     /* indirect ones, one for each id */
	u16 avail, used;                /* split: free-running, packed: positions */
	bool avail_wrap, used_wrap;
	u16 kicked;                     /* avail when the device was last told */
	u16 slots[64];                  /* packed: descriptors of each id in flight */
};

struct vbuf { const void *at; u32 len; bool in; };

/* Registers and slot of the first device of this type; 0: there is none. */
u64 virtio_find(u32 id, unsigned *slot);
/* Its interrupt, an edge, goes to CPU 0 and is enabled; the INTID. After gic_init(). */
unsigned virtio_wire(unsigned slot);
/* What the device wants to be seen: VIRTIO_MMIO_INT_*; it is told. */
u32 virtio_ack(u64 regs);
u64 virtio_features(u64 regs);
static inline u32 virtio_status(u64 regs) { return read32(regs + VIRTIO_MMIO_STATUS); }
/* From a reset to FEATURES_OK. False: the device does not take these. */
bool virtio_begin(u64 regs, u64 features);
void virtio_go(u64 regs);

/* The ring is made ready; false: the device does not say it is. A second time uses the same memory. */
bool vring_setup(struct vring *r, u64 regs, unsigned queue, unsigned size, u64 features);
/* All of it, from a reset to DRIVER_OK; VERSION_1 is always in. */
bool vring_start(struct vring *r, u64 regs, unsigned queue, unsigned size, u64 features);
/* A request becomes available; @id must not be in flight. */
void vring_add(struct vring *r, u16 id, const struct vbuf *b, unsigned count, bool indirect);
/* Notifies if the device wants it, and says whether it does. */
bool vring_kick(struct vring *r);
/* Takes a finished request out. */
bool vring_take(struct vring *r, u16 *id, u32 *len);
/* Interrupts at all; with EVENT_IDX when the @nth from now has been used (packed: of one descriptor each). */
void vring_interrupts(struct vring *r, bool on);
void vring_interrupt_at(struct vring *r, unsigned nth);

#endif
