/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PSCI 1.1 and SMCCC 1.1: answers, errors, races for one CPU, hidden and unknown calls. */
#include "lib/lib.h"

#define SUCCESS            0
#define NOT_SUPPORTED      -1
#define INVALID_PARAMETERS -2
#define ALREADY_ON         -4

static int64_t call(u64 fn, u64 a, u64 b, u64 c) { return (int64_t)hvc(fn, a, b, c); }
static int call32(u32 fn, u64 a, u64 b, u64 c) { return (int)hvc(fn, a, b, c); }

static volatile u64 x0_seen, el_seen, daif_seen, sctlr_seen, woke;
static void record(u64 arg)
{
	x0_seen = arg;
	el_seen = read_sysreg(currentel);
	daif_seen = read_sysreg(daif);
	sctlr_seen = read_sysreg(sctlr_el1);
	woke = woke + 1;
	dsb(sy);
}

static volatile u64 racing, results[8], ready[3];
static void race(u64 me)
{
	ready[me] = 1;
	while (!racing)
		;
	results[me] = hvc(PSCI_CPU_ON, cpu_mpidr(3), racing, 0) + 100;
	dsb(sy);
}

void test(void)
{
	u32 version = (u32)call32(PSCI_VERSION, 0, 0, 0);
	bool on;

	report(version >= 0x10000 && version < 0x20000, "PSCI_VERSION: %u.%u", version >> 16, version & 0xffff);
	report(call32(0x8400000a, PSCI_CPU_ON, 0, 0) == SUCCESS, "PSCI_FEATURES(CPU_ON)");
	report(call32(0x8400000a, 0x80000000, 0, 0) == SUCCESS, "PSCI_FEATURES(SMCCC_VERSION)");
	report(call32(0x8400000a, 0x84000555, 0, 0) == NOT_SUPPORTED, "PSCI_FEATURES of an unknown function");
	report(call32(0x80000000, 0, 0, 0) >= 0x10001, "SMCCC_VERSION is 1.1 or later");
	/* It exists, says DEN 0028; KVM answers only for what is optional. */
	int itself = call32(0x80000001, 0x80000001, 0, 0);
	report(itself == SUCCESS || itself == NOT_SUPPORTED, "SMCCC_ARCH_FEATURES of itself: a lawful answer");
	report(call(0xc4000666, 0, 0, 0) == NOT_SUPPORTED, "an unknown function id: NOT_SUPPORTED");
	report(call(0xbf00ff01, 0, 0, 0) == NOT_SUPPORTED, "an unknown owner: NOT_SUPPORTED");
	report(call32(0x84000006, 0, 0, 0) == 2, "MIGRATE_INFO_TYPE: no migration needed");
	report(call(PSCI_CPU_ON, cpu_mpidr(0), 0x40200000, 0) == ALREADY_ON, "CPU_ON of oneself: ALREADY_ON");
	report(call(PSCI_CPU_ON, 0x12345600, 0x40200000, 0) == INVALID_PARAMETERS,
	       "CPU_ON of nobody: INVALID_PARAMETERS");
	report(call(PSCI_AFFINITY_INFO, cpu_mpidr(0), 0, 0) == 0, "AFFINITY_INFO of oneself: ON");
	report(call(PSCI_AFFINITY_INFO, 0x12345600, 0, 0) == INVALID_PARAMETERS, "AFFINITY_INFO of nobody");
	/* SMC32: the upper halves of the arguments are ignored. */
	report(call32(0x84000004, cpu_mpidr(0) | 0xdeadul << 32, 0, 0) == 0, "a 32-bit call ignores upper halves");
	if (call32(0x80000001, 0x84000050, 0, 0) >= 0 || call32(0x84000050, 0, 0, 0) > 0) {
		report(call32(0x84000050, 0, 0, 0) >= 0x10000, "TRNG_VERSION");
		report(call32(0x84000053, 32, 0, 0) == SUCCESS, "TRNG_RND32 of 32 bits");
		report(call32(0x84000053, 97, 0, 0) == INVALID_PARAMETERS, "TRNG_RND32 of 97 bits: refused");
	} else {
		report_skip("TRNG", "not offered");
	}
	if (cpu_count() < 2) {
		report_skip("CPU_ON", "one vCPU");
		return;
	}
	report(call(PSCI_AFFINITY_INFO, cpu_mpidr(1), 0, 0) == 1, "another CPU starts OFF");
	on = cpu_start(1, record, 0x1234);
	report(on, "CPU_ON: SUCCESS");
	cpu_wait_off(1);
	report(x0_seen == 0x1234 && el_seen == 4 && (daif_seen & 0x3c0) == 0x3c0 && !(sctlr_seen & 1),
	       "it enters at EL1 with interrupts masked, MMU off (%lx %lx %lx %lx)", x0_seen, el_seen, daif_seen,
	       sctlr_seen);
	for (unsigned i = 0; i < 200; i++) {
		cpu_start(1, record, i);
		cpu_wait_off(1);
	}
	report(woke == 201, "on and off 200 times (%lu)", woke);

	if (cpu_count() < 4) {
		report_skip("two CPUs race for a third", "fewer than four vCPUs");
		return;
	}
	unsigned wrong = 0;
	for (unsigned i = 0; i < 50; i++) {
		extern char park[];

		ready[1] = ready[2] = racing = 0;
		cpu_start(1, race, 1);
		cpu_start(2, race, 2);
		while (!ready[1] || !ready[2])
			;
		racing = (u64)park;
		cpu_wait_off(1);
		cpu_wait_off(2);
		cpu_wait_off(3);
		/* One SUCCESS; the other ALREADY_ON, ON_PENDING, or SUCCESS if the CPU was off again. */
		int64_t a = (int64_t)results[1] - 100, b = (int64_t)results[2] - 100;
		wrong += !((a == 0 || a == -4 || a == -5) && (b == 0 || b == -4 || b == -5) && (a == 0 || b == 0));
	}
	report(!wrong, "two CPUs racing to turn on a third: at least one SUCCESS, the other a lawful answer");
}

asm(".text\n.globl park\npark: mov x9, #2000\n"
    "1: subs x9, x9, #1\n b.ne 1b\n mov x0, #2\n movk x0, #0x8400, lsl #16\n hvc #0\n b .");
