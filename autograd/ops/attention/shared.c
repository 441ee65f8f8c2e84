/* shared.c - what the files of attention share: see shared.h. */
#include "shared.h"

#include "../../broadcast.h"
#include "../../mask.h"
#include "../../tape.h"

#include <math.h>
#include <stdio.h>

/* ---- Sizes and checks -------------------------------------------------------------- */

attention_sizes attention_sizes_of(const ag_tensor *q, const ag_tensor *k, const ag_tensor *v,
                                   const ag_attention_options *options)
{
    const int last = q->shape.ndim - 1;
    const bool split = q->shape.ndim == 4;
    const int64_t heads = split ? q->shape.dim[1] : options->heads ? options->heads : 1, joined = split ? 1 : heads;
    const int64_t key_width = q->shape.dim[last] / joined;
    return (attention_sizes){
        .batch = q->shape.dim[0],
        .heads = heads,
        .queries = q->shape.dim[last - 1],
        .keys = k->shape.dim[last - 1],
        .key_width = key_width,
        .value_width = v->shape.dim[last] / joined,
        .split = split,
        .scale = options->scale != 0 ? options->scale : 1 / sqrt(key_width ? (double)key_width : 1),
    };
}

ag_shape attention_scores(const attention_sizes *s)
{
    return AG_SHAPE(s->batch, s->heads, s->queries, s->keys);
}

/* Whether the shapes of q, k, v fit each other and the sizes. `inputs` is their text,
 * which the sentences begin with. */
static ag_status check_shapes(ag_shape q, ag_shape k, ag_shape v, int heads, const attention_sizes *s,
                              const char *inputs, ag_error *error)
{
    const int last = q.ndim - 1;
    if (k.dim[0] != s->batch || v.dim[0] != s->batch)
        return ag_error_set(error, AG_BAD_SHAPE, "%s: the batch sizes differ", inputs);
    if (heads < 0)
        return ag_error_set(error, AG_BAD_VALUE, "%s: option heads is %d, below 0", inputs, heads);
    if (heads && heads != s->heads)
        return ag_error_set(error, AG_BAD_VALUE, "%s: option heads is %d, but the inputs have %lld %s", inputs, heads,
                            (long long)s->heads, ag_plural(s->heads, "head", "heads"));
    if (s->split && (k.dim[1] != s->heads || v.dim[1] != s->heads))
        return ag_error_set(error, AG_BAD_SHAPE, "%s: the numbers of heads differ", inputs);
    if (k.dim[last] != q.dim[last])
        return ag_error_set(error, AG_BAD_SHAPE, "%s: queries of width %lld and keys of width %lld differ", inputs,
                            (long long)q.dim[last], (long long)k.dim[last]);
    if (v.dim[last - 1] != s->keys)
        return ag_error_set(error, AG_BAD_SHAPE, "%s: %lld %s %lld %s", inputs, (long long)s->keys,
                            ag_plural(s->keys, "key has", "keys have"), (long long)v.dim[last - 1],
                            ag_plural(v.dim[last - 1], "value", "values"));
    const int64_t joined = s->split ? 1 : s->heads;
    if (q.dim[last] % joined || v.dim[last] % joined)
        return ag_error_set(error, AG_BAD_SHAPE, "%s: %lld heads do not divide the width %lld", inputs,
                            (long long)joined, (long long)(q.dim[last] % joined ? q.dim[last] : v.dim[last]));
    return AG_OK;
}

double attention_seen_pairs(const ag_mask *mask, ag_shape scores)
{
    const int64_t batch = scores.dim[0], heads = scores.dim[1], queries = scores.dim[2], keys = scores.dim[3];
    double pairs = 0;
    if (!mask)
        return (double)(batch * heads * queries) * (double)keys;
    for (int64_t row = 0; row < batch * heads * queries; row++) {
        const int64_t pair = row / queries;
        int64_t begin, end;
        mask_range(mask, (mask_query){pair / heads, pair % heads, row % queries}, keys, &begin, &end);
        pairs += (double)(end - begin);
    }
    return pairs;
}

ag_status attention_check(const ag_tensor *q, const ag_tensor *k, const ag_tensor *v,
                          const ag_attention_options *options, ag_error *error)
{
    char text[3][AG_SHAPE_TEXT], inputs[3 * AG_SHAPE_TEXT + 32];
    snprintf(inputs, sizeof inputs, "q %s, k %s, v %s", ag_shape_print(q->shape, text[0]),
             ag_shape_print(k->shape, text[1]), ag_shape_print(v->shape, text[2]));
    const int axes = q->shape.ndim;
    if (axes != k->shape.ndim || axes != v->shape.ndim || (axes != 3 && axes != 4))
        return ag_error_set(error, AG_BAD_SHAPE,
                            "%s: all have 3 axes [batch, length, heads*width] or all have 4 [batch, "
                            "heads, length, width]",
                            inputs);

    const attention_sizes s = attention_sizes_of(q, k, v, options);
    ag_status status = check_shapes(q->shape, k->shape, v->shape, options->heads, &s, inputs, error);
    if (status != AG_OK)
        return status;
    ag_shape scores = attention_scores(&s);
    if (ag_shape_size(scores) < 0)
        return ag_error_set(error, AG_BAD_SHAPE, "scores %s are more than memory can hold",
                            ag_shape_print(scores, text[0]));
    if (options->bias && !broadcast_fits(options->bias->shape, scores))
        return ag_error_set(error, AG_BAD_SHAPE, "bias %s does not broadcast to the scores %s",
                            ag_shape_print(options->bias->shape, text[0]), ag_shape_print(scores, text[1]));
    if (!(options->dropout >= 0 && options->dropout <= 1))
        return ag_error_set(error, AG_BAD_VALUE, "dropout %g is outside [0, 1]", options->dropout);
    if (!isfinite(options->scale))
        return ag_error_set(error, AG_BAD_VALUE, "scale %g is not finite", options->scale);
    return ag_mask_fits(options->mask, s.batch, s.heads, s.queries, s.keys, error);
}

