/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that another CPU changes while it runs. NOP, B and BL may be exchanged for each other at any time: one or
 * the other is executed, and after the writer's DSB, IC, DSB an ISB is enough to see the new one (Arm ARM,
 * "Concurrent modification and execution of instructions"). Pages of code are replaced, moved and made
 * non-executable under a loop that never leaves them: the loop ends up where TLBI says, or faults.
 */
#include "lib/code.h"

enum { PAGE_WORDS = 1024, ROUNDS = 400 };
#define VA 0x7100000000ul

/* Of CPU 1; what it counts in, and what it waits for. */
static struct {
	volatile u64 stop, count[2], pad[5];
} loop __attribute__((aligned(64)));
static volatile u64 announced, done, wrong, calls, started;

static u64 load_acquire(volatile u64 *p)
{
	u64 v;

	asm volatile("ldar %0, [%1]" : "=r"(v) : "r"(p) : "memory");
	return v;
}
static void store_release(volatile u64 *p, u64 v) { asm volatile("stlr %0, [%1]" ::"r"(v), "r"(p) : "memory"); }

/* A host may have only one CPU for us. */
static void let_others_run(void) { asm volatile("sevl\n wfe\n wfe" ::: "memory"); }

/* False: not in ten seconds. */
static bool reaches(volatile u64 *p, u64 value)
{
	u64 end = read_sysreg(cntvct_el0) + 10 * read_sysreg(cntfrq_el0);

	while (*p < value) {
		if (read_sysreg(cntvct_el0) > end)
			return false;
		let_others_run();
	}
	return true;
}

static bool grows(volatile u64 *p, u64 by) { return reaches(p, *p + by); }

/* ---- Exchanged instructions ---- */

static u32 *site_code;
enum { SITE = 1, BY_BRANCH = 6, BY_CALL = 8 };

/* Returns 1, 2 or 3, by what stands at the site. */
static void make_site(u32 *c)
{
	c[0] = a64_mov(9, 30);
	c[SITE] = A64_NOP;
	c[2] = a64_movz(0, 1);
	c[3] = a64_ret(9);
	c[4] = c[5] = 0; /* undefined */
	c[BY_BRANCH] = a64_movz(0, 2);
	c[BY_BRANCH + 1] = a64_ret(9);
	c[BY_CALL] = a64_movz(0, 3);
	c[BY_CALL + 1] = a64_ret(9);
	icache_sync();
}

static u32 site_word(u64 generation)
{
	switch (generation % 3) {
	case 0: return A64_NOP;
	case 1: return a64_b(BY_BRANCH - SITE);
	default: return a64_bl(BY_CALL - SITE);
	}
}

static u64 call_site(void)
{
	u64 v;

	asm volatile("blr %1\n mov %0, x0" : "=r"(v) : "r"(site_code) : "x0", "x9", "x30", "cc", "memory");
	return v;
}

/* What is announced has been synchronized, and only the one after it may be on its way: not the one before. */
static void call_with_isb(u64 arg)
{
	(void)arg;
	started = 1;
	while (!done) {
		u64 g = load_acquire(&announced), v;

		isb();
		v = call_site();
		wrong += v < 1 || v > 3 || (v == (g + 2) % 3 + 1 && load_acquire(&announced) == g);
		calls++;
	}
}

static void call_without_isb(u64 arg)
{
	(void)arg;
	started = 1;
	while (!done) {
		u64 v = call_site();

		wrong += v < 1 || v > 3;
		calls++;
	}
}

static void exchange(void (*other)(u64), const char *what)
{
	bool alive = true;

	make_site(site_code);
	announced = done = wrong = calls = started = 0;
	cpu_start(1, other, 0);
	while (!started)
		let_others_run();
	for (u64 g = 1; g <= ROUNDS && alive; g++) {
		code_put(&site_code[SITE], site_word(g));
		store_release(&announced, g);
		dsb(ish);
		if (g % 8 == 0)
			alive = grows(&calls, 2);
	}
	done = 1;
	cpu_wait_off(1);
	report(!wrong && alive, "NOP, B and BL exchanged for each other: %s", what);
}

/* ---- Pages under a loop ---- */

/* Counts in loop.count[@which] and reads loop.stop into x2. */
static unsigned put_counting(u32 *c, unsigned at, unsigned which)
{
	c[at++] = a64_ldr(1, 0, 1 + which);
	c[at++] = a64_add(1, 1, 1);
	c[at++] = a64_str(1, 0, 1 + which);
	c[at++] = a64_ldr(2, 0, 0);
	return at;
}

static void run_loop(u64 entry) { code_call((void *)entry, (u64)&loop); }

/* Faults of CPU 1 are waited for until the page is back. */
static volatile u64 faults, fault_esr, fault_elr, fault_far, away;
static bool wait_for_page(struct regs *r)
{
	if (cpu_id() != 1 || r->esr >> 26 != 0x21)
		return false;
	fault_esr = r->esr;
	fault_elr = r->elr;
	fault_far = r->far;
	faults++;
	while (load_acquire(&away))
		let_others_run();
	return true;
}

static void start_loop(u64 entry)
{
	loop.stop = loop.count[0] = loop.count[1] = 0;
	faults = away = 0;
	sync_handler = wait_for_page;
	cpu_start(1, run_loop, entry);
}

static void stop_loop(void)
{
	loop.stop = 1;
	cpu_wait_off(1);
	sync_handler = NULL;
}

/* Points the page at @va elsewhere, with a break before the make if that is to be seen. */
static void set_page(u64 va, const u32 *page, u64 attrs)
{
	away = 1;
	*mmu_pte(va, 3) = 0;
	mmu_flush(va);
	mmu_map(va, (u64)page, attrs);
	store_release(&away, 0);
}

