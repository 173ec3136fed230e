/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops of known length, timed by the guest's own counter. One line each:
 * BENCH name instructions nanoseconds
 */
#include "lib/lib.h"

static u64 data[4096] __attribute__((aligned(4096)));

static u64 now(void)
{
	isb();
	return read_sysreg(cntvct_el0);
}

/* Runs @body (instructions per round in @length) @rounds times; %0 counts down, x9..x15 are free. */
#define LOOP(name, rounds, length, body)                                                               \
	do {                                                                                           \
		u64 n = (rounds), start = now();                                                       \
		asm volatile("1:\n" body "subs %0, %0, #1\n b.ne 1b\n"                                 \
			     : "+r"(n)                                                                 \
			     : "r"(data)                                                               \
			     : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x30", "cc", "memory"); \
		u64 ticks = now() - start;                                                             \
		print("BENCH %s %lu %lu\n", name, (u64)(rounds) * ((length) + 2),                      \
		      ticks * 1000 / (read_sysreg(cntfrq_el0) / 1000000));                             \
	} while (0)

void test(void)
{
	mmu_on();
	LOOP("alu", 4000000ul, 6,
	     "add x9, x9, #3\n eor x10, x10, x9\n add x11, x11, x10, lsl #2\n"
	     "and x12, x11, #0xff\n orr x13, x13, x12\n sub x14, x14, x13\n");
	LOOP("load", 4000000ul, 4,
	     "and x9, %0, #0xff\n ldr x10, [%1, x9, lsl #3]\n add x11, x11, x10\n"
	     "ldr w12, [%1, #8]\n");
	LOOP("copy", 4000000ul, 4,
	     "ldp x9, x10, [%1]\n ldp x11, x12, [%1, #16]\n stp x9, x10, [%1, #64]\n"
	     "stp x11, x12, [%1, #80]\n");
	LOOP("hash", 4000000ul, 4,
	     "ldrb w9, [%1, #3]\n eor x10, x10, x9\n mul x10, x10, x11\n"
	     "ror x10, x10, #7\n");
	LOOP("call", 4000000ul, 4, "bl 3f\n b 4f\n 3: add x9, x9, #1\n ret\n 4:\n");
	LOOP("branch", 4000000ul, 4, "tst %0, #1\n b.eq 5f\n add x9, x9, #1\n 5: add x10, x10, #1\n");
	report(true, "timed");
}
