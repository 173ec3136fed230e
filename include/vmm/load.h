/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is put into guest memory before the first instruction.
 *
 *   RAM base: kernel (2 MiB aligned + text_offset) | 2 MiB slot of the device tree | initrd
 *
 * Every error is one line that says what the file is and what to do; the caller
 * ends with the usage status. Nothing here trusts a file: sizes are checked
 * before use, and unpacking stops at the end of guest RAM.
 */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include <vmm/types.h>

struct mem;

struct load {
	gpa_t entry;                    /* where the first vCPU starts */
	gpa_t kernel;                   /* what the kernel occupies when it runs, bss included */
	uint64_t kernel_bytes;
	gpa_t dtb;                      /* slot of DT_BYTES_MAX bytes, chosen by load_kernel */
	gpa_t initrd;
	uint64_t initrd_bytes;          /* 0: none */
	const char *kind;               /* "Image", "gzip Image", "EFI zboot (zstd)", "ELF": for the start line */
};

/* In this order. 0 or -errno with a message. */
int load_kernel(struct mem *m, const char *path, struct load *l);
int load_initrd(struct mem *m, const char *path, struct load *l);
/* Copies a device tree of @bytes (see vmm/fdt.h) into its slot. */
int load_dtb(struct mem *m, const void *blob, size_t bytes, const struct load *l);

/* The same without a guest: checks and names the file ("Image", ...). For fuzzing and tests. */
const char *load_name_bytes(const uint8_t *head, size_t len);

#endif
