/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The code cache: which block is found, what becomes of those that are killed, and
 * what is left when there is no room. Blocks are mostly only said to be there.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vmm/mem.h>

#include "machine.h"
#include "arch/arm64/cpu/translator.h"
#include "arch/x86_64/jit.h"

#define PAGE       UINT64_C(4096)
#define SYSTEM_OFF 0x52800100, 0x72b08000, 0xd4000002 /* mov w0, #PSCI SYSTEM_OFF; hvc #0 */

static const struct jit_config smallest = { .use = JIT_ON, .cache_bytes = JIT_CACHE_BYTES_MIN };

static struct jit_cache *cache_of(const struct machine *m) { return m->cpu->jit->cache; }

/* A block of so many bytes, which is never executed. */
static struct jit_block *publish(struct machine *m, uint64_t pa, uint32_t key, size_t hot, size_t cold)
{
	struct jit_cache *t = cache_of(m);
	const struct jit_block b = { .pa = pa, .key = key, .insns = 1 };

	jit_make_room(m->cpu, t);
	return jit_publish(t, &b, t->hot + hot, t->cold + cold);
}

static struct jit_block *publish_small(struct machine *m, uint64_t pa, uint32_t key)
{
	return publish(m, pa, key, 32, 0);
}

/* What the dispatcher does; code by the second time. */
static void *code_at(struct machine *m, uint64_t pa)
{
	return translator()->code(m->cpu, pa, mem_ptr(m->mem, gpa(pa), 4), false);
}

static void *translated_at(struct machine *m, uint64_t pa)
{
	void *code = code_at(m, pa);

	return code ? code : code_at(m, pa);
}

/* ---- Finding ---- */

static void blocks_are_found_by_address_and_key(void **state)
{
	struct machine m = machine_with(1, &smallest);
	struct jit_cache *t = cache_of(&m);
	struct jit_block *a = publish_small(&m, RAM_BASE, 0), *b = publish_small(&m, RAM_BASE, KEY_EL1);
	struct jit_block *c = publish_small(&m, RAM_BASE + 4, 0);

	(void)state;
	assert_ptr_equal(jit_find(t, RAM_BASE, 0), a);
	assert_ptr_equal(jit_find(t, RAM_BASE, KEY_EL1), b);
	assert_ptr_equal(jit_find(t, RAM_BASE + 4, 0), c);
	assert_null(jit_find(t, RAM_BASE + 4, KEY_EL1));
	assert_null(jit_find(t, RAM_BASE + 8, 0));
	assert_true(a->code < b->code && b->code < c->code && b->code % 16 == 0);
	machine_free(&m);
}

/* Addresses that any hash of few bits takes for the same. */
static void many_blocks_are_told_apart(void **state)
{
	struct machine m = machine_with(1, &(struct jit_config){ .use = JIT_ON });
	struct jit_block *b[512];

	(void)state;
	for (uint64_t k = 0; k < ARRAY_SIZE(b); k++)
		b[k] = publish_small(&m, RAM_BASE + (k << 17 | k << 2), 0);
	for (uint64_t k = 0; k < ARRAY_SIZE(b); k++)
		assert_ptr_equal(jit_find(cache_of(&m), RAM_BASE + (k << 17 | k << 2), 0), b[k]);
	machine_free(&m);
}

/* ---- Killing ---- */

static void killing_a_page_leaves_the_blocks_of_others(void **state)
{
	struct machine m = machine_with(1, &smallest);
	struct jit_cache *t = cache_of(&m);
	/* Neighbours, and what shares page lists with it. */
	static const uint64_t others[] = { RAM_BASE, RAM_BASE + 2 * PAGE, RAM_BASE + PAGE + (1 << 24),
					   RAM_BASE + PAGE + (4096 * PAGE), RAM_BASE + (UINT64_C(1) << 36) };

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(others); k++) {
		publish_small(&m, others[k], 0);
		publish_small(&m, RAM_BASE + PAGE + 8 * k, 0);
		publish_small(&m, RAM_BASE + PAGE + 8 * k, KEY_EL1);
	}
	jit_kill_page(t, RAM_BASE + PAGE + 0x123);
	for (unsigned k = 0; k < ARRAY_SIZE(others); k++) {
		assert_non_null(jit_find(t, others[k], 0));
		assert_null(jit_find(t, RAM_BASE + PAGE + 8 * k, 0));
		assert_null(jit_find(t, RAM_BASE + PAGE + 8 * k, KEY_EL1));
	}
	jit_kill_all(t);
	for (unsigned k = 0; k < ARRAY_SIZE(others); k++)
		assert_null(jit_find(t, others[k], 0));
	machine_free(&m);
}

