/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One arithmetic for all formats:
 *
 *   bits -> unpack() -> struct num -> exact or sticky intermediate -> round_pack() -> bits
 *
 * A finite number is sig * 2^(exp - TOP) with the leading one of sig at bit TOP,
 * so a double leaves ten bits below its last one. An intermediate that does not
 * fit is "jammed": what is shifted out is remembered as a one in the lowest bit,
 * which rounds as the lost bits would have.
 */
#include "softfp.h"

#include <math.h>
#include <string.h>

typedef unsigned __int128 u128;

#define TOP 62

enum class { ZERO, FINITE, INFINITE, QUIET, SIGNALLING };

struct num {
	enum class cls;
	bool sign;
	int exp;
	uint64_t sig;
	uint64_t raw; /* the operand itself: NaNs are returned, not computed */
};

struct format {
	unsigned bits, fbits; /* of all, of the fraction */
	uint32_t fz;          /* the FPCR bit that flushes denormals */
	uint32_t idc;         /* what flushing an operand adds to FPSR */
	bool no_inf;          /* Arm's alternative half: the largest exponent is one more power of two */
};

/* The first four by enum fp_format; then half as conversions see it: FZ16 does not exist for them. */
enum { CV_HALF = FP_D + 1, CV_ALT };

static const struct format formats[] = {
	[FP_B] = { 16, 7, FPCR_FZ, FPSR_IDC, false },  [FP_H] = { 16, 10, FPCR_FZ16, 0, false },
	[FP_S] = { 32, 23, FPCR_FZ, FPSR_IDC, false }, [FP_D] = { 64, 52, FPCR_FZ, FPSR_IDC, false },
	[CV_HALF] = { 16, 10, 0, 0, false },           [CV_ALT] = { 16, 10, 0, 0, true },
};

static unsigned ebits(const struct format *f) { return f->bits - 1 - f->fbits; }
static int bias(const struct format *f) { return (1 << (ebits(f) - 1)) - 1; }
static uint64_t frac_mask(const struct format *f) { return (UINT64_C(1) << f->fbits) - 1; }
static uint64_t exp_mask(const struct format *f) { return (UINT64_C(1) << ebits(f)) - 1; }
static uint64_t all_ones(const struct format *f) { return ~UINT64_C(0) >> (64 - f->bits); }

static uint64_t fp_zero(const struct format *f, bool sign) { return (uint64_t)sign << (f->bits - 1); }
static uint64_t fp_inf(const struct format *f, bool sign) { return fp_zero(f, sign) | exp_mask(f) << f->fbits; }
static uint64_t fp_largest(const struct format *f, bool sign) { return fp_inf(f, sign) - 1; }
static uint64_t quiet_bit(const struct format *f) { return UINT64_C(1) << (f->fbits - 1); }
static uint64_t fp_default_nan(const struct format *f) { return fp_inf(f, false) | quiet_bit(f); }

static uint64_t invalid(struct fp_env *e, const struct format *f)
{
	e->sr |= FPSR_IOC;
	return fp_default_nan(f);
}

static uint64_t shr_jam(uint64_t v, unsigned n)
{
	if (n == 0)
		return v;
	return n > 63 ? v != 0 : v >> n | (v << (64 - n) != 0);
}

static u128 shr_jam128(u128 v, unsigned n)
{
	if (n == 0)
		return v;
	return n > 127 ? v != 0 : v >> n | (v << (128 - n) != 0);
}

/* Leading one to bit TOP. @sig is not 0; if its bit 63 is set, its bit 0 may be a jam. */
static void normalise(uint64_t *sig, int *exp)
{
	int up = __builtin_clzll(*sig) - (63 - TOP);

	*sig = up >= 0 ? *sig << up : shr_jam(*sig, 1);
	*exp -= up;
}

/* Arm ARM, FPUnpack. */
static struct num unpack(struct fp_env *e, const struct format *f, uint64_t a)
{
	uint64_t biased = a >> f->fbits & exp_mask(f), frac = a & frac_mask(f);
	struct num n = { .cls = FINITE, .sign = a >> (f->bits - 1) & 1, .raw = a & all_ones(f) };

	if (biased == exp_mask(f) && !f->no_inf) {
		n.cls = !frac ? INFINITE : frac & quiet_bit(f) ? QUIET : SIGNALLING;
	} else if (biased) {
		n.exp = (int)biased - bias(f);
		n.sig = (frac | UINT64_C(1) << f->fbits) << (TOP - f->fbits);
	} else if (!frac) {
		n.cls = ZERO;
	} else if (e->cr & f->fz) {
		n.cls = ZERO;
		e->sr |= f->idc;
	} else {
		n.exp = 1 - bias(f);
		n.sig = frac << (TOP - f->fbits);
		normalise(&n.sig, &n.exp);
	}
	return n;
}

static bool is_nan(struct num n) { return n.cls >= QUIET; }

