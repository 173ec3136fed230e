/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What emitters share (emit.h): registers, NZCV, the software TLB check, and the
 * ways out of a block.
 */
#include <stddef.h>
#include <vmm/err.h>

#include "jit.h"

/* ---- Registers ---- */

static const int8_t pinned[SLOT_SINK + 1] = {
	RDI,      RSI,      R8,       R9,       R10,      R11,      X86_NONE, X86_NONE, X86_NONE,
	X86_NONE, X86_NONE, X86_NONE, X86_NONE, X86_NONE, X86_NONE, X86_NONE, X86_NONE, X86_NONE,
	X86_NONE, RBX,      R12,      X86_NONE, X86_NONE, X86_NONE, X86_NONE, X86_NONE, X86_NONE,
	X86_NONE, X86_NONE, X86_NONE, R13,      R14,      X86_NONE, X86_NONE,
};

int reg_pinned(unsigned slot) { return pinned[slot]; }

static struct x86_rm slot_m(unsigned slot) { return x86_m(REG_CPU, CPU_OFF(x) + 8 * (int32_t)slot); }

struct x86_rm reg_rm(unsigned slot) { return pinned[slot] == X86_NONE ? slot_m(slot) : x86_r(pinned[slot]); }

void reg_get(struct jit *j, bool w, int dst, unsigned slot)
{
	if (slot == SLOT_ZERO)
		x86_mov_imm(&j->a, dst, 0);
	else if (pinned[slot] == X86_NONE)
		x86_mov(&j->a, w, dst, slot_m(slot));
	else
		x86_movr(&j->a, w, dst, pinned[slot]);
}

int reg_use(struct jit *j, unsigned slot, int tmp)
{
	if (pinned[slot] != X86_NONE)
		return pinned[slot];
	reg_get(j, true, tmp, slot);
	return tmp;
}

int reg_def(unsigned slot, int tmp) { return pinned[slot] == X86_NONE ? tmp : pinned[slot]; }

void reg_done(struct jit *j, unsigned slot, int reg)
{
	if (slot == SLOT_SINK || pinned[slot] == reg)
		return;
	if (pinned[slot] == X86_NONE)
		x86_store(&j->a, true, slot_m(slot), reg);
	else
		x86_movr(&j->a, true, pinned[slot], reg);
}

int vec_pinned(unsigned n) { return n < 8 ? (int)n + 8 : n >= 16 && n <= 20 ? (int)n - 13 : X86_NONE; }

static struct x86_rm vec_m(unsigned n) { return x86_m(REG_CPU, CPU_OFF(z) + Z_STRIDE * (int32_t)n); }

struct x86_rm vec_rm(unsigned n)
{
	int xmm = vec_pinned(n);

	return xmm == X86_NONE ? vec_m(n) : x86_r(xmm);
}

int vec_use(struct jit *j, unsigned n, int tmp)
{
	int xmm = vec_pinned(n);

	if (xmm != X86_NONE)
		return xmm;
	x86_vmovdqa(&j->a, tmp, vec_m(n));
	return tmp;
}

int vec_def(unsigned n, int tmp)
{
	int xmm = vec_pinned(n);

	return xmm == X86_NONE ? tmp : xmm;
}

void vec_done(struct jit *j, unsigned n, int xmm)
{
	int own = vec_pinned(n);

	if (own == X86_NONE)
		x86_vmovdqa_store(&j->a, vec_m(n), xmm);
	else if (own != xmm)
		x86_vmovdqa(&j->a, own, x86_r(xmm));
}

/* ---- NZCV ---- */

static bool in_eflags(const struct jit *j) { return j->fl == FL_SUB || j->fl == FL_ADD; }

bool flags_busy(const struct jit *j)
{
	return in_eflags(j) && j->note[j->k].fl_out && !(row_flags(&j->insn[j->k]) & F_SETS);
}

