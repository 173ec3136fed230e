/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings of both formats, from well-behaved drivers and from others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <vmm/log.h>
#include "virtio.h"

#define EVENT_IDX FV_BIT(VIRTIO_F_EVENT_IDX)
#define INDIRECT  FV_BIT(VIRTIO_F_INDIRECT_DESC)
#define PACKED    FV_BIT(VIRTIO_F_RING_PACKED)
#define NEXT      VIRTQ_DESC_F_NEXT
#define WRITE     VIRTQ_DESC_F_WRITE
#define TABLE     VIRTQ_DESC_F_INDIRECT
#define DATA      fv_gpa(FV_DATA)

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

static unsigned interrupts(struct fake_virtio *f)
{
	unsigned n = f->vm.raised[f->dev.spi];

	f->vm.raised[f->dev.spi] = 0;
	fv_wr(f, VIRTIO_MMIO_INTERRUPT_ACK, 3);
	return n;
}

/* ---- Requests ---- */

static void a_request_has_its_pieces_in_order(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 8);
	struct virtq_chain *c;

	fv_put(f, 5, DATA, 16, NEXT, 2);
	fv_put(f, 2, DATA + 0x100, 32, NEXT, 7);
	fv_put(f, 7, DATA + 0x200, 512, NEXT | WRITE, 0);
	fv_put(f, 0, DATA + 0x1000, 1, WRITE, 3);
	assert_true(virtq_empty(q));
	assert_null(virtq_pop(q));
	fv_offer(f, 5);
	assert_false(virtq_empty(q));
	c = virtq_pop(q);
	assert_non_null(c);
	assert_int_equal(c->out_count, 2);
	assert_int_equal(c->in_count, 2);
	assert_int_equal(c->out_bytes, 48);
	assert_int_equal(c->in_bytes, 513);
	assert_ptr_equal(c->out[0].iov_base, f->ram + FV_DATA);
	assert_ptr_equal(c->out[1].iov_base, f->ram + FV_DATA + 0x100);
	assert_ptr_equal(c->in[0].iov_base, f->ram + FV_DATA + 0x200);
	assert_int_equal(c->in[1].iov_len, 1);
	assert_null(virtq_pop(q));
	virtq_push(c, 513);
	assert_int_equal(fv_used(f)->idx, 1);
	assert_int_equal(fv_used(f)->ring[0].id, 5);
	assert_int_equal(fv_used(f)->ring[0].len, 513);
}

static void bytes_are_copied_across_pieces(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 8);
	struct virtq_chain *c;
	char got[16] = "";

	memcpy(f->ram + FV_DATA, "abcdefghij", 10);
	fv_put(f, 0, DATA, 3, NEXT, 1);
	fv_put(f, 1, DATA + 3, 7, NEXT, 2);
	fv_put(f, 2, DATA + 0x100, 2, NEXT | WRITE, 3);
	fv_put(f, 3, DATA + 0x102, 4, WRITE, 0);
	fv_offer(f, 0);
	c = virtq_pop(q);
	assert_int_equal(virtq_read(c, got, 2), 2);
	assert_int_equal(virtq_skip_out(c, 3), 3);
	assert_int_equal(c->out_bytes, 5);
	assert_int_equal(virtq_read(c, got + 2, 10), 5);
	assert_string_equal(got, "abfghij");
	assert_int_equal(c->out_count, 0);
	assert_int_equal(virtq_skip_in(c, 1), 1);
	assert_int_equal(virtq_write(c, "12345678", 8), 5);
	assert_int_equal(c->in_bytes, 0);
	assert_memory_equal(f->ram + FV_DATA + 0x100,
			    "\0"
			    "12345\0",
			    7);
	virtq_push(c, 6);
}

static void pieces_without_bytes_are_passed_over(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 8);
	struct virtq_chain *c;

	fv_put(f, 0, 0, 0, NEXT, 1);
	fv_put(f, 1, DATA, 4, NEXT, 2);
	fv_put(f, 2, 1, 0, WRITE, 0);
	fv_offer(f, 0);
	c = virtq_pop(q);
	assert_non_null(c);
	assert_int_equal(c->out_count, 1);
	assert_int_equal(c->in_count, 0);
	virtq_push(c, 0);
	fv_put(f, 0, 0, 0, 0, 0);
	fv_offer(f, 0);
	c = virtq_pop(q);
	assert_non_null(c);
	assert_int_equal(c->out_count + c->in_count, 0);
	assert_int_equal(virtq_write(c, "x", 1), 0);
	virtq_push(c, 0);
}

