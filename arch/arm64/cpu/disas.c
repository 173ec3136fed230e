/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions as an assembler writes them: libcapstone, and for what it does not know the row of a64.def. */
#include <capstone/capstone.h>
#include <vmm/text.h>

#include "cpu.h"

void cpu_disas(uint32_t word, gva_t pc, char *text, size_t bytes)
{
	const struct a64_row *row = a64_find(word);
	cs_insn *insn;
	size_t n = 0;
	csh cs;

	if (cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &cs) == CS_ERR_OK) {
		n = cs_disasm(cs, (const uint8_t *)&word, sizeof(word), pc.v, 1, &insn);
		if (n) {
			text_add(text, bytes, "%s%s%s", insn->mnemonic, insn->op_str[0] ? " " : "", insn->op_str);
			cs_free(insn, n);
		}
		cs_close(&cs);
	}
	if (!n)
		text_add(text, bytes, ".inst 0x%08x%s%s%s", word, row ? " (" : "", row ? row->name : "",
			 row ? ")" : "");
	text_add(text, bytes, " at 0x%llx", (unsigned long long)pc.v);
}
