/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generic timers: the counters and, per cpu, the virtual and the physical EL1 timer.
 *
 * The counter is CLOCK_MONOTONIC in units of 16 ns (62.5 MHz), so it is the same
 * and monotonic on all vCPUs by the host's promise, and reading it is no system
 * call. CNTPCT and CNTVCT are that minus an offset of the whole VM, the same for both:
 * one that is restored takes the other along, as KVM's counter offset does.
 *
 *   CTL, CVAL, TVAL written -> update(): level of the PPI, next deadline
 *   deadline -> loop thread -> expired() -> update()
 *
 * CTL and CVAL are written by the own cpu only, with the lock, as the loop's
 * thread looks at them; the own cpu reads them without. Order: timer, gic.
 */
#include <stdlib.h>
#include <spec/board.h>
#include <spec/timer.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/loop.h>

#include "cpu/cpu.h"

#define NS_PER_TICK_SHIFT 4
_Static_assert(NSEC_PER_SEC >> NS_PER_TICK_SHIFT == TIMER_FREQUENCY_HZ, "one tick is 16 ns");

enum timer_kind { TIMER_PHYS, TIMER_VIRT, TIMER_KINDS };

static const uint8_t timer_ppi[TIMER_KINDS] = { BOARD_PTIMER_PPI, BOARD_VTIMER_PPI };

struct timer_one {
	struct timer_cpu *owner;
	enum timer_kind kind;
	uint32_t ctl; /* ENABLE, IMASK */
	uint64_t cval;
	uint64_t armed_ns; /* deadline given to the loop */
	struct loop_timer wake;
};

struct timer_cpu {
	pthread_mutex_t lock;
	struct cpu *cpu;
	struct timer_one one[TIMER_KINDS];
};

struct timer {
	_Atomic uint64_t offset;
	struct timer_cpu *cpus;
	unsigned cpu_count;
};

/* ---- Counters ---- */

static uint64_t raw_counter(void) { return loop_now_ns() >> NS_PER_TICK_SHIFT; }

static uint64_t counter(const struct soc *s)
{
	return raw_counter() - atomic_load_explicit(&s->timer->offset, memory_order_relaxed);
}

/* ---- Level and deadline ---- */

static bool condition_met(const struct timer_one *t, uint64_t now) { return now >= t->cval; }

static void arm(struct timer_one *t, uint64_t deadline_ns)
{
	if (t->armed_ns == deadline_ns)
		return;
	t->armed_ns = deadline_ns;
	loop_timer_arm(&t->wake, deadline_ns);
}

/* When the counter will have gone up by @ticks; UINT64_MAX: not in this life. */
static uint64_t deadline_after(uint64_t ticks)
{
	uint64_t raw = raw_counter();

	if (ticks >= (UINT64_MAX >> NS_PER_TICK_SHIFT) - raw)
		return UINT64_MAX;
	return (raw + ticks) << NS_PER_TICK_SHIFT;
}

/* With the lock held. */
static void update(struct timer_one *t)
{
	struct cpu *c = t->owner->cpu;
	bool live = (t->ctl & (CNT_CTL_ENABLE | CNT_CTL_IMASK)) == CNT_CTL_ENABLE;
	uint64_t now = counter(c->soc);
	bool met = condition_met(t, now);

	gic_set_ppi(c, timer_ppi[t->kind], live && met);
	arm(t, live && !met ? deadline_after(t->cval - now) : UINT64_MAX);
}

/* On the loop's thread, lock held. A stale deadline does no harm: update() looks at the clock. */
static void expired(void *opaque)
{
	struct timer_one *t = opaque;

	t->armed_ns = UINT64_MAX;
	update(t);
}

/* ---- Registers ---- */

static void write_ctl(struct cpu *c, enum timer_kind kind, uint64_t value)
{
	struct timer_cpu *tc = c->timer;

	pthread_mutex_lock(&tc->lock);
	tc->one[kind].ctl = value & (CNT_CTL_ENABLE | CNT_CTL_IMASK);
	update(&tc->one[kind]);
	pthread_mutex_unlock(&tc->lock);
}

static void write_cval(struct cpu *c, enum timer_kind kind, uint64_t value)
{
	struct timer_cpu *tc = c->timer;

	pthread_mutex_lock(&tc->lock);
	tc->one[kind].cval = value;
	update(&tc->one[kind]);
	pthread_mutex_unlock(&tc->lock);
}

static uint64_t read_ctl(const struct cpu *c, enum timer_kind kind)
{
	const struct timer_one *t = &c->timer->one[kind];

	if (t->ctl & CNT_CTL_ENABLE && condition_met(t, counter(c->soc)))
		return t->ctl | CNT_CTL_ISTATUS;
	return t->ctl;
}

/* TVAL is a view of CVAL: signed 32 bits from now. */
static uint64_t read_tval(const struct cpu *c, enum timer_kind kind)
{
	return (uint32_t)(c->timer->one[kind].cval - counter(c->soc));
}

static void write_tval(struct cpu *c, enum timer_kind kind, uint64_t value)
{
	write_cval(c, kind, counter(c->soc) + (uint64_t)sext(value, 32));
}

