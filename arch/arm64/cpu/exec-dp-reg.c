/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm ARM, "Data Processing -- Register": logical and add/subtract with a shifted
 * or extended register, carry, flag manipulation, conditional compare and select,
 * one, two and three sources. CRC32 is in exec-crc32.c.
 *
 * LSL by any amount, 0 among them, is what programs use: those rows have a body
 * of their own without a look at the kind of shift.
 */
#include "flags.h"

static inline uint64_t shift_x(uint64_t v, const struct insn *i)
{
	switch (i->b) {
	case 1: return v >> i->a;
	case 2: return (uint64_t)((int64_t)v >> i->a);
	case 3: return v >> i->a | v << (-i->a & 63);
	default: return v << i->a;
	}
}

static inline uint32_t shift_w(uint32_t v, const struct insn *i)
{
	switch (i->b) {
	case 1: return v >> i->a;
	case 2: return (uint32_t)((int32_t)v >> i->a);
	case 3: return v >> i->a | v << (-i->a & 31);
	default: return v << i->a;
	}
}

/* @a is Rn, @b the second operand made from Rm by @second. */
#define BODY_W(name, second, expr)                                                           \
	enum exec name(struct cpu *c, const struct insn *i)                                  \
	{                                                                                    \
		uint32_t a = (uint32_t)c->x[i->rn], m = (uint32_t)c->x[i->rm], b = (second); \
		c->x[i->rd] = (uint32_t)(expr);                                              \
		return EXEC_NEXT;                                                            \
	}
#define BODY_X(name, second, expr)                                       \
	enum exec name(struct cpu *c, const struct insn *i)              \
	{                                                                \
		uint64_t a = c->x[i->rn], m = c->x[i->rm], b = (second); \
		c->x[i->rd] = (expr);                                    \
		return EXEC_NEXT;                                        \
	}
#define SHIFTED(lsl_w, lsl_x, other_w, other_x, expr_w, expr_x) \
	BODY_W(lsl_w, m << i->a, expr_w)                        \
	BODY_X(lsl_x, m << i->a, expr_x)                        \
	BODY_W(other_w, shift_w(m, i), expr_w)                  \
	BODY_X(other_x, shift_x(m, i), expr_x)

SHIFTED(exec_and_lsl_w, exec_and_lsl_x, exec_and_shift_w, exec_and_shift_x, a &b, a &b)
SHIFTED(exec_bic_lsl_w, exec_bic_lsl_x, exec_bic_shift_w, exec_bic_shift_x, a & ~b, a & ~b)
SHIFTED(exec_orr_lsl_w, exec_orr_lsl_x, exec_orr_shift_w, exec_orr_shift_x, a | b, a | b)
SHIFTED(exec_orn_lsl_w, exec_orn_lsl_x, exec_orn_shift_w, exec_orn_shift_x, a | ~b, a | ~b)
SHIFTED(exec_eor_lsl_w, exec_eor_lsl_x, exec_eor_shift_w, exec_eor_shift_x, a ^ b, a ^ b)
SHIFTED(exec_eon_lsl_w, exec_eon_lsl_x, exec_eon_shift_w, exec_eon_shift_x, a ^ ~b, a ^ ~b)
SHIFTED(exec_ands_lsl_w, exec_ands_lsl_x, exec_ands_shift_w, exec_ands_shift_x, logic_flags_w(c, a &b),
	logic_flags_x(c, a &b))
SHIFTED(exec_bics_lsl_w, exec_bics_lsl_x, exec_bics_shift_w, exec_bics_shift_x, logic_flags_w(c, a & ~b),
	logic_flags_x(c, a & ~b))
SHIFTED(exec_add_lsl_w, exec_add_lsl_x, exec_add_shift_w, exec_add_shift_x, a + b, a + b)
SHIFTED(exec_sub_lsl_w, exec_sub_lsl_x, exec_sub_shift_w, exec_sub_shift_x, a - b, a - b)
SHIFTED(exec_adds_lsl_w, exec_adds_lsl_x, exec_adds_shift_w, exec_adds_shift_x, add_flags_w(c, a, b),
	add_flags_x(c, a, b))
SHIFTED(exec_subs_lsl_w, exec_subs_lsl_x, exec_subs_shift_w, exec_subs_shift_x, sub_flags_w(c, a, b),
	sub_flags_x(c, a, b))

