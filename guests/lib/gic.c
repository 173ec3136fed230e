/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GICv2 and GICv3, as little as a test needs: one group whose signal is IRQ. That is group 1
 * of a GICv3, by system registers (IHI 0069), and group 0 of a GICv2 (IHI 0048).
 */
#include <spec/gic.h>

#include "lib.h"

#define D BOARD_GICD_BASE
#define C BOARD_GICC_BASE

/* A GICv2 wants back, when an SGI ends, where it came from. */
static u8 sgi_sources[GIC_V2_CPU_MAX][GIC_SGI_COUNT];

bool gic_is_v2(void) { return (read_sysreg(id_aa64pfr0_el1) >> 24 & 0xf) == 0; }

u64 gic_redist(unsigned cpu) { return BOARD_GICR_BASE + (u64)cpu * BOARD_GICR_STRIDE; }

u64 gic_regs(unsigned intid) { return intid < 32 && !gic_is_v2() ? gic_redist(cpu_id()) + GICR_SGI_FRAME : D; }

static void init_private(u64 base, u32 groups)
{
	write32(base + GICD_IGROUPR, groups);
	write32(base + GICD_ICENABLER, ~0u);
	for (unsigned i = 0; i < 32; i += 4)
		write32(base + GICD_IPRIORITYR + i, 0xa0a0a0a0);
}

static void init_cpu_v2(void)
{
	init_private(D, 0);
	write32(C + GICC_PMR, 0xff);
	write32(C + GICC_BPR, 0);
	write32(C + GICC_CTLR, GICC_CTLR_GRP0);
}

static void init_cpu_v3(void)
{
	u64 rd = gic_redist(cpu_id());

	write32(rd + GICR_WAKER, read32(rd + GICR_WAKER) & ~(u32)GICR_WAKER_SLEEP);
	while (read32(rd + GICR_WAKER) & GICR_WAKER_ASLEEP)
		;
	init_private(rd + GICR_SGI_FRAME, ~0u);
	write_icc(ICC_SRE_EL1, 7);
	isb();
	write_icc(ICC_PMR_EL1, 0xff);
	write_icc(ICC_BPR1_EL1, 0);
	write_icc(ICC_CTLR_EL1, 0);
	write_icc(ICC_IGRPEN1_EL1, 1);
	isb();
}

void gic_init_cpu(void)
{
	if (gic_is_v2())
		init_cpu_v2();
	else
		init_cpu_v3();
}

void gic_init(void)
{
	unsigned lines = 32 * ((read32(D + GICD_TYPER) & 31) + 1);
	bool v2 = gic_is_v2();

	write32(D + GICD_CTLR, 0);
	for (unsigned i = 32; i < lines; i += 32) {
		write32(D + GICD_IGROUPR + i / 8, v2 ? 0 : ~0u);
		write32(D + GICD_ICENABLER + i / 8, ~0u);
	}
	for (unsigned i = 32; i < lines; i += 4)
		write32(D + GICD_IPRIORITYR + i, 0xa0a0a0a0);
	/* Levels: what an SPI is before anybody says it is nowhere written. */
	for (unsigned i = 32; i < lines; i += 16)
		write32(D + GICD_ICFGR + i / 4, 0);
	write32(D + GICD_CTLR, v2 ? GICD_CTLR_GRP0 : GICD_CTLR_ARE | GICD_CTLR_GRP1 | GICD_CTLR_GRP0);
	gic_init_cpu();
}

/* ---- One interrupt ---- */

static bool bit_of(u32 array, unsigned intid)
{
	return read32(gic_regs(intid) + array + intid / 32 * 4) >> intid % 32 & 1;
}

static void set_bit_of(u32 array, unsigned intid)
{
	write32(gic_regs(intid) + array + intid / 32 * 4, 1u << intid % 32);
}

