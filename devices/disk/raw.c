/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file, or a block device, as it is.
 *
 * What does not wait: reads of what is in the host's page cache (RWF_NOWAIT), and writes into
 * it. Few file systems promise the latter, so a write is tried and timed: once it has taken
 * long (the host throttles who dirties memory faster than the disk takes it), others do
 * the writes for a while.
 *
 * With O_DIRECT there are two descriptors: what is not aligned as the host wants it goes
 * through the page cache, which Linux keeps coherent.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <vmm/disk.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include "uring.h"

#define PAGE_BYTES       4096
#define SLOW_NS          1000000 /* and one more a byte: a write that took longer has waited */
#define SLOW_REST        32      /* times what it took, others write */
#define SLOW_REST_NS_MAX (2 * NSEC_PER_SEC)
#define PARTS            64

struct raw {
	int fd;
	int direct_fd;                         /* -1: none */
	uint32_t direct_offset, direct_memory; /* alignments it wants */
	bool block, growing;
	bool in_memory; /* the file system has nothing to wait for */
	atomic_bool no_nowait_read, no_nowait_write;
	_Atomic uint64_t slow_until_ns;
	atomic_int lost; /* errno of a flush that failed: Linux has forgotten what it could not write */
	struct uring *ring;
};

static uint64_t total(const struct iovec *iov, unsigned count)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

/* ---- Without waiting ---- */

/* All, or -EAGAIN: who waits finds out what is the matter. */
static int all_or_again(ssize_t n, uint64_t bytes, atomic_bool *refused)
{
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL))
		atomic_store(refused, true);
	return n >= 0 && (uint64_t)n == bytes ? 0 : -EAGAIN;
}

static int read_now(struct raw *w, uint64_t offset, const struct iovec *iov, unsigned count)
{
	if (w->direct_fd >= 0 || atomic_load(&w->no_nowait_read) || count > IOV_MAX)
		return -EAGAIN;
	return all_or_again(preadv2(w->fd, iov, (int)count, (off_t)offset, w->in_memory ? 0 : RWF_NOWAIT),
			    total(iov, count), &w->no_nowait_read);
}

/* Is the page around @offset in the page cache, or is none needed for a write that begins or ends there? */
static bool page_there(const struct raw *w, uint64_t offset)
{
	char byte;
	struct iovec one = { &byte, 1 };

	return !(offset % PAGE_BYTES) || preadv2(w->fd, &one, 1, (off_t)offset, RWF_NOWAIT) == 1;
}

static int write_timed(struct raw *w, uint64_t offset, const struct iovec *iov, unsigned count, uint64_t bytes)
{
	uint64_t start = loop_now_ns(), took, rest;
	ssize_t n;

	if (start < atomic_load_explicit(&w->slow_until_ns, memory_order_relaxed) || !page_there(w, offset) ||
	    !page_there(w, offset + bytes))
		return -EAGAIN;
	n = pwritev(w->fd, iov, (int)count, (off_t)offset);
	took = loop_now_ns() - start;
	if (took > SLOW_NS + bytes) {
		rest = took * SLOW_REST < SLOW_REST_NS_MAX ? took * SLOW_REST : SLOW_REST_NS_MAX;
		atomic_store_explicit(&w->slow_until_ns, start + took + rest, memory_order_relaxed);
	}
	return n >= 0 && (uint64_t)n == bytes ? 0 : -EAGAIN;
}

static int write_now(struct raw *w, uint64_t offset, const struct iovec *iov, unsigned count)
{
	uint64_t bytes = total(iov, count);
	int err;

	if (w->direct_fd >= 0 || count > IOV_MAX)
		return -EAGAIN;
	if (w->in_memory)
		return all_or_again(pwritev(w->fd, iov, (int)count, (off_t)offset), bytes, &w->no_nowait_write);
	if (!atomic_load(&w->no_nowait_write)) {
		err = all_or_again(pwritev2(w->fd, iov, (int)count, (off_t)offset, RWF_NOWAIT), bytes,
				   &w->no_nowait_write);
		if (!err || !atomic_load(&w->no_nowait_write))
			return err;
	}
	return write_timed(w, offset, iov, count, bytes);
}

/* ---- Waiting ---- */

static bool aligned(const struct raw *w, uint64_t offset, const struct iovec *iov, unsigned count)
{
	if (offset % w->direct_offset)
		return false;
	for (unsigned i = 0; i < count; i++)
		if ((uintptr_t)iov[i].iov_base % w->direct_memory || iov[i].iov_len % w->direct_offset)
			return false;
	return true;
}

