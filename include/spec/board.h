/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's memory map and interrupt numbers: our own document.
 *
 * It follows QEMU's "-M virt" without PCI, so that software built for that
 * machine (Linux, U-Boot, EDK2) runs unmodified. The device tree is the truth
 * for guests that read one; these numbers are for those that do not.
 * Usable from C and from assembly.
 */
#ifndef SPEC_BOARD_H
#define SPEC_BOARD_H

#define BOARD_FLASH0_BASE       0x00000000
#define BOARD_FLASH1_BASE       0x04000000
#define BOARD_FLASH_SIZE        0x04000000
#define BOARD_GICD_BASE         0x08000000
#define BOARD_GICD_SIZE         0x00010000
#define BOARD_GICC_BASE         0x08010000      /* GICv2: CPU interface */
#define BOARD_GICC_SIZE         0x00010000
#define BOARD_GICV2M_BASE       0x08020000
#define BOARD_GICV2M_SIZE       0x00001000
#define BOARD_ITS_BASE          0x08080000
#define BOARD_ITS_SIZE          0x00020000
#define BOARD_GICR_BASE         0x080A0000
#define BOARD_GICR_STRIDE       0x00020000      /* per vCPU: RD frame, SGI frame */
#define BOARD_GICR_COUNT        123             /* vCPUs in the first region */
#define BOARD_GICR2_BASE        0x4000000000    /* redistributors of the vCPUs beyond */
#define BOARD_UART_BASE         0x09000000
#define BOARD_UART_SIZE         0x00001000
#define BOARD_RTC_BASE          0x09010000
#define BOARD_RTC_SIZE          0x00001000
#define BOARD_FWCFG_BASE        0x09020000
#define BOARD_FWCFG_SIZE        0x00000018
#define BOARD_GPIO_BASE         0x09030000
#define BOARD_GPIO_SIZE         0x00001000
#define BOARD_PVPANIC_BASE      0x09040000      /* ours: -M virt has it on PCI only */
#define BOARD_PVPANIC_SIZE      0x00000002
#define BOARD_PVTIME_BASE       0x090A0000
#define BOARD_PVTIME_STRIDE     64
#define BOARD_VIRTIO_BASE       0x0A000000
#define BOARD_VIRTIO_STRIDE     0x200
#define BOARD_VIRTIO_COUNT      32
#define BOARD_RAM_BASE          0x40000000

/* SPI n is INTID 32 + n. */
#define BOARD_UART_SPI          1
#define BOARD_RTC_SPI           2
#define BOARD_GPIO_SPI          7
#define BOARD_VIRTIO_SPI        16              /* slot n: 16 + n */

/* INTIDs of PPIs. */
#define BOARD_PMU_PPI           23
#define BOARD_VTIMER_PPI        27
#define BOARD_PTIMER_PPI        30

#define BOARD_VCPU_MAX          512
#define BOARD_SPI_COUNT         256             /* INTID 32..287 */

#endif
