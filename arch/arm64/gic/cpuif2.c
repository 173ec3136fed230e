/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GICC: the CPU interface of a GICv2 (Arm IHI 0048), at one address for all cpus. A
 * guest of KVM talks to the hardware's virtual interface, "GICV", which is that of a
 * GIC without Security Extensions: EOImode is bit 9 of CTLR, both groups are there.
 *
 * IAR, EOIR and HPPIR serve group 0, and group 1 too with AckCtl; without it they say
 * 1022, and the A registers are for group 1. To end an interrupt of group 1 by EOIR
 * without AckCtl is UNPREDICTABLE: it ends.
 */
#include "gic.h"

#define CTLR_WRITABLE \
	(GICC_CTLR_GRP0 | GICC_CTLR_GRP1 | GICC_CTLR_ACKCTL | GICC_CTLR_FIQEN | GICC_CTLR_CBPR | GICC_CTLR_EOIMODE)

enum { GROUP0 = 1 << 0, GROUP1 = 1 << 1 };

/* The groups that IAR and HPPIR are for. */
static unsigned own_groups(const struct gic_cpu *gc)
{
	return gc->gicc_ctlr & GICC_CTLR_ACKCTL ? GROUP0 | GROUP1 : GROUP0;
}

static void write_ctlr(struct gic_cpu *gc, uint32_t value)
{
	pthread_mutex_lock(&gc->gic->lock);
	gc->gicc_ctlr = value & CTLR_WRITABLE;
	gc->igrpen[0] = value & GICC_CTLR_GRP0 ? ICC_IGRPEN_ENABLE : 0;
	gc->igrpen[1] = value & GICC_CTLR_GRP1 ? ICC_IGRPEN_ENABLE : 0;
	gc->ctlr = (value & GICC_CTLR_CBPR ? ICC_CTLR_CBPR : 0) | (value & GICC_CTLR_EOIMODE ? ICC_CTLR_EOIMODE : 0);
	gic_update_cpu(gc);
	pthread_mutex_unlock(&gc->gic->lock);
}

static uint32_t highest_pending(struct gic_cpu *gc, unsigned groups)
{
	uint32_t h, value = GIC_INTID_NONE;

	pthread_mutex_lock(&gc->gic->lock);
	h = atomic_load(&gc->hppi);
	if (h != HPPI_NONE && groups >> HPPI_GROUP(h) & 1) {
		value = HPPI_INTID(h);
		if (value < GIC_SGI_COUNT)
			value |= (uint32_t)__builtin_ctz(gc->sgi_sources[value]) << GICC_IAR_SOURCE_SHIFT;
	} else if (h != HPPI_NONE && HPPI_GROUP(h)) {
		value = GIC_INTID_GROUP1;
	}
	pthread_mutex_unlock(&gc->gic->lock);
	return value;
}

/* There is one register for both groups: what software wrote counts as group 0. */
static void write_apr(struct gic_cpu *gc, uint32_t value)
{
	pthread_mutex_lock(&gc->gic->lock);
	gc->apr[0] = value;
	gc->apr[1] = 0;
	gic_update_cpu(gc);
	pthread_mutex_unlock(&gc->gic->lock);
}

static uint32_t cpuif2_read(void *opaque, uint32_t offset)
{
	struct gic_cpu *gc = opaque;

	switch (offset) {
	case GICC_CTLR: return gc->gicc_ctlr;
	case GICC_PMR: return (uint32_t)gic_read_icc_pmr(gc->cpu, 0);
	case GICC_BPR: return gc->bpr[0];
	case GICC_IAR: return gic_acknowledge(gc, own_groups(gc));
	case GICC_RPR: return (uint32_t)gic_read_icc_rpr(gc->cpu, 0);
	case GICC_HPPIR: return highest_pending(gc, own_groups(gc));
	case GICC_ABPR: return gc->bpr[1];
	case GICC_AIAR: return gic_acknowledge(gc, GROUP1);
	case GICC_AHPPIR: return highest_pending(gc, GROUP1);
	case GICC_APR0: return gc->apr[0] | gc->apr[1];
	case GICC_IIDR: return GICC_IIDR_ARCHREV2 | GIC_IIDR_ARM;
	default: return 0;
	}
}

static void cpuif2_write(void *opaque, uint32_t offset, uint32_t value)
{
	struct gic_cpu *gc = opaque;

	switch (offset) {
	case GICC_CTLR: write_ctlr(gc, value); break;
	case GICC_PMR: gic_write_icc_pmr(gc->cpu, 0, value & 0xff); break;
	case GICC_BPR: gic_write_bpr(gc, 0, value); break;
	case GICC_EOIR: gic_end_of_interrupt(gc, GROUP0 | GROUP1, GICC_IAR_INTID(value)); break;
	case GICC_ABPR: gic_write_bpr(gc, 1, value); break;
	case GICC_AEOIR: gic_end_of_interrupt(gc, GROUP1, GICC_IAR_INTID(value)); break;
	case GICC_APR0: write_apr(gc, value); break;
	case GICC_DIR: gic_write_icc_dir(gc->cpu, 0, GICC_IAR_INTID(value)); break;
	}
}

/* The registers take the lock for themselves, as those of a GICv3's CPU interface do. */
enum bus_result gic_cpuif2_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	const struct gic_frame f = { cpuif2_read, cpuif2_write, gic_accessor(opaque) };

	gic_mmio(&f, (uint32_t)offset, GIC_WORDS, size, value, write);
	return BUS_OK;
}
