/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GIC's heart: which interrupt is the most urgent for which cpu, and the
 * wires that come in. The other files are its registers.
 *
 *   gic_set_spi, gic_set_ppi, SGIs, register writes
 *        -> struct gic_bank -> gic_update_*() -> hppi, lines -> cpu_set_irq_lines()
 */
#include <spec/board.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/arch.h>
#include <vmm/err.h>
#include <vmm/log.h>

#include "gic.h"

/* ---- Finding interrupts and cpus ---- */

uint32_t gic_bank_mask(const struct gic *g, unsigned bank)
{
	unsigned end = GIC_SPI_BASE + g->spi_count;

	if (bank * 32 >= end)
		return 0;
	return end - bank * 32 >= 32 ? UINT32_MAX : (UINT32_C(1) << (end - bank * 32)) - 1;
}

struct gic_bank *gic_bank_of(struct gic_cpu *gc, unsigned intid)
{
	if (intid < GIC_SPI_BASE)
		return &gc->private;
	return intid < GIC_SPI_BASE + gc->gic->spi_count ? &gc->gic->spis[intid / 32] : NULL;
}

struct gic_cpu *gic_cpu_at(struct gic *g, uint32_t affinity)
{
	/* The inverse of arch_affinity(); ids are dense. */
	uint64_t id = (affinity & 0xf) | (affinity >> 8 & 0xff) << 4 | (affinity >> 16 & 0xff) << 12;

	return id < g->cpu_count && arch_affinity((unsigned)id) == affinity ? &g->cpus[id] : NULL;
}

struct gic_cpu *gic_accessor(struct gic *g)
{
	const struct cpu *c = cpu_running;

	return c && c->soc == g->soc ? c->gic : &g->cpus[0];
}

/* ---- Most urgent pending interrupt ---- */

static uint32_t groups_enabled(const struct gic_cpu *gc)
{
	return gc->gic->ctlr & (gc->igrpen[0] * GICD_CTLR_GRP0 | gc->igrpen[1] * GICD_CTLR_GRP1);
}

/* Interrupts of @b whose group is enabled for the cpu. */
static uint32_t bank_candidates(const struct gic_bank *b, uint32_t groups)
{
	uint32_t c = bank_deliverable(b);

	if (!(groups & GICD_CTLR_GRP0))
		c &= b->group1;
	if (!(groups & GICD_CTLR_GRP1))
		c &= ~b->group1;
	return c;
}

static uint32_t bank_hppi(const struct gic_bank *b, uint32_t candidates, unsigned first_intid, uint32_t best)
{
	for (; candidates; candidates &= candidates - 1) {
		unsigned n = (unsigned)__builtin_ctz(candidates);
		uint32_t h = HPPI(b->priority[n], b->group1 >> n & 1, first_intid + n);

		if (h < best)
			best = h;
	}
	return best;
}

static uint32_t find_hppi(const struct gic_cpu *gc)
{
	const struct gic *g = gc->gic;
	uint32_t groups = groups_enabled(gc), best;
	int me = (int)(gc - g->cpus);

	if (!groups)
		return HPPI_NONE;
	best = bank_hppi(&gc->private, bank_candidates(&gc->private, groups), 0, HPPI_NONE);
	for (unsigned k = 1; k < g->bank_count; k++) {
		uint32_t c = bank_candidates(&g->spis[k], groups), mine = 0;

		for (uint32_t left = c; left; left &= left - 1) {
			unsigned n = (unsigned)__builtin_ctz(left);

			if (g->route[k * 32 + n] == me)
				mine |= UINT32_C(1) << n;
		}
		best = bank_hppi(&g->spis[k], mine, k * 32, best);
	}
	return best;
}

static uint32_t line_of_group(const struct gic_cpu *gc, unsigned group)
{
	return group || (gc->gic->v2 && !(gc->gicc_ctlr & GICC_CTLR_FIQEN)) ? LINE_IRQ : LINE_FIQ;
}

void gic_update_cpu(struct gic_cpu *gc)
{
	uint32_t h = find_hppi(gc), lines = 0;

	/* Before PMR is looked at: pairs with gic_write_icc_pmr(), which stores PMR, then looks here. */
	atomic_store(&gc->hppi, h);
	if (gic_can_preempt(gc, h))
		lines = line_of_group(gc, HPPI_GROUP(h));
	if (lines == gc->lines)
		return;
	gc->lines = lines;
	cpu_set_irq_lines(gc->cpu, lines);
}

void gic_update_all(struct gic *g)
{
	for (unsigned i = 0; i < g->cpu_count; i++)
		gic_update_cpu(&g->cpus[i]);
}

/* ---- Routing of SPIs ---- */

