/* attention_backward.c - recomputes the weights, a tile at a time, and from them the
 * gradients.
 *
 * With p the weights of a query, m dropout's factors of them, s its scores, y its result:
 *
 *     dv[j] += p[j] m[j] dy       ds[j] = p[j] (dp[j] - sum p dp), dp[j] = m[j] dy . v[j]
 *     dq += scale sum ds[j] k[j]  dk[j] += scale ds[j] q
 *
 * sum p dp equals dy . y, except that the two are rounded differently. Where nearly all
 * weight lies on one key, ds is near 0, and the difference of the roundings would drown
 * it. So dy . y is only a first guess c:
 *
 *     ds[j] = p[j] (e[j] - sum p e), e[j] = dp[j] - c
 *
 * This sum is made of the numbers that it is subtracted from, and they are small where
 * it matters; a row with the weights 1 and 0 gives exactly 0. A block computes p and e
 * of all its tiles first, for the sum, and then goes through the tiles again for the
 * gradients. */
#include "attention_tiles.h"

typedef struct backward_pass {
    const attention_head *head;
    const attention_block *block;
    attention_layout at;
    ag_real *scratch;
    int64_t height, groups; /* of the block: rows of a group, number of groups */
    attention_keys *keys;   /* [count]: the block's; empty where inverse_sum or dy is 0 */
    ag_real *guess;         /* [count]: c; not finite where dy is left out */
    double *mean;           /* [count]: sum p e */
    span *columns;          /* [groups]: the columns of the tile that each group sees */
    span all;               /* the columns that any group sees */
    ag_real *weights;       /* of the tile: [count, KEYS_STEP], p, then p m */
    ag_real *dscores;       /* of the tile: [count, KEYS_STEP], e, then ds, then scale ds */
    ag_real *keep;          /* of the tile: m, rows dropout_step apart; NULL without dropout */
    bool dy_leaves_out;     /* rows of dy are left out of the copy */
    bool needs_scores;      /* the gradient of the scores is wanted */
} backward_pass;

/* ---- Preparing a block ------------------------------------------------------------- */

static void prepare_rows(backward_pass *pass)
{
    const attention_head *head = pass->head;
    const attention_block *block = pass->block;
    const ag_real *q = head->q.data + block->first * head->q.step;
    const ag_real *y = head->y.data + block->first * head->y.step, *dy = head->y.gradient + block->first * head->y.step;
    if (head->q.gradient)
        prefetch_rows(block->count, head->q.width, head->q.gradient + block->first * head->q.step, head->q.step);
    prefetch_next(block->count, &head->y, y);
    ag_real *queries = pass->scratch + pass->at.queries, *copy = pass->scratch + pass->at.dy;

    for (int64_t r = 0; r < block->count; r++) {
        pass->keys[r] = block->keys[r];
        if (head->statistics[block->first + r].inverse_sum == 0 ||
            kernel_all_zero(head->v.width, dy + r * head->y.step))
            pass->keys[r] = (attention_keys){0};
        pass->guess[r] = dot(head->v.width, dy + r * head->y.step, y + r * head->y.step);
        pass->mean[r] = 0;
    }
    if (!KERNEL(attention_copy)(block->count, &head->q, q, queries))
        /* All weights of such a query are NaN, and so are its score gradients. */
        KERNEL(attention_leave_out)(block->count, head->q.width, queries);
    pass->dy_leaves_out = !KERNEL(attention_copy)(block->count, &head->y, dy, copy);
    if (pass->dy_leaves_out)
        /* dy . y of such a query is not finite, so its score gradients are NaN. */
        KERNEL(attention_leave_out)(block->count, head->v.width, copy);
}

/* Goes to the tile that begins at key `first`. Returns whether any query sees a key of
 * it. */