static void pieces_may_overlap(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 8);
	struct virtq_chain *c;
	char b[8];

	memcpy(f->ram + FV_DATA, "abcdefgh", 8);
	fv_put(f, 0, DATA, 8, NEXT, 1);
	fv_put(f, 1, DATA + 2, 8, WRITE, 0);
	fv_offer(f, 0);
	c = virtq_pop(q);
	assert_int_equal(virtq_read(c, b, 4), 4);
	assert_int_equal(virtq_write(c, "XY", 2), 2);
	assert_int_equal(virtq_read(c, b, 4), 4);
	assert_memory_equal(b, "efgh", 4);
	assert_memory_equal(f->ram + FV_DATA, "abXYefgh", 8);
	virtq_push(c, 2);
}

static void an_indirect_table_is_followed(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, INDIRECT, 4);
	struct virtq_desc t[4] = {
		{ DATA, 1, NEXT, 2 }, { DATA + 4, 4, WRITE, 0 }, { DATA + 1, 3, NEXT, 1 }, { 0, 0, 0, 0 }
	};
	struct virtq_chain *c;

	/* Anywhere: 2.7.5.3 asks for no alignment. */
	memcpy(f->ram + FV_TABLE + 3, t, sizeof(t));
	fv_put(f, 1, fv_gpa(FV_TABLE + 3), sizeof(t), TABLE, 0);
	fv_offer(f, 1);
	c = virtq_pop(q);
	assert_non_null(c);
	assert_int_equal(c->out_count, 2);
	assert_int_equal(c->out_bytes, 4);
	assert_int_equal(c->in_bytes, 4);
	virtq_push(c, 4);
	assert_int_equal(fv_used(f)->ring[0].id, 1);

	/* Behind descriptors of the ring. */
	fv_put(f, 0, DATA + 100, 7, NEXT, 1);
	fv_put(f, 1, fv_gpa(FV_TABLE + 3), 3 * 16, TABLE | WRITE, 0);
	fv_offer(f, 0);
	c = virtq_pop(q);
	assert_non_null(c);
	assert_int_equal(c->out_bytes, 11);
	virtq_push(c, 0);
}

static void a_chain_may_be_as_long_as_the_ring(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 16);
	struct virtq_chain *c;

	for (unsigned i = 0; i < 16; i++)
		fv_put(f, i, DATA + i, 1, i < 15 ? NEXT : 0, (uint16_t)(i + 1));
	fv_offer(f, 0);
	c = virtq_pop(q);
	assert_non_null(c);
	assert_int_equal(c->out_count, 16);
	virtq_push(c, 0);
}

static void indices_wrap_at_65536(void **state)
{
	struct fake_virtio *f = *state;

	for (unsigned packed = 0; packed < 2; packed++) {
		struct virtq *q = fv_start(f, EVENT_IDX | (packed ? PACKED : 0), 4);

		for (unsigned i = 0; i < 70000; i++) {
			struct virtq_chain *c;

			fv_simple(f, 4, true);
			c = virtq_pop(q);
			assert_non_null(c);
			assert_null(virtq_pop(q));
			virtq_push(c, 4);
			if (!packed)
				assert_int_equal(fv_used(f)->idx, (uint16_t)(i + 1));
		}
		assert_false(fv_broken(f));
	}
}

static void requests_are_finished_in_any_order(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 4);
	struct virtq_chain *c[4];

	for (unsigned i = 0; i < 4; i++) {
		fv_put(f, i, DATA + i, 1, WRITE, 0);
		fv_offer(f, (uint16_t)i);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(c[i] = virtq_pop(q));
	virtq_push(c[2], 0);
	virtq_push(c[0], 0);
	virtq_push(c[3], 0);
	virtq_push(c[1], 0);
	assert_int_equal(fv_used(f)->ring[0].id, 2);
	assert_int_equal(fv_used(f)->ring[1].id, 0);
	assert_int_equal(fv_used(f)->ring[2].id, 3);
	assert_int_equal(fv_used(f)->ring[3].id, 1);
}

