/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fids: the numbers by which a guest speaks of files, and what it has of each.
 *
 * There are more fids than names: a guest holds one for every file it knows. They share nodes.
 */
#include <errno.h>
#include <spec/9p.h>
#include <stdlib.h>

#include "9p-fid.h"

#define FIDS_MAX (1u << 20)

static struct p9_fid **find_slot(struct p9_fids *t, uint32_t id)
{
	struct p9_fid **f = &t->bucket[id & (t->bucket_count - 1)];

	while (*f && (*f)->id != id)
		f = &(*f)->next;
	return f;
}

struct p9_fid *p9_fid_find(struct p9_fids *t, uint32_t id) { return *find_slot(t, id); }

/* Twice the buckets, so that a chain stays short whatever the ids are that a kind guest counts. */
static void grow_buckets(struct p9_fids *t)
{
	uint32_t count = t->bucket_count * 2;
	struct p9_fid **grown = calloc(count, sizeof(*grown)), *next;

	if (!grown)
		return;
	for (uint32_t i = 0; i < t->bucket_count; i++)
		for (struct p9_fid *f = t->bucket[i]; f; f = next) {
			next = f->next;
			f->next = grown[f->id & (count - 1)];
			grown[f->id & (count - 1)] = f;
		}
	free(t->bucket);
	t->bucket = grown;
	t->bucket_count = count;
}

int p9_fid_add(struct p9_fids *t, uint32_t id, uint32_t uid, struct p9_node *node, struct p9_fid **added)
{
	struct p9_fid *f = NULL, **slot;
	int err = 0;

	if (id == P9_NO_FID || p9_fid_find(t, id))
		err = -EBADF;
	else if (t->count >= FIDS_MAX)
		err = -EMFILE;
	else if (!(f = calloc(1, sizeof(*f))))
		err = -ENOMEM;
	if (err) {
		p9_node_put(t->share, node);
		return err;
	}
	f->id = id;
	f->uid = uid;
	f->node = node;
	if (t->count++ >= t->bucket_count)
		grow_buckets(t);
	slot = find_slot(t, id);
	*slot = f;
	if (added)
		*added = f;
	return 0;
}

static void free_fid(struct p9_fids *t, struct p9_fid *f)
{
	p9_value_free(t, f->value);
	p9_open_file_put(t->share, f->open);
	p9_node_put(t->share, f->node);
	free(f);
}

void p9_fid_drop(struct p9_fids *t, uint32_t id)
{
	struct p9_fid **slot = find_slot(t, id), *f = *slot;

	*slot = f->next;
	t->count--;
	free_fid(t, f);
}

int p9_fids_init(struct p9_fids *t, struct p9_share *share)
{
	*t = (struct p9_fids){ .share = share, .bucket_count = 64 };
	t->bucket = calloc(t->bucket_count, sizeof(struct p9_fid *));
	return t->bucket ? 0 : -ENOMEM;
}

void p9_fids_drop_all(struct p9_fids *t)
{
	for (uint32_t i = 0; i < t->bucket_count; i++)
		while (t->bucket[i])
			p9_fid_drop(t, t->bucket[i]->id);
}

void p9_fids_fini(struct p9_fids *t) { free(t->bucket); }
