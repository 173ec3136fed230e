/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stage 1 translation and everything a load, a store or a fetch needs that the
 * inline code in cpu.h cannot do.
 *
 *   inline: first-level TLB (struct mmu_ctx) -> mmu_*_slow -> second-level TLB -> table walk
 *
 * The first level holds only what needs no rule at all: RAM, permitted, any
 * alignment. So faults, devices, MMU off, SCTLR_EL1.A and page crossings all end
 * here. The second level holds translations at their native size with their
 * attributes, tagged by ASID. No fault is ever cached: the architecture lets
 * software turn an invalid descriptor into a valid one without TLBI.
 * (Arm ARM, D8 "The AArch64 Virtual Memory System Architecture")
 */
#include <stdlib.h>
#include <string.h>
#include <vmm/bus.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/mem.h>

#include "mmu.h"
#include "shadow.h"

#define FAULT(kind, level) ((kind) + (level) + FAULTED)
#define FAULTED            0x80 /* so that address size fault at level 0 is not "no fault" */

#define PAGE_MASK UINT64_C(4095)

/* ---- Exceptions ---- */

enum exec mmu_data_abort(struct cpu *c, uint64_t va, unsigned dfsc, bool write, bool cm)
{
	uint32_t iss = (dfsc & 0x3f) | (uint32_t)write << 6 | (uint32_t)cm << 8;

	if (c->shadow)
		return shadow_refuse(c->shadow);
	return exc_sync_far(c, c->el ? EC_DATA_SAME : EC_DATA_LOWER, iss, va);
}

static bool abort_at(struct cpu *c, uint64_t va, unsigned dfsc, bool write)
{
	mmu_data_abort(c, va, dfsc, write, false);
	return false;
}

static const struct mem_region *region_at(struct cpu *c, uint64_t pa)
{
	return mem_region_at(c->soc->env.mem, gpa(pa));
}

/* ---- Table walk ---- */

struct walk {
	uint64_t va, ttbr, sctlr;
	unsigned page_shift, stride, input_bits, output_bits;
	bool high, hpd;
};

unsigned mmu_pa_bits(unsigned range)
{
	static const uint8_t by_range[8] = { 32, 36, 40, 42, 44, 48, 48, 48 };

	return by_range[range & 7];
}

/* TCR_EL1.TGn; the two fields are encoded differently. Reserved values behave as 4 KiB. */
static unsigned granule_shift(uint64_t tcr, bool high)
{
	static const uint8_t tg0[4] = { 12, 16, 14, 12 }, tg1[4] = { 12, 14, 12, 16 };

	return high ? tg1[bits(tcr, 31, 30)] : tg0[bits(tcr, 15, 14)];
}

/* False: no table covers the address. */
static bool walk_setup(const struct cpu *c, uint64_t va, unsigned el, struct walk *w)
{
	uint64_t tcr = c->sys[SYS_TCR_EL1], top;
	unsigned ips = mmu_pa_bits((unsigned)bits(tcr, 34, 32));
	unsigned range = mmu_pa_bits((unsigned)bits(c->soc->sys[SYS_ID_AA64MMFR0_EL1], 3, 0));

	w->high = bit(va, 55);
	w->va = va;
	w->sctlr = c->sys[SYS_SCTLR_EL1];
	w->ttbr = c->sys[w->high ? SYS_TTBR1_EL1 : SYS_TTBR0_EL1];
	w->hpd = tcr & (w->high ? TCR_HPD1 : TCR_HPD0);
	w->page_shift = granule_shift(tcr, w->high);
	w->stride = w->page_shift - 3;
	w->input_bits = cpu_va_bits(c, w->high);
	w->output_bits = ips < range ? ips : range;
	top = (uint64_t)((int64_t)va >> w->input_bits);
	if (top != (w->high ? UINT64_MAX : 0))
		return false;
	if (tcr & (w->high ? TCR_EPD1 : TCR_EPD0))
		return false;
	return el || !(tcr & (w->high ? TCR_E0PD1 : TCR_E0PD0));
}

static unsigned leaf_perm(uint64_t ap, bool uxn, bool pxn, bool wxn)
{
	bool user = ap & 1, ro = ap & 2;
	bool w0 = user && !ro, w1 = !ro;
	bool x0 = !uxn && !(wxn && w0), x1 = !pxn && !w0 && !(wxn && w1);

	return (user ? PERM_R0 : 0) | (w0 ? PERM_W0 : 0) | (x0 ? PERM_X0 : 0) | PERM_R1 | (w1 ? PERM_W1 : 0) |
	       (x1 ? PERM_X1 : 0);
}

