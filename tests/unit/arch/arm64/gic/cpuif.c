/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <spec/board.h>
#include <spec/gic.h>
#include <stdlib.h>

#include "machine.h"

/* Everything enabled, group 1, priority 0xa0 unless said otherwise; PMR open. */
static struct soc *ready(unsigned cpus)
{
	struct soc *s = fake_soc(cpus);

	soc_mmio_write(s, GICD(GICD_CTLR), 4, GICD_CTLR_GRP0 | GICD_CTLR_GRP1);
	for (unsigned k = 1; k <= 2; k++) {
		soc_mmio_write(s, GICD(GICD_IGROUPR + 4 * k), 4, UINT32_MAX);
		soc_mmio_write(s, GICD(GICD_ISENABLER + 4 * k), 4, UINT32_MAX);
	}
	for (unsigned intid = 32; intid < 96; intid++)
		soc_mmio_write(s, GICD(GICD_IPRIORITYR + intid), 1, 0xa0);
	for (unsigned id = 0; id < cpus; id++) {
		struct cpu *c = s->cpus[id];

		soc_mmio_write(s, GICR(id, GICR_WAKER), 4, 0);
		soc_mmio_write(s, GICR(id, GICR_IGROUPR0), 4, UINT32_MAX);
		soc_mmio_write(s, GICR(id, GICR_ISENABLER0), 4, UINT32_MAX);
		for (unsigned intid = 0; intid < 32; intid++)
			soc_mmio_write(s, GICR(id, GICR_IPRIORITYR + intid), 1, 0xa0);
		ICC_WRITE(c, pmr, 0xff);
		ICC_WRITE(c, igrpen0, 1);
		ICC_WRITE(c, igrpen1, 1);
	}
	return s;
}

static uint64_t sgi1r(unsigned aff1, unsigned targets, unsigned intid)
{
	return (uint64_t)aff1 << 16 | (uint64_t)intid << 24 | targets;
}

static void reset_state_is_what_the_manual_says(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	assert_int_equal(ICC_READ(c, pmr), 0);
	assert_int_equal(ICC_READ(c, bpr0), 2);
	assert_int_equal(ICC_READ(c, bpr1), 3);
	assert_int_equal(ICC_READ(c, igrpen0), 0);
	assert_int_equal(ICC_READ(c, igrpen1), 0);
	assert_int_equal(ICC_READ(c, rpr), 0xff);
	assert_int_equal(ICC_READ(c, iar1), 1023);
	assert_int_equal(ICC_READ(c, hppir1), 1023);
	/* PRIbits 5, IDbits 16, A3V, no RSS */
	assert_int_equal(ICC_READ(c, ctlr), 4 << 8 | 1 << 15);
	fake_soc_free(s);
}

static void pmr_has_five_bits(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	/* How Linux finds out whether it has group 0: the lowest bit that may exist. */
	ICC_WRITE(c, pmr, 1 << (8 - 5));
	assert_int_equal(ICC_READ(c, pmr), 8);
	ICC_WRITE(c, pmr, 0xff);
	assert_int_equal(ICC_READ(c, pmr), 0xf8);
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 40), 1, 0xff);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_IPRIORITYR + 40), 1), 0xf8);
	fake_soc_free(s);
}

static void only_a_priority_strictly_above_pmr_is_signalled(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	ICC_WRITE(c, pmr, 0xa0);
	gic_set_spi(s, 1, true);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	assert_int_equal(ICC_READ(c, iar1), 1023);
	assert_int_equal(ICC_READ(c, hppir1), 33); /* pending all the same */
	ICC_WRITE(c, pmr, 0xa8);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	ICC_WRITE(c, pmr, 0xa0);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	fake_soc_free(s);
}

static void pseudo_nmi_passes_a_pmr_that_masks_ordinary_interrupts(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICR(0, GICR_IPRIORITYR + 7), 1, 0x20);
	ICC_WRITE(c, pmr, 0x60); /* as Linux masks interrupts */
	gic_set_spi(s, 1, true);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	ICC_WRITE(c, sgi1r, sgi1r(0, 1, 7));
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	assert_int_equal(ICC_READ(c, iar1), 7);
	assert_int_equal(ICC_READ(c, rpr), 0x20);
	ICC_WRITE(c, eoir1, 7);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	ICC_WRITE(c, pmr, 0xe0);
	assert_int_equal(ICC_READ(c, iar1), 33);
	fake_soc_free(s);
}

