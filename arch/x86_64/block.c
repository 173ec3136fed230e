/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From words to a block, in passes over one array of instructions:
 *
 *   decode()    up to 64 instructions of one page: behind branches that may not be
 *               taken, and along branches forward that are
 *   liveness()  where NZCV is wanted; at the edges a look at what comes next in the page
 *   merge()     accesses around one base register that one TLB check is enough for
 *   emit()      code, hot first, then what is rarely needed
 *
 * Nothing here outlives the block: there is no intermediate language, and guest
 * registers are at the same place between all instructions.
 */
#include <vmm/err.h>
#include <vmm/loop.h>

#include "jit.h"

enum { SIDE_EXITS_MAX = 4, PEEK_MAX = 16, GROUP_SPAN_MAX = 256, PAGE_MASK = 4095 };

static const uint32_t *page_of(uint64_t pa, const uint32_t *words) { return words - (pa & PAGE_MASK) / 4; }

static const uint32_t *word_at(const uint32_t *page, unsigned off) { return page + off / 4; }

/* Another cpu may be writing these words: old or new is both right until it has done IC. */
__attribute__((no_sanitize("thread"))) static uint32_t fetch(const uint32_t *page, unsigned off)
{
	return *(const volatile uint32_t *)word_at(page, off);
}

/* ---- Rows ---- */

static emit_fn *const emitters[OP_COUNT] = {
#define A64(name, bits, regs, opnd, flags, feat, exec, emit) [OP_##name] = emit,
#include "../arm64/cpu/a64.def"
};

/* ---- Decoding ---- */

static bool is_conditional(const struct insn *i) { return (row_flags(i) & (F_ENDS | F_COND)) == (F_ENDS | F_COND); }

/* Does decoding go on behind instruction i at *off, and where? */
static bool goes_on(const struct insn *i, unsigned *off, unsigned *side_exits)
{
	bool forward = i->op == OP_B && i->imm > 0;

	*off += forward ? (unsigned)i->imm : 4;
	if (*off > PAGE_MASK)
		return false;
	if (is_conditional(i))
		return ++*side_exits <= SIDE_EXITS_MAX;
	return forward || !(row_flags(i) & F_ENDS);
}

static void decode(struct jit *j, const uint32_t *page)
{
	unsigned off = j->pa & PAGE_MASK, side_exits = 0;
	struct insn *i;

	j->n = 0;
	do {
		i = &j->insn[j->n];
		a64_decode(fetch(page, off), j->c->soc->features, j->key & KEY_FP_TRAP, i);
		j->note[j->n] = (struct note){ .off = (uint16_t)off };
		j->n++;
	} while (goes_on(i, &off, &side_exits) && j->n < BLOCK_INSNS_MAX);
}

/* ---- Where NZCV is wanted ---- */

/* Is NZCV wanted at @off of the page, as far as a short look tells? */
static bool peek(const uint32_t *page, int64_t off, unsigned *left)
{
	while (off >= 0 && off <= PAGE_MASK && (*left)-- > 0) {
		uint32_t word = fetch(page, (unsigned)off);
		const struct a64_row *row = a64_find(word);
		struct insn i = { .imm = 0 };

		if (!row || uses_flags(row->flags))
			return true;
		if (row->flags & F_SETS)
			return false;
		if (row->flags & F_ENDS) {
			row->opnd(word, &i);
			if (row->flags & F_COND) {
				if (peek(page, off + i.imm, left))
					return true;
			} else if (row == &a64_rows[OP_B]) {
				off += i.imm;
				continue;
			} else {
				return true;
			}
		}
		off += 4;
	}
	return true;
}

static bool wanted_at(const struct jit *j, const uint32_t *page, int64_t off)
{
	unsigned left = PEEK_MAX;

	return j->alone || peek(page, off, &left);
}

/* Behind the last instruction. */
static bool wanted_at_end(const struct jit *j, const uint32_t *page)
{
	const struct insn *last = &j->insn[j->n - 1];
	unsigned off = j->note[j->n - 1].off;

	if (last->op == OP_B || last->op == OP_BL)
		return wanted_at(j, page, off + last->imm);
	return (row_flags(last) & F_ENDS && !is_conditional(last)) || wanted_at(j, page, off + 4);
}

