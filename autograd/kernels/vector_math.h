/* vector_math.h - exp, tanh, sigmoid, erf, log and the normal distribution without
 * branches, for loops that become vector code.
 *
 * No value is more than 2 representable numbers away from the one nearest to the truth
 * (exp, tanh and log: 1), whatever the argument, in float and in double. Special
 * values are libm's: exp_real(-inf) is 0, exp_real(inf) is inf, NaN stays NaN, and
 * results below the smallest normal number lose their bits gradually. */
#ifndef AUTOGRAD_KERNELS_VECTOR_MATH_H
#define AUTOGRAD_KERNELS_VECTOR_MATH_H

#include "coefficients.h"
#include "scalar.h"

#include <math.h>
#include <string.h>

/* Above EXP_HIGH the exponential is infinite, below EXP_LOW zero. Above TANH_HIGH tanh
 * is 1 to the last bit, and above TAIL_LIMIT the slope of gelu. ROUNDER is 1.5 times
 * 2^(bits of the fraction): adding it leaves the nearest whole number in the lowest
 * bits. UPPER_HALF masks the upper bits of a number, so few that their square is
 * exact. */
#ifdef TAPEFORMER_DOUBLE
typedef uint64_t real_bits;
#define FRACTION_BITS 52
#define EXPONENT_BIAS 1023u
#define ROUNDER       0x1.8p52
#define EXP_HIGH      710.0
#define EXP_LOW       (-746.0)
#define LN2_HIGH      0x1.62e42feep-1
#define LN2_LOW       0x1.a39ef35793c76p-33
#define TANH_HIGH     20.0
#define TAIL_LIMIT    39.0
#define UPPER_HALF    (~(real_bits)0 << 27)
#else
typedef uint32_t real_bits;
#define FRACTION_BITS 23
#define EXPONENT_BIAS 127u
#define ROUNDER       0x1.8p23f
#define EXP_HIGH      89.0f
#define EXP_LOW       (-104.0f)
#define LN2_HIGH      0x1.62e4p-1f
#define LN2_LOW       0x1.7f7d1cp-20f
#define TANH_HIGH     10.0f
#define TAIL_LIMIT    14.6f
#define UPPER_HALF    (~(real_bits)0 << 12)
#endif

#define SIGN_BIT  ((real_bits)1 << (8 * sizeof(ag_real) - 1))
#define ROOT_HALF ((ag_real)0.70710678118654752440)
#define ROOT_2    ((ag_real)1.41421356237309504880)
#define ROOT_2_PI ((ag_real)2.50662827463100050242)

