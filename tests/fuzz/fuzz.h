/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput:
 * bytes come in by one of the doors that somebody we do not trust can reach, and
 * whatever they are, the process must neither crash nor hang nor leak nor break
 * what the target EXPECTs.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vmm/log.h>
#include <vmm/types.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(x)                                                                       \
	do {                                                                            \
		if (!(x)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                        \
		}                                                                       \
	} while (0)

/* Refusals are what most inputs get: silent, unless somebody looks at one input with VMM_FUZZ_LOG set. */
static inline void fuzz_quiet(void)
{
	if (!getenv("VMM_FUZZ_LOG"))
		log_set_level((enum log_level)-1);
}

/* ---- An input, taken from the front; beyond its end there are zeroes ---- */

struct input {
	const uint8_t *p;
	size_t left;
};

static inline void take(struct input *in, void *dst, size_t len)
{
	size_t n = len < in->left ? len : in->left;

	memset(dst, 0, len);
	if (n)
		memcpy(dst, in->p, n);
	in->p += n;
	in->left -= n;
}

static inline uint8_t take_u8(struct input *in) { uint8_t v; take(in, &v, sizeof(v)); return v; }
static inline uint16_t take_u16(struct input *in) { uint16_t v; take(in, &v, sizeof(v)); return v; }
static inline uint32_t take_u32(struct input *in) { uint32_t v; take(in, &v, sizeof(v)); return v; }
static inline uint64_t take_u64(struct input *in) { uint64_t v; take(in, &v, sizeof(v)); return v; }

/* ---- More from a seed than the input has ---- */

static inline uint64_t xorshift(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* ---- Bytes as a file ---- */

struct fuzz_file {
	int fd;
	char path[32];
};

static inline struct fuzz_file fuzz_file(const void *bytes, size_t len)
{
	struct fuzz_file f = { .fd = memfd_create("input", MFD_CLOEXEC) };

	EXPECT(f.fd >= 0 && write(f.fd, bytes, len) == (ssize_t)len);
	snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
	return f;
}

#endif
