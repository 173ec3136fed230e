/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libslirp is not to be given, since versions in use do not survive it; private to devices/net. */
#ifndef NET_GUARD_H
#define NET_GUARD_H

#include "segment.h"

#define GUARD_FLOWS 64

struct guard {
	struct guard_flow {
		uint8_t key[36];        /* addresses and ports, the guest's first */
		uint32_t window_end;    /* up to where libslirp has said that it takes data */
	} flow[GUARD_FLOWS];
	unsigned next;
};

/* A frame of the guest, and where TCP is in it. false: drop it. It may be changed, and is right afterwards. */
bool guard_frame(const struct guard *g, uint8_t *f, size_t bytes, const struct tcp_place *p);

/* A frame for the guest. */
void guard_answer(struct guard *g, const uint8_t *f, const struct tcp_place *p);

#endif
