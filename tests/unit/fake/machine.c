/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <vmm/bus.h>
#include <vmm/err.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#include "machine.h"

struct machine machine_new(unsigned vcpu_count)
{
	struct machine m = { .mem = mem_new(), .bus = bus_new(), .loop = loop_new() };
	struct soc_config cfg = { .vcpu_count = vcpu_count, .ipa_bits = 40, .spi_count = 64 };
	struct hv_env env;

	CHECK(m.mem && m.bus && m.loop && mem_add_ram(m.mem, "ram", gpa(RAM_BASE), RAM_BYTES) == 0);
	env = (struct hv_env){ .mem = m.mem, .bus = m.bus, .loop = m.loop };
	CHECK(soc_create(&cfg, &env, &m.soc) == 0);
	m.cpu = soc_cpu(m.soc, 0);
	m.ram = mem_ptr(m.mem, gpa(RAM_BASE), RAM_BYTES);
	return m;
}

void machine_free(struct machine *m)
{
	soc_destroy(m->soc);
	loop_free(m->loop);
	bus_free(m->bus);
	mem_free(m->mem);
}

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
