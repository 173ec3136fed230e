/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include <spec/board.h>
#include <vmm/bus.h>
#include <vmm/err.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#include "machine.h"

/* cpu_run() would lend one; nobody looks into those of cpus that are not run. */
static struct hv_exit lent[BOARD_VCPU_MAX];

bool machine_can_translate(void)
{
	char text[80];

	return cpu_translator(text, sizeof(text));
}

/* The interpreter, unless VMM_TEST_JIT says otherwise and this host can. */
static struct jit_config engine(void)
{
	bool on = getenv("VMM_TEST_JIT") && machine_can_translate();

	return (struct jit_config){ .use = on ? JIT_ON : JIT_OFF, .cache_bytes = JIT_CACHE_BYTES_MIN, .count = on };
}

static struct soc *new_soc(unsigned cpus, unsigned gic_version, const struct jit_config *jit)
{
	const struct soc_config cfg = {
		.vcpu_count = cpus,
		.ipa_bits = 40,
		.gic_version = gic_version,
		.spi_count = 64,
		.jit = jit ? *jit : engine(),
	};
	const struct hv_env env = { .mem = mem_new(), .bus = bus_new(), .loop = loop_new() };
	struct soc *s;

	CHECK(env.mem && env.bus && env.loop && !mem_add_ram(env.mem, "ram", gpa(RAM_BASE), RAM_BYTES));
	CHECK(!soc_create(&cfg, &env, &s));
	for (unsigned id = 0; id < cpus; id++)
		s->cpus[id]->exit = &lent[id];
	return s;
}

struct soc *fake_soc(unsigned cpus) { return new_soc(cpus, 3, NULL); }
struct soc *fake_soc_gicv2(unsigned cpus) { return new_soc(cpus, 2, NULL); }

void fake_soc_free(struct soc *s)
{
	struct hv_env env = s->env;

	soc_destroy(s);
	bus_free(env.bus);
	loop_free(env.loop);
	mem_free(env.mem);
}

uint64_t soc_mmio_read(struct soc *s, uint64_t addr, unsigned size)
{
	uint64_t v = 0;

	assert_int_equal(bus_access(s->env.bus, gpa(addr), size, &v, false), BUS_OK);
	return size == 8 ? v : v & ((UINT64_C(1) << 8 * size) - 1);
}

void soc_mmio_write(struct soc *s, uint64_t addr, unsigned size, uint64_t value)
{
	assert_int_equal(bus_access(s->env.bus, gpa(addr), size, &value, true), BUS_OK);
}

uint64_t cpu_mmio_read(struct cpu *c, uint64_t addr, unsigned size)
{
	uint64_t v;

	cpu_running = c;
	v = soc_mmio_read(c->soc, addr, size);
	cpu_running = NULL;
	return v;
}

void cpu_mmio_write(struct cpu *c, uint64_t addr, unsigned size, uint64_t value)
{
	cpu_running = c;
	soc_mmio_write(c->soc, addr, size, value);
	cpu_running = NULL;
}

struct machine machine_new(unsigned vcpu_count) { return machine_with(vcpu_count, NULL); }

struct machine machine_with(unsigned vcpu_count, const struct jit_config *jit)
{
	struct soc *s = new_soc(vcpu_count, 3, jit);

	return (struct machine){
		.mem = s->env.mem,
		.bus = s->env.bus,
		.loop = s->env.loop,
		.soc = s,
		.cpu = soc_cpu(s, 0),
		.ram = mem_ptr(s->env.mem, gpa(RAM_BASE), RAM_BYTES),
	};
}

void machine_free(struct machine *m) { fake_soc_free(m->soc); }

uint64_t *machine_u64(struct machine *m, uint64_t pa) { return mem_ptr(m->mem, gpa(pa), 8); }

void machine_code(struct machine *m, uint64_t pa, const uint32_t *words, unsigned count)
{
	CHECK(mem_write(m->mem, gpa(pa), words, count * 4) == 0);
}

struct hv_exit machine_run(struct machine *m, uint64_t pc)
{
	struct hv_exit exit;

	m->cpu->pc = pc;
	CHECK(cpu_run(m->cpu, &exit) == 0);
	return exit;
}

int machine_step(struct cpu *c, uint32_t word)
{
	struct insn i;

	a64_decode(word, c->soc->features, false, &i);
	c->pc = RAM_BASE;
	c->sys[SYS_ESR_EL1] = 0;
	i.exec(c, &i);
	return c->sys[SYS_ESR_EL1] ? (int)(c->sys[SYS_ESR_EL1] >> 26) : STEP_OK;
}
