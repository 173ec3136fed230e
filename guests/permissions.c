/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The permission matrix: every AP x UXN x PXN x level of a table's own bits, tried
 * as read, write and execute from EL1 and EL0; then AF, PAN, WXN and fault levels.
 */
#include "lib/lib.h"

#define VA    0x7100000000ul
#define STACK 0x7200000000ul
#define CODE  0x7300000000ul

static void rd(u64 va) { (void)*(volatile u32 *)va; }
static void wr(u64 va) { *(volatile u32 *)(va + 64) = 1; }
static void ex(u64 va) { ((void (*)(void))va)(); }

enum { ALLOWED = 0x3f };

/* Fault status of an access, ALLOWED if there was none. */
static unsigned el1(void (*fn)(u64))
{
	struct fault f = catch_fault(fn, VA);

	return f.taken ? fault_fsc(f) : ALLOWED;
}

static unsigned el0(u64 entry)
{
	el0_call(entry, STACK + 4096, VA);

	struct fault f = el0_fault();
	return f.taken ? fault_fsc(f) : ALLOWED;
}

static unsigned wrong;
static void expect(unsigned got, bool allowed, unsigned level, const char *what, u64 attrs)
{
	unsigned want = allowed ? ALLOWED : 0xc + level;

	if (got != want && wrong++ < 20)
		print("# attrs %lx %s: got %x, want %x\n", attrs, what, got, want);
}

static u64 user_code(u64 at, u32 insn)
{
	u32 *p = page_alloc();

	p[0] = insn;
	p[1] = 0xd4000001; /* svc #0 */
	mmu_map(at, (u64)p, PTE_NORMAL | PTE_USER | PTE_RO | PTE_PXN);
	asm volatile("ic iallu\n dsb ish\n isb" ::: "memory");
	return at;
}

static void pan(u64 page)
{
	mmu_map(VA, page, PTE_NORMAL | PTE_USER);
	mmu_flush(VA);
	rd(VA);
	asm volatile(".inst 0xd500419f" ::: "memory"); /* msr pan, #1 */
	report(el1(rd) == 0xf, "PAN refuses an EL1 read of a user page, also one that was just used");
	asm volatile("mov x9, %0\n .inst 0xb8400929" ::"r"(VA) : "x9", "memory"); /* ldtr w9, [x9] */
	report(true, "LDTR ignores PAN");
	asm volatile(".inst 0xd500409f" ::: "memory"); /* msr pan, #0 */
	report(el1(rd) == ALLOWED, "and allows it again");
}

/* Off for one access in straight-line code, as a kernel's copy from user space is, with kernel data beside it. */
static void pan_between(void)
{
	static volatile u64 kernel;
	unsigned wrong = 0;
	u64 got;

	for (u64 i = 1; i <= 200; i++) {
		kernel = i;
		asm volatile(
			".inst 0xd500419f\n ldr x9, [%2]\n .inst 0xd500409f\n str x9, [%1, #256]\n ldr x10, [%1, #256]\n .inst 0xd500419f\n"
			"add x9, x9, x10\n str x9, [%2]\n mov %0, x9\n"
			: "=r"(got)
			: "r"(VA), "r"(&kernel)
			: "x9", "x10", "memory");
		wrong += got != 2 * i || kernel != 2 * i;
		wrong += el1(rd) != 0xf;
		asm volatile(".inst 0xd500419f" ::: "memory"); /* msr pan, #1: catching a fault clears it */
		wrong += el1(wr) != 0xf;
	}
	asm volatile(".inst 0xd500409f" ::: "memory"); /* msr pan, #0 */
	report(!wrong, "PAN off between two accesses of 200 rounds, on for all others");
}

