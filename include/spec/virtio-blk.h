/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OASIS "Virtual I/O Device (VIRTIO) Version 1.2", 5.2: block device.
 * Everything in memory is little-endian. Usable from C and from assembly.
 */
#ifndef SPEC_VIRTIO_BLK_H
#define SPEC_VIRTIO_BLK_H

/* 5.2.3: bit numbers. */
#define VIRTIO_BLK_F_SIZE_MAX           1
#define VIRTIO_BLK_F_SEG_MAX            2
#define VIRTIO_BLK_F_GEOMETRY           4
#define VIRTIO_BLK_F_RO                 5
#define VIRTIO_BLK_F_BLK_SIZE           6
#define VIRTIO_BLK_F_FLUSH              9
#define VIRTIO_BLK_F_TOPOLOGY           10
#define VIRTIO_BLK_F_CONFIG_WCE         11
#define VIRTIO_BLK_F_MQ                 12
#define VIRTIO_BLK_F_DISCARD            13
#define VIRTIO_BLK_F_WRITE_ZEROES       14
#define VIRTIO_BLK_F_LIFETIME           15
#define VIRTIO_BLK_F_SECURE_ERASE       16

/* 5.2.6: types of requests, and how they end. */
#define VIRTIO_BLK_T_IN                 0
#define VIRTIO_BLK_T_OUT                1
#define VIRTIO_BLK_T_FLUSH              4
#define VIRTIO_BLK_T_GET_ID             8
#define VIRTIO_BLK_T_GET_LIFETIME       10
#define VIRTIO_BLK_T_DISCARD            11
#define VIRTIO_BLK_T_WRITE_ZEROES       13
#define VIRTIO_BLK_T_SECURE_ERASE       14

#define VIRTIO_BLK_S_OK                 0
#define VIRTIO_BLK_S_IOERR              1
#define VIRTIO_BLK_S_UNSUPP             2

#define VIRTIO_BLK_SECTOR_BYTES         512     /* of every number of sectors, whatever the block size */
#define VIRTIO_BLK_ID_BYTES             20      /* no NUL behind one that is as long */
#define VIRTIO_BLK_ZEROES_UNMAP         1       /* flags of a segment */

#ifndef __ASSEMBLER__
#include <stdint.h>

/* 5.2.4 */
struct virtio_blk_config {
	uint64_t capacity;              /* in sectors of 512 */
	uint32_t size_max, seg_max;
	struct {
		uint16_t cylinders;
		uint8_t heads, sectors;
	} geometry;
	uint32_t blk_size;
	struct {
		uint8_t physical_block_exp;     /* log2 of logical blocks in a physical one */
		uint8_t alignment_offset;
		uint16_t min_io_size;           /* in logical blocks */
		uint32_t opt_io_size;
	} topology;
	uint8_t writeback, unused0;
	uint16_t num_queues;
	uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
	uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap, unused1[3];
	uint32_t max_secure_erase_sectors, max_secure_erase_seg, secure_erase_sector_alignment;
};
_Static_assert(sizeof(struct virtio_blk_config) == 72, "virtio 1.2, 5.2.4: the driver reads these");

/* 5.2.6: a request begins with this and ends with one byte of status. */
struct virtio_blk_header {
	uint32_t type, reserved;
	uint64_t sector;
};
_Static_assert(sizeof(struct virtio_blk_header) == 16, "virtio 1.2, 5.2.6: the driver lays these out");

/* Data of DISCARD and WRITE_ZEROES: an array of them. */
struct virtio_blk_segment {
	uint64_t sector;
	uint32_t sectors, flags;
};
_Static_assert(sizeof(struct virtio_blk_segment) == 16, "virtio 1.2, 5.2.6: the driver lays these out");
#endif

#endif
