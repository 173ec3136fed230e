/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer Advanced SIMD: two-register miscellaneous, across lanes, scalar pairwise (emit-simd.h). */
#include "emit-simd.h"

/* Here a recipe has one operand, in xmm1 or its own register. */
typedef void unary_fn(struct jit *j, const struct insn *i, int d, int n);

static bool unary(struct jit *j, const struct insn *i, unary_fn *recipe)
{
	int d = vec_def(i->rd, XMM0);

	recipe(j, i, d, vec_use(j, i->rn, XMM1));
	simd_put(j, i->rd, d, i->b);
	return true;
}

#define UNARY(name, recipe) \
	bool name(struct jit *j, const struct insn *i) { return unary(j, i, recipe); }

/* ---- Comparisons with zero ---- */

static void cmgt0(struct jit *j, const struct insn *i, int d, int n)
{
	vzero(j, XMM0);
	vop(j, vpcmpgt[i->a], d, n, XMM0);
}

static void cmlt0(struct jit *j, const struct insn *i, int d, int n)
{
	vzero(j, XMM0);
	vop(j, vpcmpgt[i->a], d, XMM0, n);
}

static void cmge0(struct jit *j, const struct insn *i, int d, int n)
{
	vones(j, XMM0);
	vop(j, vpcmpgt[i->a], d, n, XMM0);
}

static void cmle0(struct jit *j, const struct insn *i, int d, int n)
{
	cmgt0(j, i, XMM0, n);
	vnot(j, d, XMM0, XMM1);
}

static void cmeq0(struct jit *j, const struct insn *i, int d, int n)
{
	vzero(j, XMM0);
	vop(j, vpcmpeq[i->a], d, XMM0, n);
}

UNARY(emit_cmgt0_vec, cmgt0)
UNARY(emit_cmlt0_vec, cmlt0)
UNARY(emit_cmge0_vec, cmge0)
UNARY(emit_cmle0_vec, cmle0)
UNARY(emit_cmeq0_vec, cmeq0)

/* ---- Sign ---- */

static void neg(struct jit *j, const struct insn *i, int d, int n)
{
	vzero(j, XMM0);
	vop(j, vpsub[i->a], d, XMM0, n);
}

static void abs_(struct jit *j, const struct insn *i, int d, int n)
{
	if (i->a < 3) {
		vop1(j, vpabs[i->a], d, n);
		return;
	}
	cmlt0(j, i, XMM0, n);
	vop(j, VPXOR, XMM1, n, XMM0);
	vop(j, vpsub[3], d, XMM1, XMM0);
}

UNARY(emit_neg_vec, neg)
UNARY(emit_abs_vec, abs_)

/* The most negative number is the only one whose opposite is the most negative number; it saturates. */
static bool saturating(struct jit *j, const struct insn *i, unary_fn *recipe)
{
	flags_clobber(j);
	recipe(j, i, XMM0, vec_use(j, i->rn, XMM1));
	vsplat(j, XMM1, lane_signs(i->a));
	vop(j, vpcmpeq[i->a], XMM1, XMM1, XMM0);
	vop(j, VPXOR, XMM0, XMM0, XMM1);
	simd_qc(j, XMM1, i->b);
	simd_put(j, i->rd, XMM0, i->b);
	return true;
}

bool emit_sqneg_vec(struct jit *j, const struct insn *i) { return saturating(j, i, neg); }
bool emit_sqabs_vec(struct jit *j, const struct insn *i) { return saturating(j, i, abs_); }

/* ---- Bits ---- */

bool emit_not_vec(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	vones(j, XMM0);
	x86_vex(&j->a, VPXOR, d, XMM0, vec_rm(i->rn));
	simd_put(j, i->rd, d, i->b);
	return true;
}

/* A function of 4 bits as 16 bytes: what it gives for 0 to 7, for 8 to 15. */
struct nibble_table {
	uint64_t low, high;
};

/* xmm0 = @table of the upper four bits of each byte of Vn, xmm2 = @lower of the lower four. Uses all three. */
static void look_up_nibbles(struct jit *j, int n, const struct nibble_table *upper, const struct nibble_table *lower)
{
	vsplat(j, XMM2, lane_copies(0, 0x0f));
	vshr(j, false, 1, XMM0, n, 4, X86_NONE);
	vop(j, VPAND, XMM0, XMM0, XMM2);
	vop(j, VPAND, XMM2, XMM2, n);
	vconst(j, XMM1, upper->low, upper->high);
	vop(j, VPSHUFB, XMM0, XMM1, XMM0);
	if (lower != upper)
		vconst(j, XMM1, lower->low, lower->high);
	vop(j, VPSHUFB, XMM2, XMM1, XMM2);
}

