# SPDX-License-Identifier: GPL-2.0-or-later
# Disks that are no plain files: qcow2, an overlay that is continued, a snapshot that is gone, a server's that
# vanishes and comes back. qemu-img and e2fsck of this machine look at what the guest has left.
kernel bookworm-cloud trixie-cloud
mem 512M
backends soft
initrd virtio-KERNEL.cpio.gz
before truncate -s 96M TMP/base.raw && mkfs.ext4 -q -E root_owner=0:0 TMP/base.raw && cp TMP/base.raw TMP/copy.raw
before qemu-img convert -c -f raw -O qcow2 TMP/base.raw TMP/a.qcow2
before cp TMP/base.raw TMP/n.raw
before nbdkit -P TMP/nbd.pid -U TMP/nbd.sock file TMP/n.raw
options --disk TMP/a.qcow2 --disk TMP/base.raw,format=raw,overlay=TMP/o.qcow2 --disk TMP/base.raw,format=raw,snapshot=on --disk nbd+unix:///?socket=TMP/nbd.sock
cmdline console=ttyAMA0 quiet
refuse Kernel panic
refuse \bOops\b
timeout 120
---
expect Power off with: poweroff
run modprobe -a virtio_mmio virtio_blk ext4
run mkdir -p /a /o /s /n && for d in a:a b:o c:s d:n; do mount -t ext4 /dev/vd${d%:*} /${d#*:} || exit; done
run for d in a o s n; do cp -r /lib/modules /bin/busybox /$d/ && dd if=/dev/urandom of=/$d/r bs=64k count=100 conv=fsync && sha256sum < /$d/r > /$d/sum || exit; done
run sync && echo 3 > /proc/sys/vm/drop_caches && for d in a o s n; do sha256sum < /$d/r | diff - /$d/sum && diff -r /lib/modules /$d/modules || exit; done
run rm /a/r && fstrim /a
# What is flushed survives the server; without it there are errors, then there are none again.
host kill -9 $(cat TMP/nbd.pid); rm TMP/nbd.sock TMP/nbd.pid
run ! dd if=/dev/vdd of=/dev/null bs=4k count=1 skip=1000 iflag=direct
host nbdkit -P TMP/nbd.pid -U TMP/nbd.sock file TMP/n.raw
run until dd if=/dev/vdd of=/dev/null bs=4k count=1 skip=1000 iflag=direct; do sleep 1; done
run sha256sum < /n/r | diff - /n/sum
run umount /a /o /s /n
send poweroff -f
again
expect Power off with: poweroff
run modprobe -a virtio_mmio virtio_blk ext4
run mkdir -p /o /s && mount -t ext4 /dev/vdb /o && mount -t ext4 /dev/vdc /s
run sha256sum < /o/r | diff - /o/sum && test ! -e /s/r
run umount /o /s
send poweroff -f
end
host cmp TMP/base.raw TMP/copy.raw
host qemu-img check TMP/a.qcow2 && qemu-img check TMP/o.qcow2
host qemu-img convert -O raw TMP/a.qcow2 TMP/x.raw && e2fsck -fn TMP/x.raw && qemu-img convert -O raw TMP/o.qcow2 TMP/x.raw && e2fsck -fn TMP/x.raw
host kill $(cat TMP/nbd.pid); e2fsck -fn TMP/n.raw