/* A descriptor is written by other vCPUs and read here: one aligned 8-byte load. */
__attribute__((no_sanitize("thread"))) static bool read_descriptor(struct cpu *c, uint64_t pa, uint64_t *d)
{
	const volatile uint64_t *p = mem_ptr(c->soc->env.mem, gpa(pa), 8);

	if (!p)
		return false;
	*d = *p;
	return true;
}

static void leaf(struct cpu *c, const struct walk *w, uint64_t d, uint64_t tables, unsigned level, unsigned shift,
		 struct xlat *x)
{
	uint64_t ap = bits(d, 7, 6), attr_index = bits(d, 4, 2);
	unsigned mair = (unsigned)(c->sys[SYS_MAIR_EL1] >> (attr_index * 8) & 0xff);

	if (bit(tables, 61))
		ap &= ~UINT64_C(1);
	if (bit(tables, 62))
		ap |= 2;
	*x = (struct xlat){
		.va = w->va & ~((UINT64_C(1) << shift) - 1),
		.pa = bits(d, 47, shift) << shift,
		.asid = cpu_mmu(c)->asid,
		.shift = (uint8_t)shift,
		.level = (uint8_t)level,
		.perm = (uint8_t)leaf_perm(ap, bit(d, 54) || bit(tables, 60), bit(d, 53) || bit(tables, 59),
					   w->sctlr & SCTLR_WXN),
		.attr = (uint8_t)((ap & 1 ? ATTR_USER : 0) | ((mair & 0xf0) == 0 ? ATTR_DEVICE : 0) |
				  (bit(d, 50) ? ATTR_GUARDED : 0) | (bit(d, 11) ? 0 : ATTR_GLOBAL)),
		.mair = (uint8_t)mair,
		.sh = (uint8_t)bits(d, 9, 8),
	};
}

static bool block_allowed(unsigned page_shift, unsigned level)
{
	return level == 3 || level == 2 || (level == 1 && page_shift == 12);
}

/* Arm ARM, AArch64.S1Walk. 0 or the fault; *x at its native size. */
static unsigned walk(struct cpu *c, const struct walk *w, struct xlat *x)
{
	unsigned level = 3 - (w->input_bits - w->page_shift - 1) / w->stride;
	unsigned index_bits = (w->input_bits - w->page_shift - 1) % w->stride + 1;
	uint64_t base = bits(w->ttbr, 47, 1) << 1, tables = 0, d;

	base &= ~((UINT64_C(8) << index_bits) - 1);
	if (base >> w->output_bits)
		return FAULT(DFSC_ADDRESS_SIZE, 0);
	for (;; level++) {
		unsigned shift = w->page_shift + (3 - level) * w->stride;
		uint64_t index = w->va >> shift & ((UINT64_C(1) << index_bits) - 1);

		if (!read_descriptor(c, base | index << 3, &d))
			return FAULT(DFSC_EXTERNAL_WALK, level);
		if (!(d & 1) || (level == 3 && !(d & 2)))
			return FAULT(DFSC_TRANSLATION, level);
		if (level < 3 && (d & 2)) {
			base = bits(d, 47, w->page_shift) << w->page_shift;
			if (base >> w->output_bits)
				return FAULT(DFSC_ADDRESS_SIZE, level);
			if (!w->hpd)
				tables |= d;
			index_bits = w->stride;
			continue;
		}
		if (!block_allowed(w->page_shift, level))
			return FAULT(DFSC_TRANSLATION, level);
		if ((bits(d, 47, shift) << shift) >> w->output_bits)
			return FAULT(DFSC_ADDRESS_SIZE, level);
		if (!bit(d, 10))
			return FAULT(DFSC_ACCESS_FLAG, level);
		leaf(c, w, d, tables, level, shift, x);
		return 0;
	}
}

/* ---- Second-level TLB ---- */

static struct xlat *tlb2_set(struct mmu *m, uint64_t va, unsigned shift)
{
	uint64_t n = va >> shift;

	return m->tlb[(n ^ n >> 10) & (TLB2_SETS - 1)];
}

static bool tlb2_match(const struct xlat *e, uint64_t va, unsigned shift, uint16_t asid, bool all_asids)
{
	return e->shift == shift && (e->va ^ va) >> shift == 0 &&
	       (all_asids || e->asid == asid || (e->attr & ATTR_GLOBAL));
}