/* ax: SF 15, ZF 14, CF 8, OF 0. Leaves EFLAGS. */
static void flags_to_ax(struct jit *j)
{
	x86_lahf(&j->a);
	x86_setcc(&j->a, CC_O, x86_r(RAX));
}

/* The way back: 1 + 0x7f overflows. */
static void flags_from_ax(struct jit *j)
{
	x86_b(&j->a, 0x04); /* add al, 0x7f */
	x86_b(&j->a, 0x7f);
	x86_sahf(&j->a);
}

static void save_raw(struct jit *j)
{
	flags_to_ax(j);
	x86_store(&j->a, false, CPU_M(jit_raw), RAX);
	j->fl = j->fl == FL_SUB ? FL_RAW_SUB : FL_RAW_ADD;
}

void flags_clobber(struct jit *j)
{
	if (flags_busy(j))
		save_raw(j);
	else if (in_eflags(j))
		j->fl = FL_MEM;
}

void flags_set(struct jit *j, enum jit_flags fl) { j->fl = fl; }

void flags_stored(struct jit *j) { j->fl = FL_MEM; }

/* ax from cpu->nzcv, CF as after an addition. */
static void mem_to_ax(struct jit *j)
{
	x86_rorx(&j->a, false, RAX, CPU_M(nzcv), 28);
	x86_pdep(&j->a, false, RAX, RAX, CPU_M(jit_nzcv_mask));
}

/* cpu->nzcv from ax. Leaves EFLAGS unless @borrow. */
static void ax_to_mem(struct jit *j, bool borrow)
{
	x86_pext(&j->a, false, RAX, RAX, CPU_M(jit_nzcv_mask));
	if (borrow)
		x86_alu_imm(&j->a, X86_XOR, false, x86_r(RAX), 2);
	x86_rorx(&j->a, false, RAX, x86_r(RAX), 4);
	x86_store(&j->a, false, CPU_M(nzcv), RAX);
}

void flags_to_mem(struct jit *j)
{
	switch (j->fl) {
	case FL_MEM: return;
	case FL_SUB: x86_cmc(&j->a); /* fall through */
	case FL_ADD:
		flags_to_ax(j);
		ax_to_mem(j, false);
		break;
	case FL_RAW_SUB:
	case FL_RAW_ADD:
		x86_mov(&j->a, false, RAX, CPU_M(jit_raw));
		ax_to_mem(j, j->fl == FL_RAW_SUB);
		break;
	}
	j->fl = FL_MEM;
}

/* Copies NZCV from memory into EFLAGS: FL_SUB or FL_ADD, as they are then. */
static enum jit_flags memory_to_eflags(struct jit *j)
{
	if (j->fl == FL_MEM)
		mem_to_ax(j);
	else
		x86_mov(&j->a, false, RAX, CPU_M(jit_raw));
	flags_from_ax(j);
	return j->fl == FL_RAW_SUB ? FL_SUB : FL_ADD;
}

void flags_load(struct jit *j, enum jit_flags fl)
{
	enum jit_flags is;

	if (in_eflags(j)) {
		is = j->fl;
		flags_clobber(j); /* a copy stays in EFLAGS */
	} else {
		is = memory_to_eflags(j);
	}
	if (is != fl)
		x86_cmc(&j->a);
}

void flags_load_imm(struct jit *j, uint32_t nzcv)
{
	unsigned ah = (nzcv & PSTATE_N ? 0x80 : 0) | (nzcv & PSTATE_Z ? 0x40 : 0) | (nzcv & PSTATE_C ? 0 : 1);

	x86_mov_imm(&j->a, RAX, ah << 8 | (nzcv & PSTATE_V ? 1 : 0));
	flags_from_ax(j);
}

/* Arm's conditions by number, AL left out, as x86's after a subtraction. */
static const uint8_t after_sub[14] = { CC_E,  CC_NE, CC_AE, CC_B,  CC_S, CC_NS, CC_O,
				       CC_NO, CC_A,  CC_BE, CC_GE, CC_L, CC_G,  CC_LE };

