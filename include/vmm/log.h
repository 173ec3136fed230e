/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages on stderr. A level says who is to blame, not how loud it is:
 *
 *   err     us or the host          warn   the configuration
 *   guest   the guest (rate-limited, so that a guest cannot fill a disk)
 *   info    one-line facts at start debug  anybody; the only level that may show guest memory
 *
 * A message names the thing, the value, the limit and the way out, in the user's words.
 */
#ifndef VMM_LOG_H
#define VMM_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERR, LOG_WARN, LOG_GUEST, LOG_INFO, LOG_DEBUG };

/* Messages above @level are dropped. Default LOG_INFO. Call before threads exist. */
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

/*
 * The guest's output goes to the terminal that messages go to, and is now in the middle of
 * a line, or not: a message then begins on a line of its own. Any thread.
 */
void log_console_mid_line(bool mid_line);

void log_msg(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints at level err and returns @err, so that a refusal is one statement. */
int log_err(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_warn(...)  log_msg(LOG_WARN, __VA_ARGS__)
#define log_guest(...) log_msg(LOG_GUEST, __VA_ARGS__)
#define log_info(...)  log_msg(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_msg(LOG_DEBUG, __VA_ARGS__)

#endif
