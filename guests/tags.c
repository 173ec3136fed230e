/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Top byte ignore: data through tagged pointers, alone and in groups, FAR with the tag, no tag in PC after a branch;
 * without TBI a tag makes an address that does not translate. Switched on and off, what was translated is asked anew.
 */
#include "lib/code.h"

#define VA     0x7100000000ul
#define TAG(n) ((u64)(n) << 56)
#define TBI0   (1ul << 37)

static u64 *page;
static u32 *code;

static void tbi(bool on)
{
	u64 tcr = read_sysreg(tcr_el1);

	write_sysreg(tcr_el1, on ? tcr | TBI0 : tcr & ~TBI0);
	isb();
	/* TCR_EL1.TBI0 may be cached in a TLB. */
	asm volatile("tlbi vmalle1\n dsb nsh\n isb" ::: "memory");
}

static void load(u64 va) { asm volatile("ldr x1, [%0]" ::"r"(va) : "x1", "memory"); }
static void store(u64 va) { asm volatile("str xzr, [%0, #8]!" : "+r"(va)::"memory"); }
static void jump(u64 va) { asm volatile("blr %0" ::"r"(va) : "x0", "x30", "memory"); }
/* Where the code at @va finds itself: adr x0, . */
static u64 where(u64 va)
{
	u64 pc;

	asm volatile("blr %1\n mov %0, x0" : "=r"(pc) : "r"(va) : "x0", "x30", "memory");
	return pc;
}
static u64 where_by_eret(u64 va)
{
	u64 pc;

	asm volatile("msr elr_el1, %1\n mov x9, #0x3c5\n msr spsr_el1, x9\n adr x30, 1f\n eret\n 1: mov %0, x0"
		     : "=r"(pc)
		     : "r"(va)
		     : "x0", "x9", "x30", "memory");
	return pc;
}

static void data(void)
{
	unsigned wrong = 0;

	for (u64 t = 0; t < 256; t++) {
		u64 p = VA | TAG(t), sum, after;

		for (unsigned i = 0; i < 8; i++)
			page[i] = t + i;
		asm volatile("ldp x1, x2, [%2]\n ldr x3, [%2, #16]\n str x3, [%2, #24]\n ldr x4, [%2, #24]\n"
			     "add %0, x1, x2\n add %0, %0, x3\n add %0, %0, x4\n mov x5, %2\n ldr x6, [x5, #32]!\n"
			     "stlr x6, [x5]\n ldxr x7, [x5]\n add x7, x7, #1\n stxr w8, x7, [x5]\n mov %1, x5\n"
			     : "=&r"(sum), "=&r"(after)
			     : "r"(p)
			     : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "memory");
		wrong += sum != 4 * t + 5 || after != p + 32 || page[3] != t + 2 || page[4] != t + 5;
	}
	report(!wrong, "256 tags, loads and stores reach the same words and the tag stays in the register");
}

static void faults(void)
{
	unsigned wrong = 0;
	struct fault f;

	for (u64 t = 1; t < 256; t += 51) {
		f = catch_fault(load, (VA + 4096) | TAG(t));
		wrong += fault_fsc(f) != 7 || f.far != ((VA + 4096) | TAG(t));
		f = catch_fault(store, (VA + 4096 - 8) | TAG(t));
		wrong += fault_fsc(f) != 7 || f.far != ((VA + 4096) | TAG(t));
	}
	report(!wrong, "FAR has the tag");
	/* The upper half is chosen by bit 55, not by the tag. */
	f = catch_fault(load, (VA | 1ul << 55) | TAG(0));
	report(f.taken && (fault_fsc(f) & 0x3c) == 4, "bit 55 chooses the other half");
}

static void branches(void)
{
	unsigned wrong = 0;

	for (u64 t = 0; t < 256; t += 15) {
		wrong += where((u64)code | TAG(t)) != (u64)code;
		wrong += where_by_eret((u64)code | TAG(t)) != (u64)code;
	}
	report(!wrong, "a branch and an exception return drop the tag: PC has none");

	struct fault f = catch_fault(jump, (VA + 4096) | TAG(0x5a));
	report(fault_ec(f) == 0x21 && f.elr == VA + 4096 && f.far == f.elr,
	       "nor have ELR and FAR of a fetch that fails");
}

static void toggling(void)
{
	unsigned wrong = 0;
	u64 p = VA | TAG(0x7f);

	for (unsigned i = 0; i < 50; i++) {
		tbi(true);
		wrong += catch_fault(load, p).taken || where((u64)code | TAG(0x7f)) != (u64)code;
		tbi(false);
		struct fault f = catch_fault(load, p);
		wrong += fault_fsc(f) != 4 || f.far != p;
		f = catch_fault(jump, (u64)code | TAG(0x7f));
		wrong += fault_ec(f) != 0x21 || fault_fsc(f) != 4;
		wrong += catch_fault(load, VA).taken;
	}
	report(!wrong, "without TBI a tagged address is none, whatever was accessed before");
}

void test(void)
{
	mmu_on();
	page = page_alloc();
	mmu_map(VA, (u64)page, PTE_NORMAL);
	mmu_flush(VA);
	code = page_alloc();
	code[0] = 0x10000000; /* adr x0, . */
	code[1] = A64_RET;
	icache_sync();
	tbi(true);
	data();
	faults();
	branches();
	toggling();
}
