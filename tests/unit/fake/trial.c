/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spec/board.h>
#include <spec/gic.h>
#include <spec/psci.h>
#include <vmm/log.h>

#include "trial.h"

const struct hv_ops *on;

/* ---- The VM ---- */

static enum bus_result device_access(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	struct trial_device *d = opaque;

	if (d->kicks)
		hv_vcpu_kick(d->kicks);
	if (d->refuses)
		return BUS_REFUSED;
	d->offset = offset;
	d->size = size;
	if (write) {
		d->value = *value;
		atomic_fetch_add(&d->writes, 1);
	} else {
		d->reads++;
		*value = d->value;
	}
	return BUS_OK;
}

struct hv_block_buf trial_block(const struct hv_ops *ops, unsigned cpus, const struct hv_block_buf *b)
{
	struct hv_block_buf fitted;

	if (b)
		fitted = *b;
	else
		hv_block_init(&fitted);
	add(&fitted, HV_ATTR_VCPU_COUNT, cpus);
	assert_int_equal(hv_fit_defaults(ops, &fitted), 0);
	return fitted;
}

struct trial trial_new(const struct hv_ops *ops, unsigned cpus, const struct hv_block_buf *b)
{
	struct trial t = { .ops = ops, .env = new_env(), .device = calloc(1, sizeof(*t.device)) };
	const struct bus_range range = { .name = "trial",
					 .base = gpa(TRIAL_DEVICE),
					 .bytes = 0x1000,
					 .access = device_access,
					 .opaque = t.device };
	const struct hv_mem ram = {
		.base = gpa(TRIAL_CODE),
		.bytes = TRIAL_RAM_BYTES,
		.host = mem_ptr(t.env.mem, gpa(TRIAL_CODE), TRIAL_RAM_BYTES),
	};
	struct hv_block_buf fitted = trial_block(ops, cpus, b);

	assert_non_null(t.device);
	assert_int_equal(bus_add(t.env.bus, &range), 0);
	t.vm = finished(ops, &t.env, &fitted.block);
	assert_int_equal(hv_mem_map(t.vm, &ram), 0);
	t.code = (struct code){ t.env.mem, TRIAL_CODE };
	for (unsigned i = 0; i < cpus; i++) {
		t.vcpu[i] = new_vcpu(t.vm, i);
		trial_set_reg(&t, i, TRIAL_PC, TRIAL_CODE);
		trial_set_reg(&t, i, TRIAL_VBAR, TRIAL_VECTORS);
	}
	return t;
}

void trial_free(struct trial *t)
{
	hv_destroy(t->vm);
	free_env(&t->env);
	free(t->device);
}

void trial_answer(struct trial *t, unsigned id)
{
	struct hv_exit *e = &t->exit[id];

	e->mmio.abort = bus_access(t->env.bus, e->mmio.addr, e->mmio.size, &e->mmio.value, e->mmio.write) != BUS_OK;
}

enum hv_exit_reason trial_run(struct trial *t, unsigned id)
{
	struct hv_exit *e = &t->exit[id];

	for (;;) {
		assert_int_equal(hv_vcpu_run(t->vcpu[id], e), 0);
		if (e->reason == HV_EXIT_FAIL)
			fail_msg("vCPU %u: %s", id, e->fail.text);
		if (e->reason != HV_EXIT_MMIO)
			return e->reason;
		trial_answer(t, id);
	}
}

enum hv_exit_reason trial_go(struct trial *t) { return trial_run(t, 0); }

uint64_t trial_reg(struct trial *t, unsigned id, uint64_t reg)
{
	uint64_t v = 0;

	assert_int_equal(hv_reg_get(t->vm, t->vcpu[id], reg, &v), 0);
	return v;
}

void trial_set_reg(struct trial *t, unsigned id, uint64_t reg, uint64_t value)
{
	assert_int_equal(hv_reg_set(t->vm, t->vcpu[id], reg, &value), 0);
}

uint64_t trial_x(struct trial *t, unsigned n) { return trial_reg(t, 0, REG_ID_CORE(2 * n)); }

bool trial_lists(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t reg)
{
	struct hv_reg *regs;
	unsigned count;
	bool found = false;

	assert_int_equal(hv_reg_list_new(vm, vcpu, &regs, &count), 0);
	for (unsigned i = 0; i < count; i++)
		found |= regs[i].id == reg;
	free(regs);
	return found;
}

/* ---- Guest code ---- */

void code_word(struct code *c, uint32_t word)
{
	assert_int_equal(mem_write(c->mem, gpa(c->at), &word, sizeof(word)), 0);
	c->at += sizeof(word);
}

/* MOVZ, then MOVK for the rest. */
void code_mov(struct code *c, unsigned reg, uint64_t value)
{
	code_word(c, 0xd2800000 | (uint32_t)bits(value, 15, 0) << 5 | reg);
	for (unsigned i = 1; i < 4; i++)
		if (value >> 16 * i & 0xffff)
			code_word(c, 0xf2800000 | i << 21 | (uint32_t)(value >> 16 * i & 0xffff) << 5 | reg);
}

void code_ldr(struct code *c, unsigned log2, unsigned reg, unsigned base)
{
	code_word(c, 0x39400000 | log2 << 30 | base << 5 | reg);
}

void code_str(struct code *c, unsigned log2, unsigned reg, unsigned base)
{
	code_word(c, 0x39000000 | log2 << 30 | base << 5 | reg);
}

