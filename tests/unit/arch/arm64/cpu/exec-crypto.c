/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Known answers of FIPS 197, FIPS 180-4 and FIPS 202, computed with the guest's
 * cryptographic instructions: each step of an algorithm that has an instruction
 * is that instruction, decoded from its word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arm64/cpu/cpu.h"

#define ALL_FEATURES (~UINT64_C(0))

static struct cpu *cpu_new(void)
{
	struct cpu *c = aligned_alloc(64, (sizeof(*c) + 63) & ~(size_t)63);

	assert_non_null(c);
	memset(c, 0, sizeof(*c));
	return c;
}

/* Vd after "op Vd, Vn, Vm, Va" with d = 3, n = 4, m = 5, a = 6; @fields are other bits of the word. */
static union vreg run4(struct cpu *c, enum a64_op op, uint32_t fields, const union vreg v[4])
{
	uint32_t word = a64_bits[op][1] | fields | 3 | 4 << 5;
	struct insn i;

	if (a64_rows[op].regs & M_V)
		word |= 5 << 16;
	if (a64_rows[op].regs & A_V)
		word |= 6 << 10;
	for (unsigned k = 0; k < 4; k++)
		*cpu_v(c, 3 + k) = v[k];
	a64_decode(word, ALL_FEATURES, false, &i);
	assert_int_equal(i.op, op);
	assert_int_equal(i.exec(c, &i), EXEC_NEXT);
	for (unsigned k = 1; k < 4; k++)
		assert_memory_equal(cpu_v(c, 3 + k), &v[k], sizeof(v[k]));
	return *cpu_v(c, 3);
}

static union vreg run(struct cpu *c, enum a64_op op, union vreg d, union vreg n, union vreg m)
{
	return run4(c, op, 0, (const union vreg[4]){ d, n, m });
}

static const union vreg zero;

static union vreg vreg_of(const void *bytes)
{
	union vreg v;

	memcpy(&v, bytes, sizeof(v));
	return v;
}

static union vreg exclusive_or(union vreg a, union vreg b)
{
	return (union vreg){ .d = { a.d[0] ^ b.d[0], a.d[1] ^ b.d[1] } };
}

static union vreg add_words(union vreg a, union vreg b)
{
	for (unsigned k = 0; k < 4; k++)
		a.s[k] += b.s[k];
	return a;
}

/* ---- AES ---- */

static uint32_t sub_word(struct cpu *c, uint32_t w)
{
	/* Four equal columns: moving rows changes nothing. */
	return run(c, OP_AESE, (union vreg){ .s = { w, w, w, w } }, zero, zero).s[0];
}

/* FIPS 197, 5.2; @nk words of key. Returns the number of rounds. */
static unsigned aes_expand(struct cpu *c, const uint8_t *key, unsigned nk, union vreg rk[15])
{
	unsigned rounds = nk + 6;
	uint32_t w[60], rcon = 1;

	memcpy(w, key, 4 * nk);
	for (unsigned k = nk; k < 4 * (rounds + 1); k++) {
		uint32_t t = w[k - 1];

		if (k % nk == 0) {
			t = sub_word(c, t >> 8 | t << 24) ^ rcon;
			rcon = (rcon << 1) ^ (rcon >> 7) * 0x11b;
		} else if (nk > 6 && k % nk == 4) {
			t = sub_word(c, t);
		}
		w[k] = w[k - nk] ^ t;
	}
	memcpy(rk, w, 16 * (rounds + 1));
	return rounds;
}

static union vreg aes_encrypt(struct cpu *c, const union vreg *rk, unsigned rounds, union vreg s)
{
	for (unsigned k = 0; k + 1 < rounds; k++)
		s = run(c, OP_AESMC, zero, run(c, OP_AESE, s, rk[k], zero), zero);
	return exclusive_or(run(c, OP_AESE, s, rk[rounds - 1], zero), rk[rounds]);
}

/* FIPS 197, 5.3.5: the equivalent inverse cipher. */
static union vreg aes_decrypt(struct cpu *c, const union vreg *rk, unsigned rounds, union vreg s)
{
	s = run(c, OP_AESD, s, rk[rounds], zero);
	for (unsigned k = rounds - 1; k > 0; k--)
		s = run(c, OP_AESD, run(c, OP_AESIMC, zero, s, zero), run(c, OP_AESIMC, zero, rk[k], zero), zero);
	return exclusive_or(s, rk[0]);
}

