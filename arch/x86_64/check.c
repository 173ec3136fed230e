/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --jit-check: of blocks that are about to be executed, one in so many is first executed
 * by both engines, on copies of the registers and of the memory it touches:
 *
 *   decode -> interpret, up to what cannot be repeated -> restore -> translate just that
 *          -> execute the code -> compare -> restore, and go on as if nothing had been
 *
 * Because nothing of it is real, other vCPUs and devices neither see it nor disturb it: what
 * differs is the translator's fault (or the interpreter's). It is said with the code of both, and the
 * vCPU fails.
 *
 * The code that is checked is not the code that runs afterwards. It has the same
 * instructions, merged accesses and slow paths, but no links, and it wants NZCV at all
 * exits, as nobody knows what a look ahead has found to be dead. So that there are entries to
 * choose from, what leaves a page goes to the dispatcher while blocks are checked, and a
 * jump within a page becomes a link only when it is frequent.
 *
 * Left out are exceptions, devices, and what acts on more than registers and memory.
 * An address that is wrong by pages is one that the TLB does not have, so exec_ does that access, and
 * rightly; one that is wrong within the page is found.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/mem.h>

#include "../arm64/cpu/shadow.h"
#include "../arm64/cpu/softfp.h"
#include "../arm64/cpu/translator.h"
#include "jit.h"

/* A boot of Linux then has 20 million entries, and with one check in 16 of them takes 8 seconds. */
enum { LINK_AFTER = 1024 };

/* What instructions that are not left out can change of a cpu. */
struct state {
	uint64_t x[SLOT_ZERO + 1], pc, sp_el[2], sys[SYS_COUNT], icount;
	uint32_t nzcv, daif, fpcr, fpsr;
	uint8_t el, spsel, pan, ssbs, dit, il, ss, btype;
	__typeof__(((struct cpu *)0)->excl) excl;
	union vreg v[32];
};

struct check {
	unsigned every, left; /* entries until the next check */
	struct shadow *shadow;
	struct state before, interpreted, translated;
	uint8_t *hot_end;
};

struct check *check_create(unsigned every)
{
	struct check *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->every = k->left = every;
	k->shadow = shadow_create();
	if (!k->shadow) {
		free(k);
		return NULL;
	}
	return k;
}

void check_destroy(struct check *k)
{
	if (!k)
		return;
	shadow_destroy(k->shadow);
	free(k);
}

bool check_has_seen(struct jit_block *b)
{
	if (b->linked < LINK_AFTER)
		b->linked++;
	return b->linked == LINK_AFTER;
}

/* ---- Registers ---- */

#define SCALARS(do)                                                                                              \
	do                                                                                                       \
	(pc) do(icount) do(nzcv) do(daif) do(fpcr) do(fpsr) do(el) do(spsel) do(pan) do(ssbs) do(dit) do(il) do( \
		ss) do(btype) do(excl)

static void save(struct state *s, const struct cpu *c)
{
#define SAVE(field) s->field = c->field;
	SCALARS(SAVE)
#undef SAVE
	memcpy(s->x, c->x, sizeof(s->x));
	memcpy(s->sp_el, c->sp_el, sizeof(s->sp_el));
	memcpy(s->sys, c->sys, sizeof(s->sys));
	for (unsigned n = 0; n < 32; n++)
		memcpy(&s->v[n], c->z[n], sizeof(s->v[n]));
}

static void restore(struct cpu *c, const struct state *s)
{
#define RESTORE(field) c->field = s->field;
	SCALARS(RESTORE)
#undef RESTORE
	memcpy(c->x, s->x, sizeof(s->x));
	memcpy(c->sp_el, s->sp_el, sizeof(s->sp_el));
	memcpy(c->sys, s->sys, sizeof(s->sys));
	for (unsigned n = 0; n < 32; n++)
		memcpy(c->z[n], &s->v[n], sizeof(s->v[n]));
}

/* The host's FP state as it is before instructions are executed in state @s: no flags collected. */
static void go_back(struct cpu *c, const struct state *s)
{
	restore(c, s);
	translator()->fp_enter(c);
}

