/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Device tree nodes of what every guest has: cpus, psci, timer, GIC.
 *
 * Errors of libfdt stick in struct fdt_out, so that the tree reads as a tree.
 */
#include <libfdt.h>
#include <spec/board.h>
#include <spec/dt.h>
#include <stdio.h>
#include <string.h>
#include <vmm/arch.h>

struct fdt_out {
	void *fdt;
	int err;
};

enum { PHANDLE_L2 = ARCH_FDT_GIC_PHANDLE + 0x100 }; /* clear of vmm/fdt.h's */

static void begin(struct fdt_out *o, const char *name)
{
	if (!o->err)
		o->err = fdt_begin_node(o->fdt, name);
}

static void end(struct fdt_out *o)
{
	if (!o->err)
		o->err = fdt_end_node(o->fdt);
}

static void prop(struct fdt_out *o, const char *name, const void *value, size_t bytes)
{
	if (!o->err)
		o->err = fdt_property(o->fdt, name, value, (int)bytes);
}

static void prop_empty(struct fdt_out *o, const char *name) { prop(o, name, NULL, 0); }

static void prop_str(struct fdt_out *o, const char *name, const char *s) { prop(o, name, s, strlen(s) + 1); }

static void prop_u32(struct fdt_out *o, const char *name, uint32_t v)
{
	fdt32_t be = cpu_to_fdt32(v);

	prop(o, name, &be, sizeof(be));
}

static void prop_cells(struct fdt_out *o, const char *name, const uint32_t *cells, size_t count)
{
	fdt32_t be[16];

	for (size_t i = 0; i < count; i++)
		be[i] = cpu_to_fdt32(cells[i]);
	prop(o, name, be, count * sizeof(be[0]));
}

static void prop_u64s(struct fdt_out *o, const char *name, const uint64_t *values, size_t count)
{
	fdt64_t be[8];

	for (size_t i = 0; i < count; i++)
		be[i] = cpu_to_fdt64(values[i]);
	prop(o, name, be, count * sizeof(be[0]));
}

static void cpu_node(struct fdt_out *o, unsigned id)
{
	uint64_t reg = arch_affinity(id);
	char name[32];

	snprintf(name, sizeof(name), "cpu@%llx", (unsigned long long)reg);
	begin(o, name);
	prop_str(o, "device_type", "cpu");
	prop_str(o, "compatible", "arm,armv8");
	prop_u64s(o, "reg", &reg, 1);
	prop_str(o, "enable-method", "psci");
	/* As CCSIDR_EL1 says. Without them Linux reports that it cannot detect the cache hierarchy. */
	prop_u32(o, "i-cache-size", 0x8000);
	prop_u32(o, "i-cache-line-size", 64);
	prop_u32(o, "i-cache-sets", 256);
	prop_u32(o, "d-cache-size", 0x8000);
	prop_u32(o, "d-cache-line-size", 64);
	prop_u32(o, "d-cache-sets", 128);
	prop_u32(o, "next-level-cache", PHANDLE_L2);
	end(o);
}

static void cpus_node(struct fdt_out *o, const struct arch_fdt_config *cfg)
{
	begin(o, "cpus");
	prop_u32(o, "#address-cells", 2);
	prop_u32(o, "#size-cells", 0);
	for (unsigned id = 0; id < cfg->vcpu_count; id++)
		cpu_node(o, id);
	begin(o, "l2-cache");
	prop_str(o, "compatible", "cache");
	prop_u32(o, "cache-level", 2);
	prop_empty(o, "cache-unified");
	prop_u32(o, "cache-size", 0x80000);
	prop_u32(o, "cache-line-size", 64);
	prop_u32(o, "cache-sets", 1024);
	prop_u32(o, "phandle", PHANDLE_L2);
	end(o);
	end(o);
}

static void psci_node(struct fdt_out *o)
{
	static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

	begin(o, "psci");
	prop(o, "compatible", compatible, sizeof(compatible));
	prop_str(o, "method", "hvc");
	end(o);
}

/* Secure physical, physical, virtual and hypervisor timer: the binding wants all four. */
static void timer_node(struct fdt_out *o)
{
	static const uint32_t interrupts[] = {
		DT_GIC_PPI,
		13,
		DT_LEVEL_HIGH,
		DT_GIC_PPI,
		BOARD_PTIMER_PPI - 16,
		DT_LEVEL_HIGH,
		DT_GIC_PPI,
		BOARD_VTIMER_PPI - 16,
		DT_LEVEL_HIGH,
		DT_GIC_PPI,
		10,
		DT_LEVEL_HIGH,
	};

	begin(o, "timer");
	prop_str(o, "compatible", "arm,armv8-timer");
	prop_cells(o, "interrupts", interrupts, ARRAY_SIZE(interrupts));
	prop_empty(o, "always-on");
	end(o);
}

static void pmu_node(struct fdt_out *o)
{
	static const uint32_t interrupts[] = { DT_GIC_PPI, BOARD_PMU_PPI - 16, DT_LEVEL_HIGH };

	begin(o, "pmu");
	prop_str(o, "compatible", "arm,armv8-pmuv3");
	prop_cells(o, "interrupts", interrupts, ARRAY_SIZE(interrupts));
	end(o);
}

static void gic_node(struct fdt_out *o, const struct arch_fdt_config *cfg)
{
	unsigned first = cfg->vcpu_count < BOARD_GICR_COUNT ? cfg->vcpu_count : BOARD_GICR_COUNT;
	bool two = cfg->vcpu_count > BOARD_GICR_COUNT;
	uint64_t reg[] = {
		BOARD_GICD_BASE,  BOARD_GICD_SIZE,
		BOARD_GICR_BASE,  (uint64_t)first * BOARD_GICR_STRIDE,
		BOARD_GICR2_BASE, (uint64_t)(cfg->vcpu_count - first) * BOARD_GICR_STRIDE,
	};
	char name[48];

	snprintf(name, sizeof(name), "interrupt-controller@%x", BOARD_GICD_BASE);
	begin(o, name);
	prop_str(o, "compatible", "arm,gic-v3");
	prop_empty(o, "interrupt-controller");
	prop_u32(o, "#interrupt-cells", 3);
	prop_u32(o, "#address-cells", 2);
	prop_u32(o, "#size-cells", 2);
	prop_empty(o, "ranges");
	prop_u32(o, "#redistributor-regions", two ? 2 : 1);
	prop_u64s(o, "reg", reg, two ? 6 : 4);
	prop_u32(o, "phandle", ARCH_FDT_GIC_PHANDLE);
	end(o);
}

int arch_fdt(void *fdt, const struct arch_fdt_config *cfg)
{
	struct fdt_out o = { .fdt = fdt };

	cpus_node(&o, cfg);
	psci_node(&o);
	timer_node(&o);
	if (cfg->pmu)
		pmu_node(&o);
	gic_node(&o, cfg);
	return o.err;
}
