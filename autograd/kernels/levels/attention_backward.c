/* attention_backward.c - the weights are made again, a tile at a time, and the gradients from them.
 *
 * With p the weights of a query, m what dropout multiplies them by, s its scores and y its result:
 *
 *     dv[j] += p[j] m[j] dy          ds[j] = p[j] (m[j] dy . v[j] - dy . y)
 *     dq += scale sum ds[j] k[j]     dk[j] += scale ds[j] q
 *
 * dy . y is sum p dp, which softmax' gradient asks for. */
#include "attention_tiles.h"

typedef struct backward_pass {
    const attention_head *head;
    const attention_block *block;
    attention_layout at;
    real *scratch;
    int64_t height, groups; /* of and in the block */
    attention_keys *keys;   /* [count]: the block's; none where a query sees scores of -inf alone */
    real *mean;             /* [count]: dy . y */
    span *columns;          /* [groups]: what each group looks at in the tile */
    span all;               /* what any of them looks at */
    bool dy_in_part;        /* rows of dy are left out */
    bool needs_scores;      /* the gradient of the scores */
} backward_pass;

/* ---- Preparing a block ---------------------------------------------------------------------- */

static void prepare_rows(backward_pass *pass)
{
    const attention_head *head = pass->head;
    const attention_block *block = pass->block;
    const real *q = head->q.data + block->first * head->q.step;
    const real *y = head->y.data + block->first * head->y.step, *dy = head->y.gradient + block->first * head->y.step;
    if (head->q.gradient)
        prefetch_rows(block->count, head->q.width, head->q.gradient + block->first * head->q.step, head->q.step);
    prefetch_next(block->count, &head->y, y);
    real *queries = pass->scratch + pass->at.queries, *copy = pass->scratch + pass->at.dy;

    for (int64_t r = 0; r < block->count; r++) {
        pass->keys[r] = block->keys[r];
        if (head->statistics[block->first + r].inverse_sum == 0)
            pass->keys[r] = (attention_keys){0};
        pass->mean[r] = dot(head->v.width, dy + r * head->y.step, y + r * head->y.step);
    }
    if (!KERNEL(attention_copy)(block->count, &head->q, q, head->scale, queries))
        /* (such a query has NaN for all its weights, and so for the gradients of its scores) */
        KERNEL(attention_leave_out)(block->count, head->q.width, queries);
    pass->dy_in_part = !KERNEL(attention_copy)(block->count, &head->y, dy, 1, copy);
    if (!pass->dy_in_part)
        return;
    KERNEL(attention_leave_out)(block->count, head->v.width, copy);
    for (int64_t r = 0; r < block->count; r++)
        if (!row_is_finite(head->v.width, dy + r * head->y.step, 1))
            pass->mean[r] = (real)NAN;
}

/* ---- Weights and the gradient of scores ----------------------------------------------------- */

/* Turns a row of scores into weights, and one of dweights into dscores. `keep` is NULL without dropout. */
static inline void make_row(const backward_pass *pass, int64_t row, int64_t first, span columns, const real *keep,
                            real *weights, real *dscores)
{
    const attention_keys *keys = &pass->keys[row];
    const attention_statistics *statistics = &pass->head->statistics[pass->block->first + row];
    const vector max = splat(statistics->max), inverse = splat(statistics->inverse_sum), mean = splat(pass->mean[row]);
    const bool whole = sees_span(keys, first, columns);
    if (pass->block->bias)
        add_bias(pass->block, row, first, columns, weights);
    for (int64_t c = columns.begin; c < columns.end; c += LANES) {
        const vector factor = keep ? load(keep + c - columns.begin) : splat(1);
        vector weight = vector_exp(load(weights + c) - max) * inverse, kept = weight, dscore = {0};
        if (keep)
            kept *= factor;
        if (pass->needs_scores)
            dscore = weight * ((keep ? factor * load(dscores + c) : load(dscores + c)) - mean);
        if (!whole) {
            const vector_bits seen = lanes_between(keys->begin - first - c, keys->end - first - c);
            kept = vector_choose(seen, kept, (vector){0});
            dscore = vector_choose(seen, dscore, (vector){0});
        }
        store(weights + c, kept);
        if (pass->needs_scores)
            store(dscores + c, dscore);
    }
    if (keys->allow) {
        fill_holes(keys, first, columns, 0, weights);
        if (pass->needs_scores)
            fill_holes(keys, first, columns, 0, dscores);
    }
}

static inline void set_zero(real *x, int64_t begin, int64_t end)
{
    for (int64_t c = begin; c < end; c += LANES)
        store(x + c, (vector){0});
}