enum exec exec_mov_reg_w(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint32_t)c->x[i->rm];
	return EXEC_NEXT;
}

enum exec exec_mov_reg_x(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = c->x[i->rm];
	return EXEC_NEXT;
}

/* ---- Add/subtract, extended register: imm masks, b says signed, a shifts ---- */

static inline uint64_t extended(const struct cpu *c, const struct insn *i)
{
	uint64_t mask = (uint64_t)i->imm, sign = (mask ^ mask >> 1) & -(uint64_t)i->b;

	return (((c->x[i->rm] & mask) ^ sign) - sign) << i->a;
}

#define EXTENDED(name_w, name_x, expr_w, expr_x)                                  \
	enum exec name_w(struct cpu *c, const struct insn *i)                     \
	{                                                                         \
		uint32_t a = (uint32_t)c->x[i->rn], b = (uint32_t)extended(c, i); \
		c->x[i->rd] = (uint32_t)(expr_w);                                 \
		return EXEC_NEXT;                                                 \
	}                                                                         \
	enum exec name_x(struct cpu *c, const struct insn *i)                     \
	{                                                                         \
		uint64_t a = c->x[i->rn], b = extended(c, i);                     \
		c->x[i->rd] = (expr_x);                                           \
		return EXEC_NEXT;                                                 \
	}

EXTENDED(exec_add_ext_w, exec_add_ext_x, a + b, a + b)
EXTENDED(exec_sub_ext_w, exec_sub_ext_x, a - b, a - b)
EXTENDED(exec_adds_ext_w, exec_adds_ext_x, add_flags_w(c, a, b), add_flags_x(c, a, b))
EXTENDED(exec_subs_ext_w, exec_subs_ext_x, sub_flags_w(c, a, b), sub_flags_x(c, a, b))

/* ---- Add/subtract with carry ---- */

static inline uint32_t carry(const struct cpu *c) { return c->nzcv >> 29 & 1; }

static inline uint64_t adc_flags_x(struct cpu *c, uint64_t a, uint64_t b)
{
	unsigned __int128 sum = (unsigned __int128)a + b + carry(c);
	uint64_t r = (uint64_t)sum;

	c->nzcv = make_nzcv(r >> 63, r == 0, (bool)(sum >> 64), ((a ^ r) & (b ^ r)) >> 63);
	return r;
}

static inline uint32_t adc_flags_w(struct cpu *c, uint32_t a, uint32_t b)
{
	uint64_t sum = (uint64_t)a + b + carry(c);
	uint32_t r = (uint32_t)sum;

	c->nzcv = make_nzcv(r >> 31, r == 0, sum >> 32, ((a ^ r) & (b ^ r)) >> 31);
	return r;
}

BODY_W(exec_adc_w, m, a + b + carry(c))
BODY_X(exec_adc_x, m, a + b + carry(c))
BODY_W(exec_sbc_w, ~m, a + b + carry(c))
BODY_X(exec_sbc_x, ~m, a + b + carry(c))
BODY_W(exec_adcs_w, m, adc_flags_w(c, a, b))
BODY_X(exec_adcs_x, m, adc_flags_x(c, a, b))
BODY_W(exec_sbcs_w, ~m, adc_flags_w(c, a, b))
BODY_X(exec_sbcs_x, ~m, adc_flags_x(c, a, b))

/* ---- Flag manipulation ---- */

enum exec exec_rmif(struct cpu *c, const struct insn *i)
{
	uint64_t v = c->x[i->rn];
	uint32_t from = (uint32_t)(v >> i->a | v << (-i->a & 63)) << 28, mask = (uint32_t)i->b << 28;

	c->nzcv = (c->nzcv & ~mask) | (from & mask);
	return EXEC_NEXT;
}

static enum exec setf(struct cpu *c, uint32_t v, unsigned width)
{
	bool n = v >> (width - 1) & 1, above = v >> width & 1;

	c->nzcv = make_nzcv(n, !(v & ((UINT32_C(1) << width) - 1)), carry(c), n != above);
	return EXEC_NEXT;
}