static void liveness(struct jit *j, const uint32_t *page)
{
	bool wanted = wanted_at_end(j, page);

	for (unsigned k = j->n; k-- > 0;) {
		const struct insn *i = &j->insn[k];
		unsigned flags = row_flags(i);

		j->note[k].fl_out = wanted;
		if (is_conditional(i)) {
			j->note[k].fl_target = wanted_at(j, page, j->note[k].off + i->imm);
			wanted |= j->note[k].fl_target;
			if (i->op == OP_B_cond && i->a >= 14) /* AL: nothing is behind it */
				j->note[k].fl_out = j->note[k].fl_target;
		}
		wanted = uses_flags(flags) || (wanted && !(flags & F_SETS));
	}
}

/* ---- One check for several accesses ---- */

/* A load or store at base register + constant. */
struct access {
	int64_t lo;
	unsigned bytes;
	bool write;
	int64_t step; /* by which it changes its base */
};

/*
 * What the word of a TRAIT_ACCESS says about its address. False: a load into the base that it writes back, which
 * is exec_'s.
 */
static bool access_of(const struct insn *i, struct access *a)
{
	uint32_t w = i->word;
	bool vector = bit(w, 26), pair = (w & 0x3a000000) == 0x28000000;
	unsigned mode = (unsigned)(pair ? bits(w, 24, 23) : bit(w, 24) ? 0 : bits(w, 11, 10));
	unsigned scale;

	scale = pair ? 2 + (unsigned)(vector ? bits(w, 31, 30) : bit(w, 31))
		     : (unsigned)(vector && bit(w, 23) ? 4 : bits(w, 31, 30));
	a->bytes = 1u << scale << pair;
	a->write = row_flags(i) & F_STORE;
	a->lo = mode == 1 ? 0 : i->imm;
	a->step = mode & 1 ? i->imm : 0;
	return !(mode & 1) || a->write || vector || (i->rd != i->rn && !(pair && i->ra == i->rn));
}

/*
 * Instructions that may stand between the members: their code calls nobody (but to write SP in
 * some forms) and, while
 * EFLAGS are not busy, keeps rcx. None sets NZCV, so that it is in one place behind the
 * group, whichever way that went.
 */
static emit_fn *const between[] = {
	emit_nop,     emit_mov_imm,   emit_mov_reg,   emit_movk,     emit_add_imm, emit_add_reg,
	emit_add_ext, emit_logic_imm, emit_logic_reg, emit_bitfield, emit_extr,    emit_madd,
	emit_maddl,   emit_smulh,     emit_rev,       emit_rev32,    emit_clz,     emit_csel,
};

enum {
	TRAIT_ACCESS = 1 << 0, /* LDR, STR and pairs at base + immediate */
	TRAIT_BETWEEN = 1 << 1,
};

static unsigned traits_of_row(unsigned op)
{
	unsigned traits = emitters[op] == emit_ldst_imm || emitters[op] == emit_ldst_pair ? TRAIT_ACCESS : 0;

	for (unsigned n = 0; n < ARRAY_SIZE(between); n++)
		if (emitters[op] == between[n])
			traits |= TRAIT_BETWEEN;
	return traits;
}

void jit_set_traits(struct jit *j)
{
	for (unsigned op = 0; op < OP_COUNT; op++)
		j->traits[op] = (uint8_t)traits_of_row(op);
}

static bool writes_slot(const struct insn *i, unsigned slot)
{
	uint32_t regs = a64_rows[i->op].regs;

	return ((regs & (D_XW | D_SPW)) && i->rd == slot) || ((regs & A_XW) && i->ra == slot) ||
	       ((regs & M_XW) && i->rm == slot);
}

static bool may_stand_between(const struct jit *j, const struct insn *i)
{
	return (j->traits[i->op] & TRAIT_BETWEEN) &&
	       (!writes_slot(i, SLOT_SP) || i->op == OP_ADD_imm_x || i->op == OP_SUB_imm_x);
}

struct span {
	int64_t lo, hi;
	bool write;
	unsigned count, last;
	uint64_t members;
};

