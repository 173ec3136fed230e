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
 *
 * Order of locks: the owner's (the device's), then those inside devices/disk.
 */
#ifndef VMM_DISK_H
#define VMM_DISK_H

#include <pthread.h>
#include <sys/uio.h>
#include <vmm/registry.h>
#include <vmm/types.h>

struct json_object;
struct loop;
struct disk;
struct disk_layer;

#define DISK_SECTOR_BYTES 512
#define DISK_THREADS_MAX  64

/* ---- For devices ---- */

struct disk_config {
	const char *said;               /* who asks, for messages: "--disk" */
	const char *file;               /* a path, or a URL whose scheme a layer has: nbd://host/export */
	const char *format;             /* name of a layer, or NULL: by the scheme or what the file begins with */
	bool readonly;
	bool snapshot;                  /* writes go to a temporary file, which nobody sees afterwards */
	const char *overlay;            /* writes go to this file (created, or continued); NULL: none */
	bool direct;                    /* O_DIRECT on the host */
	bool no_uring;                  /* workers do all that waits, even where the host has io_uring */
	unsigned threads;               /* workers at most; 0: a default */
	/*
	 * Set by formats for what they lie on; NULL and false for devices. @growing: reads past the end give
	 * zeroes, writes there make the file longer, and its size need not be a multiple of 512 (l->info.bytes is
	 * rounded up). @above: who opens this.
	 */
	bool growing;
	const struct disk_layer *above;
	/*
	 * vmm disk: only the image's own metadata are looked at, and nothing else is opened because they name it. What
	 * is marked as not to be written opens, too. There are no data to be read.
	 */
	bool metadata_only;
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
	/* On any thread, with the owner's lock held; may submit more. */
	void (*done)(struct disk_req *r);
	int result;                     /* 0 or -errno */
	struct disk_req *next;          /* in a list of disk_done_all(); otherwise disk.c's */
	struct disk *disk;              /* from here: private to devices/disk/disk.c */
	void *bounce;
};

/* Who uses a disk. */
struct disk_owner {
	pthread_mutex_t *lock;          /* held around the calls below and r->done */
	void (*finished)(void *opaque); /* after one or many r->done, so that one interrupt says all */
	void (*resized)(void *opaque);  /* the disk has another size, see disk_info() */
	void *opaque;
};

/*
 * Opens @cfg->file and what lies under it. Files are locked (fcntl OFD) against writers in other processes, and for
 * writing against everybody. With @cfg->snapshot or @cfg->overlay it opens the layer "overlay" on @cfg->file, which
 * opens the rest. 0, or -errno with a message that names the file and the way out.
 */
int disk_open(const struct disk_config *cfg, struct loop *l, const struct disk_owner *owner, struct disk **disk);
/* Drains, flushes and closes; NULL is fine. Without the lock. */
void disk_close(struct disk *d);

void disk_info(const struct disk *d, struct disk_info *info);

/*
 * With the lock held. true: done at once, r->result says how, r->done is not called. false: r->done follows, some
 * time after disk_kick(). Requests in flight are not ordered with each other. A host that is slow never keeps a
 * vCPU waiting; but a write may find that out by waiting once.
 */
bool disk_submit(struct disk *d, struct disk_req *r);
/* With the lock held, after one or many disk_submit(): what has to wait begins. */
void disk_kick(struct disk *d);
/*
 * With the lock held: returns when nothing is in flight; calls r->done of what was, but not finished(). What a server
 * does not answer for 10 s (with flushes among it: a minute) is given up, and fails.
 */
void disk_drain(struct disk *d);
/* With the lock held: looks at the size now, not only now and then. Calls resized() if it has changed. */
void disk_look(struct disk *d);

/*
 * For other files of guests, too: locks @fd against writers in other processes, and unless @readonly against
 * everybody, as long as it (or a duplicate) is open. 0, or -EBUSY without a message: somebody has it. A file
 * system without locks: then there are none.
 */
int disk_lock_file(int fd, bool readonly);

/* ---- For layers ---- */

#define DISK_NOWAIT 1u                  /* -EAGAIN, and nothing done, rather than wait */

