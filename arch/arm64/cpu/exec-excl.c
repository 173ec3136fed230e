/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exclusives, load-acquire and store-release, LSE atomics.
 *
 * The monitor remembers what a load-exclusive read and where; a store-exclusive
 * to the same place and of the same size succeeds if a compare-and-exchange with
 * the remembered value does. Stores of other cpus therefore need not look for
 * our monitor; the price is that a value changed and changed back goes unnoticed
 * (guests that care have the LSE atomics). The place is the host address, so
 * that two mappings of one page are one place. CLREX, exception entry and ERET
 * make excl.size 0.
 *
 * A store-exclusive translates and checks permission even when the monitor has
 * already lost: faults do not depend on what other cpus do.
 *
 * Ordering: the mapping of C11's sequentially consistent atomics is RCsc on every
 * host, so LDAR, STLR and all read-modify-writes are that (x86: mov, xchg, lock);
 * the variants without A or L get more than they ask for. LDAPR is an acquire.
 */
#include "atomic128.h"
#include "ldst.h"

typedef uint16_t __attribute__((may_alias)) atom_u16;
typedef uint32_t __attribute__((may_alias)) atom_u32;
typedef uint64_t __attribute__((may_alias)) atom_u64;
typedef uint8_t atom_u8;

/* Most atomics hit RAM that has been written before; what may be written may be read. */
LDST_INLINE void *write_ptr(struct cpu *c, uint64_t va, unsigned bytes, unsigned flags)
{
	void *p = va & (bytes - 1) ? NULL : tlb_write_ptr(c->ctx, va, bytes);

	return __builtin_expect(p != NULL, 1) ? p : mmu_atomic_ptr(c, va, bytes, true, flags);
}

LDST_INLINE void *rmw_ptr(struct cpu *c, uint64_t va, unsigned bytes) { return write_ptr(c, va, bytes, 0); }

/* ---- Load-acquire, store-release ---- */

/* Not in the TLB: the slow path's copy has no order of its own. It also refuses what is misaligned. */
LDST_SLOW enum exec load_ordered_slow(struct cpu *c, const struct insn *i, uint64_t va, unsigned how)
{
	unsigned bytes = how & HOW_BYTES;
	uint64_t v = 0;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!mmu_read_slow(c, va, &v, bytes, bytes, ACC_ALIGNED))
		return EXEC_JUMP;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	c->x[i->rd] = widened(v, how);
	return EXEC_NEXT;
}

LDST_SLOW enum exec store_release_slow(struct cpu *c, uint64_t va, uint64_t v, unsigned bytes)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!mmu_write_slow(c, va, &v, bytes, bytes, ACC_ALIGNED))
		return EXEC_JUMP;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return EXEC_NEXT;
}

