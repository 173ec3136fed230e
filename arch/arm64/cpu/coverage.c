/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What part of the guest's instructions a translator has left to exec_ functions,
 * by row of a64.def, and what translation has cost; said when the VM ends (--count-insns).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <vmm/log.h>

#include "cpu.h"
#include "translator.h"

enum { ROWS_SAID = 40 };

struct share {
	unsigned op;
	uint64_t count;
};

static int larger_first(const void *a, const void *b)
{
	uint64_t x = ((const struct share *)a)->count, y = ((const struct share *)b)->count;

	return (x < y) - (x > y);
}

static double percent(uint64_t part, uint64_t all) { return all ? 100.0 * (double)part / (double)all : 0; }

/* Sums over all cpus; @interpreted: those that were interpreted because they were not translated yet. */
static void sum_up(const struct soc *s, struct share *rows, uint64_t *all, uint64_t *interpreted, uint64_t *exec)
{
	for (unsigned op = 0; op <= OP_COUNT; op++)
		rows[op] = (struct share){ .op = op };
	for (unsigned k = 0; k < s->cfg.vcpu_count; k++) {
		const uint64_t *counts = translator()->exec_counts(s->cpus[k]);

		*all += s->cpus[k]->icount;
		*interpreted += run_interpreted(s->cpus[k]);
		for (unsigned op = 0; op <= OP_COUNT; op++) {
			rows[op].count += counts[op];
			*exec += counts[op];
		}
	}
	qsort(rows, OP_COUNT + 1, sizeof(*rows), larger_first);
}

static void say_cost(const struct soc *s)
{
	struct translator_cost all = { .insns = 0 };

	for (unsigned k = 0; k < s->cfg.vcpu_count; k++) {
		struct translator_cost c = translator()->cost(s->cpus[k]);

		all.insns += c.insns;
		all.ns += c.ns;
		all.bytes += c.bytes;
	}
	if (all.insns)
		log_info("%" PRIu64 " instructions translated, %.0f ns and %.1f bytes each", all.insns,
			 (double)all.ns / (double)all.insns, (double)all.bytes / (double)all.insns);
}

void coverage_say(const struct soc *s)
{
	struct share *rows = calloc(OP_COUNT + 1, sizeof(*rows));
	uint64_t all = 0, interpreted = 0, exec = 0;

	if (!rows)
		return;
	sum_up(s, rows, &all, &interpreted, &exec);
	log_info("%" PRIu64
		 " instructions: %.3f %% interpreted before translation, %.3f %% by exec_ from translated code",
		 all, percent(interpreted, all), percent(exec, all));
	say_cost(s);
	for (unsigned n = 0; n < ROWS_SAID && rows[n].count; n++)
		log_info("  %7.3f %% %12" PRIu64 " %s", percent(rows[n].count, all), rows[n].count,
			 rows[n].op == OP_COUNT ? "undefined" : a64_rows[rows[n].op].name);
	free(rows);
}
