/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer programs: what compilers make of ordinary C. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* ---- sorting ---- */

#define SORT_COUNT 4096

static void insertion(uint32_t *a, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		uint32_t v = a[i];
		size_t k = i;

		for (; k && a[k - 1] > v; k--)
			a[k] = a[k - 1];
		a[k] = v;
	}
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t t = *a;

	*a = *b;
	*b = t;
}

static void quick(uint32_t *a, size_t n)
{
	while (n > 12) {
		uint32_t pivot;
		size_t i = 0, k = n - 1;

		if (a[n / 2] < a[0])
			swap(&a[n / 2], &a[0]);
		if (a[n - 1] < a[0])
			swap(&a[n - 1], &a[0]);
		if (a[n - 1] < a[n / 2])
			swap(&a[n - 1], &a[n / 2]);
		pivot = a[n / 2];
		for (;;) {
			while (a[i] < pivot)
				i++;
			while (a[k] > pivot)
				k--;
			if (i >= k)
				break;
			swap(&a[i++], &a[k--]);
		}
		quick(a + k + 1, n - k - 1);
		n = k + 1;
	}
	insertion(a, n);
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void libc_sort(uint32_t *a, size_t n) { qsort(a, n, sizeof(*a), by_value); }

static void sort_by(struct run *r, void (*sort)(uint32_t *, size_t))
{
	static uint32_t from[SORT_COUNT], a[SORT_COUNT];
	uint64_t seed = 1;

	for (size_t i = 0; i < SORT_COUNT; i++)
		from[i] = (uint32_t)(rnd(&seed) >> 32);
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		memcpy(a, from, sizeof(a));
		a[n % SORT_COUNT] = (uint32_t)n;
		sort(a, SORT_COUNT);
		r->checksum = mix(r->checksum, a[n * 7 % SORT_COUNT]);
	}
	run_stop(r);
	for (size_t i = 1; i < SORT_COUNT; i++)
		if (a[i - 1] > a[i])
			fail("sort: not in order");
	r->units = r->rounds * SORT_COUNT;
}

void bench_sort(struct run *r) { sort_by(r, quick); }

void bench_qsort(struct run *r) { sort_by(r, libc_sort); }

/* ---- hashes ---- */

#define HASH_BYTES 16384

static const uint8_t *noise(void)
{
	static uint8_t data[HASH_BYTES];
	uint64_t seed = 2;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(rnd(&seed) >> 56);
	return data;
}

void bench_fnv(struct run *r)
{
	const uint8_t *data = noise();

	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		uint64_t h = 0xcbf29ce484222325u + n;

		for (size_t i = 0; i < HASH_BYTES; i++)
			h = (h ^ data[i]) * 0x100000001b3u;
		r->checksum = mix(r->checksum, h);
	}
	run_stop(r);
	r->units = r->rounds * HASH_BYTES;
}

static uint32_t ror(uint32_t v, int n) { return v >> n | v << (32 - n); }

/*
 * The first 32 bits of the fractional part of a root of the primes, from integers alone (FIPS 180-4, 4.2.2
 * and 5.3.3): the largest v with v^power <= prime << 32 * power, less its whole part.
 */
static uint32_t root_fraction(uint32_t prime, int power)
{
	unsigned __int128 bound = (unsigned __int128)prime << 64;
	uint64_t v = 0;

	for (int bit = 35; bit >= 0; bit--) {
		uint64_t t = v | 1ull << bit;
		unsigned __int128 square = (unsigned __int128)t * t;

		/* A cube has up to 108 bits and its bound 105; a square is compared with prime << 64. */
		if (power == 2 ? square <= bound : square * t <= bound << 32)
			v = t;
	}
	return (uint32_t)v;
}

struct sha {
	uint32_t h[8], k[64];
};

static void sha_init(struct sha *s)
{
	int n = 0;

	for (uint32_t p = 2; n < 64; p++) {
		uint32_t d = 2;

		while (d * d <= p && p % d)
			d++;
		if (d * d <= p)
			continue;
		if (n < 8)
			s->h[n] = root_fraction(p, 2);
		s->k[n++] = root_fraction(p, 3);
	}
}

