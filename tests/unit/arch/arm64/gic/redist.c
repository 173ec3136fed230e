/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <spec/board.h>
#include <spec/gic.h>
#include <stdlib.h>
#include <vmm/arch.h>

#include "machine.h"

static void typer_mpidr_and_device_tree_agree_on_affinity(void **state)
{
	struct soc *s = fake_soc(18);

	(void)state;
	for (unsigned id = 0; id < 18; id++) {
		uint64_t typer = soc_mmio_read(s, GICR(id, GICR_TYPER), 8);

		assert_int_equal(typer >> 32, arch_affinity(id));
		assert_int_equal(arch_mpidr(id), 0x80000000 | arch_affinity(id));
		assert_int_equal(typer >> 8 & 0xffff, id);
		assert_int_equal(typer & GICR_TYPER_LAST, id == 17 ? GICR_TYPER_LAST : 0);
		assert_int_equal(typer & 0x2f, 0); /* no LPIs, no DPG */
		assert_int_equal(soc_mmio_read(s, GICR(id, GICR_TYPER + 4), 4), arch_affinity(id));
		assert_int_equal(soc_mmio_read(s, GICR(id, GICR_PIDR2), 4) & 0xf0, GIC_PIDR2_ARCHREV3);
	}
	assert_int_equal(arch_affinity(16), 0x100);
	assert_int_equal(arch_affinity(511), 0x1f0f);
	fake_soc_free(s);
}

static void cpus_beyond_the_first_region_are_in_the_second(void **state)
{
	struct soc *s = fake_soc(BOARD_GICR_COUNT + 2);
	uint64_t second = BOARD_GICR2_BASE + BOARD_GICR_STRIDE, v = 0;

	(void)state;
	assert_true(soc_mmio_read(s, GICR(BOARD_GICR_COUNT - 1, GICR_TYPER), 8) & GICR_TYPER_LAST);
	assert_false(soc_mmio_read(s, BOARD_GICR2_BASE + GICR_TYPER, 8) & GICR_TYPER_LAST);
	assert_int_equal(soc_mmio_read(s, second + GICR_TYPER, 8) >> 8 & 0xffff, BOARD_GICR_COUNT + 1);
	assert_true(soc_mmio_read(s, second + GICR_TYPER, 8) & GICR_TYPER_LAST);
	assert_int_equal(bus_access(s->env.bus, gpa(second + BOARD_GICR_STRIDE), 4, &v, false), BUS_NOBODY);
	fake_soc_free(s);
}

static void children_follow_processor_sleep(void **state)
{
	struct soc *s = fake_soc(1);

	(void)state;
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_WAKER), 4), 6);
	soc_mmio_write(s, GICR(0, GICR_WAKER), 4, 0);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_WAKER), 4), 0);
	soc_mmio_write(s, GICR(0, GICR_WAKER), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_WAKER), 4), 6);
	fake_soc_free(s);
}

static void private_interrupts_are_banked(void **state)
{
	struct soc *s = fake_soc(2);

	(void)state;
	soc_mmio_write(s, GICR(0, GICR_ISENABLER0), 4, 0x08000001);
	soc_mmio_write(s, GICR(1, GICR_IPRIORITYR + 27), 1, 0x80);
	gic_set_ppi(s->cpus[1], 27, true);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_ISENABLER0), 4), 0x08000001);
	assert_int_equal(soc_mmio_read(s, GICR(1, GICR_ISENABLER0), 4), 0);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_IPRIORITYR + 24), 4), 0);
	assert_int_equal(soc_mmio_read(s, GICR(1, GICR_IPRIORITYR + 24), 4), 0x80000000);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_ISPENDR0), 4), 0);
	assert_int_equal(soc_mmio_read(s, GICR(1, GICR_ISPENDR0), 4), 0x08000000);
	/* The frame has one bank: the next word is nothing. */
	soc_mmio_write(s, GICR(0, GICR_ISENABLER0 + 4), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_ISENABLER0 + 4), 4), 0);
	fake_soc_free(s);
}

static void sgis_are_edge_triggered_for_ever_and_ppis_as_configured(void **state)
{
	struct soc *s = fake_soc(1);

	(void)state;
	soc_mmio_write(s, GICR(0, GICR_ICFGR0), 4, 0);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_ICFGR0), 4), 0xaaaaaaaa);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_ICFGR1), 4), 0);
	soc_mmio_write(s, GICR(0, GICR_ICFGR1), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_ICFGR1), 4), 0xaaaaaaaa);
	fake_soc_free(s);
}

static void reset_forgets_everything_but_the_wires(void **state)
{
	struct soc *s = fake_soc(1);

	(void)state;
	gic_set_ppi(s->cpus[0], 30, true);
	gic_set_spi(s, 5, true);
	soc_mmio_write(s, GICR(0, GICR_ISENABLER0), 4, UINT32_MAX);
	soc_mmio_write(s, GICR(0, GICR_ISPENDR0), 4, UINT32_MAX);
	soc_mmio_write(s, GICD(GICD_ISACTIVER + 4), 4, UINT32_MAX);
	gic_reset(s);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_ISENABLER0), 4), 0);
	assert_int_equal(soc_mmio_read(s, GICR(0, GICR_ISPENDR0), 4), 1 << 30);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISPENDR + 4), 4), 1 << 5);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISACTIVER + 4), 4), 0);
	fake_soc_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(typer_mpidr_and_device_tree_agree_on_affinity),
		cmocka_unit_test(cpus_beyond_the_first_region_are_in_the_second),
		cmocka_unit_test(children_follow_processor_sleep),
		cmocka_unit_test(private_interrupts_are_banked),
		cmocka_unit_test(sgis_are_edge_triggered_for_ever_and_ppis_as_configured),
		cmocka_unit_test(reset_forgets_everything_but_the_wires),
	};

	return cmocka_run_group_tests_name("arch/arm64/gic/redist", tests, NULL, NULL);
}
