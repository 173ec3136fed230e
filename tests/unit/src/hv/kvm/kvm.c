/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The KVM backend against a kernel that the test plays: of any age, with any fault, and with
 * a memory for the order in which it was asked. ioctl, open and mmap come here (wrap.mk); its
 * descriptors are real ones, so that what is not closed is seen.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include <spec/psci.h>
#include <vmm/bus.h>
#include <vmm/err.h>
#include <vmm/mem.h>
#include <vmm/regs.h>

#include "fake-hv.h"
#include "src/hv/kvm/kvm.h"

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);

/* ---- The kernel ---- */

#define PSCI_REG REG_ID_FW(0)
#define X(n)     REG_ID_CORE(2 * (n))

enum what { NOTHING, SYSTEM, VM, VCPU, GIC };

struct stored {
	uint64_t id, value;
};

/* One return of KVM_RUN: an error, or what @fill makes of the shared area. */
struct comes_back {
	int err;
	uint32_t reason;
	void (*fill)(struct kvm_run *run);
};

static struct kernel {
	int open_errno, api_version;
	int caps[256];
	/* The @nth (from 1; 0: each) call that is written down with a text that begins so, fails. */
	const char *fails;
	unsigned nth;
	int fail_errno;
	bool no_bitmaps, no_filter, no_pvtime, no_gicv3;
	uint64_t vls;
	const struct comes_back *runs;
	/* What has happened. */
	enum what fds[1024];
	unsigned vcpus, matches, run_count;
	struct kvm_run *run[8];
	struct stored regs[64];
	unsigned reg_count;
	uint64_t counter;
	char said[256][48];
	unsigned said_count;
} k;

static void kernel_is(void)
{
	memset(&k, 0, sizeof(k));
	k.api_version = KVM_API_VERSION;
	k.caps[KVM_CAP_ARM_VM_IPA_SIZE] = 48;
	k.caps[KVM_CAP_MAX_VCPUS] = 512;
	k.caps[KVM_CAP_NR_MEMSLOTS] = 32767;
	k.caps[KVM_CAP_READONLY_MEM] = k.caps[KVM_CAP_IRQFD] = k.caps[KVM_CAP_IOEVENTFD] = 1;
	k.caps[KVM_CAP_ARM_SVE] = k.caps[KVM_CAP_ARM_PMU_V3] = 1;
	k.caps[KVM_CAP_ARM_PTRAUTH_ADDRESS] = k.caps[KVM_CAP_ARM_PTRAUTH_GENERIC] = 1;
	k.caps[KVM_CAP_ARM_NISV_TO_USER] = k.caps[KVM_CAP_COUNTER_OFFSET] = 1;
	k.caps[KVM_CAP_ARM_WRITABLE_IMP_ID_REGS] = 1;
	k.vls = 0xb; /* 128, 256, 512 */
	k.counter = 1000000;
}

static int fails(const char *call)
{
	if (!k.fails || strncmp(call, k.fails, strlen(k.fails)))
		return 0;
	k.matches++;
	return !k.nth || k.matches == k.nth ? k.fail_errno : 0;
}

/* Written down, and refused if it is to fail. */
static int note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int note(const char *fmt, ...)
{
	char text[48];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (k.said_count < ARRAY_SIZE(k.said))
		snprintf(k.said[k.said_count++], sizeof(text), "%s", text);
	return fails(text);
}

/* When was that? -1: never. The last one. */
static int when(const char *call)
{
	int at = -1;

	for (unsigned i = 0; i < k.said_count; i++)
		if (!strncmp(k.said[i], call, strlen(call)))
			at = (int)i;
	return at;
}

static unsigned how_often(const char *call)
{
	unsigned n = 0;

	for (unsigned i = 0; i < k.said_count; i++)
		n += !strncmp(k.said[i], call, strlen(call));
	return n;
}

static void assert_order(const char *first, const char *then)
{
	if (when(first) < 0 || when(then) < 0 || when(first) > when(then))
		fail_msg("%s (%d) does not come before %s (%d)", first, when(first), then, when(then));
}

static int new_fd(enum what what)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	if (fd >= 0 && fd < (int)ARRAY_SIZE(k.fds))
		k.fds[fd] = what;
	return fd;
}

static uint64_t *stored(uint64_t id)
{
	for (unsigned i = 0; i < k.reg_count; i++)
		if (k.regs[i].id == id)
			return &k.regs[i].value;
	if (k.reg_count == ARRAY_SIZE(k.regs))
		fail_msg("too many registers");
	k.regs[k.reg_count].id = id;
	return &k.regs[k.reg_count++].value;
}

