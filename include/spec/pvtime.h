/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paravirtualized Time for Arm-based Systems 1.0 (Arm DEN 0057A): stolen time. Usable
 * from C and from assembly.
 */
#ifndef SPEC_PVTIME_H
#define SPEC_PVTIME_H

#define PV_TIME_FEATURES        0xc5000020
#define PV_TIME_ST              0xc5000021      /* answers with the address of the caller's record */

/* The record, little-endian, 64-byte aligned. */
#define PVTIME_REVISION         0               /* u32: 0 */
#define PVTIME_ATTRIBUTES       4               /* u32: 0 */
#define PVTIME_STOLEN           8               /* u64: ns, single-copy atomic */
#define PVTIME_BYTES            16

#endif