/* The condition for EFLAGS of kind @fl; HI and LS of an addition need CF turned round first. */
static enum x86_cond cond_of(struct jit *j, unsigned cond, enum jit_flags fl)
{
	enum x86_cond cc = after_sub[cond];

	if (fl == FL_SUB)
		return cc;
	if (cond >> 1 == 4) {
		x86_cmc(&j->a);
		if (j->fl == FL_ADD)
			j->fl = FL_SUB;
	}
	return cond >> 1 == 1 ? x86_not(cc) : cc;
}

/* EQ CS MI VS and their opposites look at one bit: where it is in memory, and what it means when set. */
static enum x86_cond one_bit(struct jit *j, unsigned cond)
{
	static const uint8_t in_nzcv[4] = { 0x40, 0x20, 0x80, 0x10 }, in_ah[3] = { 0x40, 0x01, 0x80 };
	unsigned which = cond >> 1;
	bool inverted = j->fl == FL_RAW_SUB && which == 1;
	struct x86_rm m;

	if (j->fl == FL_MEM) {
		m = CPU_M(nzcv);
		m.disp += 3;
		x86_test8_imm(&j->a, m, in_nzcv[which]);
	} else {
		m = CPU_M(jit_raw);
		m.disp += which < 3;
		x86_test8_imm(&j->a, m, which < 3 ? in_ah[which] : 1);
	}
	return (cond & 1) ^ inverted ? CC_E : CC_NE;
}

enum x86_cond flags_cond(struct jit *j, unsigned cond)
{
	if (in_eflags(j))
		return cond_of(j, cond, j->fl);
	if (cond < 8)
		return one_bit(j, cond);
	return cond_of(j, cond, memory_to_eflags(j));
}

/* ---- Cold code ---- */

struct cold *cold_add(struct jit *j, cold_fn *emit, uint8_t *from)
{
	struct cold *d = &j->cold[j->cold_count++];

	CHECK(j->cold_count <= COLD_MAX);
	*d = (struct cold){ .emit = emit, .from = from, .k = (uint16_t)j->k, .fl = (uint8_t)j->fl };
	return d;
}

static void to_thunk(struct jit *j, uint8_t *end, const uint8_t *thunk)
{
	x86_aim(end, thunk - j->cache->rx + j->cache->rw);
}

static void jump_to_thunk(struct jit *j, const uint8_t *thunk) { to_thunk(j, x86_jmp(&j->a), thunk); }

/* eax: the word; edx: where it is and where NZCV is. */
static void call_exec(struct jit *j, unsigned k, enum jit_flags fl, const uint8_t *thunk)
{
	x86_mov_imm(&j->a, RAX, j->insn[k].word);
	x86_mov_imm(&j->a, RDX,
		    j->note[k].off | (fl == FL_RAW_SUB   ? SLOW_RAW_SUB
				      : fl == FL_RAW_ADD ? SLOW_RAW_ADD
							 : 0));
	to_thunk(j, x86_call(&j->a), thunk);
}

static void call_slow(struct jit *j, unsigned k, enum jit_flags fl) { call_exec(j, k, fl, j->cache->slow); }

void emit_read(struct jit *j, unsigned reg)
{
	flags_clobber(j);
	x86_mov_imm(&j->a, RAX, (uint64_t)(uintptr_t)reg_rows[reg].read);
	x86_mov_imm(&j->a, RDX, reg);
	to_thunk(j, x86_call(&j->a), j->cache->read);
}

void emit_exception(struct jit *j, const uint8_t *thunk)
{
	flags_to_mem(j);
	call_exec(j, j->k, FL_MEM, thunk);
	j->ended = true;
}

