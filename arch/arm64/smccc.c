/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hypercalls: dispatch by smccc.def, and the calls of the calling convention itself.
 */
#include <spec/pvtime.h>
#include <spec/smccc.h>
#include <string.h>

#include "smccc.h"

enum gate { GATE_BIT, GATE_FROM };

struct smccc_row {
	uint32_t id;
	const char *service;
	enum gate gate;
	unsigned reg;
	uint64_t value;
	smccc_fn *handler;
};

static const struct smccc_row rows[] = {
#define SMCCC(id, NAME, service, gate, reg, value, handler) { id, service, GATE_##gate, SYS_##reg, value, handler },
#include <vmm/smccc.def>
};

static bool gate_open(const struct soc *s, const struct smccc_row *row)
{
	uint64_t v = s->sys[row->reg];

	return row->gate == GATE_BIT ? bit(v, (unsigned)row->value) : v >= row->value;
}

static const struct smccc_row *find(const struct soc *s, uint32_t id)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].id == id)
			return gate_open(s, &rows[i]) ? &rows[i] : NULL;
	return NULL;
}

bool smccc_exists(const struct soc *s, uint32_t id, const char *service)
{
	const struct smccc_row *row = find(s, id);

	return row && (!service || !strcmp(row->service, service));
}

enum exec smccc_return4(struct cpu *c, uint64_t x0, uint64_t x1, uint64_t x2, uint64_t x3)
{
	c->x[0] = x0;
	c->x[1] = x1;
	c->x[2] = x2;
	c->x[3] = x3;
	return EXEC_NEXT;
}

enum exec smccc_return(struct cpu *c, int64_t result) { return smccc_return4(c, (uint64_t)result, 0, 0, 0); }

enum exec smccc_leave(struct cpu *c, int64_t result)
{
	smccc_return(c, result);
	c->pc += 4;
	return EXEC_LEAVE;
}

enum exec smccc_call(struct cpu *c)
{
	/* The function id is W0: bits 63:32 of x0 do not count. */
	uint64_t arg[4] = { (uint32_t)c->x[0], c->x[1], c->x[2], c->x[3] };
	const struct smccc_row *row = find(c->soc, (uint32_t)arg[0]);

	if (!row)
		return smccc_return(c, SMCCC_NOT_SUPPORTED);
	if (!(arg[0] & SMCCC_64))
		for (unsigned i = 1; i < ARRAY_SIZE(arg); i++)
			arg[i] = (uint32_t)arg[i];
	return row->handler(c, arg);
}

/* ---- Arm Architecture calls ---- */

enum exec smccc_version(struct cpu *c, const uint64_t *arg)
{
	(void)arg;
	return smccc_return(c, SMCCC_VERSION_1_1);
}

/*
 * A CPU made of software speculates nothing the guest could steer, so no
 * workaround is ever needed. Answering that, not NOT_SUPPORTED, is what makes
 * Linux report "Not affected" instead of "Vulnerable".
 */
static const struct {
	uint32_t id;
	unsigned reg;
	int answer;
} workarounds[] = {
	{ SMCCC_WORKAROUND_1, SYS_SMCCC_ARCH_WORKAROUND_1, SMCCC_UNAFFECTED },
	{ SMCCC_WORKAROUND_2, SYS_SMCCC_ARCH_WORKAROUND_2, SMCCC_NOT_REQUIRED },
	{ SMCCC_WORKAROUND_3, SYS_SMCCC_ARCH_WORKAROUND_3, SMCCC_UNAFFECTED },
};

/* The calls of its own service, and where DEN 0057A says that PV time is discovered. */
static bool is_discoverable(const struct soc *s, uint32_t id)
{
	return smccc_exists(s, id, id == PV_TIME_FEATURES ? "pvtime" : "smccc");
}

enum exec smccc_arch_features(struct cpu *c, const uint64_t *arg)
{
	uint32_t id = (uint32_t)arg[1];

	for (unsigned i = 0; i < ARRAY_SIZE(workarounds); i++)
		if (workarounds[i].id == id && c->soc->sys[workarounds[i].reg])
			return smccc_return(c, workarounds[i].answer);
	return smccc_return(c, is_discoverable(c->soc, id) ? SMCCC_SUCCESS : SMCCC_NOT_SUPPORTED);
}
