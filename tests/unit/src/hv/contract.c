/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requirements of the hypervisor interface against the hypervisors of this host, the
 * real ones: creation, probe, features, registers. contract-run.c has what needs a guest
 * that runs; hv.c and save.c the same rules with a fake.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#include <spec/board.h>
#include <spec/psci.h>

#include "trial.h"

static bool has_sve(void)
{
	struct hv_limit l;

	return !hv_attr_limit(on, HV_ATTR_SVE_VLS, &l) && l.bits[0];
}

static bool has_switch(uint16_t type)
{
	struct hv_limit l;

	return !hv_attr_limit(on, type, &l) && l.max;
}

/* ---- B ---- */

static void B1_what_a_probe_answers_can_be_created(void **state)
{
	const struct hv_attr_info *info;
	struct hv_block_buf b, before;
	struct hv_env env = new_env();
	struct hv_vm *vm;

	(void)state;
	hv_block_init(&b);
	for (unsigned i = 0; (info = hv_attr_at(i)); i++)
		add(&b, info->type, 0);
	assert_int_equal(hv_probe(on, &b.block), 0);
	hv_block_drop_absent(&b);
	before = b;
	assert_int_equal(hv_probe(on, &b.block), 0);
	assert_memory_equal(&b, &before, sizeof(b));
	/* Two vCPUs instead of all: 512 take a while. */
	((struct hv_attr *)(void *)(&b.block + 1))->payload[0] = 2;
	vm = finished(on, &env, &b.block);
	for (struct hv_attr *a = hv_block_next(&b.block, NULL); a; a = hv_block_next(&b.block, a))
		assert_int_equal(get1(vm, a->type), a->payload[0]);
	hv_destroy(vm);
	free_env(&env);
}

static void B3_a_probe_leaves_nothing_behind(void **state)
{
	/* On KVM some answers take a VM and a vCPU. */
	unsigned rounds = strcmp(on->name, "kvm") ? 1000 : 50, files = open_files(), threads = thread_count();
	const struct hv_attr_info *info;
	struct hv_block_buf b;

	(void)state;
	hv_block_init(&b);
	for (unsigned i = 0; (info = hv_attr_at(i)); i++)
		add(&b, info->type, 0);
	for (unsigned i = 0; i < rounds; i++)
		assert_int_equal(hv_probe(on, &b.block), 0);
	assert_int_equal(open_files(), files);
	assert_thread_count(threads);
}

/* ---- C ---- */

static void C1_a_half_created_vm_takes_configuration_only(void **state)
{
	struct hv_block_buf b = trial_block(on, 1, NULL);
	struct hv_env env = new_env();
	struct hv_vm *vm = create(on, &env, &b.block);
	struct hv_ioevent e = { .addr = gpa(TRIAL_DEVICE), .bytes = 4 };
	struct hv_mem m = { .base = gpa(TRIAL_CODE), .bytes = 4096, .host = mem_ptr(env.mem, gpa(TRIAL_CODE), 4096) };
	struct hv_vcpu *vcpu;
	struct said s;
	unsigned count = 0;
	uint64_t v = 0;

	(void)state;
	said_begin(&s);
	assert_int_equal(hv_mem_map(vm, &m), -EPERM);
	assert_int_equal(hv_mem_unmap(vm, 0), -EPERM);
	assert_int_equal(hv_dirty_log(vm, 0, &v), -EPERM);
	assert_int_equal(hv_irq_line(vm, 1, true), -EPERM);
	assert_int_equal(hv_irqfd(vm, 1, 0, true), -EPERM);
	assert_int_equal(hv_ioeventfd(vm, &e, true), -EPERM);
	assert_int_equal(hv_vm_reset(vm), -EPERM);
	assert_int_equal(hv_vcpu_create(vm, 0, &vcpu), -EPERM);
	assert_int_equal(hv_reg_list(vm, NULL, NULL, &count), -EPERM);
	assert_int_equal(hv_reg_get(vm, NULL, TRIAL_CNTVCT, &v), -EPERM);
	assert_int_equal(hv_reg_set(vm, NULL, TRIAL_CNTVCT, &v), -EPERM);
	said_end(&s);
	hv_destroy(vm);
	free_env(&env);
}

