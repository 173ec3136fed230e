/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x86-64 instructions as bytes: one function an instruction shape, nothing that
 * knows of guests. Hosts are x86-64-v3 (AVX2, BMI2, FMA, F16C).
 *
 * Operands come destination first, as in the manuals. @w is the width of an
 * integer instruction: true 64 bits, false 32 (which zeroes the upper half).
 * struct x86_rm is the operand that may be a register or memory; it also fits
 * vector registers, whose numbers are their own.
 * (Intel SDM vol. 2, "Instruction Format"; AMD APM vol. 3, appendix A)
 */
#ifndef X86_64_X86_H
#define X86_64_X86_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <vmm/err.h>

enum x86_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, X86_NONE = -1 };

enum x86_cond { CC_O, CC_NO, CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_P, CC_NP, CC_L, CC_GE, CC_LE, CC_G };

/* The opposite of a condition has the neighbouring number. */
static inline enum x86_cond x86_not(enum x86_cond cc) { return cc ^ 1; }

/* Where the next byte goes. The writer sees to it that there is room. */
struct x86 {
	uint8_t *p;
};

/* A register (index and disp unused), or memory at [base + index * 2^scale + disp]. */
struct x86_rm {
	bool is_reg;
	int8_t base, index;
	uint8_t scale;
	int32_t disp;
};

static inline struct x86_rm x86_r(int reg)
{
	return (struct x86_rm){ .is_reg = true, .base = (int8_t)reg, .index = X86_NONE };
}

static inline struct x86_rm x86_m(int base, int32_t disp)
{
	return (struct x86_rm){ .base = (int8_t)base, .index = X86_NONE, .disp = disp };
}

static inline struct x86_rm x86_mi(int base, int index, unsigned scale, int32_t disp)
{
	return (struct x86_rm){ .base = (int8_t)base, .index = (int8_t)index, .scale = (uint8_t)scale, .disp = disp };
}

/* ---- Bytes ---- */

static inline void x86_b(struct x86 *a, unsigned byte) { *a->p++ = (uint8_t)byte; }

static inline void x86_d(struct x86 *a, uint32_t v)
{
	memcpy(a->p, &v, 4);
	a->p += 4;
}

static inline void x86_q(struct x86 *a, uint64_t v)
{
	memcpy(a->p, &v, 8);
	a->p += 8;
}

/*
 * ModRM, SIB and displacement for register field @reg. Bytes are written through a
 * local pointer: stores of bytes may alias anything, so a->p would be loaded and stored for each.
 */
static inline uint8_t *x86_put_modrm(uint8_t *p, int reg, struct x86_rm m)
{
	unsigned mod, r = (unsigned)(reg & 7) << 3;

	if (m.is_reg) {
		*p++ = (uint8_t)(0xc0 | r | (unsigned)(m.base & 7));
		return p;
	}
	/* rbp and r13 as a base have no form without displacement. */
	mod = m.disp == 0 && (m.base & 7) != RBP ? 0 : m.disp == (int8_t)m.disp ? 1 : 2;
	if (m.index != X86_NONE || (m.base & 7) == RSP) {
		*p++ = (uint8_t)(mod << 6 | r | 4);
		*p++ = (uint8_t)((unsigned)m.scale << 6 | (unsigned)((m.index == X86_NONE ? RSP : m.index) & 7) << 3 |
				 (unsigned)(m.base & 7));
	} else {
		*p++ = (uint8_t)(mod << 6 | r | (unsigned)(m.base & 7));
	}
	memcpy(p, &m.disp, 4);
	return p + (mod == 2 ? 4 : mod);
}

/*
 * An opcode is its last byte, with the escape in bits 15:8 (0x0f) and, for the
 * three-byte maps, 23:16; 31:24 is a mandatory prefix (66, f2, f3), which goes before REX.
 */
