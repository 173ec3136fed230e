/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Maintenance: TLBI, DC, IC, AT and what other cpus have to do with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "arch/arm64/cpu/mmu.h"
#include "machine.h"

#define VBAR UINT64_C(0x40010000)

/* SYS #op1, C<crn>, C<crm>, #op2, x9 */
#define SYS(op1, crn, crm, op2) (0xd5080009u | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
#define TLBI_VAE1IS             SYS(0, 8, 3, 1)

enum { OK = -1 };

/* Executes one word; the exception class, or OK. */
static int step(struct cpu *c, uint32_t word)
{
	struct insn i;

	a64_decode(word, c->soc->features, false, &i);
	c->pc = 0x40000000;
	c->sys[SYS_ESR_EL1] = 0;
	i.exec(c, &i);
	return c->sys[SYS_ESR_EL1] ? (int)(c->sys[SYS_ESR_EL1] >> 26) : OK;
}

static void a_reset_between_tlbi_and_dsb_leaves_nothing_to_wait_for(void **state)
{
	struct machine m = machine_new(2);
	struct cpu *other = soc_cpu(m.soc, 1);

	(void)state;
	assert_int_equal(step(other, TLBI_VAE1IS), OK);
	soc_reset(m.soc);
	mmu_enter_guest(m.cpu);
	alarm(10);
	mmu_dsb(other);
	alarm(0);
	machine_free(&m);
}

/* Tables with 4 KiB pages, T0SZ=25: one page of VA with attributes @d, ASID @asid. */
#define TABLES (RAM_BASE + 1 * MIB)
#define DATA   (RAM_BASE + 8 * MIB)
#define VA     UINT64_C(0x40201000)

static uint64_t *map(struct machine *m, uint64_t asid, uint64_t d)
{
	uint64_t *leaf = machine_u64(m, TABLES + 8192) + (VA >> 12 & 511);

	machine_u64(m, TABLES)[VA >> 30] = (TABLES + 4096) | 3;
	machine_u64(m, TABLES + 4096)[VA >> 21 & 511] = (TABLES + 8192) | 3;
	*leaf = d | 3;
	m->cpu->sys[SYS_TCR_EL1] = 25 | UINT64_C(1) << 23 | UINT64_C(2) << 32 | TCR_AS;
	m->cpu->sys[SYS_MAIR_EL1] = 0x4400ff; /* 0 Normal, 1 Device, 2 Normal non-cacheable */
	m->cpu->sys[SYS_TTBR0_EL1] = TABLES | asid << 48;
	m->cpu->sys[SYS_SCTLR_EL1] |= SCTLR_M;
	m->cpu->sys[SYS_VBAR_EL1] = VBAR;
	mmu_regime_changed(m->cpu);
	return leaf;
}

enum { D_AF = 1 << 10, D_USER = 1 << 6, D_RO = 1 << 7 };

/* Whether a fetch of VA still finds a decoded block without translation. */
static bool has_block(struct cpu *c) { return c->ctx->jc[VA >> 2 & (JC_ENTRIES - 1)].va == VA; }

static void global_code_is_dropped_whatever_the_asid(void **state)
{
	static const uint32_t svc = 0xd4000001, off[] = { 0x52800100, 0x72b08000, 0xd4000002 };
	struct machine m = machine_new(1);

	(void)state;
	map(&m, 1, DATA | D_AF | D_USER);
	/* VBAR's page in the same tables */
	machine_u64(&m, TABLES + 8192)[VBAR >> 12 & 511] = VBAR | D_AF | 3;
	machine_u64(&m, TABLES + 4096)[VBAR >> 21 & 511] = (TABLES + 8192) | 3;
	machine_code(&m, DATA, &svc, 1);
	machine_code(&m, VBAR + 0x400, off, 3);
	cpu_set_pstate(m.cpu, 0);
	assert_int_equal(machine_run(&m, VA).reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(m.cpu->sys[SYS_ESR_EL1] >> 26, 0x15);
	cpu_set_pstate(m.cpu, 0);
	assert_true(has_block(m.cpu));
	mmu_inv_range(m.cpu, VA, 4096, 2, false); /* TLBI VAE1 with another ASID */
	assert_false(has_block(m.cpu));
	machine_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reset_between_tlbi_and_dsb_leaves_nothing_to_wait_for),
		cmocka_unit_test(global_code_is_dropped_whatever_the_asid),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