static const uint64_t list[] = { X(0), PSCI_REG, REG_ID_BMAP(0), REG_ID_SYS(REG_ENC(3, 3, 14, 0, 1)) };

static int get_list(struct kvm_reg_list *l)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(list); i++) {
		if (k.no_bitmaps && list[i] == REG_ID_BMAP(0))
			continue;
		if (n < l->n)
			l->reg[n] = list[i];
		n++;
	}
	if (l->n < n) {
		l->n = n;
		return E2BIG;
	}
	l->n = n;
	return 0;
}

static int get_reg(const struct kvm_one_reg *r)
{
	uint64_t *value = (uint64_t *)(uintptr_t)r->addr;

	if (r->id == REG_ID_SVE_VLS) {
		memset(value, 0, 64);
		*value = k.vls;
	} else {
		*value = r->id == list[3] ? k.counter++ : *stored(r->id);
	}
	return 0;
}

static int set_reg(const struct kvm_one_reg *r)
{
	const uint64_t *value = (const uint64_t *)(uintptr_t)r->addr;
	int err = note("SET_ONE_REG %llx", (unsigned long long)r->id);

	/* The host's, truncated, and nothing else. */
	if (!err && r->id == REG_ID_SVE_VLS && *value != k.vls && *value != (k.vls & 3) && *value != 1)
		return EINVAL;
	if (!err && r->id != REG_ID_SVE_VLS)
		*stored(r->id) = *value;
	return err;
}

static int has_attr(int fd, const struct kvm_device_attr *a)
{
	if (k.fds[fd] == VM)
		return k.no_filter ? EINVAL : 0;
	return k.fds[fd] == VCPU && a->group == KVM_ARM_VCPU_PVTIME_CTRL && k.no_pvtime ? ENXIO : 0;
}

static const char *const names[] = { [SYSTEM] = "system", [VM] = "VM", [VCPU] = "vCPU", [GIC] = "GIC" };

static int run_vcpu(struct kvm_run *run)
{
	const struct comes_back *b = k.runs ? &k.runs[k.run_count] : NULL;

	if (note("RUN%s", run->immediate_exit ? " immediate" : ""))
		return k.fail_errno;
	if (run->immediate_exit || !b)
		return EINTR;
	k.run_count++;
	if (b->fill)
		b->fill(run);
	run->exit_reason = b->reason;
	return b->err;
}