static bool tlb2_find(struct mmu *m, uint64_t va, struct xlat *x)
{
	for (uint64_t s = m->shifts; s; s &= s - 1) {
		unsigned shift = (unsigned)__builtin_ctzll(s);
		const struct xlat *e = tlb2_set(m, va, shift);

		for (unsigned k = 0; k < TLB2_WAYS; k++)
			if (tlb2_match(&e[k], va, shift, m->asid, false)) {
				*x = e[k];
				return true;
			}
	}
	return false;
}

static void tlb2_add(struct mmu *m, const struct xlat *x)
{
	tlb2_set(m, x->va, x->shift)[m->next_way++ % TLB2_WAYS] = *x;
	m->shifts |= UINT64_C(1) << x->shift;
	m->filled = true;
}

/* ---- Translation with permissions ---- */

/* MMU off: flat, data is Device-nGnRnE, fetches are allowed everywhere. */
static unsigned translate_flat(const struct cpu *c, uint64_t va, struct xlat *x)
{
	if (va >> mmu_pa_bits((unsigned)bits(c->soc->sys[SYS_ID_AA64MMFR0_EL1], 3, 0)))
		return FAULT(DFSC_ADDRESS_SIZE, 0);
	*x = (struct xlat){ .va = va & ~PAGE_MASK,
			    .pa = va & ~PAGE_MASK,
			    .shift = 12,
			    .perm = 0x3f,
			    .attr = ATTR_DEVICE | ATTR_GLOBAL | ATTR_FLAT,
			    .sh = 2 };
	return 0;
}

static bool permitted(const struct xlat *x, unsigned el, bool pan, enum access a)
{
	static const uint8_t need[2][4] = { { PERM_R0, PERM_W0, PERM_X0, 0 }, { PERM_R1, PERM_W1, PERM_X1, 0 } };

	if (a == ACCESS_ANY)
		return true;
	if (el && pan && a != ACCESS_FETCH && (x->attr & ATTR_USER))
		return false;
	return x->perm & need[el][a];
}

unsigned mmu_translate(struct cpu *c, uint64_t va, unsigned el, bool pan, enum access a, struct xlat *x)
{
	struct mmu *m = cpu_mmu(c);
	struct walk w;
	unsigned fault;

	va = mmu_untag(c, va);
	if (!(c->sys[SYS_SCTLR_EL1] & SCTLR_M))
		return translate_flat(c, va, x);
	if (!walk_setup(c, va, el, &w))
		return FAULT(DFSC_TRANSLATION, 0);
	if (!tlb2_find(m, va, x)) {
		fault = walk(c, &w, x);
		if (fault)
			return fault;
		tlb2_add(m, x);
	}
	return permitted(x, el, pan, a) ? 0 : FAULT(DFSC_PERMISSION, x->level);
}

/* ---- First-level TLB ---- */

static void slot_clear(struct mmu_ctx *m, unsigned k) { m->r[k].tag = m->w[k].tag = TLB_EMPTY_TAG(k); }

static void jc_flush(struct mmu_ctx *m)
{
	if (m->jc_log_n <= ARRAY_SIZE(m->jc_log))
		for (unsigned k = 0; k < m->jc_log_n; k++)
			jc_clear(m, m->jc_log[k]);
	else
		for (unsigned k = 0; k < JC_ENTRIES; k++)
			jc_clear(m, k);
	m->jc_log_n = 0;
	m->ng_code = false;
	memset(m->code, 0, sizeof(m->code));
}

void mmu_ctx_flush(struct mmu_ctx *m)
{
	if (m->log_n <= ARRAY_SIZE(m->log))
		for (unsigned k = 0; k < m->log_n; k++)
			slot_clear(m, m->log[k]);
	else
		for (unsigned k = 0; k < TLB_ENTRIES; k++)
			slot_clear(m, k);
	m->log_n = m->user_n = 0;
	m->has_global = m->has_guarded = false;
	m->huge_lo = UINT64_MAX;
	m->huge_hi = 0;
	memset(m->big, 0, sizeof(m->big));
	jc_flush(m);
}

void mmu_ctx_init(struct mmu_ctx *m)
{
	m->log_n = m->jc_log_n = UINT16_MAX;
	mmu_ctx_flush(m);
	m->in_use = true;
}

static void log_add(uint16_t *log, uint16_t *n, unsigned max, unsigned k)
{
	if (*n < max)
		log[*n] = (uint16_t)k;
	if (*n <= max)
		++*n;
}

void mmu_jc_add(struct mmu_ctx *m, uint64_t va, void *block)
{
	unsigned k = va >> 2 & (JC_ENTRIES - 1);

	m->jc[k] = (struct jc_entry){ va, block };
	m->code[va >> 18 & 63] |= UINT64_C(1) << (va >> 12 & 63);
	log_add(m->jc_log, &m->jc_log_n, ARRAY_SIZE(m->jc_log), k);
}

