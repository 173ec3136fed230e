/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * --jit-check: guests run as without it, and an emitter that errs is found. The emitters of ADD
 * and SUB (immediate) and of LDR and STR (immediate) err when they are told to.
 */
#include <stdlib.h>
#include <string.h>
#include <vmm/bus.h>

#include "arch/x86_64/emit.h"
#include "machine.h"
#include "vm.h"

#define SYSTEM_OFF 0x52800100, 0x72b08000, 0xd4000002 /* mov w0, #PSCI SYSTEM_OFF; hvc #0 */
#define DATA       (RAM_BASE + 0x100000)
#define TABLE      (RAM_BASE + 0x200000)
#define COUNTER    UINT64_C(0x20000000)

static enum { HONEST, WRONG_SUM, WRONG_PLACE } lie;

emit_fn __real_emit_add_imm, __wrap_emit_add_imm, __real_emit_ldst_imm, __wrap_emit_ldst_imm;

bool __wrap_emit_add_imm(struct jit *j, const struct insn *i)
{
	struct insn other = *i;

	other.imm += lie == WRONG_SUM;
	return __real_emit_add_imm(j, &other);
}

bool __wrap_emit_ldst_imm(struct jit *j, const struct insn *i)
{
	struct insn other = *i;

	if (a64_rows[i->op].flags & F_STORE)
		other.imm += lie == WRONG_PLACE ? 8 : 0;
	return __real_emit_ldst_imm(j, &other);
}

/* Memory where it is, as Normal memory: what the software TLB may hold. */
static void mmu_on(struct machine *m)
{
	*machine_u64(m, TABLE + 8) = RAM_BASE | 1 << 10 | 3 << 8 | 1;
	m->cpu->sys[SYS_TTBR0_EL1] = TABLE;
	m->cpu->sys[SYS_TCR_EL1] = UINT64_C(2) << 32 | 25;
	m->cpu->sys[SYS_MAIR_EL1] = 0xff;
	m->cpu->sys[SYS_SCTLR_EL1] |= SCTLR_M;
	mmu_regime_changed(m->cpu);
}

static struct machine checked(unsigned every)
{
	const struct jit_config jit = { .use = JIT_ON, .cache_bytes = JIT_CACHE_BYTES_MIN, .check = every };
	struct machine m;
	char text[80];

	if (!cpu_translator(text, sizeof(text)))
		skip();
	m = machine_with(1, &jit);
	mmu_on(&m);
	return m;
}

/* All that is done a counted number of times: loads and stores, exclusives, atomics, a system register. */
static void nothing_is_done_twice(void **state)
{
	static const uint32_t code[] = {
		0xf9400023, /* 1: ldr x3, [x1] */
		0x91000463, /* add x3, x3, #1 */
		0xf9000023, /* str x3, [x1] */
		0xf1000400, /* subs x0, x0, #1 */
		0x54ffff81, /* b.ne 1b */
		0xc85f7c23, /* 2: ldxr x3, [x1] */
		0x91000463, /* add x3, x3, #1 */
		0xc8047c23, /* stxr w4, x3, [x1] */
		0x35ffffa4, /* cbnz w4, 2b */
		0xf1000442, /* subs x2, x2, #1 */
		0x54ffff61, /* b.ne 2b */
		0xf8260027, /* 3: ldadd x6, x7, [x1] */
		0xa8811905, /* stp x5, x6, [x8], #16 */
		0xd53bd04d, /* mrs x13, tpidr_el0 */
		0x910005ad, /* add x13, x13, #1 */
		0xd51bd04d, /* msr tpidr_el0, x13 */
		0xf10004a5, /* subs x5, x5, #1 */
		0x54ffff48, /* b.hi 3b */
		SYSTEM_OFF,
	};

	(void)state;
	for (unsigned every = 1; every < 4; every++) {
		struct machine m = checked(every);

		machine_code(&m, RAM_BASE, code, ARRAY_SIZE(code));
		m.cpu->x[0] = m.cpu->x[2] = m.cpu->x[5] = 100;
		m.cpu->x[1] = DATA;
		m.cpu->x[6] = 10;
		m.cpu->x[8] = DATA + 16;
		assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
		assert_int_equal(*machine_u64(&m, DATA), 100 + 100 + 1000);
		assert_int_equal(m.cpu->sys[SYS_TPIDR_EL0], 100);
		assert_int_equal(m.cpu->x[8], DATA + 16 + 1600);
		assert_int_equal(*machine_u64(&m, DATA + 16), 100);
		assert_int_equal(*machine_u64(&m, DATA + 1600), 1);
		machine_free(&m);
	}
}

