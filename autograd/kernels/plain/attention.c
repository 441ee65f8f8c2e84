/* attention.c - scaled dot-product attention of one query after the other, with all its
 * weights in memory.
 *
 * For a query q, its keys k[j] and their values v[j], and dropout's factors m[j] of the
 * weights (1 without dropout):
 *
 *     s[j] = scale q . k[j] + bias[j],  p[j] = e^s[j] / sum e^s,  y = sum m[j] p[j] v[j]
 *
 * Only keys that the query may see are read, so no others can matter. */
#include "../attention.h"

#include "../vector_math.h"

extern const kernel_elementwise kernel_elementwise_plain;

/* The numbers of one query: [keys] each. */
typedef struct query_row {
    ag_real *p, *m, *ds;
} query_row;

static query_row row_in(const attention_head *head, ag_real *scratch)
{
    return (query_row){scratch, scratch + head->keys, scratch + 2 * head->keys};
}

static int64_t scratch_size(const attention_head *head, bool is_backward)
{
    (void)is_backward;
    return 3 * head->keys;
}

static void set_new_gradient(int64_t count, const attention_rows *rows)
{
    for (int64_t i = 0; i < count && rows->gradient && rows->is_new; i++)
        for (int64_t c = 0; c < rows->width; c++)
            rows->gradient[i * rows->step + c] = 0;
}

static void begin(const attention_head *head, bool is_backward, ag_real *scratch)
{
    (void)scratch;
    if (is_backward) {
        set_new_gradient(head->queries, &head->q);
        set_new_gradient(head->keys, &head->k);
        set_new_gradient(head->keys, &head->v);
    }
}

static bool sees(const attention_keys *keys, int64_t j)
{
    return j >= keys->begin && j < keys->end && (!keys->allow || keys->allow[j]);
}

/* a . b */
static double dot(int64_t n, const ag_real *a, const ag_real *b)
{
    double sum = 0;
    for (int64_t c = 0; c < n; c++)
        sum += (double)a[c] * (double)b[c];
    return sum;
}

/* s[j] = scale q . k[j] + bias[j] of row r of the block, for the keys that it sees. */
static void find_scores(const attention_head *head, const attention_block *block, int64_t r, ag_real *s)
{
    const ag_real *q = head->q.data + (block->first + r) * head->q.step;
    for (int64_t j = block->keys[r].begin; j < block->keys[r].end; j++)
        if (sees(&block->keys[r], j)) {
            const double score = (double)head->scale * dot(head->q.width, q, head->k.data + j * head->k.step);
            s[j] = (ag_real)(score + (block->bias ? (double)block->bias[r][j * block->bias_step] : 0));
        }
}

/* m[j]: the element of the dropout that belongs to the weight of key j. */
static void find_dropout(const attention_head *head, int64_t query, ag_real *m)
{
    for (int64_t j = 0; j < head->keys; j++)
        m[j] = 1;
    if (head->dropout)
        kernel_elementwise_plain.dropout(head->dropout, head->first_weight + query * head->keys, head->keys, m, m,
                                         false);
}

/* p[j] = e^(s[j] - max) inverse_sum, where p holds the scores s. */
static void weights_from_scores(const attention_keys *keys, attention_statistics statistics, ag_real *p)
{
    for (int64_t j = keys->begin; j < keys->end; j++)
        if (sees(keys, j))
            p[j] = exp_real(p[j] - statistics.max) * statistics.inverse_sum;
}

/* max s, and 1 / sum e^(s - max): 0 for a query that sees no key, or scores of -inf
 * alone. */
static attention_statistics find_statistics(const attention_keys *keys, const ag_real *s)
{
    ag_real max = -(ag_real)INFINITY;
    double sum = 0;
    for (int64_t j = keys->begin; j < keys->end; j++)
        if (sees(keys, j) && s[j] > max)
            max = s[j];
    for (int64_t j = keys->begin; j < keys->end; j++)
        if (sees(keys, j) && s[j] != -(ag_real)INFINITY) /* (-inf - -inf would be NaN) */
            sum += (double)exp_real(s[j] - max);
    return (attention_statistics){max, sum == 0 ? 0 : (ag_real)(1 / sum)};
}

