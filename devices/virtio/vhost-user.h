/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings that another process works on (vhost-user). The guest's RAM must be shared:
 * device_type.shares_memory.
 *
 *   create:  vhost_user_open(), virtio_init(), vhost_user_offer()
 *   start:   vhost_user_start()
 *   reset:   vhost_user_stop()
 *   destroy: vhost_user_close()
 *
 * All with the device's lock held. A back end that goes, or does not say what it should, makes the device
 * need a reset; the next start connects again.
 */
#ifndef DEVICES_VIRTIO_VHOST_USER_H
#define DEVICES_VIRTIO_VHOST_USER_H

#include <vmm/virtio.h>

struct vhost_user;

/* Connects to the socket @path. 0, or -errno with a message. */
int vhost_user_open(struct virtio_device *v, struct device *d, const char *path, struct vhost_user **h);
void vhost_user_close(struct vhost_user *h);    /* NULL is fine */

/* Takes those features out of v->offered that the back end does not have. */
void vhost_user_offer(const struct vhost_user *h);

/* Lends all queues that are ready. 0, or -errno with a message. */
int vhost_user_start(struct vhost_user *h);
/* The rings are the driver's again. */
void vhost_user_stop(struct vhost_user *h);

#endif
