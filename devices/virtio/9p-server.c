/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 9P2000.L: messages and fids. Every message is copied once and only the copy is looked at; what
 * is read or written goes straight between the file and the guest's memory.
 *
 * Nearly everything is answered at once. What the host does not have in its memory, and what is to
 * reach a disk, would keep the vCPU waiting: that is a job, which somebody else runs.
 *
 * There are more fids than names: a guest holds one for every file it knows. They share nodes.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <spec/9p.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>

#include "9p.h"

#define REQUEST_BYTES   (16 * KIB) /* the longest: a walk of sixteen names; data is not in it */
#define REPLY_BYTES     (64 * KIB) /* of which a folder's names take as much as the guest wants */
#define XATTR_BYTES_MAX (64 * KIB) /* Linux's limit of a value */
#define XATTR_TOTAL_MAX (4 * MIB)  /* of all fids together */
#define FIDS_MAX        (1u << 20)
#define IOVS_MAX        1024

/* ---- Fids ---- */

/* An open file outlives its fid while a job works on it. */
struct open_file {
	unsigned refs;
	int fd;
	bool folder;
	bool never_waits; /* reading it: its file system is memory */
};

struct xattr {
	char name[P9_NAME_BYTES];
	size_t bytes, filled;
	int flags;
	bool writing;
	uint8_t value[];
};

struct fid {
	struct fid *next;
	uint32_t id, uid;
	struct p9_node *node;
	struct open_file *open;
	struct xattr *xattr;
};

struct p9 {
	struct p9_share share;
	uint32_t msize;    /* 0: no version agreed upon */
	struct fid **fids; /* buckets by the low bits of the id */
	uint32_t bucket_count, fid_count;
	size_t xattr_bytes;
	struct p9_job *jobs;
	uint8_t request[REQUEST_BYTES], reply[REPLY_BYTES];
};

struct p9_job {
	struct p9_job *next;
	struct open_file *file;
	uint16_t tag;
	uint8_t type; /* of the request */
	bool data_only;
	uint64_t offset;
	ssize_t result;
	unsigned count;
	struct iovec iov[];
};

static struct fid **find_slot(struct p9 *s, uint32_t id)
{
	struct fid **f = &s->fids[id & (s->bucket_count - 1)];

	while (*f && (*f)->id != id)
		f = &(*f)->next;
	return f;
}

static struct fid *find_fid(struct p9 *s, uint32_t id) { return *find_slot(s, id); }

/* Twice the buckets, so that a chain stays short whatever the ids are that a kind guest counts. */
static void grow_buckets(struct p9 *s)
{
	uint32_t count = s->bucket_count * 2;
	struct fid **grown = calloc(count, sizeof(*grown)), *next;

	if (!grown)
		return;
	for (uint32_t i = 0; i < s->bucket_count; i++)
		for (struct fid *f = s->fids[i]; f; f = next) {
			next = f->next;
			f->next = grown[f->id & (count - 1)];
			grown[f->id & (count - 1)] = f;
		}
	free(s->fids);
	s->fids = grown;
	s->bucket_count = count;
}

/* Takes over @node, on failure too. */
static int add_fid(struct p9 *s, uint32_t id, uint32_t uid, struct p9_node *node, struct fid **added)
{
	struct fid *f = NULL, **slot;
	int err = 0;

	if (id == P9_NO_FID || find_fid(s, id))
		err = -EBADF;
	else if (s->fid_count >= FIDS_MAX)
		err = -EMFILE;
	else if (!(f = calloc(1, sizeof(*f))))
		err = -ENOMEM;
	if (err) {
		p9_node_put(&s->share, node);
		return err;
	}
	f->id = id;
	f->uid = uid;
	f->node = node;
	if (s->fid_count++ >= s->bucket_count)
		grow_buckets(s);
	slot = find_slot(s, id);
	*slot = f;
	if (added)
		*added = f;
	return 0;
}

static void put_open(struct p9 *s, struct open_file *o)
{
	if (o && !--o->refs) {
		close(o->fd);
		free(o);
		s->share.fd_count--;
	}
}

static void free_fid(struct p9 *s, struct fid *f)
{
	if (f->xattr)
		s->xattr_bytes -= f->xattr->bytes;
	free(f->xattr);
	put_open(s, f->open);
	p9_node_put(&s->share, f->node);
	free(f);
}

static void drop_fid(struct p9 *s, uint32_t id)
{
	struct fid **slot = find_slot(s, id), *f = *slot;

	*slot = f->next;
	s->fid_count--;
	free_fid(s, f);
}

void p9_forget(struct p9 *s)
{
	for (uint32_t i = 0; i < s->bucket_count; i++)
		while (s->fids[i])
			drop_fid(s, s->fids[i]->id);
	s->msize = 0;
}

int p9_new(const struct p9_config *cfg, struct p9 **out)
{
	struct p9 *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	*out = NULL;
	if (!s)
		return err;
	s->bucket_count = 64;
	s->fids = calloc(s->bucket_count, sizeof(struct fid *));
	if (s->fids)
		err = p9_share_open(&s->share, cfg);
	if (err) {
		free(s->fids);
		free(s);
		return err;
	}
	*out = s;
	return 0;
}

