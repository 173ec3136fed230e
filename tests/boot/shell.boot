# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's unmodified kernels to a shell that works, and a clean power-off.
kernel bookworm-cloud bookworm trixie-cloud trixie
cpus 1 2 4 8
mem 128M 512M 2G 8G
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse SANITY CHECK
refuse self-test.*failed
refuse soft lockup|rcu_sched self-detected|detected stall
timeout 240
---
expect Linux \S+ on \d+ vCPU
expect ^/root # 
run stty -echo
run test $(grep -c ^processor /proc/cpuinfo) = $(ls -d /sys/devices/system/cpu/cpu[0-9]* | wc -l)
run grep -q arch_timer /proc/interrupts
run grep -q uart-pl011 /proc/interrupts
# A second is one by the guest's clocks and by ours; the upper bounds leave room for a busy host.
run a=$(awk '{ print int($1 * 100) }' /proc/uptime); sleep 1; b=$(awk '{ print int($1 * 100) }' /proc/uptime); test $((b - a)) -ge 99 -a $((b - a)) -le $((300 * SLOWER))
lasts 0.99 6 sleep 1
run test $(ls /sys/devices/system/cpu/vulnerabilities | wc -l) -ge 5
run ! grep Vulnerable /sys/devices/system/cpu/vulnerabilities/*
run dd if=/dev/urandom of=/tmp/x bs=1M count=4 2>/dev/null && gzip -c /tmp/x | gunzip | cmp - /tmp/x
run seq 20000 | sort -n -r | tail -1 | grep -qx 1
run ! dmesg | grep -iE 'warn|error|fail|unexpected|BUG' | grep -viE 'EXT4|errors=|ACPI|error report|error code|failsafe|rcu_cpu_stall_timeout'
send poweroff -f
expect reboot: Power down
end