/* A page that is part of something larger than 4 KiB: TLBI of any address in it must find this fragment. */
static void note_large(struct mmu_ctx *m, const struct xlat *x, uint64_t va)
{
	if (x->shift <= 21) {
		m->big[va >> 27 & 7] |= UINT64_C(1) << (va >> 21 & 63);
		return;
	}
	if (x->va < m->huge_lo)
		m->huge_lo = x->va;
	if (x->va + (UINT64_C(1) << x->shift) - 1 > m->huge_hi)
		m->huge_hi = x->va + (UINT64_C(1) << x->shift) - 1;
}

static bool in_large(const struct mmu_ctx *m, uint64_t va)
{
	return (m->big[va >> 27 & 7] >> (va >> 21 & 63) & 1) || (va >= m->huge_lo && va <= m->huge_hi);
}

/*
 * Fill policy: all the rules the inline code does not know. @va keeps its tag, so
 * that the compare stays one xor; the tag does not reach the index.
 */
static void fill(struct cpu *c, struct mmu_ctx *m, bool el1, uint64_t va, const struct xlat *x,
		 const struct mem_region *r)
{
	unsigned k = va >> 12 & (TLB_ENTRIES - 1);
	uint64_t pa = xlat_pa(x, va) & ~PAGE_MASK, tag = va & ~PAGE_MASK;
	uint64_t addend = (uint64_t)(uintptr_t)(r->host + (pa - r->base.v)) - tag;

	if (c->watch_count && debug_page_watched(c, va))
		return;

	if ((x->attr & (ATTR_DEVICE | ATTR_FLAT)) || (c->sys[SYS_SCTLR_EL1] & SCTLR_A))
		return;
	if (el1 && c->pan && (x->attr & ATTR_USER))
		return;
	if (x->perm & (el1 ? PERM_R1 : PERM_R0))
		m->r[k] = (struct tlb_entry){ tag, addend };
	if ((x->perm & (el1 ? PERM_W1 : PERM_W0)) && !r->readonly && !smc_withheld(c->soc, pa))
		m->w[k] = (struct tlb_entry){ tag, addend };
	log_add(m->log, &m->log_n, ARRAY_SIZE(m->log), k);
	if (el1 && ((x->attr & ATTR_USER) || !(x->attr & ATTR_GLOBAL)))
		log_add(m->user, &m->user_n, ARRAY_SIZE(m->user), k);
	if (x->attr & ATTR_GLOBAL)
		m->has_global = true;
	if (x->shift > 12)
		note_large(m, x, mmu_untag(c, va));
}

/* ---- Contexts ---- */

/* PAN was set or the ASID changed: EL1 forgets pages of EL0 and of address spaces. */
void mmu_purge_user(struct cpu *c)
{
	struct mmu_ctx *m = &c->ctxs[0];

	if (m->user_n > ARRAY_SIZE(m->user)) {
		mmu_ctx_flush(m);
		return;
	}
	for (unsigned k = 0; k < m->user_n; k++)
		slot_clear(m, m->user[k]);
	m->user_n = 0;
}

void mmu_el_changed(struct cpu *c) { c->ctx = c->el ? &c->ctxs[0] : c->ctx_el0; }

void mmu_flush_jump_caches(struct cpu *c)
{
	for (unsigned k = 0; k <= EL0_CTX_COUNT; k++)
		if (c->ctxs[k].in_use)
			jc_flush(&c->ctxs[k]);
}

static void jc_forget(struct mmu_ctx *m, uintptr_t from, size_t bytes)
{
	bool logged = m->jc_log_n <= ARRAY_SIZE(m->jc_log);
	unsigned n = logged ? m->jc_log_n : JC_ENTRIES;

	for (unsigned k = 0; k < n; k++) {
		unsigned at = logged ? m->jc_log[k] : k;

		if ((uintptr_t)m->jc[at].block - from < bytes)
			jc_clear(m, at);
	}
}

void mmu_jc_forget(struct cpu *c, const void *from, size_t bytes)
{
	for (unsigned k = 0; k <= EL0_CTX_COUNT; k++)
		if (c->ctxs[k].in_use)
			jc_forget(&c->ctxs[k], (uintptr_t)from, bytes);
}

uint16_t mmu_asid_mask(const struct cpu *c) { return c->sys[SYS_TCR_EL1] & TCR_AS ? 0xffff : 0xff; }

