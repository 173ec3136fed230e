/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a host may have beyond x86-64-v3. */
#ifndef X86_64_HOST_H
#define X86_64_HOST_H

#include <stdbool.h>

enum host_feature {
	HOST_PCLMUL = 1 << 0,
	HOST_AES    = 1 << 1,
	HOST_SHA    = 1 << 2,   /* SHA-1 and SHA-256 */
};

/* Cheap: the host is asked once. */
bool host_has(enum host_feature f);

#endif
