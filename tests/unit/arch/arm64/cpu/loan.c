/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One instruction for somebody else. The other hypervisor is a second soc, reached by
 * register ids only; with SVE it has Z instead of V registers. What must come of an
 * instruction is what a third soc makes of it that executes it itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <spec/board.h>
#include <vmm/mem.h>

#include "machine.h"

#define DEVICE  UINT64_C(0x09000000) /* two pages that answer and one that refuses */
#define NOBODY  UINT64_C(0x0b000000)
#define CODE    (RAM_BASE + 0x2000)
#define DATA    (RAM_BASE + 0x10000)
#define TABLES  (RAM_BASE + 1 * MIB)
#define VECTORS (RAM_BASE + 0x8000)

/* Virtual pages in a row: memory, the device as Normal Non-cacheable, memory, nothing, EL0's memory, EL0's device,
 * nobody. */
#define PAGES      UINT64_C(0x50000000)
#define NC_VA      (PAGES + 0x1000)
#define HOLE_VA    (PAGES + 0x3000)
#define USER_NC_VA (PAGES + 0x5000)
#define NOBODY_VA  (PAGES + 0x6000)

enum { DEVICE_BYTES = 0x2000, LOG = 64 };

/* ---- A guest: memory, a device that is memory too, and what it was asked ---- */

struct guest {
	struct machine m;
	uint8_t device[DEVICE_BYTES];
	struct {
		uint64_t offset, value;
		unsigned size;
		bool write;
	} log[LOG];
	unsigned asked;
};

static enum bus_result access_device(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	struct guest *g = opaque;

	if (offset + size > DEVICE_BYTES)
		return BUS_REFUSED;
	memcpy(write ? (void *)(g->device + offset) : (void *)value,
	       write ? (void *)value : (void *)(g->device + offset), size);
	if (g->asked < LOG) {
		g->log[g->asked].offset = offset;
		g->log[g->asked].value = *value;
		g->log[g->asked].size = size;
		g->log[g->asked].write = write;
	}
	g->asked++;
	return BUS_OK;
}

static void sys(struct guest *g, unsigned reg, uint64_t v)
{
	reg_rows[reg].write(g->m.cpu, reg, v & reg_rows[reg].mask);
}

static void mmu_on(struct guest *g)
{
	uint64_t *l1 = machine_u64(&g->m, TABLES), *l2 = l1 + 512, *l3 = l1 + 1024;
	const uint64_t normal = 0x703, nc = 0xb | 0x400, user = 1 << 6;

	l1[0] = 0x401 | 1 << 2; /* Device-nGnRnE */
	l1[1] = (TABLES + 0x1000) | 3;
	for (unsigned k = 0; k < 128; k++)
		l2[k] = (RAM_BASE + k * 2 * MIB) | 0x701;
	l2[(PAGES - RAM_BASE) / (2 * MIB)] = (TABLES + 0x2000) | 3;
	l3[0] = DATA | normal;
	l3[1] = DEVICE | nc;
	l3[2] = (DATA + 0x1000) | normal;
	l3[4] = (DATA + 0x2000) | normal | user;
	l3[5] = (DEVICE + 0x1000) | nc | user;
	l3[6] = NOBODY | nc;
	sys(g, SYS_MAIR_EL1, 0x4400ff); /* 0 Normal, 1 Device, 2 Non-cacheable */
	sys(g, SYS_TCR_EL1, 25 | UINT64_C(1) << 23 | UINT64_C(2) << 32 | TCR_AS);
	sys(g, SYS_TTBR0_EL1, TABLES | UINT64_C(0x1234) << 48);
	sys(g, SYS_SCTLR_EL1, reg_rows[SYS_SCTLR_EL1].reset | SCTLR_M);
}

static struct guest *guest_new(void)
{
	struct guest *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	g->m = machine_new(1);
	assert_int_equal(bus_add(g->m.bus, &(struct bus_range){ .name = "device",
								.base = gpa(DEVICE),
								.bytes = DEVICE_BYTES + 0x1000,
								.access = access_device,
								.opaque = g }),
			 0);
	sys(g, SYS_VBAR_EL1, VECTORS);
	sys(g, SYS_CPACR_EL1, 3 << 20);
	g->m.cpu->pc = CODE;
	return g;
}

