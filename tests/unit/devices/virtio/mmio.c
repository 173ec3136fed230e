/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transport's registers, from drivers that keep the order and from others. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <cmocka.h>
#include <spec/board.h>
#include <vmm/log.h>
#include "devices/virtio/queue.h"
#include "virtio.h"

#define PACKED     FV_BIT(VIRTIO_F_RING_PACKED)
#define RING_RESET FV_BIT(VIRTIO_F_RING_RESET)
#define BEGUN      (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER)
#define AGREED     (BEGUN | VIRTIO_STATUS_FEATURES_OK)
#define RUNS       (AGREED | VIRTIO_STATUS_DRIVER_OK)

static int setup(void **state)
{
	log_set_level(LOG_ERR); /* guests are rude here */
	*state = fv_new();
	return 0;
}

static int teardown(void **state)
{
	fv_free(*state);
	return 0;
}

static uint32_t status(struct fake_virtio *f) { return fv_rd(f, VIRTIO_MMIO_STATUS); }

static unsigned raised(struct fake_virtio *f) { return f->vm.raised[f->dev.spi]; }

static void it_says_what_it_is(void **state)
{
	struct fake_virtio *f = *state;

	assert_int_equal(fv_rd(f, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_VERSION), 2);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_DEVICE_ID), 42);
	assert_int_equal(status(f), 0);
	fv_wr(f, VIRTIO_MMIO_QUEUE_SEL, 1);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_SIZE_MAX), FV_QUEUE_MAX);
	fv_wr(f, VIRTIO_MMIO_QUEUE_SEL, 2);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_SIZE_MAX), 0);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 0);
	fv_wr(f, VIRTIO_MMIO_SHM_SEL, 0);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_SHM_LEN_LOW), UINT32_MAX);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_SHM_LEN_HIGH), UINT32_MAX);
}

static void features_are_offered_by_words(void **state)
{
	struct fake_virtio *f = *state;

	assert_int_equal(fv_rd(f, VIRTIO_MMIO_DEVICE_FEATURES), 1u << FV_FEATURE | 3u << 28);
	fv_wr(f, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_DEVICE_FEATURES), 1 | 1 << 2 | 1 << 8);
	fv_wr(f, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_DEVICE_FEATURES), 0);
	fv_wr(f, VIRTIO_MMIO_DEVICE_FEATURES_SEL, UINT32_MAX);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_DEVICE_FEATURES), 0);
}