static uint16_t current_asid(const struct cpu *c)
{
	uint64_t ttbr = c->sys[c->sys[SYS_TCR_EL1] & TCR_A1 ? SYS_TTBR1_EL1 : SYS_TTBR0_EL1];

	return (uint16_t)(ttbr >> 48) & mmu_asid_mask(c);
}

static struct mmu_ctx *choose_el0(struct cpu *c, uint16_t asid)
{
	struct mmu_ctx *best = NULL;

	for (unsigned k = 1; k <= EL0_CTX_COUNT; k++) {
		struct mmu_ctx *m = &c->ctxs[k];

		if (m->in_use && m->asid == asid) {
			best = m;
			break;
		}
		if (!best || !m->in_use || (best->in_use && m->used < best->used))
			best = best && !best->in_use ? best : m;
	}
	if (!best->in_use)
		mmu_ctx_init(best);
	else if (best->asid != asid)
		mmu_ctx_flush(best);
	best->asid = asid;
	best->used = ++cpu_mmu(c)->clock;
	return best;
}

static void asid_changed(struct cpu *c, uint16_t asid)
{
	cpu_mmu(c)->asid = asid;
	mmu_purge_user(c);
	if (c->ctxs[0].ng_code)
		jc_flush(&c->ctxs[0]);
	c->ctx_el0 = choose_el0(c, asid);
	mmu_el_changed(c);
}

void mmu_regime_changed(struct cpu *c)
{
	struct mmu *m = cpu_mmu(c);
	uint64_t sctlr = c->sys[SYS_SCTLR_EL1] & (SCTLR_M | SCTLR_A | SCTLR_WXN);
	uint16_t asid = current_asid(c);

	if (sctlr != m->sctlr || c->sys[SYS_TCR_EL1] != m->tcr || c->sys[SYS_MAIR_EL1] != m->mair) {
		m->sctlr = sctlr;
		m->tcr = c->sys[SYS_TCR_EL1];
		m->mair = c->sys[SYS_MAIR_EL1];
		mmu_inv_all(c);
	}
	if (asid != m->asid)
		asid_changed(c, asid);
}

/* ---- Invalidation ---- */

void mmu_flush_contexts(struct cpu *c)
{
	for (unsigned k = 0; k <= EL0_CTX_COUNT; k++)
		if (c->ctxs[k].in_use)
			mmu_ctx_flush(&c->ctxs[k]);
}

void mmu_inv_all(struct cpu *c)
{
	struct mmu *m = cpu_mmu(c);

	mmu_flush_contexts(c);
	if (m->filled)
		memset(m->tlb, 0, sizeof(m->tlb));
	m->filled = false;
	m->shifts = 0;
}

void mmu_inv_asid(struct cpu *c, uint16_t asid)
{
	struct mmu *m = cpu_mmu(c);

	for (unsigned k = 1; k <= EL0_CTX_COUNT; k++)
		if (c->ctxs[k].in_use && c->ctxs[k].asid == asid)
			mmu_ctx_flush(&c->ctxs[k]);
	if (asid == m->asid) {
		mmu_purge_user(c);
		if (c->ctxs[0].ng_code)
			jc_flush(&c->ctxs[0]);
	}
	for (unsigned set = 0; set < TLB2_SETS; set++)
		for (struct xlat *e = m->tlb[set]; e < m->tlb[set] + TLB2_WAYS; e++)
			if (e->shift && e->asid == asid && !(e->attr & ATTR_GLOBAL))
				e->shift = 0;
}

static void jc_purge_page(struct mmu_ctx *m, uint64_t va)
{
	uint64_t *code = &m->code[va >> 18 & 63];
	unsigned first = va >> 2 & (JC_ENTRIES - 1) & ~1023u;

	if (!(*code >> (va >> 12 & 63) & 1))
		return;
	for (unsigned k = 0; k < 1024; k++) /* what a page's instructions lead to */
		if (m->jc[first + k].va >> 12 == va >> 12)
			jc_clear(m, first + k);
}

static void inv_page(struct cpu *c, uint64_t va, uint16_t asid, bool all_asids)
{
	struct mmu *mmu = cpu_mmu(c);

	for (unsigned k = 0; k <= EL0_CTX_COUNT; k++) {
		struct mmu_ctx *m = &c->ctxs[k];

		if (!m->in_use || (k && !all_asids && m->asid != asid && !m->has_global))
			continue;
		if (in_large(m, va)) {
			mmu_ctx_flush(m);
			continue;
		}
		slot_clear(m, va >> 12 & (TLB_ENTRIES - 1));
		jc_purge_page(m, va);
	}
	for (uint64_t s = mmu->shifts; s; s &= s - 1) {
		unsigned shift = (unsigned)__builtin_ctzll(s);
		struct xlat *e = tlb2_set(mmu, va, shift);

		for (unsigned k = 0; k < TLB2_WAYS; k++)
			if (tlb2_match(&e[k], va, shift, asid, all_asids))
				e[k].shift = 0;
	}
}