/* exec_ has put NZCV into memory; where the fast path has it in EFLAGS, so must this one. */
static void cold_slow(struct jit *j, const struct cold *d)
{
	call_slow(j, d->k, d->fl);
	if (d->fl_after == FL_SUB || d->fl_after == FL_ADD) {
		j->fl = FL_MEM;
		flags_load(j, d->fl_after);
	}
	x86_aim(x86_jmp(&j->a), d->back);
}

void slow_if(struct jit *j, enum x86_cond cc)
{
	CHECK(!flags_busy(j) && !(in_eflags(j) && (row_flags(&j->insn[j->k]) & F_USES)));
	cold_add(j, cold_slow, x86_jcc(&j->a, cc));
}

void slow_back(struct jit *j, unsigned first)
{
	for (unsigned n = first; n < j->cold_count; n++) {
		struct cold *d = &j->cold[n];

		if (d->emit != cold_slow)
			continue;
		d->back = j->a.p;
		d->fl_after = (uint8_t)(row_flags(&j->insn[d->k]) & F_SETS ? j->fl : FL_MEM);
	}
}

void emit_exec(struct jit *j, const struct insn *i)
{
	unsigned flags = row_flags(i);

	if (uses_flags(flags) || (j->note[j->k].fl_out && !(flags & F_SETS)))
		flags_to_mem(j);
	j->fl = FL_MEM;
	call_slow(j, j->k, FL_MEM);
}

bool emit_none(struct jit *j, const struct insn *i)
{
	(void)j;
	(void)i;
	return false;
}

/* ---- Guest memory ---- */

#define TLB_W ((int32_t)offsetof(struct mmu_ctx, w))
#define JC    ((int32_t)offsetof(struct mmu_ctx, jc))
_Static_assert(offsetof(struct mmu_ctx, r) == 0 && sizeof(struct tlb_entry) == 16 && sizeof(struct jc_entry) == 16,
	       "the indices below are in bytes");
#define TLB_INDEX_MASK ((TLB_ENTRIES - 1) << 4)
#define JC_INDEX_MASK  ((JC_ENTRIES - 1) << 4)

/*
 * rcx becomes the addend of [addr + lo, + bytes) or the code leaves by the jump whose
 * end is returned: the tag of the page, crossing and any alignment in one compare.
 */
static uint8_t *tlb_check(struct jit *j, int addr, int32_t lo, unsigned bytes, bool write, bool unprivileged)
{
	struct x86_rm tag = x86_mi(REG_CTX, RCX, 0, write ? TLB_W : 0), addend;
	uint8_t *miss;

	if (lo) {
		x86_lea(&j->a, true, RDX, x86_m(addr, lo));
		x86_rorx(&j->a, true, RCX, x86_r(RDX), 8);
	} else {
		x86_rorx(&j->a, true, RCX, x86_r(addr), 8);
		x86_movr(&j->a, true, RDX, addr);
	}
	x86_alu_imm(&j->a, X86_AND, false, x86_r(RCX), TLB_INDEX_MASK);
	if (unprivileged) {
		x86_alu(&j->a, X86_ADD, true, RCX, CPU_M(ctx_el0));
		tag = x86_m(RCX, tag.disp);
	}
	addend = tag;
	addend.disp += (int32_t)offsetof(struct tlb_entry, addend);
	x86_alu(&j->a, X86_XOR, true, RDX, tag);
	x86_alu_imm(&j->a, X86_CMP, true, x86_r(RDX), 4096 - (int32_t)bytes);
	miss = x86_jcc(&j->a, CC_A);
	x86_mov(&j->a, true, RCX, addend);
	return miss;
}

/* One check for a group of accesses has failed: each for itself, then behind the group. */
static void cold_group(struct jit *j, const struct cold *d)
{
	unsigned last = j->note[d->k].group_last;

	j->fl = d->fl;
	j->unmerged = true;
	for (j->k = d->k; j->k <= last; j->k++)
		emit_insn(j);
	j->unmerged = false;
	x86_aim(x86_jmp(&j->a), j->at[last + 1]);
}

