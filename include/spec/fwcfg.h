/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware configuration device of QEMU's virt machine: docs/specs/fw_cfg.rst of QEMU,
 * and Documentation/devicetree/bindings/firmware/qemu,fw-cfg-mmio.yaml of Linux. Everything
 * is big-endian but for what an item says of itself.
 */
#ifndef SPEC_FWCFG_H
#define SPEC_FWCFG_H

/* Registers. */
#define FWCFG_DATA              0       /* 1, 2, 4 or 8 bytes: the next ones of the item, in their order */
#define FWCFG_SELECTOR          8       /* 2 bytes, write only */
#define FWCFG_DMA               16      /* the address of an access structure; writing the low half starts */
#define FWCFG_DMA_SIGNATURE     0x51454d5520434647      /* "QEMU CFG": what reading it says */

/* Items. */
#define FWCFG_SIGNATURE         0x00    /* "QEMU" */
#define FWCFG_ID                0x01    /* u32, little-endian */
#define FWCFG_ID_TRADITIONAL    1
#define FWCFG_ID_DMA            2
#define FWCFG_KERNEL_BYTES      0x08    /* u32, little-endian, as the next two */
#define FWCFG_INITRD_BYTES      0x0b
#define FWCFG_CMDLINE_BYTES     0x14    /* with its terminating zero */
#define FWCFG_KERNEL            0x11
#define FWCFG_INITRD            0x12
#define FWCFG_CMDLINE           0x15
#define FWCFG_DIRECTORY         0x19    /* u32 count, then entries of 64 bytes: size, item, reserved, name */

/* Access structure: u32 control, u32 length, u64 address. The device writes control back, 0 or ERROR. */
#define FWCFG_DMA_ERROR         0x01
#define FWCFG_DMA_READ          0x02
#define FWCFG_DMA_SKIP          0x04
#define FWCFG_DMA_SELECT        0x08    /* bits 31:16: the item */
#define FWCFG_DMA_WRITE         0x10
#define FWCFG_DMA_BYTES         16

#endif
