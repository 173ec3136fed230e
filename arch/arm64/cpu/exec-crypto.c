/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm ARM, "Cryptographic AES", "SHA", "three-register SHA-512" and the SHA-3 ones.
 *
 * An AES state is a V register with byte k in row k % 4, column k / 4 (FIPS 197).
 */
#include "cpu.h"

static enum exec set(struct cpu *c, const struct insn *i, union vreg r)
{
	cpu_set_v(c, i->rd, r);
	return EXEC_NEXT;
}

static inline uint32_t rol32(uint32_t v, unsigned n) { return v << n | v >> (32 - n); }
static inline uint32_t ror32(uint32_t v, unsigned n) { return v >> n | v << (32 - n); }
static inline uint64_t ror64(uint64_t v, unsigned n) { return n ? v >> n | v << (64 - n) : v; }

/* ---- AES ---- */

/* FIPS 197: the inverse in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1, then the affine transformation. */
static const uint8_t sbox[256] = {
	0x63, 0x7c, 0x77, 0x7b, 0xf2, 0x6b, 0x6f, 0xc5, 0x30, 0x01, 0x67, 0x2b, 0xfe, 0xd7, 0xab, 0x76, 0xca, 0x82,
	0xc9, 0x7d, 0xfa, 0x59, 0x47, 0xf0, 0xad, 0xd4, 0xa2, 0xaf, 0x9c, 0xa4, 0x72, 0xc0, 0xb7, 0xfd, 0x93, 0x26,
	0x36, 0x3f, 0xf7, 0xcc, 0x34, 0xa5, 0xe5, 0xf1, 0x71, 0xd8, 0x31, 0x15, 0x04, 0xc7, 0x23, 0xc3, 0x18, 0x96,
	0x05, 0x9a, 0x07, 0x12, 0x80, 0xe2, 0xeb, 0x27, 0xb2, 0x75, 0x09, 0x83, 0x2c, 0x1a, 0x1b, 0x6e, 0x5a, 0xa0,
	0x52, 0x3b, 0xd6, 0xb3, 0x29, 0xe3, 0x2f, 0x84, 0x53, 0xd1, 0x00, 0xed, 0x20, 0xfc, 0xb1, 0x5b, 0x6a, 0xcb,
	0xbe, 0x39, 0x4a, 0x4c, 0x58, 0xcf, 0xd0, 0xef, 0xaa, 0xfb, 0x43, 0x4d, 0x33, 0x85, 0x45, 0xf9, 0x02, 0x7f,
	0x50, 0x3c, 0x9f, 0xa8, 0x51, 0xa3, 0x40, 0x8f, 0x92, 0x9d, 0x38, 0xf5, 0xbc, 0xb6, 0xda, 0x21, 0x10, 0xff,
	0xf3, 0xd2, 0xcd, 0x0c, 0x13, 0xec, 0x5f, 0x97, 0x44, 0x17, 0xc4, 0xa7, 0x7e, 0x3d, 0x64, 0x5d, 0x19, 0x73,
	0x60, 0x81, 0x4f, 0xdc, 0x22, 0x2a, 0x90, 0x88, 0x46, 0xee, 0xb8, 0x14, 0xde, 0x5e, 0x0b, 0xdb, 0xe0, 0x32,
	0x3a, 0x0a, 0x49, 0x06, 0x24, 0x5c, 0xc2, 0xd3, 0xac, 0x62, 0x91, 0x95, 0xe4, 0x79, 0xe7, 0xc8, 0x37, 0x6d,
	0x8d, 0xd5, 0x4e, 0xa9, 0x6c, 0x56, 0xf4, 0xea, 0x65, 0x7a, 0xae, 0x08, 0xba, 0x78, 0x25, 0x2e, 0x1c, 0xa6,
	0xb4, 0xc6, 0xe8, 0xdd, 0x74, 0x1f, 0x4b, 0xbd, 0x8b, 0x8a, 0x70, 0x3e, 0xb5, 0x66, 0x48, 0x03, 0xf6, 0x0e,
	0x61, 0x35, 0x57, 0xb9, 0x86, 0xc1, 0x1d, 0x9e, 0xe1, 0xf8, 0x98, 0x11, 0x69, 0xd9, 0x8e, 0x94, 0x9b, 0x1e,
	0x87, 0xe9, 0xce, 0x55, 0x28, 0xdf, 0x8c, 0xa1, 0x89, 0x0d, 0xbf, 0xe6, 0x42, 0x68, 0x41, 0x99, 0x2d, 0x0f,
	0xb0, 0x54, 0xbb, 0x16,
};

