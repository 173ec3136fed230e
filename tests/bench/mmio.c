/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses to a device, timed by the guest's own counter: BENCH mmio accesses nanoseconds */
#include <spec/board.h>

#include "lib/lib.h"

#define ROUNDS 20000ul

void test(void)
{
	u64 start, ticks, n = ROUNDS, value;

	mmu_on();
	isb();
	start = read_sysreg(cntvct_el0);
	/* The match register of the PL031: it answers and nothing follows from it. */
	asm volatile("1: ldr %w1, [%2]\n subs %0, %0, #1\n b.ne 1b"
		     : "+r"(n), "=&r"(value)
		     : "r"(BOARD_RTC_BASE + 4ul)
		     : "cc", "memory");
	isb();
	ticks = read_sysreg(cntvct_el0) - start;
	print("BENCH mmio %lu %lu\n", ROUNDS, ticks * 1000 / (read_sysreg(cntfrq_el0) / 1000000));
	report(true, "timed");
}