/* The base register and an offset of 0 or (STLUR, LDAPUR) imm9. @sx: 0 or HOW_SX. */
#define LOAD_ORDERED(name, bits, order, sx)                                                            \
	enum exec name(struct cpu *c, const struct insn *i)                                            \
	{                                                                                              \
		uint64_t va = va_imm(c, i);                                                            \
		const void *p;                                                                         \
		if (!cpu_base_ok(c, i))                                                                \
			return EXEC_JUMP;                                                              \
		p = va & (bits / 8 - 1) ? NULL : tlb_read_ptr(c->ctx, va, bits / 8);                   \
		if (!p)                                                                                \
			return load_ordered_slow(c, i, va, bits / 8 | sx);                             \
		c->x[i->rd] = widened(__atomic_load_n((const atom_u##bits *)p, order), bits / 8 | sx); \
		return EXEC_NEXT;                                                                      \
	}

#define STORE_RELEASE(name, bits)                                                                 \
	enum exec name(struct cpu *c, const struct insn *i)                                       \
	{                                                                                         \
		uint64_t va = va_imm(c, i);                                                       \
		void *p;                                                                          \
		if (!cpu_base_ok(c, i))                                                           \
			return EXEC_JUMP;                                                         \
		p = va & (bits / 8 - 1) ? NULL : tlb_write_ptr(c->ctx, va, bits / 8);             \
		if (!p)                                                                           \
			return store_release_slow(c, va, c->x[i->rd], bits / 8);                  \
		__atomic_store_n((atom_u##bits *)p, (atom_u##bits)c->x[i->rd], __ATOMIC_SEQ_CST); \
		return EXEC_NEXT;                                                                 \
	}

LOAD_ORDERED(exec_ldarb, 8, __ATOMIC_SEQ_CST, 0)
LOAD_ORDERED(exec_ldarh, 16, __ATOMIC_SEQ_CST, 0)
LOAD_ORDERED(exec_ldar_w, 32, __ATOMIC_SEQ_CST, 0)
LOAD_ORDERED(exec_ldar_x, 64, __ATOMIC_SEQ_CST, 0)
LOAD_ORDERED(exec_ldaprb, 8, __ATOMIC_ACQUIRE, 0)
LOAD_ORDERED(exec_ldaprh, 16, __ATOMIC_ACQUIRE, 0)
LOAD_ORDERED(exec_ldapr_w, 32, __ATOMIC_ACQUIRE, 0)
LOAD_ORDERED(exec_ldapr_x, 64, __ATOMIC_ACQUIRE, 0)
LOAD_ORDERED(exec_ldapurb, 8, __ATOMIC_ACQUIRE, 0)
LOAD_ORDERED(exec_ldapursb_x, 8, __ATOMIC_ACQUIRE, HOW_SX64)
LOAD_ORDERED(exec_ldapursb_w, 8, __ATOMIC_ACQUIRE, HOW_SX32)
LOAD_ORDERED(exec_ldapurh, 16, __ATOMIC_ACQUIRE, 0)
LOAD_ORDERED(exec_ldapursh_x, 16, __ATOMIC_ACQUIRE, HOW_SX64)
LOAD_ORDERED(exec_ldapursh_w, 16, __ATOMIC_ACQUIRE, HOW_SX32)
LOAD_ORDERED(exec_ldapur_w, 32, __ATOMIC_ACQUIRE, 0)
LOAD_ORDERED(exec_ldapursw, 32, __ATOMIC_ACQUIRE, HOW_SX64)
LOAD_ORDERED(exec_ldapur_x, 64, __ATOMIC_ACQUIRE, 0)
STORE_RELEASE(exec_stlrb, 8)
STORE_RELEASE(exec_stlrh, 16)
STORE_RELEASE(exec_stlr_w, 32)
STORE_RELEASE(exec_stlr_x, 64)
STORE_RELEASE(exec_stlurb, 8)
STORE_RELEASE(exec_stlurh, 16)
STORE_RELEASE(exec_stlur_w, 32)
STORE_RELEASE(exec_stlur_x, 64)

/* ---- Exclusives ---- */

static void monitor_set(struct cpu *c, void *host, unsigned bytes, uint64_t v0, uint64_t v1)
{
	c->excl.size = (uint8_t)bytes;
	c->excl.host = host;
	c->excl.value[0] = v0;
	c->excl.value[1] = v1;
}

/* The store-exclusive is for the place and size of the last load-exclusive. One try, whatever comes of it. */
static bool monitor_take(struct cpu *c, const void *host, unsigned bytes)
{
	bool pass = c->excl.size == bytes && c->excl.host == host;

	c->excl.size = 0;
	return pass;
}

/* The host address of a load-exclusive, or NULL: exception taken. */
static void *excl_load_ptr(struct cpu *c, const struct insn *i, unsigned bytes)
{
	uint64_t va = c->x[i->rn];
	void *p;

	if (!cpu_base_ok(c, i))
		return NULL;
	p = va & (bytes - 1) ? NULL : tlb_read_ptr(c->ctx, va, bytes);
	return p ? p : mmu_atomic_ptr(c, va, bytes, false, 0);
}

static void *excl_store_ptr(struct cpu *c, const struct insn *i, unsigned bytes)
{
	return cpu_base_ok(c, i) ? write_ptr(c, c->x[i->rn], bytes, ACC_WRITES) : NULL;
}

#define EXCLUSIVE(load_name, store_name, bits)                                                              \
	enum exec load_name(struct cpu *c, const struct insn *i)                                            \
	{                                                                                                   \
		void *p = excl_load_ptr(c, i, bits / 8);                                                    \
		uint64_t v;                                                                                 \
		if (!p)                                                                                     \
			return EXEC_JUMP;                                                                   \
		v = __atomic_load_n((atom_u##bits *)p, __ATOMIC_SEQ_CST);                                   \
		monitor_set(c, p, bits / 8, v, 0);                                                          \
		c->x[i->rd] = v;                                                                            \
		return EXEC_NEXT;                                                                           \
	}                                                                                                   \
	enum exec store_name(struct cpu *c, const struct insn *i)                                           \
	{                                                                                                   \
		void *p = excl_store_ptr(c, i, bits / 8);                                                   \
		atom_u##bits old = (atom_u##bits)c->excl.value[0];                                          \
		bool ok;                                                                                    \
		if (!p)                                                                                     \
			return EXEC_JUMP;                                                                   \
		ok = monitor_take(c, p, bits / 8) &&                                                        \
		     __atomic_compare_exchange_n((atom_u##bits *)p, &old, (atom_u##bits)c->x[i->rd], false, \
						 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                       \
		c->x[i->rm] = !ok;                                                                          \
		return EXEC_NEXT;                                                                           \
	}

EXCLUSIVE(exec_ldxrb, exec_stxrb, 8)
EXCLUSIVE(exec_ldxrh, exec_stxrh, 16)
EXCLUSIVE(exec_ldxr_w, exec_stxr_w, 32)
EXCLUSIVE(exec_ldxr_x, exec_stxr_x, 64)

/* A pair of W registers is one 64-bit access. */
enum exec exec_ldxp_w(struct cpu *c, const struct insn *i)
{
	void *p = excl_load_ptr(c, i, 8);
	uint64_t v;

	if (!p)
		return EXEC_JUMP;
	v = __atomic_load_n((atom_u64 *)p, __ATOMIC_SEQ_CST);
	monitor_set(c, p, 8, v, 0);
	c->x[i->rd] = (uint32_t)v;
	c->x[i->ra] = v >> 32;
	return EXEC_NEXT;
}

enum exec exec_stxp_w(struct cpu *c, const struct insn *i)
{
	void *p = excl_store_ptr(c, i, 8);
	uint64_t old = c->excl.value[0], new = (uint32_t)c->x[i->rd] | c->x[i->ra] << 32;
	bool ok;

	if (!p)
		return EXEC_JUMP;
	ok = monitor_take(c, p, 8) &&
	     __atomic_compare_exchange_n((atom_u64 *)p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	c->x[i->rm] = !ok;
	return EXEC_NEXT;
}

enum exec exec_ldxp_x(struct cpu *c, const struct insn *i)
{
	void *p = excl_load_ptr(c, i, 16);
	uint64_t v[2];

	if (!p)
		return EXEC_JUMP;
	atomic128_load(p, v);
	monitor_set(c, p, 16, v[0], v[1]);
	c->x[i->rd] = v[0];
	c->x[i->ra] = v[1];
	return EXEC_NEXT;
}

enum exec exec_stxp_x(struct cpu *c, const struct insn *i)
{
	void *p = excl_store_ptr(c, i, 16);
	uint64_t old[2] = { c->excl.value[0], c->excl.value[1] };
	uint64_t new[2] = { c->x[i->rd], c->x[i->ra] };
	bool ok;

	if (!p)
		return EXEC_JUMP;
	ok = monitor_take(c, p, 16) && atomic128_cas(p, old, new);
	c->x[i->rm] = !ok;
	return EXEC_NEXT;
}

/* ---- LSE ---- */

#define RMW(name, bits, result, sink)                           \
	enum exec name(struct cpu *c, const struct insn *i)     \
	{                                                       \
		atom_u##bits *p, v = (atom_u##bits)c->x[i->rm]; \
		if (!cpu_base_ok(c, i))                         \
			return EXEC_JUMP;                       \
		p = rmw_ptr(c, c->x[i->rn], bits / 8);          \
		if (!p)                                         \
			return EXEC_JUMP;                       \
		sink;                                           \
		c->x[i->rd] = (result);                         \
		return EXEC_NEXT;                               \
	}
#define RMW_SIZES(b, h, w, x, result, sink) \
	RMW(b, 8, result, sink) RMW(h, 16, result, sink) RMW(w, 32, result, sink) RMW(x, 64, result, sink)

/* Hosts have fetch-and-or only as a loop, but or without a result as an instruction: STSET and its like. */
#define OR_SINK(fetch, v)                            \
	if (i->rd == SLOT_SINK) {                    \
		(void)fetch(p, v, __ATOMIC_SEQ_CST); \
		return EXEC_NEXT;                    \
	}

RMW_SIZES(exec_ldaddb, exec_ldaddh, exec_ldadd_w, exec_ldadd_x, __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST), (void)0)
RMW_SIZES(exec_ldclrb, exec_ldclrh, exec_ldclr_w, exec_ldclr_x,
	  __atomic_fetch_and(p, (__typeof__(v))~v, __ATOMIC_SEQ_CST), OR_SINK(__atomic_fetch_and, (__typeof__(v))~v))
RMW_SIZES(exec_ldeorb, exec_ldeorh, exec_ldeor_w, exec_ldeor_x, __atomic_fetch_xor(p, v, __ATOMIC_SEQ_CST),
	  OR_SINK(__atomic_fetch_xor, v))
RMW_SIZES(exec_ldsetb, exec_ldseth, exec_ldset_w, exec_ldset_x, __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST),
	  OR_SINK(__atomic_fetch_or, v))
RMW_SIZES(exec_swpb, exec_swph, exec_swp_w, exec_swp_x, __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST), (void)0)

/* Minimum and maximum: the smaller (larger) of memory and Rs is stored even when that is what was there. */
#define DEFINE_MINMAX(fn, bits, type, op)                                                           \
	static atom_u##bits fn(atom_u##bits *p, atom_u##bits v)                                     \
	{                                                                                           \
		atom_u##bits old = __atomic_load_n(p, __ATOMIC_RELAXED);                            \
		while (!__atomic_compare_exchange_n(p, &old, (type)old op(type) v ? old : v, false, \
						    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))            \
			;                                                                           \
		return old;                                                                         \
	}
#define MINMAX(name, bits, type, op)                \
	DEFINE_MINMAX(name##_value, bits, type, op) \
	RMW(name, bits, name##_value(p, v), (void)0)

MINMAX(exec_ldsmaxb, 8, int8_t, >)
MINMAX(exec_ldsmaxh, 16, int16_t, >)
MINMAX(exec_ldsmax_w, 32, int32_t, >)
MINMAX(exec_ldsmax_x, 64, int64_t, >)
MINMAX(exec_ldsminb, 8, int8_t, <)
MINMAX(exec_ldsminh, 16, int16_t, <)
MINMAX(exec_ldsmin_w, 32, int32_t, <)
MINMAX(exec_ldsmin_x, 64, int64_t, <)
MINMAX(exec_ldumaxb, 8, uint8_t, >)
MINMAX(exec_ldumaxh, 16, uint16_t, >)
MINMAX(exec_ldumax_w, 32, uint32_t, >)
MINMAX(exec_ldumax_x, 64, uint64_t, >)
MINMAX(exec_lduminb, 8, uint8_t, <)
MINMAX(exec_lduminh, 16, uint16_t, <)
MINMAX(exec_ldumin_w, 32, uint32_t, <)
MINMAX(exec_ldumin_x, 64, uint64_t, <)

/* Rs is compared and then takes the old value; as a source it decodes to slot ZERO, which must stay 0. */
static void set_rs(struct cpu *c, unsigned slot, uint64_t v) { c->x[slot == SLOT_ZERO ? SLOT_SINK : slot] = v; }

#define CAS(name, bits)                                                                                  \
	enum exec name(struct cpu *c, const struct insn *i)                                              \
	{                                                                                                \
		atom_u##bits *p, old = (atom_u##bits)c->x[i->rm];                                        \
		if (!cpu_base_ok(c, i))                                                                  \
			return EXEC_JUMP;                                                                \
		p = rmw_ptr(c, c->x[i->rn], bits / 8);                                                   \
		if (!p)                                                                                  \
			return EXEC_JUMP;                                                                \
		__atomic_compare_exchange_n(p, &old, (atom_u##bits)c->x[i->rd], false, __ATOMIC_SEQ_CST, \
					    __ATOMIC_SEQ_CST);                                           \
		set_rs(c, i->rm, old);                                                                   \
		return EXEC_NEXT;                                                                        \
	}
CAS(exec_casb, 8)
CAS(exec_cash, 16)
CAS(exec_cas_w, 32)
CAS(exec_cas_x, 64)

enum exec exec_casp_w(struct cpu *c, const struct insn *i)
{
	uint64_t old = (uint32_t)c->x[i->rm] | c->x[i->a] << 32;
	uint64_t new = (uint32_t)c->x[i->rd] | c->x[i->b] << 32;
	atom_u64 *p;

	if (!cpu_base_ok(c, i))
		return EXEC_JUMP;
	p = rmw_ptr(c, c->x[i->rn], 8);
	if (!p)
		return EXEC_JUMP;
	__atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	set_rs(c, i->rm, (uint32_t)old);
	set_rs(c, i->a, old >> 32);
	return EXEC_NEXT;
}

enum exec exec_casp_x(struct cpu *c, const struct insn *i)
{
	uint64_t old[2] = { c->x[i->rm], c->x[i->a] }, new[2] = { c->x[i->rd], c->x[i->b] };
	void *p;

	if (!cpu_base_ok(c, i))
		return EXEC_JUMP;
	p = rmw_ptr(c, c->x[i->rn], 16);
	if (!p)
		return EXEC_JUMP;
	atomic128_cas(p, old, new);
	set_rs(c, i->rm, old[0]);
	set_rs(c, i->a, old[1]);
	return EXEC_NEXT;
}
