/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test of the tests: entry state, reporting, vectors, a second CPU. */
#include "lib/lib.h"

static void brk(u64 arg)
{
	(void)arg;
	asm volatile("brk #0x123");
}
static void harmless(u64 arg) { *(volatile u64 *)arg = 42; }

static volatile u64 seen;
static void secondary(u64 arg)
{
	seen = arg + cpu_id();
	dsb(sy);
}

void test(void)
{
	volatile u64 v = 0;
	struct fault f;

	report(read_sysreg(currentel) == 4, "entered at EL1");
	report((read_sysreg(daif) & 0x3c0) == 0x3c0, "interrupts are masked at entry");
	report(dtb && read32(dtb) == 0xedfe0dd0, "x0 is a device tree");
	report(!(read_sysreg(sctlr_el1) & 1), "the MMU is off at entry");
	f = catch_fault(brk, 0);
	report(f.taken && fault_ec(f) == 0x3c && fault_iss(f) == 0x123, "BRK is caught with its number");
	f = catch_fault(harmless, (u64)&v);
	report(!f.taken && v == 42, "a function that does not fault returns");
	mmu_on();
	report(read_sysreg(sctlr_el1) & 1, "the MMU is on");
	if (cpu_count() < 2) {
		report_skip("a second CPU runs", "one vCPU");
		return;
	}
	report(cpu_start(1, secondary, 100), "CPU_ON succeeds");
	cpu_wait_off(1);
	report(seen == 101, "a second CPU ran and turned itself off");
}
