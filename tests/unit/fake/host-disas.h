/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions of the host as text, by libcapstone. Apart from whom asks: its names of x86
 * registers are also arch/x86_64's.
 */
#ifndef FAKE_HOST_DISAS_H
#define FAKE_HOST_DISAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is the library there? */
bool host_insn_available(void);

/*
 * The one instruction at @code, which must be all of @bytes:
 *
 *   mov r9, 8[rbp+rcx*4-0x10]       memory with the bytes accessed
 *   add eax, 0xffffffff             constants as wide as the operand
 *
 * or "" when it is none.
 */
void host_insn(const uint8_t *code, size_t bytes, char *text, size_t room);

#endif
