/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed clusters, read only: what is written goes to clusters of its own. Those unpacked last are kept, as a
 * guest reads a cluster in pieces. The entry of L2 is their name: nobody writes compressed clusters while we run, so
 * an entry that comes back means the same bytes.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include "qcow2.h"

/* zstd would take 128 MiB because a file says so. The levels in use ask for 8 MiB at most. */
#define ZSTD_WINDOW_BITS_MAX 24

static int inflate_all(const uint8_t *in, uint64_t in_bytes, uint8_t *out, uint64_t out_bytes)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)in,
		       .avail_in = (uInt)in_bytes,
		       .next_out = out,
		       .avail_out = (uInt)out_bytes };
	int ret;

	if (inflateInit2(&z, -QCOW2_ZLIB_WINDOW_BITS) != Z_OK)
		return -ENOMEM;
	ret = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	/* More than a cluster is cut off; the padding behind the data may look like more of them. */
	return (ret == Z_STREAM_END || ret == Z_BUF_ERROR) && !z.avail_out ? 0 : -EIO;
}

static int unzstd_all(const uint8_t *in, uint64_t in_bytes, uint8_t *out, uint64_t out_bytes)
{
	ZSTD_inBuffer from = { in, in_bytes, 0 };
	ZSTD_outBuffer to = { out, out_bytes, 0 };
	ZSTD_DCtx *z = ZSTD_createDCtx();
	size_t ret = 1;

	if (!z)
		return -ENOMEM;
	ZSTD_DCtx_setParameter(z, ZSTD_d_windowLogMax, ZSTD_WINDOW_BITS_MAX);
	while (to.pos < to.size && ret) {
		size_t before = from.pos + to.pos;

		ret = ZSTD_decompressStream(z, &to, &from);
		if (ZSTD_isError(ret) || from.pos + to.pos == before)
			break;
	}
	ZSTD_freeDCtx(z);
	return to.pos == to.size ? 0 : -EIO;
}

static int unpack(struct qcow2 *q, uint64_t entry, uint8_t *data)
{
	uint64_t host, bytes, first, end, sector = q->file->info.logical_bytes;
	uint8_t *in;
	int err;

	qcow2_packed_place(q, entry, &host, &bytes);
	first = align_down(host, sector);
	end = align_up(host + bytes, sector);
	in = qcow2_buffer(end - first);
	if (!in)
		return -ENOMEM;
	err = qcow2_pread(q, in, end - first, first);
	if (!err)
		err = (q->header.compression == QCOW2_COMPRESSION_ZSTD ? unzstd_all : inflate_all)(
			in + (host - first), bytes, data, q->cluster_bytes);
	free(in);
	if (err == -EIO)
		log_err(0, "disk %s: the compressed cluster at 0x%llx cannot be read or unpacked: vmm disk check %s",
			q->l->name, (unsigned long long)host, q->l->name);
	return err;
}

static bool have(struct qcow2 *q, uint64_t entry, uint64_t from, uint64_t bytes, uint8_t *data)
{
	struct qcow2_unpacked *u = &q->unpacked;
	bool found = false;

	pthread_mutex_lock(&u->lock);
	for (unsigned i = 0; i < QCOW2_UNPACKED && !found; i++) {
		found = u->slot[i].entry == entry;
		if (found)
			memcpy(data, u->slot[i].data + from, bytes);
	}
	pthread_mutex_unlock(&u->lock);
	return found;
}

/* Takes @cluster. */
static void keep(struct qcow2 *q, uint64_t entry, uint8_t *cluster)
{
	struct qcow2_unpacked *u = &q->unpacked;
	uint8_t *old;

	pthread_mutex_lock(&u->lock);
	old = u->slot[u->next].data;
	u->slot[u->next].entry = entry;
	u->slot[u->next].data = cluster;
	u->next = (u->next + 1) % QCOW2_UNPACKED;
	pthread_mutex_unlock(&u->lock);
	free(old);
}

int qcow2_unpack(struct qcow2 *q, uint64_t entry, uint64_t from, uint64_t bytes, uint8_t *data)
{
	uint8_t *cluster;
	int err;

	if (have(q, entry, from, bytes, data))
		return 0;
	cluster = qcow2_buffer(q->cluster_bytes);
	err = cluster ? unpack(q, entry, cluster) : -ENOMEM;
	if (err) {
		free(cluster);
		return err;
	}
	memcpy(data, cluster + from, bytes);
	keep(q, entry, cluster);
	return 0;
}

void qcow2_unpacked_free(struct qcow2 *q)
{
	for (unsigned i = 0; i < QCOW2_UNPACKED; i++)
		free(q->unpacked.slot[i].data);
}
