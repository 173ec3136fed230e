/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From words to blocks: where decoding stops, NZCV that nobody wants, and one TLB check
 * for several accesses. Programs run in both engines and must end alike; that something
 * was left out is seen in what was written.
 */
#include <stdlib.h>
#include <string.h>

#include <vmm/mem.h>

#include "machine.h"
#include "arch/arm64/cpu/mmu.h"
#include "arch/arm64/cpu/translator.h"
#include "arch/x86_64/jit.h"

#define PAGE       UINT64_C(4096)
#define CODE       (RAM_BASE + 0x10000)
#define OFF        (RAM_BASE + 0x20000) /* where programs return to: SYSTEM_OFF */
#define VBAR       (RAM_BASE + 0x30000)
#define TABLE      (RAM_BASE + 0x40000)
#define DATA       (RAM_BASE + 0x50000)
#define DATA_BYTES 0x4000

#define NOP    0xd503201f
#define RET    0xd65f03c0
#define CMP    0xeb0600bf /* cmp x5, x6 */
#define CMP_78 0xeb0800ff /* cmp x7, x8 */
#define CSET   0x9a9fa7ea /* cset x10, lt */
#define UDF    0x00000001

/* B and CBZ x9 over @n instructions, themselves included. */
#define B(n)   (0x14000000 | ((n)&0x3ffffff))
#define CBZ(n) (0xb4000009 | ((n)&0x7ffff) << 5)

/* ---- Machines ---- */

/* RAM at its place by one entry: with the MMU off nothing would be in a TLB. */
static void prepare(struct machine *m)
{
	static const uint32_t off[] = { 0x52800100, 0x72b08000, 0xd4000002 }; /* mov w0, #PSCI SYSTEM_OFF; hvc #0 */
	struct cpu *c = m->cpu;

	machine_code(m, OFF, off, ARRAY_SIZE(off));
	for (uint64_t vector = 0; vector < 0x800; vector += 0x80)
		machine_code(m, VBAR + vector, off, ARRAY_SIZE(off));
	*machine_u64(m, TABLE + 8) = RAM_BASE | 1 << 10 | 1; /* AF, block of 1 GiB */
	c->sys[SYS_VBAR_EL1] = VBAR;
	c->sys[SYS_TCR_EL1] = 25 | UINT64_C(2) << 32 | 1 << 23;
	c->sys[SYS_MAIR_EL1] = 0xff;
	c->sys[SYS_TTBR0_EL1] = TABLE;
	c->sys[SYS_SCTLR_EL1] |= SCTLR_M;
	mmu_regime_changed(c);
}

static struct machine translating(void)
{
	struct machine m = machine_with(
		1, &(struct jit_config){ .use = JIT_ON, .cache_bytes = JIT_CACHE_BYTES_MIN, .count = true });

	prepare(&m);
	return m;
}

static const struct jit_block *translate(struct machine *m, uint64_t pa)
{
	const uint32_t *words = mem_ptr(m->mem, gpa(pa), 4);

	jit_kill_all(m->cpu->jit->cache);
	while (!translator()->code(m->cpu, pa, words, false))
		;
	return jit_find(m->cpu->jit->cache, pa, jit_key(m->cpu, false));
}

static void start(struct machine *m, const uint64_t *x)
{
	struct cpu *c = m->cpu;

	for (uint64_t a = DATA; a < DATA + DATA_BYTES; a += 8)
		*machine_u64(m, a) = a * 0x9e3779b97f4a7c15;
	*machine_u64(m, RAM_BASE + RAM_BYTES - 8) = 0x1111;
	memcpy(c->x, x, 31 * sizeof(*x));
	c->x[30] = OFF;
	c->nzcv = 0x60000000;
	c->icount = 0;
	c->sys[SYS_ESR_EL1] = c->sys[SYS_FAR_EL1] = c->sys[SYS_ELR_EL1] = 0;
}

