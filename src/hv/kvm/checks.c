/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `vmm doctor': what of this host matters to a user, what it costs when it is missing,
 * and what to do about it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <vmm/text.h>

#include "kvm.h"

static void note(struct hv_check *c, enum hv_health health, const char *advice)
{
	c->health = health;
	snprintf(c->advice, sizeof(c->advice), "%s", advice);
}

/* That it could be opened is known: the caller has done it. */
static int check_device(int host, struct hv_check *c)
{
	(void)host;
	snprintf(c->found, sizeof(c->found), "there, and may be used");
	return 0;
}

static int check_gic(int host, struct hv_check *c)
{
	struct hv_limit l = { 0 };

	if (kvm_host_limit(host, HV_ATTR_GIC, &l))
		return -ENOENT;
	snprintf(c->found, sizeof(c->found), "%s",
		 l.bits[0] == (1 << 2 | 1 << 3) ? "GICv2 and GICv3"
		 : l.bits[0] == 1 << 3          ? "GICv3"
		 : l.bits[0] == 1 << 2          ? "GICv2"
						: "none");
	if (!l.bits[0])
		note(c, HV_UNFIT, "KVM found no GIC that it can give to guests; see dmesg | grep -i -e gic -e kvm");
	else if (!(l.bits[0] & 1 << 3))
		note(c, HV_LIMITED,
		     "guests get --gic=2: at most 8 vCPUs, no MSIs, and a guest of a GICv3 host cannot come here");
	return 0;
}

static int check_ipa(int host, struct hv_check *c)
{
	struct hv_limit l = { 0 };

	if (kvm_host_limit(host, HV_ATTR_IPA_BITS, &l))
		return -ENOENT;
	snprintf(c->found, sizeof(c->found), "up to %u bits", (unsigned)l.max);
	if (l.max < 40)
		note(c, HV_LIMITED,
		     "guests that expect the usual 40 bits cannot come here; --ipa-bits follows by itself");
	return 0;
}

static int check_vcpus(int host, struct hv_check *c)
{
	unsigned advised = (unsigned)kvm_host_cap(host, KVM_CAP_NR_VCPUS);
	struct hv_limit l = { 0 };

	if (kvm_host_limit(host, HV_ATTR_VCPU_COUNT, &l))
		return -ENOENT;
	snprintf(c->found, sizeof(c->found), "up to %u, %u advised", (unsigned)l.max, advised);
	return 0;
}

static int check_sve(int host, struct hv_check *c)
{
	uint64_t vls[HV_SVE_VLS_WORDS];

	if (kvm_host_sve(host, vls))
		return -ENOENT;
	kvm_sve_text(vls, ", ", c->found, sizeof(c->found));
	if (c->found[0]) {
		text_add(c->found, sizeof(c->found), " bits");
		return 0;
	}
	snprintf(c->found, sizeof(c->found), "none");
	note(c, HV_LIMITED, "guests run without SVE; the CPU or the kernel has none");
	return 0;
}

/* Capabilities a user notices. */
static const struct cap_row {
	const char *name;
	unsigned cap;
	const char *cost;
} caps[] = {
	{ "undecodable accesses", KVM_CAP_ARM_NISV_TO_USER,
	  "a guest that accesses a device with LDP, writeback or SIMD instructions gets an external abort; Linux 5.5 or "
	  "later has it" },
	{ "injected aborts", KVM_CAP_ARM_INJECT_EXT_DABT,
	  "an access to an address where nothing is reads as zero instead of aborting; Linux 5.5 or later has it" },
	{ "pointer authentication", KVM_CAP_ARM_PTRAUTH_ADDRESS,
	  "--pauth=on is refused; the CPU or the kernel lacks it" },
	{ "memory tagging", KVM_CAP_ARM_MTE, "--features=mte is refused; the CPU or the kernel lacks it" },
	{ "performance monitors", KVM_CAP_ARM_PMU_V3, "--pmu=on is refused; the CPU or the kernel lacks them" },
	{ "common counter offset", KVM_CAP_COUNTER_OFFSET,
	  "the guest's physical counter shows how long the host has been up; Linux 6.4 or later has it" },
	{ "writable ID registers", KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES,
	  "a guest sees this CPU as it is: a named --model fits only if the CPU happens to match; Linux 6.7 or later has "
	  "it" },
	{ "writable MIDR_EL1", KVM_CAP_ARM_WRITABLE_IMP_ID_REGS,
	  "the guest sees this CPU's own identity, which a named --model forbids; Linux 6.15 or later has it" },
	{ "irqfd", KVM_CAP_IRQFD, "interrupts of devices cost a system call more" },
	{ "ioeventfd", KVM_CAP_IOEVENTFD, "notifications of devices cost a return to vmm" },
};

static void yes_or_no(struct hv_check *c, bool yes, const char *cost)
{
	snprintf(c->found, sizeof(c->found), "%s", yes ? "yes" : "no");
	if (!yes)
		note(c, HV_LIMITED, cost);
}

/* No capability says so: the VM is asked. */
static int check_filter(int host, struct hv_check *c)
{
	yes_or_no(c, kvm_host_has_filter(host),
		  "hypercalls that nobody answers are not reported; Linux 6.4 or later has it");
	return 0;
}

static const struct check {
	const char *what;
	int (*ask)(int host, struct hv_check *c);
} checks[] = {
	{ "/dev/kvm", check_device }, { "GIC", check_gic },         { "guest addresses", check_ipa },
	{ "vCPUs", check_vcpus },     { "SVE lengths", check_sve }, { "hypercall filter", check_filter },
};

int kvm_host_check(unsigned i, struct hv_check *c)
{
	char why[160] = "";
	int host = kvm_host_open(why, sizeof(why)), err = 0;

	if (host < 0) {
		snprintf(c->what, sizeof(c->what), "%s", checks[0].what);
		snprintf(c->found, sizeof(c->found), "not usable");
		note(c, HV_UNFIT, why);
		return i ? -ENOENT : 0;
	}
	if (i < ARRAY_SIZE(checks)) {
		snprintf(c->what, sizeof(c->what), "%s", checks[i].what);
		if (checks[i].ask(host, c)) {
			snprintf(c->found, sizeof(c->found), "KVM refuses the question");
			c->health = HV_LIMITED;
		}
	} else if (i - ARRAY_SIZE(checks) < ARRAY_SIZE(caps)) {
		i -= ARRAY_SIZE(checks);
		snprintf(c->what, sizeof(c->what), "%s", caps[i].name);
		yes_or_no(c, kvm_host_cap(host, caps[i].cap), caps[i].cost);
	} else {
		err = -ENOENT;
	}
	close(host);
	return err;
}
