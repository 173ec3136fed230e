/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three kinds of wrong, three words.
 *
 * The guest or the user did it:  return a negative errno, or finish as the document says.
 * The host refused:              return log_err(-errno, "what: why; way out") where the names are known.
 * We are wrong:                  CHECK(x). Always compiled in; no side effects inside.
 *
 * Nothing that a guest, a file or an option can cause may reach CHECK.
 * Functions return 0 or a positive result on success; an index is never an error code.
 */
#ifndef VMM_ERR_H
#define VMM_ERR_H

#include <errno.h>

_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(x) ((x) ? (void)0 : check_failed(__FILE__, __LINE__, #x))

#endif
