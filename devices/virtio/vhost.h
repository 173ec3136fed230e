/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings that the host's kernel works on (Linux, vhost): the device negotiates and keeps its control queue, the
 * kernel moves the data.
 *
 *   create:  virtio_init(), vhost_open(), vhost_offer()
 *   start:   vhost_start(), then the device type's own ioctl that makes it run
 *   reset:   that ioctl's opposite, then vhost_stop()
 *   destroy: vhost_close()
 */
#ifndef DEVICES_VIRTIO_VHOST_H
#define DEVICES_VIRTIO_VHOST_H

#include <vmm/virtio.h>

struct vhost;

/*
 * Opens @path, "/dev/vhost-net". 0, or -errno with a message that says @said and what to do; without
 * one unless @must.
 */
int vhost_open(struct virtio_device *v, const char *said, const char *path, bool must, struct vhost **h);
void vhost_close(struct vhost *h);      /* NULL is fine */

/* Takes those features of rings out of v->offered that the kernel does not have. */
void vhost_offer(const struct vhost *h);

/* A feature that is the device type's: is it the kernel's, too? */
bool vhost_has(const struct vhost *h, unsigned feature);

/* For the device type's ioctls. */
int vhost_fd(const struct vhost *h);

/* Lends queues @first to @first + @count - 1 of the device as the kernel's 0 to @count - 1. 0, or -errno with a message. */
int vhost_start(struct vhost *h, unsigned first, unsigned count);
/* The rings are the driver's again. NULL is fine, and one that does not run. */
void vhost_stop(struct vhost *h);

#endif
