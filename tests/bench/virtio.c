/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Round trips to a virtio device, from the driver's store to the ring to the answer it has
 * taken out, timed by the guest's own counter: BENCH virtio-FORM requests nanoseconds
 *
 * The device is virtio-rng asked for eight bytes: what is left is the ring and the way there.
 */
#include "lib/virtio.h"

#define ROUNDS 20000ul
#define PACKED (1ul << VIRTIO_F_RING_PACKED)
#define EVENT  (1ul << VIRTIO_F_EVENT_IDX)

static struct vring ring;
static u64 regs;
static unsigned intid;
static volatile u64 irqs;
static u64 data[8];

static void on_irq(struct regs *r)
{
	unsigned id = gic_ack();

	(void)r;
	if (id == intid) {
		virtio_ack(regs);
		irqs++;
	}
	if (id < 1020)
		gic_eoi(id);
}

static void round_trips(const char *name, u64 features, bool interrupts)
{
	const struct vbuf b = { data, 8, true };
	u64 start, ticks, from;
	u32 len;
	u16 id;

	if (!vring_start(&ring, regs, 0, 32, features)) {
		report(false, "%s: the device does not start", name);
		return;
	}
	vring_interrupts(&ring, interrupts);
	isb();
	start = read_sysreg(cntvct_el0);
	for (u64 n = 0; n < ROUNDS; n++) {
		from = irqs;
		vring_add(&ring, 0, &b, 1, false);
		vring_kick(&ring);
		while (!vring_take(&ring, &id, &len))
			;
		while (interrupts && irqs == from)
			;
	}
	isb();
	ticks = read_sysreg(cntvct_el0) - start;
	print("BENCH virtio-%s %lu %lu\n", name, ROUNDS, ticks * 1000 / (read_sysreg(cntfrq_el0) / 1000000));
	report(data[0] != 0, "%s: answered", name);
}

void test(void)
{
	unsigned slot;

	mmu_on();
	gic_init();
	irq_handler = on_irq;
	regs = virtio_find(VIRTIO_ID_RNG, &slot);
	if (!report(regs, "there is a virtio-rng"))
		return;
	intid = virtio_wire(slot);
	irq_enable();
	round_trips("split", 0, false);
	round_trips("packed", PACKED, false);
	round_trips("split-irq", 0, true);
	round_trips("packed-irq", PACKED, true);
}
