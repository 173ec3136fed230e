/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Software step: when it is on, what an exception says, which instructions count. Arm ARM, "Software Step
 * exceptions". */
#include "lib/lib.h"

#define SS      (1ul << 0)
#define KDE     (1ul << 13)
#define SPSR_SS (1ul << 21)
#define ISV     (1u << 24)
#define EX      (1u << 6)

static struct {
	u64 elr, esr, spsr;
} seen[32];
static unsigned count, limit;
static struct fault other;

/* Goes on stepping until @limit, then turns it off. */
static bool handler(struct regs *r)
{
	unsigned ec = r->esr >> 26 & 0x3f;

	if (ec != 0x32 && ec != 0x33) {
		other = (struct fault){ true, r->esr, r->far, r->elr, r->spsr, r->vector };
		return false;
	}
	if (count < ARRAY_SIZE(seen)) {
		seen[count].elr = r->elr;
		seen[count].esr = r->esr;
		seen[count].spsr = r->spsr;
	}
	if (++count >= limit)
		write_sysreg(mdscr_el1, 0);
	else
		r->spsr |= SPSR_SS;
	return true;
}

static void run_el0(u64 entry, u64 arg, unsigned n)
{
	count = 0;
	limit = n;
	other.taken = false;
	write_sysreg(mdscr_el1, SS);
	isb();
	el0_call(entry, 0, arg);
	write_sysreg(mdscr_el1, 0);
	isb();
}

__attribute__((noinline, noclone)) static void el1_steps(u64 mdscr)
{
	count = 0;
	limit = 3;
	asm volatile("msr mdscr_el1, %0\n isb\n"
		     "msr daifclr, #8\n"
		     ".globl step_here\n step_here: nop\n nop\n nop\n"
		     "msr daifset, #8\n" ::"r"(mdscr)
		     : "memory");
	write_sysreg(mdscr_el1, 0);
	isb();
}
extern char step_here[];

static u32 iss(unsigned n) { return seen[n].esr & 0x1ffffff; }

void test(void)
{
	static const u32 plain[] = { 0xd503201f, 0xc85f7c01, 0xc8027c01, 0xd503201f }; /* nop; ldxr; stxr; nop; svc */
	static const u32 branch[] = { 0x14000002, 0x00000000, 0xd503201f };            /* b .+8; udf; nop; svc */
	static const u32 bad[] = { 0xd503201f, 0x00000000 };                           /* nop; udf */
	static const u32 fault[] = { 0xd503201f, 0xf940001f, 0xd503201f };             /* nop; ldr xzr, [x0]; nop */
	u64 code, data;

	mmu_on();
	code = el0_code(plain, ARRAY_SIZE(plain));
	data = el0_data();
	sync_handler = handler;

	write_sysreg(oslar_el1, 1);
	isb();
	report(read_sysreg(oslsr_el1) & 2, "the OS lock can be closed");
	run_el0(code, data, 20);
	report(!count, "closed OS lock: no step exceptions");
	write_sysreg(oslar_el1, 0);
	isb();
	report(!(read_sysreg(oslsr_el1) & 2), "and opened");

	run_el0(code, data, 20);
	report(count == 5, "SS=0 in SPSR: one exception at once, then one for each of four instructions (%u)", count);
	report(seen[0].elr == code && fault_ec((struct fault){ true, seen[0].esr, 0, 0, 0, 0 }) == 0x32,
	       "class 32, ELR is the instruction not yet executed");
	report(iss(0) == 0x22, "nothing was stepped: ISV=0 (%x)", iss(0));
	report(seen[1].elr == code + 4 && iss(1) == (ISV | 0x22), "after NOP: ISV=1 EX=0 (%x)", iss(1));
	report(seen[2].elr == code + 8 && iss(2) == (ISV | EX | 0x22), "after LDXR: ISV=1 EX=1 (%x)", iss(2));
	report(seen[3].elr == code + 12 && iss(3) == (ISV | 0x22), "after STXR: ISV=1 EX=0 (%x)", iss(3));
	report(!(seen[1].spsr & SPSR_SS) && (seen[1].esr >> 25 & 1), "SPSR.SS=0, IL=1");
	report(other.taken && other.elr == code + 20 && !(other.spsr & SPSR_SS), "SVC counts as stepped: SPSR.SS=0");

	code = el0_code(branch, ARRAY_SIZE(branch));
	run_el0(code, data, 20);
	report(count == 3 && seen[1].elr == code + 8, "a branch is one step");

	code = el0_code(bad, ARRAY_SIZE(bad));
	run_el0(code, data, 20);
	report(count == 2 && other.elr == code + 4 && (other.esr >> 26) == 0 && (other.spsr & SPSR_SS),
	       "an undefined instruction while stepped: SPSR.SS=1");

	code = el0_code(fault, ARRAY_SIZE(fault));
	run_el0(code, data + 4096, 20);
	report(count == 2 && (other.esr >> 26) == 0x24 && (other.spsr & SPSR_SS),
	       "a data abort while stepped: SPSR.SS=1");
	run_el0(code, data, 20);
	report(count == 4, "and without the fault three steps");

	code = el0_code(plain, ARRAY_SIZE(plain));
	run_el0(code, data, 1);
	report(count == 1 && !(read_sysreg(mdscr_el1) & 1), "the handler can end stepping");

	el1_steps(SS);
	report(!count, "EL1 with KDE=0: none");
	el1_steps(SS | KDE);
	report(count == 3 && (seen[0].esr >> 26) == 0x33 && seen[0].elr == (u64)step_here,
	       "EL1 with KDE=1 and PSTATE.D clear: class 33, right after D is cleared (%u)", count);
	report(iss(0) == 0x22 && iss(1) == (ISV | 0x22), "ISV as at EL0");
	report(seen[1].elr == (u64)step_here + 4 && seen[2].elr == (u64)step_here + 8, "one instruction each");
	sync_handler = NULL;
}
