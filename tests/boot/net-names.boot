# SPDX-License-Identifier: GPL-2.0-or-later
# --net user: what DHCP and router advertisements tell the guest of a network that is not the usual one, and that names
# are asked of the host's name server, by IPv4 and IPv6.
kernel trixie-cloud
initrd virtio-KERNEL.cpio.gz
backends soft
names yes
options --net user,net=192.168.77.0/24,dns=192.168.77.9,net6=fec0:7::/64,hostname=guest,domain=vmm.example,search=a.example,search=b.example
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
---
expect ^/root # 
run stty -echo
run printf '%s\n' '#!/bin/sh' 'test "$1" = bound || exit 0' 'ip addr add $ip/$mask dev $interface && ip route add default via $router' 'echo "$ip/$mask $router $dns $serverid $lease" > /tmp/got; echo "$hostname $domain $search" > /tmp/names' > /tmp/up && chmod +x /tmp/up
run ip link set lo up && ip link set eth0 up && udhcpc -i eth0 -n -q -O search -s /tmp/up && cat /tmp/got /tmp/names
run test "$(cat /tmp/got)" = '192.168.77.15/24 192.168.77.2 192.168.77.9 192.168.77.2 86400'
run test "$(cat /tmp/names)" = 'guest vmm.example a.example b.example'
run i=0; until ip addr show eth0 | grep -q 'inet6 fec0:7:'; do i=$((i + 1)); test $i -lt 100 || break; sleep 0.1; done; ip -6 route | grep -q 'default via fe80::2'
run ping -c 1 -W 5 192.168.77.2 && ping -6 -c 1 -W 5 fec0:7::2
run nslookup vmm.example 192.168.77.9 | grep -q '192[.]0[.]2[.]77'
host grep -qx 'udp4 vmm.example' TMP/queries
run nslookup vmm.example fec0:7::3 | grep -q '192[.]0[.]2[.]77'
host grep -qx 'udp6 vmm.example' TMP/queries
run ! nslookup nobody.example 192.168.77.9 && nslookup nobody.example 192.168.77.9 | grep -q NXDOMAIN
host grep -qx 'udp4 nobody.example' TMP/queries
send poweroff -f
expect reboot: Power down
end
