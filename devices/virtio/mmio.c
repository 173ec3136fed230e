/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MMIO transport, modern only: the registers of a slot, the status machine, features,
 * configuration space and interrupts. The same for every device type.
 *
 * A driver's write in a state where the document does not allow it changes nothing and is
 * said at level guest. What is broken beyond that sets DEVICE_NEEDS_RESET, and the device
 * stands still until the driver resets it. (virtio 1.2, 2.1, 4.2)
 *
 * The wire is edge triggered, and InterruptStatus says what for: an edge for each bit that
 * was clear. A driver that clears a bit looks at what it stands for afterwards, so an event
 * while the bit is set needs no edge of its own.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/err.h>
#include <vmm/fdt.h>
#include <vmm/log.h>

#include "queue.h"

#define VENDOR_ID    0x4d4d56 /* "VMM" */
#define CONFIG_BYTES 0x100    /* what the slot has room for */
#define FEATURE(n)   (UINT64_C(1) << (n))
#define OF_TRANSPORT                                                                                   \
	(FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_F_INDIRECT_DESC) | FEATURE(VIRTIO_F_EVENT_IDX) | \
	 FEATURE(VIRTIO_F_RING_PACKED))

static const char *const transport_features[64] = {
	[VIRTIO_F_INDIRECT_DESC] = "indirect-desc",   [VIRTIO_F_EVENT_IDX] = "event-idx",
	[VIRTIO_F_VERSION_1] = "version-1",           [VIRTIO_F_ACCESS_PLATFORM] = "access-platform",
	[VIRTIO_F_RING_PACKED] = "ring-packed",       [VIRTIO_F_IN_ORDER] = "in-order",
	[VIRTIO_F_ORDER_PLATFORM] = "order-platform", [VIRTIO_F_NOTIFICATION_DATA] = "notification-data",
	[VIRTIO_F_RING_RESET] = "ring-reset",
};

static const char *name_of(const struct virtio_device *v) { return v->dev->name; }

/* ---- Traces ---- */

static void feature_name(const struct virtio_type *t, unsigned n, char *text, size_t room)
{
	const char *name = transport_features[n];

	if (!name && n < t->feature_name_count)
		name = t->feature_names[n];
	if (name)
		snprintf(text, room, "%s", name);
	else
		snprintf(text, room, "%u", n);
}

static void trace_features(const struct virtio_device *v, const char *what, uint64_t features)
{
	char text[1024] = "";
	size_t len = 0;

	if (!log_enabled(LOG_DEBUG))
		return;
	for (unsigned n = 0; n < 64; n++)
		if (features >> n & 1 && len + 64 < sizeof(text)) {
			text[len++] = ' ';
			feature_name(v->type, n, text + len, sizeof(text) - len);
			len += strlen(text + len);
		}
	log_debug("%s: features %s:%s", name_of(v), what, features ? text : " none");
}

/* A write that the document does not allow now. */
static void refused(const struct virtio_device *v, const char *what)
{
	log_guest("%s: %s; passed over (status 0x%x)", name_of(v), what, v->status);
}

/* ---- Interrupts ---- */

static void interrupt(struct virtio_device *v, uint32_t why)
{
	if (v->interrupt_status & why)
		return;
	v->interrupt_status |= why;
	if (virtio_wires_interrupt(v))
		return;
	device_irq(v->dev, true);
	device_irq(v->dev, false);
}

void virtio_interrupt_used(struct virtio_device *v) { interrupt(v, VIRTIO_MMIO_INT_VRING); }

static void interrupt_config(struct virtio_device *v)
{
	if (v->status & VIRTIO_STATUS_DRIVER_OK)
		interrupt(v, VIRTIO_MMIO_INT_CONFIG);
}

void virtio_config_changed(struct virtio_device *v)
{
	v->generation++;
	interrupt_config(v);
}