static const uint8_t inverse_sbox[256] = {
	0x52, 0x09, 0x6a, 0xd5, 0x30, 0x36, 0xa5, 0x38, 0xbf, 0x40, 0xa3, 0x9e, 0x81, 0xf3, 0xd7, 0xfb, 0x7c, 0xe3,
	0x39, 0x82, 0x9b, 0x2f, 0xff, 0x87, 0x34, 0x8e, 0x43, 0x44, 0xc4, 0xde, 0xe9, 0xcb, 0x54, 0x7b, 0x94, 0x32,
	0xa6, 0xc2, 0x23, 0x3d, 0xee, 0x4c, 0x95, 0x0b, 0x42, 0xfa, 0xc3, 0x4e, 0x08, 0x2e, 0xa1, 0x66, 0x28, 0xd9,
	0x24, 0xb2, 0x76, 0x5b, 0xa2, 0x49, 0x6d, 0x8b, 0xd1, 0x25, 0x72, 0xf8, 0xf6, 0x64, 0x86, 0x68, 0x98, 0x16,
	0xd4, 0xa4, 0x5c, 0xcc, 0x5d, 0x65, 0xb6, 0x92, 0x6c, 0x70, 0x48, 0x50, 0xfd, 0xed, 0xb9, 0xda, 0x5e, 0x15,
	0x46, 0x57, 0xa7, 0x8d, 0x9d, 0x84, 0x90, 0xd8, 0xab, 0x00, 0x8c, 0xbc, 0xd3, 0x0a, 0xf7, 0xe4, 0x58, 0x05,
	0xb8, 0xb3, 0x45, 0x06, 0xd0, 0x2c, 0x1e, 0x8f, 0xca, 0x3f, 0x0f, 0x02, 0xc1, 0xaf, 0xbd, 0x03, 0x01, 0x13,
	0x8a, 0x6b, 0x3a, 0x91, 0x11, 0x41, 0x4f, 0x67, 0xdc, 0xea, 0x97, 0xf2, 0xcf, 0xce, 0xf0, 0xb4, 0xe6, 0x73,
	0x96, 0xac, 0x74, 0x22, 0xe7, 0xad, 0x35, 0x85, 0xe2, 0xf9, 0x37, 0xe8, 0x1c, 0x75, 0xdf, 0x6e, 0x47, 0xf1,
	0x1a, 0x71, 0x1d, 0x29, 0xc5, 0x89, 0x6f, 0xb7, 0x62, 0x0e, 0xaa, 0x18, 0xbe, 0x1b, 0xfc, 0x56, 0x3e, 0x4b,
	0xc6, 0xd2, 0x79, 0x20, 0x9a, 0xdb, 0xc0, 0xfe, 0x78, 0xcd, 0x5a, 0xf4, 0x1f, 0xdd, 0xa8, 0x33, 0x88, 0x07,
	0xc7, 0x31, 0xb1, 0x12, 0x10, 0x59, 0x27, 0x80, 0xec, 0x5f, 0x60, 0x51, 0x7f, 0xa9, 0x19, 0xb5, 0x4a, 0x0d,
	0x2d, 0xe5, 0x7a, 0x9f, 0x93, 0xc9, 0x9c, 0xef, 0xa0, 0xe0, 0x3b, 0x4d, 0xae, 0x2a, 0xf5, 0xb0, 0xc8, 0xeb,
	0xbb, 0x3c, 0x83, 0x53, 0x99, 0x61, 0x17, 0x2b, 0x04, 0x7e, 0xba, 0x77, 0xd6, 0x26, 0xe1, 0x69, 0x14, 0x63,
	0x55, 0x21, 0x0c, 0x7d,
};

/* Column @col after row r has moved by r columns (left with @step 5, right with @step 13), through the S-box. */
static inline uint64_t aes_column(const uint8_t *box, const union vreg *s, unsigned col, unsigned step)
{
	return (uint32_t)box[s->b[4 * col]] | (uint32_t)box[s->b[(4 * col + step) % 16]] << 8 |
	       (uint32_t)box[s->b[(4 * col + 2 * step) % 16]] << 16 |
	       (uint32_t)box[s->b[(4 * col + 3 * step) % 16]] << 24;
}

