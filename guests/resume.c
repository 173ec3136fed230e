/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses that fault, are mended by the handler and run again: the program must not notice. NZCV that is still
 * wanted, the base register of write-back forms, registers loaded before and after, and what had been stored by
 * then, in groups of accesses around one base of which any may be the one that faults.
 */
#include "lib/lib.h"

#define VA 0x7100000000ul /* page A, then page B */

static u8 *a, *b;
static unsigned faults;
static u64 base_at_fault, wrong_far;

/* Maps page B when something is missing there; x0 is every access's base. */
static bool map_b(struct regs *r)
{
	if (r->esr >> 26 != 0x25 || (r->esr & 0x3f) != 7)
		return false;
	faults++;
	base_at_fault = r->x[0];
	wrong_far += r->far >> 12 != (VA >> 12) + 1;
	mmu_map(VA + 4096, (u64)b, PTE_NORMAL);
	dsb(ishst);
	isb();
	return true;
}

static void unmap_b(void)
{
	*mmu_pte(VA + 4096, 3) = 0;
	mmu_flush(VA + 4096);
}

static u8 pattern(unsigned i) { return (u8)(i * 7 + 3); }

static void fill(void)
{
	for (unsigned i = 0; i < 64; i++) {
		a[4096 - 64 + i] = pattern(i);
		b[i] = pattern(64 + i);
	}
}

/* x0..x5 and NZCV behind @name's instructions, which see x0 = base, x1 = 1 .. x5 = 5 and NZCV. */
struct state {
	u64 x[6], nzcv;
};
#define SEQUENCE(name, text)                                                                            \
	static void name(struct state *s)                                                               \
	{                                                                                               \
		asm volatile("mov x9, %0\n ldp x0, x1, [x9]\n ldp x2, x3, [x9, #16]\n"                  \
			     "ldp x4, x5, [x9, #32]\n ldr x10, [x9, #48]\n msr nzcv, x10\n" text        \
			     "\n mrs x10, nzcv\n stp x0, x1, [x9]\n stp x2, x3, [x9, #16]\n"            \
			     "stp x4, x5, [x9, #32]\n str x10, [x9, #48]"                               \
			     :                                                                          \
			     : "r"(s)                                                                   \
			     : "x0", "x1", "x2", "x3", "x4", "x5", "x9", "x10", "x11", "cc", "memory"); \
	}
/* Write-back, the base as it was until the access has happened. */
SEQUENCE(ldr_pre, "ldr x1, [x0, #8]!")
SEQUENCE(ldr_post, "ldr x1, [x0], #8")
SEQUENCE(str_pre, "str x1, [x0, #8]!")
SEQUENCE(str_post, "str x1, [x0], #8")
SEQUENCE(ldp_pre, "ldp x1, x2, [x0, #16]!")
SEQUENCE(ldp_post, "ldp x1, x2, [x0], #16")
SEQUENCE(stp_pre, "stp x1, x2, [x0, #16]!")
SEQUENCE(stp_post, "stp x1, x2, [x0], #16")
SEQUENCE(ldrb_post, "ldrb w1, [x0], #1\n ldrb w2, [x0], #1\n ldrb w3, [x0], #1\n ldrb w4, [x0], #1")
SEQUENCE(strh_pre, "strh w1, [x0, #2]!\n strh w2, [x0, #2]!\n strh w3, [x0, #2]!\n strh w4, [x0, #2]!")
/* The base is loaded itself. */
SEQUENCE(ldp_base, "ldp x0, x1, [x0]")
SEQUENCE(ldr_base, "ldr x0, [x0, #8]")
/* Many around one base, in no order. */
SEQUENCE(loads, "ldr x1, [x0]\n ldr x2, [x0, #16]\n ldr x3, [x0, #8]\n ldr w4, [x0, #28]\n ldrsb x5, [x0, #3]")
SEQUENCE(stores,
	 "str x1, [x0, #16]\n str w2, [x0, #4]\n strb w3, [x0, #9]\n stp x4, x5, [x0, #24]\n str x1, [x0, #-8]")
SEQUENCE(mixed, "ldr x1, [x0]\n str x2, [x0, #24]\n ldr x3, [x0, #24]\n str x1, [x0, #8]\n ldp x4, x5, [x0, #8]")
SEQUENCE(
	moving,
	"str x1, [x0], #8\n str x2, [x0]\n add x0, x0, #8\n ldr x3, [x0, #-8]\n stp x4, x5, [x0, #8]!\n sub x0, x0, #4")
/* Flags made before and used after; both in one go, and around a branch. */
SEQUENCE(flags_load, "cmp x1, x2\n ldr x1, [x0]\n ldr x2, [x0, #24]\n cset x3, lo\n cset x4, mi\n adc x5, x5, x3")
SEQUENCE(flags_store,
	 "adds x3, x1, x2\n str x3, [x0, #20]\n csinc x4, x1, x2, vs\n stp x1, x2, [x0, #8]\n sbc x5, x5, x1")
