/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a session begins, and how fids come and go: version, attach, walk, clunk; and flush.
 */
#include <errno.h>
#include <string.h>

#include "9p-server.h"

int p9_on_version(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	uint32_t msize = p9_get_u32(in);
	char version[32];
	bool known;

	(void)m;
	p9_get_string(in, version, sizeof(version));
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
	p9_put_u32(out, msize);
	p9_put_string(out, known ? P9_VERSION : "unknown");
	return 0;
}

int p9_on_attach(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	uint32_t id = p9_get_u32(in), auth = p9_get_u32(in), uid;
	char text[P9_PATH_BYTES];
	int err;

	(void)m;
	p9_get_string(in, text, sizeof(text)); /* who, and which tree: there is one, for everybody */
	p9_get_string(in, text, sizeof(text));
	uid = p9_get_u32(in);
	if (in->err)
		return in->err;
	if (auth != P9_NO_FID)
		return -EINVAL;
	err = p9_fid_add(&s->fids, id, uid == P9_NO_UID ? s->share.cfg.uid : uid, p9_node_get(s->share.root), NULL);
	if (!err)
		err = p9_put_node_qid(s, out, s->share.root);
	return err;
}

/* Nothing is taken back; the answer to the old request only has to come first. */
int p9_on_flush(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	uint16_t tag = p9_get_u16(in);

	(void)out;
	if (in->err)
		return in->err;
	m->job = p9_job_find(s, tag);
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
static int walk(struct p9 *s, struct p9_out *out, char (*names)[P9_NAME_BYTES], unsigned count, struct p9_node **node,
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
		p9_put_qid(s, out, &st);
	}
	return 0;
}

static int get_walk(struct p9_in *in, char (*names)[P9_NAME_BYTES], unsigned *count)
{
	*count = p9_get_u16(in);
	if (*count > P9_WALK_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < *count; i++) {
		p9_get_string(in, names[i], P9_NAME_BYTES);
		if (!in->err && (!names[i][0] || strchr(names[i], '/') || !strcmp(names[i], ".")))
			in->err = -EINVAL;
	}
	return in->err;
}

int p9_on_walk(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	char names[P9_WALK_MAX][P9_NAME_BYTES];
	struct p9_fid *f = p9_get_fid(s, in);
	uint32_t id = p9_get_u32(in);
	unsigned count, done;
	uint8_t *counted = out->p;
	struct p9_node *node;
	int err = get_walk(in, names, &count);

	(void)m;
	if (err || !f)
		return err ? err : in->err;
	if (f->value || (id == f->id ? f->open != NULL : p9_fid_find(&s->fids, id) != NULL))
		return -EBADF;
	p9_put_u16(out, 0);
	node = p9_node_get(f->node);
	err = walk(s, out, names, count, &node, &done);
	memcpy(counted, &(uint16_t){ (uint16_t)done }, 2);
	if (err || done < count) {
		p9_node_put(&s->share, node);
		return err;
	}
	if (id != f->id)
		return p9_fid_add(&s->fids, id, f->uid, node, NULL);
	p9_node_put(&s->share, f->node);
	f->node = node;
	return 0;
}

int p9_on_clunk(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m)
{
	struct p9_fid *f = p9_get_fid(s, in);
	int err;

	(void)out, (void)m;
	if (!f)
		return in->err;
	err = p9_value_finish(f);
	p9_fid_drop(&s->fids, f->id);
	return err;
}
