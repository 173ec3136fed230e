/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pointer authentication: keys, modifiers, what a wrong one does, XPAC, off means NOP. Built for any algorithm. */
#include "lib/lib.h"

#define EN_IA (1ul << 31)
#define EN_IB (1ul << 30)
#define EN_DA (1ul << 27)
#define EN_DB (1ul << 13)

#define OP2(name, insn)                                                              \
	static u64 name(u64 p, u64 m)                                                \
	{                                                                            \
		asm volatile(".arch armv8.3-a\n" insn " %0, %1" : "+r"(p) : "r"(m)); \
		return p;                                                            \
	}
OP2(pacia, "pacia")
OP2(pacib, "pacib")
OP2(pacda, "pacda")
OP2(pacdb, "pacdb")
OP2(autia, "autia")
OP2(autib, "autib")
OP2(autda, "autda")
OP2(autdb, "autdb")

static u64 xpaci(u64 p)
{
	asm volatile(".arch armv8.3-a\n xpaci %0" : "+r"(p));
	return p;
}
static u64 xpacd(u64 p)
{
	asm volatile(".arch armv8.3-a\n xpacd %0" : "+r"(p));
	return p;
}
static u64 pacga(u64 a, u64 b)
{
	u64 r;

	asm volatile(".arch armv8.3-a\n pacga %0, %1, %2" : "=r"(r) : "r"(a), "r"(b));
	return r;
}

static void undefined(u64 a) { pacia(a, 0); }
static void deref(u64 a) { (void)*(volatile u64 *)autda(a, 99); }
static void braa(u64 a)
{
	asm volatile(".arch armv8.3-a\n mov x9, x30\n blraa %0, %1\n mov x30, x9" ::"r"(a), "r"(5ul) : "x9");
}
static void leaf(void) {}

static u64 data = 42;

/* A changed pointer does not come back as the one it was: it cannot be used or, with FEAT_FPAC, faults at once. */
static u64 (*aut)(u64, u64), modifier, authenticated;
static void authenticate(u64 p) { authenticated = aut(p, modifier); }
static bool passes(u64 (*with)(u64, u64), u64 changed, u64 m, u64 p)
{
	struct fault f;

	aut = with;
	modifier = m;
	f = catch_fault(authenticate, changed);
	return f.taken ? fault_ec(f) != 0x1c : authenticated == p;
}

void test(void)
{
	static const struct {
		const char *name;
		u64 (*pac)(u64, u64), (*aut)(u64, u64), (*xpac)(u64);
		u64 enable;
	} keys[] = {
		{ "IA", pacia, autia, xpaci, EN_IA },
		{ "IB", pacib, autib, xpaci, EN_IB },
		{ "DA", pacda, autda, xpacd, EN_DA },
		{ "DB", pacdb, autdb, xpacd, EN_DB },
	};
	u64 isar1 = read_sysreg(id_aa64isar1_el1), all = EN_IA | EN_IB | EN_DA | EN_DB, p = (u64)&data, signed_p[4];
	struct fault f;

	if (!(isar1 >> 4 & 0xff)) {
		/* Of a processor that has it a hypervisor can trap only what is enabled (HCR_EL2.API). */
		write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | EN_IA);
		isb();
		f = catch_fault(undefined, 0);
		report(f.taken && fault_ec(f) == 0, "not in ID_AA64ISAR1_EL1: PACIA is undefined");
		return;
	}
	report(!(isar1 >> 4 & 0xf) != !(isar1 >> 8 & 0xf), "one algorithm for addresses");
	report(!(isar1 >> 24 & 0xf) != !(isar1 >> 28 & 0xf), "one for PACGA");
	mmu_on();
	write_sysreg(S3_0_C2_C1_0, 0x1111222233334444);
	write_sysreg(S3_0_C2_C1_1, 0x5555666677778888);
	write_sysreg(S3_0_C2_C1_2, 0x9999aaaabbbbcccc);
	write_sysreg(S3_0_C2_C1_3, 0xddddeeeeffff0000);
	write_sysreg(S3_0_C2_C2_0, 0x0123456789abcdef);
	write_sysreg(S3_0_C2_C2_1, 0xfedcba9876543210);
	write_sysreg(S3_0_C2_C2_2, 0x0f1e2d3c4b5a6978);
	write_sysreg(S3_0_C2_C2_3, 0x8796a5b4c3d2e1f0);
	write_sysreg(S3_0_C2_C3_0, 0x1);
	write_sysreg(S3_0_C2_C3_1, 0x2);
	report(read_sysreg(S3_0_C2_C1_0) == 0x1111222233334444 && read_sysreg(S3_0_C2_C3_1) == 2, "keys can be read");
	for (unsigned k = 0; k < 4; k++) {
		unsigned differ = 0, bad = 0;

		write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~all);
		isb();
		report(keys[k].pac(p, 7) == p && keys[k].aut(p | 1ul << 50, 7) == (p | 1ul << 50),
		       "key %s off: PAC and AUT change nothing", keys[k].name);
		write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | keys[k].enable);
		isb();
		for (u64 m = 0; m < 64; m++) {
			u64 s = keys[k].pac(p, m);

			differ += s != p;
			bad += keys[k].aut(s, m) != p || keys[k].xpac(s) != p ||
			       (s & 0x7fffffffff) != (p & 0x7fffffffff);
			bad += passes(keys[k].aut, s ^ 1ul << 45, m, p);
		}
		report(!bad, "key %s: AUT and XPAC undo PAC, a changed PAC does not pass", keys[k].name);
		report(differ > 60, "key %s: nearly every modifier signs (%u)", keys[k].name, differ);
		signed_p[k] = keys[k].pac(p, 7);
	}
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) | all);
	isb();
	report(signed_p[0] != signed_p[1] || signed_p[2] != signed_p[3], "keys differ");
	f = catch_fault(deref, pacda(p, 98));
	report(f.taken && (fault_ec(f) == 0x25 || fault_ec(f) == 0x1c),
	       "a wrong modifier: the pointer cannot be used");
	report(!catch_fault(deref, pacda(p, 99)).taken, "the right one: it can");
	report(!catch_fault(braa, pacia((u64)leaf, 5)).taken, "BLRAA with the right one");
	f = catch_fault(braa, pacia((u64)leaf, 6));
	report(f.taken && (fault_ec(f) == 0x21 || fault_ec(f) == 0x1c), "with a wrong one");
	report(!(pacga(1, 2) & 0xffffffff) && pacga(1, 2) == pacga(1, 2) && pacga(1, 2) != pacga(1, 3) &&
		       pacga(1, 2) != pacga(2, 2),
	       "PACGA: upper half only, of both operands");
	p = pacga(1, 2);
	write_sysreg(S3_0_C2_C3_0, 0x10001);
	isb();
	report(pacga(1, 2) != p, "and of its key");
	write_sysreg(sctlr_el1, read_sysreg(sctlr_el1) & ~all);
	isb();
}
