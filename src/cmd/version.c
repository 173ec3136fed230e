/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <string.h>

#include <vmm/cmd.h>
#include <vmm/log.h>

static int cmd_version(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help")) {
		log_err(0, "version %s: takes no arguments; leave it out", argv[1]);
		return PROC_USAGE;
	}
	puts("vmm 0.1");
	return PROC_POWEROFF;
}

COMMAND(version, "print the version", cmd_version);
