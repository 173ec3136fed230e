/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the compiler makes vectors of (-O3): 128 bits of NEON, or what the native
 * processor has. Sums are kept in lanes, so that their order does not depend on it.
 */
#include <string.h>

#include "bench.h"

#define MATRIX    64
#define DOT_COUNT 4096
#define LANES     16
#define PIXELS    4096

static float noise(uint64_t *seed) { return (float)(int32_t)(rnd(seed) >> 32) * 0x1p-31f; }

static uint32_t bits(float v)
{
	uint32_t u;

	memcpy(&u, &v, sizeof(u));
	return u;
}

void bench_matmul_vec(struct run *r)
{
	static float a[MATRIX][MATRIX], b[MATRIX][MATRIX], c[MATRIX][MATRIX];
	uint64_t seed = 13;

	for (int i = 0; i < MATRIX; i++) {
		for (int k = 0; k < MATRIX; k++) {
			a[i][k] = noise(&seed);
			b[i][k] = noise(&seed);
		}
	}
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		memset(c, 0, sizeof(c));
		for (int i = 0; i < MATRIX; i++)
			for (int m = 0; m < MATRIX; m++)
				for (int k = 0; k < MATRIX; k++)
					c[i][k] += a[i][m] * b[m][k];
		a[n % MATRIX][0] = c[0][n % MATRIX] * 0.125f;
	}
	run_stop(r);
	for (int i = 0; i < MATRIX; i++)
		r->checksum = mix(r->checksum, bits(c[i][i * 7 % MATRIX]));
	r->units = r->rounds;
}

void bench_dot_vec(struct run *r)
{
	static float a[DOT_COUNT], b[DOT_COUNT];
	uint64_t seed = 14;

	for (int i = 0; i < DOT_COUNT; i++) {
		a[i] = noise(&seed);
		b[i] = noise(&seed);
	}
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		float lane[LANES] = { (float)n };

		for (int i = 0; i < DOT_COUNT; i += LANES)
			for (int k = 0; k < LANES; k++)
				lane[k] += a[i + k] * b[i + k];
		for (int k = 0; k < LANES; k++)
			r->checksum = mix(r->checksum, bits(lane[k]));
	}
	run_stop(r);
	r->units = r->rounds * DOT_COUNT;
}

/* Bytes widened, multiplied, narrowed with saturation; a mean, a maximum and a sum. */
void bench_pixels_vec(struct run *r)
{
	static uint8_t from[PIXELS], over[PIXELS], to[PIXELS];
	uint64_t seed = 15;

	for (int i = 0; i < PIXELS; i++) {
		from[i] = (uint8_t)(rnd(&seed) >> 56);
		over[i] = (uint8_t)(rnd(&seed) >> 56);
	}
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		uint16_t gain = (uint16_t)(100 + n % 100);
		uint32_t sum = 0;

		for (int i = 0; i < PIXELS; i++) {
			uint16_t v = (uint16_t)((uint16_t)(from[i] * gain) >> 7);
			uint8_t mean;

			v = v > 255 ? 255 : v;
			mean = (uint8_t)((v + over[i] + 1) >> 1);
			to[i] = mean > over[i] ? mean : over[i];
		}
		for (int i = 0; i < PIXELS; i++)
			sum += to[i];
		r->checksum = mix(r->checksum, sum);
	}
	run_stop(r);
	r->units = r->rounds * PIXELS;
}
