/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 9P server in pieces:
 *
 *   9p.c          the virtio device: rings, options, workers for what may take long
 *   9p-server.c   a request in, its answer out: which handler, header, errors; jobs
 *   9p-session.c  the requests by what they are about: the session and its fids,
 *   9p-file.c       open files and locks,
 *   9p-folder.c     listing folders, making and taking away,
 *   9p-attr.c       what a file is,
 *   9p-xattr.c      extended attributes
 *   9p-message.c  words of messages: what the guest says is checked here
 *   9p-fid.c      the table of fids
 *   9p-share.c    the shared folder: host files, their owners as the guest sees them
 *
 * Only 9p.c knows a ring, and only 9p-share.c how a file of the host is reached. All calls but p9_job_run with
 * the device's lock held.
 */
#ifndef VIRTIO_9P_H
#define VIRTIO_9P_H

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <vmm/types.h>

/* ---- The shared folder ---- */

enum p9_map {
	P9_MAP_USER,    /* what belongs to our user belongs to @uid in the guest */
	P9_MAP_XATTR,   /* owner, mode and type are in extended attributes: the guest may set them as it likes */
};

struct p9_config {
	const char *said;               /* who asks, for messages: "--share" */
	const char *dir;
	bool readonly;
	enum p9_map map;
	uint32_t uid, gid;              /* whose our user's files are in the guest */
};

/*
 * A file or folder, held by an O_PATH descriptor that was opened beneath its parent's: renaming or replacing
 * what is on the way changes nothing any more. The name is the one it was found by and may have become wrong.
 */
struct p9_node {
	unsigned refs;
	int fd;
	struct p9_node *parent;         /* NULL: the root */
	unsigned depth;
	dev_t dev;
	char name[];
};

struct p9_share {
	struct p9_config cfg;
	struct p9_node *root;
	unsigned fd_count, fd_max;      /* of nodes and of open files */
	unsigned fd_end;                /* numbers from here on are not for shares, however many there are */
	uid_t uid;                      /* ours */
	gid_t gid;
	mode_t umask;
};

#define P9_NAME_BYTES (255 + 1)
#define P9_PATH_BYTES 4096

int p9_share_open(struct p9_share *s, const struct p9_config *cfg);
void p9_share_close(struct p9_share *s);

struct p9_node *p9_node_get(struct p9_node *n);
void p9_node_put(struct p9_share *s, struct p9_node *n); /* NULL is fine */

/* @name is one component, never "." or ".."; so everywhere below. -errno. */
int p9_node_walk(struct p9_share *s, struct p9_node *dir, const char *name, struct p9_node **n);
/* As the guest sees it. */
int p9_node_stat(struct p9_share *s, struct p9_node *n, struct stat *st);
/* Regular files and folders only. Returns a descriptor for reading, writing (@flags as open(2)) or listing. */
int p9_node_open(struct p9_share *s, struct p9_node *n, int flags);

/* What is made belongs to @uid and @gid, as far as the mapping can say it. */
struct p9_make {
	struct p9_node *dir;
	const char *name;
	uint32_t mode, uid, gid;
};
/* A regular file, opened; one that is there is opened unless @flags has O_EXCL. Returns the descriptor. */
int p9_create(struct p9_share *s, const struct p9_make *m, int flags, struct p9_node **n);
int p9_mkdir(struct p9_share *s, const struct p9_make *m, struct p9_node **n);
int p9_mknod(struct p9_share *s, const struct p9_make *m, dev_t dev, struct p9_node **n);
int p9_symlink(struct p9_share *s, const struct p9_make *m, const char *target, struct p9_node **n);

int p9_readlink(struct p9_share *s, struct p9_node *n, char target[P9_PATH_BYTES]);
int p9_link(struct p9_share *s, struct p9_node *n, struct p9_node *dir, const char *name);
int p9_rename(struct p9_node *from, const char *name, struct p9_node *to, const char *new_name);
int p9_unlink(struct p9_node *dir, const char *name, bool folder);
/* Is @n what its parent has by its name? -ESTALE where it is not. */
int p9_node_is_there(struct p9_node *n);

int p9_chmod(struct p9_share *s, struct p9_node *n, uint32_t mode);
int p9_chown(struct p9_share *s, struct p9_node *n, uint32_t uid, uint32_t gid); /* UINT32_MAX: as it is */
int p9_truncate(struct p9_node *n, uint64_t bytes);
int p9_utimes(struct p9_node *n, const struct timespec times[2]);

/* Extended attributes; those of the mapping, and all but the user's, do not exist for the guest. */
ssize_t p9_xattr_get(struct p9_node *n, const char *name, void *value, size_t bytes);
ssize_t p9_xattr_list(struct p9_node *n, char *names, size_t bytes); /* bytes 0: how many */
int p9_xattr_set(struct p9_node *n, const char *name, const void *value, size_t bytes, int flags);
int p9_xattr_remove(struct p9_node *n, const char *name);

/* ---- The server ---- */

#define P9_MSIZE_MAX (1 * MIB)

struct p9;
struct p9_job;

/* A message of the guest and the room for the answer: guest memory. */
struct p9_request {
	const struct iovec *out, *in;
	unsigned out_count, in_count;
};

enum p9_done {
	P9_ANSWERED,    /* *written bytes of `in' are the answer */
	P9_LATER,       /* *job is to be run by p9_job_run() and then ended */
	P9_AFTER,       /* to be given again when *job has ended */
	P9_BROKEN,      /* there is no room for an answer, or no message */
};

int p9_new(const struct p9_config *cfg, struct p9 **s);
/* No job may be left. */
void p9_free(struct p9 *s);
/* As if nobody had ever been there. Jobs may still be ended. */
void p9_forget(struct p9 *s);

enum p9_done p9_answer(struct p9 *s, const struct p9_request *r, uint32_t *written, struct p9_job **job);

/* Any thread, without the lock. The request's memory must stay. */
void p9_job_run(struct p9_job *job);
/* Frees the job. Returns the bytes of `in' that are the answer; @r NULL: nobody waits for one any more. */
uint32_t p9_job_end(struct p9 *s, struct p9_job *job, const struct p9_request *r);

#endif
