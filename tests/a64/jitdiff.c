/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translated code against exec_ functions: random blocks and random state, once
 * instruction by instruction and twice through the translator (software TLB empty,
 * then as the first run left it). Everything a guest can see must be the same.
 *
 *   tests/a64/jitdiff [--row PATTERN] [--seed S] [--count N] [--long] [--strict] [--show N]
 *   tests/a64/jitdiff --row NAME --case S        one case again, with what it did
 *
 * A case is a block of one to eight instructions, one of them of the row that is tested, in
 * a page whose other words are UDF: so each block ends in a branch out of the page or in an
 * exception, and NZCV is wanted there (it is in SPSR_EL1). The memory around that page has
 * pages of every kind next to each other (struct place), and base registers point near
 * their ends. Everything about a case follows from its number.
 */
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <vmm/bus.h>
#include <vmm/err.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#include "../../arch/arm64/cpu/mmu.h"
#include "../../arch/arm64/cpu/softfp.h"
#include "../../arch/arm64/cpu/translator.h"
#include "../../arch/x86_64/jit.h"
#include "draw.h"

enum { BLOCK_INSNS = 8, WORDS_MAX = 2 * BLOCK_INSNS, STEPS_MAX = 64, PAGE = 4096 };

/* ---- The machine ---- */

/*
 * One letter a page, from PLACE on: W anybody may write, R only read; K is EL1's; D is a
 * device; C is code, which EL0 may read; . is nothing.
 */
static const char place[] = "WWRWK.WDWCCWW.";
enum { PAGES = sizeof(place) - 1, CODE = 9 };

#define PLACE      UINT64_C(0x5555400000)
#define CODE_VA    (PLACE + CODE * PAGE)
#define VECTORS_VA UINT64_C(0x5556000000)
#define RAM_PA     UINT64_C(0x40000000)
#define TABLES_PA  (RAM_PA + 1 * MIB)
#define DEVICE_PA  UINT64_C(0x0b000000)

#define PTE_PAGE   UINT64_C(3)
#define PTE_DEVICE (UINT64_C(1) << 2) /* attribute 1 */
#define PTE_USER   (UINT64_C(1) << 6)
#define PTE_RO     (UINT64_C(1) << 7)
#define PTE_AF     (UINT64_C(1) << 10)
#define PTE_XN     (UINT64_C(3) << 53)

/* What is compared. Memory is that of all pages, whether a case could write there or not. */
struct image {
	uint64_t x[32], pc, pstate, sp_el[2], sys[SYS_COUNT];
	uint32_t fpcr, fpsr;
	union vreg v[32];
	uint64_t excl_host, excl_value[2], device;
	uint32_t excl_size;
	uint8_t memory[PAGES * PAGE];
};

struct block {
	uint32_t word[WORDS_MAX];
	unsigned words, offset; /* in the page */
};

struct test {
	struct soc *soc;
	struct cpu *c;
	uint8_t *ram;
	uint32_t request; /* cpu->exit_req: nobody attends to it, but code leaves for it */
	uint64_t device;  /* digest of the accesses to the device page */
	struct image in, exec, emit;
	struct block block;
	uint8_t background[PAGES * PAGE];
	struct row_fields fields[OP_COUNT];
	uint16_t pool[OP_COUNT]; /* rows that blocks are filled with */
	unsigned pool_count;
	unsigned count, show;
	uint64_t seed;
	bool strict, loud;
	unsigned passed, failed;
};

static enum bus_result device_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	struct test *t = opaque;

	t->device =
		(t->device ^ offset ^ (uint64_t)size << 16 ^ (uint64_t)write << 20) * UINT64_C(0x9e3779b97f4a7c15);
	if (write)
		t->device = (t->device ^ *value) * UINT64_C(0x100000001b3);
	else
		*value = t->device >> 8;
	return BUS_OK;
}

static uint64_t pte(unsigned page)
{
	uint64_t d = PTE_PAGE | PTE_AF | (RAM_PA + (uint64_t)page * PAGE);

	switch (place[page]) {
	case 'W': return d | PTE_USER | PTE_XN;
	case 'R': return d | PTE_USER | PTE_RO | PTE_XN;
	case 'K': return d | PTE_XN;
	case 'C': return d | PTE_USER | PTE_RO;
	case 'D': return PTE_PAGE | PTE_AF | PTE_USER | PTE_XN | PTE_DEVICE | DEVICE_PA;
	default: return 0;
	}
}

/* Levels 1 to 3, one table each: granule 4 KiB, 39 bits. */
static void map_place(struct test *t)
{
	uint64_t *l1 = (void *)(t->ram + (TABLES_PA - RAM_PA)), *l2 = l1 + 512, *l3 = l2 + 512;

	l1[PLACE >> 30 & 511] = (TABLES_PA + PAGE) | 3;
	l2[PLACE >> 21 & 511] = (TABLES_PA + 2 * PAGE) | 3;
	for (unsigned k = 0; k < PAGES; k++)
		l3[(PLACE >> 12 & 511) + k] = pte(k);
}

