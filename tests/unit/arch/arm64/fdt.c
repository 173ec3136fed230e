/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <libfdt.h>
#include <spec/board.h>
#include <spec/dt.h>
#include <stdio.h>
#include <vmm/arch.h>
#include <vmm/fdt.h>

/* A tree with no memory and no devices. */
static int tree(void *fdt, int bytes, unsigned cpus, unsigned gic)
{
	const struct arch_fdt_config arch = { .vcpu_count = cpus, .gic = gic, .pmu = true };

	return fdt_build_into(&(struct fdt_config){ .arch = &arch }, fdt, (size_t)bytes);
}

static void *tree_with_gic(unsigned cpus, unsigned gic)
{
	void *fdt = malloc(1 << 20);

	assert_int_equal(tree(fdt, 1 << 20, cpus, gic), 0);
	return fdt;
}

static void *tree_of(unsigned cpus) { return tree_with_gic(cpus, 3); }

static uint64_t reg_at(const void *fdt, const char *path, unsigned index)
{
	int len, node = fdt_path_offset(fdt, path);
	const char *reg;

	assert_true(node >= 0);
	reg = fdt_getprop(fdt, node, "reg", &len);
	assert_true(len >= (int)(8 * (index + 1)));
	return fdt64_ld((const void *)(reg + 8 * index)); /* properties are 4-byte aligned only */
}

static void cpus_are_named_by_affinity_and_started_by_psci(void **state)
{
	void *fdt = tree_of(18);
	int node = fdt_path_offset(fdt, "/cpus/cpu@101");

	(void)state;
	assert_true(node >= 0);
	assert_int_equal(reg_at(fdt, "/cpus/cpu@101", 0), arch_affinity(17));
	assert_string_equal(fdt_getprop(fdt, node, "enable-method", NULL), "psci");
	assert_string_equal(fdt_getprop(fdt, fdt_path_offset(fdt, "/psci"), "method", NULL), "hvc");
	assert_true(fdt_path_offset(fdt, "/cpus/cpu@10") < 0);
	free(fdt);
}

static void timer_interrupts_are_level_ppis(void **state)
{
	void *fdt = tree_of(1);
	int len, node = fdt_path_offset(fdt, "/timer");
	const fdt32_t *cells = fdt_getprop(fdt, node, "interrupts", &len);

	(void)state;
	assert_int_equal(len, 4 * 3 * 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(fdt32_to_cpu(cells[3 * i]), DT_GIC_PPI);
		assert_int_equal(fdt32_to_cpu(cells[3 * i + 2]), DT_LEVEL_HIGH);
	}
	assert_int_equal(fdt32_to_cpu(cells[4]), BOARD_PTIMER_PPI - 16);
	assert_int_equal(fdt32_to_cpu(cells[7]), BOARD_VTIMER_PPI - 16);
	assert_non_null(fdt_getprop(fdt, node, "always-on", NULL));
	free(fdt);
}

static void the_gic_has_a_second_region_only_for_cpus_beyond_the_first(void **state)
{
	void *fdt = tree_of(BOARD_GICR_COUNT);
	int node = fdt_node_offset_by_phandle(fdt, ARCH_FDT_GIC_PHANDLE);
	char path[64];
	int len;

	(void)state;
	assert_int_equal(fdt_get_path(fdt, node, path, sizeof(path)), 0);
	assert_string_equal(path, "/interrupt-controller@8000000");
	fdt_getprop(fdt, node, "reg", &len);
	assert_int_equal(len, 4 * 8);
	assert_int_equal(reg_at(fdt, path, 2), BOARD_GICR_BASE);
	assert_int_equal(reg_at(fdt, path, 3), BOARD_GICR_COUNT * BOARD_GICR_STRIDE);
	free(fdt);
	fdt = tree_of(BOARD_GICR_COUNT + 1);
	assert_int_equal(reg_at(fdt, path, 4), BOARD_GICR2_BASE);
	assert_int_equal(reg_at(fdt, path, 5), BOARD_GICR_STRIDE);
	free(fdt);
}

