/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one door from a guest access to a device, whatever the backend.
 *
 * KVM comes here from its MMIO exit, the software CPU from the slow path of a
 * load or store. The bus finds the range, takes the range's lock and passes the
 * OFFSET, so a device knows neither its address nor about locks.
 */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <pthread.h>
#include <vmm/types.h>

struct bus;
struct vm;

enum bus_result {
	BUS_OK,         /* handled; a read has filled *value */
	BUS_NOBODY,     /* no range there: policy is the caller's (external abort) */
	BUS_REFUSED,    /* a range is there but refuses this size or offset: external abort too */
};

/*
 * @size is 1, 2, 4 or 8; @offset is from the range's base and offset + size is
 * inside it, but offset need not be a multiple of size. For a write, *value has
 * only its low @size bytes set; for a read, bytes beyond @size are ignored.
 * Called with the range's lock held (if it has one), on the accessing vCPU's thread.
 */
typedef enum bus_result (*bus_access_fn)(void *opaque, uint64_t offset, unsigned size,
					 uint64_t *value, bool write);

struct bus_range {
	const char *name;
	gpa_t base;
	uint64_t bytes;
	bus_access_fn access;
	void *opaque;
	pthread_mutex_t *lock;  /* taken around access; NULL: the owner locks for itself (GIC) */
};

struct bus *bus_new(void);
void bus_free(struct bus *b);

/* Copies *r. -EEXIST, with a message naming both, on overlap. Before the first vCPU runs only. */
int bus_add(struct bus *b, const struct bus_range *r);
/* Takes out every range of @opaque. No vCPU may be running. */
void bus_del(struct bus *b, const void *opaque);

enum bus_result bus_access(struct bus *b, gpa_t a, unsigned size, uint64_t *value, bool write);

/*
 * From now on a guest's write of @value, @bytes wide, to @a signals eventfd @fd instead of coming here, as
 * long as the eventfd is open. -ENOTSUP, without a message, where the hypervisor has no such thing: then
 * everything comes here.
 */
int bus_notify_fd(struct vm *vm, gpa_t a, unsigned bytes, uint64_t value, int fd);

/*
 * From now on the guest reads [a, a + bytes) of a range from @host, and nobody hears of it; its
 * writes come here as before. All three in whole host pages; one such piece in a VM. @bytes 0:
 * no more. -ENOTSUP, without a message, where the hypervisor has no such thing.
 */
int bus_read_from(struct vm *vm, gpa_t a, void *host, uint64_t bytes);

/* The range with byte @a, or NULL. */
const struct bus_range *bus_find(const struct bus *b, gpa_t a);

/* For lists (caps, fuzz): range @i in address order, NULL past the last. */
const struct bus_range *bus_range_at(const struct bus *b, unsigned i);

#endif
