/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an emitter has to know: it writes the x86-64 code of one guest instruction.
 *
 *   bool emit_foo(struct jit *j, const struct insn *i)
 *
 * stands in column emit of a64.def and appends code that does what the row's
 * exec_ function does, or returns false before it has appended anything: then a
 * call of exec_ is put there instead. exec_ defines; an emitter may only repeat.
 *
 *   host      use                host      use
 *   rbp       &cpu + 128         xmm0-2    scratch
 *   r15       cpu->ctx           xmm3-7    v16-v20
 *   rax rcx   scratch            xmm8-15   v0-v7
 *   rdx       scratch            rsp       frame of the thunk that entered
 *   rdi rsi   x0 x1              rbx r12   x19 x20
 *   r8-r11    x2-x5              r13 r14   x30 SP
 *
 * All other guest registers are in struct cpu. So the guest's state is complete
 * at every instruction; only NZCV may be elsewhere (enum jit_flags). Rules:
 *
 *  - Every check that may send the instruction to exec_ (slow_if(), mem_check()) comes
 *    before the first change of a guest register or of guest memory: exec_ does the whole
 *    instruction, and the code goes on behind it.
 *  - Scratch registers hold nothing from one instruction to the next.
 *  - EFLAGS may hold NZCV that somebody wants: call flags_clobber() before the first
 *    instruction that changes them and before rax is in use, or, when flags_busy(), use
 *    forms that leave them alone (mov, lea, not, BMI2 shifts, cmov, vector instructions).
 *  - Code knows no virtual address: a block belongs to a physical one. See emit_pc().
 *  - FP: MXCSR holds FPCR's rounding mode and FZ, and collects exceptions (see jit.h).
 */
#ifndef X86_64_EMIT_H
#define X86_64_EMIT_H

#include <vmm/types.h>

#include "../arm64/cpu/cpu.h"
#include "../arm64/cpu/translator.h"
#include "x86.h"

struct jit;
typedef bool emit_fn(struct jit *j, const struct insn *i);

/* ---- Where things are ---- */

#define REG_CPU RBP
#define REG_CTX R15
#define CPU_BIAS 128

/* Memory operand of a field of struct cpu. */
#define CPU_OFF(field) ((int32_t)offsetof(struct cpu, field) - CPU_BIAS)
#define CPU_M(field) x86_m(REG_CPU, CPU_OFF(field))
#define CPU_SYS(reg) x86_m(REG_CPU, CPU_OFF(sys) + 8 * (int32_t)(reg))

/*
 * Where NZCV is between two instructions.
 *   FL_MEM   cpu->nzcv, the only place at a block's start, exits and calls of exec_
 *   FL_SUB   EFLAGS as after an x86 subtraction: CF is the borrow, so C is its opposite
 *   FL_ADD   EFLAGS as after an addition or logical operation: CF is C
 *   FL_RAW_* saved: cpu->jit_raw is ax after LAHF and SETO al, CF as in FL_SUB or FL_ADD
 */
enum jit_flags { FL_MEM, FL_SUB, FL_ADD, FL_RAW_SUB, FL_RAW_ADD };

enum {
	BLOCK_INSNS_MAX = 64,
	COLD_MAX = 512,
};

/* Code that is put behind the block, and where it is reached from. */
struct cold;
typedef void cold_fn(struct jit *j, const struct cold *d);
struct cold {
	cold_fn *emit;
	uint8_t *from;          /* end of the displacement that must reach this code */
	uint8_t *back;          /* where to go on (slow paths) */
	uint16_t k;             /* which instruction of the block */
	uint8_t fl;             /* enum jit_flags there */
	uint8_t fl_after;       /* ... at @back, when the instruction sets NZCV */
	uint64_t arg;
};

/* A group is checked once for all its accesses (see merge() in block.c). */
enum jit_group { GROUP_NONE, GROUP_LEADER, GROUP_MEMBER };

/* What the passes know about instruction k; see block.c. */
struct note {
	uint16_t off;           /* offset in its page */
	bool fl_out;            /* NZCV is wanted behind it */
	bool fl_target;         /* NZCV is wanted where its branch leads */
	uint8_t group;          /* enum jit_group */
	uint8_t group_last;     /* leader: index of the last member */
	bool group_write;
	uint16_t group_bytes;
	int32_t group_lo;
};

