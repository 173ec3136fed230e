/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open files: what is read or written goes straight between the file and the guest's memory.
 *
 * Nearly everything is answered at once. What the host does not have in its memory, and what is to
 * reach a disk, would keep the vCPU waiting: that is a job, which somebody else runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "9p-server.h"

static int host_flags(uint32_t flags)
{
	int host = (flags & P9_L_ACCMODE) == P9_L_WRONLY ? O_WRONLY : flags & P9_L_RDWR ? O_RDWR : O_RDONLY;

	if (flags & P9_L_TRUNC)
		host |= O_TRUNC;
	if (flags & P9_L_APPEND)
		host |= O_APPEND;
	if (flags & P9_L_SYNC)
		host |= O_SYNC;
	else if (flags & P9_L_DSYNC)
		host |= O_DSYNC;
	if (flags & P9_L_EXCL)
		host |= O_EXCL;
	return host;
}

/* Takes over @fd, on failure too. */
static int new_open_file(struct p9_share *s, int fd, bool folder, struct p9_open_file **o)
{
	struct statfs fs;

	*o = calloc(1, sizeof(**o));
	if (!*o) {
		close(fd);
		return -ENOMEM;
	}
	s->fd_count++;
	(*o)->refs = 1;
	(*o)->fd = fd;
	(*o)->folder = folder;
	(*o)->never_waits = !fstatfs(fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
	(*o)->syncs = !(*o)->never_waits && fcntl(fd, F_GETFL) & O_DSYNC;
	return 0;
}

void p9_open_file_put(struct p9_share *s, struct p9_open_file *o)
{
	if (o && !--o->refs) {
		close(o->fd);
		free(o);
		s->fd_count--;
	}
}

/* Whole pages, so that the guest's are read into directly. */
static uint32_t iounit(const struct p9 *s) { return (uint32_t)align_down(s->msize - P9_IO_HEADER_BYTES, 4096); }

int p9_on_lopen(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	uint32_t flags = p9_get_u32(in);
	struct stat st;
	int err, fd;

	(void)m;
	if (in->err)
		return in->err;
	if (f->open || f->value)
		return -EBADF;
	if (s->share.fd_count >= s->share.fd_max)
		return -EMFILE;
	if (s->share.cfg.readonly && flags & (P9_L_ACCMODE | P9_L_TRUNC))
		return -EROFS;
	fd = p9_node_open(&s->share, f->node, host_flags(flags));
	if (fd < 0)
		return fd;
	err = p9_node_stat(&s->share, f->node, &st);
	if (err) {
		close(fd);
		return err;
	}
	err = new_open_file(&s->share, fd, S_ISDIR(st.st_mode), &f->open);
	if (err)
		return err;
	p9_put_qid(s, out, &st);
	p9_put_u32(out, iounit(s));
	return 0;
}

/* The fid was the folder's and becomes the new file's. */
int p9_on_lcreate(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	char name[P9_NAME_BYTES];
	struct p9_make make = { .name = name };
	struct p9_node *node;
	uint32_t flags;
	int fd, err;

	(void)m;
	p9_get_name(in, name);
	flags = p9_get_u32(in);
	make.mode = p9_get_u32(in);
	make.gid = p9_get_u32(in);
	if (in->err)
		return in->err;
	if (f->open || f->value)
		return -EBADF;
	make.dir = f->node;
	make.uid = f->uid;
	fd = p9_create(&s->share, &make, host_flags(flags), &node);
	if (fd < 0)
		return fd;
	err = new_open_file(&s->share, fd, false, &f->open);
	if (err) {
		p9_node_put(&s->share, node);
		return err;
	}
	p9_node_put(&s->share, f->node);
	f->node = node;
	err = p9_put_node_qid(s, out, node);
	p9_put_u32(out, iounit(s));
	return err;
}

static int move_later(struct p9 *s, struct p9_open_file *o, uint64_t offset, const struct iovec *iov, unsigned count,
		      struct p9_message *m)
{
	m->job = p9_job_new(s, o, m, count);
	if (!m->job)
		return -ENOMEM;
	m->job->offset = offset;
	memcpy(m->job->iov, iov, count * sizeof(iov[0]));
	return 0;
}

/* What the host has in memory, straight into the guest's; or later. */
static int read_file(struct p9 *s, struct p9_open_file *o, uint64_t offset, uint32_t count, struct p9_out *out,
		     struct p9_message *m)
{
	struct iovec iov[P9_SPANS_MAX];
	unsigned n = p9_spans_slice(m->r->in, m->r->in_count, P9_READ_HEADER_BYTES, count, iov);
	ssize_t got = preadv2(o->fd, iov, (int)n, (off_t)offset, o->never_waits ? 0 : RWF_NOWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EOPNOTSUPP))
		return move_later(s, o, offset, iov, n, m);
	if (got < 0)
		return -errno;
	p9_put_u32(out, (uint32_t)got);
	m->data_bytes = (uint32_t)got;
	return 0;
}

