/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <spec/gic.h>
#include "virtio.h"

#define DESC(r)   ((volatile struct virtq_desc *)(r)->desc)
#define AVAIL(r)  ((volatile struct virtq_avail *)(r)->driver)
#define USED(r)   ((volatile struct virtq_used *)(r)->device)
#define PACKED(r) ((volatile struct virtq_packed_desc *)(r)->desc)

static void barrier(void) { asm volatile("dmb ish" ::: "memory"); }

static bool event_idx(const struct vring *r) { return r->features >> VIRTIO_F_EVENT_IDX & 1; }

static void read_magic(u64 a) { read32(a); }

u64 virtio_find(u32 id, unsigned *slot)
{
	for (*slot = 0; *slot < BOARD_VIRTIO_COUNT; ++*slot) {
		u64 regs = BOARD_VIRTIO_BASE + *slot * BOARD_VIRTIO_STRIDE;

		if (!catch_fault(read_magic, regs).taken && read32(regs + VIRTIO_MMIO_DEVICE_ID) == id)
			return regs;
	}
	return 0;
}

unsigned virtio_wire(unsigned slot)
{
	unsigned spi = BOARD_VIRTIO_SPI + slot, intid = 32 + spi;
	u64 config = gic_regs(intid) + GICD_ICFGR + intid / 16 * 4;

	write32(config, read32(config) | 2u << intid % 16 * 2);
	gic_route(spi, 0);
	gic_enable(intid);
	return intid;
}

u32 virtio_ack(u64 regs)
{
	u32 bits = read32(regs + VIRTIO_MMIO_INTERRUPT_STATUS);

	write32(regs + VIRTIO_MMIO_INTERRUPT_ACK, bits);
	return bits;
}

u64 virtio_features(u64 regs)
{
	u64 f = 0;

	for (unsigned i = 0; i < 2; i++) {
		write32(regs + VIRTIO_MMIO_DEVICE_FEATURES_SEL, i);
		f |= (u64)read32(regs + VIRTIO_MMIO_DEVICE_FEATURES) << 32 * i;
	}
	return f;
}

