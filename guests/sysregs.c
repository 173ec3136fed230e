/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System registers: the ID space, who may read and write, what ID registers promise together. */
#include "lib/lib.h"

/* An instruction made at run time, for encodings no assembler knows; x0 in and out. */
static u32 code[2] __attribute__((aligned(64)));
static u64 result;

static void run_code(u64 x)
{
	register u64 x0 asm("x0") = x;

	asm volatile("blr %1" : "+r"(x0) : "r"(code) : "x30", "memory");
	result = x0;
}

#define ENC(op0, op1, crn, crm, op2) \
	((u32)(op0) << 19 | (u32)(op1) << 16 | (u32)(crn) << 12 | (u32)(crm) << 8 | (u32)(op2) << 5)
#define MRS(enc) (0xd5200000u | (enc))
#define MSR(enc) (0xd5000000u | (enc))

static struct fault insn(u32 word, u64 x)
{
	code[0] = word;
	code[1] = 0xd65f03c0; /* ret */
	asm volatile("dc cvau, %0" ::"r"(code) : "memory");
	icache_sync();
	return catch_fault(run_code, x);
}

static bool reads(u32 enc) { return !insn(MRS(enc), 0).taken; }
static bool undefined(struct fault f) { return f.taken && fault_ec(f) == 0 && fault_iss(f) == 0; }

static void id_space(void)
{
	unsigned bad = 0, writable = 0, high = 0;

	for (unsigned crm = 0; crm < 8; crm++)
		for (unsigned op2 = 0; op2 < 8; op2++) {
			bool known = crm == 0 && (op2 == 0 || op2 == 5 || op2 == 6);

			if (crm == 0 && !known)
				continue;
			bad += !reads(ENC(3, 0, 0, crm, op2));
			writable += !undefined(insn(MSR(ENC(3, 0, 0, crm, op2)), 0));
		}
	report(!bad, "every ID encoding, used or reserved, can be read");
	report(!writable, "and writing any is undefined");
	for (unsigned crm = 8; crm < 16; crm++)
		for (unsigned op2 = 0; op2 < 8; op2++)
			high += !undefined(insn(MRS(ENC(3, 0, 0, crm, op2)), 0));
	report(!high, "beyond it reading is undefined");
}

static void read_only(void)
{
	static const struct {
		const char *name;
		u32 enc;
	} rows[] = {
		{ "MPIDR_EL1", ENC(3, 0, 0, 0, 5) },      { "CTR_EL0", ENC(3, 3, 0, 0, 1) },
		{ "DCZID_EL0", ENC(3, 3, 0, 0, 7) },      { "CurrentEL", ENC(3, 0, 4, 2, 2) },
		{ "ISR_EL1", ENC(3, 0, 12, 1, 0) },       { "RVBAR_EL1", ENC(3, 0, 12, 0, 1) },
		{ "CNTVCT_EL0", ENC(3, 3, 14, 0, 2) },    { "CNTPCT_EL0", ENC(3, 3, 14, 0, 1) },
		{ "OSLSR_EL1", ENC(2, 0, 1, 1, 4) },      { "CCSIDR_EL1", ENC(3, 1, 0, 0, 0) },
		{ "ICC_IAR1_EL1", ENC(3, 0, 12, 12, 0) },
	};
	static const struct {
		const char *name;
		u32 enc;
	} write_only[] = {
		{ "OSLAR_EL1", ENC(2, 0, 1, 0, 4) },
		{ "ICC_EOIR1_EL1", ENC(3, 0, 12, 12, 1) },
		{ "ICC_SGI1R_EL1", ENC(3, 0, 12, 11, 5) },
	};

	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
		report(undefined(insn(MSR(rows[k].enc), 0)), "MSR %s is undefined", rows[k].name);
	for (unsigned k = 0; k < ARRAY_SIZE(write_only); k++)
		report(undefined(insn(MRS(write_only[k].enc), 0)), "MRS %s is undefined", write_only[k].name);
}

/* What EL0's access does: 0 undefined, 0x18 trapped, 0x15 allowed. */
static unsigned el0(u32 word)
{
	const u32 words[] = { word };
	u64 va = el0_code(words, 1);

	el0_call(va, 0, 0);
	return el0_fault().taken ? fault_ec(el0_fault()) : 0x15;
}

