/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-mmio with its simplest device, virtio-rng: negotiation, both formats of a ring,
 * suppression of interrupts and notifications, broken rules and the way back, and a second
 * CPU that scribbles on a ring while the first one uses it.
 */
#include "lib/virtio.h"

#define EVENT_IDX  VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX)
#define INDIRECT   VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC)
#define PACKED     VIRTIO_FEATURE(VIRTIO_F_RING_PACKED)
#define RING_RESET VIRTIO_FEATURE(VIRTIO_F_RING_RESET)
#define VERSION_1  VIRTIO_FEATURE(VIRTIO_F_VERSION_1)

enum { SIZE = 32, IDS = SIZE / VRING_BUFS_MAX, BUF = 64, SCRIBBLES = 400 };

static u64 regs;
static unsigned intid;
static struct vring ring;
static volatile unsigned irqs;
static volatile u32 irq_bits;
static u8 data[IDS][VRING_BUFS_MAX][BUF];
/* What the scribbler lets the device write to: whatever length it says, of one answer comes no more than this. */
static u8 arena[2 * 64 * 1024] __attribute__((aligned(4096)));

static void on_irq(struct regs *r)
{
	unsigned id = gic_ack();

	(void)r;
	if (id == intid) {
		irq_bits |= virtio_ack(regs);
		irqs++;
	}
	if (id < 1020)
		gic_eoi(id);
}

static bool until(bool (*fn)(void))
{
	u64 end = read_sysreg(cntvct_el0) + 10 * read_sysreg(cntfrq_el0);

	while (!fn())
		if (read_sysreg(cntvct_el0) > end)
			return false;
	return true;
}

static u16 taken_id;
static u32 taken_len;
static bool one_taken(void) { return vring_take(&ring, &taken_id, &taken_len); }
static bool config_irq_seen(void) { return irq_bits & VIRTIO_MMIO_INT_CONFIG; }
static bool needs_reset(void) { return virtio_status(regs) & VIRTIO_STATUS_NEEDS_RESET; }

/* What may still be on its way has arrived: a hypervisor may answer on another thread. */
static void settle(void)
{
	u64 end = read_sysreg(cntvct_el0) + read_sysreg(cntfrq_el0) / 50;

	while (read_sysreg(cntvct_el0) < end)
		;
}

/* ---- What it is ---- */

static void read_narrow(u64 a) { (void)read8(a); }
static void read_half(u64 a) { (void)read16(a); }
static void read_wide(u64 a) { (void)read64(a); }
static void write_narrow(u64 a) { write8(a, 0); }

static void identity(void)
{
	report(read32(regs + VIRTIO_MMIO_MAGIC_VALUE) == VIRTIO_MMIO_MAGIC &&
		       read32(regs + VIRTIO_MMIO_VERSION) == VIRTIO_MMIO_VERSION_MODERN,
	       "magic value and version");
	report(catch_fault(read_narrow, regs + VIRTIO_MMIO_STATUS).taken &&
		       catch_fault(read_half, regs + VIRTIO_MMIO_STATUS).taken &&
		       catch_fault(read_wide, regs + VIRTIO_MMIO_QUEUE_DESC_LOW).taken &&
		       catch_fault(write_narrow, regs + VIRTIO_MMIO_STATUS).taken,
	       "registers are words: other sizes abort");
	report(!catch_fault(read_narrow, regs + VIRTIO_MMIO_CONFIG + 3).taken &&
		       !catch_fault(read_wide, regs + VIRTIO_MMIO_CONFIG).taken,
	       "the configuration space takes all sizes");
}

static void negotiation(void)
{
	u64 offered = virtio_features(regs);

	report((offered & (VERSION_1 | EVENT_IDX | INDIRECT | PACKED)) == (VERSION_1 | EVENT_IDX | INDIRECT | PACKED),
	       "offers version 1, event index, indirect descriptors, packed rings");
	report(!virtio_begin(regs, 0), "a driver without VERSION_1 is not taken");
	report(!virtio_begin(regs, VERSION_1 | 1ul << 50), "nor one that wants what was not offered");
	report(virtio_begin(regs, offered), "all that is offered can be had");
	write32(regs + VIRTIO_MMIO_STATUS, 0);
	report(virtio_status(regs) == 0, "a reset is done when it has been written");
	write32(regs + VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER_OK);
	report(!(virtio_status(regs) & VIRTIO_STATUS_DRIVER_OK), "no DRIVER_OK before FEATURES_OK");
}

/* ---- Requests ---- */

static bool filled(const u8 *p, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (p[i])
			return true;
	return false;
}

