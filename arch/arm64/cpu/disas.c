/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions as an assembler writes them: libcapstone, and for what it does not know the
 * row of a64.def.
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

void cpu_disas(uint32_t word, gva_t pc, char *text, size_t bytes)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const struct a64_row *row = a64_find(word);
	cs_insn *insn;
	size_t n = 0;
	csh cs;

	pthread_once(&once, load_lib);
	if (lib.open && lib.open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &cs) == CS_ERR_OK) {
		n = lib.disasm(cs, (const uint8_t *)&word, sizeof(word), pc.v, 1, &insn);
		if (n) {
			text_add(text, bytes, "%s%s%s", insn->mnemonic, insn->op_str[0] ? " " : "", insn->op_str);
			lib.free(insn, n);
		}
		lib.close(&cs);
	}
	if (!n)
		text_add(text, bytes, ".inst 0x%08x%s%s%s", word, row ? " (" : "", row ? row->name : "",
			 row ? ")" : "");
	text_add(text, bytes, " at 0x%llx", (unsigned long long)pc.v);
}
