/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What kernels come in.
 * Linux, Documentation/arch/arm64/booting.rst: the Image's header.
 * Linux, drivers/firmware/efi/libstub/zboot-header.S: EFI zboot.
 * System V ABI and ELF for the Arm 64-bit Architecture.
 * Microsoft PE/COFF specification: as much as tells whether a file is whole.
 * All fields little-endian.
 */
#ifndef SPEC_IMAGE_H
#define SPEC_IMAGE_H

#define IMAGE_MAGIC             "ARM\x64"
#define IMAGE_MAGIC_OFFSET      56
#define IMAGE_FLAG_BIG_ENDIAN   1
#define IMAGE_ALIGN             0x200000
#define IMAGE_OLD_TEXT_OFFSET   0x80000         /* when image_size is 0 (before 3.17) */
#define ZBOOT_MAGIC             "zimg"
#define ZBOOT_MAGIC_OFFSET      4

#ifndef __ASSEMBLER__

#include <stdint.h>

struct image_header {
	uint32_t code0, code1;
	uint64_t text_offset;           /* from a 2 MiB boundary */
	uint64_t image_size;            /* in memory, bss included */
	uint64_t flags;
	uint64_t reserved[3];
	uint8_t magic[4];
	uint32_t pe_offset;             /* of "PE\0\0", when code0 begins with "MZ" */
};
_Static_assert(sizeof(struct image_header) == 64, "booting.rst: the header is 64 bytes");

struct zboot_header {
	uint8_t mz[4];
	uint8_t magic[4];
	uint32_t payload_offset, payload_size;
	uint32_t reserved[2];
	char compression[32];           /* gzip, lz4, lzma, lzo, xzkern, zstd22, zstd; zero-terminated */
};
_Static_assert(sizeof(struct zboot_header) == 56, "zboot-header.S");

/* What follows "PE\0\0". */
struct pe_coff_header {
	uint16_t machine, section_count;
	uint32_t time, symbols, symbol_count;
	uint16_t optional_bytes, characteristics;
};

struct pe_section {
	char name[8];
	uint32_t virtual_bytes, virtual_address;
	uint32_t raw_bytes, raw_offset;
	uint32_t unused[3];
	uint32_t characteristics;
};
_Static_assert(sizeof(struct pe_section) == 40, "PE/COFF, section table");

#endif /* __ASSEMBLER__ */

#endif
