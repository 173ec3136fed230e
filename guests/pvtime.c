/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stolen time, DEN 0057A: discovered, one record a CPU, what it says never falls. */
#include "lib/lib.h"
#include <spec/pvtime.h>
#include <spec/smccc.h>

#define WINDOW 0x6100000000 /* nothing else is there */

static u64 record_at, stolen;
static bool falls, grows;
static volatile unsigned ticks;

static u64 now_ns(void)
{
	isb();
	return read_sysreg(cntvct_el0) * 1000000 / (read_sysreg(cntfrq_el0) / 1000);
}

static void next_tick(void)
{
	write_sysreg(cntv_tval_el0, read_sysreg(cntfrq_el0) / 500);
	write_sysreg(cntv_ctl_el0, 1);
	isb();
}

/* Where Linux looks, too. */
static void on_tick(struct regs *r)
{
	unsigned intid = gic_ack();
	u64 now = read64(record_at + PVTIME_STOLEN);

	(void)r;
	falls |= now < stolen;
	grows |= now > stolen;
	stolen = now;
	ticks++;
	next_tick();
	gic_eoi(intid);
}

/* This CPU's record, at an address where it is Normal memory, as the hypervisor writes it. */
static u64 find_record(void)
{
	u64 ipa = hvc(PV_TIME_ST, 0, 0, 0);

	report(ipa == BOARD_PVTIME_BASE + (u64)cpu_id() * BOARD_PVTIME_STRIDE,
	       "CPU %u: PV_TIME_ST answers with its place on the board (%lx)", cpu_id(), ipa);
	mmu_map(WINDOW, ipa & ~4095ul, PTE_NORMAL | PTE_PXN | PTE_UXN);
	return WINDOW + (ipa & 4095);
}

static void judge(u64 arg)
{
	u64 start = now_ns();

	(void)arg;
	falls = grows = false;
	ticks = 0;
	record_at = find_record();
	report(read32(record_at + PVTIME_REVISION) == 0 && read32(record_at + PVTIME_ATTRIBUTES) == 0,
	       "revision and attributes are 0");
	stolen = read64(record_at + PVTIME_STOLEN);
	irq_handler = on_tick;
	gic_enable(BOARD_VTIMER_PPI);
	next_tick();
	irq_enable();
	while (ticks < 50)
		wfi();
	while (ticks < 100)
		;
	irq_disable();
	write_sysreg(cntv_ctl_el0, 0);
	isb();
	report(!falls, "over 100 clock ticks it never falls");
	/* A millisecond for two clocks that need not be one. */
	report(stolen < now_ns() - start + 1000000, "and no more is stolen than has passed (%lu ns)", stolen);
	/* Whether the host had something else to do is not ours to say. */
	if (grows)
		report(true, "it grows");
	else
		report_skip("it grows", "the host let this CPU run whenever it wanted");
}

static void second(u64 arg)
{
	gic_init_cpu();
	judge(arg);
}

void test(void)
{
	bool offered = hvc(PV_TIME_FEATURES, PV_TIME_ST, 0, 0) == SMCCC_SUCCESS;

	if (!offered) {
		report((int64_t)hvc(PV_TIME_ST, 0, 0, 0) == SMCCC_NOT_SUPPORTED,
		       "a record that is not offered is not there");
		report_skip("stolen time", "PV_TIME_FEATURES says NOT_SUPPORTED");
		return;
	}
	report(hvc(SMCCC_ARCH_FEATURES, PV_TIME_FEATURES, 0, 0) == SMCCC_SUCCESS, "SMCCC_ARCH_FEATURES leads there");
	report(hvc(PV_TIME_FEATURES, PV_TIME_FEATURES, 0, 0) == SMCCC_SUCCESS, "PV_TIME_FEATURES knows itself");
	report((int64_t)hvc(PV_TIME_FEATURES, PV_TIME_ST + 1, 0, 0) == SMCCC_NOT_SUPPORTED &&
		       (int64_t)hvc(PV_TIME_FEATURES, PSCI_VERSION, 0, 0) == SMCCC_NOT_SUPPORTED,
	       "and no calls of others");
	mmu_on();
	gic_init();
	judge(0);
	if (cpu_count() < 2) {
		report_skip("two CPUs", "one vCPU");
		return;
	}
	cpu_start(1, second, 0);
	cpu_wait_off(1);
}