void virtio_broken(struct virtio_device *v, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (v->status & VIRTIO_STATUS_NEEDS_RESET)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_guest("%s: %s; it stands still until its driver resets it", name_of(v), text);
	v->running = false;
	v->status |= VIRTIO_STATUS_NEEDS_RESET;
	interrupt_config(v);
}

/* ---- Turns of the device ---- */

static void have_turn(struct virtio_device *v, unsigned queue)
{
	if (!virtq_turn(&v->queue[queue]))
		return;
	v->resting |= UINT64_C(1) << queue;
	if (v->rest.loop)
		loop_timer_arm(&v->rest, loop_now_ns());
}

void virtio_notified(struct virtio_device *v, unsigned queue)
{
	if (v->running && v->queue[queue].ready && !v->queue[queue].lent)
		have_turn(v, queue);
}

static void serve_resting(void *opaque)
{
	struct virtio_device *v = opaque;
	uint64_t queues = v->resting;

	v->resting = 0;
	for (unsigned i = 0; i < v->queue_count; i++)
		if (queues >> i & 1)
			virtio_notified(v, i);
}

/* Drivers may have filled a queue before the device looks at it, and will not say so again. */
static void first_look(struct virtio_device *v, unsigned queue)
{
	if (!virtq_empty(&v->queue[queue]))
		have_turn(v, queue);
}

/* ---- Status ---- */

static void forget_queue(struct virtq *q)
{
	virtq_disable(q);
	q->size = q->v->type->queue_size;
	q->desc_addr = q->driver_addr = q->device_addr = 0;
}

static void reset(struct virtio_device *v)
{
	v->running = false;
	virtio_wires_close(v);
	if (v->type->reset)
		v->type->reset(v);
	for (unsigned i = 0; i < v->queue_count; i++)
		forget_queue(&v->queue[i]);
	v->status = 0;
	v->features = v->driver_features = 0;
	v->device_features_sel = v->driver_features_sel = v->queue_sel = 0;
	v->interrupt_status = 0;
	v->resting = 0;
}

/* The driver asks whether its choice will do; the answer is whether the bit stays. */
static void agree_features(struct virtio_device *v)
{
	uint64_t wanted = v->driver_features;

	if (wanted & ~v->offered) {
		trace_features(v, "wanted, never offered", wanted & ~v->offered);
		return refused(v, "FEATURES_OK with features never offered");
	}
	if (!(wanted & FEATURE(VIRTIO_F_VERSION_1)))
		return refused(v, "FEATURES_OK without VERSION_1: there is no legacy interface");
	if (v->type->accept && !v->type->accept(v, wanted)) {
		trace_features(v, "refused together", wanted);
		return;
	}
	v->features = wanted;
	v->status |= VIRTIO_STATUS_FEATURES_OK;
	trace_features(v, "accepted", wanted);
}

static void start(struct virtio_device *v)
{
	if (!(v->status & VIRTIO_STATUS_FEATURES_OK))
		return refused(v, "DRIVER_OK before FEATURES_OK");
	v->status |= VIRTIO_STATUS_DRIVER_OK;
	if (v->status & VIRTIO_STATUS_NEEDS_RESET)
		return interrupt_config(v);
	v->running = true;
	if (v->type->start && v->type->start(v))
		return virtio_broken(v, "cannot start");
	virtio_wires_open(v);
	for (unsigned i = 0; i < v->queue_count; i++)
		first_look(v, i);
}

static void write_status(struct virtio_device *v, uint32_t value)
{
	const uint32_t plain = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FAILED;
	uint32_t fresh = value & ~(uint32_t)v->status;

	if (!value) {
		log_debug("%s: reset by the driver", name_of(v));
		return reset(v);
	}
	/* 2.1.1: the driver must not clear bits; NEEDS_RESET is ours. */
	if (v->status & ~value & ~(uint32_t)VIRTIO_STATUS_NEEDS_RESET)
		refused(v, "a status bit cleared other than by a reset");
	v->status |= fresh & plain;
	if (fresh & VIRTIO_STATUS_FEATURES_OK)
		agree_features(v);
	if (fresh & VIRTIO_STATUS_DRIVER_OK)
		start(v);
}