static void make_machine(struct test *t)
{
	const struct soc_config cfg = {
		.vcpu_count = 1,
		.ipa_bits = 40,
		.gic_version = 3,
		.spi_count = 64,
		.jit = { .use = JIT_ON, .fp_strict = t->strict },
	};
	const struct hv_env env = { .mem = mem_new(), .bus = bus_new(), .loop = loop_new() };
	const struct bus_range range = {
		.name = "device", .base = gpa(DEVICE_PA), .bytes = PAGE, .access = device_access, .opaque = t
	};
	struct rng r = { 1 };

	CHECK(env.mem && env.bus && env.loop && !mem_add_ram(env.mem, "ram", gpa(RAM_PA), 2 * MIB));
	CHECK(!bus_add(env.bus, &range) && !soc_create(&cfg, &env, &t->soc));
	t->ram = mem_ptr(env.mem, gpa(RAM_PA), 2 * MIB);
	t->c = soc_cpu(t->soc, 0);
	map_place(t);
	for (unsigned k = 0; k < CODE * PAGE; k += 8) {
		uint64_t v = any_lanes(&r);

		memcpy(t->background + k, &v, 8);
	}
	cpu_running = t->c;
	mmu_enter_guest(t->c);
	t->c->sys[SYS_TCR_EL1] = 25 | UINT64_C(1) << 23 | UINT64_C(2) << 32 | TCR_AS;
	t->c->sys[SYS_MAIR_EL1] = 0x00ff;
	t->c->sys[SYS_TTBR0_EL1] = TABLES_PA;
	t->c->sys[SYS_VBAR_EL1] = VECTORS_VA;
	t->c->sys[SYS_CPACR_EL1] = 3 << 20;
	t->c->sys[SYS_SCTLR_EL1] |= SCTLR_M | SCTLR_SA | SCTLR_SA0 | SCTLR_DZE | SCTLR_UCI | SCTLR_UCT | SCTLR_UMA;
	mmu_regime_changed(t->c);
}

/* ---- State ---- */

static void load(struct test *t, const struct image *m)
{
	struct cpu *c = t->c;
	bool regime = c->sys[SYS_SCTLR_EL1] != m->sys[SYS_SCTLR_EL1];

	memcpy(c->sys, m->sys, sizeof(c->sys));
	if (regime)
		mmu_regime_changed(c);
	cpu_set_pstate(c, m->pstate);
	cpu_update_fp_trap(c);
	memcpy(c->x, m->x, sizeof(m->x));
	c->x[SLOT_ZERO] = 0;
	memcpy(c->sp_el, m->sp_el, sizeof(c->sp_el));
	c->pc = m->pc;
	c->fpcr = m->fpcr;
	c->fpsr = m->fpsr;
	for (unsigned k = 0; k < 32; k++)
		*cpu_v(c, k) = m->v[k];
	c->excl.size = 0;
	c->waiting = WAIT_NONE;
	atomic_store(&c->exit_req, t->request);
	t->device = m->device;
	memcpy(t->ram, m->memory, sizeof(m->memory));
}

/* SP_ELx of the current level is stale. */
static void store(struct test *t, struct image *m)
{
	struct cpu *c = t->c;

	memcpy(m->x, c->x, sizeof(m->x));
	memcpy(m->sp_el, c->sp_el, sizeof(c->sp_el));
	m->sp_el[c->el && c->spsel] = 0;
	memcpy(m->sys, c->sys, sizeof(c->sys));
	m->pc = c->pc;
	m->pstate = cpu_pstate(c);
	m->fpcr = c->fpcr;
	m->fpsr = c->fpsr;
	for (unsigned k = 0; k < 32; k++)
		m->v[k] = *cpu_v(c, k);
	m->excl_size = c->excl.size;
	m->excl_host = c->excl.size ? (uintptr_t)c->excl.host - (uintptr_t)t->ram : 0;
	for (unsigned k = 0; k < 2; k++)
		m->excl_value[k] = 8 * k < c->excl.size ? c->excl.value[k] : 0;
	m->device = t->device;
	memcpy(m->memory, t->ram, sizeof(m->memory));
}

/* ---- Cases ---- */

/* Rows whose effects are elsewhere, or that wait. */
static const char *const never[] = { "HVC", "SMC", "WFI", "WFE" };

/* Cache maintenance by address; the register is to be filled in. */
static const uint32_t by_address[] = {
	0xd50b7420, /* DC ZVA */
	0xd50b7a20, /* DC CVAC */
	0xd50b7b20, /* DC CVAU */
	0xd50b7e20, /* DC CIVAC */
	0xd5087620, /* DC IVAC */
};