void mmu_inv_range(struct cpu *c, uint64_t va, uint64_t bytes, uint16_t asid, bool all_asids)
{
	if (bytes > 256 * 4096) {
		mmu_inv_all(c);
		return;
	}
	for (uint64_t off = 0; off < bytes; off += 4096)
		inv_page(c, va + off, asid, all_asids);
}

/* ---- Copies between guest memory and a buffer ---- */

typedef uint16_t __attribute__((aligned(1), may_alias)) u16_any;
typedef uint32_t __attribute__((aligned(1), may_alias)) u32_any;
typedef uint64_t __attribute__((aligned(1), may_alias)) u64_any;

/*
 * In elements, because an aligned element is single-copy atomic to whoever else
 * looks; 16-byte elements are two of 8 (no FEAT_LSE2).
 */
#define DEFINE_COPY(bits, type)                                                     \
	__attribute__((no_sanitize("thread", "alignment"))) static void copy##bits( \
		volatile void *dst, const volatile void *src, unsigned bytes)       \
	{                                                                           \
		volatile type *d = dst;                                             \
		const volatile type *s = src;                                       \
		for (unsigned k = 0; k < bytes / sizeof(type); k++)                 \
			d[k] = s[k];                                                \
	}
DEFINE_COPY(8, uint8_t)
DEFINE_COPY(16, u16_any)
DEFINE_COPY(32, u32_any)
DEFINE_COPY(64, u64_any)
#undef DEFINE_COPY

static void copy_units(volatile void *dst, const volatile void *src, unsigned bytes, unsigned unit)
{
	switch (unit) {
	case 2: copy16(dst, src, bytes); break;
	case 4: copy32(dst, src, bytes); break;
	case 8:
	case 16: copy64(dst, src, bytes); break;
	default: copy8(dst, src, bytes); break;
	}
}

/* ---- Devices ---- */

static bool bus_error(struct cpu *c, uint64_t va, uint64_t pa, unsigned size, bool write)
{
	if (cpu_mmu(c)->bus_errors++ == 0)
		log_guest("vcpu %u: %s of %u bytes at physical 0x%llx, where nothing answers (pc 0x%llx); said once",
			  c->id, write ? "write" : "read", size, (unsigned long long)pa, (unsigned long long)c->pc);
	return abort_at(c, va, DFSC_EXTERNAL, write);
}

static bool bus_units(struct cpu *c, uint64_t va, uint64_t pa, uint8_t *buf, unsigned bytes, unsigned unit,
		      bool write)
{
	enum bus_result r = BUS_OK;
	unsigned n = unit > 8 ? 8 : unit;

	for (unsigned k = 0; k < bytes; k += n) {
		uint64_t v = 0;

		if (write)
			memcpy(&v, buf + k, n);
		mmu_leave_guest(c);
		r = bus_access(c->soc->env.bus, gpa(pa + k), n, &v, write);
		mmu_enter_guest(c);
		if (r != BUS_OK)
			return bus_error(c, va + k, pa + k, n, write);
		if (!write)
			memcpy(buf + k, &v, n);
	}
	return true;
}

/* ---- The slow path of loads and stores ---- */

/* One part of an access: at most up to the end of its page. */
struct part {
	uint64_t va, pa;
	unsigned bytes;
	uint8_t *host; /* NULL: on the bus */
};

static bool as_el1(const struct cpu *c, unsigned flags) { return c->el && !(flags & ACC_UNPRIV); }

/* Memory of an instruction that is to have no effect: its copy, which the TLB of the second pass has. */
static void *shadow_host(struct cpu *c, uint64_t va, const struct xlat *x, const struct mem_region *r, unsigned flags,
			 bool write)
{
	bool el1 = as_el1(c, flags);
	uint64_t pa = xlat_pa(x, va);
	struct mem_region second;
	struct mmu_ctx *tlb;
	void *host;

	if (!r || (write && r->readonly)) {
		shadow_refuse(c->shadow);
		return NULL;
	}
	host = shadow_copy(c->shadow, r->host + (pa - r->base.v));
	tlb = host ? shadow_second(c->shadow, host, el1, &second.host) : NULL;
	if (tlb) {
		second.base = gpa(pa & ~PAGE_MASK);
		second.readonly = r->readonly;
		fill(c, tlb, el1, va, x, &second);
	}
	return host;
}

