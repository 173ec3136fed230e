/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PL011 UART: the guest's console.
 *
 *   guest -> DR -> console       as long as the console has room; TXFF is that it has none
 *   console -> FIFO -> DR -> guest       the FIFO is refilled whenever it has room
 *
 * So nothing is dropped in either direction: who is slow makes the other wait.
 *
 * The surprise is `hide`. Linux empties the receive FIFO when it opens the port,
 * because a real PL011 may hold noise there; here it would be what the user typed
 * (or piped in) before the kernel was up. It clears the receive interrupts just
 * before: from such a write, once per enabling of the receiver, the FIFO looks
 * empty until the interrupt mask is written or something new arrives, and to at most
 * three looks (at FR, RIS or MIS) in a row of a guest that polls.
 */
#include <stdio.h>
#include <string.h>
#include <spec/board.h>
#include <spec/pl011.h>
#include <vmm/console.h>
#include "primecell.h"

#define HIDE_LOOKS 3

struct pl011 {
	uint32_t cr, lcr, ibrd, fbrd, ilpr, ifls, imsc, dmacr;
	uint32_t latched; /* raw interrupts that stay until ICR: TX, OE */
	uint8_t fifo[PL011_FIFO_DEPTH];
	uint32_t first, count;
	uint32_t overrun; /* RSR.OE */
	uint32_t last;    /* what an empty DR reads as */
	uint32_t line;    /* what we drive the interrupt to */
	uint32_t hide;    /* looks left for which the FIFO seems empty */
	uint32_t hide_armed;
};

static unsigned depth(const struct pl011 *p) { return p->lcr & PL011_LCR_FEN ? PL011_FIFO_DEPTH : 1; }

static unsigned visible(const struct pl011 *p) { return p->hide ? 0 : p->count; }

/* IFLS: 1/8, 1/4, 1/2, 3/4, 7/8 of the FIFO; reserved values as 7/8. */
static unsigned rx_trigger(const struct pl011 *p)
{
	static const uint8_t eighths[8] = { 1, 2, 4, 6, 7, 7, 7, 7 };

	return p->lcr & PL011_LCR_FEN ? eighths[bits(p->ifls, 5, 3)] * PL011_FIFO_DEPTH / 8 : 1;
}

/*
 * Receive interrupts are levels: a driver that clears one and leaves a byte
 * behind is called again instead of waiting for a key that never comes.
 */
static uint32_t raw_interrupts(const struct pl011 *p)
{
	uint32_t ris = p->latched;

	if (visible(p) >= rx_trigger(p))
		ris |= PL011_INT_RX;
	if (visible(p))
		ris |= PL011_INT_RT;
	return ris;
}

static void update(struct device *d)
{
	struct pl011 *p = d->state;

	primecell_irq(d, &p->line, raw_interrupts(p) & p->imsc);
}

/* In loopback nothing comes from outside. */
static void refill(struct device *d)
{
	struct pl011 *p = d->state;
	uint8_t byte;

	if (!d->env->console || p->cr & PL011_CR_LBE)
		return;
	while (p->count < depth(p) && console_read(d->env->console, &byte, 1))
		p->fifo[(p->first + p->count++) % PL011_FIFO_DEPTH] = byte;
}

static bool tx_room(struct device *d) { return !d->env->console || console_room(d->env->console); }

/* ---- Registers ---- */

static uint32_t read_data(struct device *d)
{
	struct pl011 *p = d->state;

	if (visible(p)) {
		p->last = p->fifo[p->first];
		p->first = (p->first + 1) % PL011_FIFO_DEPTH;
		p->count--;
		if (p->overrun)
			p->last |= PL011_DR_OE;
	}
	refill(d);
	return p->last;
}

static void loop_back(struct pl011 *p, uint8_t byte)
{
	if (p->count >= depth(p)) {
		p->overrun = 8;
		p->latched |= PL011_INT_OE;
		return;
	}
	p->fifo[(p->first + p->count++) % PL011_FIFO_DEPTH] = byte;
}

