/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Emitters of exclusives, load-acquire, store-release and LSE atomics; the
 * meaning is in arch/arm64/cpu/exec-excl.c.
 *
 * Ordering is that of C11's sequentially consistent atomics on x86: a load is mov,
 * a store is xchg, a read-modify-write has lock. Aligned 16-byte moves are atomic
 * where there is AVX (atomic128.h).
 */
#include <vmm/types.h>

#include "emit.h"

/* size: bits 31:30 of all but the pairs */
static unsigned bytes_of(const struct insn *i) { return 1u << bits(i->word, 31, 30); }

/* @dst becomes @src of @bytes, zero-extended. */
static void zero_extend(struct jit *j, unsigned bytes, int dst, struct x86_rm src)
{
	switch (bytes) {
	case 1: x86_movzx8(&j->a, dst, src); break;
	case 2: x86_movzx16(&j->a, dst, src); break;
	default: x86_mov(&j->a, bytes == 8, dst, src); break;
	}
}

/* The slot becomes @src of @bytes. */
static void result(struct jit *j, unsigned bytes, unsigned slot, int src)
{
	int d = reg_def(slot, src);

	if (slot == SLOT_SINK)
		return;
	zero_extend(j, bytes, d, x86_r(src));
	reg_done(j, slot, d);
}

/* Checked for an atomic operation: its operand needs rcx alone, which is the host's address. */
static struct x86_rm atomic_check(struct jit *j, const struct insn *i, unsigned bytes, bool write)
{
	struct x86_rm m = mem_check(j, i->rn, 0, bytes, write);

	x86_lea(&j->a, true, RCX, m);
	if (bytes > 1) {
		x86_test8_imm(&j->a, x86_r(RCX), bytes - 1);
		slow_if(j, CC_NE);
	}
	return x86_m(RCX, 0);
}

/* ---- Load-acquire, store-release ---- */

static struct x86_rm ordered_check(struct jit *j, const struct insn *i, bool write)
{
	struct x86_rm m = mem_check(j, i->rn, i->imm, bytes_of(i), write);

	mem_check_aligned(j, m, bytes_of(i));
	return m;
}

/* LDAR, LDLAR, LDAPR */
bool emit_load_acquire(struct jit *j, const struct insn *i)
{
	struct x86_rm m = ordered_check(j, i, false);
	int d = reg_def(i->rd, RDX);

	zero_extend(j, bytes_of(i), d, m);
	reg_done(j, i->rd, d);
	return true;
}

bool emit_ldapur(struct jit *j, const struct insn *i)
{
	unsigned bytes = bytes_of(i), opc = (unsigned)bits(i->word, 23, 22);
	struct x86_rm m;
	int d = reg_def(i->rd, RDX);

	if (opc == 1)
		return emit_load_acquire(j, i);
	m = ordered_check(j, i, false);
	if (bytes == 1)
		x86_movsx8(&j->a, opc == 2, d, m);
	else if (bytes == 2)
		x86_movsx16(&j->a, opc == 2, d, m);
	else
		x86_movsxd(&j->a, d, m);
	reg_done(j, i->rd, d);
	return true;
}

/* STLR, STLLR, STLUR */
bool emit_store_release(struct jit *j, const struct insn *i)
{
	struct x86_rm m = ordered_check(j, i, true);

	reg_get(j, true, RDX, i->rd);
	x86_xchg_sized(&j->a, bytes_of(i), m, RDX);
	return true;
}

/* ---- Pairs ---- */

/* sz of the pairs that have W and X forms: STXP and LDXP, CASP */
static bool is_pair_of_x(const struct insn *i) { return bit(i->word, 30); }

/* @dst becomes the low halves of two slots. Uses xmm0. */
static void join(struct jit *j, int dst, unsigned lo, unsigned hi)
{
	x86_vmovd(&j->a, 0, reg_rm(lo));
	x86_vex_imm(&j->a, VEX(1, 3, 0, 0x22), 0, 0, reg_rm(hi), 1); /* vpinsrd */
	x86_vmovq_store(&j->a, x86_r(dst), 0);
}

/* Two slots become the halves of rax. */
static void split(struct jit *j, unsigned lo, unsigned hi)
{
	x86_movr(&j->a, false, RDX, RAX);
	reg_done(j, lo, RDX);
	x86_shift_imm(&j->a, X86_SHR, true, x86_r(RAX), 32);
	reg_done(j, hi, RAX);
}

/*
 * lock cmpxchg16b at the address in rcx: compares with rdx:rax, stores slots @hi:@lo.
 * It wants rbx, which is a guest's register, and the address out of its way.
 */
