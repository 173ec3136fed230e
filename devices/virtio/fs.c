/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-fs: a folder of the host by way of virtiofsd, another process that works on the rings
 * by itself. (virtio 1.2, 5.11) In the guest: mount -t virtiofs TAG /mnt
 */
#include <string.h>
#include <spec/virtio-fs.h>
#include <vmm/err.h>
#include <vmm/log.h>

#include "vhost-user.h"

struct fs {
	struct virtio_device virtio;
	const char *path, *tag;
	struct vhost_user *back_end;
	struct virtio_fs_config config;
};

static int fs_start(struct virtio_device *v)
{
	return vhost_user_start(container_of(v, struct fs, virtio)->back_end);
}
static void fs_reset(struct virtio_device *v) { vhost_user_stop(container_of(v, struct fs, virtio)->back_end); }

/* Rings are the back end's while the device runs. */
static void fs_notify(struct virtio_device *v, unsigned queue) { (void)v, (void)queue; }

static const struct virtio_type fs_virtio = {
	.id = VIRTIO_ID_FS,
	.queue_size = 1024,
	.start = fs_start,
	.reset = fs_reset,
	.notify = fs_notify,
};

static int check_options(const struct device *d, const struct fs *f)
{
	if (!f->path)
		return log_err(-EINVAL, "%s: where does virtiofsd listen? Say socket=PATH", d->said);
	if (!f->tag)
		return log_err(-EINVAL, "%s: what does the guest call it? Say tag=NAME", d->said);
	if (!*f->tag || strlen(f->tag) > VIRTIO_FS_TAG_BYTES)
		return log_err(-EINVAL, "%s: tag=%s has %zu bytes; 1 to %d are possible", d->said, f->tag,
			       strlen(f->tag), VIRTIO_FS_TAG_BYTES);
	return 0;
}

static int fs_create(struct device *d)
{
	struct fs *f = d->state;
	int err = check_options(d, f);

	if (!err)
		err = vhost_user_open(&f->virtio, d, f->path, &f->back_end);
	if (err)
		return err;
	memcpy(f->config.tag, f->tag, strlen(f->tag));
	f->config.num_request_queues = 1;
	err = virtio_init(d, &fs_virtio, 0, VIRTIO_FS_QUEUE_REQUEST + 1, &f->config, sizeof(f->config));
	if (err)
		vhost_user_close(f->back_end);
	else
		vhost_user_offer(f->back_end);
	return err;
}

static void fs_destroy(struct device *d)
{
	struct fs *f = d->state;

	vhost_user_stop(f->back_end);
	vhost_user_close(f->back_end);
	virtio_fini(&f->virtio);
}

static const struct device_option fs_options[] = {
	{ "socket", "PATH", "where virtiofsd listens", DEVICE_STRING, offsetof(struct fs, path) },
	{ "tag", "NAME", "what the guest calls it when it mounts it", DEVICE_STRING, offsetof(struct fs, tag) },
};

static const struct device_type fs_type = {
	.name = "virtio-fs",
	.help = "a folder shared by virtiofsd, over vhost-user",
	.state_bytes = sizeof(struct fs),
	.trial = "",
	.shares_memory = true,
	DEVICE_OPTIONS(fs_options),
	VIRTIO_DEVICE,
	.create = fs_create,
	.destroy = fs_destroy,
};
DEVICE(virtio_fs, &fs_type);
