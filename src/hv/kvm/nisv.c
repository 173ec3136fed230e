/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device access without a valid syndrome: the CPU has not told KVM which register, how
 * wide, in which direction (LDP, STP, writeback, SIMD&FP, DC ZVA ...).
 */
#include <errno.h>

#include <vmm/log.h>

#include "kvm.h"

/* Documentation/virt/kvm/api.rst, KVM_SET_VCPU_EVENTS: allowed right after such an exit. */
int kvm_inject_abort(struct kvm_vcpu *c)
{
	struct kvm_vcpu_events events = { .exception.ext_dabt_pending = 1 };

	return kvm_call(c->fd, KVM_SET_VCPU_EVENTS, kvm_ptr(&events));
}

int kvm_nisv(struct kvm_vcpu *c)
{
	log_guest("vCPU %u: an access to a device that KVM cannot decode: the guest gets an external abort", c->id);
	return kvm_inject_abort(c);
}