static void guest_free(struct guest *g)
{
	machine_free(&g->m);
	free(g);
}

/* ---- The other hypervisor ---- */

struct other {
	struct guest *g;
	struct cpu_loan *loan;
	uint64_t more[SYS_COUNT]; /* bits of its registers that a software CPU does not have */
	uint64_t tcr2, dczid;     /* registers that it lacks altogether; 0: lacking here too */
	bool sve, lacks_far;
	uint8_t above[32][Z_STRIDE - 16];
	int set_error;
	unsigned sets, last_set;
};

static uint64_t known(unsigned reg) { return reg_rows[reg == SYS_PSTATE ? SYS_SPSR_EL1 : reg].mask; }

static unsigned reg_of(uint64_t id)
{
	for (unsigned k = 0; k < SYS_COUNT; k++)
		if (reg_rows[k].id == id)
			return k;
	return SYS_COUNT;
}

static bool is_z(uint64_t id) { return (id & ~UINT64_C(0x3e0)) == REG_ID_SVE_Z(0); }

static int other_get(void *opaque, uint64_t id, void *value)
{
	struct other *o = opaque;
	unsigned reg = reg_of(id), n = id >> 5 & 31;
	uint64_t v;
	int err;

	if (id == REG_ID_SYS(REG_ENC(3, 0, 2, 0, 3)) || id == REG_ID_SYS(REG_ENC(3, 3, 0, 0, 7))) {
		v = id == REG_ID_SYS(REG_ENC(3, 0, 2, 0, 3)) ? o->tcr2 : o->dczid;
		memcpy(value, &v, 8);
		return v ? 0 : -ENOENT;
	}
	if (o->sve && is_z(id)) {
		memcpy(value, cpu_v(o->g->m.cpu, n), 16);
		memcpy((uint8_t *)value + 16, o->above[n], sizeof(o->above[n]));
		return 0;
	}
	if ((o->sve && reg >= SYS_V0 && reg <= SYS_V31) || (o->lacks_far && reg == SYS_FAR_EL1))
		return -EINVAL;
	err = cpu_reg_get(o->g->m.soc, o->g->m.cpu, id, value);
	if (!err && reg_id_bytes(id) == 8) {
		memcpy(&v, value, 8);
		v |= o->more[reg];
		memcpy(value, &v, 8);
	}
	return err;
}

static int other_set(void *opaque, uint64_t id, const void *value)
{
	uint8_t now[HV_REG_BYTES_MAX] = { 0 };
	struct other *o = opaque;
	unsigned reg = reg_of(id), n = id >> 5 & 31;
	uint64_t v;

	if (o->set_error)
		return o->set_error;
	assert_int_equal(other_get(o, id, now), 0);
	assert_memory_not_equal(now, value, hv_reg_bytes(id)); /* what has not changed is not written */
	o->sets++;
	o->last_set = reg;
	if (is_z(id)) {
		memcpy(cpu_v(o->g->m.cpu, n), value, 16);
		memcpy(o->above[n], (const uint8_t *)value + 16, sizeof(o->above[n]));
		return 0;
	}
	if (reg_id_bytes(id) != 8)
		return cpu_reg_set(o->g->m.soc, o->g->m.cpu, id, value);
	memcpy(&v, value, 8);
	o->more[reg] = v & ~known(reg);
	v &= known(reg);
	return cpu_reg_set(o->g->m.soc, o->g->m.cpu, id, &v);
}

static struct other *other_new(void)
{
	const struct soc_config cfg = { .vcpu_count = 4, .ipa_bits = 40, .pauth = true, .spi_count = 64 };
	struct other *o = calloc(1, sizeof(*o));
	struct hv_env env;

	assert_non_null(o);
	o->g = guest_new();
	env = (struct hv_env){ .mem = o->g->m.mem, .bus = o->g->m.bus };
	assert_int_equal(cpu_loan_create(&env, &cfg, 3, &o->loan), 0);
	return o;
}

static void other_free(struct other *o)
{
	cpu_loan_destroy(o->loan);
	guest_free(o->g);
	free(o);
}

static int step_text(struct other *o, char *text, size_t bytes)
{
	const struct cpu_loan_regs regs = { other_get, other_set, o };

	o->sets = 0;
	o->g->asked = 0;
	return cpu_loan_step(o->loan, &regs, text, bytes);
}