static void requests_may_be_finished_together(void **state)
{
	static const uint32_t written[3] = { 5, 0, 7 };
	struct fake_virtio *f = *state;

	for (unsigned packed = 0; packed < 2; packed++) {
		struct virtq *q = fv_start(f, packed ? PACKED : 0, 4);

		/* Eight times three in a ring of four: the end of the ring comes at every place among them. */
		for (unsigned turn = 0; turn < 8; turn++) {
			struct virtq_chain *c[3];

			for (unsigned i = 0; i < 3; i++) {
				if (packed) {
					fv_add(f, DATA, 16, WRITE, (uint16_t)(100 + i));
					continue;
				}
				fv_put(f, i, DATA, 16, WRITE, 0);
				fv_offer(f, (uint16_t)i);
			}
			for (unsigned i = 0; i < 3; i++)
				assert_non_null(c[i] = virtq_pop(q));
			virtq_push_all(c, written, 3);
			for (unsigned i = 0; i < 3; i++) {
				unsigned at = 3 * turn + i;
				const uint16_t turned = at / 4 % 2 ? 0 : VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED;

				if (packed) {
					assert_int_equal(fv_packed(f)[at % 4].id, 100 + i);
					assert_int_equal(fv_packed(f)[at % 4].len, written[i]);
					assert_int_equal(fv_packed(f)[at % 4].flags,
							 turned | (written[i] ? WRITE : 0));
				} else {
					assert_int_equal(fv_used(f)->ring[at % 4].id, i);
					assert_int_equal(fv_used(f)->ring[at % 4].len, written[i]);
					assert_int_equal(fv_used(f)->idx, 3 * turn + 3);
				}
			}
		}
		assert_false(fv_broken(f));
	}
}

static void a_request_put_back_comes_again(void **state)
{
	struct fake_virtio *f = *state;

	for (unsigned packed = 0; packed < 2; packed++) {
		struct virtq *q = fv_start(f, packed ? PACKED : 0, 4);
		struct virtq_chain *c;

		for (unsigned round = 0; round < 9; round++) {
			fv_simple(f, 4, false);
			for (unsigned again = 0; again < 3; again++) {
				c = virtq_pop(q);
				assert_non_null(c);
				assert_int_equal(c->out_bytes, 4);
				virtq_skip_out(c, 4);
				if (again < 2)
					virtq_unpop(c);
			}
			virtq_push(c, 0);
			assert_null(virtq_pop(q));
		}
		assert_false(fv_broken(f));
	}
}

static void a_reset_makes_requests_void(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 4);
	struct virtq_chain *c, *d;

	fv_simple(f, 4, true);
	c = virtq_pop(q);
	assert_non_null(c);
	fv_wr(f, VIRTIO_MMIO_STATUS, 0);
	virtq_push(c, 4);
	assert_int_equal(fv_used(f)->idx, 0);
	q = fv_start(f, 0, 4);
	virtq_push(c, 4);
	virtq_unpop(c);
	assert_int_equal(fv_used(f)->idx, 0);
	/* What it leaves behind is used again, and there is room for as many as before. */
	for (unsigned i = 0; i < 4; i++)
		fv_simple(f, 4, true);
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(d = virtq_pop(q));
	virtq_push(d, 4);
	assert_int_equal(fv_used(f)->idx, 1);
}

/* ---- Packed rings ---- */

static void packed_chains_turn_round_the_ring(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, PACKED, 5);
	bool wrap = true;
	unsigned used = 0;

	for (uint16_t i = 0; i < 100; i++) {
		struct virtq_chain *c;

		fv_add(f, DATA, 10, NEXT, 0xdead);
		fv_add(f, DATA + 10, 20, WRITE, (uint16_t)(i + 1000));
		assert_non_null(c = virtq_pop(q));
		assert_int_equal(c->out_bytes, 10);
		assert_int_equal(c->in_bytes, 20);
		assert_null(virtq_pop(q));
		virtq_push(c, i % 2 ? 20 : 0);
		assert_int_equal(fv_packed(f)[used].id, i + 1000);
		assert_int_equal(fv_packed(f)[used].flags,
				 (wrap ? VIRTQ_DESC_F_AVAIL | VIRTQ_DESC_F_USED : 0) | (i % 2 ? WRITE : 0));
		if (i % 2)
			assert_int_equal(fv_packed(f)[used].len, 20);
		used += 2;
		if (used >= 5) {
			used -= 5;
			wrap = !wrap;
		}
	}
	assert_false(fv_broken(f));
}

