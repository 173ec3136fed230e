/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One row per format; all but two are thin covers of their libraries, which
 * share the idea of next_in, avail_in, next_out, avail_out.
 *
 * What follows the first stream is ignored: kernels carry their size there.
 */
#include <lz4.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <vmm/err.h>
#include "unpack.h"

#define IN_BYTES         (64 * KIB)
#define LZMA_MEMORY_MAX  (512 * MIB) /* the dictionary is the file's choice */
#define LZ4_LEGACY_BLOCK (8 * MIB)

struct codec {
	const char *name;
	uint8_t magic[9], magic_len;
	int (*open)(struct unpack *u);
	/*
	 * Uses input u->in[u->in_at, u->in_len), produces up to @len bytes; *made is how many. 0: go on
	 * (with more input if it is used up), 1: the end, or -errno.
	 */
	int (*step)(struct unpack *u, uint8_t *dst, size_t len, size_t *made);
	void (*close)(struct unpack *u);
};

/* Formats of whole blocks: one is unpacked here, then handed out. */
struct blocks {
	uint8_t *packed, *plain;
	size_t plain_at, plain_len;
	bool started;
};

struct unpack {
	const struct codec *codec;
	int fd;
	uint64_t at, end; /* of the file, not read yet */
	uint8_t in[IN_BYTES];
	size_t in_at, in_len;
	bool done;
	union {
		z_stream z;
		ZSTD_DStream *zstd;
		LZ4F_dctx *lz4;
		lzma_stream lzma;
		struct blocks blocks;
	};
};

/* Returns bytes now available, 0 at the end, -errno. */
static int64_t fill(struct unpack *u)
{
	size_t want = u->end - u->at < IN_BYTES ? (size_t)(u->end - u->at) : IN_BYTES;
	ssize_t n;

	if (u->in_at < u->in_len)
		return (int64_t)(u->in_len - u->in_at);
	do
		n = want ? pread(u->fd, u->in, want, (off_t)u->at) : 0;
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	u->in_at = 0;
	u->in_len = (size_t)n;
	u->at += (uint64_t)n;
	return n;
}

/* ---- gzip ---- */

static int gzip_open(struct unpack *u) { return inflateInit2(&u->z, 16 + MAX_WBITS) == Z_OK ? 0 : -ENOMEM; }

static int gzip_step(struct unpack *u, uint8_t *dst, size_t len, size_t *made)
{
	uInt room = len < IN_BYTES ? (uInt)len : (uInt)IN_BYTES;
	int r;

	u->z.next_in = u->in + u->in_at;
	u->z.avail_in = (uInt)(u->in_len - u->in_at);
	u->z.next_out = dst;
	u->z.avail_out = room;
	r = inflate(&u->z, Z_NO_FLUSH);
	u->in_at = u->in_len - u->z.avail_in;
	*made = room - u->z.avail_out;
	if (r == Z_MEM_ERROR)
		return -ENOMEM;
	return r == Z_STREAM_END ? 1 : r == Z_OK || r == Z_BUF_ERROR ? 0 : -EBADMSG;
}

static void gzip_close(struct unpack *u) { inflateEnd(&u->z); }

/* ---- zstd ---- */

static int zstd_open(struct unpack *u)
{
	u->zstd = ZSTD_createDStream();
	return u->zstd ? 0 : -ENOMEM;
}

static int zstd_step(struct unpack *u, uint8_t *dst, size_t len, size_t *made)
{
	ZSTD_inBuffer in = { u->in, u->in_len, u->in_at };
	ZSTD_outBuffer out = { dst, len, 0 };
	size_t r = ZSTD_decompressStream(u->zstd, &out, &in);

	u->in_at = in.pos;
	*made = out.pos;
	return ZSTD_isError(r) ? -EBADMSG : r == 0;
}

static void zstd_close(struct unpack *u) { ZSTD_freeDStream(u->zstd); }

/* ---- lz4, the frame format ---- */

static int lz4_open(struct unpack *u)
{
	return LZ4F_isError(LZ4F_createDecompressionContext(&u->lz4, LZ4F_VERSION)) ? -ENOMEM : 0;
}

static int lz4_step(struct unpack *u, uint8_t *dst, size_t len, size_t *made)
{
	size_t used = u->in_len - u->in_at, r;

	*made = len;
	r = LZ4F_decompress(u->lz4, dst, made, u->in + u->in_at, &used, NULL);
	u->in_at += used;
	if (LZ4F_isError(r)) {
		*made = 0;
		return -EBADMSG;
	}
	return r == 0;
}

static void lz4_close(struct unpack *u) { LZ4F_freeDecompressionContext(u->lz4); }

/* ---- xz and lzma ---- */

static int lzma_open(struct unpack *u)
{
	u->lzma = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_auto_decoder(&u->lzma, LZMA_MEMORY_MAX, 0) == LZMA_OK ? 0 : -ENOMEM;
}

static int lzma_step(struct unpack *u, uint8_t *dst, size_t len, size_t *made)
{
	lzma_ret r;

	u->lzma.next_in = u->in + u->in_at;
	u->lzma.avail_in = u->in_len - u->in_at;
	u->lzma.next_out = dst;
	u->lzma.avail_out = len;
	r = lzma_code(&u->lzma, LZMA_RUN);
	u->in_at = u->in_len - u->lzma.avail_in;
	*made = len - u->lzma.avail_out;
	if (r == LZMA_MEM_ERROR || r == LZMA_MEMLIMIT_ERROR)
		return -ENOMEM;
	return r == LZMA_STREAM_END ? 1 : r == LZMA_OK || r == LZMA_BUF_ERROR ? 0 : -EBADMSG;
}

