/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <vmm/err.h>
#include "net.h"

void net_transmit(struct driver *d, const struct virtio_net_hdr *hdr, const void *frame, uint32_t bytes)
{
	uint64_t at = driver_alloc(d, sizeof(*hdr) + bytes);
	uint32_t written = 1;

	if (hdr)
		memcpy(driver_ptr(d, at), hdr, sizeof(*hdr));
	if (bytes)
		memcpy((char *)driver_ptr(d, at) + sizeof(*hdr), frame, bytes);
	driver_add(d, NET_TX, at, (uint32_t)sizeof(*hdr) + bytes, 0, 0);
	driver_notify(d, NET_TX);
	CHECK(driver_done(d, NET_TX, NULL, &written) && !written);
}

uint8_t *net_offer(struct driver *d, uint32_t bytes)
{
	uint64_t at = driver_alloc(d, bytes);

	driver_add(d, NET_RX, 0, 0, at, bytes);
	driver_notify(d, NET_RX);
	return driver_ptr(d, at);
}

uint32_t net_received(struct driver *d)
{
	uint32_t written = 0;

	return driver_done(d, NET_RX, NULL, &written) ? written : 0;
}

uint32_t net_wait(struct driver *d)
{
	uint32_t bytes = net_received(d);

	for (unsigned i = 0; i < 100 && !bytes; i++) {
		fake_loop_ms(d->vm.loop, 10);
		bytes = net_received(d);
	}
	return bytes;
}

uint8_t net_control(struct driver *d, uint8_t class, uint8_t command, const void *data, uint32_t bytes)
{
	uint64_t out = driver_alloc(d, 2 + bytes), in = driver_alloc(d, 1);
	uint8_t *p = driver_ptr(d, out), *answer = driver_ptr(d, in);

	p[0] = class;
	p[1] = command;
	if (bytes)
		memcpy(p + 2, data, bytes);
	*answer = 0xee;
	driver_add(d, NET_CTRL, out, 2 + bytes, in, 1);
	driver_notify(d, NET_CTRL);
	CHECK(driver_done(d, NET_CTRL, NULL, NULL));
	return *answer;
}

uint16_t net_sum(const uint8_t *bytes, size_t count, uint32_t sum)
{
	for (size_t i = 0; i < count; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

void net_put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void net_put32(uint8_t *p, uint32_t v)
{
	net_put16(p, v >> 16);
	net_put16(p + 2, v & 0xffff);
}
