/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <vmm/err.h>
#include <vmm/disk.h>

/*
 * Bytes that QEMU locks, too, so that neither writes what the other has open: 100 who reads, 101 who writes,
 * 201 who wants nobody to write.
 */
#define LOCK_READS      100
#define LOCK_WRITES     101
#define LOCK_NO_WRITERS 201
#define LOCK_END        210

static int lock_bytes(int fd, int command, short type, off_t from, off_t to)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = to - from };

	if (fcntl(fd, command, &lock))
		return errno == EAGAIN || errno == EACCES ? -EBUSY : 0;
	return command == F_OFD_GETLK && lock.l_type != F_UNLCK ? -EBUSY : 0;
}

int disk_lock_file(int fd, bool readonly)
{
	int err;

	if (!readonly)
		return lock_bytes(fd, F_OFD_SETLK, F_WRLCK, LOCK_READS, LOCK_END);
	err = lock_bytes(fd, F_OFD_SETLK, F_RDLCK, LOCK_READS, LOCK_READS + 1);
	if (!err)
		err = lock_bytes(fd, F_OFD_SETLK, F_RDLCK, LOCK_NO_WRITERS, LOCK_NO_WRITERS + 1);
	return err ? err : lock_bytes(fd, F_OFD_GETLK, F_WRLCK, LOCK_WRITES, LOCK_WRITES + 1);
}
