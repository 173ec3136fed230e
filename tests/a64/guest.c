/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arm64 half of tests/a64, run by qemu-aarch64 in user mode.
 *
 * Every case ends in a signal: SIGTRAP of the BRK behind its block, or what the
 * block itself earned. The handler's frame holds the whole state, so it is the
 * result; the next case is written into the same frame and sigreturn installs
 * it. No register has to be kept aside, and no assembly saves or loads anything.
 *
 * Protocol: a 32-bit count on stdin, the same count on stdout when all are done.
 */
#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <linux/mman.h>

#include "case.h"

#define SHARED ((struct shared *)SHARED_BASE)

static struct {
	uint32_t count, next;
	char stack[65536] __attribute__((aligned(16)));
} g;

static long syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8) : "memory");
	return x0;
}

static void leave(int status)
{
	for (;;)
		syscall6(__NR_exit_group, status, 0, 0, 0, 0, 0);
}

static void map(uint64_t addr, uint64_t bytes, int prot, int flags, int fd, uint64_t offset)
{
	if (syscall6(__NR_mmap, (long)addr, (long)bytes, prot, flags | MAP_FIXED, fd, (long)offset) != (long)addr)
		leave(2);
}

/* Mapping the code anew makes the emulator forget what it translated from the last batch. */
static void map_code(void) { map(CODE_BASE, CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, SHARED_FD, SHARED_BYTES); }

static void next_batch(void)
{
	if (g.count && syscall6(__NR_write, 1, (long)&g.count, sizeof(g.count), 0, 0, 0) != sizeof(g.count))
		leave(3);
	if (syscall6(__NR_read, 0, (long)&g.count, sizeof(g.count), 0, 0, 0) != sizeof(g.count))
		leave(0);
	g.next = 0;
	map_code();
}

static void copy(volatile uint64_t *to, const volatile uint64_t *from, unsigned bytes)
{
	for (unsigned i = 0; i < bytes / 8; i++)
		to[i] = from[i];
}

static void take_result(struct a64_case *k, const struct sigcontext *m, const struct fpsimd_context *f, int sig)
{
	copy(k->out.x, (const uint64_t *)m->regs, sizeof(k->out.x));
	k->out.sp = m->sp;
	k->out.pc = m->pc;
	k->out.pstate = m->pstate;
	k->out.fpcr = f->fpcr;
	k->out.fpsr = f->fpsr;
	copy(k->out.v[0], (const uint64_t *)f->vregs, sizeof(k->out.v));
	k->sig = (uint32_t)sig;
	if (k->mem_addr)
		copy(k->mem_out, (const uint64_t *)k->mem_addr, MEM_BYTES);
}

static void install(const struct a64_case *k, struct sigcontext *m, struct fpsimd_context *f)
{
	copy((uint64_t *)m->regs, k->in.x, sizeof(k->in.x));
	m->sp = k->in.sp;
	m->pc = k->in.pc;
	m->pstate = k->in.pstate;
	f->fpcr = k->in.fpcr;
	f->fpsr = k->in.fpsr;
	copy((uint64_t *)f->vregs, k->in.v[0], sizeof(k->in.v));
	if (k->mem_addr)
		copy((uint64_t *)k->mem_addr, k->mem_in, MEM_BYTES);
}

static void on_signal(int sig, void *info, struct ucontext *u)
{
	struct sigcontext *m = &u->uc_mcontext;
	struct fpsimd_context *f = (struct fpsimd_context *)m->__reserved;

	(void)info;
	if (f->head.magic != FPSIMD_MAGIC)
		leave(4);
	if (g.next)
		take_result(&SHARED->cases[g.next - 1], m, f, sig);
	if (g.next == g.count)
		next_batch();
	SHARED->current = g.next;
	install(&SHARED->cases[g.next++], m, f);
}

static void on(int sig)
{
	struct {
		void (*fn)(int, void *, struct ucontext *);
		unsigned long flags, restorer, mask;
	} sa = {
		on_signal,
		SA_SIGINFO | SA_ONSTACK | SA_NODEFER,
		0,
		0,
	};

	if (syscall6(__NR_rt_sigaction, sig, (long)&sa, 0, sizeof(sa.mask), 0, 0))
		leave(5);
}

void _start(void);
void _start(void)
{
	stack_t ss = { .ss_sp = g.stack, .ss_flags = 0, .ss_size = sizeof(g.stack) };

	map(WINDOW_BASE, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map(SHARED_BASE, SHARED_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, SHARED_FD, 0);
	if (syscall6(__NR_sigaltstack, (long)&ss, 0, 0, 0, 0, 0))
		leave(6);
	on(SIGILL);
	on(SIGTRAP);
	on(SIGBUS);
	on(SIGFPE);
	on(SIGSEGV);
	__asm__ volatile("brk #0");
	leave(7);
}
