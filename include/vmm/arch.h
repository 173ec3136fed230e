/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the core asks of the guest architecture, whatever the backend: the part
 * of the device tree that describes the CPU and what belongs to it, and the
 * state in which a kernel or firmware wants to be entered.
 */
#ifndef VMM_ARCH_H
#define VMM_ARCH_H

#include <vmm/types.h>

/* ---- Identity of vCPUs ---- */

/*
 * Affinity of vCPU @id: Aff0 = id[3:0], Aff1 = id[11:4], Aff2 = id[19:12].
 * At most 16 per Aff1, so that every vCPU is reachable by the 16-bit target
 * list of ICC_SGI1R_EL1 without the range selector. KVM uses the same layout.
 * This is cpu@'s "reg", and with @arch_mpidr's bit 31 the register itself.
 */
static inline uint64_t arch_affinity(unsigned id)
{
	return (id & 0xf) | (uint64_t)(id >> 4 & 0xff) << 8 | (uint64_t)(id >> 12 & 0xff) << 16;
}

/* MPIDR_EL1: bit 31 RES1, U (30) and MT (24) 0. */
static inline uint64_t arch_mpidr(unsigned id) { return UINT64_C(1) << 31 | arch_affinity(id); }

/* ---- Memory of its own ---- */

struct hv_vm;
struct mem;

/*
 * Adds what guest and hypervisor share besides RAM, if the VM's features want it: the
 * records of stolen time, vCPU @id's at BOARD_PVTIME_BASE + @id * BOARD_PVTIME_STRIDE. After
 * hv_finish; to be mapped before vCPUs are finalized, which is when KVM is told where they
 * are. 0 or -errno with a message.
 */
int arch_add_memory(struct hv_vm *vm, struct mem *m);

/* ---- Device tree ---- */

#define ARCH_FDT_GIC_PHANDLE 1          /* for interrupt-parent in the root and in device nodes */

struct arch_fdt_config {
	unsigned vcpu_count;
	unsigned gic;                   /* version: 2 or 3 */
	bool pmu;
};

/*
 * Writes cpus, psci, timer, interrupt-controller (and pmu) into the root node, which
 * the caller has begun, given #address-cells = #size-cells = <2> and all its
 * properties, and will end. Interrupts are as in spec/dt.h.
 */
struct dt;
void arch_fdt(struct dt *t, const struct arch_fdt_config *cfg);

/* ---- Entering the guest ---- */

/* Register ids (the numbers of KVM_REG_ARM64_*; regs.def has all of them). All 64-bit. */
#define ARCH_REG_X(n)   (UINT64_C(0x6030000000100000) + 2 * (n))
#define ARCH_REG_PC     UINT64_C(0x6030000000100040)
#define ARCH_REG_PSTATE UINT64_C(0x6030000000100042)

struct arch_boot_reg { uint64_t id, value; };

enum { ARCH_BOOT_REG_COUNT = 6 };

/*
 * The registers to set on a freshly reset vCPU 0 for Linux's boot protocol
 * (Documentation/arch/arm64/booting.rst): x0 = @dtb, x1..x3 = 0, pc = @entry,
 * EL1h with DAIF masked. The MMU is off by reset; other vCPUs stay off until
 * PSCI CPU_ON. Firmware at address 0 is entered the same way.
 */
void arch_boot_regs(gpa_t entry, gpa_t dtb, struct arch_boot_reg regs[ARCH_BOOT_REG_COUNT]);

/* ---- Telling where it is ---- */

struct hv_vcpu;

/*
 * For people: "PC 0x..., EL1, ..." with the last exception when one was taken. @vcpu is
 * not running. Returns @text.
 */
const char *arch_where(struct hv_vm *vm, struct hv_vcpu *vcpu, char *text, size_t bytes);

#endif
