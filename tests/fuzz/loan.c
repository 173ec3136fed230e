/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loan door: a guest under another hypervisor chooses the instruction, all registers
 * and its translation tables, and the software CPU executes it in our process.
 *
 *   u8 flags, u64 seed of the registers, then steps:
 *   0..0x9f any word; 0xa0.. a row of loads and stores; 0xc0.. a register; 0xe0.. a descriptor
 */
#include <errno.h>
#include <spec/board.h>
#include <vmm/bus.h>
#include <vmm/mem.h>

#include "../../arch/arm64/cpu/cpu.h"
#include "fuzz.h"

#define RAM_BASE    GIB
#define RAM_BYTES   (2 * MIB)
#define DEVICE      UINT64_C(0x09000000)
#define TABLES      (RAM_BASE + MIB) /* three of 4 KiB: level 1, level 2, level 3 */
#define TABLE_BYTES (3 * 4096)
#define STEPS_MAX   128

enum { FLAG_MMU = 1, FLAG_NO_FP = 2, FLAG_EL0 = 4, FLAG_SVE = 8, FLAG_TEXT = 16, FLAG_LACKING = 32 };

static struct hv_env env;
static struct cpu_loan *loan;

/* The other hypervisor: values of any kind, kept as they come. */
static struct {
	uint64_t sys[SYS_COUNT], v[32][Z_STRIDE / 8];
	unsigned flags, sets;
	uint64_t lacking; /* registers whose number modulo 64 is in it */
} other;

static enum bus_result device(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	(void)opaque;
	if (offset >= 0x800)
		return BUS_REFUSED;
	if (!write)
		*value = offset * size;
	return BUS_OK;
}

/* Row number + 1 by the part of an id that tells rows apart. */
static uint16_t by_id[1 << 19];
#define ID_SLOT(id) ((id) & (ARRAY_SIZE(by_id) - 1))

/* NULL: there is no such register. */
static void *place(uint64_t id)
{
	unsigned k = by_id[ID_SLOT(id)] - 1u;

	if ((id & ~UINT64_C(0x3e0)) == REG_ID_SVE_Z(0))
		return other.flags & FLAG_SVE ? other.v[id >> 5 & 31] : NULL;
	if (k >= SYS_COUNT || reg_rows[k].id != id || ((other.flags & FLAG_LACKING) && bit(other.lacking, k % 64)))
		return NULL;
	if (k >= SYS_V0 && k <= SYS_V31)
		return other.flags & FLAG_SVE ? NULL : other.v[k - SYS_V0];
	return &other.sys[k];
}

static int get(void *opaque, uint64_t id, void *value)
{
	const void *p = place(id);

	(void)opaque;
	if (!p)
		return -ENOENT;
	memcpy(value, p, hv_reg_bytes(id));
	return 0;
}

static int set(void *opaque, uint64_t id, const void *value)
{
	void *p = place(id);

	(void)opaque;
	EXPECT(p && memcmp(p, value, hv_reg_bytes(id)));
	memcpy(p, value, hv_reg_bytes(id));
	other.sets++;
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct soc_config cfg = { .vcpu_count = 2, .ipa_bits = 40, .pauth = true, .spi_count = 64 };

	(void)argc, (void)argv;
	for (unsigned k = 0; k < SYS_COUNT; k++)
		if (reg_rows[k].id != REG_NO_ID)
			by_id[ID_SLOT(reg_rows[k].id)] = (uint16_t)(k + 1);
	env = (struct hv_env){ .mem = mem_new(), .bus = bus_new() };
	EXPECT(env.mem && env.bus);
	EXPECT(!mem_add_ram(env.mem, "ram", gpa(RAM_BASE), RAM_BYTES));
	EXPECT(!bus_add(env.bus, &(struct bus_range){
					 .name = "device", .base = gpa(DEVICE), .bytes = 4096, .access = device }));
	EXPECT(!cpu_loan_create(&env, &cfg, 1, &loan));
	fuzz_quiet();
	return 0;
}

/* RAM at RAM_BASE as 4 KiB pages of EL0 and EL1, every fourth one the device as Normal memory. */
static void write_tables(void)
{
	uint64_t *l1 = mem_ptr(env.mem, gpa(TABLES), TABLE_BYTES), *l2 = l1 + 512, *l3 = l1 + 1024;

	l1[0] = 0x400 | 0x1; /* AF, a 1 GiB block of memory type 0: devices */
	l1[RAM_BASE / GIB] = (TABLES + 4096) | 3;
	l2[0] = (TABLES + 2 * 4096) | 3;
	for (unsigned i = 0; i < 512; i++)
		l3[i] = (i % 4 == 3 ? DEVICE : RAM_BASE + i * UINT64_C(4096)) | 0x704 | 3 | (i & 2 ? 1 << 6 : 0);
}

