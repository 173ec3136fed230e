# SPDX-License-Identifier: GPL-2.0-or-later
# 64 vCPUs: four clusters of sixteen for SGIs, a redistributor for each.
kernel bookworm-cloud trixie-cloud
cpus 64
mem 1G
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse SANITY CHECK
refuse failed to come online|failed to boot
timeout 240
alone
---
expect Linux \S+ on 64 vCPU
expect ^/root # 
run stty -echo
run test $(cat /sys/devices/system/cpu/online) = 0-63
# Each of them runs something: a shell pinned to it writes its number.
run for c in $(seq 0 63); do taskset $(printf '%x' $((1 << c))) sh -c 'true' || exit 1; done
run test $(awk '/arch_timer/ { for (k = 2; k <= 65; k++) n += $k > 0 } END { print n }' /proc/interrupts) = 64
send poweroff -f
expect reboot: Power down
end
