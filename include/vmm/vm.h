/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM: what a command builds and runs, and what devices and the console may
 * tell it.
 *
 *   vm_build(config)      everything is checked and in place; nothing has run
 *   vm_run()              until the guest or the user ends it; resets happen inside
 *   vm_destroy()
 *
 * Order of locks: device, console, host end of the console, irq, gic, vm, loop, log.
 * The VM's own is a leaf but for the last two, so anybody may tell the VM anything
 * with his locks held.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

#include <vmm/cmd.h>
#include <vmm/hv.h>
#include <vmm/hypercall.h>
#include <vmm/jit.h>
#include <vmm/opt.h>

struct vm;

#define VM_RAM_BYTES_DEFAULT (512 * MIB)

/* As the options say; strings are borrowed and must outlive the VM. */
struct vm_config {
	const char *hv;                 /* NULL: the best available */
	struct hv_block_buf attr;
	struct hypercalls hypercalls;
	struct jit_config jit;
	uint64_t ram_bytes;
	const char *kernel, *initrd;    /* kernel is mandatory without firmware */
	const char *firmware, *firmware_vars;
	const char *cmdline;
	const char *dtb, *dump_dtb;
	const char *console;            /* as --console; not NULL */
	struct opt_devices devices;     /* those asked for; the board's come by themselves */
	bool reset_ends;                /* a guest's reset is the end, not a restart */
	uint64_t timeout_ns;            /* 0: none */
	uint64_t start_ns;              /* when the process began, for the timings */
};

/* How it ended. */
struct vm_result {
	enum proc_exit status;
	const char *reason;             /* name of the status in exit.def, small letters */
	char text[160];                 /* more about it, in one line; may be empty */
	const char *backend;
	bool translated;                /* the guest's instructions were, to the host's */
	unsigned vcpu_count, resets;
	uint64_t ram_bytes;
	uint64_t wall_ns;               /* from start_ns to the end */
	uint64_t first_insn_ns;         /* from start_ns to entering the guest; 0: never */
	uint64_t insn_count;            /* of all vCPUs; 0 where nobody counts */
};

/*
 * 0, or -errno with a message and in *status what the process should end with;
 * *vm is NULL then.
 */
int vm_build(const struct vm_config *cfg, struct vm **vm, enum proc_exit *status);
/* Says in one line what runs. */
void vm_run(struct vm *vm, struct vm_result *result);
void vm_destroy(struct vm *vm);         /* NULL is fine */

/* Name of a status in exit.def, small letters; "?" for what is none. */
const char *vm_exit_name(enum proc_exit status);

/* No vCPU is in the guest between the two. Main thread. */
void vm_pause(struct vm *vm);
void vm_resume(struct vm *vm);

struct hv_vm *vm_hv(struct vm *vm);

/* The user presses the guest's power key (Ctrl-a p), as a request to power off by itself. Main thread. */
void vm_power_button(struct vm *vm);

/* The user wants to know how it is (Ctrl-a i). Main thread. */
void vm_info(struct vm *vm);

/*
 * The rest only records and wakes the main thread: any thread, any lock held.
 *
 * Ends the VM with @status, or for RESET starts it again unless that is the end. Of several calls the first counts.
 */
void vm_stop(struct vm *vm, enum proc_exit status, const char *text);

/*
 * The guest's kernel says it has panicked (pvpanic, or its words on the console; @text is
 * one line, copied). The first call counts: the VM runs on for VM_PANIC_GRACE_MS so that
 * the remaining lines get out, then ends with status PANIC. A reset or power-off within
 * that time ends it at once, with status PANIC, too.
 */
#define VM_PANIC_GRACE_MS 300
void vm_guest_panicked(struct vm *vm, const char *text);

/* After so long without a byte on the console, says once where the guest is and what may help. */
#define VM_SILENCE_S 20

/* The user wants to leave (Ctrl-a x): ends with status QUIT. */
void vm_quit(struct vm *vm);

#endif
