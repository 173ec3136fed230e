/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requirements of the hypervisor interface, by number. A: the creation
 * block. B: probe. C: half-created VM and finish. D: capabilities. E: features
 * as registers. G: register list. I: several hypervisors. F, rollback, is in
 * save.c and model.c; what only a look at the source can tell in tests/lint/interface.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <vmm/bus.h>
#include <vmm/cpu.h>
#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/loop.h>
#include <vmm/mem.h>
#include <vmm/regs.h>

#include "fake-hv.h"

/* A backend of other hosts: all it has is its reason. It would be the best. */
static int nowhere_available(char *why, size_t bytes)
{
	snprintf(why, bytes, "this is not the place");
	return -ENODEV;
}

static const struct hv_ops nowhere_ops = {
	.name = "nowhere",
	.help = "for tests",
	.rank = 99,
	.available = nowhere_available,
};

HV_BACKEND(nowhere, &nowhere_ops);

static void an_unavailable_backend_is_known_but_never_taken(void **state)
{
	const struct hv_ops *ops = NULL;
	struct hv_check check;
	struct said s;
	int err;

	(void)state;
	assert_ptr_equal(hv_backend_at(0), &nowhere_ops);
	said_begin(&s);
	err = hv_backend_find("nowhere", &ops);
	assert_says(&s, "--hv=nowhere: not available here: this is not the place; use --hv=auto");
	assert_int_equal(err, -ENODEV);
	assert_null(ops);
	assert_int_equal(hv_backend_named("nowhere", &ops), 0);
	assert_ptr_equal(ops, &nowhere_ops);
	assert_int_equal(hv_host_check(ops, 0, &check), -ENOENT);
	assert_int_equal(hv_backend_find(NULL, &ops), 0);
	assert_ptr_not_equal(ops, &nowhere_ops);
	said_begin(&s);
	err = hv_backend_named("auto", &ops);
	assert_says(&s, "--hv=auto: no such hypervisor");
	assert_int_equal(err, -ENOENT);
}

/* ---- A ---- */

static void A1_values_come_in_a_block_not_in_spare_bits(void **state)
{
	(void)state;
	/* The whole signature: backend, what it borrows, the block, the result; no flags, no scalar type. */
	int (*f)(const struct hv_ops *, const struct hv_env *, const struct hv_block *, struct hv_vm **) =
		hv_create_vm2;

	assert_non_null(f);
	assert_int_equal(sizeof(struct hv_block), 8);
}

static void A2_a_walk_never_leaves_the_block(void **state)
{
	uint64_t seed = 1;
	struct said s;

	(void)state;
	said_begin(&s);
	for (unsigned round = 0; round < 200000; round++) {
		size_t words = 1 + round % 40, bytes = words * 8;
		uint64_t *p = malloc(bytes); /* exactly, so that ASan sees the byte behind */
		struct hv_attr *a = NULL;

		for (size_t i = 0; i < words; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			p[i] = seed >> 33 & (round % 3 ? 0x3f : 0xffff) & ~UINT64_C(7);
			if (round % 5)
				p[i] = (p[i] & 0x3f) << 16 | (seed >> 60);
		}
		((struct hv_block *)p)->size = (uint32_t)(round % 7 ? bytes : seed >> 50);
		((struct hv_block *)p)->reserved = 0;
		if (!hv_block_check(p, bytes))
			while ((a = hv_block_next((struct hv_block *)p, a)))
				assert_true((char *)a + a->size <= (char *)p + bytes && a->size >= sizeof(*a));
		free(p);
	}
	said_end(&s);
}

static void A2_sizes_that_are_wrong_are_refused(void **state)
{
	static const struct {
		uint32_t block;
		uint16_t attr;
	} row[] = {
		{ 24, 0 },          { 24, 4 }, { 24, 7 }, { 24, 12 }, { 24, 24 }, { 24, 0xfff8 },
		{ 0, 16 },          { 4, 16 }, { 12, 8 }, { 23, 16 }, { 28, 16 }, { HV_BLOCK_BYTES_MAX + 8, 16 },
		{ UINT32_MAX, 16 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		struct hv_block_buf b = block_of(HV_ATTR_IPA_BITS, 40);

		b.block.size = row[i].block;
		((struct hv_attr *)(void *)(&b.block + 1))->size = row[i].attr;
		assert_int_equal(hv_block_check(&b, sizeof(b)), -EINVAL);
		assert_int_equal(try_create(backend(1), &b.block), -EINVAL);
	}
}

static void A3_a_longer_attribute_is_accepted_only_if_its_tail_is_zero(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		uint64_t longer[4] = { 36, 0, 0, 0 };
		struct hv_env env = new_env();
		struct hv_block_buf b;
		struct hv_vm *vm;

		hv_block_init(&b);
		hv_block_add(&b, HV_ATTR_IPA_BITS, longer, 4);
		vm = create(backend(i), &env, &b.block);
		assert_int_equal(get1(vm, HV_ATTR_IPA_BITS), 36);
		hv_destroy(vm);
		free_env(&env);
		longer[3] = 1;
		hv_block_init(&b);
		hv_block_add(&b, HV_ATTR_IPA_BITS, longer, 4);
		assert_int_equal(try_create(backend(i), &b.block), -EINVAL);
	}
}

static void A3_a_shorter_attribute_is_extended_with_zeroes(void **state)
{
	uint64_t vls[HV_SVE_VLS_WORDS] = { 0 }, none = 0;
	struct hv_env env = new_env();
	struct hv_vm *vm = create(backend(1), &env, NULL);

	(void)state;
	assert_int_equal(set1(vm, HV_ATTR_SVE_VLS, 3), 0);
	assert_int_equal(hv_get_attr(vm, HV_ATTR_SVE_VLS, vls, HV_SVE_VLS_WORDS), 0);
	assert_int_equal(vls[0], 3);
	for (unsigned i = 1; i < HV_SVE_VLS_WORDS; i++)
		assert_int_equal(vls[i], 0);
	/* No words at all: zero, which is too little here, not the default. */
	assert_int_equal(hv_set_attr(vm, HV_ATTR_IPA_BITS, &none, 0), -EINVAL);
	assert_int_equal(get1(vm, HV_ATTR_IPA_BITS), 40);
	hv_destroy(vm);
	free_env(&env);
}

