/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-vsock with connections that are there: a driver that keeps the rules of rings and says
 * anything in its packets, programs of the host that come, talk, stop reading and go.
 *
 * tests/fuzz/virtio.c has this device, too; but there nobody listens on the host.
 */
#include <spec/board.h>
#include <spec/image.h>
#include <spec/virtio-vsock.h>
#include <spec/virtio.h>
#include <vmm/mem.h>
#include <vmm/unix.h>

#include "../../src/vm.h"
#include "devices.h"
#include "fuzz.h"
#include "turn.h"

#define RAM_BYTES  (8 * MIB)
#define RINGS      (BOARD_RAM_BASE + MIB)
#define RING_BYTES UINT64_C(0x4000)
#define DATA       (BOARD_RAM_BASE + 2 * MIB)
#define SIZE       16
#define CID        3
#define SERVICE    1 /* the host's port where somebody listens */
#define NOBODY     2
#define PROGRAMS   8 /* of the host */
#define PACKET_MAX (64 * KIB + sizeof(struct virtio_vsock_hdr))
#define SLOT_BYTES align_up(PACKET_MAX, 4096)

static struct vm *vm;
static struct fuzz_host host;
static uint64_t base;
static char path[PATH_MAX + 8];
static int listener, program[PROGRAMS];

/* Queues of SIZE descriptors; number i is of the buffer i. */
static struct queue {
	struct virtq_desc *desc;
	struct virtq_avail *avail;
	struct virtq_used *used;
	uint16_t seen;
	uint64_t data;
	uint32_t held; /* a bit for each buffer that the driver has */
} queues[VIRTIO_VSOCK_QUEUE_COUNT];

/* What the driver knows. */
static uint32_t requested_port; /* the host's, of the last REQUEST */
static uint32_t forwarded;      /* bytes it has got in all: true if there is one connection */

/* ---- The machine ---- */

static uint64_t access_reg(unsigned reg, uint64_t value, bool write)
{
	EXPECT(bus_access(vm->bus, gpa(base + reg), 4, &value, write) == BUS_OK);
	return value;
}

static uint32_t rd(unsigned reg) { return (uint32_t)access_reg(reg, 0, false); }
static void wr(unsigned reg, uint64_t value) { access_reg(reg, (uint32_t)value, true); }
static void *ram(uint64_t a) { return mem_ptr(vm->mem, gpa(a), 1); }

static void start_queue(unsigned i)
{
	uint64_t at = RINGS + i * RING_BYTES;

	memset(ram(at), 0, RING_BYTES);
	wr(VIRTIO_MMIO_QUEUE_SEL, i);
	wr(VIRTIO_MMIO_QUEUE_SIZE, SIZE);
	wr(VIRTIO_MMIO_QUEUE_DESC_LOW, at);
	wr(VIRTIO_MMIO_QUEUE_DRIVER_LOW, at + 0x1000);
	wr(VIRTIO_MMIO_QUEUE_DEVICE_LOW, at + 0x2000);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
	queues[i] = (struct queue){ .desc = ram(at),
				    .avail = ram(at + 0x1000),
				    .used = ram(at + 0x2000),
				    .data = DATA + i * SIZE * SLOT_BYTES,
				    .held = (1u << SIZE) - 1 };
}

static void start_driver(void)
{
	const uint32_t agreed = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK;

	wr(VIRTIO_MMIO_STATUS, 0);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1 << VIRTIO_VSOCK_F_STREAM);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1 << (VIRTIO_F_VERSION_1 - 32));
	wr(VIRTIO_MMIO_STATUS, agreed);
	for (unsigned i = 0; i < ARRAY_SIZE(queues); i++)
		start_queue(i);
	wr(VIRTIO_MMIO_STATUS, agreed | VIRTIO_STATUS_DRIVER_OK);
}

/* A buffer that the driver has, or SIZE. */
static unsigned take_buffer(struct queue *q)
{
	unsigned i = 0;

	while (i < SIZE && !(q->held >> i & 1))
		i++;
	if (i < SIZE)
		q->held &= ~(1u << i);
	return i;
}

static void offer(struct queue *q, unsigned i, uint32_t bytes, uint16_t flags)
{
	q->desc[i] = (struct virtq_desc){ q->data + i * SLOT_BYTES, bytes, flags, 0 };
	q->avail->ring[q->avail->idx % SIZE] = (uint16_t)i;
	q->avail->idx++;
}

