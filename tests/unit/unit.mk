# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/unit/<path>.c is a cmocka program that tests <path>.c. It is linked with
# every object of vmm but main's, and with the fakes: a test replaces nothing,
# it builds the pieces it wants.

# src/hv/kvm is in arm64 builds only, the translator in those for the host it writes code for.
UNIT_NOT := tests/unit/fake/* $(if $(filter arm64,$(ARCH)),tests/unit/arch/x86_64/*,tests/unit/src/hv/kvm/*)
UNIT_SRCS := $(shell find tests/unit -name '*.c' $(UNIT_NOT:%=-not -path '%') | LC_ALL=C sort)
UNIT_FAKES := $(wildcard tests/unit/fake/*.c)
UNIT_BINS := $(UNIT_SRCS:%.c=$(OUT)/%)
UNIT_LINK := $(filter-out $(OUT)/src/main.o,$(OBJS)) $(UNIT_FAKES:%.c=$(OUT)/%.o)

.PHONY: unit
unit: $(UNIT_BINS)

$(OUT)/tests/%.o: CFLAGS_ALL += -Itests/unit/fake -I.

$(UNIT_BINS): %: %.o $(UNIT_LINK)
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) -lcmocka

-include $(UNIT_BINS:=.d) $(UNIT_FAKES:%.c=$(OUT)/%.d)
