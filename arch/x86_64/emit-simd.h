/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the emitters of integer Advanced SIMD share, private to emit-simd*.c but emit-simd-fp.c.
 *
 * insn.a, .b, .ra and .imm are as lanes.h describes them. Where the host has the
 * instruction for a lane size, a row is one entry in a table of opcodes indexed by
 * insn.a; 0 stands for "exec_ does it". The others are recipes: a recipe finds its
 * operands in registers, Vn in xmm1 or its own, Vm in xmm2 or its own. It may overwrite
 * xmm0 at once, xmm1 (xmm2) as soon as it has no use for Vn (Vm). Its result goes to @d,
 * which may be any of these or Vd's own register, when no operand is needed any more.
 *
 * Lanes beyond insn.b are computed and dropped by simd_put().
 */
#ifndef X86_64_EMIT_SIMD_H
#define X86_64_EMIT_SIMD_H

#include "emit.h"

enum { XMM0, XMM1, XMM2 };

enum {
	VPACKSSWB    = VEX(1, 1, 0, 0x63),
	VPACKUSWB    = VEX(1, 1, 0, 0x67),
	VPACKSSDW    = VEX(1, 1, 0, 0x6b),
	VPACKUSDW    = VEX(1, 2, 0, 0x2b),
	VPUNPCKLBW   = VEX(1, 1, 0, 0x60),
	VPUNPCKLWD   = VEX(1, 1, 0, 0x61),
	VPUNPCKLDQ   = VEX(1, 1, 0, 0x62),
	VPUNPCKHBW   = VEX(1, 1, 0, 0x68),
	VPUNPCKHWD   = VEX(1, 1, 0, 0x69),
	VPUNPCKHDQ   = VEX(1, 1, 0, 0x6a),
	VPUNPCKLQDQ  = VEX(1, 1, 0, 0x6c),
	VPUNPCKHQDQ  = VEX(1, 1, 0, 0x6d),
	VPSHUFB      = VEX(1, 2, 0, 0x00),
	VPSHUFD      = VEX(1, 1, 0, 0x70),
	VPSHUFHW     = VEX(2, 1, 0, 0x70),
	VPSHUFLW     = VEX(3, 1, 0, 0x70),
	VSHUFPS      = VEX(0, 1, 0, 0xc6),
	VPBROADCASTB = VEX(1, 2, 0, 0x78),
	VPBROADCASTW = VEX(1, 2, 0, 0x79),
	VPBROADCASTD = VEX(1, 2, 0, 0x58),
	VPBROADCASTQ = VEX(1, 2, 0, 0x59),
	VPALIGNR     = VEX(1, 3, 0, 0x0f),
	VPBLENDW     = VEX(1, 3, 0, 0x0e),
	VPBLENDD     = VEX(1, 3, 0, 0x02),
	VPBLENDVB    = VEX(1, 3, 0, 0x4c),
	VMOVQ        = VEX(2, 1, 0, 0x7e),       /* 64 bits, the rest becomes zero */
	VINSERTPS    = VEX(1, 3, 0, 0x21),
	VPAND        = VEX(1, 1, 0, 0xdb),
	VPANDN       = VEX(1, 1, 0, 0xdf),       /* ~x & y */
	VPOR         = VEX(1, 1, 0, 0xeb),
	VPXOR        = VEX(1, 1, 0, 0xef),
	VPTEST       = VEX(1, 2, 0, 0x17),
	VPMULLW      = VEX(1, 1, 0, 0xd5),
	VPMULHW      = VEX(1, 1, 0, 0xe5),
	VPMULHUW     = VEX(1, 1, 0, 0xe4),
	VPMULHRSW    = VEX(1, 2, 0, 0x0b),
	VPMULLD      = VEX(1, 2, 0, 0x40),
	VPMULDQ      = VEX(1, 2, 0, 0x28),
	VPMULUDQ     = VEX(1, 1, 0, 0xf4),
	VPMADDWD     = VEX(1, 1, 0, 0xf5),
	VPMADDUBSW   = VEX(1, 2, 0, 0x04),
	VPHADDW      = VEX(1, 2, 0, 0x01),
	VPHADDD      = VEX(1, 2, 0, 0x02),
	VPSADBW      = VEX(1, 1, 0, 0xf6),
	VPSLLVD      = VEX(1, 2, 0, 0x47),
	VPSLLVQ      = VEX(1, 2, 1, 0x47),
	VPSRLVD      = VEX(1, 2, 0, 0x45),
	VPSRLVQ      = VEX(1, 2, 1, 0x45),
	VPSRAVD      = VEX(1, 2, 0, 0x46),
};

/* By lane size. */
extern const uint32_t vpadd[4], vpsub[4], vpcmpeq[4], vpcmpgt[4], vpabs[4];
extern const uint32_t vpmaxs[4], vpmaxu[4], vpmins[4], vpminu[4];
extern const uint32_t vpadds[4], vpaddus[4], vpsubs[4], vpsubus[4];
extern const uint32_t vpunpckl[4], vpunpckh[4];

