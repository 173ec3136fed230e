/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emitters of "Data Processing -- Register"; the meaning is in arch/arm64/cpu/exec-dp-reg.c.
 * The second operand, when it has to be made, is made in rdx; results in the
 * register of Rd, or rax.
 */
#include <vmm/types.h>

#include "emit.h"

/* Is host register @reg the home of @slot? */
static bool lives_in(unsigned slot, int reg) { return reg_pinned(slot) == reg; }

/* ---- Shifted and extended operands ---- */

/* LSL, LSR, ASR, ROR of Rm by a constant into rdx; EFLAGS stay if they are busy (then uses rcx). */
static void shifted_to_rdx(struct jit *j, const struct insn *i, bool w)
{
	static const uint8_t ops[3] = { X86_SHL, X86_SHR, X86_SAR };

	if (i->b == 3) {
		x86_rorx(&j->a, w, RDX, reg_rm(i->rm), i->a);
		return;
	}
	if (flags_busy(j) && i->a) {
		x86_mov_imm(&j->a, RCX, i->a);
		if (i->b == 0)
			x86_shlx(&j->a, w, RDX, reg_rm(i->rm), RCX);
		else if (i->b == 1)
			x86_shrx(&j->a, w, RDX, reg_rm(i->rm), RCX);
		else
			x86_sarx(&j->a, w, RDX, reg_rm(i->rm), RCX);
		return;
	}
	reg_get(j, w, RDX, i->rm);
	if (i->a)
		x86_shift_imm(&j->a, ops[i->b], w, x86_r(RDX), i->a);
}

/* The second operand as it can be used: Rm where it is, or rdx. */
static struct x86_rm second(struct jit *j, const struct insn *i, bool w)
{
	if (!i->a)
		return reg_rm(i->rm);
	shifted_to_rdx(j, i, w);
	return x86_r(RDX);
}

/* d = n op second: @commutes when the operands may change places. EFLAGS change. */
static int combine(struct jit *j, const struct insn *i, enum x86_alu op, bool w, struct x86_rm b, bool commutes)
{
	int d = reg_def(i->rd, RAX);

	if (b.is_reg && b.base == d && !lives_in(i->rn, d)) {
		if (commutes) {
			x86_alu(&j->a, op, w, d, reg_rm(i->rn));
			return d;
		}
		d = RAX;
	}
	if (!lives_in(i->rn, d))
		reg_get(j, w, d, i->rn);
	x86_alu(&j->a, op, w, d, b);
	return d;
}

/* ---- Add, subtract ---- */

/* Without EFLAGS: d = n + b or n + ~b + 1. */
static int lea_sum(struct jit *j, const struct insn *i, bool w, bool sub, int b)
{
	int d = reg_def(i->rd, RAX), n = reg_use(j, i->rn, RAX);

	if (sub) {
		x86_movr(&j->a, true, RDX, b);
		x86_not_(&j->a, true, x86_r(RDX));
		b = RDX;
	}
	x86_lea(&j->a, w, d, x86_mi(n, b, 0, sub));
	return d;
}

/* ADD and SUB, shifted register. */
bool emit_add_reg(struct jit *j, const struct insn *i)
{
	bool w = is_x(i), sub = bit(i->word, 30);
	struct x86_rm b;
	int d;

	if (!sub && i->b == 0 && i->a <= 3 && i->rn != SLOT_ZERO && i->rm != SLOT_ZERO &&
	    (i->a || flags_busy(j) || (!lives_in(i->rd, reg_pinned(i->rn)) && reg_pinned(i->rn) != X86_NONE))) {
		int n = reg_use(j, i->rn, RAX), m = reg_use(j, i->rm, RDX);

		d = reg_def(i->rd, RAX);
		x86_lea(&j->a, w, d, x86_mi(n, m, i->a, 0));
	} else if (flags_busy(j)) {
		if (i->a)
			shifted_to_rdx(j, i, w);
		d = lea_sum(j, i, w, sub, i->a ? RDX : reg_use(j, i->rm, RDX));
	} else {
		flags_clobber(j);
		b = second(j, i, w);
		d = combine(j, i, sub ? X86_SUB : X86_ADD, w, b, !sub);
	}
	reg_done(j, i->rd, d);
	return true;
}

