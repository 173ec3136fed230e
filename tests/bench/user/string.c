/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings: loops over bytes as one writes them, and the C library's, which take more at a time. */
#include <string.h>

#include "bench.h"

#define TEXT_BYTES 4096

/* Lines of words, ended by a zero. */
static char *text(uint64_t seed)
{
	static char store[2][TEXT_BYTES];
	char *t = store[seed & 1];

	for (size_t i = 0; i < TEXT_BYTES - 1; i++) {
		uint64_t v = rnd(&seed) >> 59;

		t[i] = (char)(v < 26 ? 'a' + v : v == 31 ? '\n' : ' ');
	}
	t[TEXT_BYTES - 1] = 0;
	return t;
}

/* ---- our own: the compiler must not see through them, nor make library calls of them ---- */

#define PLAIN __attribute__((noinline, noclone, optimize("no-tree-loop-distribute-patterns")))

PLAIN static size_t plain_strlen(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

PLAIN static void plain_memcpy(char *to, const char *from, size_t n)
{
	while (n--)
		*to++ = *from++;
}

PLAIN static int plain_memcmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b)
			return *a - *b;
	return 0;
}

PLAIN static const char *plain_strchr(const char *s, char c)
{
	for (; *s != c; s++)
		if (!*s)
			return NULL;
	return s;
}

PLAIN static uint64_t plain_words(const char *s)
{
	uint64_t words = 0;

	for (bool in = false; *s; s++) {
		bool letter = *s >= 'a' && *s <= 'z';

		words += letter && !in;
		in = letter;
	}
	return words;
}

void bench_string(struct run *r)
{
	static char copy[TEXT_BYTES];
	char *t = text(5);
	uint64_t sum = 0;

	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		t[n % 100] ^= 1;
		sum = mix(sum, plain_strlen(t));
		plain_memcpy(copy, t, TEXT_BYTES);
		sum += (uint64_t)plain_memcmp(copy, t, TEXT_BYTES);
		for (const char *p = t; (p = plain_strchr(p, '\n')); p++)
			sum++;
		sum = mix(sum, plain_words(t));
	}
	run_stop(r);
	r->checksum = sum;
	r->units = r->rounds * TEXT_BYTES * 5;
}

/* ---- the library's, by pointers that the compiler cannot follow ---- */

static size_t (*volatile lib_strlen)(const char *) = strlen;
static void *(*volatile lib_memcpy)(void *, const void *, size_t) = memcpy;
static int (*volatile lib_memcmp)(const void *, const void *, size_t) = memcmp;
static void *(*volatile lib_memset)(void *, int, size_t) = memset;

void bench_libc(struct run *r)
{
	static char copy[TEXT_BYTES];
	char *t = text(6);
	uint64_t sum = 0;

	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		size_t from = n % 61;

		t[n % 100] ^= 1;
		sum = mix(sum, lib_strlen(t + from));
		lib_memset(copy, (int)n, TEXT_BYTES);
		lib_memcpy(copy + from, t, TEXT_BYTES - from);
		sum += lib_memcmp(copy + from, t, TEXT_BYTES - from) == 0;
		for (const char *p = t; (p = strchr(p, '\n')); p++)
			sum++;
		/* Short ones, whose cost is the call. */
		for (size_t i = 0; i < 64; i++)
			lib_memcpy(copy + i, t + i * 16, 1 + i % 24);
		sum = mix(sum, (unsigned char)copy[n % 88]);
	}
	run_stop(r);
	r->checksum = sum;
	r->units = r->rounds * TEXT_BYTES * 5;
}
