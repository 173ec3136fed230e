/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <spec/board.h>
#include <spec/gic.h>
#include <stdlib.h>

#include "machine.h"

#define SPI1 33 /* INTID */

/* Every cpu takes group 0, where everything is; SGIs and nothing else is enabled. */
static struct soc *ready(unsigned cpus)
{
	struct soc *s = fake_soc_gicv2(cpus);

	soc_mmio_write(s, GICD(GICD_CTLR), 4, 1);
	for (unsigned id = 0; id < cpus; id++) {
		cpu_mmio_write(s->cpus[id], GICC(GICC_PMR), 4, 0xf0);
		cpu_mmio_write(s->cpus[id], GICC(GICC_CTLR), 4, GICC_CTLR_GRP0);
	}
	return s;
}

static uint64_t iar(struct cpu *c) { return cpu_mmio_read(c, GICC(GICC_IAR), 4); }
static void eoir(struct cpu *c, uint64_t v) { cpu_mmio_write(c, GICC(GICC_EOIR), 4, v); }
static void sgir(struct cpu *c, unsigned filter, unsigned targets, unsigned intid)
{
	cpu_mmio_write(c, GICD(GICD_SGIR), 4, (uint64_t)filter << 24 | targets << 16 | intid);
}

static void identification_counts_interrupts_and_cpus(void **state)
{
	struct soc *s = fake_soc_gicv2(5);
	uint64_t v = 0;

	(void)state;
	assert_int_equal(soc_mmio_read(s, GICD(GICD_TYPER), 4), 2 | 4 << GICD_TYPER_CPUS_SHIFT);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IIDR), 4), GIC_IIDR_ARM);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_PIDR2), 4), 0);
	assert_int_equal(bus_access(s->env.bus, gpa(BOARD_GICR_BASE), 4, &v, false), BUS_NOBODY);
	fake_soc_free(s);
}

static void one_enable_is_for_both_groups(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICD(GICD_CTLR), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_CTLR), 4), 1);
	soc_mmio_write(s, GICC(GICC_CTLR), 4, GICC_CTLR_GRP0 | GICC_CTLR_GRP1);
	soc_mmio_write(s, GICD(GICD_IGROUPR), 4, 2);
	for (unsigned intid = 0; intid < 2; intid++) {
		sgir(c, GICD_SGIR_SELF, 0, intid);
		assert_int_equal(signal_of(c), SIGNAL_IRQ);
		soc_mmio_write(s, GICD(GICD_CTLR), 4, 2);
		assert_int_equal(signal_of(c), SIGNAL_NONE);
		assert_int_equal(soc_mmio_read(s, GICD(GICD_CTLR), 4), 0);
		soc_mmio_write(s, GICD(GICD_CTLR), 4, 1);
		soc_mmio_write(s, GICD(GICD_CPENDSGIR), 4, UINT32_MAX);
	}
	fake_soc_free(s);
}

static void registers_of_private_interrupts_are_those_of_who_asks(void **state)
{
	struct soc *s = fake_soc_gicv2(2);
	struct cpu *a = s->cpus[0], *b = s->cpus[1];

	(void)state;
	assert_int_equal(cpu_mmio_read(b, GICD(GICD_ISENABLER), 4), 0xffff); /* SGIs from the start */
	cpu_mmio_write(b, GICD(GICD_ISENABLER), 4, 1 << 27);
	cpu_mmio_write(b, GICD(GICD_IPRIORITYR + 27), 1, 0x80);
	gic_set_ppi(b, 27, true);
	assert_int_equal(cpu_mmio_read(a, GICD(GICD_ISENABLER), 4), 0xffff);
	assert_int_equal(cpu_mmio_read(b, GICD(GICD_ISENABLER), 4), 0x0800ffff);
	assert_int_equal(cpu_mmio_read(a, GICD(GICD_IPRIORITYR + 27), 1), 0);
	assert_int_equal(cpu_mmio_read(b, GICD(GICD_IPRIORITYR + 24), 4), 0x80000000);
	assert_int_equal(cpu_mmio_read(a, GICD(GICD_ISPENDR), 4), 0);
	assert_int_equal(cpu_mmio_read(b, GICD(GICD_ISPENDR), 4), 1 << 27);
	/* Nobody in particular is the first. */
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISENABLER), 4), 0xffff);
	/* SPIs are everybody's. */
	cpu_mmio_write(b, GICD(GICD_ISENABLER + 4), 4, 2);
	assert_int_equal(cpu_mmio_read(a, GICD(GICD_ISENABLER + 4), 4), 2);
	assert_int_equal(cpu_mmio_read(a, GICD(GICD_ISENABLER + 12), 4), 0);
	fake_soc_free(s);
}

