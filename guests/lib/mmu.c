/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Page tables: 4 KiB granule, 39-bit VA, so a walk starts at level 1. */
#include "lib.h"

static u8 pool[128][4096] __attribute__((aligned(4096)));
static unsigned used;
static u64 *root;

void *page_alloc(void)
{
	if (used == ARRAY_SIZE(pool)) {
		report(false, "the page pool of the test is exhausted");
		finish();
	}
	return memset(pool[used++], 0, 4096);
}

u64 *mmu_pte(u64 va, int level)
{
	u64 *t = root;

	for (int l = 1; l < level; l++) {
		u64 *e = &t[va >> (39 - 9 * l) & 511];

		if (!(*e & PTE_VALID)) {
			*e = (u64)page_alloc() | PTE_TABLE | PTE_VALID;
		} else if (!(*e & PTE_TABLE)) { /* a block: the same mapping, one level down */
			u64 *n = page_alloc(), step = 1ul << (39 - 9 * (l + 1));

			for (u64 i = 0; i < 512; i++)
				n[i] = (*e + i * step) | (l + 1 == 3 ? PTE_TABLE : 0);
			*e = 0;
			dsb(ish);
			asm volatile("tlbi vmalle1is" ::: "memory");
			dsb(ish);
			*e = (u64)n | PTE_TABLE | PTE_VALID;
		}
		dsb(ishst);
		isb();
		t = (u64 *)(*e & 0xfffffffff000ul);
	}
	return &t[va >> (39 - 9 * level) & 511];
}

void mmu_map(u64 va, u64 pa, u64 attrs)
{
	*mmu_pte(va, 3) = pa | attrs;
	dsb(ishst);
	isb();
}

void mmu_flush(u64 va)
{
	dsb(ishst);
	asm volatile("tlbi vaae1is, %0" ::"r"(va >> 12 & 0xfffffffffff) : "memory");
	dsb(ish);
	isb();
}

void mmu_on(void)
{
	root = page_alloc();
	/* 0..1 GiB devices, 1..4 GiB RAM; nothing at EL0, devices never executed. */
	root[0] = 0x00000000 | PTE_VALID | PTE_ATTR(0) | PTE_AF | PTE_PXN | PTE_UXN;
	for (u64 g = 1; g < 4; g++)
		root[g] = g << 30 | PTE_VALID | PTE_ATTR(1) | PTE_SH | PTE_AF;
	write_sysreg(mair_el1, 0xff00);
	/* T0SZ=25, WB WA inner shareable, TG0 4K, EPD1, IPS 40 bits, AS 16 bits */
	write_sysreg(tcr_el1, 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23 | 2ul << 32 | 1ul << 36);
	write_sysreg(ttbr0_el1, (u64)root);
	isb();
	asm volatile("tlbi vmalle1\n dsb sy\n isb" ::: "memory");
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | 1 | 1 << 2 | 1 << 12);
	isb();
}

void icache_sync(void) { asm volatile("dsb ish\n ic iallu\n dsb ish\n isb" ::: "memory"); }

static u64 el0_va(void)
{
	static u64 next = 0x6000000000;

	next += 2 * 4096; /* a hole after each */
	return next;
}

u64 el0_code(const u32 *words, unsigned count)
{
	u64 va = el0_va();
	u32 *p = page_alloc();

	memcpy(p, words, count * 4);
	p[count] = 0xd4000001; /* svc #0 */
	for (u64 a = (u64)p; a < (u64)p + 4096; a += 64)
		asm volatile("dc cvau, %0" ::"r"(a) : "memory");
	mmu_map(va, (u64)p, PTE_NORMAL | PTE_USER | PTE_RO | PTE_PXN);
	icache_sync();
	return va;
}

u64 el0_data(void)
{
	u64 va = el0_va();

	mmu_map(va, (u64)page_alloc(), PTE_NORMAL | PTE_USER | PTE_PXN | PTE_UXN);
	return va;
}
