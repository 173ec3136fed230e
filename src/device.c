/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From registered device types to the devices of one VM: places, bus, reset, device
 * tree. Nothing here knows any device by name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <spec/board.h>
#include <vmm/err.h>
#include <vmm/fdt.h>
#include <vmm/irq.h>
#include <vmm/log.h>

#include "device-options.h"

#define SLOT_ANY UINT64_MAX

REGISTRY_BY_NAME(device, const struct device_type, device_type_at, device_type_find);

void device_irq(struct device *d, bool level)
{
	CHECK(d->type->has_spi || d->type->slot);
	irq_set(d->env->vm, d->spi, level);
}

static enum bus_result device_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	const struct device_range_of *of = opaque;

	return of->dev->type->access(of->dev, of->index, offset, size, value, write);
}

static int device_plug(struct device *d)
{
	CHECK(d->range_count <= DEVICE_RANGES_MAX);
	for (unsigned i = 0; i < d->range_count; i++) {
		const struct device_range *r = &d->ranges[i];
		int err;

		d->range[i] = (struct device_range_of){ d, i };
		err = bus_add(d->env->bus, &(struct bus_range){ .name = r->name,
								.base = gpa(r->base),
								.bytes = r->bytes,
								.access = device_access,
								.opaque = &d->range[i],
								.lock = &d->lock });
		if (err)
			return err;
	}
	return 0;
}

/* ---- Places ---- */

/* NULL: nobody. */
static const struct device *who_has_slot(const struct devices *all, uint64_t slot)
{
	for (const struct device *d = all->first; d; d = d->next)
		if (d->type->slot && d->slot == slot)
			return d;
	return NULL;
}

static int find_slot(const struct devices *all, struct device *d)
{
	const struct device *other;

	if (d->slot != SLOT_ANY) {
		if (d->slot >= BOARD_VIRTIO_COUNT)
			return log_err(-EINVAL, "%s: slot=%llu: the board has 0 to %d", d->said,
				       (unsigned long long)d->slot, BOARD_VIRTIO_COUNT - 1);
		other = who_has_slot(all, d->slot);
		return other ? log_err(-EINVAL, "%s: slot=%llu has a %s already; use another, or none for a free one",
				       d->said, (unsigned long long)d->slot, other->type->name)
			     : 0;
	}
	for (d->slot = 0; d->slot < BOARD_VIRTIO_COUNT; d->slot++)
		if (!who_has_slot(all, d->slot))
			return 0;
	return log_err(-EINVAL, "%s: the board's %d virtio slots are taken; leave a device out", d->said,
		       BOARD_VIRTIO_COUNT);
}

/* Range and interrupt: fixed ones of the type, or those of a slot. */
static int device_place(const struct devices *all, struct device *d)
{
	const struct device_type *t = d->type;
	int err;

	if (!t->slot) {
		d->ranges = t->ranges;
		d->range_count = t->range_count;
		d->spi = t->spi;
		return 0;
	}
	err = find_slot(all, d);
	if (err)
		return err;
	snprintf(d->name, sizeof(d->name), "%s.%llu", t->name, (unsigned long long)d->slot);
	d->slot_range = (struct device_range){ d->name, BOARD_VIRTIO_BASE + d->slot * BOARD_VIRTIO_STRIDE,
					       BOARD_VIRTIO_STRIDE };
	d->ranges = &d->slot_range;
	d->range_count = 1;
	d->spi = BOARD_VIRTIO_SPI + (unsigned)d->slot;
	return 0;
}

/* ---- Life ---- */

static void device_free(struct device *d)
{
	pthread_mutex_destroy(&d->lock);
	device_options_free(d);
	free(d->state);
	free(d);
}

/* As the user said it: "--disk", or "--device virtio-blk". */
static void name_device(struct device *d, const struct opt_device *wanted)
{
	snprintf(d->name, sizeof(d->name), "%s", d->type->name);
	if (wanted && wanted->type && d->type->option)
		snprintf(d->said, sizeof(d->said), "--%s", d->type->option);
	else
		snprintf(d->said, sizeof(d->said), "--device %s", d->type->name);
}

static int device_start(struct devices *all, struct device *d, const char *options)
{
	const struct device_type *t = d->type;
	int err = device_options_parse(d, options);

	if (!err)
		err = device_place(all, d);
	if (!err && t->create)
		err = t->create(d);
	if (err)
		return err;
	err = device_plug(d);
	if (err) {
		if (t->destroy)
			t->destroy(d);
		return err;
	}
	if (t->reset) {
		pthread_mutex_lock(&d->lock);
		t->reset(d);
		pthread_mutex_unlock(&d->lock);
	}
	*all->last = d;
	all->last = &d->next;
	return 0;
}

