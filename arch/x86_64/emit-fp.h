/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating point lane by lane, private to emit-fp.c and emit-simd-fp.c.
 *
 * insn.a is the format and insn.b the number of lanes; a scalar is a vector of
 * one lane, for which the host has instructions of its own. Halves are widened,
 * computed as singles and narrowed: for +, -, *, / and square root rounding twice
 * gives what rounding once gives, because a single has more than twice the bits.
 *
 *   fp_host()            may the host do it?
 *   flags_clobber()      if something is checked
 *   fp_use(), fp_rm()    operands
 *   fp_v() ...           the operation, into xmm0
 *   fp_end...()          checks, then Vd
 *
 * What the host has raised before a check fails must be among what exec_ raises.
 */
#ifndef X86_64_EMIT_FP_H
#define X86_64_EMIT_FP_H

#include "../arm64/cpu/softfp.h"
#include "jit.h"

enum { XMM0, XMM1, XMM2 };

/* Vector instructions that do not depend on the format. */
enum {
	V_MOVQ       = VEX(2, 1, 0, 0x7e),      /* 64 bits of a register or memory, the rest becomes zero */
	V_MOVDDUP    = VEX(3, 1, 0, 0x12),      /* the low 64 bits twice */
	V_UNPCKLPD   = VEX(1, 1, 0, 0x14),
	V_UNPCKHPD   = VEX(1, 1, 0, 0x15),
	V_SHUFPS     = VEX(0, 1, 0, 0xc6),
	V_PERMILPS   = VEX(1, 3, 0, 0x04),
	V_INSERTPS   = VEX(1, 3, 0, 0x21),
	V_PEXTRW     = VEX(1, 1, 0, 0xc5),
	V_PEXTRQ     = VEX(1, 3, 1, 0x16),
	V_PINSRQ     = VEX(1, 3, 1, 0x22),
	V_BROADCASTD = VEX(1, 2, 0, 0x58),
	V_BROADCASTQ = VEX(1, 2, 0, 0x59),
	V_AND        = VEX(1, 1, 0, 0xdb),
	V_ANDN       = VEX(1, 1, 0, 0xdf),      /* dst = ~x & m */
	V_OR         = VEX(1, 1, 0, 0xeb),
	V_XOR        = VEX(1, 1, 0, 0xef),
	V_PCMPEQD    = VEX(1, 1, 0, 0x76),
	V_PMINUD     = VEX(1, 2, 0, 0x3b),
	V_PBLENDW    = VEX(1, 3, 0, 0x0e),
	V_SHIFT_D    = VEX(1, 1, 0, 0x72),      /* by a constant; field reg says how */
	V_PTEST      = VEX(1, 2, 0, 0x17),
	V_CVTDQ2PS   = VEX(0, 1, 0, 0x5b),
	V_CVTTPS2DQ  = VEX(2, 1, 0, 0x5b),
	V_CVTPS2PD   = VEX(0, 1, 0, 0x5a),
	V_CVTPD2PS   = VEX(1, 1, 0, 0x5a),
	V_CVTPH2PS   = VEX(1, 2, 0, 0x13),
	V_CVTPS2PH   = VEX(1, 3, 0, 0x1d),
};

/* Opcodes of fp_v(), to which the format adds a prefix. */
enum {
	FP_UCOMI = 0x2e, FP_COMI = 0x2f, FP_SQRT = 0x51, FP_ADD = 0x58, FP_MUL = 0x59, FP_SUB = 0x5c, FP_MIN = 0x5d,
	FP_DIV = 0x5e, FP_MAX = 0x5f,
};

/* Predicates of fp_cmp(). _S: a quiet NaN is an invalid operation as well. */
enum {
	CMP_EQ = 0x00, CMP_LT_S = 0x01, CMP_LE_S = 0x02, CMP_UNORD = 0x03, CMP_GE_S = 0x0d, CMP_GT_S = 0x0e,
	CMP_NLT = 0x15,
};

