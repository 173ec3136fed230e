/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dispatcher: from pc to decoded instructions, and everything that happens
 * between two blocks: interrupts, kicks, broadcasts, sleeping, power.
 *
 *   pc -> jump cache of the context (VA) -> block table (physical address) -> decode
 *
 * A block is up to 64 instructions of one 4 KiB page, known by the physical
 * address and by what its decoding depended on, so aliases, other address spaces
 * and both exception levels share it. The jump cache is what says that a VA may
 * be executed and where it leads; it is dropped with the translation (mmu.c).
 *
 * Writes to code are not watched. The architecture obliges software to IC, and
 * that kills blocks: their first instruction becomes exec_dead, so a pointer
 * that survived in a jump cache does no harm. The pool is a ring of segments: the
 * oldest one is emptied, and what points into it, when there is no room.
 *
 * With a translator (cpu->jit) the jump cache leads to its code, and instructions
 * are interpreted, without blocks, where it has none yet.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <vmm/err.h>
#include <vmm/loop.h>

#include "mmu.h"
#include "translator.h"

enum {
	BLOCK_INSNS = 64,
	SEGMENT_BYTES = 128 * 1024,
	SEGMENTS_ALL_CPUS = 32,
	SEGMENTS_MIN = 4,
	SEGMENTS_MAX = 16,
	HASH_SIZE = 8192,
	PAGE_HASH_SIZE = 1024,
	WFE_LOOP_NS = 2000, /* WFEs less than this apart are one loop */
};

struct block {
	uint64_t pa;
	struct block *next, *next_in_page; /* in hash, in pages */
	uint16_t bytes;                    /* in the pool */
	bool fp_trapped;
	struct insn insn[]; /* the last one is exec_block_end */
};

struct run_cache {
	struct block *hash[HASH_SIZE], *pages[PAGE_HASH_SIZE];
	uint8_t *pool;               /* the segments, touched as they fill */
	unsigned segments, segment;  /* how many, and the one being filled */
	uint32_t used[SEGMENTS_MAX]; /* bytes with blocks */
	/* Sleeping; with cpu->sleep_lock held except where atomic. */
	_Atomic bool sleeping;
	bool on_valid; /* CPU_ON has said where to start */
	uint64_t on_entry, on_context;
	uint64_t interpreted; /* instructions, by interpret() */
	uint64_t wfe_ns;      /* end of the last WFE that waited */
	unsigned wfe_streak;
};

/* ---- Blocks ---- */

/* After the last instruction: pc is already that of the next one. Not an instruction, so it does not count. */
static enum exec exec_block_end(struct cpu *c, const struct insn *i)
{
	(void)i;
	c->icount--;
	return EXEC_JUMP;
}

static enum exec exec_dead(struct cpu *c, const struct insn *i)
{
	(void)i;
	c->icount--;
	jc_clear(c->ctx, c->pc >> 2 & (JC_ENTRIES - 1));
	return EXEC_JUMP;
}

static struct block **hash_slot(struct run_cache *r, uint64_t pa)
{
	return &r->hash[(pa >> 2 ^ pa >> 15) & (HASH_SIZE - 1)];
}

static struct block **page_slot(struct run_cache *r, uint64_t pa)
{
	return &r->pages[(pa >> 12 ^ pa >> 22) & (PAGE_HASH_SIZE - 1)];
}

void run_invalidate_all(struct cpu *c)
{
	struct run_cache *r = c->run;

	mmu_flush_jump_caches(c);
	if (c->jit) {
		translator()->invalidate_all(c);
		return;
	}
	memset(r->hash, 0, sizeof(r->hash));
	memset(r->pages, 0, sizeof(r->pages));
	memset(r->used, 0, sizeof(r->used));
	r->segment = 0;
}

static void unhash(struct run_cache *r, struct block *b)
{
	struct block **p = hash_slot(r, b->pa);

	while (*p != b)
		p = &(*p)->next;
	*p = b->next;
}

