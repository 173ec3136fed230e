# SPDX-License-Identifier: GPL-2.0-or-later
# A named model: what came later than it, the kernel does not find.
kernel trixie-cloud
cpus 2
options --model v1
refuse Kernel panic
refuse Call trace:
---
expect ^/root # 
run stty -echo
run ! dmesg | grep -i 'stolen time'
send poweroff -f
expect reboot: Power down
end