static void C2_finish_happens_once_and_fixes_the_attributes(void **state)
{
	struct trial t = trial_new(on, 1, NULL);
	struct said s;
	int err;

	(void)state;
	said_begin(&s);
	err = hv_finish(t.vm);
	assert_says(&s, "finished already");
	assert_int_equal(err, -EBUSY);
	said_begin(&s);
	err = set1(t.vm, HV_ATTR_VCPU_COUNT, 2);
	assert_says(&s, "attributes are fixed");
	assert_int_equal(err, -EBUSY);
	trial_free(&t);
}

/* Everything the guest can see of features, one after another. */
static unsigned read_features(struct hv_vm *vm, uint64_t *values, unsigned room)
{
	struct hv_reg *regs;
	unsigned count, n = 0;

	assert_int_equal(hv_reg_list_new(vm, NULL, &regs, &count), 0);
	for (unsigned i = 0; i < count; i++) {
		if (regs[i].kind == HV_REG_PLAIN || hv_reg_bytes(regs[i].id) > 8)
			continue;
		assert_true(n + 2 <= room);
		values[n++] = regs[i].id;
		values[n++] = reg1(vm, regs[i].id);
	}
	free(regs);
	return n;
}

static void C4_the_order_of_settings_does_not_matter(void **state)
{
	static uint64_t first[1024], other[1024];
	struct hv_block_buf want = trial_block(on, 2, NULL);
	struct hv_attr *attrs[16];
	unsigned count = 0, words = 0;

	(void)state;
	if (has_switch(HV_ATTR_PAUTH))
		add(&want, HV_ATTR_PAUTH, 1);
	if (has_switch(HV_ATTR_PMU))
		add(&want, HV_ATTR_PMU, 1);
	if (has_sve())
		add(&want, HV_ATTR_SVE_VLS, 1);
	add(&want, HV_ATTR_MODEL, 63);
	for (struct hv_attr *a = hv_block_next(&want.block, NULL); a; a = hv_block_next(&want.block, a))
		attrs[count++] = a;
	for (unsigned start = 0; start < count; start++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = create(on, &env, NULL);

		for (unsigned i = 0; i < count; i++)
			assert_int_equal(
				set1(vm, attrs[(start + i) % count]->type, attrs[(start + i) % count]->payload[0]),
				0);
		assert_int_equal(hv_finish(vm), 0);
		new_vcpu(vm, 0);
		if (!start)
			words = read_features(vm, first, ARRAY_SIZE(first));
		assert_int_equal(read_features(vm, other, ARRAY_SIZE(other)), words);
		assert_memory_equal(first, other, words * sizeof(first[0]));
		for (unsigned i = 0; i < count; i++)
			assert_int_equal(get1(vm, attrs[i]->type), attrs[i]->payload[0]);
		hv_destroy(vm);
		free_env(&env);
	}
}

/* Where the host runs dry at each step of finish, until it is enough: nothing is left behind, and the same VM goes
 * on. */
