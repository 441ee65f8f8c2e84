/* elementwise.h - what is done element by element, and sums: on plain arrays, by one
 * thread. */
#ifndef AUTOGRAD_KERNELS_ELEMENTWISE_H
#define AUTOGRAD_KERNELS_ELEMENTWISE_H

#include "real.h"

typedef enum kernel_unary {
    UNARY_NEG,
    UNARY_SCALE, /* factor x */
    UNARY_EXP,
    UNARY_LOG,
    UNARY_SQRT,
    UNARY_TANH,
    UNARY_ERF,
    UNARY_SIGMOID,
    UNARY_RELU,
    UNARY_GELU_EXACT,
    UNARY_GELU_TANH,
    UNARY_SILU
} kernel_unary;

typedef enum kernel_binary { BINARY_ADD, BINARY_SUB, BINARY_MUL, BINARY_DIV, BINARY_POW } kernel_binary;

/* An operand of a binary function. Element i is data[i * step]; step is 1 or 0. */
typedef struct kernel_operand {
    const ag_real *data;
    int64_t step;
} kernel_operand;

/* One dropout. Lane e % 4 of Philox at the counter (e / 4, number, step) under `key`
 * decides whether element e stays. No mask is stored: the backward draws it again. */
typedef struct kernel_dropout {
    uint64_t key, step, number;
    uint64_t threshold; /* an element stays if its 32 bits are at least this; 2^32 drops all */
    ag_real scale;      /* of the elements that stay */
} kernel_dropout;

typedef struct kernel_elementwise {
    /* y = f(x). y may be x. */
    void (*unary)(kernel_unary f, ag_real factor, int64_t n, const ag_real *x, ag_real *y);
    /* dx = dy f'(x), or with `add` dx += dy f'(x), where y = f(x). Without `add`, dx
     * may be dy. */
    void (*unary_backward)(kernel_unary f, ag_real factor, int64_t n, const ag_real *x, const ag_real *y,
                           const ag_real *dy, ag_real *dx, bool add);
    /* y = f(a, b). y may be a. */
    void (*binary)(kernel_binary f, int64_t n, kernel_operand a, kernel_operand b, ag_real *y);
    /* gradient [n] += dy df/da (side 0) or dy df/db (side 1), where y = f(a, b). */
    void (*binary_backward)(kernel_binary f, int side, int64_t n, kernel_operand a, kernel_operand b, const ag_real *y,
                            const ag_real *dy, ag_real *gradient);
    /* y += x */
    void (*add)(int64_t n, const ag_real *x, ag_real *y);
    /* y += factor x */
    void (*axpy)(int64_t n, ag_real factor, const ag_real *x, ag_real *y);
    /* sums [n] += rows of x, in order: the first `rows` rows, which are `step` apart,
     * or those that order [rows] numbers. */
    void (*accumulate)(int64_t rows, int64_t n, int64_t step, const int64_t *order, const ag_real *x, double *sums);
    double (*sum)(int64_t n, const ag_real *x);
    /* The index of the first largest element, where NaN is larger than all numbers; n
     * > 0. */
    int64_t (*argmax)(int64_t n, const ag_real *x);
    /* y = x scaled or 0, or with `add` y += that, by the mask of elements
     * first .. first + n - 1. y may be x. */
    void (*dropout)(const kernel_dropout *mask, int64_t first, int64_t n, const ag_real *x, ag_real *y, bool add);
    bool (*all_finite)(int64_t n, const ag_real *x);
} kernel_elementwise;

/* Whether all of x [n] is zero. True for the gradient of a tensor that no loss depends
 * on. A backward passes nothing on from it, whatever it would be multiplied by: 0
 * times NaN is 0 there. */
static inline bool kernel_all_zero(int64_t n, const ag_real *x)
{
    for (int64_t i = 0; i < n; i++)
        if (x[i] != 0)
            return false;
    return true;
}

/* The mask of dropout `number` of a step, which drops with probability p in [0, 1]. */
kernel_dropout kernel_dropout_make(uint64_t key, uint64_t step, uint64_t number, double p);
/* Whether the element stays. The kernels decide the same for many elements at once. */
bool kernel_dropout_keeps(const kernel_dropout *mask, int64_t element);

#endif
