/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image door: the user's --kernel and --initrd, in any format there is or
 * none. An accepted one must be wholly in guest memory, nothing over something else.
 */
#include <vmm/fdt.h>
#include <vmm/load.h>
#include <vmm/mem.h>

#include "fuzz.h"

#define RAM_BASE  GIB
#define RAM_BYTES (16 * MIB)

static uint8_t dtb[4096];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	memset(dtb, 0xd7, sizeof(dtb));
	fuzz_quiet();
	return 0;
}

static bool apart(gpa_t a, uint64_t a_bytes, gpa_t b, uint64_t b_bytes)
{
	return a.v + a_bytes <= b.v || b.v + b_bytes <= a.v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mem *m = mem_new();
	struct fuzz_file f = fuzz_file(data, size);
	struct load l;

	EXPECT(m && !mem_add_ram(m, "ram", gpa(RAM_BASE), RAM_BYTES));
	EXPECT(load_name_bytes(data, size));
	if (!load_kernel(m, f.path, &l)) {
		EXPECT(l.kind && mem_ptr(m, l.kernel, l.kernel_bytes) && mem_ptr(m, l.entry, 4));
		EXPECT(mem_ptr(m, l.dtb, DT_BYTES_MAX) && apart(l.kernel, l.kernel_bytes, l.dtb, DT_BYTES_MAX));
		EXPECT(!l.initrd_bytes);
		if (!load_initrd(m, f.path, &l)) {
			EXPECT(l.initrd_bytes == size && !memcmp(mem_ptr(m, l.initrd, size), data, size));
			EXPECT(apart(l.initrd, size, l.dtb, DT_BYTES_MAX) &&
			       apart(l.initrd, size, l.kernel, l.kernel_bytes));
		}
		EXPECT(!load_dtb(m, dtb, sizeof(dtb), &l));
		EXPECT(!l.initrd_bytes || !memcmp(mem_ptr(m, l.initrd, size), data, size));
	}
	close(f.fd);
	mem_free(m);
	return 0;
}