/* The magnitude @sig / 2^@n as an integer; @n may be anything from 0 up. */
static uint64_t round_bits(uint64_t sig, unsigned n, bool sign, enum fp_round rm, bool *inexact)
{
	uint64_t rest, half, up;

	*inexact = false;
	if (n == 0)
		return sig;
	if (n > 63) {
		sig = shr_jam(sig, n - 63);
		n = 63;
	}
	rest = sig & ((UINT64_C(1) << n) - 1);
	half = UINT64_C(1) << (n - 1);
	sig >>= n;
	if (!rest)
		return sig;
	*inexact = true;
	switch (rm) {
	case FP_RN: up = rest > half || (rest == half && (sig & 1)); break;
	case FP_RA: up = rest >= half; break;
	case FP_RP: up = !sign; break;
	case FP_RM: up = sign; break;
	case FP_ODD:
	case FP_ODD_INF: return sig | 1;
	default: up = 0;
	}
	return sig + up;
}

static bool overflows_to_inf(enum fp_round rm, bool sign)
{
	switch (rm) {
	case FP_RP: return !sign;
	case FP_RM: return sign;
	case FP_RZ:
	case FP_ODD: return false;
	default: return true;
	}
}

static uint64_t overflow(struct fp_env *e, const struct format *f, enum fp_round rm, bool sign)
{
	e->sr |= FPSR_OFC | FPSR_IXC;
	return overflows_to_inf(rm, sign) ? fp_inf(f, sign) : fp_largest(f, sign);
}

/* Arm ARM, FPRound: the number sig * 2^(exp - TOP), sig not 0 and not necessarily normalised. */
static uint64_t round_pack(struct fp_env *e, const struct format *f, enum fp_round rm, bool sign, int exp,
			   uint64_t sig)
{
	int biased;
	bool inexact;

	normalise(&sig, &exp);
	biased = exp + bias(f);
	if (biased < 1) {
		if (e->cr & f->fz) { /* before rounding, and without IXC */
			e->sr |= FPSR_UFC;
			return fp_zero(f, sign);
		}
		sig = round_bits(sig, TOP - f->fbits + (unsigned)(1 - biased), sign, rm, &inexact);
		if (inexact)
			e->sr |= FPSR_UFC;
	} else {
		sig = round_bits(sig, TOP - f->fbits, sign, rm, &inexact);
		/* The leading one adds the last 1 to the exponent, and so does a carry out of rounding. */
		sig += (uint64_t)(biased - 1) << f->fbits;
	}
	if (f->no_inf ? sig > (all_ones(f) >> 1) : sig >= fp_inf(f, false)) {
		if (!f->no_inf)
			return overflow(e, f, rm, sign);
		e->sr |= FPSR_IOC;
		return fp_zero(f, sign) | all_ones(f) >> 1;
	}
	if (inexact)
		e->sr |= FPSR_IXC;
	return fp_zero(f, sign) | sig;
}

/* The same for sig * 2^(exp - 2*TOP). */
static uint64_t round_pack128(struct fp_env *e, const struct format *f, enum fp_round rm, bool sign, int exp,
			      u128 sig)
{
	uint64_t high = (uint64_t)(sig >> 64);
	int up = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)sig);

	sig <<= up;
	return round_pack(e, f, rm, sign, exp - up + 64 - TOP, (uint64_t)(sig >> 64) | ((uint64_t)sig != 0));
}

/* ---- NaNs ---- */

/* Arm ARM, FPProcessNaN. */
static uint64_t nan_result(struct fp_env *e, const struct format *f, struct num n)
{
	if (n.cls == SIGNALLING)
		e->sr |= FPSR_IOC;
	return e->cr & FPCR_DN ? fp_default_nan(f) : n.raw | quiet_bit(f);
}

/* Arm ARM, FPProcessNaNs: signalling ones first, then in the order of operands. */
static bool nans2(struct fp_env *e, const struct format *f, struct num a, struct num b, uint64_t *r)
{
	if (a.cls < QUIET && b.cls < QUIET)
		return false;
	*r = nan_result(e, f, a.cls == SIGNALLING || (a.cls == QUIET && b.cls != SIGNALLING) ? a : b);
	return true;
}

static bool nans3(struct fp_env *e, const struct format *f, struct num c, struct num a, struct num b, uint64_t *r)
{
	if (c.cls == SIGNALLING || (c.cls == QUIET && a.cls != SIGNALLING && b.cls != SIGNALLING)) {
		*r = nan_result(e, f, c);
		return true;
	}
	return nans2(e, f, a, b, r);
}

/* ---- The host's arithmetic as a shortcut ----
 *
 * With IXC already set, rounding to nearest, operands zero or normal and a
 * result that is normal (or an exact zero of +, - and *), there is no flag left
 * to raise and no flushing to do: any IEEE 754 machine gives the same bits.
 */
