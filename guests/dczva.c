/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DC ZVA: the whole aligned block and nothing else, its faults, EL0's permission. */
#include "lib/lib.h"

#define VA 0x7100000000ul
static u64 size;

static void zva(u64 va) { asm volatile("dc zva, %0" ::"r"(va) : "memory"); }

static bool zeroes_block(u8 *page, u64 offset)
{
	u64 start = offset & ~(size - 1);

	memset(page, 0xa5, 4096);
	zva(VA + offset);
	for (u64 k = 0; k < 4096; k++)
		if (page[k] != (k >= start && k < start + size ? 0 : 0xa5))
			return false;
	return true;
}

void test(void)
{
	u64 dczid = read_sysreg(dczid_el0), code, data;
	static const u32 words[] = { 0xd50b7420, 0xd53b00e0 }; /* dc zva, x0; mrs x0, dczid_el0 */
	struct fault f;
	u8 *page;

	report(!(dczid & 0x10), "DCZID_EL0.DZP=0 at EL1");
	size = 4ul << (dczid & 0xf);
	report(size >= 16 && size <= 2048, "a block of %lu bytes", size);
	mmu_on();
	page = page_alloc();
	mmu_map(VA, (u64)page, PTE_NORMAL);
	report(zeroes_block(page, 0) && zeroes_block(page, size), "at its start");
	report(zeroes_block(page, 1) && zeroes_block(page, 4095) && zeroes_block(page, 2 * size - 1),
	       "from anywhere within");
	mmu_map(VA, (u64)page, PTE_NORMAL | PTE_RO);
	mmu_flush(VA);
	f = catch_fault(zva, VA + 7);
	report(fault_ec(f) == 0x25 && fault_fsc(f) == 0xf && (f.esr >> 6 & 1) && !(f.esr >> 8 & 1) && f.far == VA + 7,
	       "read-only page: permission fault, WnR=1, CM=0, FAR as given (%lx)", f.esr);
	*mmu_pte(VA, 3) = 0;
	mmu_flush(VA);
	f = catch_fault(zva, VA + 7);
	report(fault_fsc(f) == 7 && f.far == VA + 7, "unmapped: translation fault");
	mmu_map(VA, (u64)page, PTE_VALID | PTE_TABLE | PTE_ATTR(0) | PTE_AF);
	mmu_flush(VA);
	f = catch_fault(zva, VA);
	report(fault_fsc(f) == 0x21, "Device memory: alignment fault");

	code = el0_code(words, ARRAY_SIZE(words));
	data = el0_data();
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~(1ul << 14));
	isb();
	el0_call(code, 0, data);
	report(fault_ec(el0_fault()) == 0x18, "EL0 with DZE=0: trapped");
	report(!catch_fault(zva, (u64)page).taken, "EL1 does not care about DZE");
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | 1ul << 14);
	isb();
	el0_call(code, 0, data);
	report(!el0_fault().taken, "EL0 with DZE=1: goes");
}
