/* update.h - the loops of the optimisers: on plain arrays, by one thread. */
#ifndef AUTOGRAD_KERNELS_UPDATE_H
#define AUTOGRAD_KERNELS_UPDATE_H

#include "real.h"

/* The numbers that all elements of one update share. What the rules below call g is scale * gradient + decay * p. */
typedef struct update_constants {
    ag_real scale;
    ag_real decay; /* of the weights, where it is part of the gradient; or 0 */
    ag_real keep;  /* AdamW: 1 - rate * weight decay; or 1 */
    ag_real rate, momentum;
    ag_real one_minus_beta1, beta2, one_minus_beta2, epsilon;
    ag_real step_size;    /* rate / (1 - beta1^t) */
    ag_real second_scale; /* 1 / sqrt(1 - beta2^t) */
} update_constants;

/* Gradients are cut to this before adam squares them, and v stays finite. */
#ifdef TAPEFORMER_DOUBLE
#define MOST_SQUARED 0x1p511
#else
#define MOST_SQUARED 0x1p63f
#endif

/* The rules update n parameters p, and what the optimiser keeps of each, and set the gradients to zero. No two arrays
 * may overlap. */
typedef struct kernel_update {
    /* With g cut to MOST_SQUARED (NaN stays):
     * m += (1 - b1) (g - m);  v = b2 v + (1 - b2) g g;  p = keep p - step_size m /
     * (sqrt(v) second_scale + epsilon) */
    void (*adam)(const update_constants *constants, int64_t n, ag_real *p, ag_real *gradient, ag_real *m, ag_real *v);
    /* p -= rate g */
    void (*sgd)(const update_constants *constants, int64_t n, ag_real *p, ag_real *gradient);
    /* b = momentum b + g;  p -= rate b */
    void (*momentum)(const update_constants *constants, int64_t n, ag_real *p, ag_real *gradient, ag_real *b);
    /* b = momentum b + g;  p -= rate (g + momentum b) */
    void (*nesterov)(const update_constants *constants, int64_t n, ag_real *p, ag_real *gradient, ag_real *b);
    /* average = (1 - share) average + share p */
    void (*average)(ag_real share, int64_t n, const ag_real *p, ag_real *average);
    /* sum (unit x[i])^2, in an order that depends on n alone. */
    double (*sum_of_squares)(int64_t n, const ag_real *x, double unit);
} kernel_update;

#endif