static bool host_ok(const struct fp_env *e) { return (e->sr & FPSR_IXC) && FPCR_RMODE(e->cr) == FP_RN; }

static bool host_s(uint64_t a) { return (((a >> 23) + 1) & 0xfe) || !(a << 33); }
static bool host_d(uint64_t a) { return (((a >> 52) + 1) & 0x7fe) || !(a << 1); }
/* Not the smallest normal either: it may have come from rounding up something tiny (UFC). */
static bool host_result_s(uint32_t a) { return (a & 0x7fffffff) - 0x00800001 < 0x7effffff; }
static bool host_result_d(uint64_t a) { return (a & ~UINT64_C(0) >> 1) - 0x0010000000000001 < 0x7fdfffffffffffff; }

static float as_float(uint64_t a)
{
	uint32_t w = (uint32_t)a;
	float x;
	memcpy(&x, &w, sizeof(x));
	return x;
}
static double as_double(uint64_t a)
{
	double x;
	memcpy(&x, &a, sizeof(x));
	return x;
}
static uint32_t of_float(float x)
{
	uint32_t a;
	memcpy(&a, &x, sizeof(a));
	return a;
}
static uint64_t of_double(double x)
{
	uint64_t a;
	memcpy(&a, &x, sizeof(a));
	return a;
}

/* What the operands a, b, c of an operation in format f must be; ok is host_s or host_d. */
#define OPERANDS(ok) (ok(a) && ok(b))
#define THREE(ok)    (ok(a) && ok(b) && ok(c))
#define POSITIVE(ok) (ok(a) && !(a >> (fp_bits(f) - 1)))

/* Returns from the calling operation with what the host computes for @expr, if that is safe. */
#define HOST_SHORTCUT(e, f, operands_ok, result_s, result_d)                   \
	do {                                                                   \
		if (host_ok(e) && (f) == FP_D && operands_ok(host_d)) {        \
			uint64_t host_r = of_double(result_d);                 \
			if (host_result_d(host_r))                             \
				return host_r;                                 \
		} else if (host_ok(e) && (f) == FP_S && operands_ok(host_s)) { \
			uint32_t host_r = of_float(result_s);                  \
			if (host_result_s(host_r))                             \
				return host_r;                                 \
		}                                                              \
	} while (0)

/* ---- Add, multiply, divide, square root ---- */

static uint64_t add(struct fp_env *e, const struct format *f, enum fp_round rm, struct num a, struct num b)
{
	uint64_t r;

	if (nans2(e, f, a, b, &r))
		return r;
	if (a.cls == INFINITE || b.cls == INFINITE) {
		if (a.cls == b.cls && a.sign != b.sign)
			return invalid(e, f);
		return fp_inf(f, a.cls == INFINITE ? a.sign : b.sign);
	}
	if (a.cls == ZERO && b.cls == ZERO)
		return fp_zero(f, a.sign == b.sign ? a.sign : rm == FP_RM);
	if (a.cls == ZERO || b.cls == ZERO) {
		struct num n = a.cls == ZERO ? b : a;

		return round_pack(e, f, rm, n.sign, n.exp, n.sig);
	}
	if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
		struct num t = a;

		a = b;
		b = t;
	}
	b.sig = shr_jam(b.sig, (unsigned)(a.exp - b.exp));
	r = a.sign == b.sign ? a.sig + b.sig : a.sig - b.sig;
	if (!r)
		return fp_zero(f, rm == FP_RM);
	return round_pack(e, f, rm, a.sign, a.exp, r);
}

uint64_t fp_add(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	const struct format *t = &formats[f];

	HOST_SHORTCUT(e, f, OPERANDS, as_float(a) + as_float(b), as_double(a) + as_double(b));
	return add(e, t, FPCR_RMODE(e->cr), unpack(e, t, a), unpack(e, t, b));
}

uint64_t fp_sub(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	const struct format *t = &formats[f];
	struct num x, y;

	HOST_SHORTCUT(e, f, OPERANDS, as_float(a) - as_float(b), as_double(a) - as_double(b));
	x = unpack(e, t, a);
	y = unpack(e, t, b);
	if (!is_nan(y))
		y.sign = !y.sign;
	return add(e, t, FPCR_RMODE(e->cr), x, y);
}

/* @inf_by_zero: the answer to that, or 0 if it is an invalid operation. */
static uint64_t mul(struct fp_env *e, const struct format *f, enum fp_round rm, struct num a, struct num b,
		    uint64_t inf_by_zero)
{
	bool sign = a.sign != b.sign;
	uint64_t r;

	if (nans2(e, f, a, b, &r))
		return r;
	if (a.cls == INFINITE || b.cls == INFINITE) {
		if (a.cls != ZERO && b.cls != ZERO)
			return fp_inf(f, sign);
		return inf_by_zero ? inf_by_zero | fp_zero(f, sign) : invalid(e, f);
	}
	if (a.cls == ZERO || b.cls == ZERO)
		return fp_zero(f, sign);
	return round_pack128(e, f, rm, sign, a.exp + b.exp, (u128)a.sig * b.sig);
}

