/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions as an assembler writes them, the guest's and the host's: libcapstone, and for
 * what it does not know the row of a64.def, or bytes.
 *
 * The library is loaded by the first who asks. Most runs never do, and its tables of every
 * architecture are 3 MiB that the dynamic linker would have to write at each start.
 */
#include <capstone/capstone.h>
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <vmm/text.h>

#include "cpu.h"

#define STRING_OF(x)   #x
#define LIBRARY(major) "libcapstone.so." STRING_OF(major)

static struct {
	__typeof__(cs_open) *open;
	__typeof__(cs_close) *close;
	__typeof__(cs_disasm) *disasm;
	__typeof__(cs_free) *free;
} lib;

static bool find(void *handle, const char *name, void *function)
{
	void *found = handle ? dlsym(handle, name) : NULL;

	memcpy(function, &found, sizeof(found));
	return found;
}

static void load_lib(void)
{
	void *handle = dlopen(LIBRARY(CS_API_MAJOR), RTLD_LAZY | RTLD_LOCAL);

	if (!find(handle, "cs_close", &lib.close) || !find(handle, "cs_disasm", &lib.disasm) ||
	    !find(handle, "cs_free", &lib.free) || !find(handle, "cs_open", &lib.open))
		lib.open = NULL;
}

static csh open_lib(cs_arch arch, cs_mode mode)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	csh cs;

	pthread_once(&once, load_lib);
	return lib.open && lib.open(arch, mode, &cs) == CS_ERR_OK ? cs : 0;
}

/* One instruction, of how many bytes; 0: it is unknown, or the library is not there. */
static size_t add_insn(cs_arch arch, cs_mode mode, const uint8_t *code, size_t left, uint64_t address, char *text,
		       size_t bytes)
{
	csh cs = open_lib(arch, mode);
	size_t size = 0;
	cs_insn *insn;

	if (!cs)
		return 0;
	if (lib.disasm(cs, code, left, address, 1, &insn)) {
		text_add(text, bytes, "%s%s%s", insn->mnemonic, insn->op_str[0] ? " " : "", insn->op_str);
		size = insn->size;
		lib.free(insn, 1);
	}
	lib.close(&cs);
	return size;
}

void cpu_disas(uint32_t word, gva_t pc, char *text, size_t bytes)
{
	const struct a64_row *row = a64_find(word);

	if (!add_insn(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, (const uint8_t *)&word, sizeof(word), pc.v, text, bytes))
		text_add(text, bytes, ".inst 0x%08x%s%s%s", word, row ? " (" : "", row ? row->name : "",
			 row ? ")" : "");
	text_add(text, bytes, " at 0x%llx", (unsigned long long)pc.v);
}

size_t disas_host(const uint8_t *code, const uint8_t *end, uint64_t address, char *text, size_t bytes)
{
	size_t size = add_insn(CS_ARCH_X86, CS_MODE_64, code, (size_t)(end - code), address, text, bytes);

	if (size)
		return size;
	text_add(text, bytes, ".byte 0x%02x", *code);
	return 1;
}
