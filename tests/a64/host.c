/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <capstone/capstone.h>
#include <stdio.h>

#include "host.h"

void print_host_code(const uint8_t *code, const uint8_t *end)
{
	cs_insn *insn;
	size_t n;
	csh cs;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return;
	n = cs_disasm(cs, code, (size_t)(end - code), (uintptr_t)code, 0, &insn);
	for (size_t k = 0; k < n; k++)
		printf("#     %lx %s %s\n", (unsigned long)insn[k].address, insn[k].mnemonic, insn[k].op_str);
	if (n)
		cs_free(insn, n);
	cs_close(&cs);
}