static void the_most_urgent_is_acknowledged_first(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 50), 1, 0x40);
	gic_set_spi(s, 1, true);
	gic_set_spi(s, 18, true);
	assert_int_equal(ICC_READ(c, hppir1), 50);
	assert_int_equal(ICC_READ(c, iar1), 50);
	gic_set_spi(s, 18, false);
	ICC_WRITE(c, eoir1, 50);
	assert_int_equal(ICC_READ(c, iar1), 33);
	fake_soc_free(s);
}

static void ties_go_to_the_lower_intid(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	gic_set_spi(s, 33, true);
	gic_set_spi(s, 2, true);
	assert_int_equal(ICC_READ(c, hppir1), 34);
	gic_set_spi(s, 1, true);
	assert_int_equal(ICC_READ(c, hppir1), 33);
	gic_set_ppi(c, 27, true);
	assert_int_equal(ICC_READ(c, iar1), 27);
	fake_soc_free(s);
}

static void preemption_needs_a_higher_group_priority(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 33), 1, 0xa0);
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 34), 1, 0x90);
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 35), 1, 0x80);
	ICC_WRITE(c, bpr1, 5); /* group priority is bits 7:5: 0x80 and 0xa0 differ, 0x80 and 0x90 do not */
	gic_set_spi(s, 1, true);
	assert_int_equal(ICC_READ(c, iar1), 33);
	assert_int_equal(ICC_READ(c, rpr), 0xa0);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	gic_set_spi(s, 2, true);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	assert_int_equal(ICC_READ(c, iar1), 34);
	assert_int_equal(ICC_READ(c, rpr), 0x80); /* 0x90 without its subpriority */
	gic_set_spi(s, 3, true);                  /* 0x80: more urgent, same group priority */
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	assert_int_equal(ICC_READ(c, iar1), 1023);
	assert_int_equal(ICC_READ(c, hppir1), 35);
	assert_int_equal(ICC_READ(c, ap1r0), 1 << (0x80 >> 3) | UINT64_C(1) << (0xa0 >> 3));
	gic_set_spi(s, 2, false);
	ICC_WRITE(c, eoir1, 34);
	assert_int_equal(ICC_READ(c, rpr), 0xa0);
	assert_int_equal(ICC_READ(c, iar1), 35);
	fake_soc_free(s);
}

static void binary_points_have_minima_and_cbpr_ties_them(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	ICC_WRITE(c, bpr0, 0);
	ICC_WRITE(c, bpr1, 0);
	assert_int_equal(ICC_READ(c, bpr0), 2);
	assert_int_equal(ICC_READ(c, bpr1), 3);
	ICC_WRITE(c, bpr0, 5);
	ICC_WRITE(c, ctlr, ICC_CTLR_CBPR);
	assert_int_equal(ICC_READ(c, bpr1), 6);
	ICC_WRITE(c, bpr1, 4); /* ignored */
	assert_int_equal(ICC_READ(c, bpr1), 6);
	ICC_WRITE(c, bpr0, 7);
	assert_int_equal(ICC_READ(c, bpr1), 7);
	/* With BPR0 = 7 nothing preempts. */
	gic_set_spi(s, 1, true);
	assert_int_equal(ICC_READ(c, iar1), 33);
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 34), 1, 0);
	gic_set_spi(s, 2, true);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	ICC_WRITE(c, ctlr, 0);
	assert_int_equal(ICC_READ(c, bpr1), 3);
	fake_soc_free(s);
}

static void a_level_interrupt_pends_again_after_eoi_while_its_wire_is_high(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	gic_set_spi(s, 1, true);
	assert_int_equal(ICC_READ(c, iar1), 33);
	/* Active and, the wire being high, pending; not signalled. */
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISACTIVER + 4), 4), 2);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISPENDR + 4), 4), 2);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	ICC_WRITE(c, eoir1, 33);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	assert_int_equal(ICC_READ(c, iar1), 33);
	gic_set_spi(s, 1, false);
	ICC_WRITE(c, eoir1, 33);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	assert_int_equal(ICC_READ(c, iar1), 1023);
	fake_soc_free(s);
}

