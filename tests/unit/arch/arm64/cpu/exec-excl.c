/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The exclusive monitor and atomicity. Cpus here have a software TLB with two
 * addresses of one page in it and nothing behind it; instructions are decoded
 * from their words.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arm64/cpu/cpu.h"

#define PAGE  UINT64_C(0x10000)
#define ALIAS UINT64_C(0x25000)

/* Rt, Rt2 and Rs are fixed: data in x1 and x2, status (or the compared value) in x4 and x5, base x0. */
#define LDXR(size) (0x085f7c01u | (uint32_t)(size) << 30)
#define STXR(size) (0x08047c01u | (uint32_t)(size) << 30)
#define LDXP(size) (0x887f0801u | (uint32_t)(size) << 30) /* size 0: W registers, 1: X */
#define STXP(size) (0x88240801u | (uint32_t)(size) << 30)
#define CASP_X     0x48247c02u /* x4, x5 compared; x2, x3 stored */
#define LDADD_X    0xf8210004u /* x1 added; x4 the old value */
#define CLREX      0xd5033f5fu

enum { B, H, W, X };

static _Alignas(4096) uint64_t page[512];

static struct cpu *cpu_with_page(void)
{
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~(size_t)63);
	struct mmu_ctx *m = malloc(sizeof(*m));

	assert_non_null(c);
	assert_non_null(m);
	memset(c, 0, sizeof(*c));
	for (unsigned k = 0; k < TLB_ENTRIES; k++)
		m->r[k] = m->w[k] = (struct tlb_entry){ TLB_EMPTY_TAG(k), 0 };
	m->r[PAGE >> 12] = m->w[PAGE >> 12] = (struct tlb_entry){ PAGE, (uint64_t)(uintptr_t)page - PAGE };
	m->r[ALIAS >> 12] = m->w[ALIAS >> 12] = (struct tlb_entry){ ALIAS, (uint64_t)(uintptr_t)page - ALIAS };
	c->ctx = c->ctx_el0 = m;
	c->x[0] = PAGE;
	return c;
}

static void cpu_free(struct cpu *c)
{
	free(c->ctx);
	free(c);
}

static struct insn decoded(uint32_t word)
{
	struct insn i;

	a64_decode(word, ~UINT64_C(0), false, &i);
	assert_ptr_not_equal(i.exec, exec_undefined);
	return i;
}

static void execute(struct cpu *c, uint32_t word)
{
	struct insn i = decoded(word);

	assert_int_equal(i.exec(c, &i), EXEC_NEXT);
}

static int setup(void **state)
{
	memset(page, 0, sizeof(page));
	page[0] = UINT64_C(0x1111111111111111);
	page[1] = UINT64_C(0x2222222222222222);
	*state = cpu_with_page();
	return 0;
}

static int teardown(void **state)
{
	cpu_free(*state);
	return 0;
}

/* Stores ~0 with @word and says whether that succeeded, and that memory agrees with the answer. */
static bool store_succeeds(struct cpu *c, uint32_t word, unsigned bytes)
{
	uint64_t before[2] = { page[0], page[1] }, ones[2] = { UINT64_MAX, UINT64_MAX };

	c->x[1] = c->x[2] = UINT64_MAX;
	c->x[4] = 77;
	execute(c, word);
	assert_in_range(c->x[4], 0, 1);
	assert_memory_equal(page, c->x[4] ? before : ones, bytes);
	assert_memory_equal((char *)page + bytes, (char *)before + bytes, 16 - bytes);
	return c->x[4] == 0;
}

static void a_store_exclusive_succeeds_once_after_its_load(void **state)
{
	struct cpu *c = *state;

	for (unsigned size = B; size <= X; size++) {
		page[0] = UINT64_C(0x8877665544332211);
		c->x[1] = 0;
		execute(c, LDXR(size));
		assert_int_equal(c->x[1], size == X ? page[0] : page[0] & ((UINT64_C(1) << (8 << size)) - 1));
		assert_true(store_succeeds(c, STXR(size), 1u << size));
		assert_false(store_succeeds(c, STXR(size), 1u << size));
	}
}

static void a_store_exclusive_without_a_load_fails(void **state)
{
	struct cpu *c = *state;

	page[0] = 0; /* what a monitor that remembers nothing would compare with */
	assert_false(store_succeeds(c, STXR(X), 8));
	assert_false(store_succeeds(c, STXP(1), 16));
}

static void another_size_fails(void **state)
{
	struct cpu *c = *state;

	for (unsigned l = B; l <= X; l++)
		for (unsigned s = B; s <= X; s++) {
			memset(page, 0, 16);
			execute(c, LDXR(l));
			assert_int_equal(store_succeeds(c, STXR(s), 1u << s), l == s);
		}
	memset(page, 0, 16);
	execute(c, LDXR(X));
	assert_false(store_succeeds(c, STXP(1), 16));
	execute(c, LDXP(1));
	assert_false(store_succeeds(c, STXR(X), 8));
}

static void another_address_fails(void **state)
{
	struct cpu *c = *state;

	page[1] = page[0];
	c->x[0] = PAGE + 8;
	execute(c, LDXR(X));
	c->x[0] = PAGE;
	assert_false(store_succeeds(c, STXR(X), 8));
	c->x[0] = PAGE + 8;
	execute(c, STXR(X));
	assert_int_equal(c->x[4], 1); /* and that attempt has spent the monitor */
}

static void another_mapping_of_the_same_place_succeeds(void **state)
{
	struct cpu *c = *state;

	c->x[0] = ALIAS;
	execute(c, LDXR(X));
	c->x[0] = PAGE;
	assert_true(store_succeeds(c, STXR(X), 8));
}