void gic_enable(unsigned intid) { set_bit_of(GICD_ISENABLER, intid); }
void gic_disable(unsigned intid) { set_bit_of(GICD_ICENABLER, intid); }
bool gic_enabled(unsigned intid) { return bit_of(GICD_ISENABLER, intid); }
bool gic_pending(unsigned intid) { return bit_of(GICD_ISPENDR, intid); }
bool gic_active(unsigned intid) { return bit_of(GICD_ISACTIVER, intid); }
void gic_clear_pending(unsigned intid) { set_bit_of(GICD_ICPENDR, intid); }

void gic_set_pending(unsigned intid)
{
	set_bit_of(GICD_ISPENDR, intid);
	(void)read32(D + GICD_IIDR);
}

void gic_set_priority(unsigned intid, u8 prio) { write8(gic_regs(intid) + GICD_IPRIORITYR + intid, prio); }

void gic_route(unsigned spi, unsigned cpu)
{
	if (gic_is_v2())
		write8(D + GICD_ITARGETSR + spi, (u8)(1u << cpu));
	else
		write64(D + GICD_IROUTER + spi * 8, cpu_mpidr(cpu));
}

void gic_sgi(unsigned intid, unsigned cpu)
{
	u64 m = cpu_mpidr(cpu);

	if (gic_is_v2())
		write32(D + GICD_SGIR, 1u << (16 + cpu) | intid);
	else
		write_icc(ICC_SGI1R_EL1, (u64)intid << 24 | (m >> 8 & 0xff) << 16 | 1ul << (m & 0xf));
	isb();
}

/* ---- The CPU interface ---- */

unsigned gic_ack(void)
{
	u32 iar = gic_is_v2() ? read32(C + GICC_IAR) : (u32)read_icc(ICC_IAR1_EL1);
	unsigned intid = GICC_IAR_INTID(iar);

	if (gic_is_v2() && intid < GIC_SGI_COUNT)
		sgi_sources[cpu_id()][intid] = iar >> GICC_IAR_SOURCE_SHIFT & 7;
	dsb(sy);
	return intid;
}

unsigned gic_sgi_source(unsigned intid) { return sgi_sources[cpu_id()][intid]; }

/* What acknowledging it has read. */
static u32 iar_of(unsigned intid)
{
	return intid < GIC_SGI_COUNT ? (u32)gic_sgi_source(intid) << GICC_IAR_SOURCE_SHIFT | intid : intid;
}

void gic_eoi(unsigned intid)
{
	if (gic_is_v2())
		write32(C + GICC_EOIR, iar_of(intid));
	else
		write_icc(ICC_EOIR1_EL1, intid);
	isb();
}

void gic_deactivate(unsigned intid)
{
	if (gic_is_v2())
		write32(C + GICC_DIR, iar_of(intid));
	else
		write_icc(ICC_DIR_EL1, intid);
	isb();
}

void gic_set_eoi_mode(bool drop_only)
{
	if (gic_is_v2())
		write32(C + GICC_CTLR, GICC_CTLR_GRP0 | (drop_only ? GICC_CTLR_EOIMODE : 0));
	else
		write_icc(ICC_CTLR_EL1, drop_only ? ICC_CTLR_EOIMODE : 0);
	isb();
}

void gic_set_pmr(u8 prio)
{
	if (gic_is_v2())
		write32(C + GICC_PMR, prio);
	else
		write_icc(ICC_PMR_EL1, prio);
	dsb(sy); /* as Linux does when it unmasks */
	isb();
}

u8 gic_pmr(void) { return (u8)(gic_is_v2() ? read32(C + GICC_PMR) : read_icc(ICC_PMR_EL1)); }

void gic_set_bpr(unsigned bpr)
{
	if (gic_is_v2())
		write32(C + GICC_BPR, bpr);
	else
		write_icc(ICC_BPR1_EL1, bpr);
	isb();
}

unsigned gic_highest_pending(void)
{
	return GICC_IAR_INTID(gic_is_v2() ? read32(C + GICC_HPPIR) : (u32)read_icc(ICC_HPPIR1_EL1));
}

u8 gic_running(void) { return (u8)(gic_is_v2() ? read32(C + GICC_RPR) : read_icc(ICC_RPR_EL1)); }
