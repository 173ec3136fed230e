/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer Advanced SIMD: what an instruction does to one lane, times the shape
 * of its operands.
 *
 * An element operation is a macro EL_xxx(T, d, a, b, qc): T is the lane type of
 * the result, d the old lane of Rd, a and b the lanes of Rn and Rm (or the
 * immediate), already of type T or wider; qc a bool it sets when it saturates.
 * A shape (LANES_SAME, LANES_LONG ...) makes an exec_ function of it: one
 * constant-count loop per lane size, which the compiler turns into host vectors.
 *
 * What the opnd_ functions of operands-simd.c leave in struct insn:
 *   a     log2 of the lane's bytes; of the narrow side where two sizes meet
 *   b     log2 of the bytes of the result that count; the rest of Rd becomes zero.
 *         A scalar is a vector of one lane.
 *   ra    1: the "2" form, narrow lanes are in the upper half
 *   imm   shift count or lane index
 *
 * Lanes beyond b are computed and dropped. That must not set QC, so saturating
 * shapes (_QC) read their operands with those lanes zero: nothing saturates on 0.
 */
#ifndef CPU_LANES_H
#define CPU_LANES_H

#include "cpu.h"

#define FPSR_QC (UINT32_C(1) << 27)

/* Lane types and the members of union vreg they name. */
#define T_u8   uint8_t
#define T_u16  uint16_t
#define T_u32  uint32_t
#define T_u64  uint64_t
#define T_s8   int8_t
#define T_s16  int16_t
#define T_s32  int32_t
#define T_s64  int64_t
#define L_u8   b
#define L_u16  h
#define L_u32  s
#define L_u64  d
#define L_s8   sb
#define L_s16  sh
#define L_s32  ss
#define L_s64  sd

#define BITS_OF(T) ((int)sizeof(T) * 8)

/* For sums and products that wrap: signed overflow is not defined in C. */
#define WRAP(x) ((uint64_t)(x))

/* The low 1 << @log2_bytes bytes of @v, the rest zero. */
static inline union vreg lanes_low(union vreg v, unsigned log2_bytes)
{
	if (log2_bytes < 4) {
		v.d[1] = 0;
		if (log2_bytes < 3)
			v.d[0] &= ~(UINT64_MAX << (8u << log2_bytes));
	}
	return v;
}

/* Reading an operand: whole, or (for operations that can saturate) only the lanes that count. */
static inline union vreg lanes_all(struct cpu *c, unsigned n, unsigned log2_bytes)
{
	(void)log2_bytes;
	return *cpu_v(c, n);
}

static inline union vreg lanes_counted(struct cpu *c, unsigned n, unsigned log2_bytes)
{
	return lanes_low(*cpu_v(c, n), log2_bytes);
}

/* The half of Vn that a long or wide instruction reads, in the low half. */
static inline union vreg lanes_half(struct cpu *c, unsigned n, const struct insn *i)
{
	return (union vreg){ .d = { cpu_v(c, n)->d[i->ra & 1], 0 } };
}

/* Second operand: Vm, Vm[index] in every lane, or a half of Vm. */
static inline union vreg lanes_m(struct cpu *c, const struct insn *i)
{
	return *cpu_v(c, i->rm);
}

static inline union vreg lanes_counted_m(struct cpu *c, const struct insn *i)
{
	return lanes_counted(c, i->rm, i->b);
}

static inline union vreg lanes_m_elem(struct cpu *c, const struct insn *i)
{
	const union vreg *m = cpu_v(c, i->rm);
	uint64_t x = i->a == 1 ? m->h[i->imm & 7] * UINT64_C(0x0001000100010001) :
				 m->s[i->imm & 3] * UINT64_C(0x0000000100000001);

	return (union vreg){ .d = { x, x } };
}

static inline union vreg lanes_m_half(struct cpu *c, const struct insn *i)
{
	return lanes_half(c, i->rm, i);
}

/* Writing a result. */
static inline enum exec lanes_done(struct cpu *c, const struct insn *i, union vreg r, bool qc)
{
	cpu_set_v(c, i->rd, lanes_low(r, i->b));
	if (qc)
		c->fpsr |= FPSR_QC;
	return EXEC_NEXT;
}

