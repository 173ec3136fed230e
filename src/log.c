/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message is one line and one write(), so that lines of several threads do
 * not mix. The level, the guest's budget and whether the guest has begun a line
 * on the same terminal are the only variables of the process that everybody shares.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/types.h>

#define LINE_BYTES_MAX 1024
#define TEXT_BYTES_MAX 8192 /* a path may be 4096 */

/* What a guest may say: a burst, then a few lines a second. */
#define GUEST_BURST         20
#define GUEST_LINES_PER_SEC 5

static _Atomic int log_level = LOG_INFO;
static _Atomic uint64_t guest_budget_ns; /* time up to which the budget is spent */
static _Atomic unsigned guest_dropped;
static atomic_bool log_mid_line;

static const char *const prefix[] = {
	[LOG_ERR] = "vmm: ",  [LOG_WARN] = "vmm: warning: ", [LOG_GUEST] = "vmm: guest: ",
	[LOG_INFO] = "vmm: ", [LOG_DEBUG] = "vmm: debug: ",
};

void log_set_level(enum log_level level) { atomic_store(&log_level, (int)level); }

void log_console_mid_line(bool mid_line)
{
	if (atomic_load_explicit(&log_mid_line, memory_order_relaxed) != mid_line)
		atomic_store_explicit(&log_mid_line, mid_line, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/* A leaky bucket in one word: each line moves the point in time by its share of a second. */
static bool guest_may_speak(void)
{
	const uint64_t share = NSEC_PER_SEC / GUEST_LINES_PER_SEC;
	uint64_t now = loop_now_ns(), old = atomic_load(&guest_budget_ns), next;

	do {
		next = (old > now ? old : now) + share;
		if (next > now + GUEST_BURST * share) {
			atomic_fetch_add(&guest_dropped, 1);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&guest_budget_ns, &old, next));
	return true;
}

static void write_line(enum log_level level, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* What is too long loses its middle: a path is told by its ends, and the way out stands at the end of the line. */
static size_t shorten(char *text, size_t len, size_t max)
{
	static const char gap[] = " [...] ";
	const size_t gap_len = sizeof(gap) - 1, head = (max - gap_len) / 2, tail = max - gap_len - head;

	if (len <= max)
		return len;
	memcpy(text + head, gap, gap_len);
	memmove(text + head + gap_len, text + len - tail, tail);
	return max;
}

static void write_line(enum log_level level, const char *fmt, va_list ap)
{
	char text[TEXT_BYTES_MAX], line[LINE_BYTES_MAX];
	bool terminal = isatty(STDERR_FILENO);
	size_t len = 0, text_len, done = 0;
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	if (n < 0)
		return;
	text_len = (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	/* The guest's line that is being written stays as it is; ours begins below it. */
	if (terminal && atomic_exchange(&log_mid_line, false)) {
		line[len++] = '\r';
		line[len++] = '\n';
	}
	memcpy(line + len, prefix[level], strlen(prefix[level]));
	len += strlen(prefix[level]);
	text_len = shorten(text, text_len, sizeof(line) - len - 2);
	memcpy(line + len, text, text_len);
	len += text_len;
	/* The console may have made the terminal raw, where a newline alone goes straight down. */
	if (terminal)
		line[len++] = '\r';
	line[len++] = '\n';
	while (done < len) {
		ssize_t w = write(STDERR_FILENO, line + done, len - done);

		if (w <= 0)
			return; /* nobody to tell that nobody can be told */
		done += (size_t)w;
	}
}

static void write_fmt(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void write_fmt(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	va_list ap;
	unsigned dropped;

	if (!log_enabled(level))
		return;
	if (level == LOG_GUEST) {
		if (!guest_may_speak())
			return;
		dropped = atomic_exchange(&guest_dropped, 0);
		if (dropped)
			write_fmt(LOG_GUEST, "%u messages left out", dropped);
	}
	va_start(ap, fmt);
	write_line(level, fmt, ap);
	va_end(ap);
}

int log_err(int err, const char *fmt, ...)
{
	va_list ap;

	if (log_enabled(LOG_ERR)) {
		va_start(ap, fmt);
		write_line(LOG_ERR, fmt, ap);
		va_end(ap);
	}
	return err;
}
