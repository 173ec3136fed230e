/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arm PrimeCell Real Time Clock (PL031) Technical Reference Manual, DDI 0224: registers. */
#ifndef SPEC_PL031_H
#define SPEC_PL031_H

#define PL031_DR        0x000   /* seconds, read only */
#define PL031_MR        0x004   /* alarm when DR equals it */
#define PL031_LR        0x008   /* sets DR; reads as it was written last */
#define PL031_CR        0x00C   /* bit 0: running; cannot be stopped */
#define PL031_IMSC      0x010
#define PL031_RIS       0x014
#define PL031_MIS       0x018
#define PL031_ICR       0x01C
#define PL031_ID        0xFE0

#endif
