/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <vmm/bus.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#include "soc.h"

struct soc *fake_soc(unsigned cpus)
{
	const struct soc_config cfg = { .vcpu_count = cpus, .ipa_bits = 40, .spi_count = 64 };
	const struct hv_env env = { .mem = mem_new(), .bus = bus_new(), .loop = loop_new() };
	struct soc *s;

	assert_int_equal(soc_create(&cfg, &env, &s), 0);
	for (unsigned id = 0; id < cpus; id++)
		s->cpus[id]->exit = calloc(1, sizeof(*s->cpus[id]->exit)); /* cpu_run would lend one */
	return s;
}

void fake_soc_free(struct soc *s)
{
	struct hv_env env = s->env;

	for (unsigned id = 0; id < s->cfg.vcpu_count; id++)
		free(s->cpus[id]->exit);
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
