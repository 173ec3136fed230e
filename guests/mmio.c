/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices accessed with every kind of load and store, not only those that tell a hypervisor in
 * their syndrome what they do: pairs, write-back, SIMD&FP, structures, exclusives, DC ZVA, from
 * EL0, across the end of a page; and the same where nobody answers.
 */
#include <spec/pl031.h>
#include <spec/pl061.h>
#include "lib/lib.h"

/* The device as Device-nGnRE, as Normal Non-cacheable, for EL0; then memory, a device, memory, nobody, nothing. */
#define DEVICE_VA 0x7100000000ul
#define NORMAL_VA 0x7200000000ul
#define EL0_VA    0x7300000000ul
#define MIXED_VA  0x7400000000ul
#define NOBODY_VA (MIXED_VA + 4 * 4096)
#define NOBODY    0x3f000000ul

#define NC     PTE_ATTR(2)
#define NGNRE  PTE_ATTR(3)
#define MAPPED (PTE_VALID | PTE_TABLE | PTE_AF | PTE_PXN | PTE_UXN)

/* Four registers in a row, then one that stays 0. */
#define DIR 0x44
#define IS  0x11
#define IBE 0x22
#define IEV 0x33

/* x0 is the base, x1 to x3 data; what they are afterwards. */
static u64 after[4];
static struct regs abort_regs;
static unsigned aborts;

static bool note_abort(struct regs *r)
{
	if (r->vector >= 8)
		return false;
	abort_regs = *r;
	aborts++;
	r->elr += 4;
	return true;
}

#define ACCESS(name, code)                                                                                \
	static void name(u64 va)                                                                          \
	{                                                                                                 \
		asm volatile(".arch armv8.5-a\n mov x0, %0\n mov x1, #0x55\n mov x2, #0x66\n"             \
			     "mov x3, #4\n" code "\n stp x0, x1, [%1]\n stp x2, x3, [%1, #16]" ::"r"(va), \
			     "r"(after)                                                                   \
			     : "x0", "x1", "x2", "x3", "x9", "memory");                                   \
	}
/* The same with two lanes as results, or with x1 and x2 in two SIMD&FP registers before. */
#define LANES(a, b)              "\n umov w1, " #a "\n umov w2, " #b
#define V_LOAD(name, code, a, b) ACCESS(name, "movi v0.16b, #0xee\n movi v1.16b, #0xee\n" code LANES(a, b))
#define V_STORE(name, code)      ACCESS(name, "dup v0.4s, w1\n dup v1.4s, w2\n" code)

