# SPDX-License-Identifier: GPL-2.0-or-later
# Sockets between Linux's programs and the host's: both ways, many at a time, each direction ended by itself.
kernel trixie-cloud bookworm-cloud
cpus 2 1
mem 256M
initrd virtio-KERNEL.cpio.gz
options --device virtio-vsock,cid=42,uds=TMP/v
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse WRONG
---
expect ^/root # 
run stty -echo
run modprobe vmw_vsock_virtio_transport && vsock refused 99
host TOP/tests/boot/vsock.py echo TMP/v_1234 53 >/dev/null 2>&1 &
host for i in $(seq 100); do [ -S TMP/v_1234 ] && exit; sleep 0.1; done; exit 1
run vsock talk 1234 3000000
run vsock many 1234 50
run vsock talk 1234 1000000 & vsock talk 1234 1000000 && wait $!
run vsock refused 1234
send vsock echo 22 81; echo echo-''$?
host TOP/tests/boot/vsock.py talk TMP/v 22 3000000
host TOP/tests/boot/vsock.py many TMP/v 22 80
expect echo-0
# Who does not listen any more; and who has gone without a word.
send vsock echo 23 1; echo echo-''$?
host TOP/tests/boot/vsock.py talk TMP/v 23 1
expect echo-0
send reboot -f
expect starting again
expect ^/root # 
run stty -echo
run modprobe vmw_vsock_virtio_transport
send vsock echo 24 1; echo echo-''$?
host TOP/tests/boot/vsock.py talk TMP/v 24 100000
expect echo-0
send poweroff -f
expect reboot: Power down
end
host ! [ -e TMP/v ]