bool emit_adds_reg(struct jit *j, const struct insn *i)
{
	bool w = is_x(i), sub = bit(i->word, 30);
	struct x86_rm b;
	int d;

	flags_clobber(j);
	b = second(j, i, w);
	if (sub && i->rd == SLOT_SINK) {
		if (reg_pinned(i->rn) == X86_NONE && b.is_reg)
			x86_alu_to(&j->a, X86_CMP, w, reg_rm(i->rn), b.base);
		else
			x86_alu(&j->a, X86_CMP, w, reg_use(j, i->rn, RAX), b);
	} else {
		d = combine(j, i, sub ? X86_SUB : X86_ADD, w, b, !sub);
		reg_done(j, i->rd, d);
	}
	flags_set(j, sub ? FL_SUB : FL_ADD);
	return true;
}

/* Rm extended (imm: mask, b: signed) into rdx; leaves EFLAGS. The shift by a is the caller's. */
static void extended_to_rdx(struct jit *j, const struct insn *i)
{
	struct x86_rm m = reg_rm(i->rm);

	switch ((uint64_t)i->imm) {
	case 0xff:
		if (i->b)
			x86_movsx8(&j->a, true, RDX, m);
		else
			x86_movzx8(&j->a, RDX, m);
		break;
	case 0xffff:
		if (i->b)
			x86_movsx16(&j->a, true, RDX, m);
		else
			x86_movzx16(&j->a, RDX, m);
		break;
	case 0xffffffff:
		if (i->b)
			x86_movsxd(&j->a, RDX, m);
		else
			x86_mov(&j->a, false, RDX, m);
		break;
	default: x86_mov(&j->a, true, RDX, m); break;
	}
}

bool emit_add_ext(struct jit *j, const struct insn *i)
{
	bool w = is_x(i), sub = bit(i->word, 30);
	int d = reg_def(i->rd, RAX), n;

	if (i->rd == SLOT_SP && !w)
		return false;
	if (i->rd == SLOT_SP || sub || i->a > 3)
		flags_clobber(j);
	extended_to_rdx(j, i);
	if (!sub && i->a <= 3) {
		n = reg_use(j, i->rn, RAX);
		x86_lea(&j->a, w, d, x86_mi(n, RDX, i->a, 0));
	} else {
		if (i->a)
			x86_shift_imm(&j->a, X86_SHL, true, x86_r(RDX), i->a);
		if (!lives_in(i->rn, d))
			reg_get(j, w, d, i->rn);
		x86_alu(&j->a, sub ? X86_SUB : X86_ADD, w, d, x86_r(RDX));
	}
	reg_done(j, i->rd, d);
	if (i->rd == SLOT_SP)
		emit_check_sp(j);
	return true;
}

bool emit_adds_ext(struct jit *j, const struct insn *i)
{
	bool w = is_x(i), sub = bit(i->word, 30);
	int d = reg_def(i->rd, RAX);

	flags_clobber(j);
	extended_to_rdx(j, i);
	if (i->a)
		x86_shift_imm(&j->a, X86_SHL, true, x86_r(RDX), i->a);
	if (sub && i->rd == SLOT_SINK) {
		x86_alu_to(&j->a, X86_CMP, w, reg_rm(i->rn), RDX);
	} else {
		if (!lives_in(i->rn, d))
			reg_get(j, w, d, i->rn);
		x86_alu(&j->a, sub ? X86_SUB : X86_ADD, w, d, x86_r(RDX));
		reg_done(j, i->rd, d);
	}
	flags_set(j, sub ? FL_SUB : FL_ADD);
	return true;
}

/* ADC, SBC and with flags: SBC adds ~Rm, which is a subtraction with the borrow. */
bool emit_adc(struct jit *j, const struct insn *i)
{
	bool w = is_x(i), sub = bit(i->word, 30);

	flags_load(j, sub ? FL_SUB : FL_ADD);
	reg_get(j, w, RAX, i->rn);
	x86_alu(&j->a, sub ? X86_SBB : X86_ADC, w, RAX, reg_rm(i->rm));
	reg_done(j, i->rd, RAX);
	if (bit(i->word, 29))
		flags_set(j, sub ? FL_SUB : FL_ADD);
	return true;
}

/* ---- Logical ---- */

static const uint8_t logic_ops[4] = { X86_AND, X86_OR, X86_XOR, X86_AND };

/* Rm shifted and, with N, inverted. */
static struct x86_rm logic_second(struct jit *j, const struct insn *i, bool w)
{
	if (!bit(i->word, 21))
		return second(j, i, w);
	shifted_to_rdx(j, i, w);
	x86_not_(&j->a, w, x86_r(RDX));
	return x86_r(RDX);
}

