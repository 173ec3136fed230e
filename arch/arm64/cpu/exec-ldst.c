/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm ARM, "Loads and Stores": general registers, pairs, literals, prefetches.
 *
 * In every function the base is checked, then memory is accessed, and only then
 * registers change: first the data, last the base. For the write-back forms
 * whose base is also a data register (CONSTRAINED UNPREDICTABLE) this means that
 * stores see the old base and the base's new value wins over loaded data; of a
 * pair into one register the second wins.
 */
#include "ldst.h"

LDST_SLOW enum exec load_slow(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	uint64_t v = 0, wb = new_base(c, i);

	if (!mmu_read_slow(c, va, &v, bytes, bytes, how_flags(how)))
		return EXEC_JUMP;
	c->x[i->rd] = widened(v, how);
	if (how & HOW_WB)
		c->x[i->rn] = wb;
	return EXEC_NEXT;
}

LDST_SLOW enum exec store_slow(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;

	if (!mmu_write_slow(c, va, &c->x[i->rd], bytes, bytes, how_flags(how)))
		return EXEC_JUMP;
	if (how & HOW_WB)
		c->x[i->rn] = new_base(c, i);
	return EXEC_NEXT;
}

LDST_INLINE enum exec load(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	const void *p = tlb_read_ptr(acc_ctx(c, how_flags(how)), va, how & HOW_BYTES);
	uint64_t wb = new_base(c, i);

	if (__builtin_expect(!p, 0))
		return load_slow(c, i, va, how);
	c->x[i->rd] = widened(ram_ld(p, how & HOW_BYTES), how);
	if (how & HOW_WB)
		c->x[i->rn] = wb;
	return EXEC_NEXT;
}

LDST_INLINE enum exec store(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	void *p = tlb_write_ptr(acc_ctx(c, how_flags(how)), va, how & HOW_BYTES);

	if (__builtin_expect(!p, 0))
		return store_slow(c, i, va, how);
	ram_st(p, c->x[i->rd], how & HOW_BYTES);
	if (how & HOW_WB)
		c->x[i->rn] = new_base(c, i);
	return EXEC_NEXT;
}

EXEC_MODES(exec_strb_imm, exec_strb_post, exec_strb_pre, exec_strb_reg_x, exec_strb_reg_w, store, 1)
EXEC_ACCESS(exec_sttrb, store, va_imm, 1 | HOW_UNPRIV)
EXEC_MODES(exec_strh_imm, exec_strh_post, exec_strh_pre, exec_strh_reg_x, exec_strh_reg_w, store, 2)
EXEC_ACCESS(exec_sttrh, store, va_imm, 2 | HOW_UNPRIV)
EXEC_MODES(exec_str_w_imm, exec_str_w_post, exec_str_w_pre, exec_str_w_reg_x, exec_str_w_reg_w, store, 4)
EXEC_ACCESS(exec_sttr_w, store, va_imm, 4 | HOW_UNPRIV)
EXEC_MODES(exec_str_x_imm, exec_str_x_post, exec_str_x_pre, exec_str_x_reg_x, exec_str_x_reg_w, store, 8)
EXEC_ACCESS(exec_sttr_x, store, va_imm, 8 | HOW_UNPRIV)
EXEC_MODES(exec_ldrb_imm, exec_ldrb_post, exec_ldrb_pre, exec_ldrb_reg_x, exec_ldrb_reg_w, load, 1)
EXEC_ACCESS(exec_ldtrb, load, va_imm, 1 | HOW_UNPRIV)
EXEC_MODES(exec_ldrh_imm, exec_ldrh_post, exec_ldrh_pre, exec_ldrh_reg_x, exec_ldrh_reg_w, load, 2)
EXEC_ACCESS(exec_ldtrh, load, va_imm, 2 | HOW_UNPRIV)
EXEC_MODES(exec_ldr_w_imm, exec_ldr_w_post, exec_ldr_w_pre, exec_ldr_w_reg_x, exec_ldr_w_reg_w, load, 4)
EXEC_ACCESS(exec_ldtr_w, load, va_imm, 4 | HOW_UNPRIV)
EXEC_MODES(exec_ldr_x_imm, exec_ldr_x_post, exec_ldr_x_pre, exec_ldr_x_reg_x, exec_ldr_x_reg_w, load, 8)
EXEC_ACCESS(exec_ldtr_x, load, va_imm, 8 | HOW_UNPRIV)
EXEC_MODES(exec_ldrsb_x_imm, exec_ldrsb_x_post, exec_ldrsb_x_pre, exec_ldrsb_x_reg_x, exec_ldrsb_x_reg_w, load,
	   1 | HOW_SX64)
EXEC_ACCESS(exec_ldtrsb_x, load, va_imm, 1 | HOW_SX64 | HOW_UNPRIV)
EXEC_MODES(exec_ldrsb_w_imm, exec_ldrsb_w_post, exec_ldrsb_w_pre, exec_ldrsb_w_reg_x, exec_ldrsb_w_reg_w, load,
	   1 | HOW_SX32)