static void aes_appendix_c(unsigned nk, const uint8_t expected[16])
{
	struct cpu *c = cpu_new();
	uint8_t key[32], plain[16];
	union vreg rk[15], s;
	unsigned rounds;

	for (unsigned k = 0; k < 32; k++)
		key[k] = (uint8_t)k;
	for (unsigned k = 0; k < 16; k++)
		plain[k] = (uint8_t)(k * 0x11);
	rounds = aes_expand(c, key, nk, rk);
	s = aes_encrypt(c, rk, rounds, vreg_of(plain));
	assert_memory_equal(&s, expected, 16);
	s = aes_decrypt(c, rk, rounds, s);
	assert_memory_equal(&s, plain, 16);
	free(c);
}

static void aes128_of_fips197_c1(void **state)
{
	static const uint8_t expected[16] = { 0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30,
					      0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a };
	(void)state;
	aes_appendix_c(4, expected);
}

static void aes192_of_fips197_c2(void **state)
{
	static const uint8_t expected[16] = { 0xdd, 0xa9, 0x7c, 0xa4, 0x86, 0x4c, 0xdf, 0xe0,
					      0x6e, 0xaf, 0x70, 0xa0, 0xec, 0x0d, 0x71, 0x91 };
	(void)state;
	aes_appendix_c(6, expected);
}

static void aes256_of_fips197_c3(void **state)
{
	static const uint8_t expected[16] = { 0x8e, 0xa2, 0xb7, 0xca, 0x51, 0x67, 0x45, 0xbf,
					      0xea, 0xfc, 0x49, 0x90, 0x4b, 0x49, 0x60, 0x89 };
	(void)state;
	aes_appendix_c(8, expected);
}

/* ---- SHA-1, SHA-256, SHA-512: one padded block with "abc" ---- */

/* FIPS 180-4: fractional parts of cube roots of primes; the upper halves of the first 64 are SHA-256's. */
static const uint64_t sha_k[80] = {
	0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc, 0x3956c25bf348b538,
	0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118, 0xd807aa98a3030242, 0x12835b0145706fbe,
	0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2, 0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235,
	0xc19bf174cf692694, 0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
	0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5, 0x983e5152ee66dfab,
	0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4, 0xc6e00bf33da88fc2, 0xd5a79147930aa725,
	0x06ca6351e003826f, 0x142929670a0e6e70, 0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed,
	0x53380d139d95b3df, 0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
	0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30, 0xd192e819d6ef5218,
	0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8, 0x19a4c116b8d2d0c8, 0x1e376c085141ab53,
	0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8, 0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373,
	0x682e6ff3d6b2b8a3, 0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
	0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b, 0xca273eceea26619c,
	0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178, 0x06f067aa72176fba, 0x0a637dc5a2c898a6,
	0x113f9804bef90dae, 0x1b710b35131c471b, 0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc,
	0x431d67c49c100d4c, 0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};

static void block_of_abc32(union vreg w[4])
{
	memset(w, 0, 4 * sizeof(w[0]));
	w[0].s[0] = 0x61626380;
	w[3].s[3] = 24;
}

static void sha1_of_abc(void **state)
{
	static const enum a64_op rounds[4] = { OP_SHA1C, OP_SHA1P, OP_SHA1M, OP_SHA1P };
	static const uint32_t k[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
	const union vreg h = { .s = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 } };
	const union vreg expected = { .s = { 0xa9993e36, 0x4706816a, 0xba3e2571, 0x7850c26c } };
	union vreg w[4], abcd = h, e = { .s = { 0xc3d2e1f0 } };
	struct cpu *c = cpu_new();

	(void)state;
	block_of_abc32(w);
	for (unsigned g = 0; g < 20; g++) {
		union vreg kv = { .s = { k[g / 5], k[g / 5], k[g / 5], k[g / 5] } }, next;

		next = run(c, OP_SHA1H, zero, abcd, zero);
		abcd = run(c, rounds[g / 5], abcd, e, add_words(w[g % 4], kv));
		e = next;
		w[g % 4] = run(c, OP_SHA1SU1, run(c, OP_SHA1SU0, w[g % 4], w[(g + 1) % 4], w[(g + 2) % 4]),
			       w[(g + 3) % 4], zero);
	}
	abcd = add_words(abcd, h);
	assert_memory_equal(&abcd, &expected, 16);
	assert_int_equal(e.s[0] + 0xc3d2e1f0, 0x9cd0d89d);
	free(c);
}

