/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OASIS "Virtual I/O Device (VIRTIO) Version 1.2", 5.5: memory balloon device.
 * Usable from C and from assembly.
 */
#ifndef SPEC_VIRTIO_BALLOON_H
#define SPEC_VIRTIO_BALLOON_H

/* 5.5.3 */
#define VIRTIO_BALLOON_F_MUST_TELL_HOST  0
#define VIRTIO_BALLOON_F_STATS_VQ        1
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM  2
#define VIRTIO_BALLOON_F_FREE_PAGE_HINT  3
#define VIRTIO_BALLOON_F_PAGE_POISON     4
#define VIRTIO_BALLOON_F_PAGE_REPORTING  5

/* 5.5.2. Linux numbers the queues that are there without gaps, so the last ones move up. */
#define VIRTIO_BALLOON_INFLATE           0
#define VIRTIO_BALLOON_DEFLATE           1
#define VIRTIO_BALLOON_STATS             2
#define VIRTIO_BALLOON_FREE_PAGE         3
#define VIRTIO_BALLOON_REPORTING         4

#define VIRTIO_BALLOON_PAGE_BYTES        4096   /* 5.5.6: whatever the guest's own page size */

/* 5.5.6.3 */
#define VIRTIO_BALLOON_S_SWAP_IN         0      /* bytes */
#define VIRTIO_BALLOON_S_SWAP_OUT        1
#define VIRTIO_BALLOON_S_MAJFLT          2
#define VIRTIO_BALLOON_S_MINFLT          3
#define VIRTIO_BALLOON_S_MEMFREE         4
#define VIRTIO_BALLOON_S_MEMTOT          5
#define VIRTIO_BALLOON_S_AVAIL           6
#define VIRTIO_BALLOON_S_CACHES          7

#ifndef __ASSEMBLER__
#include <stdint.h>

/* 5.5.4 */
struct virtio_balloon_config {
	uint32_t num_pages, actual;
	uint32_t free_page_hint_cmd_id;
	uint32_t poison_val;
};

/* 5.5.6.3 */
struct virtio_balloon_stat {
	uint16_t tag;
	uint64_t val;
} __attribute__((packed));
_Static_assert(sizeof(struct virtio_balloon_stat) == 10, "virtio 1.2, 5.5.6.3");
#endif

#endif