static void packed_indirect_tables_are_read_in_order(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, PACKED | INDIRECT, 4);
	struct virtq_packed_desc t[4] = {
		{ DATA, 1, 9, NEXT }, { DATA, 2, 9, 0 }, { DATA, 4, 9, WRITE }, { DATA, 8, 9, WRITE }
	};
	struct virtq_chain *c;

	memcpy(f->ram + FV_TABLE + 1, t, sizeof(t));
	fv_add(f, fv_gpa(FV_TABLE + 1), sizeof(t), TABLE, 3);
	assert_non_null(c = virtq_pop(q));
	assert_int_equal(c->out_bytes, 3);
	assert_int_equal(c->in_bytes, 12);
	virtq_push(c, 12);
	assert_int_equal(fv_packed(f)[0].id, 3);
	fv_add(f, DATA, 1, NEXT, 0);
	fv_add(f, fv_gpa(FV_TABLE + 1), sizeof(t) - 16, TABLE, 4);
	assert_non_null(c = virtq_pop(q));
	assert_int_equal(c->out_bytes, 4);
	virtq_push(c, 0);
	assert_int_equal(fv_packed(f)[1].id, 4);
}

/* A driver and a device that do as they like, within the rules; what went in comes out. */
static void anything_that_follows_the_rules_works(void **state)
{
	struct fake_virtio *f = *state;
	enum { SIZE = 8 };
	uint64_t seed = 1;

	for (unsigned packed = 0; packed < 2; packed++) {
		struct virtq *q = fv_start(f, INDIRECT | EVENT_IDX | (packed ? PACKED : 0), SIZE);
		struct virtq_chain *held[SIZE], *last = NULL;
		unsigned held_count = 0, in_ring = 0, offered = 0, done = 0;
		uint64_t ids_out = 0;

		while (done < 20000) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			switch (seed >> 60 & 3) {
			case 0:
				if (in_ring == SIZE || ids_out == 0xff)
					break;
				for (unsigned id = 0; id < SIZE; id++) {
					if (ids_out >> id & 1)
						continue;
					ids_out |= UINT64_C(1) << id;
					memcpy(f->ram + FV_DATA + 16 * id, &(uint64_t){ id * 77 }, 8);
					if (packed) {
						fv_add(f, DATA + 16 * id, 8, 0, (uint16_t)id);
					} else {
						fv_put(f, id, DATA + 16 * id, 8, 0, 0);
						fv_offer(f, (uint16_t)id);
					}
					in_ring++;
					offered++;
					break;
				}
				break;
			case 1:
				if (held_count < SIZE && (held[held_count] = virtq_pop(q)))
					last = held[held_count++];
				break;
			case 2:
				if (last && seed >> 59 & 1) {
					virtq_unpop(last);
					held_count--;
					last = NULL;
				}
				break;
			case 3:
				if (held_count) {
					unsigned i = (unsigned)(seed >> 40) % held_count, id;
					uint64_t v;

					assert_int_equal(virtq_read(held[i], &v, 8), 8);
					id = packed ? held[i]->id : (unsigned)(v / 77);
					assert_int_equal(v, id * 77);
					assert_true(ids_out >> id & 1);
					if (held[i] == last)
						last = NULL;
					virtq_push(held[i], 0);
					memmove(&held[i], &held[i + 1], (--held_count - i) * sizeof(held[0]));
					ids_out &= ~(UINT64_C(1) << id);
					in_ring--;
					done++;
				}
				break;
			}
			assert_false(fv_broken(f));
		}
		while (held_count)
			virtq_push(held[--held_count], 0);
		assert_in_range(offered, done, done + SIZE);
	}
}

/* ---- Broken rules ---- */

static void refuses(struct fake_virtio *f, const char *what)
{
	struct virtq *q = virtio_queue(&f->state.v, 0);

	if (virtq_pop(q) || !fv_broken(f))
		fail_msg("taken: %s", what);
	assert_null(virtq_pop(q));
	assert_true(virtq_empty(q));
}

