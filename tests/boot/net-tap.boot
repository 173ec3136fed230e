# SPDX-License-Identifier: GPL-2.0-or-later
# --net tap: Linux at both ends of the wire, which looks at checksums and at sizes; several queues.
kernel trixie-cloud bookworm
cpus 2
initrd virtio-KERNEL.cpio.gz
tap yes
backends soft
options --net tap,ifname=TAP,queues=2,vhost=auto
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse hw csum failure|rx error|TX timeout
---
expect ^/root # 
run stty -echo
run ls -d /sys/class/net/eth0/queues/rx-1
host ip addr add 10.123.45.1/24 dev TAP && ip link set TAP up
run ip link set eth0 up && ip addr add 10.123.45.2/24 dev eth0
run ping -c 3 -W 5 10.123.45.1
run dd if=/dev/urandom of=/tmp/f bs=1M count=32 2>/dev/null && sha256sum /tmp/f > /tmp/sum && httpd -h /tmp
host python3 -c 'import urllib.request as u, hashlib, concurrent.futures as c; get = lambda f: u.urlopen(f"http://10.123.45.2/{f}", timeout=100).read(); assert all(h == get("sum").decode()[:64] for h in c.ThreadPoolExecutor(4).map(lambda n: hashlib.sha256(get("f")).hexdigest(), range(4)))'
host (timeout 60 python3 -m http.server PORT --bind 10.123.45.1 --directory TMP > TMP/log 2>&1 &) && dd if=/dev/urandom of=TMP/f bs=1M count=32 2>/dev/null && (sha256sum < TMP/f > TMP/sum)
run i=0; until wget -q -O /tmp/sum http://10.123.45.1:PORT/sum; do i=$((i + 1)); test $i -lt 50 || break; sleep 0.1; done; test "$(wget -q -O - http://10.123.45.1:PORT/f | sha256sum)" = "$(cat /tmp/sum)"
# Taken away under the guest: a cable pulled out, and no more.
host ip link del TAP
run i=0; until test $(cat /sys/class/net/eth0/carrier) = 0; do i=$((i + 1)); test $i -lt 50 || break; sleep 0.1; done; test $(cat /sys/class/net/eth0/carrier) = 0
send poweroff -f
expect reboot: Power down
end
