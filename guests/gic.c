/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GICv3: priorities, preemption, both EOI modes, active state, levels and edges, SGI routing, hostile accesses. */
#include "lib/lib.h"

#define D     BOARD_GICD_BASE
#define SPI_A 64
#define SPI_B 65

static volatile unsigned order[16], count;
static unsigned nest_on; /* INTID whose handler unmasks and makes the other one pending */

static void pend(unsigned intid)
{
	u64 base = intid < 32 ? gic_redist(cpu_id()) + 0x10000 : D;

	write32(base + 0x200 + intid / 32 * 4, 1u << intid % 32);
	(void)read32(D + 8);
}

static bool bit_of(u64 reg, unsigned intid)
{
	u64 base = intid < 32 ? gic_redist(cpu_id()) + 0x10000 : D;

	return read32(base + reg + intid / 32 * 4) >> intid % 32 & 1;
}
#define is_pending(i) bit_of(0x200, i)
#define is_active(i)  bit_of(0x300, i)

static unsigned ack(void)
{
	unsigned i = (unsigned)read_icc(ICC_IAR1_EL1);

	dsb(sy);
	return i;
}

static void eoi(unsigned i)
{
	write_icc(ICC_EOIR1_EL1, i);
	isb();
}

static void handler(struct regs *r)
{
	u64 elr = r->elr, spsr = r->spsr;
	unsigned i = ack();

	if (count < ARRAY_SIZE(order))
		order[count++] = i;
	if (i == nest_on) {
		nest_on = 0;
		pend(i == SPI_A ? SPI_B : SPI_A);
		irq_enable();
		isb();
		irq_disable();
		if (count < ARRAY_SIZE(order))
			order[count++] = i | 0x8000; /* back in the outer one */
	}
	if (i < 1020)
		eoi(i);
	write_sysreg(elr_el1, elr);
	write_sysreg(spsr_el1, spsr);
}

static void take(void)
{
	irq_enable();
	isb();
	for (volatile unsigned i = 0; i < 1000; i++)
		;
	irq_disable();
}

static void route(unsigned spi, u64 mpidr) { write64(D + 0x6000 + spi * 8, mpidr); }

static void priorities(void)
{
	route(SPI_A, 0);
	route(SPI_B, 0);
	gic_enable(SPI_A);
	gic_enable(SPI_B);
	gic_set_priority(SPI_A, 0xa0);
	gic_set_priority(SPI_B, 0x80);
	count = 0;
	pend(SPI_A);
	pend(SPI_B);
	report(read_icc(ICC_HPPIR1_EL1) == SPI_B, "the highest priority is the highest pending");
	take();
	report(count == 2 && order[0] == SPI_B && order[1] == SPI_A, "taken in the order of priority");
	report(ack() == 1023, "nothing pending: 1023");
	report((read_icc(ICC_RPR_EL1) & 0xff) == 0xff, "idle running priority");

	write_icc(ICC_PMR_EL1, 0xa0);
	isb();
	count = 0;
	pend(SPI_A);
	take();
	report(count == 0 && is_pending(SPI_A), "PMR equal to the priority masks it");
	write_icc(ICC_PMR_EL1, 0xa8);
	isb();
	take();
	report(count == 1, "PMR one step lower lets it through");
	write_icc(ICC_PMR_EL1, 0xff);
	isb();

	count = 0;
	nest_on = SPI_A; /* 0xa0, then 0x80 comes */
	pend(SPI_A);
	take();
	report(count == 3 && order[0] == SPI_A && order[1] == SPI_B && order[2] == (SPI_A | 0x8000),
	       "a higher priority preempts");
	count = 0;
	nest_on = SPI_B; /* 0x80, then 0xa0 comes */
	pend(SPI_B);
	take();
	report(count == 3 && order[0] == SPI_B && order[1] == (SPI_B | 0x8000) && order[2] == SPI_A,
	       "a lower one waits");
	write_icc(ICC_BPR1_EL1, 6); /* group priority: bit 7 only */
	isb();
	count = 0;
	nest_on = SPI_A;
	pend(SPI_A);
	take();
	report(count == 3 && order[1] == (SPI_A | 0x8000), "equal group priorities do not preempt");
	write_icc(ICC_BPR1_EL1, 0);
	isb();
}

static void eoi_modes(void)
{
	unsigned i;

	gic_enable(SPI_A);
	pend(SPI_A);
	i = ack();
	report(i == SPI_A && is_active(SPI_A) && !is_pending(SPI_A), "acknowledged: active, not pending");
	pend(SPI_A);
	report(is_pending(SPI_A) && ack() == 1023, "pending again while active: not signalled");
	eoi(i);
	report(!is_active(SPI_A), "EOImode 0: EOIR deactivates");
	i = ack();
	report(i == SPI_A, "and the second one comes");
	eoi(i);

	write_icc(ICC_CTLR_EL1, 2);
	isb();
	pend(SPI_A);
	i = ack();
	eoi(i);
	report(is_active(SPI_A) && (read_icc(ICC_RPR_EL1) & 0xff) == 0xff, "EOImode 1: EOIR drops the priority only");
	write_icc(ICC_DIR_EL1, i);
	isb();
	report(!is_active(SPI_A), "DIR deactivates");
	write_icc(ICC_CTLR_EL1, 0);
	isb();

	pend(SPI_A);
	gic_disable(SPI_A);
	report(ack() == 1023, "disabled after it became pending: not acknowledged");
	gic_enable(SPI_A);
	i = ack();
	report(i == SPI_A, "enabled again: acknowledged");
	eoi(i);
	write32(D + 0x280 + SPI_A / 32 * 4, 1u << SPI_A % 32);
	report(!is_pending(SPI_A), "ICPENDR clears");
}

