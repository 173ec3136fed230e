/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GICv3, as little as a test needs: group 1, system registers. IHI 0069. */
#include "lib.h"

#define D BOARD_GICD_BASE

u64 gic_redist(unsigned cpu) { return BOARD_GICR_BASE + (u64)cpu * BOARD_GICR_STRIDE; }

static u64 sgi_base(void) { return gic_redist(cpu_id()) + 0x10000; }

void gic_init_cpu(void)
{
	u64 rd = gic_redist(cpu_id());

	write32(rd + 0x14, read32(rd + 0x14) & ~2u); /* GICR_WAKER.ProcessorSleep */
	while (read32(rd + 0x14) & 4)
		;
	write32(sgi_base() + 0x80, ~0u);  /* IGROUPR0: group 1 */
	write32(sgi_base() + 0x180, ~0u); /* ICENABLER0 */
	for (unsigned i = 0; i < 32; i += 4)
		write32(sgi_base() + 0x400 + i, 0xa0a0a0a0);
	write_icc(ICC_SRE_EL1, 7);
	isb();
	write_icc(ICC_PMR_EL1, 0xff);
	write_icc(ICC_BPR1_EL1, 0);
	write_icc(ICC_CTLR_EL1, 0);
	write_icc(ICC_IGRPEN1_EL1, 1);
	isb();
}

void gic_init(void)
{
	unsigned lines = 32 * ((read32(D + 4) & 31) + 1);

	write32(D, 0);
	for (unsigned i = 32; i < lines; i += 32) {
		write32(D + 0x80 + i / 8, ~0u);
		write32(D + 0x180 + i / 8, ~0u);
	}
	for (unsigned i = 32; i < lines; i += 4)
		write32(D + 0x400 + i, 0xa0a0a0a0);
	write32(D, 0x13); /* ARE, EnableGrp1, EnableGrp0 */
	gic_init_cpu();
}

void gic_enable(unsigned intid)
{
	u64 base = intid < 32 ? sgi_base() : D;

	write32(base + 0x100 + intid / 32 * 4, 1u << intid % 32);
}

void gic_disable(unsigned intid)
{
	u64 base = intid < 32 ? sgi_base() : D;

	write32(base + 0x180 + intid / 32 * 4, 1u << intid % 32);
}

void gic_set_priority(unsigned intid, u8 prio)
{
	u64 base = intid < 32 ? sgi_base() : D;

	write8(base + 0x400 + intid, prio);
}