/* @count buffers for @id, of which the device may fill all. */
static void ask(u16 id, unsigned count, bool indirect)
{
	struct vbuf b[VRING_BUFS_MAX];

	for (unsigned i = 0; i < count; i++)
		b[i] = (struct vbuf){ memset(data[id][i], 0, BUF), BUF, true };
	vring_add(&ring, id, b, count, indirect);
}

static bool answered(u16 id, unsigned count)
{
	if (!until(one_taken) || taken_id != id || taken_len != count * BUF)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!filled(data[id][i], BUF))
			return false;
	return true;
}

static void requests(u64 features, const char *name)
{
	bool ok = vring_start(&ring, regs, 0, SIZE, features);

	/* Many turns of the ring, in batches of one to all; lengths that do not divide it. */
	for (unsigned round = 0; round < 200 && ok; round++) {
		unsigned batch = round % IDS + 1;

		for (unsigned i = 0; i < batch; i++)
			ask((u16)i, (round + i) % VRING_BUFS_MAX + 1, features & INDIRECT && (round + i) % 3);
		vring_kick(&ring);
		for (unsigned i = 0; i < batch && ok; i++)
			ok = answered((u16)i, (round + i) % VRING_BUFS_MAX + 1);
	}
	report(ok && !needs_reset(), "%s: requests are answered in full", name);
}

static unsigned awaited;
static bool irqs_came(void) { return irqs >= awaited; }

/* How many interrupts came for @n requests: after @expected of them there is time for more. */
static unsigned finish_batch(unsigned n, unsigned expected)
{
	awaited = expected;
	irqs = 0;
	irq_bits = 0;
	for (unsigned i = 0; i < n; i++)
		ask((u16)i, 1, false);
	vring_kick(&ring);
	for (unsigned i = 0; i < n; i++)
		if (!answered((u16)i, 1))
			return ~0u;
	until(irqs_came);
	settle();
	return irqs;
}

static void interrupts(u64 features, const char *name)
{
	bool ok = true;

	vring_start(&ring, regs, 0, SIZE, features);
	vring_interrupts(&ring, true);
	report(finish_batch(1, 1) == 1 && irq_bits == VIRTIO_MMIO_INT_VRING, "%s: an interrupt says it is done",
	       name);
	if (!(features & EVENT_IDX) || features & PACKED) {
		vring_interrupts(&ring, false);
		report(finish_batch(3, 0) == 0, "%s: none when the driver wants none", name);
		vring_interrupts(&ring, true);
		report(finish_batch(2, 1) >= 1, "%s: and again when it does", name);
	}
	if (!(features & EVENT_IDX))
		return;
	for (unsigned nth = 1; nth <= IDS && ok; nth++) {
		vring_interrupt_at(&ring, nth);
		if (nth > 1)
			ok = finish_batch(nth - 1, 0) == 0;
		ok = ok && finish_batch(1, 1) == 1 && finish_batch(2, 0) == 0;
	}
	report(ok, "%s: an interrupt at the event index, neither before nor after", name);
}

/* A device that has emptied the ring wants to know of the next request, with either way to say so. */
static void notifications(u64 features, const char *name)
{
	bool ok = vring_start(&ring, regs, 0, VRING_BUFS_MAX, features);

	for (unsigned i = 0; i < 3 * VRING_BUFS_MAX && ok; i++) {
		settle();
		ask(0, 1, false);
		ok = vring_kick(&ring) && answered(0, 1);
	}
	report(ok, "%s: the first request after a pause is always asked for", name);
}

/* ---- Queue reset ---- */

static void queue_reset(void)
{
	if (!(virtio_features(regs) & RING_RESET)) {
		report_skip("a queue is reset alone", "not offered");
		return;
	}
	vring_start(&ring, regs, 0, SIZE, RING_RESET);
	report(finish_batch(3, 0) != ~0u, "a queue that will be reset");
	write32(regs + VIRTIO_MMIO_QUEUE_SEL, 0);
	write32(regs + VIRTIO_MMIO_QUEUE_RESET, 1);
	report(!read32(regs + VIRTIO_MMIO_QUEUE_RESET) && !read32(regs + VIRTIO_MMIO_QUEUE_READY),
	       "is not ready then");
	report(vring_setup(&ring, regs, 0, SIZE / 2, VERSION_1 | RING_RESET),
	       "is made ready again, with another size");
	ask(0, 2, false);
	vring_kick(&ring);
	report(answered(0, 2), "and works");
	write32(regs + VIRTIO_MMIO_QUEUE_READY, 0);
	report(!read32(regs + VIRTIO_MMIO_QUEUE_READY), "a driver can stop it, too");
}

/* ---- Broken rules ---- */

#define DESC  ((volatile struct virtq_desc *)ring.desc)
#define AVAIL ((volatile struct virtq_avail *)ring.driver)
#define SLOT  ((volatile struct virtq_packed_desc *)ring.desc)