/* A vCPU's translator, and the block it is at. */
struct jit {
	struct x86 a;                   /* next byte of hot code (in the writable mapping) */
	struct cpu *c;
	struct jit_cache *cache;
	bool fp_strict, count;
	struct translator_cost cost;    /* when counting */
	uint8_t traits[OP_COUNT + 1];   /* of rows, for block.c */
	struct check *check;            /* NULL: none of its blocks are checked (check.c) */
	bool alone;                     /* emitting it for a check: all exits leave for the dispatcher, with NZCV in memory */
	uint64_t *exec_counts;          /* by row, when counting */
	uint64_t pa;                    /* of the first instruction */
	uint32_t key;                   /* enum jit_key bits, jit.h */
	uint32_t block;                 /* index in the cache */
	uint8_t *start;                 /* its code */
	unsigned n, k;                  /* instructions, the current one */
	enum jit_flags fl;
	bool unmerged;                  /* emitting the copy of a group whose common check failed */
	unsigned cold_count;
	bool ended;                     /* the last instruction has left the block */
	struct insn insn[BLOCK_INSNS_MAX];
	struct note note[BLOCK_INSNS_MAX];
	uint8_t *at[BLOCK_INSNS_MAX + 1];       /* hot code of instruction k */
	struct cold cold[COLD_MAX];
};

/* Is it the 64-bit form (sf, bit 31 of data processing and of compare and branch)? */
static inline bool is_x(const struct insn *i) { return bit(i->word, 31); }

/* ---- General registers: slots as in insn.rd.. (0-30, SLOT_SP, SLOT_ZERO, SLOT_SINK) ---- */

/* The host register of a slot, or X86_NONE. */
int reg_pinned(unsigned slot);

/* A register that holds the slot's 64-bit value: its own, or @tmp loaded with it. Leaves EFLAGS. Not to be written. */
int reg_use(struct jit *j, unsigned slot, int tmp);

/* @dst (any host register) becomes the slot's value; 32 bits (zero-extended) unless @w. Leaves EFLAGS. */
void reg_get(struct jit *j, bool w, int dst, unsigned slot);

/* The slot as a source operand: register, or memory in struct cpu. */
struct x86_rm reg_rm(unsigned slot);

/* The register to compute a result for @slot in: its own, or @tmp. */
int reg_def(unsigned slot, int tmp);

/* After the computation: stores a result that was made in @reg and whose slot is not pinned to it. */
void reg_done(struct jit *j, unsigned slot, int reg);

/* ---- SIMD&FP registers by number; xmm numbers ---- */

int vec_pinned(unsigned n);                             /* or X86_NONE */
int vec_use(struct jit *j, unsigned n, int tmp);        /* all 128 bits */
struct x86_rm vec_rm(unsigned n);                       /* as a source operand; memory is 16-byte aligned */
int vec_def(unsigned n, int tmp);
void vec_done(struct jit *j, unsigned n, int xmm);

/* ---- NZCV ---- */

/* Column flags of the row; what is undefined ends its block. */
static inline unsigned row_flags(const struct insn *i) { return i->op == OP_COUNT ? F_ENDS : a64_rows[i->op].flags; }

/* Does a row of these flags read NZCV? Those that may look at PSTATE as a whole count. */
static inline bool uses_flags(unsigned flags) { return flags & (F_USES | F_SYS); }

/* Do EFLAGS hold NZCV that is wanted behind this instruction? */
bool flags_busy(const struct jit *j);

/* Before EFLAGS change: saves NZCV if it is busy. Uses rax. */
void flags_clobber(struct jit *j);

/* EFLAGS are this instruction's NZCV now, @fl FL_SUB or FL_ADD. */
void flags_set(struct jit *j, enum jit_flags fl);

/* cpu->nzcv has been stored by this instruction. */
void flags_stored(struct jit *j);

/* The x86 condition that is true when Arm's @cond (not AL) holds. May use rax and change EFLAGS, keeping NZCV. */
enum x86_cond flags_cond(struct jit *j, unsigned cond);

