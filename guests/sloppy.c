/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code that changes without IC, as it works on many a CPU and with --smc=track: on this CPU and on another one. */
#include "lib/lib.h"

#define ALIAS 0x7100000000ul

static u32 *code;

static u64 run(void) { return ((u64(*)(void))code)(); }
static u32 movz(u32 v) { return 0xd2800000 | v << 5; } /* mov x0, #v */

static volatile u64 stop, seen, rounds;
static void executor(u64 arg)
{
	(void)arg;
	while (!stop) {
		seen = run();
		rounds++;
	}
}

static bool rewrites(volatile u32 *where)
{
	unsigned wrong = 0;

	for (u32 i = 0; i < 300; i++) {
		*where = movz(i);
		wrong += run() != i;
		wrong += run() != i;
	}
	return !wrong;
}

/* Soon enough is a thousand rounds of the other CPU. */
static bool other_sees(u32 v)
{
	u64 from;

	*(volatile u32 *)code = movz(v);
	asm volatile("dsb ish" ::: "memory");
	from = rounds;
	while (seen != v && rounds < from + 1000)
		;
	return seen == v;
}

void test(void)
{
	unsigned wrong = 0;

	mmu_on();
	code = page_alloc();
	code[0] = movz(0);
	code[1] = 0xd65f03c0; /* ret */
	report(rewrites(code), "300 rewrites through the same address");
	mmu_map(ALIAS, (u64)code, PTE_NORMAL);
	mmu_flush(ALIAS);
	report(rewrites((u32 *)ALIAS), "300 rewrites through an alias");
	if (cpu_count() < 2) {
		report_skip("another CPU's code", "one vCPU");
		return;
	}
	cpu_start(1, executor, 0);
	for (u32 i = 1; i < 100; i++)
		wrong += !other_sees(i);
	stop = 1;
	cpu_wait_off(1);
	report(!wrong, "100 rewrites of what another CPU executes");
}
