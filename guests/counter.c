/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CNTVCT_EL0 never runs backwards, neither for one CPU nor from one to the other, and is the same for all. */
#include "lib/lib.h"

enum { ROUNDS = 20000, CPUS = 4 };

/* The latest that anybody has read, handed on by acquire and release: who sees it reads no less. */
static volatile u64 latest;
static volatile u64 backwards[CPUS], ahead[CPUS], tight[CPUS];

static u64 now(void)
{
	u64 v;

	asm volatile("isb\n mrs %0, cntvct_el0" : "=r"(v)::"memory");
	return v;
}

/* Close together: a counter that is read in different ways must not differ. */
static void read_twice(u64 me)
{
	u64 a, b, c;

	asm volatile("mrs %0, cntvct_el0\n isb\n mrs %1, cntvct_el0\n isb\n mrs %2, cntvct_el0"
		     : "=r"(a), "=r"(b), "=r"(c));
	tight[me] += b < a || c < b;
}

static void watch(u64 me)
{
	u64 last = 0, seen, t;

	for (unsigned i = 0; i < ROUNDS; i++) {
		asm volatile("ldar %0, [%1]" : "=r"(seen) : "r"(&latest) : "memory");
		t = now();
		ahead[me] += t < seen;
		backwards[me] += t < last;
		last = t;
		/* Orders the read of the counter before the store. */
		isb();
		asm volatile("stlr %0, [%1]" ::"r"(t), "r"(&latest) : "memory");
		read_twice(me);
	}
}

void test(void)
{
	unsigned cpus, b = 0, a = 0, t = 0;
	u64 frequency = read_sysreg(cntfrq_el0), start;

	mmu_on();
	cpus = cpu_count();
	if (cpus > CPUS)
		cpus = CPUS;
	start = now();
	for (unsigned n = 1; n < cpus; n++)
		cpu_start(n, watch, n);
	watch(0);
	for (unsigned n = 1; n < cpus; n++)
		cpu_wait_off(n);
	for (unsigned n = 0; n < cpus; n++) {
		b += backwards[n];
		a += ahead[n];
		t += tight[n];
	}
	report(!b, "the counter of a CPU does not run backwards");
	report(!t, "nor between three reads in a row");
	if (cpus > 1)
		report(!a, "nobody reads less than what another has read before");
	else
		report_skip("nobody reads less than what another has read before", "one vCPU");
	report(now() > start && now() - start < 100 * frequency, "it runs");
}
