/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating point lane by lane, private to exec-fp.c and exec-simd-fp.c.
 *
 * The opnd_ functions of operands-fp.c leave the format in insn.a and the number
 * of lanes in insn.b; a scalar is a vector of one lane. Results start as zero,
 * so that the lanes nobody computes are zero as the architecture wants.
 */
#ifndef CPU_EXEC_FP_H
#define CPU_EXEC_FP_H

#include "cpu.h"
#include "softfp.h"

static inline uint64_t lane_get(const union vreg *v, unsigned f, unsigned n)
{
	return f == FP_D ? v->d[n] : f == FP_S ? v->s[n] : v->h[n];
}

static inline void lane_set(union vreg *v, unsigned f, unsigned n, uint64_t x)
{
	if (f == FP_D)
		v->d[n] = x;
	else if (f == FP_S)
		v->s[n] = (uint32_t)x;
	else
		v->h[n] = (uint16_t)x;
}

static inline struct fp_env fp_begin(const struct cpu *c)
{
	return (struct fp_env){ .cr = c->fpcr, .sr = c->fpsr };
}

/* FPCR.RMode, where the fp_env is e. */
#define RMODE FPCR_RMODE(e.cr)

static inline enum exec fp_end(struct cpu *c, const struct insn *i, const struct fp_env *e, union vreg r)
{
	c->fpsr = e->sr;
	cpu_set_v(c, i->rd, r);
	return EXEC_NEXT;
}

/*
 * Defines exec_ function @name: lane k of Vd becomes @expr of x, y (lanes k of
 * Vn and Vm), the format f and the environment &e.
 */
#define LANES2(name, expr) \
	enum exec name(struct cpu *c, const struct insn *i) \
	{ \
		const union vreg *vn = cpu_v(c, i->rn), *vm = cpu_v(c, i->rm); \
		const enum fp_format f = (enum fp_format)i->a; \
		struct fp_env e = fp_begin(c); \
		union vreg r = { .q = 0 }; \
		\
		for (unsigned k = 0; k < i->b; k++) { \
			uint64_t x = lane_get(vn, f, k), y = lane_get(vm, f, k); \
			\
			lane_set(&r, f, k, expr); \
		} \
		return fp_end(c, i, &e, r); \
	}

/* The same with one operand. */
#define LANES1(name, expr) \
	enum exec name(struct cpu *c, const struct insn *i) \
	{ \
		const union vreg *vn = cpu_v(c, i->rn); \
		const enum fp_format f = (enum fp_format)i->a; \
		struct fp_env e = fp_begin(c); \
		union vreg r = { .q = 0 }; \
		\
		for (unsigned k = 0; k < i->b; k++) { \
			uint64_t x = lane_get(vn, f, k); \
			\
			lane_set(&r, f, k, expr); \
		} \
		return fp_end(c, i, &e, r); \
	}

#endif