static void assert_same(struct machine *want, struct machine *got)
{
	for (unsigned n = 4; n < 31; n++) /* what HVC leaves of x0-x3 is no result */
		assert_int_equal(got->cpu->x[n], want->cpu->x[n]);
	assert_int_equal(got->cpu->nzcv, want->cpu->nzcv);
	assert_int_equal(got->cpu->icount, want->cpu->icount);
	assert_int_equal(got->cpu->sys[SYS_ESR_EL1], want->cpu->sys[SYS_ESR_EL1]);
	assert_int_equal(got->cpu->sys[SYS_FAR_EL1], want->cpu->sys[SYS_FAR_EL1]);
	assert_int_equal(got->cpu->sys[SYS_ELR_EL1], want->cpu->sys[SYS_ELR_EL1]);
	assert_memory_equal(machine_u64(got, DATA), machine_u64(want, DATA), DATA_BYTES);
	assert_int_equal(*machine_u64(got, RAM_BASE + RAM_BYTES - 8), *machine_u64(want, RAM_BASE + RAM_BYTES - 8));
}

/* Runs what is at CODE, where it is translated, three times: targets of jumps are translated by the last. */
static void run_both(struct machine *jit, struct machine *plain, const uint64_t *x)
{
	start(plain, x);
	assert_int_equal(machine_run(plain, CODE).reason, HV_EXIT_SHUTDOWN);
	for (unsigned n = 0; n < 3; n++) {
		start(jit, x);
		assert_int_equal(machine_run(jit, CODE).reason, HV_EXIT_SHUTDOWN);
		assert_same(plain, jit);
	}
}

/* ---- Decoding ---- */

/* Fills the page of CODE with NOPs that a RET ends, then puts @words at @off; none has been executed. */
static void put(struct machine *m, unsigned off, const uint32_t *words, unsigned count)
{
	for (unsigned n = 0; n < PAGE; n += 4)
		machine_code(m, CODE + n, (const uint32_t[]){ n == PAGE - 4 ? RET : NOP }, 1);
	machine_code(m, CODE + off, words, count);
	run_invalidate_all(m->cpu);
}

static void decoding_stops_where_it_should(void **state)
{
	static const struct {
		unsigned off;
		uint32_t words[16];
		unsigned insns;
	} rows[] = {
		{ 0, { NOP, NOP, RET }, 3 },
		{ 0, { NOP, UDF }, 2 },
		{ 0, { NOP }, 64 },                                      /* as many as a block has */
		{ 0xff0, { NOP, NOP, NOP, NOP }, 4 },                    /* the page */
		{ 0, { NOP, B(3), UDF, UDF, NOP, RET }, 4 },             /* along a branch forward */
		{ 0, { B(2), UDF, B(3), UDF, UDF, B(2), UDF, RET }, 4 }, /* and another */
		{ 0, { NOP, NOP, B(-1) }, 3 },                           /* not backward */
		{ 0, { NOP, B(0) }, 2 },
		{ 0xff0, { NOP, B(3), NOP }, 2 }, /* nor out of the page */
		{ 0xff0, { NOP, B(2), NOP, RET }, 3 },
		{ 0, { CBZ(9), NOP, CBZ(8), RET }, 4 },                 /* behind a branch that may not be taken */
		{ 0, { CBZ(9), CBZ(9), CBZ(9), CBZ(9), NOP, RET }, 6 }, /* four of them */
		{ 0, { CBZ(9), CBZ(9), CBZ(9), CBZ(9), NOP, CBZ(9), RET }, 6 }, /* not five */
		{ 0, { NOP, 0x94000002, NOP }, 2 },                             /* bl */
		{ 0, { NOP, 0xd4000001, NOP }, 2 },                             /* svc */
	};
	struct machine m = translating();

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		unsigned count = ARRAY_SIZE(rows[k].words);

		if (rows[k].off + 4 * count > PAGE)
			count = (unsigned)(PAGE - rows[k].off) / 4;
		while (!rows[k].words[count - 1])
			count--;
		put(&m, rows[k].off, rows[k].words, count);
		assert_int_equal(translate(&m, CODE + rows[k].off)->insns, rows[k].insns);
	}
	machine_free(&m);
}

/* Counted in x5: over branches, out of the page, and from one block of 64 to the next. */
static void a_block_goes_on_where_the_one_before_ended(void **state)
{
	struct machine jit = translating(), plain = machine_new(1);
	static const uint64_t x[31] = { 0 };
	uint32_t words[1024];

	(void)state;
	prepare(&plain);
	for (unsigned n = 0; n < 1023; n++)
		words[n] = n % 7 == 3 ? B(2) : n % 11 == 5 ? CBZ(3) : 0x910004a5; /* add x5, x5, #1 */
	words[1023] = RET;
	put(&jit, 0, words, ARRAY_SIZE(words));
	put(&plain, 0, words, ARRAY_SIZE(words));
	run_both(&jit, &plain, x);
	assert_true(jit.cpu->x[5] > 500);
	machine_free(&jit);
	machine_free(&plain);
}