/* AddRoundKey, ShiftRows, SubBytes; or the inverses. */
static inline enum exec aes_round(struct cpu *c, const struct insn *i, const uint8_t *box, unsigned step)
{
	const union vreg *d = cpu_v(c, i->rd), *n = cpu_v(c, i->rn);
	const union vreg s = { .d = { d->d[0] ^ n->d[0], d->d[1] ^ n->d[1] } };

	return set(c, i,
		   (union vreg){ .d = { aes_column(box, &s, 0, step) | aes_column(box, &s, 1, step) << 32,
					aes_column(box, &s, 2, step) | aes_column(box, &s, 3, step) << 32 } });
}

enum exec exec_aese(struct cpu *c, const struct insn *i) { return aes_round(c, i, sbox, 5); }

enum exec exec_aesd(struct cpu *c, const struct insn *i) { return aes_round(c, i, inverse_sbox, 13); }

/* Each byte times x; each column moved up by @rows. Two columns in 64 bits. */
static inline uint64_t aes_times_x(uint64_t v)
{
	return ((v & 0x7f7f7f7f7f7f7f7f) << 1) ^ ((v >> 7 & 0x0101010101010101) * 0x1b);
}

static inline uint64_t aes_up1(uint64_t v) { return (v >> 8 & 0x00ffffff00ffffff) | (v << 24 & 0xff000000ff000000); }
static inline uint64_t aes_up2(uint64_t v) { return (v >> 16 & 0x0000ffff0000ffff) | (v << 16 & 0xffff0000ffff0000); }

/* MixColumns: 2 a0 + 3 a1 + a2 + a3, and so on around the column. */
static inline uint64_t aes_mix(uint64_t v)
{
	uint64_t up = aes_up1(v), sum = v ^ up;

	return aes_times_x(sum) ^ up ^ aes_up2(sum);
}

/* InvMixColumns is MixColumns after 5 a0 + 4 a2 (FIPS 197: the polynomials' product is 1). */
static inline uint64_t aes_inverse_mix(uint64_t v) { return aes_mix(v ^ aes_times_x(aes_times_x(v ^ aes_up2(v)))); }

enum exec exec_aesmc(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn);

	return set(c, i, (union vreg){ .d = { aes_mix(n->d[0]), aes_mix(n->d[1]) } });
}

enum exec exec_aesimc(struct cpu *c, const struct insn *i)
{
	const union vreg *n = cpu_v(c, i->rn);

	return set(c, i, (union vreg){ .d = { aes_inverse_mix(n->d[0]), aes_inverse_mix(n->d[1]) } });
}

/* ---- SHA-1 (FIPS 180-4): Qd is a, b, c, d; Sn is e; Vm is four words with their constant added ---- */

static inline uint32_t sha_choose(uint32_t x, uint32_t y, uint32_t z) { return z ^ (x & (y ^ z)); }
static inline uint32_t sha_parity(uint32_t x, uint32_t y, uint32_t z) { return x ^ y ^ z; }
static inline uint32_t sha_majority(uint32_t x, uint32_t y, uint32_t z) { return (x & y) | (z & (x | y)); }

static inline enum exec sha1_rounds(struct cpu *c, const struct insn *i,
				    uint32_t (*f)(uint32_t x, uint32_t y, uint32_t z))
{
	union vreg x = *cpu_v(c, i->rd);
	const union vreg w = *cpu_v(c, i->rm);
	uint32_t y = cpu_v(c, i->rn)->s[0];

	for (unsigned k = 0; k < 4; k++) {
		uint32_t next = y + rol32(x.s[0], 5) + f(x.s[1], x.s[2], x.s[3]) + w.s[k];

		y = x.s[3];
		x = (union vreg){ .s = { next, x.s[0], rol32(x.s[1], 30), x.s[2] } };
	}
	return set(c, i, x);
}

enum exec exec_sha1c(struct cpu *c, const struct insn *i) { return sha1_rounds(c, i, sha_choose); }
enum exec exec_sha1p(struct cpu *c, const struct insn *i) { return sha1_rounds(c, i, sha_parity); }
enum exec exec_sha1m(struct cpu *c, const struct insn *i) { return sha1_rounds(c, i, sha_majority); }