/* 0, or a positive result, or -errno. */
static int answer(int fd, unsigned long request, uintptr_t arg)
{
	void *p = (void *)arg;
	struct kvm_create_device *d = p;
	const struct kvm_device_attr *a = p;
	int err;

	switch (request) {
	case KVM_GET_API_VERSION: return k.api_version;
	case KVM_CHECK_EXTENSION: return k.caps[arg & 255];
	case KVM_GET_VCPU_MMAP_SIZE: return note("MMAP_SIZE") ? 16 : 0x3000;
	case KVM_CREATE_VM: err = note("CREATE_VM %lu", (unsigned long)arg); return err ? -err : new_fd(VM);
	case KVM_ENABLE_CAP: return -note("ENABLE_CAP %u", ((struct kvm_enable_cap *)p)->cap);
	case KVM_CREATE_DEVICE:
		if (k.no_gicv3 && d->type == KVM_DEV_TYPE_ARM_VGIC_V3)
			return -ENODEV;
		if (d->flags & KVM_CREATE_DEVICE_TEST)
			return 0;
		err = note("CREATE_DEVICE %u", d->type);
		d->fd = err ? 0 : (uint32_t)new_fd(GIC);
		return -err;
	case KVM_CREATE_VCPU: err = note("CREATE_VCPU %lu", (unsigned long)arg); return err ? -err : new_fd(VCPU);
	case KVM_ARM_PREFERRED_TARGET: memset(p, 0, sizeof(struct kvm_vcpu_init)); return 0;
	case KVM_ARM_VCPU_INIT: return -note("VCPU_INIT %x", ((struct kvm_vcpu_init *)p)->features[0]);
	case KVM_ARM_VCPU_FINALIZE: return -note("FINALIZE");
	case KVM_GET_REG_LIST: return -get_list(p);
	case KVM_GET_ONE_REG: return -get_reg(p);
	case KVM_SET_ONE_REG: return -set_reg(p);
	case KVM_HAS_DEVICE_ATTR: return -has_attr(fd, a);
	case KVM_SET_DEVICE_ATTR:
		return -note("SET_ATTR %s %u %llu", names[k.fds[fd]], a->group, (unsigned long long)a->attr);
	case UAPI_ARM_SET_COUNTER_OFFSET: return -note("COUNTER_OFFSET");
	case KVM_SET_USER_MEMORY_REGION: return -note("MEMORY");
	case KVM_SET_VCPU_EVENTS: return -note("VCPU_EVENTS");
	case KVM_RUN: return -run_vcpu(k.run[0]);
	default: fail_msg("ioctl 0x%lx is not expected", request); return -ENOTTY;
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	uintptr_t arg;
	va_list ap;
	int r;

	va_start(ap, request);
	arg = va_arg(ap, uintptr_t);
	va_end(ap);
	if (fd < 0 || fd >= (int)ARRAY_SIZE(k.fds) || k.fds[fd] == NOTHING)
		return __real_ioctl(fd, request, arg);
	r = answer(fd, request, arg);
	if (r >= 0)
		return r;
	errno = -r;
	return -1;
}

int __wrap_open(const char *path, int flags, ...)
{
	if (strcmp(path, "/dev/kvm"))
		return __real_open(path, flags, 0600);
	if (!k.open_errno)
		return new_fd(SYSTEM);
	errno = k.open_errno;
	return -1;
}

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	void *p;

	if (fd < 0 || fd >= (int)ARRAY_SIZE(k.fds) || k.fds[fd] != VCPU)
		return __real_mmap(at, bytes, prot, flags, fd, offset);
	if (note("MMAP")) {
		errno = k.fail_errno;
		return MAP_FAILED;
	}
	p = __real_mmap(NULL, bytes, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	k.run[k.vcpus++ % ARRAY_SIZE(k.run)] = p;
	return p;
}

/* ---- Availability ---- */

static const struct hv_ops *kvm(void)
{
	const struct hv_ops *ops = NULL;

	assert_int_equal(hv_backend_named("kvm", &ops), 0);
	return ops;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

/* One message, and with @what in it. */
static void assert_one_message(struct said *s, const char *what)
{
	const char *text = said_end(s);

	if (!strstr(text, what) || lines(text) != 1)
		fail_msg("%u lines, wanted one with: %s\nbut: %s", lines(text), what, text);
}

static void why_there_is_no_kvm(void **state)
{
	static const struct {
		int open_errno, version, err;
		const char *why;
	} rows[] = {
		{ ENOENT, 12, -ENOENT, "is not there" },
		{ EACCES, 12, -EACCES, "usermod -aG kvm" },
		{ ENODEV, 12, -ENODEV, "dmesg" },
		{ ENXIO, 12, -ENXIO, "dmesg" },
		{ EMFILE, 12, -EMFILE, "Too many open files" },
		{ 0, 11, -ENODEV, "API version 11, not 12" },
		{ 0, -ENOTTY, -ENODEV, "does not answer as KVM does: Inappropriate ioctl" },
	};
	unsigned files = open_files();

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct hv_ops *ops;
		struct hv_check check;
		struct hv_limit l;
		char why[160] = "";
		struct said s;
		int err;

		kernel_is();
		k.open_errno = rows[i].open_errno;
		k.api_version = rows[i].version;
		assert_int_equal(kvm()->available(why, sizeof(why)), rows[i].err);
		assert_non_null(strstr(why, rows[i].why));
		said_begin(&s);
		err = hv_backend_find("kvm", &ops);
		assert_one_message(&s, rows[i].why);
		assert_int_equal(err, rows[i].err);
		/* Nothing is there, rather than anything. */
		assert_true(hv_attr_limit(kvm(), HV_ATTR_SVE_VLS, &l) < 0);
		assert_int_equal(hv_cap(kvm(), NULL, HV_CAP_SVE), 0);
		assert_int_equal(hv_host_check(kvm(), 0, &check), 0);
		assert_int_equal(check.health, HV_UNFIT);
		assert_non_null(strstr(check.advice, rows[i].why));
		assert_int_equal(hv_host_check(kvm(), 1, &check), -ENOENT);
		assert_int_equal(open_files(), files);
	}
}

/* ---- Creation ---- */

/* Half-created, with everything on. */
static struct hv_vm *half(const struct hv_env *env, uint64_t cpus)
{
	struct hv_block_buf b = block_of(HV_ATTR_VCPU_COUNT, cpus);

	add(&b, HV_ATTR_PAUTH, 1);
	add(&b, HV_ATTR_PMU, 1);
	add(&b, HV_ATTR_SVE_VLS, k.vls & 3);
	return create(kvm(), env, &b.block);
}

static void finish_asks_in_the_order_that_KVM_demands(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm;

	(void)state;
	kernel_is();
	vm = half(&env, 2);
	k.said_count = 0;
	assert_int_equal(hv_finish(vm), 0);
	assert_order("CREATE_VM 40", "ENABLE_CAP");
	assert_order("ENABLE_CAP", "CREATE_VCPU 0");
	assert_order("SET_ATTR VM 0 0", "CREATE_VCPU 0");
	assert_order("CREATE_DEVICE 7", "SET_ATTR GIC 0 2");
	assert_order("CREATE_VCPU 0", "VCPU_INIT");
	assert_order("CREATE_VCPU 1", "VCPU_INIT");
	assert_order("VCPU_INIT", "SET_ONE_REG 606000000015ffff");
	assert_order("SET_ONE_REG 606000000015ffff", "FINALIZE");
	assert_order("FINALIZE", "SET_ATTR GIC 4 0");         /* CTRL_INIT: after all vCPUs */
	assert_order("SET_ATTR GIC 0 2", "SET_ATTR GIC 4 0"); /* after its places */
	assert_order("SET_ATTR GIC 0 5", "SET_ATTR GIC 4 0");
	assert_order("SET_ATTR GIC 3 0", "SET_ATTR GIC 4 0");
	assert_order("SET_ATTR GIC 4 0", "SET_ATTR vCPU 0 0"); /* PMU: interrupt, then INIT, after the GIC */
	assert_order("SET_ATTR vCPU 0 0", "SET_ATTR vCPU 0 1");
	assert_true(when("COUNTER_OFFSET") > when("CREATE_VCPU 1"));
	assert_int_equal(how_often("VCPU_INIT"), 2);
	assert_int_equal(how_often("FINALIZE"), 2);
	/* PSCI 0.2, PMU, SVE, two of PAuth; and only the second is off at first. */
	assert_int_equal(how_often("VCPU_INIT 7c"), 1);
	assert_int_equal(how_often("VCPU_INIT 7d"), 1);
	hv_destroy(vm);
	free_env(&env);
}

/* Whatever is refused: one message, nothing left open, and the next finish works. */
static void a_refusal_is_one_message_and_leaves_nothing(void **state)
{
	static const struct {
		const char *fails;
		unsigned nth;
		int err;
		const char *said;
	} rows[] = {
		{ "CREATE_VM", 1, ENOMEM, "guest addresses of 40 bits: Cannot allocate memory" },
		{ "CREATE_VM", 1, EINVAL, "`vmm doctor' says more" },
		{ "SET_ATTR VM", 1, EEXIST, "hypercalls from 0x81000000" },
		{ "SET_ATTR VM", 6, EBUSY, "hypercalls from 0xc3000000" },
		{ "CREATE_DEVICE", 1, ENODEV, "--gic=3: KVM refuses a GICv3" },
		{ "CREATE_VCPU", 1, EINVAL, "refuses vCPU 0" },
		{ "CREATE_VCPU", 3, EMFILE, "refuses vCPU 2: Too many open files; use fewer" },
		{ "CREATE_VCPU", 3, ENOMEM, "refuses vCPU 2" },
		{ "MMAP_SIZE", 1, EINVAL, "16 bytes is too small" },
		{ "MMAP", 2, ENOMEM, "KVM's" },
		{ "VCPU_INIT", 2, EINVAL, "vCPU 1: KVM refuses its features 0x7d" },
		{ "VCPU_INIT", 1, ENOENT, "vCPU 0: KVM refuses its features" },
		{ "SET_ONE_REG 606", 1, EINVAL, "--sve-vl=128,256: KVM refuses it" },
		{ "FINALIZE", 3, EPERM, "vCPU 2: KVM refuses to finalize SVE" },
		{ "SET_ATTR GIC 0 2", 1, E2BIG, "address of the distributor refused" },
		{ "SET_ATTR GIC 0 5", 1, EINVAL, "region of redistributors refused" },
		{ "SET_ATTR GIC 3", 1, EINVAL, "number of interrupts refused" },
		{ "SET_ATTR GIC 4", 1, ENXIO, "initialisation refused" },
		{ "SET_ATTR vCPU 0 0", 1, ENODEV, "use --pmu=off" },
		{ "SET_ATTR vCPU 0 1", 2, EEXIST, "vCPU 1: KVM refuses performance monitors" },
		{ "COUNTER_OFFSET", 1, EBUSY, "counters" },
	};
	unsigned files = open_files();

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct hv_env env = new_env();
		unsigned before;
		struct hv_vm *vm;
		struct said s;
		int err;

		kernel_is();
		vm = half(&env, 3);
		before = open_files();
		k.said_count = 0;
		k.fails = rows[i].fails;
		k.nth = rows[i].nth;
		k.fail_errno = rows[i].err;
		said_begin(&s);
		err = hv_finish(vm);
		assert_one_message(&s, rows[i].said);
		assert_int_equal(err, -rows[i].err);
		assert_int_equal(open_files(), before);
		k.fails = NULL;
		assert_int_equal(hv_finish(vm), 0);
		hv_destroy(vm);
		free_env(&env);
		assert_int_equal(open_files(), files);
	}
}

