/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor interface: how the rest of vmm asks for a VM, whoever provides it.
 *
 *   hv_probe(block)            what does this backend support of that? no side effects
 *   hv_create_vm2(block)       a half-created VM: takes configuration and destroy, nothing else
 *     hv_set_attr ...          change your mind as often as you like, in any order
 *   hv_finish(vm)              cross-checks, all or nothing; then memory, vCPUs, interrupts
 *   hv_vcpu_create, _run ...   features are negotiable until the first vCPU has run
 *
 * The interface is UNSTABLE as long as capability CORE_API_STABLE reads 0.
 * There are no versions: every change has its own capability (cap.def), and a
 * capability whose operation a backend does not implement reads 0 whatever the
 * backend says.
 */
#ifndef VMM_HV_H
#define VMM_HV_H

#include <vmm/types.h>

/*
 * CREATE_VM2's attribute block: a header, then attributes one after another.
 * Each says its own size, so that a reader can pass over what it does not know.
 *
 *   struct hv_block { size, reserved } { type, size, reserved, payload u64[] } { ... } ...
 *
 * Sizes are in bytes, include the header and are multiples of 8. A longer payload
 * than known is accepted if the unknown tail is zero; a shorter one is extended
 * with zeroes. Reserved fields are 0. The same type twice is -EINVAL, and so is an
 * unknown type (except for hv_probe, which marks it absent).
 */
struct hv_block {
	uint32_t size;          /* of everything, header included */
	uint32_t reserved;
};

struct hv_attr {
	uint16_t type;          /* enum hv_attr_type */
	uint16_t size;          /* header and payload */
	uint32_t reserved;      /* hv_probe writes HV_ATTR_ABSENT here; 0 otherwise */
	uint64_t payload[];
};

#define HV_ATTR_ABSENT          UINT32_C(1)
#define HV_ATTR_ARCH            0x4000          /* types from here up belong to the guest architecture */
#define HV_ATTR_MAX             UINT64_MAX      /* payload: "as much as the backend has", asked explicitly */
#define HV_BLOCK_BYTES_MAX      4096
#define HV_SVE_VLS_WORDS        8               /* bit (vq - 1): vectors of vq * 128 bits */

enum hv_attr_type {
#define VM_ATTR(id, NAME, ...) HV_ATTR_##NAME = (id),
#include <vmm/vm-attr.def>
};

enum hv_cap {
#define CAP(id, NAME, ...) HV_CAP_##NAME = (id),
#include <vmm/cap.def>
};

enum hv_exit_reason {
#define VCPU_EXIT(NAME, ...) HV_EXIT_##NAME,
#include <vmm/exit.def>
	HV_EXIT_COUNT
};

/* Why hv_vcpu_run came back. */
struct hv_exit {
	enum hv_exit_reason reason;
	union {
		struct { gpa_t addr; uint8_t size; bool write; uint64_t value; } mmio;
		struct { uint32_t type; uint64_t arg; } system; /* PSCI: reset type, cookie */
		struct { int err; char text[120]; } fail;
	};
};

struct hv_vm;
struct hv_vcpu;
struct hv_ops;
struct mem;
struct bus;
struct loop;

/* What a backend borrows from the VM it serves; must outlive it. */
struct hv_env {
	struct mem *mem;
	struct bus *bus;
	struct loop *loop;
};

/* A register's place: VM-scoped state exists once and is saved once (requirement G1, G2). */
enum hv_scope { HV_SCOPE_VM, HV_SCOPE_VCPU };

struct hv_reg {
	uint64_t id;            /* the numbers of KVM_REG_ARM64_*, see regs.def */
	enum hv_scope scope;
	bool flagged;           /* not in our table: treated as vCPU-scoped, and said */
};

/* Memory flags; each backend translates them one by one and refuses those it does not know. */
#define HV_MEM_READONLY         UINT32_C(1)
#define HV_MEM_LOG_DIRTY        UINT32_C(2)

/*
 * The backends' side. Mandatory unless marked optional; an optional one that is
 * NULL makes its capability read 0. Errors are negative errno with a message
 * already logged where the backend knows the names.
 */
struct hv_ops {
	const char *name, *help;
	int  (*available)(char *why, size_t why_bytes);        /* 0, or -errno and the reason in @why */
	int  (*attr_limit)(uint16_t type, uint64_t *payload, unsigned words);  /* supported value(s); -ENOENT: absent */
	int  (*check_cap)(const struct hv_vm *vm, uint32_t cap);       /* vm may be NULL: the host's answer */
	int  (*create)(const struct hv_env *env, struct hv_vm **vm);   /* half-created, nothing configured */
	int  (*finish)(struct hv_vm *vm);                      /* attributes are checked and in vm->attr */
	void (*destroy)(struct hv_vm *vm);
	int  (*mem_map)(struct hv_vm *vm, unsigned slot, gpa_t base, void *host, uint64_t bytes, uint32_t flags);
	int  (*mem_unmap)(struct hv_vm *vm, unsigned slot);
	int  (*irq_line)(struct hv_vm *vm, unsigned spi, bool level);
	int  (*vcpu_create)(struct hv_vm *vm, unsigned id, struct hv_vcpu **vcpu);
	void (*vcpu_destroy)(struct hv_vcpu *vcpu);
	int  (*vcpu_finalize)(struct hv_vcpu *vcpu);           /* optional: SVE on KVM */
	int  (*vcpu_run)(struct hv_vcpu *vcpu, struct hv_exit *exit);
	void (*vcpu_kick)(struct hv_vcpu *vcpu);               /* any thread: run returns soon with HV_EXIT_KICKED */
	int  (*reg_list)(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg *regs, unsigned *count); /* -E2BIG, needed count */
	int  (*reg_get)(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, void *value);
	int  (*reg_set)(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value);
	int  (*vm_reset)(struct hv_vm *vm);                    /* all vCPUs out of run: power-on state */
	int  (*dirty_log)(struct hv_vm *vm, unsigned slot, uint64_t *bitmap);  /* optional */
};

#endif
