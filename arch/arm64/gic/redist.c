/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GICR: two 64 KiB frames per cpu, RD_base (identity, waking) and SGI_base (the
 * cpu's private interrupts). No LPIs, so their registers are RAZ/WI. The PMR of
 * a sleeping redistributor does not matter: ProcessorSleep only takes a cpu out
 * of the 1-of-N choice, as software that forgets the handshake runs on KVM too.
 */
#include <spec/board.h>
#include <string.h>
#include <vmm/arch.h>

#include "gic.h"

void gic_redist_reset(struct gic_cpu *gc)
{
	uint32_t line = gc->private.line;

	/* A GICv2 may have its SGIs enabled from the start, and that of KVM has. */
	gc->private = (struct gic_bank){ .edge = 0xffff, .line = line, .enabled = gc->gic->v2 ? 0xffff : 0 };
	memset(gc->sgi_sources, 0, sizeof(gc->sgi_sources));
	gc->waker = GICR_WAKER_SLEEP | GICR_WAKER_ASLEEP;
}

static uint64_t typer(const struct gic_cpu *gc)
{
	unsigned index = (unsigned)(gc - gc->gic->cpus);
	bool last = index + 1 == gc->gic->cpu_count || index + 1 == BOARD_GICR_COUNT;

	return arch_affinity(index) << GICR_TYPER_AFF_SHIFT | index << GICR_TYPER_NUMBER_SHIFT |
	       (last ? GICR_TYPER_LAST : 0);
}

static uint32_t redist_read(void *opaque, uint32_t offset)
{
	const struct gic_cpu *gc = opaque;
	struct gic_place p;

	switch (offset) {
	case GICR_IIDR: return GIC_IIDR_ARM;
	case GICR_TYPER: return (uint32_t)typer(gc);
	case GICR_TYPER + 4: return (uint32_t)(typer(gc) >> 32);
	case GICR_WAKER: return gc->waker;
	}
	if (offset >= GICR_SGI_FRAME && gic_place(offset - GICR_SGI_FRAME, &p))
		return p.bank ? 0 : gic_bank_read(&gc->private, &p);
	return gic_idreg(offset & 0xffff, 0x93);
}

/* ChildrenAsleep follows ProcessorSleep at once. */
static void write_waker(struct gic_cpu *gc, uint32_t value)
{
	gc->waker = value & GICR_WAKER_SLEEP ? GICR_WAKER_SLEEP | GICR_WAKER_ASLEEP : 0;
	gic_participation_changed(gc->gic);
}

static void redist_write(void *opaque, uint32_t offset, uint32_t value)
{
	struct gic_cpu *gc = opaque;
	struct gic_place p;

	if (offset == GICR_WAKER) {
		write_waker(gc, value);
	} else if (offset >= GICR_SGI_FRAME && gic_place(offset - GICR_SGI_FRAME, &p) && !p.bank) {
		gic_bank_write(&gc->private, &p, value, UINT32_MAX);
		gic_update_cpu(gc);
	}
}

static enum bus_result redist_access(struct gic *g, unsigned first, uint64_t offset, unsigned size, uint64_t *value,
				     bool write)
{
	uint64_t index = first + offset / BOARD_GICR_STRIDE;
	uint32_t at = (uint32_t)(offset % BOARD_GICR_STRIDE);
	bool priority = at >= GICR_IPRIORITYR && at < GICR_IPRIORITYR + 32;

	if (index >= g->cpu_count)
		return BUS_REFUSED;

	const struct gic_frame f = { redist_read, redist_write, &g->cpus[index] };

	pthread_mutex_lock(&g->lock);
	gic_mmio(&f, at, GIC_WORDS | GIC_DWORDS | (priority ? GIC_BYTES : 0), size, value, write);
	pthread_mutex_unlock(&g->lock);
	return BUS_OK;
}

enum bus_result gic_redist_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	return redist_access(opaque, 0, offset, size, value, write);
}

enum bus_result gic_redist2_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	return redist_access(opaque, BOARD_GICR_COUNT, offset, size, value, write);
}