static void features_are_agreed_on(void **state)
{
	struct fake_virtio *f = *state;

	assert_int_equal(fv_agree(f, FV_ALWAYS | FV_BIT(FV_FEATURE)), AGREED);
	assert_int_equal(f->state.v.features, FV_ALWAYS | FV_BIT(FV_FEATURE));
	assert_true(virtio_has(&f->state.v, FV_FEATURE));
	assert_false(virtio_has(&f->state.v, VIRTIO_F_EVENT_IDX));
	/* Once agreed they stay. */
	fv_wr(f, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	fv_wr(f, VIRTIO_MMIO_DRIVER_FEATURES, 0);
	fv_wr(f, VIRTIO_MMIO_STATUS, AGREED);
	assert_int_equal(f->state.v.features, FV_ALWAYS | FV_BIT(FV_FEATURE));

	assert_int_equal(fv_agree(f, FV_BIT(FV_FEATURE)), BEGUN);
	assert_int_equal(fv_agree(f, FV_ALWAYS | FV_BIT(6)), BEGUN);
	assert_int_equal(fv_agree(f, FV_ALWAYS | FV_BIT(63)), BEGUN);
	assert_int_equal(fv_agree(f, FV_ALWAYS | FV_BIT(VIRTIO_F_ACCESS_PLATFORM)), BEGUN);
	f->veto = true;
	assert_int_equal(fv_agree(f, FV_ALWAYS), BEGUN);
	f->veto = false;
	/* The driver may try with fewer. */
	fv_wr(f, VIRTIO_MMIO_STATUS, AGREED);
	assert_int_equal(status(f), AGREED);
}

static void features_are_told_by_name(void **state)
{
	struct fake_virtio *f = *state;
	char *text;

	log_set_level(LOG_DEBUG);
	stderr_begin();
	fv_agree(f, FV_ALWAYS | FV_BIT(FV_FEATURE));
	fv_agree(f, FV_ALWAYS | FV_BIT(6));
	f->veto = true;
	fv_agree(f, FV_ALWAYS | PACKED);
	text = stderr_end();
	assert_non_null(strstr(text, "fake-virtio.0: features accepted: fake-five version-1\n"));
	assert_non_null(strstr(text, "features wanted, never offered: 6\n"));
	assert_non_null(strstr(text, "features refused together: version-1 ring-packed\n"));
	free(text);
}

static void the_order_of_the_status_is_kept(void **state)
{
	struct fake_virtio *f = *state;

	fv_wr(f, VIRTIO_MMIO_STATUS, BEGUN | VIRTIO_STATUS_DRIVER_OK);
	assert_int_equal(status(f), BEGUN);
	assert_int_equal(f->starts, 0);
	fv_agree(f, FV_ALWAYS);
	fv_wr(f, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE); /* bits are not cleared one by one */
	assert_int_equal(status(f), AGREED);
	fv_wr(f, VIRTIO_MMIO_STATUS, AGREED | VIRTIO_STATUS_NEEDS_RESET); /* not the driver's */
	assert_int_equal(status(f), AGREED);
	fv_wr(f, VIRTIO_MMIO_STATUS, RUNS);
	assert_int_equal(status(f), RUNS);
	assert_int_equal(f->starts, 1);
	fv_wr(f, VIRTIO_MMIO_STATUS, RUNS);
	assert_int_equal(f->starts, 1);
	fv_wr(f, VIRTIO_MMIO_STATUS, RUNS | VIRTIO_STATUS_FAILED);
	assert_int_equal(status(f), RUNS | VIRTIO_STATUS_FAILED);
}

static void a_reset_forgets_everything(void **state)
{
	struct fake_virtio *f = *state;
	unsigned before;

	fv_start(f, FV_BIT(FV_FEATURE), 8);
	virtio_config_changed(&f->state.v);
	before = f->resets;
	fv_wr(f, VIRTIO_MMIO_STATUS, 0);
	assert_int_equal(f->resets, before + 1);
	assert_int_equal(status(f), 0);
	assert_int_equal(f->state.v.features, 0);
	assert_false(f->state.v.running);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(f->notified, 0);
	fv_start(f, 0, 16);
	assert_int_equal(status(f), RUNS);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 1);
}

static void a_device_that_cannot_start_needs_a_reset(void **state)
{
	struct fake_virtio *f = *state;

	f->start_error = -EIO;
	fv_start(f, 0, 8);
	assert_int_equal(status(f), RUNS | VIRTIO_STATUS_NEEDS_RESET);
	assert_false(f->state.v.running);
	f->start_error = 0;
	fv_start(f, 0, 8);
	assert_int_equal(status(f), RUNS);
}

/* ---- Queues ---- */