/* The group's rows of both tiles: zeros where only other groups look. */
static void make_group(const backward_pass *pass, int64_t g, int64_t first)
{
    const attention_head *head = pass->head;
    const group rows = group_at(pass->block->count, pass->height, g);
    const int64_t count = rows.end - rows.begin;
    const span columns = pass->columns[g], all = pass->all;
    real *scratch = pass->scratch;
    real *weights = scratch + pass->at.weights + rows.begin * KEYS_STEP,
         *dscores = scratch + pass->at.dscores + rows.begin * KEYS_STEP;
    real *keep = head->dropout ? scratch + pass->at.keep : NULL;
    int64_t keep_step = 0;

    multiply_transposed(count, head->q.width, scratch + pass->at.queries + rows.begin * padded(head->q.width),
                        scratch + pass->at.keys_t, first, columns, weights);
    if (pass->needs_scores)
        multiply_transposed(count, head->v.width, scratch + pass->at.dy + rows.begin * padded(head->v.width),
                            scratch + pass->at.values_t, first, columns, dscores);
    if (keep && columns.begin < columns.end)
        draw_dropout(head, pass->block->first + rows.begin, count, first, columns, keep, &keep_step);
    for (int64_t r = 0; r < count; r++, weights += KEYS_STEP, dscores += KEYS_STEP) {
        make_row(pass, rows.begin + r, first, columns, keep ? keep + r * keep_step : NULL, weights, dscores);
        set_zero(weights, all.begin, columns.begin);
        set_zero(weights, columns.end, all.end);
        if (pass->needs_scores) {
            set_zero(dscores, all.begin, columns.begin);
            set_zero(dscores, columns.end, all.end);
        }
    }
}

/* ---- Gradients ------------------------------------------------------------------------------ */

/* Rows of the gradient of keys or values += x^T rows, x being [queries, KEYS_STEP] and rows [queries, padded width]. */
static void add_to_keys(const backward_pass *pass, int64_t first, const real *x, const real *rows,
                        const attention_rows *to)
{
    const int64_t begin = pass->all.begin, end = smaller(pass->all.end, pass->head->keys - first);
    const int64_t height = group_height(end - begin);
    for (int64_t row = begin; row < end; row += height) {
        const group own = {row, smaller(row + height, end)};
        int64_t from = pass->groups, past = 0; /* the groups between which all are that look at these keys */
        for (int64_t g = 0; g < pass->groups; g++)
            if (pass->columns[g].begin < own.end && pass->columns[g].end > own.begin) {
                from = smaller(from, g);
                past = g + 1;
            }
        if (from >= past)
            continue;
        const int64_t top = from * pass->height;
        multiply(&(tile_task){.rows = own.end - own.begin,
                              .columns = to->width,
                              .depth = group_at(pass->block->count, pass->height, past - 1).end - top,
                              .a = x + top * KEYS_STEP + own.begin,
                              .a_row = 1,
                              .a_column = KEYS_STEP,
                              .b = rows + top * padded(to->width),
                              .b_row = padded(to->width),
                              .c = to->gradient + (first + own.begin) * to->step,
                              .c_row = to->step,
                              .add = true},
                 TILE_COLUMNS);
    }
}

/* The share of rows of dy that were left out of the copy, for the values that they may look at. */
static void add_left_out_dy(const backward_pass *pass, int64_t first)
{
    const attention_head *head = pass->head;
    const int64_t end = smaller(pass->all.end, head->keys - first), width = head->v.width;
    for (int64_t r = 0; r < pass->block->count; r++) {
        const real *dy = head->y.gradient + (pass->block->first + r) * head->y.step;
        const real *weights = pass->scratch + pass->at.weights + r * KEYS_STEP;
        if (row_is_finite(width, dy, 1))
            continue;
        for (int64_t c = pass->all.begin; c < end; c++)
            if (sees(&pass->keys[r], first + c))
                axpy(width, weights[c], dy, head->v.gradient + (first + c) * head->v.step);
    }
}

static void add_to_queries(const backward_pass *pass, int64_t g, int64_t first)
{
    const attention_head *head = pass->head;
    const group rows = group_at(pass->block->count, pass->height, g);
    const span columns = pass->columns[g];
    const int64_t width = padded(head->q.width);
    if (columns.begin < columns.end)
        multiply(&(tile_task){.rows = rows.end - rows.begin,
                              .columns = head->q.width,
                              .depth = smaller(columns.end, head->keys - first) - columns.begin,
                              .a = pass->scratch + pass->at.dscores + rows.begin * KEYS_STEP + columns.begin,
                              .a_row = KEYS_STEP,
                              .a_column = 1,
                              .b = pass->scratch + pass->at.keys + (first + columns.begin) * width,
                              .b_row = width,
                              .c = head->q.gradient + (pass->block->first + rows.begin) * head->q.step,
                              .c_row = head->q.step,
                              .add = true},
                 TILE_COLUMNS);
}