static bool enter_tile(backward_pass *pass, int64_t first)
{
    const attention_head *head = pass->head;
    const int64_t place = first / KEYS * pass->at.tile;
    pass->weights = pass->scratch + pass->at.weights + place;
    pass->dscores = pass->scratch + pass->at.dscores + place;
    pass->keep = head->dropout ? pass->scratch + pass->at.keep + place : NULL;
    pass->all = (span){KEYS, 0};
    for (int64_t g = 0; g < pass->groups; g++) {
        const group rows = group_at(pass->block->count, pass->height, g);
        const span columns = pass->columns[g] = seen_by(rows, pass->keys, first);
        if (columns.begin < columns.end)
            pass->all = (span){smaller(pass->all.begin, columns.begin), larger(pass->all.end, columns.end)};
    }
    return pass->all.begin < pass->all.end;
}

/* ---- Weights and their gradient ---------------------------------------------------- */

/* Turns a row of scores into p, and a row of dy . v into e. Both are 0 for keys that
 * the query may not see. `keep` is NULL without dropout. Returns the row's share of
 * sum p e. */
static inline ag_real compute_row(const backward_pass *pass, int64_t row, int64_t first, span columns,
                                  const ag_real *keep, ag_real *weights, ag_real *dweights)
{
    const attention_keys *keys = &pass->keys[row];
    const attention_statistics *statistics = &pass->head->statistics[pass->block->first + row];
    const vector max = splat(statistics->max), inverse = splat(statistics->inverse_sum);
    const vector guess = splat(pass->guess[row]);
    const bool whole = sees_span(keys, first, columns);
    vector sum = {0};
    scale_scores(pass->head, columns, weights);
    if (pass->block->bias)
        add_bias(pass->block, row, first, columns, weights);
    for (int64_t c = columns.begin; c < columns.end; c += LANES) {
        vector weight = vector_exp(load(weights + c) - max) * inverse, dweight = {0};
        if (pass->needs_scores)
            dweight = (keep ? load(dweights + c) * load(keep + c - columns.begin) : load(dweights + c)) - guess;
        if (!whole) {
            const vector_bits seen = lanes_between(keys->begin - first - c, keys->end - first - c);
            weight = vector_choose(seen, weight, (vector){0});
            dweight = vector_choose(seen, dweight, (vector){0});
        }
        store(weights + c, weight);
        if (pass->needs_scores)
            store(dweights + c, dweight);
        sum = multiply_add(sum, weight, dweight);
    }
    if (keys->allow) {
        fill_holes(keys, first, columns, 0, weights);
        if (pass->needs_scores)
            fill_holes(keys, first, columns, 0, dweights);
        sum = (vector){0};
        for (int64_t c = columns.begin; c < columns.end && pass->needs_scores; c += LANES)
            sum = multiply_add(sum, load(weights + c), load(dweights + c));
    }
    return pass->needs_scores ? vector_sum(sum) : 0;
}

/* Computes p and e for the rows of a group. */
static void compute_group(const backward_pass *pass, int64_t g, int64_t first)
{
    const attention_head *head = pass->head;
    const group rows = group_at(pass->block->count, pass->height, g);
    const int64_t count = rows.end - rows.begin;
    const span columns = pass->columns[g];
    if (columns.begin == columns.end)
        return;
    ag_real *weights = pass->weights + rows.begin * KEYS_STEP, *dweights = pass->dscores + rows.begin * KEYS_STEP;
    multiply_transposed(count, head->q.width, pass->scratch + pass->at.queries + rows.begin * padded(head->q.width),
                        pass->scratch + pass->at.keys_t, first, columns, weights);
    if (pass->needs_scores)
        multiply_transposed(count, head->v.width, pass->scratch + pass->at.dy + rows.begin * padded(head->v.width),
                            pass->scratch + pass->at.values_t, first, columns, dweights);
    const int64_t step = dropout_step(head);
    ag_real *keep = head->dropout ? pass->keep + rows.begin * step : NULL;
    if (keep)
        draw_dropout(head, pass->block->first + rows.begin, count, first, columns, keep);
    for (int64_t r = 0; r < count; r++, weights += KEYS_STEP, dweights += KEYS_STEP)
        pass->mean[rows.begin + r] +=
            (double)compute_row(pass, rows.begin + r, first, columns, keep ? keep + r * step : NULL, weights, dweights);
}

/* Turns e into ds, times the scale unless the bias wants ds itself, and p into p m.
 * The mean may be NaN, so ds is set to 0 again for keys that the query may not see. */
