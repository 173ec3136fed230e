/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts that cannot be masked, as Linux plays them: PSTATE.I stays clear and the priority mask holds
 * back ordinary priorities, so that a more urgent SGI still gets in; also while another one is handled.
 */
#include "lib/lib.h"

enum { NORMAL = 3, URGENT = 4, PMR_ON = 0xe0, PMR_OFF = 0x60, PRIO_NORMAL = 0xa0, PRIO_URGENT = 0x20 };

static volatile unsigned normal, urgent, nested, depth, order[16], n;

static void raise(unsigned id) { gic_sgi(id, 0); }

static void handler(struct regs *r)
{
	unsigned id = gic_ack();
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
		gic_set_pmr(PMR_OFF);
		irq_enable();
		if (normal == 1)
			raise(NORMAL);
		raise(URGENT);
		for (volatile unsigned k = 0; k < 100; k++)
			;
		irq_disable();
		depth--;
		gic_set_pmr(PMR_ON);
	}
	gic_eoi(id);
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

	gic_set_pmr(PMR_OFF);
	report(gic_pmr() == PMR_OFF, "the mask keeps the priority");
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

	gic_set_pmr(PMR_OFF);
	raise(NORMAL);
	settle();
	report(normal == 0, "the ordinary one waits");
	report(gic_highest_pending() == 1023 || gic_highest_pending() == NORMAL, "and is not lost");
	n = 0;
	gic_set_pmr(PMR_ON);
	settle();
	report(normal >= 1, "unmasking lets it in at once");
	report(nested >= 1 && order[0] == NORMAL && order[1] == URGENT, "the urgent one interrupts its handler");
	settle();
	gic_set_pmr(PMR_ON);
	settle();
	report(normal == 2, "one that came again while handled comes once more, after it (%u)", normal);
	report(gic_running() == 0xff, "nothing is active at the end (%x)", gic_running());
	irq_disable();
}
