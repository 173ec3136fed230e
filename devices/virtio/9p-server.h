/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What those share who answer requests. Each request has a function here, p9_on_ and its name
 * in the protocol; the table in 9p-server.c calls them.
 */
#ifndef VIRTIO_9P_SERVER_H
#define VIRTIO_9P_SERVER_H

#include <spec/9p.h>

#include "9p-fid.h"
#include "9p-message.h"

#define P9_REQUEST_BYTES (16 * KIB)     /* the longest: a walk of sixteen names; data is not in it */
#define P9_REPLY_BYTES   (64 * KIB)     /* of which a folder's names take as much as the guest wants */

struct p9 {
	struct p9_share share;
	struct p9_fids fids;
	uint32_t msize;         /* 0: no version agreed upon */
	struct p9_job *jobs;
	uint8_t request[P9_REQUEST_BYTES], reply[P9_REPLY_BYTES];
};

struct p9_job {
	struct p9_job *next;
	struct p9_open_file *file;
	uint16_t tag;
	uint8_t type;           /* of the request */
	bool data_only;
	uint64_t offset;
	ssize_t result;
	unsigned count;
	struct iovec iov[];
};

/* A request being answered. */
struct p9_message {
	const struct p9_request *r;
	size_t out_bytes, in_bytes;     /* of the request's spans; in: at most msize, at least a header of Rread */
	uint16_t tag;
	uint8_t type;
	uint32_t data_bytes;    /* of the answer, in guest memory already, after what is in struct p9_out */
	struct p9_job *job;     /* the answer comes later */
	bool after;             /* the request is to be given again when that job has ended */
};

/* Reads what stands behind the header, and writes that of the answer; or -errno, which is the answer then. */
typedef int p9_handler(struct p9 *s, struct p9_in *in, struct p9_out *out, struct p9_message *m);

/* 9p-session.c */
p9_handler p9_on_version, p9_on_attach, p9_on_flush, p9_on_walk, p9_on_clunk;
/* 9p-file.c */
p9_handler p9_on_lopen, p9_on_lcreate, p9_on_read, p9_on_write, p9_on_fsync, p9_on_lock, p9_on_getlock;
/* 9p-folder.c */
p9_handler p9_on_readdir, p9_on_mkdir, p9_on_mknod, p9_on_symlink, p9_on_link, p9_on_unlinkat, p9_on_renameat,
	p9_on_rename, p9_on_remove;
/* 9p-attr.c */
p9_handler p9_on_getattr, p9_on_setattr, p9_on_statfs, p9_on_readlink;
/* 9p-xattr.c */
p9_handler p9_on_xattrwalk, p9_on_xattrcreate;

/* ---- What several of them need (9p-server.c) ---- */

/* The fid that is the request's next word. NULL: there is none, or something was wrong before; in->err says so. */
struct p9_fid *p9_get_fid(struct p9 *s, struct p9_in *in);

/* One number for each file: the inode's on the share's file system; others are mixed with the device's. */
uint64_t p9_qid_path(const struct p9 *s, dev_t dev, ino_t ino);
void p9_put_qid(const struct p9 *s, struct p9_out *out, const struct stat *st);
int p9_put_node_qid(struct p9 *s, struct p9_out *out, struct p9_node *n);

/* How much data fits where the guest wants it. */
uint32_t p9_fit(const struct p9_message *m, uint32_t count);

/* NULL: no memory. @iov_count spans are the caller's to fill in. */
struct p9_job *p9_job_new(struct p9 *s, struct p9_open_file *o, const struct p9_message *m, unsigned iov_count);
struct p9_job *p9_job_find(struct p9 *s, uint16_t tag);         /* NULL: none */

/* ---- Values (9p-xattr.c) ---- */

int p9_value_read(struct p9_value *v, uint64_t offset, uint32_t count, struct p9_out *out, struct p9_message *m);
int p9_value_write(struct p9_value *v, uint64_t offset, const struct iovec *iov, unsigned count, size_t bytes);
/* What was collected by writes now counts. */
int p9_value_finish(struct p9_fid *f);

#endif
