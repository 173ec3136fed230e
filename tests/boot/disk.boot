# SPDX-License-Identifier: GPL-2.0-or-later
# Linux's virtio-blk: three disks, what it sees of them, and what it does to them, by this machine's e2fsck, too.
kernel trixie-cloud bookworm trixie-16k sid-cloud
cpus 2 1 4
turns yes
mem 512M
initrd virtio-KERNEL.cpio.gz
before truncate -s 256M TMP/a && mke2fs -q -t ext4 TMP/a
before mkdir TMP/tree && cp /bin/bash TMP/tree/ && truncate -s 64M TMP/b && mke2fs -q -t ext4 -d TMP/tree TMP/b && sha256sum < TMP/b > TMP/b.sum
before head -c 64M /dev/urandom > TMP/c
options --disk TMP/a,serial=first-disk,format=raw --disk TMP/b,readonly --disk TMP/c,format=raw,logical-block-size=4096,writeback=off,direct
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse EXT4-fs (error|warning)|JBD2: (Error|recovery)
timeout 120
---
expect ^/root # 
run stty -echo
run modprobe virtio_mmio && modprobe virtio_blk; modprobe ext4 2>/dev/null; grep -q ext4 /proc/filesystems
run test $(cat /sys/block/vda/serial) = first-disk && test -z "$(cat /sys/block/vdb/serial)"
run test "$(cat /sys/block/vd[abc]/ro | tr -d '\n')" = 010
run test "$(cat /sys/block/vd[abc]/size | tr '\n' ' ')" = "524288 131072 131072 "
run test "$(cat /sys/block/vd[abc]/queue/logical_block_size | tr '\n' ' ')" = "512 512 4096 "
run test "$(cat /sys/block/vda/queue/write_cache)" = "write back" && test "$(cat /sys/block/vdc/queue/write_cache)" = "write through"
run n=$(grep -c ^processor /proc/cpuinfo); test $(ls /sys/block/vda/mq | wc -l) = $n
# A file system is written, read back from the disk, and grows full and empty again.
run mount -t ext4 /dev/vda /mnt && dd if=/dev/urandom of=/tmp/x bs=1M count=24 2>/dev/null
run cp /tmp/x /mnt/x && sync && echo 3 > /proc/sys/vm/drop_caches && cmp /tmp/x /mnt/x
run for bs in 4k 20k 1M; do dd if=/tmp/x of=/mnt/y bs=$bs oflag=direct conv=notrunc 2>/dev/null && dd if=/mnt/y bs=$bs iflag=direct 2>/dev/null | cmp - /tmp/x || break; done
run for i in $(seq 50); do dd if=/dev/zero of=/mnt/z$i bs=3000 count=1 conv=fsync 2>/dev/null || break; done; cat /mnt/z* | wc -c | grep -qx 150000
run ! dd if=/dev/zero of=/mnt/full bs=1M count=300 2>/dev/null
run rm /mnt/full && fstrim /mnt && cmp /tmp/x /mnt/x
# Its cache off, and on.
run echo 'write through' > /sys/block/vda/cache_type && dd if=/tmp/x of=/mnt/w bs=64k count=20 oflag=direct 2>/dev/null && echo 'write back' > /sys/block/vda/cache_type && cmp -n 1310720 /tmp/x /mnt/w
run umount /mnt
# One that is only read.
run ! dd if=/dev/zero of=/dev/vdb bs=4k count=1 2>/dev/null
run mount -t ext4 -o ro /dev/vdb /mnt && test -s /mnt/bash && ! touch /mnt/x 2>/dev/null; umount /mnt
# One without a cache, in blocks of 4 KiB: many at a time, then zeroes, then nothing.
run for i in 0 1 2 3; do dd if=/tmp/x of=/dev/vdc bs=256k skip=$((i * 20)) seek=$((i * 20)) count=20 oflag=direct conv=notrunc 2>/dev/null & done; wait; dd if=/dev/vdc bs=256k count=80 2>/dev/null | cmp -n 20971520 - /tmp/x
run blkdiscard -o 1048576 -l 8388608 /dev/vdc && blkdiscard -o 33554432 -l 33554432 /dev/vdc
host test $(stat -c %b TMP/c) -lt 100000
run dd if=/dev/vdc bs=1M skip=20 count=4 2>/dev/null | sha256sum > /tmp/before; echo 3 > /proc/sys/vm/drop_caches; dd if=/dev/vdc bs=1M skip=20 count=4 2>/dev/null | sha256sum | cmp - /tmp/before
# The file grows under the guest.
host truncate -s 96M TMP/c
run for i in $(seq 300); do test $(cat /sys/block/vdc/size) = 196608 && break; sleep 0.1; done; test $(cat /sys/block/vdc/size) = 196608
run dd if=/tmp/x of=/dev/vdc bs=1M seek=90 count=6 oflag=direct conv=notrunc 2>/dev/null && dd if=/dev/vdc bs=1M skip=90 count=6 iflag=direct 2>/dev/null | cmp -n 6291456 - /tmp/x
run ! dmesg | grep -iE 'I/O error|virtio.*(error|fail)'
send poweroff -f
expect reboot: Power down
end
host e2fsck -fn TMP/a
host sha256sum < TMP/b | cmp - TMP/b.sum
