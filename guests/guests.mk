# SPDX-License-Identifier: GPL-2.0-or-later
# guests/NAME.c or NAME.S -> out/guests/NAME.elf; the same binary for every backend and mode.

GUEST_CC := aarch64-linux-gnu-gcc
GUEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -fno-pic -mno-outline-atomics -mstrict-align -mgeneral-regs-only \
	-fno-stack-protector -fno-builtin -Wall -Wextra -Werror -march=armv8.5-a+crypto -Iinclude -Iguests
GUEST_LIB := $(patsubst guests/lib/%,out/guests/lib/%.o,$(wildcard guests/lib/*.c guests/lib/*.S))
GUESTS := $(patsubst guests/%,out/guests/%.elf,$(basename $(wildcard guests/*.c guests/*.S)))

.PHONY: guests
guests: $(GUESTS)

out/guests/%.o: guests/%
	@mkdir -p $(@D)
	$(call say,GUEST)
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

out/guests/%.elf: out/guests/%.c.o $(GUEST_LIB) guests/lib/guest.ld
	$(call say,GUEST)
	$(Q)$(GUEST_CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -T guests/lib/guest.ld -o $@ $< $(GUEST_LIB)

out/guests/%.elf: out/guests/%.S.o $(GUEST_LIB) guests/lib/guest.ld
	$(call say,GUEST)
	$(Q)$(GUEST_CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -T guests/lib/guest.ld -o $@ $< $(GUEST_LIB)

# The guests of tests/bench are made the same way.
out/guests/bench-%.elf: out/guests/bench/%.c.o $(GUEST_LIB) guests/lib/guest.ld
	$(call say,GUEST)
	$(Q)$(GUEST_CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,max-page-size=4096 -T guests/lib/guest.ld -o $@ $< $(GUEST_LIB)

# A kernel Image, headers and all, for programs that boot nothing else.
out/guests/bench-%.image: out/guests/bench/%.S.o
	$(call say,GUEST)
	$(Q)$(GUEST_CC) -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-Ttext=0 -o $@.elf $<
	$(Q)aarch64-linux-gnu-objcopy -O binary $@.elf $@

# Of the host that tests/kvm emulates.
out/kvm/launch: tests/bench/launch.c
	@mkdir -p $(@D)
	$(call say,CROSS)
	$(Q)$(GUEST_CC) -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -static -o $@ $<

out/guests/bench/%.o: tests/bench/%
	@mkdir -p $(@D)
	$(call say,GUEST)
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) -c -o $@ $<

# Kept, though made on the way to something else.
.PRECIOUS: out/guests/%.o out/guests/bench/%.o
-include $(wildcard out/guests/*.d out/guests/lib/*.d)