static void cnt(struct jit *j, const struct insn *i, int d, int n)
{
	static const struct nibble_table ones = { 0x0302020102010100, 0x0403030203020201 };

	(void)i;
	look_up_nibbles(j, n, &ones, &ones);
	vop(j, vpadd[0], d, XMM0, XMM2);
}

static void rbit(struct jit *j, const struct insn *i, int d, int n)
{
	static const struct nibble_table reversed = { 0x0e060a020c040800, 0x0f070b030d050901 };

	(void)i;
	look_up_nibbles(j, n, &reversed, &reversed);
	vshl(j, 1, XMM2, XMM2, 4, X86_NONE); /* numbers up to 15: nothing reaches the next byte */
	vop(j, VPOR, d, XMM0, XMM2);
}

/* xmm0 = zeroes on top of each byte of @n: the upper half decides when it is not zero (0 to 3), else the lower one.
 */
static void clz_bytes(struct jit *j, int n)
{
	static const struct nibble_table upper = { 0x0101010102020308, 0 };
	static const struct nibble_table lower = { 0x0505050506060708, 0x0404040404040404 };

	look_up_nibbles(j, n, &upper, &lower);
	vop(j, vpminu[0], XMM0, XMM0, XMM2);
}

/* xmm0 = the same for its pairs of lanes: the upper one's count, plus the lower one's when all bits above are zero.
 */
static void clz_pairs(struct jit *j, unsigned lane)
{
	unsigned bits = 8u << lane;

	vshr(j, false, lane + 1, XMM1, XMM0, bits, X86_NONE);
	vsplat(j, XMM2, lane_copies(lane + 1, bits));
	vop(j, vpcmpeq[lane + 1], XMM2, XMM2, XMM1);
	vshr(j, false, lane + 1, XMM2, XMM2, bits, X86_NONE);
	vop(j, VPAND, XMM0, XMM0, XMM2);
	vop(j, vpadd[lane + 1], XMM0, XMM0, XMM1);
}

static void clz_lanes(struct jit *j, unsigned lane, int n)
{
	clz_bytes(j, n);
	for (unsigned k = 0; k < lane; k++)
		clz_pairs(j, k);
}

bool emit_clz_vec(struct jit *j, const struct insn *i)
{
	clz_lanes(j, i->a, vec_use(j, i->rn, XMM1));
	simd_put(j, i->rd, XMM0, i->b);
	return true;
}

/* Bits that are as the one above them are zero in x ^ (x >> 1); the sign has none above it and does not count. */
bool emit_cls_vec(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0), n = vec_use(j, i->rn, XMM1);

	vshr(j, true, i->a, XMM0, n, 1, XMM2);
	vop(j, VPXOR, XMM1, XMM0, n);
	clz_lanes(j, i->a, XMM1);
	vones(j, XMM1);
	vop(j, vpadd[i->a], d, XMM0, XMM1);
	simd_put(j, i->rd, d, i->b);
	return true;
}

UNARY(emit_cnt_vec, cnt)
UNARY(emit_rbit_vec, rbit)

/* imm: bit k set when neighbours of 1 << k bytes change places. */
static void rev(struct jit *j, const struct insn *i, int d, int n)
{
	unsigned swaps = (unsigned)i->imm;
	uint64_t order = 0;

	switch (swaps) {
	case 1:
		vshl(j, 1, XMM0, n, 8, X86_NONE);
		vshr(j, false, 1, XMM1, n, 8, X86_NONE);
		vop(j, VPOR, d, XMM0, XMM1);
		return;
	case 2:
	case 6:
		vop1_imm(j, VPSHUFLW, XMM0, n, swaps == 2 ? 0xb1 : 0x1b);
		vop1_imm(j, VPSHUFHW, d, XMM0, swaps == 2 ? 0xb1 : 0x1b);
		return;
	case 4: vop1_imm(j, VPSHUFD, d, n, 0xb1); return;
	}
	for (unsigned k = 0; k < 8; k++)
		order |= (uint64_t)(k ^ swaps) << 8 * k;
	vconst(j, XMM0, order, order | lane_copies(0, 8));
	vop(j, VPSHUFB, d, n, XMM0);
}

UNARY(emit_rev_vec, rev)

/* ---- Pairs to long ---- */

static void saddlp(struct jit *j, const struct insn *i, int d, int n) { vadd_pairs(j, true, i->a, d, n); }
static void uaddlp(struct jit *j, const struct insn *i, int d, int n) { vadd_pairs(j, false, i->a, d, n); }

