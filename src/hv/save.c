/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All registers of a VM, out and in. Values are opaque: nothing here knows what
 * a register means, only whether it is a feature.
 *
 * The guest must find after a restore what it had before, on a newer build as
 * well: features of which the saved state does not speak are turned off first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vmm/hv.h>
#include <vmm/log.h>
#include <vmm/text.h>

/* ---- Save ---- */

/* Names of what a reader must have: what these functions use, and what the VM was created to rely on. */
static void write_needs(const struct hv_vm *vm, struct hv_saved *s)
{
	uint64_t set = vm->attr.CAPS[0] | UINT64_C(1) << HV_CAP_REG_LIST | UINT64_C(1) << HV_CAP_SAVED_NEEDS;

	for (unsigned i = 0; i < 64; i++)
		if (set >> i & 1)
			text_add_item(s->needs, sizeof(s->needs), " ", "%s", hv_cap_name(i));
}

static int save_scope(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_saved *s)
{
	struct hv_saved_reg *grown = NULL;
	char name[HV_REG_TEXT_BYTES];
	struct hv_reg *regs;
	unsigned count;
	int err = hv_reg_list_new(vm, vcpu, &regs, &count);

	if (!err)
		grown = realloc(s->regs, (s->count + count + 1) * sizeof(*grown));
	if (grown)
		s->regs = grown;
	else if (!err)
		err = -ENOMEM;
	for (unsigned i = 0; i < count && !err; i++) {
		struct hv_saved_reg *out = &s->regs[s->count++];

		*out = (struct hv_saved_reg){ .id = regs[i].id,
					      .vcpu = vcpu ? (int32_t)vcpu->id : -1,
					      .bytes = hv_reg_bytes(regs[i].id) };
		err = hv_reg_get(vm, vcpu, out->id, out->value);
		if (err)
			log_err(err, "register %s cannot be saved", hv_reg_text(out->id, name, sizeof(name)));
	}
	free(regs);
	return err;
}

int hv_save(struct hv_vm *vm, struct hv_saved *s)
{
	int err;

	*s = (struct hv_saved){ .backend = vm->ops->name };
	write_needs(vm, s);
	hv_get_block(vm, &s->attr);
	err = save_scope(vm, NULL, s);
	for (unsigned i = 0; i < vm->attr.VCPU_COUNT[0] && !err; i++)
		if (vm->vcpus[i])
			err = save_scope(vm, vm->vcpus[i], s);
	if (!err)
		return 0;
	hv_saved_free(s);
	return log_err(err, "registers cannot be saved on hypervisor %s", vm->ops->name);
}

void hv_saved_free(struct hv_saved *s)
{
	free(s->regs);
	s->regs = NULL;
	s->count = 0;
}

/* ---- Restore ---- */

static bool has_cap(const struct hv_vm *vm, const char *name)
{
	for (unsigned i = 0; i < 64; i++)
		if (hv_cap_name(i) && !strcmp(hv_cap_name(i), name))
			return hv_cap(vm->ops, vm, i);
	return false;
}

static int check_needs(const struct hv_vm *vm, const struct hv_saved *s)
{
	char needs[sizeof(s->needs)], *save = NULL;

	snprintf(needs, sizeof(needs), "%s", s->needs);
	for (char *p = strtok_r(needs, " ", &save); p; p = strtok_r(NULL, " ", &save))
		if (!has_cap(vm, p))
			return log_err(-ENOTSUP,
				       "saved state needs capability %s, which hypervisor %s does not have here; "
				       "use a newer vmm or another host",
				       p, vm->ops->name);
	return 0;
}

static bool is_saved(const struct hv_saved *s, uint64_t id)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->regs[i].id == id)
			return true;
	return false;
}

/* What the writer had not heard of, the guest has never seen. */
static int turn_off(struct hv_vm *vm, const struct hv_reg *r)
{
	static const uint8_t zero[HV_REG_BYTES_MAX];
	char name[HV_REG_TEXT_BYTES];
	struct hv_why why = { 0 };
	int err = hv_reg_set_why(vm, NULL, r->id, zero, &why);

	if (err)
		return log_err(
			err,
			"saved state does not know %s, so it must read as zero here: %s; nothing was run; use a "
			"host without it",
			hv_reg_text(r->id, name, sizeof(name)), hv_why_end(&why));
	return 0;
}

static int turn_off_unknown(struct hv_vm *vm, const struct hv_saved *s)
{
	struct hv_reg *regs;
	unsigned count;
	int err = hv_reg_list_new(vm, NULL, &regs, &count);

	if (err)
		log_err(err, "registers cannot be restored on hypervisor %s", vm->ops->name);
	for (unsigned i = 0; i < count && !err; i++)
		if (regs[i].kind != HV_REG_PLAIN && !is_saved(s, regs[i].id))
			err = turn_off(vm, &regs[i]);
	free(regs);
	return err;
}

static int restore_reg(struct hv_vm *vm, const struct hv_saved_reg *r)
{
	struct hv_vcpu *vcpu = NULL;
	char name[HV_REG_TEXT_BYTES];
	struct hv_why why = { 0 };
	int err;

	if (r->vcpu >= 0) {
		vcpu = (uint64_t)r->vcpu < vm->attr.VCPU_COUNT[0] ? vm->vcpus[r->vcpu] : NULL;
		if (!vcpu)
			return log_err(-EINVAL, "saved state is of vCPU %d, which is not here", r->vcpu);
	}
	if (r->bytes != hv_reg_bytes(r->id))
		return log_err(-EINVAL, "saved register %s has %u bytes, not %u",
			       hv_reg_text(r->id, name, sizeof(name)), r->bytes, hv_reg_bytes(r->id));
	err = hv_reg_set_why(vm, vcpu, r->id, r->value, &why);
	if (err)
		return log_err(err, "saved state does not fit here: %s; nothing was run; use a host that has it",
			       hv_why_end(&why));
	return 0;
}

int hv_restore(struct hv_vm *vm, const struct hv_saved *s)
{
	int err;

	if (strcmp(s->backend, vm->ops->name))
		return log_err(-ENOTSUP, "state was saved on hypervisor %s; nobody has tested it on %s", s->backend,
			       vm->ops->name);
	if (atomic_load(&vm->ran))
		return log_err(-EBUSY, "state cannot be restored into a VM that has run");
	err = check_needs(vm, s);
	if (!err)
		err = turn_off_unknown(vm, s);
	for (unsigned i = 0; i < s->count && !err; i++)
		err = restore_reg(vm, &s->regs[i]);
	return err;
}
