# SPDX-License-Identifier: GPL-2.0-or-later
# Pointer authentication in use: kernels sign their return addresses, Debian's programs of trixie theirs.
kernel trixie-cloud sid-cloud
cpus 2
mem 1G
initrd userland.cpio
options --pauth on
needs pauth
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
timeout 240
---
expect ^/root # 
run stty -echo
run grep -q 'paca pacg' /proc/cpuinfo
run dmesg | grep -q 'detected: Address authentication'
run /usr/bin/openssl version
run /usr/bin/perl -e 'my %h; $h{$_ % 7} .= $_ for 1 .. 20000; exit(length(join "", values %h) != 88894)'
run /usr/bin/python3.13 -S -c 'import json, re; assert json.loads(json.dumps(list(range(1000)))) == list(range(1000))'
run ! dmesg | grep -iE 'warn|segfault|unhandled|BUG' | grep -viE 'errors='
send poweroff -f
expect reboot: Power down
end
