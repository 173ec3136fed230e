/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shadow.h"

#include <stdlib.h>
#include <string.h>

#include "mmu.h"

enum { PAGES_MAX = 16, PAGE_BYTES = 4096 };

struct shadow {
	uint8_t copy[PAGES_MAX][2][PAGE_BYTES]; /* by pass */
	uint8_t *host[PAGES_MAX];               /* whose copies they are */
	unsigned count;
	enum shadow_pass pass;
	bool refused;
	struct mmu_ctx empty, tlb[2];  /* of the first pass; of the second one, EL0's and EL1's */
	struct mmu_ctx *ctx, *ctx_el0; /* the cpu's own */
};

struct shadow *shadow_create(void)
{
	struct shadow *s = aligned_alloc(PAGE_BYTES, align_up(sizeof(*s), PAGE_BYTES));

	if (!s)
		return NULL;
	s->count = 0;
	mmu_ctx_init(&s->empty);
	mmu_ctx_init(&s->tlb[0]);
	mmu_ctx_init(&s->tlb[1]);
	return s;
}

void shadow_destroy(struct shadow *s) { free(s); }

/* ---- Copies ---- */

/* Others may be writing: the copy is what it is, but both passes have the same. */
__attribute__((no_sanitize("thread"))) static void copy_page(uint8_t *to, const uint8_t *from)
{
	const volatile uint64_t *f = (const volatile void *)from;
	uint64_t *t = (void *)to;

	for (unsigned k = 0; k < PAGE_BYTES / 8; k++)
		t[k] = f[k];
}

enum exec shadow_refuse(struct shadow *s)
{
	s->refused = true;
	return EXEC_JUMP;
}

void *shadow_copy(struct shadow *s, uint8_t *host)
{
	size_t off = (uintptr_t)host % PAGE_BYTES;
	unsigned k = 0;

	while (k < s->count && s->host[k] != host - off)
		k++;
	if (k == s->count) {
		if (k == PAGES_MAX || s->pass == SHADOW_SECOND) {
			shadow_refuse(s);
			return NULL;
		}
		s->host[s->count++] = host - off;
		copy_page(s->copy[k][0], host - off);
		memcpy(s->copy[k][1], s->copy[k][0], PAGE_BYTES);
	}
	return s->copy[k][s->pass] + off;
}

/* The number of the page that a copy is in; s->count: it is none. */
static unsigned page_of(const struct shadow *s, const void *copy)
{
	size_t k = ((uintptr_t)copy - (uintptr_t)s->copy) / sizeof(s->copy[0]);

	return k < s->count ? (unsigned)k : s->count;
}

struct mmu_ctx *shadow_second(struct shadow *s, const void *copy, bool el1, uint8_t **page)
{
	if (s->pass == SHADOW_SECOND)
		return NULL;
	*page = s->copy[page_of(s, copy)][SHADOW_SECOND];
	return &s->tlb[el1];
}

bool shadow_has_refused(const struct shadow *s) { return s->refused; }

const void *shadow_difference(const struct shadow *s, uint64_t value[2])
{
	for (unsigned k = 0; k < s->count; k++)
		for (unsigned off = 0; memcmp(s->copy[k][0], s->copy[k][1], PAGE_BYTES); off += 8) {
			memcpy(&value[0], s->copy[k][0] + off, 8);
			memcpy(&value[1], s->copy[k][1] + off, 8);
			if (value[0] != value[1])
				return s->host[k] + off;
		}
	return NULL;
}

/* ---- Passes ---- */

/* The monitor knows its place by host address. */
static void move_monitor_in(struct cpu *c)
{
	if (c->excl.size)
		c->excl.host = shadow_copy(c->shadow, c->excl.host);
}

static void move_monitor_out(struct cpu *c)
{
	unsigned k = page_of(c->shadow, c->excl.host);

	if (c->excl.size && k < c->shadow->count)
		c->excl.host = c->shadow->host[k] + (uintptr_t)c->excl.host % PAGE_BYTES;
}

void shadow_begin(struct cpu *c, struct shadow *s, enum shadow_pass pass)
{
	bool guarded = c->ctx->has_guarded;

	s->ctx = c->ctx;
	s->ctx_el0 = c->ctx_el0;
	s->pass = pass;
	s->refused = false;
	if (pass == SHADOW_FIRST) {
		s->count = 0;
		mmu_ctx_flush(&s->tlb[0]);
		mmu_ctx_flush(&s->tlb[1]);
		c->ctx = c->ctx_el0 = &s->empty;
	} else {
		c->ctx = &s->tlb[c->el];
		c->ctx_el0 = &s->tlb[0];
	}
	c->ctx->has_guarded = guarded;
	c->shadow = s;
	move_monitor_in(c);
}

bool shadow_end(struct cpu *c)
{
	struct shadow *s = c->shadow;

	move_monitor_out(c);
	c->shadow = NULL;
	c->ctx = s->ctx;
	c->ctx_el0 = s->ctx_el0;
	return !s->refused;
}
