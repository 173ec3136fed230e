/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loader: what is this file, does it fit, where does it go.
 *
 * Every format ends in the same two steps: place() decides and refuses with a
 * figure, then bytes go straight to guest memory: mapped from the file where
 * possible, unpacked in place otherwise. Nothing is buffered whole.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <spec/image.h>
#include <vmm/err.h>
#include <vmm/fdt.h>
#include <vmm/load.h>
#include <vmm/log.h>
#include <vmm/mem.h>
#include "unpack.h"

#define HEAD_BYTES       4096
#define INITRD_ALIGN     (64 * KIB) /* the largest page of a host: whole pages can be mapped */
#define OLD_KERNEL_BSS   (16 * MIB) /* headers before 3.17 do not say */
#define ELF_SEGMENTS_MAX 256

/* An open input file and its beginning. */
struct file {
	const char *option, *path;
	int fd;
	uint64_t bytes;
	uint8_t head[HEAD_BYTES];
	size_t head_len;
};

/* ---- What a file is ---- */

enum kind { KIND_IMAGE, KIND_ZBOOT, KIND_PACKED, KIND_ELF, KIND_WRONG };

struct kind_row {
	uint16_t offset;
	uint8_t len;
	const char *magic;
	enum kind kind;
	const char *what; /* after "is" */
};

/* The first row that fits; so the more precise come first. */
static const struct kind_row kinds[] = {
	{ IMAGE_MAGIC_OFFSET, 4, IMAGE_MAGIC, KIND_IMAGE, "an arm64 Image" },
	{ ZBOOT_MAGIC_OFFSET, 4, ZBOOT_MAGIC, KIND_ZBOOT, "an EFI zboot kernel" },
	{ 0, 4, "\177ELF", KIND_ELF, "an ELF file" },
	{ 0x202, 4, "HdrS", KIND_WRONG, "an x86 bzImage; give an arm64 kernel" },
	{ 56, 4, "RSC\x05", KIND_WRONG, "a RISC-V kernel; give an arm64 kernel" },
	{ 56, 4, "\xcd\x23\x82\x81", KIND_WRONG, "a LoongArch kernel; give an arm64 kernel" },
	{ 0x24, 4, "\x18\x28\x6f\x01", KIND_WRONG, "a 32-bit Arm zImage; give an arm64 kernel" },
	{ 0, 2, "MZ", KIND_WRONG, "a PE/COFF (EFI) program, not an arm64 kernel" },
	{ 0, 4, "\x27\x05\x19\x56", KIND_WRONG, "a U-Boot uImage; give the Image inside" },
	{ 0, 8, "ANDROID!", KIND_WRONG, "an Android boot image; give the Image inside" },
	{ 0, 4, "\xd0\x0d\xfe\xed", KIND_WRONG, "a device tree blob or FIT image; a device tree goes with --dtb" },
	{ 0, 5, "07070", KIND_WRONG, "a cpio archive (an initramfs); give it with --initrd" },
	{ 0, 4, "QFI\xfb", KIND_WRONG, "a qcow2 disk image, not a kernel" },
	{ 0, 8, "!<arch>\n", KIND_WRONG, "an ar archive (a Debian package or a library); unpack it" },
	{ 257, 5, "ustar", KIND_WRONG, "a tar archive; unpack it" },
	{ 0, 4, "PK\x03\x04", KIND_WRONG, "a zip archive; unpack it" },
	{ 0, 3, "BZh", KIND_WRONG, "bzip2-compressed; unpack it" },
	{ 0, 4, "\x89LZO", KIND_WRONG, "lzop-compressed; unpack it" },
	{ 0, 4, "hsqs", KIND_WRONG, "a squashfs image, not a kernel" },
	{ 0, 2, "#!", KIND_WRONG, "a script, not a kernel" },
	{ 0, 5, "<?xml", KIND_WRONG, "an XML file, not a kernel" },
	{ 0, 5, "%PDF-", KIND_WRONG, "a PDF file, not a kernel" },
};

