/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host has. Limits are asked without a VM of ours, so what only a VM or a
 * vCPU can tell is read from one made for the question and closed again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <spec/board.h>
#include <vmm/regs.h>
#include <vmm/text.h>

#include "kvm.h"

#define DEV_KVM         "/dev/kvm"
#define IPA_BITS_LEGACY 40 /* of kernels that cannot be told (before 4.20) */
#define IPA_BITS_LEAST  32 /* any other kernel has this */

int kvm_call(int fd, unsigned long request, uintptr_t arg)
{
	int r = ioctl(fd, request, arg);

	return r < 0 ? -errno : r;
}

int kvm_attr_has(int fd, uint32_t group, uint64_t attr)
{
	struct kvm_device_attr a = { .group = group, .attr = attr };

	return kvm_call(fd, KVM_HAS_DEVICE_ATTR, kvm_ptr(&a));
}

int kvm_attr_set(int fd, uint32_t group, uint64_t attr, const void *value)
{
	struct kvm_device_attr a = { .group = group, .attr = attr, .addr = kvm_ptr(value) };

	return kvm_call(fd, KVM_SET_DEVICE_ATTR, kvm_ptr(&a));
}

int kvm_host_cap(int fd, unsigned cap)
{
	int r = kvm_call(fd, KVM_CHECK_EXTENSION, cap);

	return r > 0 ? r : 0;
}

static const char *open_error(int err)
{
	switch (err) {
	case ENOENT:
		return DEV_KVM " is not there: the kernel has no KVM or does not start at EL2 (a VM without nested "
			       "virtualisation)";
	case EACCES:
		return "no permission for " DEV_KVM ": join its group (sudo usermod -aG kvm $USER, log in again)";
	case ENODEV:
	case ENXIO: return DEV_KVM " has no driver behind it: the kernel's KVM did not start, see dmesg | grep kvm";
	default: return strerror(err);
	}
}

int kvm_host_open(char *why, size_t bytes)
{
	int fd = open(DEV_KVM, O_RDWR | O_CLOEXEC), version;

	if (fd < 0) {
		int err = errno;

		snprintf(why, bytes, "%s", open_error(err));
		return -err;
	}
	version = kvm_call(fd, KVM_GET_API_VERSION, 0);
	if (version == KVM_API_VERSION)
		return fd;
	close(fd);
	if (version < 0)
		snprintf(why, bytes, "what is at " DEV_KVM " does not answer as KVM does: %s", strerror(-version));
	else
		snprintf(why, bytes, DEV_KVM " has API version %d, not %d", version, KVM_API_VERSION);
	return -ENODEV;
}

