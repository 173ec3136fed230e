/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "key=value,key=value" of --device and of its shorter forms, by the rows of the device
 * type, of the slot it sits in, and of the host end the user has chosen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/text.h>

#include "device-options.h"

/* Of every device in a virtio slot. */
static const struct device_option slot_options[] = {
	{ "slot", "N", "its place among the virtio-mmio slots, 0 to 31 (the lowest free)", DEVICE_U64,
	  offsetof(struct device, slot) },
};

#define TABLES_MAX 3
#define ROWS_MAX   64 /* of a table: bits of its `seen' */

/* Rows, and where the offsets in them count from. */
struct options {
	struct {
		const struct device_option *rows;
		unsigned count;
		char *base;
		uint64_t seen;
	} table[TABLES_MAX];
	unsigned count;
};

static void add_table(struct options *all, const struct device_option *rows, unsigned count, void *base)
{
	CHECK(all->count < TABLES_MAX && count <= ROWS_MAX);
	all->table[all->count].rows = rows;
	all->table[all->count].count = count;
	all->table[all->count++].base = base;
}

static int choose_end(struct device *d, struct options *all, const char *name)
{
	char known[200] = "";

	for (unsigned i = 0; d->type->end_at(i); i++) {
		const struct device_end *e = d->type->end_at(i);

		text_add_item(known, sizeof(known), ", ", "%s", e->name);
		if (strcmp(e->name, name))
			continue;
		d->end_state = calloc(1, e->state_bytes ? e->state_bytes : 1);
		if (!d->end_state)
			return -ENOMEM;
		d->end = e;
		add_table(all, e->options, e->option_count, d->end_state);
		return 0;
	}
	return log_err(-EINVAL, "%s: there is no \"%s\"; there are %s: see vmm help devices", d->said, name, known);
}

static int set_end(struct device *d, struct options *all, const char *name)
{
	if (d->end && strcmp(d->end->name, name))
		return log_err(-EINVAL, "%s: options of %s stand before %s; name it first", d->said, d->end->name,
			       name);
	return d->end ? 0 : choose_end(d, all, name);
}

static int add_to_list(struct device *d, const struct device_option *o, struct opt_list *l, const char *value)
{
	if (l->count == OPT_LIST_MAX)
		return log_err(-EINVAL, "%s: more than %d times %s; leave some out", d->said, OPT_LIST_MAX, o->name);
	l->value[l->count++] = value;
	return 0;
}

static int set_option(struct device *d, struct options *all, const struct device_option *o, char *base,
		      const char *value)
{
	char *field = base + o->offset;
	uint64_t v;

	switch (o->kind) {
	case DEVICE_STRING: memcpy(field, &value, sizeof(value)); return 0;
	case DEVICE_LIST: return add_to_list(d, o, (struct opt_list *)(void *)field, value);
	case DEVICE_END: return set_end(d, all, value);
	case DEVICE_U64:
	case DEVICE_COUNT:
		if (!opt_number(value, &v) || (!v && o->kind == DEVICE_COUNT))
			return log_err(-EINVAL, "%s: %s=%s is not a number%s; use %s=%s", d->said, o->name, value,
				       o->kind == DEVICE_COUNT ? " from 1 up" : "", o->name, o->arg);
		memcpy(field, &v, sizeof(v));
		return 0;
	case DEVICE_BOOL:
	case DEVICE_NOT:
		if (strcmp(value, "on") && strcmp(value, "off"))
			return log_err(-EINVAL, "%s: %s=%s is neither on nor off", d->said, o->name, value);
		*(bool *)field = !strcmp(value, o->kind == DEVICE_BOOL ? "on" : "off");
		return 0;
	}
	return -EINVAL;
}

/* The end that is called @key or has such an option, if it is another one than the user's; NULL: none. */
static const struct device_end *end_that_knows(const struct device *d, const char *key)
{
	for (unsigned i = 0; d->type->end_at && d->type->end_at(i); i++) {
		const struct device_end *e = d->type->end_at(i);

		if (e == d->end)
			continue;
		if (!strcmp(e->name, key))
			return e;
		for (unsigned k = 0; k < e->option_count; k++)
			if (!strcmp(e->options[k].name, key))
				return e;
	}
	return NULL;
}

/* What the user may have meant, or NULL; in @known all there are. */
static const char *nearest(const struct options *all, const char *key, char *known, size_t room)
{
	const char *names[TABLES_MAX * ROWS_MAX];
	unsigned count = 0;

	for (unsigned t = 0; t < all->count; t++)
		for (unsigned i = 0; i < all->table[t].count; i++) {
			names[count++] = all->table[t].rows[i].name;
			text_add_item(known, room, ", ", "%s", all->table[t].rows[i].name);
		}
	return opt_nearest(key, names, count);
}