static void a_value_changed_between_fails(void **state)
{
	struct cpu *c = *state;

	execute(c, LDXR(X));
	page[0] ^= UINT64_C(1) << 63;
	assert_false(store_succeeds(c, STXR(X), 8));
	execute(c, LDXR(B));
	page[0] ^= 0x100; /* not of this byte */
	assert_true(store_succeeds(c, STXR(B), 1));
}

static void a_pair_is_compared_in_both_halves(void **state)
{
	struct cpu *c = *state;

	for (unsigned half = 0; half < 2; half++) {
		execute(c, LDXP(1));
		page[half] ^= 4;
		assert_false(store_succeeds(c, STXP(1), 16));
		execute(c, LDXP(0));
		page[0] ^= half ? UINT64_C(4) << 32 : 4;
		assert_false(store_succeeds(c, STXP(0), 8));
	}
	execute(c, LDXP(1));
	assert_int_equal(c->x[1], page[0]);
	assert_int_equal(c->x[2], page[1]);
	assert_true(store_succeeds(c, STXP(1), 16));
	page[0] = UINT64_C(0x8877665544332211);
	execute(c, LDXP(0));
	assert_int_equal(c->x[1], 0x44332211);
	assert_int_equal(c->x[2], 0x88776655);
	assert_true(store_succeeds(c, STXP(0), 8));
}

static void the_last_load_is_the_one_that_counts(void **state)
{
	struct cpu *c = *state;

	execute(c, LDXR(X));
	c->x[0] = PAGE + 8;
	execute(c, LDXR(X));
	c->x[0] = PAGE;
	assert_false(store_succeeds(c, STXR(X), 8));
}

static void clrex_makes_the_store_fail(void **state)
{
	struct cpu *c = *state;

	execute(c, LDXR(X));
	execute(c, CLREX);
	assert_false(store_succeeds(c, STXR(X), 8));
}

static void casp_that_differs_in_either_half_only_reads(void **state)
{
	struct cpu *c = *state;

	for (unsigned half = 0; half < 3; half++) {
		uint64_t was[2] = { page[0], page[1] };

		c->x[2] = 3;
		c->x[3] = 4;
		c->x[4] = page[0] + (half == 0);
		c->x[5] = page[1] + (half == 1);
		execute(c, CASP_X);
		assert_int_equal(c->x[4], was[0]);
		assert_int_equal(c->x[5], was[1]);
		assert_int_equal(page[0], half == 2 ? 3 : was[0]);
		assert_int_equal(page[1], half == 2 ? 4 : was[1]);
	}
}

/* ---- Two cpus ---- */

enum { ROUNDS = 500000 };

static void *add_exclusively(void *opaque)
{
	struct cpu *c = opaque;
	struct insn load = decoded(LDXR(X)), store = decoded(STXR(X));

	for (unsigned n = 0; n < ROUNDS; n++)
		do {
			load.exec(c, &load);
			c->x[1]++;
			store.exec(c, &store);
		} while (c->x[4]);
	return NULL;
}

static void *add_atomically(void *opaque)
{
	struct cpu *c = opaque;
	struct insn add = decoded(LDADD_X);

	c->x[1] = 1;
	for (unsigned n = 0; n < ROUNDS; n++)
		add.exec(c, &add);
	return NULL;
}

static void no_addition_is_lost(void **state)
{
	struct cpu *other = cpu_with_page();
	pthread_t t;

	page[0] = 0;
	assert_int_equal(pthread_create(&t, NULL, add_atomically, other), 0);
	add_exclusively(*state);
	pthread_join(t, NULL);
	assert_int_equal(page[0], 2 * ROUNDS);
	cpu_free(other);
}

/* Turns 16 bytes of zeroes into ones and back. */
static void *flip(void *opaque)
{
	struct cpu *c = opaque;
	struct insn cas = decoded(CASP_X);

	for (unsigned n = 0; n < ROUNDS; n++) {
		c->x[4] = c->x[5] = n & 1 ? UINT64_MAX : 0;
		c->x[2] = c->x[3] = ~c->x[4];
		cas.exec(c, &cas);
	}
	return NULL;
}

static void a_pair_is_never_seen_half_written(void **state)
{
	struct cpu *c = *state, *other = cpu_with_page();
	struct insn load = decoded(LDXP(1));
	pthread_t t;
	unsigned torn = 0;

	page[0] = page[1] = 0;
	assert_int_equal(pthread_create(&t, NULL, flip, other), 0);
	for (unsigned n = 0; n < 4 * ROUNDS; n++) {
		load.exec(c, &load);
		torn += c->x[1] != c->x[2];
	}
	pthread_join(t, NULL);
	assert_int_equal(torn, 0);
	cpu_free(other);
}

#define MONITOR_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MONITOR_TEST(a_store_exclusive_succeeds_once_after_its_load),
		MONITOR_TEST(a_store_exclusive_without_a_load_fails),
		MONITOR_TEST(another_size_fails),
		MONITOR_TEST(another_address_fails),
		MONITOR_TEST(another_mapping_of_the_same_place_succeeds),
		MONITOR_TEST(a_value_changed_between_fails),
		MONITOR_TEST(a_pair_is_compared_in_both_halves),
		MONITOR_TEST(the_last_load_is_the_one_that_counts),
		MONITOR_TEST(clrex_makes_the_store_fail),
		MONITOR_TEST(casp_that_differs_in_either_half_only_reads),
		MONITOR_TEST(no_addition_is_lost),
		MONITOR_TEST(a_pair_is_never_seen_half_written),
	};

	return cmocka_run_group_tests_name("arch/arm64/cpu/exec-excl", tests, NULL, NULL);
}
