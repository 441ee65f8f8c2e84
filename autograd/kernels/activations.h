/* activations.h - activations, and the derivatives that need care, of one number.
 *
 * Without branches, so that loops over them become vector code. */
#ifndef AUTOGRAD_KERNELS_ACTIVATIONS_H
#define AUTOGRAD_KERNELS_ACTIVATIONS_H

#include "vector_math.h"

#define SQRT_2_OVER_PI     ((ag_real)0.79788456080286535588)
#define ONE_OVER_ROOT_2_PI ((ag_real)0.39894228040143267794)
#define TWO_OVER_ROOT_PI   ((ag_real)1.12837916709551257390)
#define GELU_CUBIC         ((ag_real)0.044715)
/* Beyond this the gelu by tanh is 0 or x to the last bit. Where a function is a product of x and something that
 * vanishes, x is held inside of it, so that infinity times zero does not make a NaN. */
#define GELU_LIMIT ((ag_real)40)

static inline ag_real relu(ag_real x)
{
    return x <= 0 ? 0 : x;
}

/* dy where x is above 0. (As a function: dy is read in any case, which makes vector code of it.) */
static inline ag_real relu_backward(ag_real x, ag_real dy)
{
    return x <= 0 ? 0 : dy;
}

static inline ag_real silu(ag_real x)
{
    return at_least(x, EXP_LOW) * sigmoid_real(x);
}

/* At x = -t <= 0 it is r (1 - t (1 - r)), where r = sigmoid(-t) has all its digits; the
 * values at x and -x add up to 1. (Above 0 the same formula multiplies a difference from
 * 1 by a large x.) */
static inline ag_real silu_derivative(ag_real x)
{
    ag_real t = at_most(magnitude(x), -EXP_LOW), r = sigmoid_real(-t);
    ag_real left = r * (1 - t * (1 - r));
    return x > 0 ? 1 - left : left;
}

static inline ag_real erf_derivative(ag_real x)
{
    return TWO_OVER_ROOT_PI * exp_real(-x * x);
}

/* x Phi(x) = max(x, -0) - |x| Phi(-|x|), at most 2 representable numbers away from the truth, 3 without fused
 * multiply-add. Near 0 Phi is 1/2 and a polynomial, which loses less. */
static inline ag_real gelu_exact(ag_real x)
{
    ag_real t = magnitude(x);
    ag_real near = x * (x * POLYNOMIAL(x * x, CDF_NEAR) + (ag_real)0.5);
    ag_real far = at_least(x, -(ag_real)0) - times_normal_tail(t, t);
    return t < (ag_real)0.7 ? near : far;
}

/* Phi(x) + x phi(x), where phi is Phi's derivative: at most 4 representable numbers away from the truth. At x = -t < 0
 * it is e^(-t^2/2) times a function of t with one zero, which is a factor here, so that nothing is lost near it; the
 * values at x and -x add up to 1. */
static inline ag_real gelu_exact_derivative(ag_real x)
{
    ag_real t = magnitude(x), from_zero = (SLOPE_ZERO - t) + SLOPE_ZERO_REST;
    ag_real slope = ONE_OVER_ROOT_2_PI + POLYNOMIAL(t, SLOPE_ABOVE) / POLYNOMIAL(t, SLOPE_BELOW);
    ag_real left = times_bell(from_zero * slope, t);
    return x > 0 ? 1 - left : left;
}

/* 0.5 (1 + tanh u) is sigmoid(2u), which loses nothing where u is far below zero. */
static inline ag_real gelu_tanh(ag_real x)
{
    ag_real inside = at_least(x, -GELU_LIMIT);
    ag_real u = SQRT_2_OVER_PI * inside * (1 + GELU_CUBIC * inside * inside);
    return inside * sigmoid_real(2 * u);
}

/* r (1 - 2 u' t (1 - r)) at x = -t <= 0, where r = sigmoid(-2u(t)), as for silu. */
static inline ag_real gelu_tanh_derivative(ag_real x)
{
    ag_real t = at_most(magnitude(x), GELU_LIMIT), square = GELU_CUBIC * t * t;
    ag_real u = SQRT_2_OVER_PI * t * (1 + square), slope = SQRT_2_OVER_PI * (1 + 3 * square);
    ag_real r = sigmoid_real(-2 * u);
    ag_real left = r * (1 - 2 * slope * t * (1 - r));
    return x > 0 ? 1 - left : left;
}

/* b a^(b-1), which is 0 for b = 0 even where a is 0. */
static inline ag_real pow_by_base(ag_real a, ag_real b)
{
    return b == 0 ? 0 : b * pow_real(a, b - 1);
}

/* a^b ln a, whose limit is 0 where a^b is 0. */
static inline ag_real pow_by_exponent(ag_real a, ag_real y)
{
    return y == 0 ? 0 : y * log_real(a);
}

#endif