static const struct {
	const char *what;
	uint64_t features;
	uint32_t size;
	uint64_t desc, driver, device;
} bad_queue[] = {
	{ "no entries", 0, 0, FV_DESC, FV_DRIVER, FV_DEVICE },
	{ "no entries, packed", PACKED, 0, FV_DESC, FV_DRIVER, FV_DEVICE },
	{ "not a power of two", 0, 6, FV_DESC, FV_DRIVER, FV_DEVICE },
	{ "too many", 0, FV_QUEUE_MAX * 2, FV_DESC, FV_DRIVER, FV_DEVICE },
	{ "too many, packed", PACKED, FV_QUEUE_MAX + 1, FV_DESC, FV_DRIVER, FV_DEVICE },
	{ "65536", 0, 65536, FV_DESC, FV_DRIVER, FV_DEVICE },
	{ "2 to the 31", 0, 1u << 31, FV_DESC, FV_DRIVER, FV_DEVICE },
	{ "all ones", 0, UINT32_MAX, FV_DESC, FV_DRIVER, FV_DEVICE },
	{ "descriptors at 8", 0, 8, FV_DESC + 8, FV_DRIVER, FV_DEVICE },
	{ "available ring at 1", 0, 8, FV_DESC, FV_DRIVER + 1, FV_DEVICE },
	{ "used ring at 2", 0, 8, FV_DESC, FV_DRIVER, FV_DEVICE + 2 },
	{ "driver area at 2", PACKED, 8, FV_DESC, FV_DRIVER + 2, FV_DEVICE },
	{ "device area at 2", PACKED, 8, FV_DESC, FV_DRIVER, FV_DEVICE + 2 },
	{ "descriptors outside", 0, 8, FV_RAM_BYTES - 112, FV_DRIVER, FV_DEVICE },
	{ "available ring outside", 0, 8, FV_DESC, FV_RAM_BYTES - 20, FV_DEVICE },
	{ "used ring outside", 0, 8, FV_DESC, FV_DRIVER, FV_RAM_BYTES - 68 },
	{ "device area outside", PACKED, 8, FV_DESC, FV_DRIVER, FV_RAM_BYTES },
	{ "nowhere", 0, 8, 1ull << 40, FV_DRIVER, FV_DEVICE },
	{ "round the end", 0, 8, UINT64_MAX - 0x4000000f, FV_DRIVER, FV_DEVICE },
	{ "used ring in the registers", 0, 8, FV_DESC, FV_DRIVER, BOARD_VIRTIO_BASE - BOARD_RAM_BASE },
};

static void place(struct fake_virtio *f, unsigned reg, uint64_t offset)
{
	fv_wr(f, reg, (uint32_t)fv_gpa(offset));
	fv_wr(f, reg + 4, (uint32_t)(fv_gpa(offset) >> 32));
}

static void a_queue_in_a_wrong_place_breaks_the_device(void **state)
{
	struct fake_virtio *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(bad_queue); i++) {
		fv_agree(f, FV_ALWAYS | bad_queue[i].features);
		fv_wr(f, VIRTIO_MMIO_QUEUE_SIZE, bad_queue[i].size);
		place(f, VIRTIO_MMIO_QUEUE_DESC_LOW, bad_queue[i].desc);
		place(f, VIRTIO_MMIO_QUEUE_DRIVER_LOW, bad_queue[i].driver);
		place(f, VIRTIO_MMIO_QUEUE_DEVICE_LOW, bad_queue[i].device);
		fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 1);
		if (fv_rd(f, VIRTIO_MMIO_QUEUE_READY) || !fv_broken(f))
			fail_msg("taken: %s", bad_queue[i].what);
		fv_wr(f, VIRTIO_MMIO_STATUS, RUNS);
		assert_false(f->state.v.running);
		/* It starts again after a reset. */
		fv_start(f, bad_queue[i].features, 8);
		assert_true(f->state.v.running);
	}
	assert_int_equal(f->starts, ARRAY_SIZE(bad_queue));
}

static void a_packed_ring_has_any_number_of_entries(void **state)
{
	struct fake_virtio *f = *state;

	assert_int_equal(virtq_size(fv_start(f, PACKED, 1)), 1);
	assert_int_equal(virtq_size(fv_start(f, PACKED, 1000)), 1000);
	assert_true(f->state.v.running);
}