/* What MRS and MSR may name: the op0<0>:op1:CRn:CRm:op2 field of the word. */
#define SYSREG(op0, op1, crn, crm, op2) (((op0)&1) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
static const uint32_t sysregs[] = {
	SYSREG(3, 3, 4, 2, 0),  /* NZCV */
	SYSREG(3, 3, 4, 4, 0),  /* FPCR */
	SYSREG(3, 3, 4, 4, 1),  /* FPSR */
	SYSREG(3, 3, 13, 0, 2), /* TPIDR_EL0 */
	SYSREG(3, 3, 13, 0, 3), /* TPIDRRO_EL0 */
	SYSREG(3, 0, 13, 0, 4), /* TPIDR_EL1 */
	SYSREG(3, 0, 4, 1, 0),  /* SP_EL0 */
	SYSREG(3, 0, 4, 0, 0),  /* SPSR_EL1 */
	SYSREG(3, 0, 4, 0, 1),  /* ELR_EL1 */
	SYSREG(3, 0, 5, 2, 0),  /* ESR_EL1 */
	SYSREG(3, 0, 6, 0, 0),  /* FAR_EL1 */
	SYSREG(3, 3, 4, 2, 1),  /* DAIF */
	SYSREG(3, 0, 4, 2, 2),  /* CurrentEL */
	SYSREG(3, 0, 4, 2, 0),  /* SPSel */
	SYSREG(3, 3, 0, 0, 1),  /* CTR_EL0 */
	SYSREG(3, 3, 0, 0, 7),  /* DCZID_EL0 */
	SYSREG(3, 0, 0, 0, 5),  /* MPIDR_EL1 */
};

#define A64(name, bits, regs, opnd, flags, feat, exec, emit) #emit,
static const char *const emitters[OP_COUNT] = {
#include "../../arch/arm64/cpu/a64.def"
};
#undef A64

static bool has_emitter(unsigned op) { return strcmp(emitters[op], "emit_none") != 0; }

static bool can_try(unsigned op)
{
	for (size_t k = 0; k < ARRAY_SIZE(never); k++)
		if (!fnmatch(never[k], a64_rows[op].name, 0))
			return false;
	return true;
}

static bool is(unsigned op, unsigned flags) { return a64_rows[op].flags & flags; }
static bool ends(unsigned op) { return is(op, F_ENDS) && !is(op, F_COND); }
static bool accesses(unsigned op) { return is(op, F_LOAD | F_STORE) && a64_rows[op].regs & (N_X | N_SP | N_SPW); }

static const struct field *field(const struct test *t, unsigned op, const char *name)
{
	const struct row_fields *r = &t->fields[op];

	for (unsigned k = 0; k < r->count; k++)
		if (!strcmp(r->field[k].name, name))
			return &r->field[k];
	return NULL;
}

static void set_field(const struct test *t, unsigned op, const char *name, uint32_t *w, uint32_t v)
{
	const struct field *f = field(t, op, name);
	uint32_t mask;

	if (!f)
		return;
	mask = ((UINT32_C(1) << f->width) - 1) << f->lo;
	*w = (*w & ~mask) | (v << f->lo & mask);
}

/* Immediates that would lead away from what is mapped, or from this block, mostly do not. */
static uint32_t tamed(const struct test *t, struct rng *r, unsigned op, uint32_t w, unsigned at)
{
	unsigned near = below(r, BLOCK_INSNS + 2);

	if (accesses(op) && below(r, 8))
		set_field(t, op, "imm12", &w, below(r, 64));
	if (is(op, F_ENDS) && below(r, 4)) {
		set_field(t, op, "imm26", &w, near - (below(r, 4) ? 0 : at));
		set_field(t, op, "imm19", &w, near - (below(r, 4) ? 0 : at));
		set_field(t, op, "imm14", &w, near - (below(r, 4) ? 0 : at));
	} else if (is(op, F_LOAD) && !accesses(op)) {
		set_field(t, op, "imm19", &w, (below(r, 2 * PAGES) - PAGES) * (PAGE / 4) + below(r, 64) - 32);
	}
	if (op == OP_SYS_DC && below(r, 8))
		w = by_address[below(r, 2) ? 0 : below(r, ARRAY_SIZE(by_address))] | (w & 31);
	if (op == OP_SYS_IC_5 && below(r, 8))
		w = 0xd50b7520 | (w & 31); /* IC IVAU */
	if ((w & 0xffd00000) == 0xd5100000)
		w = (w & ~UINT32_C(0xfffe0)) | sysregs[below(r, ARRAY_SIZE(sysregs))];
	return w;
}

/* A word of row @op for place @at of the block. */
static uint32_t draw(struct test *t, struct rng *r, unsigned op, unsigned at)
{
	uint32_t w;

	if (!t->fields[op].count)
		fields_of(a64_rows[op].bits, &t->fields[op]);
	for (unsigned tries = 0; tries < 1000; tries++) {
		struct insn i;

		w = tamed(t, r, op, any_word(r, op, &t->fields[op]), at);
		a64_decode(w, t->soc->features, false, &i);
		/* Reserved values are one and the same instruction, so few of them will do. */
		if (a64_find(w) == &a64_rows[op] && (i.exec != exec_undefined || !below(r, 32)))
			return w;
	}
	return a64_bits[op][1];
}

