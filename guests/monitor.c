/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The exclusive monitor: when a store-exclusive must fail, and when it must succeed. */
#include "lib/lib.h"

static u64 word[8] __attribute__((aligned(64))), other_word;
static bool resume(struct regs *r)
{
	if (r->esr >> 26 == 0x3c) /* BRK: behind it */
		r->elr += 4;
	return r->esr >> 26 == 0x15 || r->esr >> 26 == 0x3c;
}

/* LDXR of word, @between, STXR; 0: stored. */
#define TRY(between)                                                                            \
	({                                                                                      \
		u64 v_, s_;                                                                     \
		asm volatile("ldxr %0, [%2]\n add %0, %0, #1\n" between "\n stxr %w1, %0, [%2]" \
			     : "=&r"(v_), "=&r"(s_)                                             \
			     : "r"(&word[0]), "r"(&other_word)                                  \
			     : "memory", "x9", "x10");                                          \
		(u32) s_;                                                                       \
	})

static unsigned stxr_alone(void)
{
	u64 s;

	asm volatile("clrex\n stxr %w0, xzr, [%1]" : "=&r"(s) : "r"(&word[0]) : "memory");
	return (u32)s;
}

static unsigned pair(void)
{
	u64 a, b, s;

	asm volatile("1: ldxp %0, %1, [%3]\n add %0, %0, #1\n stxp %w2, %0, %1, [%3]\n cbnz %w2, 1b"
		     : "=&r"(a), "=&r"(b), "=&r"(s)
		     : "r"(&word[2])
		     : "memory");
	return (u32)s;
}

static void stxr_to(u64 va) { asm volatile("mov x9, %0\n stxr w10, xzr, [x9]" ::"r"(va) : "x9", "x10", "memory"); }
static void ldxr_of(u64 va) { asm volatile("mov x9, %0\n ldxr x10, [x9]" ::"r"(va) : "x9", "x10", "memory"); }
static void ldadd_to(u64 va) { asm volatile("mov x9, %0\n ldadd x10, x10, [x9]" ::"r"(va) : "x9", "x10", "memory"); }

/*
 * Whether the fault says write; 2: no fault. A STXR that fails for want of a LDXR need not fault: which
 * of the two is found first is up to the processor (Arm ARM, AArch64.ExclusiveMonitorsPass).
 */
static unsigned wnr(void (*fn)(u64), u64 va)
{
	struct fault f = catch_fault(fn, va);

	return f.taken && fault_ec(f) == 0x25 ? f.esr >> 6 & 1 : 2;
}

void test(void)
{
	unsigned tries = 0;

	mmu_on();
	report(wnr(ldxr_of, 0x7000000000) == 0, "LDXR of nothing: a read");
	report(wnr(stxr_to, 0x7000000000) >= 1, "STXR to nothing: a write, or it fails");
	if (has_lse())
		report(wnr(ldadd_to, 0x7000000000) == 0, "LDADD to nothing: a read would fault too");
	else
		report_skip("LDADD to nothing: a read would fault too", "no FEAT_LSE");
	report(wnr(stxr_to, (u64)word + 1) >= 1, "STXR misaligned: a write, or it fails");
	mmu_map(0x7100000000, (u64)page_alloc(), PTE_NORMAL | PTE_RO);
	if (has_lse())
		report(wnr(ldadd_to, 0x7100000000) == 1, "LDADD to a read-only page: a write");
	else
		report_skip("LDADD to a read-only page: a write", "no FEAT_LSE");
	report(wnr(stxr_to, 0x7100000000) >= 1, "STXR too, or it fails");
	sync_handler = resume;
	while (TRY("") && ++tries < 1000)
		;
	report(word[0] == 1 && tries < 1000, "LDXR, STXR: stored, soon");
	report(stxr_alone() == 1 && word[0] == 1, "STXR without LDXR fails and stores nothing");
	report(TRY("clrex") == 1, "CLREX clears it");
	report(TRY("svc #0") == 1, "so do an exception and its return");
	report(TRY("brk #0") == 1, "BRK too");
	report(TRY("adr x9, 1f\n msr elr_el1, x9\n mov x9, #0x3c5\n msr spsr_el1, x9\n eret\n 1:") == 1,
	       "ERET alone");
	report(TRY("ldxr x9, [%3]") == 1, "LDXR of another place");
	report(TRY("stxr w10, xzr, [%3]") == 1, "a STXR before, wherever it went");
	report(word[0] == 1, "none of these has stored");
	tries = 0;
	while (TRY("ldr x9, [%3]\n str x9, [%3]") && ++tries < 1000)
		;
	report(word[0] == 2, "plain accesses elsewhere do not keep it from succeeding for ever");
	report(pair() == 0 && word[2] == 1, "LDXP, STXP");
	sync_handler = NULL;
}
