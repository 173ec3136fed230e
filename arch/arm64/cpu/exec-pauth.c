/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arm ARM, "Pointer authentication" (FEAT_PAuth, without FEAT_EPAC, FEAT_PAuth2
 * and FEAT_FPAC): the PAC sits in the unused top bits of a pointer, bit 55 keeps
 * telling the address range, a failed check leaves a pointer that faults.
 *
 * The algorithm is implementation defined: a keyed hash of two multiplications,
 * because QARMA would cost more than the code it protects. It is a mixing
 * function, no cipher. It must never change: a VM carries signed pointers along
 * when it moves.
 *
 * Without the feature the hints among these are NOPs, and the other rows do not exist.
 */
#include "cpu.h"

static uint64_t rotate(uint64_t v, unsigned n) { return v << n | v >> (64 - n); }

static uint64_t hash(const struct cpu *c, unsigned key_lo, uint64_t ptr, uint64_t modifier)
{
	uint64_t a = (ptr ^ c->sys[key_lo]) * UINT64_C(0x9e3779b97f4a7c15);
	uint64_t b = (rotate(a, 32) ^ rotate(modifier, 17) ^ c->sys[key_lo + 1]) * UINT64_C(0xd6e8feb86659fd93);

	return b ^ b >> 29;
}

/* HI follows LO in regs.def; the enable is a bit of SCTLR_EL1. */
static const struct {
	uint16_t lo;
	uint8_t enable;
	bool data, b;
} keys[] = {
	[KEY_IA] = { SYS_APIAKEYLO_EL1, 31, false, false },
	[KEY_IB] = { SYS_APIBKEYLO_EL1, 30, false, true },
	[KEY_DA] = { SYS_APDAKEYLO_EL1, 27, true, false },
	[KEY_DB] = { SYS_APDBKEYLO_EL1, 13, true, true },
};
_Static_assert(SYS_APIAKEYHI_EL1 == SYS_APIAKEYLO_EL1 + 1 && SYS_APIBKEYHI_EL1 == SYS_APIBKEYLO_EL1 + 1 &&
		       SYS_APDAKEYHI_EL1 == SYS_APDAKEYLO_EL1 + 1 && SYS_APDBKEYHI_EL1 == SYS_APDBKEYLO_EL1 + 1 &&
		       SYS_APGAKEYHI_EL1 == SYS_APGAKEYLO_EL1 + 1,
	       "hash() takes the two halves of a key from neighbours");

static bool enabled(const struct cpu *c, enum pauth_key key) { return bit(c->sys[SYS_SCTLR_EL1], keys[key].enable); }

static uint64_t field(unsigned hi, unsigned lo) { return ~UINT64_C(0) >> (63 - hi) & ~UINT64_C(0) << lo; }

/* @ptr with all bits of [top:bottom] equal to @upper. */
static uint64_t extend(uint64_t ptr, unsigned top, unsigned bottom, unsigned upper)
{
	uint64_t f = field(top, bottom);

	return (ptr & ~f) | (upper ? f : 0);
}

/* Arm ARM, AddPAC. */
static uint64_t add_pac(const struct cpu *c, uint64_t ptr, uint64_t modifier, enum pauth_key key)
{
	bool data = keys[key].data, tbi = cpu_tag_ignored(c, (unsigned)bit(ptr, 55), data);
	bool any_tbi = cpu_tag_ignored(c, 0, data) || cpu_tag_ignored(c, 1, data);
	unsigned upper = (unsigned)bit(ptr, any_tbi ? 55 : 63);
	unsigned bottom = cpu_va_bits(c, upper), top = tbi ? 55 : 63;
	uint64_t f = field(top, bottom), pac;

	if (!enabled(c, key))
		return ptr;
	pac = hash(c, keys[key].lo, extend(ptr, top, bottom, upper), modifier);
	if ((ptr & f) && (ptr & f) != f) /* was no valid address: make sure that it never becomes one */
		pac ^= UINT64_C(1) << (top - 1);
	f &= ~(UINT64_C(1) << 55);
	return (ptr & ~(f | UINT64_C(1) << 55)) | (uint64_t)upper << 55 | (pac & f);
}

/* Arm ARM, Strip. */
static uint64_t strip(const struct cpu *c, uint64_t ptr, bool data)
{
	unsigned upper = (unsigned)bit(ptr, 55);

	return extend(ptr, cpu_tag_ignored(c, upper, data) ? 55 : 63, cpu_va_bits(c, upper), upper);
}

