/* update.h - the rules of the optimisers: on arrays, by one thread. */
#ifndef AUTOGRAD_KERNELS_UPDATE_H
#define AUTOGRAD_KERNELS_UPDATE_H

#include "real.h"

/* The numbers that all elements of one update share. In the rules below,
 * g = scale gradient + decay p. */
typedef struct update_constants {
    ag_real scale;
    ag_real decay; /* weight decay as part of the gradient, or 0 */
    ag_real keep;  /* 1 - rate * weight decay for AdamW, else 1 */
    ag_real rate, momentum;
    ag_real one_minus_beta1, beta2, one_minus_beta2, epsilon;
    ag_real step_size;    /* rate / (1 - beta1^t) */
    ag_real second_scale; /* 1 / sqrt(1 - beta2^t) */
} update_constants;

/* adam limits g to [-MOST_SQUARED, MOST_SQUARED], so that v stays finite. */
#ifdef TAPEFORMER_DOUBLE
#define MOST_SQUARED 0x1p511
#else
#define MOST_SQUARED 0x1p63f
#endif

/* Each rule updates n parameters p and the numbers that the optimiser keeps for each, and
 * sets the gradients to zero. No two arrays may overlap. */
typedef struct kernel_update {
    /* With g limited to MOST_SQUARED (NaN stays):
     *     m += (1 - beta1) (g - m)
     *     v = beta2 v + (1 - beta2) g g
     *     p = keep p - step_size m / (sqrt(v) second_scale + epsilon) */
    void (*adam)(const update_constants *constants, int64_t n, ag_real *p, ag_real *gradient, ag_real *m, ag_real *v);
    /* p -= rate g */
    void (*sgd)(const update_constants *constants, int64_t n, ag_real *p, ag_real *gradient);
    /* b = momentum b + g;  p -= rate b */
    void (*momentum)(const update_constants *constants, int64_t n, ag_real *p, ag_real *gradient, ag_real *b);
    /* b = momentum b + g;  p -= rate (g + momentum b) */
    void (*nesterov)(const update_constants *constants, int64_t n, ag_real *p, ag_real *gradient, ag_real *b);
    /* average = (1 - share) average + share p */
    void (*average)(ag_real share, int64_t n, const ag_real *p, ag_real *average);
    /* sum (unit x[i])^2; the order of the sum depends on n alone. */
    double (*sum_of_squares)(int64_t n, const ag_real *x, double unit);
} kernel_update;

#endif
