/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OASIS "Virtual I/O Device (VIRTIO) Version 1.2", 5.10: socket device. Usable from C and
 * from assembly.
 */
#ifndef SPEC_VIRTIO_VSOCK_H
#define SPEC_VIRTIO_VSOCK_H

/* 5.10.2: queues. */
#define VIRTIO_VSOCK_QUEUE_RX           0
#define VIRTIO_VSOCK_QUEUE_TX           1
#define VIRTIO_VSOCK_QUEUE_EVENT        2
#define VIRTIO_VSOCK_QUEUE_COUNT        3

/* 5.10.3: bit numbers of features. */
#define VIRTIO_VSOCK_F_STREAM           0
#define VIRTIO_VSOCK_F_SEQPACKET        1

/* 5.10.4: configuration space: uint64_t guest_cid. Reserved ones are 0, 1 and: */
#define VIRTIO_VSOCK_CID_HOST           2
#define VIRTIO_VSOCK_CID_GUEST_MIN      3
#define VIRTIO_VSOCK_CID_ANY            0xffffffff

/* 5.10.6: type and op of a packet. */
#define VIRTIO_VSOCK_TYPE_STREAM        1
#define VIRTIO_VSOCK_OP_REQUEST         1
#define VIRTIO_VSOCK_OP_RESPONSE        2
#define VIRTIO_VSOCK_OP_RST             3
#define VIRTIO_VSOCK_OP_SHUTDOWN        4
#define VIRTIO_VSOCK_OP_RW              5
#define VIRTIO_VSOCK_OP_CREDIT_UPDATE   6
#define VIRTIO_VSOCK_OP_CREDIT_REQUEST  7

/* 5.10.6.5: flags of SHUTDOWN: the sender will not receive, or send, any more. */
#define VIRTIO_VSOCK_SHUTDOWN_RECEIVE   1
#define VIRTIO_VSOCK_SHUTDOWN_SEND      2
#define VIRTIO_VSOCK_SHUTDOWN_BOTH      3

/* 5.10.6.7: id of an event. */
#define VIRTIO_VSOCK_EVENT_TRANSPORT_RESET 0

#ifndef __ASSEMBLER__
#include <stdint.h>

struct virtio_vsock_hdr {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
} __attribute__((packed));
_Static_assert(sizeof(struct virtio_vsock_hdr) == 44, "virtio 1.2, 5.10.6: the driver lays these out");
#endif

#endif
