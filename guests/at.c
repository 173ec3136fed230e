/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AT S1E1R, S1E1W, S1E0R, S1E0W: the address, attributes and shareability in PAR_EL1; the fault when there is one. */
#include "lib/lib.h"

#define VA 0x7100000000ul

enum { E1R, E1W, E0R, E0W };
static u64 at(unsigned op, u64 va)
{
	switch (op) {
	case E1R: asm volatile("at s1e1r, %0\n isb" ::"r"(va) : "memory"); break;
	case E1W: asm volatile("at s1e1w, %0\n isb" ::"r"(va) : "memory"); break;
	case E0R: asm volatile("at s1e0r, %0\n isb" ::"r"(va) : "memory"); break;
	case E0W: asm volatile("at s1e0w, %0\n isb" ::"r"(va) : "memory"); break;
	}
	return read_sysreg(par_el1);
}

static bool works(u64 par, u64 pa) { return !(par & 1) && (par & 0xfffffffff000) == pa; }
static bool faults(u64 par, unsigned fst) { return (par & 1) && (par >> 1 & 0x3f) == fst && (par >> 11 & 1); }

void test(void)
{
	u64 page, par;

	mmu_on();
	page = (u64)page_alloc();
	static const struct {
		const char *name;
		u64 attrs;
		bool ok[4];
	} rows[] = {
		{ "EL1 read-write", 0, { true, true, false, false } },
		{ "EL1 read-only", PTE_RO, { true, false, false, false } },
		{ "EL0 read-write", PTE_USER, { true, true, true, true } },
		{ "EL0 read-only", PTE_USER | PTE_RO, { true, false, true, false } },
	};
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		unsigned bad = 0;

		mmu_map(VA, page, PTE_NORMAL | rows[k].attrs);
		mmu_flush(VA);
		for (unsigned op = 0; op < 4; op++) {
			par = at(op, VA + 0x123);
			bad += rows[k].ok[op] ? !works(par, page) : !faults(par, 0xf);
		}
		report(!bad, "%s: four accesses", rows[k].name);
	}
	mmu_map(VA, page, PTE_NORMAL);
	mmu_flush(VA);
	par = at(E1R, VA);
	report(par >> 56 == 0xff && (par >> 7 & 3) == 3 && !(par >> 10 & 1),
	       "Normal write-back, inner shareable (%lx)", par);
	mmu_map(VA, page, PTE_VALID | PTE_TABLE | PTE_ATTR(0) | PTE_AF);
	mmu_flush(VA);
	par = at(E1R, VA);
	report(par >> 56 == 0 && (par >> 7 & 3) == 2, "Device: attribute 0, outer shareable whatever SH says (%lx)",
	       par);
	mmu_map(VA, page, PTE_NORMAL & ~PTE_AF);
	mmu_flush(VA);
	report(faults(at(E1R, VA), 0xb), "no AF: access flag fault, level 3");
	*mmu_pte(VA, 3) = 0;
	mmu_flush(VA);
	report(faults(at(E1R, VA), 7), "unmapped: level 3");
	report(faults(at(E1R, 0x7fc0000000), 5), "level 1");
	report(faults(at(E0W, 1ul << 50), 4) && faults(at(E1R, ~0ul), 4), "not an address: level 0");
	mmu_map(VA, page, PTE_NORMAL | PTE_USER);
	mmu_flush(VA);
	if (has_pan()) {
		asm volatile(".inst 0xd500419f"); /* msr pan, #1 */
		report(works(at(E1R, VA), page) && works(at(E1W, VA), page),
		       "PAN does not matter to S1E1R and S1E1W");
		asm volatile(".inst 0xd500409f");
	} else {
		report_skip("PAN does not matter to S1E1R and S1E1W", "no FEAT_PAN");
	}
	report(works(at(E1R, 0x40200fff), 0x40200000), "in a block: the address of the 4 KiB");
}