enum exec exec_setf8(struct cpu *c, const struct insn *i) { return setf(c, (uint32_t)c->x[i->rn], 8); }
enum exec exec_setf16(struct cpu *c, const struct insn *i) { return setf(c, (uint32_t)c->x[i->rn], 16); }

enum exec exec_cfinv(struct cpu *c, const struct insn *i)
{
	(void)i;
	c->nzcv ^= (uint32_t)PSTATE_C;
	return EXEC_NEXT;
}

/* Between the flags of FCMP and those of other floating-point conventions. */
enum exec exec_axflag(struct cpu *c, const struct insn *i)
{
	bool z = c->nzcv & PSTATE_Z, cf = c->nzcv & PSTATE_C, v = c->nzcv & PSTATE_V;

	(void)i;
	c->nzcv = make_nzcv(0, z || v, cf && !v, 0);
	return EXEC_NEXT;
}

enum exec exec_xaflag(struct cpu *c, const struct insn *i)
{
	bool z = c->nzcv & PSTATE_Z, cf = c->nzcv & PSTATE_C;

	(void)i;
	c->nzcv = make_nzcv(!cf && !z, z && cf, cf || z, !cf && z);
	return EXEC_NEXT;
}

/* ---- Conditional compare, conditional select ---- */

static inline bool truth(const struct cpu *c, uint64_t table) { return table >> (c->nzcv >> 28) & 1; }

#define COND_COMPARE(name, type, second, flags)                      \
	enum exec name(struct cpu *c, const struct insn *i)          \
	{                                                            \
		if (truth(c, (uint64_t)i->imm >> 16))                \
			flags(c, (type)c->x[i->rn], (type)(second)); \
		else                                                 \
			c->nzcv = (uint32_t)i->b << 28;              \
		return EXEC_NEXT;                                    \
	}

COND_COMPARE(exec_ccmp_reg_w, uint32_t, c->x[i->rm], sub_flags_w)
COND_COMPARE(exec_ccmp_reg_x, uint64_t, c->x[i->rm], sub_flags_x)
COND_COMPARE(exec_ccmn_reg_w, uint32_t, c->x[i->rm], add_flags_w)
COND_COMPARE(exec_ccmn_reg_x, uint64_t, c->x[i->rm], add_flags_x)
COND_COMPARE(exec_ccmp_imm_w, uint32_t, i->imm & 31, sub_flags_w)
COND_COMPARE(exec_ccmp_imm_x, uint64_t, i->imm & 31, sub_flags_x)
COND_COMPARE(exec_ccmn_imm_w, uint32_t, i->imm & 31, add_flags_w)
COND_COMPARE(exec_ccmn_imm_x, uint64_t, i->imm & 31, add_flags_x)

BODY_W(exec_csel_w, m, truth(c, (uint64_t)i->imm) ? a : b)
BODY_X(exec_csel_x, m, truth(c, (uint64_t)i->imm) ? a : b)
BODY_W(exec_csinc_w, m + 1, truth(c, (uint64_t)i->imm) ? a : b)
BODY_X(exec_csinc_x, m + 1, truth(c, (uint64_t)i->imm) ? a : b)
BODY_W(exec_csinv_w, ~m, truth(c, (uint64_t)i->imm) ? a : b)
BODY_X(exec_csinv_x, ~m, truth(c, (uint64_t)i->imm) ? a : b)
BODY_W(exec_csneg_w, -m, truth(c, (uint64_t)i->imm) ? a : b)
BODY_X(exec_csneg_x, -m, truth(c, (uint64_t)i->imm) ? a : b)

/* ---- Two sources ---- */

/* Division by zero gives zero; the smallest number by -1 gives itself and would trap on x86. */
static inline uint64_t sdiv_x(uint64_t a, uint64_t b)
{
	return b + 1 <= 1 ? -a & -(uint64_t)(b != 0) : (uint64_t)((int64_t)a / (int64_t)b);
}

static inline uint32_t sdiv_w(uint32_t a, uint32_t b)
{
	return b + 1 <= 1 ? -a & -(uint32_t)(b != 0) : (uint32_t)((int32_t)a / (int32_t)b);
}