static bool part_open(struct cpu *c, uint64_t va, unsigned bytes, unsigned unit, unsigned flags, bool write,
		      struct part *p)
{
	unsigned el = flags & ACC_UNPRIV ? 0 : c->el;
	const struct mem_region *r;
	struct xlat x;
	unsigned fault = mmu_translate(c, va, el, c->pan, write ? ACCESS_WRITE : ACCESS_READ, &x);

	if (fault)
		return abort_at(c, va, fault, write);
	if ((x.attr & ATTR_DEVICE) && (va & (unit - 1)))
		return abort_at(c, va, DFSC_ALIGNMENT, write);
	*p = (struct part){ .va = va, .pa = xlat_pa(&x, va), .bytes = bytes };
	r = region_at(c, p->pa);
	if (c->shadow) {
		p->host = shadow_host(c, va, &x, r, flags, write);
		return p->host;
	}
	if (r && !(write && r->readonly))
		p->host = r->host + (p->pa - r->base.v);
	if (r)
		fill(c, acc_ctx(c, flags), as_el1(c, flags), va, &x, r);
	return true;
}

static bool part_copy(struct cpu *c, const struct part *p, uint8_t *buf, unsigned unit, bool write)
{
	if (!p->host)
		return bus_units(c, p->va, p->pa, buf, p->bytes, unit, write);
	if (write) {
		copy_units(p->host, buf, p->bytes, unit);
		smc_stored(c, p->pa);
	} else {
		copy_units(buf, p->host, p->bytes, unit);
	}
	return true;
}

static bool access_slow(struct cpu *c, uint64_t va, uint8_t *buf, unsigned bytes, unsigned unit, unsigned flags,
			bool write)
{
	unsigned first = 4096 - (unsigned)(va & PAGE_MASK);
	unsigned how = (write ? WATCH_WRITE : WATCH_READ) | (flags & ACC_UNPRIV ? WATCH_UNPRIV : 0);
	struct part p[2];

	if ((flags & ACC_ALIGNED) && (va & (bytes - 1)))
		return abort_at(c, va, DFSC_ALIGNMENT, write);
	if ((c->sys[SYS_SCTLR_EL1] & SCTLR_A) && (va & (unit - 1)))
		return abort_at(c, va, DFSC_ALIGNMENT, write);
	if (first >= bytes)
		return part_open(c, va, bytes, unit, flags, write, &p[0]) && !debug_watch(c, va, bytes, how) &&
		       part_copy(c, &p[0], buf, unit, write);
	/* Both pages are checked before a byte moves. Memory goes first: a device may take its time, and pointers
	 * age. */
	if (!part_open(c, va, first, unit, flags, write, &p[0]) ||
	    !part_open(c, va + first, bytes - first, va & (unit - 1) ? 1 : unit, flags, write, &p[1]) ||
	    debug_watch(c, va, bytes, how))
		return false;
	if (va & (unit - 1))
		unit = 1;
	if (!p[0].host && p[1].host)
		return part_copy(c, &p[1], buf + first, unit, write) && part_copy(c, &p[0], buf, unit, write);
	return part_copy(c, &p[0], buf, unit, write) && part_copy(c, &p[1], buf + first, unit, write);
}

bool mmu_read_slow(struct cpu *c, uint64_t va, void *buf, unsigned bytes, unsigned unit, unsigned flags)
{
	return access_slow(c, va, buf, bytes, unit, flags, false);
}

bool mmu_write_slow(struct cpu *c, uint64_t va, const void *buf, unsigned bytes, unsigned unit, unsigned flags)
{
	return access_slow(c, va, (uint8_t *)(uintptr_t)buf, bytes, unit, flags, true);
}

bool mem_ld_multi(struct cpu *c, uint64_t va, void *buf, unsigned bytes, unsigned unit, unsigned flags)
{
	const void *p = tlb_read_ptr(acc_ctx(c, flags), va, bytes);

	if (!p || (flags & ACC_ALIGNED))
		return mmu_read_slow(c, va, buf, bytes, unit, flags);
	copy_units(buf, p, bytes, unit);
	return true;
}

bool mem_st_multi(struct cpu *c, uint64_t va, const void *buf, unsigned bytes, unsigned unit, unsigned flags)
{
	void *p = tlb_write_ptr(acc_ctx(c, flags), va, bytes);

	if (!p || (flags & ACC_ALIGNED))
		return mmu_write_slow(c, va, buf, bytes, unit, flags);
	copy_units(p, buf, bytes, unit);
	return true;
}