static void unpage(struct run_cache *r, struct block *b)
{
	struct block **p = page_slot(r, b->pa);

	while (*p != b)
		p = &(*p)->next_in_page;
	*p = b->next_in_page;
}

void run_invalidate_page(struct cpu *c, uint64_t pa)
{
	struct block **p = page_slot(c->run, pa), *b;

	if (c->jit) {
		translator()->invalidate_page(c, pa);
		return;
	}
	while ((b = *p)) {
		if (b->pa >> 12 != pa >> 12) {
			p = &b->next_in_page;
			continue;
		}
		*p = b->next_in_page;
		unhash(c->run, b);
		b->insn[0].exec = exec_dead;
	}
}

/* Forgets the blocks of a segment; those that IC killed are in no list any more. */
static void empty_segment(struct cpu *c, unsigned segment)
{
	struct run_cache *r = c->run;
	uint8_t *start = r->pool + (size_t)segment * SEGMENT_BYTES;

	if (!r->used[segment])
		return;
	for (uint32_t at = 0; at < r->used[segment];) {
		struct block *b = (void *)(start + at);

		at += b->bytes;
		if (b->insn[0].exec == exec_dead)
			continue;
		unhash(r, b);
		unpage(r, b);
	}
	r->used[segment] = 0;
	mmu_jc_forget(c, start, SEGMENT_BYTES);
}

/* Room for a block of the largest size. */
static struct block *room(struct cpu *c)
{
	size_t want = sizeof(struct block) + (BLOCK_INSNS + 1) * sizeof(struct insn);
	struct run_cache *r = c->run;

	if (r->used[r->segment] + want > SEGMENT_BYTES) {
		r->segment = (r->segment + 1) % r->segments;
		empty_segment(c, r->segment);
	}
	return (void *)(r->pool + (size_t)r->segment * SEGMENT_BYTES + r->used[r->segment]);
}

static bool ends_block(const struct insn *i)
{
	return i->op == OP_COUNT || ((a64_rows[i->op].flags & F_ENDS) && !(a64_rows[i->op].flags & F_COND));
}

/* Another cpu may be writing these words; any mixture of old and new ones is allowed until it has done IC. */
__attribute__((no_sanitize("thread"))) static unsigned
decode_block(const struct cpu *c, const volatile uint32_t *words, unsigned max, struct insn *i)
{
	unsigned n = 0;

	do {
		a64_decode(words[n], c->soc->features, c->fp_trapped, &i[n]);
	} while (!ends_block(&i[n++]) && n < max);
	return n;
}

static struct block *translate(struct cpu *c, uint64_t pa, const uint32_t *words)
{
	unsigned left = (unsigned)(4096 - (pa & 4095)) / 4, n;
	struct run_cache *r = c->run;
	struct block *b;

	do {
		smc_executed(c, pa);
		b = room(c);
		n = decode_block(c, words, left < BLOCK_INSNS ? left : BLOCK_INSNS, b->insn);
	} while (!smc_keeps(c, pa));
	b->insn[n] = (struct insn){ .exec = exec_block_end };
	b->pa = pa;
	b->fp_trapped = c->fp_trapped;
	b->bytes = (uint16_t)align_up(sizeof(*b) + (n + 1) * sizeof(struct insn), 64);
	b->next = *hash_slot(r, pa);
	*hash_slot(r, pa) = b;
	b->next_in_page = *page_slot(r, pa);
	*page_slot(r, pa) = b;
	r->used[r->segment] += b->bytes;
	return b;
}

/* The block at pc, now in the jump cache; NULL: an exception was taken. */
static struct block *lookup(struct cpu *c)
{
	const uint32_t *words;
	struct block *b;
	bool guarded;
	uint64_t pa;