/* A row for a place in a block that is not, or is, the last one. */
static unsigned any_row(struct test *t, struct rng *r, bool last)
{
	unsigned op;

	do {
		op = t->pool[below(r, t->pool_count)];
	} while (ends(op) && !last);
	return op;
}

static void put(struct block *b, uint32_t w)
{
	if (b->words < WORDS_MAX)
		b->word[b->words++] = w;
}

#define B_OUT UINT32_C(0x14004000) /* b .+64K */

/* Before a word that wants one: most of the time its load-exclusive. */
static void put_pair(struct rng *r, struct block *b, uint32_t w)
{
	uint32_t before = word_before(w);

	if (before && below(r, 4))
		put(b, before);
	put(b, w);
}

static void draw_block(struct test *t, struct rng *r, unsigned op)
{
	unsigned n = below(r, 2) ? 1 : 2 + below(r, BLOCK_INSNS - 1), mine = ends(op) ? n - 1 : below(r, n);
	bool one_base = below(r, 2);
	uint32_t base = below(r, 2) ? 31 : below(r, 31);
	struct block *b = &t->block;

	b->words = 0;
	for (unsigned k = 0; k < n; k++) {
		unsigned this = k == mine ? op : any_row(t, r, k == n - 1);
		uint32_t w = draw(t, r, this, b->words);

		if (n > 1 && one_base && accesses(this) && below(r, 8))
			set_field(t, this, "Rn", &w, base);
		put_pair(r, b, a64_find(w) == &a64_rows[this] ? w : draw(t, r, this, b->words));
	}
	/* An exception would clear the exclusive monitor before anybody looks. */
	if (below(r, 2))
		put(b, B_OUT);
	b->offset = below(r, 4) ? 4 * below(r, PAGE / 4 - WORDS_MAX) : PAGE - 4 * b->words;
}

/* Often just before the end of a page. */
static uint64_t any_address(struct rng *r)
{
	uint64_t page = PLACE + (uint64_t)below(r, PAGES) * PAGE;

	switch (below(r, 8)) {
	case 0:
	case 1: return page - below(r, 80);
	case 2: return page + 16 * below(r, PAGE / 16);
	case 3: return page + below(r, PAGE);
	default: return PLACE + 16 * below(r, 2 * PAGE / 16) + (below(r, 2) ? 0 : below(r, 16)); /* writable */
	}
}

/* Pointers and indices for the instructions that want them, the first one in the block first. */
static void aim(struct test *t, struct rng *r)
{
	uint64_t *x = t->in.x;

	for (unsigned k = t->block.words; k--;) {
		uint32_t w = t->block.word[k], rn = w >> 5 & 31, rm = w >> 16 & 31;
		const struct a64_row *row = a64_find(w);

		if (row && row->flags & F_ENDS && row->regs & N_X && rn < 31)
			x[rn] = CODE_VA + (below(r, 4) ? 4 * below(r, PAGE / 4) : below(r, 2 * PAGE));
		if (row && row->flags & F_SYS && row->regs & D_X && (w & 31) != 31 && below(r, 8))
			x[w & 31] = below(r, 4) ? any_address(r) : CODE_VA;
		if (!row || !accesses((unsigned)(row - a64_rows)))
			continue;
		x[rn] = any_address(r);
		if (rn == 31 && below(r, 16))
			x[rn] &= ~UINT64_C(15);
		if ((w & 0x3b200c00) == 0x38200800 && rm != rn && rm != 31)
			x[rm] = w & 0x2000 ? (uint64_t)(int64_t)(int)below(r, 64) - 32
					   : (uint32_t)below(r, 64) | rnd(r) << 32;
	}
}

/* Compare-and-swap is to find what it compares with now and then: memory repeats a register. */
static void sow(struct test *t, struct rng *r)
{
	for (unsigned k = 0; k < t->block.words; k++) {
		uint32_t w = t->block.word[k];
		uint64_t at = t->in.x[w >> 5 & 31] - PLACE;
		const struct a64_row *row = a64_find(w);

		if (row && (row->flags & F_LOAD) && (row->flags & F_STORE) && at < CODE * PAGE - 16 && below(r, 2))
			for (unsigned n = 0; n < 2; n++)
				memcpy(t->in.memory + at + 8 * n, &t->in.x[((w >> 16) + n) & 31], 8);
	}
}