static void a_queue_is_made_ready_once_and_in_time(void **state)
{
	struct fake_virtio *f = *state;

	fv_wr(f, VIRTIO_MMIO_STATUS, BEGUN);
	fv_queue(f, 8);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 0); /* the features say of which format it is */
	fv_agree(f, FV_ALWAYS);
	fv_queue(f, 8);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 1);
	fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 1);
	fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 7);
	fv_wr(f, VIRTIO_MMIO_QUEUE_SIZE, 4096);
	fv_wr(f, VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
	assert_int_equal(virtq_size(virtio_queue(&f->state.v, 0)), 8);
	fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 0);
	fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 1);
	fv_wr(f, VIRTIO_MMIO_STATUS, RUNS);
	fv_wr(f, VIRTIO_MMIO_QUEUE_SEL, 1);
	fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 0);
	fv_wr(f, VIRTIO_MMIO_QUEUE_SEL, FV_QUEUES);
	fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_false(fv_broken(f));
}

static void a_driver_may_stop_a_queue(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 8);
	struct virtq_chain *c;

	fv_simple(f, 16, true);
	assert_non_null(c = virtq_pop(q));
	fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_int_equal(f->queue_resets, 1);
	virtq_push(c, 16);
	assert_int_equal(fv_used(f)->idx, 0);
	assert_null(virtq_pop(q));
	fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(f->notified, 0);
	assert_int_equal(status(f), RUNS);
	/* One that is broken may still touch it, and says so. */
	fv_start(f, 0, 8);
	virtio_broken(&f->state.v, "rule");
	fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 0);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 1);
}

static void notifications_reach_queues_that_are_in_use(void **state)
{
	struct fake_virtio *f = *state;

	fv_agree(f, FV_ALWAYS);
	fv_queue(f, 8);
	fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(f->notified, 0);
	fv_wr(f, VIRTIO_MMIO_STATUS, RUNS);
	assert_int_equal(f->notified, 0);
	fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(f->notified, 1);
	fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, 1); /* not ready */
	fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, FV_QUEUES);
	fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, UINT32_MAX);
	assert_int_equal(f->notified, 1);
}

static void what_stood_in_a_queue_before_is_seen(void **state)
{
	struct fake_virtio *f = *state;

	fv_agree(f, FV_ALWAYS);
	fv_queue(f, 8);
	fv_simple(f, 16, true);
	fv_wr(f, VIRTIO_MMIO_STATUS, RUNS);
	assert_int_equal(f->notified, 1);
}

/* The driver has another request as soon as one is done; after a while it has not, or this would not end. */
static unsigned requests;
#define REQUESTS_MAX 100

static void serve_the_untiring(struct fake_virtio *f)
{
	struct virtq *q = virtio_queue(&f->state.v, 0);
	struct virtq_chain *c;

	while ((c = virtq_pop(q))) {
		virtq_push(c, 0);
		if (++requests < REQUESTS_MAX)
			fv_simple(f, 64, false);
	}
	assert_true(virtq_empty(q));
}

/* Otherwise the vCPU that notified would never be the guest's again, nor the lock anybody's. */
static void a_driver_that_never_stops_has_turns(void **state)
{
	static const uint64_t features[] = { 0, FV_BIT(VIRTIO_F_EVENT_IDX), PACKED };
	struct fake_virtio *f = *state;

	f->on_notify = serve_the_untiring;
	for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
		fv_start(f, features[i], 8);
		fv_simple(f, 64, false);
		requests = 0;
		fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		assert_int_equal(requests, 8);
		/* The next is not waited for. */
		for (unsigned k = 0; k < 1000 && requests < REQUESTS_MAX; k++)
			fake_loop_ms(f->vm.loop, 1);
		assert_int_equal(requests, REQUESTS_MAX);
		/* When nobody has asked, the device takes what it likes. */
		fv_simple(f, 64, false);
		assert_non_null(virtq_pop(virtio_queue(&f->state.v, 0)));
	}
}

static void a_reset_ends_turns(void **state)
{
	struct fake_virtio *f = *state;

	f->on_notify = serve_the_untiring;
	requests = 0;
	fv_start(f, 0, 8);
	fv_simple(f, 64, false);
	fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	fv_start(f, 0, 8);
	fake_loop_ms(f->vm.loop, 1);
	assert_int_equal(f->notified, 1);
}

