/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Subcommands: src/cmd/foo.c ends in COMMAND(foo, "one line for the list", fn)
 * and is thereby `vmm foo`, in the list of `vmm --help`, in suggestions.
 */
#ifndef VMM_CMD_H
#define VMM_CMD_H

#include <stddef.h>
#include <vmm/registry.h>

/* Status of the process; `vmm help exits` prints the table. */
enum proc_exit {
#define PROC_EXIT(status, NAME, ...) PROC_##NAME = (status),
#include <vmm/exit.def>
};

struct command {
	const char *name, *help;
	/* argv[0] is "vmm foo". Returns the status of the process. */
	int (*run)(int argc, char **argv);
};

#define COMMAND(name_, help_, fn)                                                      \
	static const struct command command_##name_ = { #name_, help_, fn };           \
	REGISTER(command, const struct command, name_, &command_##name_)

const struct command *command_at(unsigned i);   /* NULL past the last; sorted by name */
const struct command *command_find(const char *name);

#endif