void p9_free(struct p9 *s)
{
	p9_forget(s);
	CHECK(!s->jobs);
	p9_share_close(&s->share);
	free(s->fids);
	free(s);
}

/* ---- The request ---- */

struct in {
	const uint8_t *p;
	size_t left;
	int err; /* the first thing that was wrong */
};

static uint64_t get_number(struct in *in, size_t bytes)
{
	uint64_t v = 0;

	if (in->left < bytes) {
		in->left = 0;
		if (!in->err)
			in->err = -EBADMSG;
		return 0;
	}
	memcpy(&v, in->p, bytes);
	in->p += bytes;
	in->left -= bytes;
	return v;
}

static uint8_t get_u8(struct in *in) { return (uint8_t)get_number(in, 1); }
static uint16_t get_u16(struct in *in) { return (uint16_t)get_number(in, 2); }
static uint32_t get_u32(struct in *in) { return (uint32_t)get_number(in, 4); }
static uint64_t get_u64(struct in *in) { return get_number(in, 8); }

/* A string without zero bytes that fits. */
static void get_string(struct in *in, char *text, size_t bytes)
{
	size_t len = get_u16(in);

	*text = 0;
	if (len > in->left) {
		get_number(in, SIZE_MAX);
		return;
	}
	if (len >= bytes)
		in->err = in->err ? in->err : -ENAMETOOLONG;
	else if (memchr(in->p, 0, len))
		in->err = in->err ? in->err : -EINVAL;
	else {
		memcpy(text, in->p, len);
		text[len] = 0;
	}
	in->p += len;
	in->left -= len;
}

/* The name of something in a folder, and of nothing else. */
static void get_name(struct in *in, char name[P9_NAME_BYTES])
{
	get_string(in, name, P9_NAME_BYTES);
	if (!in->err && (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..")))
		in->err = -EINVAL;
	if (in->err)
		*name = 0;
}

static struct fid *get_fid(struct p9 *s, struct in *in)
{
	struct fid *f = find_fid(s, get_u32(in));

	if (!f && !in->err)
		in->err = -EBADF;
	return in->err ? NULL : f;
}

/* ---- The answer ---- */

struct out {
	uint8_t *p;
	size_t left;
	bool full;
};

static void put_bytes(struct out *out, const void *bytes, size_t len)
{
	if (len > out->left) {
		out->full = true;
		return;
	}
	memcpy(out->p, bytes, len);
	out->p += len;
	out->left -= len;
}

static void put_u8(struct out *out, uint8_t v) { put_bytes(out, &v, sizeof(v)); }
static void put_u16(struct out *out, uint16_t v) { put_bytes(out, &v, sizeof(v)); }
static void put_u32(struct out *out, uint32_t v) { put_bytes(out, &v, sizeof(v)); }
static void put_u64(struct out *out, uint64_t v) { put_bytes(out, &v, sizeof(v)); }

static void put_string(struct out *out, const char *text)
{
	size_t len = strlen(text);

	put_u16(out, (uint16_t)len);
	put_bytes(out, text, len);
}

static uint8_t qid_type(mode_t mode) { return S_ISDIR(mode) ? P9_QTDIR : S_ISLNK(mode) ? P9_QTSYMLINK : P9_QTFILE; }

/* One number for each file: the inode's on the share's file system; others are mixed with the device's. */
static uint64_t qid_path(const struct p9 *s, dev_t dev, ino_t ino)
{
	uint64_t v = ino;

	if (dev == s->share.root->dev)
		return v;
	v ^= dev * UINT64_C(0x9e3779b97f4a7c15);
	v = (v ^ v >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (v ^ v >> 32) | UINT64_C(1) << 63;
}

static void put_qid(const struct p9 *s, struct out *out, const struct stat *st)
{
	uint32_t version = (uint32_t)(st->st_mtim.tv_sec ^ st->st_mtim.tv_nsec << 2 ^ st->st_size << 8);

	put_u8(out, qid_type(st->st_mode));
	put_u32(out, version ? version : 1); /* 0 means to Linux: do not cache */
	put_u64(out, qid_path(s, st->st_dev, st->st_ino));
}

static int put_node_qid(struct p9 *s, struct out *out, struct p9_node *n)
{
	struct stat st;
	int err = p9_node_stat(&s->share, n, &st);

	if (!err)
		put_qid(s, out, &st);
	return err;
}

/* Whole pages, so that the guest's are read into directly. */
static uint32_t iounit(const struct p9 *s) { return (uint32_t)align_down(s->msize - P9_IO_HEADER_BYTES, 4096); }

/* ---- The guest's memory ---- */

static size_t iov_total(const struct iovec *iov, unsigned count)
{
	size_t n = 0;

	for (unsigned i = 0; i < count; i++)
		n += iov[i].iov_len;
	return n;
}

static size_t copy_from(void *dst, const struct iovec *iov, unsigned count, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < count && done < len; i++) {
		size_t n = iov[i].iov_len < len - done ? iov[i].iov_len : len - done;

		memcpy((uint8_t *)dst + done, iov[i].iov_base, n);
		done += n;
	}
	return done;
}

static void copy_to(const struct iovec *iov, unsigned count, size_t skip, const void *src, size_t len)
{
	for (unsigned i = 0; i < count && len; i++) {
		size_t n = iov[i].iov_len;

		if (skip >= n) {
			skip -= n;
			continue;
		}
		n = n - skip < len ? n - skip : len;
		memcpy((uint8_t *)iov[i].iov_base + skip, src, n);
		src = (const uint8_t *)src + n;
		len -= n;
		skip = 0;
	}
}

/* The piece [skip, skip + len) of the spans, or its beginning: returns how many entries of @to. */
static unsigned slice(const struct iovec *iov, unsigned count, size_t skip, size_t len, struct iovec *to)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count && len && n < IOVS_MAX; i++) {
		size_t have = iov[i].iov_len;

		if (skip >= have) {
			skip -= have;
			continue;
		}
		have = have - skip < len ? have - skip : len;
		to[n++] = (struct iovec){ (uint8_t *)iov[i].iov_base + skip, have };
		len -= have;
		skip = 0;
	}
	return n;
}