static void write_data(struct device *d, uint32_t value)
{
	struct pl011 *p = d->state;
	uint8_t byte = (uint8_t)value;

	if (p->hide)
		p->hide = HIDE_LOOKS; /* it looked because it wants to send */
	p->latched |= PL011_INT_TX;
	if (p->cr & PL011_CR_LBE) {
		loop_back(p, byte);
		return;
	}
	if (!d->env->console)
		return;
	console_write(d->env->console, &byte, 1);
	if (!console_room(d->env->console))
		p->latched &= ~(uint32_t)PL011_INT_TX; /* again when there is room */
}

/* No modem: always connected; in loopback our own outputs come back. */
static uint32_t modem(const struct pl011 *p)
{
	if (!(p->cr & PL011_CR_LBE))
		return PL011_FR_CTS | PL011_FR_DSR | PL011_FR_DCD;
	return (p->cr & PL011_CR_RTS ? PL011_FR_CTS : 0) | (p->cr & PL011_CR_DTR ? PL011_FR_DSR : 0) |
	       (p->cr & PL011_CR_OUT1 ? PL011_FR_DCD : 0) | (p->cr & PL011_CR_OUT2 ? PL011_FR_RI : 0);
}

static void looked(struct pl011 *p) { p->hide -= p->hide > 0; }

static uint32_t read_flags(struct device *d)
{
	struct pl011 *p = d->state;
	uint32_t fr = modem(p);

	refill(d);
	fr |= !visible(p) ? PL011_FR_RXFE : visible(p) >= depth(p) ? PL011_FR_RXFF : 0;
	fr |= tx_room(d) ? PL011_FR_TXFE : PL011_FR_TXFF | PL011_FR_BUSY;
	looked(p);
	return fr;
}

static void write_cr(struct device *d, uint32_t value)
{
	struct pl011 *p = d->state;
	uint32_t receiver = PL011_CR_UARTEN | PL011_CR_RXE, set = value & ~p->cr;

	if (set & receiver && (value & receiver) == receiver)
		p->hide_armed = 1;
	p->cr = value & 0xFF87;
}

static void write_icr(struct pl011 *p, uint32_t value)
{
	uint32_t receive = PL011_INT_RX | PL011_INT_RT;

	p->latched &= ~value;
	if (p->hide_armed && (value & receive) == receive) {
		p->hide_armed = 0;
		p->hide = p->count ? HIDE_LOOKS : 0;
	}
}

static uint32_t pl011_read(struct device *d, unsigned reg)
{
	struct pl011 *p = d->state;
	uint32_t value = 0;

	switch (reg) {
	case PL011_DR: value = read_data(d); break;
	case PL011_RSR: value = p->overrun; break;
	case PL011_FR: value = read_flags(d); break;
	case PL011_ILPR: value = p->ilpr; break;
	case PL011_IBRD: value = p->ibrd; break;
	case PL011_FBRD: value = p->fbrd; break;
	case PL011_LCR_H: value = p->lcr; break;
	case PL011_CR: value = p->cr; break;
	case PL011_IFLS: value = p->ifls; break;
	case PL011_IMSC: value = p->imsc; break;
	case PL011_RIS:
		value = raw_interrupts(p);
		looked(p);
		break;
	case PL011_MIS:
		value = raw_interrupts(p) & p->imsc;
		looked(p);
		break;
	case PL011_DMACR: value = p->dmacr; break;
	}
	update(d);
	return value;
}

static void pl011_write(struct device *d, unsigned reg, uint32_t value)
{
	struct pl011 *p = d->state;

	switch (reg) {
	case PL011_DR: write_data(d, value); break;
	case PL011_RSR: p->overrun = 0; break;
	case PL011_ILPR: p->ilpr = value & 0xFF; break;
	case PL011_IBRD: p->ibrd = value & 0xFFFF; break;
	case PL011_FBRD: p->fbrd = value & 0x3F; break;
	case PL011_LCR_H: p->lcr = value & 0xFF; break; /* bytes in the FIFO stay, whatever FEN says */
	case PL011_CR: write_cr(d, value); break;
	case PL011_IFLS: p->ifls = value & 0x3F; break;
	case PL011_IMSC:
		p->imsc = value & PL011_INT_ALL;
		p->hide = 0;
		break;
	case PL011_ICR: write_icr(p, value); break;
	case PL011_DMACR: p->dmacr = value & 7; break; /* there is no DMA controller to ask */
	}
	refill(d);
	update(d);
}