ACCESS(ldr, "ldr w1, [x0]")
ACCESS(ldur, "ldur w1, [x0, #4]")
ACCESS(ldar, "ldar w1, [x0]")
ACCESS(ldr_post, "ldr w1, [x0], #-4")
ACCESS(ldr_pre, "ldr w1, [x0, #8]!")
ACCESS(ldrb_post, "ldrb w1, [x0], #1")
ACCESS(ldrh_pre, "ldrh w1, [x0, #4]!")
ACCESS(ldrsb_pre, "ldrsb x1, [x0, #4]!")
ACCESS(ldrsw_post, "ldrsw x1, [x0], #4")
ACCESS(ldp, "ldp w1, w2, [x0]")
ACCESS(ldp_offset, "ldp w1, w2, [x0, #-4]")
ACCESS(ldp_post, "ldp w1, w2, [x0], #8")
ACCESS(ldp_pre, "ldp w1, w2, [x0, #4]!")
ACCESS(ldnp, "ldnp w1, w2, [x0]")
ACCESS(ldpsw_post, "ldpsw x1, x2, [x0], #8")
ACCESS(ldp_sp, "sub x0, x0, #4\n mov x9, sp\n mov sp, x0\n ldp w1, w2, [sp], #16\n mov x0, sp\n mov sp, x9")
V_LOAD(ldr_b, "ldr b0, [x0]", v0.s[0], v0.s[1])
V_LOAD(ldr_h_post, "ldr h0, [x0], #2", v0.s[0], v0.s[1])
V_LOAD(ldr_s_pre, "ldr s0, [x0, #4]!", v0.s[0], v0.s[3])
V_LOAD(ldp_s, "ldp s0, s1, [x0]", v0.s[0], v1.s[0])
V_LOAD(ldp_s_post, "ldp s0, s1, [x0], #8", v0.s[0], v1.s[0])
V_LOAD(ld1_lane, "ld1 {v0.s}[2], [x0]", v0.s[2], v0.b[0])
V_LOAD(ld1_lane_post, "ld1 {v0.s}[2], [x0], x3", v0.s[2], v0.b[0])
V_LOAD(ld1r, "ld1r {v0.4s}, [x0]", v0.s[0], v0.s[3])
V_LOAD(ld1_2s, "ld1 {v0.2s}, [x0]", v0.s[0], v0.s[1])
V_LOAD(ld1_4s_post, "ld1 {v0.4s}, [x0], #16", v0.s[1], v0.s[2])
V_LOAD(ld1_bytes, "ld1 {v0.16b}, [x0]", v0.b[0], v0.b[4])
V_LOAD(ld2, "ld2 {v0.2s, v1.2s}, [x0]", v0.s[1], v1.s[0])
V_LOAD(ld2_lane, "ld2 {v0.s, v1.s}[3], [x0]", v0.s[3], v1.s[3])
ACCESS(stp, "stp w1, w2, [x0]")
ACCESS(stp_post, "stp w1, w2, [x0], #8")
ACCESS(stp_pre, "stp w1, w2, [x0, #4]!")
ACCESS(stnp, "stnp w1, w2, [x0]")
ACCESS(str, "str w1, [x0]")
ACCESS(stlr, "stlr w1, [x0]")
ACCESS(str_post, "str w1, [x0], #-4")
ACCESS(strb_pre, "strb w1, [x0, #4]!")
ACCESS(strh_post, "strh w1, [x0], #2")
ACCESS(str_zero_post, "str wzr, [x0], #4")
V_STORE(str_b, "str b0, [x0]")
V_STORE(str_s_post, "str s0, [x0], #4")
V_STORE(stp_s, "stp s0, s1, [x0]")
V_STORE(stp_s_pre, "stp s0, s1, [x0, #4]!")
V_STORE(st1_lane, "st1 {v0.s}[3], [x0], #4")
V_STORE(st1_2s, "st1 {v0.2s}, [x0]")
V_STORE(st2_lane, "st2 {v0.s, v1.s}[1], [x0]")

/* Base IS; how far the base moves; what the results or the registers IS, IBE, IEV are then. */
static const struct load {
	const char *name;
	void (*fn)(u64);
	long moves;
	u64 x1, x2;
} loads[] = {
	{ "LDR", ldr, 0, IS, 0x66 },
	{ "LDUR", ldur, 0, IBE, 0x66 },
	{ "LDAR", ldar, 0, IS, 0x66 },
	{ "LDR post-index", ldr_post, -4, IS, 0x66 },
	{ "LDR pre-index", ldr_pre, 8, IEV, 0x66 },
	{ "LDRB post-index", ldrb_post, 1, IS, 0x66 },
	{ "LDRH pre-index", ldrh_pre, 4, IBE, 0x66 },
	{ "LDRSB pre-index", ldrsb_pre, 4, IBE, 0x66 },
	{ "LDRSW post-index", ldrsw_post, 4, IS, 0x66 },
	{ "LDP", ldp, 0, IS, IBE },
	{ "LDP with offset", ldp_offset, 0, DIR, IS },
	{ "LDP post-index", ldp_post, 8, IS, IBE },
	{ "LDP pre-index", ldp_pre, 4, IBE, IEV },
	{ "LDNP", ldnp, 0, IS, IBE },
	{ "LDPSW post-index", ldpsw_post, 8, IS, IBE },
	{ "LDP post-index by SP", ldp_sp, 12, DIR, IS },
	{ "LDR B", ldr_b, 0, IS, 0 },
	{ "LDR H post-index", ldr_h_post, 2, IS, 0 },
	{ "LDR S pre-index", ldr_s_pre, 4, IBE, 0 },
	{ "LDP S", ldp_s, 0, IS, IBE },
	{ "LDP S post-index", ldp_s_post, 8, IS, IBE },
	{ "LD1 lane", ld1_lane, 0, IS, 0xee },
	{ "LD1 lane post-index by register", ld1_lane_post, 4, IS, 0xee },
	{ "LD1R", ld1r, 0, IS, IS },
	{ "LD1 .2S", ld1_2s, 0, IS, IBE },
	{ "LD1 .4S post-index", ld1_4s_post, 16, IBE, IEV },
	{ "LD1 .16B", ld1_bytes, 0, IS, IBE },
	{ "LD2", ld2, 0, IEV, IBE },
	{ "LD2 lane", ld2_lane, 0, IS, IBE },
};

