/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating point, one number at a time (the Makefile's flags keep the compiler from
 * vectors). What is not exact is a product and a sum that the compiler may fuse: all
 * processors compared here do, and the library's functions are not used, which differ.
 */
#include <string.h>

#include "bench.h"

static uint64_t bits(double v)
{
	uint64_t u;

	memcpy(&u, &v, sizeof(u));
	return u;
}

/* In [-1, 1). */
static double noise(uint64_t *seed) { return (double)(int64_t)rnd(seed) * 0x1p-63; }

/* ---- planets ---- */

struct body {
	double x[3], v[3], mass;
};

#define BODIES 5

static void advance(struct body *b, double dt)
{
	for (int i = 0; i < BODIES; i++) {
		for (int k = i + 1; k < BODIES; k++) {
			double d[3], square = 0, pull;

			for (int c = 0; c < 3; c++) {
				d[c] = b[i].x[c] - b[k].x[c];
				square += d[c] * d[c];
			}
			pull = dt / (square * __builtin_sqrt(square));
			for (int c = 0; c < 3; c++) {
				b[i].v[c] -= d[c] * b[k].mass * pull;
				b[k].v[c] += d[c] * b[i].mass * pull;
			}
		}
	}
	for (int i = 0; i < BODIES; i++)
		for (int c = 0; c < 3; c++)
			b[i].x[c] += dt * b[i].v[c];
}

void bench_nbody(struct run *r)
{
	struct body b[BODIES];
	uint64_t seed = 8;

	for (int i = 0; i < BODIES; i++) {
		for (int c = 0; c < 3; c++) {
			b[i].x[c] = 4 * i + noise(&seed);
			b[i].v[c] = noise(&seed);
		}
		b[i].mass = i ? 0.01 : 40;
	}
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++)
		advance(b, 0.001);
	run_stop(r);
	for (int i = 0; i < BODIES; i++)
		for (int c = 0; c < 3; c++)
			r->checksum = mix(r->checksum, bits(b[i].x[c]));
	r->units = r->rounds;
}

/* ---- Fourier ---- */

#define FFT_SIZE 1024

/* By halving the angle, as only square roots are exact everywhere. */
static void twiddles(double *re, double *im)
{
	double c = -1, s = 0;

	re[0] = 1;
	im[0] = 0;
	/* At each step, (c, s) is the angle of FFT_SIZE / (2 * n): set the odd multiples between the known ones. */
	for (size_t step = FFT_SIZE / 2; step; step /= 2) {
		for (size_t i = step; i < FFT_SIZE / 2; i += 2 * step) {
			re[i] = re[i - step] * c - im[i - step] * s;
			im[i] = re[i - step] * s + im[i - step] * c;
		}
		s = __builtin_sqrt((1 - c) / 2);
		c = __builtin_sqrt((1 + c) / 2);
	}
}

static void fft(double *re, double *im, const double *wr, const double *wi)
{
	for (size_t i = 1, k = 0; i < FFT_SIZE; i++) {
		size_t bit = FFT_SIZE / 2;
		double t;

		for (; k & bit; bit /= 2)
			k ^= bit;
		k ^= bit;
		if (i >= k)
			continue;
		t = re[i], re[i] = re[k], re[k] = t;
		t = im[i], im[i] = im[k], im[k] = t;
	}
	for (size_t half = 1; half < FFT_SIZE; half *= 2) {
		for (size_t i = 0; i < FFT_SIZE; i += 2 * half) {
			for (size_t k = i, w = 0; k < i + half; k++, w += FFT_SIZE / 2 / half) {
				double xr = re[k + half] * wr[w] - im[k + half] * wi[w];
				double xi = re[k + half] * wi[w] + im[k + half] * wr[w];

				re[k + half] = re[k] - xr;
				im[k + half] = im[k] - xi;
				re[k] += xr;
				im[k] += xi;
			}
		}
	}
}