/* Also that of the shortest block there is, with another one right behind it. */
static void a_dead_block_leads_to_the_dispatcher(void **state)
{
	const uint64_t pa = RAM_BASE + PAGE + 0x124;
	struct machine m = machine_with(1, &smallest);
	struct cpu *c = m.cpu;
	struct jit_block *b = publish(&m, pa, jit_key(c, false), 1, 0), *next = publish_small(&m, RAM_BASE, 0);
	void *code = cache_of(&m)->rx + b->code;

	(void)state;
	assert_true(next->code - b->code >= JIT_ENTRY_BYTES);
	mmu_jc_add(c->ctx, pa, code);
	jit_kill_page(cache_of(&m), pa);
	c->pc = RAM_BASE + PAGE + 0x800; /* where the jump was, in the same page */
	c->x[7] = 0x777;
	assert_int_equal(translator()->run(c, code), EXEC_JUMP);
	assert_int_equal(c->pc, pa);
	assert_int_equal(c->x[7], 0x777);
	assert_true(c->ctx->jc[pa >> 2 & (JC_ENTRIES - 1)].va != pa);
	machine_free(&m);
}

/* ---- Heat ---- */

static void an_instruction_is_warm_the_second_time(void **state)
{
	struct machine m = machine_with(1, &smallest);
	struct jit_cache *t = cache_of(&m);

	(void)state;
	for (uint64_t off = 0; off < PAGE; off += 4)
		assert_false(jit_is_warm(t, RAM_BASE + off));
	for (uint64_t off = 0; off < PAGE; off += 4)
		assert_true(jit_is_warm(t, RAM_BASE + off));
	assert_false(jit_is_warm(t, RAM_BASE + PAGE));
	jit_kill_page(t, RAM_BASE + PAGE);
	assert_true(jit_is_warm(t, RAM_BASE));
	assert_false(jit_is_warm(t, RAM_BASE + PAGE));
	jit_kill_all(t);
	assert_false(jit_is_warm(t, RAM_BASE));
	machine_free(&m);
}

/* ---- Room ---- */

#define FILLER (UINT64_C(1) << 40) /* pages of blocks that only take room */

/* Makes blocks until the next one needs another segment, and that is @segment. */
static void fill_up_to(struct machine *m, unsigned segment)
{
	struct jit_cache *t = cache_of(m);
	uint64_t pa = FILLER;

	while (t->segment != (segment + JIT_SEGMENTS - 1) % JIT_SEGMENTS || t->hot + JIT_HOT_ROOM <= t->hot_end)
		publish(m, pa += PAGE, 0, 4096, 0);
}

static void blocks_of_the_largest_size_fit_into_the_smallest_cache(void **state)
{
	struct machine m = machine_with(1, &smallest);
	struct jit_cache *t = cache_of(&m);

	(void)state;
	for (uint64_t k = 0; k < 100; k++) {
		struct jit_block *b = publish(&m, RAM_BASE + k * PAGE, 0, JIT_HOT_ROOM, JIT_COLD_ROOM);

		assert_ptr_equal(jit_find(t, RAM_BASE + k * PAGE, 0), b);
		assert_true(b->code >= (size_t)(t->thunks_end - t->rw) && b->code + JIT_HOT_ROOM <= t->bytes);
		/* What came just before is in another segment, or there is room for both. */
		if (k)
			assert_non_null(jit_find(t, RAM_BASE + (k - 1) * PAGE, 0));
	}
	assert_true(t->emptied >= 100 / 2 - JIT_SEGMENTS);
	machine_free(&m);
}