static void from_el0(void)
{
	/* With every control bit against EL0, then for it. */
	static const struct {
		const char *name;
		u32 word;
		u8 off, on;
	} rows[] = {
		{ "MRS SCTLR_EL1", MRS(ENC(3, 0, 1, 0, 0)), 0, 0 },
		{ "MRS ID_AA64PFR0_EL1", MRS(ENC(3, 0, 0, 4, 0)), 0, 0 },
		{ "MRS TPIDR_EL0", MRS(ENC(3, 3, 13, 0, 2)), 0x15, 0x15 },
		{ "MSR TPIDR_EL0", MSR(ENC(3, 3, 13, 0, 2)), 0x15, 0x15 },
		{ "MRS TPIDRRO_EL0", MRS(ENC(3, 3, 13, 0, 3)), 0x15, 0x15 },
		{ "MSR TPIDRRO_EL0", MSR(ENC(3, 3, 13, 0, 3)), 0, 0 },
		{ "MRS TPIDR_EL1", MRS(ENC(3, 0, 13, 0, 4)), 0, 0 },
		{ "MRS CTR_EL0", MRS(ENC(3, 3, 0, 0, 1)), 0x18, 0x15 },
		{ "MRS DCZID_EL0", MRS(ENC(3, 3, 0, 0, 7)), 0x15, 0x15 },
		{ "MRS DAIF", MRS(ENC(3, 3, 4, 2, 1)), 0x18, 0x15 },
		{ "MRS NZCV", MRS(ENC(3, 3, 4, 2, 0)), 0x15, 0x15 },
		{ "MRS CNTVCT_EL0", MRS(ENC(3, 3, 14, 0, 2)), 0x18, 0x15 },
		{ "MRS CNTPCT_EL0", MRS(ENC(3, 3, 14, 0, 1)), 0x18, 0x15 },
		{ "MRS CNTFRQ_EL0", MRS(ENC(3, 3, 14, 0, 0)), 0x18, 0x15 },
		{ "MSR CNTFRQ_EL0", MSR(ENC(3, 3, 14, 0, 0)), 0, 0 },
		{ "MRS CNTV_CTL_EL0", MRS(ENC(3, 3, 14, 3, 1)), 0x18, 0x15 },
		{ "MRS CNTP_CVAL_EL0", MRS(ENC(3, 3, 14, 2, 2)), 0x18, 0x15 },
		{ "MRS CNTKCTL_EL1", MRS(ENC(3, 0, 14, 1, 0)), 0, 0 },
		{ "MRS MDSCR_EL1", MRS(ENC(2, 0, 0, 2, 2)), 0, 0 },
		{ "MRS DBGBVR0_EL1", MRS(ENC(2, 0, 0, 0, 4)), 0, 0 },
		{ "MRS ICC_IAR1_EL1", MRS(ENC(3, 0, 12, 12, 0)), 0, 0 },
		{ "MSR SPSel, #1", 0xd50041bf, 0, 0 },
		{ "MSR PAN, #1", 0xd500419f, 0, 0 },
		{ "DC CVAU", 0xd50b7b20, 0x18, 0x24 }, /* of address 0: goes on to a fault */
		{ "DC IVAC", 0xd5087620, 0, 0 },
		{ "IC IALLU", 0xd508751f, 0, 0 },
		{ "TLBI VMALLE1", 0xd508871f, 0, 0 },
		{ "AT S1E1R", 0xd5087800, 0, 0 },
	};
	u64 sctlr = read_sysreg(sctlr_el1);
	/* UMA DZE UCT nTWI nTWE UCI */
	u64 controls = 1ul << 9 | 1ul << 14 | 1ul << 15 | 1ul << 16 | 1ul << 18 | 1ul << 26;

	for (unsigned on = 0; on < 2; on++) {
		write_sysreg(sctlr_el1, on ? sctlr | controls : sctlr & ~controls);
		write_sysreg(cntkctl_el1, on ? 0x303 : 0);
		isb();
		for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
			unsigned want = on ? rows[k].on : rows[k].off, got = el0(rows[k].word);

			if (k == 1 && (read_sysreg(id_aa64mmfr2_el1) >> 36 & 0xf)) /* FEAT_IDST */
				want = 0x18;
			/* With LoUU=0 there is nothing to clean, and nothing need be translated for it. */
			if (want == 0x24 && got == 0x15 && !(read_sysreg(clidr_el1) >> 27 & 7))
				want = got;
			if (got != want)
				print("# class %x, not %x\n", got, want);
			report(got == want, "EL0 %s with controls %s", rows[k].name, on ? "on" : "off");
		}
	}
	write_sysreg(sctlr_el1, sctlr);
	isb();
	el0(MRS(ENC(3, 3, 0, 0, 1))); /* mrs x0, ctr_el0; UCT is off again */
	report(fault_iss(el0_fault()) == (3u << 20 | 1u << 17 | 3u << 14 | 0u << 10 | 0u << 5 | 0u << 1 | 1u),
	       "the syndrome of a trapped MRS spells the access (%x)", fault_iss(el0_fault()));
}

