/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Self-hosted debug: software step, breakpoints, watchpoints.
 *
 * Nothing here costs anything while a guest does not use it. Step and breakpoints
 * hold REQ_STEP in exit_req, so that the dispatcher comes by before every block
 * and, in the page of a breakpoint, before every instruction. A page with a
 * watchpoint is kept out of the first-level TLB (fill() in mmu.c), so that every
 * access to it ends in the slow path, which asks debug_watch().
 *
 * There is neither EL2 nor EL3: a comparator that selects security states or
 * higher levels (HMC, SSC) is reserved and never matches. There is no AArch32, so
 * DBGBCR.BAS is RES1 and plays no part.
 * (Arm ARM, D2 "AArch64 Self-hosted Debug")
 */
#include "mmu.h"

#define OSLSR_OSLK (UINT64_C(1) << 1)

#define ISS_STEP_ISV (UINT32_C(1) << 24)
#define ISS_STEP_EX  (UINT32_C(1) << 6)
#define ISS_WNR      (UINT32_C(1) << 6)
#define ISS_CM       (UINT32_C(1) << 8)

enum { BREAKPOINTS = 2, FIRST_CONTEXT_BREAKPOINT = 1, WATCHPOINTS = CPU_WATCHPOINTS };
enum { BT_ADDRESS = 0, BT_ADDRESS_LINKED = 1, BT_CONTEXT = 2, BT_CONTEXT_LINKED = 3 };

/* VA bits that comparators have: 48 and its sign. */
#define VA_BITS ((UINT64_C(1) << 49) - 1)

static uint64_t bcr(const struct cpu *c, unsigned n) { return c->sys[n ? SYS_DBGBCR1_EL1 : SYS_DBGBCR0_EL1]; }
static uint64_t bvr(const struct cpu *c, unsigned n) { return c->sys[n ? SYS_DBGBVR1_EL1 : SYS_DBGBVR0_EL1]; }
static uint64_t wcr(const struct cpu *c, unsigned n) { return c->sys[n ? SYS_DBGWCR1_EL1 : SYS_DBGWCR0_EL1]; }
static uint64_t wvr(const struct cpu *c, unsigned n) { return c->sys[n ? SYS_DBGWVR1_EL1 : SYS_DBGWVR0_EL1]; }

/* ---- What is enabled ---- */

/* AArch64.GenerateDebugExceptionsFrom: from EL0 always, from EL1 with KDE and PSTATE.D clear; never under the OS
 * lock. */
static bool debug_from(const struct cpu *c, unsigned el, bool masked)
{
	if (c->sys[SYS_OSLSR_EL1] & OSLSR_OSLK)
		return false;
	return el == 0 || ((c->sys[SYS_MDSCR_EL1] & MDSCR_KDE) && !masked);
}

static bool debug_enabled(const struct cpu *c) { return debug_from(c, c->el, c->daif & PSTATE_D); }

static bool step_active(const struct cpu *c) { return (c->sys[SYS_MDSCR_EL1] & MDSCR_SS) && debug_enabled(c); }

static bool breakpoints_active(const struct cpu *c)
{
	return (c->sys[SYS_MDSCR_EL1] & MDSCR_MDE) && ((bcr(c, 0) | bcr(c, 1)) & 1) && debug_enabled(c);
}

void cpu_check_step(struct cpu *c)
{
	bool debugging = c->sys[SYS_MDSCR_EL1] & (MDSCR_SS | MDSCR_MDE);
	bool step = debugging && step_active(c);

	if (!step)
		c->stepped = STEPPED_NOT;
	if (c->il || step || (debugging && breakpoints_active(c)))
		atomic_fetch_or_explicit(&c->exit_req, REQ_STEP, memory_order_relaxed);
	else if (atomic_load_explicit(&c->exit_req, memory_order_relaxed) & REQ_STEP)
		atomic_fetch_and_explicit(&c->exit_req, ~(uint32_t)REQ_STEP, memory_order_relaxed);
}

