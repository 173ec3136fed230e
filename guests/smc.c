/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Code that changes itself. After DC CVAU, DSB, IC, DSB and ISB the new instructions run, wherever the change is
 * seen from: the next instruction, the same loop, another alias, a block that began lines before, a branch whose
 * target was looked at when it was translated. (Arm ARM, "Ordering and completion of data and instruction cache
 * instructions")
 */
#include "lib/code.h"

#define ALIAS 0x7100000000ul

enum { PAGE_WORDS = 1024, LINE_WORDS = 16, BUFFER_PAGES = 64 };
static u32 buffer[BUFFER_PAGES][PAGE_WORDS] __attribute__((aligned(4096)));

/* Stores @word over the instruction behind the ISB, which is to set x0. */
static u64 patch_next(u32 word)
{
	u64 x0, va;

	asm volatile("adr %1, 1f\n str %w2, [%1]\n dc cvau, %1\n dsb ish\n ic ivau, %1\n dsb ish\n isb\n"
		     "1: mov x0, #0\n mov %0, x0"
		     : "=r"(x0), "=&r"(va)
		     : "r"(word)
		     : "x0", "memory");
	return x0;
}

/* A loop that changes one of its instructions in each round: ahead of the store, or behind it for the next round. */
static u64 patch_loop(u64 rounds, bool behind)
{
	u64 sum = 0, va, n = 0, movz = a64_movz(9, 0);
	u32 word;

	asm volatile("adr %[va], 2f\n adr x10, 3f\n cmp %[behind], #0\n csel %[va], %[va], x10, ne\n"
		     "1:\n"
		     "2: mov x9, #0\n"
		     "   add %[sum], %[sum], x9\n"
		     "   add %[n], %[n], #1\n"
		     "   orr %w[word], %w[movz], %w[n], lsl #5\n"
		     "   str %w[word], [%[va]]\n"
		     "   dc cvau, %[va]\n dsb ish\n ic ivau, %[va]\n dsb ish\n isb\n"
		     "3: mov x9, #0\n"
		     "   add %[sum], %[sum], x9\n"
		     "   cmp %[n], %[rounds]\n b.ne 1b\n"
		     : [sum] "+r"(sum), [va] "=&r"(va), [n] "+r"(n), [word] "=&r"(word)
		     : [rounds] "r"(rounds), [movz] "r"(movz), [behind] "r"((u64)behind)
		     : "x9", "x10", "cc", "memory");
	return sum;
}

static void own_code(void)
{
	unsigned wrong = 0;

	for (u32 i = 1; i <= 2000; i++)
		wrong += patch_next(a64_movz(0, i)) != i;
	report(!wrong, "the instruction behind the ISB is the new one, 2000 times");
	report(patch_loop(1000, false) == 1000 * 1001 / 2, "a loop that changes what it executes next");
	/* Where the loop before has left its last change. */
	report(patch_loop(1000, true) == 1000 * 1000 + 999 * 1000 / 2,
	       "a loop that changes what it executes in the next round");
}

/* Both addresses have been executed; writes and IC by either. */
static void aliases(void)
{
	u32 *code = buffer[0];
	unsigned wrong = 0;

	mmu_map(ALIAS, (u64)code, PTE_NORMAL);
	mmu_flush(ALIAS);
	code[1] = A64_RET;
	for (u32 i = 0; i < 400; i++) {
		u64 write = i & 1 ? ALIAS : (u64)code, sync = i & 2 ? ALIAS : (u64)code;

		*(volatile u32 *)write = a64_movz(0, i);
		code_sync(sync);
		wrong += code_call(code, 0) != i || code_call((void *)ALIAS, 0) != i;
	}
	report(!wrong, "an alias sees what was written and what was invalidated by the other address");
}

static void fresh_pages(void)
{
	unsigned wrong = 0, k = 0;

	for (unsigned round = 0; round < 8; round++) {
		for (unsigned p = 0; p < BUFFER_PAGES; p++) {
			u32 *c = buffer[p], n = 0;

			c[n++] = a64_movz(0, ++k & 0xffff);
			for (unsigned i = 0; i < 20 + round; i++)
				c[n++] = a64_add(0, 0, i);
			c[n++] = A64_RET;
			for (unsigned i = 0; i < n; i += LINE_WORDS)
				code_sync((u64)&c[i]);
			wrong += code_call(c, 0) != (k & 0xffff) + (20 + round) * (19 + round) / 2;
		}
	}
	report(!wrong, "512 functions, each written and executed once");
}

static void small_functions(void)
{
	u32 *page = buffer[1], value[PAGE_WORDS / 4];
	unsigned wrong = 0, seed = 1;

	for (u32 i = 0; i < ARRAY_SIZE(value); i++) {
		value[i] = i;
		page[4 * i] = a64_movz(0, i);
		page[4 * i + 1] = A64_RET;
	}
	icache_sync();
	for (u32 i = 0; i < 4000; i++) {
		unsigned n = (seed = seed * 1103515245 + 12345) >> 16 & 255, near = (n + 1 + (i & 3)) & 255;

		wrong += code_call(&page[4 * near], 0) != value[near];
		value[n] = i;
		code_put(&page[4 * n], a64_movz(0, i));
		wrong += code_call(&page[4 * n], 0) != i || code_call(&page[4 * near], 0) != value[near];
	}
	report(!wrong, "256 functions of a page, one changed at a time");
}

/* Straight on for most of a page: IC names only the line that changed, not that where the code was entered. */
static void long_function(void)
{
	u32 *c = buffer[2];
	unsigned wrong = 0, words = PAGE_WORDS - 2;
	u64 sum = 0;

	c[0] = a64_movz(0, 0);
	for (u32 i = 1; i < words; i++)
		c[i] = a64_add(0, 0, 0);
	c[words] = A64_RET;
	icache_sync();
	wrong += code_call(c, 0) != 0;
	for (u32 i = 1; i < words; i++) {
		code_put(&c[i], a64_add(0, 0, i));
		sum += i;
		wrong += code_call(c, 0) != sum;
	}
	report(!wrong, "every word of a long function is changed in turn");
}

/*
 * CMP and a branch; at its target either something that sets the flags anew, or nothing of the sort. Who has
 * looked there, and left out flags that nobody would read, must look again.
 */
static void behind_branches(void)
{
	const u32 branches[] = {
		a64_b(8),
		a64_bcond(COND_EQ, 8),
		a64_bcond(COND_NE, 8),
		a64_cbz(2, 8),
		a64_tbz(2, 3, 8),
		a64_cbnz(3, 8),
		A64_NOP, /* straight on, into another line */
		a64_br(4),
		a64_bl(8),
	};
	u32 *c = buffer[3] + LINE_WORDS - 4, *target = c + 2 + 8;
	unsigned wrong = 0;

	for (unsigned k = 0; k < ARRAY_SIZE(branches); k++) {
		c[0] = a64_mov(9, 30);
		c[1] = a64_cmp(0, 5);
		c[2] = branches[k];
		for (u32 *p = c + 3; p < target; p++)
			*p = A64_NOP;
		target[1] = a64_cset(0, COND_EQ);
		target[2] = a64_ret(9);
		icache_sync();
		for (unsigned i = 0; i < 200; i++) {
			u32 compared = i % 3 == 1 ? 7 : 5;
			u64 x0 = i & 4 ? 5 : 7;

			code_put(target, i % 3 == 0 ? A64_NOP : a64_cmp(0, compared));
			for (unsigned again = 0; again < 3; again++) {
				register u64 r0 asm("x0") = x0, r2 asm("x2") = 0, r3 asm("x3") = 1;
				register u64 r4 asm("x4") = (u64)target;

				asm volatile("blr %4"
					     : "+r"(r0)
					     : "r"(r2), "r"(r3), "r"(r4), "r"(c)
					     : "x9", "x30", "cc", "memory");
				if (r0 != (x0 == compared) && wrong++ < 3)
					print("# branch %x, round %u: %lu\n", branches[k], i, r0);
			}
		}
	}
	report(!wrong, "flag setters come and go at the targets of %u branches", (unsigned)ARRAY_SIZE(branches));
}

static void whole_cache(void)
{
	unsigned wrong = 0;

	for (u32 round = 0; round < 20; round++) {
		for (u32 p = 0; p < BUFFER_PAGES; p++) {
			buffer[p][7 * p] = a64_movz(0, round * 100 + p);
			buffer[p][7 * p + 1] = A64_RET;
		}
		if (round & 1)
			icache_sync();
		else
			asm volatile("dsb ish\n ic ialluis\n dsb ish\n isb" ::: "memory");
		for (u32 p = 0; p < BUFFER_PAGES; p++)
			wrong += code_call(&buffer[p][7 * p], 0) != round * 100 + p;
	}
	report(!wrong, "IC IALLU and IALLUIS, 64 changed pages at once");
}

/* No IC is needed for them, and none may be. */
static void data_beside_code(void)
{
	u32 *c = buffer[4];
	volatile u64 *data = (u64 *)&c[LINE_WORDS / 2];
	unsigned wrong = 0;

	c[0] = a64_ldr(1, 0, 0);
	c[1] = a64_add(1, 1, 1);
	c[2] = a64_str(1, 0, 0);
	c[3] = a64_mov(0, 1);
	c[4] = A64_RET;
	icache_sync();
	*data = 0;
	for (u64 i = 1; i <= 2000; i++) {
		wrong += code_call(c, (u64)data) != i;
		wrong += *data != i;
	}
	report(!wrong, "data in the line of the code that changes them");
}

/*
 * The last word of a page, with no page behind it: the word is executed, and the abort is that of the address after
 * it. Then with a page, whatever was kept of the fault.
 */
static u64 end_entry;
static void run_to_end(u64 x0) { (void)code_call((void *)end_entry, x0); }

static void page_ends(void)
{
	static u64 cell;
	const u32 last[] = {
		A64_NOP,        a64_add(0, 0, 0),       a64_ldr(1, 0, 0), a64_str(1, 0, 0),
		a64_cmp(0, 0),  a64_bcond(COND_EQ, -8), /* not taken, as those after it: x0 is an address */
		a64_cbz(0, -8), a64_tbz(31, 0, 1),      a64_b(1),         0xd5033fdf, /* isb */
	};
	u64 va = ALIAS + 0x100000, next = va + 4096;
	u32 *first = buffer[5], *second = buffer[9];
	unsigned wrong = 0;

	second[0] = A64_RET;
	for (unsigned k = 0; k < ARRAY_SIZE(last); k++) {
		for (unsigned before = 1; before < 4; before++) {
			u32 *p = &first[PAGE_WORDS - 1 - before];

			end_entry = va + 4096 - 4 - 4 * before;
			for (unsigned i = 0; i < before; i++)
				p[i] = a64_cmp(0, 1);
			p[before] = last[k];
			icache_sync();
			mmu_map(va, (u64)first, PTE_NORMAL);
			*mmu_pte(next, 3) = 0;
			mmu_flush(next);
			for (unsigned again = 0; again < 3; again++) {
				struct fault f = catch_fault(run_to_end, (u64)&cell);

				wrong += fault_ec(f) != 0x21 || fault_fsc(f) != 7 || f.elr != next || f.far != next;
			}
			mmu_map(next, (u64)second, PTE_NORMAL);
			wrong += catch_fault(run_to_end, (u64)&cell).taken;
		}
	}
	report(!wrong, "behind the last word of a page: an abort of the next address, or its code");
}

void test(void)
{
	mmu_on();
	own_code();
	aliases();
	fresh_pages();
	small_functions();
	long_function();
	behind_branches();
	whole_cache();
	data_beside_code();
	page_ends();
}