static const struct store {
	const char *name;
	void (*fn)(u64);
	long moves;
	u32 is, ibe, iev;
} stores[] = {
	{ "STR", str, 0, 0x55, IBE, IEV },
	{ "STLR", stlr, 0, 0x55, IBE, IEV },
	{ "STP", stp, 0, 0x55, 0x66, IEV },
	{ "STP post-index", stp_post, 8, 0x55, 0x66, IEV },
	{ "STP pre-index", stp_pre, 4, IS, 0x55, 0x66 },
	{ "STNP", stnp, 0, 0x55, 0x66, IEV },
	{ "STR post-index", str_post, -4, 0x55, IBE, IEV },
	{ "STRB pre-index", strb_pre, 4, IS, 0x55, IEV },
	{ "STRH post-index", strh_post, 2, 0x55, IBE, IEV },
	{ "STR WZR post-index", str_zero_post, 4, 0, IBE, IEV },
	{ "STR B", str_b, 0, 0x55, IBE, IEV },
	{ "STR S post-index", str_s_post, 4, 0x55, IBE, IEV },
	{ "STP S", stp_s, 0, 0x55, 0x66, IEV },
	{ "STP S pre-index", stp_s_pre, 4, IS, 0x55, 0x66 },
	{ "ST1 lane post-index", st1_lane, 4, 0x55, IBE, IEV },
	{ "ST1 .2S", st1_2s, 0, 0x55, 0x55, IEV },
	{ "ST2 lane", st2_lane, 0, 0x55, 0x66, IEV },
};

static u32 gpio(unsigned reg) { return read32(BOARD_GPIO_BASE + reg); }

static void fill(void)
{
	write32(BOARD_GPIO_BASE + PL061_DIR, DIR);
	write32(BOARD_GPIO_BASE + PL061_IS, IS);
	write32(BOARD_GPIO_BASE + PL061_IBE, IBE);
	write32(BOARD_GPIO_BASE + PL061_IEV, IEV);
}

static bool unchanged(void)
{
	return gpio(PL061_DIR) == DIR && gpio(PL061_IS) == IS && gpio(PL061_IBE) == IBE && gpio(PL061_IEV) == IEV;
}

static void everything_works(u64 gpio_va, const char *how)
{
	u64 base = gpio_va + PL061_IS;
	unsigned wrong = 0;

	for (unsigned k = 0; k < ARRAY_SIZE(loads); k++) {
		const struct load *l = &loads[k];

		fill();
		aborts = 0;
		l->fn(base);
		if (aborts || after[0] != base + (u64)l->moves || after[1] != l->x1 || after[2] != l->x2 ||
		    !unchanged())
			if (wrong++ < 5)
				print("# %s: %u aborts, base %lx of %lx, %lx %lx\n", l->name, aborts, after[0], base,
				      after[1], after[2]);
	}
	report(!wrong, "%lu kinds of load from a device mapped as %s", ARRAY_SIZE(loads), how);
	wrong = 0;
	for (unsigned k = 0; k < ARRAY_SIZE(stores); k++) {
		const struct store *s = &stores[k];

		fill();
		aborts = 0;
		s->fn(base);
		if (aborts || after[0] != base + (u64)s->moves || gpio(PL061_DIR) != DIR || gpio(PL061_IS) != s->is ||
		    gpio(PL061_IBE) != s->ibe || gpio(PL061_IEV) != s->iev)
			if (wrong++ < 5)
				print("# %s: %u aborts, base %lx of %lx, %x %x %x\n", s->name, aborts, after[0], base,
				      gpio(PL061_IS), gpio(PL061_IBE), gpio(PL061_IEV));
	}
	report(!wrong, "%lu kinds of store to a device mapped as %s", ARRAY_SIZE(stores), how);
}

