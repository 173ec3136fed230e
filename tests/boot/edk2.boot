# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's EDK2 for QEMU's virt machine: its shell; a variable is there after a reset and in the next run.
firmware edk2-bookworm edk2-trixie
options --firmware-vars TMP/vars
refuse Synchronous Exception|ASSERT
refuse nothing answers|nothing is there
timeout 120
---
expect UEFI firmware
expect Press .*ESC
keys x
expect Shell> 
send ver
expect UEFI v2.70
expect Shell> 
send setvar kept -guid 11112222-3333-4444-5555-666677778888 -bs -rt -nv =C0FFEE
expect Shell> 
send reset -c
expect reset; starting again
expect Press .*ESC
keys x
expect Shell> 
send setvar kept -guid 11112222-3333-4444-5555-666677778888
expect ^C0 FF EE
expect Shell> 
send reset -s
again
expect Press .*ESC
keys x
expect Shell> 
send setvar kept -guid 11112222-3333-4444-5555-666677778888
expect ^C0 FF EE
expect Shell> 
send memmap
expect Total Memory: +512 MB
expect Shell> 
send reset -s
end
