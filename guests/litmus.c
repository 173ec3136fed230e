/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Litmus tests of the memory model (Arm ARM, "The AArch64 application level memory model"): what an ordering
 * forbids never shows, with every kind of instruction that can give that ordering.
 *
 * A shape says who reads and writes what, an order how two accesses of one thread are kept in order. The threads
 * go through an array of places side by side, each with a small delay of its own, and all is judged when they are
 * through: so they meet often, at the price of no barrier. Where they do not, for want of host CPUs, a try goes on
 * for a while. Outcomes that no order forbids are counted and printed: store buffering that never shows would mean
 * that the threads do not meet.
 *
 * "litmus-long" on the command line: 10^7 runs in all.
 */
#include "lib/lib.h"

enum { PLACES = 256, THREADS = 4, RESULTS = 2, DELAY_MAX = 15, PATIENCE = 40, ENOUGH = 8 };

/* ---- One access ---- */

#define LDR(d, l)   "ldr %[" #d "], [%[" #l "]]\n"
#define LDAR(d, l)  "ldar %[" #d "], [%[" #l "]]\n"
#define LDAPR(d, l) "ldapr %[" #d "], [%[" #l "]]\n"
#define LDXR(d, l)  "ldxr %[" #d "], [%[" #l "]]\n"
#define LDAXR(d, l) "ldaxr %[" #d "], [%[" #l "]]\n"
/* Read-modify-writes that change nothing. */
#define ADD0(o, d, l) "ldadd" #o " xzr, %[" #d "], [%[" #l "]]\n"
#define CAS0(o, d, l) "mov %[" #d "], #-1\n cas" #o " %[" #d "], xzr, [%[" #l "]]\n"

#define STR(v, l)          "str %[" #v "], [%[" #l "]]\n"
#define STLR(v, l)         "stlr %[" #v "], [%[" #l "]]\n"
#define XCHG(ld, st, v, l) "1: " #ld " %[t], [%[" #l "]]\n " #st " %w[s], %[" #v "], [%[" #l "]]\n cbnz %w[s], 1b\n"
#define SWP(o, v, l)       "swp" #o " %[" #v "], %[t], [%[" #l "]]\n"
#define ADD(o, v, l)       "ldadd" #o " %[" #v "], %[t], [%[" #l "]]\n"
#define CAS(o, v, l)                                                                           \
	"1: ldr %[t], [%[" #l "]]\n mov %[s], %[t]\n cas" #o " %[s], %[" #v "], [%[" #l "]]\n" \
	" cmp %[s], %[t]\n b.ne 1b\n"
#define DMB(k) "dmb " #k "\n"

/* ---- Two accesses of one thread: first p (of v, or into a), then q (of w, or into b) ---- */

#define ORDER(name, text)                                                             \
	static void name(u64 *p, u64 *q, u64 v, u64 w, u64 *result)                   \
	{                                                                             \
		u64 a = 0, b = 0, s, t;                                               \
		asm volatile(text                                                     \
			     : [a] "+&r"(a), [b] "+&r"(b), [s] "=&r"(s), [t] "=&r"(t) \
			     : [p] "r"(p), [q] "r"(q), [v] "r"(v), [w] "r"(w)         \
			     : "cc", "memory");                                       \
		result[0] = a;                                                        \
		result[1] = b;                                                        \
	}

/* Write, write. */
ORDER(ww_plain, STR(v, p) STR(w, q))
ORDER(ww_dmb, STR(v, p) DMB(ish) STR(w, q))
ORDER(ww_dmbst, STR(v, p) DMB(ishst) STR(w, q))
ORDER(ww_dsb, STR(v, p) "dsb ishst\n" STR(w, q))
ORDER(ww_stlr, STR(v, p) STLR(w, q))
ORDER(ww_stlr_stlr, STLR(v, p) STLR(w, q))
ORDER(ww_stlxr, STR(v, p) XCHG(ldxr, stlxr, w, q))
ORDER(ww_excl, XCHG(ldxr, stxr, v, p) DMB(ish) XCHG(ldxr, stxr, w, q))
ORDER(ww_swpl, STR(v, p) SWP(l, w, q))
ORDER(ww_swpal, SWP(al, v, p) STR(w, q))
ORDER(ww_addl, STR(v, p) ADD(l, w, q))
ORDER(ww_addal, ADD(al, v, p) STR(w, q))
ORDER(ww_casl, STR(v, p) CAS(l, w, q))

