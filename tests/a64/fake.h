/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our side of a case: a cpu whose memory is the flat window, and notes of what an instruction did. */
#ifndef A64_FAKE_H
#define A64_FAKE_H

#include "../../arch/arm64/cpu/cpu.h"
#include "case.h"

enum outcome { OUT_NONE, OUT_UNDEFINED, OUT_SYNC, OUT_FAULT, OUT_ALIGNMENT, OUT_OTHER };

struct fake {
	struct cpu cpu;
	struct soc soc;
	struct mmu_ctx ctx;
	enum outcome outcome;
	unsigned ec;                    /* of OUT_SYNC */
	uint64_t lo, hi;                /* window bytes accessed through the slow path: [lo, hi) */
	bool dry;                       /* looking for what is accessed: slow stores are dropped */
	const char *other;              /* of OUT_OTHER: which function */
};

static inline struct fake *fake_of(struct cpu *c) { return container_of(c, struct fake, cpu); }

/* With @fast, plain accesses hit the software TLB; without, all go through the fakes, which note them. */
void fake_tlb(struct fake *f, bool fast);

#endif
