/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stores into code, for guests that do without IC (--smc=track).
 *
 * The architecture obliges software to IC, and without this nobody looks at stores.
 * With it a page whose instructions somebody keeps, decoded or translated, has its
 * bit here and no entry for writing in any first-level TLB. So a store to it takes the slow
 * path, drops what every cpu keeps of the page, and clears the bit: until the
 * page is executed again, stores to it are fast.
 */
#include <stdlib.h>
#include <vmm/err.h>
#include <vmm/log.h>
#include <vmm/mem.h>

#include "mmu.h"

struct smc {
	pthread_mutex_t lock;
	_Atomic bool ready;
	const struct mem_region *regions; /* all there are when the first cpu runs */
	unsigned count;
	_Atomic uint64_t **bits; /* of each region */
};

int smc_init(struct soc *s)
{
	if (!s->cfg.jit.smc_track)
		return 0;
	s->smc = calloc(1, sizeof(*s->smc));
	return s->smc ? -pthread_mutex_init(&s->smc->lock, NULL) : -ENOMEM;
}

static bool allocate(struct smc *m, const struct mem *mem)
{
	m->regions = mem_regions(mem, &m->count);
	m->bits = calloc(m->count, sizeof(*m->bits));
	for (unsigned n = 0; m->bits && n < m->count; n++) {
		m->bits[n] = calloc((m->regions[n].bytes >> 12) / 64 + 1, sizeof(uint64_t));
		if (!m->bits[n])
			return false;
	}
	return m->bits;
}

int smc_begin(struct soc *s)
{
	struct smc *m = s->smc;
	int err = 0;

	if (!m || atomic_load(&m->ready))
		return 0;
	pthread_mutex_lock(&m->lock);
	if (!atomic_load(&m->ready) && !allocate(m, s->env.mem))
		err = log_err(-ENOMEM, "--smc=track: no host memory for a bit of each page");
	else
		atomic_store(&m->ready, true);
	pthread_mutex_unlock(&m->lock);
	return err;
}

void smc_destroy(struct soc *s)
{
	if (!s->smc)
		return;
	for (unsigned n = 0; s->smc->bits && n < s->smc->count; n++)
		free(s->smc->bits[n]);
	free(s->smc->bits);
	pthread_mutex_destroy(&s->smc->lock);
	free(s->smc);
	s->smc = NULL;
}

/* The word and bit of the page of @pa; NULL: it is not memory, or nobody looks at stores. */
static _Atomic uint64_t *find(const struct soc *s, uint64_t pa, uint64_t *mask)
{
	const struct smc *m = s->smc;

	for (unsigned n = 0; m && n < m->count; n++) {
		uint64_t off = pa - m->regions[n].base.v, page = off >> 12;

		if (off >= m->regions[n].bytes)
			continue;
		*mask = UINT64_C(1) << page % 64;
		return &m->bits[n][page / 64];
	}
	return NULL;
}

bool smc_withheld(const struct soc *s, uint64_t pa)
{
	uint64_t mask;
	_Atomic uint64_t *bits = find(s, pa, &mask);

	return bits && (atomic_load(bits) & mask);
}

/* Who wants this cpu to stop does not wait until another one has stored enough. */
bool smc_keeps(const struct cpu *c, uint64_t pa)
{
	return !c->soc->smc || smc_withheld(c->soc, pa) || (atomic_load(&c->exit_req) & REQ_KICK);
}

/* The bit comes first: what is filled after the flush sees it. */
void smc_executed(struct cpu *c, uint64_t pa)
{
	uint64_t mask;
	_Atomic uint64_t *bits = find(c->soc, pa, &mask);

	if (bits && !(atomic_fetch_or(bits, mask) & mask))
		mmu_withhold_writes(c);
}

void smc_stored(struct cpu *c, uint64_t pa)
{
	uint64_t mask;
	_Atomic uint64_t *bits = c->shadow ? NULL : find(c->soc, pa, &mask);

	if (!bits || !(atomic_fetch_and(bits, ~mask) & mask))
		return;
	c->code_stored = true;
	mmu_drop_code(c, pa & ~UINT64_C(4095));
}
