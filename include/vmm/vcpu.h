/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPU threads, and what to do when a vCPU leaves the guest: the rows
 * VCPU_EXIT of exit.def, one handler each in src/vcpu.c.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <pthread.h>
#include <vmm/hv.h>

struct vm;

struct vcpu {
	struct vm *vm;
	struct hv_vcpu *hv;
	unsigned id;
	pthread_t thread;
	bool has_thread;
};

/* Starts the thread; it waits until the VM is resumed. -errno with a message. */
int vcpu_start(struct vcpu *c);
/* After the VM has told its threads to end. */
void vcpu_join(struct vcpu *c);

#endif