static bool participates(const struct gic_cpu *gc, bool group1)
{
	return groups_enabled(gc) & (group1 ? GICD_CTLR_GRP1 : GICD_CTLR_GRP0) && !(gc->waker & GICR_WAKER_SLEEP);
}

/* The next cpu in turn that takes 1-of-N interrupts of this group. */
static int choose_1ofn(struct gic *g, bool group1)
{
	for (unsigned i = 0; i < g->cpu_count; i++) {
		unsigned k = (g->next_1ofn + i) % g->cpu_count;

		if (participates(&g->cpus[k], group1)) {
			g->next_1ofn = (k + 1) % g->cpu_count;
			return (int)k;
		}
	}
	return GIC_ROUTE_NONE;
}

static bool is_1ofn(const struct gic *g, unsigned intid) { return g->irouter[intid] & GICD_IROUTER_IRM; }

/*
 * A 1-of-N interrupt gets a target when it becomes deliverable, and keeps it
 * until it is taken: two cpus must not both be signalled.
 */
static void assign_1ofn(struct gic *g, unsigned intid)
{
	const struct gic_bank *b = &g->spis[intid / 32];
	bool group1 = b->group1 & intid_bit(intid);
	int now = g->route[intid];

	if (!(bank_deliverable(b) & intid_bit(intid)))
		g->route[intid] = GIC_ROUTE_NONE;
	else if (now == GIC_ROUTE_NONE || !participates(&g->cpus[now], group1))
		g->route[intid] = (int16_t)choose_1ofn(g, group1);
}

void gic_update_spis(struct gic *g, unsigned bank, uint32_t mask)
{
	/* Whoever had one of them may lose it, whoever gets one must hear of it. */
	for (; mask; mask &= mask - 1) {
		unsigned intid = bank * 32 + (unsigned)__builtin_ctz(mask);
		int before = g->route[intid];

		if (is_1ofn(g, intid))
			assign_1ofn(g, intid);
		if (before != GIC_ROUTE_NONE)
			gic_update_cpu(&g->cpus[before]);
		if (g->route[intid] != before && g->route[intid] != GIC_ROUTE_NONE)
			gic_update_cpu(&g->cpus[g->route[intid]]);
	}
}

void gic_participation_changed(struct gic *g)
{
	for (unsigned intid = GIC_SPI_BASE; intid < GIC_SPI_BASE + g->spi_count; intid++)
		if (is_1ofn(g, intid))
			gic_update_spis(g, intid / 32, intid_bit(intid));
}

void gic_route_spi(struct gic *g, unsigned intid, int cpu)
{
	int before = g->route[intid];

	g->route[intid] = (int16_t)cpu;
	if (before != GIC_ROUTE_NONE)
		gic_update_cpu(&g->cpus[before]);
	gic_update_spis(g, intid / 32, intid_bit(intid));
}

void gic_write_irouter(struct gic *g, unsigned intid, uint64_t value)
{
	const struct gic_cpu *gc = gic_cpu_at(g, (uint32_t)((value >> 32 & 0xff) << 24 | (value & 0xffffff)));

	g->irouter[intid] = value & GICD_IROUTER_MASK;
	gic_route_spi(g, intid, is_1ofn(g, intid) || !gc ? GIC_ROUTE_NONE : (int)gic_cpu_index(gc));
}

/* ---- Wires ---- */

/* Returns whether anything changed. */
static bool set_line(struct gic_bank *b, uint32_t bit, bool level)
{
	if (!(b->line & bit) == !level)
		return false;
	b->line ^= bit;
	if (level)
		b->latch |= b->edge & bit;
	return true;
}

void gic_set_spi(struct soc *s, unsigned spi, bool level)
{
	struct gic *g = s->gic;
	unsigned intid = GIC_SPI_BASE + spi;

	if (spi >= g->spi_count)
		return;
	pthread_mutex_lock(&g->lock);
	if (set_line(&g->spis[intid / 32], intid_bit(intid), level))
		gic_update_spis(g, intid / 32, intid_bit(intid));
	pthread_mutex_unlock(&g->lock);
}

void gic_set_ppi(struct cpu *c, unsigned intid, bool level)
{
	struct gic_cpu *gc = c->gic;

	CHECK(intid >= GIC_PPI_BASE && intid < GIC_SPI_BASE);
	pthread_mutex_lock(&gc->gic->lock);
	if (set_line(&gc->private, intid_bit(intid), level))
		gic_update_cpu(gc);
	pthread_mutex_unlock(&gc->gic->lock);
}

/* ---- Registers of one bank ---- */