static inline uint8_t *x86_put_op(uint8_t *p, unsigned rex, bool w, uint32_t opcode, int reg, struct x86_rm m)
{
	if (opcode >> 24)
		*p++ = (uint8_t)(opcode >> 24);
	rex |= (unsigned)w << 3 | (unsigned)(reg >> 3 & 1) << 2 | (unsigned)(m.base >> 3 & 1);
	if (!m.is_reg && m.index != X86_NONE)
		rex |= (unsigned)(m.index >> 3 & 1) << 1;
	if (rex)
		*p++ = (uint8_t)(0x40 | rex);
	if (opcode >> 16 & 0xff)
		*p++ = opcode >> 16 & 0xff;
	if (opcode >> 8 & 0xff)
		*p++ = opcode >> 8 & 0xff;
	*p++ = opcode & 0xff;
	return x86_put_modrm(p, reg, m);
}

static inline void x86_op_rex(struct x86 *a, unsigned rex, bool w, uint32_t opcode, int reg, struct x86_rm m)
{
	a->p = x86_put_op(a->p, rex, w, opcode, reg, m);
}

static inline void x86_op(struct x86 *a, bool w, uint32_t opcode, int reg, struct x86_rm m)
{
	x86_op_rex(a, 0, w, opcode, reg, m);
}

/* The same for byte registers: without REX, numbers 4 to 7 would be ah, ch, dh and bh. */
static inline void x86_op8(struct x86 *a, uint32_t opcode, int reg, struct x86_rm m)
{
	bool rex = reg >= RSP || (m.is_reg && m.base >= RSP);

	x86_op_rex(a, rex ? 0x40 : 0, false, opcode, reg, m);
}

/* ---- Moves ---- */

static inline void x86_mov(struct x86 *a, bool w, int dst, struct x86_rm src) { x86_op(a, w, 0x8b, dst, src); }
static inline void x86_store(struct x86 *a, bool w, struct x86_rm dst, int src) { x86_op(a, w, 0x89, src, dst); }
static inline void x86_store8(struct x86 *a, struct x86_rm dst, int src) { x86_op8(a, 0x88, src, dst); }
static inline void x86_store16(struct x86 *a, struct x86_rm dst, int src) { x86_op(a, false, 0x66000089, src, dst); }

/* Register to register; a 64-bit move to itself is nothing. */
static inline void x86_movr(struct x86 *a, bool w, int dst, int src)
{
	if (dst != src || !w)
		x86_mov(a, w, dst, x86_r(src));
}

/* Any constant in the shortest form; flags stay. */
static inline void x86_mov_imm(struct x86 *a, int dst, uint64_t v)
{
	if (v >> 32 == 0) {
		if (dst >> 3)
			x86_b(a, 0x41);
		x86_b(a, 0xb8 | (unsigned)(dst & 7));
		x86_d(a, (uint32_t)v);
	} else if ((int64_t)v == (int32_t)v) {
		x86_op(a, true, 0xc7, 0, x86_r(dst));
		x86_d(a, (uint32_t)v);
	} else {
		x86_b(a, 0x48 | (unsigned)(dst >> 3));
		x86_b(a, 0xb8 | (unsigned)(dst & 7));
		x86_q(a, v);
	}
}

/* @imm is sign-extended to 64 bits when @w. */
static inline void x86_store_imm(struct x86 *a, bool w, struct x86_rm dst, int32_t imm)
{
	x86_op(a, w, 0xc7, 0, dst);
	x86_d(a, (uint32_t)imm);
}

static inline void x86_store_imm8(struct x86 *a, struct x86_rm dst, unsigned imm)
{
	x86_op8(a, 0xc6, 0, dst);
	x86_b(a, imm);
}

static inline void x86_store_imm16(struct x86 *a, struct x86_rm dst, unsigned imm)
{
	x86_op(a, false, 0x660000c7, 0, dst);
	x86_b(a, imm & 0xff);
	x86_b(a, imm >> 8);
}

static inline void x86_movzx8(struct x86 *a, int dst, struct x86_rm src)
{
	x86_op_rex(a, src.is_reg && src.base >= RSP ? 0x40 : 0, false, 0x0fb6, dst, src);
}
static inline void x86_movsx8(struct x86 *a, bool w, int dst, struct x86_rm src)
{
	x86_op_rex(a, src.is_reg && src.base >= RSP ? 0x40 : 0, w, 0x0fbe, dst, src);
}
static inline void x86_movzx16(struct x86 *a, int dst, struct x86_rm src) { x86_op(a, false, 0x0fb7, dst, src); }
static inline void x86_movsx16(struct x86 *a, bool w, int dst, struct x86_rm src) { x86_op(a, w, 0x0fbf, dst, src); }
static inline void x86_movsxd(struct x86 *a, int dst, struct x86_rm src) { x86_op(a, true, 0x63, dst, src); }