/* A narrow result: low half and the rest zero, or the upper half and the rest kept. */
static inline enum exec lanes_narrow_done(struct cpu *c, const struct insn *i, union vreg r, bool qc)
{
	if (i->ra)
		cpu_v(c, i->rd)->d[1] = r.d[0];
	else
		cpu_set_v(c, i->rd, lanes_low(r, i->b));
	if (qc)
		c->fpsr |= FPSR_QC;
	return EXEC_NEXT;
}

/* ---- Shapes ---- */

#define LOOP(sg, bits, op, bexpr)                                                                     \
	for (unsigned k = 0; k < 128 / bits; k++)                                                     \
		r.L_##sg##bits[k] = (T_##sg##bits)op(T_##sg##bits, d.L_##sg##bits[k],                 \
						     n.L_##sg##bits[k], bexpr, &qc)

#define SHAPE_SAME(name, sg, in, m_of, op)                                                            \
	enum exec name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                             \
		const union vreg d = in(c, i->rd, i->b), n = in(c, i->rn, i->b), m = m_of(c, i);      \
		union vreg r;                                                                         \
		bool qc = false;                                                                      \
		(void)d;                                                                              \
		switch (i->a) {                                                                       \
		case 0: LOOP(sg, 8, op, m.L_##sg##8[k]); break;                                       \
		case 1: LOOP(sg, 16, op, m.L_##sg##16[k]); break;                                     \
		case 2: LOOP(sg, 32, op, m.L_##sg##32[k]); break;                                     \
		default: LOOP(sg, 64, op, m.L_##sg##64[k]); break;                                    \
		}                                                                                     \
		return lanes_done(c, i, r, qc);                                                       \
	}

/* Rd[k] = op(Rd[k], Rn[k], Rm[k]), all lanes of one size; lanes are u (unsigned) or s (signed). */
#define LANES_SAME(name, sg, op)      SHAPE_SAME(name, sg, lanes_all, lanes_m, op)
#define LANES_SAME_QC(name, sg, op)   SHAPE_SAME(name, sg, lanes_counted, lanes_counted_m, op)
/* The same with Rm[index] for Rm[k]. Saturation needs a product, so Rm may have anything in dropped lanes. */
#define LANES_ELEM(name, sg, op)      SHAPE_SAME(name, sg, lanes_all, lanes_m_elem, op)
#define LANES_ELEM_QC(name, sg, op)   SHAPE_SAME(name, sg, lanes_counted, lanes_m_elem, op)

#define SHAPE_IMM(name, sg, in, op)                                                                   \
	enum exec name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                             \
		const union vreg d = in(c, i->rd, i->b), n = in(c, i->rn, i->b);                      \
		const int imm = (int)i->imm;                                                          \
		union vreg r;                                                                         \
		bool qc = false;                                                                      \
		(void)d;                                                                              \
		(void)imm;                                                                            \
		switch (i->a) {                                                                       \
		case 0: LOOP(sg, 8, op, imm); break;                                                  \
		case 1: LOOP(sg, 16, op, imm); break;                                                 \
		case 2: LOOP(sg, 32, op, imm); break;                                                 \
		default: LOOP(sg, 64, op, imm); break;                                                \
		}                                                                                     \
		return lanes_done(c, i, r, qc);                                                       \
	}

/* Rd[k] = op(Rd[k], Rn[k], imm): shifts by immediate, and with no use for imm the one-operand ones. */
#define LANES_IMM(name, sg, op)       SHAPE_IMM(name, sg, lanes_all, op)
#define LANES_IMM_QC(name, sg, op)    SHAPE_IMM(name, sg, lanes_counted, op)

/* Two lane sizes: @w has twice the bits of @b. */
#define LOOP_LONG(sg, b, w, op, aexpr, bexpr)                                                         \
	for (unsigned k = 0; k < 128 / w; k++)                                                        \
		r.L_##sg##w[k] = (T_##sg##w)op(T_##sg##w, d.L_##sg##w[k],                             \
					       (T_##sg##w)(aexpr), (T_##sg##w)(bexpr), &qc)

#define SHAPE_LONG(name, sg, m_of, op)                                                                \
	enum exec name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                             \
		const union vreg d = lanes_counted(c, i->rd, i->b), m = m_of(c, i);                   \
		const union vreg n = lanes_low(lanes_half(c, i->rn, i), i->b - 1u);                   \
		union vreg r;                                                                         \
		bool qc = false;                                                                      \
		(void)d;                                                                              \
		switch (i->a) {                                                                       \
		case 0: LOOP_LONG(sg, 8, 16, op, n.L_##sg##8[k], m.L_##sg##8[k]); break;              \
		case 1: LOOP_LONG(sg, 16, 32, op, n.L_##sg##16[k], m.L_##sg##16[k]); break;           \
		default: LOOP_LONG(sg, 32, 64, op, n.L_##sg##32[k], m.L_##sg##32[k]); break;          \
		}                                                                                     \
		return lanes_done(c, i, r, qc);                                                       \
	}

/* Rd.wide[k] = op(Rd.wide[k], Rn.narrow[k], Rm.narrow[k]), operands widened first. */
#define LANES_LONG(name, sg, op)      SHAPE_LONG(name, sg, lanes_m_half, op)
#define LANES_LONG_ELEM(name, sg, op) SHAPE_LONG(name, sg, lanes_m_elem, op)

/* Rd.wide[k] = op(, Rn.wide[k], Rm.narrow[k]). */
#define LANES_WIDE(name, sg, op)                                                                      \
	enum exec name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                             \
		const union vreg n = *cpu_v(c, i->rn), m = lanes_m_half(c, i), d = n;                 \
		union vreg r;                                                                         \
		bool qc = false;                                                                      \
		(void)d;                                                                              \
		switch (i->a) {                                                                       \
		case 0: LOOP_LONG(sg, 8, 16, op, n.L_##sg##16[k], m.L_##sg##8[k]); break;             \
		case 1: LOOP_LONG(sg, 16, 32, op, n.L_##sg##32[k], m.L_##sg##16[k]); break;           \
		default: LOOP_LONG(sg, 32, 64, op, n.L_##sg##64[k], m.L_##sg##32[k]); break;          \
		}                                                                                     \
		return lanes_done(c, i, r, qc);                                                       \
	}

/* Rd.wide[k] = op(, Rn.narrow[k], imm). */
#define LANES_LONG_IMM(name, sg, op)                                                                  \
	enum exec name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                             \
		const union vreg n = lanes_half(c, i->rn, i), d = n;                                  \
		union vreg r;                                                                         \
		bool qc = false;                                                                      \
		const int imm = (int)i->imm;                                                          \
		(void)d;                                                                              \
		(void)imm;                                                                            \
		switch (i->a) {                                                                       \
		case 0: LOOP_LONG(sg, 8, 16, op, n.L_##sg##8[k], imm); break;                         \
		case 1: LOOP_LONG(sg, 16, 32, op, n.L_##sg##16[k], imm); break;                       \
		default: LOOP_LONG(sg, 32, 64, op, n.L_##sg##32[k], imm); break;                      \
		}                                                                                     \
		return lanes_done(c, i, r, qc);                                                       \
	}

/* Rd.wide[k] = op(Rd.wide[k], Rn.narrow[2k], Rn.narrow[2k + 1]). */
#define LANES_PAIR_LONG(name, sg, op)                                                                 \
	enum exec name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                             \
		const union vreg d = *cpu_v(c, i->rd), n = *cpu_v(c, i->rn);                          \
		union vreg r;                                                                         \
		bool qc = false;                                                                      \
		(void)d;                                                                              \
		switch (i->a) {                                                                       \
		case 0: LOOP_LONG(sg, 8, 16, op, n.L_##sg##8[2 * k], n.L_##sg##8[2 * k + 1]); break;  \
		case 1: LOOP_LONG(sg, 16, 32, op, n.L_##sg##16[2 * k], n.L_##sg##16[2 * k + 1]); break; \
		default: LOOP_LONG(sg, 32, 64, op, n.L_##sg##32[2 * k], n.L_##sg##32[2 * k + 1]); break; \
		}                                                                                     \
		return lanes_done(c, i, r, qc);                                                       \
	}

/* T is the narrow type here; a and b are wide. */
#define LOOP_NARROW(sg, b, w, op, bexpr)                                                              \
	for (unsigned k = 0; k < 128 / w; k++)                                                        \
		r.L_##sg##b[k] = (T_##sg##b)op(T_##sg##b, 0, n.L_##sg##w[k], bexpr, &qc)

#define SHAPE_NARROW(name, sg, m16, m32, m64, op)                                                     \
	enum exec name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                             \
		const union vreg n = lanes_counted(c, i->rn, i->b + 1u), m = lanes_m(c, i);           \
		const int imm = (int)i->imm;                                                          \
		union vreg r;                                                                         \
		bool qc = false;                                                                      \
		(void)m;                                                                              \
		(void)imm;                                                                            \
		switch (i->a) {                                                                       \
		case 0: LOOP_NARROW(sg, 8, 16, op, m16); break;                                       \
		case 1: LOOP_NARROW(sg, 16, 32, op, m32); break;                                      \
		default: LOOP_NARROW(sg, 32, 64, op, m64); break;                                     \
		}                                                                                     \
		return lanes_narrow_done(c, i, r, qc);                                                \
	}

/* Rd.narrow[k] = op(, Rn.wide[k], Rm.wide[k]), and op(, Rn.wide[k], imm). */
#define LANES_NARROW(name, sg, op) \
	SHAPE_NARROW(name, sg, m.L_##sg##16[k], m.L_##sg##32[k], m.L_##sg##64[k], op)
#define LANES_NARROW_IMM(name, sg, op) SHAPE_NARROW(name, sg, imm, imm, imm, op)

/* Rn and Rm end to end, for pairwise operations and permutations. */
union vpair {
	union vreg v[2];
	uint8_t  b[32]; int8_t  sb[32];
	uint16_t h[16]; int16_t sh[16];
	uint32_t s[8];  int32_t ss[8];
	uint64_t d[4];  int64_t sd[4];
};

static inline union vpair lanes_nm(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm);

	if (i->b == 4)
		return (union vpair){ .v = { *n, *m } };
	return (union vpair){ .d = { n->d[0], m->d[0], 0, 0 } };
}

#define LOOP_PAIR(sg, bits, op)                                                                       \
	for (unsigned k = 0; k < 128 / bits; k++)                                                     \
		r.L_##sg##bits[k] = (T_##sg##bits)op(T_##sg##bits, 0, nm.L_##sg##bits[2 * k],         \
						     nm.L_##sg##bits[2 * k + 1], &qc)

/* Rd[k] = op(, Rn:Rm[2k], Rn:Rm[2k + 1]). */
#define LANES_PAIR(name, sg, op)                                                                      \
	enum exec name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                             \
		const union vpair nm = lanes_nm(c, i);                                                \
		union vreg r;                                                                         \
		bool qc = false;                                                                      \
		switch (i->a) {                                                                       \
		case 0: LOOP_PAIR(sg, 8, op); break;                                                  \
		case 1: LOOP_PAIR(sg, 16, op); break;                                                 \
		case 2: LOOP_PAIR(sg, 32, op); break;                                                 \
		default: LOOP_PAIR(sg, 64, op); break;                                                \
		}                                                                                     \
		return lanes_done(c, i, r, qc);                                                       \
	}

#define LOOP_ACROSS(sg, bits, op)                                                                     \
	do {                                                                                          \
		acc = n.L_##sg##bits[0];                                                              \
		for (unsigned k = 1; k < (1u << i->b) / (bits / 8); k++)                              \
			acc = op(, , acc, n.L_##sg##bits[k], );                                       \
	} while (0)

/* Rd.lane[0] = Rn[0] op Rn[1] op ...; the lane written is 1 << (a + grow) bytes. */
#define LANES_ACROSS(name, sg, op, grow)                                                              \
	enum exec name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                             \
		const union vreg n = *cpu_v(c, i->rn);                                                \
		T_##sg##64 acc;                                                                       \
		switch (i->a) {                                                                       \
		case 0: LOOP_ACROSS(sg, 8, op); break;                                                \
		case 1: LOOP_ACROSS(sg, 16, op); break;                                               \
		default: LOOP_ACROSS(sg, 32, op); break;                                              \
		}                                                                                     \
		cpu_set_v(c, i->rd, lanes_low((union vreg){ .d = { (uint64_t)acc, 0 } }, i->a + grow)); \
		return EXEC_NEXT;                                                                     \
	}

/* ---- Element operations that several classes use ---- */

#define EL_ADD(T, d, a, b, qc)  (WRAP(a) + WRAP(b))
#define EL_SUB(T, d, a, b, qc)  (WRAP(a) - WRAP(b))
#define EL_MUL(T, d, a, b, qc)  (WRAP(a) * WRAP(b))
#define EL_MLA(T, d, a, b, qc)  (WRAP(d) + WRAP(a) * WRAP(b))
#define EL_MLS(T, d, a, b, qc)  (WRAP(d) - WRAP(a) * WRAP(b))
#define EL_MAX(T, d, a, b, qc)  ((a) > (b) ? (a) : (b))
#define EL_MIN(T, d, a, b, qc)  ((a) < (b) ? (a) : (b))
#define EL_ABD(T, d, a, b, qc)  ((a) > (b) ? WRAP(a) - WRAP(b) : WRAP(b) - WRAP(a))
#define EL_ABA(T, d, a, b, qc)  (WRAP(d) + EL_ABD(T, d, a, b, qc))

/* @v as a number of @bits bits (up to 64), the nearest if it is none. */
static inline int64_t sat_signed(int64_t v, int bits, bool *qc)
{
	const int64_t max = INT64_MAX >> (64 - bits), min = -max - 1;

	if (v > max || v < min) {
		*qc = true;
		return v > max ? max : min;
	}
	return v;
}

static inline uint64_t sat_unsigned(uint64_t v, int bits, bool *qc)
{
	const uint64_t max = UINT64_MAX >> (64 - bits);

	if (v > max) {
		*qc = true;
		return max;
	}
	return v;
}

static inline uint64_t sat_signed_to_unsigned(int64_t v, int bits, bool *qc)
{
	if (v < 0) {
		*qc = true;
		return 0;
	}
	return sat_unsigned((uint64_t)v, bits, qc);
}

static inline int64_t sat_sqadd(int64_t a, int64_t b, int bits, bool *qc)
{
	int64_t r;

	if (__builtin_add_overflow(a, b, &r)) {
		*qc = true;
		return a < 0 ? INT64_MIN : INT64_MAX;
	}
	return sat_signed(r, bits, qc);
}

static inline int64_t sat_sqsub(int64_t a, int64_t b, int bits, bool *qc)
{
	int64_t r;

	if (__builtin_sub_overflow(a, b, &r)) {
		*qc = true;
		return a < 0 ? INT64_MIN : INT64_MAX;
	}
	return sat_signed(r, bits, qc);
}

/* 2 * product, which itself always fits. */
static inline int64_t sat_doubled(int64_t product, int bits, bool *qc)
{
	return sat_sqadd(product, product, bits, qc);
}

/*
 * The high half of 2ab, of 2ab + 1/2 ulp, and of d +- 2ab + 1/2 ulp, in lanes of
 * 16 or 32 bits: everything is kept halved, so that 64 bits always suffice.
 */
static inline int64_t sat_sqdmulh(int64_t a, int64_t b, int bits, bool *qc)
{
	return sat_signed((a * b) >> (bits - 1), bits, qc);
}

static inline int64_t sat_sqrdmlah(int64_t d, int64_t product, int bits, bool *qc)
{
	int64_t sum = d * (INT64_C(1) << (bits - 1)) + product + (INT64_C(1) << (bits - 2));

	return sat_signed(sum >> (bits - 1), bits, qc);
}

#define EL_SQDMULH(T, d, a, b, qc)   sat_sqdmulh(a, b, BITS_OF(T), qc)
#define EL_SQRDMULH(T, d, a, b, qc)  sat_sqrdmlah(0, (int64_t)(a) * (b), BITS_OF(T), qc)
#define EL_SQRDMLAH(T, d, a, b, qc)  sat_sqrdmlah(d, (int64_t)(a) * (b), BITS_OF(T), qc)
#define EL_SQRDMLSH(T, d, a, b, qc)  sat_sqrdmlah(d, -((int64_t)(a) * (b)), BITS_OF(T), qc)

/* Long: a and b fit in half of T. The doubled product saturates, then the sum. */
#define EL_SQDMULL(T, d, a, b, qc)   sat_doubled((int64_t)(a) * (b), BITS_OF(T), qc)
#define EL_SQDMLAL(T, d, a, b, qc)   sat_sqadd(d, EL_SQDMULL(T, d, a, b, qc), BITS_OF(T), qc)
#define EL_SQDMLSL(T, d, a, b, qc)   sat_sqsub(d, EL_SQDMULL(T, d, a, b, qc), BITS_OF(T), qc)

/*
 * Shifts by a signed count, left when positive, as SSHL, SRSHL, SQSHL, SQRSHL and
 * their unsigned kin define them; @v is a lane of @bits bits widened to 64.
 */
static inline int64_t shift_right_signed(int64_t v, int n, bool rounding)
{
	if (n > 64)
		return rounding ? 0 : v >> 63;
	return (v >> (n > 63 ? 63 : n)) + (rounding ? v >> (n - 1) & 1 : 0);
}

static inline uint64_t shift_right_unsigned(uint64_t v, int n, bool rounding)
{
	if (n > 64)
		return 0;
	return (n > 63 ? 0 : v >> n) + (rounding ? v >> (n - 1) & 1 : 0);
}

static inline int64_t shift_signed(int64_t v, int n, bool rounding)
{
	if (n < 0)
		return shift_right_signed(v, -n, rounding);
	return n > 63 ? 0 : (int64_t)((uint64_t)v << n);
}

static inline uint64_t shift_unsigned(uint64_t v, int n, bool rounding)
{
	if (n < 0)
		return shift_right_unsigned(v, -n, rounding);
	return n > 63 ? 0 : v << n;
}

static inline int64_t sat_shift_signed(int64_t v, int n, bool rounding, int bits, bool *qc)
{
	int64_t r;

	if (n < 0)
		return shift_right_signed(v, -n, rounding);
	r = n < bits ? (int64_t)((uint64_t)v << n) : 0;
	if (n < bits ? r >> n == v : v == 0)
		return sat_signed(r, bits, qc);
	*qc = true;
	return v < 0 ? INT64_MIN >> (64 - bits) : INT64_MAX >> (64 - bits);
}

static inline uint64_t sat_shift_unsigned(uint64_t v, int n, bool rounding, int bits, bool *qc)
{
	uint64_t r;

	if (n < 0)
		return shift_right_unsigned(v, -n, rounding);
	r = n < bits ? v << n : 0;
	if (n < bits ? r >> n == v : v == 0)
		return sat_unsigned(r, bits, qc);
	*qc = true;
	return UINT64_MAX >> (64 - bits);
}

/* SQSHLU: a signed lane to an unsigned one. */
static inline uint64_t sat_shift_signed_to_unsigned(int64_t v, int n, int bits, bool *qc)
{
	return v < 0 ? sat_signed_to_unsigned(v, bits, qc) : sat_shift_unsigned((uint64_t)v, n, false, bits, qc);
}

/* Carry-less product with a byte @b; written out so that loops over it become vectors. */
#define POLY_TERM(T, a, b, k) ((T)((T)(a) << (k)) & (T)-(T)((b) >> (k) & 1))
#define EL_PMUL(T, d, a, b, qc)                                                                       \
	(POLY_TERM(T, a, b, 0) ^ POLY_TERM(T, a, b, 1) ^ POLY_TERM(T, a, b, 2) ^ POLY_TERM(T, a, b, 3) ^ \
	 POLY_TERM(T, a, b, 4) ^ POLY_TERM(T, a, b, 5) ^ POLY_TERM(T, a, b, 6) ^ POLY_TERM(T, a, b, 7))

#endif