static bool widen(struct span *s, const struct access *a, int64_t moved)
{
	int64_t lo = moved + a->lo < s->lo ? moved + a->lo : s->lo;
	int64_t hi = moved + a->lo + (int64_t)a->bytes > s->hi ? moved + a->lo + (int64_t)a->bytes : s->hi;

	if (hi - lo > GROUP_SPAN_MAX)
		return false;
	s->lo = lo;
	s->hi = hi;
	s->write |= a->write;
	return true;
}

/* By how much ADD or SUB (immediate) moves its own register. */
static bool moves_itself(const struct insn *i, int64_t *by)
{
	if (i->rd != i->rn || (i->op != OP_ADD_imm_x && i->op != OP_SUB_imm_x))
		return false;
	*by = i->op == OP_ADD_imm_x ? i->imm : -i->imm;
	return true;
}

/* The group that begins with access @a of instruction @first. */
static struct span gather(const struct jit *j, unsigned first, const struct access *a)
{
	struct span s = {
		.lo = a->lo, .hi = a->lo + (int64_t)a->bytes, .write = a->write, .count = 1, .last = first
	};
	unsigned base = j->insn[first].rn;
	int64_t moved = a->step, by;
	struct access b;

	if (!a->step && writes_slot(&j->insn[first], base))
		return s;
	for (unsigned k = first + 1; k < j->n; k++) {
		const struct insn *i = &j->insn[k];

		/* A copy of the group must not contain joints of the superblock. */
		if (j->note[k].off != j->note[k - 1].off + 4)
			break;
		if (j->traits[i->op] & TRAIT_ACCESS) {
			if (i->rn != base || !access_of(i, &b) || !widen(&s, &b, moved))
				break;
			moved += b.step;
			s.count++;
			s.last = k;
			s.members |= UINT64_C(1) << k;
			if (!b.step && writes_slot(i, base))
				break;
		} else if (!may_stand_between(j, i)) {
			break;
		} else if (writes_slot(i, base)) {
			if (!moves_itself(i, &by))
				break;
			moved += by;
		}
	}
	return s;
}

static void merge(struct jit *j)
{
	for (unsigned k = 0; k < j->n; k++) {
		struct note *t = &j->note[k];
		struct access a;
		struct span s;

		if (!(j->traits[j->insn[k].op] & TRAIT_ACCESS) || !access_of(&j->insn[k], &a))
			continue;
		s = gather(j, k, &a);
		if (s.count < 2)
			continue;
		t->group = GROUP_LEADER;
		t->group_last = (uint8_t)s.last;
		t->group_lo = (int32_t)s.lo;
		t->group_bytes = (uint16_t)(s.hi - s.lo);
		t->group_write = s.write;
		for (unsigned m = k + 1; m <= s.last; m++)
			if (s.members >> m & 1)
				j->note[m].group = GROUP_MEMBER;
		k = s.last;
	}
}

/* ---- Emission ---- */

emit_fn *emit_of(const struct insn *i) { return i->op == OP_COUNT ? emit_none : emitters[i->op]; }

/* One more instruction; EFLAGS and what a group keeps in rcx stay. */
static void emit_count(struct jit *j)
{
	const uint8_t *from = j->a.p;

	x86_mov(&j->a, true, RAX, CPU_M(icount));
	x86_lea(&j->a, true, RAX, x86_m(RAX, 1));
	x86_store(&j->a, true, CPU_M(icount), RAX);
	j->cost.bytes -= (uint64_t)(j->a.p - from); /* nobody else's blocks have it */
}

void emit_insn(struct jit *j)
{
	const struct insn *i = &j->insn[j->k];
	bool trapped = i->op != OP_COUNT && (a64_rows[i->op].flags & F_FP) && (j->key & KEY_FP_TRAP);
	unsigned first = j->cold_count;

	/* The leader of a group whose common check fails has been counted before that. */
	if (j->count && !(j->unmerged && j->note[j->k].group == GROUP_LEADER))
		emit_count(j);
	if (trapped || !emit_of(i)(j, i))
		emit_exec(j, i);
	slow_back(j, first);
	if (!j->note[j->k].fl_out)
		j->fl = FL_MEM;
}