static void a_queue_is_reset_alone(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 8);
	struct virtq_chain *c;

	fv_wr(f, VIRTIO_MMIO_QUEUE_RESET, 1); /* not agreed on */
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 1);
	q = fv_start(f, RING_RESET, 8);
	fv_simple(f, 16, true);
	assert_non_null(c = virtq_pop(q));
	fv_wr(f, VIRTIO_MMIO_QUEUE_RESET, 0);
	assert_int_equal(f->queue_resets, 0);
	fv_wr(f, VIRTIO_MMIO_QUEUE_RESET, 1);
	assert_int_equal(f->queue_resets, 1);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_RESET), 0);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 0);
	assert_int_equal(status(f), RUNS);
	virtq_push(c, 16);
	assert_int_equal(fv_used(f)->idx, 0);
	fv_wr(f, VIRTIO_MMIO_QUEUE_RESET, 1);
	assert_int_equal(f->queue_resets, 1);
	/* With another size. */
	fv_queue(f, 32);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_QUEUE_READY), 1);
	assert_int_equal(f->notified, 0);
	fv_simple(f, 16, true);
	assert_non_null(c = virtq_pop(q));
	virtq_push(c, 16);
	assert_int_equal(fv_used(f)->idx, 1);
	/* And with a request in it. */
	fv_wr(f, VIRTIO_MMIO_QUEUE_RESET, 1);
	fv_place(f, 32);
	fv_simple(f, 16, true);
	fv_wr(f, VIRTIO_MMIO_QUEUE_READY, 1);
	assert_int_equal(f->notified, 1);
}

/* ---- Interrupts ---- */

static void each_event_has_a_bit_and_an_edge(void **state)
{
	struct fake_virtio *f = *state;
	uint32_t generation = fv_rd(f, VIRTIO_MMIO_CONFIG_GENERATION);

	virtio_config_changed(&f->state.v); /* nobody is there yet */
	assert_int_equal(raised(f), 0);
	assert_int_not_equal(fv_rd(f, VIRTIO_MMIO_CONFIG_GENERATION), generation);
	fv_start(f, 0, 8);
	virtio_interrupt_used(&f->state.v);
	assert_int_equal(raised(f), 1);
	assert_false(f->vm.line[f->dev.spi]);
	virtio_interrupt_used(&f->state.v);
	assert_int_equal(raised(f), 1);
	virtio_config_changed(&f->state.v);
	assert_int_equal(raised(f), 2);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_INTERRUPT_STATUS), 3);
	fv_wr(f, VIRTIO_MMIO_INTERRUPT_ACK, 1);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_INTERRUPT_STATUS), 2);
	virtio_interrupt_used(&f->state.v);
	assert_int_equal(raised(f), 3);
	fv_wr(f, VIRTIO_MMIO_INTERRUPT_ACK, UINT32_MAX);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
}

static void a_broken_device_says_so_and_stands_still(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 8);
	struct virtq_chain *c;

	fv_simple(f, 16, true);
	assert_non_null(c = virtq_pop(q));
	virtio_broken(&f->state.v, "rule %d", 1);
	assert_int_equal(status(f), RUNS | VIRTIO_STATUS_NEEDS_RESET);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
	assert_int_equal(raised(f), 1);
	virtio_broken(&f->state.v, "rule %d", 2);
	fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(f->notified, 0);
	virtq_push(c, 16);
	virtq_interrupt(q);
	assert_int_equal(raised(f), 1);
	assert_int_equal(fv_used(f)->idx, 0);
	fv_start(f, 0, 8);
	assert_int_equal(status(f), RUNS);
	fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(f->notified, 1);
}

/* ---- Sizes and the configuration space ---- */

static enum bus_result acc(struct fake_virtio *f, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	return virtio_access(&f->dev, 0, offset, size, value, write);
}

