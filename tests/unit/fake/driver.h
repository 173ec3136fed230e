/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's side of one virtio device: registers over the bus, split rings in guest
 * memory. Well-behaved as long as the test does not reach into it.
 */
#ifndef UNIT_FAKE_DRIVER_H
#define UNIT_FAKE_DRIVER_H

#include <vmm/mem.h>
#include <vmm/virtio.h>
#include "vm.h"

#define DRIVER_RAM       UINT64_C(0x40000000)
#define DRIVER_RAM_BYTES (64 * MIB)
#define DRIVER_ENTRIES   16

struct driver {
	struct vm vm;                   /* with loop, bus, console, devices */
	struct mem *mem;
	struct device *dev;
	struct virtio_device *v;        /* to look at */
	uint64_t base;                  /* of its registers */
	uint64_t features;              /* accepted */
	uint64_t unused;                /* guest memory from here on */
	struct driver_queue {
		struct virtq_desc *desc;
		struct virtq_avail *avail;
		struct virtq_used *used;
		uint16_t next, seen;    /* descriptor, used entry */
	} queue[VIRTIO_QUEUES_MAX];
};

/* A device of @options ("virtio-foo,key=value"), not initialised; NULL if it is refused. */
struct driver *driver_new(const char *options);
/* The same must be refused, with a message in which @why stands. */
void driver_refused(const char *options, const char *why);
void driver_free(struct driver *d);
/* Features as far as they are in @wanted, all queues, DRIVER_OK. May be called again: resets first. */
void driver_start(struct driver *d, uint64_t wanted);

uint64_t driver_offered(struct driver *d);
uint32_t driver_reg(struct driver *d, unsigned reg);
void driver_set_reg(struct driver *d, unsigned reg, uint32_t value);
bool driver_broken(struct driver *d);

/* Guest memory; zeroed. */
uint64_t driver_alloc(struct driver *d, uint64_t bytes);
void *driver_ptr(struct driver *d, uint64_t gpa);

/* A request: @out bytes at @out_at for the device to read, @in at @in_at to write; 0 is none. Returns its id. */
unsigned driver_add(struct driver *d, unsigned queue, uint64_t out_at, uint32_t out, uint64_t in_at, uint32_t in);
void driver_notify(struct driver *d, unsigned queue);
/* The next one that is done; false: none. */
bool driver_done(struct driver *d, unsigned queue, unsigned *id, uint32_t *written);

#endif
