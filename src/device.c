/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From registered device types to the devices of one VM: options, bus, reset,
 * device tree. Nothing here knows any device by name.
 */
#include <stdlib.h>
#include <string.h>
#include <vmm/device.h>
#include <vmm/err.h>
#include <vmm/fdt.h>
#include <vmm/irq.h>
#include <vmm/log.h>
#include <vmm/opt.h>
#include <vmm/text.h>

REGISTRY_BY_NAME(device, const struct device_type, device_type_at, device_type_find);

void device_irq(struct device *d, bool level)
{
	CHECK(d->type->has_spi);
	irq_set(d->env->vm, d->type->spi, level);
}

static enum bus_result device_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	const struct device_slot *slot = opaque;

	return slot->dev->type->access(slot->dev, slot->index, offset, size, value, write);
}

static int device_plug(struct device *d)
{
	const struct device_type *t = d->type;

	CHECK(t->range_count <= DEVICE_RANGES_MAX);
	for (unsigned i = 0; i < t->range_count; i++) {
		const struct device_range *r = &t->ranges[i];
		int err;

		d->range[i] = (struct device_slot){ d, i };
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

/* ---- --device name,key=value,... ---- */

static int option_set(struct device *d, const struct device_option *o, const char *value)
{
	char *field = (char *)d->state + o->offset;
	const char *name = d->type->name;
	uint64_t v;

	switch (o->kind) {
	case DEVICE_STRING: memcpy(field, &value, sizeof(value)); return 0;
	case DEVICE_U64:
		if (!opt_number(value, &v))
			return log_err(-EINVAL, "--device %s: %s=%s is not a number; use %s=%s", name, o->name, value,
				       o->name, o->arg);
		memcpy(field, &v, sizeof(v));
		return 0;
	case DEVICE_BOOL:
		if (strcmp(value, "on") && strcmp(value, "off"))
			return log_err(-EINVAL, "--device %s: %s=%s is neither on nor off", name, o->name, value);
		*(bool *)field = !strcmp(value, "on");
		return 0;
	}
	return -EINVAL;
}

static const struct device_option *option_find(const struct device_type *t, const char *name)
{
	for (unsigned i = 0; i < t->option_count; i++)
		if (!strcmp(t->options[i].name, name))
			return &t->options[i];
	return NULL;
}

static int options_unknown(const struct device_type *t, const char *key)
{
	char known[256] = "";

	for (unsigned i = 0; i < t->option_count; i++)
		text_add_item(known, sizeof(known), ", ", "%s", t->options[i].name);
	return log_err(-EINVAL, "--device %s: no option \"%s\"; it has %s", t->name, key,
		       t->option_count ? known : "none");
}

/* @text is "key=value,key=value" and gets cut into pieces that the options point into. */
static int options_parse(struct device *d, char *text)
{
	uint64_t seen = 0;
	char *item, *rest = text;

	while ((item = strsep(&rest, ","))) {
		char *value = strchr(item, '=');
		const struct device_option *o;
		uint64_t mark;
		int err;

		if (value)
			*value++ = 0;
		o = option_find(d->type, item);
		if (!o)
			return options_unknown(d->type, item);
		if (!value && o->kind != DEVICE_BOOL)
			return log_err(-EINVAL, "--device %s: %s needs a value: %s=%s", d->type->name, item, item,
				       o->arg);
		mark = UINT64_C(1) << (o - d->type->options);
		if (seen & mark)
			return log_err(-EINVAL, "--device %s: %s is given twice", d->type->name, item);
		seen |= mark;
		err = option_set(d, o, value ? value : "on");
		if (err)
			return err;
	}
	return 0;
}

/* ---- Life ---- */

static void device_free(struct device *d)
{
	pthread_mutex_destroy(&d->lock);
	free(d->options);
	free(d->state);
	free(d);
}

static int device_create(struct devices *all, const struct device_type *t, const char *options)
{
	struct device *d = calloc(1, sizeof(*d));
	int err = -ENOMEM;

	if (!d)
		return err;
	CHECK(t->option_count <= 64);
	pthread_mutex_init(&d->lock, NULL);
	d->type = t;
	d->env = &all->env;
	d->state = calloc(1, t->state_bytes ? t->state_bytes : 1);
	if (options)
		d->options = strdup(options);
	if (!d->state || (options && !d->options))
		goto free;
	err = d->options ? options_parse(d, d->options) : 0;
	if (err)
		goto free;
	err = t->create ? t->create(d) : 0;
	if (err)
		goto free;
	err = device_plug(d);
	if (err)
		goto destroy;
	if (t->reset) {
		pthread_mutex_lock(&d->lock);
		t->reset(d);
		pthread_mutex_unlock(&d->lock);
	}
	*all->last = d;
	all->last = &d->next;
	return 0;
destroy:
	if (t->destroy)
		t->destroy(d);
free:
	device_free(d);
	return err;
}

static const struct device *device_find(const struct devices *all, const struct device_type *t)
{
	for (const struct device *d = all->first; d; d = d->next)
		if (d->type == t)
			return d;
	return NULL;
}

/* Splits "name,options"; @options is NULL without a comma. */
static int spec_parse(const char *spec, const struct device_type **t, const char **options)
{
	size_t len = strcspn(spec, ",");
	char *name = strndup(spec, len);

	if (!name)
		return -ENOMEM;
	*t = device_type_find(name);
	free(name);
	if (!*t)
		return log_err(-EINVAL, "--device %.*s: there is no such device; see vmm help devices",
			       (int)(len < 60 ? len : 60), spec);
	*options = spec[len] ? spec + len + 1 : NULL;
	return 0;
}

/* @specs first, because a fixed device may be among them with options of its own. */
int devices_create(struct devices *d, const struct device_env *env, const char *const *specs, unsigned spec_count)
{
	int err = 0;

	*d = (struct devices){ .env = *env };
	d->last = &d->first;
	for (unsigned i = 0; i < spec_count; i++) {
		const struct device_type *t = NULL;
		const char *options = NULL;

		err = spec_parse(specs[i], &t, &options);
		if (!err && t->range_count && device_find(d, t))
			err = log_err(-EINVAL, "--device %s: has a fixed address, so it can be given only once",
				      t->name);
		if (!err)
			err = device_create(d, t, options);
		if (err)
			goto destroy;
	}
	for (unsigned i = 0; device_type_at(i); i++) {
		const struct device_type *t = device_type_at(i);

		if (!t->on_board || device_find(d, t))
			continue;
		err = device_create(d, t, NULL);
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