void code_ldrs(struct code *c, unsigned log2, unsigned reg, unsigned base)
{
	code_word(c, 0x39800000 | log2 << 30 | base << 5 | reg);
}

void code_mrs(struct code *c, unsigned reg, unsigned enc) { code_word(c, 0xd5200000 | enc << 5 | reg); }

void code_msr(struct code *c, unsigned enc, unsigned reg) { code_word(c, 0xd5000000 | enc << 5 | reg); }

void code_b(struct code *c, uint64_t target)
{
	code_word(c, 0x14000000 | (uint32_t)bits((target - c->at) / 4, 25, 0));
}

void code_add(struct code *c, unsigned reg, unsigned n, unsigned imm)
{
	code_word(c, 0x91000000 | imm << 10 | n << 5 | reg);
}

void code_call(struct code *c, uint32_t function)
{
	code_mov(c, 0, function);
	code_word(c, 0xd4000002); /* hvc #0 */
}

void code_off(struct code *c) { code_call(c, PSCI_SYSTEM_OFF); }

void code_store(struct code *c, unsigned log2, uint64_t address, uint64_t value)
{
	code_mov(c, 0, address);
	code_mov(c, 1, value);
	code_str(c, log2, 1, 0);
}

/* Offsets and registers as include/spec/gic.h has them; of a GICv2's CPU interface: CTLR 0, PMR 4, IAR 0xc, EOIR
 * 0x10. */
#define ENC_ICC_PMR     REG_ENC(3, 0, 4, 6, 0)
#define ENC_ICC_IAR1    REG_ENC(3, 0, 12, 12, 0)
#define ENC_ICC_EOIR1   REG_ENC(3, 0, 12, 12, 1)
#define ENC_ICC_SRE     REG_ENC(3, 0, 12, 12, 5)
#define ENC_ICC_IGRPEN1 REG_ENC(3, 0, 12, 12, 7)

static bool is_gicv2(const struct trial *t) { return get1(t->vm, HV_ATTR_GIC) == 2; }

static void code_set_icc(struct code *c, unsigned enc, uint64_t value)
{
	code_mov(c, 0, value);
	code_msr(c, enc, 0);
	code_word(c, CODE_ISB);
}

static void code_gic_cpu(struct code *c, const struct trial *t)
{
	if (is_gicv2(t)) {
		code_store(c, 2, BOARD_GICC_BASE + 4, 0xff);
		code_store(c, 2, BOARD_GICC_BASE, 1);
		return;
	}
	code_store(c, 2, BOARD_GICR_BASE + GICR_WAKER, 0);
	code_set_icc(c, ENC_ICC_SRE, 7);
	code_set_icc(c, ENC_ICC_PMR, 0xff);
	code_set_icc(c, ENC_ICC_IGRPEN1, 1);
}

void code_gic(struct code *c, const struct trial *t, unsigned spi, bool edge)
{
	unsigned intid = GIC_SPI_BASE + spi;
	uint32_t one = UINT32_C(1) << intid % 32;

	code_store(c, 2, BOARD_GICD_BASE + GICD_CTLR, 0);
	code_store(c, 2, BOARD_GICD_BASE + GICD_IGROUPR + intid / 32 * 4, is_gicv2(t) ? 0 : one);
	code_store(c, 2, BOARD_GICD_BASE + GICD_ICFGR + intid / 16 * 4, edge ? 2u << intid % 16 * 2 : 0);
	code_store(c, 0, BOARD_GICD_BASE + GICD_IPRIORITYR + intid, 0x80);
	if (is_gicv2(t))
		code_store(c, 0, BOARD_GICD_BASE + GICD_ITARGETSR + intid, 1);
	else
		code_store(c, 3, BOARD_GICD_BASE + GICD_IROUTER + 8 * intid, 0);
	code_store(c, 2, BOARD_GICD_BASE + GICD_CTLR,
		   is_gicv2(t) ? 1 : GICD_CTLR_ARE | GICD_CTLR_GRP1 | GICD_CTLR_GRP0);
	code_gic_cpu(c, t);
	code_store(c, 2, BOARD_GICD_BASE + GICD_ISENABLER + intid / 32 * 4, one);
}

void code_irq(struct code *c, const struct trial *t)
{
	if (is_gicv2(t)) {
		code_mov(c, 0, BOARD_GICC_BASE + 0xc);
		code_ldr(c, 2, 20, 0);
		code_mov(c, 0, BOARD_GICC_BASE + 0x10);
		code_str(c, 2, 20, 0);
	} else {
		code_mrs(c, 20, ENC_ICC_IAR1);
		code_msr(c, ENC_ICC_EOIR1, 20);
	}
}

/* ---- Running them ---- */

int trial_run_on_all(const struct CMUnitTest *tests, size_t count, const char *only)
{
	int failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0); /* in one order with messages, and there when it hangs */
	log_set_level(LOG_WARN);
	for (unsigned i = 0; (on = hv_backend_at(i)); i++) {
		char why[160] = "";

		if (only && strcmp(only, on->name))
			continue;
		if (!on->available(why, sizeof(why))) {
			failed += _cmocka_run_group_tests(on->name, tests, count, NULL, NULL);
			continue;
		}
		print_message("hypervisor %s: not here: %s\n", on->name, why);
		failed += only != NULL;
	}
	return failed;
}

unsigned thread_count(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

void assert_thread_count(unsigned count)
{
	for (unsigned i = 0; i < 1000 && thread_count() != count; i++)
		usleep(1000);
	assert_int_equal(thread_count(), count);
}
