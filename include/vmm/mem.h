/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory: the one checked door from a guest physical address to host memory.
 *
 * It is anonymous or private file memory, reserved but not touched: a page
 * costs the host something only when the guest (or a loader) touches it.
 * A child process does not have it.
 * The layout is fixed before the first vCPU runs; lookups need no lock.
 */
#ifndef VMM_MEM_H
#define VMM_MEM_H

#include <vmm/types.h>

struct mem;

struct mem_region {
	const char *name;
	gpa_t base;
	uint64_t bytes;         /* multiple of the host page size */
	uint8_t *host;
	bool readonly;          /* the guest's writes go to the bus */
	bool ram;               /* the device tree announces it, images are loaded into it */
	bool file;              /* a file of the host's: what is in it stays over a reset */
	bool shared;            /* other processes may map it, by fd */
	int fd;
};

struct mem *mem_new(void);
void mem_free(struct mem *m);

/*
 * Adds @bytes of zeroed RAM at @base, both 2 MiB aligned or refused with -EINVAL;
 * -EEXIST if it overlaps a region, -ENOSPC if the host has no such room.
 */
int mem_add_ram(struct mem *m, const char *name, gpa_t base, uint64_t bytes);

/*
 * The same for memory through which the guest and its hypervisor talk, and which is not
 * RAM: @base at a boundary of host pages, @bytes rounded up to whole ones.
 */
int mem_add_shared(struct mem *m, const char *name, gpa_t base, uint64_t bytes);

/*
 * The same for memory that the guest only reads, its writes go to the bus; mem_load_file
 * fills it. @base and @bytes in whole host pages.
 */
int mem_add_rom(struct mem *m, const char *name, gpa_t base, uint64_t bytes);

/*
 * RAM that is added from now on is a file in memory, which can be given to other processes (vhost-user);
 * images are copied into it.
 */
void mem_share(struct mem *m);

/* No region that mem_add_file() finds a place for reaches @end; without it, 2^40. */
void mem_limit(struct mem *m, uint64_t end);

/*
 * The first @bytes of @fd as memory of the guest which is not RAM, above all that is there and
 * aligned for Linux' memory hotplug with any page size; *base is where. @readonly: the file is
 * not changed; the pages of one file are shared between VMs. Otherwise the guest's stores are
 * those of a shared mapping: fdatasync() makes them last. Its size is rounded up to 2 MiB with
 * zeroes, which are nowhere else. -ENOSPC: no room below the limit, or in the host; -ENOTSUP
 * after mem_keep_anonymous(); the mapping's errno. @fd may be closed afterwards.
 */
int mem_add_file(struct mem *m, const char *name, int fd, uint64_t bytes, bool readonly, gpa_t *base);

/*
 * The guest does not need [a, a + len) of RAM any more: the host pages that are inside it as a
 * whole are given back and read as zero. Host addresses stay valid, and vCPUs may be running.
 * -EINVAL if any byte is not RAM; -errno if the host refuses.
 */
int mem_discard(struct mem *m, gpa_t a, uint64_t len);

/*
 * All memory but files' reads as zero again, at the same host addresses; pages of loaded files
 * are let go. No vCPU may be running. -errno, with a message, if the host refuses.
 */
int mem_reset(struct mem *m);

/* All regions, sorted by base; valid until the next mem_add. */
const struct mem_region *mem_regions(const struct mem *m, unsigned *count);

/* The region with byte @a, or NULL. */
const struct mem_region *mem_region_at(const struct mem *m, gpa_t a);

/*
 * Host address of guest memory [a, a + len), or NULL if any byte of it is not
 * memory. @len in bytes; 0 is refused, so NULL always means no.
 * The bytes may change under the caller at any time: copy, then check.
 */
void *mem_ptr(const struct mem *m, gpa_t a, uint64_t len);

/* Copy in or out of guest memory. -EFAULT, and nothing copied, if any byte is not memory, or is to be written and read-only. */
int mem_read(const struct mem *m, gpa_t a, void *dst, uint64_t len);
int mem_write(const struct mem *m, gpa_t a, const void *src, uint64_t len);

/* From now on files are copied, never mapped: pages of a file cannot have tags (FEAT_MTE). */
void mem_keep_anonymous(struct mem *m);

/*
 * Puts file bytes [offset, offset + len) at @a. Whole pages whose file offset and
 * address agree modulo the page size are mapped private, not copied; the rest is
 * read. 0, -EFAULT (outside memory) or the read's errno.
 *
 * Who shortens a mapped file takes the guest's memory away: its next access to what is
 * gone ends the process with a message and PROC_HOST, the terminal restored.
 */
int mem_load_file(struct mem *m, gpa_t a, int fd, uint64_t offset, uint64_t len);

#endif