V_LOAD(ld4, "ld4 {v0.4s, v1.4s, v2.4s, v3.4s}, [x0], #64", v0.s[3], v3.s[3])
V_LOAD(ld1_id, "ld1 {v0.4s}, [x0]", v0.s[0], v0.s[1])
V_LOAD(ldr_h, "ldr h0, [x0]", v0.s[0], v0.s[1])

static void identification(u64 rtc_va)
{
	ld4(rtc_va + 0xfc0);
	report(after[1] == 0x0d && after[2] == 0xb1 && after[0] == rtc_va + 0x1000,
	       "LD4 takes 16 registers apart: the last structure is a PrimeCell's id (%lx %lx)", after[1], after[2]);
	ldp(BOARD_UART_BASE + 0xfe0);
	report(after[1] == 0x11 && after[2] == 0x10, "LDP: the PL011 says that it is one");
	ld1_id(BOARD_GPIO_BASE + 0xfe0);
	report(after[1] == 0x61 && after[2] == 0x10, "LD1: the PL061 says that it is one");
}

/* ---- What ends in an abort ---- */

ACCESS(ldp_x, "ldp x1, x2, [x0]")
ACCESS(ldp_x_pre, "ldp x1, x2, [x0, #16]!")
ACCESS(stp_x_post, "stp x1, x2, [x0], #16")
ACCESS(ldr_x_post, "ldr x1, [x0], #8")
V_STORE(str_q_post, "str q0, [x0], #16")
ACCESS(ldp_d_post, "ldp d0, d1, [x0], #16")
ACCESS(zva, "dc zva, x0")
ACCESS(ldxr, "ldxr w1, [x0]")
ACCESS(stxr, "stxr w2, w1, [x0]")
ACCESS(ldadd, "ldadd w1, w2, [x0]")
ACCESS(cas, "cas w1, w2, [x0]")

static const struct access {
	const char *name;
	void (*fn)(u64);
} wide[] = {
	{ "LDP X", ldp_x },
	{ "LDP X pre-index", ldp_x_pre },
	{ "STP X post-index", stp_x_post },
	{ "LDR X post-index", ldr_x_post },
	{ "STR Q post-index", str_q_post },
	{ "LDP D post-index", ldp_d_post },
}, narrow[] = {
	{ "LDR", ldr },
	{ "STR", str },
	{ "LDP", ldp },
	{ "LDP post-index", ldp_post },
	{ "STP pre-index", stp_pre },
	{ "LDR S pre-index", ldr_s_pre },
	{ "LD1 lane post-index", ld1_lane_post },
	{ "ST2 lane", st2_lane },
};

/* At EL1, @fsc, FAR in [@far, @far + @size), and x0 to x3 as they were before. */
static bool aborted(unsigned fsc, u64 far, u64 size, u64 base)
{
	const struct regs *r = &abort_regs;

	return aborts == 1 && r->esr >> 26 == 0x25 && (r->esr & 1 << 25) && (r->esr & 0x3f) == fsc &&
	       r->far - far < size && r->x[0] == base && r->x[1] == 0x55 && r->x[2] == 0x66;
}

static void all_abort(const struct access *a, unsigned count, u64 va, const char *what)
{
	unsigned wrong = 0;

	for (unsigned k = 0; k < count; k++) {
		u64 offset = a[k].fn == ldp_x_pre ? 16 : a[k].fn == stp_pre || a[k].fn == ldr_s_pre ? 4 : 0;

		fill();
		aborts = 0;
		a[k].fn(va);
		if (!aborted(0x10, va + offset, 1, va) || !unchanged())
			if (wrong++ < 5)
				print("# %s: %u aborts, esr %lx far %lx x0 %lx\n", a[k].name, aborts, abort_regs.esr,
				      abort_regs.far, abort_regs.x[0]);
	}
	report(!wrong, "%u kinds of access %s: external abort, right FAR, nothing changed", count, what);
}

