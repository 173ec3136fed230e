/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What loads and stores share: RAM through the software TLB inline, everything
 * else (TLB miss, page crossing, MMIO, faults) in one call out of line, so that
 * the inline code keeps nothing alive across a call.
 */
#ifndef CPU_LDST_H
#define CPU_LDST_H

#include "cpu.h"

#define LDST_INLINE static inline __attribute__((always_inline))

/* How a value fills an X register: with zeroes, or with its sign to 64 or to 32 bits. */
enum widen { ZX, SX64, SX32 };

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

LDST_INLINE uint64_t widened(uint64_t v, unsigned bytes, enum widen w)
{
	if (w == ZX)
		return v;
	v = (uint64_t)sext(v, bytes * 8);
	return w == SX32 ? (uint32_t)v : v;
}

LDST_INLINE enum exec access_result(bool ok) { return ok ? EXEC_NEXT : EXEC_JUMP; }

/* Index of the register-offset forms (opnd_ldst_reg). */
LDST_INLINE uint64_t index_x(const struct cpu *c, const struct insn *i) { return c->x[i->rm] << i->a; }
LDST_INLINE uint64_t index_w(const struct cpu *c, const struct insn *i)
{
	uint32_t m = (uint32_t)c->x[i->rm];

	return (i->b ? (uint64_t)(int64_t)(int32_t)m : m) << i->a;
}

#endif
