/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a back end of vhost-user can do to us: it answers with what was not asked, in pieces, with descriptors, or
 * not at all; goes, and comes again; and it has the guest's memory and the eventfds of the rings.
 *
 *   u16 how many deeds the back end has, a byte each, one for each message that it gets; then steps of the
 *   driver, a byte each. Without deeds left it does as it should.
 *
 * One that just says nothing is for the unit test of virtio-fs: it costs seconds.
 */
#include <pthread.h>
#include <spec/board.h>
#include <spec/image.h>
#include <spec/vhost-user.h>
#include <spec/virtio.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../../src/vm.h"
#include "fuzz.h"
#include "turn.h"

#define RAM_BYTES (8 * MIB)
#define RINGS     (BOARD_RAM_BASE + MIB)
#define SIZE      16
#define DEEDS_MAX 256
#define STEPS_MAX 24
#define FEATURES  (UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_F_INDIRECT_DESC)

/* 3:0; 7:4 are their flavour. */
enum deed {
	HONEST,
	SIZE_IS_WRONG,
	REQUEST_IS_WRONG,
	FLAGS_ARE_WRONG,
	SHORT,
	GOES,
	SAYS_MORE,
	GIVES_FDS,
	OTHER_VALUE,
	TWICE,
	RINGS_THE_BELLS,
	WRITES_RINGS,
	CUTS_MEMORY,
	DEEDS
};

static struct {
	char folder[32], path[64];
	int listener, fd;
	pthread_mutex_t lock;
	uint8_t deed[DEEDS_MAX];
	unsigned deeds, next;
	uint8_t *ram; /* the first region, as it has been given; NULL: not yet */
	size_t ram_bytes;
	int ram_fd, bell[4]; /* kicks and calls; -1: none */
} end = { .lock = PTHREAD_MUTEX_INITIALIZER, .ram_fd = -1, .bell = { -1, -1, -1, -1 } };

static struct vm *vm;
static const struct device *dev;

/* ---- The back end ---- */

static uint8_t next_deed(void)
{
	uint8_t d = HONEST;

	pthread_mutex_lock(&end.lock);
	if (end.next < end.deeds)
		d = end.deed[end.next++];
	pthread_mutex_unlock(&end.lock);
	return d;
}

static void say(const void *bytes, size_t len, const int *fds, unsigned fd_count)
{
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd_count) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), fds, fd_count * sizeof(int));
	}
	if (sendmsg(end.fd, &m, MSG_NOSIGNAL) < 0)
		shutdown(end.fd, SHUT_RDWR);
}

static void answer(const struct vhost_user_header *to, uint64_t value, uint8_t deed)
{
	struct {
		struct vhost_user_header h;
		uint64_t value[2];
	} __attribute__((packed)) m = { { to->request, VHOST_USER_VERSION | VHOST_USER_REPLY, 8 }, { value, 0 } };
	const int fds[] = { 0, end.fd, end.fd, 0 };
	unsigned flavour = deed >> 4, what = (deed & 15) % DEEDS;
	size_t bytes = sizeof(m.h) + 8;

	switch (what) {
	case SIZE_IS_WRONG: m.h.size = flavour & 1 ? UINT32_MAX : flavour; break;
	case REQUEST_IS_WRONG: m.h.request ^= 1u << flavour; break;
	case FLAGS_ARE_WRONG: m.h.flags ^= 1u << flavour; break;
	case SHORT: bytes = flavour + 1; break;
	case SAYS_MORE: bytes += flavour % 9; break;
	case OTHER_VALUE: m.value[0] = flavour & 1 ? ~value : value ^ UINT64_C(1) << 4 * flavour; break;
	case GIVES_FDS: say(&m, bytes, fds, 1 + flavour % 4); return;
	case TWICE: say(&m, bytes, NULL, 0); break;
	}
	say(&m, bytes, NULL, 0);
	if (what == SHORT)
		shutdown(end.fd, SHUT_RDWR);
}

static void keep(int *slot, int fd)
{
	if (*slot >= 0)
		close(*slot);
	*slot = fd;
}

