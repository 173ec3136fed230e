# SPDX-License-Identifier: GPL-2.0-or-later
#
# make                 out/release/vmm
# make MODE=asan       the same under out/asan (also: debug, ubsan, tsan, fuzz)
# make ARCH=arm64      cross build in out/arm64-release (see tests/setup)
# make check           lint, unit tests, guests, boots; the same with MODE=
# make bench           side by side with qemu-system-aarch64; never part of check
#
# Wildcards per folder: adding a file is adding it to the build. Objects are
# linked as objects, never as an archive (include/vmm/registry.h says why).

MODE ?= release
MODES := release debug asan ubsan tsan fuzz
ifeq ($(filter $(MODE),$(MODES)),)
$(error MODE=$(MODE): there are $(MODES))
endif
HOST_ARCH := $(shell uname -m | sed 's/aarch64/arm64/')
ARCH ?= $(HOST_ARCH)

ifeq ($(ARCH),$(HOST_ARCH))
OUT := out/$(MODE)
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
else
OUT := out/$(ARCH)-$(MODE)
CROSS := aarch64-linux-gnu-
CC := $(CROSS)gcc
# Where tests/setup sysroot puts it.
SYSROOT := $(or $(VMM_CACHE),$(HOME)/.cache/vmm)/sysroot-$(ARCH)
CFLAGS_ARCH := -isystem $(SYSROOT)/usr/include -isystem $(SYSROOT)/usr/include/aarch64-linux-gnu
LDFLAGS_ARCH := -L$(SYSROOT)/usr/lib/aarch64-linux-gnu -Wl,-rpath-link,$(SYSROOT)/usr/lib/aarch64-linux-gnu
endif

CFLAGS_release := -O2
CFLAGS_debug := -O0
CFLAGS_asan := -O1 -fsanitize=address -fno-omit-frame-pointer
CFLAGS_ubsan := -O1 -fsanitize=undefined -fno-sanitize-recover=undefined
CFLAGS_tsan := -O1 -fsanitize=thread -Wno-tsan
ifeq ($(MODE),fuzz)
CC := clang
endif
CFLAGS_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE -g $(WARN) $(CFLAGS_$(MODE)) $(CFLAGS_ARCH) -Iinclude -I$(OUT)/gen -pthread $(CFLAGS)
LDFLAGS_ALL := $(CFLAGS_$(MODE)) $(LDFLAGS_ARCH) -pthread $(LDFLAGS)
# libcapstone is loaded when it is needed: arch/arm64/cpu/disas.c.
LIBS := -lfdt -luring -lz -lzstd -llz4 -llzma -ljson-c -lm

BACKENDS := $(patsubst %/,%,$(wildcard src/hv/*/))
FOLDERS := src src/cmd src/hv $(BACKENDS) arch/arm64 arch/arm64/gic arch/arm64/cpu devices devices/char devices/virtio devices/disk devices/net
ifeq ($(ARCH),x86_64)
FOLDERS += arch/x86_64
endif

# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@echo "  $(1)	$@")

HOST_TOOLS := arch/arm64/cpu/gendec.c
# KVM is for arm64 hosts; the others have one file that says so.
ELSEWHERE := src/hv/kvm/elsewhere.c
NOT_HERE := $(if $(filter arm64,$(ARCH)),$(ELSEWHERE),$(filter-out $(ELSEWHERE),$(wildcard src/hv/kvm/*.c)))
SRCS := $(filter-out $(HOST_TOOLS) $(NOT_HERE),$(wildcard $(addsuffix /*.c,$(FOLDERS))))
OBJS := $(SRCS:%.c=$(OUT)/%.o)
TABLES := $(OUT)/gen/a64-tables.h

.PHONY: all check bench clean lint
.DELETE_ON_ERROR:
all: $(OUT)/vmm

# What the last build was made with: other flags, another compiler or another
# list of files make again what depends on them.
FLAGS := $(strip $(CC) $(CFLAGS_ALL))
LINK := $(strip $(CC) $(LDFLAGS_ALL) $(OBJS) $(LIBS))
ifneq ($(strip $(file <$(OUT)/flags)),$(FLAGS))
.PHONY: $(OUT)/flags
endif
ifneq ($(strip $(file <$(OUT)/link)),$(LINK))
.PHONY: $(OUT)/link
endif
$(OUT)/flags:
	@mkdir -p $(@D)
	@echo '$(FLAGS)' > $@
$(OUT)/link:
	@mkdir -p $(@D)
	@echo '$(LINK)' > $@

$(OUT)/vmm: $(OBJS) $(OUT)/link
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(OBJS) $(LIBS)

$(OUT)/%.o: %.c $(OUT)/flags | $(TABLES)
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# Tools that run on the build machine while building.
out/host/gendec: arch/arm64/cpu/gendec.c arch/arm64/cpu/a64.def
	@mkdir -p $(@D)
	$(call say,HOSTCC)
	$(Q)gcc -std=c11 -O1 -Wall -Wextra -o $@ $<

$(TABLES): out/host/gendec
	@mkdir -p $(@D)
	$(call say,GEN)
	$(Q)out/host/gendec > $@.new && mv $@.new $@
$(OUT)/arch/arm64/cpu/decode.o: $(TABLES)

-include guests/guests.mk tests/tests.mk
-include $(OBJS:.o=.d)

clean:
	rm -rf out