static void targets_of_private_interrupts_tell_a_cpu_its_number(void **state)
{
	struct soc *s = fake_soc_gicv2(3);

	(void)state;
	for (unsigned id = 0; id < 3; id++) {
		cpu_mmio_write(s->cpus[id], GICD(GICD_ITARGETSR + 28), 4, UINT32_MAX);
		assert_int_equal(cpu_mmio_read(s->cpus[id], GICD(GICD_ITARGETSR + 28), 4), 0x01010101u << id);
		assert_int_equal(cpu_mmio_read(s->cpus[id], GICD(GICD_ITARGETSR + 3), 1), 1u << id);
	}
	fake_soc_free(s);
}

static void an_spi_goes_to_the_first_of_its_targets(void **state)
{
	struct soc *s = ready(3);

	(void)state;
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, 2);
	gic_set_spi(s, 1, true);
	assert_int_equal(signal_of(s->cpus[0]), SIGNAL_IRQ); /* none yet */
	soc_mmio_write(s, GICD(GICD_ITARGETSR + SPI1), 1, 0xfe);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ITARGETSR + SPI1), 1), 6);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ITARGETSR + 32), 4), 0x0600);
	assert_int_equal(signal_of(s->cpus[0]), SIGNAL_NONE);
	assert_int_equal(signal_of(s->cpus[1]), SIGNAL_IRQ);
	assert_int_equal(signal_of(s->cpus[2]), SIGNAL_NONE);
	soc_mmio_write(s, GICD(GICD_ITARGETSR + 32), 4, 0x04040404);
	assert_int_equal(signal_of(s->cpus[1]), SIGNAL_NONE);
	assert_int_equal(iar(s->cpus[0]), GIC_INTID_NONE);
	assert_int_equal(iar(s->cpus[2]), SPI1);
	/* Moved while it is active: pending where it belongs once it has ended. */
	soc_mmio_write(s, GICD(GICD_ITARGETSR + SPI1), 1, 1);
	assert_int_equal(signal_of(s->cpus[0]), SIGNAL_NONE);
	eoir(s->cpus[2], SPI1);
	assert_int_equal(signal_of(s->cpus[0]), SIGNAL_IRQ);
	fake_soc_free(s);
}

static void sgir_filters_choose_targets(void **state)
{
	struct soc *s = ready(3);
	static const struct {
		unsigned filter, targets, want;
	} rows[] = {
		{ GICD_SGIR_LIST, 0xfd, 5 },
		{ GICD_SGIR_LIST, 0xf8, 0 },
		{ GICD_SGIR_OTHERS, 0xff, 5 },
		{ GICD_SGIR_SELF, 0, 2 },
		{ 3, 0xff, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		sgir(s->cpus[1], rows[i].filter, rows[i].targets, 9);
		for (unsigned id = 0; id < 3; id++) {
			struct cpu *c = s->cpus[id];

			if (rows[i].want >> id & 1) {
				assert_int_equal(iar(c), 1 << GICC_IAR_SOURCE_SHIFT | 9);
				eoir(c, 1 << GICC_IAR_SOURCE_SHIFT | 9);
			}
			assert_int_equal(iar(c), GIC_INTID_NONE);
		}
	}
	assert_int_equal(soc_mmio_read(s, GICD(GICD_SGIR), 4), 0);
	fake_soc_free(s);
}

static void an_sgi_is_pending_for_each_cpu_it_came_from(void **state)
{
	struct soc *s = ready(3);
	struct cpu *c = s->cpus[0];

	(void)state;
	sgir(s->cpus[2], GICD_SGIR_LIST, 1, 4);
	sgir(s->cpus[1], GICD_SGIR_LIST, 1, 4);
	sgir(s->cpus[1], GICD_SGIR_LIST, 1, 4); /* pending already */
	assert_int_equal(soc_mmio_read(s, GICD(GICD_SPENDSGIR + 4), 4), 6);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISPENDR), 4), 1 << 4);
	assert_int_equal(soc_mmio_read(s, GICC(GICC_HPPIR), 4), 1 << GICC_IAR_SOURCE_SHIFT | 4);
	assert_int_equal(iar(c), 1 << GICC_IAR_SOURCE_SHIFT | 4);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_CPENDSGIR + 4), 1), 4);
	assert_int_equal(signal_of(c), SIGNAL_NONE); /* one at a time */
	eoir(c, 1 << GICC_IAR_SOURCE_SHIFT | 4);
	assert_int_equal(iar(c), 2 << GICC_IAR_SOURCE_SHIFT | 4);
	eoir(c, 2 << GICC_IAR_SOURCE_SHIFT | 4);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISPENDR), 4), 0);
	fake_soc_free(s);
}

