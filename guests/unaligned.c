/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unaligned and page-crossing accesses: the right bytes, or a fault whose FAR is in
 * the page that failed and which leaves memory and registers as they were.
 */
#include "lib/lib.h"

#define VA 0x7100000000ul /* page A, then page B */

static u8 *a, *b;
static u64 device;

static void fill(void)
{
	for (unsigned i = 0; i < 4096; i++) {
		a[i] = (u8)i;
		b[i] = (u8)(i + 128);
	}
}

static bool untouched(void)
{
	for (unsigned i = 0; i < 4096; i++)
		if (a[i] != (u8)i || b[i] != (u8)(i + 128))
			return false;
	return true;
}

static u64 base_after;
#define ACCESS(name, code)                                                                                \
	static void name(u64 va)                                                                          \
	{                                                                                                 \
		asm volatile("mov x0, %0\n mov x1, #-1\n mov x2, #-1\n" code "\n str x0, [%1]" ::"r"(va), \
			     "r"(&base_after)                                                             \
			     : "x0", "x1", "x2", "memory");                                               \
	}
ACCESS(ldr_h, "ldrh w1, [x0]")
ACCESS(ldr_w, "ldr w1, [x0]")
ACCESS(ldr_x, "ldr x1, [x0]")
ACCESS(str_x, "str x1, [x0]")
ACCESS(str_w, "str w1, [x0], #4")
ACCESS(ldp_x, "ldp x1, x2, [x0]")
ACCESS(stp_x, "stp x1, x2, [x0]")
ACCESS(stp_pre, "sub x0, x0, #16\n stp x1, x2, [x0, #16]!")
ACCESS(stp_w, "stp w1, w2, [x0]")
ACCESS(ldar_x, "ldar x1, [x0]")
ACCESS(stlr_w, "stlr w1, [x0]")
ACCESS(ldxr_x, "ldxr x1, [x0]\n clrex")
ACCESS(ldadd_x, "ldadd x1, x2, [x0]")
ACCESS(cas_w, "cas w1, w2, [x0]")
ACCESS(ldapr_x, "ldapr x1, [x0]")
ACCESS(zva, "dc zva, x0")
/* FP and SIMD spelled by number: this file is compiled without them. */
ACCESS(ldr_q, ".inst 0x3dc00000") /* ldr q0, [x0] */
ACCESS(str_q, ".inst 0x3d800000") /* str q0, [x0] */
ACCESS(ldp_q, ".inst 0xad400400") /* ldp q0, q1, [x0] */
ACCESS(stp_q, ".inst 0xad000400") /* stp q0, q1, [x0] */
ACCESS(st1x4, ".inst 0x4c002c00") /* st1 {v0.2d-v3.2d}, [x0]: alignment is that of an element */
ACCESS(ld4, ".inst 0x4c400c00")   /* ld4 {v0.2d-v3.2d}, [x0] */

static const struct access {
	const char *name;
	void (*fn)(u64);
	u8 bytes;
	bool store, aligned;
} accesses[] = {
	{ "LDRH", ldr_h, 2, 0, 0 },
	{ "LDR W", ldr_w, 4, 0, 0 },
	{ "LDR X", ldr_x, 8, 0, 0 },
	{ "STR X", str_x, 8, 1, 0 },
	{ "STR W post-index", str_w, 4, 1, 0 },
	{ "LDP X", ldp_x, 16, 0, 0 },
	{ "STP X", stp_x, 16, 1, 0 },
	{ "STP X pre-index", stp_pre, 16, 1, 0 },
	{ "STP W", stp_w, 8, 1, 0 },
	{ "LDR Q", ldr_q, 16, 0, 0 },
	{ "STR Q", str_q, 16, 1, 0 },
	{ "LDP Q", ldp_q, 32, 0, 0 },
	{ "STP Q", stp_q, 32, 1, 0 },
	{ "ST1 x4", st1x4, 64, 1, 0 },
	{ "LD4", ld4, 64, 0, 0 },
	{ "LDAR X", ldar_x, 8, 0, 1 },
	{ "STLR W", stlr_w, 4, 1, 1 },
	{ "LDXR X", ldxr_x, 8, 0, 1 },
	{ "LDADD X", ldadd_x, 8, 1, 1 },
	{ "CAS W", cas_w, 4, 1, 1 },
	{ "LDAPR X", ldapr_x, 8, 0, 1 },
};

/* LDADD, CAS and LDAPR are newer than the others. */
static bool lacks(const struct access *x)
{
	return ((x->fn == ldadd_x || x->fn == cas_w) && !has_lse()) || (x->fn == ldapr_x && !has_lrcpc());
}

