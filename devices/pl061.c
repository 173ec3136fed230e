/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PL061: eight GPIO lines, of which line 3 is the power key, as on QEMU's virt
 * machine. Pressing it is how the host asks a guest to power off by itself.
 */
#include <spec/board.h>
#include <spec/pl061.h>
#include <vmm/loop.h>
#include "primecell.h"

#define POWER_LINE 3
#define PRESS_NS   (NSEC_PER_SEC / 10) /* long enough for a driver that debounces */

struct pl061 {
	uint32_t in, out; /* levels from outside; what the guest drives */
	uint32_t dir, is, ibe, iev, ie, afsel;
	uint32_t edges; /* latched */
	uint32_t line;
	struct loop_timer release;
};

/* Level lines show their state as long as it lasts; edges stay until cleared. */
static uint32_t raw_interrupts(const struct pl061 *p)
{
	return ((p->edges & ~p->is) | (~(p->in ^ p->iev) & p->is & ~p->dir)) & 0xFF;
}

static void update(struct device *d)
{
	struct pl061 *p = d->state;

	primecell_irq(d, &p->line, raw_interrupts(p) & p->ie);
}

static void input(struct device *d, uint32_t in)
{
	struct pl061 *p = d->state;
	uint32_t changed = (p->in ^ in) & ~p->dir, wanted = p->ibe | ~(in ^ p->iev);

	p->edges |= changed & wanted & ~p->is;
	p->in = in;
	update(d);
}

static uint32_t pl061_read(struct device *d, unsigned reg)
{
	struct pl061 *p = d->state;

	if (reg < PL061_DIR)
		return ((p->out & p->dir) | (p->in & ~p->dir)) & (reg >> 2);
	switch (reg) {
	case PL061_DIR: return p->dir;
	case PL061_IS: return p->is;
	case PL061_IBE: return p->ibe;
	case PL061_IEV: return p->iev;
	case PL061_IE: return p->ie;
	case PL061_RIS: return raw_interrupts(p);
	case PL061_MIS: return raw_interrupts(p) & p->ie;
	case PL061_AFSEL: return p->afsel;
	}
	return 0;
}

static void pl061_write(struct device *d, unsigned reg, uint32_t value)
{
	struct pl061 *p = d->state;
	uint32_t mask = (reg >> 2) & 0xFF;

	value &= 0xFF;
	if (reg < PL061_DIR)
		p->out = (p->out & ~mask) | (value & mask);
	switch (reg) {
	case PL061_DIR: p->dir = value; break;
	case PL061_IS: p->is = value; break;
	case PL061_IBE: p->ibe = value; break;
	case PL061_IEV: p->iev = value; break;
	case PL061_IE: p->ie = value; break;
	case PL061_IC: p->edges &= ~value; break;
	case PL061_AFSEL: p->afsel = value; break;
	}
	update(d);
}

static const uint8_t pl061_id[8] = { 0x61, 0x10, 0x04, 0x00, 0x0D, 0xF0, 0x05, 0xB1 };

static enum bus_result pl061_access(struct device *d, unsigned range, uint64_t offset, unsigned size, uint64_t *value,
				    bool write)
{
	(void)range;
	return primecell_access(d, offset, size, value, write, pl061_id, pl061_read, pl061_write);
}

static void key_released(void *opaque)
{
	struct device *d = opaque;

	input(d, ((struct pl061 *)d->state)->in & ~(1u << POWER_LINE));
}

static void pl061_power_button(struct device *d)
{
	struct pl061 *p = d->state;

	input(d, p->in | 1u << POWER_LINE);
	loop_timer_arm(&p->release, loop_now_ns() + PRESS_NS);
}

static int pl061_create(struct device *d)
{
	loop_timer_init(&((struct pl061 *)d->state)->release, d->env->loop, &d->lock, key_released, d);
	return 0;
}

static void pl061_destroy(struct device *d)
{
	if (d->env->loop)
		loop_timer_arm(&((struct pl061 *)d->state)->release, UINT64_MAX);
}

static void pl061_reset(struct device *d)
{
	struct pl061 *p = d->state;

	if (d->env->loop)
		loop_timer_arm(&p->release, UINT64_MAX);
	*p = (struct pl061){ .release = p->release };
	device_irq(d, false);
}

static void pl061_fdt(struct device *d, struct dt *t)
{
	const uint32_t phandle = DT_PHANDLE_DEVICE + 16 * BOARD_GPIO_SPI;
	const uint32_t gpios[] = { phandle, POWER_LINE, 0 };

	primecell_fdt(d, t, "pl061", "arm,pl061");
	dt_u32(t, "clocks", DT_PHANDLE_APB_PCLK);
	dt_string(t, "clock-names", "apb_pclk");
	dt_flag(t, "gpio-controller");
	dt_u32(t, "#gpio-cells", 2);
	dt_flag(t, "interrupt-controller");
	dt_u32(t, "#interrupt-cells", 2);
	dt_u32(t, "#address-cells", 0);
	dt_u32(t, "phandle", phandle);
	dt_end(t);

	dt_begin(t, "gpio-keys");
	dt_string(t, "compatible", "gpio-keys");
	dt_begin(t, "poweroff");
	dt_string(t, "label", "GPIO Key Poweroff");
	dt_u32(t, "linux,code", DT_KEY_POWER);
	dt_cells(t, "gpios", gpios, ARRAY_SIZE(gpios));
	dt_end(t);
	dt_end(t);
}

static const struct device_range pl061_ranges[] = { { "pl061", BOARD_GPIO_BASE, BOARD_GPIO_SIZE } };

static const struct device_state pl061_state[] = {
	STATE(struct pl061, in),    STATE(struct pl061, out),  STATE(struct pl061, dir), STATE(struct pl061, is),
	STATE(struct pl061, ibe),   STATE(struct pl061, iev),  STATE(struct pl061, ie),  STATE(struct pl061, afsel),
	STATE(struct pl061, edges), STATE(struct pl061, line),
};

static const struct device_type pl061_type = {
	.name = "pl061",
	.help = "GPIO with the power key",
	.on_board = true,
	.state_bytes = sizeof(struct pl061),
	.ranges = pl061_ranges,
	.range_count = ARRAY_SIZE(pl061_ranges),
	.has_spi = true,
	.spi = BOARD_GPIO_SPI,
	.state = pl061_state,
	.state_count = ARRAY_SIZE(pl061_state),
	.create = pl061_create,
	.destroy = pl061_destroy,
	.reset = pl061_reset,
	.access = pl061_access,
	.fdt = pl061_fdt,
	.power_button = pl061_power_button,
};
DEVICE(pl061, &pl061_type);