static void A4_an_unknown_type_is_refused_and_named_with_its_index(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_block_buf b = block_of(HV_ATTR_IPA_BITS, 40);
		const struct hv_ops *ops = backend(i);
		struct said s;
		int err;

		add(&b, 0x7fff, 0);
		said_begin(&s);
		err = try_create(ops, &b.block);
		assert_says(&s, "type 0x7fff of attribute number 1");
		assert_int_equal(err, -EINVAL);
	}
}

static void A5_every_bit_of_a_reserved_field_is_refused(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 32; bit++) {
		struct hv_block_buf b = block_of(HV_ATTR_IPA_BITS, 40);
		struct hv_attr *a = hv_block_next(&b.block, NULL);

		b.block.reserved = UINT32_C(1) << bit;
		assert_int_equal(try_create(backend(1), &b.block), -EINVAL);
		assert_int_equal(hv_probe(backend(1), &b.block), -EINVAL);
		b.block.reserved = 0;
		a->reserved = UINT32_C(1) << bit;
		assert_int_equal(try_create(backend(1), &b.block), -EINVAL);
		a->reserved = 0;
		assert_int_equal(try_create(backend(1), &b.block), 0);
	}
}

static void A6_the_same_type_twice_is_refused(void **state)
{
	struct hv_block_buf b = block_of(HV_ATTR_IPA_BITS, 40);

	(void)state;
	add(&b, HV_ATTR_PAUTH, 0);
	add(&b, HV_ATTR_IPA_BITS, 40);
	for (unsigned i = 0; i < BACKENDS; i++) {
		assert_int_equal(try_create(backend(i), &b.block), -EINVAL);
		assert_int_equal(hv_probe(backend(i), &b.block), -EINVAL);
	}
}

static void A7_generic_and_architecture_types_have_ranges_of_their_own(void **state)
{
	static const uint16_t generic[] = { HV_ATTR_VCPU_COUNT, HV_ATTR_CAPS, HV_ATTR_MODEL };
	static const uint16_t arch[] = { HV_ATTR_IPA_BITS, HV_ATTR_SVE_VLS, HV_ATTR_GIC,
					 HV_ATTR_PAUTH,    HV_ATTR_PMU,     HV_ATTR_FEATURES };
	unsigned count = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(generic); i++)
		assert_true(generic[i] < HV_ATTR_ARCH);
	for (unsigned i = 0; i < ARRAY_SIZE(arch); i++)
		assert_true(arch[i] > HV_ATTR_ARCH && arch[i] < 0x8000);
	for (; hv_attr_at(count); count++)
		for (unsigned k = 0; k < count; k++)
			assert_int_not_equal(hv_attr_at(k)->type, hv_attr_at(count)->type);
	/* A new row belongs to one of the lists above. */
	assert_int_equal(count, ARRAY_SIZE(generic) + ARRAY_SIZE(arch));
}

static void A8_ipa_size_vector_lengths_and_capabilities_round_trip(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		const struct hv_ops *ops = backend(i);
		uint64_t vls = i ? 0xb : 0, caps = UINT64_C(1) << HV_CAP_REG_LIST | UINT64_C(1) << HV_CAP_VM_RESET;
		struct hv_env env = new_env();
		struct hv_block_buf b = block_of(HV_ATTR_IPA_BITS, 44), out;
		struct hv_vm *vm, *again;

		add(&b, HV_ATTR_SVE_VLS, vls);
		add(&b, HV_ATTR_CAPS, caps);
		vm = create(ops, &env, &b.block);
		assert_int_equal(get1(vm, HV_ATTR_IPA_BITS), 44);
		assert_int_equal(get1(vm, HV_ATTR_SVE_VLS), vls);
		assert_int_equal(get1(vm, HV_ATTR_CAPS), caps);
		/* And the block read back makes the same VM. */
		hv_get_block(vm, &out);
		again = create(ops, &env, &out.block);
		assert_memory_equal(&vm->attr, &again->attr, sizeof(vm->attr));
		hv_destroy(again);
		hv_destroy(vm);
		free_env(&env);
	}
}

static void A9_capabilities_are_bits_of_one_attribute(void **state)
{
	struct hv_block_buf b = block_of(HV_ATTR_CAPS, UINT64_C(1) << HV_CAP_DIRTY_LOG);
	const struct hv_ops *soft = backend(0);
	struct said s;
	int err;

	(void)state;
	assert_int_equal(try_create(backend(1), &b.block), 0);
	said_begin(&s);
	err = try_create(soft, &b.block);
	assert_says(&s, "dirty-log");
	assert_int_equal(err, -EINVAL);
}

static void A10_an_absent_attribute_has_its_documented_default_everywhere(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = create(backend(i), &env, NULL);

		assert_int_equal(get1(vm, HV_ATTR_VCPU_COUNT), 1);
		assert_int_equal(get1(vm, HV_ATTR_CAPS), 0);
		assert_int_equal(get1(vm, HV_ATTR_MODEL), 63);
		assert_int_equal(get1(vm, HV_ATTR_IPA_BITS), 40);
		assert_int_equal(get1(vm, HV_ATTR_SVE_VLS), 0);
		assert_int_equal(get1(vm, HV_ATTR_GIC), 3);
		assert_int_equal(get1(vm, HV_ATTR_PAUTH), 0);
		assert_int_equal(get1(vm, HV_ATTR_PMU), 0);
		hv_destroy(vm);
		free_env(&env);
	}
}

static void A10_the_maximum_is_given_when_asked_for(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		const struct hv_ops *ops = backend(i);
		struct hv_env env = new_env();
		struct hv_vm *vm = create(ops, &env, NULL);
		struct hv_block_buf probe = block_of(HV_ATTR_IPA_BITS, 0);

		assert_int_equal(hv_probe(ops, &probe.block), 0);
		assert_int_equal(set1(vm, HV_ATTR_IPA_BITS, HV_ATTR_MAX), 0);
		assert_int_equal(get1(vm, HV_ATTR_IPA_BITS), hv_block_next(&probe.block, NULL)->payload[0]);
		/* The most of nothing is refused, not silently nothing. */
		assert_int_equal(set1(vm, HV_ATTR_SVE_VLS, HV_ATTR_MAX), i ? 0 : -EINVAL);
		assert_int_equal(get1(vm, HV_ATTR_SVE_VLS), i ? 0xb : 0);
		hv_destroy(vm);
		free_env(&env);
	}
}

