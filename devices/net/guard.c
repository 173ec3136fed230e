/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest must not be able to end or to read us, whatever the libslirp that the host has installed. Debian
 * bookworm's is 4.7.0, which stumbles over these, all of them things that no guest needs:
 *
 * - Urgent data (CVE-2026-9539, fixed in 4.9.2): it sends memory behind its buffer to the guest's peer. Segments pass
 *   without the mark; RFC 6093 wants the data in line anyway.
 * - Fragments of IPv4 (Debian's binary does not see the list of them that it has just made: a last fragment that
 * comes first is taken for all, and its bytes for pointers). They are put together here, in their order, in which
 * every guest sends them; TCP in fragments nobody sends.
 * - A connection's next sequence number that, when a segment out of order has been put in its place, is a certain
 *   value: tcp_reass() does not recognise the end of its list then, and takes the connection's state for a segment.
 *   The value is 0 with IPv4; with IPv6 bytes 4 to 7 of the guest's address, as the host stores numbers. So no
 * segment ends there; one that goes past it must be one that libslirp takes as a whole, because what is cut off at
 * the end of its window could end there.
 * - Management controllers' protocol (NC-SI) and whatever else is neither ARP nor IP.
 */
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

#include "frame.h"
#include "guard.h"

#define ETHERTYPE       12
#define TCP_WINDOW_MOST (1u << 16)

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
	const bool syn = f[p->tcp + 13] & TH_SYN;
	uint32_t seq = net_get32(f + p->tcp + 4), length = p->end - p->payload;
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

/* ---- Fragments ---- */

struct fragment {
	uint8_t key[11]; /* addresses, protocol, identification */
	unsigned header, offset, bytes;
	bool more;
};

/* false: it makes no sense. */
static bool read_fragment(const uint8_t *f, size_t bytes, struct fragment *r)
{
	const uint8_t *ip = f + ETH_HLEN;
	unsigned total = net_get16(ip + 2);

	r->header = (ip[0] & 0xfu) * 4;
	r->offset = (net_get16(ip + 6) & IP_OFFMASK) * 8;
	r->more = net_get16(ip + 6) & IP_MF;
	if (r->header < 20 || total <= r->header || ETH_HLEN + total > bytes || frame_sum(ip, r->header, 0) != 0xffff)
		return false;
	r->bytes = total - r->header;
	memcpy(r->key, ip + 12, 8);
	r->key[8] = ip[9];
	memcpy(r->key + 9, ip + 4, 2);
	return r->offset + total <= 65535 && !(r->more && r->bytes % 8);
}

/* Of a first fragment a new one, else the one that it continues, or NULL. */
static struct guard_datagram *find_datagram(struct guard *g, const struct fragment *r)
{
	struct guard_datagram *d = NULL;

	for (unsigned i = 0; i < GUARD_DATAGRAMS; i++)
		if (g->datagram[i].have && !memcmp(g->datagram[i].key, r->key, sizeof(r->key)))
			d = &g->datagram[i];
	if (r->offset)
		return d && d->have == r->offset ? d : NULL;
	if (!d)
		d = &g->datagram[g->next_datagram++ % GUARD_DATAGRAMS];
	memcpy(d->key, r->key, sizeof(d->key));
	d->header = r->header;
	d->have = 0;
	return d;
}

/* The whole datagram at @f when this was the last piece of it; its bytes, or 0. */
static size_t put_together(struct guard *g, uint8_t *f, size_t bytes)
{
	struct guard_datagram *d;
	struct fragment r;
	size_t whole;

	if (!read_fragment(f, bytes, &r))
		return 0;
	d = find_datagram(g, &r);
	if (!d || d->header + d->have + r.bytes > 65535)
		return 0;
	if (!r.offset)
		memcpy(d->frame, f, ETH_HLEN + r.header);
	memcpy(d->frame + ETH_HLEN + d->header + d->have, f + ETH_HLEN + r.header, r.bytes);
	d->have += r.bytes;
	if (r.more)
		return 0;
	ipv4_set_whole(d->frame, d->header + d->have);
	whole = ETH_HLEN + d->header + d->have;
	memcpy(f, d->frame, whole);
	d->have = 0;
	return whole;
}

size_t guard_frame(struct guard *g, uint8_t *f, size_t bytes, const struct tcp_place *p)
{
	unsigned type = net_get16(f + ETHERTYPE);

	if (type != ETHERTYPE_ARP && type != ETHERTYPE_IP && type != ETHERTYPE_IPV6)
		return 0;
	if (type == ETHERTYPE_IP && bytes >= ETH_HLEN + 20 && net_get16(f + ETH_HLEN + 6) & (IP_MF | IP_OFFMASK))
		return f[ETH_HLEN + 9] == IPPROTO_TCP ? 0 : put_together(g, f, bytes);
	if (!p->payload)
		return bytes;
	if (f[p->tcp + 13] & TH_URG)
		tcp_clear_urgent(f, p);
	return sequence_fine(g, f, p) ? bytes : 0;
}

/* Of connections that are not near the value there is nothing to be known: their windows do not reach it. */
void guard_answer(struct guard *g, const uint8_t *f, const struct tcp_place *p)
{
	uint32_t ack;
	uint8_t key[36];
	int i;

	if (!p->payload || (f[p->tcp + 13] & (TH_ACK | TH_RST)) != TH_ACK)
		return;
	ack = net_get32(f + p->tcp + 8);
	if (forbidden(p, f + p->ip + (p->v6 ? 24 : 16)) - ack > 16 * TCP_WINDOW_MOST)
		return;
	make_key(key, f, p, false);
	i = find_flow(g, key);
	if (i < 0)
		i = (int)(g->next_flow++ % GUARD_FLOWS);
	memcpy(g->flow[i].key, key, sizeof(key));
	g->flow[i].window_end = ack + net_get16(f + p->tcp + 14);
}
