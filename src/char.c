/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the host end that `--console name[:arg]` names and opens it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/char.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/text.h>

REGISTRY_BY_NAME(chardev, const struct chardev_type, chardev_type_at, chardev_type_find);

const struct chardev_type *chardev_type_of(const char *spec)
{
	char name[32]; /* too long is unknown as well */

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(spec, ":"), spec);
	return chardev_type_find(name);
}

static int chardev_unknown(const char *said, const char *spec)
{
	char known[256] = "";

	for (unsigned i = 0; chardev_type_at(i); i++) {
		const struct chardev_type *t = chardev_type_at(i);

		text_add_item(known, sizeof(known), ", ", "%s%s%s", t->name, t->arg ? ":" : "", t->arg ? t->arg : "");
	}
	return log_err(-EINVAL, "%s %.80s: no such console; there are %s", said, spec, known);
}

int chardev_open(const char *said, const char *spec, struct loop *l, const struct chardev_user *user, void *opaque,
		 struct chardev **chardev)
{
	const struct chardev_type *t = chardev_type_of(spec);
	const char *arg = strchr(spec, ':');
	struct chardev *c;
	int err;

	*chardev = NULL;
	arg = arg ? arg + 1 : NULL;
	if (!t)
		return chardev_unknown(said, spec);
	if (t->arg && (!arg || !*arg))
		return log_err(-EINVAL, "%s %s: needs a value: %s:%s", said, t->name, t->name, t->arg);
	if (!t->arg && arg)
		return log_err(-EINVAL, "%s %s: takes no value, not \"%.80s\"", said, t->name, arg);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct chardev){ .type = t, .said = said, .loop = l, .user = user, .opaque = opaque };
	c->state = calloc(1, t->state_bytes ? t->state_bytes : 1);
	err = c->state ? t->open(c, arg) : -ENOMEM;
	if (err) {
		free(c->state);
		free(c);
		return err;
	}
	*chardev = c;
	return 0;
}

void chardev_close(struct chardev *c)
{
	if (!c)
		return;
	if (c->type->close)
		c->type->close(c);
	free(c->state);
	free(c);
}