static inline void finish_row(const backward_pass *pass, int64_t row, int64_t first, span columns, const ag_real *keep,
                              ag_real *weights, ag_real *dweights)
{
    const attention_keys *keys = &pass->keys[row];
    const vector mean = splat((ag_real)pass->mean[row]), scale = splat(pass->block->dbias ? 1 : pass->head->scale);
    const bool whole = sees_span(keys, first, columns);
    for (int64_t c = columns.begin; c < columns.end; c += LANES) {
        const vector weight = load(weights + c);
        if (keep)
            store(weights + c, weight * load(keep + c - columns.begin));
        if (!pass->needs_scores)
            continue;
        vector dscore = weight * (load(dweights + c) - mean);
        if (!whole)
            dscore = vector_choose(lanes_between(keys->begin - first - c, keys->end - first - c), dscore, (vector){0});
        store(dweights + c, dscore * scale);
    }
    if (pass->needs_scores && keys->allow)
        fill_holes(keys, first, columns, 0, dweights);
}

static inline void set_zero(ag_real *x, int64_t begin, int64_t end)
{
    for (int64_t c = begin; c < end; c += LANES)
        store(x + c, (vector){0});
}

/* Copies a row of the tile's ds to the gradient of the bias. */
static void give_dbias(const backward_pass *pass, int64_t row, int64_t first, const ag_real *dscores)
{
    const int64_t begin = larger(pass->keys[row].begin, first), end = smaller(pass->keys[row].end, first + KEYS);
    for (int64_t j = begin; j < end; j++)
        pass->block->dbias[row * pass->head->keys + j] = dscores[j - first];
}

/* Computes p m and scale ds for the rows of a group. Both are 0 in columns that only
 * other groups see. */
static void finish_group(const backward_pass *pass, int64_t g, int64_t first)
{
    const group rows = group_at(pass->block->count, pass->height, g);
    const span columns = pass->columns[g], all = pass->all;
    const int64_t step = dropout_step(pass->head);
    for (int64_t r = rows.begin; r < rows.end; r++) {
        ag_real *weights = pass->weights + r * KEYS_STEP, *dscores = pass->dscores + r * KEYS_STEP;
        finish_row(pass, r, first, columns, pass->keep ? pass->keep + r * step : NULL, weights, dscores);
        set_zero(weights, all.begin, columns.begin);
        set_zero(weights, columns.end, all.end);
        if (pass->needs_scores) {
            if (pass->block->dbias) {
                give_dbias(pass, r, first, dscores);
                scale_scores(pass->head, columns, dscores);
            }
            set_zero(dscores, all.begin, columns.begin);
            set_zero(dscores, columns.end, all.end);
        }
    }
}

/* ---- Gradients --------------------------------------------------------------------- */

/* The gradient of keys or values += x^T rows, with x [queries, KEYS_STEP] and rows
 * [queries, padded width]. */
