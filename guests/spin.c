/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Never ends: all CPUs work. "silently" in the device tree: without a word. For how a run is ended from outside. */
#include "lib/lib.h"

static void spin(u64 arg)
{
	for (;;)
		asm volatile("yield" ::"r"(arg));
}

void test(void)
{
	for (unsigned i = 1; i < cpu_count(); i++)
		cpu_start(i, spin, i);
	if (!told("silently"))
		print("spinning\n");
	spin(0);
}
