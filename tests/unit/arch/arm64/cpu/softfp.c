/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What random comparison with an emulator reaches too rarely: the edge between
 * the host's arithmetic and ours, and every half-precision number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <vmm/types.h>

#include "arch/arm64/cpu/softfp.h"

static uint64_t rnd(uint64_t *s)
{
	*s ^= *s >> 12;
	*s ^= *s << 25;
	*s ^= *s >> 27;
	return *s * UINT64_C(0x2545f4914f6cdd1d);
}

/* Numbers whose sums, products and quotients lie around the smallest normal, the largest number, or 1. */
static uint64_t operand(uint64_t *s, enum fp_format f)
{
	static const unsigned exps[2][8] = {
		{ 0, 1, 2, 63, 64, 127, 190, 254 },
		{ 0, 1, 2, 511, 512, 1023, 1534, 2046 },
	};
	unsigned fbits = f == FP_S ? 23 : 52;
	uint64_t r = rnd(s), frac = rnd(s) & ((UINT64_C(1) << fbits) - 1), exp = exps[f == FP_D][r & 7];

	if (exp > 2 && (r & 64))
		exp += (r >> 8 & 1) ? 0 : -1u;
	if (r & 128)
		frac = r & 256 ? 0 : ~frac >> (r >> 9 & 15) & ((UINT64_C(1) << fbits) - 1);
	else if (r & 1024)
		frac |= ((UINT64_C(1) << fbits) - 1) & ~UINT64_C(15);
	return (r >> 63) << (fp_bits(f) - 1) | exp << fbits | frac;
}

static uint64_t sqrt_of_first(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	(void)b;
	return fp_sqrt(e, f, a);
}

static uint64_t muladd_of_sum(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	return fp_muladd(e, f, a ^ b << 3, a, b & ~UINT64_C(0) >> (64 - fp_bits(f)));
}

static void the_host_gives_what_integers_give(void **state)
{
	static fp_op2 *const ops[] = { fp_add, fp_sub, fp_mul, fp_div, sqrt_of_first, muladd_of_sum };
	static const uint32_t crs[] = { 0, FPCR_FZ, FPCR_DN, FPCR_FZ | FPCR_DN | FPCR_FZ16, 1 << 22 };
	uint64_t s = 42;

	(void)state;
	for (unsigned n = 0; n < 2000000; n++) {
		enum fp_format f = n & 1 ? FP_D : FP_S;
		uint64_t a = operand(&s, f), b = operand(&s, f);
		struct fp_env slow = { .cr = crs[n % 5] }, fast = { .cr = crs[n % 5], .sr = FPSR_IXC };
		uint64_t want = ops[n % 6](&slow, f, a, b), got = ops[n % 6](&fast, f, a, b);

		if (want != got || (slow.sr | FPSR_IXC) != fast.sr)
			fail_msg("op %u format %d fpcr %08x: %lx, %lx: %lx flags %x, on the host %lx flags %x", n % 6,
				 (int)f, slow.cr, a, b, want, slow.sr, got, fast.sr);
	}
}

static bool half_is_nan(uint64_t h) { return (h & 0x7fff) > 0x7c00; }

static void a_half_survives_the_way_to_double_and_back(void **state)
{
	(void)state;
	for (uint64_t h = 0; h < 0x10000; h++) {
		struct fp_env e = { .cr = FPCR_FZ16 };
		uint64_t d = fp_convert(&e, FP_H, FP_D, h, FP_RN);

		assert_int_equal(fp_convert(&e, FP_D, FP_H, d, FP_RN), half_is_nan(h) ? h | 0x200 : h);
		assert_int_equal(e.sr, half_is_nan(h) && !(h & 0x200) ? FPSR_IOC : 0);
	}
}

/* The alternative format has no infinity and no NaN: all 65,536 are numbers. */
static void an_alternative_half_is_always_a_number(void **state)
{
	(void)state;
	for (uint64_t h = 0; h < 0x10000; h++) {
		struct fp_env e = { .cr = FPCR_AHP };
		uint64_t s = fp_convert(&e, FP_H, FP_S, h, FP_RN);

		assert_int_equal(fp_convert(&e, FP_S, FP_H, s, FP_RN), h);
		assert_int_equal(e.sr, 0);
	}
}

/* By definition: sqrt(x) is the one whose square, computed exactly, brackets x; in half that fits a double. */
static void square_roots_of_all_halves_are_nearest(void **state)
{
	(void)state;
	for (uint64_t h = 1; h < 0x7c00; h++) {
		struct fp_env e = { .cr = 0 };
		uint64_t r = fp_sqrt(&e, FP_H, h), twice[3], x = fp_convert(&e, FP_H, FP_D, h, FP_RN);

		/* (r - ulp/2)^2 < x < (r + ulp/2)^2: an exact tie cannot be, its square has too many bits. */
		twice[0] = fp_convert(&e, FP_H, FP_D, r - 1, FP_RN);
		twice[1] = fp_convert(&e, FP_H, FP_D, r, FP_RN);
		twice[2] = fp_convert(&e, FP_H, FP_D, r + 1, FP_RN);
		for (unsigned k = 0; k < 3; k += 2) {
			uint64_t sum = fp_add(&e, FP_D, twice[k], twice[1]);
			uint64_t mid = fp_mul(&e, FP_D, sum, UINT64_C(0x3fe0000000000000)),
				 square = fp_mul(&e, FP_D, mid, mid);

			assert_true(k ? fp_cmgt(&e, FP_D, square, x) : fp_cmgt(&e, FP_D, x, square));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_host_gives_what_integers_give),
		cmocka_unit_test(a_half_survives_the_way_to_double_and_back),
		cmocka_unit_test(an_alternative_half_is_always_a_number),
		cmocka_unit_test(square_roots_of_all_halves_are_nearest),
	};

	return cmocka_run_group_tests_name("arch/arm64/cpu/softfp", tests, NULL, NULL);
}
