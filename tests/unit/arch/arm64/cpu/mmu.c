/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translation: levels, permissions, faults and what may be remembered. The cpu is
 * driven by hand: tables are written into RAM, accesses are calls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/arm64/cpu/mmu.h"
#include "machine.h"

#define TABLES (RAM_BASE + 1 * MIB) /* tables grow from here */
#define DATA   (RAM_BASE + 8 * MIB)
#define VA     UINT64_C(0x40201000) /* in the lower half, not page 0 of anything */

#define D_TABLE  UINT64_C(3)
#define D_PAGE   UINT64_C(3)
#define D_BLOCK  UINT64_C(1)
#define D_AF     (UINT64_C(1) << 10)
#define D_NG     (UINT64_C(1) << 11)
#define D_USER   (UINT64_C(1) << 6)
#define D_RO     (UINT64_C(1) << 7)
#define D_PXN    (UINT64_C(1) << 53)
#define D_UXN    (UINT64_C(1) << 54)
#define D_DEVICE (UINT64_C(1) << 2) /* attribute 1 */
#define D_RW     (D_AF | D_USER | D_PXN | D_UXN)

#define SCTLR_RESET UINT64_C(0x30d00980)

static uint64_t next_table;

/* Granule 4, 16 or 64 KiB; sizes so that walks start at level 1 (4K), 1 (16K), 1 (64K, 48 bits: level 1). */
static void mmu_on(struct machine *m, unsigned page_shift, unsigned input_bits)
{
	uint64_t tg0 = page_shift == 12 ? 0 : page_shift == 16 ? 1 : 2;
	struct cpu *c = m->cpu;

	next_table = TABLES + 64 * KIB;
	memset(machine_u64(m, TABLES), 0, 1 * MIB);
	c->sys[SYS_TCR_EL1] = (64 - input_bits) | tg0 << 14 | UINT64_C(1) << 23 | (UINT64_C(2) << 32) | TCR_AS;
	c->sys[SYS_MAIR_EL1] = 0x00ff; /* 0 Normal, 1 Device */
	c->sys[SYS_TTBR0_EL1] = TABLES | UINT64_C(1) << 48;
	c->sys[SYS_SCTLR_EL1] = SCTLR_RESET | SCTLR_M;
	mmu_regime_changed(c);
}

/* Writes a leaf at @level, with tables above it. */
static uint64_t *map(struct machine *m, unsigned page_shift, unsigned input_bits, uint64_t va, unsigned leaf_level,
		     uint64_t d)
{
	unsigned stride = page_shift - 3, level = 3 - (input_bits - page_shift - 1) / stride;
	uint64_t table = TABLES;

	for (;; level++) {
		unsigned shift = page_shift + (3 - level) * stride;
		uint64_t *e = machine_u64(m, table) + (va >> shift & ((UINT64_C(1) << stride) - 1));

		if (level == leaf_level) {
			*e = d;
			return e;
		}
		if (!(*e & 1)) {
			*e = next_table | D_TABLE;
			next_table += UINT64_C(1) << page_shift;
		}
		table = *e & ~UINT64_C(0xfff) & ((UINT64_C(1) << 48) - 1);
	}
}

static uint64_t *map4k(struct machine *m, uint64_t va, uint64_t d) { return map(m, 12, 39, va, 3, d); }

static uint64_t esr(struct machine *m) { return m->cpu->sys[SYS_ESR_EL1]; }

/* A load at EL1: DFSC of the fault, or -1. */
static int load(struct machine *m, uint64_t va, uint64_t *v)
{
	struct cpu *c = m->cpu;

	c->pc = 0x1234000;
	if (mem_ld64(c, va, v, 0))
		return -1;
	assert_int_equal(c->sys[SYS_ELR_EL1], 0x1234000);
	return (int)(esr(m) & 0x3f);
}

