/* vector_math.h - exp, tanh, sigmoid and the normal distribution without branches, for loops that become vector code.
 *
 * In float the first three are at most 2 representable numbers away from the nearest to the truth, in double 4. Special
 * values are libm's: exp_real(-inf) is 0, exp_real(inf) is inf, NaN stays NaN, and results below the smallest normal
 * number lose their bits gradually. */
#ifndef AUTOGRAD_KERNELS_VECTOR_MATH_H
#define AUTOGRAD_KERNELS_VECTOR_MATH_H

#include "real.h"

#include <math.h>
#include <string.h>

/* EXP_HIGH and EXP_LOW are just beyond the last arguments whose exponential is neither infinite nor zero. ROUNDER is
 * 1.5 times 2^(bits of the fraction): adding it leaves the nearest whole number in the lowest bits. */
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
#endif

#define SIGN_BIT ((real_bits)1 << (8 * sizeof(real) - 1))

static inline real_bits bits_of(real x)
{
    real_bits bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline real real_from_bits(real_bits bits)
{
    real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^(field - bias), for 0 < field < 2 bias + 1. */
static inline real power_of_two(real_bits field)
{
    return real_from_bits(field << FRACTION_BITS);
}

/* x = n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite 1980: n times the high part of ln 2 is exact). Returns e^r - 1,
 * and n + 2 bias in `*biased`. */
static inline real exp_reduced(real x, real_bits *biased)
{
    real shifted = x * (real)1.44269504088896340736 + ROUNDER;
    real n = shifted - ROUNDER;
    real r = (x - n * LN2_HIGH) - n * LN2_LOW;
    *biased = bits_of(shifted) - bits_of(ROUNDER) + 2 * EXPONENT_BIAS;

    /* (e^r - 1 - r) / r^2 by Taylor's series; the first term left out is below a tenth of an ulp. */
#ifdef TAPEFORMER_DOUBLE
    real tail = 1.0 / 6227020800.0;
    tail = tail * r + 1.0 / 479001600.0;
    tail = tail * r + 1.0 / 39916800.0;
    tail = tail * r + 1.0 / 3628800.0;
    tail = tail * r + 1.0 / 362880.0;
    tail = tail * r + 1.0 / 40320.0;
    tail = tail * r + 1.0 / 5040.0;
#else
    real tail = 1.0f / 5040.0f;
#endif
    tail = tail * r + (real)(1.0 / 720.0);
    tail = tail * r + (real)(1.0 / 120.0);
    tail = tail * r + (real)(1.0 / 24.0);
    tail = tail * r + (real)(1.0 / 6.0);
    tail = tail * r + (real)0.5;
    return tail * (r * r) + r;
}

/* e^x. */
static inline real exp_real(real x)
{
    real_bits biased;
    x = x > EXP_HIGH ? EXP_HIGH : x; /* (comparisons that keep NaN) */
    x = x < EXP_LOW ? EXP_LOW : x;
    real power = exp_reduced(x, &biased) + 1;
    /* 2^n in two factors, since n reaches beyond the exponents of normal numbers; only the second product rounds. */
    real_bits half = biased / 2;
    return power * power_of_two(half) * power_of_two(biased - half);
}

/* tanh x = (e^2|x| - 1) / (e^2|x| + 1), with the sign of x. Near 0 all is in e^r - 1, which is accurate there. */
static inline real tanh_real(real x)
{
    real_bits biased;
    real magnitude = x < 0 ? -x : x;
    magnitude = magnitude > TANH_HIGH ? TANH_HIGH : magnitude; /* 1 to the last bit from there on */
    real less_one = exp_reduced(2 * magnitude, &biased);
    real scale = power_of_two(biased - EXPONENT_BIAS);
    less_one = less_one * scale + (scale - 1);
    return real_from_bits(bits_of(less_one / (less_one + 2)) | (bits_of(x) & SIGN_BIT));
}

/* 1 / (1 + e^-x), from the exponential that cannot overflow. */
static inline real sigmoid_real(real x)
{
    real power = exp_real(x < 0 ? x : -x);
    return (x < 0 ? power : 1) / (1 + power);
}

/* Phi(x), the normal distribution function, given e^(-x^2/2), which whoever needs Phi often needs as well. In float:
 * near 0 a polynomial about 1/2; beyond, with v = 1 / (|x| + 2), the smaller side is e^(-x^2/2) v times a polynomial
 * in v (the form of Abramowitz and Stegun 1964, 7.1.26). Both polynomials interpolate at Chebyshev nodes. The error is
 * at most 1e-7, and down to x = -6 at most 2e-6 of the value. */
static inline real normal_cdf_real(real x, real power)
{
#ifdef TAPEFORMER_DOUBLE
    (void)power;
    return 0.5 * erfc(-0.70710678118654752440 * x);
#else
    real size = x < 0 ? -x : x, square = x * x, v = 1 / (size + 2);

    real near = -6.82239678e-6f;
    near = near * square + 1.11092028e-4f;
    near = near * square - 1.18390762e-3f;
    near = near * square + 9.97232271e-3f;
    near = near * square - 6.64902159e-2f;
    near = near * square + 3.98942277e-1f;

    real far = -36.648641f;
    far = far * v + 52.9388912f;
    far = far * v - 24.5040235f;
    far = far * v + 0.935884454f;
    far = far * v + 0.497100511f;
    far = far * v + 1.21541141f;
    far = far * v + 0.797249379f;
    far = far * v + 0.398951487f;
    far = far * v * power;

    real outside = x < 0 ? far : 1 - far;
    return size < 1.25f ? near * x + 0.5f : outside;
#endif
}

/* Of libm, by the number type. */
#ifdef TAPEFORMER_DOUBLE
#define log_real  log
#define sqrt_real sqrt
#define pow_real  pow
#else
#define log_real  logf
#define sqrt_real sqrtf
#define pow_real  powf
#endif

#endif