/* Arrays of per-interrupt state; the same offsets in GICD and in the SGI frame of GICR. */
static const struct {
	uint32_t reg;
	unsigned words_per_bank;
} arrays[] = {
	{ GICD_IGROUPR, 1 },   { GICD_ISENABLER, 1 },  { GICD_ICENABLER, 1 },
	{ GICD_ISPENDR, 1 },   { GICD_ICPENDR, 1 },    { GICD_ISACTIVER, 1 },
	{ GICD_ICACTIVER, 1 }, { GICD_IPRIORITYR, 8 }, { GICD_ICFGR, 2 },
};

bool gic_place(uint32_t offset, struct gic_place *p)
{
	for (unsigned i = 0; i < ARRAY_SIZE(arrays); i++) {
		uint32_t per_bank = arrays[i].words_per_bank, word = (offset - arrays[i].reg) / 4;

		if (offset < arrays[i].reg || word >= per_bank * GIC_BANK_MAX)
			continue;
		*p = (struct gic_place){ arrays[i].reg, word / per_bank, word % per_bank };
		return true;
	}
	return false;
}

/* Bit n of @edge becomes bit 2n + 1. */
static uint32_t icfgr(uint32_t edge, unsigned word)
{
	uint32_t v = 0;

	for (unsigned n = 0; n < 16; n++)
		v |= (edge >> (word * 16 + n) & 1) << (2 * n + 1);
	return v;
}

static uint32_t edge_of_icfgr(uint32_t v, unsigned word)
{
	uint32_t edge = 0;

	for (unsigned n = 0; n < 16; n++)
		edge |= (v >> (2 * n + 1) & 1) << (word * 16 + n);
	return edge;
}

uint32_t gic_bank_read(const struct gic_bank *b, const struct gic_place *p)
{
	uint32_t v = 0;

	switch (p->reg) {
	case GICD_IGROUPR: return b->group1;
	case GICD_ISENABLER:
	case GICD_ICENABLER: return b->enabled;
	case GICD_ISPENDR:
	case GICD_ICPENDR: return bank_pending(b);
	case GICD_ISACTIVER:
	case GICD_ICACTIVER: return b->active;
	case GICD_IPRIORITYR:
		for (unsigned n = 0; n < 4; n++)
			v |= (uint32_t)b->priority[p->word * 4 + n] << (8 * n);
		return v;
	case GICD_ICFGR: return icfgr(b->edge, p->word);
	default: return 0;
	}
}

uint32_t gic_bank_write(struct gic_bank *b, const struct gic_place *p, uint32_t value, uint32_t exists)
{
	uint32_t mask, sgis;

	switch (p->reg) {
	case GICD_IGROUPR: b->group1 = value & exists; return exists;
	case GICD_ISENABLER: b->enabled |= value & exists; break;
	case GICD_ICENABLER: b->enabled &= ~value; break;
	case GICD_ISPENDR: b->latch |= value & exists; break;
	case GICD_ICPENDR:
		b->latch &= ~value; /* a level-sensitive interrupt whose wire is high stays pending */
		break;
	case GICD_ISACTIVER: b->active |= value & exists; break;
	case GICD_ICACTIVER: b->active &= ~value; break;
	case GICD_IPRIORITYR:
		mask = exists >> (p->word * 4) & 0xf;
		for (unsigned n = 0; n < 4; n++)
			if (mask >> n & 1)
				b->priority[p->word * 4 + n] = value >> (8 * n) & GIC_PRIORITY_MASK;
		return mask << (p->word * 4);
	case GICD_ICFGR:
		sgis = p->bank == 0 ? 0xffff : 0; /* SGIs are edge-triggered, whatever is written */
		mask = (p->word ? 0xffff0000 : 0xffff) & exists & ~sgis;
		b->edge = (b->edge & ~mask) | (edge_of_icfgr(value, p->word) & mask);
		return mask;
	default: return 0;
	}
	return value & exists;
}

void gic_mmio(const struct gic_frame *f, uint32_t offset, unsigned sizes, unsigned size, uint64_t *value, bool write)
{
	uint32_t word = offset & ~3u, shift = (offset & 3) * 8;

	if (!write)
		*value = 0;
	if (!(sizes & size) || offset & (size - 1))
		return;
	if (size >= 4) {
		for (unsigned i = 0; i < size / 4; i++) {
			if (write)
				f->write(f->opaque, offset + 4 * i, (uint32_t)(*value >> (32 * i)));
			else
				*value |= (uint64_t)f->read(f->opaque, offset + 4 * i) << (32 * i);
		}
	} else {
		uint32_t old = f->read(f->opaque, word);

		if (write)
			f->write(f->opaque, word, (old & ~(0xffu << shift)) | (uint32_t)(*value & 0xff) << shift);
		else
			*value = old >> shift & 0xff;
	}
}

