/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <sys/resource.h>
#include <vmm/files.h>
#include <vmm/types.h>

/* If the host does not say; and nobody needs more. */
#define FILES_LEAST 1024
#define FILES_MOST  (1 * MIB)

unsigned files_limit(void)
{
	struct rlimit r = { FILES_LEAST, FILES_LEAST };

	getrlimit(RLIMIT_NOFILE, &r);
	if (r.rlim_cur < r.rlim_max) {
		const struct rlimit most = { r.rlim_max, r.rlim_max };

		if (!setrlimit(RLIMIT_NOFILE, &most))
			r = most;
	}
	return r.rlim_cur < FILES_MOST ? (unsigned)r.rlim_cur : (unsigned)FILES_MOST;
}