uint64_t fp_mul(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	const struct format *t = &formats[f];

	HOST_SHORTCUT(e, f, OPERANDS, as_float(a) * as_float(b), as_double(a) * as_double(b));
	return mul(e, t, FPCR_RMODE(e->cr), unpack(e, t, a), unpack(e, t, b), 0);
}

/* 2.0, 1.5, ...: sig at bit TOP, always exact. */
static uint64_t constant(const struct format *f, int exp, uint64_t sig)
{
	return ((uint64_t)(exp - 1 + bias(f)) << f->fbits) + (sig >> (TOP - f->fbits));
}

#define SIG_1   (UINT64_C(1) << TOP)
#define SIG_1_5 (UINT64_C(3) << (TOP - 1))

uint64_t fp_mulx(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	const struct format *t = &formats[f];

	return mul(e, t, FPCR_RMODE(e->cr), unpack(e, t, a), unpack(e, t, b), constant(t, 1, SIG_1));
}

uint64_t fp_div(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	const struct format *t = &formats[f];
	struct num x, y;
	uint64_t r;
	bool sign;
	u128 n;

	HOST_SHORTCUT(e, f, OPERANDS, as_float(a) / as_float(b), as_double(a) / as_double(b));
	x = unpack(e, t, a);
	y = unpack(e, t, b);
	sign = x.sign != y.sign;
	if (nans2(e, t, x, y, &r))
		return r;
	if (x.cls == y.cls && x.cls != FINITE)
		return invalid(e, t);
	if (x.cls == INFINITE)
		return fp_inf(t, sign);
	if (x.cls == ZERO || y.cls == INFINITE)
		return fp_zero(t, sign);
	if (y.cls == ZERO) {
		e->sr |= FPSR_DZC;
		return fp_inf(t, sign);
	}
	n = (u128)x.sig << TOP;
	r = (uint64_t)(n / y.sig);
	return round_pack(e, t, FPCR_RMODE(e->cr), sign, x.exp - y.exp, r | (n % y.sig != 0));
}

/* Square root of n < 2^126 to its top @count bits (bit TOP down), the rest jammed. */
static uint64_t root(u128 n, unsigned count)
{
	uint64_t r = 0;

	for (unsigned k = 0; k < count; k++) {
		uint64_t try = r | UINT64_C(1) << (TOP - k);

		if ((u128)try * try <= n)
			r = try;
	}
	return r | ((u128)r * r != n);
}

uint64_t fp_sqrt(struct fp_env *e, enum fp_format f, uint64_t a)
{
	const struct format *t = &formats[f];
	struct num x;

	HOST_SHORTCUT(e, f, POSITIVE, sqrtf(as_float(a)), sqrt(as_double(a)));
	x = unpack(e, t, a);
	if (is_nan(x))
		return nan_result(e, t, x);
	if (x.cls == ZERO)
		return fp_zero(t, x.sign);
	if (x.sign)
		return invalid(e, t);
	if (x.cls == INFINITE)
		return fp_inf(t, false);
	/* An even exponent halves; an odd one lends its last bit to the significand. */
	return round_pack(e, t, FPCR_RMODE(e->cr), false, (x.exp - (x.exp & 1)) / 2,
			  root((u128)x.sig << (TOP + (x.exp & 1)), t->fbits + 3));
}

/* ---- Fused multiply-add ---- */

/* (c + a * b) * 2^scale for operands that are finite or zero. */
static uint64_t fused(struct fp_env *e, const struct format *f, enum fp_round rm, struct num c, struct num a,
		      struct num b, int scale)
{
	bool sign = a.sign != b.sign;
	int exp = a.exp + b.exp;
	u128 p, q;

	if (a.cls == ZERO || b.cls == ZERO) {
		if (c.cls == ZERO)
			return fp_zero(f, c.sign == sign ? sign : rm == FP_RM);
		return round_pack(e, f, rm, c.sign, c.exp + scale, c.sig);
	}
	p = (u128)a.sig * b.sig;
	if (c.cls == ZERO)
		return round_pack128(e, f, rm, sign, exp + scale, p);
	q = (u128)c.sig << TOP;
	if (exp > c.exp) {
		q = shr_jam128(q, (unsigned)(exp - c.exp));
	} else {
		p = shr_jam128(p, (unsigned)(c.exp - exp));
		exp = c.exp;
	}
	if (c.sign == sign) {
		p += q;
	} else if (p == q) {
		return fp_zero(f, rm == FP_RM);
	} else {
		sign = p > q ? sign : c.sign;
		p = p > q ? p - q : q - p;
	}
	return round_pack128(e, f, rm, sign, exp + scale, p);
}

