/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Maintenance: TLBI, IC, DC, AT, and how they reach the other vCPUs.
 *
 * A broadcast is an entry in every other cpu's ring and a bit in its exit_req;
 * each cpu empties its own ring between two blocks. DSB waits until every cpu
 * that executes guest instructions has done so, emptying its own ring meanwhile,
 * so that two of them cannot wait for each other. A cpu that sleeps or is in the
 * VMM counts as done: it empties its ring before the next guest instruction.
 *
 * Running is announced before the ring is looked at, and posting comes before
 * asking who runs (both sequentially consistent), so one of the two sees the other.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "mmu.h"
#include "translator.h"

enum { RING_ENTRIES = 64 };

enum op { INV_ALL, INV_ASID, INV_RANGE, INV_CODE_PAGE, INV_CODE, INV_FIRST_LEVEL };

struct entry {
	enum op op;
	bool all_asids;
	uint16_t asid;
	uint64_t va, bytes; /* INV_CODE_PAGE: va is the physical address */
};

struct mmu_ring {
	pthread_mutex_t lock;
	struct entry e[RING_ENTRIES];
	unsigned count; /* RING_ENTRIES + 1: overflowed, drop everything */
	_Atomic uint64_t posted, drained;
	_Atomic bool running;
};

int mmu_ring_init(struct cpu *c)
{
	c->ring = calloc(1, sizeof(*c->ring));
	return c->ring ? -pthread_mutex_init(&c->ring->lock, NULL) : -1;
}

void mmu_ring_destroy(struct cpu *c)
{
	if (!c->ring)
		return;
	pthread_mutex_destroy(&c->ring->lock);
	free(c->ring);
	c->ring = NULL;
}

static void apply(struct cpu *c, const struct entry *e)
{
	switch (e->op) {
	case INV_ALL: mmu_inv_all(c); break;
	case INV_ASID: mmu_inv_asid(c, e->asid); break;
	case INV_RANGE: mmu_inv_range(c, e->va, e->bytes, e->asid, e->all_asids); break;
	case INV_CODE_PAGE: run_invalidate_page(c, e->va); break;
	case INV_CODE: run_invalidate_all(c); break;
	case INV_FIRST_LEVEL: mmu_flush_contexts(c); break;
	}
}

void mmu_drain_ring(struct cpu *c)
{
	struct mmu_ring *r = c->ring;
	struct entry e[RING_ENTRIES];
	unsigned n;
	uint64_t posted;

	atomic_fetch_and(&c->exit_req, ~(uint32_t)REQ_RING);
	pthread_mutex_lock(&r->lock);
	n = r->count;
	posted = atomic_load(&r->posted);
	if (n <= RING_ENTRIES)
		memcpy(e, r->e, n * sizeof(e[0]));
	r->count = 0;
	pthread_mutex_unlock(&r->lock);
	if (n > RING_ENTRIES) {
		mmu_inv_all(c);
		run_invalidate_all(c);
	} else {
		for (unsigned k = 0; k < n; k++)
			apply(c, &e[k]);
	}
	atomic_store(&r->drained, posted);
}

static void post(struct cpu *to, const struct entry *e)
{
	struct mmu_ring *r = to->ring;

	pthread_mutex_lock(&r->lock);
	if (r->count < RING_ENTRIES)
		r->e[r->count] = *e;
	if (r->count <= RING_ENTRIES)
		r->count++;
	atomic_fetch_add(&r->posted, 1);
	pthread_mutex_unlock(&r->lock);
	atomic_fetch_or(&to->exit_req, REQ_RING); /* a sleeper may sleep on */
}

/* Applies here and, if @all, posts to all other cpus. */
static void invalidate(struct cpu *c, const struct entry *e, bool all)
{
	apply(c, e);
	if (!all || c->soc->cfg.vcpu_count == 1)
		return;
	for (unsigned k = 0; k < c->soc->cfg.vcpu_count; k++)
		if (c->soc->cpus[k] != c)
			post(c->soc->cpus[k], e);
	c->dsb_pending = true;
}

/* What was posted is of no account after a reset, and neither is what this cpu posted. */
void mmu_ring_reset(struct cpu *c)
{
	mmu_drain_ring(c);
	c->dsb_pending = false;
}

static void wait_for(struct cpu *c, struct mmu_ring *r)
{
	uint64_t target = atomic_load(&r->posted);

	for (unsigned spins = 0; atomic_load(&r->running) && atomic_load(&r->drained) < target; spins++) {
		if (atomic_load_explicit(&c->exit_req, memory_order_relaxed) & REQ_RING)
			mmu_drain_ring(c);
		if (spins > 64)
			sched_yield();
	}
}

void mmu_dsb(struct cpu *c)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (!c->dsb_pending)
		return;
	c->dsb_pending = false;
	for (unsigned k = 0; k < c->soc->cfg.vcpu_count; k++)
		if (c->soc->cpus[k] != c)
			wait_for(c, c->soc->cpus[k]->ring);
}

void mmu_leave_guest(struct cpu *c)
{
	if (c->jit)
		translator()->fp_leave(c);
	atomic_store(&c->ring->running, false);
}