static int fd_for(const struct raw *w, uint64_t offset, const struct iovec *iov, unsigned count)
{
	return w->direct_fd >= 0 && aligned(w, offset, iov, count) ? w->direct_fd : w->fd;
}

static void clear(const struct iovec *iov, unsigned count, size_t skip)
{
	for (unsigned i = 0; i < count; i++, skip = 0)
		memset((char *)iov[i].iov_base + skip, 0, iov[i].iov_len - skip);
}

/* As much as the host does at a time, of @iov without its first @skip bytes. */
static ssize_t some(int fd, uint64_t offset, const struct iovec *iov, unsigned count, size_t skip, bool write)
{
	struct iovec part[PARTS];

	count = count < PARTS ? count : PARTS;
	memcpy(part, iov, count * sizeof(part[0]));
	part[0].iov_base = (char *)part[0].iov_base + skip;
	part[0].iov_len -= skip;
	return write ? pwritev(fd, part, (int)count, (off_t)offset) : preadv(fd, part, (int)count, (off_t)offset);
}

static int transfer(struct raw *w, uint64_t offset, const struct iovec *iov, unsigned count, bool write)
{
	int fd = fd_for(w, offset, iov, count);
	size_t skip = 0;

	for (;;) {
		ssize_t n;

		for (; count && skip >= iov->iov_len; iov++, count--)
			skip -= iov->iov_len;
		if (!count)
			return 0;
		n = some(fd, offset, iov, count, skip, write);
		if (n < 0 && errno == EINVAL && fd == w->direct_fd) {
			fd = w->fd; /* a short count has left us where it is not aligned */
			continue;
		}
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n && !write && w->growing) {
			clear(iov, count, skip);
			return 0;
		}
		if (!n)
			return -EIO; /* the file has become shorter */
		if (n > 0) {
			offset += (uint64_t)n;
			skip += (size_t)n;
		}
	}
}

static int raw_read(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags)
{
	return flags & DISK_NOWAIT ? read_now(l->state, offset, iov, count)
				   : transfer(l->state, offset, iov, count, false);
}

static int raw_write(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags)
{
	return flags & DISK_NOWAIT ? write_now(l->state, offset, iov, count)
				   : transfer(l->state, offset, iov, count, true);
}

/* A second flush after one that failed would succeed, and what was to be written would still be lost. */
static int raw_flush(struct disk_layer *l)
{
	struct raw *w = l->state;
	int err = atomic_load(&w->lost);

	if (err)
		return -err;
	while (fdatasync(w->fd))
		if (errno != EINTR) {
			err = errno;
			atomic_store(&w->lost, err);
			return -err;
		}
	return 0;
}

/* EINVAL: a device whose blocks are larger than the guest's. */
static int unsupported(int err)
{
	return err == EOPNOTSUPP || err == ENOTTY || err == ENOSYS || err == EINVAL ? -EOPNOTSUPP : -err;
}

static int raw_discard(struct disk_layer *l, uint64_t offset, uint64_t bytes)
{
	struct raw *w = l->state;
	uint64_t range[2] = { offset, bytes };
	int ret = w->block
			  ? ioctl(w->fd, BLKDISCARD, range)
			  : fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes);

	return ret ? unsupported(errno) : 0;
}

static int raw_write_zeroes(struct disk_layer *l, uint64_t offset, uint64_t bytes, bool unmap)
{
	struct raw *w = l->state;

	if (unmap && !fallocate(w->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes))
		return 0;
	return fallocate(w->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes)
		       ? unsupported(errno)
		       : 0;
}

static enum disk_extent raw_extent(struct disk_layer *l, uint64_t offset, uint64_t *bytes)
{
	const struct raw *w = l->state;
	off_t data = w->block ? (off_t)offset : lseek(w->fd, (off_t)offset, SEEK_DATA), hole;

	if (data < 0 && errno == ENXIO)
		return DISK_ZERO; /* nothing but hole up to the end */
	if (data < 0 || w->block)
		return DISK_DATA;
	if ((uint64_t)data > offset) {
		*bytes = (uint64_t)data - offset < *bytes ? (uint64_t)data - offset : *bytes;
		return DISK_ZERO;
	}
	hole = lseek(w->fd, (off_t)offset, SEEK_HOLE);
	if (hole > 0 && (uint64_t)hole - offset < *bytes)
		*bytes = (uint64_t)hole - offset;
	return DISK_DATA;
}

/* ---- Opening ---- */

