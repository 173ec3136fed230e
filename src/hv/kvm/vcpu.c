/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vCPUs: made with the VM, run by a thread each, told to come back by a signal.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <spec/board.h>
#include <spec/psci.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/mem.h>
#include <vmm/regs.h>

#include "kvm.h"

#define KICK_SIGNAL SIGUSR1

/* ---- Making one ---- */

/* The signal only has to end the ioctl. */
static void on_kick(int number) { (void)number; }

static void take_kick_signal(void)
{
	struct sigaction act = { .sa_handler = on_kick };

	sigaction(KICK_SIGNAL, &act, NULL);
}

static bool wants_sve(const struct kvm_vm *k)
{
	for (unsigned i = 0; i < HV_SVE_VLS_WORDS; i++)
		if (k->vm.attr.SVE_VLS[i])
			return true;
	return false;
}

static uint32_t features_of(const struct kvm_vm *k, unsigned id)
{
	const struct hv_values *a = &k->vm.attr;
	uint32_t set = 1u << KVM_ARM_VCPU_PSCI_0_2;

	if (id)
		set |= 1u << KVM_ARM_VCPU_POWER_OFF;
	if (a->PAUTH[0])
		set |= 1u << KVM_ARM_VCPU_PTRAUTH_ADDRESS | 1u << KVM_ARM_VCPU_PTRAUTH_GENERIC;
	if (a->PMU[0])
		set |= 1u << KVM_ARM_VCPU_PMU_V3;
	if (wants_sve(k))
		set |= 1u << KVM_ARM_VCPU_SVE;
	return set;
}

/* KVM gives the host's lengths up to a largest one, and no other choice. */
static int refuse_lengths(struct kvm_vm *k, int err)
{
	uint64_t host[HV_SVE_VLS_WORDS];
	char want[120], have[120];

	kvm_sve_text(k->vm.attr.SVE_VLS, ",", want, sizeof(want));
	if (kvm_host_sve(k->host, host))
		memset(host, 0, sizeof(host));
	kvm_sve_text(host, ",", have, sizeof(have));
	return log_err(err,
		       "--sve-vl=%s: KVM refuses it; a guest can have this host's lengths from the smallest to any "
		       "largest one, without gaps: %s",
		       want, have);
}

/* The length set belongs before FINALIZE and cannot change after it. */
static int set_sve(struct kvm_vcpu *c)
{
	struct kvm_vm *k = c->kvm;
	int feature = KVM_ARM_VCPU_SVE, err;

	if (!wants_sve(k))
		return 0;
	err = kvm_reg_write(c, KVM_REG_ARM64_SVE_VLS, k->vm.attr.SVE_VLS);
	if (err)
		return refuse_lengths(k, err);
	err = kvm_call(c->fd, KVM_ARM_VCPU_FINALIZE, kvm_ptr(&feature));
	return err ? log_err(err, "vCPU %u: KVM refuses to finalize SVE: %s", c->id, strerror(-err)) : 0;
}

static int init(struct kvm_vcpu *c)
{
	int err = kvm_call(c->kvm->fd, KVM_ARM_PREFERRED_TARGET, kvm_ptr(&c->init));

	memset(c->init.features, 0, sizeof(c->init.features));
	c->init.features[0] = features_of(c->kvm, c->id);
	if (!err)
		err = kvm_call(c->fd, KVM_ARM_VCPU_INIT, kvm_ptr(&c->init));
	return err ? log_err(err,
			     "vCPU %u: KVM refuses its features 0x%" PRIx32 ": %s; `vmm doctor' says what it has",
			     c->id, c->init.features[0], strerror(-err))
		   : 0;
}