/* ---- The interpreter's turn ---- */

static bool reads_plainly(uint32_t word)
{
	unsigned reg;
	const struct reg_row *row = sysreg_find(word, &reg);

	return row && (row->read == sys_read || row->read == sys_read_nzcv || row->read == sys_read_daif ||
		       row->read == sys_read_currentel || row->read == sys_read_sp_el0 ||
		       row->read == sys_read_fpcr || row->read == sys_read_fpsr);
}

static bool writes_plainly(uint32_t word)
{
	unsigned reg;
	const struct reg_row *row = sysreg_find(word, &reg);

	return row && row->scope == HV_SCOPE_VCPU &&
	       (row->write == sys_write || row->write == sys_write_nzcv || row->write == sys_write_daif ||
		row->write == sys_write_sp_el0 || row->write == sys_write_fpsr);
}

static bool is_sys(const struct insn *i) { return a64_rows[i->op].flags & F_SYS; }

/* Does it, as far as its word says, act only on registers and memory? */
static bool repeatable(const struct cpu *c, const struct insn *i)
{
	if (i->op == OP_COUNT || i->exec != a64_rows[i->op].exec || i->exec == exec_undefined || i->exec == exec_brk)
		return false;
	switch (i->op) {
	case OP_MRS: return reads_plainly(i->word);
	case OP_MSR_reg: return writes_plainly(i->word);
	case OP_DSB: return !c->dsb_pending;
	case OP_MSR_DAIFSet:
	case OP_MSR_DAIFClr:
	case OP_SYS_DC: return true;
	}
	return !is_sys(i);
}

/* Executes @i. False: it did nothing that can be repeated, and the state is as before. */
static bool interpret_one(struct cpu *c, const struct insn *i, enum exec *r)
{
	uint64_t pc = c->pc;
	struct state s;

	if (!repeatable(c, i))
		return false;
	if (is_sys(i))
		save(&s, c);
	*r = i->exec(c, i);
	if (*r == EXEC_NEXT)
		c->pc += 4;
	if (!is_sys(i))
		return !shadow_has_refused(c->shadow);
	if (c->pc == pc + 4 && !shadow_has_refused(c->shadow))
		return true;
	restore(c, &s); /* an exception for other reasons than memory */
	return false;
}

/* How many instructions of the block were executed. What comes behind them is cut off where translated code need not
 * end. */
static unsigned interpret(struct cpu *c, struct jit *j)
{
	uint64_t page = c->pc & ~UINT64_C(4095);
	uint32_t key = jit_key(c, false);
	unsigned n = 0;
	enum exec r;

	while (n < j->n) {
		const struct insn *i = &j->insn[n];

		if (!interpret_one(c, i, &r))
			break;
		n++;
		if (r == EXEC_JUMP && (a64_rows[i->op].flags & F_COND))
			return n;
		if (n < j->n && c->pc != (page | j->note[n].off))
			break;
		if ((r == EXEC_JUMP && i->op != OP_B) || jit_key(c, false) != key || (c->x[SLOT_SP] & 15))
			break;
	}
	j->n = n;
	return n;
}

/* ---- The translator's turn ---- */

/* False: there was no room for all of the block. */
static bool translate(struct jit *j, const uint32_t *words, struct check *k)
{
	unsigned n = j->n;

	k->hot_end = jit_emit_alone(j, words);
	return j->n == n;
}

static void execute(struct cpu *c)
{
	struct jit_cache *t = c->jit->cache;
	jit_enter_fn *enter;

	memcpy(&enter, &t->enter, sizeof(enter));
	enter(c, t->rx + (t->hot - t->rw));
	translator()->fp_sync(c);
}

/* ---- Comparing ---- */