static void C6_a_finish_that_failed_can_be_repeated(void **state)
{
	struct hv_block_buf b = trial_block(on, 2, NULL);
	struct hv_env env = new_env();
	struct hv_vm *vm = create(on, &env, &b.block);
	unsigned files = open_files(), threads = thread_count(), more = 0;
	struct rlimit limit, none;
	struct hv_vcpu *vcpu;
	int err;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	do {
		struct said s;

		said_begin(&s);
		/* open_files() counts ".", ".." and its own; stderr is kept under one more while we listen. */
		none = (struct rlimit){ files - 3 + 2 + more++, limit.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		err = hv_finish(vm);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
		said_end(&s);
		if (err) {
			assert_true(s.text[0]);
			assert_int_equal(open_files(), files);
		}
		said_begin(&s);
		assert_int_equal(hv_vcpu_create(vm, 7, &vcpu), err ? -EPERM : -EINVAL);
		said_end(&s);
	} while (err && more < 20);
	assert_int_equal(err, 0);
	assert_thread_count(threads);
	new_vcpu(vm, 1);
	new_vcpu(vm, 0);
	hv_destroy(vm);
	free_env(&env);
}

/* A model that KVM cannot provide, unless the host is a copy of the software CPU; the software CPU is that model. */
static void C6_after_a_refused_finish_the_mind_can_be_changed(void **state)
{
	struct hv_block_buf b = trial_block(on, 1, NULL);
	struct hv_env env = new_env();
	struct hv_vm *vm = create(on, &env, &b.block);
	unsigned files = open_files();
	struct said s;
	int err;

	(void)state;
	assert_int_equal(set1(vm, HV_ATTR_MODEL, 1), 0);
	said_begin(&s);
	err = hv_finish(vm);
	said_end(&s);
	if (!err) {
		hv_destroy(vm);
		free_env(&env);
		skip();
	}
	assert_int_equal(err, -ENOTSUP);
	assert_non_null(strstr(s.text, "use --model=max"));
	assert_int_equal(set1(vm, HV_ATTR_MODEL, 63), 0);
	assert_int_equal(set1(vm, HV_ATTR_VCPU_COUNT, 2), 0);
	assert_int_equal(hv_finish(vm), 0);
	new_vcpu(vm, 1);
	hv_destroy(vm);
	assert_int_equal(open_files(), files);
	free_env(&env);
}

static void destroying_at_any_stage_leaves_nothing_behind(void **state)
{
	unsigned files = open_files(), threads = thread_count();

	(void)state;
	for (unsigned stage = 0; stage < 6; stage++) {
		struct hv_block_buf b = trial_block(on, 2, NULL);
		struct hv_env env = new_env();
		struct hv_vm *vm = create(on, &env, &b.block);
		struct hv_vcpu *vcpu = NULL;

		if (stage >= 1)
			assert_int_equal(hv_finish(vm), 0);
		if (stage >= 2)
			assert_int_equal(hv_vcpu_create(vm, 0, &vcpu), 0);
		if (stage >= 3)
			assert_int_equal(hv_vcpu_finalize(vcpu), 0);
		if (stage >= 4)
			hv_vcpu_kick(vcpu);
		/* Given back, and made again. */
		if (stage >= 5) {
			hv_vcpu_destroy(vcpu);
			new_vcpu(vm, 0);
		}
		hv_destroy(vm);
		free_env(&env);
		assert_int_equal(open_files(), files);
		assert_thread_count(threads);
	}
}

/* ---- A8: attributes do what they say ---- */

static void IPA_bits_are_what_was_asked_for(void **state)
{
	struct hv_limit l;

	(void)state;
	assert_int_equal(hv_attr_limit(on, HV_ATTR_IPA_BITS, &l), 0);
	for (uint64_t ipa = l.min; ipa <= l.max; ipa += 4) {
		uint64_t base = (UINT64_C(1) << ipa) - 2 * MIB;
		struct hv_block_buf b = block_of(HV_ATTR_IPA_BITS, ipa);
		struct trial t = trial_new(on, 1, &b);
		struct hv_mem m = { .slot = 1, .base = gpa(base), .bytes = 2 * MIB };
		struct code code = { t.env.mem, base };

		assert_int_equal(mem_add_ram(t.env.mem, "last", m.base, m.bytes), 0);
		m.host = mem_ptr(t.env.mem, m.base, m.bytes);
		assert_int_equal(hv_mem_map(t.vm, &m), 0);
		code_mov(&code, 5, ipa);
		code_off(&code);
		trial_set_reg(&t, 0, TRIAL_PC, base);
		assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
		assert_int_equal(trial_x(&t, 5), ipa);
		trial_free(&t);
	}
}

static void memory_outside_of_guest_addresses_is_refused(void **state)
{
	struct hv_limit l;
	struct hv_block_buf b;
	struct trial t;
	struct said s;
	int err;

	(void)state;
	assert_int_equal(hv_attr_limit(on, HV_ATTR_IPA_BITS, &l), 0);
	b = block_of(HV_ATTR_IPA_BITS, l.min);
	t = trial_new(on, 1, &b);
	for (unsigned i = 0; i < 2; i++) {
		struct hv_mem m = { .slot = 1, .base = gpa((UINT64_C(1) << l.min) - i * 2 * MIB), .bytes = 4 * MIB };

		if (!i)
			assert_int_equal(mem_add_ram(t.env.mem, "far", m.base, m.bytes), 0);
		m.host = mem_ptr(t.env.mem, gpa(UINT64_C(1) << l.min), 4 * MIB);
		said_begin(&s);
		err = hv_mem_map(t.vm, &m);
		said_end(&s);
		assert_true(err < 0);
		assert_non_null(strstr(s.text, "--ipa-bits"));
	}
	trial_free(&t);
}

static unsigned longest(const uint64_t *vls)
{
	unsigned vq = 0;

	for (unsigned i = 0; i < HV_SVE_VLS_WORDS * 64; i++)
		if (bit_of(vls, i))
			vq = i + 1;
	return vq;
}

/* Every set from the shortest up to a longest one; the guest finds that length. */
static void SVE_lengths_are_what_was_asked_for(void **state)
{
	struct hv_limit l;

	(void)state;
	if (!has_sve())
		skip();
	assert_int_equal(hv_attr_limit(on, HV_ATTR_SVE_VLS, &l), 0);
	for (unsigned vq = 1; vq <= longest(l.bits); vq = vq < 3 ? vq + 1 : vq * 2) {
		uint64_t set[HV_SVE_VLS_WORDS] = { l.bits[0] & ((2ull << (vq - 1)) - 1) };
		uint64_t is[HV_SVE_VLS_WORDS] = { 0 };
		struct hv_block_buf b;
		struct trial t;

		hv_block_init(&b);
		assert_int_equal(hv_block_add(&b, HV_ATTR_SVE_VLS, set, HV_SVE_VLS_WORDS), 0);
		t = trial_new(on, 1, &b);
		assert_int_equal(hv_reg_get(t.vm, t.vcpu[0], REG_ID_SVE_VLS, is), 0);
		assert_memory_equal(is, set, sizeof(is));
		/* The same is no change; anything else is too late. */
		assert_int_equal(hv_reg_set(t.vm, t.vcpu[0], REG_ID_SVE_VLS, set), 0);
		is[0] ^= 0x100;
		assert_true(hv_reg_set(t.vm, t.vcpu[0], REG_ID_SVE_VLS, is) < 0);
		code_mov(&t.code, 0, 0x330000); /* CPACR_EL1: FPEN, ZEN */
		code_msr(&t.code, ENC_CPACR, 0);
		code_word(&t.code, CODE_ISB);
		code_mov(&t.code, 0, 0xf); /* ZCR_EL1.LEN: the longest */
		code_msr(&t.code, ENC_ZCR, 0);
		code_word(&t.code, CODE_ISB);
		code_word(&t.code, 0x04bf5025); /* rdvl x5, #1 */
		code_off(&t.code);
		assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
		assert_int_equal(trial_x(&t, 5), longest(set) * 16);
		trial_free(&t);
	}
}

/* Refused while setting or at finish, and after that a good set is taken. */
static void SVE_lengths_that_cannot_be_are_refused_and_others_then_taken(void **state)
{
	struct hv_block_buf b = trial_block(on, 1, NULL);
	uint64_t all, bad[4];
	struct hv_limit l;

	(void)state;
	if (!has_sve())
		skip();
	assert_int_equal(hv_attr_limit(on, HV_ATTR_SVE_VLS, &l), 0);
	all = l.bits[0];
	bad[0] = UINT64_C(1) << 63;  /* longer than any */
	bad[1] = 1 | 1 << 3;         /* 512 without 256 */
	bad[2] = all & ~UINT64_C(1); /* the shortest is missing */
	bad[3] = all & ~UINT64_C(4); /* a gap, if the host has none */
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = create(on, &env, &b.block);
		struct said s;
		int err;

		if (bad[i] == all || !bad[i]) {
			hv_destroy(vm);
			free_env(&env);
			continue;
		}
		said_begin(&s);
		err = set1(vm, HV_ATTR_SVE_VLS, bad[i]);
		if (!err)
			err = hv_finish(vm);
		assert_says(&s, "--sve-vl=");
		assert_int_equal(err, -EINVAL);
		assert_int_equal(set1(vm, HV_ATTR_SVE_VLS, all & 3), 0);
		assert_int_equal(hv_finish(vm), 0);
		new_vcpu(vm, 0);
		hv_destroy(vm);
		free_env(&env);
	}
}