/* Arm ARM, "Exclusive access instructions and Device memory": they need not work; then DFSC 0x35, or the abort. */
static void exclusives(u64 va, const char *how)
{
	bool lse = (read_sysreg(id_aa64isar0_el1) >> 20 & 0xf) >= 2;
	const struct access a[] = { { "LDXR", ldxr }, { "STXR", stxr }, { "LDADD", ldadd }, { "CAS", cas } };
	unsigned wrong = 0;

	for (unsigned k = 0; k < (lse ? 4 : 2); k++) {
		fill();
		aborts = 0;
		a[k].fn(va + PL061_IS);
		if (aborts) {
			unsigned fsc = abort_regs.esr & 0x3f;

			wrong += (fsc != 0x35 && fsc != 0x10) || abort_regs.far != va + PL061_IS || !unchanged();
		} else {
			wrong += a[k].fn == stxr ? after[2] != 1 : a[k].fn == ldxr && after[1] != IS;
		}
		asm volatile("clrex");
	}
	report(!wrong, "exclusives and atomics on a device mapped as %s abort, or do what they say", how);
}

/* ---- Across the end of a page ---- */

static void mixed(void)
{
	u64 device = MIXED_VA + 4096;
	u32 *first = page_alloc(), *second = page_alloc(), now;

	mmu_map(MIXED_VA, (u64)first, PTE_NORMAL);
	mmu_map(device, BOARD_RTC_BASE, MAPPED | NC);
	mmu_map(device + 4096, (u64)second, PTE_NORMAL);
	mmu_map(NOBODY_VA - 4096, (u64)first, PTE_NORMAL);
	mmu_map(NOBODY_VA, NOBODY, MAPPED | NC);
	first[1023] = 0x12345678;
	second[0] = 0x9abcdef0;
	aborts = 0;
	now = read32(BOARD_RTC_BASE + PL031_DR);
	ldp_post(device - 4);
	report(!aborts && after[0] == device + 4 && after[1] == 0x12345678 && (u32)after[2] - now < 5,
	       "LDP of a word of memory and of a clock in the next page");
	ldp_s_post(device + 0xffc);
	report(!aborts && after[0] == device + 0x1004 && after[1] == 0xb1 && after[2] == 0x9abcdef0,
	       "LDP S of a device's last register and of memory");
	stp_post(device - 4);
	report(!aborts && after[0] == device + 4 && first[1023] == 0x55, "STP to memory and a device");
	stp_s(device + 0xffc);
	report(!aborts && second[0] == 0x66, "STP S to a device and memory");
	ldp_post(NOBODY_VA - 4);
	report(aborted(0x10, NOBODY_VA, 1, NOBODY_VA - 4), "memory and nobody: FAR is the second page (%lx)",
	       abort_regs.far);
	*mmu_pte(device + 4096, 3) = 0;
	mmu_flush(device + 4096);
	aborts = 0;
	ldp_post(device + 0xffc);
	report(aborted(7, device + 4096, 1, device + 0xffc), "a device and an unmapped page: translation fault (%lx)",
	       abort_regs.esr);
}

/* ---- EL0 ---- */

