/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm floating point in integer arithmetic: what the exec_ functions of the
 * FP and Advanced SIMD classes are made of. Knows nothing of the CPU but FPCR
 * and FPSR, and answers as "shared/functions/float" of the Arm ARM does, bit
 * for bit: NaN selection, default NaN, flushing, rounding and sticky flags.
 *
 * Values travel as bit patterns in the low bits of a uint64_t; bits above the
 * format's width are 0 in results and ignored in operands.
 */
#ifndef CPU_SOFTFP_H
#define CPU_SOFTFP_H

#include <stdbool.h>
#include <stdint.h>

/* For H, S and D the value is log2 of the size in bytes. */
enum fp_format { FP_B /* BFloat16 */, FP_H, FP_S, FP_D };

/* The first four are FPCR.RMode. */
enum fp_round {
	FP_RN, FP_RP, FP_RM, FP_RZ,
	FP_RA,          /* to nearest, ties away from zero */
	FP_ODD,         /* inexact results get an odd last bit; overflow stops at the largest number */
	FP_ODD_INF,     /* the same, but overflow is infinity (BFDOT) */
};

#define FPCR_FZ16     (UINT32_C(1) << 19)
#define FPCR_FZ       (UINT32_C(1) << 24)
#define FPCR_DN       (UINT32_C(1) << 25)
#define FPCR_AHP      (UINT32_C(1) << 26)
#define FPCR_RMODE(v) ((enum fp_round)((v) >> 22 & 3))

#define FPSR_IOC (UINT32_C(1) << 0)
#define FPSR_DZC (UINT32_C(1) << 1)
#define FPSR_OFC (UINT32_C(1) << 2)
#define FPSR_UFC (UINT32_C(1) << 3)
#define FPSR_IXC (UINT32_C(1) << 4)
#define FPSR_IDC (UINT32_C(1) << 7)

/*
 * FPCR, and FPSR to which operations only ever add bits. Start sr from the
 * CPU's own FPSR: once IXC is set there, ordinary arithmetic may be left to the
 * host.
 */
struct fp_env { uint32_t cr, sr; };

typedef uint64_t fp_op1(struct fp_env *e, enum fp_format f, uint64_t a);
typedef uint64_t fp_op2(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b);

static inline unsigned fp_bits(enum fp_format f) { return f == FP_B ? 16 : 8u << f; }

/* Sign operations touch nothing else and raise nothing, whatever the operand is. */
static inline uint64_t fp_neg(enum fp_format f, uint64_t a) { return a ^ UINT64_C(1) << (fp_bits(f) - 1); }
static inline uint64_t fp_abs(enum fp_format f, uint64_t a) { return a & ~(UINT64_C(1) << (fp_bits(f) - 1)); }

/* Arithmetic, rounded as FPCR says. fp_mulx: infinity times zero is 2. */
fp_op2 fp_add, fp_sub, fp_mul, fp_mulx, fp_div;
fp_op1 fp_sqrt;

/* @addend + @a * @b, rounded once. _h: a and b are half, the rest single (FMLAL). */
uint64_t fp_muladd(struct fp_env *e, enum fp_format f, uint64_t addend, uint64_t a, uint64_t b);
uint64_t fp_muladd_h(struct fp_env *e, uint64_t addend, uint64_t a, uint64_t b);

/* The nm forms prefer a number to a quiet NaN. */
fp_op2 fp_max, fp_min, fp_maxnm, fp_minnm;

/* NZCV in bits 31:28. Quiet NaNs are an invalid operation only if @signal. */
uint32_t fp_compare(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b, bool signal);

/* Comparisons to a mask of all ones or 0; ac: of absolute values. */
fp_op2 fp_cmeq, fp_cmge, fp_cmgt, fp_acge, fp_acgt;

/* To an integer in the same format; @exact: raise IXC when the value changes (FRINTX). */
uint64_t fp_round_int(struct fp_env *e, enum fp_format f, uint64_t a, enum fp_round rm, bool exact);
/* The same, but what does not fit in @width bits (32 or 64) is -2^(width-1) (FRINT32Z ...). */
uint64_t fp_round_int_n(struct fp_env *e, enum fp_format f, uint64_t a, enum fp_round rm, unsigned width);

/* a * 2^fbits as an integer of @width bits, saturated; the bits above @width are 0. */
uint64_t fp_to_fixed(struct fp_env *e, enum fp_format f, uint64_t a, unsigned fbits, enum fp_round rm,
		     bool is_signed, unsigned width);
/* @v * 2^-fbits; @v is the whole 64-bit integer, extended by the caller. */
uint64_t fp_from_fixed(struct fp_env *e, enum fp_format f, uint64_t v, unsigned fbits, bool is_signed);
/* Double to int32 modulo 2^32; *exact: nothing was lost, not even the sign of a zero (FJCVTZS). */
uint32_t fp_to_int32_js(struct fp_env *e, uint64_t a, bool *exact);

/* Between formats, half as FPCR.AHP says; @rm is FPCR's or FP_ODD (FCVTXN). */
uint64_t fp_convert(struct fp_env *e, enum fp_format from, enum fp_format to, uint64_t a, enum fp_round rm);

/* Estimates with 8 bits of result, and the Newton-Raphson steps (2 - ab, (3 - ab) / 2) that refine them. */
fp_op1 fp_recip_estimate, fp_rsqrt_estimate, fp_recip_exponent;
fp_op2 fp_recip_step, fp_rsqrt_step;
uint32_t fp_recip_estimate_u32(uint32_t a);
uint32_t fp_rsqrt_estimate_u32(uint32_t a);

/* @addend + a0*b0 + a1*b1, pairs of BFloat16 in the halves of @a and @b; FPCR and FPSR play no part. */
uint32_t fp_bfdot(uint32_t addend, uint32_t a, uint32_t b);

/* Arm ARM, VFPExpandImm. */
uint64_t fp_expand_imm(enum fp_format f, uint8_t imm8);

#endif
