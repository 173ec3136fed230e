# SPDX-License-Identifier: GPL-2.0-or-later
# Loads that race: TLB shootdown, locks, fork and exec, and vCPUs that go off and on beneath them; on as many
# host CPUs as there are. tests/boot/user/stress.c says what each of them looks at. STRESS makes it longer.
kernel trixie-cloud
cpus 2 4 8
initrd stress.cpio.gz
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse BUG:
refuse WRONG
timeout 240
---
expect Linux \S+ on \d+ vCPU
expect ^/root # 
run stty -echo
run stress map ${STRESS:-3} 8
run stress lock ${STRESS:-3} 8
run stress fork $((${STRESS:-3} * 300)) 8
run stress lock ${STRESS:-3} 4 & l=$!; stress map ${STRESS:-3} 4 & m=$!; while kill -0 $m 2>/dev/null; do for c in /sys/devices/system/cpu/cpu[1-9]; do echo 0 > $c/online || exit 1; done; for c in /sys/devices/system/cpu/cpu[1-9]; do echo 1 > $c/online || exit 1; done; done; wait $m && wait $l
send poweroff -f
expect reboot: Power down
end
