/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMC Calling Convention 1.1 (Arm DEN 0028) and the TRNG firmware interface 1.0
 * (Arm DEN 0098). Usable from C and from assembly.
 */
#ifndef SPEC_SMCCC_H
#define SPEC_SMCCC_H

/* Function identifier: bit 31 fast call, bit 30 SMC64, 29:24 owner, 15:0 number. */
#define SMCCC_64                0x40000000
#define SMCCC_OWNER(id)         ((id) >> 24 & 0x3f)
#define SMCCC_OWNER_ARCH        0

#define SMCCC_VERSION           0x80000000
#define SMCCC_ARCH_FEATURES     0x80000001
#define SMCCC_ARCH_SOC_ID       0x80000002
#define SMCCC_WORKAROUND_1      0x80008000      /* Spectre v2 */
#define SMCCC_WORKAROUND_2      0x80007fff      /* Spectre v4 */
#define SMCCC_WORKAROUND_3      0x80003fff      /* Spectre BHB */

#define SMCCC_VERSION_1_1       0x10001

#define SMCCC_SUCCESS           0
#define SMCCC_NOT_SUPPORTED     (-1)
#define SMCCC_NOT_REQUIRED      (-2)
#define SMCCC_UNAFFECTED        1               /* ARCH_FEATURES of workarounds 1 and 3 */

#define TRNG_VERSION            0x84000050
#define TRNG_FEATURES           0x84000051
#define TRNG_GET_UUID           0x84000052
#define TRNG_RND32              0x84000053
#define TRNG_RND64              0xc4000053

#define TRNG_VERSION_1_0        0x10000
#define TRNG_INVALID_PARAMETERS (-2)
#define TRNG_NO_ENTROPY         (-3)

#endif
