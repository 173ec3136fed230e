/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Benchmark programs for a Linux guest, and the same natively. Each prints
 *
 *   BENCH name units nanoseconds checksum
 *
 * The checksum depends on every result and on nothing else: two machines that
 * execute the program rightly print the same one.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SET_INTEGER = 1,
	SET_FP = 2,
	SET_KERNEL = 4,
	SET_NEWCODE = 8,
	SET_DISK = 16,
	SET_NET = 32,
	SET_CONSOLE = 64,
	SET_9P = 128
};

struct run {
	uint64_t rounds;   /* how often the program does its work */
	uint64_t units;    /* set by the program: what one of them is, the row says */
	uint64_t checksum; /* set by the program */
	uint64_t ns;       /* between run_start() and run_stop(), all such intervals */
	uint64_t start_ns;
	const char *self; /* path of this program */
};

struct program {
	const char *name;
	const char *unit;
	int sets;
	uint64_t rounds; /* about a fifth of a second on qemu-system-aarch64 */
	void (*fn)(struct run *r);
};

void run_start(struct run *r);
void run_stop(struct run *r);

/* Ends the program with a message and errno. */
_Noreturn void fail(const char *what);

/* The same numbers everywhere (xorshift64*); *state must not be 0. */
uint64_t rnd(uint64_t *state);

/* Mixes @v into the checksum @sum. */
static inline uint64_t mix(uint64_t sum, uint64_t v)
{
	sum = (sum ^ v) * 0x9e3779b97f4a7c15u;
	return sum ^ sum >> 29;
}

/* Memory that is there: every page was written. Ended by fail() if there is none. */
void *pages(size_t bytes);

/* integer.c */
void bench_sort(struct run *r);
void bench_qsort(struct run *r);
void bench_fnv(struct run *r);
void bench_sha256(struct run *r);
void bench_table(struct run *r);
void bench_list(struct run *r);
void bench_interp(struct run *r);
void bench_mpi(struct run *r);

/* string.c */
void bench_string(struct run *r);
void bench_libc(struct run *r);

/* compress.c */
void bench_lz(struct run *r);
void bench_huffman(struct run *r);

/* fp.c */
void bench_nbody(struct run *r);
void bench_fft(struct run *r);
void bench_matmul(struct run *r);
void bench_dot32(struct run *r);
void bench_dot64(struct run *r);
void bench_mandelbrot(struct run *r);

/* vector.c, compiled for vectors */
void bench_matmul_vec(struct run *r);
void bench_dot_vec(struct run *r);
void bench_pixels_vec(struct run *r);

/* kernel.c */
void bench_getpid(struct run *r);
void bench_pagefault(struct run *r);
void bench_signal(struct run *r);
void bench_pipe(struct run *r);
void bench_forkexec(struct run *r);
void bench_futex(struct run *r);

/* newcode.c */
void bench_fresh(struct run *r);
void bench_reuse(struct run *r);
void bench_patch(struct run *r);
void bench_newprog(struct run *r);

/* device.c */
void bench_seqread(struct run *r);
void bench_seqwrite(struct run *r);
void bench_randread(struct run *r);
void bench_randread32(struct run *r);
void bench_netdown(struct run *r);
void bench_netup(struct run *r);
void bench_netping(struct run *r);
void bench_netconn(struct run *r);
void bench_uart(struct run *r);
void bench_hvc(struct run *r);
void bench_9pstat(struct run *r);
void bench_9pread(struct run *r);

#endif