static void at_el0(void)
{
	/* ldp w1, w2, [x0], #8; ldr s0, [x0], #4; umov w3, v0.s[0]; orr x0, x1, x2, lsl #16; orr x0, x0, x3, lsl #32
	 */
	static const u32 load[] = { 0x28c10801, 0xbc404400, 0x0e043c03, 0xaa024020, 0xaa038000 };
	static const u32 load_pair[] = { 0x28c10801 };
	u64 got;

	fill();
	mmu_map(EL0_VA, BOARD_GPIO_BASE, MAPPED | NGNRE | PTE_USER);
	mmu_map(EL0_VA + 4096, NOBODY, MAPPED | NGNRE | PTE_USER);
	got = el0_call(el0_code(load, ARRAY_SIZE(load)), 0, EL0_VA + PL061_IS);
	report(!el0_fault().taken && got == ((u64)IEV << 32 | IBE << 16 | IS), "LDP and LDR S of EL0 (%lx)", got);
	el0_call(el0_code(load_pair, 1), 0, EL0_VA + 4096);
	report(fault_ec(el0_fault()) == 0x24 && fault_fsc(el0_fault()) == 0x10 && el0_fault().far == EL0_VA + 4096,
	       "LDP of EL0 where nobody answers: the kernel gets the external abort");
	asm volatile("mov x0, %1\n ldtr w1, [x0]\n mov %0, x1"
		     : "=r"(got)
		     : "r"(EL0_VA + PL061_IS)
		     : "x0", "x1", "memory");
	report(got == IS, "LDTR");
}

static void unaligned(void)
{
	write32(BOARD_RTC_BASE + PL031_MR, 0x44332211);
	mmu_map(DEVICE_VA + 4096, BOARD_RTC_BASE, MAPPED | NGNRE);
	mmu_map(NORMAL_VA + 4096, BOARD_RTC_BASE, MAPPED | NC);
	aborts = 0;
	ldr_h(NORMAL_VA + 4096 + PL031_MR + 1);
	report(!aborts && after[1] == 0x3322 && after[2] == 0, "an unaligned LDR H from Normal Non-cacheable (%lx)",
	       after[1]);
	ldr_h(DEVICE_VA + 4096 + PL031_MR + 1);
	report(aborts == 1 && (abort_regs.esr & 0x3f) == 0x21, "from Device memory it is an alignment fault");
	aborts = 0;
	ldp_post(NORMAL_VA + 4096 + PL031_MR + 2);
	report(aborted(0x10, NORMAL_VA + 4096 + PL031_MR, 8, NORMAL_VA + 4096 + PL031_MR + 2),
	       "words across registers: the device refuses (%lx)", abort_regs.esr);
}

void test(void)
{
	mmu_on();
	write_sysreg(mair_el1, 0x0444ff00); /* 2: Normal Non-cacheable, 3: Device-nGnRE */
	isb();
	sync_handler = note_abort;
	mmu_map(DEVICE_VA, BOARD_GPIO_BASE, MAPPED | NGNRE);
	mmu_map(NORMAL_VA, BOARD_GPIO_BASE, MAPPED | NC);

	everything_works(DEVICE_VA, "Device-nGnRE");
	everything_works(NORMAL_VA, "Normal Non-cacheable");
	identification(BOARD_RTC_BASE);
	all_abort(narrow, ARRAY_SIZE(narrow), NOBODY, "where nobody answers");
	all_abort(wide, ARRAY_SIZE(wide), NOBODY, "of 64 bits and more where nobody answers");
	all_abort(wide, ARRAY_SIZE(wide), DEVICE_VA + PL061_DIR, "of 64 bits, which the device refuses");
	exclusives(DEVICE_VA, "Device-nGnRE");
	exclusives(NORMAL_VA, "Normal Non-cacheable");
	mixed();
	at_el0();
	unaligned();

	fill();
	aborts = 0;
	zva(NORMAL_VA + PL061_DIR + 4);
	report(aborted(0x10, NORMAL_VA + PL061_DIR + 4, 1, NORMAL_VA + PL061_DIR + 4) && unchanged(),
	       "DC ZVA of a device that has no 64-bit registers: external abort, FAR as given (%lx)", abort_regs.esr);
	aborts = 0;
	zva(DEVICE_VA + PL061_DIR);
	report(aborted(0x21, DEVICE_VA + PL061_DIR, 1, DEVICE_VA + PL061_DIR),
	       "DC ZVA of Device memory: alignment fault");
	zva(NOBODY_VA);
	report(aborts == 2 && (abort_regs.esr & 0x3f) == 0x10 && abort_regs.far == NOBODY_VA,
	       "DC ZVA where nobody answers: external abort");
}
