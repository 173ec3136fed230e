/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every row of a64.def against qemu-aarch64: random words of the row, random
 * state; registers, flags, FPSR, memory, pc and "undefined" must agree.
 *
 *   tests/a64/run [--count N] [--seed S] [--show N] [PATTERN...]     PATTERN: row names, with * and ?
 *
 * One batch is one row. The host half makes the cases, runs our exec_ functions
 * on them and writes them to shared memory; guest.c runs them under the emulator.
 * A case reproduces from seed, row and count alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <capstone/capstone.h>

#include "draw.h"
#include "fake.h"

#define QEMU_CPU     "max,pauth=off,sve=off,sme=off"
#define HANG_MS      20000
#define PSTATE_BTYPE (UINT64_C(3) << PSTATE_BTYPE_SHIFT)
#define FEATURES     (((UINT64_C(1) << FEAT_COUNT) - 1) & ~(UINT64_C(1) << FEAT_SVE | UINT64_C(1) << FEAT_PAUTH))

/* Rows that cannot be compared with an emulator of EL0. */
static const struct exception {
	const char *row, *why;
} exceptions[] = {
	{ "SVC", "the emulator would perform a Linux system call" },
	{ "HVC", "smccc_call(); the kernel side is tested by guests/" },
	{ "ERET*", "EL1 only" },
	{ "WFI", "waits; the emulator does not" },
	{ "WFE", "waits; the emulator does not" },
	{ "WFIT", "waits; the emulator does not" },
	{ "WFET", "waits; the emulator does not" },
	{ "MRS*", "system registers are not those of Linux's EL0" },
	{ "MSR*", "system registers are not those of Linux's EL0" },
	{ "SYS*", "cache and TLB maintenance, address translation" },
	{ "DC_*", "cache maintenance" },
	{ "IC_*", "cache maintenance" },
	{ "HLT", "the emulator takes semihosting calls" },
};

/* Words that are instructions to the emulator by features we do not have; all others must be UNDEFINED to it too. */
static const struct elsewhere {
	uint32_t mask, value;
	const char *what;
} elsewhere[] = {
	{ 0xff000010, 0x54000010, "BC.cond: FEAT_HBC" },
	{ 0xffc00000, 0x68800000, "STGP: FEAT_MTE" },
	{ 0xff400000, 0x69000000, "STGP: FEAT_MTE" },
	{ 0xff200000, 0xd9200000, "LDG, STG...: FEAT_MTE" },
	{ 0xbfc00000, 0x91800000, "ADDG, SUBG: FEAT_MTE" },
	{ 0xdfe0fc00, 0x9ac00000, "SUBP: FEAT_MTE" },
	{ 0xffe0f800, 0x9ac01000, "IRG, GMI: FEAT_MTE" },
	{ 0xffe00000, 0xce400000, "SM3: FEAT_SM3" },
	{ 0xffe0f000, 0xce60c000, "SM3, SM4: FEAT_SM3, FEAT_SM4" },
	{ 0xfffffc00, 0xcec08400, "SM4E: FEAT_SM4" },
	{ 0x3b200c00, 0x19000400, "CPY, SET: FEAT_MOPS" },
	{ 0xfffff0ff, 0xd503409f, "MSR TCO: FEAT_MTE" },
	{ 0xfffff3ff, 0xd503323f, "DSB nXS: FEAT_XS" },
	{ 0xffffffc0, 0xd5031000, "WFET, WFIT: FEAT_WFxT" },
};

static bool is_defined_elsewhere(uint32_t w)
{
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		if ((w & elsewhere[i].mask) == elsewhere[i].value)
			return true;
	return false;
}

/* ---- The test ---- */

/* What we did in a case, to be compared when the other half has run. */
struct mine {
	struct a64_state out;
	uint64_t mem[MEM_BYTES / 8];
	enum outcome outcome;
	unsigned ec, words;
	uint32_t block[BLOCK_MAX];
	const char *other;
};