static void permissions_are_those_of_the_manual(void **state)
{
	/* AP[2:1], UXN, PXN, WXN -> EL0 rwx, EL1 rwx, in bits 0..5. (Arm ARM, "Stage 1 data/instruction access
	 * permissions") */
	static const struct {
		unsigned ap, uxn, pxn, wxn, perm;
	} rows[] = {
		{ 0, 1, 1, 0, PERM_R1 | PERM_W1 },
		{ 0, 0, 0, 0, PERM_X0 | PERM_R1 | PERM_W1 | PERM_X1 },
		{ 0, 0, 0, 1, PERM_X0 | PERM_R1 | PERM_W1 },
		{ 1, 0, 0, 0, PERM_R0 | PERM_W0 | PERM_X0 | PERM_R1 | PERM_W1 },
		{ 1, 0, 0, 1, PERM_R0 | PERM_W0 | PERM_R1 | PERM_W1 },
		{ 1, 1, 0, 0, PERM_R0 | PERM_W0 | PERM_R1 | PERM_W1 },
		{ 2, 1, 0, 0, PERM_R1 | PERM_X1 },
		{ 2, 1, 0, 1, PERM_R1 | PERM_X1 },
		{ 2, 0, 1, 0, PERM_X0 | PERM_R1 },
		{ 3, 0, 0, 0, PERM_R0 | PERM_X0 | PERM_R1 | PERM_X1 },
		{ 3, 0, 1, 1, PERM_R0 | PERM_X0 | PERM_R1 },
		{ 3, 1, 0, 0, PERM_R0 | PERM_R1 | PERM_X1 },
	};
	static const enum access kinds[] = { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };
	struct machine m = machine_new(1);
	struct xlat x;

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		mmu_on(&m, 12, 39);
		m.cpu->sys[SYS_SCTLR_EL1] |= rows[k].wxn ? SCTLR_WXN : 0;
		map4k(&m, VA,
		      DATA | D_PAGE | D_AF | (uint64_t)rows[k].ap << 6 | (uint64_t)rows[k].uxn << 54 |
			      (uint64_t)rows[k].pxn << 53);
		mmu_inv_all(m.cpu);
		for (unsigned el = 0; el < 2; el++)
			for (unsigned a = 0; a < 3; a++) {
				unsigned want = rows[k].perm >> (el * 3 + a) & 1 ? 0 : 0x0f;

				assert_int_equal(mmu_translate(m.cpu, VA, el, false, kinds[a], &x) & 0x3f, want);
			}
	}
	machine_free(&m);
}

static void faults_say_level_and_address(void **state)
{
	struct machine m = machine_new(1);
	uint64_t v;

	(void)state;
	mmu_on(&m, 12, 39);
	assert_int_equal(load(&m, VA, &v), 0x05);
	assert_int_equal(esr(&m) >> 26, 0x25);
	assert_int_equal(m.cpu->sys[SYS_FAR_EL1], VA);
	assert_int_equal(load(&m, UINT64_C(1) << 39, &v), 0x04); /* beyond T0SZ */
	assert_int_equal(load(&m, ~UINT64_C(0xfff), &v), 0x04);  /* EPD1 */
	map4k(&m, VA, 0);
	assert_int_equal(load(&m, VA, &v), 0x07);
	assert_int_equal(load(&m, VA + 2 * MIB, &v), 0x06);
	map4k(&m, VA, DATA | D_PAGE | (D_RW & ~D_AF));
	assert_int_equal(load(&m, VA, &v), 0x0b);
	map4k(&m, VA, (UINT64_C(1) << 45) | D_PAGE | D_RW); /* IPS is 40 bits */
	assert_int_equal(load(&m, VA, &v), 0x03);
	map(&m, 12, 39, VA + 64 * GIB, 1, UINT64_C(0x1000000) | D_TABLE); /* a table where no memory is */
	assert_int_equal(load(&m, VA + 64 * GIB, &v), 0x16);
	map4k(&m, VA, UINT64_C(0x1000000) | D_PAGE | D_RW); /* nobody on the bus */
	assert_int_equal(load(&m, VA, &v), 0x10);
	machine_free(&m);
}

static void faults_are_not_remembered(void **state)
{
	struct machine m = machine_new(1);
	uint64_t v = 0;

	(void)state;
	mmu_on(&m, 12, 39);
	*machine_u64(&m, DATA) = 42;
	map4k(&m, VA, 0);
	assert_int_equal(load(&m, VA, &v), 0x07);
	map4k(&m, VA, DATA | D_PAGE | (D_RW & ~D_AF));
	assert_int_equal(load(&m, VA, &v), 0x0b);
	map4k(&m, VA, DATA | D_PAGE | D_AF);
	assert_int_equal(load(&m, VA, &v), -1);
	assert_int_equal(v, 42);
	machine_free(&m);
}

