/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words of 9P messages in and out, and the spans of guest memory that they and their data are in.
 * Nothing here knows what a message says.
 */
#include <errno.h>
#include <string.h>

#include "9p-message.h"

/* ---- Reading ---- */

static uint64_t get_number(struct p9_in *in, size_t bytes)
{
	uint64_t v = 0;

	if (in->left < bytes) {
		in->left = 0;
		if (!in->err)
			in->err = -EBADMSG;
		return 0;
	}
	memcpy(&v, in->p, bytes);
	in->p += bytes;
	in->left -= bytes;
	return v;
}

uint8_t p9_get_u8(struct p9_in *in) { return (uint8_t)get_number(in, 1); }
uint16_t p9_get_u16(struct p9_in *in) { return (uint16_t)get_number(in, 2); }
uint32_t p9_get_u32(struct p9_in *in) { return (uint32_t)get_number(in, 4); }
uint64_t p9_get_u64(struct p9_in *in) { return get_number(in, 8); }

void p9_get_string(struct p9_in *in, char *text, size_t bytes)
{
	size_t len = p9_get_u16(in);

	*text = 0;
	if (len > in->left) {
		get_number(in, SIZE_MAX);
		return;
	}
	if (len >= bytes)
		in->err = in->err ? in->err : -ENAMETOOLONG;
	else if (memchr(in->p, 0, len))
		in->err = in->err ? in->err : -EINVAL;
	else {
		memcpy(text, in->p, len);
		text[len] = 0;
	}
	in->p += len;
	in->left -= len;
}

void p9_get_name(struct p9_in *in, char name[P9_NAME_BYTES])
{
	p9_get_string(in, name, P9_NAME_BYTES);
	if (!in->err && (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, "..")))
		in->err = -EINVAL;
	if (in->err)
		*name = 0;
}

/* ---- Writing ---- */

void p9_put_bytes(struct p9_out *out, const void *bytes, size_t len)
{
	if (len > out->left) {
		out->full = true;
		return;
	}
	memcpy(out->p, bytes, len);
	out->p += len;
	out->left -= len;
}

void p9_put_u8(struct p9_out *out, uint8_t v) { p9_put_bytes(out, &v, sizeof(v)); }
void p9_put_u16(struct p9_out *out, uint16_t v) { p9_put_bytes(out, &v, sizeof(v)); }
void p9_put_u32(struct p9_out *out, uint32_t v) { p9_put_bytes(out, &v, sizeof(v)); }
void p9_put_u64(struct p9_out *out, uint64_t v) { p9_put_bytes(out, &v, sizeof(v)); }

void p9_put_string(struct p9_out *out, const char *text)
{
	size_t len = strlen(text);

	p9_put_u16(out, (uint16_t)len);
	p9_put_bytes(out, text, len);
}

/* ---- Spans ---- */

size_t p9_spans_bytes(const struct iovec *iov, unsigned count)
{
	size_t n = 0;

	for (unsigned i = 0; i < count; i++)
		n += iov[i].iov_len;
	return n;
}

size_t p9_spans_read(void *dst, const struct iovec *iov, unsigned count, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < count && done < len; i++) {
		size_t n = iov[i].iov_len < len - done ? iov[i].iov_len : len - done;

		memcpy((uint8_t *)dst + done, iov[i].iov_base, n);
		done += n;
	}
	return done;
}

void p9_spans_write(const struct iovec *iov, unsigned count, size_t skip, const void *src, size_t len)
{
	for (unsigned i = 0; i < count && len; i++) {
		size_t n = iov[i].iov_len;

		if (skip >= n) {
			skip -= n;
			continue;
		}
		n = n - skip < len ? n - skip : len;
		memcpy((uint8_t *)iov[i].iov_base + skip, src, n);
		src = (const uint8_t *)src + n;
		len -= n;
		skip = 0;
	}
}

unsigned p9_spans_slice(const struct iovec *iov, unsigned count, size_t skip, size_t len, struct iovec *to)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count && len && n < P9_SPANS_MAX; i++) {
		size_t have = iov[i].iov_len;

		if (skip >= have) {
			skip -= have;
			continue;
		}
		have = have - skip < len ? have - skip : len;
		to[n++] = (struct iovec){ (uint8_t *)iov[i].iov_base + skip, have };
		len -= have;
		skip = 0;
	}
	return n;
}
