/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arm PrimeCell GPIO (PL061) Technical Reference Manual, DDI 0190: registers. */
#ifndef SPEC_PL061_H
#define SPEC_PL061_H

#define PL061_DATA      0x000   /* to 0x3FC: address bits 9:2 mask the access */
#define PL061_DIR       0x400   /* 1: output */
#define PL061_IS        0x404   /* 1: level, 0: edge */
#define PL061_IBE       0x408   /* 1: both edges */
#define PL061_IEV       0x40C   /* 1: rising or high */
#define PL061_IE        0x410
#define PL061_RIS       0x414
#define PL061_MIS       0x418
#define PL061_IC        0x41C
#define PL061_AFSEL     0x420
#define PL061_ID        0xFE0

#endif