/* The loop counts in a, then in b, and so on; never in the one that is not mapped. */
static void alternate(u64 va, u32 *const pages[2], const char *what)
{
	unsigned strays = 0, stuck = 0;

	for (unsigned i = 1; i <= ROUNDS / 4 && !stuck; i++) {
		u64 before;

		set_page(va, pages[i & 1], PTE_NORMAL);
		before = loop.count[!(i & 1)];
		stuck += !grows(&loop.count[i & 1], 3);
		strays += loop.count[!(i & 1)] != before;
	}
	if (strays || stuck)
		print("# %u strays, stuck %u, faults %lu, last esr %lx elr %lx\n", strays, stuck, faults, fault_esr,
		      fault_elr);
	report(!strays && !stuck, "%s: TLBI takes the loop from one page to the other", what);
}

static u32 *fresh(void)
{
	u32 *p = page_alloc();

	(void)page_alloc(); /* no two of them side by side */
	return p;
}

static void one_page(void)
{
	u32 *pages[2] = { fresh(), fresh() };

	for (unsigned k = 0; k < 2; k++) {
		unsigned n = put_counting(pages[k], 0, k);

		pages[k][n] = a64_cbz(2, -(int)n);
		pages[k][n + 1] = A64_RET;
	}
	icache_sync();
	mmu_map(VA, (u64)pages[0], PTE_NORMAL);
	mmu_flush(VA);
	start_loop(VA);
	grows(&loop.count[0], 1);
	alternate(VA, pages, "a loop within a page");
	stop_loop();
}

/* Two pages, and what connects them at the end of the first; the second one is exchanged. */
static void two_pages(const char *what, const u32 *last, unsigned count, unsigned landing)
{
	u32 *first = fresh(), *pages[2] = { fresh(), fresh() };
	unsigned at = PAGE_WORDS - count;
	u64 second = VA + 4096;

	for (unsigned i = 0; i < count; i++)
		first[at + i] = last[i];
	for (unsigned k = 0; k < 2; k++) {
		unsigned n = put_counting(pages[k], landing, k);

		pages[k][n] = a64_cbz(2, (int)at - (int)(n + PAGE_WORDS));
		pages[k][n + 1] = A64_RET;
	}
	icache_sync();
	mmu_map(VA, (u64)first, PTE_NORMAL);
	mmu_map(second, (u64)pages[0], PTE_NORMAL);
	mmu_flush(VA);
	mmu_flush(second);
	start_loop(VA + at * 4);
	grows(&loop.count[0], 1);
	alternate(second, pages, what);
	stop_loop();
}

static void boundaries(void)
{
	const u32 nops[] = { A64_NOP, A64_NOP };
	const u32 branch[] = { A64_NOP, a64_b(1 + 10) };
	const u32 taken[] = { a64_movz(2, 0), a64_cbz(2, 1 + 20) };
	const u32 not_taken[] = { a64_movz(2, 0), a64_cbnz(2, -1) };
	const u32 flags[] = { a64_movz(2, 0), a64_cmp(2, 0), a64_bcond(COND_EQ, 1 + 30) };

	two_pages("falling through the end of a page", nops, 2, 0);
	two_pages("B as the last word of a page", branch, 2, 10);
	two_pages("CBZ as the last word of a page, taken", taken, 2, 20);
	two_pages("CBNZ as the last word of a page, not taken", not_taken, 2, 0);
	two_pages("CMP and B.EQ as the last words of a page", flags, 3, 30);
}

/* No break before make: only the permission changes. */
static void execute_never(void)
{
	unsigned missed = 0, ran_on = 0, stuck = 0, bad = 0;
	u32 *page = fresh();
	unsigned n = put_counting(page, 0, 0);
	u64 before, end;

	page[n] = a64_cbz(2, -(int)n);
	page[n + 1] = A64_RET;
	icache_sync();
	mmu_map(VA, (u64)page, PTE_NORMAL);
	mmu_flush(VA);
	start_loop(VA);
	for (unsigned i = 0; i < ROUNDS / 4 && !stuck; i++) {
		before = faults;
		away = 1;
		mmu_map(VA, (u64)page, PTE_NORMAL | PTE_PXN);
		mmu_flush(VA);
		end = loop.count[0];
		missed += !reaches(&faults, before + 1);
		ran_on += loop.count[0] > end;
		bad += fault_esr >> 26 != 0x21 || (fault_esr & 0x3f) != 0xf || fault_elr != fault_far ||
		       fault_elr >> 12 != VA >> 12;
		mmu_map(VA, (u64)page, PTE_NORMAL);
		mmu_flush(VA);
		store_release(&away, 0);
		stuck += !grows(&loop.count[0], 2);
	}
	stop_loop();
	if (missed || ran_on || bad || stuck)
		print("# missed %u, ran on %u, stuck %u, bad %u: esr %lx elr %lx far %lx\n", missed, ran_on, stuck,
		      bad, fault_esr, fault_elr, fault_far);
	report(!missed && !stuck,
	       "execute permission taken away under a loop: it faults, and goes on when it is back");
	report(!ran_on, "and not one store of it comes after TLBI and DSB");
	report(!bad, "ELR and FAR are where it stopped, a permission fault of level 3");
}

void test(void)
{
	mmu_on();
	if (cpu_count() < 2) {
		report_skip("another CPU's code is changed", "one vCPU");
		return;
	}
	site_code = fresh();
	exchange(call_without_isb, "one or the other is executed");
	exchange(call_with_isb, "with an ISB never an older one");
	one_page();
	boundaries();
	execute_never();
}
