/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values and words that find mistakes sooner than evenly distributed ones do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vmm/types.h>

#include "../../arch/arm64/cpu/cpu.h"
#include "draw.h"

uint64_t rnd(struct rng *r)
{
	r->s ^= r->s >> 12;
	r->s ^= r->s << 25;
	r->s ^= r->s >> 27;
	return r->s * UINT64_C(0x2545f4914f6cdd1d);
}

unsigned below(struct rng *r, unsigned n) { return (unsigned)((rnd(r) >> 32) * n >> 32); }

static const uint64_t ints[] = {
	0,
	1,
	2,
	3,
	7,
	8,
	15,
	16,
	31,
	32,
	33,
	63,
	64,
	65,
	127,
	128,
	255,
	256,
	0x7fff,
	0x8000,
	0xffff,
	0x10000,
	0x7fffffff,
	0x80000000,
	0xffffffff,
	0x100000000,
	0x7fffffffffffffff,
	0x8000000000000000,
};
static const uint16_t fp16s[] = {
	0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x0400, 0x3c00, 0xbc00, 0x3bff, 0x3800, 0x7bff,
	0xfbff, 0x7c00, 0xfc00, 0x7e00, 0xfe00, 0x7c01, 0xfd55, 0x4000, 0x4200, 0x5bff, 0x7800,
};
static const uint32_t fp32s[] = {
	0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007fffff, 0x00800000, 0x00ffffff, 0x3f800000, 0xbf800000,
	0x3f7fffff, 0x3f000000, 0x40000000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001,
	0x7f800001, 0xffa00000, 0x4b000000, 0x4f000000, 0x5f000000, 0xcf000000, 0x38800000, 0x33000000, 0x477fe000,
};
static const uint64_t fp64s[] = {
	0x0000000000000000, 0x8000000000000000, 0x0000000000000001, 0x800fffffffffffff, 0x0010000000000000,
	0x3ff0000000000000, 0xbff0000000000000, 0x3fefffffffffffff, 0x3fe0000000000000, 0x4000000000000000,
	0x7fefffffffffffff, 0xffefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000,
	0xfff8000000000001, 0x7ff0000000000001, 0xfff4000000000000, 0x4330000000000000, 0x41dfffffffc00000,
	0x43e0000000000000, 0xc3e0000000000000, 0x380fffffe0000000, 0x36a0000000000000, 0x47efffffe0000000,
};

uint64_t any_int(struct rng *r)
{
	switch (below(r, 4)) {
	case 0: return ints[below(r, ARRAY_SIZE(ints))];
	case 1: return -ints[below(r, ARRAY_SIZE(ints))];
	case 2: return rnd(r) >> below(r, 64);
	default: return rnd(r);
	}
}

uint64_t any_fp(struct rng *r, unsigned width, unsigned fbits)
{
	uint64_t mask = ~UINT64_C(0) >> (64 - width), bias = (UINT64_C(1) << (width - fbits - 2)) - 1, special;
	uint64_t sign = (rnd(r) & 1) << (width - 1), frac = rnd(r) & ((UINT64_C(1) << fbits) - 1);
	unsigned e = below(r, width);

	switch (below(r, 9)) {
	case 0:
	case 1:
		special = width == 16   ? fp16s[below(r, ARRAY_SIZE(fp16s))]
			  : width == 32 ? fp32s[below(r, ARRAY_SIZE(fp32s))]
					: fp64s[below(r, ARRAY_SIZE(fp64s))];
		return (special + (below(r, 4) ? 0 : below(r, 7) - 3u)) & mask;
	case 2:
	case 3: return sign | (bias - 8 + below(r, 16)) << fbits | frac;
	case 4: /* an odd number of halves, sometimes a step off */
		if (e >= fbits)
			e = fbits - 1;
		frac &= ~UINT64_C(0) << (fbits - e);
		frac |= e ? UINT64_C(1) << (fbits - e - 1) : 0;
		return ((sign | (bias + e) << fbits | frac) + (below(r, 4) ? 0 : below(r, 3) - 1u)) & mask;
	case 5: return sign | frac >> below(r, fbits); /* denormal */
	case 6:
		return sign | (bias + below(r, width)) << fbits |
		       (below(r, 2) ? 0 : frac); /* as large as an integer */
	case 7:                                  /* products of two are where the exponent's range ends */
		if (below(r, 4))
			frac = (below(r, 2) ? 0 : (UINT64_C(1) << fbits)) + below(r, 5) - 2;
		e = (unsigned)((below(r, 2) ? (bias + 1) / 2 : bias + bias / 2) + below(r, 3) - 1);
		return ((sign | (uint64_t)e << fbits) + frac) & mask;
	default: return rnd(r) & mask;
	}
}

