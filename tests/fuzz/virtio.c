/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a driver's rings can do to virtio devices. All registered types that sit in a slot
 * are in the machine, so a new one is here without anybody asking.
 *
 * An input chooses one device and features; then it is a list of steps of a driver that
 * knows how a ring works and does not always keep to it: descriptors, offers, notifications,
 * data, any store to a ring or a register, resets, and the host's side in between.
 */
#include <endian.h>
#include <spec/board.h>
#include <spec/image.h>
#include <spec/virtio.h>
#include <vmm/mem.h>

#include "../../src/vm.h"
#include "devices.h"
#include "fuzz.h"
#include "turn.h"

#define RAM_BYTES  (8 * MIB)
#define QUEUES     8
#define RING_BYTES UINT64_C(0x4000) /* of each queue: three pages and indirect tables */
#define RINGS      (BOARD_RAM_BASE + MIB)
#define DATA       (BOARD_RAM_BASE + 2 * MIB)
#define DATA_BYTES 0x10000
#define SIZE       32

static struct vm *vm;
static struct fuzz_host hosts[OPT_DEVICES_MAX];
static const struct device *devices[OPT_DEVICES_MAX];
static unsigned device_count;

static void build(const char *kernel)
{
	static struct vm_config cfg;
	const struct device_type *t;
	enum proc_exit status;

	cfg = (struct vm_config){ .ram_bytes = RAM_BYTES, .console = "null", .cmdline = "", .kernel = kernel };
	hv_block_init(&cfg.attr);
	for (unsigned i = 0; (t = device_type_at(i)); i++)
		if (t->slot && fuzz_can_make(t))
			hosts[device_count++] = fuzz_device(&cfg.devices, t);
	/* A device that cannot be without options fails here, and says so: its type's `trial' has some. */
	EXPECT(!vm_build(&cfg, &vm, &status));
	device_count = 0; /* in the same order */
	for (const struct device *d = vm->devices.first; d; d = d->next)
		if (d->type->slot)
			devices[device_count++] = d;
}

static void remove_folders(void)
{
	for (unsigned i = 0; i < device_count; i++)
		if (hosts[i].folder[0]) {
			fuzz_empty_folder(hosts[i].folder);
			rmdir(hosts[i].folder);
		}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct image_header h = { .image_size = sizeof(h), .magic = IMAGE_MAGIC };
	struct fuzz_file kernel = fuzz_file(&h, sizeof(h));

	(void)argc, (void)argv;
	log_set_level(getenv("VMM_FUZZ_LOG") ? LOG_DEBUG : LOG_ERR);
	build(kernel.path);
	close(kernel.fd);
	atexit(remove_folders);
	fuzz_quiet();
	return 0;
}

/* ---- The machine, as a driver has it ---- */

static const struct device *dev;
static const struct fuzz_host *host;
static uint64_t features;
static uint16_t offered[QUEUES];

static uint32_t access_reg(uint64_t reg, unsigned size, uint64_t value, bool write)
{
	uint64_t a = dev->ranges[0].base + reg % BOARD_VIRTIO_STRIDE;

	bus_access(vm->bus, gpa(a), size, &value, write);
	return (uint32_t)value;
}

static uint32_t rd(unsigned reg) { return access_reg(reg, 4, 0, false); }
static void wr(unsigned reg, uint32_t value) { access_reg(reg, 4, value, true); }
static void *ram(uint64_t a) { return mem_ptr(vm->mem, gpa(a), 1); }
static uint8_t *ring(unsigned q) { return ram(RINGS + q * RING_BYTES); }
static bool packed(void) { return features >> VIRTIO_F_RING_PACKED & 1; }

static void start_queue(unsigned q, unsigned size)
{
	uint64_t at = RINGS + q * RING_BYTES;
	uint32_t max;

	memset(ring(q), 0, RING_BYTES);
	offered[q] = 0;
	wr(VIRTIO_MMIO_QUEUE_SEL, q);
	max = rd(VIRTIO_MMIO_QUEUE_SIZE_MAX);
	if (!max)
		return;
	wr(VIRTIO_MMIO_QUEUE_SIZE, size < max ? size : max);
	wr(VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)at);
	wr(VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint32_t)at + 0x1000);
	wr(VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint32_t)at + 0x2000);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
}