static void draw_state(struct test *t, struct rng *r)
{
	static const uint64_t modes[] = { 0, 0, 4, 5, 5 };
	struct image *m = &t->in;
	struct a64_state s;

	any_state(r, &s);
	memcpy(m->x, s.x, sizeof(s.x));
	m->x[SLOT_SP] = below(r, 4) ? s.sp & ~UINT64_C(15) : s.sp;
	m->pc = CODE_VA + t->block.offset;
	m->pstate = s.pstate | modes[below(r, ARRAY_SIZE(modes))] | PSTATE_DAIF | (below(r, 16) ? 0 : PSTATE_PAN);
	m->sp_el[0] = rnd(r) & ~UINT64_C(15);
	m->sp_el[1] = rnd(r) & ~UINT64_C(15);
	/* What forgive_flush_lanes() forgives a second instruction may turn into something else. */
	m->fpcr = s.fpcr & ~(t->strict || t->block.words <= 2 ? 0 : (uint32_t)FPCR_FZ);
	m->fpsr = s.fpsr;
	memcpy(m->v, s.v, sizeof(s.v));
	memcpy(m->sys, t->c->sys, sizeof(m->sys));
	m->sys[SYS_SPSR_EL1] = s.pstate | modes[below(r, ARRAY_SIZE(modes))] | PSTATE_DAIF;
	m->sys[SYS_ELR_EL1] = VECTORS_VA + 4 * below(r, 1024);
	m->sys[SYS_ESR_EL1] = m->sys[SYS_FAR_EL1] = 0;
	m->sys[SYS_TPIDR_EL0] = rnd(r);
	m->sys[SYS_TPIDR_EL1] = rnd(r);
	m->sys[SYS_CPACR_EL1] = below(r, 64) ? 3 << 20 : 1 << 20;
	m->sys[SYS_SCTLR_EL1] &= ~SCTLR_A;
	m->sys[SYS_SCTLR_EL1] |= below(r, 32) ? 0 : SCTLR_A;
	m->device = 1;
	t->request = below(r, 8) ? 0 : REQ_IRQ;
}

static void draw_case(struct test *t, struct rng *r, unsigned op)
{
	draw_block(t, r, op);
	draw_state(t, r);
	memcpy(t->in.memory, t->background, sizeof(t->in.memory));
	memcpy(t->in.memory + CODE * PAGE + t->block.offset, t->block.word, 4 * t->block.words);
	aim(t, r);
	sow(t, r);
}

/* ---- Cases as text ---- */

static void print_block(const struct test *t)
{
	for (unsigned k = 0; k < t->block.words; k++) {
		char text[100] = "";

		cpu_disas(t->block.word[k], gva(t->in.pc + 4 * k), text, sizeof(text));
		printf("#   %08x %s\n", t->block.word[k], text);
	}
}

static void print_input(const struct test *t)
{
	const struct image *m = &t->in;

	printf("#   in: pstate %lx fpcr %x fpsr %x sp %lx\n", m->pstate, m->fpcr, m->fpsr, m->x[SLOT_SP]);
	for (unsigned k = 0; k < 31; k++)
		printf("%s x%u=%lx", k % 8 ? "" : k ? "\n#  " : "#  ", k, m->x[k]);
	printf("\n");
	for (unsigned k = 0; k < 32; k++)
		printf("%s v%u=%lx:%lx", k % 4 ? "" : k ? "\n#  " : "#  ", k, m->v[k].d[1], m->v[k].d[0]);
	printf("\n");
}

/* ---- Running ---- */

static struct hv_exit hv_exit;

static bool in_code(const struct cpu *c) { return c->pc - CODE_VA < PAGE; }

/* As run.c's dispatcher does, without blocks. */
static enum exec step(struct test *t)
{
	struct cpu *c = t->c;
	const uint32_t *word;
	struct insn i;
	enum exec r;
	bool guarded;
	uint64_t pa;

	c->pc = cpu_branch_address(c, c->pc);
	word = mmu_fetch(c, c->pc, &pa, &guarded);
	if (!word)
		return EXEC_JUMP;
	a64_decode(*word, c->soc->features, c->fp_trapped, &i);
	r = i.exec(c, &i);
	c->pc += r == EXEC_NEXT ? 4 : 0;
	c->btype = 0;
	return r;
}

/* False: a loop; the case is no good. */
static bool run_exec(struct test *t)
{
	unsigned steps = 0;

	load(t, &t->in);
	while (in_code(t->c) && steps++ < STEPS_MAX) {
		/* exec_ functions may use the host's FP unit, but what that collects is not for FPSR. */
		translator()->fp_enter(t->c);
		if (step(t) == EXEC_LEAVE)
			break;
	}
	translator()->fp_enter(t->c);
	translator()->fp_leave(t->c);
	store(t, &t->exec);
	return steps <= STEPS_MAX;
}

static void print_code(const uint8_t *code, const uint8_t *end)
{
	while (code < end) {
		char text[100] = "";
		size_t n = disas_host(code, end, (uintptr_t)code, text, sizeof(text));

		printf("#     %p %s\n", (const void *)code, text);
		code += n;
	}
}

/* The first time code is asked for, it is said to be too cold. */
static const void *translate(struct test *t, uint64_t pa, const uint32_t *words)
{
	const struct jit_cache *j = t->c->jit->cache;
	const uint8_t *hot = j->hot, *cold = j->cold;
	const void *code = translator()->code(t->c, pa, words, false);

	if (!code)
		code = translator()->code(t->c, pa, words, false);
	if (!t->loud || j->hot == hot)
		return code;
	printf("# code for 0x%lx\n", pa);
	print_code(hot + (j->rx - j->rw), j->hot + (j->rx - j->rw));
	printf("# out of line\n");
	print_code(cold + (j->rx - j->rw), j->cold + (j->rx - j->rw));
	return code;
}