/* ---- Features ---- */

static uint32_t feature_word(uint64_t features, uint32_t sel)
{
	return sel < 2 ? (uint32_t)(features >> 32 * sel) : 0;
}

static void write_driver_features(struct virtio_device *v, uint32_t value)
{
	unsigned shift = 32 * v->driver_features_sel;

	if (v->status & VIRTIO_STATUS_FEATURES_OK)
		return refused(v, "features written after FEATURES_OK");
	if (v->driver_features_sel < 2)
		v->driver_features = (v->driver_features & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)value
												       << shift;
	else if (value)
		refused(v, "features beyond 64");
}

/* ---- Queues ---- */

static struct virtq *selected(struct virtio_device *v)
{
	return v->queue_sel < v->queue_count ? &v->queue[v->queue_sel] : NULL;
}

/* Nothing of it is touched any more when the driver's write is over. */
static void stop_queue(struct virtio_device *v, struct virtq *q)
{
	q->ready = false;
	v->type->queue_reset(v, q->index);
	virtq_disable(q);
}

static void make_ready(struct virtio_device *v, struct virtq *q)
{
	if (v->status & VIRTIO_STATUS_DRIVER_OK && !virtio_has(v, VIRTIO_F_RING_RESET))
		return refused(v, "QueueReady after DRIVER_OK");
	if (!virtq_enable(q))
		return;
	log_debug("%s: queue %u: %u entries", name_of(v), q->index, q->size);
	if (!v->running)
		return;
	virtio_wires_open(v);
	first_look(v, q->index);
}

/* 4.2.2.2: so a driver stops using it, and has no need of RING_RESET for that. */
static void make_unready(struct virtio_device *v, struct virtq *q)
{
	if (!(v->status & VIRTIO_STATUS_DRIVER_OK))
		virtq_disable(q);
	else if (v->running && v->type->queue_reset)
		stop_queue(v, q);
	else
		refused(v, "QueueReady 0, of a queue that only stops with its device");
}

static void write_ready(struct virtio_device *v, struct virtq *q, uint32_t value)
{
	if (!value && !q->ready)
		return; /* Linux takes queues away that its reset has taken away */
	if (value > 1 || value == q->ready)
		return refused(v, value > 1 ? "QueueReady is neither 0 nor 1" : "QueueReady is 1 already");
	if (!(v->status & VIRTIO_STATUS_FEATURES_OK))
		return refused(v, "QueueReady before FEATURES_OK");
	if (value)
		make_ready(v, q);
	else
		make_unready(v, q);
}

/* 2.6.1: done when the write is. The queue may be made ready again, elsewhere and with another size. */
static void reset_queue(struct virtio_device *v, struct virtq *q, uint32_t value)
{
	if (!virtio_has(v, VIRTIO_F_RING_RESET) || !v->running || value != 1 || !q->ready)
		return refused(v, "a reset of a queue that is not in use, or not agreed on");
	stop_queue(v, q);
	forget_queue(q);
}

static void set_half(uint64_t *a, bool high, uint32_t value)
{
	*a = high ? (*a & 0xffffffff) | (uint64_t)value << 32 : (*a & ~UINT64_C(0xffffffff)) | value;
}

