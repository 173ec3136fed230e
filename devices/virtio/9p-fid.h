/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fids: the numbers by which a guest speaks of files, and what it has of each. */
#ifndef VIRTIO_9P_FID_H
#define VIRTIO_9P_FID_H

#include "9p.h"

/* An open file outlives its fid while a job works on it. (9p-file.c) */
struct p9_open_file {
	unsigned refs;
	int fd;
	bool folder;
	bool never_waits;       /* reading it: its file system is memory */
	bool syncs;             /* writing it: O_DSYNC or O_SYNC, and there is a disk */
};

void p9_open_file_put(struct p9_share *s, struct p9_open_file *o);      /* NULL is fine */

/* The value of an extended attribute, read and written as if it were a file. (9p-xattr.c) */
struct p9_value;
struct p9_fids;

void p9_value_free(struct p9_fids *t, struct p9_value *v);      /* NULL is fine */

/* A file or folder; it may be open, or stand for a value that is its, never both. */
struct p9_fid {
	struct p9_fid *next;
	uint32_t id, uid;
	struct p9_node *node;
	struct p9_open_file *open;
	struct p9_value *value;
};

struct p9_fids {
	struct p9_share *share;
	struct p9_fid **bucket;         /* by the low bits of the id */
	uint32_t bucket_count, count;
	size_t value_bytes;             /* of all values together */
};

int p9_fids_init(struct p9_fids *t, struct p9_share *share);
void p9_fids_drop_all(struct p9_fids *t);
/* None may be left. */
void p9_fids_fini(struct p9_fids *t);

struct p9_fid *p9_fid_find(struct p9_fids *t, uint32_t id);     /* NULL: there is none */
/* Takes over @node, on failure too. @added may be NULL. */
int p9_fid_add(struct p9_fids *t, uint32_t id, uint32_t uid, struct p9_node *node, struct p9_fid **added);
/* It is there. */
void p9_fid_drop(struct p9_fids *t, uint32_t id);

#endif
