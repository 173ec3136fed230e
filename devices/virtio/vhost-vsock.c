/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost-vsock: the host's kernel is the other side of the guest's sockets, so that programs of
 * the host use AF_VSOCK, too. Needs /dev/vhost-vsock; virtio-vsock needs nothing. (virtio 1.2, 5.10)
 *
 * The kernel serves the queues of packets. That of events is the transport's own, and stays
 * empty: its one event is for guests that go on elsewhere.
 */
#include <linux/vhost.h>
#include <spec/virtio-vsock.h>
#include <string.h>
#include <sys/ioctl.h>
#include <vmm/err.h>
#include <vmm/log.h>

#include "vhost.h"
#include "vsock.h"

#define DEVICE_PATH "/dev/vhost-vsock"

struct vhost_vsock {
	struct virtio_device virtio;
	struct {
		uint64_t guest_cid;
	} config;
	uint64_t cid;
	struct vhost *vhost; /* NULL after a guest's run, until the next */
	bool served;         /* a driver has used it */
};

static struct vhost_vsock *of(struct virtio_device *v) { return container_of(v, struct vhost_vsock, virtio); }

static int set_running(struct vhost_vsock *v, int on)
{
	return ioctl(vhost_fd(v->vhost), VHOST_VSOCK_SET_RUNNING, &on) ? -errno : 0;
}

static int set_cid(struct vhost_vsock *v)
{
	const char *said = v->virtio.dev->said;

	if (!ioctl(vhost_fd(v->vhost), VHOST_VSOCK_SET_GUEST_CID, &v->cid))
		return 0;
	if (errno == EADDRINUSE)
		return log_err(-EADDRINUSE, "%s: cid=%llu: another guest of this host has it; use another", said,
			       (unsigned long long)v->cid);
	return log_err(-errno, "%s: cid=%llu: %s refuses it: %s", said, (unsigned long long)v->cid, DEVICE_PATH,
		       strerror(errno));
}

static int open_vhost(struct vhost_vsock *v)
{
	int err = vhost_open(&v->virtio, v->virtio.dev->said, DEVICE_PATH, true, &v->vhost);

	if (!err)
		err = set_cid(v);
	if (err) {
		vhost_close(v->vhost);
		v->vhost = NULL;
	}
	return err;
}

static int vhost_vsock_start(struct virtio_device *d)
{
	struct vhost_vsock *v = of(d);
	int err = v->vhost ? 0 : open_vhost(v);

	if (!err)
		err = vhost_start(v->vhost, 0, VIRTIO_VSOCK_QUEUE_EVENT);
	if (err)
		return err;
	v->served = true;
	err = set_running(v, 1);
	if (err)
		log_err(err, "%s: %s does not start: %s", d->dev->said, DEVICE_PATH, strerror(-err));
	return err;
}

/* Only who closes it has the kernel end the connections of a guest that has forgotten them. */
static void vhost_vsock_reset(struct virtio_device *d)
{
	struct vhost_vsock *v = of(d);

	if (!v->served)
		return;
	v->served = false;
	(void)set_running(v, 0);
	vhost_stop(v->vhost);
	vhost_close(v->vhost);
	v->vhost = NULL;
}

/* Buffers for events that do not come. */
static void vhost_vsock_notify(struct virtio_device *d, unsigned queue) { (void)d, (void)queue; }

static const char *const feature_names[] = {
	[VIRTIO_VSOCK_F_STREAM] = "stream",
	[VIRTIO_VSOCK_F_SEQPACKET] = "seqpacket",
};

static const struct virtio_type vhost_vsock_virtio = {
	.id = VIRTIO_ID_VSOCK,
	.queue_size = 256,
	.feature_names = feature_names,
	.feature_name_count = ARRAY_SIZE(feature_names),
	.start = vhost_vsock_start,
	.reset = vhost_vsock_reset,
	.notify = vhost_vsock_notify,
};

static int vhost_vsock_create(struct device *d)
{
	struct vhost_vsock *v = d->state;
	int err = vsock_check_cid(d->said, v->cid);

	if (err)
		return err;
	v->config.guest_cid = v->cid;
	err = virtio_init(d, &vhost_vsock_virtio, UINT64_C(1) << VIRTIO_VSOCK_F_STREAM, VIRTIO_VSOCK_QUEUE_COUNT,
			  &v->config, sizeof(v->config));
	if (err)
		return err;
	err = open_vhost(v);
	if (err) {
		virtio_fini(&v->virtio);
		return err;
	}
	if (vhost_has(v->vhost, VIRTIO_VSOCK_F_SEQPACKET))
		v->virtio.offered |= UINT64_C(1) << VIRTIO_VSOCK_F_SEQPACKET;
	vhost_offer(v->vhost);
	return 0;
}

static void vhost_vsock_destroy(struct device *d)
{
	struct vhost_vsock *v = d->state;

	vhost_close(v->vhost);
	virtio_fini(&v->virtio);
}

static const struct device_option vhost_vsock_options[] = {
	{ "cid", "N", "the guest's address, 3 or more", DEVICE_U64, offsetof(struct vhost_vsock, cid) },
};

static const struct device_type vhost_vsock_type = {
	.name = "vhost-vsock",
	.help = "sockets between guest and host by the host's kernel: AF_VSOCK there, too; needs " DEVICE_PATH,
	.state_bytes = sizeof(struct vhost_vsock),
	.trial = "",
	DEVICE_OPTIONS(vhost_vsock_options),
	VIRTIO_DEVICE,
	.create = vhost_vsock_create,
	.destroy = vhost_vsock_destroy,
};
DEVICE(vhost_vsock, &vhost_vsock_type);
