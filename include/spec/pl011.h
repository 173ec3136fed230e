/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arm PrimeCell UART (PL011) Technical Reference Manual, DDI 0183: registers and bits. */
#ifndef SPEC_PL011_H
#define SPEC_PL011_H

#define PL011_DR        0x000
#define PL011_RSR       0x004   /* write: ECR */
#define PL011_FR        0x018
#define PL011_ILPR      0x020
#define PL011_IBRD      0x024
#define PL011_FBRD      0x028
#define PL011_LCR_H     0x02C
#define PL011_CR        0x030
#define PL011_IFLS      0x034
#define PL011_IMSC      0x038
#define PL011_RIS       0x03C
#define PL011_MIS       0x040
#define PL011_ICR       0x044
#define PL011_DMACR     0x048
#define PL011_ID        0xFE0   /* PeriphID0..3, PCellID0..3, one byte in each word */

#define PL011_DR_OE     0x800

#define PL011_FR_CTS    0x001
#define PL011_FR_DSR    0x002
#define PL011_FR_DCD    0x004
#define PL011_FR_BUSY   0x008
#define PL011_FR_RXFE   0x010
#define PL011_FR_TXFF   0x020
#define PL011_FR_RXFF   0x040
#define PL011_FR_TXFE   0x080
#define PL011_FR_RI     0x100

#define PL011_LCR_FEN   0x010

#define PL011_CR_UARTEN 0x0001
#define PL011_CR_LBE    0x0080
#define PL011_CR_TXE    0x0100
#define PL011_CR_RXE    0x0200
#define PL011_CR_DTR    0x0400
#define PL011_CR_RTS    0x0800
#define PL011_CR_OUT1   0x1000
#define PL011_CR_OUT2   0x2000

#define PL011_INT_RX    0x010
#define PL011_INT_TX    0x020
#define PL011_INT_RT    0x040
#define PL011_INT_OE    0x400
#define PL011_INT_ALL   0x7FF

#define PL011_FIFO_DEPTH 16
#define PL011_IFLS_RESET 0x12
#define PL011_CR_RESET   0x0300

#endif
