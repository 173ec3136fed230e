/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door of --net user: frames of a guest, which libslirp and what stands before it must bear. What the guest sends
 * reaches this target's own network at most, where somebody listens, echoes and goes away; without the right to
 * make one it is restricted. The library is the installed one: to see into it give one made with the sanitizer
 * by LD_LIBRARY_PATH.
 *
 *   records: what (one byte), its flavour, 16 bits of length; frames' bytes behind them
 */
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../../devices/net/frame.h"
#include "../../devices/net/segment.h"
#include "net.h"

#define ECHO_PORT    7
#define FORWARD_PORT 8
#define CLIENTS      8

enum { FRAME, FRAMES, LARGE, TURN, ROOM, ACCEPT, HOST, STEPS };
enum { RIGHT_SUMS = 1, RIGHT_ACK = 2, MARKED = 4 }; /* flavours of frames */

static struct loop *loop;
static bool own_network, has_room;
static unsigned offloads;
static int listener = -1, datagrams = -1, clients[CLIENTS];
static uint32_t ack; /* what libslirp's last segment wants to hear */

static bool on_receive(struct net_end *n, unsigned pair, const struct net_frame *f)
{
	const uint8_t *bytes = f->iov[0].iov_base;
	struct tcp_place p;

	(void)n;
	EXPECT(!pair && f->iov_count == 1);
	fuzz_end_judge(f, offloads);
	p = tcp_find(bytes, f->bytes);
	if (p.payload) {
		memcpy(&ack, bytes + p.tcp + 4, 4);
		ack = ntohl(ack) + p.end - p.payload + (bytes[p.tcp + 13] & 1) + (bytes[p.tcp + 13] >> 1 & 1);
	}
	return has_room;
}

static const struct net_user net_user = {
	.receive = on_receive, .received = fuzz_end_pair, .writable = fuzz_end_pair, .link = fuzz_end_link
};

/* Files that a guest reads by TFTP are still open at the end, and libslirp forgets them. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) { return 1; }

/* ---- A host of our own ---- */

static int serve(int type)
{
	const struct sockaddr_in a = { .sin_family = AF_INET,
				       .sin_port = htons(ECHO_PORT),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	EXPECT(fd >= 0 && !bind(fd, (const struct sockaddr *)&a, sizeof(a)) &&
	       (type == SOCK_DGRAM || !listen(fd, 8)));
	return fd;
}

static bool make_network(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	EXPECT(fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &r));
	close(fd);
	listener = serve(SOCK_STREAM);
	datagrams = serve(SOCK_DGRAM);
	return true;
}

static void keep_client(int fd)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (clients[i] < 0) {
			clients[i] = fd;
			return;
		}
	close(fd);
}