static void A10_nothing_is_rounded(void **state)
{
	static const struct {
		uint16_t type;
		uint64_t value;
	} bad[] = {
		{ HV_ATTR_IPA_BITS, 31 },  { HV_ATTR_IPA_BITS, 53 },   { HV_ATTR_IPA_BITS, 0 },
		{ HV_ATTR_VCPU_COUNT, 0 }, { HV_ATTR_VCPU_COUNT, 65 }, { HV_ATTR_GIC, 1 },
		{ HV_ATTR_GIC, 4 },        { HV_ATTR_GIC, 64 },        { HV_ATTR_PAUTH, 2 },
		{ HV_ATTR_SVE_VLS, 4 },    { HV_ATTR_SVE_VLS, 0xa },   { HV_ATTR_MODEL, 0 },
		{ HV_ATTR_MODEL, 62 },     { HV_ATTR_CAPS, 1 },        { HV_ATTR_CAPS, UINT64_C(1) << 63 },
	};
	struct hv_env env = new_env();
	struct hv_vm *vm = create(backend(1), &env, NULL);
	struct hv_values before = vm->attr;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(set1(vm, bad[i].type, bad[i].value), -EINVAL);
		assert_memory_equal(&vm->attr, &before, sizeof(before));
	}
	hv_destroy(vm);
	free_env(&env);
}

static void A10_a_default_the_host_lacks_is_replaced_by_its_best_and_said(void **state)
{
	const struct hv_ops *ops = backend(1);
	struct hv_env env = new_env();
	struct hv_block_buf b;
	const char *text;
	struct hv_vm *vm;
	struct said s;

	(void)state;
	/* Everything is there: nothing is added, nothing is said. */
	hv_block_init(&b);
	said_begin(&s);
	assert_int_equal(hv_fit_defaults(ops, &b), 0);
	assert_string_equal(said_end(&s), "");
	assert_int_equal(b.block.size, sizeof(b.block));

	fake.gics = 1 << 2;
	fake.ipa_max = 36;
	said_begin(&s);
	assert_int_equal(hv_fit_defaults(ops, &b), 0);
	text = said_end(&s);
	assert_non_null(strstr(text, "--gic=2 is taken: hypervisor fake does not have the default here, which is 3"));
	assert_non_null(
		strstr(text, "--ipa-bits=36 is taken: hypervisor fake does not have the default here, which is 40"));
	vm = finished(ops, &env, &b.block);
	assert_int_equal(get1(vm, HV_ATTR_GIC), 2);
	assert_int_equal(get1(vm, HV_ATTR_IPA_BITS), 36);
	assert_int_equal(get1(vm, HV_ATTR_VCPU_COUNT), 1);
	hv_destroy(vm);

	/* What was given is never changed, right or wrong. */
	b = block_of(HV_ATTR_GIC, 3);
	add(&b, HV_ATTR_IPA_BITS, 32);
	said_begin(&s);
	assert_int_equal(hv_fit_defaults(ops, &b), 0);
	assert_string_equal(said_end(&s), "");
	said_begin(&s);
	assert_int_equal(try_create(ops, &b.block), -EINVAL);
	assert_says(&s, "--gic=3: hypervisor fake has version 2; use that");
	free_env(&env);
}

/* ---- B ---- */

static struct hv_block_buf block_of_all(void)
{
	uint64_t zero[HV_ATTR_WORDS_MAX] = { 0 };
	const struct hv_attr_info *a;
	struct hv_block_buf b;

	hv_block_init(&b);
	for (unsigned i = 0; (a = hv_attr_at(i)); i++)
		assert_int_equal(hv_block_add(&b, a->type, zero, a->words), 0);
	return b;
}

static void B1_creation_takes_what_probe_wrote_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_block_buf b = block_of_all();
		const struct hv_ops *ops = backend(i);
		struct hv_env env = new_env();

		assert_int_equal(hv_probe(ops, &b.block), 0);
		hv_destroy(finished(ops, &env, &b.block));
		free_env(&env);
	}
}

static void B2_answers_are_numbers_and_sets(void **state)
{
	struct hv_block_buf b = block_of_all();

	(void)state;
	assert_int_equal(hv_probe(backend(1), &b.block), 0);
	for (struct hv_attr *a = hv_block_next(&b.block, NULL); a; a = hv_block_next(&b.block, a)) {
		if (a->type == HV_ATTR_IPA_BITS)
			assert_int_equal(a->payload[0], 52);
		if (a->type == HV_ATTR_SVE_VLS)
			assert_int_equal(a->payload[0], 0xb);
		if (a->type == HV_ATTR_GIC)
			assert_int_equal(a->payload[0], 3);
		if (a->type == HV_ATTR_MODEL)
			assert_int_equal(a->payload[0], 63);
	}
}

static void B3_probe_has_no_side_effects_at_any_time(void **state)
{
	struct hv_env env = new_env();

	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		const struct hv_ops *ops = backend(i);
		struct hv_block_buf first = block_of_all(), b;
		struct hv_vm *vm = create(ops, &env, NULL);
		struct hv_values before = vm->attr;
		unsigned files = open_files(), creates = fake.creates;

		assert_int_equal(hv_probe(ops, &first.block), 0);
		for (unsigned k = 0; k < 1000; k++) {
			b = block_of_all();
			assert_int_equal(hv_probe(ops, &b.block), 0);
			assert_memory_equal(&b, &first, sizeof(b));
		}
		assert_int_equal(open_files(), files);
		assert_int_equal(fake.creates, creates);
		assert_memory_equal(&vm->attr, &before, sizeof(before));
		hv_destroy(vm);
	}
	free_env(&env);
}

static void B4_there_is_one_probe(void **state)
{
	(void)state;
	/* For all attributes, including CAPS, in one call; no operation of the backend's is named after an attribute.
	 */
	struct hv_block_buf b = block_of_all();

	assert_int_equal(hv_probe(backend(0), &b.block), 0);
	for (struct hv_attr *a = hv_block_next(&b.block, NULL); a; a = hv_block_next(&b.block, a))
		assert_int_equal(a->reserved, 0);
}

static void B5_probe_marks_what_is_absent_and_fills_the_rest(void **state)
{
	struct hv_block_buf b = block_of(0x7ffe, 0x1234);
	const struct hv_ops *ops = backend(1);
	struct hv_attr *a;

	(void)state;
	fake.has_pmu = false;
	add(&b, HV_ATTR_IPA_BITS, 0);
	add(&b, HV_ATTR_PMU, 1);
	assert_int_equal(hv_probe(ops, &b.block), 0);
	a = hv_block_next(&b.block, NULL);
	assert_int_equal(a->reserved, HV_ATTR_ABSENT);
	a = hv_block_next(&b.block, a);
	assert_int_equal(a->reserved, 0);
	assert_int_equal(a->payload[0], 52);
	a = hv_block_next(&b.block, a);
	assert_int_equal(a->reserved, HV_ATTR_ABSENT);
	hv_block_drop_absent(&b);
	a = hv_block_next(&b.block, NULL);
	assert_int_equal(a->type, HV_ATTR_IPA_BITS);
	assert_null(hv_block_next(&b.block, a));
	assert_int_equal(try_create(ops, &b.block), 0);
}

