/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GICv3 without LPIs and ITS (Arm IHI 0069, "GIC Architecture Specification") and
 * GICv2 (Arm IHI 0048): register offsets and fields. Usable from C and from assembly.
 */
#ifndef SPEC_GIC_H
#define SPEC_GIC_H

/* ---- INTIDs ---- */
#define GIC_SGI_COUNT           16
#define GIC_PPI_BASE            16
#define GIC_SPI_BASE            32
#define GIC_SPI_MAX             988     /* INTID 32..1019 */
#define GIC_INTID_SPECIAL       1020    /* 1020..1023 name no interrupt */
#define GIC_INTID_GROUP1        1022    /* GICv2: there is one, of group 1, to be had elsewhere */
#define GIC_INTID_NONE          1023    /* spurious */

/* ---- Distributor, "GICD" ---- */
#define GICD_CTLR               0x0000
#define GICD_TYPER              0x0004
#define GICD_IIDR               0x0008
#define GICD_TYPER2             0x000c
#define GICD_STATUSR            0x0010
#define GICD_IGROUPR            0x0080  /* one bit per INTID, 32 INTIDs per word */
#define GICD_ISENABLER          0x0100
#define GICD_ICENABLER          0x0180
#define GICD_ISPENDR            0x0200
#define GICD_ICPENDR            0x0280
#define GICD_ISACTIVER          0x0300
#define GICD_ICACTIVER          0x0380
#define GICD_IPRIORITYR         0x0400  /* one byte per INTID */
#define GICD_ITARGETSR          0x0800  /* one byte per INTID, one bit per CPU; RES0 with affinity routing */
#define GICD_ICFGR              0x0c00  /* two bits per INTID; bit 1: edge */
#define GICD_IGRPMODR           0x0d00
#define GICD_NSACR              0x0e00
#define GICD_SGIR               0x0f00
#define GICD_CPENDSGIR          0x0f10  /* GICv2: one byte per SGI, one bit per CPU it came from */
#define GICD_SPENDSGIR          0x0f20
#define GICD_IROUTER            0x6000  /* + 8 * INTID, from INTID 32 */
#define GICD_IDREGS             0xffd0  /* PIDR4..7, PIDR0..3, CIDR0..3 */
#define GICD_PIDR2              0xffe8

#define GICD_CTLR_GRP0          (1 << 0)
#define GICD_CTLR_GRP1          (1 << 1)
#define GICD_CTLR_ARE           (1 << 4)
#define GICD_CTLR_DS            (1 << 6)
#define GICD_CTLR_RWP           (1u << 31)

#define GICD_TYPER_IDBITS_SHIFT 19
#define GICD_TYPER_A3V          (1 << 24)
#define GICD_TYPER_CPUS_SHIFT   5       /* GICv2: CPUs - 1 */

#define GICD_SGIR_INTID(v)      ((v) & 0xf)
#define GICD_SGIR_TARGETS(v)    ((v) >> 16 & 0xff)
#define GICD_SGIR_FILTER(v)     ((v) >> 24 & 3)
#define GICD_SGIR_LIST          0       /* those of TARGETS */
#define GICD_SGIR_OTHERS        1       /* all but the sender */
#define GICD_SGIR_SELF          2

#define GICD_IROUTER_IRM        (1u << 31)
#define GICD_IROUTER_MASK       0xff80ffffff    /* Aff3, IRM, Aff2, Aff1, Aff0 */

/* ---- Redistributor, "GICR": two 64 KiB frames per PE ---- */
#define GICR_CTLR               0x0000
#define GICR_IIDR               0x0004
#define GICR_TYPER              0x0008
#define GICR_STATUSR            0x0010
#define GICR_WAKER              0x0014
#define GICR_IDREGS             0xffd0
#define GICR_PIDR2              0xffe8
#define GICR_SGI_FRAME          0x10000
#define GICR_IGROUPR0           0x10080
#define GICR_ISENABLER0         0x10100
#define GICR_ICENABLER0         0x10180
#define GICR_ISPENDR0           0x10200
#define GICR_ICPENDR0           0x10280
#define GICR_ISACTIVER0         0x10300
#define GICR_ICACTIVER0         0x10380
#define GICR_IPRIORITYR         0x10400
#define GICR_ICFGR0             0x10c00
#define GICR_ICFGR1             0x10c04

#define GICR_TYPER_LAST         (1 << 4)
#define GICR_TYPER_NUMBER_SHIFT 8
#define GICR_TYPER_AFF_SHIFT    32      /* Aff3.Aff2.Aff1.Aff0, a byte each */
#define GICR_WAKER_SLEEP        (1 << 1)
#define GICR_WAKER_ASLEEP       (1 << 2)

#define GIC_PIDR2_ARCHREV3      0x30
#define GIC_IIDR_ARM            0x43b   /* JEP106 code of Arm in 11:0 */

/* ---- CPU interface of a GICv2, "GICC": the same address for every CPU ---- */
#define GIC_V2_CPU_MAX          8

#define GICC_CTLR               0x0000
#define GICC_PMR                0x0004
#define GICC_BPR                0x0008
#define GICC_IAR                0x000c
#define GICC_EOIR               0x0010
#define GICC_RPR                0x0014
#define GICC_HPPIR              0x0018
#define GICC_ABPR               0x001c  /* the A registers: of group 1 */
#define GICC_AIAR               0x0020
#define GICC_AEOIR              0x0024
#define GICC_AHPPIR             0x0028
#define GICC_APR0               0x00d0
#define GICC_IIDR               0x00fc
#define GICC_DIR                0x1000

#define GICC_CTLR_GRP0          (1 << 0)
#define GICC_CTLR_GRP1          (1 << 1)
#define GICC_CTLR_ACKCTL        (1 << 2)        /* IAR, EOIR and HPPIR are for group 1 as well */
#define GICC_CTLR_FIQEN         (1 << 3)        /* group 0 is signalled as FIQ */
#define GICC_CTLR_CBPR          (1 << 4)
#define GICC_CTLR_EOIMODE       (1 << 9)

#define GICC_IAR_INTID(v)       ((v) & 0x3ff)
#define GICC_IAR_SOURCE_SHIFT   10      /* the CPU an SGI came from */
#define GICC_IIDR_ARCHREV2      (2 << 16)

/* ---- CPU interface, "ICC_*_EL1" ---- */
#define ICC_SRE_SRE             (1 << 0)
#define ICC_SRE_DFB             (1 << 1)
#define ICC_SRE_DIB             (1 << 2)

#define ICC_CTLR_CBPR           (1 << 0)
#define ICC_CTLR_EOIMODE        (1 << 1)
#define ICC_CTLR_PRIBITS_SHIFT  8       /* bits - 1 */
#define ICC_CTLR_IDBITS_SHIFT   11      /* 0: 16 bits */
#define ICC_CTLR_A3V            (1 << 15)
#define ICC_CTLR_RSS            (1 << 18)

#define ICC_IGRPEN_ENABLE       1
#define ICC_PRIORITY_IDLE       0xff

#define ICC_SGIR_TARGETS(v)     ((v) & 0xffff)
#define ICC_SGIR_AFF1(v)        ((v) >> 16 & 0xff)
#define ICC_SGIR_INTID(v)       ((v) >> 24 & 0xf)
#define ICC_SGIR_AFF2(v)        ((v) >> 32 & 0xff)
#define ICC_SGIR_IRM(v)         ((v) >> 40 & 1)
#define ICC_SGIR_RS(v)          ((v) >> 44 & 0xf)
#define ICC_SGIR_AFF3(v)        ((v) >> 48 & 0xff)

#endif
