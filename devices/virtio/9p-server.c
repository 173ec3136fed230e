/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 9P2000.L request in, its answer out. Every message is copied once and only the copy is looked at; data
 * is not in it, and who reads or writes a file does so straight in the guest's memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vmm/err.h>

#include "9p-server.h"

/* ---- Life ---- */

void p9_forget(struct p9 *s)
{
	p9_fids_drop_all(&s->fids);
	s->msize = 0;
}

int p9_new(const struct p9_config *cfg, struct p9 **out)
{
	struct p9 *s = calloc(1, sizeof(*s));
	int err;

	*out = NULL;
	if (!s)
		return -ENOMEM;
	err = p9_fids_init(&s->fids, &s->share);
	if (!err)
		err = p9_share_open(&s->share, cfg);
	if (err) {
		p9_fids_fini(&s->fids);
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
	p9_fids_fini(&s->fids);
	free(s);
}

/* ---- What the handlers share ---- */

struct p9_fid *p9_get_fid(struct p9 *s, struct p9_in *in)
{
	struct p9_fid *f = p9_fid_find(&s->fids, p9_get_u32(in));

	if (!f && !in->err)
		in->err = -EBADF;
	return in->err ? NULL : f;
}

static uint8_t qid_type(mode_t mode) { return S_ISDIR(mode) ? P9_QTDIR : S_ISLNK(mode) ? P9_QTSYMLINK : P9_QTFILE; }

uint64_t p9_qid_path(const struct p9 *s, dev_t dev, ino_t ino)
{
	uint64_t v = ino;

	if (dev == s->share.root->dev)
		return v;
	v ^= dev * UINT64_C(0x9e3779b97f4a7c15);
	v = (v ^ v >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (v ^ v >> 32) | UINT64_C(1) << 63;
}

void p9_put_qid(const struct p9 *s, struct p9_out *out, const struct stat *st)
{
	uint32_t version = (uint32_t)(st->st_mtim.tv_sec ^ st->st_mtim.tv_nsec << 2 ^ st->st_size << 8);

	p9_put_u8(out, qid_type(st->st_mode));
	p9_put_u32(out, version ? version : 1); /* 0 means to Linux: do not cache */
	p9_put_u64(out, p9_qid_path(s, st->st_dev, st->st_ino));
}

int p9_put_node_qid(struct p9 *s, struct p9_out *out, struct p9_node *n)
{
	struct stat st;
	int err = p9_node_stat(&s->share, n, &st);

	if (!err)
		p9_put_qid(s, out, &st);
	return err;
}

uint32_t p9_fit(const struct p9_message *m, uint32_t count)
{
	size_t room = m->in_bytes - P9_READ_HEADER_BYTES;

	return count < room ? count : (uint32_t)room;
}

/* ---- Dispatch ---- */

struct handler {
	p9_handler *fn;
	bool changes; /* refused on a read-only share */
};

static const struct handler handlers[256] = {
	[P9_TSTATFS] = { p9_on_statfs, false },
	[P9_TLOPEN] = { p9_on_lopen, false },
	[P9_TLCREATE] = { p9_on_lcreate, true },
	[P9_TSYMLINK] = { p9_on_symlink, true },
	[P9_TMKNOD] = { p9_on_mknod, true },
	[P9_TRENAME] = { p9_on_rename, true },
	[P9_TREADLINK] = { p9_on_readlink, false },
	[P9_TGETATTR] = { p9_on_getattr, false },
	[P9_TSETATTR] = { p9_on_setattr, true },
	[P9_TXATTRWALK] = { p9_on_xattrwalk, false },
	[P9_TXATTRCREATE] = { p9_on_xattrcreate, true },
	[P9_TREADDIR] = { p9_on_readdir, false },
	[P9_TFSYNC] = { p9_on_fsync, false },
	[P9_TLOCK] = { p9_on_lock, false },
	[P9_TGETLOCK] = { p9_on_getlock, false },
	[P9_TLINK] = { p9_on_link, true },
	[P9_TMKDIR] = { p9_on_mkdir, true },
	[P9_TRENAMEAT] = { p9_on_renameat, true },
	[P9_TUNLINKAT] = { p9_on_unlinkat, true },
	[P9_TVERSION] = { p9_on_version, false },
	[P9_TATTACH] = { p9_on_attach, false },
	[P9_TFLUSH] = { p9_on_flush, false },
	[P9_TWALK] = { p9_on_walk, false },
	[P9_TREAD] = { p9_on_read, false },
	[P9_TWRITE] = { p9_on_write, true },
	[P9_TCLUNK] = { p9_on_clunk, false },
	[P9_TREMOVE] = { p9_on_remove, false },
};

static int dispatch(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
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
static uint32_t send(struct p9 *s, const struct p9_request *r, struct p9_out *out, uint8_t type, uint16_t tag,
		     uint32_t data_bytes)
{
	uint32_t bytes = (uint32_t)(out->p - s->reply), size = bytes + data_bytes;

	memcpy(s->reply, &size, 4);
	s->reply[4] = type;
	memcpy(s->reply + 5, &tag, 2);
	p9_spans_write(r->in, r->in_count, 0, s->reply, bytes);
	return size;
}

static struct p9_out begin(struct p9 *s, size_t room)
{
	return (struct p9_out){ .p = s->reply + P9_HEADER_BYTES,
				.left = (room < sizeof(s->reply) ? room : sizeof(s->reply)) - P9_HEADER_BYTES };
}

/* -errno as the answer; the numbers are Linux's on both sides. */
static uint32_t send_error(struct p9 *s, const struct p9_request *r, size_t room, uint16_t tag, int err)
{
	struct p9_out out = begin(s, room);

	p9_put_u32(&out, (uint32_t)-err);
	return send(s, r, &out, P9_RLERROR, tag, 0);
}

/* What is to be looked at: all, but not the data of a write. */
static size_t copy_request(struct p9 *s, const struct p9_request *r)
{
	size_t copied = p9_spans_read(s->request, r->out, r->out_count, P9_WRITE_HEADER_BYTES);

	if (copied < P9_WRITE_HEADER_BYTES || s->request[4] == P9_TWRITE)
		return copied;
	return p9_spans_read(s->request, r->out, r->out_count, sizeof(s->request));
}

enum p9_done p9_answer(struct p9 *s, const struct p9_request *r, uint32_t *written, struct p9_job **job)
{
	struct p9_message m = { .r = r,
				.out_bytes = p9_spans_bytes(r->out, r->out_count),
				.in_bytes = p9_spans_bytes(r->in, r->in_count) };
	size_t copied = copy_request(s, r);
	struct p9_in in = { s->request, copied, 0 };
	struct p9_out out;
	uint32_t size;
	int err;

	if (copied < P9_HEADER_BYTES || m.in_bytes < P9_READ_HEADER_BYTES)
		return P9_BROKEN;
	/* Whatever room there is, no answer is longer than was agreed. */
	if (s->msize && m.in_bytes > s->msize)
		m.in_bytes = s->msize;
	size = p9_get_u32(&in);
	m.type = p9_get_u8(&in);
	m.tag = p9_get_u16(&in);
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

struct p9_job *p9_job_new(struct p9 *s, struct p9_open_file *o, const struct p9_message *m, unsigned iov_count)
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

struct p9_job *p9_job_find(struct p9 *s, uint16_t tag)
{
	struct p9_job *j = s->jobs;

	while (j && j->tag != tag)
		j = j->next;
	return j;
}

void p9_job_run(struct p9_job *j)
{
	int fd = j->file->fd;

	switch (j->type) {
	case P9_TREAD: j->result = preadv(fd, j->iov, (int)j->count, (off_t)j->offset); break;
	case P9_TWRITE: j->result = pwritev(fd, j->iov, (int)j->count, (off_t)j->offset); break;
	default: j->result = j->data_only ? fdatasync(fd) : fsync(fd);
	}
	if (j->result < 0)
		j->result = -errno;
}

static uint32_t send_result(struct p9 *s, const struct p9_job *j, const struct p9_request *r)
{
	struct p9_out out = begin(s, P9_READ_HEADER_BYTES);

	if (j->result < 0)
		return send_error(s, r, P9_READ_HEADER_BYTES, j->tag, (int)j->result);
	if (j->type != P9_TFSYNC)
		p9_put_u32(&out, (uint32_t)j->result);
	return send(s, r, &out, (uint8_t)(j->type + 1), j->tag, j->type == P9_TREAD ? (uint32_t)j->result : 0);
}

uint32_t p9_job_end(struct p9 *s, struct p9_job *j, const struct p9_request *r)
{
	uint32_t written = r ? send_result(s, j, r) : 0;
	struct p9_job **at = &s->jobs;

	while (*at != j)
		at = &(*at)->next;
	*at = j->next;
	p9_open_file_put(&s->share, j->file);
	free(j);
	return written;
}