/* ---- One message being answered ---- */

struct message {
	const struct p9_request *r;
	size_t out_bytes, in_bytes; /* of the request's spans */
	uint16_t tag;
	uint8_t type;
	uint32_t data_bytes; /* of the answer, in guest memory already, after what is in struct out */
	struct p9_job *job;  /* the answer comes later */
	bool after;          /* the request is to be given again when that job has ended */
};

/* ---- Session ---- */

static int on_version(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	uint32_t msize = get_u32(in);
	char version[32];
	bool known;

	(void)m;
	get_string(in, version, sizeof(version));
	if (in->err)
		return in->err;
	if (msize < P9_MSIZE_MIN)
		return -EMSGSIZE;
	p9_forget(s);
	known = !strcmp(version, P9_VERSION);
	if (msize > P9_MSIZE_MAX)
		msize = P9_MSIZE_MAX;
	if (known)
		s->msize = msize;
	put_u32(out, msize);
	put_string(out, known ? P9_VERSION : "unknown");
	return 0;
}

static int on_attach(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	uint32_t id = get_u32(in), auth = get_u32(in), uid;
	char text[P9_PATH_BYTES];
	int err;

	(void)m;
	get_string(in, text, sizeof(text)); /* who, and which tree: there is one, for everybody */
	get_string(in, text, sizeof(text));
	uid = get_u32(in);
	if (in->err)
		return in->err;
	if (auth != P9_NO_FID)
		return -EINVAL;
	err = add_fid(s, id, uid == P9_NO_UID ? s->share.cfg.uid : uid, p9_node_get(s->share.root), NULL);
	if (!err)
		err = put_node_qid(s, out, s->share.root);
	return err;
}

static struct p9_job *find_job(struct p9 *s, uint16_t tag)
{
	struct p9_job *j = s->jobs;

	while (j && j->tag != tag)
		j = j->next;
	return j;
}

/* Nothing is taken back; the answer to the old request only has to come first. */
static int on_flush(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	uint16_t tag = get_u16(in);

	(void)out;
	if (in->err)
		return in->err;
	m->job = find_job(s, tag);
	m->after = m->job;
	return 0;
}

static int step(struct p9 *s, struct p9_node *from, const char *name, struct p9_node **to)
{
	if (strcmp(name, ".."))
		return p9_node_walk(&s->share, from, name, to);
	*to = p9_node_get(from->parent ? from->parent : from);
	return 0;
}

/* Leaves in *node how far it got, which may be less than all the way; fails only if the first step does. */
static int walk(struct p9 *s, struct out *out, char (*names)[P9_NAME_BYTES], unsigned count, struct p9_node **node,
		unsigned *done)
{
	for (*done = 0; *done < count; ++*done) {
		struct p9_node *next;
		struct stat st;
		int err = step(s, *node, names[*done], &next);

		if (err)
			return *done ? 0 : err;
		p9_node_put(&s->share, *node);
		*node = next;
		err = p9_node_stat(&s->share, next, &st);
		if (err)
			return *done ? 0 : err;
		put_qid(s, out, &st);
	}
	return 0;
}

static int get_walk(struct in *in, char (*names)[P9_NAME_BYTES], unsigned *count)
{
	*count = get_u16(in);
	if (*count > P9_WALK_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < *count; i++) {
		get_string(in, names[i], P9_NAME_BYTES);
		if (!in->err && (!names[i][0] || strchr(names[i], '/') || !strcmp(names[i], ".")))
			in->err = -EINVAL;
	}
	return in->err;
}

static int on_walk(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	char names[P9_WALK_MAX][P9_NAME_BYTES];
	struct fid *f = get_fid(s, in);
	uint32_t id = get_u32(in);
	unsigned count, done;
	uint8_t *counted = out->p;
	struct p9_node *node;
	int err = get_walk(in, names, &count);

	(void)m;
	if (err || !f)
		return err ? err : in->err;
	if (f->xattr || (id == f->id ? f->open != NULL : find_fid(s, id) != NULL))
		return -EBADF;
	put_u16(out, 0);
	node = p9_node_get(f->node);
	err = walk(s, out, names, count, &node, &done);
	memcpy(counted, &(uint16_t){ (uint16_t)done }, 2);
	if (err || done < count) {
		p9_node_put(&s->share, node);
		return err;
	}
	if (id != f->id)
		return add_fid(s, id, f->uid, node, NULL);
	p9_node_put(&s->share, f->node);
	f->node = node;
	return 0;
}

