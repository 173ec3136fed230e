/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GICv3 and GICv2: priorities, preemption, both EOI modes, active state, levels and edges, routing; of a
 * GICv2 besides what is banked and where an SGI came from.
 */
#include <spec/gic.h>

#include "lib/lib.h"

#define D     BOARD_GICD_BASE
#define C     BOARD_GICC_BASE
#define SPI_A 64
#define SPI_B 65

static volatile unsigned order[16], count;
static unsigned nest_on; /* INTID whose handler unmasks and makes the other one pending */

/* What comes within 10 ms: a hypervisor may have to be told that something has ended. */
static unsigned ack_soon(void)
{
	u64 end = read_sysreg(cntvct_el0) + read_sysreg(cntfrq_el0) / 100;
	unsigned i;

	do {
		isb();
		i = gic_ack();
	} while (i == 1023 && read_sysreg(cntvct_el0) < end);
	return i;
}

static void handler(struct regs *r)
{
	u64 elr = r->elr, spsr = r->spsr;
	unsigned i = gic_ack();

	if (count < ARRAY_SIZE(order))
		order[count++] = i;
	if (i == nest_on) {
		nest_on = 0;
		gic_set_pending(i == SPI_A ? SPI_B : SPI_A);
		irq_enable();
		isb();
		irq_disable();
		if (count < ARRAY_SIZE(order))
			order[count++] = i | 0x8000; /* back in the outer one */
	}
	if (i < 1020)
		gic_eoi(i);
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

static void set_edge(unsigned spi)
{
	u64 reg = D + GICD_ICFGR + spi / 16 * 4;

	write32(reg, read32(reg) | 2u << spi % 16 * 2);
}

static void priorities(void)
{
	set_edge(SPI_A);
	set_edge(SPI_B);
	gic_route(SPI_A, 0);
	gic_route(SPI_B, 0);
	gic_enable(SPI_A);
	gic_enable(SPI_B);
	gic_set_priority(SPI_A, 0xa0);
	gic_set_priority(SPI_B, 0x80);
	count = 0;
	gic_set_pending(SPI_A);
	gic_set_pending(SPI_B);
	report(gic_highest_pending() == SPI_B, "the highest priority is the highest pending");
	take();
	report(count == 2 && order[0] == SPI_B && order[1] == SPI_A, "taken in the order of priority");
	report(gic_ack() == 1023, "nothing pending: 1023");
	report(gic_running() == 0xff, "idle running priority");

	gic_set_pmr(0xa0);
	count = 0;
	gic_set_pending(SPI_A);
	take();
	report(count == 0 && gic_pending(SPI_A), "PMR equal to the priority masks it");
	gic_set_pmr(0xa8);
	take();
	report(count == 1, "PMR one step lower lets it through");
	gic_set_pmr(0xff);

	count = 0;
	nest_on = SPI_A; /* 0xa0, then 0x80 comes */
	gic_set_pending(SPI_A);
	take();
	report(count == 3 && order[0] == SPI_A && order[1] == SPI_B && order[2] == (SPI_A | 0x8000),
	       "a higher priority preempts");
	count = 0;
	nest_on = SPI_B; /* 0x80, then 0xa0 comes */
	gic_set_pending(SPI_B);
	take();
	report(count == 3 && order[0] == SPI_B && order[1] == (SPI_B | 0x8000) && order[2] == SPI_A,
	       "a lower one waits");
	gic_set_bpr(6); /* group priority: bit 7 only */
	count = 0;
	nest_on = SPI_A;
	gic_set_pending(SPI_A);
	take();
	report(count == 3 && order[1] == (SPI_A | 0x8000), "equal group priorities do not preempt");
	gic_set_bpr(0);
}

static void eoi_modes(void)
{
	unsigned i;

	gic_enable(SPI_A);
	gic_set_pending(SPI_A);
	i = gic_ack();
	report(i == SPI_A && gic_active(SPI_A) && !gic_pending(SPI_A), "acknowledged: active, not pending");
	gic_set_pending(SPI_A);
	report(gic_pending(SPI_A) && gic_ack() == 1023, "pending again while active: not signalled");
	gic_eoi(i);
	report(!gic_active(SPI_A), "EOImode 0: EOIR deactivates");
	i = gic_ack();
	report(i == SPI_A, "and the second one comes");
	gic_eoi(i);

	gic_set_eoi_mode(true);
	gic_set_pending(SPI_A);
	i = gic_ack();
	gic_eoi(i);
	report(gic_active(SPI_A) && gic_running() == 0xff, "EOImode 1: EOIR drops the priority only");
	gic_deactivate(i);
	report(!gic_active(SPI_A), "DIR deactivates");
	gic_set_eoi_mode(false);

	gic_set_pending(SPI_A);
	gic_disable(SPI_A);
	report(gic_ack() == 1023, "disabled after it became pending: not acknowledged");
	gic_enable(SPI_A);
	i = gic_ack();
	report(i == SPI_A, "enabled again: acknowledged");
	gic_eoi(i);
	gic_clear_pending(SPI_A);
	report(!gic_pending(SPI_A), "ICPENDR clears");
}

static volatile unsigned last_seen;
static volatile u64 running, leave, last_source, private_seen;
static void secondary_irq(u64 arg)
{
	unsigned early;

	(void)arg;
	gic_init_cpu();
	private_seen = read32(gic_regs(0) + GICD_ISENABLER);
	for (unsigned i = 0; i < 16; i++)
		gic_enable(i);
	/* What was sent to all others while this CPU was off is pending: not to be taken for a later one. */
	while ((early = gic_ack()) < 1020)
		gic_eoi(early);
	running = running + 1;
	dsb(sy);
	while (!leave) {
		unsigned i = gic_ack();

		if (i < 1020) {
			gic_eoi(i);
			last_source = i < 16 ? gic_sgi_source(i) : 0;
			last_seen = i;
		}
	}
	if (gic_is_v2())
		gic_sgi(8, 0);
}

/* Until CPU 1 has taken @intid, or two seconds. */
static bool taken(unsigned intid)
{
	u64 end = read_sysreg(cntvct_el0) + 2 * read_sysreg(cntfrq_el0);

	while (last_seen != intid && read_sysreg(cntvct_el0) < end)
		isb();
	return last_seen == intid;
}

static bool nothing_comes(void)
{
	unsigned i = gic_ack();

	if (i < 1020)
		gic_eoi(i);
	return i == 1023;
}

static void sgis_alone_v3(void)
{
	write_icc(ICC_SGI1R_EL1, 1ul << 40 | 4ul << 24);
	isb();
	report(nothing_comes(), "IRM=1 leaves out the sender");
	write_icc(ICC_SGI1R_EL1, 5ul << 24 | 1ul << 16 | 1);
	isb();
	report(nothing_comes(), "another affinity 1: nobody here");
}

static void sgis_alone_v2(void)
{
	unsigned i;

	write32(D + GICD_SGIR, GICD_SGIR_OTHERS << 24 | 4);
	report(nothing_comes(), "to all others leaves out the sender");
	write32(D + GICD_SGIR, GICD_SGIR_SELF << 24 | 0xfe << 16 | 5);
	i = gic_ack();
	report(i == 5 && gic_sgi_source(i) == 0, "to oneself, whatever the list says");
	gic_eoi(i);
	write32(D + GICD_SGIR, 3u << 24 | 0xff << 16 | 5);
	report(nothing_comes(), "the reserved filter: nobody");
	gic_set_pending(6);
	report(!gic_pending(6) && nothing_comes(), "ISPENDR does nothing to an SGI");
	write8(D + GICD_SPENDSGIR + 6, 1);
	report(gic_pending(6) && read8(D + GICD_CPENDSGIR + 6) == 1, "SPENDSGIR does, for a source");
	gic_clear_pending(6);
	report(gic_pending(6), "nor ICPENDR");
	write8(D + GICD_CPENDSGIR + 6, 1);
	report(!gic_pending(6) && nothing_comes(), "CPENDSGIR takes it back");
}

/* Several sources of one SGI come one after the other. */
static void sources(void)
{
	unsigned seen = 0, i, n = 0;

	gic_sgi(3, 0);
	gic_sgi(3, 0);
	write8(D + GICD_SPENDSGIR + 3, 2);
	for (i = ack_soon(); i == 3 && n < 4; i = ack_soon(), n++) {
		seen |= 1u << gic_sgi_source(3);
		if (!n)
			report(gic_ack() == 1023, "an SGI of another CPU waits until the first has ended");
		gic_eoi(3);
	}
	report(n == 2 && seen == 3, "then it comes, and says from where (%u, %x)", n, seen);
}

static void sgi_to_others(unsigned intid)
{
	if (gic_is_v2())
		write32(D + GICD_SGIR, GICD_SGIR_OTHERS << 24 | intid);
	else
		write_icc(ICC_SGI1R_EL1, 1ul << 40 | (u64)intid << 24);
	isb();
}

static void sgis(void)
{
	unsigned i;

	for (i = 0; i < 16; i++)
		gic_enable(i);
	gic_sgi(3, 0);
	i = gic_ack();
	report(i == 3, "SGI to oneself by target list");
	gic_eoi(i);
	if (gic_is_v2())
		sgis_alone_v2();
	else
		sgis_alone_v3();
	if (cpu_count() < 2) {
		report_skip("SGIs between CPUs", "one vCPU");
		return;
	}
	if (gic_is_v2())
		sources();
	gic_enable(16);
	cpu_start(1, secondary_irq, 0);
	while (running != 1)
		;
	gic_sgi(2, 1);
	report(taken(2), "SGI 2 to CPU 1");
	sgi_to_others(7);
	report(taken(7) && nothing_comes(), "SGI 7 to all but self");
	if (gic_is_v2())
		report(last_source == 0, "which sees that it came from CPU 0");
	gic_route(SPI_B, 1);
	gic_enable(SPI_B);
	gic_set_pending(SPI_B);
	report(taken(SPI_B) && !gic_pending(SPI_B) && nothing_comes(), "an SPI goes where it is routed");
	gic_route(SPI_B, 0);
	report(gic_enabled(16) && !(private_seen >> 16 & 1), "a PPI is enabled for each CPU by itself (%lx)",
	       private_seen);
	gic_disable(16);
	leave = 1;
	cpu_wait_off(1);
	if (gic_is_v2()) {
		i = ack_soon();
		report(i == 8 && gic_sgi_source(8) == 1, "an SGI of CPU 1 says so");
		gic_eoi(8);
	}
}

static void levels(void)
{
	unsigned i, uart = 32 + BOARD_UART_SPI;

	/* The PL011's transmit interrupt is a level we can hold. */
	gic_route(uart, 0);
	write32(D + GICD_ICFGR + uart / 16 * 4, 0); /* what it is at reset is unknown */
	gic_enable(uart);
	write32(BOARD_UART_BASE + 0x30, 0x301);
	write32(BOARD_UART_BASE + 0x38, 0x20); /* UARTIMSC.TXIM */
	print("x\n");                          /* a character sent raises it */
	i = gic_ack();
	report(i == uart, "a level interrupt of a device is signalled (%u)", i);
	gic_eoi(i);
	i = ack_soon();
	report(i == uart, "and again after EOI while the level is high");
	write32(BOARD_UART_BASE + 0x44, 0x20); /* UARTICR */
	gic_eoi(i);
	report(gic_ack() == 1023 && !gic_pending(uart), "and not once it is low");
	write32(BOARD_UART_BASE + 0x38, 0);
	gic_disable(uart);
}

static void identity_v3(void)
{
	u64 rd = gic_redist(0);

	report((read_icc(ICC_SRE_EL1) & 1) == 1, "ICC_SRE_EL1.SRE is 1");
	report((read32(D + GICD_PIDR2) >> 4 & 15) == 3 && (read32(rd + GICR_PIDR2) >> 4 & 15) == 3, "PIDR2: GICv3");
	report(read32(D + GICD_CTLR) & GICD_CTLR_DS, "GICD_CTLR.DS is 1");
	report((read64(rd + GICR_TYPER) >> 32) == 0, "GICR_TYPER has our affinity");
	report((read32(rd + GICR_WAKER) & (GICR_WAKER_SLEEP | GICR_WAKER_ASLEEP)) == 0, "GICR_WAKER is awake");
	report(read32(D + GICD_ISENABLER) == 0, "GICD_ISENABLER0 is RAZ with affinity routing");
}

static volatile u64 sre;
static void read_sre(u64 arg)
{
	(void)arg;
	sre = read_icc(ICC_SRE_EL1);
}

static void identity_v2(void)
{
	struct fault f = catch_fault(read_sre, 0);
	unsigned cpus = cpu_count();

	report(f.taken ? fault_ec(f) == 0 : !(sre & 1), "ICC_SRE_EL1 is UNDEFINED, or its SRE is 0 (%x)",
	       fault_ec(f));
	report((read32(C + GICC_IIDR) >> 16 & 15) == 2, "GICC_IIDR: GICv2");
	report((read32(D + GICD_TYPER) >> 5 & 7) + 1 == cpus, "GICD_TYPER counts %u CPUs", cpus);
	report(read32(D + GICD_ITARGETSR) == 0x01010101, "GICD_ITARGETSR0 says which CPU reads it");
	write32(D + GICD_ITARGETSR, 0x02020202);
	report(read32(D + GICD_ITARGETSR) == 0x01010101, "and keeps saying so");
	write8(D + GICD_ITARGETSR + SPI_A, 0xff);
	report(read8(D + GICD_ITARGETSR + SPI_A) == (1u << cpus) - 1, "targets that are no CPUs are not kept");
	gic_enable(16);
	report(gic_enabled(16), "PPIs are in the distributor");
	gic_disable(16);
}

void test(void)
{
	mmu_on();
	gic_init();
	irq_handler = handler;
	if (gic_is_v2())
		identity_v2();
	else
		identity_v3();
	priorities();
	eoi_modes();
	levels();
	sgis();
}
