# SPDX-License-Identifier: GPL-2.0-or-later
# A whole Debian from a disk (tests/setup debian): to systemd's login prompt with nothing that failed, loads that
# know what must be read back, and a power-off after which the file system is clean for this machine, too.
kernel trixie-cloud
cpus 2 1
mem 1G
initrd virtio-KERNEL.cpio.gz
disk debian.img
options --disk DISK
cmdline console=ttyAMA0 root=LABEL=debian rw
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse I/O error|EXT4-fs (error|warning)|JBD2: (Error|recovery)
refuse soft lockup|rcu_sched self-detected|detected stall|hung task
timeout 300
---
expect debian login: 
send root
expect Password: 
send vmm
expect root@debian:
run stty -echo
run bind 'set enable-bracketed-paste off'
run systemctl is-system-running --wait
run test -z "$(systemctl --failed --no-legend --plain)"
run findmnt -no SOURCE,FSTYPE / | grep -q '^/dev/vda *ext4'
# A tree through tar, read back from the disk and not from memory.
run mkdir /var/tmp/t && tar -C /usr/lib -cf - aarch64-linux-gnu python3.13 | tar -C /var/tmp/t -xf - && sync && echo 3 > /proc/sys/vm/drop_caches && diff -r --no-dereference /usr/lib/python3.13 /var/tmp/t/python3.13 && diff -r --no-dereference /usr/lib/aarch64-linux-gnu /var/tmp/t/aarch64-linux-gnu
# Past the page cache, in sizes that end nowhere in particular.
run dd if=/dev/urandom of=/tmp/a bs=1M count=48 status=none && (for bs in 4096 12288 1048576; do dd if=/tmp/a of=/var/tmp/a bs=$bs oflag=direct status=none && dd if=/var/tmp/a bs=$bs iflag=direct status=none | cmp - /tmp/a || exit 1; done)
# Small writes, each of them on the disk before the next.
run python3 -c 'import os; d = [os.open(f"/var/tmp/f{n}", os.O_RDWR | os.O_CREAT) for n in range(4)]; [(os.pwrite(d[n % 4], b"%8d" % n * 512, n // 4 * 4096), os.fsync(d[n % 4])) for n in range(400)]' && cat /var/tmp/f[0-3] | wc -c | grep -qx 1638400
run seq 200 | sed 's/.*/begin; insert into t values (&, hex(randomblob(2000))); update t set b = hex(randomblob(1000)) where a = & - 7; commit;/' | sqlite3 -init /dev/null -cmd 'pragma synchronous = full; create table t (a integer primary key, b);' /var/tmp/db && echo 3 > /proc/sys/vm/drop_caches && sqlite3 /var/tmp/db 'pragma integrity_check; select count(*), sum(length(b)) from t;' | tr '\n' ' ' | grep -qx 'ok 200|414000 '
run rm -r /var/tmp/t && fstrim /
# Three processes at once, and the shell beside them.
run for n in 1 2 3; do (dd if=/tmp/a of=/var/tmp/p$n bs=64k conv=fsync status=none && cmp /tmp/a /var/tmp/p$n) & pids="$pids $!"; done; for p in $pids; do wait $p || bad=$p; done; test -z "$bad"
run ! journalctl -k -b --no-pager -q | grep -iE 'virtio.*(error|fail|bug|timeout)|blk_update_request|EXT4-fs (error|warning)'
send systemctl poweroff
expect reboot: Power down
end
host e2fsck -fn DISK
