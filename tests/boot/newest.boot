# SPDX-License-Identifier: GPL-2.0-or-later
# As shell.boot, with 16 KiB pages and with the newest kernel there is. Not with 128 MiB: both set 64 MiB
# aside for CMA, which depends on where the boot loader left room; the rest is too little, or there is a warning.
like shell
kernel trixie-16k sid-cloud
mem 512M 2G 8G
---