/* The BTYPE that instruction @word does not accept in a guarded page, of those that are not 0; 0: all, 4: none. */
static unsigned refused_btype(uint32_t word)
{
	switch (word) {
	case 0xd503245f: /* BTI c */
	case 0xd503233f: /* PACIASP, PACIBSP: with SCTLR_EL1.BTn, which the dispatcher looks at */
	case 0xd503237f: return 3;
	case 0xd503249f: return 2; /* BTI j */
	case 0xd50324df: return 4; /* BTI jc */
	}
	return 0;
}

/* An indirect branch may have left BTYPE: only the first instruction sees it. What is refused is the dispatcher's. */
static void emit_landing(struct jit *j)
{
	unsigned refused = refused_btype(j->insn[0].word);

	if (!(j->key & KEY_BTI))
		return;
	if ((j->key & KEY_GUARDED) && refused < 4) {
		x86_cmp8_imm(&j->a, CPU_M(btype), refused);
		cold_add(j, cold_leave, x86_jcc(&j->a, refused ? CC_E : CC_NE))->arg = j->note[0].off;
		if (!refused)
			return;
	}
	x86_store_imm8(&j->a, CPU_M(btype), 0);
}

static bool has_room(const struct jit *j)
{
	return j->a.p - j->start < JIT_HOT_ROOM / 2 && j->cold_count < COLD_MAX / 2;
}

static void emit_hot(struct jit *j)
{
	unsigned whole = 0;
	bool cut;

	emit_landing(j);
	for (j->k = 0; j->k < j->n && !j->ended; j->k++) {
		/* A group is not cut: its copy goes on behind the last member. */
		if (!has_room(j) && j->k >= whole)
			break;
		if (j->note[j->k].group == GROUP_LEADER)
			whole = j->note[j->k].group_last + 1u;
		j->at[j->k] = j->a.p;
		emit_insn(j);
	}
	j->at[j->k] = j->a.p;
	if (j->ended)
		return;
	cut = j->k < j->n;
	j->n = j->k--;
	if (j->note[j->k].fl_out)
		flags_to_mem(j);
	/* When it was cut the rest is a block of its own, which may be somewhere else. */
	emit_goto(j, cut ? j->note[j->n].off : j->note[j->k].off + 4);
}

static void emit_cold(struct jit *j)
{
	for (unsigned n = 0; n < j->cold_count; n++) {
		struct cold *d = &j->cold[n];

		x86_aim(d->from, j->a.p);
		d->emit(j, d);
	}
}

/* Into the free room; returns the end of the hot code. */
static uint8_t *emit(struct jit *j)
{
	struct jit_cache *t = j->cache;
	uint8_t *hot;

	j->block = t->block;
	j->start = j->a.p = t->hot;
	j->fl = FL_MEM;
	j->cold_count = 0;
	j->ended = j->unmerged = false;
	merge(j);
	emit_hot(j);
	hot = j->a.p;
	j->a.p = t->cold;
	emit_cold(j);
	CHECK(hot <= t->hot_end && j->a.p <= t->cold_end);
	return hot;
}

void jit_decode(struct jit *j, uint64_t pa, const uint32_t *words, uint32_t key)
{
	jit_make_room(j->c, j->cache);
	j->pa = pa;
	j->key = key;
	decode(j, page_of(pa, words));
}

uint8_t *jit_emit_alone(struct jit *j, const uint32_t *words)
{
	bool count = j->count;
	uint8_t *hot;

	j->alone = true;
	j->count = false;
	liveness(j, page_of(j->pa, words));
	hot = emit(j);
	j->alone = false;
	j->count = count;
	return hot;
}

struct jit_block *jit_translate(struct cpu *c, uint64_t pa, const uint32_t *words, uint32_t key)
{
	struct jit *j = c->jit;
	struct jit_block b = { .pa = pa, .key = key };
	uint64_t since = j->count ? loop_now_ns() : 0;
	uint8_t *hot;

	do {
		smc_executed(c, pa);
		jit_decode(j, pa, words, key);
		liveness(j, page_of(pa, words));
	} while (!smc_keeps(c, pa));
	hot = emit(j);
	b.insns = (uint16_t)j->n;
	if (j->count) {
		j->cost.insns += j->n;
		j->cost.bytes += (uint64_t)(hot - j->start + (j->a.p - j->cache->cold));
		j->cost.ns += loop_now_ns() - since;
	}
	return jit_publish(j->cache, &b, hot, j->a.p);
}