/* Read, read. */
ORDER(rr_plain, LDR(a, p) LDR(b, q))
ORDER(rr_one_base, LDR(a, p) LDR(b, p))
ORDER(rr_dmb, LDR(a, p) DMB(ish) LDR(b, q))
ORDER(rr_dmbld, LDR(a, p) DMB(ishld) LDR(b, q))
ORDER(rr_ldar, LDAR(a, p) LDR(b, q))
ORDER(rr_ldapr, LDAPR(a, p) LDR(b, q))
ORDER(rr_ldapr_ldapr, LDAPR(a, p) LDAPR(b, q))
ORDER(rr_ldxr, LDXR(a, p) DMB(ishld) LDXR(b, q))
ORDER(rr_ldaxr, LDAXR(a, p) LDR(b, q))
ORDER(rr_adda, ADD0(a, a, p) LDR(b, q))
ORDER(rr_casa, CAS0(a, a, p) LDR(b, q))
ORDER(rr_address, LDR(a, p) "eor %[t], %[a], %[a]\n ldr %[b], [%[q], %[t]]\n")
ORDER(rr_isb, LDR(a, p) "cbnz %[a], 1f\n 1: isb\n" LDR(b, q))

/* Read, write. */
ORDER(rw_plain, LDR(a, p) STR(w, q))
ORDER(rw_dmb, LDR(a, p) DMB(ish) STR(w, q))
ORDER(rw_dmbld, LDR(a, p) DMB(ishld) STR(w, q))
ORDER(rw_ldar, LDAR(a, p) STR(w, q))
ORDER(rw_ldapr, LDAPR(a, p) STR(w, q))
ORDER(rw_ldaxr, LDAXR(a, p) STR(w, q))
ORDER(rw_stlr, LDR(a, p) STLR(w, q))
ORDER(rw_stlxr, LDR(a, p) XCHG(ldxr, stlxr, w, q))
ORDER(rw_swpl, LDR(a, p) SWP(l, w, q))
ORDER(rw_adda, ADD0(a, a, p) STR(w, q))
ORDER(rw_casa, CAS0(a, a, p) STR(w, q))
ORDER(rw_casl, LDR(a, p) CAS(l, w, q))
ORDER(rw_data, LDR(a, p) "eor %[t], %[a], %[a]\n add %[t], %[t], %[w]\n" STR(t, q))
ORDER(rw_control, LDR(a, p) "cbnz %[a], 1f\n 1:\n" STR(w, q))

/* Write, read. */
ORDER(wr_plain, STR(v, p) LDR(b, q))
ORDER(wr_dmb, STR(v, p) DMB(ish) LDR(b, q))
ORDER(wr_dmb_sy, STR(v, p) DMB(sy) LDXR(b, q))
ORDER(wr_dsb, STR(v, p) "dsb ish\n" LDR(b, q))
ORDER(wr_rcsc, STLR(v, p) LDAR(b, q))
ORDER(wr_excl, XCHG(ldaxr, stlxr, v, p) LDAXR(b, q))
ORDER(wr_excl_dmb, XCHG(ldxr, stlxr, v, p) DMB(ish) LDR(b, q))
ORDER(wr_swpal, SWP(al, v, p) LDR(b, q))
ORDER(wr_swpl, SWP(l, v, p) LDAR(b, q))
ORDER(wr_addal, ADD(al, v, p) LDR(b, q))
ORDER(wr_casal, CAS(al, v, p) LDR(b, q))
ORDER(wr_adda, STLR(v, p) ADD0(a, b, q))
ORDER(wr_casa, STLR(v, p) CAS0(a, b, q))
ORDER(wr_rcpc, STLR(v, p) LDAPR(b, q))
ORDER(wr_release, STLR(v, p) LDR(b, q))
ORDER(wr_dmbst, STR(v, p) DMB(ishst) LDR(b, q))

