/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <spec/board.h>
#include <spec/gic.h>
#include <spec/timer.h>
#include <stdlib.h>
#include <time.h>
#include <vmm/loop.h>

#include "machine.h"

#define MS (TIMER_FREQUENCY_HZ / 1000)

static uint64_t vct(struct cpu *c) { return timer_read_cntvct(c, 0); }
static void write_ctl(struct cpu *c, uint64_t v) { timer_write_cntv_ctl(c, 0, v); }
static uint64_t read_ctl(struct cpu *c) { return timer_read_cntv_ctl(c, 0); }
static void write_cval(struct cpu *c, uint64_t v) { timer_write_cntv_cval(c, 0, v); }

/* The PPI's wire as the redistributor shows it (level-sensitive, never acknowledged here). */
static bool pending(struct cpu *c, unsigned intid)
{
	return soc_mmio_read(c->soc, GICR(c->id, GICR_ISPENDR0), 4) >> intid & 1;
}

static bool virt_pending(struct cpu *c) { return pending(c, BOARD_VTIMER_PPI); }

static void stop(void *opaque) { loop_stop(opaque, 1); }

/* Lets the loop run for @ms. */
static void run_loop(struct soc *s, unsigned ms)
{
	struct loop_timer t;

	loop_timer_init(&t, s->env.loop, NULL, stop, s->env.loop);
	loop_timer_arm(&t, loop_now_ns() + ms * UINT64_C(1000000));
	loop_run(s->env.loop);
	loop_timer_arm(&t, UINT64_MAX);
}

static void counters_start_at_zero_run_at_62_5_mhz_and_agree_between_cpus(void **state)
{
	struct soc *s = fake_soc(2);
	uint64_t ns, a, b, last = 0;

	(void)state;
	assert_true(vct(s->cpus[0]) < TIMER_FREQUENCY_HZ);
	a = vct(s->cpus[0]);
	ns = loop_now_ns();
	while (loop_now_ns() - ns < 20000000)
		;
	b = vct(s->cpus[1]) - a;
	ns = loop_now_ns() - ns;
	assert_in_range(b, 20 * MS, ns / 16 + 10 * MS);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t now = i & 2 ? vct(s->cpus[i & 1]) : timer_read_cntpct(s->cpus[i & 1], 0);

		assert_true(now >= last);
		last = now;
	}
	fake_soc_free(s);
}

static void istatus_is_enable_and_condition_whatever_the_mask(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	write_cval(c, 0);
	assert_int_equal(read_ctl(c), 0);
	write_ctl(c, CNT_CTL_ENABLE | CNT_CTL_IMASK);
	assert_int_equal(read_ctl(c), CNT_CTL_ENABLE | CNT_CTL_IMASK | CNT_CTL_ISTATUS);
	assert_false(virt_pending(c));
	write_ctl(c, CNT_CTL_ENABLE);
	assert_int_equal(read_ctl(c), CNT_CTL_ENABLE | CNT_CTL_ISTATUS);
	assert_true(virt_pending(c));
	write_ctl(c, UINT64_MAX & ~UINT64_C(1)); /* ISTATUS is not writable, the rest RES0 */
	assert_int_equal(read_ctl(c), CNT_CTL_IMASK);
	assert_false(virt_pending(c));
	fake_soc_free(s);
}

static void a_cval_in_the_past_fires_at_once_and_the_largest_never(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	write_ctl(c, CNT_CTL_ENABLE);
	write_cval(c, vct(c) - 1);
	assert_true(virt_pending(c));
	write_cval(c, UINT64_MAX);
	assert_false(virt_pending(c));
	assert_int_equal(read_ctl(c), CNT_CTL_ENABLE);
	run_loop(s, 5);
	assert_false(virt_pending(c));
	/* Unsigned: far in the future, not in the past. */
	write_cval(c, UINT64_C(1) << 63);
	assert_false(virt_pending(c));
	fake_soc_free(s);
}

static void a_deadline_raises_the_line_in_time(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	write_cval(c, vct(c) + 10 * MS);
	write_ctl(c, CNT_CTL_ENABLE);
	run_loop(s, 2);
	assert_false(virt_pending(c) && vct(c) < timer_read_cntv_cval(c, 0));
	run_loop(s, 30);
	assert_true(virt_pending(c));
	assert_int_equal(read_ctl(c), CNT_CTL_ENABLE | CNT_CTL_ISTATUS);
	fake_soc_free(s);
}

static void a_masked_or_disabled_timer_does_not_fire_later(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	write_cval(c, vct(c) + 5 * MS);
	write_ctl(c, CNT_CTL_ENABLE);
	write_ctl(c, CNT_CTL_ENABLE | CNT_CTL_IMASK);
	run_loop(s, 15);
	assert_false(virt_pending(c));
	assert_true(read_ctl(c) & CNT_CTL_ISTATUS);
	write_ctl(c, 0);
	run_loop(s, 2);
	assert_false(virt_pending(c));
	fake_soc_free(s);
}

