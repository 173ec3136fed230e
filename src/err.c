/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include <vmm/err.h>

/* abort(), so that there is a core; the console puts the terminal right on SIGABRT. */
_Noreturn void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "vmm: this is a bug in vmm: %s:%d: CHECK(%s)\n", file, line, what);
	abort();
}
