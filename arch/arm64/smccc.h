/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a hypercall's handler and the dispatcher owe each other.
 */
#ifndef ARM64_SMCCC_H
#define ARM64_SMCCC_H

#include "cpu/cpu.h"

/*
 * arg[0] is the function id, arg[1..3] are x1..x3; for an SMC32 function only their
 * low 32 bits. pc is still the HVC's. Ends in smccc_return() or smccc_leave().
 */
typedef enum exec smccc_fn(struct cpu *c, const uint64_t *arg);

#define SMCCC(id, NAME, service, gate, reg, value, handler) smccc_fn handler;
#include <vmm/smccc.def>

/* x0 = @result, x1..x3 = 0, on to the next instruction. */
enum exec smccc_return(struct cpu *c, int64_t result);

/* The same with an answer in all four. */
enum exec smccc_return4(struct cpu *c, uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3);

/* As smccc_return(), but leaves the block loop: c->exit, c->waiting or c->power say why. */
enum exec smccc_leave(struct cpu *c, int64_t result);

/* Whether function @id of @service exists for this VM; @service NULL: of any. */
bool smccc_exists(const struct soc *s, uint32_t id, const char *service);

#endif
