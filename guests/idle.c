/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting: WFI until an interrupt, masked or not; WFE until an event; SEV to another CPU; no lost wake-ups. */
#include "lib/lib.h"

static volatile u64 state, woken, rounds;
static volatile bool stop;

static unsigned take(void)
{
	unsigned i = gic_ack();

	if (i < 1020)
		gic_eoi(i);
	return i;
}

/* Sleeps with interrupts masked, acknowledges by hand, answers. */
static void sleeper(u64 arg)
{
	(void)arg;
	gic_init_cpu();
	gic_enable(1);
	state = 1;
	while (!stop) {
		unsigned i;

		wfi();
		i = take();
		if (i == 1)
			woken++;
	}
}

static void eventer(u64 arg)
{
	(void)arg;
	state = 2;
	while (!stop) {
		while (rounds == woken && !stop)
			asm volatile("wfe" ::: "memory");
		woken = rounds;
		asm volatile("dsb ish\n sev" ::: "memory");
	}
}

static u64 now(void)
{
	isb();
	return read_sysreg(cntvct_el0);
}

static void timer_in_ms(u64 ms)
{
	write_sysreg(cntv_cval_el0, now() + read_sysreg(cntfrq_el0) / 1000 * ms);
	write_sysreg(cntv_ctl_el0, 1);
	isb();
}

void test(void)
{
	u64 start, freq = read_sysreg(cntfrq_el0);
	unsigned n = 0, i;

	mmu_on();
	gic_init();
	gic_enable(BOARD_VTIMER_PPI);
	start = now();
	timer_in_ms(20);
	do {
		wfi();
		n++;
		i = take();
	} while (i != BOARD_VTIMER_PPI && n < 1000);
	write_sysreg(cntv_ctl_el0, 0);
	isb();
	report(i == BOARD_VTIMER_PPI && now() - start >= freq / 1000 * 20,
	       "WFI with interrupts masked: the timer ends it, not before time");
	report(n < 100, "it slept (%u times)", n);
	timer_in_ms(0);
	start = now();
	wfi();
	report(now() - start < freq, "WFI with the interrupt already there does not wait");
	write_sysreg(cntv_ctl_el0, 0);
	isb();

	asm volatile("sevl\n wfe" ::: "memory");
	report(true, "WFE after SEVL does not wait");
	asm volatile("sev\n wfe" ::: "memory");
	report(true, "nor after one's own SEV");

	if (cpu_count() < 2) {
		report_skip("two CPUs", "one vCPU");
		return;
	}
	cpu_start(1, sleeper, 0);
	while (state != 1)
		;
	start = now();
	for (n = 0; n < 2000 && now() - start < 20 * freq; n++) {
		u64 was = woken;

		gic_sgi(1, 1);
		while (woken == was && now() - start < 20 * freq)
			asm volatile("yield");
	}
	report(n == 2000, "2000 SGIs wake a CPU in WFI 2000 times (%u)", n);
	stop = true;
	gic_sgi(1, 1);
	cpu_wait_off(1);

	stop = false;
	rounds = woken = 0;
	cpu_start(1, eventer, 0);
	while (state != 2)
		;
	start = now();
	for (n = 0; n < 2000 && now() - start < 20 * freq; n++) {
		rounds++;
		asm volatile("dsb ish\n sev" ::: "memory");
		while (woken != rounds && now() - start < 20 * freq)
			asm volatile("wfe" ::: "memory");
	}
	report(n == 2000, "2000 SEVs to and fro (%u)", n);
	stop = true;
	asm volatile("dsb ish\n sev" ::: "memory");
	cpu_wait_off(1);
}