void bench_fft(struct run *r)
{
	static double re[FFT_SIZE], im[FFT_SIZE], wr[FFT_SIZE / 2], wi[FFT_SIZE / 2];
	uint64_t seed = 9;

	for (int i = 0; i < FFT_SIZE; i++)
		re[i] = noise(&seed);
	twiddles(wr, wi);
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		fft(re, im, wr, wi);
		for (int i = 0; i < FFT_SIZE; i++) {
			re[i] *= 1.0 / 32;
			im[i] *= 1.0 / 32;
		}
	}
	run_stop(r);
	for (int i = 0; i < FFT_SIZE; i++)
		r->checksum = mix(r->checksum, bits(re[i]));
	r->units = r->rounds;
}

/* ---- matrices ---- */

#define MATRIX 64

void bench_matmul(struct run *r)
{
	static double a[MATRIX][MATRIX], b[MATRIX][MATRIX], c[MATRIX][MATRIX];
	uint64_t seed = 10;

	for (int i = 0; i < MATRIX; i++) {
		for (int k = 0; k < MATRIX; k++) {
			a[i][k] = noise(&seed);
			b[i][k] = noise(&seed);
		}
	}
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		for (int i = 0; i < MATRIX; i++) {
			for (int k = 0; k < MATRIX; k++) {
				double sum = 0;

				for (int m = 0; m < MATRIX; m++)
					sum += a[i][m] * b[m][k];
				c[i][k] = sum;
			}
		}
		a[n % MATRIX][0] = c[0][n % MATRIX] * 0.125;
	}
	run_stop(r);
	for (int i = 0; i < MATRIX; i++)
		r->checksum = mix(r->checksum, bits(c[i][i * 7 % MATRIX]));
	r->units = r->rounds;
}

/* ---- sums of products ---- */

#define DOT_COUNT 4096

void bench_dot32(struct run *r)
{
	static float a[DOT_COUNT], b[DOT_COUNT];
	uint64_t seed = 11;

	for (int i = 0; i < DOT_COUNT; i++) {
		a[i] = (float)noise(&seed);
		b[i] = (float)noise(&seed);
	}
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		float sum = (float)n;

		for (int i = 0; i < DOT_COUNT; i++)
			sum += a[i] * b[i];
		r->checksum = mix(r->checksum, bits((double)sum));
	}
	run_stop(r);
	r->units = r->rounds * DOT_COUNT;
}

void bench_dot64(struct run *r)
{
	static double a[DOT_COUNT], b[DOT_COUNT];
	uint64_t seed = 12;

	for (int i = 0; i < DOT_COUNT; i++) {
		a[i] = noise(&seed);
		b[i] = noise(&seed);
	}
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		double sum = (double)n;

		for (int i = 0; i < DOT_COUNT; i++)
			sum += a[i] * b[i];
		r->checksum = mix(r->checksum, bits(sum));
	}
	run_stop(r);
	r->units = r->rounds * DOT_COUNT;
}

/* ---- Mandelbrot ---- */

#define MANDEL_SIDE  48
#define MANDEL_DEPTH 200

static uint64_t escape(double x0, double y0)
{
	double x = 0, y = 0;
	uint64_t n = 0;

	for (; n < MANDEL_DEPTH && x * x + y * y < 4; n++) {
		double t = x * x - y * y + x0;

		y = 2 * x * y + y0;
		x = t;
	}
	return n;
}

void bench_mandelbrot(struct run *r)
{
	run_start(r);
	for (uint64_t n = 0; n < r->rounds; n++) {
		for (int i = 0; i < MANDEL_SIDE; i++) {
			for (int k = 0; k < MANDEL_SIDE; k++) {
				uint64_t v = escape(-2 + (k + 0.01 * (double)n) * (2.5 / MANDEL_SIDE),
						    -1.25 + i * (2.5 / MANDEL_SIDE));

				r->checksum = mix(r->checksum, v);
				r->units += v;
			}
		}
	}
	run_stop(r);
}