static void sha256_of_abc(void **state)
{
	const union vreg h0 = { .s = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a } };
	const union vreg h1 = { .s = { 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 } };
	const union vreg expected0 = { .s = { 0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223 } };
	const union vreg expected1 = { .s = { 0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad } };
	union vreg w[4], abcd = h0, efgh = h1;
	struct cpu *c = cpu_new();

	(void)state;
	block_of_abc32(w);
	for (unsigned g = 0; g < 16; g++) {
		union vreg wk, before = abcd;

		for (unsigned k = 0; k < 4; k++)
			wk.s[k] = w[g % 4].s[k] + (uint32_t)(sha_k[4 * g + k] >> 32);
		abcd = run(c, OP_SHA256H, abcd, efgh, wk);
		efgh = run(c, OP_SHA256H2, efgh, before, wk);
		w[g % 4] = run(c, OP_SHA256SU1, run(c, OP_SHA256SU0, w[g % 4], w[(g + 1) % 4], zero), w[(g + 2) % 4],
			       w[(g + 3) % 4]);
	}
	abcd = add_words(abcd, h0);
	efgh = add_words(efgh, h1);
	assert_memory_equal(&abcd, &expected0, 16);
	assert_memory_equal(&efgh, &expected1, 16);
	free(c);
}

/* The upper lane of @lo and the lower one of @hi. */
static union vreg middle(union vreg lo, union vreg hi) { return (union vreg){ .d = { lo.d[1], hi.d[0] } }; }

static union vreg add_longs(union vreg a, union vreg b)
{
	return (union vreg){ .d = { a.d[0] + b.d[0], a.d[1] + b.d[1] } };
}

static void sha512_of_abc(void **state)
{
	static const union vreg h[4] = {
		{ .d = { 0x6a09e667f3bcc908, 0xbb67ae8584caa73b } },
		{ .d = { 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1 } },
		{ .d = { 0x510e527fade682d1, 0x9b05688c2b3e6c1f } },
		{ .d = { 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179 } },
	};
	static const union vreg expected[4] = {
		{ .d = { 0xddaf35a193617aba, 0xcc417349ae204131 } },
		{ .d = { 0x12e6fa4e89a97ea2, 0x0a9eeee64b55d39a } },
		{ .d = { 0x2192992a274fc1a8, 0x36ba3c23a3feebbd } },
		{ .d = { 0x454d4423643ce80e, 0x2a9ac94fa54ca49f } },
	};
	union vreg w[8] = { { .d = { 0x6162638000000000 } }, [7] = { .d = { 0, 24 } } };
	union vreg ab = h[0], cd = h[1], ef = h[2], gh = h[3];
	struct cpu *c = cpu_new();

	(void)state;
	for (unsigned g = 0; g < 40; g++) {
		union vreg *w0 = &w[g % 8], t = { .d = { w0->d[1] + sha_k[2 * g + 1], w0->d[0] + sha_k[2 * g] } };
		union vreg sum = run(c, OP_SHA512H, add_longs(gh, t), middle(ef, gh), middle(cd, ef));

		gh = ef;
		ef = add_longs(cd, sum);
		sum = run(c, OP_SHA512H2, sum, cd, ab);
		cd = ab;
		ab = sum;
		*w0 = run(c, OP_SHA512SU1, run(c, OP_SHA512SU0, *w0, w[(g + 1) % 8], zero), w[(g + 7) % 8],
			  middle(w[(g + 4) % 8], w[(g + 5) % 8]));
	}
	ab = add_longs(ab, h[0]);
	cd = add_longs(cd, h[1]);
	ef = add_longs(ef, h[2]);
	gh = add_longs(gh, h[3]);
	assert_memory_equal(&ab, &expected[0], 16);
	assert_memory_equal(&cd, &expected[1], 16);
	assert_memory_equal(&ef, &expected[2], 16);
	assert_memory_equal(&gh, &expected[3], 16);
	free(c);
}

/* ---- SHA-3: two states at once, one in each lane ---- */

