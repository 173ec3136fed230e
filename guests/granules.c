/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation with every granule, from every start level, in both halves: pages and blocks of each
 * size lead where they say, addresses outside fault at level 0; EPD, TBI, IPS. Runs from an identity
 * map in TTBR0 while TTBR1 is the one that is tried.
 */
#include "lib/lib.h"

struct granule {
	const char *name;
	unsigned shift, tg1, tg0, mmfr_shift, mmfr_bad;
};
static const struct granule granules[] = {
	{ "4K", 12, 2, 0, 28, 0xf },
	{ "16K", 14, 1, 2, 20, 0 },
	{ "64K", 16, 3, 1, 24, 0xf },
};

static u8 tables[4][65536] __attribute__((aligned(65536)));
static u8 target[65536] __attribute__((aligned(65536)));
static u64 tcr;

static void rd(u64 va) { (void)*(volatile u8 *)va; }

/* T1SZ, TG1, IRGN ORGN SH as the library's TTBR0; the TTBR0 half stays as it is. */
static void set_half(const struct granule *g, unsigned bits, u64 more)
{
	write_sysreg(tcr_el1, (tcr & ~(0x3ful << 16 | 3ul << 30 | 1ul << 23 | 7ul << 32)) | (u64)(64 - bits) << 16 |
				      1ul << 24 | 1ul << 26 | 3ul << 28 | (u64)g->tg1 << 30 | 5ul << 32 | more);
	write_sysreg(ttbr1_el1, (u64)tables[0]);
	isb();
	asm volatile("tlbi vmalle1\n dsb ish\n isb" ::: "memory");
}

/* Tables so that @va of a @bits half ends at @leaf level at @pa; returns where the descriptor is. */
static u64 *build(const struct granule *g, unsigned bits, u64 va, unsigned leaf, u64 pa)
{
	unsigned stride = g->shift - 3, level = 3 - (bits - g->shift - 1) / stride, n = 0;
	u64 in = va & ((1ul << bits) - 1);

	memset(tables, 0, sizeof(tables));
	for (;; level++) {
		unsigned shift = g->shift + (3 - level) * stride;
		u64 *e = (u64 *)tables[n] + (n ? in >> shift & ((1ul << stride) - 1) : in >> shift);

		if (level == leaf) {
			*e = pa | PTE_VALID | (level == 3 ? PTE_TABLE : 0) | PTE_ATTR(1) | PTE_SH | PTE_AF | PTE_UXN |
			     PTE_PXN;
			dsb(ish);
			isb();
			return e;
		}
		*e = (u64)tables[++n] | PTE_TABLE | PTE_VALID;
	}
}

static u64 high(unsigned bits, u64 offset) { return ~((1ul << bits) - 1) | offset; }

static void sizes(const struct granule *g)
{
	unsigned stride = g->shift - 3;

	for (unsigned bits = 25; bits <= 48; bits++) {
		unsigned start = 3 - (bits - g->shift - 1) / stride, bad = 0, levels = 0;
		u64 va, size;

		for (unsigned leaf = start; leaf <= 3; leaf++) {
			if (leaf == 0 || (leaf == 1 && g->shift != 12))
				continue;
			levels++;
			size = 1ul << (g->shift + (3 - leaf) * stride);
			if (size > 1ul << 30)
				continue;
			/* The last page or block of the half, so that every index is all ones. */
			va = high(bits, (1ul << bits) - size) | ((u64)target & (size - 1));
			build(g, bits, va, leaf, (u64)target & ~(size - 1));
			set_half(g, bits, 0);
			target[5] = (u8)(bits + leaf);
			*(volatile u8 *)(va + 6) = (u8)leaf;
			bad += *(volatile u8 *)(va + 5) != (u8)(bits + leaf) ||
			       *(volatile u8 *)&target[6] != (u8)leaf;
		}
		if (bits < 48)
			bad += fault_fsc(catch_fault(rd, high(bits, 0) - 1)) != 4;
		bad += fault_fsc(catch_fault(rd, high(bits, 0))) != 4 + start;
		if (bad || bits == 25 || bits == 48)
			report(!bad, "%s, %u bits: start level %u, %u sizes, faults outside and in holes", g->name,
			       bits, start, levels);
	}
}

