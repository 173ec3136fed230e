/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <spec/board.h>
#include <spec/gic.h>
#include <stdlib.h>

#include "machine.h"

#define BOTH (GICC_CTLR_GRP0 | GICC_CTLR_GRP1)

/* One cpu; SPIs enabled with priority 0xa0, the even INTIDs in group 1. */
static struct soc *ready(uint32_t ctlr)
{
	struct soc *s = fake_soc_gicv2(1);

	soc_mmio_write(s, GICD(GICD_CTLR), 4, 1);
	for (unsigned k = 1; k <= 2; k++) {
		soc_mmio_write(s, GICD(GICD_IGROUPR + 4 * k), 4, 0x55555555);
		soc_mmio_write(s, GICD(GICD_ISENABLER + 4 * k), 4, UINT32_MAX);
	}
	for (unsigned intid = 32; intid < 96; intid += 4)
		soc_mmio_write(s, GICD(GICD_IPRIORITYR + intid), 4, 0xa0a0a0a0);
	soc_mmio_write(s, GICC(GICC_PMR), 4, 0xff);
	soc_mmio_write(s, GICC(GICC_CTLR), 4, ctlr);
	return s;
}

static uint64_t get(struct soc *s, uint32_t reg) { return soc_mmio_read(s, GICC(reg), 4); }
static void put(struct soc *s, uint32_t reg, uint64_t v) { soc_mmio_write(s, GICC(reg), 4, v); }
static void pend(struct soc *s, unsigned intid)
{
	soc_mmio_write(s, GICD(GICD_ISPENDR + intid / 32 * 4), 4, UINT64_C(1) << intid % 32);
}
static bool active(struct soc *s, unsigned intid)
{
	return soc_mmio_read(s, GICD(GICD_ISACTIVER + intid / 32 * 4), 4) >> intid % 32 & 1;
}

static void reset_state_is_what_the_manual_says(void **state)
{
	struct soc *s = fake_soc_gicv2(1);

	(void)state;
	assert_int_equal(get(s, GICC_CTLR), 0);
	assert_int_equal(get(s, GICC_PMR), 0);
	assert_int_equal(get(s, GICC_BPR), 2);
	assert_int_equal(get(s, GICC_ABPR), 3);
	assert_int_equal(get(s, GICC_RPR), 0xff);
	assert_int_equal(get(s, GICC_IAR), 1023);
	assert_int_equal(get(s, GICC_HPPIR), 1023);
	assert_int_equal(get(s, GICC_IIDR) >> 16 & 0xf, 2);
	put(s, GICC_CTLR, UINT32_MAX);
	assert_int_equal(get(s, GICC_CTLR), 0x21f);
	put(s, GICC_PMR, UINT32_MAX);
	assert_int_equal(get(s, GICC_PMR), 0xf8);
	fake_soc_free(s);
}

static void a_warm_reset_is_one_of_the_cpu_interface(void **state)
{
	struct soc *s = ready(BOTH | GICC_CTLR_EOIMODE);

	(void)state;
	pend(s, 33);
	assert_int_equal(get(s, GICC_IAR), 33);
	gic_cpu_reset(s->cpus[0]);
	assert_int_equal(get(s, GICC_CTLR), 0);
	assert_int_equal(get(s, GICC_APR0), 0);
	assert_true(active(s, 33));
	fake_soc_free(s);
}

static void group_0_is_an_irq_unless_fiqs_are_enabled(void **state)
{
	struct soc *s = ready(BOTH);
	struct cpu *c = s->cpus[0];

	(void)state;
	pend(s, 33);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	put(s, GICC_CTLR, BOTH | GICC_CTLR_FIQEN);
	assert_int_equal(signal_of(c), SIGNAL_FIQ);
	assert_int_equal(get(s, GICC_IAR), 33);
	put(s, GICC_EOIR, 33);
	pend(s, 34);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	fake_soc_free(s);
}

static void group_1_is_taken_by_the_alias_registers(void **state)
{
	struct soc *s = ready(BOTH);

	(void)state;
	pend(s, 34);
	assert_int_equal(get(s, GICC_HPPIR), 1022);
	assert_int_equal(get(s, GICC_IAR), 1022);
	assert_false(active(s, 34));
	assert_int_equal(get(s, GICC_AHPPIR), 34);
	assert_int_equal(get(s, GICC_AIAR), 34);
	assert_true(active(s, 34));
	put(s, GICC_AEOIR, 34);
	assert_false(active(s, 34));
	pend(s, 33);
	assert_int_equal(get(s, GICC_AHPPIR), 1023);
	assert_int_equal(get(s, GICC_AIAR), 1023);
	assert_int_equal(get(s, GICC_IAR), 33);
	/* Not its group. */
	put(s, GICC_AEOIR, 33);
	assert_true(active(s, 33));
	put(s, GICC_EOIR, 33);
	assert_false(active(s, 33));
	fake_soc_free(s);
}

