# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's U-Boot for QEMU's virt machine: its prompt, memory, flash, reset and power-off; and its environment, which
# it keeps in flash bank 1, is there after a reset and in the next run.
firmware u-boot-bookworm u-boot-trixie u-boot-sid
options --firmware-vars TMP/vars
refuse Synchronous Abort|SError
refuse nothing answers|nothing is there
refuse Unknown flash
timeout 90
---
# A command that prints looks for Ctrl-C and eats what is typed: so the prompt comes first.
expect ^U-Boot 20
expect DRAM: +512 MiB
expect Flash: +64 MiB
expect bad CRC, using default environment
expect Hit any key to stop autoboot
send
expect ^=> 
send version
expect ^U-Boot 20
expect ^=> 
send md.l 0 1
expect ^00000000: 1400000a
expect ^=> 
# The firmware's own bank is locked, and stays as it is when somebody does not mind.
send erase 1:101
expect 1 protected sectors will not be erased
expect ^=> 
send protect off 1:0; erase 1:0
expect ^Erase Flash Sectors 0-0 in Bank # 1
expect ^=> 
send md.l 0 1
expect ^00000000: 1400000a
expect ^=> 
send mw.l 0 12345678 1; md.l 0 1
expect ^00000000: 1400000a
expect ^=> 
send mw.l 40400000 12345678 1; md.l 40400000 1
expect ^40400000: 12345678
expect ^=> 
send setenv kept for ever; saveenv
expect Writing to Flash... done
expect ^OK
expect ^=> 
send reset
expect reset; starting again
expect Loading Environment from Flash... OK
expect Hit any key to stop autoboot
send
expect ^=> 
send printenv kept
expect ^kept=for ever
expect ^=> 
send poweroff
again
expect Loading Environment from Flash... OK
expect Hit any key to stop autoboot
send
expect ^=> 
send printenv kept
expect ^kept=for ever
expect ^=> 
send poweroff
end
