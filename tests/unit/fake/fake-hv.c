/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <vmm/bus.h>
#include <vmm/err.h>
#include <vmm/loop.h>
#include <vmm/mem.h>
#include "fake-hv.h"

struct fake_hv fake;

#define REG_COUNT 8

struct fake_vm {
	struct hv_vm vm;
	uint8_t value[REG_COUNT][HV_REG_BYTES_MAX];
};

struct fake_vcpu {
	struct hv_vcpu vcpu;
	uint8_t value[REG_COUNT][HV_REG_BYTES_MAX];
};

/* In an order in which it must not be restored. */
static const struct fake_reg regs[REG_COUNT] = {
	{ FAKE_X0, HV_SCOPE_UNKNOWN, HV_REG_PLAIN, 0 },
	{ FAKE_VM_DUMMY, HV_SCOPE_VM, HV_REG_PLAIN, 7 },
	{ FAKE_BIG, HV_SCOPE_VCPU, HV_REG_PLAIN, 0 },
	{ FAKE_BITMAP, HV_SCOPE_VM, HV_REG_PLAIN, 0xf },
	{ FAKE_VERSION, HV_SCOPE_UNKNOWN, HV_REG_PLAIN, 0x10001 },
	{ FAKE_BITMAP2, HV_SCOPE_VM, HV_REG_BITMAP, 0x3 },
	{ FAKE_STRANGE, HV_SCOPE_UNKNOWN, HV_REG_PLAIN, 0 },
	{ FAKE_BITMAP_NEW, HV_SCOPE_UNKNOWN, HV_REG_PLAIN, 0x5 },
};

void fake_reset(void)
{
	CHECK(!fake.vms && !fake.vcpus);
	fake = (struct fake_hv){
		.caps = UINT64_MAX,
		.ipa_max = 52,
		.vcpu_max = 64,
		.sve_vls = 0xb,
		.gics = 1 << 2 | 1 << 3,
		.has_pmu = true,
		.psci_version = 0x10001,
	};
}

static int fake_available(char *why, size_t bytes)
{
	(void)why, (void)bytes;
	return 0;
}

static int fake_attr_limit(uint16_t type, struct hv_limit *l)
{
	switch (type) {
	case HV_ATTR_VCPU_COUNT: l->max = fake.vcpu_max; return 0;
	case HV_ATTR_IPA_BITS: l->max = fake.ipa_max; return 0;
	case HV_ATTR_SVE_VLS: l->bits[0] = fake.sve_vls; return 0;
	case HV_ATTR_GIC: l->bits[0] = fake.gics; return 0;
	case HV_ATTR_PAUTH: l->max = 1; return 0;
	case HV_ATTR_PMU: l->max = 1; return fake.has_pmu ? 0 : -ENOENT;
	case HV_ATTR_FEATURES: l->bits[0] = 1 << HV_FEATURE_MTE; return 0;
	default: return -ENOENT;
	}
}

static int fake_check_cap(const struct hv_vm *vm, uint32_t cap)
{
	(void)vm;
	return cap < 64 ? fake.caps >> cap & 1 : 1;
}

static int fake_create(const struct hv_env *env, struct hv_vm **vm)
{
	struct fake_vm *f = calloc(1, sizeof(*f));

	(void)env;
	if (!f)
		return -ENOMEM;
	for (unsigned i = 0; i < REG_COUNT; i++)
		memcpy(f->value[i], &regs[i].reset, 8);
	f->value[3][0] |= (uint8_t)fake.extra_bitmap_bits;
	memcpy(f->value[4], &fake.psci_version, 8);
	fake.vms++;
	fake.creates++;
	*vm = &f->vm;
	return 0;
}

static int fake_finish(struct hv_vm *vm)
{
	(void)vm;
	return fake.finish_error;
}

static void fake_destroy(struct hv_vm *vm)
{
	fake.vms--;
	free(vm);
}

static int fake_mem_map(struct hv_vm *vm, const struct hv_mem *m)
{
	(void)vm;
	if (m->flags & ~HV_MEM_READONLY || m->arch_flags)
		return -EINVAL;
	fake.last_mem = *m;
	return 0;
}

static int fake_mem_unmap(struct hv_vm *vm, unsigned slot)
{
	(void)vm, (void)slot;
	return 0;
}

static int fake_irq_line(struct hv_vm *vm, unsigned spi, bool level)
{
	(void)vm, (void)spi, (void)level;
	return 0;
}

