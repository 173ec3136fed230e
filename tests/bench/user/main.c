/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench SET|NAME ...    the programs of a set or by name
 * bench --once NAME ... one round of each, nothing printed
 * bench --nothing       ends at once: what fork+exec starts
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static const struct program programs[] = {
	{ "sort", "element", SET_INTEGER, 300, bench_sort },
	{ "qsort", "element", SET_INTEGER, 90, bench_qsort },
	{ "fnv", "byte", SET_INTEGER, 4000, bench_fnv },
	{ "sha256", "byte", SET_INTEGER, 300, bench_sha256 },
	{ "table", "operation", SET_INTEGER, 12, bench_table },
	{ "lz", "byte", SET_INTEGER, 240, bench_lz },
	{ "huffman", "byte", SET_INTEGER, 120, bench_huffman },
	{ "interp", "bytecode", SET_INTEGER, 150, bench_interp },
	{ "string", "byte", SET_INTEGER, 3000, bench_string },
	{ "libc", "byte", SET_INTEGER, 6000, bench_libc },
	{ "mpi", "product", SET_INTEGER, 80000, bench_mpi },
	{ "list", "node", SET_INTEGER, 200, bench_list },
	{ "getpid", "call", SET_INTEGER | SET_KERNEL, 25000, bench_getpid },
	{ "pagefault", "fault", SET_INTEGER | SET_KERNEL, 20, bench_pagefault },
	{ "forkexec", "process", SET_INTEGER | SET_KERNEL, 50, bench_forkexec },
	{ "futex", "round trip", SET_INTEGER | SET_KERNEL, 1200, bench_futex },
	{ "nbody", "step", SET_FP, 80000, bench_nbody },
	{ "fft", "transform", SET_FP, 500, bench_fft },
	{ "matmul", "product", SET_FP, 70, bench_matmul },
	{ "matmul-vec", "product", SET_FP, 80, bench_matmul_vec },
	{ "dot32", "element", SET_FP, 4500, bench_dot32 },
	{ "dot64", "element", SET_FP, 4500, bench_dot64 },
	{ "dot-vec", "element", SET_FP, 6000, bench_dot_vec },
	{ "pixels-vec", "byte", SET_FP, 9000, bench_pixels_vec },
	{ "mandelbrot", "iteration", SET_FP, 35, bench_mandelbrot },
	{ "signal", "signal", SET_KERNEL, 8000, bench_signal },
	{ "pipe", "round trip", SET_KERNEL, 1200, bench_pipe },
	{ "fresh", "instruction", SET_NEWCODE, 40, bench_fresh },
	{ "reuse", "instruction", SET_NEWCODE, 30, bench_reuse },
	{ "patch", "patch", SET_NEWCODE, 12000, bench_patch },
	{ "newprog", "process", SET_NEWCODE, 4, bench_newprog },
	{ "seqread", "byte", SET_DISK, 1500, bench_seqread },
	{ "seqwrite", "byte", SET_DISK, 1500, bench_seqwrite },
	{ "randread", "read", SET_DISK, 5000, bench_randread },
	{ "randread32", "read", SET_DISK, 20000, bench_randread32 },
	{ "netdown", "byte", SET_NET, 200, bench_netdown },
	{ "netup", "byte", SET_NET, 100, bench_netup },
	{ "netping", "round trip", SET_NET, 4000, bench_netping },
	{ "netconn", "connection", SET_NET, 1000, bench_netconn },
	{ "uart", "byte", SET_CONSOLE, 600, bench_uart },
	{ "hvc", "byte", SET_CONSOLE, 5000, bench_hvc },
	{ "9pstat", "call", SET_9P, 5000, bench_9pstat },
	{ "9pread", "byte", SET_9P, 300, bench_9pread },
};

static const struct {
	const char *name;
	int set;
} sets[] = { { "integer", SET_INTEGER }, { "fp", SET_FP },   { "kernel", SET_KERNEL },   { "newcode", SET_NEWCODE },
	     { "disk", SET_DISK },       { "net", SET_NET }, { "console", SET_CONSOLE }, { "9p", SET_9P } };

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void run_start(struct run *r) { r->start_ns = now_ns(); }

void run_stop(struct run *r) { r->ns += now_ns() - r->start_ns; }

void fail(const char *what)
{
	printf("FAILED %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

uint64_t rnd(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

void *pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		fail("mmap");
	return p;
}

/* In a process of its own: none finds the memory another one left, and one that crashes is one line. */
static int run_alone(const struct program *p, const char *self)
{
	struct run r = { .rounds = p->rounds, .self = self };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (!pid) {
		p->fn(&r);
		printf("BENCH %s %" PRIu64 " %" PRIu64 " %016" PRIx64 "\n", p->name, r.units, r.ns, r.checksum);
		fflush(stdout);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		fail("waitpid");
	if (status)
		printf("FAILED %s: wait status %#x\n", p->name, status);
	return status != 0;
}

static int set_of(const char *name)
{
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		if (!strcmp(sets[i].name, name))
			return sets[i].set;
	return 0;
}

static int run_named(const char *name, const char *self, bool once)
{
	int failed = 0, found = 0, set = set_of(name);

	for (const struct program *p = programs; p < programs + sizeof(programs) / sizeof(programs[0]); p++) {
		if (!(p->sets & set) && strcmp(p->name, name))
			continue;
		found++;
		if (once)
			p->fn(&(struct run){ .rounds = 1, .self = self });
		else
			failed |= run_alone(p, self);
	}
	if (!found)
		printf("FAILED %s: no such set or program\n", name);
	return failed || !found;
}

/* Both ends of a context switch on one processor, wherever it runs. */
static void stay_here(void)
{
	cpu_set_t set;
	int cpu = sched_getcpu();

	CPU_ZERO(&set);
	CPU_SET(cpu < 0 ? 0 : cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	bool once = argc > 1 && !strcmp(argv[1], "--once");
	int failed = 0;

	if (argc > 1 && !strcmp(argv[1], "--nothing"))
		return 0;
	if (argc < 2) {
		for (const struct program *p = programs; p < programs + sizeof(programs) / sizeof(programs[0]); p++)
			printf("%-12s per %s\n", p->name, p->unit);
		return 0;
	}
	stay_here();
	for (char **name = argv + 1 + once; *name; name++)
		failed |= run_named(*name, argv[0], once);
	if (!once)
		printf("DONE\n");
	return failed;
}
