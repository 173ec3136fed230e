/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <vmm/bus.h>
#include <vmm/loop.h>
#include <vmm/regs.h>

#include "soc.h"

static const uint64_t reset_values[SYS_COUNT] = {
#define REG(NAME, enc, id, scope, gdb, access, el0, feat, reset, mask, read, write, flags) [SYS_##NAME] = reset,
#include <vmm/regs.def>
};

static struct cpu *fake_cpu(struct soc *s, unsigned id)
{
	struct cpu *c = aligned_alloc(64, align_up(sizeof(*c), 64));

	assert_non_null(c);
	memset(c, 0, sizeof(*c));
	c->id = id;
	c->soc = s;
	c->exit = calloc(1, sizeof(*c->exit));
	pthread_mutex_init(&c->sleep_lock, NULL);
	pthread_cond_init(&c->sleep_cond, NULL);
	atomic_store(&c->power, id ? POWER_OFF : POWER_ON);
	return c;
}

struct soc *fake_soc(unsigned cpus)
{
	struct soc *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->cfg.vcpu_count = cpus;
	s->cfg.spi_count = 64;
	s->env.bus = bus_new();
	s->env.loop = loop_new();
	memcpy(s->sys, reset_values, sizeof(s->sys));
	s->cpus = calloc(cpus, sizeof(*s->cpus));
	for (unsigned id = 0; id < cpus; id++)
		s->cpus[id] = fake_cpu(s, id);
	assert_int_equal(gic_init(s), 0);
	assert_int_equal(timer_init(s), 0);
	return s;
}

void fake_soc_free(struct soc *s)
{
	timer_destroy(s);
	gic_destroy(s);
	for (unsigned id = 0; id < s->cfg.vcpu_count; id++) {
		free(s->cpus[id]->exit);
		free(s->cpus[id]);
	}
	free(s->cpus);
	bus_free(s->env.bus);
	loop_free(s->env.loop);
	free(s);
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
