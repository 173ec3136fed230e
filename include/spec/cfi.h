/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NOR flash chips: JEDEC JESD68 "Common Flash Interface" (the query), Intel's Basic and
 * Scalable Command Sets (application note AP-646, datasheets of the 28F families).
 */
#ifndef SPEC_CFI_H
#define SPEC_CFI_H

/* Commands, as written to any address but where the text says "of the block". */
#define CFI_READ_ARRAY          0xff
#define CFI_READ_STATUS         0x70
#define CFI_CLEAR_STATUS        0x50
#define CFI_READ_ID             0x90
#define CFI_QUERY               0x98
#define CFI_PROGRAM             0x40    /* then the word, at its address */
#define CFI_PROGRAM_ALT         0x10
#define CFI_BUFFER              0xe8    /* of the block; then the number of words less one, the words, CONFIRM */
#define CFI_ERASE               0x20    /* of the block; then CONFIRM */
#define CFI_LOCK                0x60    /* of the block; then one of the three below */
#define CFI_LOCK_SET            0x01
#define CFI_LOCK_CLEAR          0xd0
#define CFI_LOCK_DOWN           0x2f
#define CFI_CONFIRM             0xd0
#define CFI_SUSPEND             0xb0

/* Status register. */
#define CFI_STATUS_READY        0x80
#define CFI_STATUS_ERASE_ERROR  0x20
#define CFI_STATUS_PROGRAM_ERROR 0x10
#define CFI_STATUS_SEQUENCE     0x30    /* both: these commands do not follow each other */
#define CFI_STATUS_LOCKED       0x02

/* Words that READ_ID shows; the last is of each block. */
#define CFI_ID_MAKER            0
#define CFI_ID_DEVICE           1
#define CFI_ID_LOCK             2       /* bit 0: the block is locked */
#define CFI_MAKER_INTEL         0x89

/* Words that QUERY shows, a byte each; what is two bytes has the lower one first. */
#define CFI_QRY                 0x10    /* "QRY" */
#define CFI_COMMAND_SET         0x13
#define CFI_COMMAND_SET_INTEL   0x01
#define CFI_EXTENDED            0x15    /* where "PRI" is */
#define CFI_VCC_MIN             0x1b    /* bits 7:4 volts, 3:0 tenths */
#define CFI_VCC_MAX             0x1c
#define CFI_TIME_PROGRAM        0x1f    /* usual times: 2^n us, 2^n us, 2^n ms */
#define CFI_TIME_BUFFER         0x20
#define CFI_TIME_ERASE          0x21
#define CFI_MAX_PROGRAM         0x23    /* 2^n times the usual ones */
#define CFI_MAX_BUFFER          0x24
#define CFI_MAX_ERASE           0x25
#define CFI_SIZE                0x27    /* 2^n bytes */
#define CFI_INTERFACE           0x28    /* 1: 16 bits and nothing else */
#define CFI_INTERFACE_X16       1
#define CFI_BUFFER_BYTES        0x2a    /* 2^n */
#define CFI_REGIONS             0x2c
#define CFI_BLOCKS              0x2d    /* less one */
#define CFI_BLOCK_BYTES         0x2f    /* in units of 256 */
#define CFI_PRI                 0x31    /* ours is there; "PRI", then two digits of a version */

#endif