static uint64_t muladd(struct fp_env *e, const struct format *f, struct num c, struct num a, struct num b)
{
	bool inf_by_zero = (a.cls == INFINITE && b.cls == ZERO) || (a.cls == ZERO && b.cls == INFINITE);
	bool inf_product = a.cls == INFINITE || b.cls == INFINITE, sign = a.sign != b.sign;
	uint64_t r;

	if (c.cls == QUIET && inf_by_zero)
		return invalid(e, f);
	if (nans3(e, f, c, a, b, &r))
		return r;
	if (inf_by_zero || (c.cls == INFINITE && inf_product && c.sign != sign))
		return invalid(e, f);
	if (c.cls == INFINITE || inf_product)
		return fp_inf(f, c.cls == INFINITE ? c.sign : sign);
	return fused(e, f, FPCR_RMODE(e->cr), c, a, b, 0);
}

uint64_t fp_muladd(struct fp_env *e, enum fp_format f, uint64_t c, uint64_t a, uint64_t b)
{
	const struct format *t = &formats[f];
	struct num z;

	HOST_SHORTCUT(e, f, THREE, fmaf(as_float(a), as_float(b), as_float(c)),
		      fma(as_double(a), as_double(b), as_double(c)));
	z = unpack(e, t, c);
	return muladd(e, t, z, unpack(e, t, a), unpack(e, t, b));
}

/* A half operand of a single operation: exact, and a NaN stays of its kind. */
static struct num unpack_widened(struct fp_env *e, uint64_t a)
{
	const struct format *h = &formats[FP_H], *s = &formats[FP_S];
	struct num n = unpack(e, h, a);

	if (is_nan(n))
		n.raw = fp_inf(s, n.sign) | (a & frac_mask(h)) << (s->fbits - h->fbits);
	return n;
}

uint64_t fp_muladd_h(struct fp_env *e, uint64_t c, uint64_t a, uint64_t b)
{
	struct num z = unpack(e, &formats[FP_S], c), x = unpack_widened(e, a), y = unpack_widened(e, b);

	return muladd(e, &formats[FP_S], z, x, y);
}

/* The Newton-Raphson steps: (k - ab) * 2^scale, infinity times zero counting as zero. */
static uint64_t step(struct fp_env *e, const struct format *f, uint64_t a, uint64_t b, struct num k, int scale)
{
	struct num x = unpack(e, f, fp_zero(f, true) ^ a), y = unpack(e, f, b);
	uint64_t r;

	if (nans2(e, f, x, y, &r))
		return r;
	if (x.cls == INFINITE || y.cls == INFINITE) {
		if (x.cls == ZERO || y.cls == ZERO)
			return constant(f, k.exp + scale, k.sig);
		return fp_inf(f, x.sign != y.sign);
	}
	return fused(e, f, FPCR_RMODE(e->cr), k, x, y, scale);
}

uint64_t fp_recip_step(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	return step(e, &formats[f], a, b, (struct num){ .cls = FINITE, .exp = 1, .sig = SIG_1 }, 0);
}

uint64_t fp_rsqrt_step(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	return step(e, &formats[f], a, b, (struct num){ .cls = FINITE, .exp = 1, .sig = SIG_1_5 }, -1);
}

/* ---- Comparison, minimum, maximum ---- */

enum order { LESS, EQUAL, GREATER, UNORDERED };

static enum order order(struct num a, struct num b)
{
	enum order greater;

	if (is_nan(a) || is_nan(b))
		return UNORDERED;
	if (a.cls == ZERO && b.cls == ZERO)
		return EQUAL;
	if (a.cls == ZERO)
		return b.sign ? GREATER : LESS;
	greater = a.sign ? LESS : GREATER;
	if (b.cls == ZERO || a.sign != b.sign)
		return greater;
	if (a.cls == INFINITE || b.cls == INFINITE)
		return a.cls == b.cls ? EQUAL : a.cls == INFINITE ? greater : GREATER - greater;
	if (a.exp != b.exp)
		return a.exp > b.exp ? greater : GREATER - greater;
	if (a.sig != b.sig)
		return a.sig > b.sig ? greater : GREATER - greater;
	return EQUAL;
}

/* For zero and normal numbers, which raise nothing when compared. */
static enum order host_order(double a, double b) { return a < b ? LESS : a == b ? EQUAL : GREATER; }

static enum order compare(struct fp_env *e, const struct format *f, uint64_t a, uint64_t b, bool signal)
{
	struct num x, y;
	enum order o;

	if (f == &formats[FP_D] && host_d(a) && host_d(b))
		return host_order(as_double(a), as_double(b));
	if (f == &formats[FP_S] && host_s(a) && host_s(b))
		return host_order((double)as_float(a), (double)as_float(b));
	x = unpack(e, f, a);
	y = unpack(e, f, b);
	o = order(x, y);
	if (o == UNORDERED && (signal || x.cls == SIGNALLING || y.cls == SIGNALLING))
		e->sr |= FPSR_IOC;
	return o;
}

