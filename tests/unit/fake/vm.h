/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM for one device: what it does to interrupts, and what it says about the guest, is written down. */
#ifndef UNIT_FAKE_VM_H
#define UNIT_FAKE_VM_H

#include <vmm/bus.h>
#include <vmm/console.h>
#include <vmm/device.h>
#include <vmm/loop.h>

struct vm {
	bool line[288];
	unsigned raised[288];           /* 0 -> 1 changes */
	unsigned panics, quits, presses, infos;
	char panic_text[200];
	/* The hypervisor has irqfd and ioeventfd: what it was given last. Otherwise it refuses them. */
	bool has_eventfds;
	unsigned eventfds;
	int call_fd;
	struct { uint64_t addr, value; unsigned bytes; int fd; } kick;
	/* The hypervisor can let the guest read from memory of a device's: which. Otherwise it refuses. */
	bool has_read_from;
	struct { uint64_t addr, bytes; const void *host; unsigned calls; } read_from;
	/* What fake_vm_new() makes. */
	struct loop *loop;
	struct bus *bus;
	struct console *console;
	struct devices devices;
};

/* With a loop, a bus, a console on a null host end, and every on_board device. */
struct vm *fake_vm_new(void);
/* The same with memory, which stays the caller's, and with_firmware devices. Both may be NULL. */
struct vm *fake_vm_with(struct mem *mem, const struct firmware *firmware);
void fake_vm_free(struct vm *vm);
/* The registers of a device: 4-byte accesses that must succeed. */
uint32_t fake_read(struct vm *vm, uint64_t addr);
void fake_write(struct vm *vm, uint64_t addr, uint32_t value);
/* Any access at all: every size, offsets in and between registers, random values. */
void fake_hammer(struct vm *vm, uint64_t base, uint64_t bytes);
/* Runs the loop for @ms. */
void fake_loop_ms(struct loop *l, unsigned ms);

/* Everything that goes to stderr between the two is in the text, which is the caller's to free. */
void stderr_begin(void);
char *stderr_end(void);

#endif
