# SPDX-License-Identifier: GPL-2.0-or-later
# --net user: a guest that gets an address, downloads and uploads what has a sum, reaches the host and is reached, over
# IPv4 and IPv6, by one connection and by many, before and after a restart.
kernel trixie-cloud bookworm bookworm-cloud trixie trixie-16k
cpus 1 4
turns yes
mem 512M
initrd virtio-KERNEL.cpio.gz
serve yes
options --net user,hostname=guest,hostfwd=tcp:127.0.0.1:PORT-:80,hostfwd=tcp:[::1]:PORT-:80,tftp=TMP
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse soft lockup|rcu_sched self-detected|detected stall
refuse bad gso|hw csum failure|rx error|TX timeout
timeout 300
---
expect ^/root # 
run stty -echo
run printf '%s\n' '#!/bin/sh' 'test "$1" = bound || exit 0' 'ip addr add $ip/$mask dev $interface && ip route add default via $router && echo "$dns $hostname" > /tmp/got' > /tmp/up && chmod +x /tmp/up
run ip link set lo up && ip link set eth0 up && udhcpc -i eth0 -n -q -s /tmp/up && test "$(cat /tmp/got)" = '10.0.2.3 guest'
run ip addr show eth0 | grep -q 'inet 10.0.2.15/24'
run ping -c 3 -W 5 10.0.2.2
run i=0; until ip addr show eth0 | grep -q 'inet6 fec0:.* scope .*global\|inet6 fec0:.* scope site'; do i=$((i + 1)); test $i -lt 100 || break; sleep 0.1; done; ping -6 -c 3 -W 5 fec0::2
# Down: large segments, marked as many.
run test "$(wget -q -O - http://10.0.2.2:HTTP/134217728 | sha256sum | cut -c-64)" = "$(wget -q -O - http://10.0.2.2:HTTP/134217728/sha256)"
# Up: what is cut into segments is sent whole. (HTTP would be a number there.)
run dd if=/dev/urandom of=/tmp/f bs=1M count=32 2>/dev/null && test "$( (printf 'PUT / HT''TP/1.1\r\nHost: x\r\nContent-Length: 33554432\r\nConnection: close\r\n\r\n'; dd if=/tmp/f bs=256k 2>/dev/null; sleep 2) | nc 10.0.2.2 HTTP | tail -n 1)" = "$(sha256sum /tmp/f | cut -c-64)"
# Many, and many at once.
run for i in $(seq 100); do test $(wget -q -O - http://10.0.2.2:HTTP/$i | wc -c) = $i || exit 1; done
run (for i in $(seq 8); do (test "$(wget -q -O - http://10.0.2.2:HTTP/1000000$i | wc -c)" = 1000000$i && echo fine) & done; wait) | grep -c fine | grep -qx 8
run ! wget -q -O /dev/null http://10.0.2.2:1/
# The other way, through the forwards.
run cd /tmp && sha256sum f > sum && httpd -h /tmp && httpd -p 8080 -h /tmp
host python3 -c 'import urllib.request as u, hashlib, concurrent.futures as c; get = lambda a, f: u.urlopen(f"http://{a}:PORT/{f}", timeout=100).read(); [exit("sums differ") for a in ("127.0.0.1", "[::1]") if hashlib.sha256(get(a, "f")).hexdigest() != get(a, "sum").decode()[:64]]; list(c.ThreadPoolExecutor(8).map(lambda n: get("127.0.0.1", "sum"), range(100)))'
# Datagrams: libslirp has a server of its own for these.
host dd if=/dev/urandom of=TMP/t bs=1000 count=300 2>/dev/null && (sha256sum < TMP/t > TMP/u)
run tftp -g -r t -l /tmp/t 10.0.2.2 && tftp -g -r u -l /tmp/u 10.0.2.2 && test "$(sha256sum < /tmp/t)" = "$(cat /tmp/u)"
# The driver goes and comes back; so does the machine, and the forwards stay.
run rmmod virtio_net && modprobe virtio_net && ip link set eth0 up && udhcpc -i eth0 -n -q -s /tmp/up && wget -q -O - http://10.0.2.2:HTTP/100000 | wc -c | grep -qx 100000
send reboot -f
expect ^/root # 
run stty -echo
run ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0 && ping -c 1 -W 5 10.0.2.2 && echo again > /tmp/again && httpd -h /tmp
host test "$(python3 -c 'import urllib.request as u; print(u.urlopen("http://127.0.0.1:PORT/again", timeout=100).read().decode().strip())')" = again
send poweroff -f
expect reboot: Power down
end