SEQUENCE(
	flags_branch,
	"subs x3, x1, x2\n ldr x11, [x0, #16]\n b.hi 1f\n mov x4, #77\n 1: str x11, [x0, #24]\n b.ls 2f\n mov x5, #78\n 2:")
SEQUENCE(flags_compare,
	 "cmp x1, #1\n ldr x2, [x0, #24]\n ccmp x1, #0, #4, ne\n str x1, [x0, #16]\n cset x3, eq\n cset x4, hs")
/* SIMD registers, spelled by number: ldr q0, [x0]; str q0, [x0, #16]; ld1 {v0.16b, v1.16b}, [x0], #32. */
SEQUENCE(vectors, ".inst 0x3dc00000\n .inst 0x3d800400\n ldp x1, x2, [x0, #16]\n ldr x3, [x0, #24]")
SEQUENCE(structures, ".inst 0x4cdfa000\n sub x1, x0, #32\n .inst 0x4c9fa020\n")

#define ROW(name)           \
	{                   \
#name, name \
	}
static const struct {
	const char *name;
	void (*fn)(struct state *s);
} sequences[] = {
	ROW(ldr_pre),      ROW(ldr_post),      ROW(str_pre),   ROW(str_post),   ROW(ldp_pre),    ROW(ldp_post),
	ROW(stp_pre),      ROW(stp_post),      ROW(ldrb_post), ROW(strh_pre),   ROW(ldp_base),   ROW(ldr_base),
	ROW(loads),        ROW(stores),        ROW(mixed),     ROW(moving),     ROW(flags_load), ROW(flags_store),
	ROW(flags_branch), ROW(flags_compare), ROW(vectors),   ROW(structures),
};

struct result {
	struct state s;
	u8 memory[128];
};

static void run(void (*fn)(struct state *), u64 va, u64 nzcv, struct result *out)
{
	fill();
	out->s = (struct state){ { va, 1, 2, 3, 4, 5 }, nzcv };
	fn(&out->s);
	memcpy(out->memory, a + 4096 - 64, 64);
	memcpy(out->memory + 64, b, 64);
}

static bool same(const struct result *p, const struct result *q)
{
	for (unsigned i = 0; i < ARRAY_SIZE(p->s.x); i++)
		if (p->s.x[i] != q->s.x[i])
			return false;
	return p->s.nzcv == q->s.nzcv && !memcmp(p->memory, q->memory, sizeof(p->memory));
}

/* With the page there, and with the page missing until it is asked for: no difference. */
static void try_sequence(unsigned n)
{
	unsigned differ = 0, calm = 0;

	for (unsigned before = 0; before <= 40; before++) {
		for (u64 nzcv = 0; nzcv < 16; nzcv += 5) {
			u64 va = VA + 4096 - before;
			static struct result whole, faulting;

			mmu_map(VA + 4096, (u64)b, PTE_NORMAL);
			isb();
			run(sequences[n].fn, va, nzcv << 28, &whole);
			unmap_b();
			faults = 0;
			run(sequences[n].fn, va, nzcv << 28, &faulting);
			calm += !faults;
			if (!same(&whole, &faulting) && differ++ < 3)
				print("# %s, %u before the page: nzcv %lx and %lx, x0 %lx and %lx\n",
				      sequences[n].name, before, whole.s.nzcv, faulting.s.nzcv, whole.s.x[0],
				      faulting.s.x[0]);
		}
	}
	report(!differ && calm < 41 * 4, "%s: a fault on the way changes nothing", sequences[n].name);
}

/* ---- What the handler sees ---- */

static void bases(void)
{
	static const struct {
		void (*fn)(struct state *);
		u8 before;
		int8_t moved; /* of the base, when the fault is taken */
	} cases[] = {
		{ ldr_pre, 8, 0 },  { ldr_post, 0, 0 }, { str_pre, 8, 0 },  { str_post, 0, 0 },  { ldp_pre, 16, 0 },
		{ ldp_post, 8, 0 }, { stp_pre, 24, 0 }, { stp_post, 4, 0 }, { ldrb_post, 2, 2 }, { strh_pre, 5, 2 },
		{ moving, 8, 8 },   { moving, 24, 16 }, { ldp_base, 8, 0 },
	};
	unsigned bad = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(cases); n++) {
		u64 va = VA + 4096 - cases[n].before;
		static struct result out;

		unmap_b();
		faults = 0;
		run(cases[n].fn, va, 0, &out);
		if (!faults || base_at_fault != va + (u64)cases[n].moved) {
			print("# case %u: %u faults, base %lx from %lx\n", n, faults, base_at_fault, va);
			bad++;
		}
	}
	report(!bad, "the base register at the fault is that of the instruction that faults");
	report(!wrong_far, "FAR is always in the missing page");
}

/* Stores before the one that faults have happened, those behind it have not. */
static u8 seen[32];
static bool note_stores(struct regs *r)
{
	memcpy(seen, a + 4096 - 32, 32);
	return map_b(r);
}