/* The value was collected by writes; now it counts. */
static int finish_xattr(struct fid *f)
{
	struct xattr *x = f->xattr;

	if (!x || !x->writing)
		return 0;
	if (x->filled != x->bytes)
		return -EIO;
	if (!x->bytes && x->flags & P9_XATTR_REPLACE)
		return p9_xattr_remove(f->node, x->name); /* the protocol has no other way to say so */
	return p9_xattr_set(f->node, x->name, x->value, x->bytes, x->flags);
}

static int on_clunk(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	int err;

	(void)out, (void)m;
	if (!f)
		return in->err;
	err = finish_xattr(f);
	drop_fid(s, f->id);
	return err;
}

/* ---- What a file is ---- */

static void put_time(struct out *out, const struct timespec *t)
{
	put_u64(out, (uint64_t)t->tv_sec);
	put_u64(out, (uint64_t)t->tv_nsec);
}

static int on_getattr(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	struct stat st;
	int err;

	(void)m;
	get_u64(in);
	if (in->err)
		return in->err;
	err = p9_node_stat(&s->share, f->node, &st);
	if (err)
		return err;
	put_u64(out, P9_GETATTR_BASIC);
	put_qid(s, out, &st);
	put_u32(out, st.st_mode);
	put_u32(out, st.st_uid);
	put_u32(out, st.st_gid);
	put_u64(out, st.st_nlink);
	put_u64(out, st.st_rdev);
	put_u64(out, (uint64_t)st.st_size);
	put_u64(out, (uint64_t)st.st_blksize);
	put_u64(out, (uint64_t)st.st_blocks);
	put_time(out, &st.st_atim);
	put_time(out, &st.st_mtim);
	put_time(out, &st.st_ctim);
	for (unsigned i = 0; i < 4; i++) /* birth time, generation, data version: not in BASIC */
		put_u64(out, 0);
	return 0;
}

struct attributes {
	uint32_t valid, mode, uid, gid;
	uint64_t bytes;
	struct timespec time[2];
};

