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
#define TLBI_VAE1IS SYS(0, 8, 3, 1)

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reset_between_tlbi_and_dsb_leaves_nothing_to_wait_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