static void offer_split(u16 head)
{
	AVAIL->ring[0] = head;
	dsb(ish);
	AVAIL->idx = 1;
}
static void put(unsigned i, u64 addr, u32 len, u16 flags, u16 next)
{
	DESC[i].addr = addr;
	DESC[i].len = len;
	DESC[i].flags = flags;
	DESC[i].next = next;
}
static void bad_head(void) { offer_split(SIZE); }
static void bad_jump(void) { AVAIL->idx = SIZE + 1; }
static void bad_loop(void)
{
	put(0, (u64)arena, 1, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 0);
	offer_split(0);
}
static void bad_next(void)
{
	put(0, (u64)arena, 1, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 0xffff);
	offer_split(0);
}
static void bad_address(void)
{
	put(0, 1ul << 47, 1, VIRTQ_DESC_F_WRITE, 0);
	offer_split(0);
}
static void bad_length(void)
{
	put(0, (u64)arena, ~0u, VIRTQ_DESC_F_WRITE, 0);
	offer_split(0);
}
static void bad_device_memory(void)
{
	put(0, regs, 64, VIRTQ_DESC_F_WRITE, 0);
	offer_split(0);
}
static void bad_order(void)
{
	put(0, (u64)arena, 1, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 1);
	put(1, (u64)arena, 1, 0, 0);
	offer_split(0);
}
static void bad_table(void)
{
	put(0, (u64)ring.tables, 24, VIRTQ_DESC_F_INDIRECT, 0);
	offer_split(0);
}
static void bad_nesting(void)
{
	put(0, (u64)ring.desc, 16, VIRTQ_DESC_F_INDIRECT, 0);
	offer_split(0);
}
static void bad_packed_loop(void)
{
	for (unsigned i = 0; i < SIZE; i++) {
		SLOT[i].addr = (u64)arena;
		SLOT[i].len = 1;
		SLOT[i].flags = VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_AVAIL;
	}
}
static void bad_packed_address(void)
{
	SLOT[0].addr = ~0ul;
	SLOT[0].len = 64;
	dsb(ish);
	SLOT[0].flags = VIRTQ_DESC_F_WRITE | VIRTQ_DESC_F_AVAIL;
}

static const struct {
	const char *name;
	void (*break_it)(void);
	u64 features;
} bad[] = {
	{ "a head beyond the ring", bad_head, 0 },
	{ "an index too far ahead", bad_jump, 0 },
	{ "a chain that bites its tail", bad_loop, 0 },
	{ "a next beyond the ring", bad_next, 0 },
	{ "a buffer that is nowhere", bad_address, 0 },
	{ "a buffer that goes beyond memory", bad_length, 0 },
	{ "a buffer in registers", bad_device_memory, 0 },
	{ "read behind write", bad_order, 0 },
	{ "an indirect table of 24 bytes", bad_table, INDIRECT },
	{ "an indirect table in itself", bad_nesting, INDIRECT },
	{ "a table not agreed on", bad_nesting, 0 },
	{ "a packed chain without end", bad_packed_loop, PACKED },
	{ "a packed buffer that is nowhere", bad_packed_address, PACKED },
};

