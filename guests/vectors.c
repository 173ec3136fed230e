/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exceptions arrive at the right vector with the right ESR, ELR and SPSR. */
#include "lib/lib.h"

static u64 user_stack[64] __attribute__((aligned(16)));

static void do_svc(u64 a)
{
	(void)a;
	asm volatile("svc #0x55");
}
static void do_brk(u64 a)
{
	(void)a;
	asm volatile("brk #7");
}
static void do_udf(u64 a)
{
	(void)a;
	asm volatile(".inst 0x00000000");
}
static u64 smc_result;
#define SMC(name, imm)                                                                                              \
	static void name(u64 fn)                                                                                    \
	{                                                                                                           \
		register u64 x0 asm("x0") = fn;                                                                     \
                                                                                                                    \
		asm volatile("smc " imm                                                                             \
			     : "+r"(x0)::"x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", \
			       "x13", "x14", "x15", "x16", "x17", "memory");                                        \
		smc_result = x0;                                                                                    \
	}
SMC(smc_0, "#0")
SMC(smc_1, "#1")
static void do_hlt(u64 a)
{
	(void)a;
	asm volatile("hlt #1");
}
static void do_el2(u64 a)
{
	(void)a;
	asm volatile("mrs x0, hcr_el2" ::: "x0");
}
static void do_ro(u64 a)
{
	(void)a;
	asm volatile("msr s3_0_c0_c0_0, x0");
} /* MIDR_EL1 */
static void do_pc(u64 a)
{
	(void)a;
	asm volatile("mov x9, x30\n adr x10, 1f\n add x10, x10, #2\n br x10\n 1: mov x30, x9" ::: "x9", "x10");
}
static void do_sp(u64 a)
{
	(void)a;
	/* On SP_EL0, so that the handler has a good stack. */
	asm volatile("mov x9, sp\n add x10, x9, #8\n msr spsel, #0\n mov sp, x10\n ldr x11, [sp]\n msr spsel, #1" ::
			     : "x9", "x10", "x11");
}
static void do_fp(u64 a)
{
	(void)a;
	asm volatile("fmov d0, #1.0");
}
static void do_illegal(u64 a)
{
	(void)a;
	asm volatile("adr x9, 1f\n msr elr_el1, x9\n mov x9, #0x3c9\n msr spsr_el1, x9\n eret\n 1: nop" ::: "x9");
}
static void at_sp0(u64 a)
{
	(void)a;
	/* The handler runs on SP_EL1 whatever SPSel says. */
	asm volatile("mov x9, sp\n msr spsel, #0\n mov sp, x9\n brk #9\n msr spsel, #1" ::: "x9");
}
static void undefined_hint(u64 a)
{
	(void)a;
	asm volatile("hint #0x7f\n hint #25\n hint #40\n hint #22");
}

static void check(const char *what, void (*fn)(u64), unsigned ec, unsigned iss, bool next)
{
	struct fault f = catch_fault(fn, 0);

	report(f.taken && fault_ec(f) == ec && fault_iss(f) == iss && f.vector == 4,
	       "%s: class %x syndrome %x (got %x, %x, vector %lu)", what, ec, iss, fault_ec(f), fault_iss(f),
	       f.vector);
	if (next)
		report(*(u32 *)(f.elr - 4) != 0 && (f.esr >> 25 & 1), "%s: ELR is behind the instruction, IL is set",
		       what);
}

/*
 * Without EL3 SMC is UNDEFINED, but a hypervisor may trap it (HCR_EL2.TSC) where the processor can:
 * KVM then answers SMC #0 as HVC #0, NOT_SUPPORTED at least, and others NOT_SUPPORTED.
 */
static void check_smc(const char *what, void (*fn)(u64), u64 answer)
{
	struct fault f = catch_fault(fn, PSCI_VERSION);
	bool undefined = f.taken && fault_ec(f) == 0 && fault_iss(f) == 0 && f.vector == 4;

	report(undefined || (!f.taken && (smc_result == answer || smc_result == ~0ul)),
	       "%s without EL3: undefined, or the hypervisor answers", what);
}