static int fake_vcpu_create(struct hv_vm *vm, unsigned id, struct hv_vcpu **vcpu)
{
	struct fake_vcpu *c = calloc(1, sizeof(*c));

	(void)vm, (void)id;
	if (!c)
		return -ENOMEM;
	fake.vcpus++;
	*vcpu = &c->vcpu;
	return 0;
}

static void fake_vcpu_destroy(struct hv_vcpu *vcpu)
{
	fake.vcpus--;
	free(vcpu);
}

static int fake_vcpu_finalize(struct hv_vcpu *vcpu)
{
	(void)vcpu;
	return 0;
}

static int fake_vcpu_run(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)vcpu;
	fake.runs++;
	exit->reason = HV_EXIT_KICKED;
	return 0;
}

static void fake_vcpu_kick(struct hv_vcpu *vcpu) { (void)vcpu; }

static uint64_t fake_vcpu_insn_count(struct hv_vcpu *vcpu)
{
	(void)vcpu;
	return 42;
}

static bool is_there(unsigned i)
{
	return !(regs[i].id == FAKE_STRANGE && fake.no_strange) && !(regs[i].id == FAKE_VM_DUMMY && fake.no_dummy) &&
	       !(regs[i].id == FAKE_BITMAP2 && fake.no_bitmap2) && !(regs[i].id == FAKE_BITMAP && fake.no_bitmap) &&
	       !(regs[i].id == FAKE_BITMAP_NEW && !fake.has_new_bitmap);
}

static int fake_reg_list(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg *out, unsigned *count)
{
	unsigned room = *count, n = 0;

	(void)vm, (void)vcpu;
	for (unsigned i = 0; i < REG_COUNT; i++) {
		if (!is_there(i))
			continue;
		if (n < room)
			out[n] = (struct hv_reg){ .id = regs[i].id, .scope = regs[i].scope, .kind = regs[i].kind };
		n++;
	}
	*count = n;
	return n > room ? -E2BIG : 0;
}

/* Storage; which of the two places follows from who is asked. */
static uint8_t *find(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, bool *of_vm)
{
	for (unsigned i = 0; i < REG_COUNT; i++) {
		if (regs[i].id != id || !is_there(i))
			continue;
		*of_vm = regs[i].scope == HV_SCOPE_VM || id == FAKE_VERSION || id == FAKE_BITMAP_NEW;
		return *of_vm ? ((struct fake_vm *)vm)->value[i] : ((struct fake_vcpu *)vcpu)->value[i];
	}
	return NULL;
}

static int fake_reg_get(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, void *value)
{
	bool of_vm;
	uint8_t *p = find(vm, vcpu, id, &of_vm);

	if (!p)
		return -ENOENT;
	fake.vm_reg_gets += of_vm;
	memcpy(value, p, hv_reg_bytes(id));
	return 0;
}

static int fake_reg_set(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value)
{
	static const uint64_t versions[] = { 0x2, 0x10000, 0x10001 };
	bool of_vm, known = id != FAKE_VERSION;
	uint8_t *p = find(vm, vcpu, id, &of_vm);

	if (!p)
		return -ENOENT;
	for (unsigned i = 0; i < ARRAY_SIZE(versions) && !known; i++)
		known = !memcmp(&versions[i], value, 8);
	if (!known)
		return -EINVAL;
	fake.vm_reg_sets += of_vm;
	memcpy(p, value, hv_reg_bytes(id));
	return 0;
}

static int fake_vm_reset(struct hv_vm *vm)
{
	(void)vm;
	return 0;
}

static int fake_dirty_log(struct hv_vm *vm, unsigned slot, uint64_t *bitmap)
{
	(void)vm, (void)slot;
	*bitmap = 0;
	return 0;
}

#define MANDATORY                                                                                       \
	.available = fake_available, .attr_limit = fake_attr_limit, .check_cap = fake_check_cap,        \
	.create = fake_create, .finish = fake_finish, .destroy = fake_destroy, .mem_map = fake_mem_map, \
	.mem_unmap = fake_mem_unmap, .irq_line = fake_irq_line, .vcpu_create = fake_vcpu_create,        \
	.vcpu_destroy = fake_vcpu_destroy, .vcpu_run = fake_vcpu_run, .vcpu_kick = fake_vcpu_kick

const struct hv_ops fake_ops = {
	.name = "fake",
	.help = "for tests",
	MANDATORY,
	.vcpu_finalize = fake_vcpu_finalize,
	.vcpu_insn_count = fake_vcpu_insn_count,
	.reg_list = fake_reg_list,
	.reg_get = fake_reg_get,
	.reg_set = fake_reg_set,
	.vm_reset = fake_vm_reset,
	.dirty_log = fake_dirty_log,
};

