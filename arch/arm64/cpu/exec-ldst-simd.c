/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads and stores of SIMD&FP registers: single, pairs, structures.
 *
 * A load zeroes what it does not fill of the register, except for the one-lane
 * forms. Of 16 bytes each half is single-copy atomic, no more (no FEAT_LSE2).
 * Structures go through a buffer in memory order: one access, checked as one,
 * then the elements are dealt out to the registers (v31 is followed by v0).
 */
#include <string.h>

#include "ldst.h"

/* ---- One register and pairs ---- */

/* @bytes of one register from memory at @p, the rest zero. */
LDST_INLINE union vreg v_from(const char *p, unsigned bytes)
{
	union vreg v;

	v.d[0] = ram_ld(p, bytes < 8 ? bytes : 8);
	v.d[1] = bytes == 16 ? ram_ld64(p + 8) : 0;
	return v;
}

LDST_INLINE void v_to(char *p, const union vreg *v, unsigned bytes)
{
	ram_st(p, v->d[0], bytes < 8 ? bytes : 8);
	if (bytes == 16)
		ram_st64(p + 8, v->d[1]);
}

LDST_INLINE enum exec v_done(struct cpu *c, const struct insn *i, unsigned how)
{
	if (how & HOW_WB)
		c->x[i->rn] = new_base(c, i);
	return EXEC_NEXT;
}

LDST_SLOW enum exec v_load_slow(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	union vreg v = { .d = { 0, 0 } };

	if (!mem_ld_multi(c, va, &v, bytes, bytes, 0))
		return EXEC_JUMP;
	cpu_set_v(c, i->rd, v);
	return v_done(c, i, how);
}

LDST_SLOW enum exec v_store_slow(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;

	if (!mem_st_multi(c, va, cpu_v(c, i->rd), bytes, bytes, 0))
		return EXEC_JUMP;
	return v_done(c, i, how);
}

LDST_INLINE enum exec v_load(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	const char *p = tlb_read_ptr(c->ctx, va, bytes);

	if (__builtin_expect(!p, 0))
		return v_load_slow(c, i, va, how);
	cpu_set_v(c, i->rd, v_from(p, bytes));
	return v_done(c, i, how);
}

LDST_INLINE enum exec v_store(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	char *p = tlb_write_ptr(c->ctx, va, bytes);

	if (__builtin_expect(!p, 0))
		return v_store_slow(c, i, va, how);
	v_to(p, cpu_v(c, i->rd), bytes);
	return v_done(c, i, how);
}

LDST_SLOW enum exec v_load_pair_slow(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	union vreg v0 = { .d = { 0, 0 } }, v1 = v0;
	char buf[32];

	if (!mem_ld_multi(c, va, buf, 2 * bytes, bytes, 0))
		return EXEC_JUMP;
	memcpy(&v0, buf, bytes);
	memcpy(&v1, buf + bytes, bytes);
	cpu_set_v(c, i->rd, v0);
	cpu_set_v(c, i->ra, v1);
	return v_done(c, i, how);
}

LDST_SLOW enum exec v_store_pair_slow(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	char buf[32];

	memcpy(buf, cpu_v(c, i->rd), bytes);
	memcpy(buf + bytes, cpu_v(c, i->ra), bytes);
	if (!mem_st_multi(c, va, buf, 2 * bytes, bytes, 0))
		return EXEC_JUMP;
	return v_done(c, i, how);
}

LDST_INLINE enum exec v_load_pair(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	const char *p = tlb_read_ptr(c->ctx, va, 2 * bytes);
	union vreg v0, v1;

	if (__builtin_expect(!p, 0))
		return v_load_pair_slow(c, i, va, how);
	v0 = v_from(p, bytes);
	v1 = v_from(p + bytes, bytes);
	cpu_set_v(c, i->rd, v0);
	cpu_set_v(c, i->ra, v1);
	return v_done(c, i, how);
}

LDST_INLINE enum exec v_store_pair(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	char *p = tlb_write_ptr(c->ctx, va, 2 * bytes);

	if (__builtin_expect(!p, 0))
		return v_store_pair_slow(c, i, va, how);
	v_to(p, cpu_v(c, i->rd), bytes);
	v_to(p + bytes, cpu_v(c, i->ra), bytes);
	return v_done(c, i, how);
}