void mmu_enter_guest(struct cpu *c)
{
	if (c->jit)
		translator()->fp_enter(c);
	atomic_store(&c->ring->running, true);
	if (atomic_load(&c->exit_req) & REQ_RING)
		mmu_drain_ring(c);
}

void mmu_withhold_writes(struct cpu *c)
{
	invalidate(c, &(struct entry){ .op = INV_FIRST_LEVEL }, true);
	mmu_dsb(c);
}

void mmu_drop_code(struct cpu *c, uint64_t pa)
{
	invalidate(c, &(struct entry){ .op = INV_CODE_PAGE, .va = pa }, true);
	mmu_dsb(c);
}

/* ---- TLBI ---- */

/* Range forms: BaseADDR 36:0 in units of TG 47:46, (NUM 43:39 + 1) << (5 * SCALE 45:44 + 1) granules. */
static void decode_range(uint64_t xt, struct entry *e)
{
	static const uint8_t shifts[4] = { 12, 12, 14, 16 };
	unsigned shift = shifts[bits(xt, 47, 46)];

	e->va = (uint64_t)sext(bits(xt, 36, 0), 37) << shift;
	e->bytes = (bits(xt, 43, 39) + 1) << (5 * bits(xt, 45, 44) + 1) << shift;
}

/* CRm of each group: outer and inner shareable reach everybody. */
struct group {
	bool exists, range, all;
	uint8_t feat;
};
static const struct group groups[16] = {
	[1] = { true, false, true, FEAT_TLBIOS },    [2] = { true, true, true, FEAT_TLBIRANGE },
	[3] = { true, false, true, FEAT_NONE },      [5] = { true, true, true, FEAT_TLBIRANGE },
	[6] = { true, true, false, FEAT_TLBIRANGE }, [7] = { true, false, false, FEAT_NONE },
};

/*
 * op2: 0 VMALLE1, 1 VAE1, 2 ASIDE1, 3 VAAE1, 5 VALE1, 7 VAALE1. "Last level only"
 * makes no difference, since no table descriptors are cached.
 */
enum exec mmu_tlbi(struct cpu *c, const struct insn *i)
{
	unsigned op1 = (unsigned)bits(i->word, 18, 16), crn = (unsigned)bits(i->word, 15, 12);
	unsigned op2 = (unsigned)bits(i->word, 7, 5);
	const struct group *g = &groups[bits(i->word, 11, 8)];
	uint64_t xt = c->x[i->rd];
	struct entry e = { .op = INV_RANGE, .asid = (uint16_t)(xt >> 48) & mmu_asid_mask(c), .bytes = 4096 };

	if (c->el == 0 || op1 != 0 || crn != 8 || !g->exists || op2 == 4 || op2 == 6 || (g->range && !(op2 & 1)) ||
	    !soc_has(c->soc, g->feat))
		return exc_undefined(c);
	e.all_asids = (op2 & 3) == 3;
	if (op2 == 0)
		e.op = INV_ALL;
	else if (op2 == 2)
		e.op = INV_ASID;
	else if (g->range)
		decode_range(xt, &e);
	else
		e.va = (uint64_t)sext(xt << 12, 56);
	invalidate(c, &e, g->all);
	return EXEC_NEXT;
}

/* ---- DC, IC ---- */

#define BLOCK_BYTES UINT64_C(64) /* DCZID_EL0.BS = 4 */

static enum exec zva(struct cpu *c, uint64_t va)
{
	static const uint64_t zero[BLOCK_BYTES / 8];
	uint64_t block = va & ~(BLOCK_BYTES - 1);
	void *p = tlb_write_ptr(c->ctx, block, BLOCK_BYTES);
	struct xlat x;
	unsigned fault;

	if (p)
		return mem_st_multi(c, block, zero, BLOCK_BYTES, 8, 0) ? EXEC_NEXT : EXEC_JUMP;
	fault = mmu_translate(c, va, c->el, c->pan, ACCESS_WRITE, &x);
	if (!fault && (x.attr & ATTR_DEVICE))
		fault = DFSC_ALIGNMENT;
	if (fault)
		return mmu_data_abort(c, va, fault, true, false);
	if (mmu_write_slow(c, block, zero, BLOCK_BYTES, 8, 0))
		return EXEC_NEXT;
	/* Arm ARM, FAR_EL1: after a DC it is the address that was given, unless a watchpoint was hit. */
	if (c->sys[SYS_ESR_EL1] >> 26 <= EC_DATA_SAME)
		c->sys[SYS_FAR_EL1] = va;
	return EXEC_JUMP;
}

/*
 * By VA: faults are those of an access, CM=1 and WnR=1. EL1 needs a valid
 * translation but no permission, EL0 needs to be able to read, IVAC to write.
 * Memory is coherent, so there is nothing else to do.
 */
