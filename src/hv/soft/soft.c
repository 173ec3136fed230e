/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The software hypervisor: everything KVM would keep in the kernel is a soc in
 * arch/arm64. It reads guest memory and the bus directly, so a memory slot is
 * only checked here, not kept, and device accesses never come back as exits.
 */
#include <stdio.h>
#include <stdlib.h>

#include <spec/board.h>
#include <vmm/cpu.h>
#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/log.h>
#include <vmm/mem.h>

struct soft_vm {
	struct hv_vm vm; /* first: hv.c's part */
	struct hv_env env;
	struct jit_config jit; /* use is ON or OFF */
	struct soc *soc;
};

struct soft_vcpu {
	struct hv_vcpu vcpu;
	struct cpu *cpu;
};

static struct soft_vm *soft(const struct hv_vm *vm) { return (struct soft_vm *)(uintptr_t)vm; }

static struct cpu *soft_cpu(struct hv_vcpu *vcpu) { return vcpu ? ((struct soft_vcpu *)vcpu)->cpu : NULL; }

static int soft_available(char *why, size_t why_bytes)
{
	(void)why, (void)why_bytes;
	return 0;
}

static const struct {
	uint16_t type;
	struct hv_limit limit;
} limits[] = {
	{ HV_ATTR_VCPU_COUNT, { .min = 1, .max = BOARD_VCPU_MAX } },
	{ HV_ATTR_IPA_BITS, { .min = 32, .max = 48 } },
	{ HV_ATTR_SVE_VLS, { .bits = { 0 } } },
	{ HV_ATTR_GIC, { .bits = { 1 << 2 | 1 << 3 } } },
	{ HV_ATTR_PAUTH, { .max = 1 } },
	{ HV_ATTR_PMU, { .max = 0 } },
	{ HV_ATTR_FEATURES, { .bits = { 0 } } },
};

static int soft_attr_limit(uint16_t type, struct hv_limit *limit)
{
	for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
		if (limits[i].type == type) {
			*limit = limits[i].limit;
			return 0;
		}
	}
	return -ENOENT;
}

static bool translates(const struct hv_vm *vm)
{
	char text[80];

	return vm ? soft(vm)->jit.use == JIT_ON : cpu_translator(text, sizeof(text));
}

static int soft_check_cap(const struct hv_vm *vm, uint32_t cap)
{
	switch (cap) {
	case HV_CAP_VCPU_COUNT_MAX: return BOARD_VCPU_MAX;
	case HV_CAP_IPA_BITS_MAX: return 48;
	case HV_CAP_REG_LIST:
	case HV_CAP_VM_RESET:
	case HV_CAP_MODEL:
	case HV_CAP_SAVED_NEEDS:
	case HV_CAP_HOST_CHECKS:
	case HV_CAP_JIT:
	case HV_CAP_MEM_READONLY:
	case HV_CAP_MMIO_DECODE: return 1;
	case HV_CAP_TRANSLATOR: return translates(vm);
	case HV_CAP_INSN_COUNT: return !vm || !translates(vm) || soft(vm)->jit.count;
	default: return 0;
	}
}

/* From what is wished to what is done. */
static int choose_engine(struct jit_config *jit)
{
	const char *wish = jit_wish_to_translate(jit);
	char text[80];

	if (jit->use == JIT_OFF)
		return wish ? log_err(-EINVAL, "%s: nothing is translated with --jit=off; leave out one of them",
				      wish)
			    : 0;
	jit->use = cpu_translator(text, sizeof(text)) ? JIT_ON : JIT_OFF;
	if (wish && jit->use == JIT_OFF)
		return log_err(-ENOTSUP, "%s: nothing can be translated here: %s; leave it out", wish, text);
	if (!jit->cache_bytes)
		jit->cache_bytes = JIT_CACHE_BYTES_DEFAULT;
	return 0;
}

static int soft_create(const struct hv_env *env, struct hv_vm **vm)
{
	struct jit_config jit = env->jit ? *env->jit : (struct jit_config){ 0 };
	int err = choose_engine(&jit);
	struct soft_vm *s;

	if (err)
		return err;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->jit = jit;
	s->env = *env;
	*vm = &s->vm;
	return 0;
}

