/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TRNG: the host's random numbers for the guest's entropy pool.
 */
#include <spec/smccc.h>
#include <sys/random.h>

#include "smccc.h"

enum exec trng_version(struct cpu *c, const uint64_t *arg)
{
	(void)arg;
	return smccc_return(c, TRNG_VERSION_1_0);
}

enum exec trng_features(struct cpu *c, const uint64_t *arg)
{
	bool yes = smccc_exists(c->soc, (uint32_t)arg[1], "trng");

	return smccc_return(c, yes ? SMCCC_SUCCESS : SMCCC_NOT_SUPPORTED);
}

/* Ours, made up once: 5b1d6a3e-8c47-4f0e-9d2b-71c0e45a8f16. Each word is four of its bytes, first one lowest. */
enum exec trng_get_uuid(struct cpu *c, const uint64_t *arg)
{
	(void)arg;
	return smccc_return4(c, 0x3e6a1d5b, 0x0e4f478c, 0xc0712b9d, 0x168f5ae4);
}

/* Up to three registers of entropy, right-aligned: x3 has the lowest bits, x1 the highest. */
enum exec trng_rnd(struct cpu *c, const uint64_t *arg)
{
	unsigned width = arg[0] & SMCCC_64 ? 64 : 32;
	uint64_t bits_wanted = arg[1], random[3], out[3] = { 0 };

	if (bits_wanted == 0 || bits_wanted > 3 * width)
		return smccc_return(c, TRNG_INVALID_PARAMETERS);
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return smccc_return(c, TRNG_NO_ENTROPY);
	for (unsigned i = 0; i < 3 && bits_wanted; i++) {
		uint64_t n = bits_wanted < width ? bits_wanted : width;

		out[i] = random[i] & (UINT64_MAX >> (64 - n));
		bits_wanted -= n;
	}
	return smccc_return4(c, SMCCC_SUCCESS, out[2], out[1], out[0]);
}
