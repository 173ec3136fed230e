/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Breakpoints: address, exception level, context. Arm ARM, "Breakpoint Instruction and Breakpoint exceptions". */
#include "lib/lib.h"

#define KDE    (1ul << 13)
#define MDE    (1ul << 15)
#define E      1ul
#define EL1    (1ul << 1)
#define EL0    (2ul << 1)
#define BAS    (0xful << 5)
#define HMC    (1ul << 13)
#define SSC(n) ((u64)(n) << 14)
#define LBN(n) ((u64)(n) << 16)
#define BT(n)  ((u64)(n) << 20)
enum { ADDRESS, ADDRESS_LINKED, CONTEXT, CONTEXT_LINKED };

static unsigned last; /* the highest breakpoint: it knows contexts */

static void set_last(u64 vr, u64 cr)
{
	switch (last) {
	case 1:
		write_sysreg(dbgbvr1_el1, vr);
		write_sysreg(dbgbcr1_el1, cr);
		break;
	case 5:
		write_sysreg(dbgbvr5_el1, vr);
		write_sysreg(dbgbcr5_el1, cr);
		break;
	}
	isb();
}

static void set(u64 vr, u64 cr)
{
	write_sysreg(dbgbvr0_el1, vr);
	write_sysreg(dbgbcr0_el1, cr);
	isb();
}

/* nop; nop; mov x0, #1; svc */
static const u32 words[] = { 0xd503201f, 0xd503201f, 0xd2800020 };
static u64 code;

/* Did the third instruction's breakpoint hit? */
static bool hits(void)
{
	u64 r = el0_call(code, 0, 0);
	struct fault f = el0_fault();

	(void)r;
	return f.taken && fault_ec(f) == 0x30 && f.elr == code + 8 && fault_iss(f) == 0x22;
}

__attribute__((noinline, noclone)) static void el1_code(u64 unmask)
{
	if (unmask)
		asm volatile("msr daifclr, #8" ::: "memory");
	asm volatile(".globl break_here\n nop\n break_here: nop\n" ::: "memory");
	asm volatile("msr daifset, #8" ::: "memory");
}
extern char break_here[];

static unsigned skipped;
static bool skip(struct regs *r)
{
	if (r->esr >> 26 != 0x30)
		return false;
	skipped++;
	r->elr += 4;
	return true;
}

void test(void)
{
	struct fault f;

	mmu_on();
	code = el0_code(words, ARRAY_SIZE(words));
	last = read_sysreg(id_aa64dfr0_el1) >> 12 & 0xf;
	report(last >= 1 && (read_sysreg(id_aa64dfr0_el1) >> 28 & 0xf) <= last,
	       "at least two breakpoints, no more context comparators than breakpoints");
	write_sysreg(oslar_el1, 0);
	set_last(0, 0);
	set(code + 8, E | EL0 | BAS);
	report(!hits(), "MDE=0: no breakpoints");
	write_sysreg(mdscr_el1, MDE);
	isb();
	report(hits(), "EL0: class 30, ELR is the instruction, status 22");
	report(hits(), "and again");
	el0_call(code, 0, 0);
	report(el0_fault().esr >> 25 & 1, "IL=1");
	write_sysreg(oslar_el1, 1);
	isb();
	report(!hits(), "closed OS lock: none");
	write_sysreg(oslar_el1, 0);
	set(code + 8, EL0 | BAS);
	report(!hits(), "E=0: none");
	set(code + 8, E | EL1 | BAS);
	report(!hits(), "for EL1 only: none at EL0");
	set(code + 8, E | BAS);
	report(!hits(), "for no level: none");
	set(code + 8, E | EL0 | EL1 | BAS);
	report(hits(), "for both");
	set(code + 16, E | EL0 | BAS);
	report(!hits(), "another address of the page: none");
	set(code + 8 + 4096, E | EL0 | BAS);
	report(!hits(), "the same offset in another page: none");

	sync_handler = skip;
	set(code + 8, E | EL0 | BAS);
	el0_call(code, 0, 0);
	report(skipped == 1 && !el0_fault().taken, "the handler can go on behind it");
	sync_handler = NULL;

	/* EL1. */
	set((u64)break_here, E | EL1 | EL0 | BAS);
	f = catch_fault(el1_code, 1);
	report(!f.taken, "EL1 with KDE=0: none");
	write_sysreg(mdscr_el1, MDE | KDE);
	isb();
	f = catch_fault(el1_code, 0);
	report(!f.taken, "EL1 with PSTATE.D set: none");
	f = catch_fault(el1_code, 1);
	report(fault_ec(f) == 0x31 && f.elr == (u64)break_here && fault_iss(f) == 0x22,
	       "EL1 with KDE=1, D=0: class 31");
	set((u64)break_here, E | EL0 | BAS);
	f = catch_fault(el1_code, 1);
	report(!f.taken, "for EL0 only: none at EL1");
	write_sysreg(mdscr_el1, MDE);
	isb();

	/* Context. */
	write_sysreg(contextidr_el1, 0x1234);
	isb();
	set_last(0x1234, E | EL0 | EL1 | BAS | BT(CONTEXT_LINKED));
	set(code + 8, E | EL0 | BAS | BT(ADDRESS_LINKED) | LBN(last));
	report(hits(), "linked to a context that is current");
	write_sysreg(contextidr_el1, 0x1235);
	isb();
	report(!hits(), "linked to one that is not: none");
	write_sysreg(contextidr_el1, 0x1234);
	set_last(0x1234, BAS | BT(CONTEXT_LINKED));
	report(!hits(), "linked to a disabled one: none");
	set_last(0x1234, E | EL0 | EL1 | BAS | BT(CONTEXT));
	set(0, 0);
	el0_call(code, 0, 0);
	f = el0_fault();
	report(f.taken && fault_ec(f) == 0x30 && f.elr == code,
	       "an unlinked context breakpoint: the first instruction");
	write_sysreg(contextidr_el1, 1);
	isb();
	el0_call(code, 0, 0);
	report(!el0_fault().taken, "in another context: none");
	set_last(0, 0);
	write_sysreg(mdscr_el1, 0);
}
