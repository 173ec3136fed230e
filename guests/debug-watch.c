/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Watchpoints: bytes, masks, loads and stores, levels; the access does not happen. Arm ARM, "Watchpoint exceptions".
 */
#include "lib/lib.h"

#define KDE     (1ul << 13)
#define MDE     (1ul << 15)
#define E       1ul
#define EL1     (1ul << 1)
#define EL0     (2ul << 1)
#define LOAD    (1ul << 3)
#define STORE   (2ul << 3)
#define BAS(n)  ((u64)(n) << 5)
#define LBN(n)  ((u64)(n) << 16)
#define WT      (1ul << 20)
#define MASK(n) ((u64)(n) << 24)

static void set(u64 vr, u64 cr)
{
	write_sysreg(dbgwvr0_el1, vr);
	write_sysreg(dbgwcr0_el1, cr);
	isb();
}

/* One instruction with x0 the address and x1 = x2 = x3 = ~0, run at EL0. */
static u64 entry(u32 insn)
{
	const u32 words[] = { 0x92800001, 0x92800002, 0x92800003, insn };

	return el0_code(words, ARRAY_SIZE(words));
}

/* ldxr x3, [x0]; stxr w2, x1, [x0] */
static const u32 exclusive[] = { 0x92800001, 0x92800002, 0xc85f7c03, 0xc8027c01 };

static struct fault f;
static bool hit(u64 code, u64 va)
{
	el0_call(code, 0, va);
	f = el0_fault();
	return f.taken && fault_ec(f) == 0x34 && fault_fsc(f) == 0x22 && f.elr == code + 12;
}
/* FAR lies between the first byte accessed and the last one watched. */
static bool at(u64 lo, u64 hi) { return f.far >= lo && f.far <= hi; }
static bool wnr(void) { return f.esr >> 6 & 1; }

static void el1_store(u64 va)
{
	asm volatile("msr daifclr, #8\n str xzr, [%0]\n msr daifset, #8" ::"r"(va) : "memory");
}
static void el1_ldtr(u64 va)
{
	asm volatile("msr daifclr, #8\n ldtr xzr, [%0]\n msr daifset, #8" ::"r"(va) : "memory");
}