/* @word at pc. */
static int step(struct other *o, uint32_t word)
{
	machine_code(&o->g->m, CODE, &word, 1);
	return step_text(o, NULL, 0);
}

/* ---- The same natively ---- */

static void natively(struct guest *g, uint32_t word)
{
	struct cpu *c = g->m.cpu;
	struct insn i;

	g->asked = 0;
	c->excl.size = 0;
	machine_code(&g->m, CODE, &word, 1);
	a64_decode(word, g->m.soc->features, c->fp_trapped, &i);
	if (i.exec(c, &i) == EXEC_NEXT)
		c->pc += 4;
}

static bool same_registers(struct guest *a, struct guest *b)
{
	for (unsigned k = 0; k < SYS_COUNT; k++) {
		uint8_t va[16], vb[16];

		if (reg_rows[k].scope != HV_SCOPE_VCPU || !(reg_rows[k].flags & REG_SNAP) ||
		    cpu_reg_get(a->m.soc, a->m.cpu, reg_rows[k].id, va))
			continue;
		assert_int_equal(cpu_reg_get(b->m.soc, b->m.cpu, reg_rows[k].id, vb), 0);
		if (memcmp(va, vb, reg_id_bytes(reg_rows[k].id))) {
			print_message("%s: natively %016lx, lent %016lx\n", reg_rows[k].name, *(uint64_t *)(void *)va,
				      *(uint64_t *)(void *)vb);
			return false;
		}
	}
	return true;
}

static bool same_world(struct guest *a, struct guest *b)
{
	return a->asked == b->asked && !memcmp(a->log, b->log, sizeof(a->log)) &&
	       !memcmp(a->device, b->device, sizeof(a->device)) &&
	       !memcmp(machine_u64(&a->m, DATA), machine_u64(&b->m, DATA), 0x3000);
}

/* ---- Random cases ---- */

static uint64_t seed = 88172645463325252;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

static const uint64_t places[] = {
	DEVICE,  DEVICE + 0x2000,  NC_VA,  NC_VA + 0x800, NC_VA + 0x1000,     USER_NC_VA, USER_NC_VA + 0x800,
	HOLE_VA, HOLE_VA + 0x1000, NOBODY, NOBODY_VA,     NOBODY_VA + 0x1000, DATA,       PAGES,
};

static uint64_t some_place(bool aligned)
{
	uint64_t va = places[rnd() % ARRAY_SIZE(places)] + (rnd() & 255) - 64;

	return aligned ? va & ~UINT64_C(15) : va;
}

/* Registers, memory and device of both, the same. */
static void shuffle(struct guest *a, struct guest *b, const struct insn *i)
{
	struct cpu *c = a->m.cpu, *d = b->m.cpu;
	bool el0 = rnd() % 8 == 0, aligned = rnd() % 4;
	uint64_t pstate =
		(rnd() & (PSTATE_NZCV | PSTATE_DAIF | PSTATE_SSBS | PSTATE_DIT | PSTATE_PAN)) | (el0         ? 0
												 : rnd() % 4 ? 5
													     : 4);

	for (unsigned k = 0; k < 31; k++)
		c->x[k] = rnd();
	c->x[i->rm & 31] = rnd() % 3 ? rnd() & 63 : 0 - (rnd() & 63);
	cpu_set_pstate(c, pstate);
	for (unsigned reg = SYS_SP_EL0; reg <= SYS_SP_EL1; reg++)
		sys(a, reg, some_place(rnd() % 8));
	if (i->rn < 31)
		c->x[i->rn] = some_place(aligned);
	if (i->rn < 31 && rnd() % 16 == 0)
		c->x[i->rn] |= UINT64_C(0x5a) << 56;
	for (unsigned k = 0; k < 64; k++)
		cpu_v(c, k / 2)->d[k % 2] = rnd();
	c->pc = CODE;
	sys(a, SYS_SCTLR_EL1,
	    reg_rows[SYS_SCTLR_EL1].reset | (rnd() % 16 ? SCTLR_M : 0) | (rnd() % 8 ? 0 : SCTLR_A) |
		    (rnd() & (SCTLR_SA | SCTLR_SA0 | SCTLR_SPAN | SCTLR_DSSBS)));
	sys(a, SYS_TCR_EL1, 25 | UINT64_C(1) << 23 | UINT64_C(2) << 32 | TCR_AS | (rnd() & TCR_TBI0));
	sys(a, SYS_CPACR_EL1, rnd() % 8 ? 3 << 20 : 1 << 20);
	for (unsigned k = 0; k < SYS_COUNT; k++) {
		uint8_t v[16];

		if (reg_rows[k].scope == HV_SCOPE_VCPU && (reg_rows[k].flags & REG_SNAP) &&
		    !cpu_reg_get(a->m.soc, c, reg_rows[k].id, v) && k != SYS_MPIDR_EL1)
			assert_int_equal(cpu_reg_set(b->m.soc, d, reg_rows[k].id, v), 0);
	}
	mmu_inv_all(c);
	memcpy(b->device, a->device, sizeof(a->device));
	memcpy(machine_u64(&b->m, DATA), machine_u64(&a->m, DATA), 0x3000);
	memset(a->log, 0, sizeof(a->log));
	memset(b->log, 0, sizeof(b->log));
}

