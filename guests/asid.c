/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Address space numbers: 8 and 16 bits, global and not, TTBR1_EL1's with TCR_EL1.A1, TLBI ASIDE1; more processes than
 * numbers. */
#include "lib/code.h"

#define VA 0x7100000000ul

static u64 *pages[3];
static u64 root;

static void use(u64 asid)
{
	write_sysreg(ttbr0_el1, root | asid << 48);
	isb();
}
static u64 value(void) { return *(volatile u64 *)VA; }
/* Changes the page without TLBI: a TLB may answer with the old one, but only for the ASID that has used it. */
static void map(unsigned page, u64 attrs) { mmu_map(VA, (u64)pages[page], PTE_NORMAL | attrs); }
static void tlbi_all(void) { asm volatile("dsb ish\n tlbi vmalle1is\n dsb ish\n isb" ::: "memory"); }
static void tlbi_asid(u64 asid)
{
	asm volatile("dsb ish\n tlbi aside1is, %0\n dsb ish\n isb" ::"r"(asid << 48) : "memory");
}
static void tlbi_va(u64 asid)
{
	asm volatile("dsb ish\n tlbi vae1is, %0\n dsb ish\n isb" ::"r"(asid << 48 | VA >> 12) : "memory");
}

/* ---- As a kernel does it that has run out of numbers: it flushes everything and begins again ---- */

enum { PROCESSES = 24, SWITCHES = 6000, ASIDS = 255 };
enum { DATA, CODE }; /* pages of a process, at VA */

static struct process {
	u64 root[512], level2[512], level3[512], data[512];
	u32 code[1024];
} processes[PROCESSES] __attribute__((aligned(4096)));
static struct {
	u64 asid, generation, count;
} owns[PROCESSES];
static u64 generation, next_asid;

/* The same everywhere but for what is at VA: data, and code for EL1 and EL0, that know whose they are. */
static void make_process(unsigned n)
{
	struct process *p = &processes[n];

	memcpy(p->root, (void *)root, sizeof(p->root));
	p->root[VA >> 30 & 511] = (u64)p->level2 | PTE_TABLE | PTE_VALID;
	p->level2[VA >> 21 & 511] = (u64)p->level3 | PTE_TABLE | PTE_VALID;
	p->level3[DATA] = (u64)p->data | PTE_NORMAL | PTE_NG | PTE_USER | PTE_UXN | PTE_PXN;
	p->level3[CODE] = (u64)p->code | PTE_NORMAL | PTE_NG | PTE_USER | PTE_RO;
	p->data[0] = n;
	p->data[1] = 0;
	p->code[0] = a64_movz(0, n);
	p->code[1] = A64_RET;
	p->code[16] = a64_movz(0, 1000 + n);
	p->code[17] = 0xd4000001; /* svc #0 */
	owns[n].asid = owns[n].generation = owns[n].count = 0;
}

/* @wide: numbers whose low bytes are those of others. */
static void switch_to(unsigned n, bool renew, bool wide)
{
	if (owns[n].generation != generation || renew) {
		if (next_asid > ASIDS) {
			generation++;
			next_asid = 1;
			asm volatile("tlbi vmalle1\n dsb nsh\n isb" ::: "memory");
		}
		owns[n].generation = generation;
		owns[n].asid = wide ? next_asid << 8 | (next_asid & 3) : next_asid;
		next_asid++;
	}
	write_sysreg(ttbr0_el1, (u64)processes[n].root | owns[n].asid << 48);
	isb();
}