/* ---- NZCV ---- */

/* How much code the block at CODE has become. */
static size_t size_of(struct machine *m)
{
	struct jit_cache *t = m->cpu->jit->cache;
	uint8_t *hot, *cold;

	jit_make_room(m->cpu, t);
	hot = t->hot;
	cold = t->cold;
	translate(m, CODE);
	return (size_t)(t->hot - hot) + (size_t)(t->cold - cold);
}

static size_t size_with(struct machine *m, const uint32_t *words, unsigned count)
{
	put(m, 0, words, count);
	return size_of(m);
}

/* CMP, a branch that does not look at it, @near behind it, @far where it leads. */
enum { FAR = 8 };
static size_t cmp_with(struct machine *jit, struct machine *plain, uint32_t near, uint32_t far)
{
	const uint32_t words[] = { CMP, CBZ(FAR - 1), near, RET, UDF, UDF, UDF, UDF, far, RET };

	put(plain, 0, words, ARRAY_SIZE(words));
	for (uint64_t k = 0; k < 8; k++)
		for (uint64_t taken = 0; taken < 2; taken++) {
			const uint64_t x[31] = {
				[5] = k & 1, [6] = k >> 1 & 1, [7] = k >> 2, [9] = taken, [10] = 99
			};

			size_with(jit, words, ARRAY_SIZE(words));
			run_both(jit, plain, x);
		}
	return size_with(jit, words, ARRAY_SIZE(words));
}

static void a_comparison_that_is_overwritten_is_not_stored(void **state)
{
	struct machine jit = translating(), plain = machine_new(1);
	size_t overwritten, far_reads, near_reads, both;

	(void)state;
	prepare(&plain);
	overwritten = cmp_with(&jit, &plain, CMP_78, CMP_78);
	far_reads = cmp_with(&jit, &plain, CMP_78, CSET);
	near_reads = cmp_with(&jit, &plain, CSET, CMP_78);
	both = cmp_with(&jit, &plain, CSET, CSET);
	assert_true(overwritten < far_reads);
	assert_true(near_reads < both);
	machine_free(&jit);
	machine_free(&plain);
}

/* A look ahead of so many instructions; what it does not see counts as a reader. */
static void the_look_ahead_is_short(void **state)
{
	struct machine m = translating();
	uint32_t words[40] = { CMP, CBZ(4), CMP_78, RET, UDF };
	size_t seen, unseen, read;

	(void)state;
	for (unsigned n = 5; n < ARRAY_SIZE(words); n++)
		words[n] = NOP;
	words[5 + 15] = CMP_78;
	seen = size_with(&m, words, ARRAY_SIZE(words));
	words[5 + 15] = NOP;
	words[5 + 16] = CMP_78;
	unseen = size_with(&m, words, ARRAY_SIZE(words));
	words[5] = CSET;
	read = size_with(&m, words, ARRAY_SIZE(words));
	assert_true(seen < unseen);
	assert_int_equal(unseen, read);
	machine_free(&m);
}

/* Both ways of a branch are looked at, and B is followed. */
static void the_look_ahead_follows_branches(void **state)
{
	static const struct {
		uint32_t far[6];
		bool wanted;
	} rows[] = {
		{ { B(2), CSET, CMP_78, RET }, false },
		{ { B(2), CMP_78, CSET, RET }, true },
		{ { CBZ(2), CMP_78, CMP_78, RET }, false },
		{ { CBZ(3), CMP_78, RET, CSET, RET }, true },
		{ { CBZ(3), CSET, RET, CMP_78, RET }, true },
		{ { B(0) }, true },       /* for ever */
		{ { 0xd4000001 }, true }, /* svc: SPSR has it */
		{ { RET }, true },
		{ { 0xd53b4209, RET }, true }, /* mrs x9, nzcv */
	};
	struct machine m = translating();
	uint32_t words[16] = { CMP, CBZ(FAR - 1), CMP_78, RET };
	size_t without;

	(void)state;
	words[FAR] = CMP_78;
	without = size_with(&m, words, ARRAY_SIZE(words));
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		memcpy(words + FAR, rows[k].far, sizeof(rows[k].far));
		assert_int_equal(size_with(&m, words, ARRAY_SIZE(words)) > without, rows[k].wanted);
	}
	machine_free(&m);
}