static int map_run(struct kvm_vcpu *c)
{
	int bytes = kvm_call(c->kvm->host, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run;

	if (bytes < (int)sizeof(*c->run))
		return log_err(-EINVAL, "KVM's vCPU area of %d bytes is too small", bytes);
	run = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (run == MAP_FAILED)
		return log_err(-errno, "vCPU %u: cannot map KVM's area: %s", c->id, strerror(errno));
	c->run = run;
	c->run_bytes = (size_t)bytes;
	return 0;
}

int kvm_vcpu_setup(struct kvm_vm *k, unsigned id)
{
	struct kvm_vcpu *c = &k->vcpus[id];
	int err;

	take_kick_signal();
	c->kvm = k;
	c->id = id;
	c->fd = kvm_call(k->fd, KVM_CREATE_VCPU, id);
	if (c->fd < 0)
		return log_err(c->fd, "--cpus: KVM refuses vCPU %u: %s; use fewer", id, strerror(-c->fd));
	err = map_run(c);
	if (!err)
		err = init(c);
	return err ? err : set_sve(c);
}

void kvm_vcpu_close(struct kvm_vcpu *c)
{
	kvm_nisv_forget(c);
	if (c->run)
		munmap(c->run, c->run_bytes);
	if (c->fd >= 0)
		close(c->fd);
}

/* The PMU's interrupt goes through the GIC, which is there by now. */
int kvm_vcpu_pmu(struct kvm_vm *k)
{
	const int intid = BOARD_PMU_PPI;
	int err = 0;

	for (unsigned i = 0; i < k->vcpu_count && k->vm.attr.PMU[0] && !err; i++) {
		err = kvm_attr_set(k->vcpus[i].fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_IRQ, &intid);
		if (!err)
			err = kvm_attr_set(k->vcpus[i].fd, KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_PMU_V3_INIT, NULL);
		if (err)
			log_err(err, "vCPU %u: KVM refuses performance monitors with interrupt %d: %s; use --pmu=off",
				i, intid, strerror(-err));
	}
	return err;
}

/* ---- hv.h's side ---- */

int kvm_vcpu_create(struct hv_vm *vm, unsigned id, struct hv_vcpu **vcpu)
{
	struct kvm_vcpu *c = &kvm_of(vm)->vcpus[id];
	int err = 0;

	/* One that was given back starts again as new. */
	if (c->handed_out)
		err = kvm_call(c->fd, KVM_ARM_VCPU_INIT, kvm_ptr(&c->init));
	if (err)
		return log_err(err, "vCPU %u: KVM refuses to reset it: %s", id, strerror(-err));
	c->handed_out = true;
	*vcpu = &c->vcpu;
	return 0;
}

/* It lives as long as the VM does. */
void kvm_vcpu_destroy(struct hv_vcpu *vcpu) { (void)vcpu; }

/* SVE is final since finish. What memory is needed for happens here. */
int kvm_vcpu_finalize(struct hv_vcpu *vcpu)
{
	struct kvm_vcpu *c = kvm_vcpu_of(vcpu);
	uint64_t record = BOARD_PVTIME_BASE + (uint64_t)c->id * BOARD_PVTIME_STRIDE;
	int err;

	if (!mem_ptr(c->kvm->env.mem, gpa(record), BOARD_PVTIME_STRIDE) ||
	    kvm_attr_has(c->fd, KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA))
		return 0;
	err = kvm_attr_set(c->fd, KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA, &record);
	return err ? log_err(err, "vCPU %u: KVM refuses to report stolen time at 0x%" PRIx64 ": %s", c->id, record,
			     strerror(-err))
		   : 0;
}

/*
 * The flag ends the next KVM_RUN, or one that has not yet entered the guest; the signal
 * ends one that has.
 */
void kvm_vcpu_kick(struct hv_vcpu *vcpu)
{
	struct kvm_vcpu *c = kvm_vcpu_of(vcpu);
	int tid;

	atomic_store(&c->kicked, true);
	__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	tid = atomic_load(&c->tid);
	if (tid)
		syscall(SYS_tgkill, getpid(), tid, KICK_SIGNAL);
}

/* ---- Running ---- */

static void fail(struct hv_exit *e, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void fail(struct hv_exit *e, int err, const char *fmt, ...)
{
	va_list ap;

	e->reason = HV_EXIT_FAIL;
	e->fail.err = err;
	va_start(ap, fmt);
	vsnprintf(e->fail.text, sizeof(e->fail.text), fmt, ap);
	va_end(ap);
}

/* Gives KVM what the last exit asked for; it takes it on the next entry. */
static void give_answer(struct kvm_vcpu *c)
{
	struct hv_exit *e = c->answer;

	c->answer = NULL;
	if (!e)
		return;
	if (e->mmio.abort && !kvm_inject_abort(c))
		return;
	if (!e->mmio.write)
		memcpy(c->run->mmio.data, &e->mmio.value, sizeof(e->mmio.value));
}

void kvm_vcpu_complete(struct kvm_vcpu *c)
{
	if (!c->answer)
		return;
	give_answer(c);
	__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	kvm_call(c->fd, KVM_RUN, 0);
	/* An access that was aborted is completed again (Linux 6.12), over the exception, if this still says MMIO. */
	c->run->exit_reason = KVM_EXIT_UNKNOWN;
	__atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	/* A kick that came meanwhile is for the next run: kvm_vcpu_kick sets kicked first. */
	if (atomic_load(&c->kicked))
		__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
}

/* Exits return true when hv_vcpu_run is to return. */
static bool exit_mmio(struct kvm_vcpu *c, struct hv_exit *e)
{
	const struct kvm_run *run = c->run;

	e->reason = HV_EXIT_MMIO;
	e->mmio.addr = gpa(run->mmio.phys_addr);
	e->mmio.size = (uint8_t)run->mmio.len;
	e->mmio.write = run->mmio.is_write;
	e->mmio.abort = false;
	e->mmio.value = 0;
	if (e->mmio.write)
		memcpy(&e->mmio.value, run->mmio.data, run->mmio.len <= 8 ? run->mmio.len : 8);
	c->answer = e;
	return true;
}

static bool exit_nisv(struct kvm_vcpu *c, struct hv_exit *e)
{
	int err = kvm_nisv(c);

	if (err)
		fail(e, err, "an access to a device that neither KVM nor vmm can decode, and no way to abort it: %s",
		     strerror(-err));
	return err;
}

static bool exit_hypercall(struct kvm_vcpu *c, struct hv_exit *e)
{
	(void)e;
	kvm_smccc_call(c);
	return false;
}

/* SYSTEM_RESET2's arguments are still where the guest put them; of SYSTEM_RESET they count as 0. */
static void reset_arguments(struct kvm_vcpu *c, struct hv_exit *e)
{
	const struct kvm_run *run = c->run;
	uint64_t type = 0, cookie = 0;

	if (run->system_event.ndata && run->system_event.data[0] & KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2) {
		kvm_reg_read(c, REG_ID_CORE(2), &type);
		kvm_reg_read(c, REG_ID_CORE(4), &cookie);
	}
	e->system.type = (uint32_t)type;
	e->system.arg = cookie;
}

static bool exit_system_event(struct kvm_vcpu *c, struct hv_exit *e)
{
	const struct kvm_run *run = c->run;

	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN: e->reason = HV_EXIT_SHUTDOWN; break;
	case KVM_SYSTEM_EVENT_RESET:
		e->reason = HV_EXIT_RESET;
		reset_arguments(c, e);
		break;
	default: fail(e, -EIO, "KVM reports system event %u, which vmm has not asked for", run->system_event.type);
	}
	return true;
}

static bool exit_intr(struct kvm_vcpu *c, struct hv_exit *e)
{
	(void)c;
	e->reason = HV_EXIT_KICKED;
	return true;
}

static bool exit_fail_entry(struct kvm_vcpu *c, struct hv_exit *e)
{
	fail(e, -EIO, "the CPU refuses to enter the guest: reason 0x%llx on host CPU %u",
	     (unsigned long long)c->run->fail_entry.hardware_entry_failure_reason, c->run->fail_entry.cpu);
	return true;
}

static bool exit_internal_error(struct kvm_vcpu *c, struct hv_exit *e)
{
	fail(e, -EIO, "KVM reports an internal error, number %u", c->run->internal.suberror);
	return true;
}

static const struct {
	uint32_t reason;
	bool (*handle)(struct kvm_vcpu *c, struct hv_exit *e);
} exits[] = {
	{ KVM_EXIT_MMIO, exit_mmio },
	{ KVM_EXIT_ARM_NISV, exit_nisv },
	{ UAPI_EXIT_ARM_LDST64B, exit_nisv },
	{ KVM_EXIT_HYPERCALL, exit_hypercall },
	{ KVM_EXIT_SYSTEM_EVENT, exit_system_event },
	{ KVM_EXIT_INTR, exit_intr },
	{ KVM_EXIT_FAIL_ENTRY, exit_fail_entry },
	{ KVM_EXIT_INTERNAL_ERROR, exit_internal_error },
};

static bool handle_exit(struct kvm_vcpu *c, struct hv_exit *e)
{
	for (unsigned i = 0; i < ARRAY_SIZE(exits); i++)
		if (exits[i].reason == c->run->exit_reason)
			return exits[i].handle(c, e);
	fail(e, -EIO, "KVM came back with reason %u, which vmm does not know", c->run->exit_reason);
	return true;
}

/* KVM_RUN itself refused. */
static bool handle_error(struct kvm_vcpu *c, int err, struct hv_exit *e)
{
	switch (err) {
	case -EINTR:
		atomic_store(&c->kicked, false);
		__atomic_store_n(&c->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		e->reason = HV_EXIT_KICKED;
		return true;
	case -EAGAIN: return false;
	case -ENOSYS: return exit_nisv(c, e); /* no KVM_CAP_ARM_NISV_TO_USER */
	case -EFAULT:
		fail(e, err, "KVM cannot reach guest memory: did a file that backs it become shorter?");
		return true;
	case -EIO:
		fail(e, err, "the VM is dead for KVM: it belongs to another process or its GIC failed");
		return true;
	default: fail(e, err, "KVM_RUN: %s", strerror(-err)); return true;
	}
}

int kvm_vcpu_run(struct hv_vcpu *vcpu, struct hv_exit *e)
{
	struct kvm_vcpu *c = kvm_vcpu_of(vcpu);
	bool done;

	give_answer(c);
	atomic_store(&c->tid, gettid());
	do {
		int err = kvm_call(c->fd, KVM_RUN, 0);

		done = err < 0 ? handle_error(c, err, e) : handle_exit(c, e);
	} while (!done);
	atomic_store(&c->tid, 0);
	return 0;
}
