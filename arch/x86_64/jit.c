/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The translator as arch/arm64/cpu/run.c sees it, and what generated code calls.
 */
#include <cpuid.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/mem.h>
#include <vmm/text.h>
#include <xmmintrin.h>

#include "../arm64/cpu/softfp.h"
#include "../arm64/cpu/translator.h"
#include "jit.h"

/* ---- Identity of translations ---- */

uint32_t jit_key(const struct cpu *c, bool guarded)
{
	return (c->el ? KEY_EL1 : 0) | (c->fp_trapped ? KEY_FP_TRAP : 0) | (c->guarded_seen ? KEY_BTI : 0) |
	       (guarded ? KEY_GUARDED : 0) | (c->fpcr >> 19 & 0xff) << KEY_FPCR_SHIFT;
}

/*
 * FZ: the host does not say that it flushed an operand (IDC), calls a flushed result inexact, and decides after
 * rounding what is to be flushed.
 */
bool fp_native(const struct jit *j)
{
	uint32_t fpcr = (j->key >> KEY_FPCR_SHIFT & 0xff) << 19;

	return !j->fp_strict && !(fpcr & FPCR_AHP);
}

/* ---- MXCSR ---- */

#define MXCSR_HOST  0x1f80u /* all exceptions masked, to nearest */
#define MXCSR_FLAGS 0x3fu
#define MXCSR_DAZ   (1u << 6)  /* operands that are denormal count as zero */
#define MXCSR_FTZ   (1u << 15) /* results that would be are zero */

/* Rounding modes by FPCR.RMode: nearest, plus, minus, zero; in MXCSR 14:13 nearest, minus, plus, zero. */
static uint32_t guest_mxcsr(uint32_t fpcr)
{
	static const uint8_t rounding[4] = { 0, 2, 1, 3 };

	return MXCSR_HOST | (uint32_t)rounding[fpcr >> 22 & 3] << 13 | (fpcr & FPCR_FZ ? MXCSR_FTZ | MXCSR_DAZ : 0);
}

/* IE, ZE, OE, UE, PE of MXCSR are IOC, DZC, OFC, UFC, IXC of FPSR. DE, which DAZ turns off, has no counterpart. */
static void fold_flags(struct cpu *c, uint32_t mxcsr) { c->fpsr |= (mxcsr & 1) | (mxcsr >> 1 & 0x1e); }

static void x86_fp_sync(struct cpu *c)
{
	uint32_t now = _mm_getcsr();

	if (!(now & MXCSR_FLAGS))
		return;
	fold_flags(c, now);
	_mm_setcsr(now & ~MXCSR_FLAGS);
}

static void x86_fp_enter(struct cpu *c) { _mm_setcsr(guest_mxcsr(c->fpcr)); }

static void x86_fp_leave(struct cpu *c)
{
	x86_fp_sync(c);
	_mm_setcsr(MXCSR_HOST);
}

/* ---- Called by generated code ---- */

static uint32_t nzcv_of_raw(uint32_t raw, bool borrow)
{
	bool cf = raw >> 8 & 1;

	return make_nzcv(raw >> 15 & 1, raw >> 14 & 1, cf != borrow, raw & 1);
}

/* Is the dispatcher not wanted before the instruction at pc? */
static bool nothing_to_attend(const struct cpu *c)
{
	return !(atomic_load_explicit(&c->exit_req, memory_order_relaxed) | c->btype | (c->x[SLOT_SP] & 15));
}

/* The same few words come again and again. What they decode to also depends on whether FP is trapped. */
static const struct insn *decoded(struct cpu *c, uint32_t word)
{
	struct insn *i = &c->jit->cache->decoded[(word ^ word >> 10 ^ word >> 20) & (JIT_DECODED - 1)];

	if (i->word != word || !i->exec || i->fp_trapped != c->fp_trapped) {
		a64_decode(word, c->soc->features, c->fp_trapped, i);
		i->fp_trapped = c->fp_trapped;
	}
	return i;
}

unsigned jit_slow(struct cpu *c, uint32_t word, uint32_t where)
{
	uint32_t key = jit_key(c, false);
	const struct insn *i = decoded(c, word);
	enum exec r;

	if (where & (SLOW_RAW_SUB | SLOW_RAW_ADD))
		c->nzcv = nzcv_of_raw(c->jit_raw, where & SLOW_RAW_SUB);
	c->pc = (c->pc & ~UINT64_C(4095)) | (where & 4095);
	if (c->jit->count)
		c->jit->exec_counts[i->op]++;
	r = i->exec(c, i);
	if (r == EXEC_LEAVE)
		return LEFT_EXIT;
	if (r == EXEC_JUMP)
		return !c->jit->check && nothing_to_attend(c) ? SLOW_JUMP : LEFT_JUMP;
	if (jit_key(c, false) == key && !(c->x[SLOT_SP] & 15) && !c->code_stored)
		return SLOW_DONE;
	c->code_stored = false;
	c->pc += 4;
	return LEFT_JUMP;
}

/* ---- Running ---- */

static const uint32_t *words_at(struct cpu *c, uint64_t pa) { return mem_ptr(c->soc->env.mem, gpa(pa), 4); }

static struct jit_block *find_or_translate(struct cpu *c, uint64_t pa, const uint32_t *words, uint32_t key)
{
	struct jit_cache *t = c->jit->cache;
	struct jit_block *b = jit_find(t, pa, key);

	if (b || !jit_is_warm(t, pa))
		return b;
	return jit_translate(c, pa, words, key);
}

static void *entry_of(const struct jit_cache *t, const struct jit_block *b) { return b ? t->rx + b->code : NULL; }

