/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As many vCPUs as there are: each starts, has its own number, redistributor (of a GICv3), and answers an SGI. */
#include "lib/lib.h"

enum { MAX = 256 };
static struct {
	volatile u64 mpidr, typer, sgis;
} cpus[MAX];
static u8 stacks[MAX][2048] __attribute__((aligned(16)));
static volatile u64 alive, go;
static struct {
	u64 stack;
	void (*fn)(u64);
	u64 arg, mair, tcr, ttbr, sctlr, done;
} starts[MAX];
extern char secondary_start[];

/* GICR_TYPER of the frame whose affinity is ours: the regions of the device tree, one after the other. */
static u64 redist_of(u64 mpidr)
{
	u64 want = (mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24;

	for (unsigned n = 0; n < MAX; n++) {
		u64 a = n < BOARD_GICR_COUNT ? BOARD_GICR_BASE + n * BOARD_GICR_STRIDE
					     : BOARD_GICR2_BASE + (n - BOARD_GICR_COUNT) * BOARD_GICR_STRIDE;
		u64 typer = read64(a + 8);

		if (typer >> 32 == want)
			return a;
		if ((typer >> 4 & 1) && n + 1 != BOARD_GICR_COUNT)
			return 0;
	}
	return 0;
}

/* The redistributor is where GICR_TYPER says, not where the library would look. */
static void init_gicv3(u64 id, u64 mpidr)
{
	u64 rd = redist_of(mpidr);

	cpus[id].typer = rd ? read64(rd + 8) : 0;
	if (rd) {
		write32(rd + 0x14, read32(rd + 0x14) & ~2u);
		while (read32(rd + 0x14) & 4)
			;
		write32(rd + 0x10080, ~0u);
		write8(rd + 0x10400 + 1, 0x80);
		write32(rd + 0x10100, 2); /* SGI 1 */
		write_icc(ICC_SRE_EL1, 7);
		isb();
		write_icc(ICC_PMR_EL1, 0xff);
		write_icc(ICC_IGRPEN1_EL1, 1);
		isb();
	}
}

static void secondary(u64 id)
{
	u64 mpidr = read_sysreg(mpidr_el1);

	cpus[id].mpidr = mpidr;
	if (gic_is_v2()) {
		gic_init_cpu();
		gic_enable(1);
	} else {
		init_gicv3(id, mpidr);
	}
	__atomic_fetch_add(&alive, 1, __ATOMIC_SEQ_CST);
	while (!cpus[id].sgis) {
		unsigned i;

		wfi();
		i = gic_ack();
		if (i < 1020) {
			gic_eoi(i);
			if (i == 1)
				cpus[id].sgis = 1;
		}
	}
	__atomic_fetch_add(&go, 1, __ATOMIC_SEQ_CST);
}

/* GICv3: one write for each group of sixteen. */
static void sgi_to_all_others(unsigned count)
{
	if (gic_is_v2()) {
		for (unsigned k = 1; k < count; k++)
			gic_sgi(1, k);
		return;
	}
	for (unsigned group = 0; group * 16 < count; group++) {
		u64 list = 0xffff;

		if (group == 0)
			list &= ~1ul;
		write_icc(ICC_SGI1R_EL1, 1ul << 24 | (u64)group << 16 | list);
		isb();
	}
}

void test(void)
{
	unsigned count = cpu_count(), bad = 0, wrong = 0;
	u64 start, freq = read_sysreg(cntfrq_el0);

	report(count > 1, "%u vCPUs", count);
	mmu_on();
	*mmu_pte(BOARD_GICR2_BASE, 1) = BOARD_GICR2_BASE | PTE_VALID | PTE_ATTR(0) | PTE_AF | PTE_PXN | PTE_UXN;
	dsb(ish);
	isb();
	gic_init();
	for (unsigned k = 1; k < count; k++) {
		starts[k].stack = (u64)stacks[k] + sizeof(stacks[k]);
		starts[k].fn = secondary;
		starts[k].arg = k;
		starts[k].mair = read_sysreg(mair_el1);
		starts[k].tcr = read_sysreg(tcr_el1);
		starts[k].ttbr = read_sysreg(ttbr0_el1);
		starts[k].sctlr = read_sysreg(sctlr_el1);
		/* Read with the MMU off. */
		asm volatile("dc civac, %0\n dc civac, %1\n dsb sy" ::"r"(&starts[k]), "r"(&starts[k].done)
			     : "memory");
		bad += hvc(PSCI_CPU_ON, cpu_mpidr(k), (u64)secondary_start, (u64)&starts[k]) != 0;
	}
	report(!bad, "CPU_ON succeeds for all others");
	start = read_sysreg(cntvct_el0);
	while (alive != count - 1 && read_sysreg(cntvct_el0) - start < 60 * freq)
		asm volatile("yield");
	report(alive == count - 1, "all report (%lu)", alive);
	for (unsigned k = 1; k < count; k++) {
		wrong += (cpus[k].mpidr & 0xffffff) != cpu_mpidr(k);
		bad += !cpus[k].typer || (cpus[k].typer >> 8 & 0xffff) != k;
	}
	report(!wrong, "each with its own MPIDR_EL1");
	if (gic_is_v2())
		report_skip("and a redistributor whose processor number is its own", "GICv2");
	else
		report(!bad, "and a redistributor whose processor number is its own");
	sgi_to_all_others(count);
	start = read_sysreg(cntvct_el0);
	while (go != count - 1 && read_sysreg(cntvct_el0) - start < 60 * freq)
		asm volatile("yield");
	report(go == count - 1, "an SGI reaches each (%lu)", go);
	for (unsigned k = 1; k < count; k++)
		while (hvc(PSCI_AFFINITY_INFO, cpu_mpidr(k), 0, 0) != 1 &&
		       read_sysreg(cntvct_el0) - start < 60 * freq)
			asm volatile("yield");
	report(hvc(PSCI_AFFINITY_INFO, cpu_mpidr(count - 1), 0, 0) == 1, "and all go off again");
}