#define REG_APIAKEYLO REG_ID_SYS(REG_ENC(3, 0, 2, 1, 0))
#define REG_PMCR      REG_ID_SYS(REG_ENC(3, 3, 9, 12, 0))
#define REG_SVE_Z0    REG_ID_SVE_Z(0)
#define REG_PFR0      REG_ID_SYS(REG_ENC(3, 0, 0, 4, 0))
#define REG_DFR0      REG_ID_SYS(REG_ENC(3, 0, 0, 5, 0))
#define REG_ISAR1     REG_ID_SYS(REG_ENC(3, 0, 0, 6, 1))
#define REG_ISAR2     REG_ID_SYS(REG_ENC(3, 0, 0, 6, 2))

static bool guest_has_pauth(struct hv_vm *vm)
{
	/* GPI GPA API APA; GPA3 APA3 */
	return bits(reg1(vm, REG_ISAR1), 31, 24) | bits(reg1(vm, REG_ISAR1), 11, 4) |
	       bits(reg1(vm, REG_ISAR2), 15, 8);
}

/* What an attribute turns on is there for the guest, and its state in the list; off, neither. */
static void switches_decide_features_and_state(void **state)
{
	static const struct {
		uint16_t type;
		uint64_t reg;
	} rows[] = {
		{ HV_ATTR_PAUTH, REG_APIAKEYLO },
		{ HV_ATTR_PMU, REG_PMCR },
		{ HV_ATTR_SVE_VLS, REG_SVE_Z0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		for (uint64_t set = 0; set < 2; set++) {
			struct hv_block_buf b = block_of(rows[i].type, set);
			struct trial t;
			bool seen;

			if (set && !(rows[i].type == HV_ATTR_SVE_VLS ? has_sve() : has_switch(rows[i].type)))
				continue;
			t = trial_new(on, 1, &b);
			seen = rows[i].type == HV_ATTR_PAUTH ? guest_has_pauth(t.vm)
			       : rows[i].type == HV_ATTR_PMU ? bits(reg1(t.vm, REG_DFR0), 11, 8) % 15
							     : bits(reg1(t.vm, REG_PFR0), 35, 32);
			assert_int_equal(seen, set);
			assert_int_equal(trial_lists(t.vm, t.vcpu[0], rows[i].reg), set);
			trial_free(&t);
		}
	}
}

static void a_switch_that_the_host_lacks_is_refused(void **state)
{
	static const uint16_t types[] = { HV_ATTR_PAUTH, HV_ATTR_PMU };
	struct hv_block_buf b = trial_block(on, 1, NULL);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct hv_env env = new_env();
		struct hv_vm *vm = create(on, &env, &b.block);
		struct said s;
		int err = 0;

		if (!has_switch(types[i])) {
			said_begin(&s);
			err = set1(vm, types[i], 1);
			assert_says(&s, "leave the option out");
			assert_int_equal(err, -EINVAL);
		}
		hv_destroy(vm);
		free_env(&env);
	}
}