EXEC_ACCESS(exec_ldtrsb_w, load, va_imm, 1 | HOW_SX32 | HOW_UNPRIV)
EXEC_MODES(exec_ldrsh_x_imm, exec_ldrsh_x_post, exec_ldrsh_x_pre, exec_ldrsh_x_reg_x, exec_ldrsh_x_reg_w, load,
	   2 | HOW_SX64)
EXEC_ACCESS(exec_ldtrsh_x, load, va_imm, 2 | HOW_SX64 | HOW_UNPRIV)
EXEC_MODES(exec_ldrsh_w_imm, exec_ldrsh_w_post, exec_ldrsh_w_pre, exec_ldrsh_w_reg_x, exec_ldrsh_w_reg_w, load,
	   2 | HOW_SX32)
EXEC_ACCESS(exec_ldtrsh_w, load, va_imm, 2 | HOW_SX32 | HOW_UNPRIV)
EXEC_MODES(exec_ldrsw_imm, exec_ldrsw_post, exec_ldrsw_pre, exec_ldrsw_reg_x, exec_ldrsw_reg_w, load, 4 | HOW_SX64)
EXEC_ACCESS(exec_ldtrsw, load, va_imm, 4 | HOW_SX64 | HOW_UNPRIV)

EXEC_LITERAL(exec_ldr_w_lit, load, 4)
EXEC_LITERAL(exec_ldr_x_lit, load, 8)
EXEC_LITERAL(exec_ldrsw_lit, load, 4 | HOW_SX64)

enum exec exec_prfm(struct cpu *c, const struct insn *i)
{
	(void)c;
	(void)i;
	return EXEC_NEXT;
}

/* ---- Pairs: two accesses of as many bytes, checked as one ---- */

LDST_INLINE void set_pair(struct cpu *c, const struct insn *i, uint64_t v0, uint64_t v1, unsigned how)
{
	uint64_t wb = new_base(c, i);

	c->x[i->rd] = widened(v0, how);
	c->x[i->ra] = widened(v1, how);
	if (how & HOW_WB)
		c->x[i->rn] = wb;
}

LDST_SLOW enum exec load_pair_slow(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	uint64_t buf[2] = { 0, 0 };

	if (!mem_ld_multi(c, va, buf, 2 * bytes, bytes, 0))
		return EXEC_JUMP;
	if (bytes == 8)
		set_pair(c, i, buf[0], buf[1], how);
	else
		set_pair(c, i, (uint32_t)buf[0], buf[0] >> 32, how);
	return EXEC_NEXT;
}

LDST_SLOW enum exec store_pair_slow(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	uint64_t buf[2] = { c->x[i->rd], c->x[i->ra] };

	if (bytes == 4)
		buf[0] = (uint32_t)buf[0] | buf[1] << 32;
	if (!mem_st_multi(c, va, buf, 2 * bytes, bytes, 0))
		return EXEC_JUMP;
	if (how & HOW_WB)
		c->x[i->rn] = new_base(c, i);
	return EXEC_NEXT;
}

LDST_INLINE enum exec load_pair(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	const char *p = tlb_read_ptr(c->ctx, va, 2 * bytes);

	if (__builtin_expect(!p, 0))
		return load_pair_slow(c, i, va, how);
	set_pair(c, i, ram_ld(p, bytes), ram_ld(p + bytes, bytes), how);
	return EXEC_NEXT;
}

LDST_INLINE enum exec store_pair(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	char *p = tlb_write_ptr(c->ctx, va, 2 * bytes);

	if (__builtin_expect(!p, 0))
		return store_pair_slow(c, i, va, how);
	ram_st(p, c->x[i->rd], bytes);
	ram_st(p + bytes, c->x[i->ra], bytes);
	if (how & HOW_WB)
		c->x[i->rn] = new_base(c, i);
	return EXEC_NEXT;
}

EXEC_IMM_MODES(exec_ldp_w, exec_ldp_w_post, exec_ldp_w_pre, load_pair, 4)
EXEC_IMM_MODES(exec_ldpsw, exec_ldpsw_post, exec_ldpsw_pre, load_pair, 4 | HOW_SX64)
EXEC_IMM_MODES(exec_ldp_x, exec_ldp_x_post, exec_ldp_x_pre, load_pair, 8)
EXEC_IMM_MODES(exec_stp_w, exec_stp_w_post, exec_stp_w_pre, store_pair, 4)
EXEC_IMM_MODES(exec_stp_x, exec_stp_x_post, exec_stp_x_pre, store_pair, 8)

/* ---- LDRAA, LDRAB: the base is authenticated with modifier 0, then offset; write-back keeps that address ---- */

LDST_INLINE enum exec load_authenticated(struct cpu *c, const struct insn *i, uint64_t base, unsigned how)
{
	uint64_t va = pauth_auth(c, base, 0, (enum pauth_key)i->a) + (uint64_t)i->imm;
	enum exec r = load(c, i, va, 8);

	if (r == EXEC_NEXT && (how & HOW_WB))
		c->x[i->rn] = va;
	return r;
}

EXEC_ACCESS(exec_ldra, load_authenticated, va_base, 8)
EXEC_ACCESS(exec_ldra_pre, load_authenticated, va_base, 8 | HOW_WB)
