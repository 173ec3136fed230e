/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * KVM on arm64, Linux's hypervisor, behind include/vmm/hv.h. Everything KVM offers is
 * probed; no kernel version is ever looked at.
 *
 *   kvm.c    the VM: created in one go at finish, because KVM has no half-created state
 *   host.c   what this host has: availability, limits, capabilities
 *   checks.c the same for people: vmm doctor
 *   vcpu.c   running and why it came back
 *   gic.c    the interrupt controller and the ways into it
 *   regs.c   registers, and the counters behind two of them
 *   smccc.c  hypercalls that the kernel hands to us
 *   nisv.c   device accesses that KVM cannot decode
 */
#ifndef KVM_KVM_H
#define KVM_KVM_H

#include <pthread.h>
#include <stdatomic.h>
#include <vmm/hv.h>

#include "uapi.h"

struct cpu_loan;
struct kvm_vcpu;

struct kvm_vm {
	struct hv_vm vm; /* first: hv.c's part */
	struct hv_env env;
	int host, fd, gic;              /* /dev/kvm, the VM, its GIC; -1: not open */
	unsigned vcpu_count;
	struct kvm_vcpu *vcpus;         /* all of them, from finish on: KVM's feature registers are reached through one */
	uint64_t counter_offset;        /* as set with SET_COUNTER_OFFSET */
	bool has_counter_offset;
	bool can_decode;                /* an access without a syndrome comes here */
	_Atomic uint64_t decoded;       /* how many did */
	pthread_mutex_t lock;           /* of what follows */
	uint32_t said_calls[16];        /* hypercalls nobody answers, each said once */
	unsigned said_count;
};

struct kvm_vcpu {
	struct hv_vcpu vcpu; /* first: hv.c's part */
	struct kvm_vm *kvm;
	int fd;
	unsigned id;
	struct kvm_run *run;            /* shared with the kernel */
	size_t run_bytes;
	struct kvm_vcpu_init init;      /* to be repeated as it was */
	bool handed_out;
	struct hv_exit *answer;         /* of the MMIO exit that KVM completes on the next entry */
	_Atomic bool kicked;            /* since the last return for a kick */
	_Atomic int tid;                /* of the thread that is in KVM_RUN; 0: none */
	struct cpu_loan *loan;          /* made at the first access that needs it */
};

static inline struct kvm_vm *kvm_of(const struct hv_vm *vm) { return (struct kvm_vm *)(uintptr_t)vm; }
static inline struct kvm_vcpu *kvm_vcpu_of(const struct hv_vcpu *c) { return (struct kvm_vcpu *)(uintptr_t)c; }

/* An ioctl: its result, or -errno. No message. */
int kvm_call(int fd, unsigned long request, uintptr_t arg);
#define kvm_ptr(p) ((uintptr_t)(p))

/* A device attribute of the VM, a vCPU or a device. */
int kvm_attr_has(int fd, uint32_t group, uint64_t attr);
int kvm_attr_set(int fd, uint32_t group, uint64_t attr, const void *value);

/* ---- host.c ---- */

/* Opens /dev/kvm; -errno with the reason, and what to do, in @why. */
int kvm_host_open(char *why, size_t bytes);
/* KVM_CHECK_EXTENSION of the system or a VM: 0 absent. */
int kvm_host_cap(int fd, unsigned cap);
/* The VM type for guest addresses of @bits: never 0 where the kernel can be told, for 0 means 40. */
int kvm_host_vm_type(int host, unsigned bits, unsigned long *type);
/* The host's vector lengths, as HV_ATTR_SVE_VLS; all zero: none. */
int kvm_host_sve(int host, uint64_t vls[HV_SVE_VLS_WORDS]);

/* "128,256": vector lengths in bits; empty: none. */
void kvm_sve_text(const uint64_t *vls, const char *separator, char *text, size_t bytes);
/* What the host has of an attribute; -ENOENT: nothing is known of it. */
int kvm_host_limit(int host, uint16_t type, struct hv_limit *l);
/* Can hypercalls be handed to us? */
bool kvm_host_has_filter(int host);

int kvm_available(char *why, size_t bytes);
int kvm_attr_limit(uint16_t type, struct hv_limit *limit);
int kvm_check_cap(const struct hv_vm *vm, uint32_t cap);

/* ---- checks.c ---- */

int kvm_host_check(unsigned i, struct hv_check *check);

/* ---- vcpu.c ---- */

int kvm_vcpu_setup(struct kvm_vm *k, unsigned id);      /* created, initialised, finalised in KVM's sense */
void kvm_vcpu_close(struct kvm_vcpu *c);
int kvm_vcpu_pmu(struct kvm_vm *k);                     /* after the GIC */
int kvm_vcpu_create(struct hv_vm *vm, unsigned id, struct hv_vcpu **vcpu);
void kvm_vcpu_destroy(struct hv_vcpu *vcpu);
int kvm_vcpu_finalize(struct hv_vcpu *vcpu);
int kvm_vcpu_run(struct hv_vcpu *vcpu, struct hv_exit *exit);
void kvm_vcpu_kick(struct hv_vcpu *vcpu);
/* KVM completes a device access when the guest is entered again; before state is read that has to happen. */
void kvm_vcpu_complete(struct kvm_vcpu *c);

/* ---- gic.c ---- */

int kvm_gic_create(struct kvm_vm *k);   /* before any vCPU has run */
int kvm_gic_init(struct kvm_vm *k);     /* after all vCPUs exist */
int kvm_irq_line(struct hv_vm *vm, unsigned spi, bool level);
int kvm_irqfd(struct hv_vm *vm, unsigned spi, int fd, bool on);
int kvm_ioeventfd(struct hv_vm *vm, const struct hv_ioevent *e, bool on);

/* ---- regs.c ---- */

int kvm_reg_list(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg *regs, unsigned *count);
int kvm_reg_get(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, void *value);
int kvm_reg_set(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value);
/* Of one vCPU as KVM has it, nothing else done. */
int kvm_reg_read(struct kvm_vcpu *c, uint64_t id, void *value);
int kvm_reg_write(struct kvm_vcpu *c, uint64_t id, const void *value);
/* Both counters start at 0, where the kernel lets us. */
int kvm_counters_start(struct kvm_vm *k);

/* ---- smccc.c ---- */

int kvm_smccc_filter(struct kvm_vm *k);
void kvm_smccc_call(struct kvm_vcpu *c);

/* ---- nisv.c ---- */

/* KVM_EXIT_ARM_NISV: executes the instruction, or the guest gets an external abort. -errno: not even that. */
int kvm_nisv(struct kvm_vcpu *c);
void kvm_nisv_forget(struct kvm_vcpu *c);
int kvm_inject_abort(struct kvm_vcpu *c);

#endif