static void lengths_that_KVM_refuses_are_answered_with_those_there_are(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm;
	struct said s;
	int err;

	(void)state;
	kernel_is();
	k.vls = 0xf; /* 128 to 512, with 384 */
	vm = create(kvm(), &env, NULL);
	assert_int_equal(set1(vm, HV_ATTR_SVE_VLS, 0xb), 0);
	said_begin(&s);
	err = hv_finish(vm);
	assert_one_message(&s, "--sve-vl=128,256,512: KVM refuses it");
	assert_int_equal(err, -EINVAL);
	assert_non_null(strstr(s.text, "128,256,384,512"));
	assert_int_equal(set1(vm, HV_ATTR_SVE_VLS, 0xf), 0);
	assert_int_equal(hv_finish(vm), 0);
	hv_destroy(vm);
	free_env(&env);
}

/* ---- Ages ---- */

static void a_kernel_that_cannot_be_told_has_40_bits(void **state)
{
	struct hv_env env = new_env();
	struct hv_limit l;
	struct hv_vm *vm;
	struct said s;
	int err;

	(void)state;
	kernel_is();
	k.caps[KVM_CAP_ARM_VM_IPA_SIZE] = 0;
	assert_int_equal(hv_attr_limit(kvm(), HV_ATTR_IPA_BITS, &l), 0);
	assert_int_equal(l.max, 40);
	vm = create(kvm(), &env, NULL);
	assert_int_equal(set1(vm, HV_ATTR_IPA_BITS, 36), 0);
	said_begin(&s);
	err = hv_finish(vm);
	assert_one_message(&s, "--ipa-bits=36: this kernel's KVM has 40");
	assert_int_equal(err, -EINVAL);
	assert_int_equal(set1(vm, HV_ATTR_IPA_BITS, 40), 0);
	assert_int_equal(hv_finish(vm), 0);
	assert_true(when("CREATE_VM 0") >= 0);
	hv_destroy(vm);
	free_env(&env);
}