/* AND BIC ORR ORN EOR EON. MVN (ORN of ZR) leaves EFLAGS. */
bool emit_logic_reg(struct jit *j, const struct insn *i)
{
	unsigned opc = (unsigned)bits(i->word, 30, 29);
	bool w = is_x(i);
	struct x86_rm b;
	int d;

	if (opc == 1 && i->rn == SLOT_ZERO) {
		b = logic_second(j, i, w);
		d = reg_def(i->rd, RAX);
		x86_mov(&j->a, w, d, b);
		if (!flags_busy(j))
			flags_clobber(j);
	} else {
		flags_clobber(j);
		b = logic_second(j, i, w);
		d = combine(j, i, logic_ops[opc], w, b, true);
	}
	reg_done(j, i->rd, d);
	return true;
}

bool emit_ands_reg(struct jit *j, const struct insn *i)
{
	bool w = is_x(i);
	struct x86_rm b;
	int d;

	flags_clobber(j);
	b = logic_second(j, i, w);
	if (i->rd == SLOT_SINK && (b.is_reg || reg_pinned(i->rn) != X86_NONE)) {
		if (b.is_reg)
			x86_test(&j->a, w, reg_rm(i->rn), b.base);
		else
			x86_test(&j->a, w, b, reg_pinned(i->rn));
	} else {
		d = combine(j, i, X86_AND, w, b, true);
		reg_done(j, i->rd, d);
	}
	flags_set(j, FL_ADD);
	return true;
}

bool emit_mov_reg(struct jit *j, const struct insn *i)
{
	int d = reg_def(i->rd, RAX);

	reg_get(j, is_x(i), d, i->rm);
	reg_done(j, i->rd, d);
	return true;
}

/* ---- Conditional ---- */

static unsigned cond_field(const struct insn *i) { return (unsigned)bits(i->word, 15, 12); }

/* rdx = what is taken when the condition does not hold: Rm, + 1, inverted, or negated. Leaves EFLAGS. */
static void otherwise(struct jit *j, const struct insn *i, bool w)
{
	bool inv = bit(i->word, 30), inc = bit(i->word, 10);

	reg_get(j, w, RDX, i->rm);
	if (inv)
		x86_not_(&j->a, w, x86_r(RDX));
	if (inc)
		x86_lea(&j->a, w, RDX, x86_m(RDX, 1));
}

/* CSET and CSETM: 1 or all ones when the (inverted) condition holds. */
static bool set_on_condition(struct jit *j, const struct insn *i, enum x86_cond cc, bool w)
{
	if (i->rn != SLOT_ZERO || i->rm != SLOT_ZERO || bit(i->word, 30) == bit(i->word, 10))
		return false;
	x86_setcc(&j->a, x86_not(cc), x86_r(RDX));
	x86_movzx8(&j->a, RDX, x86_r(RDX));
	if (bit(i->word, 30)) { /* -x = ~x + 1 */
		x86_not_(&j->a, w, x86_r(RDX));
		x86_lea(&j->a, w, RDX, x86_m(RDX, 1));
	}
	return true;
}

bool emit_csel(struct jit *j, const struct insn *i)
{
	bool w = is_x(i);
	enum x86_cond cc;

	if (cond_field(i) >= 14) {
		reg_get(j, w, RDX, i->rn);
	} else {
		cc = flags_cond(j, cond_field(i));
		if (!set_on_condition(j, i, cc, w)) {
			otherwise(j, i, w);
			if (i->rn == SLOT_ZERO)
				x86_mov_imm(&j->a, RAX, 0);
			x86_cmov(&j->a, w, cc, RDX, i->rn == SLOT_ZERO ? x86_r(RAX) : reg_rm(i->rn));
		}
	}
	reg_done(j, i->rd, RDX);
	return true;
}

/* CCMP, CCMN with register or immediate (imm bits 4:0). */
bool emit_ccmp(struct jit *j, const struct insn *i)
{
	bool w = is_x(i), sub = bit(i->word, 30), reg = !bit(i->word, 11);
	enum x86_cond cc;
	uint8_t *holds, *done;
	int n;

	if (cond_field(i) >= 14)
		return false;
	cc = flags_cond(j, cond_field(i));
	holds = x86_jcc8(&j->a, cc);
	flags_load_imm(j, (uint32_t)i->b << 28);
	done = x86_jmp8(&j->a);
	x86_aim8(holds, j->a.p);
	n = reg_use(j, i->rn, RAX);
	if (sub && reg) {
		x86_alu(&j->a, X86_CMP, w, n, reg_rm(i->rm));
	} else if (sub) {
		x86_alu_imm(&j->a, X86_CMP, w, x86_r(n), (int32_t)(i->imm & 31));
	} else {
		x86_movr(&j->a, w, RDX, n);
		if (reg)
			x86_alu(&j->a, X86_ADD, w, RDX, reg_rm(i->rm));
		else
			x86_alu_imm(&j->a, X86_ADD, w, x86_r(RDX), (int32_t)(i->imm & 31));
		x86_cmc(&j->a);
	}
	x86_aim8(done, j->a.p);
	flags_set(j, FL_SUB);
	return true;
}