static void lzma_close(struct unpack *u) { lzma_end(&u->lzma); }

/* ---- Blocks ---- */

/* Exactly @len bytes of input; fewer at its end. */
static int64_t take(struct unpack *u, uint8_t *dst, size_t len)
{
	size_t done = 0;

	while (done < len) {
		int64_t n = fill(u);
		size_t part;

		if (n < 0)
			return n;
		if (!n)
			break;
		part = (size_t)n < len - done ? (size_t)n : len - done;
		memcpy(dst + done, u->in + u->in_at, part);
		u->in_at += part;
		done += part;
	}
	return (int64_t)done;
}

static bool take_all(struct unpack *u, void *dst, size_t len, int *err)
{
	int64_t n = take(u, dst, len);

	*err = n < 0 ? (int)n : (size_t)n < len ? -ENODATA : 0;
	return !*err;
}

static uint32_t le32(const uint8_t *p) { return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24; }

/* Unpacks the next block with @next (0, 1 at the end, -errno) when the last one is used up. */
static int blocks_step(struct unpack *u, uint8_t *dst, size_t len, size_t *made, int (*next)(struct unpack *u))
{
	struct blocks *b = &u->blocks;
	int r;

	*made = 0;
	if (b->plain_at == b->plain_len) {
		b->plain_at = b->plain_len = 0;
		r = next(u);
		if (r)
			return r;
	}
	*made = b->plain_len - b->plain_at < len ? b->plain_len - b->plain_at : len;
	memcpy(dst, b->plain + b->plain_at, *made);
	b->plain_at += *made;
	return 0;
}

static void blocks_close(struct unpack *u)
{
	free(u->blocks.packed);
	free(u->blocks.plain);
}

/* ---- lz4 -l: a magic, then blocks of 8 MiB, each with its packed size ---- */

static int lz4_legacy_open(struct unpack *u)
{
	u->blocks.packed = malloc((size_t)LZ4_COMPRESSBOUND(LZ4_LEGACY_BLOCK));
	u->blocks.plain = malloc(LZ4_LEGACY_BLOCK);
	if (u->blocks.packed && u->blocks.plain)
		return 0;
	blocks_close(u);
	return -ENOMEM;
}

static int lz4_legacy_next(struct unpack *u)
{
	struct blocks *b = &u->blocks;
	uint8_t word[4];
	uint32_t size;
	int64_t n;
	int err, out;

	if (!b->started && !take_all(u, word, sizeof(word), &err))
		return err;
	b->started = true;
	n = take(u, word, sizeof(word));
	if (n < 0)
		return (int)n;
	size = le32(word);
	/* Not a block's size: the kernel's own size, which its build appends. */
	if (n < 4 || size > (uint32_t)LZ4_COMPRESSBOUND(LZ4_LEGACY_BLOCK))
		return 1;
	n = take(u, b->packed, size);
	if (n < 0)
		return (int)n;
	if (!n)
		return 1;
	if ((uint32_t)n < size)
		return -ENODATA;
	out = LZ4_decompress_safe((const char *)b->packed, (char *)b->plain, (int)size, (int)LZ4_LEGACY_BLOCK);
	if (out < 0)
		return -EBADMSG;
	b->plain_len = (size_t)out;
	return 0;
}

static int lz4_legacy_step(struct unpack *u, uint8_t *dst, size_t len, size_t *made)
{
	return blocks_step(u, dst, len, made, lz4_legacy_next);
}

/* ---- The table ---- */

static const struct codec codecs[] = {
	{ "gzip", { 0x1f, 0x8b, 8 }, 3, gzip_open, gzip_step, gzip_close },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, zstd_open, zstd_step, zstd_close },
	{ "lz4", { 0x04, 0x22, 0x4d, 0x18 }, 4, lz4_open, lz4_step, lz4_close },
	{ "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, lz4_legacy_open, lz4_legacy_step, blocks_close },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, lzma_open, lzma_step, lzma_close },
	{ "lzma", { 0x5d, 0, 0 }, 3, lzma_open, lzma_step, lzma_close },
};

static const struct codec *codec_find(const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(codecs); i++)
		if (len >= codecs[i].magic_len && !memcmp(head, codecs[i].magic, codecs[i].magic_len))
			return &codecs[i];
	return NULL;
}

const char *unpack_name(const uint8_t *head, size_t len)
{
	const struct codec *c = codec_find(head, len);

	return c ? c->name : NULL;
}

struct unpack *unpack_open(int fd, uint64_t offset, uint64_t len, const char **name)
{
	struct unpack *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->fd = fd;
	u->at = offset;
	u->end = offset + len;
	if (fill(u) > 0)
		u->codec = codec_find(u->in, u->in_len);
	if (!u->codec || u->codec->open(u)) {
		free(u);
		return NULL;
	}
	*name = u->codec->name;
	return u;
}

int64_t unpack_read(struct unpack *u, uint8_t *dst, uint64_t len)
{
	uint64_t done = 0;

	while (done < len && !u->done) {
		size_t before, made = 0;
		int64_t n = fill(u);
		int r;

		if (n < 0)
			return n;
		before = u->in_at;
		r = u->codec->step(u, dst + done, len - done, &made);
		if (r < 0)
			return r;
		done += made;
		u->done = r;
		/* No input left, nothing used, nothing made: it will never end. */
		if (!r && !made && u->in_at == before && fill(u) <= 0)
			return -ENODATA;
	}
	return (int64_t)done;
}

void unpack_close(struct unpack *u)
{
	if (!u)
		return;
	u->codec->close(u);
	free(u);
}