struct test {
	struct fake *fake;
	struct shared *shared;
	uint32_t *code; /* at CODE_BASE */
	struct mine mine[CASES_MAX];
	int memfd, to, from; /* pipes to the emulator */
	pid_t pid;
	const char *qemu, *guest;
	csh cs;
	unsigned count, show;
	uint64_t seed;
	unsigned passed, failed, skipped;
	struct row_fields fields;
};

static void die(const char *what)
{
	fprintf(stderr, "a64: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Makes the address registers of a load or store point into the window. */
static void aim(struct rng *r, const struct a64_row *row, uint32_t w, struct a64_state *s)
{
	unsigned rn = w >> 5 & 31, rm = w >> 16 & 31, option = w >> 13 & 7;
	uint64_t base = WINDOW_BASE + 0x80000 + (uint64_t)below(r, 0x1000) * 256;
	int64_t index = (int64_t)below(r, 0x2000) - 0x1000;

	if (!row || !(row->flags & (F_LOAD | F_STORE)) || !(row->regs & (N_X | N_SP | N_SPW)))
		return;
	switch (below(r, 4)) {
	case 0: base += below(r, 256); break;
	case 1: base += 0x1000 - (base & 0xfff) - below(r, 32); break; /* near the end of a page */
	default: base += 16 * below(r, 16); break;
	}
	if (rn == 31)
		s->sp = base & ~UINT64_C(15);
	else
		s->x[rn] = base;
	if ((w & 0x3b200c00) != 0x38200800 || rm == 31 || rm == rn)
		return;
	if (option == 2)
		index &= 0xfff;
	s->x[rm] = option & 1 ? (uint64_t)index : (uint32_t)index | rnd(r) << 32;
}

static void load_cpu(struct fake *f, const struct a64_state *s)
{
	struct cpu *c = &f->cpu;

	memcpy(c->x, s->x, sizeof(s->x));
	c->x[SLOT_SP] = s->sp;
	c->x[SLOT_ZERO] = c->x[SLOT_SINK] = 0;
	c->pc = s->pc;
	c->nzcv = (uint32_t)s->pstate & (uint32_t)PSTATE_NZCV;
	c->fpcr = s->fpcr;
	c->fpsr = s->fpsr;
	c->btype = 0;
	for (unsigned i = 0; i < 32; i++)
		memcpy(cpu_v(c, i), s->v[i], 16);
	c->excl.size = 0;
	f->outcome = OUT_NONE;
	f->other = NULL;
	f->lo = UINT64_MAX;
	f->hi = 0;
}

static void run_block(struct fake *f, const uint32_t *block, unsigned words)
{
	struct cpu *c = &f->cpu;

	for (unsigned k = 0; k < words; k++) {
		struct insn i;

		a64_decode(block[k], f->soc.features, false, &i);
		if (i.exec(c, &i) != EXEC_NEXT)
			break;
		c->pc += 4;
	}
}

static void take_mine(struct fake *f, struct mine *m)
{
	struct cpu *c = &f->cpu;

	memcpy(m->out.x, c->x, sizeof(m->out.x));
	m->out.sp = c->x[SLOT_SP];
	m->out.pc = c->pc;
	m->out.pstate = c->nzcv | (uint64_t)c->btype << PSTATE_BTYPE_SHIFT;
	m->out.fpcr = c->fpcr;
	m->out.fpsr = c->fpsr;
	for (unsigned i = 0; i < 32; i++)
		memcpy(m->out.v[i], cpu_v(c, i), 16);
	m->outcome = f->outcome;
	m->ec = f->ec;
	m->other = f->other;
}

static unsigned make_block(struct rng *r, uint32_t w, uint32_t *block)
{
	uint32_t before = word_before(w);
	unsigned n = 0;

	if (before && below(r, 4))
		block[n++] = before;
	block[n++] = w;
	return n;
}

/* A branch may go to unmapped memory, data, UDF or its own BRK, where the emulator stops at once; not into other
 * cases. */
static bool can_land(uint64_t pc, uint64_t slot, unsigned words)
{
	uint64_t at = (uint64_t)sext(pc, 56) - CODE_BASE;

	if (at >= CODE_BYTES)
		return true;
	if (at - (slot - CODE_BASE) < SLOT_BYTES)
		return at - (slot - CODE_BASE) >= 4 * words;
	return at % SLOT_BYTES >= 4 * (BLOCK_MAX + 1);
}

static bool memory_is_usable(const struct fake *f, struct a64_case *k)
{
	k->mem_addr = 0;
	if (!f->hi)
		return true;
	k->mem_addr = f->lo & ~UINT64_C(15);
	if (k->mem_addr > WINDOW_BASE + WINDOW_BYTES - MEM_BYTES)
		k->mem_addr = WINDOW_BASE + WINDOW_BYTES - MEM_BYTES;
	return f->hi <= k->mem_addr + MEM_BYTES &&
	       (k->mem_addr + MEM_BYTES <= CODE_BASE || k->mem_addr >= CODE_BASE + CODE_BYTES);
}

static void any_memory(struct rng *r, const struct a64_row *row, uint32_t w, const struct fake *f, struct a64_case *k)
{
	for (unsigned i = 0; i < MEM_BYTES / 8; i++)
		k->mem_in[i] = any_lanes(r);
	/* Compare-and-swap: let the comparison succeed often. */
	if ((row->flags & F_LOAD) && (row->flags & F_STORE) && (w >> 16 & 31) < 30 && below(r, 2)) {
		unsigned rs = w >> 16 & 31;

		memcpy((char *)k->mem_in + (f->lo - k->mem_addr), &k->in.x[rs], 8);
		if (f->hi - f->lo == 16)
			memcpy((char *)k->mem_in + (f->lo - k->mem_addr) + 8, &k->in.x[rs + 1], 8);
		if (f->hi - f->lo == 8 && (w & 0xbfa07c00) == 0x08207c00) /* CASP of W registers */
			memcpy((char *)k->mem_in + (f->lo - k->mem_addr) + 4, &k->in.x[rs + 1], 4);
	}
	memcpy((void *)(uintptr_t)k->mem_addr, k->mem_in, MEM_BYTES);
}

/* A word that no row claims: often one bit away from one that a row does. */
static uint32_t any_unallocated(struct rng *r)
{
	unsigned op = below(r, OP_COUNT);
	uint32_t w = a64_bits[op][1] | ((uint32_t)rnd(r) & ~a64_bits[op][0]);

	return below(r, 4) ? w ^ UINT32_C(1) << below(r, 32) : (uint32_t)rnd(r);
}

/* One case; false: this draw is no good, take another. @op is OP_COUNT for words that no row claims. */
static bool draw(struct test *t, struct rng *r, unsigned op, unsigned n)
{
	const struct a64_row *row = op < OP_COUNT ? &a64_rows[op] : NULL;
	struct fake *f = t->fake;
	struct a64_case *k = &t->shared->cases[n];
	struct mine *m = &t->mine[n];
	uint32_t w = row ? any_word(r, op, &t->fields) : any_unallocated(r), *slot = t->code + n * SLOT_BYTES / 4;
	enum outcome dry;

	if (a64_find(w) != row || (!row && is_defined_elsewhere(w)))
		return false;
	m->words = make_block(r, w, m->block);
	any_state(r, &k->in);
	aim(r, row, w, &k->in);
	k->in.pc = CODE_BASE + n * SLOT_BYTES;
	memset(slot, 0, SLOT_BYTES);
	memcpy(slot, m->block, 4 * m->words);
	slot[m->words] = INSN_BRK;

	load_cpu(f, &k->in);
	f->dry = true;
	fake_tlb(f, false);
	run_block(f, m->block, m->words);
	f->dry = false;
	dry = f->outcome;
	if ((dry == OUT_FAULT || dry == OUT_ALIGNMENT) && below(r, 16))
		return false;
	if (dry == OUT_NONE && !can_land(f->cpu.pc, k->in.pc, m->words))
		return false;
	if (!memory_is_usable(f, k))
		return false;
	if (k->mem_addr) {
		any_memory(r, row, w, f, k);
		load_cpu(f, &k->in);
		if (below(r, 4))
			fake_tlb(f, true);
		run_block(f, m->block, m->words);
		memcpy(m->mem, (void *)(uintptr_t)k->mem_addr, MEM_BYTES);
	}
	take_mine(f, m);
	return true;
}

/* ---- The emulator ---- */

static void start_qemu(struct test *t)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		die("pipe");
	t->pid = fork();
	if (t->pid < 0)
		die("fork");
	if (!t->pid) {
		if (dup2(to[0], 0) < 0 || dup2(from[1], 1) < 0)
			die("dup2");
		if (t->memfd == SHARED_FD)
			fcntl(SHARED_FD, F_SETFD, 0);
		else if (dup2(t->memfd, SHARED_FD) < 0)
			die("dup2");
		execl(t->qemu, t->qemu, "-cpu", QEMU_CPU, t->guest, (char *)NULL);
		die(t->qemu);
	}
	close(to[0]);
	close(from[1]);
	t->to = to[1];
	t->from = from[0];
}

static void stop_qemu(struct test *t, bool hung)
{
	if (hung)
		kill(t->pid, SIGKILL);
	close(t->to);
	close(t->from);
	waitpid(t->pid, NULL, 0);
}

/* False: the emulator hung or died; shared->current is the case that did it. */
static bool run_qemu(struct test *t, uint32_t count)
{
	struct pollfd p = { .fd = t->from, .events = POLLIN };
	uint32_t done = 0;

	if (write(t->to, &count, sizeof(count)) == sizeof(count) && poll(&p, 1, HANG_MS) == 1 &&
	    read(t->from, &done, sizeof(done)) == sizeof(done) && done == count)
		return true;
	stop_qemu(t, true);
	start_qemu(t);
	return false;
}

/* ---- Comparing ---- */

/* Where both must have stopped, and by which signal; 0: any that stops at a branch target. */
static int expected_signal(const struct mine *m, const struct a64_case *k)
{
	switch (m->outcome) {
	case OUT_UNDEFINED: return SIGILL;
	case OUT_FAULT: return SIGSEGV;
	case OUT_SYNC: return m->ec == 0x3c ? SIGTRAP : -1;
	case OUT_NONE: return m->out.pc == k->in.pc + 4 * m->words ? SIGTRAP : 0;
	default: return -1;
	}
}

struct diff {
	char text[4096];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void differs(struct diff *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (d->len < sizeof(d->text))
		d->len += (size_t)vsnprintf(d->text + d->len, sizeof(d->text) - d->len, fmt, ap);
	va_end(ap);
}

static void compare(const struct mine *m, const struct a64_case *k, struct diff *d)
{
	const struct a64_state *a = &m->out, *q = &k->out;
	int sig = expected_signal(m, k);

	if (sig ? sig != (int)k->sig : k->sig == SIGFPE)
		differs(d, "#   ended by: ours %s (signal %d), qemu signal %u\n",
			(const char *[]){ "normally", "UNDEFINED", "exception", "memory fault", "alignment fault",
					  "another way" }[m->outcome],
			sig, k->sig);
	if (sext(a->pc, 56) != sext(q->pc, 56))
		differs(d, "#   pc    ours %016lx qemu %016lx (start %016lx)\n", a->pc, q->pc, k->in.pc);
	for (unsigned i = 0; i < 31; i++)
		if (a->x[i] != q->x[i])
			differs(d, "#   x%-4u ours %016lx qemu %016lx (was %016lx)\n", i, a->x[i], q->x[i],
				k->in.x[i]);
	if (a->sp != q->sp)
		differs(d, "#   sp    ours %016lx qemu %016lx (was %016lx)\n", a->sp, q->sp, k->in.sp);
	if ((a->pstate ^ q->pstate) & PSTATE_NZCV)
		differs(d, "#   nzcv  ours %lx qemu %lx (was %lx)\n", a->pstate >> 28, q->pstate >> 28 & 15,
			k->in.pstate >> 28);
	/* Behind a jump: at the target nothing has run yet that would clear it. */
	if (sig == 0 && ((a->pstate ^ q->pstate) & PSTATE_BTYPE))
		differs(d, "#   btype ours %lu qemu %lu\n", a->pstate >> PSTATE_BTYPE_SHIFT & 3,
			q->pstate >> PSTATE_BTYPE_SHIFT & 3);
	if ((a->fpsr ^ q->fpsr) & FPSR_MASK)
		differs(d, "#   fpsr  ours %08x qemu %08x (was %08x)\n", a->fpsr, q->fpsr & FPSR_MASK, k->in.fpsr);
	for (unsigned i = 0; i < 32; i++)
		if (a->v[i][0] != q->v[i][0] || a->v[i][1] != q->v[i][1])
			differs(d, "#   v%-4u ours %016lx:%016lx qemu %016lx:%016lx (was %016lx:%016lx)\n", i,
				a->v[i][1], a->v[i][0], q->v[i][1], q->v[i][0], k->in.v[i][1], k->in.v[i][0]);
	if (k->mem_addr)
		for (unsigned i = 0; i < MEM_BYTES / 8; i++)
			if (m->mem[i] != k->mem_out[i])
				differs(d, "#   [%lx] ours %016lx qemu %016lx (was %016lx)\n", k->mem_addr + 8 * i,
					m->mem[i], k->mem_out[i], k->mem_in[i]);
}

/* Mismatches are easier to understand with the operands. */
static void print_inputs(uint32_t w, const struct a64_case *k)
{
	const unsigned at[] = { 5, 16, 10, 0 };

	printf("#   in: fpcr %08x", k->in.fpcr);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		unsigned n = w >> at[i] & 31;

		printf(" [%u]=%lx/%lx:%lx", n, n < 31 ? k->in.x[n] : k->in.sp, k->in.v[n][1], k->in.v[n][0]);
	}
	printf("\n");
}

static void print_words(struct test *t, const struct mine *m, uint64_t pc)
{
	for (unsigned i = 0; i < m->words; i++) {
		cs_insn *in = NULL;
		size_t n = cs_disasm(t->cs, (const uint8_t *)&m->block[i], 4, pc + 4 * i, 1, &in);

		printf("#  %08x %s %s\n", m->block[i], n ? in->mnemonic : "(capstone: undefined)",
		       n ? in->op_str : "");
		if (n)
			cs_free(in, n);
	}
}

static const char *excepted(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++)
		if (!fnmatch(exceptions[i].row, name, 0))
			return exceptions[i].why;
	return NULL;
}