static void sources_can_be_set_and_cleared_byte_by_byte(void **state)
{
	struct soc *s = ready(2);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICD(GICD_SPENDSGIR), 4, 0x01ff0203);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_CPENDSGIR), 4), 0x01030203); /* two cpus */
	soc_mmio_write(s, GICD(GICD_CPENDSGIR), 1, 1);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_SPENDSGIR), 4), 0x01030202);
	soc_mmio_write(s, GICD(GICD_SPENDSGIR + 15), 1, 2);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_SPENDSGIR + 12), 4), 0x02000000);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISPENDR), 4), 0x800f);
	/* The other registers of pending interrupts do not reach SGIs. */
	soc_mmio_write(s, GICD(GICD_ICPENDR), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISPENDR), 4), 0x800f);
	for (unsigned at = 0; at < 16; at += 4)
		soc_mmio_write(s, GICD(GICD_CPENDSGIR + at), 4, UINT32_MAX);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	soc_mmio_write(s, GICD(GICD_ISPENDR), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISPENDR), 4), 0xffff0000);
	assert_int_equal(cpu_mmio_read(s->cpus[1], GICD(GICD_ISPENDR), 4), 0);
	fake_soc_free(s);
}

static void only_words_and_in_places_bytes_are_let_through(void **state)
{
	struct soc *s = fake_soc_gicv2(1);

	(void)state;
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 8, UINT64_MAX);
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 1, 0xff);
	soc_mmio_write(s, GICD(GICD_ISENABLER + 6), 4, UINT32_MAX);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISENABLER + 4), 4), 0);
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 32), 8, UINT64_MAX);
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 32), 2, UINT16_MAX);
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 41), 1, 0xff);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IPRIORITYR + 32), 4), 0);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IPRIORITYR + 40), 4), 0xf800);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IPRIORITYR + 40), 8), 0);
	fake_soc_free(s);
}

static void any_access_at_any_offset_and_size_is_survived(void **state)
{
	struct soc *s = ready(3);
	static const uint64_t values[] = { 0, UINT64_MAX, UINT64_C(0x5555aaaa12345678) };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(values); i++) {
		for (unsigned size = 1; size <= 8; size *= 2) {
			for (uint64_t at = 0; at + size <= BOARD_GICD_SIZE + BOARD_GICC_SIZE; at += 1 + at / 0x2000) {
				if (at < BOARD_GICD_SIZE && at + size > BOARD_GICD_SIZE)
					continue;
				cpu_mmio_write(s->cpus[at % 3], GICD(at), size, values[i]);
				cpu_mmio_read(s->cpus[at % 3], GICD(at), size);
			}
		}
	}
	gic_reset(s);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_SPENDSGIR), 4), 0);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ITARGETSR + 32), 4), 0);
	fake_soc_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identification_counts_interrupts_and_cpus),
		cmocka_unit_test(one_enable_is_for_both_groups),
		cmocka_unit_test(registers_of_private_interrupts_are_those_of_who_asks),
		cmocka_unit_test(targets_of_private_interrupts_tell_a_cpu_its_number),
		cmocka_unit_test(an_spi_goes_to_the_first_of_its_targets),
		cmocka_unit_test(sgir_filters_choose_targets),
		cmocka_unit_test(an_sgi_is_pending_for_each_cpu_it_came_from),
		cmocka_unit_test(sources_can_be_set_and_cleared_byte_by_byte),
		cmocka_unit_test(only_words_and_in_places_bytes_are_let_through),
		cmocka_unit_test(any_access_at_any_offset_and_size_is_survived),
	};

	return cmocka_run_group_tests_name("arch/arm64/gic/dist2", tests, NULL, NULL);
}