struct x86_rm mem_check(struct jit *j, unsigned slot, int64_t off, unsigned bytes, bool write)
{
	const struct note *t = &j->note[j->k];
	int base;

	flags_clobber(j);
	base = reg_use(j, slot, RAX);
	if (t->group == GROUP_NONE || j->unmerged)
		cold_add(j, cold_slow, tlb_check(j, base, (int32_t)off, bytes, write, false));
	else if (t->group == GROUP_LEADER)
		cold_add(j, cold_group, tlb_check(j, base, t->group_lo, t->group_bytes, t->group_write, false));
	return x86_mi(RCX, base, 0, (int32_t)off);
}

struct x86_rm mem_check_unprivileged(struct jit *j, unsigned slot, int64_t off, unsigned bytes, bool write)
{
	int base;

	flags_clobber(j);
	base = reg_use(j, slot, RAX);
	cold_add(j, cold_slow, tlb_check(j, base, (int32_t)off, bytes, write, true));
	return x86_mi(RCX, base, 0, (int32_t)off);
}

struct x86_rm mem_check_reg(struct jit *j, int addr, unsigned bytes, bool write)
{
	CHECK(!flags_busy(j));
	cold_add(j, cold_slow, tlb_check(j, addr, 0, bytes, write, false));
	return x86_mi(RCX, addr, 0, 0);
}

/* Pages are aligned in both address spaces, so the host's address will do. */
void mem_check_aligned(struct jit *j, struct x86_rm m, unsigned bytes)
{
	if (bytes == 1)
		return;
	x86_lea(&j->a, false, RDX, m);
	x86_test8_imm(&j->a, x86_r(RDX), bytes - 1);
	slow_if(j, CC_NE);
}

/* ---- PC ---- */

void emit_pc(struct jit *j, int dst, int64_t off)
{
	if (flags_busy(j)) {
		x86_mov_imm(&j->a, RCX, 12);
		x86_shrx(&j->a, true, dst, CPU_M(pc), RCX);
		x86_shlx(&j->a, true, dst, x86_r(dst), RCX);
	} else {
		x86_mov(&j->a, true, dst, CPU_M(pc));
		x86_alu_imm(&j->a, X86_AND, true, x86_r(dst), -4096);
	}
	if (off == (int32_t)off) {
		if (off)
			x86_lea(&j->a, true, dst, x86_m(dst, (int32_t)off));
	} else {
		x86_mov_imm(&j->a, RCX, (uint64_t)off);
		x86_lea(&j->a, true, dst, x86_mi(dst, RCX, 0, 0));
	}
}

static void test_exit_req(struct jit *j) { x86_alu_imm(&j->a, X86_CMP, false, CPU_M(exit_req), 0); }

void x86_jump_cache(struct x86 *a, const uint8_t *miss)
{
	x86_rorx(a, false, RCX, x86_r(RAX), 30); /* left by 2: the index is VA<14:2>, times 16 bytes */
	x86_alu_imm(a, X86_AND, false, x86_r(RCX), JC_INDEX_MASK);
	x86_alu(a, X86_CMP, true, RAX, x86_mi(REG_CTX, RCX, 0, JC));
	x86_aim(x86_jcc(a, CC_NE), miss);
	x86_jmp_rm(a, x86_mi(REG_CTX, RCX, 0, JC + 8));
}

void emit_jump_rax(struct jit *j, unsigned btype)
{
	const uint8_t *leave = j->cache->leave[btype];

	x86_store(&j->a, true, CPU_M(pc), RAX);
	j->ended = true;
	if (j->check) { /* which chooses among entries by the dispatcher */
		jump_to_thunk(j, leave);
		return;
	}
	test_exit_req(j);
	to_thunk(j, x86_jcc(&j->a, CC_NE), leave);
	x86_jump_cache(&j->a, leave - j->cache->rx + j->cache->rw);
}

/* Leaves for the dispatcher with pc at @off of this page. */
static void leave_at(struct jit *j, unsigned off)
{
	x86_mov_imm(&j->a, RDX, off);
	jump_to_thunk(j, j->cache->leave_at);
}

