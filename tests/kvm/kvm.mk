# SPDX-License-Identifier: GPL-2.0-or-later
# The command runner inside the hosts of tests/kvm.
.PHONY: kvm
kvm: out/kvm/agent

out/kvm/agent: tests/kvm/agent.c
	@mkdir -p $(@D)
	$(call say,CROSS)
	$(Q)aarch64-linux-gnu-gcc -static -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -o $@ $<