static void a_host_with_fewer_bits_is_told_which(void **state)
{
	struct hv_env env = new_env();
	struct hv_block_buf b;
	struct hv_vm *vm;
	struct said s;

	(void)state;
	kernel_is();
	k.caps[KVM_CAP_ARM_VM_IPA_SIZE] = 36;
	hv_block_init(&b);
	said_begin(&s);
	assert_int_equal(hv_fit_defaults(kvm(), &b), 0);
	assert_one_message(&s, "--ipa-bits=36 is taken");
	vm = finished(kvm(), &env, &b.block);
	assert_true(when("CREATE_VM 36") >= 0);
	hv_destroy(vm);
	free_env(&env);
}

/* Linux 5.4, say: no filter, no offset, no bitmaps, nothing to enable. */
static void an_old_kernel_is_asked_for_less(void **state)
{
	struct hv_env env = new_env();
	struct hv_vm *vm;
	struct hv_reg *regs;
	unsigned count;

	(void)state;
	kernel_is();
	k.no_filter = k.no_bitmaps = k.no_pvtime = true;
	k.caps[KVM_CAP_COUNTER_OFFSET] = k.caps[KVM_CAP_ARM_NISV_TO_USER] = 0;
	k.caps[KVM_CAP_ARM_WRITABLE_IMP_ID_REGS] = 0;
	vm = finished(kvm(), &env, NULL);
	assert_int_equal(how_often("SET_ATTR VM"), 0);
	assert_int_equal(how_often("COUNTER_OFFSET"), 0);
	assert_int_equal(how_often("ENABLE_CAP"), 0);
	assert_int_equal(hv_cap(kvm(), vm, HV_CAP_MMIO_DECODE), 0);
	assert_int_equal(hv_reg_list_new(vm, NULL, &regs, &count), 0);
	for (unsigned i = 0; i < count; i++)
		assert_true(regs[i].id != REG_ID_BMAP(0));
	free(regs);
	hv_destroy(vm);
	free_env(&env);
}

static void a_host_without_GICv3_says_so(void **state)
{
	struct hv_limit l;

	(void)state;
	kernel_is();
	k.no_gicv3 = true;
	assert_int_equal(hv_attr_limit(kvm(), HV_ATTR_GIC, &l), 0);
	assert_int_equal(l.bits[0], 1 << 2);
}