static inline void x86_lea(struct x86 *a, bool w, int dst, struct x86_rm m) { x86_op(a, w, 0x8d, dst, m); }
static inline void x86_xchg(struct x86 *a, bool w, struct x86_rm m, int reg) { x86_op(a, w, 0x87, reg, m); }
static inline void x86_cmov(struct x86 *a, bool w, enum x86_cond cc, int dst, struct x86_rm src)
{
	x86_op(a, w, 0x0f40 | cc, dst, src);
}
static inline void x86_setcc(struct x86 *a, enum x86_cond cc, struct x86_rm dst) { x86_op8(a, 0x0f90 | cc, 0, dst); }

/* ---- Arithmetic ---- */

enum x86_alu { X86_ADD, X86_OR, X86_ADC, X86_SBB, X86_AND, X86_SUB, X86_XOR, X86_CMP };

/* dst = dst op src (CMP: only flags). */
static inline void x86_alu(struct x86 *a, enum x86_alu op, bool w, int dst, struct x86_rm src)
{
	x86_op(a, w, (unsigned)op << 3 | 3, dst, src);
}

/* The other direction: memory or register on the left. */
static inline void x86_alu_to(struct x86 *a, enum x86_alu op, bool w, struct x86_rm dst, int src)
{
	x86_op(a, w, (unsigned)op << 3 | 1, src, dst);
}

static inline void x86_alu_imm(struct x86 *a, enum x86_alu op, bool w, struct x86_rm dst, int32_t imm)
{
	bool small = imm == (int8_t)imm;

	x86_op(a, w, small ? 0x83 : 0x81, op, dst);
	if (small)
		x86_b(a, (uint8_t)imm);
	else
		x86_d(a, (uint32_t)imm);
}

static inline void x86_cmp8_imm(struct x86 *a, struct x86_rm m, unsigned imm)
{
	x86_op8(a, 0x80, 7, m);
	x86_b(a, imm);
}

static inline void x86_cmp16_imm8(struct x86 *a, struct x86_rm m, int8_t imm)
{
	x86_op(a, false, 0x66000083, X86_CMP, m);
	x86_b(a, (uint8_t)imm);
}

static inline void x86_test(struct x86 *a, bool w, struct x86_rm m, int reg) { x86_op(a, w, 0x85, reg, m); }
static inline void x86_test_imm(struct x86 *a, bool w, struct x86_rm m, int32_t imm)
{
	x86_op(a, w, 0xf7, 0, m);
	x86_d(a, (uint32_t)imm);
}
static inline void x86_test8_imm(struct x86 *a, struct x86_rm m, unsigned imm)
{
	x86_op8(a, 0xf6, 0, m);
	x86_b(a, imm);
}
static inline void x86_bt_imm(struct x86 *a, bool w, struct x86_rm m, unsigned bit)
{
	x86_op(a, w, 0x0fba, 4, m);
	x86_b(a, bit);
}

