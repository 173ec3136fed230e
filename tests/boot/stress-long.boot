# SPDX-License-Identifier: GPL-2.0-or-later
# The loads of stress.boot for minutes: 9000 times /bin/true among them.
like stress
when long
kernel trixie-cloud bookworm-cloud
cmdline console=ttyAMA0 STRESS=30
timeout 900
---
