/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What devices and the console tell the VM. Any thread, any lock held: these
 * only record and wake the main thread.
 */
#ifndef VMM_VM_H
#define VMM_VM_H

struct vm;

/*
 * The guest's kernel says it has panicked (pvpanic, or its words on the console; @text is
 * one line, copied). The first call counts: the VM runs on for VM_PANIC_GRACE_MS so that
 * the remaining lines get out, then ends with status PANIC. A reset or power-off within
 * that time ends it at once, with status PANIC, too.
 */
#define VM_PANIC_GRACE_MS 300
void vm_guest_panicked(struct vm *vm, const char *text);

/* The user wants to leave (Ctrl-a x): ends with status QUIT. */
void vm_quit(struct vm *vm);

#endif
