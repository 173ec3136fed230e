/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who puts the user's terminal right when we cannot: nobody can handle SIGKILL, the
 * out-of-memory killer's neither.
 */
#ifndef DEVICES_CHAR_KEEPER_H
#define DEVICES_CHAR_KEEPER_H

#include <sys/types.h>
#include <termios.h>

struct keeper {
	pid_t pid; /* 0: none */
	int fd;    /* its end is ours */
};

/*
 * Starts a process that waits for our end. If that comes without keeper_restored(), and the
 * terminal on standard input is as @raw then, it becomes as @before. To be called before it
 * becomes raw, once. A host that refuses gets a warning: the VM runs without.
 */
void keeper_start(struct keeper *k, const struct termios *before, const struct termios *raw);
/* The terminal is not raw any more and will not be again. From signal handlers too; twice is fine. */
void keeper_restored(const struct keeper *k);
/* After keeper_restored(): it is gone. Harmless without a keeper. */
void keeper_end(struct keeper *k);

#endif
