/* attention.h - softmax(scale q K^T + bias) V, a block of queries at a time, each over the keys that it may look at.
 *
 * Kernels know no masks: each query comes with its keys. What the others hold has no influence on any bit, NaN and
 * infinity included; nor has how many there are behind the last one that is looked at, padding say. Sums run over keys
 * and queries in ascending order and are cut at fixed places. Memory is linear in the numbers of keys and queries: two
 * numbers for every query are kept for the backward, which makes the weights again. */
#ifndef AUTOGRAD_KERNELS_ATTENTION_H
#define AUTOGRAD_KERNELS_ATTENTION_H

#include "elementwise.h"
#include "real.h"

/* begin <= j < end; where `allow` is not NULL, only those with allow[j] = 1 (the others have 0). None: 0, 0. */
typedef struct attention_keys {
    int64_t begin, end;
    const unsigned char *allow;
} attention_keys;

/* Rows of `width` numbers, `step` apart, and their gradient: the same places in an array of its own, or NULL. The next
 * head's are likely to be `next` further: they are asked for, and need not be there. */
typedef struct attention_rows {
    int64_t width, step, next;
    ag_real *data, *gradient;
    bool is_new; /* the gradient holds nothing yet, not even zeros */
} attention_rows;

/* What the backward needs to know of a query's weights, e^(score - max) inverse_sum. The latter is 0 where it sees
 * nothing: no key, or scores of -inf alone. */
typedef struct attention_statistics {
    ag_real max, inverse_sum;
} attention_statistics;

/* One head of one batch row. Forward: y.data is written, and `statistics` where it is not NULL. Backward: all data is
 * read, and y's gradient; the gradients of q, k, v that are wanted are added to (from zero, where they are new). */
typedef struct attention_head {
    int64_t queries, keys;
    ag_real scale; /* of q K^T */
    attention_rows q, k, v, y;
    attention_statistics *statistics; /* [queries] */
    const kernel_dropout *dropout;       /* of the weights; NULL: none */
    int64_t first_weight;             /* the number, for dropout, of query 0's weight of key 0; the others follow */
} attention_head;

/* Queries first .. first + count - 1 of a head. */
typedef struct attention_block {
    int64_t first, count;       /* `first` is a multiple of ATTENTION_QUERIES, which `count` is at most */
    const attention_keys *keys; /* [count] */
    const ag_real *const *bias;    /* [count]: bias[r][j * bias_step] is added to the score of key j; NULL: none */
    int64_t bias_step;
    ag_real *dbias; /* backward: dbias[r * keys + j] becomes the gradient of that score; NULL: not wanted */
} attention_block;

#define ATTENTION_QUERIES 96

typedef struct kernel_attention {
    /* Memory for the others: this many numbers. */
    int64_t (*scratch_size)(const attention_head *head, bool is_backward);
    /* To be called before the blocks of a head are computed in the same scratch memory: forward in any order, and any
     * of them; backward all, in ascending order. */
    void (*begin)(const attention_head *head, bool is_backward, ag_real *scratch);
    void (*forward)(const attention_head *head, const attention_block *block, ag_real *scratch);
    void (*backward)(const attention_head *head, const attention_block *block, ag_real *scratch);

    /* One query alone: y = sum over the keys j of weights[j] values[j]. */
    void (*sum)(attention_keys keys, const ag_real *weights, const attention_rows *values, ag_real *y);
    /* dweights[j] += dy . values[j] where dweights is not NULL; the values' gradient += weights[j] dy where wanted. */
    void (*sum_backward)(attention_keys keys, const ag_real *weights, const attention_rows *values, const ag_real *dy,
                         ag_real *dweights);
} kernel_attention;

#endif