static bool same_result(struct guest *native, struct other *o, uint32_t word)
{
	struct insn i;

	a64_decode(word, native->m.soc->features, false, &i);
	shuffle(native, o->g, &i);
	natively(native, word);
	if (step(o, word)) {
		print_message("%s %08x: not supported\n", a64_rows[i.op].name, word);
		return false;
	}
	if (same_registers(native, o->g) && same_world(native, o->g))
		return true;
	print_message("%s %08x differs\n", a64_rows[i.op].name, word);
	return false;
}

static uint32_t filled(unsigned op) { return a64_bits[op][1] | ((uint32_t)rnd() & ~a64_bits[op][0]); }

/* Every row of loads, stores and atomics: on a device, on its page's edges, where nobody or nothing is. */
static void every_access_does_what_it_does_natively(void **state)
{
	struct guest *native = guest_new();
	struct other *o = other_new();
	unsigned rows = 0, device = 0, aborts = 0;

	(void)state;
	mmu_on(native);
	mmu_on(o->g);
	for (unsigned k = 0; k < DEVICE_BYTES; k++)
		native->device[k] = (uint8_t)rnd();
	for (unsigned op = 0; op < OP_COUNT; op++) {
		if (!(a64_rows[op].flags & (F_LOAD | F_STORE)) || !soc_has(native->m.soc, a64_rows[op].feat))
			continue;
		rows++;
		for (unsigned n = 0; n < 100; n++) {
			uint32_t word = filled(op);
			struct insn i;

			a64_decode(word, native->m.soc->features, false, &i);
			if (i.op != op)
				continue;
			assert_true(same_result(native, o, word));
			device += native->asked != 0;
			aborts += native->m.cpu->pc >= VECTORS;
		}
	}
	for (unsigned n = 0; n < 2000; n++)
		assert_true(same_result(native, o, 0xd50b7420 | (uint32_t)(rnd() % 31))); /* dc zva */
	print_message("%u rows, %u accesses to the device, %u exceptions\n", rows, device, aborts);
	assert_in_range(rows, 300, OP_COUNT);
	assert_true(device > 4000 && aborts > 4000);
	guest_free(native);
	other_free(o);
}

/* ---- What exactly is written back ---- */

static void only_what_has_changed_is_written(void **state)
{
	struct other *o = other_new();
	struct cpu *c = o->g->m.cpu;

	(void)state;
	memset(o->g->device, 7, DEVICE_BYTES);
	c->x[2] = DEVICE;
	assert_int_equal(step(o, 0xa9400440), 0); /* ldp x0, x1, [x2] */
	assert_int_equal(o->sets, 3);
	assert_int_equal(c->x[0] & c->x[1], UINT64_C(0x0707070707070707));
	c->pc = CODE;
	assert_int_equal(step(o, 0xa9400440), 0); /* the same once more: only PC */
	assert_int_equal(o->sets, 1);
	assert_int_equal(o->last_set, SYS_PC);
	assert_int_equal(c->pc, CODE + 4);
	c->pc = CODE;
	assert_int_equal(step(o, 0xa8810440), 0); /* stp x0, x1, [x2], #16 */
	assert_int_equal(o->sets, 2);
	assert_int_equal(c->x[2], DEVICE + 16);
	other_free(o);
}

