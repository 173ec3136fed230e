/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of frames: private to devices/net. */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include <vmm/net.h>

/* Numbers in frames: the most significant byte first. */
static inline unsigned net_get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static inline uint32_t net_get32(const uint8_t *p) { return (uint32_t)net_get16(p) << 16 | net_get16(p + 2); }

/* May who takes frames with @offloads get one with this gso_type? */
bool frame_gso_taken(unsigned gso_type, unsigned offloads);

/* Copies the frame to @to, which has NET_FRAME_MAX bytes. */
void frame_copy(const struct net_frame *f, uint8_t *to);

/* The sum of 16-bit words (RFC 1071), folded to 16 bits and not inverted; @sum is what to add it to. */
uint16_t frame_sum(const uint8_t *bytes, size_t count, uint32_t sum);

/* Does what hdr.flags NEEDS_CSUM asks for to the copy @bytes of the frame. */
void frame_checksum(const struct net_frame *f, uint8_t *bytes);

#endif