static uint64_t size_now(const struct raw *w)
{
	struct stat st;
	uint64_t bytes = 0;

	if (w->block)
		return ioctl(w->fd, BLKGETSIZE64, &bytes) ? 0 : bytes;
	return fstat(w->fd, &st) ? 0 : (uint64_t)st.st_size;
}

/* What is no whole sector is not there yet: somebody is just writing it. */
static bool raw_resized(struct disk_layer *l)
{
	const struct raw *w = l->state;
	uint64_t bytes = align_down(size_now(w), DISK_SECTOR_BYTES);

	if (!bytes || bytes == l->info.bytes || w->growing)
		return false;
	l->info.bytes = bytes;
	return true;
}

static int lock_file(const struct raw *w, const char *name, const struct disk_config *cfg)
{
	if (!disk_lock_file(w->fd, cfg->readonly))
		return 0;
	if (!cfg->readonly)
		return log_err(-EBUSY,
			       "%s: %s: is in use already, by another disk or another process; with snapshot=on "
			       "writes go elsewhere, with readonly=on there are none",
			       cfg->said, name);
	return log_err(-EBUSY,
		       "%s: %s: somebody writes it (another disk or another process); end that, or make a copy",
		       cfg->said, name);
}

static const char *no_disk(mode_t mode)
{
	return S_ISDIR(mode)    ? "a folder"
	       : S_ISFIFO(mode) ? "a FIFO"
	       : S_ISSOCK(mode) ? "a socket"
				: "a character device";
}

static const char *way_out(int err, const struct disk_config *cfg)
{
	switch (err) {
	case ENOENT: return "; truncate -s 10G FILE makes an empty disk";
	case EACCES:
	case EROFS:
	case EPERM: return cfg->readonly ? "" : "; readonly=on or snapshot=on do not write it";
	}
	return "";
}

