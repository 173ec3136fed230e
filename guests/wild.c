/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest out of its mind: garbage to every register of every device at every
 * size, wild jumps, wild translation tables. It must stay inside: every access
 * ends, in a value or an exception, and the program goes on.
 */
#include "lib/lib.h"

static u64 seed = 88172645463325252ull;
static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static u64 value;
static void poke(u64 a)
{
	switch (a & 0x7000000000000000 ? a >> 60 & 7 : 0) {
	case 1: write8(a & 0xfffffffffff, (u8)value); break;
	case 2: write16(a & 0xfffffffffff, (u16)value); break;
	case 3: write32(a & 0xfffffffffff, (u32)value); break;
	case 4: write64(a & 0xfffffffffff, value); break;
	case 5: value ^= read8(a & 0xfffffffffff); break;
	case 6: value ^= read32(a & 0xfffffffffff); break;
	default: value ^= read64(a & 0xfffffffffff); break;
	}
}

static void jump(u64 a) { ((void (*)(void))a)(); }

static const struct {
	const char *name;
	u64 base, size;
} ranges[] = {
	{ "GICD", BOARD_GICD_BASE, BOARD_GICD_SIZE }, { "GICR", BOARD_GICR_BASE, BOARD_GICR_STRIDE },
	{ "RTC", BOARD_RTC_BASE, BOARD_RTC_SIZE },    { "GPIO", BOARD_GPIO_BASE, BOARD_GPIO_SIZE },
	{ "nothing", 0x0b000000, 0x10000 },           { "ITS", BOARD_ITS_BASE, BOARD_ITS_SIZE },
	{ "virtio", BOARD_VIRTIO_BASE, 0x4000 },
};

void test(void)
{
	unsigned faults = 0;

	mmu_on();
	for (unsigned r = 0; r < ARRAY_SIZE(ranges); r++) {
		faults = 0;
		for (unsigned i = 0; i < 3000; i++) {
			u64 size_kind = 1 + rnd() % 7, a = ranges[r].base + rnd() % ranges[r].size;

			value = rnd();
			if (i & 1)
				a &= ~7ul;
			if (ranges[r].base == BOARD_GPIO_BASE && (a & 0xfff) < 0x400)
				continue; /* the power key is not garbage */
			faults += catch_fault(poke, a | size_kind << 60).taken;
		}
		report(ranges[r].base != 0x0b000000 || faults == 3000,
		       "%s survives 3000 accesses of any size, %u aborts", ranges[r].name, faults);
	}
	for (unsigned i = 0; i < 500; i++) {
		u64 a = rnd();

		if ((a & 0xffff000000000000) == 0)
			a |= 1ul << 47;
		catch_fault(jump, i & 1 ? a : BOARD_RTC_BASE + (a & 0xffc));
	}
	report(true, "500 jumps into nowhere come back as exceptions");

	/* A table full of garbage in the top quarter of TTBR0's half, walked everywhere. */
	u64 *table = page_alloc();
	for (unsigned i = 0; i < 512; i++)
		table[i] = rnd();
	*mmu_pte(0x7e00000000, 1) = (u64)table | 3;
	dsb(ishst);
	isb();
	for (unsigned i = 0; i < 3000; i++)
		catch_fault(poke, (0x7e00000000 + rnd() % (1ul << 30)) | 5ul << 60);
	report(true, "3000 reads through garbage tables");
}
