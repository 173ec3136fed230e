/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-console: a console (port 0, Linux's hvc0) and named ports (/dev/virtio-ports/NAME),
 * each with a struct console between it and its host end. (virtio 1.2, 5.3)
 *
 *   guest -> transmit queue -> console_write()    no room: the chain stays here until there is
 *   guest <- receive queue <- console_read()      no buffer: the bytes stay there, and the host's beyond
 *
 * So nobody waits for anybody on a vCPU's thread, and nothing is lost.
 *
 * MULTIPORT is offered only if there are named ports, and this is on purpose: with it a new
 * window size travels in a control message, whose two fields Linux had in the other order than
 * the document for fifteen years and not in all versions since. Without it the size is in the
 * configuration space, about which nobody disagrees.
 *
 * What the device owes the driver in control messages is a set of bits for each port, not a
 * list: a driver that asks without end and gives no buffers costs nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <spec/virtio-console.h>
#include <vmm/console.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/virtio.h>

#define NAMED_MAX    ((VIRTIO_QUEUES_MAX - 4) / 2)
#define NAME_BYTES   64
#define BURST_BYTES  MIB /* output in one go; what a hostile driver has more of has turns of its own */
#define EVENT(event) (1u << VIRTIO_CONSOLE_##event)

struct vconsole;

struct port {
	struct vconsole *all;
	unsigned id;
	char name[NAME_BYTES];  /* empty: the console */
	struct console *end;    /* NULL: output vanishes, there is no input */
	bool ready;             /* the driver knows it and asks to be told about it */
	bool open;              /* in the guest */
	unsigned owed;          /* EVENT()s that the driver has not been told */
	struct virtq_chain *tx; /* the one for which there was no room */
	struct loop_timer turn; /* of output that goes on */
};

struct vconsole {
	struct virtio_device virtio; /* first */
	const char *console;
	struct opt_list named;
	struct virtio_console_config config, ours; /* as the driver sees it, who may write; as it is */
	struct port *port[NAMED_MAX + 1];          /* by number; NULL: none */
	unsigned port_count;                       /* of numbers */
};

static struct vconsole *of(struct virtio_device *v) { return (struct vconsole *)v; }
static bool multiport(const struct vconsole *a) { return virtio_has(&a->virtio, VIRTIO_CONSOLE_F_MULTIPORT); }
static unsigned rx_queue(const struct port *p) { return p->id ? VIRTIO_CONSOLE_RX(p->id) : VIRTIO_CONSOLE_RX0; }

/* ---- Output ---- */

/* True: all of it is gone. */
static bool write_chain(struct port *p, struct virtq_chain *c, size_t *budget)
{
	while (c->out_count && *budget) {
		size_t len = c->out->iov_len < *budget ? c->out->iov_len : *budget;

		if (p->end)
			len = console_write(p->end, c->out->iov_base, len);
		if (!len)
			return false;
		virtq_skip_out(c, len);
		*budget -= len;
	}
	return !c->out_count;
}

static void output(struct port *p)
{
	struct virtq *q = virtio_queue(&p->all->virtio, rx_queue(p) + 1);
	size_t budget = BURST_BYTES;

	while (p->tx || (p->tx = virtq_pop(q))) {
		if (!write_chain(p, p->tx, &budget))
			break;
		virtq_push(p->tx, 0);
		p->tx = NULL;
	}
	virtq_interrupt(q);
	if (p->tx && !budget && p->all->virtio.dev->env->loop)
		loop_timer_arm(&p->turn, loop_now_ns());
}

static void next_turn(void *opaque)
{
	struct port *p = opaque;

	if (p->all->virtio.running)
		output(p);
}

/* ---- Input ---- */

static size_t fill(struct port *p, struct virtq_chain *c)
{
	size_t done = 0;

	while (c->in_count) {
		size_t n = console_read(p->end, c->in->iov_base, c->in->iov_len);

		if (!n)
			break;
		virtq_skip_in(c, n);
		done += n;
	}
	return done;
}

static void input(struct port *p)
{
	struct virtq *q = virtio_queue(&p->all->virtio, rx_queue(p));
	struct virtq_chain *c;

	if (!p->end || !p->open)
		return;
	while ((c = virtq_pop(q))) {
		bool useless = !c->in_count;
		size_t n = fill(p, c);

		if (!n && !useless) {
			virtq_unpop(c);
			break;
		}
		virtq_push(c, (uint32_t)n);
	}
	virtq_interrupt(q);
}

/* ---- Control messages to the driver ---- */

/* The order in which a port's are sent. */
static const uint8_t told[] = { VIRTIO_CONSOLE_DEVICE_ADD, VIRTIO_CONSOLE_CONSOLE_PORT, VIRTIO_CONSOLE_PORT_NAME,
				VIRTIO_CONSOLE_RESIZE, VIRTIO_CONSOLE_PORT_OPEN };

static void tell(struct port *p, unsigned event, struct virtq_chain *c)
{
	struct virtio_console_control m = { .id = p->id, .event = (uint16_t)event, .value = 1 };
	const struct virtio_console_resize size = { p->all->ours.cols, p->all->ours.rows };
	size_t len;

	if (event == VIRTIO_CONSOLE_PORT_OPEN)
		m.value = p->end && console_connected(p->end);
	len = virtq_write(c, &m, sizeof(m));
	if (event == VIRTIO_CONSOLE_PORT_NAME)
		len += virtq_write(c, p->name, strlen(p->name));
	if (event == VIRTIO_CONSOLE_RESIZE)
		len += virtq_write(c, &size, sizeof(size));
	virtq_push(c, (uint32_t)len);
}

/* False: the driver has given no buffer. */
static bool tell_port(struct port *p, struct virtq *q)
{
	for (unsigned i = 0; i < ARRAY_SIZE(told); i++) {
		struct virtq_chain *c;

		if (!(p->owed >> told[i] & 1))
			continue;
		c = virtq_pop(q);
		if (!c)
			return false;
		p->owed &= ~(1u << told[i]);
		tell(p, told[i], c);
	}
	return true;
}

static void tell_all(struct vconsole *a)
{
	struct virtq *q;

	if (!multiport(a))
		return;
	q = virtio_queue(&a->virtio, VIRTIO_CONSOLE_CONTROL_RX);
	for (unsigned i = 0; i < a->port_count; i++)
		if (a->port[i] && !tell_port(a->port[i], q))
			break;
	virtq_interrupt(q);
}

/* ---- Control messages from the driver ---- */

static void device_ready(struct vconsole *a)
{
	for (unsigned i = 0; i < a->port_count; i++)
		if (a->port[i])
			a->port[i]->owed |= EVENT(DEVICE_ADD);
}

static void port_ready(struct port *p)
{
	p->ready = true;
	p->owed |= EVENT(PORT_OPEN);
	if (p->name[0])
		p->owed |= EVENT(PORT_NAME);
	else
		p->owed |= EVENT(CONSOLE_PORT) | (p->all->ours.cols ? EVENT(RESIZE) : 0);
}

static void handle(struct vconsole *a, const struct virtio_console_control *m)
{
	struct port *p = m->id < a->port_count ? a->port[m->id] : NULL;
	const char *name = a->virtio.dev->name;

	if (m->event == VIRTIO_CONSOLE_DEVICE_READY && m->value) {
		device_ready(a);
	} else if (m->event == VIRTIO_CONSOLE_DEVICE_READY) {
		log_guest("%s: its driver has failed", name);
	} else if (!p) {
		log_guest("%s: control message %u about port %u, which there is not", name, m->event, m->id);
	} else if (m->event == VIRTIO_CONSOLE_PORT_READY && m->value) {
		port_ready(p);
	} else if (m->event == VIRTIO_CONSOLE_PORT_READY) {
		log_guest("%s: its driver cannot use port %u", name, m->id);
	} else if (m->event == VIRTIO_CONSOLE_PORT_OPEN) {
		p->open = m->value;
		input(p);
	} else {
		log_guest("%s: control message %u is none of a driver", name, m->event);
	}
}

static void listen(struct vconsole *a)
{
	struct virtq *q = virtio_queue(&a->virtio, VIRTIO_CONSOLE_CONTROL_TX);
	struct virtq_chain *c;

	while ((c = virtq_pop(q))) {
		struct virtio_console_control m;

		if (virtq_read(c, &m, sizeof(m)) == sizeof(m))
			handle(a, &m);
		else
			log_guest("%s: a control message of less than %zu bytes", a->virtio.dev->name, sizeof(m));
		virtq_push(c, 0);
	}
	virtq_interrupt(q);
	tell_all(a);
}

/* ---- What the host end says ---- */

static void on_readable(void *opaque) { input(opaque); }

static void on_writable(void *opaque)
{
	struct port *p = opaque;

	if (p->all->virtio.running)
		output(p);
}

static void read_size(struct vconsole *a)
{
	const struct port *p = a->port[0];

	if (!p || !p->end || !console_size(p->end, &a->ours.cols, &a->ours.rows))
		a->ours.cols = a->ours.rows = 0;
	a->config = a->ours;
}

static void on_changed(void *opaque)
{
	struct port *p = opaque;
	struct vconsole *a = p->all;
	uint16_t cols = a->ours.cols, rows = a->ours.rows;
	bool resized;

	if (!p->id)
		read_size(a);
	resized = cols != a->ours.cols || rows != a->ours.rows;
	if (resized)
		virtio_config_changed(&a->virtio);
	if (!multiport(a) || !p->ready)
		return;
	p->owed |= EVENT(PORT_OPEN);
	if (resized)
		p->owed |= EVENT(RESIZE);
	tell_all(a);
}

static const struct console_uart port_uart = {
	.readable = on_readable,
	.writable = on_writable,
	.changed = on_changed,
};

/* ---- Virtio ---- */

static int vconsole_start(struct virtio_device *v)
{
	struct vconsole *a = of(v);

	if (multiport(a) || !a->port[0])
		return 0;
	a->port[0]->open = true;
	/* Linux up to 6.1 at least reads the size only when it is told that it has changed. */
	if (a->ours.cols)
		virtio_config_changed(v);
	return 0;
}

static void vconsole_reset(struct virtio_device *v)
{
	struct vconsole *a = of(v);

	for (unsigned i = 0; i < a->port_count; i++) {
		struct port *p = a->port[i];

		if (!p)
			continue;
		p->ready = p->open = false;
		p->owed = 0;
		p->tx = NULL;
		if (v->dev->env->loop)
			loop_timer_arm(&p->turn, UINT64_MAX);
	}
}

static void vconsole_queue_reset(struct virtio_device *v, unsigned queue)
{
	struct port *p = of(v)->port[queue < VIRTIO_CONSOLE_CONTROL_RX ? 0 : queue / 2 - 1];

	if (p && queue == rx_queue(p) + 1)
		p->tx = NULL;
}

/* Nobody is behind the queues of a port that there is not. */
static void discard(struct virtq *q)
{
	struct virtq_chain *c;

	while ((c = virtq_pop(q)))
		virtq_push(c, 0);
	virtq_interrupt(q);
}

static void vconsole_notify(struct virtio_device *v, unsigned queue)
{
	struct vconsole *a = of(v);
	unsigned id = queue < VIRTIO_CONSOLE_CONTROL_RX ? 0 : queue / 2 - 1;
	struct port *p = a->port[id];

	if (queue == VIRTIO_CONSOLE_CONTROL_RX)
		return tell_all(a);
	if (queue == VIRTIO_CONSOLE_CONTROL_TX)
		return listen(a);
	if (queue % 2 == 0) {
		if (p)
			input(p);
		return;
	}
	if (p)
		output(p);
	else
		discard(virtio_queue(v, queue));
}

/* For a guest in distress: one character, from the first moment on (5.3.4). The rest is not the driver's to write. */
static void vconsole_written(struct virtio_device *v, unsigned offset, unsigned bytes)
{
	struct vconsole *a = of(v);
	uint8_t byte = (uint8_t)a->config.emerg_wr;

	(void)bytes;
	a->config = a->ours;
	if (offset == offsetof(struct virtio_console_config, emerg_wr) && a->port[0] && a->port[0]->end)
		console_write(a->port[0]->end, &byte, 1);
}

static const char *const feature_names[] = { "size", "multiport", "emerg-write" };

static const struct virtio_type vconsole_virtio = {
	.id = VIRTIO_ID_CONSOLE,
	.queue_size = 128,
	.feature_names = feature_names,
	.feature_name_count = ARRAY_SIZE(feature_names),
	.start = vconsole_start,
	.reset = vconsole_reset,
	.notify = vconsole_notify,
	.config_written = vconsole_written,
	.queue_reset = vconsole_queue_reset,
};

/* ---- Device ---- */

static int open_end(struct device *d, struct port *p, const char *spec)
{
	char name[NAME_BYTES + 80], said[NAME_BYTES + 80];
	int err;

	if (p->name[0]) {
		snprintf(name, sizeof(name), "%s port %s", d->name, p->name);
		snprintf(said, sizeof(said), "%s: port=%s:", d->said, p->name);
	} else {
		snprintf(name, sizeof(name), "%s console", d->name);
		snprintf(said, sizeof(said), "%s: console", d->said);
	}
	if (!d->env->console)
		return 0;
	err = console_another(d->env->console,
			      &(struct console_config){ .name = name, .said = said, .spec = spec, .data = p->id },
			      &p->end);
	if (!err)
		console_attach(p->end, &port_uart, p, &d->lock);
	return err;
}

static int add_port(struct device *d, unsigned id, const char *name, const char *spec)
{
	struct vconsole *a = d->state;
	struct port *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->all = a;
	p->id = id;
	snprintf(p->name, sizeof(p->name), "%s", name);
	loop_timer_init(&p->turn, d->env->loop, &d->lock, next_turn, p);
	err = open_end(d, p, spec);
	if (err) {
		free(p);
		return err;
	}
	a->port[id] = p;
	if (a->port_count <= id)
		a->port_count = id + 1;
	return 0;
}

/* NAME:WHERE; Linux makes a file of that name. */
static int add_named(struct device *d, unsigned id, const char *text)
{
	const struct vconsole *a = d->state;
	size_t len = strcspn(text, ":");
	char name[NAME_BYTES];

	if (!text[len] || !len || len >= sizeof(name))
		return log_err(-EINVAL,
			       "%s: port=%.80s: wants NAME:WHERE, NAME of 1 to %d characters: port=log:file:log",
			       d->said, text, NAME_BYTES - 1);
	snprintf(name, sizeof(name), "%.*s", (int)len, text);
	for (const char *p = name; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '/')
			return log_err(-EINVAL, "%s: port=%s: a name has neither blanks nor slashes", d->said, name);
	for (unsigned i = 1; i < a->port_count; i++)
		if (!strcmp(a->port[i]->name, name))
			return log_err(-EINVAL, "%s: port=%s is given twice; choose another name", d->said, name);
	return add_port(d, id, name, text + len + 1);
}

static void free_ports(struct vconsole *a)
{
	for (unsigned i = 0; i < a->port_count; i++) {
		struct port *p = a->port[i];

		if (!p)
			continue;
		if (p->end)
			console_attach(p->end, NULL, NULL, NULL);
		if (a->virtio.dev && a->virtio.dev->env->loop)
			loop_timer_arm(&p->turn, UINT64_MAX);
		free(p);
	}
}

static int open_ports(struct device *d)
{
	struct vconsole *a = d->state;
	int err = 0;

	if (!a->console && !a->named.count)
		return log_err(-EINVAL,
			       "%s: nobody is at the other end; say who: %s,console=pty, or port=NAME:socket:PATH",
			       d->said, d->said);
	if (a->named.count > NAMED_MAX)
		return log_err(-EINVAL, "%s: %u ports; at most %d have a place; use a second device for the others",
			       d->said, a->named.count, NAMED_MAX);
	if (a->console)
		err = add_port(d, 0, "", a->console);
	for (unsigned i = 0; i < a->named.count && !err; i++)
		err = add_named(d, i + 1, a->named.value[i]);
	return err;
}

static int vconsole_create(struct device *d)
{
	struct vconsole *a = d->state;
	unsigned queues = a->named.count ? 4 + 2 * a->named.count : 2;
	uint64_t features = 0;
	int err = open_ports(d);

	if (err) {
		free_ports(a);
		return err;
	}
	a->ours.max_nr_ports = a->port_count;
	read_size(a);
	/* A size of 0 is one that nobody knows, as yet. */
	if (a->console)
		features |= UINT64_C(1) << VIRTIO_CONSOLE_F_EMERG_WRITE | UINT64_C(1) << VIRTIO_CONSOLE_F_SIZE;
	if (a->named.count)
		features |= UINT64_C(1) << VIRTIO_CONSOLE_F_MULTIPORT;
	err = virtio_init(d, &vconsole_virtio, features, queues, &a->config, sizeof(a->config));
	if (err)
		free_ports(a);
	return err;
}

static void vconsole_destroy(struct device *d)
{
	struct vconsole *a = d->state;

	free_ports(a);
	virtio_fini(&a->virtio);
}

static const struct device_option vconsole_options[] = {
	{ "console", "WHERE", "a console (Linux: hvc0): stdio, pty, file:PATH, socket:PATH or null", DEVICE_STRING,
	  offsetof(struct vconsole, console) },
	{ "port", "NAME:WHERE", "a stream of bytes (Linux: /dev/virtio-ports/NAME)", DEVICE_LIST,
	  offsetof(struct vconsole, named) },
};

static const struct device_type vconsole_type = {
	.name = "virtio-console",
	.help = "consoles and named ports, each to a place of the host's",
	.state_bytes = sizeof(struct vconsole),
	.trial = "console=null,port=trial:null",
	DEVICE_OPTIONS(vconsole_options),
	VIRTIO_DEVICE,
	.create = vconsole_create,
	.destroy = vconsole_destroy,
};
DEVICE(virtio_console, &vconsole_type);
