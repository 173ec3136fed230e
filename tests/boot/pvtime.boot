# SPDX-License-Identifier: GPL-2.0-or-later
# Stolen time: the kernel finds it and reads a record for each CPU, also of one that was off.
kernel bookworm-cloud trixie-16k
cpus 2
refuse Kernel panic
refuse Call trace:
---
expect ^/root # 
run stty -echo
run dmesg | grep -q 'arm-pv: using stolen time PV'
run echo 0 > /sys/devices/system/cpu/cpu1/online && echo 1 > /sys/devices/system/cpu/cpu1/online
run ! dmesg | grep -iE '(fail|unexpected).*stolen'
# Column 9 is what was stolen: never less than before, and in hundredths of a second, not in something else.
run a=$(awk '/^cpu / { print $9 }' /proc/stat); sleep 2; b=$(awk '/^cpu / { print $9 }' /proc/stat); test $((b - a)) -ge 0 -a $((b - a)) -le 2000
send poweroff -f
expect reboot: Power down
end
