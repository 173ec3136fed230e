/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a translator offers (arch/x86_64 has one). At most one is linked in: the one that writes the host's instructions. */
#ifndef ARM64_CPU_TRANSLATOR_H
#define ARM64_CPU_TRANSLATOR_H

#include <vmm/registry.h>
#include <vmm/types.h>

struct translator {
	const char *host;                               /* "x86-64" */
	bool (*available)(char *why, size_t bytes);     /* on this CPU; otherwise @why not: "this CPU lacks AVX2" */
};

#define TRANSLATOR(name, t) REGISTER(translator, const struct translator, name, t)

/* NULL: none is linked in. */
const struct translator *translator(void);

#endif
