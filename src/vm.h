/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM from inside, for vm.c, vcpu.c and irq.c. */
#ifndef SRC_VM_H
#define SRC_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <vmm/device.h>
#include <vmm/firmware.h>
#include <vmm/load.h>
#include <vmm/loop.h>
#include <vmm/vcpu.h>
#include <vmm/vm.h>

struct vm {
	const struct vm_config *cfg;

	/* These last as long as the VM. */
	struct loop *loop;
	struct console *console;
	struct loop_timer timeout, panic_grace, silence;
	struct loop_fd *signals;
	int signal_fd;
	struct firmware firmware;       /* vars is -1 without firmware */

	/* The machine; built again at a reset where the backend cannot reset. */
	const struct hv_ops *ops;
	struct hv_block_buf attr;       /* as the user gave them, and what the host has instead of a default */
	struct mem *mem;
	struct bus *bus;
	struct hv_vm *hv;
	struct devices devices;
	bool has_devices;
	struct load load;

	struct vcpu *vcpus;
	unsigned vcpu_count;

	_Atomic uint64_t first_run_ns;  /* loop_now_ns() of entering the guest; 0: not yet */

	pthread_mutex_t lock;           /* of what follows; a leaf */
	pthread_cond_t changed;
	bool pause, end;                /* what threads should do */
	unsigned parked;                /* threads that wait */
	bool stopped, panicked;
	enum proc_exit status;          /* when stopped */
	char stop_text[160], panic_text[160];
	unsigned resets;
};

/* A vCPU thread's turn: waits while the VM is paused. False: the thread ends. */
bool vm_may_run(struct vm *vm);

#endif
