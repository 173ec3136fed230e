# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel checks every crypto driver against its own vectors when the module is
# loaded: AES, PMULL, SHA and NEON code on our instructions. test_bpf does the same
# for the kernel's own code generator.
kernel bookworm trixie
cpus 2
mem 1G
initrd modules-KERNEL.cpio.gz
refuse Kernel panic
refuse self-test.*failed
refuse alg: .*(fail|error)
timeout 400
---
expect Linux \S+ on \d+ vCPU
expect ^/root # 
run stty -echo
run depmod
run for m in aes-arm64 aes-ce-cipher aes-ce-blk aes-ce-ccm aes-neon-blk aes-neon-bs ghash-ce sha1-ce sha2-ce sha256-arm64 sha512-arm64 sha512-ce sha3-ce chacha-neon poly1305-neon nhpoly1305-neon crct10dif-ce polyval-ce sm3-ce sm4-ce; do modprobe $m 2>/dev/null && echo loaded $m; done; grep -c ^name /proc/crypto
run test $(grep -c 'aes-ce\|ghash.*ce\|sha1-ce\|sha256-ce\|sha512-ce' /proc/crypto) -ge 5
run grep -q 'selftest.*: passed' /proc/crypto
run ! grep 'selftest.*: unknown' /proc/crypto
run modprobe test_bpf; dmesg | grep -q 'test_bpf: Summary.* 0 FAILED'
run ! dmesg | grep 'test_bpf: Summary' | grep -v ' 0 FAILED'
send poweroff -f
end
