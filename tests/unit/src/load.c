/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Good kernels in every wrapping land where they should, byte for byte; every
 * bad file is refused with a line that says what it is. The wrappings are made by
 * the formats' own tools, so that our idea of them is not tested against itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <spec/image.h>
#include <vmm/err.h>
#include <vmm/fdt.h>
#include <vmm/load.h>
#include <vmm/mem.h>
#include "vm.h"

#define RAM          UINT64_C(0x40000000)
#define RECORDS      UINT64_C(0x90a0000)
#define KERNEL_BYTES (9 * MIB + 12345) /* more than one block of lz4 -l */
#define BSS          (3 * MIB)

static char dir[] = "/tmp/vmm-load-XXXXXX";
static uint8_t *kernel;

static const char *path_of(const char *name)
{
	static char path[8][128];
	static unsigned i;

	i = (i + 1) % 8;
	snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
	return path[i];
}

static const char *put(const char *name, const void *bytes, size_t len)
{
	const char *path = path_of(name);
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
	return path;
}

static uint8_t *get(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = malloc(64 * MIB);

	assert_true(f && p);
	*len = fread(p, 1, 64 * MIB, f);
	fclose(f);
	return p;
}

/* Runs a tool in the directory; without the tool the test cannot say anything. */
static void tool(const char *fmt, ...)
{
	char command[600], line[700];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	snprintf(line, sizeof(line), "cd %s && { %s; } >/dev/null 2>&1", dir, command);
	if (system(line))
		fail_msg("%s", command);
}

static bool have(const char *program)
{
	char line[100];

	snprintf(line, sizeof(line), "command -v %s >/dev/null", program);
	return !system(line);
}

static void header(uint8_t *p, uint64_t text_offset, uint64_t image_size, uint64_t flags)
{
	const struct image_header h = { .code0 = 0x14000010,
					.text_offset = text_offset,
					.image_size = image_size,
					.flags = flags,
					.magic = { 'A', 'R', 'M', 0x64 } };

	memcpy(p, &h, sizeof(h));
}

static int group_setup(void **state)
{
	uint32_t seed = 1;

	(void)state;
	kernel = malloc(KERNEL_BYTES);
	if (!kernel || !mkdtemp(dir))
		return -1;
	/* Half noise, half order: packs, but not to nothing. */
	for (size_t i = 0; i < KERNEL_BYTES; i++) {
		seed = seed * 1664525 + 1013904223;
		kernel[i] = i & 0x1000 ? (uint8_t)(seed >> 24) : (uint8_t)(i >> 6);
	}
	header(kernel, 0, KERNEL_BYTES + BSS, 0xa);
	put("Image", kernel, KERNEL_BYTES);
	return 0;
}

static int group_teardown(void **state)
{
	char line[64];

	(void)state;
	free(kernel);
	snprintf(line, sizeof(line), "rm -rf %s", dir);
	return system(line);
}

static struct mem *ram(uint64_t bytes)
{
	struct mem *m = mem_new();

	assert_int_equal(mem_add_ram(m, "ram", gpa(RAM), bytes), 0);
	assert_int_equal(mem_add_shared(m, "records", gpa(RECORDS), 1), 0);
	return m;
}

static void loads(const char *name, const char *kind)
{
	struct mem *m = ram(64 * MIB);
	struct load l;
	uint8_t after;

	assert_int_equal(load_kernel(m, path_of(name), &l), 0);
	assert_string_equal(l.kind, kind);
	assert_int_equal(l.entry.v, RAM);
	assert_int_equal(l.kernel_bytes, KERNEL_BYTES + BSS);
	assert_memory_equal(mem_ptr(m, gpa(RAM), KERNEL_BYTES), kernel, KERNEL_BYTES);
	assert_int_equal(mem_read(m, gpa(RAM + KERNEL_BYTES), &after, 1), 0);
	assert_int_equal(after, 0);
	assert_int_equal(l.dtb.v, RAM + align_up(KERNEL_BYTES + BSS, 2 * MIB));
	mem_free(m);
}