/* KVM knows bits that the software CPU masks, and they are the guest's. */
static void bits_that_only_the_other_one_knows_stay(void **state)
{
	struct other *o = other_new();
	struct cpu *c = o->g->m.cpu;

	(void)state;
	o->more[SYS_PSTATE] = PSTATE_UAO;
	o->more[SYS_ESR_EL1] = UINT64_C(1) << 40;
	o->more[SYS_SCTLR_EL1] = UINT64_C(1) << 61;
	cpu_set_pstate(c, 5 | PSTATE_SS | UINT64_C(1) << PSTATE_BTYPE_SHIFT);
	c->x[2] = DEVICE;
	assert_int_equal(step(o, 0x3cc10440), 0); /* ldr q0, [x2], #16 */
	assert_int_equal(cpu_pstate(c), 5);       /* SS and BTYPE as after any instruction */
	assert_int_equal(o->more[SYS_PSTATE], PSTATE_UAO);
	c->x[2] = NOBODY;
	c->pc = CODE;
	assert_int_equal(step(o, 0x3cc10440), 0);
	assert_int_equal(c->pc, VECTORS + 0x200);
	assert_int_equal(c->x[2], NOBODY);
	assert_int_equal(c->sys[SYS_ESR_EL1], UINT64_C(0x96000010));
	assert_int_equal(o->more[SYS_ESR_EL1], 0); /* ISS2 is of the old exception */
	assert_int_equal(c->sys[SYS_FAR_EL1], NOBODY);
	assert_int_equal(c->sys[SYS_ELR_EL1], CODE);
	assert_int_equal(c->sys[SYS_SPSR_EL1], 5);
	assert_int_equal(o->more[SYS_SPSR_EL1], PSTATE_UAO); /* saved, and gone from PSTATE */
	assert_int_equal(o->more[SYS_PSTATE], 0);
	assert_int_equal(o->more[SYS_SCTLR_EL1], UINT64_C(1) << 61);
	o->more[SYS_ID_AA64PFR1_EL1] = 2 << 8; /* MTE */
	c->pc = CODE;
	assert_int_equal(step(o, 0x3cc10440), 0);
	assert_int_equal(o->more[SYS_PSTATE], PSTATE_TCO);
	other_free(o);
}

static void an_exception_from_a_branch_target_saves_btype(void **state)
{
	struct other *o = other_new();
	struct cpu *c = o->g->m.cpu;

	(void)state;
	cpu_set_pstate(c, 5 | UINT64_C(2) << PSTATE_BTYPE_SHIFT);
	c->x[2] = NOBODY;
	assert_int_equal(step(o, 0xa9400440), 0);
	assert_int_equal(c->sys[SYS_SPSR_EL1], 5 | UINT64_C(2) << PSTATE_BTYPE_SHIFT);
	assert_int_equal(c->btype, 0);
	other_free(o);
}

static void a_register_that_is_lacking_is_not_written(void **state)
{
	struct other *o = other_new();
	struct cpu *c = o->g->m.cpu;

	(void)state;
	o->lacks_far = true;
	c->x[2] = NOBODY;
	assert_int_equal(step(o, 0xa9400440), 0);
	assert_int_equal(c->sys[SYS_FAR_EL1], 0);
	assert_int_equal(c->sys[SYS_ESR_EL1], UINT64_C(0x96000010));
	other_free(o);
}

static void the_error_of_set_comes_back(void **state)
{
	struct other *o = other_new();

	(void)state;
	o->set_error = -EIO;
	o->g->m.cpu->x[2] = DEVICE;
	assert_int_equal(step(o, 0xa9400440), -EIO);
	assert_int_equal(step(o, 0xad400440), -EIO); /* ldp q0, q1, [x2] */
	other_free(o);
}

/* ---- SVE ---- */

static bool zero(const uint8_t *p, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (p[k])
			return false;
	return true;
}

