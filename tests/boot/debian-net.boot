# SPDX-License-Identifier: GPL-2.0-or-later
# A Debian with user networking: a lease, a GiB down and much up with sums that must agree, many short connections,
# ssh from this machine through a forward and the power-off by that; datagrams through a forward, whole and in fragments.
kernel trixie-cloud
cpus 2
mem 1G
initrd virtio-KERNEL.cpio.gz
disk debian.img
serve yes
options --disk DISK --net user,hostfwd=tcp:127.0.0.1:PORT-:22,hostfwd=udp:127.0.0.1:PORT-:2000,hostfwd=udp:[::1]:PORT-[fec0::5054:ff:fe12:3457]:2000
cmdline console=ttyAMA0 root=LABEL=debian rw
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse I/O error|EXT4-fs (error|warning)
refuse soft lockup|rcu_sched self-detected|detected stall|hung task|NETDEV WATCHDOG
timeout 400
---
expect debian login: 
send root
expect Password: 
send vmm
expect root@debian:
run stty -echo
run bind 'set enable-bracketed-paste off'
run /usr/lib/systemd/systemd-networkd-wait-online --any --timeout=60
run systemctl is-system-running --wait
run ip -4 -o addr show dev eth0 | grep -q 'inet 10.0.2.15/24'
run ping -q -c 3 10.0.2.2
# 10.0.2.2 is this machine's loopback.
run u=http://10.0.2.2:HTTP; test $(curl -sf $u/1073741824 | sha256sum | cut -c -64) = $(curl -sf $u/1073741824/sha256)
run head -c 200000000 /dev/urandom > /var/tmp/up && test $(curl -sf -T /var/tmp/up $u/) = $(sha256sum < /var/tmp/up | cut -c -64)
run for n in 1 2 3 4; do (curl -sf $u/50000000 | sha256sum | cut -c -64) & done | sort -u | grep -qx $(curl -sf $u/50000000/sha256)
# One connection each.
run for n in $(seq 500); do echo "url = $u/$n/sha256"; done | curl -sf -H 'Connection: close' -K - | sort -u | wc -l | grep -qx 500
run for n in $(seq 100); do curl -sf -H 'Connection: close' -o /dev/null $u/1 || echo lost; done | wc -l | grep -qx 0
# In through the forward: a command, eight at once, and 50 MB both ways.
host ssh -F CACHE/debian-keys/config -p PORT debian hostname | grep -qx debian
host for n in $(seq 8); do ssh -F CACHE/debian-keys/config -p PORT debian echo $n & done | sort -n | tr '\n' ' ' | grep -qx '1 2 3 4 5 6 7 8 '
host head -c 50000000 /dev/urandom > TMP/sent && ssh -F CACHE/debian-keys/config -p PORT debian 'cat > /var/tmp/in && cat /var/tmp/in' < TMP/sent | cmp - TMP/sent
run python3 -c 'import os, socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("::", 2000)); os.fork() and os._exit(0); [s.sendto(*s.recvfrom(70000)) for n in range(100000)]' < /dev/null > /dev/null 2>&1
host python3 TOP/tests/boot/datagrams.py 127.0.0.1 PORT 1 100 1472 1473 9000 60000
host python3 TOP/tests/boot/datagrams.py ::1 PORT 1 100 1452
run ! journalctl -k -b --no-pager -q | grep -iE 'virtio.*(error|fail|bug|timeout)|tx timeout'
host ssh -F CACHE/debian-keys/config -p PORT debian systemctl poweroff || true
expect reboot: Power down
end
host e2fsck -fn DISK