static void sha_block(struct sha *s, const uint8_t *p)
{
	uint32_t w[64], v[8];

	for (int i = 0; i < 16; i++) {
		memcpy(&w[i], p + 4 * i, 4);
		w[i] = __builtin_bswap32(w[i]);
	}
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] + (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, s->h, sizeof(v));
	for (int i = 0; i < 64; i++) {
		uint32_t a = v[0], e = v[4];
		uint32_t t1 =
			v[7] + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & v[5]) ^ (~e & v[6])) + s->k[i] + w[i];
		uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(v[0]));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		s->h[i] += v[i];
}

void bench_sha256(struct run *r)
{
	const uint8_t *data = noise();
	struct sha s;

	sha_init(&s);
	if (s.h[0] != 0x6a09e667 || s.h[7] != 0x5be0cd19 || s.k[0] != 0x428a2f98 || s.k[63] != 0xc67178f2)
		fail("sha256: constants");
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++)
		for (size_t i = 0; i < HASH_BYTES; i += 64)
			sha_block(&s, data + i);
	run_stop(r);
	for (int i = 0; i < 8; i++)
		r->checksum = mix(r->checksum, s.h[i]);
	r->units = r->rounds * HASH_BYTES;
}

/* ---- a hash table with open addressing: loads that miss ---- */

#define TABLE_SLOTS 65536u
#define TABLE_KEYS  40000u

struct slot {
	uint64_t key, value;
};

static struct slot *table_find(struct slot *t, uint64_t key)
{
	uint64_t i = key * 0x9e3779b97f4a7c15u >> 48;

	while (t[i].key && t[i].key != key)
		i = (i + 1) % TABLE_SLOTS;
	return &t[i];
}

void bench_table(struct run *r)
{
	struct slot *t = pages(TABLE_SLOTS * sizeof(*t));
	uint64_t seed;

	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		memset(t, 0, TABLE_SLOTS * sizeof(*t));
		seed = n + 1;
		for (uint32_t i = 0; i < TABLE_KEYS; i++) {
			uint64_t key = rnd(&seed) >> 47 | 1;
			struct slot *s = table_find(t, key);

			s->key = key;
			s->value += i;
		}
		seed = n + 1;
		for (uint32_t i = 0; i < TABLE_KEYS; i++)
			r->checksum += table_find(t, rnd(&seed) >> 47 | 1)->value;
	}
	run_stop(r);
	r->units = r->rounds * TABLE_KEYS * 2;
}

/* ---- a list whose nodes lie in no order ---- */

#define LIST_NODES 8192

struct node {
	struct node *next;
	uint64_t value, pad[6];
};

void bench_list(struct run *r)
{
	struct node *nodes = pages(LIST_NODES * sizeof(*nodes)), **order = pages(LIST_NODES * sizeof(*order));
	uint64_t seed = 3, sum = 0;

	for (size_t i = 0; i < LIST_NODES; i++) {
		size_t k = rnd(&seed) % (i + 1);

		nodes[i].value = seed;
		order[i] = order[k];
		order[k] = &nodes[i];
	}
	for (size_t i = 0; i < LIST_NODES; i++)
		order[i]->next = i + 1 < LIST_NODES ? order[i + 1] : NULL;
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++)
		for (struct node *p = order[0]; p; p = p->next)
			sum += p->value ^ n;
	run_stop(r);
	r->checksum = sum;
	r->units = r->rounds * LIST_NODES;
}

/* ---- an interpreter of bytecode for a stack machine ---- */

enum {
	OP_PUSH,
	OP_LOAD,
	OP_STORE,
	OP_DUP,
	OP_SWAP,
	OP_ADD,
	OP_SUB,
	OP_MUL,
	OP_XOR,
	OP_SHR,
	OP_LESS,
	OP_JUMP,
	OP_UNLESS,
	OP_CALL,
	OP_RET,
	OP_HALT
};

struct machine {
	const uint8_t *code;
	uint64_t local[3], stack[64], steps;
	uint16_t ret[64];
};

