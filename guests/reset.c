/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine that comes back from PSCI SYSTEM_RESET is as new: memory, CPUs, timers,
 * GIC, UART. Nothing of ours survives to count the boots, so somebody else does and
 * types: r reset, 2 SYSTEM_RESET2, x reset from another CPU, p power off. With the word
 * "forever" in its device tree it asks nobody. Each boot dirties what the next looks at.
 */
#include "lib/lib.h"

#define PSCI_SYSTEM_RESET2 0xc4000012
#define MARK               0x6469727479ul
#define FAR                (BOARD_RAM_BASE + 0x3000000) /* memory that is in no file */

static volatile u64 bss, data = 1;

static char key(void)
{
	while (read32(BOARD_UART_BASE + 0x18) & 0x10) /* UARTFR.RXFE */
		;
	return (char)read32(BOARD_UART_BASE);
}

static void reset_here(u64 arg)
{
	(void)arg;
	hvc(PSCI_SYSTEM_RESET, 0, 0, 0);
}

static void spin(u64 arg)
{
	for (;;)
		asm volatile("yield" ::"r"(arg));
}

static void look(void)
{
	report(!bss && data == 1, "memory is as the image says");
	report(!read64(FAR), "memory that no image fills is zero");
	report(!(read_sysreg(cntv_ctl_el0) & 1) && !(read_sysreg(sctlr_el1) & 1), "timer and MMU are off");
	report(!read32(BOARD_UART_BASE + 0x24), "the UART has no divisor");
	report(!(read32(BOARD_GICD_BASE) & 3), "the distributor is off");
	for (unsigned i = 1; i < cpu_count(); i++)
		report(hvc(PSCI_AFFINITY_INFO, cpu_mpidr(i), 0, 0) == 1, "CPU %u is off", i);
}

static void dirty(void)
{
	bss = data = MARK;
	write64(FAR, MARK);
	write32(BOARD_UART_BASE + 0x24, 13);
	write32(BOARD_GICD_BASE, 0x12);
	write_sysreg(cntv_cval_el0, 0);
	write_sysreg(cntv_ctl_el0, 1);
	for (unsigned i = 1; i < cpu_count(); i++)
		cpu_start(i, spin, i);
}

void test(void)
{
	char k;

	print("boot\n");
	look();
	k = told("forever") ? 'r' : key();
	if (k == 'p')
		return;
	if (k == 'x' && cpu_count() > 1) {
		cpu_start(1, reset_here, 0);
		spin(0);
	}
	dirty();
	hvc(k == '2' ? PSCI_SYSTEM_RESET2 : PSCI_SYSTEM_RESET, 0, 0, 0);
	report(false, "SYSTEM_RESET does not return");
}
