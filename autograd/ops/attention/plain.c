/* plain.c - attention as a composition of single operations: for reading, for the
 * weights, and as a check of the operation in flash.c, which does it all at once.
 *
 * It keeps arrays [B, H, T, S]. What a forbidden key or value holds reaches neither the
 * output nor a gradient. */
#include "../../mask.h"
#include "shared.h"

/* [B, T, H * width] -> [B, H, T, width] */
static ag_tensor *split_heads(ag_tensor *x, const attention_sizes *s, int64_t length, int64_t width)
{
    if (s->split)
        return x;
    return ag_permute(ag_reshape(x, AG_SHAPE(s->batch, length, s->heads, width)), (int[]){0, 2, 1, 3});
}

/* [B, H, T, width] -> [B, T, H * width] */
static ag_tensor *merge_heads(ag_tensor *x, const attention_sizes *s, int64_t length, int64_t width)
{
    if (s->split)
        return x;
    return ag_reshape(ag_permute(x, (int[]){0, 2, 1, 3}), AG_SHAPE(s->batch, length, s->heads * width));
}

ag_tensor *attention_plain(ag_tensor *q, ag_tensor *k, ag_tensor *v, const ag_attention_options *options)
{
    ag_error error = {0};
    if (attention_check(q, k, v, options, &error) != AG_OK)
        return ag_tape_fail(q->tape, error.status, "attention: %s", error.message);
    const attention_sizes s = attention_sizes_of(q, k, v, options);
    const ag_mask *mask = options->mask;
    if (options->bias && !mask_without_bias(&mask, options->bias, attention_scores(&s)))
        return NULL;

    ag_tensor *queries = split_heads(q, &s, s.queries, s.key_width);
    ag_tensor *keys = split_heads(k, &s, s.keys, s.key_width), *values = split_heads(v, &s, s.keys, s.value_width);
    ag_tensor *scores = ag_scale(ag_matmul(queries, keys, false, true), s.scale);
    if (options->bias)
        scores = ag_add(scores, options->bias);
    ag_tensor *weights = ag_masked_softmax(scores, mask);
    if (options->weights)
        *options->weights = weights;
    ag_tensor *y = ag_masked_sum(ag_dropout(weights, options->dropout), values, mask);
    return merge_heads(y, &s, s.queries, s.value_width);
}