static void write_queue(struct virtio_device *v, unsigned reg, uint32_t value)
{
	struct virtq *q = selected(v);

	if (!q)
		return refused(v, "a queue that the device does not have");
	if (reg == VIRTIO_MMIO_QUEUE_READY)
		return write_ready(v, q, value);
	if (reg == VIRTIO_MMIO_QUEUE_RESET)
		return reset_queue(v, q, value);
	if (q->ready)
		return refused(v, "a queue's place written while it is ready");
	switch (reg) {
	case VIRTIO_MMIO_QUEUE_SIZE: q->size = value; break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH: set_half(&q->desc_addr, reg & 4, value); break;
	case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
	case VIRTIO_MMIO_QUEUE_DRIVER_HIGH: set_half(&q->driver_addr, reg & 4, value); break;
	case VIRTIO_MMIO_QUEUE_DEVICE_LOW:
	case VIRTIO_MMIO_QUEUE_DEVICE_HIGH: set_half(&q->device_addr, reg & 4, value); break;
	}
}

static void notify(struct virtio_device *v, uint32_t i)
{
	bool ready = i < v->queue_count && v->queue[i].ready;

	if (ready && v->running && v->queue[i].lent)
		virtio_wires_kick(v, i);
	else if (ready && v->running)
		have_turn(v, i);
	else if (!ready && !(v->status & VIRTIO_STATUS_NEEDS_RESET))
		refused(v, "a notification for a queue that is not in use");
	/* Else it is early, as Linux's balloon is with statistics: DRIVER_OK looks at every queue. */
}

/* ---- Configuration space ---- */

/* Beyond what the device has there are zeroes. */
static void read_config(struct virtio_device *v, uint64_t offset, unsigned size, uint64_t *value)
{
	*value = 0;
	if (offset >= v->config_bytes)
		return;
	if (size > v->config_bytes - offset)
		size = (unsigned)(v->config_bytes - offset);
	memcpy(value, (char *)v->config + offset, size);
}

static void write_config(struct virtio_device *v, uint64_t offset, unsigned size, uint64_t value)
{
	if (!v->type->config_written || offset >= v->config_bytes || size > v->config_bytes - offset)
		return refused(v, "a write to what is read-only in the configuration space");
	memcpy((char *)v->config + offset, &value, size);
	v->type->config_written(v, (unsigned)offset, size);
}

/* ---- Registers ---- */

/* Who works on a ring that is lent interrupts without us: the driver looks, and finds what there is. */
static uint32_t interrupt_status(const struct virtio_device *v)
{
	return v->interrupt_status | (virtio_wires_bypassed(v) ? VIRTIO_MMIO_INT_VRING : 0);
}

static uint32_t read_reg(struct virtio_device *v, unsigned reg)
{
	const struct virtq *q = selected(v);

	switch (reg) {
	case VIRTIO_MMIO_MAGIC_VALUE: return VIRTIO_MMIO_MAGIC;
	case VIRTIO_MMIO_VERSION: return VIRTIO_MMIO_VERSION_MODERN;
	case VIRTIO_MMIO_DEVICE_ID: return v->type->id;
	case VIRTIO_MMIO_VENDOR_ID: return VENDOR_ID;
	case VIRTIO_MMIO_DEVICE_FEATURES: return feature_word(v->offered, v->device_features_sel);
	case VIRTIO_MMIO_QUEUE_SIZE_MAX: return q ? v->type->queue_size : 0;
	case VIRTIO_MMIO_QUEUE_READY: return q ? q->ready : 0;
	case VIRTIO_MMIO_INTERRUPT_STATUS: return interrupt_status(v);
	case VIRTIO_MMIO_STATUS: return v->status;
	case VIRTIO_MMIO_SHM_LEN_LOW:
	case VIRTIO_MMIO_SHM_LEN_HIGH:
	case VIRTIO_MMIO_SHM_BASE_LOW:
	case VIRTIO_MMIO_SHM_BASE_HIGH: return UINT32_MAX; /* there is no shared memory region */
	case VIRTIO_MMIO_CONFIG_GENERATION: return v->generation;
	}
	return 0;
}