static unsigned field(u64 r, unsigned shift) { return r >> shift & 0xf; }

static void consistent(void)
{
	u64 pfr0 = read_sysreg(id_aa64pfr0_el1), isar0 = read_sysreg(id_aa64isar0_el1), ctr = read_sysreg(ctr_el0);
	u64 mmfr0 = read_sysreg(id_aa64mmfr0_el1), dfr0 = read_sysreg(id_aa64dfr0_el1),
	    clidr = read_sysreg(clidr_el1);
	unsigned types = 0, ccsidr_bad = 0, line;

	report(field(pfr0, 16) == field(pfr0, 20), "FP and AdvSIMD are the same");
	report(field(pfr0, 0) && field(pfr0, 4), "EL0 and EL1 exist");
	if (gic_is_v2())
		report_skip("the GIC's CPU interface has system registers", "GICv2");
	else
		report((read_icc(ICC_SRE_EL1) & 1) == 1, "the GIC's CPU interface has system registers");
	report(read_sysreg(currentel) == 4, "we run at EL1");
	report(field(isar0, 12) != 2 || field(isar0, 8), "SHA512 only with SHA1 and SHA256");
	report(!field(isar0, 32) || field(isar0, 12) == 2, "SHA3 only with SHA512");
	report(field(mmfr0, 0) <= 6, "PARange is a known value");
	report(field(mmfr0, 28) == 0 || field(mmfr0, 28) == 1 || field(mmfr0, 20) || field(mmfr0, 24) != 0xf,
	       "a granule exists");
	report(field(dfr0, 0) >= 6, "debug architecture Armv8");
	report(ctr >> 31 & 1, "CTR_EL0 bit 31 is RES1");
	report((ctr & 0xf) && (ctr >> 16 & 0xf), "CTR_EL0 names line sizes");
	for (unsigned l = 0; l < 7; l++) {
		unsigned type = clidr >> 3 * l & 7;

		if (!type)
			break;
		types++;
		for (unsigned i = 0; i < 2; i++) {
			if (i ? !(type & 1) : type == 1)
				continue;
			write_sysreg(csselr_el1, l << 1 | i);
			isb();
			/* log2(bytes) - 4 against log2(words) of the shortest line of any data cache. */
			line = (read_sysreg(ccsidr_el1) & 7) + 4;
			ccsidr_bad += !i && line < (ctr >> 16 & 0xf) + 2;
		}
	}
	report(types && (clidr >> 24 & 7) <= types, "CLIDR_EL1: LoC is a level that exists");
	report(!ccsidr_bad,
	       "no data cache of CLIDR_EL1 has lines in CCSIDR_EL1 shorter than the shortest of CTR_EL0");
	report(!(ctr >> 28 & 1) || !(clidr >> 21 & 7), "IDC=1 with LoUIS=0");
	report((read_sysreg(mpidr_el1) >> 31 & 1) && !(read_sysreg(mpidr_el1) >> 30 & 1),
	       "MPIDR_EL1: RES1, not a uniprocessor");
}

static void res0(void)
{
	/* RES0 bits of a register may keep what is written (Arm ARM, Glossary); others have no such choice. */
	u64 base = read_sysreg(vbar_el1);

	write_sysreg(vbar_el1, base | 0x7ff);
	report((read_sysreg(vbar_el1) & ~0x7fful) == base, "VBAR_EL1 keeps its base when bits 10:0 are written");
	write_sysreg(contextidr_el1, ~0ul);
	report((u32)read_sysreg(contextidr_el1) == 0xffffffff, "CONTEXTIDR_EL1 has 32 bits");
	write_sysreg(contextidr_el1, 0);
	write_sysreg(tpidr_el1, 0x123456789abcdef0);
	report(read_sysreg(tpidr_el1) == 0x123456789abcdef0, "TPIDR_EL1 has 64");
	write_sysreg(fpcr, ~0ul);
	report((read_sysreg(fpcr) & 0x07c00000) == 0x07c00000 && !(read_sysreg(fpcr) >> 32), "FPCR: AHP DN FZ RMode");
	write_sysreg(fpcr, 0);
	write_sysreg(fpsr, ~0ul);
	report(read_sysreg(fpsr) >> 27 & 1 && (read_sysreg(fpsr) & 0x9f) == 0x9f && !(read_sysreg(fpsr) & 0x07ffff60),
	       "FPSR: QC and six flags");
	write_sysreg(fpsr, 0);
}

void test(void)
{
	u64 vbar = read_sysreg(vbar_el1);

	id_space();
	read_only();
	consistent();
	res0();
	write_sysreg(vbar_el1, vbar);
	mmu_on();
	from_el0();
}
