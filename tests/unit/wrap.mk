# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that watch a device's doors out of the machine: tests/unit/fake/vm.c has the other end.
$(OUT)/tests/unit/devices/% $(OUT)/tests/unit/src/console $(OUT)/tests/unit/src/device: \
	LDFLAGS_ALL += -Wl,--wrap=irq_set -Wl,--wrap=irq_eventfd -Wl,--wrap=bus_notify_fd -Wl,--wrap=bus_read_from \
	-Wl,--wrap=vm_guest_panicked -Wl,--wrap=vm_quit -Wl,--wrap=vm_power_button -Wl,--wrap=vm_info

# The test plays a peer that makes room between two calls.
$(OUT)/tests/unit/devices/net/socket: LDFLAGS_ALL += -Wl,--wrap=send

# The test plays emitters that err.
$(OUT)/tests/unit/arch/x86_64/check: LDFLAGS_ALL += -Wl,--wrap=emit_add_imm -Wl,--wrap=emit_ldst_imm

# The test plays the kernel.
$(OUT)/tests/unit/src/hv/kvm/%: LDFLAGS_ALL += -Wl,--wrap=ioctl -Wl,--wrap=open -Wl,--wrap=mmap

# The test sets the host's clock.
$(OUT)/tests/unit/devices/pl031: LDFLAGS_ALL += -Wl,--wrap=clock_gettime

# The test has a disk that takes its time.
$(OUT)/tests/unit/devices/virtio/9p-workers: LDFLAGS_ALL += -Wl,--wrap=fsync -Wl,--wrap=pwritev

# The tests play a host that refuses.
$(OUT)/tests/unit/devices/virtio/balloon: LDFLAGS_ALL += -Wl,--wrap=mem_discard
$(OUT)/tests/unit/devices/virtio/pmem: LDFLAGS_ALL += -Wl,--wrap=fdatasync

# The test plays a guest that gives its buffers again while the device is at work, and a host without descriptors.
$(OUT)/tests/unit/devices/virtio/vsock: LDFLAGS_ALL += -Wl,--wrap=virtq_push -Wl,--wrap=accept4
