/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of 9P messages in and out, and the spans of guest memory that they and their data are in.
 *
 * Nobody checks each word: who reads looks once at the end whether anything was wrong, who writes
 * whether there was room.
 */
#ifndef VIRTIO_9P_MESSAGE_H
#define VIRTIO_9P_MESSAGE_H

#include <sys/uio.h>

#include "9p.h"

/* A request, copied. What is not there reads as 0 and empty. */
struct p9_in {
	const uint8_t *p;
	size_t left;
	int err;        /* the first thing that was wrong */
};

uint8_t p9_get_u8(struct p9_in *in);
uint16_t p9_get_u16(struct p9_in *in);
uint32_t p9_get_u32(struct p9_in *in);
uint64_t p9_get_u64(struct p9_in *in);
/* A string without zero bytes that fits; @bytes with the zero behind it. */
void p9_get_string(struct p9_in *in, char *text, size_t bytes);
/* The name of something in a folder, and of nothing else. */
void p9_get_name(struct p9_in *in, char name[P9_NAME_BYTES]);

struct p9_out {
	uint8_t *p;
	size_t left;
	bool full;      /* something had no room and is not there */
};

void p9_put_u8(struct p9_out *out, uint8_t v);
void p9_put_u16(struct p9_out *out, uint16_t v);
void p9_put_u32(struct p9_out *out, uint32_t v);
void p9_put_u64(struct p9_out *out, uint64_t v);
void p9_put_bytes(struct p9_out *out, const void *bytes, size_t len);
void p9_put_string(struct p9_out *out, const char *text);

#define P9_SPANS_MAX 1024

size_t p9_spans_bytes(const struct iovec *iov, unsigned count);
/* From their beginning. Returns the bytes copied: less than @len if there are no more. */
size_t p9_spans_read(void *dst, const struct iovec *iov, unsigned count, size_t len);
/* What has no room is left out. */
void p9_spans_write(const struct iovec *iov, unsigned count, size_t skip, const void *src, size_t len);
/* The piece [skip, skip + len) of the spans, or its beginning: returns how many entries of @to, at most P9_SPANS_MAX. */
unsigned p9_spans_slice(const struct iovec *iov, unsigned count, size_t skip, size_t len, struct iovec *to);

#endif
