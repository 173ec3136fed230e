/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requirements of the hypervisor interface that need a guest which runs, against the
 * hypervisors of this host: devices, kicks, interrupts, counters, memory, the end.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <spec/board.h>
#include <spec/gic.h>
#include <spec/psci.h>
#include <spec/smccc.h>
#include <vmm/loop.h>

#include "trial.h"

#define DATA UINT64_C(0x8877f5e4d3c2b1a0)

static bool is_kvm(void) { return !strcmp(on->name, "kvm"); }

static uint64_t low_bytes(uint64_t v, unsigned bytes) { return bytes == 8 ? v : bits(v, 8 * bytes - 1, 0); }

/* ---- Devices ---- */

static void a_device_gets_writes_of_every_size(void **state)
{
	(void)state;
	for (unsigned log2 = 0; log2 < 4; log2++) {
		struct trial t = trial_new(on, 1, NULL);

		code_store(&t.code, log2, TRIAL_DEVICE + 0x10, DATA);
		code_off(&t.code);
		assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
		assert_int_equal(t.device->writes, 1);
		assert_int_equal(t.device->reads, 0);
		assert_int_equal(t.device->offset, 0x10);
		assert_int_equal(t.device->size, 1 << log2);
		assert_int_equal(t.device->value, low_bytes(DATA, 1 << log2));
		trial_free(&t);
	}
}

static void a_read_of_any_size_gives_what_the_device_says(void **state)
{
	(void)state;
	for (unsigned log2 = 0; log2 < 4; log2++) {
		struct trial t = trial_new(on, 1, NULL);

		t.device->value = DATA;
		code_mov(&t.code, 5, UINT64_MAX);
		code_mov(&t.code, 2, TRIAL_DEVICE + 0x18);
		code_ldr(&t.code, log2, 5, 2);
		if (log2 < 3)
			code_ldrs(&t.code, log2, 6, 2);
		code_off(&t.code);
		assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
		assert_int_equal(t.device->reads, log2 < 3 ? 2 : 1);
		assert_int_equal(t.device->size, 1 << log2);
		assert_int_equal(trial_x(&t, 5), low_bytes(DATA, 1 << log2));
		/* KVM does this by itself, as the CPU tells it; QEMU's, of our test hosts, does not tell. */
		if (log2 < 3 && !is_kvm())
			assert_int_equal(trial_x(&t, 6), (uint64_t)sext(DATA, 8 << log2));
		trial_free(&t);
	}
}

/* From EL1 and from EL0; a load and a store; where nothing is, and where a device refuses. */
static void an_access_that_nobody_answers_aborts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		bool el0 = i & 1, write = i & 2, refused = i & 4;
		uint64_t at = refused ? TRIAL_DEVICE + 8 : TRIAL_NOBODY;
		struct trial t = trial_new(on, 1, NULL);
		struct code vector = { t.env.mem, TRIAL_VECTORS + (el0 ? 0x400 : 0x200) };
		uint64_t access;

		t.device->refuses = true;
		code_mrs(&vector, 21, ENC_ESR);
		code_mrs(&vector, 22, ENC_FAR);
		code_mrs(&vector, 23, ENC_ELR);
		code_off(&vector);
		code_mov(&t.code, 2, at);
		if (el0) {
			uint64_t here = t.code.at;

			code_mov(&t.code, 0, here + 32);
			code_msr(&t.code, ENC_ELR, 0);
			code_mov(&t.code, 0, 0x3c0); /* EL0t, DAIF */
			code_msr(&t.code, ENC_SPSR, 0);
			code_word(&t.code, CODE_ERET);
			t.code.at = here + 32;
		}
		access = t.code.at;
		if (write)
			code_str(&t.code, 2, 5, 2);
		else
			code_ldr(&t.code, 2, 5, 2);
		code_off(&t.code);
		assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
		/* Linux 6.1 has ones in bits 63:32, which are RES0. */
		assert_int_equal(bits(trial_x(&t, 21), 31, 26), el0 ? 0x24 : 0x25);
		assert_int_equal(trial_x(&t, 21) & 0x3f, 0x10); /* synchronous external abort */
		assert_int_equal(trial_x(&t, 22), at);
		assert_int_equal(trial_x(&t, 23), access);
		trial_free(&t);
	}
}

