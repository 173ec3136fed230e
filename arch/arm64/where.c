/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vCPU's place in one line, for somebody whose guest says nothing. */
#include <inttypes.h>
#include <stdio.h>

#include <vmm/arch.h>
#include <vmm/hv.h>
#include <vmm/regs.h>

#define REG_PSTATE  ARCH_REG_PSTATE
#define REG_ELR     REG_ID_CORE(0x46)
#define REG_ESR     REG_ID_SYS(REG_ENC(3, 0, 5, 2, 0))
#define REG_FAR     REG_ID_SYS(REG_ENC(3, 0, 6, 0, 0))
#define ESR_EC(esr) ((esr) >> 26 & 0x3f)

/* 0 for what a backend does not give: this is for a message. */
static uint64_t reg(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id)
{
	uint64_t value = 0;

	return hv_reg_get(vm, vcpu, id, &value) ? 0 : value;
}

const char *arch_where(struct hv_vm *vm, struct hv_vcpu *vcpu, char *text, size_t bytes)
{
	uint64_t esr = reg(vm, vcpu, REG_ESR);
	int n = snprintf(text, bytes, "PC 0x%" PRIx64 " (EL%u)", reg(vm, vcpu, ARCH_REG_PC),
			 (unsigned)(reg(vm, vcpu, REG_PSTATE) >> 2 & 3));

	/* A guest that died early sits in its vectors, or where they would be. */
	if (esr && n > 0 && (size_t)n < bytes)
		snprintf(text + n, bytes - (size_t)n,
			 ", its last exception of class 0x%02" PRIx64 " from 0x%" PRIx64 " (address 0x%" PRIx64 ")",
			 ESR_EC(esr), reg(vm, vcpu, REG_ELR), reg(vm, vcpu, REG_FAR));
	return text;
}