static int unknown_option(const struct device *d, const struct options *all, const char *key)
{
	const struct device_end *other = end_that_knows(d, key);
	char known[512] = "";
	const char *near = nearest(all, key, known, sizeof(known));

	if (!*key)
		return log_err(-EINVAL, "%s: an option is empty; a comma in a value is written twice", d->said);
	if (other && !strcmp(other->name, key))
		return log_err(-EINVAL, "%s: \"%s\" stands behind other options; name it first", d->said, key);
	if (other)
		return log_err(-EINVAL, "%s: \"%s\" is an option of %s, and this is %s", d->said, key, other->name,
			       d->end->name);
	if (near)
		return log_err(-EINVAL, "%s: no option \"%s\"; did you mean %s? See vmm help devices", d->said, key,
			       near);
	return log_err(-EINVAL, "%s: no option \"%s\"; it has %s", d->said, key, known[0] ? known : "none");
}

/* The row with the name that @item begins with, up to its end or a '='. */
static const struct device_option *find_option(const struct options *all, const char *item, unsigned *table)
{
	size_t len = strcspn(item, "=");

	for (*table = 0; *table < all->count; ++*table)
		for (unsigned i = 0; i < all->table[*table].count; i++) {
			const struct device_option *o = &all->table[*table].rows[i];

			if (strlen(o->name) == len && !strncmp(o->name, item, len))
				return o;
		}
	return NULL;
}

/* Of strings with both: one may have been meant for something else, and stood where this goes without its name. */
static int given_twice(const struct device *d, const struct device_option *o, const char *base, const char *value)
{
	const char *before;

	if (o->kind != DEVICE_STRING)
		return log_err(-EINVAL, "%s: %s is given twice", d->said, o->name);
	memcpy(&before, base + o->offset, sizeof(before));
	return log_err(-EINVAL, "%s: %s is given twice: \"%s\" and \"%s\"", d->said, o->name, before, value);
}

static int parse_value(struct device *d, struct options *all, const struct device_option *o, unsigned table,
		       const char *value)
{
	uint64_t mark = UINT64_C(1) << (o - all->table[table].rows);

	if (all->table[table].seen & mark && o->kind != DEVICE_LIST)
		return given_twice(d, o, all->table[table].base, value);
	if (!*value)
		return log_err(-EINVAL, "%s: %s= is empty; use %s=%s or leave it out", d->said, o->name, o->name,
			       o->arg);
	all->table[table].seen |= mark;
	return set_option(d, all, o, all->table[table].base, value);
}

/* The options of the end that nobody names are known from the first one on. */
static int parse_key(struct device *d, struct options *all, char *item)
{
	unsigned table;
	const struct device_option *o = find_option(all, item, &table);
	char *value = strchr(item, '=');
	int err;

	if (!o && d->type->end_default && !d->end) {
		err = choose_end(d, all, d->type->end_default);
		return err ? err : parse_key(d, all, item);
	}
	if (value)
		*value++ = 0;
	if (!o)
		return unknown_option(d, all, item);
	if (!value && o->kind != DEVICE_BOOL && o->kind != DEVICE_NOT)
		return log_err(-EINVAL, "%s: %s needs a value: %s=%s", d->said, item, item, o->arg);
	return parse_value(d, all, o, table, value ? value : "on");
}

/* Does @item begin with the name of an option and '=', or with what is nearly one? */
static bool has_name(const struct options *all, const char *item)
{
	size_t len = strcspn(item, "=");
	char key[64], known[2] = "";
	unsigned table;

	if (!item[len])
		return false;
	snprintf(key, sizeof(key), "%.*s", (int)(len < sizeof(key) ? len : sizeof(key) - 1), item);
	return find_option(all, item, &table) || nearest(all, key, known, sizeof(known));
}

/* What stands first may be a value without its name; a path may have a '=' of its own. */
static int parse_first(struct device *d, struct options *all, char *item)
{
	unsigned table;
	const struct device_option *o;

	if (d->type->first && !has_name(all, item)) {
		o = find_option(all, d->type->first, &table);
		CHECK(o);
		if (!strchr(item, '=') || o->kind != DEVICE_END)
			return parse_value(d, all, o, table, item);
	}
	return parse_key(d, all, item);
}

/* Cuts the next item off *@rest, where a comma that is written twice is one and not the end. */
static char *next_item(char **rest)
{
	char *item = *rest, *to = item;

	if (!item)
		return NULL;
	for (char *p = item;; p++, to++) {
		if (*p == ',' && p[1] == ',')
			p++;
		else if (!*p || *p == ',') {
			*rest = *p ? p + 1 : NULL;
			*to = 0;
			return item;
		}
		*to = *p;
	}
}

int device_options_parse(struct device *d, const char *text)
{
	struct options all = { 0 };
	char *item, *rest;
	int err = 0;

	add_table(&all, d->type->options, d->type->option_count, d->state);
	if (d->type->slot)
		add_table(&all, slot_options, ARRAY_SIZE(slot_options), d);
	if (text) {
		d->options = rest = strdup(text);
		if (!rest)
			return -ENOMEM;
		item = next_item(&rest);
		err = parse_first(d, &all, item);
		while (!err && (item = next_item(&rest)))
			err = parse_key(d, &all, item);
	}
	if (!err && d->type->end_at && !d->end && d->type->end_default)
		err = choose_end(d, &all, d->type->end_default);
	return err;
}

void device_options_free(struct device *d)
{
	free(d->options);
	free(d->end_state);
}
