/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other CPUs, through PSCI. */
#include "lib.h"

u64 hvc(u64 fn, u64 a, u64 b, u64 c)
{
	register u64 x0 asm("x0") = fn;
	register u64 x1 asm("x1") = a;
	register u64 x2 asm("x2") = b;
	register u64 x3 asm("x3") = c;

	asm volatile("hvc #0"
		     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
		       "x12", "x13", "x14", "x15", "x16", "x17", "memory");
	return x0;
}

u64 cpu_mpidr(unsigned id) { return (id & 0xf) | (u64)(id >> 4 & 0xff) << 8; }

unsigned cpu_id(void)
{
	u64 m = read_sysreg(mpidr_el1);

	return (m & 0xf) | (m >> 8 & 0xff) << 4;
}

unsigned cpu_count(void)
{
	unsigned n = 1;

	while ((int64_t)hvc(PSCI_AFFINITY_INFO, cpu_mpidr(n), 0, 0) >= 0)
		n++;
	return n;
}

struct secondary {
	u64 stack;
	void (*fn)(u64);
	u64 arg, mair, tcr, ttbr, sctlr;
	volatile u64 done;
};
static struct secondary secondaries[64];
static u8 stacks[64][8192] __attribute__((aligned(16)));
extern char secondary_start[];

bool cpu_start(unsigned id, void (*fn)(u64), u64 arg)
{
	struct secondary *s = &secondaries[id];
	bool mmu = read_sysreg(sctlr_el1) & 1;

	*s = (struct secondary){
		.stack = (u64)stacks[id] + sizeof(stacks[id]),
		.fn = fn,
		.arg = arg,
		.mair = read_sysreg(mair_el1),
		.tcr = read_sysreg(tcr_el1),
		.ttbr = mmu ? read_sysreg(ttbr0_el1) : 0,
		.sctlr = read_sysreg(sctlr_el1),
	};
	/* The new CPU reads it with its MMU off. */
	for (u64 a = (u64)s & ~63ul; a < (u64)(s + 1); a += 64)
		asm volatile("dc civac, %0" ::"r"(a) : "memory");
	dsb(sy);
	return hvc(PSCI_CPU_ON, cpu_mpidr(id), (u64)secondary_start, (u64)s) == 0;
}

void cpu_wait_off(unsigned id)
{
	/* AFFINITY_INFO alone may still say OFF just after CPU_ON on some hypervisors. */
	while (secondaries[id].fn && !secondaries[id].done)
		asm volatile("yield");
	while (hvc(PSCI_AFFINITY_INFO, cpu_mpidr(id), 0, 0) != 1)
		asm volatile("yield");
}