static void from_el0(const char *what, const u32 *code, unsigned ec)
{
	u64 r = el0_call((u64)code, (u64)(user_stack + 64), 5);
	struct fault f = el0_fault();

	(void)r;
	report(f.taken ? fault_ec(f) == ec && f.vector == 8 : ec == 0x15, "EL0 %s: class %x (got %x)", what, ec,
	       f.taken ? fault_ec(f) : 0x15);
}

/* On a page that EL0 may execute. */
static const u32 *user_code(u32 insn)
{
	static u64 va = 0x7000000000;
	u32 *p = page_alloc();

	p[0] = insn;
	p[1] = 0xd4000001; /* svc #0 */
	va += 4096;
	asm volatile("dc cvau, %0\n dsb ish\n" ::"r"(p) : "memory");
	mmu_map(va, (u64)p, PTE_NORMAL | PTE_USER | PTE_RO | PTE_PXN);
	asm volatile("ic ivau, %0\n dsb ish\n isb" ::"r"(va) : "memory");
	return (const u32 *)va;
}

void test(void)
{
	struct fault f;

	check("SVC", do_svc, 0x15, 0x55, true);
	check("BRK", do_brk, 0x3c, 7, false);
	check("UDF", do_udf, 0, 0, false);
	check_smc("SMC #0", smc_0, hvc(PSCI_VERSION, 0, 0, 0));
	check_smc("SMC #1", smc_1, ~0ul);
	check("HLT", do_hlt, 0, 0, false);
	check("MRS HCR_EL2 without EL2", do_el2, 0, 0, false);
	check("MSR MIDR_EL1", do_ro, 0, 0, false);
	check("misaligned PC", do_pc, 0x22, 0, false);
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | 8);
	isb();
	f = catch_fault(do_sp, 0);
	report(fault_ec(f) == 0x26 && f.vector == 0, "misaligned SP: class 26 (got %x)", fault_ec(f));
	f = catch_fault(do_pc, 0);
	report((f.elr & 3) == 2 && f.far == f.elr, "misaligned PC: ELR and FAR are the target");
	check("illegal return", do_illegal, 0x0e, 0, false);
	f = catch_fault(undefined_hint, 0);
	report(!f.taken, "unallocated hints are NOPs");
	f = catch_fault(at_sp0, 0);
	report(f.taken && f.vector == 0 && (f.spsr & 0xf) == 4,
	       "with SP_EL0 the first vector group is used, SPSR says EL1t");
	write_sysreg(cpacr_el1, 0);
	isb();
	check("FP while CPACR_EL1.FPEN is 0", do_fp, 7, 0x1e00000, false);
	write_sysreg(cpacr_el1, 3 << 20);
	isb();

	mmu_on();
	/* UMA, DZE, UCT, nTWI, nTWE off: reset leaves them unknown. */
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~(1ul << 9 | 1ul << 14 | 1ul << 15 | 1ul << 16 | 1ul << 18));
	isb();
	/* Level 1 entry of 0x7000000000 is ours: EL0 code and stack. */
	mmu_map(0x6fff000000, (u64)user_stack & ~0xffful, PTE_NORMAL | PTE_USER);
	from_el0("SVC #0", user_code(0xd503201f), 0x15);
	from_el0("BRK", user_code(0xd4200000), 0x3c);
	from_el0("MRS SCTLR_EL1", user_code(0xd5381000), 0);
	from_el0("MRS CTR_EL0 with UCT=0", user_code(0xd53b0020), 0x18);
	from_el0("WFI with nTWI=0", user_code(0xd503207f), 0x01);
	from_el0("MSR DAIFSet with UMA=0", user_code(0xd50342df), 0x18);
	from_el0("HVC", user_code(0xd4000002), 0);
	from_el0("SMC", user_code(0xd4000003), 0);
	from_el0("ERET", user_code(0xd69f03e0), 0);
	from_el0("DC ZVA with DZE=0", user_code(0xd50b7420), 0x18);
	write_sysreg(cpacr_el1, 1 << 20);
	isb();
	from_el0("FP with FPEN=01", user_code(0x1e6e1000), 7);
	write_sysreg(cpacr_el1, 3 << 20);
	isb();
	from_el0("FP with FPEN=11", user_code(0x1e6e1000), 0x15);
}
