/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest out of random words, run by the dispatcher: blocks, jump caches,
 * exceptions, code that writes code, two vCPUs of which the second may be
 * switched on. What never ends by itself is kicked.
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

static struct hv_env env;
static struct soc *soc;

/* Ends each of the vCPUs after a while. */
static struct loop_timer kicker;
static _Atomic unsigned running;

static void kick(void *opaque)
{
	(void)opaque;
	for (unsigned i = 0; i < CPUS; i++)
		cpu_kick(soc_cpu(soc, i));
	/* Sticky, but one before the run began is used up by a system event that went first. */
	if (atomic_load(&running))
		loop_timer_arm(&kicker, loop_now_ns() + RUN_NS);
	else
		loop_stop(env.loop, 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct soc_config cfg = { .vcpu_count = CPUS, .ipa_bits = 40, .pauth = true, .spi_count = 64 };

	(void)argc, (void)argv;
	env = (struct hv_env){ .mem = mem_new(), .bus = bus_new(), .loop = loop_new() };
	EXPECT(env.mem && env.bus && env.loop);
	EXPECT(!mem_add_ram(env.mem, "ram", gpa(RAM_BASE), RAM_BYTES));
	EXPECT(!soc_create(&cfg, &env, &soc));
	loop_timer_init(&kicker, env.loop, NULL, kick, NULL);
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

static void run_all(void)
{
	pthread_t threads[CPUS];

	atomic_store(&running, CPUS);
	for (unsigned i = 0; i < CPUS; i++)
		EXPECT(!pthread_create(&threads[i], NULL, run_cpu, soc_cpu(soc, i)));
	loop_timer_arm(&kicker, loop_now_ns() + RUN_NS);
	loop_run(env.loop);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct cpu *c = soc_cpu(soc, 0);
	unsigned flags = take_u8(&in);
	static uint8_t code[CODE_BYTES];

	take(&in, code, sizeof(code));
	EXPECT(!mem_reset(env.mem));
	soc_reset(soc);
	/* Vectors, and whatever follows the last page. */
	for (uint64_t a = RAM_BASE; a < RAM_BASE + 16 * CODE_BYTES; a += CODE_BYTES)
		EXPECT(!mem_write(env.mem, gpa(a), code, sizeof(code)));
	c->sys[SYS_VBAR_EL1] = CODE + (flags & 1 ? 0x800 : 0);
	c->sys[SYS_CPACR_EL1] = UINT64_C(3) << 20;
	cpu_update_fp_trap(c);
	for (unsigned i = 0; i < 31; i++)
		c->x[i] = RAM_BASE + i * 0x1008;
	if (flags & 2)
		cpu_set_daif(c, 0);
	c->pc = CODE;
	run_all();
	return 0;
}