/* One write. */
ORDER(w_plain, STR(v, p))
ORDER(w_stlr, STLR(v, p))
ORDER(w_stxr, XCHG(ldxr, stxr, v, p))
ORDER(w_swp, SWP(, v, p))
ORDER(w_cas, CAS(, v, p))
ORDER(w_add, ADD(, v, p))

enum {
	WEAK = 1, /* does not order */
	ADDS = 2, /* writes the right value only where it is the only writer */
	LSE = 4,
	RCPC = 8,
	SAME = 16, /* for p == q */
};

struct order {
	const char *name;
	void (*fn)(u64 *p, u64 *q, u64 v, u64 w, u64 *result);
	unsigned flags;
};

static const struct order ww[] = {
	{ "STR STR", ww_plain, WEAK },
	{ "DMB ISH", ww_dmb, 0 },
	{ "DMB ISHST", ww_dmbst, 0 },
	{ "DSB ISHST", ww_dsb, 0 },
	{ "STR STLR", ww_stlr, 0 },
	{ "STLR STLR", ww_stlr_stlr, 0 },
	{ "STR STLXR", ww_stlxr, 0 },
	{ "STXR DMB STXR", ww_excl, 0 },
	{ "STR SWPL", ww_swpl, LSE },
	{ "SWPAL STR", ww_swpal, LSE },
	{ "STR LDADDL", ww_addl, LSE | ADDS },
	{ "LDADDAL STR", ww_addal, LSE | ADDS },
	{ "STR CASL", ww_casl, LSE },
};
static const struct order rr[] = {
	{ "LDR LDR", rr_plain, WEAK },
	{ "one base", rr_one_base, SAME },
	{ "DMB ISH", rr_dmb, 0 },
	{ "DMB ISHLD", rr_dmbld, 0 },
	{ "LDAR LDR", rr_ldar, 0 },
	{ "LDAPR LDR", rr_ldapr, RCPC },
	{ "LDAPR LDAPR", rr_ldapr_ldapr, RCPC },
	{ "LDXR DMB LDXR", rr_ldxr, 0 },
	{ "LDAXR LDR", rr_ldaxr, 0 },
	{ "LDADDA LDR", rr_adda, LSE },
	{ "CASA LDR", rr_casa, LSE },
	{ "address dependency", rr_address, 0 },
	{ "control and ISB", rr_isb, 0 },
};
static const struct order rw[] = {
	{ "LDR STR", rw_plain, WEAK },     { "DMB ISH", rw_dmb, 0 },
	{ "DMB ISHLD", rw_dmbld, 0 },      { "LDAR STR", rw_ldar, 0 },
	{ "LDAPR STR", rw_ldapr, RCPC },   { "LDAXR STR", rw_ldaxr, 0 },
	{ "LDR STLR", rw_stlr, 0 },        { "LDR STLXR", rw_stlxr, 0 },
	{ "LDR SWPL", rw_swpl, LSE },      { "LDADDA STR", rw_adda, LSE },
	{ "CASA STR", rw_casa, LSE },      { "LDR CASL", rw_casl, LSE },
	{ "data dependency", rw_data, 0 }, { "control dependency", rw_control, 0 },
};
static const struct order wr[] = {
	{ "STR LDR", wr_plain, WEAK },       { "DMB ISH", wr_dmb, 0 },
	{ "DMB SY", wr_dmb_sy, 0 },          { "DSB ISH", wr_dsb, 0 },
	{ "STLR LDAR", wr_rcsc, 0 },         { "STLXR LDAXR", wr_excl, 0 },
	{ "STLXR DMB LDR", wr_excl_dmb, 0 }, { "SWPAL LDR", wr_swpal, LSE },
	{ "SWPL LDAR", wr_swpl, LSE },       { "LDADDAL LDR", wr_addal, LSE | ADDS },
	{ "CASAL LDR", wr_casal, LSE },      { "STLR LDADDA", wr_adda, LSE },
	{ "STLR CASA", wr_casa, LSE },       { "STLR LDAPR", wr_rcpc, WEAK | RCPC },
	{ "STLR LDR", wr_release, WEAK },    { "DMB ISHST", wr_dmbst, WEAK },
};
static const struct order w_[] = {
	{ "STR", w_plain, 0 }, { "STLR", w_stlr, 0 }, { "STXR", w_stxr, 0 },
	{ "SWP", w_swp, LSE }, { "CAS", w_cas, LSE }, { "LDADD", w_add, LSE | ADDS },
};