static const char *row_name(unsigned op) { return op < OP_COUNT ? a64_rows[op].name : "UNALLOCATED"; }

struct score {
	unsigned pass, fail, skip, shown;
};

static void judge(struct test *t, unsigned n, struct score *s)
{
	const struct mine *m = &t->mine[n];
	const struct a64_case *k = &t->shared->cases[n];
	struct diff d = { .len = 0 };

	/* FEAT_LSE2, which the emulator has and we do not, allows some unaligned accesses. */
	if (m->outcome == OUT_ALIGNMENT) {
		s->skip++;
		return;
	}
	compare(m, k, &d);
	if (!d.len) {
		s->pass++;
		return;
	}
	if (s->fail++ >= t->show)
		return;
	print_words(t, m, k->in.pc);
	if (m->other)
		printf("#   our instruction called %s()\n", m->other);
	print_inputs(m->block[m->words - 1], k);
	printf("%s", d.text);
}

static unsigned make_batch(struct test *t, struct rng *r, unsigned op, unsigned want)
{
	unsigned n = 0;

	for (unsigned tries = 0; n < want && tries < 100 * want; tries++)
		n += draw(t, r, op, n);
	return n;
}

static void test_row(struct test *t, unsigned op)
{
	const char *name = row_name(op), *why = excepted(name);
	struct rng r = { (t->seed * UINT64_C(0x9e3779b97f4a7c15)) | 1 };
	struct score s = { 0 };

	if (why) {
		printf("ok %s # SKIP %s\n", name, why);
		t->skipped++;
		return;
	}
	for (const char *p = name; *p; p++)
		r.s = (r.s ^ (uint8_t)*p) * UINT64_C(0x100000001b3) + 1;
	if (op < OP_COUNT)
		fields_of(a64_rows[op].bits, &t->fields);
	for (unsigned left = t->count; left;) {
		unsigned want = left < CASES_MAX ? left : CASES_MAX, n = make_batch(t, &r, op, want);

		if (!n) {
			printf("# %s: no word of this row can be tried\n", name);
			s.fail++;
			break;
		}
		if (!run_qemu(t, n)) {
			uint32_t at = t->shared->current;

			printf("# the emulator hung or died in case %u:\n", at);
			print_words(t, &t->mine[at % CASES_MAX], t->shared->cases[at % CASES_MAX].in.pc);
			s.fail++;
			break;
		}
		for (unsigned i = 0; i < n; i++)
			judge(t, i, &s);
		left -= want;
	}
	if (s.fail)
		printf("not ok %s %u of %u differ\n", name, s.fail, s.pass + s.fail);
	else
		printf("ok %s %u%s\n", name, s.pass, s.skip > s.pass ? " # mostly not comparable" : "");
	*(s.fail ? &t->failed : &t->passed) += 1;
}