static void block_rules(const struct granule *g)
{
	u64 va = high(48, 0), *e;
	struct fault f;

	/* A block where there may be none: level 0 always, level 1 but with 4K, or 64K and 52 bits of addresses. */
	if (g->shift != 12) {
		bool large = g->shift == 16 && (read_sysreg(id_aa64mmfr0_el1) & 0xf) >= 6;

		va = high(47, 0) + (u64)target;
		build(g, 47, va, 1, 0);
		set_half(g, 47, 0);
		f = catch_fault(rd, va);
		report(large ? !f.taken : fault_fsc(f) == 5, "%s: a block at level 1 is a translation fault%s",
		       g->name, g->shift == 16 ? ", or memory if PARange is 52 bits" : "");
	} else {
		memset(tables, 0, sizeof(tables));
		((u64 *)tables[0])[0] = 0x40000000 | PTE_VALID | PTE_AF;
		set_half(g, 48, 0);
		f = catch_fault(rd, va);
		report(fault_fsc(f) == 4, "4K: a block at level 0 is a translation fault (%x)", fault_fsc(f));
	}
	/* Bit 1 clear at level 3. */
	e = build(g, 39, high(39, 0), 3, (u64)target);
	*e &= ~PTE_TABLE;
	set_half(g, 39, 0);
	report(fault_fsc(catch_fault(rd, high(39, 0))) == 7, "%s: level 3 without bit 1 is a translation fault",
	       g->name);
	*e |= PTE_TABLE;
	dsb(ish);
	isb();
	report(!catch_fault(rd, high(39, 0)).taken, "%s: with it a page", g->name);
}

static void controls(void)
{
	const struct granule *g = &granules[0];
	u64 va = high(39, 0);
	struct fault f;

	build(g, 39, va, 3, (u64)target);
	set_half(g, 39, 1ul << 23);
	report(fault_fsc(catch_fault(rd, va)) == 4, "EPD1: level 0");
	set_half(g, 39, 0);
	report(!catch_fault(rd, va).taken, "EPD1=0: no fault");
	f = catch_fault(rd, va & ~(0xfful << 56));
	report(fault_fsc(f) == 4 && f.far == (va & ~(0xfful << 56)), "TBI1=0: a tag makes it non-canonical");
	set_half(g, 39, 1ul << 38);
	report(!catch_fault(rd, va & ~(0xfful << 56)).taken, "TBI1=1: bits 63:56 are ignored");
	report(!catch_fault(rd, va & ~(0x55ul << 56)).taken, "whatever they are");
	f = catch_fault(rd, (va + 4096) & ~(0x5aul << 56));
	report(fault_fsc(f) == 7 && f.far == ((va + 4096) & ~(0x5aul << 56)), "FAR keeps the tag");
	f = catch_fault(rd, va & ~(1ul << 54));
	report(fault_fsc(f) == 4, "bits below 56 are not ignored");
	/* IPS 32 bits: an output address with bit 33 is too large, at the level where it stands. */
	*build(g, 39, va, 3, (u64)target) |= 1ul << 33;
	set_half(g, 39, 0);
	write_sysreg(tcr_el1, read_sysreg(tcr_el1) & ~(7ul << 32));
	isb();
	asm volatile("tlbi vmalle1\n dsb ish\n isb" ::: "memory");
	report(fault_fsc(catch_fault(rd, va)) == 3, "IPS: address size fault at level 3");
	build(g, 39, va, 3, (u64)target);
	((u64 *)tables[0])[0] |= 1ul << 33;
	dsb(ish);
	report(fault_fsc(catch_fault(rd, va)) == 1, "of a table: at level 1");
	build(g, 39, va, 3, (u64)target);
	write_sysreg(ttbr1_el1, (u64)tables[0] | 1ul << 33);
	isb();
	report(fault_fsc(catch_fault(rd, va)) == 0, "of TTBR1_EL1: at level 0");
}

void test(void)
{
	u64 mmfr0 = read_sysreg(id_aa64mmfr0_el1);

	mmu_on();
	tcr = read_sysreg(tcr_el1);
	for (unsigned k = 0; k < ARRAY_SIZE(granules); k++) {
		if ((mmfr0 >> granules[k].mmfr_shift & 0xf) == granules[k].mmfr_bad) {
			report_skip(granules[k].name, "not in ID_AA64MMFR0_EL1");
			continue;
		}
		sizes(&granules[k]);
		block_rules(&granules[k]);
	}
	controls();
	write_sysreg(tcr_el1, tcr);
	isb();
}
