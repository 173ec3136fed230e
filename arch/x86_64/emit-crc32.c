/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CRC32C is an x86 instruction. CRC32 has the other polynomial and is made of two
 * carry-less multiplications, exactly: with bit 0 as the highest power, as both
 * architectures have it, and P = x^32 + ... + 1 (33 bits, bit 0 set),
 *
 *   v = accumulator ^ data, the low n bits of it (n = 8, 16, 32, 64)
 *   q = v / P mod x^n, so that the low n bits of v ^ q P are 0
 *   result = (accumulator ^ data ^ q P) >> n
 */
#include "emit.h"
#include "host.h"

#define POLYNOMIAL UINT64_C(0x1db710641)
#define INVERSE    UINT64_C(0xb4e5b025f7011641) /* of it, mod x^64 */

enum { XMM0, XMM1, XMM2 };

#define VMULTIPLY VEX(1, 3, 0, 0x44)
#define VXOR      VEX(1, 1, 0, 0xef)
#define VPEXTRD   VEX(1, 3, 0, 0x16)

static bool crc32c(struct jit *j, const struct insn *i, unsigned bytes)
{
	int d = reg_def(i->rd, RAX);

	if (d == reg_pinned(i->rm))
		d = RAX;
	reg_get(j, false, d, i->rn);
	x86_crc32(&j->a, bytes, d, reg_rm(i->rm));
	reg_done(j, i->rd, d);
	return true;
}

/* xmm = its low 64 bits times @k. */
static void multiply(struct jit *j, int xmm, uint64_t k)
{
	x86_mov_imm(&j->a, RAX, k);
	x86_vmovq(&j->a, XMM1, x86_r(RAX));
	x86_vex_imm(&j->a, VMULTIPLY, xmm, xmm, x86_r(XMM1), 0);
}

/*
 * q is shifted up to the end of 64 bits: that drops what is above its n bits, and puts the result
 * where it is for n = 64, in bits 95:64 of the product. What v has above n bits is the rest of the
 * accumulator, as only that counts there.
 */
static bool crc32(struct jit *j, const struct insn *i, unsigned n)
{
	struct x86 *a = &j->a;
	int d = reg_def(i->rd, RAX);

	if (!host_has(HOST_PCLMUL))
		return false;
	x86_vmovd(a, XMM0, reg_rm(i->rn));
	x86_vmovq(a, XMM1, reg_rm(i->rm));
	if (n < 32)
		x86_vex_imm(a, VEX(1, 1, 0, 0x72), 2, XMM2, x86_r(XMM0), n); /* vpsrld */
	x86_vex(a, VXOR, XMM0, XMM0, x86_r(XMM1));
	multiply(j, XMM0, INVERSE);
	if (n < 64)
		x86_vex_imm(a, VEX(1, 1, 0, 0x73), 6, XMM0, x86_r(XMM0), 64 - n); /* vpsllq */
	multiply(j, XMM0, POLYNOMIAL);
	if (n < 32) {
		x86_vex_imm(a, VEX(1, 1, 0, 0x73), 3, XMM0, x86_r(XMM0), 8); /* vpsrldq */
		x86_vex(a, VXOR, XMM0, XMM0, x86_r(XMM2));
		x86_vmovd_store(a, x86_r(d), XMM0);
	} else {
		x86_vex2_imm(a, VPEXTRD, XMM0, x86_r(d), 2);
	}
	reg_done(j, i->rd, d);
	return true;
}

bool emit_crc32b(struct jit *j, const struct insn *i) { return crc32(j, i, 8); }
bool emit_crc32h(struct jit *j, const struct insn *i) { return crc32(j, i, 16); }
bool emit_crc32w(struct jit *j, const struct insn *i) { return crc32(j, i, 32); }
bool emit_crc32x(struct jit *j, const struct insn *i) { return crc32(j, i, 64); }
bool emit_crc32cb(struct jit *j, const struct insn *i) { return crc32c(j, i, 1); }
bool emit_crc32ch(struct jit *j, const struct insn *i) { return crc32c(j, i, 2); }
bool emit_crc32cw(struct jit *j, const struct insn *i) { return crc32c(j, i, 4); }
bool emit_crc32cx(struct jit *j, const struct insn *i) { return crc32c(j, i, 8); }