static void set_up(struct test *t)
{
	void *window = (void *)(uintptr_t)WINDOW_BASE, *code = (void *)(uintptr_t)CODE_BASE;

	t->memfd = memfd_create("a64", MFD_CLOEXEC);
	if (t->memfd < 0 || ftruncate(t->memfd, (off_t)(SHARED_BYTES + CODE_BYTES)))
		die("memfd");
	t->shared = mmap(NULL, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, t->memfd, 0);
	if (t->shared == MAP_FAILED ||
	    mmap(window, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		 0) != window ||
	    mmap(code, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, t->memfd, (off_t)SHARED_BYTES) !=
		    code)
		die("mmap");
	t->code = code;
	t->fake = aligned_alloc(64, (sizeof(struct fake) + 63) & ~(size_t)63);
	if (!t->fake)
		die("memory");
	memset(t->fake, 0, sizeof(*t->fake));
	t->fake->cpu.soc = &t->fake->soc;
	t->fake->cpu.ctx = t->fake->cpu.ctx_el0 = &t->fake->ctx;
	t->fake->soc.features = FEATURES;
	if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &t->cs))
		die("capstone");
	signal(SIGPIPE, SIG_IGN);
	start_qemu(t);
}

static bool chosen(const char *name, char **patterns)
{
	if (!*patterns)
		return true;
	for (; *patterns; patterns++)
		if (!fnmatch(*patterns, name, 0))
			return true;
	return false;
}