static void a_crossing_store_that_faults_changes_nothing(void **state)
{
	struct machine m = machine_new(1);
	uint64_t *last = machine_u64(&m, DATA + 4088);

	(void)state;
	mmu_on(&m, 12, 39);
	map4k(&m, VA, DATA | D_PAGE | D_AF);
	for (unsigned second = 0; second < 3; second++) {
		static const uint64_t d[] = { 0, DATA | D_PAGE, DATA | D_PAGE | D_AF | D_RO };
		static const unsigned dfsc[] = { 0x07, 0x0b, 0x0f };

		map4k(&m, VA + 4096, d[second]);
		mmu_inv_all(m.cpu);
		for (unsigned before = 1; before < 8; before++) {
			*last = 0x1122334455667788;
			assert_false(mem_st64(m.cpu, VA + 4096 - before, 0, 0));
			assert_int_equal(*last, 0x1122334455667788);
			assert_int_equal(m.cpu->sys[SYS_FAR_EL1], VA + 4096);
			assert_int_equal(esr(&m) & 0x7f, 0x40 | dfsc[second]);
		}
	}
	machine_free(&m);
}

static void device_memory_wants_alignment(void **state)
{
	struct machine m = machine_new(1);
	uint64_t v;

	(void)state;
	mmu_on(&m, 12, 39);
	map4k(&m, VA, DATA | D_PAGE | D_AF | D_DEVICE);
	assert_int_equal(load(&m, VA + 8, &v), -1);
	assert_int_equal(load(&m, VA + 9, &v), 0x21);
	map4k(&m, VA + 4096, DATA | D_PAGE | D_AF);
	assert_int_equal(load(&m, VA + 4096 + 9, &v), -1);
	m.cpu->sys[SYS_SCTLR_EL1] |= SCTLR_A;
	mmu_regime_changed(m.cpu);
	assert_int_equal(load(&m, VA + 4096 + 9, &v), 0x21);
	assert_int_equal(load(&m, VA + 4096 + 16, &v), -1);
	m.cpu->sys[SYS_SCTLR_EL1] = SCTLR_RESET;
	mmu_regime_changed(m.cpu);
	assert_int_equal(load(&m, DATA + 9, &v), 0x21);
	assert_int_equal(load(&m, DATA + 8, &v), -1);
	machine_free(&m);
}

static void invalidating_one_page_of_a_block_drops_all_of_it(void **state)
{
	struct machine m = machine_new(1);
	uint64_t block = VA & ~(2 * MIB - 1), v, *e;

	(void)state;
	mmu_on(&m, 12, 39);
	e = map(&m, 12, 39, block, 2, DATA | D_BLOCK | D_AF);
	for (uint64_t off = 0; off < 2 * MIB; off += 4096)
		assert_int_equal(load(&m, block + off, &v), -1);
	*e = 0;
	mmu_inv_range(m.cpu, block + 0x5000, 4096, 1, false);
	for (uint64_t off = 0; off < 2 * MIB; off += 4096)
		assert_int_equal(load(&m, block + off, &v), 0x06);
	machine_free(&m);
}

static void setting_pan_takes_user_pages_away(void **state)
{
	struct machine m = machine_new(1);
	uint64_t v;

	(void)state;
	mmu_on(&m, 12, 39);
	map4k(&m, VA, DATA | D_PAGE | D_RW);
	map4k(&m, VA + 4096, DATA | D_PAGE | D_AF);
	assert_int_equal(load(&m, VA, &v), -1);
	assert_int_equal(load(&m, VA + 4096, &v), -1);
	cpu_set_pan(m.cpu, true);
	assert_int_equal(load(&m, VA, &v), 0x0f);
	assert_int_equal(load(&m, VA + 4096, &v), -1);
	assert_true(mem_ld64(m.cpu, VA, &v, ACC_UNPRIV));
	assert_false(mem_ld64(m.cpu, VA + 4096, &v, ACC_UNPRIV));
	machine_free(&m);
}

static void an_asid_sees_its_own_pages_and_global_ones(void **state)
{
	struct machine m = machine_new(1);
	struct cpu *c = m.cpu;
	uint64_t v;

	(void)state;
	mmu_on(&m, 12, 39);
	map4k(&m, VA, DATA | D_PAGE | D_RW | D_NG);
	map4k(&m, VA + 4096, DATA | D_PAGE | D_RW);
	assert_int_equal(load(&m, VA, &v), -1);
	assert_int_equal(load(&m, VA + 4096, &v), -1);
	map4k(&m, VA, 0);
	map4k(&m, VA + 4096, 0);
	c->sys[SYS_TTBR0_EL1] = TABLES | UINT64_C(2) << 48;
	mmu_regime_changed(c);
	assert_int_equal(load(&m, VA, &v), 0x07);
	assert_int_equal(load(&m, VA + 4096, &v), -1); /* still in the TLB: nobody has invalidated it */
	c->sys[SYS_TTBR0_EL1] = TABLES | UINT64_C(1) << 48;
	mmu_regime_changed(c);
	assert_int_equal(load(&m, VA, &v), -1); /* so is this */
	mmu_inv_asid(c, 1);
	assert_int_equal(load(&m, VA, &v), 0x07);
	assert_int_equal(load(&m, VA + 4096, &v), -1);
	mmu_inv_range(c, VA + 4096, 4096, 77, false); /* any ASID reaches a global page */
	assert_int_equal(load(&m, VA + 4096, &v), 0x07);
	machine_free(&m);
}

