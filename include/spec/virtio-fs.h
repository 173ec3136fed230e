/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OASIS "Virtual I/O Device (VIRTIO) Version 1.2", 5.11: file system device. Usable from C
 * and from assembly.
 */
#ifndef SPEC_VIRTIO_FS_H
#define SPEC_VIRTIO_FS_H

/* 5.11.2: queues; the notification queue is a feature of its own. */
#define VIRTIO_FS_QUEUE_HIPRIO          0
#define VIRTIO_FS_QUEUE_REQUEST         1

/* 5.11.4 */
#define VIRTIO_FS_TAG_BYTES             36

#ifndef __ASSEMBLER__
#include <stdint.h>

struct virtio_fs_config {
	char tag[VIRTIO_FS_TAG_BYTES];  /* padded with zeroes; without one when it is that long */
	uint32_t num_request_queues;
} __attribute__((packed));
_Static_assert(sizeof(struct virtio_fs_config) == 40, "virtio 1.2, 5.11.4");
#endif

#endif