/* ---- G ---- */

/* With everything on that there is. */
static struct hv_block_buf everything(void)
{
	struct hv_block_buf b;
	struct hv_limit l;

	hv_block_init(&b);
	if (has_switch(HV_ATTR_PAUTH))
		add(&b, HV_ATTR_PAUTH, 1);
	if (has_switch(HV_ATTR_PMU))
		add(&b, HV_ATTR_PMU, 1);
	if (has_sve()) {
		assert_int_equal(hv_attr_limit(on, HV_ATTR_SVE_VLS, &l), 0);
		assert_int_equal(hv_block_add(&b, HV_ATTR_SVE_VLS, l.bits, HV_SVE_VLS_WORDS), 0);
	}
	return b;
}

static unsigned rank_of(const struct hv_reg *r) { return r->kind == HV_REG_PLAIN; }

static void check_list(struct hv_vm *vm, struct hv_vcpu *vcpu)
{
	uint8_t value[HV_REG_BYTES_MAX];
	struct hv_reg *regs;
	unsigned count, less;

	assert_int_equal(hv_reg_list_new(vm, vcpu, &regs, &count), 0);
	assert_true(count > 0);
	less = count - 1;
	assert_int_equal(hv_reg_list(vm, vcpu, regs, &less), -E2BIG);
	assert_int_equal(less, count);
	for (unsigned i = 0; i < count; i++) {
		int err = hv_reg_get(vm, vcpu, regs[i].id, value);

		if (err)
			fail_msg("register 0x%llx is listed, reading it gives %d", (unsigned long long)regs[i].id,
				 err);
		if (!hv_reg_name(regs[i].id) || regs[i].flagged)
			fail_msg("register 0x%llx has no name or no row", (unsigned long long)regs[i].id);
		assert_int_equal(regs[i].scope, vcpu ? HV_SCOPE_VCPU : HV_SCOPE_VM);
		assert_true(!i || rank_of(&regs[i - 1]) <= rank_of(&regs[i]));
		for (unsigned j = 0; j < i; j++)
			assert_true(regs[j].id != regs[i].id);
		/* A vCPU's register has no value without one. */
		if (vcpu)
			assert_int_equal(hv_reg_get(vm, NULL, regs[i].id, value), -EINVAL);
	}
	free(regs);
}