/* Fields of struct state, with names for @count of them in a row; no name: that of a row of regs.def. */
static const struct field {
	const char *name;
	size_t at, bytes, stride;
	unsigned count;
} fields[] = {
#define ONE(field) #field, offsetof(struct state, field), sizeof(((struct state *)0)->field), 0, 1
	{ ONE(pc) },
	{ "x", offsetof(struct state, x), 8, 8, 31 },
	{ "sp", offsetof(struct state, x[SLOT_SP]), 8, 0, 1 },
	{ "the zero register", offsetof(struct state, x[SLOT_ZERO]), 8, 0, 1 },
	{ ONE(nzcv) },
	{ "lower half of v", offsetof(struct state, v), 8, sizeof(union vreg), 32 },
	{ "upper half of v", offsetof(struct state, v) + 8, 8, sizeof(union vreg), 32 },
	{ ONE(fpsr) },
	{ ONE(fpcr) },
	{ ONE(daif) },
	{ ONE(el) },
	{ ONE(spsel) },
	{ ONE(pan) },
	{ ONE(ssbs) },
	{ ONE(dit) },
	{ ONE(il) },
	{ ONE(ss) },
	{ ONE(btype) },
	{ "sp_el", offsetof(struct state, sp_el), 8, 8, 2 },
	{ "monitored bytes", offsetof(struct state, excl.size), 1, 0, 1 },
	{ "monitored host address", offsetof(struct state, excl.host), 8, 0, 1 },
	{ "monitored value ", offsetof(struct state, excl.value), 8, 8, 2 },
	{ NULL, offsetof(struct state, sys), 8, 8, SYS_COUNT },
#undef ONE
};

static uint64_t value_of(const struct state *s, const struct field *f, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, (const uint8_t *)s + f->at + n * f->stride, f->bytes);
	return v;
}

static void say_values(const struct cpu *c, const char *what, const char *number, uint64_t interpreted,
		       uint64_t translated)
{
	log_msg(LOG_ERR, "vcpu %u:   %s%s is 0x%llx after the interpreter, 0x%llx after translated code", c->id, what,
		number, (unsigned long long)interpreted, (unsigned long long)translated);
}

static void say_register(const struct cpu *c, const struct field *f, unsigned n, uint64_t interpreted,
			 uint64_t translated)
{
	char number[12] = "";

	if (f->name && f->count > 1)
		snprintf(number, sizeof(number), "%u", n);
	say_values(c, f->name ? f->name : reg_rows[n].name, number, interpreted, translated);
}

static void say_registers(const struct cpu *c, const struct check *k)
{
	for (const struct field *f = fields; f < fields + ARRAY_SIZE(fields); f++)
		for (unsigned n = 0; n < f->count; n++) {
			uint64_t v[2] = { value_of(&k->interpreted, f, n), value_of(&k->translated, f, n) };

			if (v[0] != v[1])
				say_register(c, f, n, v[0], v[1]);
		}
}

/* What is not to be compared becomes the same. */
static void level(struct cpu *c, struct state *s)
{
	s->pc = cpu_branch_address(c, s->pc); /* the dispatcher does it for exec_ or for translated code */
	s->icount = 0;
	if (!c->jit->fp_strict)
		s->fpsr &= ~(FPSR_UFC | FPSR_IXC | FPSR_IDC); /* as the host's CPU has it */
	if (!s->excl.size)
		memset(&s->excl, 0, sizeof(s->excl));
}

static bool same_registers(const struct check *k)
{
	for (const struct field *f = fields; f < fields + ARRAY_SIZE(fields); f++)
		for (unsigned n = 0; n < f->count; n++)
			if (value_of(&k->interpreted, f, n) != value_of(&k->translated, f, n))
				return false;
	return true;
}

/* ---- The report ---- */

enum { TEXT_BYTES = 160 };

static void say_host_code(const struct cpu *c, const uint8_t *p, const uint8_t *end)
{
	const struct jit_cache *t = c->jit->cache;

	while (p < end) {
		uint64_t address = (uintptr_t)(t->rx + (p - t->rw));
		char text[TEXT_BYTES] = "";
		size_t bytes = disas_host(p, end, address, text, sizeof(text));

		log_msg(LOG_ERR, "vcpu %u:       %llx %s", c->id, (unsigned long long)address, text);
		p += bytes;
	}
}