static bool is_html(const uint8_t *p, size_t len)
{
	static const char *const starts[] = { "<!doctype", "<html", "<head", "<body" };

	while (len && strchr(" \t\r\n", *p) && *p)
		p++, len--;
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (len >= strlen(starts[i]) && !strncasecmp((const char *)p, starts[i], strlen(starts[i])))
			return true;
	return false;
}

static bool is_text(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((p[i] < ' ' && !strchr("\t\n\r\f\033", p[i])) || !p[i] || p[i] == 0x7f)
			return false;
	return len;
}

static const struct kind_row packed_row = { .kind = KIND_PACKED, .what = "compressed" };
static const struct kind_row html_row = { .kind = KIND_WRONG,
					  .what = "a web page (HTML), not a kernel; was the download refused?" };
static const struct kind_row text_row = { .kind = KIND_WRONG, .what = "a text file, not a kernel" };
static const struct kind_row empty_row = { .kind = KIND_WRONG, .what = "empty" };
static const struct kind_row short_row = { .kind = KIND_WRONG,
					   .what = "shorter than any kernel's header (64 bytes); truncated?" };
static const struct kind_row unknown_row = {
	.kind = KIND_WRONG, .what = "no kernel that vmm knows (Image, also gzip, zstd, lz4, xz; EFI zboot; ELF)"
};

static const struct kind_row *kind_of(const uint8_t *head, size_t len)
{
	if (!len)
		return &empty_row;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind_row *k = &kinds[i];

		if (len >= (size_t)k->offset + k->len && !memcmp(head + k->offset, k->magic, k->len))
			return k;
	}
	if (unpack_name(head, len))
		return &packed_row;
	if (is_html(head, len))
		return &html_row;
	if (is_text(head, len))
		return &text_row;
	return len < sizeof(struct image_header) ? &short_row : &unknown_row;
}

const char *load_name_bytes(const uint8_t *head, size_t len)
{
	const struct kind_row *k = kind_of(head, len);

	return k->kind == KIND_PACKED ? unpack_name(head, len) : k->what;
}

/* ---- Files ---- */

