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

static int chardev_unknown(const char *spec)
{
	char known[256] = "";

	for (unsigned i = 0; chardev_type_at(i); i++) {
		const struct chardev_type *t = chardev_type_at(i);

		text_add_item(known, sizeof(known), ", ", "%s%s%s", t->name, t->arg ? ":" : "", t->arg ? t->arg : "");
	}
	return log_err(-EINVAL, "--console %.80s: no such console; there are %s", spec, known);
}

int chardev_open(const char *spec, struct loop *l, const struct chardev_user *user, void *opaque,
		 struct chardev **chardev)
{
	size_t len = strcspn(spec, ":");
	const char *arg = spec[len] ? spec + len + 1 : NULL;
	const struct chardev_type *t;
	struct chardev *c;
	char name[32]; /* too long is unknown as well */
	int err;

	*chardev = NULL;
	snprintf(name, sizeof(name), "%.*s", (int)len, spec);
	t = chardev_type_find(name);
	if (!t)
		return chardev_unknown(spec);
	if (t->arg && (!arg || !*arg))
		return log_err(-EINVAL, "--console %s: needs a value: %s:%s", t->name, t->name, t->arg);
	if (!t->arg && arg)
		return log_err(-EINVAL, "--console %s: takes no value, not \"%.80s\"", t->name, arg);
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = (struct chardev){ .type = t, .loop = l, .user = user, .opaque = opaque };
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