static void B6_after_a_refusal_the_caller_may_choose_another_value(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = create(backend(1), &env, NULL);

	(void)state;
	assert_int_equal(set1(vm, HV_ATTR_SVE_VLS, 0x80), -EINVAL);
	assert_int_equal(set1(vm, HV_ATTR_SVE_VLS, 0x3), 0);
	assert_int_equal(set1(vm, HV_ATTR_SVE_VLS, 0x1), 0);
	assert_int_equal(hv_finish(vm), 0);
	assert_int_equal(get1(vm, HV_ATTR_SVE_VLS), 1);
	hv_destroy(vm);
	free_env(&env);
}

static void B7_one_round_of_probe_choose_set_is_enough(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_block_buf b = block_of_all();
		const struct hv_ops *ops = backend(i);
		struct hv_env env = new_env();
		struct hv_vm *vm = create(ops, &env, NULL);

		assert_int_equal(hv_probe(ops, &b.block), 0);
		for (struct hv_attr *a = hv_block_next(&b.block, NULL); a; a = hv_block_next(&b.block, a))
			assert_int_equal(hv_set_attr(vm, a->type, a->payload, (a->size - 8u) / 8), 0);
		assert_int_equal(hv_finish(vm), 0);
		hv_destroy(vm);
		free_env(&env);
	}
}

/* ---- C ---- */

static void C1_a_half_created_vm_takes_only_configuration(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = create(backend(i), &env, NULL);
		struct hv_mem m = { .base = gpa(0x40000000),
				    .host = mem_ptr(env.mem, gpa(0x40000000), 1),
				    .bytes = 4 * MIB };
		struct hv_reg regs[1];
		unsigned count = 1;
		uint64_t v = 0;
		struct hv_saved saved;

		assert_int_equal(hv_mem_map(vm, &m), -EPERM);
		assert_int_equal(hv_mem_unmap(vm, 0), -EPERM);
		assert_int_equal(hv_irq_line(vm, 1, true), -EPERM);
		assert_int_equal(hv_vm_reset(vm), -EPERM);
		assert_int_equal(hv_dirty_log(vm, 0, &v), -EPERM);
		assert_int_equal(hv_reg_list(vm, NULL, regs, &count), -EPERM);
		assert_int_equal(hv_reg_get(vm, NULL, FAKE_X0, &v), -EPERM);
		assert_int_equal(hv_reg_set(vm, NULL, FAKE_X0, &v), -EPERM);
		assert_int_equal(hv_negotiate(vm, FAKE_X0, 0, 0, NULL), -EPERM);
		assert_int_equal(hv_save(vm, &saved), -EPERM);
		assert_int_equal(set1(vm, HV_ATTR_IPA_BITS, 36), 0);
		hv_destroy(vm);
		free_env(&env);
	}
}

static void C2_finish_happens_once_and_ends_configuration(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = finished(backend(i), &env, NULL);

		assert_int_equal(hv_finish(vm), -EBUSY);
		assert_int_equal(set1(vm, HV_ATTR_IPA_BITS, 36), -EBUSY);
		assert_int_equal(get1(vm, HV_ATTR_IPA_BITS), 40);
		hv_destroy(vm);
		free_env(&env);
	}
}

static void C3_vcpus_come_after_finish(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = create(backend(i), &env, NULL);
		struct hv_vcpu *c;

		assert_int_equal(hv_vcpu_create(vm, 0, &c), -EPERM);
		assert_null(c);
		assert_int_equal(hv_finish(vm), 0);
		assert_int_equal(hv_vcpu_create(vm, 0, &c), 0);
		assert_int_equal(hv_vcpu_create(vm, 0, &c), -EEXIST);
		assert_int_equal(hv_vcpu_create(vm, 1, &c), -EINVAL);
		hv_destroy(vm);
		free_env(&env);
	}
	assert_int_equal(fake.vcpus, 0);
}

static void C4_any_order_of_settings_makes_the_same_vm(void **state)
{
	static const struct {
		uint16_t type;
		uint64_t value;
	} set[5] = {
		{ HV_ATTR_VCPU_COUNT, 2 }, { HV_ATTR_IPA_BITS, 42 }, { HV_ATTR_GIC, 3 },
		{ HV_ATTR_PAUTH, 1 },      { HV_ATTR_SVE_VLS, 0 },
	};
	struct hv_values first;

	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		const struct hv_ops *ops = backend(i);

		for (unsigned n = 0; n < 120; n++) {
			struct hv_env env = new_env();
			struct hv_vm *vm = create(ops, &env, NULL);
			unsigned left = 0x1f, code = n;

			for (unsigned k = 5; k; k--) {
				unsigned pick = code % k, at = 0;

				code /= k;
				for (;; at++)
					if (left >> at & 1 && !pick--)
						break;
				left &= ~(1u << at);
				assert_int_equal(set1(vm, set[at].type, set[at].value), 0);
			}
			assert_int_equal(hv_finish(vm), 0);
			if (!n)
				first = vm->attr;
			assert_memory_equal(&vm->attr, &first, sizeof(first));
			hv_destroy(vm);
			free_env(&env);
		}
	}
}

static void C5_conflicts_between_attributes_are_found_at_finish_and_both_named(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = create(backend(1), &env, NULL);
	struct said s;
	int err;

	(void)state;
	assert_int_equal(set1(vm, HV_ATTR_GIC, 2), 0);
	assert_int_equal(set1(vm, HV_ATTR_VCPU_COUNT, 9), 0);
	said_begin(&s);
	err = hv_finish(vm);
	said_end(&s);
	assert_int_equal(err, -EINVAL);
	assert_non_null(strstr(s.text, "--gic=2"));
	assert_non_null(strstr(s.text, "--cpus=9"));
	hv_destroy(vm);
	free_env(&env);
}

