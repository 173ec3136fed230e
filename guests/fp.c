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

/* FPCR changes in the middle of straight-line code, and each operation uses what is there when it is reached. */
static void rounding(void)
{
	/* 1/3 to nearest, towards plus infinity, minus infinity, zero; and of -1/3. */
	static const u64 third[4] = { 0x3fd5555555555555, 0x3fd5555555555556, 0x3fd5555555555555,
				      0x3fd5555555555555 };
	static const u64 minus[4] = { 0xbfd5555555555555, 0xbfd5555555555555, 0xbfd5555555555556,
				      0xbfd5555555555555 };
	unsigned wrong = 0;
	u64 got[8], vector[2];

	for (unsigned k = 0; k < 50; k++) {
		asm volatile(
			"fmov d0, #1.0\n fmov d1, #3.0\n fmov d2, #-1.0\n"
			"mov x9, #0\n msr fpcr, x9\n fdiv d3, d0, d1\n fdiv d4, d2, d1\n stp d3, d4, [%0]\n"
			"mov x9, #0x400000\n msr fpcr, x9\n fdiv d3, d0, d1\n fdiv d4, d2, d1\n stp d3, d4, [%0, #16]\n"
			"mov x9, #0x800000\n msr fpcr, x9\n fdiv d3, d0, d1\n fdiv d4, d2, d1\n stp d3, d4, [%0, #32]\n"
			"mov x9, #0xc00000\n msr fpcr, x9\n fdiv d3, d0, d1\n fdiv d4, d2, d1\n stp d3, d4, [%0, #48]\n"
			"dup v0.2d, v0.d[0]\n dup v1.2d, v1.d[0]\n"
			"mov x9, #0x400000\n msr fpcr, x9\n fdiv v5.2d, v0.2d, v1.2d\n"
			"msr fpcr, xzr\n fdiv v6.2d, v0.2d, v1.2d\n str d5, [%1]\n str d6, [%1, #8]"
			:
			: "r"(got), "r"(vector)
			: "x9", "memory");
		for (unsigned m = 0; m < 4; m++)
			wrong += got[2 * m] != third[m] || got[2 * m + 1] != minus[m];
		wrong += vector[0] != third[1] || vector[1] != third[0];
	}
	report(!wrong, "the rounding mode changes between two divisions, scalar and vector");
}

/* Denormal input: flushed or not, from one instruction to the next; default NaN or the operand's. */
static void flushing(void)
{
	u64 kept, flushed, again, nan, standard;

	asm volatile("mov x9, #1\n fmov d0, x9\n fmov d1, #1.0\n"
		     "msr fpcr, xzr\n fmul d2, d0, d1\n mov x9, #0x1000000\n msr fpcr, x9\n fmul d3, d0, d1\n"
		     "msr fpcr, xzr\n fmul d4, d0, d1\n fmov %0, d2\n fmov %1, d3\n fmov %2, d4"
		     : "=&r"(kept), "=&r"(flushed), "=&r"(again)::"x9");
	report(kept == 1 && flushed == 0 && again == 1, "FPCR.FZ on for one multiplication");
	asm volatile("mov x9, #0x7ff8000000000000\n add x9, x9, #0x123\n fmov d0, x9\n fmov d1, #1.0\n"
		     "msr fpcr, xzr\n fadd d2, d1, d0\n mov x9, #0x2000000\n msr fpcr, x9\n fadd d3, d1, d0\n"
		     "msr fpcr, xzr\n fmov %0, d2\n fmov %1, d3"
		     : "=&r"(nan), "=&r"(standard)::"x9");
	report(nan == 0x7ff8000000000123 && standard == 0x7ff8000000000000, "FPCR.DN on for one addition");
}

/* Each bit is set by the operation before the read, and by no other. */
static void exceptions(void)
{
	static const struct {
		const char *name;
		u64 a, b;
		u8 op, want; /* 0 +, 1 *, 2 /; IXC 16, UFC 8, OFC 4, DZC 2, IOC 1 */
	} cases[] = {
		{ "1 + 1", 0x3ff0000000000000, 0x3ff0000000000000, 0, 0 },
		{ "1 / 3", 0x3ff0000000000000, 0x4008000000000000, 2, 16 },
		{ "1 / 0", 0x3ff0000000000000, 0, 2, 2 },
		{ "0 / 0", 0, 0, 2, 1 },
		{ "huge * huge", 0x7fe0000000000000, 0x7fe0000000000000, 1, 4 | 16 },
		{ "tiny * tiny", 0x0010000000000000, 0x0010000000000000, 1, 8 | 16 },
		{ "signalling NaN", 0x7ff0000000000001, 0x3ff0000000000000, 0, 1 },
		{ "infinity - infinity", 0x7ff0000000000000, 0xfff0000000000000, 0, 1 },
		{ "quiet NaN", 0x7ff8000000000001, 0x3ff0000000000000, 0, 0 },
	};
	unsigned wrong = 0;

	for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
		u64 after, before, all;

		/* What an exact operation sets in between: nothing. */
		asm volatile(
			"msr fpsr, xzr\n fmov d0, %3\n fmov d1, %4\n fmov d3, #1.0\n fadd d3, d3, d3\n mrs %0, fpsr\n"
			"cmp %w5, #1\n b.lo 1f\n b.hi 2f\n fmul d2, d0, d1\n b 3f\n"
			"1: fadd d2, d0, d1\n b 3f\n 2: fdiv d2, d0, d1\n"
			"3: mrs %1, fpsr\n fadd d3, d3, d3\n mrs %2, fpsr"
			: "=&r"(before), "=&r"(after), "=&r"(all)
			: "r"(cases[k].a), "r"(cases[k].b), "r"((u32)cases[k].op)
			: "cc");
		if (before || after != cases[k].want || all != after) {
			print("# %s: %lx, %lx, %lx\n", cases[k].name, before, after, all);
			wrong++;
		}
	}
	report(!wrong, "FPSR has what each operation sets, at once and for good");
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
	rounding();
	flushing();
	exceptions();
}
