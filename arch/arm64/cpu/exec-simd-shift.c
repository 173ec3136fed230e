/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm ARM, "Advanced SIMD shift by immediate", integer, vector and scalar.
 * Right shifts are by 1 to the lane's bits, left shifts by 0 to one less. See lanes.h.
 */
#include "lanes.h"

/* In two steps, because C has no shift by the whole width. */
#define EL_SHR(T, d, a, n, qc)  (((a) >> ((n)-1)) >> 1)
#define EL_RSHR(T, d, a, n, qc) (EL_SHR(T, d, a, n, qc) + ((a) >> ((n)-1) & 1))
#define EL_SRA(T, d, a, n, qc)  (WRAP(d) + WRAP(EL_SHR(T, d, a, n, qc)))
#define EL_RSRA(T, d, a, n, qc) (WRAP(d) + WRAP(EL_RSHR(T, d, a, n, qc)))

LANES_IMM(exec_sshr_vec, s, EL_SHR)
LANES_IMM(exec_ushr_vec, u, EL_SHR)
LANES_IMM(exec_srshr_vec, s, EL_RSHR)
LANES_IMM(exec_urshr_vec, u, EL_RSHR)
LANES_IMM(exec_ssra_vec, s, EL_SRA)
LANES_IMM(exec_usra_vec, u, EL_SRA)
LANES_IMM(exec_srsra_vec, s, EL_RSRA)
LANES_IMM(exec_ursra_vec, u, EL_RSRA)

/* Insert: bits of d that a's do not reach stay. */
#define EL_SHL(T, d, a, n, qc) ((T)(a) << (n))
#define EL_SLI(T, d, a, n, qc) ((T)((T)(a) << (n)) | ((d) & (T) ~((T) ~(T)0 << (n))))
#define EL_SRI(T, d, a, n, qc) (EL_SHR(T, d, a, n, qc) | ((d) & (T)~EL_SHR(T, d, (T) ~(T)0, n, qc)))

LANES_IMM(exec_shl_vec, u, EL_SHL)
LANES_IMM(exec_sli_vec, u, EL_SLI)
LANES_IMM(exec_sri_vec, u, EL_SRI)

#define EL_SQSHL_N(T, d, a, n, qc)  sat_shift_signed(a, n, false, BITS_OF(T), qc)
#define EL_UQSHL_N(T, d, a, n, qc)  sat_shift_unsigned(a, n, false, BITS_OF(T), qc)
#define EL_SQSHLU_N(T, d, a, n, qc) sat_shift_signed_to_unsigned(a, n, BITS_OF(T), qc)

LANES_IMM_QC(exec_sqshl_imm, s, EL_SQSHL_N)
LANES_IMM_QC(exec_uqshl_imm, u, EL_UQSHL_N)
LANES_IMM_QC(exec_sqshlu_imm, s, EL_SQSHLU_N)

/* Narrowing: T is the narrow type, a is wide and is shifted first. */
#define EL_SQSHRN(T, d, a, n, qc)   sat_signed(EL_SHR(T, d, a, n, qc), BITS_OF(T), qc)
#define EL_UQSHRN(T, d, a, n, qc)   sat_unsigned(EL_SHR(T, d, a, n, qc), BITS_OF(T), qc)
#define EL_SQSHRUN(T, d, a, n, qc)  sat_signed_to_unsigned(EL_SHR(T, d, a, n, qc), BITS_OF(T), qc)
#define EL_SQRSHRN(T, d, a, n, qc)  sat_signed(EL_RSHR(T, d, a, n, qc), BITS_OF(T), qc)
#define EL_UQRSHRN(T, d, a, n, qc)  sat_unsigned(EL_RSHR(T, d, a, n, qc), BITS_OF(T), qc)
#define EL_SQRSHRUN(T, d, a, n, qc) sat_signed_to_unsigned(EL_RSHR(T, d, a, n, qc), BITS_OF(T), qc)

LANES_NARROW_IMM(exec_shrn_vec, u, EL_SHR)
LANES_NARROW_IMM(exec_rshrn_vec, u, EL_RSHR)
LANES_NARROW_IMM(exec_sqshrn_vec, s, EL_SQSHRN)
LANES_NARROW_IMM(exec_uqshrn_vec, u, EL_UQSHRN)
LANES_NARROW_IMM(exec_sqshrun_vec, s, EL_SQSHRUN)
LANES_NARROW_IMM(exec_sqrshrn_vec, s, EL_SQRSHRN)
LANES_NARROW_IMM(exec_uqrshrn_vec, u, EL_UQRSHRN)
LANES_NARROW_IMM(exec_sqrshrun_vec, s, EL_SQRSHRUN)

/* As a product, which always fits: C does not shift negative numbers to the left. */
#define EL_SHLL_N(T, d, a, n, qc) ((a) * (T)((T)1 << (n)))

LANES_LONG_IMM(exec_sshll_vec, s, EL_SHLL_N)
LANES_LONG_IMM(exec_ushll_vec, u, EL_SHLL_N)
