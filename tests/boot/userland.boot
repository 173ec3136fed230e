# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's own userland: glibc's string functions, OpenSSL's assembly, perl, python, sqlite,
# with answers known beforehand; and a debugger's use of steps, breakpoints and watchpoints.
kernel trixie-cloud trixie-16k sid-cloud
cpus 2
mem 1G
initrd userland.cpio
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse WRONG
timeout 240
---
expect ^/root # 
run stty -echo
run /usr/bin/ptrace
run /usr/bin/bash /usr/bin/workload.sh
run ! dmesg | grep -iE 'warn|segfault|unhandled|BUG' | grep -viE 'errors='
send poweroff -f
expect reboot: Power down
end