static void say_code(const struct cpu *c, const struct check *k)
{
	const struct jit *j = c->jit;
	const uint8_t *p = j->cache->hot;

	for (unsigned n = 0; n < j->n; n++) {
		char text[TEXT_BYTES] = "";

		say_host_code(c, p, j->at[n]);
		p = j->at[n];
		cpu_disas(j->insn[n].word, gva((k->before.pc & ~UINT64_C(4095)) | j->note[n].off), text,
			  sizeof(text));
		log_msg(LOG_ERR, "vcpu %u:   %s", c->id, text);
	}
	say_host_code(c, p, k->hot_end);
	log_msg(LOG_ERR, "vcpu %u:   out of line", c->id);
	say_host_code(c, j->cache->cold, j->a.p);
}

static void say_memory(const struct cpu *c, const struct check *k)
{
	const struct mem_region *r;
	const uint8_t *host;
	char address[24];
	uint64_t v[2];
	unsigned count;

	host = shadow_difference(k->shadow, v);
	r = mem_regions(c->soc->env.mem, &count);
	for (; host && count; r++, count--) {
		if ((uintptr_t)host - (uintptr_t)r->host >= r->bytes)
			continue;
		snprintf(address, sizeof(address), "0x%llx",
			 (unsigned long long)(r->base.v + (uint64_t)(host - r->host)));
		say_values(c, "memory at physical ", address, v[0], v[1]);
	}
}

static enum exec report(struct cpu *c, const struct check *k, unsigned interpreted, bool refused)
{
	log_msg(LOG_ERR,
		"vcpu %u: --jit-check: %u instructions from 0x%llx are not what the translator made of them:", c->id,
		interpreted, (unsigned long long)k->before.pc);
	say_registers(c, k);
	say_memory(c, k);
	if (refused)
		log_msg(LOG_ERR, "vcpu %u:   translated code accesses what the interpreter does not", c->id);
	say_code(c, k);
	c->exit->reason = HV_EXIT_FAIL;
	c->exit->fail.err = -EIO;
	snprintf(c->exit->fail.text, sizeof(c->exit->fail.text), "--jit-check: translated code is wrong at 0x%llx",
		 (unsigned long long)k->before.pc);
	return EXEC_LEAVE;
}

/* ---- One check ---- */

/* Both turns, from the state that is k->before. False: nothing was compared. */
static bool both_turns(struct cpu *c, struct check *k, const uint32_t *words, unsigned *interpreted, bool *refused)
{
	shadow_begin(c, k->shadow, SHADOW_FIRST);
	*interpreted = interpret(c, c->jit);
	shadow_end(c);
	save(&k->interpreted, c);
	go_back(c, &k->before);
	if (!*interpreted || !translate(c->jit, words, k))
		return false;
	shadow_begin(c, k->shadow, SHADOW_SECOND);
	execute(c);
	*refused = !shadow_end(c);
	save(&k->translated, c);
	go_back(c, &k->before);
	level(c, &k->interpreted);
	level(c, &k->translated);
	return true;
}

/* With watchpoints or software step, or behind a store into code, blocks end and accesses fail where they do not
 * otherwise. */
static bool is_exceptional(const struct cpu *c)
{
	return c->code_stored || c->watch_count || (c->sys[SYS_MDSCR_EL1] & (MDSCR_SS | MDSCR_MDE));
}

enum exec check_entry(struct cpu *c)
{
	struct jit *j = c->jit;
	struct check *k = j->check;
	unsigned emptied = j->cache->emptied, interpreted;
	const uint32_t *words;
	bool guarded, refused;
	uint64_t pa;

	if (k->left > 1 || is_exceptional(c)) {
		k->left -= k->left > 1;
		return EXEC_NEXT;
	}
	k->left = k->every;
	words = mmu_fetch(c, c->pc, &pa, &guarded);
	if (!words)
		return EXEC_JUMP;
	translator()->fp_sync(c);
	save(&k->before, c);
	jit_decode(j, pa, words, jit_key(c, guarded));
	if (both_turns(c, k, words, &interpreted, &refused) &&
	    (refused || !same_registers(k) || shadow_difference(k->shadow, (uint64_t[2]){ 0 })))
		return report(c, k, interpreted, refused);
	return j->cache->emptied == emptied ? EXEC_NEXT : EXEC_JUMP;
}