EXEC_MODES(exec_ldr_b_imm, exec_ldr_b_post, exec_ldr_b_pre, exec_ldr_b_reg_x, exec_ldr_b_reg_w, v_load, 1)
EXEC_MODES(exec_ldr_h_imm, exec_ldr_h_post, exec_ldr_h_pre, exec_ldr_h_reg_x, exec_ldr_h_reg_w, v_load, 2)
EXEC_MODES(exec_ldr_s_imm, exec_ldr_s_post, exec_ldr_s_pre, exec_ldr_s_reg_x, exec_ldr_s_reg_w, v_load, 4)
EXEC_MODES(exec_ldr_d_imm, exec_ldr_d_post, exec_ldr_d_pre, exec_ldr_d_reg_x, exec_ldr_d_reg_w, v_load, 8)
EXEC_MODES(exec_ldr_q_imm, exec_ldr_q_post, exec_ldr_q_pre, exec_ldr_q_reg_x, exec_ldr_q_reg_w, v_load, 16)
EXEC_MODES(exec_str_b_imm, exec_str_b_post, exec_str_b_pre, exec_str_b_reg_x, exec_str_b_reg_w, v_store, 1)
EXEC_MODES(exec_str_h_imm, exec_str_h_post, exec_str_h_pre, exec_str_h_reg_x, exec_str_h_reg_w, v_store, 2)
EXEC_MODES(exec_str_s_imm, exec_str_s_post, exec_str_s_pre, exec_str_s_reg_x, exec_str_s_reg_w, v_store, 4)
EXEC_MODES(exec_str_d_imm, exec_str_d_post, exec_str_d_pre, exec_str_d_reg_x, exec_str_d_reg_w, v_store, 8)
EXEC_MODES(exec_str_q_imm, exec_str_q_post, exec_str_q_pre, exec_str_q_reg_x, exec_str_q_reg_w, v_store, 16)

EXEC_IMM_MODES(exec_ldp_s, exec_ldp_s_post, exec_ldp_s_pre, v_load_pair, 4)
EXEC_IMM_MODES(exec_ldp_d, exec_ldp_d_post, exec_ldp_d_pre, v_load_pair, 8)
EXEC_IMM_MODES(exec_ldp_q, exec_ldp_q_post, exec_ldp_q_pre, v_load_pair, 16)
EXEC_IMM_MODES(exec_stp_s, exec_stp_s_post, exec_stp_s_pre, v_store_pair, 4)
EXEC_IMM_MODES(exec_stp_d, exec_stp_d_post, exec_stp_d_pre, v_store_pair, 8)
EXEC_IMM_MODES(exec_stp_q, exec_stp_q_post, exec_stp_q_pre, v_store_pair, 16)

EXEC_LITERAL(exec_ldr_s_lit, v_load, 4)
EXEC_LITERAL(exec_ldr_d_lit, v_load, 8)
EXEC_LITERAL(exec_ldr_q_lit, v_load, 16)

/* ---- Structures: insn.a registers of elements of 1 << insn.b bytes ---- */

enum { STRUCT_BYTES_MAX = 64 };

static unsigned reg_bytes(const struct insn *i) { return i->word >> 30 & 1 ? 16 : 8; }
static union vreg *struct_reg(struct cpu *c, const struct insn *i, unsigned k) { return cpu_v(c, (i->rd + k) & 31); }

/* Sizes known to the compiler, or each element would be a call of memcpy. */
LDST_INLINE void copy_element(uint8_t *to, const uint8_t *from, unsigned scale)
{
	switch (scale) {
	case 0: *to = *from; return;
	case 1: memcpy(to, from, 2); return;
	case 2: memcpy(to, from, 4); return;
	default: memcpy(to, from, 8);
	}
}

LDST_INLINE void copy_register(uint8_t *to, const uint8_t *from, unsigned bytes)
{
	memcpy(to, from, 8);
	if (bytes == 16)
		memcpy(to + 8, from + 8, 8);
}

/*
 * 8 bytes at a time where that keeps elements whole for whoever else looks: they
 * are single bytes, or the address is aligned. Memory copies and ciphers do this.
 */
static bool in_words(const struct insn *i, uint64_t va, unsigned bytes)
{
	return bytes % 8 == 0 && (i->b == 0 || va % 8 == 0);
}

static bool struct_load(struct cpu *c, const struct insn *i, uint8_t *buf, unsigned bytes)
{
	uint64_t va = c->x[i->rn];
	const uint8_t *p = tlb_read_ptr(c->ctx, va, bytes);

	if (!cpu_base_ok(c, i))
		return false;
	if (!p || !in_words(i, va, bytes))
		return mem_ld_multi(c, va, buf, bytes, 1u << i->b, 0);
	for (unsigned k = 0; k < bytes; k += 8) {
		uint64_t v = ram_ld64(p + k);

		memcpy(buf + k, &v, 8);
	}
	return true;
}

static bool struct_store(struct cpu *c, const struct insn *i, const uint8_t *buf, unsigned bytes)
{
	uint64_t va = c->x[i->rn];
	uint8_t *p = tlb_write_ptr(c->ctx, va, bytes);

	if (!p || !in_words(i, va, bytes))
		return mem_st_multi(c, va, buf, bytes, 1u << i->b, 0);
	for (unsigned k = 0; k < bytes; k += 8) {
		uint64_t v;

		memcpy(&v, buf + k, 8);
		ram_st64(p + k, v);
	}
	return true;
}

