/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a queue is, between the transport (mmio.c), what both formats of a ring share
 * (queue.c), the formats (split.c, packed.c), the eventfds (wires.c), and who lends a ring
 * to somebody else (vhost). Other devices see only vmm/virtio.h.
 *
 * Indices are copies of ours; those in guest memory are only ever compared with them. The
 * pointers are into guest memory and valid while the queue is ready.
 */
#ifndef DEVICES_VIRTIO_QUEUE_H
#define DEVICES_VIRTIO_QUEUE_H

#include <vmm/mem.h>
#include <vmm/virtio.h>

struct virtq {
	struct virtio_device *v;
	unsigned index;
	bool ready;
	bool lent;                              /* somebody else works on the ring: see virtq_lend() */
	uint32_t size;                          /* as the driver has written it; checked when it becomes ready */
	uint64_t desc_addr, driver_addr, device_addr;

	/* From here on: while ready. */
	const struct virtq_ring *ring;
	bool event_idx, indirect;
	bool notifications;                     /* the device wants them */
	bool armed;                             /* with EVENT_IDX: the driver knows that, at next_avail */
	union {
		struct {
			struct virtq_desc *desc;
			struct virtq_avail *avail;
			struct virtq_used *used;
			uint16_t seen_avail;    /* the driver's index when we last looked */
		} split;
		struct {
			struct virtq_packed_desc *desc;
			uint32_t *driver_event, *device_event;  /* struct virtq_packed_event, in one piece */
			bool avail_wrap, used_wrap;
			struct virtq_packed_desc *held;         /* the first one put since publish, */
			uint16_t held_flags;                    /* which lacks these */
		} packed;
	};
	/* Split: free-running. Packed: below size, with a wrap counter. */
	uint16_t next_avail, next_used;
	/* In entries of the used ring (split) or descriptors (packed): what a chain's desc_count says. */
	uint32_t fresh;                         /* pushed since the driver's wish for an interrupt was looked at */
	uint32_t in_flight;                     /* popped and not pushed */
	uint32_t epoch;                         /* not 0; another one after each reset */
	bool turn;                              /* of the device: see virtq_turn() */
	uint32_t ration;                        /* so many requests are still found in it */

	/* Every chain ever made for this queue: at most as many as the ring has entries. */
	struct virtq_chain **chains, *unused;
	unsigned chain_count, chain_room;

	/* The memory that addresses of descriptors were in last. */
	struct mem_region region;
};

/* A format. What fails has called virtio_broken(). */
struct virtq_ring {
	bool (*place)(struct virtq *q);         /* checks the size, finds the rings; indices of the beginning */
	bool (*look)(struct virtq *q);          /* is there a request at next_avail? */
	/* Puts the request at next_avail into @c, which is empty, with id and desc_count. */
	bool (*get)(struct virtq *q, struct virtq_chain *c);
	void (*move)(struct virtq *q, int by);  /* next_avail, by a chain's desc_count, back or forth */
	void (*put)(struct virtq *q, const struct virtq_chain *c, uint32_t written);
	void (*publish)(struct virtq *q);       /* all that were put, at least one, are the driver's at once */
	void (*wish)(struct virtq *q, bool on); /* tells the driver whether to notify: with EVENT_IDX, at next_avail */
	bool (*wants_interrupt)(const struct virtq *q, uint32_t fresh);
};

extern const struct virtq_ring virtq_split, virtq_packed;

/* A descriptor, of either format or in an indirect table, copied: the only copy that is looked at. */
struct virtq_loose_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t a, b;          /* split: flags, next; packed: id, flags */
} __attribute__((packed));      /* an indirect table may begin anywhere */

static inline struct virtq_loose_desc virtq_copy_desc(const void *p)
{
	const volatile struct virtq_loose_desc *d = p;

	return (struct virtq_loose_desc){ .addr = d->addr, .len = d->len, .a = d->a, .b = d->b };
}

/* For the formats. NULL or false: it breaks a rule, and virtio_broken() has been called. */
void *virtq_place(struct virtq *q, const char *what, uint64_t a, uint64_t bytes, unsigned align, bool write);
bool virtq_add_span(struct virtq *q, struct virtq_chain *c, uint64_t a, uint32_t len, bool in);
/* An indirect table; @last: its descriptor is, as it must be, the last of the chain. */
const struct virtq_loose_desc *virtq_table(struct virtq *q, uint64_t a, uint32_t len, bool last);

/* For mmio.c: the driver has written size and addresses, and the features are agreed. */
bool virtq_enable(struct virtq *q);
/* Chains popped are void from now on; a loan has ended. The next enable begins with indices of 0. */
void virtq_disable(struct virtq *q);
void virtq_free(struct virtq *q);
/*
 * virtio_type.notify. Other vCPUs may add requests as fast as this one answers them, and it is one of the guest's:
 * it goes back to the guest after a ring full. True: there are more then.
 */
bool virtq_turn(struct virtq *q);

/* In mmio.c: a used buffer notification that the driver wants. A notification of the driver, by eventfd. */
void virtio_interrupt_used(struct virtio_device *v);
void virtio_notified(struct virtio_device *v, unsigned queue);

/* ---- For vhost: somebody else works on the ring ---- */

/*
 * Where a ring is, and the eventfds by which its two sides talk. The eventfds belong to the transport and
 * live as long as the device. Writes to @kick are the driver's notifications: on KVM the kernel writes, with
 * the software hypervisor the vCPU's thread. A write to @call interrupts the driver: on KVM without a way
 * through vmm, where capability irqfd is there, otherwise through the main thread.
 */
struct virtq_loan {
	void *desc, *driver, *device;                   /* host addresses */
	uint64_t desc_addr, driver_addr, device_addr;   /* of the guest's memory */
	unsigned size;
	uint32_t base;          /* as vhost's VRING_BASE: split: the next available index */
	int kick, call;         /* eventfds; call is the same one for every queue of a device */
};

/*
 * In virtio_type.start (or later, while the device runs), for a queue that is ready and has no chain popped.
 * From now on virtq_pop finds nothing, notify is not called for the queue, and pushes and interrupts are not
 * ours. Feature bits whose work the borrower cannot do must not have been offered (v->offered may be changed
 * between virtio_init and the first driver).
 *
 * The loan ends with virtio_type.reset or queue_reset: when that returns the borrower must not touch guest
 * memory or eventfds any more. 0, or -errno with a message.
 */
int virtq_lend(struct virtq *q, struct virtq_loan *loan);

/* ---- Eventfds between driver and device (wires.c) ---- */

/* The device runs: queues that are not lent are heard by the loop, where the hypervisor writes eventfds. */
void virtio_wires_open(struct virtio_device *v);
/* It does not run any more. */
void virtio_wires_close(struct virtio_device *v);
void virtio_wires_free(struct virtio_device *v);
/* Of a loan: both made, known to the hypervisor if it can, and not heard by us but for what it cannot. */
int virtio_wires_lend(struct virtio_device *v, unsigned queue, int *kick, int *call);
/* For a queue that is lent: a notification that came over the bus goes to its borrower. */
void virtio_wires_kick(struct virtio_device *v, unsigned queue);
/* An interrupt by eventfd; false: there is none, drive the wire. */
bool virtio_wires_interrupt(struct virtio_device *v);
/* Interrupts may have been raised that InterruptStatus does not know of. */
bool virtio_wires_bypassed(const struct virtio_device *v);

#endif