/* ---- Shapes ---- */

/* What a run left behind: x and y at the end, and what each thread has read. */
struct outcome {
	u64 x, y;
	u64 (*r)[RESULTS];
};
enum place { X, Y };

struct role {
	const struct order *orders;
	unsigned count;
	enum place p, q;
	u64 v, w;
};
#define ROLE(orders, p, v, q, w)                       \
	{                                              \
		orders, ARRAY_SIZE(orders), p, q, v, w \
	}

static const struct shape {
	const char *name;
	unsigned threads;
	struct role role[THREADS];
	bool (*forbidden)(struct outcome o);
	bool (*met)(struct outcome o); /* only threads that overlap make that */
	bool two_writers;              /* of one place */
	bool coherence;                /* of one place: needs no order */
} shapes[];

#define OUTCOME(name, condition) \
	static bool name(struct outcome o) { return condition; }
OUTCOME(mp, o.r[1][0] == 1 && o.r[1][1] == 0)
OUTCOME(mp_met, o.r[1][0] == 0 && o.r[1][1] == 1)
OUTCOME(sb, o.r[0][1] == 0 && o.r[1][1] == 0)
OUTCOME(sb_met, o.r[0][1] == 1 && o.r[1][1] == 1)
OUTCOME(lb, o.r[0][0] == 1 && o.r[1][0] == 1)
OUTCOME(lb_met, o.r[0][0] == 0 && o.r[1][0] == 0)
OUTCOME(two_two_w, o.x == 1 && o.y == 1)
OUTCOME(two_two_w_met, o.x == 2 && o.y == 2)
OUTCOME(r, o.y == 2 && o.r[1][1] == 0)
OUTCOME(r_met, o.y == 1 && o.r[1][1] == 1)
OUTCOME(s, o.x == 2 && o.r[1][0] == 1)
OUTCOME(s_met, o.x == 1 && o.r[1][0] == 0)
OUTCOME(wrc, o.r[1][0] == 1 && o.r[2][0] == 1 && o.r[2][1] == 0)
OUTCOME(wrc_met, o.r[1][0] == 1 && o.r[2][0] == 0 && o.r[2][1] == 1)
OUTCOME(iriw, o.r[2][0] == 1 && o.r[2][1] == 0 && o.r[3][0] == 1 && o.r[3][1] == 0)
OUTCOME(iriw_met, o.r[2][0] + o.r[2][1] == 1 && o.r[3][0] + o.r[3][1] == 1)
OUTCOME(corr, o.r[1][0] > o.r[1][1] || o.r[1][1] > 1)
OUTCOME(corr_met, o.r[1][0] < o.r[1][1])
OUTCOME(coww, o.x != 2 || o.r[1][0] > o.r[1][1])
OUTCOME(coww_met, o.r[1][0] == 1 || o.r[1][1] == 1)
OUTCOME(cowr, o.r[0][1] == 0 || (o.r[0][1] == 2 && o.x == 1))
OUTCOME(cowr_met, o.r[0][1] == 2)
OUTCOME(corw, o.r[0][0] == 1 || (o.r[0][0] == 2 && o.x == 2))
OUTCOME(corw_met, o.r[0][0] == 0 && o.x == 2)

