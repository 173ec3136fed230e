/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Build-time tool: a64.def -> masks and the first-level decode index.
 *
 *   gendec > a64-tables.h
 *
 * The index is bits [29:22] and [13:10] of the word: 4,096 buckets with few
 * candidates each, the most specific row first. Overlapping rows must be
 * strictly nested; anything else is a mistake in the table and ends the build.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
	const char *name, *bits;
	uint32_t mask, value, nonzero;
};

static struct row rows[] = {
#define A64(name, bits, ...) { #name, bits, 0, 0, 0 },
#include "a64.def"
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static bool fail(const struct row *r, const char *why)
{
	fprintf(stderr, "a64.def: %s: %s: \"%s\"\n", r->name, why, r->bits);
	return false;
}

static bool parse(struct row *r)
{
	int left = 32;

	for (const char *p = r->bits; *p; ) {
		if (*p == ' ') {
			p++;
		} else if (*p == '0' || *p == '1' || (*p == 'x' && (p[1] == ' ' || p[1] == 'x' || p[1] == '0' || p[1] == '1' || !p[1]))) {
			if (--left < 0)
				return fail(r, "more than 32 bits");
			r->mask |= (uint32_t)(*p != 'x') << left;
			r->value |= (uint32_t)(*p == '1') << left;
			p++;
		} else {
			size_t n = strcspn(p, " :!");
			long width = 1;

			p += n;
			if (*p == ':')
				width = strtol(p + 1, (char **)&p, 10);
			left -= (int)width;
			if (width < 1 || left < 0)
				return fail(r, "more than 32 bits");
			if (*p == '!') {
				if (r->nonzero)
					return fail(r, "two fields that must not be zero");
				r->nonzero = (uint32_t)((UINT64_C(1) << width) - 1) << left;
				p++;
			}
		}
	}
	return left == 0 || fail(r, "fewer than 32 bits");
}

static unsigned index_of(uint32_t w)
{
	return ((w >> 22) & 0xff) << 4 | ((w >> 10) & 0xf);
}

static int more_specific(const void *a, const void *b)
{
	uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
	int d = __builtin_popcount(rows[y].mask) - __builtin_popcount(rows[x].mask);

	return d ? d : (int)x - (int)y;
}

/* One asks for zero where the other refuses it. */
static bool zero_apart(const struct row *a, const struct row *b)
{
	return a->nonzero && (b->mask & a->nonzero) == a->nonzero && !(b->value & a->nonzero);
}

static bool check_overlaps(void)
{
	bool ok = true;

	for (size_t i = 0; i < ROWS; i++)
		for (size_t j = i + 1; j < ROWS; j++) {
			const struct row *a = &rows[i], *b = &rows[j];
			uint32_t both = a->mask & b->mask;

			if (((a->value ^ b->value) & both) || zero_apart(a, b) || zero_apart(b, a))
				continue;
			if (a->mask != b->mask && (both == a->mask || both == b->mask))
				continue;
			fprintf(stderr, "a64.def: %s and %s overlap and neither is inside the other\n",
				a->name, b->name);
			ok = false;
		}
	return ok;
}

int main(void)
{
	static uint16_t list[4096][256], count[4096], start[4096];
	uint32_t imask = 0x3fc03c00, pool = 1;
	bool ok = true;

	for (size_t i = 0; i < ROWS; i++)
		ok &= parse(&rows[i]);
	if (!ok || !check_overlaps())
		return 1;
	for (unsigned b = 0; b < 4096; b++) {
		uint32_t w = (b >> 4) << 22 | (b & 0xf) << 10;

		for (size_t i = 0; i < ROWS; i++)
			if (!((rows[i].value ^ w) & rows[i].mask & imask)) {
				if (count[b] == 255)
					return fail(&rows[i], "more than 255 candidates in a bucket") + 1;
				list[b][count[b]++] = (uint16_t)i;
			}
		qsort(list[b], count[b], sizeof(list[b][0]), more_specific);
	}
	printf("/* Made by gendec from a64.def. */\n#define A64_INDEX(w) (%s)\n",
	       "((w) >> 22 & 0xff) << 4 | ((w) >> 10 & 0xf)");
	printf("const uint32_t a64_bits[OP_COUNT][2] = {\n");
	for (size_t i = 0; i < ROWS; i++)
		printf("\t[OP_%s] = { 0x%08x, 0x%08x },\n", rows[i].name, rows[i].mask, rows[i].value);
	printf("};\nconst uint32_t a64_nonzero[OP_COUNT] = {\n");
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].nonzero)
			printf("\t[OP_%s] = 0x%08x,\n", rows[i].name, rows[i].nonzero);
	printf("};\nstatic const uint16_t a64_pool[] = {\n\t0xffff,\n");
	for (unsigned b = 0; b < 4096; b++) {
		unsigned same = b;

		for (unsigned o = 0; o < b && same == b; o++)
			if (count[o] == count[b] && !memcmp(list[o], list[b], 2u * count[b]))
				same = o;
		if (!count[b]) {
			start[b] = 0;
			continue;
		}
		if (same != b) {
			start[b] = start[same];
			continue;
		}
		start[b] = (uint16_t)pool;
		for (unsigned i = 0; i < count[b]; i++)
			printf("\tOP_%s,\n", rows[list[b][i]].name);
		printf("\t0xffff,\n");
		pool += count[b] + 1u;
		if (pool > 65535)
			return fail(&rows[0], "candidate pool over 65535") + 1;
	}
	printf("};\nstatic const uint16_t a64_first[4096] = {");
	for (unsigned b = 0; b < 4096; b++)
		printf("%s%u,", b % 16 ? "" : "\n\t", start[b]);
	printf("\n};\n");
	return index_of(0) != 0;
}
