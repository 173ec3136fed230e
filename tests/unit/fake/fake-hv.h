/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hypervisor without a CPU: limits, capabilities and registers are what the
 * test says, so that rules of hv.c can be tried which the software hypervisor
 * cannot show. Registers: two bitmaps, a version, data of several sizes; one
 * VM register nobody has heard of; and one of no known scope.
 */
#ifndef FAKE_HV_H
#define FAKE_HV_H

#include <stdio.h>
#include <vmm/hv.h>

#define FAKE_BITMAP     UINT64_C(0x6030000000160000)
#define FAKE_BITMAP2    UINT64_C(0x6030000000160001)
#define FAKE_VERSION    UINT64_C(0x6030000000140000)    /* as PSCI_VERSION in regs.def */
#define FAKE_BITMAP_NEW UINT64_C(0x6030000000160009)    /* of a kernel that is newer than our tables */
#define FAKE_VM_DUMMY   UINT64_C(0x60300000001f7777)    /* in no table but the fake's */
#define FAKE_X0         UINT64_C(0x6030000000100000)
#define FAKE_BIG        UINT64_C(0x6080000000150000)    /* 256 bytes */
#define FAKE_STRANGE    UINT64_C(0x60300000001e0001)    /* scope unknown to everybody */

struct fake_reg {
	uint64_t id;
	enum hv_scope scope;
	enum hv_reg_kind kind;
	uint64_t reset;
};

/* What the next VM is like; fake_reset() puts everything back. */
struct fake_hv {
	uint64_t caps;                  /* bit per id; all but CORE_API_STABLE... which it claims, too */
	uint64_t ipa_max, vcpu_max;
	uint64_t sve_vls, gics;
	bool has_pmu;                   /* otherwise the attribute is absent */
	uint64_t extra_bitmap_bits;     /* a newer build's features */
	bool no_strange, no_dummy, no_bitmap2;  /* an older build's register list */
	bool no_bitmap, has_new_bitmap;         /* an older kernel's, a newer one's */
	uint64_t psci_version;
	int finish_error;
	/* What has happened. */
	unsigned vms, vcpus, creates, vm_reg_gets, vm_reg_sets, runs;
	struct hv_mem last_mem;
};

extern struct fake_hv fake;
extern const struct hv_ops fake_ops;            /* every operation */
extern const struct hv_ops fake_bare_ops;       /* the optional ones are NULL; claims all capabilities */

void fake_reset(void);

/* ---- For tests of what lies above a hypervisor ---- */

/* RAM of 4 MiB at 1 GiB, an empty bus, a loop. */
struct hv_env new_env(void);
void free_env(struct hv_env *env);

/* 0: the software hypervisor, 1: the fake one, put back. */
#define BACKENDS 2
const struct hv_ops *backend(unsigned i);

/* These must succeed. */
struct hv_vm *create(const struct hv_ops *ops, const struct hv_env *env, const struct hv_block *b);
struct hv_vm *finished(const struct hv_ops *ops, const struct hv_env *env, const struct hv_block *b);
struct hv_vcpu *new_vcpu(struct hv_vm *vm, unsigned id);
struct hv_block_buf block_of(uint16_t type, uint64_t value);
void add(struct hv_block_buf *b, uint16_t type, uint64_t value);
uint64_t get1(const struct hv_vm *vm, uint16_t type);
uint64_t reg1(struct hv_vm *vm, uint64_t id);           /* of the VM */

/* These may fail. */
int try_create(const struct hv_ops *ops, const struct hv_block *b);
int set1(struct hv_vm *vm, uint16_t type, uint64_t value);

unsigned open_files(void);

/* A message on stderr, to look at. */
struct said {
	FILE *f;
	int old;
	char text[2048];
};

void said_begin(struct said *s);
const char *said_end(struct said *s);
void assert_says(struct said *s, const char *what);

/* Saves a VM of two vCPUs on @ops after writing a few values; a VM to restore it into. */
void save_some(const struct hv_ops *ops, struct hv_env *env, struct hv_saved *s);
struct hv_vm *target(const struct hv_ops *ops, struct hv_env *env, const struct hv_saved *s);

#endif
