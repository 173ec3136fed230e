/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A soc with RAM and a bus and nothing else, for tests that run guest code.
 * RAM is at RAM_BASE; a guest program ends with PSCI SYSTEM_OFF (or a failure).
 */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include "arch/arm64/cpu/cpu.h"

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
void machine_free(struct machine *m);

/* Guest memory at physical address @pa, as host memory. */
uint64_t *machine_u64(struct machine *m, uint64_t pa);
void machine_code(struct machine *m, uint64_t pa, const uint32_t *words, unsigned count);

/* Runs cpu 0 from @pc until cpu_run returns. */
struct hv_exit machine_run(struct machine *m, uint64_t pc);

#endif