/* Modes of fp_to_int(): in the order of MXCSR.RC, or what that says. QUIETLY: "inexact" is not raised. */
enum { TO_NEAREST, TO_BELOW, TO_ABOVE, TO_ZERO, TO_MXCSR, QUIETLY = 8 };
unsigned fp_mode(enum fp_round rm);

/* Opcodes of fp_fma(): dst = (-)(x * m) (+-) dst; with FMA_213 added, dst = (-)(x * dst) (+-) m. */
enum { FMA_ADD = 0xb8, FMA_SUB = 0xba, FMA_NEG_ADD = 0xbc, FMA_NEG_SUB = 0xbe, FMA_213 = -0x10 };

static inline bool fp_is_scalar(const struct insn *i) { return i->b == 1; }
static inline bool fp_is_whole(const struct insn *i) { return i->b << i->a == 16; }

/* The fields of FPCR that are in a block's key. */
static inline uint32_t fp_fpcr(const struct jit *j) { return (uint32_t)(j->key >> KEY_FPCR_SHIFT & 0xff) << 19; }

/* May the host's arithmetic be used? FZ16 is something it does not have. */
bool fp_host(const struct jit *j, const struct insn *i);

/* The lanes of Vn in a register: its own, or @tmp. Other lanes repeat them, so that they raise nothing new. */
int fp_use(struct jit *j, const struct insn *i, unsigned n, int tmp);
struct x86_rm fp_rm(struct jit *j, const struct insn *i, unsigned n, int tmp);

/* dst = x op m in all lanes; what a scalar operation leaves alone comes from @x. */
void fp_v(struct jit *j, const struct insn *i, unsigned op, int dst, int x, struct x86_rm m);
void fp_cmp(struct jit *j, const struct insn *i, unsigned predicate, int dst, int x, struct x86_rm m);
void fp_fma(struct jit *j, const struct insn *i, unsigned op, int dst, int x, struct x86_rm m);
void fp_to_int(struct jit *j, const struct insn *i, unsigned mode, int dst, int x);

/* xmm0 = @x (which may be xmm0) as an integer in its format, ties away from zero. Raises nothing; uses all scratch. */
void fp_to_int_away(struct jit *j, const struct insn *i, int x);

/* As many copies of a number as there are lanes. Uses rcx. */
void fp_splat(struct jit *j, const struct insn *i, int dst, double v);

/* dst = 1s in the sign bits of lanes of @bits bits, or in all others. */
void vec_signs(struct jit *j, unsigned bits, int dst);
void vec_not_signs(struct jit *j, unsigned bits, int dst);

/* NaNs among the lanes of @x and @y: to exec_. @tmp is used. */
void fp_check_ordered(struct jit *j, const struct insn *i, int x, int y, int tmp);

/* dst = the greater (@op FP_MAX) or lesser of x and y, which are ordered; -0 is below 0. @dst, @tmp are neither. */
void fp_extreme(struct jit *j, const struct insn *i, unsigned op, int dst, int x, int y, int tmp);

/* V[n] = the low 4, 8 or 16 bytes of xmm0, zero above. */
void vec_end(struct jit *j, unsigned n, unsigned bytes);

/* Vd = xmm0, zero above its lanes. */
void fp_end(struct jit *j, const struct insn *i);
/* The same, but NaNs are exec_'s business. Uses xmm1. */
void fp_end_checked(struct jit *j, const struct insn *i);
/* The same where a NaN is the operand made quiet, as the host does it, unless FPCR.DN. */
void fp_end_operand_nan(struct jit *j, const struct insn *i);

/*
 * rcx = @x, a scalar, times 2^imm as an integer of @width bits. What saturates goes to exec_. Uses xmm1; when @x is
 * scaled, xmm0; with FP_RA all scratch.
 */
void fp_scalar_to_gpr(struct jit *j, const struct insn *i, int x, enum fp_round rm, bool is_signed, unsigned width);

/* The other way: dst = a general register or memory (64 bits: @w), zero above. xmm0 *= 2^-n. Uses xmm1, rcx. */
void fp_from_gpr(struct jit *j, const struct insn *i, bool w, int dst, struct x86_rm src);
void fp_scale_down(struct jit *j, const struct insn *i, unsigned n);

#endif