static void cmpxchg16b(struct jit *j, unsigned lo, unsigned hi)
{
	const struct x86_rm kept = x86_m(RSP, -8);

	x86_movr(&j->a, true, REG_CTX, RCX);
	x86_store(&j->a, true, kept, RBX);
	reg_get(j, true, RCX, hi);
	reg_get(j, true, RBX, lo);
	x86_lock_cmpxchg16b(&j->a, x86_m(REG_CTX, 0));
	x86_mov(&j->a, true, RBX, kept);
	x86_mov(&j->a, true, REG_CTX, CPU_M(ctx));
}

/* ---- Exclusives ---- */

static void monitor_set(struct jit *j, unsigned bytes)
{
	x86_store_imm8(&j->a, CPU_M(excl.size), bytes);
	x86_store(&j->a, true, CPU_M(excl.host), RCX);
}

/* Of up to 8 bytes; the value is in rax. */
static void load_exclusive(struct jit *j, const struct insn *i, unsigned bytes)
{
	struct x86_rm m = atomic_check(j, i, bytes, false);

	zero_extend(j, bytes, RAX, m);
	monitor_set(j, bytes);
	x86_store(&j->a, true, CPU_M(excl.value[0]), RAX);
	x86_store_imm(&j->a, true, CPU_M(excl.value[1]), 0);
}

bool emit_ldxr(struct jit *j, const struct insn *i)
{
	load_exclusive(j, i, bytes_of(i));
	reg_done(j, i->rd, RAX);
	return true;
}

bool emit_ldxp(struct jit *j, const struct insn *i)
{
	struct x86_rm m;

	if (!is_pair_of_x(i)) {
		load_exclusive(j, i, 8);
		split(j, i->rd, i->ra);
		return true;
	}
	m = atomic_check(j, i, 16, false);
	x86_vmovdqa(&j->a, 0, m);
	monitor_set(j, 16);
	x86_vmovdqu_store(&j->a, CPU_M(excl.value), 0);
	x86_vmovq_store(&j->a, x86_r(RAX), 0);
	reg_done(j, i->rd, RAX);
	x86_mov(&j->a, true, RAX, CPU_M(excl.value[1]));
	reg_done(j, i->ra, RAX);
	return true;
}

/* Where a store-exclusive has lost without a try: NE, for status_set(). */
struct lost {
	uint8_t *by_size, *by_place;
};

static struct lost monitor_take(struct jit *j, unsigned bytes)
{
	struct lost l;

	x86_cmp8_imm(&j->a, CPU_M(excl.size), bytes);
	x86_store_imm8(&j->a, CPU_M(excl.size), 0);
	l.by_size = x86_jcc8(&j->a, CC_NE);
	x86_alu(&j->a, X86_CMP, true, RCX, CPU_M(excl.host));
	l.by_place = x86_jcc8(&j->a, CC_NE);
	x86_mov(&j->a, true, RAX, CPU_M(excl.value[0]));
	return l;
}

static void status_set(struct jit *j, const struct insn *i, struct lost l)
{
	x86_aim8(l.by_size, j->a.p);
	x86_aim8(l.by_place, j->a.p);
	x86_setcc(&j->a, CC_NE, x86_r(RDX));
	result(j, 1, i->rm, RDX);
}

bool emit_stxr(struct jit *j, const struct insn *i)
{
	unsigned bytes = bytes_of(i);
	struct x86_rm m = atomic_check(j, i, bytes, true);
	int s = reg_use(j, i->rd, RDX);
	struct lost l = monitor_take(j, bytes);

	x86_lock_cmpxchg(&j->a, bytes, m, s);
	status_set(j, i, l);
	return true;
}

bool emit_stxp(struct jit *j, const struct insn *i)
{
	unsigned bytes = is_pair_of_x(i) ? 16 : 8;
	struct x86_rm m = atomic_check(j, i, bytes, true);
	struct lost l = monitor_take(j, bytes);

	if (bytes == 16) {
		x86_mov(&j->a, true, RDX, CPU_M(excl.value[1]));
		cmpxchg16b(j, i->rd, i->ra);
	} else {
		join(j, RDX, i->rd, i->ra);
		x86_lock_cmpxchg(&j->a, 8, m, RDX);
	}
	status_set(j, i, l);
	return true;
}

/* ---- LSE ---- */

bool emit_ldadd(struct jit *j, const struct insn *i)
{
	unsigned bytes = bytes_of(i);
	struct x86_rm m = atomic_check(j, i, bytes, true);

	if (i->rd == SLOT_SINK) {
		x86_lock_alu(&j->a, X86_ADD, bytes, m, reg_use(j, i->rm, RDX));
		return true;
	}
	reg_get(j, true, RDX, i->rm);
	x86_lock_xadd(&j->a, bytes, m, RDX);
	result(j, bytes, i->rd, RDX);
	return true;
}

