/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PSCI: switching vCPUs and the machine on and off.
 *
 * A vCPU's power state is one atomic word. CPU_ON claims its target by changing
 * OFF to ON_PENDING, so of several callers exactly one succeeds; the target's
 * own thread makes it ON. CPU_OFF is the last thing a vCPU does before its
 * thread waits, so who sees OFF may claim at once.
 */
#include <spec/psci.h>
#include <spec/smccc.h>
#include <vmm/arch.h>
#include <vmm/hv.h>

#include "smccc.h"

/* Aff3 39:32, Aff2 .. Aff0 23:0 of MPIDR_EL1. */
#define AFFINITY_MASK UINT64_C(0xff00ffffff)

static struct cpu *cpu_at(const struct soc *s, uint64_t affinity)
{
	for (unsigned id = 0; id < s->cfg.vcpu_count; id++)
		if (arch_affinity(id) == affinity)
			return s->cpus[id];
	return NULL;
}

enum exec psci_version(struct cpu *c, const uint64_t *arg)
{
	(void)arg;
	return smccc_return(c, (int64_t)c->soc->sys[SYS_PSCI_VERSION]);
}

/*
 * Standby. A request for power-down is treated the same, as PSCI allows: the
 * implementation may choose a shallower state, and then returns to the caller.
 */
enum exec psci_cpu_suspend(struct cpu *c, const uint64_t *arg)
{
	if ((uint32_t)arg[1] & ~(uint32_t)PSCI_POWER_STATE_MASK)
		return smccc_return(c, PSCI_INVALID_PARAMETERS);
	c->waiting = WAIT_WFI;
	return smccc_leave(c, PSCI_SUCCESS);
}

enum exec psci_cpu_off(struct cpu *c, const uint64_t *arg)
{
	enum exec leave = smccc_leave(c, PSCI_DENIED); /* never seen: CPU_ON sets all of it again */

	(void)arg;
	gic_cpu_reset(c); /* power is lost: no interrupt may choose this cpu any more */
	timer_cpu_reset(c);
	atomic_store(&c->power, POWER_OFF); /* from here on another cpu may have claimed it */
	return leave;
}

enum exec psci_cpu_on(struct cpu *c, const uint64_t *arg)
{
	struct cpu *target = cpu_at(c->soc, arg[1]);
	uint32_t was = POWER_OFF;

	if (!target)
		return smccc_return(c, PSCI_INVALID_PARAMETERS);
	if (!atomic_compare_exchange_strong(&target->power, &was, POWER_ON_PENDING))
		return smccc_return(c, was == POWER_ON ? PSCI_ALREADY_ON : PSCI_ON_PENDING);
	gic_cpu_reset(target);
	timer_cpu_reset(target);
	cpu_power_on(target, arg[2], arg[3]);
	return smccc_return(c, PSCI_SUCCESS);
}

/* ON if any vCPU of the affinity instance is, else ON_PENDING if any is, else OFF. */
enum exec psci_affinity_info(struct cpu *c, const uint64_t *arg)
{
	static const uint64_t level_mask[] = { 0xff00ffffff, 0xff00ffff00, 0xff00ff0000, 0xff00000000 };
	static const uint8_t answer[] = {
		[POWER_OFF] = PSCI_AFFINITY_OFF,
		[POWER_ON_PENDING] = PSCI_AFFINITY_ON_PENDING,
		[POWER_ON] = PSCI_AFFINITY_ON,
	};
	uint32_t best = POWER_OFF;
	bool found = false;

	if (arg[2] >= ARRAY_SIZE(level_mask) || arg[1] & ~AFFINITY_MASK)
		return smccc_return(c, PSCI_INVALID_PARAMETERS);
	for (unsigned id = 0; id < c->soc->cfg.vcpu_count; id++) {
		uint32_t power = atomic_load(&c->soc->cpus[id]->power);

		if ((arch_affinity(id) ^ arg[1]) & level_mask[arg[2]])
			continue;
		found = true;
		best = power > best ? power : best;
	}
	return smccc_return(c, found ? answer[best] : PSCI_INVALID_PARAMETERS);
}

enum exec psci_migrate_info_type(struct cpu *c, const uint64_t *arg)
{
	(void)arg;
	return smccc_return(c, PSCI_MIGRATE_NOT_NEEDED);
}

/* The VMM decides what becomes of the machine. If it lets the caller run on, the call has failed. */
static enum exec system_event(struct cpu *c, enum hv_exit_reason reason, uint32_t type, uint64_t cookie)
{
	c->exit->reason = reason;
	c->exit->system.type = type;
	c->exit->system.arg = cookie;
	return smccc_leave(c, PSCI_INTERNAL_FAILURE);
}

enum exec psci_system_off(struct cpu *c, const uint64_t *arg)
{
	(void)arg;
	return system_event(c, HV_EXIT_SHUTDOWN, 0, 0);
}

enum exec psci_system_reset(struct cpu *c, const uint64_t *arg)
{
	(void)arg;
	return system_event(c, HV_EXIT_RESET, 0, 0);
}

enum exec psci_system_reset2(struct cpu *c, const uint64_t *arg)
{
	uint32_t type = (uint32_t)arg[1];

	if (type != PSCI_RESET_WARM && type < PSCI_RESET_VENDOR)
		return smccc_return(c, PSCI_INVALID_PARAMETERS);
	return system_event(c, HV_EXIT_RESET, type, arg[2]);
}

/* CPU_SUSPEND's feature flags are 0 too: original power_state format, platform-coordinated. */
enum exec psci_features(struct cpu *c, const uint64_t *arg)
{
	uint32_t id = (uint32_t)arg[1];
	bool yes = id == SMCCC_VERSION || smccc_exists(c->soc, id, "psci");

	return smccc_return(c, yes ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED);
}
