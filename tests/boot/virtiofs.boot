# SPDX-License-Identifier: GPL-2.0-or-later
# A folder that Debian's virtiofsd shares: both sides see what the other does, trees and files of many sizes are what
# they were, and it works again for the driver of the next start.
kernel trixie-cloud bookworm-cloud
cpus 2 1
mem 512M
initrd virtio-KERNEL.cpio.gz
virtiofsd yes
options --device virtio-fs,socket=VIRTIOFSD,tag=folder
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
---
expect ^/root # 
host seq 10000 > TMP/fs/seq && ln -s seq TMP/fs/link && mkdir TMP/fs/many && (cd TMP/fs/many && touch $(seq 1000))
run stty -echo
run mkdir /s && mount -t virtiofs folder /s && seq 10000 | cmp - /s/link
run seq 1000 > /tmp/n && ls /s/many | sort -n | cmp - /tmp/n
run cd /s && tar -cf - -C / bin lib | (mkdir t && tar -xf - -C t) && diff -r /lib t/lib && cmp /bin/busybox t/bin/busybox && rm -r t
run dd if=/dev/urandom of=/tmp/r bs=1M count=16 2>/dev/null && for bs in 1000 4096 1048576; do dd if=/tmp/r of=/s/r bs=$bs conv=fsync 2>/dev/null && cmp /tmp/r /s/r || exit 1; done
host [ "$(stat -c %s TMP/fs/r)" = 16777216 ] && md5sum < TMP/fs/r > TMP/fs/sum && mv TMP/fs/seq TMP/fs/moved
run echo 3 > /proc/sys/vm/drop_caches; md5sum < /tmp/r | cmp - /s/sum && ! test -e /s/link && seq 10000 | cmp - /s/moved && rm /s/moved
host ! [ -e TMP/fs/moved ]
run cd / && umount /s && cd /sys/bus/virtio/drivers/virtiofs && d=$(echo virtio*) && echo $d > unbind && echo $d > bind && mount -t virtiofs folder /s && md5sum < /s/r | cmp - /s/sum && umount /s
run ! dmesg | grep -iE 'virtio.?fs.*(error|fail|warn)'
send poweroff -f
expect reboot: Power down
end