/* No fence in the kernel: ours holds. */
static void psci_is_fixed_by_the_first_run(void **state)
{
	struct hv_env env = new_env();
	uint64_t v = PSCI_VERSION_1_0;
	struct hv_exit e;
	struct hv_vm *vm;

	(void)state;
	kernel_is();
	vm = finished(kvm(), &env, NULL);
	*stored(PSCI_REG) = PSCI_VERSION_1_1;
	assert_int_equal(hv_reg_set(vm, NULL, PSCI_REG, &v), 0);
	assert_int_equal(hv_vcpu_run(new_vcpu(vm, 0), &e), 0);
	assert_int_equal(e.reason, HV_EXIT_KICKED);
	v = PSCI_VERSION_1_1;
	assert_int_equal(hv_reg_set(vm, NULL, PSCI_REG, &v), -EBUSY);
	assert_int_equal(*stored(PSCI_REG), PSCI_VERSION_1_0);
	hv_destroy(vm);
	free_env(&env);
}

/* ---- Running ---- */

struct machine_of_one {
	struct hv_env env;
	struct hv_vm *vm;
	struct hv_vcpu *vcpu;
	struct hv_exit exit;
};

static struct machine_of_one one(const struct comes_back *runs)
{
	struct machine_of_one m = { .env = new_env() };

	kernel_is();
	m.vm = finished(kvm(), &m.env, NULL);
	m.vcpu = new_vcpu(m.vm, 0);
	k.runs = runs;
	k.said_count = 0;
	return m;
}

static void done(struct machine_of_one *m)
{
	hv_destroy(m->vm);
	free_env(&m->env);
}

static void event_1(struct kvm_run *run) { run->system_event.type = KVM_SYSTEM_EVENT_SHUTDOWN; }
static void event_2(struct kvm_run *run)
{
	run->system_event.type = KVM_SYSTEM_EVENT_RESET;
	run->system_event.ndata = 0;
}
static void event_77(struct kvm_run *run) { run->system_event.type = 77; }
static void entry(struct kvm_run *run)
{
	run->fail_entry.hardware_entry_failure_reason = 0xabc;
	run->fail_entry.cpu = 3;
}
static void internal(struct kvm_run *run) { run->internal.suberror = 9; }

