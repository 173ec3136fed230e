/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OASIS "Virtual I/O Device (VIRTIO) Version 1.2", 5.1: network device. Everything
 * is little-endian. The same header stands before the frames of Linux's tap
 * devices (IFF_VNET_HDR).
 */
#ifndef SPEC_VIRTIO_NET_H
#define SPEC_VIRTIO_NET_H

/* 5.1.3: bit numbers of features. */
#define VIRTIO_NET_F_CSUM                       0
#define VIRTIO_NET_F_GUEST_CSUM                 1
#define VIRTIO_NET_F_CTRL_GUEST_OFFLOADS        2
#define VIRTIO_NET_F_MTU                        3
#define VIRTIO_NET_F_MAC                        5
#define VIRTIO_NET_F_GUEST_TSO4                 7
#define VIRTIO_NET_F_GUEST_TSO6                 8
#define VIRTIO_NET_F_GUEST_ECN                  9
#define VIRTIO_NET_F_GUEST_UFO                  10
#define VIRTIO_NET_F_HOST_TSO4                  11
#define VIRTIO_NET_F_HOST_TSO6                  12
#define VIRTIO_NET_F_HOST_ECN                   13
#define VIRTIO_NET_F_HOST_UFO                   14
#define VIRTIO_NET_F_MRG_RXBUF                  15
#define VIRTIO_NET_F_STATUS                     16
#define VIRTIO_NET_F_CTRL_VQ                    17
#define VIRTIO_NET_F_CTRL_RX                    18
#define VIRTIO_NET_F_CTRL_VLAN                  19
#define VIRTIO_NET_F_CTRL_RX_EXTRA              20
#define VIRTIO_NET_F_GUEST_ANNOUNCE             21
#define VIRTIO_NET_F_MQ                         22
#define VIRTIO_NET_F_CTRL_MAC_ADDR              23

/* 5.1.4: config.status */
#define VIRTIO_NET_S_LINK_UP                    1
#define VIRTIO_NET_S_ANNOUNCE                   2

/* 5.1.6: hdr.flags, hdr.gso_type */
#define VIRTIO_NET_HDR_F_NEEDS_CSUM             1
#define VIRTIO_NET_HDR_F_DATA_VALID             2
#define VIRTIO_NET_HDR_GSO_NONE                 0
#define VIRTIO_NET_HDR_GSO_TCPV4                1
#define VIRTIO_NET_HDR_GSO_UDP                  3
#define VIRTIO_NET_HDR_GSO_TCPV6                4
#define VIRTIO_NET_HDR_GSO_ECN                  0x80

/* 5.1.6.5: control queue: class and command, data, then an answer of one byte. */
#define VIRTIO_NET_OK                           0
#define VIRTIO_NET_ERR                          1
#define VIRTIO_NET_CTRL_RX                      0
#define VIRTIO_NET_CTRL_RX_PROMISC              0
#define VIRTIO_NET_CTRL_RX_ALLMULTI             1
#define VIRTIO_NET_CTRL_RX_ALLUNI               2
#define VIRTIO_NET_CTRL_RX_NOMULTI              3
#define VIRTIO_NET_CTRL_RX_NOUNI                4
#define VIRTIO_NET_CTRL_RX_NOBCAST              5
#define VIRTIO_NET_CTRL_MAC                     1
#define VIRTIO_NET_CTRL_MAC_TABLE_SET           0
#define VIRTIO_NET_CTRL_MAC_ADDR_SET            1
#define VIRTIO_NET_CTRL_VLAN                    2
#define VIRTIO_NET_CTRL_VLAN_ADD                0
#define VIRTIO_NET_CTRL_VLAN_DEL                1
#define VIRTIO_NET_CTRL_ANNOUNCE                3
#define VIRTIO_NET_CTRL_ANNOUNCE_ACK            0
#define VIRTIO_NET_CTRL_MQ                      4
#define VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET         0
#define VIRTIO_NET_CTRL_GUEST_OFFLOADS          5
#define VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET      0

#ifndef __ASSEMBLER__
#include <stdint.h>

/* 5.1.4 */
struct virtio_net_config {
	uint8_t mac[6];
	uint16_t status, max_virtqueue_pairs, mtu;
};
_Static_assert(sizeof(struct virtio_net_config) == 12, "virtio 1.2, 5.1.4: the driver reads these");

/* 5.1.6 */
struct virtio_net_hdr {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
_Static_assert(sizeof(struct virtio_net_hdr) == 12, "virtio 1.2, 5.1.6: stands before each frame");
#endif

#endif