static const struct shape shapes[] = {
	{ "message passing", 2, { ROLE(ww, X, 1, Y, 1), ROLE(rr, Y, 0, X, 0) }, mp, mp_met, false, false },
	{ "store buffering", 2, { ROLE(wr, X, 1, Y, 0), ROLE(wr, Y, 1, X, 0) }, sb, sb_met, false, false },
	{ "load buffering", 2, { ROLE(rw, X, 0, Y, 1), ROLE(rw, Y, 0, X, 1) }, lb, lb_met, false, false },
	{ "2+2W", 2, { ROLE(ww, X, 1, Y, 2), ROLE(ww, Y, 1, X, 2) }, two_two_w, two_two_w_met, true, false },
	{ "R", 2, { ROLE(ww, X, 1, Y, 1), ROLE(wr, Y, 2, X, 0) }, r, r_met, true, false },
	{ "S", 2, { ROLE(ww, X, 2, Y, 1), ROLE(rw, Y, 0, X, 1) }, s, s_met, true, false },
	{ "CoRR", 2, { ROLE(w_, X, 1, X, 0), ROLE(rr, X, 0, X, 0) }, corr, corr_met, false, true },
	{ "CoWW", 2, { ROLE(ww, X, 1, X, 2), ROLE(rr, X, 0, X, 0) }, coww, coww_met, true, true },
	{ "CoWR", 2, { ROLE(wr, X, 1, X, 0), ROLE(w_, X, 2, X, 0) }, cowr, cowr_met, true, true },
	{ "CoRW", 2, { ROLE(rw, X, 0, X, 1), ROLE(w_, X, 2, X, 0) }, corw, corw_met, true, true },
	{ "write to read causality",
	  3,
	  { ROLE(w_, X, 1, X, 0), ROLE(rw, X, 0, Y, 1), ROLE(rr, Y, 0, X, 0) },
	  wrc,
	  wrc_met,
	  false,
	  false },
	{ "independent reads of independent writes",
	  4,
	  { ROLE(w_, X, 1, X, 0), ROLE(w_, Y, 1, X, 0), ROLE(rr, X, 0, Y, 0), ROLE(rr, Y, 0, X, 0) },
	  iriw,
	  iriw_met,
	  false,
	  false },
};

/* ---- Threads ---- */

/* x and y of a place are in lines of their own, or in two words side by side. */
static u64 places[PLACES][16] __attribute__((aligned(4096)));
static u64 results[PLACES][THREADS][RESULTS];
static struct {
	volatile u64 at, pad[7];
} progress[THREADS] __attribute__((aligned(64)));

static const struct shape *shape;
static const struct order *chosen[THREADS];
static unsigned y_at;
static volatile bool over;
static u64 runs, want_runs, end_time, hits, meetings;

static u64 load_acquire(volatile u64 *p)
{
	u64 v;

	asm volatile("ldar %0, [%1]" : "=r"(v) : "r"(p) : "memory");
	return v;
}

static void store_release(volatile u64 *p, u64 v) { asm volatile("stlr %0, [%1]" ::"r"(v), "r"(p) : "memory"); }

/* Until *p is at least v; a host CPU that is needed elsewhere is given away. */
static void wait_for(volatile u64 *p, u64 v)
{
	u64 now;

	for (unsigned k = 0; k < 200; k++)
		if (load_acquire(p) >= v)
			return;
	asm volatile("sevl\n 1: wfe\n ldaxr %0, [%1]\n cmp %0, %2\n b.lo 1b"
		     : "=&r"(now)
		     : "r"(p), "r"(v)
		     : "cc", "memory");
}

static void rendezvous(u64 me, u64 n)
{
	store_release(&progress[me].at, n);
	for (unsigned t = 0; t < shape->threads; t++)
		wait_for(&progress[t].at, n);
}

/* Side by side, as far as the hosts' CPUs go along: nobody waits long. */
static void keep_pace(u64 me, u64 n)
{
	progress[me].at = n;
	for (unsigned t = 0, k = 0; t < shape->threads && k < PATIENCE; k++)
		t += progress[t].at >= n;
}

static void go_through(u64 me, u64 base, u64 *seed)
{
	const struct role *role = &shape->role[me];
	unsigned p = role->p == Y ? y_at : 0, q = role->q == Y ? y_at : 0;
	u64 s = *seed;

	for (unsigned i = 0; i < PLACES; i++) {
		s = s * 6364136223846793005 + 1442695040888963407;
		keep_pace(me, base + i);
		for (u64 d = s >> 32 & DELAY_MAX; d; d--)
			asm volatile("");
		chosen[me]->fn(&places[i][p], &places[i][q], role->v, role->w, results[i][me]);
	}
	*seed = s;
}

/* Everybody is through; thread 0 alone. */
static void judge(void)
{
	for (unsigned i = 0; i < PLACES; i++) {
		struct outcome o = { places[i][0], places[i][y_at], results[i] };

		hits += shape->forbidden(o);
		meetings += shape->met(o);
		places[i][0] = places[i][y_at] = 0;
	}
	runs += PLACES;
	y_at ^= 1 ^ 8;
	over = (runs >= want_runs && meetings >= ENOUGH) || read_sysreg(cntvct_el0) > end_time;
}