static void with_sve_a_load_zeroes_what_is_above(void **state)
{
	struct other *o = other_new();
	struct cpu *c = o->g->m.cpu;

	(void)state;
	o->sve = true;
	memset(o->above, 0xee, sizeof(o->above));
	for (unsigned k = 0; k < DEVICE_BYTES; k++)
		o->g->device[k] = (uint8_t)k;
	c->x[2] = DEVICE;
	assert_int_equal(step(o, 0x4c40a05f), 0); /* ld1 {v31.16b, v0.16b}, [x2] */
	assert_int_equal(o->sets, 3);
	assert_memory_equal(cpu_v(c, 31), o->g->device, 16);
	assert_memory_equal(cpu_v(c, 0), o->g->device + 16, 16);
	assert_true(zero(o->above[31], 240) && zero(o->above[0], 240) && o->above[1][0] == 0xee);
	c->pc = CODE;
	o->above[0][239] = 1; /* the low part does not change, the rest does */
	assert_int_equal(step(o, 0x4c40a05f), 0);
	assert_int_equal(o->sets, 2);
	assert_true(zero(o->above[0], 240));
	c->pc = CODE;
	assert_int_equal(step(o, 0x4c40a05f), 0);
	assert_int_equal(o->sets, 1);
	c->pc = CODE;
	assert_int_equal(step(o, 0x0d400445), 0); /* ld1 {v5.b}[1], [x2]: a lane too */
	assert_true(zero(o->above[5], 240));
	c->pc = CODE;
	assert_int_equal(step(o, 0xad401c46), 0); /* ldp q6, q7, [x2] */
	assert_true(zero(o->above[6], 240) && zero(o->above[7], 240) && o->above[8][0] == 0xee);
	c->pc = CODE;
	assert_int_equal(step(o, 0x4c002448), 0); /* st1 {v8.8h .. v11.8h}, [x2] */
	assert_int_equal(o->sets, 1);
	assert_int_equal(o->above[8][0], 0xee);
	c->pc = CODE;
	c->x[2] = NOBODY;
	assert_int_equal(step(o, 0x3dc00048), 0); /* ldr q8, [x2]: an abort changes nothing of it */
	assert_int_equal(c->pc, VECTORS + 0x200);
	assert_int_equal(o->above[8][0], 0xee);
	o->sve = false; /* another vCPU's registers, say */
	c->x[2] = DEVICE;
	c->pc = CODE;
	assert_int_equal(step(o, 0x3dc00048), 0);
	assert_memory_equal(cpu_v(c, 8), o->g->device, 16);
	other_free(o);
}

/* ---- What is refused ---- */

static bool refused(struct other *o, uint32_t word, const char *why)
{
	struct guest *g = guest_new();
	bool ok;
	char text[160];

	machine_code(&o->g->m, CODE, &word, 1);
	for (unsigned k = 0; k < SYS_COUNT; k++) {
		uint8_t v[16];

		if (reg_rows[k].scope == HV_SCOPE_VCPU && (reg_rows[k].flags & REG_SNAP) &&
		    !cpu_reg_get(o->g->m.soc, o->g->m.cpu, reg_rows[k].id, v))
			cpu_reg_set(g->m.soc, g->m.cpu, reg_rows[k].id, v);
	}
	ok = step_text(o, text, sizeof(text)) == -ENOTSUP && !o->sets && !o->g->asked && same_registers(g, o->g) &&
	     strstr(text, why);
	if (!ok)
		print_message("%08x: %s\n", word, text);
	guest_free(g);
	return ok;
}