static void registers_are_accessed_as_words(void **state)
{
	struct fake_virtio *f = *state;
	uint64_t v = 0;

	for (unsigned size = 1; size <= 8; size *= 2)
		for (unsigned offset = 0; offset + size <= VIRTIO_MMIO_CONFIG; offset++) {
			bool ok = size == 4 && offset % 4 == 0;

			assert_int_equal(acc(f, offset, size, &v, false), ok ? BUS_OK : BUS_REFUSED);
			if (!ok)
				assert_int_equal(acc(f, offset, size, &v, true), BUS_REFUSED);
		}
}

static void the_configuration_space_is_accessed_by_its_fields(void **state)
{
	struct fake_virtio *f = *state;
	uint64_t v = 0;

	for (unsigned i = 0; i < 12; i++)
		f->state.config[i] = (uint8_t)(0x10 + i);
	acc(f, 0x100, 1, &v, false);
	assert_int_equal(v, 0x10);
	acc(f, 0x102, 2, &v, false);
	assert_int_equal(v, 0x1312);
	acc(f, 0x104, 4, &v, false);
	assert_int_equal(v, 0x17161514);
	acc(f, 0x100, 8, &v, false);
	assert_int_equal(v, 0x1716151413121110);
	acc(f, 0x108, 8, &v, false); /* half of it is beyond */
	assert_int_equal(v, 0x1b1a1918);
	acc(f, 0x1f8, 8, &v, false);
	assert_int_equal(v, 0);
	v = 0xaabb;
	acc(f, 0x10a, 2, &v, true);
	assert_int_equal(f->config_writes, 1);
	assert_int_equal(f->state.config[10], 0xbb);
	assert_int_equal(f->state.config[11], 0xaa);
	v = UINT64_MAX;
	assert_int_equal(acc(f, 0x10b, 2, &v, true), BUS_OK);
	assert_int_equal(acc(f, 0x110, 4, &v, true), BUS_OK);
	assert_int_equal(f->config_writes, 1);
	assert_int_equal(f->state.config[11], 0xaa);
}

/* ---- Eventfds ---- */

static void notifications_come_by_eventfd_where_there_are_any(void **state)
{
	struct fake_virtio *f = *state;

	f->vm.has_eventfds = true;
	fv_start(f, 0, 8);
	assert_int_equal(f->vm.eventfds, 2);
	assert_int_equal(f->vm.kick.addr, BOARD_VIRTIO_BASE + VIRTIO_MMIO_QUEUE_NOTIFY);
	assert_int_equal(f->vm.kick.bytes, 4);
	assert_int_equal(f->vm.kick.value, 0);
	assert_int_equal(eventfd_write(f->vm.kick.fd, 1), 0);
	assert_int_equal(f->notified, 0);
	fake_loop_ms(f->vm.loop, 1);
	assert_int_equal(f->notified, 1);
	/* After a reset it is nobody's, and once more the device's. */
	fv_wr(f, VIRTIO_MMIO_STATUS, 0);
	eventfd_write(f->vm.kick.fd, 1);
	fake_loop_ms(f->vm.loop, 1);
	assert_int_equal(f->notified, 1);
	fv_start(f, 0, 8);
	assert_int_equal(f->vm.eventfds, 2);
	eventfd_write(f->vm.kick.fd, 1);
	fake_loop_ms(f->vm.loop, 1);
	assert_int_equal(f->notified, 2);
}

