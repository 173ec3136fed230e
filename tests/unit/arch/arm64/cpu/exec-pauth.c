/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pointer authentication: where the code sits, what a failed check leaves, and that the hash stays what it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arm64/cpu/cpu.h"

/* All on x0 with modifier x1. */
#define PACIA   0xdac10020u
#define PACDB   0xdac10c20u
#define AUTIA   0xdac11020u
#define AUTIB   0xdac11420u
#define AUTDB   0xdac11c20u
#define XPACI   0xdac143e0u
#define PACGA   0x9ac13002u /* x2, x0, x1 */
#define PACIASP 0xd503233fu
#define AUTIASP 0xd50323bfu

#define ENABLE_ALL (UINT64_C(1) << 31 | UINT64_C(1) << 30 | UINT64_C(1) << 27 | UINT64_C(1) << 13)
#define TBI0       (UINT64_C(1) << 37)
#define TBID0      (UINT64_C(1) << 51)
#define T0SZ(n)    (UINT64_C(n))
#define T1SZ(n)    (UINT64_C(n) << 16)

#define USER   UINT64_C(0x0000aaaabbbbccc0) /* 48-bit addresses of both ranges */
#define KERNEL UINT64_C(0xffff800012345678)
#define TAGGED UINT64_C(0x5a00aaaabbbbccc0)

static struct cpu *new_cpu(uint64_t tcr)
{
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~(size_t)63);

	assert_non_null(c);
	memset(c, 0, sizeof(*c));
	c->soc = calloc(1, sizeof(*c->soc));
	assert_non_null(c->soc);
	c->soc->features = UINT64_C(1) << FEAT_NONE | UINT64_C(1) << FEAT_PAUTH;
	c->sys[SYS_SCTLR_EL1] = ENABLE_ALL;
	c->sys[SYS_TCR_EL1] = tcr;
	for (unsigned k = SYS_APIAKEYLO_EL1; k <= SYS_APIAKEYLO_EL1 + 9; k++)
		c->sys[k] = UINT64_C(0x0123456789abcdef) * (k - SYS_APIAKEYLO_EL1 + 1);
	c->x[1] = 0x1234;
	return c;
}

static void free_cpu(struct cpu *c)
{
	free(c->soc);
	free(c);
}

static void run(struct cpu *c, uint32_t word)
{
	struct insn i;

	a64_decode(word, c->soc->features, false, &i);
	assert_int_not_equal(i.op, OP_COUNT);
	assert_int_equal(i.exec(c, &i), EXEC_NEXT);
}

static uint64_t on(struct cpu *c, uint32_t word, uint64_t x0)
{
	c->x[0] = x0;
	run(c, word);
	return c->x[0];
}

static void a_signed_pointer_authenticates_and_strips_to_itself(void **state)
{
	static const uint64_t tcrs[] = { T0SZ(16) | T1SZ(16), T0SZ(16) | T1SZ(16) | TBI0, T0SZ(25) | T1SZ(25),
					 T0SZ(16) | T1SZ(16) | TBI0 | TBID0 };
	static const uint64_t pointers[] = { USER & 0x7fffffffff, 0x1000, KERNEL | UINT64_C(0xffffffe000000000) };

	(void)state;
	for (unsigned t = 0; t < ARRAY_SIZE(tcrs); t++) {
		struct cpu *c = new_cpu(tcrs[t]);

		for (unsigned p = 0; p < ARRAY_SIZE(pointers); p++) {
			uint64_t s = on(c, PACIA, pointers[p]);

			assert_true(s != pointers[p]);
			assert_true(bit(s, 55) == bit(pointers[p], 55));
			assert_true(on(c, AUTIA, s) == pointers[p]);
			assert_true(on(c, XPACI, s) == pointers[p]);
			assert_true(on(c, AUTDB, on(c, PACDB, pointers[p])) == pointers[p]);
		}
		free_cpu(c);
	}
}