/* @len bytes at @offset; fewer is -ENODATA. */
static int file_read(const struct file *f, void *dst, size_t len, uint64_t offset)
{
	size_t done = 0;

	if (offset > f->bytes || len > f->bytes - offset)
		return -ENODATA;
	while (done < len) {
		ssize_t n = pread(f->fd, (uint8_t *)dst + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

static int cannot_read(const struct file *f, int err)
{
	return log_err(err, "%s %s: cannot read it: %s", f->option, f->path, strerror(-err));
}

static int file_open(struct file *f, const char *option, const char *path)
{
	struct stat st;
	int err = 0;

	*f = (struct file){ .option = option, .path = path };
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0)
		return cannot_read(f, -errno);
	if (fstat(f->fd, &st))
		err = log_err(-errno, "%s %s: %s", option, path, strerror(errno));
	else if (S_ISDIR(st.st_mode))
		err = log_err(-EISDIR, "%s %s: is a directory; give a file", option, path);
	else if (!S_ISREG(st.st_mode))
		err = log_err(-EINVAL, "%s %s: is not a regular file", option, path);
	else if (!st.st_size)
		err = log_err(-EINVAL, "%s %s: is empty", option, path);
	if (!err) {
		f->bytes = (uint64_t)st.st_size;
		f->head_len = f->bytes < HEAD_BYTES ? (size_t)f->bytes : HEAD_BYTES;
		err = file_read(f, f->head, f->head_len, 0);
		if (err)
			cannot_read(f, err);
	}
	if (err)
		close(f->fd);
	return err;
}

/* @len bytes at @offset of the file into guest memory. */
static int file_load(struct mem *m, gpa_t at, const struct file *f, uint64_t offset, uint64_t len)
{
	int err = mem_load_file(m, at, f->fd, offset, len);

	return err ? cannot_read(f, err) : 0;
}

static int truncated(const struct file *f)
{
	return log_err(-EINVAL, "%s %s: is truncated (%llu bytes); was the download interrupted?", f->option, f->path,
		       (unsigned long long)f->bytes);
}

/* ---- Room ---- */

/* The guest's RAM that everything is loaded into: the lowest. */
static const struct mem_region *ram_region(const struct mem *m)
{
	unsigned count;
	const struct mem_region *r = mem_regions(m, &count);

	for (unsigned i = 0; i < count; i++)
		if (r[i].ram)
			return &r[i];
	return NULL;
}

static uint64_t mib_up(uint64_t bytes) { return bytes / MIB + (bytes % MIB != 0); }

/* A size that leaves the guest something to work with. */
static uint64_t suggest_mib(uint64_t bytes)
{
	uint64_t mib = 128;

	while (mib < mib_up(bytes) + 64 && mib < UINT64_C(1) << 32)
		mib *= 2;
	return mib;
}

static int too_big(const struct file *f, const char *what, uint64_t bytes, const struct mem_region *ram)
{
	return log_err(-E2BIG, "%s %s: %s needs %llu MiB of guest memory, --mem is %lluM; use --mem %lluM or more",
		       f->option, f->path, what, (unsigned long long)mib_up(bytes),
		       (unsigned long long)(ram->bytes / MIB), (unsigned long long)suggest_mib(bytes));
}

/*
 * The kernel at the RAM base + @offset, @bytes long when it runs, its device tree
 * in the 2 MiB after it. Both fit, or this says so.
 */
static int place(const struct file *f, const struct mem *m, uint64_t offset, uint64_t bytes, struct load *l)
{
	const struct mem_region *ram = ram_region(m);
	uint64_t end;

	if (!ram)
		return log_err(-EINVAL, "%s %s: the guest has no memory", f->option, f->path);
	if (offset > UINT64_MAX / 4 || bytes > UINT64_MAX / 4)
		return log_err(-EINVAL, "%s %s: its header is damaged: text offset %#llx, size %#llx", f->option,
			       f->path, (unsigned long long)offset, (unsigned long long)bytes);
	end = align_up(offset + bytes, IMAGE_ALIGN);
	if (end > ram->bytes || DT_BYTES_MAX > ram->bytes - end)
		return too_big(f, "the kernel", end + DT_BYTES_MAX, ram);
	l->kernel = gpa(ram->base.v + offset);
	l->kernel_bytes = bytes;
	l->entry = l->kernel;
	l->dtb = gpa(ram->base.v + end);
	return 0;
}

/* ---- Image ---- */

/* Reads the header: where it wants to be and how much it takes at least. */
static int place_image(const struct file *f, const struct image_header *h, uint64_t file_bytes, const struct mem *m,
		       struct load *l)
{
	uint64_t offset = h->text_offset, bytes = h->image_size;

	if (h->flags & IMAGE_FLAG_BIG_ENDIAN)
		return log_err(-EINVAL, "%s %s: is a big-endian kernel; give a little-endian one", f->option,
			       f->path);
	if (!bytes) {
		offset = IMAGE_OLD_TEXT_OFFSET;
		bytes = file_bytes + OLD_KERNEL_BSS;
	}
	if (offset % 4)
		return log_err(-EINVAL, "%s %s: its header is damaged: text offset %#llx", f->option, f->path,
			       (unsigned long long)offset);
	return place(f, m, offset, bytes > file_bytes ? bytes : file_bytes, l);
}

/*
 * Bytes that the file should have, from the section table its EFI stub brings; 0 when
 * it has none. (image_size counts bss, which is not in the file.)
 */
static uint64_t pe_bytes(const struct file *f)
{
	struct image_header h;
	struct pe_coff_header pe;
	uint64_t need = 0, at;
	uint8_t magic[4];

	memcpy(&h, f->head, sizeof(h));
	if (memcmp(f->head, "MZ", 2) || file_read(f, magic, sizeof(magic), h.pe_offset) ||
	    memcmp(magic, "PE\0\0", 4) || file_read(f, &pe, sizeof(pe), h.pe_offset + UINT64_C(4)))
		return 0;
	at = h.pe_offset + UINT64_C(4) + sizeof(pe) + pe.optional_bytes;
	for (unsigned i = 0; i < pe.section_count; i++) {
		struct pe_section s;

		if (file_read(f, &s, sizeof(s), at + i * sizeof(s)))
			return UINT64_MAX;
		if (s.raw_bytes && need < (uint64_t)s.raw_offset + s.raw_bytes)
			need = (uint64_t)s.raw_offset + s.raw_bytes;
	}
	return need;
}

static int load_image(struct mem *m, const struct file *f, struct load *l)
{
	struct image_header h;
	int err;

	memcpy(&h, f->head, sizeof(h));
	if (pe_bytes(f) > f->bytes)
		return truncated(f);
	err = place_image(f, &h, f->bytes, m, l);
	if (err)
		return err;
	l->kind = "Image";
	return file_load(m, l->kernel, f, 0, f->bytes);
}

/* ---- Compressed Image ---- */

static int unpack_failed(const struct file *f, const char *format, int64_t err)
{
	if (err == -ENODATA)
		return log_err(-EINVAL, "%s %s: is truncated: the %s data ends too early", f->option, f->path,
			       format);
	if (err == -EBADMSG)
		return log_err(-EINVAL, "%s %s: is damaged: the %s data is not valid", f->option, f->path, format);
	return log_err((int)err, "%s %s: cannot unpack the %s data: %s", f->option, f->path, format,
		       strerror((int)-err));
}

/* The rest of the kernel, whose first @head_len bytes are there; what exceeds guest RAM is refused, not unpacked. */
static int unpack_rest(struct mem *m, const struct file *f, struct unpack *u, const char *format, size_t head_len,
		       struct load *l)
{
	const struct mem_region *ram = ram_region(m);
	uint64_t room = ram->base.v + ram->bytes - DT_BYTES_MAX - l->kernel.v;
	uint8_t *dst = mem_ptr(m, l->kernel, room), more;
	int64_t n;

	if (!dst || head_len > room)
		return too_big(f, "the kernel", head_len, ram);
	n = unpack_read(u, dst + head_len, room - head_len);
	if (n < 0)
		return unpack_failed(f, format, n);
	if ((uint64_t)n == room - head_len && unpack_read(u, &more, 1) == 1)
		return log_err(-E2BIG, "%s %s: unpacks to more than the guest's %llu MiB; use a larger --mem",
			       f->option, f->path, (unsigned long long)(ram->bytes / MIB));
	if (head_len + (uint64_t)n <= l->kernel_bytes)
		return 0;
	return place(f, m, l->kernel.v - ram->base.v, head_len + (uint64_t)n, l);
}

static int unpack_kernel(struct mem *m, const struct file *f, struct unpack *u, const char *format, struct load *l)
{
	uint8_t head[HEAD_BYTES];
	struct image_header h;
	const struct kind_row *k;
	int64_t n = unpack_read(u, head, sizeof(head));
	int err;

	if (n < 0)
		return unpack_failed(f, format, n);
	k = kind_of(head, (size_t)n);
	if (k->kind == KIND_PACKED)
		return log_err(-EINVAL, "%s %s: is %s of %s data; unpack it once", f->option, f->path, format,
			       unpack_name(head, (size_t)n));
	if (k->kind == KIND_ELF || k->kind == KIND_ZBOOT)
		return log_err(-EINVAL, "%s %s: is %s of %s; unpack it first", f->option, f->path, format, k->what);
	if (k->kind != KIND_IMAGE)
		return log_err(-EINVAL, "%s %s: is %s of something that is %s", f->option, f->path, format, k->what);
	memcpy(&h, head, sizeof(h));
	err = place_image(f, &h, (uint64_t)n, m, l);
	if (!err)
		err = mem_write(m, l->kernel, head, (uint64_t)n);
	return err ? err : unpack_rest(m, f, u, format, (size_t)n, l);
}

/* Names for the start line, so that they need no memory of their own. */
static const struct {
	const char *format, *plain, *zboot;
} packed_kinds[] = {
	{ "gzip", "gzip Image", "EFI zboot (gzip)" }, { "zstd", "zstd Image", "EFI zboot (zstd)" },
	{ "lz4", "lz4 Image", "EFI zboot (lz4)" },    { "xz", "xz Image", "EFI zboot (xz)" },
	{ "lzma", "lzma Image", "EFI zboot (lzma)" },
};

static const char *packed_kind(const char *format, bool zboot)
{
	for (size_t i = 0; i < ARRAY_SIZE(packed_kinds); i++)
		if (!strcmp(packed_kinds[i].format, format))
			return zboot ? packed_kinds[i].zboot : packed_kinds[i].plain;
	return format;
}

static int load_packed(struct mem *m, const struct file *f, uint64_t offset, uint64_t bytes, bool zboot,
		       struct load *l)
{
	const char *format = "";
	struct unpack *u = unpack_open(f->fd, offset, bytes, &format);
	int err;

	if (!u)
		return log_err(-EINVAL, "%s %s: its payload is compressed in a way that vmm does not know", f->option,
			       f->path);
	err = unpack_kernel(m, f, u, format, l);
	unpack_close(u);
	l->kind = packed_kind(format, zboot);
	return err;
}

static int load_zboot(struct mem *m, const struct file *f, struct load *l)
{
	struct zboot_header h;

	if (f->head_len < sizeof(h))
		return truncated(f);
	memcpy(&h, f->head, sizeof(h));
	if (h.payload_offset > f->bytes || h.payload_size > f->bytes - h.payload_offset)
		return truncated(f);
	h.compression[sizeof(h.compression) - 1] = 0;
	if (!strcmp(h.compression, "lzo"))
		return log_err(-EINVAL,
			       "%s %s: is an EFI zboot kernel with lzo, which vmm does not unpack; unpack it first",
			       f->option, f->path);
	return load_packed(m, f, h.payload_offset, h.payload_size, true, l);
}

/* ---- ELF ---- */

static const struct {
	uint16_t machine;
	const char *name;
} machines[] = {
	{ EM_386, "32-bit x86" }, { EM_X86_64, "x86-64" }, { EM_ARM, "32-bit Arm" }, { EM_RISCV, "RISC-V" },
	{ EM_PPC, "PowerPC" },    { EM_PPC64, "PowerPC" }, { EM_S390, "s390" },      { EM_MIPS, "MIPS" },
	{ EM_SPARCV9, "SPARC" },  { 258, "LoongArch" },    { EM_68K, "m68k" },
};

static int elf_check(const struct file *f, Elf64_Ehdr *e)
{
	uint16_t machine;

	if (f->head_len < sizeof(*e))
		return truncated(f);
	memcpy(e, f->head, sizeof(*e));
	machine =
		e->e_ident[EI_DATA] == ELFDATA2MSB ? (uint16_t)(e->e_machine >> 8 | e->e_machine << 8) : e->e_machine;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		if (machines[i].machine == machine)
			return log_err(-EINVAL, "%s %s: is ELF for %s; give an arm64 kernel", f->option, f->path,
				       machines[i].name);
	if (machine != EM_AARCH64)
		return log_err(-EINVAL, "%s %s: is ELF for machine %u; give an arm64 kernel", f->option, f->path,
			       machine);
	if (e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_ident[EI_DATA] != ELFDATA2LSB)
		return log_err(-EINVAL, "%s %s: is ELF for arm64, but not 64-bit little-endian", f->option, f->path);
	if (e->e_type != ET_EXEC && e->e_type != ET_DYN)
		return log_err(-EINVAL, "%s %s: is an ELF %s, not an executable; link it", f->option, f->path,
			       e->e_type == ET_REL ? "object file" : "file of another type");
	if (e->e_phentsize != sizeof(Elf64_Phdr) || !e->e_phnum || e->e_phnum > ELF_SEGMENTS_MAX)
		return log_err(
			-EINVAL,
			"%s %s: its ELF header is damaged or has nothing to load (%u program headers of %u bytes)",
			f->option, f->path, e->e_phnum, e->e_phentsize);
	return 0;
}

struct segments {
	Elf64_Phdr s[ELF_SEGMENTS_MAX];
	unsigned count;
};

static int elf_segments(const struct file *f, const Elf64_Ehdr *e, struct segments *segs)
{
	segs->count = 0;
	for (unsigned i = 0; i < e->e_phnum; i++) {
		Elf64_Phdr *p = &segs->s[segs->count];
		uint64_t at;

		if (__builtin_add_overflow(e->e_phoff, i * sizeof(*p), &at) || file_read(f, p, sizeof(*p), at))
			return truncated(f);
		if (p->p_type == PT_INTERP)
			return log_err(-EINVAL, "%s %s: is a Linux program, not a kernel", f->option, f->path);
		if (p->p_type != PT_LOAD || !p->p_memsz)
			continue;
		if (p->p_offset > f->bytes || p->p_filesz > f->bytes - p->p_offset)
			return truncated(f);
		if (p->p_filesz > p->p_memsz || p->p_vaddr > UINT64_MAX - p->p_memsz ||
		    p->p_paddr > UINT64_MAX - p->p_memsz)
			return log_err(-EINVAL, "%s %s: its ELF segment %u is damaged", f->option, f->path, i);
		segs->count++;
	}
	return segs->count ? 0 : log_err(-EINVAL, "%s %s: this ELF has nothing to load", f->option, f->path);
}

static bool all_in_ram(const struct mem *m, const struct segments *segs)
{
	for (unsigned i = 0; i < segs->count; i++) {
		gpa_t a = gpa(segs->s[i].p_paddr);

		if (!mem_ptr(m, a, segs->s[i].p_memsz) || !mem_region_at(m, a)->ram)
			return false;
	}
	return true;
}

/*
 * Physical addresses that are guest RAM are meant; otherwise (vmlinux: they
 * repeat the virtual ones) the lowest virtual address goes to the RAM base, all
 * keeping their distance and their place within 2 MiB. Rewrites p_paddr.
 */
static int elf_place(const struct file *f, const struct mem *m, struct segments *segs)
{
	const struct mem_region *ram = ram_region(m);
	uint64_t low = UINT64_MAX, high = 0;

	if (!ram)
		return log_err(-EINVAL, "%s %s: the guest has no memory", f->option, f->path);
	if (all_in_ram(m, segs))
		return 0;
	for (unsigned i = 0; i < segs->count; i++) {
		const Elf64_Phdr *p = &segs->s[i];

		low = p->p_vaddr < low ? p->p_vaddr : low;
		high = p->p_vaddr + p->p_memsz > high ? p->p_vaddr + p->p_memsz : high;
	}
	low = align_down(low, IMAGE_ALIGN);
	if (high - low > ram->bytes)
		return too_big(f, "the ELF", high - low, ram);
	for (unsigned i = 0; i < segs->count; i++)
		segs->s[i].p_paddr = segs->s[i].p_vaddr - low + ram->base.v;
	return 0;
}

static int elf_entry(const struct file *f, const Elf64_Ehdr *e, const struct segments *segs, struct load *l)
{
	for (unsigned i = 0; i < segs->count; i++) {
		const Elf64_Phdr *p = &segs->s[i];

		if (e->e_entry >= p->p_vaddr && e->e_entry - p->p_vaddr < p->p_memsz && !(e->e_entry & 3)) {
			l->entry = gpa(p->p_paddr + (e->e_entry - p->p_vaddr));
			return 0;
		}
	}
	return log_err(-EINVAL, "%s %s: its entry point %#llx is in no segment of the ELF", f->option, f->path,
		       (unsigned long long)e->e_entry);
}

/* The device tree's slot: behind the kernel, or, if that is at the end of memory, at the base. */
static int elf_slot(const struct file *f, const struct mem *m, const struct segments *segs, struct load *l)
{
	const struct mem_region *ram = ram_region(m);
	uint64_t low = UINT64_MAX, high = 0, end = ram->base.v + ram->bytes, slot;

	for (unsigned i = 0; i < segs->count; i++) {
		const Elf64_Phdr *p = &segs->s[i];

		low = p->p_paddr < low ? p->p_paddr : low;
		high = p->p_paddr + p->p_memsz > high ? p->p_paddr + p->p_memsz : high;
	}
	l->kernel = gpa(low);
	l->kernel_bytes = high - low;
	slot = align_up(high, IMAGE_ALIGN);
	if (slot < ram->base.v || slot > end || end - slot < DT_BYTES_MAX)
		slot = ram->base.v;
	if (slot < high && low < slot + DT_BYTES_MAX)
		return too_big(f, "the ELF", ram->bytes + DT_BYTES_MAX, ram);
	l->dtb = gpa(slot);
	return 0;
}

static int load_elf(struct mem *m, const struct file *f, struct load *l)
{
	struct segments *segs = malloc(sizeof(*segs));
	Elf64_Ehdr e = { 0 };
	int err = segs ? elf_check(f, &e) : -ENOMEM;

	if (!err)
		err = elf_segments(f, &e, segs);
	if (!err)
		err = elf_place(f, m, segs);
	if (!err)
		err = elf_entry(f, &e, segs, l);
	if (!err)
		err = elf_slot(f, m, segs, l);
	for (unsigned i = 0; !err && i < segs->count; i++)
		err = file_load(m, gpa(segs->s[i].p_paddr), f, segs->s[i].p_offset, segs->s[i].p_filesz);
	free(segs);
	l->kind = "ELF";
	return err;
}

/* ---- What the core calls ---- */

int load_kernel(struct mem *m, const char *path, struct load *l)
{
	const struct kind_row *k;
	struct file f;
	int err = file_open(&f, "--kernel", path);

	*l = (struct load){ 0 };
	if (err)
		return err;
	k = kind_of(f.head, f.head_len);
	switch (k->kind) {
	case KIND_IMAGE: err = load_image(m, &f, l); break;
	case KIND_ZBOOT: err = load_zboot(m, &f, l); break;
	case KIND_PACKED: err = load_packed(m, &f, 0, f.bytes, false, l); break;
	case KIND_ELF: err = load_elf(m, &f, l); break;
	case KIND_WRONG: err = log_err(-EINVAL, "--kernel %s: is %s", path, k->what); break;
	}
	close(f.fd);
	return err;
}

int load_initrd(struct mem *m, const char *path, struct load *l)
{
	const struct mem_region *ram = ram_region(m);
	uint64_t kernel_end = l->kernel.v + l->kernel_bytes, dtb_end = l->dtb.v + DT_BYTES_MAX, at, end;
	struct file f;
	int err = file_open(&f, "--initrd", path);

	if (err)
		return err;
	at = align_up(kernel_end > dtb_end ? kernel_end : dtb_end, INITRD_ALIGN);
	end = ram ? ram->base.v + ram->bytes : 0;
	if (!ram || at > end || f.bytes > end - at)
		err = ram ? too_big(&f, "with the kernel it", at - ram->base.v + f.bytes, ram) : -EINVAL;
	if (!err)
		err = file_load(m, gpa(at), &f, 0, f.bytes);
	close(f.fd);
	if (err)
		return err;
	l->initrd = gpa(at);
	l->initrd_bytes = f.bytes;
	return 0;
}

int load_dtb(struct mem *m, const void *blob, size_t bytes, const struct load *l)
{
	if (bytes > DT_BYTES_MAX)
		return log_err(-EFBIG, "device tree: %zu bytes; arm64 kernels take at most %u", bytes,
			       (unsigned)DT_BYTES_MAX);
	return mem_write(m, l->dtb, blob, bytes);
}
