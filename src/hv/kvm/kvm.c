/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Life of a VM on KVM. KVM has no half-created VM: the size of guest addresses is fixed
 * by the call that makes it, feature registers are reached only through a vCPU, and the
 * GIC wants all vCPUs first. So everything is made at finish, in the order that the
 * kernel demands, and a finish that fails leaves nothing behind.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmm/err.h>
#include <vmm/log.h>

#include "kvm.h"

static int kvm_create(const struct hv_env *env, struct hv_vm **vm)
{
	struct kvm_vm *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->env = *env;
	k->host = k->fd = k->gic = -1;
	pthread_mutex_init(&k->lock, NULL);
	*vm = &k->vm;
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void undo_finish(struct kvm_vm *k)
{
	for (unsigned i = 0; i < k->vcpu_count; i++)
		kvm_vcpu_close(&k->vcpus[i]);
	free(k->vcpus);
	k->vcpus = NULL;
	k->vcpu_count = 0;
	k->has_counter_offset = false;
	close_fd(&k->gic);
	close_fd(&k->fd);
	close_fd(&k->host);
}

/* ---- Finish, step by step ---- */

static int open_host(struct kvm_vm *k)
{
	char why[160];

	k->host = kvm_host_open(why, sizeof(why));
	return k->host < 0 ? log_err(k->host, "KVM: %s", why) : 0;
}

static int make_vm(struct kvm_vm *k)
{
	unsigned bits = (unsigned)k->vm.attr.IPA_BITS[0];
	unsigned long type;

	if (kvm_host_vm_type(k->host, bits, &type))
		return log_err(-EINVAL, "--ipa-bits=%u: this kernel's KVM has 40 and nothing else", bits);
	k->fd = kvm_call(k->host, KVM_CREATE_VM, type);
	if (k->fd < 0)
		return log_err(k->fd, "KVM refuses a VM with guest addresses of %u bits: %s; `vmm doctor' says more",
			       bits, strerror(-k->fd));
	return 0;
}

static int enable_cap(struct kvm_vm *k, uint32_t cap)
{
	struct kvm_enable_cap c = { .cap = cap };

	return kvm_host_cap(k->fd, cap) ? kvm_call(k->fd, KVM_ENABLE_CAP, kvm_ptr(&c)) : -ENOENT;
}

/* Before the first vCPU. What the kernel lacks we do without, and say so when it matters. */
static int enable_caps(struct kvm_vm *k)
{
	int err;

	k->can_decode = !enable_cap(k, KVM_CAP_ARM_NISV_TO_USER);
	/* MIDR_EL1 and its companions can then be written like other features, by models. */
	enable_cap(k, KVM_CAP_ARM_WRITABLE_IMP_ID_REGS);
	err = bit_of(k->vm.attr.FEATURES, HV_FEATURE_MTE) ? enable_cap(k, KVM_CAP_ARM_MTE) : 0;
	if (err)
		return log_err(err, "--features=mte: KVM refuses memory tagging for this VM: %s; leave it out",
			       strerror(-err));
	return kvm_smccc_filter(k);
}

static int make_vcpus(struct kvm_vm *k)
{
	unsigned count = (unsigned)k->vm.attr.VCPU_COUNT[0];
	int err = 0;

	k->vcpus = calloc(count, sizeof(*k->vcpus));
	if (!k->vcpus)
		return -ENOMEM;
	for (; k->vcpu_count < count && !err; k->vcpu_count++)
		err = kvm_vcpu_setup(k, k->vcpu_count);
	return err;
}

static int (*const steps[])(struct kvm_vm *k) = {
	open_host, make_vm, enable_caps, kvm_gic_create, make_vcpus, kvm_gic_init, kvm_vcpu_pmu, kvm_counters_start,
};

static int kvm_finish(struct hv_vm *vm)
{
	struct kvm_vm *k = kvm_of(vm);
	int err = 0;

	undo_finish(k); /* of a finish that came to nothing */
	for (unsigned i = 0; i < ARRAY_SIZE(steps) && !err; i++)
		err = steps[i](k);
	if (err)
		undo_finish(k);
	return err;
}

static void kvm_destroy(struct hv_vm *vm)
{
	struct kvm_vm *k = kvm_of(vm);
	uint64_t decoded = atomic_load(&k->decoded);

	if (decoded)
		log_debug("KVM: %" PRIu64 " device accesses were executed by the software CPU", decoded);
	undo_finish(k);
	pthread_mutex_destroy(&k->lock);
	free(k);
}

/* ---- Memory ---- */

static const struct {
	uint32_t ours, kvm;
} mem_flags[] = {
	{ HV_MEM_READONLY, KVM_MEM_READONLY },
	{ HV_MEM_LOG_DIRTY, KVM_MEM_LOG_DIRTY_PAGES },
};

/* Flag by flag; one that has no row is refused. */
static int translate_flags(uint32_t flags, uint32_t *kvm)
{
	*kvm = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(mem_flags); i++) {
		if (flags & mem_flags[i].ours)
			*kvm |= mem_flags[i].kvm;
		flags &= ~mem_flags[i].ours;
	}
	return flags ? -EINVAL : 0;
}

