/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders: listing them, and making, renaming and taking away what is in them. */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "9p-server.h"

/* ---- Listing ---- */

/* As the kernel gives them. */
struct entry {
	uint64_t ino;
	int64_t next;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

/* False: no room for it. */
static bool put_entry(struct p9 *s, struct p9_fid *f, struct p9_out *out, const struct entry *e)
{
	size_t len = strlen(e->name);
	bool above = !strcmp(e->name, "..") && !f->node->parent;
	struct stat st;

	if (out->left < P9_QID_BYTES + 8 + 1 + 2 + len)
		return false;
	p9_put_u8(out, e->type == DT_DIR ? P9_QTDIR : e->type == DT_LNK ? P9_QTSYMLINK : P9_QTFILE);
	p9_put_u32(out, 0);
	/* What is above the root is none of the guest's business. */
	p9_put_u64(out, above && !fstat(f->node->fd, &st) ? st.st_ino : p9_qid_path(s, f->node->dev, e->ino));
	p9_put_u64(out, (uint64_t)e->next);
	/* To the host a link may be a file. */
	p9_put_u8(out, s->share.cfg.map == P9_MAP_XATTR && e->type == DT_REG ? DT_UNKNOWN : e->type);
	p9_put_string(out, e->name);
	return true;
}

static int read_entries(struct p9 *s, struct p9_fid *f, struct p9_out *out)
{
	_Alignas(8) char buffer[16 * KIB];
	bool any = false;

	for (;;) {
		/* An entry is hardly longer there than here: little is read that does not fit. */
		size_t want = out->left < sizeof(buffer) ? align_down(out->left, 8) : sizeof(buffer);
		long n = syscall(SYS_getdents64, f->open->fd, buffer, want < 280 ? 280 : want);

		if (n <= 0)
			return n ? -errno : 0;
		for (long at = 0; at < n;) {
			const struct entry *e = (const void *)(buffer + at);

			if (!put_entry(s, f, out, e))
				return any ? 0 : -EINVAL;
			any = true;
			at += e->bytes;
		}
	}
}

int p9_on_readdir(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	uint64_t offset = p9_get_u64(in);
	uint32_t count = p9_get_u32(in);
	struct p9_out data = *out;
	int err;

	if (in->err)
		return in->err;
	if (!f->open || !f->open->folder)
		return -ENOTDIR;
	count = p9_fit(m, count);
	p9_put_u32(&data, 0);
	if (data.left > count)
		data.left = count;
	/* Always: what did not fit last time has been read all the same. */
	if (lseek(f->open->fd, (off_t)offset, SEEK_SET) < 0)
		return -EINVAL;
	err = read_entries(s, f, &data);
	count = (uint32_t)(data.p - out->p - 4);
	if (err && !count)
		return err;
	p9_put_u32(out, count);
	out->p += count;
	out->left -= count;
	return 0;
}

/* ---- Making and taking away ---- */

static int put_made(struct p9 *s, struct p9_out *out, struct p9_node *node)
{
	int err = p9_put_node_qid(s, out, node);

	p9_node_put(&s->share, node);
	return err;
}

int p9_on_mkdir(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	char name[P9_NAME_BYTES];
	struct p9_make make = { .name = name };
	struct p9_node *node;
	int err;

	(void)m;
	p9_get_name(in, name);
	make.mode = p9_get_u32(in);
	make.gid = p9_get_u32(in);
	if (in->err)
		return in->err;
	make.dir = f->node;
	make.uid = f->uid;
	err = p9_mkdir(&s->share, &make, &node);
	return err ? err : put_made(s, out, node);
}

int p9_on_mknod(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	char name[P9_NAME_BYTES];
	struct p9_make make = { .name = name };
	struct p9_node *node;
	int err;
	uint32_t major, minor;

	(void)m;
	p9_get_name(in, name);
	make.mode = p9_get_u32(in);
	major = p9_get_u32(in);
	minor = p9_get_u32(in);
	make.gid = p9_get_u32(in);
	if (in->err)
		return in->err;
	make.dir = f->node;
	make.uid = f->uid;
	err = p9_mknod(&s->share, &make, makedev(major, minor), &node);
	return err ? err : put_made(s, out, node);
}

int p9_on_symlink(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	char name[P9_NAME_BYTES], target[P9_PATH_BYTES];
	struct p9_make make = { .name = name };
	struct p9_node *node;
	int err;

	(void)m;
	p9_get_name(in, name);
	p9_get_string(in, target, sizeof(target));
	make.gid = p9_get_u32(in);
	if (in->err || !*target)
		return in->err ? in->err : -ENOENT;
	make.dir = f->node;
	make.uid = f->uid;
	err = p9_symlink(&s->share, &make, target, &node);
	return err ? err : put_made(s, out, node);
}

int p9_on_link(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *dir = p9_get_fid(s, in), *f = p9_get_fid(s, in);
	char name[P9_NAME_BYTES];

	(void)out, (void)m;
	p9_get_name(in, name);
	return in->err ? in->err : p9_link(&s->share, f->node, dir->node, name);
}

int p9_on_unlinkat(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *dir = p9_get_fid(s, in);
	char name[P9_NAME_BYTES];
	uint32_t flags;

	(void)out, (void)m, (void)s;
	p9_get_name(in, name);
	flags = p9_get_u32(in);
	return in->err ? in->err : p9_unlink(dir->node, name, flags & P9_UNLINK_DIR);
}

int p9_on_renameat(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *from = p9_get_fid(s, in), *to;
	char name[P9_NAME_BYTES], new_name[P9_NAME_BYTES];

	(void)out, (void)m;
	p9_get_name(in, name);
	to = p9_get_fid(s, in);
	p9_get_name(in, new_name);
	return in->err ? in->err : p9_rename(from->node, name, to->node, new_name);
}

/* By the fid of what is renamed: the name it was found by must still be its. */
int p9_on_rename(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in), *to = p9_get_fid(s, in);
	char name[P9_NAME_BYTES];
	struct p9_node *node;
	int err;

	(void)out, (void)m;
	p9_get_name(in, name);
	if (in->err)
		return in->err;
	err = p9_node_is_there(f->node);
	if (!err)
		err = p9_rename(f->node->parent, f->node->name, to->node, name);
	if (!err && !p9_node_walk(&s->share, to->node, name, &node)) {
		p9_node_put(&s->share, f->node);
		f->node = node;
	}
	return err;
}

int p9_on_remove(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	struct stat st;
	int err;

	(void)out, (void)m;
	if (!f)
		return in->err;
	err = s->share.cfg.readonly ? -EROFS : p9_node_is_there(f->node);
	if (!err)
		err = fstat(f->node->fd, &st) ? -errno
					      : p9_unlink(f->node->parent, f->node->name, S_ISDIR(st.st_mode));
	p9_fid_drop(&s->fids, f->id); /* whatever became of the file */
	return err;
}