enum exec exec_sha1h(struct cpu *c, const struct insn *i)
{
	return set(c, i, (union vreg){ .s = { rol32(cpu_v(c, i->rn)->s[0], 30), 0, 0, 0 } });
}

enum exec exec_sha1su0(struct cpu *c, const struct insn *i)
{
	const union vreg d = *cpu_v(c, i->rd), n = *cpu_v(c, i->rn), m = *cpu_v(c, i->rm);

	return set(c, i, (union vreg){ .d = { d.d[0] ^ d.d[1] ^ m.d[0], d.d[1] ^ n.d[0] ^ m.d[1] } });
}

enum exec exec_sha1su1(struct cpu *c, const struct insn *i)
{
	const union vreg d = *cpu_v(c, i->rd), n = *cpu_v(c, i->rn);
	uint32_t w0 = rol32(d.s[0] ^ n.s[1], 1);

	return set(c, i,
		   (union vreg){ .s = { w0, rol32(d.s[1] ^ n.s[2], 1), rol32(d.s[2] ^ n.s[3], 1),
					rol32(d.s[3] ^ w0, 1) } });
}

/* ---- SHA-256: one operand is a, b, c, d, the other e, f, g, h; four rounds give the new abcd or efgh ---- */

static inline union vreg sha256_rounds(union vreg x, union vreg y, union vreg w, bool want_y)
{
	for (unsigned k = 0; k < 4; k++) {
		uint32_t s1 = ror32(y.s[0], 6) ^ ror32(y.s[0], 11) ^ ror32(y.s[0], 25);
		uint32_t s0 = ror32(x.s[0], 2) ^ ror32(x.s[0], 13) ^ ror32(x.s[0], 22);
		uint32_t t = y.s[3] + s1 + sha_choose(y.s[0], y.s[1], y.s[2]) + w.s[k];
		uint32_t e = x.s[3] + t, a = t + s0 + sha_majority(x.s[0], x.s[1], x.s[2]);

		x = (union vreg){ .s = { a, x.s[0], x.s[1], x.s[2] } };
		y = (union vreg){ .s = { e, y.s[0], y.s[1], y.s[2] } };
	}
	return want_y ? y : x;
}

enum exec exec_sha256h(struct cpu *c, const struct insn *i)
{
	return set(c, i, sha256_rounds(*cpu_v(c, i->rd), *cpu_v(c, i->rn), *cpu_v(c, i->rm), false));
}

/* Here Rn has abcd and Rd efgh. */
enum exec exec_sha256h2(struct cpu *c, const struct insn *i)
{
	return set(c, i, sha256_rounds(*cpu_v(c, i->rn), *cpu_v(c, i->rd), *cpu_v(c, i->rm), true));
}

static inline uint32_t sha256_sigma0(uint32_t v) { return ror32(v, 7) ^ ror32(v, 18) ^ v >> 3; }
static inline uint32_t sha256_sigma1(uint32_t v) { return ror32(v, 17) ^ ror32(v, 19) ^ v >> 10; }

/* The result in two registers and not in four words, so that the 16-byte write need not wait for memory. */
static inline union vreg four_words(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3)
{
	return (union vreg){ .d = { w0 | (uint64_t)w1 << 32, w2 | (uint64_t)w3 << 32 } };
}

enum exec exec_sha256su0(struct cpu *c, const struct insn *i)
{
	const union vreg *d = cpu_v(c, i->rd), *n = cpu_v(c, i->rn);

	return set(c, i,
		   four_words(d->s[0] + sha256_sigma0(d->s[1]), d->s[1] + sha256_sigma0(d->s[2]),
			      d->s[2] + sha256_sigma0(d->s[3]), d->s[3] + sha256_sigma0(n->s[0])));
}

enum exec exec_sha256su1(struct cpu *c, const struct insn *i)
{
	const union vreg *d = cpu_v(c, i->rd), *n = cpu_v(c, i->rn), *m = cpu_v(c, i->rm);
	uint32_t r0 = d->s[0] + n->s[1] + sha256_sigma1(m->s[2]);
	uint32_t r1 = d->s[1] + n->s[2] + sha256_sigma1(m->s[3]);
	uint32_t r2 = d->s[2] + n->s[3] + sha256_sigma1(r0);
	uint32_t r3 = d->s[3] + m->s[0] + sha256_sigma1(r1);

