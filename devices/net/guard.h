/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libslirp is not to be given, since versions in use do not survive it; private to devices/net. */
#ifndef NET_GUARD_H
#define NET_GUARD_H

#include <vmm/net.h>

#include "segment.h"

#define GUARD_FLOWS     64
#define GUARD_DATAGRAMS 4

struct guard {
	struct guard_flow {
		uint8_t key[36];        /* addresses and ports, the guest's first */
		uint32_t window_end;    /* up to where libslirp has said that it takes data */
	} flow[GUARD_FLOWS];
	unsigned next_flow;

	/* IPv4's, of which the fragments so far have come. */
	struct guard_datagram {
		uint8_t key[11];
		unsigned header, have;  /* bytes behind it; 0: none */
		uint8_t frame[NET_FRAME_MAX];
	} datagram[GUARD_DATAGRAMS];
	unsigned next_datagram;
};

/*
 * A frame of the guest, in a buffer of NET_FRAME_MAX bytes, and where TCP is in it. How many bytes are to be passed on,
 * 0: none. It may have become another one, and is right then.
 */
size_t guard_frame(struct guard *g, uint8_t *f, size_t bytes, const struct tcp_place *p);

/* A frame for the guest. */
void guard_answer(struct guard *g, const uint8_t *f, const struct tcp_place *p);

#endif
