/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CREATE_VM2 door: attribute blocks as they may come from a file, changes
 * to a half-created VM, and then the registers of the finished one.
 *
 *   u16 bytes of the block, the block, then operations
 */
#include <vmm/bus.h>
#include <vmm/hv.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#include "fuzz.h"

#define OPS_MAX         64
#define VCPUS_TO_FINISH 4 /* more take long to make, and are no different */
#define REGS_MAX        1024

static struct hv_env env;
static const struct hv_ops *ops;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	EXPECT(!hv_backend_find("soft", &ops));
	env = (struct hv_env){ .mem = mem_new(), .loop = loop_new() }; /* each VM has a bus of its own */
	EXPECT(env.mem && env.loop && !mem_add_ram(env.mem, "ram", gpa(GIB), 2 * MIB));
	fuzz_quiet();
	return 0;
}

/* All of @b is supported, so what the probe makes of it can be had. */
static void probe(const struct hv_block_buf *given)
{
	struct hv_block_buf b = *given;
	struct hv_vm *vm;

	if (hv_probe(ops, &b.block))
		return;
	hv_block_drop_absent(&b);
	EXPECT(!hv_block_check(&b, b.block.size));
	/* A payload cut short leaves out part of what is supported: still a subset, but not of lengths that need each
	 * other. */
	if (!hv_create_vm2(ops, &env, &b.block, &vm))
		hv_destroy(vm);
}

static void set_attr(struct hv_vm *vm, struct input *in)
{
	uint64_t payload[HV_ATTR_WORDS_MAX + 2], before[HV_ATTR_WORDS_MAX], after[HV_ATTR_WORDS_MAX];
	unsigned i = take_u8(in), words = take_u8(in) % (HV_ATTR_WORDS_MAX + 3);
	const struct hv_attr_info *info = hv_attr_at(i % 8);
	uint16_t type = info ? info->type : take_u16(in);
	int none = hv_get_attr(vm, type, before, HV_ATTR_WORDS_MAX);

	take(in, payload, words * sizeof(payload[0]));
	if (!hv_set_attr(vm, type, payload, words) || none)
		return;
	EXPECT(!hv_get_attr(vm, type, after, HV_ATTR_WORDS_MAX));
	EXPECT(!memcmp(before, after, sizeof(before)));
}

static struct hv_vcpu *vcpu_of(struct hv_vm *vm, unsigned id) { return vm->vcpus[id % vm->attr.VCPU_COUNT[0]]; }

static void reg_op(struct hv_vm *vm, struct input *in)
{
	static struct hv_reg regs[REGS_MAX];
	unsigned who = take_u8(in), op = take_u8(in), count = REGS_MAX;
	struct hv_vcpu *c = who & 0x80 ? NULL : vcpu_of(vm, who);
	uint8_t value[HV_REG_BYTES_MAX];
	uint64_t id;

	if (hv_reg_list(vm, c, regs, &count) || !count)
		return;
	id = op & 1 ? regs[take_u16(in) % count].id : take_u64(in);
	if (op & 2) {
		take(in, value, hv_reg_bytes(id));
		hv_reg_set(vm, c, id, value);
	}
	hv_reg_get(vm, c, id, value);
}

static void finished(struct hv_vm *vm, struct input *in)
{
	struct hv_saved saved;
	struct hv_vcpu *c;

	for (unsigned i = 0; i < vm->attr.VCPU_COUNT[0]; i++)
		EXPECT(!hv_vcpu_create(vm, i, &c) && !hv_vcpu_finalize(c));
	for (unsigned n = 0; in->left && n < OPS_MAX; n++)
		reg_op(vm, in);
	EXPECT(!hv_save(vm, &saved));
	EXPECT(!hv_restore(vm, &saved));
	hv_saved_free(&saved);
}

/* What a VM says of itself makes the same VM. */
static void again(struct hv_vm *vm)
{
	struct hv_block_buf b;
	struct hv_vm *other;

	hv_get_block(vm, &b);
	EXPECT(!hv_create_vm2(ops, &env, &b.block, &other));
	EXPECT(!memcmp(&vm->attr, &other->attr, sizeof(vm->attr)));
	hv_destroy(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct hv_block_buf b = { 0 };
	unsigned len = take_u16(&in) % (sizeof(b) + 1);
	struct hv_vm *vm;

	take(&in, &b, len);
	if (hv_block_check(&b, len))
		return 0;
	probe(&b);
	env.bus = bus_new();
	if (hv_create_vm2(ops, &env, &b.block, &vm)) {
		bus_free(env.bus);
		return 0;
	}
	for (unsigned n = take_u8(&in) % OPS_MAX; n; n--)
		set_attr(vm, &in);
	again(vm);
	if (vm->attr.VCPU_COUNT[0] <= VCPUS_TO_FINISH && !hv_finish(vm))
		finished(vm, &in);
	hv_destroy(vm);
	bus_free(env.bus);
	return 0;
}
