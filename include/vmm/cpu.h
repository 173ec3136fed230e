/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software CPU as seen from outside: what src/hv/soft asks of arch/arm64.
 *
 * A soc is everything of one guest that KVM would keep in the kernel: the vCPUs,
 * the GIC, the generic timers, PSCI and the other hypercalls. It borrows guest
 * memory, the bus and the loop from the VM.
 *
 * Threads: each cpu is run by one thread at a time; soc_set_spi, cpu_kick and
 * the timers come from any thread. Lock order: device, irq, gic.
 */
#ifndef VMM_CPU_H
#define VMM_CPU_H

#include <vmm/hv.h>
#include <vmm/jit.h>
#include <vmm/types.h>

struct soc;
struct cpu;

struct soc_config {
	unsigned vcpu_count;            /* 1..BOARD_VCPU_MAX */
	unsigned ipa_bits;              /* 32..48 */
	unsigned gic_version;           /* 2 (at most 8 vCPUs); otherwise 3 */
	bool pauth;                     /* implementation-defined algorithm */
	bool pmu;
	uint64_t sve_vls[HV_SVE_VLS_WORDS];     /* all zero: no SVE */
	unsigned spi_count;             /* multiple of 32 */
	struct jit_config jit;          /* use JIT_ON, where cpu_translator(): translated; otherwise interpreted */
};

/* Can this host translate the guest's instructions? @text: to what ("x86-64"), or why not ("this CPU lacks AVX2"). */
bool cpu_translator(char *text, size_t bytes);

/*
 * Puts the GIC's ranges on the bus and creates all vCPUs, powered off but the
 * first. 0 or -errno with a message; *soc is NULL after failure.
 */
int soc_create(const struct soc_config *cfg, const struct hv_env *env, struct soc **soc);
void soc_destroy(struct soc *s);

/* Power-on state for everything in the soc. No cpu may be running. */
void soc_reset(struct soc *s);

void soc_set_spi(struct soc *s, unsigned spi, bool level);
struct cpu *soc_cpu(struct soc *s, unsigned id);

/*
 * Runs the guest until there is something for the VMM to do: PSCI system events,
 * a kick, a failure. WFI, a powered-off vCPU and MMIO do not come back here:
 * waiting is done inside, and MMIO goes straight to the bus.
 */
int cpu_run(struct cpu *c, struct hv_exit *exit);

/* Makes a running or waiting cpu_run return with HV_EXIT_KICKED. Sticky: if it is not running, its next run returns at once. */
void cpu_kick(struct cpu *c);

/*
 * Registers by the ids of regs.def, size from the id (bits 55:52). The cpu must not
 * be running. -ENOENT unknown, -EINVAL a value the register refuses (nothing changed),
 * -EBUSY a feature or ID register after the first run (the same value is accepted).
 * @c may be NULL for VM-scoped registers.
 */
int cpu_reg_list(struct soc *s, struct hv_reg *regs, unsigned *count);
int cpu_reg_get(struct soc *s, struct cpu *c, uint64_t id, void *value);
int cpu_reg_set(struct soc *s, struct cpu *c, uint64_t id, const void *value);

/* ---- One instruction for somebody else ---- */

/*
 * A vCPU that another hypervisor runs has stopped at an instruction which that one cannot
 * decode (a device access without a syndrome). The software CPU executes it: registers are
 * taken from the other hypervisor and given back, memory and devices are the same.
 */
struct cpu_loan;

/*
 * The other hypervisor's registers, by the ids of regs.def; -errno where it lacks one, which then
 * keeps its reset value. Where it lacks V0, Z0 to Z31 (REG_ID_SVE_Z, 256 bytes) are asked instead.
 * Also asked, and better answered than not: TCR2_EL1, and DCZID_EL0 (lacking: 64 bytes).
 */
struct cpu_loan_regs {
	int (*get)(void *opaque, uint64_t id, void *value);
	int (*set)(void *opaque, uint64_t id, const void *value);
	void *opaque;
};

/* For one vCPU; touches neither the bus nor the GIC ranges on it. 0 or -errno with a message. */
int cpu_loan_create(const struct hv_env *env, const struct soc_config *cfg, unsigned id, struct cpu_loan **loan);
void cpu_loan_destroy(struct cpu_loan *loan);

/*
 * Executes the instruction at PC, a load, store, atomic or DC ZVA, and writes back every
 * register that it changed, PC included. An exception that it takes (nobody on the bus, a
 * second page that is not mapped) is the guest's: its registers are written back likewise.
 * @text: "ldp x0, x1, [x2], #0x10 at 0x...", for a message; NULL: not wanted. After -ENOTSUP
 * it also says why.
 * 0; -EFAULT: the instruction cannot be fetched; -ENOTSUP: it is another one, or one the
 * software CPU does not know, or the guest uses what it does not have (big-endian data,
 * 52-bit addresses), and nothing has changed; -errno of set.
 */
int cpu_loan_step(struct cpu_loan *loan, const struct cpu_loan_regs *regs, char *text, size_t bytes);

/* ---- Instructions as text ---- */

/* Appends "ldp x0, x1, [x2], #0x10 at 0x..." to the string in @text, an array of @bytes. */
void cpu_disas(uint32_t word, gva_t pc, char *text, size_t bytes);

/* For benchmarks and diagnosis. */
uint64_t cpu_insn_count(const struct cpu *c);
gva_t cpu_pc(const struct cpu *c);

#endif