/* The host restores a counter: for all cpus, whose timers may now be due or not. */
static void write_counter(struct soc *s, uint64_t value)
{
	struct timer *t = s->timer;

	atomic_store(&t->offset, raw_counter() - value);
	for (unsigned i = 0; i < t->cpu_count; i++) {
		struct timer_cpu *tc = &t->cpus[i];

		pthread_mutex_lock(&tc->lock);
		for (unsigned kind = 0; kind < TIMER_KINDS; kind++)
			update(&tc->one[kind]);
		pthread_mutex_unlock(&tc->lock);
	}
}

#define TIMER_REGS(name, kind)                                                  \
	uint64_t timer_read_##name##_ctl(struct cpu *c, unsigned reg)           \
	{                                                                       \
		(void)reg;                                                      \
		return read_ctl(c, kind);                                       \
	}                                                                       \
	uint64_t timer_read_##name##_cval(struct cpu *c, unsigned reg)          \
	{                                                                       \
		(void)reg;                                                      \
		return c->timer->one[kind].cval;                                \
	}                                                                       \
	uint64_t timer_read_##name##_tval(struct cpu *c, unsigned reg)          \
	{                                                                       \
		(void)reg;                                                      \
		return read_tval(c, kind);                                      \
	}                                                                       \
	void timer_write_##name##_ctl(struct cpu *c, unsigned reg, uint64_t v)  \
	{                                                                       \
		(void)reg;                                                      \
		write_ctl(c, kind, v);                                          \
	}                                                                       \
	void timer_write_##name##_cval(struct cpu *c, unsigned reg, uint64_t v) \
	{                                                                       \
		(void)reg;                                                      \
		write_cval(c, kind, v);                                         \
	}                                                                       \
	void timer_write_##name##_tval(struct cpu *c, unsigned reg, uint64_t v) \
	{                                                                       \
		(void)reg;                                                      \
		write_tval(c, kind, v);                                         \
	}

TIMER_REGS(cntp, TIMER_PHYS) /* timer_read_cntp_ctl, timer_write_cntp_cval ... */
TIMER_REGS(cntv, TIMER_VIRT) /* timer_read_cntv_ctl, timer_write_cntv_cval ... */

uint64_t timer_read_cntpct(struct cpu *c, unsigned reg)
{
	(void)reg;
	return counter(c->soc);
}
uint64_t timer_read_cntvct(struct cpu *c, unsigned reg)
{
	(void)reg;
	return counter(c->soc);
}

void timer_write_cntpct(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	write_counter(c->soc, v);
}

void timer_write_cntvct(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	write_counter(c->soc, v);
}

/* ---- Life ---- */

void timer_cpu_reset(struct cpu *c)
{
	struct timer_cpu *tc = c->timer;

	pthread_mutex_lock(&tc->lock);
	for (unsigned kind = 0; kind < TIMER_KINDS; kind++) {
		tc->one[kind].ctl = 0;
		tc->one[kind].cval = 0;
		update(&tc->one[kind]);
	}
	pthread_mutex_unlock(&tc->lock);
}

void timer_reset(struct soc *s)
{
	atomic_store(&s->timer->offset, raw_counter());
	for (unsigned i = 0; i < s->timer->cpu_count; i++)
		timer_cpu_reset(s->timer->cpus[i].cpu);
}

static void timer_cpu_init(struct timer_cpu *tc, struct cpu *c)
{
	pthread_mutex_init(&tc->lock, NULL);
	tc->cpu = c;
	c->timer = tc;
	for (unsigned kind = 0; kind < TIMER_KINDS; kind++) {
		struct timer_one *t = &tc->one[kind];

		t->owner = tc;
		t->kind = kind;
		t->armed_ns = UINT64_MAX;
		loop_timer_init(&t->wake, c->soc->env.loop, &tc->lock, expired, t);
	}
}

int timer_init(struct soc *s)
{
	unsigned n = s->cfg.vcpu_count;
	struct timer *t = calloc(1, sizeof(*t));

	if (!t)
		return log_err(-ENOMEM, "timer: no memory");
	t->cpus = calloc(n, sizeof(*t->cpus));
	if (!t->cpus) {
		free(t);
		return log_err(-ENOMEM, "timer: no memory for %u vCPUs", n);
	}
	t->cpu_count = n;
	s->timer = t;
	for (unsigned i = 0; i < n; i++)
		timer_cpu_init(&t->cpus[i], s->cpus[i]);
	timer_reset(s);
	return 0;
}

void timer_destroy(struct soc *s)
{
	struct timer *t = s->timer;

	if (!t)
		return;
	for (unsigned i = 0; i < t->cpu_count; i++) {
		struct timer_cpu *tc = &t->cpus[i];

		for (unsigned kind = 0; kind < TIMER_KINDS; kind++)
			loop_timer_arm(&tc->one[kind].wake, UINT64_MAX);
		tc->cpu->timer = NULL;
		pthread_mutex_destroy(&tc->lock);
	}
	free(t->cpus);
	free(t);
	s->timer = NULL;
}
