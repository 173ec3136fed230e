/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OASIS "Virtual I/O Device (VIRTIO) Version 1.2", 5.19: PMEM device.
 * Usable from C and from assembly.
 */
#ifndef SPEC_VIRTIO_PMEM_H
#define SPEC_VIRTIO_PMEM_H

/* 5.19.6: request and answer, 32 bits each. */
#define VIRTIO_PMEM_REQ_TYPE_FLUSH      0
#define VIRTIO_PMEM_RESP_TYPE_OK        0
#define VIRTIO_PMEM_RESP_TYPE_EIO       1

#ifndef __ASSEMBLER__
#include <stdint.h>

/* 5.19.4: guest physical, in bytes. */
struct virtio_pmem_config {
	uint64_t start, size;
};
#endif

#endif