/* The share of keys that were left out of the copy, for the queries that may look at them. */
static void add_left_out_keys(const backward_pass *pass, int64_t first)
{
    const attention_head *head = pass->head;
    const int64_t end = smaller(pass->all.end, head->keys - first), width = head->k.width;
    for (int64_t c = pass->all.begin; c < end; c++) {
        const real *key = head->k.data + (first + c) * head->k.step;
        if (row_is_finite(width, key, head->scale))
            continue;
        for (int64_t r = 0; r < pass->block->count; r++)
            if (sees(&pass->keys[r], first + c))
                axpy(width, pass->scratch[pass->at.dscores + r * KEYS_STEP + c] * head->scale, key,
                     head->q.gradient + (pass->block->first + r) * head->q.step);
    }
}

/* Copies the gradients of the tile's scores to where they are wanted. */
static void give_dbias(const backward_pass *pass, int64_t first)
{
    for (int64_t r = 0; r < pass->block->count; r++) {
        const int64_t begin = larger(pass->keys[r].begin, first), end = smaller(pass->keys[r].end, first + KEYS);
        const real *dscores = pass->scratch + pass->at.dscores + r * KEYS_STEP;
        for (int64_t j = begin; j < end; j++)
            pass->block->dbias[r * pass->head->keys + j] = dscores[j - first];
    }
}

static void prefetch_gradient(const backward_pass *pass, int64_t first, const attention_rows *to)
{
    const int64_t begin = first + pass->all.begin, end = smaller(first + pass->all.end, pass->head->keys);
    if (to->gradient)
        prefetch_rows(end - begin, to->width, to->gradient + begin * to->step, to->step);
}

static void backward_tile(backward_pass *pass, int64_t first)
{
    const attention_head *head = pass->head;
    real *scratch = pass->scratch;
    pass->all = (span){KEYS, 0};
    for (int64_t g = 0; g < pass->groups; g++) {
        const group rows = group_at(pass->block->count, pass->height, g);
        const span columns = pass->columns[g] = seen_by(rows.end - rows.begin, pass->keys + rows.begin, first);
        if (columns.begin < columns.end)
            pass->all = (span){smaller(pass->all.begin, columns.begin), larger(pass->all.end, columns.end)};
    }
    if (pass->all.begin >= pass->all.end)
        return;

    prefetch_gradient(pass, first, &head->k);
    prefetch_gradient(pass, first, &head->v);
    const bool keys_in_part =
        KERNEL(attention_pack)(head, &pass->at, true, first + pass->all.begin, first + pass->all.end, scratch);
    for (int64_t g = 0; g < pass->groups; g++)
        make_group(pass, g, first);
    if (head->v.gradient) {
        add_to_keys(pass, first, scratch + pass->at.weights, scratch + pass->at.dy, &head->v);
        if (pass->dy_in_part)
            add_left_out_dy(pass, first);
    }
    if (head->k.gradient)
        add_to_keys(pass, first, scratch + pass->at.dscores, scratch + pass->at.queries, &head->k);
    if (head->q.gradient) {
        for (int64_t g = 0; g < pass->groups; g++)
            add_to_queries(pass, g, first);
        if (keys_in_part)
            add_left_out_keys(pass, first);
    }
    if (pass->block->dbias)
        give_dbias(pass, first);
}

void KERNEL(attention_backward)(const attention_head *head, const attention_block *block, real *scratch)
{
    attention_keys keys[ATTENTION_QUERIES];
    real mean[ATTENTION_QUERIES];
    span columns[MOST_GROUPS];
    backward_pass pass = {.head = head,
                          .block = block,
                          .at = KERNEL(attention_layout)(head, true),
                          .scratch = scratch,
                          .height = group_height(block->count),
                          .keys = keys,
                          .mean = mean,
                          .columns = columns,
                          .needs_scores = head->q.gradient || head->k.gradient || block->dbias};
    pass.groups = parts_of(block->count, pass.height);
    prepare_rows(&pass);
    int64_t begin = head->keys, end = 0;
    for (int64_t r = 0; r < block->count; r++)
        if (keys[r].begin < keys[r].end) {
            begin = smaller(begin, keys[r].begin);
            end = larger(end, keys[r].end);
        }
    for (int64_t first = begin / KEYS * KEYS; first < end; first += KEYS)
        backward_tile(&pass, first);
}