static void thread(u64 me)
{
	u64 n = 0, seed = me;

	while (!over) {
		rendezvous(me, ++n);
		go_through(me, n + 1, &seed);
		n += PLACES + 1;
		rendezvous(me, n);
		if (!me)
			judge();
		rendezvous(me, ++n);
	}
}

/* ---- What is tried ---- */

static unsigned long_factor = 1;

static bool lacks(const struct order *o)
{
	return ((o->flags & LSE) && !has_lse()) || ((o->flags & RCPC) && !has_lrcpc()) ||
	       ((o->flags & ADDS) && shape->two_writers) || ((o->flags & SAME) && !shape->coherence);
}

/* Chooses the orders of try @k, each thread's @shift further than the one before; false if one cannot be tried. */
static bool choose(unsigned k, unsigned shift)
{
	for (unsigned t = 0; t < shape->threads; t++) {
		chosen[t] = &shape->role[t].orders[(k + t * shift) % shape->role[t].count];
		if (lacks(chosen[t]))
			return false;
	}
	return true;
}

static void run_once(void)
{
	runs = hits = meetings = 0;
	over = false;
	y_at = 8;
	want_runs = PLACES * 16 * long_factor;
	end_time = read_sysreg(cntvct_el0) + long_factor * read_sysreg(cntfrq_el0) / 32;
	memset(progress, 0, sizeof(progress));
	for (unsigned t = 1; t < shape->threads; t++)
		cpu_start(t, thread, t);
	thread(0);
	for (unsigned t = 1; t < shape->threads; t++)
		cpu_wait_off(t);
}

static void say(const char *what)
{
	print("# %s:", shape->name);
	for (unsigned t = 0; t < shape->threads; t++)
		print("%s %s", t ? " |" : "", chosen[t]->name);
	print(": %s %lu of %lu\n", what, hits, runs);
}

static bool ordered(void)
{
	for (unsigned t = 0; t < shape->threads; t++)
		if ((chosen[t]->flags & WEAK) && !shape->coherence)
			return false;
	return true;
}

static u64 total;

static void try_shape(void)
{
	unsigned tries = 0, most = 0, bad = 0;
	u64 met = 0, all = 0;

	for (unsigned t = 0; t < shape->threads; t++)
		if (shape->role[t].count > most)
			most = shape->role[t].count;
	for (unsigned k = 0; k < 2 * most; k++) {
		if (!choose(k % most, k / most))
			continue;
		run_once();
		all += runs;
		met += meetings;
		tries += ordered();
		bad += ordered() && hits;
		if (hits)
			say(ordered() ? "forbidden, but" : "allowed,");
	}
	total += all;
	print("# %s: threads met in %lu of %lu\n", shape->name, met, all);
	report(!bad && tries, "%s: what is forbidden never shows", shape->name);
}

/* ---- Pairs: 16 and 8 bytes at once ---- */

static volatile u64 pair[2] __attribute__((aligned(16)));
static volatile bool stop;
static u64 torn, backwards, pairs_read;