static enum bus_result count_accesses(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	(void)offset;
	(void)size;
	(void)write;
	*value = ++*(unsigned *)opaque;
	return BUS_OK;
}

static void a_device_is_asked_once(void **state)
{
	static const uint32_t code[] = {
		0xf9000027, /* 1: str x7, [x1] */
		0xb940014c, /* ldr w12, [x10] */
		0xf1000400, /* subs x0, x0, #1 */
		0x54ffffa1, /* b.ne 1b */
		SYSTEM_OFF,
	};
	struct machine m = checked(1);
	unsigned count = 0;
	struct bus_range r = { "counter", gpa(COUNTER), 0x1000, count_accesses, &count, NULL };

	(void)state;
	assert_int_equal(bus_add(m.bus, &r), 0);
	*machine_u64(&m, TABLE) = 1 << 10 | 1 << 2 | 1;
	machine_code(&m, RAM_BASE, code, ARRAY_SIZE(code));
	m.cpu->x[0] = 100;
	m.cpu->x[1] = DATA;
	m.cpu->x[10] = COUNTER;
	assert_int_equal(machine_run(&m, RAM_BASE).reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(count, 100);
	assert_int_equal(m.cpu->x[12], 100);
	machine_free(&m);
}

/* The report names what differs. */
static void an_emitter_that_errs_is_found(void **state)
{
	static const uint32_t code[] = {
		0xf9400023, /* 1: ldr x3, [x1] */
		0x91000463, /* add x3, x3, #1 */
		0xf9000043, /* str x3, [x2] */
		0xf1000400, /* subs x0, x0, #1 */
		0x54ffff81, /* b.ne 1b */
		SYSTEM_OFF,
	};
	static const struct {
		int lie;
		const char *words[3];
	} rows[] = {
		{ WRONG_SUM, { "x3 is 0x2 after the interpreter, 0x3 after translated code", "add x3, x3, #1" } },
		{ WRONG_PLACE,
		  { "memory at physical 0x40100000 is 0x2 after the interpreter, 0x1 after translated code" } },
	};

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		struct machine m = checked(1);
		struct hv_exit exit;
		char *said;

		lie = rows[k].lie;
		machine_code(&m, RAM_BASE, code, ARRAY_SIZE(code));
		m.cpu->x[0] = 100;
		m.cpu->x[1] = m.cpu->x[2] = DATA;
		stderr_begin();
		exit = machine_run(&m, RAM_BASE);
		said = stderr_end();
		lie = HONEST;
		assert_int_equal(exit.reason, HV_EXIT_FAIL);
		assert_string_equal(exit.fail.text, "--jit-check: translated code is wrong at 0x40000000");
		for (const char *const *w = rows[k].words; *w; w++)
			if (!strstr(said, *w))
				fail_msg("wanted \"%s\", got \"%s\"", *w, said);
		free(said);
		machine_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_done_twice),
		cmocka_unit_test(a_device_is_asked_once),
		cmocka_unit_test(an_emitter_that_errs_is_found),
	};

	return cmocka_run_group_tests_name("arch/x86_64/check", tests, NULL, NULL);
}