/* @second: attributes of page B, 0 for unmapped. */
static void crossing(const char *what, u64 second, unsigned fsc, bool only_stores)
{
	unsigned wrong = 0, n = 0;

	mmu_map(VA + 4096, (u64)b, second);
	mmu_flush(VA + 4096);
	for (unsigned i = 0; i < ARRAY_SIZE(accesses); i++) {
		const struct access *x = &accesses[i];

		if (x->aligned || (only_stores && !x->store))
			continue;
		for (unsigned before = 1; before < x->bytes; before++) {
			u64 va = VA + 4096 - before;
			struct fault f;

			fill();
			base_after = 0;
			f = catch_fault(x->fn, va);
			n++;
			/* Of several registers the Arm ARM lets the first page's part be stored. */
			if (fault_fsc(f) != fsc || f.far != VA + 4096 || base_after ||
			    (x->bytes <= 8 && x->fn != stp_w && !untouched())) {
				if (wrong++ < 5)
					print("# %s, %u bytes before: taken %u fsc %x far %lx\n", x->name, before,
					      f.taken, fault_fsc(f), f.far);
			}
		}
	}
	report(!wrong, "%u accesses cross into %s: FAR is the second page, no write-back, no half store", n, what);
}

static void good(void)
{
	unsigned wrong = 0;

	mmu_map(VA + 4096, (u64)b, PTE_NORMAL);
	mmu_flush(VA + 4096);
	for (unsigned before = 0; before <= 8; before++) {
		u64 va = VA + 4096 - before, want = 0, got;

		fill();
		for (unsigned i = 0; i < 8; i++)
			want |= (u64)(i < before ? a[4096 - before + i] : b[i - before]) << 8 * i;
		asm volatile("ldr %0, [%1]" : "=r"(got) : "r"(va) : "memory");
		wrong += got != want;
		asm volatile("str %0, [%1]" ::"r"(~want), "r"(va) : "memory");
		for (unsigned i = 0; i < 8; i++)
			wrong += (i < before ? a[4096 - before + i] : b[i - before]) != (u8)(~want >> 8 * i);
	}
	report(!wrong, "a crossing load and store use the right bytes of both pages");
}

void test(void)
{
	unsigned wrong = 0;
	struct fault f;

	for (unsigned i = 0; i < ARRAY_SIZE(accesses); i++) {
		static u8 buffer[128] __attribute__((aligned(64)));

		if (lacks(&accesses[i]))
			continue;
		f = catch_fault(accesses[i].fn, (u64)buffer + 1);
		if (fault_fsc(f) != 0x21 && wrong++ < 5)
			print("# %s: fsc %x\n", accesses[i].name, fault_fsc(f));
	}
	report(!wrong, "with the MMU off memory is Device: unaligned accesses fault");

	mmu_on();
	a = page_alloc();
	b = page_alloc();
	mmu_map(VA, (u64)a, PTE_NORMAL);
	good();
	crossing("an unmapped page", 0, 7, false);
	crossing("a page without access flag", PTE_NORMAL & ~PTE_AF, 0xb, false);
	crossing("a read-only page", PTE_NORMAL | PTE_RO, 0xf, true);

	mmu_map(VA + 4096, (u64)b, PTE_NORMAL);
	mmu_flush(VA + 4096);
	/* nAA lets ordered ones cross 16 bytes (FEAT_LSE2). KVM sets it at reset. */
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~(1ul << 6));
	isb();
	wrong = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(accesses); i++) {
		if (lacks(&accesses[i]))
			continue;
		f = catch_fault(accesses[i].fn, VA + 63);
		if (accesses[i].aligned ? fault_fsc(f) != 0x21 : f.taken) {
			print("# %s: fsc %x\n", accesses[i].name, fault_fsc(f));
			wrong++;
		}
	}
	report(!wrong, "unaligned is fine for plain accesses, an alignment fault for ordered and atomic ones");
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | 2);
	isb();
	wrong = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(accesses); i++)
		wrong += !lacks(&accesses[i]) && fault_fsc(catch_fault(accesses[i].fn, VA + 63)) != 0x21;
	report(!wrong, "with SCTLR_EL1.A every unaligned access faults");
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~2ul);
	isb();

	device = BOARD_RTC_BASE;
	f = catch_fault(ldr_w, device + 1);
	report(fault_fsc(f) == 0x21 && f.far == device + 1, "an unaligned access to Device memory faults");
	f = catch_fault(zva, device);
	report(fault_fsc(f) == 0x21, "DC ZVA to Device memory is an alignment fault");
	fill();
	f = catch_fault(zva, VA + 100);
	wrong = f.taken;
	for (unsigned i = 0; i < 256; i++)
		wrong += a[i] != (i >= 64 && i < 128 ? 0 : (u8)i);
	report(!wrong, "DC ZVA zeroes the 64-byte block around its address");
	mmu_map(VA, (u64)a, PTE_NORMAL | PTE_RO);
	mmu_flush(VA);
	f = catch_fault(zva, VA + 100);
	report(fault_fsc(f) == 0xf && (f.esr >> 6 & 1), "DC ZVA to a read-only page is a permission fault, WnR set");
	f = catch_fault(ldr_w, 0x3f000000);
	report(fault_fsc(f) == 0x10, "nobody there: synchronous external abort (got %x)", fault_fsc(f));
}