static uint64_t execute(struct machine *m)
{
	const uint8_t *pc = m->code;
	uint64_t *sp = m->stack, steps = 0, top;
	uint16_t *rp = m->ret;

	for (;; steps++) {
		switch (*pc++) {
		case OP_PUSH: *sp++ = *pc++; break;
		case OP_LOAD: *sp++ = m->local[*pc++]; break;
		case OP_STORE: m->local[*pc++] = *--sp; break;
		case OP_DUP: sp++, sp[-1] = sp[-2]; break;
		case OP_SWAP: top = sp[-1], sp[-1] = sp[-2], sp[-2] = top; break;
		case OP_ADD: sp--, sp[-1] += *sp; break;
		case OP_SUB: sp--, sp[-1] -= *sp; break;
		case OP_MUL: sp--, sp[-1] *= *sp; break;
		case OP_XOR: sp--, sp[-1] ^= *sp; break;
		case OP_SHR: sp--, sp[-1] >>= *sp & 63; break;
		case OP_LESS: sp--, sp[-1] = sp[-1] < *sp; break;
		case OP_JUMP: pc = m->code + *pc; break;
		case OP_UNLESS: pc = *--sp ? pc + 1 : m->code + *pc; break;
		case OP_CALL:
			*rp++ = (uint16_t)(pc + 1 - m->code);
			pc = m->code + *pc;
			break;
		case OP_RET: pc = m->code + *--rp; break;
		case OP_HALT: m->steps += steps; return *--sp;
		}
	}
}

void bench_interp(struct run *r)
{
	/* for (i = 0; i < n; i++) h = hash(h ^ i) + fib(9) */
	static const uint8_t code[] = {
		[0] = OP_PUSH,
		0,
		OP_STORE,
		0,
		[4] = OP_LOAD,
		0,
		OP_LOAD,
		1,
		OP_LESS,
		OP_UNLESS,
		40,
		[11] = OP_LOAD,
		2,
		OP_LOAD,
		0,
		OP_XOR,
		OP_CALL,
		60,
		OP_STORE,
		2,
		[20] = OP_PUSH,
		9,
		OP_CALL,
		80,
		OP_LOAD,
		2,
		OP_ADD,
		OP_STORE,
		2,
		[29] = OP_LOAD,
		0,
		OP_PUSH,
		1,
		OP_ADD,
		OP_STORE,
		0,
		OP_JUMP,
		4,
		[40] = OP_LOAD,
		2,
		OP_HALT,
		/* hash(v) = v * 251 ^ v >> 7 */
		[60] = OP_DUP,
		OP_PUSH,
		251,
		OP_MUL,
		OP_SWAP,
		OP_PUSH,
		7,
		OP_SHR,
		OP_XOR,
		OP_RET,
		/* fib(v) = v < 2 ? v : fib(v - 1) + fib(v - 2) */
		[80] = OP_DUP,
		OP_PUSH,
		2,
		OP_LESS,
		OP_UNLESS,
		87,
		OP_RET,
		[87] = OP_DUP,
		OP_PUSH,
		1,
		OP_SUB,
		OP_CALL,
		80,
		OP_SWAP,
		OP_PUSH,
		2,
		OP_SUB,
		OP_CALL,
		80,
		OP_ADD,
		OP_RET,
	};
	struct machine m = { .code = code, .local = { 0, 100, 1 } };

	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++)
		r->checksum = mix(r->checksum, execute(&m));
	run_stop(r);
	r->units = m.steps;
}

/* ---- numbers of many words ---- */

#define MPI_WORDS 16

/* out = a * b; the carry chain is what mul, umulh, adds and adcs are for. */
static void mpi_mul(uint64_t *out, const uint64_t *a, const uint64_t *b)
{
	memset(out, 0, 2 * MPI_WORDS * sizeof(*out));
	for (int i = 0; i < MPI_WORDS; i++) {
		uint64_t carry = 0;

		for (int k = 0; k < MPI_WORDS; k++) {
			unsigned __int128 t = (unsigned __int128)a[i] * b[k] + out[i + k] + carry;

			out[i + k] = (uint64_t)t;
			carry = (uint64_t)(t >> 64);
		}
		out[i + MPI_WORDS] = carry;
	}
}

void bench_mpi(struct run *r)
{
	uint64_t a[MPI_WORDS], b[MPI_WORDS], out[2 * MPI_WORDS], seed = 4;

	for (int i = 0; i < MPI_WORDS; i++) {
		a[i] = rnd(&seed);
		b[i] = rnd(&seed);
	}
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		mpi_mul(out, a, b);
		for (int i = 0; i < MPI_WORDS; i++)
			a[i] = out[i] ^ out[i + MPI_WORDS];
	}
	run_stop(r);
	for (int i = 0; i < MPI_WORDS; i++)
		r->checksum = mix(r->checksum, a[i]);
	r->units = r->rounds;
}