static void take_ram(int fd, const struct vhost_user_memory *m)
{
	if (end.ram)
		munmap(end.ram, end.ram_bytes);
	keep(&end.ram_fd, fd);
	end.ram_bytes = m->region[0].bytes;
	end.ram = mmap(NULL, end.ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	EXPECT(end.ram != MAP_FAILED && end.ram_bytes == RAM_BYTES);
}

static void misbehave(uint8_t deed)
{
	unsigned flavour = deed >> 4;

	switch ((deed & 15) % DEEDS) {
	case GOES: shutdown(end.fd, SHUT_RDWR); break;
	case SAYS_MORE: say("hello there", 1 + flavour % 11, NULL, 0); break;
	case RINGS_THE_BELLS:
		for (unsigned i = 0; i < 4; i++)
			if (end.bell[i] >= 0)
				eventfd_write(end.bell[i], flavour & 1 ? UINT64_MAX - 1 : 1);
		break;
	case WRITES_RINGS:
		if (end.ram)
			memset(end.ram + MIB, flavour * 0x11, 0x8000);
		break;
	case CUTS_MEMORY:
		if (end.ram_fd >= 0)
			EXPECT(ftruncate(end.ram_fd, flavour * 4096));
		break;
	}
}

static void on_message(const struct vhost_user_header *h, const union vhost_user_payload *p, int fd)
{
	uint8_t deed = next_deed();

	switch (h->request) {
	case VHOST_USER_GET_FEATURES: answer(h, FEATURES, deed); break;
	case VHOST_USER_GET_VRING_BASE: answer(h, p->state.index, deed); break;
	case VHOST_USER_SET_MEM_TABLE: take_ram(dup(fd), &p->memory); break;
	case VHOST_USER_SET_VRING_KICK: keep(&end.bell[p->u64 & 1], dup(fd)); break;
	case VHOST_USER_SET_VRING_CALL: keep(&end.bell[2 + (p->u64 & 1)], dup(fd)); break;
	}
	misbehave(deed);
}

/* False: there is nobody any more. */
static bool serve_one(void)
{
	struct vhost_user_header h;
	union vhost_user_payload p;
	union {
		char bytes[CMSG_SPACE(VHOST_USER_REGIONS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { &h, sizeof(h) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	int fds[VHOST_USER_REGIONS_MAX];
	unsigned count = 0;

	if (recvmsg(end.fd, &m, MSG_WAITALL) != sizeof(h))
		return false;
	if (m.msg_controllen && CMSG_FIRSTHDR(&m)) {
		count = (unsigned)((CMSG_FIRSTHDR(&m)->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&m)), count * sizeof(int));
	}
	/* That much is certain of us, whatever was said before. */
	EXPECT(h.flags == VHOST_USER_VERSION && h.size <= sizeof(p));
	if (!h.size || recv(end.fd, &p, h.size, MSG_WAITALL) == (ssize_t)h.size)
		on_message(&h, &p, count ? fds[0] : -1);
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
	return true;
}

static void *back_end(void *opaque)
{
	for (;;) {
		end.fd = accept(end.listener, NULL, NULL);
		EXPECT(end.fd >= 0);
		while (serve_one())
			;
		close(end.fd);
	}
	return opaque;
}

static void start_back_end(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	pthread_t t;

	strcpy(end.folder, "/tmp/vmm-fuzz-XXXXXX");
	EXPECT(mkdtemp(end.folder));
	snprintf(end.path, sizeof(end.path), "%s/socket", end.folder);
	strcpy(a.sun_path, end.path);
	end.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(!bind(end.listener, (struct sockaddr *)&a, sizeof(a)) && !listen(end.listener, 4));
	EXPECT(!pthread_create(&t, NULL, back_end, NULL));
}

/* ---- The driver ---- */

static void build(void)
{
	const struct image_header h = { .image_size = sizeof(h), .magic = IMAGE_MAGIC };
	struct fuzz_file kernel = fuzz_file(&h, sizeof(h));
	static struct vm_config cfg;
	static char text[128];
	enum proc_exit status;

	snprintf(text, sizeof(text), "virtio-fs,socket=%s,tag=x", end.path);
	cfg = (struct vm_config){ .ram_bytes = RAM_BYTES, .console = "null", .cmdline = "", .kernel = kernel.path };
	cfg.devices.item[cfg.devices.count++] = (struct opt_device){ .text = text };
	hv_block_init(&cfg.attr);
	EXPECT(!vm_build(&cfg, &vm, &status));
	for (dev = vm->devices.first; strcmp(dev->type->name, "virtio-fs"); dev = dev->next)
		;
	close(kernel.fd);
}

static void remove_folder(void)
{
	unlink(end.path);
	rmdir(end.folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_set_level(getenv("VMM_FUZZ_LOG") ? LOG_DEBUG : LOG_ERR);
	start_back_end();
	atexit(remove_folder);
	build();
	fuzz_quiet();
	return 0;
}

static uint32_t access_reg(unsigned reg, uint64_t value, bool write)
{
	bus_access(vm->bus, gpa(dev->ranges[0].base + reg), 4, &value, write);
	return (uint32_t)value;
}

static uint32_t rd(unsigned reg) { return access_reg(reg, 0, false); }
static void wr(unsigned reg, uint32_t value) { access_reg(reg, value, true); }

static void start_queue(unsigned q)
{
	uint32_t at = (uint32_t)RINGS + q * 0x4000;

	wr(VIRTIO_MMIO_QUEUE_SEL, q);
	wr(VIRTIO_MMIO_QUEUE_SIZE, SIZE);
	wr(VIRTIO_MMIO_QUEUE_DESC_LOW, at);
	wr(VIRTIO_MMIO_QUEUE_DRIVER_LOW, at + 0x1000);
	wr(VIRTIO_MMIO_QUEUE_DEVICE_LOW, at + 0x2000);
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
}

/* @queues: which of the two are ready. */
static void start_driver(unsigned queues)
{
	uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

	wr(VIRTIO_MMIO_STATUS, 0);
	wr(VIRTIO_MMIO_STATUS, status);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, 1);
	wr(VIRTIO_MMIO_STATUS, status |= VIRTIO_STATUS_FEATURES_OK);
	for (unsigned q = 0; q < 2; q++)
		if (queues >> q & 1)
			start_queue(q);
	wr(VIRTIO_MMIO_STATUS, status | VIRTIO_STATUS_DRIVER_OK);
}

static void take_step(uint8_t s)
{
	switch (s & 7) {
	case 0:
	case 1: start_driver(s & 8 ? s >> 4 & 3 : 3); break;
	case 2: wr(VIRTIO_MMIO_STATUS, 0); break;
	case 3: wr(VIRTIO_MMIO_QUEUE_NOTIFY, s >> 4); break;
	case 4: fuzz_turn(vm->loop, s & 8 ? 200 : 0); break;
	case 5: wr(VIRTIO_MMIO_INTERRUPT_ACK, rd(VIRTIO_MMIO_INTERRUPT_STATUS)); break;
	case 6: wr(VIRTIO_MMIO_STATUS, s); break;
	case 7: devices_reset(&vm->devices); break;
	}
}

static void set_deeds(const uint8_t *deed, unsigned count)
{
	pthread_mutex_lock(&end.lock);
	if (count)
		memcpy(end.deed, deed, count);
	end.deeds = count;
	end.next = 0;
	pthread_mutex_unlock(&end.lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned count = take_u16(&in) % (DEEDS_MAX + 1);
	int fd;

	if (count > in.left)
		count = (unsigned)in.left;
	set_deeds(in.p, count);
	in.p += count;
	in.left -= count;
	for (unsigned n = 0; in.left && n < STEPS_MAX; n++)
		take_step(take_u8(&in));
	set_deeds(NULL, 0);
	devices_reset(&vm->devices);
	fuzz_turn(vm->loop, 0);
	EXPECT(!rd(VIRTIO_MMIO_STATUS));
	/* Whatever it was, a back end that behaves is served. What is left of the old one may be in its way once. */
	start_driver(3);
	if (rd(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET)
		start_driver(3);
	EXPECT(!(rd(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_NEEDS_RESET));
	devices_reset(&vm->devices);
	/* Numbers are given from below: what a back end gives us does not stay. */
	fd = dup(0);
	EXPECT(fd >= 0 && fd < 100);
	close(fd);
	return 0;
}
