/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power State Coordination Interface 1.1 (Arm DEN 0022). Usable from C and from
 * assembly. Where both forms exist, the SMC64 one has bit 30 (SMCCC_64) set.
 */
#ifndef SPEC_PSCI_H
#define SPEC_PSCI_H

#define PSCI_VERSION            0x84000000
#define PSCI_CPU_SUSPEND        0x84000001
#define PSCI_CPU_OFF            0x84000002
#define PSCI_CPU_ON             0x84000003
#define PSCI_AFFINITY_INFO      0x84000004
#define PSCI_MIGRATE_INFO_TYPE  0x84000006
#define PSCI_SYSTEM_OFF         0x84000008
#define PSCI_SYSTEM_RESET       0x84000009
#define PSCI_FEATURES           0x8400000a
#define PSCI_SYSTEM_RESET2      0x84000012

#define PSCI_CPU_SUSPEND_64     0xc4000001
#define PSCI_CPU_ON_64          0xc4000003
#define PSCI_AFFINITY_INFO_64   0xc4000004
#define PSCI_SYSTEM_RESET2_64   0xc4000012

/* major << 16 | minor */
#define PSCI_VERSION_0_2        0x00002
#define PSCI_VERSION_1_0        0x10000
#define PSCI_VERSION_1_1        0x10001

#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_DENIED             (-3)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_ON_PENDING         (-5)
#define PSCI_INTERNAL_FAILURE   (-6)

/* AFFINITY_INFO */
#define PSCI_AFFINITY_ON        0
#define PSCI_AFFINITY_OFF       1
#define PSCI_AFFINITY_ON_PENDING 2

#define PSCI_MIGRATE_NOT_NEEDED 2               /* MIGRATE_INFO_TYPE: no Trusted OS to migrate */

/* power_state, original format: 15:0 StateID, 16 StateType (1: power-down), 25:24 level; others 0 */
#define PSCI_POWER_STATE_MASK   0x0301ffff

/* SYSTEM_RESET2: 0 is a warm reset, from here up the vendor's */
#define PSCI_RESET_WARM         0
#define PSCI_RESET_VENDOR       0x80000000

#endif
