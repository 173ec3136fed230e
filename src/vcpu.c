/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One thread per vCPU: run, look up the exit's row, run again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <vmm/bus.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/vcpu.h>

#include "vm.h"

typedef void (*vcpu_exit_fn)(struct vcpu *c, struct hv_exit *e);

static void vcpu_exit_kicked(struct vcpu *c, struct hv_exit *e) { (void)c, (void)e; }

/*
 * Backends that do not call the bus themselves (KVM). What nobody answers is an
 * external abort for the guest, and said at level guest.
 */
static void vcpu_exit_mmio(struct vcpu *c, struct hv_exit *e)
{
	enum bus_result r = bus_access(c->vm->bus, e->mmio.addr, e->mmio.size, &e->mmio.value, e->mmio.write);

	e->mmio.abort = r != BUS_OK;
	if (r == BUS_OK)
		return;
	log_guest("vCPU %u: %s of %u bytes at 0x%" PRIx64 ": %s", c->id, e->mmio.write ? "write" : "read",
		  e->mmio.size, e->mmio.addr.v, r == BUS_NOBODY ? "nothing is there" : "the device there refuses it");
}

static void vcpu_exit_shutdown(struct vcpu *c, struct hv_exit *e)
{
	(void)e;
	vm_stop(c->vm, PROC_POWEROFF, "");
}

static void vcpu_exit_reset(struct vcpu *c, struct hv_exit *e)
{
	(void)e;
	vm_stop(c->vm, PROC_RESET, "");
}

static void vcpu_exit_fail(struct vcpu *c, struct hv_exit *e)
{
	char text[160];

	snprintf(text, sizeof(text), "vCPU %u: hypervisor %s cannot go on: %.100s", c->id, c->vm->ops->name,
		 e->fail.text);
	log_err(e->fail.err, "%s", text);
	vm_stop(c->vm, PROC_HOST, text);
}

static const vcpu_exit_fn handlers[HV_EXIT_COUNT] = {
#define VCPU_EXIT(NAME, handler, text) [HV_EXIT_##NAME] = handler,
#include <vmm/exit.def>
};

static void note_first_run(struct vm *vm)
{
	uint64_t none = 0;

	if (!atomic_load_explicit(&vm->first_run_ns, memory_order_relaxed))
		atomic_compare_exchange_strong(&vm->first_run_ns, &none, loop_now_ns());
}

static void *vcpu_thread(void *opaque)
{
	struct vcpu *c = opaque;
	struct hv_exit e = { .reason = HV_EXIT_FAIL }; /* lives on: it carries answers */
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", c->id);
	pthread_setname_np(pthread_self(), name);
	while (vm_may_run(c->vm)) {
		int err;

		note_first_run(c->vm);
		err = hv_vcpu_run(c->hv, &e);
		if (err) {
			e = (struct hv_exit){ .reason = HV_EXIT_FAIL, .fail.err = err };
			snprintf(e.fail.text, sizeof(e.fail.text), "%s", strerror(-err));
		}
		handlers[e.reason](c, &e);
	}
	return NULL;
}

int vcpu_start(struct vcpu *c)
{
	int err = pthread_create(&c->thread, NULL, vcpu_thread, c);

	if (err)
		return log_err(-err, "vCPU %u: the host refuses a thread (%s); use fewer --cpus", c->id,
			       strerror(err));
	c->has_thread = true;
	return 0;
}

void vcpu_join(struct vcpu *c)
{
	if (c->has_thread)
		pthread_join(c->thread, NULL);
	c->has_thread = false;
}
