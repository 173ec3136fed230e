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

#include <stdatomic.h>
#include <vmm/registry.h>
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

/* Bits of HV_ATTR_FEATURES. */
enum hv_feature {
#define VM_FEATURE(bit, NAME, ...) HV_FEATURE_##NAME = (bit),
#include <vmm/vm-attr.def>
};

enum hv_attr_kind { HV_NUMBER, HV_SET, HV_CHOICE, HV_SWITCH };

/* A value for every attribute, by name: v.IPA_BITS[0]. */
struct hv_values {
#define VM_ATTR(id, NAME, name, words, ...) uint64_t NAME[words];
#include <vmm/vm-attr.def>
};

#define HV_ATTR_WORDS_MAX HV_SVE_VLS_WORDS

/* A row of vm-attr.def. */
struct hv_attr_info {
	uint16_t type, words;
	enum hv_attr_kind kind;
	uint64_t min, value_default;
	const char *name, *unit, *option, *arg, *help;
	size_t offset;          /* in struct hv_values */
};

const struct hv_attr_info *hv_attr_at(unsigned i);      /* NULL past the last */
const struct hv_attr_info *hv_attr_info(uint16_t type); /* NULL: unknown */
/* Name of bit or choice @n of an attribute: a capability, a model, a feature. NULL: it is a number. */
const char *hv_attr_value_name(const struct hv_attr_info *a, uint64_t n);