static void order_of_stores(void)
{
	bool bad;

	unmap_b();
	fill();
	sync_handler = note_stores;
	asm volatile(
		"mov x9, %0\n mov x10, #-1\n"
		"str x10, [x9, #-32]\n str x10, [x9, #-24]\n str x10, [x9]\n str x10, [x9, #-16]\n str x10, [x9, #-8]"
		:
		: "r"(VA + 4096)
		: "x9", "x10", "memory");
	sync_handler = map_b;
	bad = false;
	for (unsigned i = 0; i < 32; i++)
		bad |= seen[i] != (i < 16 ? 0xff : pattern(32 + i));
	report(!bad, "five stores, the third faults: the handler sees two");
	bad = false;
	for (unsigned i = 0; i < 32; i++)
		bad |= a[4096 - 32 + i] != 0xff;
	report(!bad, "and afterwards all are there");
}

/* ---- SP ---- */

/* At EL1 it is SP_EL0, so that the exception has a stack. */
#define WITH_SP(name, text)                                                                                    \
	static void name(u64 sp)                                                                               \
	{                                                                                                      \
		asm volatile("msr spsel, #0\n mov sp, %0\n mov x11, #0x55\n" text "\n msr spsel, #1" ::"r"(sp) \
			     : "x11", "x12", "memory");                                                        \
	}
WITH_SP(sp_load, "ldr x12, [sp]")
WITH_SP(sp_store, "str x11, [sp, #-64]")
WITH_SP(sp_pair, "ldp x11, x12, [sp, #16]")
WITH_SP(sp_push, "str x11, [sp, #-16]!")
WITH_SP(sp_byte, "ldrb w12, [sp]")
WITH_SP(sp_register, "mov x12, #8\n ldr x12, [sp, x12]")
WITH_SP(sp_second, "add sp, sp, #8\n ldr x12, [sp]\n ldr x11, [sp, #8]")
WITH_SP(sp_prefetch, "prfm pldl1keep, [sp]\n add x12, sp, #8\n cmp sp, x12")
static void (*const sp_uses[])(u64) = { sp_load, sp_store, sp_pair, sp_push, sp_byte, sp_register };
static u8 other_stack[512] __attribute__((aligned(16)));

static unsigned el1_sp(void (*fn)(u64), u64 off)
{
	struct fault f = catch_fault(fn, (u64)other_stack + 256 + off);

	return f.taken ? fault_ec(f) : 0;
}

static unsigned el0_sp(u32 word, u64 off)
{
	static u64 stack;
	u64 code = el0_code(&word, 1);

	if (!stack)
		stack = el0_data();
	el0_call(code, stack + 2048 + off, 0);
	return el0_fault().taken ? fault_ec(el0_fault()) : 0;
}

static void sp_alignment(void)
{
	static const u32 words[] = {
		0xf94003e1, /* ldr x1, [sp] */
		0xf90003e1, /* str x1, [sp] */
		0xa9400be1, /* ldp x1, x2, [sp] */
		0xf81f0fe1, /* str x1, [sp, #-16]! */
		0x394003e1, /* ldrb w1, [sp] */
		0xf8626be1, /* ldr x1, [sp, x2] */
	};
	u64 sctlr = read_sysreg(sctlr_el1);
	unsigned bad = 0, bad1 = 0;

	for (unsigned on = 0; on < 2; on++) {
		write_sysreg(sctlr_el1, (sctlr & ~(3ul << 3)) | (u64)on << 3 | (u64)!on << 4);
		isb();
		for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
			bad += el0_sp(words[i], 8) != (on ? 0 : 0x26);
			bad += el0_sp(words[i], 16) != 0;
		}
		for (unsigned i = 0; i < ARRAY_SIZE(sp_uses); i++) {
			bad1 += el1_sp(sp_uses[i], 8) != (on ? 0x26 : 0);
			bad1 += el1_sp(sp_uses[i], 16) != 0;
		}
		bad1 += el1_sp(sp_second, 0) != (on ? 0x26 : 0);
		bad1 += el1_sp(sp_second, 8) != 0;
		bad1 += el1_sp(sp_prefetch, 8) != 0;
	}
	write_sysreg(sctlr_el1, sctlr);
	isb();
	report(!bad, "SP that is not a multiple of 16 faults at EL0 with SCTLR_EL1.SA0, and only then");
	report(!bad1, "and at EL1 with SA");
}

void test(void)
{
	mmu_on();
	a = page_alloc();
	(void)page_alloc();
	b = page_alloc();
	mmu_map(VA, (u64)a, PTE_NORMAL);
	mmu_flush(VA);
	sync_handler = map_b;
	for (unsigned n = 0; n < ARRAY_SIZE(sequences); n++)
		try_sequence(n);
	bases();
	order_of_stores();
	sync_handler = NULL;
	sp_alignment();
}
