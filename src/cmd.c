/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include <vmm/cmd.h>

REGISTRY(command, const struct command);

const struct command *command_at(unsigned i)
{
	FOR_EACH_REGISTERED (command, const struct command, c) {
		unsigned before = 0;

		FOR_EACH_REGISTERED (command, const struct command, other)
			before += strcmp((*other)->name, (*c)->name) < 0;
		if (before == i)
			return *c;
	}
	return NULL;
}

const struct command *command_find(const char *name)
{
	FOR_EACH_REGISTERED (command, const struct command, c)
		if (!strcmp((*c)->name, name))
			return *c;
	return NULL;
}
