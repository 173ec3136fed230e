/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random numbers: RNDR and RNDRRS with their flags, TRNG of the firmware; no two alike. */
#include "lib/lib.h"

#define SMCCC_ARCH_FEATURES 0x80000001
#define TRNG_VERSION        0x84000050
#define TRNG_FEATURES       0x84000051
#define TRNG_RND64          0xc4000053

static bool rndr(u64 *v, u64 *flags)
{
	asm volatile("mrs %0, s3_3_c2_c4_0\n mrs %1, nzcv" : "=r"(*v), "=r"(*flags)::"cc");
	return *flags == 0;
}
static bool rndrrs(u64 *v, u64 *flags)
{
	asm volatile("mrs %0, s3_3_c2_c4_1\n mrs %1, nzcv" : "=r"(*v), "=r"(*flags)::"cc");
	return *flags == 0;
}
static void undefined(u64 a)
{
	u64 f;

	rndr(&a, &f);
}

/* Bits that were seen as 0 and as 1 over many numbers. */
static void judge(const char *name, bool (*get)(u64 *, u64 *))
{
	u64 v, f, ones = 0, zeros = 0, last = 0, same = 0, failed = 0, odd = 0;

	for (unsigned k = 0; k < 200; k++) {
		if (!get(&v, &f)) {
			failed++;
			odd += f != 1ul << 30 || v != 0;
			continue;
		}
		same += v == last;
		last = v;
		ones |= v;
		zeros |= ~v;
	}
	report(!odd, "%s: NZCV is 0000, or 0100 with zero", name);
	report(failed < 200 && !same && !~ones && !~zeros, "%s: every bit is both, no number twice in a row", name);
}

static bool trng(u64 *v, u64 *flags)
{
	register u64 x0 asm("x0") = TRNG_RND64;
	register u64 x1 asm("x1") = 64;
	register u64 x2 asm("x2");
	register u64 x3 asm("x3");

	asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "=r"(x2), "=r"(x3)::"memory");
	*v = x3;
	*flags = x0 ? 1ul << 30 : 0;
	return x0 == 0;
}

void test(void)
{
	if (read_sysreg(id_aa64isar0_el1) >> 60 & 0xf) {
		judge("RNDR", rndr);
		judge("RNDRRS", rndrrs);
	} else {
		struct fault f = catch_fault(undefined, 0);

		report(f.taken && fault_ec(f) == 0, "no FEAT_RNG: RNDR is undefined");
	}
	if ((int32_t)hvc(TRNG_VERSION, 0, 0, 0) < 0) {
		report((int32_t)hvc(TRNG_VERSION, 0, 0, 0) == -1 &&
			       (int32_t)hvc(TRNG_FEATURES, TRNG_RND64, 0, 0) == -1 &&
			       (int64_t)hvc(TRNG_RND64, 64, 0, 0) == -1 &&
			       (int32_t)hvc(SMCCC_ARCH_FEATURES, TRNG_VERSION, 0, 0) == -1,
		       "TRNG is not offered: its calls and its discovery say NOT_SUPPORTED");
		report_skip("random numbers of TRNG", "not offered");
		return;
	}
	report(hvc(TRNG_VERSION, 0, 0, 0) >= 0x10000, "TRNG 1.0 or later");
	report(hvc(TRNG_FEATURES, TRNG_RND64, 0, 0) == 0, "with TRNG_RND64");
	report((int64_t)hvc(TRNG_RND64, 193, 0, 0) == -2, "193 bits are refused");
	/* The document says INVALID_PARAMETERS; KVM takes it as a request for nothing. */
	report((int64_t)hvc(TRNG_RND64, 0, 0, 0) == -2 || hvc(TRNG_RND64, 0, 0, 0) == 0,
	       "0 bits are refused, or none");
	judge("TRNG_RND64", trng);
}
