/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest out of random words, run by the dispatcher: blocks, jump caches,
 * exceptions, code that writes code, two vCPUs of which the second may be
 * switched on. What never ends by itself is kicked. Interpreted or translated.
 *
 *   u8 flags, then the code, which is also what page tables and vectors point to
 */
#include <pthread.h>
#include <stdatomic.h>
#include <vmm/bus.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#include "../../arch/arm64/cpu/cpu.h"
#include "fuzz.h"

#define RAM_BASE   GIB
#define RAM_BYTES  (2 * MIB)
#define CODE       (RAM_BASE + 0x1000)
#define CODE_BYTES 0x1000
#define RUN_NS     2000000
#define CPUS       2

static struct machine {
	struct hv_env env;
	struct soc *soc;
	struct loop_timer kicker; /* ends each of the vCPUs after a while */
} interpreted, translated;

static _Atomic unsigned running;

static void kick(void *opaque)
{
	struct machine *m = opaque;

	for (unsigned i = 0; i < CPUS; i++)
		cpu_kick(soc_cpu(m->soc, i));
	/* Sticky, but one before the run began is used up by a system event that went first. */
	if (atomic_load(&running))
		loop_timer_arm(&m->kicker, loop_now_ns() + RUN_NS);
	else
		loop_stop(m->env.loop, 0);
}

static void make(struct machine *m, enum jit_use use)
{
	const struct soc_config cfg = {
		.vcpu_count = CPUS,
		.ipa_bits = 40,
		.pauth = true,
		.spi_count = 64,
		.jit = { .use = use, .cache_bytes = JIT_CACHE_BYTES_MIN },
	};

	m->env = (struct hv_env){ .mem = mem_new(), .bus = bus_new(), .loop = loop_new() };
	EXPECT(m->env.mem && m->env.bus && m->env.loop);
	EXPECT(!mem_add_ram(m->env.mem, "ram", gpa(RAM_BASE), RAM_BYTES));
	EXPECT(!soc_create(&cfg, &m->env, &m->soc));
	loop_timer_init(&m->kicker, m->env.loop, NULL, kick, m);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char text[80];

	(void)argc, (void)argv;
	make(&interpreted, JIT_OFF);
	make(&translated, cpu_translator(text, sizeof(text)) ? JIT_ON : JIT_OFF);
	fuzz_quiet();
	return 0;
}

static void *run_cpu(void *opaque)
{
	struct cpu *c = opaque;
	struct hv_exit exit = { 0 };

	EXPECT(!cpu_run(c, &exit));
	EXPECT(exit.reason < HV_EXIT_COUNT);
	EXPECT(c->x[SLOT_ZERO] == 0 && c->el <= 1);
	atomic_fetch_sub(&running, 1);
	return NULL;
}

static void run_all(struct machine *m)
{
	pthread_t threads[CPUS];

	atomic_store(&running, CPUS);
	for (unsigned i = 0; i < CPUS; i++)
		EXPECT(!pthread_create(&threads[i], NULL, run_cpu, soc_cpu(m->soc, i)));
	loop_timer_arm(&m->kicker, loop_now_ns() + RUN_NS);
	loop_run(m->env.loop);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned flags = take_u8(&in);
	struct machine *m = flags & 4 ? &translated : &interpreted;
	struct cpu *c = soc_cpu(m->soc, 0);
	static uint8_t code[CODE_BYTES];

	take(&in, code, sizeof(code));
	EXPECT(!mem_reset(m->env.mem));
	soc_reset(m->soc);
	/* Vectors, and whatever follows the last page. */
	for (uint64_t a = RAM_BASE; a < RAM_BASE + 16 * CODE_BYTES; a += CODE_BYTES)
		EXPECT(!mem_write(m->env.mem, gpa(a), code, sizeof(code)));
	c->sys[SYS_VBAR_EL1] = CODE + (flags & 1 ? 0x800 : 0);
	c->sys[SYS_CPACR_EL1] = UINT64_C(3) << 20;
	cpu_update_fp_trap(c);
	for (unsigned i = 0; i < 31; i++)
		c->x[i] = RAM_BASE + i * 0x1008;
	if (flags & 2)
		cpu_set_daif(c, 0);
	c->pc = CODE;
	run_all(m);
	return 0;
}
