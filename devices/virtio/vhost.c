/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel gets the guest's memory, the places of rings, and the transport's eventfds: kick comes
 * from the driver, call interrupts it. Nothing of a frame passes through vmm.
 */
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/mem.h>

#include "queue.h"
#include "vhost.h"

#define RINGS_MAX 4

struct vhost {
	struct virtio_device *v;
	const char *path;
	int fd;
	uint64_t features;
	unsigned running; /* rings */
};

/* What vhost must know of, because it is about rings; the rest of the features is the device type's. */
static const uint8_t ring_features[] = {
	VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX,         VIRTIO_F_RING_PACKED,
	VIRTIO_F_IN_ORDER,      VIRTIO_F_NOTIFICATION_DATA, VIRTIO_F_RING_RESET,
};

static int refused(const struct vhost *h, const char *what)
{
	int err = -errno;

	return log_err(err, "%s: %s: %s: %s", h->v->dev->said, h->path, what, strerror(-err));
}

static int open_path(const char *said, const char *path, bool must)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), err = -errno;

	if (fd >= 0)
		return fd;
	if (must)
		log_err(err, "%s: %s: %s; load its module, give yourself the right to open it, or do without vhost",
			said, path, strerror(-err));
	return err;
}

int vhost_open(struct virtio_device *v, const char *said, const char *path, bool must, struct vhost **out)
{
	int fd = open_path(said, path, must), err;
	struct vhost *h;

	*out = NULL;
	if (fd < 0)
		return fd;
	h = calloc(1, sizeof(*h));
	if (!h) {
		close(fd);
		return -ENOMEM;
	}
	*h = (struct vhost){ .v = v, .path = path, .fd = fd };
	if (ioctl(fd, VHOST_SET_OWNER, NULL) || ioctl(fd, VHOST_GET_FEATURES, &h->features)) {
		err = must ? refused(h, "the kernel does not serve us") : -errno;
		vhost_close(h);
		return err;
	}
	*out = h;
	return 0;
}

void vhost_close(struct vhost *h)
{
	if (!h)
		return;
	close(h->fd);
	free(h);
}

bool vhost_has(const struct vhost *h, unsigned feature) { return h->features >> feature & 1; }

void vhost_offer(const struct vhost *h)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ring_features); i++)
		if (!vhost_has(h, ring_features[i]))
			h->v->offered &= ~(UINT64_C(1) << ring_features[i]);
}

int vhost_fd(const struct vhost *h) { return h->fd; }

static int set_memory(struct vhost *h)
{
	unsigned count;
	const struct mem_region *r = mem_regions(h->v->dev->env->mem, &count);
	struct vhost_memory *m = calloc(1, sizeof(*m) + count * sizeof(m->regions[0]));
	int err;

	if (!m)
		return -ENOMEM;
	/* The kernel writes: what a guest may not write is not there for it. */
	for (unsigned i = 0; i < count; i++)
		if (!r[i].readonly)
			m->regions[m->nregions++] = (struct vhost_memory_region){
				.guest_phys_addr = r[i].base.v,
				.memory_size = r[i].bytes,
				.userspace_addr = (uintptr_t)r[i].host,
			};
	err = ioctl(h->fd, VHOST_SET_MEM_TABLE, m) ? refused(h, "the guest's memory") : 0;
	free(m);
	return err;
}

static int set_ring(struct vhost *h, unsigned ring, const struct virtq_loan *l)
{
	struct vhost_vring_state size = { ring, l->size }, base = { ring, l->base };
	struct vhost_vring_file kick = { ring, l->kick }, call = { ring, l->call };
	struct vhost_vring_addr at = {
		.index = ring,
		.desc_user_addr = (uintptr_t)l->desc,
		.avail_user_addr = (uintptr_t)l->driver,
		.used_user_addr = (uintptr_t)l->device,
	};

	if (ioctl(h->fd, VHOST_SET_VRING_NUM, &size) || ioctl(h->fd, VHOST_SET_VRING_BASE, &base) ||
	    ioctl(h->fd, VHOST_SET_VRING_ADDR, &at))
		return refused(h, "the place of a ring");
	if (ioctl(h->fd, VHOST_SET_VRING_KICK, &kick) || ioctl(h->fd, VHOST_SET_VRING_CALL, &call))
		return refused(h, "the eventfds of a ring");
	return 0;
}

int vhost_start(struct vhost *h, unsigned first, unsigned count)
{
	uint64_t features = h->v->features & h->features;
	int err;

	CHECK(count <= RINGS_MAX && !h->running);
	if (ioctl(h->fd, VHOST_SET_FEATURES, &features))
		return refused(h, "the features that the driver has accepted");
	err = set_memory(h);
	for (unsigned i = 0; i < count && !err; i++) {
		struct virtq *q = virtio_queue(h->v, first + i);
		struct virtq_loan loan;

		if (!virtq_ready(q))
			continue;
		err = virtq_lend(q, &loan);
		if (!err)
			err = set_ring(h, i, &loan);
	}
	h->running = count;
	if (err)
		vhost_stop(h);
	return err;
}

void vhost_stop(struct vhost *h)
{
	for (unsigned i = 0; h && i < h->running; i++) {
		struct vhost_vring_file none = { i, VHOST_FILE_UNBIND };
		struct vhost_vring_state base = { .index = i };

		/* They can fail only for a ring that was never there. */
		(void)ioctl(h->fd, VHOST_GET_VRING_BASE, &base);
		(void)ioctl(h->fd, VHOST_SET_VRING_KICK, &none);
		(void)ioctl(h->fd, VHOST_SET_VRING_CALL, &none);
	}
	if (h)
		h->running = 0;
}