uint32_t fp_compare(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b, bool signal)
{
	static const uint32_t nzcv[] = { [LESS] = 8, [EQUAL] = 6, [GREATER] = 2, [UNORDERED] = 3 };

	return nzcv[compare(e, &formats[f], a, b, signal)] << 28;
}

static uint64_t mask(enum fp_format f, bool yes) { return yes ? all_ones(&formats[f]) : 0; }

uint64_t fp_cmeq(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	return mask(f, compare(e, &formats[f], a, b, false) == EQUAL);
}

uint64_t fp_cmge(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	enum order o = compare(e, &formats[f], a, b, true);

	return mask(f, o == GREATER || o == EQUAL);
}

uint64_t fp_cmgt(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	return mask(f, compare(e, &formats[f], a, b, true) == GREATER);
}

uint64_t fp_acge(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	return fp_cmge(e, f, fp_abs(f, a), fp_abs(f, b));
}

uint64_t fp_acgt(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	return fp_cmgt(e, f, fp_abs(f, a), fp_abs(f, b));
}

/* @want: GREATER for maximum, LESS for minimum. */
static uint64_t pick(struct fp_env *e, const struct format *f, struct num a, struct num b, enum order want)
{
	uint64_t r;

	if (nans2(e, f, a, b, &r))
		return r;
	if (a.cls == ZERO && b.cls == ZERO) /* -0 is below +0 here */
		return fp_zero(f, want == GREATER ? a.sign && b.sign : a.sign || b.sign);
	if (order(a, b) != want)
		a = b;
	return a.cls == ZERO ? fp_zero(f, a.sign) : a.raw; /* a flushed operand is not its raw self */
}

/* A quiet NaN beside a number steps back: it becomes the infinity that loses. */
static uint64_t pick_number(struct fp_env *e, const struct format *f, struct num a, struct num b, enum order want)
{
	struct num loser = { .cls = INFINITE, .sign = want == GREATER, .raw = fp_inf(f, want == GREATER) };

	if (a.cls == QUIET && b.cls != QUIET)
		a = loser;
	else if (a.cls != QUIET && b.cls == QUIET)
		b = loser;
	return pick(e, f, a, b, want);
}

uint64_t fp_max(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	struct num x = unpack(e, &formats[f], a), y = unpack(e, &formats[f], b);

	return pick(e, &formats[f], x, y, GREATER);
}

uint64_t fp_min(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	struct num x = unpack(e, &formats[f], a), y = unpack(e, &formats[f], b);

	return pick(e, &formats[f], x, y, LESS);
}

uint64_t fp_maxnm(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	struct num x = unpack(e, &formats[f], a), y = unpack(e, &formats[f], b);

	return pick_number(e, &formats[f], x, y, GREATER);
}

uint64_t fp_minnm(struct fp_env *e, enum fp_format f, uint64_t a, uint64_t b)
{
	struct num x = unpack(e, &formats[f], a), y = unpack(e, &formats[f], b);

	return pick_number(e, &formats[f], x, y, LESS);
}

/* ---- Integers ---- */

/* |n| * 2^fbits rounded; n is finite and exp + fbits <= 63. */
static uint64_t magnitude(struct num n, unsigned fbits, enum fp_round rm, bool *inexact)
{
	int shift = TOP - n.exp - (int)fbits;

	if (shift < 0) {
		*inexact = false;
		return n.sig << -shift;
	}
	return round_bits(n.sig, (unsigned)shift, n.sign, rm, inexact);
}

static uint64_t pack_integer(struct fp_env *e, const struct format *f, bool sign, uint64_t v)
{
	return v ? round_pack(e, f, FP_RZ, sign, TOP, v) : fp_zero(f, sign);
}

uint64_t fp_round_int(struct fp_env *e, enum fp_format f, uint64_t a, enum fp_round rm, bool exact)
{
	const struct format *t = &formats[f];
	struct num n = unpack(e, t, a);
	bool inexact;
	uint64_t v;

	if (is_nan(n))
		return nan_result(e, t, n);
	if (n.cls == ZERO)
		return fp_zero(t, n.sign);
	if (n.cls == INFINITE || n.exp >= (int)t->fbits)
		return n.raw;
	v = magnitude(n, 0, rm, &inexact);
	if (inexact && exact)
		e->sr |= FPSR_IXC;
	return pack_integer(e, t, n.sign, v);
}

