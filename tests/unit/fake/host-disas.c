/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loaded when it is asked for, as in arch/arm64/cpu/disas.c. */
#include <capstone/capstone.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <string.h>
#include <vmm/text.h>

#include "host-disas.h"

#define STRING_OF(x)   #x
#define LIBRARY(major) "libcapstone.so." STRING_OF(major)

static struct {
	__typeof__(cs_open) *open;
	__typeof__(cs_option) *option;
	__typeof__(cs_disasm) *disasm;
	__typeof__(cs_free) *free;
	__typeof__(cs_reg_name) *reg_name;
	csh handle;
} lib;

static bool find(void *library, const char *name, void *function)
{
	void *found = library ? dlsym(library, name) : NULL;

	memcpy(function, &found, sizeof(found));
	return found;
}

bool host_insn_available(void)
{
	void *library;

	if (lib.handle)
		return true;
	library = dlopen(LIBRARY(CS_API_MAJOR), RTLD_LAZY | RTLD_LOCAL);
	return find(library, "cs_option", &lib.option) && find(library, "cs_disasm", &lib.disasm) &&
	       find(library, "cs_free", &lib.free) && find(library, "cs_reg_name", &lib.reg_name) &&
	       find(library, "cs_open", &lib.open) && lib.open(CS_ARCH_X86, CS_MODE_64, &lib.handle) == CS_ERR_OK &&
	       lib.option(lib.handle, CS_OPT_DETAIL, CS_OPT_ON) == CS_ERR_OK;
}

static void add_memory(char *text, size_t room, const cs_x86_op *op)
{
	const x86_op_mem *m = &op->mem;

	text_add(text, room, "%u[%s", op->size, lib.reg_name(lib.handle, m->base));
	if (m->index)
		text_add(text, room, "+%s*%d", lib.reg_name(lib.handle, m->index), m->scale);
	if (m->disp)
		text_add(text, room, "%s0x%" PRIx64, m->disp < 0 ? "-" : "+",
			 (uint64_t)(m->disp < 0 ? -m->disp : m->disp));
	text_add(text, room, "]");
}

static void add_operand(char *text, size_t room, const cs_x86_op *op)
{
	uint64_t mask = op->size < 8 ? (UINT64_C(1) << 8 * op->size) - 1 : UINT64_MAX;

	if (op->type == X86_OP_REG)
		text_add(text, room, "%s", lib.reg_name(lib.handle, op->reg));
	else if (op->type == X86_OP_IMM)
		text_add(text, room, "0x%" PRIx64, (uint64_t)op->imm & mask);
	else
		add_memory(text, room, op);
}

void host_insn(const uint8_t *code, size_t bytes, char *text, size_t room)
{
	cs_insn *insn;
	size_t n;

	text[0] = '\0';
	n = lib.disasm(lib.handle, code, bytes, (uintptr_t)code, 1, &insn);
	if (!n)
		return;
	if (insn->size == bytes) {
		text_add(text, room, "%s", insn->mnemonic);
		for (unsigned k = 0; k < insn->detail->x86.op_count; k++) {
			text_add(text, room, k ? ", " : " ");
			add_operand(text, room, &insn->detail->x86.operands[k]);
		}
	}
	lib.free(insn, n);
}
