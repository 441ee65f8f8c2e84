/* attention.h - y = softmax(scale q K^T + bias) V, for blocks of queries, each over the
 * keys that it may see.
 *
 * Kernels know no masks: each query comes with its keys. Other keys have no influence
 * on any bit, even if they hold NaN or infinity; nor has the number of keys after the
 * last one that is seen, such as padding. Sums over keys and queries run in ascending
 * order and are divided at fixed places. Memory is linear in the numbers of keys and
 * queries: the forward keeps two numbers per query, from which the backward recomputes
 * the weights. */
#ifndef AUTOGRAD_KERNELS_ATTENTION_H
#define AUTOGRAD_KERNELS_ATTENTION_H

#include "elementwise.h"
#include "real.h"

/* The keys begin <= j < end that a query sees; if `allow` is not NULL, only those with
 * allow[j] = 1 (the others have 0). A query that sees no key has begin = end = 0. */
typedef struct attention_keys {
    int64_t begin, end;
    const unsigned char *allow;
} attention_keys;

/* Rows of `width` numbers, `step` apart. The gradient, in an array of its own, has the
 * same places; NULL if it is not wanted. `next`: distance to the next head's rows. It
 * is used only for prefetching, so it may point past the array. */
typedef struct attention_rows {
    int64_t width, step, next;
    ag_real *data, *gradient;
    bool is_new; /* the gradient is uninitialised: begin or backward sets it to zero first */
} attention_rows;

/* From these the backward recomputes a query's weights, e^(score - max) inverse_sum.
 * inverse_sum is 0 for a query that sees nothing: no key, or only scores of -inf. */
typedef struct attention_statistics {
    ag_real max, inverse_sum;
} attention_statistics;

/* One head of one batch row. The forward writes y.data, and `statistics` unless it is
 * NULL. The backward reads all data and y's gradient, and adds to the gradients of q,
 * k and v that are wanted. */
typedef struct attention_head {
    int64_t queries, keys;
    ag_real scale; /* of q K^T */
    attention_rows q, k, v, y;
    attention_statistics *statistics; /* [queries] */
    const kernel_dropout *dropout;    /* of the weights, or NULL */
    /* For dropout, weight (query i, key j) is element first_weight + i * keys + j. */
    int64_t first_weight;
} attention_head;

/* Queries first .. first + count - 1 of a head. `first` is a multiple of
 * ATTENTION_QUERIES, and `count` is at most that. */
typedef struct attention_block {
    int64_t first, count;
    const attention_keys *keys; /* [count] */
    /* [count], or NULL: bias[r][j * bias_step] is added to the score of row r and key
     * j. */
    const ag_real *const *bias;
    int64_t bias_step;
    /* Backward, or NULL: dbias[r * keys + j] = the gradient of that score, for keys
     * from the query's first to its last. Rows without a gradient, and other keys,
     * stay unwritten. */
    ag_real *dbias;
} attention_block;

#define ATTENTION_QUERIES 96

typedef struct kernel_attention {
    /* The numbers of scratch memory that the functions below need. */
    int64_t (*scratch_size)(const attention_head *head, bool is_backward);
    /* Must be called before the blocks of a head are computed with this scratch memory.
     * Forward: any blocks, in any order. Backward: all blocks, in ascending order. Until
     * the last of them, what a new gradient holds is undefined. */
    void (*begin)(const attention_head *head, bool is_backward, ag_real *scratch);
    void (*forward)(const attention_head *head, const attention_block *block, ag_real *scratch);
    void (*backward)(const attention_head *head, const attention_block *block, ag_real *scratch);

    /* For a single query: y = sum over the keys j of weights[j] values[j]. */
    void (*sum)(attention_keys keys, const ag_real *weights, const attention_rows *values, ag_real *y);
    /* dweights[j] += dy . values[j], unless dweights is NULL; and the values' gradient +=
     * weights[j] dy, where it is wanted. */
    void (*sum_backward)(attention_keys keys, const ag_real *weights, const attention_rows *values, const ag_real *dy,
                         ag_real *dweights);
} kernel_attention;

#endif
