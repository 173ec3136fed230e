/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of the tables of registers: regs.def, and regs-kvm.def for those that the
 * software CPU does not have.
 *
 * Register ids are the numbers of KVM_REG_ARM64_*, so that the same id means the
 * same register whoever provides the VM:
 *
 *   0x6 | size class 55:52 (bytes = 1 << class) | class 27:16 | class specific 15:0
 *
 * Class 0x10 core (offset in struct kvm_regs / 4), 0x11 CCSIDR by CSSELR, 0x13
 * system register (op0 op1 CRn CRm op2), 0x14 firmware, 0x15 SVE, 0x16 hypercall
 * features. 0x1f is ours alone: views for a debugger that no snapshot contains.
 */
#ifndef VMM_REGS_H
#define VMM_REGS_H

#include <vmm/types.h>

#define REG_ENC(op0, op1, crn, crm, op2) \
	((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define REG_NO_ENC      0               /* MRS and MSR do not reach it (op0 is 2 or 3 there) */

#define REG_NO_ID       UINT64_C(0)     /* not state, or state that another row shows */
#define REG_ID_SYS(enc) (UINT64_C(0x6030000000130000) | (enc))
#define REG_ID_CORE(n)  (UINT64_C(0x6030000000100000) | (n))
#define REG_ID_V(n)     (UINT64_C(0x6040000000100054) + 4 * (n))
#define REG_ID_CORE32(n) (UINT64_C(0x6020000000100000) | (n))
#define REG_ID_CCSIDR(n) (UINT64_C(0x6020000000110000) | (n))
#define REG_ID_FW(n)    (UINT64_C(0x6030000000140000) | (n))
#define REG_ID_BMAP(n)  (UINT64_C(0x6030000000160000) | (n))
#define REG_ID_SVE_Z(n) (UINT64_C(0x6080000000150000) | (n) << 5)
#define REG_ID_SVE_P(n) (UINT64_C(0x6050000000150400) | (n) << 5)
#define REG_ID_SVE_FFR  UINT64_C(0x6050000000150600)
#define REG_ID_SVE_VLS  UINT64_C(0x606000000015ffff)    /* as attribute sve-vl, HV_SVE_VLS_WORDS */
#define REG_ID_OWN(n)   (UINT64_C(0x60300000001f0000) | (n))
#define REG_CLASS_CCSIDR 0x11           /* of REG_ID_CCSIDR */
#define REG_CLASS_BITMAP 0x16           /* of REG_ID_BMAP */

static inline unsigned reg_id_bytes(uint64_t id) { return 1u << (id >> 52 & 0xf); }
static inline unsigned reg_id_class(uint64_t id) { return id >> 16 & 0xfff; }

/* Column access: which of MRS and MSR exists at which exception level. */
enum {
	REG_R0 = 1, REG_R1 = 2, REG_W0 = 4, REG_W1 = 8,
	REG_HIDDEN  = 0,
	REG_RW      = REG_R1 | REG_W1,
	REG_RO      = REG_R1,
	REG_WO      = REG_W1,
	REG_RW_EL0  = REG_R0 | REG_W0 | REG_R1 | REG_W1,
	REG_RO_EL0  = REG_R0 | REG_R1,
	REG_EL0_READS = REG_R0 | REG_R1 | REG_W1,       /* EL0 reads, EL1 writes too */
};

/*
 * Column el0: the control bit that lets EL0 in. Without it EL0's access is
 * trapped to EL1 with EC 0x18, not UNDEFINED.
 */
enum reg_el0 {
	EL0_FREE,       /* whatever column access says */
	EL0_UCT,        /* SCTLR_EL1.UCT */
	EL0_UMA,        /* SCTLR_EL1.UMA */
	EL0_TSCXT,      /* SCTLR_EL1.TSCXT clear */
	EL0_TDCC,       /* MDSCR_EL1.TDCC clear */
	EL0_CNTFRQ,     /* CNTKCTL_EL1.EL0PCTEN or EL0VCTEN */
	EL0_CNTPCT,     /* CNTKCTL_EL1.EL0PCTEN */
	EL0_CNTVCT,     /* CNTKCTL_EL1.EL0VCTEN */
	EL0_CNTP,       /* CNTKCTL_EL1.EL0PTEN */
	EL0_CNTV,       /* CNTKCTL_EL1.EL0VTEN */
	EL0_COUNT
};

/* Column flags. */
enum {
	REG_ENDS    = 1 << 0,   /* MSR ends the block: what follows may be translated or decoded differently */
	REG_FP      = 1 << 1,   /* trapped by CPACR_EL1.FPEN */
	REG_SNAP    = 1 << 2,   /* is in the register list: state that a snapshot needs */
	REG_FEATURE = 1 << 3,   /* says what the guest has: a subset may be written before the first run */
	REG_FIXED   = 1 << 4,   /* the host may write only what it reads: a check, not state */
	REG_KEEP    = 1 << 5,   /* not touched by reset */
	REG_SP0     = 1 << 6,   /* UNDEFINED while it is the current stack pointer */
};

#endif