static bool by_va(struct cpu *c, uint64_t va, bool write, struct xlat *x)
{
	enum access a = write ? ACCESS_WRITE : c->el == 0 ? ACCESS_READ : ACCESS_ANY;
	unsigned fault = mmu_translate(c, va, c->el, c->pan, a, x);

	if (fault)
		mmu_data_abort(c, va, fault, true, true);
	return !fault;
}

/* op1 3: for EL0 too, if the control bit lets it. True: go on. */
static bool el0_may(struct cpu *c, uint32_t word, uint64_t control)
{
	if (c->el || (c->sys[SYS_SCTLR_EL1] & control))
		return true;
	sysreg_trap(c, word);
	return false;
}

#define KEY(op1, crm, op2) ((op1) << 7 | (crm) << 3 | (op2))
static unsigned sys_key(uint32_t word)
{
	return (unsigned)(bits(word, 18, 16) << 7 | bits(word, 11, 8) << 3 | bits(word, 7, 5));
}

enum exec mmu_dc(struct cpu *c, const struct insn *i)
{
	uint64_t va = c->x[i->rd];
	unsigned key = sys_key(i->word);
	struct xlat x;

	switch (key) {
	case KEY(3, 4, 1): /* ZVA */ return el0_may(c, i->word, SCTLR_DZE) ? zva(c, va) : EXEC_JUMP;
	case KEY(0, 6, 2): /* ISW, CSW, CISW */
	case KEY(0, 10, 2):
	case KEY(0, 14, 2): return c->el ? EXEC_NEXT : exc_undefined(c);
	case KEY(0, 6, 1): /* IVAC */
		if (c->el == 0)
			return exc_undefined(c);
		if (!by_va(c, va, true, &x) ||
		    debug_watch(c, va & ~(BLOCK_BYTES - 1), BLOCK_BYTES, WATCH_WRITE | WATCH_CM))
			return EXEC_JUMP;
		return EXEC_NEXT;
	case KEY(3, 12, 1): /* CVAP */
	case KEY(3, 13, 1): /* CVADP */
		if (!soc_has(c->soc, key == KEY(3, 12, 1) ? FEAT_DPB : FEAT_DPB2))
			return exc_undefined(c);
		/* fall through */
	case KEY(3, 10, 1): /* CVAC, CVAU, CIVAC */
	case KEY(3, 11, 1):
	case KEY(3, 14, 1): return el0_may(c, i->word, SCTLR_UCI) && by_va(c, va, false, &x) ? EXEC_NEXT : EXEC_JUMP;
	default: return exc_undefined(c);
	}
}

/* The page, because CTR_EL0.IminLine says 4 KiB; every alias, because blocks are known by physical address. */
enum exec mmu_ic(struct cpu *c, const struct insn *i)
{
	unsigned key = sys_key(i->word);
	uint64_t va = c->x[i->rd];
	struct entry e = { .op = INV_CODE };
	struct xlat x;

	if (key == KEY(3, 5, 1)) {
		if (!el0_may(c, i->word, SCTLR_UCI) || !by_va(c, va, false, &x))
			return EXEC_JUMP;
		e.op = INV_CODE_PAGE;
		e.va = xlat_pa(&x, mmu_untag(c, va)) & ~UINT64_C(4095);
		invalidate(c, &e, true);
	} else if (c->el && (key == KEY(0, 1, 0) || key == KEY(0, 5, 0))) {
		invalidate(c, &e, key == KEY(0, 1, 0));
	} else {
		return exc_undefined(c);
	}
	/* The block that runs may have been dropped: leave it. */
	c->pc += 4;
	return EXEC_JUMP;
}

/* ---- AT ---- */

static bool is_external(unsigned fault) { return (fault & 0x3c) == DFSC_EXTERNAL_WALK; }

/* Device and Normal Non-cacheable memory are outer shareable, whatever the descriptor says. */
static uint64_t par_sh(const struct xlat *x) { return (x->attr & ATTR_DEVICE) || x->mair == 0x44 ? 2 : x->sh; }

/*
 * PAR_EL1: ATTR 63:56, PA 47:12, RES1 11, SH 8:7, F 0; after a fault FST 6:1 and F.
 * An external abort on the walk is no result but an exception.
 */
enum exec mmu_at(struct cpu *c, const struct insn *i)
{
	unsigned key = sys_key(i->word), el = key & 2 ? 0 : 1, fault;
	struct xlat x;

	if (c->el == 0 || key < KEY(0, 8, 0) || key > KEY(0, 8, 3))
		return exc_undefined(c);
	fault = mmu_translate(c, c->x[i->rd], el, false, key & 1 ? ACCESS_WRITE : ACCESS_READ, &x);
	if (is_external(fault))
		return mmu_data_abort(c, c->x[i->rd], fault, true, true);
	if (fault)
		c->sys[SYS_PAR_EL1] = 0x800 | (uint64_t)(fault & 0x3f) << 1 | 1;
	else
		c->sys[SYS_PAR_EL1] = (uint64_t)x.mair << 56 |
				      (xlat_pa(&x, mmu_untag(c, c->x[i->rd])) & ~UINT64_C(4095)) | 0x800 |
				      par_sh(&x) << 7;
	return EXEC_NEXT;
}