/* As run.c does. Code may go on to other code that jump caches and links know. */
static enum exec run_block(struct test *t)
{
	struct cpu *c = t->c;
	const uint32_t *words;
	const void *code;
	bool guarded;
	uint64_t pa;
	enum exec r;

	c->pc = cpu_branch_address(c, c->pc);
	words = mmu_fetch(c, c->pc, &pa, &guarded);
	if (!words)
		return EXEC_JUMP;
	code = c->x[SLOT_SP] & 15 ? NULL : translate(t, pa, words);
	if (!code)
		return step(t);
	mmu_jc_add(c->ctx, c->pc, (void *)(uintptr_t)code);
	r = translator()->run(c, code);
	c->btype = 0;
	return r;
}

static void run_emit(struct test *t)
{
	load(t, &t->in);
	translator()->fp_enter(t->c);
	while (in_code(t->c))
		if (run_block(t) == EXEC_LEAVE)
			break;
	translator()->fp_leave(t->c);
	store(t, &t->emit);
}

/* ---- Comparing ---- */

static uint32_t word_at(const struct test *t, uint64_t pc)
{
	uint32_t w;

	memcpy(&w, t->in.memory + (pc - PLACE), 4);
	return w;
}

#define MRS_NZCV UINT32_C(0xd53b4200)

/* Of the rows that may look at all of PSTATE, those with an emitter do it in exec_, at most by an exception. */
static bool reads_nzcv(uint32_t w, const struct a64_row *row)
{
	bool system = row->flags & F_SYS && !has_emitter((unsigned)(row - a64_rows));

	return row->flags & F_USES || system || (w & ~UINT32_C(31)) == MRS_NZCV;
}

/*
 * May the translator have left NZCV stale at @pc because nobody looks before it is overwritten? Then
 * an exception there shows the stale one. Everything outside the page may look.
 */
static bool nzcv_is_dead(const struct test *t, uint64_t pc, unsigned depth)
{
	for (; depth && pc - CODE_VA < PAGE; pc += 4, depth--) {
		const struct a64_row *row = a64_find(word_at(t, pc));
		struct insn i;

		if (!row || reads_nzcv(word_at(t, pc), row))
			return false;
		if (row->flags & F_SETS)
			return true;
		if (!(row->flags & F_ENDS))
			continue;
		a64_decode(word_at(t, pc), t->soc->features, false, &i);
		if (row == &a64_rows[OP_B] || row == &a64_rows[OP_BL])
			return nzcv_is_dead(t, pc + (uint64_t)i.imm, depth - 1);
		if (!(row->flags & F_COND) || !nzcv_is_dead(t, pc + (uint64_t)i.imm, depth - 1))
			return false;
	}
	return false;
}

static void forgive_nzcv(struct test *t)
{
	const struct image *e = &t->exec;
	struct image *m = &t->emit;

	if (e->pc - VECTORS_VA >= 0x800 || !nzcv_is_dead(t, e->sys[SYS_ELR_EL1], STEPS_MAX))
		return;
	m->pstate = (m->pstate & ~PSTATE_NZCV) | (e->pstate & PSTATE_NZCV);
	m->sys[SYS_SPSR_EL1] = (m->sys[SYS_SPSR_EL1] & ~PSTATE_NZCV) | (e->sys[SYS_SPSR_EL1] & PSTATE_NZCV);
}

/* Is there a smallest normal number of any size? It may have been there before, as an addend of something tiny. */
static bool has_smallest_normal(const struct test *t)
{
	for (unsigned n = 0; n < 32; n++) {
		union vreg v = t->emit.v[n];

		for (unsigned k = 0; k < 8; k++)
			if ((v.h[k] & 0x7fff) == 0x0400 || (v.s[k / 2] & 0x7fffffff) == 0x00800000 ||
			    v.d[k / 4] << 1 == UINT64_C(0x0020000000000000))
				return true;
	}
	return false;
}

/*
 * Without --strict: a result that rounds up to the smallest normal number is tiny to Arm, which looks before it
 * rounds, and not to x86, which looks afterwards. In a block the number may have been overwritten.
 */
static void forgive_underflow(struct test *t)
{
	if (t->strict || (t->exec.fpsr & ~t->emit.fpsr) != FPSR_UFC || (t->emit.fpsr & ~t->exec.fpsr))
		return;
	if (t->block.words > 2 || has_smallest_normal(t))
		t->emit.fpsr |= FPSR_UFC;
}

/* Nobody says that an operand was flushed, and a flushed result is inexact. */
static uint64_t forgiven_flags(uint64_t exec, uint64_t emit)
{
	emit |= exec & FPSR_IDC;
	return exec & FPSR_UFC ? emit & (exec | ~(uint64_t)FPSR_IXC) : emit;
}

#define MRS_FPSR UINT32_C(0xd53b4420)

