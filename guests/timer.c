/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The generic timers: conditions, masking, level signalling, TVAL, WFI, counters that agree between CPUs. */
#include "lib/lib.h"

static volatile unsigned fired, intid;
static volatile bool quiet = true;

/* Two timers, one body. */
struct timer {
	const char *name;
	unsigned ppi;
	void (*ctl)(u64), (*cval)(u64), (*tval)(u64);
	u64 (*get_ctl)(void), (*get_tval)(void), (*get_cval)(void), (*count)(void);
};

#define TIMER(n, reg, cnt)                                                    \
	static void n##_ctl(u64 v)                                            \
	{                                                                     \
		write_sysreg(reg##_ctl_el0, v);                               \
		isb();                                                        \
	}                                                                     \
	static void n##_cval(u64 v)                                           \
	{                                                                     \
		write_sysreg(reg##_cval_el0, v);                              \
		isb();                                                        \
	}                                                                     \
	static void n##_tval(u64 v)                                           \
	{                                                                     \
		write_sysreg(reg##_tval_el0, v);                              \
		isb();                                                        \
	}                                                                     \
	static u64 n##_get_ctl(void)                                          \
	{                                                                     \
		isb();                                                        \
		return read_sysreg(reg##_ctl_el0);                            \
	}                                                                     \
	static u64 n##_get_tval(void)                                         \
	{                                                                     \
		isb();                                                        \
		return read_sysreg(reg##_tval_el0);                           \
	}                                                                     \
	static u64 n##_get_cval(void) { return read_sysreg(reg##_cval_el0); } \
	static u64 n##_count(void)                                            \
	{                                                                     \
		isb();                                                        \
		return read_sysreg(cnt);                                      \
	}
TIMER(v, cntv, cntvct_el0)
TIMER(p, cntp, cntpct_el0)
#define ROW(n, name, ppi)                                                                                  \
	{                                                                                                  \
		name, ppi, n##_ctl, n##_cval, n##_tval, n##_get_ctl, n##_get_tval, n##_get_cval, n##_count \
	}
static const struct timer timers[] = { ROW(v, "virtual", BOARD_VTIMER_PPI), ROW(p, "physical", BOARD_PTIMER_PPI) };
static const struct timer *now;

static void handler(struct regs *r)
{
	(void)r;
	intid = gic_ack();
	fired++;
	if (quiet || fired == 5) /* nothing else runs while the level stays */
		now->ctl(0);
	gic_eoi(intid);
}

static void wait_ns(u64 ns)
{
	u64 end = v_count() + ns * (read_sysreg(cntfrq_el0) / 1000000) / 1000;

	while (v_count() < end)
		;
}

/* The GIC hears of the timer soon, not at once: a hypervisor may be between them. */
static bool pending_soon(unsigned ppi, bool pending)
{
	u64 end = v_count() + read_sysreg(cntfrq_el0);

	while (gic_pending(ppi) != pending && v_count() < end)
		;
	return gic_pending(ppi) == pending;
}

static void one(const struct timer *t)
{
	u64 start;

	now = t;
	t->ctl(0);
	t->cval(0);
	report((t->get_ctl() & 1) == 0, "%s: disabled", t->name); /* ISTATUS is unknown then */
	t->ctl(3);
	report(t->get_ctl() == 7 && !gic_pending(t->ppi), "%s: masked and expired: ISTATUS set, no interrupt",
	       t->name);
	t->ctl(1);
	report(t->get_ctl() == 5 && pending_soon(t->ppi, true), "%s: unmasked: pending in the GIC", t->name);
	/*
	 * The end of time; for the physical timer hours from now: where the processor has no CNTPOFF_EL2, KVM
	 * adds its offset to CVAL modulo 2^64, and what was to come never comes at once.
	 */
	t->cval(t == &timers[0] ? ~0ul : t->count() + (1ul << 44));
	report(t->get_ctl() == 1 && pending_soon(t->ppi, false), "%s: a new CVAL takes the level away again",
	       t->name);
	t->tval(0xffffffff);
	report((t->get_ctl() & 4) && (int32_t)t->get_tval() < 0, "%s: TVAL is signed: -1 has expired", t->name);
	t->tval(0x7fffffff);
	report(!(t->get_ctl() & 4) && t->get_cval() - t->count() <= 0x7fffffff,
	       "%s: TVAL sets CVAL relative to the count", t->name);
	t->ctl(0);

	gic_enable(t->ppi);
	irq_enable();
	fired = 0;
	start = t->count();
	t->tval(read_sysreg(cntfrq_el0) / 50); /* 20 ms */
	t->ctl(1);
	while (!fired)
		wfi();
	report(fired == 1 && intid == t->ppi && t->count() - start >= read_sysreg(cntfrq_el0) / 50,
	       "%s: WFI wakes, once, not early, INTID %u", t->name, intid);
	/* The level stays while the timer is not quietened: it comes again after every EOI. */
	irq_disable();
	quiet = false;
	fired = 0;
	t->cval(0);
	t->ctl(1);
	irq_enable();
	while (fired < 5)
		;
	irq_disable();
	t->ctl(0);
	isb();
	quiet = true;
	report(fired == 5 && pending_soon(t->ppi, false),
	       "%s: the level is signalled again after EOI until it is dropped", t->name);
	/* Masked at the CPU: WFI still ends. */
	t->tval(read_sysreg(cntfrq_el0) / 1000);
	t->ctl(1);
	wfi();
	while (!(t->get_ctl() & 4))
		wfi();
	report(true, "%s: WFI ends with PSTATE.I set", t->name);
	t->ctl(0);
	gic_disable(t->ppi);
}

static volatile u64 theirs, ask, answered, halt;
static void counter(u64 arg)
{
	(void)arg;
	while (!halt)
		if (ask != answered) {
			theirs = v_count();
			dsb(ish);
			answered = ask;
		}
}

static void agreement(void)
{
	unsigned wrong = 0;

	if (cpu_count() < 2 || !cpu_start(1, counter, 0)) {
		report_skip("counters of two CPUs agree", "one vCPU");
		return;
	}
	for (unsigned i = 1; i < 500; i++) {
		u64 before = v_count(), t;

		dsb(ish);
		ask = i;
		while (answered != i)
			;
		dsb(ish);
		t = theirs;
		wrong += t < before || v_count() < t;
	}
	halt = 1;
	cpu_wait_off(1);
	report(!wrong, "the counter of another CPU always lies between two reads of ours");
}

static u64 user(u32 insn)
{
	static u64 va = 0x7000000000;
	u32 *p = page_alloc();

	p[0] = insn;
	p[1] = 0xd4000001;
	va += 4096;
	mmu_map(va, (u64)p, PTE_NORMAL | PTE_USER | PTE_RO | PTE_PXN);
	asm volatile("ic iallu\n dsb ish\n isb" ::: "memory");
	el0_call(va, 0, 0);
	return fault_ec(el0_fault());
}

void test(void)
{
	u64 a;

	mmu_on();
	gic_init();
	irq_handler = handler;
	report(read_sysreg(cntfrq_el0) >= 1000000, "CNTFRQ_EL0 is set: %lu Hz", read_sysreg(cntfrq_el0));
	a = v_count();
	wait_ns(1000000);
	report(v_count() > a, "the counter counts");
	for (unsigned i = 0; i < ARRAY_SIZE(timers); i++)
		one(&timers[i]);
	agreement();
	write_sysreg(cntkctl_el1, 0);
	isb();
	report(user(0xd53be040) == 0x18, "EL0 reading CNTVCT_EL0 traps without EL0VCTEN");
	report(user(0xd53be320) == 0x18, "EL0 reading CNTV_CTL_EL0 traps without EL0VTEN");
	write_sysreg(cntkctl_el1, 2);
	isb();
	report(user(0xd53be040) == 0x3f, "and not with it");
}
