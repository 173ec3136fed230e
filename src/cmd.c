/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <vmm/cmd.h>

REGISTRY_BY_NAME(command, const struct command, command_at, command_find);