static void ackctl_makes_the_first_registers_serve_both_groups(void **state)
{
	struct soc *s = ready(BOTH | GICC_CTLR_ACKCTL);

	(void)state;
	pend(s, 34);
	assert_int_equal(get(s, GICC_HPPIR), 34);
	assert_int_equal(get(s, GICC_IAR), 34);
	put(s, GICC_EOIR, 34);
	assert_false(active(s, 34));
	assert_int_equal(get(s, GICC_RPR), 0xff);
	fake_soc_free(s);
}

static void a_group_that_is_off_is_not_signalled(void **state)
{
	struct soc *s = ready(GICC_CTLR_GRP0);
	struct cpu *c = s->cpus[0];

	(void)state;
	pend(s, 34);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	assert_int_equal(get(s, GICC_IAR), 1023);
	put(s, GICC_CTLR, GICC_CTLR_GRP1);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	pend(s, 33);
	assert_int_equal(get(s, GICC_AIAR), 34);
	fake_soc_free(s);
}

static void eoimode_leaves_deactivation_to_dir(void **state)
{
	struct soc *s = ready(GICC_CTLR_GRP0 | GICC_CTLR_EOIMODE);

	(void)state;
	pend(s, 33);
	assert_int_equal(get(s, GICC_IAR), 33);
	assert_int_equal(get(s, GICC_RPR), 0xa0);
	put(s, GICC_EOIR, 33);
	assert_int_equal(get(s, GICC_RPR), 0xff);
	assert_true(active(s, 33));
	pend(s, 33);
	assert_int_equal(get(s, GICC_IAR), 1023);
	put(s, GICC_DIR, 33);
	assert_false(active(s, 33));
	assert_int_equal(get(s, GICC_IAR), 33);
	/* What names no interrupt ends none. */
	put(s, GICC_EOIR, 1023);
	assert_int_equal(get(s, GICC_RPR), 0xa0);
	fake_soc_free(s);
}

static void one_register_shows_the_active_priorities_of_both_groups(void **state)
{
	struct soc *s = ready(BOTH | GICC_CTLR_ACKCTL);

	(void)state;
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 35), 1, 0x40);
	pend(s, 34);
	assert_int_equal(get(s, GICC_IAR), 34);
	pend(s, 35);
	assert_int_equal(get(s, GICC_IAR), 35);
	assert_int_equal(get(s, GICC_APR0), 1u << (0xa0 >> 3) | 1u << (0x40 >> 3));
	assert_int_equal(get(s, GICC_RPR), 0x40);
	put(s, GICC_APR0, 1u << (0x10 >> 3));
	assert_int_equal(get(s, GICC_RPR), 0x10);
	fake_soc_free(s);
}

static void binary_points_decide_about_preemption_group_by_group(void **state)
{
	struct soc *s = ready(BOTH | GICC_CTLR_ACKCTL);

	(void)state;
	put(s, GICC_BPR, 0);
	put(s, GICC_ABPR, 0);
	assert_int_equal(get(s, GICC_BPR), 2);
	assert_int_equal(get(s, GICC_ABPR), 3);
	put(s, GICC_BPR, 6); /* of group 0: bit 7 only */
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 33), 1, 0x80);
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 34), 1, 0x88);
	pend(s, 35);
	assert_int_equal(get(s, GICC_IAR), 35);
	assert_int_equal(get(s, GICC_RPR), 0x80);
	pend(s, 33);
	assert_int_equal(get(s, GICC_IAR), 1023);
	put(s, GICC_EOIR, 35);
	assert_int_equal(get(s, GICC_IAR), 33);
	fake_soc_free(s);
}

static void only_aligned_words_have_effects(void **state)
{
	struct soc *s = ready(GICC_CTLR_GRP0);

	(void)state;
	pend(s, 33);
	assert_int_equal(soc_mmio_read(s, GICC(GICC_IAR), 1), 0);
	assert_int_equal(soc_mmio_read(s, GICC(GICC_IAR), 2), 0);
	assert_int_equal(soc_mmio_read(s, GICC(GICC_BPR), 8), 0);
	assert_int_equal(soc_mmio_read(s, GICC(GICC_IAR + 1), 4), 0);
	assert_false(active(s, 33));
	assert_int_equal(get(s, GICC_IAR), 33);
	fake_soc_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_state_is_what_the_manual_says),
		cmocka_unit_test(a_warm_reset_is_one_of_the_cpu_interface),
		cmocka_unit_test(group_0_is_an_irq_unless_fiqs_are_enabled),
		cmocka_unit_test(group_1_is_taken_by_the_alias_registers),
		cmocka_unit_test(ackctl_makes_the_first_registers_serve_both_groups),
		cmocka_unit_test(a_group_that_is_off_is_not_signalled),
		cmocka_unit_test(eoimode_leaves_deactivation_to_dir),
		cmocka_unit_test(one_register_shows_the_active_priorities_of_both_groups),
		cmocka_unit_test(binary_points_decide_about_preemption_group_by_group),
		cmocka_unit_test(only_aligned_words_have_effects),
	};

	return cmocka_run_group_tests_name("arch/arm64/gic/cpuif2", tests, NULL, NULL);
}
