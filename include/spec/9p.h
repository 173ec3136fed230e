/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 9P2000.L protocol as Linux speaks it: "9P2000.L Protocol" of the diod project, after
 * "intro(5)" of Plan 9; and OASIS virtio 1.2's configuration of its transport (the device type
 * is reserved there; Linux, include/uapi/linux/virtio_9p.h). Everything is little-endian; a
 * string is its length in 2 bytes and as many bytes. Usable from C and from assembly.
 */
#ifndef SPEC_9P_H
#define SPEC_9P_H

/* Configuration space: uint16_t length of the mount tag, then the tag. */
#define VIRTIO_9P_MOUNT_TAG     0       /* bit number of the feature that says it is there */

/* size[4] type[1] tag[2] begin every message. */
#define P9_HEADER_BYTES         7
#define P9_READ_HEADER_BYTES    11      /* of Rread and Rreaddir: with count[4] */
#define P9_WRITE_HEADER_BYTES   23      /* of Twrite: with fid[4] offset[8] count[4] */
#define P9_IO_HEADER_BYTES      24      /* what an iounit leaves free of msize */
#define P9_QID_BYTES            13
#define P9_MSIZE_MIN            4096    /* less is no use: getattr and names must fit */

#define P9_VERSION              "9P2000.L"
#define P9_NO_TAG               0xffff
#define P9_NO_FID               0xffffffff
#define P9_NO_UID               0xffffffff
#define P9_WALK_MAX             16

/* Types of requests; the answer is one more. */
#define P9_TLERROR              6
#define P9_TSTATFS              8
#define P9_TLOPEN               12
#define P9_TLCREATE             14
#define P9_TSYMLINK             16
#define P9_TMKNOD               18
#define P9_TRENAME              20
#define P9_TREADLINK            22
#define P9_TGETATTR             24
#define P9_TSETATTR             26
#define P9_TXATTRWALK           30
#define P9_TXATTRCREATE         32
#define P9_TREADDIR             40
#define P9_TFSYNC               50
#define P9_TLOCK                52
#define P9_TGETLOCK             54
#define P9_TLINK                70
#define P9_TMKDIR               72
#define P9_TRENAMEAT            74
#define P9_TUNLINKAT            76
#define P9_TVERSION             100
#define P9_TAUTH                102
#define P9_TATTACH              104
#define P9_TFLUSH               108
#define P9_TWALK                110
#define P9_TREAD                116
#define P9_TWRITE               118
#define P9_TCLUNK               120
#define P9_TREMOVE              122
#define P9_RLERROR              (P9_TLERROR + 1)

/* qid.type */
#define P9_QTDIR                0x80
#define P9_QTSYMLINK            0x02
#define P9_QTFILE               0x00

/* Flags of lopen and lcreate: Linux's of most architectures. */
#define P9_L_ACCMODE            00000003
#define P9_L_WRONLY             00000001
#define P9_L_RDWR               00000002
#define P9_L_EXCL               00000200
#define P9_L_TRUNC              00001000
#define P9_L_APPEND             00002000
#define P9_L_DSYNC              00010000
#define P9_L_SYNC               04000000

/* getattr's masks. */
#define P9_GETATTR_BASIC        0x7ff

/* setattr's. */
#define P9_SETATTR_MODE         0x001
#define P9_SETATTR_UID          0x002
#define P9_SETATTR_GID          0x004
#define P9_SETATTR_SIZE         0x008
#define P9_SETATTR_ATIME        0x010
#define P9_SETATTR_MTIME        0x020
#define P9_SETATTR_CTIME        0x040
#define P9_SETATTR_ATIME_SET    0x080
#define P9_SETATTR_MTIME_SET    0x100

#define P9_UNLINK_DIR           0x200   /* unlinkat: AT_REMOVEDIR */
#define P9_XATTR_CREATE         1
#define P9_XATTR_REPLACE        2

#define P9_LOCK_TYPE_UNLCK      2
#define P9_LOCK_SUCCESS         0

#define P9_STATFS_TYPE          0x01021997      /* V9FS_MAGIC */

#endif