static void get_time(struct in *in, struct timespec *t, uint32_t valid, uint32_t change, uint32_t set)
{
	uint64_t s = get_u64(in), ns = get_u64(in);

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

static int apply(struct p9 *s, struct fid *f, const struct attributes *a)
{
	int err = 0;

	if (a->valid & P9_SETATTR_MODE)
		err = p9_chmod(&s->share, f->node, a->mode);
	if (!err && a->valid & (P9_SETATTR_UID | P9_SETATTR_GID))
		err = p9_chown(&s->share, f->node, a->valid & P9_SETATTR_UID ? a->uid : UINT32_MAX,
			       a->valid & P9_SETATTR_GID ? a->gid : UINT32_MAX);
	if (!err && a->valid & P9_SETATTR_SIZE)
		err = p9_truncate(f->node, a->bytes);
	if (!err && a->valid & (P9_SETATTR_ATIME | P9_SETATTR_MTIME))
		err = p9_utimes(f->node, a->time);
	return err;
}

static int on_setattr(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	struct attributes a = { .valid = get_u32(in) };

	(void)out, (void)m;
	a.mode = get_u32(in);
	a.uid = get_u32(in);
	a.gid = get_u32(in);
	a.bytes = get_u64(in);
	get_time(in, &a.time[0], a.valid, P9_SETATTR_ATIME, P9_SETATTR_ATIME_SET);
	get_time(in, &a.time[1], a.valid, P9_SETATTR_MTIME, P9_SETATTR_MTIME_SET);
	return in->err ? in->err : apply(s, f, &a);
}

static int on_statfs(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	struct statfs fs;

	(void)m, (void)s;
	if (!f)
		return in->err;
	if (fstatfs(f->node->fd, &fs))
		return -errno;
	put_u32(out, P9_STATFS_TYPE);
	put_u32(out, (uint32_t)fs.f_bsize);
	put_u64(out, fs.f_blocks);
	put_u64(out, fs.f_bfree);
	put_u64(out, fs.f_bavail);
	put_u64(out, fs.f_files);
	put_u64(out, fs.f_ffree);
	put_u64(out, (uint64_t)(uint32_t)fs.f_fsid.__val[0] | (uint64_t)(uint32_t)fs.f_fsid.__val[1] << 32);
	put_u32(out, (uint32_t)fs.f_namelen);
	return 0;
}

static int on_readlink(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	char target[P9_PATH_BYTES];
	int err;

	(void)m;
	if (!f)
		return in->err;
	err = p9_readlink(&s->share, f->node, target);
	if (!err)
		put_string(out, target);
	return err;
}

/* ---- Open files ---- */

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
static int new_open(struct p9 *s, int fd, bool folder, struct open_file **o)
{
	struct statfs fs;

	*o = calloc(1, sizeof(**o));
	if (!*o) {
		close(fd);
		return -ENOMEM;
	}
	s->share.fd_count++;
	(*o)->refs = 1;
	(*o)->fd = fd;
	(*o)->folder = folder;
	(*o)->never_waits = !fstatfs(fd, &fs) && (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC);
	return 0;
}

static int on_lopen(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	uint32_t flags = get_u32(in);
	struct stat st;
	int err, fd;

	(void)m;
	if (in->err)
		return in->err;
	if (f->open || f->xattr)
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
	err = new_open(s, fd, S_ISDIR(st.st_mode), &f->open);
	if (err)
		return err;
	put_qid(s, out, &st);
	put_u32(out, iounit(s));
	return 0;
}

/* The fid was the folder's and becomes the new file's. */
static int on_lcreate(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	char name[P9_NAME_BYTES];
	struct p9_make make = { .name = name };
	struct p9_node *node;
	uint32_t flags;
	int fd, err;

	(void)m;
	get_name(in, name);
	flags = get_u32(in);
	make.mode = get_u32(in);
	make.gid = get_u32(in);
	if (in->err)
		return in->err;
	if (f->open || f->xattr)
		return -EBADF;
	make.dir = f->node;
	make.uid = f->uid;
	fd = p9_create(&s->share, &make, host_flags(flags), &node);
	if (fd < 0)
		return fd;
	err = new_open(s, fd, false, &f->open);
	if (err) {
		p9_node_put(&s->share, node);
		return err;
	}
	p9_node_put(&s->share, f->node);
	f->node = node;
	err = put_node_qid(s, out, node);
	put_u32(out, iounit(s));
	return err;
}

/* How much data fits where the guest wants it. */
static uint32_t fit(const struct p9 *s, const struct message *m, uint32_t count)
{
	size_t room = m->in_bytes < s->msize ? m->in_bytes : s->msize;

	if (room < P9_READ_HEADER_BYTES)
		return 0;
	room -= P9_READ_HEADER_BYTES;
	return count < room ? count : (uint32_t)room;
}

static struct p9_job *new_job(struct p9 *s, struct open_file *o, const struct message *m, unsigned iov_count)
{
	struct p9_job *j = calloc(1, sizeof(*j) + iov_count * sizeof(j->iov[0]));

	if (!j)
		return NULL;
	j->file = o;
	o->refs++;
	j->tag = m->tag;
	j->type = m->type;
	j->count = iov_count;
	j->next = s->jobs;
	s->jobs = j;
	return j;
}

static int read_xattr(struct xattr *x, uint64_t offset, uint32_t count, struct out *out, struct message *m)
{
	size_t n = offset < x->filled ? x->filled - offset : 0;

	if (x->writing)
		return -EBADF;
	n = n < count ? n : count;
	put_u32(out, (uint32_t)n);
	copy_to(m->r->in, m->r->in_count, P9_READ_HEADER_BYTES, x->value + (n ? offset : 0), n);
	m->data_bytes = (uint32_t)n;
	return 0;
}

/* What the host has in memory, straight into the guest's; or later. */
static int read_file(struct p9 *s, struct open_file *o, uint64_t offset, uint32_t count, struct out *out,
		     struct message *m)
{
	struct iovec iov[IOVS_MAX];
	unsigned n = slice(m->r->in, m->r->in_count, P9_READ_HEADER_BYTES, count, iov);
	ssize_t got = preadv2(o->fd, iov, (int)n, (off_t)offset, o->never_waits ? 0 : RWF_NOWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EOPNOTSUPP)) {
		m->job = new_job(s, o, m, n);
		if (!m->job)
			return -ENOMEM;
		m->job->offset = offset;
		memcpy(m->job->iov, iov, n * sizeof(iov[0]));
		return 0;
	}
	if (got < 0)
		return -errno;
	put_u32(out, (uint32_t)got);
	m->data_bytes = (uint32_t)got;
	return 0;
}

static int on_read(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	uint64_t offset = get_u64(in);
	uint32_t count = get_u32(in);

	if (in->err)
		return in->err;
	count = fit(s, m, count);
	if (f->xattr)
		return read_xattr(f->xattr, offset, count, out, m);
	if (!f->open)
		return -EBADF;
	if (f->open->folder)
		return -EISDIR;
	if (offset > INT64_MAX)
		return -EINVAL;
	return read_file(s, f->open, offset, count, out, m);
}

static int write_xattr(struct xattr *x, uint64_t offset, const struct iovec *iov, unsigned count, size_t bytes)
{
	if (!x->writing || offset != x->filled)
		return -EINVAL;
	if (bytes > x->bytes - x->filled)
		return -ENOSPC;
	x->filled += copy_from(x->value + x->filled, iov, count, bytes);
	return 0;
}

static int on_write(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	uint64_t offset = get_u64(in);
	uint32_t count = get_u32(in);
	struct iovec iov[IOVS_MAX];
	ssize_t done = count;
	unsigned n;
	int err = 0;

	if (in->err)
		return in->err;
	if (count > m->out_bytes - P9_WRITE_HEADER_BYTES || count > s->msize - P9_WRITE_HEADER_BYTES)
		return -EBADMSG;
	n = slice(m->r->out, m->r->out_count, P9_WRITE_HEADER_BYTES, count, iov);
	if (f->xattr)
		err = write_xattr(f->xattr, offset, iov, n, count);
	else if (!f->open)
		err = -EBADF;
	else if (offset > INT64_MAX)
		err = -EFBIG;
	else
		done = pwritev(f->open->fd, iov, (int)n, (off_t)offset);
	if (err || done < 0)
		return err ? err : -errno;
	put_u32(out, (uint32_t)done);
	return 0;
}