int kvm_available(char *why, size_t bytes)
{
	int fd = kvm_host_open(why, bytes);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static unsigned ipa_bits_max(int host)
{
	unsigned bits = (unsigned)kvm_host_cap(host, KVM_CAP_ARM_VM_IPA_SIZE);

	return bits ? bits : IPA_BITS_LEGACY;
}

int kvm_host_vm_type(int host, unsigned bits, unsigned long *type)
{
	if (kvm_host_cap(host, KVM_CAP_ARM_VM_IPA_SIZE)) {
		*type = KVM_VM_TYPE_ARM_IPA_SIZE(bits);
		return 0;
	}
	*type = 0;
	return bits == IPA_BITS_LEGACY ? 0 : -EINVAL;
}

/* ---- Questions that need a VM, or a vCPU ---- */

/* As small as can be: from Linux 7 on, closing a VM of 52 bits takes as long as walking all of them. */
static int scratch_vm(int host)
{
	unsigned long type;

	kvm_host_vm_type(host, IPA_BITS_LEAST, &type); /* 0 where the kernel cannot be told */
	return kvm_call(host, KVM_CREATE_VM, type);
}

static bool vm_has_gic(int vm, uint32_t model)
{
	struct kvm_create_device d = { .type = model, .flags = KVM_CREATE_DEVICE_TEST };

	return !kvm_call(vm, KVM_CREATE_DEVICE, kvm_ptr(&d));
}

/* Bit n: GICv<n>. */
static uint64_t gic_versions(int host)
{
	int vm = scratch_vm(host);
	uint64_t set = 0;

	if (vm < 0)
		return 0;
	if (vm_has_gic(vm, KVM_DEV_TYPE_ARM_VGIC_V2))
		set |= 1 << 2;
	if (vm_has_gic(vm, KVM_DEV_TYPE_ARM_VGIC_V3))
		set |= 1 << 3;
	close(vm);
	return set;
}

static int read_sve(int vm, int vcpu, uint64_t vls[HV_SVE_VLS_WORDS])
{
	struct kvm_one_reg reg = { .id = KVM_REG_ARM64_SVE_VLS, .addr = kvm_ptr(vls) };
	struct kvm_vcpu_init init;
	int err = kvm_call(vm, KVM_ARM_PREFERRED_TARGET, kvm_ptr(&init));

	init.features[0] = 1u << KVM_ARM_VCPU_PSCI_0_2 | 1u << KVM_ARM_VCPU_SVE;
	if (!err)
		err = kvm_call(vcpu, KVM_ARM_VCPU_INIT, kvm_ptr(&init));
	return err ? err : kvm_call(vcpu, KVM_GET_ONE_REG, kvm_ptr(&reg));
}

int kvm_host_sve(int host, uint64_t vls[HV_SVE_VLS_WORDS])
{
	int vm, vcpu, err;

	memset(vls, 0, HV_SVE_VLS_WORDS * sizeof(*vls));
	if (!kvm_host_cap(host, KVM_CAP_ARM_SVE))
		return 0;
	vm = scratch_vm(host);
	vcpu = vm < 0 ? vm : kvm_call(vm, KVM_CREATE_VCPU, 0);
	err = vcpu < 0 ? vcpu : read_sve(vm, vcpu, vls);
	if (vcpu >= 0)
		close(vcpu);
	if (vm >= 0)
		close(vm);
	return err;
}

void kvm_sve_text(const uint64_t *vls, const char *separator, char *text, size_t bytes)
{
	text[0] = 0;
	for (unsigned i = 0; i < HV_SVE_VLS_WORDS * 64; i++)
		if (bit_of(vls, i))
			text_add_item(text, bytes, separator, "%u", (i + 1) * 128);
}

bool kvm_host_has_filter(int host)
{
	int vm = scratch_vm(host), err;

	if (vm < 0)
		return false;
	err = kvm_attr_has(vm, UAPI_VM_SMCCC_CTRL, UAPI_VM_SMCCC_FILTER);
	close(vm);
	return !err;
}

/* ---- Limits ---- */

static uint64_t vcpu_max(int host)
{
	unsigned max = (unsigned)kvm_host_cap(host, KVM_CAP_MAX_VCPUS);

	return max < BOARD_VCPU_MAX ? max : BOARD_VCPU_MAX;
}

static bool has_pauth(int host)
{
	return kvm_host_cap(host, KVM_CAP_ARM_PTRAUTH_ADDRESS) && kvm_host_cap(host, KVM_CAP_ARM_PTRAUTH_GENERIC);
}

static uint64_t cpu_features(int host)
{
	return kvm_host_cap(host, KVM_CAP_ARM_MTE) ? UINT64_C(1) << HV_FEATURE_MTE : 0;
}

int kvm_host_limit(int host, uint16_t type, struct hv_limit *l)
{
	switch (type) {
	case HV_ATTR_VCPU_COUNT: l->max = vcpu_max(host); return 0;
	case HV_ATTR_IPA_BITS: l->max = ipa_bits_max(host); return 0;
	case HV_ATTR_GIC: l->bits[0] = gic_versions(host); return 0;
	case HV_ATTR_SVE_VLS: return kvm_host_sve(host, l->bits);
	case HV_ATTR_PAUTH: l->max = has_pauth(host); return 0;
	case HV_ATTR_PMU: l->max = kvm_host_cap(host, KVM_CAP_ARM_PMU_V3) != 0; return 0;
	case HV_ATTR_FEATURES: l->bits[0] = cpu_features(host); return 0;
	default: return -ENOENT;
	}
}

int kvm_attr_limit(uint16_t type, struct hv_limit *limit)
{
	char why[160];
	int host = kvm_host_open(why, sizeof(why)), err;

	if (host < 0)
		return host;
	err = kvm_host_limit(host, type, limit);
	close(host);
	return err;
}

/* What KVM's own capability decides. */
static const struct {
	enum hv_cap cap;
	unsigned kvm;
} kvm_caps[] = {
	{ HV_CAP_MEM_READONLY, KVM_CAP_READONLY_MEM },
	{ HV_CAP_MEM_OWN, KVM_CAP_READONLY_MEM },
	{ HV_CAP_SVE, KVM_CAP_ARM_SVE },
	{ HV_CAP_IRQFD, KVM_CAP_IRQFD },
	{ HV_CAP_IOEVENTFD, KVM_CAP_IOEVENTFD },
	{ HV_CAP_MMIO_DECODE, KVM_CAP_ARM_NISV_TO_USER },
	{ HV_CAP_MTE, KVM_CAP_ARM_MTE },
};

static int cap_of(int host, int fd, uint32_t cap)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kvm_caps); i++)
		if (kvm_caps[i].cap == cap)
			return kvm_host_cap(fd, kvm_caps[i].kvm) != 0;
	switch (cap) {
	case HV_CAP_VCPU_COUNT_MAX: return (int)vcpu_max(fd);
	case HV_CAP_IPA_BITS_MAX: return (int)ipa_bits_max(host);
	case HV_CAP_REG_LIST:
	case HV_CAP_DIRTY_LOG:
	case HV_CAP_MODEL:
	case HV_CAP_SAVED_NEEDS:
	case HV_CAP_HOST_CHECKS: return 1;
	default: return 0;
	}
}

/* A VM may have less than the host, so it is asked itself once there is one. */
int kvm_check_cap(const struct hv_vm *vm, uint32_t cap)
{
	struct kvm_vm *k = vm ? kvm_of(vm) : NULL;
	char why[160];
	int host, r;

	if (k && k->fd >= 0)
		return cap_of(k->host, k->fd, cap);
	host = kvm_host_open(why, sizeof(why));
	if (host < 0)
		return 0;
	r = cap_of(host, host, cap);
	close(host);
	return r;
}
