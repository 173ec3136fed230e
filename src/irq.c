/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <vmm/hv.h>
#include <vmm/irq.h>
#include <vmm/vm.h>

/* A number beyond the board's is the wiring's mistake; the backend refuses it. */
void irq_set(struct vm *vm, unsigned spi, bool level) { hv_irq_line(vm_hv(vm), spi, level); }

int irq_eventfd(struct vm *vm, unsigned spi, int fd) { return hv_irqfd(vm_hv(vm), spi, fd, true); }