static uint32_t cell_at(const void *fdt, const char *path, unsigned index)
{
	int len, node = fdt_path_offset(fdt, path);
	const fdt32_t *cells = fdt_getprop(fdt, node, "interrupts", &len);

	assert_true(len > (int)(4 * index));
	return fdt32_to_cpu(cells[index]);
}

/* Linux: Documentation/devicetree/bindings/interrupt-controller/arm,gic.yaml. */
static void a_gicv2_has_a_cpu_interface_and_says_to_which_cpus_a_ppi_is_wired(void **state)
{
	static const char path[] = "/interrupt-controller@8000000";
	void *fdt = tree_with_gic(8, 2);
	int len, node = fdt_node_offset_by_phandle(fdt, ARCH_FDT_GIC_PHANDLE);

	(void)state;
	assert_int_equal(node, fdt_path_offset(fdt, path));
	assert_int_equal(fdt_node_check_compatible(fdt, node, "arm,cortex-a15-gic"), 0);
	assert_null(fdt_getprop(fdt, node, "#redistributor-regions", NULL));
	fdt_getprop(fdt, node, "reg", &len);
	assert_int_equal(len, 4 * 8);
	assert_int_equal(reg_at(fdt, path, 0), BOARD_GICD_BASE);
	assert_int_equal(reg_at(fdt, path, 2), BOARD_GICC_BASE);
	assert_int_equal(reg_at(fdt, path, 3), BOARD_GICC_SIZE);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(cell_at(fdt, "/timer", 3 * i + 2), 0xff00 | DT_LEVEL_HIGH);
	assert_int_equal(cell_at(fdt, "/pmu", 2), 0xff00 | DT_LEVEL_HIGH);
	free(fdt);
	fdt = tree_with_gic(1, 2);
	assert_int_equal(cell_at(fdt, "/timer", 2), 0x100 | DT_LEVEL_HIGH);
	free(fdt);
}

static void too_little_room_is_an_error_not_an_overrun(void **state)
{
	(void)state;
	for (int bytes = 512; bytes < 2048; bytes += 64) {
		char *fdt = malloc((size_t)bytes);

		assert_int_equal(tree(fdt, bytes, 8, 3), -FDT_ERR_NOSPACE);
		free(fdt);
	}
	free(tree_of(BOARD_VCPU_MAX));
}

static void the_kernel_is_entered_as_its_boot_protocol_wants(void **state)
{
	struct arch_boot_reg regs[ARCH_BOOT_REG_COUNT];
	const struct arch_boot_reg want[] = {
		{ ARCH_REG_PC, 0x40200000 }, { ARCH_REG_X(0), 0x48000000 }, { ARCH_REG_X(1), 0 },
		{ ARCH_REG_X(2), 0 },        { ARCH_REG_X(3), 0 },          { ARCH_REG_PSTATE, 0x3c5 },
	};

	(void)state;
	arch_boot_regs(gpa(0x40200000), gpa(0x48000000), regs);
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		unsigned found = 0;

		for (unsigned k = 0; k < ARCH_BOOT_REG_COUNT; k++)
			found += regs[k].id == want[i].id && regs[k].value == want[i].value;
		assert_int_equal(found, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus_are_named_by_affinity_and_started_by_psci),
		cmocka_unit_test(timer_interrupts_are_level_ppis),
		cmocka_unit_test(the_gic_has_a_second_region_only_for_cpus_beyond_the_first),
		cmocka_unit_test(a_gicv2_has_a_cpu_interface_and_says_to_which_cpus_a_ppi_is_wired),
		cmocka_unit_test(too_little_room_is_an_error_not_an_overrun),
		cmocka_unit_test(the_kernel_is_entered_as_its_boot_protocol_wants),
	};

	return cmocka_run_group_tests_name("arch/arm64/fdt", tests, NULL, NULL);
}
