/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A soc without memory whose cpus never run: what the tests of arch/arm64's
 * devices and hypercalls need. Also what cmocka.h wants included before it.
 */
#ifndef FAKE_SOC_H
#define FAKE_SOC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <vmm/bus.h>
#include "arch/arm64/cpu/cpu.h"

/* @cpus vCPUs, the first one powered on; 64 SPIs. */
struct soc *fake_soc(unsigned cpus);
void fake_soc_free(struct soc *s);

/* Accesses over the bus, which must be accepted. */
uint64_t soc_mmio_read(struct soc *s, uint64_t addr, unsigned size);
void soc_mmio_write(struct soc *s, uint64_t addr, unsigned size, uint64_t value);

#define GICD(offset)            (BOARD_GICD_BASE + (offset))
#define GICR(cpu, offset)       (BOARD_GICR_BASE + (uint64_t)(cpu) * BOARD_GICR_STRIDE + (offset))

/* System registers of the GIC's CPU interface, as MRS and MSR reach them. */
#define ICC_READ(c, name)       gic_read_icc_##name(c, 0)
#define ICC_WRITE(c, name, v)   gic_write_icc_##name(c, 0, v)

enum { SIGNAL_NONE = 0, SIGNAL_IRQ = 1, SIGNAL_FIQ = 2 };
static inline unsigned signal_of(const struct cpu *c) { return atomic_load(&c->irq_lines); }

#endif
