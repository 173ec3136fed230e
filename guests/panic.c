/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says by pvpanic that it has panicked, as a kernel does; then "off" or "reset" in the
 * device tree has it end itself, or it stays there.
 */
#include <spec/pvpanic.h>
#include "lib/lib.h"

void test(void)
{
	report(read8(BOARD_PVPANIC_BASE) & PVPANIC_PANICKED, "pvpanic understands a panic");
	write8(BOARD_PVPANIC_BASE, PVPANIC_PANICKED);
	if (told("then-off"))
		hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
	if (told("then-reset"))
		hvc(PSCI_SYSTEM_RESET, 0, 0, 0);
	for (;;)
		wfi();
}