/* The one line must hold @words and the path, and come with an error. */
static void refused_with(const char *path, uint64_t ram_bytes, const char *words)
{
	struct mem *m = ram(ram_bytes);
	struct load l;
	char *said;
	int err;

	stderr_begin();
	err = load_kernel(m, path, &l);
	said = stderr_end();
	if (err >= 0 || !strstr(said, words) || !strstr(said, path) || strchr(said, '\n') != said + strlen(said) - 1)
		fail_msg("%s: wanted \"%s\", got %d \"%s\"", path, words, err, said);
	free(said);
	mem_free(m);
}

static void refused(const char *path, const char *words) { refused_with(path, 64 * MIB, words); }

/* ---- Good ones ---- */

static void plain_image(void **state)
{
	(void)state;
	loads("Image", "Image");
}

static void gzip_image(void **state)
{
	(void)state;
	tool("gzip -k Image");
	loads("Image.gz", "gzip Image");
}

static void xz_and_lzma_image(void **state)
{
	(void)state;
	if (!have("xz"))
		skip();
	tool("xz -0 -k --check=crc32 Image && xz -0 -k --format=lzma Image");
	loads("Image.xz", "xz Image");
	loads("Image.lzma", "lzma Image");
}

static void zstd_image(void **state)
{
	(void)state;
	if (!have("zstd"))
		skip();
	tool("zstd -q -k Image");
	loads("Image.zst", "zstd Image");
}

static void lz4_image_both_formats(void **state)
{
	(void)state;
	if (!have("lz4"))
		skip();
	tool("lz4 -q Image Image.lz4 && lz4 -q -l Image Image.lz4l");
	loads("Image.lz4", "lz4 Image");
	loads("Image.lz4l", "lz4 Image");
	/* The kernel's build appends the size. */
	tool("cp Image.lz4l Image.lz4ls && printf '\\071\\060\\220\\000' >> Image.lz4ls");
	loads("Image.lz4ls", "lz4 Image");
}

static const char *zboot(const char *name, const char *payload, const char *compression)
{
	struct zboot_header h = { .mz = "MZ", .magic = { 'z', 'i', 'm', 'g' }, .payload_offset = 0x1000 };
	size_t len;
	uint8_t *p = get(path_of(payload), &len), *file = calloc(1, len + 0x1000);
	const char *path;

	h.payload_size = (uint32_t)len;
	snprintf(h.compression, sizeof(h.compression), "%s", compression);
	memcpy(file, &h, sizeof(h));
	memcpy(file + 0x1000, p, len);
	path = put(name, file, len + 0x1000);
	free(file);
	free(p);
	return path;
}

static void efi_zboot(void **state)
{
	(void)state;
	tool("gzip -kf Image");
	zboot("zboot-gzip", "Image.gz", "gzip");
	loads("zboot-gzip", "EFI zboot (gzip)");
	if (have("zstd")) {
		tool("zstd -fq -k Image");
		zboot("zboot-zstd", "Image.zst", "zstd22");
		loads("zboot-zstd", "EFI zboot (zstd)");
	}
	if (have("xz")) {
		tool("xz -0 -kf --check=crc32 Image");
		zboot("zboot-xz", "Image.xz", "xzkern");
		loads("zboot-xz", "EFI zboot (xz)");
	}
	refused(zboot("zboot-lzo", "Image", "lzo"), "lzo");
	refused(zboot("zboot-none", "Image", "none"), "payload");
}

static void text_offset_and_an_old_header_without_size(void **state)
{
	uint8_t old[4096] = { 0 };
	struct mem *m = ram(64 * MIB);
	struct load l;

	(void)state;
	header(old, 0x80000, 0x300000, 0);
	assert_int_equal(load_kernel(m, put("old", old, sizeof(old)), &l), 0);
	assert_int_equal(l.entry.v, RAM + 0x80000);
	assert_int_equal(l.dtb.v, RAM + 0x400000);
	header(old, 0, 0, 0);
	assert_int_equal(load_kernel(m, put("older", old, sizeof(old)), &l), 0);
	assert_int_equal(l.entry.v, RAM + 0x80000);
	mem_free(m);
}

struct elf {
	Elf64_Ehdr e;
	Elf64_Phdr p[2];
	uint8_t code[64];
};

