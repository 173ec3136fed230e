/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtio-net device with its driver, and the bytes of frames. */
#ifndef UNIT_FAKE_NET_H
#define UNIT_FAKE_NET_H

#include <spec/virtio-net.h>
#include "driver.h"

#define NET_BIT(name) (UINT64_C(1) << VIRTIO_NET_F_##name)
#define NET_RX        0
#define NET_TX        1
#define NET_CTRL      2

/* @bytes behind @hdr (NULL: zeroes) to the device, and a notification. What of the request was said to be written. */
void net_transmit(struct driver *d, const struct virtio_net_hdr *hdr, const void *frame, uint32_t bytes);
/* A buffer for frames, and a notification; where it is. */
uint8_t *net_offer(struct driver *d, uint32_t bytes);
/* The next frame of the device: bytes with the header, 0: none. */
uint32_t net_received(struct driver *d);
/* A control command; the answer. */
uint8_t net_control(struct driver *d, uint8_t class, uint8_t command, const void *data, uint32_t bytes);

/* Runs the loop until there is a frame, at most for a second. */
uint32_t net_wait(struct driver *d);

/* In the network's order. */
void net_put16(uint8_t *p, unsigned v);
void net_put32(uint8_t *p, uint32_t v);

/* What `sum' of RFC 1071 is over the bytes, by the book: 0xffff if they have their checksum. */
uint16_t net_sum(const uint8_t *bytes, size_t count, uint32_t sum);

#endif
