/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts that cannot be masked, as Linux plays them: PSTATE.I stays clear and ICC_PMR_EL1 masks
 * ordinary priorities, so that a more urgent SGI still gets in; also while another one is handled.
 */
#include "lib/lib.h"

enum { NORMAL = 3, URGENT = 4, PMR_ON = 0xe0, PMR_OFF = 0x60, PRIO_NORMAL = 0xa0, PRIO_URGENT = 0x20 };

static volatile unsigned normal, urgent, nested, depth, order[16], n;

static void raise(unsigned id)
{
	write_icc(ICC_SGI1R_EL1, (u64)id << 24 | 1);
	isb();
}

static void pmr(u64 v)
{
	write_icc(ICC_PMR_EL1, v);
	dsb(sy); /* as Linux does when it unmasks */
	isb();
}

static void handler(struct regs *r)
{
	unsigned id = (unsigned)read_icc(ICC_IAR1_EL1);
	u64 elr = r->elr, spsr = r->spsr;

	if (id == 1023)
		return;
	order[n++ & 15] = id;
	if (id == URGENT) {
		urgent++;
		nested += depth;
	}
	if (id == NORMAL) {
		normal++;
		depth++;
		/* Ordinary handlers run with ordinary priorities masked and PSTATE.I clear. */
		write_icc(ICC_PMR_EL1, PMR_OFF);
		irq_enable();
		if (normal == 1)
			raise(NORMAL);
		raise(URGENT);
		for (volatile unsigned k = 0; k < 100; k++)
			;
		irq_disable();
		depth--;
		write_icc(ICC_PMR_EL1, PMR_ON);
	}
	write_icc(ICC_EOIR1_EL1, id);
	isb();
	r->elr = elr;
	r->spsr = spsr;
}

static void settle(void)
{
	for (volatile unsigned k = 0; k < 1000; k++)
		;
}

void test(void)
{
	mmu_on();
	gic_init();
	gic_enable(NORMAL);
	gic_enable(URGENT);
	gic_set_priority(NORMAL, PRIO_NORMAL);
	gic_set_priority(URGENT, PRIO_URGENT);
	irq_handler = handler;

	pmr(PMR_OFF);
	report(read_icc(ICC_PMR_EL1) == PMR_OFF, "ICC_PMR_EL1 keeps the priority");
	irq_enable();
	raise(URGENT);
	settle();
	report(urgent == 1, "masked by priority: the urgent one gets in");
	irq_disable();
	raise(URGENT);
	settle();
	report(urgent == 1, "PSTATE.I holds back that one too");
	irq_enable();
	settle();
	report(urgent == 2, "until it is clear");

	write_icc(ICC_PMR_EL1, PMR_OFF);
	raise(NORMAL);
	settle();
	report(normal == 0, "the ordinary one waits");
	report(read_icc(ICC_HPPIR1_EL1) == 1023 || read_icc(ICC_HPPIR1_EL1) == NORMAL, "and is not lost");
	n = 0;
	pmr(PMR_ON);
	settle();
	report(normal >= 1, "unmasking lets it in at once");
	report(nested >= 1 && order[0] == NORMAL && order[1] == URGENT, "the urgent one interrupts its handler");
	settle();
	pmr(PMR_ON);
	settle();
	report(normal == 2, "one that came again while handled comes once more, after it (%u)", normal);
	report(read_icc(ICC_RPR_EL1) == 0xff, "nothing is active at the end (%lx)", read_icc(ICC_RPR_EL1));
	irq_disable();
}
