/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every host end does with frames: finds its type, checks the header that stands before
 * a frame, and the checksum that its sender has left to us.
 */
#include <stdlib.h>
#include <string.h>
#include <vmm/err.h>
#include <vmm/log.h>

#include "frame.h"

REGISTRY(net_end, const struct net_end_type);

const struct device_end *net_end_at(unsigned i)
{
	FOR_EACH_REGISTERED (net_end, const struct net_end_type, t) {
		unsigned smaller = 0;

		FOR_EACH_REGISTERED (net_end, const struct net_end_type, u)
			smaller += strcmp((*u)->end.name, (*t)->end.name) < 0;
		if (smaller == i)
			return &(*t)->end;
	}
	return NULL;
}

int net_end_open(struct device *dev, const struct net_user *user, unsigned pairs, unsigned mtu, struct net_end **n)
{
	int err;

	*n = dev->end_state;
	**n = (struct net_end){
		.type = container_of(dev->end, struct net_end_type, end),
		.dev = dev,
		.user = user,
		.pairs = pairs,
		.mtu = mtu,
	};
	for (unsigned i = 0; i < NET_PAIRS_MAX; i++)
		(*n)->vhost_fd[i] = -1;
	err = (*n)->type->open(*n);
	if (err)
		*n = NULL;
	return err;
}

void net_end_close(struct net_end *n)
{
	if (n)
		n->type->close(n);
}

bool frame_gso_taken(unsigned gso_type, unsigned offloads)
{
	switch (gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE: return true;
	case VIRTIO_NET_HDR_GSO_TCPV4: return offloads & NET_TSO4;
	case VIRTIO_NET_HDR_GSO_TCPV6: return offloads & NET_TSO6;
	}
	return false;
}

static const char *check_gso(struct virtio_net_hdr *h, size_t bytes, unsigned offloads)
{
	if ((h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_NONE) {
		h->gso_type = VIRTIO_NET_HDR_GSO_NONE;
		h->hdr_len = h->gso_size = 0;
		return NULL;
	}
	if (!frame_gso_taken(h->gso_type, offloads))
		return "a kind of segmentation that was not negotiated";
	if (h->gso_type & VIRTIO_NET_HDR_GSO_ECN && !(offloads & NET_TSO_ECN))
		return "segmentation with ECN, which was not negotiated";
	if (!h->gso_size)
		return "segments of 0 bytes";
	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return "segmentation without checksum";
	if (h->hdr_len > bytes)
		h->hdr_len = (uint16_t)bytes; /* only a hint (5.1.6.2.2) */
	return NULL;
}

const char *net_frame_check(struct net_frame *f, unsigned offloads)
{
	struct virtio_net_hdr *h = &f->hdr;

	if (f->bytes < NET_FRAME_MIN)
		return "less than an Ethernet header";
	if (f->bytes > NET_FRAME_MAX)
		return "more bytes than an IP packet can have";
	h->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	if (!h->flags) {
		h->csum_start = h->csum_offset = 0;
	} else {
		if (!(offloads & NET_CSUM))
			return "a checksum left to do, which was not negotiated";
		if (h->csum_start < NET_FRAME_MIN || (size_t)h->csum_start + h->csum_offset + 2 > f->bytes)
			return "a checksum outside the frame";
	}
	return check_gso(h, f->bytes, offloads);
}

void frame_copy(const struct net_frame *f, uint8_t *to)
{
	for (unsigned i = 0; i < f->iov_count; i++) {
		memcpy(to, f->iov[i].iov_base, f->iov[i].iov_len);
		to += f->iov[i].iov_len;
	}
}

/* Words of 32 bits in a sum of 64: the order of bytes does not matter to the sum, nor the width of words. */
uint16_t frame_sum(const uint8_t *bytes, size_t count, uint32_t start)
{
	uint64_t sum = start, sums[4] = { 0 };
	uint32_t w[8];
	uint16_t half;

	for (; count >= sizeof(w); bytes += sizeof(w), count -= sizeof(w)) {
		memcpy(w, bytes, sizeof(w));
		for (unsigned i = 0; i < 4; i++)
			sums[i] += (uint64_t)w[i] + w[i + 4];
	}
	for (unsigned i = 0; i < 4; i++)
		sum += sums[i];
	for (; count >= 2; bytes += 2, count -= 2) {
		memcpy(&half, bytes, 2);
		sum += half;
	}
	if (count) {
		half = 0;
		memcpy(&half, bytes, 1);
		sum += half;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

void frame_checksum(const struct net_frame *f, uint8_t *bytes)
{
	const struct virtio_net_hdr *h = &f->hdr;
	uint16_t sum;

	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return;
	/* The field has the sum of the pseudo header already. UDP writes 0 as its complement: 0 means that there is
	 * none. */
	sum = (uint16_t)~frame_sum(bytes + h->csum_start, f->bytes - h->csum_start, 0);
	if (!sum)
		sum = 0xffff;
	memcpy(bytes + h->csum_start + h->csum_offset, &sum, sizeof(sum));
}
