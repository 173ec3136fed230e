/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the host end that `--console name[:arg]` names and opens it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/char.h>
#include <vmm/err.h>
#include <vmm/log.h>

REGISTRY(chardev, const struct chardev_type);

const struct chardev_type *chardev_type_at(unsigned i)
{
	FOR_EACH_REGISTERED (chardev, const struct chardev_type, t) {
		unsigned smaller = 0;

		FOR_EACH_REGISTERED (chardev, const struct chardev_type, u)
			smaller += strcmp((*u)->name, (*t)->name) < 0;
		if (smaller == i)
			return *t;
	}
	return NULL;
}

static const struct chardev_type *chardev_find(const char *spec, size_t len)
{
	FOR_EACH_REGISTERED (chardev, const struct chardev_type, t)
		if (strlen((*t)->name) == len && !memcmp((*t)->name, spec, len))
			return *t;
	return NULL;
}

static int chardev_unknown(const char *spec)
{
	char known[256] = "";

	for (unsigned i = 0; chardev_type_at(i); i++) {
		const struct chardev_type *t = chardev_type_at(i);
		size_t used = strlen(known);

		snprintf(known + used, sizeof(known) - used, "%s%s%s%s", i ? ", " : "", t->name, t->arg ? ":" : "",
			 t->arg ? t->arg : "");
	}
	return log_err(-EINVAL, "--console %.80s: no such console; there are %s", spec, known);
}

int chardev_open(const char *spec, struct loop *l, const struct chardev_user *user, void *opaque,
		 struct chardev **chardev)
{
	size_t len = strcspn(spec, ":");
	const struct chardev_type *t = chardev_find(spec, len);
	const char *arg = spec[len] ? spec + len + 1 : NULL;
	struct chardev *c;
	int err;

	*chardev = NULL;
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