/* DebugExceptionReturnSS: only a return from where debug is off to where it is on may start a step. */
bool debug_return_ss(const struct cpu *c, uint64_t spsr)
{
	return (c->sys[SYS_MDSCR_EL1] & MDSCR_SS) && !debug_enabled(c) &&
	       debug_from(c, (unsigned)bits(spsr, 3, 2), spsr & PSTATE_D) && (spsr & PSTATE_SS);
}

/* ---- Comparators ---- */

static bool linked_context_matches(const struct cpu *c, unsigned n)
{
	return n >= FIRST_CONTEXT_BREAKPOINT && n < BREAKPOINTS && (bcr(c, n) & 1) &&
	       bits(bcr(c, n), 23, 20) == BT_CONTEXT_LINKED &&
	       (uint32_t)bvr(c, n) == (uint32_t)c->sys[SYS_CONTEXTIDR_EL1];
}

/* The fields that control registers of both kinds share: E, PMC or PAC 2:1, HMC 13, SSC 15:14, LBN 19:16. */
static bool state_matches(const struct cpu *c, uint64_t cr, unsigned el, bool linked)
{
	if (!(cr & 1) || bits(cr, 15, 13) || !(cr >> (el ? 1 : 2) & 1))
		return false;
	return !linked || linked_context_matches(c, (unsigned)bits(cr, 19, 16));
}

static bool breakpoint_matches(const struct cpu *c, unsigned n)
{
	uint64_t cr = bcr(c, n), type = bits(cr, 23, 20);

	if (!state_matches(c, cr, c->el, type == BT_ADDRESS_LINKED))
		return false;
	if (type == BT_ADDRESS || type == BT_ADDRESS_LINKED)
		return !((bvr(c, n) ^ c->pc) & VA_BITS & ~UINT64_C(3));
	return type == BT_CONTEXT && n >= FIRST_CONTEXT_BREAKPOINT &&
	       (uint32_t)bvr(c, n) == (uint32_t)c->sys[SYS_CONTEXTIDR_EL1];
}

/* May an instruction of the page at pc match? Then they go one by one. */
static bool page_has_breakpoint(const struct cpu *c)
{
	for (unsigned n = 0; n < BREAKPOINTS; n++)
		if ((bcr(c, n) & 1) &&
		    (bits(bcr(c, n), 23, 20) == BT_CONTEXT || !((bvr(c, n) ^ c->pc) & VA_BITS & ~UINT64_C(4095))))
			return true;
	return false;
}

/* Arm ARM, AArch64.WatchpointByteMatch; what it leaves UNPREDICTABLE does not match. */
static bool watch_byte(uint64_t cr, uint64_t vr, uint64_t va)
{
	unsigned bottom = bit(vr, 2) ? 2 : 3, mask = (unsigned)bits(cr, 28, 24);
	uint64_t diff = (va ^ vr) & VA_BITS;

	if (mask)
		return mask > 2 && bits(cr, 12, 5) == 0xff && !(diff >> mask);
	return !(diff >> bottom) && (cr >> (5 + (va & ((1u << bottom) - 1))) & 1);
}

static bool watch_range(uint64_t cr, uint64_t vr, uint64_t va, unsigned bytes, uint64_t *hit)
{
	for (unsigned k = 0; k < bytes; k++)
		if (watch_byte(cr, vr, va + k)) {
			*hit = va + k;
			return true;
		}
	return false;
}

/* ---- The dispatcher's questions (run.c) ---- */

bool debug_one_by_one(const struct cpu *c)
{
	return c->il || step_active(c) || (breakpoints_active(c) && page_has_breakpoint(c));
}

bool debug_step_pending(const struct cpu *c) { return !c->ss && step_active(c); }

/* After an instruction in the active-not-pending state ISS says so, and whether it was a load-exclusive. */
enum exec debug_step_exception(struct cpu *c)
{
	uint32_t iss = DFSC_DEBUG;

	if (c->stepped != STEPPED_NOT)
		iss |= ISS_STEP_ISV;
	if (c->stepped == STEPPED_LOAD_EXCLUSIVE)
		iss |= ISS_STEP_EX;
	return exc_sync(c, EC_STEP_LOWER + c->el, iss);
}

/* LDXR, LDAXR, LDXP, LDAXP: size 001000 o2=0 L=1; with o1 and size 0x it is CASP. */
static bool load_exclusive(uint32_t word)
{
	return (word & 0x3fc00000) == 0x08400000 && !((word & UINT32_C(1) << 21) && !(word >> 31));
}