static int on_fsync(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	uint32_t data_only = in->left >= 4 ? get_u32(in) : 0; /* old kernels do not say */

	(void)out;
	if (in->err)
		return in->err;
	if (!f->open)
		return -EBADF;
	m->job = new_job(s, f->open, m, 0);
	if (!m->job)
		return -ENOMEM;
	m->job->data_only = data_only;
	return 0;
}

/* ---- Folders ---- */

/* As the kernel gives them. */
struct entry {
	uint64_t ino;
	int64_t next;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

/* False: no room for it. */
static bool put_entry(struct p9 *s, struct fid *f, struct out *out, const struct entry *e)
{
	size_t len = strlen(e->name);
	bool above = !strcmp(e->name, "..") && !f->node->parent;
	struct stat st;

	if (out->left < P9_QID_BYTES + 8 + 1 + 2 + len)
		return false;
	put_u8(out, e->type == DT_DIR ? P9_QTDIR : e->type == DT_LNK ? P9_QTSYMLINK : P9_QTFILE);
	put_u32(out, 0);
	/* What is above the root is none of the guest's business. */
	put_u64(out, above && !fstat(f->node->fd, &st) ? st.st_ino : qid_path(s, f->node->dev, e->ino));
	put_u64(out, (uint64_t)e->next);
	/* To the host a link may be a file. */
	put_u8(out, s->share.cfg.map == P9_MAP_XATTR && e->type == DT_REG ? DT_UNKNOWN : e->type);
	put_string(out, e->name);
	return true;
}

static int read_entries(struct p9 *s, struct fid *f, struct out *out)
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

static int on_readdir(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	uint64_t offset = get_u64(in);
	uint32_t count = get_u32(in);
	struct out data = *out;
	int err;

	if (in->err)
		return in->err;
	if (!f->open || !f->open->folder)
		return -ENOTDIR;
	count = fit(s, m, count);
	put_u32(&data, 0);
	if (data.left > count)
		data.left = count;
	/* Always: what did not fit last time has been read all the same. */
	if (lseek(f->open->fd, (off_t)offset, SEEK_SET) < 0)
		return -EINVAL;
	err = read_entries(s, f, &data);
	count = (uint32_t)(data.p - out->p - 4);
	if (err && !count)
		return err;
	put_u32(out, count);
	out->p += count;
	out->left -= count;
	return 0;
}

/* ---- Making and taking away ---- */

static int put_made(struct p9 *s, struct out *out, struct p9_node *node)
{
	int err = put_node_qid(s, out, node);

	p9_node_put(&s->share, node);
	return err;
}

static int on_mkdir(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	char name[P9_NAME_BYTES];
	struct p9_make make = { .name = name };
	struct p9_node *node;
	int err;

	(void)m;
	get_name(in, name);
	make.mode = get_u32(in);
	make.gid = get_u32(in);
	if (in->err)
		return in->err;
	make.dir = f->node;
	make.uid = f->uid;
	err = p9_mkdir(&s->share, &make, &node);
	return err ? err : put_made(s, out, node);
}

static int on_mknod(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	char name[P9_NAME_BYTES];
	struct p9_make make = { .name = name };
	struct p9_node *node;
	int err;
	uint32_t major, minor;

	(void)m;
	get_name(in, name);
	make.mode = get_u32(in);
	major = get_u32(in);
	minor = get_u32(in);
	make.gid = get_u32(in);
	if (in->err)
		return in->err;
	make.dir = f->node;
	make.uid = f->uid;
	err = p9_mknod(&s->share, &make, makedev(major, minor), &node);
	return err ? err : put_made(s, out, node);
}

static int on_symlink(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	char name[P9_NAME_BYTES], target[P9_PATH_BYTES];
	struct p9_make make = { .name = name };
	struct p9_node *node;
	int err;

	(void)m;
	get_name(in, name);
	get_string(in, target, sizeof(target));
	make.gid = get_u32(in);
	if (in->err || !*target)
		return in->err ? in->err : -ENOENT;
	make.dir = f->node;
	make.uid = f->uid;
	err = p9_symlink(&s->share, &make, target, &node);
	return err ? err : put_made(s, out, node);
}

static int on_link(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *dir = get_fid(s, in), *f = get_fid(s, in);
	char name[P9_NAME_BYTES];

	(void)out, (void)m;
	get_name(in, name);
	return in->err ? in->err : p9_link(&s->share, f->node, dir->node, name);
}

static int on_unlinkat(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *dir = get_fid(s, in);
	char name[P9_NAME_BYTES];
	uint32_t flags;

	(void)out, (void)m, (void)s;
	get_name(in, name);
	flags = get_u32(in);
	return in->err ? in->err : p9_unlink(dir->node, name, flags & P9_UNLINK_DIR);
}

static int on_renameat(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *from = get_fid(s, in), *to;
	char name[P9_NAME_BYTES], new_name[P9_NAME_BYTES];

	(void)out, (void)m;
	get_name(in, name);
	to = get_fid(s, in);
	get_name(in, new_name);
	return in->err ? in->err : p9_rename(from->node, name, to->node, new_name);
}

/* By the fid of what is renamed: the name it was found by must still be its. */
static int on_rename(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in), *to = get_fid(s, in);
	char name[P9_NAME_BYTES];
	struct p9_node *node;
	int err;

