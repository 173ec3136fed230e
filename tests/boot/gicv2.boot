# SPDX-License-Identifier: GPL-2.0-or-later
# A GICv2, as hosts have that are too old for GICv3: interrupts, IPIs, vCPUs off and on again.
kernel bookworm-cloud trixie-cloud sid-cloud
cpus 1 4 8
mem 512M
options --gic 2
needs gic=2
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse soft lockup|rcu_sched self-detected|detected stall
refuse failed to come online|failed to boot
timeout 240
---
expect Linux \S+ on \d+ vCPU
expect ^/root # 
run stty -echo
run test $(grep -c ^processor /proc/cpuinfo) = $(ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l)
run grep -qE 'GIC-0 +27 Level +arch_timer' /proc/interrupts
run grep -qE 'GIC-0 .*uart-pl011' /proc/interrupts
run ! dmesg | grep -i gicv3
run for i in 1 2 3; do for c in /sys/devices/system/cpu/cpu[1-9]; do test -e $c/online || continue; echo 0 > $c/online && echo 1 > $c/online || exit 1; done; done
# An SPI moved to the last vCPU comes there.
run n=$(grep -c ^processor /proc/cpuinfo); irq=$(awk -F: '/uart-pl011/ { print $1 + 0 }' /proc/interrupts); echo $((n - 1)) > /proc/irq/$irq/smp_affinity_list; cat /proc/irq/$irq/effective_affinity_list | grep -qx $((n - 1)) || test $n = 1
run echo typed after the move
run for c in $(seq 0 $(($(grep -c ^processor /proc/cpuinfo) - 1))); do taskset $(printf '%x' $((1 << c))) true || exit 1; done
run ! dmesg | grep -iE 'warn|error|fail|unexpected|BUG' | grep -viE 'EXT4|errors=|ACPI|error report|error code|failsafe|rcu_cpu_stall_timeout'
send poweroff -f
expect reboot: Power down
end