static int soft_finish(struct hv_vm *vm)
{
	const struct hv_values *a = &vm->attr;
	struct soc_config cfg = {
		.vcpu_count = (unsigned)a->VCPU_COUNT[0],
		.ipa_bits = (unsigned)a->IPA_BITS[0],
		.gic_version = (unsigned)a->GIC[0],
		.pauth = a->PAUTH[0],
		.pmu = a->PMU[0],
		.spi_count = BOARD_SPI_COUNT,
		.jit = soft(vm)->jit,
	};

	/* Who relies on the count gets it, at the price of slower code. */
	if (a->CAPS[0] >> HV_CAP_INSN_COUNT & 1)
		cfg.jit.count = soft(vm)->jit.count = true;
	for (unsigned i = 0; i < HV_SVE_VLS_WORDS; i++)
		cfg.sve_vls[i] = a->SVE_VLS[i];
	soc_destroy(soft(vm)->soc); /* of a finish that came to nothing */
	return soc_create(&cfg, &soft(vm)->env, &soft(vm)->soc);
}

static void soft_destroy(struct hv_vm *vm)
{
	soc_destroy(soft(vm)->soc);
	free(vm);
}

/* The CPU looks at the region itself, so READONLY must say what that is. */
static int soft_mem_map(struct hv_vm *vm, const struct hv_mem *m)
{
	const struct mem_region *r = mem_region_at(soft(vm)->env.mem, m->base);

	if (!r || m->flags != (r->readonly ? HV_MEM_READONLY : 0) || m->arch_flags)
		return -EINVAL;
	return m->host && mem_ptr(soft(vm)->env.mem, m->base, m->bytes) == m->host ? 0 : -EINVAL;
}

/* The layout of memory is fixed while a VM lives (vmm/mem.h), so there is nothing to forget. */
static int soft_mem_unmap(struct hv_vm *vm, unsigned slot)
{
	(void)vm, (void)slot;
	return 0;
}

static int soft_irq_line(struct hv_vm *vm, unsigned spi, bool level)
{
	if (spi >= BOARD_SPI_COUNT)
		return -EINVAL;
	soc_set_spi(soft(vm)->soc, spi, level);
	return 0;
}

static int soft_vcpu_create(struct hv_vm *vm, unsigned id, struct hv_vcpu **vcpu)
{
	struct soft_vcpu *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->cpu = soc_cpu(soft(vm)->soc, id);
	*vcpu = &c->vcpu;
	return 0;
}

static void soft_vcpu_destroy(struct hv_vcpu *vcpu) { free(vcpu); }

static int soft_vcpu_run(struct hv_vcpu *vcpu, struct hv_exit *exit) { return cpu_run(soft_cpu(vcpu), exit); }

static void soft_vcpu_kick(struct hv_vcpu *vcpu) { cpu_kick(soft_cpu(vcpu)); }

static uint64_t soft_vcpu_insn_count(struct hv_vcpu *vcpu) { return cpu_insn_count(soft_cpu(vcpu)); }

static int soft_reg_list(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg *regs, unsigned *count)
{
	(void)vcpu;
	return cpu_reg_list(soft(vm)->soc, regs, count);
}

static int soft_reg_get(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, void *value)
{
	return cpu_reg_get(soft(vm)->soc, soft_cpu(vcpu), id, value);
}

static int soft_reg_set(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value)
{
	return cpu_reg_set(soft(vm)->soc, soft_cpu(vcpu), id, value);
}

static int soft_vm_reset(struct hv_vm *vm)
{
	soc_reset(soft(vm)->soc);
	return 0;
}

static int soft_host_check(unsigned i, struct hv_check *check)
{
	char text[80];

	if (i > 0)
		return -ENOENT;
	*check = (struct hv_check){ .what = "guest's instructions" };
	if (cpu_translator(text, sizeof(text))) {
		snprintf(check->found, sizeof(check->found), "translated to %s", text);
		return 0;
	}
	check->health = HV_LIMITED;
	snprintf(check->found, sizeof(check->found), "interpreted: %s", text);
	snprintf(check->advice, sizeof(check->advice),
		 "guests run correctly, but much slower than on real CPUs; where speed matters, "
		 "use --hv=kvm on an arm64 host");
	return 0;
}

static const struct hv_ops soft_ops = {
	.name = "soft",
	.help = "software CPU, on any host",
	.rank = 1,
	.available = soft_available,
	.attr_limit = soft_attr_limit,
	.check_cap = soft_check_cap,
	.create = soft_create,
	.finish = soft_finish,
	.destroy = soft_destroy,
	.mem_map = soft_mem_map,
	.mem_unmap = soft_mem_unmap,
	.irq_line = soft_irq_line,
	.vcpu_create = soft_vcpu_create,
	.vcpu_destroy = soft_vcpu_destroy,
	.vcpu_run = soft_vcpu_run,
	.vcpu_kick = soft_vcpu_kick,
	.vcpu_insn_count = soft_vcpu_insn_count,
	.reg_list = soft_reg_list,
	.reg_get = soft_reg_get,
	.reg_set = soft_reg_set,
	.vm_reset = soft_vm_reset,
	.host_check = soft_host_check,
};

HV_BACKEND(soft, &soft_ops);