/* Arm ARM, Auth. The error code says which key it was: 01 for A, 10 for B. */
uint64_t pauth_auth(const struct cpu *c, uint64_t ptr, uint64_t modifier, enum pauth_key key)
{
	bool data = keys[key].data;
	unsigned upper = (unsigned)bit(ptr, 55), at = cpu_tag_ignored(c, upper, data) ? 53 : 61;
	uint64_t original = strip(c, ptr, data),
		 f = field(at == 53 ? 54 : 63, cpu_va_bits(c, upper)) & ~(UINT64_C(1) << 55);

	if (!enabled(c, key))
		return ptr;
	if (!((hash(c, keys[key].lo, original, modifier) ^ ptr) & f))
		return original;
	return (original & ~(UINT64_C(3) << at)) | (uint64_t)(keys[key].b ? 2 : 1) << at;
}

/* ---- Data processing: Rd is read and written; 31 as Rn is SP ---- */

#define ON_RD(name, function, key, modifier)                           \
	enum exec name(struct cpu *c, const struct insn *i)            \
	{                                                              \
		c->x[i->rd] = function(c, c->x[i->rd], modifier, key); \
		return EXEC_NEXT;                                      \
	}

ON_RD(exec_pacia, add_pac, KEY_IA, c->x[i->rn])
ON_RD(exec_pacib, add_pac, KEY_IB, c->x[i->rn])
ON_RD(exec_pacda, add_pac, KEY_DA, c->x[i->rn])
ON_RD(exec_pacdb, add_pac, KEY_DB, c->x[i->rn])
ON_RD(exec_autia, pauth_auth, KEY_IA, c->x[i->rn])
ON_RD(exec_autib, pauth_auth, KEY_IB, c->x[i->rn])
ON_RD(exec_autda, pauth_auth, KEY_DA, c->x[i->rn])
ON_RD(exec_autdb, pauth_auth, KEY_DB, c->x[i->rn])
ON_RD(exec_paciza, add_pac, KEY_IA, 0)
ON_RD(exec_pacizb, add_pac, KEY_IB, 0)
ON_RD(exec_pacdza, add_pac, KEY_DA, 0)
ON_RD(exec_pacdzb, add_pac, KEY_DB, 0)
ON_RD(exec_autiza, pauth_auth, KEY_IA, 0)
ON_RD(exec_autizb, pauth_auth, KEY_IB, 0)
ON_RD(exec_autdza, pauth_auth, KEY_DA, 0)
ON_RD(exec_autdzb, pauth_auth, KEY_DB, 0)

enum exec exec_xpaci(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = strip(c, c->x[i->rd], false);
	return EXEC_NEXT;
}

enum exec exec_xpacd(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = strip(c, c->x[i->rd], true);
	return EXEC_NEXT;
}

enum exec exec_pacga(struct cpu *c, const struct insn *i)
{
	c->x[i->rd] = hash(c, SYS_APGAKEYLO_EL1, c->x[i->rn], c->x[i->rm]) & ~UINT64_C(0xffffffff);
	return EXEC_NEXT;
}

/* ---- Hints ---- */

#define HINT(name, reg, value)                              \
	enum exec name(struct cpu *c, const struct insn *i) \
	{                                                   \
		(void)i;                                    \
		if (soc_has(c->soc, FEAT_PAUTH))            \
			c->x[reg] = (value);                \
		return EXEC_NEXT;                           \
	}

HINT(exec_xpaclri, 30, strip(c, c->x[30], false))
HINT(exec_pacia1716, 17, add_pac(c, c->x[17], c->x[16], KEY_IA))
HINT(exec_pacib1716, 17, add_pac(c, c->x[17], c->x[16], KEY_IB))
HINT(exec_autia1716, 17, pauth_auth(c, c->x[17], c->x[16], KEY_IA))
HINT(exec_autib1716, 17, pauth_auth(c, c->x[17], c->x[16], KEY_IB))
HINT(exec_paciaz, 30, add_pac(c, c->x[30], 0, KEY_IA))
HINT(exec_pacibz, 30, add_pac(c, c->x[30], 0, KEY_IB))
HINT(exec_paciasp, 30, add_pac(c, c->x[30], c->x[SLOT_SP], KEY_IA))
HINT(exec_pacibsp, 30, add_pac(c, c->x[30], c->x[SLOT_SP], KEY_IB))
HINT(exec_autiaz, 30, pauth_auth(c, c->x[30], 0, KEY_IA))
HINT(exec_autibz, 30, pauth_auth(c, c->x[30], 0, KEY_IB))
HINT(exec_autiasp, 30, pauth_auth(c, c->x[30], c->x[SLOT_SP], KEY_IA))
HINT(exec_autibsp, 30, pauth_auth(c, c->x[30], c->x[SLOT_SP], KEY_IB))