/* NZCV into EFLAGS with CF as @fl (FL_SUB or FL_ADD) says. Uses rax. */
void flags_load(struct jit *j, enum jit_flags fl);

/* A constant NZCV (PSTATE<31:28> in place) into EFLAGS as after a subtraction. Uses rax. */
void flags_load_imm(struct jit *j, uint32_t nzcv);

/* NZCV into cpu->nzcv, whatever happens to it afterwards. Uses rax; EFLAGS' condition survives as FL_ADD. */
void flags_to_mem(struct jit *j);

/* ---- Leaving the fast path ---- */

/* A jump out of line when @cc: exec_ does this instruction, and the code goes on at slow_back(). */
void slow_if(struct jit *j, enum x86_cond cc);

/* The end of an instruction: where its slow paths, cold code from number @first on, come back to. The driver calls it. */
void slow_back(struct jit *j, unsigned first);

/* The code of instruction j->k: its emitter's, or a call of exec_. */
void emit_insn(struct jit *j);
emit_fn *emit_of(const struct insn *i);

/* A cold_fn: leaves for the dispatcher with pc at offset arg of this page. */
cold_fn cold_leave;

/* Puts code behind the block: @emit is called later with @from's jump aimed there. */
struct cold *cold_add(struct jit *j, cold_fn *emit, uint8_t *from);

/* ---- Guest memory ---- */

/*
 * Checks an access of @bytes (<= 256) at address x[slot] + @off as one, through the software TLB; rcx is the addend
 * afterwards and changes EFLAGS and rdx. What the TLB does not have goes to exec_. Returns the operand of the first
 * byte, which uses rcx and the base's register or rax; add to its disp for the others. Valid while these keep their values.
 */
struct x86_rm mem_check(struct jit *j, unsigned slot, int64_t off, unsigned bytes, bool write);

/* The same as EL0 would (LDTR, STTR), never in a group. */
struct x86_rm mem_check_unprivileged(struct jit *j, unsigned slot, int64_t off, unsigned bytes, bool write);

/* The same for an address in a register that is neither rcx nor rdx. */
struct x86_rm mem_check_reg(struct jit *j, int addr, unsigned bytes, bool write);

/* Behind one of these: sends an address that is not a multiple of @bytes to exec_ (before memory is touched). */
void mem_check_aligned(struct jit *j, struct x86_rm m, unsigned bytes);

/* ---- PC ---- */

/* @dst becomes the virtual address of this instruction's page + @off. Leaves EFLAGS when they are busy (then uses rcx). */
void emit_pc(struct jit *j, int dst, int64_t off);

/*
 * Ends the block: to the address in rax (VA), through the jump cache. Where that does not know it
 * yet the dispatcher finds PSTATE.BTYPE as @btype.
 */
void emit_jump_rax(struct jit *j, unsigned btype);

/*
 * Leaves for the dispatcher with pc at offset @off of this page if somebody has requested it. Every cycle has an
 * edge that goes back or leaves the page, and those do this.
 */
void emit_exit_test(struct jit *j, unsigned off);

/* Ends the block: goes on at page offset @off of this page, which may be outside the page. */
void emit_goto(struct jit *j, int64_t off);

/* Conditional branch to offset @off of this page when @cc; the block goes on behind it. */
void emit_branch(struct jit *j, enum x86_cond cc, int64_t off);

/* Behind a write to SP that may not be a multiple of 16 (flags_clobber() before the write). */
void emit_check_sp(struct jit *j);

/* rax = the system register by its read handler, which changes nothing; uses rcx and rdx. */
void emit_read(struct jit *j, unsigned reg);

/* Ends the block: this instruction is taken or returned from by @thunk, which falls back on exec_. */
void emit_exception(struct jit *j, const uint8_t *thunk);

/* Calls exec_ for this instruction. */
void emit_exec(struct jit *j, const struct insn *i);

/* May FP arithmetic be done by the host's instructions for the FPCR of this block? */
bool fp_native(const struct jit *j);

/* All emitters, from the rows. */
#define A64(name, bits, regs, opnd, flags, feat, exec, emit) emit_fn emit;
#include "../arm64/cpu/a64.def"
#undef A64

#endif
