# SPDX-License-Identifier: GPL-2.0-or-later
# tests/a64: exec_ functions against qemu-aarch64 (a64), the decoder against libcapstone (decode),
# translated code against exec_ functions (jitdiff).
A64_CPU := $(filter $(addprefix arch/arm64/cpu/,decode.c exec-%.c operands-%.c softfp%.c fp%.c),$(SRCS))
A64_OBJS := $(A64_CPU:%.c=$(OUT)/%.o)
A64_OUT := $(OUT)/tests/a64

.PHONY: a64
a64: $(A64_OUT)/a64 $(A64_OUT)/guest $(A64_OUT)/decode $(if $(filter x86_64,$(ARCH)),$(A64_OUT)/jitdiff)

$(A64_OUT)/a64: $(A64_OUT)/a64.o $(A64_OUT)/draw.o $(A64_OUT)/fake.o $(A64_OBJS)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcapstone -lm

$(A64_OUT)/decode: $(A64_OUT)/capstone.o $(A64_OUT)/fake.o $(A64_OBJS)
	$(CC) $(LDFLAGS_ALL) -o $@ $^ -lcapstone -lm

$(A64_OUT)/jitdiff: $(A64_OUT)/jitdiff.o $(A64_OUT)/draw.o $(filter-out $(OUT)/src/main.o,$(OBJS))
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(A64_OUT)/%.o: tests/a64/%.c tests/a64/case.h tests/a64/draw.h tests/a64/fake.h | $(TABLES)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Linked far from where branches and bases of the cases point.
$(A64_OUT)/guest: tests/a64/guest.c tests/a64/case.h
	@mkdir -p $(@D)
	aarch64-linux-gnu-gcc -std=gnu11 -O2 -Wall -Wextra -Werror -static -nostdlib -ffreestanding -fno-stack-protector \
		-fno-pie -no-pie -fno-tree-loop-distribute-patterns -Wl,-Ttext-segment=0x220000000000 -Wl,--build-id=none -o $@ $<

-include $(A64_OUT)/a64.d $(A64_OUT)/draw.d $(A64_OUT)/fake.d $(A64_OUT)/capstone.d $(A64_OUT)/jitdiff.d