void test(void)
{
	u32 *page;
	u64 load, store, *table;
	struct fault f;

	mmu_on();
	page = page_alloc();
	mmu_map(STACK, (u64)page_alloc(), PTE_NORMAL | PTE_USER | PTE_UXN | PTE_PXN);
	load = user_code(CODE, 0xb9400001);         /* ldr w1, [x0] */
	store = user_code(CODE + 4096, 0xb9004001); /* str w1, [x0, #64] */

	/* Executing the page is one SVC: class 0x15 from either EL means that it ran. */
	page[0] = 0xd4000001;

	asm volatile("ic iallu\n dsb ish\n isb" ::: "memory");
	wrong = 0;
	for (unsigned i = 0; i < 16; i++) {
		bool user = i & 1, ro = i & 2, uxn = i & 4, pxn = i & 8;
		u64 attrs = (user ? PTE_USER : 0) | (ro ? PTE_RO : 0) | (uxn ? PTE_UXN : 0) | (pxn ? PTE_PXN : 0);

		mmu_map(VA, (u64)page, PTE_NORMAL | attrs);
		mmu_flush(VA);
		expect(el1(rd), true, 3, "EL1 read", attrs);
		expect(el1(wr), !ro, 3, "EL1 write", attrs);
		f = catch_fault(ex, VA);
		expect(fault_ec(f) == 0x15 ? ALLOWED : fault_fsc(f), !pxn && !(user && !ro), 3, "EL1 execute", attrs);
		expect(el0(load), user, 3, "EL0 read", attrs);
		expect(el0(store), user && !ro, 3, "EL0 write", attrs);
		expect(el0(VA), !uxn, 3, "EL0 execute", attrs);
	}
	report(!wrong, "AP x UXN x PXN: 96 accesses allowed and refused as the Arm ARM says");

	/* Bits of a table entry restrict what is below it. */
	table = mmu_pte(VA, 2);
	mmu_map(VA, (u64)page, PTE_NORMAL | PTE_USER);
	*table |= 1ul << 62; /* APTable: read-only */
	mmu_flush(VA);
	report(el1(wr) == 0xf && el0(store) == 0xf && el1(rd) == ALLOWED,
	       "APTable[1] makes everything below read-only");
	*table = (*table & ~(1ul << 62)) | 1ul << 61; /* no EL0 */
	mmu_flush(VA);
	report(el0(load) == 0xf && el1(rd) == ALLOWED, "APTable[0] hides everything below from EL0");
	*table = (*table & ~(1ul << 61)) | 1ul << 60; /* UXNTable */
	mmu_flush(VA);
	report(el0(VA) == 0xf && el0(load) == ALLOWED, "UXNTable");
	*table = (*table & ~(1ul << 60)) | 1ul << 59; /* PXNTable */
	mmu_map(VA, (u64)page, PTE_NORMAL | PTE_RO);
	mmu_flush(VA);
	f = catch_fault(ex, VA);
	report(fault_ec(f) == 0x21 && fault_fsc(f) == 0xf, "PXNTable");
	*table &= ~(1ul << 59);

	mmu_map(VA, (u64)page, (PTE_NORMAL & ~PTE_AF));
	mmu_flush(VA);
	report(el1(rd) == 0xb, "access flag fault at level 3");
	*mmu_pte(VA, 3) |= PTE_AF;
	dsb(ishst);
	isb();
	report(el1(rd) == ALLOWED, "setting AF needs no TLBI: faults are not cached");

	*mmu_pte(VA, 3) = 0;
	mmu_flush(VA);
	report(el1(rd) == 7, "translation fault at level 3");
	mmu_map(VA, (u64)page, PTE_NORMAL);
	report(el1(rd) == ALLOWED, "invalid to valid needs no TLBI");
	f = catch_fault(rd, VA + (1ul << 21));
	report(fault_fsc(f) == 7 || fault_fsc(f) == 6, "translation fault at level 2 or 3 beside it");
	f = catch_fault(rd, 0x7fc0000000);
	report(fault_fsc(f) == 5, "translation fault at level 1");
	f = catch_fault(rd, 1ul << 45);
	report(fault_fsc(f) == 4 && f.far == 1ul << 45, "an address beyond T0SZ: level 0");
	f = catch_fault(rd, ~0xffful);
	report(fault_fsc(f) == 4, "TTBR1 half with EPD1: level 0");

	if (has_pan()) {
		pan((u64)page);
		pan_between();
	} else {
		report_skip("PAN refuses an EL1 read of a user page, also one that was just used", "no FEAT_PAN");
		report_skip("LDTR ignores PAN", "no FEAT_PAN");
		report_skip("and allows it again", "no FEAT_PAN");
		report_skip("PAN off between two accesses of 200 rounds, on for all others", "no FEAT_PAN");
	}

	mmu_map(VA, (u64)page, PTE_NORMAL);
	mmu_flush(VA);
	mmu_map(VA, 0x3f000000ul << 16, PTE_NORMAL); /* beyond IPS (40 bits): 0x3f0000000000 */
	mmu_flush(VA);
	report(el1(rd) == 3, "output address beyond IPS: address size fault at level 3");
}