int p9_on_read(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	uint64_t offset = p9_get_u64(in);
	uint32_t count = p9_get_u32(in);

	if (in->err)
		return in->err;
	count = p9_fit(m, count);
	if (f->value)
		return p9_value_read(f->value, offset, count, out, m);
	if (!f->open)
		return -EBADF;
	if (f->open->folder)
		return -EISDIR;
	if (offset > INT64_MAX)
		return -EINVAL;
	return read_file(s, f->open, offset, count, out, m);
}

int p9_on_write(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	uint64_t offset = p9_get_u64(in);
	uint32_t count = p9_get_u32(in);
	struct iovec iov[P9_SPANS_MAX];
	ssize_t done = count;
	unsigned n;
	int err = 0;

	if (in->err)
		return in->err;
	if (count > m->out_bytes - P9_WRITE_HEADER_BYTES || count > s->msize - P9_WRITE_HEADER_BYTES)
		return -EBADMSG;
	n = p9_spans_slice(m->r->out, m->r->out_count, P9_WRITE_HEADER_BYTES, count, iov);
	if (f->value)
		err = p9_value_write(f->value, offset, iov, n, count);
	else if (!f->open)
		err = -EBADF;
	else if (offset > INT64_MAX)
		err = -EFBIG;
	else if (f->open->syncs)
		return move_later(s, f->open, offset, iov, n, m);
	else
		done = pwritev(f->open->fd, iov, (int)n, (off_t)offset);
	if (err || done < 0)
		return err ? err : -errno;
	p9_put_u32(out, (uint32_t)done);
	return 0;
}

int p9_on_fsync(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	uint32_t data_only = in->left >= 4 ? p9_get_u32(in) : 0; /* old kernels do not say */

	(void)out;
	if (in->err)
		return in->err;
	if (!f->open)
		return -EBADF;
	m->job = p9_job_new(s, f->open, m, 0);
	if (!m->job)
		return -ENOMEM;
	m->job->data_only = data_only;
	return 0;
}

/* ---- Locks ---- */

/* The guest's kernel has settled them among its processes; there is nobody else. */
int p9_on_lock(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	(void)m;
	p9_get_fid(s, in);
	if (in->err)
		return in->err;
	p9_put_u8(out, P9_LOCK_SUCCESS);
	return 0;
}

int p9_on_getlock(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	uint64_t start, length;
	uint32_t process;
	char client[P9_NAME_BYTES];

	(void)m;
	p9_get_fid(s, in);
	p9_get_u8(in);
	start = p9_get_u64(in);
	length = p9_get_u64(in);
	process = p9_get_u32(in);
	p9_get_string(in, client, sizeof(client));
	if (in->err)
		return in->err;
	p9_put_u8(out, P9_LOCK_TYPE_UNLCK);
	p9_put_u64(out, start);
	p9_put_u64(out, length);
	p9_put_u32(out, process);
	p9_put_string(out, client);
	return 0;
}
