/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which hypercalls a guest finds (hypercall.def): a user's wish, and its way into the feature
 * registers. A call that is taken away answers NOT_SUPPORTED and no discovery shows it.
 */
#ifndef VMM_HYPERCALL_H
#define VMM_HYPERCALL_H

#include <vmm/types.h>

struct hv_vm;

/* A row of hypercall.def. */
struct hypercall {
	uint64_t reg;                   /* id of the bitmap register */
	unsigned bit;
	bool always;                    /* without the register, the calls are there all the same */
	const char *name, *text;
};

const struct hypercall *hypercall_at(unsigned i);       /* NULL past the last */

/* The bits of register @reg as "trng, bit 7", or "none". Returns @text. */
const char *hypercall_bits_text(uint64_t reg, uint64_t bits, char *text, size_t bytes);

/* All zero: everything the hypervisor has, also what is newer than our table. */
struct hypercalls {
	bool restricted;                /* the guest finds exactly these, and needs them */
	uint64_t rows;                  /* bit n: row n */
};

/* "all", "none", or names with commas between. -EINVAL with a message about --hypercalls. */
int hypercalls_parse(const char *text, struct hypercalls *h);

/*
 * Before the first run, when the vCPUs are there: reads every bitmap register, and writes
 * back what is wanted of it. -ENOTSUP with a message, and nothing written, if what is needed
 * is missing: a named call, or PSCI 0.2. @say: warn of what this hypervisor cannot restrict.
 */
int hypercalls_apply(struct hv_vm *vm, const struct hypercalls *h, bool say);

#endif
