/* update.h - the loops of the optimisers: on plain arrays, by one thread. */
#ifndef AUTOGRAD_KERNELS_UPDATE_H
#define AUTOGRAD_KERNELS_UPDATE_H

#include "real.h"

/* The numbers that all elements of one update share. What the rules below call g is scale * gradient + decay * p. */
typedef struct update_constants {
    real scale;
    real decay; /* of the weights, where it is part of the gradient; or 0 */
    real keep;  /* AdamW: 1 - rate * weight decay; or 1 */
    real rate, momentum;
    real one_minus_beta1, beta2, one_minus_beta2, epsilon;
    real step_size;    /* rate / (1 - beta1^t) */
    real second_scale; /* 1 / sqrt(1 - beta2^t) */
} update_constants;

/* The rules update n parameters p, and what the optimiser keeps of each, and set the gradients to zero. No two arrays
 * may overlap. */
typedef struct kernel_update {
    /* With g cut to 2^63 (2^511 where real is double), so that v stays finite; NaN stays:
     * m += (1 - b1) (g - m);  v = b2 v + (1 - b2) g g;  p = keep p - step_size m /
     * (sqrt(v) second_scale + epsilon) */
    void (*adam)(const update_constants *constants, int64_t n, real *p, real *gradient, real *m, real *v);
    /* p -= rate g */
    void (*sgd)(const update_constants *constants, int64_t n, real *p, real *gradient);
    /* b = momentum b + g;  p -= rate b */
    void (*momentum)(const update_constants *constants, int64_t n, real *p, real *gradient, real *b);
    /* b = momentum b + g;  p -= rate (g + momentum b) */
    void (*nesterov)(const update_constants *constants, int64_t n, real *p, real *gradient, real *b);
    /* average = (1 - share) average + share p */
    void (*average)(real share, int64_t n, const real *p, real *average);
    /* sum (unit x[i])^2, in an order that depends on n alone. */
    double (*sum_of_squares)(int64_t n, const real *x, double unit);
} kernel_update;

#endif
