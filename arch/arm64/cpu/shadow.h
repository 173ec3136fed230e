/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions whose effects on memory are forgotten: what they read and write is in copies
 * of the guest's pages. What would reach a device, or take an exception for an access, is
 * refused: it does not happen, and exec_ returns EXEC_JUMP with pc and registers unchanged.
 *
 * There are two passes over the same instructions, each with copies of its own, made at the
 * same moment. The first one finds the first-level TLB empty, so that mmu.c sees each page it
 * touches; the second one has those pages in its TLB, for code that looks there itself, and
 * gets no others.
 */
#ifndef CPU_SHADOW_H
#define CPU_SHADOW_H

#include "cpu.h"

struct shadow;

/* NULL: no memory. */
struct shadow *shadow_create(void);
void shadow_destroy(struct shadow *s);

enum shadow_pass { SHADOW_FIRST, SHADOW_SECOND };

/*
 * From here to shadow_end() the cpu, on its own thread, is in the pass. The exclusive monitor goes along. Registers are
 * the caller's to save. shadow_end(): false: something was refused.
 */
void shadow_begin(struct cpu *c, struct shadow *s, enum shadow_pass pass);
bool shadow_end(struct cpu *c);

/* Has this pass refused something? */
bool shadow_has_refused(const struct shadow *s);

/* Where memory differs after both passes, 8 bytes of it as the first and the second pass left them. NULL: nowhere. */
const void *shadow_difference(const struct shadow *s, uint64_t value[2]);

/* ---- For mmu.c ---- */

/* Returns EXEC_JUMP. */
enum exec shadow_refuse(struct shadow *s);

/* The copy of guest memory at host address @host, valid up to the end of its page. NULL: refused. */
void *shadow_copy(struct shadow *s, uint8_t *host);

/*
 * In the first pass the TLB, EL1's or EL0's, that the second one will have, and what @copy's page will be in it;
 * NULL in the second pass.
 */
struct mmu_ctx *shadow_second(struct shadow *s, const void *copy, bool el1, uint8_t **page);

#endif
