/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <spec/board.h>
#include <spec/gic.h>
#include <stdlib.h>

#include "machine.h"

/* All cpus take group 1, all SPIs are in it and disabled. */
static struct soc *ready(unsigned cpus)
{
	struct soc *s = fake_soc(cpus);

	soc_mmio_write(s, GICD(GICD_CTLR), 4, GICD_CTLR_GRP1);
	for (unsigned k = 1; k <= 2; k++)
		soc_mmio_write(s, GICD(GICD_IGROUPR + 4 * k), 4, UINT32_MAX);
	for (unsigned id = 0; id < cpus; id++) {
		soc_mmio_write(s, GICR(id, GICR_WAKER), 4, 0);
		ICC_WRITE(s->cpus[id], pmr, 0xf0);
		ICC_WRITE(s->cpus[id], igrpen1, 1);
	}
	return s;
}

static void identification_says_gicv3_with_one_security_state(void **state)
{
	struct soc *s = fake_soc(1);

	(void)state;
	assert_int_equal(soc_mmio_read(s, GICD(GICD_PIDR2), 4) & 0xf0, GIC_PIDR2_ARCHREV3);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_CTLR), 4), GICD_CTLR_ARE | GICD_CTLR_DS);
	/* 96 INTIDs, 10 bits of INTID, A3V; no LPIs, no message-based SPIs, no range selector */
	assert_int_equal(soc_mmio_read(s, GICD(GICD_TYPER), 4), 2 | 9 << 19 | 1 << 24);
	assert_int_not_equal(soc_mmio_read(s, GICD(GICD_IIDR), 4), 0);
	fake_soc_free(s);
}

static void ctlr_keeps_only_the_group_enables_and_rwp_reads_0(void **state)
{
	struct soc *s = fake_soc(1);

	(void)state;
	soc_mmio_write(s, GICD(GICD_CTLR), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_CTLR), 4), 0x53);
	soc_mmio_write(s, GICD(GICD_CTLR), 4, 0);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_CTLR), 4), 0x50);
	fake_soc_free(s);
}

static void registers_of_private_interrupts_and_of_absent_spis_are_razwi(void **state)
{
	static const uint32_t arrays[] = { GICD_IGROUPR, GICD_ISENABLER, GICD_ISPENDR, GICD_ISACTIVER };
	struct soc *s = fake_soc(1);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		soc_mmio_write(s, GICD(arrays[i]), 4, UINT32_MAX);
		soc_mmio_write(s, GICD(arrays[i] + 3 * 4), 4, UINT32_MAX);
		soc_mmio_write(s, GICD(arrays[i] + 31 * 4), 4, UINT32_MAX);
		assert_int_equal(soc_mmio_read(s, GICD(arrays[i]), 4), 0);
		assert_int_equal(soc_mmio_read(s, GICD(arrays[i] + 3 * 4), 4), 0);
		assert_int_equal(soc_mmio_read(s, GICD(arrays[i] + 31 * 4), 4), 0);
	}
	soc_mmio_write(s, GICD(GICD_IPRIORITYR), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IPRIORITYR), 4), 0);
	soc_mmio_write(s, GICD(GICD_IROUTER + 8 * 31), 8, UINT64_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IROUTER + 8 * 31), 8), 0);
	soc_mmio_write(s, GICD(GICD_ITARGETSR + 32), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ITARGETSR + 32), 4), 0);
	fake_soc_free(s);
}

static void set_and_clear_registers_change_only_the_bits_written(void **state)
{
	struct soc *s = fake_soc(1);

	(void)state;
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, 0xf0);
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, 0x0f);
	soc_mmio_write(s, GICD(GICD_ICENABLER + 4), 4, 0x11);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISENABLER + 4), 4), 0xee);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ICENABLER + 4), 4), 0xee);
	soc_mmio_write(s, GICD(GICD_ISACTIVER + 4), 4, 0x3);
	soc_mmio_write(s, GICD(GICD_ICACTIVER + 4), 4, 0x1);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ICACTIVER + 4), 4), 0x2);
	/* A pair of words at once. */
	soc_mmio_write(s, GICD(GICD_ISENABLER + 8), 4, 0x80000000);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISENABLER), 8), UINT64_C(0xee) << 32);
	fake_soc_free(s);
}

static void priorities_take_bytes_and_keep_five_bits(void **state)
{
	struct soc *s = fake_soc(1);

	(void)state;
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 32), 4, 0x04030201 | 0x10203040);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IPRIORITYR + 32), 4), 0x10203040);
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 33), 1, 0xaf);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IPRIORITYR + 32), 4), 0x1020a840);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IPRIORITYR + 33), 1), 0xa8);
	fake_soc_free(s);
}

