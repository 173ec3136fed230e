/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest must not be able to end or to read us, whatever the libslirp that the host has installed. Debian
 * bookworm's is 4.7.0, which stumbles over these, all of them things that no guest needs:
 *
 * - Urgent data (CVE-2026-9539, fixed in 4.9.2): it sends memory behind its buffer to the guest's peer. Segments pass
 *   without the mark; RFC 6093 wants the data in line anyway.
 * - TCP in IP fragments: nobody sends it, and it would be put together behind us.
 * - A connection's next sequence number that, when a segment out of order has been put in its place, is a certain
 *   value (fixed in 4.8.0, "testing for last fragment"): it takes its own state for a segment. The value is 0 with
 *   IPv4; with IPv6 bytes 4 to 7 of the guest's address, as the host stores numbers. So no segment ends there; one
 * that goes past it must be one that libslirp takes as a whole, because what is cut off at the end of its window
 * could end there.
 * - Management controllers' protocol (NC-SI) and whatever else is neither ARP nor IP.
 */
#include <netinet/in.h>
#include <string.h>

#include "guard.h"

#define ETHERTYPE       12
#define ETHERTYPE_ARP   0x0806
#define ETHERTYPE_IPV4  0x0800
#define ETHERTYPE_IPV6  0x86dd
#define IPV4_FRAGMENT   0x3fff /* more of them, or an offset */
#define TCP_SYN         2
#define TCP_RST         4
#define TCP_ACK         16
#define TCP_URG         32
#define TCP_WINDOW_MOST (1u << 16)

static unsigned be16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static uint32_t be32(const uint8_t *p) { return (uint32_t)be16(p) << 16 | be16(p + 2); }

/* Where no segment of the guest may end; @guest: its address. */
static uint32_t forbidden(const struct tcp_place *p, const uint8_t *guest)
{
	uint32_t v = 0;

	if (p->v6)
		memcpy(&v, guest + 4, sizeof(v));
	return v;
}

static void make_key(uint8_t *key, const uint8_t *f, const struct tcp_place *p, bool from_guest)
{
	unsigned length = p->v6 ? 16 : 4, source = p->v6 ? 8 : 12;
	const uint8_t *address = f + p->ip + source, *port = f + p->tcp;

	memset(key, 0, 36);
	memcpy(key + (from_guest ? 0 : 16), address, length);
	memcpy(key + (from_guest ? 16 : 0), address + length, length);
	memcpy(key + (from_guest ? 32 : 34), port, 2);
	memcpy(key + (from_guest ? 34 : 32), port + 2, 2);
}

static int find_flow(const struct guard *g, const uint8_t *key)
{
	for (int i = 0; i < GUARD_FLOWS; i++)
		if (!memcmp(g->flow[i].key, key, sizeof(g->flow[i].key)))
			return i;
	return -1;
}

static bool sequence_fine(const struct guard *g, const uint8_t *f, const struct tcp_place *p)
{
	const bool syn = f[p->tcp + 13] & TCP_SYN;
	uint32_t seq = be32(f + p->tcp + 4), length = p->end - p->payload;
	uint32_t ahead = forbidden(p, f + p->ip + (p->v6 ? 8 : 12)) - seq;
	uint8_t key[36];
	int i;

	/* Data with a SYN has no place in any window yet. */
	if (syn)
		return !length && ahead != 1;
	if (!ahead || ahead > length)
		return true;
	if (ahead == length)
		return false;
	make_key(key, f, p, true);
	i = find_flow(g, key);
	return i >= 0 && (int32_t)(g->flow[i].window_end - (seq + length)) >= 0;
}

bool guard_frame(const struct guard *g, uint8_t *f, size_t bytes, const struct tcp_place *p)
{
	unsigned type = be16(f + ETHERTYPE);

	if (type != ETHERTYPE_ARP && type != ETHERTYPE_IPV4 && type != ETHERTYPE_IPV6)
		return false;
	if (type == ETHERTYPE_IPV4 && bytes >= p->ip + 20 && f[p->ip + 9] == IPPROTO_TCP &&
	    be16(f + p->ip + 6) & IPV4_FRAGMENT)
		return false;
	if (!p->payload)
		return true;
	if (f[p->tcp + 13] & TCP_URG)
		tcp_clear_urgent(f, p);
	return sequence_fine(g, f, p);
}

/* Of connections that are not near the value there is nothing to be known: their windows do not reach it. */
void guard_answer(struct guard *g, const uint8_t *f, const struct tcp_place *p)
{
	uint32_t ack;
	uint8_t key[36];
	int i;

	if (!p->payload || (f[p->tcp + 13] & (TCP_ACK | TCP_RST)) != TCP_ACK)
		return;
	ack = be32(f + p->tcp + 8);
	if (forbidden(p, f + p->ip + (p->v6 ? 24 : 16)) - ack > 16 * TCP_WINDOW_MOST)
		return;
	make_key(key, f, p, false);
	i = find_flow(g, key);
	if (i < 0)
		i = (int)(g->next++ % GUARD_FLOWS);
	memcpy(g->flow[i].key, key, sizeof(key));
	g->flow[i].window_end = ack + be16(f + p->tcp + 14);
}
