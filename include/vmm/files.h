/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many files a process has room for. */
#ifndef VMM_FILES_H
#define VMM_FILES_H

/*
 * Files and sockets that this process may have open, all of them together: as many as the host
 * lets it, which is asked for (Debian begins with 1,024 of half a million). Whoever opens them as
 * a guest likes keeps well below, so that there are some for everybody else.
 */
unsigned files_limit(void);

#endif