static void every_return_of_KVM_RUN_has_a_meaning(void **state)
{
	static const struct {
		struct comes_back b;
		enum hv_exit_reason reason;
		const char *text;
	} rows[] = {
		{ { EINTR, 0, NULL }, HV_EXIT_KICKED, NULL },
		{ { 0, KVM_EXIT_INTR, NULL }, HV_EXIT_KICKED, NULL },
		{ { EFAULT, 0, NULL }, HV_EXIT_FAIL, "did a file that backs it become shorter" },
		{ { EIO, 0, NULL }, HV_EXIT_FAIL, "the VM is dead" },
		{ { ENOEXEC, 0, NULL }, HV_EXIT_FAIL, "Exec format error" },
		{ { EDOM, 0, NULL }, HV_EXIT_FAIL, "KVM_RUN: " },
		{ { 0, KVM_EXIT_SYSTEM_EVENT, event_1 }, HV_EXIT_SHUTDOWN, NULL },
		{ { 0, KVM_EXIT_SYSTEM_EVENT, event_2 }, HV_EXIT_RESET, NULL },
		{ { 0, KVM_EXIT_SYSTEM_EVENT, event_77 }, HV_EXIT_FAIL, "system event 77" },
		{ { 0, KVM_EXIT_FAIL_ENTRY, entry }, HV_EXIT_FAIL, "reason 0xabc on host CPU 3" },
		{ { 0, KVM_EXIT_INTERNAL_ERROR, internal }, HV_EXIT_FAIL, "internal error, number 9" },
		{ { 0, 12345, NULL }, HV_EXIT_FAIL, "reason 12345, which vmm does not know" },
		{ { 0, KVM_EXIT_DEBUG, NULL }, HV_EXIT_FAIL, "which vmm does not know" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct machine_of_one m = one(&rows[i].b);

		assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
		assert_int_equal(m.exit.reason, rows[i].reason);
		if (rows[i].text && !strstr(m.exit.fail.text, rows[i].text))
			fail_msg("row %u says: %s", i, m.exit.fail.text);
		assert_int_equal(k.run_count, 1);
		done(&m);
	}
}

/* Not a word of it: the guest is entered again. */
static void EAGAIN_is_tried_again(void **state)
{
	static const struct comes_back runs[] = { { EAGAIN, 0, NULL }, { EAGAIN, 0, NULL }, { EINTR, 0, NULL } };
	struct machine_of_one m = one(runs);

	(void)state;
	assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
	assert_int_equal(m.exit.reason, HV_EXIT_KICKED);
	assert_int_equal(k.run_count, 3);
	done(&m);
}

static void a_read(struct kvm_run *run)
{
	run->mmio.phys_addr = 0x9000010;
	run->mmio.len = 4;
	run->mmio.is_write = 0;
}

static void a_write(struct kvm_run *run)
{
	a_read(run);
	run->mmio.is_write = 1;
	memset(run->mmio.data, 0x5a, sizeof(run->mmio.data));
}

static void a_write_is_handed_over_with_its_bytes(void **state)
{
	static const struct comes_back runs[] = { { 0, KVM_EXIT_MMIO, a_write }, { EINTR, 0, NULL } };
	struct machine_of_one m = one(runs);

	(void)state;
	assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
	assert_int_equal(m.exit.reason, HV_EXIT_MMIO);
	assert_int_equal(m.exit.mmio.addr.v, 0x9000010);
	assert_true(m.exit.mmio.write);
	assert_int_equal(m.exit.mmio.value, 0x5a5a5a5a);
	done(&m);
}

/* KVM is entered with immediate_exit before registers are read, and has the answer by then; once. */
static void an_access_is_completed_before_registers_are_read(void **state)
{
	static const struct comes_back runs[] = { { 0, KVM_EXIT_MMIO, a_read }, { EINTR, 0, NULL } };
	struct machine_of_one m = one(runs);
	uint32_t given;
	uint64_t v;

	(void)state;
	assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
	m.exit.mmio.value = 0x12345678;
	assert_int_equal(hv_reg_get(m.vm, m.vcpu, X(0), &v), 0);
	assert_int_equal(how_often("RUN immediate"), 1);
	memcpy(&given, k.run[0]->mmio.data, sizeof(given));
	assert_int_equal(given, 0x12345678);
	assert_int_equal(k.run[0]->immediate_exit, 0);
	assert_int_equal(hv_reg_get(m.vm, m.vcpu, X(0), &v), 0);
	assert_int_equal(how_often("RUN immediate"), 1);
	/* A kick that came before is not forgotten over it. */
	assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
	done(&m);
	m = one(runs);
	assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
	hv_vcpu_kick(m.vcpu);
	assert_int_equal(hv_reg_get(m.vm, m.vcpu, X(0), &v), 0);
	assert_int_equal(k.run[0]->immediate_exit, 1);
	done(&m);
}

static void an_access_that_nobody_answers_is_injected_as_an_abort(void **state)
{
	static const struct comes_back runs[] = { { 0, KVM_EXIT_MMIO, a_read }, { EINTR, 0, NULL } };

	(void)state;
	/* Where KVM refuses even that, the guest reads what is there: 0. */
	for (unsigned refused = 0; refused < 2; refused++) {
		struct machine_of_one m = one(runs);

		k.fails = refused ? "VCPU_EVENTS" : NULL;
		k.fail_errno = EINVAL;
		assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
		m.exit.mmio.abort = true;
		assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
		assert_int_equal(how_often("VCPU_EVENTS"), 1);
		assert_order("VCPU_EVENTS", "RUN");
		assert_int_equal(m.exit.reason, HV_EXIT_KICKED);
		done(&m);
	}
}

/* With the capability and without: where the instruction cannot be read, the guest gets an abort, or the VM ends. */
static void an_access_that_KVM_cannot_decode(void **state)
{
	static const struct comes_back told[] = { { 0, KVM_EXIT_ARM_NISV, NULL }, { EINTR, 0, NULL } };
	static const struct comes_back of_64_bytes[] = { { 0, UAPI_EXIT_ARM_LDST64B, NULL }, { EINTR, 0, NULL } };
	static const struct comes_back untold[] = { { ENOSYS, 0, NULL }, { EINTR, 0, NULL } };
	static const struct comes_back *const runs[] = { told, of_64_bytes, untold };

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(runs); i++) {
		struct machine_of_one m = one(runs[i / 2]);
		bool refused = i & 1;
		struct said s;

		k.fails = refused ? "VCPU_EVENTS" : NULL;
		k.fail_errno = EINVAL;
		*stored(REG_ID_CORE(0x40)) = 0x123450000; /* PC: nothing is there */
		said_begin(&s);
		assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
		said_end(&s);
		assert_int_equal(m.exit.reason, refused ? HV_EXIT_FAIL : HV_EXIT_KICKED);
		assert_non_null(strstr(s.text, "the guest gets an external abort"));
		assert_int_equal(how_often("VCPU_EVENTS"), 1);
		if (refused)
			assert_non_null(strstr(m.exit.fail.text, "no way to abort it"));
		done(&m);
	}
}

