/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard input and output. A terminal goes into raw mode, so that the guest
 * has all keys but the escape: Ctrl-a x leaves, Ctrl-a p presses the guest's
 * power key, Ctrl-a i asks its devices how they are, Ctrl-a Ctrl-a is one Ctrl-a.
 *
 * The terminal belongs to the user, not to us: it is restored on close, by signal
 * handlers for every end we may meet, and by keeper.c after those we do not. Output goes through descriptions
 * of our own, because O_NONBLOCK on the shell's would stay after we are gone.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "fdio.h"
#include "keeper.h"

#define ESCAPE 0x01 /* Ctrl-a */

struct stdio {
	struct duplex io; /* first */
	bool terminal;
	bool escaped; /* Ctrl-a was the last key */
	int winch;    /* signalfd of the window's changes; -1: none */
	struct loop_fd *resized;
};

/* ---- The terminal and the signals ---- */

/*
 * What a signal handler needs; it has no parameters of ours. Set once, before
 * the handlers are installed; `raw` says whether there is something to restore.
 */
static struct {
	struct termios before, raw;
	struct keeper keeper;
	volatile sig_atomic_t is_raw;
	struct sigaction actions[16]; /* that were there before ours, as end_signals */
} tty;

static void tty_restore(void)
{
	sigset_t block, old;

	if (!tty.is_raw)
		return;
	/* From the background tcsetattr would stop us instead. */
	sigemptyset(&block);
	sigaddset(&block, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &block, &old);
	tcsetattr(STDIN_FILENO, TCSANOW, &tty.before);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	keeper_restored(&tty.keeper);
	tty.is_raw = 0;
}

static const int end_signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS,
				   SIGABRT, SIGILL, SIGFPE, SIGTRAP, SIGSYS };

/*
 * Restores the terminal, then lets the signal do what it would have done: a fault comes
 * again by itself, with the address its next handler wants; others are sent again.
 */
static void on_end(int sig, siginfo_t *info, void *context)
{
	bool fault = sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE;
	int saved = errno;

	(void)context;
	tty_restore();
	for (size_t i = 0; i < ARRAY_SIZE(end_signals); i++)
		if (end_signals[i] == sig)
			sigaction(sig, &tty.actions[i], NULL);
	if (!fault || info->si_code <= 0)
		raise(sig);
	errno = saved;
}

/* After a stop the shell has put its own settings back. */
static void on_continue(int sig)
{
	int saved = errno;

	(void)sig;
	if (tty.is_raw && tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSANOW, &tty.raw);
	errno = saved;
}

/* What was there comes after us. Who blocks SIGTERM ends the VM in order, and close restores. */
static void tty_signals(void)
{
	struct sigaction sa, old;

	for (size_t i = 0; i < ARRAY_SIZE(end_signals); i++) {
		if (sigaction(end_signals[i], NULL, &old) ||
		    (old.sa_flags & SA_SIGINFO ? old.sa_sigaction == on_end : old.sa_handler == SIG_IGN))
			continue;
		tty.actions[i] = old;
		memset(&sa, 0, sizeof(sa));
		sa.sa_sigaction = on_end;
		sa.sa_flags = SA_SIGINFO | SA_NODEFER;
		sigaction(end_signals[i], &sa, NULL);
	}
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_continue;
	sa.sa_flags = SA_RESTART;
	sigaction(SIGCONT, &sa, NULL);
}

static bool tty_raw(void)
{
	if (tcgetattr(STDIN_FILENO, &tty.before))
		return false;
	tty.raw = tty.before;
	cfmakeraw(&tty.raw);
	tty.raw.c_cc[VMIN] = 1;
	tty.raw.c_cc[VTIME] = 0;
	keeper_start(&tty.keeper, &tty.before, &tty.raw);
	tty_signals();
	tty.is_raw = 1;
	return tcsetattr(STDIN_FILENO, TCSANOW, &tty.raw) == 0;
}

/* ---- Keys ---- */

static void say(const char *text)
{
	ssize_t n = write(STDERR_FILENO, text, strlen(text));

	(void)n;
}