	c->pc = cpu_branch_address(c, c->pc); /* with TBI a branch drops the tag */
	words = mmu_fetch(c, c->pc, &pa, &guarded);
	if (!words)
		return NULL;
	for (b = *hash_slot(c->run, pa); b; b = b->next)
		if (b->pa == pa && b->fp_trapped == c->fp_trapped)
			break;
	if (!b)
		b = translate(c, pa, words);
	mmu_jc_add(c->ctx, c->pc, b);
	return b;
}

/* ---- Translated code ---- */

_Thread_local struct cpu *cpu_running;

/* What has no code yet, or cannot have: to the end of the block, once. */
__attribute__((no_sanitize("thread"))) static enum exec interpret(struct cpu *c, const volatile uint32_t *words)
{
	unsigned left = (unsigned)(4096 - (c->pc & 4095)) / 4;
	enum exec r;
	struct insn i;

	do {
		a64_decode(*words++, c->soc->features, c->fp_trapped, &i);
		r = i.exec(c, &i);
		c->icount++;
		c->run->interpreted++;
		if (r != EXEC_NEXT)
			return r;
		c->pc += 4;
	} while (!ends_block(&i) && --left);
	return EXEC_JUMP;
}

/* Code takes it for granted that SP is a multiple of 16. */
static enum exec run_translated(struct cpu *c)
{
	const struct jc_entry *e = &c->ctx->jc[c->pc >> 2 & (JC_ENTRIES - 1)];
	bool sp_ok = !(c->x[SLOT_SP] & 15), guarded;
	const uint32_t *words;
	void *code;
	uint64_t pa;

	if (__builtin_expect(e->va == c->pc && sp_ok, 1))
		return translator()->run(c, e->block);
	c->pc = cpu_branch_address(c, c->pc);
	words = mmu_fetch(c, c->pc, &pa, &guarded);
	if (!words)
		return EXEC_JUMP;
	code = sp_ok ? translator()->code(c, pa, words, guarded) : NULL;
	if (!code)
		return interpret(c, words);
	mmu_jc_add(c->ctx, c->pc, code);
	return translator()->run(c, code);
}

uint64_t run_interpreted(const struct cpu *c) { return c->run->interpreted; }

/* Code depends on FPCR, and so does the host's FP state while it runs. */
void run_fpcr_changed(struct cpu *c)
{
	if (!c->jit)
		return;
	mmu_flush_jump_caches(c);
	if (cpu_running == c) {
		translator()->fp_sync(c);
		translator()->fp_enter(c);
	}
}

void run_fp_sync(struct cpu *c)
{
	if (c->jit && cpu_running == c)
		translator()->fp_sync(c);
}

/* ---- Branch targets ---- */

/* Arm ARM, BTypeCompatible: which instruction may an indirect branch of this type reach in a guarded page? */
static bool lands(const struct cpu *c, uint32_t word)
{
	uint64_t bt = c->sys[SYS_SCTLR_EL1] & (c->el ? SCTLR_BT1 : SCTLR_BT0);

	switch (word) {
	case 0xd503245f: return c->btype != 3; /* BTI c */
	case 0xd503249f: return c->btype != 2; /* BTI j */
	case 0xd50324df: return true;          /* BTI jc */
	case 0xd503233f:                       /* PACIASP, PACIBSP */
	case 0xd503237f: return c->btype != 3 || !bt;
	}
	return (word & 0xffe0001f) == 0xd4200000 || (word & 0xffe0001f) == 0xd4400000; /* BRK, HLT */
}

/*
 * False: exception taken. Either way only this instruction saw BTYPE. A page with
 * jump cache entries has been fetched from, so has_guarded knows about it.
 */
static bool check_landing(struct cpu *c)
{
	const uint32_t *word;
	bool guarded;
	uint64_t pa;

	if (!c->ctx->has_guarded && c->ctx->jc[c->pc >> 2 & (JC_ENTRIES - 1)].va == c->pc) {
		c->btype = 0;
		return true;
	}
	c->pc = cpu_branch_address(c, c->pc);
	word = mmu_fetch(c, c->pc, &pa, &guarded);
	if (!word)
		return false;
	if (guarded && !lands(c, *(const volatile uint32_t *)word)) {
		exc_sync(c, EC_BTI, c->btype);
		return false;
	}
	c->btype = 0;
	return true;
}

