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

static __attribute__((noinline)) enum exec load_slow(struct cpu *c, uint64_t *dst, uint64_t va, unsigned bytes,
						     enum widen w, unsigned flags)
{
	uint64_t v = 0;

	if (!mmu_read_slow(c, va, &v, bytes, bytes, flags))
		return EXEC_JUMP;
	*dst = widened(v, bytes, w);
	return EXEC_NEXT;
}

static __attribute__((noinline)) enum exec store_slow(struct cpu *c, uint64_t va, uint64_t v, unsigned bytes,
						      unsigned flags)
{
	return access_result(mmu_write_slow(c, va, &v, bytes, bytes, flags));
}

LDST_INLINE enum exec load(struct cpu *c, const struct insn *i, uint64_t va, unsigned bytes, enum widen w,
			   unsigned flags)
{
	const void *p = tlb_read_ptr(acc_ctx(c, flags), va, bytes);

	if (__builtin_expect(!p, 0))
		return load_slow(c, &c->x[i->rd], va, bytes, w, flags);
	c->x[i->rd] = widened(ram_ld(p, bytes), bytes, w);
	return EXEC_NEXT;
}

LDST_INLINE enum exec store(struct cpu *c, const struct insn *i, uint64_t va, unsigned bytes, unsigned flags)
{
	void *p = tlb_write_ptr(acc_ctx(c, flags), va, bytes);

	if (__builtin_expect(!p, 0))
		return store_slow(c, va, c->x[i->rd], bytes, flags);
	ram_st(p, c->x[i->rd], bytes);
	return EXEC_NEXT;
}

/* One function: checks the base, accesses at @va, then does @after. */
#define ACCESS(name, access, va, after)                                    \
	enum exec name(struct cpu *c, const struct insn *i)                \
	{                                                                  \
		uint64_t base = c->x[i->rn];                               \
		if (!cpu_base_ok(c, i) || (access(va)) != EXEC_NEXT)       \
			return EXEC_JUMP;                                  \
		after;                                                     \
		return EXEC_NEXT;                                          \
	}
#define BASE_IMM  base + (uint64_t)i->imm
#define WRITEBACK c->x[i->rn] = BASE_IMM

/* All addressing modes of one load or store. */
#define MODES(imm_, post_, pre_, reg_x_, reg_w_, unpriv_, access, unpriv_access) \
	ACCESS(imm_, access, BASE_IMM, (void)0)                            \
	ACCESS(post_, access, base, WRITEBACK)                             \
	ACCESS(pre_, access, BASE_IMM, WRITEBACK)                          \
	ACCESS(reg_x_, access, base + index_x(c, i), (void)0)              \
	ACCESS(reg_w_, access, base + index_w(c, i), (void)0)              \
	ACCESS(unpriv_, unpriv_access, BASE_IMM, (void)0)

#define LOAD8(va)        load(c, i, va, 1, ZX, 0)
#define LOAD8_SX64(va)   load(c, i, va, 1, SX64, 0)
#define LOAD8_SX32(va)   load(c, i, va, 1, SX32, 0)
#define LOAD16(va)       load(c, i, va, 2, ZX, 0)
#define LOAD16_SX64(va)  load(c, i, va, 2, SX64, 0)
#define LOAD16_SX32(va)  load(c, i, va, 2, SX32, 0)
#define LOAD32(va)       load(c, i, va, 4, ZX, 0)
#define LOAD32_SX64(va)  load(c, i, va, 4, SX64, 0)
#define LOAD64(va)       load(c, i, va, 8, ZX, 0)
#define STORE8(va)       store(c, i, va, 1, 0)
#define STORE16(va)      store(c, i, va, 2, 0)
#define STORE32(va)      store(c, i, va, 4, 0)
#define STORE64(va)      store(c, i, va, 8, 0)

