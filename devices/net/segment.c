/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TCP segments and IPv4 fragments made out of larger ones: RFC 9293, RFC 791. */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

#include "frame.h"
#include "segment.h"

#define TCP_CHECKSUM 16
#define TCP_URGENT   18

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* Without extension headers: libslirp knows none, and a guest's SYN with some is left as it is. */
struct tcp_place tcp_find(const uint8_t *f, size_t bytes)
{
	struct tcp_place p = { .ip = ETH_HLEN };
	const uint8_t *ip = f + ETH_HLEN;
	unsigned header;

	if (bytes >= ETH_HLEN + 20 && net_get16(f + 12) == ETHERTYPE_IP && ip[9] == IPPROTO_TCP &&
	    !(net_get16(ip + 6) & (IP_MF | IP_OFFMASK))) {
		header = (ip[0] & 0xfu) * 4;
		p.tcp = ETH_HLEN + header;
		p.end = ETH_HLEN + net_get16(ip + 2);
	} else if (bytes >= ETH_HLEN + 40 && net_get16(f + 12) == ETHERTYPE_IPV6 && ip[6] == IPPROTO_TCP) {
		header = 40;
		p.tcp = ETH_HLEN + header;
		p.end = p.tcp + net_get16(ip + 4);
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
	if (!p->payload || !(f[p->tcp + 13] & TH_SYN))
		return 0;
	for (unsigned i = p->tcp + 20; i + 4 <= p->payload && f[i] != TCPOPT_EOL;) {
		unsigned segment, length = f[i] == TCPOPT_NOP ? 1 : f[i + 1];

		if (f[i] == TCPOPT_MAXSEG && length == 4) {
			segment = net_get16(f + i + 2);
			if (segment < most) {
				put16(f + i + 2, most);
				tcp_checksum(f, p);
			}
			return segment;
		}
		if (!length || (f[i] != TCPOPT_NOP && length < 2))
			return 0;
		i += length;
	}
	return 0;
}

void tcp_clear_urgent(uint8_t *f, const struct tcp_place *p)
{
	f[p->tcp + 13] &= (uint8_t)~TH_URG;
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
	put32(out + p->tcp + 4, net_get32(f + p->tcp + 4) + *done);
	if (take < left)
		out[p->tcp + 13] &= (uint8_t) ~(TH_FIN | TH_PUSH);
	if (p->v6) {
		put16(out + p->ip + 4, q.end - q.tcp);
	} else {
		put16(out + p->ip + 2, q.end - q.ip);
		put16(out + p->ip + 4, net_get16(f + p->ip + 4) + *done / segment);
		ipv4_checksum(out + p->ip);
	}
	tcp_checksum(out, &q);
	*done += take;
	return q.end;
}

bool ipv4_too_large(const uint8_t *f, size_t bytes, unsigned mtu)
{
	const uint8_t *ip = f + ETH_HLEN;
	unsigned header;

	if (bytes <= ETH_HLEN + mtu || net_get16(f + 12) != ETHERTYPE_IP || net_get16(ip + 6) & IP_DF)
		return false;
	header = (ip[0] & 0xfu) * 4;
	return header >= 20 && net_get16(ip + 2) > mtu && ETH_HLEN + net_get16(ip + 2) <= bytes && mtu >= header + 8;
}

/* The options of the first fragment are in all: that is more than some of them ask for, and no harm. */
size_t ipv4_cut(const uint8_t *f, size_t bytes, unsigned mtu, unsigned *done, uint8_t *out)
{
	const uint8_t *ip = f + ETH_HLEN;
	unsigned header = (ip[0] & 0xfu) * 4, total = net_get16(ip + 2) - header, left = total - *done;
	unsigned take = left <= mtu - header ? left : (mtu - header) & ~7u;

	(void)bytes;
	if (!left)
		return 0;
	memcpy(out, f, ETH_HLEN + header);
	memcpy(out + ETH_HLEN + header, ip + header + *done, take);
	put16(out + ETH_HLEN + 2, header + take);
	put16(out + ETH_HLEN + 6, (net_get16(ip + 6) & IP_MF) | (take < left ? IP_MF : 0) |
					  ((net_get16(ip + 6) & IP_OFFMASK) + *done / 8));
	ipv4_checksum(out + ETH_HLEN);
	*done += take;
	return ETH_HLEN + header + take;
}

void ipv4_set_whole(uint8_t *f, unsigned bytes)
{
	put16(f + ETH_HLEN + 2, bytes);
	put16(f + ETH_HLEN + 6, 0);
	ipv4_checksum(f + ETH_HLEN);
}