static volatile unsigned last_seen;
static volatile u64 running, leave;
static void secondary_irq(u64 arg)
{
	unsigned early;

	(void)arg;
	gic_init_cpu();
	for (unsigned i = 0; i < 16; i++)
		gic_enable(i);
	/* What was sent to all others while this CPU was off is pending: not to be taken for a later one. */
	while ((early = ack()) < 1020)
		eoi(early);
	running = running + 1;
	dsb(sy);
	while (!leave) {
		unsigned i = ack();

		if (i < 1020) {
			eoi(i);
			last_seen = i;
		}
	}
}

/* Until CPU 1 has taken @intid, or two seconds. */
static bool taken(unsigned intid)
{
	u64 end = read_sysreg(cntvct_el0) + 2 * read_sysreg(cntfrq_el0);

	while (last_seen != intid && read_sysreg(cntvct_el0) < end)
		isb();
	return last_seen == intid;
}

static void sgis(void)
{
	unsigned i;

	for (i = 0; i < 16; i++)
		gic_enable(i);
	write_icc(ICC_SGI1R_EL1, 3ul << 24 | 1);
	isb();
	i = ack();
	report(i == 3, "SGI to oneself by target list");
	eoi(i);
	write_icc(ICC_SGI1R_EL1, 1ul << 40 | 4ul << 24);
	isb();
	report(ack() == 1023, "IRM=1 leaves out the sender");
	write_icc(ICC_SGI1R_EL1, 5ul << 24 | 1ul << 16 | 1);
	isb();
	report(ack() == 1023, "another affinity 1: nobody here");
	if (cpu_count() < 2) {
		report_skip("SGIs between CPUs", "one vCPU");
		return;
	}
	cpu_start(1, secondary_irq, 0);
	while (running != 1)
		;
	write_icc(ICC_SGI1R_EL1, 2ul << 24 | 2);
	isb();
	report(taken(2), "SGI 2 to CPU 1");
	write_icc(ICC_SGI1R_EL1, 1ul << 40 | 7ul << 24);
	isb();
	report(taken(7) && ack() == 1023, "SGI 7 to all but self");
	route(SPI_B, cpu_mpidr(1));
	gic_enable(SPI_B);
	pend(SPI_B);
	report(taken(SPI_B) && !is_pending(SPI_B) && ack() == 1023, "an SPI goes where IROUTER says");
	route(SPI_B, 0);
	leave = 1;
	cpu_wait_off(1);
}

static void levels(void)
{
	unsigned i, uart = 32 + BOARD_UART_SPI;

	/* The PL011's transmit interrupt is a level we can hold. */
	route(uart, 0);
	gic_enable(uart);
	write32(BOARD_UART_BASE + 0x30, 0x301);
	write32(BOARD_UART_BASE + 0x38, 0x20); /* UARTIMSC.TXIM */
	print("x\n");                          /* a character sent raises it */
	i = ack();
	report(i == uart, "a level interrupt of a device is signalled (%u)", i);
	eoi(i);
	i = ack();
	report(i == uart, "and again after EOI while the level is high");
	write32(BOARD_UART_BASE + 0x44, 0x20); /* UARTICR */
	eoi(i);
	report(ack() == 1023 && !is_pending(uart), "and not once it is low");
	write32(BOARD_UART_BASE + 0x38, 0);
	gic_disable(uart);
}

static void identity(void)
{
	u64 rd = gic_redist(0);

	report((read_icc(ICC_SRE_EL1) & 1) == 1, "ICC_SRE_EL1.SRE is 1");
	report((read32(D + 0xffe8) >> 4 & 15) == 3 && (read32(rd + 0xffe8) >> 4 & 15) == 3, "PIDR2: GICv3");
	report(read32(D) >> 6 & 1, "GICD_CTLR.DS is 1");
	report((read64(rd + 8) >> 32) == 0, "GICR_TYPER has our affinity");
	report((read32(rd + 0x14) & 6) == 0, "GICR_WAKER is awake");
	report(read32(D + 0x100) == 0, "GICD_ISENABLER0 is RAZ with affinity routing");
	report(((read_sysreg(id_aa64pfr0_el1) >> 24) & 15) != 0, "ID_AA64PFR0_EL1.GIC says system registers");
}

void test(void)
{
	mmu_on();
	gic_init();
	irq_handler = handler;
	identity();
	priorities();
	eoi_modes();
	levels();
	sgis();
}