uint64_t fp_round_int_n(struct fp_env *e, enum fp_format f, uint64_t a, enum fp_round rm, unsigned width)
{
	const struct format *t = &formats[f];
	uint64_t limit = UINT64_C(1) << (width - 1), v = 0;
	struct num n = unpack(e, t, a);
	bool inexact = false, fits = n.cls == ZERO || (n.cls == FINITE && n.exp <= 63);

	if (n.cls == FINITE && fits) {
		v = magnitude(n, 0, rm, &inexact);
		fits = v < limit + n.sign;
	}
	if (!fits) {
		e->sr |= FPSR_IOC;
		return pack_integer(e, t, true, limit);
	}
	if (inexact)
		e->sr |= FPSR_IXC;
	return pack_integer(e, t, n.sign, v);
}

uint64_t fp_to_fixed(struct fp_env *e, enum fp_format f, uint64_t a, unsigned fbits, enum fp_round rm, bool is_signed,
		     unsigned width)
{
	struct num n = unpack(e, &formats[f], a);
	uint64_t ones = ~UINT64_C(0) >> (64 - width), v = 0, limit;
	bool inexact = false, fits = n.cls == FINITE && n.exp + (int)fbits <= 63;

	if (n.cls == ZERO)
		return 0;
	limit = is_signed ? (ones >> 1) + n.sign : n.sign ? 0 : ones;
	if (fits) {
		v = magnitude(n, fbits, rm, &inexact);
		fits = v <= limit;
	}
	if (!fits) {
		e->sr |= FPSR_IOC;
		v = is_nan(n) ? 0 : limit;
	} else if (inexact) {
		e->sr |= FPSR_IXC;
	}
	return (n.sign ? 0 - v : v) & ones;
}

uint64_t fp_from_fixed(struct fp_env *e, enum fp_format f, uint64_t v, unsigned fbits, bool is_signed)
{
	bool sign = is_signed && v >> 63;

	if (!v)
		return 0;
	return round_pack(e, &formats[f], FPCR_RMODE(e->cr), sign, TOP - (int)fbits, sign ? 0 - v : v);
}

uint32_t fp_to_int32_js(struct fp_env *e, uint64_t a, bool *exact)
{
	struct num n = unpack(e, &formats[FP_D], a);
	bool inexact = false, fits = true;
	uint64_t v = 0;

	*exact = n.cls == ZERO && n.raw == 0; /* neither -0 nor a flushed denormal */
	if (n.cls == ZERO)
		return 0;
	if (n.cls == FINITE && n.exp <= 63)
		v = magnitude(n, 0, FP_RZ, &inexact);
	else if (n.cls == FINITE && n.exp < TOP + 64) /* only the bits below 2^32 count */
		v = n.sig << (n.exp - TOP);
	if (n.cls != FINITE || n.exp > 31 || v > INT32_MAX + (uint64_t)n.sign)
		fits = false;
	if (!fits)
		e->sr |= FPSR_IOC;
	else if (inexact)
		e->sr |= FPSR_IXC;
	*exact = fits && !inexact;
	return (uint32_t)(n.sign ? 0 - v : v);
}

/* ---- Between formats ---- */

static const struct format *conversion_format(const struct fp_env *e, enum fp_format f)
{
	return &formats[f != FP_H ? (int)f : e->cr & FPCR_AHP ? CV_ALT : CV_HALF];
}

/* Arm ARM, FPConvertNaN: sign and the top of the payload. */
static uint64_t convert_nan(const struct format *from, const struct format *to, uint64_t a)
{
	uint64_t payload = (a & frac_mask(from)) << (TOP - from->fbits) >> (TOP - to->fbits);

	return fp_inf(to, a >> (from->bits - 1) & 1) | quiet_bit(to) | payload;
}

uint64_t fp_convert(struct fp_env *e, enum fp_format from, enum fp_format to, uint64_t a, enum fp_round rm)
{
	const struct format *s = conversion_format(e, from), *d = conversion_format(e, to);
	struct num n = unpack(e, s, a);

	switch (n.cls) {
	case ZERO: return fp_zero(d, n.sign);
	case FINITE: return round_pack(e, d, rm, n.sign, n.exp, n.sig);
	case INFINITE:
		if (!d->no_inf)
			return fp_inf(d, n.sign);
		e->sr |= FPSR_IOC;
		return fp_zero(d, n.sign) | all_ones(d) >> 1;
	default:
		if (n.cls == SIGNALLING || d->no_inf)
			e->sr |= FPSR_IOC;
		if (d->no_inf)
			return fp_zero(d, n.sign);
		return e->cr & FPCR_DN ? fp_default_nan(d) : convert_nan(s, d, n.raw);
	}
}

/* ---- Estimates ---- */

/* Arm ARM, RecipEstimate: 256 <= a < 512, for the interval [a, a + 1) / 512; the same range back. */
static unsigned recip_estimate(unsigned a) { return ((1u << 19) / (a * 2 + 1) + 1) / 2; }

/* Arm ARM, RecipSqrtEstimate: 128 <= a < 512; intervals are twice as wide in the upper part. */
static unsigned rsqrt_estimate(unsigned a)
{
	unsigned b = 512;

	a = a < 256 ? a * 2 + 1 : ((a >> 1 << 1) + 1) * 2;
	while (a * (b + 1) * (b + 1) < 1u << 28)
		b++;
	return (b + 1) / 2;
}