/*
 * Arm ARM, ESR_EL1.WnR for atomics: 0 if a read of the location would fault too.
 */
void *mmu_atomic_ptr(struct cpu *c, uint64_t va, unsigned bytes, bool write, unsigned flags)
{
	unsigned el = flags & ACC_UNPRIV ? 0 : c->el;
	const struct mem_region *r;
	bool wnr = flags & ACC_WRITES;
	unsigned how = wnr ? WATCH_WRITE : write ? WATCH_READ | WATCH_WRITE : WATCH_READ;
	struct xlat x;
	unsigned fault;
	uint64_t pa;

	if (va & (bytes - 1)) {
		abort_at(c, va, DFSC_ALIGNMENT, wnr);
		return NULL;
	}
	fault = mmu_translate(c, va, el, c->pan, ACCESS_READ, &x);
	if (!fault && write) {
		wnr = true;
		fault = mmu_translate(c, va, el, c->pan, ACCESS_WRITE, &x);
	}
	if (fault) {
		abort_at(c, va, fault, wnr);
		return NULL;
	}
	pa = xlat_pa(&x, va);
	r = region_at(c, pa);
	if (c->shadow)
		return shadow_host(c, va, &x, r, flags, write);
	if (!r || (write && r->readonly)) {
		if (r || bus_find(c->soc->env.bus, gpa(pa)))
			abort_at(c, va, DFSC_ATOMIC, write);
		else
			bus_error(c, va, pa, bytes, write);
		return NULL;
	}
	if (debug_watch(c, va, bytes, how))
		return NULL;
	fill(c, acc_ctx(c, flags), as_el1(c, flags), va, &x, r);
	if (write)
		smc_stored(c, pa);
	return r->host + (pa - r->base.v);
}

/* ---- Fetch ---- */

/* Code that was translated when no page was guarded does not look at BTYPE. */
static void note_guarded(struct cpu *c)
{
	c->ctx->has_guarded = true;
	if (c->guarded_seen)
		return;
	c->guarded_seen = true;
	mmu_flush_jump_caches(c);
}

const uint32_t *mmu_fetch(struct cpu *c, uint64_t va, uint64_t *pa, bool *guarded)
{
	const struct mem_region *r;
	struct xlat x;
	unsigned fault;

	if (va & 3) {
		exc_sync_far(c, EC_PC_ALIGNMENT, 0, va);
		return NULL;
	}
	/* A tag that is still there is one that TCR_EL1.TBID keeps from being ignored. */
	fault = mmu_untag(c, va) == va ? mmu_translate(c, va, c->el, false, ACCESS_FETCH, &x)
				       : FAULT(DFSC_TRANSLATION, 0);
	r = fault ? NULL : region_at(c, xlat_pa(&x, va));
	if (!r) {
		exc_sync_far(c, c->el ? EC_FETCH_SAME : EC_FETCH_LOWER, fault ? fault & 0x3f : DFSC_EXTERNAL, va);
		return NULL;
	}
	*pa = xlat_pa(&x, va);
	*guarded = x.attr & ATTR_GUARDED;
	if (*guarded)
		note_guarded(c);
	if (x.attr & ATTR_GLOBAL)
		c->ctx->has_global = true;
	else
		c->ctx->ng_code = true;
	if (x.shift > 12)
		note_large(c->ctx, &x, mmu_untag(c, va));
	return (const uint32_t *)(const void *)(r->host + (*pa - r->base.v));
}

bool mmu_pc_guarded(struct cpu *c)
{
	struct xlat x;

	return c->ctx->has_guarded && !mmu_translate(c, c->pc, c->el, false, ACCESS_FETCH, &x) &&
	       (x.attr & ATTR_GUARDED);
}

/* ---- Life ---- */

int mmu_init(struct cpu *c)
{
	c->ctxs = calloc(EL0_CTX_COUNT + 1, sizeof(*c->ctxs));
	c->tlb2 = calloc(1, sizeof(struct mmu));
	if (!c->ctxs || !c->tlb2 || mmu_ring_init(c)) {
		mmu_destroy(c);
		return -ENOMEM;
	}
	mmu_ctx_init(&c->ctxs[0]);
	c->ctx_el0 = choose_el0(c, 0);
	c->ctx = &c->ctxs[0];
	return 0;
}

void mmu_destroy(struct cpu *c)
{
	mmu_ring_destroy(c);
	free(c->ctxs);
	free(c->tlb2);
	c->ctxs = NULL;
	c->tlb2 = NULL;
}
