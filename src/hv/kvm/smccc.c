/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercalls that nobody answers. KVM would refuse them silently; with its filter
 * (Documentation/virt/kvm/devices/vm.rst, KVM_ARM_VM_SMCCC_FILTER) they come here, are
 * refused the same way and said, so that who brings up firmware or a kernel sees what
 * it asked for. Calls that KVM answers stay in the kernel.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <spec/smccc.h>
#include <vmm/log.h>
#include <vmm/regs.h>

#include "kvm.h"

#define FUNCTIONS_OF_OWNER 0x10000

/* SMC Calling Convention, owning entities: CPU service, SiP, OEM; their 32-bit and 64-bit fast calls. */
static const uint32_t forwarded[] = { 0x81000000, 0x82000000, 0x83000000, 0xc1000000, 0xc2000000, 0xc3000000 };

int kvm_smccc_filter(struct kvm_vm *k)
{
	/* Kernels before 6.4 have no filter, and no capability says so. */
	if (kvm_attr_has(k->fd, UAPI_VM_SMCCC_CTRL, UAPI_VM_SMCCC_FILTER))
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(forwarded); i++) {
		const struct uapi_smccc_filter f = {
			.base = forwarded[i],
			.count = FUNCTIONS_OF_OWNER,
			.action = UAPI_SMCCC_TO_USER,
		};
		int err = kvm_attr_set(k->fd, UAPI_VM_SMCCC_CTRL, UAPI_VM_SMCCC_FILTER, &f);

		if (err)
			return log_err(err, "KVM refuses to hand over hypercalls from 0x%" PRIx32 ": %s", f.base,
				       strerror(-err));
	}
	return 0;
}

/* Once for each, as far as we remember. */
static bool is_news(struct kvm_vm *k, uint32_t id)
{
	bool news;
	unsigned i;

	pthread_mutex_lock(&k->lock);
	for (i = 0; i < k->said_count && k->said_calls[i] != id; i++)
		;
	news = i == k->said_count && i < ARRAY_SIZE(k->said_calls);
	if (news)
		k->said_calls[k->said_count++] = id;
	pthread_mutex_unlock(&k->lock);
	return news;
}

void kvm_smccc_call(struct kvm_vcpu *c)
{
	uint32_t id = (uint32_t)c->run->hypercall.nr;
	uint64_t answer = (uint64_t)(int64_t)SMCCC_NOT_SUPPORTED;

	if (is_news(c->kvm, id))
		log_guest("vCPU %u: hypercall 0x%08" PRIx32 " (%s): nobody answers it, the guest gets NOT_SUPPORTED",
			  c->id, id, c->run->hypercall.longmode & UAPI_HYPERCALL_IS_SMC ? "SMC" : "HVC");
	/* PC is past the call already. */
	kvm_reg_write(c, REG_ID_CORE(0), &answer);
}