static void interrupts_go_by_eventfd_where_there_are_any(void **state)
{
	struct fake_virtio *f = *state;
	eventfd_t n;

	f->vm.has_eventfds = true;
	fv_start(f, 0, 8);
	virtio_interrupt_used(&f->state.v);
	assert_int_equal(raised(f), 0);
	assert_int_equal(eventfd_read(f->vm.call_fd, &n), 0);
	assert_int_equal(fv_rd(f, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
}

static void a_lent_ring_is_left_alone(void **state)
{
	struct fake_virtio *f = *state;

	for (unsigned has = 0; has < 2; has++) {
		struct virtq_loan loan;
		struct virtq *q;
		eventfd_t n;

		f->vm.has_eventfds = has;
		/* A hypervisor does not learn them later: another device. */
		teardown(state);
		setup(state);
		f = *state;
		f->vm.has_eventfds = has;
		q = fv_start(f, 0, 8);
		assert_int_equal(virtq_lend(q, &loan), 0);
		assert_ptr_equal(loan.desc, f->ram + FV_DESC);
		assert_ptr_equal(loan.driver, f->ram + FV_DRIVER);
		assert_int_equal(loan.device_addr, fv_gpa(FV_DEVICE));
		assert_int_equal(loan.size, 8);
		assert_int_equal(loan.base, 0);
		fv_simple(f, 16, true);
		assert_null(virtq_pop(q));
		/* A kick over the bus, where the hypervisor writes none. */
		fv_wr(f, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
		fake_loop_ms(f->vm.loop, 1);
		assert_int_equal(f->notified, 0);
		assert_int_equal(eventfd_read(loan.kick, &n), 0);
		if (has) {
			/* Interrupts go round us, and the status must not hide them. */
			assert_int_equal(loan.call, f->vm.call_fd);
			assert_int_equal(loan.kick, f->vm.kick.fd);
			assert_int_equal(fv_rd(f, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
		} else {
			eventfd_write(loan.call, 1);
			fake_loop_ms(f->vm.loop, 1);
			assert_int_equal(raised(f), 1);
			assert_int_equal(fv_rd(f, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
		}
		q = fv_start(f, 0, 8);
		fv_simple(f, 16, true);
		assert_non_null(virtq_pop(q));
		assert_int_equal(fv_rd(f, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
	}
}

/* ---- Anything ---- */

static void no_access_does_harm(void **state)
{
	struct fake_virtio *f = *state;
	uint64_t seed = 0x9e3779b97f4a7c15;

	for (unsigned i = 0; i < 300000; i++) {
		unsigned size = seed >> 20 & 7 ? 4 : 1u << (seed >> 24 & 3);
		uint64_t offset = (seed >> 30) % (0x200 - size + 1), v = seed >> 13 & 0xf;

		if (size == 4)
			offset &= ~UINT64_C(3);
		if (seed >> 56 & 1)
			v = seed * 0xff51afd7ed558ccd >> (seed >> 50 & 31);
		virtio_access(&f->dev, 0, offset, size, &v, seed >> 60 & 1);
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
	}
	fv_start(f, 0, 8);
	assert_int_equal(status(f), RUNS);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_says_what_it_is),
		TEST(features_are_offered_by_words),
		TEST(features_are_agreed_on),
		TEST(features_are_told_by_name),
		TEST(the_order_of_the_status_is_kept),
		TEST(a_reset_forgets_everything),
		TEST(a_device_that_cannot_start_needs_a_reset),
		TEST(a_queue_in_a_wrong_place_breaks_the_device),
		TEST(a_packed_ring_has_any_number_of_entries),
		TEST(a_queue_is_made_ready_once_and_in_time),
		TEST(a_driver_may_stop_a_queue),
		TEST(notifications_reach_queues_that_are_in_use),
		TEST(what_stood_in_a_queue_before_is_seen),
		TEST(a_driver_that_never_stops_has_turns),
		TEST(a_reset_ends_turns),
		TEST(a_queue_is_reset_alone),
		TEST(each_event_has_a_bit_and_an_edge),
		TEST(a_broken_device_says_so_and_stands_still),
		TEST(registers_are_accessed_as_words),
		TEST(the_configuration_space_is_accessed_by_its_fields),
		TEST(notifications_come_by_eventfd_where_there_are_any),
		TEST(interrupts_go_by_eventfd_where_there_are_any),
		TEST(a_lent_ring_is_left_alone),
		TEST(no_access_does_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
