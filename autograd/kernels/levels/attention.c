/* attention.c - attention of one query after the other, in three motions: the products of one row with many, softmax,
 * and the sum of many rows. Four of the many rows are taken together, so that the one is loaded and stored a quarter as
 * often; how a key's product is summed does not depend on the three others. */
#include "../attention.h"

#include "../rows.h"
#include "level.h"

extern const kernel_rows KERNEL(rows);

#define TOGETHER 4

static inline int64_t key_at(attention_keys keys, int64_t n)
{
    return keys.list ? keys.list[n] : keys.first + n;
}

/* out[r] = x . row[r], for `count` rows: TOGETHER or 1, known to the compiler at each call. */
static inline void dot_rows(int count, int64_t width, const real *x, const real *const row[], real *out)
{
    vector sum[TOGETHER] = {{0}};
    real tail[TOGETHER] = {0};
    int64_t c = 0;
    for (; c + LANES <= width; c += LANES) {
        vector own = load(x + c);
        for (int r = 0; r < count; r++)
            sum[r] += own * load(row[r] + c);
    }
    for (; c < width; c++)
        for (int r = 0; r < count; r++)
            tail[r] += x[c] * row[r][c];
    for (int r = 0; r < count; r++)
        out[r] = vector_sum(sum[r]) + tail[r];
}

/* out[n] = x . rows[key n] */
static void dot_keys(attention_keys keys, const attention_rows *rows, const real *x, real *out)
{
    const real *row[TOGETHER];
    int64_t n = 0;
    for (; n + TOGETHER <= keys.count; n += TOGETHER) {
        for (int r = 0; r < TOGETHER; r++)
            row[r] = rows->data + key_at(keys, n + r) * rows->step;
        dot_rows(TOGETHER, rows->width, x, row, out + n);
    }
    for (; n < keys.count; n++) {
        row[0] = rows->data + key_at(keys, n) * rows->step;
        dot_rows(1, rows->width, x, row, out + n);
    }
}

/* y += sum weights[n] rows[key n] */
static void add_keys(attention_keys keys, const real *weights, const attention_rows *rows, real *y)
{
    int64_t n = 0;
    for (; n + TOGETHER <= keys.count; n += TOGETHER) {
        const real *row[TOGETHER];
        for (int r = 0; r < TOGETHER; r++)
            row[r] = rows->data + key_at(keys, n + r) * rows->step;
        int64_t c = 0;
        for (; c + LANES <= rows->width; c += LANES) {
            vector sum = load(y + c);
            for (int r = 0; r < TOGETHER; r++)
                sum += splat(weights[n + r]) * load(row[r] + c);
            store(y + c, sum);
        }
        for (; c < rows->width; c++)
            for (int r = 0; r < TOGETHER; r++)
                y[c] += weights[n + r] * row[r][c];
    }
    for (; n < keys.count; n++)
        axpy(rows->width, weights[n], rows->data + key_at(keys, n) * rows->step, y);
}

/* gradient[key n] += factors[n] x */
static void add_to_keys(attention_keys keys, const real *factors, const attention_rows *rows, const real *x)
{
    for (int64_t n = 0; n < keys.count; n++)
        axpy(rows->width, factors[n], x, rows->gradient + key_at(keys, n) * rows->step);
}

static void set_zero(int64_t n, real *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = 0;
}

/* weights[n] = softmax over the keys of (scale q . k[n] + bias[n]) */
static void make_weights(const attention_head *head, const attention_query *query, real *scores, real *weights)
{
    const attention_keys keys = query->keys;
    dot_keys(keys, &head->k, head->q.data + query->index * head->q.step, scores);
    for (int64_t n = 0; n < keys.count; n++)
        scores[n] *= head->scale;
    if (query->bias)
        for (int64_t n = 0; n < keys.count; n++)
            scores[n] += query->bias[key_at(keys, n) * query->bias_step];
    KERNEL(rows).softmax(1, keys.count, scores, weights);
}

/* Whether the query sees nothing: no key at all, or no score above -inf. */
static bool sees_nothing(int64_t count, const real *weights)
{
    for (int64_t n = 0; n < count; n++)
        if (weights[n] != 0)
            return false;
    return true;
}

/* kept[n] = x[n] keep[key n] */
static void drop(const attention_query *query, const real *x, real *kept)
{
    for (int64_t n = 0; n < query->keys.count; n++)
        kept[n] = x[n] * query->keep[key_at(query->keys, n)];
}

static void sum(attention_keys keys, const real *weights, const attention_rows *values, real *y)
{
    set_zero(values->width, y);
    add_keys(keys, weights, values, y);
}

static void sum_backward(attention_keys keys, const real *weights, const attention_rows *values, const real *dy,
                         real *dweights)
{
    if (dweights)
        dot_keys(keys, values, dy, dweights);
    if (values->gradient)
        add_to_keys(keys, weights, values, dy);
}

static void forward(const attention_head *head, const attention_query *queries, int64_t count, real *scratch)
{
    for (const attention_query *query = queries; query < queries + count; query++) {
        real *scores = scratch, *weights = scratch + query->keys.count;
        make_weights(head, query, scores, weights);
        if (query->keep)
            drop(query, weights, weights);
        sum(query->keys, weights, &head->v, head->y + query->index * head->y_step);
    }
}

/* With p the weights and m what dropout multiplies them by:
 *     dv[n] += p[n] m[n] dy;   dp[n] = m[n] dy . v[n];   ds[n] = p[n] (dp[n] - sum p dp), the gradient of the scores;
 *     dq += scale sum ds[n] k[n];   dk[n] += scale ds[n] q. */
static void backward(const attention_head *head, const attention_query *queries, int64_t count, real *scratch)
{
    for (const attention_query *query = queries; query < queries + count; query++) {
        const attention_keys keys = query->keys;
        real *weights = scratch, *kept = weights + keys.count, *dweights = kept + keys.count;
        real *dscores = dweights + keys.count, *scores = dscores;
        const real *dy = head->dy + query->index * head->y_step;
        make_weights(head, query, scores, weights);
        if (sees_nothing(keys.count, weights))
            continue; /* with a key of infinity, 0 would become NaN */

        if (query->keep)
            drop(query, weights, kept);
        dot_keys(keys, &head->v, dy, dweights);
        if (head->v.gradient)
            add_to_keys(keys, query->keep ? kept : weights, &head->v, dy);
        if (query->keep)
            drop(query, dweights, dweights);
        set_zero(keys.count, dscores);
        KERNEL(rows).softmax_backward(1, keys.count, weights, dweights, dscores);

        if (query->dbias)
            for (int64_t n = 0; n < keys.count; n++)
                query->dbias[key_at(keys, n)] = dscores[n];
        for (int64_t n = 0; n < keys.count; n++)
            dscores[n] *= head->scale;
        if (head->q.gradient)
            add_keys(keys, dscores, &head->k, head->q.gradient + query->index * head->q.step);
        if (head->k.gradient)
            add_to_keys(keys, dscores, &head->k, head->q.data + query->index * head->q.step);
    }
}

const kernel_attention KERNEL(attention) = {
    .forward = forward,
    .backward = backward,
    .sum = sum,
    .sum_backward = sum_backward,
};