/* What a backend can do of one attribute. Filled with the row's min before the backend is asked. */
struct hv_limit {
	uint64_t min, max;                      /* NUMBER, SWITCH */
	uint64_t bits[HV_ATTR_WORDS_MAX];       /* SET, CHOICE */
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
		/* The VMM fills value of a read, or sets abort: nobody answered, the guest gets an external abort. */
		struct { gpa_t addr; uint8_t size; bool write, abort; uint64_t value; } mmio;
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
struct jit_config;

/* What a backend borrows from the VM it serves; must outlive it. */
struct hv_env {
	struct mem *mem;
	struct bus *bus;
	struct loop *loop;
	const struct jit_config *jit;   /* NULL: nothing is wished. Refused where capability JIT is 0 */
};

/*
 * A register's place: VM-scoped state exists once and is saved once (requirement G1, G2).
 * A backend that does not know says UNKNOWN, and gets the answer from regs.def and regs-kvm.def.
 */
enum hv_scope { HV_SCOPE_VM, HV_SCOPE_VCPU, HV_SCOPE_UNKNOWN };

/*
 * Features are registers too: everything supported is on until somebody writes
 * less, and nothing can be written once a vCPU has run (the same value can).
 */
enum hv_reg_kind {
	HV_REG_PLAIN,           /* hv.c recognises features by their id */
	HV_REG_BITMAP,          /* first read = supported; write a subset; other bits are -EINVAL */
	HV_REG_LEVEL,           /* level of a specification, ID register, length: the backend checks the value */
};

struct hv_reg {
	uint64_t id;            /* the numbers of KVM_REG_ARM64_*, see regs.def; bytes: hv_reg_bytes() */
	enum hv_scope scope;
	enum hv_reg_kind kind;
	bool flagged;           /* not in our tables: treated as vCPU-scoped (a bitmap: the VM's), and said */
};

#define HV_REG_BYTES_MAX 256

/* The id says the size, in bits 55:52; 0 if that is not a size. */
static inline unsigned hv_reg_bytes(uint64_t id)
{
	unsigned log2 = id >> 52 & 0xf;

	return log2 <= 8 ? 1u << log2 : 0;
}

/* Memory flags; each backend translates them one by one and refuses those it does not know. */
#define HV_MEM_READONLY         UINT32_C(1)
#define HV_MEM_LOG_DIRTY        UINT32_C(2)

/* Guest memory as a backend sees it. */
struct hv_mem {
	unsigned slot;
	gpa_t base;
	void *host;
	uint64_t bytes;
	uint32_t flags;         /* HV_MEM_*, for every architecture */
	uint32_t arch_flags;    /* of the guest architecture; none yet, so 0 */
};

/* A guest's write that only has to wake somebody: to @addr, @bytes wide (1, 2, 4, 8), when it is @value. */
struct hv_ioevent {
	gpa_t addr;
	unsigned bytes;
	uint64_t value;
	int fd;                 /* an eventfd */
};

/* One finding of `vmm doctor' about this host. */
enum hv_health {
	HV_HEALTHY,
	HV_LIMITED,             /* works, something is missing: advice says what that costs */
	HV_UNFIT,               /* the backend cannot be used until it is mended */
};

struct hv_check {
	enum hv_health health;
	char what[32];          /* "/dev/kvm", "IPA size", a capability's name */
	char found[96];         /* "40 bits" */
	char advice[224];       /* what it costs and what to do; empty when there is nothing to say */
};

/*
 * The backends' side. Mandatory unless marked optional; an optional one that is
 * NULL makes its capability read 0. Errors are negative errno with a message
 * already logged where the backend knows the names.
 */
struct hv_ops {
	const char *name, *help;
	unsigned rank;                                         /* --hv auto takes the highest that is available */
	int  (*available)(char *why, size_t why_bytes);        /* 0, or -errno and the reason in @why */
	int  (*attr_limit)(uint16_t type, struct hv_limit *limit);     /* -ENOENT: absent. CAPS is not asked */
	int  (*check_cap)(const struct hv_vm *vm, uint32_t cap);       /* vm may be NULL: the host's answer */
	int  (*create)(const struct hv_env *env, struct hv_vm **vm);   /* half-created, nothing configured */
	int  (*finish)(struct hv_vm *vm);                      /* attributes are checked and in vm->attr; a second call starts over */
	void (*destroy)(struct hv_vm *vm);
	int  (*mem_map)(struct hv_vm *vm, const struct hv_mem *m);     /* -EINVAL: a flag it does not know */
	int  (*mem_unmap)(struct hv_vm *vm, unsigned slot);
	int  (*irq_line)(struct hv_vm *vm, unsigned spi, bool level);
	int  (*vcpu_create)(struct hv_vm *vm, unsigned id, struct hv_vcpu **vcpu);
	void (*vcpu_destroy)(struct hv_vcpu *vcpu);
	int  (*vcpu_finalize)(struct hv_vcpu *vcpu);           /* optional: SVE on KVM */
	int  (*vcpu_run)(struct hv_vcpu *vcpu, struct hv_exit *exit);
	void (*vcpu_kick)(struct hv_vcpu *vcpu);               /* any thread: run returns soon with HV_EXIT_KICKED */
	uint64_t (*vcpu_insn_count)(struct hv_vcpu *vcpu);     /* optional */
	int  (*reg_list)(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg *regs, unsigned *count); /* -E2BIG, needed count */
	int  (*reg_get)(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, void *value);
	int  (*reg_set)(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value);
	int  (*vm_reset)(struct hv_vm *vm);                    /* optional; all vCPUs out of run: power-on state */
	int  (*dirty_log)(struct hv_vm *vm, unsigned slot, uint64_t *bitmap);  /* optional */
	int  (*host_check)(unsigned i, struct hv_check *check);        /* optional; -ENOENT past the last. Works without available() */
	int  (*irqfd)(struct hv_vm *vm, unsigned spi, int fd, bool on);        /* optional */
	int  (*ioeventfd)(struct hv_vm *vm, const struct hv_ioevent *e, bool on);      /* optional */
};

#define HV_BACKEND(name, ops) REGISTER(backend, const struct hv_ops, name, ops)

enum hv_state {
	HV_HALF,                /* takes attributes and destroy */
	HV_READY,               /* everything else; attributes are fixed */
};

/* What every backend's VM and vCPU begin with. Filled by hv.c after ops->create; backends read only. */
struct hv_vm {
	const struct hv_ops *ops;
	struct hv_env env;
	enum hv_state state;
	_Atomic bool ran;               /* a vCPU has run: features are fixed */
	struct hv_values attr;
	struct hv_vcpu **vcpus;         /* by id; attr.VCPU_COUNT entries once READY */
	struct hv_reg *regs;            /* the list in restore order, once somebody asked */
	uint64_t *supported;            /* of bitmap registers, parallel to regs */
	unsigned reg_count;
	bool said_flagged;
};

struct hv_vcpu {
	struct hv_vm *vm;
	unsigned id;
	bool finalized;
};

/*
 * From here on: what the rest of vmm calls. All return 0 or -errno with a message,
 * unless said otherwise. Too early (before hv_finish, a vCPU before hv_vcpu_finalize):
 * -EPERM. Too late (configuration after it, features after the first run): -EBUSY.
 */

/* ---- Backends ---- */

const struct hv_ops *hv_backend_at(unsigned i);         /* NULL past the last; best rank first */
/* @name NULL or "auto": the best that is available. -ENOENT unknown, or why it is not available. */
int hv_backend_find(const char *name, const struct hv_ops **ops);
/*
 * Available or not; where it is not, only name, help, rank, available and hv_host_check may be
 * used: other operations may be NULL. -ENOENT unknown.
 */
int hv_backend_named(const char *name, const struct hv_ops **ops);

/*
 * 0: absent, positive: present, and for some the value counts. @vm NULL: the host's
 * answer. An id nobody knows is absent. CORE_API_STABLE is 0 until we say so.
 */
int hv_cap(const struct hv_ops *ops, const struct hv_vm *vm, uint32_t cap);
const char *hv_cap_name(uint32_t cap);                  /* NULL: unknown */

/* ---- Attribute blocks ---- */

/* Room for the largest block, with a builder. */
struct hv_block_buf {
	union {
		struct hv_block block;
		uint64_t words[HV_BLOCK_BYTES_MAX / 8];
	};
};

void hv_block_init(struct hv_block_buf *b);
/* -ENOSPC when full. */
int hv_block_add(struct hv_block_buf *b, uint16_t type, const uint64_t *payload, unsigned words);
/* Takes out what hv_probe marked absent, so that the rest can be given to hv_create_vm2. */
void hv_block_drop_absent(struct hv_block_buf *b);
/* All sizes inside @len bytes, reserved fields 0. For blocks that come from a file. */
int hv_block_check(const void *bytes, size_t len);
/*
 * The attribute after *@a (NULL: the first), NULL past the last; the block has passed
 * hv_block_check, which probe and create do.
 */
struct hv_attr *hv_block_next(const struct hv_block *b, const struct hv_attr *a);

/* What the backend has of one attribute; -ENOENT: absent. No message. */
int hv_attr_limit(const struct hv_ops *ops, uint16_t type, struct hv_limit *limit);

/* Writes the supported values into the block, whatever stood there; marks what is absent. */
int hv_probe(const struct hv_ops *ops, struct hv_block *b);

/*
 * For a user who said nothing about it: defaults are the same on all backends (vm-attr.def), but
 * not every host has them. Numbers and choices whose default this backend cannot give, and that
 * are not in the block, go into it with the best there is, each said in one line. -ENOSPC when full.
 */
int hv_fit_defaults(const struct hv_ops *ops, struct hv_block_buf *b);

/* ---- Life of a VM ---- */

/* @b may be NULL. *vm is NULL after failure. */
int hv_create_vm2(const struct hv_ops *ops, const struct hv_env *env, const struct hv_block *b,
		  struct hv_vm **vm);
/* As in a block: any number of words, unknown ones zero. Nothing is changed on failure. */
int hv_set_attr(struct hv_vm *vm, uint16_t type, const uint64_t *payload, unsigned words);
int hv_get_attr(const struct hv_vm *vm, uint16_t type, uint64_t *payload, unsigned words);
/* The VM's attributes, all of them, as a block from which the same VM can be made. */
void hv_get_block(const struct hv_vm *vm, struct hv_block_buf *b);
/* Also writes the model's features; if that is refused, the VM is half-created as before. */
int hv_finish(struct hv_vm *vm);
void hv_destroy(struct hv_vm *vm);      /* and its vCPUs; NULL is fine */

int hv_mem_map(struct hv_vm *vm, const struct hv_mem *m);
int hv_mem_unmap(struct hv_vm *vm, unsigned slot);
int hv_dirty_log(struct hv_vm *vm, unsigned slot, uint64_t *bitmap);
int hv_irq_line(struct hv_vm *vm, unsigned spi, bool level);    /* any thread, no message */
int hv_vm_reset(struct hv_vm *vm);

/*
 * Shortcuts without a return to vmm, -ENOTSUP (no message) where the backend has none: then
 * the caller goes through hv_irq_line and the bus. hv_irqfd: each write to eventfd @fd makes
 * the edge interrupt @spi pending. hv_ioeventfd: a matching write signals e->fd and does not
 * reach the bus. @on false takes the same thing out again.
 */
int hv_irqfd(struct hv_vm *vm, unsigned spi, int fd, bool on);
int hv_ioeventfd(struct hv_vm *vm, const struct hv_ioevent *e, bool on);
/* The @i-th finding about this host, -ENOENT past the last or where the backend has none to tell. */
int hv_host_check(const struct hv_ops *ops, unsigned i, struct hv_check *check);

/* ---- vCPUs ---- */

int hv_vcpu_create(struct hv_vm *vm, unsigned id, struct hv_vcpu **vcpu);
int hv_vcpu_finalize(struct hv_vcpu *vcpu);
void hv_vcpu_destroy(struct hv_vcpu *vcpu);
/*
 * After HV_EXIT_MMIO the backend takes the answer from @exit when the vCPU runs again or its
 * registers are asked for: *@exit lives until then.
 */
int hv_vcpu_run(struct hv_vcpu *vcpu, struct hv_exit *exit);
void hv_vcpu_kick(struct hv_vcpu *vcpu);
uint64_t hv_vcpu_insn_count(struct hv_vcpu *vcpu);      /* 0 where the backend does not count */

/* ---- Registers ---- */

/*
 * Registers of the VM (@vcpu NULL) or of a vCPU in the order in which they must be
 * restored: features first. *count: room, then how many; -E2BIG (no message) if there
 * was too little. No vCPU may be running.
 */
int hv_reg_list(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg *regs, unsigned *count);
/* The same, into memory that is the caller's to free; NULL after failure. */
int hv_reg_list_new(struct hv_vm *vm, struct hv_vcpu *vcpu, struct hv_reg **regs, unsigned *count);
/* Is @id in such a list? */
bool hv_reg_is_listed(const struct hv_reg *regs, unsigned count, uint64_t id);
const char *hv_reg_name(uint64_t id);                   /* of regs.def and regs-kvm.def; NULL: not there */
/*
 * hv_reg_bytes(id) bytes at @value. No message. -ENOENT unknown; -EINVAL a value the
 * register refuses, or a vCPU of another VM; -EBUSY a feature after the first run.
 */
int hv_reg_get(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, void *value);
int hv_reg_set(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value);

/* "ID_AA64PFR0_EL1", or the id in hex if it has no name. Returns @text. */
#define HV_REG_TEXT_BYTES 32
const char *hv_reg_text(uint64_t id, char *text, size_t bytes);

/* Reasons for one message: the first few in words, the others counted. Begins as { 0 }. */
struct hv_why {
	char text[400];
	unsigned count;
};

void hv_why_add(struct hv_why *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "..., ... and 3 more"; ends the list. */
const char *hv_why_end(struct hv_why *why);

/*
 * hv_reg_set of a feature. If it is refused, its fields (reg-field.def) are tried one by one, and each
 * that cannot have its bits of @value is a reason: "ID_AA64ISAR0_EL1.RNDR is 1 and cannot be 0"; the
 * register then has anything between. 0 if the fields end up as @value after all.
 */
int hv_reg_set_why(struct hv_vm *vm, struct hv_vcpu *vcpu, uint64_t id, const void *value, struct hv_why *why);

/*
 * Restricts a feature bitmap to @want, after checking that all of @need is there:
 * -ENOTSUP with a message naming the missing bits, and nothing changed. *got, if not
 * NULL, is what is set now: want, as far as supported.
 */
int hv_negotiate(struct hv_vm *vm, uint64_t id, uint64_t want, uint64_t need, uint64_t *got);

/* ---- Models (model.def) ---- */

struct hv_model {
	uint32_t id;
	const char *name, *help;
};

const struct hv_model *hv_model_at(unsigned i);         /* NULL past the last */
/*
 * Writes model @id into the feature registers of a VM that has not run. No message:
 * @why says what is missing, -ENOTSUP, and the registers are then anything.
 */
int hv_model_apply(struct hv_vm *vm, uint32_t id, char *why, size_t bytes);

/* ---- All registers ---- */

/* All registers of a VM, values opaque. */
struct hv_saved_reg {
	uint64_t id;
	int32_t vcpu;                   /* -1: the VM's */
	uint32_t bytes;
	uint8_t value[HV_REG_BYTES_MAX];
};

#define HV_NEEDS_BYTES 512

struct hv_saved {
	const char *backend;            /* nobody has tested restoring on another one */
	/*
	 * The least a reader must have: names of capabilities, separated by blanks. Names, so that a
	 * reader who lacks one can say which; no numbers of versions. As long as CORE_API_STABLE reads 0
	 * on either side there is no promise beyond: refused with a reason, or the guest sees no change.
	 */
	char needs[HV_NEEDS_BYTES];
	struct hv_block_buf attr;       /* includes CAPS: what a reader must have */
	struct hv_saved_reg *regs;
	unsigned count;
};

int hv_save(struct hv_vm *vm, struct hv_saved *s);
/*
 * Into a VM created from s->attr that has not run. Features come first, and those the saved
 * state does not mention are turned off. Stops at the first register refused, naming it.
 */
int hv_restore(struct hv_vm *vm, const struct hv_saved *s);
void hv_saved_free(struct hv_saved *s);

#endif