	return set(c, i, four_words(r0, r1, r2, r3));
}

/* ---- SHA-512: two rounds in two instructions, the upper lane is the first round ---- */

static inline uint64_t sha512_sum0(uint64_t v) { return ror64(v, 28) ^ ror64(v, 34) ^ ror64(v, 39); }
static inline uint64_t sha512_sum1(uint64_t v) { return ror64(v, 14) ^ ror64(v, 18) ^ ror64(v, 41); }
static inline uint64_t sha512_sigma0(uint64_t v) { return ror64(v, 1) ^ ror64(v, 8) ^ v >> 7; }
static inline uint64_t sha512_sigma1(uint64_t v) { return ror64(v, 19) ^ ror64(v, 61) ^ v >> 6; }
static inline uint64_t sha512_choose(uint64_t x, uint64_t y, uint64_t z) { return z ^ (x & (y ^ z)); }
static inline uint64_t sha512_majority(uint64_t x, uint64_t y, uint64_t z) { return (x & y) | (z & (x | y)); }

enum exec exec_sha512h(struct cpu *c, const struct insn *i)
{
	const union vreg d = *cpu_v(c, i->rd), n = *cpu_v(c, i->rn), m = *cpu_v(c, i->rm);
	uint64_t hi, e, lo;

	hi = d.d[1] + sha512_sum1(m.d[1]) + sha512_choose(m.d[1], n.d[0], n.d[1]);
	e = hi + m.d[0];
	lo = d.d[0] + sha512_sum1(e) + sha512_choose(e, m.d[1], n.d[0]);
	return set(c, i, (union vreg){ .d = { lo, hi } });
}

enum exec exec_sha512h2(struct cpu *c, const struct insn *i)
{
	const union vreg d = *cpu_v(c, i->rd), n = *cpu_v(c, i->rn), m = *cpu_v(c, i->rm);
	uint64_t hi, lo;

	hi = d.d[1] + sha512_sum0(m.d[0]) + sha512_majority(n.d[0], m.d[1], m.d[0]);
	lo = d.d[0] + sha512_sum0(hi) + sha512_majority(hi, m.d[0], m.d[1]);
	return set(c, i, (union vreg){ .d = { lo, hi } });
}

enum exec exec_sha512su0(struct cpu *c, const struct insn *i)
{
	const union vreg d = *cpu_v(c, i->rd), n = *cpu_v(c, i->rn);

	return set(c, i, (union vreg){ .d = { d.d[0] + sha512_sigma0(d.d[1]), d.d[1] + sha512_sigma0(n.d[0]) } });
}

enum exec exec_sha512su1(struct cpu *c, const struct insn *i)
{
	const union vreg d = *cpu_v(c, i->rd), n = *cpu_v(c, i->rn), m = *cpu_v(c, i->rm);

	return set(c, i,
		   (union vreg){ .d = { d.d[0] + sha512_sigma1(n.d[0]) + m.d[0],
					d.d[1] + sha512_sigma1(n.d[1]) + m.d[1] } });
}

/* ---- SHA-3 ---- */

/* @expr of n, m, a: the 64-bit lanes of Rn, Rm and Ra (bits 14:10; not a register in every row). */
#define SHA3(name, expr)                                                               \
	enum exec name(struct cpu *c, const struct insn *i)                            \
	{                                                                              \
		union vreg r;                                                          \
		for (unsigned k = 0; k < 2; k++) {                                     \
			uint64_t n = cpu_v(c, i->rn)->d[k], m = cpu_v(c, i->rm)->d[k]; \
			uint64_t a = cpu_v(c, i->ra & 31)->d[k];                       \
			(void)a;                                                       \
			r.d[k] = (expr);                                               \
		}                                                                      \
		return set(c, i, r);                                                   \
	}

SHA3(exec_eor3, n ^ m ^ a)
SHA3(exec_bcax, n ^ (m & ~a))
SHA3(exec_rax1, n ^ ror64(m, 63))
SHA3(exec_xar, ror64(n ^ m, (unsigned)i->imm))
