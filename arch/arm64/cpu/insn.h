/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decoded instruction, and the columns of a64.def.
 *
 *   word -> decode() finds the row -> struct insn -> i->exec(c, i)
 *
 * Register fields of A64 sit in fixed places (Rd/Rt 4:0, Rn 9:5, Rm/Rs 20:16,
 * Ra/Rt2 14:10), so a row only says what each one means. Register number 31 is
 * resolved while decoding: SP is slot 31 of cpu->x, a source ZR is slot
 * SLOT_ZERO (always 0), a destination ZR is SLOT_SINK (never read). exec_
 * functions therefore use c->x[i->rd] and never compare with 31.
 */
#ifndef CPU_INSN_H
#define CPU_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu;
struct insn;

#define SLOT_SP   31
#define SLOT_ZERO 32
#define SLOT_SINK 33

/*
 * What an exec_ function tells the dispatcher.
 * Every check comes before the first architectural effect: when an exception is
 * taken nothing else has changed.
 */
enum exec {
	EXEC_NEXT,      /* done; the dispatcher adds 4 to pc */
	EXEC_JUMP,      /* pc is set (branch, exception taken, ISB ...): look up the next block */
	EXEC_LEAVE,     /* pc is set; leave the block loop and look at exit, wait, power state */
};

typedef enum exec exec_fn(struct cpu *c, const struct insn *i);

/*
 * Column opnd: turns the word's immediates and small fields into i->imm, a and b
 * (and may correct rd..ra, already filled from column regs). False: a reserved
 * value, the instruction is UNDEFINED.
 */
typedef bool opnd_fn(uint32_t word, struct insn *i);

/* 32 bytes, so that a cache line has two. */
struct insn {
	exec_fn *exec;          /* the row's, or a trap/undefined stand-in chosen while decoding */
	int64_t imm;            /* as the row's opnd_ function leaves it */
	uint32_t word;
	uint16_t op;            /* enum a64_op */
	uint8_t rd, rn, rm, ra; /* slots of cpu->x, or numbers of V registers */
	uint8_t a, b;           /* small fields, meaning given by the opnd_ function */
	bool fp_trapped;        /* the translator's note: decoded so */
};
_Static_assert(sizeof(struct insn) == 32, "two instructions a cache line");

/* Column regs: what each register field is. X: 31 is ZR; SP: 31 is SP; W: written; V: SIMD&FP. */
enum {
	D_X   = 1 << 0,  /* source X (store data, compare-and-branch) */
	D_XW  = 1 << 1,  /* destination X */
	D_SPW = 1 << 2,  /* destination X or SP */
	D_V   = 1 << 3,
	D_VW  = 1 << 4,
	N_X   = 1 << 5,
	N_SP  = 1 << 6,
	N_SPW = 1 << 7,  /* base with write-back: read and written */
	N_V   = 1 << 8,
	M_X   = 1 << 9,
	M_XW  = 1 << 10,
	M_V   = 1 << 11,
	A_X   = 1 << 12,
	A_XW  = 1 << 13,
	A_V   = 1 << 14,
	A_VW  = 1 << 15,
	/* Both read and written. ZR as such a field: rd must not be SINK for the read, so exec uses
	 * the word's field when it matters; see D_XRW rows. */
	D_XRW = D_X | D_XW,
	M_XRW = M_X | M_XW,
	D_VRW = D_V | D_VW,
};

/* Column flags. */
enum {
	F_SETS  = 1 << 0,   /* writes NZCV */
	F_USES  = 1 << 1,   /* reads NZCV */
	F_LOAD  = 1 << 2,
	F_STORE = 1 << 3,
	F_ENDS  = 1 << 4,   /* last of its block: branches, ERET, ISB, MSR of translation or trap state */
	F_FP    = 1 << 5,   /* trapped by CPACR_EL1.FPEN */
	F_SYS   = 1 << 6,   /* may leave the block or trap for other reasons than memory */
	F_COND  = 1 << 7,   /* ends the block only when taken */
	F_LANDS = 1 << 8,   /* allowed target of an indirect branch in a guarded page (BTI, PACIxSP, BRK, HLT) */
};

/* Column feat: a row whose feature the VM does not have is UNDEFINED. Order is private to this build. */
enum a64_feat {
	FEAT_NONE, FEAT_LSE, FEAT_LRCPC, FEAT_LRCPC2, FEAT_FLAGM, FEAT_FLAGM2, FEAT_CRC32, FEAT_RDM,
	FEAT_FP16, FEAT_DOTPROD, FEAT_FHM, FEAT_FCMA, FEAT_JSCVT, FEAT_FRINTTS, FEAT_BF16, FEAT_I8MM,
	FEAT_AES, FEAT_PMULL, FEAT_SHA1, FEAT_SHA256, FEAT_SHA512, FEAT_SHA3, FEAT_SB, FEAT_SSBS,
	FEAT_DIT, FEAT_PAN, FEAT_BTI, FEAT_PAUTH, FEAT_RNG, FEAT_DPB, FEAT_DPB2, FEAT_TLBIRANGE,
	FEAT_SVE, FEAT_TLBIOS, FEAT_LOR, FEAT_CSV2_2, FEAT_GICV3,
	FEAT_COUNT
};

/* One row of a64.def. */
struct a64_row {
	const char *name;
	const char *bits;
	uint32_t regs;
	uint16_t flags;
	uint8_t feat;           /* enum a64_feat */
	opnd_fn *opnd;
	exec_fn *exec;
};      /* column emit is for arch/x86_64 (emit.h there), which expands the table once more */

enum a64_op {
#define A64(name, ...) OP_##name,
#include "a64.def"
	OP_COUNT
};

extern const struct a64_row a64_rows[OP_COUNT];
extern const uint32_t a64_bits[OP_COUNT][2];    /* mask, value */
extern const uint32_t a64_nonzero[OP_COUNT];    /* the bits of a field marked !, not all of which may be 0; or 0 */

/*
 * The row that claims @word, or NULL if it is unallocated as far as bits go.
 * Independent of any CPU: features are not looked at.
 */
const struct a64_row *a64_find(uint32_t word);

/*
 * Decodes @word into *i. Never fails: what is unallocated, reserved or lacks its
 * feature (bit of @features clear) gets exec_undefined. With @fp_trapped, rows
 * that use the FP registers get exec_fp_trapped.
 */
void a64_decode(uint32_t word, uint64_t features, bool fp_trapped, struct insn *i);

exec_fn exec_undefined, exec_fp_trapped;
opnd_fn opnd_none;

/*
 * Every function a row names. exec_ functions are in the file of their class,
 * opnd_ functions in operands-int.c or operands-simd.c.
 */
#define A64(name, bits, regs, opnd, flags, feat, exec, emit) exec_fn exec; opnd_fn opnd;
#include "a64.def"

#endif