/* Between the answer and the next run the registers are those after the load, and the load happens once. */
static void a_load_that_was_answered_is_seen_in_the_registers(void **state)
{
	struct trial t = trial_new(on, 1, NULL);
	struct hv_exit *e = &t.exit[0];
	uint64_t after;

	(void)state;
	t.device->value = DATA;
	t.device->kicks = t.vcpu[0]; /* where accesses do not come back to us, this one does */
	code_mov(&t.code, 2, TRIAL_DEVICE);
	code_ldr(&t.code, 3, 5, 2);
	after = t.code.at;
	code_b(&t.code, t.code.at + 4); /* somewhere for a kick to be noticed */
	code_b(&t.code, t.code.at + 4);
	code_add(&t.code, 6, 5, 1);
	code_off(&t.code);
	assert_int_equal(hv_vcpu_run(t.vcpu[0], e), 0);
	if (e->reason == HV_EXIT_MMIO) {
		assert_int_equal(e->mmio.addr.v, TRIAL_DEVICE);
		trial_answer(&t, 0);
	} else {
		assert_int_equal(e->reason, HV_EXIT_KICKED);
	}
	assert_int_equal(trial_x(&t, 5), DATA);
	assert_true(trial_reg(&t, 0, TRIAL_PC) >= after);
	while (trial_go(&t) == HV_EXIT_KICKED)
		;
	assert_int_equal(t.exit[0].reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(trial_x(&t, 6), DATA + 1);
	assert_int_equal(t.device->reads, 1);
	trial_free(&t);
}

/* The same when it is an abort that was the answer. */
static void an_abort_that_was_the_answer_is_taken_once(void **state)
{
	struct trial t = trial_new(on, 1, NULL);
	struct code vector = { t.env.mem, TRIAL_VECTORS + 0x200 };
	struct hv_exit *e = &t.exit[0];

	(void)state;
	code_add(&vector, 7, 7, 1);
	code_mrs(&vector, 22, ENC_FAR);
	code_off(&vector);
	code_mov(&t.code, 7, 0);
	code_mov(&t.code, 2, TRIAL_NOBODY);
	code_ldr(&t.code, 3, 5, 2);
	code_off(&t.code);
	assert_int_equal(hv_vcpu_run(t.vcpu[0], e), 0);
	if (e->reason == HV_EXIT_MMIO) {
		trial_answer(&t, 0);
		assert_true(e->mmio.abort);
		assert_int_equal(trial_reg(&t, 0, TRIAL_PC), TRIAL_VECTORS + 0x200);
		assert_int_equal(trial_reg(&t, 0, REG_ID_SYS(ENC_FAR)), TRIAL_NOBODY);
		assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
	}
	assert_int_equal(e->reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(trial_x(&t, 7), 1);
	assert_int_equal(trial_x(&t, 22), TRIAL_NOBODY);
	trial_free(&t);
}

static void a_VM_can_go_away_in_the_middle_of_an_access(void **state)
{
	unsigned files = open_files();
	struct trial t = trial_new(on, 1, NULL);

	(void)state;
	t.device->kicks = t.vcpu[0];
	code_mov(&t.code, 2, TRIAL_DEVICE);
	code_ldr(&t.code, 3, 5, 2);
	code_b(&t.code, t.code.at);
	assert_int_equal(hv_vcpu_run(t.vcpu[0], &t.exit[0]), 0);
	trial_free(&t);
	assert_int_equal(open_files(), files);
}

/* ---- Kicks ---- */

struct runner {
	struct trial *t;
	unsigned id;
	pthread_t thread;
	_Atomic bool stop;
	_Atomic unsigned returns;
	_Atomic int last; /* reason of the last return */
};

/* Comes back when it is told, or when the guest is at its end. */
static void *run_until_stopped(void *opaque)
{
	struct runner *r = opaque;

	do {
		atomic_store(&r->last, (int)trial_run(r->t, r->id));
		atomic_fetch_add(&r->returns, 1);
	} while (!atomic_load(&r->stop) && atomic_load(&r->last) == HV_EXIT_KICKED);
	return NULL;
}

static void start(struct runner *r, struct trial *t, unsigned id)
{
	*r = (struct runner){ .t = t, .id = id };
	assert_int_equal(pthread_create(&r->thread, NULL, run_until_stopped, r), 0);
}

static void stop(struct runner *r)
{
	atomic_store(&r->stop, true);
	hv_vcpu_kick(r->t->vcpu[r->id]);
	pthread_join(r->thread, NULL);
}

static void a_kick_before_a_run_is_kept(void **state)
{
	struct trial t = trial_new(on, 1, NULL);

	(void)state;
	code_mov(&t.code, 5, 1);
	code_off(&t.code);
	hv_vcpu_kick(t.vcpu[0]);
	hv_vcpu_kick(t.vcpu[0]); /* no more than one */
	assert_int_equal(trial_go(&t), HV_EXIT_KICKED);
	assert_int_equal(trial_reg(&t, 0, TRIAL_PC), TRIAL_CODE);
	assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
	assert_int_equal(trial_x(&t, 5), 1);
	trial_free(&t);
}

/* Registers are asked for between an access and the next run, which is where KVM finishes the access. */
static void a_kick_is_kept_while_registers_are_read(void **state)
{
	struct trial t = trial_new(on, 1, NULL);

	(void)state;
	code_mov(&t.code, 2, TRIAL_DEVICE);
	code_ldr(&t.code, 3, 5, 2);
	code_off(&t.code);
	assert_int_equal(hv_vcpu_run(t.vcpu[0], &t.exit[0]), 0);
	if (t.exit[0].reason == HV_EXIT_MMIO) {
		trial_answer(&t, 0);
		hv_vcpu_kick(t.vcpu[0]);
		assert_int_equal(trial_x(&t, 5), 0);
		assert_int_equal(trial_go(&t), HV_EXIT_KICKED);
		assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
	}
	assert_int_equal(t.exit[0].reason, HV_EXIT_SHUTDOWN);
	trial_free(&t);
}

static void pause_us(unsigned us)
{
	struct timespec ts = { 0, us * 1000L };

	nanosleep(&ts, NULL);
}

/*
 * @first: what the guest does for ever. vCPU @id, of which 1 is powered off. An emulated
 * host takes long for a round, so after 10 s it is enough.
 */
static void kick_many(uint32_t first, unsigned id, unsigned rounds)
{
	uint64_t end = loop_now_ns() + 10 * NSEC_PER_SEC;
	struct trial t = trial_new(on, 2, NULL);
	struct runner r;

	code_word(&t.code, first);
	code_b(&t.code, TRIAL_CODE);
	start(&r, &t, id);
	for (unsigned i = 0; i < rounds && loop_now_ns() < end; i++) {
		unsigned before = atomic_load(&r.returns);

		/* At every distance from the last return, and now and then when it surely waits. */
		for (volatile unsigned spin = i % 512; spin; spin--)
			;
		if (i % 1000 == 0)
			pause_us(2000);
		hv_vcpu_kick(t.vcpu[id]);
		while (atomic_load(&r.returns) == before)
			pause_us(1);
	}
	stop(&r);
	assert_int_equal(r.last, HV_EXIT_KICKED);
	trial_free(&t);
}

static void no_kick_of_a_busy_guest_is_lost(void **state)
{
	(void)state;
	kick_many(CODE_NOP, 0, 10000);
}

static void no_kick_of_a_waiting_guest_is_lost(void **state)
{
	(void)state;
	kick_many(CODE_WFI, 0, 10000);
}

static void no_kick_of_a_powered_off_vcpu_is_lost(void **state)
{
	(void)state;
	kick_many(CODE_NOP, 1, 1000);
}

/* ---- PSCI ---- */

static void the_end_comes_back(void **state)
{
	static const struct {
		uint32_t call;
		enum hv_exit_reason reason;
	} rows[] = {
		{ PSCI_SYSTEM_OFF, HV_EXIT_SHUTDOWN },
		{ PSCI_SYSTEM_RESET, HV_EXIT_RESET },
		{ PSCI_SYSTEM_RESET2_64, HV_EXIT_RESET },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct trial t = trial_new(on, 1, NULL);

		if (rows[i].call == PSCI_SYSTEM_RESET2_64 && reg1(t.vm, REG_ID_FW(0)) < PSCI_VERSION_1_1) {
			trial_free(&t);
			continue;
		}
		code_mov(&t.code, 1, PSCI_RESET_VENDOR);
		code_mov(&t.code, 2, 0x1234);
		code_call(&t.code, rows[i].call);
		code_b(&t.code, t.code.at);
		memset(&t.exit[0], 0xff, sizeof(t.exit[0]));
		assert_int_equal(trial_go(&t), rows[i].reason);
		if (rows[i].reason == HV_EXIT_RESET) {
			bool reset2 = rows[i].call == PSCI_SYSTEM_RESET2_64;

			assert_int_equal(t.exit[0].system.type, reset2 ? PSCI_RESET_VENDOR : 0);
			assert_int_equal(t.exit[0].system.arg, reset2 ? 0x1234 : 0);
		}
		trial_free(&t);
	}
}

static void CPU_ON_starts_the_other_vcpu(void **state)
{
	struct trial t = trial_new(on, 2, NULL);
	uint64_t other = TRIAL_CODE + 0x1000, mpidr = trial_reg(&t, 1, REG_ID_SYS(REG_ENC(3, 0, 0, 0, 5)));
	struct code second = { t.env.mem, other };
	struct runner r;

	(void)state;
	code_mov(&t.code, 1, mpidr & 0xffffff);
	code_mov(&t.code, 2, other);
	code_mov(&t.code, 3, 0x77);
	code_call(&t.code, PSCI_CPU_ON_64);
	code_b(&t.code, t.code.at);
	code_add(&second, 5, 0, 0);
	code_off(&second);
	start(&r, &t, 0);
	assert_int_equal(trial_run(&t, 1), HV_EXIT_SHUTDOWN);
	stop(&r);
	assert_int_equal(trial_reg(&t, 1, REG_ID_CORE(10)), 0x77);
	assert_int_equal(trial_reg(&t, 0, REG_ID_CORE(0)), PSCI_SUCCESS);
	trial_free(&t);
}

static uint64_t guest_calls(struct trial *t, uint32_t function)
{
	struct code code = { t->env.mem, TRIAL_CODE };

	code_call(&code, function);
	code_add(&code, 5, 0, 0);
	code_store(&code, 2, TRIAL_DEVICE, 0); /* brings it back without an end */
	code_b(&code, code.at);
	t->device->kicks = t->vcpu[0];
	trial_set_reg(t, 0, TRIAL_PC, TRIAL_CODE);
	assert_int_equal(trial_go(t), HV_EXIT_KICKED);
	return trial_x(t, 5);
}

/* E7, E9: what was written is what the guest finds, and what was cleared is not there. */
static void features_are_for_the_guest_what_was_written(void **state)
{
	uint64_t v = PSCI_VERSION_1_0;
	struct trial t = trial_new(on, 1, NULL);
	bool trng = reg1(t.vm, REG_ID_BMAP(0)) & 1;

	(void)state;
	assert_int_equal(hv_reg_set(t.vm, NULL, REG_ID_FW(0), &v), 0);
	assert_int_equal(guest_calls(&t, PSCI_VERSION), PSCI_VERSION_1_0);
	if (trng)
		assert_int_equal(guest_calls(&t, TRNG_VERSION), TRNG_VERSION_1_0);
	/* KVM knows no fence for this one: it is ours. */
	v = PSCI_VERSION_0_2;
	assert_int_equal(hv_reg_set(t.vm, t.vcpu[0], REG_ID_FW(0), &v), -EBUSY);
	assert_int_equal(guest_calls(&t, PSCI_VERSION), PSCI_VERSION_1_0);
	trial_free(&t);
	t = trial_new(on, 1, NULL);
	v = 0;
	assert_int_equal(hv_reg_set(t.vm, NULL, REG_ID_BMAP(0), &v), 0);
	assert_int_equal((int32_t)guest_calls(&t, TRNG_VERSION), SMCCC_NOT_SUPPORTED);
	trial_free(&t);
}

/* ---- Counters ---- */

#define SECOND UINT64_C(1000000000) /* no counter is faster */

/* KVM before Linux 6.4 cannot move the physical counter: `vmm doctor' says so. */
static bool counters_move_together(void)
{
	struct hv_check c;

	for (unsigned i = 0; !hv_host_check(on, i, &c); i++)
		if (!strcmp(c.what, "common counter offset"))
			return !strcmp(c.found, "yes");
	return true;
}

/* For the guest both start near 0; what is set is what it reads; and so does the host. */
static void counters_are_what_was_set(void **state)
{
	uint64_t set = UINT64_C(1) << 48;
	struct trial t = trial_new(on, 1, NULL);
	bool together = counters_move_together();

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		code_mrs(&t.code, 5 + i, i ? ENC_CNTPCT : ENC_CNTVCT);
	code_off(&t.code);
	if (together)
		assert_true(reg1(t.vm, TRIAL_CNTPCT) < 60 * SECOND);
	assert_true(reg1(t.vm, TRIAL_CNTVCT) < 60 * SECOND);
	assert_int_equal(hv_reg_set(t.vm, NULL, TRIAL_CNTVCT, &set), 0);
	assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
	assert_in_range(trial_x(&t, 5), set, set + 60 * SECOND);
	assert_in_range(reg1(t.vm, TRIAL_CNTVCT), trial_x(&t, 5), set + 60 * SECOND);
	if (together)
		assert_in_range(reg1(t.vm, TRIAL_CNTPCT), trial_x(&t, 5), set + 60 * SECOND);
	/* A host that is emulated by QEMU without EL3 has CNTPOFF_EL2, KVM uses it, and it does nothing. */
	if (together && is_kvm() && trial_x(&t, 6) < set)
		print_message("this host ignores CNTPOFF_EL2\n");
	else if (together)
		assert_in_range(trial_x(&t, 6), trial_x(&t, 5), set + 60 * SECOND);
	else
		assert_true(trial_x(&t, 6) < set);
	trial_free(&t);
}

/* ---- Interrupts ---- */

#define SPI 40

/* Switches the interrupt on, then waits for it; the vector ends the VM with INTID in x20. */
static struct trial with_interrupt(bool edge)
{
	struct trial t = trial_new(on, 1, NULL);
	struct code vector = { t.env.mem, TRIAL_VECTORS + 0x280 };

	code_irq(&vector, &t);
	code_off(&vector);
	code_gic(&t.code, &t, SPI, edge);
	code_store(&t.code, 2, TRIAL_DEVICE, 1); /* ready */
	code_word(&t.code, CODE_UNMASK);
	code_word(&t.code, CODE_WFI);
	code_b(&t.code, t.code.at - 4);
	return t;
}

static void wait_until_ready(struct trial *t)
{
	while (!atomic_load(&t->device->writes))
		pause_us(100);
}

static void a_line_that_is_raised_interrupts_the_guest(void **state)
{
	(void)state;
	/* While it waits, and before it has begun. */
	for (unsigned early = 0; early < 2; early++) {
		struct trial t = with_interrupt(false);
		struct runner r;

		if (early)
			assert_int_equal(hv_irq_line(t.vm, SPI, true), 0);
		start(&r, &t, 0);
		if (!early) {
			wait_until_ready(&t);
			assert_int_equal(hv_irq_line(t.vm, SPI, true), 0);
		}
		pthread_join(r.thread, NULL);
		assert_int_equal(r.last, HV_EXIT_SHUTDOWN);
		assert_int_equal(trial_x(&t, 20) & 0x3ff, GIC_SPI_BASE + SPI);
		assert_int_equal(hv_irq_line(t.vm, SPI, false), 0);
		trial_free(&t);
	}
}

static void a_line_that_the_board_lacks_is_refused(void **state)
{
	struct trial t = trial_new(on, 1, NULL);

	(void)state;
	assert_int_equal(hv_irq_line(t.vm, BOARD_SPI_COUNT - 1, true), 0);
	assert_int_equal(hv_irq_line(t.vm, BOARD_SPI_COUNT, true), -EINVAL);
	trial_free(&t);
}

static void an_eventfd_interrupts_the_guest(void **state)
{
	struct trial t = with_interrupt(true);
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t one = 1;
	struct runner r;

	(void)state;
	if (!hv_cap(on, t.vm, HV_CAP_IRQFD)) {
		assert_int_equal(hv_irqfd(t.vm, SPI, fd, true), -ENOTSUP);
		close(fd);
		trial_free(&t);
		return;
	}
	assert_int_equal(hv_irqfd(t.vm, SPI, fd, true), 0);
	start(&r, &t, 0);
	wait_until_ready(&t);
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	pthread_join(r.thread, NULL);
	assert_int_equal(r.last, HV_EXIT_SHUTDOWN);
	assert_int_equal(trial_x(&t, 20) & 0x3ff, GIC_SPI_BASE + SPI);
	assert_int_equal(hv_irqfd(t.vm, SPI, fd, false), 0);
	assert_true(hv_irqfd(t.vm, BOARD_SPI_COUNT, fd, true) < 0);
	trial_free(&t);
	close(fd);
}

static void an_eventfd_counts_the_writes_that_match(void **state)
{
	struct trial t = trial_new(on, 1, NULL);
	struct hv_ioevent e = {
		.addr = gpa(TRIAL_DEVICE + 0x50), .bytes = 4, .value = 3, .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)
	};
	uint64_t count = 0;

	(void)state;
	if (!hv_cap(on, t.vm, HV_CAP_IOEVENTFD)) {
		assert_int_equal(hv_ioeventfd(t.vm, &e, true), -ENOTSUP);
		close(e.fd);
		trial_free(&t);
		return;
	}
	assert_int_equal(hv_ioeventfd(t.vm, &e, true), 0);
	code_store(&t.code, 2, e.addr.v, 3);
	code_store(&t.code, 2, e.addr.v, 3);
	code_store(&t.code, 2, e.addr.v, 4);     /* another value */
	code_store(&t.code, 1, e.addr.v, 3);     /* another size */
	code_store(&t.code, 2, e.addr.v + 4, 3); /* another place */
	code_off(&t.code);
	assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
	assert_int_equal(read(e.fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 2);
	assert_int_equal(t.device->writes, 3);
	assert_int_equal(hv_ioeventfd(t.vm, &e, false), 0);
	assert_true(hv_ioeventfd(t.vm, &e, false) < 0);
	trial_free(&t);
	close(e.fd);
}

/* ---- Memory ---- */

static void a_flag_that_nobody_knows_is_refused(void **state)
{
	struct trial t = trial_new(on, 1, NULL);
	struct hv_mem m = { .slot = 1, .base = gpa(0x80000000), .bytes = 2 * MIB };
	struct said s;

	(void)state;
	assert_int_equal(mem_add_rom(t.env.mem, "more", m.base, m.bytes), 0);
	m.host = mem_ptr(t.env.mem, m.base, m.bytes);
	for (unsigned i = 0; i < 64; i++) {
		bool known = (i == 0 && hv_cap(on, t.vm, HV_CAP_MEM_READONLY)) ||
			     (i == 1 && hv_cap(on, t.vm, HV_CAP_DIRTY_LOG));

		m.flags = i < 32 ? UINT32_C(1) << i : 0;
		m.arch_flags = i < 32 ? 0 : UINT32_C(1) << (i - 32);
		said_begin(&s);
		assert_int_equal(hv_mem_map(t.vm, &m), known ? 0 : -EINVAL);
		said_end(&s);
		if (known)
			assert_int_equal(hv_mem_unmap(t.vm, 1), 0);
	}
	trial_free(&t);
}

static enum bus_result note_write(void *opaque, uint64_t offset, unsigned size, uint64_t *value, bool write)
{
	(void)offset, (void)size;
	if (!write)
		return BUS_REFUSED;
	*(uint64_t *)opaque = *value;
	return BUS_OK;
}

/* Reads come from it, writes go to the bus. */
static void memory_that_is_read_only_keeps_its_contents(void **state)
{
	struct trial t = trial_new(on, 1, NULL);
	struct hv_mem m = { .slot = 1, .base = gpa(0x80000000), .bytes = 2 * MIB, .flags = HV_MEM_READONLY };
	uint64_t *host, written = 0;
	const struct bus_range range = {
		.name = "rom", .base = m.base, .bytes = m.bytes, .access = note_write, .opaque = &written
	};

	(void)state;
	if (!hv_cap(on, t.vm, HV_CAP_MEM_READONLY)) {
		trial_free(&t);
		skip();
	}
	assert_int_equal(mem_add_rom(t.env.mem, "rom", m.base, m.bytes), 0);
	assert_int_equal(bus_add(t.env.bus, &range), 0);
	m.host = host = mem_ptr(t.env.mem, m.base, m.bytes);
	*host = DATA;
	assert_int_equal(hv_mem_map(t.vm, &m), 0);
	code_mov(&t.code, 2, m.base.v);
	code_ldr(&t.code, 3, 5, 2);
	code_str(&t.code, 3, 2, 2);
	code_off(&t.code);
	assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
	assert_int_equal(written, m.base.v);
	assert_int_equal(trial_x(&t, 5), DATA);
	assert_int_equal(*host, DATA);
	trial_free(&t);
}

/* Memory of which vmm/mem.h knows nothing. */
static void a_devices_own_memory_is_mapped_where_that_can_be(void **state)
{
	struct trial t = trial_new(on, 1, NULL);
	struct hv_mem m = { .slot = 1, .base = gpa(0x80000000), .bytes = 2 * MIB, .flags = HV_MEM_READONLY };
	uint64_t *host = mmap(NULL, m.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct said s;

	(void)state;
	assert_true(host != MAP_FAILED);
	m.host = host;
	*host = DATA;
	if (!hv_cap(on, t.vm, HV_CAP_MEM_OWN)) {
		said_begin(&s);
		assert_int_equal(hv_mem_map(t.vm, &m), -EINVAL);
		said_end(&s);
	} else {
		assert_int_equal(hv_mem_map(t.vm, &m), 0);
		assert_int_equal(hv_mem_unmap(t.vm, 1), 0);
		*host = DATA;
		assert_int_equal(hv_mem_map(t.vm, &m), 0);
		code_mov(&t.code, 2, m.base.v);
		code_ldr(&t.code, 3, 5, 2);
		code_off(&t.code);
		assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
		assert_int_equal(trial_x(&t, 5), DATA);
	}
	trial_free(&t);
	munmap(host, m.bytes);
}

static void the_log_has_the_pages_that_were_written(void **state)
{
	enum { PAGES = 512 };
	struct trial t = trial_new(on, 1, NULL);
	struct hv_mem m = { .slot = 1, .base = gpa(0x80000000), .bytes = 2 * MIB, .flags = HV_MEM_LOG_DIRTY };
	uint64_t log[PAGES / 64] = { 0 };

	(void)state;
	if (!hv_cap(on, t.vm, HV_CAP_DIRTY_LOG) || sysconf(_SC_PAGESIZE) != 4096) {
		assert_int_equal(hv_dirty_log(t.vm, 0, log), -ENOTSUP);
		trial_free(&t);
		return;
	}
	assert_int_equal(mem_add_ram(t.env.mem, "more", m.base, m.bytes), 0);
	m.host = mem_ptr(t.env.mem, m.base, m.bytes);
	assert_int_equal(hv_mem_map(t.vm, &m), 0);
	code_mov(&t.code, 2, m.base.v + 7 * 4096);
	code_ldr(&t.code, 3, 5, 2);
	code_store(&t.code, 3, m.base.v + 3 * 4096 + 8, 1);
	code_store(&t.code, 0, m.base.v + 511 * 4096, 1);
	code_off(&t.code);
	assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(hv_dirty_log(t.vm, 1, log), 0);
		for (unsigned i = 0; i < PAGES; i++)
			assert_int_equal(bit_of(log, i), !round && (i == 3 || i == 511));
	}
	trial_free(&t);
}

/* ---- A guest that goes on elsewhere ---- */

/* Saved in the middle of a load from a device: it is finished in the first VM, what follows happens in the second. */
static void a_guest_goes_on_where_it_was_restored(void **state)
{
	struct trial a = trial_new(on, 1, NULL), b;
	struct hv_saved saved;

	(void)state;
	a.device->kicks = a.vcpu[0];
	code_mov(&a.code, 2, TRIAL_DEVICE);
	code_mov(&a.code, 5, 41);
	code_ldr(&a.code, 3, 6, 2);
	code_b(&a.code, a.code.at + 4); /* somewhere for a kick to be noticed */
	code_b(&a.code, a.code.at + 4);
	code_add(&a.code, 5, 5, 1);
	code_off(&a.code);
	a.device->value = DATA;
	assert_int_equal(hv_vcpu_run(a.vcpu[0], &a.exit[0]), 0);
	if (a.exit[0].reason == HV_EXIT_MMIO)
		trial_answer(&a, 0);
	assert_int_equal(hv_save(a.vm, &saved), 0);
	b = trial_new(on, 1, NULL);
	memcpy(mem_ptr(b.env.mem, gpa(TRIAL_CODE), 4096), mem_ptr(a.env.mem, gpa(TRIAL_CODE), 4096), 4096);
	assert_int_equal(hv_restore(b.vm, &saved), 0);
	assert_int_equal(trial_go(&b), HV_EXIT_SHUTDOWN);
	assert_int_equal(trial_x(&b, 5), 42);
	assert_int_equal(trial_x(&b, 6), DATA);
	assert_int_equal(a.device->reads, 1);
	assert_int_equal(b.device->reads, 0);
	hv_saved_free(&saved);
	trial_free(&a);
	trial_free(&b);
}

/* ---- Reset ---- */

static void a_reset_is_the_power_on_state(void **state)
{
	struct trial t = trial_new(on, 1, NULL);

	(void)state;
	code_mov(&t.code, 5, 5);
	code_off(&t.code);
	assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
	if (!hv_cap(on, t.vm, HV_CAP_VM_RESET)) {
		assert_int_equal(hv_vm_reset(t.vm), -ENOTSUP);
	} else {
		assert_int_equal(hv_vm_reset(t.vm), 0);
		assert_int_equal(trial_x(&t, 5), 0);
		assert_int_equal(trial_reg(&t, 0, TRIAL_PSTATE), 0x3c5);
	}
	trial_free(&t);
}

/* Given back and made again: as new. */
static void a_vcpu_that_is_made_again_is_new(void **state)
{
	struct trial t = trial_new(on, 1, NULL);

	(void)state;
	if (!is_kvm()) {
		trial_free(&t);
		skip();
	}
	trial_set_reg(&t, 0, REG_ID_CORE(10), 77);
	hv_vcpu_destroy(t.vcpu[0]);
	t.vcpu[0] = new_vcpu(t.vm, 0);
	assert_int_equal(trial_x(&t, 5), 0);
	assert_int_equal(trial_reg(&t, 0, TRIAL_PSTATE), 0x3c5);
	trial_free(&t);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_gets_writes_of_every_size),
		cmocka_unit_test(a_read_of_any_size_gives_what_the_device_says),
		cmocka_unit_test(an_access_that_nobody_answers_aborts),
		cmocka_unit_test(a_load_that_was_answered_is_seen_in_the_registers),
		cmocka_unit_test(an_abort_that_was_the_answer_is_taken_once),
		cmocka_unit_test(a_VM_can_go_away_in_the_middle_of_an_access),
		cmocka_unit_test(a_kick_before_a_run_is_kept),
		cmocka_unit_test(a_kick_is_kept_while_registers_are_read),
		cmocka_unit_test(the_end_comes_back),
		cmocka_unit_test(CPU_ON_starts_the_other_vcpu),
		cmocka_unit_test(features_are_for_the_guest_what_was_written),
		cmocka_unit_test(counters_are_what_was_set),
		cmocka_unit_test(a_line_that_is_raised_interrupts_the_guest),
		cmocka_unit_test(a_line_that_the_board_lacks_is_refused),
		cmocka_unit_test(an_eventfd_interrupts_the_guest),
		cmocka_unit_test(an_eventfd_counts_the_writes_that_match),
		cmocka_unit_test(a_flag_that_nobody_knows_is_refused),
		cmocka_unit_test(memory_that_is_read_only_keeps_its_contents),
		cmocka_unit_test(a_devices_own_memory_is_mapped_where_that_can_be),
		cmocka_unit_test(the_log_has_the_pages_that_were_written),
		cmocka_unit_test(a_guest_goes_on_where_it_was_restored),
		cmocka_unit_test(a_reset_is_the_power_on_state),
		cmocka_unit_test(a_vcpu_that_is_made_again_is_new),
		cmocka_unit_test(no_kick_of_a_busy_guest_is_lost),
		cmocka_unit_test(no_kick_of_a_waiting_guest_is_lost),
		cmocka_unit_test(no_kick_of_a_powered_off_vcpu_is_lost),
	};

	return run_on_all(tests, argc, argv);
}
