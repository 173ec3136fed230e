# SPDX-License-Identifier: GPL-2.0-or-later
# As debian.boot, with loads of a size for KVM in an emulated host.
kernel trixie-cloud
cpus 2
mem 1G
initrd virtio-KERNEL.cpio.gz
disk debian.img
options --disk DISK --net user
cmdline console=ttyAMA0 root=LABEL=debian rw
backends kvm
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
refuse I/O error|EXT4-fs (error|warning)|JBD2: (Error|recovery)
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
run /usr/lib/systemd/systemd-networkd-wait-online --any --timeout=300
run ping -q -c 2 10.0.2.2
run mkdir /var/tmp/t && tar -C /usr/lib/aarch64-linux-gnu -cf - perl-base | tar -C /var/tmp/t -xf - && sync && echo 3 > /proc/sys/vm/drop_caches && diff -r --no-dereference /usr/lib/aarch64-linux-gnu/perl-base /var/tmp/t/perl-base
run dd if=/dev/urandom of=/tmp/a bs=1M count=2 status=none && (for bs in 12288 1048576; do dd if=/tmp/a of=/var/tmp/a bs=$bs oflag=direct status=none && dd if=/var/tmp/a bs=$bs iflag=direct status=none | cmp - /tmp/a || exit 1; done)
run for n in $(seq 10); do dd if=/tmp/a of=/var/tmp/f$n bs=4k count=1 conv=fsync status=none; done
run seq 20 | sed 's/.*/begin; insert into t values (&, hex(randomblob(2000))); commit;/' | sqlite3 -init /dev/null -cmd 'pragma synchronous = full; create table t (a integer primary key, b);' /var/tmp/db && echo 3 > /proc/sys/vm/drop_caches && sqlite3 /var/tmp/db 'pragma integrity_check; select count(*), sum(length(b)) from t;' | tr '\n' ' ' | grep -qx 'ok 20|80000 '
send systemctl poweroff
expect reboot: Power down
end
host e2fsck -fn DISK
