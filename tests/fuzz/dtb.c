/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device tree door: the user's --dtb, into which /chosen is written. */
#include <libfdt.h>
#include <vmm/fdt.h>

#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_quiet();
	return 0;
}

static void check(const void *blob, size_t bytes, const struct fdt_config *cfg)
{
	int chosen, len;
	const char *args;

	EXPECT(bytes <= DT_BYTES_MAX && !fdt_check_full(blob, bytes));
	chosen = fdt_path_offset(blob, "/chosen");
	EXPECT(chosen >= 0);
	args = fdt_getprop(blob, chosen, "bootargs", &len);
	EXPECT(!cfg->cmdline || (args && (size_t)len == strlen(cfg->cmdline) + 1 && !strcmp(args, cfg->cmdline)));
	EXPECT(!cfg->initrd_bytes || fdt_getprop(blob, chosen, "linux,initrd-end", &len));
}

static void one(const char *path, const struct fdt_config *cfg)
{
	size_t bytes;
	void *blob;

	if (fdt_read(path, cfg, &blob, &bytes)) {
		EXPECT(!blob);
		return;
	}
	check(blob, bytes, cfg);
	free(blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fdt_config some = { .cmdline = "console=ttyAMA0", .initrd = gpa(GIB), .initrd_bytes = 5 };
	const struct fdt_config none = { 0 };
	struct fuzz_file f = fuzz_file(data, size);

	one(f.path, &some);
	one(f.path, &none);
	close(f.fd);
	return 0;
}
