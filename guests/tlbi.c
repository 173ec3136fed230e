/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every form of TLBI drops what it names: pages, blocks in fragments, ASIDs, ranges; and nothing is kept by others.
 */
#include "lib/lib.h"

#define VA 0x7100000000ul

static u64 *one, *two;
static u64 get(u64 va) { return *(volatile u64 *)va; }

/* Points VA at @page, uses the translation, points it at @other without TLBI, runs @flush, reads. */
static u64 after(void (*flush)(u64), u64 attrs)
{
	mmu_map(VA, (u64)one, PTE_NORMAL | attrs);
	mmu_flush(VA);
	(void)get(VA);
	*mmu_pte(VA, 3) = (u64)two | PTE_NORMAL | attrs;
	dsb(ishst);
	flush(VA);
	dsb(ish);
	isb();
	return get(VA);
}

static u64 asid(void) { return read_sysreg(ttbr0_el1) & 0xffffull << 48; }
static void vmalle1(u64 va)
{
	(void)va;
	asm volatile("tlbi vmalle1" ::: "memory");
}
static void vmalle1is(u64 va)
{
	(void)va;
	asm volatile("tlbi vmalle1is" ::: "memory");
}
static void vae1(u64 va) { asm volatile("tlbi vae1, %0" ::"r"((va >> 12 & 0xfffffffffff) | asid()) : "memory"); }
static void vae1is(u64 va) { asm volatile("tlbi vae1is, %0" ::"r"((va >> 12 & 0xfffffffffff) | asid()) : "memory"); }
static void vale1is(u64 va)
{
	asm volatile("tlbi vale1is, %0" ::"r"((va >> 12 & 0xfffffffffff) | asid()) : "memory");
}
static void vaae1(u64 va) { asm volatile("tlbi vaae1, %0" ::"r"(va >> 12 & 0xfffffffffff) : "memory"); }
static void vaale1is(u64 va) { asm volatile("tlbi vaale1is, %0" ::"r"(va >> 12 & 0xfffffffffff) : "memory"); }
static void aside1(u64 va)
{
	(void)va;
	asm volatile("tlbi aside1, %0" ::"r"(asid()) : "memory");
}
static void aside1is(u64 va)
{
	(void)va;
	asm volatile("tlbi aside1is, %0" ::"r"(asid()) : "memory");
}
/* TG=01 (4K), SCALE=0, NUM=0: two pages from VA. */
static u64 range_of(u64 va) { return (va >> 12 & 0x1fffffffff) | 1ul << 46; }
static void rvaae1is(u64 va)
{
	asm volatile("mov x0, %0\n .inst 0xd5088260" ::"r"(range_of(va)) : "x0", "memory"); /* tlbi rvaae1is, x0 */
}

static void touch(u64 va) { (void)get(va); }

static void blocks(void)
{
	u64 block = 0x50000000, va = 0x7140000000;
	u64 *e = mmu_pte(va, 2);
	unsigned wrong = 0;

	*e = block | PTE_VALID | PTE_ATTR(1) | PTE_SH | PTE_AF;
	dsb(ishst);
	isb();
	for (u64 i = 0; i < 512; i++)
		*(u64 *)(va + i * 4096) = i;
	/* Break before make, one TLBI for all 512 pages that were touched. */
	*e = 0;
	mmu_flush(va);
	for (u64 i = 0; i < 512; i += 37)
		wrong += !catch_fault(touch, va + i * 4096).taken;
	report(!wrong, "TLBI VAAE1IS of one address drops all of a 2 MiB block");
	*e = (block + (2ul << 20)) | PTE_VALID | PTE_ATTR(1) | PTE_SH | PTE_AF;
	dsb(ishst);
	isb();
	for (u64 i = 0; i < 512; i++)
		wrong += get(va + i * 4096) != 0;
	report(!wrong, "and the new block is seen everywhere");
}

static volatile u64 go, done;
static void spin(u64 va)
{
	while (!go)
		;
	while (!done)
		*(volatile u64 *)va += 1;
}

static void remote(void)
{
	u64 v, end;

	mmu_map(VA, (u64)one, PTE_NORMAL);
	mmu_flush(VA);
	report(cpu_start(1, spin, VA), "a second CPU stores through the mapping");
	go = 1;
	for (volatile unsigned i = 0; i < 100000; i++)
		;
	*mmu_pte(VA, 3) = (u64)two | PTE_NORMAL;
	mmu_flush(VA);
	v = *(volatile u64 *)one;
	for (volatile unsigned i = 0; i < 100000; i++)
		;
	end = read_sysreg(cntvct_el0) + 10 * read_sysreg(cntfrq_el0); /* its turn may come late */
	while (*(volatile u64 *)two <= 2 && read_sysreg(cntvct_el0) < end)
		;
	report(*(volatile u64 *)one == v, "after TLBI IS and DSB it no longer writes to the old page");
	report(*(volatile u64 *)two > 2, "but to the new one");
	done = 1;
	cpu_wait_off(1);
}

void test(void)
{
	static const struct {
		const char *name;
		void (*fn)(u64);
		bool global;
	} forms[] = {
		{ "VMALLE1", vmalle1, true },   { "VMALLE1IS", vmalle1is, true }, { "VAE1", vae1, true },
		{ "VAE1IS", vae1is, true },     { "VALE1IS", vale1is, true },     { "VAAE1", vaae1, true },
		{ "VAALE1IS", vaale1is, true }, { "ASIDE1", aside1, false },      { "ASIDE1IS", aside1is, false },
		{ "RVAAE1IS", rvaae1is, true },
	};
	bool range = (read_sysreg(id_aa64isar0_el1) >> 56 & 15) >= 2;

	mmu_on();
	one = page_alloc();
	two = page_alloc();
	*one = 1;
	*two = 2;
	for (unsigned a = 0; a < 2; a++) {
		write_sysreg(ttbr0_el1, (read_sysreg(ttbr0_el1) & 0xffffffffffff) | (u64)a * 0x1234 << 48);
		isb();
		for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
			if (forms[i].fn == rvaae1is && !range) {
				report_skip("RVAAE1IS", "no TLB range instructions");
				continue;
			}
			report(after(forms[i].fn, PTE_NG) == 2, "%s drops a non-global page (ASID %x)", forms[i].name,
			       a * 0x1234);
			if (forms[i].global)
				report(after(forms[i].fn, 0) == 2, "%s drops a global page", forms[i].name);
		}
	}
	/* The same VA in two ASIDs. */
	mmu_map(VA, (u64)one, PTE_NORMAL | PTE_NG);
	mmu_flush(VA);
	report(get(VA) == 1, "a page of ASID 1234");
	write_sysreg(ttbr0_el1, (read_sysreg(ttbr0_el1) & 0xffffffffffff) | 0x5678ull << 48);
	isb();
	*mmu_pte(VA, 3) = (u64)two | PTE_NORMAL | PTE_NG;
	dsb(ishst);
	isb();
	report(get(VA) == 2, "another ASID does not see it");
	mmu_flush(VA);
	blocks();
	if (cpu_count() < 2)
		report_skip("a remote CPU drops its translations", "one vCPU");
	else
		remote();
}
