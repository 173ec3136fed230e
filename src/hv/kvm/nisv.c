/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device access without a valid syndrome: the CPU has not told KVM which register, how
 * wide, in which direction (LDP, STP, writeback, SIMD&FP, DC ZVA ...). The software CPU
 * executes the instruction instead (vmm/cpu.h, "One instruction for somebody else").
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <spec/board.h>
#include <vmm/cpu.h>
#include <vmm/log.h>
#include <vmm/regs.h>

#include "kvm.h"

/* Documentation/virt/kvm/api.rst, KVM_SET_VCPU_EVENTS: allowed right after such an exit. */
int kvm_inject_abort(struct kvm_vcpu *c)
{
	struct kvm_vcpu_events events = { .exception.ext_dabt_pending = 1 };

	return kvm_call(c->fd, KVM_SET_VCPU_EVENTS, kvm_ptr(&events));
}

#define REG_DCZID REG_ID_SYS(REG_ENC(3, 3, 0, 0, 7))

/* DCZID_EL0 is the host's, and KVM does not list it. */
static int get(void *opaque, uint64_t id, void *value)
{
	uint64_t dczid;

	if (id != REG_DCZID)
		return kvm_reg_read(opaque, id, value);
	__asm__("mrs %0, dczid_el0" : "=r"(dczid));
	memcpy(value, &dczid, sizeof(dczid));
	return 0;
}

static int set(void *opaque, uint64_t id, const void *value) { return kvm_reg_write(opaque, id, value); }

static int need_loan(struct kvm_vcpu *c)
{
	const struct hv_values *a = &c->kvm->vm.attr;
	struct soc_config cfg = {
		.vcpu_count = 1,
		.ipa_bits = (unsigned)a->IPA_BITS[0],
		.pauth = a->PAUTH[0],
		.spi_count = BOARD_SPI_COUNT,
	};

	return c->loan ? 0 : cpu_loan_create(&c->kvm->env, &cfg, c->id, &c->loan);
}

void kvm_nisv_forget(struct kvm_vcpu *c)
{
	cpu_loan_destroy(c->loan);
	c->loan = NULL;
}

static int execute(struct kvm_vcpu *c, char *text, size_t bytes)
{
	const struct cpu_loan_regs regs = { .get = get, .set = set, .opaque = c };
	int err = c->kvm->can_decode ? need_loan(c) : -ENOSYS;

	return err ? err : cpu_loan_step(c->loan, &regs, text, bytes);
}

int kvm_nisv(struct kvm_vcpu *c)
{
	char text[120] = "";
	bool first = !atomic_load(&c->kvm->decoded);
	int err = execute(c, first ? text : NULL, sizeof(text));

	if (!err) {
		if (!atomic_fetch_add(&c->kvm->decoded, 1))
			log_info("KVM cannot decode %s, an access to a device: the software CPU executes such "
				 "instructions, this and further ones; it is slow",
				 text);
		return 0;
	}
	if (err == -ENOTSUP && !first)
		execute(c, text, sizeof(text)); /* has changed nothing, and says now what it is */
	if (err == -ENOSYS)
		log_guest("vCPU %u: an access to a device that this kernel's KVM cannot decode (no "
			  "KVM_CAP_ARM_NISV_TO_USER): the guest gets an external abort",
			  c->id);
	else
		log_guest("vCPU %u: %s, an access to a device at 0x%" PRIx64
			  " that nobody can decode: the guest gets an external abort",
			  c->id, text[0] ? text : "an instruction", (uint64_t)c->run->arm_nisv.fault_ipa);
	return kvm_inject_abort(c);
}