bool emit_swp(struct jit *j, const struct insn *i)
{
	unsigned bytes = bytes_of(i);
	struct x86_rm m = atomic_check(j, i, bytes, true);

	reg_get(j, true, RDX, i->rm);
	x86_xchg_sized(&j->a, bytes, m, RDX);
	result(j, bytes, i->rd, RDX);
	return true;
}

/* rdx = rax op x[rm], what a loop of cmpxchg tries to store. */
typedef void combine_fn(struct jit *j, const struct insn *i);

/* rax is what memory was before. */
static void cmpxchg_loop(struct jit *j, const struct insn *i, combine_fn *combine, struct x86_rm m)
{
	unsigned bytes = bytes_of(i);
	uint8_t *again;

	zero_extend(j, bytes, RAX, m);
	again = j->a.p;
	combine(j, i);
	x86_lock_cmpxchg(&j->a, bytes, m, RDX);
	x86_aim(x86_jcc(&j->a, CC_NE), again);
	result(j, bytes, i->rd, RAX);
}

/* opc of LDCLR, LDEOR, LDSET, LDSMAX, LDSMIN, LDUMAX, LDUMIN */
enum { OPC_CLR = 1, OPC_EOR, OPC_SET, OPC_SMAX, OPC_SMIN, OPC_UMAX, OPC_UMIN };

static unsigned opc_of(const struct insn *i) { return (unsigned)bits(i->word, 14, 12); }

static enum x86_alu logical_op(const struct insn *i) { return opc_of(i) == OPC_EOR ? X86_XOR : X86_OR; }

static void combine_logical(struct jit *j, const struct insn *i)
{
	if (opc_of(i) == OPC_CLR) {
		x86_andn(&j->a, true, RDX, reg_use(j, i->rm, RDX), x86_r(RAX));
		return;
	}
	x86_movr(&j->a, true, RDX, RAX);
	x86_alu(&j->a, logical_op(i), true, RDX, reg_rm(i->rm));
}

/* STCLR, STEOR, STSET: no result, no loop. */
static void store_logical(struct jit *j, const struct insn *i, struct x86_rm m)
{
	if (opc_of(i) != OPC_CLR) {
		x86_lock_alu(&j->a, logical_op(i), bytes_of(i), m, reg_use(j, i->rm, RDX));
		return;
	}
	reg_get(j, true, RDX, i->rm);
	x86_not_(&j->a, true, x86_r(RDX));
	x86_lock_alu(&j->a, X86_AND, bytes_of(i), m, RDX);
}

bool emit_ld_logical(struct jit *j, const struct insn *i)
{
	struct x86_rm m = atomic_check(j, i, bytes_of(i), true);

	if (i->rd == SLOT_SINK)
		store_logical(j, i, m);
	else
		cmpxchg_loop(j, i, combine_logical, m);
	return true;
}

static void combine_minmax(struct jit *j, const struct insn *i)
{
	static const uint8_t keeps[] = { CC_G, CC_L, CC_A, CC_B };

	reg_get(j, true, RDX, i->rm);
	x86_op_sized(&j->a, bytes_of(i), 0x38, RDX, x86_r(RAX)); /* cmp rax, rdx */
	x86_cmov(&j->a, true, keeps[opc_of(i) - OPC_SMAX], RDX, x86_r(RAX));
}

bool emit_ld_minmax(struct jit *j, const struct insn *i)
{
	cmpxchg_loop(j, i, combine_minmax, atomic_check(j, i, bytes_of(i), true));
	return true;
}

/* Rs is compared and takes the old value: as a source, ZR is slot ZERO. */
static unsigned written_rs(unsigned slot) { return slot == SLOT_ZERO ? SLOT_SINK : slot; }

bool emit_cas(struct jit *j, const struct insn *i)
{
	unsigned bytes = bytes_of(i);
	struct x86_rm m = atomic_check(j, i, bytes, true);

	reg_get(j, true, RAX, i->rm);
	x86_lock_cmpxchg(&j->a, bytes, m, reg_use(j, i->rd, RDX));
	result(j, bytes, written_rs(i->rm), RAX);
	return true;
}

bool emit_casp(struct jit *j, const struct insn *i)
{
	struct x86_rm m = atomic_check(j, i, is_pair_of_x(i) ? 16 : 8, true);

	if (!is_pair_of_x(i)) {
		join(j, RAX, i->rm, i->a);
		join(j, RDX, i->rd, i->b);
		x86_lock_cmpxchg(&j->a, 8, m, RDX);
		split(j, i->rm, written_rs(i->a));
		return true;
	}
	reg_get(j, true, RAX, i->rm);
	reg_get(j, true, RDX, i->a);
	cmpxchg16b(j, i->rd, i->b);
	reg_done(j, i->rm, RAX);
	reg_done(j, written_rs(i->a), RDX);
	return true;
}
