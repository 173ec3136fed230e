/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * <linux/kvm.h> of the build machine may be older than the kernel that runs: what vmm
 * asks for beyond Linux 6.1 is spelled here, under the kernel's names (Linux
 * Documentation/virt/kvm/api.rst and devices/vm.rst). Whether the running kernel
 * has it is found out by asking, never from a version.
 */
#ifndef KVM_UAPI_H
#define KVM_UAPI_H

#include <linux/kvm.h>
#include <stdint.h>

#ifndef KVM_CAP_COUNTER_OFFSET
#define KVM_CAP_COUNTER_OFFSET 227
#endif
#ifndef KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES
#define KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES 230
#endif
#ifndef KVM_CAP_ARM_WRITABLE_IMP_ID_REGS
#define KVM_CAP_ARM_WRITABLE_IMP_ID_REGS 239
#endif

/* LD64B and ST64B of a device; told like KVM_EXIT_ARM_NISV. */
#define UAPI_EXIT_ARM_LDST64B 42

/* ioctl numbers carry the size of their structure, so ours serve as well. */
struct uapi_counter_offset {
	uint64_t offset, reserved;
};
#define UAPI_ARM_SET_COUNTER_OFFSET _IOW(KVMIO, 0xb5, struct uapi_counter_offset)

/* VM attribute group 0, attribute 0: what becomes of a hypercall. */
struct uapi_smccc_filter {
	uint32_t base, count;
	uint8_t action, pad[15];
};
#define UAPI_VM_SMCCC_CTRL    0
#define UAPI_VM_SMCCC_FILTER  0
#define UAPI_SMCCC_TO_USER    2
#define UAPI_HYPERCALL_IS_SMC 1 /* bit of the exit's flags */

#endif