/* ---- One check for several accesses ---- */

/* Jumps out of the hot code: one for each check. */
static unsigned checks_in(struct machine *m)
{
	const struct jit *j = m->cpu->jit;
	unsigned count = 0;

	translate(m, CODE);
	for (unsigned n = 0; n < j->cold_count; n++)
		count += j->cold[n].from > j->start && j->cold[n].from <= j->cache->hot;
	return count;
}

#define LDR(t, n, off)       (0xf9400000 | (off) / 8 << 10 | (n) << 5 | (t))
#define STR(t, n, off)       (0xf9000000 | (off) / 8 << 10 | (n) << 5 | (t))
#define LDUR(t, n, off)      (0xf8400000 | ((off)&511) << 12 | (n) << 5 | (t))
#define STRB(t, n, off)      (0x39000000 | (off) << 10 | (n) << 5 | (t))
#define LDP(t, u, n, off)    (0xa9400000 | ((off) / 8 & 127) << 15 | (u) << 10 | (n) << 5 | (t))
#define STP(t, u, n, off)    (0xa9000000 | ((off) / 8 & 127) << 15 | (u) << 10 | (n) << 5 | (t))
#define STR_POST(t, n, step) (0xf8000400 | ((step)&511) << 12 | (n) << 5 | (t))
#define LDR_PRE(t, n, step)  (0xf8400c00 | ((step)&511) << 12 | (n) << 5 | (t))
#define LDR_Q(t, n, off)     (0x3dc00000 | (off) / 16 << 10 | (n) << 5 | (t))
#define ADD(d, n, imm)       (0x91000000 | (imm) << 10 | (n) << 5 | (d))
#define SUB(d, n, imm)       (0xd1000000 | (imm) << 10 | (n) << 5 | (d))

static const struct {
	uint32_t words[12];
	unsigned checks;
} groups[] = {
	{ { LDR(10, 5, 0), RET }, 1 },
	{ { LDR(10, 5, 0), LDR(11, 5, 8), RET }, 1 },
	{ { LDR(10, 5, 8), STR(11, 5, 0), LDUR(12, 5, -3), STRB(13, 5, 17), RET }, 1 },
	{ { LDR(10, 5, 0), LDR(11, 5, 248), RET }, 1 }, /* 256 bytes */
	{ { LDR(10, 5, 0), LDR(11, 5, 256), RET }, 2 },
	{ { LDUR(10, 5, -8), LDR(11, 5, 240), RET }, 1 },
	{ { LDUR(10, 5, -16), LDR(11, 5, 240), RET }, 2 },
	{ { STP(10, 11, 5, -16), LDP(12, 13, 5, 16), LDR_Q(3, 5, 48), RET }, 1 },
	/* The base moves by a constant. */
	{ { STR_POST(10, 5, 8), STR_POST(11, 5, 8), STR(12, 5, 8), RET }, 1 },
	{ { LDR_PRE(10, 5, 16), LDR_PRE(11, 5, -24), LDR(12, 5, 0), RET }, 1 },
	{ { LDR(10, 5, 0), ADD(5, 5, 16), LDR(11, 5, 8), SUB(5, 5, 32), STR(12, 5, 8), RET }, 1 },
	{ { LDR(10, 5, 0), ADD(5, 5, 248), LDR(11, 5, 0), RET }, 1 },
	{ { LDR(10, 5, 0), ADD(5, 5, 256), LDR(11, 5, 0), RET }, 2 },
	/* By another value. */
	{ { LDR(10, 5, 0), ADD(5, 6, 16), LDR(11, 5, 8), RET }, 2 },
	{ { LDR(5, 5, 0), LDR(11, 6, 8), RET }, 2 },
	{ { LDR(10, 6, 0), LDR(6, 6, 8), STR(6, 5, 16), RET }, 2 },
	{ { LDR(10, 5, 0), LDR(11, 6, 0), LDR(12, 5, 8), RET }, 3 },
	/* Between them: what keeps rcx and EFLAGS, and what does not. */
	{ { LDR(10, 5, 0), ADD(11, 10, 1), NOP, STR(11, 5, 8), RET }, 1 },
	{ { LDR(10, 5, 0), 0xf10004e7, LDR(11, 5, 8), RET }, 2 },      /* subs x7, x7, #1 */
	{ { LDR(10, 5, 0), 0xd5033bbf, LDR(11, 5, 8), RET }, 2 },      /* dmb ish */
	{ { CMP, LDR(10, 5, 0), LDR(11, 5, 8), 0x9a9fa7ec, RET }, 1 }, /* cset x12, lt */
	/* Where a branch leads is no place to go on. */
	{ { LDR(10, 5, 0), B(2), UDF, LDR(11, 5, 8), RET }, 2 },
	{ { LDR(10, 5, 0), B(1), LDR(11, 5, 8), LDR(12, 5, 16), RET }, 2 },
};

