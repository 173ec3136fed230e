/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks at the host's side.
 *
 *   virtio-blk -> disk_submit() -> layers: overlay -> qcow2 -> file (raw) or nbd
 *
 * A device sees a struct disk: requests that finish at once or later. Behind it stands a stack of
 * layers, each one file in devices/disk ending in DISK_LAYER(name, &type). Layers block and may be
 * called by many threads; devices/disk/disk.c has the workers that keep the blocking away from the
 * vCPUs, and tries without them first: what the host has in its memory needs no thread.
 */
#ifndef VMM_DISK_H
#define VMM_DISK_H

#include <pthread.h>
#include <sys/uio.h>
#include <vmm/registry.h>
#include <vmm/types.h>

struct loop;
struct disk;
struct disk_layer;

#define DISK_SECTOR_BYTES 512

/* ---- For devices ---- */

struct disk_config {
	const char *said;               /* who asks, for messages: "--disk" */
	const char *file;               /* a path, or a URL whose scheme a layer has: nbd://host/export */
	const char *format;             /* name of a layer, or NULL: by the scheme or what the file begins with */
	bool readonly;
	bool snapshot;                  /* writes go to a temporary file, which nobody sees afterwards */
	const char *overlay;            /* writes go to this file (created, or continued); NULL: none */
	bool direct;                    /* O_DIRECT on the host */
	unsigned threads;               /* workers at most; 0: a default */
};

struct disk_info {
	uint64_t bytes;                 /* a multiple of 512 */
	uint32_t logical_bytes;         /* offsets and lengths of all requests are multiples of it; 512 or 4096 */
	uint32_t physical_bytes, optimal_bytes;
	uint32_t discard_bytes;         /* granularity; 0: discards are not worth while */
	bool readonly;
};

enum disk_op {
	DISK_READ, DISK_WRITE,
	DISK_FLUSH,                     /* every write that was done before it was submitted is on stable storage */
	DISK_DISCARD,                   /* reads there give anything */
	DISK_WRITE_ZEROES,              /* reads there give zeroes */
};

struct disk_req {
	enum disk_op op;
	uint64_t offset, bytes;         /* inside the disk, or it fails with -EINVAL; FLUSH: 0 */
	const struct iovec *iov;        /* READ, WRITE: @bytes in total; the caller's until done */
	unsigned iov_count;
	bool unmap;                     /* WRITE_ZEROES: may give the room back */
	/* On the main thread, or inside disk_drain(); with the lock of disk_open() held. */
	void (*done)(struct disk_req *r);
	int result;                     /* 0 or -errno */
	struct disk *disk;              /* from here: private to devices/disk/disk.c */
	struct disk_req *next;
};

/*
 * Opens @cfg->file and what lies under it. Files are locked (fcntl OFD) against writers in other processes, and for
 * writing against everybody. @grown (may be NULL) is called with @lock held when the disk has changed its size.
 * 0, or -errno with a message that names the file and the way out.
 */
int disk_open(const struct disk_config *cfg, struct loop *l, pthread_mutex_t *lock, void (*grown)(void *opaque),
	      void *opaque, struct disk **disk);
/* Drains, flushes and closes; NULL is fine. Without the lock. */
void disk_close(struct disk *d);

void disk_info(const struct disk *d, struct disk_info *info);

/*
 * With the lock held. true: done at once, r->result says how, r->done is not called. false: r->done follows.
 * Requests in flight are not ordered with each other. A reader that is slow never keeps a vCPU waiting.
 */
bool disk_submit(struct disk *d, struct disk_req *r);
/* With the lock held: returns when nothing is in flight; calls r->done of what was. */
void disk_drain(struct disk *d);

/* ---- For layers ---- */

#define DISK_NOWAIT 1u                  /* -EAGAIN, and nothing done, rather than wait */

enum disk_extent { DISK_DATA, DISK_ZERO, DISK_UNALLOCATED };

struct disk_layer_type {
	const char *name, *help;
	const char *scheme;             /* of its URLs, "nbd"; NULL: none */
	/* Is it this format? @head are the first @bytes of the file. NULL: never guessed. */
	bool (*probe)(const uint8_t *head, size_t bytes);
	size_t state_bytes;
	/*
	 * @name is path or URL; formats open what they lie on by disk_layer_open(). Fills l->info.
	 * 0, or -errno with a message.
	 */
	int  (*open)(struct disk_layer *l, const char *name, const struct disk_config *cfg);
	void (*close)(struct disk_layer *l);
	/*
	 * Any thread, many at a time. 0 or -errno. Overlapping requests may come in any order; each is all or
	 * as the host's file system has it. @flags: DISK_NOWAIT for read and write.
	 */
	int  (*read)(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags);
	int  (*write)(struct disk_layer *l, uint64_t offset, const struct iovec *iov, unsigned count, unsigned flags);
	int  (*flush)(struct disk_layer *l);
	/* NULL: -EOPNOTSUPP; disk.c writes zeroes itself, and leaves discards undone. */
	int  (*discard)(struct disk_layer *l, uint64_t offset, uint64_t bytes);
	int  (*write_zeroes)(struct disk_layer *l, uint64_t offset, uint64_t bytes, bool unmap);
	/* What is at @offset, and for how many bytes (at most *bytes) it is so. NULL: all is data. */
	enum disk_extent (*extent)(struct disk_layer *l, uint64_t offset, uint64_t *bytes);
	/* Looks at the size again; true: l->info.bytes has changed. NULL: it cannot. */
	bool (*resized)(struct disk_layer *l);
	/*
	 * The layer's own engine for what would wait, instead of workers: takes @r and has disk_done(r, result) called
	 * later, on any thread. -EAGAIN: it is full, a worker does it. NULL: there is none.
	 */
	int  (*submit)(struct disk_layer *l, struct disk_req *r);
};

struct disk_layer {
	const struct disk_layer_type *type;
	const char *name;               /* path or URL, for messages */
	struct disk_info info;
	struct disk_layer *below;       /* what it lies on, where it is one; closed with it */
	void *state;
};

#define DISK_LAYER(name, object) REGISTER(disk_layer, const struct disk_layer_type, name, object)

const struct disk_layer_type *disk_layer_type_at(unsigned i);   /* NULL past the last; sorted by name */
const struct disk_layer_type *disk_layer_type_find(const char *name);

/* @format NULL: guessed. On failure *l is NULL and a message was printed. */
int disk_layer_open(const char *name, const char *format, const struct disk_config *cfg, struct disk_layer **l);
void disk_layer_close(struct disk_layer *l);

/* Engines say here that a request is done. Any thread. */
void disk_done(struct disk_req *r, int result);

#endif