#define PAIR(name, x)                                                                                            \
	static void write_stxp_##name(u64 v)                                                                     \
	{                                                                                                        \
		u64 a, b, s;                                                                                     \
		asm volatile("1: ldxp %" x "0, %" x "1, [%3]\n stxp %w2, %" x "4, %" x "4, [%3]\n cbnz %w2, 1b"  \
			     : "=&r"(a), "=&r"(b), "=&r"(s)                                                      \
			     : "r"(pair), "r"(v)                                                                 \
			     : "memory");                                                                        \
	}                                                                                                        \
	static void write_casp_##name(u64 v)                                                                     \
	{                                                                                                        \
		register u64 x0 asm("x0") = v - 1, x1 asm("x1") = v - 1, x2 asm("x2") = v, x3 asm("x3") = v;     \
		asm volatile("caspal " x "0, " x "1, " x "2, " x "3, [%4]"                                       \
			     : "+r"(x0), "+r"(x1)                                                                \
			     : "r"(x2), "r"(x3), "r"(pair)                                                       \
			     : "memory");                                                                        \
		(void)x0, (void)x1;                                                                              \
	}                                                                                                        \
	/* Only a store that succeeds says that the two halves are of one moment. */                             \
	static void read_ldxp_##name(u64 *a, u64 *b)                                                             \
	{                                                                                                        \
		u64 s;                                                                                           \
		asm volatile("1: ldaxp %" x "0, %" x "1, [%3]\n stxp %w2, %" x "0, %" x "1, [%3]\n cbnz %w2, 1b" \
			     : "=&r"(*a), "=&r"(*b), "=&r"(s)                                                    \
			     : "r"(pair)                                                                         \
			     : "memory");                                                                        \
	}                                                                                                        \
	static void read_casp_##name(u64 *a, u64 *b)                                                             \
	{                                                                                                        \
		register u64 x0 asm("x0") = ~0ul, x1 asm("x1") = 0, x2 asm("x2") = 0, x3 asm("x3") = 0;          \
		asm volatile("caspa " x "0, " x "1, " x "2, " x "3, [%4]"                                        \
			     : "+r"(x0), "+r"(x1)                                                                \
			     : "r"(x2), "r"(x3), "r"(pair)                                                       \
			     : "memory");                                                                        \
		*a = x0;                                                                                         \
		*b = x1;                                                                                         \
	}
PAIR(x, "x")
PAIR(w, "w")

/* Eight bytes, aligned, are one access whatever they are to each half's reader. */
static void write_str(u64 v) { *(volatile u64 *)pair = v << 32 | v; }
static void read_ldr(u64 *a, u64 *b)
{
	u64 v = *(volatile u64 *)pair;

	*a = v & 0xffffffff;
	*b = v >> 32;
}

static void (*pair_writer)(u64 v);

static void write_pairs(u64 last)
{
	for (u64 v = 1; v <= last; v++)
		pair_writer(v);
	dsb(ish);
	stop = true;
}

static const struct {
	const char *name;
	void (*write)(u64 v);
	void (*read)(u64 *a, u64 *b);
	bool lse;
} pair_tests[] = {
	{ "STXP and LDXP, 16 bytes", write_stxp_x, read_ldxp_x, false },
	{ "CASP and LDXP, 16 bytes", write_casp_x, read_ldxp_x, true },
	{ "STXP and CASP, 16 bytes", write_stxp_x, read_casp_x, true },
	{ "CASP and CASP, 16 bytes", write_casp_x, read_casp_x, true },
	{ "STXP and LDXP, 8 bytes", write_stxp_w, read_ldxp_w, false },
	{ "CASP and CASP, 8 bytes", write_casp_w, read_casp_w, true },
	{ "STXP and LDR", write_stxp_w, read_ldr, false },
	{ "STR and LDXP", write_str, read_ldxp_w, false },
	{ "STR and CASP", write_str, read_casp_w, true },
};

static void try_pair(unsigned n)
{
	u64 a, b, last = 0;

	if (pair_tests[n].lse && !has_lse()) {
		report_skip(pair_tests[n].name, "no FEAT_LSE");
		return;
	}
	pair[0] = pair[1] = 0;
	stop = false;
	torn = backwards = pairs_read = 0;
	pair_writer = pair_tests[n].write;
	cpu_start(1, write_pairs, 50000 * long_factor);
	while (!stop) {
		pair_tests[n].read(&a, &b);
		torn += a != b;
		backwards += a < last;
		last = a;
		pairs_read++;
	}
	cpu_wait_off(1);
	total += pairs_read;
	if (torn || backwards)
		print("# %lu torn, %lu backwards of %lu\n", torn, backwards, pairs_read);
	report(!torn && !backwards, "%s: never torn, never backwards", pair_tests[n].name);
}

void test(void)
{
	unsigned cpus;

	mmu_on();
	cpus = cpu_count();
	if (told("litmus-long"))
		long_factor = 8;
	for (shape = shapes; shape < shapes + ARRAY_SIZE(shapes); shape++) {
		if (shape->threads > cpus)
			report_skip(shape->name, "not so many vCPUs");
		else
			try_shape();
	}
	for (unsigned n = 0; n < ARRAY_SIZE(pair_tests) && cpus > 1; n++)
		try_pair(n);
	print("# %lu runs\n", total);
}
