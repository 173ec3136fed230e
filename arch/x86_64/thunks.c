/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The code that is there before any guest's: the way in, the ways out, and the
 * slow path, which lets exec_ do one instruction and goes on behind it.
 *
 * A System V frame: six registers pushed and 8 bytes make the stack 16-byte
 * aligned, which it stays in generated code, so calls need 8 more only inside
 * another call. Generated code may use the red zone.
 */
#include <stddef.h>
#include <vmm/err.h>

#include "jit.h"

static const uint8_t callee_saved[] = { RBX, RBP, R12, R13, R14, R15 };

static void each_register(struct x86 *a, bool load)
{
	for (unsigned n = 0; n <= SLOT_SP; n++) {
		struct x86_rm m = x86_m(REG_CPU, CPU_OFF(x) + 8 * (int32_t)n);
		int reg = reg_pinned(n);

		if (reg != X86_NONE && load)
			x86_mov(a, true, reg, m);
		else if (reg != X86_NONE)
			x86_store(a, true, m, reg);
	}
	for (unsigned n = 0; n < 32; n++) {
		struct x86_rm m = x86_m(REG_CPU, CPU_OFF(z) + Z_STRIDE * (int32_t)n);
		int xmm = vec_pinned(n);

		if (xmm != X86_NONE && load)
			x86_vmovdqa(a, xmm, m);
		else if (xmm != X86_NONE)
			x86_vmovdqa_store(a, m, xmm);
	}
}

/* What cpu->ctx is may have changed meanwhile. */
static void load_all(struct x86 *a)
{
	each_register(a, true);
	x86_mov(a, true, REG_CTX, CPU_M(ctx));
}

static void save_all(struct x86 *a) { each_register(a, false); }

static void jump_to(struct x86 *a, const uint8_t *target) { x86_aim(x86_jmp(a), target); }

/* unsigned enter(struct cpu *c [rdi], const void *code [rsi]) */
static void write_enter(struct x86 *a)
{
	for (unsigned n = 0; n < ARRAY_SIZE(callee_saved); n++)
		x86_push(a, callee_saved[n]);
	x86_alu_imm(a, X86_SUB, true, x86_r(RSP), 8);
	x86_lea(a, true, REG_CPU, x86_m(RDI, CPU_BIAS));
	x86_movr(a, true, RAX, RSI);
	load_all(a);
	x86_jmp_rm(a, x86_r(RAX));
}

/* Returns eax from enter(). */
static void write_return(struct x86 *a)
{
	x86_alu_imm(a, X86_ADD, true, x86_r(RSP), 8);
	for (unsigned n = ARRAY_SIZE(callee_saved); n-- > 0;)
		x86_pop(a, callee_saved[n]);
	x86_ret(a);
}

static void write_left(struct x86 *a, enum jit_left why, const uint8_t *ret)
{
	save_all(a);
	x86_mov_imm(a, RAX, why);
	jump_to(a, ret);
}

/* edx: offset in the page that pc is in, or that page's size. */
static void write_set_pc(struct x86 *a)
{
	x86_mov(a, true, RAX, CPU_M(pc));
	x86_alu_imm(a, X86_AND, true, x86_r(RAX), -4096);
	x86_alu(a, X86_ADD, true, RAX, x86_r(RDX));
	x86_store(a, true, CPU_M(pc), RAX);
}

/*
 * Called with eax the word, edx where it is. rsp is 8 off here. What the instruction
 * comes to: go on behind it; a jump or exception whose target the jump cache may have; or leave.
 */
static void write_slow(struct x86 *a, const uint8_t *ret, const uint8_t *left)
{
	uint8_t *unwind, *jump;

	save_all(a);
	x86_lea(a, true, RDI, x86_m(REG_CPU, -CPU_BIAS));
	x86_movr(a, false, RSI, RAX);
	x86_alu_imm(a, X86_SUB, true, x86_r(RSP), 8);
	x86_mov_imm(a, RAX, (uint64_t)(uintptr_t)jit_slow);
	x86_call_rm(a, x86_r(RAX));
	x86_alu_imm(a, X86_ADD, true, x86_r(RSP), 8);
	x86_alu_imm(a, X86_CMP, false, x86_r(RAX), SLOW_DONE);
	jump = x86_jcc(a, CC_A);
	unwind = x86_jcc(a, CC_NE);
	load_all(a);
	x86_ret(a);
	x86_aim(jump, a->p);
	x86_alu_imm(a, X86_ADD, true, x86_r(RSP), 8);
	load_all(a);
	x86_mov(a, true, RAX, CPU_M(pc));
	x86_jump_cache(a, left);
	x86_aim(unwind, a->p);
	x86_alu_imm(a, X86_ADD, true, x86_r(RSP), 8);
	jump_to(a, ret);
}

/* The thunk that begins here, where it is executed; on a cache line of its own. */
static const uint8_t *begin(const struct jit_cache *t, struct x86 *a)
{
	while ((a->p - t->rw) % 64)
		x86_b(a, 0xcc);
	return t->rx + (a->p - t->rw);
}

uint8_t *jit_write_thunks(struct jit_cache *t)
{
	struct x86 a = { t->rw };
	const uint8_t *ret, *left;

	t->enter = begin(t, &a);
	write_enter(&a);
	begin(t, &a);
	ret = a.p;
	write_return(&a);
	t->leave[0] = begin(t, &a);
	left = a.p;
	write_left(&a, LEFT_JUMP, ret);
	t->slow = begin(t, &a);
	write_slow(&a, ret, left);
	for (unsigned n = 1; n < ARRAY_SIZE(t->leave); n++) {
		t->leave[n] = begin(t, &a);
		x86_store_imm8(&a, CPU_M(btype), n);
		jump_to(&a, left);
	}
	t->leave_at = begin(t, &a);
	write_set_pc(&a);
	jump_to(&a, left);
	t->dead = begin(t, &a);
	write_set_pc(&a);
	write_left(&a, LEFT_DEAD, ret);
	t->link = begin(t, &a);
	x86_store(&a, false, CPU_M(jit_link[0]), RAX);
	x86_store(&a, false, CPU_M(jit_link[1]), RDX);
	write_left(&a, LEFT_LINK, ret);
	return a.p;
}