#define LOADT8(va)       load(c, i, va, 1, ZX, ACC_UNPRIV)
#define LOADT8_SX64(va)  load(c, i, va, 1, SX64, ACC_UNPRIV)
#define LOADT8_SX32(va)  load(c, i, va, 1, SX32, ACC_UNPRIV)
#define LOADT16(va)      load(c, i, va, 2, ZX, ACC_UNPRIV)
#define LOADT16_SX64(va) load(c, i, va, 2, SX64, ACC_UNPRIV)
#define LOADT16_SX32(va) load(c, i, va, 2, SX32, ACC_UNPRIV)
#define LOADT32(va)      load(c, i, va, 4, ZX, ACC_UNPRIV)
#define LOADT32_SX64(va) load(c, i, va, 4, SX64, ACC_UNPRIV)
#define LOADT64(va)      load(c, i, va, 8, ZX, ACC_UNPRIV)
#define STORET8(va)      store(c, i, va, 1, ACC_UNPRIV)
#define STORET16(va)     store(c, i, va, 2, ACC_UNPRIV)
#define STORET32(va)     store(c, i, va, 4, ACC_UNPRIV)
#define STORET64(va)     store(c, i, va, 8, ACC_UNPRIV)

MODES(exec_strb_imm, exec_strb_post, exec_strb_pre, exec_strb_reg_x, exec_strb_reg_w, exec_sttrb, STORE8, STORET8)
MODES(exec_strh_imm, exec_strh_post, exec_strh_pre, exec_strh_reg_x, exec_strh_reg_w, exec_sttrh, STORE16, STORET16)
MODES(exec_str_w_imm, exec_str_w_post, exec_str_w_pre, exec_str_w_reg_x, exec_str_w_reg_w, exec_sttr_w,
      STORE32, STORET32)
MODES(exec_str_x_imm, exec_str_x_post, exec_str_x_pre, exec_str_x_reg_x, exec_str_x_reg_w, exec_sttr_x,
      STORE64, STORET64)

MODES(exec_ldrb_imm, exec_ldrb_post, exec_ldrb_pre, exec_ldrb_reg_x, exec_ldrb_reg_w, exec_ldtrb, LOAD8, LOADT8)
MODES(exec_ldrh_imm, exec_ldrh_post, exec_ldrh_pre, exec_ldrh_reg_x, exec_ldrh_reg_w, exec_ldtrh, LOAD16, LOADT16)
MODES(exec_ldr_w_imm, exec_ldr_w_post, exec_ldr_w_pre, exec_ldr_w_reg_x, exec_ldr_w_reg_w, exec_ldtr_w,
      LOAD32, LOADT32)
MODES(exec_ldr_x_imm, exec_ldr_x_post, exec_ldr_x_pre, exec_ldr_x_reg_x, exec_ldr_x_reg_w, exec_ldtr_x,
      LOAD64, LOADT64)
MODES(exec_ldrsb_x_imm, exec_ldrsb_x_post, exec_ldrsb_x_pre, exec_ldrsb_x_reg_x, exec_ldrsb_x_reg_w, exec_ldtrsb_x,
      LOAD8_SX64, LOADT8_SX64)
MODES(exec_ldrsb_w_imm, exec_ldrsb_w_post, exec_ldrsb_w_pre, exec_ldrsb_w_reg_x, exec_ldrsb_w_reg_w, exec_ldtrsb_w,
      LOAD8_SX32, LOADT8_SX32)
MODES(exec_ldrsh_x_imm, exec_ldrsh_x_post, exec_ldrsh_x_pre, exec_ldrsh_x_reg_x, exec_ldrsh_x_reg_w, exec_ldtrsh_x,
      LOAD16_SX64, LOADT16_SX64)
MODES(exec_ldrsh_w_imm, exec_ldrsh_w_post, exec_ldrsh_w_pre, exec_ldrsh_w_reg_x, exec_ldrsh_w_reg_w, exec_ldtrsh_w,
      LOAD16_SX32, LOADT16_SX32)
MODES(exec_ldrsw_imm, exec_ldrsw_post, exec_ldrsw_pre, exec_ldrsw_reg_x, exec_ldrsw_reg_w, exec_ldtrsw,
      LOAD32_SX64, LOADT32_SX64)