static int set_region(struct kvm_vm *k, const struct kvm_userspace_memory_region *r)
{
	unsigned max = (unsigned)kvm_host_cap(k->fd, KVM_CAP_NR_MEMSLOTS);

	if (r->slot >= max)
		return log_err(-ENOSPC, "memory slot %u: KVM has %u; use fewer pieces of memory", r->slot, max);
	return kvm_call(k->fd, KVM_SET_USER_MEMORY_REGION, kvm_ptr(r));
}

static int kvm_mem_map(struct hv_vm *vm, const struct hv_mem *m)
{
	struct kvm_userspace_memory_region r = {
		.slot = m->slot,
		.guest_phys_addr = m->base.v,
		.memory_size = m->bytes,
		.userspace_addr = kvm_ptr(m->host),
	};

	if (m->arch_flags || translate_flags(m->flags, &r.flags))
		return -EINVAL;
	return set_region(kvm_of(vm), &r);
}

static int kvm_mem_unmap(struct hv_vm *vm, unsigned slot)
{
	return set_region(kvm_of(vm), &(const struct kvm_userspace_memory_region){ .slot = slot });
}

static int kvm_dirty_log(struct hv_vm *vm, unsigned slot, uint64_t *bitmap)
{
	struct kvm_dirty_log d = { .slot = slot, .dirty_bitmap = bitmap };

	return kvm_call(kvm_of(vm)->fd, KVM_GET_DIRTY_LOG, kvm_ptr(&d));
}

static const struct hv_ops kvm_ops = {
	.name = "kvm",
	.help = "Linux's hypervisor, on arm64 hosts",
	.rank = 10,
	.available = kvm_available,
	.attr_limit = kvm_attr_limit,
	.check_cap = kvm_check_cap,
	.create = kvm_create,
	.finish = kvm_finish,
	.destroy = kvm_destroy,
	.mem_map = kvm_mem_map,
	.mem_unmap = kvm_mem_unmap,
	.irq_line = kvm_irq_line,
	.vcpu_create = kvm_vcpu_create,
	.vcpu_destroy = kvm_vcpu_destroy,
	.vcpu_finalize = kvm_vcpu_finalize,
	.vcpu_run = kvm_vcpu_run,
	.vcpu_kick = kvm_vcpu_kick,
	.reg_list = kvm_reg_list,
	.reg_get = kvm_reg_get,
	.reg_set = kvm_reg_set,
	.dirty_log = kvm_dirty_log,
	.host_check = kvm_host_check,
	.irqfd = kvm_irqfd,
	.ioeventfd = kvm_ioeventfd,
};

HV_BACKEND(kvm, &kvm_ops);