const struct hv_ops fake_bare_ops = { .name = "bare", .help = "for tests", MANDATORY };

/* ---- For tests of what lies above a hypervisor ---- */

struct hv_env new_env(void)
{
	struct hv_env env = { .mem = mem_new(), .bus = bus_new(), .loop = loop_new() };

	assert_int_equal(mem_add_ram(env.mem, "ram", gpa(0x40000000), 4 * MIB), 0);
	return env;
}

void free_env(struct hv_env *env)
{
	loop_free(env->loop);
	bus_free(env->bus);
	mem_free(env->mem);
}

const struct hv_ops *backend(unsigned i)
{
	const struct hv_ops *ops = &fake_ops;

	fake_reset();
	if (i == 0)
		assert_int_equal(hv_backend_find("soft", &ops), 0);
	return ops;
}

struct hv_vm *create(const struct hv_ops *ops, const struct hv_env *env, const struct hv_block *b)
{
	struct hv_vm *vm;

	assert_int_equal(hv_create_vm2(ops, env, b, &vm), 0);
	return vm;
}

struct hv_vm *finished(const struct hv_ops *ops, const struct hv_env *env, const struct hv_block *b)
{
	struct hv_vm *vm = create(ops, env, b);

	assert_int_equal(hv_finish(vm), 0);
	return vm;
}

struct hv_vcpu *new_vcpu(struct hv_vm *vm, unsigned id)
{
	struct hv_vcpu *c;

	assert_int_equal(hv_vcpu_create(vm, id, &c), 0);
	assert_int_equal(hv_vcpu_finalize(c), 0);
	return c;
}

void add(struct hv_block_buf *b, uint16_t type, uint64_t value)
{
	assert_int_equal(hv_block_add(b, type, &value, 1), 0);
}

struct hv_block_buf block_of(uint16_t type, uint64_t value)
{
	struct hv_block_buf b;

	hv_block_init(&b);
	add(&b, type, value);
	return b;
}

int try_create(const struct hv_ops *ops, const struct hv_block *b)
{
	struct hv_env env = new_env();
	struct hv_vm *vm;
	int err = hv_create_vm2(ops, &env, b, &vm);

	if (err)
		assert_null(vm);
	hv_destroy(vm);
	free_env(&env);
	return err;
}

uint64_t reg1(struct hv_vm *vm, uint64_t id)
{
	uint64_t v = 0;

	assert_int_equal(hv_reg_get(vm, NULL, id, &v), 0);
	return v;
}

int set1(struct hv_vm *vm, uint16_t type, uint64_t value) { return hv_set_attr(vm, type, &value, 1); }

uint64_t get1(const struct hv_vm *vm, uint16_t type)
{
	uint64_t v = 0;

	assert_int_equal(hv_get_attr(vm, type, &v, 1), 0);
	return v;
}

unsigned open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

void said_begin(struct said *s)
{
	s->f = tmpfile();
	fflush(stderr);
	s->old = dup(2);
	dup2(fileno(s->f), 2);
}

const char *said_end(struct said *s)
{
	size_t n;

	dup2(s->old, 2);
	close(s->old);
	rewind(s->f);
	n = fread(s->text, 1, sizeof(s->text) - 1, s->f);
	s->text[n] = 0;
	fclose(s->f);
	return s->text;
}

void assert_says(struct said *s, const char *what)
{
	const char *text = said_end(s);

	if (!strstr(text, what))
		fail_msg("not said: %s\nbut: %s", what, text);
}

void save_some(const struct hv_ops *ops, struct hv_env *env, struct hv_saved *s)
{
	struct hv_block_buf b = block_of(HV_ATTR_VCPU_COUNT, 2);
	struct hv_vm *vm = finished(ops, env, &b.block);

	for (unsigned i = 0; i < 2; i++) {
		uint64_t v = 0x1000 + i;

		assert_int_equal(hv_reg_set(vm, new_vcpu(vm, i), FAKE_X0, &v), 0);
	}
	assert_int_equal(hv_save(vm, s), 0);
	hv_destroy(vm);
}

struct hv_vm *target(const struct hv_ops *ops, struct hv_env *env, const struct hv_saved *s)
{
	struct hv_vm *vm = finished(ops, env, &s->attr.block);

	for (unsigned i = 0; i < vm->attr.VCPU_COUNT[0]; i++)
		new_vcpu(vm, i);
	return vm;
}