/* d = n op m; d = op n */
static inline void vop(struct jit *j, uint32_t op, int d, int n, int m) { x86_vex(&j->a, op, d, n, x86_r(m)); }
static inline void vop_imm(struct jit *j, uint32_t op, int d, int n, int m, unsigned imm)
{
	x86_vex_imm(&j->a, op, d, n, x86_r(m), imm);
}
static inline void vop1(struct jit *j, uint32_t op, int d, int n) { x86_vex2(&j->a, op, d, x86_r(n)); }
static inline void vop1_imm(struct jit *j, uint32_t op, int d, int n, unsigned imm)
{
	x86_vex2_imm(&j->a, op, d, x86_r(n), imm);
}

/* The whole register shifted by bytes, to the right. */
static inline void vshr_bytes(struct jit *j, int d, int n, unsigned bytes)
{
	x86_vex_imm(&j->a, VEX(1, 1, 0, 0x73), 3, d, x86_r(n), bytes);
}

static inline void vzero(struct jit *j, int d) { vop(j, VPXOR, d, d, d); }
static inline void vones(struct jit *j, int d) { vop(j, vpcmpeq[2], d, d, d); }

/* d = ~x */
static inline void vnot(struct jit *j, int d, int x, int tmp)
{
	vones(j, tmp);
	vop(j, VPXOR, d, x, tmp);
}

/* d = ones in negative lanes, zero in others; d is not x */
static inline void vsigns(struct jit *j, unsigned lane, int d, int x)
{
	vzero(j, d);
	vop(j, vpcmpgt[lane], d, d, x);
}

/* Constants. Both use rax. */
void vconst(struct jit *j, int d, uint64_t low, uint64_t high);
static inline void vsplat(struct jit *j, int d, uint64_t v) { vconst(j, d, v, v); }

/* @v, of 8 << @lane bits, in every lane of 64 bits. */
uint64_t lane_copies(unsigned lane, uint64_t v);

/* The lane's sign bit, in every lane. */
static inline uint64_t lane_signs(unsigned lane) { return lane_copies(lane, UINT64_C(0x80) << ((8u << lane) - 8)); }

/* Lanes shifted by a constant; all counts from 0 to the lane's bits. @s may be @d. Uses rax when lanes are bytes. */
void vshl(struct jit *j, unsigned lane, int d, int s, unsigned count, int tmp);
void vshr(struct jit *j, bool is_signed, unsigned lane, int d, int s, unsigned count, int tmp);

/* Even (odd) lanes of 1 << @lane bytes (0 or 1), made twice as wide; how the upper half is filled is what vpack() wants. */
void veven(struct jit *j, unsigned lane, int d, int s);
void vodd(struct jit *j, unsigned lane, int d, int s);
/* Packs what these two have made of m and n into lanes again, n below. */
void vpack(struct jit *j, unsigned lane, int d, int n, int m);

/* The narrow lanes that begin at bit @from of the wide ones of @s, in the low half of xmm0. */
void vnarrow(struct jit *j, unsigned lane, int s, unsigned from);

/* A half of @s, lanes widened. */
void vwiden(struct jit *j, bool is_signed, unsigned lane, int d, int s, bool upper);

/* Adjacent lanes of @s added as wider ones. @s is xmm1 or no scratch register; uses all three. */
void vadd_pairs(struct jit *j, bool is_signed, unsigned lane, int d, int s);

/* Vm[imm] in every lane (a: 1 or 2). */
int simd_elem(struct jit *j, const struct insn *i, int tmp);

/* Vn = the low 1 << @log2_bytes bytes of @x, zero above. @x is a scratch register, which changes, or Vn's own. */
void simd_put(struct jit *j, unsigned n, int x, unsigned log2_bytes);

/* The end of a narrowing instruction: from the low half of xmm0. */
void simd_put_narrow(struct jit *j, const struct insn *i);

/* The same for one that saturates: from the wide lanes of @s, which is xmm1 or Vn's own. Sets FPSR.QC, see below. */
void simd_put_saturated(struct jit *j, const struct insn *i, int s, bool from_signed, bool to_signed);

/*
 * FPSR.QC is set if any of the low 1 << @log2_bytes bytes of @diff is not zero: what saturation has changed.
 * Changes @diff and EFLAGS: flags_clobber() must have been called.
 */
void simd_qc(struct jit *j, int diff, unsigned log2_bytes);

/*
 * What there is no scratch register for goes below the stack pointer, which the ABI leaves to who does not call.
 * Lasts to the end of the instruction.
 */
static inline struct x86_rm simd_spill(unsigned k) { return x86_m(RSP, -16 * (int32_t)(k + 1)); }

/* Rows with one opcode a size: Vd = Vn op Vm; false without one. */
bool simd_same(struct jit *j, const struct insn *i, uint32_t op);

#endif