static const struct {
	const char *what;
	uint64_t features;
	struct virtq_desc desc[4], table[5]; /* the ring has 4; addresses from DATA on, but for tables */
	uint16_t head;
} wrong[] = {
	{ "a head that is no descriptor", 0, { { 0 } }, { { 0 } }, 4 },
	{ "a head of 65535", 0, { { 0 } }, { { 0 } }, 65535 },
	{ "a next that is no descriptor", 0, { { 0, 1, NEXT, 4 } }, { { 0 } }, 0 },
	{ "a descriptor that points to itself", 0, { { 0, 1, NEXT, 0 } }, { { 0 } }, 0 },
	{ "one without bytes that points to itself", 0, { { 0, 0, NEXT, 0 } }, { { 0 } }, 0 },
	{ "a circle", 0, { { 0, 1, NEXT, 1 }, { 0, 1, NEXT, 3 }, { 0 }, { 0, 1, NEXT, 1 } }, { { 0 } }, 0 },
	{ "read behind write", 0, { { 0, 1, NEXT | WRITE, 1 }, { 0, 1, 0, 0 } }, { { 0 } }, 0 },
	{ "one byte beyond memory", 0, { { FV_RAM_BYTES - FV_DATA - 3, 4, 0, 0 } }, { { 0 } }, 0 },
	{ "memory that is not there", 0, { { FV_RAM_BYTES, 4, 0, 0 } }, { { 0 } }, 0 },
	{ "the end of the address space",
	  0,
	  { { UINT64_MAX - FV_DATA - 0x40000001, UINT32_MAX, 0, 0 } },
	  { { 0 } },
	  0 },
	{ "4 GiB", 0, { { 0, UINT32_MAX, 0, 0 } }, { { 0 } }, 0 },
	{ "an indirect table not agreed on", 0, { { 0, 16, TABLE, 0 } }, { { 0, 1, 0, 0 } }, 0 },
	{ "a table of nothing", INDIRECT, { { 0, 0, TABLE, 0 } }, { { 0, 1, 0, 0 } }, 0 },
	{ "a table of 24 bytes", INDIRECT, { { 0, 24, TABLE, 0 } }, { { 0, 1, 0, 0 } }, 0 },
	{ "a table longer than the ring", INDIRECT, { { 0, 80, TABLE, 0 } }, { { 0, 1, 0, 0 } }, 0 },
	{ "a table of 4 GiB", INDIRECT, { { 0, UINT32_MAX - 15, TABLE, 0 } }, { { 0, 1, 0, 0 } }, 0 },
	{ "a table that is not the last",
	  INDIRECT,
	  { { 0, 16, TABLE | NEXT, 1 }, { 0, 1, 0, 0 } },
	  { { 0, 1, 0, 0 } },
	  0 },
	{ "a table in a table", INDIRECT, { { 0, 16, TABLE, 0 } }, { { 0, 16, TABLE, 0 } }, 0 },
	{ "a circle in a table", INDIRECT, { { 0, 32, TABLE, 0 } }, { { 0, 1, NEXT, 1 }, { 0, 1, NEXT, 0 } }, 0 },
	{ "a next behind the table", INDIRECT, { { 0, 16, TABLE, 0 } }, { { 0, 1, NEXT, 1 } }, 0 },
	{ "a chain longer than the ring",
	  INDIRECT,
	  { { 0, 1, NEXT, 1 }, { 0, 64, TABLE, 0 } },
	  { { 0, 1, NEXT, 1 }, { 0, 1, NEXT, 2 }, { 0, 1, NEXT, 3 }, { 0, 1, 0, 0 } },
	  0 },
};

static void put_relative(struct fake_virtio *f, const struct virtq_desc *d, void *to)
{
	struct virtq_desc r = *d;

	r.addr += d->flags & TABLE ? fv_gpa(FV_TABLE) : DATA;
	(void)f;
	memcpy(to, &r, sizeof(r));
}

static void what_breaks_a_rule_breaks_the_device(void **state)
{
	struct fake_virtio *f = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		fv_start(f, wrong[i].features, 4);
		for (unsigned k = 0; k < 4; k++)
			put_relative(f, &wrong[i].desc[k], &fv_desc(f)[k]);
		for (unsigned k = 0; k < 5; k++)
			put_relative(f, &wrong[i].table[k], f->ram + FV_TABLE + 16 * k);
		fv_offer(f, wrong[i].head);
		refuses(f, wrong[i].what);
	}
}

