/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <vmm/hv.h>
#include <vmm/irq.h>
#include <vmm/vm.h>

/* A number beyond the board's is the wiring's mistake; the backend refuses it. */
void irq_set(struct vm *vm, unsigned spi, bool level) { hv_irq_line(vm_hv(vm), spi, level); }
