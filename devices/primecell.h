/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Arm's PrimeCells share: 32-bit registers that are accessed in whole or
 * in part, eight id bytes at the end, a clock called apb_pclk in the tree.
 */
#ifndef DEVICES_PRIMECELL_H
#define DEVICES_PRIMECELL_H

#include <vmm/device.h>
#include <vmm/fdt.h>

#define PRIMECELL_ID 0xFE0

/*
 * Byte and halfword accesses are those of the word around them. Refused: 8
 * bytes, and whatever crosses a word. A write beside the word's first byte
 * hits no register bits that we have, and is passed over.
 */
static inline enum bus_result primecell_access(struct device *d, uint64_t offset, unsigned size, uint64_t *value,
					       bool write, const uint8_t id[8],
					       uint32_t (*read_fn)(struct device *d, unsigned reg),
					       void (*write_fn)(struct device *d, unsigned reg, uint32_t value))
{
	unsigned reg = (unsigned)(offset & ~UINT64_C(3)), shift = 8 * (offset & 3);
	uint32_t word;

	if ((offset & 3) + size > 4)
		return BUS_REFUSED;
	if (write) {
		if (!shift && reg < PRIMECELL_ID)
			write_fn(d, reg, (uint32_t)*value);
		return BUS_OK;
	}
	word = reg < PRIMECELL_ID ? read_fn(d, reg) : id[(reg - PRIMECELL_ID) / 4];
	*value = word >> shift;
	return BUS_OK;
}

/* Drives the interrupt when it changes; @line is the device's state that says to what. */
static inline void primecell_irq(struct device *d, uint32_t *line, bool level)
{
	if (level == *line)
		return;
	*line = level;
	device_irq(d, level);
}

/* Begins the node; the caller adds what is its own, and ends it. */
static inline void primecell_fdt(struct device *d, struct dt *t, const char *name, const char *compatible)
{
	const struct device_range *r = &d->type->ranges[0];

	dt_begin(t, "%s@%llx", name, (unsigned long long)r->base);
	dt_strings(t, "compatible", compatible, "arm,primecell", NULL);
	dt_reg(t, gpa(r->base), r->bytes);
	if (d->type->has_spi)
		dt_spi(t, d->type->spi, DT_LEVEL_HIGH);
}

#endif