static void an_edge_is_remembered_and_one_during_service_makes_it_active_and_pending(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICD(GICD_ICFGR + 8), 4, 2 << 2); /* INTID 33 */
	gic_set_spi(s, 1, true);
	gic_set_spi(s, 1, false);
	assert_int_equal(ICC_READ(c, iar1), 33);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISPENDR + 4), 4), 0);
	gic_set_spi(s, 1, true);
	gic_set_spi(s, 1, false);
	gic_set_spi(s, 1, true); /* two edges, one latch */
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISPENDR + 4), 4), 2);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISACTIVER + 4), 4), 2);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	ICC_WRITE(c, eoir1, 33);
	assert_int_equal(ICC_READ(c, iar1), 33);
	ICC_WRITE(c, eoir1, 33);
	assert_int_equal(ICC_READ(c, iar1), 1023); /* the wire is still high: no new edge */
	fake_soc_free(s);
}

static void eoimode_1_drops_the_priority_and_dir_deactivates(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	ICC_WRITE(c, ctlr, ICC_CTLR_EOIMODE);
	gic_set_spi(s, 1, true);
	assert_int_equal(ICC_READ(c, iar1), 33);
	ICC_WRITE(c, eoir1, 33);
	assert_int_equal(ICC_READ(c, rpr), 0xff);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISACTIVER + 4), 4), 2);
	assert_int_equal(signal_of(c), SIGNAL_NONE); /* high, but active */
	gic_set_spi(s, 2, true);                     /* same priority: may come now */
	assert_int_equal(ICC_READ(c, iar1), 34);
	ICC_WRITE(c, dir, 33);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISACTIVER + 4), 4), 4);
	ICC_WRITE(c, eoir1, 34);
	assert_int_equal(ICC_READ(c, iar1), 33);
	fake_soc_free(s);
}

static void eoimode_0_does_both_and_dir_does_nothing(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	gic_set_spi(s, 1, true);
	assert_int_equal(ICC_READ(c, iar1), 33);
	ICC_WRITE(c, dir, 33);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISACTIVER + 4), 4), 2);
	gic_set_spi(s, 1, false);
	ICC_WRITE(c, eoir1, 33);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISACTIVER + 4), 4), 0);
	assert_int_equal(ICC_READ(c, rpr), 0xff);
	fake_soc_free(s);
}

static void eoi_of_special_or_absent_intids_is_harmless(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	gic_set_spi(s, 1, true);
	assert_int_equal(ICC_READ(c, iar1), 33);
	ICC_WRITE(c, eoir1, 1023);
	assert_int_equal(ICC_READ(c, rpr), 0xa0);
	ICC_WRITE(c, eoir0, 33); /* the other group's register */
	assert_int_equal(ICC_READ(c, rpr), 0xa0);
	ICC_WRITE(c, eoir1, 0xffffff);
	ICC_WRITE(c, eoir1, 900); /* no such SPI here: only the drop */
	assert_int_equal(ICC_READ(c, rpr), 0xff);
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISACTIVER + 4), 4), 2);
	ICC_WRITE(c, eoir1, 33); /* nothing is running */
	assert_int_equal(soc_mmio_read(s, GICD(GICD_ISACTIVER + 4), 4), 2);
	fake_soc_free(s);
}

static void group_0_is_signalled_as_fiq_and_has_its_own_registers(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICD(GICD_IGROUPR + 4), 4, ~UINT32_C(2));
	gic_set_spi(s, 1, true);
	assert_int_equal(signal_of(c), SIGNAL_FIQ);
	assert_int_equal(ICC_READ(c, iar1), 1023);
	assert_int_equal(ICC_READ(c, hppir1), 1023);
	assert_int_equal(ICC_READ(c, hppir0), 33);
	assert_int_equal(ICC_READ(c, iar0), 33);
	assert_int_equal(ICC_READ(c, ap0r0), UINT64_C(1) << (0xa0 >> 3));
	assert_int_equal(ICC_READ(c, ap1r0), 0);
	gic_set_spi(s, 1, false);
	ICC_WRITE(c, eoir0, 33);
	assert_int_equal(ICC_READ(c, rpr), 0xff);
	fake_soc_free(s);
}

