/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cryptography: what both architectures have as instructions, cut differently.
 *
 *   AESENCLAST   ShiftRows, SubBytes, ^ key              AESE   ^ key, ShiftRows, SubBytes
 *   AESENC       ShiftRows, SubBytes, MixColumns, ^ key  AESMC  MixColumns
 *   SHA1RNDS4    a..e from the top lane down, adds the constant itself
 *   SHA256RNDS2  two rounds on {c,d,g,h} and {a,b,e,f} from the top lane down
 *
 * All but the final move works in scratch registers: a destination may be a source, too.
 */
#include "emit.h"
#include "host.h"

enum { XMM0, XMM1, XMM2 };

/* op dst, left, right */
#define VXOR       VEX(1, 1, 0, 0xef)
#define VOR        VEX(1, 1, 0, 0xeb)
#define VANDN      VEX(1, 1, 0, 0xdf)
#define VADD_S     VEX(1, 1, 0, 0xfe)
#define VSUB_S     VEX(1, 1, 0, 0xfa)
#define VUNPACK_LO VEX(1, 1, 0, 0x6c) /* {left.d[0], right.d[0]} */
#define VUNPACK_HI VEX(1, 1, 0, 0x6d)
#define VALIGN     VEX(1, 3, 0, 0x0f) /* see align() */
#define VSHUFFLE   VEX(1, 1, 0, 0x70) /* op dst, src, order of the words */
#define VBROADCAST VEX(1, 2, 0, 0x58) /* of a word */
#define VMULTIPLY  VEX(1, 3, 0, 0x44)

enum { REVERSED = 0x1b, PAIRS_SWAPPED = 0xb1, UPPER_HALF = 0x0e };

/* VEX group of shifts by an immediate: opcode and the number that is in ModRM's register field. */
enum { SRL = 2, BYTES_RIGHT, SLL = 6, BYTES_LEFT };

static void shift(struct jit *j, unsigned op, unsigned way, int dst, int src, unsigned n)
{
	x86_vex_imm(&j->a, VEX(1, 1, 0, op), (int)way, dst, x86_r(src), n);
}

static void shift_s(struct jit *j, unsigned way, int dst, int src, unsigned n) { shift(j, 0x72, way, dst, src, n); }
static void shift_d(struct jit *j, unsigned way, int dst, int src, unsigned n) { shift(j, 0x73, way, dst, src, n); }

/* dst = 16 bytes of upper:lower, from byte @n on */
static void align(struct jit *j, int dst, struct x86_rm lower, int upper, unsigned n)
{
	x86_vex_imm(&j->a, VALIGN, dst, upper, lower, n);
}

static void zero(struct jit *j, int xmm) { x86_vex(&j->a, VXOR, xmm, xmm, x86_r(xmm)); }

/* ---- AES ---- */

static bool aes_round(struct jit *j, const struct insn *i, uint32_t last)
{
	int d = vec_def(i->rd, XMM0);

	if (!host_has(HOST_AES))
		return false;
	x86_vex(&j->a, VXOR, XMM0, vec_use(j, i->rd, XMM0), vec_rm(i->rn));
	zero(j, XMM1);
	x86_vex(&j->a, last, d, XMM0, x86_r(XMM1));
	vec_done(j, i->rd, d);
	return true;
}

#define VAESENC     VEX(1, 2, 0, 0xdc)
#define VAESENCLAST VEX(1, 2, 0, 0xdd)
#define VAESDECLAST VEX(1, 2, 0, 0xdf)
#define VAESIMC     VEX(1, 2, 0, 0xdb)

bool emit_aese(struct jit *j, const struct insn *i) { return aes_round(j, i, VAESENCLAST); }
bool emit_aesd(struct jit *j, const struct insn *i) { return aes_round(j, i, VAESDECLAST); }

/* The first undoes what the second does besides mixing columns. */
bool emit_aesmc(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	if (!host_has(HOST_AES))
		return false;
	zero(j, XMM1);
	x86_vex(&j->a, VAESDECLAST, XMM0, vec_use(j, i->rn, XMM0), x86_r(XMM1));
	x86_vex(&j->a, VAESENC, d, XMM0, x86_r(XMM1));
	vec_done(j, i->rd, d);
	return true;
}

bool emit_aesimc(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	if (!host_has(HOST_AES))
		return false;
	x86_vex2(&j->a, VAESIMC, d, vec_rm(i->rn));
	vec_done(j, i->rd, d);
	return true;
}

