# SPDX-License-Identifier: GPL-2.0-or-later
#
# tests/fuzz/NAME.c is a libFuzzer target (clang), linked with every object of
# vmm but main's: make MODE=fuzz fuzz; then tests/fuzz/run NAME SECONDS.

FUZZ_BINS := $(patsubst %.c,$(OUT)/%,$(wildcard tests/fuzz/*.c))

.PHONY: fuzz
ifeq ($(MODE),fuzz)
fuzz: $(FUZZ_BINS)
else
fuzz:
	$(Q)$(MAKE) MODE=fuzz fuzz
endif

$(FUZZ_BINS): %: %.o $(filter-out $(OUT)/src/main.o,$(OBJS))
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(LIBS)

-include $(FUZZ_BINS:=.d)
