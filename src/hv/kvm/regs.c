/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Registers: ids are KVM's own, so most of this hands through. KVM says nothing about
 * scope; hv.c takes it from regs.def. Features have the same rules as everywhere because
 * all writes come through hv.c: it is there that PSCI_VERSION, which KVM would let change
 * under a running guest, is fixed by the first run, and that the one bitmap which KVM
 * starts at zero (VENDOR_HYP_BMAP_2: calls the VMM must answer itself, and we answer
 * none) has nothing that could be set.
 *
 * The counters are different. With KVM_CAP_COUNTER_OFFSET both move by one offset, and
 * KVM then ignores writes to them; without it each is written for itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/log.h>
#include <vmm/regs.h>

#include "kvm.h"

#define REG_CLIDR  REG_ID_SYS(REG_ENC(3, 1, 0, 0, 1))
#define REG_CNTPCT REG_ID_SYS(REG_ENC(3, 3, 14, 0, 1))
#define REG_CNTVCT REG_ID_SYS(REG_ENC(3, 3, 14, 3, 2)) /* KVM exchanged it with CNTV_CVAL, for ever */

int kvm_reg_read(struct kvm_vcpu *c, uint64_t id, void *value)
{
	struct kvm_one_reg r = { .id = id, .addr = kvm_ptr(value) };

	return kvm_call(c->fd, KVM_GET_ONE_REG, kvm_ptr(&r));
}

int kvm_reg_write(struct kvm_vcpu *c, uint64_t id, const void *value)
{
	struct kvm_one_reg r = { .id = id, .addr = kvm_ptr(value) };

	return kvm_call(c->fd, KVM_SET_ONE_REG, kvm_ptr(&r));
}

/* VM-scoped registers are reached through any vCPU. */
static struct kvm_vcpu *through(struct hv_vm *vm, struct hv_vcpu *vcpu)
{
	struct kvm_vcpu *c = vcpu ? kvm_vcpu_of(vcpu) : &kvm_of(vm)->vcpus[0];

	kvm_vcpu_complete(c);
	return c;
}

/*
 * Registers that are one state seen from two sides. KVM lists both, and until Linux 6.15 a
 * write to either does what the guest's write does: sets ones, or clears them. So the
 * second is not listed, and before the first is written all is cleared.
 */
static const struct twins {
	uint64_t set, clear;
} twins[] = {
	{ REG_ID_SYS(REG_ENC(3, 0, 9, 14, 1)), REG_ID_SYS(REG_ENC(3, 0, 9, 14, 2)) }, /* PMINTENSET, CLR */
	{ REG_ID_SYS(REG_ENC(3, 3, 9, 12, 1)), REG_ID_SYS(REG_ENC(3, 3, 9, 12, 2)) }, /* PMCNTENSET, CLR */
	{ REG_ID_SYS(REG_ENC(3, 3, 9, 14, 3)), REG_ID_SYS(REG_ENC(3, 3, 9, 12, 3)) }, /* PMOVSSET, CLR */
};

static bool is_second(uint64_t id)
{
	for (unsigned i = 0; i < ARRAY_SIZE(twins); i++)
		if (twins[i].clear == id)
			return true;
	return false;
}

static int clear_twin(struct kvm_vcpu *c, uint64_t id)
{
	const uint64_t all = UINT64_MAX;

	for (unsigned i = 0; i < ARRAY_SIZE(twins); i++)
		if (twins[i].set == id)
			return kvm_reg_write(c, twins[i].clear, &all);
	return 0;
}

int kvm_reg_list(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg *regs, unsigned *count)
{
	struct kvm_vcpu *c = through(vm, vcpu);
	struct kvm_reg_list size = { .n = 0 }, *list;
	unsigned room = *count;
	int err = kvm_call(c->fd, KVM_GET_REG_LIST, kvm_ptr(&size));

	if (err && err != -E2BIG)
		return err;
	if (room < size.n) {
		*count = (unsigned)size.n;
		return -E2BIG;
	}
	list = malloc(sizeof(*list) + size.n * sizeof(list->reg[0]));
	if (!list)
		return -ENOMEM;
	list->n = size.n;
	err = kvm_call(c->fd, KVM_GET_REG_LIST, kvm_ptr(list));
	*count = 0;
	for (unsigned i = 0; i < list->n && !err; i++)
		if (!is_second(list->reg[i]))
			regs[(*count)++] = (struct hv_reg){ .id = list->reg[i], .scope = HV_SCOPE_UNKNOWN };
	free(list);
	return err;
}

int kvm_reg_get(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, void *value)
{
	return kvm_reg_read(through(vm, vcpu), id, value);
}

/* ---- Counters ---- */

static int set_offset(struct kvm_vm *k, uint64_t offset)
{
	const struct uapi_counter_offset o = { .offset = offset };
	int err = kvm_call(k->fd, UAPI_ARM_SET_COUNTER_OFFSET, kvm_ptr(&o));

	if (!err)
		k->counter_offset = offset;
	return err;
}

/* Makes both counters read @value now. */
static int set_counters(struct kvm_vm *k, uint64_t value)
{
	uint64_t now;
	int err = kvm_reg_read(&k->vcpus[0], REG_CNTPCT, &now);

	return err ? err : set_offset(k, k->counter_offset + now - value);
}

/*
 * A counter that tells a guest how long its host has been up is neither the same twice nor its business.
 */
int kvm_counters_start(struct kvm_vm *k)
{
	int err;

	k->counter_offset = 0;
	k->has_counter_offset = kvm_host_cap(k->fd, KVM_CAP_COUNTER_OFFSET);
	if (!k->has_counter_offset)
		return 0;
	err = set_counters(k, 0);
	return err ? log_err(err, "KVM refuses to start the counters at 0: %s", strerror(-err)) : 0;
}

/* The shape of the caches is the VM's, but since Linux 6.3 each vCPU keeps its own. */
static bool is_of_caches(uint64_t id) { return reg_id_class(id) == REG_CLASS_CCSIDR || id == REG_CLIDR; }

static int write_to_all(struct kvm_vm *k, uint64_t id, const void *value)
{
	int err = 0;

	for (unsigned i = 0; i < k->vcpu_count && !err; i++)
		err = kvm_reg_write(&k->vcpus[i], id, value);
	return err;
}

int kvm_reg_set(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value)
{
	struct kvm_vcpu *c = through(vm, vcpu);
	uint64_t count;

	if (is_of_caches(id))
		return write_to_all(c->kvm, id, value);
	if ((id != REG_CNTPCT && id != REG_CNTVCT) || !c->kvm->has_counter_offset) {
		int err = clear_twin(c, id);

		return err ? err : kvm_reg_write(c, id, value);
	}
	memcpy(&count, value, sizeof(count));
	return set_counters(c->kvm, count);
}