static void G1_every_listed_register_has_a_name_a_scope_and_a_value(void **state)
{
	struct hv_block_buf b = everything();
	struct trial t = trial_new(on, 2, &b);
	uint64_t v;

	(void)state;
	check_list(t.vm, NULL);
	check_list(t.vm, t.vcpu[0]);
	check_list(t.vm, t.vcpu[1]);
	assert_int_equal(hv_reg_get(t.vm, t.vcpu[0], UINT64_C(0x60300000001effff), &v), -ENOENT);
	trial_free(&t);
}

/* Registers that move by themselves. */
static bool moves(uint64_t id) { return id == TRIAL_CNTPCT || id == TRIAL_CNTVCT; }

/*
 * Writes @id as it is but for bit @n, through the VM; then both vCPUs must have the same. Is it what was written? KVM
 * takes some values that a host is better than and keeps its own.
 */
static bool both_have(struct trial *t, uint64_t id, unsigned n)
{
	uint64_t v[2] = { 0 }, want = 0;

	assert_int_equal(hv_reg_get(t->vm, NULL, id, &want), 0);
	want ^= UINT64_C(1) << n;
	if (hv_reg_set(t->vm, NULL, id, &want))
		return false;
	for (unsigned k = 0; k < 2; k++)
		assert_int_equal(hv_reg_get(t->vm, t->vcpu[k], id, &v[k]), 0);
	assert_int_equal(v[0], v[1]);
	return v[0] == want;
}

static void G2_what_is_written_to_the_VM_every_vcpu_has(void **state)
{
	struct trial t = trial_new(on, 2, NULL);
	struct hv_reg *regs;
	unsigned count, done = 0;

	(void)state;
	assert_int_equal(hv_reg_list_new(t.vm, NULL, &regs, &count), 0);
	for (unsigned i = 0; i < count; i++) {
		unsigned bits = moves(regs[i].id) ? 0 : hv_reg_bytes(regs[i].id) * 8;

		for (unsigned n = 0; n < bits && bits <= 64; n++)
			done += both_have(&t, regs[i].id, n);
	}
	assert_true(done);
	free(regs);
	trial_free(&t);
}

static void G2_registers_of_the_VM_are_in_no_vcpus_list(void **state)
{
	struct trial t = trial_new(on, 2, NULL);
	struct hv_reg *regs;
	unsigned count;

	(void)state;
	assert_int_equal(hv_reg_list_new(t.vm, NULL, &regs, &count), 0);
	for (unsigned i = 0; i < count; i++)
		for (unsigned id = 0; id < 2; id++)
			assert_false(trial_lists(t.vm, t.vcpu[id], regs[i].id));
	free(regs);
	assert_true(trial_lists(t.vm, NULL, REG_ID_FW(0)));
	assert_true(trial_lists(t.vm, NULL, TRIAL_CNTVCT));
	trial_free(&t);
}

static void I6_a_vcpu_of_another_VM_is_refused(void **state)
{
	struct trial a = trial_new(on, 1, NULL), b = trial_new(on, 1, NULL);
	uint64_t v = 0;

	(void)state;
	assert_int_equal(hv_reg_get(a.vm, b.vcpu[0], TRIAL_PC, &v), -EINVAL);
	assert_int_equal(hv_reg_set(a.vm, b.vcpu[0], TRIAL_PC, &v), -EINVAL);
	trial_free(&a);
	trial_free(&b);
}

/* ---- E ---- */

static int set_reg(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, uint64_t value)
{
	return hv_reg_set(vm, vcpu, id, &value);
}

/* The bitmaps that are listed. */
static unsigned bitmaps(struct hv_vm *vm, uint64_t ids[8])
{
	struct hv_reg *regs;
	unsigned count, n = 0;

	assert_int_equal(hv_reg_list_new(vm, NULL, &regs, &count), 0);
	for (unsigned i = 0; i < count && n < 8; i++)
		if (regs[i].kind == HV_REG_BITMAP)
			ids[n++] = regs[i].id;
	free(regs);
	return n;
}

