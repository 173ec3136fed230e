/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the first vCPU is entered. See arch_boot_regs() in vmm/arch.h.
 */
#include <vmm/arch.h>

#define PSTATE_EL1H_DAIF UINT64_C(0x3c5)

void arch_boot_regs(gpa_t entry, gpa_t dtb, struct arch_boot_reg regs[ARCH_BOOT_REG_COUNT])
{
	unsigned n = 0;

	regs[n++] = (struct arch_boot_reg){ ARCH_REG_PSTATE, PSTATE_EL1H_DAIF };
	regs[n++] = (struct arch_boot_reg){ ARCH_REG_PC, entry.v };
	regs[n++] = (struct arch_boot_reg){ ARCH_REG_X(0), dtb.v };
	for (unsigned x = 1; x <= 3; x++)
		regs[n++] = (struct arch_boot_reg){ ARCH_REG_X(x), 0 };
}