	(void)out, (void)m;
	get_name(in, name);
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

static int on_remove(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	struct stat st;
	int err;

	(void)out, (void)m;
	if (!f)
		return in->err;
	err = s->share.cfg.readonly ? -EROFS : p9_node_is_there(f->node);
	if (!err)
		err = fstat(f->node->fd, &st) ? -errno
					      : p9_unlink(f->node->parent, f->node->name, S_ISDIR(st.st_mode));
	drop_fid(s, f->id); /* whatever became of the file */
	return err;
}

/* ---- Locks ---- */

/* The guest's kernel has settled them among its processes; there is nobody else. */
static int on_lock(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	(void)m;
	get_fid(s, in);
	if (in->err)
		return in->err;
	put_u8(out, P9_LOCK_SUCCESS);
	return 0;
}

static int on_getlock(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	uint64_t start, length;
	uint32_t process;
	char client[P9_NAME_BYTES];

	(void)m;
	get_fid(s, in);
	get_u8(in);
	start = get_u64(in);
	length = get_u64(in);
	process = get_u32(in);
	get_string(in, client, sizeof(client));
	if (in->err)
		return in->err;
	put_u8(out, P9_LOCK_TYPE_UNLCK);
	put_u64(out, start);
	put_u64(out, length);
	put_u32(out, process);
	put_string(out, client);
	return 0;
}

/* ---- Extended attributes ---- */

static int new_xattr(struct p9 *s, size_t bytes, const char *name, struct xattr **x)
{
	if (bytes > XATTR_BYTES_MAX)
		return -E2BIG;
	if (bytes > XATTR_TOTAL_MAX - s->xattr_bytes)
		return -ENOSPC;
	*x = calloc(1, sizeof(**x) + bytes);
	if (!*x)
		return -ENOMEM;
	memcpy((*x)->name, name, strlen(name) + 1);
	(*x)->bytes = bytes;
	s->xattr_bytes += bytes;
	return 0;
}

static ssize_t fetch(struct p9_node *n, const char *name, void *value, size_t bytes)
{
	return *name ? p9_xattr_get(n, name, value, bytes) : p9_xattr_list(n, value, bytes);
}

/* The new fid reads as the value, or without a name as the names of all. */
static int on_xattrwalk(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in), *made;
	uint32_t id = get_u32(in);
	char name[P9_NAME_BYTES];
	struct xattr *x;
	ssize_t len;
	int err;

	(void)m;
	get_string(in, name, sizeof(name));
	if (in->err)
		return in->err;
	len = fetch(f->node, name, NULL, 0);
	if (len < 0)
		return (int)len;
	err = new_xattr(s, (size_t)len, name, &x);
	if (err)
		return err;
	if (len)
		len = fetch(f->node, name, x->value, x->bytes);
	err = len < 0 ? (int)len : add_fid(s, id, f->uid, p9_node_get(f->node), &made);
	if (err) {
		s->xattr_bytes -= x->bytes;
		free(x);
		return err;
	}
	x->filled = (size_t)len;
	made->xattr = x;
	put_u64(out, (uint64_t)len);
	return 0;
}

static int on_xattrcreate(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	struct fid *f = get_fid(s, in);
	char name[P9_NAME_BYTES];
	uint64_t bytes;
	uint32_t flags;
	int err;

	(void)out, (void)m;
	get_string(in, name, sizeof(name));
	bytes = get_u64(in);
	flags = get_u32(in);
	if (in->err)
		return in->err;
	if (f->open || f->xattr)
		return -EBADF;
	err = new_xattr(s, bytes, name, &f->xattr);
	if (err)
		return err;
	f->xattr->writing = true;
	f->xattr->flags = (int)(flags & (P9_XATTR_CREATE | P9_XATTR_REPLACE));
	return 0;
}

/* ---- Dispatch ---- */

struct handler {
	int (*fn)(struct p9 *s, struct in *in, struct out *out, struct message *m);
	bool changes; /* refused on a read-only share */
};

static const struct handler handlers[256] = {
	[P9_TSTATFS] = { on_statfs, false },
	[P9_TLOPEN] = { on_lopen, false },
	[P9_TLCREATE] = { on_lcreate, true },
	[P9_TSYMLINK] = { on_symlink, true },
	[P9_TMKNOD] = { on_mknod, true },
	[P9_TRENAME] = { on_rename, true },
	[P9_TREADLINK] = { on_readlink, false },
	[P9_TGETATTR] = { on_getattr, false },
	[P9_TSETATTR] = { on_setattr, true },
	[P9_TXATTRWALK] = { on_xattrwalk, false },
	[P9_TXATTRCREATE] = { on_xattrcreate, true },
	[P9_TREADDIR] = { on_readdir, false },
	[P9_TFSYNC] = { on_fsync, false },
	[P9_TLOCK] = { on_lock, false },
	[P9_TGETLOCK] = { on_getlock, false },
	[P9_TLINK] = { on_link, true },
	[P9_TMKDIR] = { on_mkdir, true },
	[P9_TRENAMEAT] = { on_renameat, true },
	[P9_TUNLINKAT] = { on_unlinkat, true },
	[P9_TVERSION] = { on_version, false },
	[P9_TATTACH] = { on_attach, false },
	[P9_TFLUSH] = { on_flush, false },
	[P9_TWALK] = { on_walk, false },
	[P9_TREAD] = { on_read, false },
	[P9_TWRITE] = { on_write, true },
	[P9_TCLUNK] = { on_clunk, false },
	[P9_TREMOVE] = { on_remove, false },
};

