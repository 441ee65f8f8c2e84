/* attention.h - softmax(scale q K^T + bias) V, a query at a time, over the keys that the query may look at.
 *
 * Kernels know no masks: each query comes with its keys. What is not among them is never read, so it can hold anything;
 * and sums run over the n-th allowed key, n = 0, 1, .., whatever its place, so forbidden keys (padding, say) do not
 * even change the order of a sum. Memory is linear in the number of keys: nothing is kept for the backward, which makes
 * the weights again. */
#ifndef AUTOGRAD_KERNELS_ATTENTION_H
#define AUTOGRAD_KERNELS_ATTENTION_H

#include "real.h"

/* Keys in ascending order: `list` [count], or first .. first + count - 1 where it is NULL. */
typedef struct attention_keys {
    int64_t first, count;
    const int64_t *list;
} attention_keys;

/* Rows of `width` numbers, `step` apart, and their gradient: the same places in an array of its own, or NULL. */
typedef struct attention_rows {
    int64_t width, step;
    const real *data;
    real *gradient;
} attention_rows;

/* One head of one batch row. */
typedef struct attention_head {
    real scale; /* of q K^T */
    attention_rows q, k, v;
    real *y;        /* forward: rows of v.width numbers, y_step apart, to be written */
    const real *dy; /* backward: the same of the gradient */
    int64_t y_step;
} attention_head;

/* One query of a head: row `index` of q and y. */
typedef struct attention_query {
    int64_t index;
    attention_keys keys;
    const real *bias; /* added to the score of key j: bias[j * bias_step]; NULL: none */
    int64_t bias_step;
    const real *keep; /* the weight of key j is multiplied by keep[j]: dropout; NULL: none */
    real *dbias;      /* backward: receives the gradient of the score of key j at dbias[j]; NULL: not wanted */
} attention_query;

/* `scratch` of the functions below: this many numbers for each key that there is. */
#define ATTENTION_SCRATCH 4

typedef struct kernel_attention {
    /* Writes the rows of y. Keys none, or with scores of -inf alone, make a row of zeros. */
    void (*forward)(const attention_head *head, const attention_query *queries, int64_t count, real *scratch);
    /* Adds to the gradients that are wanted. */
    void (*backward)(const attention_head *head, const attention_query *queries, int64_t count, real *scratch);

    /* y = sum over the keys of weights[n] values[key n]; `weights` [keys.count]. */
    void (*sum)(attention_keys keys, const real *weights, const attention_rows *values, real *y);
    /* dweights[n] = dy . values[key n] where dweights is not NULL; adds weights[n] dy to the values' gradient. */
    void (*sum_backward)(attention_keys keys, const real *weights, const attention_rows *values, const real *dy,
                         real *dweights);
} kernel_attention;

#endif
