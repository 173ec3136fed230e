/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and writes of files in flight, by io_uring: one ring and the thread that reaps it. */
#ifndef DISK_URING_H
#define DISK_URING_H

#include <vmm/disk.h>

struct uring;

/* NULL: the host refuses io_uring (a filter, a sysctl, an old kernel). */
struct uring *uring_new(void);
/* Nothing is in flight. NULL is fine. */
void uring_free(struct uring *u);

/* One caller at a time. -EAGAIN: no room. Otherwise disk_done_all() follows on another thread, after uring_kick(). */
int uring_queue(struct uring *u, int fd, struct disk_req *r);
void uring_kick(struct uring *u);

#endif
