/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The GIC in the kernel, and the ways into it. Its addresses are the board's
 * (spec/board.h). Steps are a table: what KVM refuses is told as what was being set.
 */
#include <errno.h>
#include <string.h>

#include <spec/board.h>
#include <vmm/log.h>

#include "kvm.h"

int kvm_gic_create(struct kvm_vm *k)
{
	unsigned version = (unsigned)k->vm.attr.GIC[0];
	struct kvm_create_device d = { .type = version == 2 ? KVM_DEV_TYPE_ARM_VGIC_V2 : KVM_DEV_TYPE_ARM_VGIC_V3 };
	int err = kvm_call(k->fd, KVM_CREATE_DEVICE, kvm_ptr(&d));

	if (err)
		return log_err(err, "--gic=%u: KVM refuses a GICv%u: %s; `vmm doctor' says which there are", version,
			       version, strerror(-err));
	k->gic = (int)d.fd;
	return 0;
}

struct gic_step {
	uint32_t group;
	uint64_t attr;
	uint64_t value;
	const char *what;
};

static int do_step(struct kvm_vm *k, const struct gic_step *s)
{
	uint32_t narrow = (uint32_t)s->value;
	int err = kvm_attr_set(k->gic, s->group, s->attr,
			       s->group == KVM_DEV_ARM_VGIC_GRP_NR_IRQS ? (const void *)&narrow : &s->value);

	return err ? log_err(err, "KVM's GIC: %s refused: %s", s->what, strerror(-err)) : 0;
}

static int do_steps(struct kvm_vm *k, const struct gic_step *s, unsigned count)
{
	int err = 0;

	for (unsigned i = 0; i < count && !err; i++)
		err = do_step(k, &s[i]);
	return err;
}

static int place_v2(struct kvm_vm *k)
{
	static const struct gic_step places[] = {
		{ KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_DIST, BOARD_GICD_BASE,
		  "address of the distributor" },
		{ KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_CPU, BOARD_GICC_BASE,
		  "address of the CPU interface" },
	};

	return do_steps(k, places, ARRAY_SIZE(places));
}

/* Documentation/virt/kvm/devices/arm-vgic-v3.rst: count 63:52, base 51:16, index 11:0. */
static uint64_t redist_region(uint64_t base, uint64_t count, unsigned index) { return count << 52 | base | index; }

/* Redistributors are given out in the order of vCPUs: the board's first region, then the one high up. */
static int place_v3(struct kvm_vm *k)
{
	uint64_t first = k->vcpu_count < BOARD_GICR_COUNT ? k->vcpu_count : BOARD_GICR_COUNT;
	const struct gic_step places[] = {
		{ KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, BOARD_GICD_BASE,
		  "address of the distributor" },
		{ KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
		  redist_region(BOARD_GICR_BASE, first, 0), "region of redistributors" },
		{ KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION,
		  redist_region(BOARD_GICR2_BASE, k->vcpu_count - first, 1), "second region of redistributors" },
	};

	return do_steps(k, places, k->vcpu_count > first ? 3 : 2);
}

int kvm_gic_init(struct kvm_vm *k)
{
	static const struct gic_step init[] = {
		{ KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, 32 + BOARD_SPI_COUNT, "number of interrupts" },
		{ KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, 0, "initialisation" },
	};
	int err = k->vm.attr.GIC[0] == 2 ? place_v2(k) : place_v3(k);

	return err ? err : do_steps(k, init, ARRAY_SIZE(init));
}

/* ---- Interrupts ---- */

int kvm_irq_line(struct hv_vm *vm, unsigned spi, bool level)
{
	struct kvm_irq_level line = {
		.irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (32 + spi),
		.level = level,
	};

	return spi < BOARD_SPI_COUNT ? kvm_call(kvm_of(vm)->fd, KVM_IRQ_LINE, kvm_ptr(&line)) : -EINVAL;
}

/* The routing that KVM installs by itself: gsi n is SPI n. */
int kvm_irqfd(struct hv_vm *vm, unsigned spi, int fd, bool on)
{
	struct kvm_irqfd irqfd = { .fd = (uint32_t)fd, .gsi = spi, .flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN };

	return spi < BOARD_SPI_COUNT ? kvm_call(kvm_of(vm)->fd, KVM_IRQFD, kvm_ptr(&irqfd)) : -EINVAL;
}

int kvm_ioeventfd(struct hv_vm *vm, const struct hv_ioevent *e, bool on)
{
	struct kvm_ioeventfd ioeventfd = {
		.datamatch = e->value,
		.addr = e->addr.v,
		.len = e->bytes,
		.fd = e->fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH | (on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	return kvm_call(kvm_of(vm)->fd, KVM_IOEVENTFD, kvm_ptr(&ioeventfd));
}