static struct elf elf_at(uint64_t vaddr, uint64_t paddr)
{
	struct elf f = {
		.e = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		       .e_type = ET_EXEC,
		       .e_machine = EM_AARCH64,
		       .e_version = 1,
		       .e_entry = vaddr + 16,
		       .e_phoff = sizeof(Elf64_Ehdr),
		       .e_ehsize = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 2 },
		.p = { { .p_type = PT_LOAD,
			 .p_offset = offsetof(struct elf, code),
			 .p_vaddr = vaddr,
			 .p_paddr = paddr,
			 .p_filesz = 64,
			 .p_memsz = 0x1000 },
		       { .p_type = PT_NOTE } },
	};

	memset(f.code, 0x5a, sizeof(f.code));
	return f;
}

static void elf_goes_to_its_physical_address_or_to_the_ram_base(void **state)
{
	struct elf f = elf_at(0xffff000000080000, RAM + 0x123000);
	struct mem *m = ram(64 * MIB);
	struct load l;

	(void)state;
	assert_int_equal(load_kernel(m, put("elf-p", &f, sizeof(f)), &l), 0);
	assert_int_equal(l.entry.v, RAM + 0x123010);
	assert_memory_equal(mem_ptr(m, gpa(RAM + 0x123000), 64), f.code, 64);
	assert_int_equal(l.dtb.v, RAM + 0x200000);
	f = elf_at(0xffff000000080000, 0xffff000000080000);
	assert_int_equal(load_kernel(m, put("elf-v", &f, sizeof(f)), &l), 0);
	assert_int_equal(l.entry.v, RAM + 0x80010);
	assert_memory_equal(mem_ptr(m, gpa(RAM + 0x80000), 64), f.code, 64);
	f = elf_at(0xffff000000080000, RECORDS); /* memory, but not RAM */
	assert_int_equal(load_kernel(m, put("elf-r", &f, sizeof(f)), &l), 0);
	assert_int_equal(l.entry.v, RAM + 0x80010);
	f = elf_at(0, RAM + 64 * MIB - 0x1000);
	assert_int_equal(load_kernel(m, put("elf-high", &f, sizeof(f)), &l), 0);
	assert_int_equal(l.dtb.v, RAM);
	mem_free(m);
}

static void initrd_and_device_tree_do_not_overlap_anything(void **state)
{
	struct mem *m = ram(64 * MIB);
	struct load l;
	uint8_t *rd = malloc(5 * MIB), blob[64];
	char *said;

	(void)state;
	memset(rd, 0x77, 5 * MIB);
	memset(blob, 0x66, sizeof(blob));
	assert_int_equal(load_kernel(m, path_of("Image"), &l), 0);
	assert_int_equal(load_initrd(m, put("initrd", rd, 5 * MIB), &l), 0);
	assert_int_equal(load_dtb(m, blob, sizeof(blob), &l), 0);
	assert_true(l.dtb.v >= l.kernel.v + l.kernel_bytes);
	assert_true(l.initrd.v >= l.dtb.v + DT_BYTES_MAX);
	assert_int_equal(l.dtb.v % 8, 0);
	assert_int_equal(l.initrd_bytes, 5 * MIB);
	assert_memory_equal(mem_ptr(m, l.initrd, 5 * MIB), rd, 5 * MIB);
	assert_memory_equal(mem_ptr(m, l.dtb, 64), blob, 64);
	mem_free(m);

	m = ram(18 * MIB);
	assert_int_equal(load_kernel(m, path_of("Image"), &l), 0);
	stderr_begin();
	assert_true(load_initrd(m, path_of("initrd"), &l) < 0);
	said = stderr_end();
	assert_non_null(strstr(said, "--mem is 18M; use --mem 128M"));
	assert_int_equal(l.initrd_bytes, 0);
	free(said);
	mem_free(m);
	free(rd);
}

/* ---- Bad ones ---- */

static void missing_empty_directory_and_device(void **state)
{
	(void)state;
	refused(path_of("nothing"), "No such file");
	refused(put("empty", "", 0), "is empty");
	refused(dir, "is a directory");
	refused("/dev/null", "not a regular file");
}

