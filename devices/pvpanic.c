/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pvpanic: the guest's kernel says that it has panicked, by one byte. */
#include <spec/board.h>
#include <spec/pvpanic.h>
#include <vmm/device.h>
#include <vmm/fdt.h>
#include <vmm/log.h>
#include <vmm/vm.h>

static enum bus_result pvpanic_access(struct device *d, unsigned range, uint64_t offset, unsigned size,
				      uint64_t *value, bool write)
{
	(void)range, (void)size;
	if (!write) {
		*value = offset ? 0 : PVPANIC_PANICKED | PVPANIC_CRASHLOADED;
		return BUS_OK;
	}
	if (offset)
		return BUS_OK;
	if (*value & PVPANIC_PANICKED)
		vm_guest_panicked(d->env->vm, "pvpanic: the guest's kernel has panicked");
	else if (*value & PVPANIC_CRASHLOADED)
		log_guest("pvpanic: the guest's kernel has panicked and starts its crash kernel");
	return BUS_OK;
}

static void pvpanic_fdt(struct device *d, struct dt *t)
{
	const struct device_range *r = &d->type->ranges[0];

	dt_begin(t, "pvpanic@%llx", (unsigned long long)r->base);
	dt_string(t, "compatible", "qemu,pvpanic-mmio");
	dt_reg(t, gpa(r->base), r->bytes);
	dt_end(t);
}

static const struct device_range pvpanic_ranges[] = { { "pvpanic", BOARD_PVPANIC_BASE, BOARD_PVPANIC_SIZE } };

static const struct device_type pvpanic_type = {
	.name = "pvpanic",
	.help = "lets the guest's kernel report a panic",
	.on_board = true,
	.ranges = pvpanic_ranges,
	.range_count = ARRAY_SIZE(pvpanic_ranges),
	.access = pvpanic_access,
	.fdt = pvpanic_fdt,
};
DEVICE(pvpanic, &pvpanic_type);
