# SPDX-License-Identifier: GPL-2.0-or-later
# tests/bench/user: one program for a Linux guest (out/bench/guest, in out/bench/initrd) and natively (out/bench/native).
BENCH_SRCS := $(wildcard tests/bench/user/*.c)
BENCH_CFLAGS := -std=gnu11 -O2 -fno-tree-vectorize -fno-math-errno -Wall -Wextra -Werror
BENCH_CACHE := $(or $(VMM_CACHE),$(HOME)/.cache/vmm)

.PHONY: bench-user bench-devices
bench-user: out/bench/initrd out/bench/native
bench-devices: out/bench/initrd-virtio

out/bench/%/vector.o: BENCH_CFLAGS += -O3 -ftree-vectorize

out/bench/guest.o/%.o: tests/bench/user/%.c tests/bench/user/bench.h tests/bench/bench.mk
	@mkdir -p $(@D)
	$(call say,CROSS)
	$(Q)aarch64-linux-gnu-gcc $(BENCH_CFLAGS) -c -o $@ $<

# As vmm's translator: x86-64-v3.
out/bench/native.o/%.o: tests/bench/user/%.c tests/bench/user/bench.h tests/bench/bench.mk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)gcc $(BENCH_CFLAGS) -march=x86-64-v3 -c -o $@ $<

out/bench/guest: $(BENCH_SRCS:tests/bench/user/%.c=out/bench/guest.o/%.o)
	$(call say,CROSS)
	$(Q)aarch64-linux-gnu-gcc -static -o $@ $^

out/bench/native: $(BENCH_SRCS:tests/bench/user/%.c=out/bench/native.o/%.o)
	$(call say,LD)
	$(Q)gcc -static -o $@ $^

# An archive before that of the test guests: the kernel unpacks one after the other.
out/bench/initrd: $(BENCH_CACHE)/initramfs.cpio.gz
out/bench/initrd-virtio: $(BENCH_CACHE)/virtio-trixie.cpio.gz
out/bench/initrd out/bench/initrd-virtio: out/bench/guest tests/bench/init
	@mkdir -p out/bench/root
	$(call say,CPIO)
	$(Q)cp tests/bench/init out/bench/root/bench.init && cp out/bench/guest out/bench/root/bench
	$(Q)(cd out/bench/root && find * | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 && cat $(filter %.gz,$^)) > $@