/* insn.ra: the upper halves. */
bool emit_pmull_d(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	if (!host_has(HOST_PCLMUL))
		return false;
	x86_vex_imm(&j->a, VMULTIPLY, d, vec_use(j, i->rn, XMM0), vec_rm(i->rm), i->ra ? 0x11 : 0);
	vec_done(j, i->rd, d);
	return true;
}

/* ---- SHA-1 ---- */

/* The constant of function @f (0 choose, 1 parity, 2 majority) comes with Vm and is taken off again. */
static bool sha1_rounds(struct jit *j, const struct insn *i, unsigned f)
{
	static const uint32_t constant[] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc };
	struct x86 *a = &j->a;
	int d = vec_def(i->rd, XMM0);

	if (!host_has(HOST_SHA))
		return false;
	x86_mov_imm(a, RAX, constant[f]);
	x86_vmovd(a, XMM2, x86_r(RAX));
	x86_vex2(a, VBROADCAST, XMM2, x86_r(XMM2));
	x86_vex2_imm(a, VSHUFFLE, XMM1, vec_rm(i->rm), REVERSED);
	x86_vex(a, VSUB_S, XMM1, XMM1, x86_r(XMM2));
	shift_d(j, BYTES_LEFT, XMM2, vec_use(j, i->rn, XMM2), 12); /* e in the top lane */
	x86_vex(a, VADD_S, XMM1, XMM1, x86_r(XMM2));
	x86_vex2_imm(a, VSHUFFLE, XMM0, vec_rm(i->rd), REVERSED);
	x86_op(a, false, 0x0f3acc, XMM0, x86_r(XMM1)); /* sha1rnds4 */
	x86_b(a, f);
	x86_vex2_imm(a, VSHUFFLE, d, x86_r(XMM0), REVERSED);
	vec_done(j, i->rd, d);
	return true;
}

bool emit_sha1c(struct jit *j, const struct insn *i) { return sha1_rounds(j, i, 0); }
bool emit_sha1p(struct jit *j, const struct insn *i) { return sha1_rounds(j, i, 1); }
bool emit_sha1m(struct jit *j, const struct insn *i) { return sha1_rounds(j, i, 2); }

bool emit_sha1h(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	x86_vmovd_store(&j->a, x86_r(RAX), vec_use(j, i->rn, XMM0));
	x86_rorx(&j->a, false, RAX, x86_r(RAX), 2);
	x86_vmovd(&j->a, d, x86_r(RAX));
	vec_done(j, i->rd, d);
	return true;
}

bool emit_sha1su0(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	align(j, XMM0, vec_rm(i->rd), vec_use(j, i->rn, XMM0), 8);
	x86_vex(&j->a, VXOR, XMM0, XMM0, vec_rm(i->rd));
	x86_vex(&j->a, VXOR, d, XMM0, vec_rm(i->rm));
	vec_done(j, i->rd, d);
	return true;
}

/* dst = the words of @src rotated left by 1; uses @tmp. */
static void rotate_1(struct jit *j, int dst, int src, int tmp)
{
	shift_s(j, SLL, tmp, src, 1);
	shift_s(j, SRL, dst, src, 31);
	x86_vex(&j->a, VOR, dst, dst, x86_r(tmp));
}

/* The last word also has the first one of the result, rotated once more. */
bool emit_sha1su1(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	shift_d(j, BYTES_RIGHT, XMM0, vec_use(j, i->rn, XMM0), 4);
	x86_vex(&j->a, VXOR, XMM0, XMM0, vec_rm(i->rd));
	rotate_1(j, XMM0, XMM0, XMM1);
	shift_d(j, BYTES_LEFT, XMM1, XMM0, 12);
	rotate_1(j, XMM1, XMM1, XMM2);
	x86_vex(&j->a, VXOR, d, XMM0, x86_r(XMM1));
	vec_done(j, i->rd, d);
	return true;
}

/* ---- SHA-256 ---- */