void cold_leave(struct jit *j, const struct cold *d) { leave_at(j, (unsigned)d->arg); }

/* eax: which jump to aim (its end, as an offset in the cache); edx: this block, and the instruction in the page. */
static void cold_link(struct jit *j, const struct cold *d)
{
	x86_mov_imm(&j->a, RAX, (uint64_t)(d->from - j->cache->rw));
	x86_mov_imm(&j->a, RDX, (uint64_t)j->block << 10 | d->arg >> 2);
	jump_to_thunk(j, j->cache->link);
}

/* Aims the jump that ends at @end at the block at @off of this page, when there is one, or at what will do it. */
static void link_to(struct jit *j, uint8_t *end, unsigned off)
{
	const struct jit_block *b = j->check ? NULL : jit_find(j->cache, (j->pa & ~UINT64_C(4095)) | off, j->key);

	if (b)
		x86_aim(end, j->cache->rw + b->code);
	else
		cold_add(j, j->alone ? cold_leave : cold_link, end)->arg = off;
}

static bool in_page(int64_t off) { return off >= 0 && off < 4096; }

void emit_exit_test(struct jit *j, unsigned off)
{
	test_exit_req(j);
	cold_add(j, cold_leave, x86_jcc(&j->a, CC_NE))->arg = off;
}

void emit_goto(struct jit *j, int64_t off)
{
	j->ended = true;
	if (!in_page(off)) {
		emit_pc(j, RAX, off);
		emit_jump_rax(j, 0);
		return;
	}
	if (off <= j->note[j->k].off)
		emit_exit_test(j, (unsigned)off);
	link_to(j, x86_jmp(&j->a), (unsigned)off);
}

/* A branch that is taken out of line: NZCV first, which the target wants in memory. */
static void cold_branch(struct jit *j, const struct cold *d)
{
	j->k = d->k;
	j->fl = d->fl;
	if (j->note[d->k].fl_target)
		flags_to_mem(j);
	j->fl = FL_MEM;
	emit_goto(j, (int64_t)d->arg);
	j->ended = false;
}

/* A loop to the block's own start stays in line. */
static void branch_to_start(struct jit *j, enum x86_cond cc, unsigned off)
{
	uint8_t *out = x86_jcc8(&j->a, x86_not(cc));
	uint8_t *again;

	test_exit_req(j);
	again = x86_jcc(&j->a, CC_E);
	x86_aim(again, j->start);
	cold_add(j, cold_leave, x86_jmp(&j->a))->arg = off;
	x86_aim8(out, j->a.p);
}

void emit_branch(struct jit *j, enum x86_cond cc, int64_t off)
{
	const struct note *t = &j->note[j->k];
	bool flags_there = t->fl_target && j->fl != FL_MEM;

	if (off == j->note[0].off && !flags_there && !j->check)
		branch_to_start(j, cc, (unsigned)off);
	else if (in_page(off) && off > t->off && !flags_there)
		link_to(j, x86_jcc(&j->a, cc), (unsigned)off);
	else
		cold_add(j, cold_branch, x86_jcc(&j->a, cc))->arg = (uint64_t)off;
}

/* ---- SP ---- */

static void cold_misaligned(struct jit *j, const struct cold *d)
{
	j->fl = d->fl;
	if (j->note[d->k].fl_out)
		flags_to_mem(j);
	leave_at(j, j->note[d->k].off + 4u);
}

/*
 * Inside generated code SP is a multiple of 16, so that accesses need not check it. Where an instruction may have
 * changed that, the interpreter takes over.
 */
void emit_check_sp(struct jit *j)
{
	CHECK(!flags_busy(j));
	x86_test8_imm(&j->a, reg_rm(SLOT_SP), 15);
	cold_add(j, cold_misaligned, x86_jcc(&j->a, CC_NE));
}
