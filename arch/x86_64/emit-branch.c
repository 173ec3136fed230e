/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Emitters of branches; the meaning is in arch/arm64/cpu/exec-branch.c. */
#include <vmm/types.h>

#include "jit.h"

static int64_t target_of(const struct jit *j, const struct insn *i) { return j->note[j->k].off + i->imm; }

/* NZCV goes along to wherever the block ends. */
static void flags_at_end(struct jit *j)
{
	if (j->note[j->k].fl_out)
		flags_to_mem(j);
	j->fl = FL_MEM;
}

/* The block goes on at the target of a B that is followed. */
bool emit_b(struct jit *j, const struct insn *i)
{
	if (j->k + 1 < j->n && j->note[j->k + 1].off == target_of(j, i))
		return true;
	flags_at_end(j);
	emit_goto(j, target_of(j, i));
	return true;
}

/* x30 = address of the next instruction */
static void link_register(struct jit *j)
{
	int d = reg_def(30, RAX);

	emit_pc(j, d, j->note[j->k].off + 4);
	reg_done(j, 30, d);
}

bool emit_bl(struct jit *j, const struct insn *i)
{
	int64_t target = target_of(j, i);

	flags_at_end(j);
	if (target >= 0 && target < 4096) {
		link_register(j);
		emit_goto(j, target);
	} else {
		emit_pc(j, RAX, 0);
		x86_lea(&j->a, true, reg_pinned(30), x86_m(RAX, j->note[j->k].off + 4));
		x86_lea(&j->a, true, RAX, x86_m(RAX, (int32_t)target));
		emit_jump_rax(j, 0);
	}
	return true;
}

bool emit_b_cond(struct jit *j, const struct insn *i)
{
	if (i->a >= 14) { /* always taken: what is wanted behind it does not matter */
		if (j->note[j->k].fl_target)
			flags_to_mem(j);
		emit_goto(j, target_of(j, i));
	} else {
		emit_branch(j, flags_cond(j, i->a), target_of(j, i));
	}
	return true;
}

/* The block must go on with EFLAGS as they were, so NZCV that is in them is saved first. */
static void flags_aside(struct jit *j)
{
	if (j->note[j->k].fl_target && !j->note[j->k].fl_out)
		flags_to_mem(j);
	flags_clobber(j);
}

bool emit_cbz(struct jit *j, const struct insn *i)
{
	bool w = is_x(i), not_zero = bit(i->word, 24);
	int reg = reg_pinned(i->rd);

	flags_aside(j);
	if (reg == X86_NONE)
		x86_alu_imm(&j->a, X86_CMP, w, reg_rm(i->rd), 0);
	else
		x86_test(&j->a, w, x86_r(reg), reg);
	emit_branch(j, not_zero ? CC_NE : CC_E, target_of(j, i));
	return true;
}

/* A byte of memory is tested; of a register whatever is shortest. */
bool emit_tbz(struct jit *j, const struct insn *i)
{
	struct x86_rm m = reg_rm(i->rd);
	bool not_zero = bit(i->word, 24);
	enum x86_cond cc = CC_NE;

	flags_aside(j);
	if (!m.is_reg) {
		m.disp += i->a / 8;
		x86_test8_imm(&j->a, m, 1u << i->a % 8);
	} else if (i->a < 8) {
		x86_test8_imm(&j->a, m, 1u << i->a);
	} else if (i->a < 31) {
		x86_test_imm(&j->a, false, m, (int32_t)(UINT32_C(1) << i->a));
	} else {
		x86_bt_imm(&j->a, i->a > 31, m, i->a);
		cc = CC_B;
	}
	emit_branch(j, not_zero ? cc : x86_not(cc), target_of(j, i));
	return true;
}

/* ---- By register ---- */

/* PSTATE.BTYPE for the target: stored when some page looks at it, else only where the dispatcher finds the target. */
static void jump_with_btype(struct jit *j, unsigned btype)
{
	if (!soc_has(j->c->soc, FEAT_BTI))
		btype = 0;
	if (btype && (j->key & KEY_BTI))
		x86_store_imm8(&j->a, CPU_M(btype), btype);
	emit_jump_rax(j, btype);
}

bool emit_br(struct jit *j, const struct insn *i)
{
	bool landing_by_16 = i->rn == 16 || i->rn == 17;

	flags_at_end(j);
	reg_get(j, true, RAX, i->rn);
	jump_with_btype(j, landing_by_16 || !(j->key & KEY_GUARDED) ? 1 : 3);
	return true;
}

/* The target may be x30 itself. */
bool emit_blr(struct jit *j, const struct insn *i)
{
	flags_at_end(j);
	reg_get(j, true, RAX, i->rn);
	emit_pc(j, reg_pinned(30), j->note[j->k].off + 4);
	jump_with_btype(j, 2);
	return true;
}

bool emit_ret(struct jit *j, const struct insn *i)
{
	flags_at_end(j);
	reg_get(j, true, RAX, i->rn);
	emit_jump_rax(j, 0);
	return true;
}
