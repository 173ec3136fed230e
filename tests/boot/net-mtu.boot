# SPDX-License-Identifier: GPL-2.0-or-later
# Packets larger than Ethernet's usual ones, to the largest that libslirp takes.
kernel trixie-cloud
initrd virtio-KERNEL.cpio.gz
serve yes
options --net user,mtu=65520
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
---
expect ^/root # 
run stty -echo
run test $(cat /sys/class/net/eth0/mtu) = 65520
run ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0
run ping -c 3 -W 5 -s 60000 10.0.2.2
run test "$(wget -q -O - http://10.0.2.2:HTTP/67108864 | sha256sum | cut -c-64)" = "$(wget -q -O - http://10.0.2.2:HTTP/67108864/sha256)"
send poweroff -f
expect reboot: Power down
end