/* Without --strict, when denormals are flushed. */
static void forgive_flush_flags(struct test *t)
{
	t->emit.fpsr = (uint32_t)forgiven_flags(t->exec.fpsr, t->emit.fpsr);
	for (unsigned k = 0; k < t->block.words; k++) {
		unsigned x = t->block.word[k] & 31;

		if (x < 31 && t->block.word[k] - x == MRS_FPSR)
			t->emit.x[x] = forgiven_flags(t->exec.x[x], t->emit.x[x]);
	}
}

/* ... and what rounds up to the smallest normal number is not flushed. */
static void forgive_flush_lanes(const union vreg *exec, union vreg *emit)
{
	for (unsigned k = 0; k < 2; k++)
		if (!(exec->d[k] << 1) && emit->d[k] == (exec->d[k] | UINT64_C(0x0010000000000000)))
			emit->d[k] = exec->d[k];
	for (unsigned k = 0; k < 4; k++)
		if (!(exec->s[k] << 1) && emit->s[k] == (exec->s[k] | 0x00800000))
			emit->s[k] = exec->s[k];
}

static void forgive_fp(struct test *t)
{
	bool flushes = !t->strict && (t->in.fpcr | t->exec.fpcr) & FPCR_FZ;

	if (flushes)
		forgive_flush_flags(t);
	forgive_underflow(t);
	for (unsigned n = 0; flushes && n < 32; n++)
		forgive_flush_lanes(&t->exec.v[n], &t->emit.v[n]);
}

static unsigned differ(const char *what, int n, uint64_t exec, uint64_t emit, uint64_t in)
{
	char name[16];

	if (exec == emit)
		return 0;
	snprintf(name, sizeof(name), n < 0 ? "%s" : "%s%d", what, n);
	printf("#   %-9s exec %016lx emit %016lx (was %016lx)\n", name, exec, emit, in);
	return 1;
}

static unsigned differ_v(unsigned n, const union vreg *exec, const union vreg *emit, const union vreg *in)
{
	if (exec->q == emit->q)
		return 0;
	printf("#   v%-8u exec %016lx:%016lx emit %016lx:%016lx (was %016lx:%016lx)\n", n, exec->d[1], exec->d[0],
	       emit->d[1], emit->d[0], in->d[1], in->d[0]);
	return 1;
}

static unsigned differ_memory(const struct test *t)
{
	unsigned n = 0;

	for (unsigned k = 0; k < PAGES * PAGE && n < 8; k += 8) {
		uint64_t a, b, in;

		memcpy(&a, t->exec.memory + k, 8);
		memcpy(&b, t->emit.memory + k, 8);
		memcpy(&in, t->in.memory + k, 8);
		if (a == b)
			continue;
		printf("#   [%lx] exec %016lx emit %016lx (was %016lx)\n", PLACE + k, a, b, in);
		n++;
	}
	return n;
}

/* Prints what differs; how much. */
static unsigned differences(const struct test *t)
{
	const struct image *a = &t->exec, *b = &t->emit, *in = &t->in;
	unsigned n = differ("pc", -1, a->pc, b->pc, in->pc);

	for (int k = 0; k < 31; k++)
		n += differ("x", k, a->x[k], b->x[k], in->x[k]);
	n += differ("sp", -1, a->x[SLOT_SP], b->x[SLOT_SP], in->x[SLOT_SP]);
	n += differ("pstate", -1, a->pstate, b->pstate, in->pstate);
	n += differ("fpcr", -1, a->fpcr, b->fpcr, in->fpcr) + differ("fpsr", -1, a->fpsr, b->fpsr, in->fpsr);
	for (unsigned k = 0; k < 32; k++)
		n += differ_v(k, &a->v[k], &b->v[k], &in->v[k]);
	for (int k = 0; k < 2; k++)
		n += differ("sp_el", k, a->sp_el[k], b->sp_el[k], in->sp_el[k]);
	for (unsigned k = 0; k < SYS_COUNT; k++)
		n += differ(reg_rows[k].name, -1, a->sys[k], b->sys[k], in->sys[k]);
	n += differ("excl.size", -1, a->excl_size, b->excl_size, 0);
	n += differ("excl.host", -1, a->excl_host, b->excl_host, 0);
	n += differ("excl.v0", -1, a->excl_value[0], b->excl_value[0], 0);
	n += differ("excl.v1", -1, a->excl_value[1], b->excl_value[1], 0);
	return n + differ("device", -1, a->device, b->device, in->device) + differ_memory(t);
}

/* For the signal handlers: which case it was. */
static struct {
	const char *row;
	uint64_t seed;
	bool translated;
} running;

static void died(int sig)
{
	char text[160];
	int n = snprintf(text, sizeof(text), "# signal %d in %s of --row %s --case 0x%lx\n", sig,
			 running.translated ? "translated code" : "exec", running.row, running.seed);

	if (write(1, text, (size_t)n) != n)
		_exit(2);
	_exit(1);
}

/* ---- Rows ---- */

static uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