/* y = sum m[j] p[j] v[j]; 0 for a query that sees nothing */
static void forward(const attention_head *head, const attention_block *block, ag_real *scratch)
{
    const query_row row = row_in(head, scratch);
    for (int64_t r = 0; r < block->count; r++) {
        const attention_keys *keys = &block->keys[r];
        ag_real *y = head->y.data + (block->first + r) * head->y.step;
        find_scores(head, block, r, row.p);
        const attention_statistics statistics = find_statistics(keys, row.p);
        weights_from_scores(keys, statistics, row.p);
        find_dropout(head, block->first + r, row.m);
        for (int64_t c = 0; c < head->v.width; c++) {
            double sum = 0;
            for (int64_t j = keys->begin; j < keys->end && statistics.inverse_sum != 0; j++)
                if (sees(keys, j))
                    sum += (double)(row.m[j] * row.p[j]) * (double)head->v.data[j * head->v.step + c];
            y[c] = (ag_real)sum;
        }
        if (head->statistics)
            head->statistics[block->first + r] = statistics;
    }
}

/* The softmax's derivative, where dp[j] = m[j] dy . v[j] is the gradient of p[j]:
 *     ds[j] = p[j] (dp[j] - sum p dp)
 * The mean is subtracted twice. Since the p add up to 1, the second time only removes
 * what rounding left. */
static void find_dscores(const attention_head *head, const attention_keys *keys, const ag_real *dy, query_row row)
{
    for (int64_t j = keys->begin; j < keys->end; j++)
        row.ds[j] =
            sees(keys, j) ? (ag_real)((double)row.m[j] * dot(head->v.width, dy, head->v.data + j * head->v.step)) : 0;
    for (int pass = 0; pass < 2; pass++) {
        double mean = 0;
        for (int64_t j = keys->begin; j < keys->end; j++)
            mean += sees(keys, j) ? (double)row.p[j] * (double)row.ds[j] : 0;
        for (int64_t j = keys->begin; j < keys->end; j++)
            row.ds[j] = sees(keys, j) ? row.ds[j] - (ag_real)mean : 0;
    }
    for (int64_t j = keys->begin; j < keys->end; j++)
        row.ds[j] = sees(keys, j) ? row.p[j] * row.ds[j] : 0;
}

/* gradient += factor x, where the gradient is wanted */
static void add_scaled(const attention_rows *rows, int64_t index, ag_real factor, const ag_real *x)
{
    for (int64_t c = 0; c < rows->width && rows->gradient; c++)
        rows->gradient[index * rows->step + c] += factor * x[c];
}

/* dv[j] += m[j] p[j] dy
 * dq += scale ds[j] k[j],  dk[j] += scale ds[j] q,  dbias[j] = ds[j]
 * Nothing for a query that sees nothing, or whose dy is 0. */
static void backward(const attention_head *head, const attention_block *block, ag_real *scratch)
{
    const query_row row = row_in(head, scratch);
    for (int64_t r = 0; r < block->count; r++) {
        const attention_keys *keys = &block->keys[r];
        const int64_t i = block->first + r;
        const ag_real *q = head->q.data + i * head->q.step, *dy = head->y.gradient + i * head->y.step;
        if (head->statistics[i].inverse_sum == 0 || kernel_all_zero(head->v.width, dy))
            continue;
        find_scores(head, block, r, row.p);
        weights_from_scores(keys, head->statistics[i], row.p);
        find_dropout(head, i, row.m);
        find_dscores(head, keys, dy, row);
        for (int64_t j = keys->begin; j < keys->end; j++) {
            if (block->dbias)
                block->dbias[r * head->keys + j] = row.ds[j];
            if (!sees(keys, j))
                continue;
            add_scaled(&head->v, j, row.m[j] * row.p[j], dy);
            add_scaled(&head->q, i, head->scale * row.ds[j], head->k.data + j * head->k.step);
            add_scaled(&head->k, j, head->scale * row.ds[j], q);
        }
    }
}

/* y = sum w[j] v[j] */
static void sum(attention_keys keys, const ag_real *weights, const attention_rows *values, ag_real *y)
{
    for (int64_t c = 0; c < values->width; c++) {
        double own = 0;
        for (int64_t j = keys.begin; j < keys.end; j++)
            if (sees(&keys, j))
                own += (double)weights[j] * (double)values->data[j * values->step + c];
        y[c] = (ag_real)own;
    }
}

/* dw[j] += dy . v[j],  dv[j] += w[j] dy */
static void sum_backward(attention_keys keys, const ag_real *weights, const attention_rows *values, const ag_real *dy,
                         ag_real *dweights)
{
    for (int64_t j = keys.begin; j < keys.end; j++) {
        if (!sees(&keys, j))
            continue;
        if (dweights)
            dweights[j] += (ag_real)dot(values->width, dy, values->data + j * values->step);
        add_scaled(values, j, weights[j], dy);
    }
}

const kernel_attention kernel_attention_plain = {
    .scratch_size = scratch_size,
    .begin = begin,
    .forward = forward,
    .backward = backward,
    .sum = sum,
    .sum_backward = sum_backward,
};
