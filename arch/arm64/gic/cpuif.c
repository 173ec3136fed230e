/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CPU interface: ICC_*_EL1, and what a GICv2's (cpuif2.c) has in common with
 * it. A cpu reads and writes its own only.
 *
 * Active priorities are kept as the manual does, one bit per group priority in
 * AP0R0 and AP1R0: the running priority is the lowest bit set, a priority drop
 * clears it. Five bits of priority make 32 of them, so AP<g>R1..3 do not exist.
 *
 * What only this cpu changes (APR, BPR, CTLR, IGRPEN) may be read without the
 * lock on its own thread; it is written with the lock, as others look at it in
 * gic_update_cpu().
 */
#include "gic.h"

#define BPR_MIN(group) (7 - GIC_PRIORITY_BITS + (group)) /* group 1: one more, as it counts one less */

void gic_cpuif_reset(struct gic_cpu *gc)
{
	atomic_store(&gc->pmr, 0);
	gc->ctlr = gc->gicc_ctlr = 0;
	for (unsigned group = 0; group < 2; group++) {
		gc->bpr[group] = BPR_MIN(group);
		gc->igrpen[group] = 0;
		gc->apr[group] = 0;
	}
}

/* ---- Priorities ---- */

/* Bits of a priority that decide about preemption (GroupBits of the manual). */
static uint32_t group_mask(const struct gic_cpu *gc, unsigned group)
{
	unsigned bpr = group && !(gc->ctlr & ICC_CTLR_CBPR) ? gc->bpr[1] - 1 : gc->bpr[0];

	return (UINT32_C(0xff) << (bpr + 1)) & 0xff;
}

static uint32_t running_priority(const struct gic_cpu *gc)
{
	uint32_t apr = gc->apr[0] | gc->apr[1];

	return apr ? (uint32_t)__builtin_ctz(apr) << (8 - GIC_PRIORITY_BITS) : ICC_PRIORITY_IDLE;
}

bool gic_can_preempt(const struct gic_cpu *gc, uint32_t hppi)
{
	uint32_t priority = HPPI_PRIORITY(hppi), running = running_priority(gc);

	if (hppi == HPPI_NONE || priority >= atomic_load(&gc->pmr))
		return false;
	return running == ICC_PRIORITY_IDLE || (priority & group_mask(gc, HPPI_GROUP(hppi))) < running;
}

/* The state of one interrupt has changed: look again for whoever may take it. */
static void interrupt_changed(struct gic_cpu *gc, unsigned intid)
{
	if (intid < GIC_SPI_BASE)
		gic_update_cpu(gc);
	else
		gic_update_spis(gc->gic, intid / 32, intid_bit(intid));
}

/* ---- Acknowledge, end, deactivate ---- */

uint32_t gic_acknowledge(struct gic_cpu *gc, unsigned groups)
{
	uint32_t h, value = GIC_INTID_NONE;

	pthread_mutex_lock(&gc->gic->lock);
	h = atomic_load(&gc->hppi);
	if (gic_can_preempt(gc, h) && groups >> HPPI_GROUP(h) & 1) {
		unsigned intid = HPPI_INTID(h), group = HPPI_GROUP(h);
		struct gic_bank *b = gic_bank_of(gc, intid);
		uint32_t top = HPPI_PRIORITY(h) & group_mask(gc, group);

		b->active |= intid_bit(intid);
		b->latch &= ~intid_bit(intid); /* a high level-sensitive wire pends by itself */
		gc->apr[group] |= UINT32_C(1) << (top >> (8 - GIC_PRIORITY_BITS));
		value = intid;
		if (gc->gic->v2 && intid < GIC_SGI_COUNT)
			value |= gic_take_sgi_source(gc, intid) << GICC_IAR_SOURCE_SHIFT;
		interrupt_changed(gc, intid);
	} else if (gc->gic->v2 && gic_can_preempt(gc, h) && HPPI_GROUP(h)) {
		value = GIC_INTID_GROUP1;
	}
	pthread_mutex_unlock(&gc->gic->lock);
	return value;
}

static void deactivate(struct gic_cpu *gc, unsigned intid)
{
	struct gic_bank *b = gic_bank_of(gc, intid);

	if (!b)
		return;
	b->active &= ~intid_bit(intid);
	interrupt_changed(gc, intid);
}