/* Numbers run out before bytes do. */
static void blocks_of_the_smallest_size_are_not_more_than_there_are_numbers(void **state)
{
	struct machine m = machine_with(1, &smallest);
	struct jit_cache *t = cache_of(&m);
	uint32_t count = JIT_SEGMENTS * t->segment_blocks;

	(void)state;
	for (uint64_t k = 0; k < 3 * count; k++)
		assert_true(publish(&m, RAM_BASE + 4 * k, 0, 1, 0) <= &t->blocks[count]);
	assert_true(t->emptied >= 2 * JIT_SEGMENTS);
	machine_free(&m);
}

/* Their jumps into it would lead to other code. */
static void emptying_a_segment_kills_its_pages_blocks_in_the_others(void **state)
{
	struct machine m = machine_with(1, &smallest);
	struct jit_cache *t = cache_of(&m);

	(void)state;
	publish_small(&m, RAM_BASE, 0);
	fill_up_to(&m, 1);
	publish_small(&m, RAM_BASE + 8, 0);
	publish_small(&m, RAM_BASE + PAGE, 0);
	assert_int_equal(t->segment, 1);
	fill_up_to(&m, 0);
	assert_non_null(jit_find(t, RAM_BASE, 0));
	assert_non_null(jit_find(t, RAM_BASE + 8, 0));
	jit_make_room(m.cpu, t);
	assert_int_equal(t->segment, 0);
	assert_null(jit_find(t, RAM_BASE, 0));
	assert_null(jit_find(t, RAM_BASE + 8, 0));
	assert_non_null(jit_find(t, RAM_BASE + PAGE, 0));
	machine_free(&m);
}

static void emptying_a_segment_purges_jump_caches_of_what_was_in_it(void **state)
{
	struct machine m = machine_with(1, &smallest);
	struct jit_cache *t = cache_of(&m);
	struct mmu_ctx *ctx = m.cpu->ctx;
	struct jit_block *old = publish_small(&m, RAM_BASE, 0), *young;

	(void)state;
	mmu_jc_add(ctx, RAM_BASE, t->rx + old->code);
	fill_up_to(&m, 1);
	young = publish_small(&m, RAM_BASE + PAGE, 0);
	mmu_jc_add(ctx, RAM_BASE + PAGE, t->rx + young->code);
	fill_up_to(&m, 0);
	assert_int_equal(ctx->jc[0].va, RAM_BASE);
	jit_make_room(m.cpu, t);
	assert_true(ctx->jc[0].va != RAM_BASE);
	assert_int_equal(ctx->jc[PAGE / 4 & (JC_ENTRIES - 1)].va, RAM_BASE + PAGE);
	machine_free(&m);
}

/* ---- Links ---- */

/*
 * A block's jump has no target. It is translated when it is taken, and for that the jump's own segment
 * is emptied, so the target's code stands where the jump was: 60 times add x5, x5, #1.
 */
static void a_link_is_not_patched_when_its_segment_was_emptied(void **state)
{
	static const uint32_t jump[] = {
		0x910004c6, 0x910004c6, 0x910004c6, 0x910004c6, /* add x6, x6, #1 */
		0xb4000809,                                     /* cbz x9, . + 0x100 */
		SYSTEM_OFF,
	};
	static const uint32_t off[] = { SYSTEM_OFF };
	const uint64_t target = RAM_BASE + 0x110;
	struct machine m = machine_with(1, &smallest);
	struct jit_cache *t = cache_of(&m);
	unsigned emptied;
	uint32_t where;

	(void)state;
	machine_code(&m, RAM_BASE, jump, ARRAY_SIZE(jump));
	for (unsigned k = 0; k < 60; k++)
		machine_code(&m, target + 4 * k, (const uint32_t[]){ 0x910004a5 }, 1);
	machine_code(&m, target + 240, off, ARRAY_SIZE(off));
	assert_non_null(translated_at(&m, RAM_BASE));
	where = jit_find(t, RAM_BASE, jit_key(m.cpu, false))->code;
	assert_null(code_at(&m, target)); /* warm from now on */
	fill_up_to(&m, 0);
	emptied = t->emptied;
	assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(t->emptied, emptied + 1);
	assert_int_equal(jit_find(t, target, jit_key(m.cpu, false))->code, where);
	assert_int_equal(m.cpu->x[5], 60);
	machine_free(&m);
}

