/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A turn of the event loop, for targets whose devices have one. */
#ifndef FUZZ_TURN_H
#define FUZZ_TURN_H

#include <vmm/loop.h>

static inline void fuzz_stop(void *loop) { loop_stop(loop, 0); }

/* Whatever is due by now, or @us later: workers are other threads. */
static inline void fuzz_turn(struct loop *loop, unsigned us)
{
	struct loop_timer t;

	loop_timer_init(&t, loop, NULL, fuzz_stop, loop);
	loop_timer_arm(&t, loop_now_ns() + us * UINT64_C(1000));
	loop_run(loop);
	loop_timer_arm(&t, UINT64_MAX);
}

#endif