static void all_granules_translate(void **state)
{
	static const struct {
		unsigned page_shift, input_bits;
	} g[] = {
		{ 12, 39 }, { 12, 48 }, { 12, 30 }, { 14, 47 }, { 14, 36 }, { 16, 42 }, { 16, 48 }, { 16, 29 },
	};
	struct machine m = machine_new(1);
	struct xlat x;

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(g); k++) {
		uint64_t page = UINT64_C(1) << g[k].page_shift, va = UINT64_C(0x1230000);
		unsigned block_shift = 2 * g[k].page_shift - 3;
		uint64_t block = UINT64_C(1) << block_shift, block_va = UINT64_C(3) << block_shift;

		mmu_on(&m, g[k].page_shift, g[k].input_bits);
		if (block_va >> g[k].input_bits)
			block_va = 0;
		map(&m, g[k].page_shift, g[k].input_bits, va, 3, DATA | D_PAGE | D_AF);
		assert_int_equal(mmu_translate(m.cpu, va + page - 1, 1, false, ACCESS_READ, &x), 0);
		assert_int_equal(xlat_pa(&x, va + page - 1), DATA + page - 1);
		if (block_va) {
			map(&m, g[k].page_shift, g[k].input_bits, block_va, 2,
			    (RAM_BASE & ~(block - 1)) | D_BLOCK | D_AF);
			assert_int_equal(mmu_translate(m.cpu, block_va + 0x12345, 1, false, ACCESS_READ, &x), 0);
			assert_int_equal(xlat_pa(&x, block_va + 0x12345), (RAM_BASE & ~(block - 1)) + 0x12345);
		}
	}
	machine_free(&m);
}

static void a_tag_is_ignored_with_tbi_and_kept_in_far(void **state)
{
	struct machine m = machine_new(1);
	uint64_t tagged = VA | UINT64_C(0xab) << 56, v = 0;

	(void)state;
	mmu_on(&m, 12, 39);
	*machine_u64(&m, DATA) = 43;
	map4k(&m, VA, DATA | D_PAGE | D_AF);
	assert_int_equal(load(&m, tagged, &v), 0x04);
	m.cpu->sys[SYS_TCR_EL1] |= TCR_TBI0;
	mmu_regime_changed(m.cpu);
	assert_int_equal(load(&m, tagged, &v), -1);
	assert_int_equal(v, 43);
	assert_int_equal(load(&m, tagged + 4096, &v), 0x07);
	assert_int_equal(m.cpu->sys[SYS_FAR_EL1], tagged + 4096);
	map4k(&m, VA, 0);
	mmu_inv_range(m.cpu, VA, 4096, 1, true);
	assert_int_equal(load(&m, tagged, &v), 0x07);
	machine_free(&m);
}

static void table_attributes_restrict_unless_hpd(void **state)
{
	struct machine m = machine_new(1);
	struct xlat x;
	uint64_t *table;

	(void)state;
	mmu_on(&m, 12, 39);
	map4k(&m, VA, DATA | D_PAGE | D_AF | D_USER);
	table = machine_u64(&m, TABLES) + (VA >> 30 & 511);
	*table |= UINT64_C(0x78) << 56; /* APTable=3, UXNTable, PXNTable */
	assert_int_equal(mmu_translate(m.cpu, VA, 1, false, ACCESS_READ, &x), 0);
	assert_int_equal(x.perm, PERM_R1);
	m.cpu->sys[SYS_TCR_EL1] |= TCR_HPD0;
	mmu_regime_changed(m.cpu);
	assert_int_equal(mmu_translate(m.cpu, VA, 1, false, ACCESS_READ, &x), 0);
	assert_int_equal(x.perm, PERM_R0 | PERM_W0 | PERM_X0 | PERM_R1 | PERM_W1);
	machine_free(&m);
}

