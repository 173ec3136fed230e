/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "Vhost-user Protocol" (QEMU's docs/interop/vhost-user.rst): messages between who has the
 * virtual machine (the front end) and who works on its rings (the back end), over a unix
 * stream socket; file descriptors come with them. Usable from C and from assembly.
 */
#ifndef SPEC_VHOST_USER_H
#define SPEC_VHOST_USER_H

#define VHOST_USER_GET_FEATURES         1
#define VHOST_USER_SET_FEATURES         2
#define VHOST_USER_SET_OWNER            3
#define VHOST_USER_SET_MEM_TABLE        5
#define VHOST_USER_SET_VRING_NUM        8
#define VHOST_USER_SET_VRING_ADDR       9
#define VHOST_USER_SET_VRING_BASE       10
#define VHOST_USER_GET_VRING_BASE       11
#define VHOST_USER_SET_VRING_KICK       12
#define VHOST_USER_SET_VRING_CALL       13

/* Flags of a message. */
#define VHOST_USER_VERSION              1
#define VHOST_USER_VERSION_MASK         3
#define VHOST_USER_REPLY                (1 << 2)

#define VHOST_USER_REGIONS_MAX          8

#ifndef __ASSEMBLER__
#include <stdint.h>

struct vhost_user_header {
	uint32_t request, flags, size;  /* size: of the payload */
};

struct vhost_user_vring_state {
	uint32_t index, num;
};

struct vhost_user_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;        /* addresses of the front end's */
};

struct vhost_user_memory {
	uint32_t count, padding;
	struct vhost_user_region {
		uint64_t guest_addr, bytes, front_end_addr, offset;
	} region[VHOST_USER_REGIONS_MAX];
};

union vhost_user_payload {
	uint64_t u64;
	struct vhost_user_vring_state state;
	struct vhost_user_vring_addr addr;
	struct vhost_user_memory memory;
};
_Static_assert(sizeof(struct vhost_user_header) == 12 && sizeof(struct vhost_user_vring_addr) == 40 &&
		       sizeof(struct vhost_user_region) == 32,
	       "vhost-user: others lay these out the same way");
#endif

#endif
