# SPDX-License-Identifier: GPL-2.0-or-later
# EDK2 boots the kernel that fw_cfg hands over, with initrd and command line; the kernel then uses its services.
firmware edk2-bookworm edk2-trixie edk2-sid
kernel bookworm-cloud trixie-cloud
cpus 2
refuse Synchronous Exception|ASSERT
refuse Kernel panic|\bOops\b|Call trace:|WARNING: CPU
timeout 120
---
expect UEFI firmware
expect EFI stub: Booting Linux Kernel
expect Linux \S+ on 2 vCPU
expect ^/root # 
run stty -echo
run grep -q console=ttyAMA0 /proc/cmdline
run dmesg | grep -q 'efi: EFI v2'
run dmesg | grep -q 'Registered efivars operations'
run grep -q rtc-efi /sys/class/rtc/rtc0/name
run test $(date +%Y) -ge 2026
send poweroff -f
expect reboot: Power down
end
