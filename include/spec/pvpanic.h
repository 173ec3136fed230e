/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU, docs/specs/pvpanic: one register; read: events understood, write: events that happened. */
#ifndef SPEC_PVPANIC_H
#define SPEC_PVPANIC_H

#define PVPANIC_PANICKED        0x01    /* the kernel has panicked */
#define PVPANIC_CRASHLOADED     0x02    /* it has, and will run its own crash kernel */

#endif
