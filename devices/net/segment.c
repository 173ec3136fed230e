/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP segments and IPv4 fragments made out of larger ones: RFC 9293, RFC 791. */
#include <arpa/inet.h>
#include <string.h>

#include "frame.h"
#include "segment.h"

#define ETHERNET       14
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define IPV4_DONT      0x4000 /* fragment */
#define IPV4_MORE      0x2000 /* fragments */
#define TCP_FIN        1
#define TCP_SYN        2
#define TCP_PSH        8
#define TCP_URG        32
#define TCP_CHECKSUM   16
#define TCP_URGENT     18
#define OPTION_END     0
#define OPTION_NONE    1
#define OPTION_SEGMENT 2

static unsigned be16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t be32(const uint8_t *p) { return (uint32_t)be16(p) << 16 | be16(p + 2); }

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* Without extension headers: libslirp knows none, and a guest's SYN with some is left as it is. */
struct tcp_place tcp_find(const uint8_t *f, size_t bytes)
{
	struct tcp_place p = { .ip = ETHERNET };
	const uint8_t *ip = f + ETHERNET;
	unsigned header;

	if (bytes >= ETHERNET + 20 && be16(f + 12) == ETHERTYPE_IPV4 && ip[9] == IPPROTO_TCP &&
	    !(be16(ip + 6) & 0x3fff)) {
		header = (ip[0] & 0xfu) * 4;
		p.tcp = ETHERNET + header;
		p.end = ETHERNET + be16(ip + 2);
	} else if (bytes >= ETHERNET + 40 && be16(f + 12) == ETHERTYPE_IPV6 && ip[6] == IPPROTO_TCP) {
		header = 40;
		p.tcp = ETHERNET + header;
		p.end = p.tcp + be16(ip + 4);
		p.v6 = true;
	} else {
		return p;
	}
	if (header < 20 || p.end > bytes || p.tcp + 20 > p.end)
		return p;
	p.payload = p.tcp + (f[p.tcp + 12] >> 4) * 4u;
	if (p.payload < p.tcp + 20 || p.payload > p.end)
		p.payload = 0;
	return p;
}

uint16_t tcp_pseudo_sum(const uint8_t *f, const struct tcp_place *p)
{
	uint32_t rest = htons(IPPROTO_TCP) + htons((uint16_t)(p->end - p->tcp));

	return p->v6 ? frame_sum(f + p->ip + 8, 32, rest) : frame_sum(f + p->ip + 12, 8, rest);
}

static void put_sum(uint8_t *at, uint16_t sum)
{
	sum = (uint16_t)~sum;
	memcpy(at, &sum, sizeof(sum));
}

static void tcp_checksum(uint8_t *f, const struct tcp_place *p)
{
	put16(f + p->tcp + TCP_CHECKSUM, 0);
	put_sum(f + p->tcp + TCP_CHECKSUM, frame_sum(f + p->tcp, p->end - p->tcp, tcp_pseudo_sum(f, p)));
}

static void ipv4_checksum(uint8_t *ip)
{
	put16(ip + 10, 0);
	put_sum(ip + 10, frame_sum(ip, (ip[0] & 0xfu) * 4, 0));
}

unsigned tcp_raise_segment(uint8_t *f, const struct tcp_place *p, unsigned most)
{
	if (!p->payload || !(f[p->tcp + 13] & TCP_SYN))
		return 0;
	for (unsigned i = p->tcp + 20; i + 4 <= p->payload && f[i] != OPTION_END;) {
		unsigned segment, length = f[i] == OPTION_NONE ? 1 : f[i + 1];

		if (f[i] == OPTION_SEGMENT && length == 4) {
			segment = be16(f + i + 2);
			if (segment < most) {
				put16(f + i + 2, most);
				tcp_checksum(f, p);
			}
			return segment;
		}
		if (!length || (f[i] != OPTION_NONE && length < 2))
			return 0;
		i += length;
	}
	return 0;
}

void tcp_clear_urgent(uint8_t *f, const struct tcp_place *p)
{
	f[p->tcp + 13] &= (uint8_t)~TCP_URG;
	put16(f + p->tcp + TCP_URGENT, 0);
	tcp_checksum(f, p);
}

size_t tcp_cut(const uint8_t *f, const struct tcp_place *p, unsigned segment, unsigned *done, uint8_t *out)
{
	unsigned left = p->end - p->payload - *done, take = left < segment ? left : segment;
	struct tcp_place q = *p;

	if (!left)
		return 0;
	q.end = p->payload + take;
	memcpy(out, f, p->payload);
	memcpy(out + p->payload, f + p->payload + *done, take);
	put32(out + p->tcp + 4, be32(f + p->tcp + 4) + *done);
	if (take < left)
		out[p->tcp + 13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	if (p->v6) {
		put16(out + p->ip + 4, q.end - q.tcp);
	} else {
		put16(out + p->ip + 2, q.end - q.ip);
		put16(out + p->ip + 4, be16(f + p->ip + 4) + *done / segment);
		ipv4_checksum(out + p->ip);
	}
	tcp_checksum(out, &q);
	*done += take;
	return q.end;
}

bool ipv4_too_large(const uint8_t *f, size_t bytes, unsigned mtu)
{
	const uint8_t *ip = f + ETHERNET;
	unsigned header;

	if (bytes <= ETHERNET + mtu || be16(f + 12) != ETHERTYPE_IPV4 || be16(ip + 6) & IPV4_DONT)
		return false;
	header = (ip[0] & 0xfu) * 4;
	return header >= 20 && be16(ip + 2) > mtu && ETHERNET + be16(ip + 2) <= bytes && mtu >= header + 8;
}

/* The options of the first fragment are in all: that is more than some of them ask for, and no harm. */
size_t ipv4_cut(const uint8_t *f, size_t bytes, unsigned mtu, unsigned *done, uint8_t *out)
{
	const uint8_t *ip = f + ETHERNET;
	unsigned header = (ip[0] & 0xfu) * 4, total = be16(ip + 2) - header, left = total - *done;
	unsigned take = left <= mtu - header ? left : (mtu - header) & ~7u;

	(void)bytes;
	if (!left)
		return 0;
	memcpy(out, f, ETHERNET + header);
	memcpy(out + ETHERNET + header, ip + header + *done, take);
	put16(out + ETHERNET + 2, header + take);
	put16(out + ETHERNET + 6,
	      (be16(ip + 6) & IPV4_MORE) | (take < left ? IPV4_MORE : 0) | ((be16(ip + 6) & 0x1fff) + *done / 8));
	ipv4_checksum(out + ETHERNET);
	*done += take;
	return ETHERNET + header + take;
}

void ipv4_set_whole(uint8_t *f, unsigned bytes)
{
	put16(f + ETHERNET + 2, bytes);
	put16(f + ETHERNET + 6, 0);
	ipv4_checksum(f + ETHERNET);
}
