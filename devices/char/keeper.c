/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper of the terminal: a child that sleeps in read() on a pipe from us.
 *
 *   a byte          we have restored the terminal: nothing to do
 *   end of file     we are dead: restore it, if it still is as we left it
 *
 * A shell that mends the terminal itself, or a program that was started meanwhile, has
 * other settings than ours, and they stay. That is why a stop and its continuation need
 * no words: what is there at the end decides.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "keeper.h"

/* Without c_cflag and the speeds: the driver may have made something else of what we asked for. */
static bool same(const struct termios *a, const struct termios *b)
{
	return a->c_iflag == b->c_iflag && a->c_oflag == b->c_oflag && a->c_lflag == b->c_lflag &&
	       !memcmp(a->c_cc, b->c_cc, sizeof(a->c_cc));
}

/*
 * In the child, so only what a signal handler may do. A session of its own: the terminal's
 * signals do not reach it, and it may change the terminal without being in the foreground.
 * A name of its own: `killall -9 vmm' and `pkill -9 vmm' are not for it. No descriptors but
 * two: disks, sockets and /dev/kvm are to be closed when we are dead.
 */
static _Noreturn void keep(int fd, const struct termios *before, const struct termios *raw)
{
	struct termios now;
	sigset_t all;
	char byte;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	prctl(PR_SET_NAME, "tty-keeper");
	if (setsid() < 0 || dup2(fd, STDOUT_FILENO) < 0 || close_range(STDERR_FILENO, ~0U, 0))
		_exit(1);
	if (!read(STDOUT_FILENO, &byte, 1) && !tcgetattr(STDIN_FILENO, &now) && same(&now, raw))
		tcsetattr(STDIN_FILENO, TCSANOW, before);
	_exit(0);
}

void keeper_start(struct keeper *k, const struct termios *before, const struct termios *raw)
{
	int fds[2];

	if (!pipe2(fds, O_CLOEXEC)) {
		k->fd = fds[1];
		k->pid = fork();
		if (!k->pid)
			keep(fds[0], before, raw);
		close(fds[0]);
		if (k->pid > 0)
			return;
		close(fds[1]);
	}
	k->pid = 0;
	log_warn("console: the host refuses a process that restores the terminal after kill -9: %s; `reset' does it",
		 strerror(errno));
}

void keeper_restored(const struct keeper *k)
{
	/* If it was killed there is no reader; SIGPIPE is ignored, as for all our pipes. */
	ssize_t n = k->pid ? write(k->fd, "", 1) : 0;

	(void)n;
}

/*
 * Our own child, not init's by a second fork: so we can wait until it is gone, and an end
 * in order needs nobody else to reap. Whoever started us with SIGCHLD ignored gets ECHILD
 * here, after the same wait.
 */
void keeper_end(struct keeper *k)
{
	if (!k->pid)
		return;
	close(k->fd);
	while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
		;
	k->pid = 0;
}