static void add_to_keys(const backward_pass *pass, int64_t first, const ag_real *x, const ag_real *rows,
                        const attention_rows *to)
{
    const int64_t begin = pass->all.begin, end = smaller(pass->all.end, pass->head->keys - first);
    const int64_t height = group_height(end - begin);
    for (int64_t row = begin; row < end; row += height) {
        const group own = {row, smaller(row + height, end)};
        int64_t from = pass->groups, past = 0; /* groups that see these keys are from .. past - 1 */
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

/* Adds the rows of dy that were left out of the copy to the gradients of the values that
 * their queries may see. */
static void add_left_out_dy(const backward_pass *pass, int64_t first)
{
    const attention_head *head = pass->head;
    const int64_t end = smaller(pass->all.end, head->keys - first), width = head->v.width;
    for (int64_t r = 0; r < pass->block->count; r++) {
        const ag_real *dy = head->y.gradient + (pass->block->first + r) * head->y.step;
        const ag_real *weights = pass->weights + r * KEYS_STEP;
        if (row_is_finite(width, dy))
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
                              .a = pass->dscores + rows.begin * KEYS_STEP + columns.begin,
                              .a_row = KEYS_STEP,
                              .a_column = 1,
                              .b = pass->scratch + pass->at.keys + (first + columns.begin) * width,
                              .b_row = width,
                              .c = head->q.gradient + (pass->block->first + rows.begin) * head->q.step,
                              .c_row = head->q.step,
                              .add = true},
                 TILE_COLUMNS);
}

/* Adds the keys that were left out of the copy to the gradients of the queries that
 * may see them. */
static void add_left_out_keys(const backward_pass *pass, int64_t first)
{
    const attention_head *head = pass->head;
    const int64_t end = smaller(pass->all.end, head->keys - first), width = head->k.width;
    for (int64_t c = pass->all.begin; c < end; c++) {
        const ag_real *key = head->k.data + (first + c) * head->k.step;
        if (row_is_finite(width, key))
            continue;
        for (int64_t r = 0; r < pass->block->count; r++)
            if (sees(&pass->keys[r], first + c))
                axpy(width, pass->dscores[r * KEYS_STEP + c], key,
                     head->q.gradient + (pass->block->first + r) * head->q.step);
    }
}

static void prefetch_gradient(const backward_pass *pass, int64_t first, const attention_rows *to)
{
    const int64_t begin = first + pass->all.begin, end = smaller(first + pass->all.end, pass->head->keys);
    if (to->gradient)
        prefetch_rows(end - begin, to->width, to->gradient + begin * to->step, to->step);
}

static bool pack_tile(const backward_pass *pass, int64_t first)
{
    return KERNEL(attention_pack)(pass->head, &pass->at, true, first + pass->all.begin, first + pass->all.end,
                                  pass->scratch);
}

static void compute_tile(backward_pass *pass, int64_t first)
{
    if (!enter_tile(pass, first))
        return;
    pack_tile(pass, first);
    for (int64_t g = 0; g < pass->groups; g++)
        compute_group(pass, g, first);
}

static void finish_tile(backward_pass *pass, int64_t first)
{
    const attention_head *head = pass->head;
    if (!enter_tile(pass, first))
        return;
    prefetch_gradient(pass, first, &head->k);
    prefetch_gradient(pass, first, &head->v);
    for (int64_t g = 0; g < pass->groups; g++)
        finish_group(pass, g, first);
    if (head->v.gradient) {
        add_to_keys(pass, first, pass->weights, pass->scratch + pass->at.dy, &head->v);
        if (pass->dy_leaves_out)
            add_left_out_dy(pass, first);
    }
    if (head->k.gradient)
        add_to_keys(pass, first, pass->dscores, pass->scratch + pass->at.queries, &head->k);
    if (head->q.gradient) {
        for (int64_t g = 0; g < pass->groups; g++)
            add_to_queries(pass, g, first);
        if (pack_tile(pass, first))
            add_left_out_keys(pass, first);
    }
}

void KERNEL(attention_backward)(const attention_head *head, const attention_block *block, ag_real *scratch)
{
    attention_keys keys[ATTENTION_QUERIES];
    ag_real guess[ATTENTION_QUERIES];
    double mean[ATTENTION_QUERIES];
    span columns[MOST_GROUPS];
    backward_pass pass = {.head = head,
                          .block = block,
                          .at = KERNEL(attention_layout)(head, true),
                          .scratch = scratch,
                          .height = group_height(block->count),
                          .keys = keys,
                          .guess = guess,
                          .mean = mean,
                          .columns = columns,
                          .needs_scores = head->q.gradient || head->k.gradient || block->dbias};
    pass.groups = ceil_div(block->count, pass.height);
    prepare_rows(&pass);
    int64_t begin = head->keys, end = 0;
    for (int64_t r = 0; r < block->count; r++)
        if (keys[r].begin < keys[r].end) {
            begin = smaller(begin, keys[r].begin);
            end = larger(end, keys[r].end);
        }
    for (int64_t first = begin / KEYS * KEYS; first < end; first += KEYS)
        compute_tile(&pass, first);
    for (int64_t first = begin / KEYS * KEYS; first < end; first += KEYS)
        finish_tile(&pass, first);
}
