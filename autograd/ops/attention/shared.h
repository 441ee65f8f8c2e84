/* shared.h - what the files of attention share: sizes, checks, the counters of blind
 * queries, tangents of a sum over keys, and masks for the examples. */
#ifndef AUTOGRAD_OPS_ATTENTION_SHARED_H
#define AUTOGRAD_OPS_ATTENTION_SHARED_H

#include "autograd.h"

#include "../../kernels/attention.h"

/* B batch, H heads, T queries, S keys, and the widths of a head. */
typedef struct attention_sizes {
    int64_t batch, heads, queries, keys, key_width, value_width;
    bool split; /* heads have an axis: [B, H, T, width], not [B, T, H * width] */
    double scale;
} attention_sizes;

/* Whether inputs and options fit each other. If not, `error` says why. */
ag_status attention_check(const ag_tensor *q, const ag_tensor *k, const ag_tensor *v,
                          const ag_attention_options *options, ag_error *error) AG_CHECKED;
/* The sizes that inputs and options have, which attention_check has found good. */
attention_sizes attention_sizes_of(const ag_tensor *q, const ag_tensor *k, const ag_tensor *v,
                                   const ag_attention_options *options);
/* [B, H, T, S] */
ag_shape attention_scores(const attention_sizes *sizes);

/* The pairs of a query and a key between the first and the last that it may look at, for
 * scores [B, H, T, S]. `mask` NULL: all pairs. */
double attention_seen_pairs(const ag_mask *mask, ag_shape scores);

/* Attention as a composition of single operations. q, k, v are not NULL. */
ag_tensor *attention_plain(ag_tensor *q, ag_tensor *k, ag_tensor *v, const ag_attention_options *options);

/* A counter for each worker, at 0, of the queries that see nothing; NULL when memory is
 * out. */
int64_t *blind_counters(ag_tape *tape);
/* Adds the workers' counts to ag_tape_blind_queries. */
void blind_add(ag_tape *tape, const int64_t *counters);

/* For the tangent rules: rows of `width` numbers, `step` apart, and their tangents at the
 * same places; NULL for zeros. */
typedef struct moving_rows {
    int64_t width, step;
    const ag_real *data, *tangent;
} moving_rows;

/* Row i of them. */
moving_rows moving_row(moving_rows rows, int64_t i);
/* Whether key j, keys.begin <= j < keys.end, is one of them. */
static inline bool keys_have(attention_keys keys, int64_t j)
{
    return !keys.allow || keys.allow[j];
}
/* uy = sum over the keys j of uw[j] v[j] + w[j] uv[j]. w and uw begin with the key
 * keys.begin; uy is [v.width]. */
void moving_sum(attention_keys keys, const double *w, const double *uw, moving_rows v, double *uy);

/* A drawn mask for scores of these sizes, of any form and any combination; sometimes
 * NULL. */
ag_mask *attention_example_mask(ag_example *example, int64_t batch, int64_t heads, int64_t queries, int64_t keys);

#endif