/* @rn_abcd: Vn is a, b, c, d and Vd, the result, e, f, g, h; else the other way round. */
static bool sha256_rounds(struct jit *j, const struct insn *i, bool rn_abcd)
{
	unsigned abcd = rn_abcd ? i->rn : i->rd, efgh = rn_abcd ? i->rd : i->rn;
	struct x86 *a = &j->a;
	int d = vec_def(i->rd, XMM0), t;

	if (!host_has(HOST_SHA))
		return false;
	t = vec_use(j, efgh, XMM0);
	x86_vex(a, VUNPACK_LO, XMM1, t, vec_rm(abcd));
	x86_vex(a, VUNPACK_HI, XMM2, t, vec_rm(abcd));
	x86_vex2_imm(a, VSHUFFLE, XMM1, x86_r(XMM1), PAIRS_SWAPPED);
	x86_vex2_imm(a, VSHUFFLE, XMM2, x86_r(XMM2), PAIRS_SWAPPED);
	x86_vmovdqa(a, XMM0, vec_rm(i->rm)); /* which the instruction uses without naming it */
	x86_op(a, false, 0x0f38cb, XMM2, x86_r(XMM1));
	x86_vex2_imm(a, VSHUFFLE, XMM0, x86_r(XMM0), UPPER_HALF);
	x86_op(a, false, 0x0f38cb, XMM1, x86_r(XMM2));
	x86_vex(a, rn_abcd ? VUNPACK_LO : VUNPACK_HI, XMM0, XMM1, x86_r(XMM2));
	x86_vex2_imm(a, VSHUFFLE, d, x86_r(XMM0), PAIRS_SWAPPED);
	vec_done(j, i->rd, d);
	return true;
}

bool emit_sha256h(struct jit *j, const struct insn *i) { return sha256_rounds(j, i, false); }
bool emit_sha256h2(struct jit *j, const struct insn *i) { return sha256_rounds(j, i, true); }

static void vec_from_xmm0(struct jit *j, unsigned n)
{
	int d = vec_def(n, XMM0);

	if (d != XMM0)
		x86_vmovdqa(&j->a, d, x86_r(XMM0));
	vec_done(j, n, d);
}

bool emit_sha256su0(struct jit *j, const struct insn *i)
{
	if (!host_has(HOST_SHA))
		return false;
	x86_vmovdqa(&j->a, XMM0, vec_rm(i->rd));
	x86_op(&j->a, false, 0x0f38cc, XMM0, vec_rm(i->rn)); /* sha256msg1 */
	vec_from_xmm0(j, i->rd);
	return true;
}

bool emit_sha256su1(struct jit *j, const struct insn *i)
{
	if (!host_has(HOST_SHA))
		return false;
	align(j, XMM0, vec_rm(i->rn), vec_use(j, i->rm, XMM0), 4);
	x86_vex(&j->a, VADD_S, XMM0, XMM0, vec_rm(i->rd));
	x86_op(&j->a, false, 0x0f38cd, XMM0, vec_rm(i->rm)); /* sha256msg2 */
	vec_from_xmm0(j, i->rd);
	return true;
}

/* ---- SHA-3 ---- */

bool emit_eor3(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	x86_vex(&j->a, VXOR, XMM0, vec_use(j, i->rn, XMM0), vec_rm(i->rm));
	x86_vex(&j->a, VXOR, d, XMM0, vec_rm(i->ra));
	vec_done(j, i->rd, d);
	return true;
}

bool emit_bcax(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	x86_vex(&j->a, VANDN, XMM0, vec_use(j, i->ra, XMM0), vec_rm(i->rm));
	x86_vex(&j->a, VXOR, d, XMM0, vec_rm(i->rn));
	vec_done(j, i->rd, d);
	return true;
}

bool emit_rax1(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0), m = vec_use(j, i->rm, XMM0);

	shift_d(j, SRL, XMM1, m, 63);
	shift_d(j, SLL, XMM0, m, 1);
	x86_vex(&j->a, VOR, XMM0, XMM0, x86_r(XMM1));
	x86_vex(&j->a, VXOR, d, XMM0, vec_rm(i->rn));
	vec_done(j, i->rd, d);
	return true;
}

/* A shift by 64, which rotating by 0 asks for, leaves nothing on x86. */
bool emit_xar(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	x86_vex(&j->a, VXOR, XMM0, vec_use(j, i->rn, XMM0), vec_rm(i->rm));
	shift_d(j, SLL, XMM1, XMM0, 64 - (unsigned)i->imm);
	shift_d(j, SRL, XMM0, XMM0, (unsigned)i->imm);
	x86_vex(&j->a, VOR, d, XMM0, x86_r(XMM1));
	vec_done(j, i->rd, d);
	return true;
}