uint64_t fp_recip_estimate(struct fp_env *e, enum fp_format f, uint64_t a)
{
	const struct format *t = &formats[f];
	struct num n = unpack(e, t, a);
	uint64_t sig;
	int biased;

	if (is_nan(n))
		return nan_result(e, t, n);
	if (n.cls == INFINITE)
		return fp_zero(t, n.sign);
	if (n.cls == ZERO) {
		e->sr |= FPSR_DZC;
		return fp_inf(t, n.sign);
	}
	if (n.exp < -bias(t) - 1)
		return overflow(e, t, FPCR_RMODE(e->cr), n.sign);
	biased = bias(t) - 1 - n.exp;
	if (biased < 1 && (e->cr & t->fz)) {
		e->sr |= FPSR_UFC;
		return fp_zero(t, n.sign);
	}
	/* Nine bits, exact even as a denormal: no rounding, no flags. */
	sig = (uint64_t)recip_estimate((unsigned)(n.sig >> (TOP - 8))) << (t->fbits - 8);
	if (biased < 1)
		return fp_zero(t, n.sign) | sig >> (1 - biased);
	return (fp_zero(t, n.sign) | (uint64_t)(biased - 1) << t->fbits) + sig;
}

uint64_t fp_rsqrt_estimate(struct fp_env *e, enum fp_format f, uint64_t a)
{
	const struct format *t = &formats[f];
	struct num n = unpack(e, t, a);
	unsigned scaled;

	if (is_nan(n))
		return nan_result(e, t, n);
	if (n.cls == ZERO) {
		e->sr |= FPSR_DZC;
		return fp_inf(t, n.sign);
	}
	if (n.sign)
		return invalid(e, t);
	if (n.cls == INFINITE)
		return 0;
	/* In [0.25, 1) with an even exponent taken out: the top nine or eight bits. */
	scaled = (unsigned)(n.sig >> (TOP - 8 + !(n.exp & 1)));
	return ((uint64_t)(bias(t) - 2 - ((n.exp - (n.exp & 1)) / 2)) << t->fbits) +
	       ((uint64_t)rsqrt_estimate(scaled) << (t->fbits - 8));
}

/* Arm ARM, FPRecpX: the exponent turned over, the fraction dropped. */
uint64_t fp_recip_exponent(struct fp_env *e, enum fp_format f, uint64_t a)
{
	const struct format *t = &formats[f];
	struct num n = unpack(e, t, a);
	uint64_t biased = a >> t->fbits & exp_mask(t);

	if (is_nan(n))
		return nan_result(e, t, n);
	return fp_zero(t, n.sign) | (biased ? biased ^ exp_mask(t) : exp_mask(t) - 1) << t->fbits;
}

uint32_t fp_recip_estimate_u32(uint32_t a) { return a >> 31 ? (uint32_t)recip_estimate(a >> 23) << 23 : UINT32_MAX; }

uint32_t fp_rsqrt_estimate_u32(uint32_t a) { return a >> 30 ? (uint32_t)rsqrt_estimate(a >> 23) << 23 : UINT32_MAX; }

/* ---- BFloat16 dot product, immediates ---- */

static struct num unpack_bf(struct fp_env *e, uint32_t half) { return unpack(e, &formats[FP_S], half << 16); }

uint32_t fp_bfdot(uint32_t addend, uint32_t a, uint32_t b)
{
	const struct format *s = &formats[FP_S];
	struct fp_env e = { .cr = FPCR_FZ | FPCR_DN };
	uint64_t p0, p1;

	p0 = mul(&e, s, FP_ODD_INF, unpack_bf(&e, a & 0xffff), unpack_bf(&e, b & 0xffff), 0);
	p1 = mul(&e, s, FP_ODD_INF, unpack_bf(&e, a >> 16), unpack_bf(&e, b >> 16), 0);
	p0 = add(&e, s, FP_ODD_INF, unpack(&e, s, p0), unpack(&e, s, p1));
	return (uint32_t)add(&e, s, FP_ODD_INF, unpack(&e, s, addend), unpack(&e, s, p0));
}

/* imm8 is s:b:cdefgh: sign, exponent NOT(b):b...b:cd, fraction efgh:0... */
uint64_t fp_expand_imm(enum fp_format f, uint8_t imm8)
{
	const struct format *t = &formats[f];
	uint64_t exp =
		(imm8 & 0x40 ? (UINT64_C(1) << (ebits(t) - 1)) - 4 : UINT64_C(1) << (ebits(t) - 1)) | (imm8 >> 4 & 3);

	return fp_zero(t, imm8 >> 7) | exp << t->fbits | (uint64_t)(imm8 & 15) << (t->fbits - 4);
}