static uint64_t offered_features(void)
{
	uint64_t low;

	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	low = rd(VIRTIO_MMIO_DEVICE_FEATURES);
	wr(VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	return (uint64_t)rd(VIRTIO_MMIO_DEVICE_FEATURES) << 32 | low;
}

/* From a reset to DRIVER_OK, with those features of @wanted that there are. */
static void start_driver(uint64_t wanted, unsigned size)
{
	static const uint32_t steps[] = { 0, VIRTIO_STATUS_ACKNOWLEDGE,
					  VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER };

	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++)
		wr(VIRTIO_MMIO_STATUS, steps[i]);
	features = (wanted | UINT64_C(1) << VIRTIO_F_VERSION_1) & offered_features();
	for (unsigned i = 0; i < 2; i++) {
		wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, i);
		wr(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * i));
	}
	wr(VIRTIO_MMIO_STATUS, rd(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_FEATURES_OK);
	for (unsigned q = 0; q < QUEUES; q++)
		start_queue(q, size);
	wr(VIRTIO_MMIO_STATUS, rd(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_DRIVER_OK);
}

/* ---- Steps ---- */

/* All have the same size, so that a mutation changes one and leaves the others where they are. */
struct step {
	uint8_t what; /* 3:0 what; 7:4 its flavour */
	uint8_t queue;
	uint16_t index;
	uint32_t len, value;
};
_Static_assert(sizeof(struct step) == 12, "tests/fuzz/seeds writes these");

enum { DESC, TABLE, OFFER, NOTIFY, PUT, TURN, CONFIG, REG, STORE, RESTART, PEER, QUEUE_RESET, ACK, STEPS };

/* Nearly always data, sometimes anything. */
static uint64_t address(const struct step *s)
{
	if (s->what & 0x80)
		return (uint64_t)s->value << 16 | s->index;
	return DATA + s->value % DATA_BYTES;
}

/* index: 4:0 which, 7:5 flags, 12:8 next */
static void put_desc(const struct step *s, uint8_t *table, bool in_ring)
{
	unsigned i = s->index % SIZE;
	uint16_t flags = s->index >> 5 & 7;
	uint64_t a = flags & VIRTQ_DESC_F_INDIRECT ? RINGS + (s->queue % QUEUES) * RING_BYTES + 0x3000 + s->value % 64
						   : address(s);
	uint32_t len = s->what & 0x40 ? s->len : s->len % 0x2000;

	if (flags & VIRTQ_DESC_F_INDIRECT)
		len = s->what & 0x40 ? s->len : 16 * (s->len % (SIZE + 1));
	if (packed()) {
		bool turn = in_ring && s->what & 0x20;
		struct virtq_packed_desc d = { a, len, s->index >> 8, flags };

		if (in_ring)
			d.flags |= turn ? VIRTQ_DESC_F_USED : VIRTQ_DESC_F_AVAIL;
		memcpy(table + 16 * i, &d, sizeof(d));
	} else {
		struct virtq_desc d = { a, len, flags, (s->what & 0x20 ? s->index >> 8 : i + 1) % 64 };

		memcpy(table + 16 * i, &d, sizeof(d));
	}
}

static void offer(const struct step *s)
{
	unsigned q = s->queue % QUEUES;
	uint16_t *avail = (uint16_t *)(void *)(ring(q) + 0x1000);

	if (packed())
		return;
	avail[2 + offered[q]++ % SIZE] = s->index;
	avail[1] = offered[q] + (s->what & 0x10 ? (uint16_t)s->value : 0);
}

/* The other side of a socket takes what there is and sends it back, or a frame of its own (length, bytes). */
static void peer(const struct step *s)
{
	const uint32_t frame[3] = { htobe32(8), s->len, s->value };
	uint8_t bytes[4096];
	ssize_t n;

	if (host->socket < 0)
		return;
	n = read(host->socket, bytes, sizeof(bytes));
	if (s->what & 0x10)
		n = write(host->socket, frame, sizeof(frame));
	else if (n > 0)
		n = write(host->socket, bytes, (size_t)n);
	fuzz_turn(vm->loop, 0);
}

static void take_step(const struct step *s)
{
	unsigned q = s->queue % QUEUES;

	switch ((s->what & 15) % STEPS) {
	case DESC: put_desc(s, ring(q), true); break;
	case TABLE: put_desc(s, ring(q) + 0x3000, false); break;
	case OFFER: offer(s); break;
	case NOTIFY: wr(VIRTIO_MMIO_QUEUE_NOTIFY, s->what & 0x80 ? s->queue : q); break;
	case PUT: memcpy(ram(DATA + s->index % (DATA_BYTES - 8)), &s->len, 8); break;
	case TURN: fuzz_turn(vm->loop, s->what & 0x10 ? 300 : 0); break;
	case CONFIG:
		access_reg(VIRTIO_MMIO_CONFIG + s->index % 0x100, 1u << (s->queue & 3), s->value, s->what & 0x10);
		break;
	case REG: access_reg(s->index & 0xfc, 4, s->value, s->what & 0x10); break;
	case STORE: memcpy(ring(q) + s->index % (RING_BYTES - 4), &s->value, 1 + (s->len & 3)); break;
	case RESTART: start_driver((uint64_t)s->value << 32 | s->len, SIZE >> (s->queue & 3)); break;
	case PEER: peer(s); break;
	case QUEUE_RESET:
		wr(VIRTIO_MMIO_QUEUE_SEL, q);
		wr(VIRTIO_MMIO_QUEUE_RESET, 1);
		start_queue(q, SIZE);
		break;
	case ACK: wr(VIRTIO_MMIO_INTERRUPT_ACK, s->value); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned which = take_u8(&in) % device_count;
	static unsigned runs;

	fuzz_signals();
	dev = devices[which];
	host = &hosts[which];
	memset(ram(DATA), 0, DATA_BYTES);
	start_driver(take_u64(&in), SIZE >> (take_u8(&in) & 3));
	while (in.left) {
		struct step s;

		take(&in, &s, sizeof(s));
		take_step(&s);
	}
	devices_reset(&vm->devices);
	fuzz_turn(vm->loop, 0);
	/* What a reset has not finished, or not forgotten, would be seen now. */
	EXPECT(!rd(VIRTIO_MMIO_STATUS));
	if (host->folder[0] && !(runs++ % 16))
		fuzz_empty_folder(host->folder);
	return 0;
}
