/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GICD of a GICv3: what all cpus share. One Security state and affinity routing always on,
 * so the registers of INTIDs 0..31, ITARGETSR, SGIR and NSACR are RAZ/WI.
 */
#include <string.h>

#include "gic.h"

#define CTLR_WRITABLE (GICD_CTLR_GRP0 | GICD_CTLR_GRP1)

void gic_dist_reset(struct gic *g)
{
	g->ctlr = 0;
	g->next_1ofn = 0;
	memset(g->irouter, 0, sizeof(g->irouter));
	memset(g->targets, 0, sizeof(g->targets));
	memset(g->route, 0, sizeof(g->route)); /* IROUTER 0 is affinity 0.0.0.0: cpu 0 */
	for (unsigned k = 1; k < g->bank_count; k++) {
		uint32_t line = g->spis[k].line; /* wires belong to the devices */

		g->spis[k] = (struct gic_bank){ .line = line };
	}
}

static uint32_t typer(const struct gic *g)
{
	/* SPIs in units of 32; 10 bits of INTID; Aff3 may be non-zero; 1-of-N supported (No1N = 0). */
	return (g->bank_count - 1) | 9 << GICD_TYPER_IDBITS_SHIFT | GICD_TYPER_A3V;
}

/* INTID of an IROUTER word, or 0. */
static unsigned irouter_intid(const struct gic *g, uint32_t offset)
{
	unsigned intid = (offset - GICD_IROUTER) / 8;

	if (offset < GICD_IROUTER || intid < GIC_SPI_BASE || intid >= GIC_SPI_BASE + g->spi_count)
		return 0;
	return intid;
}

static uint32_t dist_read(void *opaque, uint32_t offset)
{
	const struct gic *g = opaque;
	struct gic_place p;
	unsigned intid;

	switch (offset) {
	case GICD_CTLR: return g->ctlr | GICD_CTLR_ARE | GICD_CTLR_DS;
	case GICD_TYPER: return typer(g);
	case GICD_IIDR: return GIC_IIDR_ARM;
	}
	if (gic_place(offset, &p))
		return p.bank && p.bank < g->bank_count ? gic_bank_read(&g->spis[p.bank], &p) : 0;
	intid = irouter_intid(g, offset);
	if (intid)
		return (uint32_t)(g->irouter[intid] >> (offset & 4) * 8);
	return gic_idreg(offset, 0x92);
}

static void write_ctlr(struct gic *g, uint32_t value)
{
	g->ctlr = value & CTLR_WRITABLE;
	gic_participation_changed(g);
	gic_update_all(g);
}

static void dist_write(void *opaque, uint32_t offset, uint32_t value)
{
	struct gic *g = opaque;
	struct gic_place p;
	unsigned intid;

	if (offset == GICD_CTLR) {
		write_ctlr(g, value);
		return;
	}
	if (gic_place(offset, &p)) {
		if (p.bank && p.bank < g->bank_count)
			gic_update_spis(g, p.bank,
					gic_bank_write(&g->spis[p.bank], &p, value, gic_bank_mask(g, p.bank)));
		return;
	}
	intid = irouter_intid(g, offset);
	if (intid) {
		unsigned shift = (offset & 4) * 8;
		uint64_t keep = g->irouter[intid] & ~(UINT64_C(0xffffffff) << shift);

		gic_write_irouter(g, intid, keep | (uint64_t)value << shift);
	}
}

enum bus_result gic_dist_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	struct gic *g = opaque;
	const struct gic_frame f = { dist_read, dist_write, g };
	bool priority = offset >= GICD_IPRIORITYR && offset < GICD_ITARGETSR;

	pthread_mutex_lock(&g->lock);
	/* A routing changed in two halves would go through a third cpu; EDK2 and Linux write 64 bits. */
	if (size == 8 && write && !(offset & 7) && irouter_intid(g, (uint32_t)offset))
		gic_write_irouter(g, irouter_intid(g, (uint32_t)offset), *value);
	else
		gic_mmio(&f, (uint32_t)offset, GIC_WORDS | GIC_DWORDS | (priority ? GIC_BYTES : 0), size, value,
			 write);
	pthread_mutex_unlock(&g->lock);
	return BUS_OK;
}