static void *x86_code(struct cpu *c, uint64_t pa, const uint32_t *words, bool guarded)
{
	return entry_of(c->jit->cache, find_or_translate(c, pa, words, jit_key(c, guarded)));
}

/*
 * A jump within a page found no target: pc goes there, and if there is code by now, it
 * becomes the target. Returns where to go on, or NULL: by way of the dispatcher.
 */
static void *resolve_link(struct cpu *c)
{
	struct jit_cache *t = c->jit->cache;
	uint64_t off = c->jit_link[1] << 2 & 4095, pa;
	struct jit_block *from = &t->blocks[c->jit_link[1] >> 10], *to;
	unsigned emptied = t->emptied;

	c->pc = (c->pc & ~UINT64_C(4095)) | off;
	if (!from->live)
		return NULL;
	pa = (from->pa & ~UINT64_C(4095)) | off;
	to = find_or_translate(c, pa, words_at(c, pa), from->key);
	if (to && t->emptied == emptied /* the jump is still there */ && (!c->jit->check || check_has_seen(to)))
		x86_aim(t->rw + c->jit_link[0], t->rw + to->code);
	return entry_of(t, to);
}

static enum exec x86_run(struct cpu *c, const void *code)
{
	struct jit_cache *t = c->jit->cache;
	jit_enter_fn *enter;

	memcpy(&enter, &t->enter, sizeof(enter));
	while (code) {
		enum exec r = c->jit->check ? check_entry(c) : EXEC_NEXT;

		if (r != EXEC_NEXT)
			return r;
		switch ((enum jit_left)enter(c, code)) {
		case LEFT_JUMP: return EXEC_JUMP;
		case LEFT_EXIT: return EXEC_LEAVE;
		case LEFT_LINK: code = resolve_link(c); break;
		case LEFT_DEAD: jc_clear(c->ctx, c->pc >> 2 & (JC_ENTRIES - 1)); return EXEC_JUMP;
		}
	}
	return EXEC_JUMP;
}

static const uint64_t *x86_exec_counts(const struct cpu *c) { return c->jit->exec_counts; }

static struct translator_cost x86_cost(const struct cpu *c) { return c->jit->cost; }

static void x86_invalidate_page(struct cpu *c, uint64_t pa) { jit_kill_page(c->jit->cache, pa); }

static void x86_invalidate_all(struct cpu *c) { jit_kill_all(c->jit->cache); }

/* ---- Life ---- */

static bool cpuid_ecx(unsigned leaf, unsigned n)
{
	unsigned a, b, c = 0, d;

	return __get_cpuid(leaf, &a, &b, &c, &d) && bit(c, n);
}

/* x86-64-v3, as far as it is used. Of AVX the compiler's answer, which includes whether the kernel saves it. */
static bool x86_available(char *why, size_t bytes)
{
	const struct {
		const char *name;
		bool has;
	} needs[] = {
		{ "AVX2", __builtin_cpu_supports("avx2") },
		{ "BMI1", __builtin_cpu_supports("bmi") },
		{ "BMI2", __builtin_cpu_supports("bmi2") },
		{ "FMA", __builtin_cpu_supports("fma") },
		{ "F16C", cpuid_ecx(1, 29) },
		{ "LZCNT", cpuid_ecx(0x80000001, 5) },
	};
	bool all = true;

	for (unsigned n = 0; n < ARRAY_SIZE(needs); n++) {
		if (!needs[n].has)
			text_add(why, bytes, "%s%s", all ? "this CPU lacks " : ", ", needs[n].name);
		all &= needs[n].has;
	}
	return all;
}

static void x86_destroy(struct cpu *c)
{
	if (!c->jit)
		return;
	if (c->jit->cache)
		jit_cache_destroy(c->jit->cache);
	free(c->jit->cache);
	free(c->jit->exec_counts);
	check_destroy(c->jit->check);
	free(c->jit);
	c->jit = NULL;
}

static int x86_create(struct cpu *c, const struct jit_config *cfg)
{
	int err;

	c->jit = calloc(1, sizeof(*c->jit));
	if (c->jit)
		c->jit->cache = calloc(1, sizeof(*c->jit->cache));
	if (c->jit && cfg->count)
		c->jit->exec_counts = calloc(OP_COUNT + 1, sizeof(uint64_t));
	if (c->jit && cfg->check)
		c->jit->check = check_create(cfg->check);
	if (!c->jit || !c->jit->cache || (cfg->count && !c->jit->exec_counts) || (cfg->check && !c->jit->check)) {
		x86_destroy(c);
		return -ENOMEM;
	}
	c->jit->c = c;
	jit_set_traits(c->jit);
	c->jit->fp_strict = cfg->fp_strict;
	c->jit->count = cfg->count;
	c->jit_nzcv_mask = 0xc101; /* SF ZF CF OF in ax after LAHF and SETO al */
	err = jit_cache_create(c->jit->cache, cfg);
	if (err)
		x86_destroy(c);
	return err;
}

static const struct translator x86_64 = {
	.host = "x86-64",
	.available = x86_available,
	.create = x86_create,
	.destroy = x86_destroy,
	.code = x86_code,
	.run = x86_run,
	.invalidate_page = x86_invalidate_page,
	.invalidate_all = x86_invalidate_all,
	.cost = x86_cost,
	.exec_counts = x86_exec_counts,
	.fp_enter = x86_fp_enter,
	.fp_leave = x86_fp_leave,
	.fp_sync = x86_fp_sync,
};
TRANSLATOR(x86_64, &x86_64);