static void C6_a_finish_that_fails_leaves_the_vm_changeable(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = create(backend(1), &env, NULL);

	(void)state;
	assert_int_equal(set1(vm, HV_ATTR_GIC, 2), 0);
	assert_int_equal(set1(vm, HV_ATTR_VCPU_COUNT, 9), 0);
	assert_int_equal(hv_finish(vm), -EINVAL);
	assert_int_equal(set1(vm, HV_ATTR_VCPU_COUNT, 8), 0);
	/* The backend's own refusal, too. */
	fake.finish_error = -ENOMEM;
	assert_int_equal(hv_finish(vm), -ENOMEM);
	fake.finish_error = 0;
	assert_int_equal(set1(vm, HV_ATTR_IPA_BITS, 33), 0);
	assert_int_equal(hv_finish(vm), 0);
	assert_int_equal(get1(vm, HV_ATTR_IPA_BITS), 33);
	hv_destroy(vm);
	free_env(&env);
}

static void C7_a_vcpu_is_configured_finalized_run_in_this_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = finished(backend(i), &env, NULL);
		struct hv_exit e;
		struct hv_vcpu *c;
		uint64_t v;

		assert_int_equal(hv_vcpu_create(vm, 0, &c), 0);
		assert_int_equal(hv_vcpu_run(c, &e), -EPERM);
		assert_int_equal(hv_reg_get(vm, c, FAKE_X0, &v), -EPERM);
		assert_int_equal(hv_vcpu_finalize(c), 0);
		assert_int_equal(hv_vcpu_finalize(c), -EBUSY);
		assert_int_equal(hv_reg_get(vm, c, FAKE_X0, &v), 0);
		hv_vcpu_kick(c);
		assert_int_equal(hv_vcpu_run(c, &e), 0);
		assert_int_equal(e.reason, HV_EXIT_KICKED);
		hv_destroy(vm);
		free_env(&env);
	}
}

static void C8_a_property_has_one_route(void **state)
{
	(void)state;
	/* The backend learns values at finish only: create gets none, and there is no operation to set one. */
	int (*op)(const struct hv_env *, struct hv_vm **) = fake_ops.create;

	assert_non_null(op);
}

/* ---- D ---- */

static void D2_D9_every_capability_says_what_it_means(void **state)
{
	static const struct {
		uint32_t id;
		const char *text;
	} row[] = {
#define CAP(id, NAME, name, op, text) { id, text },
#include <vmm/cap.def>
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
		assert_true(strlen(row[i].text) > 10);
		assert_non_null(hv_cap_name(row[i].id));
	}
	/* D9: the table itself says that the interface may change. */
	assert_non_null(strstr(row[0].text, "may still change"));
}

static void D4_any_combination_of_capabilities_works(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (unsigned round = 0; round < 500; round++) {
		const struct hv_ops *ops = round % 2 ? &fake_ops : &fake_bare_ops;
		struct hv_env env = new_env();
		struct hv_saved saved;
		struct hv_vm *vm;
		uint64_t bitmap;
		struct hv_exit e;

		fake_reset();
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		fake.caps = seed >> 30;
		vm = finished(ops, &env, NULL);
		hv_vcpu_run(new_vcpu(vm, 0), &e);
		assert_int_equal(hv_dirty_log(vm, 0, &bitmap), hv_cap(ops, vm, HV_CAP_DIRTY_LOG) ? 0 : -ENOTSUP);
		assert_int_equal(hv_vm_reset(vm), hv_cap(ops, vm, HV_CAP_VM_RESET) ? 0 : -ENOTSUP);
		assert_int_equal(hv_save(vm, &saved), hv_cap(ops, vm, HV_CAP_REG_LIST) ? 0 : -ENOTSUP);
		assert_int_equal(hv_vcpu_insn_count(vm->vcpus[0]), hv_cap(ops, vm, HV_CAP_INSN_COUNT) ? 42 : 0);
		hv_saved_free(&saved);
		hv_destroy(vm);
		free_env(&env);
	}
}

static void D4_a_capability_without_its_operation_is_absent_whatever_the_backend_says(void **state)
{
	(void)state;
	fake_reset();
	assert_int_equal(hv_cap(&fake_bare_ops, NULL, HV_CAP_DIRTY_LOG), 0);
	assert_int_equal(hv_cap(&fake_bare_ops, NULL, HV_CAP_REG_LIST), 0);
	assert_int_equal(hv_cap(&fake_bare_ops, NULL, HV_CAP_SVE), 0);
	assert_int_equal(hv_cap(&fake_bare_ops, NULL, HV_CAP_VM_RESET), 0);
	assert_int_equal(hv_cap(&fake_bare_ops, NULL, HV_CAP_VCPU_COUNT_MAX), 1);
	assert_int_equal(hv_cap(&fake_ops, NULL, HV_CAP_DIRTY_LOG), 1);
}

static void D5_an_unknown_capability_is_absent_not_an_error(void **state)
{
	static const uint32_t unknown[] = { 0, 63, 64, 1000, INT32_MAX, UINT32_MAX };

	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++)
		for (unsigned k = 0; k < ARRAY_SIZE(unknown); k++)
			assert_int_equal(hv_cap(backend(i), NULL, unknown[k]), 0);
	assert_int_equal(hv_cap(backend(0), NULL, HV_CAP_IPA_BITS_MAX), 48);
}

static void D6_numbers_are_never_reused(void **state)
{
	/* Append only. A line that changes here breaks somebody's snapshot. */
	static const struct {
		uint32_t id;
		const char *name;
	} golden_caps[] = {
		{ 1, "core-api-stable" },
		{ 2, "vcpu-count-max" },
		{ 3, "ipa-bits-max" },
		{ 4, "reg-list" },
		{ 5, "mem-readonly" },
		{ 6, "dirty-log" },
		{ 7, "sve" },
		{ 8, "vm-reset" },
		{ 9, "insn-count" },
		{ 10, "model" },
		{ 11, "saved-needs" },
		{ 12, "host-checks" },
		{ 13, "irqfd" },
		{ 14, "ioeventfd" },
		{ 15, "mmio-decode" },
		{ 16, "mte" },
		{ 17, "jit" },
		{ 18, "translator" },
		{ 19, "mem-own" },
	};
	static const struct {
		uint16_t id;
		const char *name;
	} golden_attrs[] = {
		{ 0x0001, "vcpu-count" }, { 0x0002, "caps" },    { 0x0003, "model" },
		{ 0x4001, "ipa-bits" },   { 0x4002, "sve-vls" }, { 0x4003, "gic" },
		{ 0x4004, "pauth" },      { 0x4005, "pmu" },     { 0x4006, "features" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(golden_caps); i++)
		assert_string_equal(hv_cap_name(golden_caps[i].id), golden_caps[i].name);
	for (unsigned i = 0; i < ARRAY_SIZE(golden_attrs); i++)
		assert_string_equal(hv_attr_info(golden_attrs[i].id)->name, golden_attrs[i].name);
	/* Whoever appends a row adds it above. */
	for (uint32_t id = ARRAY_SIZE(golden_caps) + 1; id < 64; id++)
		assert_null(hv_cap_name(id));
	assert_null(hv_attr_at(ARRAY_SIZE(golden_attrs)));
}

static void D8_core_api_stable_is_reserved_and_reads_zero(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++)
		assert_int_equal(hv_cap(backend(i), NULL, HV_CAP_CORE_API_STABLE), 0);
	assert_int_equal(HV_CAP_CORE_API_STABLE, 1);
	assert_true(fake_ops.check_cap(NULL, HV_CAP_CORE_API_STABLE)); /* even this backend's claim */
}