static void broken_rules(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		bool ok = vring_start(&ring, regs, 0, SIZE, bad[i].features);

		irqs = 0;
		irq_bits = 0;
		bad[i].break_it();
		dsb(ish);
		write32(regs + VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		ok = ok && until(needs_reset) && until(config_irq_seen);
		write32(regs + VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		ok = ok && vring_start(&ring, regs, 0, SIZE, bad[i].features) && finish_batch(2, 0) != ~0u;
		report(ok, "%s: the device needs a reset, and works after it", bad[i].name);
	}
}

static void wrong_places(void)
{
	static const struct {
		unsigned reg;
		u64 value;
	} wrong[] = {
		{ VIRTIO_MMIO_QUEUE_DESC_LOW, 8 },
		{ VIRTIO_MMIO_QUEUE_DRIVER_LOW, 1 },
		{ VIRTIO_MMIO_QUEUE_DEVICE_LOW, 2 },
		{ VIRTIO_MMIO_QUEUE_DESC_HIGH, 0xffffffff },
		{ VIRTIO_MMIO_QUEUE_DEVICE_HIGH, 0x7fff },
		{ VIRTIO_MMIO_QUEUE_SIZE, 0 },
		{ VIRTIO_MMIO_QUEUE_SIZE, 3 },
		{ VIRTIO_MMIO_QUEUE_SIZE, 0x80000000 },
		{ VIRTIO_MMIO_QUEUE_SIZE, 0x10020 },
	};
	bool ok = true;

	for (unsigned i = 0; i < ARRAY_SIZE(wrong) && ok; i++) {
		virtio_begin(regs, VERSION_1);
		vring_setup(&ring, regs, 0, SIZE, VERSION_1);
		write32(regs + VIRTIO_MMIO_QUEUE_READY, 0);
		write32(regs + wrong[i].reg, (u32)wrong[i].value);
		write32(regs + VIRTIO_MMIO_QUEUE_READY, 1);
		ok = !read32(regs + VIRTIO_MMIO_QUEUE_READY);
		virtio_go(regs);
		ok = ok && needs_reset() && vring_start(&ring, regs, 0, SIZE, 0) && finish_batch(1, 0) != ~0u;
	}
	report(ok, "queues in wrong places or of wrong sizes are not taken");
}

/* ---- Scribbling ---- */

static volatile bool scribbling;
static volatile u64 scribbles;

static u64 draw(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Where the device may write without harm to us, or nowhere; lengths as they come. */
static u64 some_address(u64 *seed)
{
	u64 v = draw(seed);

	return v & 7 ? (u64)arena + (v >> 8) % (sizeof(arena) / 2) : v;
}

static u32 some_length(u64 *seed)
{
	u64 v = draw(seed);

	return v & 15 ? v >> 8 & 0x3ff : (u32)(v >> 8);
}

/* As torn as four stores make it. */
static void scribble_desc(u64 *seed)
{
	u64 v = draw(seed);
	unsigned i = v % SIZE;

	switch (v >> 8 & 3) {
	case 0: DESC[i].addr = v >> 10 & 7 ? some_address(seed) : (u64)ring.tables; break;
	case 1: DESC[i].len = some_length(seed); break;
	case 2: DESC[i].flags = v >> 10 & 1 ? (u16)(v >> 16) : (u16)(v >> 16 & 0x8083); break;
	case 3: DESC[i].next = v >> 10 & 7 ? v >> 16 & (SIZE - 1) : (u16)(v >> 16); break;
	}
}

static void scribble(u64 arg)
{
	u64 seed = 0x9e3779b97f4a7c15 + arg;

	while (scribbling) {
		u64 v = draw(&seed);

		switch (v & 7) {
		case 0: ((volatile u16 *)ring.driver)[v >> 8 & 63] = (u16)(v >> 16); break;
		case 1: AVAIL->idx = (u16)(AVAIL->idx + (v >> 8 & 3)); break;
		case 2: ((volatile u16 *)ring.device)[v >> 8 & 127] = (u16)(v >> 16); break;
		default: scribble_desc(&seed);
		}
		scribbles++;
	}
}

static bool scribbled(void) { return scribbles > 100; }

static void scribble_on(u64 features, const char *name)
{
	unsigned resets = 0;
	bool ok = vring_start(&ring, regs, 0, SIZE, features);
	u64 seed = 7;

	/* Tables that are there when somebody points to them: addresses as above. */
	for (unsigned i = 0; i < 4096 / 16; i++) {
		((struct virtq_desc *)ring.tables)[i].addr = some_address(&seed);
		((struct virtq_desc *)ring.tables)[i].len = some_length(&seed);
	}
	scribbles = 0;
	scribbling = true;
	cpu_start(1, scribble, features);
	ok = ok && until(scribbled);
	for (unsigned i = 0; i < SCRIBBLES && ok; i++) {
		write32(regs + VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		if (!needs_reset() && i % 16)
			continue;
		resets++;
		ok = vring_start(&ring, regs, 0, SIZE, features);
	}
	scribbling = false;
	cpu_wait_off(1);
	report(ok && resets >= SCRIBBLES / 16, "%s: it can be reset at any time under a CPU that scribbles", name);
	report(vring_start(&ring, regs, 0, SIZE, features) && finish_batch(IDS, 0) != ~0u && !needs_reset(),
	       "%s: and works when the scribbling has ended", name);
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

	identity();
	irq_enable(); /* a fault that was caught has masked them */
	negotiation();
	requests(0, "split");
	requests(INDIRECT | EVENT_IDX, "split with everything");
	requests(PACKED, "packed");
	requests(PACKED | INDIRECT | EVENT_IDX, "packed with everything");
	interrupts(0, "split");
	interrupts(EVENT_IDX, "split with event index");
	interrupts(PACKED, "packed");
	interrupts(PACKED | EVENT_IDX, "packed with event index");
	notifications(EVENT_IDX, "split");
	notifications(PACKED | EVENT_IDX, "packed");
	queue_reset();
	broken_rules();
	wrong_places();
	if (cpu_count() < 2) {
		report_skip("a CPU that scribbles", "one vCPU");
		return;
	}
	scribble_on(0, "split");
	scribble_on(INDIRECT | EVENT_IDX, "split with everything");
	scribble_on(PACKED | INDIRECT | EVENT_IDX, "packed with everything");
}