enum exec exec_ldr_w_lit(struct cpu *c, const struct insn *i) { return LOAD32(c->pc + (uint64_t)i->imm); }
enum exec exec_ldr_x_lit(struct cpu *c, const struct insn *i) { return LOAD64(c->pc + (uint64_t)i->imm); }
enum exec exec_ldrsw_lit(struct cpu *c, const struct insn *i) { return LOAD32_SX64(c->pc + (uint64_t)i->imm); }

enum exec exec_prfm(struct cpu *c, const struct insn *i)
{
	(void)c;
	(void)i;
	return EXEC_NEXT;
}

/* ---- Pairs: two accesses of @bytes each, checked as one ---- */

static __attribute__((noinline)) enum exec load_pair_slow(struct cpu *c, const struct insn *i, uint64_t va,
							  unsigned bytes, enum widen w)
{
	uint64_t buf[2] = { 0, 0 };
	uint64_t v0, v1;

	if (!mem_ld_multi(c, va, buf, 2 * bytes, bytes, 0))
		return EXEC_JUMP;
	v0 = bytes == 8 ? buf[0] : (uint32_t)buf[0];
	v1 = bytes == 8 ? buf[1] : buf[0] >> 32;
	c->x[i->rd] = widened(v0, bytes, w);
	c->x[i->ra] = widened(v1, bytes, w);
	return EXEC_NEXT;
}

static __attribute__((noinline)) enum exec store_pair_slow(struct cpu *c, uint64_t va, uint64_t v0, uint64_t v1,
							   unsigned bytes)
{
	uint64_t buf[2] = { v0, v1 };

	if (bytes == 4)
		buf[0] = (uint32_t)v0 | v1 << 32;
	return access_result(mem_st_multi(c, va, buf, 2 * bytes, bytes, 0));
}

LDST_INLINE enum exec load_pair(struct cpu *c, const struct insn *i, uint64_t va, unsigned bytes, enum widen w)
{
	const char *p = tlb_read_ptr(c->ctx, va, 2 * bytes);
	uint64_t v0, v1;

	if (__builtin_expect(!p, 0))
		return load_pair_slow(c, i, va, bytes, w);
	v0 = ram_ld(p, bytes);
	v1 = ram_ld(p + bytes, bytes);
	c->x[i->rd] = widened(v0, bytes, w);
	c->x[i->ra] = widened(v1, bytes, w);
	return EXEC_NEXT;
}

LDST_INLINE enum exec store_pair(struct cpu *c, const struct insn *i, uint64_t va, unsigned bytes)
{
	char *p = tlb_write_ptr(c->ctx, va, 2 * bytes);

	if (__builtin_expect(!p, 0))
		return store_pair_slow(c, va, c->x[i->rd], c->x[i->ra], bytes);
	ram_st(p, c->x[i->rd], bytes);
	ram_st(p + bytes, c->x[i->ra], bytes);
	return EXEC_NEXT;
}

#define PAIR_MODES(imm_, post_, pre_, access)                              \
	ACCESS(imm_, access, BASE_IMM, (void)0)                            \
	ACCESS(post_, access, base, WRITEBACK)                             \
	ACCESS(pre_, access, BASE_IMM, WRITEBACK)

#define LOAD_PAIR32(va)      load_pair(c, i, va, 4, ZX)
#define LOAD_PAIR32_SX64(va) load_pair(c, i, va, 4, SX64)
#define LOAD_PAIR64(va)      load_pair(c, i, va, 8, ZX)
#define STORE_PAIR32(va)     store_pair(c, i, va, 4)
#define STORE_PAIR64(va)     store_pair(c, i, va, 8)

PAIR_MODES(exec_ldp_w, exec_ldp_w_post, exec_ldp_w_pre, LOAD_PAIR32)
PAIR_MODES(exec_ldpsw, exec_ldpsw_post, exec_ldpsw_pre, LOAD_PAIR32_SX64)
PAIR_MODES(exec_ldp_x, exec_ldp_x_post, exec_ldp_x_pre, LOAD_PAIR64)
PAIR_MODES(exec_stp_w, exec_stp_w_post, exec_stp_w_pre, STORE_PAIR32)
PAIR_MODES(exec_stp_x, exec_stp_x_post, exec_stp_x_pre, STORE_PAIR64)
