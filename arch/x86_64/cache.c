/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The code cache of one vCPU (struct jit_cache): memory that is writable in one
 * place and executable in another, and which block is where.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/opt.h>

#include "jit.h"

enum {
	HASH_SIZE = 1 << 15,
	PAGE_HASH_SIZE = 1 << 12,
	HEAT_PAGES = 2048,
	BYTES_PER_BLOCK = 128, /* fewer are rare; then a segment is full earlier */
	CODE_ALIGN = 16,
};

/* Which instructions of a page have been entered at. */
struct jit_heat {
	uint64_t words[16];
};

/* ---- Finding ---- */

static uint32_t *hash_slot(struct jit_cache *t, uint64_t pa)
{
	return &t->hash[(pa >> 2 ^ pa >> 17) & (HASH_SIZE - 1)];
}

static uint32_t *page_slot(struct jit_cache *t, uint64_t pa)
{
	return &t->pages[(pa >> 12 ^ pa >> 24) & (PAGE_HASH_SIZE - 1)];
}

struct jit_block *jit_find(struct jit_cache *t, uint64_t pa, uint32_t key)
{
	for (uint32_t n = *hash_slot(t, pa); n; n = t->blocks[n].next)
		if (t->blocks[n].pa == pa && t->blocks[n].key == key)
			return &t->blocks[n];
	return NULL;
}

/* ---- Heat ---- */

/*
 * A bit for each instruction of a page, without a look at whose they are: pages that share
 * theirs are translated a little earlier, or interpreted once more.
 */
static uint64_t *heat_of(const struct jit_cache *t, uint64_t pa)
{
	return t->heat[(pa >> 12 ^ pa >> 23) & (HEAT_PAGES - 1)].words;
}

bool jit_is_warm(struct jit_cache *t, uint64_t pa)
{
	uint64_t *w = &heat_of(t, pa)[pa >> 8 & 15], bit = UINT64_C(1) << (pa >> 2 & 63);
	bool warm = *w & bit;

	*w |= bit;
	return warm;
}

/* ---- Invalidation ---- */

static void unhash(struct jit_cache *t, const struct jit_block *b)
{
	uint32_t *p = hash_slot(t, b->pa), n = (uint32_t)(b - t->blocks);

	while (*p != n)
		p = &t->blocks[*p].next;
	*p = b->next;
}

/*
 * Whoever still jumps to the block gets to the dispatcher. No return address of a slow
 * path lies in the bytes replaced: the shortest code before one is a call of exec_.
 */
static void bury(struct jit_cache *t, struct jit_block *b)
{
	struct x86 a = { t->rw + b->code };

	unhash(t, b);
	b->live = false;
	x86_mov_imm(&a, RDX, b->pa & 4095);
	x86_aim(x86_jmp(&a), t->dead - t->rx + t->rw);
}

void jit_kill_page(struct jit_cache *t, uint64_t pa)
{
	uint32_t *p = page_slot(t, pa);

	while (*p) {
		struct jit_block *b = &t->blocks[*p];

		if (b->pa >> 12 != pa >> 12) {
			p = &b->next_in_page;
			continue;
		}
		*p = b->next_in_page;
		bury(t, b);
	}
	memset(heat_of(t, pa), 0, sizeof(t->heat->words));
}

void jit_kill_all(struct jit_cache *t)
{
	for (unsigned k = 0; k < PAGE_HASH_SIZE; k++)
		while (t->pages[k])
			jit_kill_page(t, t->blocks[t->pages[k]].pa);
	memset(t->heat, 0, HEAT_PAGES * sizeof(*t->heat));
}

/* ---- Room ---- */

static uint8_t *segment_start(const struct jit_cache *t, unsigned n) { return t->rw + n * t->segment_bytes; }

/* The first segment begins with the thunks. */
static void open_segment(struct jit_cache *t, unsigned n)
{
	uint8_t *start = segment_start(t, n);

	t->segment = n;
	t->hot_end = t->cold = start + align_up(t->segment_bytes * 5 / 9, 64);
	t->cold_end = start + t->segment_bytes;
	t->hot = n ? start : t->rw + align_up((uint64_t)(t->thunks_end - t->rw), 64);
	t->block = 1 + n * t->segment_blocks;
	t->block_end = t->block + t->segment_blocks;
}

static void empty_segment(struct cpu *c, struct jit_cache *t, unsigned n)
{
	for (uint32_t k = 1 + n * t->segment_blocks; k < 1 + (n + 1) * t->segment_blocks; k++)
		if (t->blocks[k].live)
			jit_kill_page(t, t->blocks[k].pa);
	mmu_jc_forget(c, t->rx + (segment_start(t, n) - t->rw), t->segment_bytes);
	t->emptied++;
}

