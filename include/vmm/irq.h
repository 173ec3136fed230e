/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one door from a device to an interrupt: irq_set(). Behind it the backend
 * (KVM_IRQ_LINE, or arch/arm64/gic) does the rest.
 */
#ifndef VMM_IRQ_H
#define VMM_IRQ_H

#include <stdbool.h>

struct vm;

/*
 * Drives the wire of SPI @spi (INTID 32 + spi) to @level. Level interrupts stay
 * asserted until set to 0; for an edge one a 0 -> 1 change makes it pending.
 * Any thread; may be called with a device's lock held (order: device, irq, gic).
 */
void irq_set(struct vm *vm, unsigned spi, bool level);

/*
 * From now on each write to eventfd @fd makes the edge interrupt @spi pending, without a way through vmm,
 * as long as the eventfd is open. -ENOTSUP, without a message, where the hypervisor has no such thing.
 */
int irq_eventfd(struct vm *vm, unsigned spi, int fd);

#endif
