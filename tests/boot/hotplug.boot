# SPDX-License-Identifier: GPL-2.0-or-later
# vCPUs off and on again through /sys: PSCI CPU_OFF, AFFINITY_INFO, CPU_ON, IPIs.
kernel bookworm-cloud trixie-cloud
cpus 2 4
refuse Kernel panic
refuse Call trace:
---
expect Linux \S+ on \d+ vCPU
expect ^/root # 
run stty -echo
run for i in 1 2 3 4 5; do for c in /sys/devices/system/cpu/cpu[1-9]; do echo 0 > $c/online || exit 1; done; grep -c ^processor /proc/cpuinfo | grep -qx 1 || exit 1; for c in /sys/devices/system/cpu/cpu[1-9]; do echo 1 > $c/online || exit 1; done; done
run test $(grep -c ^processor /proc/cpuinfo) -gt 1
send poweroff -f
end