void jit_make_room(struct cpu *c, struct jit_cache *t)
{
	unsigned next = (t->segment + 1) % JIT_SEGMENTS;

	if (t->hot + JIT_HOT_ROOM <= t->hot_end && t->cold + JIT_COLD_ROOM <= t->cold_end && t->block < t->block_end)
		return;
	empty_segment(c, t, next);
	open_segment(t, next);
}

/* A line of a perf map: address and size in hexadecimal, name. (Linux, tools/perf/Documentation/jit-interface.txt) */
static void map_line(struct jit_cache *t, const uint8_t *start, const uint8_t *end, uint64_t pa, const char *what)
{
	if (end > start)
		fprintf(t->perf, "%" PRIxPTR " %zx %s 0x%" PRIx64 "\n", (uintptr_t)(t->rx + (start - t->rw)),
			(size_t)(end - start), what, pa);
}

struct jit_block *jit_publish(struct jit_cache *t, const struct jit_block *block, uint8_t *hot, uint8_t *cold)
{
	struct jit_block *b = &t->blocks[t->block];
	uint8_t *start = t->hot;

	*b = *block;
	b->code = (uint32_t)(start - t->rw);
	b->live = true;
	b->next = *hash_slot(t, b->pa);
	*hash_slot(t, b->pa) = t->block;
	b->next_in_page = *page_slot(t, b->pa);
	*page_slot(t, b->pa) = t->block;
	t->block++;
	if (t->perf) {
		map_line(t, start, hot, b->pa, "guest");
		map_line(t, t->cold, cold, b->pa, "guest-cold");
	}
	if (hot < start + JIT_ENTRY_BYTES)
		hot = start + JIT_ENTRY_BYTES;
	t->hot = t->rw + align_up((uint64_t)(hot - t->rw), CODE_ALIGN);
	t->cold = cold;
	return b;
}

/* ---- Life ---- */

static int refused(const struct jit_cache *t)
{
	char text[32];
	int err = -errno;

	return log_err(
		err,
		"the host gives no %s for translated code: %s; --jit-cache-size asks for less, --jit=off for none",
		opt_size_text(t->bytes, text, sizeof(text)), strerror(-err));
}

/* Shared anonymous memory, not a file: what perf asks a perf map about. The second place is a copy of the mapping. */
static int map_twice(struct jit_cache *t)
{
	t->rw = mmap(NULL, t->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->rw == MAP_FAILED)
		return refused(t);
	t->rx = mremap(t->rw, 0, t->bytes, MREMAP_MAYMOVE);
	return t->rx == MAP_FAILED || mprotect(t->rx, t->bytes, PROT_READ | PROT_EXEC) ? refused(t) : 0;
}

/* All vCPUs write to one file; a line is written at once. */
static int open_perf_map(struct jit_cache *t)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	t->perf = fopen(path, "ae");
	if (!t->perf)
		return log_err(-errno, "--jit-perf: cannot write %s: %s", path, strerror(errno));
	setlinebuf(t->perf);
	map_line(t, t->rw, t->thunks_end, 0, "thunks");
	return 0;
}

int jit_cache_create(struct jit_cache *t, const struct jit_config *cfg)
{
	size_t bytes = cfg->cache_bytes ? cfg->cache_bytes : JIT_CACHE_BYTES_DEFAULT;
	int err;

	*t = (struct jit_cache){ .bytes = bytes, .segment_bytes = bytes / JIT_SEGMENTS / 64 * 64 };
	t->segment_blocks = (uint32_t)(t->segment_bytes / BYTES_PER_BLOCK);
	err = map_twice(t);
	t->blocks = calloc(1 + JIT_SEGMENTS * t->segment_blocks, sizeof(*t->blocks));
	t->hash = calloc(HASH_SIZE, sizeof(*t->hash));
	t->pages = calloc(PAGE_HASH_SIZE, sizeof(*t->pages));
	t->heat = calloc(HEAT_PAGES, sizeof(*t->heat));
	t->decoded = calloc(JIT_DECODED, sizeof(*t->decoded));
	if (!err && (!t->blocks || !t->hash || !t->pages || !t->heat || !t->decoded))
		err = -ENOMEM;
	if (!err) {
		t->thunks_end = jit_write_thunks(t);
		open_segment(t, 0);
		if (cfg->perf_map)
			err = open_perf_map(t);
	}
	if (err)
		jit_cache_destroy(t);
	return err;
}

void jit_cache_destroy(struct jit_cache *t)
{
	if (t->rw && t->rw != MAP_FAILED)
		munmap(t->rw, t->bytes);
	if (t->rx && t->rx != MAP_FAILED)
		munmap(t->rx, t->bytes);
	free(t->blocks);
	free(t->hash);
	free(t->pages);
	free(t->heat);
	free(t->decoded);
	if (t->perf)
		fclose(t->perf);
	*t = (struct jit_cache){ .rw = NULL };
}