/* ---- One by one ---- */

/* Arm ARM, "Synchronous exception prioritization": step, fetch, breakpoint, illegal state, branch target. */
static enum exec step_one(struct cpu *c)
{
	const uint32_t *word;
	struct insn i;
	bool guarded;
	uint64_t pa;
	enum exec r;

	if (debug_step_pending(c))
		return debug_step_exception(c);
	c->pc = cpu_branch_address(c, c->pc);
	word = mmu_fetch(c, c->pc, &pa, &guarded);
	if (!word || debug_breakpoint(c))
		return EXEC_JUMP;
	if (c->il)
		return exc_sync(c, EC_ILLEGAL_STATE, 0);
	if (c->btype && !check_landing(c))
		return EXEC_JUMP;
	a64_decode(*(const volatile uint32_t *)word, c->soc->features, c->fp_trapped, &i);
	debug_stepping(c, i.word);
	r = i.exec(c, &i);
	c->icount++;
	if (r == EXEC_NEXT)
		c->pc += 4;
	c->ss = 0;
	return r == EXEC_NEXT ? EXEC_JUMP : r;
}

/* ---- Sleeping and waking ---- */

/* The sleeper says so before it looks; the waker sets the bit before it asks. One of them sees the other. */
static void wake(struct cpu *c)
{
	if (!atomic_load(&c->run->sleeping))
		return;
	pthread_mutex_lock(&c->sleep_lock);
	pthread_cond_broadcast(&c->sleep_cond);
	pthread_mutex_unlock(&c->sleep_lock);
}

void cpu_request(struct cpu *c, uint32_t req)
{
	atomic_fetch_or(&c->exit_req, req);
	wake(c);
}

void cpu_set_irq_lines(struct cpu *c, uint32_t lines)
{
	atomic_store(&c->irq_lines, lines);
	if (lines)
		cpu_request(c, REQ_IRQ);
}

void cpu_send_event(struct soc *s)
{
	for (unsigned k = 0; k < s->cfg.vcpu_count; k++) {
		atomic_store(&s->cpus[k]->event, true);
		wake(s->cpus[k]);
	}
}

void cpu_kick(struct cpu *c) { cpu_request(c, REQ_KICK); }

typedef bool awake_fn(struct cpu *c);

static bool awake_wfi(struct cpu *c)
{
	return atomic_load(&c->irq_lines) || (atomic_load(&c->exit_req) & (REQ_KICK | REQ_STOP));
}

static bool awake_wfe(struct cpu *c) { return atomic_load(&c->event) || awake_wfi(c); }

static bool awake_power(struct cpu *c) { return c->run->on_valid || (atomic_load(&c->exit_req) & REQ_KICK); }

/* Until @awake, or @ns if not 0. */
static void sleep_until(struct cpu *c, awake_fn *awake, uint64_t ns)
{
	struct timespec t;

	if (ns) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		t.tv_nsec += (long)ns;
		t.tv_sec += t.tv_nsec / (long)NSEC_PER_SEC;
		t.tv_nsec %= (long)NSEC_PER_SEC;
	}
	mmu_leave_guest(c);
	pthread_mutex_lock(&c->sleep_lock);
	atomic_store(&c->run->sleeping, true);
	while (!awake(c))
		if (!ns)
			pthread_cond_wait(&c->sleep_cond, &c->sleep_lock);
		else if (pthread_cond_timedwait(&c->sleep_cond, &c->sleep_lock, &t))
			break;
	atomic_store(&c->run->sleeping, false);
	pthread_mutex_unlock(&c->sleep_lock);
	mmu_enter_guest(c);
}

/*
 * What ends a WFE includes another cpu's store to a monitored address, which we
 * do not see. A lock is usually free soon, so the first waits of a loop only give
 * the host CPU away; a loop that goes on sleeps, so that a parked cpu costs little.
 */
