/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stddef.h>
#include <vmm/jit.h>

const char *jit_wish_to_translate(const struct jit_config *j)
{
	const struct {
		bool is_wished;
		const char *option;
	} wishes[] = {
		{ j->use == JIT_ON, "--jit=on" },
		{ j->cache_bytes, "--jit-cache-size" },
		{ j->check, "--jit-check" },
		{ j->perf_map, "--jit-perf" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(wishes); i++)
		if (wishes[i].is_wished)
			return wishes[i].option;
	return NULL;
}

const char *jit_wish(const struct jit_config *j)
{
	if (j->use == JIT_OFF)
		return "--jit=off";
	if (j->fp_strict)
		return "--fp=strict";
	if (j->smc_track)
		return "--smc=track";
	return j->count ? "--count-insns" : jit_wish_to_translate(j);
}
