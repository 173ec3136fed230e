/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What mmu.c (translation) and tlbi.c (maintenance) know of each other; nobody else. */
#ifndef CPU_MMU_H
#define CPU_MMU_H

#include "cpu.h"

/* Permissions of a translation, before PAN. */
enum {
	PERM_R0 = 1 << 0, PERM_W0 = 1 << 1, PERM_X0 = 1 << 2,
	PERM_R1 = 1 << 3, PERM_W1 = 1 << 4, PERM_X1 = 1 << 5,
};

/* Attributes of a translation. */
enum {
	ATTR_USER    = 1 << 0,  /* AP[1]: EL0 has data access, so PAN applies */
	ATTR_DEVICE  = 1 << 1,
	ATTR_GUARDED = 1 << 2,  /* GP: BTI is checked */
	ATTR_GLOBAL  = 1 << 3,
	ATTR_FLAT    = 1 << 4,  /* MMU off: in no TLB */
};

/* A translation at its native size, as the second-level TLB holds it; shift == 0: empty. */
struct xlat {
	uint64_t va, pa;        /* of the first byte of the page or block, VA without tag */
	uint16_t asid;
	uint8_t shift, level, perm, attr, mair, sh;
};

#define TLB2_SETS 1024
#define TLB2_WAYS 4

struct mmu {
	struct xlat tlb[TLB2_SETS][TLB2_WAYS];
	uint64_t shifts;                /* bit s: entries of size 1 << s may be there */
	uint32_t next_way;
	bool filled;
	uint64_t sctlr, tcr, mair;      /* values the TLBs were filled under */
	uint16_t asid;
	uint64_t clock;                 /* for LRU of contexts */
	uint64_t bus_errors;
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH, ACCESS_ANY };

static inline struct mmu *cpu_mmu(struct cpu *c) { return c->tlb2; }

/*
 * Translates @va for an access of @el. 0, or the fault status code (DFSC) of the
 * Arm ARM. Permissions, PAN included, are checked unless @a is ACCESS_ANY.
 */
unsigned mmu_translate(struct cpu *c, uint64_t va, unsigned el, bool pan, enum access a, struct xlat *x);

static inline uint64_t xlat_pa(const struct xlat *x, uint64_t va)
{
	return x->pa | (va & ((UINT64_C(1) << x->shift) - 1));
}

enum exec mmu_data_abort(struct cpu *c, uint64_t va, unsigned dfsc, bool write, bool cm);

/* Invalidation of this cpu's TLBs; of all of it: mmu_inv_all(). */
void mmu_inv_asid(struct cpu *c, uint16_t asid);
void mmu_inv_range(struct cpu *c, uint64_t va, uint64_t bytes, uint16_t asid, bool all_asids);
uint16_t mmu_asid_mask(const struct cpu *c);

/* On all cpus, before it returns: nothing may be written without the slow path; the page's decoded or translated code goes. */
void mmu_withhold_writes(struct cpu *c);
void mmu_drop_code(struct cpu *c, uint64_t pa);

/* First-level TLB and jump cache: their first state, and empty again. */
void mmu_ctx_init(struct mmu_ctx *m);
void mmu_ctx_flush(struct mmu_ctx *m);

/* Around calls that may wait for others (the bus): this cpu counts as drained. */
void mmu_leave_guest(struct cpu *c);
void mmu_enter_guest(struct cpu *c);
int  mmu_ring_init(struct cpu *c);
void mmu_ring_destroy(struct cpu *c);

/* VA without its tag: bit 55 chooses the half and, with TBI, stands for bits 63:56. */
static inline uint64_t mmu_untag(const struct cpu *c, uint64_t va)
{
	return cpu_tag_ignored(c, (unsigned)bit(va, 55), true) ? (uint64_t)sext(va, 56) : va;
}

#endif
