/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions a program expects are data; one that nobody expects is a failure and ends it. */
#include "lib.h"

void (*irq_handler)(struct regs *r);
void (*fiq_handler)(struct regs *r);
bool (*sync_handler)(struct regs *r);

static bool catching;
static struct fault caught, from_el0;
/* catch_context of context.S: callee-saved registers and SP at catch_fault. */
extern u64 catch_call(void (*fn)(u64), u64 arg);
extern char catch_return[], el0_return[];

struct fault catch_fault(void (*fn)(u64), u64 arg)
{
	caught = (struct fault){ 0 };
	catching = true;
	catch_call(fn, arg);
	catching = false;
	return caught;
}

struct fault el0_fault(void) { return from_el0; }

static struct fault fault_of(const struct regs *r)
{
	return (struct fault){ true, r->esr, r->far, r->elr, r->spsr, r->vector };
}

static void to_el1(struct regs *r, char *pc)
{
	r->elr = (u64)pc;
	r->spsr = 0x3c5; /* EL1h, DAIF masked as at start */
}

void guest_exception(struct regs *r);
void guest_exception(struct regs *r)
{
	unsigned kind = r->vector & 3, ec = (r->esr >> 26) & 0x3f;

	if (kind == 1 && irq_handler) {
		irq_handler(r);
		return;
	}
	if (kind == 2 && fiq_handler) {
		fiq_handler(r);
		return;
	}
	if (kind == 0 && sync_handler && sync_handler(r))
		return;
	if (kind == 0 && r->vector >= 8) {
		from_el0 = (struct fault){ 0 };
		if (ec != 0x15)
			from_el0 = fault_of(r);
		to_el1(r, el0_return);
		return;
	}
	if (kind == 0 && catching) {
		catching = false;
		caught = fault_of(r);
		to_el1(r, catch_return);
		return;
	}
	report(false, "unexpected exception: vector %lu esr %lx elr %lx far %lx spsr %lx", r->vector, r->esr, r->elr,
	       r->far, r->spsr);
	finish();
}