static void a_write_makes_an_interrupt_pending_until_it_is_taken_or_cleared(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, 2);
	soc_mmio_write(s, GICD(GICD_ISPENDR + 4), 4, 2);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	soc_mmio_write(s, GICD(GICD_ICPENDR + 4), 4, 2);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	soc_mmio_write(s, GICD(GICD_ISPENDR + 4), 4, 2);
	assert_int_equal(ICC_READ(c, iar1), 33);
	ICC_WRITE(c, eoir1, 33);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	/* Clearing has no effect on a wire. */
	gic_set_spi(s, 1, true);
	soc_mmio_write(s, GICD(GICD_ICPENDR + 4), 4, 2);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	fake_soc_free(s);
}

static void icfgr_decides_what_a_wire_means(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, UINT32_MAX);
	soc_mmio_write(s, GICD(GICD_ICFGR + 8), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ICFGR + 8), 4), 0xaaaaaaaa);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ICFGR + 12), 4), 0);
	gic_set_spi(s, 15, true);
	gic_set_spi(s, 15, false);
	assert_int_equal(ICC_READ(c, iar1), 47);
	ICC_WRITE(c, eoir1, 47);
	gic_set_spi(s, 16, true);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	gic_set_spi(s, 16, false);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	fake_soc_free(s);
}

static void irouter_sends_an_spi_to_one_cpu_and_moves_a_pending_one(void **state)
{
	struct soc *s = ready(18);

	(void)state;
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, 2);
	gic_set_spi(s, 1, true);
	assert_int_equal(signal_of(s->cpus[0]), SIGNAL_IRQ);
	soc_mmio_write(s, GICD(GICD_IROUTER + 8 * 33), 8, 0x101); /* 0.0.1.1: cpu 17 */
	assert_int_equal(signal_of(s->cpus[0]), SIGNAL_NONE);
	assert_int_equal(signal_of(s->cpus[17]), SIGNAL_IRQ);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IROUTER + 8 * 33), 8), 0x101);
	/* By halves. */
	soc_mmio_write(s, GICD(GICD_IROUTER + 8 * 33), 4, 0x3);
	assert_int_equal(signal_of(s->cpus[17]), SIGNAL_NONE);
	assert_int_equal(signal_of(s->cpus[3]), SIGNAL_IRQ);
	soc_mmio_write(s, GICD(GICD_IROUTER + 8 * 33 + 4), 4, 0x1); /* Aff3 = 1: nobody */
	assert_int_equal(signal_of(s->cpus[3]), SIGNAL_NONE);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISPENDR + 4), 4), 2);
	soc_mmio_write(s, GICD(GICD_IROUTER + 8 * 33), 8, UINT64_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IROUTER + 8 * 33), 8), 0xff80ffffff);
	fake_soc_free(s);
}

static void an_active_spi_moved_away_pends_at_its_new_cpu_when_it_ends(void **state)
{
	struct soc *s = ready(2);

	(void)state;
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, 2);
	gic_set_spi(s, 1, true);
	assert_int_equal(ICC_READ(s->cpus[0], iar1), 33);
	soc_mmio_write(s, GICD(GICD_IROUTER + 8 * 33), 8, 1);
	assert_int_equal(signal_of(s->cpus[1]), SIGNAL_NONE);
	ICC_WRITE(s->cpus[0], eoir1, 33);
	assert_int_equal(signal_of(s->cpus[0]), SIGNAL_NONE);
	assert_int_equal(signal_of(s->cpus[1]), SIGNAL_IRQ);
	fake_soc_free(s);
}

static unsigned signalled(struct soc *s, unsigned *which)
{
	unsigned n = 0;

	for (unsigned id = 0; id < s->cfg.vcpu_count; id++)
		if (signal_of(s->cpus[id])) {
			*which = id;
			n++;
		}
	return n;
}

static void one_of_n_signals_exactly_one_participating_cpu(void **state)
{
	struct soc *s = ready(4);
	unsigned who = 99, next = 99;

	(void)state;
	ICC_WRITE(s->cpus[0], igrpen1, 0); /* does not take part */
	soc_mmio_write(s, GICR(1, GICR_WAKER), 4, GICR_WAKER_SLEEP);
	soc_mmio_write(s, GICD(GICD_IROUTER + 8 * 33), 8, GICD_IROUTER_IRM);
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, 2);
	gic_set_spi(s, 1, true);
	assert_int_equal(signalled(s, &who), 1);
	assert_in_range(who, 2, 3);
	/* Its target leaves before taking it: somebody else gets it. */
	ICC_WRITE(s->cpus[who], igrpen1, 0);
	assert_int_equal(signalled(s, &next), 1);
	assert_int_equal(next, 5 - who);
	ICC_WRITE(s->cpus[next], igrpen1, 0);
	assert_int_equal(signalled(s, &next), 0);
	/* And whoever comes first gets it in the end. */
	ICC_WRITE(s->cpus[0], igrpen1, 1);
	assert_int_equal(signalled(s, &next), 1);
	assert_int_equal(next, 0);
	assert_int_equal(ICC_READ(s->cpus[0], iar1), 33);
	gic_set_spi(s, 1, false);
	ICC_WRITE(s->cpus[0], eoir1, 33);
	assert_int_equal(signalled(s, &next), 0);
	fake_soc_free(s);
}

