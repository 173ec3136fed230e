/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device tree nodes of what every guest has: cpus, psci, timer, GIC.
 */
#include <spec/board.h>
#include <vmm/arch.h>
#include <vmm/fdt.h>

enum { PHANDLE_L2 = ARCH_FDT_GIC_PHANDLE + 0x100 }; /* clear of vmm/fdt.h's */

static void cpu_node(struct dt *t, unsigned id)
{
	uint64_t reg = arch_affinity(id);

	dt_begin(t, "cpu@%llx", (unsigned long long)reg);
	dt_string(t, "device_type", "cpu");
	dt_string(t, "compatible", "arm,armv8");
	dt_u64(t, "reg", reg);
	dt_string(t, "enable-method", "psci");
	/* As CCSIDR_EL1 says. Without them Linux reports that it cannot detect the cache hierarchy. */
	dt_u32(t, "i-cache-size", 0x8000);
	dt_u32(t, "i-cache-line-size", 64);
	dt_u32(t, "i-cache-sets", 256);
	dt_u32(t, "d-cache-size", 0x8000);
	dt_u32(t, "d-cache-line-size", 64);
	dt_u32(t, "d-cache-sets", 128);
	dt_u32(t, "next-level-cache", PHANDLE_L2);
	dt_end(t);
}

static void cpus_node(struct dt *t, const struct arch_fdt_config *cfg)
{
	dt_begin(t, "cpus");
	dt_u32(t, "#address-cells", 2);
	dt_u32(t, "#size-cells", 0);
	for (unsigned id = 0; id < cfg->vcpu_count; id++)
		cpu_node(t, id);
	dt_begin(t, "l2-cache");
	dt_string(t, "compatible", "cache");
	dt_u32(t, "cache-level", 2);
	dt_flag(t, "cache-unified");
	dt_u32(t, "cache-size", 0x80000);
	dt_u32(t, "cache-line-size", 64);
	dt_u32(t, "cache-sets", 1024);
	dt_u32(t, "phandle", PHANDLE_L2);
	dt_end(t);
	dt_end(t);
}

static void psci_node(struct dt *t)
{
	dt_begin(t, "psci");
	dt_strings(t, "compatible", "arm,psci-1.0", "arm,psci-0.2", NULL);
	dt_string(t, "method", "hvc");
	dt_end(t);
}

/* Flags of a PPI: a GICv2 says which CPUs it is wired to, a GICv3 has no room for so many. */
static uint32_t ppi_flags(const struct arch_fdt_config *cfg)
{
	if (cfg->gic != 2)
		return DT_LEVEL_HIGH;
	return ((UINT32_C(1) << cfg->vcpu_count) - 1) << DT_GICV2_PPI_CPUS_SHIFT | DT_LEVEL_HIGH;
}

/* Secure physical, physical, virtual and hypervisor timer: the binding wants all four. */
static void timer_node(struct dt *t, const struct arch_fdt_config *cfg)
{
	const uint32_t flags = ppi_flags(cfg), interrupts[] = {
		DT_GIC_PPI,
		13,
		flags,
		DT_GIC_PPI,
		BOARD_PTIMER_PPI - 16,
		flags,
		DT_GIC_PPI,
		BOARD_VTIMER_PPI - 16,
		flags,
		DT_GIC_PPI,
		10,
		flags,
	};

	dt_begin(t, "timer");
	dt_string(t, "compatible", "arm,armv8-timer");
	dt_cells(t, "interrupts", interrupts, ARRAY_SIZE(interrupts));
	dt_flag(t, "always-on");
	dt_end(t);
}

static void pmu_node(struct dt *t, const struct arch_fdt_config *cfg)
{
	const uint32_t interrupts[] = { DT_GIC_PPI, BOARD_PMU_PPI - 16, ppi_flags(cfg) };

	dt_begin(t, "pmu");
	dt_string(t, "compatible", "arm,armv8-pmuv3");
	dt_cells(t, "interrupts", interrupts, ARRAY_SIZE(interrupts));
	dt_end(t);
}

static void gicv2_reg(struct dt *t)
{
	static const uint64_t reg[][2] = {
		{ BOARD_GICD_BASE, BOARD_GICD_SIZE },
		{ BOARD_GICC_BASE, BOARD_GICC_SIZE },
	};

	dt_reg_list(t, reg, 2);
}

static void gicv3_reg(struct dt *t, const struct arch_fdt_config *cfg)
{
	unsigned first = cfg->vcpu_count < BOARD_GICR_COUNT ? cfg->vcpu_count : BOARD_GICR_COUNT;
	bool two = cfg->vcpu_count > BOARD_GICR_COUNT;
	const uint64_t reg[][2] = {
		{ BOARD_GICD_BASE, BOARD_GICD_SIZE },
		{ BOARD_GICR_BASE, (uint64_t)first * BOARD_GICR_STRIDE },
		{ BOARD_GICR2_BASE, (uint64_t)(cfg->vcpu_count - first) * BOARD_GICR_STRIDE },
	};

	dt_u32(t, "#redistributor-regions", two ? 2 : 1);
	dt_reg_list(t, reg, two ? 3 : 2);
}

static void gic_node(struct dt *t, const struct arch_fdt_config *cfg)
{
	dt_begin(t, "interrupt-controller@%x", BOARD_GICD_BASE);
	dt_string(t, "compatible", cfg->gic == 2 ? "arm,cortex-a15-gic" : "arm,gic-v3");
	dt_flag(t, "interrupt-controller");
	dt_u32(t, "#interrupt-cells", 3);
	dt_u32(t, "#address-cells", 2);
	dt_u32(t, "#size-cells", 2);
	dt_flag(t, "ranges");
	if (cfg->gic == 2)
		gicv2_reg(t);
	else
		gicv3_reg(t, cfg);
	dt_u32(t, "phandle", ARCH_FDT_GIC_PHANDLE);
	dt_end(t);
}

void arch_fdt(struct dt *t, const struct arch_fdt_config *cfg)
{
	cpus_node(t, cfg);
	psci_node(t);
	timer_node(t, cfg);
	if (cfg->pmu)
		pmu_node(t, cfg);
	gic_node(t, cfg);
}
