/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OASIS "Virtual I/O Device (VIRTIO) Version 1.2": what all devices share: the
 * MMIO transport (4.2), status and feature bits (2.1, 6), ring layouts (2.7, 2.8).
 * Everything in memory is little-endian. Device types have headers of their own.
 * Usable from C and from assembly.
 */
#ifndef SPEC_VIRTIO_H
#define SPEC_VIRTIO_H

/* 4.2.2: registers, 32 bits wide, but for the device's configuration space. */
#define VIRTIO_MMIO_MAGIC_VALUE         0x000
#define VIRTIO_MMIO_VERSION             0x004
#define VIRTIO_MMIO_DEVICE_ID           0x008
#define VIRTIO_MMIO_VENDOR_ID           0x00c
#define VIRTIO_MMIO_DEVICE_FEATURES     0x010
#define VIRTIO_MMIO_DEVICE_FEATURES_SEL 0x014
#define VIRTIO_MMIO_DRIVER_FEATURES     0x020
#define VIRTIO_MMIO_DRIVER_FEATURES_SEL 0x024
#define VIRTIO_MMIO_QUEUE_SEL           0x030
#define VIRTIO_MMIO_QUEUE_SIZE_MAX      0x034
#define VIRTIO_MMIO_QUEUE_SIZE          0x038
#define VIRTIO_MMIO_QUEUE_READY         0x044
#define VIRTIO_MMIO_QUEUE_NOTIFY        0x050
#define VIRTIO_MMIO_INTERRUPT_STATUS    0x060
#define VIRTIO_MMIO_INTERRUPT_ACK       0x064
#define VIRTIO_MMIO_STATUS              0x070
#define VIRTIO_MMIO_QUEUE_DESC_LOW      0x080
#define VIRTIO_MMIO_QUEUE_DESC_HIGH     0x084
#define VIRTIO_MMIO_QUEUE_DRIVER_LOW    0x090
#define VIRTIO_MMIO_QUEUE_DRIVER_HIGH   0x094
#define VIRTIO_MMIO_QUEUE_DEVICE_LOW    0x0a0
#define VIRTIO_MMIO_QUEUE_DEVICE_HIGH   0x0a4
#define VIRTIO_MMIO_SHM_SEL             0x0ac
#define VIRTIO_MMIO_SHM_LEN_LOW         0x0b0
#define VIRTIO_MMIO_SHM_LEN_HIGH        0x0b4
#define VIRTIO_MMIO_SHM_BASE_LOW        0x0b8
#define VIRTIO_MMIO_SHM_BASE_HIGH       0x0bc
#define VIRTIO_MMIO_QUEUE_RESET         0x0c0
#define VIRTIO_MMIO_CONFIG_GENERATION   0x0fc
#define VIRTIO_MMIO_CONFIG              0x100

#define VIRTIO_MMIO_MAGIC               0x74726976      /* "virt" */
#define VIRTIO_MMIO_VERSION_MODERN      2
#define VIRTIO_MMIO_INT_VRING           1       /* a used buffer notification */
#define VIRTIO_MMIO_INT_CONFIG          2       /* a configuration change notification */

/* 2.1: device status. */
#define VIRTIO_STATUS_ACKNOWLEDGE       1
#define VIRTIO_STATUS_DRIVER            2
#define VIRTIO_STATUS_DRIVER_OK         4
#define VIRTIO_STATUS_FEATURES_OK       8
#define VIRTIO_STATUS_NEEDS_RESET       64
#define VIRTIO_STATUS_FAILED            128

/* 6: bit numbers of features that every device type has. */
#define VIRTIO_F_INDIRECT_DESC          28
#define VIRTIO_F_EVENT_IDX              29
#define VIRTIO_F_VERSION_1              32
#define VIRTIO_F_ACCESS_PLATFORM        33
#define VIRTIO_F_RING_PACKED            34
#define VIRTIO_F_IN_ORDER               35
#define VIRTIO_F_ORDER_PLATFORM         36
#define VIRTIO_F_NOTIFICATION_DATA      38
#define VIRTIO_F_RING_RESET             40

/* 5: device types. */
#define VIRTIO_ID_NET                   1
#define VIRTIO_ID_BLOCK                 2
#define VIRTIO_ID_CONSOLE               3
#define VIRTIO_ID_RNG                   4
#define VIRTIO_ID_BALLOON               5
#define VIRTIO_ID_9P                    9
#define VIRTIO_ID_VSOCK                 19
#define VIRTIO_ID_FS                    26
#define VIRTIO_ID_PMEM                  27

/* 2.7.5, 2.8.13: flags of a descriptor. */
#define VIRTQ_DESC_F_NEXT               1
#define VIRTQ_DESC_F_WRITE              2
#define VIRTQ_DESC_F_INDIRECT           4
#define VIRTQ_DESC_F_AVAIL              (1 << 7)        /* packed */
#define VIRTQ_DESC_F_USED               (1 << 15)       /* packed */

/* 2.7.6, 2.7.8: split ring. */
#define VIRTQ_AVAIL_F_NO_INTERRUPT      1
#define VIRTQ_USED_F_NO_NOTIFY          1
#define VIRTQ_SIZE_MAX                  32768

/* 2.8.14: event suppression of packed rings. */
#define VIRTQ_EVENT_ENABLE              0
#define VIRTQ_EVENT_DISABLE             1
#define VIRTQ_EVENT_DESC                2

#ifndef __ASSEMBLER__
#include <stdint.h>

/* 2.7.5 */
struct virtq_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
_Static_assert(sizeof(struct virtq_desc) == 16, "virtio 1.2, 2.7.5: the driver lays these out");

/* 2.7.6; after the ring, uint16_t used_event with EVENT_IDX. */
struct virtq_avail {
	uint16_t flags, idx, ring[];
};

/* 2.7.8; after the ring, uint16_t avail_event with EVENT_IDX. */
struct virtq_used_elem {
	uint32_t id, len;
};
struct virtq_used {
	uint16_t flags, idx;
	struct virtq_used_elem ring[];
};
_Static_assert(sizeof(struct virtq_used_elem) == 8, "virtio 1.2, 2.7.8: the driver lays these out");

/* 2.8.13 */
struct virtq_packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id, flags;
};
_Static_assert(sizeof(struct virtq_packed_desc) == 16, "virtio 1.2, 2.8.13: the driver lays these out");

/* 2.8.14: off: bits 14:0 offset, 15 wrap counter; flags: VIRTQ_EVENT_* */
struct virtq_packed_event {
	uint16_t off, flags;
};
#endif

#endif