/* ---- E ---- */

/* Feature bitmaps of a VM. */
static unsigned bitmaps(struct hv_vm *vm, uint64_t *ids, unsigned room)
{
	struct hv_reg regs[256];
	unsigned count = ARRAY_SIZE(regs), n = 0;

	assert_int_equal(hv_reg_list(vm, NULL, regs, &count), 0);
	for (unsigned i = 0; i < count && n < room; i++)
		if (regs[i].kind == HV_REG_BITMAP)
			ids[n++] = regs[i].id;
	return n;
}

static void E1_E2_E3_features_are_bitmaps_that_start_full_and_shrink(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = finished(backend(i), &env, NULL);
		uint64_t ids[8], v, full, less;
		unsigned n, narrowed = 0;

		new_vcpu(vm, 0);
		n = bitmaps(vm, ids, 8);
		assert_true(n > 0);
		for (unsigned k = 0; k < n; k++) {
			assert_int_equal(hv_reg_get(vm, NULL, ids[k], &full), 0);
			for (unsigned bit = 0; bit < 64; bit++) {
				uint64_t more = full | UINT64_C(1) << bit;

				if (more == full)
					continue;
				assert_int_equal(hv_reg_set(vm, NULL, ids[k], &more), -EINVAL);
				assert_int_equal(hv_reg_get(vm, NULL, ids[k], &v), 0);
				assert_true(v == full);
			}
			less = full & (full - 1);
			narrowed += less != full;
			assert_int_equal(hv_reg_set(vm, NULL, ids[k], &less), 0);
			assert_int_equal(hv_reg_get(vm, NULL, ids[k], &v), 0);
			assert_true(v == less);
			/* Minds may change: supported is still what it was. */
			assert_int_equal(hv_reg_set(vm, NULL, ids[k], &full), 0);
		}
		assert_true(narrowed > 0);
		hv_destroy(vm);
		free_env(&env);
	}
}

static void E4_there_is_no_second_register_for_supported(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = finished(backend(1), &env, NULL);
	uint64_t full, less = 1, v;

	(void)state;
	new_vcpu(vm, 0);
	/* Supported is the first read; a write shows in the same register. */
	assert_int_equal(hv_reg_get(vm, NULL, FAKE_BITMAP, &full), 0);
	assert_int_equal(hv_reg_set(vm, NULL, FAKE_BITMAP, &less), 0);
	assert_int_equal(hv_reg_get(vm, NULL, FAKE_BITMAP, &v), 0);
	assert_true(full == 0xf && v == 1);
	hv_destroy(vm);
	free_env(&env);
}

static void E5_a_new_feature_is_on_without_any_change_here(void **state)
{
	struct hv_env env = new_env();
	const struct hv_ops *ops = backend(1);
	struct hv_vm *vm;
	uint64_t v, got;

	(void)state;
	fake.extra_bitmap_bits = 0x40;
	vm = finished(ops, &env, NULL);
	new_vcpu(vm, 0);
	assert_int_equal(hv_reg_get(vm, NULL, FAKE_BITMAP, &v), 0);
	assert_int_equal(v, 0x4f);
	assert_int_equal(hv_negotiate(vm, FAKE_BITMAP, UINT64_MAX, 0, &got), 0);
	assert_int_equal(got, 0x4f);
	hv_destroy(vm);
	free_env(&env);
}

static void E6_E7_after_the_first_run_features_take_only_the_value_they_have(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = finished(backend(i), &env, NULL);
		struct hv_vcpu *c = new_vcpu(vm, 0);
		struct hv_reg regs[256];
		unsigned count = ARRAY_SIZE(regs), features = 0;
		uint64_t v;
		struct hv_exit e;

		hv_vcpu_kick(c);
		assert_int_equal(hv_vcpu_run(c, &e), 0);
		assert_int_equal(hv_reg_list(vm, NULL, regs, &count), 0);
		for (unsigned k = 0; k < count; k++) {
			if (regs[k].kind == HV_REG_PLAIN)
				continue;
			features++;
			v = 0;
			assert_int_equal(hv_reg_get(vm, NULL, regs[k].id, &v), 0);
			assert_int_equal(hv_reg_set(vm, NULL, regs[k].id, &v), 0);
			v ^= 1;
			assert_int_equal(hv_reg_set(vm, NULL, regs[k].id, &v), -EBUSY);
		}
		assert_true(features >= 3); /* bitmaps and versions alike */
		hv_destroy(vm);
		free_env(&env);
	}
}

static void E8_negotiation_names_the_bits_that_are_missing(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = finished(backend(1), &env, NULL);
	uint64_t v, got;
	struct said s;
	int err;

	(void)state;
	new_vcpu(vm, 0);
	said_begin(&s);
	err = hv_negotiate(vm, FAKE_BITMAP, 0x3, 0x31, &got);
	assert_says(&s, "SMCCC_STD_BMAP: bit 4, bit 5 needed, but hypervisor fake lacks that");
	assert_int_equal(err, -ENOTSUP);
	assert_int_equal(hv_reg_get(vm, NULL, FAKE_BITMAP, &v), 0);
	assert_int_equal(v, 0xf);
	assert_int_equal(hv_negotiate(vm, FAKE_BITMAP, 0xf2, 0x1, &got), 0);
	assert_int_equal(got, 0x3);
	assert_int_equal(hv_reg_get(vm, NULL, FAKE_BITMAP, &v), 0);
	assert_int_equal(v, 0x3);
	hv_destroy(vm);
	free_env(&env);
}

/* ---- G ---- */