static inline real_bits bits_of(ag_real x)
{
    real_bits bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline ag_real real_from_bits(real_bits bits)
{
    ag_real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline ag_real magnitude(ag_real x)
{
    return real_from_bits(bits_of(x) & ~SIGN_BIT);
}

/* `size`, which must not be negative, with the sign of x. */
static inline ag_real with_sign(ag_real size, ag_real x)
{
    return real_from_bits(bits_of(size) | (bits_of(x) & SIGN_BIT));
}

/* min(x, high), but NaN if x is NaN. */
static inline ag_real at_most(ag_real x, ag_real high)
{
    return x > high ? high : x;
}

/* max(x, low), but NaN if x is NaN. */
static inline ag_real at_least(ag_real x, ag_real low)
{
    return x < low ? low : x;
}

/* c[0] + c[1] x + c[2] x^2 + .. (Horner's rule) */
#define POLYNOMIAL(x, c) polynomial(x, sizeof(c) / sizeof *(c), c)
static inline ag_real polynomial(ag_real x, size_t count, const ag_real *c)
{
    ag_real sum = c[count - 1];
    for (size_t i = count - 1; i-- > 0;)
        sum = sum * x + c[i];
    return sum;
}

/* ---- Powers of e ------------------------------------------------------------------- */

/* 2^(field - bias), for 0 < field < 2 bias + 1. */
static inline ag_real power_of_two(real_bits field)
{
    return real_from_bits(field << FRACTION_BITS);
}

/* Writes x + rest as n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite 1980: n times the
 * high part of ln 2 is exact). Returns e^r - 1, and n + 2 bias in `*biased`. `rest` is
 * too small against x to be added to it. */
static inline ag_real exp_reduced(ag_real x, ag_real rest, real_bits *biased)
{
    ag_real shifted = x * (ag_real)1.44269504088896340736 + ROUNDER;
    ag_real n = shifted - ROUNDER;
    ag_real r = (x - n * LN2_HIGH) - (n * LN2_LOW - rest);
    *biased = bits_of(shifted) - bits_of(ROUNDER) + 2 * EXPONENT_BIAS;
    return POLYNOMIAL(r, EXP_TAIL) * (r * r) + r;
}

/* x 2^n, as two products, since 2^n need not be a normal number. Only the second product
 * rounds. */
static inline ag_real times_power_of_two(ag_real x, real_bits biased)
{
    real_bits half = biased / 2;
    return x * power_of_two(half) * power_of_two(biased - half);
}

/* e^x. (The limits are applied to the result: compilers make worse code if the
 * argument is limited first.) */
static inline ag_real exp_real(ag_real x)
{
    real_bits biased;
    ag_real fraction = exp_reduced(x, 0, &biased) + 1;
    ag_real power = times_power_of_two(fraction, biased);
    power = x > EXP_HIGH ? (ag_real)INFINITY : power;
    return x < EXP_LOW ? 0 : power;
}

/* 1 - 2 / (e^2|x| + 1) with the sign of x; a polynomial near 0, where that difference
 * would lose bits. */
static inline ag_real tanh_real(ag_real x)
{
    real_bits biased;
    ag_real size = magnitude(x), square = size * size;
    ag_real near = POLYNOMIAL(square, TANH_NEAR) * square * size + size;
    ag_real fraction = exp_reduced(2 * size, 0, &biased) + 1;
    ag_real power = fraction * power_of_two(biased - EXPONENT_BIAS);
    ag_real far = size > TANH_HIGH ? 1 : 1 - 2 / (power + 1);
    return with_sign(size < (ag_real)0.55 ? near : far, x);
}

/* 1 / (1 + e^-x), computed from e^-|x|, which cannot overflow. */
static inline ag_real sigmoid_real(ag_real x)
{
    ag_real power = exp_real(-magnitude(x));
    return (x < 0 ? power : 1) / (1 + power);
}

/* ---- The normal distribution ------------------------------------------------------- */

/* factor e^(-t^2/2) for t >= 0; 0 above TAIL_LIMIT. t^2 is computed as a sum of two
 * numbers: a square of 100, rounded to float, would make the last 6 bits of the power
 * wrong. */
static inline ag_real times_bell(ag_real factor, ag_real t)
{
    real_bits biased;
    ag_real upper = real_from_bits(bits_of(t) & UPPER_HALF), rest = (t - upper) * (t + upper);
    ag_real less_one = exp_reduced((ag_real)-0.5 * upper * upper, (ag_real)-0.5 * rest, &biased);
    ag_real result = times_power_of_two(factor * less_one + factor, biased);
    return t > TAIL_LIMIT ? 0 : result;
}

/* factor Phi(-t) for t >= 0.7, the lower tail of the normal distribution; 0 above
 * TAIL_LIMIT. Phi(-t) e^(t^2/2) = 1 / (sqrt(2 pi) t + rest / main), where the rounding of
 * the two polynomials is small beside the first term. */
static inline ag_real times_normal_tail(ag_real factor, ag_real t)
{
    ag_real main = POLYNOMIAL(t, TAIL_MAIN), rest = POLYNOMIAL(t, TAIL_REST);
    return times_bell(factor * main / (ROOT_2_PI * (t * main) + rest), t);
}

/* 1 - 2 Phi(-sqrt 2 |x|) with the sign of x; a polynomial near 0, where that difference
 * would lose bits. */
static inline ag_real erf_real(ag_real x)
{
    ag_real size = magnitude(x), near = POLYNOMIAL(size * size, ERF_NEAR) * size + size;
    ag_real far = 1 - times_normal_tail(2, size * ROOT_2);
    return with_sign(size < (ag_real)0.5 ? near : far, x);
}

/* ---- Logarithms -------------------------------------------------------------------- */

/* ln x = n ln 2 + ln(1 + f) with sqrt(1/2) <= 1 + f < sqrt 2, and with s = f / (2 + f)
 *     ln(1 + f) = 2 artanh s = f - (f^2/2 - s (f^2/2 + R)),  R = 2 artanh(s) / s - 2,
 * where the first and largest term is exact. */
static inline ag_real log_real(ag_real x)
{
    const bool tiny = x < power_of_two(1); /* not a normal number: made one */
    const real_bits root_half = bits_of(ROOT_HALF), fraction = ((real_bits)1 << FRACTION_BITS) - 1;
    real_bits bits = bits_of(tiny ? x * power_of_two(EXPONENT_BIAS + FRACTION_BITS + 1) : x) - root_half;
    real_bits biased = (bits + ((real_bits)EXPONENT_BIAS << FRACTION_BITS)) >> FRACTION_BITS;
    ag_real n = real_from_bits(bits_of(ROUNDER) + biased) - (ROUNDER + EXPONENT_BIAS);
    n = tiny ? n - (FRACTION_BITS + 1) : n;

    ag_real f = real_from_bits((bits & fraction) + root_half) - 1;
    ag_real s = f / (2 + f), square = s * s, half_square = (ag_real)0.5 * f * f;
    ag_real inner = s * (half_square + POLYNOMIAL(square, LOG_TAIL) * square);
    ag_real result = n * LN2_HIGH - ((half_square - (inner + n * LN2_LOW)) - f);

    result = x < (ag_real)INFINITY ? result : x; /* infinity and NaN */
    ag_real outside = x == 0 ? -(ag_real)INFINITY : (ag_real)NAN;
    return x <= 0 ? outside : result;
}

/* ---- Calls of other functions ------------------------------------------------------ */

/* libm's, which is correctly rounded everywhere, and one instruction. */
#ifdef TAPEFORMER_DOUBLE
#define sqrt_real sqrt
#else
#define sqrt_real sqrtf
#endif

static inline ag_real pow_real(ag_real x, ag_real y)
{
    return (ag_real)scalar_pow((double)x, (double)y);
}

#endif