static void what_is_no_access_is_refused(void **state)
{
	static const struct {
		uint32_t word;
		const char *why;
	} rows[] = {
		{ 0xd503207f, "wfi at 0x40002000: not an access" },
		{ 0xd503205f, "wfe" },
		{ 0xd4000002, "hvc" },
		{ 0xd4000003, "smc" },
		{ 0xd4000001, "svc" },
		{ 0xd4200000, "brk" },
		{ 0xd69f03e0, "eret" },
		{ 0xd61f0000, "br x0" },
		{ 0x14000001, "b " },
		{ 0xd65f03c0, "ret" },
		{ 0x91000400, "add x0, x0, #1" },
		{ 0xd5380000, "mrs" },
		{ 0xd51cc100, "msr" }, /* a register of EL2 */
		{ 0xd518460a, "msr" }, /* icc_pmr_el1: there is no GIC */
		{ 0xd53be040, "mrs" }, /* cntvct_el0: and no timer */
		{ 0xd508871f, "tlbi" },
		{ 0xd508751f, "ic" },
		{ 0xd50b7a20, "dc" },  /* cvac */
		{ 0xd50b7460, "sys" }, /* dc gva */
		{ 0xd5033f9f, "dsb" },
		{ 0xf9800000, "prfm" },
		{ 0x00000000, ".inst 0x00000000 (UDF) at 0x40002000: not an access" },
		{ 0xffffffff, "unknown" },
		{ 0xf8200420, "unknown" }, /* ldraa */
		{ 0xa400a000, "unknown" }, /* ld1b {z0.b}, p0/z, [x0] */
		{ 0xd9600400, "unknown" }, /* ldg */
	};
	struct other *o = other_new();

	(void)state;
	o->g->m.cpu->x[0] = DEVICE;
	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
		assert_true(refused(o, rows[k].word, rows[k].why));
	other_free(o);
}

#define LDP_X 0xa9400440u /* ldp x0, x1, [x2] */

static void what_the_software_cpu_does_not_have_is_refused(void **state)
{
	struct other *o = other_new();
	struct cpu *c = o->g->m.cpu;

	(void)state;
	mmu_on(o->g);
	c->x[2] = NC_VA;
	o->more[SYS_PSTATE] = 0x10; /* M[4] with EL1h: not a mode of A64 */
	assert_true(refused(o, LDP_X, "AArch32"));
	o->more[SYS_PSTATE] = 0x8; /* EL3h */
	assert_true(refused(o, LDP_X, "EL2"));
	o->more[SYS_PSTATE] = 0;
	o->more[SYS_SCTLR_EL1] = SCTLR_EE;
	assert_true(refused(o, LDP_X, "big-endian"));
	o->more[SYS_SCTLR_EL1] = SCTLR_E0E;
	assert_int_equal(step(o, LDP_X), 0); /* at EL1 that is EL0's business */
	c->pc = CODE;
	o->more[SYS_SCTLR_EL1] = 0;
	o->more[SYS_TCR_EL1] = TCR_DS;
	assert_true(refused(o, LDP_X, "48"));
	o->more[SYS_TCR_EL1] = 0;
	sys(o->g, SYS_TCR_EL1, (c->sys[SYS_TCR_EL1] & ~UINT64_C(63)) | 12);
	assert_true(refused(o, LDP_X, "48"));
	sys(o->g, SYS_TCR_EL1, (c->sys[SYS_TCR_EL1] & ~UINT64_C(63)) | 25);
	o->tcr2 = TCR2_PIE;
	assert_true(refused(o, LDP_X, "indirection"));
	o->tcr2 = 1 << 10;
	assert_int_equal(step(o, LDP_X), 0);
	c->pc = CODE;
	o->more[SYS_PSTATE] = PSTATE_UAO;
	assert_true(refused(o, 0xf8400840, "ldtr x0, [x2] at 0x40002000: PSTATE.UAO"));
	o->more[SYS_PSTATE] = 0;
	o->dczid = 6;
	assert_true(refused(o, 0xd50b7422, "64 bytes"));
	o->dczid = 4;
	assert_int_equal(step(o, 0xd50b7422), 0);
	other_free(o);
}

static void what_cannot_be_fetched_changes_nothing(void **state)
{
	static const uint64_t where[] = { HOLE_VA, NC_VA, NOBODY_VA, CODE + 2, UINT64_C(1) << 45 };
	struct other *o = other_new();
	char text[80], want[80];

	(void)state;
	mmu_on(o->g);
	for (unsigned k = 0; k < ARRAY_SIZE(where); k++) {
		o->g->m.cpu->pc = where[k];
		assert_int_equal(step_text(o, text, sizeof(text)), -EFAULT);
		assert_int_equal(o->sets, 0);
		snprintf(want, sizeof(want), "the instruction at 0x%lx", where[k]);
		assert_string_equal(text, want);
	}
	other_free(o);
}

/* ---- Atomics and exclusives ---- */

