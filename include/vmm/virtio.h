/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a virtio device presents itself, and what the transport and the rings offer it.
 * devices/virtio/mmio.c is the only code that knows a transport register; queue.c, split.c
 * and packed.c are the only ones that read or write a ring.
 *
 * A device is one file in devices/virtio. Its state begins with a struct virtio_device:
 *
 *   struct rng { struct virtio_device virtio; ... };
 *
 *   static const struct device_type rng_type = {
 *           .name = "virtio-rng", .state_bytes = sizeof(struct rng), VIRTIO_DEVICE,
 *           .create = rng_create,           // ends in virtio_init()
 *           .destroy = rng_destroy,         // ends in virtio_fini()
 *   };
 *   DEVICE(virtio_rng, &rng_type);
 *
 * Every call into the device and every function below has device.lock held, on whatever
 * thread: a vCPU's for a notify, the main one for what the loop brings. (OASIS virtio 1.2)
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include <spec/virtio.h>
#include <sys/uio.h>
#include <vmm/device.h>
#include <vmm/loop.h>

#define VIRTIO_QUEUES_MAX 64

struct virtq;
struct virtio_device;

struct virtio_type {
	uint32_t id;                    /* VIRTIO_ID_* */
	unsigned queue_size;            /* what QUEUE_SIZE_MAX offers; a power of two, for every queue */
	/* Names of the device type's feature bits, by number (of 0..23, 50..63); NULL where there is none. For traces. */
	const char *const *feature_names;
	unsigned feature_name_count;
	/* All below may be NULL but notify. */
	/*
	 * The driver has written FEATURES_OK with these. false: some combination does not work, and the
	 * bit stays clear. Bits never offered are refused before.
	 */
	bool (*accept)(struct virtio_device *v, uint64_t features);
	/* DRIVER_OK: v->features, and which queues are ready, are fixed. -errno, with a message: the device needs a reset. */
	int  (*start)(struct virtio_device *v);
	/*
	 * The driver resets, or the machine does, or it is the first time. Afterwards nothing in flight may
	 * touch guest memory: wait for it or cancel it. Chains still popped are void; do not push them.
	 */
	void (*reset)(struct virtio_device *v);
	/*
	 * Queue @queue has new buffers (or the driver says so without). Only between start and reset. After a
	 * ring full of them virtq_pop finds no more, and a call on the main thread follows for those.
	 */
	void (*notify)(struct virtio_device *v, unsigned queue);
	/*
	 * The driver has written @bytes at @offset of the configuration space; they are there already.
	 * NULL: the space is read-only, and nothing is written.
	 */
	void (*config_written)(struct virtio_device *v, unsigned offset, unsigned bytes);
	/* As reset, for one queue. NULL: queues stop only together, and VIRTIO_F_RING_RESET is not offered. */
	void (*queue_reset)(struct virtio_device *v, unsigned queue);
};

struct virtio_device {
	struct device *dev;
	const struct virtio_type *type;
	uint64_t offered;               /* features; RING_PACKED and the like are the transport's and in it */
	uint64_t features;              /* those accepted; 0 until FEATURES_OK */
	bool running;                   /* between DRIVER_OK and reset, and not broken */
	void *config;                   /* configuration space, little-endian, inside the device's state */
	uint32_t config_bytes;
	struct virtq *queue;            /* [queue_count] */
	unsigned queue_count;
	/* Private to mmio.c. */
	uint8_t status;
	uint32_t interrupt_status, generation;
	uint32_t device_features_sel, driver_features_sel, queue_sel;
	uint64_t driver_features;
	struct virtio_wires *wires;     /* eventfds (wires.c), or NULL */
	struct loop_timer rest;         /* when queues that had more than fits in a turn have their next, */
	uint64_t resting;               /* by number */
};

/* Designated initialisers of every virtio device's device_type. */
enum bus_result virtio_access(struct device *d, unsigned range, uint64_t offset, unsigned size, uint64_t *value,
			      bool write);
void virtio_reset(struct device *d);
void virtio_fdt(struct device *d, struct dt *t);
#define VIRTIO_DEVICE .slot = true, .access = virtio_access, .reset = virtio_reset, .fdt = virtio_fdt

/*
 * Called at the end of create. @features are the device type's own bits (and those transport bits it cannot
 * do without, none as yet); @config may be NULL. 0 or -ENOMEM.
 */
int virtio_init(struct device *d, const struct virtio_type *type, uint64_t features, unsigned queue_count,
		void *config, uint32_t config_bytes);
/* Called in destroy, after the device's own threads and fds are gone. Frees chains. */
void virtio_fini(struct virtio_device *v);

static inline bool virtio_has(const struct virtio_device *v, unsigned feature)
{
	return v->features >> feature & 1;
}

/* The device has changed its configuration space: new generation, and an interrupt. */
void virtio_config_changed(struct virtio_device *v);

/*
 * The guest has broken a rule: DEVICE_NEEDS_RESET, a message at level guest that names device and rule, and
 * no more notifications until the driver resets (2.1.2). The device keeps what it has in flight.
 */
void virtio_broken(struct virtio_device *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- Queues ---- */

/*
 * A request of the driver: memory the device may read (out, first) and memory it may write (in). All spans are
 * checked: inside guest memory, in total at most 4 GiB. The bytes may change at any time: copy, then check.
 * The spans are the caller's to advance: virtq_read and virtq_write do so.
 */
struct virtq_chain {
	struct virtq *queue;
	struct iovec *out, *in;
	unsigned out_count, in_count;
	uint64_t out_bytes, in_bytes;   /* what is left in them */
	void *opaque;                   /* the device's */
	/* Private to queue.c. */
	uint16_t id, desc_count;
	uint32_t epoch;
	unsigned room;
	struct iovec *spans;
	struct virtq_chain *next;
};

struct virtq *virtio_queue(struct virtio_device *v, unsigned i);
bool virtq_ready(const struct virtq *q);
unsigned virtq_index(const struct virtq *q);
/* Entries, as the driver chose: bounds how many chains can be popped at a time. */
unsigned virtq_size(const struct virtq *q);

/*
 * The next request, or NULL: there is none (the driver will notify when there is), or the ring is broken
 * (virtio_broken() has been called). Belongs to the device until it is pushed or put back. Any order.
 */
struct virtq_chain *virtq_pop(struct virtq *q);

/* Is there a request? Cheap. */
bool virtq_empty(struct virtq *q);

/* The request is done; @written bytes from the beginning of its `in' are valid. The driver sees it at once. */
void virtq_push(struct virtq_chain *c, uint32_t written);
/* The same for @count of one queue, at least one, that make sense only together: the driver sees all or none. */
void virtq_push_all(struct virtq_chain *const *c, const uint32_t *written, unsigned count);

/* As if the chain popped last had never been. */
void virtq_unpop(struct virtq_chain *c);

/* After one or many pushes: interrupts the driver if it wants to be. */
void virtq_interrupt(struct virtq *q);

/*
 * While the device looks at the ring by itself it wants no notifications. After switching them on look once
 * more: what came in between has not been said.
 */
void virtq_notifications(struct virtq *q, bool on);

/* Copies out of / into the chain and advances it. Returns the bytes copied: less than @len at the end. */
size_t virtq_read(struct virtq_chain *c, void *dst, size_t len);
size_t virtq_write(struct virtq_chain *c, const void *src, size_t len);
/* Advances without copying. */
size_t virtq_skip_out(struct virtq_chain *c, size_t len);
size_t virtq_skip_in(struct virtq_chain *c, size_t len);

#endif