static void a_call(struct kvm_run *run) { run->hypercall.nr = 0x83000001; }

/* Told once, refused each time, and the guest goes on. */
static void a_hypercall_that_nobody_answers_is_refused_and_said_once(void **state)
{
	static const struct comes_back runs[] = { { 0, KVM_EXIT_HYPERCALL, a_call },
						  { 0, KVM_EXIT_HYPERCALL, a_call },
						  { EINTR, 0, NULL } };
	struct machine_of_one m = one(runs);
	struct said s;

	(void)state;
	said_begin(&s);
	assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
	assert_one_message(&s, "hypercall 0x83000001");
	assert_int_equal(*stored(X(0)), UINT64_MAX);
	assert_int_equal(how_often("SET_ONE_REG 6030000000100000"), 2);
	done(&m);
}

static void a_reset_that_carries_arguments(struct kvm_run *run)
{
	run->system_event.type = KVM_SYSTEM_EVENT_RESET;
	run->system_event.ndata = 1;
	run->system_event.data[0] = KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2;
}

static void SYSTEM_RESET2_tells_its_arguments(void **state)
{
	static const struct comes_back runs[] = { { 0, KVM_EXIT_SYSTEM_EVENT, a_reset_that_carries_arguments } };
	struct machine_of_one m = one(runs);

	(void)state;
	*stored(X(1)) = PSCI_RESET_VENDOR;
	*stored(X(2)) = 42;
	assert_int_equal(hv_vcpu_run(m.vcpu, &m.exit), 0);
	assert_int_equal(m.exit.reason, HV_EXIT_RESET);
	assert_int_equal(m.exit.system.type, PSCI_RESET_VENDOR);
	assert_int_equal(m.exit.system.arg, 42);
	done(&m);
}

/* ---- Memory ---- */

static void memory_that_KVM_refuses_is_said(void **state)
{
	struct machine_of_one m = one(NULL);
	struct hv_mem ram = { .base = gpa(0x40000000), .bytes = 4 * MIB };
	struct said s;
	int err;

	(void)state;
	ram.host = mem_ptr(m.env.mem, ram.base, ram.bytes);
	k.caps[KVM_CAP_NR_MEMSLOTS] = 3;
	ram.slot = 3;
	said_begin(&s);
	err = hv_mem_map(m.vm, &ram);
	assert_says(&s, "memory slot 3: KVM has 3; use fewer pieces of memory");
	assert_int_equal(err, -ENOSPC);
	ram.slot = 2;
	k.fails = "MEMORY";
	k.fail_errno = EEXIST;
	said_begin(&s);
	err = hv_mem_map(m.vm, &ram);
	assert_one_message(&s, "memory at 0x40000000");
	assert_int_equal(err, -EEXIST);
	k.fails = NULL;
	assert_int_equal(hv_mem_map(m.vm, &ram), 0);
	done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(why_there_is_no_kvm),
		cmocka_unit_test(finish_asks_in_the_order_that_KVM_demands),
		cmocka_unit_test(a_refusal_is_one_message_and_leaves_nothing),
		cmocka_unit_test(lengths_that_KVM_refuses_are_answered_with_those_there_are),
		cmocka_unit_test(a_kernel_that_cannot_be_told_has_40_bits),
		cmocka_unit_test(a_host_with_fewer_bits_is_told_which),
		cmocka_unit_test(an_old_kernel_is_asked_for_less),
		cmocka_unit_test(a_host_without_GICv3_says_so),
		cmocka_unit_test(psci_is_fixed_by_the_first_run),
		cmocka_unit_test(every_return_of_KVM_RUN_has_a_meaning),
		cmocka_unit_test(EAGAIN_is_tried_again),
		cmocka_unit_test(a_write_is_handed_over_with_its_bytes),
		cmocka_unit_test(an_access_is_completed_before_registers_are_read),
		cmocka_unit_test(an_access_that_nobody_answers_is_injected_as_an_abort),
		cmocka_unit_test(an_access_that_KVM_cannot_decode),
		cmocka_unit_test(a_hypercall_that_nobody_answers_is_refused_and_said_once),
		cmocka_unit_test(SYSTEM_RESET2_tells_its_arguments),
		cmocka_unit_test(memory_that_KVM_refuses_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