/* @wanted: by whom, NULL: the board. */
static int device_create(struct devices *all, const struct device_type *t, const struct opt_device *wanted,
			 const char *options)
{
	struct device *d = calloc(1, sizeof(*d));
	int err = -ENOMEM;

	if (!d)
		return err;
	pthread_mutex_init(&d->lock, NULL);
	d->type = t;
	d->env = &all->env;
	d->slot = SLOT_ANY;
	d->state = calloc(1, t->state_bytes ? t->state_bytes : 1);
	name_device(d, wanted);
	if (d->state)
		err = device_start(all, d, options);
	if (err)
		device_free(d);
	return err;
}

static bool on_board(const struct device_type *t, const struct device_env *env)
{
	return t->on_board || (t->with_firmware && env->firmware);
}

static const struct device *device_find(const struct devices *all, const struct device_type *t)
{
	for (const struct device *d = all->first; d; d = d->next)
		if (d->type == t)
			return d;
	return NULL;
}

/* NULL: there is none of that name. */
static const struct device_type *wanted_type(const struct opt_device *wanted)
{
	char name[40];
	int len;

	if (wanted->type)
		return device_type_find(wanted->type);
	len = snprintf(name, sizeof(name), "%.*s", (int)strcspn(wanted->text, ","), wanted->text);
	return len < (int)sizeof(name) ? device_type_find(name) : NULL;
}

static int no_such_device(const char *text)
{
	const char *names[100], *near;
	unsigned count = 0;
	char name[60];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, ","), text);
	for (; count < ARRAY_SIZE(names) && device_type_at(count); count++)
		names[count] = device_type_at(count)->name;
	near = opt_nearest(name, names, count);
	if (!*name)
		return log_err(-EINVAL, "--device: which one? See vmm help devices");
	return log_err(-EINVAL, "--device %s: there is no such device; %s%s%ssee vmm help devices", name,
		       near ? "did you mean " : "", near ? near : "", near ? "? " : "");
}

/* Which type, and the options: NULL for none. */
static int find_wanted(const struct opt_device *wanted, const struct device_type **t, const char **options)
{
	size_t len = strcspn(wanted->text, ",");

	*options = wanted->text;
	*t = wanted_type(wanted);
	CHECK(*t || !wanted->type);
	if (!*t)
		return no_such_device(wanted->text);
	if (!wanted->type)
		*options = wanted->text[len] ? wanted->text + len + 1 : NULL;
	return 0;
}

bool devices_share_memory(const struct opt_devices *wanted)
{
	for (unsigned i = 0; i < wanted->count; i++) {
		const struct device_type *t = wanted_type(&wanted->item[i]);

		if (t && t->shares_memory)
			return true;
	}
	return false;
}

/* Those wanted first, because a fixed device may be among them with options of its own. */
int devices_create(struct devices *d, const struct device_env *env, const struct opt_devices *wanted)
{
	int err = 0;

	*d = (struct devices){ .env = *env };
	d->last = &d->first;
	for (unsigned i = 0; i < wanted->count; i++) {
		const struct device_type *t = NULL;
		const char *options = NULL;

		err = find_wanted(&wanted->item[i], &t, &options);
		if (!err && t->range_count && device_find(d, t))
			err = log_err(-EINVAL, "--device %s: has a fixed address, so it can be given only once",
				      t->name);
		if (!err)
			err = device_create(d, t, &wanted->item[i], options);
		if (err)
			goto destroy;
	}
	for (unsigned i = 0; device_type_at(i); i++) {
		const struct device_type *t = device_type_at(i);

		if (!on_board(t, env) || device_find(d, t))
			continue;
		err = device_create(d, t, NULL, NULL);
		if (err)
			goto destroy;
	}
	return 0;
destroy:
	devices_destroy(d);
	return err;
}

void devices_destroy(struct devices *d)
{
	struct device *next;

	for (struct device *i = d->first; i; i = next) {
		next = i->next;
		if (i->type->destroy)
			i->type->destroy(i);
		device_free(i);
	}
	*d = (struct devices){ 0 };
}

void devices_reset(struct devices *d)
{
	for (struct device *i = d->first; i; i = i->next) {
		if (!i->type->reset)
			continue;
		pthread_mutex_lock(&i->lock);
		i->type->reset(i);
		pthread_mutex_unlock(&i->lock);
	}
}

void devices_fdt(const struct devices *d, struct dt *t)
{
	for (struct device *i = d->first; i; i = i->next)
		if (i->type->fdt)
			i->type->fdt(i, t);
}

int devices_power_button(struct devices *d)
{
	for (struct device *i = d->first; i; i = i->next) {
		if (!i->type->power_button)
			continue;
		pthread_mutex_lock(&i->lock);
		i->type->power_button(i);
		pthread_mutex_unlock(&i->lock);
		return 0;
	}
	return -ENODEV;
}

bool devices_info(struct devices *d)
{
	bool any = false;

	for (struct device *i = d->first; i; i = i->next) {
		if (!i->type->info)
			continue;
		pthread_mutex_lock(&i->lock);
		i->type->info(i);
		pthread_mutex_unlock(&i->lock);
		any = true;
	}
	return any;
}