/* imm is the bytes moved and Rm is ZR, or imm is 0 and Rm counts (opnd_v_*_post). */
static enum exec post_index(struct cpu *c, const struct insn *i, enum exec r)
{
	if (r == EXEC_NEXT)
		c->x[i->rn] += (uint64_t)i->imm + c->x[i->rm];
	return r;
}

enum exec exec_ld1_multi(struct cpu *c, const struct insn *i)
{
	unsigned n = reg_bytes(i);
	uint8_t buf[STRUCT_BYTES_MAX];

	if (!struct_load(c, i, buf, n * i->a))
		return EXEC_JUMP;
	for (unsigned k = 0; k < i->a; k++) {
		union vreg v = { .d = { 0, 0 } };

		copy_register(v.b, buf + k * n, n);
		*struct_reg(c, i, k) = v;
	}
	return EXEC_NEXT;
}

enum exec exec_st1_multi(struct cpu *c, const struct insn *i)
{
	unsigned n = reg_bytes(i);
	uint8_t buf[STRUCT_BYTES_MAX];

	if (!cpu_base_ok(c, i))
		return EXEC_JUMP;
	for (unsigned k = 0; k < i->a; k++)
		copy_register(buf + k * n, struct_reg(c, i, k)->b, n);
	return access_result(struct_store(c, i, buf, n * i->a));
}

/* Element @e of register @k is element e * regs + k in memory. */
enum exec exec_ldn_multi(struct cpu *c, const struct insn *i)
{
	unsigned n = reg_bytes(i), size = 1u << i->b;
	uint8_t buf[STRUCT_BYTES_MAX];

	if (!struct_load(c, i, buf, n * i->a))
		return EXEC_JUMP;
	for (unsigned k = 0; k < i->a; k++) {
		union vreg v = { .d = { 0, 0 } };

		for (unsigned e = 0; e < n >> i->b; e++)
			copy_element(v.b + e * size, buf + (e * i->a + k) * size, i->b);
		*struct_reg(c, i, k) = v;
	}
	return EXEC_NEXT;
}

enum exec exec_stn_multi(struct cpu *c, const struct insn *i)
{
	unsigned n = reg_bytes(i), size = 1u << i->b;
	uint8_t buf[STRUCT_BYTES_MAX];

	if (!cpu_base_ok(c, i))
		return EXEC_JUMP;
	for (unsigned k = 0; k < i->a; k++)
		for (unsigned e = 0; e < n >> i->b; e++)
			copy_element(buf + (e * i->a + k) * size, struct_reg(c, i, k)->b + e * size, i->b);
	return access_result(struct_store(c, i, buf, n * i->a));
}

/* insn.ra: the lane. */
enum exec exec_ld_lane(struct cpu *c, const struct insn *i)
{
	unsigned size = 1u << i->b;
	uint8_t buf[STRUCT_BYTES_MAX];

	if (!struct_load(c, i, buf, size * i->a))
		return EXEC_JUMP;
	for (unsigned k = 0; k < i->a; k++)
		copy_element(struct_reg(c, i, k)->b + i->ra * size, buf + k * size, i->b);
	return EXEC_NEXT;
}

enum exec exec_st_lane(struct cpu *c, const struct insn *i)
{
	unsigned size = 1u << i->b;
	uint8_t buf[STRUCT_BYTES_MAX];

	if (!cpu_base_ok(c, i))
		return EXEC_JUMP;
	for (unsigned k = 0; k < i->a; k++)
		copy_element(buf + k * size, struct_reg(c, i, k)->b + i->ra * size, i->b);
	return access_result(struct_store(c, i, buf, size * i->a));
}

enum exec exec_ld_rep(struct cpu *c, const struct insn *i)
{
	unsigned n = reg_bytes(i), size = 1u << i->b;
	uint8_t buf[STRUCT_BYTES_MAX];

	if (!struct_load(c, i, buf, size * i->a))
		return EXEC_JUMP;
	for (unsigned k = 0; k < i->a; k++) {
		union vreg v = { .d = { 0, 0 } };

		for (unsigned e = 0; e < n >> i->b; e++)
			copy_element(v.b + e * size, buf + k * size, i->b);
		*struct_reg(c, i, k) = v;
	}
	return EXEC_NEXT;
}

#define STRUCT_POST(name, access) \
	enum exec name(struct cpu *c, const struct insn *i) { return post_index(c, i, access(c, i)); }
STRUCT_POST(exec_ld1_multi_post, exec_ld1_multi)
STRUCT_POST(exec_st1_multi_post, exec_st1_multi)
STRUCT_POST(exec_ldn_multi_post, exec_ldn_multi)
STRUCT_POST(exec_stn_multi_post, exec_stn_multi)
STRUCT_POST(exec_ld_lane_post, exec_ld_lane)
STRUCT_POST(exec_st_lane_post, exec_st_lane)
STRUCT_POST(exec_ld_rep_post, exec_ld_rep)
