/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that are larger than the guest's network lets them be, and the other way round; private to devices/net.
 * All on whole Ethernet frames that begin at @f.
 */
#ifndef NET_SEGMENT_H
#define NET_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where things are in a frame; payload 0: it is not TCP, or not whole. */
struct tcp_place {
	unsigned ip, tcp, payload;
	unsigned end;           /* of the IP packet */
	bool v6;
};

struct tcp_place tcp_find(const uint8_t *f, size_t bytes);

/* Of addresses, protocol and length: what the checksum's field has while the checksum is left to do. */
uint16_t tcp_pseudo_sum(const uint8_t *f, const struct tcp_place *p);

/*
 * A SYN says how large segments its sender takes: returns that, and has it say @most. 0, and nothing
 * changed, for what is no SYN or does not say so. The checksum of the frame is right afterwards.
 */
unsigned tcp_raise_segment(uint8_t *f, const struct tcp_place *p, unsigned most);

/* No urgent data, and the checksum is right. */
void tcp_clear_urgent(uint8_t *f, const struct tcp_place *p);

/*
 * Makes the next of the frames that @f is cut into, in @out; @done, 0 at first, is how far it has come.
 * Returns its bytes, 0 at the end. @segment bytes of TCP's payload; or IPv4 fragments of at most @mtu bytes.
 */
size_t tcp_cut(const uint8_t *f, const struct tcp_place *p, unsigned segment, unsigned *done, uint8_t *out);
size_t ipv4_cut(const uint8_t *f, size_t bytes, unsigned mtu, unsigned *done, uint8_t *out);
/* The IPv4 packet of frame @f becomes one of @bytes, header and all, and no fragment. */
void ipv4_set_whole(uint8_t *f, unsigned bytes);
/* Is it an IPv4 packet that may be, and has to be, cut? */
bool ipv4_too_large(const uint8_t *f, size_t bytes, unsigned mtu);

#endif
