/* SPDX-License-Identifier: GPL-2.0-or-later */
/* FP and Advanced SIMD as a unit that can be switched: every kind of use traps or none does; registers survive. */
#include "lib/lib.h"

#define USE(name, text) \
	static void name(u64 a) { asm volatile(".arch armv8.5-a\n" text ::"r"(a) : "memory", "x9"); }
static u64 buffer[8] __attribute__((aligned(16)));
USE(scalar, "fadd d0, d1, d2")
USE(vector, "add v0.4s, v1.4s, v2.4s")
USE(load, "ldr q0, [%0]")
USE(pair, "stp d0, d1, [%0]")
USE(structure, "ld1 {v0.8b}, [%0]")
USE(move, "fmov x9, d0")
USE(convert, "scvtf d0, %0")
USE(compare, "fcmp d0, d1")
USE(read_fpcr, "mrs x9, fpcr")
USE(write_fpsr, "msr fpsr, xzr")
USE(aes, ".inst 0x4e284820")
static const struct {
	const char *name;
	void (*fn)(u64);
} uses[] = {
	{ "FADD", scalar },        { "vector ADD", vector },   { "LDR Q", load },    { "STP D", pair },
	{ "LD1", structure },      { "FMOV", move },           { "SCVTF", convert }, { "FCMP", compare },
	{ "MRS FPCR", read_fpcr }, { "MSR FPSR", write_fpsr }, { "AESE", aes },
};

static void fpen(u64 v)
{
	write_sysreg(cpacr_el1, v << 20);
	isb();
}

static unsigned lazy;
static bool enable(struct regs *r)
{
	(void)r;
	if (r->esr >> 26 != 7)
		return false;
	lazy++;
	write_sysreg(cpacr_el1, 3 << 20);
	isb();
	return true;
}

static u64 multiply(u64 a, u64 b)
{
	u64 r;

	asm volatile("scvtf d0, %1\n scvtf d1, %2\n fmul d0, d0, d1\n fcvtzs %0, d0" : "=r"(r) : "r"(a), "r"(b));
	return r;
}

void test(void)
{
	static const u32 words[] = { 0x1e622820 }; /* fadd d0, d1, d2 */
	static const u8 traps_el1[4] = { 1, 0, 1, 0 }, traps_el0[4] = { 1, 1, 1, 0 };
	u64 code, sum = 0;

	mmu_on();
	code = el0_code(words, 1);
	for (unsigned v = 0; v < 4; v++) {
		unsigned bad = 0;
		struct fault f;

		for (unsigned k = 0; k < ARRAY_SIZE(uses); k++) {
			fpen(v);
			f = catch_fault(uses[k].fn, (u64)buffer);
			if (f.taken != traps_el1[v] || (f.taken && (fault_ec(f) != 7 || fault_iss(f) != 0x1e00000))) {
				print("# %s: %u %lx\n", uses[k].name, f.taken, f.esr);
				bad++;
			}
		}
		el0_call(code, 0, 0);
		f = el0_fault();
		bad += f.taken != traps_el0[v] || (f.taken && fault_ec(f) != 7);
		report(!bad, "CPACR_EL1.FPEN=%u: %s", v,
		       traps_el0[v] ? traps_el1[v] ? "everything traps" : "EL0 traps" : "nothing traps");
	}

	/* As a kernel does it: off, the first use turns it on; what was decoded before must know. */
	sync_handler = enable;
	for (u64 k = 0; k < 100; k++) {
		fpen(0);
		sum += multiply(k, 3);
	}
	sync_handler = NULL;
	report(lazy == 100 && sum == 3 * 4950, "one trap each time, the instruction runs again (%u, %lu)", lazy, sum);

	fpen(3);
	asm volatile("mov x9, #0x1234\n fmov d7, x9\n" ::: "x9");
	fpen(0);
	fpen(3);
	asm volatile("fmov %0, d7" : "=r"(sum));
	report(sum == 0x1234, "registers keep their values while it is off");
	write_sysreg(fpcr, 3ul << 22);
	asm volatile("fmov d0, #1.0\n fmov d1, #3.0\n fdiv d2, d0, d1\n fmov %0, d2" : "=r"(sum));
	report(sum == 0x3fd5555555555555, "FPCR.RMode towards zero: 1/3 (%lx)", sum);
	write_sysreg(fpcr, 1ul << 22);
	asm volatile("fmov d0, #1.0\n fmov d1, #3.0\n fdiv d2, d0, d1\n fmov %0, d2" : "=r"(sum));
	report(sum == 0x3fd5555555555556, "and towards plus infinity (%lx)", sum);
	write_sysreg(fpcr, 0);
	write_sysreg(fpsr, 0);
	asm volatile("fmov d0, #1.0\n fmov d1, xzr\n fdiv d2, d0, d1");
	report(read_sysreg(fpsr) == 2, "division by zero: FPSR.DZC (%lx)", read_sysreg(fpsr));
	asm volatile("fmov d1, xzr\n fdiv d2, d1, d1");
	report(read_sysreg(fpsr) == 3, "0/0 adds IOC: flags stay");
}