static void drop_clients(bool hard)
{
	const struct linger now = { 1, 0 };

	for (unsigned i = 0; i < CLIENTS; i++) {
		if (clients[i] < 0)
			continue;
		if (hard)
			setsockopt(clients[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(clients[i]);
		clients[i] = -1;
	}
}

static void echo(void)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	uint8_t b[4096];
	ssize_t n;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		keep_client(fd);
	for (unsigned i = 0; i < CLIENTS; i++)
		if (clients[i] >= 0 && (n = recv(clients[i], b, sizeof(b), 0)) > 0)
			(void)!send(clients[i], b, (size_t)n, MSG_NOSIGNAL);
	n = recvfrom(datagrams, b, sizeof(b), 0, (struct sockaddr *)&from, &len);
	if (n >= 0)
		(void)!sendto(datagrams, b, (size_t)n, 0, (struct sockaddr *)&from, len);
}

static void call_guest(void)
{
	const struct sockaddr_in a = { .sin_family = AF_INET,
				       .sin_port = htons(FORWARD_PORT),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	EXPECT(fd >= 0);
	connect(fd, (const struct sockaddr *)&a, sizeof(a));
	keep_client(fd);
}

static void host_does(uint8_t flavour, uint16_t count)
{
	static const uint8_t bytes[65536];

	if (!own_network)
		return;
	switch (flavour % 5) {
	case 0: echo(); break;
	case 1: call_guest(); break;
	case 2:
		for (unsigned i = 0; i < CLIENTS; i++)
			(void)!send(clients[i], bytes, count, MSG_NOSIGNAL);
		break;
	case 3: drop_clients(false); break;
	case 4: drop_clients(true); break;
	}
}

/* ---- Frames of the guest ---- */

static void put_sum(uint8_t *at, uint16_t sum)
{
	sum = (uint16_t)~sum;
	memcpy(at, &sum, sizeof(sum));
}

/* IP's and what is in it, as far as the lengths are true: libslirp looks at nothing whose sums are wrong. */
static void correct_sums(uint8_t *f, size_t bytes)
{
	const bool v6 = bytes >= 54 && f[12] == 0x86 && f[13] == 0xdd, v4 = bytes >= 34 && f[12] == 8 && !f[13];
	unsigned header = v6 ? 40 : (f[14] & 15u) * 4, at = 14 + header, protocol = v6 ? f[20] : f[23];
	unsigned length = v6 ? f[18] * 256u + f[19] : f[16] * 256u + f[17] - header;
	unsigned field = protocol == 6 ? 16 : protocol == 17 ? 6 : 2;
	uint32_t start = htons((uint16_t)protocol) + htons((uint16_t)length);

	if ((!v4 && !v6) || header < 20 || at > bytes)
		return;
	if (v4) {
		memset(f + 24, 0, 2);
		put_sum(f + 24, frame_sum(f + 14, header, 0));
	}
	if (length > bytes - at || field + 2 > length)
		return;
	memset(f + at + field, 0, 2);
	if (v6)
		start = frame_sum(f + 22, 32, start);
	else
		start = protocol == 1 ? 0 : frame_sum(f + 26, 8, start);
	put_sum(f + at + field, frame_sum(f + at, length, start));
}

static void send_frame(struct fuzz_end *e, uint8_t *f, size_t bytes, uint8_t flavour)
{
	struct iovec v = { f, bytes };
	struct net_frame frame = { .iov = &v, .iov_count = 1, .bytes = bytes };
	struct tcp_place p = tcp_find(f, bytes);
	uint32_t number = htonl(ack);

	if (p.payload && flavour & RIGHT_ACK)
		memcpy(f + p.tcp + 8, &number, 4);
	if (flavour & RIGHT_SUMS)
		correct_sums(f, bytes);
	if (flavour & MARKED)
		frame.hdr = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
						     .csum_start = 34,
						     .csum_offset = 16 };
	if (!net_frame_check(&frame, e->n->offloads))
		fuzz_end_send(e, &frame);
}

static void step(struct fuzz_end *e, struct input *in)
{
	uint8_t what = take_u8(in), flavour = take_u8(in);
	uint16_t count = take_u16(in);
	static uint8_t f[NET_FRAME_MAX];

	switch (what % STEPS) {
	case FRAME:
		count %= 1600;
		take(in, f, count);
		send_frame(e, f, count, flavour);
		break;
	case FRAMES: /* the last one again, with one byte of the header another */
		f[14 + flavour % 50] = (uint8_t)count;
		send_frame(e, f, 60 + (count >> 8) * 6u, RIGHT_SUMS | RIGHT_ACK);
		break;
	case LARGE: /* and with a length that is true */
		f[16] = (uint8_t)((count - 14) >> 8);
		f[17] = (uint8_t)(count - 14);
		send_frame(e, f, count, flavour | RIGHT_SUMS);
		break;
	case TURN: fuzz_turn(loop, 0); break;
	case ROOM:
		has_room = flavour & 1;
		if (has_room)
			fuzz_end_room(e);
		break;
	case ACCEPT:
		offloads = flavour & 1 ? NET_CSUM | (flavour & (NET_TSO4 | NET_TSO6)) : 0;
		fuzz_end_accept(e, offloads, flavour >> 7 ? 0 : 1);
		break;
	case HOST: host_does(flavour, count); break;
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_quiet();
	memset(clients, -1, sizeof(clients));
	own_network = make_network();
	EXPECT((loop = loop_new()));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct fuzz_end e;

	fuzz_end_begin(&e, loop, "user");
	fuzz_end_option(&e, "tftp", "/");
	fuzz_end_option(&e, "hostname", "guest");
	fuzz_end_option(&e, "search", "a.example");
	fuzz_end_option(&e, own_network ? "hostfwd" : "restrict", "tcp:127.0.0.1:8-:22");
	EXPECT(!net_end_open(&e.dev, &net_user, 1, 0, &e.n));
	has_room = true;
	ack = 0;
	offloads = 0;
	fuzz_end_accept(&e, offloads, 1);
	while (in.left)
		step(&e, &in);
	fuzz_turn(loop, 0);
	fuzz_end_free(&e);
	drop_clients(true);
	return 0;
}