static void a_disabled_group_hides_its_interrupts_from_the_other(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICD(GICD_IGROUPR + 4), 4, ~UINT32_C(2));
	soc_mmio_write(s, GICD(GICD_IPRIORITYR + 33), 1, 0);
	gic_set_spi(s, 1, true);
	gic_set_spi(s, 2, true);
	assert_int_equal(signal_of(c), SIGNAL_FIQ);
	ICC_WRITE(c, igrpen0, 0);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	assert_int_equal(ICC_READ(c, iar0), 1023);
	ICC_WRITE(c, igrpen0, 1);
	soc_mmio_write(s, GICD(GICD_CTLR), 4, GICD_CTLR_GRP1);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	ICC_WRITE(c, igrpen1, 0);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	assert_int_equal(ICC_READ(c, hppir1), 1023);
	fake_soc_free(s);
}

static void an_interrupt_disabled_after_it_was_signalled_is_not_acknowledged(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	gic_set_spi(s, 1, true);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	soc_mmio_write(s, GICD(GICD_ICENABLER + 4), 4, 2);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	assert_int_equal(ICC_READ(c, iar1), 1023);
	soc_mmio_write(s, GICD(GICD_ISENABLER + 4), 4, 2);
	gic_set_spi(s, 1, false); /* the device takes it back */
	assert_int_equal(ICC_READ(c, iar1), 1023);
	fake_soc_free(s);
}

static void sgi_target_lists_name_cpus_by_affinity(void **state)
{
	struct soc *s = ready(20);

	(void)state;
	ICC_WRITE(s->cpus[0], sgi1r, sgi1r(0, 1 << 3 | 1 << 0 | 1 << 15, 5));
	for (unsigned id = 0; id < 20; id++)
		assert_int_equal(signal_of(s->cpus[id]), id == 0 || id == 3 || id == 15);
	/* cpu 17 is affinity 0.0.1.1 */
	ICC_WRITE(s->cpus[0], sgi1r, sgi1r(1, 1 << 1 | 1 << 9, 6));
	for (unsigned id = 16; id < 20; id++)
		assert_int_equal(signal_of(s->cpus[id]), id == 17);
	assert_int_equal(ICC_READ(s->cpus[17], iar1), 6);
	/* An SGI is an edge: taken once. */
	ICC_WRITE(s->cpus[17], eoir1, 6);
	assert_int_equal(ICC_READ(s->cpus[17], iar1), 1023);
	/* Nobody: range selector 1 is Aff0 16..31, Aff2, Aff3. */
	ICC_WRITE(s->cpus[0], sgi1r, sgi1r(1, 2, 6) | UINT64_C(1) << 44);
	ICC_WRITE(s->cpus[0], sgi1r, sgi1r(1, 2, 6) | UINT64_C(1) << 32);
	ICC_WRITE(s->cpus[0], sgi1r, sgi1r(1, 2, 6) | UINT64_C(1) << 48);
	assert_int_equal(signal_of(s->cpus[17]), SIGNAL_NONE);
	fake_soc_free(s);
}

static void irm_sends_an_sgi_to_all_but_self(void **state)
{
	struct soc *s = ready(18);

	(void)state;
	ICC_WRITE(s->cpus[2], sgi1r, UINT64_C(1) << 40 | UINT64_C(9) << 24 | 4);
	for (unsigned id = 0; id < 18; id++) {
		assert_int_equal(signal_of(s->cpus[id]), id != 2);
		assert_int_equal(ICC_READ(s->cpus[id], iar1), id == 2 ? 1023 : 9);
	}
	fake_soc_free(s);
}

static void sgi0r_and_asgi1r_reach_group_0_only(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	soc_mmio_write(s, GICR(0, GICR_IGROUPR0), 4, ~(UINT32_C(1) << 3));
	ICC_WRITE(c, sgi0r, sgi1r(0, 1, 4));
	ICC_WRITE(c, asgi1r, sgi1r(0, 1, 4));
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	ICC_WRITE(c, asgi1r, sgi1r(0, 1, 3));
	assert_int_equal(ICC_READ(c, iar0), 3);
	ICC_WRITE(c, eoir0, 3);
	ICC_WRITE(c, sgi0r, sgi1r(0, 1, 3));
	assert_int_equal(ICC_READ(c, iar0), 3);
	ICC_WRITE(c, eoir0, 3);
	ICC_WRITE(c, sgi1r, sgi1r(0, 1, 3));
	assert_int_equal(signal_of(c), SIGNAL_FIQ);
	fake_soc_free(s);
}

