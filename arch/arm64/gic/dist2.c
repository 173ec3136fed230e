/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GICD of a GICv2 (Arm IHI 0048) as KVM shows it: one enable for both groups, and
 * the registers of SGIs and PPIs are each cpu's own at one address. An SPI with
 * several targets goes to the first of them, one with none to cpu 0.
 */
#include "gic.h"

static uint32_t typer(const struct gic *g)
{
	return (g->bank_count - 1) | (g->cpu_count - 1) << GICD_TYPER_CPUS_SHIFT;
}

/* One bit for each cpu. */
static uint32_t all_cpus(const struct gic *g) { return (UINT32_C(1) << g->cpu_count) - 1; }

static uint32_t self(const struct gic_cpu *gc) { return UINT32_C(1) << gic_cpu_index(gc); }

static bool within(uint32_t offset, uint32_t first, uint32_t bytes)
{
	return offset >= first && offset - first < bytes;
}

static bool is_target(uint32_t offset) { return within(offset, GICD_ITARGETSR, GIC_BANK_MAX * 32); }

static bool is_sgi_source(uint32_t offset)
{
	return within(offset, GICD_CPENDSGIR, GIC_SGI_COUNT) || within(offset, GICD_SPENDSGIR, GIC_SGI_COUNT);
}

/* ---- Software-generated interrupts ---- */

static void set_sources(struct gic_cpu *gc, unsigned intid, uint32_t sources)
{
	gc->sgi_sources[intid] = (uint8_t)sources;
	if (sources)
		gc->private.latch |= intid_bit(intid);
	else
		gc->private.latch &= ~intid_bit(intid);
}

unsigned gic_take_sgi_source(struct gic_cpu *gc, unsigned intid)
{
	uint32_t sources = gc->sgi_sources[intid];

	set_sources(gc, intid, sources & (sources - 1));
	return (unsigned)__builtin_ctz(sources);
}

static void send_sgi(struct gic_cpu *gc, uint32_t value)
{
	struct gic *g = gc->gic;
	unsigned intid = GICD_SGIR_INTID(value);
	uint32_t to = 0;

	switch (GICD_SGIR_FILTER(value)) {
	case GICD_SGIR_LIST: to = GICD_SGIR_TARGETS(value) & all_cpus(g); break;
	case GICD_SGIR_OTHERS: to = all_cpus(g) & ~self(gc); break;
	case GICD_SGIR_SELF: to = self(gc); break;
	}
	for (; to; to &= to - 1) {
		struct gic_cpu *target = &g->cpus[__builtin_ctz(to)];

		set_sources(target, intid, target->sgi_sources[intid] | self(gc));
		gic_update_cpu(target);
	}
}

static void write_sources(struct gic_cpu *gc, uint32_t offset, uint32_t value)
{
	bool set = offset >= GICD_SPENDSGIR;
	unsigned first = offset - (set ? GICD_SPENDSGIR : GICD_CPENDSGIR);

	for (unsigned n = 0; n < 4; n++) {
		uint32_t now = gc->sgi_sources[first + n], bits = value >> (8 * n) & all_cpus(gc->gic);

		set_sources(gc, first + n, set ? now | bits : now & ~bits);
	}
	gic_update_cpu(gc);
}

/* ---- Registers ---- */

/* Four bytes of @bytes from @first up as a word. */
static uint32_t four(const uint8_t *bytes, unsigned first)
{
	uint32_t v = 0;

	for (unsigned n = 0; n < 4; n++)
		v |= (uint32_t)bytes[first + n] << (8 * n);
	return v;
}

static void write_targets(struct gic *g, unsigned first, uint32_t value)
{
	for (unsigned intid = first; intid < first + 4; intid++) {
		uint32_t targets = value >> (8 * (intid - first)) & all_cpus(g);

		if (intid < GIC_SPI_BASE || intid >= GIC_SPI_BASE + g->spi_count)
			continue;
		g->targets[intid] = (uint8_t)targets;
		gic_route_spi(g, intid, targets ? __builtin_ctz(targets) : 0);
	}
}

static uint32_t dist2_read(void *opaque, uint32_t offset)
{
	const struct gic_cpu *gc = opaque;
	const struct gic *g = gc->gic;
	struct gic_place p;

	switch (offset) {
	case GICD_CTLR: return g->ctlr & GICD_CTLR_GRP0;
	case GICD_TYPER: return typer(g);
	case GICD_IIDR: return GIC_IIDR_ARM;
	}
	if (gic_place(offset, &p))
		return p.bank < g->bank_count ? gic_bank_read(p.bank ? &g->spis[p.bank] : &gc->private, &p) : 0;
	/* Of private interrupts: who reads it. That is how software learns its number. */
	if (within(offset, GICD_ITARGETSR, GIC_SPI_BASE))
		return self(gc) * 0x01010101;
	if (is_target(offset))
		return four(g->targets, offset - GICD_ITARGETSR);
	if (is_sgi_source(offset))
		return four(gc->sgi_sources, offset & (GIC_SGI_COUNT - 1));
	return 0;
}

static void write_private(struct gic_cpu *gc, const struct gic_place *p, uint32_t value)
{
	/* An SGI is pending because of somebody: CPENDSGIR and SPENDSGIR say of whom. */
	if (p->reg == GICD_ISPENDR || p->reg == GICD_ICPENDR)
		value &= ~UINT32_C(0xffff);
	gic_bank_write(&gc->private, p, value, UINT32_MAX);
	gic_update_cpu(gc);
}

static void dist2_write(void *opaque, uint32_t offset, uint32_t value)
{
	struct gic_cpu *gc = opaque;
	struct gic *g = gc->gic;
	struct gic_place p;

	if (offset == GICD_CTLR) {
		g->ctlr = value & GICD_CTLR_GRP0 ? GICD_CTLR_GRP0 | GICD_CTLR_GRP1 : 0;
		gic_update_all(g);
	} else if (gic_place(offset, &p)) {
		if (!p.bank)
			write_private(gc, &p, value);
		else if (p.bank < g->bank_count)
			gic_update_spis(g, p.bank,
					gic_bank_write(&g->spis[p.bank], &p, value, gic_bank_mask(g, p.bank)));
	} else if (is_target(offset)) {
		write_targets(g, offset - GICD_ITARGETSR, value);
	} else if (offset == GICD_SGIR) {
		send_sgi(gc, value);
	} else if (is_sgi_source(offset)) {
		write_sources(gc, offset, value);
	}
}

enum bus_result gic_dist2_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	struct gic *g = opaque;
	const struct gic_frame f = { dist2_read, dist2_write, gic_accessor(g) };
	uint32_t at = (uint32_t)offset;
	bool bytes = is_target(at) || is_sgi_source(at) || within(at, GICD_IPRIORITYR, GIC_BANK_MAX * 32);

	pthread_mutex_lock(&g->lock);
	/* A byte of what only sets or clears must not bring its neighbours along. */
	if (write && size == 1 && is_sgi_source(at))
		dist2_write(f.opaque, at & ~3u, (uint32_t)*value << 8 * (at & 3));
	else
		gic_mmio(&f, at, GIC_WORDS | (bytes ? GIC_BYTES : 0), size, value, write);
	pthread_mutex_unlock(&g->lock);
	return BUS_OK;
}