enum disk_extent { DISK_DATA, DISK_ZERO, DISK_UNALLOCATED };

/* A new image, for `vmm disk create'. */
struct disk_create {
	const char *file;               /* must not exist */
	uint64_t bytes;                 /* 0: as @backing */
	const char *backing, *backing_format;   /* NULL: none; format NULL: guessed */
	uint32_t cluster_bytes;         /* 0: a default */
};

/* What a check of the layer's own metadata found. */
struct disk_check {
	uint64_t errors;                /* reading or writing on may give or destroy the wrong data */
	uint64_t leaks;                 /* clusters that nobody uses: room lost, nothing else */
	uint64_t repaired;              /* of both */
	uint64_t data_bytes;            /* allocated for the disk's content */
};

struct disk_layer_type {
	const char *name, *help;
	const char *scheme;             /* of its URLs, words: "nbd nbds", and with +more behind: nbd+unix:; NULL: none */
	/* Is it this format? @head are the first @bytes of the file. NULL: never guessed. */
	bool (*probe)(const uint8_t *head, size_t bytes);
	size_t state_bytes;
	/*
	 * @name is path or URL; formats open what they lie on by disk_layer_open(). Fills l->info.
	 * 0, or -errno with a message; close is not called then.
	 */
	int  (*open)(struct disk_layer *l, const char *name, const struct disk_config *cfg);
	void (*close)(struct disk_layer *l);
	/*
	 * Any thread, many at a time. 0 or -errno. Overlapping requests may come in any order; each is all or
	 * as the host's file system has it. Offsets and lengths are multiples of l->info.logical_bytes.
	 * @flags: DISK_NOWAIT for read and write.
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
	 * The engine of a layer for what would wait, instead of workers; it is asked only if the layer is the topmost,
	 * with the owner's lock held. Takes a READ or WRITE @r and has disk_done(r, result) called after kick() (NULL:
	 * at any time), on another thread; -EAGAIN there: a worker does it again. Refuses with -EAGAIN: a worker does
	 * it. NULL: there is none.
	 */
	int  (*submit)(struct disk_layer *l, struct disk_req *r);
	void (*kick)(struct disk_layer *l);
	/* For disk_layer_give_up(). NULL: of @below, if there is one. */
	void (*give_up)(struct disk_layer *l);
	/* For `vmm disk'. 0, or -errno with a message. NULL: there is nothing of the kind. */
	int  (*create)(const struct disk_create *c);
	/* Messages say what is wrong, the first few times. @repair: l was opened for writing. */
	int  (*check)(struct disk_layer *l, bool repair, struct disk_check *found);
	/* Adds what is particular to the format. */
	void (*describe)(struct disk_layer *l, struct json_object *facts);
};

struct disk_layer {
	const struct disk_layer_type *type;
	char *name;                     /* path or URL, for messages */
	struct disk_info info;
	struct disk_layer *below;       /* what it lies on, where it is one; disk_layer_close() closes it after it */
	bool guessed;                   /* nobody named the format */
	void *state;
};

#define DISK_LAYER(name, object) REGISTER(disk_layer, const struct disk_layer_type, name, object)

const struct disk_layer_type *disk_layer_type_at(unsigned i);   /* NULL past the last; sorted by name */
const struct disk_layer_type *disk_layer_type_find(const char *name);

/* Has @name a scheme (nbd://...), and is no path? */
bool disk_is_url(const char *name);
/* @name as it stands in the image @image: relative to the folder of that. malloc'ed; NULL: no memory. */
char *disk_name_beside(const char *image, const char *name);

/* @format NULL: guessed. On failure *l is NULL and a message was printed. */
int disk_layer_open(const char *name, const char *format, const struct disk_config *cfg, struct disk_layer **l);
void disk_layer_close(struct disk_layer *l);
/* Nobody can wait any longer: what is in flight on @l, or on what it lies on, and hangs, is to fail soon. Any thread. */
void disk_layer_give_up(struct disk_layer *l);

/* Engines say here that a request is done. Any thread, without the owner's lock. */
void disk_done(struct disk_req *r, int result);
/* The same for a list of one disk's, by r->next; each has its r->result. */
void disk_done_all(struct disk_req *list);

#endif