static void a_table_over_the_ring_itself_is_no_endless_loop(void **state)
{
	struct fake_virtio *f = *state;

	fv_start(f, INDIRECT, 4);
	fv_put(f, 0, fv_gpa(FV_DESC), 64, TABLE, 0);
	fv_offer(f, 0);
	refuses(f, "a table in itself");
	fv_start(f, INDIRECT | PACKED, 4);
	fv_add(f, fv_gpa(FV_DESC), 64, TABLE, 0);
	/* Of a packed table's flags only WRITE counts: four buffers over the ring, the others empty. */
	assert_non_null(virtq_pop(virtio_queue(&f->state.v, 0)));
}

static void a_table_outside_memory_breaks_the_device(void **state)
{
	struct fake_virtio *f = *state;

	fv_start(f, INDIRECT, 4);
	fv_put(f, 0, fv_gpa(FV_RAM_BYTES - 15), 16, TABLE, 0);
	fv_offer(f, 0);
	refuses(f, "a table outside memory");
}

static void more_than_4_gib_break_the_device(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, INDIRECT, 2048);
	struct virtq_desc *t = (struct virtq_desc *)(void *)(f->ram + FV_TABLE);
	struct virtq_chain *c;

	for (unsigned i = 0; i < 1366; i++)
		t[i] = (struct virtq_desc){ DATA, 3 * MIB, NEXT, (uint16_t)(i + 1) };
	t[1365] = (struct virtq_desc){ DATA, MIB, 0, 0 };
	fv_put(f, 0, fv_gpa(FV_TABLE), 1366 * 16, TABLE, 0);
	fv_offer(f, 0);
	c = virtq_pop(q);
	assert_non_null(c);
	assert_int_equal(c->out_bytes, 4 * GIB);
	virtq_push(c, 0);
	t[1365].len++;
	fv_offer(f, 0);
	refuses(f, "4 GiB and a byte");
}

static void read_only_memory_is_not_written(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q;
	struct virtq_chain *c;

	/* As flash is to a guest. */
	assert_int_equal(mem_add_shared(f->mem, "rom", gpa(0), 0x10000), 0);
	((struct mem_region *)mem_region_at(f->mem, gpa(0)))->readonly = true;
	q = fv_start(f, 0, 4);
	fv_put(f, 0, 0x100, 16, NEXT, 1);
	fv_put(f, 1, DATA, 16, WRITE, 1);
	fv_offer(f, 0);
	assert_non_null(c = virtq_pop(q));
	virtq_push(c, 0);
	fv_put(f, 1, 0x100, 16, WRITE, 1);
	fv_offer(f, 0);
	refuses(f, "a buffer in ROM to be written");
}

static void an_index_that_jumps_ahead_breaks_the_device(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 4);

	fv_put(f, 0, DATA, 4, 0, 0);
	fv_avail(f)->idx = 5;
	refuses(f, "five requests in a ring of four");
	fv_start(f, 0, 4);
	fv_avail(f)->idx = UINT16_MAX;
	refuses(f, "an index that goes back");
	/* The same entry again and again, while none is finished. */
	q = fv_start(f, 0, 4);
	fv_put(f, 0, DATA, 4, 0, 0);
	for (unsigned i = 0; i < 4; i++) {
		fv_offer(f, 0);
		assert_non_null(virtq_pop(q));
	}
	fv_offer(f, 0);
	refuses(f, "more requests than the ring has entries");
}

