/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PV time: a guest is told for how long its vCPUs were ready and the host let others
 * run, so that it does not charge its own tasks with that.
 *
 * What is stolen of a vCPU is the run delay of its thread, which Linux counts. KVM
 * looks whenever it puts a vCPU onto a CPU; we do not see that happen, so the record is
 * written when an interrupt is delivered: a guest reads it from its clock tick. A guest
 * that never asks where its record is costs nothing, not even the page.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <spec/board.h>
#include <spec/pvtime.h>
#include <spec/smccc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <vmm/arch.h>
#include <vmm/log.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#include "smccc.h"

#define REG_STD_HYP     REG_ID_BMAP(1)
#define STD_HYP_PV_TIME (UINT64_C(1) << 0)

/* Interrupts come at any rate, and asking the host takes 500 ns. */
#define UPDATE_NS (NSEC_PER_SEC / 1000)

_Static_assert(BOARD_PVTIME_STRIDE % 64 == 0 && BOARD_PVTIME_STRIDE >= PVTIME_BYTES, "DEN 0057A: 64-byte aligned");

static int open_delays(void) { return open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC); }

/* Time on a CPU, time waiting for one, times put onto one. A kernel that does not count shows zeroes. */
static bool read_delay(int fd, uint64_t *ns)
{
	char text[80];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	uint64_t times;

	if (n <= 0)
		return false;
	text[n] = 0;
	return sscanf(text, "%*u %" SCNu64 " %" SCNu64, ns, &times) == 2 && times;
}

bool pvtime_supported(void)
{
	int fd = open_delays();
	uint64_t ns;
	bool yes = fd >= 0 && read_delay(fd, &ns);

	if (fd >= 0)
		close(fd);
	return yes;
}

int arch_add_memory(struct hv_vm *vm, struct mem *m)
{
	uint64_t services;
	int err;

	/* A hypervisor without the register has no way to hide the calls. */
	if (!hv_reg_get(vm, NULL, REG_STD_HYP, &services) && !(services & STD_HYP_PV_TIME))
		return 0;
	err = mem_add_shared(m, "pvtime", gpa(BOARD_PVTIME_BASE), vm->attr.VCPU_COUNT[0] * BOARD_PVTIME_STRIDE);
	return err ? log_err(err, "no memory for records of stolen time") : 0;
}

static uint64_t record_address(const struct cpu *c) { return BOARD_PVTIME_BASE + c->id * BOARD_PVTIME_STRIDE; }

static uint8_t *record(const struct cpu *c) { return mem_ptr(c->soc->env.mem, gpa(record_address(c)), PVTIME_BYTES); }

enum exec pv_time_features(struct cpu *c, const uint64_t *arg)
{
	bool yes = record(c) && smccc_exists(c->soc, (uint32_t)arg[1], "pvtime");

	return smccc_return(c, yes ? SMCCC_SUCCESS : SMCCC_NOT_SUPPORTED);
}

/*
 * Counting begins now, and again when the guest asks again, as after CPU_ON. If the host
 * has no file to spare the promise of pv_time_features() is kept with a time that stands still.
 */
enum exec pv_time_st(struct cpu *c, const uint64_t *arg)
{
	struct cpu_pvtime *p = &c->pvtime;
	uint8_t *r = record(c);

	(void)arg;
	if (!r)
		return smccc_return(c, SMCCC_NOT_SUPPORTED);
	memset(r, 0, PVTIME_BYTES);
	p->stolen = NULL;
	pvtime_close(c);
	p->fd = open_delays();
	if (p->fd >= 0 && read_delay(p->fd, &p->delay_ns))
		p->stolen = (void *)(r + PVTIME_STOLEN);
	return smccc_return(c, (int64_t)record_address(c));
}

void pvtime_update(struct cpu *c)
{
	struct cpu_pvtime *p = &c->pvtime;
	uint64_t now, delay;

	if (!p->stolen)
		return;
	now = loop_now_ns();
	if (now < p->next_ns || !read_delay(p->fd, &delay))
		return;
	p->next_ns = now + UPDATE_NS;
	atomic_store_explicit(p->stolen, atomic_load_explicit(p->stolen, memory_order_relaxed) + delay - p->delay_ns,
			      memory_order_relaxed);
	p->delay_ns = delay;
}

/* The guest's memory is about to be zeroed, and whoever starts next asks anew. */
void pvtime_reset(struct cpu *c) { c->pvtime.stolen = NULL; }

void pvtime_close(struct cpu *c)
{
	if (c->pvtime.fd >= 0)
		close(c->pvtime.fd);
	c->pvtime.fd = -1;
}
