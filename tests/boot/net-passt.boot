# SPDX-License-Identifier: GPL-2.0-or-later
# --net socket with somebody else's program at the other end: passt gives the guest this machine's addresses, and what
# goes to the router's comes to this machine's loopback. It takes packets of 64 KiB.
kernel trixie-cloud
initrd virtio-KERNEL.cpio.gz
backends soft
serve yes
passt yes
options --net socket,path=PASST,mtu=65520
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
---
expect ^/root # 
run stty -echo
run printf '%s\n' '#!/bin/sh' 'test "$1" = bound || exit 0' 'ip addr add $ip/$mask dev $interface && ip route add default via $router && echo $router > /tmp/router' > /tmp/up && chmod +x /tmp/up
run ip link set eth0 up && udhcpc -i eth0 -n -q -s /tmp/up && test -s /tmp/router
run test "$(wget -q -O - http://$(cat /tmp/router):HTTP/67108864 | sha256sum | cut -c-64)" = "$(wget -q -O - http://$(cat /tmp/router):HTTP/67108864/sha256)"
run for i in $(seq 50); do test $(wget -q -O - http://$(cat /tmp/router):HTTP/$i | wc -c) = $i || exit 1; done
send poweroff -f
expect reboot: Power down
end