static inline void x86_not_(struct x86 *a, bool w, struct x86_rm m) { x86_op(a, w, 0xf7, 2, m); } /* flags stay */
static inline void x86_neg(struct x86 *a, bool w, struct x86_rm m) { x86_op(a, w, 0xf7, 3, m); }
static inline void x86_mul(struct x86 *a, bool w, struct x86_rm m) { x86_op(a, w, 0xf7, 4, m); }  /* rdx:rax = rax * m */
static inline void x86_imul1(struct x86 *a, bool w, struct x86_rm m) { x86_op(a, w, 0xf7, 5, m); }
static inline void x86_div(struct x86 *a, bool w, struct x86_rm m) { x86_op(a, w, 0xf7, 6, m); }  /* rax, rdx = rdx:rax / m */
static inline void x86_idiv(struct x86 *a, bool w, struct x86_rm m) { x86_op(a, w, 0xf7, 7, m); }
static inline void x86_imul(struct x86 *a, bool w, int dst, struct x86_rm src) { x86_op(a, w, 0x0faf, dst, src); }
static inline void x86_cqo(struct x86 *a, bool w)
{
	if (w)
		x86_b(a, 0x48);
	x86_b(a, 0x99);
}
static inline void x86_bswap(struct x86 *a, bool w, int reg)
{
	x86_b(a, 0x40 | (unsigned)w << 3 | (unsigned)(reg >> 3));
	x86_b(a, 0x0f);
	x86_b(a, 0xc8 | (unsigned)(reg & 7));
}
static inline void x86_lzcnt(struct x86 *a, bool w, int dst, struct x86_rm src) { x86_op(a, w, 0xf3000fbd, dst, src); }
static inline void x86_popcnt(struct x86 *a, bool w, int dst, struct x86_rm src) { x86_op(a, w, 0xf3000fb8, dst, src); }
/* crc32 (Castagnoli) of @src, of 1, 2, 4 or 8 bytes, into @dst. */
static inline void x86_crc32(struct x86 *a, unsigned bytes, int dst, struct x86_rm src)
{
	if (bytes == 2)
		x86_b(a, 0x66);
	x86_op_rex(a, bytes == 1 && src.is_reg && src.base >= RSP ? 0x40 : 0, bytes == 8,
		   bytes == 1 ? 0xf20f38f0 : 0xf20f38f1, dst, src);
}

enum x86_shift { X86_ROL, X86_ROR, X86_SHL = 4, X86_SHR, X86_SAR = 7 };

static inline void x86_shift_imm(struct x86 *a, enum x86_shift op, bool w, struct x86_rm m, unsigned n)
{
	x86_op(a, w, 0xc1, op, m);
	x86_b(a, n);
}
static inline void x86_shift_cl(struct x86 *a, enum x86_shift op, bool w, struct x86_rm m) { x86_op(a, w, 0xd3, op, m); }
/* dst:src >> n into dst */
static inline void x86_shrd_imm(struct x86 *a, bool w, struct x86_rm dst, int src, unsigned n)
{
	x86_op(a, w, 0x0fac, src, dst);
	x86_b(a, n);
}

/* ---- Flags ---- */

static inline void x86_lahf(struct x86 *a) { x86_b(a, 0x9f); }
static inline void x86_sahf(struct x86 *a) { x86_b(a, 0x9e); }
static inline void x86_cmc(struct x86 *a) { x86_b(a, 0xf5); }

/* ---- Control ---- */

/* Both return where the 32-bit displacement ends, for x86_aim(). */
static inline uint8_t *x86_jcc(struct x86 *a, enum x86_cond cc)
{
	x86_b(a, 0x0f);
	x86_b(a, 0x80 | cc);
	x86_d(a, 0);
	return a->p;
}
static inline uint8_t *x86_jmp(struct x86 *a)
{
	x86_b(a, 0xe9);
	x86_d(a, 0);
	return a->p;
}
static inline uint8_t *x86_call(struct x86 *a)
{
	x86_b(a, 0xe8);
	x86_d(a, 0);
	return a->p;
}
static inline void x86_aim(uint8_t *end, const uint8_t *target)
{
	int32_t d = (int32_t)(target - end);

	memcpy(end - 4, &d, 4);
}
/* Short forward jumps: the byte before the returned place is the displacement. */
static inline uint8_t *x86_jcc8(struct x86 *a, enum x86_cond cc)
{
	x86_b(a, 0x70 | cc);
	x86_b(a, 0);
	return a->p;
}
static inline uint8_t *x86_jmp8(struct x86 *a)
{
	x86_b(a, 0xeb);
	x86_b(a, 0);
	return a->p;
}
static inline void x86_aim8(uint8_t *end, const uint8_t *target)
{
	CHECK(target >= end && target - end < 128);
	end[-1] = (uint8_t)(target - end);
}

static inline void x86_jmp_rm(struct x86 *a, struct x86_rm m) { x86_op(a, false, 0xff, 4, m); }
static inline void x86_call_rm(struct x86 *a, struct x86_rm m) { x86_op(a, false, 0xff, 2, m); }
static inline void x86_ret(struct x86 *a) { x86_b(a, 0xc3); }
static inline void x86_push(struct x86 *a, int reg)
{
	if (reg >> 3)
		x86_b(a, 0x41);
	x86_b(a, 0x50 | (unsigned)(reg & 7));
}
static inline void x86_pop(struct x86 *a, int reg)
{
	if (reg >> 3)
		x86_b(a, 0x41);
	x86_b(a, 0x58 | (unsigned)(reg & 7));
}

