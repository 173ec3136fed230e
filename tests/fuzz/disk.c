/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The door of disk images: a file that anybody made, opened, read, written, checked and repaired. Requests come
 * first in an input, then the file.
 */
#include <fcntl.h>
#include <vmm/disk.h>

#include "fuzz.h"

#define REQUEST_BYTES_MAX (128 * KIB)

struct request {
	uint8_t op, sectors;
	uint16_t place;
	uint32_t offset;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fuzz_quiet();
	return 0;
}

/* Near the beginning, near the end, or anywhere. */
static uint64_t offset_of(const struct disk_layer *l, const struct request *r, uint64_t bytes)
{
	uint64_t at = (uint64_t)r->offset * DISK_SECTOR_BYTES << (r->place & 31);

	if (r->place & 0x8000)
		at = l->info.bytes - bytes - r->offset % 64 * DISK_SECTOR_BYTES;
	return at / DISK_SECTOR_BYTES * DISK_SECTOR_BYTES;
}

static void one_request(struct disk_layer *l, const struct request *r, uint8_t *b)
{
	uint64_t bytes = (uint64_t)(r->sectors + 1) * DISK_SECTOR_BYTES, offset = offset_of(l, r, bytes), run = bytes;
	struct iovec iov[2] = { { b, 100 }, { b + 100, bytes - 100 } };
	unsigned flags = r->op & 0x10 ? DISK_NOWAIT : 0;
	struct disk_check found;

	switch (r->op & 7) {
	case 0:
	case 1: l->type->read(l, offset, iov, 2, flags); break;
	case 2:
	case 3:
		memset(b, r->op, bytes);
		l->type->write(l, offset, iov, 2, flags);
		break;
	case 4: l->type->discard(l, offset, r->op & 0x20 ? l->info.bytes : bytes); break;
	case 5: l->type->write_zeroes(l, offset, bytes, r->op & 0x20); break;
	case 6: l->type->flush(l); break;
	case 7:
		if (r->op & 0x20 && !l->info.readonly)
			l->type->check(l, r->op & 0x40, &found);
		else
			l->type->extent(l, offset, &run);
		EXPECT(run <= bytes);
	}
}

static void use(const char *path, bool readonly, bool metadata_only, struct input in)
{
	struct disk_config cfg = {
		.said = "fuzz", .file = path, .readonly = readonly, .metadata_only = metadata_only, .no_uring = true
	};
	unsigned count = take_u8(&in) & 63;
	struct disk_layer *l;
	struct request r;
	uint8_t *b;

	if (disk_layer_open(path, "qcow2", &cfg, &l)) {
		EXPECT(!l);
		return;
	}
	EXPECT(!(l->info.bytes % DISK_SECTOR_BYTES) && (!readonly || l->info.readonly));
	b = malloc(REQUEST_BYTES_MAX);
	while (b && count-- && l->info.bytes) {
		take(&in, &r, sizeof(r));
		one_request(l, &r, b);
	}
	free(b);
	disk_layer_close(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t head = 1 + (size ? (data[0] & 63) * sizeof(struct request) : 0);
	struct fuzz_file f;

	/* The network is nobody's to fuzz, and /dev has things that have effects. */
	if (size < head || memmem(data, size, "nbd", 3) || memmem(data, size, "/dev", 4))
		return 0;
	f = fuzz_file(data + head, size - head);
	use(f.path, true, false, (struct input){ data, head });
	use(f.path, false, data[0] & 64, (struct input){ data, head });
	/* What we have left is opened again. */
	use(f.path, false, data[0] & 128, (struct input){ data, head });
	close(f.fd);
	return 0;
}
