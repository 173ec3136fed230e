/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Optional instructions of the host, by CPUID (Intel SDM vol. 2, "CPUID"; AMD APM vol. 3, appendix E). */
#include <cpuid.h>
#include <stdatomic.h>

#include "host.h"

enum { ASKED = 1 << 31 };

static unsigned ask(void)
{
	unsigned a, b, c, d, f = (unsigned)ASKED;

	if (__get_cpuid(1, &a, &b, &c, &d))
		f |= (c & bit_PCLMUL ? HOST_PCLMUL : 0) | (c & bit_AES ? HOST_AES : 0);
	if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
		f |= b & bit_SHA ? HOST_SHA : 0;
	return f;
}

/* In a virtual machine CPUID traps, so not at each call. Who asks twice at the same time gets the same answer. */
bool host_has(enum host_feature f)
{
	static atomic_uint features;
	unsigned known = atomic_load_explicit(&features, memory_order_relaxed);

	if (!known) {
		known = ask();
		atomic_store_explicit(&features, known, memory_order_relaxed);
	}
	return known & (unsigned)f;
}