/* ---- Atomics: the operand must be memory ---- */

static inline void x86_lock(struct x86 *a) { x86_b(a, 0xf0); }
/* @bytes 1, 2, 4 or 8 */
static inline void x86_op_sized(struct x86 *a, unsigned bytes, uint32_t opcode8, int reg, struct x86_rm m)
{
	if (bytes == 1)
		x86_op8(a, opcode8, reg, m);
	else
		x86_op(a, bytes == 8, (bytes == 2 ? 0x66000000 : 0) | (opcode8 + 1), reg, m);
}
static inline void x86_lock_xadd(struct x86 *a, unsigned bytes, struct x86_rm m, int reg)
{
	x86_lock(a);
	x86_op_sized(a, bytes, 0x0fc0, reg, m);
}
/* Compares with rax, stores @reg when equal (ZF), else loads rax. */
static inline void x86_lock_cmpxchg(struct x86 *a, unsigned bytes, struct x86_rm m, int reg)
{
	x86_lock(a);
	x86_op_sized(a, bytes, 0x0fb0, reg, m);
}
/* The same with rdx:rax and rcx:rbx. */
static inline void x86_lock_cmpxchg16b(struct x86 *a, struct x86_rm m)
{
	x86_lock(a);
	x86_op(a, true, 0x0fc7, 1, m);
}
/* lock op [m], reg for ADD, OR, AND, XOR. */
static inline void x86_lock_alu(struct x86 *a, enum x86_alu op, unsigned bytes, struct x86_rm m, int reg)
{
	x86_lock(a);
	x86_op_sized(a, bytes, (unsigned)op << 3, reg, m);
}
/* xchg with memory locks by itself. */
static inline void x86_xchg_sized(struct x86 *a, unsigned bytes, struct x86_rm m, int reg)
{
	x86_op_sized(a, bytes, 0x86, reg, m);
}

/* ---- VEX ---- */

/*
 * A VEX opcode as one number: opcode 7:0, map 9:8 (1: 0F, 2: 0F38, 3: 0F3A), pp
 * 11:10 (1: 66, 2: F3, 3: F2), W 12. L is given by the call: 0 for 128 bits.
 */
#define VEX(pp, map, w, op) ((uint32_t)(op) | (uint32_t)(map) << 8 | (uint32_t)(pp) << 10 | (uint32_t)(w) << 12)

static inline uint8_t *x86_put_vex(uint8_t *p, unsigned l, uint32_t op, int reg, int vvvv, struct x86_rm m)
{
	unsigned r = !(reg >> 3 & 1), b = !(m.base >> 3 & 1), v = ~(unsigned)vvvv & 15;
	unsigned x = m.is_reg || m.index == X86_NONE ? 1 : !(m.index >> 3 & 1);
	unsigned map = op >> 8 & 3, pp = op >> 10 & 3, w = op >> 12 & 1;

	if (map == 1 && !w && b && x) {
		*p++ = 0xc5;
		*p++ = (uint8_t)(r << 7 | v << 3 | l << 2 | pp);
	} else {
		*p++ = 0xc4;
		*p++ = (uint8_t)(r << 7 | x << 6 | b << 5 | map);
		*p++ = (uint8_t)(w << 7 | v << 3 | l << 2 | pp);
	}
	*p++ = op & 0xff;
	return x86_put_modrm(p, reg, m);
}

static inline void x86_vex_l(struct x86 *a, unsigned l, uint32_t op, int reg, int vvvv, struct x86_rm m)
{
	a->p = x86_put_vex(a->p, l, op, reg, vvvv, m);
}

/* Three operands: reg = vvvv op m. */
static inline void x86_vex(struct x86 *a, uint32_t op, int reg, int vvvv, struct x86_rm m)
{
	x86_vex_l(a, 0, op, reg, vvvv, m);
}
static inline void x86_vex_imm(struct x86 *a, uint32_t op, int reg, int vvvv, struct x86_rm m, unsigned imm)
{
	x86_vex_l(a, 0, op, reg, vvvv, m);
	x86_b(a, imm);
}
/* Two operands: vvvv must be 1111b, which is number 0 here. */
static inline void x86_vex2(struct x86 *a, uint32_t op, int reg, struct x86_rm m) { x86_vex_l(a, 0, op, reg, 0, m); }
static inline void x86_vex2_imm(struct x86 *a, uint32_t op, int reg, struct x86_rm m, unsigned imm)
{
	x86_vex_l(a, 0, op, reg, 0, m);
	x86_b(a, imm);
}

