/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instruction door: any words on any cpu state, one after another, with
 * translation through page tables that the input may have changed.
 *
 *   u8 flags, u64 seed of the general registers, then steps:
 *   0..0x9f one instruction; 0xa0.. a system register; 0xc0.. a descriptor; 0xe0.. a general register
 */
#include <spec/board.h>
#include <vmm/bus.h>
#include <vmm/loop.h>
#include <vmm/mem.h>

#include "../../arch/arm64/cpu/cpu.h"
#include "fuzz.h"

#define RAM_BASE    GIB
#define RAM_BYTES   (2 * MIB)
#define DEVICE      UINT64_C(0x09000000)
#define TABLES      (RAM_BASE + MIB) /* three of 4 KiB: level 1, level 2, level 3 */
#define TABLE_BYTES (3 * 4096)
#define USER        (UINT64_C(1) << 6)
#define STEPS_MAX   256

static struct hv_env env;
static struct soc *soc;
static struct hv_exit leave;

static enum bus_result device(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	(void)opaque;
	if (offset >= 0x800)
		return BUS_REFUSED;
	if (!write)
		*value = offset * size;
	return BUS_OK;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct soc_config cfg = { .vcpu_count = 2, .ipa_bits = 40, .pauth = true, .spi_count = 64 };

	(void)argc, (void)argv;
	env = (struct hv_env){ .mem = mem_new(), .bus = bus_new(), .loop = loop_new() };
	EXPECT(env.mem && env.bus && env.loop);
	EXPECT(!mem_add_ram(env.mem, "ram", gpa(RAM_BASE), RAM_BYTES));
	EXPECT(!bus_add(env.bus, &(struct bus_range){
					 .name = "device", .base = gpa(DEVICE), .bytes = 4096, .access = device }));
	EXPECT(!soc_create(&cfg, &env, &soc));
	for (unsigned i = 0; i < cfg.vcpu_count; i++)
		soc_cpu(soc, i)->exit = &leave;
	fuzz_quiet();
	return 0;
}

/*
 * Both halves of the address space: RAM at RAM_BASE as 4 KiB pages (odd ones
 * also the user's), the device at its own place as a block, the rest nothing.
 */
static void write_tables(void)
{
	uint64_t *l1 = mem_ptr(env.mem, gpa(TABLES), TABLE_BYTES), *l2 = l1 + 512, *l3 = l1 + 1024;

	l1[0] = 0x400 | 0x1; /* AF, a 1 GiB block of memory type 0: devices */
	l1[RAM_BASE / GIB] = (TABLES + 4096) | 3;
	l2[0] = (TABLES + 2 * 4096) | 3;
	for (unsigned i = 0; i < 512; i++)
		l3[i] = (RAM_BASE + i * UINT64_C(4096)) | 0x704 | 3 | (i & 1 ? USER : 0);
}

static void set_sys(struct cpu *c, unsigned reg, uint64_t value)
{
	const struct reg_row *row = &reg_rows[reg];

	if ((row->access & REG_W1) && (soc->features >> row->feat & 1))
		row->write(c, reg, value & row->mask);
}

static void translation_on(struct cpu *c)
{
	const uint64_t tcr =
		25 | 25 << 16 | UINT64_C(2) << 30 | UINT64_C(2) << 32; /* 39 bits, 4 KiB pages, 40-bit IPA */

	set_sys(c, SYS_MAIR_EL1, 0xff00); /* 0: Device-nGnRnE, 1: normal memory */
	set_sys(c, SYS_TCR_EL1, tcr);
	set_sys(c, SYS_TTBR0_EL1, TABLES);
	set_sys(c, SYS_TTBR1_EL1, TABLES);
	set_sys(c, SYS_SCTLR_EL1, reg_rows[SYS_SCTLR_EL1].reset | 1);
}

/* Values that lead somewhere: memory, its edges, a device, small numbers, anything. */
static uint64_t likely(uint64_t r)
{
	switch (r & 7) {
	case 0: return r >> 3;
	case 1: return r >> 56;
	case 2: return 0 - (r >> 56);
	case 3: return DEVICE + (r >> 8 & 0xfff);
	case 4: return RAM_BASE + RAM_BYTES - (r >> 56);
	case 5: return RAM_BASE + (r >> 8 & 0xff000) - (r >> 60);
	default: return RAM_BASE + (r >> 8 & 0x1ffff8);
	}
}

static void fill_registers(struct cpu *c, uint64_t seed)
{
	uint64_t s = seed | 1;

	for (unsigned i = 0; i <= SLOT_SP; i++)
		c->x[i] = likely(xorshift(&s));
	for (unsigned i = 0; i < 32; i++)
		for (unsigned k = 0; k < 2; k++)
			cpu_v(c, i)->d[k] = xorshift(&s);
}

static void instruction(struct cpu *c, uint32_t word)
{
	struct insn i;
	enum exec r;

	a64_decode(word, soc->features, c->fp_trapped, &i);
	r = i.exec(c, &i);
	EXPECT(r == EXEC_NEXT || r == EXEC_JUMP || r == EXEC_LEAVE);
	if (r == EXEC_NEXT)
		c->pc += 4;
	EXPECT(c->x[SLOT_ZERO] == 0 && c->el <= 1 && c->spsel <= 1);
	EXPECT(!(c->nzcv & ~PSTATE_NZCV) && !(c->daif & ~PSTATE_DAIF) && c->btype <= 3);
	/* What the dispatcher would do between two blocks. */
	if (atomic_load(&c->exit_req) & REQ_RING)
		mmu_drain_ring(c);
	leave.reason = HV_EXIT_COUNT;
	c->waiting = WAIT_NONE;
	atomic_store(&c->power, POWER_ON);
}

static void step(struct cpu *c, struct input *in)
{
	unsigned op = take_u8(in), n;
	uint64_t descriptor, value;

	if (op < 0xa0) {
		instruction(c, take_u32(in));
	} else if (op < 0xc0) {
		n = take_u16(in) % SYS_COUNT;
		set_sys(c, n, op & 1 ? take_u64(in) : likely(take_u64(in)));
	} else if (op < 0xe0) {
		n = take_u16(in) % (TABLE_BYTES / 8);
		descriptor = take_u64(in);
		EXPECT(!mem_write(env.mem, gpa(TABLES + n * 8), &descriptor, 8));
		mmu_inv_all(c);
	} else {
		value = take_u64(in);
		c->x[op & 31] = op & 0x10 ? likely(value) : value;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct cpu *c = soc_cpu(soc, 0);
	unsigned flags = take_u8(&in);

	EXPECT(!mem_reset(env.mem));
	soc_reset(soc);
	leave.reason = HV_EXIT_COUNT;
	write_tables();
	fill_registers(c, take_u64(&in));
	if (flags & 1)
		translation_on(c);
	if (!(flags & 2))
		set_sys(c, SYS_CPACR_EL1, UINT64_C(3) << 20);
	if (flags & 4)
		cpu_set_el(c, 0, 0);
	c->fpcr = flags & 8 ? 0x07f79f00 & take_u32(&in) : 0;
	c->pc = RAM_BASE;
	for (unsigned n = 0; in.left && n < STEPS_MAX; n++)
		step(c, &in);
	return 0;
}
