/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM where there is none: the name is known, and why it cannot be used. Nothing else is asked of it. */
#include <stdio.h>
#include <sys/utsname.h>

#include <vmm/err.h>
#include <vmm/hv.h>

static int kvm_available(char *why, size_t why_bytes)
{
	struct utsname host;

	CHECK(!uname(&host));
	snprintf(why, why_bytes, "KVM runs arm64 guests on arm64 hosts only, this one is %s", host.machine);
	return -ENODEV;
}

static const struct hv_ops kvm_ops = {
	.name = "kvm",
	.help = "Linux's hypervisor, on arm64 hosts",
	.rank = 2,
	.available = kvm_available,
};

HV_BACKEND(kvm, &kvm_ops);