/* Linux's identity map: T0SZ changes with the MMU on, and back. */
static void another_t0sz_applies_at_once(void **state)
{
	struct machine m = machine_new(1);
	uint64_t v = 0, far = UINT64_C(1) << 39 | VA;

	(void)state;
	mmu_on(&m, 12, 39);
	*machine_u64(&m, DATA) = 39;
	*machine_u64(&m, DATA + 4096) = 48;
	map4k(&m, VA, DATA | D_PAGE | D_AF);
	assert_int_equal(load(&m, VA, &v), -1);
	assert_int_equal(v, 39);
	assert_int_equal(load(&m, far, &v), 0x04);
	m.cpu->sys[SYS_TTBR0_EL1] = (TABLES + 512 * KIB) | UINT64_C(1) << 48; /* one level more above */
	machine_u64(&m, TABLES + 512 * KIB)[1] = next_table | D_TABLE;
	machine_u64(&m, next_table)[VA >> 30 & 511] = (next_table + 4096) | D_TABLE;
	machine_u64(&m, next_table + 4096)[VA >> 21 & 511] = (next_table + 8192) | D_TABLE;
	machine_u64(&m, next_table + 8192)[VA >> 12 & 511] = (DATA + 4096) | D_PAGE | D_AF;
	sys_write_tcr(m.cpu, SYS_TCR_EL1, (m.cpu->sys[SYS_TCR_EL1] & ~UINT64_C(63)) | 16);
	assert_int_equal(load(&m, far, &v), -1);
	assert_int_equal(v, 48);
	assert_int_equal(load(&m, VA, &v), 0x04);
	m.cpu->sys[SYS_TTBR0_EL1] = TABLES | UINT64_C(1) << 48;
	sys_write_tcr(m.cpu, SYS_TCR_EL1, (m.cpu->sys[SYS_TCR_EL1] & ~UINT64_C(63)) | 25);
	assert_int_equal(load(&m, VA, &v), -1);
	assert_int_equal(v, 39);
	assert_int_equal(load(&m, far, &v), 0x04);
	machine_free(&m);
}

static void bits_of_features_we_lack_mean_nothing(void **state)
{
	/* Contiguous, DBM, bits of software, PBHA. */
	static const unsigned ignored[] = { 51, 52, 55, 56, 57, 58, 59, 60, 61, 62, 63 };
	struct machine m = machine_new(1);
	struct xlat plain, x;

	(void)state;
	mmu_on(&m, 12, 39);
	map4k(&m, VA, DATA | D_PAGE | D_AF | D_RO | D_USER);
	assert_int_equal(mmu_translate(m.cpu, VA, 1, false, ACCESS_READ, &plain), 0);
	for (unsigned k = 0; k < ARRAY_SIZE(ignored); k++) {
		map4k(&m, VA, DATA | D_PAGE | D_AF | D_RO | D_USER | UINT64_C(1) << ignored[k]);
		m.cpu->sys[SYS_TTBR0_EL1] |= 1; /* CnP */
		mmu_inv_all(m.cpu);
		assert_int_equal(mmu_translate(m.cpu, VA, 1, false, ACCESS_READ, &x), 0);
		assert_memory_equal(&x, &plain, sizeof(x));
		assert_int_equal(mmu_translate(m.cpu, VA, 1, false, ACCESS_WRITE, &x) & 0x3f, 0x0f);
	}
	/* The neighbours of a contiguous entry are entries of their own. */
	map4k(&m, VA + 4096, 0);
	assert_int_equal(mmu_translate(m.cpu, VA + 4096, 1, false, ACCESS_READ, &x) & 0x3f, 0x07);
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions_are_those_of_the_manual),
		cmocka_unit_test(faults_say_level_and_address),
		cmocka_unit_test(faults_are_not_remembered),
		cmocka_unit_test(a_crossing_store_that_faults_changes_nothing),
		cmocka_unit_test(device_memory_wants_alignment),
		cmocka_unit_test(invalidating_one_page_of_a_block_drops_all_of_it),
		cmocka_unit_test(setting_pan_takes_user_pages_away),
		cmocka_unit_test(an_asid_sees_its_own_pages_and_global_ones),
		cmocka_unit_test(all_granules_translate),
		cmocka_unit_test(a_tag_is_ignored_with_tbi_and_kept_in_far),
		cmocka_unit_test(table_attributes_restrict_unless_hpd),
		cmocka_unit_test(another_t0sz_applies_at_once),
		cmocka_unit_test(bits_of_features_we_lack_mean_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