static void rewriting_takes_the_line_back_though_it_is_pending_in_the_gic(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	write_ctl(c, CNT_CTL_ENABLE);
	write_cval(c, 0);
	assert_true(virt_pending(c));
	timer_write_cntv_tval(c, 0, TIMER_FREQUENCY_HZ);
	assert_false(virt_pending(c));
	timer_write_cntv_tval(c, 0, 0);
	assert_true(virt_pending(c));
	fake_soc_free(s);
}

static void tval_is_a_signed_32_bit_view(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];
	uint64_t before = vct(c);

	(void)state;
	timer_write_cntv_tval(c, 0, 0xffffffff); /* -1 */
	assert_in_range(timer_read_cntv_cval(c, 0) + 1, before, vct(c));
	timer_write_cntv_tval(c, 0, 0x7fffffff);
	assert_in_range(timer_read_cntv_cval(c, 0) - 0x7fffffff, before, vct(c));
	write_cval(c, vct(c) + (UINT64_C(5) << 32) + 1000 * MS);
	assert_in_range(timer_read_cntv_tval(c, 0), 900 * MS, 1000 * MS); /* upper half is 0 */
	write_cval(c, 0);
	assert_in_range(timer_read_cntv_tval(c, 0), UINT32_MAX - TIMER_FREQUENCY_HZ, UINT32_MAX);
	fake_soc_free(s);
}

static void virtual_and_physical_timers_are_two_with_ppis_27_and_30(void **state)
{
	struct soc *s = fake_soc(2);

	(void)state;
	timer_write_cntp_ctl(s->cpus[1], 0, CNT_CTL_ENABLE);
	assert_true(pending(s->cpus[1], 30));
	assert_false(pending(s->cpus[1], 27));
	assert_false(pending(s->cpus[0], 30));
	write_ctl(s->cpus[0], CNT_CTL_ENABLE);
	assert_true(pending(s->cpus[0], 27));
	assert_int_equal(timer_read_cntp_ctl(s->cpus[0], 0), 0);
	timer_write_cntp_cval(s->cpus[1], 0, UINT64_MAX);
	assert_false(pending(s->cpus[1], 30));
	fake_soc_free(s);
}

static void a_restored_counter_goes_on_from_there_for_all_cpus(void **state)
{
	struct soc *s = fake_soc(2);
	uint64_t start = UINT64_C(0x123456789abcd);

	(void)state;
	write_ctl(s->cpus[1], CNT_CTL_ENABLE);
	write_cval(s->cpus[1], start);
	assert_false(virt_pending(s->cpus[1]));
	timer_write_cntvct(s->cpus[0], 0, start);
	assert_in_range(vct(s->cpus[1]), start, start + TIMER_FREQUENCY_HZ);
	assert_true(virt_pending(s->cpus[1])); /* due by now */
	/* There is one offset: the other counter goes along, and its timers. */
	assert_in_range(timer_read_cntpct(s->cpus[0], 0), start, start + TIMER_FREQUENCY_HZ);
	timer_write_cntpct(s->cpus[0], 0, 0);
	assert_in_range(vct(s->cpus[1]), 0, TIMER_FREQUENCY_HZ);
	assert_false(virt_pending(s->cpus[1]));
	fake_soc_free(s);
}

static void warm_reset_switches_both_off(void **state)
{
	struct soc *s = fake_soc(1);
	struct cpu *c = s->cpus[0];

	(void)state;
	write_ctl(c, CNT_CTL_ENABLE);
	timer_write_cntp_ctl(c, 0, CNT_CTL_ENABLE);
	timer_cpu_reset(c);
	assert_false(pending(c, 27));
	assert_false(pending(c, 30));
	assert_int_equal(read_ctl(c), 0);
	fake_soc_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_start_at_zero_run_at_62_5_mhz_and_agree_between_cpus),
		cmocka_unit_test(istatus_is_enable_and_condition_whatever_the_mask),
		cmocka_unit_test(a_cval_in_the_past_fires_at_once_and_the_largest_never),
		cmocka_unit_test(a_deadline_raises_the_line_in_time),
		cmocka_unit_test(a_masked_or_disabled_timer_does_not_fire_later),
		cmocka_unit_test(rewriting_takes_the_line_back_though_it_is_pending_in_the_gic),
		cmocka_unit_test(tval_is_a_signed_32_bit_view),
		cmocka_unit_test(virtual_and_physical_timers_are_two_with_ppis_27_and_30),
		cmocka_unit_test(a_restored_counter_goes_on_from_there_for_all_cpus),
		cmocka_unit_test(warm_reset_switches_both_off),
	};

	return cmocka_run_group_tests_name("arch/arm64/timer", tests, NULL, NULL);
}
