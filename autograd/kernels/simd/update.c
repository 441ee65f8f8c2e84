/* update.c - the rules of the optimisers.
 *
 * The loops are bound by memory, so each reads and writes every array once, and all that
 * happens to a gradient (scaling, weight decay, zeroing for the next step) happens there.
 * They have no branches, so compilers turn them into vector code. */
#include "../update.h"
#include "../vector_math.h"

#include "sums.h"

/* g = scale gradient + decay p; sets the gradient to zero. */
static inline ag_real take_gradient(const update_constants *k, ag_real p, ag_real *gradient)
{
    ag_real g = k->scale * *gradient + k->decay * p;
    *gradient = 0;
    return g;
}

static void adam(const update_constants *constants, int64_t n, ag_real *restrict p, ag_real *restrict gradient,
                 ag_real *restrict m, ag_real *restrict v)
{
    const update_constants k = *constants;
    for (int64_t i = 0; i < n; i++) {
        ag_real g = at_least(at_most(take_gradient(&k, p[i], &gradient[i]), MOST_SQUARED), -MOST_SQUARED);
        m[i] += k.one_minus_beta1 * (g - m[i]);
        v[i] = k.beta2 * v[i] + k.one_minus_beta2 * (g * g);
        p[i] = p[i] * k.keep - k.step_size * (m[i] / (sqrt_real(v[i]) * k.second_scale + k.epsilon));
    }
}

static void sgd(const update_constants *constants, int64_t n, ag_real *restrict p, ag_real *restrict gradient)
{
    const update_constants k = *constants;
    for (int64_t i = 0; i < n; i++)
        p[i] -= k.rate * take_gradient(&k, p[i], &gradient[i]);
}

static void momentum(const update_constants *constants, int64_t n, ag_real *restrict p, ag_real *restrict gradient,
                     ag_real *restrict b)
{
    const update_constants k = *constants;
    for (int64_t i = 0; i < n; i++) {
        b[i] = k.momentum * b[i] + take_gradient(&k, p[i], &gradient[i]);
        p[i] -= k.rate * b[i];
    }
}

static void nesterov(const update_constants *constants, int64_t n, ag_real *restrict p, ag_real *restrict gradient,
                     ag_real *restrict b)
{
    const update_constants k = *constants;
    for (int64_t i = 0; i < n; i++) {
        ag_real g = take_gradient(&k, p[i], &gradient[i]);
        b[i] = k.momentum * b[i] + g;
        p[i] -= k.rate * (g + k.momentum * b[i]);
    }
}

static void average(ag_real share, int64_t n, const ag_real *restrict p, ag_real *restrict mean)
{
    const ag_real rest = 1 - share;
    for (int64_t i = 0; i < n; i++)
        mean[i] = rest * mean[i] + share * p[i];
}

static double sum_of_squares(int64_t n, const ag_real *x, double unit)
{
    return unit == 1 ? wide_sum_of(n, x, true, 1) : wide_sum_of(n, x, true, unit);
}

const kernel_update KERNEL(kernel_update) = {
    .adam = adam,
    .sgd = sgd,
    .momentum = momentum,
    .nesterov = nesterov,
    .average = average,
    .sum_of_squares = sum_of_squares,
};
