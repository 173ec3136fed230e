# SPDX-License-Identifier: GPL-2.0-or-later
# The newest EDK2 needs fw_cfg with DMA; and has its shell in a menu and not in the boot order.
firmware edk2-sid
options --firmware-vars TMP/vars
refuse Synchronous Exception|ASSERT
refuse nothing answers|nothing is there
timeout 120
---
expect UEFI firmware
expect Press any key to enter the Boot Manager Menu
keys x
expect ENTER to select boot device
keys \x1b[B
expect EFI Internal Shell
keys \r
expect Press .*ESC
keys x
expect Shell> 
send setvar kept -guid 11112222-3333-4444-5555-666677778888 -bs -rt -nv =C0FFEE
expect Shell> 
send reset -c
expect reset; starting again
expect Press any key to enter the Boot Manager Menu
keys x
expect ENTER to select boot device
keys \x1b[B
expect EFI Internal Shell
keys \r
expect Press .*ESC
keys x
expect Shell> 
send setvar kept -guid 11112222-3333-4444-5555-666677778888
expect ^C0 FF EE
expect Shell> 
send reset -s
again
expect Press any key to enter the Boot Manager Menu
keys x
expect ENTER to select boot device
keys \x1b[B
expect EFI Internal Shell
keys \r
expect Press .*ESC
keys x
expect Shell> 
send setvar kept -guid 11112222-3333-4444-5555-666677778888
expect ^C0 FF EE
expect Shell> 
send reset -s
end