static void packed_rules(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q;

	fv_start(f, PACKED, 4);
	for (unsigned i = 0; i < 4; i++)
		fv_add(f, DATA, 1, NEXT, 0);
	refuses(f, "a chain round the whole ring");
	fv_start(f, PACKED, 4);
	fv_add(f, fv_gpa(FV_TABLE), 16, TABLE, 0);
	refuses(f, "a table not agreed on");
	fv_start(f, PACKED | INDIRECT, 4);
	fv_add(f, fv_gpa(FV_TABLE), 80, TABLE, 0);
	refuses(f, "a table longer than the ring");
	fv_start(f, PACKED | INDIRECT, 4);
	fv_add(f, DATA, 1, NEXT, 0);
	fv_add(f, fv_gpa(FV_TABLE), 64, TABLE, 0);
	refuses(f, "a chain longer than the ring");
	fv_start(f, PACKED | INDIRECT, 4);
	fv_add(f, fv_gpa(FV_TABLE), 16, TABLE | NEXT, 0);
	refuses(f, "a table that is not the last");
	fv_start(f, PACKED, 4);
	fv_add(f, DATA, 1, NEXT | WRITE, 0);
	fv_add(f, DATA, 1, 0, 0);
	refuses(f, "read behind write");
	/* Available once more while it is in flight. */
	q = fv_start(f, PACKED, 4);
	for (unsigned i = 0; i < 4; i++)
		fv_add(f, DATA, 1, 0, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_non_null(virtq_pop(q));
	assert_null(virtq_pop(q));
	assert_false(fv_broken(f));
	fv_add(f, DATA, 1, 0, 0);
	refuses(f, "more descriptors than the ring has");
	q = fv_start(f, PACKED, 4);
	for (unsigned i = 0; i < 3; i++)
		fv_add(f, DATA, 1, 0, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_non_null(virtq_pop(q));
	fv_add(f, DATA, 1, NEXT, 0);
	fv_add(f, DATA, 1, 0, 0);
	refuses(f, "a chain over one in flight");
}

/* ---- Interrupts ---- */

static unsigned finish_one(struct fake_virtio *f, struct virtq *q)
{
	struct virtq_chain *c;

	fv_simple(f, 4, true);
	assert_non_null(c = virtq_pop(q));
	virtq_push(c, 4);
	virtq_interrupt(q);
	virtq_interrupt(q); /* nothing is new */
	return interrupts(f);
}

static void a_flag_keeps_interrupts_away(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 4);

	virtq_interrupt(q);
	assert_int_equal(interrupts(f), 0);
	assert_int_equal(finish_one(f, q), 1);
	fv_avail(f)->flags = VIRTQ_AVAIL_F_NO_INTERRUPT;
	assert_int_equal(finish_one(f, q), 0);
	fv_avail(f)->flags = 0;
	assert_int_equal(finish_one(f, q), 1);
	q = fv_start(f, PACKED, 4);
	assert_int_equal(finish_one(f, q), 1);
	fv_driver_event(f)->flags = VIRTQ_EVENT_DISABLE;
	assert_int_equal(finish_one(f, q), 0);
	fv_driver_event(f)->flags = VIRTQ_EVENT_ENABLE;
	assert_int_equal(finish_one(f, q), 1);
}

static void finish_some(struct fake_virtio *f, struct virtq *q, unsigned n)
{
	struct virtq_chain *c;

	while (n--) {
		fv_simple(f, 4, true);
		assert_non_null(c = virtq_pop(q));
		virtq_push(c, 4);
	}
}

/* The interrupt comes when the event is passed, not before and not once more, wherever the index stands. */
static void an_event_index_is_met_exactly(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, EVENT_IDX, 4);
	uint16_t at = 0;

	for (unsigned start = 0; start < 66000; start += 1000) {
		for (unsigned ahead = 0; ahead < 3; ahead++)
			for (unsigned batch = 1; batch < 6; batch++) {
				unsigned passed = 0;

				*fv_used_event(f) = (uint16_t)(at + ahead);
				for (unsigned i = 0; i < 2; i++) {
					bool due = passed <= ahead && passed + batch > ahead;

					finish_some(f, q, batch);
					passed += batch;
					virtq_interrupt(q);
					assert_int_equal(interrupts(f), due);
				}
				at = (uint16_t)(at + passed);
			}
		*fv_used_event(f) = (uint16_t)(at - 1); /* long past */
		finish_some(f, q, 900);
		virtq_interrupt(q);
		assert_int_equal(interrupts(f), 0);
		at = (uint16_t)(at + 900);
	}
	/* A device that did not look for a whole turn of the index has passed everything. */
	finish_some(f, q, 65536);
	*fv_used_event(f) = at;
	virtq_interrupt(q);
	assert_int_equal(interrupts(f), 1);
}

static void a_packed_event_is_met_exactly(void **state)
{
	struct fake_virtio *f = *state;
	enum { SIZE = 7 };
	struct virtq *q = fv_start(f, EVENT_IDX | PACKED, SIZE);
	unsigned at = 0;

	for (unsigned round = 0; round < 50; round++)
		for (unsigned ahead = 0; ahead < SIZE; ahead++)
			for (unsigned batch = 1; batch <= SIZE; batch++) {
				unsigned event = at + ahead, passed = 0;

				fv_driver_event(f)->off = (uint16_t)(event % SIZE | (event / SIZE % 2 ? 0 : 0x8000));
				fv_driver_event(f)->flags = VIRTQ_EVENT_DESC;
				while (passed <= ahead) {
					bool due = passed + batch > ahead || batch >= SIZE;

					finish_some(f, q, batch);
					passed += batch;
					virtq_interrupt(q);
					assert_int_equal(interrupts(f), due);
				}
				at += passed;
			}
}