static const uint64_t keccak_rc[24] = {
	0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
	0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
	0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
	0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
	0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

static union vreg run_sha3(struct cpu *c, enum a64_op op, uint32_t fields, union vreg n, union vreg m, union vreg a)
{
	return run4(c, op, fields, (const union vreg[4]){ zero, n, m, a });
}

/* Rotations of rho grow along the walk (x, y) -> (y, 2x + 3y) from (1, 0); the origin stays. */
static unsigned rho_offset(unsigned x, unsigned y)
{
	unsigned px = 1, py = 0;

	for (unsigned t = 0; t < 24; t++) {
		unsigned next = (2 * px + 3 * py) % 5;

		if (px == x && py == y)
			return (t + 1) * (t + 2) / 2 % 64;
		px = py;
		py = next;
	}
	return 0;
}

/* FIPS 202, 3.2 and 3.3; lane (x, y) is s[x + 5 * y]. */
static void keccak(struct cpu *c, union vreg s[25])
{
	for (unsigned round = 0; round < 24; round++) {
		union vreg column[5], d, b[25];

		for (unsigned x = 0; x < 5; x++)
			column[x] = run_sha3(c, OP_EOR3, 0, run_sha3(c, OP_EOR3, 0, s[x], s[x + 5], s[x + 10]),
					     s[x + 15], s[x + 20]);
		for (unsigned x = 0; x < 5; x++) {
			d = run_sha3(c, OP_RAX1, 0, column[(x + 4) % 5], column[(x + 1) % 5], zero);
			for (unsigned y = 0; y < 5; y++) {
				unsigned right = (64 - rho_offset(x, y)) % 64;

				b[y + 5 * ((2 * x + 3 * y) % 5)] =
					run_sha3(c, OP_XAR, right << 10, s[x + 5 * y], d, zero);
			}
		}
		for (unsigned y = 0; y < 25; y += 5)
			for (unsigned x = 0; x < 5; x++)
				s[y + x] = run_sha3(c, OP_BCAX, 0, b[y + x], b[y + (x + 2) % 5], b[y + (x + 1) % 5]);
		s[0] = exclusive_or(s[0], (union vreg){ .d = { keccak_rc[round], keccak_rc[round] } });
	}
}

/* Lane 0 hashes the empty message, lane 1 "abc". */
static void sha3_256_of_nothing_and_of_abc(void **state)
{
	static const uint8_t nothing[32] = {
		0xa7, 0xff, 0xc6, 0xf8, 0xbf, 0x1e, 0xd7, 0x66, 0x51, 0xc1, 0x47, 0x56, 0xa0, 0x61, 0xd6, 0x62,
		0xf5, 0x80, 0xff, 0x4d, 0xe4, 0x3b, 0x49, 0xfa, 0x82, 0xd8, 0x0a, 0x4b, 0x80, 0xf8, 0x43, 0x4a,
	};
	static const uint8_t abc[32] = {
		0x3a, 0x98, 0x5d, 0xa7, 0x4f, 0xe2, 0x25, 0xb2, 0x04, 0x5c, 0x17, 0x2d, 0x6b, 0xd3, 0x90, 0xbd,
		0x85, 0x5f, 0x08, 0x6e, 0x3e, 0x9d, 0x52, 0x5b, 0x46, 0xbf, 0xe2, 0x45, 0x11, 0x43, 0x15, 0x32,
	};
	union vreg s[25] = {
		{ .d = { 0x06, 0x06636261 } }, [16] = { .d = { UINT64_C(1) << 63, UINT64_C(1) << 63 } }
	};
	struct cpu *c = cpu_new();

	(void)state;
	keccak(c, s);
	for (unsigned k = 0; k < 4; k++) {
		assert_memory_equal(&s[k].d[0], &nothing[8 * k], 8);
		assert_memory_equal(&s[k].d[1], &abc[8 * k], 8);
	}
	free(c);
}

/* ---- PMULL, as GHASH uses it ---- */

/* A carry-less square has the bits of its root with a zero between any two. */
static void the_carry_less_square_of_all_ones_is_every_other_bit(void **state)
{
	const union vreg ones = { .d = { UINT64_MAX, 0 } };
	const union vreg expected = { .d = { 0x5555555555555555, 0x5555555555555555 } };
	struct cpu *c = cpu_new();
	union vreg r = run(c, OP_PMULL_d, zero, ones, ones);

	(void)state;
	assert_memory_equal(&r, &expected, 16);
	free(c);
}

/* ---- Features ---- */

static void without_its_feature_an_instruction_is_undefined(void **state)
{
	static const struct {
		enum a64_op op;
		enum a64_feat feat;
	} rows[] = {
		{ OP_AESE, FEAT_AES },       { OP_PMULL_d, FEAT_PMULL },  { OP_SHA1C, FEAT_SHA1 },
		{ OP_SHA256H, FEAT_SHA256 }, { OP_SHA512H, FEAT_SHA512 }, { OP_EOR3, FEAT_SHA3 },
		{ OP_RAX1, FEAT_SHA3 },      { OP_XAR, FEAT_SHA3 },
	};
	struct insn i;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
		a64_decode(a64_bits[rows[k].op][1], ALL_FEATURES & ~(UINT64_C(1) << rows[k].feat), false, &i);
		assert_ptr_equal(i.exec, exec_undefined);
		a64_decode(a64_bits[rows[k].op][1], UINT64_C(1) << rows[k].feat, false, &i);
		assert_int_equal(i.op, rows[k].op);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aes128_of_fips197_c1),
		cmocka_unit_test(aes192_of_fips197_c2),
		cmocka_unit_test(aes256_of_fips197_c3),
		cmocka_unit_test(sha1_of_abc),
		cmocka_unit_test(sha256_of_abc),
		cmocka_unit_test(sha512_of_abc),
		cmocka_unit_test(sha3_256_of_nothing_and_of_abc),
		cmocka_unit_test(the_carry_less_square_of_all_ones_is_every_other_bit),
		cmocka_unit_test(without_its_feature_an_instruction_is_undefined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
