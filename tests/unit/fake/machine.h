/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A soc with RAM, a bus and a loop, and nothing else: for tests of arch/arm64. RAM is
 * at RAM_BASE; a guest program ends with PSCI SYSTEM_OFF (or a failure). Also what
 * cmocka.h wants included before it.
 */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <vmm/bus.h>
#include "arch/arm64/cpu/cpu.h"

/* ---- For what needs no guest code ---- */

/* @cpus vCPUs, the first one powered on; 64 SPIs. Each has a struct hv_exit as if it were being run. */
struct soc *fake_soc(unsigned cpus);
struct soc *fake_soc_gicv2(unsigned cpus);
void fake_soc_free(struct soc *s);

/* Accesses over the bus, which must be accepted. */
uint64_t soc_mmio_read(struct soc *s, uint64_t addr, unsigned size);
void soc_mmio_write(struct soc *s, uint64_t addr, unsigned size, uint64_t value);

/* The same by a cpu, as if the calling thread ran it. */
uint64_t cpu_mmio_read(struct cpu *c, uint64_t addr, unsigned size);
void cpu_mmio_write(struct cpu *c, uint64_t addr, unsigned size, uint64_t value);

#define GICC(offset)            (BOARD_GICC_BASE + (offset))
#define GICD(offset)            (BOARD_GICD_BASE + (offset))
#define GICR(cpu, offset)       (BOARD_GICR_BASE + (uint64_t)(cpu) * BOARD_GICR_STRIDE + (offset))

/* System registers of the GIC's CPU interface, as MRS and MSR reach them. */
#define ICC_READ(c, name)       gic_read_icc_##name(c, 0)
#define ICC_WRITE(c, name, v)   gic_write_icc_##name(c, 0, v)

enum { SIGNAL_NONE = 0, SIGNAL_IRQ = 1, SIGNAL_FIQ = 2 };
static inline unsigned signal_of(const struct cpu *c) { return atomic_load(&c->irq_lines); }

/* ---- For what runs guest code ---- */

#define RAM_BASE  UINT64_C(0x40000000)
#define RAM_BYTES (16 * MIB)

struct machine {
	struct mem *mem;
	struct bus *bus;
	struct loop *loop;
	struct soc *soc;
	struct cpu *cpu;        /* number 0 */
	uint8_t *ram;
};

struct machine machine_new(unsigned vcpu_count);
struct machine machine_with(unsigned vcpu_count, const struct jit_config *jit);
bool machine_can_translate(void);
void machine_free(struct machine *m);

/* Guest memory at physical address @pa, as host memory. */
uint64_t *machine_u64(struct machine *m, uint64_t pa);
void machine_code(struct machine *m, uint64_t pa, const uint32_t *words, unsigned count);

/* Runs cpu 0 from @pc until cpu_run returns. */
struct hv_exit machine_run(struct machine *m, uint64_t pc);

/* Executes one word at RAM_BASE; the exception class, or STEP_OK. */
enum { STEP_OK = -1 };
int machine_step(struct cpu *c, uint32_t word);

#endif