/* Values that lead somewhere: memory, the edges of pages, a device, small numbers, anything. */
static uint64_t likely(uint64_t r)
{
	switch (r & 7) {
	case 0: return r >> 3;
	case 1: return r >> 56;
	case 2: return 0 - (r >> 56);
	case 3: return DEVICE + (r >> 8 & 0xfff);
	case 4: return RAM_BASE + RAM_BYTES - (r >> 56);
	default: return RAM_BASE + (r >> 8 & 0x1ff000) - (r >> 58);
	}
}

static void start(unsigned flags, uint64_t seed)
{
	uint64_t s = seed | 1;

	other.flags = flags;
	other.lacking = 0;
	for (unsigned k = 0; k < SYS_COUNT; k++)
		other.sys[k] = reg_rows[k].reset;
	for (unsigned k = 0; k < 31; k++)
		other.sys[SYS_X0 + k] = likely(xorshift(&s));
	for (unsigned k = 0; k < 32; k++)
		for (unsigned d = 0; d < Z_STRIDE / 8; d++)
			other.v[k][d] = xorshift(&s);
	other.sys[SYS_SP_EL0] = likely(xorshift(&s)) & ~UINT64_C(15);
	other.sys[SYS_SP_EL1] = likely(xorshift(&s)) & ~UINT64_C(15);
	other.sys[SYS_PC] = RAM_BASE;
	if (flags & FLAG_EL0)
		other.sys[SYS_PSTATE] = 0;
	if (!(flags & FLAG_NO_FP))
		other.sys[SYS_CPACR_EL1] = 3 << 20;
	if (flags & FLAG_LACKING)
		other.lacking = xorshift(&s) & xorshift(&s) & xorshift(&s);
	if (!(flags & FLAG_MMU))
		return;
	other.sys[SYS_MAIR_EL1] = 0xff00; /* 0: Device-nGnRnE, 1: normal memory */
	other.sys[SYS_TCR_EL1] = 25 | 25 << 16 | UINT64_C(2) << 30 | UINT64_C(2) << 32;
	other.sys[SYS_TTBR0_EL1] = other.sys[SYS_TTBR1_EL1] = TABLES;
	other.sys[SYS_SCTLR_EL1] |= 1;
}

static void execute(uint32_t word)
{
	const struct cpu_loan_regs regs = { .get = get, .set = set };
	uint64_t pc = other.sys[SYS_PC];
	char text[64];
	int err;

	if (pc - RAM_BASE < RAM_BYTES - 4)
		EXPECT(!mem_write(env.mem, gpa(pc & ~UINT64_C(3)), &word, 4));
	other.sets = 0;
	err = cpu_loan_step(loan, &regs, other.flags & FLAG_TEXT ? text : NULL, sizeof(text));
	EXPECT(err == 0 || err == -EFAULT || err == -ENOTSUP);
	EXPECT(!err || !other.sets);
	EXPECT(!(other.flags & FLAG_TEXT) || strlen(text) < sizeof(text));
	if (!err && !(other.flags & FLAG_LACKING)) /* pc moved, to the next one or to a vector */
		EXPECT(other.sys[SYS_PC] != pc || other.sys[SYS_ELR_EL1] == pc);
	other.sys[SYS_PC] = RAM_BASE;
}

static void step(struct input *in)
{
	unsigned op = take_u8(in), n;
	uint64_t descriptor;
	uint32_t word;

	if (op < 0xa0) {
		execute(take_u32(in));
	} else if (op < 0xc0) {
		n = take_u16(in) % OP_COUNT;
		word = take_u32(in);
		while (!(a64_rows[n].flags & (F_LOAD | F_STORE)))
			n = (n + 1) % OP_COUNT;
		execute(a64_bits[n][1] | (word & ~a64_bits[n][0]));
	} else if (op < 0xe0) {
		n = take_u16(in) % SYS_COUNT;
		other.sys[n] = op & 1 ? take_u64(in) : likely(take_u64(in));
	} else {
		n = take_u16(in) % (TABLE_BYTES / 8);
		descriptor = take_u64(in);
		EXPECT(!mem_write(env.mem, gpa(TABLES + n * 8), &descriptor, 8));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned flags = take_u8(&in);

	EXPECT(!mem_reset(env.mem));
	write_tables();
	start(flags, take_u64(&in));
	for (unsigned n = 0; in.left && n < STEPS_MAX; n++)
		step(&in);
	return 0;
}