static const uint8_t pl011_id[8] = { 0x11, 0x10, 0x14, 0x00, 0x0D, 0xF0, 0x05, 0xB1 };

static enum bus_result pl011_access(struct device *d, unsigned range, uint64_t offset, unsigned size, uint64_t *value,
				    bool write)
{
	(void)range;
	return primecell_access(d, offset, size, value, write, pl011_id, pl011_read, pl011_write);
}

/* ---- Console ---- */

static void pl011_readable(void *opaque)
{
	struct device *d = opaque;

	((struct pl011 *)d->state)->hide = 0; /* a guest that waits for an interrupt does not look */
	refill(d);
	update(d);
}

static void pl011_writable(void *opaque)
{
	struct device *d = opaque;

	((struct pl011 *)d->state)->latched |= PL011_INT_TX;
	update(d);
}

static const struct console_uart pl011_uart = { .readable = pl011_readable, .writable = pl011_writable };

/* ---- Device ---- */

static int pl011_create(struct device *d)
{
	if (d->env->console)
		console_attach(d->env->console, &pl011_uart, d, &d->lock);
	return 0;
}

static void pl011_destroy(struct device *d)
{
	if (d->env->console)
		console_attach(d->env->console, NULL, NULL, NULL);
}

/* What was typed and not read yet survives a reset: the user cannot know. */
static void pl011_reset(struct device *d)
{
	struct pl011 *p = d->state, old = *p;

	*p = (struct pl011){ .cr = PL011_CR_RESET, .ifls = PL011_IFLS_RESET, .hide_armed = 1 };
	memcpy(p->fifo, old.fifo, sizeof(p->fifo));
	p->first = old.first;
	p->count = old.count;
	device_irq(d, false);
}

static void pl011_fdt(struct device *d, struct dt *t)
{
	const uint32_t clocks[] = { DT_PHANDLE_APB_PCLK, DT_PHANDLE_APB_PCLK };
	char path[32];

	primecell_fdt(d, t, "pl011", "arm,pl011");
	dt_cells(t, "clocks", clocks, ARRAY_SIZE(clocks));
	dt_strings(t, "clock-names", "uartclk", "apb_pclk", NULL);
	dt_end(t);
	snprintf(path, sizeof(path), "/pl011@%x", BOARD_UART_BASE);
	dt_alias(t, "serial0", path);
	dt_stdout_path(t, path);
}

static const struct device_range pl011_ranges[] = { { "pl011", BOARD_UART_BASE, BOARD_UART_SIZE } };

static const struct device_state pl011_state[] = {
	STATE(struct pl011, cr),      STATE(struct pl011, lcr),        STATE(struct pl011, ibrd),
	STATE(struct pl011, fbrd),    STATE(struct pl011, ilpr),       STATE(struct pl011, ifls),
	STATE(struct pl011, imsc),    STATE(struct pl011, dmacr),      STATE(struct pl011, latched),
	STATE(struct pl011, fifo),    STATE(struct pl011, first),      STATE(struct pl011, count),
	STATE(struct pl011, overrun), STATE(struct pl011, last),       STATE(struct pl011, line),
	STATE(struct pl011, hide),    STATE(struct pl011, hide_armed),
};

static const struct device_type pl011_type = {
	.name = "pl011",
	.help = "UART, the guest's console",
	.on_board = true,
	.state_bytes = sizeof(struct pl011),
	.ranges = pl011_ranges,
	.range_count = ARRAY_SIZE(pl011_ranges),
	.has_spi = true,
	.spi = BOARD_UART_SPI,
	.state = pl011_state,
	.state_count = ARRAY_SIZE(pl011_state),
	.create = pl011_create,
	.destroy = pl011_destroy,
	.reset = pl011_reset,
	.access = pl011_access,
	.fdt = pl011_fdt,
};
DEVICE(pl011, &pl011_type);