void gic_end_of_interrupt(struct gic_cpu *gc, unsigned groups, uint64_t intid)
{
	uint32_t top[2];
	unsigned running;

	if (intid >= GIC_INTID_SPECIAL)
		return;
	pthread_mutex_lock(&gc->gic->lock);
	for (unsigned k = 0; k < 2; k++)
		top[k] = gc->apr[k] & -gc->apr[k];
	running = top[0] && (!top[1] || top[0] <= top[1]) ? 0 : 1;
	/* Only the group whose interrupt is running may end it. */
	if (top[running] && groups >> running & 1) {
		gc->apr[running] &= ~top[running];
		if (!(gc->ctlr & ICC_CTLR_EOIMODE))
			deactivate(gc, (unsigned)intid);
		gic_update_cpu(gc);
	}
	pthread_mutex_unlock(&gc->gic->lock);
}

uint64_t gic_read_icc_iar0(struct cpu *c, unsigned reg)
{
	(void)reg;
	return gic_acknowledge(c->gic, 1 << 0);
}
uint64_t gic_read_icc_iar1(struct cpu *c, unsigned reg)
{
	(void)reg;
	return gic_acknowledge(c->gic, 1 << 1);
}

void gic_write_icc_eoir0(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	gic_end_of_interrupt(c->gic, 1 << 0, v);
}
void gic_write_icc_eoir1(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	gic_end_of_interrupt(c->gic, 1 << 1, v);
}

void gic_write_icc_dir(struct cpu *c, unsigned reg, uint64_t value)
{
	struct gic_cpu *gc = c->gic;

	(void)reg;
	if (value >= GIC_INTID_SPECIAL || !(gc->ctlr & ICC_CTLR_EOIMODE))
		return;
	pthread_mutex_lock(&gc->gic->lock);
	deactivate(gc, (unsigned)value);
	pthread_mutex_unlock(&gc->gic->lock);
}

static uint64_t highest_pending(struct cpu *c, unsigned group)
{
	uint32_t h = atomic_load(&c->gic->hppi);

	return h != HPPI_NONE && HPPI_GROUP(h) == group ? HPPI_INTID(h) : GIC_INTID_NONE;
}

uint64_t gic_read_icc_hppir0(struct cpu *c, unsigned reg)
{
	(void)reg;
	return highest_pending(c, 0);
}
uint64_t gic_read_icc_hppir1(struct cpu *c, unsigned reg)
{
	(void)reg;
	return highest_pending(c, 1);
}

uint64_t gic_read_icc_rpr(struct cpu *c, unsigned reg)
{
	(void)reg;
	return running_priority(c->gic);
}

/* ---- Control ---- */

uint64_t gic_read_icc_pmr(struct cpu *c, unsigned reg)
{
	(void)reg;
	return atomic_load(&c->gic->pmr);
}

/*
 * Kernels with pseudo-NMIs write PMR wherever others mask interrupts, so it must
 * not cost a lock. Nothing pending: there is no signal to change. Should another
 * thread be about to make something pending, it stores hppi and then loads PMR,
 * while we store PMR and then load hppi: one of us sees the other's.
 */
void gic_write_icc_pmr(struct cpu *c, unsigned reg, uint64_t value)
{
	struct gic_cpu *gc = c->gic;

	(void)reg;
	atomic_store(&gc->pmr, (uint32_t)value & GIC_PRIORITY_MASK);
	if (atomic_load(&gc->hppi) == HPPI_NONE)
		return;
	pthread_mutex_lock(&gc->gic->lock);
	gic_update_cpu(gc);
	pthread_mutex_unlock(&gc->gic->lock);
}

/* Stores a register of this cpu that decides what it is signalled. */
static void set_and_update(struct gic_cpu *gc, uint32_t *field, uint32_t value)
{
	pthread_mutex_lock(&gc->gic->lock);
	*field = value;
	gic_update_cpu(gc);
	pthread_mutex_unlock(&gc->gic->lock);
}

void gic_write_bpr(struct gic_cpu *gc, unsigned group, uint64_t value)
{
	uint32_t bpr = value & 7, min = BPR_MIN(group);

	set_and_update(gc, &gc->bpr[group], bpr < min ? min : bpr);
}

uint64_t gic_read_icc_bpr0(struct cpu *c, unsigned reg)
{
	(void)reg;
	return c->gic->bpr[0];
}
void gic_write_icc_bpr0(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	gic_write_bpr(c->gic, 0, v);
}

/* With CBPR both groups use BPR0, and BPR1 reads as the value that would mean the same. */
uint64_t gic_read_icc_bpr1(struct cpu *c, unsigned reg)
{
	const struct gic_cpu *gc = c->gic;

	(void)reg;
	if (!(gc->ctlr & ICC_CTLR_CBPR))
		return gc->bpr[1];
	return gc->bpr[0] < 7 ? gc->bpr[0] + 1 : 7;
}