/* Is the block the same when it is translated? @warm: with the TLB that there is. */
static bool same(struct test *t, bool warm)
{
	if (!warm)
		mmu_inv_all(t->c);
	running.translated = true;
	run_emit(t);
	running.translated = false;
	forgive_nzcv(t);
	forgive_fp(t);
	return !memcmp(&t->exec, &t->emit, sizeof(t->exec));
}

static void report(struct test *t, bool warm)
{
	printf("# --row %s --case 0x%lx%s: %s TLB\n", running.row, running.seed, t->strict ? " --strict" : "",
	       warm ? "warm" : "cold");
	if (!t->loud)
		print_block(t);
	differences(t);
}

/* False: it differs. */
static bool try_case(struct test *t, unsigned op, uint64_t seed, bool quiet)
{
	struct rng r = { mix(seed) | 1 };
	bool ok, warm = false;

	running.row = a64_rows[op].name;
	running.seed = seed;
	draw_case(t, &r, op);
	if (t->loud) {
		print_block(t);
		print_input(t);
	}
	alarm(10);
	if (!run_exec(t))
		return true;
	ok = same(t, false);
	if (ok) {
		warm = true;
		ok = same(t, true);
	}
	if (!ok && !quiet)
		report(t, warm);
	run_invalidate_page(t->c, RAM_PA + CODE * PAGE);
	return ok;
}

static void test_row(struct test *t, unsigned op)
{
	uint64_t base = t->seed;
	unsigned failed = 0;

	for (const char *p = a64_rows[op].name; *p; p++)
		base = mix(base + (uint8_t)*p);
	for (unsigned k = 0; k < t->count; k++)
		failed += !try_case(t, op, base + k, failed >= t->show);
	if (failed)
		printf("not ok %s: %u of %u differ\n", a64_rows[op].name, failed, t->count);
	t->passed += !failed;
	t->failed += failed != 0;
}

static void test_rows(struct test *t, const char *pattern)
{
	printf("# seed 0x%lx\n", t->seed);
	fflush(stdout);
	for (unsigned op = 0; op < OP_COUNT; op++)
		if ((!pattern && has_emitter(op) && can_try(op)) ||
		    (pattern && !fnmatch(pattern, a64_rows[op].name, 0)))
			test_row(t, op);
}

/* One in eight of the rows without an emitter, which are calls of exec_ between the others. */
static void fill_pool(struct test *t)
{
	for (unsigned op = 0; op < OP_COUNT; op++)
		if (can_try(op) && (has_emitter(op) || op % 8 == 0))
			t->pool[t->pool_count++] = (uint16_t)op;
}

static const int deadly[] = { SIGALRM, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGABRT };

static void set_up(struct test *t)
{
	make_machine(t);
	fill_pool(t);
	t->c->exit = &hv_exit;
	for (size_t k = 0; k < ARRAY_SIZE(deadly); k++)
		signal(deadly[k], died);
}

static uint64_t random_seed(void)
{
	uint64_t v = 0;

	CHECK(getrandom(&v, sizeof(v), 0) == sizeof(v));
	return v;
}

static int usage(void)
{
	fprintf(stderr, "usage: jitdiff [--row PATTERN] [--seed S] [--count N] [--long] [--strict] [--show N]\n"
			"       jitdiff --row NAME --case S [--strict]\n");
	return 2;
}

static int one_case(struct test *t, const char *name, uint64_t seed)
{
	t->loud = true;
	for (unsigned op = 0; op < OP_COUNT; op++)
		if (!strcmp(name, a64_rows[op].name))
			return !try_case(t, op, seed, false);
	return usage();
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "row", required_argument, NULL, 'r' },   { "seed", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' }, { "long", no_argument, NULL, 'l' },
		{ "strict", no_argument, NULL, 'x' },      { "show", required_argument, NULL, 'w' },
		{ "case", required_argument, NULL, 'k' },  { 0 },
	};
	struct test *t = calloc(1, sizeof(*t));
	const char *row = NULL, *seed = NULL, *number = NULL;
	char why[200] = "";
	int o;

	CHECK(t);
	setlinebuf(stdout);
	t->count = 100;
	t->show = 2;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (o) {
		case 'r': row = optarg; break;
		case 's': seed = optarg; break;
		case 'c': t->count = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'l': t->count = 10000; break;
		case 'x': t->strict = true; break;
		case 'w': t->show = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'k': number = optarg; break;
		default: return usage();
		}
	if (optind < argc || (number && !row))
		return usage();
	if (!cpu_translator(why, sizeof(why))) {
		printf("# SKIP %s\n", why);
		return 0;
	}
	set_up(t);
	if (number)
		return one_case(t, row, strtoull(number, NULL, 0));
	t->seed = seed ? strtoull(seed, NULL, 0) : 1;
	test_rows(t, row);
	if (!seed) {
		t->seed = random_seed();
		test_rows(t, row);
	}
	printf("# %u rows passed, %u failed\n", t->passed, t->failed);
	return t->failed || !t->passed;
}
