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

enum exec exec_dup_gen(struct cpu *c, const struct insn *i)
{
	return dup(c, i, c->x[i->rn]);
}

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

/* Each source index is of Rn:Rm, of which Rm starts at lane @lanes; @k counts result lanes. */
#define FROM_UZP1(k, lanes)  (2 * (k))
#define FROM_UZP2(k, lanes)  (2 * (k) + 1)
#define FROM_TRN1(k, lanes)  (((k) & ~1u) + ((k) & 1) * (lanes))
#define FROM_TRN2(k, lanes)  (((k) | 1u) + ((k) & 1) * (lanes))
#define FROM_ZIP1(k, lanes)  ((k) / 2 + ((k) & 1) * (lanes))
#define FROM_ZIP2(k, lanes)  ((k) / 2 + ((k) & 1) * (lanes) + (lanes) / 2)

#define PERMUTE_LOOP(from, field, count)              \
	for (unsigned k = 0; k < (count); k++)        \
		r.field[k] = nm.field[from(k, count)]

/* Eight loops with constant indices, so that each becomes a few shuffles. */
#define PERMUTE(name, from)                                                                           \
	enum exec name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                             \
		const union vpair nm = lanes_nm(c, i);                                                \
		union vreg r = { .d = { 0, 0 } };                                                     \
		switch ((i->a & 3) << 1 | (i->b == 4)) {                                              \
		case 0: PERMUTE_LOOP(from, b, 8); break;                                              \
		case 1: PERMUTE_LOOP(from, b, 16); break;                                             \
		case 2: PERMUTE_LOOP(from, h, 4); break;                                              \
		case 3: PERMUTE_LOOP(from, h, 8); break;                                              \
		case 4: PERMUTE_LOOP(from, s, 2); break;                                              \
		case 5: PERMUTE_LOOP(from, s, 4); break;                                              \
		default: PERMUTE_LOOP(from, d, 2); break;                                             \
		}                                                                                     \
		cpu_set_v(c, i->rd, r);                                                               \
		return EXEC_NEXT;                                                                     \
	}

PERMUTE(exec_uzp1, FROM_UZP1)
PERMUTE(exec_uzp2, FROM_UZP2)
PERMUTE(exec_trn1, FROM_TRN1)
PERMUTE(exec_trn2, FROM_TRN2)
PERMUTE(exec_zip1, FROM_ZIP1)
PERMUTE(exec_zip2, FROM_ZIP2)

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

enum exec exec_tbl(struct cpu *c, const struct insn *i)
{
	return table_lookup(c, i, (union vreg){ .d = { 0, 0 } });
}

enum exec exec_tbx(struct cpu *c, const struct insn *i)
{
	return table_lookup(c, i, *cpu_v(c, i->rd));
}
