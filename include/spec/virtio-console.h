/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OASIS "Virtual I/O Device (VIRTIO) Version 1.2", 5.3: console device.
 * Usable from C and from assembly.
 */
#ifndef SPEC_VIRTIO_CONSOLE_H
#define SPEC_VIRTIO_CONSOLE_H

/* 5.3.3 */
#define VIRTIO_CONSOLE_F_SIZE           0
#define VIRTIO_CONSOLE_F_MULTIPORT      1
#define VIRTIO_CONSOLE_F_EMERG_WRITE    2

/* 5.3.2: queues of port 0, of control messages, and of port n > 0. */
#define VIRTIO_CONSOLE_RX0              0
#define VIRTIO_CONSOLE_TX0              1
#define VIRTIO_CONSOLE_CONTROL_RX       2
#define VIRTIO_CONSOLE_CONTROL_TX       3
#define VIRTIO_CONSOLE_RX(n)            (2 + 2 * (n))

/* 5.3.6.2: events of control messages; "driver" and "device" say who sends them. */
#define VIRTIO_CONSOLE_DEVICE_READY     0       /* driver */
#define VIRTIO_CONSOLE_DEVICE_ADD       1       /* device */
#define VIRTIO_CONSOLE_DEVICE_REMOVE    2       /* device */
#define VIRTIO_CONSOLE_PORT_READY       3       /* driver */
#define VIRTIO_CONSOLE_CONSOLE_PORT     4       /* device */
#define VIRTIO_CONSOLE_RESIZE           5       /* device; a virtio_console_resize follows */
#define VIRTIO_CONSOLE_PORT_OPEN        6       /* both */
#define VIRTIO_CONSOLE_PORT_NAME        7       /* device; the name follows, without a terminating zero */

#ifndef __ASSEMBLER__
#include <stdint.h>

/* 5.3.4 */
struct virtio_console_config {
	uint16_t cols, rows;
	uint32_t max_nr_ports;
	uint32_t emerg_wr;
};
_Static_assert(sizeof(struct virtio_console_config) == 12, "virtio 1.2, 5.3.4");

/* 5.3.6.2 */
struct virtio_console_control {
	uint32_t id;
	uint16_t event, value;
};
_Static_assert(sizeof(struct virtio_console_control) == 8, "virtio 1.2, 5.3.6.2");

struct virtio_console_resize {
	uint16_t cols, rows;
};
#endif

#endif
