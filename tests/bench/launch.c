/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the counter (CNTVCT_EL0, which on a host is the physical one) and its frequency, then becomes another
 * program. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	uint64_t now, frequency;

	if (argc < 2)
		return 2;
	__asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
	__asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(now) : : "memory");
	dprintf(STDERR_FILENO, "LAUNCH %016" PRIx64 " %" PRIu64 "\n", now, frequency);
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}