static void G1_G7_the_list_is_scoped_and_in_restore_order(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = finished(backend(i), &env, NULL);
		struct hv_vcpu *c = new_vcpu(vm, 0);

		for (unsigned pass = 0; pass < 2; pass++) {
			struct hv_reg regs[512];
			unsigned count = 0, needed;
			bool plain = false;

			assert_int_equal(hv_reg_list(vm, pass ? c : NULL, NULL, &count), -E2BIG);
			needed = count;
			count = ARRAY_SIZE(regs);
			assert_int_equal(hv_reg_list(vm, pass ? c : NULL, regs, &count), 0);
			assert_int_equal(count, needed);
			for (unsigned k = 0; k < count; k++) {
				assert_int_equal(regs[k].scope, pass ? HV_SCOPE_VCPU : HV_SCOPE_VM);
				plain |= regs[k].kind == HV_REG_PLAIN;
				assert_true(!plain || regs[k].kind == HV_REG_PLAIN);
				for (unsigned m = 0; m < k; m++)
					assert_true(regs[m].id != regs[k].id);
			}
		}
		hv_destroy(vm);
		free_env(&env);
	}
}

static void G8_a_register_without_scope_gets_it_from_our_table_or_is_flagged(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm = finished(backend(1), &env, NULL);
	struct hv_vcpu *c = new_vcpu(vm, 0);
	unsigned count = 64, seen = 0;
	struct hv_reg regs[64];

	(void)state;
	assert_int_equal(hv_reg_list(vm, c, regs, &count), 0);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(regs[i].flagged, regs[i].id == FAKE_STRANGE);
		seen += regs[i].id == FAKE_STRANGE || regs[i].id == FAKE_X0;
	}
	assert_int_equal(seen, 2);
	count = 64;
	seen = 0;
	assert_int_equal(hv_reg_list(vm, NULL, regs, &count), 0);
	for (unsigned i = 0; i < count; i++)
		seen += regs[i].id == FAKE_VERSION && regs[i].kind == HV_REG_LEVEL;
	assert_int_equal(seen, 1);
	hv_destroy(vm);
	free_env(&env);
}

/* The fake hypervisor on a newer host: registers that nobody has heard of. */
enum { NEW_REGS = 10 };
static const uint64_t new_bitmap = UINT64_C(0x6030000000160077);

static int newer_list(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg *regs, unsigned *count)
{
	unsigned room = *count;

	(void)vm, (void)vcpu;
	*count = NEW_REGS;
	for (unsigned i = 0; i < room && i < NEW_REGS; i++)
		regs[i] = (struct hv_reg){ .id = i ? FAKE_STRANGE + i : new_bitmap, .scope = HV_SCOPE_UNKNOWN };
	return NEW_REGS > room ? -E2BIG : 0;
}

static int newer_get(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, void *value)
{
	(void)vm, (void)vcpu;
	memset(value, 0, hv_reg_bytes(id));
	return 0;
}

static void G8_registers_nobody_knows_are_said_once_and_counted(void **state)
{
	struct hv_env env = new_env();
	struct hv_ops ops = fake_ops;
	struct hv_reg regs[NEW_REGS];
	unsigned count = NEW_REGS;
	struct hv_vm *vm;
	struct said s;

	(void)state;
	ops.reg_list = newer_list;
	ops.reg_get = newer_get;
	vm = finished(&ops, &env, NULL);
	said_begin(&s);
	assert_int_equal(hv_reg_list(vm, new_vcpu(vm, 0), regs, &count), 0);
	assert_says(&s, "lists 10 registers of which our tables know nothing: 0x6030000000160077, ");
	assert_int_equal(count, NEW_REGS - 1);
	for (unsigned i = 0; i < count; i++)
		assert_true(regs[i].flagged && regs[i].kind == HV_REG_PLAIN);
	/* A bitmap is not plain, whichever it is. */
	assert_int_equal(hv_reg_list(vm, NULL, regs, &count), 0);
	assert_int_equal(count, 1);
	assert_true(regs[0].id == new_bitmap && regs[0].flagged && regs[0].kind == HV_REG_BITMAP);
	hv_destroy(vm);
	free_env(&env);
}

static void G8_a_register_is_in_one_table_under_one_name(void **state)
{
	static const struct {
		const char *name;
		uint64_t id;
	} rows[] = {
#define REG(NAME, enc, id, ...) { #NAME, id },
#include <vmm/regs.def>
#define REG_KVM(NAME, id, scope, flags) { #NAME, id },
#include <vmm/regs-kvm.def>
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		for (unsigned k = 0; k < i; k++) {
			assert_true(rows[k].id == REG_NO_ID || rows[k].id != rows[i].id);
			assert_string_not_equal(rows[k].name, rows[i].name);
		}
		if (rows[i].id != REG_NO_ID)
			assert_string_equal(hv_reg_name(rows[i].id), rows[i].name);
	}
}

/* KVM lists all of op0=3, op1=0, CRn=0, CRm=1..7, the reserved ones too. */
static void G8_every_id_register_has_a_name(void **state)
{
	(void)state;
	for (unsigned crm = 1; crm < 8; crm++)
		for (unsigned op2 = 0; op2 < 8; op2++)
			assert_non_null(hv_reg_name(REG_ID_SYS((uint64_t)REG_ENC(3, 0, 0, crm, op2))));
}

static void G9_every_attribute_is_documented(void **state)
{
	(void)state;
	for (unsigned i = 0; hv_attr_at(i); i++) {
		assert_true(strlen(hv_attr_at(i)->help) > 5);
		assert_true(strlen(hv_attr_at(i)->unit) > 0);
	}
}

/* ---- I ---- */

static void I2_I5_memory_has_one_shape_with_flags_in_separate_fields(void **state)
{
	struct hv_mem m = { .flags = UINT32_MAX, .arch_flags = 0 };

	(void)state;
	assert_int_equal(m.arch_flags, 0);
	assert_int_not_equal(offsetof(struct hv_mem, flags), offsetof(struct hv_mem, arch_flags));
}

static void I3_I4_a_flag_a_backend_does_not_know_is_refused_by_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = finished(backend(i), &env, NULL);
		struct hv_mem m = { .base = gpa(0x40000000),
				    .host = mem_ptr(env.mem, gpa(0x40000000), 1),
				    .bytes = 4 * MIB };

		assert_int_equal(hv_mem_map(vm, &m), 0);
		for (unsigned bit = 0; bit < 32; bit++) {
			bool known = i == 1 && bit == 0; /* the fake one knows READONLY, the other nothing */

			m.flags = UINT32_C(1) << bit;
			assert_int_equal(hv_mem_map(vm, &m), known ? 0 : -EINVAL);
			m.flags = 0;
			m.arch_flags = UINT32_C(1) << bit;
			assert_int_equal(hv_mem_map(vm, &m), -EINVAL);
			m.arch_flags = 0;
		}
		hv_destroy(vm);
		free_env(&env);
	}
}