/* Where x5 points: all in a page, across its end in various places, and from the end of RAM to where nothing is. */
static const uint64_t bases[] = { DATA + 0x100,      DATA + 0x103,         DATA + PAGE - 8,
				  DATA + PAGE - 16,  DATA + PAGE - 9,      DATA + PAGE,
				  DATA + PAGE - 252, DATA + 2 * PAGE - 28, RAM_BASE + RAM_BYTES - 8 };

static void accesses_around_one_base_are_checked_once(void **state)
{
	struct machine m = translating();

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(groups); k++) {
		put(&m, 0, groups[k].words, ARRAY_SIZE(groups[k].words));
		if (checks_in(&m) != groups[k].checks)
			fail_msg("row %u: %u checks, not %u", k, checks_in(&m), groups[k].checks);
	}
	machine_free(&m);
}

static void what_is_checked_once_is_done_as_one_by_one(void **state)
{
	struct machine jit = translating(), plain = machine_new(1);

	(void)state;
	prepare(&plain);
	for (unsigned k = 0; k < ARRAY_SIZE(groups); k++) {
		put(&jit, 0, groups[k].words, ARRAY_SIZE(groups[k].words));
		put(&plain, 0, groups[k].words, ARRAY_SIZE(groups[k].words));
		translate(&jit, CODE);
		for (unsigned b = 0; b < ARRAY_SIZE(bases); b++) {
			const uint64_t x[31] = { [5] = bases[b], [6] = DATA + 0x800, [7] = 7, [10] = 10, [13] = 13 };

			mmu_inv_all(jit.cpu);
			run_both(&jit, &plain, x);
		}
	}
	machine_free(&jit);
	machine_free(&plain);
}

/* A block that becomes too large ends early, and the rest is another one: before, in and behind the accesses. */
static void a_block_is_not_cut_between_accesses_that_are_checked_once(void **state)
{
	struct machine jit = translating(), plain = machine_new(1);
	bool cut = false;

	(void)state;
	prepare(&plain);
	for (unsigned large = 40; large < 54; large++) {
		const uint64_t x[31] = { [5] = DATA + PAGE - 12, [7] = DATA };
		uint32_t words[65] = { NOP };
		unsigned n = 0;

		while (n < large)
			words[n++] = 0xc82d2cea; /* stxp w13, x10, x11, [x7] */
		words[n++] = LDR(14, 5, 0);
		while (n < large + 9)
			words[n++] = ADD(15, 15, 1);
		words[n++] = LDR(16, 5, 8);
		words[n++] = RET;
		put(&jit, 0, words, n);
		put(&plain, 0, words, n);
		cut |= translate(&jit, CODE)->insns < n;
		run_both(&jit, &plain, x);
	}
	assert_true(cut);
	machine_free(&jit);
	machine_free(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decoding_stops_where_it_should),
		cmocka_unit_test(a_block_goes_on_where_the_one_before_ended),
		cmocka_unit_test(a_comparison_that_is_overwritten_is_not_stored),
		cmocka_unit_test(the_look_ahead_is_short),
		cmocka_unit_test(the_look_ahead_follows_branches),
		cmocka_unit_test(accesses_around_one_base_are_checked_once),
		cmocka_unit_test(what_is_checked_once_is_done_as_one_by_one),
		cmocka_unit_test(a_block_is_not_cut_between_accesses_that_are_checked_once),
	};

	if (!machine_can_translate()) {
		puts("# SKIP this host cannot translate");
		return 0;
	}
	return cmocka_run_group_tests_name("arch/x86_64/block", tests, NULL, NULL);
}