static void exclusives_and_atomics_need_memory(void **state)
{
	static const uint32_t words[] = {
		0xc85f7c40, 0xc8037c40,                         /* ldxr x0, [x2]; stxr w3, x0, [x2] */
		0xc87f0440, 0xc8230440,                         /* ldxp, stxp */
		0xf8230040, 0xf8238040, 0xc8a37c40, 0x48207c46, /* ldadd, swp, cas, casp */
	};
	struct other *o = other_new();
	struct cpu *c = o->g->m.cpu;

	(void)state;
	for (unsigned k = 0; k < ARRAY_SIZE(words); k++) {
		c->x[2] = DEVICE;
		c->pc = CODE;
		assert_int_equal(step(o, words[k]), 0);
		assert_int_equal(c->pc, VECTORS + 0x200);
		assert_int_equal(c->sys[SYS_ESR_EL1] & 0x3f, DFSC_ATOMIC);
		assert_int_equal(o->g->asked, 0);
	}
	*machine_u64(&o->g->m, DATA) = 5;
	c->x[2] = DATA;
	c->x[0] = 0;
	c->pc = CODE;
	assert_int_equal(step(o, 0xc85f7c40), 0);
	assert_int_equal(c->x[0], 5);
	c->pc = CODE;
	c->x[3] = 7;
	assert_int_equal(step(o, 0xc8037c40), 0); /* the monitor is of another time */
	assert_int_equal(c->x[3], 1);
	c->pc = CODE;
	c->x[3] = 2;
	assert_int_equal(step(o, 0xf8230040), 0); /* ldadd x3, x0, [x2] */
	assert_int_equal(*machine_u64(&o->g->m, DATA), 7);
	other_free(o);
}

/* ---- Between two instructions ---- */

static void the_guest_may_change_its_tables_between_two(void **state)
{
	struct other *o = other_new();
	struct cpu *c = o->g->m.cpu;
	uint64_t *l3 = machine_u64(&o->g->m, TABLES + 0x2000);

	(void)state;
	mmu_on(o->g);
	o->g->device[0x1000] = 0x77;
	c->x[2] = NC_VA;
	assert_int_equal(step(o, LDP_X), 0);
	assert_int_equal(c->x[0], 0);
	l3[1] += 0x1000;
	c->pc = CODE;
	assert_int_equal(step(o, LDP_X), 0);
	assert_int_equal(c->x[0], 0x77);
	l3[1] = 0;
	c->pc = CODE;
	assert_int_equal(step(o, LDP_X), 0);
	assert_int_equal(c->sys[SYS_ESR_EL1] & 0x3f, DFSC_TRANSLATION + 3);
	other_free(o);
}

static void creating_one_puts_nothing_on_the_bus(void **state)
{
	const struct soc_config cfg = { .vcpu_count = 2, .ipa_bits = 40, .spi_count = 64 };
	const struct hv_env env = { .mem = mem_new(), .bus = bus_new() };
	struct cpu_loan *a, *b;

	(void)state;
	assert_int_equal(cpu_loan_create(&env, &cfg, 0, &a), 0);
	assert_int_equal(cpu_loan_create(&env, &cfg, 1, &b), 0);
	assert_null(bus_range_at(env.bus, 0));
	cpu_loan_destroy(a);
	cpu_loan_destroy(b);
	cpu_loan_destroy(NULL);
	bus_free(env.bus);
	mem_free(env.mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_access_does_what_it_does_natively),
		cmocka_unit_test(only_what_has_changed_is_written),
		cmocka_unit_test(bits_that_only_the_other_one_knows_stay),
		cmocka_unit_test(an_exception_from_a_branch_target_saves_btype),
		cmocka_unit_test(a_register_that_is_lacking_is_not_written),
		cmocka_unit_test(the_error_of_set_comes_back),
		cmocka_unit_test(with_sve_a_load_zeroes_what_is_above),
		cmocka_unit_test(what_is_no_access_is_refused),
		cmocka_unit_test(what_the_software_cpu_does_not_have_is_refused),
		cmocka_unit_test(what_cannot_be_fetched_changes_nothing),
		cmocka_unit_test(exclusives_and_atomics_need_memory),
		cmocka_unit_test(the_guest_may_change_its_tables_between_two),
		cmocka_unit_test(creating_one_puts_nothing_on_the_bus),
	};

	return cmocka_run_group_tests_name("arch/arm64/cpu/loan", tests, NULL, NULL);
}