/* The upper halves of all ymm: legacy SSE instructions are slow while there is something in them. */
static inline void x86_vzeroupper(struct x86 *a)
{
	x86_b(a, 0xc5);
	x86_b(a, 0xf8);
	x86_b(a, 0x77);
}

/* ---- BMI2: flags stay ---- */

static inline void x86_rorx(struct x86 *a, bool w, int dst, struct x86_rm src, unsigned n)
{
	x86_vex2_imm(a, VEX(3, 3, w, 0xf0), dst, src, n);
}
static inline void x86_shlx(struct x86 *a, bool w, int dst, struct x86_rm src, int count)
{
	x86_vex(a, VEX(1, 2, w, 0xf7), dst, count, src);
}
static inline void x86_shrx(struct x86 *a, bool w, int dst, struct x86_rm src, int count)
{
	x86_vex(a, VEX(3, 2, w, 0xf7), dst, count, src);
}
static inline void x86_sarx(struct x86 *a, bool w, int dst, struct x86_rm src, int count)
{
	x86_vex(a, VEX(2, 2, w, 0xf7), dst, count, src);
}
static inline void x86_pext(struct x86 *a, bool w, int dst, int src, struct x86_rm mask)
{
	x86_vex(a, VEX(2, 2, w, 0xf5), dst, src, mask);
}
static inline void x86_pdep(struct x86 *a, bool w, int dst, int src, struct x86_rm mask)
{
	x86_vex(a, VEX(3, 2, w, 0xf5), dst, src, mask);
}
/* hi:lo = rdx * src */
static inline void x86_mulx(struct x86 *a, bool w, int hi, int lo, struct x86_rm src)
{
	x86_vex(a, VEX(3, 2, w, 0xf6), hi, lo, src);
}
/* dst = ~x & y; sets flags */
static inline void x86_andn(struct x86 *a, bool w, int dst, int x, struct x86_rm y)
{
	x86_vex(a, VEX(0, 2, w, 0xf2), dst, x, y);
}

/* ---- Vector moves (128 bits) ---- */

static inline void x86_vmovdqa(struct x86 *a, int dst, struct x86_rm src) { x86_vex2(a, VEX(1, 1, 0, 0x6f), dst, src); }
static inline void x86_vmovdqa_store(struct x86 *a, struct x86_rm dst, int src) { x86_vex2(a, VEX(1, 1, 0, 0x7f), src, dst); }
static inline void x86_vmovdqu(struct x86 *a, int dst, struct x86_rm src) { x86_vex2(a, VEX(2, 1, 0, 0x6f), dst, src); }
static inline void x86_vmovdqu_store(struct x86 *a, struct x86_rm dst, int src) { x86_vex2(a, VEX(2, 1, 0, 0x7f), src, dst); }
/* 64 and 32 bits between xmm and general register or memory; into xmm the rest becomes zero. */
static inline void x86_vmovq(struct x86 *a, int xmm, struct x86_rm src) { x86_vex2(a, VEX(1, 1, 1, 0x6e), xmm, src); }
static inline void x86_vmovq_store(struct x86 *a, struct x86_rm dst, int xmm) { x86_vex2(a, VEX(1, 1, 1, 0x7e), xmm, dst); }
static inline void x86_vmovd(struct x86 *a, int xmm, struct x86_rm src) { x86_vex2(a, VEX(1, 1, 0, 0x6e), xmm, src); }
static inline void x86_vmovd_store(struct x86 *a, struct x86_rm dst, int xmm) { x86_vex2(a, VEX(1, 1, 0, 0x7e), xmm, dst); }
/* The low 64 bits of an xmm, the rest zero. */
static inline void x86_vmovq_xmm(struct x86 *a, int dst, int src) { x86_vex2(a, VEX(2, 1, 0, 0x7e), dst, x86_r(src)); }

#endif