static void files_of_other_kinds_are_named(void **state)
{
	static const struct {
		size_t at;
		const char *magic;
		size_t len;
		const char *words;
	} rows[] = {
		{ 0x202, "HdrS", 4, "x86 bzImage" },
		{ 56, "RSC\x05", 4, "RISC-V" },
		{ 0x24, "\x18\x28\x6f\x01", 4, "32-bit Arm zImage" },
		{ 0, "MZ\x90", 3, "PE/COFF" },
		{ 0, "\x27\x05\x19\x56", 4, "uImage" },
		{ 0, "ANDROID!", 8, "Android" },
		{ 0, "\xd0\x0d\xfe\xed", 4, "--dtb" },
		{ 0, "070701", 6, "--initrd" },
		{ 0, "QFI\xfb", 4, "qcow2" },
		{ 0, "!<arch>\n", 8, "Debian package" },
		{ 257, "ustar", 5, "tar" },
		{ 0, "BZh9", 4, "bzip2" },
		{ 0, "random\x01", 7, "no kernel that vmm knows" },
	};
	uint8_t file[8192];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(file, 0, sizeof(file));
		memcpy(file + rows[i].at, rows[i].magic, rows[i].len);
		refused(put("other", file, sizeof(file)), rows[i].words);
	}
	refused(put("script", "#!/bin/sh\necho\n", 15), "a script");
	refused(put("html", "\n<!DOCTYPE html><html>404", 25), "HTML");
	refused(put("text", "hello, I am no kernel\n", 22), "a text file");
	refused(put("short", "\0\1\2", 3), "shorter than");
}

static void elf_for_others_and_damaged_elf(void **state)
{
	struct elf f = elf_at(RAM, RAM);
	const struct elf good = f;

	(void)state;
	refused(put("truncated-elf", &f, 40), "truncated");
	f.e.e_machine = EM_X86_64;
	refused(put("x86", &f, sizeof(f)), "ELF for x86-64");
	f.e.e_machine = EM_RISCV;
	refused(put("riscv", &f, sizeof(f)), "ELF for RISC-V");
	f.e.e_machine = 4711;
	refused(put("odd", &f, sizeof(f)), "machine 4711");
	f = good;
	f.e.e_ident[EI_CLASS] = ELFCLASS32;
	refused(put("32", &f, sizeof(f)), "64-bit");
	f = good;
	f.e.e_type = ET_REL;
	refused(put("object", &f, sizeof(f)), "object file");
	f = good;
	f.e.e_phnum = 0;
	refused(put("nothing-to-load", &f, sizeof(f)), "nothing to load");
	f.e.e_phnum = 0xffff;
	refused(put("many", &f, sizeof(f)), "damaged");
	f = good;
	f.e.e_phoff = UINT64_MAX - 8;
	refused(put("phoff", &f, sizeof(f)), "truncated");
	f = good;
	f.p[0].p_filesz = 0x10000;
	refused(put("filesz", &f, sizeof(f)), "truncated");
	f = good;
	f.p[0].p_memsz = 1;
	refused(put("memsz", &f, sizeof(f)), "damaged");
	f = good;
	f.p[0].p_vaddr = UINT64_MAX - 3;
	refused(put("wrap", &f, sizeof(f)), "damaged");
	f = good;
	f.p[0].p_memsz = UINT64_C(1) << 40;
	refused(put("huge", &f, sizeof(f)), "--mem");
	f = good;
	f.e.e_entry = 0x1234;
	refused(put("entry", &f, sizeof(f)), "entry point");
	f = good;
	f.p[1].p_type = PT_INTERP;
	refused(put("program", &f, sizeof(f)), "Linux program");
}

static void truncated_and_damaged_compression(void **state)
{
	static const char *const names[] = { "Image.gz",  "Image.xz",  "Image.lzma",
					     "Image.zst", "Image.lz4", "Image.lz4l" };
	uint8_t image[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len;
		uint8_t *p;

		if (access(path_of(names[i]), R_OK))
			continue;
		p = get(path_of(names[i]), &len);
		refused(put("cut", p, len / 2), "truncated");
		refused(put("cut", p, 20), "truncated");
		/* Noise in the middle: refused, or (without a checksum) taken, never a crash. */
		memset(p + len / 2, 0xff, 2000);
		if (i == 0)
			refused(put("noise", p, len), "damaged");
		else {
			struct mem *m = ram(64 * MIB);
			struct load l;

			stderr_begin();
			load_kernel(m, put("noise", p, len), &l);
			free(stderr_end());
			mem_free(m);
		}
		free(p);
	}
	memset(image, 'x', sizeof(image));
	put("plain", image, sizeof(image));
	tool("gzip -kf plain && gzip -kfc Image.gz > twice.gz && printf '#!/bin/sh\\n' | gzip > script.gz");
	refused(path_of("plain.gz"), "gzip of something");
	refused(path_of("script.gz"), "a script");
	refused(path_of("twice.gz"), "gzip of gzip");
}

