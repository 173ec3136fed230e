# SPDX-License-Identifier: GPL-2.0-or-later
# A disk as an installed Debian has it (tests/setup debian): firmware finds GRUB on it, GRUB the kernel, the kernel its
# root; to the login prompt and a clean power-off.
firmware edk2-bookworm edk2-trixie edk2-sid u-boot-bookworm u-boot-trixie u-boot-sid
cpus 2
mem 1G
disk debian-efi.img
options --disk DISK --firmware-vars TMP/vars
refuse Synchronous Exception|Synchronous Abort|ASSERT
refuse Kernel panic|\bOops\b|Call trace:|WARNING: CPU
refuse I/O error|EXT4-fs (error|warning)
timeout 240
---
expect GNU GRUB
expect EFI stub: Booting Linux Kernel
expect debian login: 
send root
expect Password: 
send vmm
expect root@debian:
run stty -echo
run bind 'set enable-bracketed-paste off'
run systemctl is-system-running --wait
run test -d /sys/firmware/efi && grep -q 'BOOT_IMAGE=.*vmlinuz root=LABEL=debian' /proc/cmdline
run findmnt -no SOURCE,FSTYPE / | grep -q '^/dev/vda2 *ext4'
send systemctl poweroff
expect reboot: Power down
end
host e2fsck -fn 'DISK?offset=106954752'