uint64_t any_lanes(struct rng *r)
{
	uint64_t v = 0;

	switch (below(r, 11)) {
	case 0: return any_int(r);
	case 1: return fp64s[below(r, ARRAY_SIZE(fp64s))];
	case 2:
		for (unsigned i = 0; i < 2; i++)
			v = v << 32 | fp32s[below(r, ARRAY_SIZE(fp32s))];
		return v;
	case 3:
		for (unsigned i = 0; i < 4; i++)
			v = v << 16 | fp16s[below(r, ARRAY_SIZE(fp16s))];
		return v;
	case 4: /* floats of similar magnitude, so that additions round */
		for (unsigned i = 0; i < 2; i++)
			v = v << 32 | (uint32_t)(rnd(r) & 0x807fffff) | (120 + below(r, 16)) << 23;
		return v;
	case 5: return (rnd(r) & UINT64_C(0x800fffffffffffff)) | (uint64_t)(1015 + below(r, 16)) << 52;
	case 6:
		for (unsigned i = 0; i < 8; i++)
			v = v << 8 | (below(r, 2) ? (uint8_t)ints[below(r, 18)] : (uint8_t)-ints[below(r, 18)]);
		return v;
	case 7: return any_fp(r, 64, 52);
	case 8: return any_fp(r, 32, 23) << 32 | any_fp(r, 32, 23);
	case 9:
		for (unsigned i = 0; i < 4; i++)
			v = v << 16 | any_fp(r, 16, 10);
		return v;
	default: return rnd(r);
	}
}

/* ---- Words of a row ---- */

void fields_of(const char *p, struct row_fields *r)
{
	unsigned left = 32;

	r->count = 0;
	while (*p) {
		struct field f = { .width = 1 };
		size_t n = strcspn(p, " :!");

		if (*p == ' ' || *p == '!') {
			p++;
			continue;
		}
		if (*p == '0' || *p == '1' || (*p == 'x' && strspn(p, "x01") == n)) {
			p++;
			left--;
			continue;
		}
		snprintf(f.name, sizeof(f.name), "%.*s", (int)n, p);
		p += n;
		if (*p == ':')
			f.width = (unsigned)strtoul(p + 1, (char **)&p, 10);
		if (*p == '!') /* must not be zero: words that a64_find() gives to another row are passed over */
			p++;
		left -= f.width;
		f.lo = left;
		if (r->count < ARRAY_SIZE(r->field))
			r->field[r->count++] = f;
	}
}

static bool is_register(const struct field *f) { return f->width == 5 && f->name[0] == 'R'; }

uint32_t any_word(struct rng *r, unsigned row, const struct row_fields *fields)
{
	uint32_t w = a64_bits[row][1] | ((uint32_t)rnd(r) & ~a64_bits[row][0]);

	for (unsigned i = 0; i < fields->count; i++) {
		const struct field *f = &fields->field[i];
		uint32_t mask = (uint32_t)((UINT64_C(1) << f->width) - 1), v;

		if (below(r, 6))
			continue;
		switch (below(r, 4)) {
		case 0: v = 0; break;
		case 1: v = mask; break;
		case 2: v = UINT32_C(1) << below(r, f->width); break;
		default: v = (uint32_t)rnd(r) & mask & 7; break;
		}
		if (is_register(f) && below(r, 2))
			v = below(r, 2) ? 31 : w >> fields->field[below(r, fields->count)].lo & 31;
		w = (w & ~(mask << f->lo)) | (v & mask) << f->lo;
	}
	return w;
}
static uint32_t ldxr_before(uint32_t w) { return (w & 0xc00003e0) | 0x085f7c1f; }
static uint32_t ldxp_before(uint32_t w)
{
	return (w & 0xc00003e0) | 0x087f001f | ((w >> 5 & 31) == 30 ? 29 : 30) << 10;
}

static const struct prefix {
	uint32_t mask, value;
	uint32_t (*make)(uint32_t);
} prefixes[] = {
	{ 0x3fe00000, 0x08000000, ldxr_before },
	{ 0xbfe00000, 0x88200000, ldxp_before },
};

uint32_t word_before(uint32_t w)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if ((w & prefixes[i].mask) == prefixes[i].value)
			return prefixes[i].make(w);
	return 0;
}

/* ---- State ---- */

void any_state(struct rng *r, struct a64_state *s)
{
	for (unsigned i = 0; i < 31; i++)
		s->x[i] = any_int(r);
	s->sp = any_int(r);
	s->pstate = rnd(r) & PSTATE_NZCV;
	for (unsigned i = 0; i < 32; i++) {
		s->v[i][0] = any_lanes(r);
		s->v[i][1] = any_lanes(r);
	}
	s->fpsr = below(r, 2) ? 0 : (uint32_t)rnd(r) & FPSR_MASK;
	s->fpcr = below(r, 2) ? 0 : (uint32_t)rnd(r) & UINT32_C(0x07c80000); /* AHP DN FZ RMode FZ16 */
}