static void E3_a_bitmap_takes_a_subset_and_nothing_else(void **state)
{
	struct trial t = trial_new(on, 2, NULL);
	uint64_t ids[8];
	unsigned count = bitmaps(t.vm, ids);

	(void)state;
	assert_true(count > 0);
	for (unsigned i = 0; i < count; i++) {
		uint64_t all = reg1(t.vm, ids[i]);

		assert_int_equal(set_reg(t.vm, NULL, ids[i], all | UINT64_C(1) << 62), -EINVAL);
		assert_int_equal(reg1(t.vm, ids[i]), all);
		assert_int_equal(set_reg(t.vm, t.vcpu[1], ids[i], 0), 0);
		assert_int_equal(reg1(t.vm, ids[i]), 0);
		assert_int_equal(trial_reg(&t, 0, ids[i]), 0);
		/* Nobody has run: the mind may be changed. */
		assert_int_equal(set_reg(t.vm, NULL, ids[i], all), 0);
		assert_int_equal(trial_reg(&t, 1, ids[i]), all);
	}
	trial_free(&t);
}

/* The register that KVM leaves at 0 for the VMM to opt in, which we do not: what could be set is nothing. */
static void E5_calls_that_nobody_answers_cannot_be_offered(void **state)
{
	struct trial t = trial_new(on, 1, NULL);

	(void)state;
	if (trial_lists(t.vm, NULL, REG_ID_BMAP(3))) {
		assert_int_equal(reg1(t.vm, REG_ID_BMAP(3)), 0);
		assert_int_equal(set_reg(t.vm, NULL, REG_ID_BMAP(3), 1), -EINVAL);
		assert_int_equal(set_reg(t.vm, NULL, REG_ID_BMAP(3), 3), -EINVAL);
		assert_int_equal(set_reg(t.vm, NULL, REG_ID_BMAP(3), 0), 0);
	}
	trial_free(&t);
}

/* Features, before vCPU 0 has run and after it, from vCPU 1 and from none. */
static void E6_features_are_fixed_by_the_first_run(void **state)
{
	struct trial t = trial_new(on, 2, NULL);
	static uint64_t values[1024];
	unsigned count;

	(void)state;
	assert_int_equal(set_reg(t.vm, NULL, REG_ID_FW(0), PSCI_VERSION_1_0), 0);
	assert_int_equal(set_reg(t.vm, t.vcpu[1], REG_ID_FW(0), 0x77777), -EINVAL);
	assert_int_equal(set_reg(t.vm, t.vcpu[1], REG_ID_FW(0), PSCI_VERSION_0_2), 0);
	assert_int_equal(set_reg(t.vm, NULL, REG_ID_FW(0), PSCI_VERSION_1_0), 0);
	hv_vcpu_kick(t.vcpu[0]);
	assert_int_equal(trial_go(&t), HV_EXIT_KICKED);
	count = read_features(t.vm, values, ARRAY_SIZE(values));
	for (unsigned i = 0; i < count; i += 2) {
		assert_int_equal(set_reg(t.vm, NULL, values[i], values[i + 1]), 0);
		assert_int_equal(set_reg(t.vm, t.vcpu[1], values[i], values[i + 1]), 0);
		assert_int_equal(set_reg(t.vm, NULL, values[i], values[i + 1] ^ 1), -EBUSY);
		assert_int_equal(set_reg(t.vm, t.vcpu[1], values[i], values[i + 1] ^ 1), -EBUSY);
	}
	assert_int_equal(reg1(t.vm, REG_ID_FW(0)), PSCI_VERSION_1_0);
	trial_free(&t);
}

/* ---- G7: all registers ---- */