void test(void)
{
	u64 d, strb, strx, ldrx, ldp, swp, stxr, prfm, zva, strq, ld1;
	volatile u8 *mem;
	u8 *page;

	mmu_on();
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | 1 << 14); /* DZE */
	d = el0_data();
	page = (u8 *)(*mmu_pte(d, 3) & 0xfffffffff000);
	mem = page;
	mmu_map(d + 4096, (u64)page_alloc(), PTE_NORMAL | PTE_USER);
	strb = entry(0x39000001); /* strb w1, [x0] */
	strx = entry(0xf9000001); /* str x1, [x0] */
	ldrx = entry(0xf9400001); /* ldr x1, [x0] */
	ldp = entry(0xa9400801);  /* ldp x1, x2, [x0] */
	strq = entry(0x3d800001); /* str q1, [x0] */
	swp = entry(0xf8218002);  /* swp x1, x2, [x0] */
	stxr = el0_code(exclusive, ARRAY_SIZE(exclusive));
	prfm = entry(0xf9800000); /* prfm pldl1keep, [x0] */
	zva = entry(0xd50b7420);  /* dc zva, x0 */
	ld1 = entry(0x4cdf2001);  /* ld1 {v1.16b-v4.16b}, [x0], #64 */
	write_sysreg(oslar_el1, 0);

	set(d + 0x40, E | EL0 | LOAD | STORE | BAS(0xff));
	report(!hit(strx, d + 0x40) && mem[0x40] == 0xff, "MDE=0: none");
	mem[0x40] = 0;
	write_sysreg(mdscr_el1, MDE);
	isb();
	report(hit(strx, d + 0x40) && at(d + 0x40, d + 0x47) && wnr(), "a store: class 34, status 22, FAR, WnR=1");
	report(mem[0x40] == 0, "and memory is unchanged");
	report(hit(ldrx, d + 0x40) && !wnr(), "a load: WnR=0");
	report(!hit(strx, d + 0x48) && !hit(strx, d + 0x38) && mem[0x48] == 0xff && mem[0x38] == 0xff &&
		       !hit(ldrx, d + 0x48),
	       "its neighbours are accessed as usual");
	report(hit(ldp, d + 0x38) && at(d + 0x38, d + 0x47), "the second half of LDP");
	report(hit(ld1, d + 8) && at(d + 8, d + 0x47), "the last register of LD1");
	report(hit(strq, d + 0x38) && mem[0x40] == 0, "the upper half of a Q register");
	report(hit(strx, d + 0x41) && hit(strx, d + 0x39) && hit(strb, d + 0x47) && !hit(strb, d + 0x3f),
	       "unaligned stores and bytes");
	report(hit(zva, d + 0x7f) && at(d + 0x40, d + 0x47) && wnr() && mem[0x48] == 0xff, "DC ZVA of its block");
	report(!hit(zva, d + 0x80), "DC ZVA of the next block: none");
	report(!hit(prfm, d + 0x40), "PRFM: none");
	if (has_lse())
		report(hit(swp, d + 0x40) && !wnr(), "SWP with loads watched: WnR=0");
	else
		report_skip("SWP with loads watched: WnR=0", "no FEAT_LSE");
	set(d + 0x40, E | EL0 | STORE | BAS(0xff));
	if (has_lse())
		report(hit(swp, d + 0x40) && wnr(), "SWP with only stores watched: WnR=1");
	else
		report_skip("SWP with only stores watched: WnR=1", "no FEAT_LSE");
	report(!hit(ldrx, d + 0x40), "only stores: a load does not hit");
	report(hit(stxr, d + 0x40) && wnr(), "STXR that would succeed");
	set(d + 0x40, E | EL0 | LOAD | BAS(0xff));
	report(!hit(strx, d + 0x40) && hit(ldrx, d + 0x40), "only loads");
	report(!hit(strb, d + 0x40), "only loads: STRB does not hit");

	set(d + 0x40, E | EL0 | STORE | BAS(0x08));
	report(!hit(strb, d + 0x42) && hit(strb, d + 0x43) && !hit(strb, d + 0x44), "BAS: one byte");
	report(hit(strx, d + 0x40) && at(d + 0x40, d + 0x43), "BAS: FAR is not beyond it");
	set(d + 0x44, E | EL0 | STORE | BAS(0x01));
	report(!hit(strb, d + 0x40) && hit(strb, d + 0x44) && !hit(strb, d + 0x45),
	       "a word address: BAS counts from it");
	set(d + 0x100, E | EL0 | STORE | BAS(0xff) | MASK(8));
	report(!hit(strb, d + 0xff) && hit(strb, d + 0x100) && hit(strb, d + 0x1ff) && !hit(strb, d + 0x200),
	       "MASK: 256 bytes");
	set(d & ~0xfffful, E | EL0 | STORE | BAS(0xff) | MASK(16));
	report(hit(strb, d) && hit(strb, d + 0xfff), "MASK: 64 KiB");
	set(d & ~0x7ffffffful, E | EL0 | STORE | BAS(0xff) | MASK(31));
	report(hit(strb, d) && hit(strx, d + 0xffc), "MASK: 2 GiB");
	set(d + 4096, E | EL0 | STORE | BAS(0xff));
	mem[0xffc] = 0;
	report(hit(strx, d + 0xffc) && mem[0xffc] == 0 && at(d + 0xffc, d + 0x1007), "a store across pages into it");
	set(d + 0xff8, E | EL0 | STORE | BAS(0x80));
	report(hit(strx, d + 0xfff), "a store across pages out of it");

	set(d + 0x40, E | EL1 | LOAD | STORE | BAS(0xff));
	report(!hit(strx, d + 0x40), "for EL1 only: none at EL0");
	f = catch_fault(el1_store, d + 0x40);
	report(!f.taken, "EL1 with KDE=0: none");
	write_sysreg(mdscr_el1, MDE | KDE);
	isb();
	f = catch_fault(el1_store, d + 0x40);
	report(fault_ec(f) == 0x35 && fault_fsc(f) == 0x22 && at(d + 0x40, d + 0x47), "EL1 with KDE=1: class 35");
	f = catch_fault(el1_ldtr, d + 0x40);
	report(!f.taken, "LDTR is an EL0 access: not for a watchpoint of EL1");
	set(d + 0x40, E | EL0 | LOAD | STORE | BAS(0xff));
	f = catch_fault(el1_ldtr, d + 0x40);
	report(fault_ec(f) == 0x35, "but for one of EL0, class 35");
	f = catch_fault(el1_store, d + 0x40);
	report(!f.taken, "a store of EL1 is not");
	write_sysreg(mdscr_el1, MDE);
	isb();

	*mmu_pte(d, 3) |= PTE_RO;
	mmu_flush(d);
	el0_call(strx, 0, d + 0x40);
	report(fault_ec(el0_fault()) == 0x24 && fault_fsc(el0_fault()) == 0xf, "a permission fault goes before");
	*mmu_pte(d, 3) &= ~PTE_RO;
	mmu_flush(d);

	write_sysreg(oslar_el1, 1);
	isb();
	report(!hit(strx, d + 0x40), "closed OS lock: none");
	write_sysreg(oslar_el1, 0);
	isb();
	report(hit(strx, d + 0x40), "opened: hits");
	set(d + 0x40, 0);
	mem[0x40] = 0;
	report(!hit(strx, d + 0x40) && mem[0x40] == 0xff, "disabled: the page is as any other");
	write_sysreg(mdscr_el1, 0);
}
