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

/* Called with rax a sysreg_read_fn, edx the register; rax becomes its value. rsp is 8 off here. */
static void write_read(struct x86 *a)
{
	save_all(a);
	x86_lea(a, true, RDI, x86_m(REG_CPU, -CPU_BIAS));
	x86_movr(a, false, RSI, RDX);
	x86_alu_imm(a, X86_SUB, true, x86_r(RSP), 8);
	x86_call_rm(a, x86_r(RAX));
	x86_alu_imm(a, X86_ADD, true, x86_r(RSP), 8);
	load_all(a);
	x86_ret(a);
}

/* ---- Exceptions ---- */

/* Jumps to @slow, which exec_ does, when somebody steps or sets breakpoints. */
static void leave_debugging(struct x86 *a, const uint8_t *slow)
{
	x86_test_imm(a, false, CPU_SYS(SYS_MDSCR_EL1), MDSCR_SS | MDSCR_MDE);
	x86_aim(x86_jcc(a, CC_NE), slow);
}

/* Drops the return address of the call and goes on at pc, rax, of another exception level. */
static void jump_to_level(struct x86 *a, const uint8_t *left)
{
	x86_alu_imm(a, X86_ADD, true, x86_r(RSP), 8);
	x86_store(a, true, CPU_M(pc), RAX);
	x86_test8_imm(a, reg_rm(SLOT_SP), 15);
	x86_aim(x86_jcc(a, CC_NE), left);
	x86_alu_imm(a, X86_CMP, false, CPU_M(exit_req), 0);
	x86_aim(x86_jcc(a, CC_NE), left);
	x86_jump_cache(a, left);
}

/* The stack pointer and the translations of the other level. */
static void switch_level(struct x86 *a, unsigned from, struct x86_rm ctx)
{
	int sp = reg_pinned(SLOT_SP);

	x86_store(a, true, CPU_M(sp_el[from]), sp);
	x86_mov(a, true, sp, CPU_M(sp_el[!from]));
	x86_mov(a, true, REG_CTX, ctx);
	x86_store(a, true, CPU_M(ctx), REG_CTX);
	x86_store_imm8(a, CPU_M(el), !from);
	x86_store_imm8(a, CPU_M(spsel), !from);
	x86_store_imm8(a, CPU_M(ss), 0);
	x86_store_imm8(a, CPU_M(excl.size), 0);
}

/* ecx |= flag byte @m << @shift. Uses eax. */
static void or_flag(struct x86 *a, struct x86_rm m, unsigned shift)
{
	x86_movzx8(a, RAX, m);
	x86_shift_imm(a, X86_SHL, false, x86_r(RAX), shift);
	x86_alu(a, X86_OR, false, RCX, x86_r(RAX));
}

#define CPACR_FPEN_SHIFT 20

/*
 * SVC at EL0, as exc_sync_ret() and enter() of except.c do it; eax the word, edx the offset
 * in its page. Theirs are: debugging, EL1's TLB with entries that PAN takes away, SCTLR_EL1.SPAN.
 */
static void write_svc(struct x86 *a, const uint8_t *slow, const uint8_t *left)
{
	leave_debugging(a, slow);
	x86_mov(a, true, RCX, CPU_M(ctxs));
	x86_cmp16_imm8(a, x86_m(RCX, (int32_t)offsetof(struct mmu_ctx, user_n)), 0);
	x86_aim(x86_jcc(a, CC_NE), slow);
	x86_test_imm(a, false, CPU_SYS(SYS_SCTLR_EL1), SCTLR_SPAN);
	x86_aim(x86_jcc(a, CC_NE), slow);
	/* ELR_EL1, ESR_EL1: class, IL, imm16 (word 20:5) */
	x86_mov(a, true, RCX, CPU_M(pc));
	x86_alu_imm(a, X86_AND, true, x86_r(RCX), -4096);
	x86_lea(a, true, RCX, x86_mi(RCX, RDX, 0, 4));
	x86_store(a, true, CPU_SYS(SYS_ELR_EL1), RCX);
	x86_shift_imm(a, X86_SHR, false, x86_r(RAX), 5);
	x86_movzx16(a, RAX, x86_r(RAX));
	x86_alu_imm(a, X86_OR, false, x86_r(RAX), (int32_t)(EC_SVC64 << 26 | ESR_IL));
	x86_store(a, true, CPU_SYS(SYS_ESR_EL1), RAX);
	/* SPSR_EL1; IL, SS and BTYPE are 0 here, and the mode is EL0t */
	x86_mov(a, false, RCX, CPU_M(nzcv));
	x86_alu(a, X86_OR, false, RCX, CPU_M(daif));
	or_flag(a, CPU_M(dit), 24);
	or_flag(a, CPU_M(pan), 22);
	or_flag(a, CPU_M(ssbs), 12);
	x86_store(a, true, CPU_SYS(SYS_SPSR_EL1), RCX);
	switch_level(a, 0, CPU_M(ctxs));
	x86_store_imm8(a, CPU_M(pan), 1);
	x86_store_imm8(a, CPU_M(stepped), STEPPED_NOT);
	x86_store_imm(a, false, CPU_M(daif), (int32_t)PSTATE_DAIF);
	x86_bt_imm(a, true, CPU_SYS(SYS_SCTLR_EL1), __builtin_ctzll(SCTLR_DSSBS));
	x86_setcc(a, CC_B, CPU_M(ssbs));
	x86_test_imm(a, false, CPU_SYS(SYS_CPACR_EL1), 1 << CPACR_FPEN_SHIFT); /* EL1 traps with 0b00 and 0b10 */
	x86_setcc(a, CC_E, CPU_M(fp_trapped));
	x86_mov(a, true, RAX, CPU_SYS(SYS_VBAR_EL1));
	x86_alu_imm(a, X86_ADD, true, x86_r(RAX), 0x400);
	jump_to_level(a, left);
}