static int dispatch(struct p9 *s, struct in *in, struct out *out, struct message *m)
{
	const struct handler *h = &handlers[m->type];

	if (!h->fn)
		return -EOPNOTSUPP;
	if (!s->msize && m->type != P9_TVERSION)
		return -EPROTO;
	if (h->changes && s->share.cfg.readonly)
		return -EROFS;
	return h->fn(s, in, out, m);
}

/* Puts the header in front of what is in s->reply up to @out, and all of it into the guest's memory. */
static uint32_t send(struct p9 *s, const struct p9_request *r, struct out *out, uint8_t type, uint16_t tag,
		     uint32_t data_bytes)
{
	uint32_t bytes = (uint32_t)(out->p - s->reply), size = bytes + data_bytes;

	memcpy(s->reply, &size, 4);
	s->reply[4] = type;
	memcpy(s->reply + 5, &tag, 2);
	copy_to(r->in, r->in_count, 0, s->reply, bytes);
	return size;
}

static struct out begin(struct p9 *s, size_t room)
{
	return (struct out){ .p = s->reply + P9_HEADER_BYTES,
			     .left = (room < sizeof(s->reply) ? room : sizeof(s->reply)) - P9_HEADER_BYTES };
}

/* -errno as the answer; the numbers are Linux's on both sides. */
static uint32_t send_error(struct p9 *s, const struct p9_request *r, size_t room, uint16_t tag, int err)
{
	struct out out = begin(s, room);

	put_u32(&out, (uint32_t)-err);
	return send(s, r, &out, P9_RLERROR, tag, 0);
}

/* What is to be looked at: all, but not the data of a write. */
static size_t copy_request(struct p9 *s, const struct p9_request *r)
{
	size_t copied = copy_from(s->request, r->out, r->out_count, P9_WRITE_HEADER_BYTES);

	if (copied < P9_WRITE_HEADER_BYTES || s->request[4] == P9_TWRITE)
		return copied;
	return copy_from(s->request, r->out, r->out_count, sizeof(s->request));
}

enum p9_done p9_answer(struct p9 *s, const struct p9_request *r, uint32_t *written, struct p9_job **job)
{
	struct message m = { .r = r,
			     .out_bytes = iov_total(r->out, r->out_count),
			     .in_bytes = iov_total(r->in, r->in_count) };
	size_t copied = copy_request(s, r);
	struct in in = { s->request, copied, 0 };
	struct out out;
	uint32_t size;
	int err;

	if (copied < P9_HEADER_BYTES || m.in_bytes < P9_READ_HEADER_BYTES)
		return P9_BROKEN;
	size = get_u32(&in);
	m.type = get_u8(&in);
	m.tag = get_u16(&in);
	if (size < P9_HEADER_BYTES || size > m.out_bytes)
		err = -EBADMSG;
	else {
		/* What is behind the message is not it; but some kernels count without the data of a write. */
		if (size < copied && m.type != P9_TWRITE)
			in.left = size - P9_HEADER_BYTES;
		out = begin(s, m.in_bytes);
		err = dispatch(s, &in, &out, &m);
		if (!err && !m.job && out.full)
			err = -EMSGSIZE;
	}
	if (!err && m.job) {
		*job = m.job;
		return m.after ? P9_AFTER : P9_LATER;
	}
	*written = err ? send_error(s, r, m.in_bytes, m.tag, err)
		       : send(s, r, &out, (uint8_t)(m.type + 1), m.tag, m.data_bytes);
	return P9_ANSWERED;
}

/* ---- Jobs ---- */

void p9_job_run(struct p9_job *j)
{
	if (j->type == P9_TREAD)
		j->result = preadv(j->file->fd, j->iov, (int)j->count, (off_t)j->offset);
	else
		j->result = j->data_only ? fdatasync(j->file->fd) : fsync(j->file->fd);
	if (j->result < 0)
		j->result = -errno;
}

static uint32_t send_result(struct p9 *s, const struct p9_job *j, const struct p9_request *r)
{
	struct out out = begin(s, P9_READ_HEADER_BYTES);

	if (j->result < 0)
		return send_error(s, r, P9_READ_HEADER_BYTES, j->tag, (int)j->result);
	if (j->type == P9_TREAD)
		put_u32(&out, (uint32_t)j->result);
	return send(s, r, &out, (uint8_t)(j->type + 1), j->tag, j->type == P9_TREAD ? (uint32_t)j->result : 0);
}

uint32_t p9_job_end(struct p9 *s, struct p9_job *j, const struct p9_request *r)
{
	uint32_t written = r ? send_result(s, j, r) : 0;
	struct p9_job **at = &s->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	put_open(s, j->file);
	free(j);
	return written;
}
