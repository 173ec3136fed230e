/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PL031 real time clock: the host's time of day in seconds, plus what the guest
 * has set it off by. While an alarm is set the time is looked at every second: nobody
 * tells a timer of the host that its clock has been set, or that it has slept.
 */
#include <time.h>
#include <spec/board.h>
#include <spec/pl031.h>
#include <vmm/loop.h>
#include "primecell.h"

#define LOOK_NS NSEC_PER_SEC

struct pl031 {
	uint32_t offset; /* guest's seconds minus host's, modulo 2^32 */
	uint32_t load;   /* what it was set to last */
	uint32_t match, imsc, ris, line;
	uint32_t armed; /* the alarm has been set and has not fired */
	uint32_t ahead; /* it was less than half a round away when we last looked */
	struct loop_timer alarm;
};

static uint32_t now(const struct pl031 *p, uint64_t *ns)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (ns)
		*ns = (uint64_t)t.tv_nsec;
	return (uint32_t)t.tv_sec + p->offset;
}

static void update(struct device *d)
{
	struct pl031 *p = d->state;

	primecell_irq(d, &p->line, p->ris & p->imsc);
}

/* Seconds until DR equals MR, modulo 2^32: a match in the past comes round again after 136 years. */
static void arm(struct device *d)
{
	struct pl031 *p = d->state;
	uint64_t ns, wait;
	uint32_t left = p->match - now(p, &ns);

	if (!p->armed)
		return;
	if (!left) {
		p->armed = 0;
		p->ris = 1;
		update(d);
		return;
	}
	p->ahead = left < UINT32_C(1) << 31;
	wait = left * NSEC_PER_SEC - ns;
	if (d->env->loop)
		loop_timer_arm(&p->alarm, loop_now_ns() + (wait < LOOK_NS ? wait : LOOK_NS));
}

static void alarm_fires(void *opaque)
{
	struct device *d = opaque;
	struct pl031 *p = d->state;
	uint32_t left = p->match - now(p, NULL);

	/* Late (the host slept, or its clock was set) is due, too; early is not. */
	if (p->armed && p->ahead && left >= UINT32_C(1) << 31) {
		p->armed = 0;
		p->ris = 1;
		update(d);
		return;
	}
	arm(d);
}

static uint32_t pl031_read(struct device *d, unsigned reg)
{
	struct pl031 *p = d->state;

	switch (reg) {
	case PL031_DR: return now(p, NULL);
	case PL031_MR: return p->match;
	case PL031_LR: return p->load;
	case PL031_CR: return 1;
	case PL031_IMSC: return p->imsc;
	case PL031_RIS: return p->ris;
	case PL031_MIS: return p->ris & p->imsc;
	}
	return 0;
}

static void pl031_write(struct device *d, unsigned reg, uint32_t value)
{
	struct pl031 *p = d->state;

	switch (reg) {
	case PL031_MR:
		p->match = value;
		p->armed = 1;
		arm(d);
		break;
	case PL031_LR:
		p->load = value;
		p->offset += value - now(p, NULL);
		arm(d);
		break;
	case PL031_IMSC: p->imsc = value & 1; break;
	case PL031_ICR: p->ris &= ~value; break;
	}
	update(d);
}

static const uint8_t pl031_id[8] = { 0x31, 0x10, 0x04, 0x00, 0x0D, 0xF0, 0x05, 0xB1 };

static enum bus_result pl031_access(struct device *d, unsigned range, uint64_t offset, unsigned size, uint64_t *value,
				    bool write)
{
	(void)range;
	return primecell_access(d, offset, size, value, write, pl031_id, pl031_read, pl031_write);
}

static int pl031_create(struct device *d)
{
	struct pl031 *p = d->state;

	loop_timer_init(&p->alarm, d->env->loop, &d->lock, alarm_fires, d);
	return 0;
}

static void pl031_destroy(struct device *d)
{
	if (d->env->loop)
		loop_timer_arm(&((struct pl031 *)d->state)->alarm, UINT64_MAX);
}

/* A real one is battery-backed: the time the guest has set survives. */
static void pl031_reset(struct device *d)
{
	struct pl031 *p = d->state;

	if (d->env->loop)
		loop_timer_arm(&p->alarm, UINT64_MAX);
	p->load = p->match = p->imsc = p->ris = p->line = p->armed = p->ahead = 0;
	device_irq(d, false);
}

static void pl031_fdt(struct device *d, struct dt *t)
{
	primecell_fdt(d, t, "pl031", "arm,pl031");
	dt_u32(t, "clocks", DT_PHANDLE_APB_PCLK);
	dt_string(t, "clock-names", "apb_pclk");
	dt_end(t);
}

static const struct device_range pl031_ranges[] = { { "pl031", BOARD_RTC_BASE, BOARD_RTC_SIZE } };

static const struct device_state pl031_state[] = {
	STATE(struct pl031, offset), STATE(struct pl031, match), STATE(struct pl031, imsc),
	STATE(struct pl031, ris),    STATE(struct pl031, line),  STATE(struct pl031, armed),
	STATE(struct pl031, ahead),  STATE(struct pl031, load),
};

static const struct device_type pl031_type = {
	.name = "pl031",
	.help = "real time clock",
	.on_board = true,
	.state_bytes = sizeof(struct pl031),
	.ranges = pl031_ranges,
	.range_count = ARRAY_SIZE(pl031_ranges),
	.has_spi = true,
	.spi = BOARD_RTC_SPI,
	.state = pl031_state,
	.state_count = ARRAY_SIZE(pl031_state),
	.create = pl031_create,
	.destroy = pl031_destroy,
	.reset = pl031_reset,
	.access = pl031_access,
	.fdt = pl031_fdt,
};
DEVICE(pl031, &pl031_type);
