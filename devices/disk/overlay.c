/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes go elsewhere: a qcow2 image whose backing file is the disk, which is only read.
 *
 * overlay=FILE is made if it is not there, and gone on with if it is: anybody who knows qcow2 can look into it.
 * snapshot=on is the same in a file without a name, which is gone with the process however that ends; nobody reads it
 * afterwards, so nothing in it needs an order or a flush.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "qcow2.h"

/* A write copies the rest of its cluster. Who looks at a named one later knows QEMU's. */
#define TEMPORARY_CLUSTER (16 * 1024)

struct overlay {
	bool temporary;
};

/* What the image says of the disk below it. */
struct base {
	char *name;
	const char *format;
	uint64_t bytes;
};

/* The base as the image has it: whole, so that it is found from everywhere. */
static int look_at_base(const char *name, const struct disk_config *cfg, struct base *b)
{
	struct disk_config c = *cfg;
	struct disk_layer *l;
	struct stat st;
	int err;

	c.readonly = true;
	c.snapshot = false;
	c.overlay = NULL;
	err = disk_layer_open(name, cfg->format, &c, &l);
	if (err)
		return err;
	b->bytes = l->info.bytes;
	b->format = l->type->scheme ? "raw" : l->type->name;
	disk_layer_close(l);
	b->name = realpath(name, NULL);
	/* A URL, or an open file that has no name any more. */
	if (!b->name || stat(b->name, &st)) {
		free(b->name);
		b->name = strdup(name);
	}
	return b->name ? 0 : -ENOMEM;
}

static int create_in(int fd, const char *name, const struct base *b, uint32_t cluster)
{
	return qcow2_create_fd(fd, &(struct disk_create){ .file = name,
							  .bytes = b->bytes,
							  .backing = b->name,
							  .backing_format = b->format,
							  .cluster_bytes = cluster });
}

/* ---- snapshot=on ---- */

static int temporary_file(const struct disk_config *cfg)
{
	const char *folder = getenv("TMPDIR");
	char name[PATH_MAX];
	int fd;

	if (!folder || !*folder)
		folder = "/var/tmp";
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0) { /* not every file system has files without a name */
		snprintf(name, sizeof(name), "%s/vmm-snapshot-XXXXXX", folder);
		fd = mkostemp(name, O_CLOEXEC);
		if (fd >= 0)
			unlink(name);
	}
	if (fd < 0)
		return log_err(-errno, "%s: snapshot=on: no temporary file in %s: %s; TMPDIR names another folder",
			       cfg->said, folder, strerror(errno));
	return fd;
}

static int open_temporary(struct disk_layer *l, const struct base *b, struct disk_config *c)
{
	char path[40], *name;
	int fd = temporary_file(c), err;

	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* The page cache of it is as good as memory. */
	c->direct = false;
	err = create_in(fd, "the temporary file", b, TEMPORARY_CLUSTER);
	if (!err)
		err = disk_layer_open(path, "qcow2", c, &l->below);
	close(fd);
	if (err)
		return err;
	qcow2_set_transient(l->below);
	if (asprintf(&name, "%s (its temporary file)", l->name) >= 0) {
		free(l->below->name);
		l->below->name = name;
	}
	return 0;
}

/* ---- overlay=FILE ---- */

static int make_whole(int fd, const char *file, const struct base *b, const struct disk_config *cfg)
{
	int err = create_in(fd, file, b, 0);

	if (!err && fsync(fd))
		err = log_err(-errno, "%s: overlay=%s: cannot be written: %s", cfg->said, file, strerror(errno));
	/* The next start makes it, and does not take half of one for an image. */
	if (err && ftruncate(fd, 0))
		log_warn("%s: overlay=%s: is not whole, and cannot be emptied: remove it", cfg->said, file);
	return err;
}

/* Made, unless somebody has written it already. */
static int make_named(const char *file, const struct base *b, const struct disk_config *cfg)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666), err;
	struct stat st;

	if (fd < 0)
		return log_err(-errno, "%s: overlay=%s: cannot open it for writing: %s", cfg->said, file,
			       strerror(errno));
	err = fstat(fd, &st) ? log_err(-errno, "%s: overlay=%s: %s", cfg->said, file, strerror(errno)) : 0;
	if (!err && S_ISREG(st.st_mode) && !st.st_size)
		err = make_whole(fd, file, b, cfg);
	close(fd);
	return err;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !strcmp(a, b) || (!stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

static int open_named(struct disk_layer *l, const char *base, const struct base *b, struct disk_config *c,
		      const char *file)
{
	const struct disk_layer *backing;
	int err;

	if (same_file(file, base))
		return log_err(-EINVAL, "%s: overlay=%s: that is the disk itself; name another file", c->said, file);
	err = make_named(file, b, c);
	if (!err)
		err = disk_layer_open(file, "qcow2", c, &l->below);
	if (err)
		return err;
	backing = ((struct qcow2 *)l->below->state)->backing;
	if (backing && same_file(backing->name, base))
		return 0;
	err = log_err(-EINVAL,
		      "%s: overlay=%s: it has what was written to %s, not to %s; name another file, or remove it",
		      c->said, file, backing ? backing->name : "an empty disk", base);
	disk_layer_close(l->below);
	l->below = NULL;
	return err;
}

/* ---- The layer ---- */

static int overlay_open(struct disk_layer *l, const char *name, const struct disk_config *cfg)
{
	struct overlay *o = l->state;
	struct disk_config c = *cfg;
	struct base b = { 0 };
	int err;

	if (!cfg->snapshot && !cfg->overlay)
		return log_err(-EINVAL, "%s: format=overlay: say snapshot=on, or overlay=FILE", cfg->said);
	o->temporary = cfg->snapshot;
	err = look_at_base(name, cfg, &b);
	c.readonly = c.snapshot = false;
	c.overlay = c.format = NULL;
	if (!err)
		err = o->temporary ? open_temporary(l, &b, &c) : open_named(l, name, &b, &c, cfg->overlay);
	free(b.name);
	if (err)
		return err;
	l->info = l->below->info;
	return 0;
}

static int overlay_read(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count,
			unsigned flags)
{
	return qcow2_type.read(l->below, offset, iov, count, flags);
}

static int overlay_write(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count,
			 unsigned flags)
{
	return qcow2_type.write(l->below, offset, iov, count, flags);
}

static int overlay_flush(struct disk_layer *l)
{
	const struct overlay *o = l->state;

	return o->temporary ? 0 : qcow2_type.flush(l->below);
}

static int overlay_discard(struct disk_layer *l, uint64_t offset, uint64_t bytes)
{
	return qcow2_type.discard(l->below, offset, bytes);
}

static int overlay_write_zeroes(struct disk_layer *l, uint64_t offset, uint64_t bytes, bool unmap)
{
	return qcow2_type.write_zeroes(l->below, offset, bytes, unmap);
}

static enum disk_extent overlay_extent(struct disk_layer *l, uint64_t offset, uint64_t *bytes)
{
	return qcow2_type.extent(l->below, offset, bytes);
}

static const struct disk_layer_type overlay_type = {
	.name = "overlay",
	.help = "what snapshot=on and overlay=FILE make: a qcow2 image on the disk, which stays as it is",
	.state_bytes = sizeof(struct overlay),
	.open = overlay_open,
	.read = overlay_read,
	.write = overlay_write,
	.flush = overlay_flush,
	.discard = overlay_discard,
	.write_zeroes = overlay_write_zeroes,
	.extent = overlay_extent,
};
DISK_LAYER(overlay, &overlay_type);