static void write_reg(struct virtio_device *v, unsigned reg, uint32_t value)
{
	switch (reg) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL: v->device_features_sel = value; break;
	case VIRTIO_MMIO_DRIVER_FEATURES: write_driver_features(v, value); break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL: v->driver_features_sel = value; break;
	case VIRTIO_MMIO_QUEUE_SEL: v->queue_sel = value; break;
	case VIRTIO_MMIO_QUEUE_SIZE:
	case VIRTIO_MMIO_QUEUE_READY:
	case VIRTIO_MMIO_QUEUE_RESET:
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
	case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
	case VIRTIO_MMIO_QUEUE_DRIVER_HIGH:
	case VIRTIO_MMIO_QUEUE_DEVICE_LOW:
	case VIRTIO_MMIO_QUEUE_DEVICE_HIGH: write_queue(v, reg, value); break;
	case VIRTIO_MMIO_QUEUE_NOTIFY: notify(v, value); break;
	case VIRTIO_MMIO_INTERRUPT_ACK: v->interrupt_status &= ~value; break;
	case VIRTIO_MMIO_STATUS: write_status(v, value); break;
	}
}

/* 4.2.2.2: registers are read and written as whole words, the configuration space by its fields. */
enum bus_result virtio_access(struct device *d, unsigned range, uint64_t offset, unsigned size, uint64_t *value,
			      bool write)
{
	struct virtio_device *v = d->state;

	(void)range;
	if (offset >= VIRTIO_MMIO_CONFIG) {
		if (write)
			write_config(v, offset - VIRTIO_MMIO_CONFIG, size, *value);
		else
			read_config(v, offset - VIRTIO_MMIO_CONFIG, size, value);
		return BUS_OK;
	}
	if (size != 4 || offset % 4)
		return BUS_REFUSED;
	if (write)
		write_reg(v, (unsigned)offset, (uint32_t)*value);
	else
		*value = read_reg(v, (unsigned)offset);
	return BUS_OK;
}

/* ---- Life ---- */

int virtio_init(struct device *d, const struct virtio_type *type, uint64_t features, unsigned queue_count,
		void *config, uint32_t config_bytes)
{
	struct virtio_device *v = d->state;

	CHECK(queue_count <= VIRTIO_QUEUES_MAX && config_bytes <= CONFIG_BYTES && (config || !config_bytes));
	CHECK(type->queue_size && type->queue_size <= VIRTQ_SIZE_MAX && !(type->queue_size & (type->queue_size - 1)));
	v->dev = d;
	v->type = type;
	v->offered = features | OF_TRANSPORT | (type->queue_reset ? FEATURE(VIRTIO_F_RING_RESET) : 0);
	v->config = config;
	v->config_bytes = config_bytes;
	v->queue = calloc(queue_count ? queue_count : 1, sizeof(*v->queue));
	if (!v->queue)
		return -ENOMEM;
	loop_timer_init(&v->rest, d->env->loop, &d->lock, serve_resting, v);
	v->queue_count = queue_count;
	for (unsigned i = 0; i < queue_count; i++) {
		v->queue[i].v = v;
		v->queue[i].index = i;
		v->queue[i].epoch = 1;
	}
	trace_features(v, "offered", v->offered);
	return 0;
}

void virtio_fini(struct virtio_device *v)
{
	if (v->rest.loop)
		loop_timer_arm(&v->rest, UINT64_MAX);
	virtio_wires_free(v);
	for (unsigned i = 0; i < v->queue_count; i++)
		virtq_free(&v->queue[i]);
	free(v->queue);
}

void virtio_reset(struct device *d) { reset(d->state); }

void virtio_fdt(struct device *d, struct dt *t)
{
	const struct device_range *r = &d->ranges[0];

	dt_begin(t, "virtio_mmio@%llx", (unsigned long long)r->base);
	dt_string(t, "compatible", "virtio,mmio");
	dt_reg(t, gpa(r->base), r->bytes);
	dt_spi(t, d->spi, DT_EDGE_RISING);
	dt_flag(t, "dma-coherent");
	dt_end(t);
}
