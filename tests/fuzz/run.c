/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest out of random words, run by the dispatcher, interpreted or translated:
 * blocks, jump caches, exceptions, code that writes code, two vCPUs of which the
 * second may be switched on. What never ends by itself is kicked.
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
#define TABLES     (RAM_BASE + 1 * MIB)
#define RUN_NS     2000000
#define CPUS       2

enum {
	FLAG_VECTORS = 1 << 0, /* in the middle of the code */
	FLAG_UNMASKED = 1 << 1,
	FLAG_EL0 = 1 << 2,
	FLAG_MMU = 1 << 3,
	FLAG_ENGINE = 4, /* bits 5:4 */
};

/* One for each way to execute instructions: a soc is made for one. */
static const struct jit_config engines[4] = {
	{ .use = JIT_OFF },
	{ .use = JIT_ON, .cache_bytes = JIT_CACHE_BYTES_MIN },
	{ .use = JIT_ON, .cache_bytes = JIT_CACHE_BYTES_MIN, .fp_strict = true, .smc_track = true },
	{ .use = JIT_ON, .cache_bytes = JIT_CACHE_BYTES_MIN, .count = true },
};

static struct machine {
	struct hv_env env;
	struct soc *soc;
	struct loop_timer kicker; /* ends each of the vCPUs after a while */
} machines[ARRAY_SIZE(engines)];

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

static void create(struct machine *m, const struct jit_config *engine)
{
	struct soc_config cfg = { .vcpu_count = CPUS, .ipa_bits = 40, .pauth = true, .spi_count = 64 };
	char text[80];

	if (cpu_translator(text, sizeof(text)))
		cfg.jit = *engine;
	m->env = (struct hv_env){ .mem = mem_new(), .bus = bus_new(), .loop = loop_new() };
	EXPECT(m->env.mem && m->env.bus && m->env.loop);
	EXPECT(!mem_add_ram(m->env.mem, "ram", gpa(RAM_BASE), RAM_BYTES));
	EXPECT(!soc_create(&cfg, &m->env, &m->soc));
	loop_timer_init(&m->kicker, m->env.loop, NULL, kick, m);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	for (unsigned n = 0; n < ARRAY_SIZE(engines); n++)
		create(&machines[n], &engines[n]);
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

/* ---- Address translation ---- */

#define TABLE      UINT64_C(3)
#define PAGE       UINT64_C(3)
#define ACCESSED   (UINT64_C(1) << 10)
#define NOT_GLOBAL (UINT64_C(1) << 11)
#define AP(n)      ((uint64_t)(n) << 6)
#define PXN        (UINT64_C(1) << 53)
#define DEVICE     (UINT64_C(1) << 2) /* attribute 1 */

static void put_u64(struct machine *m, uint64_t pa, uint64_t v)
{
	EXPECT(!mem_write(m->env.mem, gpa(pa), &v, sizeof(v)));
}

/*
 * RAM at its place, 39 bits of address. Code is executed at both levels, from pages that EL1 alone may write to,
 * and some that nobody may; data is everybody's, with a hole, a page of Device memory and aliases of code.
 */
static void make_tables(struct machine *m)
{
	static const uint64_t code[4] = { AP(0), AP(3), AP(2) | NOT_GLOBAL, AP(0) | NOT_GLOBAL };

	put_u64(m, TABLES + 8, (TABLES + 0x1000) | TABLE);
	put_u64(m, TABLES + 0x1000, (TABLES + 0x2000) | TABLE);
	for (unsigned n = 0; n < RAM_BYTES / 4096; n++) {
		uint64_t page = RAM_BASE + (n >= 64 && n < 80 ? n - 64 : n) * 4096u, e = PAGE | ACCESSED;

		if (n < 16)
			e |= code[n & 3];
		else
			e |= AP(1) | PXN | (n == 30 ? DEVICE : 0);
		put_u64(m, TABLES + 0x2000 + n * 8, n == 29 ? 0 : page | e);
	}
}

static void mmu_on(struct machine *m)
{
	make_tables(m);
	for (unsigned i = 0; i < CPUS; i++) {
		struct cpu *c = soc_cpu(m->soc, i);

		c->sys[SYS_TCR_EL1] = 25 | TCR_AS | UINT64_C(2) << 32 | UINT64_C(1) << 23;
		c->sys[SYS_MAIR_EL1] = 0x00ff; /* 0 Normal, 1 Device */
		c->sys[SYS_TTBR0_EL1] = TABLES | UINT64_C(1) << 48;
		c->sys[SYS_SCTLR_EL1] |= SCTLR_M;
		mmu_regime_changed(c);
	}
}

/* ---- One input ---- */

static void start(struct machine *m, unsigned flags)
{
	struct cpu *c = soc_cpu(m->soc, 0);

	c->sys[SYS_VBAR_EL1] = CODE + (flags & FLAG_VECTORS ? 0x800 : 0);
	c->sys[SYS_CPACR_EL1] = UINT64_C(3) << 20;
	cpu_update_fp_trap(c);
	for (unsigned i = 0; i < 31; i++)
		c->x[i] = RAM_BASE + i * 0x1008;
	c->x[SLOT_SP] = RAM_BASE + 0x20000;
	c->sp_el[0] = RAM_BASE + 0x22000;
	if (flags & FLAG_MMU)
		mmu_on(m);
	if (flags & FLAG_UNMASKED)
		cpu_set_daif(c, 0);
	if (flags & FLAG_EL0)
		cpu_set_el(c, 0, 0);
	c->pc = CODE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned flags = take_u8(&in);
	struct machine *m = &machines[flags >> FLAG_ENGINE & 3];
	static uint8_t code[CODE_BYTES];

	take(&in, code, sizeof(code));
	EXPECT(!mem_reset(m->env.mem));
	soc_reset(m->soc);
	/* Vectors, and whatever follows the last page. */
	for (uint64_t a = RAM_BASE; a < RAM_BASE + 16 * CODE_BYTES; a += CODE_BYTES)
		EXPECT(!mem_write(m->env.mem, gpa(a), code, sizeof(code)));
	start(m, flags);
	run_all(m);
	return 0;
}
