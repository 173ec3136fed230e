/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include <vmm/cmd.h>

static int cmd_version(int argc, char **argv)
{
	(void)argc, (void)argv;
	puts("vmm 0.1");
	return PROC_POWEROFF;
}

COMMAND(version, "print the version", cmd_version);