/* ---- Queries that see nothing ------------------------------------------------------ */

int64_t *blind_counters(ag_tape *tape)
{
    int64_t *counters = ag_scratch(tape, (size_t)tape->threads * sizeof *counters);
    for (int worker = 0; counters && worker < tape->threads; worker++)
        counters[worker] = 0;
    return counters;
}

void blind_add(ag_tape *tape, const int64_t *counters)
{
    for (int worker = 0; worker < tape->threads; worker++)
        tape->blind_queries += counters[worker];
}

/* ---- Tangents ---------------------------------------------------------------------- */

moving_rows moving_row(moving_rows rows, int64_t i)
{
    if (rows.data)
        rows.data += i * rows.step;
    if (rows.tangent)
        rows.tangent += i * rows.step;
    return rows;
}

void moving_sum(attention_keys keys, const double *w, const double *uw, moving_rows v, double *uy)
{
    for (int64_t c = 0; c < v.width; c++)
        uy[c] = 0;
    for (int64_t j = keys.begin; j < keys.end; j++) {
        const moving_rows row = moving_row(v, j);
        if (!keys_have(keys, j))
            continue;
        for (int64_t c = 0; c < v.width; c++)
            uy[c] += uw[j - keys.begin] * (double)row.data[c];
        for (int64_t c = 0; c < v.width && row.tangent; c++)
            uy[c] += w[j - keys.begin] * (double)row.tangent[c];
    }
}

/* ---- Masks for the examples -------------------------------------------------------- */

static ag_mask *draw_lengths(ag_example *e, int64_t batch, int64_t most,
                             ag_mask *(*constructor)(ag_tape *, int64_t, const int32_t *))
{
    int32_t *lengths = ag_tape_alloc(ag_example_tape(e), (size_t)batch * sizeof *lengths);
    for (int64_t b = 0; lengths && b < batch; b++)
        lengths[b] = (int32_t)ag_example_int(e, 0, most);
    return constructor(ag_example_tape(e), batch, lengths);
}

static ag_mask *draw_explicit(ag_example *e, int64_t batch, int64_t heads, int64_t queries, int64_t keys)
{
    int64_t own_batch = ag_example_int(e, 0, 1) ? batch : 1, own_heads = ag_example_int(e, 0, 1) ? heads : 1;
    int64_t size = own_batch * own_heads * queries * keys;
    unsigned char *allow = ag_tape_alloc(ag_example_tape(e), (size_t)size);
    for (int64_t i = 0; allow && i < size; i++)
        allow[i] = ag_example_int(e, 0, 2) > 0;
    return ag_mask_explicit(ag_example_tape(e), own_batch, own_heads, queries, keys, allow);
}

/* A mask of one of the constructors. */
static ag_mask *draw_single_mask(ag_example *e, int64_t batch, int64_t heads, int64_t queries, int64_t keys)
{
    ag_tape *tape = ag_example_tape(e);
    switch (ag_example_int(e, 0, 8)) {
    case 0:
        return ag_mask_all(tape);
    case 1:
        return ag_mask_causal(tape, 0);
    case 2:
        return ag_mask_causal(tape, ag_example_int(e, -3, 3));
    case 3:
        return draw_lengths(e, batch, keys, ag_mask_key_lengths);
    case 4:
        return draw_lengths(e, batch, queries, ag_mask_query_lengths);
    case 5:
        return ag_mask_prefix(tape, ag_example_int(e, 0, keys));
    case 6: {
        int64_t left = ag_example_int(e, -1, 3);
        return ag_mask_window(tape, left, ag_example_int(e, -1, 2));
    }
    default:
        return draw_explicit(e, batch, heads, queries, keys);
    }
}

ag_mask *attention_example_mask(ag_example *e, int64_t batch, int64_t heads, int64_t queries, int64_t keys)
{
    ag_tape *tape = ag_example_tape(e);
    int64_t form = ag_example_int(e, 0, 6);
    if (form == 0)
        return NULL;
    ag_mask *mask = draw_single_mask(e, batch, heads, queries, keys);
    if (form == 1)
        return ag_mask_not(tape, mask);
    if (form <= 3)
        return mask;
    ag_mask *other = draw_single_mask(e, batch, heads, queries, keys);
    return form <= 5 ? ag_mask_and(tape, mask, other) : ag_mask_or(tape, mask, ag_mask_not(tape, other));
}
