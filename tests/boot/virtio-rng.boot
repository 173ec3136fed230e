# SPDX-License-Identifier: GPL-2.0-or-later
# The smallest virtio device and Linux's driver: packed rings, the driver going and coming again, the device being
# taken from it and given back, reading by all CPUs at a time.
kernel bookworm-cloud trixie-cloud sid-cloud
cpus 2
initrd virtio-KERNEL.cpio.gz
options --device virtio-rng --device virtio-rng,slot=31
refuse Kernel panic
refuse \bOops\b
refuse Call trace:
refuse WARNING: CPU
timeout 120
---
expect ^/root # 
run stty -echo
run cat /sys/class/misc/hw_random/rng_available | grep -q 'virtio_rng.0.*virtio_rng.1'
# VERSION_1, RING_PACKED, EVENT_IDX, INDIRECT_DESC
run cut -c 29-35 /sys/bus/virtio/devices/virtio0/features | grep -qx 1100101
run dd if=/dev/hwrng bs=4096 count=50 of=/tmp/a && dd if=/dev/hwrng bs=4096 count=50 of=/tmp/b
run test $(stat -c %s /tmp/a) = 204800 && ! cmp -s /tmp/a /tmp/b
run test $(gzip -c /tmp/a | wc -c) -gt 204800
run for n in 1 2 3 4 5; do rmmod virtio_rng && modprobe virtio_rng && dd if=/dev/hwrng bs=64 count=20 of=/dev/null || { n=lost; break; }; done; test $n = 5
run cd /sys/bus/virtio/drivers/virtio_rng && for n in 1 2 3 4 5; do echo virtio1 > unbind; echo virtio1 > bind; done; cd; test -e /sys/bus/virtio/devices/virtio1/driver
run for d in virtio_rng.0 virtio_rng.1; do echo $d > /sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng bs=4096 count=20 of=/tmp/c & dd if=/dev/hwrng bs=4096 count=20 of=/tmp/d; wait; cmp -s /tmp/c /tmp/d && break; done; ! cmp -s /tmp/c /tmp/d
run grep virtio /proc/interrupts
send poweroff -f
expect reboot: Power down
end