static int usage(void)
{
	fprintf(stderr, "usage: a64 --qemu PATH --guest PATH [--count N] [--seed S] [--show N] [PATTERN...]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'c' }, { "seed", required_argument, NULL, 's' },
		{ "show", required_argument, NULL, 'w' },  { "qemu", required_argument, NULL, 'q' },
		{ "guest", required_argument, NULL, 'g' }, { 0 },
	};
	struct test *t = calloc(1, sizeof(*t));
	int o;

	if (!t)
		die("memory");
	t->count = 2000;
	t->show = 3;
	t->seed = 1;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'c': t->count = (unsigned)strtoul(optarg, NULL, 0); break;
		case 's': t->seed = strtoull(optarg, NULL, 0); break;
		case 'w': t->show = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'q': t->qemu = optarg; break;
		case 'g': t->guest = optarg; break;
		default: return usage();
		}
	if (!t->qemu || !t->guest || !t->count)
		return usage();
	set_up(t);
	for (unsigned op = 0; op <= OP_COUNT; op++)
		if (chosen(row_name(op), argv + optind))
			test_row(t, op);
	stop_qemu(t, false);
	printf("# seed %lu: %u passed, %u failed, %u skipped\n", t->seed, t->passed, t->failed, t->skipped);
	return t->failed || !(t->passed + t->skipped);
}
