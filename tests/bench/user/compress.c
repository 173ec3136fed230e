/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compression: matches in a window with a hash of three bytes, and canonical Huffman codes. */
#include <string.h>

#include "bench.h"

#define TEXT_BYTES 32768

/* Text of some structure: words of a small vocabulary, the frequent ones more often. */
static void make_text(uint8_t *t)
{
	char words[256][10];
	uint64_t seed = 7;
	size_t at = 0;

	for (int w = 0; w < 256; w++) {
		size_t length = 2 + rnd(&seed) % 7;

		for (size_t i = 0; i < length; i++)
			words[w][i] = (char)('a' + (rnd(&seed) % 26) * (rnd(&seed) % 26) / 26);
		words[w][length] = 0;
	}
	while (at < TEXT_BYTES) {
		const char *w = words[(rnd(&seed) % 256) * (rnd(&seed) % 256) / 256];

		for (; *w && at < TEXT_BYTES; w++)
			t[at++] = (uint8_t)*w;
		if (at < TEXT_BYTES)
			t[at++] = ' ';
	}
}

/* ---- LZ: a token is literals (0, count, bytes) or a match (length >= 4, distance in two bytes) ---- */

#define HASH_BITS 12
#define MATCH_MAX 255

static uint32_t hash3(const uint8_t *p)
{
	return ((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]) * 2654435761u >> (32 - HASH_BITS);
}

static size_t put_literals(uint8_t *out, const uint8_t *from, size_t n)
{
	size_t at = 0;

	while (n) {
		size_t some = n < 255 ? n : 255;

		out[at++] = 0;
		out[at++] = (uint8_t)some;
		memcpy(out + at, from, some);
		at += some;
		from += some;
		n -= some;
	}
	return at;
}

static size_t match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
	size_t n = 0;

	while (b + n < end && n < MATCH_MAX && a[n] == b[n])
		n++;
	return n;
}

static size_t lz_pack(uint8_t *out, const uint8_t *in, size_t bytes)
{
	uint16_t last[1 << HASH_BITS];
	size_t at = 0, i = 1, literals = 0;

	memset(last, 0, sizeof(last));
	while (i + 4 <= bytes) {
		uint32_t h = hash3(in + i);
		size_t from = last[h], length = match_length(in + from, in + i, in + bytes);

		last[h] = (uint16_t)i;
		if (length < 4) {
			i++;
			continue;
		}
		at += put_literals(out + at, in + literals, i - literals);
		out[at++] = (uint8_t)length;
		out[at++] = (uint8_t)(i - from);
		out[at++] = (uint8_t)((i - from) >> 8);
		i += length;
		literals = i;
	}
	return at + put_literals(out + at, in + literals, bytes - literals);
}

static size_t lz_unpack(uint8_t *out, const uint8_t *in, size_t bytes)
{
	const uint8_t *end = in + bytes;
	size_t at = 0;

	while (in < end) {
		size_t n = *in++;

		if (!n) {
			n = *in++;
			memcpy(out + at, in, n);
			in += n;
			at += n;
			continue;
		}
		/* A match may reach into what it makes. */
		for (const uint8_t *from = out + at - (in[0] | in[1] << 8); n; n--)
			out[at++] = *from++;
		in += 2;
	}
	return at;
}

void bench_lz(struct run *r)
{
	uint8_t *t = pages(TEXT_BYTES), *packed = pages(2 * TEXT_BYTES), *back = pages(TEXT_BYTES);

	make_text(t);
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		size_t bytes;

		t[n * 997 % TEXT_BYTES] ^= 3;
		bytes = lz_pack(packed, t, TEXT_BYTES);
		r->checksum = mix(r->checksum, bytes);
		if (lz_unpack(back, packed, bytes) != TEXT_BYTES)
			fail("lz: length");
	}
	run_stop(r);
	if (memcmp(t, back, TEXT_BYTES) != 0)
		fail("lz: not the same");
	r->units = r->rounds * TEXT_BYTES;
}

/* ---- Huffman ---- */

#define SYMBOLS 256

struct code {
	uint8_t length[SYMBOLS];
	uint32_t bits[SYMBOLS];
	uint32_t first[33], count[33], offset[33]; /* by length: the first code, how many, where in sorted */
	uint8_t sorted[SYMBOLS];
};

/* Merges the two rarest trees until one is left; a symbol's length is how often its tree was merged. */
static void code_lengths(struct code *c, const uint8_t *in, size_t bytes)
{
	uint32_t weight[SYMBOLS] = { 0 };
	uint8_t tree[SYMBOLS];

	memset(c, 0, sizeof(*c));
	for (size_t i = 0; i < bytes; i++)
		weight[in[i]]++;
	for (int s = 0; s < SYMBOLS; s++)
		tree[s] = (uint8_t)s;
	for (;;) {
		int a = -1, b = -1;

		for (int s = 0; s < SYMBOLS; s++) {
			if (!weight[s])
				continue;
			if (a < 0 || weight[s] < weight[a])
				b = a, a = s;
			else if (b < 0 || weight[s] < weight[b])
				b = s;
		}
		if (b < 0)
			return;
		weight[a] += weight[b];
		weight[b] = 0;
		for (int s = 0; s < SYMBOLS; s++) {
			if (tree[s] != a && tree[s] != b)
				continue;
			c->length[s]++;
			tree[s] = (uint8_t)a;
		}
	}
}

static void code_bits(struct code *c)
{
	uint32_t next = 0, at = 0;

	for (int length = 1; length <= 32; length++) {
		next <<= 1;
		c->first[length] = next;
		c->offset[length] = at;
		for (int s = 0; s < SYMBOLS; s++) {
			if (c->length[s] != length)
				continue;
			c->bits[s] = next++;
			c->count[length]++;
			c->sorted[at++] = (uint8_t)s;
		}
	}
}

static size_t huffman_pack(const struct code *c, uint8_t *out, const uint8_t *in, size_t bytes)
{
	uint64_t pending = 0;
	int bits = 0;
	size_t at = 0;

	for (size_t i = 0; i < bytes; i++) {
		pending = pending << c->length[in[i]] | c->bits[in[i]];
		bits += c->length[in[i]];
		for (; bits >= 8; bits -= 8)
			out[at++] = (uint8_t)(pending >> (bits - 8));
	}
	out[at++] = (uint8_t)(pending << (8 - bits));
	return at;
}

static void huffman_unpack(const struct code *c, uint8_t *out, const uint8_t *in, size_t bytes)
{
	size_t bit = 0;

	for (size_t i = 0; i < bytes; i++) {
		uint32_t v = 0;

		for (int length = 1;; length++, bit++) {
			v = v << 1 | (in[bit / 8] >> (7 - bit % 8) & 1);
			if (v - c->first[length] < c->count[length]) {
				out[i] = c->sorted[c->offset[length] + v - c->first[length]];
				bit++;
				break;
			}
		}
	}
}

void bench_huffman(struct run *r)
{
	uint8_t *t = pages(TEXT_BYTES), *packed = pages(2 * TEXT_BYTES), *back = pages(TEXT_BYTES);
	struct code c;

	make_text(t);
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		t[n * 997 % TEXT_BYTES] ^= 3;
		code_lengths(&c, t, TEXT_BYTES);
		code_bits(&c);
		r->checksum = mix(r->checksum, huffman_pack(&c, packed, t, TEXT_BYTES));
		huffman_unpack(&c, back, packed, TEXT_BYTES);
	}
	run_stop(r);
	if (memcmp(t, back, TEXT_BYTES) != 0)
		fail("huffman: not the same");
	r->units = r->rounds * TEXT_BYTES;
}