static void the_code_leaves_address_and_tag_alone(void **state)
{
	struct cpu *c = new_cpu(T0SZ(16) | T1SZ(16) | TBI0);
	uint64_t s;

	(void)state;
	s = on(c, PACIA, TAGGED);
	assert_true(((s ^ TAGGED) & UINT64_C(0xff80ffffffffffff)) == 0); /* TBI: tag, bit 55 and address */
	s = on(c, PACIA, KERNEL);
	assert_true(((s ^ KERNEL) & UINT64_C(0x0080ffffffffffff)) == 0);
	assert_true((s ^ KERNEL) >> 56); /* without TBI the top byte belongs to the code */
	free_cpu(c);
}

static void a_failed_check_names_the_key_and_leaves_no_valid_address(void **state)
{
	struct cpu *c = new_cpu(T0SZ(16) | T1SZ(16) | TBI0);
	uint64_t user = on(c, PACIA, USER), kernel = on(c, PACIA, KERNEL);

	(void)state;
	c->x[1]++;
	assert_true(on(c, AUTIA, user) == (USER | UINT64_C(1) << 53));
	assert_true(on(c, AUTIB, user) == (USER | UINT64_C(2) << 53));
	assert_true(on(c, AUTIA, kernel) == (KERNEL & ~(UINT64_C(2) << 61)));
	assert_true(on(c, AUTIB, kernel) == (KERNEL & ~(UINT64_C(1) << 61)));
	free_cpu(c);
}

/* Arm ARM, AddPAC: or a signing gadget would turn any wrong pointer into one that authenticates. */
static void signing_an_invalid_pointer_does_not_help(void **state)
{
	struct cpu *c = new_cpu(T0SZ(16) | T1SZ(16));
	uint64_t poisoned = USER | UINT64_C(1) << 61, s = on(c, PACIA, poisoned);

	(void)state;
	assert_true(on(c, AUTIA, s) != USER);
	free_cpu(c);
}

static void a_key_that_is_off_changes_nothing(void **state)
{
	struct cpu *c = new_cpu(T0SZ(16) | T1SZ(16));

	(void)state;
	c->sys[SYS_SCTLR_EL1] = ENABLE_ALL & ~(UINT64_C(1) << 31);
	assert_true(on(c, PACIA, USER) == USER);
	assert_true(on(c, AUTIA, USER | UINT64_C(1) << 60) == (USER | UINT64_C(1) << 60));
	assert_true(on(c, PACDB, USER) != USER);
	free_cpu(c);
}

static void without_the_feature_the_hints_are_nops(void **state)
{
	struct cpu *c = new_cpu(T0SZ(16) | T1SZ(16));

	(void)state;
	c->x[30] = USER;
	c->x[SLOT_SP] = 0x8000;
	run(c, PACIASP);
	assert_true(c->x[30] != USER);
	run(c, AUTIASP);
	assert_true(c->x[30] == USER);
	c->soc->features = UINT64_C(1) << FEAT_NONE;
	run(c, PACIASP);
	assert_true(c->x[30] == USER);
	free_cpu(c);
}

/* A VM takes its signed pointers along to another host: these numbers must never change. */
static void the_hash_is_what_it_was(void **state)
{
	struct cpu *c = new_cpu(T0SZ(16) | T1SZ(16));

	(void)state;
	assert_true(on(c, PACIA, USER) == UINT64_C(0x7d35aaaabbbbccc0));
	c->x[0] = USER;
	run(c, PACGA);
	assert_true(c->x[2] == UINT64_C(0xd9dec31600000000));
	free_cpu(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signed_pointer_authenticates_and_strips_to_itself),
		cmocka_unit_test(the_code_leaves_address_and_tag_alone),
		cmocka_unit_test(a_failed_check_names_the_key_and_leaves_no_valid_address),
		cmocka_unit_test(signing_an_invalid_pointer_does_not_help),
		cmocka_unit_test(a_key_that_is_off_changes_nothing),
		cmocka_unit_test(without_the_feature_the_hints_are_nops),
		cmocka_unit_test(the_hash_is_what_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
