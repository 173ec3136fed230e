/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A real VM on any hypervisor of this host, with guest code written by the test: no
 * compiler for the guest is needed, and addresses are the test's. The MMU is off.
 *
 *   struct trial t = trial_new(on, 1, NULL);
 *   code_mov(&t.code, 5, 42);
 *   code_off(&t.code);
 *   assert_int_equal(trial_go(&t), HV_EXIT_SHUTDOWN);
 *   assert_int_equal(trial_x(&t, 5), 42);
 */
#ifndef FAKE_TRIAL_H
#define FAKE_TRIAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <vmm/bus.h>
#include <vmm/err.h>
#include <vmm/hv.h>
#include <vmm/mem.h>
#include <vmm/regs.h>

#include "fake-hv.h"

/* RAM as new_env() has it, and what is where. */
#define TRIAL_CODE      UINT64_C(0x40000000)
#define TRIAL_VECTORS   UINT64_C(0x40010000)
#define TRIAL_DATA      UINT64_C(0x40200000)
#define TRIAL_RAM_BYTES (4 * MIB)

/* A device that remembers: reads give what was prepared. */
#define TRIAL_DEVICE    UINT64_C(0x0a000000)
#define TRIAL_NOBODY    UINT64_C(0x0b000000)    /* nothing is there */

struct trial_device {
	_Atomic unsigned writes;        /* may be watched from another thread */
	unsigned reads, size;           /* size of the last access */
	uint64_t offset, value;         /* of the last access; what a read gives */
	bool refuses;
	struct hv_vcpu *kicks;          /* a vCPU that is kicked by each access */
};

/* Where the next word of guest code goes. */
struct code {
	struct mem *mem;
	uint64_t at;
};

struct trial {
	const struct hv_ops *ops;
	struct hv_env env;
	struct hv_vm *vm;
	struct hv_vcpu *vcpu[2];
	struct hv_exit exit[2];         /* they carry answers, so they live on */
	struct code code;
	struct trial_device *device;
};

/* Finished, RAM mapped as slot 0, @cpus (1, 2) vCPUs ready to run at TRIAL_CODE; attributes of @b first (may be NULL). */
struct trial trial_new(const struct hv_ops *ops, unsigned cpus, const struct hv_block_buf *b);
void trial_free(struct trial *t);
/* @b, or nothing, and what this host has instead of missing defaults; @cpus vCPUs. */
struct hv_block_buf trial_block(const struct hv_ops *ops, unsigned cpus, const struct hv_block_buf *b);

/* vCPU @id runs until it comes back for something else than a device. */
enum hv_exit_reason trial_run(struct trial *t, unsigned id);
/* vCPU 0. */
enum hv_exit_reason trial_go(struct trial *t);
/* Answers a device access from the bus, as vcpu.c does. */
void trial_answer(struct trial *t, unsigned id);

uint64_t trial_reg(struct trial *t, unsigned id, uint64_t reg);
void trial_set_reg(struct trial *t, unsigned id, uint64_t reg, uint64_t value);
/* General register @n of vCPU 0. */
uint64_t trial_x(struct trial *t, unsigned n);

/* Has the hypervisor this register? */
bool trial_lists(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t reg);

/* ---- Guest code ---- */

void code_word(struct code *c, uint32_t word);
void code_mov(struct code *c, unsigned reg, uint64_t value);
/* @log2: of the bytes, 0..3. */
void code_ldr(struct code *c, unsigned log2, unsigned reg, unsigned base);
void code_str(struct code *c, unsigned log2, unsigned reg, unsigned base);
void code_ldrs(struct code *c, unsigned log2, unsigned reg, unsigned base);     /* sign extended to 64 bits */
void code_mrs(struct code *c, unsigned reg, unsigned enc);
void code_msr(struct code *c, unsigned enc, unsigned reg);
void code_b(struct code *c, uint64_t target);
void code_add(struct code *c, unsigned reg, unsigned n, unsigned imm);          /* reg = n + imm */
/* Spoil x0 (and x1). */
void code_call(struct code *c, uint32_t function);                              /* HVC */
void code_off(struct code *c);
void code_store(struct code *c, unsigned log2, uint64_t address, uint64_t value);
/* Spoil x0 and x1: the GIC of the VM on, with SPI @spi for this CPU, edge or level; taken when unmasked. */
void code_gic(struct code *c, const struct trial *t, unsigned spi, bool edge);
/* In the vector: acknowledged into x20 and ended, and @spi switched off. */
void code_irq(struct code *c, const struct trial *t);

#define CODE_WFI        UINT32_C(0xd503207f)
#define CODE_NOP        UINT32_C(0xd503201f)
#define CODE_ISB        UINT32_C(0xd5033fdf)
#define CODE_ERET       UINT32_C(0xd69f03e0)
#define CODE_UNMASK     UINT32_C(0xd50342ff)    /* msr daifclr, #2 */

#define ENC_CPACR       REG_ENC(3, 0, 1, 0, 2)
#define ENC_ZCR         REG_ENC(3, 0, 1, 2, 0)
#define ENC_SPSR        REG_ENC(3, 0, 4, 0, 0)
#define ENC_ELR         REG_ENC(3, 0, 4, 0, 1)
#define ENC_ESR         REG_ENC(3, 0, 5, 2, 0)
#define ENC_FAR         REG_ENC(3, 0, 6, 0, 0)
#define ENC_CNTVCT      REG_ENC(3, 3, 14, 0, 2)
#define ENC_CNTPCT      REG_ENC(3, 3, 14, 0, 1)

#define TRIAL_PC        REG_ID_CORE(0x40)
#define TRIAL_PSTATE    REG_ID_CORE(0x42)
#define TRIAL_VBAR      REG_ID_SYS(REG_ENC(3, 0, 12, 0, 0))
#define TRIAL_CNTPCT    REG_ID_SYS(ENC_CNTPCT)
#define TRIAL_CNTVCT    REG_ID_SYS(REG_ENC(3, 3, 14, 3, 2))     /* vmm/regs.h: exchanged with CNTV_CVAL */

/* ---- Every backend that this host has ---- */

/*
 * The tests of a program like this, once a backend: @on is what they ask. Returns how many
 * failed. With an argument: that backend only, and it must be there.
 */
extern const struct hv_ops *on;
#define run_on_all(tests, argc, argv) trial_run_on_all(tests, ARRAY_SIZE(tests), (argc) > 1 ? (argv)[1] : NULL)
int trial_run_on_all(const struct CMUnitTest *tests, size_t count, const char *only);

/* Threads of this process: one that has just ended is waited for. */
void assert_thread_count(unsigned count);
unsigned thread_count(void);

#endif
