/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All 128 hints: NOPs but for the few that wait, and nothing changes a register. Barriers, SB, CLREX, PRFM beside
 * them. */
#include "lib/lib.h"

static u32 code[2] __attribute__((aligned(64)));

static void run_code(u64 x)
{
	(void)x;
	asm volatile("blr %0" ::"r"(code) : "x30", "memory", "cc");
}

static bool runs(u32 word)
{
	code[0] = word;
	code[1] = 0xd65f03c0;
	asm volatile("dc cvau, %0" ::"r"(code) : "memory");
	icache_sync();
	return !catch_fault(run_code, 0).taken;
}

void test(void)
{
	unsigned bad = 0;

	asm volatile("sevl");
	for (u32 n = 0; n < 128; n++) {
		if (n == 3) /* WFI: nothing would wake us */
			continue;
		/* PAC on LR could change where RET goes, if keys were on: they are off (SCTLR_EL1.EnIx). */
		if (!runs(0xd503201f | n << 5)) {
			print("# hint %u\n", n);
			bad++;
		}
	}
	report(!bad, "hints 0 to 127 but WFI execute");
	bad = 0;
	for (u32 crm = 0; crm < 16; crm++)
		bad += !runs(0xd503309f | crm << 8) + !runs(0xd50330bf | crm << 8) + !runs(0xd503305f | crm << 8);
	report(bad <= 2, "DSB, DMB, CLREX with any option (%u of 48 refused; DSB 0 and 4 are SSBB, PSSBB)", bad);
	report(runs(0xd5033fdf), "ISB");
	if (read_sysreg(id_aa64isar1_el1) >> 36 & 0xf)
		report(runs(0xd50330ff), "SB");
	else
		report(!runs(0xd50330ff), "SB is undefined without FEAT_SB");
	report(runs(0xf9800000) && runs(0xf8a06800), "PRFM of an address nobody has");
	report(!runs(0x00000000) && !runs(0x0000ffff), "UDF");
}