static int open_file(struct raw *w, const char *name, const struct disk_config *cfg)
{
	int fd = open(name, (cfg->readonly ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), err = errno;
	struct stat st;

	/* A FIFO, a folder: the kind of thing is the reason that helps. */
	if (fd < 0 && (stat(name, &st) || S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		return log_err(-err, "%s: %s: cannot open it for %s: %s%s", cfg->said, name,
			       cfg->readonly ? "reading" : "reading and writing", strerror(err), way_out(err, cfg));
	if (fd >= 0 && fstat(fd, &st)) {
		err = errno;
		close(fd);
		return log_err(-err, "%s: %s: %s", cfg->said, name, strerror(err));
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		if (fd >= 0)
			close(fd);
		return log_err(-EINVAL, "%s: %s: is %s; name a file or a block device", cfg->said, name,
			       no_disk(st.st_mode));
	}
	w->fd = fd;
	w->block = S_ISBLK(st.st_mode);
	return 0;
}

/* Who has it mounted, or in a volume, would not notice what a guest does to it. */
static int claim_device(struct raw *w, const char *name, const struct disk_config *cfg)
{
	int fd;

	if (!w->block || cfg->readonly)
		return 0;
	fd = open(name, O_RDWR | O_EXCL | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return log_err(-errno, "%s: %s: %s", cfg->said, name,
			       errno == EBUSY
				       ? "is in use already: mounted, or by another process; with snapshot=on writes "
					 "go elsewhere, with readonly=on there are none"
				       : strerror(errno));
	close(w->fd);
	w->fd = fd;
	return 0;
}

static void direct_alignment(struct raw *w)
{
	struct statx x;
	int sector = 0;

	w->direct_offset = w->direct_memory = PAGE_BYTES;
	if (!statx(w->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) && x.stx_mask & STATX_DIOALIGN &&
	    x.stx_dio_offset_align && x.stx_dio_mem_align) {
		w->direct_offset = x.stx_dio_offset_align;
		w->direct_memory = x.stx_dio_mem_align;
	} else if (w->block && !ioctl(w->fd, BLKSSZGET, &sector) && sector > 0) {
		w->direct_offset = w->direct_memory = (uint32_t)sector;
	}
}

static int open_direct(struct raw *w, const char *name, const struct disk_config *cfg)
{
	char self[40];

	if (!cfg->direct)
		return 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", w->fd);
	w->direct_fd = open(self, (cfg->readonly ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC);
	if (w->direct_fd < 0)
		return log_err(-errno, "%s: %s: the host's file system there has no O_DIRECT (%s); leave direct out",
			       cfg->said, name, strerror(errno));
	direct_alignment(w);
	return 0;
}

static int check_size(uint64_t bytes, const char *name, const struct disk_config *cfg)
{
	uint64_t whole = align_up(bytes, DISK_SECTOR_BYTES);

	if (!bytes)
		return log_err(-EINVAL, "%s: %s: is empty; truncate -s 10G %s makes it a disk", cfg->said, name,
			       name);
	if (bytes != whole)
		return log_err(-EINVAL,
			       "%s: %s: its size of %" PRIu64 " bytes is not a multiple of %d; "
			       "truncate -s %" PRIu64 " %s fills the last sector",
			       cfg->said, name, bytes, DISK_SECTOR_BYTES, whole, name);
	return 0;
}

/* A power of two between a sector and 64 KiB. */
static uint32_t block_bytes(uint64_t said)
{
	return said >= DISK_SECTOR_BYTES && said <= 64 * KIB && !(said & (said - 1)) ? (uint32_t)said : PAGE_BYTES;
}

static void fill_info(struct disk_layer *l, uint64_t bytes, const struct disk_config *cfg)
{
	struct raw *w = l->state;
	unsigned physical = 0, optimal = 0;
	struct statfs fs;
	struct stat st = { 0 };

	fstat(w->fd, &st);
	l->info = (struct disk_info){ .bytes = align_up(bytes, DISK_SECTOR_BYTES),
				      .logical_bytes = DISK_SECTOR_BYTES,
				      .physical_bytes = block_bytes((uint64_t)st.st_blksize),
				      .discard_bytes = block_bytes((uint64_t)st.st_blksize),
				      .readonly = cfg->readonly };
	if (w->block) {
		if (!ioctl(w->fd, BLKPBSZGET, &physical))
			l->info.physical_bytes = block_bytes(physical);
		if (!ioctl(w->fd, BLKIOOPT, &optimal))
			l->info.optimal_bytes = optimal;
	} else if (!fstatfs(w->fd, &fs)) {
		w->in_memory = fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
	}
}

static void raw_close(struct disk_layer *l)
{
	struct raw *w = l->state;

	uring_free(w->ring);
	if (w->direct_fd >= 0)
		close(w->direct_fd);
	close(w->fd);
}

static int raw_open(struct disk_layer *l, const char *name, const struct disk_config *cfg)
{
	struct raw *w = l->state;
	uint64_t bytes;
	int err;

	w->fd = w->direct_fd = -1;
	w->growing = cfg->growing;
	err = open_file(w, name, cfg);
	if (err)
		return err;
	err = claim_device(w, name, cfg);
	if (!err)
		err = lock_file(w, name, cfg);
	bytes = size_now(w);
	if (!err && !cfg->growing)
		err = check_size(bytes, name, cfg);
	if (!err)
		err = open_direct(w, name, cfg);
	if (err) {
		raw_close(l);
		return err;
	}
	fill_info(l, bytes, cfg);
	if (!cfg->no_uring && !cfg->above && !w->in_memory)
		w->ring = uring_new();
	return 0;
}

static int raw_submit(struct disk_layer *l, struct disk_req *r)
{
	struct raw *w = l->state;

	return w->ring ? uring_queue(w->ring, fd_for(w, r->offset, r->iov, r->iov_count), r) : -EAGAIN;
}

static void raw_kick(struct disk_layer *l)
{
	struct raw *w = l->state;

	if (w->ring)
		uring_kick(w->ring);
}

/* All of it a hole. */
static int raw_create(const struct disk_create *c)
{
	int fd, err = 0;

	if (c->backing || c->cluster_bytes)
		return log_err(-EINVAL, "%s: a raw image has no %s; --format qcow2 has", c->file,
			       c->backing ? "backing file" : "clusters");
	fd = open(c->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return log_err(-errno, "%s: cannot be created: %s", c->file, strerror(errno));
	if (ftruncate(fd, (off_t)c->bytes) || fsync(fd))
		err = log_err(-errno, "%s: cannot be made %" PRIu64 " bytes long: %s", c->file, c->bytes,
			      strerror(errno));
	close(fd);
	if (err)
		unlink(c->file);
	return err;
}

static const struct disk_layer_type raw_type = {
	.name = "raw",
	.help = "a file or a block device, sector by sector",
	.state_bytes = sizeof(struct raw),
	.open = raw_open,
	.close = raw_close,
	.read = raw_read,
	.write = raw_write,
	.flush = raw_flush,
	.discard = raw_discard,
	.write_zeroes = raw_write_zeroes,
	.extent = raw_extent,
	.resized = raw_resized,
	.submit = raw_submit,
	.kick = raw_kick,
	.create = raw_create,
};
DISK_LAYER(raw, &raw_type);
