/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm ARM, "Advanced SIMD copy", "permute", "extract" and "table lookup": lanes
 * move, nothing is computed. See lanes.h.
 */
#include <string.h>

#include "lanes.h"

/* ---- Copy ---- */

/* Lane @index of 1 << @log2_bytes bytes of @v, zero-extended. */
static inline uint64_t lane_get(const union vreg *v, unsigned log2_bytes, unsigned index)
{
	switch (log2_bytes) {
	case 0: return v->b[index & 15];
	case 1: return v->h[index & 7];
	case 2: return v->s[index & 3];
	default: return v->d[index & 1];
	}
}

static inline void lane_set(union vreg *v, unsigned log2_bytes, unsigned index, uint64_t x)
{
	switch (log2_bytes) {
	case 0: v->b[index & 15] = (uint8_t)x; break;
	case 1: v->h[index & 7] = (uint16_t)x; break;
	case 2: v->s[index & 3] = (uint32_t)x; break;
	default: v->d[index & 1] = x; break;
	}
}

static inline enum exec dup(struct cpu *c, const struct insn *i, uint64_t x)
{
	static const uint64_t ones[4] = { 0x0101010101010101, 0x0001000100010001, 0x0000000100000001, 1 };

	x = (x & UINT64_MAX >> (64 - (8u << i->a))) * ones[i->a & 3];
	return lanes_done(c, i, (union vreg){ .d = { x, x } }, false);
}

enum exec exec_dup_elem(struct cpu *c, const struct insn *i)
{
	return dup(c, i, lane_get(cpu_v(c, i->rn), i->a, (unsigned)i->imm));
}

enum exec exec_dup_gen(struct cpu *c, const struct insn *i) { return dup(c, i, c->x[i->rn]); }

/* INS keeps the other lanes. ra: index in Rn. */
enum exec exec_ins_elem(struct cpu *c, const struct insn *i)
{
	lane_set(cpu_v(c, i->rd), i->a, (unsigned)i->imm, lane_get(cpu_v(c, i->rn), i->a, i->ra));
	return EXEC_NEXT;
}

enum exec exec_ins_gen(struct cpu *c, const struct insn *i)
{
	lane_set(cpu_v(c, i->rd), i->a, (unsigned)i->imm, c->x[i->rn]);
	return EXEC_NEXT;
}

enum exec exec_umov(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = lane_get(cpu_v(c, i->rn), i->a, (unsigned)i->imm);
	return EXEC_NEXT;
}

enum exec exec_smov_x(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint64_t)sext(lane_get(cpu_v(c, i->rn), i->a, (unsigned)i->imm), 8u << i->a);
	return EXEC_NEXT;
}

enum exec exec_smov_w(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = (uint32_t)sext(lane_get(cpu_v(c, i->rn), i->a, (unsigned)i->imm), 8u << i->a);
	return EXEC_NEXT;
}

/* ---- Permute ---- */

/* UZP: the even (odd with @o) lanes of Rn:Rm. */
#define UNZIP(field, count, o)                 \
	for (unsigned k = 0; k < (count); k++) \
	r.field[k] = nm.field[2 * k + (o)]

#define UZP(name, o)                                        \
	enum exec name(struct cpu *c, const struct insn *i) \
	{                                                   \
		const union vpair nm = lanes_nm(c, i);      \
		union vreg r;                               \
		switch (i->a) {                             \
		case 0: UNZIP(b, 16, o); break;             \
		case 1: UNZIP(h, 8, o); break;              \
		case 2: UNZIP(s, 4, o); break;              \
		default: UNZIP(d, 2, o); break;             \
		}                                           \
		return lanes_done(c, i, r, false);          \
	}

UZP(exec_uzp1, 0)
UZP(exec_uzp2, 1)

/* The even lanes of 64 bits, by log2 of the lane's bytes. */
static const uint64_t even_lanes[3] = { 0x00ff00ff00ff00ff, 0x0000ffff0000ffff, 0x00000000ffffffff };

enum exec exec_trn1(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm);
	union vreg r = { .d = { n->d[0], m->d[0] } };

	if (i->a < 3)
		for (unsigned k = 0; k < 2; k++)
			r.d[k] = (n->d[k] & even_lanes[i->a]) | (m->d[k] & even_lanes[i->a]) << (8u << i->a);
	return lanes_done(c, i, r, false);
}

enum exec exec_trn2(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm);
	union vreg r = { .d = { n->d[1], m->d[1] } };

	if (i->a < 3)
		for (unsigned k = 0; k < 2; k++)
			r.d[k] = (n->d[k] >> (8u << i->a) & even_lanes[i->a]) | (m->d[k] & ~even_lanes[i->a]);
	return lanes_done(c, i, r, false);
}

/* The lanes of @n as even lanes, those of @m as odd ones. */
static inline uint64_t interleave(uint32_t n, uint32_t m, unsigned log2_lane)
{
	uint64_t x = n, y = m;

	for (unsigned k = 2; k-- > log2_lane;) {
		x = (x | x << (8u << k)) & even_lanes[k];
		y = (y | y << (8u << k)) & even_lanes[k];
	}
	return x | y << (8u << log2_lane);
}

/* ZIP of the 64-bit halves @n and @m; with Q = 0 of their 32-bit half @upper. */
static inline enum exec zip(struct cpu *c, const struct insn *i, uint64_t n, uint64_t m, unsigned upper)
{
	if (i->a == 3)
		return lanes_done(c, i, (union vreg){ .d = { n, m } }, false);
	if (i->b == 3) {
		n >>= 32 * upper;
		m >>= 32 * upper;
	}
	return lanes_done(c, i,
			  (union vreg){ .d = { interleave((uint32_t)n, (uint32_t)m, i->a),
					       interleave((uint32_t)(n >> 32), (uint32_t)(m >> 32), i->a) } },
			  false);
}

enum exec exec_zip1(struct cpu *c, const struct insn *i)
{
	return zip(c, i, cpu_v(c, i->rn)->d[0], cpu_v(c, i->rm)->d[0], 0);
}

enum exec exec_zip2(struct cpu *c, const struct insn *i)
{
	unsigned half = i->b == 4;

	return zip(c, i, cpu_v(c, i->rn)->d[half], cpu_v(c, i->rm)->d[half], 1);
}

/* ---- Extract ---- */

enum exec exec_ext(struct cpu *c, const struct insn *i)
{
	const union vpair nm = lanes_nm(c, i);
	union vreg r;

	memcpy(&r, &nm.b[i->imm & 15], sizeof(r));
	return lanes_done(c, i, r, false);
}

/* ---- Table lookup: imm registers from Rn on, wrapping around after V31 ---- */

static inline enum exec table_lookup(struct cpu *c, const struct insn *i, union vreg r)
{
	const union vreg m = *cpu_v(c, i->rm);
	unsigned regs = (unsigned)i->imm;
	uint8_t table[4 * 16];

	for (unsigned k = 0; k < regs; k++)
		memcpy(&table[16 * k], cpu_v(c, (i->rn + k) & 31), 16);
	for (unsigned k = 0; k < 16; k++)
		if (m.b[k] < 16 * regs)
			r.b[k] = table[m.b[k]];
	return lanes_done(c, i, r, false);
}

enum exec exec_tbl(struct cpu *c, const struct insn *i) { return table_lookup(c, i, (union vreg){ .d = { 0, 0 } }); }

enum exec exec_tbx(struct cpu *c, const struct insn *i) { return table_lookup(c, i, *cpu_v(c, i->rd)); }
