/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fields of system registers (Arm ARM DDI 0487, D24 "AArch64 System Register Descriptions"). */
#ifndef SPEC_SYSREG_H
#define SPEC_SYSREG_H

#include <linux/const.h>

/* ---- SCTLR_EL1 ---- */
#define SCTLR_M                 _BITULL(0)
#define SCTLR_A                 _BITULL(1)
#define SCTLR_SA                _BITULL(3)
#define SCTLR_SA0               _BITULL(4)
#define SCTLR_UMA               _BITULL(9)
#define SCTLR_ENDB              _BITULL(13)
#define SCTLR_DZE               _BITULL(14)
#define SCTLR_UCT               _BITULL(15)
#define SCTLR_NTWI              _BITULL(16)
#define SCTLR_NTWE              _BITULL(18)
#define SCTLR_WXN               _BITULL(19)
#define SCTLR_TSCXT             _BITULL(20)
#define SCTLR_SPAN              _BITULL(23)
#define SCTLR_E0E               _BITULL(24)
#define SCTLR_EE                _BITULL(25)
#define SCTLR_UCI               _BITULL(26)
#define SCTLR_ENDA              _BITULL(27)
#define SCTLR_ENIB              _BITULL(30)
#define SCTLR_ENIA              _BITULL(31)
#define SCTLR_BT0               _BITULL(35)
#define SCTLR_BT1               _BITULL(36)
#define SCTLR_DSSBS             _BITULL(44)

/* ---- TCR_EL1 ---- */
#define TCR_EPD0                _BITULL(7)
#define TCR_A1                  _BITULL(22)
#define TCR_EPD1                _BITULL(23)
#define TCR_AS                  _BITULL(36)
#define TCR_TBI0                _BITULL(37)
#define TCR_TBI1                _BITULL(38)
#define TCR_HPD0                _BITULL(41)
#define TCR_HPD1                _BITULL(42)
#define TCR_TBID0               _BITULL(51)
#define TCR_TBID1               _BITULL(52)
#define TCR_E0PD0               _BITULL(55)
#define TCR_E0PD1               _BITULL(56)
#define TCR_DS                  _BITULL(59)

/* ---- TCR2_EL1 (S3_0_C2_C0_3) ---- */
#define TCR2_PIE                _BITULL(1)
#define TCR2_D128               _BITULL(5)

/* ---- MDSCR_EL1 ---- */
#define MDSCR_SS                _BITULL(0)
#define MDSCR_TDCC              _BITULL(12)
#define MDSCR_KDE               _BITULL(13)
#define MDSCR_MDE               _BITULL(15)

/* ---- ESR_EL1 ---- */
#define ESR_IL                  _BITULL(25)     /* the instruction has 32 bits */

/* EC. LOWER: from EL0; SAME: from EL1. */
#define EC_UNKNOWN              0x00
#define EC_WFX                  0x01
#define EC_FP                   0x07
#define EC_BTI                  0x0d
#define EC_ILLEGAL_STATE        0x0e
#define EC_SVC64                0x15
#define EC_SYSREG               0x18
#define EC_FETCH_LOWER          0x20
#define EC_FETCH_SAME           0x21
#define EC_PC_ALIGNMENT         0x22
#define EC_DATA_LOWER           0x24
#define EC_DATA_SAME            0x25
#define EC_SP_ALIGNMENT         0x26
#define EC_BREAKPOINT_LOWER     0x30
#define EC_STEP_LOWER           0x32
#define EC_WATCHPOINT_LOWER     0x34
#define EC_BRK64                0x3c

/* ISS of a trapped WFI, WFE, or FP instruction: the condition is valid (24) and is "always" (23:20). */
#define ISS_COND_ALWAYS         0x01e00000

/* ISS of aborts, 5:0. The first four and EXTERNAL_WALK have the level of the walk in 1:0. */
#define DFSC_ADDRESS_SIZE       0x00
#define DFSC_TRANSLATION        0x04
#define DFSC_ACCESS_FLAG        0x08
#define DFSC_PERMISSION         0x0c
#define DFSC_EXTERNAL           0x10
#define DFSC_EXTERNAL_WALK      0x14
#define DFSC_ALIGNMENT          0x21
#define DFSC_DEBUG              0x22
#define DFSC_ATOMIC             0x35    /* an exclusive or atomic access to what does not have them */

#endif
