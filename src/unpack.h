/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decompression as reading: the caller asks for as many bytes as it has room
 * for, so nothing is ever unpacked that has no place to go.
 */
#ifndef SRC_UNPACK_H
#define SRC_UNPACK_H

#include <vmm/types.h>

struct unpack;

/*
 * Bytes [offset, offset + len) of @fd, compressed as their magic says. NULL:
 * the magic is nobody's, or no memory. @name is the format's.
 */
struct unpack *unpack_open(int fd, uint64_t offset, uint64_t len, const char **name);

/*
 * Up to @len unpacked bytes; fewer only at the end. -ENODATA: the input ends
 * too early; -EBADMSG: it is damaged; -ENOMEM; -errno of reading it.
 */
int64_t unpack_read(struct unpack *u, uint8_t *dst, uint64_t len);
void unpack_close(struct unpack *u);

/* Name of the format that begins like this, or NULL. */
const char *unpack_name(const uint8_t *head, size_t len);

#endif
