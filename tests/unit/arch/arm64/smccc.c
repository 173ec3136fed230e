/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <spec/psci.h>
#include <spec/smccc.h>
#include <stdlib.h>

#include "machine.h"

static int64_t call(struct cpu *c, uint64_t id, uint64_t arg)
{
	c->x[0] = id;
	c->x[1] = arg;
	c->x[2] = c->x[3] = UINT64_MAX;
	c->x[4] = 0x4444;
	c->x[17] = 0x1717;
	assert_int_equal(smccc_call(c), EXEC_NEXT);
	assert_int_equal(c->x[4], 0x4444);
	assert_int_equal(c->x[17], 0x1717);
	return (int64_t)c->x[0];
}

static void unknown_functions_are_not_supported(void **state)
{
	static const uint32_t ids[] = {
		0,          1,          0x7fffffff, 0xffffffff, 0x80000002, 0x8000ffff,
		0x84000005, 0x84000007, 0x8400000e, 0x84000054, 0xc4000050, 0xc4000000,
		0xc4000002, 0xc400000a, 0x8600ff01, 0xc5000022, 0x95c1ba5e,
	};
	struct soc *s = fake_soc(1);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(call(s->cpus[0], ids[i], 0), SMCCC_NOT_SUPPORTED);
	fake_soc_free(s);
}

static void version_is_1_1_and_features_knows_itself(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	assert_int_equal(call(c, SMCCC_VERSION, 0), SMCCC_VERSION_1_1);
	assert_int_equal(c->x[1] | c->x[2] | c->x[3], 0);
	assert_int_equal(call(c, SMCCC_ARCH_FEATURES, SMCCC_VERSION), SMCCC_SUCCESS);
	assert_int_equal(call(c, SMCCC_ARCH_FEATURES, SMCCC_ARCH_FEATURES), SMCCC_SUCCESS);
	assert_int_equal(call(c, SMCCC_ARCH_FEATURES, SMCCC_ARCH_SOC_ID), SMCCC_NOT_SUPPORTED);
	assert_int_equal(call(c, SMCCC_ARCH_FEATURES, 0x12345678), SMCCC_NOT_SUPPORTED);
	fake_soc_free(s);
}

static void no_workaround_is_needed(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	assert_int_equal(call(c, SMCCC_ARCH_FEATURES, SMCCC_WORKAROUND_1), SMCCC_UNAFFECTED);
	assert_int_equal(call(c, SMCCC_ARCH_FEATURES, SMCCC_WORKAROUND_2), SMCCC_NOT_REQUIRED);
	assert_int_equal(call(c, SMCCC_ARCH_FEATURES, SMCCC_WORKAROUND_3), SMCCC_UNAFFECTED);
	assert_int_equal(call(c, SMCCC_WORKAROUND_1, 0), SMCCC_NOT_SUPPORTED);
	fake_soc_free(s);
}

static void trng_answers_while_its_bit_is_set_and_vanishes_without(void **state)
{
	static const uint32_t ids[] = { TRNG_VERSION, TRNG_FEATURES, TRNG_GET_UUID, TRNG_RND32, TRNG_RND64 };
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	assert_int_equal(call(c, TRNG_VERSION, 0), TRNG_VERSION_1_0);
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(call(c, TRNG_FEATURES, ids[i]), SMCCC_SUCCESS);
	assert_int_equal(call(c, TRNG_FEATURES, PSCI_VERSION), SMCCC_NOT_SUPPORTED);
	assert_int_equal(call(c, TRNG_FEATURES, 0xc4000051), SMCCC_NOT_SUPPORTED);
	assert_true(call(c, TRNG_GET_UUID, 0) > 0);
	/* Requirement E9. */
	s->sys[SYS_SMCCC_STD_BMAP] = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(ids); i++)
		assert_int_equal(call(c, ids[i], 32), SMCCC_NOT_SUPPORTED);
	fake_soc_free(s);
}

static void entropy_is_right_aligned_and_never_more_than_asked(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];
	uint64_t seen[3] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(call(c, TRNG_RND32, 40), SMCCC_SUCCESS);
		assert_int_equal(c->x[1], 0);
		assert_int_equal(c->x[2] >> 8, 0);
		assert_int_equal(c->x[3] >> 32, 0);
		assert_int_equal(call(c, TRNG_RND64, 130), SMCCC_SUCCESS);
		assert_int_equal(c->x[1] >> 2, 0);
		for (unsigned k = 0; k < 3; k++)
			seen[k] |= c->x[1 + k];
	}
	assert_int_equal(seen[0], 3); /* all bits seen set: 2^-200 of bad luck each */
	assert_int_equal(seen[1], UINT64_MAX);
	assert_int_equal(seen[2], UINT64_MAX);
	assert_int_equal(call(c, TRNG_RND32, 96), SMCCC_SUCCESS);
	assert_int_equal(call(c, TRNG_RND32, 97), TRNG_INVALID_PARAMETERS);
	assert_int_equal(call(c, TRNG_RND64, 192), SMCCC_SUCCESS);
	assert_int_equal(call(c, TRNG_RND64, 193), TRNG_INVALID_PARAMETERS);
	assert_int_equal(call(c, TRNG_RND64, 0), TRNG_INVALID_PARAMETERS);
	assert_int_equal(call(c, TRNG_RND64, UINT64_MAX), TRNG_INVALID_PARAMETERS);
	assert_int_equal(call(c, TRNG_RND32, UINT64_C(1) << 40 | 32), SMCCC_SUCCESS);
	assert_int_equal(c->x[2], 0);
	fake_soc_free(s);
}

enum gate { BIT, FROM };

static void E9_a_call_whose_feature_is_off_does_not_exist(void **state)
{
	static const struct {
		uint32_t id;
		enum gate gate;
		unsigned reg;
		uint64_t value;
	} rows[] = {
#define SMCCC(id, NAME, service, gate, reg, value, handler) { id, gate, SYS_##reg, value },
#include <vmm/smccc.def>
	};
	static const uint32_t discovery[] = { SMCCC_ARCH_FEATURES, PSCI_FEATURES, TRNG_FEATURES };
	unsigned bits_seen = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct soc *s = fake_soc(1);
		struct cpu *c = s->cpus[0];
		uint64_t *feature = &s->sys[rows[i].reg];

		if (rows[i].gate == FROM && !rows[i].value) {
			fake_soc_free(s);
			continue; /* always there */
		}
		bits_seen += rows[i].gate == BIT;
		*feature = rows[i].gate == BIT ? *feature & ~(UINT64_C(1) << rows[i].value) : rows[i].value - 1;
		assert_int_equal(call(c, rows[i].id, 0), SMCCC_NOT_SUPPORTED);
		for (unsigned k = 0; k < ARRAY_SIZE(discovery); k++)
			assert_int_equal(call(c, discovery[k], rows[i].id), SMCCC_NOT_SUPPORTED);
		fake_soc_free(s);
	}
	assert_true(bits_seen > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_functions_are_not_supported),
		cmocka_unit_test(version_is_1_1_and_features_knows_itself),
		cmocka_unit_test(no_workaround_is_needed),
		cmocka_unit_test(trng_answers_while_its_bit_is_set_and_vanishes_without),
		cmocka_unit_test(E9_a_call_whose_feature_is_off_does_not_exist),
		cmocka_unit_test(entropy_is_right_aligned_and_never_more_than_asked),
	};

	return cmocka_run_group_tests_name("arch/arm64/smccc", tests, NULL, NULL);
}