static void any_access_at_any_offset_and_size_is_survived(void **state)
{
	struct soc *s = fake_soc(3);
	static const uint64_t values[] = { 0, UINT64_MAX, UINT64_C(0x5555aaaa12345678) };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			for (uint64_t at = 0; at + size <= BOARD_GICD_SIZE; at++) {
				soc_mmio_write(s, GICD(at), size, values[i]);
				soc_mmio_read(s, GICD(at), size);
			}
			for (uint64_t at = 0; at + size <= 3 * BOARD_GICR_STRIDE; at += 1 + at / 0x2000) {
				soc_mmio_write(s, GICR(0, at), size, values[i]);
				soc_mmio_read(s, GICR(0, at), size);
			}
		}
	}
	gic_set_spi(s, 63, true);
	gic_set_spi(s, 64, true);
	gic_set_spi(s, UINT32_MAX, true);
	fake_soc_free(s);
}

static void misaligned_and_odd_sizes_read_as_zero_and_write_nothing(void **state)
{
	struct soc *s = fake_soc(1);

	(void)state;
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISENABLER + 5), 1), 0);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISENABLER + 6), 4), 0);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISENABLER + 4), 2), 0);
	soc_mmio_write(s, GICD(GICD_ICENABLER + 4), 1, 0xff);
	soc_mmio_write(s, GICD(GICD_ICENABLER + 4), 2, 0xffff);
	soc_mmio_write(s, GICD(GICD_ICENABLER + 2), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISENABLER + 4), 4), UINT32_MAX);
	fake_soc_free(s);
}

static void all_988_spis_can_be_had(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	timer_destroy(s);
	gic_destroy(s);
	bus_free(s->env.bus);
	s->env.bus = bus_new();
	s->cfg.spi_count = 992; /* the special INTIDs stay special */
	assert_int_equal(gic_init(s), 0);
	assert_int_equal(timer_init(s), 0);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_TYPER), 4) & 0x1f, 31);
	soc_mmio_write(s, GICD(GICD_CTLR), 4, GICD_CTLR_GRP1);
	soc_mmio_write(s, GICD(GICD_IGROUPR + 4 * 31), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IGROUPR + 4 * 31), 4), 0x0fffffff);
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4 * 31), 4, UINT32_MAX);
	soc_mmio_write(s, GICD(GICD_ISPENDR + 4 * 31), 4, 0xf8000000);
	ICC_WRITE(c, pmr, 0xf0);
	ICC_WRITE(c, igrpen1, 1);
	assert_int_equal(ICC_READ(c, iar1), 1019);
	ICC_WRITE(c, eoir1, 1019);
	assert_int_equal(ICC_READ(c, iar1), 1023);
	fake_soc_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identification_says_gicv3_with_one_security_state),
		cmocka_unit_test(ctlr_keeps_only_the_group_enables_and_rwp_reads_0),
		cmocka_unit_test(registers_of_private_interrupts_and_of_absent_spis_are_razwi),
		cmocka_unit_test(set_and_clear_registers_change_only_the_bits_written),
		cmocka_unit_test(priorities_take_bytes_and_keep_five_bits),
		cmocka_unit_test(a_write_makes_an_interrupt_pending_until_it_is_taken_or_cleared),
		cmocka_unit_test(icfgr_decides_what_a_wire_means),
		cmocka_unit_test(irouter_sends_an_spi_to_one_cpu_and_moves_a_pending_one),
		cmocka_unit_test(an_active_spi_moved_away_pends_at_its_new_cpu_when_it_ends),
		cmocka_unit_test(one_of_n_signals_exactly_one_participating_cpu),
		cmocka_unit_test(any_access_at_any_offset_and_size_is_survived),
		cmocka_unit_test(misaligned_and_odd_sizes_read_as_zero_and_write_nothing),
		cmocka_unit_test(all_988_spis_can_be_had),
	};

	return cmocka_run_group_tests_name("arch/arm64/gic/dist", tests, NULL, NULL);
}
