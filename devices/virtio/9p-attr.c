/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a file is: its attributes, where a link leads, and what its file system has left. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "9p-server.h"

static void put_time(struct p9_out *out, const struct timespec *t)
{
	p9_put_u64(out, (uint64_t)t->tv_sec);
	p9_put_u64(out, (uint64_t)t->tv_nsec);
}

int p9_on_getattr(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	struct stat st;
	int err;

	(void)m;
	p9_get_u64(in);
	if (in->err)
		return in->err;
	err = p9_node_stat(&s->share, f->node, &st);
	if (err)
		return err;
	p9_put_u64(out, P9_GETATTR_BASIC);
	p9_put_qid(s, out, &st);
	p9_put_u32(out, st.st_mode);
	p9_put_u32(out, st.st_uid);
	p9_put_u32(out, st.st_gid);
	p9_put_u64(out, st.st_nlink);
	p9_put_u64(out, st.st_rdev);
	p9_put_u64(out, (uint64_t)st.st_size);
	p9_put_u64(out, (uint64_t)st.st_blksize);
	p9_put_u64(out, (uint64_t)st.st_blocks);
	put_time(out, &st.st_atim);
	put_time(out, &st.st_mtim);
	put_time(out, &st.st_ctim);
	for (unsigned i = 0; i < 4; i++) /* birth time, generation, data version: not in BASIC */
		p9_put_u64(out, 0);
	return 0;
}

struct attributes {
	uint32_t valid, mode, uid, gid;
	uint64_t bytes;
	struct timespec time[2];
};

static void get_time(struct p9_in *in, struct timespec *t, uint32_t valid, uint32_t change, uint32_t set)
{
	uint64_t s = p9_get_u64(in), ns = p9_get_u64(in);

	*t = (struct timespec){ .tv_nsec = UTIME_OMIT };
	if (!(valid & change))
		return;
	t->tv_nsec = UTIME_NOW;
	if (!(valid & set))
		return;
	t->tv_sec = (time_t)s;
	t->tv_nsec = (long)ns;
	if (ns >= NSEC_PER_SEC && !in->err)
		in->err = -EINVAL;
}

/* Who has it open for writing may, whatever the mode says. */
static int set_size(struct p9_fid *f, uint64_t bytes)
{
	if (f->open && bytes <= INT64_MAX && !ftruncate(f->open->fd, (off_t)bytes))
		return 0;
	return p9_truncate(f->node, bytes);
}

static int apply(struct p9 *s, struct p9_fid *f, const struct attributes *a)
{
	int err = 0;

	if (a->valid & P9_SETATTR_MODE)
		err = p9_chmod(&s->share, f->node, a->mode);
	if (!err && a->valid & (P9_SETATTR_UID | P9_SETATTR_GID))
		err = p9_chown(&s->share, f->node, a->valid & P9_SETATTR_UID ? a->uid : UINT32_MAX,
			       a->valid & P9_SETATTR_GID ? a->gid : UINT32_MAX);
	if (!err && a->valid & P9_SETATTR_SIZE)
		err = set_size(f, a->bytes);
	if (!err && a->valid & (P9_SETATTR_ATIME | P9_SETATTR_MTIME))
		err = p9_utimes(f->node, a->time);
	return err;
}

int p9_on_setattr(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	struct attributes a = { .valid = p9_get_u32(in) };

	(void)out, (void)m;
	a.mode = p9_get_u32(in);
	a.uid = p9_get_u32(in);
	a.gid = p9_get_u32(in);
	a.bytes = p9_get_u64(in);
	get_time(in, &a.time[0], a.valid, P9_SETATTR_ATIME, P9_SETATTR_ATIME_SET);
	get_time(in, &a.time[1], a.valid, P9_SETATTR_MTIME, P9_SETATTR_MTIME_SET);
	return in->err ? in->err : apply(s, f, &a);
}

int p9_on_statfs(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	struct statfs fs;

	(void)m, (void)s;
	if (!f)
		return in->err;
	if (fstatfs(f->node->fd, &fs))
		return -errno;
	p9_put_u32(out, P9_STATFS_TYPE);
	p9_put_u32(out, (uint32_t)fs.f_bsize);
	p9_put_u64(out, fs.f_blocks);
	p9_put_u64(out, fs.f_bfree);
	p9_put_u64(out, fs.f_bavail);
	p9_put_u64(out, fs.f_files);
	p9_put_u64(out, fs.f_ffree);
	p9_put_u64(out, (uint64_t)(uint32_t)fs.f_fsid.__val[0] | (uint64_t)(uint32_t)fs.f_fsid.__val[1] << 32);
	p9_put_u32(out, (uint32_t)fs.f_namelen);
	return 0;
}

int p9_on_readlink(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	char target[P9_PATH_BYTES];
	int err;

	(void)m;
	if (!f)
		return in->err;
	err = p9_readlink(&s->share, f->node, target);
	if (!err)
		p9_put_string(out, target);
	return err;
}
