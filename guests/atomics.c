/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two CPUs at once: exclusives and LSE lose no update, 16 bytes never tear, a spinlock excludes. */
#include "lib/lib.h"

#define ROUNDS 20000

static struct {
	volatile u64 v;
	u64 pad[7];
} cell[8] __attribute__((aligned(64)));
static volatile u64 pair[2] __attribute__((aligned(16)));
static volatile u32 lock;
static volatile u64 guarded, torn, started[2];

static void ldxr_add(volatile u64 *p)
{
	u64 t;
	u32 s;

	asm volatile("1: ldxr %0, [%2]\n add %0, %0, #1\n stxr %w1, %0, [%2]\n cbnz %w1, 1b"
		     : "=&r"(t), "=&r"(s)
		     : "r"(p)
		     : "memory");
}

static void ldaxp_add(void)
{
	u64 a, b;
	u32 s;

	asm volatile(
		"1: ldaxp %0, %1, [%3]\n add %0, %0, #1\n add %1, %1, #1\n stlxp %w2, %0, %1, [%3]\n cbnz %w2, 1b"
		: "=&r"(a), "=&r"(b), "=&r"(s)
		: "r"(pair)
		: "memory");
	torn += a != b;
}

static void casp_add(void)
{
	register u64 x0 asm("x0"), x1 asm("x1"), x2 asm("x2"), x3 asm("x3");
	u64 was0, was1;

	do {
		/* A CASP that fails reads both halves at once. */
		asm volatile("mov x0, #0\n mov x1, #1\n mov x2, #0\n mov x3, #1\n casp x0, x1, x2, x3, [%4]"
			     : "=&r"(x0), "=&r"(x1), "=&r"(x2), "=&r"(x3)
			     : "r"(pair)
			     : "memory");
		was0 = x0;
		was1 = x1;
		torn += was0 != was1;
		x2 = was0 + 1;
		x3 = was1 + 1;
		asm volatile("caspal x0, x1, x2, x3, [%4]"
			     : "+r"(x0), "+r"(x1)
			     : "r"(x2), "r"(x3), "r"(pair)
			     : "memory");
	} while (x0 != was0 || x1 != was1);
}

static void spin_lock(void)
{
	u32 t;

	asm volatile("sevl\n 1: wfe\n 2: ldaxr %w0, [%1]\n cbnz %w0, 1b\n stxr %w0, %w2, [%1]\n cbnz %w0, 2b"
		     : "=&r"(t)
		     : "r"(&lock), "r"(1)
		     : "memory");
}

static void spin_unlock(void) { asm volatile("stlr wzr, [%0]" ::"r"(&lock) : "memory"); }

/*
 * Store buffering: each CPU stores its own word, then loads the other's. With
 * STLR and LDAR (RCsc), or a DMB between plain ones, not both may load the old value.
 */
#define LITMUS 4096
static volatile struct {
	u64 stored[2], pad[6];
} sb[LITMUS];
static u64 loaded[2][LITMUS];

static void store_buffering(u64 me)
{
	for (unsigned i = 0; i < LITMUS; i++) {
		u64 v;

		if (i & 1)
			asm volatile("stlr %1, [%2]\n ldar %0, [%3]"
				     : "=&r"(v)
				     : "r"(1ul), "r"(&sb[i].stored[me]), "r"(&sb[i].stored[!me])
				     : "memory");
		else
			asm volatile("str %1, [%2]\n dmb ish\n ldr %0, [%3]"
				     : "=&r"(v)
				     : "r"(1ul), "r"(&sb[i].stored[me]), "r"(&sb[i].stored[!me])
				     : "memory");
		loaded[me][i] = v;
	}
}

static bool store_buffering_seen(void)
{
	for (unsigned i = 0; i < LITMUS; i++)
		if (!loaded[0][i] && !loaded[1][i])
			return true;
	return false;
}

static void large_system_extensions(unsigned i, u64 me)
{
	u64 one = 1, old, expect;

	asm volatile("stadd %0, [%1]" ::"r"(one), "r"(&cell[1].v) : "memory");
	asm volatile("ldaddal %1, %0, [%2]" : "=r"(old) : "r"(one), "r"(&cell[2].v) : "memory");
	do {
		old = expect = cell[3].v;
		asm volatile("casal %0, %1, [%2]" : "+r"(old) : "r"(expect + 1), "r"(&cell[3].v) : "memory");
	} while (old != expect);
	/* Each CPU toggles its own bit with set and clear; the other's must survive. */
	asm volatile("stset %0, [%1]" ::"r"(1ul << me), "r"(&cell[4].v) : "memory");
	if (!(cell[4].v >> me & 1))
		torn++;
	asm volatile("stclr %0, [%1]" ::"r"(1ul << me), "r"(&cell[4].v) : "memory");
	asm volatile("stumax %0, [%1]" ::"r"((u64)i * 2 + me), "r"(&cell[5].v) : "memory");
}

static void both(u64 me)
{
	bool lse = has_lse();

	started[me] = 1;
	dsb(sy);
	while (!started[!me])
		;
	store_buffering(me);
	for (unsigned i = 0; i < ROUNDS; i++) {
		ldxr_add(&cell[0].v);
		if (lse)
			large_system_extensions(i, me);
		ldaxp_add();
		if (lse)
			casp_add();
		spin_lock();
		guarded = guarded + 1;
		spin_unlock();
	}
}

static void lse_report(bool condition, const char *what)
{
	if (has_lse())
		report(condition, "%s", what);
	else
		report_skip(what, "no FEAT_LSE");
}

void test(void)
{
	mmu_on();
	if (cpu_count() < 2) {
		report_skip("atomics between CPUs", "one vCPU");
		return;
	}
	report(cpu_start(1, both, 1), "the other CPU starts");
	both(0);
	cpu_wait_off(1);
	report(cell[0].v == 2 * ROUNDS, "LDXR/STXR loses no increment (%lu)", cell[0].v);
	lse_report(cell[1].v == 2 * ROUNDS, "STADD loses no increment");
	lse_report(cell[2].v == 2 * ROUNDS, "LDADDAL loses no increment");
	lse_report(cell[3].v == 2 * ROUNDS, "CASAL loses no increment");
	lse_report(cell[4].v == 0, "STSET and STCLR keep each other's bits");
	lse_report(cell[5].v == (ROUNDS - 1) * 2 + 1, "STUMAX finds the largest");
	lse_report(pair[0] == 4 * ROUNDS && pair[1] == 4 * ROUNDS, "LDAXP/STLXP and CASPAL count together");
	report(guarded == 2 * ROUNDS, "a spinlock with WFE excludes");
	report(!store_buffering_seen(), "STLR is not passed by LDAR, nor a store by a load over DMB");
	report(!torn, "no 16-byte access was ever seen torn");
}