static bool next_used(struct queue *q, struct virtq_used_elem *e)
{
	if (q->seen == q->used->idx)
		return false;
	*e = q->used->ring[q->seen++ % SIZE];
	EXPECT(e->id < SIZE && !(q->held >> e->id & 1));
	q->held |= 1u << e->id;
	return true;
}

/* ---- The guest ---- */

struct step {
	uint8_t what;  /* 3:0 what; 7:4 its flavour */
	uint8_t ports; /* a guest: 1:0 its port, 3:2 the host's, 7:6 flags; a host: 2:0 which program */
	uint16_t bytes;
	uint32_t buffer, forwarded;
};
_Static_assert(sizeof(struct step) == 12, "tests/fuzz/seeds writes these");

enum { RECEIVE = 8, CONNECT, ACCEPT, WRITE, READ, CLOSE, TURN, RESTART };
enum { LIES_OF_LENGTH = 0x10, OTHER_TYPE = 0x20, LIES_OF_CREDIT = 0x40, IS_SHORT = 0x80 };

/* What has come must make sense, whatever has been said. */
static void look_at(const struct virtq_used_elem *e)
{
	const struct virtio_vsock_hdr *h = ram(queues[VIRTIO_VSOCK_QUEUE_RX].data + e->id * SLOT_BYTES);

	EXPECT(e->len == sizeof(*h) + h->len);
	EXPECT(h->src_cid == VIRTIO_VSOCK_CID_HOST && h->dst_cid == CID);
	EXPECT(h->op && h->op <= VIRTIO_VSOCK_OP_CREDIT_REQUEST);
	EXPECT(!h->len == (h->op != VIRTIO_VSOCK_OP_RW));
	forwarded += h->len;
	if (h->op == VIRTIO_VSOCK_OP_REQUEST)
		requested_port = h->src_port;
}

static void take_used(void)
{
	struct virtq_used_elem e;

	while (next_used(&queues[VIRTIO_VSOCK_QUEUE_RX], &e))
		look_at(&e);
	while (next_used(&queues[VIRTIO_VSOCK_QUEUE_TX], &e))
		EXPECT(!e.len);
	while (next_used(&queues[VIRTIO_VSOCK_QUEUE_EVENT], &e))
		EXPECT(e.len == 4);
}

static uint32_t host_port(const struct step *s)
{
	const uint32_t ports[4] = { SERVICE, SERVICE, requested_port, NOBODY };

	return ports[s->ports >> 2 & 3];
}

static void send_packet(const struct step *s)
{
	struct queue *q = &queues[VIRTIO_VSOCK_QUEUE_TX];
	unsigned i = take_buffer(q), op = s->what & 7;
	struct virtio_vsock_hdr h = {
		.src_cid = CID,
		.dst_cid = VIRTIO_VSOCK_CID_HOST,
		.src_port = s->ports & 3,
		.dst_port = host_port(s),
		.type = s->what & OTHER_TYPE ? 2 : VIRTIO_VSOCK_TYPE_STREAM,
		.op = (uint16_t)op,
		.len = op == VIRTIO_VSOCK_OP_RW ? s->bytes : 0,
		.flags = s->ports >> 6,
		.buf_alloc = s->what & LIES_OF_CREDIT ? s->buffer : 256 * KIB,
		.fwd_cnt = s->what & LIES_OF_CREDIT ? s->forwarded : forwarded,
	};
	uint32_t bytes = sizeof(h) + h.len;

	if (i == SIZE)
		return;
	if (s->what & LIES_OF_LENGTH)
		h.len = s->buffer;
	if (s->what & IS_SHORT)
		bytes = bytes / 2 > sizeof(h) ? bytes / 2 : sizeof(h);
	memcpy(ram(q->data + i * SLOT_BYTES), &h, sizeof(h));
	offer(q, i, bytes, 0);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_VSOCK_QUEUE_TX);
}

/* Some buffers to receive in, of which the smallest has room for a header. */
static void give_buffers(const struct step *s)
{
	unsigned which = s->what & 0x80 ? VIRTIO_VSOCK_QUEUE_EVENT : VIRTIO_VSOCK_QUEUE_RX,
		 count = s->ports % SIZE + 1;
	uint32_t bytes = which == VIRTIO_VSOCK_QUEUE_RX ? (uint32_t)sizeof(struct virtio_vsock_hdr) + s->bytes : 8;
	struct queue *q = &queues[which];

	for (unsigned i; count && (i = take_buffer(q)) < SIZE; count--)
		offer(q, i, bytes, VIRTQ_DESC_F_WRITE);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, which);
}