static void fill(struct trial *t)
{
	for (unsigned id = 0; id < 2; id++) {
		uint8_t z[256], v[16];

		memset(z, 0x11 + (int)id, sizeof(z));
		memset(v, 0x21 + (int)id, sizeof(v));
		for (unsigned n = 0; n < 31; n++)
			trial_set_reg(t, id, REG_ID_CORE(2 * n), 0x1000 * id + n);
		if (trial_lists(t->vm, t->vcpu[id], REG_SVE_Z0))
			assert_int_equal(hv_reg_set(t->vm, t->vcpu[id], REG_ID_SVE_Z(7), z), 0);
		else
			assert_int_equal(hv_reg_set(t->vm, t->vcpu[id], REG_ID_V(7), v), 0);
		if (trial_lists(t->vm, t->vcpu[id], REG_APIAKEYLO))
			trial_set_reg(t, id, REG_APIAKEYLO, 0x5555 + id);
		trial_set_reg(t, id, REG_ID_SYS(REG_ENC(3, 3, 13, 0, 2)), 0x7777 + id); /* TPIDR_EL0 */
	}
	assert_int_equal(set_reg(t->vm, NULL, REG_ID_FW(0), PSCI_VERSION_1_0), 0);
	assert_int_equal(set_reg(t->vm, NULL, TRIAL_CNTVCT, UINT64_C(1) << 50), 0);
}

static void G7_a_VM_of_everything_is_restored_in_the_order_of_its_list(void **state)
{
	struct hv_block_buf b = everything();
	struct trial a = trial_new(on, 2, &b);
	struct hv_saved saved, again;
	struct hv_env env = new_env();
	struct hv_vm *vm;

	(void)state;
	fill(&a);
	hv_vcpu_kick(a.vcpu[0]);
	assert_int_equal(trial_go(&a), HV_EXIT_KICKED);
	assert_int_equal(hv_save(a.vm, &saved), 0);
	trial_free(&a);
	vm = target(on, &env, &saved);
	assert_int_equal(hv_restore(vm, &saved), 0);
	assert_int_equal(hv_save(vm, &again), 0);
	assert_int_equal(again.count, saved.count);
	for (unsigned i = 0; i < saved.count; i++) {
		const struct hv_saved_reg *was = &saved.regs[i], *is = &again.regs[i];
		const char *name = hv_reg_name(was->id);

		assert_true(was->id == is->id && was->vcpu == is->vcpu && was->bytes == is->bytes);
		if (!moves(was->id) && memcmp(was->value, is->value, was->bytes))
			fail_msg("%s of vCPU %d is not restored", name, was->vcpu);
	}
	assert_true(reg1(vm, TRIAL_CNTVCT) >= UINT64_C(1) << 50 && reg1(vm, TRIAL_CNTVCT) < UINT64_C(1) << 51);
	hv_saved_free(&saved);
	hv_saved_free(&again);
	hv_destroy(vm);
	free_env(&env);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(B1_what_a_probe_answers_can_be_created),
		cmocka_unit_test(B3_a_probe_leaves_nothing_behind),
		cmocka_unit_test(C1_a_half_created_vm_takes_configuration_only),
		cmocka_unit_test(C2_finish_happens_once_and_fixes_the_attributes),
		cmocka_unit_test(C4_the_order_of_settings_does_not_matter),
		cmocka_unit_test(C6_a_finish_that_failed_can_be_repeated),
		cmocka_unit_test(C6_after_a_refused_finish_the_mind_can_be_changed),
		cmocka_unit_test(destroying_at_any_stage_leaves_nothing_behind),
		cmocka_unit_test(IPA_bits_are_what_was_asked_for),
		cmocka_unit_test(memory_outside_of_guest_addresses_is_refused),
		cmocka_unit_test(SVE_lengths_are_what_was_asked_for),
		cmocka_unit_test(SVE_lengths_that_cannot_be_are_refused_and_others_then_taken),
		cmocka_unit_test(switches_decide_features_and_state),
		cmocka_unit_test(a_switch_that_the_host_lacks_is_refused),
		cmocka_unit_test(G1_every_listed_register_has_a_name_a_scope_and_a_value),
		cmocka_unit_test(G2_registers_of_the_VM_are_in_no_vcpus_list),
		cmocka_unit_test(G2_what_is_written_to_the_VM_every_vcpu_has),
		cmocka_unit_test(G7_a_VM_of_everything_is_restored_in_the_order_of_its_list),
		cmocka_unit_test(I6_a_vcpu_of_another_VM_is_refused),
		cmocka_unit_test(E3_a_bitmap_takes_a_subset_and_nothing_else),
		cmocka_unit_test(E5_calls_that_nobody_answers_cannot_be_offered),
		cmocka_unit_test(E6_features_are_fixed_by_the_first_run),
	};

	return run_on_all(tests, argc, argv);
}