static void wait_event(struct cpu *c)
{
	struct run_cache *r = c->run;

	r->wfe_streak = loop_now_ns() - r->wfe_ns < WFE_LOOP_NS ? r->wfe_streak + 1 : 0;
	if (r->wfe_streak > 200) {
		sleep_until(c, awake_wfe, 200 * 1000);
	} else {
		mmu_leave_guest(c);
		sched_yield();
		mmu_enter_guest(c);
	}
	atomic_store(&c->event, false);
	r->wfe_ns = loop_now_ns();
}

static void wait_here(struct cpu *c)
{
	uint8_t kind = c->waiting;

	c->waiting = WAIT_NONE;
	if (kind == WAIT_WFE)
		wait_event(c);
	else if (kind == WAIT_WFI)
		sleep_until(c, awake_wfi, 0);
}

/* ---- Power ---- */

void cpu_power_on(struct cpu *c, uint64_t entry, uint64_t context)
{
	pthread_mutex_lock(&c->sleep_lock);
	c->run->on_entry = entry;
	c->run->on_context = context;
	c->run->on_valid = true;
	pthread_mutex_unlock(&c->sleep_lock);
	cpu_request(c, REQ_STOP);
}

/* Sleeps until CPU_ON or a kick; what CPU_ON said takes effect here, on the cpu's own thread. */
static void wait_power(struct cpu *c)
{
	struct run_cache *r = c->run;

	sleep_until(c, awake_power, 0);
	pthread_mutex_lock(&c->sleep_lock);
	if (r->on_valid) {
		r->on_valid = false;
		cpu_reset(c);
		c->pc = r->on_entry;
		c->x[0] = r->on_context;
		atomic_fetch_and(&c->exit_req, ~(uint32_t)REQ_STOP);
		atomic_store(&c->power, POWER_ON);
	}
	pthread_mutex_unlock(&c->sleep_lock);
}

void run_reset(struct cpu *c)
{
	c->run->on_valid = false;
	c->waiting = WAIT_NONE;
	run_invalidate_all(c);
}

/* ---- The loop ---- */

/*
 * pc is in memory before each instruction, because anything may need it; it is
 * kept in a register to advance. More than one indirect call helps the host to
 * predict them: loops run 10 %, a boot 8 % faster.
 */
static enum exec run_block(struct cpu *c, const struct block *b)
{
	const struct insn *i = b->insn;
	uint64_t pc = c->pc;
	enum exec r;

#pragma GCC unroll 4
	do {
		c->pc = pc;
		pc += 4;
		r = i->exec(c, i);
		i++;
	} while (__builtin_expect(r == EXEC_NEXT, 1));
	c->icount += (uint64_t)(i - b->insn);
	return r;
}

/* Something other than the next block wants attention. EXEC_NEXT: run a block now. */
static enum exec attend(struct cpu *c)
{
	uint32_t req = atomic_load(&c->exit_req);

	if (!req)
		return check_landing(c) ? EXEC_NEXT : EXEC_JUMP;
	if (req & REQ_KICK) {
		atomic_fetch_and(&c->exit_req, ~(uint32_t)REQ_KICK);
		c->exit->reason = HV_EXIT_KICKED;
		return EXEC_LEAVE;
	}
	if (req & REQ_RING)
		mmu_drain_ring(c);
	if (req & (REQ_STOP | REQ_IRQ))
		atomic_fetch_and(&c->exit_req, ~(uint32_t)(REQ_STOP | REQ_IRQ));
	if ((req & REQ_STEP) && debug_step_pending(c)) /* goes before interrupts */
		return step_one(c);
	if (cpu_irq_deliverable(c)) {
		uint32_t lines = atomic_load(&c->irq_lines);

		pvtime_update(c);
		return exc_irq(c, !((lines & 1) && !(c->daif & PSTATE_I)));
	}
	if ((req & REQ_STEP) && debug_one_by_one(c))
		return step_one(c);
	return c->btype && !check_landing(c) ? EXEC_JUMP : EXEC_NEXT;
}

