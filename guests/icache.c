/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code that changes: after DC CVAU, IC IVAU, DSB, ISB the new instructions run, by any alias and on any CPU. */
#include "lib/lib.h"

#define ALIAS 0x7100000000ul

static u32 *code;

static void sync(u64 va) { asm volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(va) : "memory"); }

static u64 run(void) { return ((u64(*)(void))code)(); }
static u32 movz(u32 v) { return 0xd2800000 | v << 5; } /* mov x0, #v */

static volatile u64 stop, bad, loops;
static void executor(u64 arg)
{
	u64 last = 0;

	(void)arg;
	while (!stop) {
		u64 v;

		isb();
		v = run();
		bad += v < last;
		last = v;
		loops++;
	}
}

void test(void)
{
	unsigned wrong = 0;

	mmu_on();
	code = page_alloc();
	code[1] = 0xd65f03c0; /* ret */
	for (u32 i = 0; i < 500; i++) {
		code[0] = movz(i);
		sync((u64)code);
		wrong += run() != i;
	}
	report(!wrong, "500 rewrites through the same address");

	mmu_map(ALIAS, (u64)code, PTE_NORMAL);
	mmu_flush(ALIAS);
	wrong = 0;
	for (u32 i = 0; i < 500; i++) {
		*(volatile u32 *)ALIAS = movz(1000 + i);
		sync(ALIAS);
		wrong += run() != 1000 + i;
	}
	report(!wrong, "500 rewrites through an alias, IC IVAU by the alias");

	wrong = 0;
	for (u32 i = 0; i < 100; i++) {
		code[0] = movz(i);
		asm volatile("dsb ish\n ic iallu\n dsb ish\n isb" ::: "memory");
		wrong += run() != i;
		code[0] = movz(i + 7);
		asm volatile("dsb ish\n ic ialluis\n dsb ish\n isb" ::: "memory");
		wrong += run() != i + 7;
	}
	report(!wrong, "IC IALLU and IALLUIS");

	/* The page is remapped: the same address now has other code, no IC needed (PIPT). */
	u32 *other = page_alloc();
	other[0] = movz(77);
	other[1] = 0xd65f03c0;
	sync((u64)other);
	code[0] = movz(66);
	sync((u64)code);
	u64 (*fn)(void) = (u64(*)(void))ALIAS;
	wrong = fn() != 66;
	*mmu_pte(ALIAS, 3) = 0;
	mmu_flush(ALIAS);
	mmu_map(ALIAS, (u64)other, PTE_NORMAL);
	report(!wrong && fn() == 77, "remapping a code page shows the other page's code");

	/* Code that ends a page and goes on in the next, which is not contiguous physically. */
	u32 *low = page_alloc();
	(void)page_alloc();
	u32 *high = page_alloc();
	low[1023] = movz(5);
	high[0] = 0x91000400; /* add x0, x0, #1 */
	high[1] = 0xd65f03c0;
	sync((u64)low + 4092);
	sync((u64)high);
	mmu_map(ALIAS + 0x10000, (u64)low, PTE_NORMAL);
	mmu_map(ALIAS + 0x11000, (u64)high, PTE_NORMAL);
	fn = (u64(*)(void))(ALIAS + 0x10000 + 4092);
	report(fn() == 6, "execution falls through from page to page");
	*mmu_pte(ALIAS + 0x11000, 3) = 0;
	mmu_flush(ALIAS + 0x11000);
	struct fault f = catch_fault((void (*)(u64))(void *)fn, 0);
	report(fault_ec(f) == 0x21 && f.elr == ALIAS + 0x11000 && f.far == f.elr,
	       "falling through into an unmapped page: ELR and FAR are its first address");

	if (cpu_count() < 2) {
		report_skip("another CPU sees changed code", "one vCPU");
		return;
	}
	code[0] = movz(1);
	sync((u64)code);
	cpu_start(1, executor, 0);
	while (!loops)
		;
	for (u32 i = 2; i < 3000; i++) {
		*(volatile u32 *)code = movz(i);
		sync((u64)code);
	}
	u64 after = loops;
	while (loops < after + 3)
		;
	stop = 1;
	cpu_wait_off(1);
	report(!bad, "another CPU runs old or new code, never older than before, %lu rounds", loops);
}