static void I6_a_vcpu_of_another_vm_is_refused(void **state)
{
	struct hv_env env = new_env(), env2 = new_env();
	struct hv_vm *soft = finished(backend(0), &env, NULL), *other = finished(&fake_ops, &env2, NULL);
	struct hv_vcpu *a = new_vcpu(soft, 0), *b = new_vcpu(other, 0);
	struct hv_reg regs[1];
	unsigned count = 1;
	uint64_t v = 0;

	(void)state;
	assert_int_equal(hv_reg_get(soft, b, FAKE_X0, &v), -EINVAL);
	assert_int_equal(hv_reg_set(soft, b, FAKE_X0, &v), -EINVAL);
	assert_int_equal(hv_reg_list(soft, b, regs, &count), -EINVAL);
	assert_int_equal(hv_reg_get(other, a, FAKE_X0, &v), -EINVAL);
	hv_destroy(soft);
	hv_destroy(other);
	free_env(&env);
	free_env(&env2);
}

static void I7_the_same_register_has_the_same_number_on_every_backend(void **state)
{
	(void)state;
	for (unsigned i = 0; i < BACKENDS; i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = finished(backend(i), &env, NULL);
		struct hv_vcpu *c = new_vcpu(vm, 0);
		uint64_t x0 = 0x1122, v = 0;

		assert_int_equal(hv_reg_set(vm, c, FAKE_X0, &x0), 0);
		assert_int_equal(hv_reg_get(vm, c, FAKE_X0, &v), 0);
		assert_int_equal(v, 0x1122);
		hv_destroy(vm);
		free_env(&env);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unavailable_backend_is_known_but_never_taken),
		cmocka_unit_test(A1_values_come_in_a_block_not_in_spare_bits),
		cmocka_unit_test(A2_a_walk_never_leaves_the_block),
		cmocka_unit_test(A2_sizes_that_are_wrong_are_refused),
		cmocka_unit_test(A3_a_longer_attribute_is_accepted_only_if_its_tail_is_zero),
		cmocka_unit_test(A3_a_shorter_attribute_is_extended_with_zeroes),
		cmocka_unit_test(A4_an_unknown_type_is_refused_and_named_with_its_index),
		cmocka_unit_test(A5_every_bit_of_a_reserved_field_is_refused),
		cmocka_unit_test(A6_the_same_type_twice_is_refused),
		cmocka_unit_test(A7_generic_and_architecture_types_have_ranges_of_their_own),
		cmocka_unit_test(A8_ipa_size_vector_lengths_and_capabilities_round_trip),
		cmocka_unit_test(A9_capabilities_are_bits_of_one_attribute),
		cmocka_unit_test(A10_an_absent_attribute_has_its_documented_default_everywhere),
		cmocka_unit_test(A10_the_maximum_is_given_when_asked_for),
		cmocka_unit_test(A10_nothing_is_rounded),
		cmocka_unit_test(A10_a_default_the_host_lacks_is_replaced_by_its_best_and_said),
		cmocka_unit_test(B1_creation_takes_what_probe_wrote_back),
		cmocka_unit_test(B2_answers_are_numbers_and_sets),
		cmocka_unit_test(B3_probe_has_no_side_effects_at_any_time),
		cmocka_unit_test(B4_there_is_one_probe),
		cmocka_unit_test(B5_probe_marks_what_is_absent_and_fills_the_rest),
		cmocka_unit_test(B6_after_a_refusal_the_caller_may_choose_another_value),
		cmocka_unit_test(B7_one_round_of_probe_choose_set_is_enough),
		cmocka_unit_test(C1_a_half_created_vm_takes_only_configuration),
		cmocka_unit_test(C2_finish_happens_once_and_ends_configuration),
		cmocka_unit_test(C3_vcpus_come_after_finish),
		cmocka_unit_test(C4_any_order_of_settings_makes_the_same_vm),
		cmocka_unit_test(C5_conflicts_between_attributes_are_found_at_finish_and_both_named),
		cmocka_unit_test(C6_a_finish_that_fails_leaves_the_vm_changeable),
		cmocka_unit_test(C7_a_vcpu_is_configured_finalized_run_in_this_order),
		cmocka_unit_test(C8_a_property_has_one_route),
		cmocka_unit_test(D2_D9_every_capability_says_what_it_means),
		cmocka_unit_test(D4_any_combination_of_capabilities_works),
		cmocka_unit_test(D4_a_capability_without_its_operation_is_absent_whatever_the_backend_says),
		cmocka_unit_test(D5_an_unknown_capability_is_absent_not_an_error),
		cmocka_unit_test(D6_numbers_are_never_reused),
		cmocka_unit_test(D8_core_api_stable_is_reserved_and_reads_zero),
		cmocka_unit_test(E1_E2_E3_features_are_bitmaps_that_start_full_and_shrink),
		cmocka_unit_test(E4_there_is_no_second_register_for_supported),
		cmocka_unit_test(E5_a_new_feature_is_on_without_any_change_here),
		cmocka_unit_test(E6_E7_after_the_first_run_features_take_only_the_value_they_have),
		cmocka_unit_test(E8_negotiation_names_the_bits_that_are_missing),
		cmocka_unit_test(G1_G7_the_list_is_scoped_and_in_restore_order),
		cmocka_unit_test(G8_a_register_without_scope_gets_it_from_our_table_or_is_flagged),
		cmocka_unit_test(G8_registers_nobody_knows_are_said_once_and_counted),
		cmocka_unit_test(G8_a_register_is_in_one_table_under_one_name),
		cmocka_unit_test(G8_every_id_register_has_a_name),
		cmocka_unit_test(G9_every_attribute_is_documented),
		cmocka_unit_test(I2_I5_memory_has_one_shape_with_flags_in_separate_fields),
		cmocka_unit_test(I3_I4_a_flag_a_backend_does_not_know_is_refused_by_it),
		cmocka_unit_test(I6_a_vcpu_of_another_vm_is_refused),
		cmocka_unit_test(I7_the_same_register_has_the_same_number_on_every_backend),
	};

	return cmocka_run_group_tests_name("src/hv/hv", tests, NULL, NULL);
}
