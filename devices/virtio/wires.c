/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Eventfds between driver and device, where the hypervisor writes or reads them (KVM's
 * ioeventfd and irqfd), or where a ring is lent and its borrower does (vhost).
 *
 * They are made when first needed and stay until the device goes: what the hypervisor knows
 * is not changed at each reset of a driver. A kick that is left over from before a reset is
 * a notification without a reason, which a device can take.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vmm/bus.h>
#include <vmm/err.h>
#include <vmm/irq.h>
#include <vmm/log.h>
#include <vmm/loop.h>

#include "queue.h"

struct wire {
	struct virtio_device *v;
	int fd;                /* -1: not made */
	bool direct;           /* the hypervisor has its other end */
	bool tried;            /* to give it that */
	struct loop_fd *heard; /* by us */
};

struct virtio_wires {
	struct wire call;
	struct wire kick[]; /* of each queue */
};

static struct virtio_wires *wires_of(struct virtio_device *v)
{
	struct virtio_wires *w = v->wires;

	if (w)
		return w;
	w = calloc(1, sizeof(*w) + v->queue_count * sizeof(w->kick[0]));
	if (!w)
		return NULL;
	w->call = (struct wire){ .v = v, .fd = -1 };
	for (unsigned i = 0; i < v->queue_count; i++)
		w->kick[i] = (struct wire){ .v = v, .fd = -1 };
	v->wires = w;
	return w;
}

static int make_fd(struct wire *w)
{
	if (w->fd < 0)
		w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->fd < 0 ? -errno : 0;
}

static void close_fd(struct wire *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static void write_fd(const struct wire *w)
{
	int err = eventfd_write(w->fd, 1);

	(void)err; /* EAGAIN: it is signalled already */
}

static bool drained(const struct wire *w)
{
	eventfd_t n;

	return !eventfd_read(w->fd, &n);
}

static void on_kick(void *opaque, uint32_t events)
{
	struct wire *w = opaque;

	(void)events;
	if (drained(w))
		virtio_notified(w->v, (unsigned)(w - w->v->wires->kick));
}

static void on_call(void *opaque, uint32_t events)
{
	struct wire *w = opaque;

	(void)events;
	if (drained(w) && w->v->running)
		virtio_interrupt_used(w->v);
}

static int hear(struct wire *w, void (*fn)(void *opaque, uint32_t events))
{
	struct device *d = w->v->dev;

	if (!w->heard)
		w->heard = loop_add_fd(d->env->loop, w->fd, EPOLLIN, &d->lock, fn, w);
	return w->heard ? 0 : -ENOMEM;
}

static void hear_no_more(struct wire *w)
{
	loop_del_fd(w->heard);
	w->heard = NULL;
}

/* Once: a hypervisor that cannot will not learn it. */
static void connect_kick(struct virtio_device *v, unsigned queue)
{
	struct wire *w = &v->wires->kick[queue];
	gpa_t doorbell = gpa(v->dev->ranges[0].base + VIRTIO_MMIO_QUEUE_NOTIFY);

	if (w->tried || make_fd(w))
		return;
	w->tried = true;
	w->direct = !bus_notify_fd(v->dev->env->vm, doorbell, 4, queue, w->fd);
	if (!w->direct)
		close_fd(w);
}

static void connect_call(struct virtio_device *v)
{
	struct wire *w = &v->wires->call;

	if (w->tried || make_fd(w))
		return;
	w->tried = true;
	w->direct = !irq_eventfd(v->dev->env->vm, v->dev->spi, w->fd);
	if (!w->direct)
		close_fd(w);
}

void virtio_wires_open(struct virtio_device *v)
{
	if (!v->dev->env->vm || !v->dev->env->loop || !wires_of(v))
		return;
	connect_call(v);
	for (unsigned i = 0; i < v->queue_count; i++) {
		struct wire *w = &v->wires->kick[i];

		if (!virtq_ready(&v->queue[i]) || v->queue[i].lent)
			continue;
		connect_kick(v, i);
		if (w->direct && hear(w, on_kick))
			virtio_broken(v, "queue %u: the host refuses to wait for its notifications", i);
	}
	log_debug("%s: interrupts %s", v->dev->name, v->wires->call.direct ? "by eventfd" : "by its wire");
}

int virtio_wires_lend(struct virtio_device *v, unsigned queue, int *kick, int *call)
{
	struct virtio_wires *w = wires_of(v);
	int err;

	if (!w)
		return log_err(-ENOMEM, "%s: no memory for eventfds", v->dev->name);
	connect_call(v);
	connect_kick(v, queue);
	err = make_fd(&w->call);
	if (!err)
		err = make_fd(&w->kick[queue]);
	if (!err && !w->call.direct)
		err = hear(&w->call, on_call);
	if (err)
		return log_err(err, "%s: queue %u: the host refuses eventfds (too many open files?)", v->dev->name,
			       queue);
	hear_no_more(&w->kick[queue]);
	(void)drained(&w->kick[queue]);
	*kick = w->kick[queue].fd;
	*call = w->call.fd;
	return 0;
}

void virtio_wires_kick(struct virtio_device *v, unsigned queue) { write_fd(&v->wires->kick[queue]); }

bool virtio_wires_interrupt(struct virtio_device *v)
{
	if (!v->wires || !v->wires->call.direct)
		return false;
	write_fd(&v->wires->call);
	return true;
}

bool virtio_wires_bypassed(const struct virtio_device *v)
{
	if (!v->wires || !v->wires->call.direct)
		return false;
	for (unsigned i = 0; i < v->queue_count; i++)
		if (v->queue[i].lent)
			return true;
	return false;
}

void virtio_wires_close(struct virtio_device *v)
{
	if (!v->wires)
		return;
	hear_no_more(&v->wires->call);
	for (unsigned i = 0; i < v->queue_count; i++)
		hear_no_more(&v->wires->kick[i]);
}

void virtio_wires_free(struct virtio_device *v)
{
	if (!v->wires)
		return;
	virtio_wires_close(v);
	close_fd(&v->wires->call);
	for (unsigned i = 0; i < v->queue_count; i++)
		close_fd(&v->wires->kick[i]);
	free(v->wires);
	v->wires = NULL;
}