/* What follows Ctrl-a. */
static void escape_key(struct stdio *s, uint8_t key, uint8_t *keys, size_t *len)
{
	struct chardev *c = s->io.in.c;

	switch (key) {
	case 'x': c->user->quit(c->opaque); return;
	case 'p': c->user->power(c->opaque); return;
	case 'i': c->user->info(c->opaque); return;
	case 'h':
	case '?':
		say("\r\n"
		    "Ctrl-a x       leave (the guest's power is cut)\r\n"
		    "Ctrl-a p       press the guest's power key\r\n"
		    "Ctrl-a i       what devices have to tell (virtio-balloon: memory)\r\n"
		    "Ctrl-a Ctrl-a  send one Ctrl-a (so does Ctrl-a a)\r\n"
		    "Ctrl-a h       this help\r\n");
		return;
	case ESCAPE:
	case 'a': keys[(*len)++] = ESCAPE; return;
	}
}

/*
 * A terminal is read even when the guest is not interested, or the escape would
 * not work when it is needed most. What does not fit then is refused with a
 * bell, as the host's own line discipline does.
 */
static void terminal_keys(struct reader *r, const uint8_t *bytes, size_t len, size_t room)
{
	struct stdio *s = r->c->state;
	uint8_t keys[4096];
	size_t count = 0;

	CHECK(len <= sizeof(keys));
	for (size_t i = 0; i < len; i++) {
		if (s->escaped) {
			s->escaped = false;
			escape_key(s, bytes[i], keys, &count);
		} else if (bytes[i] == ESCAPE) {
			s->escaped = true;
		} else {
			keys[count++] = bytes[i];
		}
	}
	if (count > room) {
		count = room;
		say("\a");
	}
	if (count)
		r->c->user->input(r->c->opaque, keys, count);
}

/* ---- The window ---- */

static bool stdio_size(struct chardev *c, uint16_t *cols, uint16_t *rows)
{
	return ((struct stdio *)c->state)->terminal && window_size(STDIN_FILENO, cols, rows);
}

static void window_changed(void *opaque, uint32_t events)
{
	struct chardev *c = opaque;
	struct signalfd_siginfo info;

	(void)events;
	while (read(((struct stdio *)c->state)->winch, &info, sizeof(info)) == sizeof(info))
		;
	if (c->user->resized)
		c->user->resized(c->opaque);
}

/* Before there are threads, so that all of them leave the signal to the loop. A host that refuses: the size stays. */
static void watch_window(struct chardev *c)
{
	struct stdio *s = c->state;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	s->winch = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->winch >= 0)
		s->resized = loop_add_fd(c->loop, s->winch, EPOLLIN, NULL, window_changed, c);
}

static void unwatch_window(struct stdio *s)
{
	sigset_t set;

	loop_del_fd(s->resized);
	if (s->winch < 0)
		return;
	close(s->winch);
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* ---- Host end ---- */

/*
 * A non-blocking description of what fd 1 is, not shared with anybody. A file
 * never blocks and must keep its offset; a socket cannot be opened again: they
 * are taken as they are.
 */
static int stdout_open(void)
{
	struct stat st;
	int fd = -1;

	if (fstat(STDOUT_FILENO, &st))
		return -1;
	if (S_ISFIFO(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(STDOUT_FILENO)))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

/* Reading or changing our terminal from the background would stop the whole process. */
static bool in_background(void)
{
	pid_t foreground = tcgetpgrp(STDIN_FILENO);

	return foreground >= 0 && foreground != getpgrp();
}

static int stdio_open(struct chardev *c, const char *arg)
{
	struct stdio *s = c->state;
	int out = stdout_open();

	(void)arg;
	s->winch = -1;
	duplex_init(c, true);
	if (out >= 0)
		writer_open(&s->io.out, out);
	else
		s->io.out.dead = true; /* started with fd 1 closed */
	if (fcntl(STDIN_FILENO, F_GETFD) < 0)
		return 0;
	s->terminal = isatty(STDIN_FILENO);
	if (s->terminal && in_background())
		return 0;
	if (s->terminal && tty_raw()) {
		s->io.in.data = terminal_keys;
		s->io.in.always = true;
		watch_window(c);
	}
	/* The end of input does not end the guest: the reader just closes. */
	reader_open(&s->io.in, STDIN_FILENO);
	return 0;
}

static void stdio_close(struct chardev *c)
{
	unwatch_window(c->state);
	duplex_close(c);
	tty_restore();
	keeper_end(&tty.keeper);
}

static const struct chardev_type stdio_type = {
	.name = "stdio",
	.help = "standard input and output; Ctrl-a x leaves, Ctrl-a h helps",
	.state_bytes = sizeof(struct stdio),
	.open = stdio_open,
	.close = stdio_close,
	.write = duplex_write,
	.want = duplex_want,
	.size = stdio_size,
	.on_terminal = true,
	.once = true,
};
CHARDEV(stdio, &stdio_type);