/* After EXEC_LEAVE: true when cpu_run is to return. */
static bool left(struct cpu *c)
{
	if (c->exit->reason != HV_EXIT_COUNT)
		return true;
	while (atomic_load(&c->power) != POWER_ON) {
		wait_power(c);
		if (atomic_load(&c->power) != POWER_ON && (atomic_load(&c->exit_req) & REQ_KICK))
			return attend(c) == EXEC_LEAVE;
	}
	wait_here(c);
	return false;
}

static void loop(struct cpu *c)
{
	for (;;) {
		const struct jc_entry *e;
		const struct block *b;
		enum exec r = EXEC_NEXT;

		if (__builtin_expect(atomic_load_explicit(&c->exit_req, memory_order_relaxed) | c->btype, 0))
			r = attend(c);
		if (__builtin_expect(r == EXEC_NEXT, 1) && c->jit) {
			r = run_translated(c);
		} else if (__builtin_expect(r == EXEC_NEXT, 1)) {
			e = &c->ctx->jc[c->pc >> 2 & (JC_ENTRIES - 1)];
			b = __builtin_expect(e->va == c->pc, 1) ? e->block : lookup(c);
			if (b)
				r = run_block(c, b);
		}
		if (__builtin_expect(r == EXEC_LEAVE, 0) && left(c))
			return;
	}
}

int cpu_run(struct cpu *c, struct hv_exit *exit)
{
	int err = smc_begin(c->soc);

	if (err)
		return err;
	exit->reason = HV_EXIT_COUNT;
	c->exit = exit;
	cpu_running = c;
	atomic_store(&c->soc->ran, true);
	mmu_enter_guest(c);
	if (!left(c))
		loop(c);
	mmu_leave_guest(c);
	cpu_running = NULL;
	return 0;
}

/* ---- Life ---- */

/*
 * A boot of Linux decodes 1.2 million instructions into 4 MiB, 3.2 into 2 MiB,
 * 6 into 1 MiB and 13 into 512 KiB, at about 35 ns each; more vCPUs share what
 * one VM may use.
 */
static unsigned pool_segments(unsigned vcpus)
{
	unsigned n = SEGMENTS_ALL_CPUS / vcpus;

	return n < SEGMENTS_MIN ? SEGMENTS_MIN : n > SEGMENTS_MAX ? SEGMENTS_MAX : n;
}

static int create_pool(struct cpu *c)
{
	c->run->segments = pool_segments(c->soc->cfg.vcpu_count);
	c->run->pool = aligned_alloc(64, (size_t)c->run->segments * SEGMENT_BYTES);
	return c->run->pool ? 0 : -ENOMEM;
}

int run_init(struct cpu *c)
{
	pthread_condattr_t a;
	int err;

	c->run = calloc(1, sizeof(*c->run));
	if (!c->run)
		return -ENOMEM;
	err = c->soc->cfg.jit.use == JIT_ON ? translator()->create(c, &c->soc->cfg.jit) : create_pool(c);
	if (err) {
		free(c->run);
		c->run = NULL;
		return err;
	}
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_mutex_init(&c->sleep_lock, NULL);
	pthread_cond_init(&c->sleep_cond, &a);
	pthread_condattr_destroy(&a);
	return 0;
}

void run_destroy(struct cpu *c)
{
	if (!c->run)
		return;
	if (c->jit)
		translator()->destroy(c);
	free(c->run->pool);
	free(c->run);
	c->run = NULL;
	pthread_mutex_destroy(&c->sleep_lock);
	pthread_cond_destroy(&c->sleep_cond);
}

uint64_t cpu_insn_count(const struct cpu *c) { return c->icount; }
gva_t cpu_pc(const struct cpu *c) { return gva(c->pc); }