uint32_t gic_idreg(uint32_t offset, uint8_t part)
{
	/* PIDR4..7, PIDR0..3, CIDR0..3: JEP106 code of Arm, GICv3, an Arm GIC. */
	const uint8_t ids[] = {
		0x44, 0x00, 0x00, 0x00, part, 0xb4, GIC_PIDR2_ARCHREV3 | 0xb, 0x00, 0x0d, 0xf0, 0x05, 0xb1,
	};
	uint32_t index = (offset - GICD_IDREGS) / 4;

	return index < ARRAY_SIZE(ids) ? ids[index] : 0;
}

/* ---- Life ---- */

void gic_reset(struct soc *s)
{
	struct gic *g = s->gic;

	pthread_mutex_lock(&g->lock);
	gic_dist_reset(g);
	for (unsigned i = 0; i < g->cpu_count; i++) {
		gic_redist_reset(&g->cpus[i]);
		gic_cpuif_reset(&g->cpus[i]);
	}
	gic_update_all(g);
	pthread_mutex_unlock(&g->lock);
}

void gic_cpu_reset(struct cpu *c)
{
	struct gic *g = c->gic->gic;

	pthread_mutex_lock(&g->lock);
	gic_cpuif_reset(c->gic);
	gic_update_cpu(c->gic);
	gic_participation_changed(g);
	pthread_mutex_unlock(&g->lock);
}

static int add_ranges(struct bus *bus, const struct bus_range *ranges, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		int err = ranges[i].bytes ? bus_add(bus, &ranges[i]) : 0;

		if (err)
			return err;
	}
	return 0;
}

static int add_v2(struct gic *g, struct bus *bus)
{
	const struct bus_range ranges[] = {
		{ .name = "gicd",
		  .base = gpa(BOARD_GICD_BASE),
		  .bytes = BOARD_GICD_SIZE,
		  .access = gic_dist2_access,
		  .opaque = g },
		{ .name = "gicc",
		  .base = gpa(BOARD_GICC_BASE),
		  .bytes = BOARD_GICC_SIZE,
		  .access = gic_cpuif2_access,
		  .opaque = g },
	};

	return add_ranges(bus, ranges, ARRAY_SIZE(ranges));
}

static int add_v3(struct gic *g, struct bus *bus)
{
	unsigned first = g->cpu_count < BOARD_GICR_COUNT ? g->cpu_count : BOARD_GICR_COUNT;
	const struct bus_range ranges[] = {
		{ .name = "gicd",
		  .base = gpa(BOARD_GICD_BASE),
		  .bytes = BOARD_GICD_SIZE,
		  .access = gic_dist_access,
		  .opaque = g },
		{ .name = "gicr",
		  .base = gpa(BOARD_GICR_BASE),
		  .bytes = (uint64_t)first * BOARD_GICR_STRIDE,
		  .access = gic_redist_access,
		  .opaque = g },
		{ .name = "gicr2",
		  .base = gpa(BOARD_GICR2_BASE),
		  .bytes = (uint64_t)(g->cpu_count - first) * BOARD_GICR_STRIDE,
		  .access = gic_redist2_access,
		  .opaque = g },
	};

	return add_ranges(bus, ranges, ARRAY_SIZE(ranges));
}

int gic_init(struct soc *s)
{
	unsigned n = s->cfg.vcpu_count;
	struct gic *g = calloc(1, sizeof(*g));
	int err;

	CHECK(s->cfg.gic_version != 2 || n <= GIC_V2_CPU_MAX);
	if (!g)
		return log_err(-ENOMEM, "gic: no memory");
	g->cpus = calloc(n, sizeof(*g->cpus));
	if (!g->cpus) {
		free(g);
		return log_err(-ENOMEM, "gic: no memory for %u vCPUs", n);
	}
	pthread_mutex_init(&g->lock, NULL);
	g->soc = s;
	g->v2 = s->cfg.gic_version == 2;
	g->cpu_count = n;
	g->spi_count = s->cfg.spi_count < GIC_SPI_MAX ? s->cfg.spi_count : GIC_SPI_MAX;
	g->bank_count = 1 + (g->spi_count + 31) / 32;
	for (unsigned i = 0; i < n; i++) {
		g->cpus[i].cpu = s->cpus[i];
		g->cpus[i].gic = g;
		s->cpus[i]->gic = &g->cpus[i];
	}
	s->gic = g;
	gic_reset(s);
	err = g->v2 ? add_v2(g, s->env.bus) : add_v3(g, s->env.bus);
	if (err)
		gic_destroy(s);
	return err;
}

void gic_destroy(struct soc *s)
{
	struct gic *g = s->gic;

	if (!g)
		return;
	bus_del(s->env.bus, g);
	for (unsigned i = 0; i < g->cpu_count; i++)
		g->cpus[i].cpu->gic = NULL;
	pthread_mutex_destroy(&g->lock);
	free(g->cpus);
	free(g);
	s->gic = NULL;
}