/*
 * ERET at EL1h to EL0t, as exc_return() does it. Its are: other modes, IL, PAN, DIT and BTYPE in SPSR_EL1,
 * a tagged ELR_EL1, debugging, and an interrupt that waits.
 */
static void write_eret(struct x86 *a, const uint8_t *slow, const uint8_t *left)
{
	leave_debugging(a, slow);
	x86_test_imm(a, false, CPU_SYS(SYS_SPSR_EL1),
		     (int32_t)(0x1f | PSTATE_IL | PSTATE_PAN | PSTATE_DIT | UINT64_C(3) << PSTATE_BTYPE_SHIFT));
	x86_aim(x86_jcc(a, CC_NE), slow);
	x86_alu_imm(a, X86_CMP, false, CPU_M(irq_lines), 0);
	x86_aim(x86_jcc(a, CC_NE), slow);
	x86_cmp8_imm(a, CPU_M(spsel), 0);
	x86_aim(x86_jcc(a, CC_E), slow);
	x86_mov(a, true, RCX, CPU_SYS(SYS_ELR_EL1));
	x86_shift_imm(a, X86_SHL, true, x86_r(RCX), 8);
	x86_shift_imm(a, X86_SAR, true, x86_r(RCX), 8);
	x86_alu(a, X86_CMP, true, RCX, CPU_SYS(SYS_ELR_EL1));
	x86_aim(x86_jcc(a, CC_NE), slow);
	x86_store_imm8(a, CPU_M(event), 1);
	x86_mov(a, false, RAX, CPU_SYS(SYS_SPSR_EL1));
	x86_movr(a, false, RCX, RAX);
	x86_shift_imm(a, X86_SHR, false, x86_r(RCX), 12);
	x86_alu_imm(a, X86_AND, false, x86_r(RCX), 1);
	x86_store8(a, CPU_M(ssbs), RCX);
	x86_movr(a, false, RCX, RAX);
	x86_alu_imm(a, X86_AND, false, x86_r(RCX), (int32_t)PSTATE_NZCV);
	x86_store(a, false, CPU_M(nzcv), RCX);
	x86_alu_imm(a, X86_AND, false, x86_r(RAX), (int32_t)PSTATE_DAIF);
	x86_store(a, false, CPU_M(daif), RAX);
	switch_level(a, 1, CPU_M(ctx_el0));
	x86_store_imm8(a, CPU_M(pan), 0);
	x86_store_imm8(a, CPU_M(dit), 0);
	x86_mov(a, false, RAX, CPU_SYS(SYS_CPACR_EL1));
	x86_alu_imm(a, X86_AND, false, x86_r(RAX), 3 << CPACR_FPEN_SHIFT);
	x86_alu_imm(a, X86_CMP, false, x86_r(RAX), 3 << CPACR_FPEN_SHIFT); /* EL0 traps but with 0b11 */
	x86_setcc(a, CC_NE, CPU_M(fp_trapped));
	x86_mov(a, true, RAX, CPU_SYS(SYS_ELR_EL1));
	jump_to_level(a, left);
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
	const uint8_t *ret, *left, *slow;

	t->enter = begin(t, &a);
	write_enter(&a);
	begin(t, &a);
	ret = a.p;
	write_return(&a);
	t->leave[0] = begin(t, &a);
	left = a.p;
	write_left(&a, LEFT_JUMP, ret);
	t->slow = begin(t, &a);
	slow = a.p;
	write_slow(&a, ret, left);
	t->read = begin(t, &a);
	write_read(&a);
	t->svc = begin(t, &a);
	write_svc(&a, slow, left);
	t->eret = begin(t, &a);
	write_eret(&a, slow, left);
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