/* ---- Notifications ---- */

static void the_driver_is_asked_when_there_is_nothing_left(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, EVENT_IDX, 4);

	*fv_avail_event(f) = 0xaaaa;
	fv_simple(f, 4, true);
	fv_simple(f, 4, true);
	assert_non_null(virtq_pop(q));
	assert_int_equal(*fv_avail_event(f), 0xaaaa);
	assert_non_null(virtq_pop(q));
	assert_int_equal(*fv_avail_event(f), 0xaaaa);
	assert_null(virtq_pop(q));
	assert_int_equal(*fv_avail_event(f), 2);

	virtq_notifications(q, false);
	fv_simple(f, 4, true);
	assert_non_null(virtq_pop(q));
	assert_null(virtq_pop(q));
	assert_true(virtq_empty(q));
	assert_int_equal(*fv_avail_event(f), 2);
	virtq_notifications(q, true);
	assert_int_equal(*fv_avail_event(f), 3);
}

static void packed_notifications(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, EVENT_IDX | PACKED, 3);

	for (unsigned i = 0; i < 8; i++) {
		finish_some(f, q, 1);
		assert_true(virtq_empty(q));
		assert_int_equal(fv_device_event(f)->flags, VIRTQ_EVENT_DESC);
		assert_int_equal(fv_device_event(f)->off, (i + 1) % 3 | ((i + 1) / 3 % 2 ? 0 : 0x8000));
	}
	virtq_notifications(q, false);
	assert_int_equal(fv_device_event(f)->flags, VIRTQ_EVENT_DISABLE);
	assert_true(virtq_empty(q));
	assert_int_equal(fv_device_event(f)->flags, VIRTQ_EVENT_DISABLE);
	virtq_notifications(q, true);
	assert_int_equal(fv_device_event(f)->flags, VIRTQ_EVENT_DESC);

	q = fv_start(f, PACKED, 3);
	virtq_notifications(q, false);
	assert_int_equal(fv_device_event(f)->flags, VIRTQ_EVENT_DISABLE);
	virtq_notifications(q, true);
	assert_int_equal(fv_device_event(f)->flags, VIRTQ_EVENT_ENABLE);
}

static void a_flag_keeps_notifications_away(void **state)
{
	struct fake_virtio *f = *state;
	struct virtq *q = fv_start(f, 0, 4);

	assert_int_equal(fv_used(f)->flags, 0);
	virtq_notifications(q, false);
	assert_int_equal(fv_used(f)->flags, VIRTQ_USED_F_NO_NOTIFY);
	virtq_notifications(q, true);
	assert_int_equal(fv_used(f)->flags, 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_has_its_pieces_in_order),
		TEST(bytes_are_copied_across_pieces),
		TEST(pieces_without_bytes_are_passed_over),
		TEST(pieces_may_overlap),
		TEST(an_indirect_table_is_followed),
		TEST(a_chain_may_be_as_long_as_the_ring),
		TEST(indices_wrap_at_65536),
		TEST(requests_are_finished_in_any_order),
		TEST(requests_may_be_finished_together),
		TEST(a_request_put_back_comes_again),
		TEST(a_reset_makes_requests_void),
		TEST(packed_chains_turn_round_the_ring),
		TEST(packed_indirect_tables_are_read_in_order),
		TEST(anything_that_follows_the_rules_works),
		TEST(what_breaks_a_rule_breaks_the_device),
		TEST(a_table_over_the_ring_itself_is_no_endless_loop),
		TEST(a_table_outside_memory_breaks_the_device),
		TEST(more_than_4_gib_break_the_device),
		TEST(read_only_memory_is_not_written),
		TEST(an_index_that_jumps_ahead_breaks_the_device),
		TEST(packed_rules),
		TEST(a_flag_keeps_interrupts_away),
		TEST(an_event_index_is_met_exactly),
		TEST(a_packed_event_is_met_exactly),
		TEST(the_driver_is_asked_when_there_is_nothing_left),
		TEST(packed_notifications),
		TEST(a_flag_keeps_notifications_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
