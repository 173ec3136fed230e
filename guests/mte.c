/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory tagging (FEAT_MTE2): tags are kept with memory, a pointer with another one faults, PSTATE.TCO looks away. */
#include "lib/lib.h"

#define SCTLR_ATA      (1ul << 43)
#define SCTLR_TCF      (3ul << 40)
#define SCTLR_TCF_SYNC (1ul << 40)
#define TCR_TBI0       (1ul << 37)
#define MAIR_TAGGED    0xf0ul
#define GRANULE        16
#define FSC_TAG_CHECK  0x11
#define EC_DABT_SAME   0x25

#define ARCH ".arch armv8.5-a+memtag\n"

static u8 page[4096] __attribute__((aligned(4096)));

static u64 irg(u64 p, u64 exclude)
{
	asm volatile(ARCH "irg %0, %0, %1" : "+r"(p) : "r"(exclude));
	return p;
}

static void stg(u64 p) { asm volatile(ARCH "stg %0, [%0]" ::"r"(p) : "memory"); }

/* The same address with the tag of its granule. */
static u64 ldg(u64 p)
{
	asm volatile(ARCH "ldg %0, [%0]" : "+r"(p)::"memory");
	return p;
}

static u64 tag_of(u64 p) { return p >> 56 & 0xf; }
static u64 with_tag(u64 p, u64 tag) { return (p & ~(0xful << 56)) | tag << 56; }
static void set_tco(bool on)
{
	if (on)
		asm volatile(ARCH "msr tco, #1" ::: "memory");
	else
		asm volatile(ARCH "msr tco, #0" ::: "memory");
}

static void load(u64 p) { asm volatile("ldr x9, [%0]" ::"r"(p) : "x9", "memory"); }
static void store(u64 p) { asm volatile("str xzr, [%0]" ::"r"(p) : "memory"); }

/* Normal memory becomes Tagged, tags are accessible and checked at once; TBI0, or the tag is part of the address. */
static void mte_on(void)
{
	mmu_on();
	write_sysreg(mair_el1, (read_sysreg(mair_el1) & ~(0xfful << 8)) | MAIR_TAGGED << 8);
	write_sysreg(tcr_el1, read_sysreg(tcr_el1) | TCR_TBI0);
	write_sysreg(sctlr_el1, (read_sysreg(sctlr_el1) & ~SCTLR_TCF) | SCTLR_ATA | SCTLR_TCF_SYNC);
	isb();
	asm volatile("tlbi vmalle1\n dsb ish\n isb" ::: "memory");
	set_tco(false);
}

static bool is_tag_fault(struct fault f, u64 p, bool write)
{
	/* FAR's tag bits are UNKNOWN for such a fault, unless FEAT_MTE_TAGGED_FAR. */
	return f.taken && fault_ec(f) == EC_DABT_SAME && fault_fsc(f) == FSC_TAG_CHECK && (f.esr >> 6 & 1) == write &&
	       with_tag(f.far, 0) == with_tag(p, 0);
}

void test(void)
{
	u64 base = (u64)page, p;
	bool none_excluded = true, random = false;

	if ((read_sysreg(id_aa64pfr1_el1) >> 8 & 0xf) < 2) {
		report_skip("tags are kept with memory", "no FEAT_MTE2");
		return;
	}
	mte_on();
	for (unsigned i = 0; i < 100; i++) {
		none_excluded &= tag_of(irg(base, 0x00ff)) >= 8;
		random |= tag_of(irg(base, 0x00ff)) != tag_of(irg(base, 0x00ff));
	}
	report(none_excluded, "IRG never gives an excluded tag");
	report(random, "IRG gives different ones");

	p = with_tag(base, 5);
	stg(p);
	report(tag_of(ldg(base)) == 5, "LDG reads what STG wrote (%lx)", tag_of(ldg(base)));
	report(tag_of(ldg(base + GRANULE)) == 0, "the next granule has its own");
	report(!catch_fault(load, p).taken && !catch_fault(store, p + 8).taken, "the right tag goes through");
	report(is_tag_fault(catch_fault(load, with_tag(p, 6)), p, false),
	       "a load by another tag faults, class 25, status 11");
	report(is_tag_fault(catch_fault(store, with_tag(p, 6)), p, true), "so does a store");
	set_tco(true);
	report(!catch_fault(load, with_tag(p, 6)).taken, "not with PSTATE.TCO");
	set_tco(false);
	for (u64 i = 0; i < sizeof(page); i += GRANULE)
		stg(with_tag(base + i, i / GRANULE & 0xf));
	for (u64 i = 0; i < sizeof(page); i += GRANULE)
		none_excluded &= tag_of(ldg(base + i)) == (i / GRANULE & 0xf);
	report(none_excluded, "a page of tags is kept");
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~SCTLR_TCF);
	isb();
	report(!catch_fault(load, with_tag(p, 6)).taken, "not with SCTLR_EL1.TCF 0 either");
}
