/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU, docs/interop/qcow2.txt: the image format qcow2, versions 2 and 3. All numbers in a file are big-endian.
 */
#ifndef SPEC_QCOW2_H
#define SPEC_QCOW2_H

#define QCOW2_MAGIC                     0x514649fb      /* "QFI\xfb" */
#define QCOW2_CLUSTER_BITS_MIN          9
#define QCOW2_CLUSTER_BITS_MAX          21
#define QCOW2_REFCOUNT_ORDER_V2         4
#define QCOW2_REFCOUNT_ORDER_MAX        6
#define QCOW2_BACKING_NAME_MAX          1023
#define QCOW2_HEADER_BYTES_V2           72
#define QCOW2_HEADER_BYTES_V3           104
#define QCOW2_SECTOR_BYTES              512             /* compressed clusters are counted in these */

/* Header: bit numbers of incompatible_features, compatible_features, autoclear_features. */
#define QCOW2_INCOMPAT_DIRTY            0
#define QCOW2_INCOMPAT_CORRUPT          1
#define QCOW2_INCOMPAT_DATA_FILE        2
#define QCOW2_INCOMPAT_COMPRESSION      3
#define QCOW2_INCOMPAT_EXTENDED_L2      4
#define QCOW2_COMPAT_LAZY_REFCOUNTS     0
#define QCOW2_AUTOCLEAR_BITMAPS         0
#define QCOW2_AUTOCLEAR_RAW_DATA_FILE   1

#define QCOW2_COMPRESSION_ZLIB          0               /* deflate without a header, window of 4 KiB */
#define QCOW2_COMPRESSION_ZSTD          1
#define QCOW2_ZLIB_WINDOW_BITS          12

/* Header extensions: a type, a length, data padded to 8. */
#define QCOW2_EXT_END                   0
#define QCOW2_EXT_BACKING_FORMAT        0xe2792aca
#define QCOW2_EXT_FEATURE_NAMES         0x6803f857
#define QCOW2_EXT_BITMAPS               0x23852875
#define QCOW2_EXT_ENCRYPTION            0x0537be77
#define QCOW2_EXT_DATA_FILE             0x44415441

/* Cluster mapping: entries of L1 and L2 tables, and of the refcount table. */
#define QCOW2_ENTRY_COPIED              (1ull << 63)    /* the refcount is exactly one */
#define QCOW2_ENTRY_COMPRESSED          (1ull << 62)    /* L2 */
#define QCOW2_ENTRY_ZERO                (1ull << 0)     /* L2, version 3: reads give zeroes */
#define QCOW2_ENTRY_OFFSET              0x00fffffffffffe00ull
#define QCOW2_REFTABLE_OFFSET           0xfffffffffffffe00ull

#ifndef __ASSEMBLER__
#include <stdint.h>

struct qcow2_header {
	uint32_t magic, version;
	uint64_t backing_offset;
	uint32_t backing_bytes, cluster_bits;
	uint64_t size;
	uint32_t crypt_method, l1_count;
	uint64_t l1_offset, reftable_offset;
	uint32_t reftable_clusters, snapshot_count;
	uint64_t snapshots_offset;
	/* Version 3 */
	uint64_t incompatible, compatible, autoclear;
	uint32_t refcount_order, header_bytes;
	uint8_t compression, padding[7];
};
_Static_assert(sizeof(struct qcow2_header) == 112, "qcow2: Header");

/* Snapshots: extra data, id and name follow; then the next at a multiple of 8. */
struct qcow2_snapshot_header {
	uint64_t l1_offset;
	uint32_t l1_count;
	uint16_t id_bytes, name_bytes;
	uint32_t date_sec, date_nsec;
	uint64_t vm_clock_ns;
	uint32_t vm_state_bytes, extra_bytes;
} __attribute__((packed));
_Static_assert(sizeof(struct qcow2_snapshot_header) == 40, "qcow2: Snapshots");
#endif

#endif