static bool add_pairs_accumulate(struct jit *j, const struct insn *i, bool is_signed)
{
	int d = vec_def(i->rd, XMM0);

	vadd_pairs(j, is_signed, i->a, XMM0, vec_use(j, i->rn, XMM1));
	x86_vex(&j->a, vpadd[i->a + 1], d, XMM0, vec_rm(i->rd));
	simd_put(j, i->rd, d, i->b);
	return true;
}

UNARY(emit_saddlp_vec, saddlp)
UNARY(emit_uaddlp_vec, uaddlp)
bool emit_sadalp_vec(struct jit *j, const struct insn *i) { return add_pairs_accumulate(j, i, true); }
bool emit_uadalp_vec(struct jit *j, const struct insn *i) { return add_pairs_accumulate(j, i, false); }

/* ---- Narrow, long ---- */

bool emit_xtn_vec(struct jit *j, const struct insn *i)
{
	vnarrow(j, i->a, vec_use(j, i->rn, XMM0), 0);
	simd_put_narrow(j, i);
	return true;
}

bool emit_shll_vec(struct jit *j, const struct insn *i)
{
	int d = vec_def(i->rd, XMM0);

	vwiden(j, false, i->a, d, vec_use(j, i->rn, XMM0), i->ra);
	vshl(j, i->a + 1u, d, d, 8u << i->a, X86_NONE);
	simd_put(j, i->rd, d, i->b);
	return true;
}

static bool narrow_saturating(struct jit *j, const struct insn *i, bool from_signed, bool to_signed)
{
	flags_clobber(j);
	simd_put_saturated(j, i, vec_use(j, i->rn, XMM1), from_signed, to_signed);
	return true;
}

bool emit_sqxtn_vec(struct jit *j, const struct insn *i) { return narrow_saturating(j, i, true, true); }
bool emit_sqxtun_vec(struct jit *j, const struct insn *i) { return narrow_saturating(j, i, true, false); }
bool emit_uqxtn_vec(struct jit *j, const struct insn *i) { return narrow_saturating(j, i, false, false); }

/* ---- Across lanes ---- */

/* xmm0's lanes, 1 << @log2_bytes bytes of them: the upper half onto the lower one until one lane is left. */
static void fold(struct jit *j, uint32_t op, unsigned lane, unsigned log2_bytes)
{
	while (log2_bytes-- > lane) {
		vshr_bytes(j, XMM1, XMM0, 1u << log2_bytes);
		vop(j, op, XMM0, XMM0, XMM1);
	}
}

static bool across(struct jit *j, const struct insn *i, uint32_t op)
{
	int n = vec_use(j, i->rn, XMM0);

	vshr_bytes(j, XMM1, n, 1u << (i->b - 1));
	vop(j, op, XMM0, n, XMM1);
	fold(j, op, i->a, i->b - 1u);
	simd_put(j, i->rd, XMM0, i->a);
	return true;
}

#define ACROSS(name, op) \
	bool name(struct jit *j, const struct insn *i) { return across(j, i, (op)[i->a]); }

ACROSS(emit_smaxv, vpmaxs)
ACROSS(emit_umaxv, vpmaxu)
ACROSS(emit_sminv, vpmins)
ACROSS(emit_uminv, vpminu)

/* xmm0 = the sum of unsigned bytes: vpsadbw makes one of each eight. */
static void sum_bytes(struct jit *j, const struct insn *i)
{
	vzero(j, XMM1);
	x86_vex(&j->a, VPSADBW, XMM0, XMM1, vec_rm(i->rn));
	if (i->b == 4)
		fold(j, vpadd[3], 3, 4);
}

bool emit_addv(struct jit *j, const struct insn *i)
{
	if (i->a)
		return across(j, i, vpadd[i->a]);
	sum_bytes(j, i);
	simd_put(j, i->rd, XMM0, 0);
	return true;
}

static bool add_long_across(struct jit *j, const struct insn *i, bool is_signed)
{
	unsigned wide = i->a + 1u;

	if (wide == 1 && !is_signed) {
		sum_bytes(j, i);
	} else {
		vadd_pairs(j, is_signed, i->a, XMM0, vec_use(j, i->rn, XMM1));
		fold(j, vpadd[wide], wide, i->b);
	}
	simd_put(j, i->rd, XMM0, wide);
	return true;
}

bool emit_saddlv(struct jit *j, const struct insn *i) { return add_long_across(j, i, true); }
bool emit_uaddlv(struct jit *j, const struct insn *i) { return add_long_across(j, i, false); }

bool emit_addp_sca(struct jit *j, const struct insn *i)
{
	int n = vec_use(j, i->rn, XMM0);

	vshr_bytes(j, XMM1, n, 8);
	vop(j, vpadd[3], XMM0, n, XMM1);
	simd_put(j, i->rd, XMM0, 3);
	return true;
}
