# SPDX-License-Identifier: GPL-2.0-or-later
# A shared folder under Linux's v9fs: what the guest does to files is what the host sees, and the other way round;
# trees through tar, renames that replace, links that lead out of the folder, and a share that is read-only.
kernel trixie bookworm trixie-16k
cpus 2 1
turns yes
mem 512M
initrd virtio-KERNEL.cpio.gz
options --share TMP --share TMP,tag=ro,readonly=on,uid=1000,gid=100
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
timeout 240
---
expect ^/root # 
host mkdir -m 755 TMP/d && echo outside > TMP.outside && seq 10000 > TMP/d/seq && ln -s ../TMP.outside TMP/d/out && ln -s / TMP/root && mkfifo TMP/d/pipe && chmod 640 TMP/d/seq && mkdir TMP/many && (cd TMP/many && touch $(seq 3000))
run stty -echo
run mkdir /s /ro && mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 share /s && mount -t 9p -o trans=virtio,version=9p2000.L,msize=8192 ro /ro
# What the host has.
run seq 10000 | cmp - /s/d/seq && seq 10000 | cmp - /ro/d/seq
run test "$(stat -c %u:%g:%a /s/d/seq)" = 0:0:640 && test "$(stat -c %u:%g:%a /ro/d/seq)" = 1000:100:640
run seq 3000 > /tmp/n && ls /s/many | sort -n | cmp - /tmp/n && ls /ro/many | sort -n | cmp - /tmp/n
run test "$(readlink /s/root)" = / && ! cat /s/d/out && test -p /s/d/pipe
# What the guest makes.
run cd /s && mkdir -p a/b/c && echo text > a/b/f && ln a/b/f a/hard && ln -s b/f a/soft && cat a/soft && chown 0:0 a/b/f && chmod 4711 a/b/f && mkfifo a/p && touch -d '2020-02-02 02:02:02' a/b/c && ! mknod a/null c 1 3
host cd TMP/a && [ "$(stat -c %a:%h b/f)" = 4711:2 ] && [ b/f -ef hard ] && [ "$(readlink soft)" = b/f ] && [ -p p ] && [ "$(stat -c %Y b/c)" = 1580608922 ] && [ "$(cat hard)" = text ] && [ "$(stat -c %U soft)" = "$(id -un)" ] && ! [ -e null ]
host echo more >> TMP/a/hard
run test "$(tail -n 1 a/b/f)" = more && rm a/b/f && test "$(cat a/hard | wc -l)" = 2 && ! rmdir a/b && rmdir a/b/c && rmdir a/b
# A tree, and whether it is the same afterwards; whole files in pieces of any size.
run cd /s && tar -cf /tmp/t.tar -C / bin lib && mkdir t && tar -xf /tmp/t.tar -C t && diff -r /lib t/lib && cmp /bin/busybox t/bin/busybox && test "$(($(find t | wc -l) - 1))" = "$(tar -tf /tmp/t.tar | wc -l)" && rm -r t
run dd if=/dev/urandom of=/tmp/r bs=1M count=24 2>/dev/null && for bs in 1000 4096 100000 1048576; do dd if=/tmp/r of=/s/r bs=$bs conv=fsync 2>/dev/null && cmp /tmp/r /s/r || exit 1; done
host [ "$(stat -c %s TMP/r)" = 25165824 ] && md5sum < TMP/r > TMP/r.sum
run md5sum < /tmp/r | cmp - /s/r.sum && truncate -s 1000 r && test "$(wc -c < r)" = 1000
# As git does with refs: there is always one. By two at a time, where the kernel counts links right when it loses a race.
run mkdir refs && echo 0 > refs/r && for i in $(seq 300); do echo $i > refs/l.$i && mv refs/l.$i refs/r && test "$(cat refs/r)" = $i || exit 1; done
run uname -r | grep -q ^6[.]1[.] || { (for i in $(seq 200); do echo $i > refs/l.$i && mv refs/l.$i refs/r || exit 1; done) & (for i in $(seq 200); do cat refs/r > /dev/null || exit 1; echo $i > refs/k.$i && mv -f refs/k.$i refs/r || exit 1; done) && wait $!; } && test "$(ls refs)" = r
# A file that nobody finds any more is still there for who has it open.
run exec 4<> gone && echo kept >&4 && rm gone && head -n 1 /proc/self/fd/4 | grep -qx kept; test $(stat -L -c %h /proc/self/fd/4) = 0 && exec 4>&-
# Nothing of it where it is not allowed.
run cd /ro && for c in 'echo x > new' 'echo x >> d/seq' 'mkdir new' 'rm d/seq' 'mv d/seq e' 'ln d/seq e' 'ln -s x y' 'chmod 777 d/seq' 'touch d/seq' 'mkfifo q' 'rmdir many'; do sh -c "$c" 2>&1 | grep -q 'Read-only file system' || { echo "$c"; exit 1; }; done
host [ "$(ls TMP/d | tr '\n' ' ')" = 'out pipe seq ' ] && [ "$(stat -c %a TMP/d/seq)" = 640 ] && [ "$(cat TMP.outside)" = outside ]
run cd / && umount /s /ro && mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose share /s && find /s -type f | wc -l && seq 10000 | cmp - /s/d/seq && echo cached > /s/cached && umount /s
host [ "$(cat TMP/cached)" = cached ] && rm TMP.outside
run ! dmesg | grep -iE '9p.*(error|fail|warn)|9pnet.*bogus'
send poweroff -f
expect reboot: Power down
end