/* ... and otherwise it is: the second time it does not come here. */
static void a_link_is_patched_when_its_target_is_there(void **state)
{
	static const uint32_t jump[] = { 0xb4000089, SYSTEM_OFF, 0x910004a5,
					 SYSTEM_OFF }; /* cbz x9, . + 16; add x5, x5, #1 */
	struct machine m = machine_with(1, &smallest);

	(void)state;
	machine_code(&m, RAM_BASE, jump, ARRAY_SIZE(jump));
	assert_non_null(translated_at(&m, RAM_BASE));
	assert_null(code_at(&m, RAM_BASE + 16));
	for (unsigned k = 1; k <= 3; k++) {
		m.cpu->jit_link[0] = 0;
		assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
		assert_int_equal(m.cpu->x[5], k);
		assert_int_equal(m.cpu->jit_link[0] != 0, k == 1);
	}
	machine_free(&m);
}

/* ---- For perf ---- */

/* START SIZE NAME, numbers in hexadecimal; no line for what has no bytes. */
static void a_perf_map_has_a_line_for_each_part_of_a_block(void **state)
{
	struct machine m = machine_with(
		1, &(struct jit_config){ .use = JIT_ON, .cache_bytes = JIT_CACHE_BYTES_MIN, .perf_map = true });
	struct jit_cache *t = cache_of(&m);
	uintptr_t hot = (uintptr_t)(t->rx + (t->hot - t->rw)), cold = (uintptr_t)(t->rx + (t->cold - t->rw));
	char path[64], want[400], got[400] = "";
	FILE *f;

	(void)state;
	publish(&m, RAM_BASE + 0x10, 0, 40, 24);
	publish(&m, RAM_BASE + 0x20, 0, 16, 0);
	snprintf(want, sizeof(want),
		 "%" PRIxPTR " %zx thunks 0x0\n%" PRIxPTR " 28 guest 0x40000010\n%" PRIxPTR
		 " 18 guest-cold 0x40000010\n%" PRIxPTR " 10 guest 0x40000020\n",
		 (uintptr_t)t->rx, (size_t)(t->thunks_end - t->rw), hot, cold, hot + 48);
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(got, 1, sizeof(got) - 1, f) > 0);
	fclose(f);
	unlink(path);
	assert_string_equal(got, want);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_found_by_address_and_key),
		cmocka_unit_test(many_blocks_are_told_apart),
		cmocka_unit_test(killing_a_page_leaves_the_blocks_of_others),
		cmocka_unit_test(a_dead_block_leads_to_the_dispatcher),
		cmocka_unit_test(an_instruction_is_warm_the_second_time),
		cmocka_unit_test(blocks_of_the_largest_size_fit_into_the_smallest_cache),
		cmocka_unit_test(blocks_of_the_smallest_size_are_not_more_than_there_are_numbers),
		cmocka_unit_test(emptying_a_segment_kills_its_pages_blocks_in_the_others),
		cmocka_unit_test(emptying_a_segment_purges_jump_caches_of_what_was_in_it),
		cmocka_unit_test(a_link_is_not_patched_when_its_segment_was_emptied),
		cmocka_unit_test(a_link_is_patched_when_its_target_is_there),
		cmocka_unit_test(a_perf_map_has_a_line_for_each_part_of_a_block),
	};

	if (!machine_can_translate()) {
		puts("# SKIP this host cannot translate");
		return 0;
	}
	return cmocka_run_group_tests_name("arch/x86_64/cache", tests, NULL, NULL);
}