/* Before the instruction @word is executed: what is known when it has been, unless it takes an exception. */
void debug_stepping(struct cpu *c, uint32_t word)
{
	if (c->ss && step_active(c))
		c->stepped = load_exclusive(word) ? STEPPED_LOAD_EXCLUSIVE : STEPPED;
}

bool debug_breakpoint(struct cpu *c)
{
	if (!breakpoints_active(c))
		return false;
	for (unsigned n = 0; n < BREAKPOINTS; n++)
		if (breakpoint_matches(c, n)) {
			exc_sync(c, EC_BREAKPOINT_LOWER + c->el, DFSC_DEBUG);
			return true;
		}
	return false;
}

/* ---- The MMU's questions ---- */

bool debug_watch_slow(struct cpu *c, uint64_t va, unsigned bytes, unsigned how)
{
	unsigned el = how & WATCH_UNPRIV ? 0 : c->el;
	uint64_t hit = 0, at = UINT64_MAX;
	uint32_t iss = DFSC_DEBUG | (how & WATCH_CM ? ISS_CM : 0) | ISS_WNR;

	if (!debug_enabled(c))
		return false;
	for (unsigned n = 0; n < WATCHPOINTS; n++) {
		uint64_t cr = wcr(c, n), lsc = bits(cr, 4, 3) & how;

		if (!lsc || !state_matches(c, cr, el, bit(cr, 20)) || !watch_range(cr, wvr(c, n), va, bytes, &hit))
			continue;
		if (lsc & WATCH_READ) /* an atomic would have hit as a read too */
			iss &= ~ISS_WNR;
		if (hit - va < at - va)
			at = hit;
	}
	if (at == UINT64_MAX)
		return false;
	exc_sync_far(c, EC_WATCHPOINT_LOWER + c->el, iss, at);
	return true;
}

bool debug_page_watched(const struct cpu *c, uint64_t va)
{
	for (unsigned n = 0; n < c->watch_count; n++)
		if (!(((va ^ c->watch[n].va) & VA_BITS) >> c->watch[n].shift))
			return true;
	return false;
}

/* Which pages are kept out of the TLB. Whether an access then really hits is asked each time. */
static void update_watched(struct cpu *c)
{
	bool on = (c->sys[SYS_MDSCR_EL1] & MDSCR_MDE) && !(c->sys[SYS_OSLSR_EL1] & OSLSR_OSLK);
	unsigned had = c->watch_count;

	c->watch_count = 0;
	for (unsigned n = 0; on && n < WATCHPOINTS; n++) {
		unsigned mask = (unsigned)bits(wcr(c, n), 28, 24);

		if (wcr(c, n) & 1)
			c->watch[c->watch_count++] = (struct cpu_watch){ wvr(c, n), mask > 12 ? (uint8_t)mask : 12 };
	}
	if (had || c->watch_count)
		mmu_flush_contexts(c);
}

/* ---- Registers ---- */

void sys_write_debug(struct cpu *c, unsigned reg, uint64_t v)
{
	sys_write(c, reg, v);
	update_watched(c);
	cpu_check_step(c);
}

/* OSLSR_EL1: OSLM=0b10 (the lock exists), OSLK bit 1 is what OSLAR_EL1 wrote. */
void sys_write_oslar(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	sys_write_debug(c, SYS_OSLSR_EL1, v << 1);
}

/* Claim tags: SET reads as all implemented ones and sets; CLR reads the tags and clears. They live in CLR. */
uint64_t sys_read_claimset(struct cpu *c, unsigned reg)
{
	(void)c;
	return reg_rows[reg].mask;
}

void sys_write_claimset(struct cpu *c, unsigned reg, uint64_t v)
{
	(void)reg;
	c->sys[SYS_DBGCLAIMCLR_EL1] |= v;
}

void sys_write_claimclr(struct cpu *c, unsigned reg, uint64_t v) { c->sys[reg] &= ~v; }

void debug_reset(struct cpu *c)
{
	c->stepped = STEPPED_NOT;
	update_watched(c);
}
