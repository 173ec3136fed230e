# SPDX-License-Identifier: GPL-2.0-or-later
# --net socket: two machines on one wire. The second is started by the first's script, has a file for the first,
# leaves, and comes back.
kernel trixie-cloud
initrd virtio-KERNEL.cpio.gz
backends soft
options --net socket,path=TMP/wire,listen=on
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
---
expect ^/root # 
run stty -echo
run ip link set eth0 up && ip addr add 10.123.46.1/24 dev eth0
run test $(cat /sys/class/net/eth0/carrier) = 0
host mkdir -p TMP/root/bin && printf '%s\n' '#!/bin/sh' 'ip link set eth0 up; ip addr add 10.123.46.2/24 dev eth0; dd if=/dev/urandom of=/tmp/f bs=1M count=16; sha256sum < /tmp/f > /tmp/sum; httpd -h /tmp' 'while ! test -e /tmp/bye; do sleep 1; done' > TMP/root/bin/peer && chmod +x TMP/root/bin/peer && (cd TMP/root && find . | cpio --quiet -o -H newc | gzip -1) > TMP/extra && cat CACHE/virtio-trixie-cloud.cpio.gz TMP/extra > TMP/initrd
host (timeout 100 VMM run --kernel CACHE/kernels/trixie-cloud --initrd TMP/initrd --cmdline "console=ttyAMA0 run=/bin/peer" --net socket,path=TMP/wire --console file:TMP/log < /dev/null > TMP/out 2>&1 & echo $! > TMP/pid)
run i=0; until timeout 5 wget -q -O /tmp/sum http://10.123.46.2/sum && test -s /tmp/sum; do i=$((i + 1)); test $i -lt 60 || break; sleep 1; done; test $(cat /sys/class/net/eth0/carrier) = 1
run test "$(wget -q -O - http://10.123.46.2/f | sha256sum)" = "$(cat /tmp/sum)"
host kill $(cat TMP/pid)
run i=0; until test $(cat /sys/class/net/eth0/carrier) = 0; do i=$((i + 1)); test $i -lt 50 || break; sleep 0.1; done; test $(cat /sys/class/net/eth0/carrier) = 0
host (timeout 100 VMM run --kernel CACHE/kernels/trixie-cloud --initrd TMP/initrd --cmdline "console=ttyAMA0 run=/bin/peer" --net socket,path=TMP/wire --console file:TMP/log < /dev/null > TMP/out 2>&1 & echo $! > TMP/pid)
run i=0; until timeout 5 wget -q -O /tmp/sum http://10.123.46.2/sum && test -s /tmp/sum; do i=$((i + 1)); test $i -lt 60 || break; sleep 1; done; test "$(wget -q -O - http://10.123.46.2/f | sha256sum)" = "$(cat /tmp/sum)"
host kill $(cat TMP/pid)
send poweroff -f
expect reboot: Power down
end