void gic_write_icc_bpr1(struct cpu *c, unsigned reg, uint64_t value)
{
	(void)reg;
	if (!(c->gic->ctlr & ICC_CTLR_CBPR))
		gic_write_bpr(c->gic, 1, value);
}

uint64_t gic_read_icc_ap0r0(struct cpu *c, unsigned reg)
{
	(void)reg;
	return c->gic->apr[0];
}
uint64_t gic_read_icc_ap1r0(struct cpu *c, unsigned reg)
{
	(void)reg;
	return c->gic->apr[1];
}

void gic_write_icc_ap0r0(struct cpu *c, unsigned reg, uint64_t value)
{
	(void)reg;
	set_and_update(c->gic, &c->gic->apr[0], (uint32_t)value);
}

void gic_write_icc_ap1r0(struct cpu *c, unsigned reg, uint64_t value)
{
	(void)reg;
	set_and_update(c->gic, &c->gic->apr[1], (uint32_t)value);
}

uint64_t gic_read_icc_ctlr(struct cpu *c, unsigned reg)
{
	(void)reg;
	return c->gic->ctlr | (GIC_PRIORITY_BITS - 1) << ICC_CTLR_PRIBITS_SHIFT | ICC_CTLR_A3V;
}

void gic_write_icc_ctlr(struct cpu *c, unsigned reg, uint64_t value)
{
	(void)reg;
	set_and_update(c->gic, &c->gic->ctlr, (uint32_t)value & (ICC_CTLR_CBPR | ICC_CTLR_EOIMODE));
}

static void write_igrpen(struct gic_cpu *gc, unsigned group, uint64_t value)
{
	pthread_mutex_lock(&gc->gic->lock);
	gc->igrpen[group] = value & ICC_IGRPEN_ENABLE;
	gic_participation_changed(gc->gic);
	gic_update_cpu(gc);
	pthread_mutex_unlock(&gc->gic->lock);
}

uint64_t gic_read_icc_igrpen0(struct cpu *c, unsigned reg)
{
	(void)reg;
	return c->gic->igrpen[0];
}
uint64_t gic_read_icc_igrpen1(struct cpu *c, unsigned reg)
{
	(void)reg;
	return c->gic->igrpen[1];
}
void gic_write_icc_igrpen0(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	write_igrpen(c->gic, 0, v);
}
void gic_write_icc_igrpen1(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	write_igrpen(c->gic, 1, v);
}

/* ---- Software-generated interrupts ---- */

static void pend_sgi(struct gic_cpu *to, unsigned intid, bool group1_too)
{
	uint32_t bit = intid_bit(intid);

	if (!to || (to->private.group1 & bit && !group1_too))
		return;
	to->private.latch |= bit;
	gic_update_cpu(to);
}

/*
 * One Security state: SGI1R makes an SGI pending whichever group the receiver
 * has it in; SGI0R and ASGI1R (there is no other state's group 1) only where
 * it is in group 0.
 */
static void send_sgi(struct cpu *c, uint64_t value, bool group1_too)
{
	struct gic_cpu *gc = c->gic;
	struct gic *g = gc->gic;
	unsigned intid = ICC_SGIR_INTID(value);
	uint32_t aff321 =
		(uint32_t)(ICC_SGIR_AFF3(value) << 24 | ICC_SGIR_AFF2(value) << 16 | ICC_SGIR_AFF1(value) << 8);

	pthread_mutex_lock(&g->lock);
	if (ICC_SGIR_IRM(value)) {
		for (unsigned i = 0; i < g->cpu_count; i++)
			if (&g->cpus[i] != gc)
				pend_sgi(&g->cpus[i], intid, group1_too);
	} else {
		for (uint32_t list = ICC_SGIR_TARGETS(value); list; list &= list - 1) {
			uint32_t aff0 = (uint32_t)ICC_SGIR_RS(value) * 16 + (uint32_t)__builtin_ctz(list);

			pend_sgi(gic_cpu_at(g, aff321 | aff0), intid, group1_too);
		}
	}
	pthread_mutex_unlock(&g->lock);
}

void gic_write_icc_sgi1r(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	send_sgi(c, v, true);
}
void gic_write_icc_asgi1r(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	send_sgi(c, v, false);
}
void gic_write_icc_sgi0r(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	send_sgi(c, v, false);
}
