/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Generated code as text. A file of its own: libcapstone's names of x86 registers are also arch/x86_64's. */
#ifndef A64_HOST_H
#define A64_HOST_H

#include <stdint.h>

/* Prints the instructions in [code, end), each line behind "#". */
void print_host_code(const uint8_t *code, const uint8_t *end);

#endif
