/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An interrupt reaches a CPU in any loop, however tight, and the loop goes on behind it as if nothing had been. */
#include "lib/code.h"

enum { TIMES = 20, SGI = 5 };
#define VA 0x7100000000ul /* two pages */

static u32 *pages[2];
static u64 targets[2] = { VA, VA + 4096 };
static volatile u64 seen, ready, leave, wrong_elr, wrong_registers;
static volatile u64 counted;
static unsigned words; /* of the loop in each page */

/* Every loop keeps its return address in x11; x8 is nobody's. */
static void on_irq(struct regs *r)
{
	unsigned intid = gic_ack();

	if (intid == SGI) {
		wrong_elr += r->elr - VA >= 4 * words && r->elr - (VA + 4096) >= 4 * words;
		wrong_registers += r->x[8] != 0x1234;
		if (leave) {
			r->elr = r->x[11];
			irq_disable();
			r->spsr |= 1 << 7;
		}
		seen++;
	}
	if (intid < 1020)
		gic_eoi(intid);
}

static void run_loop(u64 arg)
{
	(void)arg;
	gic_init_cpu();
	gic_enable(SGI);
	ready = 1;
	/* What it returns to finds interrupts masked again. */
	asm volatile("mov x10, %2\n mov x0, %0\n mov x1, %1\n mov x8, #0x1234\n adr x11, 1f\n"
		     "msr daifclr, #2\n br x10\n 1:"
		     :
		     : "r"(targets), "r"(&counted), "r"(VA)
		     : "x0", "x1", "x2", "x3", "x8", "x9", "x10", "x11", "x30", "cc", "memory");
}

static bool reaches(volatile u64 *p, u64 value)
{
	u64 end = read_sysreg(cntvct_el0) + 10 * read_sysreg(cntfrq_el0);

	while (*p < value) {
		if (read_sysreg(cntvct_el0) > end)
			return false;
		asm volatile("sevl\n wfe\n wfe" ::: "memory");
	}
	return true;
}

static void try_loop(const char *name, const u32 *low, const u32 *high, unsigned count)
{
	bool lost = false;

	words = count;
	memcpy(pages[0], low, count * 4);
	memcpy(pages[1], high, count * 4);
	icache_sync();
	seen = ready = leave = wrong_elr = wrong_registers = 0;
	cpu_start(1, run_loop, 0);
	lost = !reaches(&ready, 1);
	for (u64 n = 1; n <= TIMES && !lost; n++) {
		leave = n == TIMES;
		gic_sgi(SGI, 1);
		lost = !reaches(&seen, n);
	}
	if (!report(!lost, "%s: %u interrupts are taken", name, TIMES))
		finish(); /* the other CPU is lost */
	cpu_wait_off(1);
	if (wrong_elr || wrong_registers)
		report(false, "%s: ELR and registers are those of the loop", name);
}

#define NOWHERE                        \
	{                              \
		0, 0, 0, 0, 0, 0, 0, 0 \
	}
static const struct {
	const char *name;
	u32 low[8], high[8];
} loops[] = {
	{ "B to itself", { 0x14000000 }, NOWHERE },
	{ "CBZ XZR to itself", { 0xb400001f }, NOWHERE },
	{ "TBZ XZR to itself", { 0x3600001f }, NOWHERE },
	{ "NOP and B", { A64_NOP, 0x17ffffff }, NOWHERE },
	{ "YIELD and B", { 0xd503203f, 0x17ffffff }, NOWHERE },
	{ "WFE and B", { 0xd503205f, 0x17ffffff }, NOWHERE },
	{ "WFI and B", { 0xd503207f, 0x17ffffff }, NOWHERE },
	{ "ISB and B", { 0xd5033fdf, 0x17ffffff }, NOWHERE },
	/* cbz xzr, +2; nop; cmp x0, x0; b.eq +2; nop; tbz xzr, +1; b back */
	{ "branches ahead and one back",
	  { 0xb400005f, A64_NOP, 0xeb00001f, 0x54000040, A64_NOP, 0x3600003f, 0x17fffffa },
	  NOWHERE },
	/* ldr x2, [x1]; add x2, x2, #1; str x2, [x1]; b back */
	{ "a loop with a load and a store", { 0xf9400022, 0x91000442, 0xf9000022, 0x17fffffd }, NOWHERE },
	/* subs x2, x2, #1; b.ne back; b back */
	{ "a countdown", { 0xf1000442, 0x54ffffe1, 0x17fffffe }, NOWHERE },
	/* bl +2; b back; ret */
	{ "BL and RET", { 0x94000002, 0x17ffffff, A64_RET }, NOWHERE },
	/* ldr x9, [x0, #8]; br x9 and ldr x9, [x0]; br x9 */
	{ "BR between two pages", { 0xf9400409, 0xd61f0120 }, { 0xf9400009, 0xd61f0120 } },
	{ "B between two pages", { 0x14000400 }, { 0x17fffc00 } },
	/* ldr x9, [x0, #8]; blr x9; b back and ret */
	{ "BLR to another page and RET", { 0xf9400409, 0xd63f0120, 0x17fffffe }, { A64_RET } },
};

void test(void)
{
	mmu_on();
	if (cpu_count() < 2) {
		report_skip("an interrupt for another CPU", "one vCPU");
		return;
	}
	for (unsigned k = 0; k < 2; k++) {
		pages[k] = page_alloc();
		(void)page_alloc();
		mmu_map(targets[k], (u64)pages[k], PTE_NORMAL);
		mmu_flush(targets[k]);
	}
	gic_init();
	irq_handler = on_irq;
	for (unsigned n = 0; n < ARRAY_SIZE(loops); n++)
		try_loop(loops[n].name, loops[n].low, loops[n].high, ARRAY_SIZE(loops[n].low));
}