/* ---- Multiply, divide ---- */

/* Rd = Ra +/- product, which is in rdx. */
static void accumulate(struct jit *j, const struct insn *i, bool w, bool sub)
{
	int a;

	if (i->ra == SLOT_ZERO) {
		if (sub)
			x86_neg(&j->a, w, x86_r(RDX));
	} else if (sub) {
		reg_get(j, w, RAX, i->ra);
		x86_alu(&j->a, X86_SUB, w, RAX, x86_r(RDX));
		reg_done(j, i->rd, RAX);
		return;
	} else {
		a = reg_use(j, i->ra, RAX);
		x86_lea(&j->a, w, RDX, x86_mi(a, RDX, 0, 0));
	}
	reg_done(j, i->rd, RDX);
}

bool emit_madd(struct jit *j, const struct insn *i)
{
	bool w = is_x(i);

	flags_clobber(j);
	reg_get(j, w, RDX, i->rn);
	x86_imul(&j->a, w, RDX, reg_rm(i->rm));
	accumulate(j, i, w, bit(i->word, 15));
	return true;
}

static void widened(struct jit *j, int dst, unsigned slot, bool is_signed)
{
	if (is_signed)
		x86_movsxd(&j->a, dst, reg_rm(slot));
	else
		x86_mov(&j->a, false, dst, reg_rm(slot));
}

/* SMADDL, UMADDL, SMSUBL, UMSUBL */
bool emit_maddl(struct jit *j, const struct insn *i)
{
	bool is_signed = !bit(i->word, 23);

	flags_clobber(j);
	widened(j, RDX, i->rn, is_signed);
	widened(j, RAX, i->rm, is_signed);
	x86_imul(&j->a, true, RDX, x86_r(RAX));
	accumulate(j, i, true, bit(i->word, 15));
	return true;
}

bool emit_umulh(struct jit *j, const struct insn *i)
{
	int d = reg_def(i->rd, RAX);

	reg_get(j, true, RDX, i->rn);
	x86_mulx(&j->a, true, d, RCX, reg_rm(i->rm));
	reg_done(j, i->rd, d);
	return true;
}

bool emit_smulh(struct jit *j, const struct insn *i)
{
	flags_clobber(j);
	reg_get(j, true, RAX, i->rn);
	x86_imul1(&j->a, true, reg_rm(i->rm));
	reg_done(j, i->rd, RDX);
	return true;
}

bool emit_udiv(struct jit *j, const struct insn *i)
{
	bool w = is_x(i);
	uint8_t *zero;

	flags_clobber(j);
	reg_get(j, w, RCX, i->rm);
	x86_mov_imm(&j->a, RAX, 0);
	x86_test(&j->a, w, x86_r(RCX), RCX);
	zero = x86_jcc8(&j->a, CC_E);
	reg_get(j, w, RAX, i->rn);
	x86_mov_imm(&j->a, RDX, 0);
	x86_div(&j->a, w, x86_r(RCX));
	x86_aim8(zero, j->a.p);
	reg_done(j, i->rd, RAX);
	return true;
}

/* By 0: 0; by -1: the negative, which x86 would not take of the smallest number. Both are divisor + 1 <= 1. */
bool emit_sdiv(struct jit *j, const struct insn *i)
{
	bool w = is_x(i);
	uint8_t *easy, *done;

	flags_clobber(j);
	reg_get(j, w, RCX, i->rm);
	reg_get(j, w, RAX, i->rn);
	x86_lea(&j->a, w, RDX, x86_m(RCX, 1));
	x86_alu_imm(&j->a, X86_CMP, w, x86_r(RDX), 1);
	easy = x86_jcc8(&j->a, CC_BE);
	x86_cqo(&j->a, w);
	x86_idiv(&j->a, w, x86_r(RCX));
	done = x86_jmp8(&j->a);
	x86_aim8(easy, j->a.p);
	x86_imul(&j->a, w, RAX, x86_r(RCX));
	x86_aim8(done, j->a.p);
	reg_done(j, i->rd, RAX);
	return true;
}

