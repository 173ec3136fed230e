/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Branch target identification: which branch may arrive where in a guarded page. Arm ARM, BTypeCompatible. */
#include "lib/lib.h"

#define BT0 (1ul << 35)
#define BT1 (1ul << 36)

enum { BR_X1, BR_X16, BLR_X1, RET_X1, KINDS };
static const u32 branches[KINDS] = { 0xd61f0020, 0xd61f0200, 0xd63f0020, 0xd65f0020 };
static const char *const names[KINDS] = { "BR x1", "BR x16", "BLR x1", "RET x1" };

/* BTYPE of the branch from a guarded page; from an unguarded one BR is as BR x16. */
static const u8 btype[KINDS] = { 3, 1, 2, 0 };

enum { NOP, BTI, BTI_C, BTI_J, BTI_JC, PACIASP, PACIBSP, BRK, PADS };
static const u32 pads[PADS] = { 0xd503201f, 0xd503241f, 0xd503245f, 0xd503249f,
				0xd50324df, 0xd503233f, 0xd503237f, 0xd4200000 };
static const char *const pad_names[PADS] = { "NOP", "BTI", "BTI c", "BTI j", "BTI jc", "PACIASP", "PACIBSP", "BRK" };

static bool allowed(unsigned type, unsigned pad, bool bt)
{
	if (!type)
		return true;
	switch (pad) {
	case BTI_C: return type != 3;
	case BTI_J: return type != 2;
	case BTI_JC:
	case BRK: return true;
	case PACIASP:
	case PACIBSP: return type != 3 || !bt;
	}
	return false;
}

static u64 source, target;

static void place(unsigned kind, unsigned pad)
{
	u32 *s = (u32 *)(*mmu_pte(source, 3) & 0xfffffffff000), *t = (u32 *)(*mmu_pte(target, 3) & 0xfffffffff000);

	s[0] = 0xaa0003e1; /* mov x1, x0 */
	s[1] = 0xaa0003f0; /* mov x16, x0 */
	s[2] = branches[kind];
	t[0] = pads[pad];
	t[1] = 0xd4000001; /* svc #0 */
	for (unsigned k = 0; k < 64; k += 16)
		asm volatile("dc cvau, %0\n dc cvau, %1" ::"r"(s + k), "r"(t + k) : "memory");
	icache_sync();
}

static void guard(u64 va, bool on)
{
	u64 *e = mmu_pte(va, 3);

	*e = on ? *e | PTE_GP : *e & ~PTE_GP;
	mmu_flush(va);
}

/* The branch at EL0: right class, BTYPE in the syndrome and in SPSR, ELR the target. */
static bool as_expected(unsigned type, unsigned kind, unsigned pad, bool bt)
{
	struct fault f;

	place(kind, pad);
	el0_call(source, 0, target);
	f = el0_fault();
	if (!allowed(type, pad, bt))
		return f.taken && fault_ec(f) == 0x0d && fault_iss(f) == type && f.elr == target &&
		       (f.spsr >> 10 & 3) == type;
	if (pad == BRK)
		return f.taken && fault_ec(f) == 0x3c;
	return !f.taken;
}

void test(void)
{
	static const u32 empty[] = { 0xd503201f };
	unsigned bad;

	if (!(read_sysreg(id_aa64pfr1_el1) & 0xf)) {
		report_skip("BTI", "not in ID_AA64PFR1_EL1");
		return;
	}
	mmu_on();
	source = el0_code(empty, 1);
	target = el0_code(empty, 1);
	for (unsigned bt = 0; bt < 2; bt++) {
		u64 sctlr = read_sysreg(sctlr_el1) & ~(BT0 | BT1);

		write_sysreg(sctlr_el1, bt ? sctlr | BT0 : sctlr);
		isb();
		for (unsigned kind = 0; kind < KINDS; kind++) {
			bad = 0;
			guard(source, true);
			guard(target, true);
			for (unsigned pad = 0; pad < PADS; pad++)
				if (!as_expected(btype[kind], kind, pad, bt)) {
					print("# %s to %s\n", names[kind], pad_names[pad]);
					bad++;
				}
			report(!bad, "%s, SCTLR_EL1.BT0=%u: eight landing pads", names[kind], bt);
		}
	}
	bad = 0;
	guard(source, false);
	for (unsigned pad = 0; pad < PADS; pad++)
		bad += !as_expected(1, BR_X1, pad, true) + !as_expected(2, BLR_X1, pad, true);
	report(!bad, "from a page that is not guarded BR is as gentle as BR x16");
	guard(source, true);
	guard(target, false);
	bad = 0;
	for (unsigned pad = 0; pad < PADS; pad++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			bad += !as_expected(0, kind, pad, true);
	report(!bad, "into a page that is not guarded every branch goes");
	guard(target, true);
	report(as_expected(3, BR_X1, NOP, true), "GP is seen again after TLBI");
}
