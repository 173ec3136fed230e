/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arm ARM, "Branches": direct, conditional, compare and test, by register (also authenticated), exception return. */
#include "cpu.h"

/* Arm ARM, BranchAddr of the EL1&0 regime. */
uint64_t cpu_branch_address(const struct cpu *c, uint64_t target)
{
	uint64_t canonical = (uint64_t)sext(target, 56);

	return canonical != target && cpu_tag_ignored(c, (unsigned)bit(target, 55), false) ? canonical : target;
}

static enum exec jump(struct cpu *c, uint64_t target)
{
	c->pc = target;
	return EXEC_JUMP;
}

enum exec exec_b(struct cpu *c, const struct insn *i) { return jump(c, c->pc + (uint64_t)i->imm); }

enum exec exec_bl(struct cpu *c, const struct insn *i)
{
	c->x[30] = c->pc + 4;
	return jump(c, c->pc + (uint64_t)i->imm);
}

enum exec exec_b_cond(struct cpu *c, const struct insn *i)
{
	return cond_holds(c, i->a) ? jump(c, c->pc + (uint64_t)i->imm) : EXEC_NEXT;
}

enum exec exec_cbz_x(struct cpu *c, const struct insn *i)
{
	return c->x[i->rd] ? EXEC_NEXT : jump(c, c->pc + (uint64_t)i->imm);
}

enum exec exec_cbz_w(struct cpu *c, const struct insn *i)
{
	return (uint32_t)c->x[i->rd] ? EXEC_NEXT : jump(c, c->pc + (uint64_t)i->imm);
}

enum exec exec_cbnz_x(struct cpu *c, const struct insn *i)
{
	return c->x[i->rd] ? jump(c, c->pc + (uint64_t)i->imm) : EXEC_NEXT;
}

enum exec exec_cbnz_w(struct cpu *c, const struct insn *i)
{
	return (uint32_t)c->x[i->rd] ? jump(c, c->pc + (uint64_t)i->imm) : EXEC_NEXT;
}

enum exec exec_tbz(struct cpu *c, const struct insn *i)
{
	return c->x[i->rd] >> i->a & 1 ? EXEC_NEXT : jump(c, c->pc + (uint64_t)i->imm);
}

enum exec exec_tbnz(struct cpu *c, const struct insn *i)
{
	return c->x[i->rd] >> i->a & 1 ? jump(c, c->pc + (uint64_t)i->imm) : EXEC_NEXT;
}

/* ---- By register ---- */

/*
 * What the target has to accept (BTI): 1 a jump by x16 or x17, or from a page
 * that is not guarded; 2 a call; 3 any other jump.
 */
static void set_btype(struct cpu *c, uint8_t btype) { c->btype = soc_has(c->soc, FEAT_BTI) ? btype : 0; }

static uint8_t btype_of_jump(struct cpu *c, const struct insn *i)
{
	return i->rn == 16 || i->rn == 17 || !mmu_pc_guarded(c) ? 1 : 3;
}

static enum exec jump_register(struct cpu *c, const struct insn *i, uint64_t target)
{
	set_btype(c, btype_of_jump(c, i));
	return jump(c, cpu_branch_address(c, target));
}

static enum exec call_register(struct cpu *c, uint64_t target)
{
	set_btype(c, 2);
	c->x[30] = c->pc + 4;
	return jump(c, cpu_branch_address(c, target));
}

enum exec exec_br(struct cpu *c, const struct insn *i) { return jump_register(c, i, c->x[i->rn]); }
enum exec exec_blr(struct cpu *c, const struct insn *i) { return call_register(c, c->x[i->rn]); }
enum exec exec_ret(struct cpu *c, const struct insn *i) { return jump(c, cpu_branch_address(c, c->x[i->rn])); }

/* ---- By register, authenticated: the Z forms have modifier 0, the others Xm or SP ---- */

static uint64_t auth_rn(const struct cpu *c, const struct insn *i, uint64_t modifier, enum pauth_key key)
{
	return pauth_auth(c, c->x[i->rn], modifier, key);
}

enum exec exec_braaz(struct cpu *c, const struct insn *i) { return jump_register(c, i, auth_rn(c, i, 0, KEY_IA)); }
enum exec exec_brabz(struct cpu *c, const struct insn *i) { return jump_register(c, i, auth_rn(c, i, 0, KEY_IB)); }
enum exec exec_braa(struct cpu *c, const struct insn *i)
{
	return jump_register(c, i, auth_rn(c, i, c->x[i->rm], KEY_IA));
}
enum exec exec_brab(struct cpu *c, const struct insn *i)
{
	return jump_register(c, i, auth_rn(c, i, c->x[i->rm], KEY_IB));
}
enum exec exec_blraaz(struct cpu *c, const struct insn *i) { return call_register(c, auth_rn(c, i, 0, KEY_IA)); }
enum exec exec_blrabz(struct cpu *c, const struct insn *i) { return call_register(c, auth_rn(c, i, 0, KEY_IB)); }
enum exec exec_blraa(struct cpu *c, const struct insn *i)
{
	return call_register(c, auth_rn(c, i, c->x[i->rm], KEY_IA));
}
enum exec exec_blrab(struct cpu *c, const struct insn *i)
{
	return call_register(c, auth_rn(c, i, c->x[i->rm], KEY_IB));
}

static enum exec return_authenticated(struct cpu *c, enum pauth_key key)
{
	return jump(c, cpu_branch_address(c, pauth_auth(c, c->x[30], c->x[SLOT_SP], key)));
}

enum exec exec_retaa(struct cpu *c, const struct insn *i)
{
	(void)i;
	return return_authenticated(c, KEY_IA);
}
enum exec exec_retab(struct cpu *c, const struct insn *i)
{
	(void)i;
	return return_authenticated(c, KEY_IB);
}

/* ---- Exception return ---- */

enum exec exec_eret(struct cpu *c, const struct insn *i)
{
	(void)i;
	return exc_return(c);
}

/* The authenticated address is the one returned to; ELR_EL1 itself keeps its value. */
static enum exec eret_authenticated(struct cpu *c, enum pauth_key key)
{
	uint64_t elr = c->sys[SYS_ELR_EL1];
	enum exec r;

	if (c->el == 0)
		return exc_undefined(c);
	c->sys[SYS_ELR_EL1] = pauth_auth(c, elr, c->x[SLOT_SP], key);
	r = exc_return(c);
	c->sys[SYS_ELR_EL1] = elr;
	return r;
}

enum exec exec_eretaa(struct cpu *c, const struct insn *i)
{
	(void)i;
	return eret_authenticated(c, KEY_IA);
}
enum exec exec_eretab(struct cpu *c, const struct insn *i)
{
	(void)i;
	return eret_authenticated(c, KEY_IB);
}