static void warm_reset_closes_the_cpu_interface_and_keeps_what_is_pending(void **state)
{
	struct soc *s = ready(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	gic_set_ppi(c, 27, true);
	assert_int_equal(signal_of(c), SIGNAL_IRQ);
	gic_cpu_reset(c);
	assert_int_equal(signal_of(c), SIGNAL_NONE);
	ICC_WRITE(c, pmr, 0xf0);
	ICC_WRITE(c, igrpen1, 1);
	assert_int_equal(ICC_READ(c, iar1), 27);
	fake_soc_free(s);
}

struct sender {
	struct cpu *cpu;
	pthread_barrier_t *barrier;
	unsigned rounds;
};

static void *send_sgis(void *opaque)
{
	struct sender *r = opaque;

	for (unsigned i = 0; i < r->rounds; i++) {
		pthread_barrier_wait(r->barrier);
		ICC_WRITE(r->cpu, sgi1r, sgi1r(0, 1, 5));
		pthread_barrier_wait(r->barrier);
	}
	return NULL;
}

/* The PMR write that takes no lock races with an interrupt becoming pending. */
static void no_interrupt_is_lost_when_pmr_opens_at_the_same_moment(void **state)
{
	struct soc *s = ready(2);
	struct cpu *c = s->cpus[0];
	pthread_barrier_t barrier;
	struct sender r = { s->cpus[1], &barrier, 3000 };
	pthread_t thread;

	(void)state;
	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, send_sgis, &r), 0);
	for (unsigned i = 0; i < r.rounds; i++) {
		ICC_WRITE(c, pmr, 0x80);
		pthread_barrier_wait(&barrier);
		for (volatile unsigned k = 0; k < i % 64; k++)
			;
		ICC_WRITE(c, pmr, 0xf0);
		pthread_barrier_wait(&barrier);
		assert_int_equal(signal_of(c), SIGNAL_IRQ);
		assert_int_equal(ICC_READ(c, iar1), 5);
		ICC_WRITE(c, eoir1, 5);
	}
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&barrier);
	fake_soc_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_state_is_what_the_manual_says),
		cmocka_unit_test(pmr_has_five_bits),
		cmocka_unit_test(only_a_priority_strictly_above_pmr_is_signalled),
		cmocka_unit_test(pseudo_nmi_passes_a_pmr_that_masks_ordinary_interrupts),
		cmocka_unit_test(the_most_urgent_is_acknowledged_first),
		cmocka_unit_test(ties_go_to_the_lower_intid),
		cmocka_unit_test(preemption_needs_a_higher_group_priority),
		cmocka_unit_test(binary_points_have_minima_and_cbpr_ties_them),
		cmocka_unit_test(a_level_interrupt_pends_again_after_eoi_while_its_wire_is_high),
		cmocka_unit_test(an_edge_is_remembered_and_one_during_service_makes_it_active_and_pending),
		cmocka_unit_test(eoimode_1_drops_the_priority_and_dir_deactivates),
		cmocka_unit_test(eoimode_0_does_both_and_dir_does_nothing),
		cmocka_unit_test(eoi_of_special_or_absent_intids_is_harmless),
		cmocka_unit_test(group_0_is_signalled_as_fiq_and_has_its_own_registers),
		cmocka_unit_test(a_disabled_group_hides_its_interrupts_from_the_other),
		cmocka_unit_test(an_interrupt_disabled_after_it_was_signalled_is_not_acknowledged),
		cmocka_unit_test(sgi_target_lists_name_cpus_by_affinity),
		cmocka_unit_test(irm_sends_an_sgi_to_all_but_self),
		cmocka_unit_test(sgi0r_and_asgi1r_reach_group_0_only),
		cmocka_unit_test(no_interrupt_is_lost_when_pmr_opens_at_the_same_moment),
		cmocka_unit_test(warm_reset_closes_the_cpu_interface_and_keeps_what_is_pending),
	};

	return cmocka_run_group_tests_name("arch/arm64/gic/cpuif", tests, NULL, NULL);
}