bool virtio_begin(u64 regs, u64 features)
{
	const u32 begun = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	write32(regs + VIRTIO_MMIO_STATUS, 0);
	write32(regs + VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE);
	write32(regs + VIRTIO_MMIO_STATUS, begun);
	for (unsigned i = 0; i < 2; i++) {
		write32(regs + VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		write32(regs + VIRTIO_MMIO_DRIVER_FEATURES, (u32)(features >> 32 * i));
	}
	write32(regs + VIRTIO_MMIO_STATUS, begun | VIRTIO_STATUS_FEATURES_OK);
	return virtio_status(regs) & VIRTIO_STATUS_FEATURES_OK;
}

void virtio_go(u64 regs) { write32(regs + VIRTIO_MMIO_STATUS, virtio_status(regs) | VIRTIO_STATUS_DRIVER_OK); }

static void place(u64 reg, const void *p)
{
	write32(reg, (u32)(u64)p);
	write32(reg + 4, (u32)((u64)p >> 32));
}

bool vring_setup(struct vring *r, u64 regs, unsigned queue, unsigned size, u64 features)
{
	u8 **parts[] = { &r->desc, &r->driver, &r->device, &r->tables };

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		*parts[i] = *parts[i] ? memset(*parts[i], 0, 4096) : page_alloc();
	r->regs = regs;
	r->queue = queue;
	r->size = size;
	r->features = features;
	r->packed = features >> VIRTIO_F_RING_PACKED & 1;
	r->avail = r->used = r->kicked = 0;
	r->avail_wrap = r->used_wrap = true;
	write32(regs + VIRTIO_MMIO_QUEUE_SEL, queue);
	write32(regs + VIRTIO_MMIO_QUEUE_SIZE, size);
	place(regs + VIRTIO_MMIO_QUEUE_DESC_LOW, r->desc);
	place(regs + VIRTIO_MMIO_QUEUE_DRIVER_LOW, r->driver);
	place(regs + VIRTIO_MMIO_QUEUE_DEVICE_LOW, r->device);
	write32(regs + VIRTIO_MMIO_QUEUE_READY, 1);
	return read32(regs + VIRTIO_MMIO_QUEUE_READY) == 1;
}

bool vring_start(struct vring *r, u64 regs, unsigned queue, unsigned size, u64 features)
{
	features |= VIRTIO_FEATURE(VIRTIO_F_VERSION_1);
	if (!virtio_begin(regs, features) || !vring_setup(r, regs, queue, size, features))
		return false;
	virtio_go(regs);
	return true;
}

/* ---- Split ---- */

static void put_split(volatile struct virtq_desc *d, unsigned at, const struct vbuf *b, bool last)
{
	d[at].addr = (u64)b->at;
	d[at].len = b->len;
	d[at].flags = (b->in ? VIRTQ_DESC_F_WRITE : 0) | (last ? 0 : VIRTQ_DESC_F_NEXT);
	d[at].next = (u16)(at + 1);
}

static void add_split(struct vring *r, u16 id, const struct vbuf *b, unsigned count, bool indirect)
{
	volatile struct virtq_desc *table = (volatile struct virtq_desc *)r->tables + id * VRING_BUFS_MAX;
	unsigned head = id * VRING_BUFS_MAX;

	for (unsigned i = 0; i < count; i++)
		put_split(indirect ? table : DESC(r), indirect ? i : head + i, &b[i], i == count - 1);
	if (indirect) {
		DESC(r)[head].addr = (u64)table;
		DESC(r)[head].len = 16 * count;
		DESC(r)[head].flags = VIRTQ_DESC_F_INDIRECT;
	}
	AVAIL(r)->ring[r->avail % r->size] = (u16)head;
	barrier();
	AVAIL(r)->idx = ++r->avail;
}

static bool wants_split(const struct vring *r)
{
	u16 event = *(volatile u16 *)(r->device + 4 + 8 * r->size);

	if (!event_idx(r))
		return !(USED(r)->flags & VIRTQ_USED_F_NO_NOTIFY);
	return (u16)(r->avail - event - 1) < (u16)(r->avail - r->kicked);
}

static bool take_split(struct vring *r, u16 *id, u32 *len)
{
	if (USED(r)->idx == r->used)
		return false;
	barrier();
	*id = (u16)(USED(r)->ring[r->used % r->size].id / VRING_BUFS_MAX);
	*len = USED(r)->ring[r->used % r->size].len;
	r->used++;
	return true;
}

/* ---- Packed ---- */

static void step(const struct vring *r, u16 *at, bool *wrap, unsigned by)
{
	*at = (u16)(*at + by);
	if (*at >= r->size) {
		*at = (u16)(*at - r->size);
		*wrap = !*wrap;
	}
}

static void add_packed(struct vring *r, u16 id, const struct vbuf *b, unsigned count, bool indirect)
{
	volatile struct virtq_packed_desc *table =
		(volatile struct virtq_packed_desc *)r->tables + id * VRING_BUFS_MAX;
	unsigned slots = indirect ? 1 : count, first = r->avail;
	u16 first_flags = 0;

	for (unsigned i = 0; i < count && indirect; i++) {
		table[i].addr = (u64)b[i].at;
		table[i].len = b[i].len;
		table[i].flags = b[i].in ? VIRTQ_DESC_F_WRITE : 0;
	}
	for (unsigned i = 0; i < slots; i++) {
		volatile struct virtq_packed_desc *d = &PACKED(r)[r->avail];
		u16 flags = r->avail_wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED;

		d->addr = indirect ? (u64)table : (u64)b[i].at;
		d->len = indirect ? 16 * count : b[i].len;
		d->id = id;
		if (indirect)
			flags |= VIRTQ_DESC_F_INDIRECT;
		else
			flags |= (b[i].in ? VIRTQ_DESC_F_WRITE : 0) | (i < slots - 1 ? VIRTQ_DESC_F_NEXT : 0);
		if (i)
			d->flags = flags;
		else
			first_flags = flags;
		step(r, &r->avail, &r->avail_wrap, 1);
	}
	r->slots[id] = (u16)slots;
	barrier();
	PACKED(r)[first].flags = first_flags;
}

static bool wants_packed(const struct vring *r)
{
	u32 event = *(volatile u32 *)r->device, off = event & 0x7fff;
	unsigned fresh = r->avail + (r->avail < r->kicked ? r->size : 0) - r->kicked;
	unsigned passed = r->avail - off + (!(event & 0x8000) == r->avail_wrap ? r->size : 0);

	switch (event >> 16) {
	case VIRTQ_EVENT_ENABLE: return true;
	case VIRTQ_EVENT_DESC: return passed - 1 < (fresh ? fresh : r->size);
	}
	return false;
}

static bool take_packed(struct vring *r, u16 *id, u32 *len)
{
	volatile struct virtq_packed_desc *d = &PACKED(r)[r->used];
	u16 flags = d->flags;

	if (!(flags & VIRTQ_DESC_F_AVAIL) == r->used_wrap || !(flags & VIRTQ_DESC_F_USED) == r->used_wrap)
		return false;
	barrier();
	*id = d->id;
	*len = d->len;
	step(r, &r->used, &r->used_wrap, *id < ARRAY_SIZE(r->slots) && r->slots[*id] ? r->slots[*id] : 1);
	return true;
}

/* ---- Either ---- */

void vring_add(struct vring *r, u16 id, const struct vbuf *b, unsigned count, bool indirect)
{
	if (r->packed)
		add_packed(r, id, b, count, indirect);
	else
		add_split(r, id, b, count, indirect);
}

bool vring_kick(struct vring *r)
{
	bool wanted;

	barrier();
	wanted = r->packed ? wants_packed(r) : wants_split(r);
	r->kicked = r->avail;
	dsb(ish);
	if (wanted)
		write32(r->regs + VIRTIO_MMIO_QUEUE_NOTIFY, r->queue);
	return wanted;
}

bool vring_take(struct vring *r, u16 *id, u32 *len)
{
	return r->packed ? take_packed(r, id, len) : take_split(r, id, len);
}

void vring_interrupts(struct vring *r, bool on)
{
	if (r->packed)
		*(volatile u32 *)r->driver = (on ? VIRTQ_EVENT_ENABLE : VIRTQ_EVENT_DISABLE) << 16;
	else
		AVAIL(r)->flags = on ? 0 : VIRTQ_AVAIL_F_NO_INTERRUPT;
	barrier();
}

void vring_interrupt_at(struct vring *r, unsigned nth)
{
	u16 at = r->used;
	bool wrap = r->used_wrap;

	if (r->packed) {
		step(r, &at, &wrap, nth - 1);
		*(volatile u32 *)r->driver = VIRTQ_EVENT_DESC << 16 | (wrap ? 0x8000u : 0) | at;
	} else {
		AVAIL(r)->ring[r->size] = (u16)(at + nth - 1);
	}
	barrier();
}