/* ---- Variable shifts, bits, bytes ---- */

/* The counts are taken modulo the width on both sides. */
bool emit_shiftv(struct jit *j, const struct insn *i)
{
	bool w = is_x(i);
	int d = reg_def(i->rd, RAX), m;

	if (bits(i->word, 11, 10) == 3) { /* RORV */
		flags_clobber(j);
		reg_get(j, true, RCX, i->rm);
		reg_get(j, w, RAX, i->rn);
		x86_shift_cl(&j->a, X86_ROR, w, x86_r(RAX));
		reg_done(j, i->rd, RAX);
		return true;
	}
	m = reg_use(j, i->rm, RDX);
	switch (bits(i->word, 11, 10)) {
	case 0: x86_shlx(&j->a, w, d, reg_rm(i->rn), m); break;
	case 1: x86_shrx(&j->a, w, d, reg_rm(i->rn), m); break;
	default: x86_sarx(&j->a, w, d, reg_rm(i->rn), m); break;
	}
	reg_done(j, i->rd, d);
	return true;
}

bool emit_clz(struct jit *j, const struct insn *i)
{
	int d = reg_def(i->rd, RAX);

	flags_clobber(j);
	x86_lzcnt(&j->a, is_x(i), d, reg_rm(i->rn));
	reg_done(j, i->rd, d);
	return true;
}

/* Leading bits that equal the sign: leading zeroes of v ^ (v >> 1), less the one for the shift. */
bool emit_cls(struct jit *j, const struct insn *i)
{
	bool w = is_x(i);

	flags_clobber(j);
	reg_get(j, w, RAX, i->rn);
	x86_movr(&j->a, w, RDX, RAX);
	x86_shift_imm(&j->a, X86_SAR, w, x86_r(RDX), 1);
	x86_alu(&j->a, X86_XOR, w, RAX, x86_r(RDX));
	x86_lzcnt(&j->a, w, RAX, x86_r(RAX));
	x86_alu_imm(&j->a, X86_SUB, false, x86_r(RAX), 1);
	reg_done(j, i->rd, RAX);
	return true;
}

/* REV of all bytes. */
bool emit_rev(struct jit *j, const struct insn *i)
{
	reg_get(j, is_x(i), RAX, i->rn);
	x86_bswap(&j->a, is_x(i), RAX);
	reg_done(j, i->rd, RAX);
	return true;
}

/* REV32 Xd: bytes of all, then the words change places. */
bool emit_rev32(struct jit *j, const struct insn *i)
{
	reg_get(j, true, RAX, i->rn);
	x86_bswap(&j->a, true, RAX);
	x86_rorx(&j->a, true, RAX, x86_r(RAX), 32);
	reg_done(j, i->rd, RAX);
	return true;
}

/* v = (v >> n & mask) | (v & mask) << n: neighbouring groups of n bits change places. rax to rax, uses rdx, rcx. */
static void swap_groups(struct jit *j, bool w, unsigned n, uint64_t mask)
{
	x86_mov_imm(&j->a, RCX, w ? mask : (uint32_t)mask);
	x86_movr(&j->a, w, RDX, RAX);
	x86_shift_imm(&j->a, X86_SHR, w, x86_r(RDX), n);
	x86_alu(&j->a, X86_AND, w, RDX, x86_r(RCX));
	x86_alu(&j->a, X86_AND, w, RAX, x86_r(RCX));
	x86_shift_imm(&j->a, X86_SHL, w, x86_r(RAX), n);
	x86_alu(&j->a, X86_OR, w, RAX, x86_r(RDX));
}

bool emit_rev16(struct jit *j, const struct insn *i)
{
	flags_clobber(j);
	reg_get(j, is_x(i), RAX, i->rn);
	swap_groups(j, is_x(i), 8, UINT64_C(0x00ff00ff00ff00ff));
	reg_done(j, i->rd, RAX);
	return true;
}

bool emit_rbit(struct jit *j, const struct insn *i)
{
	flags_clobber(j);
	reg_get(j, is_x(i), RAX, i->rn);
	swap_groups(j, is_x(i), 1, UINT64_C(0x5555555555555555));
	swap_groups(j, is_x(i), 2, UINT64_C(0x3333333333333333));
	swap_groups(j, is_x(i), 4, UINT64_C(0x0f0f0f0f0f0f0f0f));
	x86_bswap(&j->a, is_x(i), RAX);
	reg_done(j, i->rd, RAX);
	return true;
}
