/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door of --net socket: a peer that sends any bytes in any pieces, reads or not, and leaves, while the guest
 * sends, has room or has not, and comes and goes.
 *
 *   steps of 4 bytes: what, a count of bytes, and for the peer's pieces the bytes behind it
 */
#include <signal.h>
#include <sys/socket.h>

#include "net.h"

enum { WRITE, WRITE_FRAME, READ, SEND, TURN, ROOM, ACCEPT, STOP_READING, LEAVE, STEPS };

static struct loop *loop;
static bool has_room;

static bool on_receive(struct net_end *n, unsigned pair, const struct net_frame *f)
{
	(void)n;
	EXPECT(!pair);
	fuzz_end_judge(f, 0);
	return has_room;
}

static const struct net_user user = {
	.receive = on_receive, .received = fuzz_end_pair, .writable = fuzz_end_pair, .link = fuzz_end_link
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_quiet();
	EXPECT((loop = loop_new()));
	return 0;
}

static void send_frame(struct fuzz_end *e, uint32_t bytes)
{
	static uint8_t frame[NET_FRAME_MAX];
	struct iovec v = { frame, NET_FRAME_MIN + bytes % (NET_FRAME_MAX - NET_FRAME_MIN) };

	fuzz_end_send(e, &(struct net_frame){ .iov = &v, .iov_count = 1, .bytes = v.iov_len });
}

static void peer_writes(int *peer, struct input *in, size_t count, bool whole)
{
	const uint8_t head[4] = { 0, 0, (uint8_t)(count >> 8), (uint8_t)count };
	static uint8_t bytes[65536];

	take(in, bytes, count < 256 ? count : 256);
	if (*peer < 0)
		return;
	if (whole)
		(void)!send(*peer, head, sizeof(head), MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)!send(*peer, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void step(struct fuzz_end *e, int *peer, struct input *in)
{
	uint8_t what = take_u8(in), flavour = take_u8(in);
	uint16_t count = take_u16(in);
	static uint8_t bytes[65536];

	switch (what % STEPS) {
	case WRITE: peer_writes(peer, in, count, false); break;
	case WRITE_FRAME: peer_writes(peer, in, count, true); break;
	case READ: (void)!recv(*peer, bytes, count, MSG_DONTWAIT); break;
	case SEND: send_frame(e, count + (flavour & 1u) * 1000); break;
	case TURN: fuzz_turn(loop, 0); break;
	case ROOM:
		has_room = flavour & 1;
		if (has_room)
			fuzz_end_room(e);
		break;
	case ACCEPT: fuzz_end_accept(e, 0, flavour & 1); break;
	case STOP_READING: shutdown(*peer, flavour & 1 ? SHUT_RD : SHUT_WR); break;
	case LEAVE:
		if (*peer >= 0 && flavour > 200)
			*peer = close(*peer) - 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct fuzz_end e;
	char given[16];
	int pair[2];

	EXPECT(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	fuzz_end_begin(&e, loop, "socket");
	snprintf(given, sizeof(given), "%d", pair[0]);
	fuzz_end_option(&e, "fd", given);
	EXPECT(!net_end_open(&e.dev, &user, 1, 0, &e.n));
	has_room = true;
	fuzz_end_accept(&e, 0, 1);
	while (in.left)
		step(&e, &pair[1], &in);
	fuzz_turn(loop, 0);
	fuzz_end_free(&e);
	if (pair[1] >= 0)
		close(pair[1]);
	return 0;
}