BODY_W(exec_udiv_w, m, b ? a / b : 0)
BODY_X(exec_udiv_x, m, b ? a / b : 0)
BODY_W(exec_sdiv_w, m, sdiv_w(a, b))
BODY_X(exec_sdiv_x, m, sdiv_x(a, b))
BODY_W(exec_lslv_w, m & 31, a << b)
BODY_X(exec_lslv_x, m & 63, a << b)
BODY_W(exec_lsrv_w, m & 31, a >> b)
BODY_X(exec_lsrv_x, m & 63, a >> b)
BODY_W(exec_asrv_w, m & 31, (int32_t)a >> b)
BODY_X(exec_asrv_x, m & 63, (uint64_t)((int64_t)a >> b))
BODY_W(exec_rorv_w, m & 31, a >> b | a << (-b & 31))
BODY_X(exec_rorv_x, m & 63, a >> b | a << (-b & 63))

/* ---- One source ---- */

static inline uint64_t swap_bits(uint64_t v, unsigned n, uint64_t mask) { return (v >> n & mask) | (v & mask) << n; }

static inline uint64_t rbit_x(uint64_t v)
{
	v = swap_bits(v, 1, UINT64_C(0x5555555555555555));
	v = swap_bits(v, 2, UINT64_C(0x3333333333333333));
	v = swap_bits(v, 4, UINT64_C(0x0f0f0f0f0f0f0f0f));
	return __builtin_bswap64(v);
}

/* Bits below the topmost that equal it: the first that differs is the topmost set bit of v ^ sign. */
static inline unsigned cls_x(uint64_t v)
{
	v ^= (uint64_t)((int64_t)v >> 63);
	return v ? (unsigned)__builtin_clzll(v) - 1 : 63;
}

#define ONE_W(name, expr)                                   \
	enum exec name(struct cpu *c, const struct insn *i) \
	{                                                   \
		uint32_t a = (uint32_t)c->x[i->rn];         \
		c->x[i->rd] = (uint32_t)(expr);             \
		return EXEC_NEXT;                           \
	}
#define ONE_X(name, expr)                                   \
	enum exec name(struct cpu *c, const struct insn *i) \
	{                                                   \
		uint64_t a = c->x[i->rn];                   \
		c->x[i->rd] = (expr);                       \
		return EXEC_NEXT;                           \
	}

ONE_W(exec_rbit_w, rbit_x(a) >> 32)
ONE_X(exec_rbit_x, rbit_x(a))
ONE_W(exec_rev16_w, swap_bits(a, 8, 0x00ff00ff))
ONE_X(exec_rev16_x, swap_bits(a, 8, UINT64_C(0x00ff00ff00ff00ff)))
ONE_W(exec_rev_w, __builtin_bswap32(a))
ONE_X(exec_rev_x, __builtin_bswap64(a))
ONE_X(exec_rev32_x, (uint64_t)__builtin_bswap32((uint32_t)(a >> 32)) << 32 | __builtin_bswap32((uint32_t)a))
ONE_W(exec_clz_w, a ? (unsigned)__builtin_clz(a) : 32)
ONE_X(exec_clz_x, a ? (unsigned)__builtin_clzll(a) : 64)
ONE_W(exec_cls_w, cls_x((uint64_t)(int64_t)(int32_t)a) - 32)
ONE_X(exec_cls_x, cls_x(a))

/* ---- Three sources ---- */

BODY_W(exec_madd_w, m, (uint32_t)c->x[i->ra] + a * b)
BODY_X(exec_madd_x, m, c->x[i->ra] + a * b)
BODY_W(exec_msub_w, m, (uint32_t)c->x[i->ra] - a * b)
BODY_X(exec_msub_x, m, c->x[i->ra] - a * b)
BODY_X(exec_umaddl, (uint32_t)m, c->x[i->ra] + (uint32_t)a * b)
BODY_X(exec_umsubl, (uint32_t)m, c->x[i->ra] - (uint32_t)a * b)
BODY_X(exec_smaddl, (uint64_t)(int32_t)m, c->x[i->ra] + (uint64_t)(int32_t)a * b)
BODY_X(exec_smsubl, (uint64_t)(int32_t)m, c->x[i->ra] - (uint64_t)(int32_t)a * b)
BODY_X(exec_umulh, m, (uint64_t)((unsigned __int128)a *b >> 64))
BODY_X(exec_smulh, m, (uint64_t)((__int128)(int64_t)a *(int64_t)b >> 64))
