/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What loads and stores share: RAM through the software TLB inline, everything
 * else (TLB miss, page crossing, MMIO, faults) in one tail call out of line that
 * also finishes the instruction, so that the inline code needs no stack.
 */
#ifndef CPU_LDST_H
#define CPU_LDST_H

#include "cpu.h"

#define LDST_INLINE static inline __attribute__((always_inline))
#define LDST_SLOW   static __attribute__((noinline, unused))

/*
 * How an access is done, a constant known while compiling: bytes of one register
 * (1..16), and how a value fills an X register (with zeroes unless said), whether
 * as EL0, and whether the base register changes to base + imm afterwards.
 */
enum {
	HOW_BYTES  = 31,
	HOW_SX64   = 1 << 5,    /* sign extends to 64 bits */
	HOW_SX32   = 1 << 6,    /* to 32 bits */
	HOW_UNPRIV = 1 << 7,
	HOW_WB     = 1 << 8,
};

LDST_INLINE unsigned how_flags(unsigned how) { return how & HOW_UNPRIV ? ACC_UNPRIV : 0; }

/* Guest memory is shared without locks by design; see the accessors in cpu.h. */
#define RACY __attribute__((no_sanitize("thread", "alignment")))

RACY static inline uint64_t ram_ld8(const void *p)  { return *(const volatile uint8_t *)p; }
RACY static inline uint64_t ram_ld16(const void *p) { return *(const volatile mem_u16 *)p; }
RACY static inline uint64_t ram_ld32(const void *p) { return *(const volatile mem_u32 *)p; }
RACY static inline uint64_t ram_ld64(const void *p) { return *(const volatile mem_u64 *)p; }
RACY static inline void ram_st8(void *p, uint64_t v)  { *(volatile uint8_t *)p = (uint8_t)v; }
RACY static inline void ram_st16(void *p, uint64_t v) { *(volatile mem_u16 *)p = (uint16_t)v; }
RACY static inline void ram_st32(void *p, uint64_t v) { *(volatile mem_u32 *)p = (uint32_t)v; }
RACY static inline void ram_st64(void *p, uint64_t v) { *(volatile mem_u64 *)p = v; }

LDST_INLINE uint64_t ram_ld(const void *p, unsigned bytes)
{
	switch (bytes) {
	case 1:  return ram_ld8(p);
	case 2:  return ram_ld16(p);
	case 4:  return ram_ld32(p);
	default: return ram_ld64(p);
	}
}

LDST_INLINE void ram_st(void *p, uint64_t v, unsigned bytes)
{
	switch (bytes) {
	case 1:  ram_st8(p, v); return;
	case 2:  ram_st16(p, v); return;
	case 4:  ram_st32(p, v); return;
	default: ram_st64(p, v);
	}
}

LDST_INLINE uint64_t widened(uint64_t v, unsigned how)
{
	if (!(how & (HOW_SX64 | HOW_SX32)))
		return v;
	v = (uint64_t)sext(v, (how & HOW_BYTES) * 8);
	return how & HOW_SX32 ? (uint32_t)v : v;
}

LDST_INLINE enum exec access_result(bool ok) { return ok ? EXEC_NEXT : EXEC_JUMP; }

/* Addresses, one per addressing mode. */
LDST_INLINE uint64_t va_base(const struct cpu *c, const struct insn *i) { return c->x[i->rn]; }
LDST_INLINE uint64_t va_imm(const struct cpu *c, const struct insn *i)
{
	return c->x[i->rn] + (uint64_t)i->imm;
}
LDST_INLINE uint64_t va_reg_x(const struct cpu *c, const struct insn *i)
{
	return c->x[i->rn] + (c->x[i->rm] << i->a);
}
LDST_INLINE uint64_t va_reg_w(const struct cpu *c, const struct insn *i)
{
	uint32_t m = (uint32_t)c->x[i->rm];

	return c->x[i->rn] + ((i->b ? (uint64_t)(int64_t)(int32_t)m : m) << i->a);
}
LDST_INLINE uint64_t va_lit(const struct cpu *c, const struct insn *i) { return c->pc + (uint64_t)i->imm; }

/* Before the data: what the base becomes. */
LDST_INLINE uint64_t new_base(const struct cpu *c, const struct insn *i) { return va_imm(c, i); }

/* SP as base is not a multiple of 16: a fault, or else @body after all. */
LDST_SLOW enum exec misaligned_sp(struct cpu *c, const struct insn *i, exec_fn *body)
{
	return cpu_sp_misaligned(c) ? EXEC_JUMP : body(c, i);
}

/*
 * Defines exec_ function @name: @access(c, i, address, how) behind the check of
 * the base. The rare case calls the body once more out of line, so that the
 * other needs no stack.
 */
#define EXEC_ACCESS(name, access, va, how)                                             \
	LDST_INLINE enum exec name##_body(struct cpu *c, const struct insn *i)         \
	{                                                                              \
		return access(c, i, va(c, i), how);                                    \
	}                                                                              \
	enum exec name(struct cpu *c, const struct insn *i)                            \
	{                                                                              \
		if (__builtin_expect(i->rn == SLOT_SP && (c->x[SLOT_SP] & 15), 0))     \
			return misaligned_sp(c, i, name##_body);                       \
		return name##_body(c, i);                                              \
	}

#define EXEC_LITERAL(name, access, how) \
	enum exec name(struct cpu *c, const struct insn *i) { return access(c, i, va_lit(c, i), how); }

/* Immediate offset (scaled or not), post- and pre-index. */
#define EXEC_IMM_MODES(imm_, post_, pre_, access, how)          \
	EXEC_ACCESS(imm_, access, va_imm, how)                  \
	EXEC_ACCESS(post_, access, va_base, (how) | HOW_WB)     \
	EXEC_ACCESS(pre_, access, va_imm, (how) | HOW_WB)

/* ... and register offset. */
#define EXEC_MODES(imm_, post_, pre_, reg_x_, reg_w_, access, how) \
	EXEC_IMM_MODES(imm_, post_, pre_, access, how)          \
	EXEC_ACCESS(reg_x_, access, va_reg_x, how)              \
	EXEC_ACCESS(reg_w_, access, va_reg_w, how)

#endif
