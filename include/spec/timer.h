/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The generic timer (Arm ARM, "The Generic Timer in AArch64 state").
 * Usable from C and from assembly.
 */
#ifndef SPEC_TIMER_H
#define SPEC_TIMER_H

/* CNTP_CTL_EL0, CNTV_CTL_EL0 */
#define CNT_CTL_ENABLE          (1 << 0)
#define CNT_CTL_IMASK           (1 << 1)
#define CNT_CTL_ISTATUS         (1 << 2)        /* RO: ENABLE and the condition, whatever IMASK says */

/* CNTKCTL_EL1 */
#define CNTKCTL_EL0PCTEN        (1 << 0)
#define CNTKCTL_EL0VCTEN        (1 << 1)
#define CNTKCTL_EVNTEN          (1 << 2)
#define CNTKCTL_EVNTDIR         (1 << 3)
#define CNTKCTL_EVNTI_SHIFT     4
#define CNTKCTL_EL0VTEN         (1 << 8)
#define CNTKCTL_EL0PTEN         (1 << 9)

#endif
