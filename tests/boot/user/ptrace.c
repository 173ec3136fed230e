/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a debugger asks of Linux and Linux of the CPU: single steps, a hardware
 * breakpoint and a watchpoint on a child. Says "ptrace ok", or what went wrong.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asm/ptrace.h>

static volatile uint64_t watched, counter;

__attribute__((noinline)) static void broken_into(void) { counter++; }

/* 100 instructions exactly, with an exclusive pair that a stepper must get over. */
extern char steps_begin[], steps_end[];
__attribute__((noinline, noclone)) static void steps(void)
{
	asm volatile(".globl steps_begin\n steps_begin:\n .rept 96\n nop\n .endr\n"
		     "mov x9, #0\n add x9, x9, #1\n cmp x9, #1\n csel x9, x9, xzr, eq\n"
		     ".globl steps_end\n steps_end: nop\n" ::
			     : "x9", "cc");
}

static void child(void)
{
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	steps();
	for (int i = 0; i < 3; i++)
		broken_into();
	for (int i = 1; i <= 3; i++)
		watched = (uint64_t)i;
	_exit(7);
}

static void fail(const char *what, long v)
{
	printf("ptrace FAILED: %s (%ld, %s)\n", what, v, strerror(errno));
	exit(1);
}

static int wait_stop(pid_t p)
{
	int status;

	if (waitpid(p, &status, 0) != p || !WIFSTOPPED(status))
		fail("the child did not stop", status);
	return WSTOPSIG(status);
}

static struct user_pt_regs regs(pid_t p)
{
	struct user_pt_regs r;
	struct iovec v = { &r, sizeof(r) };

	if (ptrace(PTRACE_GETREGSET, p, NT_PRSTATUS, &v))
		fail("registers", 0);
	return r;
}

static void set_pc(pid_t p, uint64_t pc)
{
	struct user_pt_regs r = regs(p);
	struct iovec v = { &r, sizeof(r) };

	r.pc = pc;
	if (ptrace(PTRACE_SETREGSET, p, NT_PRSTATUS, &v))
		fail("set pc", 0);
}

static void slot(pid_t p, int type, uint64_t addr, uint32_t ctrl)
{
	struct user_hwdebug_state s;
	struct iovec v = { &s, sizeof(s) };

	memset(&s, 0, sizeof(s));
	if (ptrace(PTRACE_GETREGSET, p, type, &v))
		fail("debug registers", type);
	if ((s.dbg_info & 0xff) != 2)
		fail("two debug registers", s.dbg_info & 0xff);
	memset(&s.dbg_regs, 0, sizeof(s.dbg_regs));
	s.dbg_regs[0].addr = addr;
	s.dbg_regs[0].ctrl = ctrl;
	v.iov_len = offsetof(struct user_hwdebug_state, dbg_regs) + sizeof(s.dbg_regs[0]);
	if (ptrace(PTRACE_SETREGSET, p, type, &v))
		fail("set debug register", type);
}

static void cont(pid_t p, int how)
{
	if (ptrace(how, p, 0, 0))
		fail("continue", how);
}

/* Execute (len 0xf), privilege EL0. */
#define BREAK (1u | 2u << 1 | 0xfu << 5)
#define WRITE (1u | 2u << 1 | 2u << 3 | 0xffu << 5)

int main(void)
{
	pid_t p = fork();
	int n = 0, status;
	siginfo_t si;

	if (!p)
		child();
	if (wait_stop(p) != SIGSTOP)
		fail("SIGSTOP", 0);

	/* To steps() with a breakpoint, through it step by step. */
	slot(p, NT_ARM_HW_BREAK, (uint64_t)steps_begin, BREAK);
	cont(p, PTRACE_CONT);
	if (wait_stop(p) != SIGTRAP || regs(p).pc != (uint64_t)steps_begin)
		fail("breakpoint at steps", (long)regs(p).pc);
	ptrace(PTRACE_GETSIGINFO, p, 0, &si);
	if (si.si_code != TRAP_HWBKPT || (uint64_t)si.si_addr != (uint64_t)steps_begin)
		fail("siginfo of a breakpoint", si.si_code);
	slot(p, NT_ARM_HW_BREAK, 0, 0);
	while (regs(p).pc != (uint64_t)steps_end && n < 1000) {
		uint64_t was = regs(p).pc;

		cont(p, PTRACE_SINGLESTEP);
		if (wait_stop(p) != SIGTRAP)
			fail("step", n);
		n++;
		if (regs(p).pc != was + 4)
			fail("a step went elsewhere", (long)regs(p).pc);
	}
	if (n != 100)
		fail("100 steps", n);

	/* Three hits of a function's first instruction; the handler moves on by stepping. */
	slot(p, NT_ARM_HW_BREAK, (uint64_t)broken_into, BREAK);
	for (int k = 0; k < 3; k++) {
		cont(p, PTRACE_CONT);
		if (wait_stop(p) != SIGTRAP || regs(p).pc != (uint64_t)broken_into)
			fail("breakpoint", k);
		if ((uint64_t)ptrace(PTRACE_PEEKDATA, p, &counter, 0) != (uint64_t)k)
			fail("the function has run before its breakpoint", k);
		slot(p, NT_ARM_HW_BREAK, 0, 0);
		cont(p, PTRACE_SINGLESTEP);
		wait_stop(p);
		slot(p, NT_ARM_HW_BREAK, (uint64_t)broken_into, BREAK);
	}
	slot(p, NT_ARM_HW_BREAK, 0, 0);

	/* Three stores, seen before they happen. */
	for (uint64_t k = 0; k < 3; k++) {
		slot(p, NT_ARM_HW_WATCH, (uint64_t)&watched, WRITE);
		cont(p, PTRACE_CONT);
		if (wait_stop(p) != SIGTRAP)
			fail("watchpoint", (long)k);
		ptrace(PTRACE_GETSIGINFO, p, 0, &si);
		if (si.si_code != TRAP_HWBKPT || (uint64_t)si.si_addr - (uint64_t)&watched >= 8)
			fail("siginfo of a watchpoint", si.si_code);
		if ((uint64_t)ptrace(PTRACE_PEEKDATA, p, &watched, 0) != k)
			fail("the store has happened before its watchpoint", (long)k);
		slot(p, NT_ARM_HW_WATCH, 0, 0);
		cont(p, PTRACE_SINGLESTEP);
		wait_stop(p);
		if ((uint64_t)ptrace(PTRACE_PEEKDATA, p, &watched, 0) != k + 1)
			fail("the store has not happened after it", (long)k);
	}
	set_pc(p, regs(p).pc);
	cont(p, PTRACE_CONT);
	if (waitpid(p, &status, 0) != p || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
		fail("exit status", status);
	puts("ptrace ok");
	return 0;
}
