/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bus door: what a guest can do to devices and to the GIC by loads and
 * stores. All registered devices are in the machine and the ranges come from
 * the bus, so a new device is here without anybody asking.
 *
 * An input is a list of accesses, with the host's own doings (keys typed, a
 * turn of the loop, the power button, a reset) in between. It goes to one of
 * two machines, which differ in their GIC.
 */
#include <spec/board.h>
#include <spec/image.h>
#include <vmm/console.h>
#include <vmm/device.h>
#include <vmm/mem.h>

#include "../../src/vm.h"
#include "devices.h"
#include "fuzz.h"
#include "turn.h"

#define RAM_BYTES (8 * MIB)

static struct vm *vms[2], *vm;
static unsigned range_count;

static void build(unsigned which, const char *kernel)
{
	static struct vm_config cfgs[2];
	struct vm_config *cfg = &cfgs[which];
	const uint64_t cpus = 3, gic = 3 - which;
	const struct device_type *t;
	enum proc_exit status;

	*cfg = (struct vm_config){ .ram_bytes = RAM_BYTES, .console = "null", .cmdline = "", .kernel = kernel };
	for (unsigned i = 0; (t = device_type_at(i)); i++)
		if (!t->on_board && fuzz_can_make(t))
			(void)fuzz_device(&cfg->devices, t);
	hv_block_init(&cfg->attr);
	EXPECT(!hv_block_add(&cfg->attr, HV_ATTR_VCPU_COUNT, &cpus, 1));
	EXPECT(!hv_block_add(&cfg->attr, HV_ATTR_GIC, &gic, 1));
	/* A device that cannot be without options fails here, and says so: its type's `trial' has some. */
	EXPECT(!vm_build(cfg, &vms[which], &status));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct image_header h = { .image_size = sizeof(h), .magic = IMAGE_MAGIC };
	struct fuzz_file kernel = fuzz_file(&h, sizeof(h));

	(void)argc, (void)argv;
	log_set_level(LOG_ERR);
	build(0, kernel.path);
	build(1, kernel.path);
	close(kernel.fd);
	vm = vms[0];
	while (bus_range_at(vm->bus, range_count))
		range_count++;
	fuzz_quiet();
	return 0;
}

/* All operations have the same size, so that a mutation changes one and leaves the others where they are. */
struct op {
	uint8_t what;  /* 0x80: the host; else bits 1:0 size, 2 write, 6:3 bits 19:16 of the offset */
	uint8_t range; /* 0x80 in the first one: the machine */
	uint16_t offset;
	uint32_t value;
};
_Static_assert(sizeof(struct op) == 8, "tests/fuzz/seeds writes these");

static void access_bus(const struct op *op)
{
	unsigned size = 1u << (op->what & 3);
	bool write = op->what & 4;
	const struct bus_range *r = bus_range_at(vm->bus, (op->range & 0x7f) % (range_count + 1));
	uint64_t offset = (uint64_t)(op->what >> 3 & 15) << 16 | op->offset,
		 value = op->value * UINT64_C(0x100000001);
	uint64_t a = r ? r->base.v + offset % r->bytes : (uint64_t)op->value << 16 | op->offset;
	enum bus_result result = bus_access(vm->bus, gpa(a), size, &value, write);

	EXPECT(result == BUS_OK || result == BUS_NOBODY || result == BUS_REFUSED);
	if (r)
		EXPECT(result != BUS_NOBODY);
	if (result == BUS_OK && !write && size < 8)
		EXPECT(!(value >> (8 * size)));
}

static void host_does(const struct op *op)
{
	switch (op->what & 3) {
	case 0: console_type(vm->console, (const uint8_t *)&op->value, op->range % 5); break;
	case 1: devices_power_button(&vm->devices); break;
	case 2: fuzz_turn(vm->loop, 0); break;
	case 3: devices_reset(&vm->devices); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t bytes[64];

	fuzz_signals();
	vm = vms[size > 1 && data[1] >> 7];
	EXPECT(!mem_reset(vm->mem) && !hv_vm_reset(vm->hv));
	devices_reset(&vm->devices);
	while (console_read(vm->console, bytes, sizeof(bytes)))
		;
	while (in.left) {
		struct op op;

		take(&in, &op, sizeof(op));
		if (op.what & 0x80)
			host_does(&op);
		else
			access_bus(&op);
	}
	return 0;
}
