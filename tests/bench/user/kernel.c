/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paths through the kernel: exceptions, page tables, switches between processes. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define FAULT_PAGES 1024

void bench_getpid(struct run *r)
{
	pid_t self = getpid();

	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++)
		r->checksum += syscall(SYS_getpid) == self;
	run_stop(r);
	r->units = r->rounds;
}

void bench_pagefault(struct run *r)
{
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		const size_t bytes = FAULT_PAGES * 4096;
		volatile uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			fail("mmap");
		madvise((void *)p, bytes, MADV_NOHUGEPAGE);
		for (size_t i = 0; i < bytes; i += 4096) {
			p[i] = 1;
			r->checksum += p[i + 1] + 1u;
		}
		munmap((void *)p, bytes);
	}
	run_stop(r);
	r->units = r->rounds * FAULT_PAGES;
}

static volatile sig_atomic_t caught;

static void on_signal(int number) { caught += number == SIGUSR1; }

void bench_signal(struct run *r)
{
	struct sigaction a = { .sa_handler = on_signal };
	pid_t self = getpid();

	if (sigaction(SIGUSR1, &a, NULL))
		fail("sigaction");
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++)
		kill(self, SIGUSR1);
	run_stop(r);
	r->checksum = (uint64_t)caught;
	r->units = r->rounds;
}

static pid_t start_child(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	return pid;
}

static uint64_t end_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		fail("the other process");
	return 1;
}

void bench_pipe(struct run *r)
{
	int there[2], back[2];
	uint64_t v = 1;
	pid_t pid;

	if (pipe(there) || pipe(back))
		fail("pipe");
	pid = start_child();
	if (!pid) {
		close(there[1]);
		while (read(there[0], &v, sizeof(v)) == sizeof(v)) {
			v = mix(v, 1);
			if (write(back[1], &v, sizeof(v)) != sizeof(v))
				_exit(1);
		}
		_exit(0);
	}
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++)
		if (write(there[1], &v, sizeof(v)) != sizeof(v) || read(back[0], &v, sizeof(v)) != sizeof(v))
			fail("pipe");
	run_stop(r);
	close(there[1]);
	end_of(pid);
	r->checksum = v;
	r->units = r->rounds;
}

void bench_forkexec(struct run *r)
{
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		pid_t pid = start_child();

		if (!pid) {
			execl(r->self, r->self, "--nothing", (char *)NULL);
			_exit(1);
		}
		r->checksum += end_of(pid);
	}
	run_stop(r);
	r->units = r->rounds;
}

static void hand_over(_Atomic uint32_t *turn, uint32_t to)
{
	atomic_store(turn, to);
	syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void wait_turn(_Atomic uint32_t *turn, uint32_t mine)
{
	uint32_t seen;

	while ((seen = atomic_load(turn)) != mine)
		syscall(SYS_futex, turn, FUTEX_WAIT, seen, NULL, NULL, 0);
}

/* Two processes that take turns: two switches a round. */
void bench_futex(struct run *r)
{
	_Atomic uint32_t *turn = mmap(NULL, sizeof(*turn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (turn == MAP_FAILED)
		fail("mmap");
	pid = start_child();
	if (!pid) {
		for (uint64_t n = 0; n < r->rounds; n++) {
			wait_turn(turn, 1);
			hand_over(turn, 0);
		}
		_exit(0);
	}
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		hand_over(turn, 1);
		wait_turn(turn, 0);
	}
	run_stop(r);
	r->checksum = end_of(pid);
	r->units = r->rounds;
}
