/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of --firmware and --firmware-vars. The first is mapped into flash bank 0,
 * where the guest executes it in place; the second belongs to devices/flash.c, which
 * finds it open and locked here, because it outlives the devices.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <spec/board.h>
#include <vmm/err.h>
#include <vmm/firmware.h>
#include <vmm/load.h>
#include <vmm/log.h>
#include <vmm/mem.h>
#include "unpack.h"

#define BANK_MIB (BOARD_FLASH_SIZE / MIB)

static const struct {
	const char *magic;
	uint8_t len;
	const char *what;
} wrong[] = {
	{ "\177ELF", 4, "is an ELF file; give the raw image (u-boot.bin, not u-boot)" },
	{ "MZ", 2, "is an EFI program or a kernel; a kernel goes with --kernel" },
	{ "QFI\xfb", 4, "is a qcow2 image; make a raw one: qemu-img convert -O raw" },
	{ "\xd0\x0d\xfe\xed", 4, "is a device tree blob; that goes with --dtb" },
	{ "07070", 5, "is a cpio archive (an initramfs)" },
	{ "!<arch>\n", 8, "is an ar archive (a Debian package); unpack it" },
};

static int check_head(const char *path, const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (len >= wrong[i].len && !memcmp(head, wrong[i].magic, wrong[i].len))
			return log_err(-EINVAL, "--firmware %s: %s", path, wrong[i].what);
	if (unpack_name(head, len))
		return log_err(-EINVAL, "--firmware %s: is %s-compressed; unpack it", path, unpack_name(head, len));
	return 0;
}

static int check_file(const char *path, int fd, uint64_t *bytes)
{
	struct stat st;
	uint8_t head[64];
	ssize_t n;

	if (fstat(fd, &st))
		return log_err(-errno, "--firmware %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return log_err(-EINVAL, "--firmware %s: is not a regular file", path);
	if (!st.st_size)
		return log_err(-EINVAL, "--firmware %s: is empty", path);
	if ((uint64_t)st.st_size > BOARD_FLASH_SIZE)
		return log_err(-E2BIG, "--firmware %s: is %jd bytes; the flash bank it goes to has %u MiB", path,
			       (intmax_t)st.st_size, (unsigned)BANK_MIB);
	*bytes = (uint64_t)st.st_size;
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return log_err(-errno, "--firmware %s: cannot read it: %s", path, strerror(errno));
	return check_head(path, head, (size_t)n);
}

int firmware_load(struct mem *m, const char *path, struct load *l)
{
	const gpa_t base = gpa(BOARD_FLASH0_BASE);
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;
	uint64_t bytes = 0;

	*l = (struct load){ .entry = base, .dtb = gpa(BOARD_RAM_BASE), .kind = "firmware" };
	if (fd < 0)
		return log_err(-errno, "--firmware %s: cannot read it: %s", path, strerror(errno));
	err = check_file(path, fd, &bytes);
	if (!err && !mem_region_at(m, base))
		err = mem_add_rom(m, "flash0", base, BOARD_FLASH_SIZE);
	if (!err) {
		err = mem_load_file(m, base, fd, 0, bytes);
		if (err)
			log_err(err, "--firmware %s: cannot read it: %s", path, strerror(-err));
	}
	close(fd);
	return err;
}

static int lock_vars(const char *path, int fd)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(fd, F_OFD_SETLK, &whole))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return log_err(-EBUSY, "--firmware-vars %s: another VM uses it; give each VM a file of its own",
			       path);
	return log_err(-errno, "--firmware-vars %s: cannot lock it: %s", path, strerror(errno));
}

static int check_vars(const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return log_err(-errno, "--firmware-vars %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return log_err(-EINVAL, "--firmware-vars %s: is not a regular file", path);
	if ((uint64_t)st.st_size > BOARD_FLASH_SIZE)
		return log_err(-E2BIG,
			       "--firmware-vars %s: is %jd bytes; the flash bank has %u MiB: give a file that is "
			       "not longer, or a new name",
			       path, (intmax_t)st.st_size, (unsigned)BANK_MIB);
	return lock_vars(path, fd);
}

int firmware_vars_open(const char *path, int *fd)
{
	int err;

	*fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666)
		   : memfd_create("firmware-vars", MFD_CLOEXEC);
	if (*fd < 0)
		return path ? log_err(-errno, "--firmware-vars %s: cannot open it for writing: %s", path,
				      strerror(errno))
			    : log_err(-errno, "the host refuses memory for the firmware's variables: %s",
				      strerror(errno));
	err = path ? check_vars(path, *fd) : 0;
	if (err) {
		close(*fd);
		*fd = -1;
	}
	return err;
}
