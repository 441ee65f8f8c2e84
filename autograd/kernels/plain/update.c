/* update.c - the rules of the optimisers, one parameter after the other. */
#include "../update.h"

#include "../vector_math.h"

/* g = scale gradient + decay p; the gradient becomes 0, for the next step to add to. */
static ag_real take_gradient(const update_constants *k, ag_real p, ag_real *gradient)
{
    const ag_real g = k->scale * *gradient + k->decay * p;
    *gradient = 0;
    return g;
}

/* m += (1 - beta1) (g - m)
 * v = beta2 v + (1 - beta2) g g
 * p = keep p - step_size m / (sqrt(v) second_scale + epsilon)
 * (Kingma and Ba 2015; keep: Loshchilov and Hutter 2019) */
static void adam(const update_constants *k, int64_t n, ag_real *p, ag_real *gradient, ag_real *m, ag_real *v)
{
    for (int64_t i = 0; i < n; i++) {
        const ag_real g = at_least(at_most(take_gradient(k, p[i], &gradient[i]), MOST_SQUARED), -MOST_SQUARED);
        m[i] += k->one_minus_beta1 * (g - m[i]);
        v[i] = k->beta2 * v[i] + k->one_minus_beta2 * (g * g);
        p[i] = k->keep * p[i] - k->step_size * (m[i] / (sqrt_real(v[i]) * k->second_scale + k->epsilon));
    }
}

/* p -= rate g */
static void sgd(const update_constants *k, int64_t n, ag_real *p, ag_real *gradient)
{
    for (int64_t i = 0; i < n; i++)
        p[i] -= k->rate * take_gradient(k, p[i], &gradient[i]);
}

/* b = momentum b + g;  p -= rate b */
static void momentum(const update_constants *k, int64_t n, ag_real *p, ag_real *gradient, ag_real *b)
{
    for (int64_t i = 0; i < n; i++) {
        b[i] = k->momentum * b[i] + take_gradient(k, p[i], &gradient[i]);
        p[i] -= k->rate * b[i];
    }
}

/* b = momentum b + g;  p -= rate (g + momentum b) */
static void nesterov(const update_constants *k, int64_t n, ag_real *p, ag_real *gradient, ag_real *b)
{
    for (int64_t i = 0; i < n; i++) {
        const ag_real g = take_gradient(k, p[i], &gradient[i]);
        b[i] = k->momentum * b[i] + g;
        p[i] -= k->rate * (g + k->momentum * b[i]);
    }
}

/* average = (1 - share) average + share p */
static void average(ag_real share, int64_t n, const ag_real *p, ag_real *mean)
{
    for (int64_t i = 0; i < n; i++)
        mean[i] = (1 - share) * mean[i] + share * p[i];
}

/* sum over i of (unit x[i])^2 */
static double sum_of_squares(int64_t n, const ag_real *x, double unit)
{
    scalar_sum sum = {0, 0};
    for (int64_t i = 0; i < n; i++)
        scalar_sum_add(&sum, (unit * (double)x[i]) * (unit * (double)x[i]));
    return scalar_sum_total(&sum);
}

const kernel_update kernel_update_plain = {
    .adam = adam,
    .sgd = sgd,
    .momentum = momentum,
    .nesterov = nesterov,
    .average = average,
    .sum_of_squares = sum_of_squares,
};
