/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Extended attributes. 9P reads and writes them as if they were files: one request makes a fid stand for a
 * value, others read or write that, and what was written counts when the fid is clunked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "9p-server.h"

#define XATTR_BYTES_MAX (64 * KIB) /* Linux's limit of a value */
#define XATTR_TOTAL_MAX (4 * MIB)  /* of all fids together */

struct p9_value {
	char name[P9_NAME_BYTES];
	size_t bytes, filled;
	int flags;
	bool writing;
	uint8_t value[];
};

static int new_value(struct p9_fids *t, size_t bytes, const char *name, struct p9_value **v)
{
	if (bytes > XATTR_BYTES_MAX)
		return -E2BIG;
	if (bytes > XATTR_TOTAL_MAX - t->value_bytes)
		return -ENOSPC;
	*v = calloc(1, sizeof(**v) + bytes);
	if (!*v)
		return -ENOMEM;
	memcpy((*v)->name, name, strlen(name) + 1);
	(*v)->bytes = bytes;
	t->value_bytes += bytes;
	return 0;
}

void p9_value_free(struct p9_fids *t, struct p9_value *v)
{
	if (v)
		t->value_bytes -= v->bytes;
	free(v);
}

int p9_value_read(struct p9_value *v, uint64_t offset, uint32_t count, struct p9_out *out, struct p9_message *m)
{
	size_t n = offset < v->filled ? v->filled - offset : 0;

	if (v->writing)
		return -EBADF;
	n = n < count ? n : count;
	p9_put_u32(out, (uint32_t)n);
	p9_spans_write(m->r->in, m->r->in_count, P9_READ_HEADER_BYTES, v->value + (n ? offset : 0), n);
	m->data_bytes = (uint32_t)n;
	return 0;
}

int p9_value_write(struct p9_value *v, uint64_t offset, const struct iovec *iov, unsigned count, size_t bytes)
{
	if (!v->writing || offset != v->filled)
		return -EINVAL;
	if (bytes > v->bytes - v->filled)
		return -ENOSPC;
	v->filled += p9_spans_read(v->value + v->filled, iov, count, bytes);
	return 0;
}

int p9_value_finish(struct p9_fid *f)
{
	struct p9_value *v = f->value;

	if (!v || !v->writing)
		return 0;
	if (v->filled != v->bytes)
		return -EIO;
	if (!v->bytes && v->flags & P9_XATTR_REPLACE)
		return p9_xattr_remove(f->node, v->name); /* the protocol has no other way to say so */
	return p9_xattr_set(f->node, v->name, v->value, v->bytes, v->flags);
}

static ssize_t fetch(struct p9_node *n, const char *name, void *value, size_t bytes)
{
	return *name ? p9_xattr_get(n, name, value, bytes) : p9_xattr_list(n, value, bytes);
}

/* The new fid reads as the value, or without a name as the names of all. */
int p9_on_xattrwalk(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in), *made;
	uint32_t id = p9_get_u32(in);
	char name[P9_NAME_BYTES];
	struct p9_value *v;
	ssize_t len;
	int err;

	(void)m;
	p9_get_string(in, name, sizeof(name));
	if (in->err)
		return in->err;
	len = fetch(f->node, name, NULL, 0);
	if (len < 0)
		return (int)len;
	err = new_value(&s->fids, (size_t)len, name, &v);
	if (err)
		return err;
	if (len)
		len = fetch(f->node, name, v->value, v->bytes);
	err = len < 0 ? (int)len : p9_fid_add(&s->fids, id, f->uid, p9_node_get(f->node), &made);
	if (err) {
		p9_value_free(&s->fids, v);
		return err;
	}
	v->filled = (size_t)len;
	made->value = v;
	p9_put_u64(out, (uint64_t)len);
	return 0;
}

int p9_on_xattrcreate(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	char name[P9_NAME_BYTES];
	uint64_t bytes;
	uint32_t flags;
	int err;

	(void)out, (void)m;
	p9_get_string(in, name, sizeof(name));
	bytes = p9_get_u64(in);
	flags = p9_get_u32(in);
	if (in->err)
		return in->err;
	if (f->open || f->value)
		return -EBADF;
	err = new_value(&s->fids, bytes, name, &f->value);
	if (err)
		return err;
	f->value->writing = true;
	f->value->flags = (int)(flags & (P9_XATTR_CREATE | P9_XATTR_REPLACE));
	return 0;
}
