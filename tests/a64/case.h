/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests/a64's two halves share: the host program that makes cases and runs
 * our exec_ functions, and the arm64 program that runs the same cases under
 * qemu-aarch64. Both see it through one memfd.
 *
 *   WINDOW_BASE .............. data, 2 MiB
 *   CODE_BASE ................ one slot per case: block, BRK, UDF filler
 *   CODE_BASE + CODE_BYTES ... data, up to WINDOW_BASE + WINDOW_BYTES
 *
 * Code sits in the middle of the data so that literal loads reach data, and at
 * the same addresses on both sides so that PC-relative results can be compared.
 */
#ifndef A64_CASE_H
#define A64_CASE_H

#include <stdint.h>

#define WINDOW_BASE  UINT64_C(0x200000000000)
#define WINDOW_BYTES UINT64_C(0x400000)         /* exactly what the 1,024 software TLB entries cover */
#define CODE_BASE    (WINDOW_BASE + UINT64_C(0x200000))
#define SLOT_BYTES   32u
#define BLOCK_MAX    4u                         /* instructions of a block; BRK follows, then UDF to the slot's end */
#define CASES_MAX    2048u
#define CODE_BYTES   ((uint64_t)CASES_MAX * SLOT_BYTES)
#define SHARED_BASE  UINT64_C(0x210000000000)   /* struct shared in the arm64 program */
#define SHARED_FD    3
#define MEM_BYTES    128u                       /* of the window, compared around what the case accesses */

#define INSN_BRK 0xd4200000u
#define INSN_UDF 0x00000000u

struct a64_state {
	uint64_t x[31], sp, pc, pstate;
	uint32_t fpcr, fpsr;
	uint64_t v[32][2];
};

struct a64_case {
	struct a64_state in, out;
	uint64_t mem_addr;                      /* 0: the case accesses no memory */
	uint32_t sig;                           /* signal that ended it: SIGTRAP when it ran to its BRK */
	uint32_t pad;
	uint64_t mem_in[MEM_BYTES / 8], mem_out[MEM_BYTES / 8];
};

struct shared {
	volatile uint32_t current;              /* case being run, for the report when the program hangs or dies */
	uint32_t pad[15];
	struct a64_case cases[CASES_MAX];
};

/* In the memfd: struct shared, then the code. */
#define SHARED_BYTES ((sizeof(struct shared) + 0xfff) & ~UINT64_C(0xfff))

#endif