/* ---- The host ---- */

static void close_program(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ports, 7:6: where to. Something may follow at once, or it does not come to an end. */
static void connect_program(const struct step *s, int *fd)
{
	char text[32];
	size_t n =
		(size_t)snprintf(text, sizeof(text), "CONNECT %u\n%s", s->ports >> 6, s->what & 0x20 ? "hello" : "");

	if (s->what & 0x10)
		n = s->bytes % (n + 1);
	close_program(fd);
	*fd = unix_connect(path);
	fuzz_turn(vm->loop, 0);
	if (*fd >= 0 && send(*fd, text, n, MSG_NOSIGNAL) != (ssize_t)n)
		close_program(fd);
}

static void end_program(const struct step *s, int *fd)
{
	static const int hows[4] = { SHUT_RD, SHUT_WR, SHUT_RDWR, SHUT_RDWR };

	if (*fd >= 0 && s->what & 0x40)
		shutdown(*fd, hows[s->what >> 4 & 3]);
	else
		close_program(fd);
}

static void take_step(const struct step *s)
{
	static uint8_t bytes[64 * KIB];
	int *fd = &program[s->ports % PROGRAMS];
	ssize_t n = 0;

	switch (s->what & 15) {
	case RECEIVE: give_buffers(s); break;
	case CONNECT: connect_program(s, fd); break;
	case ACCEPT:
		close_program(fd);
		*fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		break;
	case WRITE: n = *fd < 0 ? 0 : send(*fd, bytes, s->bytes, MSG_NOSIGNAL | MSG_DONTWAIT); break;
	case READ: n = *fd < 0 ? 0 : recv(*fd, bytes, s->bytes, MSG_DONTWAIT); break;
	case CLOSE: end_program(s, fd); break;
	case TURN: fuzz_turn(vm->loop, 0); break;
	case RESTART: start_driver(); break;
	default: send_packet(s); break;
	}
	(void)n;
	take_used();
	EXPECT(!(rd(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET));
}

/* ---- Inputs ---- */

static void build(const char *kernel)
{
	static struct vm_config cfg;
	enum proc_exit status;

	cfg = (struct vm_config){ .ram_bytes = RAM_BYTES, .console = "null", .cmdline = "", .kernel = kernel };
	hv_block_init(&cfg.attr);
	host = fuzz_device(&cfg.devices, device_type_find("virtio-vsock"));
	EXPECT(!vm_build(&cfg, &vm, &status));
	for (const struct device *d = vm->devices.first; d; d = d->next)
		if (d->type->slot)
			base = d->ranges[0].base;
}

static void remove_folder(void)
{
	fuzz_empty_folder(host.folder);
	rmdir(host.folder);
}

static int free_fd(void)
{
	int fd = dup(STDIN_FILENO);

	close(fd);
	return fd;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct image_header h = { .image_size = sizeof(h), .magic = IMAGE_MAGIC };
	struct fuzz_file kernel = fuzz_file(&h, sizeof(h));
	char service[PATH_MAX + 16];

	(void)argc, (void)argv;
	log_set_level(getenv("VMM_FUZZ_LOG") ? LOG_DEBUG : LOG_ERR);
	build(kernel.path);
	close(kernel.fd);
	atexit(remove_folder);
	snprintf(path, sizeof(path), "%s/vsock", host.folder); /* as the type's `trial' says */
	snprintf(service, sizeof(service), "%s_%d", path, SERVICE);
	listener = unix_listen("fuzz", service);
	EXPECT(listener >= 0);
	for (unsigned i = 0; i < PROGRAMS; i++)
		program[i] = -1;
	fuzz_quiet();
	return 0;
}

/* Nothing is left of an input: no descriptor, and no connection. */
static void clear(void)
{
	int fd;

	wr(VIRTIO_MMIO_STATUS, 0);
	EXPECT(!rd(VIRTIO_MMIO_STATUS));
	for (unsigned i = 0; i < PROGRAMS; i++)
		close_program(&program[i]);
	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
	fuzz_turn(vm->loop, 0);
	fuzz_turn(vm->loop, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	int unused;

	fuzz_signals();
	clear();
	unused = free_fd();
	forwarded = requested_port = 0;
	start_driver();
	while (in.left) {
		struct step s;

		take(&in, &s, sizeof(s));
		take_step(&s);
	}
	clear();
	EXPECT(free_fd() == unused);
	return 0;
}