static void rollover(bool wide, u64 tcr)
{
	volatile u64 *data = (u64 *)VA;
	unsigned wrong = 0;
	u32 seed = 7;

	write_sysreg(tcr_el1, wide ? tcr | 1ul << 36 : tcr & ~(1ul << 36));
	isb();
	tlbi_all();
	for (unsigned n = 0; n < PROCESSES; n++)
		make_process(n);
	dsb(ishst);
	icache_sync();
	generation = next_asid = 1;
	for (unsigned i = 0; i < SWITCHES; i++) {
		unsigned n = (seed = seed * 1103515245 + 12345) >> 16 & 31;

		n %= PROCESSES;
		switch_to(n, seed >> 28 < 5, wide);
		wrong += data[0] != n;
		wrong += data[1] != owns[n].count++;
		data[1]++;
		wrong += code_call((void *)(VA + 4096), 0) != n;
		if (i % 4 == 0)
			wrong += el0_call(VA + 4096 + 64, VA + 4096, 0) != 1000 + n;
	}
	use(0);
	write_sysreg(tcr_el1, tcr);
	isb();
	tlbi_all();
	report(!wrong && generation > 5, "%s: %u processes, numbers used again after TLBI VMALLE1, %lu times",
	       wide ? "AS=1" : "AS=0", PROCESSES, generation - 1);
}

void test(void)
{
	u64 tcr;

	mmu_on();
	tcr = read_sysreg(tcr_el1);
	root = read_sysreg(ttbr0_el1);
	for (unsigned k = 0; k < 3; k++) {
		pages[k] = page_alloc();
		*pages[k] = 100 + k;
	}
	report((read_sysreg(id_aa64mmfr0_el1) >> 4 & 0xf) == 2, "16-bit ASIDs are there");

	use(1);
	map(0, PTE_NG);
	tlbi_all();
	report(value() == 100, "ASID 1 sees its page");
	map(1, PTE_NG);
	use(2);
	report(value() == 101, "ASID 2 has no part in ASID 1's translation");
	map(2, PTE_NG);
	use(3);
	report(value() == 102, "nor ASID 3 in that of 2");
	use(2);
	tlbi_asid(2);
	report(value() == 102, "TLBI ASIDE1: ASID 2 walks again");
	use(1);
	tlbi_va(1);
	report(value() == 102, "TLBI VAE1: ASID 1 walks again");

	/* Sixteen bits count when AS=1; only eight when it is 0. */
	write_sysreg(tcr_el1, tcr | 1ul << 36);
	isb();
	tlbi_all();
	map(0, PTE_NG);
	use(0x101);
	report(value() == 100, "ASID 101");
	map(1, PTE_NG);
	use(0x001);
	report(value() == 101, "AS=1: ASID 001 is another one");
	write_sysreg(tcr_el1, tcr & ~(1ul << 36));
	isb();
	tlbi_all();
	use(0x001);
	map(0, PTE_NG);
	report(value() == 100, "AS=0: ASID 1");
	map(1, PTE_NG);
	use(0x101);
	tlbi_asid(0x001);
	report(value() == 101, "AS=0: TLBI of ASID 1 is for 101 too");
	write_sysreg(tcr_el1, tcr);
	isb();
	tlbi_all();

	/* A1. */
	write_sysreg(ttbr1_el1, 5ul << 48);
	write_sysreg(tcr_el1, tcr | 1ul << 22);
	isb();
	tlbi_all();
	map(0, PTE_NG);
	report(value() == 100, "A1=1: the ASID of TTBR1_EL1 is in force");
	map(1, PTE_NG);
	write_sysreg(ttbr1_el1, 6ul << 48);
	isb();
	report(value() == 101, "another ASID there is another address space");
	map(2, PTE_NG);
	tlbi_asid(6);
	report(value() == 102, "TLBI with it");
	write_sysreg(tcr_el1, tcr);
	isb();

	/* Global. */
	tlbi_all();
	use(1);
	map(0, 0);
	report(value() == 100, "a global page");
	map(1, 0);
	mmu_flush(VA);
	use(2);
	report(value() == 101, "TLBI VAAE1 drops it for all");
	map(2, 0);
	tlbi_va(7);
	report(value() == 102, "TLBI VAE1 of any ASID drops a global one");
	use(0);
	rollover(false, tcr);
	rollover(true, tcr);
}
