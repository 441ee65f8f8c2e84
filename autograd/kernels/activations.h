/* activations.h - activations of one number, and derivatives that need care.
 *
 * They have no branches, so loops over them become vector code. */
#ifndef AUTOGRAD_KERNELS_ACTIVATIONS_H
#define AUTOGRAD_KERNELS_ACTIVATIONS_H

#include "vector_math.h"

#define SQRT_2_OVER_PI     ((ag_real)0.79788456080286535588)
#define ONE_OVER_ROOT_2_PI ((ag_real)0.39894228040143267794)
#define TWO_OVER_ROOT_PI   ((ag_real)1.12837916709551257390)
#define GELU_CUBIC         ((ag_real)0.044715)
/* Beyond this, gelu_tanh is 0 or x to the last bit. Functions that multiply x by a factor
 * that vanishes limit x first, so that infinity times zero does not become NaN. */
#define GELU_LIMIT ((ag_real)40)

/* max(x, 0), but NaN if x is NaN */
static inline ag_real relu(ag_real x)
{
    return x <= 0 ? 0 : x;
}

/* dy if x is above 0, else 0. (As a function it reads dy in either case, so that a
 * loop over it has no branch.) */
static inline ag_real relu_backward(ag_real x, ag_real dy)
{
    return x <= 0 ? 0 : dy;
}

/* x sigmoid(x) */
static inline ag_real silu(ag_real x)
{
    return at_least(x, EXP_LOW) * sigmoid_real(x);
}

/* silu'(x) = s (1 + x (1 - s)) with s = sigmoid(x). At x = -t <= 0 it is r (1 - t (1 -
 * r)), where r = sigmoid(-t) has all its digits. The values at x and -x add up to 1.
 * (Above 0 the formula would multiply a difference from 1 by a large x.) */
static inline ag_real silu_derivative(ag_real x)
{
    ag_real t = at_most(magnitude(x), -EXP_LOW), r = sigmoid_real(-t);
    ag_real left = r * (1 - t * (1 - r));
    return x > 0 ? 1 - left : left;
}

/* 2 / sqrt(pi) e^(-x^2) */
static inline ag_real erf_derivative(ag_real x)
{
    return TWO_OVER_ROOT_PI * exp_real(-x * x);
}

/* x Phi(x) = max(x, -0) - |x| Phi(-|x|), at most 2 representable numbers away from the
 * truth, 3 without fused multiply-add. Near 0, Phi is 1/2 plus a polynomial, which loses
 * fewer bits. */
static inline ag_real gelu_exact(ag_real x)
{
    ag_real t = magnitude(x);
    ag_real near = x * (x * POLYNOMIAL(x * x, CDF_NEAR) + (ag_real)0.5);
    ag_real far = at_least(x, -(ag_real)0) - times_normal_tail(t, t);
    return t < (ag_real)0.7 ? near : far;
}

/* Phi(x) + x phi(x), where phi is Phi's derivative: at most 4 representable numbers
 * away from the truth. At x = -t < 0 it is e^(-t^2/2) times a function of t with one
 * zero. The distance to that zero is a factor here, so no bits are lost near it. The
 * values at x and -x add up to 1. */
static inline ag_real gelu_exact_derivative(ag_real x)
{
    ag_real t = magnitude(x), from_zero = (SLOPE_ZERO - t) + SLOPE_ZERO_REST;
    ag_real slope = ONE_OVER_ROOT_2_PI + POLYNOMIAL(t, SLOPE_ABOVE) / POLYNOMIAL(t, SLOPE_BELOW);
    ag_real left = times_bell(from_zero * slope, t);
    return x > 0 ? 1 - left : left;
}

/* x 0.5 (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3); 0.5 (1 + tanh u) =
 * sigmoid(2u), which loses no bits where u is far below zero. */
static inline ag_real gelu_tanh(ag_real x)
{
    ag_real inside = at_least(x, -GELU_LIMIT);
    ag_real u = SQRT_2_OVER_PI * inside * (1 + GELU_CUBIC * inside * inside);
    return inside * sigmoid_real(2 * u);
}

/* At x = -t <= 0: r (1 - 2 u'(t) t (1 - r)), where r = sigmoid(-2 u(t)); as for silu. */
static inline ag_real gelu_tanh_derivative(ag_real x)
{
    ag_real t = at_most(magnitude(x), GELU_LIMIT), square = GELU_CUBIC * t * t;
    ag_real u = SQRT_2_OVER_PI * t * (1 + square), slope = SQRT_2_OVER_PI * (1 + 3 * square);
    ag_real r = sigmoid_real(-2 * u);
    ag_real left = r * (1 - 2 * slope * t * (1 - r));
    return x > 0 ? 1 - left : left;
}

/* The derivative of a^b by a, b a^(b-1): 0 for b = 0 even if a is 0. */
static inline ag_real pow_by_base(ag_real a, ag_real b)
{
    return b == 0 ? 0 : b * pow_real(a, b - 1);
}

/* The derivative of a^b by b, a^b ln a, from y = a^b: its limit is 0 where y is 0. */
static inline ag_real pow_by_exponent(ag_real a, ag_real y)
{
    return y == 0 ? 0 : y * log_real(a);
}

#endif