static void bombs_end_at_the_guests_memory(void **state)
{
	uint8_t head[4096] = { 0 };

	(void)state;
	header(head, 0, 4096, 0);
	put("bomb", head, sizeof(head));
	tool("dd if=/dev/zero bs=1M count=200 >> bomb && gzip -1 -f bomb");
	refused_with(path_of("bomb.gz"), 32 * MIB, "more than the guest's 32 MiB");
}

static void kernels_that_do_not_fit_name_both_sizes(void **state)
{
	uint8_t image[4096] = { 0 };

	(void)state;
	refused_with(path_of("Image"), 8 * MIB, "needs 16 MiB of guest memory, --mem is 8M; use --mem 128M");
	refused_with(path_of("Image"), 2 * MIB, "--mem is 2M");
	header(image, 0, UINT64_MAX, 0);
	refused(put("huge", image, sizeof(image)), "damaged");
	header(image, UINT64_MAX - 3, 4096, 0);
	refused(put("far", image, sizeof(image)), "damaged");
	header(image, UINT64_C(1) << 40, 4096, 0);
	refused(put("tera", image, sizeof(image)), "--mem");
	header(image, 2, 4096, 0);
	refused(put("odd", image, sizeof(image)), "damaged");
	header(image, 0, 4096, 1);
	refused(put("be", image, sizeof(image)), "big-endian");
}

static void an_image_shorter_than_its_pe_sections_is_truncated(void **state)
{
	uint8_t image[4096] = { 0 };
	struct pe_coff_header pe = { .section_count = 1 };
	struct pe_section s = { .raw_offset = 0x1000, .raw_bytes = 0x1000 };
	const uint32_t pe_offset = 64;

	(void)state;
	header(image, 0, 0x10000, 0);
	memcpy(image, "MZ", 2);
	memcpy(image + offsetof(struct image_header, pe_offset), &pe_offset, 4);
	memcpy(image + 64, "PE\0\0", 4);
	memcpy(image + 68, &pe, sizeof(pe));
	memcpy(image + 68 + sizeof(pe), &s, sizeof(s));
	refused(put("cut-image", image, sizeof(image)), "truncated");
	pe.section_count = 0xffff;
	memcpy(image + 68, &pe, sizeof(pe));
	refused(put("cut-image", image, sizeof(image)), "truncated");
}

static void zboot_pointing_outside_itself_is_truncated(void **state)
{
	struct zboot_header h = {
		.mz = "MZ", .magic = { 'z', 'i', 'm', 'g' }, .payload_offset = 0x1000, .payload_size = 64
	};

	(void)state;
	refused(put("zb", &h, sizeof(h)), "truncated");
	h.payload_offset = 0xffffffff;
	h.payload_size = 0xffffffff;
	refused(put("zb", &h, sizeof(h)), "truncated");
	refused(put("zb", &h, 20), "truncated");
	h.payload_offset = h.payload_size = 0;
	refused(put("zb", &h, sizeof(h)), "payload");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_image),
		cmocka_unit_test(gzip_image),
		cmocka_unit_test(xz_and_lzma_image),
		cmocka_unit_test(zstd_image),
		cmocka_unit_test(lz4_image_both_formats),
		cmocka_unit_test(efi_zboot),
		cmocka_unit_test(text_offset_and_an_old_header_without_size),
		cmocka_unit_test(elf_goes_to_its_physical_address_or_to_the_ram_base),
		cmocka_unit_test(initrd_and_device_tree_do_not_overlap_anything),
		cmocka_unit_test(missing_empty_directory_and_device),
		cmocka_unit_test(files_of_other_kinds_are_named),
		cmocka_unit_test(elf_for_others_and_damaged_elf),
		cmocka_unit_test(truncated_and_damaged_compression),
		cmocka_unit_test(bombs_end_at_the_guests_memory),
		cmocka_unit_test(kernels_that_do_not_fit_name_both_sizes),
		cmocka_unit_test(an_image_shorter_than_its_pe_sections_is_truncated),
		cmocka_unit_test(zboot_pointing_outside_itself_is_truncated),
	};

	return cmocka_run_group_tests_name("load", tests, group_setup, group_teardown);
}
